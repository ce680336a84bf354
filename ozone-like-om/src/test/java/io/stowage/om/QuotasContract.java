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
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.stowage.common.error.ErrorCode;
import io.stowage.common.error.StoreException;
import io.stowage.common.id.WriteId;
import io.stowage.common.proto.BucketQuota;
import io.stowage.common.proto.Extent;
import io.stowage.common.proto.FileLease;
import io.stowage.common.proto.GetBucketUsageReply;
import io.stowage.common.proto.GetBucketUsageRequest;
import io.stowage.common.proto.ObjectVersion;
import io.stowage.common.proto.PutObjectRequest;
import io.stowage.common.proto.ReplaceExtentsReply;
import io.stowage.common.proto.SetObjectMetadataRequest;
import io.stowage.common.proto.SyncFileRequest;
import io.stowage.common.proto.UpdateBucketRequest;
import io.stowage.common.proto.Versioning;
import io.stowage.common.time.StoreClock;
import io.stowage.om.table.ObjectRowLayout;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.atomic.AtomicInteger;
import org.apache.hadoop.thirdparty.protobuf.ByteString;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** What buckets hold and may hold, over any tables. */
abstract class QuotasContract {
  private final List<TestOm> managers = new ArrayList<>();
  private TestOm.Tables tables;
  private TestOm om;
  private TestOm other;
  private String bucket;

  abstract TestOm.Tables tables() throws Exception;

  @BeforeEach
  void open() throws Exception {
    tables = tables();
    om = open(tables);
    other = open(tables);
    bucket = "quota" + System.nanoTime();
    om.createBucket(bucket);
  }

  private TestOm open(TestOm.Tables shared) {
    TestOm opened = new TestOm(shared, new FakeContainers(), StoreClock.system());
    managers.add(opened);
    return opened;
  }

  @AfterEach
  void close() {
    managers.forEach(each -> each.om.close());
  }

  private void limit(String limited, long bytes, long objects) throws StoreException {
    om.om.updateBucket(
        UpdateBucketRequest.newBuilder()
            .setName(limited)
            .setWriteId(WriteId.random())
            .putPut(
                "quota",
                BucketQuota.newBuilder().setBytes(bytes).setObjects(objects).build().toByteString())
            .build());
  }

  private static String usage(TestOm of, String bucket, boolean recount) throws StoreException {
    GetBucketUsageReply usage =
        of.om.getBucketUsage(
            GetBucketUsageRequest.newBuilder().setBucket(bucket).setRecount(recount).build());
    return usage.getObjects() + " with " + usage.getBytes();
  }

  /** That both object managers, and a count of what is there, agree. */
  private void assertHolds(String expected, String which) throws StoreException {
    other.om.flushUsage();
    assertEquals(expected, usage(om, which, false));
    om.om.flushUsage();
    assertEquals(expected, usage(other, which, false));
    assertEquals(expected, usage(om, which, true), "counted anew");
    assertEquals(expected, usage(other, which, false), "counted anew");
  }

  @Test
  void whatIsPutAndDeletedByAnybodyIsCounted() throws StoreException {
    om.put(bucket, "a", "12345");
    other.put(bucket, "b", "123");
    other.put(bucket, "a", "1234567");
    om.put(bucket, "empty", "");
    assertHolds("3 with 10", bucket);
    other.rename(bucket, "b", "a", true);
    assertHolds("2 with 3", bucket);
    om.delete(bucket, "a");
    om.delete(bucket, "a");
    assertHolds("1 with 0", bucket);
    ByteString upload = om.createUpload(bucket, "parts");
    om.putPart(bucket, "parts", upload, 1, "part", 9_000_000);
    om.putPart(bucket, "parts", upload, 2, "rest", 10);
    assertHolds("1 with 0", bucket);
    complete(upload);
    assertHolds("2 with 9000010", bucket);
  }

  private void complete(ByteString upload) throws StoreException {
    om.om.completeUpload(
        TestOm.completeRequest(
                bucket, "parts", upload, TestOm.named(1, "part"), TestOm.named(2, "rest"))
            .build());
  }

  @Test
  void everyVersionCounts() throws StoreException {
    om.put(bucket, "a", "before");
    om.setVersioning(bucket, Versioning.ENABLED);
    ObjectVersion second = om.put(bucket, "a", "12");
    ObjectVersion third = other.put(bucket, "a", "123");
    assertHolds("3 with 11", bucket);
    om.delete(bucket, "a"); // a marker
    assertHolds("3 with 11", bucket);
    om.deleteVersion(bucket, "a", second);
    assertHolds("2 with 9", bucket);
    om.deleteVersion(bucket, "a", third);
    assertHolds("1 with 6", bucket);
    om.put(bucket, "a", "1234");
    om.put(bucket, "b", "1");
    om.rename(bucket, "b", "a", true);
    assertHolds("3 with 11", bucket);
    om.setVersioning(bucket, Versioning.SUSPENDED);
    om.put(bucket, "a", "12345678"); // the null version in v goes
    assertHolds("3 with 13", bucket);
  }

  private FileLease sync(FileLease lease, long length, Extent... piece) throws StoreException {
    return om.om
        .syncFile(
            SyncFileRequest.newBuilder()
                .setBucket(bucket)
                .setKey("open")
                .setEpoch(lease.getEpoch())
                .setLength(length)
                .setFrom(length)
                .addAllExtents(List.of(piece))
                .addGrants(om.grant())
                .setLeaseMicros(60_000_000)
                .setCursor(lease.getCursor())
                .setClose(piece.length == 0)
                .build())
        .getLease();
  }

  /** By its writer, by who changes what is said of it, and by who moves its bytes. */
  @Test
  void whatIsSyncedCountsWhenItIsFoldedByAnybody() throws StoreException {
    FileLease lease =
        om.om
            .putObject(om.putRequest(bucket, "open", "12345").setLeaseMicros(60_000_000).build())
            .getLease();
    lease = sync(lease, 5, TestOm.manifest(10, 1).getExtents(0));
    assertHolds("1 with 5", bucket);
    ObjectVersion seen = om.get(bucket, "open");
    var unused =
        om.om.setObjectMetadata(
            SetObjectMetadataRequest.newBuilder()
                .setBucket(bucket)
                .setKey("open")
                .setStamp(seen.getStamp())
                .setMetadata(seen.getMetadata().toBuilder().putHeaders("content-type", "x"))
                .build());
    assertHolds("1 with 15", bucket);
    Extent last = TestOm.manifest(20, 1).getExtents(0);
    lease = sync(lease, 15, last);
    assertEquals(
        ReplaceExtentsReply.Outcome.REPLACED,
        om.replace(
            ObjectRowLayout.row(om.bucketId(bucket), "open"),
            last,
            TestOm.manifest(20, 1).getExtents(0)));
    assertHolds("1 with 35", bucket);
    sync(lease, 35); // closes it
    assertHolds("1 with 35", bucket);
    om.delete(bucket, "open");
    assertHolds("0 with 0", bucket);
  }

  @Test
  void directoriesCountAsObjects() throws StoreException {
    TestTree tree = TestTree.create(om, bucket + "-tree");
    tree.put("a/b/f", "12345");
    tree.makeDirectory("c");
    assertHolds("4 with 5", tree.bucket);
    tree.rename("a/b", "c/b");
    assertHolds("4 with 5", tree.bucket);
    om.delete(tree.bucket, "c/b/f");
    assertHolds("2 with 0", tree.bucket); // a, c: b went with its last file
  }

  @Test
  void whatIsRefusedLeavesNoDirectories() throws StoreException {
    TestTree tree = TestTree.create(om, bucket + "-tree");
    tree.put("a/f", "12345");
    limit(tree.bucket, 0, 4);
    assertEquals(ErrorCode.QUOTA_EXCEEDED, TestTree.codeOf(() -> tree.place("n/b/c/f")));
    assertFalse(tree.isDirectory("n"));
    tree.place("n/b/f");
    assertEquals(
        ErrorCode.QUOTA_EXCEEDED, TestTree.codeOf(() -> om.put(tree.bucket, "n/b/f", "1")));
    assertFalse(tree.isDirectory("n"), "made for a file that was refused");
    assertHolds("2 with 5", tree.bucket);
    limit(tree.bucket, 8, 0);
    assertEquals(ErrorCode.QUOTA_EXCEEDED, TestTree.codeOf(() -> tree.put("n/f", "12345")));
    assertFalse(tree.isDirectory("n"));
    tree.makeDirectory("made");
    assertEquals(ErrorCode.QUOTA_EXCEEDED, TestTree.codeOf(() -> tree.put("made/n/f", "12345")));
    assertTrue(tree.isDirectory("made"));
    assertFalse(tree.isDirectory("made/n"));
    assertHolds("3 with 5", tree.bucket);
  }

  @Test
  void whatIsTooMuchIsRefused() throws StoreException {
    om.put(bucket, "there", "1234567890");
    limit(bucket, 25, 3);
    other.put(bucket, "b", "1234567890");
    assertEquals(
        ErrorCode.QUOTA_EXCEEDED, TestTree.codeOf(() -> om.put(bucket, "c", "1234567890")));
    om.put(bucket, "c", "12345");
    assertEquals(ErrorCode.QUOTA_EXCEEDED, TestTree.codeOf(() -> om.put(bucket, "empty", "")));
    om.delete(bucket, "there");
    om.om.flushUsage(); // as it does every few seconds
    other.put(bucket, "d", "1234567890");
    ByteString upload = om.createUpload(bucket, "parts");
    assertEquals(
        ErrorCode.QUOTA_EXCEEDED,
        TestTree.codeOf(() -> om.putPart(bucket, "parts", upload, 1, "part", 9_000_000)));
    limit(bucket, 9_000_030, 0);
    om.putPart(bucket, "parts", upload, 1, "part", 9_000_000);
    om.putPart(bucket, "parts", upload, 2, "rest", 20);
    assertEquals(ErrorCode.QUOTA_EXCEEDED, TestTree.codeOf(() -> complete(upload)));
    om.delete(bucket, "d");
    om.delete(bucket, "b");
    complete(upload);
    assertHolds("2 with 9000025", bucket);
  }

  @Test
  void aPutThatIsSentAgainFindsWhatItPutInABucketThatItFilled() throws StoreException {
    limit(bucket, 5, 1);
    assertIsPutOnce(om.putRequest(bucket, "a", "12345").build());
    assertHolds("1 with 5", bucket);
    TestTree tree = TestTree.create(om, bucket + "-tree");
    tree.makeDirectory("d");
    limit(tree.bucket, 5, 2);
    PutObjectRequest last = tree.putRequest("d/f", "12345", tree.place("d/f")).build();
    assertIsPutOnce(last);
    PutObjectRequest byItsId = last.toBuilder().setKey("d/g").build();
    assertEquals(ErrorCode.QUOTA_EXCEEDED, TestTree.codeOf(() -> om.om.putObject(byItsId)));
    assertHolds("2 with 5", tree.bucket);
  }

  @Test
  void whatFilledABucketIsFoundDoneWhenItIsSentAgain() throws StoreException {
    limit(bucket, 9_000_025, 2);
    PutObjectRequest open =
        om.putRequest(bucket, "open", "12345").setLeaseMicros(60_000_000).build();
    FileLease lease = om.om.putObject(open).getLease();
    ByteString upload = om.createUpload(bucket, "parts");
    om.putPart(bucket, "parts", upload, 1, "part", 9_000_000);
    om.putPart(bucket, "parts", upload, 2, "rest", 10);
    complete(upload);
    complete(upload);
    SyncFileRequest closing =
        SyncFileRequest.newBuilder()
            .setBucket(bucket)
            .setKey("open")
            .setEpoch(lease.getEpoch())
            .setLength(5)
            .setFrom(5)
            .addExtents(TestOm.manifest(10, 1).getExtents(0))
            .setPieceWriteId(WriteId.random())
            .addGrants(om.grant())
            .setClose(true)
            .build();
    long stamp = om.om.syncFile(closing).getVersion().getStamp();
    assertEquals(stamp, om.om.syncFile(closing).getVersion().getStamp());
    assertHolds("2 with 9000025", bucket);
    SyncFileRequest longer =
        closing.toBuilder().clearExtents().addExtents(TestOm.manifest(11, 1).getExtents(0)).build();
    assertEquals(ErrorCode.QUOTA_EXCEEDED, TestTree.codeOf(() -> om.om.syncFile(longer)));
  }

  private void assertIsPutOnce(PutObjectRequest put) throws StoreException {
    long stamp = om.om.putObject(put).getVersion().getStamp();
    assertEquals(stamp, om.om.putObject(put).getVersion().getStamp());
    assertEquals(stamp, other.om.putObject(put).getVersion().getStamp());
    PutObjectRequest another = put.toBuilder().setWriteId(WriteId.random()).build();
    assertEquals(ErrorCode.QUOTA_EXCEEDED, TestTree.codeOf(() -> om.om.putObject(another)));
  }

  /** Several fill a bucket at once, and none goes beyond its quota. */
  @Test
  void manyWhoFillABucketDoNotExceedItsQuota() throws Exception {
    int size = 10;
    int quota = 2_000;
    limit(bucket, quota, 0);
    List<TestOm> writers = List.of(om, other, open(tables), open(tables));
    AtomicInteger added = new AtomicInteger();
    ExecutorService pool = Executors.newFixedThreadPool(8);
    try {
      List<Future<?>> running = new ArrayList<>();
      for (int t = 0; t < 8; t++) {
        TestOm by = writers.get(t % writers.size());
        int number = t;
        running.add(
            pool.submit(
                () -> {
                  for (int i = 0; i <= quota / size; i++) { // one more than there is room for
                    try {
                      assertNotNull(by.put(bucket, number + "-" + i, "1234567890"));
                      added.incrementAndGet();
                    } catch (StoreException e) {
                      assertEquals(ErrorCode.QUOTA_EXCEEDED, e.code(), e.getMessage());
                      return null;
                    }
                  }
                  throw new AssertionError("all were added");
                }));
      }
      for (Future<?> one : running) {
        one.get();
      }
    } finally {
      pool.shutdownNow();
    }
    int beyond = added.get() * size - quota;
    // Of the last room each may be refused because of another that is refused for the same reason.
    assertTrue(beyond > -quota / 4 && beyond <= 0, "beyond the quota: " + beyond);
    for (TestOm by : writers) {
      by.om.flushUsage();
    }
    assertHolds(added.get() + " with " + added.get() * size, bucket);
  }

  /** Whatever is done, the sum of what was counted is what is there. */
  @Test
  void theSumOfChangesIsWhatIsThere() throws StoreException {
    long seed = System.nanoTime();
    Random random = new Random(seed);
    String[] keys = {"a", "b", "c", "d"};
    for (int i = 0; i < 120; i++) {
      TestOm by = random.nextBoolean() ? om : other;
      String key = keys[random.nextInt(keys.length)];
      if (i == 40 || i == 80) {
        om.setVersioning(bucket, i == 40 ? Versioning.ENABLED : Versioning.SUSPENDED);
      }
      switch (random.nextInt(4)) {
        case 0, 1 -> by.put(bucket, key, "x".repeat(random.nextInt(30)));
        case 2 -> by.delete(bucket, key);
        default -> {
          try {
            by.rename(bucket, key, keys[random.nextInt(keys.length)], true);
          } catch (StoreException e) {
            assertEquals(ErrorCode.NO_SUCH_KEY, e.code());
          }
        }
      }
    }
    other.om.flushUsage();
    String counted = usage(om, bucket, false);
    assertEquals(usage(om, bucket, true), counted, "seed " + seed);
  }
}
