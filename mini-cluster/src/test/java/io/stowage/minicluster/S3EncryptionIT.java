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

import io.stowage.s3.suite.S3ContractTest;
import io.stowage.s3.suite.S3EncryptionTest;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Base64;
import java.util.List;
import java.util.stream.Stream;
import org.apache.hadoop.fs.FSDataInputStream;
import org.apache.hadoop.fs.FSDataOutputStream;
import org.apache.hadoop.fs.FileSystem;
import org.apache.hadoop.security.AccessControlException;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import software.amazon.awssdk.core.ResponseBytes;
import software.amazon.awssdk.core.sync.RequestBody;
import software.amazon.awssdk.services.s3.model.GetObjectResponse;
import software.amazon.awssdk.services.s3.model.ServerSideEncryption;
import software.amazon.awssdk.services.s3.model.ServerSideEncryptionRule;
import software.amazon.awssdk.utils.Md5Utils;

/** Encryption over the whole store, its keys in a keystore that the first start made. */
class S3EncryptionIT extends S3EncryptionTest {
  @TempDir static Path directory;

  private MiniStowageCluster cluster;

  @Override
  protected S3ContractTest.Target startTarget() throws Exception {
    cluster = MiniStowageCluster.builder().directory(directory).start();
    return new S3ContractTest.Target(
        cluster.s3Endpoint(), cluster.accessKey(), cluster.secretKey(), "us-east-1");
  }

  @AfterAll
  void stop() {
    cluster.close();
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
    byte[] large = TestContent.of("large", (12 << 20) + 77);
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
      s3.putBucketEncryption(
          b ->
              b.bucket(bucket)
                  .serverSideEncryptionConfiguration(
                      c ->
                          c.rules(
                              ServerSideEncryptionRule.builder()
                                  .applyServerSideEncryptionByDefault(d -> d.sseAlgorithm(mode))
                                  .build())));
      try (FileSystem files = cluster.fileSystem(bucket)) {
        for (byte[] content : new byte[][] {small, large, {}}) {
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
