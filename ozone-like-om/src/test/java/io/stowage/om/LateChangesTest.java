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
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.stowage.common.error.StoreException;
import io.stowage.common.id.WriteId;
import io.stowage.common.proto.BucketInfo;
import io.stowage.common.proto.DeleteObjectsRequest;
import io.stowage.common.proto.DeletedObject;
import io.stowage.common.proto.Extent;
import io.stowage.common.proto.GetObjectRequest;
import io.stowage.common.proto.ListVersionsRequest;
import io.stowage.common.proto.ListedVersion;
import io.stowage.common.proto.ObjectToDelete;
import io.stowage.common.proto.ObjectVersion;
import io.stowage.common.proto.UpdateBucketRequest;
import io.stowage.common.proto.Versioning;
import io.stowage.common.time.Pause;
import io.stowage.om.table.Head;
import io.stowage.om.table.HookedRowStore;
import io.stowage.om.table.ObjectRowLayout;
import io.stowage.om.table.RowChange;
import java.io.IOException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;
import org.apache.hadoop.thirdparty.protobuf.ByteString;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/**
 * Changes that were sent before versioning was enabled, and applied after that was acknowledged:
 * what they replaced is kept.
 */
class LateChangesTest {
  private static final String BUCKET = "late";
  private static final int RIVALS = 5;

  private final AtomicLong jumped = new AtomicLong();
  private final TestOm.Tables tables = TestOm.Tables.inMemory();
  private final HookedRowStore hooked = new HookedRowStore(tables.objects());
  private TestOm slow;
  private TestOm other;

  @BeforeEach
  void start() throws Exception {
    slow = open(tables.withObjects(hooked));
    other = open(tables);
    other.createBucket(BUCKET);
  }

  private TestOm open(TestOm.Tables over) {
    Pause pause = duration -> jumped.addAndGet(duration.toNanos() + 1_000);
    return new TestOm(
        TestOm.CONFIG, over, new FakeContainers(), new JumpingClock(jumped, Duration.ZERO), pause);
  }

  private void set(Versioning versioning) throws StoreException {
    BucketInfo set =
        other
            .om
            .updateBucket(
                UpdateBucketRequest.newBuilder()
                    .setName(BUCKET)
                    .setVersioning(versioning)
                    .setWriteId(WriteId.random())
                    .build())
            .getBucket();
    assertEquals(versioning, set.getVersioning());
  }

  private interface Act {
    void run() throws Exception;
  }

  private static HookedRowStore.Hook onHead(Act act) {
    return new HookedRowStore.Hook() {
      @Override
      public boolean matches(ByteString row, RowChange change) {
        return change.puts().containsKey(ObjectRowLayout.HEAD);
      }

      @Override
      public void act() throws IOException {
        try {
          act.run();
        } catch (IOException | RuntimeException e) {
          throw e;
        } catch (Exception e) {
          throw new IllegalStateException(e);
        }
      }
    };
  }

  /** Versioning is enabled, and that acknowledged, right before the slow one's next change. */
  private void enableBeforeTheNextChange() {
    hooked.before(onHead(() -> set(Versioning.ENABLED)));
  }

  /** Content, or a marker; whether it is the null version. Newest first. */
  private List<String> listed(String key) throws IOException {
    VersionsContract.checkRow(other, BUCKET, key);
    List<String> lines = new ArrayList<>();
    for (ListedVersion one :
        other
            .om
            .listVersions(ListVersionsRequest.newBuilder().setBucket(BUCKET).setPrefix(key).build())
            .getVersionsList()) {
      ObjectVersion version = one.getVersion();
      lines.add(
          (version.getDeleteMarker() ? "marker" : content(version))
              + (version.getVersioned() ? "" : " null"));
    }
    return lines;
  }

  private static final List<String> CONTENTS = List.of("old", "new", "newer", "newest");

  private static String content(ObjectVersion version) {
    return CONTENTS.stream()
        .filter(content -> TestOm.md5(content).equals(version.getMd5()))
        .findAny()
        .orElse("another");
  }

  @Test
  void aPutKeepsWhatItReplaced() throws Exception {
    ObjectVersion old = other.put(BUCKET, "k", "old");
    slow.get(BUCKET, "k");
    enableBeforeTheNextChange();
    ObjectVersion put = slow.put(BUCKET, "k", "new");
    assertTrue(hooked.isDone());
    assertTrue(put.getVersioned());
    assertEquals(List.of("new", "old null"), listed("k"));
    // Its needle is alive: a version names it.
    ByteString row = ObjectRowLayout.row(other.bucketId(BUCKET), "k");
    assertFalse(other.judge(row, extentOf(old)).getDead());
    other.put(BUCKET, "k", "newer");
    assertEquals(List.of("newer", "new", "old null"), listed("k"));
  }

  private Extent extentOf(ObjectVersion old) throws StoreException {
    return other
        .om
        .getObject(
            GetObjectRequest.newBuilder()
                .setBucket(BUCKET)
                .setKey(old.getKey())
                .setVersionId(Head.NULL_VERSION)
                .setWantManifest(true)
                .build())
        .getVersion()
        .getManifest()
        .getExtents(0);
  }

  @Test
  void aDeleteBecomesAMarker() throws Exception {
    other.put(BUCKET, "k", "old");
    slow.get(BUCKET, "k");
    enableBeforeTheNextChange();
    DeletedObject deleted = slow.delete(BUCKET, "k");
    assertEquals(0, deleted.getErrorCode());
    assertEquals(List.of("marker", "old null"), listed("k"));
    other.put(BUCKET, "k", "new");
    assertEquals(List.of("new", "marker", "old null"), listed("k"));
  }

  @Test
  void aCompletionKeepsWhatItReplaced() throws Exception {
    other.put(BUCKET, "k", "old");
    ByteString upload = slow.createUpload(BUCKET, "k");
    slow.putPart(BUCKET, "k", upload, 1, "part", 1);
    enableBeforeTheNextChange();
    slow.om.completeUpload(
        TestOm.completeRequest(BUCKET, "k", upload, TestOm.named(1, "part")).build());
    assertEquals(List.of("another", "old null"), listed("k"));
  }

  @Test
  void whatOthersDidInBetweenStays() throws Exception {
    other.put(BUCKET, "put", "old");
    slow.get(BUCKET, "put");
    enableBeforeTheNextChange();
    hooked.after(onHead(() -> other.put(BUCKET, "put", "newest")));
    slow.put(BUCKET, "put", "new");
    assertEquals(List.of("newest", "new", "old null"), listed("put"));
  }

  @Test
  void whatWasDeletedForGoodInBetweenStaysAway() throws Exception {
    other.put(BUCKET, "gone", "old");
    slow.get(BUCKET, "gone");
    enableBeforeTheNextChange();
    hooked.after(
        onHead(
            () ->
                other.om.deleteObjects(
                    DeleteObjectsRequest.newBuilder()
                        .setBucket(BUCKET)
                        .addObjects(
                            ObjectToDelete.newBuilder()
                                .setKey("gone")
                                .setVersionId(Head.NULL_VERSION)
                                .setWriteId(WriteId.random()))
                        .build())));
    slow.put(BUCKET, "gone", "new");
    assertEquals(List.of(), listed("gone"));
  }

  @Test
  void aNullVersionReplacedUnderSuspendedVersioningIsKept() throws Exception {
    set(Versioning.ENABLED);
    other.put(BUCKET, "k", "new");
    set(Versioning.SUSPENDED);
    other.put(BUCKET, "k", "old");
    slow.get(BUCKET, "k");
    enableBeforeTheNextChange();
    slow.put(BUCKET, "k", "newer");
    assertEquals(List.of("newer", "old null", "new"), listed("k"));
  }

  @Test
  void whatCameBeforeTheAcknowledgementIsAsItWas() throws Exception {
    other.put(BUCKET, "k", "old");
    slow.put(BUCKET, "k", "new");
    set(Versioning.ENABLED);
    assertEquals(List.of("new null"), listed("k"));
  }

  /**
   * Many, each at an object manager of its own, all of which looked before versioning was enabled,
   * and change one key afterwards: whatever was put is there.
   */
  @Test
  void ofManyThatAreLateNothingIsLost() throws Exception {
    ExecutorService threads = Executors.newCachedThreadPool();
    try {
      for (int round = 0; round < 20; round++) {
        String key = "k" + round;
        set(Versioning.SUSPENDED);
        Set<Long> made = new TreeSet<>();
        made.add(other.put(BUCKET, key, "old").getVersionId());
        CountDownLatch looked = new CountDownLatch(RIVALS);
        CountDownLatch enabled = new CountDownLatch(1);
        List<Future<ObjectVersion>> puts = new ArrayList<>();
        for (int i = 0; i < RIVALS; i++) {
          HookedRowStore one = new HookedRowStore(tables.objects());
          one.before(
              onHead(
                  () -> {
                    looked.countDown();
                    assertTrue(enabled.await(60, TimeUnit.SECONDS));
                  }));
          TestOm late = open(tables.withObjects(one));
          boolean deletes = i == 0 && round % 2 == 0;
          puts.add(
              threads.submit(
                  () -> {
                    if (deletes) {
                      late.delete(BUCKET, key);
                      return null;
                    }
                    return late.put(BUCKET, key, "new");
                  }));
        }
        assertTrue(looked.await(60, TimeUnit.SECONDS));
        set(Versioning.ENABLED);
        enabled.countDown();
        for (Future<ObjectVersion> put : puts) {
          if (put.get() != null) {
            made.add(put.get().getVersionId());
          }
        }
        VersionsContract.checkRow(other, BUCKET, key);
        Set<Long> there = new TreeSet<>();
        other
            .om
            .listVersions(ListVersionsRequest.newBuilder().setBucket(BUCKET).setPrefix(key).build())
            .getVersionsList()
            .stream()
            .map(ListedVersion::getVersion)
            .filter(version -> version.getKey().equals(key) && !version.getDeleteMarker())
            .forEach(version -> there.add(version.getVersionId()));
        assertEquals(made, there, "round " + round);
      }
    } finally {
      threads.shutdownNow();
    }
  }
}
