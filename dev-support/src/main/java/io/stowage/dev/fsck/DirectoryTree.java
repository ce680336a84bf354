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
package io.stowage.dev.fsck;

import io.stowage.dev.fsck.SpillSorter.Entries;
import io.stowage.dev.fsck.SpillSorter.Entry;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import org.apache.hadoop.thirdparty.protobuf.ByteString;

/**
 * The directories of buckets of layout FILE_SYSTEM, put together from their rows in any order:
 * which are there, which were removed, and where the tree is broken. Filled first, then asked.
 * Confined to one thread.
 *
 * <p>A whole tree has one entry of each directory that has rows, but of the root and of those that
 * were removed, which have an anchor and no entry; and from each entry the way up ends at the root
 * or at a directory that was removed. What can be wrong:
 *
 * <ul>
 *   <li>a directory with rows has neither entry nor anchor: it is <b>lost</b>, with all that is
 *       below it;
 *   <li>directories lie in one another: the one whose entry has the lowest stamp is lost, and its
 *       entry is one too many;
 *   <li>a directory has two entries, or was removed and has one: all but the one with the highest
 *       stamp are <b>too many</b>; one that is named by the directory's id before any other, since
 *       a rebuild made it for want of another ({@link #nameOfLost}).
 * </ul>
 *
 * <p>Memory: the sorter's, and 33 bytes a directory from the first question on.
 */
final class DirectoryTree implements AutoCloseable {
  private static final long SORTER_BYTES = 32L << 20;
  private static final int KEY_BYTES = 2 * Long.BYTES;

  private static final byte ENTRY = 'E';
  private static final byte REMOVED = 'R';
  private static final byte ROWS = 'M';

  private static final byte UNKNOWN = 0;
  private static final byte BEING_WALKED = 1;
  private static final byte IS_THERE = 2;
  private static final byte IS_REMOVED = 3;
  private static final byte IS_LOST = 4;

  /** A directory to which nothing leads from the root. */
  record Lost(long bucketId, long directoryId) {}

  /** A row that says that a directory is there, and should not. */
  record TooMany(long bucketId, ByteString rowKey, long directoryId, long stamp) {}

  private final SpillSorter facts;
  private final List<Lost> lost = new ArrayList<>();
  private final List<TooMany> tooMany = new ArrayList<>();
  private long lastBucket;
  private long lastWithRows = EntryRow.ROOT;
  private boolean finished;

  // By bucket and directory, ascending; without the roots.
  private int count;
  private long[] buckets = new long[16];
  private long[] ids = new long[16];
  private long[] parents = new long[16];
  private long[] stamps = new long[16];
  private byte[] states = new byte[16];

  DirectoryTree(Path directory, String name) {
    this.facts = new SpillSorter(directory, name, SORTER_BYTES);
  }

  /**
   * A row that holds something.
   *
   * @param directoryId not 0: it is this directory's entry, or anchor
   * @param stamp of its head
   */
  void add(long bucketId, ByteString rowKey, long directoryId, long stamp) throws IOException {
    EntryRow row = EntryRow.parse(rowKey);
    if (row == null) {
      return;
    }
    if (row.isAnchor()) {
      facts.add(key(bucketId, row.directoryId()), new byte[] {REMOVED});
      return;
    }
    if (bucketId != lastBucket || row.directoryId() != lastWithRows) {
      facts.add(key(bucketId, row.directoryId()), new byte[] {ROWS});
      lastBucket = bucketId;
      lastWithRows = row.directoryId();
    }
    if (directoryId != 0) {
      byte[] value = new byte[1 + Long.BYTES + rowKey.size()];
      ByteBuffer out = ByteBuffer.wrap(value).put(ENTRY).putLong(stamp);
      rowKey.copyTo(out);
      facts.add(key(bucketId, directoryId), value);
    }
  }

  private static byte[] key(long bucketId, long directoryId) {
    return ByteBuffer.allocate(KEY_BYTES).putLong(bucketId).putLong(directoryId).array();
  }

  /** Directories that nothing leads to; those below them are not told. */
  List<Lost> lost() throws IOException {
    finish();
    return lost;
  }

  List<TooMany> tooMany() throws IOException {
    finish();
    return tooMany;
  }

  boolean isWhole() throws IOException {
    finish();
    return lost.isEmpty() && tooMany.isEmpty();
  }

  /** Whether a directory was removed, by itself or with one above it. */
  boolean isRemoved(long bucketId, long directoryId) throws IOException {
    finish();
    int at = find(bucketId, directoryId);
    return at >= 0 && states[at] == IS_REMOVED;
  }

  private void finish() throws IOException {
    if (finished) {
      return;
    }
    finished = true;
    forEach(
        (bucketId, directoryId, values) -> {
          if (directoryId != EntryRow.ROOT) {
            take(bucketId, directoryId, values);
          }
        });
    List<Lost> tops = walkUp();
    if (!tops.isEmpty()) {
      dropEntries(tops);
      lost.addAll(tops);
    }
  }

  private interface OneDirectory {
    void take(long bucketId, long directoryId, List<byte[]> values) throws IOException;
  }

  private void forEach(OneDirectory each) throws IOException {
    try (Entries sorted = facts.sorted()) {
      byte[] key = null;
      List<byte[]> values = new ArrayList<>();
      for (Entry entry = sorted.next(); entry != null; entry = sorted.next()) {
        if (key != null && !Arrays.equals(key, entry.key())) {
          take(key, values, each);
          values.clear();
        }
        key = entry.key();
        values.add(entry.value());
      }
      if (key != null) {
        take(key, values, each);
      }
    }
  }

  private static void take(byte[] key, List<byte[]> values, OneDirectory each) throws IOException {
    ByteBuffer in = ByteBuffer.wrap(key);
    each.take(in.getLong(), in.getLong(), values);
  }

  private void take(long bucketId, long directoryId, List<byte[]> values) {
    Map<ByteString, TooMany> entries = new HashMap<>(); // a scan may tell a row twice
    boolean removed = false;
    for (byte[] value : values) {
      removed |= value[0] == REMOVED;
      if (value[0] == ENTRY) {
        TooMany entry = entry(bucketId, directoryId, value);
        entries.merge(entry.rowKey(), entry, (a, b) -> isBetter(a, b) ? a : b);
      }
    }
    TooMany stays = null;
    for (TooMany entry : entries.values()) {
      if (!removed && (stays == null || isBetter(entry, stays))) {
        stays = entry;
      }
    }
    if (stays != null) {
      entries.remove(stays.rowKey());
    }
    tooMany.addAll(entries.values());
    if (stays != null) {
      append(bucketId, directoryId, parentOf(stays), stays.stamp(), UNKNOWN);
    } else if (removed) {
      append(bucketId, directoryId, EntryRow.ROOT, 0, IS_REMOVED);
    } else {
      append(bucketId, directoryId, EntryRow.ROOT, 0, IS_LOST);
      lost.add(new Lost(bucketId, directoryId));
    }
  }

  private static TooMany entry(long bucketId, long directoryId, byte[] value) {
    ByteBuffer in = ByteBuffer.wrap(value, 1, value.length - 1);
    long stamp = in.getLong();
    return new TooMany(bucketId, ByteString.copyFrom(in), directoryId, stamp);
  }

  private static long parentOf(TooMany entry) {
    return EntryRow.parse(entry.rowKey()).directoryId();
  }

  private static boolean isBetter(TooMany a, TooMany b) {
    boolean aIsFound = isNamedById(a);
    boolean bIsFound = isNamedById(b);
    return aIsFound == bIsFound ? Long.compareUnsigned(a.stamp(), b.stamp()) > 0 : bIsFound;
  }

  private static boolean isNamedById(TooMany entry) {
    return EntryRow.parse(entry.rowKey()).name().equals(nameOfLost(entry.directoryId()));
  }

  /** What a directory is called that has no other name. */
  static String nameOfLost(long directoryId) {
    return HexFormat.of().toHexDigits(directoryId);
  }

  private void append(long bucketId, long directoryId, long parent, long stamp, byte state) {
    if (count == ids.length) {
      int more = count + (count >> 1);
      buckets = Arrays.copyOf(buckets, more);
      ids = Arrays.copyOf(ids, more);
      parents = Arrays.copyOf(parents, more);
      stamps = Arrays.copyOf(stamps, more);
      states = Arrays.copyOf(states, more);
    }
    buckets[count] = bucketId;
    ids[count] = directoryId;
    parents[count] = parent;
    stamps[count] = stamp;
    states[count++] = state;
  }

  private int find(long bucketId, long directoryId) {
    int low = 0;
    int high = count - 1;
    while (low <= high) {
      int middle = (low + high) >>> 1;
      int order = Long.compareUnsigned(buckets[middle], bucketId);
      if (order == 0) {
        order = Long.compareUnsigned(ids[middle], directoryId);
      }
      if (order == 0) {
        return middle;
      } else if (order < 0) {
        low = middle + 1;
      } else {
        high = middle - 1;
      }
    }
    return -1;
  }

  /** Gives every directory the state of where its way up ends; returns where circles are cut. */
  private List<Lost> walkUp() {
    List<Lost> cuts = new ArrayList<>();
    List<Integer> way = new ArrayList<>();
    for (int i = 0; i < count; i++) {
      way.clear();
      int at = i;
      byte end = IS_THERE;
      while (at >= 0) { // an entry's row makes its directory known: only the root is not found
        if (states[at] == BEING_WALKED) {
          int first = oldest(way.subList(way.indexOf(at), way.size()));
          cuts.add(new Lost(buckets[first], ids[first]));
          end = IS_LOST;
          break;
        }
        if (states[at] != UNKNOWN) {
          end = states[at];
          break;
        }
        states[at] = BEING_WALKED;
        way.add(at);
        at = find(buckets[at], parents[at]);
      }
      for (int walked : way) {
        states[walked] = end;
      }
    }
    return cuts;
  }

  private int oldest(List<Integer> circle) {
    int oldest = circle.get(0);
    for (int one : circle) {
      if (Long.compareUnsigned(stamps[one], stamps[oldest]) < 0) {
        oldest = one;
      }
    }
    return oldest;
  }

  /** What entries lost directories have lead to nothing but themselves. */
  private void dropEntries(List<Lost> tops) throws IOException {
    forEach(
        (bucketId, directoryId, values) -> {
          if (!tops.contains(new Lost(bucketId, directoryId))) {
            return;
          }
          for (byte[] value : values) {
            if (value[0] == ENTRY) {
              TooMany entry = entry(bucketId, directoryId, value);
              if (!tooMany.contains(entry)) {
                tooMany.add(entry);
              }
            }
          }
        });
  }

  @Override
  public void close() throws IOException {
    facts.close();
  }
}
