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
package io.stowage.datanode.report;

import io.stowage.common.error.ErrorCode;
import io.stowage.common.error.StoreException;
import io.stowage.common.proto.Order;
import io.stowage.common.proto.OrderProgress;
import io.stowage.common.proto.OrderResult;
import io.stowage.common.proto.ShardKey;
import io.stowage.common.time.StoreClock;
import io.stowage.datanode.repair.Rebuilds;
import io.stowage.datanode.store.ShardStore;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.function.Consumer;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Carries out what SCM orders, unless the order is stale: of a leader below the highest that this
 * node has heard of, or of a container row older than one that it has obeyed within the last hour.
 * Thread-safe: one order is judged and carried out at a time, so that a stale one cannot overtake.
 *
 * <p>Orders come in replies to our own heartbeats, so that one cannot arrive later than its
 * heartbeat's timeout, and none from before a restart after it. For good a version must not be
 * remembered: a row goes when its container is deleted, or is an older one when HBase was restored,
 * and then what the leader says of shards that this node still has is right though its version is
 * lower (0: there is no row).
 */
public final class Orders {
  private static final Logger LOG = LoggerFactory.getLogger(Orders.class);

  /** An order that a hanging disk holds longer is reported as failed; SCM sends it again. */
  private static final long TIMEOUT_SECONDS = 10;

  /** Containers whose last row version is remembered, in memory. */
  private static final int MAX_REMEMBERED = 100_000;

  private static final long REMEMBERED_NANOS = TimeUnit.HOURS.toNanos(1);

  private final ShardStore store;
  private final Rebuilds rebuilds;
  private final StoreClock clock;

  private record Obeyed(long rowVersion, long atNanos) {}

  private final Map<Long, Obeyed> obeyedVersions =
      new LinkedHashMap<>(16, 0.75f, true) {
        @Override
        protected boolean removeEldestEntry(Map.Entry<Long, Obeyed> eldest) {
          return size() > MAX_REMEMBERED;
        }
      };

  public Orders(ShardStore store, Rebuilds rebuilds, StoreClock clock) {
    this.store = store;
    this.rebuilds = rebuilds;
    this.clock = clock;
  }

  /**
   * Does what an order says, or begins to. Never throws.
   *
   * @param answer told how it went: at once, or by another thread when what takes long has ended
   */
  public synchronized void obey(Order order, Consumer<OrderResult> answer) {
    ShardKey shard = order.getShard();
    OrderResult.Builder result =
        OrderResult.newBuilder()
            .setOrderId(order.getOrderId())
            .setContainer(shard.getContainer())
            .setIndex(shard.getIndex())
            .setGeneration(shard.getGeneration());
    try {
      checkFresh(order);
      if (order.hasRebuild()) {
        rebuilds.order(order, answer);
        return;
      }
      result.setEnd(carryOut(order));
      LOG.debug("Obeyed {}", order);
    } catch (StoreException e) {
      LOG.info(
          "Order {} ({}) about container {} not obeyed: {}",
          order.getOrderId(),
          order.getWhatCase(),
          Long.toHexString(shard.getContainer()),
          e.toString());
      result.setErrorCode(e.code().number()).setErrorMessage(e.getMessage());
    }
    answer.accept(result.build());
  }

  /** How far orders are that take long. */
  public List<OrderProgress> progress() {
    return rebuilds.progress();
  }

  private void checkFresh(Order order) throws StoreException {
    if (order.getLeaderEpoch() < store.leaderEpoch()) {
      throw new StoreException(
          ErrorCode.FENCED,
          "Cannot obey leader epoch "
              + order.getLeaderEpoch()
              + ": "
              + store.leaderEpoch()
              + " leads");
    }
    store.hearLeaderEpoch(order.getLeaderEpoch());
    long container = order.getShard().getContainer();
    long now = clock.monotonicNanos();
    Obeyed before = obeyedVersions.get(container);
    if (before != null
        && order.getRowVersion() < before.rowVersion()
        && now - before.atNanos() < REMEMBERED_NANOS) {
      throw new StoreException(
          ErrorCode.FENCED,
          "Cannot obey row version "
              + order.getRowVersion()
              + ": obeyed "
              + before.rowVersion()
              + " before");
    }
    obeyedVersions.put(container, new Obeyed(order.getRowVersion(), now));
  }

  private long carryOut(Order order) throws StoreException {
    return switch (order.getWhatCase()) {
      case SEAL ->
          await(
                  store.seal(
                      order.getSeal().hasShard()
                          ? order.getSeal()
                          : order.getSeal().toBuilder().setShard(order.getShard()).build()))
              .getEnd();
      case DELETE -> {
        await(store.delete(order.getShard()));
        yield 0;
      }
      case QUARANTINE -> {
        await(store.quarantine(order.getShard()));
        yield 0;
      }
      case RESTORE -> {
        await(store.restore(order.getShard()));
        yield 0;
      }
      case VERIFY -> {
        store.verify(order.getShard());
        yield 0;
      }
      case REBUILD, WHAT_NOT_SET ->
          throw new StoreException(
              ErrorCode.INVALID_ARGUMENT,
              "Cannot obey order " + order.getOrderId() + ": this datanode does not know its kind");
    };
  }

  private static <T> T await(CompletableFuture<T> work) throws StoreException {
    try {
      return work.get(TIMEOUT_SECONDS, TimeUnit.SECONDS);
    } catch (ExecutionException e) {
      if (e.getCause() instanceof StoreException store) {
        throw store;
      }
      throw new StoreException(ErrorCode.INTERNAL, "Cannot obey: " + e.getCause(), e.getCause());
    } catch (TimeoutException e) {
      throw new StoreException(
          ErrorCode.TIMEOUT, "Cannot obey: no end after " + TIMEOUT_SECONDS + " s", e);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new StoreException(ErrorCode.UNAVAILABLE, "Cannot obey: stopping", e);
    }
  }
}
