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
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.stowage.common.error.ErrorCode;
import io.stowage.common.error.StoreException;
import io.stowage.common.id.WriteId;
import io.stowage.common.proto.ClaimContainerReply;
import io.stowage.common.proto.ClaimContainerRequest;
import io.stowage.common.proto.ContainerInfo;
import io.stowage.common.proto.ContainerState;
import io.stowage.common.proto.FinishRepackRequest;
import io.stowage.common.proto.HeartbeatReply;
import io.stowage.common.proto.KeepContainersRequest;
import io.stowage.common.proto.Lease;
import io.stowage.common.proto.LeaseContainersRequest;
import io.stowage.common.proto.LeaseOutcome;
import io.stowage.common.proto.Order;
import io.stowage.common.proto.ReleaseLeaseRequest;
import io.stowage.common.proto.RenewLeasesRequest;
import io.stowage.common.proto.RepackOutcome;
import io.stowage.common.proto.RepackWork;
import io.stowage.common.proto.ShardPlace;
import io.stowage.common.proto.ShardReport;
import io.stowage.scm.container.ContainerRow;
import java.time.Duration;
import java.util.ArrayList;
import java.util.BitSet;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.concurrent.atomic.AtomicInteger;
import org.apache.hadoop.thirdparty.protobuf.ByteString;
import org.apache.log4j.Level;
import org.apache.log4j.Logger;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;

/**
 * Every order in which two SCMs that both believe to lead can do what matters, up to a depth, and
 * long random ones beyond it: the real SCM code over the in-memory table, with datanodes that keep
 * the fencing rules. Nobody is ever told that it lost; only compare-and-set and epochs stand
 * between the two. Of the sequences of four steps a part is tried, another one each time, in which
 * each of three steps is the beginning of one; all of them with {@code
 * -Dstowage.scm.every-interleaving=true}.
 */
class TwoLeadersTest {
  private static final String POLICY = "rs-1-2";
  private static final int NODES = 3;
  private static final int DATA_SHARDS = 1;

  /** Sequences of so many steps are all tried. */
  private static final int DEPTH = 3;

  private static final boolean EVERY = Boolean.getBoolean("stowage.scm.every-interleaving");

  // One of so many runs; primes, or all of them would begin with the same few steps.
  private static final int REPAIRED_TO_THE_END = 19;
  private static final int REPAIR_WALKS = Integer.getInteger("stowage.scm.repair-walks", 400);
  private static final int EMPTIED_TO_THE_END = 53;

  private static final int REPACK_WALKS = Integer.getInteger("stowage.scm.repack-walks", 300);
  private static final int RANDOM_WALKS = 1_500;
  private static final int RANDOM_LENGTH = 40;

  private static Level levelBefore;

  /** Two hundred thousand SCMs would tell of every datanode that registers. */
  @BeforeAll
  static void beQuiet() {
    levelBefore = Logger.getLogger("io.stowage").getLevel();
    Logger.getLogger("io.stowage").setLevel(Level.OFF);
  }

  @AfterAll
  static void speakAgain() {
    Logger.getLogger("io.stowage").setLevel(levelBefore);
  }

  /** What one of the two SCMs does next. */
  private enum Step {
    WIN,
    GRANT,
    RENEW_LATEST,
    RELEASE_LATEST_IDLE,
    SEAL_LATEST,
    REPORT,
    ANSWER_UNDER_WAY,
    DELIVER_LATE,
    FOLLOW,
    TICK,
    LOSE_SHARD,
    SHARD_COMES_BACK,
    END_REBUILDS,
    TIME_PASSES,
    CLAIM,
    KEEP,
    FINISH_FIRST,
    FINISH_LATEST,
    CLAIM_LAPSES
  }

  /** What concerns leases and seals. */
  private static final List<Step> STEPS =
      List.of(
          Step.WIN,
          Step.GRANT,
          Step.RENEW_LATEST,
          Step.RELEASE_LATEST_IDLE,
          Step.SEAL_LATEST,
          Step.REPORT,
          Step.ANSWER_UNDER_WAY,
          Step.DELIVER_LATE,
          Step.FOLLOW);

  /** What concerns rebuilds, of a container that is sealed before. */
  private static final List<Step> REPAIR_STEPS =
      List.of(
          Step.WIN,
          Step.REPORT,
          Step.ANSWER_UNDER_WAY,
          Step.DELIVER_LATE,
          Step.FOLLOW,
          Step.TICK,
          Step.LOSE_SHARD,
          Step.SHARD_COMES_BACK,
          Step.END_REBUILDS,
          Step.TIME_PASSES);

  /** What concerns repack, of a container that is sealed and of which the window is over. */
  private static final List<Step> REPACK_STEPS =
      List.of(
          Step.WIN,
          Step.FOLLOW,
          Step.CLAIM,
          Step.KEEP,
          Step.FINISH_FIRST,
          Step.FINISH_LATEST,
          Step.CLAIM_LAPSES);

  /** The same among all else that goes on with it. */
  private static final List<Step> REPACK_WALK_STEPS =
      List.of(
          Step.WIN,
          Step.FOLLOW,
          Step.CLAIM,
          Step.CLAIM,
          Step.KEEP,
          Step.FINISH_FIRST,
          Step.FINISH_LATEST,
          Step.CLAIM_LAPSES,
          Step.REPORT,
          Step.ANSWER_UNDER_WAY,
          Step.DELIVER_LATE,
          Step.TICK,
          Step.LOSE_SHARD,
          Step.SHARD_COMES_BACK,
          Step.END_REBUILDS);

  /** A worker that was given a container to empty, and when. */
  private record Worker(ByteString holder, int sinceStep) {}

  /** One run from the beginning. */
  private static final class World {
    private final ScmHarness h = new ScmHarness(NODES, null);
    private final StorageContainerManager[] scms = {h.scm, h.newScm()};
    private final Map<FakeDatanode, HeartbeatReply> underWay = new HashMap<>();
    private final int[] underWayFrom = new int[1];
    private final Map<String, Lease> byContainerAndEpoch = new HashMap<>();
    private final List<Lease> granted = new ArrayList<>();
    private final Map<Long, ContainerRow> latestRow = new HashMap<>();
    private final Map<FakeDatanode, List<ShardReport>> mislaid = new LinkedHashMap<>();
    private final Map<FakeDatanode, Integer> judged = new HashMap<>();
    private final List<Worker> workers = new ArrayList<>();
    private int steps;
    private int keptAt = -1; // the last step in which somebody was told that it is kept
    private boolean deleted; // a worker was told so

    World() throws StoreException {
      for (FakeDatanode node : h.nodes) {
        node.heartbeat(scms[1]);
        node.heartbeat(scms[1]);
      }
      step(0, Step.GRANT);
      step(0, Step.REPORT);
    }

    void step(int who, Step step) throws StoreException {
      StorageContainerManager scm = scms[who];
      h.clock.advance(Duration.ofMillis(1));
      steps++;
      try {
        switch (step) {
          case WIN -> {
            if (!scm.isLeader()) {
              scm.won();
            }
          }
          case GRANT -> grant(scm);
          case RENEW_LATEST ->
              scm.renewLeases(
                  RenewLeasesRequest.newBuilder().addLeases(ScmHarness.ref(latest())).build());
          case RELEASE_LATEST_IDLE -> release(scm, LeaseOutcome.LEASE_IDLE);
          case SEAL_LATEST -> release(scm, LeaseOutcome.LEASE_FULL);
          case REPORT -> {
            for (FakeDatanode node : h.nodes) {
              node.heartbeat(scm);
            }
          }
          case ANSWER_UNDER_WAY -> {
            underWayFrom[0] = who;
            for (FakeDatanode node : h.nodes) {
              underWay.put(node, node.ask(scm));
            }
          }
          case DELIVER_LATE -> {
            for (Map.Entry<FakeDatanode, HeartbeatReply> reply : underWay.entrySet()) {
              reply.getKey().take(scms[underWayFrom[0]], reply.getValue());
            }
            underWay.clear();
          }
          case FOLLOW -> scm.follow();
          case TICK -> ScmHarness.tick(scm);
          case LOSE_SHARD -> loseShard();
          case SHARD_COMES_BACK -> {
            mislaid.forEach(
                (node, shards) -> {
                  shards.forEach(node::plant);
                  node.restart();
                });
            mislaid.clear();
          }
          case END_REBUILDS -> h.nodes.forEach(FakeDatanode::finishRebuilds);
          case TIME_PASSES -> h.clock.advance(Duration.ofSeconds(6));
          case CLAIM -> claim(scm);
          case KEEP -> keep(scm);
          case FINISH_FIRST -> finish(scm, 0);
          case FINISH_LATEST -> finish(scm, workers.size() - 1);
          case CLAIM_LAPSES -> {
            h.clock.advance(ScmHarness.CLAIM);
            ScmHarness.tick(scm);
          }
        }
      } catch (StoreException e) {
        switch (e.code()) {
          case NOT_LEADER -> {} // it noticed
          case UNAVAILABLE, LEASE_LOST -> assertTrue(isRepack(step), e::toString);
          default -> throw e;
        }
      }
      check();
    }

    private void grant(StorageContainerManager scm) throws StoreException {
      Lease lease =
          scm.leaseContainer(
                  LeaseContainersRequest.newBuilder()
                      .setPolicy(POLICY)
                      .setHolder(WriteId.random())
                      .build())
              .getLease();
      ContainerInfo container = lease.getContainer();
      Lease twin =
          byContainerAndEpoch.put(container.getId() + "/" + container.getLeaseEpoch(), lease);
      assertTrue(twin == null, () -> "granted twice: " + twin + lease);
      granted.add(lease);
      for (ShardPlace place : container.getShardsList()) {
        try {
          h.node(place).open(container, place, lease.getHolder());
        } catch (StoreException e) {
          // Fenced or sealed meanwhile: the writer asks for another lease.
          assertTrue(e.code() == ErrorCode.FENCED || e.code() == ErrorCode.SHARD_SEALED);
        }
      }
    }

    private static boolean isRepack(Step step) {
      return step == Step.CLAIM || step == Step.FINISH_FIRST || step == Step.FINISH_LATEST;
    }

    private void claim(StorageContainerManager scm) throws StoreException {
      ByteString holder = WriteId.random();
      ClaimContainerReply reply =
          scm.claimContainer(
              ClaimContainerRequest.newBuilder()
                  .setObjectTable(ScmHarness.TABLE)
                  .setHolder(holder)
                  .setContainer(latest().getContainer().getId())
                  .build());
      assertEquals(RepackWork.REPACK_EMPTY, reply.getWork());
      assertEquals(holder, reply.getContainer().getRepackHolder());
      workers.add(new Worker(holder, steps));
    }

    /** A commit came late: whoever has judged before it must not have the last word. */
    private void keep(StorageContainerManager scm) throws StoreException {
      long id = latest().getContainer().getId();
      boolean kept =
          scm.keepContainers(KeepContainersRequest.newBuilder().addIds(id).build()).getKeptCount()
              == 1;
      assertFalse(kept && deleted, "kept, though it is DELETED");
      keptAt = kept ? steps : keptAt;
    }

    private void finish(StorageContainerManager scm, int which) throws StoreException {
      if (workers.isEmpty()) {
        return;
      }
      Worker worker = workers.get(which);
      ContainerState state =
          scm.finishRepack(
                  FinishRepackRequest.newBuilder()
                      .setObjectTable(ScmHarness.TABLE)
                      .setContainer(latest().getContainer().getId())
                      .setHolder(worker.holder)
                      .setOutcome(RepackOutcome.REPACK_EMPTIED)
                      .build())
              .getState();
      assertEquals(ContainerState.DELETED, state);
      assertTrue(keptAt < worker.sinceStep, "judged before a commit that was told it is kept");
      deleted = true;
    }

    /** Sealed for as long that its needles may be judged. */
    void sealAndRipen() throws StoreException {
      sealAndSettle();
      h.nodes.forEach(node -> node.holdRebuilds(false));
      h.clock.advance(ScmHarness.WINDOW.plusMinutes(1));
      for (int i = 0; i < 2; i++) {
        step(0, Step.TICK); // that it stood still is held against nobody
        step(0, Step.REPORT);
        step(1, Step.TICK);
        step(1, Step.REPORT);
      }
    }

    /** Left alone with one leader, the container is emptied, and then nothing is left of it. */
    void checkThatItGoes() throws StoreException {
      StorageContainerManager last = scms[1];
      scms[0].lost();
      last.lost();
      last.won();
      h.scm = last;
      step(1, Step.SHARD_COMES_BACK);
      h.pass(Duration.ofSeconds(40));
      if (!deleted) {
        step(1, Step.CLAIM);
        step(1, Step.FINISH_LATEST);
      }
      assertTrue(deleted, "nobody may empty it any more");
      h.clock.advance(ScmHarness.KEEP);
      ScmHarness.tick(last);
      h.pass(Duration.ofSeconds(20));
      check();
      long id = latest().getContainer().getId();
      assertNull(h.store.read(id));
      assertTrue(
          h.nodes.stream().allMatch(node -> node.shards().isEmpty()), "its shards are still there");
    }

    /** Seals the container and has it whole, so that something can be lost of it. */
    void sealAndSettle() throws StoreException {
      h.write(latest(), 4096);
      release(scms[0], LeaseOutcome.LEASE_FULL);
      for (int i = 0; i < 3; i++) {
        step(0, Step.REPORT);
        step(0, Step.TICK);
      }
      step(1, Step.REPORT);
      step(1, Step.FOLLOW);
      h.nodes.forEach(node -> node.holdRebuilds(true));
    }

    /** One copy after another, but never the last k: those are there in the end. */
    private void loseShard() {
      long id = latest().getContainer().getId();
      if (!mislaid.isEmpty()) {
        return;
      }
      for (FakeDatanode node : h.nodes) {
        List<ShardReport> there =
            node.shards().stream().filter(shard -> shard.getContainer() == id).toList();
        if (!there.isEmpty()) {
          node.lose(id, there.get(0).getIndex());
          node.restart();
          mislaid.put(node, there);
          return;
        }
      }
    }

    private Lease latest() {
      return granted.get(granted.size() - 1);
    }

    private void release(StorageContainerManager scm, LeaseOutcome outcome) throws StoreException {
      scm.releaseLease(
          ReleaseLeaseRequest.newBuilder()
              .setLease(ScmHarness.ref(latest()))
              .setOutcome(outcome)
              .build());
    }

    private void check() throws StoreException {
      h.store.scan(
          0,
          0,
          row -> {
            ContainerRow before = latestRow.put(row.id(), row);
            if (before != null) {
              assertTrue(row.version() >= before.version());
              assertTrue(row.info().getLeaderEpoch() >= before.info().getLeaderEpoch());
              assertTrue(row.info().getLeaseEpoch() >= before.info().getLeaseEpoch());
              assertTrue(row.info().getState().getNumber() >= before.info().getState().getNumber());
              assertTrue(row.info().getLastGeneration() >= before.info().getLastGeneration());
              for (int i = 0; i < row.info().getShardsCount(); i++) {
                ShardPlace now = row.info().getShards(i);
                ShardPlace then = before.info().getShards(i);
                assertTrue(now.getGeneration() >= then.getGeneration());
                assertTrue(
                    now.getGeneration() > then.getGeneration() || now.equals(then),
                    "a place changed under one generation");
              }
            }
            if (row.info().getState() != ContainerState.OPEN) {
              for (Lease lease : granted) {
                if (lease.getContainer().getId() == row.id()) {
                  assertTrue(lease.getGrantedMicros() <= row.info().getSealedMicros());
                }
              }
            }
            return true;
          });
      assertEquals(
          0,
          h.store.operatorWord().word().getTableOlderSinceMicros(),
          "the table is never older than the disks");
      checkRemovals();
      for (FakeDatanode node : h.nodes) {
        long heard = 0;
        for (Order order : node.obeyedOrders()) {
          assertTrue(order.getLeaderEpoch() >= heard, "obeyed a stale leader");
          heard = order.getLeaderEpoch();
          // Whoever gave it, the row had said so before: what a stale leader orders is harmless.
          ContainerRow row = latestRow.get(order.getShard().getContainer());
          assertNotNull(row);
          assertNotEquals(ContainerState.OPEN, row.info().getState());
          assertTrue(row.version() >= order.getRowVersion());
        }
      }
      for (Lease lease : granted) {
        checkNoStripeAfterSeal(lease);
      }
    }

    /**
     * Nothing that a row names is ever deleted or put aside, before the row is DELETED; and no
     * generation is made twice.
     */
    private void checkRemovals() {
      for (FakeDatanode node : h.nodes) {
        List<Order> orders = node.obeyedOrders();
        for (int i = judged.getOrDefault(node, 0); i < orders.size(); i++) {
          Order order = orders.get(i);
          if (order.hasDelete() || order.hasQuarantine()) {
            ContainerInfo row = latestRow.get(order.getShard().getContainer()).info();
            ShardPlace named = row.getShards(order.getShard().getIndex());
            assertTrue(
                (order.hasDelete() && row.getState() == ContainerState.DELETED)
                    || named.getGeneration() != order.getShard().getGeneration()
                    || !named.getNodeId().equals(node.nodeId()),
                () -> "removed what the row names: " + order);
          }
          if (order.hasRebuild()) {
            FakeDatanode before =
                made.put(
                    order.getShard().getContainer() + "/" + order.getShard().getGeneration(), node);
            assertTrue(before == null || before == node, "one generation was made by two nodes");
          }
        }
        judged.put(node, orders.size());
      }
    }

    private final Map<String, FakeDatanode> made = new HashMap<>();

    /** A stripe needs all cells; once k shards are sealed none gets them. */
    private void checkNoStripeAfterSeal(Lease lease) {
      int sealed = 0;
      int acknowledged = 0;
      for (ShardPlace place : lease.getContainer().getShardsList()) {
        ShardReport shard = h.node(place).shard(lease.getContainer().getId(), place.getIndex());
        sealed += shard != null && shard.getSealed() ? 1 : 0;
        try {
          h.node(place).write(lease, place, 4096);
          acknowledged++;
        } catch (StoreException e) {
          // This cell is not there: one more that the stripe lacks.
        }
      }
      assertTrue(sealed < DATA_SHARDS || acknowledged < NODES);
    }

    /** Left alone with one leader, the container is whole and nothing is left over. */
    void checkThatItIsRepaired() throws StoreException {
      StorageContainerManager last = scms[1];
      scms[0].lost();
      last.lost();
      last.won();
      h.scm = last;
      step(1, Step.SHARD_COMES_BACK);
      h.nodes.forEach(FakeDatanode::finishRebuilds);
      h.nodes.forEach(node -> node.holdRebuilds(false));
      h.pass(Duration.ofSeconds(60));
      check();
      assertEquals(0, h.status().getEndangeredContainers());
      assertEquals(0, h.status().getStaleShards());
      ContainerInfo info = h.store.read(latest().getContainer().getId()).info();
      for (ShardPlace place : info.getShardsList()) {
        assertTrue(
            h.node(place).shards().stream()
                .anyMatch(
                    shard ->
                        shard.getContainer() == info.getId()
                            && shard.getIndex() == place.getIndex()
                            && shard.getGeneration() == place.getGeneration()
                            && shard.getSealed()
                            && !shard.getQuarantined()),
            () -> "not there: " + place);
      }
    }

    /** Left alone with one leader, the cluster works: whatever happened before. */
    void checkThatWorkGoesOn() throws StoreException {
      StorageContainerManager last = scms[1];
      scms[0].lost();
      last.lost();
      last.won();
      h.scm = last;
      h.pass(ScmHarness.LEASE.plusSeconds(35));
      Lease lease = null;
      for (int i = 0; i < 3; i++) {
        lease =
            last.leaseContainer(
                    LeaseContainersRequest.newBuilder()
                        .setPolicy(POLICY)
                        .setHolder(WriteId.random())
                        .build())
                .getLease();
        h.open(lease);
        h.write(lease, 4096);
      }
      assertEquals(0, h.status().getUnknownShards());
      for (FakeDatanode node : h.nodes) {
        for (ContainerRow row : latestRow.values()) {
          if (row.info().getState() == ContainerState.SEALED) {
            for (int i = 0; i < NODES; i++) {
              ShardReport shard = node.shard(row.id(), i);
              assertTrue(shard == null || shard.getSealed(), "a shard still stands open");
            }
          }
        }
      }
    }
  }

  /** What is done with the world of one run, before its steps or after them. */
  private interface Act {
    void on(World world, int run) throws StoreException;
  }

  /**
   * Every sequence of so many steps, of either SCM, as the beginning of one that is longer by one:
   * what has to hold is looked at after each step. A share without a common divisor with the number
   * of choices meets all beginnings, if it is the lesser.
   */
  private static void shortInterleavings(List<Step> steps, Act begin, Act end) {
    int choices = 2 * steps.size();
    int beginnings = (int) Math.pow(choices, DEPTH);
    BitSet begun = new BitSet(beginnings);
    everyShortInterleaving(
        steps,
        DEPTH + 1,
        EVERY ? 1 : choices - 1,
        begin,
        (world, run) -> {
          begun.set(run % beginnings);
          end.on(world, run);
        });
    assertEquals(beginnings, begun.cardinality());
  }

  /**
   * One in so many sequences of so many steps, of either SCM.
   *
   * @return how many were tried
   */
  private static int everyShortInterleaving(
      List<Step> steps, int depth, int share, Act begin, Act end) {
    int choices = 2 * steps.size();
    int all = (int) Math.pow(choices, depth);
    int runs = 0;
    for (int run = new Random().nextInt(share); run < all; run += share) {
      runs++;
      int rest = run;
      List<String> path = new ArrayList<>();
      try {
        World world = new World();
        begin.on(world, run);
        for (int i = 0; i < depth; i++) {
          int choice = rest % choices;
          rest /= choices;
          step(world, choice % 2, steps.get(choice / 2), path);
        }
        end.on(world, run);
      } catch (AssertionError | StoreException e) {
        throw new AssertionError("after " + path, e);
      }
    }
    return runs;
  }

  private static void longRandomInterleavings(int walks, List<Step> steps, Act begin, Act end) {
    for (int seed = 0; seed < walks; seed++) {
      Random random = new Random(seed);
      List<String> path = new ArrayList<>();
      try {
        World world = new World();
        begin.on(world, seed);
        for (int i = 0; i < RANDOM_LENGTH; i++) {
          int who = random.nextInt(2);
          step(world, who, steps.get(random.nextInt(steps.size())), path);
        }
        end.on(world, seed);
      } catch (AssertionError | StoreException e) {
        throw new AssertionError("seed " + seed + ": " + path, e);
      }
    }
  }

  private static void step(World world, int who, Step step, List<String> path)
      throws StoreException {
    path.add("scm " + who + " " + step);
    world.step(who, step);
  }

  @Test
  void everyShortInterleavingIsHarmless() {
    shortInterleavings(
        STEPS,
        (world, run) -> world.step(1, Step.WIN), // from here on there are two
        (world, run) -> {});
  }

  @Test
  void everyShortInterleavingOfRepairsIsHarmless() {
    int runs =
        everyShortInterleaving(
            REPAIR_STEPS,
            DEPTH,
            1,
            (world, run) -> {
              world.sealAndSettle();
              world.step(0, Step.LOSE_SHARD);
              world.step(0, Step.REPORT); // it is missed, and its rebuild ordered...
              world.step(0, Step.TICK);
              world.step(0, Step.REPORT);
              world.step(1, Step.WIN); // ...when another leader comes
            },
            (world, run) -> {
              if (run % REPAIRED_TO_THE_END == 0) {
                world.checkThatItIsRepaired();
              }
            });
    assertEquals(8_000, runs);
  }

  @Test
  void everyShortInterleavingOfRepacksIsHarmless() {
    AtomicInteger runs = new AtomicInteger();
    AtomicInteger ended = new AtomicInteger();
    shortInterleavings(
        REPACK_STEPS,
        (world, run) -> {
          world.sealAndRipen();
          world.step(0, Step.CLAIM);
          world.step(1, Step.WIN); // from here on there are two
        },
        (world, run) -> {
          runs.incrementAndGet();
          ended.addAndGet(world.deleted ? 1 : 0);
          if (run % EMPTIED_TO_THE_END == 0) {
            world.checkThatItGoes();
          }
        });
    int few = runs.get() / 40;
    assertTrue(
        ended.get() > few && ended.get() < runs.get() - few, ended + " of them ended with DELETED");
  }

  @Test
  void longRandomInterleavingsOfRepacksAreHarmlessAndEndWithNothing() {
    longRandomInterleavings(
        REPACK_WALKS,
        REPACK_WALK_STEPS,
        (world, seed) -> world.sealAndRipen(),
        (world, seed) -> world.checkThatItGoes());
  }

  @Test
  void longRandomInterleavingsOfRepairsAreHarmlessAndEndWhole() {
    longRandomInterleavings(
        REPAIR_WALKS,
        REPAIR_STEPS,
        (world, seed) -> world.sealAndSettle(),
        (world, seed) -> world.checkThatItIsRepaired());
  }

  @Test
  void longRandomInterleavingsAreHarmlessAndWorkGoesOn() {
    longRandomInterleavings(
        RANDOM_WALKS, STEPS, (world, seed) -> {}, (world, seed) -> world.checkThatWorkGoesOn());
  }
}
