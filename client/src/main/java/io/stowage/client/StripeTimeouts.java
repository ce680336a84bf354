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

import io.stowage.common.time.StoreClock;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.LongAdder;

/**
 * Watches stripes in flight and gives up those that take too long. Thread-safe; {@link #check} is
 * called by the data path's timer.
 *
 * <p>How long is too long adapts as a TCP sender's timer does: smoothed time plus eight mean
 * deviations, between {@value #LEAST_MILLIS} and {@value #MOST_MILLIS} ms. A big stripe gets the
 * time that its bytes and those in front of it need on a slow disk on top, and a stripe of which no
 * shard has acknowledged anything is not a slow node's fault but everybody's (a paused process, a
 * disk that all shards share): it is given up only after {@value #STALLED_MILLIS} ms, since writing
 * the same bytes again would only make the jam worse.
 */
final class StripeTimeouts {
  static final long LEAST_MILLIS = 200;
  static final long MOST_MILLIS = 500;
  static final long STALLED_MILLIS = 5_000;

  /** What a disk that is still worth waiting for writes in a millisecond, shared by all writers. */
  private static final long SLOW_DISK_BYTES_PER_MILLI = 40_000;

  private static final long NANOS_PER_MILLI = 1_000_000;

  private final StoreClock clock;
  private final Set<StripeWrite> inFlight = ConcurrentHashMap.newKeySet();
  private final LongAdder bytesInFlight = new LongAdder();

  private final SmoothedTime smoothed = new SmoothedTime(50, 50);

  StripeTimeouts(StoreClock clock) {
    this.clock = clock;
  }

  void started(StripeWrite stripe) {
    bytesInFlight.add(stripe.bytes());
    long millis = smoothed.patienceMillis(LEAST_MILLIS, MOST_MILLIS);
    stripe.startedAt(
        clock.monotonicNanos(), millis + bytesInFlight.sum() / SLOW_DISK_BYTES_PER_MILLI);
    inFlight.add(stripe);
  }

  void ended(StripeWrite stripe, boolean acknowledged) {
    if (!inFlight.remove(stripe)) {
      return;
    }
    bytesInFlight.add(-stripe.bytes());
    if (acknowledged) {
      smoothed.add(clock.monotonicNanos() - stripe.startNanos());
    }
  }

  void check() {
    long now = clock.monotonicNanos();
    for (StripeWrite stripe : inFlight) {
      long ageMillis = (now - stripe.startNanos()) / NANOS_PER_MILLI;
      if (ageMillis > stripe.timeoutMillis()
          && (stripe.hasAnyAcknowledgement() || ageMillis > STALLED_MILLIS)) {
        stripe.giveUp(ageMillis);
      }
    }
  }
}
