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

import io.stowage.common.error.ErrorCode;
import io.stowage.common.error.StoreException;
import io.stowage.common.id.WriteId;
import io.stowage.common.needle.NeedleFacts;
import io.stowage.common.proto.CommittedFact;
import io.stowage.common.proto.CompleteUploadReply;
import io.stowage.common.proto.CompleteUploadRequest;
import io.stowage.common.proto.Condition;
import io.stowage.common.proto.CreateBucketRequest;
import io.stowage.common.proto.CreateUploadRequest;
import io.stowage.common.proto.DeleteObjectsRequest;
import io.stowage.common.proto.DeletedObject;
import io.stowage.common.proto.ObjectToDelete;
import io.stowage.common.proto.ObjectVersion;
import io.stowage.common.proto.PutObjectRequest;
import io.stowage.common.proto.RecordNeedle;
import io.stowage.common.proto.Versioning;
import io.stowage.common.time.Pause;
import io.stowage.common.time.StoreClock;
import io.stowage.om.object.Conditions;
import io.stowage.om.table.FaultyRowStore;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.Queue;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.CyclicBarrier;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.atomic.AtomicInteger;
import org.apache.hadoop.thirdparty.protobuf.ByteString;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/**
 * Many at two object managers race on condition: puts (a copy is one, here), completions, deletes,
 * while calls to the table get lost, late or doubled. Whoever is not told what came of a request
 * repeats it, and is told of its own success.
 */
class ConditionRacesTest {
  private static final int RIVALS = 12;

  private final ExecutorService threads = Executors.newFixedThreadPool(RIVALS);
  private final Map<ErrorCode, AtomicInteger> refusals = new ConcurrentHashMap<>();
  private TestOm[] oms;
  private String bucket;

  @AfterEach
  void stop() {
    threads.shutdownNow();
  }

  private interface Call {
    void at(TestOm om) throws StoreException;
  }

  /** True if it succeeded; false if its condition did not hold. */
  private boolean insist(int rival, Call call) throws StoreException {
    for (int attempt = 0; ; attempt++) {
      try {
        call.at(oms[(rival + attempt) % oms.length]);
        return true;
      } catch (StoreException e) {
        switch (e.code()) {
          case PRECONDITION_FAILED, NO_SUCH_KEY, NO_SUCH_UPLOAD -> {
            refusals.computeIfAbsent(e.code(), any -> new AtomicInteger()).incrementAndGet();
            return false;
          }
          case OUTCOME_UNKNOWN, UNAVAILABLE ->
              assertTrue(attempt < 1_000, () -> "no end to " + e.getMessage());
          default -> throw e;
        }
      }
    }
  }

  private boolean put(int rival, String key, Condition condition, String content)
      throws StoreException {
    PutObjectRequest request =
        oms[0].putRequest(bucket, key, content).setCondition(condition).build();
    return insist(rival, om -> om.om.putObject(request));
  }

  private boolean complete(int rival, String key, Condition condition, String content)
      throws StoreException {
    ByteString upload = WriteId.random();
    insist(
        rival,
        om ->
            om.om.createUpload(
                CreateUploadRequest.newBuilder()
                    .setBucket(bucket)
                    .setKey(key)
                    .setWriteId(upload)
                    .build()));
    var part = oms[0].partRequest(bucket, key, upload, 1, content, 1).build();
    insist(rival, om -> om.om.putPart(part));
    CompleteUploadRequest request =
        TestOm.completeRequest(bucket, key, upload, TestOm.named(1, content))
            .setCondition(condition)
            .build();
    return insist(rival, om -> om.om.completeUpload(request));
  }

  private boolean delete(int rival, String key, Condition condition) throws StoreException {
    DeleteObjectsRequest request =
        DeleteObjectsRequest.newBuilder()
            .setBucket(bucket)
            .addObjects(
                ObjectToDelete.newBuilder()
                    .setKey(key)
                    .setCondition(condition)
                    .setWriteId(WriteId.random()))
            .build();
    return insist(
        rival,
        om -> {
          DeletedObject deleted = om.om.deleteObjects(request).getObjects(0);
          if (deleted.getErrorCode() != 0) {
            throw StoreException.of(
                ErrorCode.ofNumber(deleted.getErrorCode()), deleted.getErrorMessage());
          }
        });
  }

  private interface Rival {
    int act(int number) throws Exception;
  }

  /** The sum of what all of them return. */
  private int race(Rival rival) throws Exception {
    CyclicBarrier start = new CyclicBarrier(RIVALS);
    List<Future<Integer>> running = new ArrayList<>();
    for (int i = 0; i < RIVALS; i++) {
      int number = i;
      running.add(
          threads.submit(
              () -> {
                start.await();
                return rival.act(number);
              }));
    }
    int sum = 0;
    for (Future<Integer> one : running) {
      sum += one.get();
    }
    return sum;
  }

  private static Condition ifMatch(ObjectVersion seen) {
    return Condition.newBuilder().setIfMatchEtag(Conditions.etag(seen)).build();
  }

  private void run(TestOm.Tables tables, int rounds, double faults) throws Exception {
    try (FaultyRowStore faulty = new FaultyRowStore(tables.objects(), faults)) {
      FakeContainers containers = new FakeContainers();
      oms = new TestOm[2];
      for (int i = 0; i < oms.length; i++) {
        oms[i] =
            new TestOm(
                TestOm.CONFIG,
                tables.withObjects(faulty),
                containers,
                StoreClock.system(),
                Pause.REAL);
      }
      for (Versioning versioning : List.of(Versioning.UNVERSIONED, Versioning.ENABLED)) {
        bucket = "race" + System.nanoTime();
        oms[0].om.createBucket(
            CreateBucketRequest.newBuilder()
                .setName(bucket)
                .setOwner("owner")
                .setVersioning(versioning)
                .setWriteId(WriteId.random())
                .build());
        for (int round = 0; round < rounds; round++) {
          ofManyWhoWantANewKeyOneGetsIt("new" + round);
          ofManyWithOneTagOneWins("tag" + round);
          ofCompletionsWithTwoListsOneListWins("upload" + round);
        }
        noUpdateIsLost(rounds);
      }
    }
  }

  private void ofManyWhoWantANewKeyOneGetsIt(String key) throws Exception {
    Condition absent = Condition.newBuilder().setMustBeAbsent(true).build();
    int winners =
        race(
            number -> {
              String content = "content " + number;
              boolean won =
                  number % 2 == 0
                      ? put(number, key, absent, content)
                      : complete(number, key, absent, content);
              return won ? 1 : 0;
            });
    assertEquals(1, winners, key);
  }

  private void ofManyWithOneTagOneWins(String key) throws Exception {
    Condition any = Condition.getDefaultInstance();
    assertTrue(put(0, key, any, "start"));
    Condition match = Condition.newBuilder().setIfMatchEtag(hex(TestOm.md5("start"))).build();
    int winners =
        race(
            number -> {
              boolean won =
                  switch (number % 3) {
                    case 0 -> put(number, key, match, "content " + number);
                    case 1 -> complete(number, key, match, "content " + number);
                    default -> delete(number, key, match);
                  };
              return won ? 1 : 0;
            });
    assertEquals(1, winners, key);
  }

  /** As over S3, where all completions of an upload have its id as their write id. */
  private void ofCompletionsWithTwoListsOneListWins(String key) throws Exception {
    ByteString upload = WriteId.random();
    insist(
        0,
        om ->
            om.om.createUpload(
                CreateUploadRequest.newBuilder()
                    .setBucket(bucket)
                    .setKey(key)
                    .setWriteId(upload)
                    .build()));
    for (int part = 1; part <= 2; part++) {
      var request = oms[0].partRequest(bucket, key, upload, part, "part " + part, 5 << 20).build();
      insist(0, om -> om.om.putPart(request));
    }
    CompleteUploadRequest both =
        TestOm.completeRequest(
                bucket, key, upload, TestOm.named(1, "part 1"), TestOm.named(2, "part 2"))
            .setWriteId(upload)
            .build();
    CompleteUploadRequest one = both.toBuilder().removeParts(1).build();
    Queue<CompleteUploadReply> told = new ConcurrentLinkedQueue<>();
    int winners =
        race(
            number ->
                insist(number, om -> told.add(om.om.completeUpload(number % 2 == 0 ? both : one)))
                    ? 1
                    : 0);
    assertEquals(RIVALS / 2, winners, key);
    ObjectVersion made = seen(0, key);
    assertEquals(made.getPartCount() * (5L << 20), made.getLength());
    for (CompleteUploadReply reply : told) {
      assertEquals(made.getMd5(), reply.getVersion().getMd5());
      for (RecordNeedle record : reply.getRecordsList()) {
        CommittedFact fact = record.getFact().getCommitted();
        assertEquals(made.getMd5(), fact.getVersion().getMd5());
        assertEquals(made.getPartCount(), NeedleFacts.partWriteIds(fact).size());
      }
    }
  }

  private static String hex(ByteString md5) {
    return HexFormat.of().formatHex(md5.toByteArray());
  }

  /** Each reads what the counter says, and writes one more if nobody did meanwhile. */
  private void noUpdateIsLost(int each) throws Exception {
    Map<ByteString, Integer> counts = new ConcurrentHashMap<>();
    counts.put(TestOm.md5("count 0"), 0);
    assertTrue(put(0, "counter", Condition.getDefaultInstance(), "count 0"));
    int successes =
        race(
            number -> {
              int done = 0;
              while (done < each) {
                ObjectVersion seen = seen(number, "counter");
                // An ETag of its own for every attempt: what was counted is told by it alone.
                String content = "count " + number + " " + System.nanoTime();
                ByteString md5 =
                    number % 2 == 0
                        ? TestOm.md5(content)
                        : TestOm.md5(TestOm.md5(content).toByteArray());
                counts.put(md5, counts.get(seen.getMd5()) + 1);
                boolean won =
                    number % 2 == 0
                        ? put(number, "counter", ifMatch(seen), content)
                        : complete(number, "counter", ifMatch(seen), content);
                done += won ? 1 : 0;
              }
              return done;
            });
    assertEquals(RIVALS * each, successes);
    assertEquals(successes, counts.get(seen(0, "counter").getMd5()));
  }

  private ObjectVersion seen(int rival, String key) throws StoreException {
    for (int attempt = 0; ; attempt++) {
      try {
        return oms[(rival + attempt) % oms.length].get(bucket, key);
      } catch (StoreException e) {
        if (e.code() != ErrorCode.UNAVAILABLE || attempt > 1_000) {
          throw e;
        }
      }
    }
  }

  @Test
  void overTheTwinWithFaults() throws Exception {
    run(TestOm.Tables.inMemory(), 6, 0.05);
    assertTrue(refusals.containsKey(ErrorCode.PRECONDITION_FAILED), refusals::toString);
    assertTrue(refusals.containsKey(ErrorCode.NO_SUCH_KEY), refusals::toString);
    assertTrue(refusals.containsKey(ErrorCode.NO_SUCH_UPLOAD), refusals::toString);
  }

  @Test
  void overHBaseAsItIs() throws Exception {
    run(TestOm.onHBase(), 2, 0);
  }
}
