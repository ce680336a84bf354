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
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.stowage.common.error.ErrorCode;
import io.stowage.common.error.StoreException;
import io.stowage.common.fault.CrashPoint;
import io.stowage.common.id.WriteId;
import io.stowage.common.proto.CompleteUploadRequest;
import io.stowage.common.proto.Condition;
import io.stowage.common.proto.Extent;
import io.stowage.common.proto.ExtentReplacement;
import io.stowage.common.proto.JudgedNeedle;
import io.stowage.common.proto.Manifest;
import io.stowage.common.proto.ObjectVersion;
import io.stowage.common.proto.PutObjectRequest;
import io.stowage.common.proto.ReplaceExtentsRequest;
import io.stowage.common.time.Pause;
import io.stowage.om.garbage.Collector;
import io.stowage.om.table.FaultyRowStore;
import io.stowage.om.table.ObjectRowLayout;
import io.stowage.om.table.Row;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.TreeMap;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.ThreadLocalRandom;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicLong;
import org.apache.hadoop.thirdparty.protobuf.ByteString;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/**
 * 32 clients at two object managers, whose clocks differ by a second, put, put on condition,
 * delete, rename and complete uploads on three keys and have manifests point at copies, while calls
 * to the table get lost, late or doubled, and object managers die between the durable steps.
 * Whatever was answered has to be explained by one order of events. Rounds are short, each ends in
 * a quiet moment in which all keys are read and their needles judged, so that the search for that
 * order stays small. Then the clocks jump ahead, and two collectors clear away what the rounds
 * before left while the next goes on.
 */
class LinearizabilityTest {
  private static final int CLIENTS = 32;
  private static final int OPERATIONS = 2;
  private static final List<String> KEYS = List.of("a", "b", "c");
  private static final List<String> CRASHES =
      List.of(
          "om.rename.after-pending",
          "om.rename.after-moved",
          "om.rename.after-live",
          "om.rename.after-fence",
          "om.rename.after-forwarding",
          "om.complete.after-freeze",
          "om.complete.after-commit",
          "om.rewrite.after-chunks",
          "om.collect.after-claim",
          "om.collect.after-told",
          "om.collect.after-counted",
          "om.collect.after-cleared",
          "om.collect.after-fence");

  private static final OmConfig CONFIG =
      new OmConfig(
          "stowage",
          "rs-3-2",
          TestOm.CONFIG.commitWindow(),
          TestOm.CONFIG.clockBound(),
          TestOm.CONFIG.mutationDeadline(),
          TestOm.CONFIG.bucketCacheAge(),
          new OmConfig.Collecting(
              Duration.ofMillis(1),
              TestOm.COLLECTING.margin(),
              TestOm.CONFIG.trail().multipliedBy(4),
              TestOm.COLLECTING.openFiles()),
          TestOm.EXPIRING);

  /** Of all tests of this class: they share tables, in which time goes on. */
  private static final AtomicLong JUMPED = new AtomicLong();

  private final Map<String, AtomicInteger> outcomes = new ConcurrentHashMap<>();

  @AfterEach
  void disarm() {
    CrashPoint.disarmAll();
  }

  @Test
  void overTheTwinWithFaultsAndCrashes() throws Exception {
    run(TestOm.Tables.inMemory(), 150, 0.08, 0.1);
    for (String expected :
        List.of(
            "put ok",
            "put 412",
            "rename ok",
            "complete ok",
            "delete ok",
            "replace REPLACED",
            "replace CHANGED",
            "collected",
            "crash")) {
      assertTrue(outcomes.containsKey(expected), () -> expected + " never happened: " + outcomes);
    }
  }

  @Test
  void overHBaseWithFaultsAndCrashes() throws Exception {
    run(TestOm.onHBase("linear"), 25, 0.05, 0.1);
  }

  @Test
  void overHBaseAsItIs() throws Exception {
    run(TestOm.onHBase("linear"), 25, 0, 0);
  }

  private void run(TestOm.Tables tables, int rounds, double faults, double crashes)
      throws Exception {
    long seed = Long.getLong("stowage.test.seed", System.nanoTime());
    System.out.println("LinearizabilityTest: -Dstowage.test.seed=" + seed);
    FakeContainers containers = new FakeContainers();
    try (FaultyRowStore faulty = new FaultyRowStore(tables.objects(), faults)) {
      TestOm.Tables shaky = tables.withObjects(faulty);
      TestOm[] oms = {
        open(shaky, containers, Duration.ZERO), open(shaky, containers, Duration.ofSeconds(1))
      };
      Collector[] collectors = {
        oms[0].om.collector(tables.regions()), oms[1].om.collector(tables.regions())
      };
      TestOm calm = open(tables, containers, Duration.ZERO);
      for (String point : CRASHES) {
        CrashPoint.named(point)
            .arm(
                () -> {
                  if (ThreadLocalRandom.current().nextDouble() < crashes) {
                    throw new CrashPoint.Crash(point);
                  }
                });
      }
      ExecutorService clients = Executors.newFixedThreadPool(CLIENTS + 2);
      try {
        String bucket = "lin" + System.nanoTime();
        calm.createBucket(bucket);
        Map<String, String> contents = new TreeMap<>();
        for (int round = 0; round < rounds; round++) {
          StampedHistory history = new StampedHistory();
          List<Future<?>> running = new ArrayList<>();
          for (Collector collector : collectors) {
            running.add(clients.submit(() -> collect(collector)));
          }
          for (int i = 0; i < CLIENTS; i++) {
            Random random = new Random(seed + 1_000L * round + i);
            String name = round + "." + i;
            running.add(
                clients.submit(
                    () -> {
                      for (int j = 0; j < OPERATIONS; j++) {
                        new Client(history, oms, bucket, random, name + "." + j).act();
                      }
                      return null;
                    }));
          }
          for (Future<?> one : running) {
            one.get();
          }
          faulty.settle();
          Map<String, String> before = contents;
          contents = readAll(history, calm, bucket);
          String violation = history.violation(before);
          long where = round;
          assertNull(violation, () -> "seed " + seed + ", round " + where + ": " + violation);
          judgeAll(calm, bucket, contents.keySet());
          JUMPED.addAndGet(CONFIG.trail().plusSeconds(5).toNanos());
        }
        // Listing resolves what is under way as get does.
        assertEquals(
            List.copyOf(contents.keySet()),
            calm.list(bucket, "", "", "", 0).getObjectsList().stream()
                .map(ObjectVersion::getKey)
                .toList());
        CrashPoint.disarmAll();
        leavesNothing(tables, calm, bucket);
        System.out.println("LinearizabilityTest: " + outcomes + ", " + faulty.faults() + " faults");
      } finally {
        clients.shutdownNow();
      }
    }
  }

  private static TestOm open(TestOm.Tables tables, FakeContainers containers, Duration offset) {
    return new TestOm(CONFIG, tables, containers, new JumpingClock(JUMPED, offset), Pause.REAL);
  }

  private Void collect(Collector collector) {
    try {
      Collector.Tally tally = collector.round();
      if (tally.cleared() + tally.removed() > 0) {
        outcomes.computeIfAbsent("collected", w -> new AtomicInteger()).incrementAndGet();
      }
    } catch (CrashPoint.Crash | StoreException e) {
      outcomes.computeIfAbsent("collector crash", w -> new AtomicInteger()).incrementAndGet();
    }
    return null;
  }

  /** Every extent of every version lives, asked by the row that its needle names. */
  private static void judgeAll(TestOm om, String bucket, Iterable<String> keys)
      throws StoreException {
    long id = om.bucketId(bucket);
    for (String key : keys) {
      Manifest manifest = om.get(bucket, key).getManifest();
      ByteString row = ObjectRowLayout.row(id, key);
      ByteString origin = manifest.getOriginRow().isEmpty() ? row : manifest.getOriginRow();
      for (Extent extent : manifest.getExtentsList()) {
        JudgedNeedle judged = om.judge(origin, extent);
        assertTrue(
            judged.getHoldersList().stream().anyMatch(holder -> holder.getRow().equals(row)),
            () -> "a needle of " + key + " is judged " + judged);
      }
    }
  }

  /** Days later, only live heads are left, and uploads that nobody ended. */
  private static void leavesNothing(TestOm.Tables tables, TestOm calm, String bucket)
      throws Exception {
    Collector last = calm.om.collector(tables.regions());
    for (int i = 0; i < 4; i++) {
      JUMPED.addAndGet(Duration.ofHours(2).toNanos());
      last.round();
    }
    for (String key : KEYS) {
      ByteString row = ObjectRowLayout.row(calm.bucketId(bucket), key);
      ObjectVersion version = calm.get(bucket, key);
      Row cells = tables.objects().getFamilies(row, "cgm");
      long chunks = version != null && version.getManifest().getExtentsCount() > 8 ? 1 : 0;
      assertEquals((version == null ? 0 : 1) + chunks, cells.cells().size(), key + cells);
    }
  }

  private static Map<String, String> readAll(StampedHistory history, TestOm om, String bucket)
      throws StoreException {
    Map<String, String> contents = new TreeMap<>();
    for (String key : KEYS) {
      long called = history.now();
      ObjectVersion version = om.get(bucket, key);
      String content = version == null ? null : hex(version.getMd5());
      if (content != null) {
        contents.put(key, content);
      }
      history.saw("final get " + key + " = " + content, called, sees(key, content));
    }
    return contents;
  }

  private static java.util.function.UnaryOperator<Map<String, String>> sees(
      String key, String content) {
    return contents -> java.util.Objects.equals(contents.get(key), content) ? contents : null;
  }

  private static String hex(ByteString bytes) {
    return HexFormat.of().formatHex(bytes.toByteArray());
  }

  private interface Call<T> {
    T at(TestOm om) throws StoreException;
  }

  /** One operation of one client. */
  private final class Client {
    private final StampedHistory history;
    private final TestOm[] oms;
    private final String bucket;
    private final Random random;
    private final String name;

    Client(StampedHistory history, TestOm[] oms, String bucket, Random random, String name) {
      this.history = history;
      this.oms = oms;
      this.bucket = bucket;
      this.random = random;
      this.name = name;
    }

    private String key() {
      return KEYS.get(random.nextInt(KEYS.size()));
    }

    private TestOm om() {
      return oms[random.nextInt(oms.length)];
    }

    private void count(String what) {
      outcomes.computeIfAbsent(what, w -> new AtomicInteger()).incrementAndGet();
    }

    void act() throws StoreException {
      switch (random.nextInt(14)) {
        case 0, 1 -> put(key());
        case 2, 3 -> putIfAbsent(key());
        case 4 -> putIfMatch(key());
        case 5, 6 -> delete(key());
        case 7, 8, 9 -> rename(key(), key(), random.nextBoolean());
        case 10 -> complete(key());
        case 11, 12 -> replace(key());
        default -> get(key());
      }
    }

    /**
     * Calls, and calls again elsewhere with the same request where nobody can tell what came of it.
     * Null where it stays unknown, and is recorded so.
     */
    private <T> T insist(
        String what,
        long called,
        java.util.function.UnaryOperator<Map<String, String>> step,
        Call<T> call)
        throws StoreException {
      for (int attempt = 0; ; attempt++) {
        try {
          return call.at(om());
        } catch (CrashPoint.Crash e) {
          count("crash");
        } catch (StoreException e) {
          if (e.code() != ErrorCode.OUTCOME_UNKNOWN) {
            if (attempt > 0 && e.code() == ErrorCode.UNAVAILABLE) {
              continue; // of the repetition; the first call is as unknown as before
            }
            throw e;
          }
          count("unknown");
        }
        if (attempt > 20 || random.nextInt(3) == 0) {
          history.unknown(what, called, step);
          return null;
        }
      }
    }

    private void mutate(
        String what,
        String stampedKey,
        String sourceKey,
        java.util.function.UnaryOperator<Map<String, String>> step,
        java.util.function.UnaryOperator<Map<String, String>> refused,
        Call<Long> call)
        throws StoreException {
      long called = history.now();
      String kind = what.substring(0, what.indexOf(' '));
      try {
        Long stamp = insist(what, called, step, call);
        if (stamp != null) {
          history.mutated(what + " ok", called, stampedKey, stamp, step);
          count(kind + " ok");
        }
      } catch (StoreException e) {
        switch (e.code()) {
          case PRECONDITION_FAILED, NO_SUCH_KEY, KEY_EXISTS -> {
            count(kind + (e.code() == ErrorCode.PRECONDITION_FAILED ? " 412" : " refused"));
            history.saw(
                what + " " + e.code(),
                called,
                contents ->
                    e.code() == ErrorCode.NO_SUCH_KEY && sourceKey != null
                        ? (contents.containsKey(sourceKey) ? null : contents)
                        : refused.apply(contents));
          }
          // Nothing came of it, which is checked: nothing is recorded.
          case UNAVAILABLE, CONFLICT -> count(kind + " unavailable");
          default -> throw e;
        }
      }
    }

    private void put(String key) throws StoreException {
      PutObjectRequest request = om().putRequest(bucket, key, name).build();
      String content = hex(request.getMd5());
      mutate(
          "put " + key + " " + content,
          key,
          null,
          contents -> StampedHistory.with(contents, key, content),
          contents -> null,
          om -> om.om.putObject(request).getVersion().getStamp());
    }

    private void putIfAbsent(String key) throws StoreException {
      PutObjectRequest request =
          om().putRequest(bucket, key, name)
              .setCondition(Condition.newBuilder().setMustBeAbsent(true))
              .build();
      String content = hex(request.getMd5());
      mutate(
          "put " + key + " if absent " + content,
          key,
          null,
          contents ->
              contents.containsKey(key) ? null : StampedHistory.with(contents, key, content),
          contents -> contents.containsKey(key) ? contents : null,
          om -> om.om.putObject(request).getVersion().getStamp());
    }

    private void putIfMatch(String key) throws StoreException {
      ObjectVersion seen;
      try {
        seen = om().get(bucket, key);
      } catch (StoreException e) {
        return;
      }
      if (seen == null) {
        return;
      }
      String etag = hex(seen.getMd5()) + (seen.getPartCount() == 0 ? "" : "-1");
      String old = hex(seen.getMd5());
      PutObjectRequest request =
          om().putRequest(bucket, key, name)
              .setCondition(Condition.newBuilder().setIfMatchEtag(etag))
              .build();
      String content = hex(request.getMd5());
      mutate(
          "put " + key + " if " + old + " " + content,
          key,
          null,
          contents ->
              old.equals(contents.get(key)) ? StampedHistory.with(contents, key, content) : null,
          contents -> old.equals(contents.get(key)) ? null : contents,
          om -> om.om.putObject(request).getVersion().getStamp());
    }

    private void delete(String key) throws StoreException {
      long called = history.now();
      ByteString writeId = WriteId.random();
      String what = "delete " + key;
      java.util.function.UnaryOperator<Map<String, String>> step =
          contents -> contents.containsKey(key) ? StampedHistory.with(contents, key, null) : null;
      try {
        Long stamp = insist(what, called, step, om -> om.delete(bucket, key, writeId).getStamp());
        if (stamp != null && stamp != 0) {
          history.mutated(what + " ok", called, key, stamp, step);
          count("delete ok");
        } else if (stamp != null) {
          history.saw(what + " nothing there", called, sees(key, null));
        }
      } catch (StoreException e) {
        if (e.code() != ErrorCode.UNAVAILABLE && e.code() != ErrorCode.CONFLICT) {
          throw e;
        }
      }
    }

    private void rename(String from, String to, boolean overwrite) throws StoreException {
      if (from.equals(to)) {
        return;
      }
      ByteString writeId = WriteId.random();
      mutate(
          "rename " + from + " " + to + (overwrite ? " over" : ""),
          to,
          from,
          contents ->
              !contents.containsKey(from) || (contents.containsKey(to) && !overwrite)
                  ? null
                  : StampedHistory.with(
                      StampedHistory.with(contents, to, contents.get(from)), from, null),
          contents -> contents.containsKey(from) && contents.containsKey(to) ? contents : null,
          om -> om.rename(bucket, from, to, overwrite, writeId).getStamp());
    }

    private void complete(String key) throws StoreException {
      CompleteUploadRequest request;
      try {
        ByteString uploadId = om().createUpload(bucket, key);
        om().putPart(bucket, key, uploadId, 1, name, 100);
        request = TestOm.completeRequest(bucket, key, uploadId, TestOm.named(1, name)).build();
      } catch (StoreException e) {
        return;
      }
      String content = hex(TestOm.md5(TestOm.md5(name).toByteArray()));
      boolean takeOver = random.nextBoolean();
      mutate(
          "complete " + key + " " + content,
          key,
          null,
          contents -> StampedHistory.with(contents, key, content),
          contents -> null,
          om ->
              om.om
                  .completeUpload(
                      takeOver ? request.toBuilder().setWriteId(WriteId.random()).build() : request)
                  .getVersion()
                  .getStamp());
    }

    /** As a repacker: one extent becomes ten, or what it was; nobody may notice. */
    private void replace(String key) throws StoreException {
      try {
        ObjectVersion version = om().get(bucket, key);
        if (version == null || version.getManifest().getExtentsCount() == 0) {
          return;
        }
        ReplaceExtentsRequest.Builder request =
            ReplaceExtentsRequest.newBuilder()
                .setRow(ObjectRowLayout.row(oms[0].bucketId(bucket), key))
                .addGrants(oms[0].grant());
        boolean many = version.getManifest().getExtentsCount() == 1 && random.nextBoolean();
        for (Extent extent : version.getManifest().getExtentsList()) {
          ExtentReplacement.Builder one = ExtentReplacement.newBuilder().setFrom(extent);
          long payload = extent.getLength() - extent.getHeaderLength();
          for (int i = 0; i < (many ? 10 : 1); i++) {
            if (i > 0 || payload > 0) {
              one.addTo(TestOm.manifest(i == 0 ? payload : 0, 1).getExtents(0));
            }
          }
          request.addReplacements(one);
        }
        count("replace " + om().om.replaceExtents(request.build()).getOutcome());
      } catch (CrashPoint.Crash e) {
        count("crash");
      } catch (StoreException e) {
        if (e.code().blame() != ErrorCode.Blame.SYSTEM && e.code() != ErrorCode.CONFLICT) {
          throw e;
        }
        count("replace " + e.code());
      }
    }

    private void get(String key) throws StoreException {
      long called = history.now();
      try {
        ObjectVersion version = om().get(bucket, key);
        String content = version == null ? null : hex(version.getMd5());
        history.saw("get " + key + " = " + content, called, sees(key, content));
      } catch (StoreException e) {
        if (e.code() != ErrorCode.UNAVAILABLE) {
          throw e;
        }
      }
    }
  }
}
