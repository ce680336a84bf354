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
package io.stowage.dev.fsck;

import io.stowage.common.erasure.ErasurePolicy;
import io.stowage.common.error.StoreException;
import io.stowage.common.proto.ContainerInfo;
import io.stowage.common.proto.ContainerState;
import io.stowage.common.proto.EpochStart;
import io.stowage.common.proto.GetContainersRequest;
import io.stowage.common.proto.RestoreContainerRequest;
import io.stowage.common.proto.ShardKey;
import io.stowage.common.proto.ShardPlace;
import io.stowage.common.proto.StatShardReply;
import io.stowage.common.proto.StatShardRequest;
import io.stowage.dev.fsck.DiskShards.OnDisk;
import io.stowage.dev.fsck.SpillSorter.Entries;
import io.stowage.dev.fsck.SpillSorter.Entry;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;

/**
 * Containers that disks have and the container table has lost, as after HBase was restored to an
 * older state: puts their rows back by what their shards say, and waits until SCM has taken shards
 * out of quarantine that the rows name. Confined to one thread.
 *
 * <p>Only for containers of which as many shards are there as reading takes. They become SEALED:
 * nobody knows who wrote to them last. One that repack had emptied and deleted may come back; its
 * needles are live nowhere, and repack deletes it again.
 */
final class LostContainers {
  private static final long SORTER_BYTES = 64L << 20;
  private static final Duration PATIENCE = Duration.ofMinutes(2);
  private static final long POLL_MILLIS = 200;

  /** Longer than an order that was given takes to be obeyed: it goes with a heartbeat. */
  private static final Duration CALM = Duration.ofSeconds(5);

  /** Above whatever an epoch was that a shard does not tell, in quarantine or on a node away. */
  private static final long UNTOLD_EPOCHS = 1_000_000;

  private final Cluster cluster;
  private final Path directory;
  private final Progress progress;
  private final RebuildReport report;
  private final List<ContainerInfo> restored = new ArrayList<>();
  private long usualCapacity;

  LostContainers(Cluster cluster, Path directory, Progress progress, RebuildReport report) {
    this.cluster = cluster;
    this.directory = directory;
    this.progress = progress;
    this.report = report;
  }

  void restore() throws IOException {
    ContainerPages pages =
        new ContainerPages(cluster.containers(), ContainerState.CONTAINER_UNKNOWN);
    for (ContainerInfo container = pages.next(); container != null; container = pages.next()) {
      usualCapacity = Math.max(usualCapacity, container.getCapacityBytes());
    }
    try (SpillSorter sorter = new SpillSorter(directory, "shards", SORTER_BYTES)) {
      int unused =
          DiskShards.sortInto(
              sorter,
              cluster,
              progress,
              (node, disk, why) ->
                  report.addProblem("disk " + disk.getDiskId() + " does not answer: " + why));
      try (Entries entries = sorter.sorted()) {
        Entry entry = entries.next();
        while (entry != null) {
          long id = DiskShards.container(entry.key());
          List<OnDisk> shards = new ArrayList<>();
          while (entry != null && DiskShards.container(entry.key()) == id) {
            shards.add(DiskShards.parse(entry.value()));
            entry = entries.next();
          }
          look(id, shards);
        }
      }
    }
    awaitReadable();
  }

  private void look(long id, List<OnDisk> shards) throws StoreException {
    boolean known =
        cluster
                .containers()
                .getContainers(GetContainersRequest.newBuilder().addIds(id).build())
                .getContainersCount()
            > 0;
    if (known) {
      return;
    }
    ContainerInfo.Builder info = ContainerInfo.newBuilder().setId(id);
    ErasurePolicy policy = null;
    long capacity = usualCapacity;
    long epoch = 0;
    int highest = 0;
    boolean allTell = true;
    for (OnDisk one : shards) {
      highest = Math.max(highest, one.shard().getIndex());
      StatShardReply stat = stat(id, one.place());
      if (stat == null) {
        allTell = false;
        continue;
      }
      policy = policyOf(stat.getDataShards(), stat.getParityShards(), policy);
      capacity = Math.max(capacity, stat.getCapacityBytes());
      for (EpochStart start : stat.getEpochsList()) {
        epoch = Math.max(epoch, start.getEpoch());
      }
      info.setEndOffset(Math.max(info.getEndOffset(), stat.getReport().getEnd()));
    }
    if (policy == null) {
      policy = policyOfShards(highest + 1);
    }
    if (policy == null) {
      report.addProblem(name(id) + " has no row, and its shards do not tell their policy");
      return;
    }
    int found = 0;
    for (int index = 0; index < policy.shards(); index++) {
      ShardPlace newest = null;
      for (OnDisk one : shards) {
        ShardPlace place = one.place();
        if (place.getIndex() == index
            && (!one.shard().getFailed() || one.shard().getReadable())
            && (newest == null || place.getGeneration() > newest.getGeneration())) {
          newest = place;
        }
      }
      found += newest == null ? 0 : 1;
      // One that is not there is named as if it were where the first is: SCM will rebuild it.
      info.addShards(
          newest != null
              ? newest
              : shards.get(0).place().toBuilder().setIndex(index).setGeneration(1).build());
    }
    if (found < policy.k()) {
      report.addProblem(
          name(id) + " has no row and " + found + " shards; reading takes " + policy.k());
      return;
    }
    info.setPolicy(policy.name())
        .setCapacityBytes(capacity)
        .setLeaseEpoch(
            allTell && found == policy.shards() ? Math.max(1, epoch) : epoch + UNTOLD_EPOCHS);
    boolean created =
        cluster
            .containers()
            .restoreContainer(RestoreContainerRequest.newBuilder().setContainer(info).build())
            .getCreated();
    if (created) {
      report.containersRestored++;
      restored.add(info.build());
    }
  }

  private static ErasurePolicy policyOf(int k, int m, ErasurePolicy otherwise) {
    for (ErasurePolicy policy : ErasurePolicy.ALL) {
      if (policy.k() == k && policy.m() == m) {
        return policy;
      }
    }
    return otherwise;
  }

  private static ErasurePolicy policyOfShards(int count) {
    for (ErasurePolicy policy : ErasurePolicy.ALL) {
      if (policy.shards() == count) {
        return policy;
      }
    }
    return null;
  }

  /** What a shard tells; null if nothing, as one in quarantine. */
  private StatShardReply stat(long container, ShardPlace place) {
    ShardKey key =
        ShardKey.newBuilder()
            .setContainer(container)
            .setIndex(place.getIndex())
            .setGeneration(place.getGeneration())
            .setDiskId(place.getDiskId())
            .build();
    try {
      return DiskShards.await(
          cluster
              .datanodes()
              .datanode(place)
              .stat(StatShardRequest.newBuilder().setShard(key).build()));
    } catch (StoreException e) {
      return null;
    }
  }

  /** Until nothing was put aside for a while: SCM may have ordered that just before it knew. */
  private void awaitReadable() throws IOException {
    long begin = System.nanoTime();
    long calmSince = begin;
    while (!restored.isEmpty() && System.nanoTime() - calmSince < CALM.toNanos()) {
      ContainerInfo unreadable = firstUnreadable();
      if (unreadable != null) {
        calmSince = System.nanoTime();
        if (calmSince - begin > PATIENCE.toNanos()) {
          report.addProblem(
              name(unreadable.getId()) + " has its row again, but its shards are still put aside");
          return;
        }
      }
      try {
        Thread.sleep(POLL_MILLIS);
      } catch (InterruptedException e) {
        Thread.currentThread().interrupt();
        throw new IOException("Cannot go on: interrupted", e);
      }
    }
  }

  private ContainerInfo firstUnreadable() throws StoreException {
    for (ContainerInfo container : restored) {
      if (readable(container) < ErasurePolicy.named(container.getPolicy()).k()) {
        return container;
      }
    }
    return null;
  }

  private int readable(ContainerInfo container) {
    int count = 0;
    for (ShardPlace place : container.getShardsList()) {
      StatShardReply stat = stat(container.getId(), place);
      count += stat != null && !stat.getReport().getQuarantined() ? 1 : 0;
    }
    return count;
  }

  private static String name(long container) {
    return "container " + HexFormat.of().toHexDigits(container);
  }
}
