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
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.stowage.common.error.ErrorCode;
import io.stowage.common.error.StoreException;
import io.stowage.common.id.WriteId;
import io.stowage.common.proto.AcceptUnknownShardsRequest;
import io.stowage.common.proto.ByteRange;
import io.stowage.common.proto.ClaimContainerReply;
import io.stowage.common.proto.ClaimContainerRequest;
import io.stowage.common.proto.ClusterStatusReply;
import io.stowage.common.proto.ClusterStatusRequest;
import io.stowage.common.proto.ContainerInfo;
import io.stowage.common.proto.ContainerState;
import io.stowage.common.proto.DatanodeInfo;
import io.stowage.common.proto.DatanodeMode;
import io.stowage.common.proto.FinishRepackRequest;
import io.stowage.common.proto.HeartbeatReply;
import io.stowage.common.proto.HeartbeatRequest;
import io.stowage.common.proto.Lease;
import io.stowage.common.proto.LeaseOutcome;
import io.stowage.common.proto.ListDatanodesRequest;
import io.stowage.common.proto.Order;
import io.stowage.common.proto.OrderProgress;
import io.stowage.common.proto.RepackOutcome;
import io.stowage.common.proto.RepackWork;
import io.stowage.common.proto.RepairStatus;
import io.stowage.common.proto.ReportDamageRequest;
import io.stowage.common.proto.RestoreContainerRequest;
import io.stowage.common.proto.SetBalanceRequest;
import io.stowage.common.proto.SetDatanodeModeRequest;
import io.stowage.common.proto.ShardPlace;
import io.stowage.common.proto.ShardReport;
import io.stowage.scm.container.MemoryContainerStore;
import java.lang.Thread.State;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.concurrent.atomic.AtomicReference;
import org.apache.hadoop.thirdparty.protobuf.ByteString;
import org.junit.jupiter.api.Test;

/** The leader's side of repair, with datanodes that keep the rules and move no bytes. */
class RepairTest {
  private static final Duration A_LITTLE = Duration.ofSeconds(8);

  /** A sealed container with something in each shard. */
  private static long sealed(ScmHarness h) throws StoreException {
    Lease lease = h.written(8192);
    h.release(lease, LeaseOutcome.LEASE_FULL, 8192);
    h.pass(Duration.ofSeconds(3));
    return lease.getContainer().getId();
  }

  private static List<FakeDatanode> hosts(ScmHarness h, long id) throws StoreException {
    List<FakeDatanode> hosts = new ArrayList<>();
    for (ShardPlace place : h.container(id).getShardsList()) {
      hosts.add(h.node(place));
    }
    return hosts;
  }

  private static void die(FakeDatanode... nodes) {
    for (FakeDatanode node : nodes) {
      node.setDown(true);
    }
  }

  private static void comeBack(FakeDatanode node) {
    node.setDown(false);
    node.restart();
  }

  private static void assertWhole(ScmHarness h, long id) throws StoreException {
    ClusterStatusReply status = h.status();
    assertEquals(0, status.getEndangeredContainers(), status::toString);
    assertEquals(0, status.getUnavailableContainers());
    List<String> seen = new ArrayList<>();
    for (ShardPlace place : h.container(id).getShardsList()) {
      FakeDatanode node = h.node(place);
      assertTrue(
          node.shards().stream()
              .anyMatch(
                  shard ->
                      shard.getContainer() == id
                          && shard.getIndex() == place.getIndex()
                          && shard.getGeneration() == place.getGeneration()
                          && shard.getSealed()
                          && !shard.getQuarantined()),
          () -> "shard " + place + " is not there");
      assertFalse(seen.contains(node.nodeId()), "two shards on one node");
      seen.add(node.nodeId());
    }
  }

  private static void assertNoCopiesButTheRows(ScmHarness h, long id) throws StoreException {
    ContainerInfo info = h.container(id);
    for (FakeDatanode node : h.nodes) {
      for (ShardReport shard : node.shards()) {
        if (shard.getContainer() == id) {
          ShardPlace place = info.getShards(shard.getIndex());
          assertEquals(node.nodeId(), place.getNodeId());
          assertEquals(place.getGeneration(), shard.getGeneration());
        }
      }
    }
    assertEquals(0, h.status().getStaleShards());
    assertEquals(0, h.status().getUnknownShards());
    assertAllCounted(h);
  }

  /** How many shards SCM says that each node has; by that it knows what is too many unknown. */
  private static void assertAllCounted(ScmHarness h) {
    for (FakeDatanode node : h.nodes) {
      assertEquals(node.shards().size(), node(h, node).getShardCount(), node.nodeId());
    }
  }

  @Test
  void rebuildsADeadNodesShardElsewhere() throws Exception {
    ScmHarness h = new ScmHarness(6, null);
    long id = sealed(h);
    FakeDatanode dead = hosts(h, id).get(1);
    die(dead);
    h.pass(ScmHarness.DEAD.plus(A_LITTLE), dead);
    assertWhole(h, id);
    ShardPlace now = h.container(id).getShards(1);
    assertNotEquals(dead.nodeId(), now.getNodeId());
    assertEquals(2, now.getGeneration());
    assertEquals(1, h.status().getRepair().getShardsDone());
    assertEquals(1, h.status().getRepair().getContainersDone());
    assertEquals(0, h.status().getRepair().getContainersLeft());
    assertEquals(8192, h.status().getRepair().getBytesDone());
    assertEquals(0, h.status().getRepair().getShardsLeft());
  }

  @Test
  void onlyWhoMakesAShardSaysHowFarItIs() throws Exception {
    ScmHarness h = new ScmHarness(6, null);
    List<FakeDatanode> hosts = hosts(h, sealed(h));
    for (FakeDatanode node : h.nodes) {
      node.holdRebuilds(true);
      node.setRebuiltBytes(0);
    }
    die(hosts.get(1));
    h.pass(ScmHarness.DEAD.plus(A_LITTLE), hosts.get(1));
    FakeDatanode maker =
        h.nodes.stream().filter(node -> node.rebuildsUnderWay() == 1).findFirst().orElseThrow();
    FakeDatanode other = hosts.get(0);
    HeartbeatReply unused =
        h.scm.heartbeat(
            HeartbeatRequest.newBuilder()
                .setNodeId(other.nodeId())
                .addAllDisks(other.disks())
                .setHeardLeaderEpoch(other.heardEpoch())
                .addProgress(
                    OrderProgress.newBuilder()
                        .setOrderId(maker.rebuildsHeld().get(0).getOrderId())
                        .setBytesDone(4096)
                        .setBytesTotal(8192))
                .build());
    assertEquals(0, h.status().getRepair().getBytesDone());
    maker.setRebuiltBytes(4096);
    maker.heartbeat(h.scm);
    assertEquals(4096, h.status().getRepair().getBytesDone());
  }

  @Test
  void saysHowFastARepairIsAndHowMuchTimeIsLeft() throws Exception {
    ScmHarness h = new ScmHarness(6, null);
    int end = 32 << 20;
    Lease lease = h.written(end);
    h.release(lease, LeaseOutcome.LEASE_FULL, end);
    h.pass(Duration.ofSeconds(3));
    FakeDatanode dead = hosts(h, lease.getContainer().getId()).get(1);
    for (FakeDatanode node : h.nodes) {
      node.holdRebuilds(true);
      node.setRebuiltBytes(0);
    }
    die(dead);
    h.pass(ScmHarness.DEAD.plus(A_LITTLE), dead);
    RepairStatus begun = h.status().getRepair();
    assertEquals(1, begun.getContainersLeft());
    assertEquals(1, begun.getInFlight());
    assertEquals(end, begun.getBytesLeft());
    assertEquals(0, begun.getBytesPerSecond());
    assertEquals(0, begun.getSecondsLeft(), "not known");
    int rate = 100_000;
    int done = 0;
    for (int second = 0; second < 70; second++) { // longer than what the rate is taken over
      done += rate;
      for (FakeDatanode node : h.nodes) {
        node.setRebuiltBytes(done);
      }
      h.pass(Duration.ofSeconds(1), dead);
    }
    RepairStatus underWay = h.status().getRepair();
    assertTrue(Math.abs(rate - underWay.getBytesPerSecond()) <= rate / 20, underWay::toString);
    assertEquals(done, underWay.getBytesDone());
    assertEquals(end - done, underWay.getBytesLeft());
    assertTrue(Math.abs((end - done) / rate - underWay.getSecondsLeft()) <= 20, underWay::toString);
    assertEquals(0, underWay.getContainersDone());
    h.nodes.forEach(node -> node.holdRebuilds(false));
    h.nodes.forEach(FakeDatanode::finishRebuilds);
    h.pass(A_LITTLE, dead);
    RepairStatus over = h.status().getRepair();
    assertEquals(1, over.getContainersDone());
    assertEquals(0, over.getContainersLeft());
    assertEquals(0, over.getBytesLeft());
    assertEquals(0, over.getSecondsLeft());
    assertEquals(end, over.getBytesDone());
  }

  @Test
  void dropsTheReplacedCopyOfANodeThatComesBack() throws Exception {
    ScmHarness h = new ScmHarness(6, null);
    long id = sealed(h);
    FakeDatanode dead = hosts(h, id).get(1);
    die(dead);
    h.pass(ScmHarness.DEAD.plus(A_LITTLE), dead);
    comeBack(dead);
    h.pass(A_LITTLE);
    assertNull(dead.shard(id, 1));
    assertWhole(h, id);
    assertNoCopiesButTheRows(h, id);
  }

  @Test
  void keepsAReplacedCopyUntilTheContainerIsWholeAndRebuildsFromIt() throws Exception {
    ScmHarness h = new ScmHarness(6, null);
    long id = sealed(h);
    List<FakeDatanode> hosts = hosts(h, id);
    die(hosts.get(1));
    h.pass(ScmHarness.DEAD.plus(A_LITTLE), hosts.get(1));
    assertWhole(h, id);
    FakeDatanode second = h.node(h.container(id).getShards(1)); // has the rebuilt one
    // Three of five are lost: more than m. Nothing can be rebuilt...
    die(second, hosts.get(2), hosts.get(3));
    h.pass(ScmHarness.DEAD.plus(A_LITTLE), hosts.get(1), second, hosts.get(2), hosts.get(3));
    assertEquals(1, h.status().getUnavailableContainers());
    assertEquals(List.of(id), h.status().getUnavailableList());
    // ...until the first one comes back with the copy that was replaced.
    comeBack(hosts.get(1));
    h.pass(Duration.ofSeconds(30), second, hosts.get(2), hosts.get(3));
    assertEquals(0, h.status().getUnavailableContainers(), h.status()::toString);
    for (FakeDatanode node : List.of(second, hosts.get(2), hosts.get(3))) {
      comeBack(node);
    }
    h.pass(Duration.ofSeconds(40));
    assertWhole(h, id);
    assertNoCopiesButTheRows(h, id);
  }

  private static final Duration HOPE = Duration.ofHours(1).plusMinutes(12); // and a backoff

  /** Generations of the shards that the row names, and how many sectors are lost in each. */
  private static List<String> lost(ScmHarness h, long id) throws StoreException {
    List<String> lost = new ArrayList<>();
    for (ShardPlace place : h.container(id).getShardsList()) {
      ShardReport shard =
          h.node(place).shards().stream()
              .filter(
                  s ->
                      s.getContainer() == id
                          && s.getIndex() == place.getIndex()
                          && s.getGeneration() == place.getGeneration())
              .findFirst()
              .orElseThrow();
      lost.add(shard.getGeneration() + ":" + shard.getLostSectors());
    }
    return lost;
  }

  /**
   * Shards 0 and 1 are on nodes that are silent, shard 2 has a spot that cannot be read: both were
   * made with a sector lost.
   */
  private static List<FakeDatanode> withLostSectors(ScmHarness h, long id) throws StoreException {
    List<FakeDatanode> hosts = hosts(h, id);
    hosts.get(2).spoil(hosts.get(2).shard(id, 2), 7);
    FakeDatanode[] away = {hosts.get(0), hosts.get(1)};
    die(away);
    h.pass(ScmHarness.DEAD.plusMinutes(50), away);
    assertEquals(1, h.container(id).getShards(0).getGeneration(), "given up within the hour");
    assertEquals(1, h.container(id).getShards(1).getGeneration(), "given up within the hour");
    assertEquals(0, h.status().getLossyContainers());
    h.pass(HOPE.minusMinutes(50), away);
    List<String> lost = lost(h, id);
    assertTrue(lost.get(0).endsWith(":1") && lost.get(1).endsWith(":1"), lost::toString);
    assertEquals(0, h.status().getEndangeredContainers());
    assertEquals(1, h.status().getLossyContainers());
    assertEquals(2, h.status().getRepair().getLostSectors());
    return hosts;
  }

  private static void assertMended(ScmHarness h, long id) throws StoreException {
    assertTrue(lost(h, id).stream().allMatch(l -> l.endsWith(":0")), lost(h, id)::toString);
    assertEquals(0, h.status().getLossyContainers());
    assertWhole(h, id);
  }

  /** Also when those that were away to the end are back. */
  private static void assertMendedForGood(ScmHarness h, long id, FakeDatanode... away)
      throws StoreException {
    assertMended(h, id);
    for (FakeDatanode node : away) {
      comeBack(node);
    }
    h.pass(A_LITTLE);
    assertMended(h, id);
    assertNoCopiesButTheRows(h, id);
  }

  @Test
  void sectorsThatWereLostAreTakenFromTheCopiesThatReturn() throws Exception {
    ScmHarness h = new ScmHarness(7, null);
    long id = sealed(h);
    List<FakeDatanode> hosts = withLostSectors(h, id);
    comeBack(hosts.get(0));
    comeBack(hosts.get(1));
    h.pass(A_LITTLE);
    assertMendedForGood(h, id);
  }

  @Test
  void oneOfTheCopiesIsEnough() throws Exception {
    ScmHarness h = new ScmHarness(7, null);
    long id = sealed(h);
    List<FakeDatanode> hosts = withLostSectors(h, id);
    comeBack(hosts.get(1));
    h.pass(A_LITTLE, hosts.get(0));
    assertMendedForGood(h, id, hosts.get(0));
  }

  /** It knows of the lost sectors by the reports alone, and nothing of what was tried. */
  @Test
  void aNewLeaderKeepsTheCopiesThatReturnAndMends() throws Exception {
    ScmHarness h = new ScmHarness(7, null);
    long id = sealed(h);
    List<FakeDatanode> hosts = withLostSectors(h, id);
    h.scm.lost();
    h.scm = h.newScm();
    h.scm.won();
    for (FakeDatanode node : h.nodes) {
      node.restart();
    }
    h.pass(ScmHarness.DEAD.plus(A_LITTLE), hosts.get(0), hosts.get(1));
    assertEquals(1, h.status().getLossyContainers());
    comeBack(hosts.get(0));
    h.pass(A_LITTLE, hosts.get(1));
    assertMendedForGood(h, id, hosts.get(1));
  }

  @Test
  void aCopyThatHasNoMoreIsKeptAndTriedSeldom() throws Exception {
    ScmHarness h = new ScmHarness(7, null);
    long id = sealed(h);
    List<FakeDatanode> hosts = hosts(h, id);
    hosts.get(0).spoil(hosts.get(0).shard(id, 0), 7); // it is lost for good, with A's disk or not
    withLostSectors(h, id);
    comeBack(hosts.get(0));
    h.pass(A_LITTLE, hosts.get(1));
    List<String> lost = lost(h, id);
    int generation = h.container(id).getLastGeneration();
    h.pass(Duration.ofMinutes(9), hosts.get(1));
    assertEquals(generation, h.container(id).getLastGeneration(), "tried again at once");
    assertNotNull(hosts.get(0).shard(id, 0), "a copy of a container that is not whole");
    h.pass(Duration.ofHours(6), hosts.get(1));
    int tries = h.container(id).getLastGeneration() - generation;
    assertTrue(tries > 2 && tries < 16, tries + " attempts to mend it in six hours");
    assertEquals(lost, lost(h, id), "replaced by no better ones");
    assertEquals(1, hosts.get(0).shards().stream().filter(s -> s.getContainer() == id).count());
    // the disk that still has it
    comeBack(hosts.get(1));
    h.pass(A_LITTLE);
    assertMendedForGood(h, id);
  }

  /** Nothing is rebuilt for who is in maintenance, but what is made without it is made good. */
  @Test
  void whatANodeInMaintenanceHasIsNotLostForLong() throws Exception {
    ScmHarness h = new ScmHarness(7, null);
    long id = sealed(h);
    List<FakeDatanode> hosts = hosts(h, id);
    hosts.get(2).spoil(hosts.get(2).shard(id, 2), 7);
    setMode(h, hosts.get(0), DatanodeMode.MAINTENANCE);
    FakeDatanode[] away = {hosts.get(0), hosts.get(1)};
    die(away);
    h.pass(ScmHarness.DEAD.plus(HOPE), away);
    assertEquals(1, h.container(id).getShards(0).getGeneration());
    assertTrue(lost(h, id).get(1).endsWith(":1"), lost(h, id)::toString);
    comeBack(hosts.get(0));
    h.pass(A_LITTLE, hosts.get(1));
    assertMendedForGood(h, id, hosts.get(1));
  }

  /** Two nodes are dead, and one of the other three disks is remounted read-only. */
  @Test
  void whatCanOnlyBeReadIsRebuiltFrom() throws Exception {
    ScmHarness h = new ScmHarness(8, null);
    long id = sealed(h);
    List<FakeDatanode> hosts = hosts(h, id);
    FakeDatanode[] dead = {hosts.get(0), hosts.get(1)};
    h.nodes.forEach(node -> node.holdRebuilds(true));
    die(dead);
    hosts.get(2).setDiskReadOnly(hosts.get(2).diskIds().get(0));
    h.pass(ScmHarness.DEAD.plus(A_LITTLE), dead);
    assertEquals(0, h.status().getUnavailableContainers());
    assertEquals(List.of(1L), h.status().getRepair().getEndangeredList());
    assertEquals(3, h.status().getRepair().getShardsLeft());
    h.nodes.forEach(node -> node.holdRebuilds(false));
    h.nodes.forEach(FakeDatanode::finishRebuilds);
    h.pass(A_LITTLE, dead);
    assertWhole(h, id);
    assertNotEquals(hosts.get(2).nodeId(), h.container(id).getShards(2).getNodeId());
  }

  /** A hiccup of what m+1 disks have in common: nothing that was acknowledged is gone. */
  @Test
  void moreFailedForcesThanParitiesAreRepaired() throws Exception {
    ScmHarness h = new ScmHarness(8, null);
    Lease lease = h.written(8192);
    long id = lease.getContainer().getId();
    List<FakeDatanode> hosts = hosts(h, id);
    for (int i = 1; i < 4; i++) {
      hosts.get(i).failForce(id, i);
    }
    h.release(lease, LeaseOutcome.LEASE_DAMAGED, 8192, hosts.get(1));
    h.pass(Duration.ofSeconds(2));
    assertEquals(0, h.status().getUnavailableContainers());
    h.pass(Duration.ofMinutes(3));
    assertEquals(ContainerState.SEALED, h.container(id).getState());
    assertWhole(h, id);
    assertNoCopiesButTheRows(h, id);
    for (int i = 1; i < 4; i++) {
      assertTrue(h.container(id).getShards(i).getGeneration() > 1);
    }
  }

  /** m+1 disks hang, or are remounted read-only, before their shards are sealed. */
  @Test
  void whatStandsOpenOnDisksThatTakeNoWritesIsRebuiltFrom() throws Exception {
    ScmHarness h = new ScmHarness(8, null);
    Lease lease = h.written(8192);
    long id = lease.getContainer().getId();
    List<FakeDatanode> hosts = hosts(h, id);
    for (int i = 1; i < 4; i++) {
      hosts.get(i).setDiskReadOnly(hosts.get(i).diskIds().get(0));
    }
    h.release(lease, LeaseOutcome.LEASE_DAMAGED, 8192, hosts.get(1));
    h.pass(Duration.ofSeconds(100));
    assertEquals(ContainerState.SEALED, h.container(id).getState());
    assertEquals(1, h.container(id).getShards(1).getGeneration(), "a writer may still have it");
    assertEquals(0, h.status().getUnavailableContainers());
    h.pass(Duration.ofMinutes(2));
    assertWhole(h, id);
    assertEquals(8192, h.container(id).getEndOffset());
    for (int i = 1; i < 4; i++) {
      assertNotEquals(hosts.get(i).nodeId(), h.container(id).getShards(i).getNodeId());
    }
  }

  /** A disk that deletes nothing is waited for as one that is away. */
  @Test
  void aDeletedContainersRowWaitsForAReadOnlyDiskForAWeek() throws Exception {
    ScmHarness h = new ScmHarness(6, null);
    long id = emptied(h);
    FakeDatanode node = hosts(h, id).get(1);
    node.setDiskReadOnly(node.diskIds().get(0));
    h.clock.advance(ScmHarness.KEEP);
    h.tick();
    h.pass(A_LITTLE);
    assertNotNull(node.shard(id, 1));
    assertNull(hosts(h, id).get(2).shard(id, 2));
    for (int day = 0; day < 6; day++) {
      h.clock.advance(Duration.ofDays(1));
      h.tick();
      h.pass(A_LITTLE);
    }
    assertNotNull(h.store.read(id), "it may take writes again");
    h.clock.advance(Duration.ofDays(1));
    h.tick();
    h.pass(A_LITTLE);
    assertNull(h.store.read(id), "it is not waited for for ever");
  }

  /** A copy that was replaced is on a disk that is read-only, whose node may have died, too. */
  @Test
  void aCopyThatCannotBeDeletedHoldsADeletedContainersRowForAWeek() throws Exception {
    for (boolean dies : List.of(false, true)) {
      ScmHarness h = new ScmHarness(6, null);
      long id = emptied(h);
      List<FakeDatanode> hosts = hosts(h, id);
      FakeDatanode node = h.nodes.stream().filter(n -> !hosts.contains(n)).findAny().orElseThrow();
      ShardReport named = hosts.get(1).shard(id, 1);
      String disk = node.diskIds().get(0);
      node.setDiskReadOnly(disk);
      node.plant(named.toBuilder().setGeneration(0).setDiskId(disk).build());
      h.pass(Duration.ofSeconds(2));
      FakeDatanode[] silent = dies ? new FakeDatanode[] {node} : new FakeDatanode[0];
      h.pass(ScmHarness.DEAD.plus(A_LITTLE), silent);
      assertEquals(1, h.status().getStaleShards());
      h.clock.advance(ScmHarness.KEEP);
      h.tick();
      h.pass(ScmHarness.DEAD.plus(A_LITTLE), silent);
      assertTrue(hosts.stream().allMatch(host -> host.shard(id, 1) == null));
      for (int day = 0; day < 6; day++) {
        h.clock.advance(Duration.ofDays(1));
        h.tick();
        h.pass(A_LITTLE, silent);
      }
      assertNotNull(h.store.read(id), "it may take writes again");
      h.clock.advance(Duration.ofDays(1));
      h.tick();
      h.pass(ScmHarness.DEAD.plus(A_LITTLE), silent);
      assertNull(h.store.read(id), "it is not waited for for ever");
      assertEquals(0, h.status().getDeletedContainers());
    }
  }

  @Test
  void aLostContainerIsThereAgainWithItsDisk() throws Exception {
    ScmHarness h = new ScmHarness(5, null);
    long id = sealed(h);
    List<FakeDatanode> hosts = hosts(h, id);
    for (int i = 0; i < 3; i++) {
      hosts.get(i).setDiskFailed(hosts.get(i).diskIds().get(0), true);
    }
    h.pass(A_LITTLE);
    assertEquals(1, h.status().getUnavailableContainers());
    assertEquals(0, h.status().getRepair().getShardsDone());
    hosts.get(0).setDiskFailed(hosts.get(0).diskIds().get(0), false);
    h.pass(A_LITTLE);
    assertEquals(0, h.status().getUnavailableContainers());
    assertEquals(List.of(1L), h.status().getRepair().getEndangeredList());
    assertTrue(
        h.status().getRepair().getWaitingFor().contains("rs-3-2 needs 5"),
        h.status().getRepair()::toString);
  }

  @Test
  void repairsDamageThatAScrubberFound() throws Exception {
    ScmHarness h = new ScmHarness(5, null); // no spare node: the same disk is the last resort
    long id = sealed(h);
    FakeDatanode node = hosts(h, id).get(4);
    node.damage(node.shard(id, 4));
    h.pass(A_LITTLE);
    assertWhole(h, id);
    assertEquals(2, h.container(id).getShards(4).getGeneration());
    assertNoCopiesButTheRows(h, id);
  }

  @Test
  void sealsAnOpenContainerBeforeItRebuilds() throws Exception {
    ScmHarness h = new ScmHarness(6, null);
    Lease lease = h.written(4096);
    long id = lease.getContainer().getId();
    FakeDatanode dead = hosts(h, id).get(0);
    die(dead);
    for (int i = 0; i < 80; i++) {
      assertTrue(h.container(id).getState() != ContainerState.OPEN || h.renew(lease));
      h.pass(Duration.ofSeconds(1), dead);
    }
    assertEquals(ContainerState.SEALED, h.container(id).getState());
    assertFalse(h.renew(lease));
    assertWhole(h, id);
    StoreException fenced =
        assertThrows(
            StoreException.class, () -> h.write(lease, 8192)); // whoever still has the lease
    assertEquals(ErrorCode.SHARD_SEALED, fenced.code());
  }

  @Test
  void theMostEndangeredComeFirst() throws Exception {
    ScmHarness h = new ScmHarness(9, null);
    List<Long> ids = new ArrayList<>();
    for (int i = 0; i < 12; i++) {
      ids.add(sealed(h));
    }
    h.nodes.forEach(node -> node.holdRebuilds(true));
    FakeDatanode first = h.nodes.get(0);
    FakeDatanode second = h.nodes.get(1);
    die(first, second);
    h.pass(ScmHarness.DEAD.plusSeconds(3), first, second);
    List<Long> twice = new ArrayList<>();
    int once = 0;
    for (long id : ids) {
      List<FakeDatanode> hosts = hosts(h, id);
      int lost = (hosts.contains(first) ? 1 : 0) + (hosts.contains(second) ? 1 : 0);
      once += lost == 1 ? 1 : 0;
      if (lost == 2) {
        twice.add(id);
      }
    }
    assertEquals(
        List.of((long) twice.size(), (long) once), h.status().getRepair().getEndangeredList());
    // Whatever is under way, no container that lost two waits while one that lost one does not.
    long waiting =
        twice.stream()
            .filter(
                id -> {
                  try {
                    return h.container(id).getLastGeneration() < 3;
                  } catch (StoreException e) {
                    throw new IllegalStateException(e);
                  }
                })
            .count();
    assertEquals(0, waiting);
  }

  /** Stripes of which a sector is lost have no more to lose. */
  @Test
  void shardsThatLackSectorsCountAsLostWhenOthersAre() throws Exception {
    ScmHarness h = new ScmHarness(8, null);
    long id = sealed(h);
    List<FakeDatanode> hosts = withLostSectors(h, id);
    h.nodes.forEach(node -> node.holdRebuilds(true));
    die(hosts.get(3));
    h.pass(ScmHarness.DEAD.plusSeconds(3), hosts.get(0), hosts.get(1), hosts.get(3));
    assertEquals(List.of(1L), h.status().getRepair().getEndangeredList());
  }

  /** Rows like another, with lower ids; only the shards that {@code onDisk} says are planted. */
  private static void addLike(ScmHarness h, ContainerInfo like, int count, boolean onDisk)
      throws StoreException {
    for (long id = 1; id <= count; id++) {
      assertNotNull(h.store.write(h.store.leaderEpoch(), null, like.toBuilder().setId(id).build()));
      for (ShardPlace place : onDisk ? like.getShardsList() : List.<ShardPlace>of()) {
        h.node(place)
            .plant(
                ShardReport.newBuilder()
                    .setContainer(id)
                    .setIndex(place.getIndex())
                    .setGeneration(place.getGeneration())
                    .setDiskId(place.getDiskId())
                    .setEnd(like.getEndOffset())
                    .setSealed(true)
                    .build());
      }
    }
    h.scm.follow();
  }

  @Test
  void whatFindsNoPlaceHoldsUpNoRepair() throws Exception {
    ScmHarness h = new ScmHarness(9, null);
    long id = sealed(h);
    List<FakeDatanode> hosts = hosts(h, id);
    FakeDatanode first = hosts.get(0);
    FakeDatanode second = h.nodes.stream().filter(n -> !hosts.contains(n)).findAny().orElseThrow();
    ContainerInfo.Builder wide =
        h.container(id).toBuilder().setPolicy("rs-6-3").clearShards().setEndOffset(8192);
    for (int index = 0; index < 9; index++) {
      FakeDatanode node = h.nodes.get(index);
      wide.addShards(
          ShardPlace.newBuilder()
              .setIndex(index)
              .setGeneration(1)
              .setNodeId(node.nodeId())
              .setDiskId(node.diskIds().get(0)));
    }
    addLike(h, wide.build(), 6_000, true);
    h.pass(Duration.ofSeconds(2));
    assertEquals(0, h.status().getEndangeredContainers(), h.status()::toString);
    die(first, second);
    h.pass(ScmHarness.DEAD.plus(A_LITTLE), first, second);
    assertEquals(List.of(0L, 6_000L), h.status().getRepair().getEndangeredList());
    assertNotEquals(first.nodeId(), h.container(id).getShards(0).getNodeId());
  }

  @Test
  void whatIsBeyondRepairHoldsUpNothingThatAReturnedCopySaves() throws Exception {
    ScmHarness h = new ScmHarness(6, null);
    long id = sealed(h);
    FakeDatanode first = hosts(h, id).get(1);
    die(first);
    h.pass(ScmHarness.DEAD.plus(A_LITTLE), first);
    List<FakeDatanode> hosts = hosts(h, id);
    FakeDatanode[] lost = {hosts.get(1), hosts.get(2), hosts.get(3)};
    addLike(h, h.container(id).toBuilder().setEndOffset(8192).build(), 3_000, false);
    die(lost);
    h.pass(ScmHarness.DEAD.plus(A_LITTLE), first, lost[0], lost[1], lost[2]);
    assertEquals(3_001, h.status().getUnavailableContainers());
    comeBack(first); // with the copy that was replaced, and room for one more
    h.pass(Duration.ofSeconds(30), lost);
    assertEquals(3_000, h.status().getUnavailableContainers());
  }

  @Test
  void loadsNoDiskWithMoreThanItMay() throws Exception {
    ScmHarness h = new ScmHarness(7, null);
    for (int i = 0; i < 20; i++) {
      sealed(h);
    }
    h.nodes.forEach(node -> node.holdRebuilds(true));
    FakeDatanode dead = h.nodes.get(0);
    die(dead);
    h.pass(ScmHarness.DEAD.plus(A_LITTLE), dead);
    assertTrue(h.nodes.stream().allMatch(node -> node.rebuildsUnderWay() <= 2));
    assertTrue(
        h.nodes.stream().filter(node -> node.rebuildsUnderWay() > 0).count() >= 3,
        "many nodes at once");
    assertTrue(h.status().getRepair().getInFlight() > 0);
    for (int round = 0; round < 30; round++) {
      h.nodes.forEach(FakeDatanode::finishRebuilds);
      h.pass(Duration.ofSeconds(2), dead);
      assertTrue(h.nodes.stream().allMatch(node -> node.rebuildsUnderWay() <= 2));
    }
    assertEquals(0, h.status().getEndangeredContainers());
  }

  @Test
  void aTargetThatDiesIsReplacedAndItsFileIsSurplus() throws Exception {
    ScmHarness h = new ScmHarness(7, null);
    long id = sealed(h);
    List<FakeDatanode> hosts = hosts(h, id);
    FakeDatanode dead = hosts.get(0);
    h.nodes.forEach(node -> node.holdRebuilds(true));
    die(dead);
    h.pass(ScmHarness.DEAD.plus(A_LITTLE), dead);
    FakeDatanode target =
        h.nodes.stream().filter(n -> n.rebuildsUnderWay() == 1).findFirst().orElseThrow();
    target.finishRebuilds(); // its answer never arrives
    die(target);
    h.nodes.forEach(node -> node.holdRebuilds(false));
    h.pass(ScmHarness.DEAD.plus(A_LITTLE).plus(A_LITTLE), dead, target);
    assertWhole(h, id);
    assertEquals(3, h.container(id).getShards(0).getGeneration());
    comeBack(target);
    comeBack(dead);
    h.pass(A_LITTLE);
    assertWhole(h, id);
    assertNoCopiesButTheRows(h, id); // generations 1 and 2 are both below the row's
  }

  @Test
  void aRebuildThatStandsStillIsBegunElsewhereAndOneThatWaitsIsNot() throws Exception {
    ScmHarness h = new ScmHarness(7, null);
    long id = sealed(h);
    FakeDatanode dead = hosts(h, id).get(0);
    h.nodes.forEach(node -> node.holdRebuilds(true));
    h.nodes.forEach(node -> node.queueRebuilds(true));
    die(dead);
    h.pass(ScmHarness.DEAD.plusMinutes(12), dead);
    FakeDatanode hangs =
        h.nodes.stream().filter(n -> n.rebuildsUnderWay() == 1).findFirst().orElseThrow();
    assertEquals(0, h.status().getRepair().getShardsFailed());
    assertEquals(1, h.status().getRepair().getInFlight());
    h.nodes.forEach(node -> node.queueRebuilds(false)); // it has begun
    h.nodes.stream().filter(n -> n != hangs).forEach(node -> node.holdRebuilds(false));
    h.pass(Duration.ofMinutes(9), dead);
    assertEquals(0, h.status().getRepair().getShardsFailed());
    h.pass(Duration.ofMinutes(2), dead);
    assertWhole(h, id);
    assertNotEquals(hangs.nodeId(), h.container(id).getShards(0).getNodeId());
    assertEquals(1, h.status().getRepair().getShardsFailed());
  }

  @Test
  void aRebuildThatARestartedTargetBeginsAnewDoesNotStandStill() throws Exception {
    ScmHarness h = new ScmHarness(7, null);
    FakeDatanode dead = hosts(h, sealed(h)).get(0);
    h.nodes.forEach(node -> node.holdRebuilds(true));
    die(dead);
    h.pass(ScmHarness.DEAD.plus(A_LITTLE), dead);
    FakeDatanode target =
        h.nodes.stream().filter(n -> n.rebuildsUnderWay() == 1).findFirst().orElseThrow();
    target.setRebuiltBytes(8_000);
    h.pass(Duration.ofMinutes(9), dead);
    target.restart();
    for (int minute = 0; minute < 30; minute++) {
      target.setRebuiltBytes(100L * minute);
      h.pass(Duration.ofMinutes(1), dead);
    }
    assertEquals(0, h.status().getRepair().getShardsFailed());
    assertEquals(1, target.rebuildsUnderWay());
    for (int minute = 0; minute < 60; minute++) { // one that never gets far is begun elsewhere
      target.restart();
      target.setRebuiltBytes(100);
      h.pass(Duration.ofSeconds(30), dead);
      target.setRebuiltBytes(200);
      h.pass(Duration.ofSeconds(30), dead);
    }
    assertTrue(h.status().getRepair().getShardsFailed() > 0);
  }

  @Test
  void whatCannotBeSealedIsMadeAnewWithWhatIsLost() throws Exception {
    ScmHarness h = new ScmHarness(7, null);
    Lease lease = h.written(8192);
    long id = lease.getContainer().getId();
    List<FakeDatanode> hosts = hosts(h, id);
    FakeDatanode hangs = hosts.get(3);
    hangs.sealNothing();
    h.release(lease, LeaseOutcome.LEASE_FULL, 8192);
    FakeDatanode dead = hosts.get(0);
    die(dead);
    h.pass(ScmHarness.DEAD.plus(A_LITTLE), dead);
    assertEquals(dead.nodeId(), h.container(id).getShards(0).getNodeId(), "sources stand still");
    h.pass(Duration.ofMinutes(2), dead);
    assertWhole(h, id);
    assertNotEquals(hangs.nodeId(), h.container(id).getShards(3).getNodeId());
    comeBack(dead);
    h.pass(A_LITTLE);
    assertNoCopiesButTheRows(h, id);
  }

  @Test
  void aNewLeaderTakesWhatTheOldOnesOrderMade() throws Exception {
    ScmHarness h = new ScmHarness(6, null);
    long id = sealed(h);
    FakeDatanode dead = hosts(h, id).get(2);
    h.nodes.forEach(node -> node.holdRebuilds(true));
    die(dead);
    h.pass(ScmHarness.DEAD.plus(A_LITTLE), dead);
    FakeDatanode target =
        h.nodes.stream().filter(n -> n.rebuildsUnderWay() == 1).findFirst().orElseThrow();
    StorageContainerManager next = h.newScm();
    h.scm.lost();
    h.scm = next;
    h.nodes.forEach(node -> node.holdRebuilds(false));
    target.finishRebuilds();
    next.won();
    h.pass(ScmHarness.DEAD.plus(A_LITTLE), dead);
    assertWhole(h, id);
    assertEquals(2, h.container(id).getShards(2).getGeneration());
    assertEquals(target.nodeId(), h.container(id).getShards(2).getNodeId());
    assertEquals(0, h.status().getRepair().getShardsDone());
  }

  @Test
  void aLostAnswerOfTheTableIsTriedAgain() throws Exception {
    for (MemoryContainerStore.Fault fault :
        List.of(MemoryContainerStore.Fault.REPLY_LOST, MemoryContainerStore.Fault.REQUEST_LOST)) {
      ScmHarness h = new ScmHarness(6, null);
      long id = sealed(h);
      FakeDatanode dead = hosts(h, id).get(2);
      h.nodes.forEach(node -> node.holdRebuilds(true));
      die(dead);
      h.pass(ScmHarness.DEAD.plus(A_LITTLE), dead);
      h.nodes.forEach(FakeDatanode::finishRebuilds);
      h.store.failNextWrite(fault);
      h.pass(A_LITTLE, dead);
      assertWhole(h, id);
      assertEquals(2, h.container(id).getShards(2).getGeneration());
      assertEquals(1, h.status().getRepair().getShardsDone());
      assertEquals(0, h.status().getRepair().getShardsFailed());
    }
  }

  @Test
  void anOrderThatSourcesCannotServeIsTriedAgainLater() throws Exception {
    ScmHarness h = new ScmHarness(7, null);
    long id = sealed(h);
    List<FakeDatanode> hosts = hosts(h, id);
    FakeDatanode dead = hosts.get(0);
    // Reachable for SCM, not for their peers.
    die(dead, hosts.get(1), hosts.get(2));
    h.pass(ScmHarness.DEAD.plus(A_LITTLE), dead);
    assertTrue(h.status().getRepair().getShardsFailed() > 0);
    assertEquals(1, h.status().getEndangeredContainers());
    hosts.get(1).setDown(false);
    hosts.get(2).setDown(false);
    h.pass(Duration.ofMinutes(2), dead);
    assertWhole(h, id);
  }

  @Test
  void decommissionMovesEveryShardAndThenSaysSo() throws Exception {
    ScmHarness h = new ScmHarness(6, null);
    List<Long> ids = new ArrayList<>();
    for (int i = 0; i < 6; i++) {
      ids.add(sealed(h));
    }
    Lease open = h.written(4096);
    FakeDatanode node = hosts(h, ids.get(0)).get(0);
    setMode(h, node, DatanodeMode.DECOMMISSIONING);
    for (int i = 0; i < 60; i++) {
      boolean unused = h.renew(open);
      h.pass(Duration.ofSeconds(2));
      assertEquals(0, h.status().getEndangeredContainers());
    }
    assertEquals(DatanodeMode.DECOMMISSIONED, mode(h, node));
    for (long id : ids) {
      assertWhole(h, id);
      assertFalse(hosts(h, id).contains(node));
    }
    assertEquals(0, node.shards().size());
    assertAllCounted(h);
    setMode(h, node, DatanodeMode.IN_SERVICE);
    assertEquals(DatanodeMode.IN_SERVICE, mode(h, node));
  }

  @Test
  void modesOutliveTheLeader() throws Exception {
    ScmHarness h = new ScmHarness(7, null);
    setMode(h, h.nodes.get(3), DatanodeMode.MAINTENANCE);
    StorageContainerManager next = h.newScm();
    h.scm.lost();
    h.scm = next;
    next.won();
    h.heartbeats();
    assertEquals(DatanodeMode.MAINTENANCE, mode(h, h.nodes.get(3)));
  }

  @Test
  void refusesToDecommissionTheLastThatArePossible() throws Exception {
    ScmHarness h = new ScmHarness(5, null);
    sealed(h);
    StoreException refused =
        assertThrows(
            StoreException.class, () -> setMode(h, h.nodes.get(0), DatanodeMode.DECOMMISSIONING));
    assertEquals(ErrorCode.NOT_ENOUGH_NODES, refused.code());
    assertTrue(refused.getMessage().contains("4 are fit"), refused.getMessage());
  }

  @Test
  void ofTwoNodesThatCannotBothGoOneIsRefused() throws Exception {
    ScmHarness h = new ScmHarness(6, null);
    sealed(h);
    AtomicReference<StoreException> refused = new AtomicReference<>();
    Thread other =
        new Thread(
            () -> {
              try {
                setMode(h, h.nodes.get(1), DatanodeMode.DECOMMISSIONING);
              } catch (StoreException e) {
                refused.set(e);
              }
            });
    h.store.beforeNextOperatorWord(
        () -> { // the first is judged and not noted yet
          other.start();
          Await.until(
              "the other to be at the same",
              Duration.ofSeconds(10),
              () -> Set.of(State.BLOCKED, State.TERMINATED).contains(other.getState()));
        });
    setMode(h, h.nodes.get(0), DatanodeMode.DECOMMISSIONING);
    other.join();
    assertNotNull(refused.get(), "both may go, and four of five stay");
    assertEquals(ErrorCode.NOT_ENOUGH_NODES, refused.get().code());
    assertEquals(DatanodeMode.IN_SERVICE, mode(h, h.nodes.get(1)));
  }

  @Test
  void whatIsStillToBeMovedFromOthersTakesRoom() throws Exception {
    ScmHarness h = new ScmHarness(10, null);
    for (FakeDatanode node : h.nodes) {
      node.setUsedBytes(node.diskIds().get(0), 60L << 30);
      node.setFreeBytes(node.diskIds().get(0), 40L << 30);
    }
    h.heartbeats();
    for (int i = 0; i < 3; i++) { // 180 of 280
      setMode(h, h.nodes.get(i), DatanodeMode.DECOMMISSIONING);
    }
    // 240 of 240, less what disks keep free
    StoreException refused =
        assertThrows(
            StoreException.class, () -> setMode(h, h.nodes.get(3), DatanodeMode.DECOMMISSIONING));
    assertEquals(ErrorCode.NOT_ENOUGH_NODES, refused.code());
    assertTrue(refused.getMessage().contains("have " + (240L << 30) + " bytes"));
    h.nodes.get(0).setUsedBytes(h.nodes.get(0).diskIds().get(0), 0); // moved
    h.heartbeats();
    setMode(h, h.nodes.get(3), DatanodeMode.DECOMMISSIONING);
  }

  @Test
  void rebuildsNothingForANodeInMaintenanceUntilItIsOver() throws Exception {
    ScmHarness h = new ScmHarness(7, null);
    long id = sealed(h);
    FakeDatanode away = hosts(h, id).get(0);
    h.scm.setDatanodeMode(
        SetDatanodeModeRequest.newBuilder()
            .setNodeId(away.nodeId())
            .setMode(DatanodeMode.MAINTENANCE)
            .setDurationMicros(Duration.ofMinutes(5).toNanos() / 1_000)
            .build());
    die(away);
    h.pass(Duration.ofMinutes(4), away);
    assertEquals(0, h.status().getEndangeredContainers());
    assertEquals(away.nodeId(), h.container(id).getShards(0).getNodeId());
    h.pass(Duration.ofMinutes(2), away);
    assertWhole(h, id);
    assertNotEquals(away.nodeId(), h.container(id).getShards(0).getNodeId());
  }

  @Test
  void refusesMaintenanceThatWouldLeaveTooFew() throws Exception {
    ScmHarness h = new ScmHarness(5, null);
    long id = sealed(h);
    List<FakeDatanode> hosts = hosts(h, id);
    setMode(h, hosts.get(0), DatanodeMode.MAINTENANCE);
    assertTooFewWithout(h, hosts.get(1)); // the first is not away yet, but may be
    h.pass(ScmHarness.DEAD.plus(A_LITTLE), hosts.get(0));
    assertTooFewWithout(h, hosts.get(1));
    setMode(h, hosts.get(0), DatanodeMode.IN_SERVICE);
    h.heartbeats();
    setMode(h, hosts.get(1), DatanodeMode.MAINTENANCE);
  }

  private static void assertTooFewWithout(ScmHarness h, FakeDatanode node) {
    StoreException refused =
        assertThrows(StoreException.class, () -> setMode(h, node, DatanodeMode.MAINTENANCE));
    assertEquals(ErrorCode.NOT_ENOUGH_NODES, refused.code());
    assertTrue(refused.getMessage().contains("(3 left)"), refused.getMessage());
  }

  @Test
  void aSealedContainerThatNobodyWroteToGoesAway() throws Exception {
    ScmHarness h = new ScmHarness(5, null);
    Lease lease = h.lease();
    h.release(lease, LeaseOutcome.LEASE_FULL, 0);
    h.pass(Duration.ofMinutes(1));
    assertEquals(ContainerState.SEALED, h.container(lease).getState());
    h.pass(ScmHarness.WINDOW);
    assertEquals(ContainerState.DELETED, h.container(lease).getState());
    h.clock.advance(ScmHarness.KEEP);
    h.heartbeats();
    h.pass(A_LITTLE);
    assertEquals(0, h.status().getDeletedContainers());
    assertNull(h.store.read(lease.getContainer().getId()));
  }

  /** A sealed container that a repacker has found empty. */
  private static long emptied(ScmHarness h) throws StoreException {
    long id = sealed(h);
    h.clock.advance(ScmHarness.WINDOW.plusMinutes(1));
    h.tick(); // that it stood still is held against nobody
    h.heartbeats();
    ByteString worker = WriteId.random();
    assertEquals(
        RepackWork.REPACK_EMPTY,
        h.scm
            .claimContainer(
                ClaimContainerRequest.newBuilder()
                    .setHolder(worker)
                    .setContainer(id)
                    .setObjectTable(ScmHarness.TABLE)
                    .build())
            .getWork());
    assertEquals(
        ContainerState.DELETED,
        h.scm
            .finishRepack(
                FinishRepackRequest.newBuilder()
                    .setObjectTable(ScmHarness.TABLE)
                    .setContainer(id)
                    .setHolder(worker)
                    .setOutcome(RepackOutcome.REPACK_EMPTIED)
                    .build())
            .getState());
    return id;
  }

  @Test
  void aDeletedContainersRowGoesWhenEveryNodeConfirmed() throws Exception {
    ScmHarness h = new ScmHarness(5, null);
    long id = emptied(h);
    List<FakeDatanode> hosts = hosts(h, id);
    h.pass(A_LITTLE);
    assertTrue(hosts.stream().allMatch(node -> node.shards().size() == 1), "kept for readers");
    h.clock.advance(ScmHarness.KEEP);
    h.tick();
    FakeDatanode away = hosts.get(2);
    h.pass(ScmHarness.DEAD.plus(A_LITTLE), away);
    assertTrue(hosts.stream().allMatch(node -> node == away || node.shards().isEmpty()));
    assertEquals(1, away.shards().size());
    assertNotNull(h.store.read(id), "one node has not confirmed");
    assertEquals(0, h.status().getEndangeredContainers()); // never rebuilt
    comeBack(away);
    h.pass(A_LITTLE);
    assertTrue(away.shards().isEmpty());
    assertNull(h.store.read(id));
    assertAllCounted(h);
    assertEquals(0, h.status().getDeletedContainers());
    assertEquals(0, h.status().getUnknownShards());
  }

  @Test
  void aDeletedContainersRowWaitsForADeadNodeForAWeek() throws Exception {
    ScmHarness h = new ScmHarness(5, null);
    long id = emptied(h);
    FakeDatanode dead = hosts(h, id).get(2);
    h.clock.advance(ScmHarness.KEEP);
    h.tick();
    h.pass(ScmHarness.DEAD.plus(A_LITTLE), dead);
    for (int day = 0; day < 6; day++) {
      h.clock.advance(Duration.ofDays(1));
      h.tick();
      h.pass(A_LITTLE, dead);
    }
    assertNotNull(h.store.read(id), "the node may come back");
    h.clock.advance(Duration.ofDays(1));
    h.tick();
    h.pass(ScmHarness.DEAD.plus(A_LITTLE), dead);
    assertNull(h.store.read(id), "it is not waited for for ever");
    assertEquals(0, h.status().getDeletedContainers());
    // What it has belongs to no row any more.
    dead.setQuarantineClock(h.clock.wallMicros());
    comeBack(dead);
    h.pass(A_LITTLE);
    assertTrue(dead.shard(id, 2).getQuarantined());
    h.clock.advance(Duration.ofDays(8));
    h.tick();
    h.pass(A_LITTLE);
    assertTrue(dead.shard(id, 2).getQuarantined(), "nobody said that it is not needed");
    assertNotNull(h.scm.acceptUnknownShards(AcceptUnknownShardsRequest.getDefaultInstance()));
    h.pass(A_LITTLE);
    assertTrue(dead.shards().isEmpty());
    assertEquals(0, h.status().getUnknownShards());
  }

  @Test
  void aDeletedContainersRowWaitsForNodesInMaintenance() throws Exception {
    ScmHarness h = new ScmHarness(7, null);
    long id = emptied(h);
    FakeDatanode away = hosts(h, id).get(2);
    setMode(h, away, DatanodeMode.MAINTENANCE);
    h.clock.advance(ScmHarness.KEEP.plusDays(8));
    h.tick();
    h.pass(ScmHarness.DEAD.plus(A_LITTLE), away);
    assertNotNull(h.store.read(id), "its operator has said that it comes back");
    comeBack(away);
    h.pass(A_LITTLE);
    assertNull(h.store.read(id));
    assertEquals(0, h.status().getUnknownShards());
  }

  @Test
  void whatIsKeptStillHoldsUpNoDeletion() throws Exception {
    ScmHarness h = new ScmHarness(5, null);
    ContainerInfo like = h.container(sealed(h));
    StorageContainerManager standby = h.newScm();
    long now = h.clock.wallMicros();
    for (long id = 1; id <= 3_000; id++) {
      boolean ripe = id % 2 == 0;
      assertNotNull(
          h.store.write(
              h.store.leaderEpoch(),
              null,
              like.toBuilder()
                  .setId(id)
                  .setState(ContainerState.DELETED)
                  .setDeletedMicros(ripe ? now - ScmHarness.KEEP.toNanos() / 1_000 : now)
                  .build()));
    }
    h.scm.follow();
    standby.follow();
    assertEquals(3_000, h.status().getDeletedContainers());
    h.pass(Duration.ofMinutes(5));
    List<Long> left = new ArrayList<>();
    h.store.scan(0, 0, row -> left.add(row.id()));
    left.remove(like.getId());
    assertEquals(1_500, left.size());
    assertTrue(left.stream().allMatch(id -> id % 2 == 1), "one of which the time is not over");
    for (int i = 0; i < 1_500 / 32 + 1; i++) {
      standby.follow();
    }
    assertEquals(
        1_500,
        standby.clusterStatus(ClusterStatusRequest.getDefaultInstance()).getDeletedContainers());
  }

  @Test
  void whatIsWaitedForHoldsUpNoDeletion() throws Exception {
    ScmHarness h = new ScmHarness(6, null);
    ContainerInfo like = h.container(sealed(h));
    FakeDatanode dead = hosts(h, like.getId()).get(0);
    FakeDatanode alive =
        h.nodes.stream()
            .filter(node -> like.getShardsList().stream().noneMatch(p -> h.node(p) == node))
            .findFirst()
            .orElseThrow();
    ShardPlace elsewhere =
        like.getShards(0).toBuilder()
            .setNodeId(alive.nodeId())
            .setDiskId(alive.diskIds().get(0))
            .build();
    die(dead);
    h.pass(ScmHarness.DEAD.plus(A_LITTLE), dead);
    long ripe = h.clock.wallMicros() - ScmHarness.KEEP.toNanos() / 1_000;
    for (long id = 1; id <= 2_000; id++) {
      ContainerInfo.Builder info =
          like.toBuilder().setId(id).setState(ContainerState.DELETED).setDeletedMicros(ripe);
      assertNotNull(
          h.store.write(
              h.store.leaderEpoch(),
              null,
              (id % 20 == 0 ? info.setShards(0, elsewhere) : info).build()));
    }
    h.scm.follow();
    h.pass(Duration.ofMinutes(1), dead);
    assertEquals(1_900, h.status().getDeletedContainers(), "those that the dead node had, only");
  }

  private static void passDays(ScmHarness h, int days) throws StoreException {
    for (int day = 0; day < days; day++) {
      h.clock.advance(Duration.ofDays(1));
      h.tick();
      h.pass(Duration.ofSeconds(5));
    }
  }

  @Test
  void whatNoRowNamesIsDeletedAfterAWeekInQuarantineAndByAnOperatorsWord() throws Exception {
    ScmHarness h = new ScmHarness(5, null);
    long id = sealed(h);
    FakeDatanode node = hosts(h, id).get(0);
    plant(node, 77);
    ShardReport noIndex =
        ShardReport.newBuilder()
            .setContainer(id)
            .setIndex(9) // its row has five
            .setGeneration(1)
            .setDiskId(node.diskIds().get(0))
            .build();
    node.plant(noIndex);
    node.setQuarantineClock(h.clock.wallMicros());
    h.pass(A_LITTLE);
    assertTrue(node.shard(77, 0).getQuarantined());
    assertTrue(node.shard(id, 9).getQuarantined());
    assertAllCounted(h);
    assertEquals(2, h.status().getUnacceptedShards());
    passDays(h, 30);
    assertNotNull(node.shard(77, 0), "however few they are");
    assertNotNull(node.shard(id, 9));
    assertEquals(2, h.status().getQuarantinedShards());
    assertEquals(2, h.status().getUnacceptedShards());

    assertNotNull(h.scm.acceptUnknownShards(AcceptUnknownShardsRequest.getDefaultInstance()));
    assertEquals(0, h.status().getUnacceptedShards());
    h.pass(A_LITTLE);
    assertNull(node.shard(77, 0));
    assertNull(node.shard(id, 9));
    assertEquals(0, h.status().getUnknownShards());

    // Within the day that the word holds, and after.
    plant(node, 78);
    node.setQuarantineClock(h.clock.wallMicros());
    h.pass(A_LITTLE);
    assertEquals(0, h.status().getUnacceptedShards());
    passDays(h, 2);
    plant(node, 79);
    node.setQuarantineClock(h.clock.wallMicros());
    h.pass(A_LITTLE);
    assertEquals(1, h.status().getUnacceptedShards());
    passDays(h, 4);
    assertNotNull(node.shard(78, 0), "not yet a week");
    passDays(h, 4);
    assertNull(node.shard(78, 0));
    assertNotNull(node.shard(79, 0), "put aside after the word's end");
    assertWhole(h, id);
    assertAllCounted(h);
  }

  /** Moves of a leader that nobody waited for leave such: their containers have their rows. */
  @Test
  void oneTooManyOfAWholeContainerIsDeletedAfterAWeekInQuarantine() throws Exception {
    ScmHarness h = new ScmHarness(6, null);
    long id = sealed(h);
    List<FakeDatanode> hosts = hosts(h, id);
    FakeDatanode other = h.nodes.stream().filter(n -> !hosts.contains(n)).findFirst().orElseThrow();
    other.plant(
        hosts.get(2).shard(id, 2).toBuilder()
            .setGeneration(9)
            .setDiskId(other.diskIds().get(0))
            .build());
    other.setQuarantineClock(h.clock.wallMicros());
    h.pass(A_LITTLE);
    assertTrue(other.shard(id, 2).getQuarantined());
    assertEquals(0, h.status().getUnacceptedShards());
    passDays(h, 6);
    assertNotNull(other.shard(id, 2));
    passDays(h, 1);
    assertNull(other.shard(id, 2));
    assertEquals(0, h.status().getUnknownShards());
    assertWhole(h, id);
    assertAllCounted(h);
  }

  /** Has the table forget a container, so that its nodes put its shards into quarantine. */
  private static List<FakeDatanode> putAside(ScmHarness h, long id) throws Exception {
    List<FakeDatanode> hosts = hosts(h, id);
    hosts.forEach(node -> node.setQuarantineClock(h.clock.wallMicros()));
    assertTrue(h.store.remove(h.store.leaderEpoch(), h.store.read(id)));
    h.scm = h.newScm(); // it reads the table as it is now
    h.scm.follow();
    h.scm.won();
    hosts.forEach(FakeDatanode::restart);
    h.pass(A_LITTLE);
    assertEquals(5, h.status().getQuarantinedShards());
    return hosts;
  }

  /**
   * As after HBase was restored to an older state, and then fsck --rebuild brought the row back.
   */
  @Test
  void whatIsInQuarantineComesOutWhenItsRowDoes() throws Exception {
    ScmHarness h = new ScmHarness(5, null);
    long id = sealed(h);
    ContainerInfo info = h.container(id);
    List<FakeDatanode> hosts = putAside(h, id);
    for (int index = 0; index < 5; index++) {
      assertTrue(hosts.get(index).shard(id, index).getQuarantined());
    }
    assertTrue(
        h.scm
            .restoreContainer(RestoreContainerRequest.newBuilder().setContainer(info).build())
            .getCreated());
    h.pass(A_LITTLE);
    assertEquals(0, h.status().getQuarantinedShards());
    assertEquals(0, h.status().getUnknownShards());
    assertWhole(h, id);
    assertNoCopiesButTheRows(h, id);
    for (int day = 0; day < 9; day++) {
      h.clock.advance(Duration.ofDays(1));
      h.tick();
      h.pass(A_LITTLE);
    }
    assertWhole(h, id);
  }

  /** As {@code fsck --rebuild} restores it if all it finds is in quarantine, which tells no end. */
  @Test
  void aRestoredContainerNeverLooksAsIfNobodyHadWrittenToIt() throws Exception {
    ScmHarness h = new ScmHarness(5, null);
    long id = sealed(h);
    ContainerInfo info = h.container(id);
    putAside(h, id);
    assertTrue(
        h.scm
            .restoreContainer(
                RestoreContainerRequest.newBuilder()
                    .setContainer(info.toBuilder().clearEndOffset())
                    .build())
            .getCreated());
    h.clock.advance(ScmHarness.WINDOW.plusMinutes(1));
    h.tick(); // that it stood still is held against nobody
    h.heartbeats();
    h.tick();
    assertEquals(ContainerState.SEALED, h.container(id).getState());
    h.pass(A_LITTLE);
    assertWhole(h, id);
    assertEquals(8_192, h.store.read(id).info().getEndOffset());
  }

  /** HBase goes back to a copy, and SCM begins with it; datanodes start, too. */
  private static void restore(ScmHarness h, Runnable copy) throws StoreException {
    copy.run();
    h.scm = h.newScm();
    h.nodes.forEach(FakeDatanode::restart);
    h.scm.won();
  }

  private static ClaimContainerReply claim(ScmHarness h, ByteString worker, long id)
      throws StoreException {
    return h.scm.claimContainer(
        ClaimContainerRequest.newBuilder()
            .setHolder(worker)
            .setContainer(id)
            .setObjectTable(ScmHarness.TABLE)
            .build());
  }

  private static ContainerState finish(
      ScmHarness h, ByteString worker, long id, RepackOutcome outcome) throws StoreException {
    return h.scm
        .finishRepack(
            FinishRepackRequest.newBuilder()
                .setObjectTable(ScmHarness.TABLE)
                .setContainer(id)
                .setHolder(worker)
                .setOutcome(outcome)
                .build())
        .getState();
  }

  private static void assertHeldBack(ScmHarness h) {
    assertTrue(h.status().getHeldBack().contains("older than the disks"), h.status()::getHeldBack);
  }

  /** What was written to it after the copy is named by no head of the copy. */
  @Test
  void whatATableOlderThanTheDisksKnowsIsNotEmptiedBeforeARebuild() throws Exception {
    for (boolean leasedAgain : new boolean[] {true, false}) {
      ScmHarness h = new ScmHarness(6, null);
      Lease lease = h.written(4096);
      long id = lease.getContainer().getId();
      if (leasedAgain) {
        h.release(lease, LeaseOutcome.LEASE_IDLE, 4096);
      }
      Runnable copy = h.store.copy();
      if (leasedAgain) {
        lease = h.written(8192);
        assertEquals(id, lease.getContainer().getId());
      }
      h.release(lease, LeaseOutcome.LEASE_FULL, 8192);
      h.clock.advance(ScmHarness.OPEN_TIME.plusHours(1)); // in the copy it is open for long
      h.tick();
      h.pass(A_LITTLE);
      assertEquals(ContainerState.SEALED, h.container(id).getState());
      restore(h, copy);
      h.tick(); // before anybody is heard
      assertEquals(ContainerState.OPEN, h.container(id).getState());
      h.pass(A_LITTLE);
      assertHeldBack(h);
      assertEquals(ContainerState.SEALED, h.container(id).getState());
      assertEquals(leasedAgain ? 2 : 1, h.container(id).getLeaseEpoch());
      assertWhole(h, id);

      h.clock.advance(ScmHarness.WINDOW.plusMinutes(1));
      h.tick();
      h.heartbeats();
      h.pass(A_LITTLE);
      ByteString worker = WriteId.random();
      assertEquals(RepackWork.REPACK_SURVEY, claim(h, worker, 0).getWork());
      assertEquals(
          ContainerState.SEALED, finish(h, worker, id, RepackOutcome.REPACK_SURVEYED)); // all dead
      h.pass(A_LITTLE);
      assertEquals(RepackWork.REPACK_NOTHING, claim(h, worker, 0).getWork());
      assertEquals(
          ErrorCode.UNAVAILABLE,
          assertThrows(StoreException.class, () -> claim(h, worker, id)).code());
      assertEquals(ContainerState.SEALED, h.container(id).getState());

      StorageContainerManager next = h.newScm(); // it was written down
      h.scm.lost();
      h.scm = next;
      next.won();
      h.pass(A_LITTLE);
      assertHeldBack(h);
      assertNotNull(
          h.scm.acceptUnknownShards(
              AcceptUnknownShardsRequest.newBuilder().setRebuilt(true).build()));
      h.pass(A_LITTLE);
      assertEquals("", h.status().getHeldBack());
      assertEquals(RepackWork.REPACK_EMPTY, claim(h, worker, 0).getWork());

      // A disk comes back that the rebuild has not seen.
      ShardReport shard = hosts(h, id).get(0).shard(id, 0);
      hosts(h, id).get(0).plant(shard.toBuilder().setEpoch(7).build());
      h.pass(A_LITTLE);
      assertHeldBack(h);
      assertEquals(
          ErrorCode.UNAVAILABLE,
          assertThrows(
                  StoreException.class, () -> finish(h, worker, id, RepackOutcome.REPACK_EMPTIED))
              .code());
      assertEquals(ContainerState.REPACKING, h.container(id).getState());
      assertNotNull(h.scm.acceptUnknownShards(AcceptUnknownShardsRequest.getDefaultInstance()));
      assertEquals("", h.status().getHeldBack());
      assertEquals(ContainerState.DELETED, finish(h, worker, id, RepackOutcome.REPACK_EMPTIED));
    }
  }

  /** Its shards refuse to be sealed under the epoch of the copy. */
  @Test
  void whatWasLeasedAfterTheCopyIsRepaired() throws Exception {
    ScmHarness h = new ScmHarness(6, null);
    Lease lease = h.written(4096);
    long id = lease.getContainer().getId();
    Runnable copy = h.store.copy();
    h.release(lease, LeaseOutcome.LEASE_IDLE, 4096);
    assertEquals(id, h.written(8192).getContainer().getId());
    FakeDatanode dead = hosts(h, id).get(1);
    die(dead);
    restore(h, copy);
    h.pass(ScmHarness.DEAD.plus(A_LITTLE), dead);
    assertHeldBack(h);
    h.pass(ScmHarness.DEAD.plus(A_LITTLE), dead); // its last writer is waited for
    assertWhole(h, id);
    assertEquals(2, h.container(id).getLeaseEpoch());
    assertEquals(8192, h.container(id).getEndOffset());
  }

  @Test
  void aLeaderEpochAboveTheCounterSaysThatTheTableIsOld() throws Exception {
    ScmHarness h = new ScmHarness(5, null);
    Runnable copy = h.store.copy();
    for (int i = 0; i < 3; i++) {
      h.scm.lost();
      h.scm.won();
      h.heartbeats();
      h.heartbeats();
    }
    assertEquals("", h.status().getHeldBack());
    assertEquals(4, h.status().getLeaderEpoch());
    restore(h, copy);
    h.pass(A_LITTLE);
    assertFalse(h.scm.isLeader(), "its epoch is below what datanodes have heard");
    h.scm.won();
    h.pass(A_LITTLE);
    assertTrue(h.scm.isLeader());
    assertEquals(5, h.status().getLeaderEpoch());
    assertHeldBack(h);
  }

  @Test
  void aCopyInQuarantineIsTakenOutWhileTheContainerLacksIt() throws Exception {
    ScmHarness h = new ScmHarness(5, null);
    long id = sealed(h);
    FakeDatanode node = hosts(h, id).get(3);
    ShardReport shard = node.shard(id, 3);
    node.lose(id, 3);
    node.plant(
        shard.toBuilder().setQuarantined(true).setQuarantinedMicros(h.clock.wallMicros()).build());
    node.restart(); // and tells all it has
    h.pass(A_LITTLE);
    assertWhole(h, id);
    assertEquals(0, h.status().getQuarantinedShards());
    assertTrue(node.obeyedOrders().stream().anyMatch(Order::hasRestore));
  }

  @Test
  void manyUnknownShardsWaitForAnOperatorsWord() throws Exception {
    ScmHarness h = new ScmHarness(6, null);
    long id = sealed(h);
    FakeDatanode dead = hosts(h, id).get(0);
    FakeDatanode node = hosts(h, id).get(1);
    for (int i = 1; i <= 200; i++) {
      plant(node, i);
    }
    die(dead);
    h.pass(ScmHarness.DEAD.plus(A_LITTLE), dead);
    assertWhole(h, id); // repair goes on
    comeBack(dead);
    h.pass(A_LITTLE);
    assertTrue(h.status().getHeldBack().contains("200 shards"), h.status()::getHeldBack);
    assertNotNull(dead.shard(id, 0), "nothing is deleted");
    assertEquals(1, h.status().getStaleShards());
    node.setQuarantineClock(h.clock.wallMicros());
    assertEquals(
        200,
        h.scm
            .acceptUnknownShards(AcceptUnknownShardsRequest.getDefaultInstance())
            .getUnknownShards());
    h.pass(Duration.ofSeconds(20));
    assertEquals("", h.status().getHeldBack());
    assertNull(dead.shard(id, 0));
    assertEquals(200, h.status().getQuarantinedShards());
    h.clock.advance(Duration.ofDays(2));
    h.tick();
    h.pass(A_LITTLE);
    assertEquals("", h.status().getHeldBack(), "it was said of these");
    for (int i = 201; i <= 400; i++) {
      plant(node, i);
    }
    h.pass(A_LITTLE);
    assertTrue(
        h.status().getHeldBack().startsWith("200 shards"), "the word does not hold for others");
    assertEquals(200, h.status().getQuarantinedShards());
    assertEquals(0, h.status().getUnacceptedShards(), "in quarantine are accepted ones only");
    assertNotNull(h.scm.acceptUnknownShards(AcceptUnknownShardsRequest.getDefaultInstance()));
    node.setQuarantineClock(h.clock.wallMicros());
    h.pass(Duration.ofSeconds(20));
    assertEquals(400, h.status().getQuarantinedShards());
    h.clock.advance(Duration.ofDays(5));
    h.tick();
    h.pass(Duration.ofSeconds(20));
    assertEquals("", h.status().getHeldBack());
    assertNull(node.shard(1, 0));
    assertNull(node.shard(200, 0));
    assertNotNull(node.shard(201, 0), "put aside later");
    assertEquals(200, h.status().getQuarantinedShards());
  }

  @Test
  void fewThatWaitInQuarantineCountWithThoseThatCome() throws Exception {
    ScmHarness h = new ScmHarness(6, null);
    FakeDatanode node = h.nodes.get(0);
    for (int i = 1; i <= 60; i++) {
      plant(node, i);
    }
    node.setQuarantineClock(h.clock.wallMicros());
    h.pass(A_LITTLE);
    assertEquals(60, h.status().getUnacceptedShards());
    passDays(h, 8);
    assertEquals("", h.status().getHeldBack());
    for (int i = 61; i <= 120; i++) {
      plant(node, i);
    }
    h.pass(A_LITTLE);
    assertTrue(h.status().getHeldBack().startsWith("120 shards"), h.status()::getHeldBack);
    assertEquals(60, h.status().getQuarantinedShards());
    assertNotNull(h.scm.acceptUnknownShards(AcceptUnknownShardsRequest.getDefaultInstance()));
    assertEquals("", h.status().getHeldBack());
  }

  @Test
  void balancingSaysThatItWaitsForShardsToBeAccepted() throws Exception {
    ScmHarness h = new ScmHarness(6, null);
    for (int i = 1; i <= 100; i++) {
      plant(h.nodes.get(0), i);
    }
    assertNotNull(h.scm.setBalance(SetBalanceRequest.newBuilder().setRunning(true).build()));
    h.pass(A_LITTLE);
    assertEquals("", h.status().getHeldBack());
    assertTrue(
        h.status().getBalance().getWaits().contains("stowage datanode quarantine"),
        h.status()::toString);
    assertNotNull(h.scm.acceptUnknownShards(AcceptUnknownShardsRequest.getDefaultInstance()));
    h.pass(A_LITTLE);
    assertEquals("", h.status().getBalance().getWaits());
  }

  /** Rows of containers that are DELETED do not wait for such a disk for good. */
  @Test
  void whatIsUnknownOnADiskThatTakesNoWritesHoldsUpNoDeletion() throws Exception {
    ScmHarness h = new ScmHarness(7, null);
    long id = sealed(h);
    FakeDatanode dead = hosts(h, id).get(0);
    FakeDatanode node = hosts(h, id).get(2);
    for (int i = 1; i <= 200; i++) {
      plant(node, i);
    }
    die(dead);
    h.pass(ScmHarness.DEAD.plus(A_LITTLE), dead);
    comeBack(dead);
    node.setDiskReadOnly(node.diskIds().get(0));
    h.pass(ScmHarness.DEAD.plus(A_LITTLE));
    assertEquals("", h.status().getHeldBack());
    assertEquals(200, h.status().getUnknownShards());
    assertNull(dead.shard(id, 0), "a replaced copy");
    assertTrue(node.shards().stream().noneMatch(ShardReport::getQuarantined));
  }

  @Test
  void aReportInPagesConcludesNothingBeforeItsLastPage() throws Exception {
    ScmHarness h = new ScmHarness(5, null);
    long id = sealed(h);
    FakeDatanode node = hosts(h, id).get(3);
    List<ShardReport> shards = node.shards();
    assertEquals(1, shards.size());
    HeartbeatRequest.Builder page =
        HeartbeatRequest.newBuilder()
            .setNodeId(node.nodeId())
            .addAllDisks(node.disks())
            .setHeardLeaderEpoch(1)
            .setFullReport(true)
            .setMorePages(true);
    assertFalse(h.scm.heartbeat(page.build()).getSendFullReport());
    assertEquals(0, h.status().getEndangeredContainers());
    assertFalse(
        h.scm
            .heartbeat(
                page.clone().setReportPage(1).addAllShards(shards).setMorePages(false).build())
            .getSendFullReport());
    assertEquals(0, h.status().getEndangeredContainers());
    HeartbeatReply unused = h.scm.heartbeat(page.build());
    assertEquals(0, h.status().getEndangeredContainers());
    unused = h.scm.heartbeat(page.setReportPage(1).setMorePages(false).build());
    assertEquals(1, h.status().getEndangeredContainers()); // two pages, and it was on neither
  }

  @Test
  void aClientsReportHasTheShardVerified() throws Exception {
    ScmHarness h = new ScmHarness(6, null);
    long id = sealed(h);
    FakeDatanode node = hosts(h, id).get(1);
    assertNotNull(
        h.scm.reportDamage(
            ReportDamageRequest.newBuilder()
                .setContainer(id)
                .addShards(1)
                .setWhat("a sector")
                .build()));
    h.pass(Duration.ofSeconds(3));
    assertTrue(node.obeyedOrders().stream().anyMatch(Order::hasVerify));
    assertFalse(node.obeyedOrders().stream().anyMatch(order -> order.getVerify().hasSectors()));
    assertEquals(1, h.container(id).getShards(1).getGeneration()); // it was well
    node.lose(id, 1);
    assertNotNull(
        h.scm.reportDamage(ReportDamageRequest.newBuilder().setContainer(id).addShards(1).build()));
    h.pass(A_LITTLE);
    assertWhole(h, id);
    assertEquals(2, h.container(id).getShards(1).getGeneration());
  }

  /** What a shard lacks the others say, and none of them while writes may be on their way. */
  @Test
  void sectorsThatAClientDidNotGetAreComparedOnceTheContainerIsClosed() throws Exception {
    ScmHarness h = new ScmHarness(6, null);
    long open = h.written(8_192).getContainer().getId();
    long closed = sealed(h);
    ByteRange sectors = ByteRange.newBuilder().setOffset(8_192).setLength(4_096).build();
    List<ByteRange> wrong =
        List.of(
            sectors.toBuilder().setOffset(1).build(),
            sectors.toBuilder().setLength(100).build(),
            sectors.toBuilder().setLength(2 << 20).build(),
            sectors.toBuilder().setOffset(-4_096).build());
    List<ReportDamageRequest> reports = new ArrayList<>();
    for (int i = 0; i < wrong.size(); i++) {
      reports.add(report(closed, i, wrong.get(i)));
    }
    reports.add(report(open, 1, sectors));
    reports.add(report(closed, 4, sectors));
    for (ReportDamageRequest report : reports) {
      assertNotNull(h.scm.reportDamage(report));
    }
    h.pass(Duration.ofSeconds(3));
    List<Order> verified =
        h.nodes.stream()
            .flatMap(node -> node.obeyedOrders().stream())
            .filter(Order::hasVerify)
            .toList();
    assertEquals(reports.size(), verified.size());
    List<Order> compared = verified.stream().filter(o -> o.getVerify().hasSectors()).toList();
    assertEquals(1, compared.size(), compared::toString);
    assertEquals(closed, compared.get(0).getShard().getContainer());
    assertEquals(4, compared.get(0).getShard().getIndex());
    assertEquals(sectors, compared.get(0).getVerify().getSectors());
    assertEquals("rs-3-2", compared.get(0).getVerify().getPolicy());
    assertEquals(
        List.of(0, 1, 2, 3, 4),
        compared.get(0).getVerify().getSourcesList().stream().map(p -> p.getIndex()).toList());
  }

  private static ReportDamageRequest report(long container, int shard, ByteRange sectors) {
    return ReportDamageRequest.newBuilder()
        .setContainer(container)
        .addShards(shard)
        .addSectors(sectors)
        .build();
  }

  @Test
  void aDiskWithoutRoomForAShardIsToldToBeFull() throws Exception {
    ScmHarness h = new ScmHarness(6, null);
    FakeDatanode node = h.nodes.get(2);
    for (long free : new long[] {1L << 30, 1 << 20}) {
      node.setFreeBytes(node.diskIds().get(0), free);
      h.pass(A_LITTLE);
      List<String> full =
          h.scm.listDatanodes(ListDatanodesRequest.getDefaultInstance()).getDatanodesList().stream()
              .filter(info -> info.getDisks(0).getFull())
              .map(DatanodeInfo::getNodeId)
              .toList();
      assertEquals(free == 1 << 20 ? List.of(node.nodeId()) : List.of(), full);
    }
  }

  @Test
  void balancingMovesShardsFromFullDisksAndStops() throws Exception {
    ScmHarness h = new ScmHarness(6, null);
    List<Long> ids = new ArrayList<>();
    for (int i = 0; i < 8; i++) {
      ids.add(sealed(h));
    }
    FakeDatanode full = hosts(h, ids.get(0)).get(0);
    full.setUsedBytes(full.diskIds().get(0), 50L << 30);
    int before = full.shards().size();
    h.pass(A_LITTLE);
    assertEquals(0, h.status().getBalance().getShardsMoved());
    assertNotNull(
        h.scm.setBalance(
            SetBalanceRequest.newBuilder().setRunning(true).setThreshold(0.1).build()));
    h.pass(Duration.ofSeconds(20));
    assertTrue(h.status().getBalance().getShardsMoved() > 0);
    assertTrue(full.shards().size() < before);
    for (long id : ids) {
      assertWhole(h, id);
      assertNoCopiesButTheRows(h, id);
    }
    full.setUsedBytes(full.diskIds().get(0), 0);
    h.pass(A_LITTLE);
    long moved = h.status().getBalance().getShardsMoved();
    h.pass(Duration.ofSeconds(20));
    assertEquals(moved, h.status().getBalance().getShardsMoved());
  }

  @Test
  void aMoveThatFailedIsTriedAgainLater() throws Exception {
    ScmHarness h = new ScmHarness(6, null);
    long id = sealed(h);
    FakeDatanode full = hosts(h, id).get(0);
    full.setUsedBytes(full.diskIds().get(0), 50L << 30);
    die(h.nodes.toArray(FakeDatanode[]::new)); // reachable for SCM, not for their peers
    assertNotNull(
        h.scm.setBalance(
            SetBalanceRequest.newBuilder().setRunning(true).setThreshold(0.1).build()));
    h.pass(A_LITTLE);
    assertTrue(h.status().getRepair().getShardsFailed() > 0);
    assertEquals(0, h.status().getBalance().getShardsMoved());
    h.nodes.forEach(node -> node.setDown(false));
    h.pass(Duration.ofMinutes(2));
    assertEquals(1, h.status().getBalance().getShardsMoved());
    assertTrue(full.shards().isEmpty());
    assertWhole(h, id);
  }

  @Test
  void disksThatWouldOnlyChangePlacesAreLeftAlone() throws Exception {
    ScmHarness h = new ScmHarness(6, null);
    List<Long> ids = new ArrayList<>();
    for (int i = 0; i < 4; i++) {
      ids.add(sealed(h)); // of 8,192 bytes a shard
    }
    for (FakeDatanode node : h.nodes) {
      node.setUsedBytes(node.diskIds().get(0), 100_000);
    }
    FakeDatanode full = hosts(h, ids.get(0)).get(0);
    full.setUsedBytes(full.diskIds().get(0), 110_000);
    assertNotNull(
        h.scm.setBalance(
            SetBalanceRequest.newBuilder()
                .setRunning(true)
                .setThreshold(4_000.0 / (100L << 30))
                .build()));
    h.pass(Duration.ofSeconds(20));
    assertEquals(0, h.status().getBalance().getShardsMoved());
    full.setUsedBytes(full.diskIds().get(0), 120_000);
    h.pass(Duration.ofSeconds(20));
    assertTrue(h.status().getBalance().getShardsMoved() > 0);
  }

  @Test
  void balancingEvensTheDisksOfANodeThatIsEmptierThanOthers() throws Exception {
    ScmHarness h = new ScmHarness(6, 2, null);
    List<Long> ids = new ArrayList<>();
    for (int i = 0; i < 12; i++) {
      ids.add(sealed(h));
    }
    FakeDatanode uneven = hosts(h, ids.get(0)).get(0);
    String full = h.container(ids.get(0)).getShards(0).getDiskId();
    String empty = uneven.diskIds().stream().filter(disk -> !disk.equals(full)).findFirst().get();
    for (FakeDatanode node : h.nodes) {
      for (String disk : node.diskIds()) {
        node.setUsedBytes(disk, 60L << 30);
      }
    }
    uneven.setUsedBytes(full, 50L << 30); // less than any disk elsewhere
    uneven.setUsedBytes(empty, 0);
    List<List<String>> before = nodesOf(h, ids);
    long onFull = shardsOn(uneven, full);
    assertTrue(onFull > 0);
    assertNotNull(
        h.scm.setBalance(
            SetBalanceRequest.newBuilder().setRunning(true).setThreshold(0.1).build()));
    h.pass(Duration.ofSeconds(60));
    // What the fake says of its disks never changes, so all goes.
    assertEquals(0, shardsOn(uneven, full));
    assertEquals(onFull, h.status().getBalance().getShardsMoved());
    assertEquals(before, nodesOf(h, ids), "moved from node to node");
    for (long id : ids) {
      assertWhole(h, id);
      assertNoCopiesButTheRows(h, id);
    }
  }

  private static long shardsOn(FakeDatanode node, String disk) {
    return node.shards().stream().filter(shard -> shard.getDiskId().equals(disk)).count();
  }

  private static List<List<String>> nodesOf(ScmHarness h, List<Long> ids) throws StoreException {
    List<List<String>> nodes = new ArrayList<>();
    for (long id : ids) {
      nodes.add(h.container(id).getShardsList().stream().map(ShardPlace::getNodeId).toList());
    }
    return nodes;
  }

  private static void plant(FakeDatanode node, long container) {
    node.plant(
        ShardReport.newBuilder()
            .setContainer(container)
            .setGeneration(1)
            .setDiskId(node.diskIds().get(0))
            .build());
  }

  private static void setMode(ScmHarness h, FakeDatanode node, DatanodeMode mode)
      throws StoreException {
    assertNotNull(
        h.scm.setDatanodeMode(
            SetDatanodeModeRequest.newBuilder().setNodeId(node.nodeId()).setMode(mode).build()));
  }

  private static DatanodeMode mode(ScmHarness h, FakeDatanode node) {
    return node(h, node).getMode();
  }

  private static DatanodeInfo node(ScmHarness h, FakeDatanode node) {
    return h
        .scm
        .listDatanodes(ListDatanodesRequest.getDefaultInstance())
        .getDatanodesList()
        .stream()
        .filter(info -> info.getNodeId().equals(node.nodeId()))
        .findFirst()
        .orElseThrow();
  }
}
