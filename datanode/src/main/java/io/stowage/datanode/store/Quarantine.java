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
package io.stowage.datanode.store;

import io.stowage.common.error.ErrorCode;
import io.stowage.common.error.StoreException;
import io.stowage.common.proto.ShardReport;
import io.stowage.common.time.StoreClock;
import io.stowage.datanode.disk.DiskFiles;
import io.stowage.datanode.disk.SmallFile;
import io.stowage.datanode.shard.ShardId;
import java.io.IOException;
import java.nio.file.Path;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Shard files of one disk that were put aside: not served, not counted as shards, reported as
 * quarantined with the time since when. They stay until SCM orders them back or away. Thread-safe;
 * methods that change something block on the disk.
 *
 * <p>The time is in a small file beside ({@code *.shard.since}), written before the shard is moved
 * here. One that is missing is written with the time at which that is found: a file stays rather
 * too long than too short.
 */
final class Quarantine {
  private static final Logger LOG = LoggerFactory.getLogger(Quarantine.class);

  private static final String SINCE = ".since";

  private final Path directory;
  private final DiskFiles files;
  private final StoreClock clock;
  private final Map<ShardId, Long> since = new ConcurrentHashMap<>();

  Quarantine(Path directory, DiskFiles files, StoreClock clock) {
    this.directory = directory;
    this.files = files;
    this.clock = clock;
  }

  Path directory() {
    return directory;
  }

  void scan() throws IOException {
    files.createDirectories(directory);
    for (Path file : files.list(directory)) {
      ShardId id = ShardId.ofFileName(file.getFileName().toString());
      if (id != null) {
        since.put(id, readSince(id));
      }
    }
  }

  private long readSince(ShardId id) throws IOException {
    String text = SmallFile.read(files, sinceFile(id));
    try {
      if (text != null) {
        return Long.parseLong(text.trim());
      }
    } catch (NumberFormatException e) {
      LOG.warn("{} holds no number; counting from now", sinceFile(id));
    }
    try {
      return writeSince(id);
    } catch (IOException e) { // a disk that is full, or only reads, is read
      LOG.warn("{} cannot be written; counting from each start: {}", sinceFile(id), e.toString());
      return clock.wallMicros();
    }
  }

  private long writeSince(ShardId id) throws IOException {
    long now = clock.wallMicros();
    SmallFile.replace(files, sinceFile(id), now + "\n");
    return now;
  }

  private Path file(ShardId id) {
    return directory.resolve(id.fileName());
  }

  private Path sinceFile(ShardId id) {
    return directory.resolve(id.fileName() + SINCE);
  }

  /** A shard is about to be moved here. */
  void expect(ShardId id) throws IOException {
    writeSince(id);
  }

  /** A shard was moved here. */
  void add(ShardId id) {
    since.put(id, clock.wallMicros());
  }

  boolean has(ShardId id) {
    return since.containsKey(id);
  }

  /** Deletes a shard that is here, durably. */
  void delete(ShardId id) throws IOException {
    files.delete(file(id));
    files.delete(sinceFile(id));
    files.forceDirectory(directory);
    since.remove(id);
    LOG.info("{} was deleted from quarantine, by order", id);
  }

  /**
   * Moves a shard back, durably.
   *
   * @throws StoreException if another file is in its place
   */
  void restore(ShardId id, Path to) throws IOException {
    if (files.exists(to)) {
      throw new StoreException(
          ErrorCode.CONFLICT, "Cannot restore " + id + ": " + to + " is there already");
    }
    files.rename(file(id), to);
    files.forceDirectory(to.getParent());
    files.delete(sinceFile(id));
    files.forceDirectory(directory);
    since.remove(id);
    LOG.info("{} was taken out of quarantine, by order", id);
  }

  /** Report of a shard that is here; null if it is not. */
  ShardReport report(ShardId id, String diskId) {
    Long micros = since.get(id);
    return micros == null
        ? null
        : ShardReport.newBuilder()
            .setContainer(id.container())
            .setIndex(id.index())
            .setGeneration(id.generation())
            .setDiskId(diskId)
            .setQuarantined(true)
            .setQuarantinedMicros(micros)
            .build();
  }

  Iterable<ShardId> ids() {
    return since.keySet();
  }
}
