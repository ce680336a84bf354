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
package io.stowage.common.time;

import io.stowage.common.error.OutcomeUnknownException;
import java.time.Duration;
import java.util.concurrent.ThreadLocalRandom;

/** Waiting between attempts; replaced by tests. */
@FunctionalInterface
public interface Pause {
  Pause REAL = duration -> Thread.sleep(duration.toMillis(), duration.toNanosPart() % 1_000_000);

  void forDuration(Duration duration) throws InterruptedException;

  /** Waits a random time that grows with the attempts made, so that rivals part. */
  default void backOff(int attempt) throws OutcomeUnknownException {
    long mostMicros = Math.min(50_000L, 200L << Math.min(attempt, 10));
    during(Duration.ofNanos(1_000 * ThreadLocalRandom.current().nextLong(mostMicros)));
  }

  default void during(Duration duration) throws OutcomeUnknownException {
    try {
      forDuration(duration);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new OutcomeUnknownException("Cannot go on: interrupted while waiting", e);
    }
  }
}
