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
import io.stowage.common.error.OutcomeUnknownException;
import io.stowage.common.error.StoreException;
import io.stowage.common.fault.CrashPoint;
import io.stowage.common.id.WriteId;
import io.stowage.common.proto.BucketInfo;
import io.stowage.common.proto.EventNote;
import io.stowage.common.proto.HeadRecord;
import io.stowage.common.proto.Manifest;
import io.stowage.common.proto.MovedKey;
import io.stowage.common.proto.ObjectVersion;
import io.stowage.common.proto.PendingRename;
import io.stowage.om.row.RowCommitter.Outcome;
import io.stowage.om.row.Sent;
import io.stowage.om.table.Column;
import io.stowage.om.table.Details;
import io.stowage.om.table.Head;
import io.stowage.om.table.HeadState;
import io.stowage.om.table.ObjectRowLayout;
import io.stowage.om.table.RowChange;
import java.util.List;
import org.apache.hadoop.thirdparty.protobuf.ByteString;

/**
 * Renames a key: two rows, one commit point. S is the source's row, T the target's.
 *
 * <ol>
 *   <li>T's head becomes PENDING (what T held, S, stamp and write id of S's head, what T shall
 *       hold) by compare-and-set. From now on T's meaning depends on S.
 *   <li>S's head becomes MOVED (T, stamp of the PENDING head, the rename's id) by compare-and-set
 *       with the very head that PENDING names: <b>the commit point</b>.
 *   <li>T's PENDING becomes the live head; what T held moves to {@code g}.
 *   <li>S's MOVED becomes ABSENT.
 * </ol>
 *
 * In a bucket with versioning the current version moves, without its bytes being copied, and is a
 * new version of T, with a new version id: ids ascend within a row. T's old head becomes an older
 * version in step 3. S's older versions stay where they are, under a delete marker, which the MOVED
 * head already is in all but its state; where S has none, nothing is left to be hidden, and S ends
 * ABSENT.
 *
 * <p>A rename is known by (T, stamp of its PENDING head, id), so a second attempt of the same
 * request is never taken for the first. Whoever dies leaves at most a PENDING or a MOVED head, and
 * whoever meets one needs no word from its author ({@link RenameRecovery}):
 *
 * <ul>
 *   <li><b>A reader of T at PENDING</b> reads S. MOVED to this PENDING: T holds the new version,
 *       and did at a moment within the read. Anything else counts only if T's head still stands
 *       afterwards, because S is cleaned up as soon as T has left PENDING; then the rename had not
 *       happened when S was read, and T holds what it held.
 *   <li><b>A reader of S at MOVED</b> sees nothing there; it need not look at T.
 *   <li><b>A writer of T at PENDING</b> reads S. MOVED to it: it does step 3, then its own. Else it
 *       rolls back: if S still has the head that PENDING names, it is rewritten with a higher stamp
 *       by compare-and-set, after which step 2 fails however late it arrives; if S has any other
 *       head, step 2 fails already, since stamps only rise; only then T gets back what it held.
 *       When the rewriting of S is refused, S is read again: it may say MOVED now.
 *   <li><b>A writer of S at MOVED</b> reads T and does step 3 if T is still PENDING, then its own:
 *       no MOVED head vanishes before its target has left PENDING, or T would fall back.
 *   <li><b>Two renames that meet</b>, A to B and B to A, or both onto T, or a chain: each compares
 *       heads, a PENDING head is never S's LIVE head of step 2, so whoever comes second at a row
 *       fails there and rolls back. Both may fail; then both try again, after random pauses.
 *   <li><b>A put or delete on S</b> between steps 1 and 2 makes step 2 fail.
 *   <li><b>The request repeated</b>, also at another object manager: S tells whether it happened,
 *       by a head (MOVED or ABSENT) or a {@code g:d} cell under the rename's id, and only a
 *       committed rename leaves one there. T's cells under the id prove nothing by themselves:
 *       PENDING is written under it too; hence a rolled back T never keeps it.
 * </ul>
 *
 * The needles stay where they are and go on naming the row that they were written for, the origin;
 * the manifest remembers it, and the origin's row lists every row that may hold them ({@code x:r}),
 * written between steps 1 and 2. A name too many there is harmless. The collector takes one out by
 * reading the name, then its row, then, if that row's head does not speak of the origin's needles,
 * deleting the name up to the stamp it read. Since our PENDING head stands there before we write
 * the name, either it is seen or our name has a higher stamp than the one read, and stays. Written
 * before step 1, it could be taken out while its author pauses. Thread-safe.
 */
public final class Renames {
  static final CrashPoint AFTER_PENDING = CrashPoint.named("om.rename.after-pending");
  static final CrashPoint AFTER_FORWARDING = CrashPoint.named("om.rename.after-forwarding");
  static final CrashPoint AFTER_GUARD = CrashPoint.named("om.rename.after-guard");
  static final CrashPoint AFTER_MOVED = CrashPoint.named("om.rename.after-moved");
  static final CrashPoint AFTER_LIVE = CrashPoint.named("om.rename.after-live");

  /** In a roll-back, between the fencing of the source and the restoring of the target. */
  static final CrashPoint AFTER_FENCE = CrashPoint.named("om.rename.after-fence");

  private final ObjectRows rows;
  private final RenameRecovery recovery;

  public Renames(ObjectRows rows) {
    this.rows = rows;
    this.recovery = rows.recovery();
  }

  /**
   * A rename that happened.
   *
   * @param version of the target, without manifest; without a stamp if that is not known any more
   * @param left the head that the rename left at the source; null: nothing was renamed
   */
  public record Renamed(ObjectVersion version, Head left) {
    /** Whether there is something to tell a rebuild, and it is known. */
    public boolean isToBeRecorded() {
      return left != null && version.getStamp() != 0;
    }
  }

  /**
   * What else has to hold for the rename to happen: asked for between steps 1 and 2, in each
   * attempt after the source's head was read and T says PENDING. Throws if it does not; then the
   * attempt is rolled back and nothing has happened. Asked for before a file is closed for the
   * rename, too.
   */
  @FunctionalInterface
  public interface Guard {
    void check(ObjectVersion moving) throws StoreException;
  }

  /** Renames a key; idempotent by the id. */
  public Renamed rename(
      BucketInfo bucket, String sourceKey, String targetKey, ByteString id, boolean overwrite)
      throws StoreException {
    return rename(bucket, sourceKey, targetKey, id, overwrite, moving -> {});
  }

  /** The same where more has to hold. */
  public Renamed rename(
      BucketInfo bucket,
      String sourceKey,
      String targetKey,
      ByteString id,
      boolean overwrite,
      Guard guard)
      throws StoreException {
    long bucketId = bucket.getId();
    ByteString source = ObjectRows.row(bucketId, sourceKey);
    ByteString target = ObjectRows.row(bucketId, targetKey);
    Puts.requireWriteId(id);
    List<Column> idOnly = List.of(ObjectRowLayout.superseded(id));
    long begin = rows.committer().nanos();
    for (int attempt = 0; attempt < ObjectRows.MOST_ATTEMPTS; attempt++) {
      List<SeenRow> both = rows.readAll(List.of(source, target), idOnly);
      SeenRow from = rows.settledLeavingOpen(both.get(0), idOnly);
      if (isDone(from, id)) {
        return new Renamed(done(target, id), from.writtenBy(id));
      }
      if (attempt > 0) {
        rows.committer().requireRecent(begin);
      }
      if (!from.isLive()) {
        throw new StoreException(
            ErrorCode.NO_SUCH_KEY, "Cannot rename " + sourceKey + ": there is no such key");
      }
      if (source.equals(target)) {
        return new Renamed(SeenRow.withoutManifest(rows.told(source, from.head())), null);
      }
      Succession.requireUnlocked(source, from.head(), rows.stamps().now(), false);
      SeenRow to = rows.settledLeavingOpen(both.get(1), List.of());
      if (to.isLive() && (!overwrite || isDirectory(from) || isDirectory(to))) {
        // Both must have been there at one moment: the target's second look is after the source's
        // first and before its second.
        if (!isStill(to, recovery.readHead(target)) || !isStill(from, recovery.readHead(source))) {
          continue;
        }
        throw new StoreException(
            ErrorCode.KEY_EXISTS,
            "Cannot rename " + sourceKey + " to " + targetKey + ": the target is there");
      }
      if (from.isOpen() || to.isOpen()) {
        // Not before: who is refused takes no file from its writer.
        ObjectVersion moving = rows.details(from);
        if (moving != null) {
          guard.check(moving);
          rows.openFiles().close(from.isOpen() ? source : target);
        }
        continue;
      }
      Renamed renamed = Sent.track(sent -> attempt(bucket, from, to, id, guard, sent));
      if (renamed != null) {
        return renamed;
      }
      rows.committer().pause().backOff(attempt);
    }
    throw ObjectRows.contended(source);
  }

  private static boolean isStill(SeenRow seen, Head now) {
    return now != null && now.cell().equals(seen.head().cell());
  }

  /** Steps 1 to 4; null if somebody was faster on either row, and nothing came of it. */
  private Renamed attempt(
      BucketInfo bucket, SeenRow from, SeenRow to, ByteString id, Guard guard, Sent sent)
      throws StoreException {
    ObjectVersion version = rows.details(from);
    if (version == null) {
      return null;
    }
    ByteString chunkOwner = WriteId.random();
    Details.Split split = Details.split(inRow(to.key(), from, version), chunkOwner);
    long chunksStamp = 0;
    if (!split.chunks().isEmpty()) {
      chunksStamp = rows.writeChunks(to.key(), chunkOwner, split.chunks());
    }

    Head pending = pending(bucket, from, to, id, split.record(), chunksStamp);
    Outcome first =
        rows.commit(to, new RowChange(pending.stamp()).put(ObjectRowLayout.HEAD, pending.cell()));
    if (first == Outcome.UNKNOWN) {
      // Step 2 is ours alone and was not taken, so this is certain: it did not happen.
      throw new StoreException(
          ErrorCode.UNAVAILABLE,
          "Cannot rename to " + ObjectRowLayout.key(to.key()) + ": HBase does not answer");
    }
    if (first == Outcome.REFUSED) {
      // By someone else, or by ourselves, if an answer was lost; then the next attempt undoes it.
      return null;
    }
    AFTER_PENDING.reach();
    noteForwarding(from, version, to.key());
    AFTER_FORWARDING.reach();
    try {
      guard.check(version);
    } catch (StoreException e) {
      recovery.rollBack(to.key(), pending, recovery.readHead(from.key()));
      throw e;
    }
    AFTER_GUARD.reach();

    long stamp = rows.stamps().above(from.stamp());
    Succession leaving = rows.succession(from, bucket.getVersioning());
    HeadRecord left = left(leaving, stamp, version);
    Head moved =
        Head.of(
            stamp,
            id,
            HeadState.MOVED,
            left.toBuilder()
                .setMoved(
                    MovedKey.newBuilder().setTargetRow(to.key()).setPendingStamp(pending.stamp()))
                .build());
    RowChange change = new RowChange(stamp).put(ObjectRowLayout.HEAD, moved.cell());
    Outbox.add(
        change,
        EventNotes.renamedAway(
            bucket, ObjectRowLayout.key(from.key()), left.hasVersion(), rows.stamps().now()),
        left.hasVersion() ? left.getVersion() : null);
    sent.mark();
    Outcome second = rows.commit(from, leaving.leave(change));
    if (second != Outcome.APPLIED) {
      SeenRow now = rows.readSettled(from.key(), List.of(ObjectRowLayout.superseded(id)));
      if (isDone(now, id)) {
        return new Renamed(done(to.key(), id), now.writtenBy(id));
      }
      if (second == Outcome.UNKNOWN) {
        throw new OutcomeUnknownException(
            "Cannot tell whether " + ObjectRowLayout.key(from.key()) + " was renamed", null);
      }
      recovery.rollBack(to.key(), pending, now.head());
      return null;
    }
    AFTER_MOVED.reach();

    // It has happened. What is left to do anybody can, so no failure of it is one of the request.
    Head live = pending;
    try {
      Head finished = recovery.finish(to.key(), pending, moved);
      live = finished == null ? pending : finished;
      AFTER_LIVE.reach();
      recovery.cleanUp(from.key(), moved);
    } catch (StoreException e) {
      live = pending;
    }
    ObjectVersion told =
        SeenRow.version(to.key(), live, pending.record().getPending().getRenamed());
    return new Renamed(
        SeenRow.withoutManifest(told.toBuilder().setMetadata(version.getMetadata()).build()),
        moved);
  }

  /** What the source's head says of its versions: a delete marker, if any are left to be hidden. */
  private HeadRecord left(Succession leaving, long stamp, ObjectVersion version) {
    HeadRecord record = leaving.leave(HeadRecord.getDefaultInstance());
    if (version.getVersioned()) {
      record = record.toBuilder().setLeftVersionId(version.getVersionId()).build();
    }
    if (record.getOlderCount() == 0) {
      return record;
    }
    return record.toBuilder()
        .setVersion(
            Deletes.marker(stamp, rows.stamps().now(), leaving, version.getMetadata().getOwner()))
        .build();
  }

  private Head pending(
      BucketInfo bucket,
      SeenRow from,
      SeenRow to,
      ByteString id,
      HeadRecord inTarget,
      long chunksStamp)
      throws StoreException {
    Succession succession = rows.succession(to, bucket.getVersioning());
    succession.requireRoom(to.key());
    succession.requireUnlocked(to.key(), rows.stamps().now());
    long stamp = rows.stamps().above(Math.max(to.stamp(), chunksStamp));
    HeadRecord.Builder renamed = succession.follow(inTarget).toBuilder();
    if (!succession.isUnversioned()) {
      renamed.getVersionBuilder().setVersionId(stamp).setVersioned(succession.makesVersion());
    }
    PendingRename.Builder rename =
        PendingRename.newBuilder()
            .setSourceRow(from.key())
            .setSourceStamp(from.head().stamp())
            .setSourceWriteId(from.head().writeId())
            .setOldHead(to.head() == null ? ByteString.EMPTY : to.head().cell())
            .setRenamed(renamed)
            .setVersioning(succession.versioning());
    EventNote event =
        EventNotes.renamedTo(bucket, ObjectRowLayout.key(to.key()), rows.stamps().now());
    if (!event.getId().isEmpty()) {
      rename.setEvent(event);
    }
    return Head.of(
        stamp, id, HeadState.PENDING, HeadRecord.newBuilder().setPending(rename).build());
  }

  /** A version as the target's row keeps it: its creator and its needles' row spelt out. */
  private static ObjectVersion inRow(ByteString target, SeenRow from, ObjectVersion version) {
    ObjectVersion.Builder there = version.toBuilder();
    if (version.getWriteId().isEmpty()) {
      there.setWriteId(from.head().writeId());
    }
    if (version.getManifest().getExtentsCount() > 0) {
      ByteString origin = origin(from, version);
      Manifest.Builder manifest = there.getManifestBuilder();
      if (origin.equals(target)) {
        manifest.clearOriginRow();
      } else {
        manifest.setOriginRow(origin);
      }
    }
    return there.build();
  }

  private static ByteString origin(SeenRow from, ObjectVersion version) {
    ByteString origin = version.getManifest().getOriginRow();
    return origin.isEmpty() ? from.key() : origin;
  }

  private void noteForwarding(SeenRow from, ObjectVersion version, ByteString target)
      throws StoreException {
    ByteString origin = origin(from, version);
    if (version.getManifest().getExtentsCount() == 0 || origin.equals(target)) {
      return;
    }
    rows.noteForwarding(origin, target);
  }

  private static boolean isDirectory(SeenRow seen) {
    return seen.head().record().getVersion().getDirectoryId() != 0;
  }

  private static boolean isDone(SeenRow source, ByteString id) throws StoreException {
    Head own = source.writtenBy(id);
    if (own == null) {
      return false;
    }
    return switch (own.state()) {
      case MOVED, ABSENT, MARKER -> true;
      case LIVE, PENDING, DELETING -> false;
    };
  }

  /** Answers as the first call did, after making sure that its target is out of PENDING. */
  private ObjectVersion done(ByteString target, ByteString id) throws StoreException {
    return Sent.track(
        sent -> {
          sent.mark(); // by that call
          SeenRow to = rows.readSettled(target, List.of(ObjectRowLayout.superseded(id)));
          Head own = to.writtenBy(id);
          return own == null || !own.isLive()
              ? ObjectVersion.newBuilder().setKey(ObjectRowLayout.key(target)).build()
              : SeenRow.withoutManifest(rows.detailed(target, own));
        });
  }
}
