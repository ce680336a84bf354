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
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.stowage.common.error.StoreException;
import io.stowage.common.id.WriteId;
import io.stowage.common.proto.AcceptUnknownShardsRequest;
import io.stowage.common.proto.ClaimContainerReply;
import io.stowage.common.proto.ClaimContainerRequest;
import io.stowage.common.proto.ContainerInfo;
import io.stowage.common.proto.ContainerState;
import io.stowage.common.proto.DatanodeMode;
import io.stowage.common.proto.Lease;
import io.stowage.common.proto.LeaseOutcome;
import io.stowage.common.proto.Order;
import io.stowage.common.proto.SetBalanceRequest;
import io.stowage.common.proto.SetDatanodeModeRequest;
import io.stowage.common.proto.ShardKey;
import io.stowage.common.proto.ShardPlace;
import io.stowage.common.proto.ShardReport;
import io.stowage.scm.cluster.RackResolver;
import io.stowage.scm.container.ContainerRow;
import io.stowage.scm.container.MemoryContainerStore;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.function.Function;
import org.apache.hadoop.thirdparty.protobuf.ByteString;
import org.junit.jupiter.api.Test;

/** Balancing of containers that break the rule after they were placed; rs-3-2 throughout. */
class MoveApartTest {
  private static final Duration A_LITTLE = Duration.ofSeconds(8);
  private static final int M = 2;

  private final Map<String, String> rackOf = new HashMap<>();
  private SetBalanceRequest word =
      SetBalanceRequest.newBuilder().setRunning(true).setThreshold(0.1).build();

  private ScmHarness cluster(int nodes, int disks, String failureDomains) throws StoreException {
    return new ScmHarness(
        nodes,
        disks,
        null,
        failureDomains,
        host -> rackOf.getOrDefault(host, RackResolver.DEFAULT_RACK));
  }

  private void tell(String rack, FakeDatanode... nodes) {
    for (FakeDatanode node : nodes) {
      rackOf.put(node.host(), rack);
    }
  }

  private void tell(String rack, List<FakeDatanode> nodes) {
    tell(rack, nodes.toArray(FakeDatanode[]::new));
  }

  /** Has all be told their racks, and the SCM balance. */
  private void registerAnew(ScmHarness h, FakeDatanode... silent) throws StoreException {
    h.nodes.forEach(FakeDatanode::restart);
    h.pass(Duration.ofSeconds(1), silent);
    balance(h);
  }

  /** Also has places looked at anew at once, which else happens once a minute. */
  private void balance(ScmHarness h) throws StoreException {
    assertNotNull(h.scm.setBalance(word));
    h.scm.lookAtPlaces();
  }

  private static List<Long> sealed(ScmHarness h, int count) throws StoreException {
    return sealed(h, count, 8192);
  }

  private static List<Long> sealed(ScmHarness h, int count, long end) throws StoreException {
    List<Long> ids = new ArrayList<>();
    for (int i = 0; i < count; i++) {
      Lease lease = h.written(end);
      h.release(lease, LeaseOutcome.LEASE_FULL, end);
      ids.add(lease.getContainer().getId());
    }
    h.pass(Duration.ofSeconds(3));
    return ids;
  }

  private static List<FakeDatanode> hosts(ScmHarness h, long id) throws StoreException {
    List<FakeDatanode> hosts = new ArrayList<>();
    for (ShardPlace place : h.container(id).getShardsList()) {
      hosts.add(h.node(place));
    }
    return hosts;
  }

  /** Nodes and generations, whether or not their addresses are known already. */
  private static List<String> places(ScmHarness h, long id) throws StoreException {
    return h.container(id).getShardsList().stream()
        .map(place -> place.getNodeId() + "/" + place.getGeneration())
        .toList();
  }

  private static List<FakeDatanode> others(ScmHarness h, long id) throws StoreException {
    List<FakeDatanode> others = new ArrayList<>(h.nodes);
    others.removeAll(hosts(h, id));
    return others;
  }

  /** Shards of a container in a domain beyond the most that may be there. */
  private static int beyond(ScmHarness h, long id, Function<FakeDatanode, String> domain, int most)
      throws StoreException {
    Map<String, Integer> shards = new HashMap<>();
    hosts(h, id).forEach(node -> shards.merge(domain.apply(node), 1, Integer::sum));
    return shards.values().stream().mapToInt(count -> Math.max(0, count - most)).sum();
  }

  private int beyondM(ScmHarness h, long id) throws StoreException {
    return beyond(h, id, node -> rackOf.get(node.host()), M);
  }

  private static long moved(ScmHarness h) {
    return h.status().getBalance().getShardsMoved();
  }

  /** Lets time pass, in which no container ever lacks a shard. */
  private static void passUnharmed(ScmHarness h, Duration time, FakeDatanode... silent)
      throws StoreException {
    for (long second = 0; second < time.toSeconds(); second++) {
      h.pass(Duration.ofSeconds(1), silent);
      assertEquals(0, h.status().getEndangeredContainers(), h.status()::toString);
    }
  }

  /** All shards are where the row says, one a host, and nowhere else. */
  private static void assertWholeAndAlone(ScmHarness h, long id) throws StoreException {
    ContainerInfo info = h.container(id);
    Set<String> copies = new HashSet<>();
    for (FakeDatanode node : h.nodes) {
      for (ShardReport shard : node.shards()) {
        if (shard.getContainer() == id) {
          ShardPlace place = info.getShards(shard.getIndex());
          assertEquals(place.getNodeId(), node.nodeId());
          assertEquals(place.getDiskId(), shard.getDiskId());
          assertEquals(place.getGeneration(), shard.getGeneration());
          assertTrue(shard.getSealed());
          assertTrue(copies.add(node.nodeId()), "two shards on one node");
        }
      }
    }
    assertEquals(5, copies.size());
    assertEquals(0, h.status().getStaleShards());
    assertEquals(0, h.status().getUnknownShards());
  }

  private void assertNoneLeft(ScmHarness h) throws StoreException {
    balance(h);
    assertEquals(0, h.status().getMisplacedContainers());
    assertEquals(0, h.status().getCrowdedContainers());
    assertEquals(0, h.status().getBalance().getInFlight());
  }

  /** Fails over to a new SCM that has heard nobody. */
  private static void failOver(ScmHarness h) throws StoreException {
    h.scm.lost();
    h.scm = h.newScm();
    h.scm.won();
  }

  @Test
  void racksThatAreToldLateAreObeyedInTheEnd() throws Exception {
    ScmHarness h = cluster(10, 1, "host");
    List<Long> ids = sealed(h, 12);
    tell("/a", h.nodes.subList(0, 6));
    tell("/b", h.nodes.subList(6, 8));
    tell("/c", h.nodes.subList(8, 10));
    int tooMany = 0;
    for (long id : ids) {
      tooMany += beyondM(h, id);
    }
    assertTrue(tooMany > 4);
    h.nodes.forEach(FakeDatanode::restart);
    passUnharmed(h, Duration.ofMinutes(3));
    assertTrue(h.status().getMisplacedContainers() > 0);
    assertEquals(0, h.status().getCrowdedContainers());
    assertEquals(0, moved(h), "an operator has not said a word");
    h.nodes.forEach(node -> node.holdRebuilds(true));
    balance(h);
    passUnharmed(h, A_LITTLE);
    int atOnce = h.status().getBalance().getInFlight();
    assertTrue(atOnce > 0 && atOnce <= 8, atOnce + " at once");
    for (FakeDatanode node : h.nodes) {
      assertTrue(node.rebuildsUnderWay() <= 2, "more than stowage.scm.repair-per-disk");
    }
    for (long id : ids) {
      int moving =
          h.nodes.stream()
              .flatMap(node -> node.rebuildsHeld().stream())
              .mapToInt(order -> order.getShard().getContainer() == id ? 1 : 0)
              .sum();
      assertTrue(moving <= 1, "two shards of a container at once");
    }
    h.nodes.forEach(node -> node.holdRebuilds(false));
    h.nodes.forEach(FakeDatanode::finishRebuilds);
    passUnharmed(h, Duration.ofSeconds(90));
    assertNoneLeft(h);
    for (long id : ids) {
      assertEquals(0, beyondM(h, id));
      assertWholeAndAlone(h, id);
    }
    assertEquals(tooMany, moved(h), "moves that were not needed");
    assertEquals(0, h.status().getRepair().getShardsDone());
    h.pass(Duration.ofMinutes(2));
    assertEquals(tooMany, moved(h));
  }

  /** A script that fails for a host makes it look as if it stood beside all others of these. */
  @Test
  void nothingMovesForRacksWhileAHostIsInNone() throws Exception {
    ScmHarness h = cluster(8, 1, "host");
    long id = sealed(h, 1).get(0);
    tell("/a", hosts(h, id).subList(0, 3));
    tell("/b", hosts(h, id).subList(3, 5));
    tell("/c", others(h, id).subList(0, 2));
    FakeDatanode untold = others(h, id).get(2);
    registerAnew(h);
    h.pass(Duration.ofSeconds(30));
    assertNoneLeft(h);
    assertEquals(0, moved(h));
    tell("/c", untold);
    untold.restart();
    h.pass(Duration.ofSeconds(1));
    balance(h);
    passUnharmed(h, Duration.ofSeconds(30));
    assertEquals(1, moved(h));
    assertEquals(0, beyondM(h, id));
    assertNoneLeft(h);
    assertWholeAndAlone(h, id);
  }

  @Test
  void whatWasPlacedByDisksIsMovedToHostsOfItsOwn() throws Exception {
    ScmHarness h = cluster(6, 2, "disk");
    List<Long> ids = sealed(h, 8);
    int twice = 0;
    for (long id : ids) {
      twice += beyond(h, id, FakeDatanode::host, 1);
    }
    assertTrue(twice > 4);
    h.setFailureDomains("host");
    failOver(h);
    h.pass(ScmHarness.DEAD);
    balance(h);
    passUnharmed(h, Duration.ofSeconds(60));
    assertNoneLeft(h);
    for (long id : ids) {
      assertWholeAndAlone(h, id);
    }
    assertEquals(twice, moved(h));
  }

  @Test
  void whatHasNoBetterPlaceStaysUntilThereIsOne() throws Exception {
    ScmHarness h = cluster(5, 2, "disk");
    FakeDatanode unused = h.nodes.get(4);
    setMode(h, unused, DatanodeMode.MAINTENANCE);
    List<Long> ids = sealed(h, 3);
    h.setFailureDomains("host");
    failOver(h);
    h.pass(ScmHarness.DEAD);
    balance(h);
    h.pass(Duration.ofMinutes(1));
    balance(h);
    assertEquals(0, h.status().getMisplacedContainers());
    assertEquals(3, h.status().getCrowdedContainers());
    for (long id : ids) {
      assertEquals(1, beyond(h, id, FakeDatanode::host, 1));
    }
    long moved = moved(h);
    setMode(h, unused, DatanodeMode.IN_SERVICE);
    passUnharmed(h, Duration.ofMinutes(1));
    assertNoneLeft(h);
    assertEquals(moved + 3, moved(h));
    for (long id : ids) {
      assertWholeAndAlone(h, id);
    }
  }

  /** New containers have as many in a rack, and survive its loss as little. */
  @Test
  void whereRacksAreTooFewNothingIsMovedForThem() throws Exception {
    ScmHarness h = cluster(6, 1, "host");
    FakeDatanode unused = h.nodes.get(5);
    setMode(h, unused, DatanodeMode.MAINTENANCE);
    List<Long> ids = sealed(h, 3);
    tell("/a", h.nodes.subList(0, 4));
    tell("/b", h.nodes.subList(4, 6));
    registerAnew(h);
    setMode(h, unused, DatanodeMode.IN_SERVICE);
    h.pass(Duration.ofMinutes(2));
    assertNoneLeft(h);
    assertEquals(0, moved(h));
    for (long id : ids) {
      assertEquals(2, beyondM(h, id));
    }
  }

  @Test
  void noShardGoesToADiskThatItWouldMakeTooFull() throws Exception {
    ScmHarness h = cluster(7, 1, "host");
    long id = threeInOneRack(h);
    for (FakeDatanode node : h.nodes) {
      node.setUsedBytes(node.diskIds().get(0), 50L << 30);
    }
    List<FakeDatanode> targets = others(h, id);
    for (FakeDatanode target : targets) {
      target.setUsedBytes(target.diskIds().get(0), 90L << 30);
    }
    registerAnew(h);
    h.pass(Duration.ofMinutes(2));
    assertEquals(1, h.status().getMisplacedContainers());
    assertEquals(1, beyondM(h, id));
    for (FakeDatanode target : targets) {
      target.setUsedBytes(target.diskIds().get(0), 60L << 30); // fuller, within the threshold
    }
    passUnharmed(h, Duration.ofSeconds(30));
    assertNoneLeft(h);
    assertEquals(0, beyondM(h, id));
  }

  /** A host that stands alone in its rack is down; new containers have more than m in some now. */
  @Test
  void whatWaitsForAMachineThatIsAwayIsCrowdedAndGoesThereWhenItIsBack() throws Exception {
    ScmHarness h = cluster(6, 1, "host");
    long id = sealed(h, 1).get(0);
    FakeDatanode away = others(h, id).get(0);
    tell("/a", hosts(h, id).subList(0, 3));
    tell("/b", hosts(h, id).subList(3, 5));
    tell("/c", away);
    h.nodes.forEach(FakeDatanode::restart);
    h.pass(Duration.ofSeconds(1));
    away.setDown(true);
    h.pass(ScmHarness.DEAD.plus(A_LITTLE), away);
    balance(h);
    h.pass(A_LITTLE, away);
    assertEquals(0, h.status().getMisplacedContainers());
    assertEquals(1, h.status().getCrowdedContainers());
    setMode(h, away, DatanodeMode.DECOMMISSIONING);
    h.pass(A_LITTLE, away);
    assertNoneLeft(h); // new ones are placed no better, for good
    setMode(h, away, DatanodeMode.IN_SERVICE);
    away.setDown(false);
    away.restart();
    passUnharmed(h, Duration.ofSeconds(90)); // places are looked at once a minute
    assertNoneLeft(h);
    assertEquals(1, moved(h));
    assertTrue(hosts(h, id).contains(away));
    assertWholeAndAlone(h, id);
  }

  /** The mean and the threshold are more than all of a disk. */
  @Test
  void aTwentiethOfADiskIsKeptFreeHoweverFullOthersAre() throws Exception {
    ScmHarness h = cluster(7, 1, "host");
    long id = threeInOneRack(h);
    for (FakeDatanode node : h.nodes) {
      node.setUsedBytes(node.diskIds().get(0), 94L << 30);
      node.setFreeBytes(node.diskIds().get(0), 6L << 30);
    }
    List<FakeDatanode> targets = others(h, id);
    for (FakeDatanode target : targets) {
      target.setUsedBytes(target.diskIds().get(0), 95L << 30);
      target.setFreeBytes(target.diskIds().get(0), 5L << 30);
    }
    registerAnew(h);
    h.pass(Duration.ofMinutes(2));
    assertEquals(1, h.status().getMisplacedContainers());
    assertEquals(0, h.status().getBalance().getInFlight());
    assertEquals(0, moved(h));
    setFreeBytes(h, 6L << 30, targets);
    passUnharmed(h, Duration.ofSeconds(30));
    assertNoneLeft(h);
    assertEquals(0, beyondM(h, id));
  }

  /** A shard is more of these disks than the threshold. */
  @Test
  void theOnlyDiskOfANodeIsNotTooFullBesideItself() throws Exception {
    ScmHarness h = cluster(7, 1, "host");
    long id = threeInOneRack(h, 12L << 20);
    for (FakeDatanode node : h.nodes) {
      node.setUsedBytes(node.diskIds().get(0), 50L << 20);
      node.setFreeBytes(node.diskIds().get(0), 50L << 20);
    }
    for (FakeDatanode target : others(h, id)) {
      target.setUsedBytes(target.diskIds().get(0), 30L << 20);
      target.setFreeBytes(target.diskIds().get(0), 70L << 20);
    }
    registerAnew(h);
    passUnharmed(h, Duration.ofSeconds(30));
    assertNoneLeft(h);
    assertEquals(1, moved(h));
    assertEquals(0, beyondM(h, id));
  }

  /** What is under way, backed off or refused holds up nothing behind it. */
  @Test
  void asManyMoveAtOnceAsTheOperatorSaysAFewEachTick() throws Exception {
    ScmHarness h = cluster(10, 12, "host");
    List<Long> ids = sealed(h, 80);
    tell("/a", h.nodes.subList(0, 6));
    tell("/b", h.nodes.subList(6, 8));
    tell("/c", h.nodes.subList(8, 10));
    int misplaced = 0;
    for (long id : ids) {
      misplaced += beyondM(h, id) > 0 ? 1 : 0;
    }
    assertTrue(misplaced > 45, misplaced + " containers");
    h.nodes.forEach(node -> node.holdRebuilds(true));
    word = word.toBuilder().setMovesAtOnce(64).build();
    registerAnew(h);
    h.tick();
    int first = h.status().getBalance().getInFlight();
    assertTrue(first > 16 && first <= 32, first + " in one tick, in which leases wait");
    h.pass(Duration.ofSeconds(20));
    assertTrue(h.status().getBalance().getInFlight() > 40, h.status()::toString);
    for (int i = 0; i < 20; i++) {
      h.nodes.forEach(FakeDatanode::finishRebuilds);
      h.pass(Duration.ofSeconds(3));
    }
    assertNoneLeft(h);
  }

  @Test
  void asManyLeaveFullDisksAFewEachTick() throws Exception {
    ScmHarness h = cluster(10, 12, "host");
    sealed(h, 120);
    FakeDatanode full = h.nodes.get(0);
    for (String disk : full.diskIds()) {
      full.setUsedBytes(disk, 90L << 30);
    }
    assertTrue(full.shards().size() > 45, full.shards().size() + " shards");
    h.nodes.forEach(node -> node.holdRebuilds(true));
    word = word.toBuilder().setMovesAtOnce(64).build();
    h.pass(Duration.ofSeconds(1));
    balance(h);
    h.tick(); // finds the disks, and then the containers
    int first = h.status().getBalance().getInFlight();
    assertTrue(first > 16 && first <= 32, first + " in one tick, in which leases wait");
    h.pass(Duration.ofSeconds(20));
    assertTrue(h.status().getBalance().getInFlight() > 40, h.status()::toString);
  }

  @Test
  void thoseThatHaveNoPlaceNowHoldUpNoneThatHas() throws Exception {
    ScmHarness h = cluster(6, 2, "disk");
    setFreeBytes(h, 0, h.nodes.subList(4, 6));
    sealed(h, 60); // which could go to the last two hosts alone
    setFreeBytes(h, 100L << 30, h.nodes.subList(4, 5));
    setFreeBytes(h, 0, h.nodes.subList(0, 1));
    List<Long> ids = sealed(h, 6); // which could go to the first
    setFreeBytes(h, 100L << 30, h.nodes);
    for (FakeDatanode full : h.nodes.subList(4, 6)) {
      full.diskIds().forEach(disk -> full.setUsedBytes(disk, 90L << 30));
    }
    h.setFailureDomains("host");
    failOver(h);
    h.pass(ScmHarness.DEAD);
    word = word.toBuilder().setThreshold(0.2).build(); // less full than that are the others all
    balance(h);
    h.pass(Duration.ofSeconds(50));
    balance(h);
    assertTrue(h.status().getMisplacedContainers() > 40, h.status()::toString);
    for (long id : ids) {
      assertTrue(hosts(h, id).contains(h.nodes.get(0)));
    }
  }

  /** Evening out would have to move it on to the other disk. */
  @Test
  void noShardGoesToADiskThatIsTooFullBesideItsNodesOther() throws Exception {
    ScmHarness h = cluster(7, 2, "host");
    List<FakeDatanode> targets = h.nodes.subList(5, 7);
    for (FakeDatanode target : targets) {
      setMode(h, target, DatanodeMode.MAINTENANCE);
    }
    List<Long> ids = sealed(h, 6);
    for (FakeDatanode node : h.nodes) {
      for (String disk : node.diskIds()) {
        node.setUsedBytes(disk, 50L << 30);
        node.setFreeBytes(disk, 50L << 30);
      }
    }
    for (FakeDatanode target : targets) {
      target.setUsedBytes(target.diskIds().get(0), 520L << 30);
      target.setFreeBytes(target.diskIds().get(0), 480L << 30);
      target.setUsedBytes(target.diskIds().get(1), 10L << 30);
      target.setFreeBytes(target.diskIds().get(1), 90L << 30);
      setMode(h, target, DatanodeMode.IN_SERVICE);
    }
    tell("/a", h.nodes.subList(0, 3));
    tell("/b", h.nodes.get(3), h.nodes.get(5));
    tell("/c", h.nodes.get(4), h.nodes.get(6));
    registerAnew(h);
    passUnharmed(h, Duration.ofSeconds(60));
    assertNoneLeft(h);
    assertEquals(ids.size(), moved(h));
    for (FakeDatanode target : targets) {
      String emptier = target.diskIds().get(1);
      assertTrue(target.shards().stream().allMatch(shard -> shard.getDiskId().equals(emptier)));
    }
  }

  /** Of each rebuild that is held: the node that it takes a shard from. */
  private static List<FakeDatanode> movedFrom(ScmHarness h) throws StoreException {
    List<FakeDatanode> from = new ArrayList<>();
    for (FakeDatanode node : h.nodes) {
      for (Order order : node.rebuildsHeld()) {
        ShardKey shard = order.getShard();
        from.add(h.node(h.container(shard.getContainer()).getShards(shard.getIndex())));
      }
    }
    return from;
  }

  /** Many are in one rack; a disk of another is full, so that what leaves that is evened out. */
  private FakeDatanode manyMisplacedAndOneFull(ScmHarness h) throws StoreException {
    sealed(h, 60);
    tell("/a", h.nodes.subList(0, 6));
    tell("/b", h.nodes.subList(6, 8));
    tell("/c", h.nodes.subList(8, 10));
    FakeDatanode full = h.nodes.get(8);
    full.diskIds().forEach(disk -> full.setUsedBytes(disk, 90L << 30));
    h.nodes.forEach(node -> node.holdRebuilds(true));
    return full;
  }

  @Test
  void whileDisksAreFullMovesApartTakeHalfOfTheRoom() throws Exception {
    ScmHarness h = cluster(10, 12, "host");
    FakeDatanode full = manyMisplacedAndOneFull(h);
    registerAnew(h);
    h.pass(A_LITTLE);
    assertTrue(h.status().getMisplacedContainers() > 20, h.status()::toString);
    assertEquals(8, movedFrom(h).size());
    assertEquals(4, movedFrom(h).stream().filter(full::equals).count());
  }

  /** Each container on the full disks has a shard on the only emptier host. */
  @Test
  void whatEveningOutHasNoUseForMovesApartTake() throws Exception {
    ScmHarness h = cluster(7, 12, "host");
    setFreeBytes(h, 0, h.nodes.subList(5, 7));
    List<Long> ids = sealed(h, 20);
    tell("/a", h.nodes.subList(2, 5));
    tell("/b", h.nodes.get(0), h.nodes.get(5));
    tell("/c", h.nodes.get(1), h.nodes.get(6));
    setFreeBytes(h, 1000L << 30, h.nodes);
    for (int i = 0; i < 7; i++) {
      FakeDatanode node = h.nodes.get(i);
      long used = i == 0 ? 900L << 30 : i == 1 ? 0 : 620L << 30;
      node.diskIds().forEach(disk -> node.setUsedBytes(disk, used));
      node.holdRebuilds(true);
    }
    registerAnew(h);
    h.pass(A_LITTLE);
    List<FakeDatanode> from = movedFrom(h);
    assertTrue(h.nodes.subList(2, 5).containsAll(from));
    assertEquals(8, from.size());
    h.nodes.forEach(node -> node.holdRebuilds(false));
    h.nodes.forEach(FakeDatanode::finishRebuilds);
    passUnharmed(h, Duration.ofSeconds(30));
    assertNoneLeft(h);
    for (long id : ids) {
      assertEquals(0, beyondM(h, id));
    }
  }

  @Test
  void ofOneMoveAtATimeBothKindsGetTheirTurn() throws Exception {
    ScmHarness h = cluster(10, 12, "host");
    FakeDatanode full = manyMisplacedAndOneFull(h);
    word = word.toBuilder().setMovesAtOnce(1).build();
    registerAnew(h);
    int even = 0;
    for (int move = 0; move < 6; move++) {
      h.pass(Duration.ofSeconds(3));
      List<FakeDatanode> from = movedFrom(h);
      assertEquals(1, from.size());
      even += from.get(0) == full ? 1 : 0;
      h.nodes.forEach(FakeDatanode::finishRebuilds);
    }
    assertEquals(3, even);
  }

  /** All could go to one disk, which has room for one. */
  @Test
  void whatIsOnItsWayToADiskTakesItsRoom() throws Exception {
    ScmHarness h = cluster(6, 1, "host");
    FakeDatanode target = h.nodes.get(5);
    setMode(h, target, DatanodeMode.MAINTENANCE);
    sealed(h, 3, 8L << 20); // of a disk of 100 MiB
    for (FakeDatanode node : h.nodes) {
      node.setUsedBytes(node.diskIds().get(0), 50L << 20);
      node.setFreeBytes(node.diskIds().get(0), 50L << 20);
    }
    setMode(h, target, DatanodeMode.IN_SERVICE);
    tell("/a", h.nodes.subList(0, 3));
    tell("/b", h.nodes.get(3));
    tell("/c", h.nodes.subList(4, 6));
    h.nodes.forEach(node -> node.holdRebuilds(true));
    registerAnew(h);
    h.pass(A_LITTLE);
    assertEquals(3, h.status().getMisplacedContainers());
    assertEquals(1, h.status().getBalance().getInFlight());
    target.finishRebuilds(); // and is not fuller by what it tells
    h.pass(A_LITTLE);
    assertEquals(1, moved(h));
    assertEquals(1, h.status().getBalance().getInFlight());
  }

  @Test
  void thoseThatMayNotLeaveAFullDiskHoldUpNoneThatMay() throws Exception {
    // Every other tick those that may not have the first turn, and take all tries or leave some.
    assertEquals(0, idleTicksOfEight(31));
    assertEquals(4, idleTicksOfEight(33));
    assertEquals(4, idleTicksOfEight(64));
  }

  /** So many on a full disk have a shard on the only emptier one; some of another have none. */
  private int idleTicksOfEight(int immovable) throws StoreException {
    ScmHarness h = cluster(7, 1, "host");
    FakeDatanode full = h.nodes.get(0);
    FakeDatanode empty = h.nodes.get(1);
    FakeDatanode other = h.nodes.get(5);
    setFreeBytes(h, 0, h.nodes.subList(5, 7));
    sealed(h, immovable);
    setFreeBytes(h, 100L << 30, h.nodes);
    setFreeBytes(h, 0, List.of(full, empty));
    sealed(h, 12);
    setFreeBytes(h, 1000L << 30, h.nodes);
    for (FakeDatanode node : h.nodes) {
      long used = node == empty ? 0 : node == full || node == other ? 900L << 30 : 620L << 30;
      node.setUsedBytes(node.diskIds().get(0), used);
      node.holdRebuilds(true);
    }
    h.pass(Duration.ofSeconds(1));
    balance(h);
    int idle = 0;
    for (int tick = 0; tick < 8; tick++) {
      h.tick();
      h.heartbeats();
      List<FakeDatanode> from = movedFrom(h);
      assertTrue(from.stream().allMatch(other::equals));
      idle += from.isEmpty() ? 1 : 0;
      h.nodes.forEach(FakeDatanode::finishRebuilds);
      h.heartbeats();
    }
    return idle;
  }

  private static void setFreeBytes(ScmHarness h, long bytes, List<FakeDatanode> nodes)
      throws StoreException {
    nodes.forEach(node -> node.diskIds().forEach(disk -> node.setFreeBytes(disk, bytes)));
    h.pass(Duration.ofSeconds(1));
  }

  @Test
  void whileDeletionsAreHeldBackNothingMoves() throws Exception {
    ScmHarness h = cluster(7, 1, "host");
    long id = threeInOneRack(h);
    ByteString elsewhere = WriteId.random();
    assertNotNull(claim(h, ScmHarness.TABLE));
    assertThrows(StoreException.class, () -> claim(h, elsewhere));
    assertNotEquals("", h.status().getHeldBack());
    registerAnew(h);
    h.pass(Duration.ofMinutes(2));
    assertEquals(1, h.status().getMisplacedContainers());
    assertEquals(1, beyondM(h, id));
    assertNotNull(
        h.scm.acceptUnknownShards(
            AcceptUnknownShardsRequest.newBuilder()
                .setRebuilt(true)
                .setObjectTable(ScmHarness.TABLE)
                .build()));
    h.pass(Duration.ofSeconds(30));
    assertNoneLeft(h);
    assertEquals(0, beyondM(h, id));
  }

  private static ClaimContainerReply claim(ScmHarness h, ByteString table) throws StoreException {
    return h.scm.claimContainer(
        ClaimContainerRequest.newBuilder()
            .setHolder(WriteId.random())
            .setWorker("elsewhere")
            .setObjectTable(table)
            .build());
  }

  /** Reachable for the SCM and not for their peers, all answer that they lack sources. */
  private static void failMoves(ScmHarness h, Duration time) throws StoreException {
    h.nodes.forEach(node -> node.setDown(true));
    h.pass(time);
    h.nodes.forEach(node -> node.setDown(false));
    assertTrue(h.status().getRepair().getShardsFailed() > 4);
    assertEquals(0, moved(h));
  }

  @Test
  void whatIsLostDoesNotWaitSinceAMoveFailed() throws Exception {
    ScmHarness h = cluster(9, 1, "host");
    long id = threeInOneRack(h);
    registerAnew(h);
    failMoves(h, Duration.ofMinutes(6));
    FakeDatanode node = hosts(h, id).get(4); // not of the three
    node.lose(id, 4);
    node.restart(); // and tells all it has
    h.pass(A_LITTLE);
    assertEquals(1, h.status().getRepair().getShardsDone());
    assertEquals(0, h.status().getEndangeredContainers());
    h.pass(Duration.ofMinutes(11));
    assertNoneLeft(h);
    assertEquals(0, beyondM(h, id));
  }

  @Test
  void movesThatFailedTakeNoHopeFromWhatIsLostLater() throws Exception {
    ScmHarness h = cluster(9, 1, "host");
    long id = threeInOneRack(h);
    registerAnew(h);
    failMoves(h, Duration.ofMinutes(75));
    ShardPlace spoilt = h.container(id).getShards(0);
    h.node(spoilt).spoil(h.node(spoilt).shard(id, 0), 0);
    FakeDatanode[] away = {hosts(h, id).get(3), hosts(h, id).get(4)};
    for (FakeDatanode node : away) {
      node.setDown(true);
    }
    h.pass(ScmHarness.DEAD.plus(A_LITTLE), away);
    h.pass(Duration.ofMinutes(5), away);
    assertEquals(1, h.status().getEndangeredContainers());
    assertEquals(0, h.status().getRepair().getLostSectors(), "those who are away may have it");
    assertEquals(0, h.status().getLossyContainers());
  }

  @Test
  void aContainerThatCannotBeMovedStopsNoOther() throws Exception {
    ScmHarness h = cluster(10, 1, "host");
    List<Long> ids = sealed(h, 12);
    tell("/a", h.nodes.subList(0, 6));
    tell("/b", h.nodes.subList(6, 8));
    tell("/c", h.nodes.subList(8, 10));
    registerAnew(h);
    h.nodes.forEach(node -> node.holdRebuilds(true));
    h.store.failNextWrite(MemoryContainerStore.Fault.REQUEST_LOST);
    h.tick();
    assertTrue(h.status().getBalance().getInFlight() > 1, h.status()::toString);
    h.nodes.forEach(node -> node.holdRebuilds(false));
    h.nodes.forEach(FakeDatanode::finishRebuilds);
    passUnharmed(h, Duration.ofSeconds(90));
    assertNoneLeft(h);
    for (long id : ids) {
      assertEquals(0, beyondM(h, id));
    }
  }

  /** Each of them waits for long, and leases wait behind the tick. */
  @Test
  void twoWritesThatFailAreAllThatMovesTryInATick() throws Exception {
    ScmHarness h = cluster(10, 12, "host");
    manyMisplacedAndOneFull(h);
    registerAnew(h);
    h.store.setHangs(true);
    h.tick();
    assertEquals(2, h.store.failedWrites());
    h.tick();
    assertEquals(4, h.store.failedWrites());
    assertEquals(0, h.status().getBalance().getInFlight());
    h.store.setHangs(false);
    h.tick();
    assertEquals(8, h.status().getBalance().getInFlight());
  }

  /** Repack ended with them since places were looked at. */
  @Test
  void containersThatAreGoneTakeNoTriesFromOthers() throws Exception {
    ScmHarness h = cluster(10, 12, "host");
    List<Long> misplaced = new ArrayList<>();
    List<Long> ids = sealed(h, 100);
    tell("/a", h.nodes.subList(0, 6));
    tell("/b", h.nodes.subList(6, 8));
    tell("/c", h.nodes.subList(8, 10));
    for (long id : ids) {
      if (beyondM(h, id) > 0) {
        misplaced.add(id);
      }
    }
    assertTrue(misplaced.size() > 50, misplaced.size() + " containers");
    h.nodes.forEach(node -> node.holdRebuilds(true));
    registerAnew(h);
    for (long id : misplaced.subList(6, misplaced.size())) {
      ContainerRow row = h.store.read(id);
      ContainerInfo gone =
          row.info().toBuilder()
              .setState(ContainerState.DELETED)
              .setDeletedMicros(h.clock.wallMicros())
              .build();
      assertNotNull(h.store.write(h.store.leaderEpoch(), row, gone));
    }
    h.scm.follow();
    h.tick();
    assertEquals(6, h.status().getBalance().getInFlight());
  }

  /** Three shards of it are in one rack; there is one place each in two others, and one more. */
  private long threeInOneRack(ScmHarness h) throws StoreException {
    return threeInOneRack(h, 8192);
  }

  private long threeInOneRack(ScmHarness h, long end) throws StoreException {
    long id = sealed(h, 1, end).get(0);
    tell("/a", hosts(h, id).subList(0, 3));
    tell("/b", hosts(h, id).get(3));
    tell("/c", hosts(h, id).get(4));
    tell("/b", others(h, id).get(0));
    tell("/c", others(h, id).get(1));
    if (others(h, id).size() > 2) {
      tell("/d", others(h, id).subList(2, others(h, id).size()));
    }
    return id;
  }

  private static FakeDatanode target(ScmHarness h) {
    return h.nodes.stream().filter(n -> n.rebuildsUnderWay() == 1).findFirst().orElseThrow();
  }

  @Test
  void aNewLeaderGoesOnAndKeepsWhatThereIs() throws Exception {
    ScmHarness h = cluster(7, 1, "host");
    long id = threeInOneRack(h);
    h.nodes.forEach(node -> node.holdRebuilds(true));
    registerAnew(h);
    passUnharmed(h, A_LITTLE);
    assertEquals(1, h.status().getBalance().getInFlight());
    List<String> before = places(h, id);
    StorageContainerManager old = h.scm;
    failOver(h);
    // The first target ends what the old leader ordered, and has only that one to tell.
    h.nodes.forEach(node -> node.holdRebuilds(false));
    target(h).finishRebuilds();
    for (FakeDatanode node : h.nodes) {
      node.heartbeat(old);
    }
    assertEquals(before, places(h, id), "a deposed leader changed the row");
    h.pass(ScmHarness.DEAD);
    passUnharmed(h, A_LITTLE);
    assertNoneLeft(h);
    assertEquals(0, beyondM(h, id));
    assertEquals(1, moved(h));
    for (ShardPlace place : h.container(id).getShardsList()) {
      ShardReport shard = h.node(place).shard(id, place.getIndex());
      assertNotNull(shard, () -> "shard " + place + " is not there");
      assertTrue(shard.getSealed());
    }
    long generation = h.container(id).getLastGeneration();
    h.pass(Duration.ofMinutes(1));
    assertEquals(generation, h.container(id).getLastGeneration(), "it goes on and on");
  }

  /** All that are under way end when nobody waits for them any more: no row explains the copies. */
  @Test
  void movesOfALeaderThatIsGoneAreTooFewToHoldAnythingBack() throws Exception {
    ScmHarness h = cluster(10, 12, "host");
    sealed(h, 140);
    tell("/a", h.nodes.subList(0, 6));
    tell("/b", h.nodes.subList(6, 8));
    tell("/c", h.nodes.subList(8, 10));
    h.nodes.forEach(node -> node.holdRebuilds(true));
    word = word.toBuilder().setMovesAtOnce(65).build();
    assertThrows(StoreException.class, () -> h.scm.setBalance(word));
    word = word.toBuilder().setMovesAtOnce(64).build();
    registerAnew(h);
    h.pass(Duration.ofSeconds(20));
    assertEquals(64, h.status().getBalance().getInFlight());
    for (int leader = 0; leader < 3; leader++) {
      failOver(h);
      h.nodes.forEach(FakeDatanode::finishRebuilds);
      h.pass(ScmHarness.DEAD.plus(A_LITTLE));
      assertTrue(h.status().getUnknownShards() > 50, h.status()::toString);
      assertEquals("", h.status().getHeldBack());
    }
  }

  @Test
  void aTargetThatDiesIsReplacedAndNothingIsLostMeanwhile() throws Exception {
    ScmHarness h = cluster(8, 1, "host");
    long id = threeInOneRack(h);
    h.nodes.forEach(node -> node.holdRebuilds(true));
    registerAnew(h);
    passUnharmed(h, A_LITTLE);
    FakeDatanode target = target(h);
    List<String> before = places(h, id);
    target.setDown(true);
    h.nodes.forEach(node -> node.holdRebuilds(false));
    passUnharmed(h, ScmHarness.DEAD.minusSeconds(2), target);
    assertEquals(before, places(h, id));
    passUnharmed(h, Duration.ofSeconds(30), target);
    assertEquals(0, beyondM(h, id));
    assertEquals(1, moved(h));
    assertEquals(1, h.status().getRepair().getShardsFailed());
    assertTrue(!hosts(h, id).contains(target));
    target.setDown(false);
    target.restart();
    h.pass(A_LITTLE);
    assertNoneLeft(h);
    assertWholeAndAlone(h, id);
  }

  @Test
  void aSourceThatDiesIsMadeFromTheOthers() throws Exception {
    ScmHarness h = cluster(8, 1, "host");
    long id = threeInOneRack(h);
    h.nodes.forEach(node -> node.holdRebuilds(true));
    registerAnew(h);
    passUnharmed(h, A_LITTLE);
    FakeDatanode target = target(h);
    int index = target.rebuildsHeld().get(0).getShard().getIndex();
    FakeDatanode source = hosts(h, id).get(index);
    source.setDown(true);
    h.pass(ScmHarness.DEAD.plus(A_LITTLE), source);
    assertEquals(1, h.status().getEndangeredContainers());
    assertEquals(1, target.rebuildsUnderWay());
    h.nodes.forEach(node -> node.holdRebuilds(false));
    target.finishRebuilds();
    h.pass(A_LITTLE, source);
    assertEquals(0, h.status().getEndangeredContainers());
    assertEquals(target, hosts(h, id).get(index));
    source.setDown(false);
    source.restart();
    h.pass(A_LITTLE);
    assertNoneLeft(h);
    assertEquals(0, beyondM(h, id));
    assertWholeAndAlone(h, id);
  }

  @Test
  void whatIsLostIsMadeFirst() throws Exception {
    ScmHarness h = cluster(9, 1, "host");
    long id = threeInOneRack(h);
    h.nodes.forEach(FakeDatanode::restart); // all are told their racks, also who dies
    h.pass(Duration.ofSeconds(1));
    h.nodes.forEach(node -> node.holdRebuilds(true));
    FakeDatanode dead = hosts(h, id).get(4); // not one of the three
    dead.setDown(true);
    h.pass(ScmHarness.DEAD.plus(A_LITTLE), dead);
    registerAnew(h, dead);
    h.pass(Duration.ofMinutes(1), dead);
    assertEquals(1, h.status().getRepair().getInFlight());
    assertEquals(0, h.status().getBalance().getInFlight());
    FakeDatanode target = target(h);
    assertEquals(4, target.rebuildsHeld().get(0).getShard().getIndex());
    h.nodes.forEach(node -> node.holdRebuilds(false));
    target.finishRebuilds();
    h.pass(A_LITTLE, dead);
    passUnharmed(h, Duration.ofSeconds(80), dead); // places are looked at once a minute
    assertNoneLeft(h);
    assertEquals(0, beyondM(h, id));
    assertEquals(1, h.status().getRepair().getShardsDone());
    assertEquals(1, moved(h));
  }

  @Test
  void aShardThatIsLostInTheMeantimeIsMadeAwayFromBothPlaces() throws Exception {
    ScmHarness h = cluster(9, 1, "host");
    long id = threeInOneRack(h);
    h.nodes.forEach(node -> node.holdRebuilds(true));
    registerAnew(h);
    passUnharmed(h, A_LITTLE);
    FakeDatanode target = target(h);
    int index = target.rebuildsHeld().get(0).getShard().getIndex();
    FakeDatanode source = hosts(h, id).get(index);
    FakeDatanode dead = hosts(h, id).get(4);
    dead.setDown(true);
    h.pass(ScmHarness.DEAD.plus(A_LITTLE), dead);
    assertEquals(1, h.status().getBalance().getInFlight());
    assertEquals(1, h.status().getRepair().getInFlight());
    h.nodes.forEach(node -> node.holdRebuilds(false));
    h.nodes.forEach(FakeDatanode::finishRebuilds);
    h.pass(Duration.ofSeconds(20), dead);
    assertEquals(target, hosts(h, id).get(index));
    assertNotEquals(target, hosts(h, id).get(4));
    assertNotEquals(source, hosts(h, id).get(4));
    assertNoneLeft(h);
    dead.setDown(false);
    dead.restart();
    h.pass(A_LITTLE);
    assertWholeAndAlone(h, id);
  }

  @Test
  void racksThatChangeOnTheWayCostOneMoveMore() throws Exception {
    ScmHarness h = cluster(7, 1, "host");
    long id = threeInOneRack(h);
    h.nodes.forEach(node -> node.holdRebuilds(true));
    registerAnew(h);
    passUnharmed(h, A_LITTLE);
    // Where it is on its way to is in the rack that it was to leave, after all.
    FakeDatanode target = target(h);
    tell("/a", target);
    failOverWithinTheOrder(h, target);
    h.nodes.forEach(node -> node.holdRebuilds(false));
    h.pass(ScmHarness.DEAD);
    passUnharmed(h, Duration.ofSeconds(30));
    assertEquals(0, beyondM(h, id));
    assertNoneLeft(h);
    long generation = h.container(id).getLastGeneration();
    h.pass(Duration.ofMinutes(1));
    assertEquals(generation, h.container(id).getLastGeneration(), "it goes on and on");
  }

  /** The old leader's order completes; a new one learns of other racks. */
  private static void failOverWithinTheOrder(ScmHarness h, FakeDatanode target)
      throws StoreException {
    target.finishRebuilds();
    h.pass(Duration.ofSeconds(2));
    failOver(h);
  }

  /** A fuller disk's shard would find room only where there are m already. */
  @Test
  void balancingMakesNoOtherRackOneThatMayNotBeLost() throws Exception {
    ScmHarness h = cluster(6, 1, "host");
    FakeDatanode empty = h.nodes.get(0);
    setMode(h, empty, DatanodeMode.MAINTENANCE);
    long id = sealed(h, 1).get(0);
    setMode(h, empty, DatanodeMode.IN_SERVICE);
    tell("/a", hosts(h, id).subList(0, 2));
    tell("/a", empty);
    tell("/b", hosts(h, id).subList(2, 5));
    for (FakeDatanode node : h.nodes) {
      node.setUsedBytes(node.diskIds().get(0), 100L << 30);
    }
    FakeDatanode full = hosts(h, id).get(4);
    full.setUsedBytes(full.diskIds().get(0), 200L << 30);
    empty.setUsedBytes(empty.diskIds().get(0), 0);
    registerAnew(h);
    h.pass(Duration.ofMinutes(1));
    assertEquals(0, moved(h));
    // What is full and in that rack goes there as ever.
    full.setUsedBytes(full.diskIds().get(0), 100L << 30);
    FakeDatanode other = hosts(h, id).get(0);
    other.setUsedBytes(other.diskIds().get(0), 200L << 30);
    h.pass(Duration.ofMinutes(1));
    assertEquals(1, moved(h));
    assertNoneLeft(h);
  }

  /** The larger one has three shards: its loss loses the container anyway. */
  @Test
  void balancingEmptiesTheSmallerOfTwoRacks() throws Exception {
    ScmHarness h = cluster(10, 1, "host");
    long id = sealed(h, 1).get(0);
    List<FakeDatanode> small = hosts(h, id).subList(0, 2);
    tell("/b", h.nodes);
    tell("/a", small);
    for (FakeDatanode node : h.nodes) {
      node.setUsedBytes(node.diskIds().get(0), 28L << 30);
    }
    for (FakeDatanode node : small) {
      node.setUsedBytes(node.diskIds().get(0), 90L << 30);
    }
    registerAnew(h);
    passUnharmed(h, Duration.ofSeconds(30));
    assertEquals(2, moved(h));
    assertNoneLeft(h);
    assertTrue(hosts(h, id).stream().noneMatch(small::contains));
    assertWholeAndAlone(h, id);
  }

  private static void setMode(ScmHarness h, FakeDatanode node, DatanodeMode mode)
      throws StoreException {
    assertNotNull(
        h.scm.setDatanodeMode(
            SetDatanodeModeRequest.newBuilder().setNodeId(node.nodeId()).setMode(mode).build()));
  }
}
