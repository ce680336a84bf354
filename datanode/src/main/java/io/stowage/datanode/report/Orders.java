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

import io.netty.util.concurrent.DefaultThreadFactory;
import io.stowage.common.error.ErrorCode;
import io.stowage.common.error.StoreException;
import io.stowage.common.proto.Order;
import io.stowage.common.proto.OrderProgress;
import io.stowage.common.proto.OrderResult;
import io.stowage.common.proto.SealShardRequest;
import io.stowage.common.proto.ShardKey;
import io.stowage.common.proto.ShardReport;
import io.stowage.common.time.StoreClock;
import io.stowage.datanode.repair.Rebuilds;
import io.stowage.datanode.shard.ShardId;
import io.stowage.datanode.store.ShardStore;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.ThreadPoolExecutor;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.function.Consumer;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Carries out what SCM orders, unless the order is stale: of a leader below the highest that this
 * node has heard of, or of a container row older than one that it has obeyed within the last hour.
 * Owns a thread for each disk that has orders, so that a disk that hangs holds up neither the
 * others' orders nor the heartbeats that bring them. Thread-safe.
 *
 * <p>What is ordered of one disk is done in the order in which it came. An order is judged when its
 * turn comes, one at a time on the whole node: one that waited while a newer row of its container
 * was obeyed on another disk is stale by then. One that waited long is not carried out at all: SCM
 * withdraws removals that it could not deliver within as long, and judges anew what it wants.
 *
 * <p>Orders come in replies to our own heartbeats, so that one cannot arrive later than its
 * heartbeat's timeout, and none from before a restart after it. For good a version must not be
 * remembered: a row goes when its container is deleted, or is an older one when HBase was restored,
 * and then what the leader says of shards that this node still has is right though its version is
 * lower (0: there is no row).
 */
public final class Orders implements AutoCloseable {
  private static final Logger LOG = LoggerFactory.getLogger(Orders.class);

  /** An order that a hanging disk holds longer is reported as failed; SCM sends it again. */
  private static final long TIMEOUT_SECONDS = 10;

  /** An order that has waited longer for its turn is not carried out. */
  private static final long MAX_WAIT_NANOS = TimeUnit.SECONDS.toNanos(10);

  /** Orders that wait for one disk; an SCM has 1,000 and some seals under way with a node. */
  private static final int MAX_WAITING = 2_000;

  /** Containers whose last row version is remembered, in memory. */
  private static final int MAX_REMEMBERED = 100_000;

  private static final long REMEMBERED_NANOS = TimeUnit.HOURS.toNanos(1);

  private final ShardStore store;
  private final Rebuilds rebuilds;
  private final StoreClock clock;

  private record Obeyed(long rowVersion, long atNanos) {}

  /** Guarded by itself, which is held while an order is judged. */
  private final Map<Long, Obeyed> obeyedVersions =
      new LinkedHashMap<>(16, 0.75f, true) {
        @Override
        protected boolean removeEldestEntry(Map.Entry<Long, Obeyed> eldest) {
          return size() > MAX_REMEMBERED;
        }
      };

  /** By disk id: who carries out its orders. At most one a disk that the node has had. */
  private final Map<String, ThreadPoolExecutor> lines = new HashMap<>();

  /** Orders that wait or are carried out; a repeated one is not done twice. */
  private final Set<Long> underWay = new HashSet<>();

  private boolean closed;

  public Orders(ShardStore store, Rebuilds rebuilds, StoreClock clock) {
    this.store = store;
    this.rebuilds = rebuilds;
    this.clock = clock;
  }

  /**
   * Does what an order says, or begins to. Never throws, and never waits for a disk.
   *
   * @param answer told how it went, by the caller's thread or another; for an order that is sent
   *     again while it is under way, only once
   */
  public void obey(Order order, Consumer<OrderResult> answer) {
    try {
      begin(order, answer);
    } catch (StoreException e) {
      answer.accept(refusal(order, e));
    }
  }

  private synchronized void begin(Order order, Consumer<OrderResult> answer) throws StoreException {
    String diskId = order.getShard().getDiskId();
    if (closed) {
      throw new StoreException(ErrorCode.UNAVAILABLE, "Cannot obey: stopping");
    }
    store.checkHasDisk(diskId);
    if (!underWay.add(order.getOrderId())) {
      return;
    }
    long came = clock.monotonicNanos();
    try {
      line(diskId).execute(() -> obeyInTurn(order, came, answer));
    } catch (RejectedExecutionException e) {
      underWay.remove(order.getOrderId());
      throw new StoreException(
          ErrorCode.OVERLOADED,
          "Cannot obey: " + MAX_WAITING + " orders wait for disk " + diskId,
          e);
    }
  }

  private ThreadPoolExecutor line(String diskId) {
    return lines.computeIfAbsent(
        diskId,
        id -> {
          ThreadPoolExecutor line =
              new ThreadPoolExecutor(
                  1,
                  1,
                  10,
                  TimeUnit.SECONDS,
                  new LinkedBlockingQueue<>(MAX_WAITING),
                  new DefaultThreadFactory("datanode-orders", true));
          line.allowCoreThreadTimeOut(true);
          return line;
        });
  }

  /** Answers when the order is no longer under way: what is sent again then is obeyed again. */
  private void obeyInTurn(Order order, long cameNanos, Consumer<OrderResult> answer) {
    OrderResult result = null;
    try {
      checkFresh(order, cameNanos);
      if (order.hasRebuild()) {
        rebuilds.order(order, answer);
      } else {
        result = carryOut(order);
        LOG.debug("Obeyed {}", order);
      }
    } catch (StoreException e) {
      result = refusal(order, e);
    } catch (RuntimeException e) {
      LOG.error("Order {} ended by a bug", order.getOrderId(), e);
      result = refusal(order, new StoreException(ErrorCode.INTERNAL, "Cannot obey: " + e, e));
    } finally {
      synchronized (this) {
        underWay.remove(order.getOrderId());
      }
    }
    if (result != null) {
      answer.accept(result);
    }
  }

  private static OrderResult.Builder result(Order order) {
    ShardKey shard = order.getShard();
    return OrderResult.newBuilder()
        .setOrderId(order.getOrderId())
        .setContainer(shard.getContainer())
        .setIndex(shard.getIndex())
        .setGeneration(shard.getGeneration());
  }

  private static OrderResult refusal(Order order, StoreException why) {
    LOG.info(
        "Order {} ({}) about container {} not obeyed: {}",
        order.getOrderId(),
        order.getWhatCase(),
        Long.toHexString(order.getShard().getContainer()),
        why.toString());
    return result(order)
        .setErrorCode(why.code().number())
        .setErrorMessage(why.getMessage())
        .build();
  }

  /** How far orders are that take long. */
  public List<OrderProgress> progress() {
    return rebuilds.progress();
  }

  private void checkFresh(Order order, long cameNanos) throws StoreException {
    synchronized (obeyedVersions) {
      long waited = clock.monotonicNanos() - cameNanos;
      if (waited > MAX_WAIT_NANOS) {
        throw new StoreException(
            ErrorCode.TIMEOUT,
            "Cannot obey: waited for the disk's other orders for "
                + TimeUnit.NANOSECONDS.toMillis(waited)
                + " ms");
      }
      checkFresh(order);
    }
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

  private OrderResult carryOut(Order order) throws StoreException {
    OrderResult.Builder result = result(order);
    ShardKey key = order.getShard();
    switch (order.getWhatCase()) {
      case SEAL -> {
        SealShardRequest seal =
            order.getSeal().hasShard()
                ? order.getSeal()
                : order.getSeal().toBuilder().setShard(key).build();
        result.setEnd(await(store.seal(seal)).getEnd());
        ShardReport sealed = store.report(key.getDiskId(), ShardId.of(key));
        result.setLostSectors(sealed == null ? 0 : sealed.getLostSectors());
      }
      case DELETE -> await(store.delete(key));
      case QUARANTINE -> await(store.quarantine(key));
      case RESTORE -> await(store.restore(key));
      case VERIFY -> {
        store.verify(key);
        if (order.getVerify().hasSectors()) {
          rebuilds.compare(key, order.getVerify());
        }
      }
      case REBUILD, WHAT_NOT_SET ->
          throw new StoreException(
              ErrorCode.INVALID_ARGUMENT,
              "Cannot obey order " + order.getOrderId() + ": this datanode does not know its kind");
    }
    return result.build();
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

  /** Ends without what waits; SCM sends it again. */
  @Override
  public void close() {
    List<ThreadPoolExecutor> ending;
    synchronized (this) {
      closed = true;
      ending = List.copyOf(lines.values());
    }
    ending.forEach(line -> line.getQueue().clear());
    ending.forEach(ThreadPoolExecutor::shutdown); // no interrupt: it would close files
    try {
      for (ThreadPoolExecutor line : ending) {
        if (!line.awaitTermination(2, TimeUnit.SECONDS)) {
          LOG.warn("An order still waits for a disk; leaving it");
        }
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }
}
