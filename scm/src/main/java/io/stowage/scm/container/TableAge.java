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
import io.stowage.common.proto.ContainerInfo;
import io.stowage.common.proto.ContainerState;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Finds out that the container table is older than the disks, as after HBase was restored from a
 * copy, in one term of leadership. Confined to the ticking thread.
 *
 * <p>Containers that the copy does not know show as shards of no row: {@link Surplus}. Those that
 * it knows are worse: what was written to them after the copy is named by no restored head, so
 * repack would find it dead and empty them. But three things are in the table before they are on
 * any disk, and never become less there:
 *
 * <ul>
 *   <li>a lease epoch: in the row before its writer is answered, who then opens shards under it;
 *   <li>SEALED: in the row before a shard is ordered to be sealed;
 *   <li>a leader epoch: in the counter before a leader tells it to a datanode.
 * </ul>
 *
 * So whoever hears more from a datanode, and <i>then</i> reads less from the table, knows. Reading
 * later is all that it takes against races:
 *
 * <ul>
 *   <li><i>A lease is granted, or the row sealed, between the report and the read:</i> the row says
 *       more than the report then, never less.
 *   <li><i>The map lags, of a standby or of a leader that was elected just now:</i> the table does
 *       not, and is read.
 *   <li><i>Two leaders:</i> whichever granted or sealed did so by compare-and-set of the one row.
 *   <li><i>A grant of which the outcome is unknown:</i> nobody was answered, so nobody opens.
 *   <li><i>A counter that another SCM raises meanwhile:</i> as with a lease.
 *   <li><i>This leader seals the row of a container that is sealed on its disks already, before it
 *       has heard of them:</i> that would destroy the proof, so none is sealed for being old or
 *       full before its nodes have told all they have ({@link Leases}), or while it is in question
 *       here.
 *   <li><i>A crash after the finding was noted:</i> the next leader finds it in the operator's row;
 *       before: finds it again, since rows are mended after that only.
 * </ul>
 *
 * <p>It is noted in the operator's row, so that it outlives the leader, and while it stands nothing
 * is emptied, put aside or deleted ({@link Surplus#heldBack}). An operator's word ends it, or a
 * rebuild that brought all back. A row that is behind is then mended, whoever said what: sealed,
 * and given the epoch of its shards, which would refuse to be sealed under a lower one and could
 * never be repaired.
 *
 * <p>What it cannot see: a copy so young that no container that it knows was leased anew or sealed,
 * and no leader elected since.
 */
final class TableAge {
  private static final Logger LOG = LoggerFactory.getLogger(TableAge.class);

  /** Each costs a read of HBase, and a mutation or two if it is behind. */
  private static final int LOOKED_AT_A_TICK = 100;

  private final LeaderEpoch leader;
  private final ContainerStore store;
  private final RowMutations rows;
  private final ContainerMap map;
  private final ShardInventory shards;
  private final Leases leases;
  private final Sealing sealing;
  private final OperatorWords operator;

  TableAge(
      LeaderEpoch leader,
      ContainerStore store,
      RowMutations rows,
      ContainerMap map,
      ShardInventory shards,
      Leases leases,
      Sealing sealing,
      OperatorWords operator) {
    this.leader = leader;
    this.store = store;
    this.rows = rows;
    this.map = map;
    this.shards = shards;
    this.leases = leases;
    this.sealing = sealing;
    this.operator = operator;
  }

  void look() throws StoreException {
    for (ShardInventory.Ahead told : shards.ahead(LOOKED_AT_A_TICK)) {
      ContainerRow row = store.read(told.container()); // later than it was told
      if (row != null) {
        map.put(row);
        if (!told.isExplainedBy(row.info())) {
          operator.noteTableOlder(why(row, told));
          mend(row, told);
        }
      }
      shards.forgetAhead(told);
    }
  }

  private static String why(ContainerRow row, ShardInventory.Ahead told) {
    return "container "
        + row.name()
        + " is "
        + row.info().getState()
        + " with lease epoch "
        + row.info().getLeaseEpoch()
        + ", a shard of it was opened under "
        + told.epoch()
        + (told.sealed() ? " and is sealed" : "");
  }

  private void mend(ContainerRow seen, ShardInventory.Ahead told) throws StoreException {
    if (seen.info().getState() == ContainerState.OPEN) {
      leases.sealWhoeverHoldsIt(seen.id(), "its shards know more than its row");
    }
    ContainerRow row =
        rows.change(
            leader,
            seen.id(),
            info ->
                isBehind(info, told) ? info.toBuilder().setLeaseEpoch(told.epoch()).build() : null);
    Condition condition = shards.condition(seen.id());
    if (row != null && row.info().getState() != ContainerState.DELETED && condition != null) {
      sealing.sealAgain(row, condition.unsealed());
      LOG.warn("Container {} is sealed under epoch {}", row.name(), row.info().getLeaseEpoch());
    }
  }

  private static boolean isBehind(ContainerInfo info, ShardInventory.Ahead told) {
    return ShardInventory.isClosed(info.getState()) && info.getLeaseEpoch() < told.epoch();
  }
}
