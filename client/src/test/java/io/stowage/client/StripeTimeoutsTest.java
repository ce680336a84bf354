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
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.stowage.common.error.ErrorCode;
import io.stowage.common.error.StoreException;
import io.stowage.common.proto.ContainerInfo;
import io.stowage.common.proto.Lease;
import io.stowage.common.proto.ReleaseLeaseRequest;
import io.stowage.common.proto.ShardPlace;
import io.stowage.common.time.ManualClock;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ExecutionException;
import org.apache.hadoop.thirdparty.protobuf.ByteString;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/** Stripes and the lease under them, on a clock that the test moves. */
class StripeTimeoutsTest {
  private static final int ALL_OF_RS_3_2 = 0b11111;

  private final ManualClock clock = new ManualClock(1_700_000_000_000_000L);
  private final StripeTimeouts timeouts = new StripeTimeouts(clock);
  private final TwinCluster cluster = TwinCluster.inMemory(5, clock);
  private final List<ContainerLease> idle = new ArrayList<>();

  @AfterEach
  void close() {
    cluster.close();
  }

  private ContainerLease lease(Duration duration) throws StoreException {
    ContainerInfo.Builder info =
        ContainerInfo.newBuilder()
            .setId(9)
            .setPolicy("rs-3-2")
            .setCapacityBytes(1 << 20)
            .setLeaseEpoch(4);
    for (int i = 0; i < 5; i++) {
      info.addShards(ShardPlace.newBuilder().setIndex(i).setNodeId(String.valueOf(i)));
    }
    Lease granted =
        Lease.newBuilder()
            .setContainer(info)
            .setHolder(ByteString.copyFrom(new byte[16]))
            .setGrantedMicros(clock.wallMicros())
            .setExpiryMicros(clock.wallMicros() + duration.toNanos() / 1_000)
            .setCommitWindowMicros(Duration.ofMinutes(15).toNanos() / 1_000)
            .build();
    return new ContainerLease(
        granted,
        ShardPlaces.of(granted.getContainer()),
        cluster,
        clock.monotonicNanos(),
        8_192,
        timeouts,
        idle::add);
  }

  private StripeWrite stripe(ContainerLease lease) {
    StripeWrite stripe = new StripeWrite(lease, ALL_OF_RS_3_2, 5 * 4_096);
    timeouts.started(stripe);
    return stripe;
  }

  /** Moves the clock as a timer that is not held up sees it. */
  private void pass(long millis) {
    for (long passed = 0; passed < millis; passed += 20) {
      clock.advance(Duration.ofMillis(20));
      timeouts.check();
    }
  }

  private static StoreException failureOf(StripeWrite stripe) {
    ExecutionException e = assertThrows(ExecutionException.class, () -> stripe.done().get());
    return (StoreException) e.getCause();
  }

  @Test
  void isAcknowledgedByTheLastCellAndNotBefore() throws Exception {
    StripeWrite stripe = stripe(lease(Duration.ofMinutes(1)));
    for (int shard = 0; shard < 5; shard++) {
      assertFalse(stripe.done().isDone());
      stripe.answered(shard, null);
    }
    stripe.done().get();
  }

  @Test
  void aSilentShardIsGivenUpAfterHalfASecondAndSuspected() throws Exception {
    ContainerLease lease = lease(Duration.ofMinutes(1));
    ContainerLease.Run run = lease.begin(4_096, 1, clock.monotonicNanos());
    StripeWrite stripe = stripe(lease);
    for (int shard = 0; shard < 4; shard++) {
      stripe.answered(shard, null);
    }
    pass(180);
    assertFalse(stripe.done().isDone());
    pass(400);
    StoreException e = failureOf(stripe);
    assertEquals(ErrorCode.TIMEOUT, e.code());
    assertTrue(e.getMessage().contains("[4]"), e.getMessage());
    stripe.answered(4, null); // lands later: nothing comes of it
    assertTrue(stripe.done().isCompletedExceptionally());
    assertEquals(List.of(), idle, "its run is still open");
    run.close();
    assertEquals(List.of(lease), idle);
    ReleaseLeaseRequest release = lease.release();
    assertEquals(List.of("4"), release.getSuspectNodesList());
    assertEquals("LEASE_DAMAGED", release.getOutcome().name());
    assertEquals(8_192, release.getEndOffset(), "the run was not written and lay at the end");
  }

  @Test
  void aStripeThatNobodyAnsweredWaitsLonger() throws Exception {
    StripeWrite stripe = stripe(lease(Duration.ofMinutes(1)));
    pass(3_000);
    assertFalse(stripe.done().isDone());
    pass(3_000);
    assertEquals(ErrorCode.TIMEOUT, failureOf(stripe).code());
  }

  @Test
  void aTimerThatWasHeldUpGivesNothingUp() throws Exception {
    StripeWrite stripe = stripe(lease(Duration.ofMinutes(1)));
    stripe.answered(0, null);
    clock.advance(Duration.ofSeconds(20));
    timeouts.check();
    assertFalse(stripe.done().isDone(), "the answers are waiting to be read");
    for (int shard = 1; shard < 5; shard++) {
      stripe.answered(shard, null);
    }
    stripe.done().get();
  }

  @Test
  void whereEverythingIsSlowTheBoundIsRelative() throws Exception {
    ContainerLease lease = lease(Duration.ofMinutes(1));
    for (int i = 0; i < 30; i++) {
      StripeWrite slow = stripe(lease);
      slow.answered(0, null);
      pass(400);
      for (int shard = 1; shard < 5; shard++) {
        slow.answered(shard, null);
      }
    }
    StripeWrite stripe = stripe(lease);
    stripe.answered(0, null);
    pass(600);
    assertFalse(stripe.done().isDone());
    pass(3_000);
    assertTrue(stripe.done().isDone());
  }

  @Test
  void aLapsedLeaseBeginsNoRun() throws Exception {
    ContainerLease lease = lease(Duration.ofSeconds(8));
    clock.advance(Duration.ofSeconds(6));
    assertTrue(lease.wantsRenewal(clock.monotonicNanos()));
    assertEquals(
        8_192, lease.begin(4_096, 1, clock.monotonicNanos()).offset(), "before the margin");
    clock.advance(Duration.ofMillis(1_001));
    assertEquals(null, lease.begin(4_096, 1, clock.monotonicNanos()));
  }

  @Test
  void addressesAreHandedOutOnceAndInOrder() throws Exception {
    ContainerLease lease = lease(Duration.ofMinutes(1));
    long now = clock.monotonicNanos();
    ContainerLease.Run first = lease.begin(8_192, 3, now);
    ContainerLease.Run second = lease.begin(4_096, 1, now);
    assertEquals(8_192, first.offset());
    assertEquals(8_192 + 3 * 8_192, second.offset());
    assertFalse(first.grow(1, now), "somebody came behind it");
    first.trim();
    ContainerLease.Run third = lease.begin(4_096, 1, now);
    assertEquals(second.offset() + 4_096, third.offset(), "what lies between is never reused");
    third.trim();
    assertEquals(third.offset(), lease.begin(4_096, 1, now).offset(), "an unused end is");
  }

  @Test
  void aFullLeaseIsHandedBackWhenItsLastRunIsClosed() throws Exception {
    ContainerLease lease = lease(Duration.ofMinutes(1));
    long now = clock.monotonicNanos();
    ContainerLease.Run all = lease.begin(4_096, 1_000, now);
    assertEquals((1 << 20) / 4_096 - 2, all.stripesLeft());
    assertEquals(null, lease.begin(4_096, 1, now));
    assertEquals(List.of(), idle);
    all.close();
    assertEquals(List.of(lease), idle);
    assertEquals("LEASE_FULL", lease.release().getOutcome().name());
  }

  @Test
  void aLostLeaseIsNotReleased() throws Exception {
    ContainerLease lease = lease(Duration.ofMinutes(1));
    ContainerLease.Run run = lease.begin(4_096, 1, clock.monotonicNanos());
    lease.lose();
    assertEquals(null, lease.begin(4_096, 1, clock.monotonicNanos()));
    run.close();
    assertEquals(List.of(lease), idle);
    assertEquals(null, lease.release());
  }
}
