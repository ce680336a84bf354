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
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.stowage.common.metrics.PrometheusPage;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import software.amazon.awssdk.core.sync.RequestBody;
import software.amazon.awssdk.services.s3.S3Client;

/** The quickstart's JVM as its user meets it: what it prints, keeps and refuses. */
class EmbeddedClusterMainIT {
  private static final Pattern SPACES = Pattern.compile("\\s+");

  @TempDir Path directory;

  @Test
  void keepsDataKeyAndConfOverCtrlCAndServesOtherMachinesOnlyWithTheUsersWord() throws Exception {
    byte[] content = "kept".getBytes(StandardCharsets.UTF_8);
    Path data = directory.resolve("data");
    String secret;
    byte[] site;
    try (EmbeddedProcess first = EmbeddedProcess.launch(data, 0)) {
      long begin = System.nanoTime();
      first.awaitServing();
      try (S3Client s3 =
          S3Clients.builder(first.s3Endpoint(), first.accessKey(), first.secretKey()).build()) {
        s3.createBucket(b -> b.bucket("demo"));
        s3.putObject(b -> b.bucket("demo").key("a"), RequestBody.fromBytes(content));
      }
      assertEquals(List.of(), listeningBeyondLoopback(first.pid()));
      assertEquals(200, get(first.metrics() + "/health").statusCode());
      assertEquals(
          List.of(0.0, 0.0, 0.0, 0.0, 0.0),
          awaitMetric(first.metrics() + "/metrics", "stowage_datanode_disk_failed"));
      System.err.printf("launch to first put: %d ms%n", (System.nanoTime() - begin) / 1_000_000);
      secret = first.secretKey();
      site = Files.readAllBytes(data.resolve("conf/stowage-site.xml"));
      List<String> refused = refusal("--data", data.toString(), "--s3-port", "0");
      assertEquals(1, refused.size(), refused::toString);
      assertTrue(refused.get(0).contains("another process"), refused::toString);
      assertEquals(143, first.interrupt(60), "exit status after SIGTERM");
    }
    String[] elsewhere = {"--data", data.toString(), "--s3-port", "0", "--s3-host", "0.0.0.0"};
    List<String> lines = refusal(elsewhere);
    assertEquals(1, lines.size(), lines::toString);
    assertTrue(lines.get(0).contains("--insecure"), lines::toString);
    String[] withTheUsersWord = Arrays.copyOf(elsewhere, elsewhere.length + 1);
    withTheUsersWord[elsewhere.length] = "--insecure";
    try (EmbeddedProcess second = EmbeddedProcess.launch(withTheUsersWord)) {
      second.awaitServing();
      assertEquals(secret, second.secretKey());
      assertArrayEquals(site, Files.readAllBytes(data.resolve("conf/stowage-site.xml")));
      try (S3Client s3 =
          S3Clients.builder(second.s3Endpoint(), second.accessKey(), second.secretKey()).build()) {
        assertArrayEquals(
            content, s3.getObjectAsBytes(b -> b.bucket("demo").key("a")).asByteArray());
      }
      assertTrue(second.output().contains("INSECURE: security is off"), second.output());
      List<String> open = listeningBeyondLoopback(second.pid());
      assertTrue(open.contains("0.0.0.0:" + second.s3Endpoint().getPort()), open::toString);
      assertEquals(2, open.size(), "gateway and console alone: " + open);
      assertEquals(143, second.interrupt(60), "exit status after SIGTERM");
    }
    // The word was for that run alone: the next one finds nothing of it.
    assertArrayEquals(site, Files.readAllBytes(data.resolve("conf/stowage-site.xml")));
    for (String kept :
        List.of("cluster.properties", "conf/stowage-site.xml", "conf/core-site.xml")) {
      String text = Files.readString(data.resolve(kept));
      assertFalse(text.contains("0.0.0.0") || text.contains("insecure"), text);
    }
  }

  private static HttpResponse<String> get(String address) throws Exception {
    return HttpClient.newHttpClient()
        .send(
            HttpRequest.newBuilder(URI.create(address)).build(),
            HttpResponse.BodyHandlers.ofString());
  }

  /** HBase, in the same process, starts the metrics anew now and then. */
  private static List<Double> awaitMetric(String address, String name) throws Exception {
    long deadline = System.nanoTime() + 60_000_000_000L;
    while (true) {
      List<Double> values = PrometheusPage.parse(get(address).body()).values(name);
      if (!values.isEmpty() || System.nanoTime() > deadline) {
        return values;
      }
      Thread.sleep(50);
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

  /** Addresses that a process listens on and others than loopback could be reached by (Linux). */
  private static List<String> listeningBeyondLoopback(long pid) throws Exception {
    Set<String> own = new HashSet<>();
    try (var descriptors = Files.newDirectoryStream(Path.of("/proc/" + pid + "/fd"))) {
      for (Path descriptor : descriptors) {
        try {
          String target = Files.readSymbolicLink(descriptor).toString();
          if (target.startsWith("socket:[")) {
            own.add(target.substring(8, target.length() - 1));
          }
        } catch (NoSuchFileException e) {
          // closed meanwhile
        }
      }
    }
    List<String> listening = new ArrayList<>();
    int found = 0;
    for (String table : List.of("tcp", "tcp6")) {
      Path file = Path.of("/proc/" + pid + "/net/" + table);
      if (!Files.exists(file)) {
        continue;
      }
      for (String line : Files.readAllLines(file)) {
        String[] words = SPACES.split(line.strip(), -1);
        if (words.length < 10 || !words[3].equals("0A") || !own.contains(words[9])) {
          continue; // not LISTEN, or somebody else's
        }
        found++;
        String[] address = words[1].split(":", -1);
        boolean loopback =
            address[0].endsWith("7F") // 127.x.x.x, bytes in the machine's order
                || address[0].equals("00000000000000000000000001000000");
        if (!loopback) {
          listening.add(
              (address[0].matches("0+") ? "0.0.0.0" : address[0])
                  + ":"
                  + Integer.parseInt(address[1], 16));
        }
      }
    }
    assertTrue(found >= 7, "ZooKeeper, HBase (2), SCM, OM, datanode, S3 and console: " + found);
    return listening;
  }

  /** Runs a start that must fail, and gives what it printed. */
  private static List<String> refusal(String... arguments) throws Exception {
    try (EmbeddedProcess process = EmbeddedProcess.launch(arguments)) {
      int status = process.refusalStatus();
      assertTrue(status == 1 || status == 2, () -> "exit status " + status);
      return new ArrayList<>(process.output().lines().toList());
    }
  }
}
