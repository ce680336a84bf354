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

import io.stowage.common.error.NotLeaderException;
import io.stowage.common.error.StoreException;
import io.stowage.common.proto.ContainerInfo;
import io.stowage.common.proto.ContainerState;
import io.stowage.common.proto.ShardPlace;
import io.stowage.common.proto.ShardReport;
import io.stowage.common.time.StoreClock;
import io.stowage.scm.cluster.ClusterMap;
import java.time.Duration;
import java.time.Instant;
import java.util.HashSet;
import java.util.Set;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Decides what becomes of shards that no row names, in one term of leadership. Confined to the
 * ticking thread.
 *
 * <table>
 * <caption>By the row as it was just read from the table</caption>
 * <tr><td>no row, or one without its index</td><td>quarantine; deleted after seven days there and
 *     by an operator's word</td></tr>
 * <tr><td>row DELETED</td><td>deleted</td></tr>
 * <tr><td>row OPEN</td><td>left alone until it is sealed</td></tr>
 * <tr><td>generation below the row's</td><td>replaced: deleted once the container is whole, which
 *     includes that no shard of it lacks a sector that this copy may have</td></tr>
 * <tr><td>not below, the row's own shard missing</td><td>taken into the row: some leader's rebuild
 *     that was not waited for, or the table is older than the disks</td></tr>
 * <tr><td>not below, the container whole</td><td>quarantine; deleted after seven days
 *     there</td></tr>
 * <tr><td>in quarantine, but the row names it, or its container is not whole</td><td>taken out
 *     again</td></tr>
 * </table>
 *
 * <p>A deletion is ordered with the version of that row. It cannot hit a shard that a row names,
 * then or later: DELETED is final, the generation that a row names for an index only rises, and a
 * shard that a row might name again was in quarantine for a week, where no reader and no rebuild
 * uses it.
 *
 * <p>Shards without a row may be all that is left of what users wrote after a copy of HBase,
 * however few they are: they stay in quarantine until an operator says that they may go, or a
 * rebuild gives them their row back. His word is for what was put aside by its end, and is in the
 * same table: an older copy has an older word. What waits for it counts as unknown, so with more of
 * them everything waits.
 *
 * <p>While more than a thousandth of all shards are unknown, and more than a hundred, rather the
 * table is an old one than that many shards surplus: nothing is put aside or deleted then, not even
 * what looks harmless, unless an operator has said so. The word holds for a day, and for good for
 * what was put aside by its end: that is not counted any more. Nor is what is on disks that take no
 * writes, of which nothing is removed: rows that are DELETED go without waiting for these for good.
 */
final class Surplus {
  private static final Logger LOG = LoggerFactory.getLogger(Surplus.class);

  /** Containers looked at in one tick: some cost a read of HBase. */
  private static final int LOOKED_AT_A_TICK = 100;

  /** So many unknown shards are never too many. */
  static final long FEW = 100;

  private static final long ALARM_NANOS = Duration.ofMinutes(1).toNanos();
  static final Duration QUARANTINE = Duration.ofDays(7);

  /** What is to be done with one. */
  private enum Verdict {
    RECOGNISE,
    LEAVE,
    ADOPT,
    RESTORE,
    QUARANTINE,
    DELETE
  }

  private final LeaderEpoch leader;
  private final ContainerStore store;
  private final RowMutations rows;
  private final ContainerMap map;
  private final ClusterMap cluster;
  private final ShardInventory shards;
  private final Sealing sealing;
  private final Orders orders;
  private final Rebuilds rebuilds;
  private final OperatorWords operator;
  private final StoreClock clock;
  private long lastAlarmNanos;

  Surplus(
      LeaderEpoch leader,
      ContainerStore store,
      RowMutations rows,
      ContainerMap map,
      ClusterMap cluster,
      ShardInventory shards,
      Sealing sealing,
      Orders orders,
      Rebuilds rebuilds,
      OperatorWords operator,
      StoreClock clock) {
    this.leader = leader;
    this.store = store;
    this.rows = rows;
    this.map = map;
    this.cluster = cluster;
    this.shards = shards;
    this.sealing = sealing;
    this.orders = orders;
    this.rebuilds = rebuilds;
    this.operator = operator;
    this.clock = clock;
    this.lastAlarmNanos = clock.monotonicNanos() - ALARM_NANOS;
  }

  /** Why nothing is emptied, deleted or put aside now; empty if it is. Thread-safe. */
  String heldBack() {
    String otherTable = KnownTable.heldBack(operator.latest());
    if (!otherTable.isEmpty()) {
      return otherTable;
    }
    long olderSince = operator.latest().getTableOlderSinceMicros();
    if (olderSince != 0) {
      return "the container table is older than the disks, as was found at "
          + Instant.ofEpochMilli(olderSince / 1_000)
          + ": was HBase restored from a copy? Nothing is emptied, put aside or deleted before what"
          + " is newer is brought back (stowage fsck --rebuild), or an operator accepts that it is"
          + " lost (stowage datanode quarantine --accept)";
    }
    long known = cluster.shardCount();
    if (areFew(shards.strangers().unknownCount(), known) || operator.areUnknownAccepted()) {
      return "";
    }
    long unknown = unknownThatCount();
    if (areFew(unknown, known)) {
      return "";
    }
    return unknown
        + " shards of "
        + known
        + " belong to no container row, those in quarantine that nobody accepted among them: is the"
        + " table an old one? Nothing is deleted or put aside before what they hold is brought back"
        + " (stowage fsck --rebuild), or an operator accepts that they may go (stowage datanode"
        + " quarantine --accept)";
  }

  /** Shards in quarantine that stay there until an operator says that they may go. Thread-safe. */
  long unaccepted() {
    long accepted = operator.latest().getUnknownAcceptedUntilMicros();
    return shards.quarantinedCount() == 0
        ? 0
        : shards
            .strangers()
            .unknownCount(
                copy ->
                    copy.kin() == Strangers.Kin.NO_ROW
                        && copy.shard().getQuarantined()
                        && !isAsideBy(accepted, copy));
  }

  private long unknownThatCount() {
    // What was put aside under an operator's word goes its way when that no longer holds. Nothing
    // is removed from a disk that takes no writes, and after a week there rows do not wait for it.
    Set<Strangers.Disk> failing = new HashSet<>();
    for (Strangers.Disk disk : shards.strangers().unknownByDisk().keySet()) {
      if (cluster.placeState(disk.nodeId(), disk.diskId()).isFailing()) {
        failing.add(disk);
      }
    }
    long unknown = shards.strangers().unknownCountBut(failing);
    long accepted = operator.latest().getUnknownAcceptedUntilMicros();
    if (accepted > 0) {
      unknown -=
          shards
              .strangers()
              .unknownCount(
                  copy -> isAsideBy(accepted, copy) && !failing.contains(Strangers.Disk.of(copy)));
    }
    return unknown;
  }

  /** So many more shards may be unknown and not too many; all, where an operator accepts that. */
  long mostUnknown() {
    return operator.areUnknownAccepted()
        ? Long.MAX_VALUE
        : Math.max(FEW, cluster.shardCount() / 1_000) - unknownThatCount();
  }

  private static boolean isAsideBy(long micros, Strangers.Stranger copy) {
    long since = copy.shard().getQuarantinedMicros();
    return copy.shard().getQuarantined() && since > 0 && since <= micros;
  }

  private static boolean areFew(long unknown, long known) {
    return unknown <= FEW || unknown <= known / 1_000;
  }

  /** Looks at some of them, those that were not looked at for longest. */
  void look() throws StoreException {
    String heldBack = heldBack();
    if (!heldBack.isEmpty() && clock.monotonicNanos() - lastAlarmNanos >= ALARM_NANOS) {
      lastAlarmNanos = clock.monotonicNanos();
      LOG.error("{}", heldBack);
    }
    for (long container : shards.strangers().next(LOOKED_AT_A_TICK)) {
      for (Strangers.Stranger stranger : shards.strangers().of(container)) {
        look(stranger, heldBack.isEmpty());
      }
    }
  }

  private void look(Strangers.Stranger stranger, boolean mayRemove) throws StoreException {
    long container = stranger.shard().getContainer();
    Verdict first = verdict(map.get(container), stranger);
    if (first == Verdict.RECOGNISE) {
      recognise(stranger);
      return;
    }
    shards.judgeKin(stranger);
    boolean unknownRow = map.get(container) == null;
    if (first == Verdict.LEAVE
        || isUnderWay(stranger)
        || (isRemoval(first) && !mayRemove && !unknownRow)) {
      return;
    }
    // What is decided for good is decided by the table, not by what this SCM remembers of it.
    ContainerRow row = container > 0 ? store.read(container) : null;
    if (row != null) {
      map.put(row);
    }
    Verdict verdict = verdict(row, stranger);
    switch (verdict) {
      case RECOGNISE -> recognise(stranger);
      case ADOPT -> adopt(stranger);
      case QUARANTINE, DELETE -> {
        if (mayRemove) {
          remove(stranger, verdict, row == null ? 0 : row.version());
        }
      }
      case RESTORE ->
          orders.restore(
              stranger.nodeId(), Orders.keyOf(stranger.shard()), row == null ? 0 : row.version());
      case LEAVE -> {}
    }
  }

  private static boolean isRemoval(Verdict verdict) {
    return verdict == Verdict.QUARANTINE || verdict == Verdict.DELETE;
  }

  private boolean isUnderWay(Strangers.Stranger stranger) {
    return !cluster
            .placeState(stranger.nodeId(), stranger.shard().getDiskId())
            .isHere() // what is decided now need not hold when it is back
        || orders.isBusy(stranger.nodeId())
        || orders.isPending(Orders.Kind.QUARANTINE, stranger.nodeId(), stranger.id())
        || orders.isPending(Orders.Kind.DELETE, stranger.nodeId(), stranger.id())
        || orders.isPending(Orders.Kind.RESTORE, stranger.nodeId(), stranger.id());
  }

  private Verdict verdict(ContainerRow row, Strangers.Stranger stranger) {
    ShardReport shard = stranger.shard();
    if (row == null) {
      return withoutRow(stranger);
    }
    if (isNamed(row.info(), stranger) && !shard.getQuarantined()) {
      return Verdict.RECOGNISE;
    }
    if (row.info().getState() == ContainerState.DELETED) {
      return Verdict.DELETE;
    }
    if (isNamed(row.info(), stranger)) {
      return Verdict.RESTORE;
    }
    if (shard.getIndex() >= row.info().getShardsCount()) {
      return withoutRow(stranger);
    }
    if (!ShardInventory.isClosed(row.info().getState())) {
      return Verdict.LEAVE;
    }
    Condition condition = shards.condition(row.id());
    boolean whole = condition != null && condition.isWhole();
    if (shard.getQuarantined() && !whole) {
      return Verdict.RESTORE; // it may be what the container lacks
    }
    if (shard.getGeneration() < row.info().getShards(shard.getIndex()).getGeneration()) {
      return whole ? Verdict.DELETE : Verdict.LEAVE;
    }
    Rebuild rebuild = rebuilds.find(row.id(), shard.getIndex());
    if (rebuild != null) {
      return Verdict.LEAVE; // it, or a newer one of its kind, is being waited for
    }
    if (condition != null
        && Condition.has(condition.missing(), shard.getIndex())
        && shard.getSealed()
        && !shard.getFailed()
        && !shard.getQuarantined()
        && cluster.placeState(stranger.nodeId(), shard.getDiskId()).isHere()) {
      return Verdict.ADOPT;
    }
    return whole ? surplus(shard) : Verdict.LEAVE;
  }

  private Verdict withoutRow(Strangers.Stranger stranger) {
    Verdict verdict = surplus(stranger.shard());
    return verdict == Verdict.DELETE
            && !isAsideBy(operator.latest().getUnknownAcceptedUntilMicros(), stranger)
        ? Verdict.LEAVE
        : verdict;
  }

  private Verdict surplus(ShardReport shard) {
    if (!shard.getQuarantined()) {
      return Verdict.QUARANTINE;
    }
    long agedMicros = clock.wallMicros() - shard.getQuarantinedMicros();
    return shard.getQuarantinedMicros() > 0 && agedMicros >= QUARANTINE.toNanos() / 1_000
        ? Verdict.DELETE
        : Verdict.LEAVE;
  }

  private static boolean isNamed(ContainerInfo info, Strangers.Stranger stranger) {
    return ShardInventory.isPlace(info, stranger.nodeId(), stranger.shard());
  }

  private void recognise(Strangers.Stranger stranger) {
    if (shards.recognise(stranger) && !stranger.shard().getSealed()) {
      sealing.orderFor(stranger.nodeId(), stranger.shard());
    }
  }

  private void remove(Strangers.Stranger stranger, Verdict verdict, long rowVersion) {
    ShardReport shard = stranger.shard();
    if (verdict == Verdict.DELETE) {
      LOG.info("{} is deleted: {}", nameOf(stranger), stranger.kin());
      orders.delete(stranger.nodeId(), Orders.keyOf(shard), rowVersion);
    } else {
      LOG.warn("{} belongs to no row: quarantine, {}", nameOf(stranger), stranger.kin());
      orders.quarantine(stranger.nodeId(), Orders.keyOf(shard), rowVersion);
    }
  }

  private void adopt(Strangers.Stranger stranger) throws StoreException {
    ShardReport shard = stranger.shard();
    int index = shard.getIndex();
    ShardPlace place =
        ShardPlace.newBuilder()
            .setIndex(index)
            .setNodeId(stranger.nodeId())
            .setDiskId(shard.getDiskId())
            .setGeneration(shard.getGeneration())
            .build();
    ContainerRow seen = map.get(shard.getContainer());
    ContainerRow row;
    try {
      row =
          rows.change(
              leader,
              shard.getContainer(),
              info ->
                  ShardInventory.isClosed(info.getState())
                          && info.getShards(index).equals(seen.info().getShards(index))
                      ? info.toBuilder()
                          .setShards(index, place)
                          .setLastGeneration(
                              Math.max(info.getLastGeneration(), shard.getGeneration()))
                          .build()
                      : null);
    } catch (NotLeaderException e) {
      throw e;
    } catch (StoreException e) {
      LOG.warn("Cannot take {} into its row now: {}", nameOf(stranger), e.toString());
      return;
    }
    if (row != null && row.info().getShards(index).equals(place)) {
      LOG.info(
          "{} is taken into its row: the copy that the row named is missing", nameOf(stranger));
      shards.noteSealed(stranger.nodeId(), stranger.id(), shard.getEnd(), shard.getLostSectors());
    }
  }

  private static String nameOf(Strangers.Stranger stranger) {
    return "Shard "
        + stranger.shard().getIndex()
        + " of container "
        + ContainerRow.nameOf(stranger.shard().getContainer())
        + ", generation "
        + stranger.shard().getGeneration()
        + ", on datanode "
        + stranger.nodeId();
  }
}
