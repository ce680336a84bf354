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

import io.stowage.common.error.CorruptDataException;
import io.stowage.common.error.ErrorCode;
import io.stowage.common.error.OutcomeUnknownException;
import io.stowage.common.error.StoreException;
import io.stowage.common.id.WriteId;
import io.stowage.common.proto.Snapshot;
import io.stowage.common.proto.SnapshotRecord;
import io.stowage.common.proto.SnapshotsRecord;
import io.stowage.om.row.RowCommitter;
import io.stowage.om.row.RowCommitter.Outcome;
import io.stowage.om.row.Stamps;
import io.stowage.om.table.Cell;
import io.stowage.om.table.Check;
import io.stowage.om.table.Head;
import io.stowage.om.table.ObjectRowLayout;
import io.stowage.om.table.RowChange;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.function.UnaryOperator;
import org.apache.hadoop.thirdparty.protobuf.ByteString;
import org.apache.hadoop.thirdparty.protobuf.InvalidProtocolBufferException;

/**
 * Snapshots of buckets: a name and a stamp, in the row of the bucket's id and no key. Thread-safe.
 * docs/adr/0017 has the interleavings.
 *
 * <p><b>Nothing is kept when a snapshot is made, and nobody who changes a row has to know of
 * it.</b> A head that is replaced goes to {@code g:d} anyway, and what a snapshot still sees is
 * simply not collected from there: only those who destroy have to look, and they do so long after
 * the snapshot was written down. A snapshot of stamp s sees a head in its row if
 *
 * <pre>
 * arrived <= s < superseded
 * </pre>
 *
 * where {@link Head#arrived} is its version id, or the commit point of the rename that brought it,
 * and superseded is the stamp of its {@code g:d} cell.
 *
 * <p><b>The moment.</b> s lies one clock bound ahead of its author's clock, and he answers when
 * every clock is past it. So whatever was acknowledged before the call has a stamp up to s,
 * whatever begins after it one above s, and what was under way is in it or not.
 *
 * <p><b>Who judges needles dead</b> sees of two things one: the row of snapshots, read after the
 * cells, has s, or it was read before s was written, and then s, which is ahead of all clocks when
 * it is written, is above every stamp seen. For that the row has to be written within {@link
 * #MOST_WRITING} of choosing s; else s is chosen anew.
 *
 * <p><b>Only who wrote it knows whether he was in time.</b> So he says it in the record, by a
 * second mutation, before he waits and answers. Who finds a record of his request goes by that
 * word, or chooses s anew: nobody was answered then, and its author, should he live, says his word
 * by comparing a record that is not there any more. Once the word is said, s stays, however late
 * the request comes again. Until then the snapshot is one to those who destroy, and to who takes
 * its name or gives it up, but nobody looks into it: what it shows may become another moment's.
 */
public final class Snapshots {
  private static final int FORMAT = 1;

  /** Of one bucket: its row is read by whoever reads by one. */
  private static final int MOST_SNAPSHOTS = 1_000;

  private static final int MOST_NAME_BYTES = 255;
  private static final int MOST_ATTEMPTS = 1_000;
  private static final Duration MOST_WRITING = Duration.ofSeconds(1);
  private static final Duration FORGOTTEN = Duration.ofHours(1);

  private final RowCommitter rows;
  private final Stamps stamps;
  private final Duration clockBound;

  public Snapshots(ObjectRows rows, Duration clockBound) {
    this.rows = rows.committer();
    this.stamps = rows.stamps();
    this.clockBound = clockBound;
  }

  /** What a bucket's snapshots see. Immutable. */
  public record Seen(List<Long> stamps) {
    static final Seen NOTHING = new Seen(List.of());

    /** Whether there is none. */
    public boolean isEmpty() {
      return stamps.isEmpty();
    }

    /** Whether one of them sees a head that was in its row for this time. */
    boolean sees(long arrived, long superseded) {
      for (long stamp : stamps) {
        if (arrived <= stamp && stamp < superseded) {
          return true;
        }
      }
      return false;
    }

    /** Whether a cell of {@code g} is a head that one of them sees, and sees nowhere else. */
    public boolean holds(Cell garbage) throws StoreException {
      if (stamps.isEmpty() || !ObjectRowLayout.isOfPast(garbage)) {
        return false;
      }
      Head head = ObjectRowLayout.supersededHead(garbage.value());
      return head.isVersion() && sees(head.arrived(), ObjectRowLayout.supersededAt(garbage));
    }
  }

  private static ByteString row(long bucketId) {
    return ObjectRowLayout.row(bucketId, "");
  }

  private Cell cell(long bucketId) throws StoreException {
    return rows.get(row(bucketId), List.of(ObjectRowLayout.SNAPSHOTS))
        .cell(ObjectRowLayout.SNAPSHOTS);
  }

  private static SnapshotsRecord parse(Cell cell) throws StoreException {
    if (cell == null) {
      return SnapshotsRecord.getDefaultInstance();
    }
    try {
      SnapshotsRecord record = SnapshotsRecord.parseFrom(cell.value());
      if (record.getFormat() > FORMAT) {
        throw new StoreException(
            ErrorCode.FORMAT_TOO_NEW,
            "Cannot read snapshots of format " + record.getFormat() + ": this version knows 1");
      }
      return record;
    } catch (InvalidProtocolBufferException e) {
      throw new CorruptDataException("Cannot read the snapshots of a bucket: " + e.getMessage());
    }
  }

  /** What the snapshots of a bucket see that are written down now. */
  public Seen seen(long bucketId) throws StoreException {
    SnapshotsRecord record = parse(cell(bucketId));
    if (record.getSnapshotsCount() == 0) {
      return Seen.NOTHING;
    }
    return new Seen(record.getSnapshotsList().stream().map(SnapshotRecord::getStamp).toList());
  }

  /** Whether a bucket has a snapshot, for those who destroy. */
  public boolean hasAny(long bucketId) throws StoreException {
    return !seen(bucketId).isEmpty();
  }

  /**
   * Whether a bucket has a snapshot that somebody may have been told of, or will be. The author of
   * one that is forgotten, should he live, is told that the bucket is gone, if it is.
   */
  public boolean keepsBucket(long bucketId) throws StoreException {
    return parse(cell(bucketId)).getSnapshotsList().stream().anyMatch(one -> !isForgotten(one));
  }

  /** The moment of a snapshot. */
  public long stampOf(long bucketId, String name) throws StoreException {
    return requireMade(parse(cell(bucketId)), name).getStamp();
  }

  /** Those whose moment stays as it is. */
  public List<Snapshot> list(long bucketId) throws StoreException {
    List<Snapshot> all = new ArrayList<>();
    for (SnapshotRecord snapshot : parse(cell(bucketId)).getSnapshotsList()) {
      if (snapshot.getInTime()) {
        all.add(told(snapshot));
      }
    }
    return all;
  }

  /** Makes a snapshot; idempotent by the write id. */
  public Snapshot create(long bucketId, String name, ByteString writeId) throws StoreException {
    requireName(name);
    Puts.requireWriteId(writeId);
    SnapshotRecord ours = null; // if it is there, it was written in time
    for (int attempt = 0; attempt < MOST_ATTEMPTS; attempt++) {
      Cell seen = cell(bucketId);
      SnapshotsRecord record = parse(seen);
      SnapshotRecord there = find(record, name);
      if (there != null && !there.getWriteId().equals(writeId)) {
        throw new StoreException(
            ErrorCode.KEY_EXISTS, "Cannot make snapshot " + name + ": there is one");
      }
      if (there != null && there.getInTime()) {
        awaitAllClocksPast(there.getStamp());
        return told(there);
      }
      SnapshotsRecord.Builder next = SnapshotsRecord.newBuilder();
      Outcome outcome;
      if (there != null && there.equals(ours)) {
        for (SnapshotRecord one : record.getSnapshotsList()) {
          next.addSnapshots(one.equals(ours) ? one.toBuilder().setInTime(true).build() : one);
        }
        outcome = write(bucketId, seen, next);
      } else {
        record.getSnapshotsList().stream()
            .filter(one -> !one.getName().equals(name) && !isForgotten(one))
            .forEach(next::addSnapshots);
        if (next.getSnapshotsCount() >= MOST_SNAPSHOTS) {
          throw new StoreException(
              ErrorCode.TOO_LARGE,
              "Cannot make snapshot " + name + ": the bucket has " + MOST_SNAPSHOTS);
        }
        long begin = rows.nanos();
        long ahead = micros(clockBound.plus(MOST_WRITING));
        long last = record.getSnapshotsCount() == 0 ? 0 : newest(record);
        SnapshotRecord made =
            SnapshotRecord.newBuilder()
                .setName(name)
                .setStamp(Math.max(stamps.now() + ahead, last + 1))
                .setWriteId(writeId)
                .build();
        outcome = write(bucketId, seen, next.addSnapshots(made));
        ours = rows.nanos() - begin > MOST_WRITING.toNanos() ? null : made;
      }
      if (outcome != Outcome.APPLIED) {
        rows.pause().backOff(attempt);
      }
    }
    throw contended();
  }

  /**
   * Whether its moment was never decided and its author is gone: it is in no listing, so nobody
   * would delete it. If he lives, he begins anew.
   */
  private boolean isForgotten(SnapshotRecord one) {
    return !one.getInTime() && one.getStamp() < stamps.now() - micros(FORGOTTEN);
  }

  private static long newest(SnapshotsRecord record) {
    return record.getSnapshots(record.getSnapshotsCount() - 1).getStamp();
  }

  private static Snapshot told(SnapshotRecord made) {
    return Snapshot.newBuilder().setName(made.getName()).setStamp(made.getStamp()).build();
  }

  private void awaitAllClocksPast(long stamp) throws StoreException {
    long left = stamp + micros(clockBound) - stamps.now();
    if (left >= 0) {
      rows.pause().during(Duration.ofNanos(1_000 * (left + 1)));
    }
  }

  public void rename(long bucketId, String name, String newName) throws StoreException {
    requireName(newName);
    change(
        bucketId,
        name,
        record -> {
          SnapshotsRecord.Builder next = SnapshotsRecord.newBuilder();
          for (SnapshotRecord one : record.getSnapshotsList()) {
            next.addSnapshots(
                one.getName().equals(name) ? one.toBuilder().setName(newName).build() : one);
          }
          return next.build();
        },
        newName);
  }

  public void delete(long bucketId, String name) throws StoreException {
    change(
        bucketId,
        name,
        record -> {
          SnapshotsRecord.Builder next = SnapshotsRecord.newBuilder();
          record.getSnapshotsList().stream()
              .filter(one -> !one.getName().equals(name))
              .forEach(next::addSnapshots);
          return next.build();
        },
        null);
  }

  private void change(
      long bucketId, String name, UnaryOperator<SnapshotsRecord> change, String newName)
      throws StoreException {
    for (int attempt = 0; attempt < MOST_ATTEMPTS; attempt++) {
      Cell seen = cell(bucketId);
      SnapshotsRecord record = parse(seen);
      if (newName != null) {
        requireMade(record, name);
        if (find(record, newName) != null) {
          throw new StoreException(
              ErrorCode.KEY_EXISTS,
              "Cannot rename snapshot " + name + " to " + newName + ": there is one");
        }
      } else if (find(record, name) == null) {
        throw noSuchSnapshot(name);
      }
      Outcome outcome = write(bucketId, seen, change.apply(record).toBuilder());
      if (outcome == Outcome.APPLIED) {
        return;
      }
      if (outcome == Outcome.UNKNOWN) {
        throw new OutcomeUnknownException(
            "Cannot tell whether snapshot " + name + " was changed", null);
      }
      rows.pause().backOff(attempt);
    }
    throw contended();
  }

  private Outcome write(long bucketId, Cell seen, SnapshotsRecord.Builder next)
      throws StoreException {
    return rows.commit(
        row(bucketId),
        Check.of(ObjectRowLayout.SNAPSHOTS, seen == null ? null : seen.value()),
        new RowChange(stamps.above(seen == null ? 0 : seen.stamp()))
            .put(
                ObjectRowLayout.SNAPSHOTS,
                next.setFormat(FORMAT).setNonce(WriteId.random()).build().toByteString()));
  }

  private static SnapshotRecord find(SnapshotsRecord record, String name) {
    for (SnapshotRecord one : record.getSnapshotsList()) {
      if (one.getName().equals(name)) {
        return one;
      }
    }
    return null;
  }

  private static SnapshotRecord requireMade(SnapshotsRecord record, String name)
      throws StoreException {
    SnapshotRecord found = find(record, name);
    if (found == null || !found.getInTime()) {
      throw noSuchSnapshot(name);
    }
    return found;
  }

  private static void requireName(String name) throws StoreException {
    boolean bad =
        name.isEmpty()
            || name.equals(".")
            || name.equals("..")
            || name.indexOf('/') >= 0
            || !StandardCharsets.UTF_8.newEncoder().canEncode(name)
            || name.getBytes(StandardCharsets.UTF_8).length > MOST_NAME_BYTES;
    if (bad) {
      throw new StoreException(
          ErrorCode.INVALID_ARGUMENT,
          "Cannot name a snapshot so: a name has 1 to 255 bytes and no slash");
    }
  }

  private static StoreException noSuchSnapshot(String name) {
    return new StoreException(ErrorCode.NO_SUCH_KEY, "Cannot find snapshot " + name);
  }

  private static StoreException contended() {
    return new StoreException(
        ErrorCode.CONFLICT, "Cannot get a turn at the snapshots of a bucket: others change them");
  }

  private static long micros(Duration duration) {
    return duration.toNanos() / 1_000;
  }
}
