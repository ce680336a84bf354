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
package io.stowage.om.region;

import io.stowage.common.error.CorruptDataException;
import io.stowage.common.error.ErrorCode;
import io.stowage.common.error.StoreException;
import io.stowage.common.id.WriteId;
import io.stowage.common.proto.CollectorRecord;
import io.stowage.om.row.RowCommitter;
import io.stowage.om.row.RowCommitter.Outcome;
import io.stowage.om.row.Stamps;
import io.stowage.om.table.BucketRowLayout;
import io.stowage.om.table.Cell;
import io.stowage.om.table.Check;
import io.stowage.om.table.Column;
import io.stowage.om.table.RowChange;
import java.time.Duration;
import java.util.List;
import org.apache.hadoop.thirdparty.protobuf.ByteString;
import org.apache.hadoop.thirdparty.protobuf.InvalidProtocolBufferException;

/**
 * Whose turn it is at one region, for one kind of work: a record in table {@code bucket}, changed
 * by compare-and-set, with a claim that lasts a while and is prolonged by its holder. A claim only
 * saves work: whoever took a region over from a holder that seemed to be gone may meet it, so the
 * work itself has to bear two. Confined to the thread of a round.
 */
public final class RegionTurn {
  private static final int FORMAT = 1;

  private final RowCommitter records;
  private final Stamps stamps;
  private final Column column;
  private final ByteString row;
  private final ByteString holder;
  private final long claimMicros;
  private Cell seen;
  private CollectorRecord record;

  private RegionTurn(
      RowCommitter records,
      Stamps stamps,
      Column column,
      ByteString row,
      ByteString holder,
      long claimMicros,
      Cell seen)
      throws StoreException {
    this.records = records;
    this.stamps = stamps;
    this.column = column;
    this.row = row;
    this.holder = holder;
    this.claimMicros = claimMicros;
    this.seen = seen;
    this.record = seen == null ? CollectorRecord.getDefaultInstance() : parse(seen.value());
  }

  /**
   * Reads a region's record.
   *
   * @param column for this kind of work
   * @param holder who asks
   * @param claim how long a region is left to its holder without a sign of life
   */
  public static RegionTurn read(
      RowCommitter records,
      Stamps stamps,
      Column column,
      ByteString regionStart,
      ByteString holder,
      Duration claim)
      throws StoreException {
    ByteString row = BucketRowLayout.collectorRow(regionStart);
    Cell cell = records.get(row, List.of(column)).cell(column);
    return new RegionTurn(records, stamps, column, row, holder, claim.toNanos() / 1_000, cell);
  }

  public static CollectorRecord parse(ByteString value) throws StoreException {
    CollectorRecord record;
    try {
      record = CollectorRecord.parseFrom(value);
    } catch (InvalidProtocolBufferException e) {
      throw new CorruptDataException("Cannot read a collector's record: " + e.getMessage());
    }
    if (record.getFormat() > FORMAT) {
      throw new StoreException(
          ErrorCode.FORMAT_TOO_NEW,
          "Cannot read a collector's record of format " + record.getFormat());
    }
    return record;
  }

  /** As it was read, or written by us last. */
  public CollectorRecord record() {
    return record;
  }

  /** Whether somebody else has a claim that is not over. */
  public boolean isTaken() {
    return !record.getHolder().isEmpty()
        && !record.getHolder().equals(holder)
        && stamps.now() < record.getClaimedUntilMicros();
  }

  /** Claims the region, and writes what else is to be known of it; false: somebody was faster. */
  public boolean claim(CollectorRecord.Builder next) throws StoreException {
    return note(next.setHolder(holder));
  }

  /** Writes the record, if it is still the one that we saw; prolongs the claim. */
  public boolean note(CollectorRecord.Builder next) throws StoreException {
    long stamp = stamps.above(seen == null ? 0 : seen.stamp());
    CollectorRecord written =
        next.setFormat(FORMAT)
            .setNonce(WriteId.random())
            .setClaimedUntilMicros(stamps.now() + claimMicros)
            .build();
    Outcome outcome =
        records.commit(
            row,
            Check.of(column, seen == null ? null : seen.value()),
            new RowChange(stamp).put(column, written.toByteString()));
    if (outcome != Outcome.APPLIED) {
      return false; // somebody else's now; or ours, as will be seen in the next round
    }
    seen = new Cell(column, stamp, written.toByteString());
    record = written;
    return true;
  }

  /** Whether it is time to say that we are alive. */
  public boolean wantsSignOfLife() {
    return record.getClaimedUntilMicros() - stamps.now() <= claimMicros / 2;
  }

  /** Prolongs the claim when half of it is over; false: it is somebody else's now. */
  public boolean isStillOurs() throws StoreException {
    return !wantsSignOfLife() || note(record.toBuilder());
  }
}
