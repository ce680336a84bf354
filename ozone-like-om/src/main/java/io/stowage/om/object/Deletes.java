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
import io.stowage.common.id.WriteId;
import io.stowage.common.proto.BucketInfo;
import io.stowage.common.proto.HeadRecord;
import io.stowage.common.proto.ObjectMetadata;
import io.stowage.common.proto.ObjectToDelete;
import io.stowage.common.proto.ObjectVersion;
import io.stowage.om.row.RowCommitter.Outcome;
import io.stowage.om.row.Sent;
import io.stowage.om.table.Column;
import io.stowage.om.table.Head;
import io.stowage.om.table.HeadState;
import io.stowage.om.table.ObjectRowLayout;
import io.stowage.om.table.RowChange;
import java.util.List;
import org.apache.hadoop.thirdparty.protobuf.ByteString;

/**
 * Deletes keys by writing a head that says so: a cell that HBase deleted would take its stamp with
 * it, and hide the next put. In a bucket with versioning that head is a version, a delete marker;
 * versions themselves are deleted by their ids. Thread-safe.
 */
public final class Deletes {
  private final ObjectRows rows;

  public Deletes(ObjectRows rows) {
    this.rows = rows;
  }

  /**
   * What a deletion did.
   *
   * @param stamp its; 0 if nothing was there
   * @param version that was deleted for good, by its id, or the delete marker that was made; null:
   *     neither
   * @param lost versions that it let go without having been told their ids, as far as this call
   *     sent it
   */
  public record Deleted(long stamp, ObjectVersion version, List<Head> lost) {
    public static final Deleted NOTHING = new Deleted(0, null, List.of());

    private Deleted with(List<Head> let) {
      return new Deleted(stamp, version, let);
    }
  }

  /** Deletes a key or one of its versions; idempotent by its write id. */
  public Deleted delete(BucketInfo bucket, ObjectToDelete what) throws StoreException {
    ByteString row = ObjectRows.row(bucket.getId(), what.getKey());
    Puts.requireWriteId(what.getWriteId());
    ObjectToDelete told =
        what.toBuilder().setEvent(EventNotes.removed(bucket, what, rows.stamps().now())).build();
    return Sent.track(
        sent ->
            what.getVersionId() == 0
                ? deleteCurrent(bucket, row, told, sent)
                : deleteVersion(row, told, false, sent));
  }

  private Deleted deleteCurrent(BucketInfo bucket, ByteString row, ObjectToDelete what, Sent sent)
      throws StoreException {
    ByteString writeId = what.getWriteId();
    List<Column> columns = List.of(ObjectRowLayout.superseded(writeId));
    long begin = rows.committer().nanos();
    List<Head> lost = List.of();
    for (int attempt = 0; attempt < ObjectRows.MOST_ATTEMPTS; attempt++) {
      SeenRow seen = rows.readSettled(row, columns);
      Deleted before = doneBefore(seen, writeId);
      if (before != null) {
        return before.with(lost);
      }
      if (attempt > 0) {
        rows.committer().requireRecent(begin);
      }
      ObjectRows.requireNoDirectory(row, seen.head());
      Conditions.require(what.getCondition(), seen);
      Conditions.requireUnchanged(what.getCondition(), seen, seen.head());
      Succession succession = rows.succession(seen, bucket.getVersioning());
      if (succession.isUnversioned() && !seen.isLive()) {
        return Deleted.NOTHING;
      }
      succession.requireRoom(row);
      succession.requireUnlocked(row, rows.stamps().now());
      long stamp = rows.stamps().above(seen.stamp());
      Head head = Head.absent(stamp, writeId);
      if (!succession.isUnversioned()) {
        HeadRecord marked =
            HeadRecord.newBuilder()
                .setVersion(marker(stamp, rows.stamps().now(), succession, what.getOwner()))
                .build();
        head = Head.of(stamp, writeId, HeadState.MARKER, succession.follow(marked));
      }
      RowChange change = new RowChange(stamp).put(ObjectRowLayout.HEAD, head.cell());
      Outbox.add(change, what.getEvent(), head.isVersion() ? SeenRow.version(row, head) : null);
      lost = succession.lost();
      sent.mark();
      Outcome outcome = rows.commit(seen, succession.supersede(change));
      switch (outcome) {
        case APPLIED -> {
          return deleted(row, head).with(lost);
        }
        case REFUSED -> rows.committer().pause().backOff(attempt);
        case UNKNOWN -> {
          before = doneBefore(rows.readSettled(row, columns), writeId);
          if (before != null) {
            return before.with(lost);
          }
          throw unknown(what);
        }
      }
    }
    throw ObjectRows.contended(row);
  }

  /** A delete marker as a head's record has it. */
  static ObjectVersion marker(long stamp, long nowMicros, Succession succession, String owner) {
    ObjectVersion.Builder marker =
        ObjectVersion.newBuilder()
            .setVersionId(stamp)
            .setModifiedMicros(nowMicros)
            .setVersioned(succession.makesVersion())
            .setDeleteMarker(true);
    if (!owner.isEmpty()) {
      marker.setMetadata(ObjectMetadata.newBuilder().setOwner(owner));
    }
    return marker.build();
  }

  /** What the request did if it came before; null if it did not. */
  private static Deleted doneBefore(SeenRow seen, ByteString writeId) throws StoreException {
    Head own = seen.writtenBy(writeId);
    boolean done =
        own != null && (own.state() == HeadState.ABSENT || own.state() == HeadState.MARKER);
    return done ? deleted(seen.key(), own) : null;
  }

  private static Deleted deleted(ByteString row, Head head) {
    boolean tells = head.record().hasVersion();
    return new Deleted(head.stamp(), tells ? SeenRow.version(row, head) : null, List.of());
  }

  /** Deletes every version of a key for good, in a bucket that is no more. */
  public void deleteAll(ByteString row) throws StoreException {
    while (true) {
      Head head = rows.readSettled(row, List.of()).head();
      if (head == null || !head.isVersion()) {
        return;
      }
      ObjectToDelete version =
          ObjectToDelete.newBuilder()
              .setWriteId(WriteId.random())
              .setVersionId(head.versionId())
              .build();
      Sent.track(sent -> deleteVersion(row, version, true, sent));
    }
  }

  /**
   * The same of a row that was seen just now: if it has one version, by one call of HBase.
   *
   * @param asOf from when on no snapshot is to see it, if that is before now
   */
  public void deleteAll(SeenRow seen, long asOf) throws StoreException {
    Head head = seen.head();
    if (seen.isLive() && !seen.isOpen() && head.record().getOlderCount() == 0) {
      RowChange change = new RowChange(rows.stamps().above(seen.stamp()));
      Head note = Succession.deletionNote(change.stamp(), head, WriteId.random());
      if (asOf < change.stamp()) {
        Succession.endAsOf(change, head, note, asOf);
      } else {
        Succession.end(change, head, note);
      }
      if (rows.commit(seen, change) == Outcome.APPLIED) {
        return;
      }
    }
    deleteAll(seen.key());
  }

  /**
   * Deletes a version for good. If it is the current one, the next becomes current in the same
   * mutation. That it was done is told by a cell in {@code g} under the request's write id: that
   * the version is no longer there would not do, since there may be another null version by now.
   */
  private Deleted deleteVersion(
      ByteString row, ObjectToDelete what, boolean unconditionally, Sent sent)
      throws StoreException {
    ByteString writeId = what.getWriteId();
    List<Column> columns = List.of(ObjectRowLayout.superseded(writeId));
    long begin = rows.committer().nanos();
    for (int attempt = 0; attempt < ObjectRows.MOST_ATTEMPTS; attempt++) {
      ObjectRows.Lookup found = rows.locate(row, what.getVersionId(), columns);
      if (found.row().isOpen()) {
        rows.openFiles().close(row);
        continue;
      }
      SeenRow seen = found.row();
      ObjectRows.Located located = found.located();
      Deleted before = doneBefore(seen, writeId);
      if (before != null) {
        return before;
      }
      if (attempt > 0) {
        rows.committer().requireRecent(begin);
      }
      Conditions.require(what.getCondition(), row, located == null ? null : located.version());
      if (located == null) {
        return Deleted.NOTHING;
      }
      Conditions.requireUnchanged(what.getCondition(), seen, located.version());
      if (!unconditionally) {
        ObjectRows.requireNoDirectory(row, located.version());
        Succession.requireUnlocked(
            row, located.version(), rows.stamps().now(), what.getBypassGovernance());
      }
      RowChange change = new RowChange(rows.stamps().above(seen.stamp()));
      Head note = Succession.deletionNote(change.stamp(), located.version(), writeId);
      if (!located.isCurrent()) {
        Succession.remove(change, seen.head(), located.version());
        Succession.note(change, note);
      } else if (seen.head().record().getOlderCount() == 0) {
        Succession.end(change, seen.head(), note);
      } else {
        Head next = rows.newestOlder(seen);
        if (next == null) {
          rows.committer().pause().backOff(attempt);
          continue; // the head that said so is no longer the row's
        }
        Succession.promote(change, seen.head(), next);
        Succession.note(change, note);
      }
      Outbox.add(change, what.getEvent(), deleted(row, note).version());
      sent.mark();
      Outcome outcome = rows.commit(seen, change);
      switch (outcome) {
        case APPLIED -> {
          return deleted(row, note);
        }
        case REFUSED -> rows.committer().pause().backOff(attempt);
        case UNKNOWN -> {
          before = doneBefore(rows.readSettled(row, columns), writeId);
          if (before != null) {
            return before;
          }
          throw unknown(what);
        }
      }
    }
    throw ObjectRows.contended(row);
  }

  private static OutcomeUnknownException unknown(ObjectToDelete what) {
    return new OutcomeUnknownException(
        "Cannot tell whether " + what.getKey() + " was deleted", null);
  }
}
