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
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.stowage.common.access.Acting;
import io.stowage.common.access.Person;
import io.stowage.common.error.ErrorCode;
import io.stowage.common.error.StoreException;
import io.stowage.common.id.WriteId;
import io.stowage.common.proto.AbortUploadRequest;
import io.stowage.common.proto.CompleteUploadRequest;
import io.stowage.common.proto.DeleteObjectsReply;
import io.stowage.common.proto.DeleteObjectsRequest;
import io.stowage.common.proto.FileAttributes;
import io.stowage.common.proto.FindPathRequest;
import io.stowage.common.proto.GetObjectRequest;
import io.stowage.common.proto.ListObjectsReply;
import io.stowage.common.proto.ListObjectsRequest;
import io.stowage.common.proto.ListPartsRequest;
import io.stowage.common.proto.ListUploadsRequest;
import io.stowage.common.proto.ListVersionsRequest;
import io.stowage.common.proto.Manifest;
import io.stowage.common.proto.ObjectMetadata;
import io.stowage.common.proto.ObjectToDelete;
import io.stowage.common.proto.ObjectVersion;
import io.stowage.common.proto.OpenFileRequest;
import io.stowage.common.proto.PutObjectRequest;
import io.stowage.common.proto.RecoverFileRequest;
import io.stowage.common.proto.SetObjectMetadataRequest;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.UnaryOperator;
import org.apache.hadoop.thirdparty.protobuf.ByteString;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/**
 * Who may do what in the tree of a FILE_SYSTEM bucket, by HDFS's rules, over any tables. The bucket
 * is owned by "owner"; ann and bob are both of the group "staff", eve of none.
 */
abstract class TreePermissionsContract {
  private static final AtomicInteger NUMBERS = new AtomicInteger();
  private static final Person ANN = person("ann", "staff");
  private static final Person BOB = person("bob", "staff");
  private static final Person EVE = person("eve");

  private TestOm om;
  private TestTree tree;

  abstract TestOm open() throws Exception;

  private static Person person(String name, String... groups) {
    return new Person(name, "id-of-" + name, () -> Set.of(groups));
  }

  @BeforeEach
  void createBucket() throws Exception {
    om = open();
    tree = TestTree.create(om, "perm-" + NUMBERS.incrementAndGet() + "-" + System.nanoTime());
    change("", metadata -> bits(metadata, 0777));
  }

  @AfterEach
  void close() {
    om.om.close();
  }

  private interface Work<T> {
    T run() throws StoreException;
  }

  /** As somebody whom nothing lets in but the permissions of files. */
  private <T> T as(Person who, Work<T> work) throws StoreException {
    try (Acting acting = Acting.begin(who)) {
      acting.limitIn(tree.bucket);
      return work.run();
    }
  }

  private void mayNot(Person who, TestTree.Call call) {
    ErrorCode code =
        TestTree.codeOf(
            () ->
                as(
                    who,
                    () -> {
                      call.run();
                      return null;
                    }));
    assertEquals(ErrorCode.ACCESS_DENIED, code);
  }

  private void may(Person who, TestTree.Call call) throws StoreException {
    var unused =
        as(
            who,
            () -> {
              call.run();
              return null;
            });
  }

  private static ObjectMetadata bits(ObjectMetadata metadata, int bits) {
    FileAttributes file = metadata.getFile().toBuilder().setPermissionPlusOne(bits + 1).build();
    return metadata.toBuilder().setFile(file).build();
  }

  private static ObjectMetadata group(ObjectMetadata metadata, String group) {
    return metadata.toBuilder().setFile(metadata.getFile().toBuilder().setGroup(group)).build();
  }

  private static ObjectMetadata owner(ObjectMetadata metadata, String owner) {
    return metadata.toBuilder().setFile(metadata.getFile().toBuilder().setOwner(owner)).build();
  }

  private static ObjectMetadata acl(ObjectMetadata metadata, String... entries) {
    return metadata.toBuilder()
        .clearAcl()
        .addAllAcl(List.of(entries))
        .setFile(metadata.getFile().toBuilder().setHasAcl(entries.length > 0))
        .build();
  }

  private ObjectVersion look(String path) throws StoreException {
    return om.om
        .findPath(
            FindPathRequest.newBuilder()
                .setBucket(tree.bucket)
                .setPath(path)
                .setWantAll(true)
                .build())
        .getVersion();
  }

  private boolean hasAccess(String path, int wanted) throws StoreException {
    try {
      var unused =
          om.om.findPath(
              FindPathRequest.newBuilder()
                  .setBucket(tree.bucket)
                  .setPath(path)
                  .setWanted(wanted)
                  .build());
      return true;
    } catch (StoreException e) {
      assertEquals(ErrorCode.ACCESS_DENIED, e.code());
      return false;
    }
  }

  /** Changes what a file or directory says of itself. */
  private void change(String path, UnaryOperator<ObjectMetadata> change) throws StoreException {
    ObjectVersion seen = look(path);
    boolean directory = !path.isEmpty() && seen.getDirectoryId() != 0;
    var unused =
        om.om.setObjectMetadata(
            SetObjectMetadataRequest.newBuilder()
                .setBucket(tree.bucket)
                .setKey(directory ? path + "/" : path)
                .setStamp(seen.getStamp())
                .setMetadata(change.apply(seen.getMetadata()))
                .build());
  }

  private void makeDirectory(Person who, String path, int bits) throws StoreException {
    may(who, () -> tree.makeDirectory(path));
    change(path, metadata -> bits(metadata, bits));
  }

  private void put(Person who, String path, int bits) throws StoreException {
    may(who, () -> tree.put(path, "content"));
    change(path, metadata -> bits(metadata, bits));
  }

  private void putUnhashed(String path) throws StoreException {
    PutObjectRequest.Builder put = tree.putRequest(path, "content", tree.place(path));
    put.setMd5(WriteId.mark(put.getWriteId(), put.getLength())).setUnhashed(true);
    om.om.putObject(put.build());
  }

  @Test
  void whatADirectoryGivesAFileIsRecorded() throws StoreException {
    assertFalse(isRecorded("as-it-was-said"));
    change("", metadata -> group(metadata, "staff"));
    assertTrue(as(ANN, () -> isRecorded("with-more")));
  }

  /** Of a put whose needle's header tells all that its writer said. */
  private boolean isRecorded(String path) throws StoreException {
    PutObjectRequest.Builder put = tree.putRequest(path, "content", tree.place(path));
    put.getManifestBuilder().getExtentsBuilder(0).setPacked(true);
    put.setClockMicros(om.clock.wallMicros());
    return om.om.putObject(put.build()).getWantsRecord();
  }

  @Test
  void theRootIsItsOwnersUntilHeSaysOtherwise() throws StoreException {
    TestTree other = TestTree.create(om, tree.bucket + "-closed");
    other.put("a", "content");
    try (Acting acting = Acting.begin(ANN)) {
      acting.limitIn(other.bucket);
      assertEquals(ErrorCode.ACCESS_DENIED, TestTree.codeOf(() -> other.get("a")));
      assertEquals(ErrorCode.ACCESS_DENIED, TestTree.codeOf(() -> other.put("b", "content")));
      assertEquals(ErrorCode.ACCESS_DENIED, TestTree.codeOf(() -> other.find("nothing")));
    }
    try (Acting acting = Acting.begin(person("owner"))) {
      acting.limitIn(other.bucket);
      assertNotNull(other.get("a"));
    }
  }

  @Test
  void whatIsMadeIsItsMakersAndOfItsDirectorysGroup() throws StoreException {
    change("", metadata -> group(metadata, "staff"));
    may(ANN, () -> tree.put("x/y/file", "content"));
    for (String path : List.of("x", "x/y", "x/y/file")) {
      ObjectMetadata metadata = look(path).getMetadata();
      assertEquals("ann", metadata.getOwner(), path);
      assertEquals("staff", metadata.getFile().getGroup(), path);
      int bits = path.endsWith("file") ? 0644 : 0755;
      assertEquals(bits + 1, metadata.getFile().getPermissionPlusOne(), path);
    }
    // Nobody makes files of others.
    PutObjectRequest forged =
        tree.putRequest("forged", "content", tree.place("forged"))
            .setMetadata(
                ObjectMetadata.newBuilder()
                    .setOwner("owner")
                    .setFile(FileAttributes.newBuilder().setOwner("owner").setGroup("wheel")))
            .build();
    may(ANN, () -> om.om.putObject(forged));
    assertEquals("ann", look("forged").getMetadata().getOwner());
    assertEquals("", look("forged").getMetadata().getFile().getOwner());
    assertEquals("staff", look("forged").getMetadata().getFile().getGroup());
  }

  @Test
  void aWayLeadsThroughDirectoriesThatMayBeGoneThrough() throws StoreException {
    put(ANN, "a/b/c", 0644);
    may(BOB, () -> assertNotNull(tree.get("a/b/c")));
    change("a", metadata -> bits(metadata, 0700));
    mayNot(BOB, () -> tree.get("a/b/c"));
    mayNot(BOB, () -> tree.find("a/b/c"));
    mayNot(BOB, () -> tree.find("a/b/nothing"));
    mayNot(BOB, () -> tree.list("a/b/", "/", "", 10));
    may(BOB, () -> assertTrue(tree.find("a").getDirectory()));
    change("a", metadata -> bits(metadata, 0711)); // to go through is not to look
    may(BOB, () -> assertNotNull(tree.get("a/b/c")));
    mayNot(BOB, () -> tree.list("a/", "/", "", 10));
    may(BOB, () -> assertEquals(List.of("a/b/c"), tree.list("a/b/", "/", "", 10)));
    change("a", metadata -> bits(metadata, 0744)); // and to look is not to go through
    mayNot(BOB, () -> tree.get("a/b/c"));
    mayNot(BOB, () -> tree.list("a/", "/", "", 10)); // HDFS wants both
  }

  @Test
  void aFileIsReadByWhoMayReadIt() throws StoreException {
    put(ANN, "f", 0640);
    change("f", metadata -> group(metadata, "staff"));
    may(ANN, () -> assertNotNull(tree.get("f")));
    may(BOB, () -> assertNotNull(tree.get("f")));
    mayNot(EVE, () -> tree.get("f"));
    may(EVE, () -> assertNotNull(tree.find("f"))); // what it is may be seen by who comes there
    GetObjectRequest head =
        GetObjectRequest.newBuilder().setBucket(tree.bucket).setKey("f").build();
    mayNot(EVE, () -> om.om.getObject(head));
    may(
        BOB,
        () -> assertTrue(om.om.getObject(head).getVersion().getManifest().getExtentsCount() == 0));
    mayNot(null, () -> tree.get("f"));
    change("f", metadata -> bits(metadata, 0044)); // the first that fits decides
    mayNot(ANN, () -> tree.get("f"));
    may(BOB, () -> assertNotNull(tree.get("f")));
    may(null, () -> assertNotNull(tree.get("f")));
    String text = assertDenied(ANN, () -> tree.get("f"));
    assertEquals(
        "Permission denied: user=ann, access=READ, inode=\"/f\":ann:staff:----r--r--", text);
  }

  @Test
  void whatIsInAFileIsNotToldByItsDigests() throws StoreException {
    put(ANN, "d/pin", 0640);
    may(ANN, () -> putUnhashed("d/pin"));
    change("d/pin", metadata -> bits(metadata, 0640));
    change(
        "d/pin",
        metadata ->
            metadata.toBuilder()
                .putXattrs("user.hint", ByteString.copyFromUtf8("four digits"))
                .putUser("hint", "four digits")
                .putTags("hint", "four digits")
                .build());
    for (Person who : List.of(ANN, EVE)) {
      List<ObjectVersion> told = new ArrayList<>();
      may(
          who,
          () -> {
            told.add(tree.find("d/pin").getVersion());
            told.add(look("d/pin"));
            told.add(
                om.om
                    .listObjects(
                        ListObjectsRequest.newBuilder()
                            .setBucket(tree.bucket)
                            .setPrefix("d/")
                            .setDelimiter("/")
                            .build())
                    .getObjects(0));
          });
      for (ObjectVersion version : told) {
        assertEquals("content".length(), version.getLength());
        assertEquals(who.equals(EVE), version.getMd5().isEmpty(), version::toString);
        assertEquals(who.equals(EVE) ? 0 : 1, version.getPartCount(), version::toString);
        assertEquals(who.equals(EVE), version.getWriteId().isEmpty(), version::toString);
        if (who.equals(EVE)) {
          assertEquals(0, version.getMetadata().getXattrsCount());
          assertEquals(0, version.getMetadata().getUserCount());
          assertEquals(0, version.getMetadata().getTagsCount());
        }
      }
    }
    // Nor by what is said of it when it is moved and deleted, which its directory allows.
    change("d", metadata -> bits(metadata, 0777));
    List<ObjectVersion> moved = new ArrayList<>();
    may(
        EVE,
        () -> {
          moved.add(om.rename(tree.bucket, "d/pin", "d/eves", false));
          moved.add(om.rename(tree.bucket, "d/eves", "d/pin", false));
        });
    put(ANN, "d/other", 0600);
    may(EVE, () -> moved.add(om.delete(tree.bucket, "d/other").getVersion()));
    for (ObjectVersion version : moved) {
      assertTrue(version.getMd5().isEmpty(), version::toString);
      assertTrue(version.getWriteId().isEmpty(), version::toString);
    }
    // Who changes something of what he may not read loses nothing of it.
    change("d/pin", metadata -> bits(metadata, 0202));
    may(ANN, () -> change("d/pin", metadata -> bits(metadata, 0206)));
    may(
        EVE,
        () ->
            change(
                "d/pin",
                metadata ->
                    metadata.toBuilder()
                        .setFile(metadata.getFile().toBuilder().setModifiedMillisPlusOne(5))
                        .build()));
    assertEquals("four digits", look("d/pin").getMetadata().getUserOrThrow("hint"));
    assertEquals(1, look("d/pin").getMetadata().getXattrsCount());
  }

  @Test
  void attributesOfADirectoryAreToldToWhoMayReadIt() throws StoreException {
    makeDirectory(ANN, "d", 0711);
    UnaryOperator<ObjectMetadata> secret =
        metadata ->
            metadata.toBuilder()
                .putXattrs("user.secret", ByteString.copyFromUtf8("four digits"))
                .putTags("secret", "four digits")
                .build();
    change("d", secret);
    for (Person who : List.of(ANN, EVE)) {
      List<ObjectVersion> told = new ArrayList<>();
      may(
          who,
          () -> {
            told.add(tree.find("d").getVersion());
            told.add(look("d"));
            told.add(
                om.om
                    .listObjects(
                        ListObjectsRequest.newBuilder()
                            .setBucket(tree.bucket)
                            .setDelimiter("/")
                            .setWantMarkers(true)
                            .build())
                    .getMarkers(0));
          });
      for (ObjectVersion version : told) {
        int count = who.equals(ANN) ? 1 : 0;
        assertEquals(count, version.getMetadata().getXattrsCount(), version::toString);
        assertEquals(count, version.getMetadata().getTagsCount(), version::toString);
      }
    }
    change("d", metadata -> bits(metadata, 0755));
    may(EVE, () -> assertEquals(1, look("d").getMetadata().getXattrsCount()));

    change("", secret);
    may(EVE, () -> assertEquals(1, look("").getMetadata().getXattrsCount()));
    change("", metadata -> bits(metadata, 0711));
    may(EVE, () -> assertEquals(0, look("").getMetadata().getXattrsCount()));
  }

  private String assertDenied(Person who, TestTree.Call call) {
    try {
      may(who, call);
    } catch (StoreException e) {
      assertEquals(ErrorCode.ACCESS_DENIED, e.code());
      return e.getMessage();
    }
    throw new AssertionError("was allowed");
  }

  @Test
  void aDirectoryIsWrittenByWhoMakesSomethingInIt() throws StoreException {
    makeDirectory(ANN, "d", 0755);
    mayNot(BOB, () -> tree.put("d/f", "content"));
    mayNot(BOB, () -> tree.place("d/f"));
    mayNot(BOB, () -> tree.place("d/e/f"));
    mayNot(BOB, () -> tree.makeDirectory("d/e"));
    mayNot(BOB, () -> tree.makeDirectoryIfAbsent("d/e"));
    mayNot(BOB, () -> om.createUpload(tree.bucket, "d/f"));
    assertEquals(List.of("d/"), tree.keys());
    change("d", metadata -> bits(metadata, 0757)); // BOB is of no group here
    may(BOB, () -> tree.put("d/f", "content"));
    may(BOB, () -> tree.makeDirectory("d/e"));
    assertEquals("bob", look("d/f").getMetadata().getOwner());
    change("d", metadata -> bits(metadata, 0756));
    mayNot(BOB, () -> tree.put("d/f", "again")); // to write it, one has to go through it
  }

  @Test
  void aFileIsReplacedByWhoMayWriteItAndItsDirectory() throws StoreException {
    makeDirectory(ANN, "d", 0777);
    put(ANN, "d/f", 0644);
    mayNot(BOB, () -> tree.put("d/f", "bobs"));
    mayNot(BOB, () -> om.createUpload(tree.bucket, "d/f"));
    change("d/f", metadata -> bits(metadata, 0646));
    may(BOB, () -> tree.put("d/f", "bobs"));
    assertEquals(TestOm.md5("bobs"), tree.get("d/f").getMd5());
    assertEquals("bob", look("d/f").getMetadata().getOwner());
    change("d", metadata -> bits(metadata, 0755));
    mayNot(BOB, () -> tree.put("d/f", "again"));
  }

  @Test
  void whatIsDeletedIsDeletedByWhoMayWriteItsDirectory() throws StoreException {
    makeDirectory(ANN, "d", 0755);
    put(ANN, "d/f", 0666);
    mayNot(BOB, () -> om.delete(tree.bucket, "d/f"));
    mayNot(BOB, () -> om.delete(tree.bucket, "d/nothing"));
    may(ANN, () -> om.delete(tree.bucket, "d/f"));
    put(ANN, "d/f", 0600);
    change("d", metadata -> bits(metadata, 0777));
    may(BOB, () -> om.delete(tree.bucket, "d/f")); // as POSIX has it
    assertNull(tree.find("d/f"));
  }

  @Test
  void inAStickyDirectoryEverybodyTakesAwayHisOwn() throws StoreException {
    makeDirectory(ANN, "tmp", 01777);
    put(BOB, "tmp/bobs", 0666);
    put(EVE, "tmp/eves", 0666);
    makeDirectory(BOB, "tmp/bobs-too", 0777);
    mayNot(EVE, () -> om.delete(tree.bucket, "tmp/bobs"));
    mayNot(EVE, () -> tree.rename("tmp/bobs", "stolen"));
    mayNot(EVE, () -> om.rename(tree.bucket, "tmp/eves", "tmp/bobs", true));
    mayNot(EVE, () -> tree.deleteDirectory("tmp/bobs-too", false));
    mayNot(EVE, () -> om.delete(tree.bucket, "tmp/bobs-too/"));
    assertTrue(
        assertDenied(EVE, () -> om.delete(tree.bucket, "tmp/bobs"))
            .startsWith("Permission denied by sticky bit: user=eve, path=\"/tmp/bobs\":bob:"));
    may(EVE, () -> om.delete(tree.bucket, "tmp/eves"));
    may(BOB, () -> tree.rename("tmp/bobs", "tmp/bobs-still"));
    may(ANN, () -> om.delete(tree.bucket, "tmp/bobs-still")); // whose the directory is
    may(BOB, () -> tree.deleteDirectory("tmp/bobs-too", false));
  }

  @Test
  void aDirectoryGoesWithAllThatIsInItOnlyIfAllOfItMayGo() throws StoreException {
    makeDirectory(ANN, "d", 0777);
    makeDirectory(ANN, "d/sub", 0777);
    put(ANN, "d/sub/f", 0600);
    makeDirectory(ANN, "d/closed", 0700);
    may(ANN, () -> tree.makeDirectory("d/closed/empty"));
    mayNot(BOB, () -> tree.deleteDirectory("d", true));
    assertEquals(List.of("d/", "d/closed/", "d/closed/empty/", "d/sub/", "d/sub/f"), tree.keys());
    may(ANN, () -> tree.deleteDirectory("d/closed/empty", false));
    may(BOB, () -> tree.deleteDirectory("d", true)); // what is closed is empty
    assertEquals(List.of(), tree.keys());
    makeDirectory(ANN, "d", 0777);
    makeDirectory(ANN, "d/tmp", 01777);
    put(ANN, "d/tmp/anns", 0666);
    mayNot(BOB, () -> tree.deleteDirectory("d", true));
    makeDirectory(ANN, "own", 0755);
    change("", metadata -> bits(metadata, 0755));
    mayNot(ANN, () -> tree.deleteDirectory("own", false));
  }

  @Test
  void aRenameWritesBothDirectories() throws StoreException {
    makeDirectory(ANN, "from", 0755);
    makeDirectory(BOB, "to", 0755);
    put(ANN, "from/f", 0666);
    may(ANN, () -> tree.makeDirectory("from/d"));
    mayNot(ANN, () -> tree.rename("from/f", "to/f"));
    mayNot(BOB, () -> tree.rename("from/f", "to/f"));
    mayNot(BOB, () -> tree.rename("from/d", "to/d"));
    change("from", metadata -> bits(metadata, 0777));
    may(BOB, () -> tree.rename("from/f", "to/f"));
    may(BOB, () -> tree.rename("from/d", "to/d"));
    assertEquals("ann", look("to/f").getMetadata().getOwner()); // whoever moves it
    assertEquals("ann", look("to/d").getMetadata().getOwner());
  }

  @Test
  void rightsAreChangedByTheOwnerAndOwnersByNobodyButAdministrators() throws StoreException {
    put(ANN, "f", 0666);
    makeDirectory(ANN, "d", 0777);
    for (String path : List.of("f", "d")) {
      mayNot(BOB, () -> change(path, metadata -> bits(metadata, 0776)));
      mayNot(BOB, () -> change(path, metadata -> acl(metadata, "user:bob:rwx", "group::r--")));
      mayNot(BOB, () -> change(path, metadata -> group(metadata, "staff")));
      mayNot(BOB, () -> change(path, metadata -> owner(metadata, "bob")));
      mayNot(ANN, () -> change(path, metadata -> owner(metadata, "bob")));
      mayNot(ANN, () -> change(path, metadata -> metadata.toBuilder().setOwner("bob").build()));
      mayNot(ANN, () -> change(path, metadata -> group(metadata, "wheel"))); // not hers
      may(ANN, () -> change(path, metadata -> group(metadata, "staff")));
      may(ANN, () -> change(path, metadata -> bits(metadata, 0700)));
      may(ANN, () -> change(path, metadata -> acl(metadata, "user:bob:rwx", "group::r--")));
      // Without being bound: an administrator, or whom a policy lets do anything.
      try (Acting acting = Acting.begin(EVE)) {
        assertEquals(EVE, acting.person());
        change(path, metadata -> owner(metadata, "bob"));
      }
      may(BOB, () -> change(path, metadata -> bits(metadata, 0750)));
      mayNot(ANN, () -> change(path, metadata -> bits(metadata, 0777)));
    }
    mayNot(ANN, () -> change("", metadata -> bits(metadata, 0700)));
    may(person("owner"), () -> change("", metadata -> bits(metadata, 0711)));
  }

  @Test
  void timesAndAttributesAreChangedByWhoMayWrite() throws StoreException {
    put(ANN, "f", 0644);
    UnaryOperator<ObjectMetadata> touch =
        metadata ->
            metadata.toBuilder()
                .setFile(metadata.getFile().toBuilder().setModifiedMillisPlusOne(5))
                .build();
    UnaryOperator<ObjectMetadata> colour =
        metadata ->
            metadata.toBuilder().putXattrs("user.colour", ByteString.copyFromUtf8("red")).build();
    UnaryOperator<ObjectMetadata> trusted =
        metadata ->
            metadata.toBuilder().putXattrs("trusted.seal", ByteString.copyFromUtf8("x")).build();
    mayNot(BOB, () -> change("f", touch));
    mayNot(BOB, () -> change("f", colour));
    may(ANN, () -> change("f", colour));
    mayNot(ANN, () -> change("f", trusted));
    change("f", metadata -> bits(metadata, 0646));
    may(BOB, () -> change("f", touch));
    assertEquals(5, look("f").getMetadata().getFile().getModifiedMillisPlusOne());
  }

  @Test
  void listsGrantWithinTheirMask() throws StoreException {
    put(ANN, "f", 0600);
    // The middle bits are the mask from now on.
    UnaryOperator<ObjectMetadata> listed =
        metadata -> acl(metadata, "user:bob:rw-", "group::---", "group:staff:r--", "group:ops:-w-");
    change("f", metadata -> bits(listed.apply(metadata), 0660));
    assertTrue(as(BOB, () -> hasAccess("f", 6)));
    assertFalse(as(BOB, () -> hasAccess("f", 7)));
    Person both = person("mia", "staff", "ops");
    assertTrue(as(both, () -> hasAccess("f", 4))); // one group allows the one,
    assertTrue(as(both, () -> hasAccess("f", 2))); // another the other,
    assertFalse(as(both, () -> hasAccess("f", 6))); // none both: as POSIX.1e has it
    assertFalse(as(EVE, () -> hasAccess("f", 4)));
    change("f", metadata -> bits(metadata, 0640));
    assertTrue(as(BOB, () -> hasAccess("f", 4)));
    assertFalse(as(BOB, () -> hasAccess("f", 2))); // masked
    assertFalse(as(both, () -> hasAccess("f", 2)));
    change("f", metadata -> bits(metadata, 0607));
    assertFalse(as(BOB, () -> hasAccess("f", 4))); // who is named is none of all others
    assertFalse(as(both, () -> hasAccess("f", 4)));
    assertTrue(as(EVE, () -> hasAccess("f", 7)));
  }

  @Test
  void aListThatIsLongCountsAsAShortOne() throws StoreException {
    makeDirectory(ANN, "d", 0770);
    put(ANN, "d/f", 0660);
    String[] many = new String[31];
    for (int i = 0; i < 30; i++) {
      many[i] = "user:somebody-with-a-long-name-that-fills-the-head-of-the-row-" + i + ":rwx";
    }
    many[30] = "user:bob:rwx";
    mayNot(BOB, () -> tree.get("d/f"));
    change("d", metadata -> acl(metadata, many));
    mayNot(BOB, () -> tree.get("d/f"));
    change("d/f", metadata -> acl(metadata, many));
    may(BOB, () -> assertNotNull(tree.get("d/f")));
    assertTrue(as(BOB, () -> hasAccess("d/f", 6)));
  }

  @Test
  void defaultEntriesAreInherited() throws StoreException {
    makeDirectory(ANN, "d", 0777);
    change(
        "d",
        metadata ->
            acl(
                metadata,
                "default:user::rwx",
                "default:user:bob:rwx",
                "default:group::r-x",
                "default:mask::rwx",
                "default:other::---"));
    may(EVE, () -> tree.put("d/sub/f", "content"));
    assertTrue(as(BOB, () -> hasAccess("d/sub", 5)));
    assertTrue(as(BOB, () -> hasAccess("d/sub/f", 4)));
    mayNot(ANN, () -> tree.get("d/sub/f"));
    assertTrue(look("d/sub").getMetadata().getAclList().contains("default:user:bob:rwx"));
    assertFalse(
        look("d/sub/f").getMetadata().getAclList().stream().anyMatch(e -> e.startsWith("default")));
  }

  /** Whose a directory is, what it allows and since when it is there, whether somebody made it. */
  @Test
  void aListingTellsOfDirectoriesWhatALookAtThemTells() throws StoreException {
    makeDirectory(ANN, "d", 0777);
    makeDirectory(ANN, "d/made", 0750);
    may(BOB, () -> tree.put("d/implied/below/f", "content"));
    for (String directory : List.of("d/", "d/implied/")) {
      ListObjectsRequest.Builder listing =
          ListObjectsRequest.newBuilder()
              .setBucket(tree.bucket)
              .setPrefix(directory)
              .setDelimiter("/");
      assertEquals(0, om.om.listObjects(listing.build()).getMarkersCount(), "not asked for");
      ListObjectsReply reply = om.om.listObjects(listing.setWantMarkers(true).build());
      assertEquals(
          reply.getCommonPrefixesList(),
          reply.getMarkersList().stream().map(ObjectVersion::getKey).toList());
      for (ObjectVersion told : reply.getMarkersList()) {
        ObjectVersion seen = look(told.getKey().substring(0, told.getKey().length() - 1));
        assertEquals(seen.getMetadata(), told.getMetadata(), told.getKey());
        assertEquals(seen.getModifiedMicros(), told.getModifiedMicros(), told.getKey());
      }
    }
    assertEquals("bob", look("d/implied").getMetadata().getOwner());
    assertEquals(List.of("d/", "d/implied/below/f", "d/made/"), tree.keys(), "what S3 is shown");
  }

  @Test
  void listingsStopAtWhatMayNotBeListed() throws StoreException {
    makeDirectory(ANN, "open", 0755);
    put(ANN, "open/f", 0600);
    makeDirectory(ANN, "shut", 0700);
    put(ANN, "shut/f", 0666);
    may(BOB, () -> assertEquals(List.of("open/", "shut/"), tree.list("", "/", "", 10)));
    may(BOB, () -> assertEquals(List.of("open/", "open/f"), tree.list("open/", "", "", 10)));
    mayNot(BOB, () -> tree.keys());
    mayNot(BOB, () -> tree.list("shut/", "", "", 10));
    ListVersionsRequest versions =
        ListVersionsRequest.newBuilder().setBucket(tree.bucket).setPrefix("shut/").build();
    mayNot(BOB, () -> om.om.listVersions(versions));
    ListUploadsRequest uploads =
        ListUploadsRequest.newBuilder().setBucket(tree.bucket).setPrefix("shut/").build();
    var unused = as(ANN, () -> om.createUpload(tree.bucket, "shut/upload"));
    may(ANN, () -> assertEquals(1, om.om.listUploads(uploads).getUploadsCount()));
    may(BOB, () -> assertEquals(0, om.om.listUploads(uploads).getUploadsCount()));
  }

  @Test
  void uploadsAreForWhoMayWriteTheDirectory() throws StoreException {
    makeDirectory(ANN, "d", 0755);
    ByteString upload = as(ANN, () -> om.createUpload(tree.bucket, "d/f"));
    mayNot(BOB, () -> om.putPart(tree.bucket, "d/f", upload, 1, "part", 4));
    ListPartsRequest parts =
        ListPartsRequest.newBuilder()
            .setBucket(tree.bucket)
            .setKey("d/f")
            .setUploadId(upload)
            .build();
    mayNot(BOB, () -> om.om.listParts(parts));
    AbortUploadRequest abort =
        AbortUploadRequest.newBuilder()
            .setBucket(tree.bucket)
            .setKey("d/f")
            .setUploadId(upload)
            .build();
    mayNot(BOB, () -> om.om.abortUpload(abort));
    mayNot(
        BOB,
        () ->
            om.om.completeUpload(
                TestOm.completeRequest(tree.bucket, "d/f", upload, TestOm.named(1, "part"))
                    .build()));
    may(ANN, () -> om.om.listParts(parts));
    may(ANN, () -> om.om.abortUpload(abort));
  }

  @Test
  void anUploadIsItsOwnersWhoeverMayWriteTheDirectory() throws StoreException {
    makeDirectory(ANN, "d", 0777);
    ByteString upload = as(ANN, () -> om.createUpload(tree.bucket, "d/f"));
    may(ANN, () -> tree.putPart("d/f", upload, 1, "anns"));
    ListPartsRequest parts =
        ListPartsRequest.newBuilder()
            .setBucket(tree.bucket)
            .setKey("d/f")
            .setUploadId(upload)
            .build();
    AbortUploadRequest abort =
        AbortUploadRequest.newBuilder()
            .setBucket(tree.bucket)
            .setKey("d/f")
            .setUploadId(upload)
            .build();
    CompleteUploadRequest complete =
        TestOm.completeRequest(tree.bucket, "d/f", upload, TestOm.named(1, "anns"))
            .setWriteId(WriteId.random())
            .build();
    mayNot(BOB, () -> tree.putPart("d/f", upload, 1, "bobs"));
    mayNot(BOB, () -> om.om.completeUpload(complete));
    mayNot(BOB, () -> om.om.abortUpload(abort));
    mayNot(BOB, () -> om.om.listParts(parts)); // their digests are the file's
    assertNull(tree.find("d/f"));
    may(ANN, () -> om.om.completeUpload(complete));
    may(ANN, () -> om.om.completeUpload(complete)); // whose answer was lost
    assertEquals("ann", look("d/f").getMetadata().getOwner());
    // Whom a policy lets, or who administers, is not bound.
    ByteString another = as(ANN, () -> om.createUpload(tree.bucket, "d/g"));
    try (Acting acting = Acting.begin(BOB)) {
      assertEquals(BOB, acting.person());
      tree.putPart("d/g", another, 1, "bobs");
      om.om.abortUpload(abort.toBuilder().setKey("d/g").setUploadId(another).build());
    }
  }

  @Test
  void anUploadHasNoSecondName() throws StoreException {
    ByteString upload = as(ANN, () -> om.createUpload(tree.bucket, "f"));
    assertEquals(
        ErrorCode.NO_SUCH_UPLOAD,
        TestTree.codeOf(() -> may(ANN, () -> tree.putPart("f/", upload, 1, "part"))));
    assertEquals(
        ErrorCode.NO_SUCH_UPLOAD,
        TestTree.codeOf(
            () ->
                om.om.abortUpload(
                    AbortUploadRequest.newBuilder()
                        .setBucket(tree.bucket)
                        .setKey("f/")
                        .setUploadId(upload)
                        .build())));
  }

  @Test
  void aPutWhoseAnswerWasLostIsAnsweredAgain() throws StoreException {
    PutObjectRequest put =
        tree.putRequest("f", "content", tree.place("f"))
            .setMetadata(
                ObjectMetadata.newBuilder()
                    .setFile(FileAttributes.newBuilder().setPermissionPlusOne(0444 + 1)))
            .build();
    may(ANN, () -> om.om.putObject(put));
    may(ANN, () -> om.om.putObject(put));
    assertEquals(TestOm.md5("content"), tree.get("f").getMd5());
    mayNot(ANN, () -> tree.put("f", "other"));
    mayNot(BOB, () -> om.om.putObject(put)); // who knows what it was made by
  }

  @Test
  void eachKeyOfABatchIsDecidedByItself() throws StoreException {
    makeDirectory(ANN, "d", 0755);
    put(ANN, "d/open", 0644);
    put(ANN, "d/shut", 0644);
    DeleteObjectsRequest.Builder delete = DeleteObjectsRequest.newBuilder().setBucket(tree.bucket);
    for (String key : List.of("d/open", "d/shut")) {
      delete.addObjects(ObjectToDelete.newBuilder().setKey(key).setWriteId(WriteId.random()));
    }
    List<String> refusals = new ArrayList<>();
    DeleteObjectsReply reply;
    try (Acting acting = Acting.begin(BOB)) {
      // A policy lets him delete the one, so permissions were asked about the other only.
      acting.limitIn(tree.bucket, "d/shut", refusals::add);
      reply = om.om.deleteObjects(delete.build());
    }
    assertEquals(0, reply.getObjects(0).getErrorCode(), reply::toString);
    assertEquals(ErrorCode.ACCESS_DENIED.number(), reply.getObjects(1).getErrorCode());
    assertEquals(List.of("d/", "d/shut"), tree.keys());
    assertEquals(1, refusals.size());
    assertTrue(refusals.get(0).startsWith("Permission denied: user=bob"), refusals::toString);
  }

  @Test
  void onlyWhoMayWriteAFileAppendsToItOrTakesItFromItsWriter() throws StoreException {
    put(ANN, "f", 0644);
    OpenFileRequest append =
        OpenFileRequest.newBuilder()
            .setBucket(tree.bucket)
            .setKey("f")
            .setHolder(WriteId.random())
            .setLeaseMicros(60_000_000)
            .build();
    RecoverFileRequest recover =
        RecoverFileRequest.newBuilder().setBucket(tree.bucket).setKey("f").build();
    mayNot(BOB, () -> om.om.openFile(append));
    mayNot(BOB, () -> om.om.recoverFile(recover));
    may(ANN, () -> om.om.openFile(append));
    mayNot(BOB, () -> om.om.recoverFile(recover));
    may(ANN, () -> om.om.recoverFile(recover));
  }

  @Test
  void aMarkerThatIsPutAgainTakesNoRightsAway() throws StoreException {
    makeDirectory(ANN, "d", 0700);
    mayNot(BOB, () -> tree.makeDirectory("d"));
    change("d", metadata -> bits(metadata, 0773));
    may(BOB, () -> tree.makeDirectory("d")); // as S3's PUT of "d/" does
    assertEquals("ann", look("d").getMetadata().getOwner());
    assertEquals(0773 + 1, look("d").getMetadata().getFile().getPermissionPlusOne());
    // What one has made on the way to a file keeps what it says of itself, too.
    may(BOB, () -> tree.put("way/f", "content"));
    may(BOB, () -> assertTrue(tree.makeDirectoryIfAbsent("way")));
    assertEquals("bob", look("way").getMetadata().getOwner());
    assertEquals(
        ErrorCode.INVALID_ARGUMENT,
        TestTree.codeOf(
            () ->
                om.om.putObject(
                    PutObjectRequest.newBuilder()
                        .setBucket(tree.bucket)
                        .setKey("way/")
                        .setWriteId(WriteId.random())
                        .setLength(1)
                        .setManifest(Manifest.getDefaultInstance())
                        .build())));
  }
}
