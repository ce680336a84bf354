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
package io.stowage.om.row;

import io.stowage.common.error.CorruptDataException;
import io.stowage.common.error.StoreException;
import io.stowage.common.id.WriteId;
import io.stowage.common.proto.ClaimDutyRequest;
import io.stowage.common.proto.DutyRecord;
import io.stowage.om.row.RowCommitter.Outcome;
import io.stowage.om.table.BucketRowLayout;
import io.stowage.om.table.Cell;
import io.stowage.om.table.Check;
import io.stowage.om.table.RowChange;
import java.util.List;
import org.apache.hadoop.thirdparty.protobuf.ByteString;
import org.apache.hadoop.thirdparty.protobuf.InvalidProtocolBufferException;

/**
 * What one of many processes does for all: claims by compare-and-set, for a while. A claim only
 * saves work: clocks differ and pauses happen, so whatever is done under one must bear to be done
 * twice. Thread-safe.
 */
public final class Duties {
  private static final int FORMAT = 1;

  private final RowCommitter rows;
  private final Stamps stamps;

  public Duties(RowCommitter rows, Stamps stamps) {
    this.rows = rows;
    this.stamps = stamps;
  }

  /** True if it is the caller's now, or still. */
  public boolean claim(ClaimDutyRequest request) throws StoreException {
    ByteString row = BucketRowLayout.dutyRow(request.getDuty());
    Cell seen = rows.get(row, List.of(BucketRowLayout.DUTY)).cell(BucketRowLayout.DUTY);
    DutyRecord known = seen == null ? DutyRecord.getDefaultInstance() : parse(seen);
    boolean ours = known.getHolder().equals(request.getHolder());
    boolean gives = request.getDurationMicros() == 0;
    if (!ours && (gives || stamps.now() < known.getUntilMicros())) {
      return false;
    }
    long stamp = stamps.above(seen == null ? 0 : seen.stamp());
    DutyRecord next =
        DutyRecord.newBuilder()
            .setFormat(FORMAT)
            .setNonce(WriteId.random())
            .setHolder(gives ? ByteString.EMPTY : request.getHolder())
            .setUntilMicros(gives ? 0 : stamps.now() + request.getDurationMicros())
            .build();
    return rows.commit(
                row,
                Check.of(BucketRowLayout.DUTY, seen == null ? null : seen.value()),
                new RowChange(stamp).put(BucketRowLayout.DUTY, next.toByteString()))
            == Outcome.APPLIED
        && !gives;
  }

  private static DutyRecord parse(Cell cell) throws StoreException {
    try {
      return DutyRecord.parseFrom(cell.value());
    } catch (InvalidProtocolBufferException e) {
      throw new CorruptDataException("Cannot read who does something: " + e.getMessage());
    }
  }
}
