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
 * One directory of many files over HBase: renamed, listed and deleted as if it held one. Times are
 * printed, never asserted. {@code -Dstowage.test.directory-files=1000000} for a large one, {@code
 * -Dstowage.test.directory-clear=true} to wait until it is cleared, too.
 */
class LargeDirectoryTest {
  private static final int FILES = Integer.getInteger("stowage.test.directory-files", 1_100);
  private static final boolean CLEAR = Boolean.getBoolean("stowage.test.directory-clear");
  private static final int WRITERS = 48;
  private static final int RENAMES = 9;
  private static final Duration TRAIL = TestOm.CONFIG.trail().plusSeconds(1);

  private final AtomicLong jumped = new AtomicLong();

  @Test
  void isRenamedListedAndDeletedAsIfItHeldOneFile() throws Exception {
    TestOm.Tables tables = TestOm.onHBase("directories"); // clocks run ahead here
    TestOm om = new TestOm(tables, new FakeContainers(), new JumpingClock(jumped, Duration.ZERO));
    TestTree tree = TestTree.create(om, "large-" + System.nanoTime());
    long begin = System.nanoTime();
    fill(tree);
    print("filled", begin);
    tree.makeDirectory("other");

    List<Long> renames = new ArrayList<>();
    String path = "large/files";
    for (int i = 0; i < RENAMES; i++) {
      String target = i % 2 == 0 ? "other/files" + i : "large/files" + i;
      long before = System.nanoTime();
      tree.rename(path, target);
      renames.add(System.nanoTime() - before);
      path = target;
    }
    renames.sort(null);
    System.out.printf(
        "DIRECTORY of %,d files: rename to another parent %.1f ms, the slowest of %d %.1f ms%n",
        FILES, renames.get(RENAMES / 2) / 1e6, RENAMES, renames.get(RENAMES - 1) / 1e6);
    assertNull(tree.find("large/files"));
    assertNotNull(tree.find(path + "/f0"));

    list(tree, path + "/");
    begin = System.nanoTime();
    ListObjectsReply grouped = om.list(tree.bucket, "other/", "/", "", 1_000);
    print("listed as one common prefix", begin);
    assertEquals(List.of(path + "/"), grouped.getCommonPrefixesList());

    begin = System.nanoTime();
    assertTrue(tree.deleteDirectory(path, true));
    print("deleted", begin);
    assertNull(tree.find(path));
    assertNull(tree.get(path + "/f0"));
    assertEquals(List.of("other/"), tree.keys());
    if (CLEAR) {
      clear(om, tables);
    }
    om.om.close();
  }

  private static void print(String what, long begin) {
    System.out.printf(
        "DIRECTORY of %,d files: %s in %.1f ms%n", FILES, what, (System.nanoTime() - begin) / 1e6);
  }

  private static void fill(TestTree tree) throws Exception {
    ExecutorService threads = Executors.newFixedThreadPool(WRITERS);
    try {
      List<Future<?>> running = new ArrayList<>();
      for (int t = 0; t < WRITERS; t++) {
        int first = t;
        running.add(
            threads.submit(
                () -> {
                  for (int i = first; i < FILES; i += WRITERS) {
                    tree.put("large/files/f" + i, "content");
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
    for (int round = 0; heads(tables) > 2 && round < 12; round++) {
      jumped.addAndGet(TRAIL.toNanos());
      collector.round();
    }
    print("cleared by a collector", begin);
    assertEquals(2, heads(tables), "large and other");
  }

  private static int heads(TestOm.Tables tables) throws Exception {
    return tables
        .objects()
        .scan(ByteString.EMPTY, ObjectRowLayout.END, 'c', ObjectRowLayout.HEAD.qualifier(), 10)
        .size();
  }
}
