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
package io.stowage.om.door;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.stowage.common.access.Acting;
import io.stowage.common.access.AuditLog;
import io.stowage.common.access.Authorizer;
import io.stowage.common.access.Origin;
import io.stowage.common.access.StoreRules;
import io.stowage.common.access.VersionText;
import io.stowage.common.error.ErrorCode;
import io.stowage.common.error.StoreException;
import io.stowage.common.om.ObjectManager;
import io.stowage.common.policy.Acl;
import io.stowage.common.proto.BucketInfo;
import io.stowage.common.proto.BucketLayout;
import io.stowage.common.proto.Checksum;
import io.stowage.common.proto.CompleteUploadReply;
import io.stowage.common.proto.CompleteUploadRequest;
import io.stowage.common.proto.ContainerInfo;
import io.stowage.common.proto.CreateBucketRequest;
import io.stowage.common.proto.CreateSnapshotRequest;
import io.stowage.common.proto.CreateUploadRequest;
import io.stowage.common.proto.DeleteObjectsReply;
import io.stowage.common.proto.DeleteObjectsRequest;
import io.stowage.common.proto.DeleteSnapshotRequest;
import io.stowage.common.proto.DeletedObject;
import io.stowage.common.proto.Encryption;
import io.stowage.common.proto.EncryptionMode;
import io.stowage.common.proto.EventNote;
import io.stowage.common.proto.Extent;
import io.stowage.common.proto.FileAttributes;
import io.stowage.common.proto.FindPathReply;
import io.stowage.common.proto.FindPathRequest;
import io.stowage.common.proto.GetBucketReply;
import io.stowage.common.proto.GetBucketRequest;
import io.stowage.common.proto.GetIdentityReply;
import io.stowage.common.proto.GetIdentityRequest;
import io.stowage.common.proto.GetObjectReply;
import io.stowage.common.proto.GetObjectRequest;
import io.stowage.common.proto.GetSecretRequest;
import io.stowage.common.proto.Identity;
import io.stowage.common.proto.Lease;
import io.stowage.common.proto.LeaseContainersRequest;
import io.stowage.common.proto.LeaseGrant;
import io.stowage.common.proto.LegalHold;
import io.stowage.common.proto.ListBucketsRequest;
import io.stowage.common.proto.ListObjectsReply;
import io.stowage.common.proto.ListObjectsRequest;
import io.stowage.common.proto.ListPartsReply;
import io.stowage.common.proto.ListPartsRequest;
import io.stowage.common.proto.ListUploadsReply;
import io.stowage.common.proto.ListUploadsRequest;
import io.stowage.common.proto.ListUsersRequest;
import io.stowage.common.proto.ListVersionsReply;
import io.stowage.common.proto.ListVersionsRequest;
import io.stowage.common.proto.ListedVersion;
import io.stowage.common.proto.LockMode;
import io.stowage.common.proto.ObjectLock;
import io.stowage.common.proto.ObjectMetadata;
import io.stowage.common.proto.ObjectToDelete;
import io.stowage.common.proto.ObjectVersion;
import io.stowage.common.proto.OpenFileReply;
import io.stowage.common.proto.OpenFileRequest;
import io.stowage.common.proto.PutObjectReply;
import io.stowage.common.proto.PutObjectRequest;
import io.stowage.common.proto.RecoverFileReply;
import io.stowage.common.proto.RecoverFileRequest;
import io.stowage.common.proto.ReleaseLeaseRequest;
import io.stowage.common.proto.RenameObjectReply;
import io.stowage.common.proto.RenameObjectRequest;
import io.stowage.common.proto.RenamePrefixRequest;
import io.stowage.common.proto.RenewLeasesReply;
import io.stowage.common.proto.RenewLeasesRequest;
import io.stowage.common.proto.ReportDamageRequest;
import io.stowage.common.proto.SetObjectMetadataReply;
import io.stowage.common.proto.SetObjectMetadataRequest;
import io.stowage.common.proto.SyncFileReply;
import io.stowage.common.proto.SyncFileRequest;
import io.stowage.common.proto.TokenKey;
import io.stowage.common.proto.TokenKeys;
import io.stowage.common.proto.UpdateBucketRequest;
import io.stowage.common.proto.UploadInfo;
import io.stowage.common.proto.Versioning;
import io.stowage.common.time.ManualClock;
import io.stowage.common.time.StoreClock;
import io.stowage.common.token.ShardGrants;
import io.stowage.common.token.ShardTokens;
import io.stowage.common.token.TokenKeyRing;
import java.lang.reflect.Method;
import java.lang.reflect.Proxy;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.function.Predicate;
import java.util.function.UnaryOperator;
import org.apache.hadoop.thirdparty.protobuf.ByteString;
import org.apache.hadoop.thirdparty.protobuf.Descriptors.FieldDescriptor;
import org.apache.hadoop.thirdparty.protobuf.Message;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class DoorTest {
  private static final ObjectMapper JSON = new ObjectMapper();

  private static final Set<String> OPEN_TO_ALL =
      Set.of(
          "createBucket",
          "getBucket", // what it takes to find it, and nothing that its owner set
          "getSecret", // his own, as OwnSecrets has it
          "leaseContainer",
          "listBuckets",
          "locateContainers",
          "releaseLease",
          "renewLeases",
          "reportDamage",
          "revokeSecret");

  @TempDir private Path directory;
  private Path file;
  private Authorizer authorizer;
  private Door door;
  private final TokenKeyRing ring = new TokenKeyRing();

  /** In which every bucket is this one, of alice's, and every object this. */
  private BucketInfo bucket = BucketInfo.newBuilder().setName("b").setOwner("alice").build();

  private ObjectVersion object = ObjectVersion.newBuilder().setStamp(7).build();

  private int lookUps;

  private final ManualClock clock = new ManualClock(1);

  /** Whether permissions let everybody come to everything. */
  private boolean reachable = true;

  private Object namespace(Object proxy, Method method, Object[] arguments) throws StoreException {
    return switch (method.getName()) {
      case "getBucket" -> GetBucketReply.newBuilder().setBucket(bucket).build();
      case "getObject" -> {
        lookUps++;
        yield GetObjectReply.newBuilder().setVersion(found()).build();
      }
      case "findPath" -> {
        if (Acting.current().isLimitedIn("b") && !reachable) {
          throw new StoreException(ErrorCode.ACCESS_DENIED, "Permission denied: user=bob");
        }
        yield FindPathReply.newBuilder().setVersion(found()).build();
      }
      case "getIdentity" -> {
        if (!((GetIdentityRequest) arguments[0]).getUserName().equals("carol")) {
          throw new StoreException(ErrorCode.ACCESS_DENIED, "no such user");
        }
        yield GetIdentityReply.newBuilder()
            .setIdentity(
                Identity.newBuilder()
                    .setUser("c".repeat(64))
                    .setUserName("carol")
                    .setUserId("AIDACAROL")
                    .setPath("/team/")
                    .putPolicies("p", allow("s3:GetObject", "arn:aws:s3:::b/carols/*")))
            .build();
      }
      default -> throw new AssertionError(method.getName());
    };
  }

  private ObjectVersion found() throws StoreException {
    if (object == null) {
      throw new StoreException(ErrorCode.NO_SUCH_KEY, "Cannot find key");
    }
    return object;
  }

  private static String allow(String action, String resource) {
    return "{\"Statement\":{\"Effect\":\"Allow\",\"Action\":\""
        + action
        + "\",\"Resource\":\""
        + resource
        + "\"}}";
  }

  @BeforeEach
  void open() throws Exception {
    file = directory.resolve("audit.log");
    authorizer =
        new Authorizer(new StoreRules(), AuditLog.to(StoreClock.system(), file, 1 << 30, 1));
    door =
        new Door(
            (ObjectManager)
                Proxy.newProxyInstance(
                    ObjectManager.class.getClassLoader(),
                    new Class<?>[] {ObjectManager.class},
                    this::namespace),
            authorizer,
            new ShardGrants(new ShardTokens(ring, clock), Duration.ofHours(1)),
            Duration.ofMinutes(15),
            clock,
            new Door.Rates(3, 2, 1));
  }

  @AfterEach
  void close() {
    authorizer.close();
  }

  /** Policy of the bucket: one that lets bob do this there. */
  private void share(String effect, String actions, String resources) {
    String statement =
        "{\"Effect\":\""
            + effect
            + "\",\"Principal\":{\"AWS\":\"bob\"},\"Action\":["
            + actions
            + "],\"Resource\":["
            + resources
            + "]}";
    ByteString before = bucket.getSettingsMap().get("policy");
    String all =
        before == null
            ? "{\"Statement\":[" + statement + "]}"
            : before.toStringUtf8().replaceFirst("\\]}$", "," + statement + "]}");
    bucket = bucket.toBuilder().putSettings("policy", ByteString.copyFromUtf8(all)).build();
  }

  private static Message request(Method method) throws Exception {
    return (Message) method.getParameterTypes()[0].getMethod("getDefaultInstance").invoke(null);
  }

  private static Door.Visitor visitor(String user) {
    boolean root = user.startsWith("root");
    return new Door.Visitor(
        user,
        Set::of,
        root,
        root || user.equals("super"),
        user.endsWith("'s job") ? OwnSecrets.Proof.LENT : OwnSecrets.Proof.TICKET,
        true,
        new Origin("1:2", "10.0.0.1", "KERBEROS", ""));
  }

  private Message passed(String name, Message request, String user) throws Exception {
    return passed(name, request, user, GetBucketReply.getDefaultInstance());
  }

  private Message passed(String name, Message request, String user, Message reply)
      throws Exception {
    Message[] seen = {null};
    try {
      var unused =
          door.pass(
              name,
              request,
              visitor(user),
              allowed -> {
                seen[0] = allowed;
                return reply;
              });
      return seen[0];
    } catch (Exception e) {
      throw e;
    } catch (Throwable e) {
      throw new AssertionError(e);
    }
  }

  private void denied(String name, Message request, String user) {
    StoreException e = assertThrows(StoreException.class, () -> passed(name, request, user));
    assertEquals(ErrorCode.ACCESS_DENIED, e.code());
    assertTrue(e.getMessage().startsWith("Permission denied: user=" + user), e.getMessage());
  }

  /** Of every call that there is: one added later is closed until this test is told otherwise. */
  @Test
  void strangersGetThroughOnlyWhereNothingIsAnybodys() throws Exception {
    Set<String> open = new TreeSet<>();
    for (Method method : ObjectManager.class.getMethods()) {
      try {
        var unused = passed(method.getName(), request(method), "bob");
        open.add(method.getName());
      } catch (StoreException e) {
        assertEquals(ErrorCode.ACCESS_DENIED, e.code(), method.getName());
      }
    }
    open.remove("deleteObjects"); // answers for each object, and this was none
    assertEquals(new TreeSet<>(OPEN_TO_ALL), open);
  }

  @Test
  void administratorsMakeEveryCall() throws Exception {
    for (Method method : ObjectManager.class.getMethods()) {
      Message request = request(method);
      if (!method.getName().equals("deleteObjects") && !OwnSecrets.isOne(request)) {
        assertEquals(request, passed(method.getName(), request, "root"));
      }
    }
  }

  /** A job's token, or a proxy, could else come by secrets and keys that outlive it. */
  @Test
  void whatIsLentIsNoAdministrators() throws Exception {
    int refused = 0;
    for (Method method : ObjectManager.class.getMethods()) {
      String name = method.getName();
      Message request = request(method);
      if (name.equals("deleteObjects") || OwnSecrets.isOne(request)) {
        continue; // answers for each object; the other has a test of its own
      }
      if (Door.isOfAdministrators(name) || !isOfUsers(name, request)) {
        denied(name, request, "root's job");
        refused++;
      } else {
        Message passed =
            request instanceof ReportDamageRequest report
                ? report.toBuilder().setClaimed(true).build() // as any user's
                : request;
        assertEquals(passed, passed(name, request, "root's job"), name);
      }
    }
    long written =
        lines().stream()
            .filter(line -> !line.get("allowed").asBoolean())
            .filter(line -> line.get("user").asText().equals("root's job"))
            .filter(line -> line.get("why").asText().contains("no Kerberos ticket"))
            .count();
    assertEquals(refused, written);
    assertTrue(refused > 10);
  }

  /** Leases outlive the token, and what is written under them; so do nodes' bad names. */
  @Test
  void whoseRightsAreLentHasAUsersBounds() throws Exception {
    LeaseContainersRequest lease = LeaseContainersRequest.getDefaultInstance();
    for (int i = 0; i < 12; i++) {
      assertEquals(lease, passed("leaseContainer", lease, "root's job"));
    }
    overloaded("leaseContainer", lease, "root's job");
    ReleaseLeaseRequest release = ReleaseLeaseRequest.newBuilder().addSuspectNodes("n1").build();
    assertEquals(
        release.toBuilder().setClaimed(true).build(),
        passed("releaseLease", release, "root's job"));
    for (int i = 0; i < 4; i++) {
      assertEquals("token", issued("root's job"));
    }
    assertThrows(StoreException.class, () -> issued("root's job"));
    PutObjectRequest.Builder put = put("k").toBuilder();
    put.getManifestBuilder().addExtents(Extent.newBuilder().setContainer(7).setEpoch(5));
    PutObjectRequest anothers = put.build(); // bytes that he shows no lease for
    assertEquals(anothers, passed("putObject", anothers, "root"));
    StoreException e =
        assertThrows(StoreException.class, () -> passed("putObject", anothers, "root's job"));
    assertEquals(ErrorCode.ACCESS_DENIED, e.code());
  }

  private boolean isOfUsers(String name, Message request) throws Exception {
    try {
      var unused = passed(name, request, "super");
      return true;
    } catch (StoreException e) {
      assertEquals(ErrorCode.ACCESS_DENIED, e.code(), name);
      return false;
    }
  }

  /** Who may write somewhere could else tell lies of other buckets, or keep what he does untold. */
  @Test
  void onlyGatewaysSayWhomToTellOfAChange() throws Exception {
    share("Allow", "\"s3:*\"", "\"arn:aws:s3:::b/*\"");
    DeleteObjectsReply reply =
        DeleteObjectsReply.newBuilder().addObjects(DeletedObject.getDefaultInstance()).build();
    Set<String> sayIt = new TreeSet<>();
    for (Method method : ObjectManager.class.getMethods()) {
      Message request = filled(request(method), DoorTest::saying);
      if (!request.toString().contains("alices")) {
        continue; // no place for it
      }
      String name = method.getName();
      sayIt.add(name);
      FieldDescriptor ofBucket = request.getDescriptorForType().findFieldByName("bucket");
      request = request.toBuilder().setField(ofBucket, "b").build();
      if (request instanceof SetObjectMetadataRequest change) {
        request = change.toBuilder().setStamp(object.getStamp()).build();
      }
      assertEquals(request, passed(name, request, "root", reply));
      for (String user : List.of("alice", "bob", "super", "root's job")) {
        Message passed = passed(name, request, user, reply);
        assertFalse(passed.toString().contains("event"), name + " of " + user + ": " + passed);
      }
    }
    assertEquals(
        Set.of("completeUpload", "deleteObjects", "putObject", "setObjectMetadata"), sayIt);
  }

  private static Message saying(Message message) {
    return message instanceof EventNote note
        ? note.toBuilder().setName("ObjectRemoved:Delete").setBucket("alices").build()
        : message;
  }

  /** A message with what is put in, wherever in it there is a place for that. */
  private static Message filled(Message empty, UnaryOperator<Message> with) {
    Message filled = with.apply(empty);
    if (!filled.equals(empty)) {
      return filled;
    }
    Message.Builder all = empty.toBuilder();
    for (FieldDescriptor field : empty.getDescriptorForType().getFields()) {
      if (field.getJavaType() != FieldDescriptor.JavaType.MESSAGE || field.isMapField()) {
        continue;
      }
      Message nothing = all.newBuilderForField(field).build();
      Message something = filled(nothing, with);
      if (something.equals(nothing)) {
        continue;
      }
      if (field.isRepeated()) {
        all.addRepeatedField(field, something);
      } else {
        all.setField(field, something);
      }
    }
    return all.build();
  }

  private void overloaded(String name, Message request, String user) {
    StoreException e = assertThrows(StoreException.class, () -> passed(name, request, user));
    assertEquals(ErrorCode.OVERLOADED, e.code(), e.getMessage());
  }

  @Test
  void aUserAsksForLeasesAtABoundedRateAndWaitsForMore() throws Exception {
    LeaseContainersRequest lease = LeaseContainersRequest.getDefaultInstance();
    for (int i = 0; i < 12; i++) { // the tasks of a job begin together
      assertEquals(lease, passed("leaseContainer", lease, "bob"));
    }
    overloaded("leaseContainer", lease, "bob");
    overloaded("leaseContainer", lease, "bob");
    assertEquals(lease, passed("leaseContainer", lease, "alice"), "others have their own");
    for (int i = 0; i < 50; i++) {
      assertEquals(lease, passed("leaseContainer", lease, "root"), "services have no bound");
    }
    clock.advance(Duration.ofSeconds(21));
    assertEquals(lease, passed("leaseContainer", lease, "bob"));
    overloaded("leaseContainer", lease, "bob");
    List<JsonNode> lines = lines();
    assertEquals(1, lines.size(), "once a minute, or it would fill the log");
    assertEquals("bob", lines.get(0).get("user").asText());
    assertFalse(lines.get(0).get("allowed").asBoolean());
  }

  /** Each token is a row for a week, and forced. */
  @Test
  void aUserGetsTokensAtABoundedRate() throws Exception {
    for (int i = 0; i < 4; i++) {
      assertEquals("token", issued("bob"));
    }
    for (int i = 0; i < 2; i++) {
      StoreException e = assertThrows(StoreException.class, () -> issued("bob"));
      assertEquals(ErrorCode.OVERLOADED, e.code(), e.getMessage());
    }
    assertEquals("token", issued("alice"), "others have their own");
    for (int i = 0; i < 50; i++) {
      assertEquals("token", issued("root"));
    }
    clock.advance(Duration.ofSeconds(61));
    assertEquals("token", issued("bob"));
    assertThrows(StoreException.class, () -> issued("bob"));
    List<Boolean> ofBob =
        lines().stream()
            .filter(line -> line.get("user").asText().equals("bob"))
            .map(line -> line.get("allowed").asBoolean())
            .toList();
    assertEquals(List.of(true, true, true, true, false, true, false), ofBob, "once a minute");
  }

  private Object issued(String user) throws StoreException {
    try {
      return door.note(
          "issueToken",
          visitor(user),
          () -> {
            door.meterToken(visitor(user));
            return "token";
          });
    } catch (StoreException e) {
      throw e;
    } catch (Throwable e) {
      throw new AssertionError(e);
    }
  }

  @Test
  void whatAUserSaysOfDatanodesIsAClaimThatIsWrittenDown() throws Exception {
    ReportDamageRequest report =
        ReportDamageRequest.newBuilder().setContainer(7).addShards(1).setWhat("gone").build();
    ReleaseLeaseRequest release =
        ReleaseLeaseRequest.newBuilder().addSuspectNodes("n1").setClaimed(false).build();
    assertEquals(report, passed("reportDamage", report, "root"));
    assertEquals(release, passed("releaseLease", release, "root"));
    assertEquals(
        report.toBuilder().setClaimed(true).build(), passed("reportDamage", report, "bob"));
    assertEquals(
        release.toBuilder().setClaimed(true).build(), passed("releaseLease", release, "bob"));
    overloaded("reportDamage", report, "bob");
    // A lease is taken back in any case.
    assertEquals(
        release.toBuilder().clearSuspectNodes().build(), passed("releaseLease", release, "bob"));
    assertEquals( // services' are no claims
        List.of(
            "bob stowage:reportDamage true",
            "bob stowage:releaseLease true",
            "bob stowage:reportDamage false"),
        lines().stream()
            .map(
                line ->
                    line.get("user").asText()
                        + " "
                        + line.get("action").asText()
                        + " "
                        + line.get("allowed"))
            .toList());
  }

  @Test
  void ownersAndSuperusersUseTheBucket() throws Exception {
    for (Method method : ObjectManager.class.getMethods()) {
      Message request = request(method);
      boolean ofABucket =
          request.getDescriptorForType().findFieldByName("bucket") != null
              && request.getDescriptorForType().findFieldByName("bucket").getJavaType()
                  == FieldDescriptor.JavaType.STRING;
      if (ofABucket && !method.getName().equals("deleteObjects")) {
        if (request instanceof SetObjectMetadataRequest change) {
          request = change.toBuilder().setKey("k").setStamp(object.getStamp()).build();
        }
        assertEquals(request, passed(method.getName(), request, "alice"));
        assertEquals(request, passed(method.getName(), request, "super"));
      }
    }
    denied("listUsers", ListUsersRequest.getDefaultInstance(), "super");
  }

  /** Else what an administrator denies him of S3's settings he does over RPC, and unlooked at. */
  @Test
  void whatS3SetsOfABucketIsSetOverS3() throws Exception {
    UpdateBucketRequest update = UpdateBucketRequest.newBuilder().setName("b").build();
    CreateBucketRequest create = CreateBucketRequest.newBuilder().setName("new").build();
    ByteString value = ByteString.copyFromUtf8("{}");
    List<Message> settings =
        List.of(
            update.toBuilder().putPut("policy", value).build(),
            update.toBuilder().putPut("quota", value).putPut("acl", value).build(),
            update.toBuilder().putPut("notification.rules", value).build(),
            update.toBuilder().addRemove("publicAccessBlock").build(),
            update.toBuilder().setVersioning(Versioning.SUSPENDED).build(),
            create.toBuilder().putSettings("policy", value).build(),
            create.toBuilder().setVersioning(Versioning.ENABLED).build());
    for (Message request : settings) {
      String name = request instanceof UpdateBucketRequest ? "updateBucket" : "createBucket";
      for (String user : List.of("alice", "super", "root's job")) {
        denied(name, request, user);
      }
      assertEquals(request, passed(name, request, "root"), "a gateway has asked and looked");
    }
    UpdateBucketRequest erasure = update.toBuilder().setPolicy("rs-3-2").build();
    assertEquals(erasure, passed("updateBucket", erasure, "alice"));
    UpdateBucketRequest quota = update.toBuilder().putPut("quota", value).build();
    assertEquals(quota, passed("updateBucket", quota, "super"));
    denied("updateBucket", quota, "alice");
  }

  @Test
  void whoAsksIsTheOwnerWhateverHeSays() throws Exception {
    CreateBucketRequest create = CreateBucketRequest.newBuilder().setOwner("alice").build();
    assertEquals("bob", ((CreateBucketRequest) passed("createBucket", create, "bob")).getOwner());
    assertEquals(
        "alice", ((CreateBucketRequest) passed("createBucket", create, "root")).getOwner());
    assertEquals(
        "c".repeat(64), // the S3 user of this name is the same person
        ((CreateBucketRequest) passed("createBucket", create, "carol")).getOwner());
    ListBucketsRequest list = ListBucketsRequest.getDefaultInstance();
    assertEquals("bob", ((ListBucketsRequest) passed("listBuckets", list, "bob")).getOwner());
  }

  @Test
  void anotherOwnersSettingsAreNotShown() throws Exception {
    share("Allow", "\"s3:GetObject\"", "\"arn:aws:s3:::b/*\"");
    GetBucketRequest get = GetBucketRequest.newBuilder().setName("b").build();
    for (String user : List.of("alice", "bob")) {
      GetBucketReply reply = reply(get, user);
      assertEquals(user.equals("alice"), reply.getBucket().containsSettings("policy"), user);
    }
  }

  private GetBucketReply reply(GetBucketRequest get, String user) {
    try {
      return (GetBucketReply)
          door.pass(
              "getBucket",
              get,
              visitor(user),
              allowed -> GetBucketReply.newBuilder().setBucket(bucket).build());
    } catch (Throwable e) {
      throw new AssertionError(e);
    }
  }

  @Test
  void aSecretIsItsUsersAlone() throws Exception {
    GetSecretRequest own = GetSecretRequest.getDefaultInstance();
    assertEquals("bob", ((GetSecretRequest) passed("getSecret", own, "bob")).getUser());
    GetSecretRequest alices = own.toBuilder().setUser("alice").build();
    StoreException e = assertThrows(StoreException.class, () -> passed("getSecret", alices, "bob"));
    assertEquals(ErrorCode.ACCESS_DENIED, e.code());
    assertEquals("alice", ((GetSecretRequest) passed("getSecret", alices, "root")).getUser());
    List<JsonNode> lines = lines();
    assertEquals(
        List.of(true, false, true),
        lines.stream().map(line -> line.get("allowed").asBoolean()).toList());
    assertEquals("stowage:getSecret", lines.get(1).get("action").asText());
  }

  @Test
  void aCallThatIsNotKnownIsRefused() {
    denied("eraseAll", GetBucketReply.getDefaultInstance(), "alice");
  }

  private static GetObjectRequest get(String key) {
    return GetObjectRequest.newBuilder().setBucket("b").setKey(key).setWantManifest(true).build();
  }

  private static PutObjectRequest put(String key) {
    return PutObjectRequest.newBuilder().setBucket("b").setKey(key).build();
  }

  @Test
  void aBucketIsSharedByItsPolicyAsOverS3() throws Exception {
    denied("getObject", get("shared/a"), "bob");
    share("Allow", "\"s3:GetObject\", \"s3:PutObject\"", "\"arn:aws:s3:::b/shared/*\"");
    share("Allow", "\"s3:ListBucket\"", "\"arn:aws:s3:::b\"");
    share("Deny", "\"s3:PutObject\"", "\"arn:aws:s3:::b/shared/closed/*\"");
    assertEquals(get("shared/a"), passed("getObject", get("shared/a"), "bob"));
    denied("getObject", get("other/a"), "bob");
    denied("getObject", get("shared/a"), "eve");
    denied("putObject", put("shared/closed/a"), "bob");
    ListObjectsRequest list = ListObjectsRequest.newBuilder().setBucket("b").build();
    assertEquals(list, passed("listObjects", list, "bob"));
    denied("listObjects", list, "eve");
    PutObjectRequest forged =
        put("shared/a").toBuilder()
            .setMetadata(
                ObjectMetadata.newBuilder()
                    .setOwner("alice")
                    .setFile(FileAttributes.newBuilder().setOwner("alice")))
            .build();
    PutObjectRequest made = (PutObjectRequest) passed("putObject", forged, "bob");
    assertEquals("bob", made.getMetadata().getOwner());
    assertEquals("", made.getMetadata().getFile().getOwner());
    PutObjectRequest ofAJob = // whose process is yarn's, and who has alice's token
        put("own").toBuilder()
            .setMetadata(
                ObjectMetadata.newBuilder()
                    .setOwner("yarn")
                    .setFile(FileAttributes.newBuilder().setOwner("hive")))
            .build();
    PutObjectRequest hers = (PutObjectRequest) passed("putObject", ofAJob, "alice");
    assertEquals("alice", hers.getMetadata().getOwner());
    assertEquals("hive", hers.getMetadata().getFile().getOwner(), "as chown does");
    CreateUploadRequest upload =
        CreateUploadRequest.newBuilder()
            .setBucket("b")
            .setKey("own")
            .setMetadata(ofAJob.getMetadata())
            .build();
    assertEquals(
        hers.getMetadata(),
        ((CreateUploadRequest) passed("createUpload", upload, "alice")).getMetadata());
    assertEquals(ofAJob, passed("putObject", ofAJob, "root"), "superusers restore what was");
    PutObjectRequest granting =
        put("shared/a").toBuilder()
            .setMetadata(ObjectMetadata.newBuilder().addGrants("READ id=eve"))
            .build();
    denied("putObject", granting, "bob");
    // The key was asked about, not a row that he names.
    SyncFileRequest sync =
        SyncFileRequest.newBuilder().setBucket("b").setKey("shared/a").setRowKey("0").build();
    assertEquals("", ((SyncFileRequest) passed("syncFile", sync, "bob")).getRowKey());
    assertEquals("0", ((SyncFileRequest) passed("syncFile", sync, "alice")).getRowKey());
  }

  private static final ObjectMetadata TELLING =
      ObjectMetadata.newBuilder()
          .setOwner("alice")
          .setFile(FileAttributes.newBuilder().setPermissionPlusOne(0640 + 1))
          .putHeaders("content-type", "secret/type")
          .putUser("project", "secret")
          .putXattrs("user.x", ByteString.copyFromUtf8("secret"))
          .putTags("secret", "tag")
          .addGrants("READ id=secret")
          .setLock(
              ObjectLock.newBuilder()
                  .setMode(LockMode.GOVERNANCE)
                  .setRetainUntilMicros(7)
                  .setLegalHold(LegalHold.HOLD_ON))
          .setEncryption(Encryption.newBuilder().setMode(EncryptionMode.SSE_KMS).setKeyName("k"))
          .build();

  /** Parts of what there is that bob is told of it. */
  private String told(String name, Message request, Message reply) throws Exception {
    Message answer;
    try {
      answer = (Message) door.pass(name, request, visitor("bob"), allowed -> reply);
    } catch (Exception e) {
      throw e;
    } catch (Throwable e) {
      throw new AssertionError(e);
    }
    ObjectVersion version = versionIn(answer);
    ObjectMetadata metadata = version.getMetadata();
    assertEquals("alice", metadata.getOwner());
    assertEquals(TELLING.getFile(), metadata.getFile());
    assertEquals(5, version.getLength());
    assertEquals(
        metadata.getUserCount() > 0, version.getChecksumsCount() + metadata.getXattrsCount() == 2);
    assertEquals(metadata.getUserCount() > 0, metadata.hasEncryption());
    assertEquals(metadata.getUserCount() > 0, version.getPartLengthsCount() == 2);
    assertEquals(2, version.getPartCount()); // which its ETag tells, too
    return (metadata.getUserCount() > 0 ? "content " : "")
        + (metadata.getTagsCount() > 0 ? "tags " : "")
        + (metadata.getGrantsCount() > 0 ? "grants " : "")
        + (metadata.getLock().getMode() != LockMode.UNLOCKED ? "retention " : "")
        + (metadata.getLock().getLegalHold() == LegalHold.HOLD_ON ? "hold" : "");
  }

  /** The first object that an answer tells of, beside its records. */
  private static ObjectVersion versionIn(Message answer) {
    for (Object said : answer.getAllFields().values()) {
      Object first = said instanceof List<?> all ? all.get(0) : said;
      if (first instanceof ObjectVersion version) {
        return version;
      }
      if (first instanceof ListedVersion listed) {
        return listed.getVersion();
      }
    }
    throw new AssertionError(answer.toString());
  }

  private static String callOf(Message request) {
    String name = request.getDescriptorForType().getName().replace("Request", "");
    return Character.toLowerCase(name.charAt(0)) + name.substring(1);
  }

  /** The same as over S3, where each has an action of its own and HEAD is to read. */
  @Test
  void aLookTellsWhatMayBeKnown() throws Exception {
    object =
        ObjectVersion.newBuilder()
            .setKey("k")
            .setStamp(7)
            .setLength(5)
            .setPartCount(2)
            .addAllPartLengths(List.of(2L, 3L))
            .addChecksums(Checksum.getDefaultInstance())
            .setMetadata(TELLING)
            .build();
    GetObjectRequest look = GetObjectRequest.newBuilder().setBucket("b").setKey("k").build();
    GetObjectReply got = GetObjectReply.newBuilder().setVersion(object).build();
    ListObjectsRequest list = ListObjectsRequest.newBuilder().setBucket("b").build();
    ListObjectsReply listed = ListObjectsReply.newBuilder().addObjects(object).build();
    share("Allow", "\"s3:ListBucket\", \"s3:ListBucketVersions\"", "\"arn:aws:s3:::b\"");
    assertEquals("", told("getObject", look, got));
    assertEquals("", told("listObjects", list, listed));
    assertEquals(
        "",
        told(
            "listVersions",
            ListVersionsRequest.newBuilder().setBucket("b").build(),
            ListVersionsReply.newBuilder()
                .addVersions(ListedVersion.newBuilder().setVersion(object))
                .build()));
    // What he changes from that leaves what he was not told.
    share("Allow", "\"s3:PutObject\"", "\"arn:aws:s3:::b/*\"");
    ObjectMetadata seen =
        ObjectMetadata.newBuilder()
            .setOwner("alice")
            .setFile(TELLING.getFile().toBuilder().setModifiedMillisPlusOne(9))
            .build();
    SetObjectMetadataRequest change =
        SetObjectMetadataRequest.newBuilder()
            .setBucket("b")
            .setKey("k")
            .setStamp(7)
            .setMetadata(seen)
            .build();
    assertEquals(
        TELLING.toBuilder().setFile(seen.getFile()).build(),
        ((SetObjectMetadataRequest) passed("setObjectMetadata", change, "bob")).getMetadata());
    share("Allow", "\"s3:GetObject\"", "\"arn:aws:s3:::b/*\"");
    assertEquals("content ", told("getObject", look, got));
    assertEquals("content ", told("getObject", get("k"), got));
    assertEquals("", told("listObjects", list, listed));
    for (String part : List.of("Tagging", "Acl", "Retention", "LegalHold")) {
      share("Allow", "\"s3:GetObject" + part + "\"", "\"arn:aws:s3:::b/*\"");
    }
    assertEquals("content tags grants retention hold", told("getObject", look, got));
    share("Deny", "\"s3:GetObjectTagging\"", "\"arn:aws:s3:::b/*\"");
    assertEquals("content grants retention hold", told("getObject", look, got));
  }

  private void assertTold(String expected, Map<Message, Message> calls) throws Exception {
    for (Map.Entry<Message, Message> call : calls.entrySet()) {
      String name = callOf(call.getKey());
      assertEquals(expected, told(name, call.getKey(), call.getValue()), name);
    }
  }

  /** Whichever call it is: else one finds out by another what a look does not tell. */
  @Test
  void everyAnswerAboutAnObjectTellsWhatMayBeKnown() throws Exception {
    object =
        ObjectVersion.newBuilder()
            .setKey("k")
            .setStamp(7)
            .setLength(5)
            .setPartCount(2)
            .addAllPartLengths(List.of(2L, 3L))
            .addChecksums(Checksum.getDefaultInstance())
            .setMetadata(TELLING)
            .build();
    FindPathRequest find = FindPathRequest.newBuilder().setBucket("b").setPath("k").build();
    FindPathRequest directory = find.toBuilder().setPath("d").build();
    FindPathReply found = FindPathReply.newBuilder().setVersion(object).build();
    FindPathReply marked = found.toBuilder().setDirectory(true).build();
    RenameObjectRequest rename =
        RenameObjectRequest.newBuilder().setBucket("b").setSource("k").setTarget("t").build();
    RenameObjectReply renamed = RenameObjectReply.newBuilder().setVersion(object).build();
    Map<Message, Message> looks = Map.of(find, found, directory, marked);
    Map<Message, Message> writes =
        Map.of(
            put("k"), // sent again, under a write id that is another's
            PutObjectReply.newBuilder().setVersion(object).build(),
            RecoverFileRequest.newBuilder().setBucket("b").setKey("k").build(),
            RecoverFileReply.newBuilder().setVersion(object).build(),
            SyncFileRequest.newBuilder().setBucket("b").setKey("k").setClose(true).build(),
            SyncFileReply.newBuilder().setVersion(object).build(),
            CompleteUploadRequest.newBuilder().setBucket("b").setKey("k").build(),
            CompleteUploadReply.newBuilder().setVersion(object).build(),
            change(TELLING.toBuilder()),
            SetObjectMetadataReply.newBuilder().setVersion(object).build());
    Map<Message, Message> reads =
        Map.of(
            OpenFileRequest.newBuilder().setBucket("b").setKey("k").build(),
            OpenFileReply.newBuilder().setVersion(object).build(),
            rename,
            renamed);
    share("Allow", "\"s3:ListBucket\"", "\"arn:aws:s3:::b\"");
    assertTold("", looks);
    share("Allow", "\"s3:PutObject\", \"s3:DeleteObject\"", "\"arn:aws:s3:::b/*\"");
    assertTold("", looks);
    assertTold("", writes);
    share("Allow", "\"s3:GetObject\"", "\"arn:aws:s3:::b/*\"");
    for (Map<Message, Message> calls : List.of(looks, writes, reads)) {
      assertTold("content ", calls);
    }
    for (String part : List.of("Tagging", "Acl", "Retention", "LegalHold")) {
      share("Allow", "\"s3:GetObject" + part + "\"", "\"arn:aws:s3:::b/*\"");
    }
    for (Map<Message, Message> calls : List.of(looks, writes, reads)) {
      assertTold("content tags grants retention hold", calls);
    }
    // By the names that they have: a directory its marker's, what was moved the new one.
    share("Deny", "\"s3:GetObject\"", "\"arn:aws:s3:::b/d/\"");
    assertEquals("tags grants retention hold", told("findPath", directory, marked));
    assertEquals("content tags grants retention hold", told("findPath", find, found));
    share("Deny", "\"s3:GetObjectTagging\"", "\"arn:aws:s3:::b/t\"");
    assertEquals("content grants retention hold", told("renameObject", rename, renamed));
  }

  /** What bob hears. */
  private String heard(Message request, Door.Call call) throws Exception {
    try {
      var unused = door.pass(callOf(request), request, visitor("bob"), call);
      return "told";
    } catch (StoreException e) {
      return e.code().name();
    } catch (Throwable e) {
      throw new AssertionError(e);
    }
  }

  /**
   * As over S3, where whoever may read but not list hears 403 of a key that is not there: he is not
   * told by a status either whether it is, nor whether anything is below it.
   */
  @Test
  void aPathThatIsNoFileIsToldToWhoMayList() throws Exception {
    object = null;
    FindPathRequest now = FindPathRequest.newBuilder().setBucket("b").setPath("k").build();
    FindPathRequest past = now.toBuilder().setSnapshot("s").build();
    Door.Call file =
        allowed -> FindPathReply.newBuilder().setVersion(ObjectVersion.newBuilder()).build();
    Door.Call implied = allowed -> FindPathReply.newBuilder().setDirectory(true).build();
    Door.Call absent = allowed -> FindPathReply.newBuilder().setAbsent(true).build();
    Door.Call refused =
        allowed -> {
          throw new StoreException(ErrorCode.NO_SUCH_KEY, "Cannot find k");
        };
    for (String action : List.of("s3:GetObject", "s3:GetObjectVersion")) {
      share("Allow", '"' + action + '"', "\"arn:aws:s3:::b/*\"");
    }
    for (FindPathRequest find : List.of(now, past)) {
      assertEquals("told", heard(find, file));
      for (Door.Call noFile : List.of(implied, absent, refused)) {
        assertEquals("ACCESS_DENIED", heard(find, noFile));
      }
    }
    share("Allow", "\"s3:ListBucket\"", "\"arn:aws:s3:::b\"");
    assertEquals("told", heard(now, implied));
    assertEquals("told", heard(now, absent));
    assertEquals("NO_SUCH_KEY", heard(now, refused));
    assertEquals("ACCESS_DENIED", heard(past, absent));
    share("Allow", "\"s3:ListBucketVersions\"", "\"arn:aws:s3:::b\"");
    assertEquals("told", heard(past, absent));
  }

  @Test
  void thatAKeyIsNotThereIsToldToWhoMayList() throws Exception {
    object = null;
    GetObjectRequest now = GetObjectRequest.newBuilder().setBucket("b").setKey("k").build();
    GetObjectRequest past = now.toBuilder().setSnapshot("s").build();
    Door.Call absent =
        allowed -> {
          throw new StoreException(ErrorCode.NO_SUCH_KEY, "Cannot find k");
        };
    for (String action : List.of("s3:GetObject", "s3:GetObjectVersion")) {
      share("Allow", '"' + action + '"', "\"arn:aws:s3:::b/*\"");
    }
    ObjectVersion marker = ObjectVersion.newBuilder().setDeleteMarker(true).build();
    Door.Call deleted = allowed -> GetObjectReply.newBuilder().setVersion(marker).build();
    assertEquals("ACCESS_DENIED", heard(now, absent));
    assertEquals("ACCESS_DENIED", heard(now, deleted));
    assertEquals("ACCESS_DENIED", heard(past, absent));
    share("Allow", "\"s3:ListBucket\"", "\"arn:aws:s3:::b\"");
    assertEquals("told", heard(now, deleted));
    assertEquals("NO_SUCH_KEY", heard(now, absent));
    assertEquals("ACCESS_DENIED", heard(past, absent));
  }

  /** Nor by what one would do with it: over S3 the source of a copy is hidden, too. */
  @Test
  void thatThereIsNothingToWorkOnIsToldToWhoMayList() throws Exception {
    object = null;
    List<Message> works =
        List.of(
            OpenFileRequest.newBuilder().setBucket("b").setKey("k").build(),
            RecoverFileRequest.newBuilder().setBucket("b").setKey("k").build(),
            RenameObjectRequest.newBuilder()
                .setBucket("b")
                .setSource("k")
                .setTarget("anything")
                .build());
    Door.Call absent =
        allowed -> {
          throw new StoreException(ErrorCode.NO_SUCH_KEY, "Cannot find k");
        };
    Door.Call taken =
        allowed -> {
          throw new StoreException(ErrorCode.CONFLICT, "It is being written");
        };
    share(
        "Allow", "\"s3:GetObject\", \"s3:PutObject\", \"s3:DeleteObject\"", "\"arn:aws:s3:::b/*\"");
    for (Message work : works) {
      assertEquals("ACCESS_DENIED", heard(work, absent), callOf(work));
      assertEquals("CONFLICT", heard(work, taken), callOf(work));
    }
    share("Allow", "\"s3:ListBucket\"", "\"arn:aws:s3:::b\"");
    for (Message work : works) {
      assertEquals("NO_SUCH_KEY", heard(work, absent), callOf(work));
    }
  }

  /** In a tree permissions say who may know, by the way to it, but not against a policy. */
  @Test
  void inATreeWhatIsNotThereIsToldUnlessListingIsDenied() throws Exception {
    bucket = bucket.toBuilder().setLayout(BucketLayout.FILE_SYSTEM).build();
    object = null;
    FindPathRequest find = FindPathRequest.newBuilder().setBucket("b").setPath("d/k").build();
    OpenFileRequest open = OpenFileRequest.newBuilder().setBucket("b").setKey("d/k").build();
    Door.Call nothing =
        allowed -> {
          throw new StoreException(ErrorCode.NO_SUCH_KEY, "Cannot find d/k");
        };
    Door.Call absent = allowed -> FindPathReply.newBuilder().setAbsent(true).build();
    Door.Call directory = allowed -> FindPathReply.newBuilder().setDirectory(true).build();
    for (int policies = 0; policies < 2; policies++) { // whatever lets him in
      assertEquals("told", heard(find, absent));
      for (Message request : List.of(find, get("d/k"), open)) {
        assertEquals("NO_SUCH_KEY", heard(request, nothing), callOf(request));
      }
      share("Allow", "\"s3:GetObject\", \"s3:PutObject\"", "\"arn:aws:s3:::b/*\"");
    }
    share("Deny", "\"s3:ListBucket\"", "\"arn:aws:s3:::b\"");
    assertEquals("ACCESS_DENIED", heard(find, absent));
    for (Message request : List.of(find, get("d/k"), open)) {
      assertEquals("ACCESS_DENIED", heard(request, nothing), callOf(request));
    }
    assertEquals("told", heard(find, directory)); // which is there, as its marker over S3
  }

  /** Not as something else was, that was there before. */
  @Test
  void whatAChangeHasMadeIsJudgedAsItIs() throws Exception {
    String tagged =
        """
        {"Statement":[
         {"Effect":"Allow","Principal":"*","Action":"s3:PutObject","Resource":"arn:aws:s3:::b/*"},
         {"Effect":"Allow","Principal":"*","Action":"s3:GetObject","Resource":"arn:aws:s3:::b/*",
          "Condition":{"StringEquals":{"s3:ExistingObjectTag/open":"yes"}}}]}\
        """;
    bucket = bucket.toBuilder().putSettings("policy", ByteString.copyFromUtf8(tagged)).build();
    ObjectVersion shut =
        ObjectVersion.newBuilder()
            .setMetadata(ObjectMetadata.newBuilder().setOwner("alice").putUser("a", "b"))
            .build();
    ObjectVersion open =
        shut.toBuilder().setMetadata(shut.getMetadata().toBuilder().putTags("open", "yes")).build();
    object = open;
    assertEquals(0, userDataTold(shut));
    object = shut;
    assertEquals(1, userDataTold(open));
    // Who puts something in another's bucket owns it, and reads it.
    ObjectMetadata his = shut.getMetadata().toBuilder().setOwner("bob").build();
    assertEquals(1, userDataTold(shut.toBuilder().setMetadata(his).build()));
  }

  private int userDataTold(ObjectVersion put) throws Exception {
    PutObjectReply reply = PutObjectReply.newBuilder().setVersion(put).build();
    return versionIn(told("putObject", put("k"), "bob", reply)).getMetadata().getUserCount();
  }

  @Test
  void anUploadTellsWhoseItIsAndNotWhatTheObjectWillSay() throws Exception {
    share("Allow", "\"s3:ListMultipartUploadParts\"", "\"arn:aws:s3:::b/*\"");
    share("Allow", "\"s3:ListBucketMultipartUploads\"", "\"arn:aws:s3:::b\"");
    UploadInfo upload =
        UploadInfo.newBuilder()
            .setKey("k")
            .setInitiator("alice")
            .setMetadata(TELLING.toBuilder().setStorageClass("GLACIER"))
            .build();
    ObjectMetadata.Builder told =
        ObjectMetadata.newBuilder().setOwner("alice").setStorageClass("GLACIER");
    told.getEncryptionBuilder().setMode(EncryptionMode.SSE_KMS);
    UploadInfo known = upload.toBuilder().setMetadata(told).build();
    told.setEncryption(TELLING.getEncryption());
    UploadInfo envelope = upload.toBuilder().setMetadata(told).build();
    assertUploads("bob", upload, known, known);
    share("Allow", "\"s3:PutObject\"", "\"arn:aws:s3:::b/*\"");
    assertUploads("bob", upload, envelope, known); // he may add parts, which are encrypted so
    assertUploads("alice", upload, envelope, known);
    assertUploads("super", upload, upload, upload);
  }

  private void assertUploads(
      String user, UploadInfo upload, UploadInfo byItsParts, UploadInfo byAListing)
      throws Exception {
    ListPartsReply parts = ListPartsReply.newBuilder().setUpload(upload).build();
    assertEquals(
        parts.toBuilder().setUpload(byItsParts).build(),
        told(
            "listParts",
            ListPartsRequest.newBuilder().setBucket("b").setKey("k").build(),
            user,
            parts));
    ListUploadsReply uploads = ListUploadsReply.newBuilder().addUploads(upload).build();
    assertEquals(
        uploads.toBuilder().setUploads(0, byAListing).build(),
        told("listUploads", ListUploadsRequest.newBuilder().setBucket("b").build(), user, uploads));
  }

  @Test
  void whatIsMovedIsReadAndTakenAwayAndWritten() throws Exception {
    RenameObjectRequest rename =
        RenameObjectRequest.newBuilder().setBucket("b").setSource("a").setTarget("t").build();
    share("Allow", "\"s3:GetObject\", \"s3:PutObject\"", "\"arn:aws:s3:::b/*\"");
    denied("renameObject", rename, "bob");
    share("Allow", "\"s3:DeleteObject\"", "\"arn:aws:s3:::b/*\"");
    assertEquals(rename, passed("renameObject", rename, "bob"));
    RenamePrefixRequest prefix =
        RenamePrefixRequest.newBuilder()
            .setBucket("b")
            .setSourcePrefix("d/")
            .setTargetPrefix("e/")
            .build();
    assertEquals(prefix, passed("renamePrefix", prefix, "bob"));
    share("Deny", "\"s3:GetObject\"", "\"arn:aws:s3:::b/d/secret/*\"");
    denied("renamePrefix", prefix, "bob"); // what is below is not asked about key by key
    assertEquals(rename, passed("renameObject", rename, "bob"));
  }

  @Test
  void whatIsBelowADirectoryThatIsMovedIsAskedForToo() throws Exception {
    bucket = bucket.toBuilder().setLayout(BucketLayout.FILE_SYSTEM).build();
    RenameObjectRequest rename =
        RenameObjectRequest.newBuilder().setBucket("b").setSource("d").setTarget("e").build();
    share("Allow", "\"s3:*\"", "\"arn:aws:s3:::b/*\"");
    assertEquals(rename, passed("renameObject", rename, "bob"));
    BucketInfo shared = bucket;
    for (String denial : List.of("GetObject", "DeleteObject")) {
      bucket = shared;
      share("Deny", "\"s3:" + denial + "\"", "\"arn:aws:s3:::b/d/secret/*\"");
      denied("renameObject", rename, "bob"); // he would read it where it comes to be
    }
    bucket = shared;
    share("Deny", "\"s3:PutObject\"", "\"arn:aws:s3:::b/e/closed/*\"");
    denied("renameObject", rename, "bob");
  }

  @Test
  void whatASnapshotHoldsIsReadAsAnOlderVersionIs() throws Exception {
    share("Allow", "\"s3:GetObject\"", "\"arn:aws:s3:::b/*\"");
    share("Allow", "\"s3:ListBucket\"", "\"arn:aws:s3:::b\"");
    GetObjectRequest past = get("a").toBuilder().setSnapshot("s").build();
    ListObjectsRequest list =
        ListObjectsRequest.newBuilder().setBucket("b").setSnapshot("s").build();
    FindPathRequest find =
        FindPathRequest.newBuilder().setBucket("b").setPath("a").setSnapshot("s").build();
    var unused = passed("getObject", get("a"), "bob");
    denied("getObject", past, "bob");
    denied("getObject", past.toBuilder().clearWantManifest().build(), "bob");
    denied("listObjects", list, "bob");
    denied("findPath", find, "bob");
    share("Allow", "\"s3:GetObjectVersion\"", "\"arn:aws:s3:::b/*\"");
    share("Allow", "\"s3:ListBucketVersions\"", "\"arn:aws:s3:::b\"");
    assertEquals(past, passed("getObject", past, "bob"));
    assertEquals(list, passed("listObjects", list, "bob"));
    assertEquals(find, passed("findPath", find, "bob"));
    for (Message change :
        List.of(
            CreateSnapshotRequest.newBuilder().setBucket("b").build(),
            DeleteSnapshotRequest.newBuilder().setBucket("b").build())) {
      String name = change instanceof CreateSnapshotRequest ? "createSnapshot" : "deleteSnapshot";
      denied(name, change, "bob");
      assertEquals(change, passed(name, change, "alice"));
    }
  }

  /** Conditions and names of policies mean over RPC what they mean over S3. */
  @Test
  void aPolicyKnowsACallerByAllHisNames() throws Exception {
    String denials =
        """
        {"Statement":[
         {"Effect":"Allow","Principal":"*","Action":"s3:*","Resource":"arn:aws:s3:::b/*"},
         {"Effect":"Deny","Principal":{"AWS":"arn:aws:iam::000000000000:user/team/carol"},
          "Action":"s3:GetObject","Resource":"arn:aws:s3:::b/a"},
         {"Effect":"Deny","Principal":"*","Action":"s3:GetObject","Resource":"arn:aws:s3:::b/b",
          "Condition":{"StringEquals":
            {"aws:PrincipalArn":"arn:aws:iam::000000000000:user/team/carol"}}},
         {"Effect":"Deny","Principal":"*","Action":"s3:PutObject","Resource":"arn:aws:s3:::b/*",
          "Condition":{"StringEquals":{"s3:RequestObjectTag/secret":"yes"}}},
         {"Effect":"Deny","Principal":"*","Action":"s3:*","Resource":"arn:aws:s3:::b/far",
          "Condition":{"NotIpAddress":{"aws:SourceIp":"10.1.0.0/16"}}}]}\
        """;
    bucket = bucket.toBuilder().putSettings("policy", ByteString.copyFromUtf8(denials)).build();
    denied("getObject", get("a"), "carol");
    denied("getObject", get("b"), "carol");
    denied("getObject", get("far"), "carol");
    assertEquals(get("a"), passed("getObject", get("a"), "bob"));
    assertEquals(get("b"), passed("getObject", get("b"), "bob"));
    PutObjectRequest tagged =
        put("t").toBuilder()
            .setMetadata(ObjectMetadata.newBuilder().putTags("secret", "yes"))
            .build();
    denied("putObject", tagged, "bob");
    var unused = passed("putObject", put("t"), "bob");
  }

  @Test
  void anOlderVersionIsNamedInTheAuditLogAndToPolicies() throws Exception {
    GetObjectRequest old = get("a").toBuilder().setVersionId(5).build();
    denied("getObject", old, "bob");
    var unused = passed("getObject", old, "alice");
    List<JsonNode> lines = lines();
    assertEquals("s3:GetObjectVersion", lines.get(0).get("action").asText());
    assertEquals(VersionText.of(5), lines.get(0).get("version").asText());
    assertEquals(VersionText.of(5), lines.get(1).get("version").asText());
  }

  @Test
  void aBucketThatIsMadeIsNamedInTheAuditLog() throws Exception {
    CreateBucketRequest create = CreateBucketRequest.newBuilder().setName("new").build();
    var unused = passed("createBucket", create, "bob");
    assertEquals("new", lines().get(0).get("bucket").asText());
  }

  @Test
  void eachOfManyDeletionsIsDecided() throws Exception {
    share("Allow", "\"s3:DeleteObject\"", "\"arn:aws:s3:::b/shared/*\"");
    DeleteObjectsRequest.Builder delete = DeleteObjectsRequest.newBuilder().setBucket("b");
    for (String key : List.of("shared/a", "a", "shared/b")) {
      delete.addObjects(ObjectToDelete.newBuilder().setKey(key));
    }
    List<String> reached = new ArrayList<>();
    DeleteObjectsReply reply;
    try {
      reply =
          (DeleteObjectsReply)
              door.pass(
                  "deleteObjects",
                  delete.build(),
                  visitor("bob"),
                  allowed -> {
                    DeleteObjectsReply.Builder done = DeleteObjectsReply.newBuilder();
                    for (ObjectToDelete what : ((DeleteObjectsRequest) allowed).getObjectsList()) {
                      reached.add(what.getKey());
                      done.addObjects(DeletedObject.newBuilder().setKey(what.getKey()).setStamp(1));
                    }
                    return done.build();
                  });
    } catch (Throwable e) {
      throw new AssertionError(e);
    }
    assertEquals(List.of("shared/a", "shared/b"), reached);
    assertEquals(
        List.of("shared/a", "a", "shared/b"),
        reply.getObjectsList().stream().map(DeletedObject::getKey).toList());
    assertEquals(ErrorCode.ACCESS_DENIED.number(), reply.getObjects(1).getErrorCode());
    assertEquals(1, reply.getObjects(2).getStamp());
  }

  /** To say that governance is bypassed is one thing, to be allowed to another. */
  @Test
  void bypassingGovernanceIsAPermissionOfItsOwn() throws Exception {
    share(
        "Allow",
        "\"s3:DeleteObjectVersion\", \"s3:PutObjectRetention\", \"s3:PutObjectLegalHold\"",
        "\"arn:aws:s3:::b/*\"");
    ObjectToDelete.Builder version = ObjectToDelete.newBuilder().setKey("k").setVersionId(5);
    DeleteObjectsRequest plain =
        DeleteObjectsRequest.newBuilder().setBucket("b").addObjects(version).build();
    DeleteObjectsRequest delete =
        plain.toBuilder().setObjects(0, version.setBypassGovernance(true)).build();
    DeleteObjectsReply reply =
        DeleteObjectsReply.newBuilder().addObjects(DeletedObject.getDefaultInstance()).build();
    SetObjectMetadataRequest lock =
        change(
            ObjectMetadata.newBuilder()
                .setLock(ObjectLock.newBuilder().setMode(LockMode.GOVERNANCE)));
    SetObjectMetadataRequest bypassing = lock.toBuilder().setBypassGovernance(true).build();
    assertEquals(1, deleted(plain, reply));
    assertEquals(lock, passed("setObjectMetadata", lock, "bob"));
    assertEquals(0, deleted(delete, reply));
    denied("setObjectMetadata", bypassing, "bob");
    share("Allow", "\"s3:BypassGovernanceRetention\"", "\"arn:aws:s3:::b/*\"");
    assertEquals(1, deleted(delete, reply));
    assertEquals(bypassing, passed("setObjectMetadata", bypassing, "bob"));
  }

  /** How many of bob's deletions get through. */
  private int deleted(DeleteObjectsRequest request, DeleteObjectsReply reply) throws Exception {
    Message passed = passed("deleteObjects", request, "bob", reply);
    return passed == null ? 0 : ((DeleteObjectsRequest) passed).getObjectsCount();
  }

  @Test
  void aChangeDemandsWhatItChanges() throws Exception {
    share("Allow", "\"s3:PutObject\"", "\"arn:aws:s3:::b/*\"");
    object =
        object.toBuilder()
            .setMetadata(ObjectMetadata.newBuilder().setOwner("alice").putHeaders("a", "b"))
            .build();
    SetObjectMetadataRequest times =
        SetObjectMetadataRequest.newBuilder()
            .setBucket("b")
            .setKey("k")
            .setStamp(7)
            .setMetadata(
                object.getMetadata().toBuilder()
                    .setFile(FileAttributes.newBuilder().setModifiedMillisPlusOne(1)))
            .build();
    assertEquals(times, passed("setObjectMetadata", times, "bob"));
    ObjectMetadata.Builder his = object.getMetadata().toBuilder().setOwner("bob");
    denied("setObjectMetadata", times.toBuilder().setMetadata(his).build(), "bob");
    ObjectMetadata.Builder open = object.getMetadata().toBuilder().addGrants("READ id=bob");
    denied("setObjectMetadata", times.toBuilder().setMetadata(open).build(), "bob");
    ObjectMetadata.Builder tagged = object.getMetadata().toBuilder().putTags("t", "v");
    denied("setObjectMetadata", times.toBuilder().setMetadata(tagged).build(), "bob");
    share("Allow", "\"s3:GetObject\"", "\"arn:aws:s3:::b/*\"");
    StoreException e =
        assertThrows(
            StoreException.class,
            () -> passed("setObjectMetadata", times.toBuilder().setStamp(6).build(), "bob"));
    assertEquals(ErrorCode.CONFLICT, e.code());
  }

  private static SetObjectMetadataRequest change(ObjectMetadata.Builder metadata) {
    return SetObjectMetadataRequest.newBuilder()
        .setBucket("b")
        .setKey("k")
        .setStamp(7)
        .setMetadata(metadata)
        .build();
  }

  private static ObjectMetadata.Builder bits(int bits) {
    return ObjectMetadata.newBuilder()
        .setFile(FileAttributes.newBuilder().setPermissionPlusOne(bits + 1));
  }

  /** What a policy denies its owner, too, is asked by its name. */
  @Test
  void anOwnersChangeDemandsWhatItChanges() throws Exception {
    String denial =
        """
        {"Statement":[{"Effect":"Deny","Principal":"*","Action":"s3:PutObjectAcl",
                       "Resource":"arn:aws:s3:::b/*"}]}\
        """;
    bucket = bucket.toBuilder().putSettings("policy", ByteString.copyFromUtf8(denial)).build();
    denied("setObjectMetadata", change(bits(0777)), "alice");
    SetObjectMetadataRequest tagged = change(ObjectMetadata.newBuilder().putTags("t", "v"));
    assertEquals(tagged, passed("setObjectMetadata", tagged, "alice"));
    SetObjectMetadataRequest given = change(ObjectMetadata.newBuilder().setOwner("bob"));
    assertEquals(given, passed("setObjectMetadata", given, "alice"));
    assertEquals(change(bits(0777)), passed("setObjectMetadata", change(bits(0777)), "super"));
    List<String> actions = lines().stream().map(line -> line.get("action").asText()).toList();
    assertEquals(
        List.of("s3:PutObjectAcl", "s3:PutObjectTagging", "stowage:SetOwner", "s3:PutObject"),
        actions);
  }

  /** Whether there is something is told to who may look, and what is written down was decided. */
  @Test
  void aChangeTellsNobodyWhatThereIs() throws Exception {
    share("Allow", "\"s3:PutObject\"", "\"arn:aws:s3:::b/*\"");
    SetObjectMetadataRequest stale = change(bits(0777)).toBuilder().setStamp(6).build();
    denied("setObjectMetadata", stale, "bob"); // he may write, and not look
    ObjectVersion there = object;
    object = null;
    denied("setObjectMetadata", stale, "bob");
    share("Allow", "\"s3:ListBucket\"", "\"arn:aws:s3:::b\"");
    assertEquals(ErrorCode.NO_SUCH_KEY, codeOf(stale, "bob"));
    object = there;
    assertEquals(ErrorCode.CONFLICT, codeOf(stale, "bob"));
    // In a tree, by permissions: nothing is told of what he does not come to.
    bucket =
        BucketInfo.newBuilder()
            .setName("b")
            .setOwner("alice")
            .setLayout(BucketLayout.FILE_SYSTEM)
            .build();
    assertEquals(ErrorCode.CONFLICT, codeOf(stale, "bob"));
    reachable = false;
    assertEquals(ErrorCode.ACCESS_DENIED, codeOf(stale, "bob"));
    object = null;
    assertEquals(ErrorCode.ACCESS_DENIED, codeOf(stale, "bob"));
    List<String> lines = new ArrayList<>();
    for (JsonNode line : lines()) {
      lines.add(line.get("action").asText() + " " + line.get("allowed").asText());
    }
    assertEquals(
        List.of(
            "s3:GetObject false",
            "s3:GetObject false",
            "s3:ListBucket true",
            "s3:ListBucket true",
            "s3:GetObject true",
            "s3:GetObject false",
            "s3:GetObject false"),
        lines);
  }

  private ErrorCode codeOf(Message change, String user) {
    return assertThrows(StoreException.class, () -> passed("setObjectMetadata", change, user))
        .code();
  }

  @Test
  void attributesOfAdministratorsAreNobodyElses() throws Exception {
    share("Allow", "\"*\"", "\"arn:aws:s3:::b/*\", \"arn:aws:s3:::b\"");
    ObjectMetadata.Builder trusted =
        ObjectMetadata.newBuilder().putXattrs("trusted.seal", ByteString.copyFromUtf8("x"));
    ObjectMetadata.Builder own =
        ObjectMetadata.newBuilder().putXattrs("user.colour", ByteString.copyFromUtf8("red"));
    for (String user : List.of("alice", "bob")) {
      denied("putObject", put("k").toBuilder().setMetadata(trusted).build(), user);
      denied(
          "createUpload",
          CreateUploadRequest.newBuilder().setBucket("b").setKey("k").setMetadata(trusted).build(),
          user);
      denied("setObjectMetadata", change(trusted), user);
      var unused = passed("putObject", put("k").toBuilder().setMetadata(own).build(), user);
      assertEquals(change(own), passed("setObjectMetadata", change(own), user));
    }
    assertEquals(change(trusted), passed("setObjectMetadata", change(trusted), "super"));
    object = object.toBuilder().setMetadata(trusted).build();
    SetObjectMetadataRequest both = change(trusted.clone().mergeFrom(own.build()));
    assertEquals(both, passed("setObjectMetadata", both, "bob")); // they stay as they are
  }

  private Message told(String name, Message request, String user, Message reply) throws Exception {
    try {
      return (Message) door.pass(name, request, visitor(user), allowed -> reply);
    } catch (Exception e) {
      throw e;
    } catch (Throwable e) {
      throw new AssertionError(e);
    }
  }

  @Test
  void attributesOfAdministratorsAreShownToThemAloneAndKeptByOthers() throws Exception {
    share("Allow", "\"s3:*\"", "\"arn:aws:s3:::b/*\", \"arn:aws:s3:::b\"");
    ObjectMetadata own =
        ObjectMetadata.newBuilder().putXattrs("user.a", ByteString.copyFromUtf8("x")).build();
    ObjectMetadata all =
        own.toBuilder()
            .putXattrs("trusted.a", ByteString.copyFromUtf8("hidden"))
            .putXattrs("security.a", ByteString.copyFromUtf8("hidden"))
            .build();
    ObjectVersion version = ObjectVersion.newBuilder().setStamp(7).setMetadata(all).build();
    Map<Message, Message> replies =
        Map.of(
            FindPathRequest.newBuilder().setBucket("b").setPath("k").build(),
            FindPathReply.newBuilder().setVersion(version).build(),
            GetObjectRequest.newBuilder().setBucket("b").setKey("k").build(),
            GetObjectReply.newBuilder().setVersion(version).build(),
            ListObjectsRequest.newBuilder().setBucket("b").build(),
            ListObjectsReply.newBuilder().addObjects(version).addMarkers(version).build(),
            ListVersionsRequest.newBuilder().setBucket("b").build(),
            ListVersionsReply.newBuilder()
                .addVersions(ListedVersion.newBuilder().setVersion(version))
                .build(),
            OpenFileRequest.newBuilder().setBucket("b").setKey("k").build(),
            OpenFileReply.newBuilder().setVersion(version).build(),
            RenameObjectRequest.newBuilder().setBucket("b").setSource("k").setTarget("l").build(),
            RenameObjectReply.newBuilder().setVersion(version).build(),
            change(ObjectMetadata.newBuilder()),
            SetObjectMetadataReply.newBuilder().setVersion(version).build());
    for (Map.Entry<Message, Message> call : replies.entrySet()) {
      String name = callOf(call.getKey());
      for (String user : List.of("alice", "bob")) {
        String told = told(name, call.getKey(), user, call.getValue()).toString();
        assertFalse(told.contains("hidden"), name + ": " + told);
        boolean listed = name.startsWith("list"); // tells what S3's tells
        assertEquals(!listed, told.contains("user.a"), name + ": " + told);
      }
      for (String user : List.of("super", "root")) {
        assertEquals(call.getValue(), told(name, call.getKey(), user, call.getValue()), name);
      }
    }
    object = version;
    ObjectMetadata.Builder mode = own.toBuilder();
    mode.getFileBuilder().setPermissionPlusOne(0601);
    ObjectMetadata.Builder kept = all.toBuilder();
    kept.getFileBuilder().setPermissionPlusOne(0601);
    for (String user : List.of("alice", "bob")) {
      assertEquals(change(kept), passed("setObjectMetadata", change(mode), user));
    }
    assertEquals(change(mode), passed("setObjectMetadata", change(mode), "super"));
  }

  /** Where an answer tells of an object all the same: a rebuild needs that (docs/ACCESS.md). */
  private static final Set<String> HARMLESS = Set.of(".records.fact.committed.version.metadata");

  /** A call of users whose answer tells of objects. */
  private record Exchange(String name, Message request, Message reply) {}

  /** All that there are: one added later is among them by what its answer has a place for. */
  private List<Exchange> exchanges() throws Exception {
    List<Exchange> all = new ArrayList<>();
    for (Method method : ObjectManager.class.getMethods()) {
      String name = method.getName();
      Message empty = (Message) method.getReturnType().getMethod("getDefaultInstance").invoke(null);
      Message reply = filled(empty, DoorTest::telling);
      if (reply.equals(empty)) {
        continue; // no place for an object
      }
      Message request = aboutKey(request(method));
      if (Door.isOfAdministrators(name)) {
        denied(name, request, "bob");
      } else {
        all.add(new Exchange(name, request, reply));
      }
    }
    Set<String> names = new TreeSet<>(all.stream().map(Exchange::name).toList());
    assertTrue(names.containsAll(Set.of("deleteObjects", "listUploads", "recoverFile")));
    return all;
  }

  @Test
  void noAnswerTellsOthersOfSuperusersAttributes() throws Exception {
    for (BucketLayout layout : BucketLayout.values()) {
      if (layout == BucketLayout.UNRECOGNIZED) {
        continue;
      }
      bucket = BucketInfo.newBuilder().setName("b").setOwner("alice").setLayout(layout).build();
      share("Allow", "\"*\"", "\"arn:aws:s3:::b/*\", \"arn:aws:s3:::b\"");
      Set<String> whole = new TreeSet<>();
      for (Exchange one : exchanges()) {
        Message told = told(one.name(), one.request(), "bob", one.reply());
        Set<String> places = new TreeSet<>();
        find(metadata -> metadata.containsXattrs("trusted.a"), told, "", places);
        whole.addAll(places);
        places.removeAll(HARMLESS);
        assertEquals(Set.of(), places, one.name());
        assertEquals(one.reply(), told(one.name(), one.request(), "super", one.reply()));
      }
      assertEquals(HARMLESS, whole); // names nothing that is not there
    }
  }

  @Test
  void noAnswerTellsWhatMayNotBeRead() throws Exception {
    share("Allow", "\"*\"", "\"arn:aws:s3:::b/*\", \"arn:aws:s3:::b\"");
    share("Deny", "\"s3:GetObject\"", "\"arn:aws:s3:::b/*\"");
    Set<String> refused = new TreeSet<>();
    for (Exchange one : exchanges()) {
      Message told;
      try {
        told = told(one.name(), one.request(), "bob", one.reply());
      } catch (StoreException e) {
        assertEquals(ErrorCode.ACCESS_DENIED, e.code(), one.name());
        refused.add(one.name());
        continue;
      }
      Set<String> places = new TreeSet<>();
      find(metadata -> metadata.getUserCount() > 0, told, "", places);
      places.removeAll(HARMLESS);
      assertEquals(Set.of(), places, one.name());
    }
    assertEquals(Set.of("openFile", "renameObject", "renamePrefix"), refused);
  }

  private static Message telling(Message message) {
    return message instanceof ObjectMetadata metadata
        ? metadata.toBuilder()
            .putUser("project", "hidden")
            .putXattrs("trusted.a", ByteString.copyFromUtf8("hidden"))
            .build()
        : message;
  }

  private static void find(
      Predicate<ObjectMetadata> wanted, Message told, String path, Set<String> places) {
    if (told instanceof ObjectMetadata metadata) {
      if (wanted.test(metadata)) {
        places.add(path);
      }
      return;
    }
    for (Map.Entry<FieldDescriptor, Object> said : told.getAllFields().entrySet()) {
      List<?> all = said.getValue() instanceof List<?> list ? list : List.of(said.getValue());
      for (Object one : all) {
        if (one instanceof Message message) {
          find(wanted, message, path + "." + said.getKey().getName(), places);
        }
      }
    }
  }

  /** A request about a key of the bucket, whatever it calls that. */
  private Message aboutKey(Message request) {
    Message.Builder about = request.toBuilder();
    Map<String, String> names =
        Map.of("bucket", "b", "name", "b", "key", "k", "path", "k", "source", "k", "target", "t");
    for (FieldDescriptor field : request.getDescriptorForType().getFields()) {
      String name = names.get(field.getName());
      if (name != null && field.getJavaType() == FieldDescriptor.JavaType.STRING) {
        about.setField(field, name);
      }
    }
    Message made = about.build();
    return made instanceof DeleteObjectsRequest delete
        ? delete.toBuilder().addObjects(ObjectToDelete.newBuilder().setKey("k")).build()
        : made instanceof SetObjectMetadataRequest change
            ? change.toBuilder().setStamp(object.getStamp()).build()
            : made;
  }

  /** A list or a tag is asked for in one place, by facts as S3's headers are. */
  @Test
  void aPutSaysWhatAHeaderWouldSay() throws Exception {
    String only =
        """
        {"Statement":[
         {"Effect":"Allow","Principal":"*","Action":["s3:PutObject","s3:PutObjectAcl"],
          "Resource":"arn:aws:s3:::b/*"},
         {"Effect":"Deny","Principal":"*","Action":"s3:PutObject","Resource":"arn:aws:s3:::b/*",
          "Condition":{"StringLike":{"s3:x-amz-grant-read":"*AllUsers*"}}},
         {"Effect":"Deny","Principal":"*","Action":"s3:PutObject","Resource":"arn:aws:s3:::b/kms",
          "Condition":{"StringEquals":{"s3:x-amz-server-side-encryption":"aws:kms"}}}]}\
        """;
    bucket = bucket.toBuilder().putSettings("policy", ByteString.copyFromUtf8(only)).build();
    PutObjectRequest.Builder put = put("k").toBuilder();
    put.getMetadataBuilder().addGrants("READ id=eve").addGrants("READ id=mia");
    var unused = passed("putObject", put.build(), "bob");
    put.getMetadataBuilder().addGrants("READ uri=" + Acl.ALL_USERS);
    denied("putObject", put.build(), "bob");
    put = put("k").toBuilder();
    put.getMetadataBuilder().putTags("t", "v");
    denied("putObject", put.build(), "bob");
    put = put("kms").toBuilder();
    put.getMetadataBuilder().getEncryptionBuilder().setMode(EncryptionMode.SSE_KMS);
    denied("putObject", put.build(), "bob");
  }

  @Test
  void aPathIsDeniedByEitherOfItsNames() throws Exception {
    bucket = bucket.toBuilder().setLayout(BucketLayout.FILE_SYSTEM).build();
    share("Allow", "\"s3:*\"", "\"arn:aws:s3:::b/*\", \"arn:aws:s3:::b\"");
    share("Deny", "\"s3:GetObject\", \"s3:PutObject\"", "\"arn:aws:s3:::b/plain\"");
    share("Deny", "\"s3:GetObject\", \"s3:PutObject\"", "\"arn:aws:s3:::b/slashed/\"");
    for (String path : List.of("plain", "plain/", "slashed", "slashed/")) {
      denied("getObject", get(path), "bob");
      denied("putObject", put(path), "bob");
      FindPathRequest mayRead =
          FindPathRequest.newBuilder().setBucket("b").setPath(path).setWanted(4).build();
      denied("findPath", mayRead, "bob");
      for (boolean source : List.of(true, false)) {
        denied(
            "renameObject",
            RenameObjectRequest.newBuilder()
                .setBucket("b")
                .setSource(source ? path : "other")
                .setTarget(source ? "other" : path)
                .build(),
            "bob");
      }
    }
    // Nor is a right to one name a right to what the other leads to.
    bucket = bucket.toBuilder().clearSettings().build();
    share("Allow", "\"s3:*\"", "\"arn:aws:s3:::b/d/*\"");
    boolean[] limited = {false};
    for (String path : List.of("d", "d/")) {
      limited[0] = false;
      bounded("findPath", FindPathRequest.newBuilder().setBucket("b").setPath(path), limited);
      assertTrue(limited[0], path);
      limited[0] = false;
      bounded(
          "renameObject",
          RenameObjectRequest.newBuilder().setBucket("b").setSource(path).setTarget("d/t"),
          limited);
      assertTrue(limited[0], path);
    }
  }

  private void bounded(String name, Message.Builder request, boolean[] limited) throws Exception {
    try {
      var unused =
          door.pass(
              name,
              request.build(),
              visitor("bob"),
              allowed -> {
                limited[0] = Acting.current().isLimitedIn("b");
                return GetBucketReply.getDefaultInstance();
              });
    } catch (Exception e) {
      throw e;
    } catch (Throwable e) {
      throw new AssertionError(e);
    }
  }

  @Test
  void aStatusIsForWhoMayListWhateverPermissionsSay() throws Exception {
    bucket = bucket.toBuilder().setLayout(BucketLayout.FILE_SYSTEM).build();
    share("Allow", "\"s3:ListBucket\"", "\"arn:aws:s3:::b\"");
    FindPathRequest.Builder find = FindPathRequest.newBuilder().setBucket("b").setPath("d/f");
    boolean[] limited = {true};
    bounded("findPath", find, limited);
    assertFalse(limited[0]);
    bounded("findPath", find.setWanted(4), limited);
    assertTrue(limited[0]); // whether it may be read, permissions say
    share("Deny", "\"s3:GetObject\"", "\"arn:aws:s3:::b/d/*\"");
    denied("findPath", find.build(), "bob");
    var unused = passed("findPath", find.setWanted(1).build(), "bob");
  }

  /** What only HTTP tells is not known here: nobody gets around a denial by that. */
  @Test
  void aDenialByWhatOnlyHttpTellsCountsHere() throws Exception {
    String referred =
        """
        {"Statement":[
         {"Effect":"Allow","Principal":"*","Action":"s3:GetObject","Resource":"arn:aws:s3:::b/*"},
         {"Effect":"Deny","Principal":"*","Action":"s3:GetObject","Resource":"arn:aws:s3:::b/a",
          "Condition":{"StringLike":{"aws:Referer":"http://bad/*"}}},
         {"Effect":"Deny","Principal":"*","Action":"s3:GetObject","Resource":"arn:aws:s3:::b/b",
          "Condition":{"StringNotLike":{"aws:UserAgent":"good*"}}},
         {"Effect":"Deny","Principal":"*","Action":"s3:GetObject","Resource":"arn:aws:s3:::b/c",
          "Condition":{"Bool":{"aws:SecureTransport":"false"}}}]}\
        """;
    bucket = bucket.toBuilder().putSettings("policy", ByteString.copyFromUtf8(referred)).build();
    denied("getObject", get("a"), "bob");
    denied("getObject", get("b"), "bob");
    assertEquals(get("c"), passed("getObject", get("c"), "bob"));
    bucket =
        bucket.toBuilder()
            .putSettings(
                "policy",
                ByteString.copyFromUtf8(
                    """
                    {"Statement":[{"Effect":"Allow","Principal":"*","Action":"s3:GetObject",
                      "Resource":"arn:aws:s3:::b/*",
                      "Condition":{"StringNotLike":{"aws:UserAgent":"bad*"}}}]}\
                    """))
            .build();
    denied("getObject", get("a"), "bob");
  }

  /** An S3 user is known to conditions by one id, whichever way he comes. */
  @Test
  void aUserIsKnownToConditionsByHisId() throws Exception {
    bucket =
        bucket.toBuilder()
            .putSettings(
                "policy",
                ByteString.copyFromUtf8(
                    """
                    {"Statement":[{"Effect":"Allow","Principal":"*","Action":"s3:GetObject",
                      "Resource":"arn:aws:s3:::b/*",
                      "Condition":{"StringEquals":{"aws:userid":"AIDACAROL"}}}]}\
                    """))
            .build();
    assertEquals(get("a"), passed("getObject", get("a"), "carol"));
    denied("getObject", get("a"), "bob");
  }

  @Test
  void anObjectIsLookedUpOnceACall() throws Exception {
    String tagged =
        """
        {"Statement":[{"Effect":"Allow","Principal":"*","Action":["s3:PutObject","s3:GetObject"],
          "Resource":"arn:aws:s3:::b/*",
          "Condition":{"StringEquals":{"s3:ExistingObjectTag/open":"yes"}}}]}\
        """;
    bucket = bucket.toBuilder().putSettings("policy", ByteString.copyFromUtf8(tagged)).build();
    object =
        object.toBuilder().setMetadata(ObjectMetadata.newBuilder().putTags("open", "yes")).build();
    OpenFileRequest open = OpenFileRequest.newBuilder().setBucket("b").setKey("k").build();
    assertEquals(open, passed("openFile", open, "bob"));
    assertEquals(1, lookUps); // to be read and to be written
    object = null;
    lookUps = 0;
    denied("openFile", open, "bob");
    assertEquals(1, lookUps); // that it is not there is an answer
  }

  /** Whoever shows a lease's token has it kept, and is given a newer one. */
  @Test
  void whatIsKeptIsWhatOneWroteOneself() throws Exception {
    ring.take(
        TokenKeys.newBuilder()
            .setVersion(1)
            .addKeys(
                TokenKey.newBuilder()
                    .setId(7)
                    .setSecret(ByteString.copyFrom(new byte[32]))
                    .setUntilMicros(Duration.ofDays(1).toNanos() / 1_000))
            .build());
    Lease lease =
        Lease.newBuilder()
            .setContainer(ContainerInfo.newBuilder().setId(7).setPolicy("rs-3-2").setLeaseEpoch(5))
            .build();
    ShardGrants grants = new ShardGrants(new ShardTokens(ring, clock), Duration.ofHours(1));
    LeaseGrant grant =
        LeaseGrant.newBuilder()
            .setContainer(7)
            .setEpoch(5)
            .setToken(grants.forWriter("bob", lease, Duration.ofMinutes(15)))
            .build();
    clock.advance(Duration.ofMinutes(10));
    RenewLeasesReply kept = kept(grant, "bob", lease);
    clock.advance(Duration.ofMinutes(10));
    refusedToKeep(grant, "bob", lease); // its token has expired
    LeaseGrant newer = grant.toBuilder().setToken(kept.getKept(0).getToken()).build();
    kept = kept(newer, "bob", lease);
    assertEquals(1, kept.getKeptCount());
    refusedToKeep(newer, "carol", lease);
    refusedToKeep(newer.toBuilder().setEpoch(4).build(), "bob", lease);
    refusedToKeep(newer.toBuilder().clearToken().build(), "bob", lease);
  }

  private void refusedToKeep(LeaseGrant grant, String user, Lease lease) {
    StoreException e = assertThrows(StoreException.class, () -> kept(grant, user, lease));
    assertEquals(ErrorCode.ACCESS_DENIED, e.code());
  }

  private RenewLeasesReply kept(LeaseGrant grant, String user, Lease lease) throws Exception {
    try {
      return (RenewLeasesReply)
          door.pass(
              "renewLeases",
              RenewLeasesRequest.newBuilder().addKept(grant).build(),
              visitor(user),
              allowed -> RenewLeasesReply.newBuilder().addKept(lease).build());
    } catch (Exception e) {
      throw e;
    } catch (Throwable e) {
      throw new AssertionError(e);
    }
  }

  @Test
  void aUsersOwnPoliciesAndListsCount() throws Exception {
    assertEquals(get("carols/a"), passed("getObject", get("carols/a"), "carol"));
    denied("getObject", get("other/a"), "carol");
    bucket =
        bucket.toBuilder()
            .putSettings("acl", ByteString.copyFromUtf8("WRITE id=" + "c".repeat(64)))
            .build();
    assertEquals(
        "carol",
        ((PutObjectRequest) passed("putObject", put("x"), "carol")).getMetadata().getOwner());
    object =
        object.toBuilder()
            .setMetadata(ObjectMetadata.newBuilder().setOwner("alice").addGrants("READ id=bob"))
            .build();
    assertEquals(get("x"), passed("getObject", get("x"), "bob"));
  }

  @Test
  void inATreeThePermissionsOfFilesDecideWhereNothingElseDid() throws Exception {
    bucket = bucket.toBuilder().setLayout(BucketLayout.FILE_SYSTEM).build();
    boolean[] limited = new boolean[2];
    for (int i = 0; i < 2; i++) {
      int user = i;
      try {
        var unused =
            door.pass(
                "getObject",
                get("d/f"),
                visitor(i == 0 ? "bob" : "alice"),
                allowed -> {
                  limited[user] = Acting.current().isLimitedIn("b");
                  return GetBucketReply.getDefaultInstance();
                });
      } catch (Throwable e) {
        throw new AssertionError(e);
      }
    }
    assertTrue(limited[0]);
    assertFalse(limited[1]);
    share("Deny", "\"s3:GetObject\"", "\"arn:aws:s3:::b/d/*\"");
    denied("getObject", get("d/f"), "bob");
  }

  private List<JsonNode> lines() throws Exception {
    authorizer.close();
    List<JsonNode> lines = new ArrayList<>();
    for (String line : Files.readAllLines(file)) {
      lines.add(JSON.readTree(line));
    }
    return lines;
  }

  @Test
  void everyDecisionIsWrittenDown() throws Exception {
    var unused = passed("getObject", get("a"), "alice");
    denied("getObject", get("a"), "bob");
    denied("listUsers", ListUsersRequest.getDefaultInstance(), "bob");
    var unused2 =
        passed(
            "renewLeases", io.stowage.common.proto.RenewLeasesRequest.getDefaultInstance(), "bob");
    bucket = bucket.toBuilder().setLayout(BucketLayout.FILE_SYSTEM).build();
    var unused3 = passed("getObject", get("d/f"), "bob");
    assertThrows(
        StoreException.class,
        () ->
            door.pass(
                "getObject",
                get("d/g"),
                visitor("bob"),
                allowed -> {
                  throw new StoreException(
                      ErrorCode.ACCESS_DENIED, "Permission denied: user=bob, access=READ");
                }));
    List<JsonNode> lines = lines();
    assertEquals(5, lines.size(), lines::toString);
    JsonNode first = lines.get(0);
    assertEquals("alice", first.get("user").asText());
    assertEquals("KERBEROS", first.get("authenticated").asText());
    assertEquals("10.0.0.1", first.get("from").asText());
    assertEquals("1:2", first.get("requestId").asText());
    assertEquals("s3:GetObject", first.get("action").asText());
    assertEquals("b", first.get("bucket").asText());
    assertEquals("a", first.get("key").asText());
    assertTrue(first.get("allowed").asBoolean());
    assertEquals("owner of the bucket", first.get("why").asText());
    assertFalse(lines.get(1).get("allowed").asBoolean());
    assertEquals("nothing allows it", lines.get(1).get("why").asText());
    assertEquals("stowage:listUsers", lines.get(2).get("action").asText());
    assertTrue(lines.get(3).get("allowed").asBoolean());
    assertEquals("the permissions of the files allow it", lines.get(3).get("why").asText());
    assertFalse(lines.get(4).get("allowed").asBoolean());
    assertEquals("Permission denied: user=bob, access=READ", lines.get(4).get("why").asText());
  }
}
