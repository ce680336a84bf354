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
import io.stowage.common.id.WriteId;
import io.stowage.common.proto.Condition;
import io.stowage.common.proto.CreateBucketRequest;
import io.stowage.common.proto.DeleteBucketRequest;
import io.stowage.common.proto.DeleteObjectsRequest;
import io.stowage.common.proto.DeletedObject;
import io.stowage.common.proto.Extent;
import io.stowage.common.proto.ExtentReplacement;
import io.stowage.common.proto.GetObjectRequest;
import io.stowage.common.proto.JudgedNeedle;
import io.stowage.common.proto.ListVersionsReply;
import io.stowage.common.proto.ListVersionsRequest;
import io.stowage.common.proto.ListedVersion;
import io.stowage.common.proto.ObjectMetadata;
import io.stowage.common.proto.ObjectToDelete;
import io.stowage.common.proto.ObjectVersion;
import io.stowage.common.proto.ReplaceExtentsReply;
import io.stowage.common.proto.ReplaceExtentsRequest;
import io.stowage.common.proto.SetObjectMetadataRequest;
import io.stowage.common.proto.Versioning;
import io.stowage.om.table.Cell;
import io.stowage.om.table.Head;
import io.stowage.om.table.HeadState;
import io.stowage.om.table.ObjectRowLayout;
import io.stowage.om.table.Row;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.TreeMap;
import org.apache.hadoop.thirdparty.protobuf.ByteString;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** Buckets that keep versions, over HBase and over its twin. */
abstract class VersionsContract {
  private static final long NULL_VERSION = Head.NULL_VERSION;

  private TestOm om;
  private String bucket;

  abstract TestOm open() throws Exception;

  @BeforeEach
  void createABucket() throws Exception {
    om = open();
    bucket = "v" + System.nanoTime();
    om.om.createBucket(
        CreateBucketRequest.newBuilder()
            .setName(bucket)
            .setOwner("owner")
            .setVersioning(Versioning.ENABLED)
            .setWriteId(WriteId.random())
            .build());
  }

  private void set(Versioning versioning) throws StoreException {
    om.setVersioning(bucket, versioning);
  }

  private ObjectVersion get(String key, long id) throws StoreException {
    try {
      return om.om
          .getObject(
              GetObjectRequest.newBuilder()
                  .setBucket(bucket)
                  .setKey(key)
                  .setVersionId(id)
                  .setWantManifest(true)
                  .setWantDeleteMarker(true)
                  .build())
          .getVersion();
    } catch (StoreException e) {
      assertEquals(id == 0 ? ErrorCode.NO_SUCH_KEY : ErrorCode.NO_SUCH_VERSION, e.code());
      return null;
    }
  }

  private DeletedObject delete(String key, long id, ByteString writeId) throws StoreException {
    DeletedObject deleted =
        om.om
            .deleteObjects(
                DeleteObjectsRequest.newBuilder()
                    .setBucket(bucket)
                    .addObjects(
                        ObjectToDelete.newBuilder()
                            .setKey(key)
                            .setVersionId(id)
                            .setOwner("deleter")
                            .setWriteId(writeId))
                    .build())
            .getObjects(0);
    assertEquals(0, deleted.getErrorCode(), deleted.getErrorMessage());
    return deleted;
  }

  private DeletedObject delete(String key, long id) throws StoreException {
    return delete(key, id, WriteId.random());
  }

  private ListVersionsReply list(ListVersionsRequest.Builder request) throws StoreException {
    return om.om.listVersions(request.setBucket(bucket).build());
  }

  /** One line a version: key, content's MD5 or "-" for a delete marker, null version, latest. */
  private List<String> listed(int pageSize) throws StoreException {
    List<String> lines = new ArrayList<>();
    ListVersionsRequest.Builder request = ListVersionsRequest.newBuilder().setLimit(pageSize);
    while (true) {
      ListVersionsReply page = list(request);
      assertTrue(page.getVersionsCount() <= pageSize);
      for (ListedVersion listed : page.getVersionsList()) {
        lines.add(line(listed.getVersion(), listed.getLatest()));
      }
      if (!page.getMore()) {
        return lines;
      }
      request.setKeyMarker(page.getNextKey()).setVersionIdMarker(page.getNextVersionId());
    }
  }

  private static String line(ObjectVersion version, boolean latest) {
    String content =
        version.getDeleteMarker() ? "-" : Integer.toHexString(version.getMd5().hashCode());
    return version.getKey()
        + " "
        + content
        + (version.getVersioned() ? "" : " null")
        + (latest ? " latest" : "");
  }

  private ByteString row(String key) throws StoreException {
    return ObjectRowLayout.row(om.bucketId(bucket), key);
  }

  /** What a head says of its row's older versions is true. */
  private void checkRow(String key) throws IOException {
    checkRow(om, bucket, key);
  }

  static void checkRow(TestOm om, String bucket, String key) throws IOException {
    Row row = om.objects.getFamilies(ObjectRowLayout.row(om.bucketId(bucket), key), "cv");
    Head head = Head.parseOrNull(row.value(ObjectRowLayout.HEAD));
    List<Head> older = new ArrayList<>();
    for (Cell cell : row.cells()) {
      if (cell.column().family() == 'v') {
        Head one = Head.parse(cell.value());
        assertEquals(ObjectRowLayout.older(one.versionId()), cell.column());
        assertTrue(one.isVersion());
        older.add(one);
      }
    }
    if (head == null || !head.isVersion()) {
      assertTrue(older.isEmpty(), () -> key + " has older versions under " + head);
      return;
    }
    assertEquals(older.size(), head.record().getOlderCount(), key);
    long last = head.versionId();
    long nullVersion = 0;
    for (Head one : older) {
      assertTrue(one.versionId() < last, "newest first");
      assertTrue(one.versionId() <= head.record().getNewestOlder());
      last = one.versionId();
      if (one.isNullVersion()) {
        assertEquals(0, nullVersion, "two null versions");
        nullVersion = one.versionId();
      }
    }
    assertEquals(nullVersion, head.record().getOlderNull(), key);
    assertFalse(head.isNullVersion() && nullVersion != 0, "two null versions");
  }

  @Test
  void keepsWhatIsOverwrittenAndDeleted() throws Exception {
    ObjectVersion one = om.put(bucket, "k", "one");
    ObjectVersion two = om.put(bucket, "k", "two");
    assertTrue(one.getVersioned() && two.getVersionId() > one.getVersionId());
    assertEquals(TestOm.md5("two"), get("k", 0).getMd5());
    ObjectVersion older = get("k", one.getVersionId());
    assertEquals(TestOm.md5("one"), older.getMd5());
    assertEquals(one.getWriteId(), older.getWriteId());
    assertEquals(1, older.getManifest().getExtentsCount());

    DeletedObject marker = delete("k", 0);
    assertTrue(marker.getVersion().getDeleteMarker());
    assertNull(om.get(bucket, "k"));
    assertTrue(om.list(bucket, "", "", "", 10).getObjectsList().isEmpty());
    ObjectVersion current = get("k", 0);
    assertTrue(current.getDeleteMarker());
    assertEquals("deleter", current.getMetadata().getOwner());
    assertTrue(get("k", marker.getVersion().getVersionId()).getDeleteMarker());
    assertEquals(3, listed(2).size());

    DeletedObject undeleted = delete("k", marker.getVersion().getVersionId());
    assertTrue(undeleted.getVersion().getDeleteMarker());
    assertEquals(TestOm.md5("two"), om.get(bucket, "k").getMd5());
    assertEquals(two.getVersionId(), om.get(bucket, "k").getVersionId());
    delete("k", two.getVersionId());
    assertEquals(one.getVersionId(), om.get(bucket, "k").getVersionId());
    delete("k", one.getVersionId());
    assertNull(get("k", 0));
    assertNull(get("k", one.getVersionId()));
    assertEquals(0, delete("k", one.getVersionId()).getStamp());
    assertTrue(listed(10).isEmpty());
    checkRow("k");
  }

  @Test
  void aBucketWithVersionsIsNotEmpty() throws Exception {
    om.put(bucket, "k", "one");
    DeletedObject marker = delete("k", 0);
    DeleteBucketRequest.Builder request = DeleteBucketRequest.newBuilder().setName(bucket);
    for (long id : new long[] {marker.getVersion().getVersionId(), get1("k")}) {
      StoreException refused =
          assertThrows(
              StoreException.class,
              () -> om.om.deleteBucket(request.setWriteId(WriteId.random()).build()));
      assertEquals(ErrorCode.BUCKET_NOT_EMPTY, refused.code());
      delete("k", id);
    }
    om.om.deleteBucket(request.setWriteId(WriteId.random()).build());
  }

  /** Id of a key's oldest version. */
  private long get1(String key) throws StoreException {
    List<ListedVersion> all =
        list(ListVersionsRequest.newBuilder().setPrefix(key)).getVersionsList();
    return all.get(all.size() - 1).getVersion().getVersionId();
  }

  @Test
  void aNullVersionReplacesTheOneBeforeWhereverItIs() throws Exception {
    set(Versioning.SUSPENDED);
    om.put(bucket, "k", "null one");
    set(Versioning.ENABLED);
    ObjectVersion kept = om.put(bucket, "k", "kept");
    assertEquals(TestOm.md5("null one"), get("k", NULL_VERSION).getMd5());
    checkRow("k");
    set(Versioning.SUSPENDED);
    om.put(bucket, "k", "null two");
    checkRow("k");
    assertEquals(2, listed(10).size());
    assertEquals(TestOm.md5("null two"), get("k", NULL_VERSION).getMd5());
    delete("k", 0);
    assertEquals(2, listed(10).size());
    assertTrue(get("k", NULL_VERSION).getDeleteMarker());
    delete("k", NULL_VERSION);
    assertEquals(kept.getVersionId(), om.get(bucket, "k").getVersionId());
    checkRow("k");
  }

  @Test
  void aRequestThatIsRepeatedAnswersAsTheFirstDid() throws Exception {
    set(Versioning.SUSPENDED);
    om.put(bucket, "k", "first");
    ByteString id = WriteId.random();
    DeletedObject first = delete("k", NULL_VERSION, id);
    om.put(bucket, "k", "second");
    assertEquals(first, delete("k", NULL_VERSION, id));
    assertEquals(TestOm.md5("second"), om.get(bucket, "k").getMd5());
    set(Versioning.ENABLED);
    ByteString mark = WriteId.random();
    DeletedObject marked = delete("k", 0, mark);
    om.put(bucket, "k", "third");
    assertEquals(marked, delete("k", 0, mark));
    var put = om.putRequest(bucket, "k", "fourth").build();
    ObjectVersion made = om.om.putObject(put).getVersion();
    om.put(bucket, "k", "fifth");
    assertEquals(made, om.om.putObject(put).getVersion());
    delete("k", made.getVersionId());
    assertEquals(made.getVersionId(), om.om.putObject(put).getVersion().getVersionId());
    assertNull(get("k", made.getVersionId()));
    checkRow("k");
  }

  @Test
  void metadataOfAnOlderVersionChangesThere() throws Exception {
    ObjectVersion one = om.put(bucket, "k", "one");
    om.put(bucket, "k", "two");
    ObjectVersion seen = get("k", one.getVersionId());
    SetObjectMetadataRequest.Builder change =
        SetObjectMetadataRequest.newBuilder()
            .setBucket(bucket)
            .setKey("k")
            .setVersionId(one.getVersionId())
            .setStamp(seen.getStamp())
            .setMetadata(ObjectMetadata.newBuilder().putTags("a", "b"));
    om.om.setObjectMetadata(change.build());
    assertEquals(Map.of("a", "b"), get("k", one.getVersionId()).getMetadata().getTagsMap());
    assertTrue(get("k", 0).getMetadata().getTagsMap().isEmpty());
    assertEquals(
        ErrorCode.CONFLICT,
        assertThrows(StoreException.class, () -> om.om.setObjectMetadata(change.build())).code());
    // One that is too large for its cell, and then for no chunk.
    seen = get("k", one.getVersionId());
    change
        .setStamp(seen.getStamp())
        .setMetadata(ObjectMetadata.newBuilder().putUser("large", "x".repeat(2_000)));
    om.om.setObjectMetadata(change.build());
    assertEquals(
        2_000, get("k", one.getVersionId()).getMetadata().getUserOrThrow("large").length());
    assertEquals(1, om.chunks(row("k")));
    delete("k", 0);
    delete("k", get("k", 0).getVersionId());
    checkRow("k");
  }

  @Test
  void aRenameMovesTheCurrentVersionAndLeavesTheOthersUnderADeleteMarker() throws Exception {
    om.put(bucket, "a", "one");
    ObjectVersion two = om.put(bucket, "a", "two");
    ObjectVersion target = om.put(bucket, "b", "three");
    om.put(bucket, "lonely", "four");
    ByteString id = WriteId.random();
    ObjectVersion renamed = om.rename(bucket, "a", "b", true, id);
    assertTrue(renamed.getVersionId() > target.getVersionId());
    assertEquals(two.getWriteId(), renamed.getWriteId());
    om.rename(bucket, "lonely", "c", false);
    List<String> expected =
        List.of(
            "a - latest",
            "a " + hash("one"),
            "b " + hash("two") + " latest",
            "b " + hash("three"),
            "c " + hash("four") + " latest");
    assertEquals(expected, listed(10));
    assertEquals(expected, listed(1));
    assertEquals(renamed.getVersionId(), om.rename(bucket, "a", "b", true, id).getVersionId());
    assertEquals(expected, listed(10));
    for (String key : List.of("a", "b", "c", "lonely")) {
      checkRow(key);
    }
    // The needles still name where they were written; a version in v is found to hold them.
    om.put(bucket, "b", "five");
    Extent extent = get("b", renamed.getVersionId()).getManifest().getExtents(0);
    JudgedNeedle judged = om.judge(row("a"), extent);
    assertFalse(judged.getDead());
    assertEquals(row("b"), judged.getHolders(0).getRow());
    assertEquals(renamed.getVersionId(), judged.getHolders(0).getVersionId());
  }

  private static String hash(String content) {
    return Integer.toHexString(TestOm.md5(content).hashCode());
  }

  @Test
  void needlesOfOlderVersionsLiveAndMove() throws Exception {
    ObjectVersion one = om.put(bucket, "k", "one");
    om.put(bucket, "k", "two");
    Extent extent = get("k", one.getVersionId()).getManifest().getExtents(0);
    JudgedNeedle judged = om.judge(row("k"), extent);
    assertEquals(1, judged.getHoldersCount());
    Extent elsewhere = TestOm.manifest(3, 1).getExtents(0);
    ReplaceExtentsRequest swap =
        ReplaceExtentsRequest.newBuilder()
            .setRow(row("k"))
            .setVersionId(judged.getHolders(0).getVersionId())
            .addReplacements(ExtentReplacement.newBuilder().setFrom(extent).addTo(elsewhere))
            .addGrants(om.grant())
            .build();
    for (int i = 0; i < 2; i++) { // and again
      assertEquals(ReplaceExtentsReply.Outcome.REPLACED, om.om.replaceExtents(swap).getOutcome());
    }
    assertEquals(elsewhere, get("k", one.getVersionId()).getManifest().getExtents(0));
    assertEquals(one.getVersionId(), get("k", one.getVersionId()).getVersionId());
    assertTrue(om.judge(row("k"), extent).getDead());
    delete("k", one.getVersionId());
    assertTrue(om.judge(row("k"), elsewhere).getDead());
    assertEquals(ReplaceExtentsReply.Outcome.CHANGED, om.om.replaceExtents(swap).getOutcome());
    checkRow("k");
  }

  @Test
  void conditionsGoByTheVersionThatIsCurrent() throws Exception {
    om.put(bucket, "k", "one");
    assertEquals(
        ErrorCode.PRECONDITION_FAILED,
        assertThrows(StoreException.class, () -> om.putIfAbsent(bucket, "k", "two")).code());
    delete("k", 0);
    om.putIfAbsent(bucket, "k", "two");
    DeletedObject refused =
        om.om
            .deleteObjects(
                DeleteObjectsRequest.newBuilder()
                    .setBucket(bucket)
                    .addObjects(
                        ObjectToDelete.newBuilder()
                            .setKey("k")
                            .setWriteId(WriteId.random())
                            .setCondition(Condition.newBuilder().setIfMatchEtag("other")))
                    .build())
            .getObjects(0);
    assertEquals(ErrorCode.PRECONDITION_FAILED.number(), refused.getErrorCode());
    assertEquals(3, listed(10).size());
  }

  @Test
  void listsPagesOfEveryLengthAlike() throws Exception {
    for (int i = 0; i < 25; i++) {
      om.put(bucket, "many", "m" + i);
    }
    for (String key : List.of("d/1", "d/2", "a", "z/1")) {
      om.put(bucket, key, key);
      om.put(bucket, key, key + key);
    }
    List<String> all = listed(1_000);
    assertEquals(33, all.size());
    for (int size : new int[] {1, 2, 3, 7, 24, 25, 26, 32, 33}) {
      assertEquals(all, listed(size));
    }
    ListVersionsReply folded = list(ListVersionsRequest.newBuilder().setDelimiter("/").setLimit(4));
    assertEquals(List.of("d/"), folded.getCommonPrefixesList());
    assertEquals(3, folded.getVersionsCount());
    assertTrue(folded.getMore());
    folded =
        list(
            ListVersionsRequest.newBuilder()
                .setDelimiter("/")
                .setKeyMarker("many")
                .setVersionIdMarker(get1("many")));
    assertEquals(List.of("z/"), folded.getCommonPrefixesList());
    assertEquals(0, folded.getVersionsCount());
    folded = list(ListVersionsRequest.newBuilder().setDelimiter("/").setKeyMarker("d/"));
    assertEquals(25, folded.getVersionsCount());
    assertEquals(4, list(ListVersionsRequest.newBuilder().setPrefix("d/")).getVersionsCount());
  }

  /** What a key holds, newest first. */
  private record Model(String content, boolean versioned, long id) {
    String line(String key, boolean latest) {
      return key
          + " "
          + (content == null ? "-" : hash(content))
          + (versioned ? "" : " null")
          + (latest ? " latest" : "");
    }
  }

  @Test
  void whateverIsDoneInWhateverOrderTheRowsAreAsAModelSays() throws Exception {
    long seed = new Random().nextLong();
    Random random = new Random(seed);
    TreeMap<String, List<Model>> model = new TreeMap<>();
    List<String> keys = List.of("a", "b", "c");
    keys.forEach(key -> model.put(key, new ArrayList<>()));
    Versioning versioning = Versioning.ENABLED;
    for (int i = 0; i < operations(); i++) {
      String key = keys.get(random.nextInt(keys.size()));
      List<Model> versions = model.get(key);
      boolean versioned = versioning == Versioning.ENABLED;
      switch (random.nextInt(12)) {
        case 0, 1, 2, 3 -> {
          String content = "content " + i;
          push(
              versions, new Model(content, versioned, om.put(bucket, key, content).getVersionId()));
        }
        case 4, 5 ->
            push(versions, new Model(null, versioned, delete(key, 0).getVersion().getVersionId()));
        case 6, 7, 8 -> {
          if (!versions.isEmpty()) {
            Model gone = versions.remove(random.nextInt(Math.min(3, versions.size())));
            long id = gone.versioned() || random.nextBoolean() ? gone.id() : NULL_VERSION;
            assertEquals(gone.id(), delete(key, id).getVersion().getVersionId());
          }
        }
        case 9 -> {
          boolean isNullThere = versions.removeIf(version -> !version.versioned());
          assertEquals(isNullThere, delete(key, NULL_VERSION).getStamp() != 0);
        }
        case 10 -> {
          String target = keys.get(random.nextInt(keys.size()));
          if (!versions.isEmpty() && versions.get(0).content() != null && !target.equals(key)) {
            Model moved = versions.remove(0);
            long id = om.rename(bucket, key, target, true).getVersionId();
            push(model.get(target), new Model(moved.content(), versioned, id));
            if (!versioned) {
              versions.removeIf(version -> !version.versioned());
            }
            if (!versions.isEmpty()) {
              long marker =
                  list(ListVersionsRequest.newBuilder().setPrefix(key).setLimit(1))
                      .getVersions(0)
                      .getVersion()
                      .getVersionId();
              push(versions, new Model(null, versioned, marker));
            }
          }
        }
        default -> {
          if (random.nextInt(4) == 0) {
            versioning = versioned ? Versioning.SUSPENDED : Versioning.ENABLED;
            set(versioning);
          }
        }
      }
      List<String> expected = new ArrayList<>();
      model.forEach(
          (name, of) -> {
            for (int place = 0; place < of.size(); place++) {
              expected.add(of.get(place).line(name, place == 0));
            }
          });
      assertEquals(expected, listed(1 + random.nextInt(12)), "operation " + i + ", seed " + seed);
      checkRow(key);
      for (Model version : versions) {
        ObjectVersion found = get(key, version.versioned() ? version.id() : NULL_VERSION);
        assertNotNull(found);
        assertEquals(version.id(), found.getVersionId());
      }
    }
  }

  /** How many; each is followed by a handful of reads. */
  abstract int operations();

  private static void push(List<Model> versions, Model added) {
    if (!added.versioned()) {
      versions.removeIf(version -> !version.versioned());
    }
    versions.add(0, added);
  }

  @Test
  void anUnversionedBucketThatIsEnabledKeepsWhatItHadAsNullVersions() throws Exception {
    String plain = "p" + System.nanoTime();
    om.createBucket(plain);
    bucket = plain;
    om.put(bucket, "k", "before");
    assertEquals(TestOm.md5("before"), get("k", NULL_VERSION).getMd5());
    assertEquals(List.of("k " + hash("before") + " null latest"), listed(10));
    set(Versioning.ENABLED);
    om.put(bucket, "k", "after");
    assertEquals(
        List.of("k " + hash("after") + " latest", "k " + hash("before") + " null"), listed(10));
    delete("k", NULL_VERSION);
    assertEquals(1, listed(10).size());
    checkRow("k");
    assertEquals(
        HeadState.LIVE,
        Head.parse(om.objects.getFamilies(row("k"), "c").value(ObjectRowLayout.HEAD)).state());
  }
}
