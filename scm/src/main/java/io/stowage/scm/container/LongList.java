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
package io.stowage.scm.container;

import java.util.Arrays;
import java.util.random.RandomGenerator;

/**
 * Up to a number of container ids: the first that are added, or a sample of all that are offered.
 * Confined to one thread.
 */
final class LongList {
  private final int most;
  private long[] ids = new long[8];
  private int size;
  private long offered; // to be sampled

  LongList(int most) {
    this.most = most;
  }

  void add(long id) {
    if (size < most) {
      append(id);
    }
  }

  private void append(long id) {
    if (size == ids.length) {
      ids = Arrays.copyOf(ids, 2 * size);
    }
    ids[size++] = id;
  }

  /**
   * Offers an id. All that are offered are kept with the same probability, and stand in a random
   * order, so that work which cannot be done now does not hold up what can. Not to be mixed with
   * {@link #add}.
   */
  void sample(long id, RandomGenerator random) {
    offered++;
    if (size < most) {
      append(id);
      int place = random.nextInt(size);
      ids[size - 1] = ids[place];
      ids[place] = id;
      return;
    }
    long place = random.nextLong(offered);
    if (place < most) {
      ids[(int) place] = id;
    }
  }

  int size() {
    return size;
  }

  long get(int i) {
    return ids[i];
  }
}
