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
package io.stowage.datanode.shard;

/**
 * A reader's copy of page entries, so that it looks at them without a lock. Confined to its reader.
 */
final class SectorEntries {
  final int[] crcs;
  final int[] used;
  final boolean[] lost;
  private int count;
  private boolean unread;

  SectorEntries(int capacity) {
    crcs = new int[capacity];
    used = new int[capacity];
    lost = new boolean[capacity];
  }

  /** Adds the entries of a run of sectors. */
  void copy(ChecksumPage page, int firstSector, int sectors) {
    unread |= page.isUnread();
    for (int i = firstSector; i < firstSector + sectors; i++) {
      crcs[count] = page.crc(i);
      used[count] = page.used(i);
      lost[count] = page.isLost(i);
      count++;
    }
  }

  int count() {
    return count;
  }

  /** Whether the disk did not give the page of any of them. */
  boolean areUnread() {
    return unread;
  }
}
