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
import io.stowage.common.proto.ListUploadsReply;
import io.stowage.common.proto.ListUploadsRequest;
import io.stowage.common.proto.UploadInfo;
import io.stowage.om.object.Grouping;
import io.stowage.om.object.Look;
import io.stowage.om.object.ObjectRows;
import io.stowage.om.table.Cell;
import io.stowage.om.table.ObjectRowLayout;
import io.stowage.om.table.Row;
import io.stowage.om.upload.Uploads;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import org.apache.hadoop.fs.permission.FsAction;
import org.apache.hadoop.thirdparty.protobuf.ByteString;

/**
 * Lists uploads under way in a FILE_SYSTEM bucket. Confined to one call.
 *
 * <p>Goes through the bucket's uploads, not its names: rows without one have no cell that the scan
 * reads. A row says the id of its directory; which path that has is told by the path that the
 * upload was begun by, if a walk of it leads to this very directory. Only if a directory was
 * renamed under an upload since, the tree is searched for its id, all of it in one go.
 *
 * <p>Memory: one answer, a page of rows, and {@link #MOST_KNOWN} paths of directories.
 */
final class TreeUploads {
  private static final int MOST_RESULTS = 1_000;
  private static final int PAGE = 1_000;

  /** Directories with uploads whose paths are kept, or searched for, at once. */
  private static final int MOST_KNOWN = 10_000;

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

  private final Directories directories;
  private final ObjectRows rows;
  private final long bucketId;
  private final TreeGuard guard;
  private final ListUploadsRequest request;
  private final Grouping grouping;
  private final ByteString marker;
  private final int limit;
  private final TreeMap<Order, UploadInfo> first = new TreeMap<>();
  private final Set<Long> wanted = new LinkedHashSet<>();
  private boolean tooManyWanted;

  /** Paths with the last slash; empty text: it was not found by the path of its uploads. */
  private final Map<Long, String> paths =
      new LinkedHashMap<>(64, 0.75f, true) {
        private static final long serialVersionUID = 1;

        @Override
        protected boolean removeEldestEntry(Map.Entry<Long, String> eldest) {
          return size() > MOST_KNOWN;
        }
      };

  /** Of directories by their paths, whether the caller may list them. */
  private final Map<String, Boolean> listable =
      new LinkedHashMap<>(64, 0.75f, true) {
        private static final long serialVersionUID = 1;

        @Override
        protected boolean removeEldestEntry(Map.Entry<String, Boolean> eldest) {
          return size() > MOST_KNOWN;
        }
      };

  TreeUploads(Directories directories, long bucketId, ListUploadsRequest request, TreeGuard guard) {
    this.guard = guard;
    this.directories = directories;
    this.rows = directories.rows();
    this.bucketId = bucketId;
    this.request = request;
    this.grouping = new Grouping(request.getPrefix(), request.getDelimiter());
    this.marker = ByteString.copyFromUtf8(request.getKeyMarker());
    this.limit =
        request.getLimit() == 0 ? MOST_RESULTS : Math.min(MOST_RESULTS, request.getLimit());
  }

  ListUploadsReply list() throws StoreException {
    ByteString begin = ObjectRowLayout.row(bucketId, "");
    forEachUpload(
        begin,
        row -> {
          Long directory = EntryKeys.directoryOf(ObjectRowLayout.key(row.key()));
          String path = directory == null ? null : pathOf(directory, row);
          if (path != null) {
            add(path, row);
          }
        });
    search();
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

  private interface EachRow {
    void on(Row row) throws StoreException;
  }

  /** Goes through the rows whose keys begin so and that have uploads. */
  private void forEachUpload(ByteString prefix, EachRow work) throws StoreException {
    ByteString end = ObjectRowLayout.behindPrefix(prefix);
    ByteString from = prefix;
    while (true) {
      List<Row> page = rows.committer().scan(from, end, 'x', ObjectRowLayout.UPLOAD_HEADERS, PAGE);
      for (Row row : page) {
        from = ObjectRowLayout.behind(row.key());
        work.on(row);
      }
      if (page.size() < PAGE) {
        return;
      }
    }
  }

  /** A directory's path with the last slash, by the paths of its uploads; null: those are past. */
  private String pathOf(long directory, Row row) throws StoreException {
    if (directory == EntryKeys.ROOT) {
      return "";
    }
    String known = paths.get(directory);
    if (known == null) {
      known = "";
      for (Cell cell : row.cells()) {
        String begun = Uploads.info(cell.value()).getKey();
        String path = begun.substring(0, begun.lastIndexOf('/') + 1);
        if (leadsTo(path, directory)) {
          known = path;
          break;
        }
      }
      paths.put(directory, known);
      if (known.isEmpty() && wanted.size() < MOST_KNOWN) {
        if (!directories.isRemoved(bucketId, directory)) {
          wanted.add(directory);
        }
      } else if (known.isEmpty()) {
        tooManyWanted = true;
      }
    }
    return known.isEmpty() ? null : known;
  }

  private boolean leadsTo(String path, long directory) throws StoreException {
    PathName name = PathName.parseOrRoot(path);
    if (name.isRoot()) {
      return false;
    }
    Directories.Found found = directories.findEntry(bucketId, name, TreeGuard.NOBODYS);
    return found != null && found.entry() != null && found.entry().getDirectoryId() == directory;
  }

  /** Looks through the tree for directories that have another path than when uploads were begun. */
  private void search() throws StoreException {
    if (wanted.isEmpty()) {
      return;
    }
    TreeWalk walk =
        new TreeWalk(Look.now(rows), bucketId, "", EntryKeys.ROOT, ByteString.EMPTY, MOST_RESULTS);
    while (!wanted.isEmpty() || tooManyWanted) {
      TreeWalk.Item item = walk.next();
      if (item == null) {
        return; // what is left lies below a directory that was removed
      }
      if (item.isDirectory()) {
        long id = item.entry().getDirectoryId();
        if (wanted.remove(id) || (tooManyWanted && paths.getOrDefault(id, "").isEmpty())) {
          ByteString anchor = ObjectRowLayout.row(bucketId, EntryKeys.anchor(id));
          forEachUpload(anchor, row -> add(item.path(), row));
        }
        walk.enter(item);
      }
    }
  }

  private void add(String directory, Row row) throws StoreException {
    String key = directory + EntryKeys.nameOf(ObjectRowLayout.key(row.key()));
    if (!key.startsWith(request.getPrefix()) || !mayList(directory)) {
      return;
    }
    String common = grouping.commonPrefix(key);
    if (common != null) {
      ByteString group = ByteString.copyFromUtf8(common);
      if (TreeWalk.compare(group, marker) > 0) {
        keep(new Order(group, ByteString.EMPTY), UploadInfo.getDefaultInstance());
      }
      return;
    }
    ByteString name = ByteString.copyFromUtf8(key);
    for (Cell cell : row.cells()) {
      ByteString uploadId = cell.column().qualifier().substring(1);
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

  /** Uploads in a directory that the caller may not list are left out. */
  private boolean mayList(String directory) throws StoreException {
    if (!guard.isLimited()) {
      return true;
    }
    Boolean known = listable.get(directory);
    if (known == null) {
      PathName path = PathName.parse(directory);
      try {
        List<Directories.Step> steps = directories.walk(bucketId, path.names(), guard);
        known = steps != null;
        if (known) {
          Directories.Step last = steps.get(steps.size() - 1);
          guard.require(rows, last, path.text(), FsAction.READ_EXECUTE);
        }
      } catch (StoreException e) {
        if (e.code() != ErrorCode.ACCESS_DENIED && e.code() != ErrorCode.NOT_A_DIRECTORY) {
          throw e;
        }
        known = false;
      }
      listable.put(directory, known);
    }
    return known;
  }

  private void keep(Order order, UploadInfo upload) {
    first.put(order, upload);
    if (first.size() > limit + 1) {
      first.pollLastEntry();
    }
  }
}
