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
package io.stowage.scm;

import static org.junit.jupiter.api.Assertions.assertEquals;

import io.stowage.common.error.StoreException;
import io.stowage.common.proto.ClusterStatusRequest;
import io.stowage.common.time.ManualClock;
import java.time.Duration;
import org.junit.jupiter.api.Test;

/** What a standby sees of the table while its machine's clock is wrong, and nobody tells it so. */
class FollowTest {
  private static final Duration HOUR = Duration.ofHours(1);

  private ScmHarness h;
  private ManualClock machine;
  private StorageContainerManager standby;

  private void start(Duration off) throws StoreException {
    h = new ScmHarness(5, null);
    machine = new ManualClock(h.clock.wallMicros() + off.toNanos() / 1_000);
    standby = h.newScm(machine);
  }

  private void passAndFollow(Duration time) throws StoreException {
    for (long seconds = 0; seconds < time.toSeconds(); seconds += 10) {
      h.pass(Duration.ofSeconds(10));
      machine.advance(Duration.ofSeconds(10));
      standby.follow();
    }
  }

  private void assertKnows(int containers) {
    assertEquals(
        containers,
        standby.clusterStatus(ClusterStatusRequest.getDefaultInstance()).getOpenContainers());
  }

  @Test
  void whatWasWrittenWhileItWasAheadIsSeenOnceItIsRight() throws Exception {
    start(HOUR);
    h.lease();
    h.lease();
    passAndFollow(Duration.ofMinutes(10));
    assertKnows(0); // by its clock they are an hour old, and it looked then
    machine.setWallMicros(h.clock.wallMicros());
    standby.follow();
    assertKnows(2);
    for (int i = 0; i < 3; i++) {
      h.lease(); // two of them of what is there
    }
    passAndFollow(Duration.ofSeconds(10));
    assertKnows(3);
  }

  @Test
  void whatWasWrittenBeforeItWasSetAheadIsSeen() throws Exception {
    start(Duration.ZERO);
    passAndFollow(Duration.ofMinutes(5));
    h.lease();
    machine.setWallMicros(machine.wallMicros() + HOUR.toNanos() / 1_000);
    standby.follow();
    assertKnows(1);
  }

  @Test
  void aClockThatIsBehindHidesNothing() throws Exception {
    start(HOUR.negated());
    for (int i = 1; i <= 3; i++) {
      h.lease();
      passAndFollow(Duration.ofSeconds(10));
      assertKnows(i);
    }
    machine.setWallMicros(h.clock.wallMicros());
    h.lease();
    standby.follow();
    assertKnows(4);
  }
}
