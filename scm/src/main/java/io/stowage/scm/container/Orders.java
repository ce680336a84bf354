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

import io.stowage.common.proto.Order;
import io.stowage.common.proto.OrderResult;
import io.stowage.common.proto.QuarantineShardOrder;
import io.stowage.common.proto.SealShardRequest;
import io.stowage.common.proto.ShardKey;
import io.stowage.common.proto.ShardReport;
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

  /** A node whose orders were lost is told again, but not while it is at work on them. */
  private static final long REPEAT_NANOS = Duration.ofSeconds(5).toNanos();

  private final LeaderEpoch leader;
  private final Map<String, Map<What, Pending>> byNode = new HashMap<>();
  private long lastOrderId;

  Orders(LeaderEpoch leader) {
    this.leader = leader;
  }

  private enum Kind {
    SEAL,
    QUARANTINE
  }

  private record What(Kind kind, long container, int index, int generation) {}

  private static final class Pending {
    private final Order order;
    private long sentNanos;
    private boolean sent;

    Pending(Order order) {
      this.order = order;
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

  /** Has a shard that belongs to nothing put aside. */
  synchronized void quarantine(String nodeId, ShardReport shard, long rowVersion) {
    ShardKey key =
        ShardKey.newBuilder()
            .setContainer(shard.getContainer())
            .setIndex(shard.getIndex())
            .setGeneration(shard.getGeneration())
            .setDiskId(shard.getDiskId())
            .build();
    add(
        nodeId,
        Kind.QUARANTINE,
        order(key, rowVersion).setQuarantine(QuarantineShardOrder.getDefaultInstance()).build());
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
            new Pending(order));
  }

  synchronized boolean isQuarantinePending(String nodeId, ShardReport shard) {
    return byNode
        .getOrDefault(nodeId, Map.of())
        .containsKey(
            new What(
                Kind.QUARANTINE, shard.getContainer(), shard.getIndex(), shard.getGeneration()));
  }

  /** Whether a seal of this shard is on its way. */
  synchronized boolean isSealPending(String nodeId, long container, int index, int generation) {
    return byNode
        .getOrDefault(nodeId, Map.of())
        .containsKey(new What(Kind.SEAL, container, index, generation));
  }

  /** What to tell a node now. */
  synchronized List<Order> next(String nodeId, long nowNanos) {
    List<Order> orders = new ArrayList<>();
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
