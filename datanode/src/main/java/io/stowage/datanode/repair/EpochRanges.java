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

import io.stowage.common.proto.EpochStart;
import java.util.Arrays;
import java.util.Collection;
import java.util.List;
import java.util.TreeSet;

/** Which epoch wrote an address: of one shard as its superblock says, or of all. Immutable. */
final class EpochRanges {
  private final long[] epochs;
  private final long[] starts;
  private final long end;

  private EpochRanges(long[] epochs, long[] starts, long end) {
    this.epochs = epochs;
    this.starts = starts;
    this.end = end;
  }

  /**
   * As one shard's superblock says.
   *
   * @param end shard address after the last sector that was written to it
   */
  static EpochRanges of(List<EpochStart> list, long end) {
    return new EpochRanges(
        list.stream().mapToLong(EpochStart::getEpoch).toArray(),
        list.stream().mapToLong(EpochStart::getStart).toArray(),
        end);
  }

  /**
   * What a rebuilt shard takes: each epoch from the highest of its starts. A lease begins at the
   * highest end of all shards, so what lies below an epoch's start anywhere is an earlier epoch's.
   *
   * <p>A shard that lacks an epoch, which wrote nothing there, still tells where its own end was at
   * that time: it is the start of its next epoch; and if it was opened for none after, its end now.
   * Without that, an epoch known only to a shard that was short would claim what an earlier one
   * wrote to the others: of a writer that died while it opened them, or of one that means harm and
   * opens one. Epochs whose range comes out empty are left out, all but the last.
   */
  static EpochRanges merged(Collection<EpochRanges> shards) {
    TreeSet<Long> all = new TreeSet<>();
    shards.forEach(shard -> Arrays.stream(shard.epochs).forEach(all::add));
    long[] epochs = new long[all.size()];
    long[] starts = new long[all.size()];
    long end = 0;
    for (EpochRanges shard : shards) {
      end = Math.max(end, shard.end);
    }
    int count = 0;
    for (long epoch : all) {
      long start = 0;
      for (EpochRanges shard : shards) {
        start = Math.max(start, shard.startFrom(epoch));
      }
      if (count > 0 && starts[count - 1] == start) {
        count--; // the one before wrote nothing that anybody knows of
      }
      epochs[count] = epoch;
      starts[count++] = start;
    }
    return new EpochRanges(Arrays.copyOf(epochs, count), Arrays.copyOf(starts, count), end);
  }

  /** Start of the first epoch that is not below the one given; the end if there is none. */
  private long startFrom(long epoch) {
    int at = Arrays.binarySearch(epochs, epoch);
    int first = at < 0 ? -at - 1 : at;
    return first < starts.length ? starts[first] : end;
  }

  /** Epoch in whose range an address lies; 0 if in none. */
  long epochAt(long address) {
    int i = starts.length - 1;
    while (i >= 0 && starts[i] > address) {
      i--;
    }
    return i < 0 ? 0 : epochs[i];
  }

  long[] epochs() {
    return epochs.clone();
  }

  long[] starts() {
    return starts.clone();
  }
}
