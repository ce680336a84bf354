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
import io.stowage.common.expiry.Retention;
import io.stowage.common.id.WriteId;
import io.stowage.common.proto.BucketInfo;
import io.stowage.common.proto.Condition;
import io.stowage.common.proto.EventNote;
import io.stowage.common.proto.FileLease;
import io.stowage.common.proto.HeadRecord;
import io.stowage.common.proto.LeaseGrant;
import io.stowage.common.proto.Manifest;
import io.stowage.common.proto.ObjectVersion;
import io.stowage.common.proto.PutObjectReply;
import io.stowage.common.proto.PutObjectRequest;
import io.stowage.common.proto.RecordNeedle;
import io.stowage.common.proto.Versioning;
import io.stowage.om.row.CommitFence;
import io.stowage.om.row.RowCommitter.Outcome;
import io.stowage.om.row.Sent;
import io.stowage.om.table.Column;
import io.stowage.om.table.Details;
import io.stowage.om.table.Head;
import io.stowage.om.table.HeadState;
import io.stowage.om.table.ObjectRowLayout;
import io.stowage.om.table.RowChange;
import java.util.ArrayList;
import java.util.List;
import java.util.function.UnaryOperator;
import org.apache.hadoop.thirdparty.protobuf.ByteString;

/**
 * Commits versions. A put to a key that was never written is one conditional mutation and no read.
 * Thread-safe.
 */
public final class Puts {
  private final ObjectRows rows;
  private final CommitFence fence;
  private final FileLeases leases;

  public Puts(ObjectRows rows, CommitFence fence, Snapshots snapshots) {
    this.rows = rows;
    this.fence = fence;
    this.leases = new FileLeases(rows, fence, snapshots);
  }

  /**
   * What is committed to a row's head.
   *
   * @param versioning of the bucket
   * @param version without stamp, version id and time of modification, which the commit gives it
   * @param grants leases of its containers that are judged by their age; empty where the bytes are
   *     named by something else already
   * @param record completes the record of the head
   * @param alsoChange what else the mutation changes; runs once for each attempt
   * @param event who is to be told of it
   */
  public record Commit(
      ByteString row,
      Versioning versioning,
      ByteString writeId,
      ObjectVersion version,
      Condition condition,
      List<LeaseGrant> grants,
      UnaryOperator<HeadRecord> record,
      Attempt alsoChange,
      EventNote event) {}

  /** Part of a commit that its caller contributes. */
  public interface Attempt {
    /** Columns that {@link #amend} wants to see, read in one with the head. */
    List<Column> columns();

    /** A stamp above which the mutation's has to be, so that its deletions reach what they name. */
    long above();

    /** Adds to the mutation that replaces the head seen; throws to give up. */
    void amend(SeenRow seen, RowChange change) throws StoreException;
  }

  /**
   * A version committed, and the stamp of the head that it replaced: 0 if there was none, the
   * highest of all if that is not known any more.
   *
   * @param lost versions that the mutation let go, as far as this call sent it
   * @param asBrought whether it holds the manifest that this call brought. One that was found under
   *     the write id may not: an earlier call made it of other parts, or it was repacked since
   */
  public record Committed(ObjectVersion version, long above, List<Head> lost, boolean asBrought) {}

  /** A put that was made, and what it let go. */
  public record Put(PutObjectReply reply, List<Head> lost) {}

  /** Whether a manifest can be that of so many bytes; encrypted ones are a little more. */
  public static boolean holds(Manifest manifest, long length, boolean encrypted) {
    long stored = manifest.getLength();
    return encrypted ? stored >= length && (stored == 0) == (length == 0) : stored == length;
  }

  public Put put(BucketInfo bucket, PutObjectRequest request) throws StoreException {
    ByteString row = ObjectRows.row(bucket.getId(), request.getKey());
    requireWriteId(request.getWriteId());
    Manifest manifest = request.getManifest();
    if (!holds(manifest, request.getLength(), request.getMetadata().hasEncryption())) {
      throw new StoreException(
          ErrorCode.INVALID_ARGUMENT,
          "Cannot put "
              + request.getLength()
              + " bytes under a manifest of "
              + manifest.getLength());
    }
    if (request.getUnhashed()) {
      requireMark(request);
    }
    fence.checkGrants(manifest, request.getGrantsList());
    ObjectVersion version =
        ObjectVersion.newBuilder()
            .setLength(request.getLength())
            .setMd5(request.getMd5())
            .addAllChecksums(request.getChecksumsList())
            .setMetadata(Retention.withDefault(bucket, request.getMetadata(), rows.stamps().now()))
            .setManifest(manifest)
            .build();
    if (request.getUnhashed()) {
      version = ofOnePart(version, request.getWriteId());
    }
    if (request.getLeaseMicros() != 0) {
      return putOpen(bucket, row, request, version);
    }
    Committed committed =
        commit(
            new Commit(
                row,
                bucket.getVersioning(),
                request.getWriteId(),
                version,
                request.getCondition(),
                request.getGrantsList(),
                UnaryOperator.identity(),
                null,
                EventNotes.created(
                    bucket, request.getEvent(), "Put", request.getKey(), rows.stamps().now())));
    PutObjectReply.Builder reply = PutObjectReply.newBuilder().setVersion(committed.version());
    ByteString origin = manifest.getOriginRow();
    if (!origin.isEmpty()) {
      reply
          .setWantsRecord(true)
          .addRecords(
              RecordNeedles.putElsewhere(
                  bucket, request.getWriteId(), ObjectRowLayout.key(origin), committed.version()));
    } else if (!RecordNeedles.headersTell(
        request, bucket.getVersioning(), committed.above(), committed.version())) {
      reply
          .setWantsRecord(true)
          .addRecords(RecordNeedles.committed(bucket, request.getWriteId(), committed.version()));
    }
    return new Put(reply.build(), committed.lost());
  }

  /**
   * Whether a request put a version into a row, be it superseded since, as long as it is not
   * collected.
   */
  public boolean isDone(ByteString row, ByteString writeId) throws StoreException {
    requireWriteId(writeId);
    Head own =
        rows.readLeavingOpen(row, List.of(ObjectRowLayout.superseded(writeId))).writtenBy(writeId);
    return own != null && own.isLive();
  }

  /** A put whose version stays open: the first sync of a new file. */
  private Put putOpen(
      BucketInfo bucket, ByteString row, PutObjectRequest request, ObjectVersion version)
      throws StoreException {
    return Sent.track(sent -> putOpen(bucket, row, request, version, sent));
  }

  private Put putOpen(
      BucketInfo bucket, ByteString row, PutObjectRequest request, ObjectVersion version, Sent sent)
      throws StoreException {
    ByteString piece = request.getPieceWriteId();
    ObjectVersion first = // its needles need not have its write id, nor its ETag be of all bytes
        version.getLength() == 0
            ? version
            : ofOnePart(version, piece.isEmpty() ? request.getWriteId() : piece);
    FileLeases.Opening opening =
        leases.opening(request.getWriteId(), request.getLeaseMicros(), version.getLength());
    Committed committed =
        commit(
            new Commit(
                row,
                bucket.getVersioning(),
                request.getWriteId(),
                first,
                request.getCondition(),
                request.getGrantsList(),
                opening.head(),
                opening,
                EventNotes.created(
                    bucket, request.getEvent(), "Put", request.getKey(), rows.stamps().now())));
    sent.mark();
    PutObjectReply.Builder reply = PutObjectReply.newBuilder().setVersion(committed.version());
    FileLease lease = leases.leaseOf(row, request.getWriteId());
    if (lease != null) {
      reply.setLease(lease);
    }
    ObjectVersion told =
        committed.version().toBuilder()
            .addAllPartLengths(first.getPartLengthsList())
            .setPartWriteIds(first.getPartWriteIds())
            .build();
    RecordNeedle record = FileLeases.record(bucket, told);
    reply
        .setWantsRecord(true)
        .addRecords(
            record == null
                ? RecordNeedles.committed(bucket, request.getWriteId(), committed.version())
                : record);
    return new Put(reply.build(), committed.lost());
  }

  /** Of another ETag a rebuild would make another again, and of nothing there is no part. */
  private static void requireMark(PutObjectRequest request) throws StoreException {
    long length = request.getLength();
    if (length == 0 || !request.getMd5().equals(WriteId.mark(request.getWriteId(), length))) {
      throw new StoreException(
          ErrorCode.INVALID_ARGUMENT,
          "Cannot put "
              + length
              + " bytes unhashed: their ETag is not that of their write id and length");
    }
  }

  private static ObjectVersion ofOnePart(ObjectVersion version, ByteString writeId) {
    return version.toBuilder()
        .setPartCount(1)
        .clearPartLengths()
        .addPartLengths(version.getLength())
        .setPartWriteIds(writeId)
        .build();
  }

  /** Makes a version the current one; idempotent by its write id. */
  public Committed commit(Commit commit) throws StoreException {
    return Sent.track(sent -> commit(commit, sent));
  }

  private Committed commit(Commit commit, Sent sent) throws StoreException {
    ByteString writeId = commit.writeId();
    ByteString row = commit.row();
    List<Column> columns = new ArrayList<>();
    columns.add(ObjectRowLayout.superseded(writeId));
    if (commit.alsoChange() != null) {
      columns.addAll(commit.alsoChange().columns());
    }
    long firstSent = 0;
    List<Head> lost = List.of();
    boolean late = fence.isLate(commit.grants());
    boolean blind =
        commit.alsoChange() == null
            && !late
            && !Conditions.needsPresence(commit.condition())
            && commit.version().getManifest().getExtentsCount()
                <= ObjectRowLayout.MAX_INLINE_EXTENTS
            && !rows.probablyHasHead(row);
    long chunksStamp = 0;
    long floor = commit.alsoChange() == null ? 0 : commit.alsoChange().above();
    for (int attempt = 0; attempt < ObjectRows.MOST_ATTEMPTS; attempt++) {
      SeenRow seen = blind ? SeenRow.unread(row) : rows.readLeavingOpen(row, columns);
      if (!blind) {
        Head own = seen.writtenBy(writeId);
        if (own != null && own.isLive()) {
          fence.after(commit.grants());
          return found(commit, own, lost);
        }
        if (sent.any()) {
          rows.committer().requireRecent(firstSent);
        }
        if (late) {
          throw fence.tooLate();
        }
        if (chunksStamp != 0 && fence.isOld(chunksStamp)) {
          // They may have been collected since, by one who raised the head that we see now.
          throw new OutcomeUnknownException(
              "Cannot commit a version of "
                  + ObjectRowLayout.key(row)
                  + ": its manifest was written too long ago",
              null);
        }
        if (commit.version().getDirectoryId() == 0) {
          ObjectRows.requireNoDirectory(row, seen.head());
        }
        if (!seen.isOpen() || Conditions.refusesPresence(commit.condition())) {
          Conditions.require(commit.condition(), seen);
        }
      }
      if (seen.isOpen()) {
        rows.openFiles().close(row); // another writer's, whom this fences
        continue;
      }
      blind = false;
      Succession succession = rows.succession(seen, commit.versioning());
      succession.requireRoom(row);
      succession.requireUnlocked(row, rows.stamps().now());
      long stamp = rows.stamps().above(Math.max(floor, Math.max(seen.stamp(), chunksStamp)));
      ObjectVersion version =
          commit.version().toBuilder()
              .setVersionId(stamp)
              .setVersioned(succession.makesVersion())
              .setModifiedMicros(rows.stamps().now())
              .build();
      Details.Split split = Details.split(version, writeId);
      if (!split.chunks().isEmpty() && chunksStamp == 0) {
        if (seen.cells() == null) {
          continue; // metadata too large for the head: look first whether this happened before
        }
        chunksStamp = rows.writeChunks(row, writeId, split.chunks());
        stamp = Math.max(stamp, chunksStamp + 1);
      }
      HeadRecord record = succession.follow(commit.record().apply(split.record()));
      Head head = Head.of(stamp, writeId, HeadState.LIVE, record);
      RowChange change = new RowChange(stamp).put(ObjectRowLayout.HEAD, head.cell());
      if (!split.chunks().isEmpty()) {
        change.delete(ObjectRowLayout.pendingChunks(writeId));
      }
      succession.supersede(change);
      if (commit.alsoChange() != null) {
        commit.alsoChange().amend(seen, change);
      }
      late = fence.isLate(commit.grants());
      if (late) {
        continue;
      }
      Outbox.add(change, commit.event(), version);
      firstSent = sent.any() ? firstSent : rows.committer().nanos();
      sent.mark();
      lost = succession.lost();
      Outcome outcome = rows.commit(seen, change);
      switch (outcome) {
        case APPLIED -> {
          fence.after(commit.grants());
          return new Committed(
              SeenRow.withoutManifest(SeenRow.named(row, head, version)), seen.stamp(), lost, true);
        }
        case REFUSED -> rows.committer().pause().backOff(Math.max(0, attempt - 1));
        case UNKNOWN -> {
          Head own = rows.readLeavingOpen(row, columns).writtenBy(writeId);
          if (own != null && own.isLive()) {
            fence.after(commit.grants());
            return found(commit, own, lost);
          }
          throw new OutcomeUnknownException(
              "Cannot tell whether a version of " + ObjectRowLayout.key(row) + " was committed",
              null);
        }
      }
    }
    throw ObjectRows.contended(row);
  }

  private Committed found(Commit commit, Head own, List<Head> lost) throws StoreException {
    ObjectVersion version = rows.detailed(commit.row(), own);
    return new Committed(
        SeenRow.withoutManifest(version),
        Long.MAX_VALUE,
        lost,
        version.getManifest().equals(commit.version().getManifest()));
  }

  /** Refuses a mutation that could not be found again. */
  public static void requireWriteId(ByteString writeId) throws StoreException {
    if (writeId.size() != WriteId.BYTES) {
      throw new StoreException(
          ErrorCode.INVALID_ARGUMENT,
          "Cannot use a write id of " + writeId.size() + " bytes: it has " + WriteId.BYTES);
    }
  }
}
