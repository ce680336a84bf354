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
package io.stowage.minicluster;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.sun.net.httpserver.HttpServer;
import io.stowage.common.conf.Keys;
import io.stowage.common.id.WriteId;
import io.stowage.common.proto.Identity;
import io.stowage.common.proto.PutIdentityRequest;
import io.stowage.common.proto.RenameObjectRequest;
import io.stowage.common.proto.ScanEventsRequest;
import io.stowage.s3.suite.AccessLogs;
import io.stowage.s3.suite.S3ContractTest;
import io.stowage.s3.suite.S3DirectoriesTest;
import io.stowage.s3.suite.S3IamTest;
import io.stowage.s3.suite.S3LifecycleTest;
import io.stowage.s3.suite.S3ObjectLockTest;
import io.stowage.s3.suite.S3RefusalsTest;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.charset.StandardCharsets;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.Nested;
import org.junit.jupiter.api.Test;
import software.amazon.awssdk.core.sync.RequestBody;
import software.amazon.awssdk.services.s3.S3Client;
import software.amazon.awssdk.services.s3.model.BucketVersioningStatus;
import software.amazon.awssdk.services.s3.model.Event;
import software.amazon.awssdk.services.s3.model.ExpirationStatus;
import software.amazon.awssdk.services.s3.model.LifecycleRule;
import software.amazon.awssdk.services.s3.model.ListObjectVersionsResponse;
import software.amazon.awssdk.services.s3.model.PutObjectResponse;
import software.amazon.awssdk.services.s3.model.QueueConfiguration;
import software.amazon.awssdk.services.s3.model.S3Object;

/** The S3 suites over the whole store, where a day of lifecycle has a second. */
class S3SuiteIT extends S3ContractTest {
  private static final long DEADLINE_NANOS = 60_000_000_000L;

  private static final String ARN = "arn:aws:sqs:us-east-1::hook:webhook";

  private final BlockingQueue<String> heard = new LinkedBlockingQueue<>();
  private MiniStowageCluster cluster;
  private HttpServer hook;

  @Override
  protected Target startTarget() throws Exception {
    hook = HttpServer.create(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0), 0);
    hook.createContext(
        "/",
        exchange -> {
          heard.add(new String(exchange.getRequestBody().readAllBytes(), StandardCharsets.UTF_8));
          exchange.sendResponseHeaders(204, -1);
          exchange.close();
        });
    hook.start();
    cluster =
        MiniStowageCluster.builder()
            .set(Keys.LIFECYCLE_DAY_SECONDS, "1")
            // Deletions and many settings of buckets are answered when it is over; there are many.
            .set(Keys.BUCKET_CACHE_AGE, "100ms")
            .set(
                Keys.S3_EVENT_TARGETS,
                ARN + "=http://127.0.0.1:" + hook.getAddress().getPort() + "/")
            .set(Keys.S3_EVENT_SCAN_INTERVAL, "1s")
            .set(Keys.S3_ACCESS_LOG_INTERVAL, "1s")
            .start();
    return new Target(cluster.s3Endpoint(), cluster.accessKey(), cluster.secretKey(), "us-east-1");
  }

  @AfterAll
  void stop() {
    cluster.close();
    hook.stop(0);
  }

  /**
   * By a gateway, by Hadoop RPC, by a rule of lifecycle. The event is in the row of table object
   * until the webhook has it, and then no more.
   */
  @Test
  void aWebhookIsToldOfChangesByWhomeverTheyAreMade() throws Exception {
    try (S3Client s3 = S3Clients.of(cluster)) {
      s3.createBucket(b -> b.bucket("told"));
      s3.putBucketNotificationConfiguration(
          b ->
              b.bucket("told")
                  .notificationConfiguration(
                      n ->
                          n.queueConfigurations(
                              QueueConfiguration.builder()
                                  .queueArn(ARN)
                                  .events(
                                      Event.S3_OBJECT_CREATED,
                                      Event.S3_OBJECT_REMOVED,
                                      Event.S3_LIFECYCLE_EXPIRATION)
                                  .build())));
      s3.putObject(b -> b.bucket("told").key("a/key"), RequestBody.fromString("content"));
      awaitHeard("ObjectCreated:Put", "a/key");
      cluster
          .objectManager(0)
          .renameObject(
              RenameObjectRequest.newBuilder()
                  .setBucket("told")
                  .setSource("a/key")
                  .setTarget("another")
                  .setWriteId(WriteId.random())
                  .build());
      awaitHeard("ObjectCreated:Copy", "another");
      awaitHeard("ObjectRemoved:Delete", "a/key");
      LifecycleRule all =
          LifecycleRule.builder()
              .id("all")
              .status(ExpirationStatus.ENABLED)
              .filter(f -> f.prefix(""))
              .expiration(e -> e.days(1))
              .build();
      s3.putBucketLifecycleConfiguration(
          b -> b.bucket("told").lifecycleConfiguration(l -> l.rules(all)));
      awaitHeard("LifecycleExpiration:Delete", "another");
    }
    long deadline = System.nanoTime() + TimeUnit.SECONDS.toNanos(30);
    while (cluster
            .objectManager(0)
            .scanEvents(ScanEventsRequest.getDefaultInstance())
            .getEventsCount()
        > 0) {
      assertTrue(System.nanoTime() < deadline, "the event is still in its row");
      LockSupport.parkNanos(10_000_000);
    }
  }

  /** What else is heard meanwhile may be awaited next. */
  private void awaitHeard(String name, String key) throws InterruptedException {
    List<String> others = new ArrayList<>();
    long deadline = System.nanoTime() + TimeUnit.SECONDS.toNanos(60);
    while (true) {
      String event = heard.poll(deadline - System.nanoTime(), TimeUnit.NANOSECONDS);
      assertNotNull(event, () -> name + " of " + key + " not among " + others);
      if (event.contains("\"" + name + "\"") && event.contains("\"" + key + "\"")) {
        heard.addAll(others);
        return;
      }
      others.add(event);
    }
  }

  /** Lines of requests lie in the bucket that was named, written as any object is. */
  @Test
  void accessLogsAreDelivered() {
    try (S3Client s3 = S3Clients.of(cluster)) {
      s3.createBucket(b -> b.bucket("watched"));
      s3.createBucket(b -> b.bucket("logs"));
      AccessLogs.allow(s3, "watched", "logs", "");
      AccessLogs.deliver(s3, "watched", "logs", "of/");
      s3.putObject(b -> b.bucket("watched").key("key"), RequestBody.fromString("content"));
      s3.getObjectAsBytes(b -> b.bucket("watched").key("key"));
      StringBuilder lines = new StringBuilder();
      long deadline = System.nanoTime() + DEADLINE_NANOS;
      while (!lines.toString().contains("REST.GET.OBJECT key ")) {
        assertTrue(System.nanoTime() < deadline, () -> "no line of the GET: " + lines);
        LockSupport.parkNanos(50_000_000);
        lines.setLength(0);
        for (S3Object log : s3.listObjectsV2(b -> b.bucket("logs").prefix("of/")).contents()) {
          lines.append(s3.getObjectAsBytes(b -> b.bucket("logs").key(log.key())).asUtf8String());
        }
      }
      assertTrue(lines.toString().contains("REST.PUT.OBJECT key "), lines::toString);
    }
  }

  /** Users, keys, groups, roles and sessions in the store's own HBase. */
  @Nested
  class Iam extends S3IamTest {
    @Override
    protected Target startTarget() {
      return S3SuiteIT.this.target;
    }
  }

  @Nested
  class Refusals extends S3RefusalsTest {
    @Override
    protected Target startTarget() {
      return S3SuiteIT.this.target;
    }

    @Override
    protected void addUser(String name, String accessKey, String secretKey) throws Exception {
      cluster
          .objectManager(0)
          .putIdentity(
              PutIdentityRequest.newBuilder()
                  .setIdentity(
                      Identity.newBuilder()
                          .setAccessKey(accessKey)
                          .setSecretKey(secretKey)
                          .setUser(name))
                  .build());
    }
  }

  @Nested
  class Locks extends S3ObjectLockTest {
    @Override
    protected Target startTarget() {
      return S3SuiteIT.this.target;
    }
  }

  @Nested
  class Directories extends S3DirectoriesTest {
    @Override
    protected Target startTarget() {
      return S3SuiteIT.this.target;
    }
  }

  @Nested
  class Lifecycles extends S3LifecycleTest {
    @Override
    protected Target startTarget() {
      return S3SuiteIT.this.target;
    }

    /** What each kind of rule takes goes, what it spares stays. */
    @Test
    void whatExpiredGoesByItself() {
      String bucket = newBucket();
      List.of("short/a", "short/b", "long/a", "dated/a", "tagged/b", "sized/small")
          .forEach(key -> put(bucket, key));
      s3.putObject(
          b -> b.bucket(bucket).key("tagged/a").tagging("kind=temporary"),
          RequestBody.fromString("x"));
      s3.putObject(
          b -> b.bucket(bucket).key("sized/large"), RequestBody.fromBytes(new byte[1_001]));
      s3.createMultipartUpload(b -> b.bucket(bucket).key("short/upload"));
      s3.createMultipartUpload(b -> b.bucket(bucket).key("long/upload"));
      configure(
          bucket,
          enabled("short", "short/")
              .expiration(e -> e.days(1))
              .abortIncompleteMultipartUpload(a -> a.daysAfterInitiation(1))
              .build(),
          enabled("long", "long/")
              .expiration(e -> e.days(10_000))
              .abortIncompleteMultipartUpload(a -> a.daysAfterInitiation(10_000))
              .build(),
          enabled("dated", "dated/")
              .expiration(e -> e.date(Instant.parse("2020-01-01T00:00:00Z")))
              .build(),
          enabled("tagged", "")
              .filter(f -> f.tag(t -> t.key("kind").value("temporary")))
              .expiration(e -> e.days(1))
              .build(),
          enabled("sized", "")
              .filter(f -> f.and(a -> a.prefix("sized/").objectSizeGreaterThan(1_000L)))
              .expiration(e -> e.days(1))
              .build());

      String versioned = newBucket();
      s3.putBucketVersioning(
          b ->
              b.bucket(versioned)
                  .versioningConfiguration(v -> v.status(BucketVersioningStatus.ENABLED)));
      List<String> kept = new ArrayList<>();
      for (int i = 0; i < 3; i++) {
        kept.add(0, put(versioned, "kept").versionId());
      }
      String gone = put(versioned, "marked").versionId();
      s3.deleteObject(b -> b.bucket(versioned).key("marked"));
      s3.deleteObject(b -> b.bucket(versioned).key("marked").versionId(gone));
      put(versioned, "hidden");
      s3.deleteObject(b -> b.bucket(versioned).key("hidden")); // its marker hides something
      configure(
          versioned,
          enabled("noncurrent", "kept")
              .noncurrentVersionExpiration(n -> n.noncurrentDays(1).newerNoncurrentVersions(1))
              .build(),
          enabled("markers", "").expiration(e -> e.expiredObjectDeleteMarker(true)).build());

      List<String> left =
          List.of(
              "long/a",
              "sized/small",
              "tagged/b", // and then uploads, versions, markers
              "long/upload",
              "hidden",
              "kept " + kept.get(0),
              "kept " + kept.get(1),
              "hidden");
      long begin = System.nanoTime();
      while (!left.equals(left(bucket, versioned)) && System.nanoTime() - begin < DEADLINE_NANOS) {
        LockSupport.parkNanos(20_000_000);
      }
      assertEquals(left, left(bucket, versioned));
      LockSupport.parkNanos(2_000_000_000L); // two days, in which the rules go on
      assertEquals(left, left(bucket, versioned));
      assertTrue(s3.headObject(b -> b.bucket(bucket).key("long/a")).expiration() != null);
    }

    private PutObjectResponse put(String bucket, String key) {
      return s3.putObject(b -> b.bucket(bucket).key(key), RequestBody.fromString("x"));
    }

    private List<String> left(String bucket, String versioned) {
      List<String> left = new ArrayList<>();
      s3.listObjectsV2(b -> b.bucket(bucket)).contents().forEach(o -> left.add(o.key()));
      s3.listMultipartUploads(b -> b.bucket(bucket)).uploads().forEach(u -> left.add(u.key()));
      ListObjectVersionsResponse versions = s3.listObjectVersions(b -> b.bucket(versioned));
      versions
          .versions()
          .forEach(v -> left.add(v.key() + (v.key().equals("kept") ? " " + v.versionId() : "")));
      versions.deleteMarkers().forEach(m -> left.add(m.key()));
      return left;
    }
  }
}
