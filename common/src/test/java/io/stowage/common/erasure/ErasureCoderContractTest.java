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
package io.stowage.common.erasure;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.backblaze.erasure.ReedSolomon;
import java.nio.ByteBuffer;
import java.util.Random;
import org.junit.jupiter.api.Test;

/** What every coder must do: give JavaReedSolomon's bytes, over any buffers and any ranges. */
abstract class ErasureCoderContractTest {
  private static final long SEED = 20_260_719L;

  abstract ErasureCoder coder(ErasurePolicy policy);

  @Test
  void parityIsThatOfTheReferenceForAllSmallCodes() {
    Random random = new Random(SEED);
    for (int k = 1; k <= 8; k++) {
      for (int m = 1; m <= 4; m++) {
        for (int length : new int[] {1, 7, 8, 9, 4095, 4096, 4097, 12_301}) {
          byte[][] expected = referenceStripe(k, m, length, random);
          ErasureCoder coder = coder(new ErasurePolicy("test", k, m));
          ByteBuffer[] parity = fresh(m, length, true);
          coder.encode(wrap(expected, 0, k, true), parity);
          for (int i = 0; i < m; i++) {
            assertArrayEquals(
                expected[k + i], bytes(parity[i]), "k=" + k + " m=" + m + " length=" + length);
          }
        }
      }
    }
  }

  @Test
  void decodesEveryPatternOfMissingShardsOfAllSmallCodes() {
    Random random = new Random(SEED + 1);
    int length = 200;
    for (int k = 1; k <= 6; k++) {
      for (int m = 1; m <= 3; m++) {
        byte[][] stripe = referenceStripe(k, m, length, random);
        ErasureCoder coder = coder(new ErasurePolicy("test", k, m));
        for (int missing = 1; missing < (1 << (k + m)); missing++) {
          if (Integer.bitCount(missing) <= m) {
            decodeAndCompare(coder, stripe, missing, length);
          }
        }
      }
    }
  }

  @Test
  void decodesEveryPatternOfMissingShardsOfTheShippedPolicies() {
    Random random = new Random(SEED + 2);
    for (ErasurePolicy policy : ErasurePolicy.ALL) {
      byte[][] stripe = referenceStripe(policy.k(), policy.m(), 64, random);
      ErasureCoder coder = coder(policy);
      for (int missing = 1; missing < (1 << policy.shards()); missing++) {
        if (Integer.bitCount(missing) <= policy.m()) {
          decodeAndCompare(coder, stripe, missing, 64);
        }
      }
      assertTrue(((MatrixCoder) coder).cachedMatrices() <= MatrixCoder.CACHED_MATRICES);
    }
  }

  private static void decodeAndCompare(
      ErasureCoder coder, byte[][] stripe, int missing, int length) {
    ByteBuffer[] shards = wrap(stripe, 0, stripe.length, true);
    int[] wanted = new int[Integer.bitCount(missing)];
    int next = 0;
    for (int i = stripe.length - 1; i >= 0; i--) { // an order that is not ascending
      if ((missing >>> i & 1) != 0) {
        shards[i] = null;
        wanted[next++] = i;
      }
    }
    ByteBuffer[] out = fresh(wanted.length, length, true);
    coder.decode(shards, wanted, out);
    for (int i = 0; i < wanted.length; i++) {
      assertArrayEquals(
          stripe[wanted[i]],
          bytes(out[i]),
          coder.policy() + " missing " + Integer.toBinaryString(missing));
    }
  }

  @Test
  void oneByteDoesNotDependOnItsNeighbours() {
    Random random = new Random(SEED + 3);
    ErasurePolicy policy = ErasurePolicy.RS_6_3;
    byte[][] stripe = referenceStripe(6, 3, 16_384, random);
    int from = 5_003;
    int length = 777;
    ByteBuffer[] shards = wrap(stripe, 0, 9, true);
    for (ByteBuffer shard : shards) {
      shard.position(from).limit(from + length);
    }
    byte[] expected = new byte[length];
    System.arraycopy(stripe[2], from, expected, 0, length);
    shards[2] = null;
    shards[7] = null;
    ByteBuffer[] out = fresh(1, length, true);
    coder(policy).decode(shards, new int[] {2}, out);
    assertArrayEquals(expected, bytes(out[0]));
    assertEquals(from, shards[0].position(), "positions are left as they were");
    assertEquals(0, out[0].position());
    assertEquals(length, out[0].limit());
  }

  @Test
  void holesCountAsZeros() {
    Random random = new Random(SEED + 4);
    ErasurePolicy policy = ErasurePolicy.RS_6_3;
    for (int used = 1; used < (1 << policy.k()); used++) {
      byte[][] stripe = new byte[policy.shards()][100];
      for (int i = 0; i < policy.k(); i++) {
        if ((used >>> i & 1) != 0) {
          random.nextBytes(stripe[i]);
        }
      }
      ReedSolomon.create(policy.k(), policy.m()).encodeParity(stripe, 0, 100);
      ByteBuffer[] data = wrap(stripe, 0, policy.k(), true);
      for (int i = 0; i < policy.k(); i++) {
        if ((used >>> i & 1) == 0) {
          data[i] = null;
        }
      }
      ByteBuffer[] parity = fresh(policy.m(), 100, true);
      coder(policy).encode(data, parity);
      for (int i = 0; i < policy.m(); i++) {
        assertArrayEquals(stripe[policy.k() + i], bytes(parity[i]));
      }
    }
  }

  @Test
  void takesHeapBuffersToo() {
    Random random = new Random(SEED + 5);
    byte[][] stripe = referenceStripe(3, 2, 9_001, random);
    ByteBuffer[] parity = fresh(2, 9_001, false);
    coder(ErasurePolicy.RS_3_2).encode(wrap(stripe, 0, 3, false), parity);
    assertArrayEquals(stripe[3], bytes(parity[0]));
    assertArrayEquals(stripe[4], bytes(parity[1]));
  }

  @Test
  void threeWayReplicationIsACodeLikeAnyOther() {
    byte[] content = new byte[5_000];
    new Random(SEED + 6).nextBytes(content);
    ByteBuffer[] parity = fresh(2, content.length, true);
    coder(ErasurePolicy.RS_1_2).encode(wrap(new byte[][] {content}, 0, 1, true), parity);
    assertArrayEquals(content, bytes(parity[0]));
    assertArrayEquals(content, bytes(parity[1]));
  }

  @Test
  void refusesTooFewShardsAndUnequalLengths() {
    ErasureCoder coder = coder(ErasurePolicy.RS_3_2);
    ByteBuffer[] shards = fresh(5, 10, true);
    shards[0] = null;
    shards[1] = null;
    shards[4] = null;
    assertThrows(
        IllegalArgumentException.class,
        () -> coder.decode(shards, new int[] {0}, fresh(1, 10, true)));
    ByteBuffer[] data = fresh(3, 10, true);
    data[1].limit(9);
    assertThrows(IllegalArgumentException.class, () -> coder.encode(data, fresh(2, 10, true)));
    assertThrows(
        IllegalArgumentException.class, () -> coder.encode(new ByteBuffer[3], fresh(2, 10, true)));
  }

  static byte[][] referenceStripe(int k, int m, int length, Random random) {
    byte[][] stripe = new byte[k + m][length];
    for (int i = 0; i < k; i++) {
      random.nextBytes(stripe[i]);
    }
    ReedSolomon.create(k, m).encodeParity(stripe, 0, length);
    return stripe;
  }

  private static ByteBuffer[] wrap(byte[][] stripe, int from, int to, boolean direct) {
    ByteBuffer[] buffers = new ByteBuffer[to - from];
    for (int i = from; i < to; i++) {
      buffers[i - from] =
          direct
              ? ByteBuffer.allocateDirect(stripe[i].length).put(0, stripe[i])
              : ByteBuffer.wrap(stripe[i]);
    }
    return buffers;
  }

  /** Buffers full of a byte that must be overwritten, at an odd address if direct. */
  private static ByteBuffer[] fresh(int count, int length, boolean direct) {
    ByteBuffer[] buffers = new ByteBuffer[count];
    for (int i = 0; i < count; i++) {
      ByteBuffer buffer =
          direct
              ? ByteBuffer.allocateDirect(length + 1).slice(1, length)
              : ByteBuffer.allocate(length);
      for (int b = 0; b < length; b++) {
        buffer.put(b, (byte) 0xAA);
      }
      buffers[i] = buffer;
    }
    return buffers;
  }

  private static byte[] bytes(ByteBuffer buffer) {
    byte[] bytes = new byte[buffer.remaining()];
    buffer.get(buffer.position(), bytes);
    return bytes;
  }
}
