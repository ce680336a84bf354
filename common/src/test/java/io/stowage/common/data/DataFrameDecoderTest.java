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
      EmbeddedChannel channel = new EmbeddedChannel(new DataFrameDecoder<>(DataReply.parser()));
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
    EmbeddedChannel channel = new EmbeddedChannel(new DataFrameDecoder<>(DataReply.parser()));
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
      EmbeddedChannel channel = new EmbeddedChannel(new DataFrameDecoder<>(DataReply.parser()));
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
    EmbeddedChannel channel = new EmbeddedChannel(new DataFrameDecoder<>(DataReply.parser()));
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
}
