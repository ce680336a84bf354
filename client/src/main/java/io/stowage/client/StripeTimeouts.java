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
 * Watches stripes in flight: counts them and gives up those that take too long. Thread-safe; {@link
 * #check} is called by the data path's timer.
 *
 * <p>How long is too long adapts as a TCP sender's timer does: three smoothed means and eight mean
 * deviations, between {@value #LEAST_MILLIS} and {@value #MOST_MILLIS} ms. Where giving up would
 * only make a jam worse, it waits longer:
 *
 * <ul>
 *   <li>A big stripe gets the time that its bytes and those in front of it need on a slow disk on
 *       top.
 *   <li>Where all stripes are slow, the bound is {@value #MEANS} times their mean: a shard is late
 *       by comparison with the others, not by the clock. Given-up stripes count in the mean, so
 *       that a system that became slow is not given up for long.
 *   <li>A stripe of which no shard has acknowledged anything waits {@value #STALLED_MILLIS} ms:
 *       that is no slow node but a paused process or a disk that all shards share.
 *   <li>A timer that was itself held up skips a turn: the answers are there and have not been read.
 * </ul>
 */
final class StripeTimeouts {
  static final long LEAST_MILLIS = 200;
  static final long MOST_MILLIS = 500;
  static final long MEANS = 6;
  static final long STALLED_MILLIS = 5_000;

  /** How often {@link #check} is called. */
  static final long CHECK_MILLIS = 20;

  /** What a disk that is still worth waiting for writes in a millisecond, shared by all writers. */
  private static final long SLOW_DISK_BYTES_PER_MILLI = 40_000;

  private static final long NANOS_PER_MILLI = 1_000_000;

  private final StoreClock clock;
  private final Set<StripeWrite> inFlight = ConcurrentHashMap.newKeySet();
  private final LongAdder bytesInFlight = new LongAdder();
  private final LongAdder stripes = new LongAdder();
  private final LongAdder dataCells = new LongAdder();
  private final LongAdder cellBytes = new LongAdder();
  private final LongAdder failed = new LongAdder();

  private final SmoothedTime smoothed = new SmoothedTime(50, 50);

  private long lastCheckNanos; // of the timer's thread

  StripeTimeouts(StoreClock clock) {
    this.clock = clock;
    lastCheckNanos = clock.monotonicNanos();
  }

  void started(StripeWrite stripe) {
    bytesInFlight.add(stripe.bytes());
    stripes.increment();
    dataCells.add(stripe.width());
    cellBytes.add(stripe.bytes());
    long most = Math.max(MOST_MILLIS, MEANS * smoothed.meanMillis());
    long millis = smoothed.patienceMillis(LEAST_MILLIS, most);
    stripe.startedAt(
        clock.monotonicNanos(), millis + bytesInFlight.sum() / SLOW_DISK_BYTES_PER_MILLI);
    inFlight.add(stripe);
  }

  void ended(StripeWrite stripe) {
    if (inFlight.remove(stripe)) {
      if (stripe.hasFailed()) {
        failed.increment();
      }
      bytesInFlight.add(-stripe.bytes());
      smoothed.add(clock.monotonicNanos() - stripe.startNanos());
    }
  }

  StripeFigures figures() {
    return new StripeFigures(stripes.sum(), dataCells.sum(), cellBytes.sum(), failed.sum());
  }

  void check() {
    long now = clock.monotonicNanos();
    boolean heldUp = (now - lastCheckNanos) / NANOS_PER_MILLI > 5 * CHECK_MILLIS;
    lastCheckNanos = now;
    if (heldUp) {
      return;
    }
    for (StripeWrite stripe : inFlight) {
      long ageMillis = (now - stripe.startNanos()) / NANOS_PER_MILLI;
      if (ageMillis > stripe.timeoutMillis()
          && (stripe.hasAnyAcknowledgement() || ageMillis > STALLED_MILLIS)) {
        stripe.giveUp(ageMillis);
      }
    }
  }
}
