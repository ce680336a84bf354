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
package io.stowage.om.upload;

import io.stowage.common.error.CorruptDataException;
import io.stowage.common.error.ErrorCode;
import io.stowage.common.error.OutcomeUnknownException;
import io.stowage.common.error.StoreException;
import io.stowage.common.expiry.Retention;
import io.stowage.common.fault.CrashPoint;
import io.stowage.common.id.WriteId;
import io.stowage.common.proto.AbortUploadRequest;
import io.stowage.common.proto.BucketInfo;
import io.stowage.common.proto.ChecksumAlgorithm;
import io.stowage.common.proto.CompletePart;
import io.stowage.common.proto.CompleteUploadRequest;
import io.stowage.common.proto.CreateUploadRequest;
import io.stowage.common.proto.LeaseGrant;
import io.stowage.common.proto.ListPartsReply;
import io.stowage.common.proto.ListPartsRequest;
import io.stowage.common.proto.Manifest;
import io.stowage.common.proto.ObjectVersion;
import io.stowage.common.proto.PutPartRequest;
import io.stowage.common.proto.ReplaceExtentsReply;
import io.stowage.common.proto.UploadGeneration;
import io.stowage.common.proto.UploadInfo;
import io.stowage.common.proto.UploadRecord;
import io.stowage.common.proto.UploadedPart;
import io.stowage.om.object.Conditions;
import io.stowage.om.object.EventNotes;
import io.stowage.om.object.ObjectRows;
import io.stowage.om.object.Puts;
import io.stowage.om.object.SeenRow;
import io.stowage.om.row.CommitFence;
import io.stowage.om.row.RowCommitter;
import io.stowage.om.row.RowCommitter.Outcome;
import io.stowage.om.row.Sent;
import io.stowage.om.row.Stamps;
import io.stowage.om.table.Cell;
import io.stowage.om.table.Check;
import io.stowage.om.table.Column;
import io.stowage.om.table.Head;
import io.stowage.om.table.ObjectRowLayout;
import io.stowage.om.table.Row;
import io.stowage.om.table.RowChange;
import java.nio.ByteBuffer;
import java.time.Duration;
import java.util.List;
import java.util.SortedMap;
import java.util.TreeMap;
import java.util.function.Predicate;
import java.util.function.UnaryOperator;
import org.apache.hadoop.thirdparty.protobuf.ByteString;
import org.apache.hadoop.thirdparty.protobuf.InvalidProtocolBufferException;
import org.apache.hadoop.thirdparty.protobuf.UnsafeByteOperations;

/**
 * Multipart uploads. An upload lives in its key's row: a header, parts, and a generation cell that
 * each change of the parts compares and writes anew. Thread-safe.
 *
 * <p>Completing: (1) compare-and-set of the generation to COMPLETING (write id of the completion)
 * freezes the parts; (2) one mutation that compares the head, and only the head, makes the version
 * and removes the upload. While the head stands, a COMPLETING generation stands too: whoever thaws
 * it, to abort the upload or to take over from a completion that died, does so in a mutation that
 * compares the head and raises its stamp. So (2), which goes by a generation that was read in one
 * with the head, cannot follow a thaw, however late it arrives. A {@code g:c} cell remembers which
 * write id an upload was completed by, for whoever asks again.
 */
public final class Uploads {
  static final CrashPoint AFTER_FREEZE = CrashPoint.named("om.complete.after-freeze");
  static final CrashPoint AFTER_COMMIT = CrashPoint.named("om.complete.after-commit");

  private static final int FORMAT = 1;
  public static final int MOST_PARTS = 10_000;
  private static final int MOST_LISTED = 1_000;

  /** A part's cell; well below what HBase takes. */
  private static final int MOST_PART_BYTES = 1 << 20;

  /** How long another completion of the same upload is left in peace before it is taken over. */
  private static final int ATTEMPTS_BEFORE_TAKEOVER = 10;

  /** Of a completion that froze the parts so long ago nobody waits for the answer. */
  private static final long DEAD_COMPLETION_MICROS = 120_000_000;

  private final ObjectRows objects;
  private final RowCommitter rows;
  private final Stamps stamps;
  private final Puts puts;
  private final CommitFence fence;

  public Uploads(ObjectRows objects, Puts puts, CommitFence fence) {
    this.objects = objects;
    this.rows = objects.committer();
    this.stamps = objects.stamps();
    this.puts = puts;
    this.fence = fence;
  }

  public void create(long bucketId, CreateUploadRequest request) throws StoreException {
    create(bucketId, request, "");
  }

  /**
   * Begins an upload.
   *
   * @param path where the row's key is not the object's: that, kept for listings
   */
  public void create(long bucketId, CreateUploadRequest request, String path)
      throws StoreException {
    ByteString row = ObjectRows.row(bucketId, request.getKey());
    ByteString uploadId = request.getWriteId();
    Puts.requireWriteId(uploadId);
    ChecksumAlgorithm algorithm = request.getChecksumAlgorithm();
    boolean fullObject =
        request.getChecksumFullObject() || algorithm == ChecksumAlgorithm.CRC64NVME;
    if (fullObject
        && algorithm != ChecksumAlgorithm.CHECKSUM_NONE
        && CrcCombination.of(algorithm) == null) {
      throw new StoreException(
          ErrorCode.INVALID_ARGUMENT,
          "Cannot compute " + algorithm + " of a whole object from its parts");
    }
    long stamp = stamps.now();
    UploadRecord header =
        UploadRecord.newBuilder()
            .setFormat(FORMAT)
            .setUpload(
                UploadInfo.newBuilder()
                    .setKey(path)
                    .setCreatedMicros(stamp)
                    .setMetadata(request.getMetadata())
                    .setChecksumAlgorithm(algorithm)
                    .setChecksumFullObject(fullObject)
                    .setInitiator(request.getInitiator()))
            .build();
    Column generation = ObjectRowLayout.uploadGeneration(uploadId);
    RowChange change =
        new RowChange(stamp)
            .put(generation, open())
            .put(ObjectRowLayout.uploadHeader(uploadId), header.toByteString());
    if (rows.commit(row, new Check.Absent(generation), change) == Outcome.UNKNOWN
        && rows.get(row, List.of(generation)).value(generation) == null) {
      throw new OutcomeUnknownException(
          "Cannot tell whether an upload of " + request.getKey() + " was created", null);
    }
  }

  public void putPart(long bucketId, PutPartRequest request) throws StoreException {
    Sent.track(
        sent -> {
          putPart(bucketId, request, sent);
          return null;
        });
  }

  private void putPart(long bucketId, PutPartRequest request, Sent sent) throws StoreException {
    ByteString row = ObjectRows.row(bucketId, request.getKey());
    ByteString uploadId = uploadId(request.getUploadId());
    UploadedPart part = request.getPart().toBuilder().setModifiedMicros(stamps.now()).build();
    Puts.requireWriteId(part.getWriteId());
    requireStorable(part);
    fence.checkGrants(part.getManifest(), request.getGrantsList());
    Column generation = ObjectRowLayout.uploadGeneration(uploadId);
    Column place = ObjectRowLayout.part(uploadId, part.getNumber());
    Column own = ObjectRowLayout.supersededPart(part.getWriteId());
    boolean unknown = false;
    for (int attempt = 0; attempt < ObjectRows.MOST_ATTEMPTS; attempt++) {
      Row seen = rows.get(row, List.of(generation, place, own));
      UploadedPart before = part(seen.value(place));
      boolean there = before != null && before.getWriteId().equals(part.getWriteId());
      if (there || seen.value(own) != null) {
        fence.after(request.getGrantsList());
        return;
      }
      if (unknown) {
        throw new OutcomeUnknownException(
            "Cannot tell whether part " + part.getNumber() + " was stored", null);
      }
      fence.before(request.getGrantsList());
      Cell open = requireUpload(seen.cell(generation), request.getKey());
      if (!generation(open).getCompleting().isEmpty()) {
        throw new StoreException(
            ErrorCode.CONFLICT,
            "Cannot store part " + part.getNumber() + ": the upload is being completed");
      }
      RowChange change =
          new RowChange(stamps.above(open.stamp()))
              .put(generation, open())
              .put(place, part.toByteString());
      if (before != null) {
        supersede(change, before);
      }
      sent.mark();
      Outcome outcome = rows.commit(row, new Check.Equal(generation, open.value()), change);
      switch (outcome) {
        case APPLIED -> {
          fence.after(request.getGrantsList());
          return;
        }
        case REFUSED -> rows.pause().backOff(attempt);
        case UNKNOWN -> unknown = true;
      }
    }
    throw new StoreException(
        ErrorCode.CONFLICT, "Cannot get a turn at the upload of " + request.getKey());
  }

  /**
   * Replaces extents of a part, comparing the upload's generation. Parts that a completion has
   * frozen are left alone, unless it seems to be dead: then they are thawed first.
   *
   * @param change the manifest as it shall be, or null if it does not name what is to go
   * @param isDone whether a manifest has the change already
   */
  public ReplaceExtentsReply.Outcome swap(
      ByteString row,
      ByteString uploadId,
      int number,
      UnaryOperator<Manifest> change,
      Predicate<Manifest> isDone,
      List<LeaseGrant> grants)
      throws StoreException {
    return Sent.track(sent -> swap(row, uploadId, number, change, isDone, grants, sent));
  }

  private ReplaceExtentsReply.Outcome swap(
      ByteString row,
      ByteString uploadId,
      int number,
      UnaryOperator<Manifest> change,
      Predicate<Manifest> isDone,
      List<LeaseGrant> grants,
      Sent sent)
      throws StoreException {
    Column generation = ObjectRowLayout.uploadGeneration(uploadId(uploadId));
    Column place = ObjectRowLayout.part(uploadId, number);
    for (int attempt = 0; attempt < ObjectRows.MOST_ATTEMPTS; attempt++) {
      Row seen = rows.get(row, List.of(generation, place));
      Cell open = seen.cell(generation);
      UploadedPart before = part(seen.value(place));
      if (open == null || before == null) {
        return ReplaceExtentsReply.Outcome.CHANGED;
      }
      Manifest changed = change.apply(before.getManifest());
      if (changed == null) {
        if (!isDone.test(before.getManifest())) {
          return ReplaceExtentsReply.Outcome.CHANGED;
        }
        fence.after(grants);
        return ReplaceExtentsReply.Outcome.REPLACED;
      }
      ByteString completing = generation(open).getCompleting();
      if (!completing.isEmpty()) {
        if (stamps.now() - open.stamp() < DEAD_COMPLETION_MICROS) {
          return ReplaceExtentsReply.Outcome.CHANGED;
        }
        thaw(row, uploadId, completing);
        continue;
      }
      fence.before(grants);
      UploadedPart after = before.toBuilder().setManifest(changed).build();
      requireStorable(after);
      RowChange mutation =
          new RowChange(stamps.above(open.stamp()))
              .put(generation, open())
              .put(place, after.toByteString());
      sent.mark();
      Outcome outcome = rows.commit(row, new Check.Equal(generation, open.value()), mutation);
      switch (outcome) {
        case APPLIED -> {
          fence.after(grants);
          return ReplaceExtentsReply.Outcome.REPLACED;
        }
        case REFUSED -> rows.pause().backOff(attempt);
        case UNKNOWN ->
            throw new OutcomeUnknownException(
                "Cannot tell whether extents of part " + number + " were replaced", null);
      }
    }
    throw new StoreException(
        ErrorCode.CONFLICT, "Cannot get a turn at the upload of " + ObjectRowLayout.key(row));
  }

  private static void requireStorable(UploadedPart part) throws StoreException {
    if (part.getNumber() < 1 || part.getNumber() > MOST_PARTS) {
      throw new StoreException(
          ErrorCode.INVALID_ARGUMENT,
          "Cannot store part " + part.getNumber() + ": numbers go from 1 to " + MOST_PARTS);
    }
    if (!Puts.holds(part.getManifest(), part.getLength(), part.getEncrypted())) {
      throw new StoreException(
          ErrorCode.INVALID_ARGUMENT,
          "Cannot store a part of "
              + part.getLength()
              + " bytes under a manifest of "
              + part.getManifest().getLength());
    }
    if (part.getSerializedSize() > MOST_PART_BYTES) {
      throw new StoreException(
          ErrorCode.TOO_LARGE,
          "Cannot store part "
              + part.getNumber()
              + ": its manifest has "
              + part.getManifest().getExtentsCount()
              + " extents");
    }
  }

  /** An upload under way; null: there is none of that id, or it is over. */
  public UploadInfo find(long bucketId, String key, ByteString uploadId) throws StoreException {
    Column header = ObjectRowLayout.uploadHeader(uploadId(uploadId));
    Cell found = rows.get(ObjectRows.row(bucketId, key), List.of(header)).cell(header);
    return found == null ? null : info(found.value(), key, uploadId);
  }

  public ListPartsReply listParts(long bucketId, ListPartsRequest request) throws StoreException {
    ByteString row = ObjectRows.row(bucketId, request.getKey());
    ByteString uploadId = uploadId(request.getUploadId());
    Column header = ObjectRowLayout.uploadHeader(uploadId);
    Cell found = requireUpload(rows.get(row, List.of(header)).cell(header), request.getKey());
    int limit = request.getLimit() == 0 ? MOST_LISTED : Math.min(MOST_LISTED, request.getLimit());
    ListPartsReply.Builder reply =
        ListPartsReply.newBuilder().setUpload(info(found.value(), request.getKey(), uploadId));
    if (request.getAfter() >= MOST_PARTS) {
      return reply.build();
    }
    Row parts =
        rows.getRange(
            row,
            'x',
            ObjectRowLayout.partsFrom(uploadId, request.getAfter() + 1),
            ObjectRowLayout.partsFrom(uploadId, MOST_PARTS + 1),
            limit + 1);
    for (Cell cell : parts.cells()) {
      if (reply.getPartsCount() == limit) {
        return reply.setMore(true).build();
      }
      reply.addParts(part(cell.value()).toBuilder().clearManifest());
    }
    return reply.build();
  }

  /**
   * An upload that is completed.
   *
   * @param version without manifest
   * @param partWriteIds 16 bytes a part, and their lengths in the version; empty if it was
   *     completed by another call
   * @param lost versions that it let go, as far as this call completed it
   */
  public record Completed(ObjectVersion version, ByteString partWriteIds, List<Head> lost) {}

  /**
   * Makes the parts a version.
   *
   * @param onlyFound there is no room for it: it may be found done, by an earlier call
   */
  public Completed complete(BucketInfo bucket, CompleteUploadRequest request, boolean onlyFound)
      throws StoreException {
    return Sent.track(sent -> complete(bucket, request, onlyFound, sent));
  }

  private Completed complete(
      BucketInfo bucket, CompleteUploadRequest request, boolean onlyFound, Sent sent)
      throws StoreException {
    ByteString row = ObjectRows.row(bucket.getId(), request.getKey());
    ByteString uploadId = uploadId(request.getUploadId());
    ByteString writeId = request.getWriteId();
    Puts.requireWriteId(writeId);
    Column generation = ObjectRowLayout.uploadGeneration(uploadId);
    Column header = ObjectRowLayout.uploadHeader(uploadId);
    Column completed = ObjectRowLayout.completedUpload(uploadId);
    List<Column> columns = List.of(generation, header, completed);
    for (int attempt = 0; attempt < ObjectRows.MOST_ATTEMPTS; attempt++) {
      SeenRow seen = objects.readSettled(row, columns);
      ByteString by = seen.cells().value(completed);
      if (by != null) {
        sent.mark(); // by an earlier call
        return new Completed(completedBefore(row, by, request), ByteString.EMPTY, List.of());
      }
      Cell found =
          requireUpload(onlyFound ? null : seen.cells().cell(generation), request.getKey());
      ByteString completing = generation(found).getCompleting();
      if (!completing.isEmpty() && !completing.equals(writeId)) {
        if (attempt < ATTEMPTS_BEFORE_TAKEOVER) {
          rows.pause().during(Duration.ofMillis(1L << Math.min(attempt, 5)));
        } else {
          thaw(row, uploadId, completing);
        }
        continue;
      }
      SortedMap<Integer, UploadedPart> parts = parts(row, uploadId);
      UploadInfo upload =
          info(requireUpload(seen.cells().cell(header), request.getKey()).value(), "", uploadId);
      Cell frozen = found;
      try {
        Completion completion = Completion.of(upload, parts, request);
        Conditions.require(request.getCondition(), seen);
        if (completing.isEmpty()) {
          frozen = new Cell(generation, stamps.above(found.stamp()), completing(writeId));
          Outcome outcome =
              rows.commit(
                  row,
                  new Check.Equal(generation, found.value()),
                  new RowChange(frozen.stamp()).put(generation, frozen.value()));
          if (outcome != Outcome.APPLIED) {
            rows.pause().backOff(attempt);
            continue;
          }
          AFTER_FREEZE.reach();
        }
        Puts.Committed committed =
            commit(bucket, row, uploadId, request, completion, parts, frozen);
        AFTER_COMMIT.reach();
        if (!committed.asBrought()) {
          requireSame(committed.version(), completion.version(), request.getKey());
          return new Completed(committed.version(), ByteString.EMPTY, committed.lost());
        }
        return new Completed(
            committed.version().toBuilder()
                .addAllPartLengths(completion.version().getPartLengthsList())
                .build(),
            partWriteIds(request, parts),
            committed.lost());
      } catch (Thawed e) {
        rows.pause().backOff(attempt);
      } catch (StoreException e) {
        if (e.code().blame() == ErrorCode.Blame.CALLER) {
          ByteString now = rows.get(row, List.of(generation)).value(generation);
          if (!frozen.value().equals(now)) {
            rows.pause().backOff(attempt);
            continue; // judged by parts that were going: another completed or aborted it
          }
          thaw(row, uploadId, writeId);
        }
        throw e;
      }
    }
    throw new StoreException(
        ErrorCode.CONFLICT, "Cannot get a turn at the upload of " + request.getKey());
  }

  private static ByteString partWriteIds(
      CompleteUploadRequest request, SortedMap<Integer, UploadedPart> parts) {
    ByteBuffer ids = ByteBuffer.allocate(WriteId.BYTES * request.getPartsCount());
    for (CompletePart named : request.getPartsList()) {
      parts.get(named.getNumber()).getWriteId().copyTo(ids);
    }
    return UnsafeByteOperations.unsafeWrap(ids.flip());
  }

  /** Step 2. */
  private Puts.Committed commit(
      BucketInfo bucket,
      ByteString row,
      ByteString uploadId,
      CompleteUploadRequest request,
      Completion completion,
      SortedMap<Integer, UploadedPart> parts,
      Cell frozen)
      throws StoreException {
    Column generation = ObjectRowLayout.uploadGeneration(uploadId);
    Puts.Attempt removal =
        new Puts.Attempt() {
          @Override
          public List<Column> columns() {
            return List.of(generation);
          }

          @Override
          public long above() {
            return frozen.stamp();
          }

          @Override
          public void amend(SeenRow seen, RowChange change) throws StoreException {
            Cell now = seen.cells().cell(generation);
            // Not only by the same request: thawed and frozen again, the parts may be others.
            if (now == null || !now.value().equals(frozen.value())) {
              throw new Thawed();
            }
            remove(change, uploadId, parts);
            completion.unused().forEach(part -> supersede(change, part));
            change.put(ObjectRowLayout.completedUpload(uploadId), request.getWriteId());
          }
        };
    return puts.commit(
        new Puts.Commit(
            row,
            bucket.getVersioning(),
            request.getWriteId(),
            completion.version().toBuilder()
                .setMetadata(
                    Retention.withDefault(bucket, completion.version().getMetadata(), stamps.now()))
                .build(),
            request.getCondition(),
            List.of(),
            record -> record.toBuilder().setUploadId(uploadId).build(),
            removal,
            EventNotes.created(
                bucket,
                request.getEvent(),
                "CompleteMultipartUpload",
                request.getKey(),
                stamps.now())));
  }

  /**
   * Answers as the completion did that made the version.
   *
   * @throws StoreException NO_SUCH_UPLOAD if that one named other parts: this one did not happen
   */
  private ObjectVersion completedBefore(
      ByteString row, ByteString by, CompleteUploadRequest request) throws StoreException {
    if (by.isEmpty()) {
      throw noSuchUpload(request.getKey());
    }
    SeenRow seen = objects.readSettled(row, List.of(ObjectRowLayout.superseded(by)));
    Head made = seen.writtenBy(by);
    if (made == null || !made.isLive()) {
      throw noSuchUpload(request.getKey());
    }
    requireSame(made.record().getVersion(), Completion.named(request), request.getKey());
    return made.record().getVersion().toBuilder()
        .setKey(request.getKey())
        .setStamp(made.stamp())
        .setWriteId(by)
        .clearManifest()
        .clearPartLengths()
        .clearPartWriteIds()
        .clearPartChecksums()
        .build();
  }

  /**
   * Whoever named other parts than the version was made of is not told of success: over S3 all
   * completions of an upload have one write id, whatever they name.
   */
  private static void requireSame(ObjectVersion made, ObjectVersion asked, String key)
      throws StoreException {
    if (made.getPartCount() != asked.getPartCount() || !made.getMd5().equals(asked.getMd5())) {
      throw noSuchUpload(key);
    }
  }

  public void abort(long bucketId, AbortUploadRequest request) throws StoreException {
    Sent.track(
        sent -> {
          abort(bucketId, request, sent);
          return null;
        });
  }

  private void abort(long bucketId, AbortUploadRequest request, Sent sent) throws StoreException {
    ByteString row = ObjectRows.row(bucketId, request.getKey());
    ByteString uploadId = uploadId(request.getUploadId());
    Column generation = ObjectRowLayout.uploadGeneration(uploadId);
    Column completed = ObjectRowLayout.completedUpload(uploadId);
    for (int attempt = 0; attempt < ObjectRows.MOST_ATTEMPTS; attempt++) {
      Row seen = rows.get(row, List.of(generation, completed));
      ByteString by = seen.value(completed);
      if (by != null && by.isEmpty()) {
        return; // aborted before
      }
      Cell found = requireUpload(seen.cell(generation), request.getKey());
      ByteString completing = generation(found).getCompleting();
      if (!completing.isEmpty()) {
        thaw(row, uploadId, completing);
        continue;
      }
      SortedMap<Integer, UploadedPart> parts = parts(row, uploadId);
      RowChange change = new RowChange(stamps.above(found.stamp()));
      remove(change, uploadId, parts);
      parts.values().forEach(part -> supersede(change, part));
      change.put(completed, ByteString.EMPTY);
      sent.mark();
      Outcome outcome = rows.commit(row, new Check.Equal(generation, found.value()), change);
      switch (outcome) {
        case APPLIED -> {
          return;
        }
        case REFUSED -> rows.pause().backOff(attempt);
        case UNKNOWN ->
            throw new OutcomeUnknownException(
                "Cannot tell whether the upload of " + request.getKey() + " was aborted", null);
      }
    }
    throw new StoreException(
        ErrorCode.CONFLICT, "Cannot get a turn at the upload of " + request.getKey());
  }

  /** Opens an upload's parts again, if this completion still holds them. */
  private void thaw(ByteString row, ByteString uploadId, ByteString completing)
      throws StoreException {
    Column generation = ObjectRowLayout.uploadGeneration(uploadId);
    for (int attempt = 0; attempt < ObjectRows.MOST_ATTEMPTS; attempt++) {
      SeenRow seen = objects.readSettled(row, List.of(generation));
      Cell found = seen.cells().cell(generation);
      if (found == null || !generation(found).getCompleting().equals(completing)) {
        return;
      }
      long stamp = stamps.above(Math.max(seen.stamp(), found.stamp()));
      Head raised =
          seen.head() == null ? Head.absent(stamp, WriteId.random()) : seen.head().raisedTo(stamp);
      RowChange change =
          new RowChange(stamp).put(ObjectRowLayout.HEAD, raised.cell()).put(generation, open());
      if (objects.commit(seen, change) == Outcome.APPLIED) {
        return;
      }
      rows.pause().backOff(attempt);
    }
  }

  private SortedMap<Integer, UploadedPart> parts(ByteString row, ByteString uploadId)
      throws StoreException {
    SortedMap<Integer, UploadedPart> parts = new TreeMap<>();
    Row read =
        rows.getRange(
            row,
            'x',
            ObjectRowLayout.partsFrom(uploadId, 0),
            ObjectRowLayout.partsFrom(uploadId, MOST_PARTS + 1),
            MOST_PARTS + 1);
    for (Cell cell : read.cells()) {
      UploadedPart part = part(cell.value());
      parts.put(part.getNumber(), part);
    }
    return parts;
  }

  private static void remove(
      RowChange change, ByteString uploadId, SortedMap<Integer, UploadedPart> parts) {
    change.delete(ObjectRowLayout.uploadGeneration(uploadId));
    change.delete(ObjectRowLayout.uploadHeader(uploadId));
    for (Integer number : parts.keySet()) {
      change.delete(ObjectRowLayout.part(uploadId, number));
    }
  }

  private static void supersede(RowChange change, UploadedPart part) {
    change.put(ObjectRowLayout.supersededPart(part.getWriteId()), part.toByteString());
  }

  private static ByteString open() {
    return UploadGeneration.newBuilder()
        .setFormat(FORMAT)
        .setNonce(WriteId.random())
        .build()
        .toByteString();
  }

  private static ByteString completing(ByteString writeId) {
    return UploadGeneration.newBuilder()
        .setFormat(FORMAT)
        .setNonce(WriteId.random())
        .setCompleting(writeId)
        .build()
        .toByteString();
  }

  private static UploadGeneration generation(Cell cell) throws StoreException {
    try {
      return UploadGeneration.parseFrom(cell.value());
    } catch (InvalidProtocolBufferException e) {
      throw new CorruptDataException("Cannot read an upload's generation: " + e.getMessage());
    }
  }

  private static UploadedPart part(ByteString value) throws StoreException {
    try {
      return value == null ? null : UploadedPart.parseFrom(value);
    } catch (InvalidProtocolBufferException e) {
      throw new CorruptDataException("Cannot read an upload's part: " + e.getMessage());
    }
  }

  public static UploadInfo info(ByteString value, String key, ByteString uploadId)
      throws StoreException {
    return info(value).toBuilder().setKey(key).setUploadId(uploadId).build();
  }

  /** What a header says. */
  public static UploadInfo info(ByteString value) throws StoreException {
    try {
      return UploadRecord.parseFrom(value).getUpload();
    } catch (InvalidProtocolBufferException e) {
      throw new CorruptDataException("Cannot read an upload's header: " + e.getMessage());
    }
  }

  private static ByteString uploadId(ByteString given) throws StoreException {
    if (given.size() != WriteId.BYTES) {
      throw new StoreException(ErrorCode.NO_SUCH_UPLOAD, "Cannot find an upload of such an id");
    }
    return given;
  }

  private static Cell requireUpload(Cell cell, String key) throws StoreException {
    if (cell == null) {
      throw noSuchUpload(key);
    }
    return cell;
  }

  private static StoreException noSuchUpload(String key) {
    return new StoreException(
        ErrorCode.NO_SUCH_UPLOAD, "Cannot find the upload of " + key + ": ended or never begun");
  }

  /** Somebody opened the parts again between our freezing them and our commit. */
  private static final class Thawed extends StoreException {
    private static final long serialVersionUID = 1L;

    Thawed() {
      super(ErrorCode.CONFLICT, "Cannot complete: the upload was opened again by others");
    }
  }
}
