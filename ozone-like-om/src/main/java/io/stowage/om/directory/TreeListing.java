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
import io.stowage.common.proto.ListObjectsReply;
import io.stowage.common.proto.ListObjectsRequest;
import io.stowage.common.proto.ObjectVersion;
import io.stowage.om.object.Grouping;
import io.stowage.om.object.Look;
import io.stowage.om.table.ObjectRowLayout;
import java.util.List;
import org.apache.hadoop.fs.permission.FsAction;
import org.apache.hadoop.thirdparty.protobuf.ByteString;

/**
 * Lists a FILE_SYSTEM bucket as S3 lists keys: files by their paths, and directories that somebody
 * made by theirs with a slash, in the order of bytes, grouped by any delimiter. A directory that
 * lies under one common prefix with all that is in it is not looked into. Thread-safe.
 *
 * <p>As any listing, a page is not atomic: what is renamed during the call can be missed, or met
 * twice.
 */
final class TreeListing {
  private static final int MOST_RESULTS = 1_000;
  private static final ByteString BEHIND = ByteString.copyFrom(new byte[] {(byte) 0xFF});

  private final Directories directories;

  TreeListing(Directories directories) {
    this.directories = directories;
  }

  ListObjectsReply list(long bucketId, ListObjectsRequest request, TreeGuard guard)
      throws StoreException {
    return list(bucketId, request, null, guard);
  }

  /**
   * The same as of a look.
   *
   * @param past null: now
   */
  ListObjectsReply list(long bucketId, ListObjectsRequest request, Look past, TreeGuard guard)
      throws StoreException {
    String prefix = request.getPrefix();
    String after = request.getStartAfter();
    if (after.length() > ObjectRowLayout.MAX_KEY_BYTES) {
      throw new StoreException(
          ErrorCode.INVALID_ARGUMENT, "Cannot list after a key of " + after.length() + " letters");
    }
    int limit = request.getLimit() == 0 ? MOST_RESULTS : Math.min(MOST_RESULTS, request.getLimit());
    Grouping grouping = new Grouping(prefix, request.getDelimiter());
    ByteString from = ByteString.copyFromUtf8(prefix);
    if (!after.isEmpty()) {
      ByteString behind =
          ByteString.copyFromUtf8(after)
              .concat(
                  grouping.isCommonPrefix(after) ? BEHIND : ByteString.copyFrom(new byte[] {0}));
      if (TreeWalk.compare(behind, from) > 0) {
        from = behind;
      }
    }
    return new Page(bucketId, grouping, limit, request.getWantMarkers(), past, guard).list(from);
  }

  /** One call. Confined to it. */
  private final class Page {
    private final Look past;
    private final Look look;
    private final long bucketId;
    private final Grouping grouping;
    private final int limit;
    private final boolean wantMarkers;
    private final TreeGuard guard;
    private final String base; // the prefix up to its last slash
    private final ListObjectsReply.Builder reply = ListObjectsReply.newBuilder();
    private int found;

    Page(
        long bucketId,
        Grouping grouping,
        int limit,
        boolean wantMarkers,
        Look past,
        TreeGuard guard) {
      this.guard = guard;
      this.past = past;
      this.look = past == null ? Look.now(directories.rows()) : past;
      this.wantMarkers = wantMarkers;
      this.bucketId = bucketId;
      this.grouping = grouping;
      this.limit = limit;
      this.base = grouping.prefix().substring(0, grouping.prefix().lastIndexOf('/') + 1);
    }

    ListObjectsReply list(ByteString from) throws StoreException {
      Directories.Step directory = base();
      if (directory == null) {
        return reply.build();
      }
      ByteString first = from;
      while (first != null) {
        first = listFrom(directory, first);
      }
      return reply.build();
    }

    /** The directory that all keys under the prefix are in; null if there is none. */
    private Directories.Step base() throws StoreException {
      PathName path;
      try {
        path = PathName.parse(base);
      } catch (StoreException e) {
        return null; // no key that begins so can be there
      }
      List<Directories.Step> steps;
      try {
        steps =
            past == null
                ? directories.walk(bucketId, path.names(), guard)
                : directories.walkPast(bucketId, path.names(), past);
      } catch (StoreException e) {
        if (e.code() == ErrorCode.NOT_A_DIRECTORY) {
          return null;
        }
        throw e;
      }
      if (steps == null) {
        return null;
      }
      Directories.Step directory = steps.get(steps.size() - 1);
      guard.require(directories.rows(), directory, path.text(), FsAction.READ_EXECUTE);
      return directory;
    }

    /** Lists from a key on. Where a common prefix is left behind in one step, tells where to. */
    private ByteString listFrom(Directories.Step directory, ByteString from) throws StoreException {
      ByteString basePath = ByteString.copyFromUtf8(base);
      if (!from.startsWith(basePath)) {
        return null; // behind all of them
      }
      ByteString within = from.substring(basePath.size());
      if (within.isEmpty() && isKey(directory) && !add(base, directory.entry())) {
        return null;
      }
      TreeWalk walk = new TreeWalk(look, bucketId, base, directory.id(), within, limit - found + 1);
      while (true) {
        TreeWalk.Item item = walk.next();
        if (item == null || !item.path().startsWith(grouping.prefix())) {
          return null;
        }
        String common = grouping.commonPrefix(item.path());
        if (common != null && !item.isWhole() && isEmptyFrom(item)) {
          continue; // what is in it comes before the beginning
        }
        if (common != null) {
          if (!addCommon(common, item)) {
            return null;
          }
          if (!item.isDirectory() || !common.equals(item.path())) {
            return ByteString.copyFromUtf8(common).concat(BEHIND);
          }
        } else if (!item.isDirectory()) {
          if (!add(item.path(), shown(item))) {
            return null;
          }
        } else {
          boolean listed = item.isWhole() && !item.entry().getImplied();
          if (listed && !add(item.path(), shown(item))) {
            return null;
          }
          requireReadable(item);
          walk.enter(item);
        }
      }
    }

    private ObjectVersion shown(TreeWalk.Item item) throws StoreException {
      return guard.shown(directories.rows(), item.rowKey(), item.entry(), item.path());
    }

    /** Who lists what is below lists it whole or not at all. */
    private void requireReadable(TreeWalk.Item directory) throws StoreException {
      String path = directory.path().substring(0, directory.path().length() - 1);
      guard.require(
          directories.rows(), directory.rowKey(), directory.entry(), path, FsAction.READ_EXECUTE);
    }

    /** Of a directory that the walk entered in its middle: whether nothing in it is behind that. */
    private boolean isEmptyFrom(TreeWalk.Item item) throws StoreException {
      requireReadable(item); // the answer tells what is in it
      long id = item.entry().getDirectoryId();
      TreeWalk within = new TreeWalk(look, bucketId, item.path(), id, item.from(), 1);
      TreeWalk.Item next = within.next();
      while (next != null && next.isDirectory() && !next.isWhole() && isEmptyFrom(next)) {
        next = within.next();
      }
      return next == null;
    }

    private boolean isKey(Directories.Step directory) {
      return directory.entryKey() != null && !directory.entry().getImplied();
    }

    /** False if it is one too many. */
    private boolean add(String key, ObjectVersion entry) {
      if (found == limit) {
        reply.setMore(true);
        return false;
      }
      found++;
      reply.addObjects(told(key, entry)).setLast(key);
      return true;
    }

    private boolean addCommon(String common, TreeWalk.Item item) throws StoreException {
      if (found == limit) {
        reply.setMore(true);
        return false;
      }
      found++;
      reply.addCommonPrefixes(common).setLast(common);
      // Of one that nobody made, too, which is no key: it has an owner, bits and a time as well.
      if (wantMarkers && item.isDirectory() && common.equals(item.path())) {
        reply.addMarkers(told(common, shown(item)));
      }
      return true;
    }
  }

  static ObjectVersion told(String key, ObjectVersion entry) {
    return entry.toBuilder()
        .setKey(key)
        .clearManifest()
        .clearPartLengths()
        .clearPartWriteIds()
        .build();
  }
}
