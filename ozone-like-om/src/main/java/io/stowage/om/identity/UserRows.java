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
package io.stowage.om.identity;

import io.stowage.common.error.CorruptDataException;
import io.stowage.common.error.ErrorCode;
import io.stowage.common.error.OutcomeUnknownException;
import io.stowage.common.error.StoreException;
import io.stowage.common.proto.User;
import io.stowage.common.proto.UserRecord;
import io.stowage.om.row.RowCommitter;
import io.stowage.om.row.Stamps;
import io.stowage.om.table.Check;
import io.stowage.om.table.IdentityRowLayout;
import io.stowage.om.table.Row;
import io.stowage.om.table.RowChange;
import java.util.List;
import org.apache.hadoop.thirdparty.protobuf.ByteString;
import org.apache.hadoop.thirdparty.protobuf.InvalidProtocolBufferException;

/** Users' rows, changed by comparing what was read. Thread-safe. */
final class UserRows {
  private final RowCommitter rows;
  private final Stamps stamps;

  UserRows(RowCommitter rows, Stamps stamps) {
    this.rows = rows;
    this.stamps = stamps;
  }

  /**
   * A user's row as it was read.
   *
   * @param cell null: there is none
   * @param record with the cell
   */
  record SeenUser(String name, ByteString cell, UserRecord record) {
    static SeenUser of(String name, Row row) throws StoreException {
      ByteString cell = row.value(IdentityRowLayout.USER);
      if (cell == null) {
        return new SeenUser(name, null, null);
      }
      try {
        UserRecord record = UserRecord.parseFrom(cell);
        if (record.getFormat() > IdentityRowLayout.FORMAT) {
          throw new StoreException(
              ErrorCode.FORMAT_TOO_NEW,
              "Cannot read user " + name + ": format " + record.getFormat());
        }
        return new SeenUser(name, cell, record);
      } catch (InvalidProtocolBufferException e) {
        throw new CorruptDataException("Cannot read user " + name);
      }
    }

    boolean exists() {
      return record != null && !record.getRemoved();
    }

    /** The name that the user of this row was given instead; empty: none. */
    String renamedTo() {
      return record == null || !record.getRemoved() ? "" : record.getRenamedTo();
    }

    /** The name that the user of this row had, as long as not everything is done; empty: none. */
    String renamedFrom() {
      return record == null ? "" : record.getRenamedFrom();
    }

    User user() {
      return record.getUser().toBuilder().setName(name).build();
    }
  }

  SeenUser read(String name) throws StoreException {
    return SeenUser.of(
        name, rows.get(IdentityRowLayout.user(name), List.of(IdentityRowLayout.USER)));
  }

  /** True if applied; false if the row changed and is to be read again. */
  boolean commit(SeenUser seen, User user, ByteString createdBy, boolean removed)
      throws StoreException {
    return commit(
        seen,
        UserRecord.newBuilder().setUser(user).setCreatedBy(createdBy).setRemoved(removed).build());
  }

  /** The same; format and stamp are filled in. */
  boolean commit(SeenUser seen, UserRecord change) throws StoreException {
    long stamp = stamps.above(seen.record() == null ? 0 : seen.record().getStamp());
    UserRecord next =
        change.toBuilder()
            .setFormat(IdentityRowLayout.FORMAT)
            .setUser(change.getUser().toBuilder().clearName())
            .setStamp(stamp)
            .build();
    RowCommitter.Outcome outcome =
        rows.commit(
            IdentityRowLayout.user(seen.name()),
            Check.of(IdentityRowLayout.USER, seen.cell()),
            new RowChange(stamp).put(IdentityRowLayout.USER, next.toByteString()));
    if (outcome == RowCommitter.Outcome.UNKNOWN) {
      SeenUser now = read(seen.name());
      if (now.cell() == null || !now.cell().equals(next.toByteString())) {
        throw new OutcomeUnknownException(
            "Cannot tell whether user " + seen.name() + " was changed", null);
      }
      return true;
    }
    return outcome == RowCommitter.Outcome.APPLIED;
  }
}
