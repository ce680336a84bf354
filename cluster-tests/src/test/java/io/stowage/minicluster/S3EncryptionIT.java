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

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.stowage.common.conf.Keys;
import io.stowage.common.id.WriteId;
import io.stowage.common.om.ObjectManager;
import io.stowage.common.proto.CreateUserRequest;
import io.stowage.common.proto.EntityKind;
import io.stowage.common.proto.GetEntityRequest;
import io.stowage.common.proto.GetSecretReply;
import io.stowage.common.proto.GetSecretRequest;
import io.stowage.common.proto.RevokeSecretRequest;
import io.stowage.common.proto.User;
import io.stowage.s3.suite.RawS3;
import io.stowage.s3.suite.RawS3.Reply;
import io.stowage.s3.suite.S3EncryptionTest;
import io.stowage.s3.suite.S3Suite;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.time.Instant;
import java.util.Base64;
import java.util.List;
import java.util.Map;
import java.util.Queue;
import java.util.Random;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.stream.Stream;
import org.apache.hadoop.fs.FSDataInputStream;
import org.apache.hadoop.fs.FSDataOutputStream;
import org.apache.hadoop.fs.FileSystem;
import org.apache.hadoop.security.AccessControlException;
import org.apache.log4j.Appender;
import org.apache.log4j.AppenderSkeleton;
import org.apache.log4j.Level;
import org.apache.log4j.Logger;
import org.apache.log4j.spi.LoggingEvent;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import software.amazon.awssdk.core.ResponseBytes;
import software.amazon.awssdk.core.sync.RequestBody;
import software.amazon.awssdk.services.s3.model.CompletedPart;
import software.amazon.awssdk.services.s3.model.CreateMultipartUploadResponse;
import software.amazon.awssdk.services.s3.model.GetObjectResponse;
import software.amazon.awssdk.services.s3.model.ServerSideEncryption;
import software.amazon.awssdk.services.s3.model.Tag;
import software.amazon.awssdk.utils.Md5Utils;

/**
 * Encryption over the whole store, its keys in a keystore that the first start made; and what is
 * secret, looked for afterwards in all that was logged and in all files that are left.
 */
class S3EncryptionIT extends S3EncryptionTest {
  @TempDir static Path directory;

  /** All that this JVM logs while the cluster lives, ours at DEBUG. */
  private final Queue<String> logged = new ConcurrentLinkedQueue<>();

  /** What nobody may find. */
  private final SecretSearch secrets = new SecretSearch();

  private final Appender listening =
      new AppenderSkeleton() {
        @Override
        protected void append(LoggingEvent event) {
          String[] trace = event.getThrowableStrRep();
          logged.add(event.getRenderedMessage() + (trace == null ? "" : String.join("\n", trace)));
        }

        @Override
        public void close() {}

        @Override
        public boolean requiresLayout() {
          return false;
        }
      };

  private Level levelBefore;
  private MiniStowageCluster cluster;

  @Override
  protected S3Suite.Target startTarget() throws Exception {
    Logger.getRootLogger().addAppender(listening);
    Logger ours = Logger.getLogger("io.stowage");
    levelBefore = ours.getLevel();
    ours.setLevel(Level.DEBUG);
    cluster =
        MiniStowageCluster.builder()
            .directory(directory)
            .set(Keys.S3_AUDIT_FILE, auditLog().toString())
            .set(Keys.BUCKET_CACHE_AGE, "100ms") // settings of buckets are answered when it is over
            .start();
    return new S3Suite.Target(
        cluster.s3Endpoint(), cluster.accessKey(), cluster.secretKey(), "us-east-1");
  }

  private static Path auditLog() {
    return directory.resolve("audit.log");
  }

  @AfterAll
  void stop() throws IOException {
    cluster.close();
    Logger.getRootLogger().removeAppender(listening);
    Logger.getLogger("io.stowage").setLevel(levelBefore);
    assertTrue(secrets.known().size() >= 9, () -> "used: " + secrets.known());
    assertTrue(logged.size() > 20, () -> logged.size() + " lines were logged");
    String audit = Files.readString(auditLog());
    assertTrue(audit.contains("AKLOGGED"), "the audit log names the access key");
    logged.add(audit);
    secrets.assertNotInText(logged);
    // This cluster has no password for what is in HBase; disks have nothing secret anyway.
    List<Path> onDisks =
        files().stream()
            .filter(file -> directory.relativize(file).startsWith("datanode0"))
            .toList();
    assertFalse(onDisks.isEmpty(), () -> "no files of a disk in " + directory);
    secrets.assertNotInFiles(onDisks);
  }

  private String text(String what, String secret) {
    return secrets.add(what, secret);
  }

  private static Map<String, String> customerKey(byte[] key) throws Exception {
    Base64.Encoder base64 = Base64.getEncoder();
    return Map.of(
        "x-amz-server-side-encryption-customer-algorithm", "AES256",
        "x-amz-server-side-encryption-customer-key", base64.encodeToString(key),
        "x-amz-server-side-encryption-customer-key-md5",
            base64.encodeToString(MessageDigest.getInstance("MD5").digest(key)));
  }

  /** Whatever is secret, used rightly and wrongly; {@link #stop} looks where it went. */
  @Test
  void everySecretIsUsed() throws Exception {
    String bucket = newBucket();
    ObjectManager om = cluster.objectManager(0);
    String usersSecret = text("a user's secret", "a-users-secret-of-40-letters-and-digits0");
    var unused =
        om.createUser(
            CreateUserRequest.newBuilder()
                .setUser(User.newBuilder().setName("logged").setAdmin(true))
                .setAccessKey("AKLOGGED")
                .setSecretKey(usersSecret)
                .setWriteId(WriteId.random())
                .build());
    String another =
        text("another secret of the user", "another-secret-of-the-same-user-as-before");
    unused =
        om.createUser(
            CreateUserRequest.newBuilder()
                .setUser(User.newBuilder().setName("logged-too"))
                .setAccessKey("AKLOGGED2")
                .setSecretKey(another)
                .setWriteId(WriteId.random())
                .build());
    RawS3 user = new RawS3(target.endpoint(), "AKLOGGED", usersSecret, target.region());
    String object = "/" + bucket + "/object";
    assertEquals(200, user.call("PUT", object).body("content").send().status());
    assertEquals(
        "SignatureDoesNotMatch", user.call("GET", object).as("AKLOGGED", another).send().code());
    assertEquals("AccessDenied", user.call("GET", object).as("AKLOGGED2", another).send().code());

    // A Kerberos user's own.
    GetSecretReply own =
        om.getSecret(
            GetSecretRequest.newBuilder().setUser("alice").setWriteId(WriteId.random()).build());
    text("alice's own secret", own.getSecretKey());
    assertEquals(
        200, user.call("GET", "/").as(own.getAccessKey(), own.getSecretKey()).send().status());
    var unusedReply = om.revokeSecret(RevokeSecretRequest.newBuilder().setUser("alice").build());

    // Temporary credentials, and the key that seals them.
    Reply session =
        user.call("POST", "/")
            .scope(target.region(), "sts")
            .header("content-type", "application/x-www-form-urlencoded")
            .body("Action=GetSessionToken&Version=2011-06-15")
            .send();
    assertEquals(200, session.status(), session.text());
    String sessionKey = session.element("AccessKeyId");
    String sessionSecret = text("a session's secret", session.element("SecretAccessKey"));
    String token = text("a session's token", session.element("SessionToken"));
    assertEquals(
        200,
        user.call("GET", object)
            .header("x-amz-security-token", token)
            .as(sessionKey, sessionSecret)
            .send()
            .status());
    Reply forged =
        user.call("GET", object)
            .header(
                "x-amz-security-token",
                token.substring(0, 40)
                    + (token.charAt(40) == 'x' ? "y" : "x")
                    + token.substring(41))
            .as(sessionKey, sessionSecret)
            .send();
    assertEquals("InvalidToken", forged.code());
    secrets.add(
        "the key of sessions",
        om.getEntity(
                GetEntityRequest.newBuilder()
                    .setKind(EntityKind.SEALING_KEY)
                    .setName("sessions")
                    .build())
            .getEntity()
            .getSecret()
            .toByteArray());

    // Addresses that are good for whoever has them.
    String link = user.presign("GET", object, Instant.now(), "600");
    text("a presigned signature", link.substring(link.indexOf("Signature=") + 10));
    assertEquals("content", user.call("GET", link).sendAsIs().text());
    String late = user.presign("GET", object, Instant.now().minusSeconds(900), "600");
    assertEquals("AccessDenied", user.call("GET", late).sendAsIs().code());

    // Keys of clients.
    byte[] customers = new byte[32];
    byte[] wrong = new byte[32];
    new Random(7).nextBytes(customers);
    new Random(8).nextBytes(wrong);
    secrets.add("a client's key", customers);
    secrets.add("a client's wrong key", wrong);
    String sealed = "/" + bucket + "/sealed";
    assertEquals(200, with(user.call("PUT", sealed).body("x"), customers).send().status());
    assertEquals("x", with(user.call("GET", sealed), customers).send().text());
    assertEquals(403, with(user.call("GET", sealed), wrong).send().status());
  }

  private static RawS3.Call with(RawS3.Call call, byte[] key) throws Exception {
    customerKey(key).forEach(call::header);
    return call;
  }

  /** However it is written, moved and described, neither needles nor tables tell it. */
  @Test
  void filesHoldNoPlainTextHoweverItWasWritten() throws Exception {
    String bucket = newBucket();
    String content = "read by nobody who has the disks ";
    byte[] part = content.repeat(200_000).getBytes(StandardCharsets.US_ASCII);
    byte[] customers = new byte[32];
    new Random(9).nextBytes(customers);
    RawS3 raw =
        new RawS3(target.endpoint(), target.accessKey(), target.secretKey(), target.region());
    for (String mode : List.of("AES256", "aws:kms")) {
      String name = mode.substring(0, 3);
      s3.putObject(
          b -> b.bucket(bucket).key("small" + name).serverSideEncryption(mode),
          RequestBody.fromString(content.repeat(10)));
      upload(
          s3.createMultipartUpload(
              b -> b.bucket(bucket).key("large" + name).serverSideEncryption(mode)),
          part);
      // Moved, described anew, deleted: each tells needles of its own.
      s3.copyObject(
          b ->
              b.sourceBucket(bucket)
                  .sourceKey("small" + name)
                  .destinationBucket(bucket)
                  .destinationKey("copy" + name)
                  .serverSideEncryption(mode));
      s3.putObjectTagging(
          b ->
              b.bucket(bucket)
                  .key("small" + name)
                  .tagging(t -> t.tagSet(Tag.builder().key("a").value("b").build())));
      s3.deleteObject(b -> b.bucket(bucket).key("copy" + name));
      assertEquals(
          content.repeat(10),
          s3.getObjectAsBytes(b -> b.bucket(bucket).key("small" + name)).asUtf8String());
    }
    String own = "/" + bucket + "/own";
    assertEquals(
        200, with(raw.call("PUT", own).body(content.repeat(10)), customers).send().status());
    writeByDefault(bucket, content, customers);
    assertEquals(200, raw.call("PUT", "/" + newBucket() + "/open").body(OPEN).send().status());
    byte[] wanted = content.getBytes(StandardCharsets.US_ASCII);
    boolean found = false;
    for (Path file : files()) {
      byte[] bytes = Files.readAllBytes(file);
      assertFalse(contains(bytes, wanted), () -> "plain text in " + file);
      found |= contains(bytes, OPEN.getBytes(StandardCharsets.US_ASCII));
    }
    assertTrue(found, "what is not encrypted is found");
  }

  /** Each way to write that says nothing of encryption, into a bucket that encrypts by default. */
  private void writeByDefault(String source, String content, byte[] customers) throws Exception {
    String bucket = newBucket();
    setDefault(bucket, ServerSideEncryption.AES256, null, false);
    byte[] small = content.repeat(10).getBytes(StandardCharsets.US_ASCII);
    byte[] large = content.repeat(300_000).getBytes(StandardCharsets.US_ASCII); // several parts
    s3.putObject(b -> b.bucket(bucket).key("put"), RequestBody.fromBytes(small));
    upload(s3.createMultipartUpload(b -> b.bucket(bucket).key("uploaded")), large);
    String key = Base64.getEncoder().encodeToString(customers);
    s3.copyObject(
        b ->
            b.sourceBucket(source)
                .sourceKey("own")
                .copySourceSSECustomerAlgorithm("AES256")
                .copySourceSSECustomerKey(key)
                .copySourceSSECustomerKeyMD5(Md5Utils.md5AsBase64(customers))
                .destinationBucket(bucket)
                .destinationKey("copied"));
    String upload =
        s3.createMultipartUpload(b -> b.bucket(bucket).key("copied-by-part")).uploadId();
    String etag =
        s3.uploadPartCopy(
                b ->
                    b.sourceBucket(source)
                        .sourceKey("largeAES")
                        .destinationBucket(bucket)
                        .destinationKey("copied-by-part")
                        .uploadId(upload)
                        .partNumber(1))
            .copyPartResult()
            .eTag();
    complete(bucket, "copied-by-part", upload, etag);
    form(204, bucket, "posted", small);
    try (FileSystem files = cluster.fileSystem(bucket)) {
      for (byte[] bytes : List.of(small, large)) {
        try (FSDataOutputStream out =
            files.create(new org.apache.hadoop.fs.Path("/file-" + bytes.length))) {
          out.write(bytes);
        }
      }
    }
    for (String name : List.of("put", "copied", "posted", "file-" + small.length)) {
      assertArrayEquals(
          small, s3.getObjectAsBytes(b -> b.bucket(bucket).key(name)).asByteArrayUnsafe(), name);
    }
  }

  private void upload(CreateMultipartUploadResponse begun, byte[] part) {
    String etag =
        s3.uploadPart(
                b ->
                    b.bucket(begun.bucket())
                        .key(begun.key())
                        .uploadId(begun.uploadId())
                        .partNumber(1),
                RequestBody.fromBytes(part))
            .eTag();
    complete(begun.bucket(), begun.key(), begun.uploadId(), etag);
  }

  private void complete(String bucket, String key, String upload, String etag) {
    s3.completeMultipartUpload(
        b ->
            b.bucket(bucket)
                .key(key)
                .uploadId(upload)
                .multipartUpload(
                    m -> m.parts(CompletedPart.builder().partNumber(1).eTag(etag).build())));
  }

  private static final String OPEN = "what everybody may read who has the disks";

  /** All that the cluster wrote, HBase's tables and logs included, but its keystores. */
  private static List<Path> files() throws IOException {
    try (Stream<Path> all = Files.walk(directory)) {
      return all.filter(Files::isRegularFile)
          .filter(file -> !file.startsWith(directory.resolve("keys")))
          .filter(file -> !file.equals(auditLog()))
          .toList();
    }
  }

  @Test
  void disksHoldNoPlainTextOfWhatIsEncrypted() throws IOException {
    String bucket = newBucket();
    for (int copies : new int[] {10, 100_000}) {
      String open = "left as it is " + copies + ' ';
      String secret = "for nobody's eyes " + copies + ' ';
      s3.putObject(
          b -> b.bucket(bucket).key("open" + copies), RequestBody.fromString(open.repeat(copies)));
      s3.putObject(
          b ->
              b.bucket(bucket)
                  .key("secret" + copies)
                  .serverSideEncryption(ServerSideEncryption.AES256),
          RequestBody.fromString(secret.repeat(copies)));
      assertEquals(true, isOnDisks(open));
      assertEquals(false, isOnDisks(secret));
    }
  }

  /** The keystore is the gateway's own: who runs jobs on its machine, or a KMS has it, reads it. */
  @Test
  void hadoopAndS3ReadOneAnothersEncryptedFiles() throws IOException {
    String bucket = newBucket();
    byte[] small = TestContent.of("small", 3_000);
    byte[] large = TestContent.of("large", (4 << 20) + 77); // more than a stripe
    byte[] unhashed = TestContent.of("unhashed", (8 << 20) + 77); // of one part to S3
    ServerSideEncryption[] modes = {ServerSideEncryption.AES256, ServerSideEncryption.AWS_KMS};
    for (ServerSideEncryption mode : modes) {
      s3.putObject(
          b -> b.bucket(bucket).key("s3/" + mode).serverSideEncryption(mode),
          RequestBody.fromBytes(large));
    }
    byte[] key = TestContent.of("key", 32);
    s3.putObject(
        b ->
            b.bucket(bucket)
                .key("s3/customers")
                .sseCustomerAlgorithm("AES256")
                .sseCustomerKey(Base64.getEncoder().encodeToString(key))
                .sseCustomerKeyMD5(Md5Utils.md5AsBase64(key)),
        RequestBody.fromBytes(small));
    try (FileSystem files = cluster.fileSystem(bucket)) {
      for (ServerSideEncryption mode : modes) {
        assertArrayEquals(large, read(files, "/s3/" + mode));
      }
      IOException closed =
          assertThrows(AccessControlException.class, () -> read(files, "/s3/customers"));
      assertTrue(closed.getMessage().contains("SSE-C"), closed.getMessage());
    }
    for (ServerSideEncryption mode : modes) {
      setDefault(bucket, mode, null, false);
      try (FileSystem files = cluster.fileSystem(bucket)) {
        for (byte[] content : new byte[][] {small, large, unhashed, {}}) {
          String name = mode + "-" + content.length;
          try (FSDataOutputStream out =
              files.create(new org.apache.hadoop.fs.Path("/hadoop/" + name))) {
            out.write(content);
          }
          assertArrayEquals(content, read(files, "/hadoop/" + name));
          ResponseBytes<GetObjectResponse> got =
              s3.getObjectAsBytes(b -> b.bucket(bucket).key("hadoop/" + name));
          assertArrayEquals(content, got.asByteArrayUnsafe());
          assertEquals(mode, got.response().serverSideEncryption());
        }
      }
    }
    String secret = "nobody reads this from a disk ";
    try (FileSystem files = cluster.fileSystem(bucket);
        FSDataOutputStream out = files.create(new org.apache.hadoop.fs.Path("/secret"))) {
      out.write(secret.repeat(1000).getBytes(StandardCharsets.US_ASCII));
    }
    assertFalse(isOnDisks(secret));
  }

  private static byte[] read(FileSystem files, String path) throws IOException {
    try (FSDataInputStream in = files.open(new org.apache.hadoop.fs.Path(path))) {
      return in.readAllBytes();
    }
  }

  private static boolean isOnDisks(String text) throws IOException {
    byte[] wanted = text.getBytes(StandardCharsets.US_ASCII);
    List<Path> files;
    try (Stream<Path> all = Files.walk(directory)) {
      files = all.filter(Files::isRegularFile).toList();
    }
    for (Path file : files) {
      if (file.toString().endsWith(".shard") && contains(Files.readAllBytes(file), wanted)) {
        return true;
      }
    }
    return false;
  }

  private static boolean contains(byte[] all, byte[] wanted) {
    int matched = 0;
    for (byte one : all) {
      matched = one == wanted[matched] ? matched + 1 : one == wanted[0] ? 1 : 0;
      if (matched == wanted.length) {
        return true;
      }
    }
    return false;
  }
}
