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
import io.stowage.common.id.WriteId;
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
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;
import org.apache.hadoop.thirdparty.protobuf.ByteString;

/**
 * Puts back what containers say of a row, where that is newer than what the row says: docs/format/
 * needle.md, Replay. Thread-safe.
 *
 * <p>What is said is of one <b>slot</b> of the row: of a version by its id, or of its null version,
 * whatever the id of that is. A row that was never lost knows of everything up to its head's stamp,
 * in all slots, since it changes as one; so only what is above that is news to it. A row that a
 * rebuild made or changed knows only what that rebuild saw. Its head says so, by the stamp of the
 * record or the needle that it was restored by, as each restored version does; there, each slot is
 * judged by that stamp alone. So a later rebuild, which may see more, decides as one that had seen
 * all of it, until the row gets another head.
 */
public final class Restores {
  private final ObjectRows rows;

  public Restores(ObjectRows rows) {
    this.rows = rows;
  }

  /** What containers say of the slots of one row, in the order of stamps. */
  public List<RestoreOutcome> restore(List<RestoredRow> ofRow) throws StoreException {
    List<RestoreOutcome> outcomes = new ArrayList<>(ofRow.size());
    for (RestoredRow restored : ofRow) {
      outcomes.add(restore(restored));
    }
    return outcomes;
  }

  private RestoreOutcome restore(RestoredRow restored) throws StoreException {
    Puts.requireWriteId(restored.getWriteId());
    ByteString row = ObjectRows.row(restored.getBucketId(), restored.getRowKey().toStringUtf8());
    long id = restored.getVersionId() == 0 ? Head.NULL_VERSION : restored.getVersionId();
    for (int attempt = 0; attempt < ObjectRows.MOST_ATTEMPTS; attempt++) {
      ObjectRows.Lookup lookup = rows.locate(row, id, List.of());
      ObjectVersion there = details(lookup);
      RestoreOutcome kept = judge(lookup, there, restored);
      if (kept != null) {
        return kept;
      }
      if (lookup.row().isOpen()) {
        rows.openFiles().close(row);
        continue;
      }
      Outcome outcome =
          restored.hasVersion()
              ? restoreVersion(lookup, there, restored)
              : restoreAbsence(lookup, restored);
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

  /** Of the version in the slot, if it has bytes; null if it is gone, or was just replaced. */
  private ObjectVersion details(ObjectRows.Lookup lookup) throws StoreException {
    ObjectRows.Located located = lookup.located();
    return located == null || !located.version().isLive() ? null : rows.details(located);
  }

  /** Null if the row is to be changed. */
  private static RestoreOutcome judge(
      ObjectRows.Lookup lookup, ObjectVersion there, RestoredRow restored) {
    if (isNewer(lookup, restored)) {
      return null;
    }
    boolean sameBytes =
        there != null
            && restored.hasVersion()
            && creator(lookup.located().version(), there)
                .equals(restored.getVersion().getWriteId());
    if (!sameBytes || samePlaces(there.getManifest(), restored.getVersion().getManifest())) {
      return RestoreOutcome.RESTORE_KEPT;
    }
    return restored.getMove() ? null : RestoreOutcome.RESTORE_ELSEWHERE;
  }

  private static boolean isNewer(ObjectRows.Lookup lookup, RestoredRow restored) {
    ObjectRows.Located located = lookup.located();
    if (located == null && !restored.hasVersion()) {
      return false;
    }
    Head head = lookup.row().head();
    if (!isRestored(head)) {
      return lookup.row().stamp() < restored.getStamp();
    }
    if (located == null) {
      return true;
    }
    Head there = located.version();
    return (isRestored(there) ? there.record().getRestoredStamp() : there.stamp())
        < restored.getStamp();
  }

  /** The head as it is, and the row from now on one that a rebuild changed. */
  private static Head marked(Head head) {
    return isRestored(head)
        ? head
        : head.with(head.stamp(), head.record().toBuilder().setRestoredStamp(head.stamp()).build());
  }

  private static boolean isRestored(Head head) {
    return head != null && head.record().getRestoredStamp() != 0;
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

  private Outcome restoreVersion(
      ObjectRows.Lookup lookup, ObjectVersion there, RestoredRow restored) throws StoreException {
    SeenRow seen = lookup.row();
    ByteString row = seen.key();
    ByteString writeId = restored.getWriteId();
    ObjectVersion.Builder version = restored.getVersion().toBuilder();
    long restoredStamp = restored.getStamp();
    if (!isNewer(lookup, restored)) {
      // Only the places of its bytes are news.
      restoredStamp = lookup.located().version().record().getRestoredStamp();
      version = there.toBuilder().setManifest(restored.getVersion().getManifest());
      writeId = lookup.located().version().writeId();
    }
    version.clearKey().clearStamp();
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
    RowChange change = new RowChange(stamp);
    ByteString owner = WriteId.random();
    Details.Split split = Details.split(version.build(), owner);
    if (!split.chunks().isEmpty()) {
      // Below the head, which deletes their mark. Older than the present, so that a collector may
      // take them for abandoned before the head is there: it raises the head first, and we lose.
      rows.writeChunks(row, owner, split.chunks(), stamp - 1);
      change.delete(ObjectRowLayout.pendingChunks(owner));
    }
    HeadState state = version.getDeleteMarker() ? HeadState.MARKER : HeadState.LIVE;
    HeadRecord record = split.record().toBuilder().setRestoredStamp(restoredStamp).build();
    Head head = Head.of(stamp, writeId, state, record);
    if (isAnchor(row, version.getDirectoryId())) {
      // As the entry's row would have it: a collector comes for what is in the directory.
      change.put(
          ObjectRowLayout.superseded(WriteId.random()),
          ObjectRowLayout.supersededValue(ObjectRowLayout.Fate.MOVED, head));
    }
    return place(lookup, change, head);
  }

  /** Whether a row says of the directory that it was removed, and is not its entry. */
  private static boolean isAnchor(ByteString row, long directoryId) {
    return directoryId != 0
        && ObjectRowLayout.key(row).equals(HexFormat.of().toHexDigits(directoryId));
  }

  /** Where its id says: as the current version, or among the older ones. */
  private Outcome place(ObjectRows.Lookup lookup, RowChange change, Head restored)
      throws StoreException {
    SeenRow seen = lookup.row();
    Head head = seen.head();
    Head there = lookup.located() == null ? null : lookup.located().version();
    boolean sameVersion =
        there != null
            && (there.versionId() == restored.versionId()
                || there.writeId().equals(restored.writeId()));
    if (sameVersion) {
      // It goes on with its own bytes, so that it leaves no garbage that is known.
      change.deleteAll(Details.chunkColumns(there.record()));
    }
    boolean below =
        head != null
            && head.isVersion()
            && there != head
            && restored.versionId() < head.versionId();
    if (below && there == null) {
      Succession.insert(change, marked(head), restored);
    } else if (below) {
      Succession.replace(change, marked(head), there, restored);
      if (!sameVersion) {
        Succession.dispose(change, there);
      }
    } else {
      Versioning versioning = restored.isNullVersion() ? Versioning.SUSPENDED : Versioning.ENABLED;
      Succession succession = rows.succession(seen, versioning);
      boolean stays = sameVersion && there == head;
      HeadRecord record =
          stays ? succession.leave(restored.record()) : succession.follow(restored.record());
      change.put(ObjectRowLayout.HEAD, restored.with(change.stamp(), record).cell());
      if (!stays) {
        succession.supersede(change);
      }
    }
    return rows.commit(seen, change);
  }

  private Outcome restoreAbsence(ObjectRows.Lookup lookup, RestoredRow restored)
      throws StoreException {
    SeenRow seen = lookup.row();
    Head head = seen.head();
    RowChange change = new RowChange(Math.max(restored.getStamp(), seen.stamp() + 1));
    if (!lookup.located().isCurrent()) {
      Succession.remove(change, marked(head), lookup.located().version());
    } else if (head.record().getOlderCount() == 0) {
      HeadRecord record = HeadRecord.newBuilder().setRestoredStamp(restored.getStamp()).build();
      Succession.end(
          change, head, Head.of(change.stamp(), restored.getWriteId(), HeadState.ABSENT, record));
    } else {
      Head next = rows.newestOlder(seen);
      if (next == null) {
        return Outcome.REFUSED; // the head that said so is no longer the row's
      }
      Succession.promote(change, head, marked(next));
    }
    return rows.commit(seen, change);
  }
}
