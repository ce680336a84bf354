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

import io.stowage.common.error.ErrorCode;
import io.stowage.common.error.StoreException;
import io.stowage.common.fault.CrashPoint;
import io.stowage.common.proto.ContainerInfo;
import io.stowage.common.proto.ContainerState;
import io.stowage.common.proto.OrderResult;
import io.stowage.common.proto.ShardPlace;
import io.stowage.common.proto.ShardReport;
import io.stowage.common.time.StoreClock;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Seals containers, in one term of leadership. Thread-safe.
 *
 * <ol>
 *   <li>The row says SEALED: from here on nobody leases the container.
 *   <li>Every shard's node is ordered to seal. The order carries the last lease's epoch and fences
 *       it; a node that is away hears it when it comes back, since its report tells that the shard
 *       stands open.
 *   <li>Once k shards confirmed, no later stripe can gather its m+1 acknowledgements: the end that
 *       they reported is final and goes into the row.
 * </ol>
 *
 * A crash after any step loses orders only; the next leader makes them again from reports.
 */
final class Sealing {
  private static final Logger LOG = LoggerFactory.getLogger(Sealing.class);
  private static final CrashPoint AFTER_ROW = CrashPoint.named("scm.seal.after-row");

  private final LeaderEpoch leader;
  private final RowMutations rows;
  private final ContainerMap map;
  private final ShardInventory shards;
  private final Orders orders;
  private final StoreClock clock;

  Sealing(
      LeaderEpoch leader,
      RowMutations rows,
      ContainerMap map,
      ShardInventory shards,
      Orders orders,
      StoreClock clock) {
    this.leader = leader;
    this.rows = rows;
    this.map = map;
    this.shards = shards;
    this.orders = orders;
    this.clock = clock;
  }

  /** Seals a container that nobody is to write any more; one that is not open is left alone. */
  void seal(long id, String why) throws StoreException {
    ContainerRow row =
        rows.change(
            leader,
            id,
            info ->
                info.getState() != ContainerState.OPEN
                    ? null
                    : Leases.withoutLease(info)
                        .setState(ContainerState.SEALED)
                        // The commit window is counted from here: never before the last grant.
                        .setSealedMicros(Math.max(clock.wallMicros(), info.getLeaseGrantedMicros()))
                        .setEndOffset(shards.end(info))
                        .build());
    AFTER_ROW.reach();
    if (row == null || row.info().getState() != ContainerState.SEALED) {
      return;
    }
    LOG.info("Container {} sealed: {}", row.name(), why);
    ContainerMap.Reported reported = map.reported(id);
    for (ShardPlace place : row.info().getShardsList()) {
      if (!reported.isSealed(place.getIndex())) {
        order(row, place);
      }
    }
  }

  private void order(ContainerRow row, ShardPlace place) {
    orders.seal(
        place.getNodeId(),
        Orders.keyOf(row.id(), place),
        row.version(),
        row.info().getLeaseEpoch());
  }

  /** At the start of a term: orders for shards that stand open under sealed rows. */
  void resume() {
    map.forEach(
        (id, packed, reported) -> {
          if (ShardInventory.isClosed(PackedContainer.state(packed))
              && (reported.present() & ~reported.sealed() & ~reported.failing()) != 0) {
            ContainerRow row = map.get(id);
            for (ShardPlace place : row.info().getShardsList()) {
              if (reported.isPresent(place.getIndex())
                  && !reported.isSealed(place.getIndex())
                  && !reported.isFailing(place.getIndex())) {
                order(row, place);
              }
            }
          }
        });
  }

  /** A node reported a shard that stands open although the row is sealed. */
  void orderFor(String nodeId, ShardReport shard) {
    ContainerRow row = map.get(shard.getContainer());
    if (row != null
        && ShardInventory.isClosed(row.info().getState())
        && ShardInventory.isPlace(row.info(), nodeId, shard)
        && !orders.isPending(Orders.Kind.SEAL, nodeId, ShardInventory.ShardId.of(shard))) {
      order(row, row.info().getShards(shard.getIndex()));
    }
  }

  /** Orders what still stands open of a closed container, as far as nobody is at it. */
  void sealAllOf(ContainerRow row, int unsealed) {
    for (ShardPlace place : row.info().getShardsList()) {
      if (Condition.has(unsealed, place.getIndex())
          && !orders.isPending(
              Orders.Kind.SEAL,
              place.getNodeId(),
              new ShardInventory.ShardId(row.id(), place.getIndex(), place.getGeneration()))) {
        order(row, place);
      }
    }
  }

  /** Orders it anew, whatever was ordered before: under an epoch that may be refused. */
  void sealAgain(ContainerRow row, int unsealed) {
    for (ShardPlace place : row.info().getShardsList()) {
      if (Condition.has(unsealed, place.getIndex())) {
        orders.forget(
            Orders.Kind.SEAL,
            place.getNodeId(),
            new ShardInventory.ShardId(row.id(), place.getIndex(), place.getGeneration()));
        order(row, place);
      }
    }
  }

  /** Takes a node's answer to an order to seal in. */
  void answered(String nodeId, OrderResult result) {
    if (result.getErrorCode() == 0) {
      shards.noteSealed(
          nodeId, ShardInventory.ShardId.of(result), result.getEnd(), result.getLostSectors());
    } else if (result.getErrorCode() == ErrorCode.NO_SUCH_SHARD.number()) {
      shards.noteGone(nodeId, ShardInventory.ShardId.of(result));
    } else {
      LOG.warn(
          "Datanode {} cannot seal shard {} of container {}: {} {}",
          nodeId,
          result.getIndex(),
          ContainerRow.nameOf(result.getContainer()),
          ErrorCode.ofNumber(result.getErrorCode()),
          result.getErrorMessage());
    }
  }

  /**
   * Writes how far containers reach of which k shards are sealed, where the row does not say so.
   */
  void recordEnds() throws StoreException {
    for (long id : shards.containersWithNewEnds()) {
      recordEnd(id);
    }
  }

  private void recordEnd(long id) throws StoreException {
    ContainerRow row = map.get(id);
    if (row == null || !isEndNews(row.info())) {
      return;
    }
    ContainerRow now =
        rows.change(
            leader,
            id,
            info ->
                isEndNews(info) ? info.toBuilder().setEndOffset(shards.end(info)).build() : null);
    if (now != null) {
      shards.forgetEnd(now.info());
    }
  }

  private boolean isEndNews(ContainerInfo info) {
    return ShardInventory.isClosed(info.getState())
        && shards.end(info) > info.getEndOffset()
        && Integer.bitCount(map.reported(info.getId()).sealed())
            >= ShardInventory.dataShards(info.getPolicy());
  }
}
