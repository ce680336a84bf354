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

import io.stowage.common.error.OutcomeUnknownException;
import io.stowage.common.error.StoreException;
import io.stowage.common.proto.ObjectToDelete;
import io.stowage.om.row.RowCommitter.Outcome;
import io.stowage.om.table.Column;
import io.stowage.om.table.Head;
import io.stowage.om.table.HeadState;
import io.stowage.om.table.ObjectRowLayout;
import io.stowage.om.table.RowChange;
import java.util.List;
import org.apache.hadoop.thirdparty.protobuf.ByteString;

/**
 * Deletes keys by writing a head that says so: a cell that HBase deleted would take its stamp with
 * it, and hide the next put. Thread-safe.
 */
public final class Deletes {
  private final ObjectRows rows;

  public Deletes(ObjectRows rows) {
    this.rows = rows;
  }

  /** Deletes a key; returns the stamp of the deletion, 0 if nothing was there. */
  public long delete(long bucketId, ObjectToDelete what) throws StoreException {
    ByteString row = ObjectRows.row(bucketId, what.getKey());
    ByteString writeId = what.getWriteId();
    Puts.requireWriteId(writeId);
    List<Column> columns = List.of(ObjectRowLayout.superseded(writeId));
    long begin = rows.committer().nanos();
    for (int attempt = 0; attempt < ObjectRows.MOST_ATTEMPTS; attempt++) {
      SeenRow seen = rows.readSettled(row, columns, attempt > 0);
      Head own = seen.writtenBy(writeId);
      if (own != null && own.state() == HeadState.ABSENT) {
        return own.stamp();
      }
      if (attempt > 0) {
        rows.committer().requireRecent(begin);
      }
      Conditions.require(what.getCondition(), seen);
      boolean otherVersion =
          seen.isLive()
              && what.getVersionId() != 0
              && what.getVersionId() != seen.head().record().getVersion().getVersionId();
      if (!seen.isLive() || otherVersion) {
        return 0;
      }
      long stamp = rows.stamps().above(seen.stamp());
      RowChange change =
          new RowChange(stamp).put(ObjectRowLayout.HEAD, Head.absent(stamp, writeId).cell());
      Outbox.add(change, what.getEvent(), null);
      Outcome outcome = rows.commit(seen, seen.supersede(change));
      switch (outcome) {
        case APPLIED -> {
          return stamp;
        }
        case REFUSED -> rows.committer().pause().backOff(attempt);
        case UNKNOWN -> {
          own = rows.readSettled(row, columns, true).writtenBy(writeId);
          if (own != null && own.state() == HeadState.ABSENT) {
            return own.stamp();
          }
          throw new OutcomeUnknownException(
              "Cannot tell whether " + what.getKey() + " was deleted", null);
        }
      }
    }
    throw ObjectRows.contended(row);
  }
}
