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
package io.stowage.om.row;

import io.stowage.common.error.ErrorCode;
import io.stowage.common.error.StoreException;
import io.stowage.common.time.StoreClock;
import java.time.Duration;
import java.util.concurrent.atomic.AtomicLong;

/**
 * A hybrid logical clock: stamps are microseconds since 1970, but always above the stamp of the
 * cell that is compared, whatever the clocks of other object managers say. Thread-safe.
 */
public final class Stamps {
  private final StoreClock clock;
  private final long boundMicros;
  private final AtomicLong collected = new AtomicLong();

  public Stamps(StoreClock clock, Duration bound) {
    this.clock = clock;
    this.boundMicros = bound.toNanos() / 1_000;
  }

  /** The stamp of a mutation that compares with one of this stamp; 0: with nothing. */
  public long above(long compared) throws StoreException {
    long now = clock.wallMicros();
    refuseAhead(compared, now);
    if (now <= collected.get()) {
      throw new StoreException(
          ErrorCode.CLOCK_SKEW,
          "Cannot serve: this clock is "
              + (collected.get() - now) / 1_000
              + " ms behind what collectors have cleared; a new head would be hidden by their"
              + " deletions");
    }
    return Math.max(compared + 1, now);
  }

  /**
   * Refuses to serve beyond the skew bound: stamps that run far ahead of real time would let
   * deadlines, which are counted from them, mean nothing.
   */
  public void refuseAhead(long theirs, long now) throws StoreException {
    if (theirs - now > boundMicros) {
      throw new StoreException(
          ErrorCode.CLOCK_SKEW,
          "Cannot serve: another service's clock is "
              + (theirs - now) / 1_000
              + " ms ahead of this one's, more than the bound of "
              + boundMicros / 1_000
              + " ms");
    }
  }

  /**
   * Takes note that heads with lower stamps may have been collected: from now on a stamp below is
   * refused, since HBase would acknowledge a head with it and never show it.
   */
  public void learnCollected(long micros) {
    collected.accumulateAndGet(micros, Math::max);
  }

  public long now() {
    return clock.wallMicros();
  }
}
