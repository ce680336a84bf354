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
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.TreeSet;
import org.junit.jupiter.api.Test;
import software.amazon.awssdk.core.sync.RequestBody;
import software.amazon.awssdk.services.s3.model.BucketVersioningStatus;
import software.amazon.awssdk.services.s3.model.CommonPrefix;
import software.amazon.awssdk.services.s3.model.CompletedPart;
import software.amazon.awssdk.services.s3.model.DeleteObjectsResponse;
import software.amazon.awssdk.services.s3.model.Event;
import software.amazon.awssdk.services.s3.model.HeadObjectResponse;
import software.amazon.awssdk.services.s3.model.LifecycleRule;
import software.amazon.awssdk.services.s3.model.ListObjectsResponse;
import software.amazon.awssdk.services.s3.model.ListObjectsV2Response;
import software.amazon.awssdk.services.s3.model.MetadataDirective;
import software.amazon.awssdk.services.s3.model.MultipartUpload;
import software.amazon.awssdk.services.s3.model.ObjectIdentifier;
import software.amazon.awssdk.services.s3.model.ObjectLockEnabled;
import software.amazon.awssdk.services.s3.model.QueueConfiguration;
import software.amazon.awssdk.services.s3.model.S3Exception;
import software.amazon.awssdk.services.s3.model.S3Object;
import software.amazon.awssdk.services.s3.model.Tag;

/** S3 over buckets of layout FILE_SYSTEM, as the AWS SDK speaks it. */
public abstract class S3DirectoriesTest extends S3Suite {
  private String newBucket() {
    return newBucket(
        "tree", b -> b.overrideConfiguration(o -> o.putHeader("x-stowage-layout", "FILE_SYSTEM")));
  }

  private void put(String bucket, String key) {
    s3.putObject(b -> b.bucket(bucket).key(key), RequestBody.fromString("content of " + key));
  }

  private void makeDirectory(String bucket, String key) {
    s3.putObject(b -> b.bucket(bucket).key(key), RequestBody.empty());
  }

  private String get(String bucket, String key) {
    return s3.getObjectAsBytes(b -> b.bucket(bucket).key(key)).asUtf8String();
  }

  private List<String> keys(String bucket) {
    return s3.listObjectsV2(b -> b.bucket(bucket)).contents().stream().map(S3Object::key).toList();
  }

  @Test
  void anObjectIsPutReadAndDeletedByItsPath() {
    String bucket = newBucket();
    s3.putObject(
        b ->
            b.bucket(bucket)
                .key("a/b/c d+\u00fc")
                .contentType("text/x-test")
                .metadata(java.util.Map.of("name", "value")),
        RequestBody.fromString("content"));
    assertEquals("content", get(bucket, "a/b/c d+\u00fc"));
    HeadObjectResponse head = s3.headObject(b -> b.bucket(bucket).key("a/b/c d+\u00fc"));
    assertEquals(7, head.contentLength());
    assertEquals("text/x-test", head.contentType());
    assertEquals("value", head.metadata().get("name"));
    assertEquals(
        "nten",
        s3.getObjectAsBytes(b -> b.bucket(bucket).key("a/b/c d+\u00fc").range("bytes=2-5"))
            .asUtf8String());
    s3.putObjectTagging(
        b ->
            b.bucket(bucket)
                .key("a/b/c d+\u00fc")
                .tagging(t -> t.tagSet(Tag.builder().key("k").value("v").build())));
    assertEquals(
        "v",
        s3.getObjectTagging(b -> b.bucket(bucket).key("a/b/c d+\u00fc")).tagSet().get(0).value());
    put(bucket, "a/b/c d+\u00fc");
    assertEquals("content of a/b/c d+\u00fc", get(bucket, "a/b/c d+\u00fc"));
    s3.deleteObject(b -> b.bucket(bucket).key("a/b/c d+\u00fc"));
    fails(404, "NoSuchKey", () -> get(bucket, "a/b/c d+\u00fc"));
    s3.deleteObject(b -> b.bucket(bucket).key("a/b/c d+\u00fc"));
    s3.deleteBucket(b -> b.bucket(bucket));
  }

  @Test
  void keysThatAreNoPathsAreRefusedAndNothingIsThere() {
    String bucket = newBucket();
    put(bucket, "a/b");
    for (String key : List.of("a//b", "a/./b", "a/../b", "x".repeat(256), "a/" + "x".repeat(256))) {
      fails(400, "InvalidArgument", () -> put(bucket, key));
      fails(400, "InvalidArgument", () -> s3.createMultipartUpload(b -> b.bucket(bucket).key(key)));
      fails(400, "InvalidArgument", () -> copy(bucket, "a/b", bucket, key));
      fails(404, "NoSuchKey", () -> get(bucket, key));
      S3Exception none =
          assertThrows(S3Exception.class, () -> s3.headObject(b -> b.bucket(bucket).key(key)));
      assertEquals(404, none.statusCode());
      s3.deleteObject(b -> b.bucket(bucket).key(key));
    }
    S3Exception refused = assertThrows(S3Exception.class, () -> put(bucket, "a//b"));
    assertTrue(refused.getMessage().contains("a name in it is empty"), refused.getMessage());
    fails(400, "InvalidRequest", () -> put(bucket, "a"));
    fails(400, "InvalidRequest", () -> put(bucket, "a/b/c"));
    fails(
        400,
        "InvalidArgument",
        () -> s3.putObject(b -> b.bucket(bucket).key("d/"), RequestBody.fromString("bytes")));
    assertEquals(List.of("a/b"), keys(bucket));
  }

  @Test
  void directoriesAreMarkersAsS3ClientsMakeThem() {
    String bucket = newBucket();
    makeDirectory(bucket, "a/b/");
    assertEquals(0, s3.headObject(b -> b.bucket(bucket).key("a/b/")).contentLength());
    fails(404, "NoSuchKey", () -> get(bucket, "a/"));
    fails(404, "NoSuchKey", () -> get(bucket, "a/b"));
    put(bucket, "a/b/c");
    assertEquals(List.of("a/b/", "a/b/c"), keys(bucket));
    s3.deleteObject(b -> b.bucket(bucket).key("a/b/"));
    assertEquals(List.of("a/b/c"), keys(bucket));
    s3.deleteObject(b -> b.bucket(bucket).key("a/b/c"));
    assertEquals(List.of(), keys(bucket));
    s3.deleteBucket(b -> b.bucket(bucket));
  }

  @Test
  void listsInTheOrderOfKeysByPrefixAndDelimiter() {
    String bucket = newBucket();
    List<String> keys =
        List.of("a!b/x", "a-/y", "a/b/c", "a/b/d", "a/e", "a0", "b", "c/", "c/d/e/f", "\u00e9/z");
    for (String key : keys) {
      if (key.endsWith("/")) {
        makeDirectory(bucket, key);
      } else {
        put(bucket, key);
      }
    }
    assertEquals(List.copyOf(new TreeSet<>(keys)), keys(bucket));
    for (String delimiter : Arrays.asList(null, "/", "b", "/d")) {
      for (String prefix : List.of("", "a", "a/", "a/b", "c/d/", "none/", "a//", "/", "b")) {
        for (int page : new int[] {1, 2, 1_000}) {
          List<String> expected = grouped(keys, prefix, delimiter);
          String what = "prefix " + prefix + ", delimiter " + delimiter + ", page " + page;
          assertEquals(expected, listedV2(bucket, prefix, delimiter, page), what);
          assertEquals(expected, listedV1(bucket, prefix, delimiter, page), what);
        }
      }
    }
    assertEquals(
        List.of("b", "c/", "c/d/e/f", "\u00e9/z"),
        s3.listObjectsV2(b -> b.bucket(bucket).startAfter("a0")).contents().stream()
            .map(S3Object::key)
            .toList());
  }

  private static List<String> grouped(List<String> keys, String prefix, String delimiter) {
    TreeSet<String> told = new TreeSet<>();
    for (String key : keys) {
      if (key.startsWith(prefix)) {
        int cut = delimiter == null ? -1 : key.indexOf(delimiter, prefix.length());
        told.add(cut < 0 ? key : key.substring(0, cut + delimiter.length()));
      }
    }
    return List.copyOf(told);
  }

  private List<String> listedV2(String bucket, String prefix, String delimiter, int page) {
    List<String> told = new ArrayList<>();
    String token = null;
    while (true) {
      String from = token;
      ListObjectsV2Response listed =
          s3.listObjectsV2(
              b ->
                  b.bucket(bucket)
                      .prefix(prefix)
                      .delimiter(delimiter)
                      .maxKeys(page)
                      .continuationToken(from));
      add(told, listed.contents(), listed.commonPrefixes());
      assertEquals(listed.contents().size() + listed.commonPrefixes().size(), listed.keyCount());
      if (!listed.isTruncated()) {
        return told;
      }
      token = listed.nextContinuationToken();
    }
  }

  private List<String> listedV1(String bucket, String prefix, String delimiter, int page) {
    List<String> told = new ArrayList<>();
    String marker = null;
    while (true) {
      String from = marker;
      ListObjectsResponse listed =
          s3.listObjects(
              b -> b.bucket(bucket).prefix(prefix).delimiter(delimiter).maxKeys(page).marker(from));
      add(told, listed.contents(), listed.commonPrefixes());
      if (!listed.isTruncated()) {
        return told;
      }
      marker = told.get(told.size() - 1);
    }
  }

  private static void add(List<String> told, List<S3Object> keys, List<CommonPrefix> common) {
    TreeSet<String> page = new TreeSet<>();
    keys.forEach(key -> page.add(key.key()));
    common.forEach(prefix -> page.add(prefix.prefix()));
    told.addAll(page);
  }

  @Test
  void conditionsAreJudgedByTheRow() {
    String bucket = newBucket();
    s3.putObject(b -> b.bucket(bucket).key("a/f").ifNoneMatch("*"), RequestBody.fromString("1"));
    fails(
        412,
        "PreconditionFailed",
        () ->
            s3.putObject(
                b -> b.bucket(bucket).key("a/f").ifNoneMatch("*"), RequestBody.fromString("2")));
    String etag = s3.headObject(b -> b.bucket(bucket).key("a/f")).eTag();
    s3.putObject(b -> b.bucket(bucket).key("a/f").ifMatch(etag), RequestBody.fromString("3"));
    fails(
        412,
        "PreconditionFailed",
        () ->
            s3.putObject(
                b -> b.bucket(bucket).key("a/f").ifMatch(etag), RequestBody.fromString("4")));
    fails(
        404,
        "NoSuchKey",
        () ->
            s3.putObject(
                b -> b.bucket(bucket).key("none/f").ifMatch(etag), RequestBody.fromString("5")));
    S3Exception notModified =
        assertThrows(
            S3Exception.class,
            () ->
                s3.headObject(
                    b ->
                        b.bucket(bucket)
                            .key("a/f")
                            .ifNoneMatch(s3.headObject(h -> h.bucket(bucket).key("a/f")).eTag())));
    assertEquals(304, notModified.statusCode());
    assertEquals("3", get(bucket, "a/f"));
    assertEquals(List.of("a/f"), keys(bucket));
  }

  @Test
  void manyAreDeletedByOneRequest() {
    String bucket = newBucket();
    for (String key : List.of("a/1", "a/2", "a/b/3", "c")) {
      put(bucket, key);
    }
    makeDirectory(bucket, "made/");
    List<ObjectIdentifier> all =
        List.of("a/1", "a/b/3", "none", "a//b", "made/", "a/b", "c").stream()
            .map(key -> ObjectIdentifier.builder().key(key).build())
            .toList();
    DeleteObjectsResponse deleted =
        s3.deleteObjects(b -> b.bucket(bucket).delete(d -> d.objects(all)));
    assertEquals(List.of(), deleted.errors());
    assertEquals(all.size(), deleted.deleted().size());
    assertEquals(List.of("a/2"), keys(bucket));
  }

  @Test
  void copiesWithinAndAcrossLayouts() {
    String bucket = newBucket();
    String flat = bucket + "-flat";
    s3.createBucket(b -> b.bucket(flat));
    put(bucket, "a/f");
    s3.copyObject(
        b ->
            b.sourceBucket(bucket)
                .sourceKey("a/f")
                .destinationBucket(bucket)
                .destinationKey("x/y/g")
                .metadataDirective(MetadataDirective.REPLACE)
                .metadata(java.util.Map.of("copied", "yes")));
    assertEquals("content of a/f", get(bucket, "x/y/g"));
    assertEquals("yes", s3.headObject(b -> b.bucket(bucket).key("x/y/g")).metadata().get("copied"));
    copy(bucket, "x/y/g", flat, "a//b");
    copy(flat, "a//b", bucket, "back/g");
    assertEquals("content of a/f", get(bucket, "back/g"));
    fails(400, "InvalidRequest", () -> copy(bucket, "a/f", bucket, "a/f/below"));
  }

  @Test
  void uploadsInPartsAreCompletedListedAndAborted() {
    String bucket = newBucket();
    byte[] part = new byte[5 << 20];
    Arrays.fill(part, (byte) 'p');
    String id = s3.createMultipartUpload(b -> b.bucket(bucket).key("up/big")).uploadId();
    List<CompletedPart> parts = new ArrayList<>();
    for (int i = 1; i <= 2; i++) {
      int number = i;
      parts.add(
          CompletedPart.builder()
              .partNumber(number)
              .eTag(
                  s3.uploadPart(
                          b -> b.bucket(bucket).key("up/big").uploadId(id).partNumber(number),
                          RequestBody.fromBytes(number == 1 ? part : new byte[] {1, 2, 3}))
                      .eTag())
              .build());
    }
    String other = s3.createMultipartUpload(b -> b.bucket(bucket).key("up/other/x")).uploadId();
    put(bucket, "source");
    s3.uploadPartCopy(
        b ->
            b.sourceBucket(bucket)
                .sourceKey("source")
                .destinationBucket(bucket)
                .destinationKey("up/other/x")
                .uploadId(other)
                .partNumber(1));
    assertEquals(
        List.of("up/big", "up/other/x"),
        s3.listMultipartUploads(b -> b.bucket(bucket)).uploads().stream()
            .map(MultipartUpload::key)
            .toList());
    assertEquals(
        List.of("up/other/"),
        s3
            .listMultipartUploads(b -> b.bucket(bucket).prefix("up/").delimiter("/"))
            .commonPrefixes()
            .stream()
            .map(CommonPrefix::prefix)
            .toList());
    assertEquals(2, s3.listParts(b -> b.bucket(bucket).key("up/big").uploadId(id)).parts().size());
    s3.completeMultipartUpload(
        b -> b.bucket(bucket).key("up/big").uploadId(id).multipartUpload(m -> m.parts(parts)));
    assertEquals((5 << 20) + 3, s3.headObject(b -> b.bucket(bucket).key("up/big")).contentLength());
    s3.abortMultipartUpload(b -> b.bucket(bucket).key("up/other/x").uploadId(other));
    assertFalse(s3.listMultipartUploads(b -> b.bucket(bucket)).hasUploads());
    fails(
        404,
        "NoSuchUpload",
        () -> s3.listParts(b -> b.bucket(bucket).key("up/other/x").uploadId(other)));
    assertEquals(List.of("source", "up/big"), keys(bucket));
  }

  @Test
  void whatSuchBucketsDoNotHaveIsRefused() {
    String bucket = newBucket();
    fails(
        400,
        "InvalidArgument",
        () ->
            s3.putBucketVersioning(
                b ->
                    b.bucket(bucket)
                        .versioningConfiguration(v -> v.status(BucketVersioningStatus.ENABLED))));
    LifecycleRule rule = S3LifecycleTest.enabled("all", "").expiration(e -> e.days(1)).build();
    fails(
        400,
        "InvalidArgument",
        () ->
            s3.putBucketLifecycleConfiguration(
                b -> b.bucket(bucket).lifecycleConfiguration(l -> l.rules(rule))));
    S3Exception lock =
        assertThrows(
            S3Exception.class,
            () ->
                s3.putObjectLockConfiguration(
                    b ->
                        b.bucket(bucket)
                            .objectLockConfiguration(
                                o -> o.objectLockEnabled(ObjectLockEnabled.ENABLED))));
    assertEquals("InvalidBucketState", lock.awsErrorDetails().errorCode());
    S3Exception locked =
        assertThrows(
            S3Exception.class,
            () ->
                s3.createBucket(
                    b ->
                        b.bucket(bucket + "-l")
                            .objectLockEnabledForBucket(true)
                            .overrideConfiguration(
                                o -> o.putHeader("x-stowage-layout", "FILE_SYSTEM"))));
    assertEquals("InvalidArgument", locked.awsErrorDetails().errorCode());
    S3Exception events =
        assertThrows(
            S3Exception.class,
            () ->
                s3.putBucketNotificationConfiguration(
                    b ->
                        b.bucket(bucket)
                            .skipDestinationValidation(true)
                            .notificationConfiguration(
                                n ->
                                    n.queueConfigurations(
                                        QueueConfiguration.builder()
                                            .queueArn("arn:aws:sqs:us-east-1::hook:webhook")
                                            .events(Event.S3_OBJECT_CREATED)
                                            .build()))));
    assertEquals("InvalidArgument", events.awsErrorDetails().errorCode());
    assertEquals(1, s3.listObjectVersions(b -> b.bucket(bucketWithOne())).versions().size());
  }

  private String bucketWithOne() {
    String bucket = newBucket();
    put(bucket, "a/f");
    return bucket;
  }
}
