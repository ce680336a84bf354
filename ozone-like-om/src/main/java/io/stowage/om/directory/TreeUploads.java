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

import io.stowage.common.error.StoreException;
import io.stowage.common.proto.ListUploadsReply;
import io.stowage.common.proto.ListUploadsRequest;
import io.stowage.common.proto.ObjectVersion;
import io.stowage.common.proto.UploadInfo;
import io.stowage.om.object.Grouping;
import io.stowage.om.object.ObjectRows;
import io.stowage.om.table.Cell;
import io.stowage.om.table.ObjectRowLayout;
import io.stowage.om.table.Row;
import io.stowage.om.upload.Uploads;
import java.util.ArrayDeque;
import java.util.Comparator;
import java.util.Deque;
import java.util.List;
import java.util.TreeMap;
import org.apache.hadoop.thirdparty.protobuf.ByteString;

/**
 * Lists uploads under way in a FILE_SYSTEM bucket: looks into every directory under the prefix, and
 * keeps the first so many that are wanted. Costs a reading of all names under the prefix; memory is
 * that of one answer and of one page of names, and of the directories still to be looked into.
 * Confined to one call.
 */
final class TreeUploads {
  private static final int MOST_RESULTS = 1_000;
  private static final int PAGE = 1_000;

  /** A key's uploads by id; a common prefix has no id. */
  private record Order(ByteString key, ByteString uploadId) implements Comparable<Order> {
    private static final Comparator<Order> BY_BYTES =
        Comparator.comparing(Order::key, ByteString.unsignedLexicographicalComparator())
            .thenComparing(Order::uploadId, ByteString.unsignedLexicographicalComparator());

    @Override
    public int compareTo(Order other) {
      return BY_BYTES.compare(this, other);
    }
  }

  private record Directory(String path, long id) {}

  private final Directories directories;
  private final ObjectRows rows;
  private final TreeMap<Order, UploadInfo> first = new TreeMap<>();
  private int limit;

  TreeUploads(Directories directories) {
    this.directories = directories;
    this.rows = directories.rows();
  }

  ListUploadsReply list(long bucketId, ListUploadsRequest request) throws StoreException {
    limit = request.getLimit() == 0 ? MOST_RESULTS : Math.min(MOST_RESULTS, request.getLimit());
    Grouping grouping = new Grouping(request.getPrefix(), request.getDelimiter());
    String base = request.getPrefix().substring(0, request.getPrefix().lastIndexOf('/') + 1);
    PathName path;
    try {
      path = PathName.parse(base);
    } catch (StoreException e) {
      return ListUploadsReply.getDefaultInstance();
    }
    List<Directories.Step> steps = directories.walk(bucketId, path.names());
    if (steps == null) {
      return ListUploadsReply.getDefaultInstance();
    }
    Deque<Directory> left = new ArrayDeque<>();
    left.add(new Directory(base, steps.get(steps.size() - 1).id()));
    while (!left.isEmpty()) {
      Directory directory = left.pop();
      look(bucketId, directory, request, grouping);
      addBelow(bucketId, directory, request.getPrefix(), left);
    }
    ListUploadsReply.Builder reply = ListUploadsReply.newBuilder();
    int told = 0;
    for (var entry : first.entrySet()) {
      if (told++ == limit) {
        return reply.setMore(true).build();
      }
      if (entry.getKey().uploadId().isEmpty()) {
        reply.addCommonPrefixes(entry.getKey().key().toStringUtf8());
      } else {
        reply.addUploads(entry.getValue());
      }
    }
    return reply.build();
  }

  private void look(
      long bucketId, Directory directory, ListUploadsRequest request, Grouping grouping)
      throws StoreException {
    ByteString anchor = ObjectRowLayout.row(bucketId, EntryKeys.anchor(directory.id()));
    ByteString end = ObjectRowLayout.behindPrefix(anchor);
    ByteString from = anchor;
    ByteString marker = ByteString.copyFromUtf8(request.getKeyMarker());
    while (true) {
      List<Row> page = rows.committer().scan(from, end, 'x', ObjectRowLayout.UPLOAD_HEADERS, PAGE);
      for (Row row : page) {
        from = ObjectRowLayout.behind(row.key());
        String key = directory.path() + row.key().substring(anchor.size()).toStringUtf8();
        if (!key.startsWith(request.getPrefix())) {
          continue;
        }
        String common = grouping.commonPrefix(key);
        if (common != null) {
          ByteString group = ByteString.copyFromUtf8(common);
          if (TreeWalk.compare(group, marker) > 0) {
            keep(new Order(group, ByteString.EMPTY), UploadInfo.getDefaultInstance());
          }
          continue;
        }
        for (Cell cell : row.cells()) {
          ByteString uploadId = cell.column().qualifier().substring(1);
          ByteString name = ByteString.copyFromUtf8(key);
          int order = TreeWalk.compare(name, marker);
          boolean behind =
              order > 0
                  || (order == 0
                      && !request.getUploadIdMarker().isEmpty()
                      && TreeWalk.compare(uploadId, request.getUploadIdMarker()) > 0);
          if (behind) {
            keep(new Order(name, uploadId), Uploads.info(cell.value(), key, uploadId));
          }
        }
      }
      if (page.size() < PAGE) {
        return;
      }
    }
  }

  private void keep(Order order, UploadInfo upload) {
    first.put(order, upload);
    if (first.size() > limit + 1) {
      first.pollLastEntry();
    }
  }

  private void addBelow(long bucketId, Directory directory, String prefix, Deque<Directory> left)
      throws StoreException {
    ByteString anchor = ObjectRowLayout.row(bucketId, EntryKeys.anchor(directory.id()));
    ByteString end = ObjectRowLayout.behindPrefix(anchor);
    ByteString from = ObjectRowLayout.behind(anchor);
    while (true) {
      List<Row> page =
          rows.committer().scan(from, end, 'c', ObjectRowLayout.HEAD.qualifier(), PAGE);
      for (Row row : page) {
        from = ObjectRowLayout.behind(row.key());
        ObjectVersion entry = rows.scanned(row);
        if (entry == null || entry.getDirectoryId() == 0) {
          continue;
        }
        String path = directory.path() + row.key().substring(anchor.size()).toStringUtf8() + "/";
        if (path.startsWith(prefix) || prefix.startsWith(path)) {
          left.add(new Directory(path, entry.getDirectoryId()));
        }
      }
      if (page.size() < PAGE) {
        return;
      }
    }
  }
}
