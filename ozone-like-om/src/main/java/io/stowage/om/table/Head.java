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
import io.stowage.common.proto.HeadRecord;
import io.stowage.common.proto.ObjectVersion;
import java.nio.ByteBuffer;
import org.apache.hadoop.thirdparty.protobuf.ByteString;
import org.apache.hadoop.thirdparty.protobuf.InvalidProtocolBufferException;
import org.apache.hadoop.thirdparty.protobuf.UnsafeByteOperations;

/**
 * The head of an object's row: {@code stamp (8, big-endian) | write id (16) | state (1) |
 * HeadRecord}. Described in {@code docs/format/hbase-tables.md}. Keeps the cell as it was read, for
 * comparing and for moving it elsewhere unchanged. Immutable.
 */
public final class Head {
  public static final int FIXED_BYTES = 8 + WriteId.BYTES + 1;

  /** Where a cell has its state. */
  static final int STATE_OFFSET = FIXED_BYTES - 1;

  public static final int FORMAT = 1;

  /** In requests: the key's null version, whatever its id is. */
  public static final long NULL_VERSION = -1;

  private final long stamp;
  private final ByteString writeId;
  private final HeadState state;
  private final HeadRecord recordOrDefault;
  private final ByteString cell;

  private Head(
      long stamp, ByteString writeId, HeadState state, HeadRecord record, ByteString cell) {
    this.stamp = stamp;
    this.writeId = writeId;
    this.state = state;
    this.recordOrDefault = record;
    this.cell = cell;
  }

  /** A head to be written. */
  public static Head of(long stamp, ByteString writeId, HeadState state, HeadRecord record) {
    if (writeId.size() != WriteId.BYTES) {
      throw new IllegalArgumentException("a write id has 16 bytes, not " + writeId.size());
    }
    HeadRecord versioned = record.toBuilder().setFormat(FORMAT).build();
    return new Head(
        stamp,
        writeId,
        state,
        versioned,
        fixed(stamp, writeId, state).concat(versioned.toByteString()));
  }

  /** A head that says that nothing is there. */
  public static Head absent(long stamp, ByteString writeId) {
    return of(stamp, writeId, HeadState.ABSENT, HeadRecord.getDefaultInstance());
  }

  static ByteString fixed(long stamp, ByteString writeId, HeadState state) {
    ByteBuffer fixed = ByteBuffer.allocate(FIXED_BYTES);
    fixed.putLong(stamp).put(writeId.asReadOnlyByteBuffer()).put(state.number()).flip();
    return UnsafeByteOperations.unsafeWrap(fixed);
  }

  /** Reads a cell. */
  public static Head parse(ByteString cell) throws StoreException {
    if (cell.size() < FIXED_BYTES) {
      throw new CorruptDataException("Cannot read a head of " + cell.size() + " bytes");
    }
    HeadRecord record;
    HeadState state;
    try {
      state = HeadState.of(cell.byteAt(STATE_OFFSET));
      record = HeadRecord.parseFrom(cell.substring(FIXED_BYTES));
    } catch (InvalidProtocolBufferException | IllegalArgumentException e) {
      throw new CorruptDataException("Cannot read a head: " + e.getMessage());
    }
    if (record.getFormat() > FORMAT) {
      throw new StoreException(
          ErrorCode.FORMAT_TOO_NEW,
          "Cannot read a head of format " + record.getFormat() + ": this version knows " + FORMAT);
    }
    return new Head(
        cell.asReadOnlyByteBuffer().getLong(),
        cell.substring(8, 8 + WriteId.BYTES),
        state,
        record,
        cell);
  }

  /** Reads a cell that may not be there. */
  public static Head parseOrNull(ByteString cell) throws StoreException {
    return cell == null ? null : parse(cell);
  }

  public long stamp() {
    return stamp;
  }

  /** Of the request that wrote this head; a version keeps its creator's own in its record. */
  public ByteString writeId() {
    return writeId;
  }

  public HeadState state() {
    return state;
  }

  public HeadRecord record() {
    return recordOrDefault;
  }

  public boolean isLive() {
    return state == HeadState.LIVE;
  }

  /** Whether it is a version of its key, be it a delete marker. */
  public boolean isVersion() {
    return state == HeadState.LIVE || state == HeadState.MARKER;
  }

  /** Of the version; 0 if this is none. */
  public long versionId() {
    return recordOrDefault.getVersion().getVersionId();
  }

  /** When it came into its row, be it as another row's version before. */
  public long arrived() {
    return arrived(recordOrDefault.getVersion());
  }

  /** The same of a version as a head's record has it. */
  public static long arrived(ObjectVersion stored) {
    long arrived = stored.getArrivedStamp();
    return arrived == 0 ? stored.getVersionId() : arrived;
  }

  /** Whether it is its key's null version: made while the bucket's versioning was not enabled. */
  public boolean isNullVersion() {
    return isVersion() && !recordOrDefault.getVersion().getVersioned();
  }

  /** Whether it is the version that a caller means. */
  public boolean isVersion(long versionId) {
    return versionId == NULL_VERSION ? isNullVersion() : isVersion() && versionId() == versionId;
  }

  /** The whole cell. */
  public ByteString cell() {
    return cell;
  }

  /** The same head with a higher stamp, which makes every comparison with this one fail. */
  public Head raisedTo(long higher) {
    return new Head(
        higher,
        writeId,
        state,
        recordOrDefault,
        fixed(higher, writeId, state).concat(cell.substring(FIXED_BYTES)));
  }

  /** The same head with another record and a higher stamp. */
  public Head with(long higher, HeadRecord record) {
    return of(higher, writeId, state, record);
  }

  @Override
  public String toString() {
    return state + "(" + stamp + ", " + WriteId.toHex(writeId) + ")";
  }
}
