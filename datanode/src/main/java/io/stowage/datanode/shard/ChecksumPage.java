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

import static io.stowage.datanode.shard.ShardFormat.PAGE_BYTES;
import static io.stowage.datanode.shard.ShardFormat.SEGMENT_SECTORS;

import io.stowage.datanode.disk.DiskFile;
import java.nio.ByteBuffer;
import java.util.zip.CRC32C;

/**
 * A segment's checksums in memory, and which of its two slots on disk holds the last durable copy.
 * Guarded by its shard file's lock.
 *
 * <pre>
 *   0  8  magic "STOWPAGE"
 *   8  8  container
 *  16  4  shard index
 *  20  4  generation
 *  24  4  segment
 *  28  4  CRC32C of the 4,096 bytes with this field zero
 *  32  8  sequence, one higher in every copy written
 *  40 24  zero
 *  64     672 times: CRC32C of the sector (4; 0: never written; a CRC of 0 stands as 0xFFFFFFFF),
 *         bitmap of the data shards that its stripe uses (2; bit i = shard i)
 * </pre>
 */
final class ChecksumPage {
  static final long MAGIC = 0x53544F5750414745L;
  private static final int CRC_AT = 28;
  private static final int ENTRIES_AT = 64;
  private static final int ENTRY_BYTES = 6;

  /** How much the slots on disk told. */
  enum Condition {
    /** All of it. */
    SOUND,
    /** One slot holds bytes that are no page: newer entries may have been in it. */
    DOUBTFUL,
    /** Bytes in both or one, and no page: nothing is known of any sector. */
    UNREADABLE,
    /** The same because the disk gave neither slot: it may the next time. */
    UNREAD
  }

  final int segment;
  private final int[] crcs = new int[SEGMENT_SECTORS];
  private final short[] used = new short[SEGMENT_SECTORS];
  private Condition condition = Condition.SOUND;

  /** Sequence of the last durable copy; 0 before the first. */
  private long sequence;

  /** Slot of the last durable copy; the next is written to the other one. */
  private int slot = 1;

  /** Entries changed since the last durable copy. */
  private boolean dirty;

  /**
   * Both slots hold the entries as they are. A page that was never written needs no second copy.
   */
  private boolean mirrored = true;

  /** To be mirrored with the next force even while it is the current page. */
  private boolean mirrorDue;

  ChecksumPage(int segment) {
    this.segment = segment;
  }

  /** CRC as an entry holds it: 0 means never written. */
  static int stored(int crc) {
    return crc == 0 ? 0xFFFFFFFF : crc;
  }

  /** Stored CRC of a sector, 0 if it was never written. */
  int crc(int sector) {
    return crcs[sector];
  }

  int used(int sector) {
    return Short.toUnsignedInt(used[sector]);
  }

  /** Nothing is known of a sector: its entry would have been in what cannot be read. */
  boolean isLost(int sector) {
    return isUnreadable() || (condition == Condition.DOUBTFUL && crcs[sector] == 0);
  }

  boolean isSound() {
    return condition == Condition.SOUND;
  }

  boolean isUnreadable() {
    return condition == Condition.UNREADABLE || condition == Condition.UNREAD;
  }

  boolean isUnread() {
    return condition == Condition.UNREAD;
  }

  /** One slot is damaged. */
  boolean isDoubtful() {
    return condition == Condition.DOUBTFUL;
  }

  void set(int sector, int storedCrc, int bitmap) {
    crcs[sector] = storedCrc;
    used[sector] = (short) bitmap;
    dirty = true;
    mirrored = false;
  }

  /** Takes back a {@link #set} of a sector that had not been written before. */
  void unset(int sector) {
    crcs[sector] = 0;
    used[sector] = 0;
  }

  /** Sectors up to the last written one; all of them if nothing is known. */
  int writtenSectors() {
    if (isUnreadable()) {
      return SEGMENT_SECTORS;
    }
    int count = SEGMENT_SECTORS;
    while (count > 0 && crcs[count - 1] == 0) {
      count--;
    }
    return count;
  }

  boolean isDirty() {
    return dirty;
  }

  boolean isMirrored() {
    return mirrored;
  }

  boolean isMirrorDue() {
    return mirrorDue;
  }

  void requestMirror() {
    mirrorDue = true;
  }

  int slotToWrite() {
    return 1 - slot;
  }

  /** A copy of the entries as they are reached the disk in {@link #slotToWrite}. */
  void becameDurable() {
    slot = 1 - slot;
    sequence++;
    mirrored = !dirty;
    dirty = false;
    mirrorDue = false;
    condition = condition == Condition.DOUBTFUL ? Condition.SOUND : condition;
  }

  /** Writes the next copy at the buffer's start; leaves it ready to be read. */
  void encode(ShardId id, ByteBuffer into) {
    into.clear().limit(PAGE_BYTES);
    into.putLong(MAGIC).putLong(id.container()).putInt(id.index()).putInt(id.generation());
    into.putInt(segment).putInt(0).putLong(sequence + 1).putLong(0).putLong(0).putLong(0);
    for (int i = 0; i < SEGMENT_SECTORS; i++) {
      into.putInt(crcs[i]).putShort(used[i]);
    }
    into.flip();
    into.putInt(CRC_AT, crcOf(into));
  }

  private static int crcOf(ByteBuffer page) {
    CRC32C crc = new CRC32C();
    crc.update(page.duplicate().position(0).limit(CRC_AT));
    crc.update(new byte[4], 0, 4);
    crc.update(page.duplicate().position(CRC_AT + 4).limit(PAGE_BYTES));
    return (int) crc.getValue();
  }

  /** Reads a segment's two slots; one that the disk cannot read holds bytes that are no page. */
  static ChecksumPage read(DiskFile file, ShardId id, int segment) {
    return decode(
        ShardFormat.readSlots(file, ShardFormat.pagePosition(segment, 0), PAGE_BYTES), id, segment);
  }

  /**
   * Decodes a segment's two slots.
   *
   * @param slots 8,192 bytes from the start of the segment; zeros where the file ended
   */
  static ChecksumPage decode(ByteBuffer slots, ShardId id, int segment) {
    ChecksumPage page = new ChecksumPage(segment);
    ByteBuffer[] slot = {slots.slice(0, PAGE_BYTES), slots.slice(PAGE_BYTES, PAGE_BYTES)};
    boolean[] valid = {isValid(slot[0], id, segment), isValid(slot[1], id, segment)};
    boolean[] empty = {!valid[0] && isZero(slot[0]), !valid[1] && isZero(slot[1])};
    if (!valid[0] && !valid[1]) {
      if (ShardFormat.isUnread(slot[0]) && ShardFormat.isUnread(slot[1])) {
        page.condition = Condition.UNREAD;
      } else {
        page.condition = empty[0] && empty[1] ? Condition.SOUND : Condition.UNREADABLE;
      }
      return page;
    }
    int winner = valid[0] && (!valid[1] || slot[0].getLong(32) > slot[1].getLong(32)) ? 0 : 1;
    page.slot = winner;
    page.sequence = slot[winner].getLong(32);
    for (int i = 0; i < SEGMENT_SECTORS; i++) {
      page.crcs[i] = slot[winner].getInt(ENTRIES_AT + ENTRY_BYTES * i);
      page.used[i] = slot[winner].getShort(ENTRIES_AT + ENTRY_BYTES * i + 4);
    }
    page.mirrored =
        valid[0]
            && valid[1]
            && slot[0]
                .slice(ENTRIES_AT, PAGE_BYTES - ENTRIES_AT)
                .equals(slot[1].slice(ENTRIES_AT, PAGE_BYTES - ENTRIES_AT));
    if (!valid[1 - winner] && !empty[1 - winner]) {
      page.condition = Condition.DOUBTFUL;
    }
    return page;
  }

  private static boolean isValid(ByteBuffer page, ShardId id, int segment) {
    return page.getLong(0) == MAGIC
        && page.getInt(CRC_AT) == crcOf(page)
        && page.getLong(8) == id.container()
        && page.getInt(16) == id.index()
        && page.getInt(20) == id.generation()
        && page.getInt(24) == segment;
  }

  private static boolean isZero(ByteBuffer page) {
    for (int i = 0; i < PAGE_BYTES; i += Long.BYTES) {
      if (page.getLong(i) != 0) {
        return false;
      }
    }
    return true;
  }
}
