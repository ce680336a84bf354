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
import io.stowage.common.fault.CrashPoint;
import io.stowage.common.id.WriteId;
import io.stowage.common.proto.EventNote;
import io.stowage.common.proto.HeadRecord;
import io.stowage.common.proto.ObjectVersion;
import io.stowage.common.proto.Versioning;
import io.stowage.om.row.RowCommitter;
import io.stowage.om.row.RowCommitter.Outcome;
import io.stowage.om.row.Stamps;
import io.stowage.om.table.Cell;
import io.stowage.om.table.Column;
import io.stowage.om.table.Details;
import io.stowage.om.table.Head;
import io.stowage.om.table.HeadState;
import io.stowage.om.table.ObjectRowLayout;
import io.stowage.om.table.Row;
import io.stowage.om.table.RowChange;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Collections;
import java.util.HexFormat;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.apache.hadoop.thirdparty.protobuf.ByteString;

/**
 * Reads and commits of rows of table {@code object}, with renames that are under way resolved:
 * readers learn what a key holds, writers get a head that may be replaced. Thread-safe.
 */
public final class ObjectRows {
  static final CrashPoint AFTER_REWRITTEN_CHUNKS = CrashPoint.named("om.rewrite.after-chunks");

  /** Attempts of one request against rivals on the same key; each lost one means another won. */
  public static final int MOST_ATTEMPTS = 1_000;

  /** Keys seen to have a head, for which "put if absent" would be a call in vain. A hint only. */
  private static final int MOST_HINTS = 8_192;

  /** Each fails only if a name of another rename, or its removal, has a higher stamp than ours. */
  private static final int MOST_FORWARDINGS = 20;

  /** Older versions read at a time, of half a KiB each. */
  private static final int OLDER_PAGE = 1_000;

  private final RowCommitter committer;
  private final Stamps stamps;
  private final RenameRecovery recovery;
  private final OpenFiles openFiles;
  private volatile Changes changes = (bucketId, objects, bytes) -> {};
  private final Set<ByteString> hints =
      Collections.synchronizedSet(
          Collections.newSetFromMap(
              new LinkedHashMap<>(1_024, 0.75f, true) {
                @Override
                protected boolean removeEldestEntry(Map.Entry<ByteString, Boolean> eldest) {
                  return size() > MOST_HINTS;
                }
              }));

  public ObjectRows(RowCommitter committer, Stamps stamps) {
    this.committer = committer;
    this.stamps = stamps;
    this.recovery = new RenameRecovery(committer, stamps, this::count);
    this.openFiles = new OpenFiles(this);
  }

  public RowCommitter committer() {
    return committer;
  }

  public Stamps stamps() {
    return stamps;
  }

  RenameRecovery recovery() {
    return recovery;
  }

  OpenFiles openFiles() {
    return openFiles;
  }

  /** A row's key, checked. */
  public static ByteString row(long bucketId, String key) throws StoreException {
    if (key.isEmpty()) {
      throw new StoreException(ErrorCode.INVALID_NAME, "Cannot use an empty key");
    }
    if (!StandardCharsets.UTF_8.newEncoder().canEncode(key)) {
      throw new StoreException(
          ErrorCode.INVALID_NAME, "Cannot use a key that is not a Unicode text");
    }
    ByteString row = ObjectRowLayout.row(bucketId, key);
    if (row.size() - ObjectRowLayout.BUCKET_ID_BYTES > ObjectRowLayout.MAX_KEY_BYTES) {
      throw new StoreException(
          ErrorCode.INVALID_NAME,
          "Cannot use a key of "
              + (row.size() - ObjectRowLayout.BUCKET_ID_BYTES)
              + " bytes: the longest has "
              + ObjectRowLayout.MAX_KEY_BYTES);
    }
    return row;
  }

  /** Whether the row was lately seen to have a head. */
  public boolean probablyHasHead(ByteString row) {
    return hints.contains(row);
  }

  /** Reads a head as it stands, and other columns with it. */
  public SeenRow read(ByteString row, List<Column> more) throws StoreException {
    return seen(row, committer.get(row, headAnd(more)));
  }

  private static List<Column> headAnd(List<Column> more) {
    List<Column> columns = new ArrayList<>(more.size() + 1);
    columns.add(ObjectRowLayout.HEAD);
    columns.addAll(more);
    return columns;
  }

  private SeenRow seen(ByteString row, Row cells) throws StoreException {
    Head head = Head.parseOrNull(cells.value(ObjectRowLayout.HEAD));
    if (head != null) {
      hints.add(row);
    }
    return new SeenRow(row, head, cells);
  }

  /**
   * Reads a row for a writer: finishes or undoes a rename under way, closes a file that is open,
   * until the head is absent, LIVE or one that may be replaced.
   */
  public SeenRow readSettled(ByteString row, List<Column> more) throws StoreException {
    for (int attempt = 0; attempt < MOST_ATTEMPTS; attempt++) {
      SeenRow seen = readLeavingOpen(row, more);
      if (!seen.isOpen()) {
        return seen;
      }
      openFiles.close(row);
    }
    throw contended(row);
  }

  /** Reads rows by one call, each to be given to {@link #settledLeavingOpen} before it is used. */
  public List<SeenRow> readAll(List<ByteString> keys, List<Column> more) throws StoreException {
    List<SeenRow> all = new ArrayList<>(keys.size());
    for (Row cells : committer.getAll(keys, headAnd(more))) {
      all.add(seen(cells.key(), cells));
    }
    return all;
  }

  /** As {@link #readLeavingOpen} of a row that was read just now, mostly without another look. */
  SeenRow settledLeavingOpen(SeenRow seen, List<Column> more) throws StoreException {
    return recovery.isSettled(seen) ? seen : readLeavingOpen(seen.key(), more);
  }

  /** As {@link #readSettled}, but a file that is open is left to its writer. */
  public SeenRow readLeavingOpen(ByteString row, List<Column> more) throws StoreException {
    for (int attempt = 0; attempt < MOST_ATTEMPTS; attempt++) {
      SeenRow seen = read(row, more);
      if (recovery.isSettled(seen)) {
        return seen;
      }
      committer.pause().backOff(attempt);
    }
    throw contended(row);
  }

  /** What a scanned head holds, or null; a rename under way costs reads. */
  public ObjectVersion scanned(Row row) throws StoreException {
    Head head = Head.parseOrNull(row.value(ObjectRowLayout.HEAD));
    if (head == null) {
      return null;
    }
    return switch (head.state()) {
      case LIVE -> told(row.key(), head);
      case PENDING -> find(row.key(), false);
      case ABSENT, MOVED, DELETING, MARKER -> null;
    };
  }

  /** What a key holds, for a reader; null if nothing. Changes nothing. */
  public ObjectVersion find(ByteString row, boolean wantDetails) throws StoreException {
    ObjectVersion found = findOrMarker(row, wantDetails);
    return found == null || found.getDeleteMarker() ? null : found;
  }

  /** The same, but a delete marker is told. */
  ObjectVersion findOrMarker(ByteString row, boolean wantDetails) throws StoreException {
    for (int attempt = 0; attempt < MOST_ATTEMPTS; attempt++) {
      SeenRow seen = read(row, List.of());
      Resolved resolved = resolve(seen);
      if (resolved == null) {
        continue;
      }
      if (resolved.record() == null) {
        return resolved.markerOrNull(row);
      }
      HeadRecord record = resolved.record();
      if (record.getOpenEpoch() == 0 && (record.getChunkCount() == 0 || !wantDetails)) {
        return SeenRow.version(row, resolved.head(), record);
      }
      ObjectVersion joined = wantDetails ? details(row, record) : openFiles.told(row, record);
      if (joined != null) {
        return SeenRow.named(row, resolved.head(), joined);
      }
      // Superseded and collected since, or folded into another head: start from the head again.
    }
    throw contended(row);
  }

  /** A head's version without its manifest, as it was at one moment since it was read. */
  ObjectVersion told(ByteString row, Head head) throws StoreException {
    if (head.record().getOpenEpoch() != 0) {
      ObjectVersion version = openFiles.told(row, head.record());
      if (version != null) {
        return SeenRow.named(row, head, version);
      }
      version = find(row, false);
      if (version != null) {
        return version;
      }
    }
    return SeenRow.version(row, head);
  }

  /**
   * A version of a row, be it a delete marker.
   *
   * @param version its cell: the row's head, or one of {@code v}
   */
  record Located(SeenRow row, Head version) {
    boolean isCurrent() {
      return version == row.head();
    }

    /** As callers see it; without manifest if that is in chunks. */
    ObjectVersion told() {
      return SeenRow.version(row.key(), version);
    }
  }

  /**
   * What a row holds under a version id.
   *
   * @param row at that moment, its head settled
   * @param located null where there is no such version
   */
  record Lookup(SeenRow row, Located located) {}

  /**
   * Finds a version, wherever it is at the moment of the read. A file that is open stays open.
   *
   * @param versionId 0: the current one
   */
  Lookup locate(ByteString row, long versionId, List<Column> more) throws StoreException {
    boolean byId = versionId != 0 && versionId != Head.NULL_VERSION;
    List<Column> columns = new ArrayList<>(more);
    columns.add(ObjectRowLayout.LEASE);
    if (byId) {
      columns.add(ObjectRowLayout.older(versionId));
    }
    for (int attempt = 0; attempt < MOST_ATTEMPTS; attempt++) {
      SeenRow seen = readLeavingOpen(row, columns);
      Head head = seen.head();
      if (head == null || !head.isVersion()) {
        return new Lookup(seen, null);
      }
      if (versionId == 0 || head.isVersion(versionId)) {
        return new Lookup(seen, new Located(seen, head));
      }
      Head older;
      if (byId) {
        older = Head.parseOrNull(seen.cells().value(ObjectRowLayout.older(versionId)));
      } else if (head.record().getOlderNull() == 0) {
        older = null;
      } else {
        Column column = ObjectRowLayout.older(head.record().getOlderNull());
        columns.removeIf(asked -> asked.family() == 'v');
        columns.add(column);
        seen = readLeavingOpen(row, columns);
        if (seen.head() == null || !seen.head().cell().equals(head.cell())) {
          continue;
        }
        older = Head.parseOrNull(seen.cells().value(column));
      }
      return new Lookup(seen, older == null ? null : new Located(seen, older));
    }
    throw contended(row);
  }

  /** What a key holds under a version id, with all details; null if nothing. */
  ObjectVersion findVersion(ByteString row, long versionId) throws StoreException {
    for (int attempt = 0; attempt < MOST_ATTEMPTS; attempt++) {
      Located located = locate(row, versionId, List.of()).located();
      if (located == null) {
        return null;
      }
      ObjectVersion version = details(located);
      if (version != null) {
        return SeenRow.named(row, located.version(), version);
      }
      // Its manifest got new chunks since, or was collected: look again.
    }
    throw contended(row);
  }

  /** The version that follows the current one; null if the row is no longer as it was seen. */
  Head newestOlder(SeenRow seen) throws StoreException {
    List<Cell> cells =
        committer
            .getRange(
                seen.key(),
                'v',
                ObjectRowLayout.olderFrom(seen.head().record().getNewestOlder()),
                ObjectRowLayout.BEHIND_OLDER,
                1)
            .cells();
    return cells.isEmpty() ? null : Head.parse(cells.get(0).value());
  }

  /** Looks at one older version; false to stop. */
  @FunctionalInterface
  public interface OlderVersion {
    boolean look(Head older) throws StoreException;
  }

  /**
   * Goes through the older versions, newest first, by pages. What it sees was so at one moment if
   * the head still stands afterwards, as the caller finds out, or his commit does.
   *
   * @return false if it was stopped
   */
  public boolean forEachOlder(SeenRow seen, OlderVersion look) throws StoreException {
    long count = seen.head() == null ? 0 : olderCount(seen.head());
    ByteString from = ByteString.EMPTY;
    while (count > 0) {
      int limit = (int) Math.min(count, OLDER_PAGE);
      List<Cell> page =
          committer.getRange(seen.key(), 'v', from, ObjectRowLayout.BEHIND_OLDER, limit).cells();
      for (Cell cell : page) {
        if (!look.look(Head.parse(cell.value()))) {
          return false;
        }
      }
      if (page.size() < limit) {
        return true;
      }
      count -= limit;
      from = ObjectRowLayout.behind(page.get(page.size() - 1).column().qualifier());
    }
    return true;
  }

  /** Looks at a superseded head's cell. */
  @FunctionalInterface
  public interface SupersededHead {
    void look(Cell cell) throws StoreException;
  }

  /** Goes through the superseded heads of a row that were not collected yet, by pages. */
  public void forEachSuperseded(ByteString row, SupersededHead look) throws StoreException {
    ByteString from = ObjectRowLayout.SUPERSEDED_HEADS;
    while (true) {
      List<Cell> page =
          committer.getRange(row, 'g', from, ObjectRowLayout.BEHIND_SUPERSEDED, OLDER_PAGE).cells();
      for (Cell cell : page) {
        look.look(cell);
      }
      if (page.size() < OLDER_PAGE) {
        return;
      }
      from = ObjectRowLayout.behind(page.get(page.size() - 1).column().qualifier());
    }
  }

  /** Of a head in any state; a PENDING one tells what its row's older versions are now. */
  private static long olderCount(Head head) throws StoreException {
    if (head.state() != HeadState.PENDING) {
      return head.record().getOlderCount();
    }
    ByteString old = head.record().getPending().getOldHead();
    return old.isEmpty() ? 0 : olderCount(Head.parse(old));
  }

  /** A version with all its details; null if it is no longer as it was. */
  ObjectVersion details(Located located) throws StoreException {
    return details(located.row().key(), located.version().record());
  }

  /** How a settled head is superseded in a bucket of this state. */
  Succession succession(SeenRow seen, Versioning bucket) throws StoreException {
    return Succession.of(committer, seen.key(), seen.head(), bucket);
  }

  /** A head's version as callers see it, with all its details if they are still there. */
  ObjectVersion detailed(ByteString row, Head head) throws StoreException {
    ObjectVersion version = details(row, head.record());
    return version == null ? SeenRow.version(row, head) : SeenRow.named(row, head, version);
  }

  /** The version of a live head with all its details; null if the head is no longer the row's. */
  ObjectVersion details(SeenRow seen) throws StoreException {
    return details(seen.key(), seen.head().record());
  }

  /** The version of a record with all its details; null if no head of the row means it any more. */
  public ObjectVersion details(ByteString row, HeadRecord record) throws StoreException {
    ObjectVersion version =
        record.getChunkCount() == 0
            ? record.getVersion()
            : Details.join(record, committer.get(row, Details.chunkColumns(record)));
    return version == null || record.getOpenEpoch() == 0
        ? version
        : openFiles.join(row, record, version);
  }

  /**
   * Every record that a head may stand for: of a PENDING one both what was there and what may come.
   */
  public static List<HeadRecord> meanings(Head head) throws StoreException {
    return switch (head.state()) {
      case LIVE -> List.of(head.record());
      case ABSENT, MOVED, DELETING, MARKER -> List.of();
      case PENDING -> {
        List<HeadRecord> both = new ArrayList<>();
        both.add(head.record().getPending().getRenamed());
        ByteString old = head.record().getPending().getOldHead();
        if (!old.isEmpty()) {
          both.addAll(meanings(Head.parse(old)));
        }
        yield both;
      }
    };
  }

  /** A head and the live record in force under it; the record is null where nothing is there. */
  record Resolved(Head head, HeadRecord record) {
    /** The delete marker that is the reason why nothing is there; null if there is none. */
    ObjectVersion markerOrNull(ByteString row) {
      boolean marked =
          head != null
              && (head.state() == HeadState.MARKER || head.state() == HeadState.MOVED)
              && head.record().hasVersion();
      return marked ? SeenRow.version(row, head) : null;
    }
  }

  /** What a head means for a reader; null if it changed while we looked at a rename's source. */
  Resolved resolve(SeenRow seen) throws StoreException {
    Head head = seen.head();
    if (head == null) {
      return new Resolved(null, null);
    }
    return switch (head.state()) {
      case LIVE -> new Resolved(head, head.record());
      case ABSENT, MOVED, DELETING, MARKER -> new Resolved(head, null);
      case PENDING -> recovery.resolve(seen);
    };
  }

  /** Replaces the head that was seen. */
  public Outcome commit(SeenRow seen, RowChange change) throws StoreException {
    hints.add(seen.key());
    Outcome outcome = committer.commit(seen.key(), seen.unchanged(), change);
    if (outcome == Outcome.APPLIED) {
      count(seen.key(), seen.head(), change);
    }
    return outcome;
  }

  /** Has somebody told by how much each change made from here changes what its bucket holds. */
  public void tellChangesTo(Changes listener) {
    changes = listener;
  }

  /** Told of changes, on the thread that made them. */
  @FunctionalInterface
  public interface Changes {
    void changed(long bucketId, long objects, long bytes);
  }

  /** A change of a head was made. */
  void count(ByteString row, Head before, RowChange change) throws StoreException {
    if (isAnchor(row, before)
        || isAnchor(row, Head.parseOrNull(change.puts().get(ObjectRowLayout.HEAD)))) {
      return;
    }
    RowChanges.Held delta = RowChanges.of(before, change);
    if (delta.objects() != 0 || delta.bytes() != 0) {
      changes.changed(ObjectRowLayout.bucketId(row), delta.objects(), delta.bytes());
    }
  }

  /** Of a directory that was removed: its row's key is its id, and holds nothing. */
  private static boolean isAnchor(ByteString row, Head head) throws StoreException {
    if (head == null || !head.isLive()) {
      return false;
    }
    long directory = head.record().getVersion().getDirectoryId();
    return directory != 0 && ObjectRowLayout.key(row).equals(HexFormat.of().toHexDigits(directory));
  }

  /** Goes through a bucket's rows and tells what each of them holds. */
  public void countAll(long bucketId, Changes told) throws StoreException {
    ByteString from = ObjectRowLayout.row(bucketId, "");
    ByteString end = ObjectRowLayout.behindPrefix(from);
    while (true) {
      List<Row> page = committer.scan(from, end, 'c', ObjectRowLayout.HEAD.qualifier(), OLDER_PAGE);
      for (Row row : page) {
        from = ObjectRowLayout.behind(row.key());
        Head head = Head.parse(row.value(ObjectRowLayout.HEAD));
        if (isAnchor(row.key(), head)) {
          continue;
        }
        RowChanges.Held held = RowChanges.all(this, new SeenRow(row.key(), head, row));
        told.changed(bucketId, held.objects(), held.bytes());
      }
      if (page.size() < OLDER_PAGE) {
        return;
      }
    }
  }

  /**
   * Writes a version's chunks, which nothing names yet, and notes them as pending. Returns a stamp
   * above which the head's has to be.
   */
  public long writeChunks(ByteString row, ByteString owner, List<ByteString> chunks)
      throws StoreException {
    long stamp = stamps.now();
    writeChunks(row, owner, chunks, stamp);
    return stamp;
  }

  /** The same under a stamp of the caller's: the owner's columns never were in the row before. */
  void writeChunks(ByteString row, ByteString owner, List<ByteString> chunks, long stamp)
      throws StoreException {
    for (int i = 0; i < chunks.size(); i++) {
      RowChange change = new RowChange(stamp);
      change.put(ObjectRowLayout.chunk(owner, i), chunks.get(i));
      if (i == 0) {
        change.put(ObjectRowLayout.pendingChunks(owner), ByteString.EMPTY);
      }
      committer.write(row, change);
    }
  }

  /**
   * Replaces a version's cell by one of the same version, changed in what its owner may change of
   * it: its stamp and the head's rise, write id and version id stay. Chunks are written anew under
   * a new owner, so that a head never names a mixture; the old ones go in the same mutation, and a
   * reader that misses one starts from the head.
   */
  Outcome rewrite(Located located, ObjectVersion version) throws StoreException {
    return rewrite(located, version, located.version().record(), List.of()).outcome();
  }

  /**
   * Replaces a superseded head that a snapshot sees by the same with other details; false if
   * something changed in the row meanwhile, or a writer has it open: then nothing was replaced.
   *
   * <p>What is compared is not its own cell but the row's head, which was read together with that
   * cell, and before the new chunks were written, and whose stamp rises: as whoever rewrites such a
   * cell does this, the cell is what it was; and who removes chunks that nothing names in time
   * raises the head, too, so that a late commit names no chunks that are gone. (Collectors remove
   * the cell and leave the head: then it comes back, for the next full run.)
   */
  boolean rewriteSuperseded(ByteString row, Cell cell, ObjectVersion version)
      throws StoreException {
    SeenRow seen = readLeavingOpen(row, List.of(cell.column()));
    if (seen.isOpen() || !cell.value().equals(seen.cells().value(cell.column()))) {
      return false;
    }
    Head head = ObjectRowLayout.supersededHead(cell.value());
    ByteString owner = WriteId.random();
    Details.Split split = Details.split(version, owner);
    long chunksStamp = 0;
    if (!split.chunks().isEmpty()) {
      chunksStamp = writeChunks(row, owner, split.chunks());
    }
    HeadRecord record =
        head.record().toBuilder()
            .setVersion(split.record().getVersion())
            .setChunkCount(split.record().getChunkCount())
            .setChunkOwner(split.record().getChunkOwner())
            .setChunkCrc32C(split.record().getChunkCrc32C())
            .build();
    long stamp = stamps.above(Math.max(seen.stamp(), Math.max(cell.stamp(), chunksStamp)));
    Head raised =
        seen.head() == null ? Head.absent(stamp, WriteId.random()) : seen.head().raisedTo(stamp);
    RowChange change = new RowChange(stamp).put(ObjectRowLayout.HEAD, raised.cell());
    change.put(
        cell.column(),
        ObjectRowLayout.snapshotValue(
            ObjectRowLayout.supersededAt(cell), head.with(head.stamp(), record)));
    if (!split.chunks().isEmpty()) {
      change.delete(ObjectRowLayout.pendingChunks(owner));
    }
    change.deleteAll(Details.chunkColumns(head.record()));
    Outcome outcome = committer.commit(row, seen.unchanged(), change);
    if (outcome == Outcome.UNKNOWN) {
      throw new StoreException(
          ErrorCode.UNAVAILABLE,
          "Cannot replace extents of " + ObjectRowLayout.key(row) + ": HBase does not answer");
    }
    return outcome == Outcome.APPLIED;
  }

  /** What came of a change, and the stamp that it gave the row if it was made. */
  record Rewritten(Outcome outcome, long stamp) {}

  /** The same by its owner, and somebody is to be told. */
  Rewritten rewrite(Located located, ObjectVersion version, List<EventNote> events)
      throws StoreException {
    HeadRecord owned = located.version().record().toBuilder().clearRestoredStamp().build();
    return rewrite(located, version, owned, events);
  }

  private Rewritten rewrite(
      Located located, ObjectVersion version, HeadRecord kept, List<EventNote> events)
      throws StoreException {
    SeenRow seen = located.row();
    if (seen.isOpen()) {
      return rewriteOpen(located, version, events);
    }
    HeadRecord old = located.version().record();
    ByteString owner = WriteId.random();
    Details.Split split = Details.split(version, owner);
    long chunksStamp = 0;
    if (!split.chunks().isEmpty()) {
      chunksStamp = writeChunks(seen.key(), owner, split.chunks());
      AFTER_REWRITTEN_CHUNKS.reach();
    }
    long stamp = stamps.above(Math.max(seen.stamp(), chunksStamp));
    HeadRecord record =
        kept.toBuilder()
            .setVersion(split.record().getVersion())
            .setChunkCount(split.record().getChunkCount())
            .setChunkOwner(split.record().getChunkOwner())
            .setChunkCrc32C(split.record().getChunkCrc32C())
            .build();
    Head changed = located.version().with(stamp, record);
    RowChange change = new RowChange(stamp);
    if (located.isCurrent()) {
      change.put(ObjectRowLayout.HEAD, changed.cell());
    } else {
      change.put(ObjectRowLayout.HEAD, seen.head().raisedTo(stamp).cell());
      change.put(ObjectRowLayout.older(changed.versionId()), changed.cell());
    }
    if (!split.chunks().isEmpty()) {
      change.delete(ObjectRowLayout.pendingChunks(owner));
    }
    change.deleteAll(Details.chunkColumns(old));
    events.forEach(event -> Outbox.add(change, event, version));
    return new Rewritten(commit(seen, change), stamp);
  }

  /** The same of a file that is open, and stays so. */
  private Rewritten rewriteOpen(Located located, ObjectVersion version, List<EventNote> events)
      throws StoreException {
    SeenRow seen = located.row();
    if (!located.isCurrent()) {
      openFiles.close(seen.key());
      return new Rewritten(Outcome.REFUSED, 0); // the caller looks again
    }
    Tail tail = OpenFiles.tailOf(seen);
    if (version.getLength() != tail.length()) {
      return new Rewritten(Outcome.REFUSED, 0); // more was synced since the caller looked
    }
    OpenFiles.Fold fold = openFiles.fold(seen, tail, version, tail.untilMicros(), Map.of());
    events.forEach(event -> Outbox.add(fold.change(), event, version));
    Outcome outcome = openFiles.commit(seen, tail, fold.change());
    return new Rewritten(outcome, fold.change().stamp());
  }

  /**
   * Notes in an origin's row that a row is about to hold needles that name the origin. Not trimmed
   * before the name is as old as what collectors leave alone.
   */
  public void noteForwarding(ByteString origin, ByteString target) throws StoreException {
    Column column = ObjectRowLayout.forwarding(target);
    long stamp = stamps.now();
    for (int attempt = 0; attempt < MOST_FORWARDINGS; attempt++) {
      committer.write(origin, new RowChange(stamp).put(column, ByteString.EMPTY));
      Cell seen = committer.get(origin, List.of(column)).cell(column);
      if (seen != null && seen.stamp() == stamp) {
        return;
      }
      // Hidden by a name of an earlier rename, from a clock ahead of ours, which may be about to be
      // taken out; or by its having been taken out.
      stamp = seen == null ? Math.max(stamp + 1, stamps.now()) : stamps.above(seen.stamp());
      committer.pause().backOff(attempt);
    }
    throw new StoreException(
        ErrorCode.CLOCK_SKEW,
        "Cannot name " + ObjectRowLayout.key(target) + ": our clock is far behind");
  }

  /** Refuses to let a directory go, or be replaced, as if it were a file. */
  static void requireNoDirectory(ByteString row, Head head) throws StoreException {
    if (head != null && head.isLive() && head.record().getVersion().getDirectoryId() != 0) {
      throw new StoreException(
          ErrorCode.IS_A_DIRECTORY,
          "Cannot change " + ObjectRowLayout.key(row) + ": it is a directory");
    }
  }

  public static StoreException contended(ByteString row) {
    return new StoreException(
        ErrorCode.CONFLICT,
        "Cannot get a turn at key "
            + ObjectRowLayout.key(row)
            + ": lost "
            + MOST_ATTEMPTS
            + " attempts to others");
  }
}
