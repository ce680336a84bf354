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
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.stowage.s3.suite.AccessLogs;
import io.stowage.s3.suite.RawS3;
import java.io.IOException;
import java.net.URI;
import java.util.Arrays;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import software.amazon.awssdk.auth.credentials.AwsBasicCredentials;
import software.amazon.awssdk.auth.credentials.StaticCredentialsProvider;
import software.amazon.awssdk.core.sync.RequestBody;
import software.amazon.awssdk.http.urlconnection.UrlConnectionHttpClient;
import software.amazon.awssdk.regions.Region;
import software.amazon.awssdk.services.s3.S3Client;
import software.amazon.awssdk.services.s3.model.BucketAccelerateStatus;
import software.amazon.awssdk.services.s3.model.BucketVersioningStatus;
import software.amazon.awssdk.services.s3.model.ListPartsResponse;
import software.amazon.awssdk.services.s3.model.ObjectOwnership;
import software.amazon.awssdk.services.s3.model.OwnershipControlsRule;
import software.amazon.awssdk.services.s3.model.PartitionDateSource;
import software.amazon.awssdk.services.s3.model.Payer;
import software.amazon.awssdk.services.s3.model.PublicAccessBlockConfiguration;
import software.amazon.awssdk.services.s3.model.RequestCharged;
import software.amazon.awssdk.services.s3.model.S3Exception;
import software.amazon.awssdk.services.s3.model.S3Object;
import software.amazon.awssdk.services.s3.model.ServerSideEncryption;
import software.amazon.awssdk.services.s3.model.ServerSideEncryptionRule;
import software.amazon.awssdk.services.s3.model.StorageClass;

/** Configurations of buckets beyond those that the suite of the whole store goes through. */
class S3BucketSettingsTest {
  private InMemoryTarget target;
  private S3Client s3;
  private S3Client other;

  @BeforeEach
  void start() throws Exception {
    target = new InMemoryTarget(Map.of("stowage.s3.access-log-interval", "50ms"));
    target.addIdentity("AKOTHER", "secret", "other", false);
    s3 = client(InMemoryTarget.ACCESS_KEY);
    other = client("AKOTHER");
    s3.createBucket(b -> b.bucket("bucket"));
  }

  private S3Client client(String accessKey) {
    return S3Client.builder()
        .endpointOverride(URI.create("http://127.0.0.1:" + target.gateway.port()))
        .region(Region.US_EAST_1)
        .forcePathStyle(true)
        .httpClientBuilder(UrlConnectionHttpClient.builder())
        .credentialsProvider(
            StaticCredentialsProvider.create(
                AwsBasicCredentials.create(accessKey, InMemoryTarget.SECRET_KEY)))
        .build();
  }

  @AfterEach
  void stop() {
    s3.close();
    other.close();
    target.close();
  }

  private static void refused(
      int status, String code, org.junit.jupiter.api.function.Executable what) {
    S3Exception e = assertThrows(S3Exception.class, what);
    assertEquals(code, e.awsErrorDetails().errorCode());
    assertEquals(status, e.statusCode());
  }

  @Test
  void whatThisStoreHasNoUseForIsAnsweredAsWhereNobodyConfiguredIt() {
    refused(
        404,
        "ReplicationConfigurationNotFoundError",
        () -> s3.getBucketReplication(b -> b.bucket("bucket")));
    s3.deleteBucketReplication(b -> b.bucket("bucket"));
    assertFalse(
        s3.listBucketInventoryConfigurations(b -> b.bucket("bucket"))
            .hasInventoryConfigurationList());
    assertFalse(
        s3.listBucketAnalyticsConfigurations(b -> b.bucket("bucket"))
            .hasAnalyticsConfigurationList());
    assertFalse(
        s3.listBucketMetricsConfigurations(b -> b.bucket("bucket")).hasMetricsConfigurationList());
    assertFalse(
        s3.listBucketIntelligentTieringConfigurations(b -> b.bucket("bucket"))
            .hasIntelligentTieringConfigurationList());
    refused(
        404,
        "NoSuchConfiguration",
        () -> s3.getBucketInventoryConfiguration(b -> b.bucket("bucket").id("x")));
    refused(
        404,
        "NoSuchConfiguration",
        () -> s3.deleteBucketMetricsConfiguration(b -> b.bucket("bucket").id("x")));
    refused(
        501,
        "NotImplemented",
        () ->
            s3.putBucketMetricsConfiguration(
                b -> b.bucket("bucket").id("x").metricsConfiguration(m -> m.id("x"))));
    s3.putObject(b -> b.bucket("bucket").key("k"), RequestBody.empty());
    refused(
        403,
        "InvalidObjectState",
        () -> s3.restoreObject(b -> b.bucket("bucket").key("k").restoreRequest(r -> r.days(1))));
    refused(
        404,
        "NoSuchKey",
        () -> s3.restoreObject(b -> b.bucket("bucket").key("none").restoreRequest(r -> r.days(1))));
    refused(405, "MethodNotAllowed", () -> s3.getObjectTorrent(b -> b.bucket("bucket").key("k")));
  }

  @Test
  void aRestoreIsRefusedOfTheVersionThatIsMeant() throws IOException {
    s3.putBucketVersioning(
        b ->
            b.bucket("bucket")
                .versioningConfiguration(v -> v.status(BucketVersioningStatus.ENABLED)));
    String version =
        s3.putObject(
                b -> b.bucket("bucket").key("k").storageClass(StorageClass.GLACIER),
                RequestBody.empty())
            .versionId();
    s3.deleteObject(b -> b.bucket("bucket").key("k"));
    RawS3 raw = target.target().raw();
    RawS3.Reply of = raw.call("POST", "/bucket/k?restore=&versionId=" + version).send();
    assertEquals("InvalidObjectState", of.code(), of.text());
    assertEquals("GLACIER", of.element("StorageClass"));
    assertEquals("NoSuchKey", raw.call("POST", "/bucket/k?restore=").send().code());
    String unknown =
        s3.putObject(b -> b.bucket("bucket").key("other"), RequestBody.empty()).versionId();
    RawS3.Reply none = raw.call("POST", "/bucket/k?restore=&versionId=" + unknown).send();
    assertEquals("NoSuchVersion", none.code(), none.text());
    assertEquals(
        "InvalidArgument", raw.call("POST", "/bucket/k?restore=&versionId=x").send().code());
  }

  @Test
  void whoeverBeganAnUploadMayLookAtItAndEndIt() throws Exception {
    target.addIdentity("AKTHIRD", "secret", "third", false);
    String mayPut =
        """
        {"Effect": "Allow", "Principal": "*", "Action": "s3:PutObject",
         "Resource": "arn:aws:s3:::bucket/*"}
        """;
    policy(mayPut);
    enforceOwner();
    String id = other.createMultipartUpload(b -> b.bucket("bucket").key("k")).uploadId();
    other.uploadPart(
        b -> b.bucket("bucket").key("k").uploadId(id).partNumber(1), RequestBody.fromString("x"));
    ListPartsResponse listed = other.listParts(b -> b.bucket("bucket").key("k").uploadId(id));
    assertEquals(1, listed.parts().size());
    assertEquals("other", listed.initiator().id());
    assertEquals("tester", listed.owner().id());
    assertEquals(
        "other",
        s3.listMultipartUploads(b -> b.bucket("bucket")).uploads().get(0).initiator().id());
    try (S3Client third = client("AKTHIRD")) {
      refused(
          403,
          "AccessDenied",
          () -> third.listParts(b -> b.bucket("bucket").key("k").uploadId(id)));
      refused(
          403,
          "AccessDenied",
          () -> third.abortMultipartUpload(b -> b.bucket("bucket").key("k").uploadId(id)));
    }
    policy(
        mayPut
            + """
            , {"Effect": "Deny", "Principal": "*", "Action": "s3:AbortMultipartUpload",
               "Resource": "arn:aws:s3:::bucket/*"}
            """);
    refused(
        403,
        "AccessDenied",
        () -> other.abortMultipartUpload(b -> b.bucket("bucket").key("k").uploadId(id)));
    policy(mayPut);
    other.abortMultipartUpload(b -> b.bucket("bucket").key("k").uploadId(id));
    assertTrue(s3.listMultipartUploads(b -> b.bucket("bucket")).uploads().isEmpty());
  }

  @Test
  void whoCreatesTheOwnBucketAgainGetsNoListThatItDoesNotTake() {
    s3.putPublicAccessBlock(
        b -> b.bucket("bucket").publicAccessBlockConfiguration(p -> p.blockPublicAcls(true)));
    refused(403, "AccessDenied", () -> s3.createBucket(b -> b.bucket("bucket").acl("public-read")));
    s3.deletePublicAccessBlock(b -> b.bucket("bucket"));
    enforceOwner();
    refused(
        400,
        "AccessControlListNotSupported",
        () -> s3.createBucket(b -> b.bucket("bucket").acl("public-read")));
    s3.deleteBucketOwnershipControls(b -> b.bucket("bucket"));
    s3.createBucket(b -> b.bucket("bucket").acl("public-read"));
    assertEquals(2, s3.getBucketAcl(b -> b.bucket("bucket")).grants().size());
  }

  private void enforceOwner() {
    OwnershipControlsRule rule =
        OwnershipControlsRule.builder()
            .objectOwnership(ObjectOwnership.BUCKET_OWNER_ENFORCED)
            .build();
    s3.putBucketOwnershipControls(b -> b.bucket("bucket").ownershipControls(o -> o.rules(rule)));
  }

  private void policy(String statements) {
    s3.putBucketPolicy(b -> b.bucket("bucket").policy("{\"Statement\": [" + statements + "]}"));
  }

  @Test
  void whatADocumentLeavesOutIsAnswered() {
    s3.putPublicAccessBlock(
        b -> b.bucket("bucket").publicAccessBlockConfiguration(p -> p.blockPublicAcls(true)));
    PublicAccessBlockConfiguration block =
        s3.getPublicAccessBlock(b -> b.bucket("bucket")).publicAccessBlockConfiguration();
    assertEquals(
        List.of(true, false, false, false),
        Arrays.asList(
            block.blockPublicAcls(),
            block.ignorePublicAcls(),
            block.blockPublicPolicy(),
            block.restrictPublicBuckets()));
    ServerSideEncryptionRule rule =
        ServerSideEncryptionRule.builder()
            .applyServerSideEncryptionByDefault(d -> d.sseAlgorithm(ServerSideEncryption.AES256))
            .build();
    s3.putBucketEncryption(
        b -> b.bucket("bucket").serverSideEncryptionConfiguration(e -> e.rules(rule)));
    assertEquals(
        false,
        s3.getBucketEncryption(b -> b.bucket("bucket"))
            .serverSideEncryptionConfiguration()
            .rules()
            .get(0)
            .bucketKeyEnabled());
  }

  @Test
  void whatLifecycleSaysOfSmallObjectsIsGivenBack() throws IOException {
    RawS3 raw = target.target().raw();
    String header = "x-amz-transition-default-minimum-object-size";
    String usual = "all_storage_classes_128K";
    for (String said : new String[] {"varies_by_storage_class", null, usual}) {
      String expected = said == null ? usual : said;
      RawS3.Reply reply = putLifecycle(said);
      assertEquals(200, reply.status(), reply.text());
      assertEquals(expected, reply.headers().get(header));
      assertEquals(expected, raw.call("GET", "/bucket?lifecycle=").send().headers().get(header));
      assertEquals("InvalidArgument", putLifecycle("another").code());
    }
  }

  private RawS3.Reply putLifecycle(String smallest) throws IOException {
    RawS3.Call put =
        target
            .target()
            .raw()
            .call("PUT", "/bucket?lifecycle=")
            .body(
                "<LifecycleConfiguration><Rule><ID>r</ID><Status>Enabled</Status><Filter/>"
                    + "<Expiration><Days>1</Days></Expiration></Rule></LifecycleConfiguration>");
    if (smallest != null) {
      put.header("x-amz-transition-default-minimum-object-size", smallest);
    }
    return put.send();
  }

  @Test
  void accelerationIsKeptAsItWasSaid() {
    assertNull(s3.getBucketAccelerateConfiguration(b -> b.bucket("bucket")).status());
    s3.putBucketAccelerateConfiguration(
        b ->
            b.bucket("bucket")
                .accelerateConfiguration(a -> a.status(BucketAccelerateStatus.SUSPENDED)));
    assertEquals(
        BucketAccelerateStatus.SUSPENDED,
        s3.getBucketAccelerateConfiguration(b -> b.bucket("bucket")).status());
    s3.putBucketAccelerateConfiguration(
        b ->
            b.bucket("bucket")
                .accelerateConfiguration(a -> a.status(BucketAccelerateStatus.ENABLED)));
    assertEquals(
        BucketAccelerateStatus.ENABLED,
        s3.getBucketAccelerateConfiguration(b -> b.bucket("bucket")).status());
  }

  @Test
  void whereTheRequesterPaysOthersHaveToAgree() {
    s3.putObject(b -> b.bucket("bucket").key("k"), RequestBody.fromString("content"));
    s3.putBucketPolicy(
        b ->
            b.bucket("bucket")
                .policy(
                    """
                    {"Statement": {"Effect": "Allow", "Principal": "*", "Action": "s3:GetObject",
                     "Resource": "arn:aws:s3:::bucket/*"}}
                    """));
    other.getObjectAsBytes(b -> b.bucket("bucket").key("k"));
    s3.putBucketRequestPayment(
        b -> b.bucket("bucket").requestPaymentConfiguration(r -> r.payer(Payer.REQUESTER)));
    refused(403, "AccessDenied", () -> other.getObjectAsBytes(b -> b.bucket("bucket").key("k")));
    assertEquals(
        RequestCharged.REQUESTER,
        other
            .getObjectAsBytes(b -> b.bucket("bucket").key("k").requestPayer("requester"))
            .response()
            .requestCharged());
    assertNull(
        s3.getObjectAsBytes(b -> b.bucket("bucket").key("k").requestPayer("requester"))
            .response()
            .requestCharged());
  }

  @Test
  void accessLogsAreDeliveredToTheBucketThatWasNamed() {
    assertNull(s3.getBucketLogging(b -> b.bucket("bucket")).loggingEnabled());
    refused(
        400, "InvalidTargetBucketForLogging", () -> AccessLogs.deliver(s3, "bucket", "none", ""));
    other.createBucket(b -> b.bucket("others"));
    refused(
        400, "InvalidTargetBucketForLogging", () -> AccessLogs.deliver(s3, "bucket", "others", ""));
    s3.createBucket(b -> b.bucket("closed").objectOwnership(ObjectOwnership.OBJECT_WRITER));
    refused(
        400, "InvalidTargetBucketForLogging", () -> AccessLogs.deliver(s3, "bucket", "closed", ""));
    s3.putBucketAcl(b -> b.bucket("closed").acl("log-delivery-write"));
    AccessLogs.deliver(s3, "bucket", "closed", "");
    s3.createBucket(b -> b.bucket("logs").acl("log-delivery-write"));
    AccessLogs.deliver(s3, "bucket", "logs", "log/");
    Set<String> answered =
        Set.of(
            s3.putObject(b -> b.bucket("bucket").key("a b"), RequestBody.fromString("content"))
                .responseMetadata()
                .requestId(),
            s3.getObjectAsBytes(b -> b.bucket("bucket").key("a b"))
                .response()
                .responseMetadata()
                .requestId(),
            assertThrows(
                    S3Exception.class,
                    () -> other.getObjectAsBytes(b -> b.bucket("bucket").key("a b")))
                .requestId());
    StringBuilder all = new StringBuilder();
    InMemoryTarget.await(
        () -> {
          all.setLength(0);
          for (S3Object object : s3.listObjectsV2(b -> b.bucket("logs")).contents()) {
            assertTrue(
                Pattern.matches("log/\\d{4}(-\\d\\d){5}-[0-9A-F]{16}", object.key()), object.key());
            all.append(s3.getObjectAsBytes(b -> b.bucket("logs").key(object.key())).asUtf8String());
          }
          return all.toString().contains("AccessDenied");
        },
        "lines of the access log");
    List<String> lines =
        all.toString().lines().filter(l -> l.contains(".OBJECT ")).sorted().toList();
    assertEquals(3, lines.size(), all::toString);
    Pattern format =
        Pattern.compile(
            "tester bucket \\[\\d\\d/[A-Z][a-z]{2}/\\d{4}:\\d\\d:\\d\\d:\\d\\d \\+0000\\] 127.0.0.1"
                + " (tester|other) ([0-9A-F]{16}) REST\\.(PUT|GET)\\.OBJECT a\\+b"
                + " \"(PUT|GET) /bucket/a%20b(\\?[^\"]*)? HTTP/1.1\" (200|403) (-|AccessDenied)"
                + " (-|7) (-|\\d+) \\d+ \\d+ \"-\" \"aws-sdk-java[^\"]*\" - \\S+ SigV4 - AuthHeader"
                + " 127.0.0.1:\\d+ - - -");
    Set<String> logged = new HashSet<>();
    for (String line : lines) {
      Matcher matcher = format.matcher(line);
      assertTrue(matcher.matches(), line);
      logged.add(matcher.group(2));
    }
    assertEquals(answered, logged);
    s3.putBucketLogging(b -> b.bucket("bucket").bucketLoggingStatus(l -> {}));
    assertNull(s3.getBucketLogging(b -> b.bucket("bucket")).loggingEnabled());
  }

  @Test
  void accessLogsNameTheErrorsThatPagesOfOtherOriginsMayRead() throws IOException {
    s3.createBucket(b -> b.bucket("logs"));
    AccessLogs.allow(s3, "bucket", "logs", "");
    AccessLogs.deliver(s3, "bucket", "logs", "");
    target.target().raw().call("GET", "/bucket/none").header("origin", "http://a.example").send();
    StringBuilder all = new StringBuilder();
    InMemoryTarget.await(
        () -> {
          all.setLength(0);
          for (S3Object object : s3.listObjectsV2(b -> b.bucket("logs")).contents()) {
            all.append(s3.getObjectAsBytes(b -> b.bucket("logs").key(object.key())).asUtf8String());
          }
          return all.toString().contains("/bucket/none");
        },
        "a line of the access log");
    assertTrue(all.toString().contains("\"GET /bucket/none HTTP/1.1\" 404 NoSuchKey "), all + "");
  }

  @Test
  void accessLogsGoWhereAPolicyLetsThem() {
    s3.createBucket(b -> b.bucket("logs"));
    AccessLogs.allow(s3, "bucket", "logs", "by-policy/");
    s3.putBucketLogging(
        b ->
            b.bucket("bucket")
                .bucketLoggingStatus(
                    l ->
                        l.loggingEnabled(
                            e ->
                                e.targetBucket("logs")
                                    .targetPrefix("by-policy/")
                                    .targetObjectKeyFormat(
                                        f ->
                                            f.partitionedPrefix(
                                                p ->
                                                    p.partitionDateSource(
                                                        PartitionDateSource.EVENT_TIME))))));
    s3.createBucket(b -> b.bucket("denied"));
    AccessLogs.deliver(s3, "denied", "logs", "denied/");
    s3.headBucket(b -> b.bucket("denied"));
    s3.headBucket(b -> b.bucket("bucket"));
    InMemoryTarget.await(
        () -> s3.listObjectsV2(b -> b.bucket("logs")).keyCount() > 0, "an access log");
    List<String> keys =
        s3.listObjectsV2(b -> b.bucket("logs")).contents().stream().map(S3Object::key).toList();
    for (String key : keys) {
      assertTrue(
          Pattern.matches(
              "by-policy/tester/us-east-1/bucket/\\d{4}/\\d\\d/\\d\\d/\\d{4}-\\d\\d-\\d\\d-00-00-00-"
                  + "[0-9A-F]{16}",
              key),
          key);
    }
  }
}
