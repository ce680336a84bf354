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

import io.stowage.common.proto.OrderProgress;
import io.stowage.common.proto.OrderResult;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import java.util.stream.Collectors;

/**
 * Rebuilds that datanodes are at, of one term: how many a disk, how far, how fast. Guarded by
 * itself.
 */
final class Rebuilds {
  /** In the whole cluster: each costs the leader two row mutations and a kilobyte. */
  private static final int MOST = 1_024;

  /** Of those, shards that are there and may stay as they are: they take no room from others. */
  private static final int MOST_MENDS = 16;

  /** A disk is read for as many rebuilds at once as it is written for, times this. */
  private static final int READS_A_WRITE = 4;

  /** Restarts of a target that are no fault of the rebuild. */
  private static final int MOST_BEGUN_AGAIN = 5;

  private static final long RATE_WINDOW_NANOS = TimeUnit.MINUTES.toNanos(1);
  private static final int MOST_SAMPLES = 128;

  private record Sample(long nanos, long bytes) {}

  private final int writesADisk;
  private final Map<Rebuild.Key, Rebuild> underWay = new HashMap<>();
  private final Map<Long, Rebuild> byOrder = new HashMap<>();
  private final Map<String, Integer> writes = new HashMap<>(); // by disk
  private final Map<String, Integer> reads = new HashMap<>(); // by disk
  private final Deque<Sample> samples = new ArrayDeque<>();
  private long bytesSeen;
  private long containersDone;
  private long shardsDone;
  private long bytesDone;
  private long shardsFailed;
  private long lostSectors;
  private long shardsMoved;
  private long bytesMoved;

  /**
   * @param writesADisk shards that one disk is written at once
   */
  Rebuilds(int writesADisk) {
    this.writesADisk = writesADisk;
  }

  synchronized boolean isFull() {
    return underWay.size() >= MOST;
  }

  synchronized boolean mayWrite(String disk) {
    return writes.getOrDefault(disk, 0) < writesADisk;
  }

  synchronized boolean mayRead(String disk) {
    return reads.getOrDefault(disk, 0) < READS_A_WRITE * writesADisk;
  }

  synchronized Rebuild find(long container, int index) {
    return underWay.get(new Rebuild.Key(container, index));
  }

  synchronized boolean mayMend() {
    return underWay.values().stream().filter(r -> r.reason == Rebuild.Reason.MEND).count()
        < MOST_MENDS;
  }

  /** Rebuilds of a container's shards. */
  synchronized List<Rebuild> of(long container, int shards) {
    List<Rebuild> found = new ArrayList<>();
    for (int i = 0; i < shards; i++) {
      Rebuild rebuild = underWay.get(new Rebuild.Key(container, i));
      if (rebuild != null) {
        found.add(rebuild);
      }
    }
    return found;
  }

  synchronized void add(Rebuild rebuild, long orderId) {
    rebuild.orderId = orderId;
    underWay.put(rebuild.key, rebuild);
    byOrder.put(orderId, rebuild);
    writes.merge(rebuild.targetDisk(), 1, Integer::sum);
    rebuild.sources.forEach(disk -> reads.merge(disk, 1, Integer::sum));
  }

  /** The same rebuild by a newer order. */
  synchronized void reordered(Rebuild rebuild, long orderId) {
    byOrder.remove(rebuild.orderId);
    rebuild.orderId = orderId;
    rebuild.orderedTimes++;
    rebuild.result = null;
    byOrder.put(orderId, rebuild);
  }

  synchronized void remove(Rebuild rebuild) {
    if (underWay.remove(rebuild.key, rebuild)) {
      byOrder.remove(rebuild.orderId);
      less(writes, rebuild.targetDisk());
      rebuild.sources.forEach(disk -> less(reads, disk));
    }
  }

  private static void less(Map<String, Integer> counts, String disk) {
    counts.computeIfPresent(disk, (key, count) -> count == 1 ? null : count - 1);
  }

  synchronized void progress(String nodeId, List<OrderProgress> told, long nowNanos) {
    for (OrderProgress progress : told) {
      Rebuild rebuild = byOrder.get(progress.getOrderId());
      if (rebuild != null && rebuild.target.getNodeId().equals(nodeId)) {
        if (goesOn(rebuild, progress.getBytesDone()) || progress.getBytesTotal() == 0) {
          rebuild.lastSignNanos = nowNanos; // or it waits for its turn
        }
        advance(rebuild, progress.getBytesDone());
      }
    }
    sample(nowNanos);
  }

  /** A target that was restarted begins anew and goes on; one that always is stands still. */
  private static boolean goesOn(Rebuild rebuild, long bytesTold) {
    if (bytesTold < rebuild.bytesTold && rebuild.begunAgain < MOST_BEGUN_AGAIN) {
      rebuild.begunAgain++;
      rebuild.bytesTold = 0;
    }
    boolean goesOn = bytesTold > rebuild.bytesTold;
    rebuild.bytesTold = Math.max(rebuild.bytesTold, bytesTold);
    return goesOn;
  }

  private void advance(Rebuild rebuild, long bytes) {
    if (bytes > rebuild.bytesDone) {
      bytesSeen += bytes - rebuild.bytesDone;
      rebuild.bytesDone = bytes;
    }
  }

  /** Bytes that are on their way, by target disk. */
  synchronized Map<String, Long> bytesComing() {
    return underWay.values().stream()
        .collect(
            Collectors.groupingBy(
                Rebuild::targetDisk, Collectors.summingLong(rebuild -> rebuild.bytesTotal)));
  }

  /** Moves apart under way. */
  synchronized int movesApart() {
    return (int)
        underWay.values().stream().filter(r -> r.reason == Rebuild.Reason.MOVE_APART).count();
  }

  /** Keeps an answer until somebody has the time for the row. */
  synchronized void answered(OrderResult result) {
    Rebuild rebuild = byOrder.get(result.getOrderId());
    if (rebuild != null) {
      rebuild.result = result;
    }
  }

  /** Those that were answered. */
  synchronized List<Rebuild> answered() {
    return underWay.values().stream().filter(rebuild -> rebuild.result != null).toList();
  }

  synchronized List<Rebuild> all() {
    return List.copyOf(underWay.values());
  }

  /**
   * @param last whether nothing more of the container is to be made
   */
  synchronized void succeeded(Rebuild rebuild, boolean last, long nowNanos) {
    advance(rebuild, rebuild.result.getEnd());
    sample(nowNanos);
    if (rebuild.reason.isRepair()) {
      containersDone += last ? 1 : 0;
      shardsDone++;
      bytesDone += rebuild.result.getEnd();
    } else {
      shardsMoved++;
      bytesMoved += rebuild.result.getEnd();
    }
    lostSectors += rebuild.reason == Rebuild.Reason.MEND ? 0 : rebuild.result.getLostSectors();
    remove(rebuild);
  }

  synchronized void failed(Rebuild rebuild) {
    shardsFailed++;
    remove(rebuild);
  }

  private void sample(long nowNanos) {
    Sample last = samples.peekLast();
    if (last != null && nowNanos - last.nanos < RATE_WINDOW_NANOS / MOST_SAMPLES) {
      return;
    }
    samples.add(new Sample(nowNanos, bytesSeen));
    while (samples.size() > MOST_SAMPLES
        || (samples.size() > 1 && nowNanos - samples.peek().nanos > RATE_WINDOW_NANOS)) {
      samples.remove();
    }
  }

  /** Bytes of new shards a second, over the last minute or since there is work. */
  synchronized long bytesPerSecond(long nowNanos) {
    Sample first = samples.peekFirst();
    if (first == null || nowNanos <= first.nanos) {
      return 0;
    }
    return (long) ((bytesSeen - first.bytes) * 1e9 / (nowNanos - first.nanos));
  }

  /** What is to be told of it. */
  synchronized Figures figures() {
    int moves = (int) underWay.values().stream().filter(r -> !r.reason.isRepair()).count();
    return new Figures(
        underWay.size() - moves,
        moves,
        underWay.values().stream()
            .filter(r -> r.reason.isRepair())
            .mapToLong(r -> r.bytesDone)
            .sum(),
        containersDone,
        shardsDone,
        bytesDone,
        shardsFailed,
        lostSectors,
        shardsMoved,
        bytesMoved);
  }

  record Figures(
      int repairs,
      int moves,
      long bytesUnderWay,
      long containersDone,
      long shardsDone,
      long bytesDone,
      long shardsFailed,
      long lostSectors,
      long shardsMoved,
      long bytesMoved) {}
}
