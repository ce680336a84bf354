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

import io.stowage.common.data.DatanodeDirectory;
import io.stowage.common.data.ShardService.ShardBytes;
import io.stowage.common.erasure.ErasurePolicy;
import io.stowage.common.error.ErrorCode;
import io.stowage.common.error.StoreException;
import io.stowage.common.fault.CrashPoint;
import io.stowage.common.proto.RebuildShardOrder;
import io.stowage.common.proto.ShardKey;
import io.stowage.common.proto.ShardPlace;
import io.stowage.common.proto.StatShardReply;
import io.stowage.common.time.StoreClock;
import io.stowage.datanode.shard.RebuiltSegment;
import io.stowage.datanode.shard.RebuiltShardFile;
import io.stowage.datanode.shard.ShardFormat;
import io.stowage.datanode.shard.ShardId;
import io.stowage.datanode.store.ShardStore;
import java.io.IOException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Executor;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.concurrent.locks.LockSupport;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Makes one shard from the others of its container: reads what k of them have, segment by segment,
 * and writes the new file. {@link #run} is confined to one thread; progress and cancelling are
 * thread-safe.
 *
 * <p>Nothing is believed that was not verified: each source sector against its CRC after it left
 * disk and network. What cannot be decoded becomes lost in the new shard, never zeros; but only
 * once every source of the order has answered, since a silent one may still have it. A source that
 * answers and can read nothing, in the whole shard or in segments running, counts as silent: its
 * disk may be gone behind a page cache. A shard that is there and lacks sectors is made anew only
 * if fewer are lost in the new one. A crash at any step leaves a file that start removes ({@link
 * RebuiltShardFile}), or the whole shard.
 */
final class ShardRebuild {
  private static final Logger LOG = LoggerFactory.getLogger(ShardRebuild.class);

  private static final CrashPoint BEFORE_ANSWER =
      CrashPoint.named("datanode.rebuild.before-answer");

  /** Beyond what the network itself waits; for a disk of this node that hangs. */
  private static final long ANSWER_TIMEOUT_SECONDS = 60;

  /** A source that is this long too busy for one read counts as silent. */
  private static final long BUSY_NANOS = TimeUnit.MINUTES.toNanos(5);

  private static final long LOOK_NANOS = TimeUnit.MILLISECONDS.toNanos(20);

  /** Written bytes after which a force is begun, so that no force takes long. */
  private static final long FORCE_BYTES = 64L << 20;

  /** Sources that can be told apart in one word; a container has at most 32 shards. */
  private static final int MAX_SOURCES = 64;

  /** How a rebuild ended well. */
  record Done(long end, long lostSectors) {}

  private final ShardKey key;
  private final RebuildShardOrder order;
  private final ShardStore store;
  private final DatanodeDirectory datanodes;
  private final StoreClock clock;
  private final Executor forces;

  private volatile long bytesDone;
  private volatile long bytesTotal;

  /** Why to stop; null while there is no reason. */
  private volatile StoreException stop;

  ShardRebuild(
      ShardKey key,
      RebuildShardOrder order,
      ShardStore store,
      DatanodeDirectory datanodes,
      StoreClock clock,
      Executor forces) {
    this.key = key;
    this.order = order;
    this.store = store;
    this.datanodes = datanodes;
    this.clock = clock;
    this.forces = forces;
  }

  /** Of address space gone through. */
  long bytesDone() {
    return bytesDone;
  }

  /** 0 until the sources have answered. */
  long bytesTotal() {
    return bytesTotal;
  }

  /** At once, at most. */
  long memoryBytes() throws StoreException {
    return SegmentBuffers.bytesFor(ErasurePolicy.named(order.getPolicy()).k());
  }

  /** Ends the rebuild soon, with this error. */
  void stop(StoreException why) {
    stop = why;
  }

  Done run() throws IOException {
    ErasurePolicy policy = ErasurePolicy.named(order.getPolicy());
    List<RepairSource> all = findSources();
    describe(all, policy);
    List<RepairSource> sources =
        all.stream().filter(RepairSource::answers).limit(MAX_SOURCES).toList();
    checkEnough(sources, all, policy);
    EpochRanges epochs = EpochRanges.merged(sources.stream().map(RepairSource::epochs).toList());
    long end = sources.stream().mapToLong(RepairSource::end).max().orElse(0);
    bytesTotal = end;
    RebuiltShardFile file = store.createRebuilt(key);
    try {
      long lost = rebuild(policy, all, sources, epochs, end, file);
      long newEnd =
          file.finish(
              store.clusterId(),
              policy.k(),
              policy.m(),
              order.getCapacityBytes(),
              epochs.epochs(),
              epochs.starts());
      store.adopt(key);
      BEFORE_ANSWER.reach();
      return new Done(newEnd, lost);
    } catch (IOException | RuntimeException e) {
      file.close();
      throw e;
    }
  }

  private List<RepairSource> findSources() {
    List<RepairSource> sources = new ArrayList<>();
    for (ShardPlace place : order.getSourcesList()) {
      boolean here = place.getNodeId().equals(store.nodeId());
      sources.add(
          new RepairSource(key.getContainer(), place, here ? store : datanodes.datanode(place)));
    }
    return sources;
  }

  private void describe(List<RepairSource> sources, ErasurePolicy policy) throws StoreException {
    List<CompletableFuture<StatShardReply>> replies = new ArrayList<>();
    sources.forEach(source -> replies.add(source.stat()));
    for (int i = 0; i < sources.size(); i++) {
      RepairSource source = sources.get(i);
      try {
        source.describe(await(replies.get(i)), policy.k(), policy.m(), order.getCapacityBytes());
        if (!source.answers()) {
          LOG.warn("Rebuilding {} without {}: it is no shard of it that can be read", id(), source);
        }
      } catch (StoreException e) {
        checkGoOn();
        LOG.warn("Rebuilding {} without {}: {}", id(), source, e.toString());
        source.fail(e);
      }
    }
  }

  private void checkEnough(List<RepairSource> sources, List<RepairSource> all, ErasurePolicy policy)
      throws StoreException {
    long others =
        sources.stream()
            .mapToInt(RepairSource::index)
            .filter(index -> index != key.getIndex())
            .distinct()
            .count();
    boolean copy = sources.stream().anyMatch(source -> source.index() == key.getIndex());
    if (others < policy.k() && !copy) {
      throw new StoreException(
          ErrorCode.DATA_UNAVAILABLE,
          String.format(
              "Cannot rebuild %s: %d of %d sources can be read, %s needs %d",
              id(), others, all.size(), policy, policy.k()));
    }
  }

  /**
   * Segment by segment: while one is decoded and written, the next one's sectors are on the way.
   */
  private long rebuild(
      ErasurePolicy policy,
      List<RepairSource> all,
      List<RepairSource> sources,
      EpochRanges epochs,
      long end,
      RebuiltShardFile file)
      throws IOException {
    int segments = end == 0 ? 0 : ShardFormat.segmentOf(end - 1) + 1;
    long lost = 0;
    long mostLost = order.getMend() ? all.get(0).lostSectors() - 1 : Long.MAX_VALUE;
    long unforced = 0;
    CompletableFuture<Void> force = CompletableFuture.completedFuture(null);
    SegmentRebuild now = null;
    SegmentRebuild next = null;
    SegmentRebuild surveyed = null;
    try (SegmentBuffers buffers = new SegmentBuffers(sources.size())) {
      for (int i = -2; i < segments; i++) {
        // In this order: the survey of segment i+2, the sectors of i+1, the end of i.
        now = next;
        next = surveyed;
        surveyed =
            i + 2 < segments
                ? new SegmentRebuild(
                    policy,
                    key.getIndex(),
                    sources,
                    epochs,
                    this::await,
                    i + 2,
                    ShardFormat.sectorsBelow(end, i + 2))
                : null;
        if (surveyed != null) {
          surveyed.survey();
        }
        if (next != null) {
          next.fetch();
        }
        if (now == null) {
          continue;
        }
        RebuiltSegment result = now.complete(buffers);
        tellFailing(now, result);
        checkLost(result, all);
        lost += result.lostCount();
        checkMended(lost, mostLost);
        long bytes = (long) result.writtenCount() * ShardFormat.SECTOR_BYTES;
        throttle(bytes);
        file.writeSegment(result, buffers.out(0, result.sectors()));
        unforced += bytes;
        if (unforced >= FORCE_BYTES && force.isDone()) {
          force.join();
          unforced = 0;
          force = CompletableFuture.runAsync(() -> force(file), forces);
        }
        bytesDone = Math.min(end, (i + 1) * ShardFormat.SEGMENT_ADDRESSES);
      }
      checkGave(lost, sources);
      force.join();
    } catch (CompletionException e) {
      throw e.getCause() instanceof IOException io ? io : new IOException(e.getCause());
    } finally {
      awaitEnd(force); // nothing may touch the file after this
      for (SegmentRebuild unfinished : Arrays.asList(now, next, surveyed)) {
        if (unfinished != null) {
          unfinished.cancel();
        }
      }
    }
    return lost;
  }

  private static void force(RebuiltShardFile file) {
    try {
      file.force();
    } catch (IOException e) {
      throw new CompletionException(e);
    }
  }

  private static void awaitEnd(CompletableFuture<Void> force) {
    try {
      force.join();
    } catch (CompletionException e) {
      LOG.debug("A force failed", e); // thrown by whoever waited for it first
    }
  }

  private void checkLost(RebuiltSegment result, List<RepairSource> all) throws StoreException {
    if (result.lostCount() == 0) {
      return;
    }
    for (RepairSource source : all) {
      if (source.isSilent()) {
        throw new StoreException(
            ErrorCode.DATA_UNAVAILABLE,
            String.format(
                "Cannot rebuild %s: %d sectors of segment %d cannot be decoded while %s does not"
                    + " answer",
                id(), result.lostCount(), result.segment(), source));
      }
    }
    LOG.warn(
        "{}: {} sectors of segment {} cannot be decoded and are marked lost",
        id(),
        result.lostCount(),
        result.segment());
  }

  /** Of a short shard no bad spot takes all: see {@link RepairSource#isSilent}. */
  private void checkGave(long lost, List<RepairSource> sources) throws StoreException {
    for (RepairSource source : sources) {
      if (lost > 0 && source.gaveNothing()) {
        throw new StoreException(
            ErrorCode.DATA_UNAVAILABLE,
            String.format(
                "Cannot rebuild %s: %d sectors cannot be decoded while nothing of %s can be read",
                id(), lost, source));
      }
    }
  }

  private void tellFailing(SegmentRebuild done, RebuiltSegment result) {
    for (RepairSource source : done.failing()) {
      LOG.info("Rebuilding {}: {} cannot read all of segment {}", id(), source, result.segment());
    }
  }

  private void checkMended(long lost, long mostLost) throws StoreException {
    if (lost > 0 && lost > mostLost) {
      throw new StoreException(
          ErrorCode.DATA_UNAVAILABLE,
          "Cannot mend " + id() + ": no fewer sectors of it are lost than in the copy there is");
    }
  }

  private void throttle(long bytes) throws StoreException {
    long wait = store.repairRate(key).take(bytes, Long.MAX_VALUE);
    long due = clock.monotonicNanos() + wait;
    while (wait > 0 && due - clock.monotonicNanos() > 0) {
      checkGoOn();
      LockSupport.parkNanos(Math.min(LOOK_NANOS, due - clock.monotonicNanos()));
    }
    checkGoOn();
  }

  void checkGoOn() throws StoreException {
    StoreException why = stop;
    if (why != null) {
      throw why;
    }
  }

  /** {@link SegmentRebuild.Calls}. */
  private ShardBytes await(
      RepairSource source, SegmentRebuild.Call call, CompletableFuture<ShardBytes> first)
      throws StoreException {
    CompletableFuture<ShardBytes> answer = first;
    long began = clock.monotonicNanos();
    while (true) {
      try {
        return await(answer);
      } catch (StoreException e) {
        checkGoOn();
        if (e.code() == ErrorCode.OVERLOADED && clock.monotonicNanos() - began < BUSY_NANOS) {
          LockSupport.parkNanos(LOOK_NANOS);
          answer = call.send();
          continue;
        }
        if (e.code() == ErrorCode.TIMEOUT && !answer.isDone()) {
          SegmentRebuild.drop(answer);
        }
        if (e.code() == ErrorCode.SHARD_FAILED && isThere(source)) {
          LOG.debug("Rebuilding {} without something of {}", id(), source, e);
          return null;
        }
        LOG.warn("Rebuilding {} on without {}: {}", id(), source, e.toString());
        source.fail(e);
        return null;
      }
    }
  }

  /** Whether a source that could not read something says that it can be asked for the rest. */
  private static boolean isThere(RepairSource source) {
    try {
      return RepairSource.isReadable(await(source.stat()));
    } catch (StoreException e) {
      return false;
    }
  }

  static <T> T await(CompletableFuture<T> answer) throws StoreException {
    try {
      return answer.get(ANSWER_TIMEOUT_SECONDS, TimeUnit.SECONDS);
    } catch (ExecutionException e) {
      if (e.getCause() instanceof StoreException known) {
        throw known;
      }
      throw new StoreException(ErrorCode.INTERNAL, "Cannot read: " + e.getCause(), e.getCause());
    } catch (TimeoutException e) {
      throw new StoreException(
          ErrorCode.TIMEOUT, "Cannot wait longer than " + ANSWER_TIMEOUT_SECONDS + " s", e);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new StoreException(ErrorCode.UNAVAILABLE, "Cannot go on: interrupted", e);
    }
  }

  private ShardId id() {
    return ShardId.of(key);
  }
}
