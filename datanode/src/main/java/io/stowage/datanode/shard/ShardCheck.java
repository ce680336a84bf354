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

import io.stowage.common.error.StoreException;
import io.stowage.datanode.disk.DiskFile;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.NoSuchFileException;
import java.util.concurrent.CompletionException;
import java.util.zip.CRC32C;

/**
 * Reads a shard file whole and compares it with what it says of itself: both superblocks, both
 * copies of every checksum page, every written sector, every bitmap. From the disk, not from
 * memory, and beside the shard's readers and writer: slots are looked at while nothing is written,
 * data when it comes. Confined to its thread.
 *
 * <p>Not damage: sectors that a rebuild has marked lost, and slots that the writer is about to
 * write anew. Sectors come from the device, where the file system allows it and 32 of them lie
 * together; other reads may come from the page cache.
 */
public final class ShardCheck {
  /** Called before so many bytes are read; waits as long as that should take. */
  @FunctionalInterface
  public interface Pace {
    /**
     * @throws StoreException to end the check
     */
    void take(long bytes) throws StoreException;
  }

  /** What is wrong is told in so many letters. */
  private static final int MAX_TEXT = 500;

  private final ShardFile shard;
  private final Pace pace;
  private final ByteBuffer data;
  private final StringBuilder text = new StringBuilder();
  private long sectors;

  /**
   * @param data memory for a segment
   */
  private ShardCheck(ShardFile shard, Pace pace, ByteBuffer data) {
    this.shard = shard;
    this.pace = pace;
    this.data = data;
  }

  /** Memory that a check works in. */
  public static ByteBuffer memory() {
    int bytes = (int) ShardFormat.SEGMENT_ADDRESSES;
    return ByteBuffer.allocateDirect(bytes + ShardFormat.SECTOR_BYTES)
        .alignedSlice(ShardFormat.SECTOR_BYTES);
  }

  /**
   * What a check found.
   *
   * @param sectors that cannot be read or verified
   * @param what is wrong; empty if nothing is
   */
  public record Finding(long sectors, String what) {
    public boolean isSound() {
      return what.isEmpty();
    }
  }

  /**
   * Checks a shard.
   *
   * @param memory from {@link #memory}
   * @return null if the shard is not here any more
   */
  public static Finding check(ShardFile shard, Pace pace, ByteBuffer memory) throws IOException {
    if (shard.report() == null) {
      return null;
    }
    ShardCheck check = new ShardCheck(shard, pace, memory);
    try (DiskFile file = shard.host().files().open(shard.path())) {
      check.run(file);
    } catch (NoSuchFileException e) {
      check.exclusively(check::notThere);
    }
    return shard.report() == null ? null : new Finding(check.sectors, check.text.toString());
  }

  /** Its own deletion takes the file away in the same queue. */
  private void notThere() throws IOException {
    if (shard.report() != null && !shard.host().files().exists(shard.path())) {
      sectors = (shard.report().getEnd() + ShardFormat.SECTOR_BYTES - 1) / ShardFormat.SECTOR_BYTES;
      note("its file is gone");
      shard.vanished();
    }
  }

  private void exclusively(ShardOp.Inspection work) throws IOException {
    try {
      shard.exclusively(work).join();
    } catch (CompletionException e) {
      throw e.getCause() instanceof IOException io ? io : new IOException(e.getCause());
    }
  }

  private void note(String what) {
    if (text.length() < MAX_TEXT) {
      text.append(text.isEmpty() ? "" : "; ").append(what);
    }
  }

  private void run(DiskFile file) throws IOException {
    pace.take(2L * ShardFormat.SUPERBLOCK_BYTES);
    exclusively(() -> checkSuperblocks(file));
    Superblock superblock = shard.superblock();
    if (superblock == null) {
      return;
    }
    long end = Math.min(shard.report() == null ? 0 : shard.report().getEnd(), superblock.capacity);
    for (int segment = 0; segment * ShardFormat.SEGMENT_ADDRESSES < end; segment++) {
      checkSegment(file, superblock, segment, ShardFormat.sectorsBelow(end, segment));
    }
  }

  private void checkSuperblocks(DiskFile file) throws StoreException {
    ByteBuffer slots = ShardFormat.readSlots(file, 0, ShardFormat.SUPERBLOCK_BYTES);
    for (int slot = 0; slot < 2; slot++) {
      Superblock found =
          Superblock.decode(
              slots.slice(slot * ShardFormat.SUPERBLOCK_BYTES, ShardFormat.SUPERBLOCK_BYTES),
              shard.id());
      boolean open = shard.superblock() != null && !shard.superblock().sealed;
      if (found == null && !(open && shard.isSuperblockMirrorDue())) {
        note("superblock " + slot + " is damaged");
      }
    }
  }

  /** Fills a buffer; what the file does not have is zeros. False if it cannot be read. */
  private static boolean read(DiskFile file, ByteBuffer into, long position) {
    try {
      file.readOnce(into, position);
    } catch (IOException e) {
      return false;
    }
    while (into.hasRemaining()) {
      into.put((byte) 0);
    }
    into.flip();
    return true;
  }

  private void checkSegment(DiskFile file, Superblock superblock, int segment, int count)
      throws IOException {
    SectorEntries entries = new SectorEntries(count);
    exclusively(() -> readEntries(file, segment, count, entries));
    int written = 0;
    long badBitmaps = 0;
    for (int i = 0; i < entries.count(); i++) {
      if (entries.crcs[i] != 0 && !entries.lost[i]) {
        written++;
        badBitmaps += isPossible(superblock, entries.used[i], entries.crcs[i]) ? 0 : 1;
      }
    }
    if (badBitmaps > 0) {
      sectors += badBitmaps;
      note(badBitmaps + " bitmaps of segment " + segment + " are impossible");
    }
    pace.take(2L * ShardFormat.PAGE_BYTES + (long) written * ShardFormat.SECTOR_BYTES);
    if (written > 0) {
      checkData(file, segment, entries);
    }
  }

  private void readEntries(DiskFile file, int segment, int count, SectorEntries entries) {
    if (shard.isBeingWritten(segment)) {
      shard.copyEntries(file, segment, 0, count, entries);
      return;
    }
    ChecksumPage page = ChecksumPage.read(file, shard.id(), segment);
    if (page.isUnreadable()) {
      sectors += count;
      note("no checksum page of segment " + segment + " can be read");
      return;
    }
    if (page.isDoubtful()) {
      note("a checksum page of segment " + segment + " is damaged");
    }
    entries.copy(page, 0, count);
  }

  /** A stripe has data, its bitmap names shards that there are, and a data shard is in its own. */
  private boolean isPossible(Superblock superblock, int used, int crc) {
    if (crc == ShardFormat.LOST_MARK) {
      return true; // nobody may have known the stripe
    }
    int index = shard.id().index();
    return used != 0
        && used >>> superblock.k == 0
        && (index >= superblock.k || (used >>> index & 1) != 0);
  }

  private void checkData(DiskFile file, int segment, SectorEntries entries) {
    long first = segment * ShardFormat.SEGMENT_ADDRESSES;
    data.clear().limit(entries.count() * ShardFormat.SECTOR_BYTES);
    boolean readable = read(file, data, ShardFormat.filePosition(first));
    CRC32C crc = new CRC32C();
    long bad = 0;
    long firstBad = -1;
    for (int i = 0; i < entries.count(); i++) {
      if (entries.crcs[i] == 0 || entries.lost[i] || entries.crcs[i] == ShardFormat.LOST_MARK) {
        continue;
      }
      long address = first + (long) i * ShardFormat.SECTOR_BYTES;
      ByteBuffer sector = data.slice(i * ShardFormat.SECTOR_BYTES, ShardFormat.SECTOR_BYTES);
      boolean there = readable || read(file, sector, ShardFormat.filePosition(address));
      crc.reset();
      crc.update(sector.clear());
      if (!there || ChecksumPage.stored((int) crc.getValue()) != entries.crcs[i]) {
        firstBad = bad == 0 ? address : firstBad;
        bad++;
      }
    }
    if (bad > 0) {
      sectors += bad;
      note(bad + " sectors from address " + firstBad + " on miss their CRC or cannot be read");
    }
  }
}
