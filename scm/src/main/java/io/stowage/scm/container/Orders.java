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

import io.stowage.common.proto.DeleteShardOrder;
import io.stowage.common.proto.Order;
import io.stowage.common.proto.OrderResult;
import io.stowage.common.proto.QuarantineShardOrder;
import io.stowage.common.proto.RebuildShardOrder;
import io.stowage.common.proto.RestoreShardOrder;
import io.stowage.common.proto.SealShardRequest;
import io.stowage.common.proto.ShardKey;
import io.stowage.common.proto.ShardPlace;
import io.stowage.common.proto.ShardReport;
import io.stowage.common.proto.VerifyShardOrder;
import io.stowage.common.time.StoreClock;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * Orders to datanodes of one term of leadership that are not yet confirmed. They go out with
 * heartbeat replies, again and again until answered: all of them are idempotent. Guarded by itself.
 */
final class Orders {
  /** In one heartbeat reply; the rest follows with the next. */
  private static final int MOST_IN_A_REPLY = 500;

  /** Deletions and the like wait for these to be done; seals are as many as it has open shards. */
  private static final int MOST_FOR_A_NODE = 1_000;

  /** A node whose orders were lost is told again, but not while it is at work on them. */
  private static final long REPEAT_NANOS = Duration.ofSeconds(5).toNanos();

  /**
   * What is deleted or put aside was judged not to be needed, which may change: an order that was
   * not delivered by then is withdrawn, and judged again.
   */
  private static final long REMOVAL_VALID_NANOS = Duration.ofSeconds(10).toNanos();

  private final LeaderEpoch leader;
  private final StoreClock clock;
  private final Map<String, Map<What, Pending>> byNode = new HashMap<>();
  private long lastOrderId;

  Orders(LeaderEpoch leader, StoreClock clock) {
    this.leader = leader;
    this.clock = clock;
    this.lastOrderId = leader.value() << 32; // no two terms give two orders one id
  }

  /** What a shard may be ordered to become; one order of a kind is pending for a shard. */
  enum Kind {
    SEAL,
    QUARANTINE,
    DELETE,
    RESTORE,
    REBUILD,
    VERIFY
  }

  private record What(Kind kind, long container, int index, int generation) {}

  private static final class Pending {
    private final Order order;
    private final long madeNanos;
    private long sentNanos;
    private boolean sent;

    Pending(Order order, long madeNanos) {
      this.order = order;
      this.madeNanos = madeNanos;
    }

    boolean isWithdrawn(long nowNanos) {
      return (order.hasDelete() || order.hasQuarantine())
          && nowNanos - madeNanos > REMOVAL_VALID_NANOS;
    }
  }

  /** Seals a shard: it refuses writes of this epoch and of lower ones from then on. */
  synchronized void seal(String nodeId, ShardKey shard, long rowVersion, long leaseEpoch) {
    add(
        nodeId,
        Kind.SEAL,
        order(shard, rowVersion)
            .setSeal(SealShardRequest.newBuilder().setShard(shard).setEpoch(leaseEpoch))
            .build());
  }

  /** Names a shard as its node reported it. */
  static ShardKey keyOf(ShardReport shard) {
    return ShardKey.newBuilder()
        .setContainer(shard.getContainer())
        .setIndex(shard.getIndex())
        .setGeneration(shard.getGeneration())
        .setDiskId(shard.getDiskId())
        .build();
  }

  /** Names a shard as its row does. */
  static ShardKey keyOf(long container, ShardPlace place) {
    return ShardKey.newBuilder()
        .setContainer(container)
        .setIndex(place.getIndex())
        .setGeneration(place.getGeneration())
        .setDiskId(place.getDiskId())
        .build();
  }

  /** Has a shard that belongs to nothing put aside. */
  synchronized void quarantine(String nodeId, ShardKey shard, long rowVersion) {
    add(
        nodeId,
        Kind.QUARANTINE,
        order(shard, rowVersion).setQuarantine(QuarantineShardOrder.getDefaultInstance()).build());
  }

  /** Has a shard deleted, for good. */
  synchronized void delete(String nodeId, ShardKey shard, long rowVersion) {
    add(
        nodeId,
        Kind.DELETE,
        order(shard, rowVersion).setDelete(DeleteShardOrder.getDefaultInstance()).build());
  }

  /** Has a shard taken out of quarantine. */
  synchronized void restore(String nodeId, ShardKey shard, long rowVersion) {
    add(
        nodeId,
        Kind.RESTORE,
        order(shard, rowVersion).setRestore(RestoreShardOrder.getDefaultInstance()).build());
  }

  /** Has a shard made of others; returns the order's id. */
  synchronized long rebuild(
      String nodeId, ShardKey shard, long rowVersion, RebuildShardOrder rebuild) {
    Order order = order(shard, rowVersion).setRebuild(rebuild).build();
    add(nodeId, Kind.REBUILD, order);
    return order.getOrderId();
  }

  /** Has a shard read against its checksums, and compared with others if the order names any. */
  synchronized void verify(
      String nodeId, ShardKey shard, long rowVersion, VerifyShardOrder verify) {
    add(nodeId, Kind.VERIFY, order(shard, rowVersion).setVerify(verify).build());
  }

  private Order.Builder order(ShardKey shard, long rowVersion) {
    return Order.newBuilder()
        .setOrderId(++lastOrderId)
        .setLeaderEpoch(leader.value())
        .setRowVersion(rowVersion)
        .setShard(shard);
  }

  private void add(String nodeId, Kind kind, Order order) {
    ShardKey shard = order.getShard();
    byNode
        .computeIfAbsent(nodeId, id -> new LinkedHashMap<>())
        .put(
            new What(kind, shard.getContainer(), shard.getIndex(), shard.getGeneration()),
            new Pending(order, clock.monotonicNanos()));
  }

  /** Whether an order of this kind about a shard is on its way. */
  synchronized boolean isPending(Kind kind, String nodeId, ShardInventory.ShardId shard) {
    Pending pending =
        byNode
            .getOrDefault(nodeId, Map.of())
            .get(new What(kind, shard.container(), shard.index(), shard.generation()));
    return pending != null && !pending.isWithdrawn(clock.monotonicNanos());
  }

  /** Whether a node has as much to do as makes sense to tell it of. */
  synchronized boolean isBusy(String nodeId) {
    return byNode.getOrDefault(nodeId, Map.of()).size() >= MOST_FOR_A_NODE;
  }

  /** Nobody waits for this any more; a node that heard of it may still do it. */
  synchronized void forget(Kind kind, String nodeId, ShardInventory.ShardId shard) {
    byNode
        .getOrDefault(nodeId, new HashMap<>())
        .remove(new What(kind, shard.container(), shard.index(), shard.generation()));
  }

  /** What to tell a node now. */
  synchronized List<Order> next(String nodeId, long nowNanos) {
    List<Order> orders = new ArrayList<>();
    byNode
        .getOrDefault(nodeId, new HashMap<>())
        .values()
        .removeIf(pending -> pending.isWithdrawn(nowNanos));
    for (Pending pending : byNode.getOrDefault(nodeId, Map.of()).values()) {
      if (orders.size() == MOST_IN_A_REPLY) {
        break;
      }
      if (!pending.sent || nowNanos - pending.sentNanos > REPEAT_NANOS) {
        pending.sent = true;
        pending.sentNanos = nowNanos;
        orders.add(pending.order);
      }
    }
    return orders;
  }

  /** Takes an order off; null if it was not pending, or was another leader's. */
  synchronized Order done(String nodeId, OrderResult result) {
    Map<What, Pending> ofNode = byNode.getOrDefault(nodeId, Map.of());
    for (Kind kind : Kind.values()) {
      What what = new What(kind, result.getContainer(), result.getIndex(), result.getGeneration());
      Pending pending = ofNode.get(what);
      if (pending != null && pending.order.getOrderId() == result.getOrderId()) {
        ofNode.remove(what);
        return pending.order;
      }
    }
    return null;
  }

  synchronized int count() {
    return byNode.values().stream().mapToInt(Map::size).sum();
  }
}
