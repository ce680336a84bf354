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

import io.netty.buffer.ByteBuf;
import io.stowage.common.error.CorruptDataException;
import io.stowage.common.error.StoreException;
import io.stowage.common.proto.ByteRange;
import io.stowage.common.proto.ReadShardRequest;
import io.stowage.common.proto.SectorState;
import io.stowage.datanode.disk.DiskFile;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.concurrent.TimeUnit;
import java.util.zip.CRC32C;

/** One read of a shard file. Confined to its thread. */
final class ShardRead {
  /** A device that is gone may take long to say so, for each sector. */
  private static final int MAX_BAD_FROM_START = 16;

  /**
   * A disk tries for seconds before it gives a bad sector up. Who asked for many waits half a
   * minute; he asks for less, and others want the disk's few threads as well.
   */
  private static final long MAX_TRYING_NANOS = TimeUnit.SECONDS.toNanos(5);

  private final ShardFile shard;
  private final Superblock superblock;
  private final DiskFile file;
  private final ReadShardRequest request;
  private final ByteBuf into;
  private final SectorStates states;
  private final long beganNanos;

  /** Addresses that the epoch asked for may have written. */
  private final long rangeStart;

  private final long rangeEnd;

  ShardRead(
      ShardFile shard,
      Superblock superblock,
      DiskFile file,
      ReadShardRequest request,
      ByteBuf into,
      SectorStates states) {
    this.shard = shard;
    this.superblock = superblock;
    this.file = file;
    this.request = request;
    this.into = into;
    this.states = states;
    this.beganNanos = shard.host().clock().monotonicNanos();
    boolean anyEpoch = request.getEpoch() == 0;
    this.rangeStart = anyEpoch ? 0 : superblock.startOf(request.getEpoch());
    this.rangeEnd = anyEpoch ? Long.MAX_VALUE : superblock.endOf(request.getEpoch());
  }

  void run() throws IOException, StoreException {
    for (ByteRange range : request.getRangesList()) {
      if (request.getSectorCrcs()) {
        readSectors(range.getOffset(), range.getLength());
      } else {
        if (range.getOffset() < rangeStart
            || rangeStart < 0
            || range.getOffset() + range.getLength() > rangeEnd) {
          throw new CorruptDataException(
              String.format(
                  "Cannot read %d bytes at %d of %s: epoch %d wrote from %d to %d",
                  range.getLength(),
                  range.getOffset(),
                  shard.id(),
                  request.getEpoch(),
                  rangeStart,
                  rangeEnd));
        }
        readBytes(range.getOffset(), range.getLength());
      }
    }
  }

  /** Reads bytes as they lie; zeros where the file has ended. */
  private void readBytes(long offset, long length) throws IOException {
    long address = offset;
    long left = length;
    while (left > 0) {
      int piece = (int) Math.min(left, ShardFormat.contiguousBytes(address));
      int at = into.writerIndex();
      ByteBuffer bytes = into.nioBuffer(at, piece);
      long position = ShardFormat.filePosition(address);
      int got =
          request.getBackground() ? file.readOnce(bytes, position) : file.read(bytes, position);
      into.setZero(at + got, piece - got);
      into.writerIndex(at + piece);
      address += piece;
      left -= piece;
    }
  }

  private void readSectors(long offset, long length) throws IOException {
    int sectors = (int) (length / ShardFormat.SECTOR_BYTES);
    SectorEntries entries = new SectorEntries(sectors);
    // Entries before data: the committer writes data before entries.
    while (entries.count() < sectors) {
      long address = offset + (long) entries.count() * ShardFormat.SECTOR_BYTES;
      int inSegment =
          Math.min(
              sectors - entries.count(),
              (int) (ShardFormat.contiguousBytes(address) / ShardFormat.SECTOR_BYTES));
      shard.copyEntries(
          file,
          ShardFormat.segmentOf(address),
          ShardFormat.sectorInSegment(address),
          inSegment,
          entries);
    }
    if (request.getStatesOnly()) {
      if (entries.areUnread()) {
        throw new IOException("no checksum page of a segment can be read");
      }
      for (int i = 0; i < sectors; i++) {
        long address = offset + (long) i * ShardFormat.SECTOR_BYTES;
        // Whether a marked sector's bytes have the mark for a CRC, only reading them would tell.
        SectorState state =
            entries.crcs[i] == ShardFormat.LOST_MARK
                ? SectorState.LOST
                : judge(entries, i, address, entries.crcs[i]);
        add(state, entries, i, entries.crcs[i], isOfEpoch(address));
      }
      return;
    }
    int at = into.writerIndex();
    try {
      readBytes(offset, length);
    } catch (IOException e) {
      readSingly(offset, sectors, entries, at, e);
    }
    ByteBuffer bytes = into.nioBuffer(at, sectors * ShardFormat.SECTOR_BYTES);
    CRC32C crc = new CRC32C();
    for (int i = 0; i < sectors; i++) {
      long address = offset + (long) i * ShardFormat.SECTOR_BYTES;
      int first = i * ShardFormat.SECTOR_BYTES;
      crc.reset();
      crc.update(bytes.limit(first + ShardFormat.SECTOR_BYTES).position(first));
      int found = (int) crc.getValue();
      SectorState state = judge(entries, i, address, found);
      add(state, entries, i, found, isOfEpoch(address));
      if (state != SectorState.WRITTEN) {
        into.setZero(at + first, ShardFormat.SECTOR_BYTES);
      }
    }
  }

  /**
   * A spot of the disk that cannot be read loses its own sectors, not all that were asked for. A
   * rebuild is told where nothing of that could be read: that is no word on what the sectors hold.
   */
  private void readSingly(
      long offset, int sectors, SectorEntries entries, int at, IOException cause)
      throws IOException {
    int mostFromStart =
        request.getBackground() ? Math.min(sectors, MAX_BAD_FROM_START) : MAX_BAD_FROM_START;
    int failed = 0;
    for (int i = 0; i < sectors; i++) {
      if (shard.host().clock().monotonicNanos() - beganNanos > MAX_TRYING_NANOS) {
        throw cause;
      }
      into.writerIndex(at + i * ShardFormat.SECTOR_BYTES);
      try {
        readBytes(offset + (long) i * ShardFormat.SECTOR_BYTES, ShardFormat.SECTOR_BYTES);
      } catch (IOException e) {
        entries.lost[i] = true;
        if (++failed == mostFromStart && failed == i + 1) {
          throw cause; // the disk, not a spot of it
        }
        into.setZero(at + i * ShardFormat.SECTOR_BYTES, ShardFormat.SECTOR_BYTES);
        into.writerIndex(at + (i + 1) * ShardFormat.SECTOR_BYTES);
      }
    }
  }

  /** What another epoch wrote is lost to who asks, and no damage: he may ask in vain for ever. */
  private void add(SectorState state, SectorEntries entries, int i, int crc, boolean ofEpoch) {
    if (state == SectorState.LOST && ofEpoch && entries.crcs[i] != ShardFormat.LOST_MARK) {
      states.noteDamage();
    }
    states.add(
        state,
        state == SectorState.WRITTEN ? crc : 0,
        state == SectorState.NEVER_WRITTEN ? 0 : entries.used[i]);
  }

  private SectorState judge(SectorEntries entries, int i, long address, int found) {
    if (entries.lost[i]) {
      return SectorState.LOST;
    }
    if (entries.crcs[i] == 0) {
      return SectorState.NEVER_WRITTEN;
    }
    boolean whole = entries.crcs[i] == ChecksumPage.stored(found) && address < superblock.capacity;
    return isOfEpoch(address) && whole ? SectorState.WRITTEN : SectorState.LOST;
  }

  private boolean isOfEpoch(long address) {
    return rangeStart >= 0 && address >= rangeStart && address < rangeEnd;
  }
}
