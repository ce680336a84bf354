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
import io.stowage.common.error.StoreException;
import io.stowage.common.fault.CrashPoint;
import io.stowage.common.id.WriteId;
import io.stowage.common.proto.AbortUploadRequest;
import io.stowage.common.proto.BucketInfo;
import io.stowage.common.proto.ObjectVersion;
import io.stowage.om.object.Deletes;
import io.stowage.om.object.ObjectRows;
import io.stowage.om.object.Renames;
import io.stowage.om.object.SeenRow;
import io.stowage.om.table.Cell;
import io.stowage.om.table.Head;
import io.stowage.om.table.HeadState;
import io.stowage.om.table.ObjectRowLayout;
import io.stowage.om.table.Row;
import io.stowage.om.upload.Uploads;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import org.apache.hadoop.thirdparty.protobuf.ByteString;

/**
 * Empties directories that were removed, in the background: what is in them is deleted as its owner
 * would have done it, so that it becomes garbage like any other. Thread-safe; every step may be
 * taken any number of times.
 *
 * <p>The mutation that removes a directory leaves the head of its entry in {@code g:d} of the
 * entry's row, where the collector finds it no sooner than all that was under way has come to its
 * end: whoever had walked into the directory before has committed or failed. A directory's anchor
 * tells a removal from a rename. Directories below are removed in turn, each onto its own anchor,
 * and emptied at once; what arrives there meanwhile is found when the {@code g:d} of <i>their</i>
 * removal is old enough. Therefore an anchor is deleted only by who came for its own directory.
 *
 * <p><b>A directory below may be leaving</b>: somebody walked to it before the removal, stood
 * still, and commits its rename to elsewhere only now, for nothing but the head of its entry is
 * compared. Either the removal of the entry comes first, and the rename fails; or the rename does,
 * and then the entry is not there any more though the page read before has it. So what is below is
 * touched only where this removal happened, or the anchor says that another did: an anchor that is
 * not there is that of a directory that lives elsewhere, or of one that was emptied.
 */
public final class RemovedDirectories {
  static final CrashPoint AFTER_PAGE = CrashPoint.named("om.directory.after-emptied-page");

  private static final int PAGE = 500;

  /**
   * Of directories in one another that are emptied by one call; deeper ones wait for their turn,
   * which the {@code g:d} of their own removal brings. Each level keeps names and ids of a page's
   * directories, 400 bytes each at most: 10 MB in all, whoever has made the tree.
   */
  private static final int DEEPEST = 50;

  /** For snapshots, too, what is deleted goes when it is deleted. */
  private static final long NOW = Long.MAX_VALUE;

  private final Directories directories;
  private final Deletes deletes;
  private final Uploads uploads;
  private final ObjectRows rows;

  RemovedDirectories(Directories directories, Deletes deletes, Uploads uploads) {
    this.directories = directories;
    this.deletes = deletes;
    this.uploads = uploads;
    this.rows = directories.rows();
  }

  /** Works on rows side by side; between two pages says whether to go on. */
  public interface Crew {
    void each(List<Row> page, OneRow work) throws StoreException;

    boolean goesOn() throws StoreException;
  }

  /** What is done with a row. */
  public interface OneRow {
    void on(Row row) throws StoreException;
  }

  /** The directory that a cell of {@code g} may say was removed; 0: it says nothing of the kind. */
  public static long mentionedBy(Cell garbage) throws StoreException {
    if (ObjectRowLayout.garbageKind(garbage.column()) != 'd'
        || ObjectRowLayout.fate(garbage.value()) != ObjectRowLayout.Fate.MOVED) {
      return 0;
    }
    Head head = ObjectRowLayout.supersededHead(garbage.value());
    return head.isLive() ? head.record().getVersion().getDirectoryId() : 0;
  }

  /** Empties a directory, if it was removed; false: the crew does not go on. */
  public boolean empty(long bucketId, long directoryId, Crew crew) throws StoreException {
    ByteString anchor = ObjectRowLayout.row(bucketId, EntryKeys.anchor(directoryId));
    SeenRow seen = rows.readSettled(anchor, List.of());
    if (!seen.isLive()) {
      return true; // it was renamed
    }
    long said = seen.head().record().getVersion().getArrivedStamp(); // not of one put back by fsck
    if (!emptyBelow(bucketId, directoryId, said == 0 ? NOW : said, crew, 0)) {
      return false;
    }
    deletes.deleteAll(anchor);
    return true;
  }

  private boolean emptyBelow(long bucketId, long directoryId, long removed, Crew crew, int depth)
      throws StoreException {
    ByteString anchor = ObjectRowLayout.row(bucketId, EntryKeys.anchor(directoryId));
    ByteString end = ObjectRowLayout.behindPrefix(anchor);
    ByteString from = ObjectRowLayout.behind(anchor);
    while (from != null) {
      Page page = deleteFiles(from, end, removed, crew);
      for (Child child : page.directories()) {
        if (!emptyChild(bucketId, child, removed, crew, depth)) {
          return false;
        }
      }
      AFTER_PAGE.reach();
      if (!crew.goesOn()) {
        return false;
      }
      from = page.next();
    }
    return abortUploads(bucketId, anchor, end, crew);
  }

  /** A directory's entry as a page had it. */
  private record Child(ByteString row, long directoryId) {}

  /**
   * What is kept of a page while its directories are emptied.
   *
   * @param next where the next page begins; null: this was the last
   */
  private record Page(List<Child> directories, ByteString next) {}

  private Page deleteFiles(ByteString from, ByteString end, long removed, Crew crew)
      throws StoreException {
    List<Row> page = rows.committer().scanHeads(from, end, Set.of(HeadState.ABSENT), "c", 1, PAGE);
    crew.each(page, row -> deleteFile(row, removed));
    List<Child> directories = new ArrayList<>();
    for (Row row : page) {
      ObjectVersion entry = rows.scanned(row);
      if (entry != null && entry.getDirectoryId() != 0) {
        directories.add(new Child(row.key(), entry.getDirectoryId()));
      }
    }
    boolean last = page.size() < PAGE;
    return new Page(
        directories, last ? null : ObjectRowLayout.behind(page.get(page.size() - 1).key()));
  }

  /** A rename that somebody left is ended first. */
  private void deleteFile(Row row, long removed) throws StoreException {
    Head scanned = Head.parse(row.value(ObjectRowLayout.HEAD));
    SeenRow seen =
        scanned.isLive()
            ? new SeenRow(row.key(), scanned, row)
            : rows.readSettled(row.key(), List.of());
    Head head = seen.head();
    if (head != null && head.isVersion() && head.record().getVersion().getDirectoryId() == 0) {
      deletes.deleteAll(seen, removed);
    }
  }

  private boolean emptyChild(long bucketId, Child child, long removed, Crew crew, int depth)
      throws StoreException {
    Directories.Step step =
        new Directories.Step(
            ObjectRowLayout.key(child.row()),
            ObjectVersion.newBuilder().setDirectoryId(child.directoryId()).build());
    long[] asOf = {NOW};
    try {
      Renames.Renamed ours =
          directories.remove(
              BucketInfo.newBuilder().setId(bucketId).build(),
              step,
              WriteId.random(),
              Directories.Removal.RECURSIVE,
              entry -> asOf[0] = Math.max(removed, Head.arrived(entry)));
      if (ours == null) {
        asOf[0] = NOW;
        if (!directories.isRemoved(bucketId, child.directoryId())) {
          return true; // it is elsewhere, or another collector has emptied it
        }
      }
    } catch (Directories.Changed e) {
      return true; // another is in its place: the next pass finds it
    }
    return depth >= DEEPEST || emptyBelow(bucketId, child.directoryId(), asOf[0], crew, depth + 1);
  }

  private boolean abortUploads(long bucketId, ByteString anchor, ByteString end, Crew crew)
      throws StoreException {
    ByteString from = anchor;
    while (true) {
      List<Row> page = rows.committer().scan(from, end, 'x', ObjectRowLayout.UPLOAD_HEADERS, PAGE);
      for (Row row : page) {
        from = ObjectRowLayout.behind(row.key());
        for (Cell header : row.cells()) {
          abort(bucketId, row.key(), header.column().qualifier().substring(1));
        }
      }
      if (!crew.goesOn()) {
        return false;
      }
      if (page.size() < PAGE) {
        return true;
      }
    }
  }

  private void abort(long bucketId, ByteString row, ByteString uploadId) throws StoreException {
    try {
      uploads.abort(
          bucketId,
          AbortUploadRequest.newBuilder()
              .setKey(ObjectRowLayout.key(row))
              .setUploadId(uploadId)
              .build());
    } catch (StoreException e) {
      if (e.code() != ErrorCode.NO_SUCH_UPLOAD) {
        throw e;
      }
    }
  }
}
