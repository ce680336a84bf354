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
package io.stowage.om;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.stowage.om.garbage.Collector;
import io.stowage.om.table.ObjectRowLayout;
import io.stowage.om.table.Regions;
import java.io.IOException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.atomic.AtomicLong;
import org.apache.hadoop.thirdparty.protobuf.ByteString;
import org.junit.jupiter.api.Test;

/** A collector that removes very many rows does not leave listings slow until it is done. */
class CompactionOnTheWayTest {
  private static final int DELETED = 41_000;

  @Test
  void regionsAreCompactedEachTimeThatTwiceAsManyRowsAreGone() throws Exception {
    TestOm.Tables tables = TestOm.Tables.inMemory();
    AtomicLong jumped = new AtomicLong();
    TestOm om =
        new TestOm(
            TestOm.CONFIG,
            tables,
            new FakeContainers(),
            new JumpingClock(jumped, Duration.ZERO),
            pause -> jumped.addAndGet(pause.toNanos() + 1_000));
    om.createBucket("bucket");
    for (int i = 0; i < DELETED; i++) {
      om.put("bucket", "key-%06d".formatted(i), "x");
      om.delete("bucket", "key-%06d".formatted(i));
    }
    om.put("bucket", "left", "x");
    jumped.addAndGet(Duration.ofHours(1).toNanos());

    List<Integer> gone = new ArrayList<>();
    Collector collector =
        om.om.collector(
            new Regions() {
              @Override
              public List<ByteString> starts() throws IOException {
                return tables.regions().starts();
              }

              @Override
              public void compact(ByteString from, ByteString to) throws IOException {
                gone.add(DELETED + 1 - heads(tables));
                tables.regions().compact(from, to);
              }
            });
    assertEquals(DELETED, collector.round().removed());
    assertEquals(3, gone.size(), gone.toString());
    assertTrue(gone.get(0) >= 20_000 && gone.get(0) < 21_000, gone.toString());
    assertTrue(gone.get(1) >= 40_000 && gone.get(1) < 41_000, gone.toString());
    assertEquals(DELETED, gone.get(2), "at the end of the run");
    assertEquals("left", om.list("bucket", "", "", "", 10).getObjects(0).getKey());
  }

  private static int heads(TestOm.Tables tables) throws IOException {
    return tables
        .objects()
        .scan(
            ByteString.EMPTY,
            ObjectRowLayout.END,
            'c',
            ObjectRowLayout.HEAD.qualifier(),
            Integer.MAX_VALUE)
        .size();
  }
}
