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
import io.stowage.common.id.WriteId;
import io.stowage.common.proto.AbortUploadRequest;
import io.stowage.common.proto.BucketInfo;
import io.stowage.common.proto.CompleteUploadReply;
import io.stowage.common.proto.CompleteUploadRequest;
import io.stowage.common.proto.CreateUploadReply;
import io.stowage.common.proto.CreateUploadRequest;
import io.stowage.common.proto.DeleteDirectoryReply;
import io.stowage.common.proto.DeleteDirectoryRequest;
import io.stowage.common.proto.FindPathReply;
import io.stowage.common.proto.FindPathRequest;
import io.stowage.common.proto.GetObjectReply;
import io.stowage.common.proto.GetObjectRequest;
import io.stowage.common.proto.ListObjectsReply;
import io.stowage.common.proto.ListObjectsRequest;
import io.stowage.common.proto.ListPartsReply;
import io.stowage.common.proto.ListPartsRequest;
import io.stowage.common.proto.ListUploadsReply;
import io.stowage.common.proto.ListUploadsRequest;
import io.stowage.common.proto.ListVersionsReply;
import io.stowage.common.proto.ListVersionsRequest;
import io.stowage.common.proto.ListedVersion;
import io.stowage.common.proto.Manifest;
import io.stowage.common.proto.ObjectMetadata;
import io.stowage.common.proto.ObjectToDelete;
import io.stowage.common.proto.ObjectVersion;
import io.stowage.common.proto.PlaceObjectReply;
import io.stowage.common.proto.PlaceObjectRequest;
import io.stowage.common.proto.PutObjectReply;
import io.stowage.common.proto.PutObjectRequest;
import io.stowage.common.proto.PutPartRequest;
import io.stowage.common.proto.RecordNeedle;
import io.stowage.common.proto.SetObjectMetadataRequest;
import io.stowage.common.proto.UploadInfo;
import io.stowage.common.proto.UploadedPart;
import io.stowage.om.bucket.Usage;
import io.stowage.om.object.Deletes;
import io.stowage.om.object.Gets;
import io.stowage.om.object.Look;
import io.stowage.om.object.MetadataChanges;
import io.stowage.om.object.ObjectRows;
import io.stowage.om.object.Puts;
import io.stowage.om.object.RecordNeedles;
import io.stowage.om.object.Renames;
import io.stowage.om.object.SeenRow;
import io.stowage.om.row.RowCommitter;
import io.stowage.om.table.Head;
import io.stowage.om.table.HeadState;
import io.stowage.om.table.ObjectRowLayout;
import io.stowage.om.upload.Uploads;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import org.apache.hadoop.fs.permission.FsAction;
import org.apache.hadoop.thirdparty.protobuf.ByteString;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * What an object manager does in buckets of layout FILE_SYSTEM: finds the row that a path means,
 * has the operation on it done as in any other bucket, and looks afterwards whether its directory
 * is still there. Callers see paths, rows see directory ids. Thread-safe.
 *
 * <p><b>Keys of S3 are paths.</b> A file is the key of its path. A directory that somebody made is
 * the key of its path with a slash, an object of no bytes; one that nobody made is there as long as
 * something is in it, as in buckets where directories are only imagined. So S3 sees what it would
 * see in a bucket of layout OBJECT, but that {@code a} and {@code a/b} cannot be there at once, and
 * that keys that are no paths are refused.
 */
public final class FileSystemBuckets {
  private static final Logger LOG = LoggerFactory.getLogger(FileSystemBuckets.class);

  private final Directories directories;
  private final TreeListing listing;
  private final ObjectRows rows;
  private final Puts puts;
  private final Gets gets;
  private final Deletes deletes;
  private final MetadataChanges metadataChanges;
  private final Uploads uploads;

  public FileSystemBuckets(
      RowCommitter buckets,
      ObjectRows rows,
      Puts puts,
      Gets gets,
      Deletes deletes,
      MetadataChanges metadataChanges,
      Renames renames,
      Uploads uploads,
      Usage usage,
      Duration mutationDeadline) {
    this.directories =
        new Directories(
            rows, puts, renames, new RenameSlot(buckets, rows), usage, mutationDeadline);
    this.listing = new TreeListing(directories);
    this.rows = rows;
    this.puts = puts;
    this.gets = gets;
    this.deletes = deletes;
    this.metadataChanges = metadataChanges;
    this.uploads = uploads;
  }

  /** For who empties directories that were removed. */
  public RemovedDirectories removed() {
    return new RemovedDirectories(directories, deletes, uploads);
  }

  /** Whether there is no file and no directory that somebody made. */
  public boolean isEmpty(BucketInfo bucket) throws StoreException {
    ListObjectsReply first =
        listing.list(
            bucket.getId(), ListObjectsRequest.newBuilder().setLimit(1).build(), TreeGuard.NOBODYS);
    return first.getObjectsCount() == 0;
  }

  public PlaceObjectReply place(BucketInfo bucket, PlaceObjectRequest request, TreeGuard guard)
      throws StoreException {
    List<RecordNeedle> records = new ArrayList<>();
    PathName path = PathName.parseNew(request.getKey());
    // A guess that is wrong costs the put a name in the row guessed, no more.
    String guess = guard.isLimited() ? null : directories.guess(bucket.getId(), path);
    if (guess == null) {
      guess = way(bucket, path, request.getInExistingDirectory(), records, guard).rowKey();
    }
    return PlaceObjectReply.newBuilder().setRowKey(guess).addAllRecords(records).build();
  }

  /**
   * Where something that is to be made belongs.
   *
   * @param there NO_SUCH_KEY where a directory on the way is missing; else it is made
   */
  private Directories.Place way(
      BucketInfo bucket, PathName path, boolean there, List<RecordNeedle> records, TreeGuard guard)
      throws StoreException {
    if (!there) {
      return directories.make(bucket, path, records, guard);
    }
    Directories.Place place = directories.find(bucket.getId(), path, guard);
    if (place == null) {
      throw noSuchWay(path);
    }
    guard.require(rows, place.parent(), path.parentText(), FsAction.WRITE);
    return place;
  }

  private static StoreException noSuchWay(PathName path) {
    return new StoreException(
        ErrorCode.NO_SUCH_KEY,
        "Cannot put " + path.text() + ": its directory is not there, or not any more");
  }

  /**
   * After a file was put that is not to make its way: that the way still leads to it. A directory
   * above may have been moved since the walk; the row knows nothing of that, and who looked into
   * the directory at its new path may have missed the file. It stays where it is: it may have
   * replaced another.
   */
  private void requireStillOnTheWay(BucketInfo bucket, PathName path, Directories.Place place)
      throws StoreException {
    Directories.Place now;
    try {
      now = directories.find(bucket.getId(), path, TreeGuard.NOBODYS);
    } catch (StoreException e) {
      throw unacknowledged(path, e);
    }
    if (now == null || !now.rowKey().equals(place.rowKey())) {
      throw new OutcomeUnknownException(
          "Cannot acknowledge " + path.text() + ": its directory was moved or removed meanwhile",
          null);
    }
  }

  /** Of what was put: an error that says no more than that would be taken for a refusal. */
  private static OutcomeUnknownException unacknowledged(PathName path, StoreException why) {
    return why instanceof OutcomeUnknownException unknown
        ? unknown
        : new OutcomeUnknownException(
            "Cannot acknowledge " + path.text() + ": " + why.getMessage(), why);
  }

  /**
   * What was to be put at a key is not: directories go that were made on the way and hold nothing.
   * Best effort: what stays is found empty, and goes with what is put there and deleted.
   */
  public void forsake(BucketInfo bucket, String key) {
    try {
      Directories.Place place =
          directories.find(bucket.getId(), PathName.parseNew(key), TreeGuard.NOBODYS);
      if (place != null) {
        directories.prune(bucket, place.steps(), new ArrayList<>());
      }
    } catch (StoreException e) {
      LOG.info("Left the directories of {} as they are: {}", key, e.toString());
    }
  }

  /** What a path is; null: nothing, and no more is to be told of that. */
  public FindPathReply find(BucketInfo bucket, FindPathRequest request, TreeGuard guard)
      throws StoreException {
    String path = request.getPath();
    PathName name = PathName.parse(path);
    if (name.isRoot()) {
      ObjectMetadata root = TreeGuard.root(bucket);
      guard.requireOf(root, true, "", actionOf(request.getWanted()));
      return FindPathReply.newBuilder()
          .setDirectory(true)
          .setVersion(
              ObjectVersion.newBuilder()
                  .setMetadata(guard.shownRoot(root))
                  .setStamp(stampOfRoot(bucket))
                  .setModifiedMicros(bucket.getCreatedMicros())
                  .setImplied(true))
          .build();
    }
    Directories.Found found = directories.findEntry(bucket.getId(), name, guard);
    if (found == null) {
      return null;
    }
    Directories.Step above = found.place().parent();
    boolean inMade = above.entryKey() == null || !above.entry().getImplied();
    if (found.entry() == null) {
      return request.getWantAbsence()
          ? FindPathReply.newBuilder().setAbsent(true).setInMadeDirectory(inMade).build()
          : null;
    }
    ObjectVersion entry = found.entry();
    boolean directory = entry.getDirectoryId() != 0;
    if (request.getWantAll()) {
      entry = rows.find(ObjectRowLayout.row(bucket.getId(), found.place().rowKey()), true);
      if (entry == null || (entry.getDirectoryId() != 0) != directory) {
        return null;
      }
    }
    guard.require(rows, found.place().rowKey(), entry, path, actionOf(request.getWanted()));
    entry = guard.shown(rows, found.place().rowKey(), entry, path);
    return FindPathReply.newBuilder()
        .setVersion(TreeListing.told(directory ? path + "/" : path, entry))
        .setDirectory(directory)
        .setInMadeDirectory(inMade)
        .build();
  }

  /** Of three bits, read, write and go through, as POSIX has them. */
  private static FsAction actionOf(int bits) throws StoreException {
    if (bits < 0 || bits > 7) {
      throw new StoreException(
          ErrorCode.INVALID_ARGUMENT, "Cannot ask for access " + bits + ": 0 to 7 there are");
    }
    return FsAction.getFsAction(
        ((bits & 4) == 0 ? "-" : "r")
            + ((bits & 2) == 0 ? "-" : "w")
            + ((bits & 1) == 0 ? "-" : "x"));
  }

  /**
   * Row key of a file that is there, for who writes it; NO_SUCH_KEY if there is none.
   *
   * @param begun whether he holds the file open; then his own need not be one that he may write
   */
  public String rowKeyForWriter(BucketInfo bucket, String key, boolean begun, TreeGuard guard)
      throws StoreException {
    PathName path = PathName.parseOrRoot(key);
    Directories.Found found =
        path.isRoot() ? null : directories.findEntry(bucket.getId(), path, guard);
    if (found == null
        || found.entry() == null
        || path.directory()
        || found.entry().getDirectoryId() != 0) {
      throw noSuchKey(key);
    }
    String rowKey = found.place().rowKey();
    if (begun) {
      guard.requireOwnerOrWriter(rows, rowKey, found.entry(), path.text());
    } else {
      guard.require(rows, rowKey, found.entry(), path.text(), FsAction.WRITE);
    }
    return rowKey;
  }

  /**
   * The row that a file's writer was told when he opened it: the path may have changed since, with
   * the name of a directory above, and costs reads. What he may do there is decided by the lease,
   * and he has to own the file or be one who may write it.
   *
   * @param closing refuse where the file was deleted with its directory, which its row does not
   *     tell before it is collected
   */
  public String rowKeyOfLease(
      BucketInfo bucket, String key, String rowKey, boolean closing, TreeGuard guard)
      throws StoreException {
    Long directory = EntryKeys.directoryOf(rowKey);
    if (directory == null) {
      throw new StoreException(
          ErrorCode.INVALID_ARGUMENT, "Cannot go on writing " + key + ": no row is named so");
    }
    if (guard.isLimited()) {
      ObjectVersion entry = directories.entry(bucket.getId(), rowKey);
      if (entry == null || entry.getDirectoryId() != 0) {
        throw noSuchKey(key);
      }
      guard.requireOwnerOrWriter(rows, rowKey, entry, key);
    }
    if (closing && directories.isRemoved(bucket.getId(), directory)) {
      throw new StoreException(
          ErrorCode.NO_SUCH_KEY, "Cannot close " + key + ": its directory was deleted");
    }
    return rowKey;
  }

  public GetObjectReply get(BucketInfo bucket, GetObjectRequest request, TreeGuard guard)
      throws StoreException {
    PathName path = PathName.parseOrRoot(request.getKey());
    Directories.Place place =
        path.isRoot() ? null : directories.findForReader(bucket.getId(), path, guard);
    if (place == null) {
      throw noSuchKey(request.getKey());
    }
    GetObjectReply found;
    try {
      found = gets.get(bucket.getId(), request.toBuilder().setKey(place.rowKey()).build());
    } catch (StoreException e) {
      throw inWordsOf(request.getKey(), place, e);
    }
    requireMeant(request.getKey(), path, found.getVersion());
    if (request.getWantManifest() || !path.directory()) { // of a file a look tells its digests
      guard.requireOf(
          found.getVersion().getMetadata(), path.directory(), path.text(), FsAction.READ);
    }
    return found.toBuilder()
        .setRowKey(request.getWantManifest() ? place.rowKey() : "")
        .setVersion(found.getVersion().toBuilder().setKey(request.getKey()))
        .build();
  }

  /** A key means a file, one with a slash a directory that somebody made. */
  private static void requireMeant(String key, PathName path, ObjectVersion entry)
      throws StoreException {
    boolean directory = entry.getDirectoryId() != 0;
    if (directory != path.directory() || (directory && entry.getImplied())) {
      throw noSuchKey(key);
    }
  }

  private static StoreException noSuchKey(String key) {
    return new StoreException(ErrorCode.NO_SUCH_KEY, "Cannot find key " + key);
  }

  /** An error of an operation on a row, told to one who knows paths. */
  private static StoreException inWordsOf(String key, Directories.Place place, StoreException e) {
    if (e.code().blame() != ErrorCode.Blame.CALLER || e instanceof Directories.Changed) {
      return e;
    }
    return StoreException.of(e.code(), e.getMessage().replace(place.rowKey(), key));
  }

  public PutObjectReply put(BucketInfo bucket, PutObjectRequest request, TreeGuard guard)
      throws StoreException {
    Puts.requireWriteId(request.getWriteId());
    PathName path = PathName.parseNew(request.getKey());
    List<RecordNeedle> records = new ArrayList<>();
    if (path.directory()) {
      return putDirectory(bucket, path, request, records, guard);
    }
    boolean there = request.getInExistingDirectory() || request.getWayWasThere();
    for (int attempt = 0; attempt < ObjectRows.MOST_ATTEMPTS; attempt++) {
      Directories.Place place = way(bucket, path, there, records, guard);
      ByteString row = ObjectRowLayout.row(bucket.getId(), place.rowKey());
      requireReplaceable(bucket, place, path, request.getWriteId(), guard);
      ObjectMetadata metadata = guard.ofNew(rows, place.parent(), request.getMetadata(), false);
      Manifest manifest = inRow(bucket, row, request.getManifest());
      ByteString origin = manifest.getOriginRow();
      if (!origin.isEmpty()) {
        if (isDoneInAnother(bucket, origin, request.getWriteId())) {
          if (!there) {
            forsake(bucket, request.getKey());
          }
          throw noSuchWay(path);
        }
        rows.noteForwarding(origin, row);
      }
      PutObjectReply reply;
      try {
        reply =
            puts.put(
                    bucket,
                    RecordNeedles.with(metadata, request).toBuilder()
                        .setKey(place.rowKey())
                        .setManifest(manifest)
                        .build())
                .reply();
      } catch (StoreException e) {
        throw inWordsOf(request.getKey(), place, e);
      }
      try {
        if (!origin.isEmpty()) {
          rows.noteForwarding(origin, row); // it may have been trimmed before there was a head
        }
        directories.requireStillThere(bucket.getId(), place);
      } catch (Directories.Changed e) {
        withdraw(bucket, place, reply.getVersion());
        rows.committer().pause().backOff(attempt);
        continue;
      } catch (StoreException e) {
        throw unacknowledged(path, e);
      }
      if (request.getInExistingDirectory()) {
        requireStillOnTheWay(bucket, path, place);
      }
      PutObjectReply.Builder told =
          reply.toBuilder()
              .setVersion(reply.getVersion().toBuilder().setKey(request.getKey()))
              .addAllRecords(records);
      if (reply.hasLease()) {
        told.getLeaseBuilder().setRowKey(place.rowKey());
      }
      return told.build();
    }
    throw Directories.contended(path);
  }

  /**
   * Whether an earlier sending of a put did it in another directory, which was there and was moved
   * since: then it is not done again in the one that is in its place by now. What went with a
   * directory that was removed was not done, as {@link Directories#requireStillThere} has it.
   */
  private boolean isDoneInAnother(BucketInfo bucket, ByteString origin, ByteString writeId)
      throws StoreException {
    if (!puts.isDone(origin, writeId)) {
      return false;
    }
    Long directory = EntryKeys.directoryOf(ObjectRowLayout.key(origin));
    return directory == null
        || directory == EntryKeys.ROOT
        || !directories.isRemoved(bucket.getId(), directory);
  }

  /**
   * Whether an earlier sending of a put did it, as far as the row tells that the way leads to: of
   * what was moved since nothing is found. By what the needles name, who has no room left could put
   * any number of files under the write id of one.
   */
  public boolean isDone(BucketInfo bucket, PutObjectRequest request) throws StoreException {
    Directories.Place place =
        directories.find(bucket.getId(), PathName.parseNew(request.getKey()), TreeGuard.NOBODYS);
    return place != null
        && puts.isDone(ObjectRowLayout.row(bucket.getId(), place.rowKey()), request.getWriteId());
  }

  /**
   * That what stands at a place, if anything, may be written. What the same request has made before
   * its answer was lost need not be: it may have made it read-only.
   *
   * @param writeId of who is about to make something there; empty: not yet
   */
  private void requireReplaceable(
      BucketInfo bucket,
      Directories.Place place,
      PathName path,
      ByteString writeId,
      TreeGuard guard)
      throws StoreException {
    if (guard.isLimited()) {
      ObjectVersion there = directories.entry(bucket.getId(), place.rowKey());
      boolean made =
          there != null && there.getWriteId().equals(writeId) && guard.isOwner(there, path.text());
      if (there != null && !made) {
        guard.require(rows, place.rowKey(), there, path.text(), FsAction.WRITE);
      }
    }
  }

  /**
   * A manifest as a row keeps it: the row that its needles name is left out where it is this one.
   */
  private static Manifest inRow(BucketInfo bucket, ByteString row, Manifest manifest)
      throws StoreException {
    ByteString origin = manifest.getOriginRow();
    if (manifest.getExtentsCount() == 0 || origin.equals(row)) {
      return manifest.toBuilder().clearOriginRow().build();
    }
    if (!isRowOf(bucket, origin)) {
      throw new StoreException(
          ErrorCode.INVALID_ARGUMENT,
          "Cannot put into a bucket of layout FILE_SYSTEM: it was not asked where the object is to"
              + " be");
    }
    return manifest;
  }

  private static boolean isRowOf(BucketInfo bucket, ByteString row) {
    return row.size() >= ObjectRowLayout.BUCKET_ID_BYTES + EntryKeys.ID_DIGITS
        && ObjectRowLayout.bucketId(row) == bucket.getId();
  }

  /** What was put into a directory that is no more would be collected with it; so it is sooner. */
  private void withdraw(BucketInfo bucket, Directories.Place place, ObjectVersion version) {
    try {
      deletes.delete(
          bucket,
          ObjectToDelete.newBuilder()
              .setKey(place.rowKey())
              .setWriteId(WriteId.random())
              .setVersionId(version.getVersionId())
              .build());
    } catch (StoreException e) {
      // It is left to the collector.
    }
  }

  private PutObjectReply putDirectory(
      BucketInfo bucket,
      PathName path,
      PutObjectRequest request,
      List<RecordNeedle> records,
      TreeGuard guard)
      throws StoreException {
    if (request.getLength() != 0) {
      throw new StoreException(
          ErrorCode.INVALID_ARGUMENT,
          "Cannot put "
              + request.getLength()
              + " bytes under "
              + request.getKey()
              + ": a directory of a bucket of layout FILE_SYSTEM holds none");
    }
    ObjectVersion made =
        directories.makeDirectory(
            bucket,
            path,
            request.getWriteId(),
            request.getMetadata(),
            request.getCondition(),
            records,
            guard);
    return PutObjectReply.newBuilder()
        .setVersion(TreeListing.told(request.getKey(), made))
        .setWantsRecord(true)
        .addAllRecords(records)
        .build();
  }

  /**
   * Deletes a file, or what makes a directory a key.
   *
   * @param records for a rebuild, of what went besides
   */
  public Deletes.Deleted delete(
      BucketInfo bucket, ObjectToDelete what, List<RecordNeedle> records, TreeGuard guard)
      throws StoreException {
    PathName path = PathName.parseOrRoot(what.getKey());
    Directories.Place place =
        path.isRoot() ? null : directories.findForReader(bucket.getId(), path, guard);
    if (place == null) {
      return Deletes.Deleted.NOTHING;
    }
    requireRemovable(bucket, place, path, guard);
    if (path.directory()) {
      deleteMarker(bucket, place, records);
      return Deletes.Deleted.NOTHING;
    }
    Deletes.Deleted deleted;
    try {
      deleted = deletes.delete(bucket, what.toBuilder().setKey(place.rowKey()).build());
    } catch (StoreException e) {
      if (e.code() == ErrorCode.IS_A_DIRECTORY) {
        return Deletes.Deleted.NOTHING; // there is no such file
      }
      throw inWordsOf(what.getKey(), place, e);
    }
    if (deleted.stamp() != 0) {
      records.add(
          RecordNeedles.deleted(
              bucket,
              what.toBuilder().setKey(place.rowKey()).build(),
              deleted.stamp(),
              deleted.version()));
      directories.prune(bucket, place.steps(), records);
    }
    return deleted;
  }

  /** That the entry at a place may be taken away. */
  private void requireRemovable(
      BucketInfo bucket, Directories.Place place, PathName path, TreeGuard guard)
      throws StoreException {
    if (guard.isLimited()) {
      guard.require(rows, place.parent(), path.parentText(), FsAction.WRITE);
      ObjectVersion there = directories.entry(bucket.getId(), place.rowKey());
      if (there != null) {
        guard.requireRemovable(rows, place.parent(), there, path.text());
      }
    }
  }

  private void deleteMarker(BucketInfo bucket, Directories.Place place, List<RecordNeedle> records)
      throws StoreException {
    ObjectVersion entry = directories.entry(bucket.getId(), place.rowKey());
    if (entry == null || entry.getDirectoryId() == 0 || entry.getImplied()) {
      return;
    }
    ObjectVersion implied = directories.imply(bucket, new Directories.Step(place.rowKey(), entry));
    if (implied == null) {
      return;
    }
    records.add(RecordNeedles.committed(bucket, WriteId.random(), implied));
    List<Directories.Step> steps = new ArrayList<>(place.steps());
    steps.add(new Directories.Step(place.rowKey(), implied));
    directories.prune(bucket, steps, records);
  }

  /** Removes a directory in one step; idempotent by the write id. */
  public DeleteDirectoryReply deleteDirectory(
      BucketInfo bucket, DeleteDirectoryRequest request, TreeGuard guard) throws StoreException {
    ByteString id = request.getWriteId();
    Puts.requireWriteId(id);
    PathName path = PathName.parse(request.getPath());
    if (path.isRoot()) {
      throw new StoreException(ErrorCode.INVALID_ARGUMENT, "Cannot delete the root of a bucket");
    }
    List<RecordNeedle> records = new ArrayList<>();
    DeleteDirectoryReply.Builder reply = DeleteDirectoryReply.newBuilder();
    for (int attempt = 0; attempt < ObjectRows.MOST_ATTEMPTS; attempt++) {
      Directories.Place place = directories.findForReader(bucket.getId(), path, guard);
      if (place == null) {
        return reply.build();
      }
      SeenRow seen =
          rows.readSettled(
              ObjectRowLayout.row(bucket.getId(), place.rowKey()),
              List.of(ObjectRowLayout.superseded(id)));
      Head own = seen.writtenBy(id);
      if (own != null && (own.state() == HeadState.MOVED || own.state() == HeadState.ABSENT)) {
        return reply.setDeleted(true).build();
      }
      if (!seen.isLive()) {
        return reply.build();
      }
      ObjectVersion entry = seen.head().record().getVersion();
      if (entry.getDirectoryId() == 0) {
        throw new StoreException(
            ErrorCode.NOT_A_DIRECTORY,
            "Cannot delete directory " + request.getPath() + ": it is a file");
      }
      guard.require(rows, place.parent(), path.parentText(), FsAction.WRITE);
      guard.requireRemovable(rows, place.parent(), entry, path.text());
      Directories.Step directory = new Directories.Step(place.rowKey(), entry);
      if (request.getRecursive()) {
        directories.requireRemovable(bucket, directory, path.text(), guard);
      }
      try {
        Renames.Renamed removed =
            directories.remove(
                bucket,
                directory,
                id,
                request.getRecursive() ? Directories.Removal.RECURSIVE : Directories.Removal.EMPTY);
        if (removed != null) {
          Directories.record(bucket, id, place.rowKey(), removed, records);
          return reply.setDeleted(true).addAllRecords(records).build();
        }
      } catch (Directories.Changed e) {
        rows.committer().pause().backOff(attempt);
      } catch (Directories.NotEmpty e) {
        throw new StoreException(
            e.code(), "Cannot delete directory " + request.getPath() + ": " + e.why());
      }
    }
    throw Directories.contended(path);
  }

  /** Renames a file or a directory in one step, whatever is in it. */
  public Renames.Renamed rename(
      BucketInfo bucket,
      String source,
      String target,
      ByteString id,
      boolean overwrite,
      List<RecordNeedle> records,
      TreeGuard guard)
      throws StoreException {
    Puts.requireWriteId(id);
    PathName from = PathName.parse(source);
    PathName to = PathName.parseNew(target);
    if (from.isRoot()) {
      throw new StoreException(ErrorCode.INVALID_ARGUMENT, "Cannot rename the root of a bucket");
    }
    Renames.Renamed renamed = directories.rename(bucket, from, to, id, overwrite, records, guard);
    return new Renames.Renamed(
        guard.told(renamed.version(), target).toBuilder().setKey(target).build(), renamed.left());
  }

  public ListObjectsReply list(BucketInfo bucket, ListObjectsRequest request, TreeGuard guard)
      throws StoreException {
    return listing.list(bucket.getId(), request, guard);
  }

  /** The same as of a snapshot. */
  public ListObjectsReply listPast(
      BucketInfo bucket, ListObjectsRequest request, long stamp, TreeGuard guard)
      throws StoreException {
    guard.requireUnlimited("snapshots of a bucket");
    return listing.list(bucket.getId(), request, Look.past(rows, stamp), guard);
  }

  private String pastRowKey(BucketInfo bucket, String key, PathName path, Look past)
      throws StoreException {
    List<Directories.Step> steps;
    try {
      steps = path.isRoot() ? null : directories.walkPast(bucket.getId(), path.parents(), past);
    } catch (StoreException e) {
      if (e.code() != ErrorCode.NOT_A_DIRECTORY) {
        throw e;
      }
      steps = null;
    }
    if (steps == null) {
      throw noSuchKey(key);
    }
    return EntryKeys.entry(steps.get(steps.size() - 1).id(), path.name());
  }

  /** What a key held at the moment of a snapshot. */
  public GetObjectReply getPast(
      BucketInfo bucket, GetObjectRequest request, long stamp, TreeGuard guard)
      throws StoreException {
    guard.requireUnlimited("snapshots of a bucket");
    PathName path = PathName.parseOrRoot(request.getKey());
    String rowKey = pastRowKey(bucket, request.getKey(), path, Look.past(rows, stamp));
    GetObjectReply found;
    try {
      found = gets.get(bucket.getId(), request.toBuilder().setKey(rowKey).build(), stamp);
    } catch (StoreException e) {
      throw e.code() == ErrorCode.NO_SUCH_KEY ? noSuchKey(request.getKey()) : e;
    }
    requireMeant(request.getKey(), path, found.getVersion());
    return found.toBuilder()
        .setVersion(found.getVersion().toBuilder().setKey(request.getKey()))
        .build();
  }

  /** What a path was at the moment of a snapshot; null: nothing. */
  public FindPathReply findPast(BucketInfo bucket, String path, long stamp, TreeGuard guard)
      throws StoreException {
    guard.requireUnlimited("snapshots of a bucket");
    PathName name = PathName.parse(path);
    if (name.isRoot()) {
      return FindPathReply.newBuilder().setDirectory(true).build();
    }
    Look past = Look.past(rows, stamp);
    String rowKey = pastRowKey(bucket, path, name, past);
    ObjectVersion entry = past.find(ObjectRowLayout.row(bucket.getId(), rowKey));
    if (entry == null) {
      return null;
    }
    boolean directory = entry.getDirectoryId() != 0;
    return FindPathReply.newBuilder()
        .setVersion(TreeListing.told(directory ? path + "/" : path, entry))
        .setDirectory(directory)
        .build();
  }

  /** Every key has one version: there is no versioning in these buckets. */
  public ListVersionsReply listVersions(
      BucketInfo bucket, ListVersionsRequest request, TreeGuard guard) throws StoreException {
    ListObjectsReply keys =
        listing.list(
            bucket.getId(),
            ListObjectsRequest.newBuilder()
                .setPrefix(request.getPrefix())
                .setDelimiter(request.getDelimiter())
                .setStartAfter(request.getKeyMarker())
                .setLimit(request.getLimit())
                .build(),
            guard);
    ListVersionsReply.Builder reply =
        ListVersionsReply.newBuilder()
            .addAllCommonPrefixes(keys.getCommonPrefixesList())
            .setMore(keys.getMore())
            .setNextKey(keys.getLast());
    for (ObjectVersion key : keys.getObjectsList()) {
      reply.addVersions(ListedVersion.newBuilder().setVersion(key).setLatest(true));
      if (key.getKey().equals(keys.getLast())) {
        reply.setNextVersionId(key.getVersionId());
      }
    }
    return reply.build();
  }

  /** Changes what a file, or a directory that somebody made, says of itself. */
  public ObjectVersion setMetadata(
      BucketInfo bucket, SetObjectMetadataRequest request, TreeGuard guard) throws StoreException {
    PathName path = PathName.parseOrRoot(request.getKey());
    Directories.Found found =
        path.isRoot() ? null : directories.findEntry(bucket.getId(), path, guard);
    ObjectVersion entry = found == null ? null : found.entry();
    if (entry == null || (entry.getDirectoryId() != 0) != path.directory()) {
      throw noSuchKey(request.getKey());
    }
    Directories.Place place = found.place();
    if (entry.getImplied()) {
      return makeKnown(bucket, new Directories.Step(place.rowKey(), entry), path, request, guard);
    }
    requireChange(bucket, place, path, request, guard);
    try {
      return metadataChanges.set(bucket, request.toBuilder().setKey(place.rowKey()).build());
    } catch (StoreException e) {
      throw inWordsOf(request.getKey(), place, e);
    }
  }

  private void requireChange(
      BucketInfo bucket,
      Directories.Place place,
      PathName path,
      SetObjectMetadataRequest request,
      TreeGuard guard)
      throws StoreException {
    if (!guard.isLimited()) {
      return;
    }
    ByteString row = ObjectRowLayout.row(bucket.getId(), place.rowKey());
    ObjectVersion before = rows.find(row, true);
    if (before == null || before.getStamp() != request.getStamp()) {
      throw changedMeanwhile(request.getKey());
    }
    guard.requireChange(path.text(), path.directory(), before.getMetadata(), request.getMetadata());
  }

  private static StoreException changedMeanwhile(String key) {
    return new StoreException(
        ErrorCode.CONFLICT, "Cannot change what " + key + " says of itself: it changed meanwhile");
  }

  /** A directory of which something is said is one that somebody made. */
  private ObjectVersion makeKnown(
      BucketInfo bucket,
      Directories.Step directory,
      PathName path,
      SetObjectMetadataRequest request,
      TreeGuard guard)
      throws StoreException {
    ObjectVersion known =
        directories.makeKnown(
            bucket,
            directory,
            now -> {
              if (now.getStamp() != request.getStamp()) {
                throw changedMeanwhile(request.getKey());
              }
              guard.requireChange(path.text(), true, now.getMetadata(), request.getMetadata());
              return request.getMetadata();
            });
    if (known == null) {
      throw changedMeanwhile(request.getKey());
    }
    return known.toBuilder().setKey(directory.entryKey()).build(); // as the record is to say
  }

  /** Another one whenever something else is said of the root, for who changes what he has read. */
  public static long stampOfRoot(BucketInfo bucket) {
    ByteString said = bucket.getSettingsMap().get(TreeGuard.ROOT_SETTING);
    return said == null ? 0 : Integer.toUnsignedLong(said.hashCode()) + 1;
  }

  /**
   * What the root of a bucket is to say of itself, as the bucket keeps it: there is no row.
   *
   * @return null: nothing changes
   */
  public static ByteString newRoot(BucketInfo bucket, ObjectMetadata said, TreeGuard guard)
      throws StoreException {
    ObjectMetadata before = TreeGuard.root(bucket);
    guard.requireChange("", true, before, said);
    return before.equals(said) ? null : said.toByteString();
  }

  public CreateUploadReply createUpload(
      BucketInfo bucket, CreateUploadRequest request, TreeGuard guard) throws StoreException {
    PathName path = PathName.parseNew(request.getKey());
    requireFile(request.getKey(), path);
    List<RecordNeedle> records = new ArrayList<>();
    for (int attempt = 0; attempt < ObjectRows.MOST_ATTEMPTS; attempt++) {
      Directories.Place place = directories.make(bucket, path, records, guard);
      requireReplaceable(bucket, place, path, ByteString.EMPTY, guard);
      uploads.create(
          bucket.getId(),
          request.toBuilder()
              .setKey(place.rowKey())
              .setMetadata(guard.ofNew(rows, place.parent(), request.getMetadata(), false))
              .build(),
          request.getKey());
      try {
        directories.requireStillThere(bucket.getId(), place);
        return CreateUploadReply.newBuilder()
            .setUploadId(request.getWriteId())
            .addAllRecords(records)
            .build();
      } catch (Directories.Changed e) {
        rows.committer().pause().backOff(attempt);
      }
    }
    throw Directories.contended(path);
  }

  private static void requireFile(String key, PathName path) throws StoreException {
    if (path.directory()) {
      throw new StoreException(
          ErrorCode.INVALID_ARGUMENT, "Cannot upload to " + key + ": it means a directory");
    }
  }

  /**
   * Where an upload of a path is, which moves with its directory. Who is bound by permissions needs
   * w there, and has to own the upload: who may write the directory, too, would else choose what
   * others' files come to hold, and read its digests part by part.
   */
  private Directories.Place requireUpload(
      BucketInfo bucket, String key, ByteString uploadId, TreeGuard guard) throws StoreException {
    PathName path = PathName.parseOrRoot(key);
    Directories.Place place =
        path.isRoot() || path.directory()
            ? null
            : directories.findForReader(bucket.getId(), path, guard);
    if (place == null) {
      throw new StoreException(ErrorCode.NO_SUCH_UPLOAD, "Cannot find that upload of " + key);
    }
    guard.require(rows, place.parent(), path.parentText(), FsAction.WRITE);
    if (guard.isLimited()) {
      UploadInfo upload = uploads.find(bucket.getId(), place.rowKey(), uploadId);
      if (upload != null) { // else it is over, as the operation itself will say
        guard.requireOwner(upload.getMetadata(), path.text());
      }
    }
    return place;
  }

  public void putPart(BucketInfo bucket, PutPartRequest request, TreeGuard guard)
      throws StoreException {
    Directories.Place place = requireUpload(bucket, request.getKey(), request.getUploadId(), guard);
    ByteString row = ObjectRowLayout.row(bucket.getId(), place.rowKey());
    UploadedPart part = request.getPart();
    Manifest manifest = inRow(bucket, row, part.getManifest());
    if (!manifest.getOriginRow().isEmpty()) {
      throw new StoreException(
          ErrorCode.NO_SUCH_UPLOAD,
          "Cannot find that upload of " + request.getKey() + ": its directory was replaced");
    }
    try {
      uploads.putPart(
          bucket.getId(),
          request.toBuilder()
              .setKey(place.rowKey())
              .setPart(part.toBuilder().setManifest(manifest))
              .build());
    } catch (StoreException e) {
      throw inWordsOf(request.getKey(), place, e);
    }
  }

  public ListPartsReply listParts(BucketInfo bucket, ListPartsRequest request, TreeGuard guard)
      throws StoreException {
    Directories.Place place = requireUpload(bucket, request.getKey(), request.getUploadId(), guard);
    ListPartsReply found;
    try {
      found = uploads.listParts(bucket.getId(), request.toBuilder().setKey(place.rowKey()).build());
    } catch (StoreException e) {
      throw inWordsOf(request.getKey(), place, e);
    }
    return found.toBuilder()
        .setUpload(found.getUpload().toBuilder().setKey(request.getKey()))
        .build();
  }

  public ListUploadsReply listUploads(
      BucketInfo bucket, ListUploadsRequest request, TreeGuard guard) throws StoreException {
    return new TreeUploads(directories, bucket.getId(), request, guard).list();
  }

  public void abortUpload(BucketInfo bucket, AbortUploadRequest request, TreeGuard guard)
      throws StoreException {
    Directories.Place place = requireUpload(bucket, request.getKey(), request.getUploadId(), guard);
    try {
      uploads.abort(bucket.getId(), request.toBuilder().setKey(place.rowKey()).build());
    } catch (StoreException e) {
      throw inWordsOf(request.getKey(), place, e);
    }
    directories.prune(bucket, place.steps(), new ArrayList<>());
  }

  /**
   * Makes the parts of an upload a file.
   *
   * @param onlyFound there is no room for it: it may be found done, by an earlier call
   */
  public CompleteUploadReply completeUpload(
      BucketInfo bucket, CompleteUploadRequest request, boolean onlyFound, TreeGuard guard)
      throws StoreException {
    Directories.Place place = requireUpload(bucket, request.getKey(), request.getUploadId(), guard);
    PathName path = PathName.parseOrRoot(request.getKey());
    requireReplaceable(bucket, place, path, request.getWriteId(), guard);
    Uploads.Completed completed;
    try {
      completed =
          uploads.complete(bucket, request.toBuilder().setKey(place.rowKey()).build(), onlyFound);
    } catch (StoreException e) {
      throw inWordsOf(request.getKey(), place, e);
    }
    // An upload keeps its directory from being removed as empty, and so does what it becomes.
    CompleteUploadReply.Builder reply =
        CompleteUploadReply.newBuilder()
            .setVersion(
                guard.told(completed.version(), path.text()).toBuilder()
                    .clearPartLengths()
                    .setKey(request.getKey()));
    if (!completed.partWriteIds().isEmpty()) {
      reply.addRecords(
          RecordNeedles.completed(
              bucket,
              request.getWriteId(),
              completed.version().toBuilder().setKey(place.rowKey()).build(),
              completed.partWriteIds()));
    }
    return reply.build();
  }
}
