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

import io.stowage.common.error.ErrorCode;
import io.stowage.common.error.StoreException;
import io.stowage.common.id.WriteId;
import io.stowage.common.proto.CreateBucketRequest;
import io.stowage.common.proto.DeleteObjectsRequest;
import io.stowage.common.proto.DeletedObject;
import io.stowage.common.proto.Extent;
import io.stowage.common.proto.ExtentReplacement;
import io.stowage.common.proto.GetObjectRequest;
import io.stowage.common.proto.ListVersionsReply;
import io.stowage.common.proto.ListVersionsRequest;
import io.stowage.common.proto.ListedVersion;
import io.stowage.common.proto.ObjectToDelete;
import io.stowage.common.proto.ObjectVersion;
import io.stowage.common.proto.ReplaceExtentsRequest;
import io.stowage.common.proto.Versioning;
import io.stowage.common.time.Pause;
import io.stowage.common.time.StoreClock;
import io.stowage.om.table.Cell;
import io.stowage.om.table.FaultyRowStore;
import io.stowage.om.table.Head;
import io.stowage.om.table.ObjectRowLayout;
import io.stowage.om.table.Row;
import java.io.IOException;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.atomic.AtomicInteger;
import org.apache.hadoop.thirdparty.protobuf.ByteString;
import org.junit.jupiter.api.Test;

/**
 * Many at once at the versions of two keys, while calls to the table get lost, late or doubled:
 * puts, deletes, deletes of the newest and of any version by id, renames to and fro, and repacks.
 * Afterwards what heads say of their rows is true, and a version is there if and only if its put
 * was acknowledged and nothing that could remove it was asked for.
 */
class VersionRacesTest {
  private static final int CLIENTS = 12;
  private static final List<String> KEYS = List.of("a", "b");

  /** Versions and delete markers that were acknowledged, and who made them. */
  private final Map<Long, ByteString> made = new ConcurrentHashMap<>();

  /** Creators of versions that were renamed, and so have other ids now. */
  private final Set<ByteString> moved = ConcurrentHashMap.newKeySet();

  /** A rename of which nobody knows what it moved. */
  private volatile boolean movedUnknown;

  private final Set<Long> maybeGone = ConcurrentHashMap.newKeySet();
  private final Set<Long> surelyGone = ConcurrentHashMap.newKeySet();
  private final ConcurrentHashMap<String, AtomicInteger> outcomes = new ConcurrentHashMap<>();
  private String bucket;

  @Test
  void overTheTwinWithFaults() throws Exception {
    run(TestOm.Tables.inMemory(), 25, 0.05);
    for (String expected :
        List.of("put", "delete", "newest", "any", "null", "rename", "swap", "list")) {
      assertTrue(outcomes.containsKey(expected), () -> expected + " not among " + outcomes);
    }
  }

  @Test
  void overHBaseAsItIs() throws Exception {
    run(TestOm.onHBase(), 3, 0);
  }

  private void run(TestOm.Tables tables, int rounds, double faults) throws Exception {
    long seed = Long.getLong("stowage.test.seed", System.nanoTime());
    System.out.println("VersionRacesTest: -Dstowage.test.seed=" + seed);
    bucket = "race" + System.nanoTime();
    FakeContainers containers = new FakeContainers();
    TestOm calm = new TestOm(tables, containers, StoreClock.system());
    calm.om.createBucket(
        CreateBucketRequest.newBuilder()
            .setName(bucket)
            .setOwner("owner")
            .setVersioning(Versioning.ENABLED)
            .setWriteId(WriteId.random())
            .build());
    try (FaultyRowStore faulty = new FaultyRowStore(tables.objects(), faults)) {
      TestOm om =
          new TestOm(
              TestOm.CONFIG,
              tables.withObjects(faulty),
              containers,
              StoreClock.system(),
              Pause.REAL);
      ExecutorService clients = Executors.newFixedThreadPool(CLIENTS);
      try {
        for (int round = 0; round < rounds; round++) {
          List<Future<?>> running = new ArrayList<>();
          for (int i = 0; i < CLIENTS; i++) {
            Random random = new Random(seed + 1_000L * round + i);
            running.add(
                clients.submit(
                    () -> {
                      for (int j = 0; j < 4; j++) {
                        act(om, random);
                      }
                      return null;
                    }));
          }
          for (Future<?> one : running) {
            one.get();
          }
          faulty.settle();
          check(calm, "seed " + seed + ", round " + round);
        }
      } finally {
        clients.shutdownNow();
      }
    }
  }

  private void act(TestOm om, Random random) throws Exception {
    String key = KEYS.get(random.nextInt(2));
    String what = "";
    try {
      switch (random.nextInt(10)) {
        case 0, 1, 2, 3 -> {
          what = "put";
          ObjectVersion put = om.put(bucket, key, "content " + random.nextInt());
          made.put(put.getVersionId(), put.getWriteId());
        }
        case 4 -> {
          what = "delete";
          ObjectVersion marker = delete(om, key, 0).getVersion();
          made.put(marker.getVersionId(), marker.getWriteId());
        }
        case 5 -> {
          what = "newest";
          List<ListedVersion> newest = list(om, key, 1);
          if (!newest.isEmpty()) {
            deleteForGood(om, key, newest.get(0).getVersion().getVersionId());
          }
        }
        case 6 -> {
          what = "any";
          List<ListedVersion> all = list(om, key, 20);
          if (!all.isEmpty()) {
            ListedVersion one = all.get(random.nextInt(all.size()));
            deleteForGood(om, key, one.getVersion().getVersionId());
          }
        }
        case 7 -> {
          what = "null";
          delete(om, key, Head.NULL_VERSION);
        }
        case 8 -> {
          what = "rename";
          String target = KEYS.get(1 - KEYS.indexOf(key));
          try {
            moved.add(om.rename(bucket, key, target, true).getWriteId());
          } catch (StoreException e) {
            movedUnknown |= e.code() != ErrorCode.NO_SUCH_KEY;
            throw e;
          }
        }
        default -> {
          what = "swap";
          swap(om, key, random);
        }
      }
      count(what);
      list(om, key, 1 + random.nextInt(5));
      count("list");
    } catch (StoreException e) {
      count(what + " " + e.code());
      boolean expected =
          e.code() == ErrorCode.OUTCOME_UNKNOWN
              || e.code() == ErrorCode.UNAVAILABLE
              || e.code() == ErrorCode.NO_SUCH_KEY
              || e.code() == ErrorCode.CONFLICT;
      assertTrue(expected, () -> "unexpected " + e);
    }
  }

  private void count(String what) {
    outcomes.computeIfAbsent(what, w -> new AtomicInteger()).incrementAndGet();
  }

  private List<ListedVersion> list(TestOm om, String key, int limit) throws StoreException {
    ListVersionsReply reply =
        om.om.listVersions(
            ListVersionsRequest.newBuilder()
                .setBucket(bucket)
                .setPrefix(key)
                .setLimit(limit)
                .build());
    long last = Long.MAX_VALUE;
    for (ListedVersion one : reply.getVersionsList()) {
      assertTrue(one.getVersion().getVersionId() < last, "newest first, none twice");
      last = one.getVersion().getVersionId();
    }
    return reply.getVersionsList();
  }

  private void deleteForGood(TestOm om, String key, long id) throws StoreException {
    maybeGone.add(id);
    delete(om, key, id);
    surelyGone.add(id);
  }

  private DeletedObject delete(TestOm om, String key, long id) throws StoreException {
    DeletedObject deleted =
        om.om
            .deleteObjects(
                DeleteObjectsRequest.newBuilder()
                    .setBucket(bucket)
                    .addObjects(
                        ObjectToDelete.newBuilder()
                            .setKey(key)
                            .setVersionId(id)
                            .setWriteId(WriteId.random()))
                    .build())
            .getObjects(0);
    if (deleted.getErrorCode() != 0) {
      throw StoreException.of(
          ErrorCode.ofNumber(deleted.getErrorCode()), deleted.getErrorMessage());
    }
    return deleted;
  }

  private void swap(TestOm om, String key, Random random) throws StoreException {
    List<ListedVersion> all = list(om, key, 20);
    if (all.isEmpty()) {
      return;
    }
    long id = all.get(random.nextInt(all.size())).getVersion().getVersionId();
    ObjectVersion version;
    try {
      version =
          om.om
              .getObject(
                  GetObjectRequest.newBuilder()
                      .setBucket(bucket)
                      .setKey(key)
                      .setVersionId(id)
                      .setWantManifest(true)
                      .build())
              .getVersion();
    } catch (StoreException e) {
      if (e.code() == ErrorCode.NO_SUCH_VERSION) {
        return; // a delete marker, or gone
      }
      throw e;
    }
    Extent from = version.getManifest().getExtents(0);
    Extent to =
        from.toBuilder()
            .setOffset(TestOm.manifest(version.getLength(), 1).getExtents(0).getOffset())
            .build();
    om.om.replaceExtents(
        ReplaceExtentsRequest.newBuilder()
            .setRow(ObjectRowLayout.row(om.bucketId(bucket), key))
            .setVersionId(id)
            .addReplacements(ExtentReplacement.newBuilder().setFrom(from).addTo(to))
            .addGrants(om.grant())
            .build());
  }

  private void check(TestOm calm, String where) throws IOException {
    Set<Long> there = new HashSet<>();
    for (String key : KEYS) {
      ListVersionsRequest.Builder page =
          ListVersionsRequest.newBuilder().setBucket(bucket).setPrefix(key).setLimit(7);
      boolean more = true;
      int listed = 0;
      while (more) {
        ListVersionsReply reply = calm.om.listVersions(page.build());
        for (ListedVersion one : reply.getVersionsList()) {
          assertTrue(there.add(one.getVersion().getVersionId()), where);
          assertEquals(listed == 0, one.getLatest(), where);
          listed++;
        }
        page.setKeyMarker(reply.getNextKey()).setVersionIdMarker(reply.getNextVersionId());
        more = reply.getMore();
      }
      checkRow(calm, key, listed, where);
    }
    if (movedUnknown) {
      movedUnknown = false;
      maybeGone.addAll(made.keySet());
    }
    made.forEach(
        (id, creator) -> {
          if (!maybeGone.contains(id) && !moved.contains(creator)) {
            assertTrue(there.contains(id), () -> where + ": version " + id + " is lost");
          }
        });
    for (long id : surelyGone) {
      assertFalse(there.contains(id), () -> where + ": version " + id + " is back");
    }
  }

  private void checkRow(TestOm calm, String key, int listed, String where) throws IOException {
    Row row = calm.objects.getFamilies(ObjectRowLayout.row(calm.bucketId(bucket), key), "cv");
    Head head = Head.parseOrNull(row.value(ObjectRowLayout.HEAD));
    long older = 0;
    for (Cell cell : row.cells()) {
      if (cell.column().family() == 'v') {
        older++;
        assertTrue(Head.parse(cell.value()).versionId() <= head.record().getNewestOlder(), where);
      }
    }
    assertEquals(listed, head == null || !head.isVersion() ? 0 : older + 1, where);
    assertEquals(older, head == null ? 0 : head.record().getOlderCount(), where);
  }
}
