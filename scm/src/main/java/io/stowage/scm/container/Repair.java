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

import io.stowage.common.erasure.ErasurePolicy;
import io.stowage.common.error.ErrorCode;
import io.stowage.common.error.NotLeaderException;
import io.stowage.common.error.StoreException;
import io.stowage.common.fault.CrashPoint;
import io.stowage.common.proto.ContainerInfo;
import io.stowage.common.proto.OrderResult;
import io.stowage.common.proto.RebuildShardOrder;
import io.stowage.common.proto.RepairStatus;
import io.stowage.common.proto.ShardPlace;
import io.stowage.common.proto.ShardReport;
import io.stowage.common.time.StoreClock;
import io.stowage.scm.cluster.Candidate;
import io.stowage.scm.cluster.ClusterMap;
import io.stowage.scm.cluster.FailureDomain;
import io.stowage.scm.cluster.Placement;
import io.stowage.scm.cluster.Spread;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.function.Function;
import java.util.function.LongFunction;
import java.util.random.RandomGenerator;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Has lost, damaged and leaving shards made anew, in one term of leadership. Confined to the
 * ticking thread, but for what heartbeats tell {@link Rebuilds}.
 *
 * <ol>
 *   <li>An {@link Inspection} finds what is to be done, most endangered first. An open container is
 *       sealed first; nothing is rebuilt before every shard of it that is seen is sealed, or has
 *       failed, so that no source changes any more. One that is not sealed in time is replaced as
 *       soon as k are: no more can be acknowledged then. It counts as one of these itself if its
 *       disk takes no writes: by then no writer has a lease either, nor waits for an answer. While
 *       fewer than k are sealed and other disks hold the rest open, a stripe may still come to
 *       those alone, so that nothing may be made of them. What can be read and not written (a force
 *       failed, a disk is read-only) is to be made elsewhere and a source like any other: m+1 such
 *       shards are no loss.
 *   <li><b>Intent</b>: the row's {@code last_generation} is raised by compare-and-set. No two
 *       orders ever name one generation of a container, whoever gives them.
 *   <li>The order goes to the target with that row version, again and again until answered. A
 *       repeated one joins what is under way there.
 *   <li><b>Completion</b>: the row names the new shard, if it still names the one to be replaced.
 *   <li>The replaced copy, wherever it turns up, is a stranger from now on: {@link Surplus}.
 * </ol>
 *
 * What may happen in between, and what then holds. The generation that a row names for an index
 * only ever rises, and a copy below it is never named again: that is what makes deleting one safe.
 *
 * <ul>
 *   <li><i>Leader dies or changes after the intent, or after the order:</i> the next one inspects,
 *       and orders a higher generation. If the first target completes, its shard is a stranger of a
 *       generation above the row's. It is taken into the row if the row's own copy is missing and
 *       nothing is under way for that index; else it is put aside when the container is whole.
 *   <li><i>Two leaders, both order:</i> different generations by the intent's compare-and-set. The
 *       targets refuse the lower leader epoch from when they heard the higher one. The deposed
 *       leader's completion needs the row to be of no higher epoch: after the new leader's intent
 *       it fails; before it, it succeeds and the new leader's intent fails and looks again.
 *   <li><i>The deposed leader completes after the new one quarantined the copy as unknown:</i> the
 *       row names a shard in quarantine; its node tells so, and it is taken out again, or rebuilt.
 *   <li><i>A stale shard returns while its index is rebuilt:</i> if the row still names it, it is
 *       simply there again; the rebuild goes on to its end and replaces it, which costs nothing
 *       more. If the row names the new one, it is a stale copy.
 *   <li><i>A disk returns after its shards were rebuilt:</i> stale copies. They are deleted only
 *       when all k+m shards that the row names are seen, sealed and complete; until then they are
 *       sources. If the container lost more than m shards meanwhile, they are what saves it.
 *   <li><i>The target dies before completion:</i> the order is given up, and another target found.
 *       If it comes back with the file, that is a stranger above the row's generation, as above.
 *   <li><i>The target dies after it answered, before the compare-and-set:</i> the answer is dropped
 *       if the cluster map knows; else the row names a lost place and is repaired again, from the
 *       same sources and from the replaced copy.
 *   <li><i>The compare-and-set is lost, or its outcome unknown:</i> the answer stays, and the next
 *       tick tries again; a row that names the new place already is success.
 *   <li><i>Row changed by repack meanwhile:</i> the compare-and-set begins again from it; the
 *       version in the order is old then, and a target that obeyed a newer one refuses: it is
 *       ordered again with the version of now. REPACKING containers are repaired; DELETED ones
 *       never, and an answer for one is dropped.
 * </ul>
 *
 * What no source has, a rebuild marks lost, so that the rest of the shard is safe again. A mark is
 * never the last word. How a sector comes to be marked, and what becomes of it:
 *
 * <ol>
 *   <li><i>Hope.</i> Two shards are away, a third has a bad spot: the order lists the places of
 *       those that are away, too, and fails rather than mark what they may have. Meanwhile the
 *       container stands on its last k shards, so that hope ends an hour after the first order
 *       failed for want of data; what failed for another reason (a full disk, a dead target) takes
 *       none of it away. Then they are not listed any more, be they dead or in maintenance.
 *   <li><i>Lossy.</i> The new shard says of itself how many sectors are marked, in its superblock
 *       and in every report of it: whoever leads knows, after any restart. While a shard of the row
 *       is lossy the container is not whole, so that no copy of any shard of it is deleted: the
 *       disk that returns finds its copies still wanted. One that went between its return and the
 *       next step is like one that never returned.
 *   <li><i>Mending.</i> As soon as a copy without marks is seen that the last attempt did not have
 *       (a replaced one on a disk that returned, a row's own shard that was away, one that was
 *       mended itself), the lossy shard is made anew from all that is there, its own old copy
 *       first, by intent and completion as ever. The target refuses to make one with no fewer marks
 *       than there are: so every new generation has fewer, and vain attempts leave nothing.
 *   <li><i>Vain.</i> It is tried again without such news ten minutes later, and then after twice as
 *       long each time: a source may have been busy, or a spot readable at the second try. A new
 *       leader does not know what was tried and tries once. A copy that was made of what was tried
 *       before has marks itself and is no news, so that two lossy shards do not take turns.
 *   <li><i>Whole.</i> When the last mark is gone, replaced copies go as ever. Until then they stay,
 *       if need be for good.
 * </ol>
 *
 * Memory: {@link Rebuilds} and the lists of one inspection, all bounded. What is not listed is
 * found when the list is worked off.
 */
final class Repair {
  private static final Logger LOG = LoggerFactory.getLogger(Repair.class);
  private static final CrashPoint AFTER_INTENT = CrashPoint.named("scm.rebuild.after-intent");
  private static final CrashPoint BEFORE_ROW = CrashPoint.named("scm.rebuild.before-row");
  private static final CrashPoint AFTER_ROW = CrashPoint.named("scm.rebuild.after-row");

  /** Each costs a row mutation, and leases wait behind the tick. */
  private static final int STARTS_A_TICK = 64;

  /** One that fails in a tick is bad luck; behind two the table rather hangs, and each waits. */
  private static final int MOST_MOVES_FAILED = 2;

  /** Containers looked at for work that can begin, a tick. */
  private static final int MOST_LOOKED_AT = 5_000;

  /**
   * For how long a shard is rather not made than with lost sectors that an absent copy may have: as
   * long as restarting a rack takes, and not much longer, since all others of the container's
   * sectors have lost shards, too.
   */
  private static final long HOPE_NANOS = Duration.ofHours(1).toNanos();

  /** From one attempt to mend a shard to the next, if no copy turned up; doubled each time. */
  private static final long FIRST_MEND_PAUSE_NANOS = Duration.ofMinutes(10).toNanos();

  private static final int MOST_MEND_DOUBLINGS = 10; // a week

  private static final int MOST_REORDERS = 10;
  private static final int MOST_REMEMBERED = 10_000; // containers and disks that failed
  private static final long FIRST_BACKOFF_NANOS = Duration.ofSeconds(5).toNanos();
  private static final int MOST_DOUBLINGS = 7; // ten minutes
  private static final long SHUN_DISK_NANOS = Duration.ofMinutes(1).toNanos();

  /** A target that is alive and tells no progress for as long has lost the order, or hangs. */
  private static final long SILENCE_NANOS = Duration.ofMinutes(10).toNanos();

  /** Least time for which what stands open in spite of orders to seal is waited for. */
  private static final long SEAL_PATIENCE_NANOS = Duration.ofMinutes(2).toNanos();

  private final LeaderEpoch leader;
  private final RowMutations rows;
  private final ContainerMap map;
  private final ClusterMap cluster;
  private final ShardInventory shards;
  private final Sealing sealing;
  private final Leases leases;
  private final Orders orders;
  private final Rebuilds rebuilds;
  private final long patienceNanos;
  private final long sealPatienceNanos;
  private final StoreClock clock;
  private final RandomGenerator random;

  private final Map<Long, Backoff> backoffs = new Bounded<>();
  private final Map<Long, Backoff> moveBackoffs = new Bounded<>(); // repair does not wait for them
  private final Map<Long, Hope> hopes = new Bounded<>();
  private final Map<Rebuild.Key, Tried> tried = new Bounded<>();
  private final Map<String, Long> shunnedDisks = new Bounded<>(); // until
  private final Map<Long, Long> openSince = new Bounded<>(); // in danger since
  private final Map<Long, Long> unsealedSince = new Bounded<>(); // what repair waits for
  private volatile String waitingFor = "";

  private record Backoff(int failures, long untilNanos) {}

  /** When orders for a container's shards failed for want of data, first and last. */
  private record Hope(long sinceNanos, long lastNanos) {}

  /** What a shard with lost sectors was made of, and how often in vain. */
  private record Tried(Set<ShardPlace> copies, int times, long untilNanos) {}

  /** Forgets the eldest. */
  private static final class Bounded<K, V> extends LinkedHashMap<K, V> {
    private static final long serialVersionUID = 1L;

    @Override
    protected boolean removeEldestEntry(Map.Entry<K, V> eldest) {
      return size() > MOST_REMEMBERED;
    }
  }

  Repair(
      LeaderEpoch leader,
      RowMutations rows,
      ContainerMap map,
      ClusterMap cluster,
      ShardInventory shards,
      Sealing sealing,
      Leases leases,
      Orders orders,
      Rebuilds rebuilds,
      Leases.Settings settings,
      StoreClock clock,
      RandomGenerator random) {
    this.leader = leader;
    this.rows = rows;
    this.map = map;
    this.cluster = cluster;
    this.shards = shards;
    this.sealing = sealing;
    this.leases = leases;
    this.orders = orders;
    this.rebuilds = rebuilds;
    this.patienceNanos = settings.patience().toNanos();
    this.sealPatienceNanos = Math.max(SEAL_PATIENCE_NANOS, settings.duration().toNanos());
    this.clock = clock;
    this.random = random;
  }

  /** Takes a datanode's answer in; the row waits for the next tick. */
  void answered(OrderResult result) {
    rebuilds.answered(result);
  }

  /** Puts what was made into rows, and gives up what cannot come. */
  void settle() throws NotLeaderException {
    for (Rebuild rebuild : rebuilds.answered()) {
      try {
        settle(rebuild);
      } catch (NotLeaderException e) {
        throw e;
      } catch (StoreException e) {
        LOG.warn("Cannot settle {} now: {}", nameOf(rebuild), e.toString());
      }
    }
    long now = clock.monotonicNanos();
    for (Rebuild rebuild : rebuilds.all()) {
      if (rebuild.result == null) {
        if (!isTargetAlive(rebuild)) {
          giveUp(rebuild, "its target is lost");
        } else if (now - rebuild.lastSignNanos > SILENCE_NANOS) {
          shun(rebuild);
          giveUp(rebuild, "its target tells no progress");
        }
      }
    }
  }

  private boolean isTargetAlive(Rebuild rebuild) {
    return cluster.placeState(rebuild.target.getNodeId(), rebuild.target.getDiskId()).isHere();
  }

  private void settle(Rebuild rebuild) throws StoreException {
    OrderResult result = rebuild.result;
    if (result.getErrorCode() == ErrorCode.FENCED.number()) {
      orderAgain(rebuild);
    } else if (result.getErrorCode() != 0) {
      ErrorCode code = ErrorCode.ofNumber(result.getErrorCode());
      if (code.blame() == ErrorCode.Blame.CAPACITY
          || code == ErrorCode.SHARD_FAILED
          || code == ErrorCode.NO_SUCH_SHARD) {
        shun(rebuild);
      }
      if (code == ErrorCode.DATA_UNAVAILABLE && rebuild.reason == Rebuild.Reason.MEND) {
        LOG.info("{}: {}", nameOf(rebuild), result.getErrorMessage());
        noteTried(rebuild);
        rebuilds.remove(rebuild);
        return;
      }
      if (code == ErrorCode.DATA_UNAVAILABLE && rebuild.reason.isRepair()) {
        hope(rebuild.key.container());
      }
      giveUp(rebuild, code + " " + result.getErrorMessage());
    } else if (!isTargetAlive(rebuild)) {
      giveUp(rebuild, "its target answered and was lost");
    } else {
      complete(rebuild);
    }
  }

  private void shun(Rebuild rebuild) {
    shunnedDisks.put(rebuild.targetDisk(), clock.monotonicNanos() + SHUN_DISK_NANOS);
  }

  private void complete(Rebuild rebuild) throws StoreException {
    BEFORE_ROW.reach();
    int index = rebuild.key.index();
    ContainerRow row =
        rows.change(
            leader,
            rebuild.key.container(),
            info ->
                ShardInventory.isClosed(info.getState())
                        && info.getShards(index).equals(rebuild.replaced)
                    ? info.toBuilder().setShards(index, rebuild.target).build()
                    : null);
    AFTER_ROW.reach();
    if (row == null || !row.info().getShards(index).equals(rebuild.target)) {
      LOG.info("{} is not needed any more", nameOf(rebuild));
      rebuilds.remove(rebuild); // its file is a stranger
      return;
    }
    shards.noteSealed(
        rebuild.target.getNodeId(),
        rebuild.shard(),
        rebuild.result.getEnd(),
        rebuild.result.getLostSectors());
    backoffsOf(rebuild.reason).remove(rebuild.key.container());
    tried.remove(rebuild.key);
    if (rebuild.result.getLostSectors() > 0) {
      noteTried(rebuild);
      LOG.error(
          "{}: {} sectors are lost, no source has them",
          nameOf(rebuild),
          rebuild.result.getLostSectors());
    } else {
      LOG.info("{} is done: {} bytes", nameOf(rebuild), rebuild.result.getEnd());
    }
    Condition now = shards.condition(rebuild.key.container());
    rebuilds.succeeded(rebuild, now != null && now.toRebuild() == 0, clock.monotonicNanos());
  }

  /** The target knows a newer version of the row, or a newer leader. */
  private void orderAgain(Rebuild rebuild) throws StoreException {
    ContainerRow row = map.get(rebuild.key.container());
    if (row == null
        || rebuild.orderedTimes >= MOST_REORDERS
        || !ShardInventory.isClosed(row.info().getState())
        || !row.info().getShards(rebuild.key.index()).equals(rebuild.replaced)) {
      giveUp(rebuild, "its target heard of something newer");
      return;
    }
    rebuilds.reordered(rebuild, order(row, rebuild));
  }

  private void giveUp(Rebuild rebuild, String why) {
    LOG.warn("{} is given up: {}", nameOf(rebuild), why);
    orders.forget(Orders.Kind.REBUILD, rebuild.target.getNodeId(), rebuild.shard());
    rebuilds.failed(rebuild);
    backOff(backoffsOf(rebuild.reason), rebuild.key.container());
  }

  private Map<Long, Backoff> backoffsOf(Rebuild.Reason reason) {
    return reason.isRepair() ? backoffs : moveBackoffs;
  }

  private void backOff(Map<Long, Backoff> those, long container) {
    Backoff before = those.get(container);
    int failures = before == null ? 1 : before.failures + 1;
    long pause = FIRST_BACKOFF_NANOS << Math.min(failures - 1, MOST_DOUBLINGS);
    those.put(container, new Backoff(failures, clock.monotonicNanos() + pause));
  }

  private void noteTried(Rebuild rebuild) {
    Tried before = tried.get(rebuild.key);
    int times = before == null ? 1 : before.times + 1;
    long pause = FIRST_MEND_PAUSE_NANOS << Math.min(times - 1, MOST_MEND_DOUBLINGS);
    tried.put(rebuild.key, new Tried(rebuild.copies, times, clock.monotonicNanos() + pause));
  }

  private void hope(long container) {
    long now = clock.monotonicNanos();
    hopes.compute(
        container,
        (id, before) ->
            before == null || now - before.lastNanos > HOPE_NANOS
                ? new Hope(now, now)
                : new Hope(before.sinceNanos, now));
  }

  private boolean isHopeful(long container) {
    long now = clock.monotonicNanos();
    Hope hope = hopes.get(container);
    return hope == null
        || now - hope.lastNanos > HOPE_NANOS // another time, another cause
        || now - hope.sinceNanos < HOPE_NANOS;
  }

  private boolean isBackedOff(Map<Long, Backoff> those, long container) {
    Backoff backoff = those.get(container);
    return backoff != null && clock.monotonicNanos() - backoff.untilNanos < 0;
  }

  private static String nameOf(Rebuild rebuild) {
    return "Rebuild of shard "
        + rebuild.key.index()
        + " of container "
        + ContainerRow.nameOf(rebuild.key.container())
        + ", generation "
        + rebuild.target.getGeneration()
        + ", on datanode "
        + rebuild.target.getNodeId();
  }

  /** Begins what an inspection found, most endangered first, as far as disks may be loaded. */
  void begin(Inspection found) throws StoreException {
    sealOpen(found.openInDanger());
    Start start = start();
    for (LongList queue : found.queues()) {
      for (int i = 0; i < queue.size() && start.goesOn(); i++) {
        try {
          consider(queue.get(i), start);
        } catch (NotLeaderException e) {
          throw e;
        } catch (StoreException e) {
          LOG.warn(
              "Cannot repair container {} now: {}",
              ContainerRow.nameOf(queue.get(i)),
              e.toString());
          backOff(backoffs, queue.get(i));
        }
      }
    }
    waitingFor = start.obstacle;
  }

  /** For what begins in one tick. */
  Start start() {
    return new Start(cluster.candidates());
  }

  /** What beginning rebuilds in one tick shares. */
  final class Start {
    private final List<Candidate> disks;
    private final Map<String, Candidate> byKey = new HashMap<>();
    private final List<Candidate> free; // fit, and may take one more
    private final Map<ErasurePolicy, Spread.Rule> rules = new HashMap<>();
    private int begun;
    private int looked;
    private int movesTried;
    private int movesFailed;
    private String obstacle = "";

    Start(List<Candidate> disks) {
      this.disks = disks;
      this.free = new ArrayList<>();
      for (Candidate disk : disks) {
        byKey.put(Rebuild.diskKey(disk.nodeId(), disk.diskId()), disk);
        if (isFree(disk)) {
          free.add(disk);
        }
      }
    }

    List<Candidate> fitDisks() {
      return disks.stream().filter(Candidate::isFit).toList();
    }

    /** Fit disks that may take one more; shrinks as rebuilds begin. */
    List<Candidate> freeDisks() {
      return free;
    }

    boolean isFree(Candidate disk) {
      String key = Rebuild.diskKey(disk.nodeId(), disk.diskId());
      return disk.isFit() && rebuilds.mayWrite(key) && !isShunned(key);
    }

    /** Moves for which places were looked for. */
    int movesTried() {
      return movesTried;
    }

    /** Whether more may be begun in this tick. */
    boolean goesOn() {
      return begun < STARTS_A_TICK
          && looked < MOST_LOOKED_AT
          && movesFailed < MOST_MOVES_FAILED
          && !free.isEmpty()
          && !rebuilds.isFull();
    }

    void begun(Rebuild rebuild) {
      begun++;
      if (!rebuilds.mayWrite(rebuild.targetDisk())) {
        free.removeIf(d -> d.is(rebuild.target.getNodeId(), rebuild.target.getDiskId()));
      }
    }

    /** How a container's shards are spread; null: one is on a disk of which nobody told. */
    Spread spread(ContainerInfo info) throws StoreException {
      List<Candidate> places = new ArrayList<>();
      for (ShardPlace place : info.getShardsList()) {
        places.add(find(place));
      }
      ErasurePolicy policy = ErasurePolicy.named(info.getPolicy());
      return places.contains(null)
          ? null
          : new Spread(
              places,
              rules.computeIfAbsent(policy, p -> Spread.Rule.of(disks, p, cluster.domainOf(p))));
    }

    /** The disk of a place; null if nobody told of it. */
    Candidate find(ShardPlace place) {
      return byKey.get(Rebuild.diskKey(place.getNodeId(), place.getDiskId()));
    }
  }

  private boolean isShunned(String disk) {
    Long until = shunnedDisks.get(disk);
    return until != null && clock.monotonicNanos() - until < 0;
  }

  /** A writer notices by itself when it writes; one that rests is not waited for. */
  private void sealOpen(LongList open) throws StoreException {
    long now = clock.monotonicNanos();
    Set<Long> still = new HashSet<>();
    for (int i = 0; i < open.size(); i++) {
      long id = open.get(i);
      still.add(id);
      long since = openSince.computeIfAbsent(id, key -> now);
      if (now - since >= patienceNanos) {
        leases.sealWhoeverHoldsIt(id, "a shard of it is lost, or on a node that is to be emptied");
      }
    }
    openSince.keySet().retainAll(still);
  }

  private void consider(long id, Start start) throws StoreException {
    if (isBackedOff(backoffs, id)) {
      return;
    }
    start.looked++;
    Condition condition = shards.condition(id);
    ContainerRow row = map.get(id);
    if (condition == null || row == null) {
      return;
    }
    int work = condition.toRebuild();
    if ((work | condition.toMend()) != 0 && condition.unsealed() != 0) {
      sealing.sealAllOf(row, condition.unsealed()); // first: sources stand still
      long now = clock.monotonicNanos();
      if (now - unsealedSince.computeIfAbsent(id, key -> now) < sealPatienceNanos) {
        return;
      }
      for (ShardPlace place : row.info().getShardsList()) {
        if (Condition.has(condition.unsealed(), place.getIndex())) {
          start.free.removeIf(disk -> disk.is(place.getNodeId(), place.getDiskId()));
        }
      }
      condition = condition.withoutUnsealed();
      work = condition.toRebuild();
    } else {
      unsealedSince.remove(id);
    }
    for (ShardPlace place : row.info().getShardsList()) {
      if (!start.goesOn() || rebuilds.find(id, place.getIndex()) != null) {
        continue;
      }
      if (Condition.has(work, place.getIndex())) {
        boolean moves =
            Condition.has(
                condition.leaving() & ~condition.damaged() & ~condition.failing(),
                place.getIndex());
        begin(
            id,
            place,
            condition,
            moves ? Rebuild.Reason.DECOMMISSION : Rebuild.Reason.REPAIR,
            start,
            start.free);
      } else if (Condition.has(condition.toMend(), place.getIndex())
          && rebuilds.mayMend()
          && isMendDue(row.info(), condition, place.getIndex())) {
        begin(id, place, condition, Rebuild.Reason.MEND, start, start.free);
      }
    }
  }

  /** Whether a copy has turned up that may have what is lost, or much time has passed. */
  private boolean isMendDue(ContainerInfo info, Condition condition, int index) {
    Tried before = tried.get(new Rebuild.Key(info.getId(), index));
    if (before == null || clock.monotonicNanos() - before.untilNanos >= 0) {
      return true;
    }
    int complete = condition.present() & ~condition.lossy();
    for (ShardPlace place : info.getShardsList()) {
      if (Condition.has(complete, place.getIndex()) && !before.copies.contains(place)) {
        return true;
      }
    }
    for (Strangers.Stranger copy : shards.strangers().of(info.getId())) {
      if (isSource(copy)
          && copy.shard().getLostSectors() == 0
          && !before.copies.contains(placeOf(copy))) {
        return true;
      }
    }
    return false;
  }

  /**
   * Moves the shard of a whole container that is most in the way of others; says whether that was
   * ordered.
   *
   * @param to by a shard's size: where to it may go, as far as other rules are concerned
   */
  boolean moveApart(Start start, long id, LongFunction<List<Candidate>> to)
      throws NotLeaderException {
    return move(start, id, Rebuild.Reason.MOVE_APART, Spread::inTheWay, Spread::apart, to);
  }

  /** Moves a shard of a whole container, no nearer to others; says whether that was ordered. */
  boolean moveAway(Start start, long id, int index, LongFunction<List<Candidate>> to)
      throws NotLeaderException {
    return move(start, id, Rebuild.Reason.BALANCE, spread -> List.of(index), Spread::noNearer, to);
  }

  /** To which of some disks a shard may go for others' sake. */
  private interface Where {
    List<Candidate> of(Spread spread, int index, List<Candidate> disks);
  }

  private boolean move(
      Start start,
      long id,
      Rebuild.Reason reason,
      Function<Spread, List<Integer>> which,
      Where where,
      LongFunction<List<Candidate>> to)
      throws NotLeaderException {
    try {
      Condition condition = shards.condition(id);
      ContainerRow row = map.get(id);
      if (condition == null
          || row == null
          || !ShardInventory.isClosed(row.info().getState())
          || !condition.isWhole()
          || condition.toRebuild() != 0
          || !rebuilds.of(id, condition.shards()).isEmpty()
          || isBackedOff(moveBackoffs, id)) {
        return false;
      }
      Spread spread = start.spread(row.info());
      List<Integer> indices = spread == null ? List.of() : which.apply(spread);
      if (indices.isEmpty()) {
        return false; // it was moved already, or its node registered anew with other disks
      }
      start.movesTried++;
      List<Candidate> disks = to.apply(shards.end(row.info()));
      for (int index : indices) {
        List<Candidate> targets = where.of(spread, index, disks);
        if (!targets.isEmpty()) {
          ShardPlace from = row.info().getShards(index);
          return begin(id, from, condition, reason, start, targets);
        }
      }
      return false;
    } catch (NotLeaderException e) {
      throw e;
    } catch (StoreException e) {
      LOG.warn(
          "Cannot move a shard of container {} now: {}", ContainerRow.nameOf(id), e.toString());
      backOff(moveBackoffs, id);
      start.movesFailed++;
      return false;
    }
  }

  private boolean begin(
      long id,
      ShardPlace replaced,
      Condition condition,
      Rebuild.Reason reason,
      Start start,
      List<Candidate> free)
      throws StoreException {
    int index = replaced.getIndex();
    ContainerInfo seen = map.get(id).info();
    if (!seen.getShards(index).equals(replaced)) {
      return false;
    }
    List<Strangers.Stranger> copies = shards.strangers().of(id);
    if (!canBeMade(index, condition, copies)) {
      return false;
    }
    Set<String> read = disksToRead(seen, index, condition);
    if (!read.stream().allMatch(rebuilds::mayRead)) {
      return false;
    }
    ErasurePolicy policy = ErasurePolicy.named(seen.getPolicy());
    FailureDomain domain = cluster.domainOf(policy);
    List<Candidate> others = others(seen, index, start);
    Candidate disk = Placement.placeOne(free, others, policy, domain, random);
    if (disk == null) {
      if (reason.isRepair()
          && Placement.placeOne(start.disks, others, policy, domain, random) == null) {
        start.obstacle = Placement.missing(start.disks, policy, domain);
      }
      return false;
    }
    int copyGeneration = Strangers.highestGeneration(copies);
    ContainerRow row =
        rows.change(
            leader,
            id,
            info ->
                ShardInventory.isClosed(info.getState())
                        && info.getShards(index).equals(replaced)
                        && info.getLastGeneration() == seen.getLastGeneration()
                    ? info.toBuilder()
                        .setLastGeneration(nextGeneration(info, copyGeneration))
                        .build()
                    : null);
    AFTER_INTENT.reach();
    if (row == null
        || !row.info().getShards(index).equals(replaced)
        || row.info().getLastGeneration() != nextGeneration(seen, copyGeneration)) {
      return false; // changed meanwhile: the next inspection knows
    }
    ShardPlace target =
        ShardPlace.newBuilder()
            .setIndex(index)
            .setNodeId(disk.nodeId())
            .setDiskId(disk.diskId())
            .setGeneration(row.info().getLastGeneration())
            .build();
    Rebuild rebuild =
        new Rebuild(
            new Rebuild.Key(id, index),
            reason,
            replaced,
            target,
            read,
            shards.end(row.info()),
            clock.monotonicNanos());
    rebuilds.add(rebuild, order(row, rebuild));
    start.begun(rebuild);
    LOG.info("{} begins: {}", nameOf(rebuild), reason);
    return true;
  }

  private static int nextGeneration(ContainerInfo info, int copyGeneration) {
    int highest = Math.max(info.getLastGeneration(), copyGeneration);
    for (ShardPlace place : info.getShardsList()) {
      highest = Math.max(highest, place.getGeneration());
    }
    return highest + 1;
  }

  private long order(ContainerRow row, Rebuild rebuild) {
    boolean mends = rebuild.reason == Rebuild.Reason.MEND; // there is always less to lose
    List<ShardPlace> copies =
        copies(row.info(), rebuild.key.index(), !mends && isHopeful(row.id()));
    rebuild.copies = Set.copyOf(copies);
    return orders.rebuild(
        rebuild.target.getNodeId(),
        Orders.keyOf(row.id(), rebuild.target),
        row.version(),
        RebuildShardOrder.newBuilder()
            .setPolicy(row.info().getPolicy())
            .setCapacityBytes(row.info().getCapacityBytes())
            .setLeaseEpoch(row.info().getLeaseEpoch())
            .addAllSources(addressed(copies))
            .setMend(mends)
            .build());
  }

  /** Whether k shards can be seen, or a copy of the very shard. */
  private boolean canBeMade(int index, Condition condition, List<Strangers.Stranger> copies) {
    int indices = condition.present(); // sealed, failed, or where no write comes: they stand still
    for (Strangers.Stranger copy : copies) {
      if (isSource(copy)) {
        indices |= 1 << copy.shard().getIndex();
      }
    }
    return Integer.bitCount(indices) >= condition.dataShards() || Condition.has(indices, index);
  }

  private boolean isSource(Strangers.Stranger copy) {
    ShardReport shard = copy.shard();
    return (shard.getFailed() ? shard.getReadable() : shard.getSealed())
        && !shard.getQuarantined()
        && cluster.placeState(copy.nodeId(), shard.getDiskId()).isReadable();
  }

  /** The disks that it will most likely read: its own copy, or k others. */
  private static Set<String> disksToRead(ContainerInfo info, int index, Condition condition) {
    Set<String> disks = new HashSet<>();
    if (Condition.has(condition.present() & ~condition.damaged(), index)) {
      return Set.of(
          Rebuild.diskKey(info.getShards(index).getNodeId(), info.getShards(index).getDiskId()));
    }
    for (ShardPlace place : info.getShardsList()) {
      if (disks.size() < condition.dataShards()
          && Condition.has(condition.present(), place.getIndex())) {
        disks.add(Rebuild.diskKey(place.getNodeId(), place.getDiskId()));
      }
    }
    return disks;
  }

  /** Where the other shards are, or are being made. */
  private List<Candidate> others(ContainerInfo info, int index, Start start) {
    List<Candidate> others = new ArrayList<>();
    for (ShardPlace place : info.getShardsList()) {
      if (place.getIndex() == index) {
        continue;
      }
      Rebuild rebuild = rebuilds.find(info.getId(), place.getIndex());
      for (ShardPlace there : rebuild == null ? List.of(place) : List.of(place, rebuild.target)) {
        Candidate disk = start.find(there);
        if (disk != null
            && cluster.placeState(there.getNodeId(), there.getDiskId())
                != ClusterMap.PlaceState.LOST) {
          others.add(disk);
        }
      }
    }
    return others;
  }

  /**
   * Every copy that may be readable: of the shard itself first, its own before replaced ones, then
   * what the row names and is here, then replaced copies, what stands open, and those of absent
   * nodes while there is hope.
   */
  private List<ShardPlace> copies(ContainerInfo info, int index, boolean hopeful) {
    List<ShardPlace> first = new ArrayList<>();
    List<ShardPlace> then = new ArrayList<>();
    List<ShardPlace> last = new ArrayList<>();
    ContainerMap.Reported reported = map.reported(info.getId());
    for (ShardPlace place : info.getShardsList()) {
      ClusterMap.PlaceState state = cluster.placeState(place.getNodeId(), place.getDiskId());
      boolean open = reported.isPresent(place.getIndex()) && !reported.isSealed(place.getIndex());
      if (state.isReadable()) {
        (open ? last : place.getIndex() == index ? first : then).add(place);
      } else if (hopeful) {
        last.add(place);
      }
    }
    for (Strangers.Stranger copy : shards.strangers().of(info.getId())) {
      if (isSource(copy) && copy.shard().getIndex() < info.getShardsCount()) {
        (copy.shard().getIndex() == index ? first : then).add(placeOf(copy));
      }
    }
    first.addAll(then);
    first.addAll(last);
    return first;
  }

  private static ShardPlace placeOf(Strangers.Stranger copy) {
    return ShardPlace.newBuilder()
        .setIndex(copy.shard().getIndex())
        .setGeneration(copy.shard().getGeneration())
        .setNodeId(copy.nodeId())
        .setDiskId(copy.shard().getDiskId())
        .build();
  }

  private List<ShardPlace> addressed(List<ShardPlace> copies) {
    List<ShardPlace> addressed = new ArrayList<>();
    for (ShardPlace place : copies) {
      ClusterMap.Address address = cluster.address(place.getNodeId());
      if (address != null) {
        addressed.add(place.toBuilder().setHost(address.host()).setPort(address.port()).build());
      }
    }
    return addressed;
  }

  /** What is left by an inspection, and how it goes. */
  RepairStatus status(Inspection found) {
    Rebuilds.Figures figures = rebuilds.figures();
    long rate = rebuilds.bytesPerSecond(clock.monotonicNanos());
    long left = Math.max(0, found.bytesLeft() - figures.bytesUnderWay());
    return RepairStatus.newBuilder()
        .addAllEndangered(found.endangeredByDegree())
        .setContainersLeft(found.containersLeft())
        .setShardsLeft(found.shardsLeft())
        .setBytesLeft(left)
        .setInFlight(figures.repairs())
        .setBytesPerSecond(rate)
        .setSecondsLeft(rate == 0 ? 0 : left / rate)
        .setShardsDone(figures.shardsDone())
        .setBytesDone(figures.bytesDone() + figures.bytesUnderWay())
        .setContainersDone(figures.containersDone())
        .setShardsFailed(figures.shardsFailed())
        .setLostSectors(figures.lostSectors())
        .setWaitingFor(found.shardsLeft() == 0 ? "" : waitingFor)
        .build();
  }
}
