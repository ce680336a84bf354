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
package io.stowage.om.delegation;

import io.stowage.common.error.CorruptDataException;
import io.stowage.common.error.ErrorCode;
import io.stowage.common.error.OutcomeUnknownException;
import io.stowage.common.error.StoreException;
import io.stowage.common.proto.DelegationTokenRecord;
import io.stowage.om.row.RowCommitter;
import io.stowage.om.row.Stamps;
import io.stowage.om.table.Check;
import io.stowage.om.table.IdentityRowLayout;
import io.stowage.om.table.ObjectRowLayout;
import io.stowage.om.table.Row;
import io.stowage.om.table.RowChange;
import java.util.List;
import java.util.function.UnaryOperator;
import org.apache.hadoop.thirdparty.protobuf.ByteString;
import org.apache.hadoop.thirdparty.protobuf.InvalidProtocolBufferException;

/**
 * Rows of delegation tokens. Thread-safe.
 *
 * <p>A row is written when its token is made, changed only by comparing the whole cell, and says
 * "cancelled" when it is: a renewal that was on its way at that moment finds another value and is
 * refused, whenever it arrives. It is deleted {@link #KEPT_MICROS} after its token ended for good,
 * when nothing that could still write it is on its way; ids are never used again.
 */
final class TokenRows {
  /** Longer than any mutation is on its way. */
  static final long KEPT_MICROS = 24 * 3_600 * 1_000_000L;

  private static final int MOST_ATTEMPTS = 100;
  private static final int PAGE = 1_000;

  private final RowCommitter rows;
  private final Stamps stamps;

  TokenRows(RowCommitter rows, Stamps stamps) {
    this.rows = rows;
    this.stamps = stamps;
  }

  /** A row as it was read; the record null where there is none. */
  private record Seen(ByteString cell, DelegationTokenRecord record) {}

  private static Seen seen(Row row) throws StoreException {
    ByteString cell = row.value(IdentityRowLayout.TOKEN);
    if (cell == null) {
      return new Seen(null, null);
    }
    try {
      DelegationTokenRecord record = DelegationTokenRecord.parseFrom(cell);
      if (record.getFormat() > IdentityRowLayout.FORMAT) {
        throw new StoreException(
            ErrorCode.FORMAT_TOO_NEW,
            "Cannot read a delegation token of format " + record.getFormat());
      }
      return new Seen(cell, record);
    } catch (InvalidProtocolBufferException e) {
      throw new CorruptDataException("Cannot read the row of a delegation token");
    }
  }

  private Seen read(long id) throws StoreException {
    return seen(rows.get(IdentityRowLayout.token(id), List.of(IdentityRowLayout.TOKEN)));
  }

  /** Null if there is none. */
  DelegationTokenRecord find(long id) throws StoreException {
    return read(id).record();
  }

  void create(long id, DelegationTokenRecord token) throws StoreException {
    if (!commit(id, null, token, stamps.above(0))) {
      throw new StoreException(
          ErrorCode.CONFLICT, "Cannot issue a delegation token: its id is another's");
    }
  }

  /**
   * Changes a row, as it then is; what it was changed to, or null where there is none.
   *
   * @param change of what was read; the same again: nothing is written
   */
  DelegationTokenRecord update(long id, UnaryOperator<DelegationTokenRecord> change)
      throws StoreException {
    for (int attempt = 0; attempt < MOST_ATTEMPTS; attempt++) {
      Seen seen = read(id);
      if (seen.record() == null) {
        return null;
      }
      DelegationTokenRecord next = change.apply(seen.record());
      if (next.equals(seen.record())
          || commit(id, seen.cell(), next, stamps.above(seen.record().getStamp()))) {
        return next;
      }
      rows.pause().backOff(attempt);
    }
    throw new StoreException(
        ErrorCode.CONFLICT, "Cannot get a turn at a delegation token: others change it");
  }

  /** True if applied; false if the row is another and is to be read again. */
  private boolean commit(long id, ByteString before, DelegationTokenRecord next, long stamp)
      throws StoreException {
    ByteString cell =
        next.toBuilder().setFormat(IdentityRowLayout.FORMAT).setStamp(stamp).build().toByteString();
    RowCommitter.Outcome outcome =
        rows.commit(
            IdentityRowLayout.token(id),
            Check.of(IdentityRowLayout.TOKEN, before),
            new RowChange(stamp).put(IdentityRowLayout.TOKEN, cell));
    if (outcome == RowCommitter.Outcome.APPLIED) {
      return true;
    }
    // A sending whose answer was lost may have applied: then the cell is ours.
    boolean ours = cell.equals(read(id).cell());
    if (!ours && outcome == RowCommitter.Outcome.UNKNOWN) {
      throw new OutcomeUnknownException("Cannot tell whether a delegation token was changed", null);
    }
    return ours;
  }

  /** Deletes the rows of tokens that ended so long ago; how many. */
  int sweep(long nowMicros) throws StoreException {
    int deleted = 0;
    ByteString from = IdentityRowLayout.TOKENS;
    while (true) {
      List<Row> page =
          rows.scan(
              from,
              IdentityRowLayout.BEHIND_TOKENS,
              'i',
              IdentityRowLayout.TOKEN.qualifier(),
              PAGE);
      for (Row row : page) {
        from = ObjectRowLayout.behind(row.key());
        Seen seen = seen(row);
        if (seen.record() == null || seen.record().getMaxMicros() + KEPT_MICROS > nowMicros) {
          continue;
        }
        RowCommitter.Outcome outcome =
            rows.commit(
                row.key(),
                Check.of(IdentityRowLayout.TOKEN, seen.cell()),
                new RowChange(stamps.above(seen.record().getStamp()))
                    .delete(IdentityRowLayout.TOKEN));
        deleted += outcome == RowCommitter.Outcome.APPLIED ? 1 : 0;
      }
      if (page.size() < PAGE) {
        return deleted;
      }
    }
  }
}
