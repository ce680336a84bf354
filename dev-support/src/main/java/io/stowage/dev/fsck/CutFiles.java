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

import io.stowage.common.error.StoreException;
import io.stowage.common.id.WriteId;
import io.stowage.common.om.ObjectManager;
import io.stowage.common.proto.NamedExtents;
import io.stowage.common.proto.ObjectVersion;
import io.stowage.common.proto.RestoredRow;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.BitSet;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.apache.hadoop.thirdparty.protobuf.ByteString;

/**
 * Finds the files that come back shorter than they were synced: pieces of theirs lie behind what
 * the last record names. Filled with pieces first, then with what rows are to hold, then asked.
 * Confined to one thread.
 *
 * <p>A piece's needle names its stream, where it begins in the file, and the row that the file had
 * first, which needles keep naming after a rename. A stream belongs to a file if it created it, if
 * a record of the file names one of its pieces, or if none of any file does and its first piece,
 * younger than the record, begins where the file ends: somebody appended to it. A writer that was
 * told that its sync failed leaves pieces, too, so a file that is told need not have lost any.
 *
 * <p>Memory: the sorter's; {@link #ROWS} bits; the streams of one row at a time. Disk: about 150
 * bytes a piece.
 */
final class CutFiles implements AutoCloseable {
  private static final byte PIECE = 'P';
  private static final byte RESTORED = 'R';

  /** By the hashes of rows: of which there are pieces that no record names. */
  private static final int ROWS = 1 << 23;

  private final SpillSorter byOrigin;
  private final BitSet rows = new BitSet(ROWS);

  /** Pieces that one writer wrote. */
  private static final class Stream {
    private long start = Long.MAX_VALUE;
    private long startClock;
    private long end;
    private final Set<ByteString> takenBy = new HashSet<>();

    void add(long from, long to, long clock) {
      if (from < start) {
        start = from;
        startClock = clock;
      }
      end = Math.max(end, to);
    }

    boolean isOf(ByteString holder, RestoredRow file) {
      ByteString creator = file.getVersion().getWriteId();
      return holder.equals(creator)
          || takenBy.contains(creator)
          || (takenBy.isEmpty()
              && start == file.getVersion().getLength()
              && Long.compareUnsigned(startClock, file.getStamp()) > 0);
    }
  }

  /** A file that may have been longer, up to a position. */
  interface Cut {
    void tell(RestoredRow file, long end) throws IOException;
  }

  CutFiles(Path directory, long sorterBytes) {
    this.byOrigin = new SpillSorter(directory, "pieces", sorterBytes);
  }

  /** Needles of one write; taken if they are a piece of a file. */
  void addPiece(List<FoundNeedle> needles, List<ByteString> takenBy) throws IOException {
    FoundNeedle one = needles.get(0);
    ByteString holder = one.rest().getUploadId();
    long start = WriteId.startOfPiece(holder, one.header().writeId());
    if (start < 0) {
      return; // a part of an upload
    }
    long end = start;
    for (FoundNeedle needle : needles) {
      end = Math.max(end, start + needle.header().payloadOffset() + payload(needle));
    }
    ByteString row = TreeScan.rowOf(one.header().bucketId(), one.header().rowKey());
    if (takenBy.isEmpty()) {
      rows.set(bit(row));
    }
    ByteBuffer piece =
        ByteBuffer.allocate(1 + 3 * Long.BYTES + WriteId.BYTES * (1 + takenBy.size()));
    piece.put(PIECE).putLong(start).putLong(end).putLong(one.header().clockMicros());
    piece.put(holder.asReadOnlyByteBuffer());
    takenBy.forEach(creator -> piece.put(creator.asReadOnlyByteBuffer()));
    byOrigin.add(row.toByteArray(), piece.array());
  }

  private static long payload(FoundNeedle needle) {
    return Math.max(0, needle.header().payloadLength()); // -1: not known
  }

  private static int bit(ByteString row) {
    return row.hashCode() & (ROWS - 1);
  }

  /** What a row is to hold. */
  void addRestored(RestoredRow row) throws IOException {
    ObjectVersion version = row.getVersion();
    ByteString origin = version.getManifest().getOriginRow();
    if (origin.isEmpty()) {
      origin = TreeScan.rowOf(row.getBucketId(), row.getRowKey());
    }
    if (row.hasVersion() && rows.get(bit(origin))) {
      RestoredRow file =
          row.toBuilder()
              .setVersion(
                  ObjectVersion.newBuilder()
                      .setWriteId(version.getWriteId())
                      .setLength(version.getLength()))
              .build();
      byOrigin.add(origin.toByteArray(), SpillSorter.tagged(RESTORED, file.toByteArray()));
    }
  }

  /** Tells all files that are cut, whatever their rows hold now. */
  void tell(Cut cut) throws IOException {
    try (SpillSorter.Groups origins = byOrigin.groups()) {
      while (origins.nextKey() != null) {
        Map<ByteString, Stream> streams = new HashMap<>();
        List<RestoredRow> files = new ArrayList<>();
        for (byte[] value = origins.nextValue(); value != null; value = origins.nextValue()) {
          ByteBuffer rest = ByteBuffer.wrap(value, 1, value.length - 1);
          if (value[0] == RESTORED) {
            files.add(RestoredRow.parseFrom(rest));
          } else {
            addPiece(streams, rest);
          }
        }
        for (RestoredRow file : files) {
          long end = file.getVersion().getLength();
          for (Map.Entry<ByteString, Stream> stream : streams.entrySet()) {
            if (stream.getValue().isOf(stream.getKey(), file)) {
              end = Math.max(end, stream.getValue().end);
            }
          }
          if (end > file.getVersion().getLength()) {
            cut.tell(file, end);
          }
        }
      }
    }
  }

  private static void addPiece(Map<ByteString, Stream> streams, ByteBuffer piece) {
    long start = piece.getLong();
    long end = piece.getLong();
    long clock = piece.getLong();
    Stream stream = streams.computeIfAbsent(writeId(piece), holder -> new Stream());
    stream.add(start, end, clock);
    while (piece.hasRemaining()) {
      stream.takenBy.add(writeId(piece));
    }
  }

  private static ByteString writeId(ByteBuffer in) {
    return ByteString.copyFrom(in, WriteId.BYTES);
  }

  /** Whether the object table knows of as many bytes of the file, or of another in its place. */
  static boolean isWholeInTable(ObjectManager namespace, RestoredRow file, long end)
      throws StoreException {
    NamedExtents now =
        TreeScan.look(namespace, TreeScan.rowOf(file.getBucketId(), file.getRowKey()));
    if (now == null || !now.getWriteId().equals(file.getVersion().getWriteId())) {
      return file.getVersionId() == 0; // else it may be an older version, and is not looked for
    }
    return now.getManifest().getLength() >= end;
  }

  @Override
  public void close() throws IOException {
    byOrigin.close();
  }
}
