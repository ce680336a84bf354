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
package io.stowage.s3.payload;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.netty.buffer.ByteBuf;
import io.netty.buffer.PooledByteBufAllocator;
import io.netty.buffer.Unpooled;
import io.stowage.s3.http.BodyMemory;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.util.EnumSet;
import java.util.HexFormat;
import java.util.Map;
import java.util.Random;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.LinkedBlockingQueue;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

class ChecksumsTest {
  private static byte[] random(int length) {
    byte[] bytes = new byte[length];
    new Random(length).nextBytes(bytes);
    return bytes;
  }

  private static byte[] hash(HashKind kind, byte[] bytes) {
    HashKind.Hasher hasher = kind.newHasher();
    hasher.update(ByteBuffer.wrap(bytes));
    return hasher.digest();
  }

  /** The definition: one bit at a time. */
  private static long bitwiseCrc64(byte[] bytes) {
    long crc = -1;
    for (byte b : bytes) {
      crc ^= b & 0xff;
      for (int bit = 0; bit < 8; bit++) {
        crc = (crc & 1) != 0 ? (crc >>> 1) ^ Crc64Nvme.POLYNOMIAL : crc >>> 1;
      }
    }
    return ~crc;
  }

  @ParameterizedTest
  @EnumSource
  void givesThePublishedCheckValue(HashKind kind) {
    String expected =
        switch (kind) {
          case MD5 -> "25f9e794323b453885f5181f1b624d0b";
          case CRC32 -> "cbf43926";
          case CRC32C -> "e3069283";
          case CRC64NVME -> "ae8b14860a799888";
          case SHA1 -> "f7c3bc1d808e04732adf679965ccc34ca7ae3441";
          case SHA256 -> "15e2b0d3c33891ebb0f1ef609ec419420c20e320ce94c65fbc8c3312448eb225";
        };
    byte[] digits = "123456789".getBytes(StandardCharsets.US_ASCII);
    assertEquals(expected, HexFormat.of().formatHex(hash(kind, digits)));
    assertEquals(kind.bytes(), hash(kind, digits).length);
  }

  @Test
  void crc64IsRightForEveryLengthAndCut() {
    for (int length = 0; length < 10_000; length += length < 100 ? 1 : 613) {
      byte[] bytes = random(length);
      long expected = bitwiseCrc64(bytes);
      HashKind.Hasher hasher = HashKind.CRC64NVME.newHasher();
      int cut = length / 3;
      ByteBuf direct = Unpooled.directBuffer(Math.max(1, length)).writeBytes(bytes);
      hasher.update(direct.slice(0, cut));
      hasher.update(direct.slice(cut, length - cut));
      assertEquals(expected, ByteBuffer.wrap(hasher.digest()).getLong(), "length " + length);
      assertEquals(length, direct.readableBytes());
      direct.release();
    }
  }

  @ParameterizedTest
  @EnumSource(names = {"CRC32", "CRC32C", "CRC64NVME"})
  void crcOfTheWholeFollowsFromThoseOfTheParts(HashKind kind) {
    CrcPolynomial polynomial = CrcPolynomial.of(kind);
    for (int first : new int[] {0, 1, 9, 4096, 100_000}) {
      for (int second : new int[] {0, 1, 17, 5_000, 70_001}) {
        byte[] a = random(first);
        byte[] b = random(second);
        byte[] whole = new byte[first + second];
        System.arraycopy(a, 0, whole, 0, first);
        System.arraycopy(b, 0, whole, first, second);
        assertEquals(
            number(hash(kind, whole)),
            polynomial.combine(number(hash(kind, a)), number(hash(kind, b)), second));
      }
    }
  }

  private static long number(byte[] value) {
    return Long.parseUnsignedLong(HexFormat.of().formatHex(value), 16);
  }

  @Test
  void lanesGiveTheSameAsHashingInPlaceAndLetGoOfEveryBuffer() throws Exception {
    byte[] bytes = random(9 << 20);
    ExecutorService executor = Executors.newFixedThreadPool(2);
    BodyMemory memory = new BodyMemory(1 << 20); // a lane would hold twice as much
    HashThreads threads = new HashThreads(executor, memory);
    try (BodyDigests lanes = new BodyDigests(EnumSet.allOf(HashKind.class), threads);
        BodyDigests given = new BodyDigests(EnumSet.allOf(HashKind.class), threads)) {
      for (int at = 0; at < bytes.length; at += 65_536) {
        ByteBuf piece = PooledByteBufAllocator.DEFAULT.directBuffer(65_536);
        piece.writeBytes(bytes, at, 65_536);
        lanes.update(piece);
        given.update(piece);
        piece.release();
      }
      given.close(); // an upload that was broken off
      Map<HashKind, byte[]> values = lanes.digest();
      for (HashKind kind : HashKind.values()) {
        assertArrayEquals(hash(kind, bytes), values.get(kind), kind.name());
      }
      assertArrayEquals(MessageDigest.getInstance("MD5").digest(bytes), values.get(HashKind.MD5));
      memory.take(1 << 20);
      assertTrue(memory.isShort());
      memory.giveBack(1);
      assertFalse(memory.isShort(), "all that was taken for lanes was given back");
    } finally {
      executor.shutdownNow();
    }
  }

  @Test
  void aLaneHoldsOnePieceWhileMemoryIsShort() throws Exception {
    BodyMemory memory = new BodyMemory(1000);
    LinkedBlockingQueue<Runnable> tasks = new LinkedBlockingQueue<>();
    HashLane lane = new HashLane(HashKind.MD5.newHasher(), new HashThreads(tasks::add, memory));
    memory.take(1000); // others
    byte[] bytes = random(200);
    lane.update(Unpooled.wrappedBuffer(bytes, 0, 100)); // waits for nobody
    Thread second = new Thread(() -> lane.update(Unpooled.wrappedBuffer(bytes, 100, 100)));
    second.start();
    while (second.getState() != Thread.State.WAITING) {
      assertTrue(second.isAlive(), "did not wait");
      Thread.onSpinWait();
    }
    tasks.take().run();
    second.join();
    for (Runnable task; (task = tasks.poll()) != null; ) {
      task.run();
    }
    assertArrayEquals(hash(HashKind.MD5, bytes), lane.digest());
    memory.giveBack(1000);
    memory.take(999);
    assertFalse(memory.isShort());
  }

  @Test
  void tinyPiecesOfALaneCountAsMoreThanTheirBytes() throws Exception {
    BodyMemory memory = new BodyMemory(100 * BodyMemory.LEAST_WEIGHT);
    LinkedBlockingQueue<Runnable> tasks = new LinkedBlockingQueue<>();
    HashLane lane = new HashLane(HashKind.MD5.newHasher(), new HashThreads(tasks::add, memory));
    byte[] bytes = random(100);
    for (int i = 0; i < 100; i++) {
      assertFalse(memory.isShort(), "after " + i);
      lane.update(Unpooled.wrappedBuffer(bytes, i, 1));
    }
    assertTrue(memory.isShort());
    tasks.take().run();
    memory.take(100 * BodyMemory.LEAST_WEIGHT - 1);
    assertFalse(memory.isShort(), "all of it was given back");
    assertArrayEquals(hash(HashKind.MD5, bytes), lane.digest());
  }
}
