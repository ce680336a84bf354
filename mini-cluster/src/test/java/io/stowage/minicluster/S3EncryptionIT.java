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

import io.stowage.s3.suite.S3ContractTest;
import io.stowage.s3.suite.S3EncryptionTest;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import software.amazon.awssdk.core.sync.RequestBody;
import software.amazon.awssdk.services.s3.model.ServerSideEncryption;

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
