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
import io.stowage.common.om.BucketEncryption;
import io.stowage.common.proto.BucketInfo;
import io.stowage.common.proto.Extent;
import io.stowage.common.proto.FileLease;
import io.stowage.common.proto.HeadRecord;
import io.stowage.common.proto.Manifest;
import io.stowage.common.proto.ObjectVersion;
import io.stowage.common.proto.OpenFileReply;
import io.stowage.common.proto.OpenFileRequest;
import io.stowage.common.proto.RecordNeedle;
import io.stowage.common.proto.RecoverFileReply;
import io.stowage.common.proto.RecoverFileRequest;
import io.stowage.common.proto.SyncFileReply;
import io.stowage.common.proto.SyncFileRequest;
import io.stowage.common.proto.TailRecord;
import io.stowage.common.proto.Versioning;
import io.stowage.om.row.CommitFence;
import io.stowage.om.row.RowCommitter.Outcome;
import io.stowage.om.row.Sent;
import io.stowage.om.table.Check;
import io.stowage.om.table.Column;
import io.stowage.om.table.Head;
import io.stowage.om.table.ObjectRowLayout;
import io.stowage.om.table.RowChange;
import io.stowage.om.table.TailExtents;
import java.util.List;
import java.util.function.UnaryOperator;
import org.apache.hadoop.thirdparty.protobuf.ByteString;

/**
 * What writers do with files that they keep open: append, sync, close; and what others do about
 * them: recover. {@link OpenFiles} says what the rows hold and why it is safe. Thread-safe.
 *
 * <p>An hsync is one compare-and-set of one cell, and no read: the writer gives back the cell that
 * its last call wrote. An answer that was lost is made up for by calling again: the length tells
 * whether the first call counted. Extents are subject to the commit fence, as a put's are.
 */
public final class FileLeases {
  static final CrashPoint AFTER_SYNC = CrashPoint.named("om.file.after-sync");

  /** Longer leases keep others waiting for a writer that is dead. */
  private static final long MOST_LEASE_MICROS = 3_600_000_000L;

  /**
   * A record is one needle in one cell, which repack reads at once; this is 2 MB, and 300 GB of
   * whole pieces under rs-3-2. Of a file of more pieces the record before counts.
   */
  static final int MOST_RECORDED_PIECES = 100_000;

  /** Up to so many pieces each fold is told. */
  private static final int FEW_PIECES = 4_000;

  /** Then one each time so many bytes are full: a record names all pieces before it. */
  private static final long TOLD_BYTES = 4L << 30;

  private final ObjectRows rows;
  private final OpenFiles files;
  private final Snapshots snapshots;
  private final CommitFence fence;

  public FileLeases(ObjectRows rows, CommitFence fence, Snapshots snapshots) {
    this.rows = rows;
    this.snapshots = snapshots;
    this.files = rows.openFiles();
    this.fence = fence;
  }

  private long until(long leaseMicros) throws StoreException {
    if (leaseMicros > MOST_LEASE_MICROS) {
      throw new StoreException(
          ErrorCode.INVALID_ARGUMENT,
          "Cannot lease a file for " + leaseMicros / 1_000_000 + " s: at most an hour");
    }
    return rows.stamps().now() + leaseMicros;
  }

  private static FileLease lease(long stamp, TailRecord tail) {
    return FileLease.newBuilder()
        .setEpoch(tail.getEpoch())
        .setUntilMicros(tail.getUntilSeconds() * 1_000_000)
        .setCursor(Tail.cursor(stamp, tail))
        .build();
  }

  // A put that leaves its version open.

  /** The part of a put that makes its version an open file. */
  Opening opening(ByteString holder, long leaseMicros, long length) throws StoreException {
    return new Opening(holder, rows.stamps().now(), until(leaseMicros), length);
  }

  /** Writes the lease in the mutation that writes the head. */
  record Opening(ByteString holder, long epoch, long untilMicros, long length)
      implements Puts.Attempt {
    UnaryOperator<HeadRecord> head() {
      return record -> record.toBuilder().setOpenEpoch(epoch).setOpenHolder(holder).build();
    }

    @Override
    public List<Column> columns() {
      return List.of();
    }

    @Override
    public long above() {
      return 0;
    }

    @Override
    public void amend(SeenRow seen, RowChange change) {
      change.put(ObjectRowLayout.LEASE, Tail.opened(epoch, untilMicros, length).toByteString());
    }
  }

  /** The lease of a file that a put of this holder opened; null if it was closed since. */
  FileLease leaseOf(ByteString row, ByteString holder) throws StoreException {
    SeenRow seen = rows.readLeavingOpen(row, List.of(ObjectRowLayout.LEASE));
    if (!seen.isOpen() || !seen.head().record().getOpenHolder().equals(holder)) {
      return null;
    }
    Tail tail = OpenFiles.tailOf(seen);
    return lease(tail.stamp(), tail.record());
  }

  // Append.

  /** Opens a file for appending. */
  public OpenFileReply open(BucketInfo bucket, OpenFileRequest request) throws StoreException {
    return Sent.track(sent -> open(bucket, request, sent));
  }

  private OpenFileReply open(BucketInfo bucket, OpenFileRequest request, Sent sent)
      throws StoreException {
    ByteString row = ObjectRows.row(bucket.getId(), request.getKey());
    Puts.requireWriteId(request.getHolder());
    for (int attempt = 0; attempt < ObjectRows.MOST_ATTEMPTS; attempt++) {
      SeenRow seen = rows.readLeavingOpen(row, List.of(ObjectRowLayout.LEASE));
      if (!seen.isLive()) {
        throw new StoreException(
            ErrorCode.NO_SUCH_KEY, "Cannot append to " + request.getKey() + ": it is not there");
      }
      if (seen.isOpen()) {
        Tail tail = OpenFiles.tailOf(seen);
        if (seen.head().record().getOpenHolder().equals(request.getHolder())) {
          ObjectVersion version = rows.details(seen);
          if (version == null) {
            continue;
          }
          requireUnseen(bucket, row, seen.head(), tail.epoch(), true);
          return opened(seen, seen.head(), version, lease(tail.stamp(), tail.record()));
        }
        requireLapsed(request.getKey(), tail);
        files.close(row);
        continue;
      }
      ObjectVersion version = rows.details(seen);
      if (version == null) {
        continue;
      }
      requireAppendable(bucket, request.getKey(), version);
      requireUnseen(bucket, row, seen.head(), Long.MAX_VALUE, false);
      long stamp = rows.stamps().above(seen.stamp());
      TailRecord tail = Tail.opened(stamp, until(request.getLeaseMicros()), version.getLength());
      Head head =
          seen.head()
              .with(
                  stamp,
                  seen.head().record().toBuilder()
                      .setOpenEpoch(stamp)
                      .setOpenHolder(request.getHolder())
                      .setOpenGeneration(0)
                      .build());
      RowChange change =
          new RowChange(stamp)
              .put(ObjectRowLayout.HEAD, head.cell())
              .put(ObjectRowLayout.LEASE, tail.toByteString());
      sent.mark();
      switch (rows.commit(seen, change)) {
        case APPLIED -> {
          requireUnseen(bucket, row, head, Long.MAX_VALUE, true);
          return opened(seen, head, version, lease(stamp, tail));
        }
        case REFUSED -> rows.committer().pause().backOff(attempt);
        case UNKNOWN ->
            throw new OutcomeUnknownException(
                "Cannot tell whether " + request.getKey() + " was opened", null);
      }
    }
    throw ObjectRows.contended(row);
  }

  private OpenFileReply opened(SeenRow seen, Head head, ObjectVersion version, FileLease lease) {
    ByteString origin = version.getManifest().getOriginRow();
    // Needles that are added name the row that the others name: after a rename, what moved names
    // one row alone, and that row lists those that may hold it.
    ByteString needles = origin.isEmpty() ? seen.key() : origin;
    return OpenFileReply.newBuilder()
        .setLease(lease)
        .setVersion(SeenRow.named(seen.key(), head, version))
        .setNeedleRowKey(needles.substring(ObjectRowLayout.BUCKET_ID_BYTES))
        .build();
  }

  private void requireLapsed(String key, Tail tail) throws StoreException {
    long left = tail.untilMicros() - rows.stamps().now();
    if (left > 0) {
      throw new StoreException(
          ErrorCode.CONFLICT,
          "Cannot append to "
              + key
              + ": it is being written, and its lease runs "
              + left / 1_000
              + " ms more");
    }
  }

  /**
   * That no snapshot of a stamp below this shows the head, which an append would change in place.
   *
   * @param isOpen by us: if one does, the file is closed again
   */
  private void requireUnseen(
      BucketInfo bucket, ByteString row, Head head, long below, boolean isOpen)
      throws StoreException {
    if (!snapshots.seen(bucket.getId()).sees(head.arrived(), below)) {
      return;
    }
    if (isOpen) {
      files.close(row);
    }
    throw new StoreException(
        ErrorCode.INVALID_ARGUMENT,
        "Cannot append to " + ObjectRowLayout.key(row) + ": a snapshot shows it");
  }

  private static void requireAppendable(BucketInfo bucket, String key, ObjectVersion version)
      throws StoreException {
    BucketEncryption.requireGrowable(bucket, "append to " + key, version.getMetadata());
    String why = null;
    if (bucket.getVersioning() != Versioning.UNVERSIONED || version.getVersioned()) {
      why = "versions of a bucket with versioning do not change";
    } else if (version.getMetadata().hasLock()) {
      why = "it is locked";
    }
    if (why != null) {
      throw new StoreException(ErrorCode.INVALID_ARGUMENT, "Cannot append to " + key + ": " + why);
    }
  }

  // Sync and close.

  /** Adds to an open file, or closes it. */
  public SyncFileReply sync(BucketInfo bucket, SyncFileRequest request) throws StoreException {
    return Sent.track(sent -> sync(bucket, request, sent));
  }

  private SyncFileReply sync(BucketInfo bucket, SyncFileRequest request, Sent sent)
      throws StoreException {
    ByteString row = ObjectRows.row(bucket.getId(), request.getKey());
    List<Extent> piece = piece(request);
    fence.checkGrants(Manifest.newBuilder().addAllExtents(piece).build(), request.getGrantsList());
    long from = from(request);
    long to = to(request, piece);
    if (from > request.getLength() || to < request.getLength()) {
      throw new StoreException(
          ErrorCode.INVALID_ARGUMENT,
          "Cannot sync bytes "
              + from
              + " to "
              + to
              + " of a file of which "
              + request.getLength()
              + " were synced");
    }
    boolean grows = from == request.getLength() && piece.size() <= 1 && !request.getClose();
    if (!grows && !piece.isEmpty() && request.getPieceWriteId().size() != WriteId.BYTES) {
      throw new StoreException(
          ErrorCode.INVALID_ARGUMENT, "Cannot sync a piece without the write id of its needles");
    }
    Tail tail = grows ? Tail.ofCursor(request.getCursor()) : null;
    for (int attempt = 0; attempt < ObjectRows.MOST_ATTEMPTS; attempt++) {
      SeenRow seen = null;
      if (tail == null) {
        seen = rows.readLeavingOpen(row, List.of(ObjectRowLayout.LEASE));
        SyncFileReply before = doneBefore(bucket, seen, request, piece, to);
        if (before != null) {
          return before;
        }
        requireOurs(request, seen);
        tail = OpenFiles.tailOf(seen);
      }
      if (tail.epoch() != request.getEpoch() || tail.length() != request.getLength()) {
        throw lost(request, "it has " + tail.length() + " synced bytes in epoch " + tail.epoch());
      }
      fence.before(request.getGrantsList());
      long until =
          request.getLeaseMicros() == 0 ? tail.untilMicros() : until(request.getLeaseMicros());
      OpenFiles.Fold fold = null;
      RowChange change;
      TailRecord next;
      if (grows && !tail.isFull()) {
        change = new RowChange(rows.stamps().above(tail.stamp()));
        TailRecord.Builder longer =
            piece.isEmpty() ? tail.record().toBuilder() : tail.plus(piece.get(0), change);
        next =
            longer.setUntilSeconds(Math.max(Tail.seconds(until), longer.getUntilSeconds())).build();
        change.put(ObjectRowLayout.LEASE, next.toByteString());
      } else {
        ObjectVersion joined = seen == null ? null : rows.details(seen);
        if (joined == null) {
          tail = null; // look at the head, or again
          continue;
        }
        ByteString pieceId =
            request.getPieceWriteId().isEmpty()
                ? WriteId.ofPiece(seen.head().record().getOpenHolder(), from, false)
                : request.getPieceWriteId();
        fold = files.fold(seen, tail, joined, from, piece, pieceId, request.getClose() ? 0 : until);
        change = fold.change();
        next = fold.tail();
      }
      sent.mark();
      Outcome outcome =
          rows.committer().commit(row, Check.of(ObjectRowLayout.LEASE, tail.cell()), change);
      switch (outcome) {
        case APPLIED -> {
          AFTER_SYNC.reach();
          if (fold != null) {
            rows.count(row, seen.head(), change);
          }
          fence.after(request.getGrantsList());
          long before = seen == null ? 0 : seen.head().record().getVersion().getLength();
          return reply(bucket, row, change.stamp(), next, fold, before);
        }
        case REFUSED -> {
          if (seen != null) {
            rows.committer().pause().backOff(attempt);
          }
        }
        case UNKNOWN ->
            throw new OutcomeUnknownException(
                "Cannot tell whether " + request.getKey() + " was synced up to byte " + to, null);
      }
      tail = null;
    }
    throw ObjectRows.contended(row);
  }

  private SyncFileReply reply(
      BucketInfo bucket,
      ByteString row,
      long stamp,
      TailRecord next,
      OpenFiles.Fold fold,
      long before) {
    SyncFileReply.Builder reply = SyncFileReply.newBuilder();
    if (next != null) {
      reply.setLease(lease(stamp, next));
    }
    if (fold != null) {
      ObjectVersion version = SeenRow.named(row, fold.head(), fold.version());
      RecordNeedle record = record(bucket, version);
      if (record != null && (next == null || isTold(version, before))) {
        reply.addRecords(record);
      }
      if (next == null) {
        reply.setVersion(SeenRow.withoutManifest(version));
      }
    }
    return reply.build();
  }

  /**
   * Whether a file that goes on is told now.
   *
   * @param before its length at the fold before
   */
  static boolean isTold(ObjectVersion version, long before) {
    return version.getPartLengthsCount() <= FEW_PIECES
        || version.getLength() / TOLD_BYTES != before / TOLD_BYTES;
  }

  /** What a rebuild is to know of a file; null if it cannot be said. */
  static RecordNeedle record(BucketInfo bucket, ObjectVersion version) {
    ByteString ids = version.getPartWriteIds();
    boolean known =
        version.getPartLengthsCount() > 0
            && version.getPartLengthsCount() <= MOST_RECORDED_PIECES
            && ids.size() == WriteId.BYTES * version.getPartLengthsCount();
    return known ? RecordNeedles.completed(bucket, version.getWriteId(), version, ids) : null;
  }

  private void requireOurs(SyncFileRequest request, SeenRow seen) throws StoreException {
    if (!seen.isOpen()) {
      throw lost(request, seen.isLive() ? "it was closed by somebody else" : "it is gone");
    }
    if (seen.head().record().getOpenEpoch() != request.getEpoch()) {
      throw lost(request, "another writer has opened it");
    }
  }

  private static StoreException lost(SyncFileRequest request, String why) {
    return new StoreException(
        ErrorCode.LEASE_LOST,
        "Cannot go on writing "
            + request.getKey()
            + " in epoch "
            + request.getEpoch()
            + ": "
            + why);
  }

  private static List<Extent> piece(SyncFileRequest request) {
    return request.getExtentsList().stream().map(TailExtents::normal).toList();
  }

  private static long from(SyncFileRequest request) {
    return request.getExtentsCount() == 0 ? request.getLength() : request.getFrom();
  }

  /** How long the file is then. */
  private static long to(SyncFileRequest request, List<Extent> piece) {
    return from(request) + piece.stream().mapToLong(OpenFiles::payload).sum();
  }

  /** The answer to a call whose first answer was lost; null if it did not count. */
  public SyncFileReply doneBefore(BucketInfo bucket, SyncFileRequest request)
      throws StoreException {
    List<Extent> piece = piece(request);
    SeenRow seen =
        rows.readLeavingOpen(
            ObjectRows.row(bucket.getId(), request.getKey()), List.of(ObjectRowLayout.LEASE));
    return doneBefore(bucket, seen, request, piece, to(request, piece));
  }

  private SyncFileReply doneBefore(
      BucketInfo bucket, SeenRow seen, SyncFileRequest request, List<Extent> piece, long to)
      throws StoreException {
    if (!seen.isLive()) {
      return null;
    }
    HeadRecord record = seen.head().record();
    boolean closed =
        !seen.isOpen()
            && request.getEpoch() != 0 // which all have that were never open
            && record.getClosedEpoch() == request.getEpoch()
            && record.getVersion().getLength() == to;
    if (closed && request.getClose()) {
      ObjectVersion version = rows.details(seen);
      if (version == null) {
        return null;
      }
      fence.after(request.getGrantsList());
      version = SeenRow.named(seen.key(), seen.head(), version);
      SyncFileReply.Builder reply =
          SyncFileReply.newBuilder().setVersion(SeenRow.withoutManifest(version));
      RecordNeedle told = record(bucket, version);
      return told == null ? reply.build() : reply.addRecords(told).build();
    }
    boolean ours = seen.isOpen() && record.getOpenEpoch() == request.getEpoch();
    if (!ours || request.getClose() || piece.isEmpty()) {
      return null;
    }
    Tail tail = OpenFiles.tailOf(seen);
    if (tail.length() != to) {
      return null;
    }
    ObjectVersion joined = rows.details(seen);
    if (joined == null) {
      return null;
    }
    List<Extent> all = joined.getManifest().getExtentsList();
    boolean endsSo =
        all.size() >= piece.size()
            && all.subList(all.size() - piece.size(), all.size()).equals(piece);
    if (!endsSo) {
      return null;
    }
    fence.after(request.getGrantsList());
    return SyncFileReply.newBuilder().setLease(lease(tail.stamp(), tail.record())).build();
  }

  // Recovery.

  /**
   * Closes a file whose writer seems to be dead: who gave no sign of life since this stamp. If he
   * lives, he finds his lease lost at the next call, as a writer does whose file was recovered.
   *
   * @return whether it was closed
   */
  public boolean closeAbandoned(ByteString row, long since) throws StoreException {
    return files.close(row, since) != null;
  }

  /** Takes a file from its writer, if it has one. */
  public RecoverFileReply recover(BucketInfo bucket, RecoverFileRequest request)
      throws StoreException {
    ByteString row = ObjectRows.row(bucket.getId(), request.getKey());
    for (int attempt = 0; attempt < ObjectRows.MOST_ATTEMPTS; attempt++) {
      SeenRow seen = rows.readSettled(row, List.of());
      if (!seen.isLive()) {
        throw new StoreException(
            ErrorCode.NO_SUCH_KEY, "Cannot recover " + request.getKey() + ": it is not there");
      }
      ObjectVersion version = rows.details(seen);
      if (version == null) {
        continue;
      }
      version = SeenRow.named(row, seen.head(), version);
      RecoverFileReply.Builder reply =
          RecoverFileReply.newBuilder().setVersion(SeenRow.withoutManifest(version));
      RecordNeedle record =
          seen.head().record().getClosedEpoch() == 0 ? null : record(bucket, version);
      return record == null ? reply.build() : reply.addRecords(record).build();
    }
    throw ObjectRows.contended(row);
  }
}
