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
package io.stowage.client;

import io.netty.buffer.ByteBuf;
import io.netty.buffer.PooledByteBufAllocator;
import io.stowage.common.erasure.ErasureCoder;
import io.stowage.common.erasure.ErasureCoders;
import io.stowage.common.erasure.ErasurePolicy;
import io.stowage.common.proto.SectorState;
import java.nio.ByteBuffer;

/**
 * Recomputes a data shard's sectors from what k others answered, sector by sector, since each
 * sector may be lost on other shards. Stateless.
 *
 * <p>A sector of another shard is data if it is written and its CRC holds; zeros if it was never
 * written and the stripe's bitmap, which every written sector of the stripe carries, calls the
 * shard unused; else lost. A parity sector that was never written is always lost: every stripe has
 * all its parities.
 */
final class Decoding {
  /** Zeros for holes, shared by all reads. */
  private static final ByteBuffer ZEROS = ByteBuffer.allocateDirect(64 << 10);

  private static final int ZERO_SECTORS = ZEROS.capacity() / Sectors.BYTES;

  private Decoding() {}

  /** A sector of zeros, to be read only. */
  static ByteBuffer zeroSector() {
    return ZEROS.slice(0, Sectors.BYTES);
  }

  /**
   * Decodes all the sectors, or none.
   *
   * @param answers by shard; null for those that have not answered
   * @return the sectors' bytes, owned by the caller; null if too few answers hold for some sector
   */
  static ByteBuf decode(ErasurePolicy policy, int shard, ShardAnswer[] answers, int sectors) {
    int[] sources = new int[sectors];
    int[] holes = new int[sectors];
    for (int sector = 0; sector < sectors; sector++) {
      if (!findSources(policy, shard, answers, sector, sources, holes)) {
        return null;
      }
    }
    ByteBuf decoded = PooledByteBufAllocator.DEFAULT.directBuffer(sectors * Sectors.BYTES);
    decoded.writerIndex(sectors * Sectors.BYTES);
    ByteBuffer out = decoded.nioBuffer(0, sectors * Sectors.BYTES);
    ErasureCoder coder = ErasureCoders.of(policy);
    ByteBuffer[] in = new ByteBuffer[policy.shards()];
    int[] wanted = {shard};
    int from = 0;
    while (from < sectors) {
      int count = 1;
      while (from + count < sectors
          && count < ZERO_SECTORS
          && sources[from + count] == sources[from]
          && holes[from + count] == holes[from]) {
        count++;
      }
      for (int i = 0; i < in.length; i++) {
        in[i] = null;
        if ((holes[from] >>> i & 1) != 0) {
          in[i] = ZEROS.slice(0, count * Sectors.BYTES);
        } else if ((sources[from] >>> i & 1) != 0) {
          in[i] = answers[i].sectors(from, count);
        }
      }
      ByteBuffer target = out.slice(from * Sectors.BYTES, count * Sectors.BYTES);
      coder.decode(in, wanted, new ByteBuffer[] {target});
      from += count;
    }
    return decoded;
  }

  /**
   * Fills in which shards give a sector's bytes and which are its holes; false if they are too few.
   * Its stripe says which data shards it uses. On others the code knows zeros, whatever they have
   * there: a later lease may write into the hole that a narrow stripe left on a shard that ended
   * before it, and that is none of the stripe's.
   */
  static boolean findSources(
      ErasurePolicy policy,
      int shard,
      ShardAnswer[] answers,
      int sector,
      int[] sources,
      int[] holes) {
    int used = used(shard, answers, sector);
    if ((used >>> shard & 1) == 0) {
      return false; // nobody tells the stripe, or the stripe has nothing on this shard
    }
    int data = (1 << policy.k()) - 1;
    int written = 0;
    for (int i = 0; i < answers.length; i++) {
      if (i != shard
          && ((used | ~data) >>> i & 1) != 0
          && isWritten(answers, i, sector)
          && answers[i].usedShards(sector) == used) {
        written |= 1 << i;
      }
    }
    sources[sector] = written;
    holes[sector] = data & ~used;
    return Integer.bitCount(written | holes[sector]) >= policy.k();
  }

  /** Whether a sector's stripe has a cell on a shard, by the others' word. */
  static boolean isInStripe(ErasurePolicy policy, int shard, ShardAnswer[] answers, int sector) {
    int used = used(shard, answers, sector);
    return used != 0 && (shard >= policy.k() || (used >>> shard & 1) != 0);
  }

  /** Bitmap of a sector's stripe, as other shards tell it; 0 if none does. */
  private static int used(int shard, ShardAnswer[] answers, int sector) {
    int used = 0;
    for (int i = answers.length - 1; i >= 0 && used == 0; i--) { // parities know every stripe
      if (isWritten(answers, i, sector) && i != shard) {
        used = answers[i].usedShards(sector);
      }
    }
    return used;
  }

  private static boolean isWritten(ShardAnswer[] answers, int i, int sector) {
    return answers[i] != null && answers[i].state(sector) == SectorState.WRITTEN;
  }
}
