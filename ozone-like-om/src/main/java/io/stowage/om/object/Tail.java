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
package io.stowage.om.object;

import io.stowage.common.error.CorruptDataException;
import io.stowage.common.error.ErrorCode;
import io.stowage.common.error.StoreException;
import io.stowage.common.proto.Extent;
import io.stowage.common.proto.HeadRecord;
import io.stowage.common.proto.ObjectVersion;
import io.stowage.common.proto.TailChunk;
import io.stowage.common.proto.TailRecord;
import io.stowage.om.row.RowCommitter;
import io.stowage.om.table.Cell;
import io.stowage.om.table.Column;
import io.stowage.om.table.ObjectRowLayout;
import io.stowage.om.table.Row;
import io.stowage.om.table.RowChange;
import io.stowage.om.table.TailExtents;
import java.nio.ByteBuffer;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.ArrayList;
import java.util.List;
import org.apache.hadoop.thirdparty.protobuf.ByteString;
import org.apache.hadoop.thirdparty.protobuf.InvalidProtocolBufferException;
import org.apache.hadoop.thirdparty.protobuf.UnsafeByteOperations;

/**
 * Cell {@code x:f} of an open file as it was read: the lease, and what was synced since the head
 * was written. {@link OpenFiles} has the protocol. Immutable.
 */
record Tail(long stamp, ByteString cell, TailRecord record) {
  private static final int FORMAT = 1;

  /**
   * Extents in {@code x:f} itself; then they move to a cell {@code x:t}, which the next hsyncs do
   * not write again. A cell costs its row key and 30 bytes of HBase's log, an extent 7 bytes each
   * time: 10 to 16 are about equally cheap for keys of 50 to 150 bytes.
   */
  static final int MOST_INLINE = 12;

  /** Of cells {@code x:t}: a tail of 6,000 extents and more is folded into the head. */
  static final int MOST_CHUNKS = 512;

  static Tail parse(Cell cell) throws StoreException {
    return parse(cell.stamp(), cell.value());
  }

  private static Tail parse(long stamp, ByteString cell) throws StoreException {
    TailRecord record;
    try {
      record = TailRecord.parseFrom(cell);
    } catch (InvalidProtocolBufferException e) {
      throw new CorruptDataException("Cannot read the lease of a file: " + e.getMessage());
    }
    if (record.getFormat() > FORMAT) {
      throw new StoreException(
          ErrorCode.FORMAT_TOO_NEW, "Cannot read a file's lease of format " + record.getFormat());
    }
    return new Tail(stamp, cell, record);
  }

  /** The lease of a file that is being opened, with nothing synced since its head. */
  static TailRecord opened(long epoch, long untilMicros, long length) {
    return TailRecord.newBuilder()
        .setFormat(FORMAT)
        .setEpoch(epoch)
        .setUntilSeconds(seconds(untilMicros))
        .setLength(length)
        .build();
  }

  static long seconds(long micros) {
    return (micros + 999_999) / 1_000_000;
  }

  /** For the writer, who gives it back with the next call. */
  static ByteString cursor(long stamp, TailRecord record) {
    ByteBuffer fixed = ByteBuffer.allocate(Long.BYTES);
    fixed.putLong(stamp).flip();
    return UnsafeByteOperations.unsafeWrap(fixed).concat(record.toByteString());
  }

  /** Null if it says nothing. What it says is believed only by who compares it with the row. */
  static Tail ofCursor(ByteString cursor) throws StoreException {
    return cursor.size() <= Long.BYTES
        ? null
        : parse(cursor.asReadOnlyByteBuffer().getLong(), cursor.substring(Long.BYTES));
  }

  long epoch() {
    return record.getEpoch();
  }

  long length() {
    return record.getLength();
  }

  long untilMicros() {
    return record.getUntilSeconds() * 1_000_000;
  }

  /** Whether it goes with a head. */
  boolean isOf(HeadRecord head) {
    return record.getEpoch() == head.getOpenEpoch()
        && record.getGeneration() == head.getOpenGeneration();
  }

  /** Whether one more extent needs the tail to be folded into the head. */
  boolean isFull() {
    return record.getChunks() >= MOST_CHUNKS;
  }

  /** Adds an extent, and to the change the cell that it makes necessary, if any. */
  TailRecord.Builder plus(Extent extent, RowChange change) throws StoreException {
    List<Extent> inline = new ArrayList<>(TailExtents.decode(record.getExtents()));
    inline.add(extent);
    TailRecord.Builder next =
        record.toBuilder()
            .setLength(record.getLength() + extent.getLength() - extent.getHeaderLength());
    if (inline.size() <= MOST_INLINE) {
      return next.setExtents(TailExtents.encode(inline));
    }
    change.put(
        ObjectRowLayout.tailChunk(record.getChunks()),
        TailChunk.newBuilder()
            .setFormat(FORMAT)
            .setEpoch(record.getEpoch())
            .setGeneration(record.getGeneration())
            .setExtents(TailExtents.encode(inline))
            .build()
            .toByteString());
    int chunks = record.getChunks() + 1;
    return next.clearExtents()
        .setChunks(chunks)
        .setMostChunks(Math.max(chunks, record.getMostChunks()));
  }

  /** The lease over the next head, which has all that was in the tail. */
  TailRecord.Builder folded(long length) {
    return record.toBuilder()
        .setGeneration(record.getGeneration() + 1)
        .setLength(length)
        .clearChunks()
        .clearExtents();
  }

  /** Deletes the tail. */
  void deleteAll(RowChange change) {
    change.delete(ObjectRowLayout.LEASE);
    for (int i = 0; i < record.getMostChunks(); i++) {
      change.delete(ObjectRowLayout.tailChunk(i));
    }
  }

  /** Its extents, in order; null if they are no longer these. */
  List<Extent> extents(RowCommitter rows, ByteString row) throws StoreException {
    List<Extent> extents = new ArrayList<>();
    if (record.getChunks() > 0) {
      List<Column> columns = new ArrayList<>();
      for (int i = 0; i < record.getChunks(); i++) {
        columns.add(ObjectRowLayout.tailChunk(i));
      }
      Row cells = rows.get(row, columns);
      for (Column column : columns) {
        TailChunk chunk = chunk(cells.value(column));
        if (chunk == null
            || chunk.getEpoch() != record.getEpoch()
            || chunk.getGeneration() != record.getGeneration()) {
          return null;
        }
        extents.addAll(TailExtents.decode(chunk.getExtents()));
      }
    }
    extents.addAll(TailExtents.decode(record.getExtents()));
    return extents;
  }

  private static TailChunk chunk(ByteString value) throws StoreException {
    try {
      return value == null ? null : TailChunk.parseFrom(value);
    } catch (InvalidProtocolBufferException e) {
      throw new CorruptDataException("Cannot read an open file's extents: " + e.getMessage());
    }
  }

  /** A version of the head with what callers are told of an open file without its manifest. */
  ObjectVersion.Builder told(ObjectVersion folded) {
    ObjectVersion.Builder version =
        folded.toBuilder().setOpenEpoch(epoch()).setOpenUntilMicros(untilMicros());
    if (length() > folded.getLength()) {
      version
          .setLength(length())
          .setMd5(mark(epoch(), length()))
          .setPartCount(folded.getPartCount() + 1)
          .clearChecksums();
      written(version);
    }
    version.setModifiedMicros(Math.max(folded.getModifiedMicros(), stamp));
    return version;
  }

  /** A time of modification that somebody set holds until the next byte is written. */
  static void written(ObjectVersion.Builder version) {
    if (version.getMetadata().getFile().getModifiedMillisPlusOne() != 0) {
      version.getMetadataBuilder().getFileBuilder().clearModifiedMillisPlusOne();
    }
  }

  /**
   * What stands where other versions have the MD5 of their bytes, which nobody knows who did not
   * write them all: another one for each length. With the number of parts behind it, it is no MD5
   * to S3's clients either.
   */
  static ByteString mark(long epoch, long length) {
    try {
      ByteBuffer both = ByteBuffer.allocate(2 * Long.BYTES);
      both.putLong(epoch).putLong(length).flip();
      MessageDigest md5 = MessageDigest.getInstance("MD5");
      md5.update(both);
      return ByteString.copyFrom(md5.digest());
    } catch (NoSuchAlgorithmException e) {
      throw new IllegalStateException(e);
    }
  }
}
