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
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.ByteArrayOutputStream;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Base64;
import java.util.EnumMap;
import java.util.HexFormat;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import javax.crypto.Mac;
import javax.crypto.spec.SecretKeySpec;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import software.amazon.awssdk.core.ResponseBytes;
import software.amazon.awssdk.core.sync.RequestBody;
import software.amazon.awssdk.services.s3.model.BucketVersioningStatus;
import software.amazon.awssdk.services.s3.model.ChecksumMode;
import software.amazon.awssdk.services.s3.model.CompletedPart;
import software.amazon.awssdk.services.s3.model.CopyObjectRequest;
import software.amazon.awssdk.services.s3.model.CopyObjectResponse;
import software.amazon.awssdk.services.s3.model.CreateMultipartUploadRequest;
import software.amazon.awssdk.services.s3.model.CreateMultipartUploadResponse;
import software.amazon.awssdk.services.s3.model.GetObjectRequest;
import software.amazon.awssdk.services.s3.model.GetObjectResponse;
import software.amazon.awssdk.services.s3.model.HeadObjectRequest;
import software.amazon.awssdk.services.s3.model.HeadObjectResponse;
import software.amazon.awssdk.services.s3.model.ObjectAttributes;
import software.amazon.awssdk.services.s3.model.PutObjectRequest;
import software.amazon.awssdk.services.s3.model.PutObjectResponse;
import software.amazon.awssdk.services.s3.model.ServerSideEncryption;
import software.amazon.awssdk.services.s3.model.ServerSideEncryptionByDefault;
import software.amazon.awssdk.services.s3.model.ServerSideEncryptionRule;
import software.amazon.awssdk.services.s3.model.Tag;
import software.amazon.awssdk.services.s3.model.UploadPartCopyRequest;
import software.amazon.awssdk.services.s3.model.UploadPartCopyResponse;
import software.amazon.awssdk.services.s3.model.UploadPartRequest;

/**
 * SSE-C, SSE-S3, SSE-KMS and buckets' defaults, as Amazon S3 documents them. The target has a key
 * service whose default key is {@code stowage-kms}, and takes SSE-C over plain HTTP from loopback.
 */
public abstract class S3EncryptionTest extends S3Suite {
  private static final int PACKET = 64 << 10;
  private static final int PART = 5 << 20;
  private static final String KEY_ARN = "arn:aws:kms:us-east-1:111122223333:key/stowage-kms";

  protected final String newBucket() {
    return newBucket("sse", b -> {});
  }

  private static byte[] md5(byte[] bytes) {
    try {
      return MessageDigest.getInstance("MD5").digest(bytes);
    } catch (NoSuchAlgorithmException e) {
      throw new IllegalStateException(e);
    }
  }

  private static String etag(byte[] bytes) {
    return '"' + HexFormat.of().formatHex(md5(bytes)) + '"';
  }

  /** A key as the headers of SSE-C carry it. */
  private record ClientKey(String key, String md5) {
    static ClientKey of(int seed) {
      byte[] bytes = bytes(32, seed);
      return new ClientKey(
          Base64.getEncoder().encodeToString(bytes),
          Base64.getEncoder().encodeToString(S3EncryptionTest.md5(bytes)));
    }
  }

  private static final ClientKey ONE = ClientKey.of(1);
  private static final ClientKey OTHER = ClientKey.of(2);

  /** How an object may be kept, and what a client has to say for it. */
  private enum Mode {
    NONE,
    S3,
    KMS,
    CUSTOMER,
    OTHER_CUSTOMER;

    ClientKey key() {
      return switch (this) {
        case NONE, S3, KMS -> null;
        case CUSTOMER -> ONE;
        case OTHER_CUSTOMER -> OTHER;
      };
    }

    void put(PutObjectRequest.Builder b) {
      switch (this) {
        case NONE -> {}
        case S3 -> b.serverSideEncryption(ServerSideEncryption.AES256);
        case KMS -> b.serverSideEncryption(ServerSideEncryption.AWS_KMS).ssekmsKeyId(KEY_ARN);
        case CUSTOMER, OTHER_CUSTOMER ->
            b.sseCustomerAlgorithm("AES256").sseCustomerKey(key().key).sseCustomerKeyMD5(key().md5);
      }
    }

    void create(CreateMultipartUploadRequest.Builder b) {
      switch (this) {
        case NONE -> {}
        case S3 -> b.serverSideEncryption(ServerSideEncryption.AES256);
        case KMS -> b.serverSideEncryption(ServerSideEncryption.AWS_KMS).ssekmsKeyId(KEY_ARN);
        case CUSTOMER, OTHER_CUSTOMER ->
            b.sseCustomerAlgorithm("AES256").sseCustomerKey(key().key).sseCustomerKeyMD5(key().md5);
      }
    }

    void copyTo(CopyObjectRequest.Builder b) {
      switch (this) {
        case NONE -> {}
        case S3 -> b.serverSideEncryption(ServerSideEncryption.AES256);
        case KMS -> b.serverSideEncryption(ServerSideEncryption.AWS_KMS).ssekmsKeyId(KEY_ARN);
        case CUSTOMER, OTHER_CUSTOMER ->
            b.sseCustomerAlgorithm("AES256").sseCustomerKey(key().key).sseCustomerKeyMD5(key().md5);
      }
    }

    void copyFrom(CopyObjectRequest.Builder b) {
      if (key() != null) {
        b.copySourceSSECustomerAlgorithm("AES256")
            .copySourceSSECustomerKey(key().key)
            .copySourceSSECustomerKeyMD5(key().md5);
      }
    }

    void part(UploadPartRequest.Builder b) {
      if (key() != null) {
        b.sseCustomerAlgorithm("AES256").sseCustomerKey(key().key).sseCustomerKeyMD5(key().md5);
      }
    }

    void partCopy(UploadPartCopyRequest.Builder b, Mode from) {
      if (key() != null) {
        b.sseCustomerAlgorithm("AES256").sseCustomerKey(key().key).sseCustomerKeyMD5(key().md5);
      }
      if (from.key() != null) {
        b.copySourceSSECustomerAlgorithm("AES256")
            .copySourceSSECustomerKey(from.key().key)
            .copySourceSSECustomerKeyMD5(from.key().md5);
      }
    }

    void get(GetObjectRequest.Builder b) {
      if (key() != null) {
        b.sseCustomerAlgorithm("AES256").sseCustomerKey(key().key).sseCustomerKeyMD5(key().md5);
      }
    }

    void head(HeadObjectRequest.Builder b) {
      if (key() != null) {
        b.sseCustomerAlgorithm("AES256").sseCustomerKey(key().key).sseCustomerKeyMD5(key().md5);
      }
    }

    boolean keepsMd5() {
      return this == NONE || this == S3;
    }
  }

  private PutObjectResponse put(String bucket, String key, Mode mode, byte[] content) {
    return s3.putObject(
        b -> {
          b.bucket(bucket).key(key);
          mode.put(b);
        },
        RequestBody.fromBytes(content));
  }

  private ResponseBytes<GetObjectResponse> get(String bucket, String key, Mode mode, String range) {
    return s3.getObjectAsBytes(
        b -> {
          b.bucket(bucket).key(key).range(range);
          if (range == null) {
            b.checksumMode(ChecksumMode.ENABLED);
          }
          mode.get(b);
        });
  }

  private HeadObjectResponse head(String bucket, String key, Mode mode) {
    return s3.headObject(
        b -> {
          b.bucket(bucket).key(key).checksumMode(ChecksumMode.ENABLED);
          mode.head(b);
        });
  }

  private static void says(
      Mode mode,
      ServerSideEncryption encryption,
      String keyId,
      String customerAlgorithm,
      String customerMd5) {
    switch (mode) {
      case NONE -> assertNull(encryption);
      case S3 -> assertEquals(ServerSideEncryption.AES256, encryption);
      case KMS -> assertEquals(ServerSideEncryption.AWS_KMS, encryption);
      case CUSTOMER, OTHER_CUSTOMER -> assertNull(encryption);
    }
    assertEquals(mode == Mode.KMS ? KEY_ARN : null, keyId);
    assertEquals(mode.key() == null ? null : "AES256", customerAlgorithm);
    assertEquals(mode.key() == null ? null : mode.key().md5, customerMd5);
  }

  private static void says(Mode mode, GetObjectResponse got) {
    says(
        mode,
        got.serverSideEncryption(),
        got.ssekmsKeyId(),
        got.sseCustomerAlgorithm(),
        got.sseCustomerKeyMD5());
  }

  private static void says(Mode mode, HeadObjectResponse head) {
    says(
        mode,
        head.serverSideEncryption(),
        head.ssekmsKeyId(),
        head.sseCustomerAlgorithm(),
        head.sseCustomerKeyMD5());
  }

  @ParameterizedTest
  @EnumSource(Mode.class)
  void givesBackWhatWasPutAndSaysHowItIsKept(Mode mode) {
    String bucket = newBucket();
    for (int size : new int[] {0, 1, PACKET - 1, PACKET, PACKET + 1, 300_000, (2 << 20) + 5}) {
      byte[] content = bytes(size, size);
      PutObjectResponse put = put(bucket, "k", mode, content);
      assertEquals(mode.keepsMd5(), put.eTag().equals(etag(content)));
      says(
          mode,
          put.serverSideEncryption(),
          put.ssekmsKeyId(),
          put.sseCustomerAlgorithm(),
          put.sseCustomerKeyMD5());
      ResponseBytes<GetObjectResponse> got = get(bucket, "k", mode, null);
      assertArrayEquals(content, got.asByteArrayUnsafe());
      says(mode, got.response());
      HeadObjectResponse head = head(bucket, "k", mode);
      says(mode, head);
      assertEquals(size, head.contentLength());
      assertEquals(put.eTag(), head.eTag());
      assertEquals(put.checksumCRC32(), head.checksumCRC32());
    }
    assertEquals((2 << 20) + 5, s3.listObjectsV2(b -> b.bucket(bucket)).contents().get(0).size());
  }

  @ParameterizedTest
  @EnumSource(Mode.class)
  void rangesAtThePacketsBorders(Mode mode) {
    String bucket = newBucket();
    byte[] content = bytes((2 << 20) + 17, 4);
    put(bucket, "k", mode, content);
    int[][] ranges = {
      {0, 1},
      {PACKET - 1, 1},
      {PACKET - 1, 2},
      {PACKET, PACKET},
      {1, 3 * PACKET},
      {5 * PACKET + 100, (1 << 20) + 1},
      {content.length - 17, 17},
      {content.length - 18, 18},
      {3, content.length - 4}
    };
    for (int[] range : ranges) {
      int last = range[0] + range[1] - 1;
      ResponseBytes<GetObjectResponse> got =
          get(bucket, "k", mode, "bytes=" + range[0] + "-" + last);
      assertArrayEquals(
          Arrays.copyOfRange(content, range[0], last + 1),
          got.asByteArrayUnsafe(),
          () -> Arrays.toString(range));
      assertEquals(
          "bytes " + range[0] + "-" + last + "/" + content.length, got.response().contentRange());
    }
    assertArrayEquals(
        Arrays.copyOfRange(content, content.length - 100_000, content.length),
        get(bucket, "k", mode, "bytes=-100000").asByteArrayUnsafe());
  }

  @ParameterizedTest
  @EnumSource(Mode.class)
  void copiesBetweenAllModes(Mode from) {
    String bucket = newBucket();
    byte[] content = bytes(200_000, 9);
    put(bucket, "source", from, content);
    for (Mode to : Mode.values()) {
      CopyObjectResponse copied =
          s3.copyObject(
              b -> {
                b.sourceBucket(bucket).sourceKey("source");
                b.destinationBucket(bucket).destinationKey("to " + to);
                from.copyFrom(b);
                to.copyTo(b);
              });
      says(
          to,
          copied.serverSideEncryption(),
          copied.ssekmsKeyId(),
          copied.sseCustomerAlgorithm(),
          copied.sseCustomerKeyMD5());
      assertEquals(to.keepsMd5(), copied.copyObjectResult().eTag().equals(etag(content)));
      ResponseBytes<GetObjectResponse> got = get(bucket, "to " + to, to, null);
      assertArrayEquals(content, got.asByteArrayUnsafe());
      assertEquals(copied.copyObjectResult().eTag(), got.response().eTag());
      // Onto itself, with another encryption and nothing else.
      Mode then = to == Mode.S3 ? Mode.KMS : Mode.S3;
      s3.copyObject(
          b -> {
            b.sourceBucket(bucket).sourceKey("to " + to);
            b.destinationBucket(bucket).destinationKey("to " + to);
            to.copyFrom(b);
            then.copyTo(b);
          });
      assertArrayEquals(content, get(bucket, "to " + to, then, null).asByteArrayUnsafe());
    }
    fails(400, "InvalidRequest", () -> copy(bucket, "source", bucket, "source"));
  }

  @Test
  void aCopyNeedsTheSourcesKey() {
    String bucket = newBucket();
    put(bucket, "source", Mode.CUSTOMER, bytes(100, 1));
    put(bucket, "plain", Mode.NONE, bytes(100, 1));
    fails(400, "InvalidRequest", () -> copyWith(bucket, "source", Mode.NONE));
    fails(403, "AccessDenied", () -> copyWith(bucket, "source", Mode.OTHER_CUSTOMER));
    fails(400, "InvalidRequest", () -> copyWith(bucket, "plain", Mode.CUSTOMER));
    copyWith(bucket, "source", Mode.CUSTOMER);
  }

  private void copyWith(String bucket, String source, Mode key) {
    s3.copyObject(
        b -> {
          b.sourceBucket(bucket).sourceKey(source);
          b.destinationBucket(bucket).destinationKey("copy");
          key.copyFrom(b);
        });
  }

  @ParameterizedTest
  @EnumSource(
      value = Mode.class,
      names = {"S3", "KMS", "CUSTOMER"})
  void uploadsByPartsAreReadAcrossTheirBorders(Mode mode) {
    String bucket = newBucket();
    byte[] content = bytes(2 * PART + 100 + 70_000, 5);
    byte[] other = bytes(PART + 100_000, 6);
    put(bucket, "other", Mode.OTHER_CUSTOMER, other);
    System.arraycopy(other, 12_345, content, PART, PART + 100);
    CreateMultipartUploadResponse created =
        s3.createMultipartUpload(
            b -> {
              b.bucket(bucket).key("k");
              mode.create(b);
            });
    says(
        mode,
        created.serverSideEncryption(),
        created.ssekmsKeyId(),
        created.sseCustomerAlgorithm(),
        created.sseCustomerKeyMD5());
    String id = created.uploadId();
    List<CompletedPart> parts = new ArrayList<>();
    // The first part twice: what counts is the second, and both were encrypted.
    uploadPart(bucket, id, 1, mode, bytes(PART, 99));
    parts.add(part(1, uploadPart(bucket, id, 1, mode, Arrays.copyOf(content, PART))));
    parts.add(
        part(
            2,
            s3.uploadPartCopy(
                    b -> {
                      b.sourceBucket(bucket).sourceKey("other");
                      b.destinationBucket(bucket).destinationKey("k");
                      b.uploadId(id).partNumber(2);
                      b.copySourceRange("bytes=12345-" + (12_345 + PART + 99));
                      mode.partCopy(b, Mode.OTHER_CUSTOMER);
                    })
                .copyPartResult()
                .eTag()));
    byte[] end = Arrays.copyOfRange(content, 2 * PART + 100, content.length);
    parts.add(part(7, uploadPart(bucket, id, 7, mode, end)));
    s3.completeMultipartUpload(
        b -> b.bucket(bucket).key("k").uploadId(id).multipartUpload(m -> m.parts(parts)));
    ResponseBytes<GetObjectResponse> got = get(bucket, "k", mode, null);
    assertArrayEquals(content, got.asByteArrayUnsafe());
    assertTrue(got.response().eTag().endsWith("-3\""));
    int[][] ranges = {
      {PART - 1, 2},
      {PART - 100_000, 200_000},
      {PART, PART + 100},
      {PART + 1, PART + 100},
      {2 * PART + 99, 70_001},
      {content.length - 1, 1}
    };
    for (int[] range : ranges) {
      int last = range[0] + range[1] - 1;
      assertArrayEquals(
          Arrays.copyOfRange(content, range[0], last + 1),
          get(bucket, "k", mode, "bytes=" + range[0] + "-" + last).asByteArrayUnsafe(),
          () -> Arrays.toString(range));
    }
    ResponseBytes<GetObjectResponse> second =
        s3.getObjectAsBytes(
            b -> {
              b.bucket(bucket).key("k").partNumber(2);
              mode.get(b);
            });
    assertArrayEquals(
        Arrays.copyOfRange(content, PART, 2 * PART + 100), second.asByteArrayUnsafe());
  }

  private String uploadPart(String bucket, String id, int number, Mode mode, byte[] content) {
    String tag =
        s3.uploadPart(
                b -> {
                  b.bucket(bucket).key("k").uploadId(id).partNumber(number);
                  mode.part(b);
                },
                RequestBody.fromBytes(content))
            .eTag();
    assertEquals(mode.keepsMd5(), tag.equals(etag(content)));
    return tag;
  }

  private static CompletedPart part(int number, String etag) {
    return CompletedPart.builder().partNumber(number).eTag(etag).build();
  }

  @Test
  void partsNeedTheKeyOfTheirUpload() {
    String bucket = newBucket();
    String hidden =
        s3.createMultipartUpload(
                b -> {
                  b.bucket(bucket).key("k");
                  Mode.CUSTOMER.create(b);
                })
            .uploadId();
    byte[] some = bytes(10, 1);
    // This client reads no document where it waited for 100 and was refused.
    fails(400, null, () -> uploadPart(bucket, hidden, 1, Mode.NONE, some));
    fails(400, null, () -> uploadPart(bucket, hidden, 1, Mode.OTHER_CUSTOMER, some));
    String open = s3.createMultipartUpload(b -> b.bucket(bucket).key("k")).uploadId();
    fails(400, null, () -> uploadPart(bucket, open, 1, Mode.CUSTOMER, some));
  }

  @Test
  void aWrongOrMissingKeyIsAnsweredAsByAmazon() {
    String bucket = newBucket();
    put(bucket, "hidden", Mode.CUSTOMER, bytes(1000, 1));
    put(bucket, "plain", Mode.NONE, bytes(1000, 1));
    put(bucket, "s3", Mode.S3, bytes(1000, 1));
    fails(400, "InvalidRequest", () -> get(bucket, "hidden", Mode.NONE, null));
    fails(403, "AccessDenied", () -> get(bucket, "hidden", Mode.OTHER_CUSTOMER, null));
    fails(400, null, () -> head(bucket, "hidden", Mode.NONE));
    fails(403, null, () -> head(bucket, "hidden", Mode.OTHER_CUSTOMER));
    fails(400, "InvalidRequest", () -> get(bucket, "plain", Mode.CUSTOMER, null));
    fails(400, "InvalidRequest", () -> get(bucket, "s3", Mode.CUSTOMER, null));
    fails(
        400,
        "InvalidRequest",
        () ->
            s3.getObjectAttributes(
                b ->
                    b.bucket(bucket).key("hidden").objectAttributes(ObjectAttributes.OBJECT_SIZE)));
    assertEquals(
        1000,
        s3.getObjectAttributes(
                b ->
                    b.bucket(bucket)
                        .key("hidden")
                        .sseCustomerAlgorithm("AES256")
                        .sseCustomerKey(ONE.key)
                        .sseCustomerKeyMD5(ONE.md5)
                        .objectAttributes(ObjectAttributes.OBJECT_SIZE))
            .objectSize());
  }

  @Test
  void headersThatDoNotFitTogetherAreRefused() throws Exception {
    String bucket = newBucket();
    String c = "x-amz-server-side-encryption-customer-";
    String sse = "x-amz-server-side-encryption";
    String short31 = Base64.getEncoder().encodeToString(new byte[31]);
    String[][] wrong = {
      {"InvalidArgument", c + "key", ONE.key, c + "key-MD5", ONE.md5},
      {"InvalidArgument", c + "algorithm", "AES256"},
      {"InvalidArgument", c + "algorithm", "AES256", c + "key-MD5", ONE.md5},
      {"InvalidArgument", c + "algorithm", "AES256", c + "key", ONE.key},
      {"InvalidArgument", c + "algorithm", "AES256", c + "key", ONE.key, c + "key-MD5", OTHER.md5},
      {
        "InvalidArgument",
        c + "algorithm",
        "AES256",
        c + "key",
        "not base64!",
        c + "key-MD5",
        ONE.md5
      },
      {"InvalidArgument", c + "algorithm", "AES256", c + "key", short31, c + "key-MD5", ONE.md5},
      {
        "InvalidEncryptionAlgorithmError",
        c + "algorithm",
        "AES128",
        c + "key",
        ONE.key,
        c + "key-MD5",
        ONE.md5
      },
      {
        "InvalidArgument",
        sse,
        "AES256",
        c + "algorithm",
        "AES256",
        c + "key",
        ONE.key,
        c + "key-MD5",
        ONE.md5
      },
      {"InvalidArgument", sse, "aes:kms"},
      {"InvalidArgument", sse, ""},
      {"InvalidArgument", sse + "-aws-kms-key-id", KEY_ARN},
      {"InvalidArgument", sse, "AES256", sse + "-aws-kms-key-id", KEY_ARN},
      {"InvalidArgument", sse, "aws:kms", sse + "-context", "no base64!"},
      {"InvalidArgument", sse, "aws:kms", sse + "-context", "WyJhIl0="},
      {"KMS.NotFoundException", sse, "aws:kms", sse + "-aws-kms-key-id", "nobody-has-it"},
      {"AccessDenied", sse, "aws:kms", sse + "-aws-kms-key-id", "stowage-s3"}
    };
    for (String[] headers : wrong) {
      RawS3.Reply answer =
          request("PUT", "/" + bucket + "/k", Arrays.copyOfRange(headers, 1, headers.length));
      String what = Arrays.toString(headers) + " " + answer.text();
      assertEquals(headers[0].equals("AccessDenied") ? 403 : 400, answer.status(), what);
      assertTrue(answer.text().contains("<Code>" + headers[0] + "</Code>"), what);
      assertTrue(!answer.text().contains(ONE.key), "an answer repeats the key");
    }
    put(bucket, "k", Mode.S3, bytes(10, 1));
    for (String method : List.of("GET", "HEAD")) {
      assertEquals(400, request(method, "/" + bucket + "/k", sse, "AES256").status());
      assertEquals(200, request(method, "/" + bucket + "/k").status());
    }
  }

  private RawS3.Reply request(String method, String path, String... headers) throws Exception {
    RawS3.Call call = raw.call(method, path);
    for (int i = 0; i < headers.length; i += 2) {
      call.header(headers[i].toLowerCase(Locale.ROOT), headers[i + 1]);
    }
    return call.send();
  }

  @Test
  void kmsKeysContextAndBucketKey() {
    String bucket = newBucket();
    String context =
        Base64.getEncoder().encodeToString("{\"a\":\"b\"}".getBytes(StandardCharsets.UTF_8));
    PutObjectResponse put =
        s3.putObject(
            b ->
                b.bucket(bucket)
                    .key("k")
                    .serverSideEncryption(ServerSideEncryption.AWS_KMS)
                    .ssekmsEncryptionContext(context)
                    .bucketKeyEnabled(true),
            RequestBody.fromString("text"));
    assertEquals("stowage-kms", put.ssekmsKeyId());
    assertEquals(context, put.ssekmsEncryptionContext());
    assertEquals(true, put.bucketKeyEnabled());
    ResponseBytes<GetObjectResponse> got = get(bucket, "k", Mode.NONE, null);
    assertEquals("text", got.asUtf8String());
    assertEquals(true, got.response().bucketKeyEnabled());
    assertEquals("stowage-kms", got.response().ssekmsKeyId());
    PutObjectResponse again =
        s3.putObject(
            b ->
                b.bucket(bucket)
                    .key("k")
                    .serverSideEncryption(ServerSideEncryption.AWS_KMS)
                    .ssekmsKeyId("alias/aws/s3"),
            RequestBody.fromString("text"));
    assertEquals("alias/aws/s3", again.ssekmsKeyId());
    assertNotEquals(put.eTag(), again.eTag(), "equal bytes must not look equal");
    assertEquals("text", get(bucket, "k", Mode.NONE, null).asUtf8String());
  }

  @Test
  void aBucketsDefaultHoldsForWhoSaysNothing() {
    String bucket = newBucket();
    fails(
        404,
        "ServerSideEncryptionConfigurationNotFoundError",
        () -> s3.getBucketEncryption(b -> b.bucket(bucket)));
    put(bucket, "before", Mode.NONE, bytes(10, 1));
    setDefault(bucket, ServerSideEncryption.AES256, null, false);
    assertEquals(
        ServerSideEncryption.AES256,
        s3.getBucketEncryption(b -> b.bucket(bucket))
            .serverSideEncryptionConfiguration()
            .rules()
            .get(0)
            .applyServerSideEncryptionByDefault()
            .sseAlgorithm());
    String id = s3.createMultipartUpload(b -> b.bucket(bucket).key("k")).uploadId();
    setDefault(bucket, ServerSideEncryption.AWS_KMS, KEY_ARN, true);
    byte[] part = bytes(100_000, 3);
    s3.completeMultipartUpload(
        b ->
            b.bucket(bucket)
                .key("k")
                .uploadId(id)
                .multipartUpload(
                    m ->
                        m.parts(
                            part(
                                1,
                                s3.uploadPart(
                                        p -> p.bucket(bucket).key("k").uploadId(id).partNumber(1),
                                        RequestBody.fromBytes(part))
                                    .eTag()))));
    assertEquals(
        ServerSideEncryption.AES256,
        head(bucket, "k", Mode.NONE).serverSideEncryption(),
        "an upload keeps the mode that it began with");
    assertArrayEquals(part, get(bucket, "k", Mode.NONE, null).asByteArrayUnsafe());
    PutObjectResponse put = put(bucket, "kms", Mode.NONE, part);
    assertEquals(ServerSideEncryption.AWS_KMS, put.serverSideEncryption());
    assertEquals(KEY_ARN, put.ssekmsKeyId());
    assertEquals(true, put.bucketKeyEnabled());
    assertEquals(
        ServerSideEncryption.AES256, put(bucket, "s3", Mode.S3, part).serverSideEncryption());
    assertEquals(ONE.md5, put(bucket, "c", Mode.CUSTOMER, part).sseCustomerKeyMD5());
    s3.copyObject(
        b ->
            b.sourceBucket(bucket)
                .sourceKey("before")
                .destinationBucket(bucket)
                .destinationKey("after"));
    assertEquals(
        ServerSideEncryption.AWS_KMS, head(bucket, "after", Mode.NONE).serverSideEncryption());
    s3.deleteBucketEncryption(b -> b.bucket(bucket));
    assertNull(put(bucket, "k2", Mode.NONE, part).serverSideEncryption());
    assertNull(head(bucket, "before", Mode.NONE).serverSideEncryption());
  }

  @Test
  void aDefaultThatCannotBeIsRefused() throws Exception {
    String bucket = newBucket();
    fails(
        400,
        "InvalidArgument",
        () -> setDefault(bucket, ServerSideEncryption.AES256, KEY_ARN, false));
    fails(
        400,
        "MalformedXML",
        () -> setDefault(bucket, ServerSideEncryption.fromValue("DES"), null, false));
    fails(
        400,
        "MalformedXML",
        () ->
            s3.putBucketEncryption(
                b -> b.bucket(bucket).serverSideEncryptionConfiguration(c -> c.rules(List.of()))));
    s3.deleteBucketEncryption(b -> b.bucket(bucket));
  }

  @Test
  void keysOfClientsCanBeBlocked() throws Exception {
    String bucket = newBucket();
    byte[] content = bytes(1000, 1);
    put(bucket, "before", Mode.CUSTOMER, content);
    block(bucket, "SSE-C");
    assertEquals("SSE-C", request("GET", "/" + bucket + "?encryption=").element("EncryptionType"));
    fails(403, "AccessDenied", () -> put(bucket, "k", Mode.CUSTOMER, content));
    fails(
        403,
        "AccessDenied",
        () ->
            s3.createMultipartUpload(
                b -> {
                  b.bucket(bucket).key("k");
                  Mode.CUSTOMER.create(b);
                }));
    fails(
        403,
        "AccessDenied",
        () ->
            s3.copyObject(
                b -> {
                  b.sourceBucket(bucket).sourceKey("before");
                  b.destinationBucket(bucket).destinationKey("k");
                  Mode.CUSTOMER.copyFrom(b);
                  Mode.CUSTOMER.copyTo(b);
                }));
    put(bucket, "k", Mode.NONE, content);
    assertNull(head(bucket, "k", Mode.NONE).serverSideEncryption(), "blocking is no default");
    assertArrayEquals(content, get(bucket, "before", Mode.CUSTOMER, null).asByteArray());
    block(bucket, "NONE");
    put(bucket, "k", Mode.CUSTOMER, content);
  }

  private void block(String bucket, String type) throws Exception {
    RawS3.Reply reply =
        raw.call("PUT", "/" + bucket + "?encryption=")
            .body(
                "<ServerSideEncryptionConfiguration><Rule><BlockedEncryptionTypes><EncryptionType>"
                    + type
                    + "</EncryptionType></BlockedEncryptionTypes></Rule>"
                    + "</ServerSideEncryptionConfiguration>")
            .send();
    assertEquals(200, reply.status(), reply.text());
  }

  protected final void setDefault(
      String bucket, ServerSideEncryption algorithm, String keyId, boolean bucketKey) {
    s3.putBucketEncryption(
        b ->
            b.bucket(bucket)
                .serverSideEncryptionConfiguration(
                    c ->
                        c.rules(
                            ServerSideEncryptionRule.builder()
                                .bucketKeyEnabled(bucketKey ? true : null)
                                .applyServerSideEncryptionByDefault(
                                    ServerSideEncryptionByDefault.builder()
                                        .sseAlgorithm(algorithm)
                                        .kmsMasterKeyID(keyId)
                                        .build())
                                .build())));
  }

  @Test
  void changesOfTagsLeaveTheEnvelope() {
    String bucket = newBucket();
    byte[] content = bytes(1000, 1);
    for (Mode mode : Mode.values()) {
      put(bucket, "k", mode, content);
      s3.putObjectTagging(
          b ->
              b.bucket(bucket)
                  .key("k")
                  .tagging(t -> t.tagSet(List.of(Tag.builder().key("a").value("b").build()))));
      assertArrayEquals(content, get(bucket, "k", mode, null).asByteArrayUnsafe());
    }
  }

  private static byte[] ofMode(Mode mode) {
    return bytes(70_000, mode.name().hashCode());
  }

  @Test
  void everyVersionIsReadCopiedAndChangedUnderItsOwnKey() {
    String bucket = newBucket();
    s3.putBucketVersioning(
        b ->
            b.bucket(bucket)
                .versioningConfiguration(v -> v.status(BucketVersioningStatus.ENABLED)));
    Map<Mode, String> ids = new EnumMap<>(Mode.class);
    for (Mode mode : Mode.values()) {
      ids.put(mode, put(bucket, "k", mode, ofMode(mode)).versionId());
    }
    for (Mode mode : Mode.values()) {
      byte[] content = ofMode(mode);
      String id = ids.get(mode);
      ResponseBytes<GetObjectResponse> got =
          s3.getObjectAsBytes(
              b -> {
                b.bucket(bucket).key("k").versionId(id).range("bytes=65000-66999");
                mode.get(b);
              });
      assertArrayEquals(Arrays.copyOfRange(content, 65_000, 67_000), got.asByteArrayUnsafe());
      assertEquals(id, got.response().versionId());
      HeadObjectResponse head =
          s3.headObject(
              b -> {
                b.bucket(bucket).key("k").versionId(id);
                mode.head(b);
              });
      says(mode, head);
      s3.putObjectTagging(
          b ->
              b.bucket(bucket)
                  .key("k")
                  .versionId(id)
                  .tagging(t -> t.tagSet(List.of(Tag.builder().key("a").value("b").build()))));
      CopyObjectResponse copied =
          s3.copyObject(
              b -> {
                b.sourceBucket(bucket).sourceKey("k").sourceVersionId(id);
                b.destinationBucket(bucket).destinationKey("copy");
                mode.copyFrom(b);
                Mode.KMS.copyTo(b);
              });
      assertEquals(id, copied.copySourceVersionId());
      assertArrayEquals(content, get(bucket, "copy", Mode.KMS, null).asByteArrayUnsafe());
    }
    // The key of another version is a wrong key, whatever the current version is.
    String hidden = ids.get(Mode.CUSTOMER);
    fails(
        403,
        "AccessDenied",
        () ->
            s3.getObjectAsBytes(
                b -> {
                  b.bucket(bucket).key("k").versionId(hidden);
                  Mode.OTHER_CUSTOMER.get(b);
                }));
    fails(
        400,
        "InvalidRequest",
        () -> s3.getObjectAsBytes(b -> b.bucket(bucket).key("k").versionId(hidden)));
  }

  @ParameterizedTest
  @EnumSource(Mode.class)
  void partsAreCopiedBetweenAllModes(Mode from) {
    String bucket = newBucket();
    byte[] content = bytes(3 * PACKET + 77, 21);
    put(bucket, "source", from, content);
    for (Mode to : Mode.values()) {
      String id =
          s3.createMultipartUpload(
                  b -> {
                    b.bucket(bucket).key("k");
                    to.create(b);
                  })
              .uploadId();
      int first = PACKET - 3;
      int last = 2 * PACKET + 5;
      UploadPartCopyResponse copied =
          s3.uploadPartCopy(
              b -> {
                b.sourceBucket(bucket).sourceKey("source");
                b.destinationBucket(bucket).destinationKey("k");
                b.uploadId(id).partNumber(1).copySourceRange("bytes=" + first + "-" + last);
                to.partCopy(b, from);
              });
      says(
          to == Mode.KMS ? Mode.NONE : to, // its key id is told by the upload
          to == Mode.KMS ? null : copied.serverSideEncryption(),
          null,
          copied.sseCustomerAlgorithm(),
          copied.sseCustomerKeyMD5());
      s3.completeMultipartUpload(
          b ->
              b.bucket(bucket)
                  .key("k")
                  .uploadId(id)
                  .multipartUpload(m -> m.parts(part(1, copied.copyPartResult().eTag()))));
      assertArrayEquals(
          Arrays.copyOfRange(content, first, last + 1),
          get(bucket, "k", to, null).asByteArrayUnsafe(),
          () -> from + " to " + to);
    }
  }

  @Test
  void formsAreEncryptedAsTheirFieldsOrTheBucketSay() throws Exception {
    String bucket = newBucket();
    String sse = "x-amz-server-side-encryption";
    String c = sse + "-customer-";
    byte[] content = bytes(70_000, 31);
    form(204, bucket, "none", content);
    form(204, bucket, "s3", content, sse, "AES256");
    form(204, bucket, "kms", content, sse, "aws:kms", sse + "-aws-kms-key-id", KEY_ARN);
    String[] customer = {c + "algorithm", "AES256", c + "key", ONE.key, c + "key-MD5", ONE.md5};
    form(204, bucket, "customer", content, customer);
    form(400, bucket, "wrong", content, sse, "aes256");
    form(400, bucket, "wrong", content, c + "algorithm", "AES256", c + "key", ONE.key);
    setDefault(bucket, ServerSideEncryption.AES256, null, false);
    form(204, bucket, "default", content);
    Object[][] expected = {
      {"none", Mode.NONE},
      {"s3", Mode.S3},
      {"kms", Mode.KMS},
      {"customer", Mode.CUSTOMER},
      {"default", Mode.S3}
    };
    for (Object[] each : expected) {
      Mode mode = (Mode) each[1];
      ResponseBytes<GetObjectResponse> got = get(bucket, (String) each[0], mode, null);
      assertArrayEquals(content, got.asByteArrayUnsafe());
      says(mode, got.response());
    }
    fails(404, "NoSuchKey", () -> s3.getObjectAsBytes(b -> b.bucket(bucket).key("wrong")));
  }

  /** Posts a form whose policy allows exactly its fields. */
  protected final void form(int status, String bucket, String key, byte[] content, String... more)
      throws Exception {
    StringBuilder conditions = new StringBuilder("{\"bucket\": \"" + bucket + "\"}");
    StringBuilder fields = new StringBuilder();
    String[] all = Arrays.copyOf(new String[] {"key", key}, 2 + more.length);
    System.arraycopy(more, 0, all, 2, more.length);
    for (int i = 0; i < all.length; i += 2) {
      conditions.append(", [\"eq\", \"$").append(all[i]).append("\", \"");
      conditions.append(all[i + 1]).append("\"]");
      fields.append(field(all[i], all[i + 1]));
    }
    String policy =
        Base64.getEncoder()
            .encodeToString(
                ("{\"expiration\": \""
                        + Instant.now().plusSeconds(600)
                        + "\", \"conditions\": ["
                        + conditions
                        + "]}")
                    .getBytes(StandardCharsets.UTF_8));
    Mac mac = Mac.getInstance("HmacSHA1");
    mac.init(new SecretKeySpec(target.secretKey().getBytes(StandardCharsets.UTF_8), "HmacSHA1"));
    byte[] signature = mac.doFinal(policy.getBytes(StandardCharsets.UTF_8));
    fields.append(field("AWSAccessKeyId", target.accessKey()));
    fields.append(field("signature", Base64.getEncoder().encodeToString(signature)));
    fields.append(field("policy", policy));
    ByteArrayOutputStream body = new ByteArrayOutputStream();
    body.writeBytes(fields.toString().getBytes(StandardCharsets.UTF_8));
    body.writeBytes(
        "--b0\r\nContent-Disposition: form-data; name=\"file\"; filename=\"f\"\r\n\r\n"
            .getBytes(StandardCharsets.UTF_8));
    body.writeBytes(content);
    body.writeBytes("\r\n--b0--\r\n".getBytes(StandardCharsets.UTF_8));
    RawS3.Reply reply =
        raw.call("POST", "/" + bucket)
            .header("content-type", "multipart/form-data; boundary=b0")
            .body(body.toByteArray())
            .sendAsIs();
    assertEquals(status, reply.status(), reply.text());
  }

  private static String field(String name, String value) {
    return "--b0\r\nContent-Disposition: form-data; name=\"" + name + "\"\r\n\r\n" + value + "\r\n";
  }
}
