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
package io.stowage.datanode.disk;

import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;

class RecentReadsTest {
  private static final int REGION = RecentReads.REGION_BYTES;
  private static final long FILE = RecentReads.identity("a");

  private final RecentReads recent = new RecentReads(1 << 12);

  @Test
  void knowsWhatWasReadAndWhatOverlapsIt() {
    assertFalse(recent.note(FILE, 5 * REGION, 8 * REGION));
    assertTrue(recent.note(FILE, 5 * REGION, 8 * REGION));
    assertTrue(recent.note(FILE, 12 * REGION, REGION));
    assertTrue(recent.note(FILE, 4 * REGION + 4096, REGION));
  }

  /** Pieces of a stream, wherever they are cut, are no use of one another. */
  @Test
  void whatLiesBesideWasNotRead() {
    for (int length : new int[] {REGION, REGION + 4096, 3 * REGION - 4096}) {
      long file = RecentReads.identity("cut by " + length);
      for (int piece = 0; piece < 50; piece++) {
        assertFalse(recent.note(file, 40_960L + (long) piece * length, length), "piece " + piece);
      }
    }
  }

  @Test
  void otherFilesWereNotRead() {
    recent.note(FILE, 0, REGION);
    assertFalse(recent.note(RecentReads.identity("b"), 0, REGION));
    assertTrue(recent.note(RecentReads.identity("a"), 0, REGION));
  }

  @Test
  void aReadIsKnownByHalfOfItsRegions() {
    recent.note(FILE, 0, 8 * REGION);
    assertFalse(recent.note(FILE, 5 * REGION, 8 * REGION), "three of eight");
    recent.note(FILE, 100 * REGION, 8 * REGION);
    assertTrue(recent.note(FILE, 104 * REGION, 8 * REGION), "four of eight");
  }

  @Test
  void forgetsWhatManyOthersCameAfter() {
    assertTrue(known(REGION, 1 << 10) > 70);
    assertTrue(known(REGION, 1 << 15) < 5);
  }

  /** A cell is no more known than its regions are, many as it has. */
  @Test
  void forgetsCellsThatManyOthersCameAfter() {
    assertTrue(known(8 * REGION, 1 << 10) > 85, "a quarter of the slots");
    assertTrue(known(8 * REGION, 1 << 12) < 50, "as many as slots");
    assertTrue(known(8 * REGION, 1 << 13) < 10, "twice as many");
  }

  /** Of a hundred reads those that are known when so many regions were read after them. */
  private long known(int length, int others) {
    long first = RecentReads.identity(others + " before");
    IntStream.range(0, 100).forEach(i -> recent.note(first, (long) i * length, length));
    long after = RecentReads.identity(others + " after");
    IntStream.range(0, others).forEach(i -> recent.note(after, (long) i * REGION, REGION));
    return IntStream.range(0, 100)
        .filter(i -> recent.note(first, (long) i * length, length))
        .count();
  }

  @Test
  void thisMachinesHasSlots() {
    assertFalse(RecentReads.ofThisMachine().note(FILE, 0, REGION));
  }
}
