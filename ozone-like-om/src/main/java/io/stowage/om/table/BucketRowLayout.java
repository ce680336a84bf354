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
import io.stowage.common.error.ErrorCode;
import io.stowage.common.error.StoreException;
import io.stowage.common.id.WriteId;
import io.stowage.common.proto.BucketInfo;
import io.stowage.common.proto.BucketRecord;
import java.nio.ByteBuffer;
import org.apache.hadoop.thirdparty.protobuf.ByteString;
import org.apache.hadoop.thirdparty.protobuf.InvalidProtocolBufferException;
import org.apache.hadoop.thirdparty.protobuf.UnsafeByteOperations;

/**
 * Rows of table {@code bucket}. Described in {@code docs/format/hbase-tables.md}.
 *
 * <pre>
 * row key   bucket name (ASCII)
 *
 * m:h          head: stamp (8), write id (16), state (1: LIVE, ABSENT, DELETING), BucketRecord
 * m:r          rename slot of a FILE_SYSTEM bucket: RenameSlotRecord
 * m:p WRITEID  a directory rename under way: PrefixRenameRecord
 * m:d ID       a bucket of this name and id was deleted; its rows are to be collected
 *
 * row key   0x01, first row of a region of table object
 *
 * m:c          CollectorRecord
 *
 * row key   0x02, name of something that one process does
 *
 * m:o          DutyRecord
 *
 * row key   0x03, bucket id (8, big-endian)
 *
 * m:b          UsageRecord: what was counted, less what the next ones said then
 * m:u WRITER   UsageRecord of one object manager since it was started
 * </pre>
 */
public final class BucketRowLayout {
  public static final String TABLE = "bucket";
  public static final String FAMILIES = "m";
  public static final int FORMAT = 1;

  public static final Column HEAD = new Column('m', Column.letter('h'));

  private BucketRowLayout() {}

  public static ByteString row(String name) {
    return ByteString.copyFromUtf8(name);
  }

  /** First row that a bucket may have; names begin with a letter or digit. */
  public static final ByteString FIRST = UnsafeByteOperations.unsafeWrap(new byte[] {'0'});

  /** Where the first start proves that the region servers take our stamps. */
  static final ByteString PROBE = UnsafeByteOperations.unsafeWrap(new byte[] {0});

  public static Column prefixRename(ByteString writeId) {
    return Column.of('m', 'p', writeId);
  }

  /** Who may rename directories of a FILE_SYSTEM bucket from one parent to another. */
  public static final Column RENAME_SLOT = new Column('m', Column.letter('r'));

  /** What collectors know of a region. */
  public static final Column COLLECTOR = new Column('m', Column.letter('c'));

  /** How far the rules of buckets were applied in a region; a CollectorRecord, too. */
  public static final Column LIFECYCLE = new Column('m', Column.letter('l'));

  public static final ByteString COLLECTORS = UnsafeByteOperations.unsafeWrap(new byte[] {1});
  public static final ByteString BEHIND_COLLECTORS =
      UnsafeByteOperations.unsafeWrap(new byte[] {2});

  /** Who does something alone. */
  public static final Column DUTY = new Column('m', Column.letter('o'));

  public static ByteString dutyRow(String duty) {
    return BEHIND_COLLECTORS.concat(ByteString.copyFromUtf8(duty));
  }

  private static final ByteString USAGES = UnsafeByteOperations.unsafeWrap(new byte[] {3});

  /** Where it is counted what a bucket holds. */
  public static ByteString usageRow(long bucketId) {
    return USAGES.concat(
        UnsafeByteOperations.unsafeWrap(ByteBuffer.allocate(8).putLong(bucketId).array()));
  }

  public static final Column COUNTED = new Column('m', Column.letter('b'));

  /** By how much one object manager changed it. */
  public static Column usage(ByteString writer) {
    return Column.of('m', 'u', writer);
  }

  /** Behind all of {@link #COUNTED} and {@link #usage}. */
  public static final ByteString BEHIND_USAGES = Column.letter('v');

  public static ByteString collectorRow(ByteString regionStart) {
    return COLLECTORS.concat(regionStart);
  }

  public static final ByteString DELETED_BUCKETS = Column.letter('d');

  public static Column deletedBucket(long id) {
    return Column.of(
        'm', 'd', UnsafeByteOperations.unsafeWrap(ByteBuffer.allocate(8).putLong(id).array()));
  }

  /** The id that an {@code m:d} column names. */
  public static long deletedBucketId(Column column) {
    return column.qualifier().substring(1).asReadOnlyByteBuffer().getLong();
  }

  public static final ByteString PREFIX_RENAMES = Column.letter('p');
  public static final ByteString BEHIND_PREFIX_RENAMES = Column.letter('q');

  /** A bucket's head. Immutable. */
  public record BucketHead(
      long stamp,
      ByteString writeId,
      HeadState state,
      BucketInfo bucket,
      ByteString createdBy,
      ByteString deletedBy,
      ByteString cell) {
    /**
     * A head to be written.
     *
     * @param createdBy write id of the bucket's creation
     * @param deletedBy write id of the deletion that removed the bucket of this name before, by
     *     which it is known when it is asked for again; empty if there was none
     */
    public static BucketHead of(
        long stamp,
        ByteString writeId,
        HeadState state,
        BucketInfo bucket,
        ByteString createdBy,
        ByteString deletedBy) {
      BucketRecord record =
          BucketRecord.newBuilder()
              .setFormat(FORMAT)
              .setBucket(bucket.toBuilder().clearName())
              .setCreatedBy(createdBy.equals(writeId) ? ByteString.EMPTY : createdBy)
              .setDeletedBy(deletedBy)
              .build();
      return new BucketHead(
          stamp,
          writeId,
          state,
          bucket,
          createdBy,
          deletedBy,
          Head.fixed(stamp, writeId, state).concat(record.toByteString()));
    }

    /** Reads a cell that may not be there. */
    public static BucketHead parseOrNull(String name, ByteString cell) throws StoreException {
      if (cell == null) {
        return null;
      }
      try {
        HeadState state = HeadState.of(cell.byteAt(Head.FIXED_BYTES - 1));
        BucketRecord record = BucketRecord.parseFrom(cell.substring(Head.FIXED_BYTES));
        if (record.getFormat() > FORMAT) {
          throw new StoreException(
              ErrorCode.FORMAT_TOO_NEW,
              "Cannot read bucket " + name + ": its format is " + record.getFormat());
        }
        ByteString writeId = cell.substring(8, 8 + WriteId.BYTES);
        return new BucketHead(
            cell.asReadOnlyByteBuffer().getLong(),
            writeId,
            state,
            record.getBucket().toBuilder().setName(name).build(),
            record.getCreatedBy().isEmpty() ? writeId : record.getCreatedBy(),
            record.getDeletedBy(),
            cell);
      } catch (InvalidProtocolBufferException
          | IllegalArgumentException
          | IndexOutOfBoundsException e) {
        throw new CorruptDataException("Cannot read bucket " + name + ": " + e.getMessage());
      }
    }
  }
}
