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

import io.stowage.common.error.StoreException;
import io.stowage.common.fault.CrashPoint;
import io.stowage.common.proto.ContainerInfo;
import io.stowage.common.proto.ContainerState;
import io.stowage.common.proto.DatanodeMode;
import io.stowage.common.proto.ShardPlace;
import io.stowage.common.time.StoreClock;
import io.stowage.scm.cluster.ClusterMap;
import java.time.Duration;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Removes DELETED containers, in one term of leadership. Confined to the ticking thread.
 *
 * <ol>
 *   <li>A row is DELETED (by repack; or here, if nothing was ever written to the container and no
 *       writer that had a lease may still commit). That is its last state.
 *   <li>After the keep time, the row is read from the table, and every shard that its nodes have is
 *       ordered to be deleted, with the version of that row.
 *   <li>When every node that the row names has told all its shards and none of these is among them,
 *       nor a copy that the row does not name anywhere, the row is removed by compare-and-set. A
 *       decommissioned node is not asked. One that is dead, or whose disk is gone or takes no
 *       writes, is waited for a week beyond the keep time, for it may never come back, and a row
 *       that nobody removes is in every scan. Should it come back after that, what it has belongs
 *       to no row: it is put aside and waits for an operator's word ({@link Surplus}), who is told
 *       so. Nothing in it can be missed, since DELETED is final, but nobody can tell it from what a
 *       table lost. Remembering such shards for good was rejected: it would be a list per dead node
 *       without an end, to save that word.
 * </ol>
 *
 * What a crash leaves is a DELETED row, and the next leader goes on from what is reported.
 */
final class Deletions {
  private static final Logger LOG = LoggerFactory.getLogger(Deletions.class);
  private static final CrashPoint AFTER_CONFIRM = CrashPoint.named("scm.delete.after-confirm");

  /** Each costs a read or a mutation of the table. */
  private static final int ROWS_A_TICK = 32;

  /** How long beyond the keep time a dead node is waited for. */
  static final Duration DEAD_WAITED_FOR = Surplus.QUARANTINE;

  private final LeaderEpoch leader;
  private final ContainerStore store;
  private final RowMutations rows;
  private final ContainerMap map;
  private final ClusterMap cluster;
  private final ShardInventory shards;
  private final Orders orders;
  private final Garbage garbage;
  private final long keepMicros;
  private final long emptyAfterMicros;
  private final StoreClock clock;

  /**
   * @param keep how long shards of a DELETED container are kept
   * @param emptyAfter how long after its seal a container that nobody wrote to is DELETED: no
   *     writer may commit any more
   */
  Deletions(
      LeaderEpoch leader,
      ContainerStore store,
      RowMutations rows,
      ContainerMap map,
      ClusterMap cluster,
      ShardInventory shards,
      Orders orders,
      Garbage garbage,
      Duration keep,
      Duration emptyAfter,
      StoreClock clock) {
    this.leader = leader;
    this.store = store;
    this.rows = rows;
    this.map = map;
    this.cluster = cluster;
    this.shards = shards;
    this.orders = orders;
    this.garbage = garbage;
    this.keepMicros = keep.toNanos() / 1_000;
    this.emptyAfterMicros = emptyAfter.toNanos() / 1_000;
    this.clock = clock;
  }

  void look(Inspection found) throws StoreException {
    int done = 0;
    for (int i = 0; i < found.deleted().size() && done < ROWS_A_TICK; i++) {
      done += remove(found.deleted().get(i)) ? 1 : 0;
    }
    for (int i = 0; i < found.emptySealed().size() && done < ROWS_A_TICK; i++) {
      done += deleteEmpty(found.emptySealed().get(i)) ? 1 : 0;
    }
  }

  private boolean deleteEmpty(long id) throws StoreException {
    ContainerRow seen = map.get(id);
    Condition condition = shards.condition(id);
    if (seen == null
        || condition == null
        || !condition.isSeenEmpty()
        || !isOldEmpty(seen.info())
        || !shards.strangers().of(id).isEmpty()) { // something of it is somewhere
      return false;
    }
    ContainerRow row =
        rows.change(
            leader,
            id,
            info ->
                isOldEmpty(info)
                    ? info.toBuilder()
                        .setState(ContainerState.DELETED)
                        .setDeletedMicros(clock.wallMicros())
                        .build()
                    : null);
    if (row != null && row.info().getState() == ContainerState.DELETED) {
      LOG.info("Container {} is deleted: nobody ever wrote to it", row.name());
    }
    return true;
  }

  private boolean isOldEmpty(ContainerInfo info) {
    return info.getState() == ContainerState.SEALED
        && info.getEndOffset() == 0
        && clock.wallMicros() - info.getSealedMicros() > emptyAfterMicros;
  }

  /** Says whether that cost anything. */
  private boolean remove(long id) throws StoreException {
    ContainerRow seen = map.get(id);
    if (seen == null || clock.wallMicros() - seen.info().getDeletedMicros() < keepMicros) {
      return false;
    }
    Condition condition = shards.condition(id);
    int failing = onFailingDisks(seen.info());
    int present = condition.present() & ~failing;
    boolean anyPresent = present != 0;
    if (!anyPresent
        && (!isConfirmed(seen.info(), condition, failing) || isCopyWaitedFor(seen.info()))) {
      return false; // a node that is to be asked is away
    }
    if (anyPresent && allOrdered(seen.info(), present)) {
      return false;
    }
    ContainerRow row = store.read(id); // in its final state, by the leader that orders
    if (row == null) {
      map.remove(seen);
      return true;
    }
    map.put(row);
    if (row.info().getState() != ContainerState.DELETED) {
      return true;
    }
    if (anyPresent) {
      order(row, present);
      return true;
    }
    AFTER_CONFIRM.reach();
    if (store.remove(leader, row)) {
      map.remove(row);
      shards.forgetEnds(id);
      garbage.forget(id);
      LOG.info(
          "Container {} is gone: its shards are deleted, but for {} that are lost with their disks",
          row.name(),
          Integer.bitCount((condition.missing() & ~condition.reported()) | failing));
    }
    return true;
  }

  /** What takes no writes deletes nothing: such a disk is waited for as one that is away. */
  private int onFailingDisks(ContainerInfo info) {
    int failing = 0;
    for (ShardPlace place : info.getShardsList()) {
      boolean isFailing = cluster.placeState(place.getNodeId(), place.getDiskId()).isFailing();
      failing |= isFailing ? 1 << place.getIndex() : 0;
    }
    return failing;
  }

  private boolean isConfirmed(ContainerInfo info, Condition condition, int failing) {
    int givenUp = areDeadGivenUp(info) ? condition.missing() | failing : 0;
    for (ShardPlace place : info.getShardsList()) {
      boolean told = Condition.has((condition.reported() & ~failing) | givenUp, place.getIndex());
      if (!told && cluster.mode(place.getNodeId()) != DatanodeMode.DECOMMISSIONED) {
        return false;
      }
    }
    return true;
  }

  private boolean areDeadGivenUp(ContainerInfo info) {
    long overMicros = clock.wallMicros() - info.getDeletedMicros() - keepMicros;
    return overMicros >= DEAD_WAITED_FOR.toNanos() / 1_000;
  }

  /** Whether there is a copy that no row names: {@link Surplus} has it deleted, by this row. */
  private boolean isCopyWaitedFor(ContainerInfo info) {
    for (Strangers.Stranger copy : shards.strangers().of(info.getId())) {
      ClusterMap.PlaceState place = cluster.placeState(copy.nodeId(), copy.shard().getDiskId());
      boolean mayNeverGo = place == ClusterMap.PlaceState.LOST || place.isFailing();
      if (!mayNeverGo || !areDeadGivenUp(info)) {
        return true;
      }
    }
    return false;
  }

  private boolean allOrdered(ContainerInfo info, int present) {
    for (ShardPlace place : info.getShardsList()) {
      if (Condition.has(present, place.getIndex()) && !isOrdered(info, place)) {
        return false;
      }
    }
    return true;
  }

  private boolean isOrdered(ContainerInfo info, ShardPlace place) {
    return orders.isBusy(place.getNodeId())
        || orders.isPending(
            Orders.Kind.DELETE,
            place.getNodeId(),
            new ShardInventory.ShardId(info.getId(), place.getIndex(), place.getGeneration()));
  }

  private void order(ContainerRow row, int present) {
    for (ShardPlace place : row.info().getShardsList()) {
      if (Condition.has(present, place.getIndex()) && !isOrdered(row.info(), place)) {
        orders.delete(place.getNodeId(), Orders.keyOf(row.id(), place), row.version());
      }
    }
  }
}
