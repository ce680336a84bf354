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
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.stowage.common.error.ErrorCode;
import io.stowage.common.error.StoreException;
import io.stowage.common.fault.CrashPoint;
import io.stowage.common.id.WriteId;
import io.stowage.common.proto.CreateSnapshotRequest;
import io.stowage.common.proto.DeleteBucketRequest;
import io.stowage.common.proto.DeleteSnapshotRequest;
import io.stowage.common.proto.Extent;
import io.stowage.common.proto.FindPathRequest;
import io.stowage.common.proto.ListObjectsReply;
import io.stowage.common.proto.ListObjectsRequest;
import io.stowage.common.proto.ListSnapshotsRequest;
import io.stowage.common.proto.ObjectVersion;
import io.stowage.common.proto.OpenFileRequest;
import io.stowage.common.proto.RenameSnapshotRequest;
import io.stowage.common.proto.ReplaceExtentsReply;
import io.stowage.common.proto.Snapshot;
import io.stowage.common.proto.Versioning;
import io.stowage.common.time.Pause;
import io.stowage.om.garbage.Collector;
import io.stowage.om.table.Column;
import io.stowage.om.table.CountingRowStore;
import io.stowage.om.table.ForwardingRowStore;
import io.stowage.om.table.HookedRowStore;
import io.stowage.om.table.ObjectRowLayout;
import io.stowage.om.table.Row;
import io.stowage.om.table.RowChange;
import io.stowage.om.table.RowStore;
import java.io.IOException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.TreeMap;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicLong;
import org.apache.hadoop.thirdparty.protobuf.ByteString;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** What a bucket held stays to be seen, whatever is done to it and collected; over any tables. */
abstract class SnapshotsContract {
  private static final OmConfig CONFIG =
      new OmConfig(
          "stowage",
          "rs-3-2",
          Duration.ofMinutes(15),
          Duration.ofMillis(50),
          Duration.ofSeconds(60),
          Duration.ofMillis(50),
          TestOm.COLLECTING,
          TestOm.EXPIRING);
  private static final Duration TRAIL = CONFIG.trail().plusSeconds(1);

  /** Of all tests: tables that they share hold stamps of those before. */
  private static final AtomicLong JUMPED = new AtomicLong();

  private TestOm.Tables tables;
  private TestOm om;
  private TestOm other;
  private String bucket;

  abstract TestOm.Tables tables() throws Exception;

  @BeforeEach
  void open() throws Exception {
    tables = tables();
    om = newManager();
    other = newManager();
    bucket = "snap" + System.nanoTime();
    om.createBucket(bucket);
  }

  private TestOm newManager() {
    return newManager(tables);
  }

  /** Waiting costs nothing: all clocks jump. */
  private static TestOm newManager(TestOm.Tables tables) {
    Pause pause = duration -> JUMPED.addAndGet(duration.toNanos() + 1_000);
    return new TestOm(
        CONFIG, tables, new FakeContainers(), new JumpingClock(JUMPED, Duration.ZERO), pause);
  }

  @AfterEach
  void close() {
    om.om.close();
    other.om.close();
  }

  private void snapshot(TestOm by, String of, String name) throws StoreException {
    snapshot(by, of, name, WriteId.random());
  }

  private static long snapshot(TestOm by, String of, String name, ByteString id)
      throws StoreException {
    return by.om
        .createSnapshot(
            CreateSnapshotRequest.newBuilder().setBucket(of).setName(name).setWriteId(id).build())
        .getSnapshot()
        .getStamp();
  }

  private void remove(String of, String name) throws StoreException {
    om.om.deleteSnapshot(DeleteSnapshotRequest.newBuilder().setBucket(of).setName(name).build());
  }

  /** Null if the snapshot shows nothing there. */
  private ObjectVersion get(String of, String name, String key) throws StoreException {
    return other.getOfSnapshot(of, name, key);
  }

  private List<String> list(String of, String name, String prefix, String delimiter, int page)
      throws StoreException {
    List<String> told = new ArrayList<>();
    String after = "";
    ListObjectsReply reply;
    do {
      reply =
          other.om.listObjects(
              ListObjectsRequest.newBuilder()
                  .setBucket(of)
                  .setSnapshot(name)
                  .setPrefix(prefix)
                  .setDelimiter(delimiter)
                  .setStartAfter(after)
                  .setLimit(page)
                  .build());
      List<String> some = new ArrayList<>(reply.getCommonPrefixesList());
      reply.getObjectsList().forEach(object -> some.add(object.getKey()));
      some.sort(TestTree::byBytes);
      told.addAll(some);
      after = reply.getLast();
    } while (reply.getMore());
    return told;
  }

  /** Keys and what they hold, as listing and look-ups agree on it. */
  private Map<String, ByteString> content(String of, String name) throws StoreException {
    Map<String, ByteString> content = new TreeMap<>();
    for (String key : list(of, name, "", "", 3)) {
      ObjectVersion version = get(of, name, key);
      assertTrue(version != null, key + " is listed, and not there");
      content.put(key, version.getMd5());
    }
    return content;
  }

  /** Long enough for every kind of garbage, daily runs among them. */
  private void collect() throws StoreException {
    Collector collector = other.om.collector(tables.regions());
    for (int i = 0; i < 4; i++) {
      JUMPED.addAndGet((i == 2 ? Duration.ofHours(25) : TRAIL).toNanos());
      collector.round();
    }
  }

  @Test
  void whatWasThereStaysToBeSeen() throws StoreException {
    om.put(bucket, "kept", "kept");
    om.put(bucket, "replaced", "before");
    om.put(bucket, "deleted", "deleted");
    om.put(bucket, "renamed", "renamed");
    om.put(bucket, "source", "source");
    om.put(bucket, "overwritten", "target");
    om.put(bucket, "gone", "gone");
    om.delete(bucket, "gone");
    snapshot(om, bucket, "s");
    Map<String, ByteString> before = content(bucket, "s");
    assertEquals(6, before.size());
    other.put(bucket, "replaced", "after");
    other.put(bucket, "replaced", "after that");
    other.delete(bucket, "deleted");
    other.rename(bucket, "renamed", "elsewhere", false);
    other.rename(bucket, "source", "overwritten", true);
    other.put(bucket, "new", "new");
    om.put(bucket, "deleted", "again");
    assertEquals(before, content(bucket, "s"));
    assertNull(get(bucket, "s", "new"));
    assertEquals(TestOm.md5("before"), get(bucket, "s", "replaced").getMd5());
    assertEquals(TestOm.md5("after that"), om.get(bucket, "replaced").getMd5());
    collect();
    assertEquals(before, content(bucket, "s"));
    snapshot(other, bucket, "t");
    collect();
    assertEquals(TestOm.md5("target"), get(bucket, "s", "overwritten").getMd5());
    assertEquals(TestOm.md5("source"), get(bucket, "t", "overwritten").getMd5());
    assertEquals(before, content(bucket, "s"));
  }

  @Test
  void aSnapshotCostsTheSameCallsHoweverMuchThereIs() throws StoreException {
    CountingRowStore objects = new CountingRowStore(tables.objects());
    CountingRowStore buckets = new CountingRowStore(tables.buckets());
    TestOm counted =
        newManager(new TestOm.Tables(buckets, objects, tables.identities(), tables.regions()));
    for (int files : new int[] {0, 100}) {
      for (int i = 0; i < files; i++) {
        om.put(bucket, "f" + i, "content");
      }
      long reads = objects.reads();
      long mutations = objects.mutations() + buckets.mutations();
      snapshot(counted, bucket, "of-" + files);
      assertEquals(3, objects.reads() - reads, "reads, with files: " + files);
      assertEquals(2, objects.mutations() + buckets.mutations() - mutations, "files: " + files);
    }
    counted.om.close();
  }

  @Test
  void listsByPrefixAndDelimiterPageByPage() throws StoreException {
    for (String key : List.of("a/1", "a/2", "b/x/1", "b/y", "c")) {
      om.put(bucket, key, key);
    }
    snapshot(om, bucket, "s");
    for (String key : List.of("a/1", "b/y", "c")) {
      om.delete(bucket, key);
    }
    om.put(bucket, "a/0", "new");
    collect();
    for (int page : new int[] {1, 2, 1_000}) {
      assertEquals(List.of("a/1", "a/2", "b/x/1", "b/y", "c"), list(bucket, "s", "", "", page));
      assertEquals(List.of("a/", "b/", "c"), list(bucket, "s", "", "/", page));
      assertEquals(List.of("b/x/", "b/y"), list(bucket, "s", "b/", "/", page));
    }
  }

  @Test
  void needlesOfWhatASnapshotSeesLiveUntilItIsRemoved() throws StoreException {
    ByteString row = ObjectRowLayout.row(om.bucketId(bucket), "a");
    om.put(bucket, "a", "seen");
    Extent seen = om.get(bucket, "a").getManifest().getExtents(0);
    snapshot(om, bucket, "s");
    other.put(bucket, "a", "not seen");
    Extent unseen = om.get(bucket, "a").getManifest().getExtents(0);
    other.put(bucket, "a", "now");
    assertEquals(1, om.judge(row, seen).getHoldersCount());
    assertTrue(om.judge(row, unseen).getDead());
    collect();
    assertEquals(1, om.judge(row, seen).getHoldersCount());
    om.delete(bucket, "a");
    collect();
    assertFalse(om.judge(row, seen).getDead(), "its row has no head any more");
    assertEquals(TestOm.md5("seen"), get(bucket, "s", "a").getMd5());
    remove(bucket, "s");
    assertTrue(om.judge(row, seen).getDead());
    collect();
    assertTrue(om.judge(row, seen).getDead());
  }

  @Test
  void needlesOfWhatWasRenamedLiveWhereSnapshotsSeeThem() throws StoreException {
    om.put(bucket, "a", "moved");
    ByteString origin = ObjectRowLayout.row(om.bucketId(bucket), "a");
    Extent extent = om.get(bucket, "a").getManifest().getExtents(0);
    om.rename(bucket, "a", "b", false);
    snapshot(om, bucket, "s");
    om.rename(bucket, "b", "c", false);
    om.delete(bucket, "c");
    collect();
    collect();
    assertFalse(om.judge(origin, extent).getDead(), "b holds it, as of the snapshot");
    assertEquals(Map.of("b", TestOm.md5("moved")), content(bucket, "s"));
    remove(bucket, "s");
    collect();
    assertTrue(om.judge(origin, extent).getDead());
  }

  @Test
  void extentsOfWhatASnapshotSeesAreReplacedWhenTheyMove() throws StoreException {
    ByteString row = ObjectRowLayout.row(om.bucketId(bucket), "a");
    om.put(bucket, "a", "seen");
    Extent from = om.get(bucket, "a").getManifest().getExtents(0);
    snapshot(om, bucket, "s");
    om.put(bucket, "a", "now");
    Extent to = TestOm.manifest(4, 1).getExtents(0);
    long versionId = get(bucket, "s", "a").getVersionId();
    assertEquals(ReplaceExtentsReply.Outcome.REPLACED, om.replaceVersion(row, versionId, from, to));
    assertEquals(ReplaceExtentsReply.Outcome.REPLACED, om.replaceVersion(row, versionId, from, to));
    assertEquals(to, get(bucket, "s", "a").getManifest().getExtents(0));
    assertTrue(om.judge(row, from).getDead());
    assertFalse(om.judge(row, to).getDead());
    collect();
    assertEquals(to, get(bucket, "s", "a").getManifest().getExtents(0));
    assertNotEquals(to, om.get(bucket, "a").getManifest().getExtents(0));
  }

  @Test
  void manifestsInChunksStayWithWhatASnapshotSees() throws StoreException {
    var put = om.putRequest(bucket, "large", "large");
    om.om.putObject(put.setLength(900).setManifest(TestOm.manifest(900, 30)).build());
    snapshot(om, bucket, "s");
    om.put(bucket, "large", "small");
    collect();
    assertEquals(30, get(bucket, "s", "large").getManifest().getExtentsCount());
    remove(bucket, "s");
    collect();
    assertEquals(0, chunks("large"));
  }

  /** Its new chunks were written and, as nothing named them for long, removed. */
  @Test
  void aSwapThatStandsStillNamesNoChunksThatAreGone() throws StoreException {
    ByteString row = ObjectRowLayout.row(om.bucketId(bucket), "large");
    var put = om.putRequest(bucket, "large", "large");
    om.om.putObject(put.setLength(900).setManifest(TestOm.manifest(900, 30)).build());
    ObjectVersion large = om.get(bucket, "large");
    snapshot(om, bucket, "s");
    om.put(bucket, "large", "small");
    HookedRowStore hooked = new HookedRowStore(tables.objects());
    TestOm slow = newManager(tables.withObjects(hooked));
    hooked.before(hook(ObjectRowLayout.superseded(large.getWriteId()), this::collect));
    Extent from = large.getManifest().getExtents(3);
    Extent to = TestOm.manifest(30, 1).getExtents(0);
    ErrorCode refused =
        TestTree.codeOf(
            () ->
                assertEquals(
                    ReplaceExtentsReply.Outcome.CHANGED,
                    slow.replaceVersion(row, large.getVersionId(), from, to)));
    assertTrue(hooked.isDone());
    slow.om.close();
    assertNull(refused);
    assertEquals(from, get(bucket, "s", "large").getManifest().getExtents(3));
    assertFalse(om.judge(row, from).getDead());
    assertEquals(
        ReplaceExtentsReply.Outcome.REPLACED,
        om.replaceVersion(row, large.getVersionId(), from, to));
    assertEquals(to, get(bucket, "s", "large").getManifest().getExtents(3));
    collect();
    assertEquals(30, get(bucket, "s", "large").getManifest().getExtentsCount());
  }

  /** An older version is in {@code v} and, as it was, in {@code g:d}: only one of them changes. */
  @Test
  void anOlderVersionThatIsRewrittenStaysToBeSeen() throws StoreException {
    om.setVersioning(bucket, Versioning.ENABLED);
    var put = om.putRequest(bucket, "large", "large");
    om.om.putObject(put.setLength(900).setManifest(TestOm.manifest(900, 30)).build());
    ObjectVersion large = om.get(bucket, "large");
    snapshot(om, bucket, "s");
    om.put(bucket, "large", "small");
    ByteString row = ObjectRowLayout.row(om.bucketId(bucket), "large");
    Extent from = large.getManifest().getExtents(3);
    Extent to = TestOm.manifest(30, 1).getExtents(0);
    assertEquals(
        ReplaceExtentsReply.Outcome.REPLACED,
        om.replaceVersion(row, large.getVersionId(), from, to));
    assertEquals(to, get(bucket, "s", "large").getManifest().getExtents(3));
    assertTrue(om.judge(row, from).getDead());
    assertFalse(om.judge(row, to).getDead());
    collect();
    assertEquals(to, get(bucket, "s", "large").getManifest().getExtents(3));
    om.deleteVersion(bucket, "large", large);
    collect();
    assertEquals(30, get(bucket, "s", "large").getManifest().getExtentsCount());
    assertFalse(om.judge(row, to).getDead());
    remove(bucket, "s");
    assertTrue(om.judge(row, to).getDead());
  }

  private void append(TestOm by, String key, ByteString holder) throws StoreException {
    by.om.openFile(
        OpenFileRequest.newBuilder()
            .setBucket(bucket)
            .setKey(key)
            .setHolder(holder)
            .setLeaseMicros(1_000_000)
            .build());
  }

  /** Who opens a file looks for snapshots, and stands still before he opens it. */
  @Test
  void aFileIsNotOpenedUnderASnapshotThatWasMadeMeanwhile() throws StoreException {
    om.put(bucket, "a", "a");
    PausedReads reads = new PausedReads(tables.objects());
    TestOm slow = newManager(tables.withObjects(reads));
    reads.afterLook = () -> snapshot(other, bucket, "s");
    ByteString holder = WriteId.random();
    assertEquals(ErrorCode.INVALID_ARGUMENT, TestTree.codeOf(() -> append(slow, "a", holder)));
    ObjectVersion shown = get(bucket, "s", "a");
    assertEquals(TestOm.md5("a"), shown.getMd5());
    assertEquals(0, shown.getOpenEpoch(), "it is not left open");
    remove(bucket, "s");
    append(slow, "a", holder);
    slow.om.close();
  }

  /** The same where he dies before his second look. */
  @Test
  void whoOpenedAFileUnderASnapshotIsRefusedWhenHeComesAgain() throws StoreException {
    om.put(bucket, "a", "a");
    om.put(bucket, "b", "b");
    ByteString holder = WriteId.random();
    append(om, "b", holder);
    PausedReads reads = new PausedReads(tables.objects());
    HookedRowStore hooked = new HookedRowStore(reads);
    TestOm slow = newManager(tables.withObjects(hooked));
    reads.afterLook = () -> snapshot(other, bucket, "s");
    hooked.after(
        hook(
            ObjectRowLayout.LEASE,
            () -> {
              throw new CrashPoint.Crash("before the second look");
            }));
    assertThrows(CrashPoint.Crash.class, () -> append(slow, "a", holder));
    slow.om.close();
    assertEquals(ErrorCode.INVALID_ARGUMENT, TestTree.codeOf(() -> append(om, "a", holder)));
    assertEquals(0, get(bucket, "s", "a").getOpenEpoch(), "it is not left open");
    append(om, "b", holder); // it was open when the snapshot was made
  }

  private void replacedAndDead(TestOm by) throws StoreException {
    ObjectVersion before = by.get(bucket, "a");
    by.put(bucket, "a", "after");
    ByteString row = ObjectRowLayout.row(by.bucketId(bucket), "a");
    assertTrue(by.judge(row, before.getManifest().getExtents(0)).getDead());
  }

  /** The record of a snapshot reaches the table half a minute after its stamp was chosen. */
  private void writeSnapshotTooLate(HookedRowStore hooked) {
    hooked.before(
        hook(
            ObjectRowLayout.SNAPSHOTS,
            () -> {
              JUMPED.addAndGet(Duration.ofSeconds(30).toNanos());
              replacedAndDead(other);
            }));
  }

  /** Its stamp is past when it is written down, and who wrote it dies: it is not the moment. */
  @Test
  void aSnapshotThatWasWrittenTooLateIsMadeAnewByWhoeverIsAsked() throws StoreException {
    om.put(bucket, "a", "before");
    HookedRowStore hooked = new HookedRowStore(tables.objects());
    TestOm slow = newManager(tables.withObjects(hooked));
    writeSnapshotTooLate(hooked);
    hooked.after(
        hook(
            ObjectRowLayout.SNAPSHOTS,
            () -> {
              throw new CrashPoint.Crash("before the answer");
            }));
    ByteString id = WriteId.random();
    assertThrows(CrashPoint.Crash.class, () -> snapshot(slow, bucket, "s", id));
    slow.om.close();
    long moment = snapshot(om, bucket, "s", id);
    assertEquals(Map.of("a", TestOm.md5("after")), content(bucket, "s"));
    om.put(bucket, "a", "later");
    assertEquals(moment, snapshot(other, bucket, "s", id), "once answered it stays");
    assertEquals(Map.of("a", TestOm.md5("after")), content(bucket, "s"));
  }

  /** The same with a record that HBase kept back, of one attempt of a call, met by its next. */
  @Test
  void aSnapshotThatWasWrittenTooLateIsMadeAnewByItsAuthor() throws StoreException {
    om.put(bucket, "a", "before");
    HookedRowStore hooked = new HookedRowStore(tables.objects());
    TestOm slow = newManager(tables.withObjects(hooked));
    writeSnapshotTooLate(hooked);
    snapshot(slow, bucket, "s", WriteId.random());
    assertTrue(hooked.isDone());
    assertEquals(Map.of("a", TestOm.md5("after")), content(bucket, "s"));
    slow.om.close();
  }

  private List<String> names() throws StoreException {
    return other
        .om
        .listSnapshots(ListSnapshotsRequest.newBuilder().setBucket(bucket).build())
        .getSnapshotsList()
        .stream()
        .map(Snapshot::getName)
        .toList();
  }

  private void renameSnapshot(String from, String to) throws StoreException {
    om.om.renameSnapshot(
        RenameSnapshotRequest.newBuilder().setBucket(bucket).setName(from).setNewName(to).build());
  }

  /** Somebody makes a snapshot and dies. */
  private void leaveUndecided(ByteString id) throws StoreException {
    HookedRowStore hooked = new HookedRowStore(tables.objects());
    TestOm slow = newManager(tables.withObjects(hooked));
    hooked.after(
        hook(
            ObjectRowLayout.SNAPSHOTS,
            () -> {
              throw new CrashPoint.Crash("before it is said to be in time");
            }));
    assertThrows(CrashPoint.Crash.class, () -> snapshot(slow, bucket, "s", id));
    slow.om.close();
  }

  /** It is in no listing, so nobody could delete it first. */
  @Test
  void aSnapshotThatIsForgottenKeepsNoBucket() throws StoreException {
    leaveUndecided(WriteId.random());
    JUMPED.addAndGet(Duration.ofMinutes(50).toNanos());
    assertEquals(ErrorCode.BUCKET_NOT_EMPTY, TestTree.codeOf(() -> deleteBucket()));
    JUMPED.addAndGet(Duration.ofMinutes(11).toNanos());
    deleteBucket();
  }

  @Test
  void whoSaysHisWordAfterTheBucketWasDeletedIsToldThatItIsGone() throws StoreException {
    HookedRowStore hooked = new HookedRowStore(tables.objects());
    TestOm slow = newManager(tables.withObjects(hooked));
    hooked.after(
        hook(
            ObjectRowLayout.SNAPSHOTS,
            () ->
                hooked.before( // the word
                    hook(
                        ObjectRowLayout.SNAPSHOTS,
                        () -> {
                          JUMPED.addAndGet(Duration.ofHours(2).toNanos());
                          deleteBucket();
                        }))));
    assertEquals(
        ErrorCode.NO_SUCH_BUCKET,
        TestTree.codeOf(() -> snapshot(slow, bucket, "s", WriteId.random())));
    assertTrue(hooked.isDone());
    slow.om.close();
  }

  /** Its moment may yet become another: only who destroys, and who wants the name, goes by it. */
  @Test
  void aSnapshotWhoseAuthorDiedIsNotShownUntilItIsMadeAgain() throws StoreException {
    om.put(bucket, "a", "before");
    Extent before = om.get(bucket, "a").getManifest().getExtents(0);
    ByteString id = WriteId.random();
    leaveUndecided(id);
    JUMPED.addAndGet(Duration.ofSeconds(30).toNanos()); // past the moment
    om.put(bucket, "a", "after");
    assertEquals(List.of(), names());
    assertEquals(ErrorCode.NO_SUCH_KEY, TestTree.codeOf(() -> list(bucket, "s", "", "", 1)));
    assertEquals(ErrorCode.NO_SUCH_KEY, TestTree.codeOf(() -> renameSnapshot("s", "t")));
    assertEquals(ErrorCode.KEY_EXISTS, TestTree.codeOf(() -> snapshot(om, bucket, "s")));
    assertFalse(om.judge(ObjectRowLayout.row(om.bucketId(bucket), "a"), before).getDead());
    snapshot(om, bucket, "s", id);
    assertEquals(List.of("s"), names());
    assertEquals(Map.of("a", TestOm.md5("after")), content(bucket, "s"));
    renameSnapshot("s", "t");
    assertEquals(List.of("t"), names());
  }

  private interface Act {
    void run() throws StoreException;
  }

  /** Right before or after somebody changes a cell. */
  private static HookedRowStore.Hook hook(Column column, Act act) {
    return new HookedRowStore.Hook() {
      @Override
      public boolean matches(ByteString row, RowChange change) {
        return change.puts().containsKey(column);
      }

      @Override
      public void act() throws IOException {
        act.run();
      }
    };
  }

  /** Something happens between two reads of one who stands still there, once. */
  private static final class PausedReads extends ForwardingRowStore {
    private Act afterLook; // for snapshots
    private Act beforeOlder;

    PausedReads(RowStore inner) {
      super(inner);
    }

    @Override
    public Row get(ByteString row, List<Column> columns) throws IOException {
      Row read = inner.get(row, columns);
      Act act = afterLook;
      if (act != null && columns.contains(ObjectRowLayout.SNAPSHOTS)) {
        afterLook = null;
        act.run();
      }
      return read;
    }

    @Override
    public Row getRange(ByteString row, char family, ByteString from, ByteString to, int limit)
        throws IOException {
      Act act = beforeOlder;
      if (act != null && family == 'v') {
        beforeOlder = null;
        act.run();
      }
      return inner.getRange(row, family, from, to, limit);
    }
  }

  /** It leaves {@code v} for the head, which the reader has read. */
  @Test
  void aVersionThatBecomesTheCurrentOneMeanwhileIsSeen() throws StoreException {
    om.setVersioning(bucket, Versioning.ENABLED);
    om.put(bucket, "a", "seen");
    snapshot(om, bucket, "s");
    ObjectVersion newer = om.put(bucket, "a", "newer");
    PausedReads reads = new PausedReads(tables.objects());
    TestOm reader = newManager(tables.withObjects(reads));
    reads.beforeOlder = () -> om.deleteVersion(bucket, "a", newer);
    ObjectVersion seen = reader.getOfSnapshot(bucket, "s", "a");
    assertNull(reads.beforeOlder);
    assertNotNull(seen);
    assertEquals(TestOm.md5("seen"), seen.getMd5());
    reader.om.close();
  }

  private int chunks(String key) throws StoreException {
    try {
      return om.chunks(ObjectRowLayout.row(om.bucketId(bucket), key));
    } catch (java.io.IOException e) {
      throw new StoreException(ErrorCode.INTERNAL, "Cannot count chunks", e);
    }
  }

  @Test
  void versionsAndMarkersAreSeenAsTheyWere() throws StoreException {
    om.put(bucket, "null", "null");
    om.setVersioning(bucket, Versioning.ENABLED);
    om.put(bucket, "a", "one");
    ObjectVersion two = om.put(bucket, "a", "two");
    om.put(bucket, "marked", "marked");
    om.delete(bucket, "marked");
    om.put(bucket, "b", "b");
    snapshot(om, bucket, "s");
    Map<String, ByteString> before = content(bucket, "s");
    assertEquals(List.of("a", "b", "null"), List.copyOf(before.keySet()));
    om.put(bucket, "a", "three");
    om.deleteVersion(bucket, "a", two);
    om.put(bucket, "marked", "again");
    om.put(bucket, "null", "new");
    om.rename(bucket, "b", "a", true);
    collect();
    assertEquals(before, content(bucket, "s"));
    assertEquals(TestOm.md5("two"), get(bucket, "s", "a").getMd5());
    assertNull(get(bucket, "s", "marked"));
  }

  @Test
  void treesAreSeenAsTheyWere() throws StoreException {
    TestTree tree = TestTree.create(om, bucket + "-tree");
    tree.put("a/b/f", "f");
    tree.put("a/g", "g");
    tree.makeDirectory("c");
    tree.put("d/e/h", "h");
    snapshot(om, tree.bucket, "s");
    Map<String, ByteString> before = content(tree.bucket, "s");
    assertEquals(List.of("a/b/f", "a/g", "c/", "d/e/h"), List.copyOf(before.keySet()));
    TestTree by = tree.by(other);
    by.rename("a/b", "c/b");
    by.put("c/b/f", "replaced");
    by.put("a/b/new", "new");
    assertTrue(by.deleteDirectory("d", true));
    by.put("d/e/h", "another");
    assertEquals(before, content(tree.bucket, "s"));
    collect();
    collect();
    assertEquals(before, content(tree.bucket, "s"));
    assertEquals(List.of("a/", "c/", "d/"), list(tree.bucket, "s", "", "/", 2));
    assertTrue(
        other
            .om
            .findPath(
                FindPathRequest.newBuilder()
                    .setBucket(tree.bucket)
                    .setPath("d/e")
                    .setSnapshot("s")
                    .build())
            .getDirectory());
    remove(tree.bucket, "s");
    collect();
    assertEquals(List.of("a/b/new", "a/g", "c/", "c/b/f", "d/e/h"), tree.keys());
  }

  @Test
  void whatWasRemovedWithItsDirectoryIsNotKeptForALaterSnapshot() throws StoreException {
    TestTree tree = TestTree.create(om, bucket + "-tree");
    tree.put("d/f", "f");
    tree.put("d/c/b/g", "g");
    Extent f = tree.get("d/f").getManifest().getExtents(0);
    Extent g = tree.get("d/c/b/g").getManifest().getExtents(0);
    ByteString rowOfF = tree.place("d/f");
    ByteString rowOfG = tree.place("d/c/b/g");
    snapshot(om, tree.bucket, "before");
    assertTrue(tree.deleteDirectory("d", true));
    snapshot(om, tree.bucket, "after");
    collect();
    assertEquals(List.of("d/c/b/g", "d/f"), list(tree.bucket, "before", "", "", 10));
    assertEquals(TestOm.md5("g"), get(tree.bucket, "before", "d/c/b/g").getMd5());
    assertFalse(om.judge(rowOfF, f).getDead());
    assertFalse(om.judge(rowOfG, g).getDead());
    assertEquals(List.of(), list(tree.bucket, "after", "", "", 10));
    remove(tree.bucket, "before");
    assertTrue(om.judge(rowOfF, f).getDead());
    assertTrue(om.judge(rowOfG, g).getDead());
  }

  /** By one who had walked there before. It could be seen elsewhere until it came. */
  @Test
  void aDirectoryThatIsMovedIntoARemovedOneStaysToBeSeenWhereItWas() throws StoreException {
    TestTree tree = TestTree.create(om, bucket + "-tree");
    tree.put("e/c/f", "f");
    tree.makeDirectory("d");
    AtomicBoolean once = new AtomicBoolean();
    CrashPoint.named("om.rename.after-guard")
        .arm(
            () -> {
              if (once.compareAndSet(false, true)) {
                try {
                  assertTrue(tree.by(other).deleteDirectory("d", true));
                  snapshot(other, tree.bucket, "s");
                } catch (StoreException e) {
                  throw new AssertionError(e);
                }
              }
            });
    try {
      tree.rename("e/c", "d/c");
    } finally {
      CrashPoint.disarmAll();
    }
    assertEquals(List.of("e/c/f"), list(tree.bucket, "s", "", "", 10));
    collect();
    collect();
    assertEquals(List.of("e/c/f"), list(tree.bucket, "s", "", "", 10));
    assertEquals(TestOm.md5("f"), get(tree.bucket, "s", "e/c/f").getMd5());
  }

  @Test
  void snapshotsHaveNamesOfTheirOwn() throws StoreException {
    om.put(bucket, "a", "a");
    snapshot(om, bucket, "s");
    assertEquals(ErrorCode.KEY_EXISTS, TestTree.codeOf(() -> snapshot(other, bucket, "s")));
    assertEquals(ErrorCode.INVALID_ARGUMENT, TestTree.codeOf(() -> snapshot(om, bucket, "a/b")));
    renameSnapshot("s", "t");
    assertEquals(1, content(bucket, "t").size());
    assertEquals(ErrorCode.NO_SUCH_KEY, TestTree.codeOf(() -> list(bucket, "s", "", "", 1)));
    assertEquals(
        ErrorCode.INVALID_ARGUMENT,
        TestTree.codeOf(
            () ->
                om.om.openFile(
                    OpenFileRequest.newBuilder()
                        .setBucket(bucket)
                        .setKey("a")
                        .setHolder(WriteId.random())
                        .setLeaseMicros(1_000_000)
                        .build())),
        "an append would change what the snapshot shows");
    om.delete(bucket, "a");
    assertEquals(ErrorCode.BUCKET_NOT_EMPTY, TestTree.codeOf(() -> deleteBucket()));
    remove(bucket, "t");
    assertEquals(ErrorCode.NO_SUCH_KEY, TestTree.codeOf(() -> remove(bucket, "t")));
    deleteBucket();
  }

  private void deleteBucket() throws StoreException {
    om.om.deleteBucket(
        DeleteBucketRequest.newBuilder().setName(bucket).setWriteId(WriteId.random()).build());
  }

  /** What one writer, who alone writes a key, did to it and when, by a clock that all share. */
  private record Written(long begin, long end, String content) {}

  /**
   * Writers overwrite and delete their keys, and move a file about, while snapshots are made by
   * object managers that hear of nothing. Of each key a snapshot shows what the last write that
   * ended before it was asked for left, or what one did that ran meanwhile; of the moved file
   * exactly one. And it shows the same when all is collected.
   */
  @Test
  void racingSnapshotsSeeAMomentEach() throws Exception {
    int writers = 3;
    int snapshots = Integer.getInteger("stowage.test.snapshots", 6);
    AtomicLong time = new AtomicLong();
    AtomicBoolean done = new AtomicBoolean();
    Map<String, List<Written>> history = new ConcurrentHashMap<>();
    Map<String, long[]> asked = new HashMap<>();
    ExecutorService pool = Executors.newFixedThreadPool(writers);
    try {
      List<Future<?>> running = new ArrayList<>();
      for (int w = 0; w < writers; w++) {
        int number = w;
        om.put(bucket, "moved" + number + "-0", "token" + number);
        running.add(
            pool.submit(
                () -> {
                  write(number, number % 2 == 0 ? om : other, time, done, history);
                  return null;
                }));
      }
      for (int i = 0; i < snapshots; i++) {
        long target = time.get() + 40;
        while (time.get() < target && running.stream().noneMatch(Future::isDone)) {
          Thread.onSpinWait();
        }
        long begin = time.incrementAndGet();
        snapshot(i % 2 == 0 ? om : other, bucket, "s" + i);
        asked.put("s" + i, new long[] {begin, time.incrementAndGet()});
      }
      done.set(true);
      for (Future<?> one : running) {
        one.get();
      }
    } finally {
      done.set(true);
      pool.shutdownNow();
    }
    Map<String, Map<String, ByteString>> first = new HashMap<>();
    for (String name : asked.keySet()) {
      Map<String, ByteString> content = content(bucket, name);
      first.put(name, content);
      check(name, asked.get(name), content, history, writers);
    }
    collect();
    for (String name : asked.keySet()) {
      assertEquals(first.get(name), content(bucket, name), name + " after collecting");
      for (String key : first.get(name).keySet()) {
        ObjectVersion version = get(bucket, name, key);
        ByteString origin = version.getManifest().getOriginRow();
        ByteString row = origin.isEmpty() ? ObjectRowLayout.row(om.bucketId(bucket), key) : origin;
        assertFalse(om.judge(row, version.getManifest().getExtents(0)).getDead(), key);
      }
    }
  }

  private void write(
      int number,
      TestOm by,
      AtomicLong time,
      AtomicBoolean done,
      Map<String, List<Written>> history)
      throws StoreException {
    Random random = new Random(number);
    int at = 0;
    for (int i = 0; !done.get(); i++) {
      String key = "w" + number + "-" + random.nextInt(3);
      String content = random.nextInt(4) == 0 ? null : "content " + i;
      long begin = time.incrementAndGet();
      if (content == null) {
        by.delete(bucket, key);
      } else {
        by.put(bucket, key, content);
      }
      history
          .computeIfAbsent(key, k -> new ArrayList<>())
          .add(new Written(begin, time.incrementAndGet(), content));
      if (i % 3 == 0) {
        int to = (at + 1 + random.nextInt(2)) % 3;
        by.rename(bucket, "moved" + number + "-" + at, "moved" + number + "-" + to, true);
        at = to;
      }
    }
  }

  private static void check(
      String name,
      long[] asked,
      Map<String, ByteString> content,
      Map<String, List<Written>> history,
      int writers) {
    history.forEach(
        (key, writes) -> {
          List<ByteString> possible = new ArrayList<>();
          ByteString last = null;
          for (Written one : writes) {
            ByteString md5 = one.content() == null ? null : TestOm.md5(one.content());
            if (one.end() < asked[0]) {
              last = md5;
            } else if (one.begin() < asked[1]) {
              possible.add(md5);
            }
          }
          possible.add(last);
          assertTrue(
              possible.contains(content.get(key)),
              name + " shows of " + key + " what was not there when it was made");
        });
    for (int w = 0; w < writers; w++) {
      String prefix = "moved" + w + "-";
      long places = content.keySet().stream().filter(key -> key.startsWith(prefix)).count();
      assertEquals(1, places, name + " shows the file that was moved about");
    }
  }
}
