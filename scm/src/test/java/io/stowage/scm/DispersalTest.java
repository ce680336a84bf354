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
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.stowage.common.error.StoreException;
import io.stowage.common.proto.ContainerInfo;
import io.stowage.common.proto.DatanodeMode;
import io.stowage.common.proto.Lease;
import io.stowage.common.proto.LeaseOutcome;
import io.stowage.common.proto.SetBalanceRequest;
import io.stowage.common.proto.SetDatanodeModeRequest;
import io.stowage.common.proto.ShardPlace;
import io.stowage.common.proto.ShardReport;
import io.stowage.scm.cluster.RackResolver;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.function.Function;
import org.junit.jupiter.api.Test;

/** Containers that break the rule of placement after they were placed; rs-3-2 throughout. */
class DispersalTest {
  private static final Duration A_LITTLE = Duration.ofSeconds(8);
  private static final int M = 2;

  private final Map<String, String> rackOf = new HashMap<>();

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

  private static void registerAnew(ScmHarness h) {
    h.nodes.forEach(FakeDatanode::restart);
  }

  private static List<Long> sealed(ScmHarness h, int count) throws StoreException {
    List<Long> ids = new ArrayList<>();
    for (int i = 0; i < count; i++) {
      Lease lease = h.written(8192);
      h.release(lease, LeaseOutcome.LEASE_FULL, 8192);
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

  private static long dispersed(ScmHarness h) {
    return h.status().getRepair().getShardsDispersed();
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

  private static void assertNoneLeft(ScmHarness h) {
    assertEquals(0, h.status().getMisplacedContainers());
    assertEquals(0, h.status().getCrowdedContainers());
    assertEquals(0, h.status().getRepair().getDispersing());
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
    assertNoneLeft(h);
    tell("/a", h.nodes.subList(0, 6));
    tell("/b", h.nodes.subList(6, 8));
    tell("/c", h.nodes.subList(8, 10));
    int tooMany = 0;
    for (long id : ids) {
      tooMany += beyondM(h, id);
    }
    assertTrue(tooMany > 4);
    registerAnew(h);
    h.nodes.forEach(node -> node.holdRebuilds(true));
    passUnharmed(h, A_LITTLE);
    assertTrue(h.status().getMisplacedContainers() > 0);
    assertEquals(0, h.status().getCrowdedContainers());
    int atOnce = h.status().getRepair().getDispersing();
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
    assertEquals(tooMany, dispersed(h), "moves that were not needed");
    assertEquals(0, h.status().getRepair().getShardsDone());
    assertEquals(0, h.status().getBalance().getShardsMoved());
    h.pass(Duration.ofMinutes(2));
    assertEquals(tooMany, dispersed(h));
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
    assertEquals(0, dispersed(h));
    tell("/c", untold);
    untold.restart();
    passUnharmed(h, Duration.ofSeconds(30));
    assertEquals(1, dispersed(h));
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
    assertNoneLeft(h);
    h.setFailureDomains("host");
    failOver(h);
    h.pass(ScmHarness.DEAD);
    passUnharmed(h, Duration.ofSeconds(60));
    assertNoneLeft(h);
    for (long id : ids) {
      assertWholeAndAlone(h, id);
    }
    assertEquals(twice, dispersed(h));
  }

  @Test
  void whereThereIsNoBetterPlaceNothingHappens() throws Exception {
    ScmHarness h = cluster(6, 1, "host");
    FakeDatanode unused = h.nodes.get(5);
    setMode(h, unused, DatanodeMode.MAINTENANCE);
    List<Long> ids = sealed(h, 3);
    List<ContainerInfo> before = new ArrayList<>();
    for (long id : ids) {
      before.add(h.container(id));
    }
    tell("/a", h.nodes.subList(0, 4));
    tell("/b", h.nodes.subList(4, 6));
    registerAnew(h);
    h.pass(Duration.ofMinutes(2));
    assertEquals(0, h.status().getMisplacedContainers());
    assertEquals(3, h.status().getCrowdedContainers());
    assertEquals(0, dispersed(h));
    for (ContainerInfo container : before) {
      assertEquals(2, beyondM(h, container.getId()));
      assertEquals(
          container.getLastGeneration(), h.container(container.getId()).getLastGeneration());
    }
    // As soon as there is one, one shard of each goes there, and three are still one too many.
    setMode(h, unused, DatanodeMode.IN_SERVICE);
    passUnharmed(h, Duration.ofMinutes(1));
    assertEquals(0, h.status().getMisplacedContainers());
    assertEquals(3, h.status().getCrowdedContainers());
    assertEquals(3, dispersed(h));
    for (long id : ids) {
      assertEquals(1, beyondM(h, id));
      assertWholeAndAlone(h, id);
    }
  }

  /** Three shards of it are in one rack; there is one place each in two others, and one more. */
  private long threeInOneRack(ScmHarness h) throws StoreException {
    long id = sealed(h, 1).get(0);
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
    assertEquals(1, h.status().getRepair().getDispersing());
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
    assertEquals(1, dispersed(h));
    for (ShardPlace place : h.container(id).getShardsList()) {
      ShardReport shard = h.node(place).shard(id, place.getIndex());
      assertNotNull(shard, () -> "shard " + place + " is not there");
      assertTrue(shard.getSealed());
    }
    long generation = h.container(id).getLastGeneration();
    h.pass(Duration.ofMinutes(1));
    assertEquals(generation, h.container(id).getLastGeneration(), "it goes on and on");
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
    assertEquals(1, dispersed(h));
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
    h.nodes.forEach(node -> node.holdRebuilds(true));
    FakeDatanode dead = hosts(h, id).get(4); // not one of the three
    dead.setDown(true);
    h.pass(ScmHarness.DEAD.plus(A_LITTLE), dead);
    registerAnew(h);
    h.pass(Duration.ofMinutes(1), dead);
    assertEquals(1, h.status().getRepair().getInFlight());
    assertEquals(0, h.status().getRepair().getDispersing());
    assertEquals(0, h.status().getMisplacedContainers());
    FakeDatanode target = target(h);
    assertEquals(4, target.rebuildsHeld().get(0).getShard().getIndex());
    h.nodes.forEach(node -> node.holdRebuilds(false));
    target.finishRebuilds();
    h.pass(A_LITTLE, dead);
    passUnharmed(h, Duration.ofSeconds(20), dead);
    assertNoneLeft(h);
    assertEquals(0, beyondM(h, id));
    assertEquals(1, h.status().getRepair().getShardsDone());
    assertEquals(1, dispersed(h));
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
    assertEquals(1, h.status().getRepair().getDispersing());
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

  /** A fuller disk's shard would find room only where there are too many already. */
  @Test
  void balancingPutsNoShardWhereItWouldBeMovedAwayAgain() throws Exception {
    ScmHarness h = cluster(6, 1, "host");
    FakeDatanode empty = h.nodes.get(0);
    setMode(h, empty, DatanodeMode.MAINTENANCE);
    long id = sealed(h, 1).get(0);
    setMode(h, empty, DatanodeMode.IN_SERVICE);
    tell("/a", hosts(h, id).subList(0, 3));
    tell("/a", empty);
    tell("/b", hosts(h, id).subList(3, 5));
    registerAnew(h);
    for (FakeDatanode node : h.nodes) {
      node.setUsedBytes(node.diskIds().get(0), 100L << 30);
    }
    FakeDatanode full = hosts(h, id).get(4);
    full.setUsedBytes(full.diskIds().get(0), 200L << 30);
    empty.setUsedBytes(empty.diskIds().get(0), 0);
    assertNotNull(
        h.scm.setBalance(
            SetBalanceRequest.newBuilder().setRunning(true).setThreshold(0.1).build()));
    h.pass(Duration.ofMinutes(1));
    assertEquals(0, h.status().getBalance().getShardsMoved());
    assertEquals(1, h.status().getCrowdedContainers());
    assertEquals(0, dispersed(h));
    // What is full and beside two others goes there as ever.
    full.setUsedBytes(full.diskIds().get(0), 100L << 30);
    FakeDatanode other = hosts(h, id).get(0);
    other.setUsedBytes(other.diskIds().get(0), 200L << 30);
    h.pass(Duration.ofMinutes(1));
    assertEquals(1, h.status().getBalance().getShardsMoved());
    assertEquals(1, h.status().getCrowdedContainers());
    assertEquals(0, dispersed(h));
  }

  private static void setMode(ScmHarness h, FakeDatanode node, DatanodeMode mode)
      throws StoreException {
    assertNotNull(
        h.scm.setDatanodeMode(
            SetDatanodeModeRequest.newBuilder().setNodeId(node.nodeId()).setMode(mode).build()));
  }
}
