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
package io.stowage.scm.cluster;

import static org.junit.jupiter.api.Assertions.assertEquals;

import io.stowage.common.time.ManualClock;
import java.time.Duration;
import java.util.List;
import org.junit.jupiter.api.Test;

class ClusterClockTest {
  private static final long NOW = 1_700_000_000_000_000L;
  private static final Duration BOUND = Duration.ofSeconds(10);
  private static final Duration SILENCE = Duration.ofSeconds(30);
  private static final Duration HOUR = Duration.ofHours(1);

  private final ManualClock truth = new ManualClock(NOW);
  private final ManualClock machine = new ManualClock(NOW);
  private final ClusterClock clock = new ClusterClock(machine, BOUND, SILENCE);

  private static long micros(Duration time) {
    return time.toNanos() / 1_000;
  }

  private void step(ManualClock which, Duration by) {
    which.setWallMicros(which.wallMicros() + micros(by));
  }

  /** A heartbeat of each node, by its own clock, and a look at what they say. */
  private void hear(Duration... off) {
    for (int node = 0; node < off.length; node++) {
      clock.heard("node " + node, truth.wallMicros() + micros(off[node]));
    }
    clock.look();
  }

  private void hearFive() {
    hear(Duration.ZERO, Duration.ZERO, Duration.ZERO, Duration.ZERO, Duration.ZERO);
  }

  private void pass(Duration time) {
    truth.advance(time);
    machine.advance(time);
  }

  private void assertTrueTime() {
    assertEquals(truth.wallMicros(), clock.wallMicros());
  }

  @Test
  void itIsTheMachinesClockWhileNobodySaysOtherwise() {
    step(machine, HOUR);
    assertEquals(NOW + micros(HOUR), clock.wallMicros());
    clock.heard("old", 0);
    hear(Duration.ZERO, Duration.ZERO);
    assertEquals(NOW + micros(HOUR), clock.wallMicros(), "two outvote nobody");
  }

  @Test
  void aStepOfTheMachineTakesNoEffectEvenBeforeTheNextLook() {
    for (Duration off : new Duration[] {HOUR, HOUR.negated(), Duration.ofSeconds(11)}) {
      hearFive();
      step(machine, off);
      assertTrueTime();
      for (int i = 0; i < 100; i++) {
        pass(Duration.ofSeconds(1));
        assertTrueTime();
        hearFive();
        assertTrueTime();
      }
      step(machine, off.negated());
      assertTrueTime();
    }
  }

  @Test
  void aDifferenceWithinTheBoundIsTheMachinesToHave() {
    hearFive();
    step(machine, Duration.ofSeconds(9));
    hearFive();
    assertEquals(machine.wallMicros(), clock.wallMicros());
    // Two such steps are one too many.
    step(machine, Duration.ofSeconds(9));
    assertTrueTime();
  }

  @Test
  void aMinorityOfDatanodesIsOutvoted() {
    hearFive();
    hear(HOUR, HOUR, Duration.ZERO, Duration.ZERO, Duration.ZERO);
    assertTrueTime();
    step(machine, HOUR); // with which that minority agrees
    hear(HOUR, HOUR, Duration.ZERO, Duration.ZERO, Duration.ZERO);
    assertTrueTime();
  }

  @Test
  void aMachineThatIsWrongFromTheStartIsPutRightByTheFirstHeartbeats() {
    step(machine, HOUR);
    hearFive();
    assertTrueTime();
  }

  @Test
  void aClusterThatSleptInOneMachineWakesUpTogether() {
    hearFive();
    step(machine, HOUR);
    step(truth, HOUR);
    hearFive();
    assertTrueTime();
  }

  @Test
  void heartbeatsThatWaitedInSocketsChangeNothing() {
    hearFive();
    Duration old = Duration.ofMinutes(-1);
    hear(old, old, old, old, old);
    assertTrueTime();
    pass(Duration.ofSeconds(1));
    hearFive();
    assertTrueTime();
  }

  @Test
  void whatAllDatanodesSayForLongIsSo() {
    hearFive();
    for (int i = 0; i <= SILENCE.toSeconds() + 1; i++) {
      hear(HOUR, HOUR, HOUR, HOUR, HOUR);
      pass(Duration.ofSeconds(1));
    }
    hear(HOUR, HOUR, HOUR, HOUR, HOUR);
    assertEquals(truth.wallMicros() + micros(HOUR), clock.wallMicros());
  }

  @Test
  void timeGoesOnWhileNobodyIsHeard() {
    hearFive();
    step(machine, HOUR);
    pass(SILENCE.plusSeconds(1));
    clock.look();
    pass(Duration.ofDays(1));
    assertTrueTime();
  }

  @Test
  void whoIsHeardFirstNeedsNoLook() {
    step(machine, HOUR);
    for (String node : List.of("a", "b")) {
      clock.heard(node, truth.wallMicros());
      assertEquals(machine.wallMicros(), clock.wallMicros());
    }
    clock.heard("c", truth.wallMicros());
    assertTrueTime();
  }

  @Test
  void beingAwayBeforeASilenceCountsForNothing() {
    hearFive();
    hear(HOUR, HOUR, HOUR, HOUR, HOUR);
    assertTrueTime();
    pass(SILENCE.plusSeconds(1));
    clock.look(); // nobody is left to say it
    hear(HOUR, HOUR, HOUR, HOUR, HOUR);
    assertTrueTime();
    pass(Duration.ofSeconds(1));
    hearFive();
    assertTrueTime();
  }
}
