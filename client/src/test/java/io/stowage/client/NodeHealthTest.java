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

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.stowage.common.time.ManualClock;
import java.time.Duration;
import java.util.List;
import java.util.Set;
import org.junit.jupiter.api.Test;

/** Whom a reader waits for and whom a writer avoids, on a clock that the test moves. */
class NodeHealthTest {
  private static final long MILLI = 1_000_000;

  private final ManualClock clock = new ManualClock(1_700_000_000_000_000L);
  private final NodeHealth health = new NodeHealth(clock);

  private void answered(String node, int times, long millis) {
    for (int i = 0; i < times; i++) {
      health.asked(node);
      health.answered(node, millis * MILLI, 4_096);
    }
  }

  private long patienceMillis(String node) {
    return health.patienceNanos(node, 0) / MILLI;
  }

  @Test
  void patienceFollowsWhatTheNodeUsuallyTakes() {
    answered("fast", 1_000, 1);
    answered("busy", 1_000, 15);
    answered("fast", 1_000, 1);
    assertEquals(20, patienceMillis("fast"), "garbage collections are shorter");
    assertTrue(patienceMillis("busy") <= 45, patienceMillis("busy") + " ms");
    answered("fast", 100, 12);
    answered("busy", 100, 12);
    assertTrue(patienceMillis("busy") > 30, patienceMillis("busy") + " ms");
  }

  @Test
  void whereEverythingIsSlowNobodyIsLate() {
    for (int i = 0; i < 300; i++) {
      answered("a", 1, 200);
      answered("b", 1, 200);
    }
    assertTrue(patienceMillis("a") >= 500, patienceMillis("a") + " ms");
    assertTrue(patienceMillis("a") <= 1_000, "but there is an end");
  }

  @Test
  void aNodeThatIsAlwaysSlowIsLateByComparison() {
    for (int i = 0; i < 300; i++) {
      answered("slow", 1, 300);
      answered("a", 5, 1);
    }
    assertTrue(patienceMillis("slow") < 100, patienceMillis("slow") + " ms");
  }

  @Test
  void largeReadsMayTakeLonger() {
    assertEquals(
        100, (health.patienceNanos("a", 4_000_000) - health.patienceNanos("a", 0)) / MILLI);
  }

  @Test
  void lateAnswersInARowMakeASuspectAndTimelyOnesClearIt() {
    answered("a", 100, 1);
    health.late("a");
    health.late("a");
    answered("a", 1, 1);
    health.late("a");
    health.late("a");
    assertFalse(health.isSuspect("a"), "a timely answer came between");
    health.late("a");
    assertTrue(health.isSuspect("a"));
    assertEquals(Set.of("a"), health.toAvoid());
    answered("a", 2, 1);
    answered("a", 1, 5_000); // of the time when it was stopped
    answered("a", 2, 1);
    assertTrue(health.isSuspect("a"));
    answered("a", 1, 1);
    assertFalse(health.isSuspect("a"));
    assertEquals(Set.of(), health.toAvoid());
  }

  @Test
  void aSilentNodeIsASuspectAndABusyOneIsNot() {
    health.asked("stopped");
    health.asked("busy");
    health.asked("busy");
    clock.advance(Duration.ofMillis(400));
    health.answered("busy", 400 * MILLI, 4_096);
    assertFalse(health.isSuspect("stopped"));
    clock.advance(Duration.ofMillis(200));
    assertTrue(health.isSuspect("stopped"));
    assertFalse(health.isSuspect("busy"), "it answered something");
    clock.advance(Duration.ofMillis(400));
    assertTrue(health.isSuspect("busy"));
  }

  @Test
  void aNodeThatWasAskedNothingIsNotSilent() {
    answered("idle", 1, 1);
    clock.advance(Duration.ofMinutes(1));
    assertFalse(health.isSuspect("idle"));
    health.asked("idle");
    assertFalse(health.isSuspect("idle"));
  }

  @Test
  void oneReadAtATimeProbesASuspect() {
    for (int i = 0; i < NodeHealth.LATE_TO_SUSPECT; i++) {
      health.late("a");
    }
    assertFalse(health.takeProbe("a"), "it was late only now");
    clock.advance(Duration.ofMillis(500));
    assertTrue(health.takeProbe("a"));
    assertFalse(health.takeProbe("a"));
    clock.advance(Duration.ofMillis(500));
    assertTrue(health.takeProbe("a"));
  }

  @Test
  void writersAvoidANodeForAWhile() {
    health.troubled(List.of("a"));
    assertTrue(health.isSuspect("a"), "readers need not find out themselves");
    answered("a", NodeHealth.TIMELY_TO_CLEAR, 1);
    assertFalse(health.isSuspect("a"));
    assertEquals(Set.of("a"), health.toAvoid(), "reading is not writing");
    clock.advance(Duration.ofSeconds(10));
    assertEquals(Set.of(), health.toAvoid());
  }
}
