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

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.stowage.common.time.ManualClock;
import java.time.Duration;
import org.junit.jupiter.api.Test;

class RateLimitTest {
  private final ManualClock clock = new ManualClock(1);

  @Test
  void bytesArePaidForByTime() {
    RateLimit limit = new RateLimit(1_000_000, clock);
    assertEquals(0, limit.take(1_000_000, Long.MAX_VALUE), "the first may go at once");
    long wait = limit.take(1_000_000, Long.MAX_VALUE);
    assertTrue(wait >= 890_000_000L && wait <= 1_000_000_000L, wait + " ns");
    assertEquals(-1, limit.take(1, wait), "longer than the caller would wait");
    clock.advance(Duration.ofSeconds(10));
    assertEquals(0, limit.take(2_000_000, 0));
    long after = limit.take(1, Long.MAX_VALUE);
    assertTrue(after >= 1_890_000_000L, "ten idle seconds save up no more than a burst: " + after);
  }

  @Test
  void noLimitNeverWaits() {
    RateLimit limit = new RateLimit(0, clock);
    for (int i = 0; i < 10; i++) {
      assertEquals(0, limit.take(1L << 40, 0));
    }
  }
}
