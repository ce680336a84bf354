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

/**
 * Follows a quantile of how long something takes without keeping samples: one above the estimate
 * raises it by a step, one below lowers it by a smaller step, so that it rests where the shares of
 * both balance (Ma, Muthukrishnan, Sandler: "Frugal Streaming", with steps relative to the
 * estimate). Thread-safe without a lock: two samples at once may lose one.
 */
final class LatencyQuantile {
  /** A tenth of the estimate a sample: ten times slower is followed within 25 slow samples. */
  private static final double STEP = 0.1;

  private static final long LEAST_NANOS = 1_000;

  private final double quantile;
  private volatile long nanos;

  LatencyQuantile(double quantile, long firstMillis) {
    this.quantile = quantile;
    this.nanos = firstMillis * 1_000_000;
  }

  void add(long sampleNanos) {
    long now = nanos;
    double step = sampleNanos > now ? STEP * quantile : -STEP * (1 - quantile);
    nanos = Math.max(LEAST_NANOS, (long) (now * (1 + step)));
  }

  long nanos() {
    return nanos;
  }
}
