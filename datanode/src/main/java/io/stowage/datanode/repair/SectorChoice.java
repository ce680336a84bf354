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
package io.stowage.datanode.repair;

import io.stowage.common.erasure.ErasurePolicy;
import io.stowage.common.proto.SectorState;
import java.util.Arrays;
import java.util.List;

/**
 * Decides, sector by sector, what a rebuilt shard has at an address and which sources give it.
 * Confined to its rebuild's thread; one for each segment.
 *
 * <p>What the sources say of an address:
 *
 * <ul>
 *   <li>Every written sector of a stripe carries the stripe's bitmap. Of bitmaps that differ, the
 *       one of the parity shards is tried first; sectors with another are not of that stripe.
 *   <li>A data shard outside the bitmap is zeros to the code, whether or not it can be read: with w
 *       shards in the bitmap, w cells decode all others. If the shard to be rebuilt is outside, it
 *       keeps a hole.
 *   <li>A copy of the same shard saves the decoding.
 *   <li>If nobody has the sector written, it is a hole where a parity shard says so, since every
 *       answered stripe has all its parities; where a copy of the same shard does and no parity
 *       shard is lost or silent; or where nobody says that it was lost; else lost.
 * </ul>
 *
 * What a source claims is what its checksum page says. Bytes that miss their CRC are {@link #lose
 * lost} and the choice is made again.
 */
final class SectorChoice {
  /** What a sector of the new shard is to be. */
  enum Kind {
    /** Never written. */
    HOLE,
    /** A source of the same index has it. */
    COPY,
    DECODE,
    /** Too few sources have it. */
    LOST
  }

  private final ErasurePolicy policy;
  private final int target;
  private final int[] indexes;
  private final SectorState[][] states;
  private final int[][] used;
  private final boolean[][] verified;

  /** Results, by sector: kind, sources (bit by ordinal), bitmap. */
  private final Kind[] kinds;

  private final long[] chosen;
  private final int[] bitmaps;

  /**
   * @param indexes shard index of each source
   */
  SectorChoice(ErasurePolicy policy, int target, List<Integer> indexes, int sectors) {
    this.policy = policy;
    this.target = target;
    this.indexes = indexes.stream().mapToInt(Integer::intValue).toArray();
    this.states = new SectorState[this.indexes.length][sectors];
    this.used = new int[this.indexes.length][sectors];
    this.verified = new boolean[this.indexes.length][sectors];
    this.kinds = new Kind[sectors];
    this.chosen = new long[sectors];
    this.bitmaps = new int[sectors];
  }

  /** A source's page says this of a sector. */
  void claim(int source, int sector, SectorState state, int bitmap) {
    states[source][sector] = state;
    used[source][sector] = bitmap;
  }

  /** A source's bytes of a sector have their CRC. */
  void verify(int source, int sector) {
    verified[source][sector] = true;
  }

  /** A source does not have a sector after all. */
  void lose(int source, int sector) {
    states[source][sector] = SectorState.LOST;
  }

  /** A source answers no more: what it has not given is not to be had. */
  void loseUnverified(int source) {
    for (int sector = 0; sector < kinds.length; sector++) {
      if (!verified[source][sector]) {
        states[source][sector] = null;
      }
    }
  }

  Kind kind(int sector) {
    return kinds[sector];
  }

  boolean isAnyLost() {
    return Arrays.asList(kinds).contains(Kind.LOST);
  }

  int bitmap(int sector) {
    return bitmaps[sector];
  }

  /** Whether a source's bytes of a sector are wanted and not there yet. */
  boolean wants(int source, int sector) {
    return (chosen[sector] >>> source & 1) != 0 && !verified[source][sector];
  }

  /** Sources of a sector, bit by ordinal. */
  long chosen(int sector) {
    return chosen[sector];
  }

  /** Chooses for all sectors anew. */
  void choose() {
    for (int sector = 0; sector < kinds.length; sector++) {
      choose(sector);
    }
  }

  private void choose(int sector) {
    chosen[sector] = 0;
    bitmaps[sector] = 0;
    boolean anyWritten = false;
    for (int pass = 0; pass < 2; pass++) {
      for (int source = 0; source < indexes.length; source++) {
        boolean parity = indexes[source] >= policy.k();
        if (parity == (pass == 0) && states[source][sector] == SectorState.WRITTEN) {
          anyWritten = true;
          if (chooseOf(sector, used[source][sector])) {
            return;
          }
        }
      }
    }
    kinds[sector] = anyWritten || !isHole(sector) ? Kind.LOST : Kind.HOLE;
  }

  /** Tries the stripe of a bitmap. */
  private boolean chooseOf(int sector, int bitmap) {
    bitmaps[sector] = bitmap;
    if (target < policy.k() && (bitmap >>> target & 1) == 0) {
      kinds[sector] = Kind.HOLE;
      return true;
    }
    long sources = 0;
    long cells = 0;
    int count = 0;
    int needed = Integer.bitCount(bitmap);
    // First pass: what has been read already.
    for (int pass = 0; pass < 2; pass++) {
      for (int source = 0; source < indexes.length; source++) {
        int index = indexes[source];
        if (states[source][sector] != SectorState.WRITTEN
            || used[source][sector] != bitmap
            || verified[source][sector] != (pass == 0)) {
          continue;
        }
        if (index == target) {
          chosen[sector] = 1L << source;
          kinds[sector] = Kind.COPY;
          return true;
        }
        boolean ofStripe = index >= policy.k() || (bitmap >>> index & 1) != 0;
        if (ofStripe && count < needed && (cells >>> index & 1) == 0) {
          sources |= 1L << source;
          cells |= 1L << index;
          count++;
        }
      }
    }
    if (needed == 0 || count < needed) {
      return false;
    }
    chosen[sector] = sources;
    kinds[sector] = Kind.DECODE;
    return true;
  }

  private boolean isHole(int sector) {
    boolean copyTells = false;
    boolean anyLost = false;
    boolean parityLost = false;
    for (int source = 0; source < indexes.length; source++) {
      SectorState state = states[source][sector];
      boolean parity = indexes[source] >= policy.k();
      if (state != SectorState.NEVER_WRITTEN) {
        anyLost = true;
        parityLost |= parity;
      } else if (parity) {
        return true;
      } else {
        copyTells |= indexes[source] == target;
      }
    }
    return copyTells ? !parityLost : !anyLost;
  }
}
