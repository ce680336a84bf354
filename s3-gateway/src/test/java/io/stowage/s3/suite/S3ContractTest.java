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

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.TreeSet;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.stream.Collectors;
import java.util.zip.CRC32C;
import java.util.zip.CheckedInputStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;
import software.amazon.awssdk.core.ResponseBytes;
import software.amazon.awssdk.core.ResponseInputStream;
import software.amazon.awssdk.core.sync.RequestBody;
import software.amazon.awssdk.regions.Region;
import software.amazon.awssdk.services.s3.S3Configuration;
import software.amazon.awssdk.services.s3.model.Bucket;
import software.amazon.awssdk.services.s3.model.CORSRule;
import software.amazon.awssdk.services.s3.model.ChecksumAlgorithm;
import software.amazon.awssdk.services.s3.model.ChecksumMode;
import software.amazon.awssdk.services.s3.model.ChecksumType;
import software.amazon.awssdk.services.s3.model.CompletedMultipartUpload;
import software.amazon.awssdk.services.s3.model.CompletedPart;
import software.amazon.awssdk.services.s3.model.DeleteObjectsResponse;
import software.amazon.awssdk.services.s3.model.GetObjectAttributesResponse;
import software.amazon.awssdk.services.s3.model.GetObjectResponse;
import software.amazon.awssdk.services.s3.model.HeadObjectResponse;
import software.amazon.awssdk.services.s3.model.ListBucketsResponse;
import software.amazon.awssdk.services.s3.model.ListMultipartUploadsResponse;
import software.amazon.awssdk.services.s3.model.ListObjectsResponse;
import software.amazon.awssdk.services.s3.model.ListObjectsV2Response;
import software.amazon.awssdk.services.s3.model.ListPartsResponse;
import software.amazon.awssdk.services.s3.model.MetadataDirective;
import software.amazon.awssdk.services.s3.model.NoSuchBucketException;
import software.amazon.awssdk.services.s3.model.NoSuchKeyException;
import software.amazon.awssdk.services.s3.model.ObjectAttributes;
import software.amazon.awssdk.services.s3.model.ObjectIdentifier;
import software.amazon.awssdk.services.s3.model.ObjectOwnership;
import software.amazon.awssdk.services.s3.model.ObjectPart;
import software.amazon.awssdk.services.s3.model.ObjectVersion;
import software.amazon.awssdk.services.s3.model.OwnershipControlsRule;
import software.amazon.awssdk.services.s3.model.Part;
import software.amazon.awssdk.services.s3.model.Payer;
import software.amazon.awssdk.services.s3.model.PutObjectResponse;
import software.amazon.awssdk.services.s3.model.S3Exception;
import software.amazon.awssdk.services.s3.model.S3Object;
import software.amazon.awssdk.services.s3.model.StorageClass;
import software.amazon.awssdk.services.s3.model.Tag;
import software.amazon.awssdk.services.s3.model.UploadPartResponse;
import software.amazon.awssdk.services.s3.presigner.S3Presigner;

/**
 * S3 as the AWS SDK for Java v2 speaks it at its defaults, checksums in trailers included. Every
 * test has a bucket of its own.
 */
public abstract class S3ContractTest extends S3ConditionsSuite {
  private static final int MIB = 1 << 20;

  private static String md5(byte[] bytes) throws Exception {
    return HexFormat.of().formatHex(MessageDigest.getInstance("MD5").digest(bytes));
  }

  private static S3Exception fails(Runnable call) {
    return assertThrows(S3Exception.class, call::run);
  }

  private static void assertError(int status, String code, S3Exception e) {
    assertEquals(code, e.awsErrorDetails().errorCode());
    assertEquals(status, e.statusCode());
  }

  // ---- objects

  @ParameterizedTest
  @ValueSource(ints = {0, 1, 4095, 4096, 4097, MIB, 64 * MIB})
  void givesBackWhatWasPut(int size) throws Exception {
    String bucket = newBucket();
    byte[] content = bytes(size, size);
    PutObjectResponse put =
        s3.putObject(b -> b.bucket(bucket).key("dir/an object"), RequestBody.fromBytes(content));
    assertEquals("\"" + md5(content) + "\"", put.eTag());
    ResponseBytes<GetObjectResponse> got =
        s3.getObjectAsBytes(
            b -> b.bucket(bucket).key("dir/an object").checksumMode(ChecksumMode.ENABLED));
    assertArrayEquals(content, got.asByteArrayUnsafe());
    assertEquals(put.eTag(), got.response().eTag());
    assertEquals("application/octet-stream", got.response().contentType());
    assertEquals("bytes", got.response().acceptRanges());
    HeadObjectResponse head = s3.headObject(b -> b.bucket(bucket).key("dir/an object"));
    assertEquals(size, head.contentLength());
    assertEquals(put.eTag(), head.eTag());
    assertEquals(got.response().lastModified(), head.lastModified());
    s3.deleteObject(b -> b.bucket(bucket).key("dir/an object"));
    fails(() -> s3.headObject(b -> b.bucket(bucket).key("dir/an object")));
    s3.deleteBucket(b -> b.bucket(bucket));
  }

  @ParameterizedTest
  @EnumSource(
      value = ChecksumAlgorithm.class,
      names = {"CRC32", "CRC32_C", "SHA1", "SHA256"})
  void keepsTheChecksumThatTheClientChose(ChecksumAlgorithm algorithm) throws IOException {
    String bucket = newBucket();
    for (int size : new int[] {10, 300_000}) {
      byte[] content = bytes(size, 1);
      PutObjectResponse put =
          s3.putObject(
              b -> b.bucket(bucket).key("k").checksumAlgorithm(algorithm),
              RequestBody.fromBytes(content));
      HeadObjectResponse head =
          s3.headObject(b -> b.bucket(bucket).key("k").checksumMode(ChecksumMode.ENABLED));
      assertEquals(ChecksumType.FULL_OBJECT, head.checksumType());
      for (String method : List.of("GET", "HEAD")) {
        Map<String, String> unasked = raw.call(method, "/" + bucket + "/k").send().headers();
        assertEquals(put.eTag(), unasked.get("etag"));
        assertTrue(
            unasked.keySet().stream().noneMatch(name -> name.startsWith("x-amz-checksum")),
            unasked::toString);
      }
      switch (algorithm) {
        case CRC32 -> assertEquals(put.checksumCRC32(), head.checksumCRC32());
        case CRC32_C -> assertEquals(put.checksumCRC32C(), head.checksumCRC32C());
        case SHA1 -> assertEquals(put.checksumSHA1(), head.checksumSHA1());
        case SHA256 -> assertEquals(put.checksumSHA256(), head.checksumSHA256());
        default -> throw new IllegalStateException();
      }
      assertArrayEquals(
          content,
          s3.getObjectAsBytes(b -> b.bucket(bucket).key("k").checksumMode(ChecksumMode.ENABLED))
              .asByteArray());
    }
  }

  @Test
  void computesCrc64NvmeWhenTheClientSendsNoChecksum() throws IOException {
    String bucket = newBucket();
    raw.call("PUT", "/" + bucket + "/k").body("123456789").send();
    RawS3.Reply head =
        raw.call("HEAD", "/" + bucket + "/k").header("x-amz-checksum-mode", "ENABLED").send();
    assertEquals("rosUhgp5mIg=", head.headers().get("x-amz-checksum-crc64nvme"));
    assertEquals("FULL_OBJECT", head.headers().get("x-amz-checksum-type"));
    assertEquals("binary/octet-stream", head.headers().get("content-type"));
  }

  @Test
  void keepsMetadata() {
    String bucket = newBucket();
    Instant expires = Instant.parse("2031-05-06T07:08:09Z");
    s3.putObject(
        b ->
            b.bucket(bucket)
                .key("k")
                .contentType("text/plain; charset=utf-8")
                .cacheControl("max-age=60")
                .contentDisposition("attachment; filename=\"a b\"")
                .contentEncoding("gzip")
                .contentLanguage("de")
                .expires(expires)
                .storageClass(StorageClass.STANDARD_IA)
                .websiteRedirectLocation("/elsewhere?a=%20b")
                .metadata(Map.of("colour", "blue  green", "empty", ""))
                .tagging("a=1&b=2"),
        RequestBody.fromString("text"));
    HeadObjectResponse head = s3.headObject(b -> b.bucket(bucket).key("k"));
    assertEquals("text/plain; charset=utf-8", head.contentType());
    assertEquals("max-age=60", head.cacheControl());
    assertEquals("attachment; filename=\"a b\"", head.contentDisposition());
    assertEquals("gzip", head.contentEncoding());
    assertEquals("de", head.contentLanguage());
    assertEquals("Tue, 06 May 2031 07:08:09 GMT", head.expiresString());
    assertEquals(Map.of("colour", "blue  green", "empty", ""), head.metadata());
    assertEquals(StorageClass.STANDARD_IA, head.storageClass());
    assertEquals("/elsewhere?a=%20b", head.websiteRedirectLocation());
    GetObjectResponse got = s3.getObjectAsBytes(b -> b.bucket(bucket).key("k")).response();
    assertEquals(StorageClass.STANDARD_IA, got.storageClass());
    assertEquals("/elsewhere?a=%20b", got.websiteRedirectLocation());
    assertEquals(2, got.tagCount());
    assertEquals(Map.of("k", "STANDARD_IA"), storageClasses(bucket));
    // A copy takes all but the storage class and the redirection.
    copy(bucket, "k", bucket, "copy");
    HeadObjectResponse copy = s3.headObject(b -> b.bucket(bucket).key("copy"));
    assertEquals("de", copy.contentLanguage());
    assertNull(copy.storageClass());
    assertNull(copy.websiteRedirectLocation());
    assertEquals(Map.of("k", "STANDARD_IA", "copy", "STANDARD"), storageClasses(bucket));
  }

  private Map<String, String> storageClasses(String bucket) {
    Map<String, String> listed =
        s3.listObjectsV2(b -> b.bucket(bucket)).contents().stream()
            .collect(Collectors.toMap(S3Object::key, S3Object::storageClassAsString));
    assertEquals(
        listed,
        s3.listObjectVersions(b -> b.bucket(bucket)).versions().stream()
            .collect(Collectors.toMap(ObjectVersion::key, ObjectVersion::storageClassAsString)));
    return listed;
  }

  @Test
  void headersOfAnAnswerAreThoseThatAreAskedFor() {
    String bucket = newBucket();
    Instant expires = Instant.parse("2031-05-06T07:08:09Z");
    s3.putObject(b -> b.bucket(bucket).key("k").contentType("x/y"), RequestBody.fromString("text"));
    GetObjectResponse got =
        s3.getObjectAsBytes(
                b ->
                    b.bucket(bucket)
                        .key("k")
                        .responseContentType("a/b")
                        .responseCacheControl("no-cache")
                        .responseContentDisposition("attachment; filename=\"ü.txt\"")
                        .responseContentEncoding("br")
                        .responseContentLanguage("fr")
                        .responseExpires(expires))
            .response();
    assertEquals("a/b", got.contentType());
    assertEquals("no-cache", got.cacheControl());
    assertEquals("attachment; filename=\"ü.txt\"", utf8(got.contentDisposition()));
    assertEquals("br", got.contentEncoding());
    assertEquals("fr", got.contentLanguage());
    assertEquals("Tue, 06 May 2031 07:08:09 GMT", got.expiresString());
    HeadObjectResponse head =
        s3.headObject(
            b ->
                b.bucket(bucket)
                    .key("k")
                    .responseContentType("a/b")
                    .responseCacheControl("no-cache")
                    .responseContentDisposition("inline")
                    .responseContentEncoding("br")
                    .responseContentLanguage("fr")
                    .responseExpires(expires));
    assertEquals("a/b", head.contentType());
    assertEquals("no-cache", head.cacheControl());
    assertEquals("inline", head.contentDisposition());
    assertEquals("br", head.contentEncoding());
    assertEquals("fr", head.contentLanguage());
    assertEquals("Tue, 06 May 2031 07:08:09 GMT", head.expiresString());
    HeadObjectResponse unasked = s3.headObject(b -> b.bucket(bucket).key("k"));
    assertEquals("x/y", unasked.contentType());
    assertNull(unasked.contentLanguage());
  }

  /** What the SDK reads as ISO-8859-1. */
  private static String utf8(String header) {
    return new String(header.getBytes(StandardCharsets.ISO_8859_1), StandardCharsets.UTF_8);
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "plain",
        "with space",
        "plus+plus",
        "a/b//c/",
        "%41%2F",
        "ü/日本語/😀",
        "!*'();:@&=+$,?#[]",
        "~tilde_-.",
        "\"<>\\^`{|}",
        "./..//x"
      })
  void acceptsEveryKey(String key) {
    String bucket = newBucket();
    s3.putObject(b -> b.bucket(bucket).key(key), RequestBody.fromString(key));
    assertEquals(key, s3.getObjectAsBytes(b -> b.bucket(bucket).key(key)).asUtf8String());
    assertEquals(key, s3.listObjectsV2(b -> b.bucket(bucket)).contents().get(0).key());
    s3.deleteObjects(
        b -> b.bucket(bucket).delete(d -> d.objects(ObjectIdentifier.builder().key(key).build())));
    assertTrue(s3.listObjectsV2(b -> b.bucket(bucket)).contents().isEmpty());
  }

  @Test
  void acceptsAKeyOf1024Bytes() {
    String bucket = newBucket();
    String key = "ü".repeat(512);
    s3.putObject(b -> b.bucket(bucket).key(key), RequestBody.fromString("x"));
    assertEquals("x", s3.getObjectAsBytes(b -> b.bucket(bucket).key(key)).asUtf8String());
  }

  @Test
  void readsRanges() {
    String bucket = newBucket();
    byte[] content = bytes(3 * MIB + 17, 5);
    s3.putObject(b -> b.bucket(bucket).key("k"), RequestBody.fromBytes(content));
    int size = content.length;
    int[][] ranges = {{0, 0}, {0, 4095}, {4096, 8191}, {MIB - 1, 2 * MIB}, {size - 1, size - 1}};
    for (int[] range : ranges) {
      ResponseBytes<GetObjectResponse> got = range(bucket, "bytes=" + range[0] + "-" + range[1]);
      assertArrayEquals(Arrays.copyOfRange(content, range[0], range[1] + 1), got.asByteArray());
      assertEquals(
          "bytes " + range[0] + "-" + range[1] + "/" + size, got.response().contentRange());
    }
    assertArrayEquals(
        Arrays.copyOfRange(content, size - 100, size), range(bucket, "bytes=-100").asByteArray());
    assertArrayEquals(
        Arrays.copyOfRange(content, 5, size), range(bucket, "bytes=5-").asByteArray());
    assertArrayEquals(content, range(bucket, "bytes=-99999999").asByteArray());
    assertArrayEquals(content, range(bucket, "bytes=0-99999999").asByteArray());
    assertArrayEquals(content, range(bucket, "bytes=0-1,5-6").asByteArray());
    assertArrayEquals(content, range(bucket, "lines=0-1").asByteArray());
    assertError(416, "InvalidRange", fails(() -> range(bucket, "bytes=" + size + "-")));
    assertError(416, "InvalidRange", fails(() -> range(bucket, "bytes=-0")));
  }

  private ResponseBytes<GetObjectResponse> range(String bucket, String range) {
    return s3.getObjectAsBytes(b -> b.bucket(bucket).key("k").range(range));
  }

  @Test
  void obeysConditionsOfReads() {
    String bucket = newBucket();
    s3.putObject(b -> b.bucket(bucket).key("k"), RequestBody.fromString("x"));
    HeadObjectResponse head = s3.headObject(b -> b.bucket(bucket).key("k"));
    Instant before = head.lastModified().minusSeconds(10);
    String etag = head.eTag();
    s3.getObjectAsBytes(b -> b.bucket(bucket).key("k").ifMatch(etag).ifUnmodifiedSince(before));
    s3.getObjectAsBytes(b -> b.bucket(bucket).key("k").ifNoneMatch("\"other\""));
    s3.getObjectAsBytes(b -> b.bucket(bucket).key("k").ifModifiedSince(before));
    assertEquals(
        304,
        fails(() -> s3.getObjectAsBytes(b -> b.bucket(bucket).key("k").ifNoneMatch(etag)))
            .statusCode());
    assertEquals(
        304,
        fails(
                () ->
                    s3.getObjectAsBytes(
                        b -> b.bucket(bucket).key("k").ifModifiedSince(head.lastModified())))
            .statusCode());
    assertEquals(
        412,
        fails(() -> s3.getObjectAsBytes(b -> b.bucket(bucket).key("k").ifMatch("\"other\"")))
            .statusCode());
    assertEquals(
        412,
        fails(() -> s3.getObjectAsBytes(b -> b.bucket(bucket).key("k").ifUnmodifiedSince(before)))
            .statusCode());
  }

  @Test
  void obeysConditionsOfWrites() {
    String bucket = newBucket();
    String etag =
        s3.putObject(b -> b.bucket(bucket).key("k").ifNoneMatch("*"), RequestBody.fromString("1"))
            .eTag();
    assertError(
        412,
        "PreconditionFailed",
        fails(
            () ->
                s3.putObject(
                    b -> b.bucket(bucket).key("k").ifNoneMatch("*"), RequestBody.fromString("2"))));
    s3.putObject(b -> b.bucket(bucket).key("k").ifMatch(etag), RequestBody.fromString("3"));
    assertError(
        412,
        "PreconditionFailed",
        fails(
            () ->
                s3.putObject(
                    b -> b.bucket(bucket).key("k").ifMatch(etag), RequestBody.fromString("4"))));
    assertEquals("3", s3.getObjectAsBytes(b -> b.bucket(bucket).key("k")).asUtf8String());
  }

  @Test
  void exactlyOneOfManyConditionalCreatesWins() throws Exception {
    String bucket = newBucket();
    ExecutorService threads = Executors.newFixedThreadPool(32);
    try {
      for (int round = 0; round < 5; round++) {
        String key = "raced-" + round;
        List<Callable<Integer>> puts = new ArrayList<>();
        for (int i = 0; i < 32; i++) {
          byte[] content = ("writer " + i).getBytes(StandardCharsets.UTF_8);
          puts.add(
              () -> {
                try {
                  s3.putObject(
                      b -> b.bucket(bucket).key(key).ifNoneMatch("*"),
                      RequestBody.fromBytes(content));
                  return 200;
                } catch (S3Exception e) {
                  return e.statusCode();
                }
              });
        }
        int won = 0;
        int winner = -1;
        List<Future<Integer>> results = threads.invokeAll(puts);
        for (int i = 0; i < results.size(); i++) {
          int status = results.get(i).get();
          assertTrue(status == 200 || status == 412 || status == 409, "status " + status);
          if (status == 200) {
            won++;
            winner = i;
          }
        }
        assertEquals(1, won);
        assertEquals(
            "writer " + winner, s3.getObjectAsBytes(b -> b.bucket(bucket).key(key)).asUtf8String());
      }
    } finally {
      threads.shutdownNow();
    }
  }

  @Test
  void overwritesAndDeletes() {
    String bucket = newBucket();
    for (String text : List.of("one", "two", "three")) {
      s3.putObject(b -> b.bucket(bucket).key("k"), RequestBody.fromString(text));
      assertEquals(text, s3.getObjectAsBytes(b -> b.bucket(bucket).key("k")).asUtf8String());
    }
    s3.deleteObject(b -> b.bucket(bucket).key("k"));
    s3.deleteObject(b -> b.bucket(bucket).key("k"));
    assertThrows(
        NoSuchKeyException.class, () -> s3.getObjectAsBytes(b -> b.bucket(bucket).key("k")));
  }

  @Test
  void deletesManyAndTellsOrKeepsQuiet() {
    String bucket = newBucket();
    List<ObjectIdentifier> keys = new ArrayList<>();
    for (int i = 0; i < 20; i++) {
      String key = "k" + i;
      keys.add(ObjectIdentifier.builder().key(key).build());
      s3.putObject(b -> b.bucket(bucket).key(key), RequestBody.fromString("x"));
    }
    DeleteObjectsResponse told =
        s3.deleteObjects(b -> b.bucket(bucket).delete(d -> d.objects(keys.subList(0, 10))));
    assertEquals(10, told.deleted().size());
    DeleteObjectsResponse quiet =
        s3.deleteObjects(
            b -> b.bucket(bucket).delete(d -> d.objects(keys.subList(5, 20)).quiet(true)));
    assertTrue(quiet.deleted().isEmpty());
    assertTrue(quiet.errors().isEmpty());
    assertTrue(s3.listObjectsV2(b -> b.bucket(bucket)).contents().isEmpty());
  }

  @Test
  void copies() {
    String bucket = newBucket();
    byte[] content = bytes(2 * MIB + 3, 9);
    s3.putObject(
        b -> b.bucket(bucket).key("a ü").contentType("a/b").metadata(Map.of("m", "1")),
        RequestBody.fromBytes(content));
    String etag =
        s3.copyObject(
                b ->
                    b.sourceBucket(bucket)
                        .sourceKey("a ü")
                        .destinationBucket(bucket)
                        .destinationKey("b"))
            .copyObjectResult()
            .eTag();
    ResponseBytes<GetObjectResponse> copy = s3.getObjectAsBytes(b -> b.bucket(bucket).key("b"));
    assertArrayEquals(content, copy.asByteArray());
    assertEquals(etag, copy.response().eTag());
    assertEquals("a/b", copy.response().contentType());
    assertEquals(Map.of("m", "1"), copy.response().metadata());
    assertError(
        400,
        "InvalidRequest",
        fails(
            () ->
                s3.copyObject(
                    b ->
                        b.sourceBucket(bucket)
                            .sourceKey("b")
                            .destinationBucket(bucket)
                            .destinationKey("b"))));
    s3.copyObject(
        b ->
            b.sourceBucket(bucket)
                .sourceKey("b")
                .destinationBucket(bucket)
                .destinationKey("b")
                .metadataDirective(MetadataDirective.REPLACE)
                .metadata(Map.of("n", "2")));
    ResponseBytes<GetObjectResponse> replaced = s3.getObjectAsBytes(b -> b.bucket(bucket).key("b"));
    assertArrayEquals(content, replaced.asByteArray());
    assertEquals(Map.of("n", "2"), replaced.response().metadata());
    assertError(
        412,
        "PreconditionFailed",
        fails(
            () ->
                s3.copyObject(
                    b ->
                        b.sourceBucket(bucket)
                            .sourceKey("b")
                            .destinationBucket(bucket)
                            .destinationKey("c")
                            .copySourceIfMatch("\"other\""))));
    assertError(
        404,
        "NoSuchKey",
        fails(
            () ->
                s3.copyObject(
                    b ->
                        b.sourceBucket(bucket)
                            .sourceKey("none")
                            .destinationBucket(bucket)
                            .destinationKey("c"))));
  }

  // ---- buckets

  @Test
  void managesBuckets() {
    String bucket = newBucket();
    assertTrue(s3.listBuckets().buckets().stream().anyMatch(b -> b.name().equals(bucket)));
    s3.headBucket(b -> b.bucket(bucket));
    s3.getBucketLocation(b -> b.bucket(bucket));
    assertNull(s3.getBucketVersioning(b -> b.bucket(bucket)).status());
    // As in us-east-1 of S3; elsewhere it is BucketAlreadyOwnedByYou.
    assertEquals("/" + bucket, s3.createBucket(b -> b.bucket(bucket)).location());
    s3.putObject(b -> b.bucket(bucket).key("k"), RequestBody.fromString("x"));
    assertError(409, "BucketNotEmpty", fails(() -> s3.deleteBucket(b -> b.bucket(bucket))));
    s3.deleteObject(b -> b.bucket(bucket).key("k"));
    s3.deleteBucket(b -> b.bucket(bucket));
    assertThrows(NoSuchBucketException.class, () -> s3.headBucket(b -> b.bucket(bucket)));
    assertThrows(
        NoSuchBucketException.class,
        () -> s3.putObject(b -> b.bucket(bucket).key("k"), RequestBody.fromString("x")));
  }

  @Test
  void listsBucketsByPages() {
    String prefix = newBucket();
    List<String> names = List.of(prefix, prefix + "-a", prefix + "-b", prefix + "-c");
    names.subList(1, 4).forEach(name -> s3.createBucket(b -> b.bucket(name)));
    List<List<String>> pages = new ArrayList<>();
    for (ListBucketsResponse page : s3.listBucketsPaginator(b -> b.prefix(prefix).maxBuckets(2))) {
      assertEquals(prefix, page.prefix());
      pages.add(page.buckets().stream().map(Bucket::name).toList());
    }
    assertEquals(List.of(names.subList(0, 2), names.subList(2, 4)), pages);
    ListBucketsResponse most = s3.listBuckets(b -> b.prefix(prefix).maxBuckets(3));
    assertEquals(names.subList(0, 3), most.buckets().stream().map(Bucket::name).toList());
    assertEquals(3, s3.listBuckets(b -> b.prefix(prefix + "-")).buckets().size());
    // A token goes on where it says, though the bucket that it names is gone.
    s3.deleteBucket(b -> b.bucket(names.get(2)));
    ListBucketsResponse rest =
        s3.listBuckets(b -> b.prefix(prefix).continuationToken(most.continuationToken()));
    assertEquals(names.subList(3, 4), rest.buckets().stream().map(Bucket::name).toList());
    assertNull(rest.continuationToken());
  }

  @Test
  void tellsAttributes() {
    String bucket = newBucket();
    s3.putObject(b -> b.bucket(bucket).key("k"), RequestBody.fromString("hello"));
    GetObjectAttributesResponse attributes =
        s3.getObjectAttributes(
            b ->
                b.bucket(bucket)
                    .key("k")
                    .objectAttributes(
                        ObjectAttributes.E_TAG,
                        ObjectAttributes.OBJECT_SIZE,
                        ObjectAttributes.CHECKSUM,
                        ObjectAttributes.OBJECT_PARTS,
                        ObjectAttributes.STORAGE_CLASS));
    assertEquals("5d41402abc4b2a76b9719d911017c592", attributes.eTag());
    assertEquals(5, attributes.objectSize());
    assertEquals("STANDARD", attributes.storageClassAsString());
    assertEquals(ChecksumType.FULL_OBJECT, attributes.checksum().checksumType());
    assertNull(attributes.objectParts());
    assertError(
        404,
        "NoSuchKey",
        assertThrows(
            S3Exception.class,
            () ->
                s3.getObjectAttributes(
                    b -> b.bucket(bucket).key("none").objectAttributes(ObjectAttributes.E_TAG))));
  }

  @Test
  void keepsTagsOfBuckets() {
    String bucket = newBucket();
    assertError(404, "NoSuchTagSet", assertThrows(S3Exception.class, () -> tags(bucket)));
    s3.putBucketTagging(
        b ->
            b.bucket(bucket)
                .tagging(
                    t ->
                        t.tagSet(
                            Tag.builder().key("team").value("\u00fcber + co").build(),
                            Tag.builder().key("empty").value("").build())));
    assertEquals(Map.of("team", "\u00fcber + co", "empty", ""), tags(bucket));
    assertError(
        400,
        "InvalidTag",
        assertThrows(
            S3Exception.class,
            () ->
                s3.putBucketTagging(
                    b ->
                        b.bucket(bucket)
                            .tagging(
                                t ->
                                    t.tagSet(
                                        Tag.builder().key("a").value("1").build(),
                                        Tag.builder().key("a").value("2").build())))));
    s3.deleteBucketTagging(b -> b.bucket(bucket));
    s3.deleteBucketTagging(b -> b.bucket(bucket));
    assertError(404, "NoSuchTagSet", assertThrows(S3Exception.class, () -> tags(bucket)));
  }

  private Map<String, String> tags(String bucket) {
    return s3.getBucketTagging(b -> b.bucket(bucket)).tagSet().stream()
        .collect(Collectors.toMap(Tag::key, Tag::value));
  }

  @Test
  void answersPreflightsAsTheRulesSay() throws IOException {
    String bucket = newBucket();
    String preflight =
        "OPTIONS /"
            + bucket
            + "/k HTTP/1.1\r\nHost: h\r\nOrigin: https://a.example.com\r\n"
            + "Access-Control-Request-Method: PUT\r\n"
            + "Access-Control-Request-Headers: x-amz-date, content-type\r\n\r\n";
    assertEquals(403, ask(preflight).status());
    s3.putBucketCors(
        b ->
            b.bucket(bucket)
                .corsConfiguration(
                    c ->
                        c.corsRules(
                            CORSRule.builder()
                                .allowedOrigins("https://*.example.com")
                                .allowedMethods("PUT", "GET")
                                .allowedHeaders("*")
                                .exposeHeaders("ETag")
                                .maxAgeSeconds(60)
                                .build())));
    RawS3.Reply allowed = ask(preflight);
    assertEquals(200, allowed.status());
    assertEquals("https://a.example.com", allowed.headers().get("access-control-allow-origin"));
    assertEquals("PUT, GET", allowed.headers().get("access-control-allow-methods"));
    assertEquals("60", allowed.headers().get("access-control-max-age"));
    assertEquals(403, ask(preflight.replace("a.example.com", "example.org")).status());
    assertEquals(403, ask(preflight.replace(": PUT", ": DELETE")).status());
    assertEquals(
        List.of("https://*.example.com"),
        s3.getBucketCors(b -> b.bucket(bucket)).corsRules().get(0).allowedOrigins());
    s3.deleteBucketCors(b -> b.bucket(bucket));
    assertError(
        404,
        "NoSuchCORSConfiguration",
        assertThrows(S3Exception.class, () -> s3.getBucketCors(b -> b.bucket(bucket))));
  }

  private RawS3.Reply ask(String request) throws IOException {
    return raw.exchange(request.getBytes(StandardCharsets.US_ASCII), false);
  }

  @Test
  void keepsOtherSettingsOfBuckets() {
    String bucket = newBucket();
    assertError(
        404,
        "NoSuchPublicAccessBlockConfiguration",
        assertThrows(S3Exception.class, () -> s3.getPublicAccessBlock(b -> b.bucket(bucket))));
    s3.putPublicAccessBlock(
        b -> b.bucket(bucket).publicAccessBlockConfiguration(p -> p.blockPublicAcls(true)));
    assertTrue(
        s3.getPublicAccessBlock(b -> b.bucket(bucket))
            .publicAccessBlockConfiguration()
            .blockPublicAcls());
    s3.putBucketOwnershipControls(
        b ->
            b.bucket(bucket)
                .ownershipControls(
                    o ->
                        o.rules(
                            OwnershipControlsRule.builder()
                                .objectOwnership(ObjectOwnership.BUCKET_OWNER_ENFORCED)
                                .build())));
    assertEquals(
        ObjectOwnership.BUCKET_OWNER_ENFORCED,
        s3.getBucketOwnershipControls(b -> b.bucket(bucket))
            .ownershipControls()
            .rules()
            .get(0)
            .objectOwnership());
    assertEquals(Payer.BUCKET_OWNER, s3.getBucketRequestPayment(b -> b.bucket(bucket)).payer());
    s3.putBucketRequestPayment(
        b -> b.bucket(bucket).requestPaymentConfiguration(r -> r.payer(Payer.REQUESTER)));
    assertEquals(Payer.REQUESTER, s3.getBucketRequestPayment(b -> b.bucket(bucket)).payer());
    assertError(
        404,
        "NoSuchWebsiteConfiguration",
        assertThrows(S3Exception.class, () -> s3.getBucketWebsite(b -> b.bucket(bucket))));
    s3.putBucketWebsite(
        b -> b.bucket(bucket).websiteConfiguration(w -> w.indexDocument(i -> i.suffix("i.html"))));
    assertEquals("i.html", s3.getBucketWebsite(b -> b.bucket(bucket)).indexDocument().suffix());
    s3.deleteBucketWebsite(b -> b.bucket(bucket));
    s3.deleteBucketWebsite(b -> b.bucket(bucket));
    assertError(
        404,
        "NoSuchWebsiteConfiguration",
        assertThrows(S3Exception.class, () -> s3.getBucketWebsite(b -> b.bucket(bucket))));
  }

  @ParameterizedTest
  @ValueSource(strings = {"ab", "Upper", "a..b", "-a-b", "ends-", "1.2.3.4", "under_score"})
  void refusesBucketNames(String name) throws IOException {
    RawS3.Reply reply = raw.call("PUT", "/" + name).send();
    assertEquals("InvalidBucketName", reply.code());
    assertEquals(400, reply.status());
  }

  // ---- listings

  @Test
  void listsFiveThousandKeys() throws Exception {
    String bucket = newBucket();
    List<String> keys = new ArrayList<>();
    for (int i = 0; i < 5000; i++) {
      keys.add(String.format("dir%02d/%s%04d", i % 50, i % 7 == 0 ? "sub/" : "", i));
    }
    ExecutorService threads = Executors.newFixedThreadPool(16);
    try {
      List<Callable<Object>> puts = new ArrayList<>();
      for (String key : keys) {
        puts.add(() -> raw.call("PUT", "/" + bucket + "/" + key).body(key).send());
      }
      for (Future<Object> put : threads.invokeAll(puts)) {
        assertEquals(200, ((RawS3.Reply) put.get()).status());
      }
    } finally {
      threads.shutdownNow();
    }
    List<String> listed = new ArrayList<>();
    s3.listObjectsV2Paginator(b -> b.bucket(bucket).maxKeys(700))
        .contents()
        .forEach(object -> listed.add(object.key()));
    assertEquals(new ArrayList<>(new TreeSet<>(keys)), listed);

    List<String> dirs = new ArrayList<>();
    s3.listObjectsV2Paginator(b -> b.bucket(bucket).delimiter("/").maxKeys(7))
        .commonPrefixes()
        .forEach(prefix -> dirs.add(prefix.prefix()));
    assertEquals(50, dirs.size());
    assertEquals(new ArrayList<>(new TreeSet<>(dirs)), dirs);

    ListObjectsV2Response inside =
        s3.listObjectsV2(b -> b.bucket(bucket).prefix("dir07/").delimiter("/"));
    assertEquals(
        List.of("dir07/sub/"), inside.commonPrefixes().stream().map(p -> p.prefix()).toList());
    assertEquals(
        keys.stream().filter(k -> k.startsWith("dir07/") && !k.contains("sub/")).sorted().toList(),
        inside.contents().stream().map(S3Object::key).toList());
    assertEquals(inside.contents().size() + 1, inside.keyCount());

    // Version 1, page by page.
    List<String> first = new ArrayList<>();
    String marker = "";
    while (true) {
      String from = marker;
      ListObjectsResponse page = s3.listObjects(b -> b.bucket(bucket).marker(from).maxKeys(1000));
      page.contents().forEach(object -> first.add(object.key()));
      if (!page.isTruncated()) {
        break;
      }
      marker = page.contents().get(page.contents().size() - 1).key();
    }
    assertEquals(listed, first);
  }

  @Test
  void obeysListingParameters() {
    String bucket = newBucket();
    for (String key : List.of("a", "b/1", "b/2", "c")) {
      s3.putObject(b -> b.bucket(bucket).key(key), RequestBody.fromString(key));
    }
    ListObjectsV2Response none = s3.listObjectsV2(b -> b.bucket(bucket).maxKeys(0));
    assertTrue(none.contents().isEmpty());
    assertFalse(none.isTruncated());
    assertEquals(1000, s3.listObjectsV2(b -> b.bucket(bucket).maxKeys(5000)).maxKeys());
    ListObjectsV2Response after = s3.listObjectsV2(b -> b.bucket(bucket).startAfter("b/1"));
    assertEquals(List.of("b/2", "c"), after.contents().stream().map(S3Object::key).toList());
    assertNull(after.contents().get(0).owner());
    assertEquals(3, after.contents().get(0).size());
    assertTrue(
        s3.listObjectsV2(b -> b.bucket(bucket).fetchOwner(true)).contents().get(0).owner() != null);
    ListObjectsResponse page = s3.listObjects(b -> b.bucket(bucket).delimiter("/").maxKeys(2));
    assertTrue(page.isTruncated());
    assertEquals("b/", page.nextMarker());
    ListObjectsResponse rest =
        s3.listObjects(b -> b.bucket(bucket).delimiter("/").marker(page.nextMarker()));
    assertEquals(List.of("c"), rest.contents().stream().map(S3Object::key).toList());
    assertTrue(rest.commonPrefixes().isEmpty());
  }

  // ---- multipart

  @Test
  void uploadsInParts() throws Exception {
    String bucket = newBucket();
    int partSize = Integer.getInteger("stowage.test.part-mib", 8) * MIB;
    String id = s3.createMultipartUpload(b -> b.bucket(bucket).key("big")).uploadId();
    CRC32C sent = new CRC32C();
    List<CompletedPart> parts = new ArrayList<>();
    for (int number = 1; number <= 5; number++) {
      int n = number;
      byte[] content = bytes(partSize, number);
      sent.update(content);
      UploadPartResponse part =
          s3.uploadPart(
              b -> b.bucket(bucket).key("big").uploadId(id).partNumber(n),
              RequestBody.fromBytes(content));
      assertEquals("\"" + md5(content) + "\"", part.eTag());
      parts.add(
          CompletedPart.builder()
              .partNumber(number)
              .eTag(part.eTag())
              .checksumCRC32(part.checksumCRC32())
              .build());
    }
    ListPartsResponse listed =
        s3.listParts(b -> b.bucket(bucket).key("big").uploadId(id).maxParts(3));
    assertEquals(3, listed.parts().size());
    assertTrue(listed.isTruncated());
    assertEquals(3, listed.nextPartNumberMarker());
    ListPartsResponse rest =
        s3.listParts(b -> b.bucket(bucket).key("big").uploadId(id).partNumberMarker(3).maxParts(3));
    assertEquals(List.of(4, 5), rest.parts().stream().map(Part::partNumber).toList());
    assertEquals(3, rest.partNumberMarker());
    assertFalse(rest.isTruncated());
    String etag =
        s3.completeMultipartUpload(
                b ->
                    b.bucket(bucket)
                        .key("big")
                        .uploadId(id)
                        .multipartUpload(CompletedMultipartUpload.builder().parts(parts).build()))
            .eTag();
    assertTrue(etag.endsWith("-5\""), etag);
    HeadObjectResponse head = s3.headObject(b -> b.bucket(bucket).key("big"));
    assertEquals(5L * partSize, head.contentLength());
    try (ResponseInputStream<GetObjectResponse> got =
        s3.getObject(b -> b.bucket(bucket).key("big"))) {
      CheckedInputStream in = new CheckedInputStream(got, new CRC32C());
      in.transferTo(java.io.OutputStream.nullOutputStream());
      assertEquals(sent.getValue(), in.getChecksum().getValue());
    }
    ResponseBytes<GetObjectResponse> second =
        s3.getObjectAsBytes(b -> b.bucket(bucket).key("big").partNumber(2));
    assertArrayEquals(bytes(partSize, 2), second.asByteArrayUnsafe());
    assertEquals(5, second.response().partsCount());
    s3.deleteObject(b -> b.bucket(bucket).key("big"));
    s3.deleteBucket(b -> b.bucket(bucket));
  }

  @ParameterizedTest
  @EnumSource(
      value = ChecksumType.class,
      names = {"FULL_OBJECT", "COMPOSITE"})
  void checksumsOfPartsMakeThatOfTheWhole(ChecksumType type) {
    String bucket = newBucket();
    byte[] whole = bytes(5 * MIB + 1000, 77);
    String id =
        s3.createMultipartUpload(
                b ->
                    b.bucket(bucket)
                        .key("k")
                        .checksumAlgorithm(ChecksumAlgorithm.CRC32_C)
                        .checksumType(type))
            .uploadId();
    List<CompletedPart> parts = new ArrayList<>();
    for (int number = 1; number <= 2; number++) {
      int n = number;
      byte[] content =
          number == 1
              ? Arrays.copyOf(whole, 5 * MIB)
              : Arrays.copyOfRange(whole, 5 * MIB, whole.length);
      UploadPartResponse part =
          s3.uploadPart(
              b ->
                  b.bucket(bucket)
                      .key("k")
                      .uploadId(id)
                      .partNumber(n)
                      .checksumAlgorithm(ChecksumAlgorithm.CRC32_C),
              RequestBody.fromBytes(content));
      parts.add(
          CompletedPart.builder()
              .partNumber(n)
              .eTag(part.eTag())
              .checksumCRC32C(part.checksumCRC32C())
              .build());
    }
    s3.completeMultipartUpload(
        b -> b.bucket(bucket).key("k").uploadId(id).multipartUpload(m -> m.parts(parts)));
    HeadObjectResponse head =
        s3.headObject(b -> b.bucket(bucket).key("k").checksumMode(ChecksumMode.ENABLED));
    assertEquals(type, head.checksumType());
    if (type == ChecksumType.FULL_OBJECT) {
      CRC32C crc = new CRC32C();
      crc.update(whole);
      assertEquals(
          java.util.Base64.getEncoder()
              .encodeToString(java.nio.ByteBuffer.allocate(4).putInt((int) crc.getValue()).array()),
          head.checksumCRC32C());
    } else {
      assertTrue(head.checksumCRC32C().endsWith("-2"), head.checksumCRC32C());
    }
    tellsOfItsParts(bucket, type, head, parts);
    assertArrayEquals(
        whole,
        s3.getObjectAsBytes(b -> b.bucket(bucket).key("k").checksumMode(ChecksumMode.ENABLED))
            .asByteArray());
  }

  private void tellsOfItsParts(
      String bucket, ChecksumType type, HeadObjectResponse whole, List<CompletedPart> parts) {
    boolean composite = type == ChecksumType.COMPOSITE;
    GetObjectAttributesResponse attributes =
        s3.getObjectAttributes(
            b ->
                b.bucket(bucket)
                    .key("k")
                    .objectAttributes(ObjectAttributes.CHECKSUM, ObjectAttributes.OBJECT_PARTS));
    assertEquals(whole.checksumCRC32C().replace("-2", ""), attributes.checksum().checksumCRC32C());
    assertEquals(2, attributes.objectParts().totalPartsCount());
    assertEquals(composite ? 2 : 0, attributes.objectParts().parts().size());
    for (int i = 0; i < 2; i++) {
      int number = i + 1;
      String ofPart = composite ? parts.get(i).checksumCRC32C() : null;
      HeadObjectResponse part =
          s3.headObject(
              b -> b.bucket(bucket).key("k").partNumber(number).checksumMode(ChecksumMode.ENABLED));
      assertEquals(2, part.partsCount());
      if (composite) {
        ObjectPart told = attributes.objectParts().parts().get(i);
        assertEquals(number, told.partNumber());
        assertEquals(ofPart, told.checksumCRC32C());
        assertEquals(told.size(), part.contentLength(), "part " + number);
      }
      assertEquals(ofPart, part.checksumCRC32C());
      assertEquals(composite ? type : null, part.checksumType());
      assertEquals(
          part.contentLength(),
          s3.getObjectAsBytes(
                  b ->
                      b.bucket(bucket)
                          .key("k")
                          .partNumber(number)
                          .checksumMode(ChecksumMode.ENABLED))
              .asByteArray()
              .length);
    }
  }

  @Test
  void copiesParts() {
    String bucket = newBucket();
    byte[] content = bytes(6 * MIB, 3);
    s3.putObject(b -> b.bucket(bucket).key("from"), RequestBody.fromBytes(content));
    String id = s3.createMultipartUpload(b -> b.bucket(bucket).key("to")).uploadId();
    List<CompletedPart> parts = new ArrayList<>();
    String[] ranges = {"bytes=0-" + (5 * MIB - 1), "bytes=" + 5 * MIB + "-" + (6 * MIB - 1)};
    for (int i = 0; i < ranges.length; i++) {
      int number = i + 1;
      String range = ranges[i];
      String etag =
          s3.uploadPartCopy(
                  b ->
                      b.sourceBucket(bucket)
                          .sourceKey("from")
                          .destinationBucket(bucket)
                          .destinationKey("to")
                          .uploadId(id)
                          .partNumber(number)
                          .copySourceRange(range))
              .copyPartResult()
              .eTag();
      parts.add(CompletedPart.builder().partNumber(number).eTag(etag).build());
    }
    s3.completeMultipartUpload(
        b -> b.bucket(bucket).key("to").uploadId(id).multipartUpload(m -> m.parts(parts)));
    assertArrayEquals(content, s3.getObjectAsBytes(b -> b.bucket(bucket).key("to")).asByteArray());
  }

  @Test
  void listsAndAbortsUploads() {
    String bucket = newBucket();
    List<String> ids = new ArrayList<>();
    for (String key : List.of("a", "b/1", "b/2", "c")) {
      ids.add(s3.createMultipartUpload(b -> b.bucket(bucket).key(key)).uploadId());
    }
    ListMultipartUploadsResponse all = s3.listMultipartUploads(b -> b.bucket(bucket));
    assertEquals(ids, all.uploads().stream().map(u -> u.uploadId()).toList());
    ListMultipartUploadsResponse dirs =
        s3.listMultipartUploads(b -> b.bucket(bucket).delimiter("/"));
    assertEquals(List.of("a", "c"), dirs.uploads().stream().map(u -> u.key()).toList());
    assertEquals(List.of("b/"), dirs.commonPrefixes().stream().map(p -> p.prefix()).toList());
    ListMultipartUploadsResponse page =
        s3.listMultipartUploads(b -> b.bucket(bucket).maxUploads(2));
    assertTrue(page.isTruncated());
    ListMultipartUploadsResponse rest =
        s3.listMultipartUploads(
            b ->
                b.bucket(bucket)
                    .keyMarker(page.nextKeyMarker())
                    .uploadIdMarker(page.nextUploadIdMarker()));
    assertEquals(List.of("b/2", "c"), rest.uploads().stream().map(u -> u.key()).toList());
    s3.uploadPart(
        b -> b.bucket(bucket).key("a").uploadId(ids.get(0)).partNumber(1),
        RequestBody.fromString("x"));
    s3.abortMultipartUpload(b -> b.bucket(bucket).key("a").uploadId(ids.get(0)));
    assertError(
        404,
        "NoSuchUpload",
        fails(
            () ->
                s3.uploadPart(
                    b -> b.bucket(bucket).key("a").uploadId(ids.get(0)).partNumber(2),
                    RequestBody.fromString("x"))));
    assertError(
        404,
        "NoSuchUpload",
        // Another key has no such upload. Aborting one twice may be answered either way.
        fails(() -> s3.abortMultipartUpload(b -> b.bucket(bucket).key("z").uploadId(ids.get(0)))));
    assertEquals(3, s3.listMultipartUploads(b -> b.bucket(bucket)).uploads().size());
    assertTrue(s3.listObjectsV2(b -> b.bucket(bucket)).contents().isEmpty());
  }

  @Test
  void completesOnlyWhatIsRight() {
    String bucket = newBucket();
    String id = s3.createMultipartUpload(b -> b.bucket(bucket).key("k")).uploadId();
    List<CompletedPart> parts = new ArrayList<>();
    for (int number = 1; number <= 2; number++) {
      int n = number;
      parts.add(
          CompletedPart.builder()
              .partNumber(n)
              .eTag(
                  s3.uploadPart(
                          b -> b.bucket(bucket).key("k").uploadId(id).partNumber(n),
                          RequestBody.fromString("small"))
                      .eTag())
              .build());
    }
    assertError(400, "EntityTooSmall", fails(() -> complete(bucket, id, parts)));
    assertError(
        400,
        "InvalidPartOrder",
        fails(() -> complete(bucket, id, List.of(parts.get(1), parts.get(0)))));
    CompletedPart wrong =
        CompletedPart.builder().partNumber(1).eTag("\"" + "0".repeat(32) + "\"").build();
    assertError(400, "InvalidPart", fails(() -> complete(bucket, id, List.of(wrong))));
    CompletedPart absent = CompletedPart.builder().partNumber(9).eTag(parts.get(0).eTag()).build();
    assertError(400, "InvalidPart", fails(() -> complete(bucket, id, List.of(absent))));
    assertError(400, "MalformedXML", fails(() -> complete(bucket, id, List.of())));
    assertThrows(
        NoSuchKeyException.class, () -> s3.getObjectAsBytes(b -> b.bucket(bucket).key("k")));
    complete(bucket, id, parts.subList(0, 1));
    assertEquals("small", s3.getObjectAsBytes(b -> b.bucket(bucket).key("k")).asUtf8String());
    complete(bucket, id, parts.subList(0, 1)); // asked again after a lost answer
  }

  private void complete(String bucket, String id, List<CompletedPart> parts) {
    s3.completeMultipartUpload(
        b -> b.bucket(bucket).key("k").uploadId(id).multipartUpload(m -> m.parts(parts)));
  }

  // ---- table formats that commit by conditional puts

  /** A log whose next entry is put only if it is not there (Delta Lake): every entry once. */
  @Test
  void raisesOneLogFromManyWritersAsDeltaDoes() throws Exception {
    String bucket = newBucket();
    int writers = 4;
    int commits = 5;
    AtomicInteger lost = new AtomicInteger();
    List<Callable<Void>> tasks = new ArrayList<>();
    for (int w = 0; w < writers; w++) {
      String writer = "writer-" + w;
      tasks.add(
          () -> {
            int version = 0;
            for (int commit = 0; commit < commits; commit++) {
              while (!putIfAbsent(bucket, logEntry(version), writer + " " + commit)) {
                lost.incrementAndGet();
                version++;
              }
              version++;
            }
            return null;
          });
    }
    runAll(tasks);
    List<String> keys =
        s3.listObjectsV2(b -> b.bucket(bucket).prefix("_delta_log/")).contents().stream()
            .map(S3Object::key)
            .toList();
    assertEquals(writers * commits, keys.size());
    TreeSet<String> bodies = new TreeSet<>();
    for (int version = 0; version < keys.size(); version++) {
      assertEquals(logEntry(version), keys.get(version));
      String key = keys.get(version);
      bodies.add(s3.getObjectAsBytes(b -> b.bucket(bucket).key(key)).asUtf8String());
    }
    assertEquals(writers * commits, bodies.size());
    assertTrue(lost.get() > 0, "nobody met a rival");
  }

  private static String logEntry(int version) {
    return "_delta_log/%020d.json".formatted(version);
  }

  private boolean putIfAbsent(String bucket, String key, String body) {
    try {
      s3.putObject(b -> b.bucket(bucket).key(key).ifNoneMatch("*"), RequestBody.fromString(body));
      return true;
    } catch (S3Exception e) {
      // 409 says that another put of the key is under way: as good as lost.
      assertTrue(e.statusCode() == 412 || e.statusCode() == 409, e.toString());
      return e.statusCode() == 409 && putIfAbsent(bucket, key, body);
    }
  }

  /**
   * A pointer that is swapped only if it is as it was read (Iceberg's metadata): no lost update.
   */
  @Test
  void swapsOnePointerFromManyWritersAsIcebergDoes() throws Exception {
    String bucket = newBucket();
    String pointer = "metadata/version-hint.text";
    s3.putObject(b -> b.bucket(bucket).key("metadata/first"), RequestBody.fromString("none"));
    s3.putObject(b -> b.bucket(bucket).key(pointer), RequestBody.fromString("metadata/first"));
    int writers = 4;
    int commits = 5;
    List<Callable<Void>> tasks = new ArrayList<>();
    for (int w = 0; w < writers; w++) {
      String writer = "metadata/" + w + "-";
      tasks.add(
          () -> {
            for (int commit = 0, attempt = 0; commit < commits; attempt++) {
              ResponseBytes<GetObjectResponse> seen =
                  s3.getObjectAsBytes(b -> b.bucket(bucket).key(pointer));
              String next = writer + commit + "-" + attempt;
              s3.putObject(
                  b -> b.bucket(bucket).key(next).ifNoneMatch("*"),
                  RequestBody.fromString(seen.asUtf8String()));
              try {
                s3.putObject(
                    b -> b.bucket(bucket).key(pointer).ifMatch(seen.response().eTag()),
                    RequestBody.fromString(next));
                commit++;
              } catch (S3Exception e) {
                assertTrue(e.statusCode() == 412 || e.statusCode() == 409, e.toString());
              }
            }
            return null;
          });
    }
    runAll(tasks);
    int length = 0;
    String at = s3.getObjectAsBytes(b -> b.bucket(bucket).key(pointer)).asUtf8String();
    while (!at.equals("metadata/first")) {
      String key = at;
      at = s3.getObjectAsBytes(b -> b.bucket(bucket).key(key)).asUtf8String();
      length++;
    }
    assertEquals(writers * commits, length);
  }

  private static void runAll(List<Callable<Void>> tasks) throws Exception {
    ExecutorService threads = Executors.newFixedThreadPool(tasks.size());
    try {
      for (Future<Void> task : threads.invokeAll(tasks)) {
        task.get();
      }
    } finally {
      threads.shutdownNow();
    }
  }

  // ---- other ways to sign and address

  @Test
  void acceptsPresignedRequests() throws Exception {
    String bucket = newBucket();
    try (S3Presigner presigner =
        S3Presigner.builder()
            .endpointOverride(target.endpoint())
            .region(Region.of(target.region()))
            .credentialsProvider(target.credentials())
            .serviceConfiguration(S3Configuration.builder().pathStyleAccessEnabled(true).build())
            .build()) {
      URI put =
          presigner
              .presignPutObject(
                  p ->
                      p.signatureDuration(Duration.ofMinutes(5))
                          .putObjectRequest(b -> b.bucket(bucket).key("a key+")))
              .url()
              .toURI();
      var connection = (java.net.HttpURLConnection) put.toURL().openConnection();
      connection.setRequestMethod("PUT");
      connection.setDoOutput(true);
      connection.getOutputStream().write("presigned".getBytes(StandardCharsets.UTF_8));
      assertEquals(200, connection.getResponseCode());
      URI get =
          presigner
              .presignGetObject(
                  p ->
                      p.signatureDuration(Duration.ofMinutes(5))
                          .getObjectRequest(
                              b -> b.bucket(bucket).key("a key+").responseContentType("x/y")))
              .url()
              .toURI();
      var read = (java.net.HttpURLConnection) get.toURL().openConnection();
      try (InputStream in = read.getInputStream()) {
        assertEquals("presigned", new String(in.readAllBytes(), StandardCharsets.UTF_8));
      }
      assertEquals("x/y", read.getContentType());
    }
  }

  @Test
  void acceptsVirtualHostStyle() throws IOException {
    String bucket = newBucket();
    s3.putObject(b -> b.bucket(bucket).key("dir/k"), RequestBody.fromString("text"));
    RawS3.Reply got =
        raw.call("GET", "/dir/k")
            .header("host", bucket + ".localhost:" + target.endpoint().getPort())
            .send();
    assertEquals("text", got.text());
    RawS3.Reply listed =
        raw.call("GET", "/?list-type=2")
            .header("host", bucket + ".localhost:" + target.endpoint().getPort())
            .send();
    assertEquals("dir/k", listed.element("Key"));
  }

  @ParameterizedTest
  @ValueSource(strings = {"signed", "signed+trailer", "unsigned+trailer"})
  void acceptsEveryFormOfAwsChunked(String form) throws IOException {
    String bucket = newBucket();
    byte[] first = bytes(70_000, 1);
    byte[] second = bytes(300_001, 2);
    CRC32C crc = new CRC32C();
    crc.update(first);
    crc.update(second);
    String value =
        java.util.Base64.getEncoder()
            .encodeToString(java.nio.ByteBuffer.allocate(4).putInt((int) crc.getValue()).array());
    boolean trailer = form.endsWith("trailer");
    RawS3.Reply put =
        raw.call("PUT", "/" + bucket + "/k")
            .chunked(form.startsWith("signed"), trailer ? "x-amz-checksum-crc32c" : null, value)
            .chunk(first)
            .chunk(second)
            .build()
            .send();
    assertEquals(200, put.status(), put.text());
    if (trailer) {
      assertEquals(value, put.headers().get("x-amz-checksum-crc32c"));
    }
    ResponseBytes<GetObjectResponse> got = s3.getObjectAsBytes(b -> b.bucket(bucket).key("k"));
    byte[] whole = Arrays.copyOf(first, first.length + second.length);
    System.arraycopy(second, 0, whole, first.length, second.length);
    assertArrayEquals(whole, got.asByteArray());
    assertNull(got.response().contentEncoding());
  }

  @Test
  void streamsABodyOfUnknownPaceAndAnswers100Continue() throws Exception {
    String bucket = newBucket();
    byte[] content = bytes(2 * MIB, 4);
    RawS3.Call call =
        raw.call("PUT", "/" + bucket + "/k").body(content).unsignedHeader("expect", "100-continue");
    call.sign();
    byte[] wire = call.wire();
    int head = wire.length - content.length;
    try (java.net.Socket socket = raw.open()) {
      socket.getOutputStream().write(wire, 0, head);
      InputStream in = socket.getInputStream();
      byte[] interim = in.readNBytes("HTTP/1.1 100 Continue\r\n\r\n".length());
      assertEquals("HTTP/1.1 100 Continue\r\n\r\n", new String(interim, StandardCharsets.US_ASCII));
      socket.getOutputStream().write(content);
      assertEquals(200, RawS3.readReply(in, false).status());
    }
    assertArrayEquals(content, s3.getObjectAsBytes(b -> b.bucket(bucket).key("k")).asByteArray());
  }

  @Test
  void answersPipelinedRequestsInOrder() throws Exception {
    String bucket = newBucket();
    byte[] large = bytes(3 * MIB, 8);
    s3.putObject(b -> b.bucket(bucket).key("large"), RequestBody.fromBytes(large));
    java.io.ByteArrayOutputStream wire = new java.io.ByteArrayOutputStream();
    for (int i = 0; i < 20; i++) {
      RawS3.Call put = raw.call("PUT", "/" + bucket + "/k" + i).body("body " + i);
      put.sign();
      wire.writeBytes(put.wire());
      RawS3.Call get = raw.call("GET", "/" + bucket + "/" + (i % 5 == 0 ? "large" : "k" + i));
      get.sign();
      wire.writeBytes(get.wire());
    }
    try (java.net.Socket socket = raw.open()) {
      Thread sender =
          new Thread(
              () -> {
                try {
                  socket.getOutputStream().write(wire.toByteArray());
                } catch (IOException e) {
                  throw new IllegalStateException(e);
                }
              });
      sender.start();
      InputStream in = new java.io.BufferedInputStream(socket.getInputStream());
      for (int i = 0; i < 20; i++) {
        assertEquals(200, RawS3.readReply(in, false).status());
        RawS3.Reply got = RawS3.readReply(in, false);
        assertArrayEquals(
            i % 5 == 0 ? large : ("body " + i).getBytes(StandardCharsets.UTF_8), got.body());
      }
      sender.join();
    }
  }

  @Test
  void servesManyClientsAtOnce() throws Exception {
    String bucket = newBucket();
    ExecutorService threads = Executors.newFixedThreadPool(16);
    try {
      List<Callable<Boolean>> clients = new ArrayList<>();
      for (int i = 0; i < 64; i++) {
        int seed = i;
        clients.add(
            () -> {
              byte[] content = bytes(seed * 10_007, seed);
              String key = "c/" + seed;
              s3.putObject(
                  b -> b.bucket(bucket).key(key),
                  RequestBody.fromInputStream(new ByteArrayInputStream(content), content.length));
              return Arrays.equals(
                  content, s3.getObjectAsBytes(b -> b.bucket(bucket).key(key)).asByteArray());
            });
      }
      for (Future<Boolean> client : threads.invokeAll(clients)) {
        assertTrue(client.get());
      }
    } finally {
      threads.shutdownNow();
    }
  }
}
