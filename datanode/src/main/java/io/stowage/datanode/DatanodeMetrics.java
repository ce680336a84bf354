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
package io.stowage.datanode;

import io.stowage.common.metrics.MetricSystem;
import io.stowage.common.proto.DiskInfo;
import io.stowage.datanode.disk.LocalDiskFiles;
import io.stowage.datanode.shard.DiskFigures;
import io.stowage.datanode.store.ShardStore;
import java.util.Map;

/** What a datanode tells in metrics: a record a disk, and one of itself. Stateless. */
final class DatanodeMetrics implements MetricSystem.Source {
  private final ShardStore store;

  DatanodeMetrics(ShardStore store) {
    this.store = store;
  }

  @Override
  public void addTo(MetricSystem.Records records) {
    records
        .add("Datanode")
        .gauge(
            "WriteMemoryUsedBytes",
            "Payloads of writes that wait for their disk",
            store.writeMemoryUsed())
        .gauge("DamagedShards", "Shards known to be damaged", store.damaged().count())
        .counter(
            "DirectReadBytes",
            "Read past the page cache, by this process",
            LocalDiskFiles.bytesReadDirectly())
        .counter(
            "CachedReadBytes",
            "Read through the page cache, by this process",
            LocalDiskFiles.bytesReadThroughCache());
    Map<String, DiskFigures> figures = store.diskFigures();
    for (DiskInfo disk : store.diskInfos()) {
      MetricSystem.Group record =
          records
              .add("DatanodeDisk")
              .label("disk", disk.getDiskId())
              .gauge("Failed", "1: takes no writes", disk.getFailed() ? 1 : 0)
              .gauge(
                  "Readable",
                  "1: what is on it can be read",
                  !disk.getFailed() || disk.getReadable() ? 1 : 0)
              .gauge("CapacityBytes", "Size of the file system", disk.getCapacityBytes())
              .gauge("UsedBytes", "Taken by shards", disk.getUsedBytes())
              .gauge("FreeBytes", "That shards may still take", disk.getFreeBytes());
      DiskFigures done = figures.get(disk.getDiskId());
      if (done != null) {
        addWork(record, done);
      }
    }
  }

  private static void addWork(MetricSystem.Group record, DiskFigures done) {
    record
        .counter("Reads", "Reads of shards that were answered", done.reads())
        .counter("ReadBytes", "Bytes of those", done.bytesRead())
        .counter(
            "DamagedReads",
            "Reads that met sectors that miss their checksum or are lost",
            done.damagedReads())
        .counter("Writes", "Writes to shards", done.writes())
        .counter("WrittenBytes", "Bytes of those", done.bytesWritten())
        .counter("Forces", "Forces of groups of writes", done.forces())
        .counter("ForceMicros", "Time that those took", done.forceNanos() / 1_000)
        .counter("RebuiltBytes", "Written by rebuilds of shards", done.bytesRebuilt())
        .counter("ScrubbedBytes", "Compared with their checksums", done.bytesScrubbed());
  }
}
