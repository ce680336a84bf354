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
import io.stowage.common.proto.CommittedFact;
import io.stowage.common.proto.CompleteUploadRequest;
import io.stowage.common.proto.CreateBucketRequest;
import io.stowage.common.proto.DeleteObjectsReply;
import io.stowage.common.proto.DeleteObjectsRequest;
import io.stowage.common.proto.GetObjectRequest;
import io.stowage.common.proto.ListVersionsReply;
import io.stowage.common.proto.ListVersionsRequest;
import io.stowage.common.proto.ListedVersion;
import io.stowage.common.proto.Manifest;
import io.stowage.common.proto.ObjectMetadata;
import io.stowage.common.proto.ObjectToDelete;
import io.stowage.common.proto.ObjectVersion;
import io.stowage.common.proto.PutObjectReply;
import io.stowage.common.proto.PutObjectRequest;
import io.stowage.common.proto.PutPartRequest;
import io.stowage.common.proto.RecordNeedle;
import io.stowage.common.proto.RenameObjectReply;
import io.stowage.common.proto.RenameObjectRequest;
import io.stowage.common.proto.RestoreOutcome;
import io.stowage.common.proto.RestoreRowsRequest;
import io.stowage.common.proto.RestoredRow;
import io.stowage.common.proto.SetObjectMetadataRequest;
import io.stowage.common.proto.Versioning;
import io.stowage.common.time.StoreClock;
import io.stowage.om.table.Head;
import io.stowage.om.table.MemoryRowStore;
import io.stowage.om.table.ObjectRowLayout;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.TreeMap;
import org.apache.hadoop.thirdparty.protobuf.ByteString;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * What mutations tell of themselves, by needle headers and record needles, brings a table back as
 * it was: onto an empty one, onto an older state of it, onto itself, and by and by. Histories are
 * random; the rule by which events are put together is docs/format/needle.md's, written down here a
 * second time.
 */
class RestoredVersionsTest {
  private static final String BUCKET = "bucket";
  private static final List<String> KEYS = List.of("a", "b", "c", "d");

  private static final int HISTORIES = Integer.getInteger("stowage.restored.histories", 20);

  private TestOm.Tables tables;
  private TestOm om;
  private Random random;
  private Versioning versioning;
  private int contents;

  /** What lies in containers: of each write its bytes, and what happened to which version. */
  private final Map<ByteString, Manifest> bytes = new HashMap<>();

  /** Lengths of parts, which only the record of the completion tells. */
  private final Map<ByteString, List<Long>> partLengths = new HashMap<>();

  private final List<RestoredRow> events = new ArrayList<>();

  @BeforeEach
  void open() throws Exception {
    tables = TestOm.Tables.inMemory();
    om = new TestOm(tables, new FakeContainers(), StoreClock.system());
  }

  private void createBucket(Versioning state) throws StoreException {
    versioning = state;
    om.om.createBucket(
        CreateBucketRequest.newBuilder()
            .setName(BUCKET)
            .setOwner("owner")
            .setVersioning(state)
            .setWriteId(WriteId.random())
            .build());
  }

  private void set(Versioning state) throws StoreException {
    versioning = state;
    om.setVersioning(BUCKET, state);
  }

  // What happens.

  private void put(String key, int metadataBytes, int extents) throws StoreException {
    String content = "content " + contents++;
    PutObjectRequest request =
        om.putRequest(BUCKET, key, content)
            .setManifest(packed(content.length(), extents))
            .setClockMicros(om.clock.wallMicros())
            .setMetadata(ObjectMetadata.newBuilder().putUser("n", "x".repeat(metadataBytes)))
            .build();
    PutObjectReply reply = om.om.putObject(request);
    bytes.put(request.getWriteId(), named(key, request.getManifest()));
    if (reply.getRecordsCount() == 0) {
      // As a needle's header tells it.
      events.add(
          event(key, request.getClockMicros(), request.getWriteId())
              .setVersion(
                  ObjectVersion.newBuilder()
                      .setWriteId(request.getWriteId())
                      .setVersionId(request.getClockMicros())
                      .setModifiedMicros(request.getClockMicros())
                      .setLength(request.getLength())
                      .setMd5(request.getMd5())
                      .setMetadata(request.getMetadata())
                      .setManifest(bytes.get(request.getWriteId())))
              .build());
    }
    take(reply.getRecordsList());
  }

  private static Manifest packed(long length, int extents) {
    Manifest.Builder manifest = TestOm.manifest(length, extents).toBuilder();
    manifest.getExtentsBuilderList().forEach(extent -> extent.setPacked(extents == 1));
    return manifest.build();
  }

  private Manifest named(String key, Manifest manifest) throws StoreException {
    return manifest.toBuilder().setOriginRow(ObjectRowLayout.row(om.bucketId(BUCKET), key)).build();
  }

  private void upload(String key) throws StoreException {
    ByteString id = om.createUpload(BUCKET, key);
    PutPartRequest part = om.partRequest(BUCKET, key, id, 1, "part " + contents, 5 << 20).build();
    om.om.putPart(part);
    CompleteUploadRequest complete =
        TestOm.completeRequest(BUCKET, key, id, TestOm.named(1, "part " + contents++)).build();
    bytes.put(complete.getWriteId(), named(key, part.getPart().getManifest()));
    take(om.om.completeUpload(complete).getRecordsList());
  }

  /**
   * Deletes.
   *
   * @param id 0: the key
   */
  private void delete(String key, long id) throws StoreException {
    DeleteObjectsRequest request =
        DeleteObjectsRequest.newBuilder()
            .setBucket(BUCKET)
            .addObjects(
                ObjectToDelete.newBuilder()
                    .setKey(key)
                    .setVersionId(id)
                    .setOwner("deleter")
                    .setWriteId(WriteId.random()))
            .build();
    DeleteObjectsReply reply = om.om.deleteObjects(request);
    if (random.nextInt(5) == 0) {
      reply = om.om.deleteObjects(request); // the first answer was lost
    }
    assertEquals(0, reply.getObjects(0).getErrorCode(), reply.toString());
    take(reply.getRecordsList());
  }

  private void rename(String from, String to) throws StoreException {
    RenameObjectRequest request =
        RenameObjectRequest.newBuilder()
            .setBucket(BUCKET)
            .setSource(from)
            .setTarget(to)
            .setOverwrite(true)
            .setWriteId(WriteId.random())
            .build();
    try {
      RenameObjectReply reply = om.om.renameObject(request);
      if (random.nextInt(3) == 0) {
        reply = om.om.renameObject(request); // the first answer was lost
      }
      take(reply.getRecordsList());
    } catch (StoreException e) {
      assertEquals(ErrorCode.NO_SUCH_KEY, e.code(), e.getMessage());
    }
  }

  private void tag(String key, ObjectVersion version) throws StoreException {
    take(
        om.om
            .setObjectMetadata(
                SetObjectMetadataRequest.newBuilder()
                    .setBucket(BUCKET)
                    .setKey(key)
                    .setVersionId(id(version))
                    .setStamp(version.getStamp())
                    .setMetadata(version.getMetadata().toBuilder().putTags("tag", "" + contents++))
                    .build())
            .getRecordsList());
  }

  private static long id(ObjectVersion version) {
    return version.getVersioned() ? version.getVersionId() : Head.NULL_VERSION;
  }

  private void something() throws StoreException {
    String key = KEYS.get(random.nextInt(KEYS.size()));
    List<ListedVersion> all = list(om, key);
    ListedVersion one = all.isEmpty() ? null : all.get(random.nextInt(all.size()));
    switch (random.nextInt(12)) {
      case 0, 1, 2 -> put(key, 5, 1);
      case 3 -> put(key, 1_500, 1 + random.nextInt(20));
      case 4 -> upload(key);
      case 5, 6 -> delete(key, 0);
      case 7, 8 -> {
        if (one != null) {
          delete(key, id(one.getVersion()));
        }
      }
      case 9 -> rename(key, KEYS.get(random.nextInt(KEYS.size())));
      case 10 -> {
        if (one != null && !one.getVersion().getDeleteMarker()) {
          tag(key, get(om, key, one.getVersion()));
        }
      }
      default -> {
        if (versioning == Versioning.UNVERSIONED ? random.nextInt(3) == 0 : random.nextBoolean()) {
          set(versioning == Versioning.ENABLED ? Versioning.SUSPENDED : Versioning.ENABLED);
        }
      }
    }
  }

  // What is told of it.

  private RestoredRow.Builder event(String key, long stamp, ByteString writeId)
      throws StoreException {
    return RestoredRow.newBuilder()
        .setBucketId(om.bucketId(BUCKET))
        .setRowKey(ByteString.copyFromUtf8(key))
        .setStamp(stamp)
        .setWriteId(writeId);
  }

  private void take(List<RecordNeedle> records) throws StoreException {
    for (RecordNeedle record : records) {
      String key = record.getRowKey().toStringUtf8();
      RestoredRow.Builder event = event(key, record.getStamp(), record.getWriteId());
      if (record.getFact().hasDeleted()) {
        events.add(event.setVersionId(record.getFact().getDeleted().getVersionId()).build());
        continue;
      }
      CommittedFact fact = record.getFact().getCommitted();
      ObjectVersion version = fact.getVersion();
      if (!fact.getPartWriteIds().isEmpty()) {
        partLengths.put(version.getWriteId(), version.getPartLengthsList());
      }
      events.add(
          event
              .setVersionId(version.getVersioned() ? version.getVersionId() : 0)
              .setVersion(
                  version.toBuilder()
                      .clearPartLengths()
                      .addAllPartLengths(partLengths.getOrDefault(version.getWriteId(), List.of()))
                      .setManifest(
                          bytes.getOrDefault(version.getWriteId(), Manifest.getDefaultInstance())))
              .build());
      if (!fact.getMovedFrom().isEmpty()) {
        RestoredRow left =
            event(fact.getMovedFrom().toStringUtf8(), fact.getMovedStamp(), record.getWriteId())
                .setVersionId(fact.getMovedVersionId())
                .build();
        events.add(left);
        if (fact.getSourceIsEmpty()) {
          events.add(left.toBuilder().clearVersionId().build());
        }
      }
    }
  }

  /** The last that events say of each slot, rows together, in the order of stamps. */
  private static List<RestoredRow> decided(List<RestoredRow> events) {
    Map<List<Object>, RestoredRow> last = new HashMap<>();
    for (RestoredRow event : events) {
      last.merge(
          List.of(event.getRowKey(), event.getVersionId()),
          event,
          (a, b) -> b.getStamp() > a.getStamp() ? b : a);
    }
    List<RestoredRow> decided = new ArrayList<>(last.values());
    decided.sort(
        Comparator.comparing((RestoredRow row) -> row.getRowKey().toStringUtf8())
            .thenComparing(RestoredRow::getStamp));
    return decided;
  }

  private static List<RestoreOutcome> restore(TestOm into, List<RestoredRow> events)
      throws StoreException {
    List<RestoredRow> decided = decided(events);
    return into.om
        .restoreRows(RestoreRowsRequest.newBuilder().addAllRows(decided).build())
        .getOutcomesList();
  }

  // What there is.

  private static List<ListedVersion> list(TestOm in, String key) throws StoreException {
    ListVersionsReply page =
        in.om.listVersions(
            ListVersionsRequest.newBuilder()
                .setBucket(BUCKET)
                .setPrefix(key)
                .setLimit(1_000)
                .build());
    assertTrue(!page.getMore());
    return page.getVersionsList();
  }

  private static ObjectVersion get(TestOm in, String key, ObjectVersion version)
      throws StoreException {
    return in.om
        .getObject(
            GetObjectRequest.newBuilder()
                .setBucket(BUCKET)
                .setKey(key)
                .setVersionId(id(version))
                .setWantManifest(true)
                .setWantDeleteMarker(true)
                .build())
        .getVersion();
  }

  /** Every version with all that its users can see of it, in the order in which it is listed. */
  private Map<String, List<String>> look(TestOm in) throws Exception {
    Map<String, List<String>> seen = new TreeMap<>();
    for (String key : KEYS) {
      ByteString row = ObjectRowLayout.row(om.bucketId(BUCKET), key);
      VersionsContract.checkRow(in, BUCKET, key);
      List<String> lines = new ArrayList<>();
      for (ListedVersion listed : list(in, key)) {
        ObjectVersion whole = get(in, key, listed.getVersion());
        ObjectVersion.Builder shown = whole.toBuilder().clearStamp();
        if (!whole.getVersioned()) {
          // Of one that its header tells, the writer's clock stands for both.
          shown.clearVersionId().clearModifiedMicros();
        }
        Manifest.Builder manifest = shown.getManifestBuilder();
        if (manifest.getOriginRow().isEmpty() && manifest.getExtentsCount() > 0) {
          manifest.setOriginRow(row);
        }
        lines.add((listed.getLatest() ? "latest " : "") + shown.build());
      }
      seen.put(key, lines);
    }
    return seen;
  }

  private TestOm over(MemoryRowStore objects) {
    return new TestOm(tables.withObjects(objects), new FakeContainers(), StoreClock.system());
  }

  @ParameterizedTest
  @ValueSource(strings = {"UNVERSIONED", "ENABLED", "SUSPENDED"})
  void whatWasToldBringsBackWhatThereWas(String first) throws Exception {
    for (int seed = 0; seed < HISTORIES; seed++) {
      open();
      events.clear();
      bytes.clear();
      random = new Random(seed);
      createBucket(Versioning.valueOf(first));
      int length = 20 + random.nextInt(80);
      int snapshotAt = random.nextInt(length);
      MemoryRowStore snapshot = null;
      for (int i = 0; i < length; i++) {
        if (i == snapshotAt) {
          snapshot = ((MemoryRowStore) tables.objects()).copy();
        }
        something();
      }
      String context = "seed " + seed + " from " + first;
      Map<String, List<String>> before = look(om);

      TestOm empty = over(new MemoryRowStore());
      restore(empty, events);
      assertSame(before, look(empty), context + ", onto nothing");
      assertChangesNothing(empty, before, context + ", a second time");

      TestOm older = over(snapshot);
      restore(older, events);
      assertSame(before, look(older), context + ", onto an older state");
      assertChangesNothing(older, before, context + ", onto an older state, a second time");

      assertChangesNothing(om, before, context + ", onto itself");

      // Half of what there is could not be read the first time; and it was cut short.
      List<RestoredRow> half = new ArrayList<>(events);
      Random coin = new Random(seed);
      half.removeIf(event -> coin.nextBoolean());
      TestOm partial = over(new MemoryRowStore());
      restore(partial, half.subList(0, half.size() / 2));
      look(partial);
      restore(partial, half);
      look(partial);
      restore(partial, events);
      assertSame(before, look(partial), context + ", by and by");
    }
  }

  private void assertChangesNothing(TestOm in, Map<String, List<String>> before, String context)
      throws Exception {
    for (RestoreOutcome outcome : restore(in, events)) {
      assertEquals(RestoreOutcome.RESTORE_KEPT, outcome, context);
    }
    assertSame(before, look(in), context);
  }

  private static void assertSame(
      Map<String, List<String>> expected, Map<String, List<String>> actual, String context) {
    expected.forEach(
        (key, versions) ->
            assertEquals(
                String.join("--\n", versions), String.join("--\n", actual.get(key)), context));
  }
}
