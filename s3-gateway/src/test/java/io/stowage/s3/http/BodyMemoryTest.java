/*
 * Copyright 2026 The Stowage Authors
 *
 * Licensed under the Apache License, Version 2.0 (the "License");
 * you may not use this file except in compliance with the License.
 * You may obtain a copy of the License at
 *
 *     http://www.apache.org/licenses/LICENSE-2.0
 *
 * Unless required by applicable law or agreed to in writing, software
 * distributed under the License is distributed on an "AS IS" BASIS,
 * WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either express or implied.
 * See the License for the specific language governing permissions and
 * limitations under the License.
 */
package io.stowage.s3.http;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.netty.buffer.ByteBuf;
import io.netty.buffer.ByteBufUtil;
import io.netty.buffer.PooledByteBufAllocator;
import io.netty.buffer.Unpooled;
import io.netty.channel.embedded.EmbeddedChannel;
import io.netty.handler.codec.http.DefaultHttpContent;
import io.netty.handler.codec.http.DefaultHttpRequest;
import io.netty.handler.codec.http.DefaultLastHttpContent;
import io.netty.handler.codec.http.HttpContent;
import io.netty.handler.codec.http.HttpMethod;
import io.netty.handler.codec.http.HttpRequest;
import io.netty.handler.codec.http.HttpVersion;
import io.stowage.common.time.StoreClock;
import io.stowage.s3.error.S3Exception;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.concurrent.CountDownLatch;
import org.junit.jupiter.api.Test;

class BodyMemoryTest {
  private static final int PIECE = HttpLimits.PIECE_BYTES;

  private static ByteBuf piece(int capacity, int length) {
    return PooledByteBufAllocator.DEFAULT.directBuffer(capacity).writeZero(length);
  }

  @Test
  void aPieceThatWastesItsBufferIsCopied() {
    ByteBuf full = piece(PIECE, PIECE);
    assertSame(full, BodyMemory.fitted(full));
    ByteBuf small = piece(1024, 10);
    assertSame(small, BodyMemory.fitted(small), "little is wasted");
    ByteBuf wasteful = piece(PIECE, 100);
    ByteBuf slice = wasteful.readRetainedSlice(70); // as the HTTP decoder hands it on
    ByteBuf fitted = BodyMemory.fitted(slice);
    assertEquals(70, fitted.readableBytes());
    assertEquals(70, fitted.capacity());
    assertEquals(1, wasteful.refCnt(), "and let go of");
    for (ByteBuf each : List.of(full, small, wasteful, fitted)) {
      each.release();
      assertEquals(0, each.refCnt());
    }
  }

  @Test
  void whileMemoryIsShortEveryBodyHoldsAPieceAndMoves() throws Exception {
    BodyMemory memory = new BodyMemory(4L * PIECE);
    List<EmbeddedChannel> channels = new ArrayList<>();
    List<StreamedBody> bodies = new ArrayList<>();
    for (int i = 0; i < 8; i++) {
      channels.add(new EmbeddedChannel());
      bodies.add(new StreamedBody(channels.get(i), -1, memory, null));
    }
    for (int round = 0; round < 3; round++) {
      for (int i = 0; i < 8; i++) {
        while (channels.get(i).config().isAutoRead()) {
          bodies.get(i).offer(piece(PIECE, PIECE));
        }
      }
      // The first took all there was; the others have one each, which is the least.
      assertEquals(11L * PIECE, memory.used());
      for (int i = 7; i >= 0; i--) {
        bodies.get(i).next().release();
        assertEquals(i > 0, channels.get(i).config().isAutoRead(), "body " + i);
      }
      assertFalse(memory.isShort());
      bodies.get(0).next().release();
      bodies.get(0).next().release();
      assertTrue(channels.get(0).config().isAutoRead());
      bodies.get(0).next().release();
      assertEquals(0, memory.used());
    }
    bodies.get(0).offer(piece(PIECE, PIECE));
    bodies.get(0).close();
    assertEquals(0, memory.used(), "a body that was broken off holds nothing");
    bodies.get(0).offer(piece(PIECE, PIECE));
    assertEquals(0, memory.used());
  }

  /**
   * As a socket's read of tiny chunks comes: many slices of one buffer, and all of them at once.
   */
  private static List<ByteBuf> slices(byte[] bytes, int size) {
    ByteBuf read = Unpooled.directBuffer(PIECE).writeBytes(bytes); // a pool's would be used again
    List<ByteBuf> slices = new ArrayList<>();
    while (read.isReadable()) {
      slices.add(read.readRetainedSlice(Math.min(size, read.readableBytes())));
    }
    read.release();
    return slices;
  }

  private static byte[] random(int length) {
    byte[] bytes = new byte[length];
    new Random(length).nextBytes(bytes);
    return bytes;
  }

  @Test
  void aBodySentByteByByteHoldsLittleMoreThanItsBytes() throws Exception {
    BodyMemory memory = new BodyMemory(64 << 20);
    StreamedBody body = new StreamedBody(new EmbeddedChannel(), -1, memory, null);
    byte[] sent = random(40_000);
    List<ByteBuf> slices = slices(sent, 1);
    ByteBuf read = slices.get(0).unwrap();
    slices.forEach(body::offer);
    body.end();
    assertEquals(0, read.refCnt(), "the read's buffer is not held for bytes that wait");
    assertEquals(40_000, memory.used());
    ByteBuf all = Unpooled.buffer();
    int pieces = 0;
    for (ByteBuf piece; (piece = body.next()) != null; pieces++) {
      assertTrue(piece.capacity() <= PieceJoiner.JOINED_BYTES);
      all.writeBytes(piece);
      piece.release();
    }
    assertEquals(3, pieces);
    assertArrayEquals(sent, ByteBufUtil.getBytes(all));
    assertEquals(0, memory.used());
  }

  @Test
  void aPieceThatCannotBeJoinedCountsAsAThousandBytes() throws Exception {
    BodyMemory memory = new BodyMemory(64 << 20);
    EmbeddedChannel channel = new EmbeddedChannel();
    StreamedBody body = new StreamedBody(channel, -1, memory, null);
    int pairs = 0;
    for (; channel.config().isAutoRead(); pairs++) {
      body.offer(piece(PieceJoiner.SMALL_BYTES, PieceJoiner.SMALL_BYTES));
      body.offer(piece(1, 1));
    }
    assertEquals(HttpLimits.BODY_QUEUE_HIGH / (PieceJoiner.SMALL_BYTES + 1024) + 1, pairs);
    body.close();
    assertEquals(0, memory.used());
  }

  @Test
  void whatIsTakenWhileMoreIsJoinedComesInOrder() {
    for (int seed = 0; seed < 50; seed++) {
      Random random = new Random(seed);
      PieceQueue queue = new PieceQueue();
      ByteBuf sent = Unpooled.buffer();
      ByteBuf taken = Unpooled.buffer();
      List<ByteBuf> all = new ArrayList<>();
      for (int i = 0; i < 300; i++) {
        byte[] bytes = random(random.nextInt(random.nextBoolean() ? 100 : 6_000));
        sent.writeBytes(bytes);
        ByteBuf piece = Unpooled.directBuffer(8_192).writeBytes(bytes).asReadOnly();
        all.add(piece);
        queue.add(piece);
        while (random.nextInt(3) == 0 && !queue.isEmpty()) {
          ByteBuf next = queue.poll();
          all.add(next);
          taken.writeBytes(next);
          next.release();
        }
      }
      int left = sent.readableBytes() - taken.readableBytes();
      assertTrue(queue.weight() >= left, "seed " + seed);
      assertTrue(queue.weight() <= left * 5 / 4 + 2048, "seed " + seed + ": " + queue.weight());
      for (ByteBuf next; (next = queue.poll()) != null; ) {
        taken.writeBytes(next);
        next.release();
      }
      assertEquals(sent, taken, "seed " + seed);
      assertEquals(0, queue.weight());
      for (ByteBuf each : all) {
        assertEquals(0, each.refCnt(), "seed " + seed);
      }
    }
  }

  @Test
  void tinyChunksThatAreSentAheadWaitTogether() {
    MessagesAhead ahead = new MessagesAhead();
    byte[] first = random(10_000);
    ahead.add(new DefaultHttpRequest(HttpVersion.HTTP_1_1, HttpMethod.PUT, "/b/1"));
    slices(first, 1).forEach(piece -> ahead.add(new DefaultHttpContent(piece)));
    ahead.add(new DefaultLastHttpContent(piece(1, 1)));
    ahead.add(new DefaultHttpRequest(HttpVersion.HTTP_1_1, HttpMethod.PUT, "/b/2"));
    List<ByteBuf> rest = slices(random(5), 1);
    rest.forEach(piece -> ahead.add(new DefaultHttpContent(piece)));
    assertEquals(5, ahead.count());
    assertTrue(ahead.poll() instanceof HttpRequest);
    HttpContent joined = (HttpContent) ahead.poll();
    assertArrayEquals(first, ByteBufUtil.getBytes(joined.content()));
    joined.release();
    ahead.clear();
    assertTrue(ahead.isEmpty());
    assertEquals(0, joined.refCnt());
    for (ByteBuf piece : rest) {
      assertEquals(0, piece.refCnt());
    }
  }

  /**
   * Takes as many pieces as fall below the mark at which reading goes on, then waits for the end.
   */
  private record Slow(CountDownLatch mayTake, CountDownLatch hasTaken) implements RequestHandler {
    @Override
    public Response handle(Request request) throws S3Exception {
      try {
        mayTake.await();
        for (int i = HttpLimits.BODY_QUEUE_HIGH; i > HttpLimits.BODY_QUEUE_LOW; i -= PIECE) {
          request.body().next().release();
        }
        hasTaken.countDown();
        for (ByteBuf piece; (piece = request.body().next()) != null; ) {
          piece.release();
        }
      } catch (InterruptedException e) {
        Thread.currentThread().interrupt();
      }
      return Response.empty(200);
    }

    @Override
    public Response failure(String requestId, String method, String target, Throwable cause) {
      return Response.empty(500);
    }

    @Override
    public Response beginning(String requestId) {
      return Response.empty(200);
    }
  }

  @Test
  void aSocketIsReadNoFurtherThanItsWorkerFollows() throws Exception {
    Duration minute = Duration.ofMinutes(1);
    HttpLimits limits = new HttpLimits(4, 3, 10, 1 << 20, 64 << 20, minute, minute, minute);
    Slow handler = new Slow(new CountDownLatch(1), new CountDownLatch(1));
    BodyMemory memory = new BodyMemory(64 << 20);
    HttpServer server =
        HttpServer.start(
            List.of(
                new HttpServer.Listener(
                    new InetSocketAddress(InetAddress.getLoopbackAddress(), 0), null)),
            limits,
            memory,
            handler,
            StoreClock.system());
    try {
      EmbeddedChannel channel = new EmbeddedChannel(new ConnectionHandler(server, handler, null));
      DefaultHttpRequest put = new DefaultHttpRequest(HttpVersion.HTTP_1_1, HttpMethod.PUT, "/b/k");
      put.headers().set("host", "h").set("content-length", 1L << 30);
      channel.writeInbound(put);
      int pieces = 0;
      while (channel.config().isAutoRead() && pieces < 100) {
        channel.writeInbound(new DefaultHttpContent(piece(PIECE, PIECE)));
        pieces++;
      }
      assertEquals(HttpLimits.BODY_QUEUE_HIGH / PIECE, pieces);
      assertEquals(HttpLimits.BODY_QUEUE_HIGH, memory.used());
      handler.mayTake.countDown();
      handler.hasTaken.await();
      assertTrue(channel.config().isAutoRead(), "the worker has caught up");
      assertTrue(channel.close().isSuccess());
    } finally {
      server.stop(Duration.ZERO);
    }
    assertEquals(0, memory.used());
  }
}
