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
package io.stowage.s3.suite;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.time.Duration;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import org.junit.jupiter.api.Test;
import software.amazon.awssdk.core.sync.RequestBody;
import software.amazon.awssdk.services.s3.model.CompletedPart;
import software.amazon.awssdk.services.s3.model.DefaultRetention;
import software.amazon.awssdk.services.s3.model.DeleteObjectsResponse;
import software.amazon.awssdk.services.s3.model.HeadObjectResponse;
import software.amazon.awssdk.services.s3.model.ObjectIdentifier;
import software.amazon.awssdk.services.s3.model.ObjectLockConfiguration;
import software.amazon.awssdk.services.s3.model.ObjectLockEnabled;
import software.amazon.awssdk.services.s3.model.ObjectLockLegalHoldStatus;
import software.amazon.awssdk.services.s3.model.ObjectLockMode;
import software.amazon.awssdk.services.s3.model.ObjectLockRetention;
import software.amazon.awssdk.services.s3.model.ObjectLockRetentionMode;

/**
 * Object lock as the AWS SDK speaks it: configuration, retention, legal hold, and what they keep.
 */
public abstract class S3ObjectLockTest extends S3Suite {
  private String newBucket(boolean locked) {
    return newBucket("lock", b -> b.objectLockEnabledForBucket(locked));
  }

  private static Instant in(int days) {
    return Instant.now().plus(Duration.ofDays(days)).truncatedTo(ChronoUnit.SECONDS);
  }

  private static ObjectLockConfiguration byDefault(DefaultRetention.Builder retention) {
    return ObjectLockConfiguration.builder()
        .objectLockEnabled(ObjectLockEnabled.ENABLED)
        .rule(r -> r.defaultRetention(retention.build()))
        .build();
  }

  private void configure(String bucket, DefaultRetention.Builder retention) {
    s3.putObjectLockConfiguration(
        b -> b.bucket(bucket).objectLockConfiguration(byDefault(retention)));
  }

  private static DefaultRetention.Builder governance() {
    return DefaultRetention.builder().mode(ObjectLockRetentionMode.GOVERNANCE);
  }

  private void retain(
      String bucket, String key, ObjectLockRetentionMode mode, Instant until, boolean bypass) {
    s3.putObjectRetention(
        b ->
            b.bucket(bucket)
                .key(key)
                .bypassGovernanceRetention(bypass)
                .retention(
                    ObjectLockRetention.builder().mode(mode).retainUntilDate(until).build()));
  }

  @Test
  void configuresBuckets() {
    String bucket = newBucket(true);
    ObjectLockConfiguration initial =
        s3.getObjectLockConfiguration(b -> b.bucket(bucket)).objectLockConfiguration();
    assertEquals(ObjectLockEnabled.ENABLED, initial.objectLockEnabled());
    assertNull(initial.rule());
    configure(bucket, governance().years(1));
    assertEquals(
        byDefault(governance().years(1)),
        s3.getObjectLockConfiguration(b -> b.bucket(bucket)).objectLockConfiguration());
    fails(400, "InvalidRetentionPeriod", () -> configure(bucket, governance().days(0)));
    fails(400, "InvalidRetentionPeriod", () -> configure(bucket, governance().years(-1)));
    fails(400, "MalformedXML", () -> configure(bucket, governance().years(1).days(1)));
    fails(
        400,
        "MalformedXML",
        () -> configure(bucket, DefaultRetention.builder().mode("abc").days(1)));
    String other = newBucket(false);
    fails(
        404,
        "ObjectLockConfigurationNotFoundError",
        () -> s3.getObjectLockConfiguration(b -> b.bucket(other)));
    fails(409, "InvalidBucketState", () -> configure(other, governance().days(1)));
  }

  @Test
  void bucketsWithoutItKnowNoLocks() throws Exception {
    String bucket = newBucket(false);
    s3.putObject(b -> b.bucket(bucket).key("k"), RequestBody.fromString("x"));
    fails(400, "InvalidRequest", () -> s3.getObjectRetention(b -> b.bucket(bucket).key("k")));
    fails(400, "InvalidRequest", () -> s3.getObjectLegalHold(b -> b.bucket(bucket).key("k")));
    fails(
        400,
        "InvalidRequest",
        () -> retain(bucket, "k", ObjectLockRetentionMode.GOVERNANCE, in(1), false));
    assertEquals(
        "InvalidRequest",
        raw.call("PUT", "/" + bucket + "/k")
            .header("x-amz-object-lock-legal-hold", "ON")
            .body("x")
            .send()
            .code());
  }

  @Test
  void putsWithRetentionAndHold() throws Exception {
    String bucket = newBucket(true);
    Instant until = in(2);
    s3.putObject(
        b ->
            b.bucket(bucket)
                .key("k")
                .objectLockMode(ObjectLockMode.GOVERNANCE)
                .objectLockRetainUntilDate(until)
                .objectLockLegalHoldStatus(ObjectLockLegalHoldStatus.ON),
        RequestBody.fromString("x"));
    HeadObjectResponse head = s3.headObject(b -> b.bucket(bucket).key("k"));
    assertEquals(ObjectLockMode.GOVERNANCE, head.objectLockMode());
    assertEquals(until, head.objectLockRetainUntilDate());
    assertEquals(ObjectLockLegalHoldStatus.ON, head.objectLockLegalHoldStatus());
    assertEquals(
        until, s3.getObjectRetention(b -> b.bucket(bucket).key("k")).retention().retainUntilDate());
    s3.putObjectLegalHold(b -> b.bucket(bucket).key("k").legalHold(h -> h.status("OFF")));
    assertEquals(
        ObjectLockLegalHoldStatus.OFF,
        s3.getObjectLegalHold(b -> b.bucket(bucket).key("k")).legalHold().status());
    // A copy does not inherit a lock.
    s3.copyObject(
        b -> b.sourceBucket(bucket).sourceKey("k").destinationBucket(bucket).destinationKey("c"));
    assertNull(s3.headObject(b -> b.bucket(bucket).key("c")).objectLockMode());
    fails(
        404,
        "NoSuchObjectLockConfiguration",
        () -> s3.getObjectRetention(b -> b.bucket(bucket).key("c")));
    fails(
        404,
        "NoSuchObjectLockConfiguration",
        () -> s3.getObjectLegalHold(b -> b.bucket(bucket).key("c")));
    assertEquals(
        "InvalidArgument",
        raw.call("PUT", "/" + bucket + "/k")
            .header("x-amz-object-lock-mode", "GOVERNANCE")
            .body("x")
            .send()
            .code());
    RawS3.Reply unvouched = putWithHold(bucket, null);
    assertEquals("InvalidRequest", unvouched.code(), unvouched.text());
    assertTrue(unvouched.text().contains("Content-MD5 OR x-amz-checksum-"), unvouched.text());
    assertEquals(200, putWithHold(bucket, "ndTkYSaMgDT1yFZOFVxnpg==").status());
    assertEquals(
        "InvalidArgument",
        raw.call("PUT", "/" + bucket + "/k")
            .header("x-amz-object-lock-mode", "abc")
            .header("x-amz-object-lock-retain-until-date", "2099-01-01T00:00:00Z")
            .body("x")
            .send()
            .code());
  }

  private RawS3.Reply putWithHold(String bucket, String md5) throws Exception {
    RawS3.Call call =
        raw.call("PUT", "/" + bucket + "/vouched")
            .header("x-amz-object-lock-legal-hold", "OFF")
            .body("x");
    return (md5 == null ? call : call.header("content-md5", md5)).send();
  }

  @Test
  void retentionCanBeProlongedAndShortenedByBypassOnly() throws Exception {
    String bucket = newBucket(true);
    s3.putObject(b -> b.bucket(bucket).key("k"), RequestBody.fromString("x"));
    retain(bucket, "k", ObjectLockRetentionMode.GOVERNANCE, in(2), false);
    retain(bucket, "k", ObjectLockRetentionMode.GOVERNANCE, in(4), false);
    fails(
        403,
        "AccessDenied",
        () -> retain(bucket, "k", ObjectLockRetentionMode.GOVERNANCE, in(1), false));
    fails(
        403,
        "AccessDenied",
        () -> retain(bucket, "k", ObjectLockRetentionMode.COMPLIANCE, in(5), false));
    retain(bucket, "k", ObjectLockRetentionMode.GOVERNANCE, in(1), true);
    retain(bucket, "k", ObjectLockRetentionMode.COMPLIANCE, in(5), true);
    fails(
        403,
        "AccessDenied",
        () -> retain(bucket, "k", ObjectLockRetentionMode.GOVERNANCE, in(6), true));
    fails(
        403,
        "AccessDenied",
        () -> retain(bucket, "k", ObjectLockRetentionMode.COMPLIANCE, in(4), true));
    retain(bucket, "k", ObjectLockRetentionMode.COMPLIANCE, in(6), false);
    fails(
        400,
        "InvalidArgument",
        () -> retain(bucket, "k", ObjectLockRetentionMode.COMPLIANCE, in(-1), false));
    assertEquals(
        "MalformedXML",
        raw.call("PUT", "/" + bucket + "/k?retention=")
            .body("<Retention><Mode>governance</Mode></Retention>")
            .send()
            .code());
    assertEquals(
        "MalformedXML",
        raw.call("PUT", "/" + bucket + "/k?legal-hold=")
            .body("<LegalHold><Status>abc</Status></LegalHold>")
            .send()
            .code());
  }

  @Test
  void aLockIsOfTheVersionThatIsNamed() {
    String bucket = newBucket(true);
    String one =
        s3.putObject(b -> b.bucket(bucket).key("k"), RequestBody.fromString("one")).versionId();
    String two =
        s3.putObject(b -> b.bucket(bucket).key("k"), RequestBody.fromString("two")).versionId();
    Instant until = in(3);
    s3.putObjectRetention(
        b ->
            b.bucket(bucket)
                .key("k")
                .versionId(one)
                .retention(r -> r.mode("GOVERNANCE").retainUntilDate(until)));
    s3.putObjectLegalHold(
        b -> b.bucket(bucket).key("k").versionId(one).legalHold(h -> h.status("ON")));
    assertEquals(
        until,
        s3.getObjectRetention(b -> b.bucket(bucket).key("k").versionId(one))
            .retention()
            .retainUntilDate());
    assertEquals(
        ObjectLockLegalHoldStatus.ON,
        s3.getObjectLegalHold(b -> b.bucket(bucket).key("k").versionId(one)).legalHold().status());
    for (String free : new String[] {two, null}) { // it is the current one, too
      fails(
          404,
          "NoSuchObjectLockConfiguration",
          () -> s3.getObjectRetention(b -> b.bucket(bucket).key("k").versionId(free)));
      fails(
          404,
          "NoSuchObjectLockConfiguration",
          () -> s3.getObjectLegalHold(b -> b.bucket(bucket).key("k").versionId(free)));
    }
    remove(bucket, two, false);
    fails(403, "AccessDenied", () -> remove(bucket, one, true));
  }

  private void remove(String bucket, String version, boolean bypass) {
    s3.deleteObject(
        b -> b.bucket(bucket).key("k").versionId(version).bypassGovernanceRetention(bypass));
  }

  @Test
  void lockedVersionsStay() {
    String bucket = newBucket(true);
    assertEquals("Enabled", s3.getBucketVersioning(b -> b.bucket(bucket)).statusAsString());
    fails(
        409,
        "InvalidBucketState",
        () ->
            s3.putBucketVersioning(
                b -> b.bucket(bucket).versioningConfiguration(v -> v.status("Suspended"))));
    String version =
        s3.putObject(
                b ->
                    b.bucket(bucket)
                        .key("k")
                        .objectLockMode(ObjectLockMode.GOVERNANCE)
                        .objectLockRetainUntilDate(in(1)),
                RequestBody.fromString("x"))
            .versionId();
    s3.deleteObject(b -> b.bucket(bucket).key("k")); // a marker
    fails(403, "AccessDenied", () -> remove(bucket, version, false));
    DeleteObjectsResponse several =
        s3.deleteObjects(
            b ->
                b.bucket(bucket)
                    .delete(
                        d ->
                            d.objects(
                                ObjectIdentifier.builder().key("k").versionId(version).build())));
    assertEquals("AccessDenied", several.errors().get(0).code());
    assertEquals(
        ObjectLockMode.GOVERNANCE,
        s3.headObject(b -> b.bucket(bucket).key("k").versionId(version)).objectLockMode());
    s3.putObjectLegalHold(
        b -> b.bucket(bucket).key("k").versionId(version).legalHold(h -> h.status("ON")));
    fails(403, "AccessDenied", () -> remove(bucket, version, true));
    s3.putObjectLegalHold(
        b -> b.bucket(bucket).key("k").versionId(version).legalHold(h -> h.status("OFF")));
    remove(bucket, version, true);
    fails(
        404,
        "NoSuchVersion",
        () -> s3.getObjectRetention(b -> b.bucket(bucket).key("k").versionId(version)));
  }

  @Test
  void theDefaultIsForUploadsToo() {
    String bucket = newBucket(true);
    configure(bucket, governance().days(3));
    String id = s3.createMultipartUpload(b -> b.bucket(bucket).key("k")).uploadId();
    String etag =
        s3.uploadPart(
                b -> b.bucket(bucket).key("k").uploadId(id).partNumber(1),
                RequestBody.fromString("x"))
            .eTag();
    s3.completeMultipartUpload(
        b ->
            b.bucket(bucket)
                .key("k")
                .uploadId(id)
                .multipartUpload(
                    u -> u.parts(CompletedPart.builder().partNumber(1).eTag(etag).build())));
    HeadObjectResponse head = s3.headObject(b -> b.bucket(bucket).key("k"));
    assertEquals(ObjectLockMode.GOVERNANCE, head.objectLockMode());
    assertEquals(
        3,
        Math.round(
            Duration.between(Instant.now(), head.objectLockRetainUntilDate()).toHours() / 24.0));
  }
}
