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
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.stowage.common.error.ErrorCode;
import io.stowage.common.error.StoreException;
import io.stowage.common.fault.CrashPoint;
import io.stowage.common.id.WriteId;
import io.stowage.common.proto.AbortUploadRequest;
import io.stowage.common.proto.ClearEventsRequest;
import io.stowage.common.proto.CompleteUploadRequest;
import io.stowage.common.proto.DeleteBucketRequest;
import io.stowage.common.proto.EventNote;
import io.stowage.common.proto.EventRef;
import io.stowage.common.proto.Extent;
import io.stowage.common.proto.GetBucketUsageRequest;
import io.stowage.common.proto.Manifest;
import io.stowage.common.proto.ObjectVersion;
import io.stowage.common.proto.PutObjectRequest;
import io.stowage.common.proto.ReplaceExtentsReply.Outcome;
import io.stowage.common.time.ManualClock;
import io.stowage.common.time.Pause;
import io.stowage.common.time.StoreClock;
import io.stowage.om.garbage.Collector;
import io.stowage.om.table.BucketRowLayout;
import io.stowage.om.table.Cell;
import io.stowage.om.table.Column;
import io.stowage.om.table.CountingRowStore;
import io.stowage.om.table.HookedRowStore;
import io.stowage.om.table.ObjectRowLayout;
import io.stowage.om.table.RowChange;
import java.io.IOException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.function.BiPredicate;
import org.apache.hadoop.thirdparty.protobuf.ByteString;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** What collectors remove, and what they never do, over any table. */
abstract class CollectorContract {
  private static final Duration TRAIL = TestOm.CONFIG.trail().plusSeconds(1);
  private static final Duration WINDOW =
      TestOm.CONFIG.commitWindow().plus(TestOm.CONFIG.clockBound()).plusSeconds(1);

  private static long latest;

  private final FakeContainers containers = new FakeContainers();
  private ManualClock clock;
  private TestOm.Tables tables;
  private HookedRowStore hooked;
  private TestOm om;
  private Collector collector;
  private String bucket;
  private long bucketId;

  abstract TestOm.Tables tables() throws Exception;

  @BeforeEach
  void open() throws Exception {
    // Tables may be shared by the tests of a class: time goes on in them.
    clock = new ManualClock(Math.max(latest, StoreClock.system().wallMicros()));
    tables = tables();
    hooked = new HookedRowStore(tables.objects());
    om = another();
    collector = om.om.collector(tables.regions());
    bucket = "collect" + System.nanoTime();
    om.createBucket(bucket);
    bucketId = om.bucketId(bucket);
    collectAll();
    collectAll();
  }

  /** A key that is written all day: what it leaves is in one row. */
  @Test
  void whatAHotKeyLeavesIsCollectedInBoundedPieces() throws Exception {
    int writes = 1_050;
    long before = containers.deadBytes(7);
    for (int i = 0; i < writes; i++) {
      put("hot", "content");
    }
    put("cold", "content");
    put("cold", "content");
    long dead = writes * bytes(om.get(bucket, "hot").getManifest()); // all but the last, and one
    assertTrue(cells("hot").size() >= writes);
    CountingRowStore counted = new CountingRowStore(tables.objects());
    TestOm counting =
        new TestOm(TestOm.CONFIG, tables.withObjects(counted), containers, clock, Pause.REAL);
    clock.advance(TRAIL);
    counting.om.collector(tables.regions()).round();
    assertEquals(1, cells("hot").size());
    assertEquals(1, cells("cold").size());
    assertEquals(before + dead, containers.deadBytes(7));
    assertTrue(counted.largest() <= 1_000, "cells in one answer: " + counted.largest());
    om.delete(bucket, "hot");
    collectLater();
    assertEquals(List.of(), cells("hot"));
  }

  @AfterEach
  void disarm() {
    CrashPoint.disarmAll();
    latest = clock.wallMicros();
  }

  private TestOm another() {
    Pause pause = duration -> clock.advance(duration.plusNanos(1_000));
    return new TestOm(TestOm.CONFIG, tables.withObjects(hooked), containers, clock, pause);
  }

  private ByteString row(String key) {
    return ObjectRowLayout.row(bucketId, key);
  }

  private List<Cell> cells(String key) throws IOException {
    return tables.objects().getFamilies(row(key), ObjectRowLayout.FAMILIES).cells();
  }

  private boolean hasHead(String key) throws IOException {
    return tables.objects().get(row(key), List.of(ObjectRowLayout.HEAD)).cells().size() > 0;
  }

  private Collector.Tally collectLater() throws StoreException {
    clock.advance(TRAIL);
    return collector.round();
  }

  /** All that is there, also what has no garbage cell, as once a day. */
  private void collectAll() throws StoreException {
    clock.advance(TestOm.COLLECTING.fullInterval());
    collector.round();
  }

  private static long bytes(Manifest manifest) {
    return manifest.getExtentsList().stream().mapToLong(Extent::getLength).sum();
  }

  private PutObjectRequest put(String key, String content) throws StoreException {
    PutObjectRequest request = om.putRequest(bucket, key, content).build();
    om.om.putObject(request);
    return request;
  }

  private static CrashPoint.Crash crash(String point, Action action) {
    CrashPoint.named(point)
        .arm(
            () -> {
              throw new CrashPoint.Crash(point);
            });
    try {
      return assertThrows(CrashPoint.Crash.class, action::run, point);
    } finally {
      CrashPoint.disarmAll();
    }
  }

  private interface Action {
    void run() throws Exception;
  }

  private HookedRowStore.Hook hook(BiPredicate<ByteString, RowChange> on, Action action) {
    return new HookedRowStore.Hook() {
      @Override
      public boolean matches(ByteString row, RowChange change) {
        return on.test(row, change);
      }

      @Override
      public void act() throws IOException {
        try {
          action.run();
        } catch (IOException | RuntimeException e) {
          throw e;
        } catch (Exception e) {
          throw new AssertionError(e);
        }
      }
    };
  }

  private BiPredicate<ByteString, RowChange> deletesHeadOf(String key) {
    return (row, change) -> row.equals(row(key)) && change.deletes().contains(ObjectRowLayout.HEAD);
  }

  @Test
  void whatOverwritesAndDeletesLeaveIsCountedOnceAndCleared() throws Exception {
    long before = containers.deadBytes(7);
    long dead = bytes(put("k", "one").getManifest());
    dead += bytes(put("k", "two").getManifest());
    om.delete(bucket, "k");
    put("l", "stays");
    dead += bytes(put("l", "three").getManifest());
    dead -= bytes(om.get(bucket, "l").getManifest());
    dead += bytes(om.putRequest(bucket, "x", "stays").build().getManifest());
    assertFalse(cells("k").isEmpty());
    collectLater();
    assertEquals(before + dead, containers.deadBytes(7));
    assertEquals(List.of(), cells("k"));
    assertEquals(1, cells("l").size());
    assertEquals(TestOm.md5("three"), om.get(bucket, "l").getMd5());
    collectLater();
    collectAll();
    assertEquals(before + dead, containers.deadBytes(7), "counted once");
    assertNull(om.get(bucket, "k"));
    put("k", "again");
    assertEquals(TestOm.md5("again"), om.get(bucket, "k").getMd5(), "not hidden by a deletion");
    tables.regions().compact(ByteString.EMPTY, ObjectRowLayout.END);
    assertEquals(TestOm.md5("again"), om.get(bucket, "k").getMd5());
  }

  @Test
  void eventsStayUntilTheyAreToldWhateverBecomesOfTheirRow() throws Exception {
    EventNote note = EventNote.newBuilder().setId(WriteId.random()).setName("x").build();
    om.om.putObject(om.putRequest(bucket, "k", "content").setEvent(note).build());
    om.delete(bucket, "k");
    collectLater();
    collectAll();
    assertFalse(hasHead("k"));
    assertEquals(List.of(ObjectRowLayout.event(note.getId())), columns("k"));
    om.om.clearEvents(
        ClearEventsRequest.newBuilder()
            .addEvents(EventRef.newBuilder().setRow(row("k")).setId(note.getId()))
            .build());
    assertEquals(List.of(), columns("k"));
  }

  private List<Column> columns(String key) throws IOException {
    return cells(key).stream().map(Cell::column).toList();
  }

  @Test
  void nothingYoungIsTouched() throws Exception {
    clock.advance(TRAIL);
    put("k", "one");
    om.delete(bucket, "k");
    int there = cells("k").size();
    collector.round();
    assertEquals(there, cells("k").size());
    clock.advance(TRAIL.minusSeconds(10));
    collector.round();
    assertEquals(there, cells("k").size());
  }

  @Test
  void aPutThatComesBetweenReadingAndRemovingAHeadStays() throws Exception {
    put("k", "one");
    om.delete(bucket, "k");
    hooked.before(hook(deletesHeadOf("k"), () -> put("k", "two")));
    collectLater();
    assertTrue(hooked.isDone());
    assertEquals(TestOm.md5("two"), om.get(bucket, "k").getMd5());
    collectAll();
    assertEquals(1, cells("k").size());
  }

  @Test
  void aPutThatReadTheHeadBeforeItWasRemovedReadsAgain() throws Exception {
    put("k", "one");
    om.delete(bucket, "k");
    hooked.before(
        hook(
            (row, change) ->
                row.equals(row("k")) && change.puts().containsKey(ObjectRowLayout.HEAD),
            this::collectLater));
    // Minutes passed: it cannot tell its own effect, had there been one, from none.
    PutObjectRequest two = om.putRequest(bucket, "k", "two").build();
    StoreException e = assertThrows(StoreException.class, () -> om.om.putObject(two));
    assertEquals(ErrorCode.OUTCOME_UNKNOWN, e.code());
    assertTrue(hooked.isDone());
    assertNull(om.get(bucket, "k"));
    om.om.putObject(two);
    assertEquals(TestOm.md5("two"), om.get(bucket, "k").getMd5());
  }

  @Test
  void manifestsInChunksGoWithTheirGarbage() throws Exception {
    for (int i = 0; i < 3; i++) {
      om.om.putObject(
          om.putRequest(bucket, "k", "content" + i).setManifest(TestOm.manifest(8, 20)).build());
    }
    assertEquals(3, om.chunks(row("k")));
    ObjectVersion last = om.get(bucket, "k");
    collectLater();
    assertEquals(1, om.chunks(row("k")));
    assertEquals(last, om.get(bucket, "k"));
    om.rename(bucket, "k", "l", false);
    collectLater();
    assertEquals(0, om.chunks(row("k")));
    assertEquals(1, om.chunks(row("l")));
    assertEquals(
        last.getManifest().getExtentsList(), om.get(bucket, "l").getManifest().getExtentsList());
  }

  @Test
  void chunksThatNoHeadNamesGoAfterTheWindow() throws Exception {
    om.om.putObject(
        om.putRequest(bucket, "k", "content").setManifest(TestOm.manifest(7, 7)).build());
    Extent first = om.get(bucket, "k").getManifest().getExtents(0);
    Extent[] many = new Extent[5];
    for (int i = 0; i < many.length; i++) {
      many[i] = TestOm.manifest(i == 0 ? 1 : 0, 1).getExtents(0);
    }
    crash("om.rewrite.after-chunks", () -> om.replace(row("k"), first, many));
    assertEquals(1, om.chunks(row("k")));
    long stamp = om.get(bucket, "k").getStamp();
    collectLater();
    assertEquals(1, om.chunks(row("k")), "its author may yet commit");
    clock.advance(WINDOW);
    collector.round();
    assertEquals(0, om.chunks(row("k")));
    assertTrue(om.get(bucket, "k").getStamp() > stamp, "no head read before can be replaced now");
    assertEquals(first, om.get(bucket, "k").getManifest().getExtents(0));
    collectLater();
    assertEquals(1, cells("k").size());
  }

  @Test
  void aCommitWhoseChunksWereCollectedFails() throws Exception {
    ByteString upload = om.createUpload(bucket, "k");
    om.om.putPart(
        om.partRequest(bucket, "k", upload, 1, "one", 20)
            .setPart(
                om.partRequest(bucket, "k", upload, 1, "one", 20).getPart().toBuilder()
                    .setManifest(TestOm.manifest(20, 20)))
            .build());
    CompleteUploadRequest request =
        TestOm.completeRequest(bucket, "k", upload, TestOm.named(1, "one")).build();
    // Between its chunks and its head, the completion is paused beyond the window.
    hooked.before(
        hook(
            (row, change) ->
                row.equals(row("k"))
                    && change.puts().containsKey(ObjectRowLayout.completedUpload(upload)),
            () -> {
              clock.advance(WINDOW.plus(TRAIL));
              collector.round();
            }));
    StoreException e = assertThrows(StoreException.class, () -> om.om.completeUpload(request));
    assertEquals(ErrorCode.OUTCOME_UNKNOWN, e.code());
    assertTrue(hooked.isDone());
    assertNull(om.get(bucket, "k"));
    om.om.completeUpload(request);
    assertEquals(20, om.get(bucket, "k").getManifest().getExtentsCount());
  }

  @Test
  void aCollectorThatDiesIsFollowedByAnotherWhoCountsNothingTwice() throws Exception {
    for (String point :
        List.of(
            "om.collect.after-claim",
            "om.collect.after-told",
            "om.collect.after-counted",
            "om.collect.after-cleared")) {
      long before = containers.deadBytes(7);
      long dead = bytes(put("k", "one").getManifest());
      om.delete(bucket, "k");
      clock.advance(TRAIL);
      crash(point, () -> collector.round());
      Collector other = another().om.collector(tables.regions());
      assertEquals(0, other.round().runs(), "claimed");
      clock.advance(Duration.ofMinutes(3));
      assertEquals(1, other.round().runs(), point);
      assertEquals(before + dead, containers.deadBytes(7), point);
      assertEquals(List.of(), cells("k"), point);
      collector = another().om.collector(tables.regions());
    }
  }

  @Test
  void aCollectorThatPausesPastItsClaimDoesNoHarm() throws Exception {
    long before = containers.deadBytes(7);
    long dead = 0;
    for (int i = 0; i < 40; i++) {
      dead += bytes(put("k" + i, "one").getManifest());
      om.delete(bucket, "k" + i);
    }
    TestOm two = another();
    Collector other = two.om.collector(tables.regions());
    // Having counted and cleared some, it pauses; the other takes the run over, ends it, and more.
    List<Long> put = new ArrayList<>();
    hooked.before(
        hook(
            deletesHeadOf("k20"),
            () -> {
              clock.advance(Duration.ofMinutes(3));
              assertEquals(1, other.round().runs());
              put("k20", "new");
              put.add(om.get(bucket, "k20").getStamp());
              clock.advance(TRAIL);
              other.round();
            }));
    collectLater();
    assertTrue(hooked.isDone());
    assertEquals(before + dead, containers.deadBytes(7));
    assertEquals(put.get(0), om.get(bucket, "k20").getStamp());
    for (int i = 0; i < 40; i++) {
      assertEquals(i == 20 ? 1 : 0, cells("k" + i).size());
    }
  }

  @Test
  void theContainerManagerBeingAwayKeepsTheGarbage() throws Exception {
    long before = containers.deadBytes(7);
    long dead = bytes(put("k", "one").getManifest());
    om.delete(bucket, "k");
    containers.unreachable = true;
    assertThrows(StoreException.class, this::collectLater);
    assertFalse(cells("k").isEmpty());
    containers.unreachable = false;
    collector.round();
    assertEquals(before + dead, containers.deadBytes(7));
    assertEquals(List.of(), cells("k"));
  }

  @Test
  void partsNotUsedAndUploadsEndedAreCollected() throws Exception {
    long before = containers.deadBytes(7);
    ByteString upload = om.createUpload(bucket, "k");
    om.putPart(bucket, "k", upload, 1, "old", 10);
    om.putPart(bucket, "k", upload, 1, "one", 10);
    om.putPart(bucket, "k", upload, 2, "unused", 10);
    om.om.completeUpload(
        TestOm.completeRequest(bucket, "k", upload, TestOm.named(1, "one")).build());
    ByteString aborted = om.createUpload(bucket, "a");
    om.putPart(bucket, "a", aborted, 1, "one", 10);
    om.om.abortUpload(
        AbortUploadRequest.newBuilder().setBucket(bucket).setKey("a").setUploadId(aborted).build());
    collectLater();
    assertEquals(before + 3 * (10 + 64), containers.deadBytes(7));
    assertEquals(1, cells("k").size());
    assertEquals(List.of(), cells("a"));
    assertNotNull(om.get(bucket, "k"));
  }

  @Test
  void whatADeletedBucketLeftIsEmptiedAndItsIdForgotten() throws Exception {
    ByteString upload = om.createUpload(bucket, "u");
    om.putPart(bucket, "u", upload, 1, "one", 10);
    put("a", "x");
    om.rename(bucket, "a", "b", false);
    om.delete(bucket, "b");
    TestOm other = another();
    put("mine", "x");
    other.put(bucket, "others", "x");
    om.om.flushUsage();
    other.om.flushUsage();
    assertEquals(2, counts().size(), "cells of object managers");
    om.delete(bucket, "others");
    other.delete(bucket, "mine");
    om.om.deleteBucket(
        DeleteBucketRequest.newBuilder().setName(bucket).setWriteId(WriteId.random()).build());
    other.om.flushUsage();
    // A bucket of the same name is another bucket.
    om.createBucket(bucket);
    long next = om.bucketId(bucket);
    put("kept", "y");
    long before = containers.deadBytes(7);
    for (int i = 0; i < 5; i++) {
      collectAll();
      om.om.flushUsage(); // folds what it did not use for long
    }
    assertTrue(containers.deadBytes(7) > before);
    for (String key : List.of("u", "a", "b")) {
      assertEquals(List.of(), cells(key), key);
    }
    assertEquals(TestOm.md5("y"), om.get(bucket, "kept").getMd5());
    assertTrue(next != bucketId);
    assertEquals(
        0,
        tables.buckets().getFamilies(ByteString.copyFromUtf8(bucket), "m").cells().stream()
            .filter(cell -> cell.column().qualifier().byteAt(0) == 'd')
            .count());
    assertEquals(List.of(), counts());
    other.om.flushUsage(); // it was paused, and knows nothing of all that
    assertEquals(List.of(), counts());
    assertEquals(
        1,
        om.om
            .getBucketUsage(GetBucketUsageRequest.newBuilder().setBucket(bucket).build())
            .getObjects(),
        "of the bucket that has the name now");
    other.om.close();
  }

  /** What is said of what the bucket that each test begins with holds. */
  private List<Cell> counts() throws IOException {
    return tables.buckets().getFamilies(BucketRowLayout.usageRow(bucketId), "m").cells();
  }

  @Test
  void namesOfRowsThatHoldNothingAreTakenOut() throws Exception {
    put("a", "x");
    Extent x = om.get(bucket, "a").getManifest().getExtents(0);
    om.rename(bucket, "a", "b", false);
    om.rename(bucket, "b", "c", false);
    assertEquals(2, names("a"));
    collectLater();
    assertEquals(1, names("a"));
    assertEquals(row("c"), om.judge(row("a"), x).getHolders(0).getRow());
    om.delete(bucket, "c");
    collectLater();
    assertEquals(0, names("a"));
    assertTrue(om.judge(row("a"), x).getDead());
    assertEquals(List.of(), cells("a"));
  }

  private long names(String key) throws IOException {
    return cells(key).stream()
        .filter(cell -> ObjectRowLayout.forwardedTo(cell.column()) != null)
        .count();
  }

  @Test
  void aRenameThatPausesAnywhereIsStillFollowed() throws Exception {
    for (String point :
        List.of("om.rename.after-pending", "om.rename.after-forwarding", "om.rename.after-moved")) {
      put("a", point);
      Extent x = om.get(bucket, "a").getManifest().getExtents(0);
      om.rename(bucket, "a", "b", true);
      om.rename(bucket, "b", "a", true);
      // x:r names b, which holds nothing now: to be taken out, in the middle of the next rename.
      CrashPoint.named(point)
          .arm(
              () -> {
                CrashPoint.disarmAll();
                try {
                  collectAll();
                } catch (StoreException e) {
                  throw new AssertionError(e);
                }
              });
      try {
        om.rename(bucket, "a", "b", true);
      } catch (StoreException e) {
        assertEquals(ErrorCode.OUTCOME_UNKNOWN, e.code());
      }
      String holder = om.get(bucket, "b") == null ? "a" : "b";
      assertEquals(TestOm.md5(point), om.get(bucket, holder).getMd5(), point);
      assertEquals(
          row(holder), om.judge(row("a"), x).getHolders(0).getRow(), point + " is in " + holder);
      om.delete(bucket, holder);
    }
  }

  @Test
  void renamesThatWereLeftAreEndedAndTheirHeadsGo() throws Exception {
    put("s", "x");
    put("t", "y");
    crash("om.rename.after-moved", () -> om.rename(bucket, "s", "t", true));
    collectAll();
    assertFalse(hasHead("s"));
    assertEquals(TestOm.md5("x"), om.get(bucket, "t").getMd5());
    put("s", "z");
    crash("om.rename.after-pending", () -> om.rename(bucket, "s", "v", true));
    collectAll();
    collectAll();
    assertFalse(hasHead("v"));
    assertEquals(TestOm.md5("z"), om.get(bucket, "s").getMd5());
  }

  @Test
  void aClockBehindWhatWasCollectedIsRefused() throws Exception {
    put("k", "one");
    om.delete(bucket, "k");
    collectLater();
    TestOm slow =
        new TestOm(
            TestOm.CONFIG,
            tables.withObjects(hooked),
            containers,
            new ManualClock(clock.wallMicros() - 3_600_000_000L),
            Pause.REAL);
    slow.om.collector(tables.regions()).round();
    StoreException e =
        assertThrows(
            StoreException.class,
            () -> slow.om.putObject(slow.putRequest(bucket, "k", "").clearGrants().build()));
    assertEquals(ErrorCode.CLOCK_SKEW, e.code());
    assertNull(om.get(bucket, "k"));
  }

  @Test
  void aRequestWhoseEffectWasCollectedDoesNotHappenTwice() throws Exception {
    put("k", "old");
    PutObjectRequest request =
        om.putRequest(bucket, "k", "new")
            .clearGrants()
            .setManifest(Manifest.getDefaultInstance())
            .setLength(0)
            .build();
    // It happens, its answer is lost; it is deleted and collected before its author wakes up.
    hooked.after(
        hook(
            (row, change) ->
                row.equals(row("k")) && change.puts().containsKey(ObjectRowLayout.HEAD),
            () -> {
              om.delete(bucket, "k");
              clock.advance(TRAIL);
              collector.round();
              throw new IOException("no answer");
            }));
    StoreException e = assertThrows(StoreException.class, () -> om.om.putObject(request));
    assertEquals(ErrorCode.OUTCOME_UNKNOWN, e.code());
    assertNull(om.get(bucket, "k"));
  }

  @Test
  void replacedExtentsAreNotCountedAndTheNewOnesAre() throws Exception {
    put("k", "one");
    Extent from = om.get(bucket, "k").getManifest().getExtents(0);
    Extent to = TestOm.manifest(3, 1).getExtents(0).toBuilder().setContainer(7).build();
    assertEquals(Outcome.REPLACED, om.replace(row("k"), from, to));
    collectLater();
    long before = containers.deadBytes(7);
    om.delete(bucket, "k");
    collectLater();
    assertEquals(before + to.getLength(), containers.deadBytes(7));
    assertEquals(List.of(), cells("k"));
  }
}
