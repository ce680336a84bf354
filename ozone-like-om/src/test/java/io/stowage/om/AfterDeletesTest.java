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

import com.sun.management.OperatingSystemMXBean;
import io.stowage.common.proto.ListObjectsReply;
import io.stowage.common.time.Pause;
import io.stowage.om.garbage.Collector;
import io.stowage.om.table.BatchingRowStore;
import io.stowage.om.table.HBaseFixture;
import io.stowage.om.table.ObjectRowLayout;
import java.lang.management.ManagementFactory;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.atomic.AtomicLong;
import org.apache.hadoop.thirdparty.protobuf.ByteString;
import org.junit.jupiter.api.Test;

/**
 * Many keys are written and deleted again, with others before and behind them that stay: what that
 * costs whoever lists across them, beside them, or reads one, right afterwards and after collecting
 * and compacting, in real HBase. Prints the times (for docs/PERFORMANCE.md, with {@code
 * -Dstowage.test.deleted-rows=1000000}); asserts what is there, and of many rows that a listing
 * beside them never gets slower, and one across them is as quick as before once they are compacted.
 */
class AfterDeletesTest {
  private static final int ROWS = Integer.getInteger("stowage.test.deleted-rows", 2_000);

  /**
   * Fewer than a page on each side, so that one page holds both and passes all that was deleted.
   */
  private static final int NEIGHBOURS = 400;

  private static final int PAGE = 1_000;
  private static final int THREADS = 32;

  /** Fewer take no time. */
  private static final boolean MANY = ROWS >= 10_000;

  /** Least times of the same pages differ by less, whatever else the machine does. */
  private static final int SLOWER = 3;

  // Few tell what is there; many, how long it takes.
  private static final int TIMES = MANY ? 5 : 1;
  private static final int READS = MANY ? 1_000 : 100;

  private static final String NAMESPACE = "deletes";

  private static final OperatingSystemMXBean PROCESS =
      ManagementFactory.getPlatformMXBean(OperatingSystemMXBean.class);

  private final AtomicLong jumped = new AtomicLong();

  private interface OneKey {
    void work(int number) throws Exception;
  }

  private static String key(int number) {
    return String.format("key-%08d", number);
  }

  private static String neighbour(String side, int number) {
    return String.format("%s-%04d", side, number);
  }

  private static void all(int count, OneKey work) throws Exception {
    ExecutorService threads = Executors.newFixedThreadPool(THREADS);
    try {
      List<Future<?>> running = new ArrayList<>();
      for (int i = 0; i < THREADS; i++) {
        int first = i;
        running.add(
            threads.submit(
                () -> {
                  for (int number = first; number < count; number += THREADS) {
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
      all(ROWS, number -> work.work(quick, number));
    }
    System.out.printf("AfterDeletes: made in %,d ms%n", millisSince(begin));
  }

  private static long millisSince(long begin) {
    return (System.nanoTime() - begin) / 1_000_000;
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
    all(
        NEIGHBOURS,
        number -> {
          om.put(bucket, neighbour("a", number), "x");
          om.put(bucket, neighbour("z", number), "x");
        });
    measure("nothing between the neighbours", om, bucket, false);
    fast(tables, (quick, number) -> quick.put(bucket, key(number), "x"));
    Pages there = measure("all " + ROWS + " keys there", om, bucket, true);
    fast(tables, (quick, number) -> quick.delete(bucket, key(number)));
    Pages deleted = measure("deleted", om, bucket, false);
    if (MANY) {
      assertTrue(deleted.beside.least < SLOWER * there.beside.least, deleted::toString);
    }
    jumped.addAndGet(TestOm.CONFIG.trail().plusSeconds(5).toNanos());
    Collector collector = om.om.collector(tables.regions());
    long begin = System.nanoTime();
    Collector.Tally tally = collector.round();
    long millis = Math.max(1, millisSince(begin));
    System.out.printf(
        "AfterDeletes: collected %,d cells and %,d heads in %,d ms: %,d rows/s%n",
        tally.cleared(), tally.removed(), millis, tally.removed() * 1_000 / millis);
    measure("collected", om, bucket, false);
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
                ROWS + 2 * NEIGHBOURS)
            .size();
    assertEquals(2 * NEIGHBOURS, left, "rows with a head");
    assertTrue(tally.removed() >= ROWS);
    if (tally.removed() < 10_000) {
      tables
          .regions()
          .compact(
              ByteString.EMPTY, ObjectRowLayout.END); // too few for the collector to ask for it
    }
    // Compacting goes on behind: what can be awaited is only that listings are right all the time.
    Pages after = null;
    long deadline = System.nanoTime() + Duration.ofMinutes(10).toNanos();
    for (int i = 0; i < 5 || (MANY && isSlower(after, there)); i++) {
      after = measure("compacting, or done: " + i, om, bucket, false);
      if (MANY) {
        assertTrue(System.nanoTime() < deadline, "still slower than " + there + ": " + after);
        all(20_000, number -> om.get(bucket, neighbour("a", number % NEIGHBOURS)));
      }
    }
  }

  private static boolean isSlower(Pages now, Pages before) {
    return now.across.least > SLOWER * before.across.least
        || now.beside.least > SLOWER * before.beside.least;
  }

  /** What two listings took. */
  private record Pages(Took across, Took beside) {}

  /** Microseconds: the median, the least, and the least of the processor's time. */
  private record Took(long median, long least, long work) {
    @Override
    public String toString() {
      return String.format("%,d (least %,d, CPU %,d)", median, least, work);
    }
  }

  private interface Request {
    void send() throws Exception;
  }

  /**
   * The median and the least of a few, in microseconds, and the least of the processor's time that
   * this process took, HBase included: what a machine with other work does not change.
   */
  private static Took micros(Request request) throws Exception {
    long[] took = new long[TIMES];
    long[] worked = new long[TIMES];
    for (int i = 0; i < TIMES; i++) {
      long begin = System.nanoTime();
      long beginWork = PROCESS.getProcessCpuTime();
      request.send();
      worked[i] = (PROCESS.getProcessCpuTime() - beginWork) / 1_000;
      took[i] = (System.nanoTime() - begin) / 1_000;
    }
    Arrays.sort(took);
    Arrays.sort(worked);
    return new Took(took[TIMES / 2], took[0], worked[0]);
  }

  private interface Read {
    void of(int number) throws Exception;
  }

  /** The median, the 99th of a hundred and the longest of many reads, in microseconds. */
  private static String each(Read read) throws Exception {
    long[] took = new long[READS];
    for (int i = 0; i < READS; i++) {
      long begin = System.nanoTime();
      read.of(i * 37);
      took[i] = (System.nanoTime() - begin) / 1_000;
    }
    Arrays.sort(took);
    return String.format(
        "p50 %,d p99 %,d longest %,d", took[READS / 2], took[READS * 99 / 100], took[READS - 1]);
  }

  private static Pages measure(String when, TestOm om, String bucket, boolean there)
      throws Exception {
    Took across =
        micros(
            () -> {
              ListObjectsReply page = om.list(bucket, "", "", "", PAGE);
              assertEquals(there ? PAGE : 2 * NEIGHBOURS, page.getObjectsCount());
            });
    Took folders =
        micros(
            () ->
                assertEquals(
                    there ? 3 : 2, om.list(bucket, "", "-", "", PAGE).getCommonPrefixesCount()));
    Took beside =
        micros(
            () -> {
              int before = om.list(bucket, "a-", "", "", PAGE).getObjectsCount();
              int behind = om.list(bucket, "z-", "", "", PAGE).getObjectsCount();
              assertEquals(2 * NEIGHBOURS, before + behind);
            });
    String read = each(number -> om.get(bucket, neighbour("z", number % NEIGHBOURS)));
    String readThem =
        each(number -> assertEquals(there, om.get(bucket, key(number % ROWS)) != null));
    System.out.printf(
        "AfterDeletes: %s: us of a page across %s; of folders %s; of two pages beside %s;"
            + " of a read beside %s; of a read of them %s%n",
        when, across, folders, beside, read, readThem);
    return new Pages(across, beside);
  }
}
