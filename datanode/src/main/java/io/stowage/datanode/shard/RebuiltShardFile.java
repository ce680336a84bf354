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
package io.stowage.datanode.shard;

import io.stowage.common.error.ErrorCode;
import io.stowage.common.error.StoreException;
import io.stowage.common.fault.CrashPoint;
import io.stowage.datanode.disk.DiskFile;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * A shard file that a rebuild writes, segment by segment, under a name that no reader looks at. It
 * becomes a shard, sealed, by {@link #finish}. Owns its file until then. Confined to its rebuild's
 * thread, but for {@link #force}.
 *
 * <p><b>Write order and crash windows.</b>
 *
 * <ol>
 *   <li>The file is created as {@code *.shard.new}. A crash from here on leaves that, in any state;
 *       start removes it, and the order comes again.
 *   <li>Data and, of each segment, both copies of its checksum page; then both superblocks, which
 *       say sealed. One force covers all of it: nothing is promised before, so that both copies may
 *       share it.
 *   <li>The rename. After a crash there is the old name or the new one, and under either a whole
 *       and durable file.
 *   <li>The force of the directory. From here on the shard stays; it is reported at the next start
 *       if nobody was told.
 * </ol>
 */
public final class RebuiltShardFile implements AutoCloseable {
  private static final Logger LOG = LoggerFactory.getLogger(RebuiltShardFile.class);

  private static final CrashPoint AFTER_CREATE = CrashPoint.named("datanode.rebuild.after-create");
  private static final CrashPoint AFTER_SEGMENT =
      CrashPoint.named("datanode.rebuild.after-segment");
  private static final CrashPoint AFTER_SUPERBLOCKS =
      CrashPoint.named("datanode.rebuild.after-superblocks");
  private static final CrashPoint AFTER_FORCE = CrashPoint.named("datanode.rebuild.after-force");
  private static final CrashPoint AFTER_RENAME = CrashPoint.named("datanode.rebuild.after-rename");

  private final ShardId id;
  private final Path path;
  private final Path unborn;
  private final ShardHost host;
  private final DiskFile file;
  private final ByteBuffer scratch = ByteBuffer.allocateDirect(ShardFormat.SUPERBLOCK_BYTES);
  private long end;
  private long lostSectors;
  private boolean kept;

  private RebuiltShardFile(ShardId id, Path path, ShardHost host) throws IOException {
    this.id = id;
    this.path = path;
    this.host = host;
    this.unborn = path.resolveSibling(path.getFileName() + ShardFile.NEW_SUFFIX);
    this.file = host.files().create(unborn);
  }

  /** Creates the file, over what an earlier try has left. */
  public static RebuiltShardFile create(ShardId id, Path path, ShardHost host) throws IOException {
    host.admit(ShardFormat.FIRST_SEGMENT);
    host.makeDirectoryOf(path);
    RebuiltShardFile created = new RebuiltShardFile(id, path, host);
    AFTER_CREATE.reach();
    return created;
  }

  /**
   * Writes the sectors of one segment, and its checksum page twice. Segments come in any order,
   * each at most once; those that are holes alone leave nothing.
   *
   * @param data the sectors, from the segment's first one on
   */
  public void writeSegment(RebuiltSegment contents, ByteBuffer data) throws IOException {
    int segment = contents.segment();
    ChecksumPage page = new ChecksumPage(segment);
    int last = -1;
    int from = 0;
    while (from < contents.sectors()) {
      int to = contents.endOfRun(from);
      switch (contents.state(from)) {
        case WRITTEN -> {
          writeRun(segment, from, to, data);
          for (int i = from; i < to; i++) {
            page.set(i, ChecksumPage.stored(contents.crc(i)), contents.bitmap(i));
          }
          last = to;
        }
        case LOST, UNRECOGNIZED -> {
          for (int i = from; i < to; i++) {
            page.set(i, ShardFormat.LOST_MARK, contents.bitmap(i));
          }
          lostSectors += to - from;
          last = to;
        }
        case NEVER_WRITTEN -> {
          // a hole, in the page, too
        }
      }
      from = to;
    }
    if (last < 0) {
      return;
    }
    end =
        Math.max(
            end, segment * ShardFormat.SEGMENT_ADDRESSES + (long) last * ShardFormat.SECTOR_BYTES);
    for (int copy = 0; copy < 2; copy++) {
      page.encode(id, scratch);
      file.write(scratch, ShardFormat.pagePosition(segment, page.slotToWrite()));
      page.becameDurable();
    }
    AFTER_SEGMENT.reach();
  }

  private void writeRun(int segment, int from, int to, ByteBuffer data) throws IOException {
    int length = (to - from) * ShardFormat.SECTOR_BYTES;
    host.admit(length);
    long address = segment * ShardFormat.SEGMENT_ADDRESSES + (long) from * ShardFormat.SECTOR_BYTES;
    file.write(
        data.slice(from * ShardFormat.SECTOR_BYTES, length), ShardFormat.filePosition(address));
    host.figures().rebuilt(length);
  }

  /** Makes durable what was written so far, so that the last force is short. */
  public void force() throws IOException {
    file.force();
  }

  /**
   * Makes the file the shard that it is to be, durably.
   *
   * @param epochs ascending, with the starts of their ranges
   * @return the end that the shard is sealed at
   */
  public long finish(String clusterId, int k, int m, long capacity, long[] epochs, long[] starts)
      throws IOException, StoreException {
    if (epochs.length > ShardFormat.MAX_EPOCHS) {
      throw new StoreException(
          ErrorCode.EPOCH_LIST_FULL,
          "Cannot rebuild " + id + ": its sources name " + epochs.length + " epochs");
    }
    Superblock first =
        Superblock.rebuilt(id, clusterId, k, m, capacity, epochs, starts, end, lostSectors);
    first.encode(scratch);
    file.write(scratch, 0);
    first.again().encode(scratch);
    file.write(scratch, ShardFormat.SUPERBLOCK_BYTES);
    AFTER_SUPERBLOCKS.reach();
    file.force();
    file.close();
    AFTER_FORCE.reach();
    host.files().rename(unborn, path);
    kept = true;
    AFTER_RENAME.reach();
    host.files().forceDirectory(path.getParent());
    return end;
  }

  /** Removes the file, unless it has become a shard. */
  @Override
  public void close() {
    if (kept) {
      return;
    }
    try {
      file.close();
      host.files().delete(unborn);
    } catch (IOException e) {
      LOG.info("{} stays until the next start: {}", unborn, e.toString());
    }
  }
}
