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
import io.stowage.common.time.StoreClock;
import io.stowage.om.table.Column;
import io.stowage.om.table.ForwardingRowStore;
import io.stowage.om.table.Row;
import io.stowage.om.table.RowStore;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.atomic.AtomicBoolean;
import org.apache.hadoop.thirdparty.protobuf.ByteString;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** What paths of FILE_SYSTEM buckets cost, and that a guess about one is never believed. */
class PathGuessesTest {
  /** Counts calls that read a row, and the rows they read. */
  private static final class Counting extends ForwardingRowStore {
    private int calls;
    private int rows;

    Counting(RowStore inner) {
      super(inner);
    }

    @Override
    public synchronized Row get(ByteString row, List<Column> columns) throws IOException {
      calls++;
      rows++;
      return inner.get(row, columns);
    }

    @Override
    public synchronized List<Row> getAll(List<ByteString> keys, List<Column> columns)
        throws IOException {
      calls++;
      rows += keys.size();
      return inner.getAll(keys, columns);
    }

    synchronized void reset() {
      calls = 0;
      rows = 0;
    }
  }

  private Counting counting;
  private TestTree tree;
  private TestTree other;

  @BeforeEach
  void openTwo() throws StoreException {
    TestOm.Tables tables = TestOm.Tables.inMemory();
    counting = new Counting(tables.objects());
    FakeContainers containers = new FakeContainers();
    tree =
        TestTree.create(
            new TestOm(tables.withObjects(counting), containers, StoreClock.system()), "guesses");
    other = tree.by(new TestOm(tables, containers, StoreClock.system()));
  }

  @AfterEach
  void close() {
    tree.om.om.close();
    other.om.om.close();
  }

  private void assertCost(int calls, int rows, TestTree.Call call) throws StoreException {
    counting.reset();
    call.run();
    assertEquals(
        calls + " calls, " + rows + " rows", counting.calls + " calls, " + counting.rows + " rows");
  }

  @Test
  void aKnownPathIsReadByOneCall() throws StoreException {
    tree.put("a/b/c/f", "content");
    tree.put("g", "content");
    assertCost(1, 1, () -> assertNotNull(tree.find("g")));
    assertCost(1, 2, () -> assertNotNull(tree.find("a/b")));
    assertCost(1, 4, () -> assertNotNull(tree.find("a/b/c/f")));
    assertCost(1, 4, () -> assertNull(tree.find("a/b/c/none")));
    assertCost(1, 1, () -> assertNull(tree.find("none/b/c")));
  }

  /** With what it costs a writer to ask for the row that its bytes are to name. */
  @Test
  void creatingAFileCostsOneReadOfItsPathAndOneOfItsDirectorysAnchor() throws StoreException {
    tree.put("a/f", "content");
    assertCost(0, 0, () -> tree.put("h", "content"));
    assertCost(2, 2, () -> tree.put("a/g", "content"));
    tree.put("a/b/f", "content");
    assertCost(2, 3, () -> tree.put("a/b/g", "content"));
  }

  /** What another object manager did is seen at once, whatever this one has guessed. */
  @Test
  void aStaleGuessIsFoundOutByTheRowsThemselves() throws StoreException {
    tree.put("a/b/f", "old");
    assertNotNull(tree.find("a/b/f"));
    other.rename("a", "moved");
    assertNull(tree.find("a/b/f"));
    assertNotNull(tree.find("moved/b/f"));
    other.put("a/b/f", "new");
    assertEquals(TestOm.md5("new"), tree.get("a/b/f").getMd5());
    assertEquals(TestOm.md5("old"), tree.get("moved/b/f").getMd5());
    other.deleteDirectory("a/b", true);
    assertNull(tree.find("a/b/f"));
    tree.put("a/b/g", "again");
    assertEquals(List.of("a/b/g", "moved/b/f"), other.keys());
    other.deleteDirectory("a", true);
    other.put("a", "a file");
    assertNull(tree.find("a/b/g"));
    assertEquals(List.of("a", "moved/b/f"), tree.keys());
  }

  /**
   * One swaps two directories of one name below two others, again and again; whoever reads sees, by
   * guesses that are wrong half of the time, the file of one of the two, or none, never a file that
   * was under another path. Names tell where a file belongs.
   */
  @Test
  void racingRenamesLeadNobodyToAnotherPlace() throws Exception {
    tree.put("x/d/in-x", "x");
    tree.put("y/d/in-y", "y");
    AtomicBoolean done = new AtomicBoolean();
    ExecutorService pool = Executors.newFixedThreadPool(3);
    try {
      List<Future<?>> readers = new ArrayList<>();
      for (int i = 0; i < 2; i++) {
        TestTree reader = i == 0 ? tree : other;
        readers.add(
            pool.submit(
                () -> {
                  while (!done.get()) {
                    assertNull(reader.find("x/d/in-y"), "in-y never was below x/d");
                    assertNull(reader.find("y/d/in-x"), "in-x never was below y/d");
                    reader.find("x/d/in-x");
                  }
                  return null;
                }));
      }
      Random random = new Random(7);
      for (int i = 0; i < 60; i++) {
        TestTree mover = random.nextBoolean() ? tree : other;
        mover.rename("x/d", "x/away");
        assertNull(tree.find("x/d/in-x"));
        assertNull(other.find("x/d/in-x"));
        mover.rename("x/away", "x/d");
        assertTrue(tree.find("x/d/in-x") != null && other.find("x/d/in-x") != null);
      }
      done.set(true);
      for (Future<?> reader : readers) {
        reader.get();
      }
    } finally {
      done.set(true);
      pool.shutdownNow();
    }
  }
}
