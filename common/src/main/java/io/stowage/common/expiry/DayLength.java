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
package io.stowage.common.expiry;

/**
 * How long a day is. A real one ends at midnight UTC, and what is due within it is due at its end,
 * as in S3. A shorter one, for tests, has no midnight: what is due after two days is due when twice
 * its length has passed. Immutable.
 */
public record DayLength(long seconds) {
  public static final DayLength REAL = new DayLength(86_400);

  private static final long MICROS = 1_000_000;

  public DayLength {
    if (seconds < 1) {
      throw new IllegalArgumentException("a day has at least a second, not " + seconds);
    }
  }

  /** When so many days after a moment are over. */
  public long after(long micros, long days) {
    long day = seconds * MICROS;
    long due = micros + days * day;
    return equals(REAL) ? (due + day - 1) / day * day : due;
  }

  public boolean isReal() {
    return equals(REAL);
  }
}
