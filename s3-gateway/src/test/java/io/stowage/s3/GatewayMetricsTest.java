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
package io.stowage.s3;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.stowage.common.conf.Keys;
import io.stowage.common.conf.StowageConfig;
import io.stowage.common.metrics.MetricSystem;
import io.stowage.common.metrics.MetricsServer;
import io.stowage.common.metrics.ProcessHealth;
import io.stowage.common.metrics.PrometheusPage;
import io.stowage.s3.suite.RawS3;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.Socket;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;

/** What a gateway tells of requests, as those who watch it read it. */
class GatewayMetricsTest {
  private static final int BYTES = 3_000_000; // streamed in and out, in several pieces

  private final HttpClient http = HttpClient.newHttpClient();
  private final ProcessHealth health = new ProcessHealth("test");

  @BeforeAll
  static void startMetrics() {
    MetricSystem.start("stowage-test");
  }

  private HttpResponse<String> get(MetricsServer server, String path) {
    try {
      return http.send(
          HttpRequest.newBuilder(URI.create(server.url() + path)).build(),
          HttpResponse.BodyHandlers.ofString());
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    } catch (InterruptedException e) {
      throw new AssertionError(e);
    }
  }

  private PrometheusPage page(MetricsServer server) {
    return PrometheusPage.parse(get(server, "/metrics").body());
  }

  private MetricsServer watch(InMemoryTarget target) throws Exception {
    health.serves(List.of(target.gateway));
    return MetricsServer.start(
        StowageConfig.of(Map.of(Keys.METRICS_BIND.name(), "127.0.0.1:0")), () -> null, health);
  }

  /** A request is counted when its answer is with the socket, which its client may see before. */
  private void awaitRequests(MetricsServer server, int count, String operation, String status) {
    InMemoryTarget.await(
        () ->
            page(server)
                .values("stowage_gateway_requests", "operation", operation, "class", status)
                .equals(List.of((double) count)),
        count + " " + operation + " " + status);
  }

  @Test
  void requestsAreCountedByOperationAndClassOfStatus() throws Exception {
    try (InMemoryTarget target = new InMemoryTarget(Map.of());
        MetricsServer server = watch(target)) {
      RawS3 raw = target.target().raw();
      byte[] content = new byte[BYTES];
      assertEquals(200, raw.call("PUT", "/secret-bucket").send().status());
      assertEquals(200, raw.call("PUT", "/secret-bucket/secret-key").body(content).send().status());
      assertEquals(BYTES, raw.call("GET", "/secret-bucket/secret-key").send().body().length);
      assertEquals(200, raw.call("HEAD", "/secret-bucket/secret-key").send().status());
      assertEquals(404, raw.call("GET", "/secret-bucket/none").send().status());
      assertEquals(404, raw.call("GET", "/secret-bucket?policy").send().status());
      assertEquals(403, raw.call("GET", "/").as(InMemoryTarget.ACCESS_KEY, "x").send().status());
      awaitRequests(server, 1, "CreateBucket", "2xx");
      awaitRequests(server, 1, "PutObject", "2xx");
      awaitRequests(server, 1, "GetObject", "2xx");
      awaitRequests(server, 1, "HeadObject", "2xx");
      awaitRequests(server, 1, "GetObject", "4xx");
      awaitRequests(server, 1, "GetBucketPolicy", "4xx");
      awaitRequests(server, 1, "Unknown", "4xx");

      String text = get(server, "/metrics").body();
      PrometheusPage page = PrometheusPage.parse(text);
      assertTrue(page.sum("stowage_gateway_received_bytes") >= BYTES);
      assertTrue(page.sum("stowage_gateway_sent_bytes") >= BYTES);
      String bucket = "stowage_gateway_first_byte_seconds_bucket";
      assertEquals(
          List.of(2.0),
          page.values(bucket, "operation", "GetObject", "le", "+Inf"),
          "both answers");
      assertEquals(14, page.values(bucket, "operation", "GetObject").size());
      assertTrue(
          page.sum("stowage_gateway_request_micros", "operation", "GetObject")
              >= page.sum("stowage_gateway_first_byte_micros", "operation", "GetObject"));
      assertFalse(text.contains("secret"), "names of buckets, keys or users are told");
      assertFalse(text.contains(InMemoryTarget.ACCESS_KEY), "access keys are told");
    }
  }

  @Test
  void aRequestThatIsCutOffIsToldApart() throws Exception {
    try (InMemoryTarget target = new InMemoryTarget(Map.of());
        MetricsServer server = watch(target)) {
      RawS3 raw = target.target().raw();
      assertEquals(200, raw.call("PUT", "/bucket").send().status());
      byte[] content = new byte[64 << 20]; // more than sockets hold
      assertEquals(200, raw.call("PUT", "/bucket/key").body(content).send().status());
      RawS3.Call get = raw.call("GET", "/bucket/key");
      get.sign();
      try (Socket reader = raw.open()) {
        reader.getOutputStream().write(get.wire());
        assertEquals('H', reader.getInputStream().read());
      }
      awaitRequests(server, 1, "GetObject", "cut");
      assertEquals(
          List.of(),
          page(server)
              .values("stowage_gateway_requests", "operation", "GetObject", "class", "2xx"));
    }
  }

  @Test
  void whileItDrainsItIsNotReadyAndStillCounts() throws Exception {
    InMemoryTarget target = new InMemoryTarget(Map.of());
    try (MetricsServer server = watch(target)) {
      RawS3 raw = target.target().raw();
      assertEquals(200, raw.call("PUT", "/bucket").send().status());
      HttpResponse<String> ready = get(server, "/health");
      assertEquals(200, ready.statusCode());
      assertEquals("{\"role\":\"s3g\",\"ready\":true,\"state\":\"serving\"}\n", ready.body());
      RawS3.Call put = raw.call("PUT", "/bucket/key").body("late");
      put.sign();
      byte[] wire = put.wire();
      try (Socket late = raw.open()) {
        late.getOutputStream().write(wire, 0, wire.length - 1);
        InMemoryTarget.await(() -> target.gateway.http().memoryInUse() > 0, "a request at work");
        Thread closing = new Thread(target::close);
        closing.start();
        InMemoryTarget.await(() -> get(server, "/health").statusCode() == 503, "not ready");
        assertEquals(
            "{\"role\":\"s3g\",\"ready\":false,\"state\":\"draining\"}\n",
            get(server, "/health").body());
        awaitRequests(server, 1, "CreateBucket", "2xx");
        late.getOutputStream().write(wire, wire.length - 1, 1);
        String answer =
            new String(late.getInputStream().readAllBytes(), StandardCharsets.ISO_8859_1);
        assertTrue(answer.startsWith("HTTP/1.1 200"), answer);
        closing.join(30_000);
      }
      assertFalse(page(server).names().contains("stowage_gateway_requests"), "it is gone");
      assertEquals(503, get(server, "/health").statusCode());
    }
  }
}
