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
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.stowage.common.error.ErrorCode;
import io.stowage.common.error.StoreException;
import io.stowage.common.fault.CrashPoint;
import io.stowage.common.id.WriteId;
import io.stowage.common.proto.ObjectVersion;
import io.stowage.common.time.ManualClock;
import io.stowage.common.time.Pause;
import io.stowage.common.time.StoreClock;
import io.stowage.om.garbage.Collector;
import io.stowage.om.table.HookedRowStore;
import io.stowage.om.table.ObjectRowLayout;
import io.stowage.om.table.RowChange;
import java.io.IOException;
import java.time.Duration;
import java.util.HexFormat;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import org.apache.hadoop.thirdparty.protobuf.ByteString;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Operations on directories whose object manager died or paused, met by another one. */
class TreeRecoveryTest {
  private static final Duration TRAIL = TestOm.CONFIG.trail().plusSeconds(1);

  private ManualClock clock;
  private TestOm.Tables tables;
  private TestTree author;
  private TestTree other;

  @BeforeEach
  void openTwo() throws StoreException {
    clock = new ManualClock(StoreClock.system().wallMicros());
    tables = TestOm.Tables.inMemory();
    author = TestTree.create(open(), "trees");
    other = author.by(open());
  }

  private TestOm open() {
    Pause pause = duration -> clock.advance(duration.plusNanos(1_000));
    return new TestOm(TestOm.CONFIG, tables, new FakeContainers(), clock, pause);
  }

  @AfterEach
  void close() {
    CrashPoint.disarmAll();
    author.om.om.close();
    other.om.om.close();
  }

  private interface Action {
    void run() throws StoreException;
  }

  private static void crashAt(String point, Action action) {
    AtomicBoolean once = new AtomicBoolean();
    CrashPoint.named(point)
        .arm(
            () -> {
              if (once.compareAndSet(false, true)) {
                throw new CrashPoint.Crash(point);
              }
            });
    assertThrows(CrashPoint.Crash.class, action::run, point);
    CrashPoint.disarmAll();
  }

  /** At a point, once, another does something, while its author stands still. */
  private static void meanwhile(String point, Action rival) {
    AtomicBoolean once = new AtomicBoolean();
    CrashPoint.named(point)
        .arm(
            () -> {
              if (once.compareAndSet(false, true)) {
                try {
                  rival.run();
                } catch (StoreException e) {
                  throw new AssertionError(e);
                }
              }
            });
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "om.rename.after-pending",
        "om.rename.after-forwarding",
        "om.rename.after-guard",
        "om.rename.after-moved",
        "om.rename.after-live"
      })
  void aDirectoryIsAtOnePlaceWhereverItsRenameStopped(String point) throws StoreException {
    author.put("a/b/f", "content");
    author.makeDirectory("x");
    ByteString id = WriteId.random();
    crashAt(point, () -> author.om.rename("trees", "a/b", "x/b", false, id));
    boolean happened = point.endsWith("moved") || point.endsWith("live");
    List<String> keys = happened ? List.of("x/", "x/b/f") : List.of("a/b/f", "x/");
    assertEquals(keys, other.keys());
    // who met it goes on, through either path
    String place = happened ? "x/b" : "a/b";
    other.put(place + "/g", "content");
    assertEquals(2, other.list(place + "/", "", "", 10).size());
    other.om.rename("trees", "a/b", "x/b", false, id);
    assertEquals(List.of("x/", "x/b/f", "x/b/g"), other.keys());
    other.rename("x/b", "b");
    assertEquals(List.of("b/f", "b/g", "x/"), other.keys());
  }

  @ParameterizedTest
  @ValueSource(
      strings = {"om.rename.after-pending", "om.rename.after-guard", "om.rename.after-moved"})
  void aRemovalThatStoppedIsWholeOrNothing(String point) throws StoreException {
    author.put("a/b/f", "content");
    ByteString id = WriteId.random();
    crashAt(point, () -> author.deleteDirectory("a", true, id));
    boolean happened = point.endsWith("moved");
    assertEquals(happened ? List.of() : List.of("a/b/f"), other.keys());
    other.put("a/g", "content");
    assertEquals(happened ? List.of("a/g") : List.of("a/b/f", "a/g"), other.keys());
    if (happened) {
      return; // what is at that path now is another directory
    }
    assertTrue(author.deleteDirectory("a", true, id));
    assertEquals(List.of(), other.keys());
  }

  @Test
  void whoPutsIntoADirectoryEndsItsRemovalAsEmpty() throws StoreException {
    author.makeDirectory("a");
    meanwhile("om.rename.after-guard", () -> other.put("a/f", "content"));
    assertEquals(
        ErrorCode.DIRECTORY_NOT_EMPTY, TestTree.codeOf(() -> author.deleteDirectory("a", false)));
    assertEquals(List.of("a/", "a/f"), other.keys());
  }

  @Test
  void whoMovesIntoADirectoryEndsItsRemovalAsEmpty() throws StoreException {
    author.makeDirectory("a");
    author.put("b/f", "content");
    meanwhile("om.rename.after-guard", () -> other.rename("b/f", "a/f"));
    assertEquals(
        ErrorCode.DIRECTORY_NOT_EMPTY, TestTree.codeOf(() -> author.deleteDirectory("a", false)));
    assertEquals(List.of("a/", "a/f"), other.keys());
  }

  @Test
  void whatIsMovedIntoADirectoryThatWasRemovedMeanwhileStays() throws StoreException {
    author.makeDirectory("a");
    author.put("b/f", "content");
    meanwhile("om.rename.after-pending", () -> assertTrue(other.deleteDirectory("a", true)));
    assertEquals(ErrorCode.NO_SUCH_KEY, TestTree.codeOf(() -> author.rename("b/f", "a/f")));
    assertEquals(List.of("b/f"), other.keys());
  }

  @Test
  void whatIsPutWhileItsDirectoryIsRemovedIsAtItsPathAfterwards() throws StoreException {
    author.makeDirectory("a");
    ByteString placed = author.place("a/f");
    assertTrue(other.deleteDirectory("a", true));
    author.om.om.putObject(author.putRequest("a/f", "content", placed).build());
    assertEquals(List.of("a/f"), other.keys());
  }

  @Test
  void aHolderOfTheSlotThatWasTakenForDeadMakesNoCycle() throws StoreException {
    author.put("x/f", "content");
    author.put("y/g", "content");
    meanwhile("om.rename.after-guard", () -> other.rename("y", "x/y"));
    ErrorCode refused = TestTree.codeOf(() -> author.rename("x", "y/x"));
    assertTrue(
        List.of(ErrorCode.INVALID_ARGUMENT, ErrorCode.NO_SUCH_KEY).contains(refused),
        "y is below x by now, so there is no such place: " + refused);
    assertEquals(List.of("x/f", "x/y/g"), other.keys());
  }

  @Test
  void theSlotOfADeadHolderIsTakenInTime() throws StoreException {
    author.put("x/f", "content");
    author.put("y/g", "content");
    crashAt("om.rename-slot.after-taken", () -> author.rename("x", "y/x"));
    long before = clock.monotonicNanos();
    other.rename("y", "x/y");
    assertTrue(clock.monotonicNanos() - before >= Duration.ofSeconds(2).toNanos());
    assertEquals(List.of("x/f", "x/y/g"), other.keys());
    before = clock.monotonicNanos();
    other.rename("x/y", "y");
    assertTrue(clock.monotonicNanos() - before < Duration.ofSeconds(1).toNanos());
  }

  private void dieHoldingTheSlot(String moving) {
    crashAt("om.rename-slot.after-taken", () -> other.rename(moving, "x/" + moving));
  }

  /** One that stands still meanwhile is among those whose names are no longer in the slot. */
  @Test
  void aSlotThatIsFullOfDeadHoldersIsTakenAndNoneOfThemMakesACycle() throws StoreException {
    author.put("x/f", "content");
    author.put("y/g", "content");
    for (int i = 0; i < 99; i++) {
      author.makeDirectory("dead" + i);
      dieHoldingTheSlot("dead" + i);
    }
    meanwhile(
        "om.rename.after-guard",
        () -> {
          author.makeDirectory("dead99");
          dieHoldingTheSlot("dead99");
          other.rename("y", "x/y");
        });
    ErrorCode refused = TestTree.codeOf(() -> author.rename("x", "y/x"));
    assertNotNull(refused, () -> "a cycle");
    assertTrue(
        List.of(ErrorCode.INVALID_ARGUMENT, ErrorCode.NO_SUCH_KEY).contains(refused),
        "y is below x by now, so there is no such place: " + refused);
    assertEquals(List.of("x/f", "x/y/g"), other.list("x/", "", "", 1_000));
    other.rename("dead7", "x/dead7");
    assertTrue(other.isDirectory("x/dead7"));
  }

  @Test
  void aDirectoryThatWasHalfMadeIsThereOrNot() throws StoreException {
    crashAt("om.directory.after-entry", () -> author.put("a/b/f", "content"));
    other.put("a/b/g", "content");
    assertEquals(List.of("a/b/g"), other.keys());
  }

  @Test
  void removedDirectoriesAreEmptiedInTheBackground() throws StoreException, IOException {
    for (int i = 0; i < 30; i++) {
      author.put("a/b" + i % 3 + "/c/f" + i, "content");
    }
    author.om.createUpload("trees", "a/u/big");
    author.put("stays/f", "content");
    author.rename("a/b0", "stays/b0");
    assertTrue(author.deleteDirectory("a", true));
    Collector collector = other.om.om.collector(tables.regions());
    collector.round();
    assertTrue(heads() > 30, "nothing goes before what is under way has ended");
    for (int i = 0; i < 6; i++) {
      clock.advance(TRAIL);
      collector.round();
    }
    // stays, stays/f, stays/b0, stays/b0/c and ten files
    assertEquals(14, heads());
    assertEquals(11, other.keys().size());
    assertNull(other.find("a"));
  }

  /** What one run does not reach, the removals that it made lead the next ones to. */
  @Test
  void aTreeThatIsDeeperThanOneRunGoesIsEmptiedByMore() throws StoreException, IOException {
    StringBuilder path = new StringBuilder("a");
    for (int i = 0; i < 120; i++) {
      path.append("/d").append(i);
    }
    author.put(path + "/f", "content");
    assertTrue(author.deleteDirectory("a", true));
    Collector collector = other.om.om.collector(tables.regions());
    for (int i = 0; i < 9; i++) {
      clock.advance(TRAIL);
      collector.round();
    }
    assertEquals(0, heads());
  }

  @Test
  void aCollectorThatDiesWhileItEmptiesADirectoryIsFollowedByAnother()
      throws StoreException, IOException {
    for (int i = 0; i < 30; i++) {
      author.put("a/b" + i % 3 + "/f" + i, "content");
    }
    assertTrue(author.deleteDirectory("a", true));
    clock.advance(TRAIL);
    Collector first = author.om.om.collector(tables.regions());
    crashAt("om.directory.after-emptied-page", first::round);
    Collector collector = other.om.om.collector(tables.regions());
    for (int i = 0; i < 6; i++) {
      clock.advance(TRAIL);
      collector.round();
    }
    assertEquals(0, heads());
  }

  /** Who moves it had walked there before the removal, and stood still until the collector came. */
  @Test
  void whatIsMovedOutOfADirectoryThatIsBeingEmptiedStays() throws Exception {
    author.put("d/c/f", "content");
    author.makeDirectory("e");
    ByteString anchor =
        ObjectRowLayout.row(
            author.om.bucketId("trees"),
            HexFormat.of().toHexDigits(author.find("d/c").getVersion().getDirectoryId()));
    HookedRowStore hooked = new HookedRowStore(tables.objects());
    TestOm sweeper =
        new TestOm(
            TestOm.CONFIG,
            tables.withObjects(hooked),
            new FakeContainers(),
            clock,
            duration -> clock.advance(duration.plusNanos(1_000)));
    Collector collector = sweeper.om.collector(tables.regions());
    collector.round(); // in full, which ends every rename that stands still
    CountDownLatch standsStill = new CountDownLatch(1);
    CountDownLatch goesOn = new CountDownLatch(1);
    meanwhile(
        "om.rename.after-guard",
        () -> {
          standsStill.countDown();
          awaitQuietly(goesOn);
        });
    ExecutorService pool = Executors.newSingleThreadExecutor();
    try {
      Future<ObjectVersion> moved =
          pool.submit(() -> author.om.rename("trees", "d/c", "e/c", false));
      awaitQuietly(standsStill);
      assertTrue(other.deleteDirectory("d", true));
      clock.advance(TRAIL);
      hooked.before(
          new HookedRowStore.Hook() {
            @Override
            public boolean matches(ByteString row, RowChange change) {
              return row.equals(anchor);
            }

            @Override
            public void act() throws IOException {
              goesOn.countDown();
              try {
                assertNotNull(moved.get());
              } catch (InterruptedException | ExecutionException e) {
                throw new AssertionError(e);
              }
            }
          });
      for (int i = 0; i < 3; i++) {
        collector.round();
        clock.advance(TRAIL);
      }
      assertTrue(hooked.isDone());
    } finally {
      goesOn.countDown();
      pool.shutdown();
      sweeper.om.close();
    }
    assertEquals(List.of("e/", "e/c/f"), other.keys());
  }

  private static void awaitQuietly(CountDownLatch latch) {
    try {
      assertTrue(latch.await(1, TimeUnit.MINUTES));
    } catch (InterruptedException e) {
      throw new AssertionError(e);
    }
  }

  private int heads() throws IOException {
    return tables
        .objects()
        .scan(ByteString.EMPTY, ObjectRowLayout.END, 'c', ObjectRowLayout.HEAD.qualifier(), 10_000)
        .size();
  }
}
