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
package io.stowage.datanode.repair;

import io.netty.util.concurrent.DefaultThreadFactory;
import io.stowage.common.data.DatanodeDirectory;
import io.stowage.common.error.ErrorCode;
import io.stowage.common.error.StoreException;
import io.stowage.common.fault.CrashPoint;
import io.stowage.common.proto.Order;
import io.stowage.common.proto.OrderProgress;
import io.stowage.common.proto.OrderResult;
import io.stowage.common.proto.ShardKey;
import io.stowage.common.proto.ShardReport;
import io.stowage.common.proto.VerifyShardOrder;
import io.stowage.common.time.StoreClock;
import io.stowage.datanode.disk.DiskFullException;
import io.stowage.datanode.shard.ShardId;
import io.stowage.datanode.store.ShardStore;
import java.io.IOException;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.SynchronousQueue;
import java.util.concurrent.ThreadPoolExecutor;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The rebuilds of a node: few at a time on each disk, the others waiting in the order in which SCM
 * asked for them. Owns their threads, a pool for each disk, so that a disk that hangs holds up only
 * its own; and one that looks whether a rebuild is needed ({@link Comparison}). Thread-safe.
 *
 * <p>An order for a shard that is being rebuilt joins it; one for a shard that is there is answered
 * at once. An order for another generation of the same shard ends the older one, whose shard nobody
 * would want any more.
 */
public final class Rebuilds implements AutoCloseable {
  private static final Logger LOG = LoggerFactory.getLogger(Rebuilds.class);

  /** Waiting or under way; SCM sends a few at a time and is told when they are too many. */
  private static final int MAX_REBUILDS = 1_000;

  /** Those that wait; what comes then is reported again. */
  private static final int MAX_COMPARISONS = 100;

  /** Callers that joined one rebuild: there are few SCMs, and each remembers its own order. */
  private static final int MAX_WAITERS = 16;

  private final ShardStore store;
  private final DatanodeDirectory datanodes;
  private final RepairSettings settings;
  private final StoreClock clock;
  private final ExecutorService forces;
  private final ThreadPoolExecutor comparisons;

  // Guarded by this.
  private final Map<ShardKey, Job> jobs = new LinkedHashMap<>();
  private final Map<String, ThreadPoolExecutor> pools = new HashMap<>();
  private long memoryUsed;
  private boolean closed;

  /** One shard to rebuild; its waiters are guarded by the owner. */
  private static final class Job {
    final ShardKey key;
    final ShardRebuild rebuild;
    final Map<Long, Consumer<OrderResult>> waiters = new LinkedHashMap<>();

    Job(ShardKey key, ShardRebuild rebuild) {
      this.key = key;
      this.rebuild = rebuild;
    }
  }

  public Rebuilds(
      ShardStore store, DatanodeDirectory datanodes, RepairSettings settings, StoreClock clock) {
    this.store = store;
    this.datanodes = datanodes;
    this.settings = settings;
    this.clock = clock;
    // One a rebuild at most; they wait for disks only.
    this.forces =
        new ThreadPoolExecutor(
            0,
            Integer.MAX_VALUE,
            10,
            TimeUnit.SECONDS,
            new SynchronousQueue<>(),
            new DefaultThreadFactory("datanode-rebuild-force", true));
    this.comparisons =
        new ThreadPoolExecutor(
            1,
            1,
            10,
            TimeUnit.SECONDS,
            new LinkedBlockingQueue<>(MAX_COMPARISONS),
            new DefaultThreadFactory("datanode-compare", true),
            new ThreadPoolExecutor.DiscardPolicy());
    comparisons.allowCoreThreadTimeOut(true);
  }

  /**
   * Rebuilds a shard, or joins who does.
   *
   * @param answer told how it ended, by a thread of this class or by the caller's
   * @throws StoreException if the order is refused at once
   */
  public void order(Order order, Consumer<OrderResult> answer) throws StoreException {
    ShardKey key = order.getShard();
    ShardReport there = store.report(key.getDiskId(), ShardId.of(key));
    if (there != null && there.getSealed() && !there.getFailed() && !there.getQuarantined()) {
      answer.accept(
          result(order.getOrderId(), key)
              .setEnd(there.getEnd())
              .setLostSectors(there.getLostSectors())
              .build());
      return;
    }
    store.repairRate(key); // the disk is one of this node's
    begin(order, key, answer);
  }

  /** Has some sectors of a shard compared with the others of its container, soon. */
  public void compare(ShardKey key, VerifyShardOrder order) {
    comparisons.execute(
        () -> {
          try {
            int lacking = new Comparison(key, order, store, datanodes).lacking();
            if (lacking > 0) {
              LOG.error(
                  "{} on disk {} lacks {} sectors that the others of its container have",
                  ShardId.of(key),
                  key.getDiskId(),
                  lacking);
              store.noteLacking(key, lacking);
            }
          } catch (StoreException e) {
            LOG.info("Cannot compare {} with the others: {}", ShardId.of(key), e.toString());
          } catch (RuntimeException e) {
            LOG.error("Comparison of {} ended by a bug", ShardId.of(key), e);
          }
        });
  }

  private synchronized void begin(Order order, ShardKey key, Consumer<OrderResult> answer)
      throws StoreException {
    if (closed) {
      throw new StoreException(ErrorCode.UNAVAILABLE, "Cannot rebuild: stopping");
    }
    Job job = jobs.get(key);
    if (job == null) {
      if (jobs.size() >= MAX_REBUILDS) {
        throw new StoreException(
            ErrorCode.OVERLOADED, "Cannot rebuild: " + MAX_REBUILDS + " rebuilds wait here");
      }
      endOlder(key);
      job =
          new Job(key, new ShardRebuild(key, order.getRebuild(), store, datanodes, clock, forces));
      jobs.put(key, job);
      Job started = job;
      pool(key.getDiskId()).execute(() -> run(started));
    }
    if (job.waiters.size() < MAX_WAITERS) {
      job.waiters.put(order.getOrderId(), answer);
    }
  }

  private void endOlder(ShardKey key) {
    for (Job other : jobs.values()) {
      if (other.key.getContainer() == key.getContainer()
          && other.key.getIndex() == key.getIndex()
          && other.key.getGeneration() < key.getGeneration()) {
        other.rebuild.stop(
            new StoreException(
                ErrorCode.FENCED,
                "Cannot go on with "
                    + ShardId.of(other.key)
                    + ": generation "
                    + key.getGeneration()
                    + " was ordered"));
      }
    }
  }

  private ThreadPoolExecutor pool(String diskId) {
    return pools.computeIfAbsent(
        diskId,
        id -> {
          int threads = settings.rebuildsPerDisk();
          ThreadPoolExecutor pool =
              new ThreadPoolExecutor(
                  threads,
                  threads,
                  10,
                  TimeUnit.SECONDS,
                  new LinkedBlockingQueue<>(MAX_REBUILDS),
                  new DefaultThreadFactory("datanode-rebuild", true));
          pool.allowCoreThreadTimeOut(true);
          return pool;
        });
  }

  /** What is under way, for SCM. */
  public synchronized List<OrderProgress> progress() {
    List<OrderProgress> all = new ArrayList<>();
    for (Job job : jobs.values()) {
      for (long orderId : job.waiters.keySet()) {
        all.add(
            OrderProgress.newBuilder()
                .setOrderId(orderId)
                .setBytesDone(job.rebuild.bytesDone())
                .setBytesTotal(job.rebuild.bytesTotal())
                .build());
      }
    }
    return all;
  }

  private void run(Job job) {
    OrderResult.Builder result = result(0, job.key);
    long began = clock.monotonicNanos();
    long memory = 0;
    try {
      memory = takeMemory(job);
      ShardRebuild.Done done = job.rebuild.run();
      result.setEnd(done.end()).setLostSectors(done.lostSectors());
      LOG.info(
          "Rebuilt {} on disk {}: {} bytes in {} ms, {} sectors lost",
          ShardId.of(job.key),
          job.key.getDiskId(),
          done.end(),
          TimeUnit.NANOSECONDS.toMillis(clock.monotonicNanos() - began),
          done.lostSectors());
    } catch (CrashPoint.Crash e) {
      return; // a dead process answers nobody
    } catch (StoreException e) {
      fail(result, e);
    } catch (IOException e) {
      fail(
          result,
          new StoreException(
              e instanceof DiskFullException ? ErrorCode.DISK_FULL : ErrorCode.SHARD_FAILED,
              "Cannot rebuild " + ShardId.of(job.key) + ": " + e.getMessage(),
              e));
      store.suspect(job.key.getDiskId());
    } catch (RuntimeException | Error e) {
      LOG.error("Rebuild of {} ended by a bug", ShardId.of(job.key), e);
      fail(result, new StoreException(ErrorCode.INTERNAL, "Cannot rebuild: " + e, e));
    } finally {
      giveMemory(memory);
    }
    Map<Long, Consumer<OrderResult>> waiters;
    synchronized (this) {
      jobs.remove(job.key);
      waiters = job.waiters;
    }
    waiters.forEach((orderId, answer) -> answer.accept(result.setOrderId(orderId).build()));
  }

  private static void fail(OrderResult.Builder result, StoreException why) {
    LOG.warn("{}", why.getMessage());
    result.setErrorCode(why.code().number()).setErrorMessage(why.getMessage());
  }

  /** Waits until the memory of a rebuild is free; one rebuild always goes on. */
  private synchronized long takeMemory(Job job) throws StoreException {
    long wanted = job.rebuild.memoryBytes();
    while (memoryUsed > 0 && memoryUsed + wanted > settings.memoryBytes()) {
      job.rebuild.checkGoOn();
      try {
        wait(100);
      } catch (InterruptedException e) {
        Thread.currentThread().interrupt();
        throw new StoreException(ErrorCode.UNAVAILABLE, "Cannot rebuild: interrupted", e);
      }
    }
    memoryUsed += wanted;
    return wanted;
  }

  private synchronized void giveMemory(long bytes) {
    memoryUsed -= bytes;
    notifyAll();
  }

  private static OrderResult.Builder result(long orderId, ShardKey key) {
    return OrderResult.newBuilder()
        .setOrderId(orderId)
        .setContainer(key.getContainer())
        .setIndex(key.getIndex())
        .setGeneration(key.getGeneration());
  }

  /** Ends what is under way; orders come again. */
  @Override
  public void close() {
    List<ThreadPoolExecutor> ending;
    synchronized (this) {
      closed = true;
      StoreException why = new StoreException(ErrorCode.UNAVAILABLE, "Cannot rebuild: stopping");
      jobs.values().forEach(job -> job.rebuild.stop(why));
      ending = new ArrayList<>(pools.values());
    }
    comparisons.getQueue().clear();
    ending.add(comparisons);
    ending.forEach(ThreadPoolExecutor::shutdown); // no interrupt: it would close files
    try {
      for (ThreadPoolExecutor pool : ending) {
        if (!pool.awaitTermination(10, TimeUnit.SECONDS)) {
          LOG.warn("A rebuild still waits for a disk or a datanode; leaving it");
        }
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
    forces.shutdown();
  }
}
