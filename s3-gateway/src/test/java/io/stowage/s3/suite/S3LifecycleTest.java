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
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.net.URLDecoder;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.time.Instant;
import java.time.ZonedDateTime;
import java.time.format.DateTimeFormatter;
import java.time.temporal.ChronoUnit;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Test;
import software.amazon.awssdk.core.sync.RequestBody;
import software.amazon.awssdk.services.s3.model.CreateMultipartUploadResponse;
import software.amazon.awssdk.services.s3.model.ExpirationStatus;
import software.amazon.awssdk.services.s3.model.LifecycleRule;
import software.amazon.awssdk.services.s3.model.LifecycleRuleFilter;
import software.amazon.awssdk.services.s3.model.S3Exception;
import software.amazon.awssdk.services.s3.model.Tag;
import software.amazon.awssdk.services.s3.model.Transition;

/**
 * Lifecycle configurations as the AWS SDK sets and gets them, and what answers announce. In
 * hundreds of days: where they are short, what is announced must not happen before it is looked at.
 */
public abstract class S3LifecycleTest extends S3Suite {
  private static final Pattern HEADER = Pattern.compile("expiry-date=\"(.+)\", rule-id=\"(.+)\"");

  protected final String newBucket() {
    return newBucket("lifecycle", b -> {});
  }

  protected final void configure(String bucket, LifecycleRule... rules) {
    s3.putBucketLifecycleConfiguration(
        b -> b.bucket(bucket).lifecycleConfiguration(c -> c.rules(rules)));
  }

  protected static LifecycleRule.Builder enabled(String id, String prefix) {
    return LifecycleRule.builder()
        .id(id)
        .status(ExpirationStatus.ENABLED)
        .filter(LifecycleRuleFilter.builder().prefix(prefix).build());
  }

  @Test
  void givesBackTheRulesThatWereSetAndForgetsThem() {
    String bucket = newBucket();
    S3Exception none =
        assertThrows(
            S3Exception.class, () -> s3.getBucketLifecycleConfiguration(b -> b.bucket(bucket)));
    assertEquals("NoSuchLifecycleConfiguration", none.awsErrorDetails().errorCode());
    assertEquals(404, none.statusCode());
    LifecycleRule byPrefix = enabled("one", "logs/").expiration(e -> e.days(3)).build();
    LifecycleRule byAll =
        LifecycleRule.builder()
            .id("two")
            .status(ExpirationStatus.DISABLED)
            .filter(
                f ->
                    f.and(
                        a ->
                            a.prefix("p")
                                .tags(Tag.builder().key("k").value("v").build())
                                .objectSizeGreaterThan(500L)
                                .objectSizeLessThan(64_000L)))
            .expiration(e -> e.date(Instant.parse("2040-05-06T00:00:00Z")))
            .noncurrentVersionExpiration(n -> n.noncurrentDays(4).newerNoncurrentVersions(2))
            .build();
    LifecycleRule others =
        enabled("three", "")
            .abortIncompleteMultipartUpload(a -> a.daysAfterInitiation(7))
            .transitions(Transition.builder().days(30).storageClass("STANDARD_IA").build())
            .build();
    configure(bucket, byPrefix, byAll, others);
    assertEquals(
        List.of(byPrefix, byAll, others),
        s3.getBucketLifecycleConfiguration(b -> b.bucket(bucket)).rules());
    S3Exception twice =
        assertThrows(S3Exception.class, () -> configure(bucket, byPrefix, byPrefix));
    assertEquals("InvalidArgument", twice.awsErrorDetails().errorCode());
    assertEquals(400, twice.statusCode());
    s3.deleteBucketLifecycle(b -> b.bucket(bucket));
    assertThrows(
        S3Exception.class, () -> s3.getBucketLifecycleConfiguration(b -> b.bucket(bucket)));
    s3.deleteBucketLifecycle(b -> b.bucket(bucket));
  }

  @Test
  void announcesWhenAnObjectExpires() throws Exception {
    String bucket = newBucket();
    configure(
        bucket,
        enabled("by tag", "")
            .filter(f -> f.tag(t -> t.key("kind").value("temporary")))
            .expiration(e -> e.days(500))
            .build(),
        enabled("logs", "logs/").expiration(e -> e.days(200)).build());
    Instant before = Instant.now();
    String put =
        s3.putObject(b -> b.bucket(bucket).key("logs/a"), RequestBody.fromString("x")).expiration();
    assertExpires(put, before, 200, "logs");
    assertEquals(put, s3.headObject(b -> b.bucket(bucket).key("logs/a")).expiration());
    assertEquals(
        put, s3.getObjectAsBytes(b -> b.bucket(bucket).key("logs/a")).response().expiration());
    assertNull(
        s3.putObject(b -> b.bucket(bucket).key("kept"), RequestBody.fromString("x")).expiration());
    s3.putObject(
        b -> b.bucket(bucket).key("tagged").tagging("kind=temporary"), RequestBody.fromString("x"));
    assertExpires(
        s3.headObject(b -> b.bucket(bucket).key("tagged")).expiration(), before, 500, "by tag");
    s3.putObjectTagging(b -> b.bucket(bucket).key("tagged").tagging(t -> t.tagSet(List.of())));
    assertNull(s3.headObject(b -> b.bucket(bucket).key("tagged")).expiration());
  }

  @Test
  void announcesWhenAnUploadIsAborted() {
    String bucket = newBucket();
    configure(
        bucket,
        enabled("uploads", "")
            .abortIncompleteMultipartUpload(a -> a.daysAfterInitiation(300))
            .build());
    CreateMultipartUploadResponse created =
        s3.createMultipartUpload(b -> b.bucket(bucket).key("k"));
    assertEquals("uploads", created.abortRuleId());
    assertTrue(created.abortDate().isAfter(Instant.now().plus(Duration.ofDays(300))));
    assertEquals(
        created.abortDate(),
        s3.listParts(b -> b.bucket(bucket).key("k").uploadId(created.uploadId())).abortDate());
  }

  private static void assertExpires(String header, Instant before, int days, String rule) {
    assertNotNull(header);
    Matcher matcher = HEADER.matcher(header);
    assertTrue(matcher.matches(), header);
    Instant expires =
        ZonedDateTime.parse(matcher.group(1), DateTimeFormatter.RFC_1123_DATE_TIME).toInstant();
    assertEquals(expires.truncatedTo(ChronoUnit.DAYS), expires);
    assertEquals(days, Duration.between(before, expires).toDays());
    assertEquals(rule, URLDecoder.decode(matcher.group(2), StandardCharsets.UTF_8));
  }
}
