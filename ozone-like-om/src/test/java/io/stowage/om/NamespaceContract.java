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
import io.stowage.common.event.EventRules;
import io.stowage.common.id.WriteId;
import io.stowage.common.om.BucketEncryption;
import io.stowage.common.proto.BucketInfo;
import io.stowage.common.proto.ClaimDutyRequest;
import io.stowage.common.proto.ClearEventsRequest;
import io.stowage.common.proto.Condition;
import io.stowage.common.proto.CreateBucketRequest;
import io.stowage.common.proto.CreateUploadRequest;
import io.stowage.common.proto.CreateUserRequest;
import io.stowage.common.proto.DeleteBucketRequest;
import io.stowage.common.proto.DeleteObjectsReply;
import io.stowage.common.proto.DeleteObjectsRequest;
import io.stowage.common.proto.DeleteUserRequest;
import io.stowage.common.proto.Encryption;
import io.stowage.common.proto.EncryptionMode;
import io.stowage.common.proto.Entity;
import io.stowage.common.proto.EntityKind;
import io.stowage.common.proto.EventNote;
import io.stowage.common.proto.EventRecord;
import io.stowage.common.proto.EventRef;
import io.stowage.common.proto.EventRule;
import io.stowage.common.proto.EventRuleSet;
import io.stowage.common.proto.EventTarget;
import io.stowage.common.proto.FindPathReply;
import io.stowage.common.proto.FindPathRequest;
import io.stowage.common.proto.GetBucketRequest;
import io.stowage.common.proto.GetEntityRequest;
import io.stowage.common.proto.GetIdentityRequest;
import io.stowage.common.proto.GetObjectReply;
import io.stowage.common.proto.GetObjectRequest;
import io.stowage.common.proto.Identity;
import io.stowage.common.proto.ListBucketsRequest;
import io.stowage.common.proto.ListEntitiesRequest;
import io.stowage.common.proto.ListObjectsReply;
import io.stowage.common.proto.ListUsersRequest;
import io.stowage.common.proto.ObjectMetadata;
import io.stowage.common.proto.ObjectToDelete;
import io.stowage.common.proto.ObjectVersion;
import io.stowage.common.proto.PutEntityRequest;
import io.stowage.common.proto.PutIdentityRequest;
import io.stowage.common.proto.PutObjectRequest;
import io.stowage.common.proto.ScanEventsReply;
import io.stowage.common.proto.ScanEventsRequest;
import io.stowage.common.proto.SetObjectMetadataRequest;
import io.stowage.common.proto.UpdateBucketRequest;
import io.stowage.common.proto.UpdateUserRequest;
import io.stowage.common.proto.User;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.apache.hadoop.thirdparty.protobuf.ByteString;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.function.Executable;

/** Buckets, keys and identities as users meet them, over HBase and over its twin. */
abstract class NamespaceContract {
  private TestOm om;
  private String bucket;

  abstract TestOm open() throws Exception;

  @BeforeEach
  void createABucket() throws Exception {
    om = open();
    bucket = "b" + System.nanoTime();
    om.createBucket(bucket);
  }

  /** A client that knows nothing of encryption may not store plain bytes where it is the rule. */
  @Test
  void aBucketThatEncryptsByDefaultTakesNothingPlain() throws StoreException {
    om.om.updateBucket(
        UpdateBucketRequest.newBuilder()
            .setName(bucket)
            .putPut(
                BucketEncryption.SETTING,
                ByteString.copyFromUtf8("<SSEAlgorithm>AES256</SSEAlgorithm>"))
            .setWriteId(WriteId.random())
            .build());
    PutObjectRequest plain = om.putRequest(bucket, "k", "content").build();
    fails(ErrorCode.ACCESS_DENIED, () -> om.om.putObject(plain));
    CreateUploadRequest upload =
        CreateUploadRequest.newBuilder()
            .setBucket(bucket)
            .setKey("k")
            .setWriteId(WriteId.random())
            .build();
    fails(ErrorCode.ACCESS_DENIED, () -> om.om.createUpload(upload));
    assertNull(om.get(bucket, "k"));
    ObjectMetadata encrypted =
        ObjectMetadata.newBuilder()
            .setEncryption(Encryption.newBuilder().setMode(EncryptionMode.SSE_S3))
            .build();
    om.om.putObject(plain.toBuilder().setMetadata(encrypted).build());
    om.om.putObject(om.putRequest(bucket, "decided", "content").setEncryptionDecided(true).build());
    om.om.putObject(om.putRequest(bucket, "directory/", "").setLength(0).build());
    om.om.createUpload(upload.toBuilder().setEncryptionDecided(true).build());
  }

  @Test
  void readsBackWhatWasPut() throws StoreException {
    PutObjectRequest request =
        om.putRequest(bucket, "a/ключ", "content")
            .setMetadata(ObjectMetadata.newBuilder().putHeaders("content-type", "text/plain"))
            .build();
    ObjectVersion put = om.om.putObject(request).getVersion();
    assertFalse(put.hasManifest());
    GetObjectReply reply =
        om.om.getObject(
            GetObjectRequest.newBuilder()
                .setBucket(bucket)
                .setKey("a/ключ")
                .setWantManifest(true)
                .build());
    ObjectVersion got = reply.getVersion();
    assertEquals(request.getManifest(), got.getManifest());
    assertEquals(request.getMd5(), got.getMd5());
    assertEquals(request.getMetadata(), got.getMetadata());
    assertEquals(request.getWriteId(), got.getWriteId());
    assertEquals(put.getStamp(), got.getStamp());
    assertEquals(put.getStamp(), got.getVersionId());
    assertEquals("a/ключ", got.getKey());
    assertEquals(7, reply.getContainers(0).getId());
    assertEquals(0, head("a/ключ").getManifest().getExtentsCount());
  }

  private ObjectVersion head(String key) throws StoreException {
    return om.om
        .getObject(GetObjectRequest.newBuilder().setBucket(bucket).setKey(key).build())
        .getVersion();
  }

  @Test
  void anOverwriteWinsAndADeletionHides() throws StoreException {
    ObjectVersion first = om.put(bucket, "k", "one");
    ObjectVersion second = om.put(bucket, "k", "two");
    assertTrue(second.getStamp() > first.getStamp());
    assertEquals(TestOm.md5("two"), om.get(bucket, "k").getMd5());
    assertTrue(om.delete(bucket, "k").getStamp() > second.getStamp());
    assertNull(om.get(bucket, "k"));
    assertEquals(0, om.delete(bucket, "k").getStamp());
    om.put(bucket, "k", "three");
    assertEquals(TestOm.md5("three"), om.get(bucket, "k").getMd5());
  }

  @Test
  void aRepeatedPutAnswersAsTheFirstAndChangesNothing() throws StoreException {
    PutObjectRequest request = om.putRequest(bucket, "k", "one").build();
    ObjectVersion first = om.om.putObject(request).getVersion();
    assertEquals(first, om.om.putObject(request).getVersion());
    om.put(bucket, "k", "two");
    assertEquals(first, om.om.putObject(request).getVersion());
    assertEquals(TestOm.md5("two"), om.get(bucket, "k").getMd5());
    om.delete(bucket, "k");
    assertEquals(first, om.om.putObject(request).getVersion());
    assertNull(om.get(bucket, "k"));
  }

  @Test
  void aRepeatedDeletionAnswersAsTheFirstAndSparesWhatCameLater() throws StoreException {
    om.put(bucket, "k", "one");
    ByteString id = WriteId.random();
    long stamp = om.delete(bucket, "k", id).getStamp();
    assertEquals(stamp, om.delete(bucket, "k", id).getStamp());
    om.put(bucket, "k", "two");
    assertEquals(stamp, om.delete(bucket, "k", id).getStamp());
    assertNotNull(om.get(bucket, "k"));
  }

  @Test
  void conditionsAreKept() throws StoreException {
    ObjectVersion one = om.putIfAbsent(bucket, "k", "one");
    fails(ErrorCode.PRECONDITION_FAILED, () -> om.putIfAbsent(bucket, "k", "x"));
    String etag = java.util.HexFormat.of().formatHex(TestOm.md5("one").toByteArray());
    om.om.putObject(
        om.putRequest(bucket, "k", "two")
            .setCondition(Condition.newBuilder().setIfMatchEtag(etag))
            .build());
    PutObjectRequest stale =
        om.putRequest(bucket, "k", "x")
            .setCondition(Condition.newBuilder().setIfMatchEtag(etag))
            .build();
    fails(ErrorCode.PRECONDITION_FAILED, () -> om.om.putObject(stale));
    fails(
        ErrorCode.PRECONDITION_FAILED,
        () ->
            om.om.putObject(
                om.putRequest(bucket, "k", "x")
                    .setCondition(Condition.newBuilder().setIfVersionId(one.getVersionId()))
                    .build()));
    om.delete(bucket, "k");
    om.putIfAbsent(bucket, "k", "three");
    assertEquals(TestOm.md5("three"), om.get(bucket, "k").getMd5());
  }

  @Test
  void largeManifestsAndMetadataLieInChunks() throws StoreException {
    ObjectMetadata.Builder metadata = ObjectMetadata.newBuilder();
    metadata.putUser("long", "x".repeat(2_000));
    for (int extents : new int[] {1, 9, 40_000}) {
      String key = "large" + extents;
      PutObjectRequest request =
          om.putRequest(bucket, key, "content")
              .setManifest(TestOm.manifest(7, extents))
              .setMetadata(metadata)
              .build();
      om.om.putObject(request);
      assertEquals(request.getManifest(), om.get(bucket, key).getManifest());
      assertEquals(metadata.build(), om.get(bucket, key).getMetadata());
      assertEquals(metadata.build(), head(key).getMetadata());
      om.om.putObject(request);
      om.put(bucket, key, "small");
      assertEquals(1, om.get(bucket, key).getManifest().getExtentsCount());
    }
  }

  private FindPathRequest.Builder pathRequest(String path) {
    return FindPathRequest.newBuilder().setBucket(bucket).setPath(path);
  }

  private String kindOf(String path) throws StoreException {
    FindPathReply found = om.om.findPath(pathRequest(path).setWantAbsence(true).build());
    if (found.getAbsent()) {
      fails(ErrorCode.NO_SUCH_KEY, () -> om.om.findPath(pathRequest(path).build()));
      assertEquals(FindPathReply.newBuilder().setAbsent(true).build(), found);
      return "nothing";
    }
    assertEquals(found, om.om.findPath(pathRequest(path).build()));
    String said = found.hasVersion() ? found.getVersion().getKey() : "nothing said";
    return (found.getDirectory() ? "directory, " : "file, ") + said;
  }

  @Test
  void aPathIsWhatKeysMakeOfIt() throws StoreException {
    assertEquals("directory, nothing said", kindOf(""));
    om.put(bucket, "a", "content");
    om.put(bucket, "a.txt", "sorts between a file and what is below its name");
    om.put(bucket, "b.txt", "content");
    om.put(bucket, "b/c/d", "content");
    om.put(bucket, "e/", "");
    om.put(bucket, "e/f", "content");
    om.put(bucket, "gone/f", "content");
    om.delete(bucket, "gone/f");
    assertEquals("file, a", kindOf("a"));
    assertEquals("file, b/c/d", kindOf("b/c/d"));
    assertEquals("directory, nothing said", kindOf("b"));
    assertEquals("directory, nothing said", kindOf("b/c"));
    assertEquals("directory, e/", kindOf("e"));
    for (String nothing : List.of("a/b", "b/c/d/e", "b/", "gone", "gone/f", "e/g", "z")) {
      assertEquals("nothing", kindOf(nothing), nothing);
    }
    om.put(bucket, "a/b", "content");
    assertEquals("file, a", kindOf("a"), "which hides the directory");
  }

  @Test
  void allThatAPathSaysOfItselfIsToldToWhoWantsIt() throws StoreException {
    ObjectMetadata metadata =
        ObjectMetadata.newBuilder().setOwner("ann").putUser("long", "x".repeat(2_000)).build();
    om.om.putObject(
        om.putRequest(bucket, "k", "content")
            .setManifest(TestOm.manifest(7, 9))
            .setMetadata(metadata)
            .build());
    ObjectVersion bare = om.om.findPath(pathRequest("k").build()).getVersion();
    assertEquals(ObjectMetadata.getDefaultInstance(), bare.getMetadata());
    ObjectVersion all = om.om.findPath(pathRequest("k").setWantAll(true).build()).getVersion();
    assertEquals(head("k"), all);
    assertEquals(metadata, all.getMetadata());
  }

  @Test
  void aPinnedReadEndsWhereAnotherVersionBegins() throws StoreException {
    ObjectVersion one = om.put(bucket, "k", "one");
    GetObjectRequest pinned =
        GetObjectRequest.newBuilder()
            .setBucket(bucket)
            .setKey("k")
            .setWantManifest(true)
            .setPinnedStamp(one.getStamp())
            .setPinnedWriteId(one.getWriteId())
            .build();
    om.om.getObject(pinned);
    om.put(bucket, "k", "two");
    fails(ErrorCode.PRECONDITION_FAILED, () -> om.om.getObject(pinned));
    om.delete(bucket, "k");
    fails(ErrorCode.NO_SUCH_KEY, () -> om.om.getObject(pinned)); // as who may not list hears it
  }

  @Test
  void listsInOrderOfUtf8WithDelimiterAndPages() throws StoreException {
    for (int i = 0; i < 60; i++) {
      om.put(bucket, String.format("dir%d/%03d", i % 3, i), "x");
    }
    for (String key : List.of("a", "dir", "dir1", "z/", "é", "\uD83D\uDE00", "\uFFFD")) {
      om.put(bucket, key, "x");
    }
    om.put(bucket, "gone/1", "x");
    om.delete(bucket, "gone/1");
    for (int limit : new int[] {1, 2, 3, 100}) {
      List<String> found = pages("", "/", limit);
      assertEquals(
          List.of(
              "a", "dir", "dir0/", "dir1", "dir1/", "dir2/", "z/", "é", "\uFFFD", "\uD83D\uDE00"),
          found);
    }
    assertEquals(20, pages("dir1/", "/", 7).size());
    assertEquals(67, pages("", "", 13).size());
    assertEquals(List.of("dir0/", "dir1", "dir1/"), pages("dir", "/", 5).subList(1, 4));
    assertEquals(0, pages("nothing", "/", 5).size());
  }

  private List<String> pages(String prefix, String delimiter, int limit) throws StoreException {
    List<String> all = new ArrayList<>();
    String after = "";
    while (true) {
      ListObjectsReply page = om.list(bucket, prefix, delimiter, after, limit);
      List<String> found = new ArrayList<>(page.getCommonPrefixesList());
      page.getObjectsList().forEach(version -> found.add(version.getKey()));
      assertTrue(found.size() <= limit);
      found.sort(
          (a, b) ->
              ByteString.unsignedLexicographicalComparator()
                  .compare(ByteString.copyFromUtf8(a), ByteString.copyFromUtf8(b)));
      all.addAll(found);
      if (!page.getMore()) {
        return all;
      }
      assertEquals(limit, found.size());
      assertEquals(found.get(found.size() - 1), page.getLast());
      after = page.getLast();
    }
  }

  @Test
  void deletesManyAtOnceInOrder() throws StoreException {
    DeleteObjectsRequest.Builder request = DeleteObjectsRequest.newBuilder().setBucket(bucket);
    for (int i = 0; i < 100; i++) {
      if (i % 2 == 0) {
        om.put(bucket, "k" + i, "x");
      }
      request.addObjects(ObjectToDelete.newBuilder().setKey("k" + i).setWriteId(WriteId.random()));
    }
    DeleteObjectsReply reply = om.om.deleteObjects(request.build());
    for (int i = 0; i < 100; i++) {
      assertEquals("k" + i, reply.getObjects(i).getKey());
      assertEquals(i % 2 == 0, reply.getObjects(i).getStamp() != 0);
      assertEquals(0, reply.getObjects(i).getErrorCode());
    }
    assertEquals(0, om.list(bucket, "", "", "", 0).getObjectsCount());
  }

  @Test
  void aRenameMovesOneVersionAndKeepsIt() throws StoreException {
    ObjectVersion put = om.put(bucket, "from", "content");
    ObjectVersion before = om.get(bucket, "from");
    ByteString id = WriteId.random();
    ObjectVersion renamed = om.rename(bucket, "from", "to", false, id);
    assertEquals("to", renamed.getKey());
    assertNull(om.get(bucket, "from"));
    ObjectVersion got = om.get(bucket, "to");
    assertEquals(put.getVersionId(), got.getVersionId());
    assertEquals(put.getWriteId(), got.getWriteId());
    assertEquals(before.getManifest().getExtentsList(), got.getManifest().getExtentsList());
    assertFalse(got.getManifest().getOriginRow().isEmpty());
    assertEquals(renamed, om.rename(bucket, "from", "to", false, id));
    om.put(bucket, "from", "new");
    assertEquals(renamed, om.rename(bucket, "from", "to", false, id));
    assertEquals(TestOm.md5("new"), om.get(bucket, "from").getMd5());
    om.rename(bucket, "to", "third", false);
    om.delete(bucket, "from");
    om.rename(bucket, "third", "from", false);
    assertTrue(om.get(bucket, "from").getManifest().getOriginRow().isEmpty());
  }

  @Test
  void aPutWhoseBytesWereNotHashedIsOfOnePart() throws StoreException {
    ByteString id = WriteId.random();
    PutObjectRequest request =
        om.putRequest(bucket, "k", "content")
            .setWriteId(id)
            .setMd5(WriteId.mark(id, 7))
            .setUnhashed(true)
            .build();
    PutObjectRequest md5 = request.toBuilder().setMd5(TestOm.md5("content")).build();
    fails(ErrorCode.INVALID_ARGUMENT, () -> om.om.putObject(md5));
    PutObjectRequest nothing =
        om.putRequest(bucket, "k", "")
            .setWriteId(id)
            .setMd5(WriteId.mark(id, 0))
            .setUnhashed(true)
            .build();
    fails(ErrorCode.INVALID_ARGUMENT, () -> om.om.putObject(nothing));
    ObjectVersion put = om.om.putObject(request).getVersion();
    assertEquals(1, put.getPartCount());
    assertEquals(put, om.om.putObject(request).getVersion());
    ObjectVersion got = om.get(bucket, "k");
    assertEquals(WriteId.mark(id, 7), got.getMd5());
    assertEquals(1, got.getPartCount());
    assertEquals(List.of(7L), got.getPartLengthsList());
    assertEquals(id, got.getPartWriteIds());
    assertEquals(1, om.list(bucket, "", "", "", 1).getObjects(0).getPartCount());
    String etag = WriteId.toHex(got.getMd5());
    fails(ErrorCode.PRECONDITION_FAILED, () -> om.om.putObject(putIfMatch("k", etag)));
    om.rename(bucket, "k", "moved", false);
    got = om.get(bucket, "moved");
    assertEquals(List.of(7L), got.getPartLengthsList());
    assertEquals(id, got.getPartWriteIds());
    om.om.putObject(putIfMatch("moved", etag + "-1"));
    assertEquals(TestOm.md5("other"), om.get(bucket, "moved").getMd5());
    assertEquals(0, om.get(bucket, "moved").getPartCount());
  }

  private PutObjectRequest putIfMatch(String key, String etag) {
    return om.putRequest(bucket, key, "other")
        .setCondition(Condition.newBuilder().setIfMatchEtag(etag))
        .build();
  }

  @Test
  void aRenameRespectsItsTarget() throws StoreException {
    om.put(bucket, "a", "one");
    om.put(bucket, "b", "two");
    fails(ErrorCode.KEY_EXISTS, () -> om.rename(bucket, "a", "b", false));
    om.rename(bucket, "a", "b", true);
    assertEquals(TestOm.md5("one"), om.get(bucket, "b").getMd5());
    fails(ErrorCode.NO_SUCH_KEY, () -> om.rename(bucket, "a", "b", true));
    om.delete(bucket, "b");
    fails(ErrorCode.NO_SUCH_KEY, () -> om.rename(bucket, "b", "a", true));
  }

  @Test
  void aRenameCarriesChunksAlong() throws StoreException {
    PutObjectRequest request =
        om.putRequest(bucket, "from", "content").setManifest(TestOm.manifest(7, 500)).build();
    om.om.putObject(request);
    om.rename(bucket, "from", "to", false);
    assertEquals(
        request.getManifest().getExtentsList(),
        om.get(bucket, "to").getManifest().getExtentsList());
  }

  @Test
  void usersHaveKeysThatCountWhileTheyAreListed() throws StoreException {
    String name = "user-" + bucket;
    String key = "KEY" + bucket;
    CreateUserRequest create =
        CreateUserRequest.newBuilder()
            .setUser(User.newBuilder().setName(name).setEmail("u@example.com").setAdmin(true))
            .setAccessKey(key)
            .setSecretKey("s1")
            .setWriteId(WriteId.random())
            .build();
    User user = om.om.createUser(create).getUser();
    assertEquals(user, om.om.createUser(create).getUser());
    fails(
        ErrorCode.KEY_EXISTS,
        () -> om.om.createUser(create.toBuilder().setWriteId(WriteId.random()).build()));
    fails(
        ErrorCode.KEY_EXISTS,
        () ->
            om.om.createUser(
                create.toBuilder()
                    .setUser(User.newBuilder().setName(name + "2"))
                    .setWriteId(WriteId.random())
                    .build()));
    for (String noKey : List.of(" user root", "a b", "\0token-key/1", "\u00e4", "k".repeat(129))) {
      fails(
          ErrorCode.INVALID_ARGUMENT,
          () ->
              om.om.updateUser(
                  UpdateUserRequest.newBuilder()
                      .setName(name)
                      .addAddKeys(Identity.newBuilder().setAccessKey(noKey).setSecretKey("s"))
                      .build()));
      fails(ErrorCode.ACCESS_DENIED, () -> identity(noKey));
    }
    Identity identity = identity(key);
    assertEquals(user.getCanonicalId(), identity.getUser());
    assertEquals("s1", identity.getSecretKey());
    assertTrue(identity.getAdmin());

    om.om.updateUser(
        UpdateUserRequest.newBuilder()
            .setName(name)
            .addAddKeys(Identity.newBuilder().setAccessKey(key + "2").setSecretKey("s2"))
            .addRemoveKeys(key)
            .putPutPolicies("p", "{}")
            .build());
    fails(ErrorCode.ACCESS_DENIED, () -> identity(key));
    assertEquals(Map.of("p", "{}"), identity(key + "2").getPoliciesMap());
    assertEquals(
        List.of(key + "2"),
        om
            .om
            .listUsers(ListUsersRequest.newBuilder().setAfter("user").build())
            .getUsersList()
            .stream()
            .filter(u -> u.getName().equals(name))
            .flatMap(u -> u.getAccessKeysList().stream())
            .toList());

    om.om.deleteUser(DeleteUserRequest.newBuilder().setName(name).build());
    fails(ErrorCode.ACCESS_DENIED, () -> identity(key + "2"));
    fails(
        ErrorCode.NO_SUCH_KEY,
        () -> om.om.deleteUser(DeleteUserRequest.newBuilder().setName(name).build()));
    om.om.createUser(create.toBuilder().setWriteId(WriteId.random()).build());
    assertEquals("s1", identity(key).getSecretKey());
  }

  private Identity identity(String accessKey) throws StoreException {
    return om.om
        .getIdentity(GetIdentityRequest.newBuilder().setAccessKey(accessKey).build())
        .getIdentity();
  }

  @Test
  void metadataChangeWithoutTheVersionBecomingAnother() throws StoreException {
    PutObjectRequest put =
        om.putRequest(bucket, "k", "content").setManifest(TestOm.manifest(7, 500)).build();
    om.om.putObject(put);
    ObjectVersion before = om.get(bucket, "k");
    SetObjectMetadataRequest change =
        SetObjectMetadataRequest.newBuilder()
            .setBucket(bucket)
            .setKey("k")
            .setStamp(before.getStamp())
            .setMetadata(before.getMetadata().toBuilder().putTags("a", "b"))
            .build();
    om.om.setObjectMetadata(change);
    ObjectVersion after = om.get(bucket, "k");
    assertEquals(
        before.toBuilder().setMetadata(change.getMetadata()).setStamp(after.getStamp()).build(),
        after);
    assertTrue(after.getStamp() > before.getStamp());
    fails(ErrorCode.CONFLICT, () -> om.om.setObjectMetadata(change));
    assertEquals(before.getVersionId(), om.om.putObject(put).getVersion().getVersionId());
    om.delete(bucket, "k");
    fails(ErrorCode.NO_SUCH_KEY, () -> om.om.setObjectMetadata(change));
  }

  @Test
  void settingsOfABucketChangeByThemselvesAndOnlyFromWhatWasSeen() throws StoreException {
    ByteString creation = WriteId.random();
    CreateBucketRequest create =
        CreateBucketRequest.newBuilder()
            .setName(bucket + "-set")
            .setOwner("o")
            .setWriteId(creation)
            .putSettings("acl", ByteString.copyFromUtf8("private"))
            .build();
    long id = om.om.createBucket(create).getBucket().getId();
    UpdateBucketRequest first =
        UpdateBucketRequest.newBuilder()
            .setName(create.getName())
            .setWriteId(WriteId.random())
            .putPut("cors", ByteString.copyFromUtf8("one"))
            .setPolicy("rs-6-3")
            .build();
    om.om.updateBucket(first);
    BucketInfo changed = om.om.updateBucket(first).getBucket();
    assertEquals("rs-6-3", changed.getPolicy());
    assertEquals(2, changed.getSettingsCount());
    fails(
        ErrorCode.PRECONDITION_FAILED,
        () ->
            om.om.updateBucket(
                first.toBuilder()
                    .setWriteId(WriteId.random())
                    .putOnlyIf("cors", ByteString.EMPTY)
                    .build()));
    om.om.updateBucket(
        UpdateBucketRequest.newBuilder()
            .setName(create.getName())
            .setWriteId(WriteId.random())
            .addRemove("acl")
            .putOnlyIf("cors", ByteString.copyFromUtf8("one"))
            .build());
    BucketInfo now =
        om.om
            .getBucket(GetBucketRequest.newBuilder().setName(create.getName()).build())
            .getBucket();
    assertEquals(Set.of("cors"), now.getSettingsMap().keySet());
    assertEquals(id, now.getId());
    assertEquals(id, om.om.createBucket(create).getBucket().getId());
    fails(
        ErrorCode.NO_SUCH_BUCKET,
        () ->
            om.om.updateBucket(
                first.toBuilder().setName("no-such").setWriteId(WriteId.random()).build()));
  }

  @Test
  void bucketsAreCreatedListedAndDeletedWhenEmpty() throws StoreException {
    fails(ErrorCode.BUCKET_OWNED_BY_CALLER, () -> om.createBucket(bucket));
    fails(
        ErrorCode.BUCKET_EXISTS,
        () ->
            om.om.createBucket(
                CreateBucketRequest.newBuilder()
                    .setName(bucket)
                    .setOwner("somebody else")
                    .setWriteId(WriteId.random())
                    .build()));
    for (String bad : List.of("ab", "Upper", "a..b", "1.2.3.4", "-ab", "ab_c")) {
      fails(ErrorCode.INVALID_NAME, () -> om.createBucket(bad));
    }
    om.put(bucket, "k", "x");
    DeleteBucketRequest delete =
        DeleteBucketRequest.newBuilder().setName(bucket).setWriteId(WriteId.random()).build();
    fails(ErrorCode.BUCKET_NOT_EMPTY, () -> om.om.deleteBucket(delete));
    om.delete(bucket, "k");
    om.om.deleteBucket(delete);
    om.om.deleteBucket(delete);
    fails(ErrorCode.NO_SUCH_BUCKET, () -> om.put(bucket, "k", "x"));
    fails(
        ErrorCode.NO_SUCH_BUCKET,
        () -> om.om.getBucket(GetBucketRequest.newBuilder().setName(bucket).build()));
    om.createBucket(bucket);
    om.om.deleteBucket(delete);
    assertNull(om.get(bucket, "k"));
    assertEquals(
        List.of(bucket),
        om
            .om
            .listBuckets(ListBucketsRequest.newBuilder().setPrefix(bucket).build())
            .getBucketsList()
            .stream()
            .map(b -> b.getName())
            .toList());
  }

  @Test
  void badKeysAreRefused() {
    fails(ErrorCode.INVALID_NAME, () -> om.put(bucket, "", "x"));
    fails(ErrorCode.INVALID_NAME, () -> om.put(bucket, "k".repeat(1_025), "x"));
    fails(ErrorCode.INVALID_NAME, () -> om.put(bucket, "é".repeat(513), "x"));
    fails(ErrorCode.INVALID_NAME, () -> om.put(bucket, "\uD800", "x"));
    fails(
        ErrorCode.INVALID_ARGUMENT,
        () -> om.om.putObject(om.putRequest(bucket, "k", "x").clearGrants().build()));
  }

  @Test
  void identitiesAreKept() throws StoreException {
    String key = "AK" + System.nanoTime();
    GetIdentityRequest get = GetIdentityRequest.newBuilder().setAccessKey(key).build();
    fails(ErrorCode.ACCESS_DENIED, () -> om.om.getIdentity(get));
    for (String secret : List.of("one", "two")) {
      Identity identity =
          Identity.newBuilder()
              .setAccessKey(key)
              .setSecretKey(secret)
              .setUser("user")
              .setAdmin(true)
              .build();
      om.om.putIdentity(PutIdentityRequest.newBuilder().setIdentity(identity).build());
      assertEquals(identity, om.om.getIdentity(get).getIdentity());
    }
  }

  static void fails(ErrorCode code, Executable call) {
    StoreException e = assertThrows(StoreException.class, call);
    assertEquals(code, e.code(), e.getMessage());
  }

  private List<EventRecord> events(ByteString... ids) throws StoreException {
    List<EventRecord> events = new ArrayList<>();
    ByteString after = ByteString.EMPTY;
    while (true) {
      ScanEventsReply page =
          om.om.scanEvents(ScanEventsRequest.newBuilder().setAfterRow(after).setLimit(2).build());
      page.getEventsList().stream()
          .filter(event -> List.of(ids).contains(event.getNote().getId()))
          .forEach(events::add);
      if (!page.getMore()) {
        return events;
      }
      after = page.getLastRow();
    }
  }

  /** Name and key of every event in the bucket, in no order. */
  private List<String> eventsOfBucket() throws StoreException {
    List<String> found = new ArrayList<>();
    ByteString after = ByteString.EMPTY;
    while (true) {
      ScanEventsReply page =
          om.om.scanEvents(ScanEventsRequest.newBuilder().setAfterRow(after).build());
      for (EventRecord event : page.getEventsList()) {
        if (event.getNote().getBucket().equals(bucket)) {
          found.add(event.getNote().getName() + " " + event.getRow().substring(8).toStringUtf8());
        }
      }
      if (!page.getMore()) {
        found.sort(null);
        return found;
      }
      after = page.getLastRow();
    }
  }

  @Test
  void changesThatComeByNoGatewayAreToldByTheRulesOfTheBucket() throws StoreException {
    EventRuleSet rules =
        EventRuleSet.newBuilder()
            .setFormat(EventRules.FORMAT)
            .addRules(
                EventRule.newBuilder()
                    .setTarget(EventTarget.newBuilder().setArn("arn:x"))
                    .setPrefix("told/")
                    .addEvents("s3:ObjectCreated:*")
                    .addEvents("s3:ObjectTagging:*")
                    .addEvents("s3:ObjectAcl:Put")
                    .addEvents("s3:ObjectRemoved:*"))
            .build();
    om.om.updateBucket(
        UpdateBucketRequest.newBuilder()
            .setName(bucket)
            .setWriteId(WriteId.random())
            .putPut(EventRules.SETTING, rules.toByteString())
            .build());
    om.put(bucket, "silent", "x");
    om.put(bucket, "told/put", "x");
    // A gateway that found nobody to tell of a copy says so by a name.
    om.om.putObject(
        om.putRequest(bucket, "told/copied", "x")
            .setEvent(EventNote.newBuilder().setName("ObjectCreated:Copy"))
            .build());
    ByteString upload = om.createUpload(bucket, "told/parts");
    om.putPart(bucket, "told/parts", upload, 1, "part", 1);
    om.om.completeUpload(
        TestOm.completeRequest(bucket, "told/parts", upload, TestOm.named(1, "part")).build());
    om.rename(bucket, "told/put", "told/renamed", false);
    om.rename(bucket, "silent", "told/from elsewhere", false);
    ObjectMetadata.Builder tagged = ObjectMetadata.newBuilder().putTags("a", "b");
    say("told/renamed", tagged.build());
    say("told/renamed", tagged.putUser("colour", "red").build()); // neither tags nor rights
    say("told/renamed", tagged.clearTags().addGrants("READ id=ann").build());
    om.delete(bucket, "told/parts");
    om.delete(bucket, "told/nothing");
    assertThrows(StoreException.class, () -> om.rename(bucket, "told/nothing", "told/x", false));
    assertEquals(
        List.of(
            "ObjectAcl:Put told/renamed",
            "ObjectCreated:CompleteMultipartUpload told/parts",
            "ObjectCreated:Copy told/from elsewhere",
            "ObjectCreated:Copy told/renamed",
            "ObjectCreated:Put told/put",
            "ObjectRemoved:Delete told/parts",
            "ObjectRemoved:Delete told/put",
            "ObjectTagging:Delete told/renamed",
            "ObjectTagging:Put told/renamed"),
        eventsOfBucket());
  }

  private void say(String key, ObjectMetadata metadata) throws StoreException {
    om.om.setObjectMetadata(
        SetObjectMetadataRequest.newBuilder()
            .setBucket(bucket)
            .setKey(key)
            .setStamp(om.get(bucket, key).getStamp())
            .setMetadata(metadata)
            .build());
  }

  private EventNote note(String name) {
    return EventNote.newBuilder()
        .setId(WriteId.random())
        .setName(name)
        .setBucket(bucket)
        .addTargets(EventTarget.newBuilder().setArn("arn:x"))
        .build();
  }

  @Test
  void changesLeaveEventsUntilTheyAreCleared() throws StoreException {
    EventNote put = note("ObjectCreated:Put");
    ObjectVersion version =
        om.om.putObject(om.putRequest(bucket, "e", "one").setEvent(put).build()).getVersion();
    EventNote refused = note("ObjectCreated:Put");
    assertEquals(
        ErrorCode.PRECONDITION_FAILED,
        assertThrows(
                StoreException.class,
                () ->
                    om.om.putObject(
                        om.putRequest(bucket, "e", "two")
                            .setCondition(Condition.newBuilder().setMustBeAbsent(true))
                            .setEvent(refused)
                            .build()))
            .code());
    EventNote tagged = note("ObjectTagging:Put");
    om.om.setObjectMetadata(
        SetObjectMetadataRequest.newBuilder()
            .setBucket(bucket)
            .setKey("e")
            .setStamp(version.getStamp())
            .setMetadata(ObjectMetadata.newBuilder().putTags("a", "b"))
            .setEvent(tagged)
            .build());
    EventNote removed = note("ObjectRemoved:Delete");
    om.om.deleteObjects(
        DeleteObjectsRequest.newBuilder()
            .setBucket(bucket)
            .addObjects(
                ObjectToDelete.newBuilder()
                    .setKey("e")
                    .setWriteId(WriteId.random())
                    .setEvent(removed))
            .build());
    ByteString[] all = {put.getId(), refused.getId(), tagged.getId(), removed.getId()};
    List<EventRecord> events = events(all);
    assertEquals(
        Set.of(put, tagged, removed),
        events.stream().map(EventRecord::getNote).collect(java.util.stream.Collectors.toSet()));
    for (EventRecord event : events) {
      assertEquals("e", event.getRow().substring(8).toStringUtf8());
      if (event.getNote().equals(put)) {
        assertEquals(version.getVersionId(), event.getVersion().getVersionId());
        assertEquals(version.getMd5(), event.getVersion().getMd5());
        assertEquals(version.getStamp(), event.getStamp());
      }
    }
    om.om.clearEvents(
        ClearEventsRequest.newBuilder()
            .addEvents(EventRef.newBuilder().setRow(events.get(0).getRow()).setId(put.getId()))
            .addEvents(EventRef.newBuilder().setBucket(bucket).setKey("e").setId(tagged.getId()))
            .addEvents(EventRef.newBuilder().setBucket(bucket).setKey("e").setId(refused.getId()))
            .build());
    assertEquals(List.of(removed), events(all).stream().map(EventRecord::getNote).toList());
  }

  @Test
  void groupsAndRolesChangeByWhatWasRead() throws StoreException {
    String name = "g" + System.nanoTime();
    Entity asked =
        Entity.newBuilder()
            .setKind(EntityKind.GROUP)
            .setName(name)
            .setId("AGPA1")
            .putPolicies("p", "{}")
            .build();
    Entity made = put(asked, false);
    assertTrue(made.getStamp() > 0);
    assertEquals(ErrorCode.KEY_EXISTS, codeOf(() -> put(asked, false)));
    Entity read =
        om.om
            .getEntity(
                GetEntityRequest.newBuilder().setKind(EntityKind.GROUP).setName(name).build())
            .getEntity();
    assertEquals(made, read);
    put(read.toBuilder().putPolicies("q", "{}").build(), false);
    assertEquals(ErrorCode.CONFLICT, codeOf(() -> put(read, false)));
    om.om.createUser(
        CreateUserRequest.newBuilder()
            .setUser(User.newBuilder().setName("u" + name))
            .setAccessKey("AK" + name)
            .setSecretKey("s")
            .setWriteId(WriteId.random())
            .build());
    om.om.updateUser(
        UpdateUserRequest.newBuilder()
            .setName("u" + name)
            .putPutGroups(name, "AGPA1")
            .putPutGroups("gone", "AGPA2")
            .build());
    UpdateUserRequest leave =
        UpdateUserRequest.newBuilder().setName("u" + name).addRemoveGroups(name).build();
    for (Map<String, String> other :
        List.of(Map.of(name, "AGPA9"), Map.of("never", "AGPA1"), Map.of("x", "", name, ""))) {
      assertEquals(
          ErrorCode.PRECONDITION_FAILED,
          codeOf(() -> om.om.updateUser(leave.toBuilder().putAllOnlyIfGroups(other).build())));
    }
    om.om.updateUser(
        UpdateUserRequest.newBuilder()
            .setName("u" + name)
            .putOnlyIfGroups("gone", "AGPA2")
            .putOnlyIfGroups("x", "")
            .addRemoveGroups("gone")
            .build());
    Identity identity = identity("AK" + name);
    assertEquals(
        Set.of("group/" + name + "/p", "group/" + name + "/q"), identity.getPoliciesMap().keySet());
    assertTrue(identity.getUserId().startsWith("AIDA"));
    Entity last =
        om
            .om
            .listEntities(
                ListEntitiesRequest.newBuilder().setKind(EntityKind.GROUP).setLimit(1_000).build())
            .getEntitiesList()
            .stream()
            .filter(group -> group.getName().equals(name))
            .findAny()
            .orElseThrow();
    put(last.toBuilder().setName(name + "renamed").clearStamp().build(), false);
    assertEquals(2, identity("AK" + name).getPoliciesCount());
    put(last, true);
    // A group's id is what counts, whatever name the user remembers.
    assertEquals(
        Set.of("group/" + name + "renamed/p", "group/" + name + "renamed/q"),
        identity("AK" + name).getPoliciesMap().keySet());
    Entity renamed =
        om.om
            .getEntity(
                GetEntityRequest.newBuilder()
                    .setKind(EntityKind.GROUP)
                    .setName(name + "renamed")
                    .build())
            .getEntity();
    put(renamed, true);
    // A group made later under the same name is another: its members do not come back.
    put(asked.toBuilder().setId("AGPA3").build(), false);
    assertEquals(Map.of(), identity("AK" + name).getPoliciesMap());
    om.om.updateUser(
        UpdateUserRequest.newBuilder().setName("u" + name).addDeactivateKeys("AK" + name).build());
    assertEquals(ErrorCode.ACCESS_DENIED, codeOf(() -> identity("AK" + name)));
  }

  private Entity put(Entity entity, boolean remove) throws StoreException {
    return om.om
        .putEntity(PutEntityRequest.newBuilder().setEntity(entity).setRemove(remove).build())
        .getEntity();
  }

  private static ErrorCode codeOf(Executable what) {
    return assertThrows(StoreException.class, what).code();
  }

  @Test
  void aDutyIsOneHoldersUntilItEnds() throws StoreException {
    String duty = "duty" + System.nanoTime();
    ByteString first = WriteId.random();
    ByteString second = WriteId.random();
    assertTrue(claim(duty, first, 60_000_000));
    assertFalse(claim(duty, second, 60_000_000));
    assertTrue(claim(duty, first, 60_000_000));
    assertFalse(claim(duty, first, 0));
    assertTrue(claim(duty, second, 1));
  }

  private boolean claim(String duty, ByteString holder, long micros) throws StoreException {
    return om.om
        .claimDuty(
            ClaimDutyRequest.newBuilder()
                .setDuty(duty)
                .setHolder(holder)
                .setDurationMicros(micros)
                .build())
        .getGranted();
  }
}
