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

import io.stowage.common.error.ErrorCode;
import io.stowage.common.error.StoreException;
import io.stowage.common.proto.AbortUploadRequest;
import io.stowage.om.object.Deletes;
import io.stowage.om.object.ObjectRows;
import io.stowage.om.row.RowCommitter;
import io.stowage.om.table.BucketRowLayout;
import io.stowage.om.table.Cell;
import io.stowage.om.table.Head;
import io.stowage.om.table.HeadState;
import io.stowage.om.table.ObjectRowLayout;
import io.stowage.om.table.Row;
import io.stowage.om.table.RowChange;
import io.stowage.om.upload.Uploads;
import java.util.List;
import org.apache.hadoop.thirdparty.protobuf.ByteString;

/**
 * Empties what is left under the ids of deleted buckets: uploads that nobody will end, versions
 * whose puts came too late to be acknowledged. They are aborted and deleted as their owner would
 * have done, so that they become garbage like any other; when nothing is left, not even of what was
 * counted of the bucket, the id is forgotten. Safe to be done by several at once. Thread-safe.
 *
 * <p>An id is taken for deleted only because a cell says so, which was written in one mutation with
 * the bucket's end, never because no bucket has it: after the table of buckets was restored to an
 * older state, that would delete what is in the newer ones.
 */
final class DeletedBuckets {
  private static final int PAGE = 500;

  private final RowCommitter buckets;
  private final RowCommitter committer;
  private final Deletes deletes;
  private final Uploads uploads;
  private final RowCleaner cleaner;

  DeletedBuckets(
      RowCommitter buckets, ObjectRows rows, Deletes deletes, Uploads uploads, RowCleaner cleaner) {
    this.buckets = buckets;
    this.committer = rows.committer();
    this.deletes = deletes;
    this.uploads = uploads;
    this.cleaner = cleaner;
  }

  /** Looks at every bucket deleted before this stamp. */
  void sweep(long below) throws StoreException {
    ByteString from = BucketRowLayout.FIRST;
    while (true) {
      List<Row> page =
          buckets.scan(from, ObjectRowLayout.END, 'm', BucketRowLayout.DELETED_BUCKETS, PAGE);
      for (Row row : page) {
        from = ObjectRowLayout.behind(row.key());
        for (Cell cell : row.cells()) {
          if (cell.stamp() < below
              && isEmptied(BucketRowLayout.deletedBucketId(cell.column()), below)) {
            buckets.write(row.key(), new RowChange(cell.stamp()).delete(cell.column()));
          }
        }
      }
      if (page.size() < PAGE) {
        return;
      }
    }
  }

  /** Whether nothing is left of the bucket; if there is, sets it on its way. */
  private boolean isEmptied(long id, long below) throws StoreException {
    ByteString first = ObjectRowLayout.row(id, "");
    ByteString end = ObjectRowLayout.behindPrefix(first);
    boolean versions = deleteVersions(first, end, below);
    boolean uploadsFound = abortUploads(id, first, end);
    if (versions || uploadsFound) {
      return false;
    }
    forget(first, end, ObjectRowLayout.FORWARDINGS);
    forget(first, end, ObjectRowLayout.SNAPSHOTS.qualifier());
    for (char family : ObjectRowLayout.FAMILIES.toCharArray()) {
      if (!committer.scan(first, end, family, ByteString.EMPTY, 1).isEmpty()) {
        return false;
      }
    }
    return isCountGone(id, below);
  }

  /**
   * Whether nobody says any more what the bucket held; if somebody does, takes that out. Only when
   * a later sweep still finds nothing is the bucket done with: an object manager that folded its
   * cell just then has written another, which will be as old as all garbage, too. What it adds up
   * does not change any more, and when it finds its cell gone, it has nothing to write.
   */
  private boolean isCountGone(long id, long below) throws StoreException {
    ByteString row = BucketRowLayout.usageRow(id);
    List<Cell> cells =
        buckets
            .getRange(
                row, 'm', BucketRowLayout.COUNTED.qualifier(), BucketRowLayout.BEHIND_USAGES, PAGE)
            .cells();
    List<Cell> old = cells.stream().filter(cell -> cell.stamp() < below).toList();
    if (!old.isEmpty()) {
      long last = old.stream().mapToLong(Cell::stamp).max().orElseThrow();
      buckets.write(row, new RowChange(last).deleteAll(old.stream().map(Cell::column).toList()));
    }
    return cells.isEmpty();
  }

  private boolean deleteVersions(ByteString first, ByteString end, long below)
      throws StoreException {
    boolean found = false;
    ByteString from = first;
    while (true) {
      List<Row> page = committer.scan(from, end, 'c', ObjectRowLayout.HEAD.qualifier(), PAGE);
      for (Row row : page) {
        from = ObjectRowLayout.behind(row.key());
        HeadState state = Head.parse(row.value(ObjectRowLayout.HEAD)).state();
        if (state == HeadState.ABSENT || state == HeadState.MOVED) {
          cleaner.clearHead(row.key(), below);
          continue;
        }
        found = true;
        deletes.deleteAll(row.key());
      }
      if (page.size() < PAGE) {
        return found;
      }
    }
  }

  private boolean abortUploads(long id, ByteString first, ByteString end) throws StoreException {
    boolean found = false;
    ByteString from = first;
    while (true) {
      List<Row> page = committer.scan(from, end, 'x', ObjectRowLayout.UPLOAD_HEADERS, PAGE);
      for (Row row : page) {
        from = ObjectRowLayout.behind(row.key());
        for (Cell header : row.cells()) {
          found = true;
          try {
            uploads.abort(
                id,
                AbortUploadRequest.newBuilder()
                    .setKey(ObjectRowLayout.key(row.key()))
                    .setUploadId(header.column().qualifier().substring(1))
                    .build());
          } catch (StoreException e) {
            if (e.code() != ErrorCode.NO_SUCH_UPLOAD) {
              throw e;
            }
          }
        }
      }
      if (page.size() < PAGE) {
        return found;
      }
    }
  }

  /**
   * All rows that names could lead to are in this bucket and hold nothing, and a bucket with
   * snapshots was not deleted.
   */
  private void forget(ByteString first, ByteString end, ByteString kind) throws StoreException {
    ByteString from = first;
    while (true) {
      List<Row> page = committer.scan(from, end, 'x', kind, PAGE);
      for (Row row : page) {
        from = ObjectRowLayout.behind(row.key());
        for (Cell cell : row.cells()) {
          cleaner.forget(row.key(), cell);
        }
      }
      if (page.size() < PAGE) {
        return;
      }
    }
  }
}
