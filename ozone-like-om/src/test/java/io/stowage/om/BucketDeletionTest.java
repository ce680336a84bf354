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

import static io.stowage.om.NamespaceContract.fails;
import static io.stowage.om.UploadsTest.crashAt;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.stowage.common.error.ErrorCode;
import io.stowage.common.error.StoreException;
import io.stowage.common.fault.CrashPoint;
import io.stowage.common.id.WriteId;
import io.stowage.common.proto.DeleteBucketRequest;
import io.stowage.common.proto.GetBucketRequest;
import io.stowage.common.proto.PutObjectRequest;
import io.stowage.common.time.Pause;
import io.stowage.common.time.StoreClock;
import io.stowage.om.table.FaultyRowStore;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/** Deleting a bucket while others, who know it from their caches, still write into it. */
class BucketDeletionTest {
  private static final OmConfig CONFIG =
      new OmConfig(
          "stowage",
          "rs-3-2",
          Duration.ofMinutes(15),
          Duration.ofSeconds(10),
          Duration.ofSeconds(60),
          Duration.ofMillis(20),
          TestOm.COLLECTING,
          TestOm.EXPIRING);

  private final TestOm.Tables tables = TestOm.Tables.inMemory();
  private final TestOm one = open(tables);
  private final TestOm two = open(tables);

  @AfterEach
  void disarm() {
    CrashPoint.disarmAll();
  }

  private static TestOm open(TestOm.Tables tables) {
    return new TestOm(CONFIG, tables, new FakeContainers(), StoreClock.system(), Pause.REAL);
  }

  private static DeleteBucketRequest deletion(String name) {
    return DeleteBucketRequest.newBuilder().setName(name).setWriteId(WriteId.random()).build();
  }

  @Test
  void aPutIsAcknowledgedOrItsBucketIsDeletedNeverBoth() throws Exception {
    int deletions = 0;
    int puts = 0;
    try (FaultyRowStore faulty = new FaultyRowStore(tables.objects(), 0.3)) {
      TestOm slow = open(tables.withObjects(faulty));
      ExecutorService threads = Executors.newFixedThreadPool(4);
      try {
        for (int round = 0; round < 40; round++) {
          String bucket = "round" + round;
          one.createBucket(bucket);
          // warms the cache
          slow.om.getBucket(GetBucketRequest.newBuilder().setName(bucket).build());
          List<Future<Boolean>> writers = new ArrayList<>();
          for (int i = 0; i < 3; i++) {
            long delayMicros = (round * 37L + i * 11L) % 60 * 500;
            String key = "k" + i;
            TestOm writer = i == 0 ? two : slow;
            writers.add(
                threads.submit(
                    () -> {
                      Thread.sleep(Duration.ofNanos(delayMicros * 1_000).toMillis());
                      return acknowledged(writer, bucket, key);
                    }));
          }
          boolean deleted = true;
          try {
            one.om.deleteBucket(deletion(bucket));
          } catch (StoreException e) {
            deleted = e.code() != ErrorCode.BUCKET_NOT_EMPTY;
            assertTrue(!deleted, e::toString);
          }
          for (int i = 0; i < 3; i++) {
            if (writers.get(i).get()) {
              puts++;
              assertTrue(!deleted, "k" + i + " was acknowledged in a deleted bucket");
              assertNotNull(one.get(bucket, "k" + i));
            }
          }
          deletions += deleted ? 1 : 0;
        }
      } finally {
        threads.shutdownNow();
      }
    }
    assertTrue(deletions > 0, "no bucket was ever deleted");
    assertTrue(puts > 0, "no put was ever acknowledged");
  }

  private static boolean acknowledged(TestOm writer, String bucket, String key)
      throws StoreException {
    PutObjectRequest request = writer.putRequest(bucket, key, "x").build();
    try {
      writer.om.putObject(request);
      return true;
    } catch (StoreException e) {
      assertTrue(
          e.code() == ErrorCode.NO_SUCH_BUCKET || e.code().blame() == ErrorCode.Blame.SYSTEM,
          e::toString);
      return false;
    }
  }

  @Test
  void aDeletionThatDiedIsEndedByWhoeverMeetsIt() throws Exception {
    one.createBucket("empty-one");
    crashAt("om.delete-bucket.after-mark", () -> one.om.deleteBucket(deletion("empty-one")));
    fails(ErrorCode.NO_SUCH_BUCKET, () -> two.put("empty-one", "k", "x"));
    two.createBucket("empty-one");
    two.put("empty-one", "k", "x");
  }
}
