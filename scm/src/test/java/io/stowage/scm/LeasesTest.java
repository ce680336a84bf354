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
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.stowage.common.error.ErrorCode;
import io.stowage.common.error.OutcomeUnknownException;
import io.stowage.common.error.StoreException;
import io.stowage.common.id.WriteId;
import io.stowage.common.proto.ContainerInfo;
import io.stowage.common.proto.ContainerState;
import io.stowage.common.proto.Lease;
import io.stowage.common.proto.LeaseContainersRequest;
import io.stowage.common.proto.LeaseOutcome;
import io.stowage.common.proto.PolicyStatus;
import io.stowage.common.proto.RenewLeasesRequest;
import io.stowage.common.proto.ReportDamageRequest;
import io.stowage.common.proto.ShardPlace;
import io.stowage.scm.container.MemoryContainerStore.Fault;
import java.time.Duration;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.stream.Collectors;
import org.apache.hadoop.thirdparty.protobuf.ByteString;
import org.junit.jupiter.api.Test;

class LeasesTest {
  @Test
  void costsOneRowMutationAGrant() throws Exception {
    ScmHarness h = new ScmHarness(6, null);
    Lease first = h.lease();
    assertEquals(1, h.store.mutations());
    h.release(first, LeaseOutcome.LEASE_IDLE, 4096);
    assertEquals(2, h.store.mutations());
    Lease second = h.lease();
    assertEquals(3, h.store.mutations());
    assertEquals(first.getContainer().getId(), second.getContainer().getId());
    assertEquals(2, second.getContainer().getLeaseEpoch());
    h.renew(second);
    assertEquals(3, h.store.mutations());
  }

  @Test
  void givesARepeatingHolderItsLease() throws Exception {
    ScmHarness h = new ScmHarness(6, null);
    ByteString holder = WriteId.random();
    Lease first = h.lease(holder);
    assertEquals(first.getContainer(), h.lease(holder).getContainer());
    assertEquals(1, h.store.mutations());
  }

  @Test
  void neverGivesOneContainerToTwo() throws Exception {
    ScmHarness h = new ScmHarness(6, null);
    Set<Long> containers = new HashSet<>();
    for (int i = 0; i < 50; i++) {
      assertTrue(containers.add(h.lease().getContainer().getId()));
    }
  }

  @Test
  void aGrantWhoseReplyHBaseLostHarmsNobody() throws Exception {
    ScmHarness h = new ScmHarness(6, null);
    ByteString holder = WriteId.random();
    h.store.failNextWrite(Fault.REPLY_LOST);
    assertThrows(OutcomeUnknownException.class, () -> h.lease(holder));
    Lease again = h.lease(holder);
    h.scm.follow(); // the lost row comes to light, leased to the same holder
    assertEquals(2, h.status().getOpenContainers());
    assertTrue(h.renew(again));
    h.pass(ScmHarness.LEASE.plusSeconds(2));
    Set<Long> offered = new HashSet<>();
    offered.add(h.lease().getContainer().getId());
    offered.add(h.lease().getContainer().getId());
    assertEquals(2, offered.size());
    assertEquals(2, h.status().getOpenContainers());
  }

  @Test
  void aLostReplyOnAnIdleContainerIsFoundOut() throws Exception {
    ScmHarness h = new ScmHarness(6, null);
    h.release(h.lease(), LeaseOutcome.LEASE_IDLE, 0);
    ByteString holder = WriteId.random();
    h.store.failNextWrite(Fault.REPLY_LOST);
    assertThrows(OutcomeUnknownException.class, () -> h.lease(holder));
    // The map is behind the row now. The next grant finds somebody's lease there and leaves it.
    Lease other = h.lease();
    assertEquals(2, h.status().getOpenContainers());
    assertEquals(1, other.getContainer().getLeaseEpoch());
    h.store.failNextWrite(Fault.REQUEST_LOST);
    assertThrows(StoreException.class, () -> h.release(other, LeaseOutcome.LEASE_IDLE, 0));
    h.release(other, LeaseOutcome.LEASE_IDLE, 0);
    assertEquals(other.getContainer().getId(), h.lease().getContainer().getId());
  }

  @Test
  void anExpiredLeaseIsGivenOnUnderAHigherEpoch() throws Exception {
    ScmHarness h = new ScmHarness(6, null);
    Lease gone = h.written(8192);
    h.pass(ScmHarness.LEASE.minusSeconds(2));
    assertTrue(h.renew(gone));
    h.pass(ScmHarness.LEASE.minusSeconds(2));
    assertNotEquals(gone.getContainer().getId(), h.lease().getContainer().getId());
    h.pass(Duration.ofSeconds(3));
    assertFalse(h.renew(gone));
    Lease next = h.lease();
    assertEquals(gone.getContainer().getId(), next.getContainer().getId());
    assertEquals(2, next.getContainer().getLeaseEpoch());
    assertEquals(8192, next.getContainer().getEndOffset());
    h.open(next);
    assertEquals(
        ErrorCode.FENCED, assertThrows(StoreException.class, () -> h.write(gone, 12288)).code());
  }

  @Test
  void refreshesTheGrantInTheRowWellWithinTheCommitWindow() throws Exception {
    ScmHarness h = new ScmHarness(6, null);
    Lease lease = h.lease();
    long granted = lease.getGrantedMicros();
    assertEquals(ScmHarness.WINDOW.toNanos() / 1_000, lease.getCommitWindowMicros());
    int mutations = h.store.mutations();
    for (int i = 0; i < 2 * ScmHarness.WINDOW.toSeconds() / 20; i++) {
      h.pass(Duration.ofSeconds(20));
      Lease renewed =
          h.scm
              .renewLeases(RenewLeasesRequest.newBuilder().addLeases(ScmHarness.ref(lease)).build())
              .getLeases(0);
      granted = renewed.getGrantedMicros();
      assertEquals(ScmHarness.WINDOW.toNanos() / 1_000, renewed.getCommitWindowMicros());
      assertTrue(h.clock.wallMicros() - granted <= ScmHarness.WINDOW.toNanos() / 1_000 / 4);
      // What the writer holds is in the row: a seal from now on is later.
      assertEquals(
          granted, h.store.read(lease.getContainer().getId()).info().getLeaseGrantedMicros());
    }
    assertTrue(granted > lease.getGrantedMicros());
    assertTrue(h.store.mutations() - mutations <= 9, "one mutation a quarter of the window");
    h.clock.setWallMicros(granted - 1_000_000);
    h.release(lease, LeaseOutcome.LEASE_FULL, 0);
    assertEquals(granted, h.container(lease).getSealedMicros());
  }

  @Test
  void sealsAFullContainerOnEveryShardAndRecordsItsEnd() throws Exception {
    ScmHarness h = new ScmHarness(5, null);
    Lease lease = h.written(8192);
    ShardPlace ahead = lease.getContainer().getShards(4);
    h.node(ahead).write(lease, ahead, 12288);
    h.release(lease, LeaseOutcome.LEASE_FULL, 8192);
    assertEquals(ContainerState.SEALED, h.container(lease).getState());
    assertFalse(h.renew(lease));
    h.heartbeats();
    assertThrows(StoreException.class, () -> h.write(lease, 16384));
    h.heartbeats();
    h.tick();
    assertEquals(12288, h.store.read(lease.getContainer().getId()).info().getEndOffset());
    assertEquals(0, h.status().getEndangeredContainers());
    assertEquals(1, h.status().getSealedContainers());
    assertNotEquals(lease.getContainer().getId(), h.lease().getContainer().getId());
  }

  @Test
  void aNodeThatWasAwaySealsWhenItComesBack() throws Exception {
    ScmHarness h = new ScmHarness(6, null);
    Lease lease = h.written(8192);
    ShardPlace place = lease.getContainer().getShards(2);
    FakeDatanode away = h.node(place);
    h.release(lease, LeaseOutcome.LEASE_FULL, 8192);
    h.pass(Duration.ofSeconds(29), away);
    assertFalse(away.shard(lease.getContainer().getId(), 2).getSealed());
    away.restart();
    h.pass(Duration.ofSeconds(8));
    assertTrue(away.shard(lease.getContainer().getId(), 2).getSealed());
    assertEquals(0, h.status().getEndangeredContainers());
  }

  @Test
  void doesNotLeaseOnWhatIsFullOrOutOfEpochs() throws Exception {
    ScmHarness h = new ScmHarness(6, null);
    Lease full = h.lease();
    h.release(full, LeaseOutcome.LEASE_IDLE, ScmHarness.CAPACITY - 4096);
    assertEquals(ContainerState.SEALED, h.container(full).getState());

    Lease worn = h.lease();
    for (int i = 2; i <= 1_000; i++) {
      h.release(worn, LeaseOutcome.LEASE_IDLE, 0);
      worn = h.lease();
      assertEquals(i, worn.getContainer().getLeaseEpoch());
    }
    h.release(worn, LeaseOutcome.LEASE_IDLE, 0);
    assertEquals(ContainerState.SEALED, h.container(worn).getState());
  }

  @Test
  void aDamagedContainerIsUsedOnWhenItsNodeAnswers() throws Exception {
    ScmHarness h = new ScmHarness(5, null);
    Lease lease = h.written(4096);
    FakeDatanode slow = h.nodes.get(3);
    h.release(lease, LeaseOutcome.LEASE_DAMAGED, 4096, slow);
    StoreException refused = assertThrows(StoreException.class, h::lease);
    assertEquals(ErrorCode.NOT_ENOUGH_NODES, refused.code());
    assertTrue(
        refused.getMessage().contains(slow.nodeId() + " (host3:9000) does not answer"),
        refused.getMessage());
    assertFalse(h.status().getPolicies(0).getWritable());
    h.pass(Duration.ofSeconds(3));
    Lease next = h.lease();
    assertEquals(lease.getContainer().getId(), next.getContainer().getId());
    assertEquals(2, next.getContainer().getLeaseEpoch());
  }

  @Test
  void aDamagedContainerIsSealedIfItsNodeStaysAway() throws Exception {
    ScmHarness h = new ScmHarness(6, null);
    Lease lease = h.written(4096);
    FakeDatanode dead = h.node(lease.getContainer().getShards(1));
    h.release(lease, LeaseOutcome.LEASE_DAMAGED, 4096, dead);
    assertEquals(ContainerState.OPEN, h.container(lease).getState());
    ContainerInfo other = h.lease().getContainer(); // five others are fit
    assertTrue(other.getShardsList().stream().noneMatch(s -> s.getNodeId().equals(dead.nodeId())));
    h.pass(ScmHarness.DEAD.plusSeconds(2), dead);
    assertEquals(ContainerState.SEALED, h.container(lease).getState());
    assertEquals(1, h.status().getEndangeredContainers());
    assertEquals(1, h.status().getDeadDatanodes());
  }

  /** A process that is held up hears nobody, and does not know of it before its next tick. */
  @Test
  void whoAsksFirstAfterAPauseFindsEverybodyAlive() throws Exception {
    ScmHarness h = new ScmHarness(5, null);
    h.clock.advance(ScmHarness.DEAD.plusSeconds(1));
    assertEquals(0, h.status().getDeadDatanodes());
    h.written(4096); // there is a place for all five
    h.tick();
    assertEquals(0, h.status().getDeadDatanodes());
    h.pass(ScmHarness.DEAD.plusSeconds(2), h.nodes.get(0));
    assertEquals(1, h.status().getDeadDatanodes());
  }

  @Test
  void anIdleContainerThatLosesADiskIsSealed() throws Exception {
    ScmHarness h = new ScmHarness(6, null);
    Lease lease = h.written(4096);
    h.release(lease, LeaseOutcome.LEASE_IDLE, 4096);
    ShardPlace place = lease.getContainer().getShards(0);
    h.node(place).setDiskFailed(place.getDiskId(), true);
    h.heartbeats();
    assertNotEquals(lease.getContainer().getId(), h.lease().getContainer().getId());
    h.pass(ScmHarness.DEAD.plusSeconds(2));
    assertEquals(ContainerState.SEALED, h.container(lease).getState());
  }

  @Test
  void anIdleContainerThatLosesAShardFileIsSealed() throws Exception {
    ScmHarness h = new ScmHarness(6, null);
    Lease lease = h.written(4096);
    h.release(lease, LeaseOutcome.LEASE_IDLE, 4096);
    FakeDatanode node = h.node(lease.getContainer().getShards(0));
    node.lose(lease.getContainer().getId(), 0);
    node.restart();
    h.pass(ScmHarness.DEAD.plusSeconds(8));
    assertEquals(ContainerState.SEALED, h.container(lease).getState());
    h.pass(Duration.ofSeconds(8));
    assertEquals(0, h.status().getEndangeredContainers()); // and it was made anew
  }

  @Test
  void whatWasOpenedAMomentAgoIsUsedOnBeforeItIsReported() throws Exception {
    ScmHarness h = new ScmHarness(6, null);
    Lease lease = h.lease();
    h.open(lease);
    h.write(lease, 4096);
    h.node(lease.getContainer().getShards(0)).heartbeat(h.scm); // the others report later
    h.release(lease, LeaseOutcome.LEASE_IDLE, 4096);
    h.tick();
    assertEquals(0, h.status().getEndangeredContainers());
    assertEquals(lease.getContainer().getId(), h.lease().getContainer().getId());
  }

  @Test
  void aContainerThatNobodyOpenedEndangersNothing() throws Exception {
    ScmHarness h = new ScmHarness(6, null);
    Lease lease = h.lease();
    FakeDatanode dead = h.node(lease.getContainer().getShards(1));
    h.pass(ScmHarness.LEASE.plus(ScmHarness.DEAD).plusSeconds(4), dead);
    assertEquals(ContainerState.SEALED, h.container(lease).getState());
    assertEquals(0, h.status().getEndangeredContainers());
    assertEquals(0, h.status().getUnavailableContainers());
  }

  @Test
  void avoidsWhatTheWriterHadTroubleWithIfItCan() throws Exception {
    ScmHarness h = new ScmHarness(6, null);
    h.release(h.lease(), LeaseOutcome.LEASE_IDLE, 0);
    String bad = h.nodes.get(2).nodeId();
    for (int i = 0; i < 10; i++) {
      assertTrue(
          h.lease(WriteId.random(), bad).getContainer().getShardsList().stream()
              .noneMatch(s -> s.getNodeId().equals(bad)));
    }
    ScmHarness tight = new ScmHarness(5, null);
    Lease idle = tight.lease();
    tight.release(idle, LeaseOutcome.LEASE_IDLE, 0);
    Lease all = tight.lease(WriteId.random(), tight.nodes.get(0).nodeId());
    assertEquals(5, all.getContainer().getShardsCount());
    assertEquals(idle.getContainer().getId(), all.getContainer().getId());
  }

  /** Anybody could else keep every node from being written to. */
  @Test
  void onlyWhoHoldsALeaseSaysWhichOfItsNodesAreSilent() throws Exception {
    ScmHarness h = new ScmHarness(6, node -> new CompletableFuture<>());
    Lease lease = h.lease();
    Set<String> its =
        lease.getContainer().getShardsList().stream()
            .map(ShardPlace::getNodeId)
            .collect(Collectors.toSet());
    FakeDatanode[] all = h.nodes.toArray(new FakeDatanode[0]);
    Lease another = lease.toBuilder().setHolder(WriteId.random()).build();
    h.release(another, LeaseOutcome.LEASE_DAMAGED, 0, all);
    assertEquals(6, fit(h), "who does not hold it is not believed");
    FakeDatanode strange =
        h.nodes.stream().filter(node -> !its.contains(node.nodeId())).findFirst().orElseThrow();
    FakeDatanode own = h.node(lease.getContainer().getShards(0));
    h.release(lease, LeaseOutcome.LEASE_DAMAGED, 0, strange, own);
    assertEquals(5, fit(h), "one of its own, and not the other");
    h.release(lease, LeaseOutcome.LEASE_DAMAGED, 0, all);
    assertEquals(5, fit(h), "it is given back");
  }

  /** By an empty holder, anybody could else come by the last epoch of what nobody holds. */
  @Test
  void whatNobodyHoldsIsNobodysToRenewOrRelease() throws Exception {
    ScmHarness h = new ScmHarness(6, null);
    Lease lease = h.written(8192);
    h.release(lease, LeaseOutcome.LEASE_IDLE, 8192);
    Lease nobodys = lease.toBuilder().clearHolder().build();
    assertFalse(h.renew(nobodys));
    h.release(nobodys, LeaseOutcome.LEASE_FULL, 8192, h.nodes.toArray(new FakeDatanode[0]));
    assertEquals(6, fit(h), "nobody is not believed");
    assertEquals(lease.getContainer().getId(), h.lease().getContainer().getId(), "not sealed");
  }

  /** A node that is well answers at once, and is used as before whatever users say of it. */
  @Test
  void aClaimHasANodeAskedAndNothingHeldAgainstIt() throws Exception {
    CompletableFuture<Void> answer = new CompletableFuture<>();
    ScmHarness h = new ScmHarness(6, node -> answer);
    Lease lease = h.lease();
    ReportDamageRequest claim =
        ReportDamageRequest.newBuilder()
            .setContainer(lease.getContainer().getId())
            .addAllShards(List.of(0, 0, 0, 99))
            .setWhat("x".repeat(500) + "\n2026 ERROR of nobody's")
            .setClaimed(true)
            .build();
    String node = lease.getContainer().getShards(0).getNodeId();
    assertNotNull(h.scm.reportDamage(claim));
    assertEquals(5, fit(h), "until it answers");
    answer.complete(null);
    assertEquals(6, fit(h));
    for (int i = 0; i < 10; i++) {
      assertNotNull(h.scm.reportDamage(claim));
    }
    ReportDamageRequest unwritten = claim.toBuilder().clearClaimed().addUnwritten(0).build();
    assertNotNull(h.scm.reportDamage(unwritten), "its writer may have gone on without it");
    assertEquals(6, fit(h));
    long used = usesOf(h, node);
    assertTrue(used > 0, "it is shunned nowhere");
    assertNotNull(h.scm.reportDamage(claim.toBuilder().clearClaimed().build()));
    assertEquals(0, usesOf(h, node), "what a service says counts");
  }

  /** Of ten fresh leases. */
  private static long usesOf(ScmHarness h, String node) throws Exception {
    long uses = 0;
    for (int i = 0; i < 10; i++) {
      uses +=
          h.lease().getContainer().getShardsList().stream()
              .filter(place -> place.getNodeId().equals(node))
              .count();
    }
    return uses;
  }

  @Test
  void aNodeThatAnswersAProbeIsUsedAtOnceButShunnedWhereOthersSuffice() throws Exception {
    CompletableFuture<Void> answer = new CompletableFuture<>();
    ScmHarness h = new ScmHarness(6, node -> answer);
    FakeDatanode odd = h.nodes.get(0);
    for (int i = 0; i < 20; i++) {
      h.lease();
    }
    h.scm.reportDamage(
        ReportDamageRequest.newBuilder()
            .setContainer(leaseOn(h, odd).getContainer().getId())
            .addShards(indexOn(leaseOn(h, odd), odd))
            .setWhat("checksum mismatch")
            .build());
    assertEquals(5, fit(h));
    h.pass(Duration.ofSeconds(10)); // heartbeats do not clear it
    assertEquals(5, fit(h));
    answer.complete(null);
    assertEquals(6, fit(h));
  }

  @Test
  void eachPolicyHasItsFailureDomain() throws Exception {
    ScmHarness h =
        new ScmHarness(
            10, 1, null, "host,rs-3-2=rack", host -> "/r" + host.charAt(host.length() - 1) % 5);
    Lease byRack = h.lease();
    assertEquals(
        5,
        byRack.getContainer().getShardsList().stream()
            .map(place -> (h.node(place).host().charAt(4) - '0') % 5)
            .distinct()
            .count());
    Lease byHost =
        h.scm
            .leaseContainer(
                LeaseContainersRequest.newBuilder()
                    .setPolicy("rs-6-3")
                    .setHolder(WriteId.random())
                    .build())
            .getLease();
    assertEquals(9, byHost.getContainer().getShardsCount());
    assertEquals(
        List.of(0, 1), // racks of rs-3-2, hosts of rs-6-3
        h.status().getPoliciesList().stream().map(PolicyStatus::getSpareDomains).toList());
    h.release(byRack, LeaseOutcome.LEASE_FULL, 8192);
    h.pass(ScmHarness.DEAD.plusSeconds(8), h.nodes.get(0), h.nodes.get(5));
    assertEquals(
        List.of("rs-3-2 needs 5 failure domains (rack), 4 are fit"),
        h.status().getPoliciesList().stream()
            .filter(policy -> policy.getPolicy().equals("rs-3-2"))
            .map(policy -> policy.getMissing().split(":", 2)[0])
            .toList());
  }

  /** Rows are not fenced before they exist: one that is deposed may still make some. */
  @Test
  void whatADeposedLeaderMadeIsSealedInTimeByWhomeverItIsAskedOf() throws Exception {
    ScmHarness h = new ScmHarness(5, null);
    StorageContainerManager deposed = h.scm;
    StorageContainerManager next = h.newScm();
    next.won();
    Lease lease = h.written(4_096);
    assertTrue(deposed.isLeader(), "it does not know yet");
    h.scm = next;
    assertEquals(ContainerState.OPEN, h.container(lease).getState()); // an object manager asks
    h.pass(ScmHarness.LEASE.plusSeconds(5));
    h.clock.advance(ScmHarness.OPEN_TIME);
    h.tick(); // that it stood still is held against nobody
    h.pass(Duration.ofSeconds(5));
    assertEquals(ContainerState.SEALED, h.container(lease).getState());
  }

  private static Lease leaseOn(ScmHarness h, FakeDatanode node) throws StoreException {
    while (true) {
      Lease lease = h.lease();
      if (lease.getContainer().getShardsList().stream()
          .anyMatch(s -> s.getNodeId().equals(node.nodeId()))) {
        return lease;
      }
    }
  }

  private static int indexOn(Lease lease, FakeDatanode node) {
    return lease.getContainer().getShardsList().stream()
        .filter(s -> s.getNodeId().equals(node.nodeId()))
        .findFirst()
        .orElseThrow()
        .getIndex();
  }

  private static int fit(ScmHarness h) {
    return 5 + h.status().getPolicies(0).getSpareDomains();
  }
}
