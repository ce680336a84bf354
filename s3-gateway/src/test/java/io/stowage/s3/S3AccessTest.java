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
package io.stowage.s3;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.stowage.common.access.StoreRules;
import io.stowage.common.id.WriteId;
import io.stowage.common.proto.CreateUserRequest;
import io.stowage.common.proto.UpdateUserRequest;
import io.stowage.common.proto.User;
import io.stowage.s3.suite.RawS3;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.function.Consumer;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import software.amazon.awssdk.auth.credentials.AwsBasicCredentials;
import software.amazon.awssdk.auth.credentials.StaticCredentialsProvider;
import software.amazon.awssdk.core.sync.RequestBody;
import software.amazon.awssdk.http.urlconnection.UrlConnectionHttpClient;
import software.amazon.awssdk.regions.Region;
import software.amazon.awssdk.services.s3.S3Client;
import software.amazon.awssdk.services.s3.model.BucketCannedACL;
import software.amazon.awssdk.services.s3.model.BucketVersioningStatus;
import software.amazon.awssdk.services.s3.model.CompletedMultipartUpload;
import software.amazon.awssdk.services.s3.model.CompletedPart;
import software.amazon.awssdk.services.s3.model.Delete;
import software.amazon.awssdk.services.s3.model.DeleteObjectsResponse;
import software.amazon.awssdk.services.s3.model.GetObjectResponse;
import software.amazon.awssdk.services.s3.model.Grant;
import software.amazon.awssdk.services.s3.model.HeadObjectResponse;
import software.amazon.awssdk.services.s3.model.ObjectCannedACL;
import software.amazon.awssdk.services.s3.model.ObjectIdentifier;
import software.amazon.awssdk.services.s3.model.ObjectOwnership;
import software.amazon.awssdk.services.s3.model.Permission;
import software.amazon.awssdk.services.s3.model.PublicAccessBlockConfiguration;
import software.amazon.awssdk.services.s3.model.PutObjectResponse;
import software.amazon.awssdk.services.s3.model.S3Error;
import software.amazon.awssdk.services.s3.model.S3Exception;
import software.amazon.awssdk.services.s3.model.Tag;
import software.amazon.awssdk.services.s3.model.TaggingDirective;
import software.amazon.awssdk.services.s3.model.Type;

/** Who may do what, as two users and a stranger meet it. */
class S3AccessTest {
  @TempDir Path directory;
  private InMemoryTarget target;
  private S3Client alice;
  private S3Client bob;
  private RawS3 raw;

  @BeforeEach
  void start() throws Exception {
    target = new InMemoryTarget(Map.of());
    alice = user("alice", "alice@example.com");
    bob = user("bob", "bob@example.com");
    raw = new RawS3(endpoint(), "none", "none", "us-east-1");
    alice.createBucket(b -> b.bucket("bucket"));
    alice.putObject(b -> b.bucket("bucket").key("k"), RequestBody.fromString("content"));
  }

  @AfterEach
  void stop() {
    alice.close();
    bob.close();
    target.close();
  }

  private URI endpoint() {
    return URI.create("http://127.0.0.1:" + target.gateway.port());
  }

  private S3Client user(String name, String email) throws Exception {
    target.namespace.createUser(
        CreateUserRequest.newBuilder()
            .setUser(User.newBuilder().setName(name).setCanonicalId("id-" + name).setEmail(email))
            .setAccessKey("AK" + name)
            .setSecretKey("secret")
            .setWriteId(WriteId.random())
            .build());
    return client("AK" + name, "secret");
  }

  private S3Client client(String accessKey, String secret) {
    return S3Client.builder()
        .endpointOverride(endpoint())
        .region(Region.US_EAST_1)
        .forcePathStyle(true)
        .httpClientBuilder(UrlConnectionHttpClient.builder())
        .credentialsProvider(
            StaticCredentialsProvider.create(AwsBasicCredentials.create(accessKey, secret)))
        .build();
  }

  private static String read(S3Client who, String key) {
    return who.getObjectAsBytes(b -> b.bucket("bucket").key(key)).asUtf8String();
  }

  private static void denied(org.junit.jupiter.api.function.Executable what) {
    S3Exception e = assertThrows(S3Exception.class, what);
    assertEquals("AccessDenied", e.awsErrorDetails().errorCode());
    assertEquals(403, e.statusCode());
  }

  private int stranger(String method, String path) throws IOException {
    String request = method + " " + path + " HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n";
    return raw.exchange(request.getBytes(StandardCharsets.US_ASCII), false).status();
  }

  @Test
  void anAdministratorMayDoAnythingToAnybodys() throws Exception {
    target.namespace.createUser(
        CreateUserRequest.newBuilder()
            .setUser(User.newBuilder().setName("root").setCanonicalId("id-root").setAdmin(true))
            .setAccessKey("AKroot")
            .setSecretKey("secret")
            .setWriteId(WriteId.random())
            .build());
    try (S3Client root = client("AKroot", "secret")) {
      assertEquals("content", read(root, "k"));
      put(root, "bucket", "new", null);
      root.putBucketPolicy(
          b -> b.bucket("bucket").policy(allowBob("s3:GetObject", "arn:aws:s3:::bucket/*")));
      assertEquals("content", read(bob, "new"));
      root.deleteObject(b -> b.bucket("bucket").key("k"));
      root.deleteObject(b -> b.bucket("bucket").key("new"));
      root.deleteBucket(b -> b.bucket("bucket"));
    }
  }

  @Test
  void deniesByDefault() throws IOException {
    denied(() -> read(bob, "k"));
    denied(() -> read(bob, "not there"));
    denied(() -> bob.putObject(b -> b.bucket("bucket").key("x"), RequestBody.empty()));
    denied(() -> bob.deleteObject(b -> b.bucket("bucket").key("k")));
    denied(() -> bob.listObjectsV2(b -> b.bucket("bucket")));
    denied(() -> bob.getBucketAcl(b -> b.bucket("bucket")));
    denied(() -> bob.getBucketPolicy(b -> b.bucket("bucket")));
    assertEquals(
        "AccessDenied",
        bob.deleteObjects(
                b ->
                    b.bucket("bucket")
                        .delete(
                            Delete.builder()
                                .objects(ObjectIdentifier.builder().key("k").build())
                                .build()))
            .errors()
            .get(0)
            .code());
    assertEquals(403, stranger("GET", "/bucket/k"));
    assertEquals(403, stranger("PUT", "/bucket/x"));
    assertEquals(403, stranger("GET", "/"));
    assertEquals(403, stranger("PUT", "/new-bucket"));
    assertEquals("content", read(alice, "k"));
    assertEquals(List.of(), bob.listBuckets().buckets());
  }

  @Test
  void listsOfObjectsLetOthersRead() throws IOException {
    alice.putObject(
        b -> b.bucket("bucket").key("open").acl(ObjectCannedACL.PUBLIC_READ),
        RequestBody.fromString("open"));
    assertEquals("open", read(bob, "open"));
    assertEquals(200, stranger("GET", "/bucket/open"));
    denied(() -> bob.deleteObject(b -> b.bucket("bucket").key("open")));

    alice.putObjectAcl(b -> b.bucket("bucket").key("open").acl(ObjectCannedACL.AUTHENTICATED_READ));
    assertEquals("open", read(bob, "open"));
    assertEquals(403, stranger("GET", "/bucket/open"));

    alice.putObjectAcl(b -> b.bucket("bucket").key("open").acl(ObjectCannedACL.PRIVATE));
    denied(() -> read(bob, "open"));
    alice.putObjectAcl(
        b -> b.bucket("bucket").key("open").grantRead("emailAddress=\"bob@example.com\""));
    assertEquals("open", read(bob, "open"));
    List<Grant> grants = alice.getObjectAcl(b -> b.bucket("bucket").key("open")).grants();
    assertEquals(1, grants.size());
    assertEquals("id-bob", grants.get(0).grantee().id());
    assertEquals("bob", grants.get(0).grantee().displayName());
    assertEquals(Type.CANONICAL_USER, grants.get(0).grantee().type());
    assertEquals(Permission.READ, grants.get(0).permission());
    denied(() -> bob.getObjectAcl(b -> b.bucket("bucket").key("open")));
  }

  @Test
  void listsOfBucketsLetOthersWriteAndList() {
    bob.createBucket(b -> b.bucket("bobs").acl(BucketCannedACL.PUBLIC_READ_WRITE));
    alice.putObject(b -> b.bucket("bobs").key("a"), RequestBody.fromString("x"));
    assertEquals(
        "id-alice", alice.listObjects(b -> b.bucket("bobs")).contents().get(0).owner().id());
    denied(() -> alice.getBucketAcl(b -> b.bucket("bobs")));
    assertEquals(3, bob.getBucketAcl(b -> b.bucket("bobs")).grants().size());
    bob.putBucketAcl(b -> b.bucket("bobs").acl(BucketCannedACL.PRIVATE));
    denied(() -> alice.listObjects(b -> b.bucket("bobs")));
    assertEquals(
        400,
        assertThrows(
                S3Exception.class,
                () -> bob.putBucketAcl(b -> b.bucket("bobs").grantRead("id=\"nobody\"")))
            .statusCode());
  }

  /** What each canned list grants besides full control to the owner, of objects and of buckets. */
  @Test
  void cannedListsGrantWhatTheirNamesSay() {
    bob.createBucket(b -> b.bucket("bobs"));
    String[][] cases = {
      {"private", "", ""},
      {"public-read", "AllUsers READ", "AllUsers READ"},
      {"public-read-write", "AllUsers READ, AllUsers WRITE", "AllUsers READ, AllUsers WRITE"},
      {"authenticated-read", "AuthenticatedUsers READ", "AuthenticatedUsers READ"},
      {"aws-exec-read", "", ""}, // to EC2, which is nobody here
      {"bucket-owner-read", "id-bob READ", ""},
      {"bucket-owner-full-control", "id-bob FULL_CONTROL", ""},
    };
    for (String[] each : cases) {
      bob.putBucketAcl(b -> b.bucket("bobs").acl(each[0]));
      assertEquals(
          each[2], others("id-bob", bob.getBucketAcl(b -> b.bucket("bobs")).grants()), each[0]);
      bob.putBucketAcl(b -> b.bucket("bobs").acl(BucketCannedACL.PUBLIC_READ_WRITE));
      alice.putObject(b -> b.bucket("bobs").key("k").acl(each[0]), RequestBody.empty());
      assertEquals(
          each[1],
          others("id-alice", alice.getObjectAcl(b -> b.bucket("bobs").key("k")).grants()),
          each[0]);
      alice.putObjectAcl(b -> b.bucket("bobs").key("k").acl(ObjectCannedACL.PRIVATE));
      alice.putObjectAcl(b -> b.bucket("bobs").key("k").acl(each[0]));
      assertEquals(
          each[1],
          others("id-alice", alice.getObjectAcl(b -> b.bucket("bobs").key("k")).grants()),
          each[0]);
    }
    S3Exception unknown =
        assertThrows(
            S3Exception.class,
            () -> alice.putObjectAcl(b -> b.bucket("bobs").key("k").acl("public-write")));
    assertEquals("InvalidArgument", unknown.awsErrorDetails().errorCode());
  }

  /** Grants to others than the owner, who has full control. */
  private static String others(String owner, List<Grant> grants) {
    List<String> all =
        grants.stream()
            .map(
                grant ->
                    (grant.grantee().uri() == null
                            ? grant.grantee().id()
                            : grant.grantee().uri().replaceFirst(".*/", ""))
                        + " "
                        + grant.permission())
            .sorted()
            .toList();
    assertTrue(all.contains(owner + " FULL_CONTROL"), all::toString);
    return String.join(
        ", ", all.stream().filter(one -> !one.equals(owner + " FULL_CONTROL")).toList());
  }

  private void block(Consumer<PublicAccessBlockConfiguration.Builder> what) {
    alice.putPublicAccessBlock(b -> b.bucket("bucket").publicAccessBlockConfiguration(what));
  }

  @Test
  void publicListsThatAreIgnoredGrantNothingUntilTheyCountAgain() throws IOException {
    put(alice, "bucket", "open", ObjectCannedACL.PUBLIC_READ);
    put(alice, "bucket", "bobs", null);
    alice.putObjectAcl(b -> b.bucket("bucket").key("bobs").grantRead("id=\"id-bob\""));
    alice.putBucketAcl(b -> b.bucket("bucket").acl(BucketCannedACL.PUBLIC_READ));
    for (String path : List.of("/bucket/open", "/bucket")) {
      assertEquals(200, stranger("GET", path));
      block(b -> b.ignorePublicAcls(true));
      assertEquals(403, stranger("GET", path));
      denied(() -> read(bob, "open"));
      assertEquals("content", read(bob, "bobs"), "that of a user is not public");
      assertEquals("content", read(alice, "open"));
      assertEquals(2, alice.getObjectAcl(b -> b.bucket("bucket").key("open")).grants().size());
      put(alice, "bucket", "another", ObjectCannedACL.PUBLIC_READ); // taken, and as good as none
      assertEquals(403, stranger("GET", "/bucket/another"));
      alice.deletePublicAccessBlock(b -> b.bucket("bucket"));
      assertEquals(200, stranger("GET", path));
    }
  }

  @Test
  void publicListsThatAreBlockedAreRefusedByWhicheverWayTheyCome() throws IOException {
    put(alice, "bucket", "open", ObjectCannedACL.PUBLIC_READ);
    block(b -> b.blockPublicAcls(true));
    assertEquals(200, stranger("GET", "/bucket/open"), "what is granted stays granted");
    String all = "uri=\"http://acs.amazonaws.com/groups/global/AllUsers\"";
    for (ObjectCannedACL list :
        List.of(
            ObjectCannedACL.PUBLIC_READ,
            ObjectCannedACL.PUBLIC_READ_WRITE,
            ObjectCannedACL.AUTHENTICATED_READ)) {
      denied(() -> put(alice, "bucket", "new", list));
      denied(() -> alice.putObjectAcl(b -> b.bucket("bucket").key("k").acl(list)));
      denied(() -> alice.putBucketAcl(b -> b.bucket("bucket").acl(list.toString())));
      denied(() -> alice.createMultipartUpload(b -> b.bucket("bucket").key("new").acl(list)));
      denied(
          () ->
              alice.copyObject(
                  b ->
                      b.sourceBucket("bucket")
                          .sourceKey("k")
                          .destinationBucket("bucket")
                          .destinationKey("new")
                          .acl(list)));
    }
    denied(
        () ->
            alice.putObject(
                b -> b.bucket("bucket").key("new").grantRead(all), RequestBody.empty()));
    denied(() -> alice.putObjectAcl(b -> b.bucket("bucket").key("k").grantReadACP(all)));
    denied(() -> alice.putBucketAcl(b -> b.bucket("bucket").grantWrite(all)));
    var asDocument = alice.getObjectAcl(b -> b.bucket("bucket").key("open"));
    denied(
        () ->
            alice.putObjectAcl(
                b ->
                    b.bucket("bucket")
                        .key("k")
                        .accessControlPolicy(
                            p -> p.owner(asDocument.owner()).grants(asDocument.grants()))));
    assertEquals(403, stranger("GET", "/bucket/k"));
    assertEquals(403, stranger("GET", "/bucket/new"));
    put(alice, "bucket", "new", ObjectCannedACL.PRIVATE);
    alice.putObjectAcl(b -> b.bucket("bucket").key("new").grantRead("id=\"id-bob\""));
    assertEquals("content", read(bob, "new"));
  }

  @Test
  void anOwnerCanTakeHimselfOffTheList() {
    String owner = alice.getBucketAcl(b -> b.bucket("bucket")).owner().id();
    alice.putBucketAcl(
        b ->
            b.bucket("bucket")
                .accessControlPolicy(p -> p.owner(o -> o.id(owner)).grants(List.of())));
    assertEquals("content", read(alice, "k"));
    denied(() -> put(alice, "bucket", "new", null));
    denied(() -> alice.deleteObject(b -> b.bucket("bucket").key("k")));
    assertEquals(List.of(), alice.getBucketAcl(b -> b.bucket("bucket")).grants());
    alice.putBucketAcl(b -> b.bucket("bucket").acl(BucketCannedACL.PRIVATE));
    put(alice, "bucket", "new", null);
  }

  /** A put's headers are no way around what a policy says of tags and lists. */
  @Test
  void whoMayWriteMayNotThereforeTagOrShare() {
    alice.putBucketPolicy(
        b ->
            b.bucket("bucket")
                .policy(
                    """
                    {"Statement": {"Effect": "Allow", "Principal": {"AWS": "arn:aws:iam:::user/bob"},
                     "Action": "s3:PutObject", "Resource": "arn:aws:s3:::bucket/*"}}
                    """));
    bob.putObject(b -> b.bucket("bucket").key("bobs"), RequestBody.fromString("x"));
    for (String key : List.of("k", "new")) { // alice's, and nobody's; of his own he is the owner
      denied(
          () ->
              bob.putObject(
                  b -> b.bucket("bucket").key(key).acl(ObjectCannedACL.PUBLIC_READ),
                  RequestBody.fromString("x")));
      denied(
          () ->
              bob.putObject(
                  b -> b.bucket("bucket").key(key).tagging("a=b"), RequestBody.fromString("x")));
      denied(() -> bob.createMultipartUpload(b -> b.bucket("bucket").key(key).tagging("a=b")));
      denied(
          () ->
              bob.createMultipartUpload(
                  b -> b.bucket("bucket").key(key).acl(ObjectCannedACL.PUBLIC_READ)));
    }
    assertEquals("content", read(alice, "k"));
  }

  @Test
  void policiesAllowAndDeny() throws IOException {
    alice.putBucketPolicy(
        b ->
            b.bucket("bucket")
                .policy(
                    """
                    {"Version": "2012-10-17", "Statement": [
                      {"Effect": "Allow", "Principal": "*", "Action": "s3:GetObject",
                       "Resource": "arn:aws:s3:::bucket/*"},
                      {"Effect": "Allow", "Principal": {"AWS": "arn:aws:iam:::user/bob"},
                       "Action": "s3:ListBucket", "Resource": "arn:aws:s3:::bucket",
                       "Condition": {"StringEquals": {"s3:prefix": "p/"}}},
                      {"Effect": "Deny", "Principal": "*", "Action": "s3:GetObject",
                       "Resource": "arn:aws:s3:::bucket/*",
                       "Condition": {"StringEquals": {"s3:ExistingObjectTag/level": "secret"}}}]}
                    """));
    assertEquals("content", read(bob, "k"));
    assertEquals(200, stranger("GET", "/bucket/k"));
    assertEquals(0, bob.listObjectsV2(b -> b.bucket("bucket").prefix("p/")).keyCount());
    denied(() -> bob.listObjectsV2(b -> b.bucket("bucket")));
    alice.putObjectTagging(
        b ->
            b.bucket("bucket")
                .key("k")
                .tagging(t -> t.tagSet(Tag.builder().key("level").value("secret").build())));
    denied(() -> read(bob, "k"));
    assertTrue(alice.getBucketPolicyStatus(b -> b.bucket("bucket")).policyStatus().isPublic());
    alice.putPublicAccessBlock(
        b ->
            b.bucket("bucket")
                .publicAccessBlockConfiguration(
                    p -> p.restrictPublicBuckets(true).blockPublicPolicy(true)));
    alice.deleteObjectTagging(b -> b.bucket("bucket").key("k"));
    denied(() -> read(bob, "k"));
    String again = alice.getBucketPolicy(b -> b.bucket("bucket")).policy();
    denied(() -> alice.putBucketPolicy(b -> b.bucket("bucket").policy(again)));
    alice.deletePublicAccessBlock(b -> b.bucket("bucket"));
    alice.putBucketPolicy(
        b ->
            b.bucket("bucket")
                .policy(
                    """
                    {"Statement": {"Effect": "Deny", "Principal": "*", "Action": "s3:*",
                     "Resource": ["arn:aws:s3:::bucket", "arn:aws:s3:::bucket/*"]}}
                    """));
    denied(() -> alice.listObjectsV2(b -> b.bucket("bucket")));
    assertTrue(alice.getBucketPolicy(b -> b.bucket("bucket")).policy().contains("Deny"));
    alice.deleteBucketPolicy(b -> b.bucket("bucket"));
    S3Exception none =
        assertThrows(S3Exception.class, () -> alice.getBucketPolicy(b -> b.bucket("bucket")));
    assertEquals("NoSuchBucketPolicy", none.awsErrorDetails().errorCode());
  }

  @Test
  void actionsOfPoliciesMustBeSomeAndOfTheirResources() {
    for (String[] bad :
        new String[][] {
          {"s3:GetObjekt", "arn:aws:s3:::bucket/*", "Policy has invalid action"},
          {"ec2:RunInstances", "arn:aws:s3:::bucket/*", "Policy has invalid action"},
          {"s3:GetObject", "arn:aws:s3:::bucket", "Action does not apply"},
          {"s3:ListBucket", "arn:aws:s3:::bucket/*", "Action does not apply"},
        }) {
      S3Exception refused =
          assertThrows(
              S3Exception.class,
              () ->
                  alice.putBucketPolicy(b -> b.bucket("bucket").policy(allowBob(bad[0], bad[1]))));
      assertEquals("MalformedPolicy", refused.awsErrorDetails().errorCode());
      assertTrue(refused.getMessage().contains(bad[2]), refused.getMessage());
    }
    for (String[] good :
        new String[][] {
          {"s3:Get*", "arn:aws:s3:::bucket"},
          {"s3:listbucket", "arn:aws:s3:::buck*"},
          {"*", "arn:aws:s3:::bucket/p/*"},
          {"s3:PutObject", "*"},
        }) {
      alice.putBucketPolicy(b -> b.bucket("bucket").policy(allowBob(good[0], good[1])));
    }
    alice.deleteBucketPolicy(b -> b.bucket("bucket"));
  }

  /** Denies everybody something in the bucket, its owner too, on a condition. */
  private void deny(String bucket, String actions, String condition) {
    alice.putBucketPolicy(
        b ->
            b.bucket(bucket)
                .policy(
                    """
                    {"Version": "2012-10-17", "Statement": {"Effect": "Deny", "Principal": "*",
                     "Action": [%s], "Resource": "arn:aws:s3:::%s/*", "Condition": {%s}}}
                    """
                        .formatted(actions, bucket, condition)));
  }

  /** As S3's documentation has it: "Enforce conditional writes". */
  @Test
  void policiesAskForConditionsOfWrites() {
    deny(
        "bucket",
        "\"s3:PutObject\"",
        "\"Null\": {\"s3:if-none-match\": \"true\"},"
            + "\"Bool\": {\"s3:ObjectCreationOperation\": \"true\"}");
    denied(() -> put(alice, "bucket", "new", null));
    alice.putObject(
        b -> b.bucket("bucket").key("new").ifNoneMatch("*"), RequestBody.fromString("x"));
    denied(
        () ->
            alice.copyObject(
                b ->
                    b.sourceBucket("bucket")
                        .sourceKey("k")
                        .destinationBucket("bucket")
                        .destinationKey("copy")));
    String upload = alice.createMultipartUpload(b -> b.bucket("bucket").key("big")).uploadId();
    String etag =
        alice
            .uploadPart(
                b -> b.bucket("bucket").key("big").uploadId(upload).partNumber(1),
                RequestBody.fromString("x"))
            .eTag();
    CompletedMultipartUpload parts =
        CompletedMultipartUpload.builder()
            .parts(CompletedPart.builder().partNumber(1).eTag(etag).build())
            .build();
    denied(
        () ->
            alice.completeMultipartUpload(
                b -> b.bucket("bucket").key("big").uploadId(upload).multipartUpload(parts)));
    alice.completeMultipartUpload(
        b ->
            b.bucket("bucket").key("big").uploadId(upload).ifNoneMatch("*").multipartUpload(parts));
  }

  @Test
  void policiesAskForConditionsOfDeletes() {
    deny("bucket", "\"s3:DeleteObject\"", "\"Null\": {\"s3:if-match\": \"true\"}");
    String etag = alice.headObject(b -> b.bucket("bucket").key("k")).eTag();
    denied(() -> alice.deleteObject(b -> b.bucket("bucket").key("k")));
    ObjectIdentifier named = ObjectIdentifier.builder().key("k").build();
    assertEquals(
        List.of("AccessDenied"),
        alice.deleteObjects(b -> b.bucket("bucket").delete(d -> d.objects(named))).errors().stream()
            .map(S3Error::code)
            .toList());
    ObjectIdentifier matched = named.toBuilder().eTag(etag).build();
    assertEquals(
        1,
        alice
            .deleteObjects(b -> b.bucket("bucket").delete(d -> d.objects(matched)))
            .deleted()
            .size());
  }

  @Test
  void policiesLimitLocks() {
    alice.createBucket(b -> b.bucket("locked").objectLockEnabledForBucket(true));
    put(alice, "locked", "k", null);
    Instant near = Instant.now().plus(5, ChronoUnit.DAYS);
    Instant far = Instant.now().plus(20, ChronoUnit.DAYS);
    deny(
        "locked",
        "\"s3:PutObjectRetention\"",
        "\"NumericGreaterThan\": {\"s3:object-lock-remaining-retention-days\": \"10\"}");
    denied(() -> retain("locked", far));
    retain("locked", near);
    denied(() -> putLocked("locked", far));
    putLocked("locked", near);

    deny(
        "locked",
        "\"s3:PutObjectRetention\"",
        "\"StringEquals\": {\"s3:object-lock-mode\": \"GOVERNANCE\"},"
            + "\"DateGreaterThan\": {\"s3:object-lock-retain-until-date\": \"%s\"}"
                .formatted(near.plusSeconds(60)));
    denied(() -> retain("locked", far));
    retain("locked", near.plusSeconds(30));

    deny(
        "locked",
        "\"s3:PutObjectLegalHold\"",
        "\"StringEquals\": {\"s3:object-lock-legal-hold\": \"ON\"}");
    denied(
        () ->
            alice.putObjectLegalHold(
                b -> b.bucket("locked").key("k").legalHold(h -> h.status("ON"))));
    alice.putObjectLegalHold(b -> b.bucket("locked").key("k").legalHold(h -> h.status("OFF")));
    alice.deleteBucketPolicy(b -> b.bucket("locked"));
    // Who may do so only on a condition, may do so.
    alice.putBucketPolicy(
        b ->
            b.bucket("locked")
                .policy(
                    """
                    {"Statement": {"Effect": "Allow", "Principal": {"AWS": "arn:aws:iam:::user/bob"},
                     "Action": "s3:PutObjectLegalHold", "Resource": "arn:aws:s3:::locked/*",
                     "Condition": {"StringEquals": {"s3:object-lock-legal-hold": "OFF"}}}}
                    """));
    bob.putObjectLegalHold(b -> b.bucket("locked").key("k").legalHold(h -> h.status("OFF")));
    denied(
        () ->
            bob.putObjectLegalHold(
                b -> b.bucket("locked").key("k").legalHold(h -> h.status("ON"))));
  }

  private void retain(String bucket, Instant until) {
    alice.putObjectRetention(
        b -> b.bucket(bucket).key("k").retention(r -> r.mode("GOVERNANCE").retainUntilDate(until)));
  }

  private String putLocked(String bucket, Instant until) {
    return alice
        .putObject(
            b ->
                b.bucket(bucket)
                    .key("new")
                    .objectLockMode("GOVERNANCE")
                    .objectLockRetainUntilDate(until),
            RequestBody.fromString("x"))
        .versionId();
  }

  /** It takes the header and the permission: neither does alone. */
  @Test
  void governanceIsBypassedByWhoMayDoSoAndSaysSo() {
    alice.createBucket(b -> b.bucket("locked").objectLockEnabledForBucket(true));
    Instant far = Instant.now().plus(20, ChronoUnit.DAYS);
    String first = putLocked("locked", far);
    String second = putLocked("locked", far);
    String third = putLocked("locked", far);
    String rest = "\"s3:DeleteObjectVersion\", \"s3:PutObjectRetention\"";
    policy("locked", rest);
    denied(() -> remove(bob, first, true));
    denied(() -> shorten(bob, first, true));
    assertEquals(
        List.of("AccessDenied", "AccessDenied"),
        removeBoth(bob, second, third).errors().stream().map(S3Error::code).toList());
    assertEquals(3, alice.listObjectVersions(b -> b.bucket("locked")).versions().size());
    policy("locked", rest + ", \"s3:BypassGovernanceRetention\"");
    denied(() -> remove(bob, first, false));
    denied(() -> shorten(bob, first, false));
    shorten(bob, first, true);
    remove(bob, first, true);
    assertEquals(2, removeBoth(bob, second, third).deleted().size());
    assertEquals(List.of(), alice.listObjectVersions(b -> b.bucket("locked")).versions());
  }

  private static void remove(S3Client who, String version, boolean bypass) {
    who.deleteObject(
        b -> b.bucket("locked").key("new").versionId(version).bypassGovernanceRetention(bypass));
  }

  private static void shorten(S3Client who, String version, boolean bypass) {
    who.putObjectRetention(
        b ->
            b.bucket("locked")
                .key("new")
                .versionId(version)
                .bypassGovernanceRetention(bypass)
                .retention(
                    r ->
                        r.mode("GOVERNANCE")
                            .retainUntilDate(Instant.now().plus(1, ChronoUnit.DAYS))));
  }

  private static DeleteObjectsResponse removeBoth(S3Client who, String... versions) {
    List<ObjectIdentifier> both =
        Stream.of(versions)
            .map(version -> ObjectIdentifier.builder().key("new").versionId(version).build())
            .toList();
    return who.deleteObjects(
        b -> b.bucket("locked").bypassGovernanceRetention(true).delete(d -> d.objects(both)));
  }

  /** Conditions under which a read, or a put with the tags a and b, is denied, or is not. */
  @Test
  void policiesAskForWhatARequestIs() {
    String[][] cases = {
      {"\"NumericLessThan\": {\"s3:signatureAge\": \"600000\"}", "denied"},
      {"\"NumericGreaterThan\": {\"s3:signatureAge\": \"600000\"}", "passes"},
      {"\"StringNotEquals\": {\"s3:ResourceAccount\": \"000000000000\"}", "passes"},
      {"\"StringNotEquals\": {\"aws:ResourceAccount\": \"000000000000\"}", "passes"},
      {"\"StringEquals\": {\"aws:ResourceAccount\": \"000000000000\"}", "denied"},
      {"\"StringNotEquals\": {\"aws:RequestedRegion\": \"us-east-1\"}", "passes"},
      {"\"Bool\": {\"aws:PrincipalIsAWSService\": \"false\"}", "denied"},
      {"\"Bool\": {\"aws:ViaAWSService\": \"true\"}", "passes"},
      {"\"Null\": {\"s3:TlsVersion\": \"false\"}", "passes"},
      {"\"Bool\": {\"aws:SecureTransport\": \"false\"}", "denied"},
      {"\"Bool\": {\"aws:SecureTransport\": \"true\"}", "passes"},
      {"\"IpAddress\": {\"aws:SourceIp\": [\"10.0.0.0/8\", \"127.0.0.0/8\"]}", "denied"},
      {"\"NotIpAddress\": {\"aws:SourceIp\": \"127.0.0.1\"}", "passes"},
      {"\"ForAnyValue:StringEquals\": {\"s3:RequestObjectTagKeys\": [\"b\", \"c\"]}", "put denied"},
      {"\"ForAnyValue:StringEquals\": {\"s3:RequestObjectTagKeys\": \"c\"}", "passes"},
      {"\"ForAllValues:StringEquals\": {\"s3:RequestObjectTagKeys\": [\"a\", \"b\"]}", "denied"},
      {"\"ForAnyValue:StringNotEquals\": {\"s3:RequestObjectTagKeys\": [\"a\", \"b\"]}", "passes"},
    };
    for (String[] each : cases) {
      deny("bucket", "\"s3:GetObject\", \"s3:PutObject\"", each[0]);
      assertEquals(each[1].equals("denied"), isDenied(() -> read(alice, "k")), each[0]);
      assertEquals(
          each[1].endsWith("denied"),
          isDenied(
              () ->
                  alice.putObject(
                      b -> b.bucket("bucket").key("k").tagging("a=1&b=2"),
                      RequestBody.fromString("x"))),
          each[0]);
    }
  }

  private static boolean isDenied(Runnable what) {
    try {
      what.run();
      return false;
    } catch (S3Exception e) {
      assertEquals(403, e.statusCode());
      return true;
    }
  }

  /** The tags of PutObjectTagging stand in its body; a header says nothing there. */
  @Test
  void policiesAskForTheTagsThatArePut() throws IOException {
    String tags = "\"s3:PutObjectTagging\", \"s3:PutObjectVersionTagging\"";
    String ifPublic = "\"StringEquals\": {\"s3:RequestObjectTag/class\": \"public\"}";
    deny("bucket", tags, ifPublic);
    denied(() -> tag(alice, "public", null));
    denied(() -> tag(alice, "public", "null"));
    tag(alice, "open", null);
    tag(alice, "open", "null");
    deny(
        "bucket",
        tags,
        "\"ForAnyValue:StringNotEquals\": {\"s3:RequestObjectTagKeys\": \"level\"}");
    denied(() -> tag(alice, "open", null));
    alice.putBucketPolicy(
        b ->
            b.bucket("bucket")
                .policy(
                    """
                    {"Statement": {"Effect": "Allow", "Principal": {"AWS": "arn:aws:iam:::user/bob"},
                     "Action": [%s], "Resource": "arn:aws:s3:::bucket/*", "Condition": {%s}}}
                    """
                        .formatted(tags, ifPublic)));
    tag(bob, "public", null);
    tag(bob, "public", "null");
    denied(() -> tag(bob, "open", null));
    denied(
        () ->
            bob.putObjectTagging(
                b ->
                    b.bucket("bucket")
                        .key("k")
                        .overrideConfiguration(o -> o.putHeader("x-amz-tagging", "class=public"))
                        .tagging(t -> t.tagSet(List.of()))));
    // What is wrong with a body is told to whom the action is allowed.
    assertEquals(403, stranger("PUT", "/bucket/k?tagging"));
    alice.deleteBucketPolicy(b -> b.bucket("bucket"));
    S3Exception malformed =
        assertThrows(
            S3Exception.class,
            () -> tags(alice, null, List.of(classOf("public"), classOf("open")))); // twice one key
    assertEquals(400, malformed.statusCode());
    denied(() -> tags(bob, null, List.of(classOf("public"), classOf("open"))));
  }

  private static Tag classOf(String value) {
    return Tag.builder().key("class").value(value).build();
  }

  private static void tag(S3Client who, String value, String version) {
    tags(who, version, List.of(classOf(value)));
  }

  private static void tags(S3Client who, String version, List<Tag> tags) {
    who.putObjectTagging(
        b -> b.bucket("bucket").key("k").versionId(version).tagging(t -> t.tagSet(tags)));
  }

  private static String allowBob(String action, String resource) {
    return """
    {"Statement": {"Effect": "Allow", "Principal": {"AWS": "arn:aws:iam:::user/bob"},
     "Action": "%s", "Resource": "%s"}}
    """
        .formatted(action, resource);
  }

  /** As S3: 404 is for those who may list, 403 for those who may only read. */
  @Test
  void whetherAKeyIsThereIsToldToWhoMayList() throws IOException {
    alice.putBucketPolicy(
        b -> b.bucket("bucket").policy(allowBob("s3:GetObject", "arn:aws:s3:::bucket/*")));
    bob.createBucket(b -> b.bucket("bobs"));
    assertEquals("content", read(bob, "k"));
    denied(() -> read(bob, "none"));
    denied(
        () ->
            bob.copyObject(
                b ->
                    b.sourceBucket("bucket")
                        .sourceKey("none")
                        .destinationBucket("bobs")
                        .destinationKey("k")));
    assertEquals(404, absent(alice));
    assertEquals(403, absent(bob));
    alice.putBucketVersioning(
        b -> b.bucket("bucket").versioningConfiguration(v -> v.status("Enabled")));
    alice.deleteObject(b -> b.bucket("bucket").key("k"));
    denied(() -> read(bob, "k"));
    alice.putBucketPolicy(
        b ->
            b.bucket("bucket")
                .policy(
                    """
                    {"Statement": {"Effect": "Allow",
                     "Principal": {"AWS": "arn:aws:iam:::user/bob"},
                     "Action": ["s3:GetObject", "s3:ListBucket"],
                     "Resource": ["arn:aws:s3:::bucket", "arn:aws:s3:::bucket/*"]}}
                    """));
    assertEquals(404, absent(bob));
    S3Exception marked = assertThrows(S3Exception.class, () -> read(bob, "k"));
    assertEquals(404, marked.statusCode());
    assertEquals(403, stranger("GET", "/bucket/none"));
  }

  private static int absent(S3Client who) {
    return assertThrows(
            S3Exception.class, () -> who.headObject(b -> b.bucket("bucket").key("none")))
        .statusCode();
  }

  @Test
  void policiesOfUsersCount() throws Exception {
    target.namespace.updateUser(
        UpdateUserRequest.newBuilder()
            .setName("alice")
            .putPutPolicies(
                "no-deletes",
                "{\"Statement\":{\"Effect\":\"Deny\",\"Action\":\"s3:Delete*\","
                    + "\"Resource\":\"*\"}}")
            .build());
    try (S3Client sameKey = user("alice2", "x")) {
      target.namespace.updateUser(
          UpdateUserRequest.newBuilder()
              .setName("alice2")
              .putPutPolicies(
                  "reads",
                  "{\"Statement\":{\"Effect\":\"Allow\",\"Action\":\"s3:GetObject\","
                      + "\"Resource\":\"arn:aws:s3:::bucket/*\"}}")
              .build());
      assertEquals("content", read(sameKey, "k"));
      denied(() -> sameKey.listObjects(b -> b.bucket("bucket")));
    }
  }

  @Test
  void policiesOfUsersNameTheBucketsThatTheyMayNotMake() throws Exception {
    try (S3Client nina = user("nina", "n@example.com")) {
      target.namespace.updateUser(
          UpdateUserRequest.newBuilder()
              .setName("nina")
              .putPutPolicies(
                  "not-theirs",
                  "{\"Statement\":{\"Effect\":\"Deny\",\"Action\":\"s3:CreateBucket\","
                      + "\"Resource\":\"arn:aws:s3:::theirs-*\"}}")
              .build());
      denied(() -> nina.createBucket(b -> b.bucket("theirs-1")));
      nina.createBucket(b -> b.bucket("hers"));
    }
  }

  @Test
  void policiesOfUsersAskForTagsOfTheObject() throws Exception {
    target.namespace.updateUser(
        UpdateUserRequest.newBuilder()
            .setName("bob")
            .putPutPolicies(
                "no secrets",
                """
                {"Version": "2012-10-17", "Statement": [
                  {"Effect": "Allow", "Action": "s3:*", "Resource": "arn:aws:s3:::bucket/*"},
                  {"Effect": "Deny", "Action": "s3:GetObject", "Resource": "*",
                   "Condition": {"StringEquals": {"s3:ExistingObjectTag/level": "secret"}}}]}
                """)
            .build());
    assertEquals("content", read(bob, "k"));
    alice.putObjectTagging(
        b ->
            b.bucket("bucket")
                .key("k")
                .tagging(t -> t.tagSet(Tag.builder().key("level").value("secret").build())));
    denied(() -> read(bob, "k"));
  }

  @Test
  void listsCanBeDisabled() throws IOException {
    bob.createBucket(
        b -> b.bucket("enforced").objectOwnership(ObjectOwnership.BUCKET_OWNER_ENFORCED));
    S3Exception e =
        assertThrows(
            S3Exception.class,
            () ->
                bob.putObject(
                    b -> b.bucket("enforced").key("k").acl(ObjectCannedACL.PUBLIC_READ),
                    RequestBody.empty()));
    assertEquals("AccessControlListNotSupported", e.awsErrorDetails().errorCode());
    bob.putObject(
        b -> b.bucket("enforced").key("k").acl(ObjectCannedACL.BUCKET_OWNER_FULL_CONTROL),
        RequestBody.empty());
    assertEquals("id-bob", bob.getObjectAcl(b -> b.bucket("enforced").key("k")).owner().id());
  }

  private static void put(S3Client who, String bucket, String key, ObjectCannedACL list) {
    who.putObject(b -> b.bucket(bucket).key(key).acl(list), RequestBody.fromString("content"));
  }

  @Test
  void aListOfItsOwnTakesAPermissionOfItsOwn() {
    alice.putBucketPolicy(
        b -> b.bucket("bucket").policy(allowBob("s3:PutObject", "arn:aws:s3:::bucket/*")));
    put(bob, "bucket", "x", null);
    // Full control for the bucket's owner is what policies ask for by conditions.
    put(bob, "bucket", "x", ObjectCannedACL.BUCKET_OWNER_FULL_CONTROL);
    bob.putObject(
        b -> b.bucket("bucket").key("x").grantFullControl("id=id-alice"), RequestBody.empty());
    denied(
        () ->
            bob.putObject(
                b ->
                    b.bucket("bucket")
                        .key("x")
                        .grantFullControl("id=id-alice")
                        .grantRead("id=id-bob"),
                RequestBody.empty()));
    denied(
        () ->
            bob.putObject(
                b -> b.bucket("bucket").key("x").grantFullControl("id=id-bob"),
                RequestBody.empty()));
    denied(() -> put(bob, "bucket", "x", ObjectCannedACL.PRIVATE));
    denied(
        () ->
            bob.putObject(
                b -> b.bucket("bucket").key("x").grantRead("id=\"id-alice\""),
                RequestBody.empty()));
    denied(
        () ->
            bob.createMultipartUpload(
                b -> b.bucket("bucket").key("x").acl(ObjectCannedACL.PUBLIC_READ)));
    alice.putBucketPolicy(
        b -> b.bucket("bucket").policy(allowBob("s3:PutObject*", "arn:aws:s3:::bucket/*")));
    put(bob, "bucket", "x", ObjectCannedACL.BUCKET_OWNER_FULL_CONTROL);
    alice.putBucketPolicy(
        b ->
            b.bucket("bucket")
                .policy(
                    """
                    {"Statement": {"Effect": "Deny", "Principal": "*", "Action": "s3:PutObjectAcl",
                     "Resource": "arn:aws:s3:::bucket/*"}}
                    """));
    put(alice, "bucket", "x", null);
    denied(() -> put(alice, "bucket", "x", ObjectCannedACL.PUBLIC_READ));
    denied(() -> put(alice, "bucket", "x", ObjectCannedACL.BUCKET_OWNER_FULL_CONTROL));
    // Whom a list lets write says who may read.
    bob.createBucket(b -> b.bucket("open").acl(BucketCannedACL.PUBLIC_READ_WRITE));
    put(alice, "open", "x", ObjectCannedACL.BUCKET_OWNER_READ);
  }

  @Test
  void whatOthersWroteIsTheirsWhereOwnershipControlsSaySo() {
    bob.createBucket(
        b ->
            b.bucket("shared")
                .objectOwnership(ObjectOwnership.OBJECT_WRITER)
                .acl(BucketCannedACL.PUBLIC_READ_WRITE));
    put(alice, "shared", "hers", null);
    put(alice, "shared", "given", ObjectCannedACL.BUCKET_OWNER_FULL_CONTROL);
    put(alice, "shared", "shown", ObjectCannedACL.BUCKET_OWNER_READ);
    put(bob, "shared", "his", null);
    denied(() -> bob.getObjectAsBytes(b -> b.bucket("shared").key("hers")));
    denied(() -> bob.getObjectAcl(b -> b.bucket("shared").key("hers")));
    denied(
        () ->
            bob.putObjectAcl(b -> b.bucket("shared").key("hers").acl(ObjectCannedACL.PUBLIC_READ)));
    for (String his : List.of("given", "his")) {
      assertEquals(
          "content", bob.getObjectAsBytes(b -> b.bucket("shared").key(his)).asUtf8String());
      bob.getObjectAcl(b -> b.bucket("shared").key(his));
    }
    assertEquals(
        "content", bob.getObjectAsBytes(b -> b.bucket("shared").key("shown")).asUtf8String());
    denied(() -> bob.getObjectAcl(b -> b.bucket("shared").key("shown")));
    bob.deleteObject(b -> b.bucket("shared").key("hers"));
    // Where it is not said, all is the bucket's owner's to read.
    bob.createBucket(b -> b.bucket("unsaid").acl(BucketCannedACL.PUBLIC_READ_WRITE));
    put(alice, "unsaid", "hers", null);
    assertEquals(
        "content", bob.getObjectAsBytes(b -> b.bucket("unsaid").key("hers")).asUtf8String());
  }

  private void policy(String bucket, String actions) {
    alice.putBucketPolicy(
        b ->
            b.bucket(bucket)
                .policy(
                    """
                    {"Statement": {"Effect": "Allow", "Principal": {"AWS": "arn:aws:iam:::user/bob"},
                     "Action": [%s], "Resource": "arn:aws:s3:::%s/*"}}
                    """
                        .formatted(actions, bucket)));
  }

  @Test
  void tagsAreCopiedByWhoMayReadAndWriteThem() {
    alice.createBucket(b -> b.bucket("target"));
    alice.putObject(
        b -> b.bucket("bucket").key("t").tagging("level=secret"), RequestBody.fromString("x"));
    policy("bucket", "\"s3:GetObject\"");
    policy("target", "\"s3:PutObject\"");
    bob.copyObject(
        b ->
            b.sourceBucket("bucket")
                .sourceKey("k")
                .destinationBucket("target")
                .destinationKey("k"));
    Runnable copy =
        () ->
            bob.copyObject(
                b ->
                    b.sourceBucket("bucket")
                        .sourceKey("t")
                        .destinationBucket("target")
                        .destinationKey("t"));
    denied(copy::run);
    policy("bucket", "\"s3:GetObject\", \"s3:GetObjectTagging\"");
    denied(copy::run);
    bob.copyObject(
        b ->
            b.sourceBucket("bucket")
                .sourceKey("t")
                .destinationBucket("target")
                .destinationKey("bare")
                .taggingDirective(TaggingDirective.REPLACE));
    policy("target", "\"s3:PutObject\", \"s3:PutObjectTagging\"");
    copy.run();
    assertEquals(
        "secret", alice.getObjectTagging(b -> b.bucket("target").key("t")).tagSet().get(0).value());
  }

  @Test
  void everyDecisionIsInTheAuditLog() throws Exception {
    target.close();
    Path file = directory.resolve("audit.log");
    String version;
    String requestId;
    try (InMemoryTarget audited = new InMemoryTarget(Map.of("stowage.s3.audit.file", file + ""))) {
      target = audited;
      raw = new RawS3(endpoint(), "none", "none", "us-east-1");
      try (S3Client owner = user("owner", "o@example.com");
          S3Client other = user("other", "x@example.com")) {
        owner.createBucket(b -> b.bucket("bucket"));
        owner.putBucketVersioning(
            b ->
                b.bucket("bucket")
                    .versioningConfiguration(v -> v.status(BucketVersioningStatus.ENABLED)));
        PutObjectResponse put =
            owner.putObject(b -> b.bucket("bucket").key("k"), RequestBody.fromString("content"));
        version = put.versionId();
        requestId = put.responseMetadata().requestId();
        owner.getObjectAsBytes(b -> b.bucket("bucket").key("k").versionId(version));
        denied(() -> read(other, "k"));
        denied(() -> other.getObject(b -> b.bucket("bucket").key("k").versionId(version)));
        assertEquals(403, stranger("GET", "/bucket/k"));
        owner.deleteObjects(
            b ->
                b.bucket("bucket")
                    .delete(
                        d ->
                            d.objects(
                                ObjectIdentifier.builder().key("k").versionId(version).build(),
                                ObjectIdentifier.builder().key("none").build())));
      }
      try (S3Client wrong = client("AKowner", "wrong secret")) {
        S3Exception e = assertThrows(S3Exception.class, wrong::listBuckets);
        assertEquals("SignatureDoesNotMatch", e.awsErrorDetails().errorCode());
      }
    }
    List<String> lines = Files.readAllLines(file);
    assertEquals(
        List.of(
            "owner SigV4-header s3:CreateBucket bucket/null null true",
            "owner SigV4-header s3:PutBucketVersioning bucket/null null true",
            "owner SigV4-header s3:PutObject bucket/k null true",
            "owner SigV4-header s3:GetObjectVersion bucket/k " + version + " true",
            "other SigV4-header s3:GetObject bucket/k null false",
            "other SigV4-header s3:GetObjectVersion bucket/k " + version + " false",
            "null anonymous s3:GetObject bucket/k null false",
            "owner SigV4-header s3:DeleteObjectVersion bucket/k " + version + " true",
            "owner SigV4-header s3:DeleteObject bucket/none null true",
            "null SigV4-header authenticate null/null null false"),
        lines.stream().map(S3AccessTest::inShort).toList());
    assertEquals(requestId, json(lines.get(2)).get("requestId").asText());
    assertEquals(
        List.of(
            "owner of the bucket",
            StoreRules.NOTHING_ALLOWS,
            StoreRules.NOTHING_ALLOWS,
            StoreRules.NOTHING_ALLOWS),
        lines.subList(3, 7).stream().map(line -> json(line).get("why").asText()).toList());
    assertEquals(requestId(lines.get(7)), requestId(lines.get(8)), "two decisions of one request");
    String all = String.join("", lines);
    assertFalse(all.contains("secret"));
    assertTrue(all.contains("AKowner"));
    target = new InMemoryTarget(Map.of());
  }

  /** They are that by a ticket, which a secret outlives. */
  @Test
  void whoAdministersOverRpcIsAUserLikeAnother() throws Exception {
    target.close();
    target =
        new InMemoryTarget(
            Map.of(
                "stowage.administrators", "root",
                "stowage.permissions.superuser-group", "root"));
    try (S3Client owner = user("owner", "o@example.com");
        S3Client root = user("root", "r@example.com")) {
      owner.createBucket(b -> b.bucket("bucket"));
      owner.putObject(b -> b.bucket("bucket").key("k"), RequestBody.fromString("content"));
      denied(() -> read(root, "k"));
      denied(() -> root.deleteBucket(b -> b.bucket("bucket")));
      assertEquals(List.of(), root.listBuckets().buckets());
    }
  }

  /** Guesses at one key are seen, whichever service they are signed for. */
  @Test
  void guessesNameTheKeyThatTheyClaim() throws Exception {
    target.close();
    Path file = directory.resolve("audit.log");
    List<String> answered = new ArrayList<>();
    try (InMemoryTarget audited = new InMemoryTarget(Map.of("stowage.s3.audit.file", file + ""))) {
      target = audited;
      raw = new RawS3(endpoint(), "none", "none", "us-east-1");
      for (String service : List.of("iam", "sts", "s3")) {
        RawS3.Reply reply =
            raw.call("POST", "/")
                .scope("us-east-1", service)
                .as(InMemoryTarget.ACCESS_KEY, "guessed")
                .body("Action=GetCallerIdentity&Version=2011-06-15")
                .send();
        assertEquals("SignatureDoesNotMatch", reply.code(), reply.text());
        answered.add(reply.headers().get("x-amz-request-id"));
      }
    }
    List<String> lines = Files.readAllLines(file);
    for (String line : lines) {
      assertEquals("null SigV4-header authenticate null/null null false", inShort(line));
      assertTrue(line.contains("\"accessKey\":\"" + InMemoryTarget.ACCESS_KEY + "\""), line);
    }
    assertEquals(answered, lines.stream().map(S3AccessTest::requestId).toList());
    target = new InMemoryTarget(Map.of());
  }

  private static String requestId(String line) {
    return json(line).get("requestId").asText();
  }

  private static JsonNode json(String line) {
    try {
      return new ObjectMapper().readTree(line);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  private static String inShort(String line) {
    JsonNode json = json(line);
    assertEquals("127.0.0.1", json.get("from").asText());
    assertEquals(16, json.get("requestId").asText().length());
    assertFalse(json.get("why").asText().isEmpty(), line);
    return text(json.get("user"))
        + " "
        + text(json.get("authenticated"))
        + " "
        + text(json.get("action"))
        + " "
        + text(json.get("bucket"))
        + "/"
        + text(json.get("key"))
        + " "
        + text(json.get("version"))
        + " "
        + text(json.get("allowed"));
  }

  private static String text(JsonNode value) {
    return value == null ? "null" : value.asText();
  }

  /** What of an object has a right of its own is not told by the way. */
  @Test
  void locksAndTagsAreToldToWhomTheyMayBeRead() {
    alice.createBucket(b -> b.bucket("locked").objectLockEnabledForBucket(true));
    alice.putObject(
        b ->
            b.bucket("locked")
                .key("k")
                .tagging("a=1&b=2")
                .objectLockMode("GOVERNANCE")
                .objectLockRetainUntilDate(Instant.now().plus(1, ChronoUnit.DAYS))
                .objectLockLegalHoldStatus("ON"),
        RequestBody.fromString("x"));
    String version = alice.headObject(b -> b.bucket("locked").key("k")).versionId();
    assertEquals("2 GOVERNANCE true ON", told(alice, null));
    assertEquals("2 GOVERNANCE true ON", told(alice, version));
    String read = "\"s3:GetObject\", \"s3:GetObjectVersion\"";
    String[][] cases = {
      {"", "null null false null", "null null false null"},
      {", \"s3:GetObjectTagging\"", "2 null false null", "null null false null"},
      {", \"s3:GetObjectVersionTagging\"", "null null false null", "2 null false null"},
      {", \"s3:GetObjectRetention\"", "null GOVERNANCE true null", "null GOVERNANCE true null"},
      {", \"s3:GetObjectLegalHold\"", "null null false ON", "null null false ON"},
    };
    for (String[] each : cases) {
      policy("locked", read + each[0]);
      assertEquals(each[1], told(bob, null), each[0]);
      assertEquals(each[2], told(bob, version), each[0]);
    }
  }

  /** What GET tells, and HEAD the same. */
  private static String told(S3Client who, String version) {
    GetObjectResponse got =
        who.getObjectAsBytes(b -> b.bucket("locked").key("k").versionId(version)).response();
    HeadObjectResponse head = who.headObject(b -> b.bucket("locked").key("k").versionId(version));
    assertEquals(got.objectLockModeAsString(), head.objectLockModeAsString());
    assertEquals(got.objectLockRetainUntilDate(), head.objectLockRetainUntilDate());
    assertEquals(got.objectLockLegalHoldStatusAsString(), head.objectLockLegalHoldStatusAsString());
    return got.tagCount()
        + " "
        + got.objectLockModeAsString()
        + " "
        + (got.objectLockRetainUntilDate() != null)
        + " "
        + got.objectLockLegalHoldStatusAsString();
  }

  @Test
  void tagsOfObjectsChange() {
    alice.putObject(
        b -> b.bucket("bucket").key("t").tagging("a=1&b=%20x"), RequestBody.fromString("x"));
    assertEquals(Map.of("a", "1", "b", " x"), tags("t"));
    alice.putObjectTagging(
        b ->
            b.bucket("bucket")
                .key("t")
                .tagging(t -> t.tagSet(Tag.builder().key("c").value("3").build())));
    assertEquals(Map.of("c", "3"), tags("t"));
    assertEquals(1, alice.getObject(b -> b.bucket("bucket").key("t")).response().tagCount());
    alice.deleteObjectTagging(b -> b.bucket("bucket").key("t"));
    assertEquals(Map.of(), tags("t"));
    assertEquals("x", read(alice, "t"));
  }

  private Map<String, String> tags(String key) {
    return alice.getObjectTagging(b -> b.bucket("bucket").key(key)).tagSet().stream()
        .collect(java.util.stream.Collectors.toMap(Tag::key, Tag::value));
  }
}
