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

import java.time.Duration;
import java.util.concurrent.atomic.AtomicLong;

/** A clock that tests move. Thread-safe. */
public final class ManualClock implements StoreClock {
  private final AtomicLong wallMicros;
  private final AtomicLong monotonicNanos = new AtomicLong();

  public ManualClock(long wallMicros) {
    this.wallMicros = new AtomicLong(wallMicros);
  }

  /** Moves both clocks on. */
  public void advance(Duration by) {
    wallMicros.addAndGet(by.toNanos() / 1_000);
    monotonicNanos.addAndGet(by.toNanos());
  }

  /** Sets the wall clock alone, as an operator or NTP does. */
  public void setWallMicros(long micros) {
    wallMicros.set(micros);
  }

  @Override
  public long wallMicros() {
    return wallMicros.get();
  }

  @Override
  public long monotonicNanos() {
    return monotonicNanos.get();
  }
}
