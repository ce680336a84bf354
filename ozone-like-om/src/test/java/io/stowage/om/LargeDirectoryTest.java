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
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.stowage.common.error.StoreException;
import io.stowage.common.proto.ListObjectsReply;
import io.stowage.om.garbage.Collector;
import io.stowage.om.table.BatchingRowStore;
import io.stowage.om.table.Column;
import io.stowage.om.table.CountingRowStore;
import io.stowage.om.table.ForwardingRowStore;
import io.stowage.om.table.HBaseFixture;
import io.stowage.om.table.ObjectRowLayout;
import io.stowage.om.table.Row;
import io.stowage.om.table.RowStore;
import java.io.IOException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.atomic.AtomicLong;
import org.apache.hadoop.thirdparty.protobuf.ByteString;
import org.junit.jupiter.api.Test;

/**
 * One directory of many files over HBase: renamed, listed and deleted as if it held one, which is
 * asserted in calls of HBase. {@code -Dstowage.test.directory-files=1000000} for a large one, whose
 * rename and deletion have a time that is promised and asserted too; else times are printed. {@code
 * -Dstowage.test.directory-clear=true} to wait until it is cleared, too.
 */
class LargeDirectoryTest {
  private static final int FILES = Integer.getInteger("stowage.test.directory-files", 1_100);
  private static final boolean CLEAR = Boolean.getBoolean("stowage.test.directory-clear");
  private static final String NAMESPACE = "directories";
  private static final int WRITERS = 16;
  private static final int RENAMES = 9;

  /** Asserted of a directory of so many files, which is what the times are promised for. */
  private static final int PROMISED = 1_000_000;

  private static final Duration RENAMED = Duration.ofMillis(100);
  private static final Duration DELETED = Duration.ofSeconds(1);

  private static final Duration TRAIL = TestOm.CONFIG.trail().plusSeconds(1);

  private final AtomicLong jumped = new AtomicLong();
  private CountingRowStore objects;
  private CountingRowStore buckets;

  /** Round trips to HBase, but for looks at the bucket, which come by the clock. */
  private record Calls(long reads, long mutations) {
    Calls minus(Calls other) {
      return new Calls(reads - other.reads, mutations - other.mutations);
    }
  }

  private Calls calls() {
    return new Calls(objects.reads(), objects.mutations() + buckets.mutations());
  }

  @Test
  void isRenamedListedAndDeletedAsIfItHeldOneFile() throws Exception {
    TestOm.Tables real = TestOm.onHBase(NAMESPACE); // clocks run ahead here
    objects = new CountingRowStore(real.objects());
    buckets = new CountingRowStore(real.buckets());
    TestOm.Tables tables = new TestOm.Tables(buckets, objects, real.identities(), real.regions());
    TestOm om = new TestOm(tables, new FakeContainers(), new JumpingClock(jumped, Duration.ZERO));
    TestTree tree = TestTree.create(om, "large-" + System.nanoTime());
    long begin = System.nanoTime();
    fill(tree, real);
    print("filled", begin);
    tree.put("small/files/f0", "content");
    tree.makeDirectory("other");

    Calls small = rename(tree, "small");
    assertEquals(small, rename(tree, "large"), "calls for a directory of one file, of " + FILES);
    assertTrue(small.mutations() <= 6 && small.reads() <= 6, small.toString());
    assertNull(tree.find("large/files"));
    assertNotNull(tree.find("other/large/f0"));

    list(tree, "other/large/");
    begin = System.nanoTime();
    ListObjectsReply grouped = om.list(tree.bucket, "other/", "/", "", 1_000);
    print("listed as one common prefix", begin);
    assertEquals(List.of("other/large/", "other/small/"), grouped.getCommonPrefixesList());

    assertEquals(delete(tree, "other/small"), delete(tree, "other/large"), "calls to delete");
    assertNull(tree.find("other/large"));
    assertNull(tree.get("other/large/f0"));
    assertEquals(List.of("other/"), tree.keys());
    if (CLEAR) {
      clear(om, tables);
    }
    om.om.close();
  }

  /**
   * To another parent and back, until it is there.
   *
   * @return calls of the last
   */
  private Calls rename(TestTree tree, String name) throws StoreException {
    List<Long> times = new ArrayList<>();
    Calls last = null;
    for (int i = 0; i < RENAMES; i++) {
      boolean there = i % 2 == 0;
      Calls before = calls();
      long begin = System.nanoTime();
      tree.rename(
          there ? name + "/files" : "other/" + name, there ? "other/" + name : name + "/files");
      times.add(System.nanoTime() - begin);
      last = calls().minus(before);
    }
    times.sort(null);
    System.out.printf(
        "DIRECTORY %s of %,d files: rename to another parent %.1f ms, the slowest of %d %.1f ms,"
            + " %s%n",
        name, FILES, times.get(RENAMES / 2) / 1e6, RENAMES, times.get(RENAMES - 1) / 1e6, last);
    requirePromised("rename", times.get(RENAMES / 2), RENAMED);
    return last;
  }

  private Calls delete(TestTree tree, String path) throws StoreException {
    Calls before = calls();
    long begin = System.nanoTime();
    assertTrue(tree.deleteDirectory(path, true));
    long took = System.nanoTime() - begin;
    Calls calls = calls().minus(before);
    print(path + " deleted with " + calls, begin);
    requirePromised("deletion", took, DELETED);
    return calls;
  }

  private static void requirePromised(String what, long tookNanos, Duration promised) {
    assertTrue(
        FILES < PROMISED || tookNanos < promised.toNanos(),
        () -> what + " took " + Duration.ofNanos(tookNanos) + " of a directory of " + FILES);
  }

  private static void print(String what, long begin) {
    System.out.printf(
        "DIRECTORY of %,d files: %s in %.1f ms%n", FILES, what, (System.nanoTime() - begin) / 1e6);
  }

  /** By the object manager's own puts, over a table that sends them by the thousand. */
  private void fill(TestTree tree, TestOm.Tables real) throws Exception {
    tree.put("large/files/f0", "content");
    ExecutorService threads = Executors.newFixedThreadPool(WRITERS);
    try (BatchingRowStore batching =
        new BatchingRowStore(real.objects(), HBaseFixture.configuration(), NAMESPACE)) {
      TestOm quick =
          new TestOm(
              real.withObjects(new Remembering(batching)),
              new FakeContainers(),
              new JumpingClock(jumped, Duration.ZERO));
      TestTree quickly = tree.by(quick);
      List<Future<?>> running = new ArrayList<>();
      for (int t = 0; t < WRITERS; t++) {
        int first = 1 + t;
        running.add(
            threads.submit(
                () -> {
                  for (int i = first; i < FILES; i += WRITERS) {
                    quickly.put("large/files/f" + i, "content");
                  }
                  return null;
                }));
      }
      for (Future<?> one : running) {
        one.get();
      }
      quick.om.close();
    } finally {
      threads.shutdownNow();
    }
  }

  /** Puts into one directory read the same few rows again and again, which do not change. */
  private static final class Remembering extends ForwardingRowStore {
    private final Map<List<?>, List<Row>> read = new ConcurrentHashMap<>(); // of two directories

    Remembering(RowStore inner) {
      super(inner);
    }

    @Override
    public Row get(ByteString row, List<Column> columns) throws IOException {
      return getAll(List.of(row), columns).get(0);
    }

    @Override
    public List<Row> getAll(List<ByteString> rows, List<Column> columns) throws IOException {
      List<?> asked = List.of(rows, columns);
      List<Row> known = read.get(asked);
      if (known == null) {
        known = inner.getAll(rows, columns);
        read.put(asked, known);
      }
      return known;
    }
  }

  /** Page by page; nothing of an answer is kept. */
  private static void list(TestTree tree, String prefix) throws StoreException {
    long begin = System.nanoTime();
    long slowest = 0;
    int largest = 0;
    int listed = 0;
    String after = "";
    ListObjectsReply page;
    do {
      long before = System.nanoTime();
      page = tree.om.list(tree.bucket, prefix, "", after, 1_000);
      slowest = Math.max(slowest, System.nanoTime() - before);
      largest = Math.max(largest, page.getSerializedSize());
      listed += page.getObjectsCount();
      assertTrue(page.getObjectsCount() <= 1_000);
      after = page.getLast();
    } while (page.getMore());
    assertEquals(FILES, listed);
    System.out.printf(
        "DIRECTORY of %,d files: listed in %.0f ms, the slowest page in %.1f ms, the largest has"
            + " %,d bytes%n",
        FILES, (System.nanoTime() - begin) / 1e6, slowest / 1e6, largest);
  }

  /** The background's part: rows of a directory that is gone become garbage, and go. */
  private void clear(TestOm om, TestOm.Tables tables) throws Exception {
    Collector collector = om.om.collector(tables.regions());
    long begin = System.nanoTime();
    for (int round = 0; heads(tables) > 3 && round < 12; round++) {
      jumped.addAndGet(TRAIL.toNanos());
      long start = System.nanoTime();
      Calls before = calls();
      Collector.Tally tally = collector.round();
      print("round " + round + " of a collector, " + tally + ", " + calls().minus(before), start);
    }
    print("cleared", begin);
    assertEquals(3, heads(tables), "large, small and other");
  }

  private static int heads(TestOm.Tables tables) throws Exception {
    return tables
        .objects()
        .scan(ByteString.EMPTY, ObjectRowLayout.END, 'c', ObjectRowLayout.HEAD.qualifier(), 10)
        .size();
  }
}
