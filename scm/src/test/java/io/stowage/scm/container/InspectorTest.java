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
package io.stowage.scm.container;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotSame;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.stowage.common.error.StoreException;
import io.stowage.common.time.ManualClock;
import io.stowage.scm.Await;
import io.stowage.scm.cluster.ClusterMap;
import io.stowage.scm.cluster.FailureDomains;
import io.stowage.scm.cluster.RackResolver;
import java.time.Duration;
import java.util.concurrent.CountDownLatch;
import java.util.random.RandomGenerator;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

class InspectorTest {
  private final ManualClock clock = new ManualClock(1_700_000_000_000_000L);
  private Duration lookTakes = Duration.ZERO;
  private Runnable whileLooking = () -> {};

  /** Each look asks for a seed. */
  private final RandomGenerator random =
      () -> {
        clock.advance(lookTakes);
        whileLooking.run();
        return 0;
      };

  private final Inspector inspector;

  InspectorTest() throws StoreException {
    ContainerMap map = new ContainerMap();
    ClusterMap cluster =
        new ClusterMap(
            clock,
            host -> RackResolver.DEFAULT_RACK,
            FailureDomains.parse("host"),
            Duration.ofSeconds(30),
            0,
            null);
    inspector =
        new Inspector(
            map, new ShardInventory(map, cluster), cluster, Duration.ofDays(1), clock, random);
  }

  private boolean looks() {
    PlaceCheck before = inspector.places();
    inspector.lookAtPlaces();
    return inspector.places() != before;
  }

  @Test
  @Timeout(value = 20, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
  void nobodyWaitsForALookAtPlaces() throws Exception {
    Thread asker = Thread.currentThread();
    CountDownLatch looking = new CountDownLatch(1);
    CountDownLatch end = new CountDownLatch(1);
    whileLooking =
        () -> {
          assertNotSame(asker, Thread.currentThread(), "whoever asks looks");
          looking.countDown();
          Await.uninterruptibly(end);
        };
    PlaceCheck before = inspector.places();
    assertEquals(0, before.misplacedCount());
    Thread looker = new Thread(inspector::lookAtPlaces);
    looker.start();
    try {
      looking.await();
      inspector.refresh();
      assertSame(before, inspector.places());
    } finally {
      end.countDown();
      looker.join();
    }
    assertNotSame(before, inspector.places());
  }

  @Test
  void placesAreLookedAtOnceAMinuteOrWhenAnOperatorWaits() {
    assertTrue(looks());
    assertFalse(looks());
    clock.advance(Duration.ofSeconds(59));
    assertFalse(looks());
    inspector.refresh();
    assertTrue(looks());
    assertFalse(looks());
    clock.advance(Duration.ofMinutes(1));
    assertTrue(looks());
  }

  @Test
  void aLookThatFailsIsNotMadeAgainAtEveryTick() {
    lookTakes = Duration.ofSeconds(12);
    whileLooking =
        () -> {
          throw new IllegalStateException("a bug");
        };
    assertThrows(IllegalStateException.class, inspector::lookAtPlaces);
    whileLooking = () -> {};
    clock.advance(Duration.ofSeconds(119));
    assertFalse(looks());
    clock.advance(Duration.ofSeconds(1));
    assertTrue(looks());
  }

  @Test
  void aLookThatFailsAtOnceIsMadeAgainAfterAMinute() {
    lookTakes = Duration.ZERO;
    whileLooking =
        () -> {
          throw new IllegalStateException("a bug");
        };
    assertThrows(IllegalStateException.class, inspector::lookAtPlaces);
    whileLooking = () -> {};
    clock.advance(Duration.ofSeconds(59));
    assertFalse(looks());
    clock.advance(Duration.ofSeconds(1));
    assertTrue(looks());
  }

  @Test
  void looksAtPlacesTakeATenthOfACoreHoweverOftenOperatorsAsk() {
    lookTakes = Duration.ofSeconds(12);
    assertTrue(looks());
    clock.advance(Duration.ofSeconds(119));
    inspector.refresh();
    assertFalse(looks());
    clock.advance(Duration.ofSeconds(1));
    assertTrue(looks());
    lookTakes = Duration.ofSeconds(1);
    clock.advance(Duration.ofMinutes(2));
    whileLooking = inspector::refresh; // it may have come too late for this look
    assertTrue(looks());
    clock.advance(Duration.ofSeconds(9));
    assertFalse(looks());
    clock.advance(Duration.ofSeconds(1));
    assertTrue(looks());
  }
}
