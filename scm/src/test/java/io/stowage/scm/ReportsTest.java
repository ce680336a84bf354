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
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.stowage.common.error.ErrorCode;
import io.stowage.common.error.StoreException;
import io.stowage.common.proto.ContainerState;
import io.stowage.common.proto.DatanodeState;
import io.stowage.common.proto.HeartbeatReply;
import io.stowage.common.proto.HeartbeatRequest;
import io.stowage.common.proto.Lease;
import io.stowage.common.proto.LeaseOutcome;
import io.stowage.common.proto.ListDatanodesRequest;
import io.stowage.common.proto.RegisterDatanodeRequest;
import io.stowage.common.proto.ShardPlace;
import io.stowage.common.proto.ShardReport;
import io.stowage.common.proto.TokenKeys;
import io.stowage.common.secret.SecretSeal;
import io.stowage.scm.container.LeaderEpoch;
import io.stowage.scm.container.TokenKeyRolls;
import java.time.Duration;
import org.junit.jupiter.api.Test;

class ReportsTest {
  private static Lease sealed(ScmHarness h) throws StoreException {
    Lease lease = h.written(8192);
    h.release(lease, LeaseOutcome.LEASE_FULL, 8192);
    h.heartbeats();
    h.heartbeats();
    return lease;
  }

  @Test
  void refusesADatanodeOfAnotherCluster() throws Exception {
    ScmHarness h = new ScmHarness(1, null);
    StoreException e =
        assertThrows(
            StoreException.class,
            () ->
                h.scm.register(
                    RegisterDatanodeRequest.newBuilder()
                        .setNodeId("n")
                        .setHost("h")
                        .setClusterId("another")
                        .build()));
    assertEquals(ErrorCode.WRONG_CLUSTER, e.code());
  }

  /** What a node is told that says which keys it has; 0: none. */
  private static HeartbeatReply told(ScmHarness h, String node, long version)
      throws StoreException {
    return h.scm.heartbeat(
        HeartbeatRequest.newBuilder().setNodeId(node).setTokenKeysVersion(version).build());
  }

  @Test
  void aNodeIsToldEachNewKeyOfTokensOnceItIsRegistered() throws Exception {
    ScmHarness h = new ScmHarness(1, null);
    String node = h.nodes.get(0).nodeId();
    Duration day = Duration.ofHours(24);
    h.scm.secured(
        new TokenKeyRolls.Settings(day, Duration.ofHours(10), Duration.ofMinutes(2)),
        SecretSeal.NONE);
    assertFalse(told(h, node, 0).hasTokenKeys(), "there are none yet");
    h.scm.rollTokenKeys();
    assertEquals(1, told(h, node, 0).getTokenKeys().getKeysCount());
    assertFalse(told(h, node, 1).hasTokenKeys(), "it has them");
    h.clock.advance(day);
    h.scm.rollTokenKeys();
    TokenKeys both = told(h, node, 1).getTokenKeys();
    assertEquals(2, both.getVersion());
    assertEquals(2, both.getKeysCount());
    HeartbeatReply toNobody = told(h, "who is that", 0);
    assertTrue(toNobody.getRegister());
    assertFalse(toNobody.hasTokenKeys());
  }

  @Test
  void countsShardsThatAreMissing() throws Exception {
    ScmHarness h = new ScmHarness(5, null);
    Lease lease = sealed(h);
    long id = lease.getContainer().getId();
    assertEquals(0, h.status().getEndangeredContainers());
    for (int i = 0; i < 3; i++) {
      FakeDatanode node = h.node(lease.getContainer().getShards(i));
      node.lose(id, i);
      node.restart();
      h.heartbeats();
      h.heartbeats();
      assertEquals(1, h.status().getEndangeredContainers());
      assertEquals(i < 2 ? 0 : 1, h.status().getUnavailableContainers());
    }
  }

  @Test
  void aDeadNodesShardsAreMissingUntilItIsBack() throws Exception {
    ScmHarness h = new ScmHarness(5, null);
    sealed(h);
    FakeDatanode dead = h.nodes.get(0);
    h.pass(ScmHarness.DEAD.minusSeconds(1), dead);
    assertEquals(0, h.status().getEndangeredContainers());
    h.pass(Duration.ofSeconds(2), dead);
    assertEquals(1, h.status().getEndangeredContainers());
    assertEquals(
        1,
        h.scm.listDatanodes(ListDatanodesRequest.getDefaultInstance()).getDatanodesList().stream()
            .filter(node -> node.getState() == DatanodeState.DEAD)
            .count());
    assertTrue(
        h.status().getPolicies(0).getMissing().contains("(host0:9000) silent for 31 s"),
        h.status().getPolicies(0).getMissing());
    h.heartbeats();
    assertEquals(0, h.status().getEndangeredContainers());
    assertTrue(h.status().getPolicies(0).getWritable());
  }

  @Test
  void holdsItsOwnStandstillAgainstNobody() throws Exception {
    ScmHarness h = new ScmHarness(5, null);
    sealed(h);
    h.pass(Duration.ofSeconds(2));
    h.clock.advance(Duration.ofMinutes(5));
    h.tick();
    assertEquals(0, h.status().getDeadDatanodes());
    assertEquals(0, h.status().getEndangeredContainers());
    h.pass(ScmHarness.DEAD.plusSeconds(2), h.nodes.get(0));
    assertEquals(1, h.status().getDeadDatanodes());
  }

  @Test
  void aFreshSCMMissesNothingBeforeItHeardTheNodes() throws Exception {
    ScmHarness h = new ScmHarness(5, null);
    Lease lease = sealed(h);
    h.scm.lost();
    h.scm = h.newScm();
    h.scm.won();
    assertEquals(0, h.status().getEndangeredContainers());
    h.heartbeats(); // register
    h.heartbeats(); // report in full
    assertEquals(0, h.status().getEndangeredContainers());
    assertEquals(0, h.status().getUnknownShards());
    assertEquals(8192, h.container(lease).getEndOffset());
  }

  @Test
  void nodesThatAFreshSCMNeverHearsAreMissedAfterTheDeadInterval() throws Exception {
    ScmHarness h = new ScmHarness(5, null);
    sealed(h);
    h.scm.lost();
    h.scm = h.newScm();
    h.scm.won();
    h.pass(ScmHarness.DEAD.plusSeconds(2), h.nodes.get(0));
    assertEquals(1, h.status().getEndangeredContainers());
  }

  @Test
  void putsAShardThatBelongsToNothingIntoQuarantine() throws Exception {
    ScmHarness h = new ScmHarness(5, null);
    Lease lease = sealed(h);
    FakeDatanode node = h.node(lease.getContainer().getShards(0));
    node.plant(
        ShardReport.newBuilder()
            .setContainer(77)
            .setIndex(1)
            .setGeneration(1)
            .setDiskId(node.diskIds().get(0))
            .build());
    node.plant(
        ShardReport.newBuilder()
            .setContainer(lease.getContainer().getId())
            .setIndex(0)
            .setGeneration(9)
            .setDiskId(node.diskIds().get(0))
            .build());
    h.heartbeats();
    assertEquals(2, h.status().getUnknownShards());
    h.pass(Duration.ofSeconds(4));
    assertTrue(node.shard(77, 1).getQuarantined());
    assertEquals(2, node.obeyedOrders().stream().filter(o -> o.hasQuarantine()).count());
    assertEquals(2, h.status().getUnknownShards()); // counted until they are gone
    assertEquals(0, h.status().getEndangeredContainers()); // the right one is untouched
    assertEquals(ContainerState.SEALED, h.container(lease).getState());
  }

  @Test
  void touchesNothingWhenTooManyShardsBelongToNothing() throws Exception {
    ScmHarness h = new ScmHarness(5, null);
    FakeDatanode node = h.nodes.get(0);
    for (int i = 1; i <= 200; i++) {
      node.plant(
          ShardReport.newBuilder()
              .setContainer(i)
              .setGeneration(1)
              .setDiskId(node.diskIds().get(0))
              .build());
    }
    h.pass(Duration.ofSeconds(5));
    assertEquals(200, h.status().getUnknownShards());
    assertEquals(0, node.obeyedOrders().size());
  }

  @Test
  void aShardWhoseRowTheMapHasNotSeenYetIsNoStranger() throws Exception {
    ScmHarness h = new ScmHarness(5, null);
    StorageContainerManager leader = h.scm;
    StorageContainerManager standby = h.newScm();
    for (FakeDatanode node : h.nodes) {
      node.heartbeat(standby);
    }
    Lease lease = h.written(8192);
    for (FakeDatanode node : h.nodes) {
      node.heartbeat(standby); // reports shards of a row that it has not followed yet
    }
    h.scm = standby;
    assertEquals(5, h.status().getUnknownShards());
    leader.lost();
    standby.won();
    h.pass(Duration.ofSeconds(3));
    assertEquals(0, h.status().getUnknownShards());
    assertEquals(1, h.status().getOpenContainers());
    assertTrue(h.nodes.stream().allMatch(n -> n.obeyedOrders().isEmpty()));
    assertTrue(h.renew(lease));
  }

  @Test
  void ordersNobodyBeforeEverybodyAliveHasHeard() throws Exception {
    ScmHarness h = new ScmHarness(5, null);
    Lease lease = h.written(8192);
    StorageContainerManager next = h.newScm();
    for (FakeDatanode node : h.nodes) {
      node.heartbeat(next);
      node.heartbeat(next);
    }
    h.scm.lost();
    h.scm = next;
    next.won();
    h.release(lease, LeaseOutcome.LEASE_FULL, 8192);
    FakeDatanode deaf = h.nodes.get(4);
    h.pass(Duration.ofSeconds(20), deaf);
    assertTrue(h.nodes.stream().allMatch(node -> node.obeyedOrders().isEmpty()));
    h.pass(Duration.ofSeconds(15), deaf); // it missed the dead interval
    for (ShardPlace place : lease.getContainer().getShardsList()) {
      boolean sealed =
          h.node(place).shard(lease.getContainer().getId(), place.getIndex()).getSealed();
      assertEquals(h.node(place) != deaf, sealed);
    }
  }

  private static HeartbeatReply saysItHeard(
      StorageContainerManager scm, FakeDatanode node, long epoch) throws StoreException {
    return scm.heartbeat(
        HeartbeatRequest.newBuilder()
            .setNodeId(node.nodeId())
            .addAllDisks(node.disks())
            .setHeardLeaderEpoch(epoch)
            .build());
  }

  /** Else the next term would have it, and none could come after the highest. */
  @Test
  void aLeaderEpochThatNobodyCanHaveEndsNoTerm() throws Exception {
    ScmHarness h = new ScmHarness(5, null);
    FakeDatanode liar = h.nodes.get(0);
    for (long madeUp :
        new long[] {-1, Long.MIN_VALUE, Long.MAX_VALUE, (1L << 62) + 1, (1L << 32) + 2}) {
      StoreException e = assertThrows(StoreException.class, () -> saysItHeard(h.scm, liar, madeUp));
      assertEquals(ErrorCode.ACCESS_DENIED, e.code());
      assertTrue(e.getMessage().contains(Long.toUnsignedString(madeUp)), e::getMessage);
    }
    h.tick();
    assertTrue(h.scm.isLeader());
    h.scm.lost();
    h.scm = h.newScm(); // nor is it believed by one that has just started
    liar.register(h.scm);
    assertThrows(StoreException.class, () -> saysItHeard(h.scm, liar, Long.MAX_VALUE));
    h.scm.won();
    assertEquals(2, h.status().getLeaderEpoch());
    h.pass(Duration.ofSeconds(4));
    assertEquals("", h.status().getHeldBack());
  }

  /** A copy of the table may be behind by all elections that there were since. */
  @Test
  void aLeaderEpochThatACopyOfTheTableIsBehindIsBelieved() throws Exception {
    ScmHarness h = new ScmHarness(5, null);
    h.scm.lost();
    h.scm = h.newScm();
    h.heartbeats();
    long heard = 1 + (1L << 32);
    HeartbeatReply unused = saysItHeard(h.scm, h.nodes.get(0), heard);
    h.scm.won();
    assertEquals(heard + 1, h.status().getLeaderEpoch());
    assertTrue(h.store.operatorWord().word().getTableOlderSinceMicros() > 0);
    h.pass(Duration.ofSeconds(4));
    assertTrue(h.scm.isLeader());
  }

  /** It was possible when it was heard, and the table is an older one since. */
  @Test
  void noTermBeginsAboveALeaderEpochThatNobodyCanHave() throws Exception {
    ScmHarness h = new ScmHarness(5, null);
    h.scm.lost();
    Runnable copy = h.store.copy();
    LeaderEpoch high = h.store.raiseLeaderEpoch("another", 1L << 32);
    h.scm = h.newScm();
    h.heartbeats();
    HeartbeatReply unused = saysItHeard(h.scm, h.nodes.get(0), high.value() + 5);
    copy.run();
    StoreException e = assertThrows(StoreException.class, () -> h.scm.won());
    assertEquals(ErrorCode.INVALID_ARGUMENT, e.code());
    assertFalse(h.scm.isLeader());
    assertEquals(new LeaderEpoch(1), h.store.leaderEpoch());
    assertEquals(0, h.store.operatorWord().word().getTableOlderSinceMicros());
  }
}
