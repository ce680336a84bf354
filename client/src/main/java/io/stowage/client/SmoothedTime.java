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
 * Mean and mean deviation of how long something takes, smoothed as by a TCP sender (Jacobson,
 * 1988). Thread-safe without a lock: two samples at once may lose one, which is no loss to an
 * average.
 */
final class SmoothedTime {
  private volatile long meanNanos;
  private volatile long deviationNanos;

  SmoothedTime(long meanMillis, long deviationMillis) {
    meanNanos = meanMillis * 1_000_000;
    deviationNanos = deviationMillis * 1_000_000;
  }

  void add(long nanos) {
    long error = nanos - meanNanos;
    long deviation = deviationNanos;
    meanNanos = nanos - error + error / 8;
    deviationNanos = deviation + (Math.abs(error) - deviation) / 4;
  }

  long meanMillis() {
    return meanNanos / 1_000_000;
  }

  /** What all but a few stay below: three means and eight deviations, within bounds. */
  long patienceMillis(long leastMillis, long mostMillis) {
    long millis = (3 * meanNanos + 8 * deviationNanos) / 1_000_000;
    return Math.max(leastMillis, Math.min(mostMillis, millis));
  }
}
