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
import io.stowage.common.proto.ObjectVersion;
import io.stowage.om.object.Look;
import io.stowage.om.table.ObjectRowLayout;
import io.stowage.om.table.Row;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.Iterator;
import java.util.List;
import org.apache.hadoop.thirdparty.protobuf.ByteString;

/**
 * Goes through a tree of directories in the order in which S3 lists keys. Confined to its caller.
 *
 * <p>Rows stand in the order of names, keys in that of paths, where a directory's name has a slash
 * behind it: {@code a-b} and {@code a.c} come before {@code a/}, though {@code a} comes before
 * them. So a directory that is met waits until a name that is not below its key with the slash. All
 * that wait at one time begin with one another ({@code a}, {@code a-}, {@code a-b}), and the
 * longest comes first: a stack, no deeper than a name is long.
 *
 * <p>For the same reason, one who begins in the middle, say at {@code a-b}, looks for directories
 * whose names are beginnings of that: their keys may come behind it. Only those can that are
 * followed by a byte below the slash.
 *
 * <p>Memory: a page of rows for each level of the path.
 */
final class TreeWalk {
  private static final ByteString SLASH = ByteString.copyFromUtf8("/");
  private static final int FIRST_PAGE = 64;
  private static final int LARGEST_PAGE = 1_000;

  private final Look look;
  private final long bucketId;
  private final Deque<Level> levels = new ArrayDeque<>();

  /**
   * What is at a place of the order.
   *
   * @param path of a directory with the slash
   * @param rowKey of the entry
   * @param isWhole of a directory: whether its own key is not before the walk's beginning
   * @param from of a directory: where its entries begin that are not
   */
  record Item(String path, String rowKey, ObjectVersion entry, boolean isWhole, ByteString from) {
    boolean isDirectory() {
      return entry.getDirectoryId() != 0;
    }
  }

  /**
   * Begins in a directory.
   *
   * @param path of the directory: empty, or with a slash at its end
   * @param from the first key that counts, without the path, as bytes
   * @param pageSize rows read at first
   */
  TreeWalk(Look look, long bucketId, String path, long directoryId, ByteString from, int pageSize)
      throws StoreException {
    this.look = look;
    this.bucketId = bucketId;
    levels.push(new Level(path, directoryId, from, pageSize));
  }

  /** The next file or directory; null at the end. What is in a directory is left out. */
  Item next() throws StoreException {
    while (!levels.isEmpty()) {
      Item item = levels.peek().next();
      if (item != null) {
        return item;
      }
      levels.pop();
    }
    return null;
  }

  /** Goes on with what is in a directory that {@link #next} told last. */
  void enter(Item directory) throws StoreException {
    levels.push(
        new Level(
            directory.path(), directory.entry().getDirectoryId(), directory.from(), FIRST_PAGE));
  }

  /** What a scanned row holds; null if nothing. */
  private ObjectVersion entry(Row row) throws StoreException {
    return look.scanned(row);
  }

  private final class Level {
    private final String path;
    private final long directoryId;
    private final ByteString anchor;
    private final ByteString end;
    private final ByteString from;
    private final ByteString component; // of from, up to its first slash
    private final ByteString below; // of from, behind its first slash; null: there is none
    private final Deque<Item> waiting = new ArrayDeque<>();
    private ByteString cursor;
    private int pageSize;
    private Iterator<Row> page = List.<Row>of().iterator();
    private boolean lastPage;
    private Row peeked;

    Level(String path, long directoryId, ByteString from, int pageSize) throws StoreException {
      this.path = path;
      this.directoryId = directoryId;
      this.anchor = ObjectRowLayout.row(bucketId, EntryKeys.anchor(directoryId));
      this.end = ObjectRowLayout.behindPrefix(anchor);
      this.from = from;
      this.pageSize = Math.min(LARGEST_PAGE, pageSize);
      int slash = indexOfSlash(from);
      this.component = slash < 0 ? from : from.substring(0, slash);
      this.below = slash < 0 ? null : from.substring(slash + 1);
      this.cursor = component.isEmpty() ? ObjectRowLayout.behind(anchor) : anchor.concat(component);
      findBeginnings();
    }

    private void findBeginnings() throws StoreException {
      int most = Math.min(component.size() - 1, PathName.MOST_NAME_BYTES);
      for (int length = 1; length <= most; length++) {
        if (Byte.toUnsignedInt(component.byteAt(length)) < '/') {
          ByteString name = component.substring(0, length);
          ObjectVersion entry = look.find(anchor.concat(name));
          if (entry != null && entry.getDirectoryId() != 0) {
            waiting.push(whole(name, entry));
          }
        }
      }
    }

    private String rowKey(ByteString name) {
      return EntryKeys.entry(directoryId, name.toStringUtf8());
    }

    private Item whole(ByteString name, ObjectVersion entry) {
      return new Item(
          path + name.toStringUtf8() + "/", rowKey(name), entry, true, ByteString.EMPTY);
    }

    Item next() throws StoreException {
      while (true) {
        Row row = peek();
        ByteString name = row == null ? null : row.key().substring(anchor.size());
        if (!waiting.isEmpty() && (name == null || comesBefore(waiting.peek(), name))) {
          return waiting.pop();
        }
        if (row == null) {
          return null;
        }
        peeked = null;
        ObjectVersion entry = entry(row);
        if (entry == null) {
          continue;
        }
        if (entry.getDirectoryId() == 0) {
          if (compare(name, from) >= 0) {
            return new Item(
                path + name.toStringUtf8(), rowKey(name), entry, true, ByteString.EMPTY);
          }
        } else if (below != null && name.equals(component)) {
          waiting.push(
              new Item(
                  path + name.toStringUtf8() + "/", rowKey(name), entry, below.isEmpty(), below));
        } else if (compare(name.concat(SLASH), from) >= 0) {
          waiting.push(whole(name, entry));
        }
      }
    }

    private boolean comesBefore(Item directory, ByteString name) {
      ByteString key = ByteString.copyFromUtf8(directory.path().substring(path.length()));
      return compare(key, name) <= 0;
    }

    private Row peek() throws StoreException {
      while (peeked == null) {
        if (page.hasNext()) {
          peeked = page.next();
        } else if (lastPage) {
          return null;
        } else {
          List<Row> scanned = look.scan(cursor, end, pageSize);
          lastPage = scanned.size() < pageSize;
          if (!scanned.isEmpty()) {
            cursor = ObjectRowLayout.behind(scanned.get(scanned.size() - 1).key());
          }
          pageSize = Math.min(LARGEST_PAGE, 4 * pageSize);
          page = scanned.iterator();
        }
      }
      return peeked;
    }
  }

  private static int indexOfSlash(ByteString bytes) {
    for (int i = 0; i < bytes.size(); i++) {
      if (bytes.byteAt(i) == '/') {
        return i;
      }
    }
    return -1;
  }

  static int compare(ByteString a, ByteString b) {
    return ByteString.unsignedLexicographicalComparator().compare(a, b);
  }
}
