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
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.stowage.common.conf.Keys;
import io.stowage.common.metrics.PrometheusPage;
import java.io.OutputStream;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.charset.StandardCharsets;
import java.util.concurrent.Callable;
import org.apache.hadoop.fs.FileSystem;
import org.apache.hadoop.fs.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.RegisterExtension;
import software.amazon.awssdk.core.sync.RequestBody;
import software.amazon.awssdk.services.s3.S3Client;

/** The README's ten lines, and what such a cluster tells of itself. */
class StowageExtensionIT {
  @RegisterExtension
  static final StowageExtension STOWAGE =
      StowageExtension.of(MiniStowageCluster.builder().set(Keys.METRICS_BIND, "127.0.0.1:0"));

  @Test
  void whatAFileSystemWritesS3Reads(MiniStowageCluster cluster) throws Exception {
    try (S3Client s3 = S3Clients.of(cluster);
        FileSystem files = bucket(cluster, s3, "shared")) {
      try (OutputStream out = files.create(new Path("/dir/file"))) {
        out.write("hello".getBytes(StandardCharsets.UTF_8));
      }
      assertEquals(
          "hello",
          s3.getObjectAsBytes(b -> b.bucket("shared").key("dir/file"))
              .asString(StandardCharsets.UTF_8));
    }
  }

  @Test
  void countersOfAllRolesMoveWithTraffic(MiniStowageCluster cluster) throws Exception {
    byte[] content = new byte[1 << 20];
    try (S3Client s3 = S3Clients.of(cluster);
        FileSystem files = bucket(cluster, s3, "counted")) {
      s3.putObject(b -> b.bucket("counted").key("key"), RequestBody.fromBytes(content));
      s3.getObjectAsBytes(b -> b.bucket("counted").key("key"));
      assertTrue(files.exists(new Path("/key"))); // by RPC
    }
    String requests = "stowage_gateway_requests";
    String written = "stowage_datanode_disk_written_bytes";
    await(
        () ->
            sum(cluster, requests, "operation", "PutObject", "class", "2xx") >= 1
                && sum(cluster, requests, "operation", "GetObject", "class", "2xx") >= 1
                && sum(cluster, written) >= content.length
                && sum(cluster, "stowage_datanode_disk_forces") > 0
                && sum(cluster, "stowage_datanode_disk_read_bytes") >= content.length
                && sum(cluster, "stowage_om_mutations", "table", "object") > 0
                && sum(cluster, "stowage_scm_datanodes", "state", "live") == 5
                && sum(cluster, "stowage_scm_containers", "state", "open") > 0
                && sum(cluster, "stowage_scm_leader") == 1
                && sum(cluster, "jvm_metrics_mem_heap_used_m") > 0);
    String page = get(cluster, "/metrics").body();
    assertTrue(
        PrometheusPage.parse(page).names().stream().anyMatch(name -> name.startsWith("rpc_")),
        "what Hadoop's RPC servers tell is missing");
    assertFalse(
        page.lines().anyMatch(line -> line.startsWith("stowage_") && line.contains("counted")),
        "buckets are named");
  }

  @Test
  void healthTellsOfADatanodeThatNoScmKnows(MiniStowageCluster cluster) throws Exception {
    await(() -> get(cluster, "/health").statusCode() == 200);
    String lines = get(cluster, "/health").body();
    assertEquals(8, lines.lines().count(), lines); // an SCM, five datanodes, an object manager, ...
    assertTrue(lines.contains("{\"role\":\"scm\",\"ready\":true,\"state\":\"leader\"}"), lines);
    assertTrue(lines.contains("{\"role\":\"om\",\"ready\":true,\"state\":\"serving\"}"), lines);
    cluster.stopScm(0);
    await(() -> get(cluster, "/health").statusCode() == 503);
    assertTrue(get(cluster, "/health").body().contains("\"state\":\"not registered\""));
    cluster.startScm(0);
    await(() -> get(cluster, "/health").statusCode() == 200);
  }

  private static double sum(MiniStowageCluster cluster, String name, String... labels)
      throws Exception {
    PrometheusPage page = PrometheusPage.parse(get(cluster, "/metrics").body());
    return page.values(name, labels).stream().mapToDouble(Double::doubleValue).sum();
  }

  private static HttpResponse<String> get(MiniStowageCluster cluster, String path)
      throws Exception {
    return HttpClient.newHttpClient()
        .send(
            HttpRequest.newBuilder(URI.create(cluster.metrics() + path)).build(),
            HttpResponse.BodyHandlers.ofString());
  }

  /** HBase, in this JVM, starts the metrics anew now and then: a page may be of before. */
  private static void await(Callable<Boolean> condition) throws Exception {
    long deadline = System.nanoTime() + 60_000_000_000L;
    while (!condition.call()) {
      assertTrue(System.nanoTime() < deadline, "still not so");
      Thread.sleep(50);
    }
  }

  private static FileSystem bucket(MiniStowageCluster cluster, S3Client s3, String name)
      throws Exception {
    s3.createBucket(b -> b.bucket(name));
    return cluster.fileSystem(name);
  }
}
