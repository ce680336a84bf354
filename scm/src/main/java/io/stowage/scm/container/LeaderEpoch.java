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
package io.stowage.scm.container;

import io.stowage.common.error.ErrorCode;
import io.stowage.common.error.StoreException;

/**
 * Fencing number of one term of leadership, raised by compare-and-set in HBase when a term begins.
 * No two terms share one. A parameter of every mutation that leadership permits. Immutable.
 */
public record LeaderEpoch(long value) implements Comparable<LeaderEpoch> {
  /** Before anybody ever led; also what a standby tells datanodes. */
  public static final LeaderEpoch NONE = new LeaderEpoch(0);

  /**
   * An election a second takes 136 years to this: no copy of the table is further behind, but where
   * somebody made epochs up since.
   */
  private static final long MOST_BEHIND = 1L << 32;

  /** Nobody comes so far, by made-up epochs either: it would take as many elections as steps. */
  private static final long MOST = 1L << 62;

  public LeaderEpoch {
    if (value < 0) {
      throw new IllegalArgumentException("leader epoch " + value);
    }
  }

  /**
   * Whether a datanode may have heard of an epoch while the table says that this is the highest: a
   * table that was restored from a copy is behind by the elections since then, and by no more.
   */
  public boolean allowsHeard(long heard) {
    return heard >= 0 && heard < MOST && heard - value <= MOST_BEHIND;
  }

  /**
   * The one of the next term, above what datanodes have heard of, too.
   *
   * @throws StoreException INVALID_ARGUMENT if no datanode can have heard of that; whoever took it
   *     for true would raise the epoch to where none is left for those who lead later
   */
  public LeaderEpoch next(long heard) throws StoreException {
    long highest = Math.max(value, heard);
    if (!allowsHeard(heard) || highest >= MOST) {
      throw new StoreException(
          ErrorCode.INVALID_ARGUMENT,
          "Cannot begin a term after "
              + this
              + ": nobody can have heard of leader epoch "
              + Long.toUnsignedString(heard));
    }
    return new LeaderEpoch(highest + 1);
  }

  @Override
  public int compareTo(LeaderEpoch other) {
    return Long.compare(value, other.value);
  }

  @Override
  public String toString() {
    return "leader epoch " + value;
  }
}
