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

import io.stowage.common.proto.ListObjectsReply;
import io.stowage.om.garbage.Collector;
import io.stowage.om.row.Pause;
import io.stowage.om.table.BatchingRowStore;
import io.stowage.om.table.HBaseFixture;
import io.stowage.om.table.ObjectRowLayout;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.atomic.AtomicLong;
import org.apache.hadoop.thirdparty.protobuf.ByteString;
import org.junit.jupiter.api.Test;

/**
 * Many keys are written and all but every hundredth are deleted: what that costs whoever lists them
 * or reads one, before and after collecting and compacting, in real HBase. Prints the times (for
 * docs/PERFORMANCE.md, with {@code -Dstowage.test.deleted-rows=200000}); asserts only what is left.
 */
class AfterDeletesTest {
  private static final int ROWS = Integer.getInteger("stowage.test.deleted-rows", 2_000);
  private static final int KEPT = 100;
  private static final int THREADS = 32;
  private static final String NAMESPACE = "deletes";

  private final AtomicLong jumped = new AtomicLong();

  private interface OneKey {
    void work(int number) throws Exception;
  }

  private static String key(int number) {
    return String.format("key-%08d", number);
  }

  private static void all(OneKey work) throws Exception {
    ExecutorService threads = Executors.newFixedThreadPool(THREADS);
    try {
      List<Future<?>> running = new ArrayList<>();
      for (int i = 0; i < THREADS; i++) {
        int first = i;
        running.add(
            threads.submit(
                () -> {
                  for (int number = first; number < ROWS; number += THREADS) {
                    work.work(number);
                  }
                  return null;
                }));
      }
      for (Future<?> one : running) {
        one.get();
      }
    } finally {
      threads.shutdownNow();
    }
  }

  private interface OneOf {
    void work(TestOm om, int number) throws Exception;
  }

  /** Through an object manager whose changes are sent by the thousand. */
  private void fast(TestOm.Tables tables, OneOf work) throws Exception {
    long begin = System.nanoTime();
    try (BatchingRowStore batching =
        new BatchingRowStore(tables.objects(), HBaseFixture.configuration(), NAMESPACE)) {
      TestOm quick =
          new TestOm(
              TestOm.CONFIG,
              tables.withObjects(batching),
              new FakeContainers(),
              new JumpingClock(jumped, Duration.ZERO),
              Pause.REAL);
      all(number -> work.work(quick, number));
    }
    System.out.printf("AfterDeletes: made in %,d ms%n", (System.nanoTime() - begin) / 1_000_000);
  }

  @Test
  void whatWasDeletedIsGoneForWhoeverLists() throws Exception {
    TestOm.Tables tables = TestOm.onHBase(NAMESPACE);
    TestOm om =
        new TestOm(
            TestOm.CONFIG,
            tables,
            new FakeContainers(),
            new JumpingClock(jumped, Duration.ZERO),
            Pause.REAL);
    String bucket = "deletes" + System.nanoTime();
    om.createBucket(bucket);
    fast(tables, (quick, number) -> quick.put(bucket, key(number), "x"));
    measure("all " + ROWS + " keys there", om, bucket);
    fast(
        tables,
        (quick, number) -> {
          if (number % KEPT != 0) {
            quick.delete(bucket, key(number));
          }
        });
    measure("deleted", om, bucket);
    jumped.addAndGet(TestOm.CONFIG.trail().plusSeconds(5).toNanos());
    Collector collector = om.om.collector(tables.regions());
    long begin = System.nanoTime();
    Collector.Tally tally = collector.round();
    System.out.printf(
        "AfterDeletes: collected %,d cells and %,d heads in %,d ms%n",
        tally.cleared(), tally.removed(), (System.nanoTime() - begin) / 1_000_000);
    measure("collected", om, bucket);
    long id = om.bucketId(bucket);
    ByteString from = ObjectRowLayout.row(id, "");
    int left =
        tables
            .objects()
            .scan(
                from,
                ObjectRowLayout.behindPrefix(from),
                'c',
                ObjectRowLayout.HEAD.qualifier(),
                ROWS)
            .size();
    assertEquals((ROWS + KEPT - 1) / KEPT, left, "rows with a head");
    assertTrue(tally.removed() >= ROWS - left);
    if (tally.removed() < 10_000) {
      tables
          .regions()
          .compact(
              ByteString.EMPTY, ObjectRowLayout.END); // too few for the collector to ask for it
    }
    // Compacting goes on behind: what can be awaited is only that listings are right all the time.
    for (int i = 0; i < 5; i++) {
      measure("compacting, or done: " + i, om, bucket);
      if (ROWS > 10_000) {
        all(
            number -> {
              if (number < 20_000) { // time for the compaction
                om.get(bucket, key(number % 100 * KEPT));
              }
            });
      }
    }
  }

  private static void measure(String when, TestOm om, String bucket) throws Exception {
    long begin = System.nanoTime();
    ListObjectsReply page = om.list(bucket, "", "", "", 1_000);
    long first = System.nanoTime();
    int listed = page.getObjectsCount();
    while (page.getMore()) {
      page = om.list(bucket, "", "", page.getLast(), 1_000);
      listed += page.getObjectsCount();
    }
    long whole = System.nanoTime();
    for (int i = 0; i < 1_000; i++) {
      om.get(bucket, key(i * 37 % ROWS));
    }
    long read = System.nanoTime();
    System.out.printf(
        "AfterDeletes: %s: first page %,d ms; all %,d keys %,d ms; a read %,d us%n",
        when,
        (first - begin) / 1_000_000,
        listed,
        (whole - begin) / 1_000_000,
        (read - whole) / 1_000_000);
  }
}
