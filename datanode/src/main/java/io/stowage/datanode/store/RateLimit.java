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
package io.stowage.datanode.store;

import io.stowage.common.time.StoreClock;
import java.util.concurrent.TimeUnit;

/**
 * A token bucket: so many bytes a second, some of them at once. Who takes bytes is told how long to
 * wait before using them, so that nobody blocks in here. Thread-safe.
 */
public final class RateLimit {
  /** What may be taken at once after a pause. */
  private static final long BURST_NANOS = TimeUnit.MILLISECONDS.toNanos(100);

  private final long bytesPerSecond;
  private final StoreClock clock;

  /** When all bytes taken so far are paid for. */
  private long paidNanos;

  /**
   * @param bytesPerSecond 0 for no limit
   */
  public RateLimit(long bytesPerSecond, StoreClock clock) {
    this.bytesPerSecond = bytesPerSecond;
    this.clock = clock;
    this.paidNanos = clock.monotonicNanos() - BURST_NANOS;
  }

  /**
   * Takes bytes.
   *
   * @param maxWaitNanos takes none if they could be used only later than this
   * @return nanoseconds until they may be used; -1 if none were taken
   */
  public synchronized long take(long bytes, long maxWaitNanos) {
    if (bytesPerSecond == 0) {
      return 0;
    }
    long now = clock.monotonicNanos();
    paidNanos = Math.max(paidNanos, now - BURST_NANOS);
    long wait = Math.max(0, paidNanos - now);
    if (wait > maxWaitNanos) {
      return -1;
    }
    paidNanos += (long) ((double) bytes * TimeUnit.SECONDS.toNanos(1) / bytesPerSecond);
    return wait;
  }
}
