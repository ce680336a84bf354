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

import io.stowage.common.error.ErrorCode;
import io.stowage.common.error.StoreException;
import io.stowage.common.proto.Extent;
import io.stowage.common.proto.HeadRecord;
import io.stowage.common.proto.Manifest;
import io.stowage.common.proto.ObjectVersion;
import io.stowage.common.proto.RestoreOutcome;
import io.stowage.common.proto.RestoredRow;
import io.stowage.common.proto.Versioning;
import io.stowage.om.row.RowCommitter.Outcome;
import io.stowage.om.table.Details;
import io.stowage.om.table.Head;
import io.stowage.om.table.HeadState;
import io.stowage.om.table.ObjectRowLayout;
import io.stowage.om.table.RowChange;
import java.util.List;
import org.apache.hadoop.thirdparty.protobuf.ByteString;

/**
 * Puts back what containers say of a row, where that is newer than what the row says: docs/format/
 * needle.md, Replay. Thread-safe.
 *
 * <p>A restored head has the stamp that the record or the needle gave, not the time of the rebuild:
 * so a later rebuild, which may see more, decides as one that had seen all of it.
 */
public final class Restores {
  private final ObjectRows rows;

  public Restores(ObjectRows rows) {
    this.rows = rows;
  }

  public RestoreOutcome restore(RestoredRow restored) throws StoreException {
    Puts.requireWriteId(restored.getWriteId());
    ByteString row = ObjectRows.row(restored.getBucketId(), restored.getRowKey().toStringUtf8());
    for (int attempt = 0; attempt < ObjectRows.MOST_ATTEMPTS; attempt++) {
      SeenRow seen = rows.readSettled(row, List.of());
      RestoreOutcome kept = judge(seen, restored);
      if (kept != null) {
        return kept;
      }
      Outcome outcome =
          restored.hasVersion() ? restoreVersion(seen, restored) : restoreAbsence(seen, restored);
      switch (outcome) {
        case APPLIED -> {
          return RestoreOutcome.RESTORE_DONE;
        }
        case REFUSED -> rows.committer().pause().backOff(attempt);
        case UNKNOWN ->
            throw new StoreException(
                ErrorCode.UNAVAILABLE,
                "Cannot restore " + ObjectRowLayout.key(row) + ": HBase does not answer");
      }
    }
    throw ObjectRows.contended(row);
  }

  /** Null if the row is to be changed. */
  private RestoreOutcome judge(SeenRow seen, RestoredRow restored) throws StoreException {
    if (!restored.hasVersion()) {
      return seen.isLive() && seen.stamp() < restored.getStamp()
          ? null
          : RestoreOutcome.RESTORE_KEPT;
    }
    if (seen.isLive()) {
      ObjectVersion there = rows.details(seen);
      if (there != null && creator(seen.head(), there).equals(restored.getVersion().getWriteId())) {
        if (samePlaces(there.getManifest(), restored.getVersion().getManifest())) {
          return RestoreOutcome.RESTORE_KEPT;
        }
        return restored.getMove() ? null : RestoreOutcome.RESTORE_ELSEWHERE;
      }
    }
    return seen.stamp() < restored.getStamp() ? null : RestoreOutcome.RESTORE_KEPT;
  }

  private static ByteString creator(Head head, ObjectVersion version) {
    return version.getWriteId().isEmpty() ? head.writeId() : version.getWriteId();
  }

  /** Heights of stripes do not matter to packed needles, and needles do not tell them. */
  private static boolean samePlaces(Manifest a, Manifest b) {
    if (a.getExtentsCount() != b.getExtentsCount()) {
      return false;
    }
    for (int i = 0; i < a.getExtentsCount(); i++) {
      Extent one = a.getExtents(i);
      Extent other = b.getExtents(i);
      if (one.getContainer() != other.getContainer()
          || one.getOffset() != other.getOffset()
          || one.getFirstShard() != other.getFirstShard()) {
        return false;
      }
    }
    return true;
  }

  private Outcome restoreVersion(SeenRow seen, RestoredRow restored) throws StoreException {
    ByteString row = seen.key();
    ByteString writeId = restored.getWriteId();
    ObjectVersion.Builder version = restored.getVersion().toBuilder().clearKey().clearStamp();
    if (version.getWriteId().equals(writeId)) {
      version.clearWriteId();
    }
    ByteString origin = version.getManifest().getOriginRow();
    if (origin.equals(row)) {
      version.getManifestBuilder().clearOriginRow();
    } else if (!origin.isEmpty()) {
      rows.committer()
          .write(
              origin,
              new RowChange(rows.stamps().now())
                  .put(ObjectRowLayout.forwarding(row), ByteString.EMPTY));
    }
    long stamp = Math.max(restored.getStamp(), seen.stamp() + 1);
    Details.Split split = Details.split(version.build(), writeId);
    RowChange change;
    if (split.chunks().isEmpty()) {
      change = new RowChange(stamp);
    } else {
      // Chunks have the time of now, which the head that deletes their mark has to be above.
      stamp = Math.max(stamp, rows.writeChunks(row, writeId, split.chunks()) + 1);
      change = new RowChange(stamp).delete(ObjectRowLayout.pendingChunks(writeId));
    }
    HeadRecord record = split.record();
    change.put(ObjectRowLayout.HEAD, Head.of(stamp, writeId, HeadState.LIVE, record).cell());
    // A head of the same write moves on with its own bytes: it left no garbage that is known.
    if (seen.head() != null && !seen.head().writeId().equals(writeId)) {
      rows.succession(seen, Versioning.UNVERSIONED).supersede(change);
    }
    return rows.commit(seen, change);
  }

  private Outcome restoreAbsence(SeenRow seen, RestoredRow restored) throws StoreException {
    RowChange change =
        new RowChange(restored.getStamp())
            .put(
                ObjectRowLayout.HEAD,
                Head.absent(restored.getStamp(), restored.getWriteId()).cell());
    return rows.commit(seen, rows.succession(seen, Versioning.UNVERSIONED).supersede(change));
  }
}
