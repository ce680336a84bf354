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

import java.util.Arrays;

/**
 * What extents are held against: of every container its id, its end and whether it can be read. In
 * arrays sorted by id, 17 bytes a container: 300 MB for the 17 million of 100 PB. Confined to one
 * thread; filled in order of ids.
 */
final class ContainerTable {
  private long[] ids = new long[1_024];
  private long[] ends = new long[1_024];
  private boolean[] readable = new boolean[1_024];
  private int count;

  /**
   * Adds a container behind all others.
   *
   * @param end shard address behind which nothing is; -1: still written to
   */
  void add(long id, long end, boolean isReadable) {
    if (count == ids.length) {
      int larger = Math.addExact(count, count / 2);
      ids = Arrays.copyOf(ids, larger);
      ends = Arrays.copyOf(ends, larger);
      readable = Arrays.copyOf(readable, larger);
    }
    ids[count] = id;
    ends[count] = end;
    readable[count] = isReadable;
    count++;
  }

  /** Place of a container; negative: there is none. */
  int find(long id) {
    int low = 0;
    int high = count - 1;
    while (low <= high) {
      int middle = (low + high) >>> 1;
      int order = Long.compareUnsigned(ids[middle], id);
      if (order == 0) {
        return middle;
      }
      if (order < 0) {
        low = middle + 1;
      } else {
        high = middle - 1;
      }
    }
    return -1;
  }

  long end(int place) {
    return ends[place];
  }

  boolean isReadable(int place) {
    return readable[place];
  }
}
