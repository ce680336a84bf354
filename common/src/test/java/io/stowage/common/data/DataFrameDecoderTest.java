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
package io.stowage.common.data;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.netty.buffer.ByteBuf;
import io.netty.buffer.ByteBufUtil;
import io.netty.buffer.Unpooled;
import io.netty.buffer.UnpooledByteBufAllocator;
import io.netty.channel.embedded.EmbeddedChannel;
import io.netty.handler.codec.CorruptedFrameException;
import io.stowage.common.proto.DataReply;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;

/** Frames, however the socket cuts them. */
class DataFrameDecoderTest {
  private static ByteBuf frame(int id, int payloadLength) {
    byte[] header =
        DataReply.newBuilder()
            .setCallId(id)
            .setErrorMessage("x".repeat(id % 50))
            .build()
            .toByteArray();
    byte[] payload = new byte[payloadLength];
    new Random(id).nextBytes(payload);
    return Unpooled.directBuffer()
        .writeInt(header.length)
        .writeInt(payloadLength)
        .writeBytes(header)
        .writeBytes(payload);
  }

  private static void checkFrames(EmbeddedChannel channel, int[] lengths) {
    for (int id = 0; id < lengths.length; id++) {
      DataFrame<DataReply> frame = channel.readInbound();
      assertEquals(id, frame.header().getCallId());
      byte[] expected = new byte[lengths[id]];
      new Random(id).nextBytes(expected);
      assertEquals(
          ByteBufUtil.hexDump(expected), ByteBufUtil.hexDump(frame.payload()), "frame " + id);
      frame.payload().release();
    }
    assertNull(channel.readInbound());
  }

  @Test
  void everyCutGivesTheSameFrames() {
    int[] lengths = {0, 1, 5_000, 0, 77, 4_096};
    ByteBuf all = Unpooled.directBuffer();
    for (int id = 0; id < lengths.length; id++) {
      ByteBuf one = frame(id, lengths[id]);
      all.writeBytes(one);
      one.release();
    }
    for (int seed = 0; seed < 200; seed++) {
      Random random = new Random(seed);
      EmbeddedChannel channel = new EmbeddedChannel(decoder());
      List<ByteBuf> pieces = new ArrayList<>();
      int at = 0;
      while (at < all.readableBytes()) {
        int n = seed == 0 ? 1 : 1 + random.nextInt(random.nextBoolean() ? 10 : 6_000);
        n = Math.min(n, all.readableBytes() - at);
        ByteBuf piece = Unpooled.directBuffer(n).writeBytes(all, at, n);
        pieces.add(piece);
        channel.writeInbound(piece);
        at += n;
      }
      checkFrames(channel, lengths);
      channel.finishAndReleaseAll();
      for (ByteBuf piece : pieces) {
        assertEquals(0, piece.refCnt(), "seed " + seed);
      }
    }
    all.release();
  }

  @Test
  void aPayloadThatCameInOnePieceIsASliceOfIt() {
    EmbeddedChannel channel = new EmbeddedChannel(decoder());
    ByteBuf received = frame(3, 4_096);
    long address = received.memoryAddress() + received.readableBytes() - 4_096;
    channel.writeInbound(received);
    DataFrame<DataReply> frame = channel.readInbound();
    assertEquals(address, frame.payload().memoryAddress() + frame.payload().readerIndex());
    frame.payload().release();
    assertEquals(0, received.refCnt());
    channel.finishAndReleaseAll();
  }

  @Test
  void whatIsNoFrameIsRefusedAndNothingIsKept() {
    byte[][] malformed = {
      {0x7f, 0, 0, 0, 0, 0, 0, 0},
      {0, 0, 0, 0, 0x01, 0, 0, 1},
      {0, 0, 0, 1, 0, 0, 0, 0, (byte) 0xff},
    };
    for (byte[] bytes : malformed) {
      EmbeddedChannel channel = new EmbeddedChannel(decoder());
      ByteBuf received = Unpooled.directBuffer().writeBytes(bytes);
      assertThrows(CorruptedFrameException.class, () -> channel.writeInbound(received));
      ByteBuf later = frame(1, 10);
      channel.writeInbound(later);
      assertNull(channel.readInbound(), "a frame behind a malformed one");
      channel.finishAndReleaseAll();
      assertEquals(0, received.refCnt());
      assertEquals(0, later.refCnt());
    }
  }

  @Test
  void aConnectionThatEndsWithinAPayloadGivesItsBytesBack() {
    EmbeddedChannel channel = new EmbeddedChannel(decoder());
    ByteBuf whole = frame(1, 10_000);
    ByteBuf first = whole.readBytes(5_000);
    ByteBuf second = whole.readBytes(2_000);
    whole.release();
    channel.writeInbound(first);
    channel.writeInbound(second);
    assertTrue(first.refCnt() > 0);
    channel.finishAndReleaseAll();
    assertEquals(0, first.refCnt());
    assertEquals(0, second.refCnt());
  }

  private static DataFrameDecoder<DataReply> decoder() {
    return new DataFrameDecoder<>(DataReply.parser(), FrameBounds.ofReplies());
  }

  /** Bounds that count, and say no beyond them. */
  private static final class Counting implements FrameBounds<DataReply> {
    private final long room;
    private final boolean wants;
    private long headers;
    private long payloads;

    Counting(long room, boolean wants) {
      this.room = room;
      this.wants = wants;
    }

    @Override
    public int mostHeaderBytes() {
      return 1 << 20;
    }

    @Override
    public boolean wantsPayload(DataReply header) {
      return wants;
    }

    @Override
    public boolean keep(Part part, long bytes) {
      if (headers + payloads + bytes > room) {
        return false;
      }
      count(part, bytes);
      return true;
    }

    @Override
    public void free(Part part, long bytes) {
      count(part, -bytes);
    }

    private void count(Part part, long bytes) {
      if (part == Part.HEADER) {
        headers += bytes;
      } else {
        payloads += bytes;
      }
    }

    void assertNothingKept() {
      assertEquals(0, headers);
      assertEquals(0, payloads);
    }
  }

  private static ByteBuf prefix(int header, int payload) {
    return Unpooled.directBuffer().writeInt(header).writeInt(payload);
  }

  @Test
  void whatAPrefixClaimsTakesNoMemory() {
    for (int claimed : new int[] {DataLimits.MAX_HEADER_BYTES, 1 << 20}) {
      EmbeddedChannel channel = new EmbeddedChannel(decoder());
      UnpooledByteBufAllocator memory = new UnpooledByteBufAllocator(true);
      channel.config().setAllocator(memory);
      channel.writeInbound(prefix(claimed, DataLimits.MAX_PAYLOAD_BYTES));
      assertTrue(channel.pipeline().get(DataFrameDecoder.class).isWithinFrame());
      assertTrue(memory.metric().usedDirectMemory() <= 8 << 10, memory.metric().toString());
      channel.writeInbound(Unpooled.directBuffer().writeZero(100_000));
      assertTrue(memory.metric().usedDirectMemory() <= 512 << 10, memory.metric().toString());
      channel.finishAndReleaseAll();
      assertEquals(0, memory.metric().usedDirectMemory());
    }
  }

  /** Each piece is of a receive buffer that is larger by far. */
  @Test
  void aPayloadThatDripsInKeepsFewReceiveBuffers() {
    for (int size : new int[] {1, 700}) {
      EmbeddedChannel channel = new EmbeddedChannel(decoder());
      int[] lengths = {9_000, 10};
      ByteBuf frame = frame(0, lengths[0]);
      List<ByteBuf> buffers = new ArrayList<>();
      while (frame.isReadable()) {
        ByteBuf buffer = Unpooled.directBuffer(4_096);
        buffer.writeBytes(frame, Math.min(size, frame.readableBytes()));
        buffers.add(buffer);
        channel.writeInbound(buffer);
        assertTrue(buffers.stream().filter(b -> b.refCnt() > 0).count() <= 16 + 9_000 / 2_048);
      }
      frame.release();
      channel.writeInbound(frame(1, lengths[1]));
      checkFrames(channel, lengths);
      channel.finishAndReleaseAll();
      assertTrue(buffers.stream().allMatch(b -> b.refCnt() == 0));
    }
  }

  @Test
  void whatIsKeptIsToldAndGivenBack() {
    for (boolean finished : new boolean[] {true, false}) {
      Counting bounds = new Counting(1 << 20, true);
      EmbeddedChannel channel =
          new EmbeddedChannel(new DataFrameDecoder<>(DataReply.parser(), bounds));
      ByteBuf whole = frame(0, 50_000);
      channel.writeInbound(whole.readBytes(20_000));
      assertTrue(bounds.payloads > 19_000, "the payload that has come");
      if (finished) {
        channel.writeInbound(whole.readBytes(whole.readableBytes()));
        bounds.assertNothingKept();
        checkFrames(channel, new int[] {50_000});
      }
      whole.release();
      channel.writeInbound(prefix(1 << 20, 0));
      channel.finishAndReleaseAll();
      bounds.assertNothingKept();
    }
  }

  @Test
  void whoHasNoRoomEnds() {
    for (int header : new int[] {1 << 20, 0}) {
      Counting bounds = new Counting(100_000, true);
      EmbeddedChannel channel =
          new EmbeddedChannel(new DataFrameDecoder<>(DataReply.parser(), bounds));
      channel.writeInbound(prefix(header, 10 << 20));
      channel.writeInbound(Unpooled.directBuffer().writeZero(90_000));
      assertThrows(
          CorruptedFrameException.class,
          () -> channel.writeInbound(Unpooled.directBuffer().writeZero(90_000)));
      channel.finishAndReleaseAll();
      bounds.assertNothingKept();
    }
    EmbeddedChannel channel =
        new EmbeddedChannel(
            new DataFrameDecoder<>(DataReply.parser(), new Counting(1 << 20, true)));
    assertThrows(
        CorruptedFrameException.class, () -> channel.writeInbound(prefix((1 << 20) + 1, 0)));
    channel.finishAndReleaseAll();
  }

  @Test
  void aPayloadThatNobodyWantsIsDroppedAsItComes() {
    Counting bounds = new Counting(0, false);
    EmbeddedChannel channel =
        new EmbeddedChannel(new DataFrameDecoder<>(DataReply.parser(), bounds));
    ByteBuf unwanted = frame(0, 500_000);
    while (unwanted.isReadable()) {
      assertNull(channel.readInbound());
      ByteBuf piece = unwanted.readBytes(Math.min(60_000, unwanted.readableBytes()));
      channel.writeInbound(piece);
      assertEquals(0, piece.refCnt());
    }
    unwanted.release();
    channel.writeInbound(frame(1, 100)); // nobody is asked about what is there
    checkFrames(channel, new int[] {0, 100});
    channel.finishAndReleaseAll();
  }
}
