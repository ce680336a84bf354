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

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.stowage.dev.fsck.SpillSorter.Entries;
import io.stowage.dev.fsck.SpillSorter.Entry;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.List;
import java.util.Random;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class SpillSorterTest {
  @TempDir Path directory;

  @Test
  void sortsMoreThanFitsIntoMemory() throws Exception {
    Random random = new Random(1);
    List<Entry> all = new ArrayList<>();
    long filesAtMost = 0;
    try (SpillSorter sorter = new SpillSorter(directory, "test", 4_000)) {
      for (int i = 0; i < 20_000; i++) {
        byte[] key = new byte[random.nextInt(3)];
        random.nextBytes(key);
        byte[] value = ByteBuffer.allocate(4).putInt(i).array();
        all.add(new Entry(key, value));
        sorter.add(key, value);
        if (i % 500 == 0) {
          filesAtMost = Math.max(filesAtMost, files());
        }
      }
      assertEquals(all.size(), sorter.count());
      assertTrue(filesAtMost <= SpillSorter.MOST_RUNS, filesAtMost + " files");
      assertTrue(filesAtMost > 1, "nothing was spilled");
      all.sort(Comparator.comparing(Entry::key, Arrays::compareUnsigned)); // stable
      try (Entries sorted = sorter.sorted()) {
        for (Entry expected : all) {
          Entry actual = sorted.next();
          assertArrayEquals(expected.key(), actual.key());
          assertArrayEquals(expected.value(), actual.value(), "equal keys keep their order");
        }
        assertNull(sorted.next());
      }
    }
    assertEquals(0, files(), "left behind");
  }

  @Test
  void nothingSortedIsNothing() throws Exception {
    try (SpillSorter sorter = new SpillSorter(directory, "none", 100);
        Entries sorted = sorter.sorted()) {
      assertNull(sorted.next());
    }
  }

  @Test
  void entriesAreReadKeyByKeyWhetherOrNotAllAreRead() throws Exception {
    try (SpillSorter sorter = new SpillSorter(directory, "test", 300)) {
      for (int i = 0; i < 9; i++) {
        sorter.add(new byte[] {(byte) (i % 3)}, new byte[] {(byte) i});
      }
      try (SpillSorter.Groups groups = sorter.groups();
          SpillSorter.Groups again = sorter.groups()) {
        assertNull(groups.nextValue(), "no key yet");
        for (int key = 0; key < 3; key++) {
          assertArrayEquals(new byte[] {(byte) key}, groups.nextKey());
          assertArrayEquals(new byte[] {(byte) key}, again.nextKey());
          assertArrayEquals(new byte[] {(byte) key}, groups.nextValue());
          for (int i = key; i < 9; i += 3) {
            assertArrayEquals(new byte[] {(byte) i}, again.nextValue());
          }
          assertNull(again.nextValue());
        }
        assertNull(groups.nextKey());
        assertNull(again.nextKey());
        assertNull(again.nextValue());
      }
    }
  }

  /** Each run has one entry in memory while all are merged. */
  @Test
  void runsOfLargeEntriesAreMergedBeforeTheyAreMany() throws Exception {
    try (SpillSorter sorter = new SpillSorter(directory, "test", 4_000)) {
      for (int i = 0; i < 100; i++) {
        sorter.add(new byte[] {(byte) i}, new byte[1_000]);
        assertTrue(files() <= 5, files() + " runs");
      }
      try (Entries sorted = sorter.sorted()) {
        for (int i = 0; i < 100; i++) {
          assertEquals(i, sorted.next().key()[0]);
        }
        assertNull(sorted.next());
      }
    }
  }

  private long files() throws Exception {
    try (Stream<Path> files = Files.list(directory)) {
      return files.count();
    }
  }
}
