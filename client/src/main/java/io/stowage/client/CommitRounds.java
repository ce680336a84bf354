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

import java.util.ArrayDeque;
import java.util.Deque;
import java.util.HashSet;
import java.util.Iterator;
import java.util.List;
import java.util.Set;
import org.apache.hadoop.thirdparty.protobuf.ByteString;

/**
 * Who of the last stripes is being committed, and whether those that have gathered meanwhile had
 * better wait for that. A round begins when a stripe is durable and ends when the last of its
 * objects is committed. Guarded by its packer.
 *
 * <p>Behind a gateway most writers are at the name's commit, not at the packer. If the next stripe
 * goes out as soon as the last is durable, a handful gather (2.0 to 2.5 bytes on disk for each of
 * 64 clients that write 4 KiB); if it waits until the last round ends, most have come back (1.8).
 *
 * <p>Whether waiting pays is learned, not guessed: of every round it is counted how many came while
 * it lasted. Where few do (one client, two that take turns, callers that never commit) nobody
 * waits. Nor for longer than rounds usually last: one commit that hangs delays its neighbours once
 * and briefly, and no others.
 */
final class CommitRounds {
  /**
   * More rounds than stripes in flight are not of interest; each has at most a stripe's needles.
   */
  private static final int MOST_ROUNDS = Packer.STRIPES_IN_FLIGHT;

  /** Two clients that take turns have one come while the other commits, which gains nothing. */
  private static final double LEAST_COMERS = 2;

  /** So many times the usual length of a round is waited for one. */
  private static final int PATIENCE = 4;

  /** Where commits take longer, their queue is the bottleneck and packing is none. */
  static final long MOST_NANOS = 100_000_000;

  private record Round(Set<ByteString> open, long durableNanos, long arrivalsBefore) {}

  private final Deque<Round> rounds = new ArrayDeque<>();
  private long arrivals;
  private double comers; // in a round, smoothed
  private double usualNanos; // of a round, smoothed

  /** A needle has been queued. */
  void arrived() {
    arrivals++;
  }

  /** A stripe is durable; those of its needles that are to be committed make a round. */
  void begin(List<PackedNeedle> stored, long nowNanos) {
    Set<ByteString> open = new HashSet<>();
    for (PackedNeedle needle : stored) {
      if (needle.isToBeCommitted()) {
        open.add(needle.writeId());
      }
    }
    if (open.isEmpty()) {
      return;
    }
    if (rounds.size() == MOST_ROUNDS) {
      rounds.removeFirst();
      learn(0); // somebody does not commit: not worth waiting for
    }
    rounds.addLast(new Round(open, nowNanos, arrivals));
  }

  /** A commit has ended; true if the last round has ended with it. */
  boolean settled(ByteString writeId, long nowNanos) {
    for (Iterator<Round> oldestFirst = rounds.iterator(); oldestFirst.hasNext(); ) {
      Round round = oldestFirst.next();
      if (round.open.remove(writeId)) {
        if (!round.open.isEmpty()) {
          return false;
        }
        learn(arrivals - round.arrivalsBefore);
        usualNanos += (nowNanos - round.durableNanos - usualNanos) / 8;
        oldestFirst.remove();
        return !oldestFirst.hasNext();
      }
    }
    return false;
  }

  private void learn(long came) {
    comers += (came - comers) / 4;
  }

  /** Whether so many needles that have gathered should wait for the last round. */
  boolean isWorthAwaiting(int gathered, long nowNanos) {
    Round last = rounds.peekLast();
    return last != null
        && comers >= LEAST_COMERS
        && comers >= gathered / 2.0
        && nowNanos - last.durableNanos < Math.min(MOST_NANOS, PATIENCE * usualNanos);
  }
}
