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
package io.stowage.om.table;

import io.stowage.common.error.CorruptDataException;
import io.stowage.common.error.StoreException;
import io.stowage.common.id.WriteId;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import org.apache.hadoop.thirdparty.protobuf.ByteString;
import org.apache.hadoop.thirdparty.protobuf.UnsafeByteOperations;

/**
 * Rows of table {@code object}. Described in {@code docs/format/hbase-tables.md}.
 *
 * <pre>
 * row key   bucket id (8, big-endian)  key (UTF-8)
 *
 * c:h                 head ({@link Head})
 * m:WRITEID number    chunk (number: 4, big-endian) of a DetailRecord
 * v:~VERSIONID        an older version, newest first (8, big-endian): its head's cell
 * g:d WRITEID         a superseded head: fate (1, {@link Fate}), then the cell as it was
 * g:p WRITEID         chunks of this write id are written, their head is not yet
 * g:s WRITEID         a superseded or unused part of an upload: UploadedPart
 * g:c UPLOADID        a completed upload: write id of the head that it became
 * g:e EVENTID         somebody is to be told of a change of the head: EventRecord
 * x:f                 an open file's lease and what was synced since its head: TailRecord
 * x:g UPLOADID        generation of an upload: UploadGeneration
 * x:h UPLOADID        header of an upload: UploadRecord
 * x:p UPLOADID number part (number: 2, big-endian): UploadedPart
 * x:r ROW             forwarding: this row may hold needles that name the row we are in
 * x:t number          extents that are too many for x:f (number: 2, big-endian): TailChunk
 *
 * row key   bucket id (8, big-endian)
 *
 * x:s                 snapshots of the bucket: SnapshotsRecord
 *
 * row key   0 (8 bytes): the id of no bucket
 *
 * x:i                 identity of this table: 16 random bytes
 * </pre>
 */
public final class ObjectRowLayout {
  public static final String TABLE = "object";
  public static final String FAMILIES = "cmvgx";

  public static final int BUCKET_ID_BYTES = 8;
  public static final int MAX_KEY_BYTES = 1_024;

  /** What is inline in a head; more goes to chunks. */
  public static final int MAX_INLINE_EXTENTS = 8;

  public static final int MAX_HEAD_BYTES = 1_024;
  public static final int MAX_CHUNK_BYTES = 1 << 20;

  public static final Column HEAD = new Column('c', Column.letter('h'));

  public static final Column LEASE = new Column('x', Column.letter('f'));

  public static final ByteString UPLOAD_HEADERS = Column.letter('h');

  /** Of the row of a bucket's id and no key. */
  public static final Column SNAPSHOTS = new Column('x', Column.letter('s'));

  /** Ids are random; one that had this by chance would lose nothing: its row has other columns. */
  public static final long NO_BUCKET = 0;

  /** Of the row of {@link #NO_BUCKET} and no key. */
  public static final Column IDENTITY = new Column('x', Column.letter('i'));

  private ObjectRowLayout() {}

  /** What became of the needles that a superseded head named. */
  public enum Fate {
    /** The head named none. */
    NOTHING('N'),
    /** No head of this row names them any more. */
    GARBAGE('G'),
    /** Another row's head names them. */
    MOVED('M'),
    /** A version in {@code v} of this row names them; this cell only tells its author so. */
    KEPT('V'),
    /**
     * As garbage, but that the head was superseded, as snapshots see it, at the stamp behind the
     * letter, 8 bytes: the cell was written again, or the head's directory was removed then.
     */
    SNAPSHOT('S');

    private final byte letter;

    Fate(char letter) {
      this.letter = (byte) letter;
    }
  }

  public static ByteString row(long bucketId, String key) {
    byte[] utf8 = key.getBytes(StandardCharsets.UTF_8);
    ByteBuffer row = ByteBuffer.allocate(BUCKET_ID_BYTES + utf8.length);
    row.putLong(bucketId).put(utf8).flip();
    return UnsafeByteOperations.unsafeWrap(row);
  }

  public static String key(ByteString row) {
    return row.substring(BUCKET_ID_BYTES).toString(StandardCharsets.UTF_8);
  }

  public static long bucketId(ByteString row) {
    return row.asReadOnlyByteBuffer().getLong();
  }

  /** First row behind all that begin with this one; no UTF-8 text holds a byte 0xFF. */
  public static ByteString behindPrefix(ByteString rowPrefix) {
    return rowPrefix.concat(UnsafeByteOperations.unsafeWrap(new byte[] {(byte) 0xFF}));
  }

  /** First row behind this one. */
  public static ByteString behind(ByteString row) {
    return row.concat(UnsafeByteOperations.unsafeWrap(new byte[] {0}));
  }

  public static Column chunk(ByteString owner, int number) {
    return new Column('m', owner.concat(bigEndian(number, 4)));
  }

  public static Column superseded(ByteString writeId) {
    return Column.of('g', 'd', writeId);
  }

  public static Column pendingChunks(ByteString writeId) {
    return Column.of('g', 'p', writeId);
  }

  public static Column supersededPart(ByteString writeId) {
    return Column.of('g', 's', writeId);
  }

  public static Column completedUpload(ByteString uploadId) {
    return Column.of('g', 'c', uploadId);
  }

  public static Column event(ByteString eventId) {
    return Column.of('g', EVENT_KIND, eventId);
  }

  /** Letter of cells of {@code g} that are no garbage: they go when they were told. */
  public static final char EVENT_KIND = 'e';

  public static final ByteString EVENTS = Column.letter(EVENT_KIND);

  public static Column uploadGeneration(ByteString uploadId) {
    return Column.of('x', 'g', uploadId);
  }

  public static Column uploadHeader(ByteString uploadId) {
    return Column.of('x', 'h', uploadId);
  }

  public static Column part(ByteString uploadId, int number) {
    return new Column('x', partsFrom(uploadId, number));
  }

  /** Qualifier of a part, for ranges. */
  public static ByteString partsFrom(ByteString uploadId, int number) {
    return Column.letter('p').concat(uploadId).concat(bigEndian(number, 2));
  }

  public static Column tailChunk(int number) {
    return Column.of('x', 't', bigEndian(number, 2));
  }

  /** Whether a cell belongs to an open file. */
  public static boolean isOfTail(Column column) {
    return column.equals(LEASE) || (column.family() == 'x' && isOfKind(column, 't'));
  }

  public static Column forwarding(ByteString toRow) {
    return Column.of('x', 'r', toRow);
  }

  /** Of a version that is not the current one. */
  public static Column older(long versionId) {
    return new Column('v', olderFrom(versionId));
  }

  /** The version id that a column of {@code v} is of. */
  public static long olderId(Column column) {
    return ~column.qualifier().asReadOnlyByteBuffer().getLong();
  }

  /** Qualifier of the newest of the versions whose id is at most this, for ranges. */
  public static ByteString olderFrom(long versionId) {
    ByteBuffer complement = ByteBuffer.allocate(Long.BYTES);
    complement.putLong(~versionId).flip();
    return UnsafeByteOperations.unsafeWrap(complement);
  }

  /** The row that an {@code x:r} column names; null for any other column. */
  public static ByteString forwardedTo(Column column) {
    return column.family() == 'x' && isOfKind(column, 'r') ? column.qualifier().substring(1) : null;
  }

  /** The upload that an {@code x:p} column belongs to; null for any other column. */
  public static ByteString uploadOfPart(Column column) {
    return column.family() == 'x' && isOfKind(column, 'p')
        ? column.qualifier().substring(1, 1 + WriteId.BYTES)
        : null;
  }

  /** The upload that an {@code x:g} column belongs to; null for any other column. */
  public static ByteString uploadOfGeneration(Column column) {
    return column.family() == 'x' && isOfKind(column, 'g') ? column.qualifier().substring(1) : null;
  }

  /** First qualifier behind those of a kind, which is its letter; behind all, if that is empty. */
  public static ByteString behindKind(ByteString letter) {
    byte behind = letter.isEmpty() ? -1 : (byte) (letter.byteAt(0) + 1);
    return UnsafeByteOperations.unsafeWrap(new byte[] {behind});
  }

  private static boolean isOfKind(Column column, char kind) {
    return !column.qualifier().isEmpty() && column.qualifier().byteAt(0) == (byte) kind;
  }

  /** The letter that says what a cell of {@code g} is. */
  public static char garbageKind(Column column) {
    return (char) column.qualifier().byteAt(0);
  }

  /** The id behind the letter of a cell of {@code g}. */
  public static ByteString garbageId(Column column) {
    return column.qualifier().substring(1);
  }

  public static final ByteString PENDING_CHUNKS = Column.letter('p');
  public static final ByteString SUPERSEDED_HEADS = Column.letter('d');
  public static final ByteString FORWARDINGS = Column.letter('r');

  /** Behind the oldest version. */
  public static final ByteString BEHIND_OLDER =
      UnsafeByteOperations.unsafeWrap(new byte[] {-1, -1, -1, -1, -1, -1, -1, -1, -1});

  /** Behind every row. */
  public static final ByteString END =
      UnsafeByteOperations.unsafeWrap(
          new byte[] {-1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1});

  /** What became of the needles of the head in a {@code g:d} cell. */
  public static Fate fate(ByteString value) throws StoreException {
    for (Fate fate : Fate.values()) {
      if (!value.isEmpty() && value.byteAt(0) == fate.letter) {
        return fate;
      }
    }
    throw new CorruptDataException("Cannot read a superseded head: it has no fate");
  }

  /** Value of a {@code g:d} cell. */
  public static ByteString supersededValue(Fate fate, Head head) {
    return UnsafeByteOperations.unsafeWrap(new byte[] {fate.letter}).concat(head.cell());
  }

  /** The head in a {@code g:d} cell. */
  public static Head supersededHead(ByteString value) throws StoreException {
    return Head.parse(value.substring(fate(value) == Fate.SNAPSHOT ? 1 + Long.BYTES : 1));
  }

  /** When the head in a {@code g:d} cell was superseded. */
  public static long supersededAt(Cell cell) throws StoreException {
    return fate(cell.value()) == Fate.SNAPSHOT
        ? cell.value().substring(1, 1 + Long.BYTES).asReadOnlyByteBuffer().getLong()
        : cell.stamp();
  }

  /** Value of a {@code g:d} cell whose own stamp does not say when its head was superseded. */
  public static ByteString snapshotValue(long supersededAt, Head head) {
    ByteBuffer fixed = ByteBuffer.allocate(1 + Long.BYTES);
    fixed.put(Fate.SNAPSHOT.letter).putLong(supersededAt).flip();
    return UnsafeByteOperations.unsafeWrap(fixed).concat(head.cell());
  }

  /** Whether a cell is a superseded head. */
  public static boolean isSupersededHead(Column column) {
    return column.family() == 'g' && isOfKind(column, 'd');
  }

  /** Whether a cell is a superseded head that is nowhere else in its row. */
  public static boolean isOfPast(Cell cell) throws StoreException {
    return isSupersededHead(cell.column()) && fate(cell.value()) != Fate.KEPT;
  }

  /** Behind the last superseded head, for ranges. */
  public static final ByteString BEHIND_SUPERSEDED = Column.letter('e');

  private static ByteString bigEndian(int number, int bytes) {
    byte[] out = new byte[bytes];
    for (int i = 0; i < bytes; i++) {
      out[i] = (byte) (number >>> (8 * (bytes - 1 - i)));
    }
    return UnsafeByteOperations.unsafeWrap(out);
  }
}
