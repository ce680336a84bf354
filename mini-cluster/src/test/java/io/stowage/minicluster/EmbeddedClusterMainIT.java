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
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.net.InetAddress;
import java.net.ServerSocket;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import software.amazon.awssdk.core.sync.RequestBody;
import software.amazon.awssdk.services.s3.S3Client;

/** The quickstart's JVM as its user meets it: what it prints, keeps and refuses. */
class EmbeddedClusterMainIT {
  @TempDir Path directory;

  @Test
  void keepsDataKeyAndConfOverCtrlC() throws Exception {
    byte[] content = "kept".getBytes(StandardCharsets.UTF_8);
    Path data = directory.resolve("data");
    String secret;
    byte[] site;
    try (EmbeddedProcess first = EmbeddedProcess.launch(data, 0)) {
      long begin = System.nanoTime();
      first.awaitServing(60);
      try (S3Client s3 =
          S3Clients.builder(first.s3Endpoint(), first.accessKey(), first.secretKey()).build()) {
        s3.createBucket(b -> b.bucket("demo"));
        s3.putObject(b -> b.bucket("demo").key("a"), RequestBody.fromBytes(content));
      }
      System.err.printf("launch to first put: %d ms%n", (System.nanoTime() - begin) / 1_000_000);
      secret = first.secretKey();
      site = Files.readAllBytes(data.resolve("conf/stowage-site.xml"));
      List<String> lines = refusal("--data", data.toString(), "--s3-port", "0");
      assertEquals(1, lines.size(), lines::toString);
      assertTrue(lines.get(0).contains("another process"), lines::toString);
      assertEquals(143, first.interrupt(60), "exit status after SIGTERM");
    }
    try (EmbeddedProcess second = EmbeddedProcess.launch(data, 0)) {
      second.awaitServing(60);
      assertEquals(secret, second.secretKey());
      assertArrayEquals(site, Files.readAllBytes(data.resolve("conf/stowage-site.xml")));
      try (S3Client s3 =
          S3Clients.builder(second.s3Endpoint(), second.accessKey(), second.secretKey()).build()) {
        assertArrayEquals(
            content, s3.getObjectAsBytes(b -> b.bucket("demo").key("a")).asByteArray());
      }
    }
  }

  @Test
  void aTakenPortIsOneLine() throws Exception {
    try (ServerSocket taken = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
      String port = Integer.toString(taken.getLocalPort());
      List<String> lines =
          refusal("--data", directory.resolve("data").toString(), "--s3-port", port);
      assertEquals(1, lines.size(), lines::toString);
      assertTrue(lines.get(0).contains(port) && lines.get(0).contains("in use"), lines::toString);
    }
  }

  @Test
  void anotherDirectoryOrFormatOrOptionIsOneLine() throws Exception {
    Path foreign = Files.createDirectories(directory.resolve("foreign"));
    Files.writeString(foreign.resolve("file"), "somebody's");
    assertEquals(1, refusal("--data", foreign.toString()).size());
    Path newer = Files.createDirectories(directory.resolve("newer"));
    Files.writeString(newer.resolve("cluster.properties"), "format.version=99\n");
    List<String> lines = refusal("--data", newer.toString());
    assertEquals(1, lines.size(), lines::toString);
    assertTrue(lines.get(0).contains("99"), lines::toString);
    assertEquals(1, refusal("--date", "x").size());
  }

  /** Runs a start that must fail, and gives what it printed. */
  private static List<String> refusal(String... arguments) throws Exception {
    try (EmbeddedProcess process = EmbeddedProcess.launch(arguments)) {
      int status = process.exitStatus(60);
      assertTrue(status == 1 || status == 2, () -> "exit status " + status);
      return new ArrayList<>(process.output().lines().toList());
    }
  }
}
