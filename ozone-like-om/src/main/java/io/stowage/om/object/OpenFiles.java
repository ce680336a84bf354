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
import io.stowage.common.error.StoreException;
import io.stowage.common.fault.CrashPoint;
import io.stowage.common.id.WriteId;
import io.stowage.common.proto.Extent;
import io.stowage.common.proto.HeadRecord;
import io.stowage.common.proto.Manifest;
import io.stowage.common.proto.ObjectVersion;
import io.stowage.common.proto.TailRecord;
import io.stowage.common.proto.UploadedPart;
import io.stowage.om.row.RowCommitter.Outcome;
import io.stowage.om.table.Cell;
import io.stowage.om.table.Check;
import io.stowage.om.table.Details;
import io.stowage.om.table.Head;
import io.stowage.om.table.ObjectRowLayout;
import io.stowage.om.table.RowChange;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.apache.hadoop.thirdparty.protobuf.ByteString;

/**
 * Rows of files that their writers keep open: a LIVE head that says so, and {@code x:f}, which has
 * the lease and what was synced since the head was written. Thread-safe.
 *
 * <p><b>One cell is compared.</b> While a head is open, every change of it, and every hsync,
 * compares {@code x:f}, whole, and writes it anew or deletes it. So an hsync needs to write nothing
 * else, and loses against whoever closed the file, replaced or deleted it, however late it arrives.
 * A head is opened, and a closed one changed, by comparing the head. Whoever wants to change a head
 * that he finds open closes it first ({@link ObjectRows#readSettled}): what was synced becomes part
 * of the head, {@code x:f} goes, and with it the writer's right. Metadata and copied extents are
 * changed without that: the tail is folded into the head and the lease goes on.
 *
 * <p><b>Head and tail belong together</b> if they have the same epoch, which is new for each
 * opening, and generation, which each fold raises in both. Within a generation a tail only grows.
 * So a reader that sees the head, then the tail, then cells {@code x:t}, has seen a state that the
 * file was in, or finds out and begins again; and of two reads the later one sees no less.
 *
 * <p><b>Stamps.</b> {@code x:f} gets a stamp above its own last one, a head one above its own and
 * that of the {@code x:f} seen with it. Since {@code x:f} is deleted only together with a new head,
 * and written first together with a head above that, no deletion hides a later lease.
 */
final class OpenFiles {
  static final CrashPoint AFTER_CHUNKS = CrashPoint.named("om.file.after-chunks");

  private final ObjectRows rows;

  OpenFiles(ObjectRows rows) {
    this.rows = rows;
  }

  /** The tail read with a head; null if the head is not open. */
  static Tail tailOf(SeenRow seen) throws StoreException {
    if (!seen.isOpen()) {
      return null;
    }
    Cell cell = seen.cells().cell(ObjectRowLayout.LEASE);
    Tail tail = cell == null ? null : Tail.parse(cell);
    if (tail == null || !tail.isOf(seen.head().record())) {
      throw new CorruptDataException(
          "Cannot read "
              + ObjectRowLayout.key(seen.key())
              + ": its head says that it is open, and its lease is "
              + (tail == null ? "missing" : "of another head"));
    }
    return tail;
  }

  private Tail tail(ByteString row, HeadRecord record) throws StoreException {
    Cell cell =
        rows.committer().get(row, List.of(ObjectRowLayout.LEASE)).cell(ObjectRowLayout.LEASE);
    Tail tail = cell == null ? null : Tail.parse(cell);
    return tail != null && tail.isOf(record) ? tail : null;
  }

  /** An open head's version as callers see it, without manifest; null if it changed meanwhile. */
  ObjectVersion told(ByteString row, HeadRecord record) throws StoreException {
    Tail tail = tail(row, record);
    return tail == null ? null : tail.told(record.getVersion()).build();
  }

  /**
   * An open head's version with all that was synced.
   *
   * @param folded the head's own, with all details
   * @return null if it changed meanwhile
   */
  ObjectVersion join(ByteString row, HeadRecord record, ObjectVersion folded)
      throws StoreException {
    Tail tail = tail(row, record);
    List<Extent> extents = tail == null ? null : tail.extents(rows.committer(), row);
    if (extents == null) {
      return null;
    }
    ObjectVersion.Builder version = tail.told(folded);
    Manifest.Builder manifest = version.getManifestBuilder();
    boolean piecesAreKnown =
        folded.getPartWriteIds().size() == WriteId.BYTES * folded.getPartLengthsCount();
    long at = folded.getLength();
    for (Extent extent : extents) {
      long payload = payload(extent);
      manifest.addExtents(extent);
      version.addPartLengths(payload);
      if (piecesAreKnown) {
        version.setPartWriteIds(
            version.getPartWriteIds().concat(WriteId.ofPiece(record.getOpenHolder(), at, false)));
      }
      at += payload;
    }
    if (at != tail.length()) {
      throw new CorruptDataException(
          "Cannot read "
              + ObjectRowLayout.key(row)
              + ": "
              + tail.length()
              + " bytes were synced and extents have "
              + at);
    }
    manifest.setLength(at);
    return version.build();
  }

  static long payload(Extent extent) {
    return extent.getLength() - extent.getHeaderLength();
  }

  /**
   * A change that makes all that was synced part of the head.
   *
   * @param tail null: the file is closed by it
   */
  record Fold(RowChange change, Head head, TailRecord tail, ObjectVersion version) {}

  /**
   * Prepares a fold.
   *
   * @param joined the version with all that was synced
   * @param from what is behind it is replaced by the piece
   * @param piece may be empty
   * @param pieceId write id of the piece's needles
   * @param untilMicros of the lease from now on; 0: it is closed
   */
  Fold fold(
      SeenRow seen,
      Tail tail,
      ObjectVersion joined,
      long from,
      List<Extent> piece,
      ByteString pieceId,
      long untilMicros)
      throws StoreException {
    ObjectVersion version = replaceEnd(seen, tail, joined, from, piece, pieceId);
    return fold(seen, tail, version, untilMicros, dead(joined, version));
  }

  /** The same with a version that is ready. */
  Fold fold(
      SeenRow seen, Tail tail, ObjectVersion version, long untilMicros, Map<Long, Long> deadBytes)
      throws StoreException {
    ByteString owner = WriteId.random();
    ObjectVersion.Builder closed = version.toBuilder().clearOpenEpoch().clearOpenUntilMicros();
    if (tail.length() > seen.head().record().getVersion().getLength()) {
      closed.setPartCount(Math.max(1, version.getPartLengthsCount()));
    }
    ObjectVersion stored = closed.build();
    Details.Split split = Details.split(stored, owner);
    long chunksStamp = 0;
    if (!split.chunks().isEmpty()) {
      chunksStamp = rows.writeChunks(seen.key(), owner, split.chunks());
      AFTER_CHUNKS.reach();
    }
    long stamp = rows.stamps().above(Math.max(seen.stamp(), Math.max(tail.stamp(), chunksStamp)));
    HeadRecord old = seen.head().record();
    HeadRecord.Builder record =
        old.toBuilder()
            .setVersion(split.record().getVersion())
            .setChunkCount(split.record().getChunkCount())
            .setChunkOwner(split.record().getChunkOwner())
            .setChunkCrc32C(split.record().getChunkCrc32C());
    RowChange change = new RowChange(stamp);
    TailRecord next = null;
    if (untilMicros == 0) {
      record.clearOpenEpoch().clearOpenHolder().clearOpenGeneration().setClosedEpoch(tail.epoch());
      tail.deleteAll(change);
    } else {
      next =
          tail.folded(stored.getLength())
              .setUntilSeconds(Math.max(Tail.seconds(untilMicros), tail.record().getUntilSeconds()))
              .build();
      record.setOpenGeneration(next.getGeneration());
      change.put(ObjectRowLayout.LEASE, next.toByteString());
    }
    Head head = seen.head().with(stamp, record.build());
    change.put(ObjectRowLayout.HEAD, head.cell());
    if (!split.chunks().isEmpty()) {
      change.delete(ObjectRowLayout.pendingChunks(owner));
    }
    change.deleteAll(Details.chunkColumns(old));
    if (!deadBytes.isEmpty()) {
      change.put(ObjectRowLayout.supersededPart(WriteId.random()), garbage(deadBytes));
    }
    return new Fold(change, head, next, stored);
  }

  /** The version with its bytes from a position on replaced by a piece. */
  private ObjectVersion replaceEnd(
      SeenRow seen,
      Tail tail,
      ObjectVersion joined,
      long from,
      List<Extent> piece,
      ByteString pieceId)
      throws StoreException {
    if (piece.isEmpty() && tail.length() == seen.head().record().getVersion().getLength()) {
      return joined; // as its writer put it, ETag and all
    }
    List<Extent> extents = new ArrayList<>();
    long at = 0;
    for (Extent extent : joined.getManifest().getExtentsList()) {
      if (at >= from) {
        break;
      }
      extents.add(extent);
      at += payload(extent);
    }
    if (at != from) {
      throw new StoreException(
          ErrorCode.INVALID_ARGUMENT,
          "Cannot replace the bytes of "
              + ObjectRowLayout.key(seen.key())
              + " from "
              + from
              + " on: no piece begins there");
    }
    int parts = 0;
    long partsEnd = 0;
    while (partsEnd < from && parts < joined.getPartLengthsCount()) {
      partsEnd += joined.getPartLengths(parts++);
    }
    boolean piecesAreKnown =
        partsEnd == from
            && joined.getPartWriteIds().size() == WriteId.BYTES * joined.getPartLengthsCount();
    ByteString ids =
        piecesAreKnown
            ? joined.getPartWriteIds().substring(0, WriteId.BYTES * parts)
            : ByteString.EMPTY;
    List<Long> lengths = new ArrayList<>();
    if (partsEnd == from) {
      lengths.addAll(joined.getPartLengthsList().subList(0, parts));
    } else if (from > 0) {
      lengths.add(from);
    }
    long length = from;
    for (Extent extent : piece) {
      length += payload(extent);
      extents.add(extent);
    }
    if (length > from) {
      lengths.add(length - from);
      ids = piecesAreKnown ? ids.concat(pieceId) : ids;
    }
    ObjectVersion.Builder version =
        joined.toBuilder()
            .setLength(length)
            .setModifiedMicros(rows.stamps().now())
            .setMd5(Tail.mark(tail.epoch(), length))
            .clearChecksums()
            .setPartCount(Math.max(1, lengths.size()))
            .clearPartLengths()
            .addAllPartLengths(lengths)
            .setPartWriteIds(ids)
            .setManifest(
                joined.getManifest().toBuilder()
                    .setLength(length)
                    .clearExtents()
                    .addAllExtents(extents));
    if (length > tail.length()) { // else the same bytes are written again, as whole stripes
      Tail.written(version);
    }
    return version.build();
  }

  /** Bytes by container of what a version named and another no longer does. */
  private static Map<Long, Long> dead(ObjectVersion before, ObjectVersion after) {
    Map<Long, Long> dead = new LinkedHashMap<>();
    List<Extent> old = before.getManifest().getExtentsList();
    List<Extent> kept = after.getManifest().getExtentsList();
    int same = 0;
    while (same < old.size() && same < kept.size() && old.get(same).equals(kept.get(same))) {
      same++;
    }
    for (Extent extent : old.subList(same, old.size())) {
      dead.merge(extent.getContainer(), extent.getLength(), Long::sum);
    }
    return dead;
  }

  /** Collectors want no more of garbage than its bytes by container: not a thousand extents. */
  private static ByteString garbage(Map<Long, Long> deadBytes) {
    Manifest.Builder manifest = Manifest.newBuilder();
    deadBytes.forEach(
        (container, bytes) ->
            manifest.addExtents(Extent.newBuilder().setContainer(container).setLength(bytes)));
    return UploadedPart.newBuilder().setManifest(manifest).build().toByteString();
  }

  /** Replaces an open head, and counts what is in the new one as its bucket's. */
  Outcome commit(SeenRow seen, Tail tail, RowChange change) throws StoreException {
    Outcome outcome =
        rows.committer().commit(seen.key(), Check.of(ObjectRowLayout.LEASE, tail.cell()), change);
    if (outcome == Outcome.APPLIED) {
      rows.count(seen.key(), seen.head(), change);
    }
    return outcome;
  }

  /**
   * Closes a file at what was synced, whoever has it open.
   *
   * @return the head that was written; null if it was not open
   */
  Head close(ByteString row) throws StoreException {
    return close(row, Long.MAX_VALUE);
  }

  /** The same, unless its writer synced, or renewed his lease, at this stamp or later. */
  Head close(ByteString row, long since) throws StoreException {
    for (int attempt = 0; attempt < ObjectRows.MOST_ATTEMPTS; attempt++) {
      SeenRow seen = rows.read(row, List.of(ObjectRowLayout.LEASE));
      if (!seen.isOpen()) {
        return null;
      }
      Tail tail = tailOf(seen);
      if (tail.stamp() >= since) {
        return null;
      }
      ObjectVersion joined = rows.details(seen);
      if (joined == null) {
        continue;
      }
      Fold fold = fold(seen, tail, joined, tail.length(), List.of(), ByteString.EMPTY, 0);
      switch (commit(seen, tail, fold.change())) {
        case APPLIED -> {
          return fold.head();
        }
        case REFUSED -> rows.committer().pause().backOff(attempt);
        case UNKNOWN ->
            throw new StoreException(
                ErrorCode.UNAVAILABLE,
                "Cannot close " + ObjectRowLayout.key(row) + ": HBase does not answer");
      }
    }
    throw ObjectRows.contended(row);
  }
}
