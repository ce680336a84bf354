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
package io.stowage.om.directory;

import io.stowage.common.error.ErrorCode;
import io.stowage.common.error.OutcomeUnknownException;
import io.stowage.common.error.StoreException;
import io.stowage.common.fault.CrashPoint;
import io.stowage.common.id.WriteId;
import io.stowage.common.proto.BucketInfo;
import io.stowage.common.proto.Condition;
import io.stowage.common.proto.EventNote;
import io.stowage.common.proto.ObjectMetadata;
import io.stowage.common.proto.ObjectVersion;
import io.stowage.common.proto.RecordNeedle;
import io.stowage.common.proto.Versioning;
import io.stowage.om.bucket.Usage;
import io.stowage.om.object.DirectoryEntries;
import io.stowage.om.object.Look;
import io.stowage.om.object.ObjectRows;
import io.stowage.om.object.Puts;
import io.stowage.om.object.RecordNeedles;
import io.stowage.om.object.Renames;
import io.stowage.om.object.SeenRow;
import io.stowage.om.table.Head;
import io.stowage.om.table.HeadState;
import io.stowage.om.table.ObjectRowLayout;
import io.stowage.om.table.Row;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.security.SecureRandom;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.List;
import java.util.Set;
import java.util.function.UnaryOperator;
import org.apache.hadoop.fs.permission.FsAction;
import org.apache.hadoop.thirdparty.protobuf.ByteString;

/**
 * The tree of directories of FILE_SYSTEM buckets: walks paths, makes, moves and removes
 * directories. Thread-safe.
 *
 * <p>An entry is a row, keyed by its directory's id and its name; a directory's entry says the id
 * that its own entries' rows begin with. So a rename of the entry takes along all that is below,
 * and what goes by a directory's id does not care where the directory is by now. Besides, a
 * directory D has an <b>anchor</b>, the row of its id and no name, which is not there until D is
 * removed: <b>removing a directory is renaming its entry onto its anchor</b>, by the protocol of
 * {@link Renames}. From step 1 on the anchor says PENDING, and from step 3 on LIVE: removed.
 *
 * <p><b>Who puts something into D</b> walks to it first (w), commits by the row of the entry alone
 * (c), and then looks at D's anchor (k), at most a mutation's deadline after w: if D was removed,
 * it did not happen; if D is being removed and the commit point was not reached, the removal is
 * rolled back, by raising the stamp of D's entry. <b>Who removes D only if nothing is in it</b>
 * writes PENDING (p), then looks for entries (l), then commits (m).
 *
 * <pre>
 * c before l                the remover sees the entry, and gives up
 * c after l, so p before k  m before k: the one who put looks at LIVE, and it did not happen
 *                           k before m: the removal is rolled back, m fails
 * </pre>
 *
 * Who moves an entry into D is like one who puts: its PENDING is c (for the remover any head but
 * ABSENT is an entry, after it was settled), and it looks at the anchor before its own commit
 * point.
 *
 * <p><b>Who removes D with all that is in it</b> does not look. What is put below D by one who
 * walked there before m is deleted with D, be it committed after m: the two requests ran at the
 * same time, and the order "put, then remove" explains what everybody sees, as nothing below D is
 * found by a walk that begins after m. One who walks after m finds no D.
 *
 * <p>Removed directories are emptied in the background ({@link RemovedDirectories}), after what was
 * under way has come to its end; the anchor stays until then.
 */
final class Directories {
  static final CrashPoint AFTER_ENTRY = CrashPoint.named("om.directory.after-entry");

  /** Looks at an anchor that says PENDING before the removal is rolled back: it may be quicker. */
  private static final int PATIENT_LOOKS = 6;

  private static final int SMALL_PAGE = 16;
  private static final int LARGE_PAGE = 1_000;
  private static final ByteString MD5_OF_NOTHING = md5OfNothing();

  private final ObjectRows rows;
  private final Puts puts;
  private final Renames renames;
  private final DirectoryEntries entries;
  private final RenameSlot slot;
  private final Usage usage;
  private final long mostWalkNanos;
  private final DirectoryGuesses known = new DirectoryGuesses();
  private final SecureRandom random = new SecureRandom();

  Directories(
      ObjectRows rows,
      Puts puts,
      Renames renames,
      RenameSlot slot,
      Usage usage,
      Duration deadline) {
    this.rows = rows;
    this.puts = puts;
    this.renames = renames;
    this.entries = new DirectoryEntries(rows);
    this.slot = slot;
    this.usage = usage;
    this.mostWalkNanos = deadline.toNanos();
  }

  /** Something changed under an operation, which has to walk again. */
  static final class Changed extends StoreException {
    private static final long serialVersionUID = 1;

    Changed(String what) {
      super(ErrorCode.CONFLICT, what);
    }
  }

  /** Something is in a directory that was to be removed as empty. */
  static final class NotEmpty extends StoreException {
    private static final long serialVersionUID = 1;

    private final String why;

    NotEmpty(String why) {
      super(ErrorCode.DIRECTORY_NOT_EMPTY, "Cannot remove a directory: " + why);
      this.why = why;
    }

    String why() {
      return why;
    }
  }

  /**
   * A directory that a walk came through.
   *
   * @param entryKey row key of its entry; null: it is the root
   */
  record Step(String entryKey, ObjectVersion entry) {
    static final Step ROOT = new Step(null, ObjectVersion.getDefaultInstance());

    long id() {
      return entry.getDirectoryId();
    }
  }

  /**
   * Where something is, or would be.
   *
   * @param steps the directories above it, from the root on
   * @param walkedNanos when the walk began
   */
  record Place(List<Step> steps, String name, long walkedNanos) {
    Step parent() {
      return steps.get(steps.size() - 1);
    }

    String rowKey() {
      return EntryKeys.entry(parent().id(), name);
    }

    boolean isBelow(long directoryId) {
      return steps.stream().anyMatch(step -> step.entryKey() != null && step.id() == directoryId);
    }
  }

  ObjectRows rows() {
    return rows;
  }

  /** What an entry's row holds; null if nothing. */
  ObjectVersion entry(long bucketId, String rowKey) throws StoreException {
    return rows.find(ObjectRowLayout.row(bucketId, rowKey), false);
  }

  /**
   * The directories from the root to the last of these names; null if one is not there.
   *
   * @param guard asked whether each but the last may be gone through
   */
  List<Step> walk(long bucketId, List<String> names, TreeGuard guard) throws StoreException {
    List<Step> steps = new ArrayList<>(names.size() + 1);
    steps.add(Step.ROOT);
    Deque<ReadAhead> ahead = new ArrayDeque<>();
    for (int i = 0; i < names.size(); i++) {
      requireThrough(steps, names, guard);
      ObjectVersion entry = next(bucketId, steps, names.subList(i, names.size()), ahead);
      if (entry == null) {
        return null;
      }
      String key = EntryKeys.entry(steps.get(steps.size() - 1).id(), names.get(i));
      steps.add(new Step(key, requireDirectory(names.get(i), entry)));
    }
    return steps;
  }

  /** The same as of a snapshot: ids of directories do not change, only where their entries are. */
  List<Step> walkPast(long bucketId, List<String> names, Look past) throws StoreException {
    List<Step> steps = new ArrayList<>(names.size() + 1);
    steps.add(Step.ROOT);
    for (String name : names) {
      String key = EntryKeys.entry(steps.get(steps.size() - 1).id(), name);
      ObjectVersion entry = past.find(ObjectRowLayout.row(bucketId, key));
      if (entry == null) {
        return null;
      }
      steps.add(new Step(key, requireDirectory(name, entry)));
    }
    return steps;
  }

  /** A row that a walk will come to if its guesses are right. */
  private record ReadAhead(long parent, Row row) {}

  /** What the directory that a walk has come to holds under the first of these names, or null. */
  private ObjectVersion next(
      long bucketId, List<Step> steps, List<String> names, Deque<ReadAhead> ahead)
      throws StoreException {
    long parent = steps.get(steps.size() - 1).id();
    if (ahead.isEmpty() || ahead.peek().parent() != parent) {
      ahead.clear(); // of a directory that is not on our way any more
      readAhead(bucketId, parent, names, ahead);
    }
    ObjectVersion entry = rows.scanned(ahead.pop().row());
    known.learn(bucketId, parent, names.get(0), entry == null ? 0 : entry.getDirectoryId());
    return entry;
  }

  private void readAhead(long bucketId, long parent, List<String> names, Deque<ReadAhead> ahead)
      throws StoreException {
    List<Long> parents = new ArrayList<>();
    List<ByteString> keys = new ArrayList<>();
    long directory = parent;
    for (String name : names) {
      parents.add(directory);
      keys.add(ObjectRowLayout.row(bucketId, EntryKeys.entry(directory, name)));
      directory = known.guess(bucketId, directory, name);
      if (directory == 0) {
        break;
      }
    }
    List<Row> read = rows.committer().getAll(keys, List.of(ObjectRowLayout.HEAD));
    for (int i = 0; i < read.size(); i++) {
      ahead.add(new ReadAhead(parents.get(i), read.get(i)));
    }
  }

  /** Where a path would probably be, without a look; null if nothing is known of that. */
  String guess(long bucketId, PathName path) {
    long directory = EntryKeys.ROOT;
    for (String name : path.parents()) {
      directory = known.guess(bucketId, directory, name);
      if (directory == 0) {
        return null;
      }
    }
    return EntryKeys.entry(directory, path.name());
  }

  /**
   * A place, and what is there.
   *
   * @param entry null: nothing
   */
  record Found(Place place, ObjectVersion entry) {}

  /** Where a path leads and what is there, by one walk; null if a directory is not there. */
  Found findEntry(long bucketId, PathName path, TreeGuard guard) throws StoreException {
    long begin = rows.committer().nanos();
    List<Step> steps = new ArrayList<>(path.names().size());
    steps.add(Step.ROOT);
    Deque<ReadAhead> ahead = new ArrayDeque<>();
    for (int i = 0; ; i++) {
      requireThrough(steps, path.names(), guard);
      List<String> left = path.names().subList(i, path.names().size());
      ObjectVersion entry = next(bucketId, steps, left, ahead);
      if (left.size() == 1) {
        return new Found(new Place(steps, path.name(), begin), entry);
      }
      if (entry == null || entry.getDirectoryId() == 0) {
        return null;
      }
      String key = EntryKeys.entry(steps.get(steps.size() - 1).id(), left.get(0));
      steps.add(new Step(key, entry));
    }
  }

  /** That names may be looked up in the last directory of a walk. */
  private void requireThrough(List<Step> steps, List<String> names, TreeGuard guard)
      throws StoreException {
    if (guard.isLimited()) {
      int depth = steps.size() - 1;
      guard.require(
          rows, steps.get(depth), String.join("/", names.subList(0, depth)), FsAction.EXECUTE);
    }
  }

  private static ObjectVersion requireDirectory(String name, ObjectVersion entry)
      throws StoreException {
    if (entry.getDirectoryId() == 0) {
      throw new StoreException(
          ErrorCode.NOT_A_DIRECTORY, "Cannot go through " + name + ": it is a file");
    }
    return entry;
  }

  /** Where a path leads; null if a directory on the way is not there. */
  Place find(long bucketId, PathName path, TreeGuard guard) throws StoreException {
    long begin = rows.committer().nanos();
    List<Step> steps = walk(bucketId, path.parents(), guard);
    if (steps == null) {
      return null;
    }
    requireThrough(steps, path.names(), guard);
    return new Place(steps, path.name(), begin);
  }

  /** The same for a reader: where a file is in the way there is nothing, too. */
  Place findForReader(long bucketId, PathName path, TreeGuard guard) throws StoreException {
    try {
      return find(bucketId, path, guard);
    } catch (StoreException e) {
      if (e.code() == ErrorCode.NOT_A_DIRECTORY) {
        return null;
      }
      throw e;
    }
  }

  /**
   * Where something that is to be made belongs: directories on the way that are not there are made.
   * Refused to who may not write the directory.
   */
  Place make(BucketInfo bucket, PathName path, List<RecordNeedle> records, TreeGuard guard)
      throws StoreException {
    Place place = makeWay(bucket, path, records, guard);
    guard.require(rows, place.parent(), path.parentText(), FsAction.WRITE);
    return place;
  }

  private Place makeWay(
      BucketInfo bucket, PathName path, List<RecordNeedle> records, TreeGuard guard)
      throws StoreException {
    for (int attempt = 0; attempt < ObjectRows.MOST_ATTEMPTS; attempt++) {
      try {
        return tryToMake(bucket, path, records, guard);
      } catch (Changed e) {
        rows.committer().pause().backOff(attempt);
      }
    }
    throw contended(path);
  }

  private Place tryToMake(
      BucketInfo bucket, PathName path, List<RecordNeedle> records, TreeGuard guard)
      throws StoreException {
    Place found = find(bucket.getId(), path, guard);
    if (found != null) {
      return found;
    }
    long begin = rows.committer().nanos();
    List<Step> steps = new ArrayList<>();
    steps.add(Step.ROOT);
    Usage.Room room = Usage.ANY;
    try {
      for (String name : path.parents()) {
        requireThrough(steps, path.names(), guard);
        Place place = new Place(List.copyOf(steps), name, begin);
        ObjectVersion entry = entry(bucket.getId(), place.rowKey());
        if (entry == null) {
          String above = String.join("/", path.names().subList(0, steps.size() - 1));
          guard.require(rows, place.parent(), above, FsAction.WRITE);
          if (room == Usage.ANY) { // for all that are missing: none is made for nothing
            room = usage.require(bucket, path.parents().size() - steps.size() + 1, 0);
          }
          entry = makeImplied(bucket, place, records, guard);
        }
        steps.add(new Step(place.rowKey(), requireDirectory(name, entry)));
      }
    } finally {
      room.close();
    }
    requireThrough(steps, path.names(), guard);
    return new Place(List.copyOf(steps), path.name(), begin);
  }

  private ObjectVersion makeImplied(
      BucketInfo bucket, Place place, List<RecordNeedle> records, TreeGuard guard)
      throws StoreException {
    ObjectVersion made =
        makeEntry(
            bucket,
            place,
            WriteId.random(),
            ObjectVersion.newBuilder()
                .setMd5(MD5_OF_NOTHING)
                .setImplied(true)
                .setMetadata(
                    guard.ofNew(rows, place.parent(), ObjectMetadata.getDefaultInstance(), true))
                .build(),
            records);
    if (made == null) {
      throw new Changed("Cannot make " + place.name() + ": somebody else did");
    }
    return made;
  }

  /** Makes a directory where nothing is; null if something is there by now. */
  private ObjectVersion makeEntry(
      BucketInfo bucket,
      Place place,
      ByteString writeId,
      ObjectVersion version,
      List<RecordNeedle> records)
      throws StoreException {
    ObjectVersion made;
    try {
      made =
          puts.commit(
                  new Puts.Commit(
                      ObjectRowLayout.row(bucket.getId(), place.rowKey()),
                      Versioning.UNVERSIONED,
                      writeId,
                      version.toBuilder().setDirectoryId(newId()).build(),
                      Condition.newBuilder().setMustBeAbsent(true).build(),
                      List.of(),
                      UnaryOperator.identity(),
                      null,
                      EventNote.getDefaultInstance()))
              .version();
    } catch (StoreException e) {
      if (e.code() == ErrorCode.PRECONDITION_FAILED) {
        return null;
      }
      throw e;
    }
    AFTER_ENTRY.reach();
    requireStillThere(bucket.getId(), place);
    records.add(RecordNeedles.committed(bucket, writeId, made));
    return made;
  }

  /** Never 0, which is the root, and not yet used by any probability that counts. */
  private long newId() {
    long id;
    do {
      id = random.nextLong();
    } while (id == EntryKeys.ROOT);
    return id;
  }

  /**
   * Makes a directory that stays when it is empty.
   *
   * @param condition of which only "must be absent" means something
   * @return its entry
   */
  ObjectVersion makeDirectory(
      BucketInfo bucket,
      PathName path,
      ByteString writeId,
      ObjectMetadata metadata,
      Condition condition,
      List<RecordNeedle> records,
      TreeGuard guard)
      throws StoreException {
    for (int attempt = 0; attempt < ObjectRows.MOST_ATTEMPTS; attempt++) {
      try {
        Place place = makeWay(bucket, path, records, guard);
        ByteString row = ObjectRowLayout.row(bucket.getId(), place.rowKey());
        ObjectVersion there = entry(bucket.getId(), place.rowKey());
        ObjectVersion made;
        if (there == null) {
          guard.require(rows, place.parent(), path.parentText(), FsAction.WRITE);
          made =
              makeEntry(
                  bucket,
                  place,
                  writeId,
                  ObjectVersion.newBuilder()
                      .setMd5(MD5_OF_NOTHING)
                      .setMetadata(guard.ofNew(rows, place.parent(), metadata, true))
                      .build(),
                  records);
        } else {
          requireDirectory(path.name(), there);
          requireAsked(condition, there, writeId);
          made =
              entries.set(
                  row,
                  there.getDirectoryId(),
                  false,
                  now -> {
                    requireAsked(condition, now, writeId);
                    guard.requireOf(now.getMetadata(), true, path.text(), FsAction.WRITE);
                    return guard.ofRemade(now, metadata);
                  });
          if (made != null) {
            records.add(RecordNeedles.committed(bucket, writeId, made));
          }
        }
        if (made != null) {
          return made;
        }
      } catch (Changed e) {
        // walk again
      }
      rows.committer().pause().backOff(attempt);
    }
    throw contended(path);
  }

  /** That a directory that is there may be made: nobody made it before, or this request did. */
  private static void requireAsked(Condition condition, ObjectVersion there, ByteString writeId)
      throws StoreException {
    if (condition.getMustBeAbsent() && !there.getImplied() && !there.getWriteId().equals(writeId)) {
      throw new StoreException(
          ErrorCode.PRECONDITION_FAILED, "Precondition failed: there is such a directory");
    }
  }

  /**
   * That the one may remove a directory with all that is in it: HDFS asks for every right to each
   * directory below that is not empty. Reads all entries below, for who is bound by permissions.
   */
  void requireRemovable(BucketInfo bucket, Step directory, String path, TreeGuard guard)
      throws StoreException {
    if (!guard.isLimited()) {
      return;
    }
    Deque<Below> left = new ArrayDeque<>();
    left.push(new Below(directory, path));
    while (!left.isEmpty()) {
      Below next = left.pop();
      ByteString anchor = ObjectRowLayout.row(bucket.getId(), EntryKeys.anchor(next.step().id()));
      ByteString end = ObjectRowLayout.behindPrefix(anchor);
      ByteString from = ObjectRowLayout.behind(anchor);
      boolean asked = false;
      while (true) {
        List<Row> page =
            rows.committer().scan(from, end, 'c', ObjectRowLayout.HEAD.qualifier(), LARGE_PAGE);
        for (Row row : page) {
          from = ObjectRowLayout.behind(row.key());
          ObjectVersion entry = rows.scanned(row);
          if (entry == null) {
            continue;
          }
          if (!asked) {
            guard.require(rows, next.step(), next.path(), FsAction.ALL);
            asked = true;
          }
          String name = row.key().substring(anchor.size()).toStringUtf8();
          String entryPath = next.path() + "/" + name;
          guard.requireRemovable(rows, next.step(), entry, entryPath);
          if (entry.getDirectoryId() != 0) {
            String key = EntryKeys.entry(next.step().id(), name);
            left.push(new Below(new Step(key, entry), entryPath));
          }
        }
        if (page.size() < LARGE_PAGE) {
          break;
        }
      }
    }
  }

  private record Below(Step step, String path) {}

  /**
   * After something was committed at a place: that its directory was not removed as empty by one
   * who did not see it. Throws {@link Changed} if it was.
   */
  void requireStillThere(long bucketId, Place place) throws StoreException {
    boolean removed;
    try {
      removed = place.parent().id() != EntryKeys.ROOT && isRemoved(bucketId, place.parent().id());
    } catch (StoreException e) {
      throw new OutcomeUnknownException(
          "Cannot tell whether the directory of " + place.name() + " is still there", e);
    }
    if (removed) {
      throw new Changed("Cannot use the directory of " + place.name() + ": it was removed");
    }
    if (rows.committer().nanos() - place.walkedNanos() > mostWalkNanos) {
      // What says that a directory was removed may have been cleared since.
      throw new OutcomeUnknownException(
          "Cannot tell whether the directory of "
              + place.name()
              + " is still there: it was looked up too long ago",
          null);
    }
  }

  /** Whether a directory was removed; ends a removal that was not decided. */
  boolean isRemoved(long bucketId, long directoryId) throws StoreException {
    ByteString row = ObjectRowLayout.row(bucketId, EntryKeys.anchor(directoryId));
    for (int attempt = 0; attempt < PATIENT_LOOKS; attempt++) {
      SeenRow seen = rows.read(row, List.of());
      if (seen.head() == null || seen.head().state() != HeadState.PENDING) {
        return seen.isLive();
      }
      rows.committer().pause().backOff(attempt);
    }
    return rows.readSettled(row, List.of()).isLive();
  }

  /** Who may remove a directory. */
  enum Removal {
    /** If nothing is in it. */
    EMPTY,
    /** If nothing is in it and nobody made it. */
    EMPTY_AND_IMPLIED,
    /** With all that is in it. */
    RECURSIVE
  }

  /**
   * Removes a directory in one step; idempotent by the id.
   *
   * @return null if there is no such directory any more; {@link NotEmpty}, or {@link Changed},
   *     where it is not as the removal wants it
   */
  Renames.Renamed remove(BucketInfo bucket, Step directory, ByteString id, Removal how)
      throws StoreException {
    return remove(bucket, directory, id, how, moving -> {});
  }

  /** The same where somebody wants to see the entry that is removed. */
  Renames.Renamed remove(
      BucketInfo bucket, Step directory, ByteString id, Removal how, Renames.Guard more)
      throws StoreException {
    long directoryId = directory.id();
    try {
      return renames.rename(
          bucket,
          directory.entryKey(),
          EntryKeys.anchor(directoryId),
          id,
          false,
          moving -> {
            if (moving.getDirectoryId() != directoryId) {
              throw new Changed("Cannot remove a directory: another is in its place");
            }
            if (how == Removal.EMPTY_AND_IMPLIED && !moving.getImplied()) {
              throw new Changed("Cannot remove a directory that somebody made");
            }
            if (how != Removal.RECURSIVE) {
              requireEmpty(bucket.getId(), directoryId);
            }
            more.check(moving);
          });
    } catch (StoreException e) {
      if (e.code() == ErrorCode.NO_SUCH_KEY) {
        return null;
      }
      throw e;
    }
  }

  private void requireEmpty(long bucketId, long directoryId) throws StoreException {
    // Before the entries: an upload that is completed between the two looks is seen by the second.
    boolean uploads = hasUploads(bucketId, directoryId);
    if (hasEntries(bucketId, directoryId)) {
      throw new NotEmpty("it is not empty");
    }
    if (uploads) {
      throw new NotEmpty(
          "there is a multipart upload to a key in it that nobody has completed or aborted");
    }
  }

  /** Whether a directory has no entry, and no upload is under way to one. Settles renames. */
  boolean isEmpty(long bucketId, long directoryId) throws StoreException {
    return !hasUploads(bucketId, directoryId) && !hasEntries(bucketId, directoryId);
  }

  private boolean hasUploads(long bucketId, long directoryId) throws StoreException {
    ByteString anchor = ObjectRowLayout.row(bucketId, EntryKeys.anchor(directoryId));
    ByteString end = ObjectRowLayout.behindPrefix(anchor);
    return !rows.committer().scan(anchor, end, 'x', ObjectRowLayout.UPLOAD_HEADERS, 1).isEmpty();
  }

  private boolean hasEntries(long bucketId, long directoryId) throws StoreException {
    ByteString anchor = ObjectRowLayout.row(bucketId, EntryKeys.anchor(directoryId));
    ByteString end = ObjectRowLayout.behindPrefix(anchor);
    ByteString from = ObjectRowLayout.behind(anchor);
    int pageSize = SMALL_PAGE;
    while (true) {
      List<Row> page =
          rows.committer()
              .scanHeads(from, end, Set.of(HeadState.ABSENT, HeadState.MOVED), "c", 1, pageSize);
      for (Row row : page) {
        from = ObjectRowLayout.behind(row.key());
        Head head = Head.parse(row.value(ObjectRowLayout.HEAD));
        if (head.state() == HeadState.PENDING) {
          head = rows.readSettled(row.key(), List.of()).head();
        }
        if (head != null && head.isVersion()) {
          return true;
        }
      }
      if (page.size() < pageSize) {
        return false;
      }
      pageSize = LARGE_PAGE;
    }
  }

  /**
   * After something went from a place: directories above that nobody made, and that are empty now,
   * go with it. What a crash leaves is a directory without keys, which holds nobody up.
   */
  void prune(BucketInfo bucket, List<Step> steps, List<RecordNeedle> records)
      throws StoreException {
    for (int i = steps.size() - 1; i > 0; i--) {
      Step step = steps.get(i);
      if (!step.entry().getImplied() || !isEmpty(bucket.getId(), step.id())) {
        return;
      }
      ByteString id = WriteId.random();
      try {
        Renames.Renamed removed = remove(bucket, step, id, Removal.EMPTY_AND_IMPLIED);
        if (removed == null) {
          return;
        }
        record(bucket, id, step.entryKey(), removed, records);
      } catch (Changed | NotEmpty e) {
        return;
      }
    }
  }

  /** Says of a directory that it is there only for what is in it; null if it is gone. */
  ObjectVersion imply(BucketInfo bucket, Step directory) throws StoreException {
    return entries.set(
        ObjectRowLayout.row(bucket.getId(), directory.entryKey()),
        directory.id(),
        true,
        DirectoryEntries.Change.NOTHING);
  }

  /** Says something of a directory, which stays from now on; null if it is gone. */
  ObjectVersion makeKnown(BucketInfo bucket, Step directory, DirectoryEntries.Change change)
      throws StoreException {
    return entries.set(
        ObjectRowLayout.row(bucket.getId(), directory.entryKey()), directory.id(), false, change);
  }

  /** A rename's record, for a rebuild. */
  static void record(
      BucketInfo bucket,
      ByteString id,
      String sourceKey,
      Renames.Renamed renamed,
      List<RecordNeedle> records) {
    if (renamed.isToBeRecorded()) {
      records.addAll(RecordNeedles.moved(bucket, id, sourceKey, renamed));
    }
  }

  /**
   * Renames a file or directory; idempotent by the id. A directory is never moved onto anything,
   * and a file onto a file only.
   */
  Renames.Renamed rename(
      BucketInfo bucket,
      PathName source,
      PathName target,
      ByteString id,
      boolean overwrite,
      List<RecordNeedle> records,
      TreeGuard guard)
      throws StoreException {
    for (int attempt = 0; attempt < ObjectRows.MOST_ATTEMPTS; attempt++) {
      Place from = find(bucket.getId(), source, guard);
      Place to = find(bucket.getId(), target, guard);
      if (from == null || to == null) {
        throw new StoreException(
            ErrorCode.NO_SUCH_KEY,
            "Cannot rename "
                + source.names()
                + " to "
                + target.names()
                + ": no such directory on the way to the "
                + (from == null ? "first" : "second"));
      }
      guard.require(rows, from.parent(), source.parentText(), FsAction.WRITE);
      guard.require(rows, to.parent(), target.parentText(), FsAction.WRITE);
      if (overwrite && guard.isLimited()) {
        ObjectVersion replaced = entry(bucket.getId(), to.rowKey());
        if (replaced != null) {
          guard.requireRemovable(rows, to.parent(), replaced, target.text());
        }
      }
      Moving mayMove = now -> guard.requireRemovable(rows, from.parent(), now, source.text());
      try {
        Renames.Renamed renamed = rename(bucket, from, to, target, id, overwrite, mayMove);
        record(bucket, id, from.rowKey(), renamed, records);
        return renamed;
      } catch (Changed e) {
        rows.committer().pause().backOff(attempt);
      }
    }
    throw contended(source);
  }

  /** Looks at what is about to be moved, as its row holds it then. */
  private interface Moving {
    void require(ObjectVersion now) throws StoreException;
  }

  private Renames.Renamed rename(
      BucketInfo bucket,
      Place from,
      Place to,
      PathName target,
      ByteString id,
      boolean overwrite,
      Moving mayMove)
      throws StoreException {
    boolean sameParent = from.parent().id() == to.parent().id();
    ObjectVersion moving = entry(bucket.getId(), from.rowKey());
    if (sameParent || moving == null || moving.getDirectoryId() == 0) {
      return renames.rename(
          bucket,
          from.rowKey(),
          to.rowKey(),
          id,
          overwrite,
          now -> {
            mayMove.require(now);
            if (!sameParent && now.getDirectoryId() != 0) {
              throw new Changed("Cannot rename: it is a directory by now");
            }
            requireStillThere(bucket.getId(), to);
          });
    }
    requireNotBelow(to, moving);
    ByteString sourceRow = ObjectRowLayout.row(bucket.getId(), from.rowKey());
    try (RenameSlot.Held held = slot.take(bucket.getName(), id, sourceRow)) {
      return renames.rename(
          bucket,
          from.rowKey(),
          to.rowKey(),
          id,
          overwrite,
          now -> {
            mayMove.require(now);
            // The source's head was read before; RenameSlot says why that order counts.
            Place again = find(bucket.getId(), target, TreeGuard.NOBODYS);
            if (again == null || again.parent().id() != to.parent().id()) {
              throw new Changed("Cannot rename: the target's directory was moved");
            }
            requireNotBelow(again, now);
            if (!held.isStillHeld()) {
              throw new Changed("Cannot rename: it took so long that others went on");
            }
            requireStillThere(bucket.getId(), again);
          });
    }
  }

  private static void requireNotBelow(Place to, ObjectVersion moving) throws StoreException {
    if (to.isBelow(moving.getDirectoryId())) {
      throw new StoreException(
          ErrorCode.INVALID_ARGUMENT, "Cannot rename a directory to a place below itself");
    }
  }

  static StoreException contended(PathName path) {
    return new StoreException(
        ErrorCode.CONFLICT,
        "Cannot get a turn at " + path.names() + ": lost too many attempts to others");
  }

  private static ByteString md5OfNothing() {
    try {
      return ByteString.copyFrom(MessageDigest.getInstance("MD5").digest());
    } catch (NoSuchAlgorithmException e) {
      throw new IllegalStateException(e);
    }
  }
}
