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

/** Up to a number of container ids; more are counted only. Confined to one thread. */
final class LongList {
  private final int most;
  private long[] ids = new long[8];
  private int size;
  private boolean overflown;

  LongList(int most) {
    this.most = most;
  }

  void add(long id) {
    if (size == most) {
      overflown = true;
      return;
    }
    if (size == ids.length) {
      ids = Arrays.copyOf(ids, 2 * size);
    }
    ids[size++] = id;
  }

  int size() {
    return size;
  }

  long get(int i) {
    return ids[i];
  }

  /** Whether more were to be added than it takes. */
  boolean isOverflown() {
    return overflown;
  }
}
