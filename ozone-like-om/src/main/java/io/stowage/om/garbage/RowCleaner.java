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
package io.stowage.om.garbage;

import io.stowage.common.error.CorruptDataException;
import io.stowage.common.error.StoreException;
import io.stowage.common.fault.CrashPoint;
import io.stowage.common.id.WriteId;
import io.stowage.common.proto.Extent;
import io.stowage.common.proto.HeadRecord;
import io.stowage.common.proto.Manifest;
import io.stowage.common.proto.ObjectVersion;
import io.stowage.common.proto.UploadedPart;
import io.stowage.om.object.ObjectRows;
import io.stowage.om.object.SeenRow;
import io.stowage.om.object.Snapshots;
import io.stowage.om.row.RowCommitter;
import io.stowage.om.row.RowCommitter.Outcome;
import io.stowage.om.table.Cell;
import io.stowage.om.table.Column;
import io.stowage.om.table.Details;
import io.stowage.om.table.Head;
import io.stowage.om.table.HeadState;
import io.stowage.om.table.ObjectRowLayout;
import io.stowage.om.table.ObjectRowLayout.Fate;
import io.stowage.om.table.Row;
import io.stowage.om.table.RowChange;
import java.util.HashSet;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;
import java.util.function.Consumer;
import org.apache.hadoop.thirdparty.protobuf.ByteString;
import org.apache.hadoop.thirdparty.protobuf.InvalidProtocolBufferException;

/**
 * Takes out of one row what nobody needs any more. Every step may be taken any number of times, by
 * any number of cleaners, however late. Thread-safe.
 *
 * <p><b>Deletions are as low as they can be</b>: up to the stamp of a cell that was read, never up
 * to now. A delete marker hides every later put that is not above it, until a compaction; markers
 * at old stamps hide nothing that anybody will still write.
 *
 * <p><b>A head that says nothing is there</b> (ABSENT; MOVED, once its target has left PENDING)
 * goes if it is older than the deadline of mutations, the bound of clocks and a margin: no mutation
 * that was sent before it can arrive any more and count, and any new one has a higher stamp. The
 * deletion compares the head with what was read, so a newer one stays. Object managers whose clock
 * is behind what was collected refuse to serve ({@link io.stowage.om.row.Stamps#learnCollected}).
 */
final class RowCleaner {
  static final CrashPoint AFTER_FENCE = CrashPoint.named("om.collect.after-fence");

  private static final int MOST_ATTEMPTS = 20;

  /** Enough for a manifest of 50,000 extents that have nothing in common, at 4 MB a thousand. */
  private static final int MOST_CHUNKS = 100_000;

  private final ObjectRows rows;
  private final Snapshots snapshots;
  private final RowCommitter committer;

  RowCleaner(ObjectRows rows, Snapshots snapshots) {
    this.rows = rows;
    this.snapshots = snapshots;
    this.committer = rows.committer();
  }

  /** Tells the extents that a cell of {@code g} leaves without a name. */
  void forEachDead(ByteString row, Cell cell, Consumer<Extent> dead) throws StoreException {
    switch (ObjectRowLayout.garbageKind(cell.column())) {
      case 'd' -> {
        Fate fate = ObjectRowLayout.fate(cell.value());
        if (fate == Fate.GARBAGE || fate == Fate.SNAPSHOT) {
          manifest(row, cell).getExtentsList().forEach(dead);
        }
      }
      case 's' -> part(cell).getManifest().getExtentsList().forEach(dead);
      default -> {}
    }
  }

  /** Of a superseded head; empty where there is none, or its chunks are gone already. */
  private Manifest manifest(ByteString row, Cell cell) throws StoreException {
    Head head = ObjectRowLayout.supersededHead(cell.value());
    if (!head.isLive()) {
      return Manifest.getDefaultInstance();
    }
    ObjectVersion version = rows.details(row, head.record());
    return version == null ? Manifest.getDefaultInstance() : version.getManifest();
  }

  private static UploadedPart part(Cell cell) throws StoreException {
    try {
      return UploadedPart.parseFrom(cell.value());
    } catch (InvalidProtocolBufferException e) {
      throw new CorruptDataException("Cannot read an upload's part: " + e.getMessage());
    }
  }

  /**
   * Clears cells of {@code g} that were counted, the chunks of their manifests, and the head if it
   * says that nothing is there and its stamp is lower.
   *
   * @param before the row's head as it was a while ago: if it said then that nothing is there, it
   *     is taken at its word, since all that goes then goes by comparing it
   * @return whether the row has no head any more
   */
  boolean clear(Row garbage, SeenRow before, long below) throws StoreException {
    boolean absent = before.head() != null && before.head().state() == HeadState.ABSENT;
    if (absent && isCollectable(before.head(), below)) {
      Gone gone = gone(garbage, before, below);
      if (removeHead(before, gone)) {
        return true;
      }
    }
    SeenRow seen = settled(garbage.key(), below);
    Gone gone = gone(garbage, seen, below);
    if (isCollectable(seen.head(), below) && removeHead(seen, gone)) {
      return true;
    }
    if (!gone.columns.isEmpty()) {
      committer.write(garbage.key(), new RowChange(gone.stamp).deleteAll(gone.columns));
    }
    return false;
  }

  /** What goes of a row beside its head, and the highest stamp of it. */
  private record Gone(Set<Column> columns, long stamp) {}

  /** Trims the names of the row where they are, too: that depends on no head. */
  private Gone gone(Row garbage, SeenRow seen, long below) throws StoreException {
    ByteString row = garbage.key();
    Set<ByteString> owners = chunkOwners(seen.head());
    Set<Column> gone = new LinkedHashSet<>();
    Set<ByteString> origins = new HashSet<>();
    long stamp = 0;
    for (Cell cell : garbage.cells()) {
      char kind = ObjectRowLayout.garbageKind(cell.column());
      if (kind == 'p' || kind == ObjectRowLayout.EVENT_KIND) {
        continue;
      }
      if (kind == 'd' && ObjectRowLayout.fate(cell.value()) != Fate.KEPT) {
        ByteString origin = manifest(row, cell).getOriginRow();
        if (!origin.isEmpty()) {
          origins.add(origin);
        }
        HeadRecord record = ObjectRowLayout.supersededHead(cell.value()).record();
        if (record.getChunkCount() > 0 && !owners.contains(record.getChunkOwner())) {
          gone.addAll(Details.chunkColumns(record));
        }
      }
      gone.add(cell.column());
      stamp = Math.max(stamp, cell.stamp());
    }
    for (ByteString origin : origins) {
      trim(origin, row, below);
    }
    return new Gone(gone, stamp);
  }

  private boolean removeHead(SeenRow seen, Gone gone) throws StoreException {
    RowChange all = new RowChange(Math.max(gone.stamp, seen.stamp())).deleteAll(gone.columns);
    all.delete(ObjectRowLayout.HEAD);
    return committer.commit(seen.key(), seen.unchanged(), all) == Outcome.APPLIED;
  }

  /** Removes a head that says that nothing is there; settles renames that somebody left. */
  boolean clearHead(ByteString row, long below) throws StoreException {
    SeenRow seen = settled(row, below);
    return isCollectable(seen.head(), below)
        && committer.commit(
                row, seen.unchanged(), new RowChange(seen.stamp()).delete(ObjectRowLayout.HEAD))
            == Outcome.APPLIED;
  }

  /** The row's head; a rename older than this is ended first. */
  private SeenRow settled(ByteString row, long below) throws StoreException {
    SeenRow seen = rows.read(row, List.of());
    boolean left =
        seen.head() != null
            && seen.stamp() < below
            && (seen.head().state() == HeadState.PENDING || seen.head().state() == HeadState.MOVED);
    return left ? rows.readSettled(row, List.of()) : seen;
  }

  private static boolean isCollectable(Head head, long below) {
    return head != null
        && head.stamp() < below
        && (head.state() == HeadState.ABSENT || head.state() == HeadState.MOVED);
  }

  private static Set<ByteString> chunkOwners(Head head) throws StoreException {
    Set<ByteString> owners = new HashSet<>();
    if (head != null) {
      for (HeadRecord record : ObjectRows.meanings(head)) {
        if (record.getChunkCount() > 0) {
          owners.add(record.getChunkOwner());
        }
      }
    }
    return owners;
  }

  /**
   * Removes chunks that no head ever named, or no longer can: whoever wrote them is past the commit
   * window. The head's stamp rises in the same mutation, so a commit that is still under way, by a
   * head read before, fails; read afterwards, its author sees how old his chunks are ({@link
   * io.stowage.om.object.Puts}).
   */
  void clearPendingChunks(ByteString row, Cell pending) throws StoreException {
    ByteString owner = ObjectRowLayout.garbageId(pending.column());
    for (int attempt = 0; attempt < MOST_ATTEMPTS; attempt++) {
      SeenRow seen = rows.readLeavingOpen(row, List.of(pending.column()));
      Cell still = seen.cells().cell(pending.column());
      if (still == null) {
        return;
      }
      if (chunkOwners(seen.head()).contains(owner) || isOwnedByOlder(seen, owner)) {
        committer.write(row, new RowChange(still.stamp()).delete(still.column()));
        return;
      }
      if (seen.isOpen()) {
        return; // its writer may go on; these chunks wait until it is closed
      }
      long stamp = rows.stamps().above(Math.max(seen.stamp(), still.stamp()));
      Head raised =
          seen.head() == null ? Head.absent(stamp, WriteId.random()) : seen.head().raisedTo(stamp);
      RowChange change =
          new RowChange(stamp).put(ObjectRowLayout.HEAD, raised.cell()).delete(still.column());
      Row chunks =
          committer.getRange(
              row,
              'm',
              owner,
              owner.concat(ByteString.copyFrom(new byte[] {-1, -1, -1, -1, -1})),
              MOST_CHUNKS);
      chunks.cells().forEach(chunk -> change.delete(chunk.column()));
      if (rows.commit(seen, change) == Outcome.APPLIED) {
        AFTER_FENCE.reach();
        return;
      }
      committer.pause().backOff(attempt);
    }
  }

  /**
   * Takes a row out of an origin's {@code x:r} if it holds none of the origin's needles. {@link
   * io.stowage.om.object.Renames} says why the order of these reads and the stamp of the deletion
   * are what they are.
   */
  void trim(ByteString origin, ByteString row, long below) throws StoreException {
    Column column = ObjectRowLayout.forwarding(row);
    Cell name = committer.get(origin, List.of(column)).cell(column);
    if (name == null || name.stamp() >= below) {
      return; // our delete marker would hide the same name from a clock behind the one that wrote
      // it
    }
    SeenRow seen = rows.read(row, List.of());
    if (seen.head() != null) {
      for (HeadRecord record : ObjectRows.meanings(seen.head())) {
        if (speaksOf(row, record, origin)) {
          return;
        }
      }
      boolean none =
          rows.forEachOlder(
              seen, older -> !older.isLive() || !speaksOf(row, older.record(), origin));
      if (!none || !isUnchanged(seen)) {
        return; // or not known: the next full run looks again
      }
    }
    if (isSpokenOfBySuperseded(row, origin)) {
      return;
    }
    committer.write(origin, new RowChange(name.stamp()).delete(column));
  }

  /** A snapshot may see it; if none does, it is collected, and a later look finds nothing. */
  private boolean isSpokenOfBySuperseded(ByteString row, ByteString origin) throws StoreException {
    if (!snapshots.hasAny(ObjectRowLayout.bucketId(row))) {
      return false;
    }
    boolean[] found = {false};
    rows.forEachSuperseded(
        row,
        cell -> {
          Head head = ObjectRowLayout.supersededHead(cell.value());
          found[0] |= head.isLive() && speaksOf(row, head.record(), origin);
        });
    return found[0];
  }

  private boolean speaksOf(ByteString row, HeadRecord record, ByteString origin)
      throws StoreException {
    ObjectVersion version = rows.details(row, record);
    return version == null || version.getManifest().getOriginRow().equals(origin);
  }

  /** Whether the head is as it was, and so are the older versions read since. */
  private boolean isUnchanged(SeenRow seen) throws StoreException {
    Head now = rows.read(seen.key(), List.of()).head();
    return now != null && now.cell().equals(seen.head().cell());
  }

  /** To be believed only by who commits by the head that was seen. */
  private boolean isOwnedByOlder(SeenRow seen, ByteString owner) throws StoreException {
    return !rows.forEachOlder(
        seen,
        older ->
            older.record().getChunkCount() == 0 || !older.record().getChunkOwner().equals(owner));
  }

  /** Only for a row of which nobody will ever want to know who holds its needles. */
  void forget(ByteString row, Cell cell) throws StoreException {
    committer.write(row, new RowChange(cell.stamp()).delete(cell.column()));
  }
}
