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
package io.stowage.om.bucket;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.stowage.common.error.StoreException;
import io.stowage.common.proto.BucketInfo;
import io.stowage.common.proto.BucketQuota;
import io.stowage.common.proto.GetBucketUsageReply;
import io.stowage.common.time.Pause;
import io.stowage.common.time.StoreClock;
import io.stowage.om.object.ObjectRows;
import io.stowage.om.row.RowCommitter;
import io.stowage.om.row.Stamps;
import io.stowage.om.table.BucketRowLayout;
import io.stowage.om.table.MemoryRowStore;
import java.io.IOException;
import java.time.Duration;
import org.junit.jupiter.api.Test;

/** What is kept of buckets that nobody uses, and of object managers that are no more. */
class UsageTest {
  private static final BucketInfo BUCKET =
      BucketInfo.newBuilder()
          .setId(77)
          .setName("b")
          .putSettings(
              Usage.SETTING, BucketQuota.newBuilder().setObjects(1_000).build().toByteString())
          .build();

  private final MemoryRowStore table = new MemoryRowStore();
  private Duration passed = Duration.ZERO;

  private final StoreClock clock =
      new StoreClock() {
        @Override
        public long wallMicros() {
          return 1_700_000_000_000_000L + passed.toNanos() / 1_000;
        }

        @Override
        public long monotonicNanos() {
          return passed.toNanos();
        }
      };

  private Usage open() {
    RowCommitter rows = new RowCommitter(table, clock, Pause.REAL, Duration.ofSeconds(60));
    ObjectRows objects = new ObjectRows(rows, new Stamps(clock, Duration.ofMillis(50)));
    return new Usage(rows, objects, clock);
  }

  /** How many object managers have a cell, whether they live or not. */
  private int cells() throws IOException {
    return (int)
        table.getFamilies(BucketRowLayout.usageRow(BUCKET.getId()), "m").cells().stream()
            .filter(cell -> !cell.column().equals(BucketRowLayout.COUNTED))
            .count();
  }

  private static String held(Usage usage) throws StoreException {
    GetBucketUsageReply reply = usage.get(BUCKET);
    return reply.getObjects() + " with " + reply.getBytes();
  }

  @Test
  void aBucketThatIsNotUsedIsForgottenAndItsCellFolded() throws Exception {
    Usage usage = open();
    usage.changed(BUCKET.getId(), 3, 30);
    usage.flush();
    assertEquals(1, usage.remembered());
    assertEquals(1, cells());
    passed = passed.plusMinutes(11);
    usage.flush();
    assertEquals(0, usage.remembered());
    assertEquals(0, cells());
    assertEquals("3 with 30", held(usage));
    usage.changed(BUCKET.getId(), -1, -10);
    usage.flush();
    assertEquals(1, cells());
    assertEquals("2 with 20", held(open()));
  }

  @Test
  void aBucketInUseIsNotForgotten() throws Exception {
    Usage usage = open();
    Usage.Room room = usage.require(BUCKET, 1, 10);
    passed = passed.plusMinutes(11);
    usage.flush();
    assertEquals(1, usage.remembered());
    usage.changed(BUCKET.getId(), 1, 10);
    room.close();
    usage.flush();
    assertEquals("1 with 10", held(open()));
    passed = passed.plusMinutes(11);
    usage.flush();
    assertEquals(0, usage.remembered());
    assertEquals("1 with 10", held(open()));
  }

  @Test
  void cellsOfObjectManagersThatAreNoMoreAreFolded() throws Exception {
    for (int start = 0; start < 300; start++) { // each is killed
      Usage dead = open();
      dead.changed(BUCKET.getId(), 1, 2);
      dead.flush();
      passed = passed.plusSeconds(30);
    }
    assertTrue(cells() <= 121, cells() + " cells: an hour has 120 starts");
    assertEquals("300 with 600", held(open()));
    passed = passed.plusHours(2);
    Usage last = open();
    last.changed(BUCKET.getId(), 1, 2);
    last.flush();
    assertEquals(1, cells());
    assertEquals("301 with 602", held(open()));
  }

  @Test
  void whoeverWasTakenForDeadGoesOnFromWhatWasFolded() throws Exception {
    Usage paused = open();
    paused.changed(BUCKET.getId(), 1, 10);
    Usage.Room room = paused.require(BUCKET, 5, 50);
    passed = passed.plusHours(2);
    Usage other = open();
    other.changed(BUCKET.getId(), 100, 1_000);
    other.flush();
    assertEquals(1, cells());
    paused.changed(BUCKET.getId(), 5, 50);
    room.close();
    paused.flush();
    assertEquals(2, cells());
    assertEquals("106 with 1060", held(open()));
    assertThrows(StoreException.class, () -> paused.require(BUCKET, 895, 0));
    paused.require(BUCKET, 894, 0).close();
  }

  @Test
  void aRecountIsRightWhateverIsFoldedMeanwhile() throws Exception {
    Usage killed = open();
    killed.changed(BUCKET.getId(), 7, 70); // of nothing that is there
    killed.flush();
    passed = passed.plusHours(2);
    Usage usage = open();
    usage.changed(BUCKET.getId(), 1, 1);
    usage.recount(BUCKET);
    assertEquals("0 with 0", held(usage));
    usage.flush();
    assertEquals(1, cells());
    assertEquals("0 with 0", held(open()));
  }
}
