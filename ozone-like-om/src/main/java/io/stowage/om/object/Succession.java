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
import io.stowage.common.expiry.Retention;
import io.stowage.common.proto.HeadRecord;
import io.stowage.common.proto.ObjectVersion;
import io.stowage.common.proto.Versioning;
import io.stowage.om.row.RowCommitter;
import io.stowage.om.table.Column;
import io.stowage.om.table.Head;
import io.stowage.om.table.HeadState;
import io.stowage.om.table.ObjectRowLayout;
import io.stowage.om.table.ObjectRowLayout.Fate;
import io.stowage.om.table.RowChange;
import java.util.ArrayList;
import java.util.List;
import org.apache.hadoop.thirdparty.protobuf.ByteString;

/**
 * What becomes of a head, and of the versions below it, when another head takes its place: the one
 * function that everything superseded goes through. The table of transitions is in
 * docs/format/hbase-tables.md. Immutable.
 *
 * <p>Whatever becomes of it, a head leaves its cell in {@code g} under its write id, for a request
 * whose answer was lost. A version that is kept goes to {@code v} besides, and what {@code g} says
 * of it names no garbage.
 *
 * <p>What a head says of {@code v} (how many, where they begin, which is the null version) is exact
 * because every mutation that changes {@code v} compares and writes the head. So whoever reads the
 * head and then {@code v} needs no more than that the head still stands at his commit.
 */
final class Succession {
  /**
   * Of one key, the current one not counted. A row lies in one region, and its versions are read by
   * nobody at once; but compactions and moves of the region carry all of them.
   */
  static final long MOST_OLDER = 1_000_000;

  private final Versioning versioning;
  private final Head old;
  private final Head goingNull;

  private Succession(Versioning versioning, Head old, Head goingNull) {
    this.versioning = versioning;
    this.old = old;
    this.goingNull = goingNull;
  }

  /**
   * Of a settled head, or none. Reads the null version in {@code v} if that has to go.
   *
   * @param bucket what the bucket's settings say; an object manager that has not heard yet that
   *     versioning was enabled learns it from a head
   */
  static Succession of(RowCommitter rows, ByteString row, Head old, Versioning bucket)
      throws StoreException {
    Versioning versioning =
        bucket == Versioning.UNVERSIONED && saysVersioned(old) ? Versioning.ENABLED : bucket;
    Head goingNull = null;
    if (versioning == Versioning.SUSPENDED && old != null && old.record().getOlderNull() != 0) {
      Column column = ObjectRowLayout.older(old.record().getOlderNull());
      goingNull = Head.parseOrNull(rows.get(row, List.of(column)).value(column));
    }
    return new Succession(versioning, old, goingNull);
  }

  private static boolean saysVersioned(Head head) {
    return head != null
        && (head.state() == HeadState.MARKER
            || (head.isVersion() && head.record().getVersion().getVersioned())
            || head.record().getOlderCount() > 0);
  }

  /** By what the head is superseded. */
  Versioning versioning() {
    return versioning;
  }

  /** Whether the head that follows is a version of its own, not the null version. */
  boolean makesVersion() {
    return versioning == Versioning.ENABLED;
  }

  boolean isUnversioned() {
    return versioning == Versioning.UNVERSIONED;
  }

  private boolean keepsOld() {
    if (old == null || !old.isVersion()) {
      return false;
    }
    return versioning == Versioning.ENABLED
        || (versioning == Versioning.SUSPENDED && !old.isNullVersion());
  }

  /** Versions that the mutation lets go: nothing names them afterwards. */
  List<Head> lost() {
    List<Head> lost = new ArrayList<>();
    if (old != null && old.isVersion() && !keepsOld()) {
      lost.add(old);
    }
    if (goingNull != null) {
      lost.add(goingNull);
    }
    return lost;
  }

  /** Refuses where a key would have more versions than one row should hold. */
  void requireRoom(ByteString row) throws StoreException {
    if (keepsOld() && old.record().getOlderCount() >= MOST_OLDER) {
      throw new StoreException(
          ErrorCode.TOO_MANY_VERSIONS,
          "Cannot add a version to key "
              + ObjectRowLayout.key(row)
              + ": it has "
              + (old.record().getOlderCount() + 1)
              + "; delete some, or set a lifecycle rule that does");
    }
  }

  /** Refuses to let go a version that is locked. */
  void requireUnlocked(ByteString row, long nowMicros) throws StoreException {
    if (old != null && old.isVersion() && !keepsOld()) {
      requireUnlocked(row, old, nowMicros, false);
    }
    if (goingNull != null) {
      requireUnlocked(row, goingNull, nowMicros, false);
    }
  }

  /** The same for one version. */
  static void requireUnlocked(ByteString row, Head version, long nowMicros, boolean bypass)
      throws StoreException {
    Retention.requireRemovable(
        version.record().getVersion().getMetadata(), nowMicros, bypass, ObjectRowLayout.key(row));
  }

  /** The record of the head that follows, with what it says of {@code v}. */
  HeadRecord follow(HeadRecord next) {
    return links(next, keepsOld());
  }

  /** The same where the old head's version leaves the row. */
  HeadRecord leave(HeadRecord next) {
    return links(next, false);
  }

  private HeadRecord links(HeadRecord next, boolean keep) {
    HeadRecord before = old == null ? HeadRecord.getDefaultInstance() : old.record();
    long count = before.getOlderCount();
    long newest = before.getNewestOlder();
    long olderNull = before.getOlderNull();
    if (goingNull != null) {
      count--;
      olderNull = 0;
    }
    if (keep) {
      count++;
      newest = old.versionId();
      if (old.isNullVersion()) {
        olderNull = old.versionId();
      }
    }
    return linked(next, count, newest, olderNull);
  }

  private static HeadRecord linked(HeadRecord record, long count, long newest, long olderNull) {
    return record.toBuilder()
        .setOlderCount(count)
        .setNewestOlder(count == 0 ? 0 : newest)
        .setOlderNull(olderNull)
        .build();
  }

  /** Adds to the mutation that replaces the head what becomes of what is replaced. */
  RowChange supersede(RowChange change) {
    if (old == null) {
      return change;
    }
    dropNull(change);
    if (keepsOld()) {
      change.put(ObjectRowLayout.older(old.versionId()), unlinked(old).cell());
      return put(change, old, Fate.KEPT);
    }
    return put(change, old, fateOf(old));
  }

  /** The same where the old head's version goes to another row. */
  RowChange leave(RowChange change) {
    dropNull(change);
    return put(change, old, Fate.MOVED);
  }

  private void dropNull(RowChange change) {
    if (goingNull != null) {
      change.delete(ObjectRowLayout.older(goingNull.versionId()));
      put(change, goingNull, fateOf(goingNull));
    }
  }

  /** The cell as {@code v} has it: what a head says of {@code v} means nothing there. */
  static Head unlinked(Head head) {
    return head.with(
        head.stamp(),
        head.record().toBuilder().clearOlderCount().clearNewestOlder().clearOlderNull().build());
  }

  /**
   * The current version goes for good, and the next becomes current.
   *
   * @param next the newest in {@code v}
   */
  static RowChange promote(RowChange change, Head old, Head next) {
    HeadRecord before = old.record();
    HeadRecord record =
        linked(
            next.record(),
            before.getOlderCount() - 1,
            next.versionId() - 1,
            next.isNullVersion() ? 0 : before.getOlderNull());
    change.put(ObjectRowLayout.HEAD, next.with(change.stamp(), record).cell());
    change.delete(ObjectRowLayout.older(next.versionId()));
    return put(change, old, fateOf(old));
  }

  /** A version in {@code v} goes for good. */
  static RowChange remove(RowChange change, Head head, Head older) {
    HeadRecord before = head.record();
    long id = older.versionId();
    HeadRecord record =
        linked(
            before,
            before.getOlderCount() - 1,
            before.getNewestOlder() == id ? id - 1 : before.getNewestOlder(),
            before.getOlderNull() == id ? 0 : before.getOlderNull());
    change.put(ObjectRowLayout.HEAD, head.with(change.stamp(), record).cell());
    change.delete(ObjectRowLayout.older(id));
    return put(change, older, fateOf(older));
  }

  /**
   * A version that the row lacked comes to {@code v}, below the current one.
   *
   * @param older its id is in nobody's place
   */
  static RowChange insert(RowChange change, Head head, Head older) {
    HeadRecord before = head.record();
    HeadRecord record =
        linked(
            before,
            before.getOlderCount() + 1,
            Math.max(before.getNewestOlder(), older.versionId()),
            older.isNullVersion() ? older.versionId() : before.getOlderNull());
    change.put(ObjectRowLayout.HEAD, head.with(change.stamp(), record).cell());
    return change.put(ObjectRowLayout.older(older.versionId()), unlinked(older).cell());
  }

  /** A version in {@code v} becomes another: the same with other details, or the null version. */
  static RowChange replace(RowChange change, Head head, Head before, Head after) {
    HeadRecord links = head.record();
    HeadRecord record =
        linked(
            links,
            links.getOlderCount(),
            Math.max(links.getNewestOlder(), after.versionId()),
            after.isNullVersion() ? after.versionId() : links.getOlderNull());
    change.put(ObjectRowLayout.HEAD, head.with(change.stamp(), record).cell());
    if (before.versionId() != after.versionId()) {
      change.delete(ObjectRowLayout.older(before.versionId()));
    }
    return change.put(ObjectRowLayout.older(after.versionId()), unlinked(after).cell());
  }

  /** What a version that is replaced leaves behind: its needles are garbage. */
  static RowChange dispose(RowChange change, Head version) {
    return put(change, version, fateOf(version));
  }

  /**
   * The only version goes for good.
   *
   * @param note what becomes the head
   */
  static RowChange end(RowChange change, Head old, Head note) {
    change.put(ObjectRowLayout.HEAD, note.cell());
    return put(change, old, fateOf(old));
  }

  /** The same where snapshots are to see it no longer than until a stamp that is past. */
  static RowChange endAsOf(RowChange change, Head old, Head note, long stamp) {
    change.put(ObjectRowLayout.HEAD, note.cell());
    return change.put(
        ObjectRowLayout.superseded(old.writeId()), ObjectRowLayout.snapshotValue(stamp, old));
  }

  /**
   * Leaves word in {@code g} that a request deleted a version for good, where the row's head is not
   * one that the request wrote.
   */
  static RowChange note(RowChange change, Head note) {
    return put(change, note, Fate.NOTHING);
  }

  /** What tells that a request deleted a version for good, and which. */
  static Head deletionNote(long stamp, Head version, ByteString writeId) {
    ObjectVersion gone = version.record().getVersion();
    HeadRecord record =
        HeadRecord.newBuilder()
            .setVersion(
                ObjectVersion.newBuilder()
                    .setVersionId(gone.getVersionId())
                    .setVersioned(gone.getVersioned())
                    .setDeleteMarker(gone.getDeleteMarker()))
            .build();
    return Head.of(stamp, writeId, HeadState.ABSENT, record);
  }

  private static RowChange put(RowChange change, Head head, Fate fate) {
    return change.put(
        ObjectRowLayout.superseded(head.writeId()), ObjectRowLayout.supersededValue(fate, head));
  }

  private static Fate fateOf(Head head) {
    return switch (head.state()) {
      case LIVE -> Fate.GARBAGE;
      case ABSENT, MOVED, MARKER -> Fate.NOTHING;
      case PENDING, DELETING ->
          throw new IllegalStateException("a head in state " + head.state() + " is settled first");
    };
  }
}
