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

import io.stowage.datanode.disk.DiskFile;
import java.io.IOException;
import java.nio.ByteBuffer;

/**
 * Shard file format, version 1. {@code docs/format/shard-file.md} has it as a table with a picture.
 *
 * <pre>
 * shard-file   = superblock superblock segment*
 * superblock   = 16,384 bytes, see {@link Superblock}
 * segment      = page page sector{672}
 * page         = 4,096 bytes, see {@link ChecksumPage}
 * sector       = 4,096 bytes of data
 * </pre>
 *
 * All integers are big-endian. Where a file ends early, the rest counts as zeros. Of two
 * superblocks or pages the one with the higher sequence among the valid ones is in force; valid
 * means that its magic, its CRC32C and the shard that it names are right. A page slot of zeros was
 * never written.
 *
 * <p>The <em>shard address</em> of a byte counts sectors only: superblocks and pages are outside
 * the address space, which is the one that the erasure code covers and that is the same in all
 * shards of a container. A sector is
 *
 * <ul>
 *   <li><b>never written</b>: its entry in the page is 0. A hole; it counts as zeros only where the
 *       bitmap of a parity shard says that its stripe did not use this shard;
 *   <li><b>written</b>: its entry is the CRC32C of its bytes (0 stored as 0xFFFFFFFF), it lies in
 *       the range of the epoch that was asked for, and its bytes have that CRC;
 *   <li><b>lost</b>: anything else. An erasure, never zeros.
 * </ul>
 *
 * A written sector never changes.
 */
public final class ShardFormat {
  public static final int VERSION = 1;

  public static final int SECTOR_BYTES = 4_096;
  public static final int SUPERBLOCK_BYTES = 16_384;
  public static final int PAGE_BYTES = 4_096;
  public static final int SEGMENT_SECTORS = 672;

  /** Address space that one segment holds. */
  public static final long SEGMENT_ADDRESSES = (long) SEGMENT_SECTORS * SECTOR_BYTES;

  static final long SEGMENT_BYTES = 2L * PAGE_BYTES + SEGMENT_ADDRESSES;
  static final long FIRST_SEGMENT = 2L * SUPERBLOCK_BYTES;

  /** Leases that one shard file can tell apart; a full list ends its life as an open shard. */
  public static final int MAX_EPOCHS = 1_000;

  /** Of one container: ErasurePolicy allows no more. */
  public static final int MAX_SHARDS = 32;

  /** Entries have 16 bits for the data shards that a stripe uses. */
  public static final int MAX_DATA_SHARDS = 16;

  /** Largest capacity: segment numbers and file positions stay far from overflow. */
  public static final long MAX_CAPACITY = 1L << 40;

  static final int MAX_CLUSTER_ID_BYTES = 128;

  /**
   * Entry of a sector that a rebuild could not decode, over a hole: zeros, whose CRC is another, so
   * that every reader takes it for lost. "LOST".
   */
  static final int LOST_MARK = 0x4C4F5354;

  /** What neither a magic nor an empty slot begins with. "UNREAD!!". */
  private static final long UNREAD = 0x554E524541442121L;

  private ShardFormat() {}

  public static int segmentOf(long address) {
    return (int) (address / SEGMENT_ADDRESSES);
  }

  static int sectorInSegment(long address) {
    return (int) (address % SEGMENT_ADDRESSES) / SECTOR_BYTES;
  }

  static long pagePosition(int segment, int slot) {
    return FIRST_SEGMENT + segment * SEGMENT_BYTES + (long) slot * PAGE_BYTES;
  }

  /** Where the byte at a shard address stands in the file. */
  static long filePosition(long address) {
    long segment = address / SEGMENT_ADDRESSES;
    return FIRST_SEGMENT + segment * SEGMENT_BYTES + 2L * PAGE_BYTES + address % SEGMENT_ADDRESSES;
  }

  /** Bytes from an address to the end of its segment: what one read or write can cover. */
  static long contiguousBytes(long address) {
    return SEGMENT_ADDRESSES - address % SEGMENT_ADDRESSES;
  }

  /** Sectors of the address space below an end that lie in a segment. */
  public static int sectorsBelow(long end, int segment) {
    long left = end - segment * SEGMENT_ADDRESSES;
    return (int) Math.max(0, Math.min(SEGMENT_SECTORS, (left + SECTOR_BYTES - 1) / SECTOR_BYTES));
  }

  /**
   * Reads two slots that lie behind one another, each by itself where they cannot be read together:
   * a bad spot in the stale one must not take the other along. What cannot be read comes back as
   * bytes that are neither valid nor zeros; what the file does not have is zeros.
   */
  static ByteBuffer readSlots(DiskFile file, long position, int slotBytes) {
    ByteBuffer slots = ByteBuffer.allocate(2 * slotBytes);
    try {
      file.read(slots, position);
    } catch (IOException e) {
      for (int at = 0; at < 2 * slotBytes; at += slotBytes) {
        ByteBuffer slot = slots.slice(at, slotBytes);
        try {
          file.read(slot, position + at);
        } catch (IOException bad) {
          slot.putLong(0, UNREAD);
        }
      }
    }
    return slots.clear();
  }

  /** Whether {@link #readSlots} could not read a slot. */
  static boolean isUnread(ByteBuffer slot) {
    return slot.getLong(0) == UNREAD;
  }

  /** First byte of the file behind the sectors below an address. */
  static long fileBytes(long end) {
    return end == 0 ? FIRST_SEGMENT : filePosition(end - 1) + 1;
  }
}
