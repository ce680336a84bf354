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
package io.stowage.common.metrics;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.stowage.common.conf.Keys;
import io.stowage.common.conf.StowageConfig;
import io.stowage.common.error.ErrorCode;
import io.stowage.common.error.StoreException;
import io.stowage.common.tls.TestAuthority;
import java.io.IOException;
import java.net.InetAddress;
import java.net.Socket;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.KeyStore;
import java.security.cert.CertificateFactory;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicLong;
import javax.net.ssl.SSLContext;
import javax.net.ssl.TrustManagerFactory;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class MetricsServerTest {
  private static final String LOOPBACK = "127.0.0.1:0";

  private final ProcessHealth health = new ProcessHealth("test");

  @BeforeAll
  static void startMetrics() {
    MetricSystem.start("stowage-test");
  }

  private static StowageConfig config(String bind, String... more) throws StoreException {
    Map<String, String> settings = new HashMap<>(Map.of(Keys.METRICS_BIND.name(), bind));
    for (int i = 0; i < more.length; i += 2) {
      settings.put(more[i], more[i + 1]);
    }
    return StowageConfig.of(settings);
  }

  private MetricsServer start(String token, StowageConfig config) throws StoreException {
    return MetricsServer.start(config, () -> token == null ? null : token.toCharArray(), health);
  }

  private static HttpResponse<String> send(
      MetricsServer server, String method, String path, String... headers) throws Exception {
    HttpRequest.Builder request =
        HttpRequest.newBuilder(URI.create("http://127.0.0.1:" + server.port() + path))
            .method(method, HttpRequest.BodyPublishers.noBody());
    if (headers.length > 0) {
      request.headers(headers);
    }
    return HttpClient.newHttpClient().send(request.build(), HttpResponse.BodyHandlers.ofString());
  }

  private static int status(MetricsServer server, String path, String... headers) throws Exception {
    return send(server, "GET", path, headers).statusCode();
  }

  @Test
  void isOffUnlessAnAddressIsNamed() throws Exception {
    MetricsServer.Secret unreadable =
        () -> {
          throw new StoreException(ErrorCode.BAD_CONFIGURATION, "a file of others");
        };
    assertNull(MetricsServer.start(StowageConfig.of(Map.of()), unreadable, health));
  }

  @Test
  void bindsNothingButLoopbackWithoutSecurity() {
    StoreException refused =
        assertThrows(StoreException.class, () -> start("token", config("0.0.0.0:0")));
    assertEquals(ErrorCode.BAD_CONFIGURATION, refused.code());
    assertTrue(refused.getMessage().contains("stowage.metrics.bind"), refused.getMessage());
  }

  @Test
  void refusesAnAddressThatIsNone() {
    for (String bind : List.of("nowhere", ":1", "127.0.0.1:port", "127.0.0.1:70000")) {
      StoreException refused =
          assertThrows(
              StoreException.class,
              () -> start(null, config(bind, Keys.SECURITY_ENABLED.name(), "true")),
              bind);
      assertEquals(ErrorCode.BAD_CONFIGURATION, refused.code());
    }
  }

  @Test
  void aPortInUseStopsTheStart() throws Exception {
    try (MetricsServer first = start(null, config(LOOPBACK))) {
      StoreException refused =
          assertThrows(
              StoreException.class, () -> start(null, config("127.0.0.1:" + first.port())));
      assertEquals(ErrorCode.BAD_CONFIGURATION, refused.code());
    }
  }

  @Test
  void beyondLoopbackMetricsAreForNobodyWhileThereIsNoToken() throws Exception {
    health.serves(List.of(() -> new RoleHealth("scm", true, "leader")));
    for (String opens : List.of(Keys.SECURITY_ENABLED.name(), Keys.INSECURE.name())) {
      try (MetricsServer server = start(null, config("0.0.0.0:0", opens, "true"))) {
        assertEquals(403, status(server, "/metrics"));
        assertEquals(403, status(server, "/metrics", "Authorization", "Bearer "));
        assertEquals(403, status(server, "/metrics", "Authorization", "Bearer null"));
        assertEquals(200, status(server, "/health"));
      }
    }
  }

  @Test
  void whoShowsTheTokenReadsMetrics() throws Exception {
    for (StowageConfig config :
        List.of(config(LOOPBACK), config("0.0.0.0:0", Keys.INSECURE.name(), "true"))) {
      try (MetricsServer server = start("right-token", config)) {
        HttpResponse<String> without = send(server, "GET", "/metrics");
        assertEquals(401, without.statusCode());
        assertEquals("Bearer", without.headers().firstValue("WWW-Authenticate").orElse(""));
        for (String wrong :
            List.of(
                "Bearer wrong-token",
                "Bearer right-toke",
                "Bearer right-token-",
                "Bearer",
                "Basic right-token",
                "right-token")) {
          assertEquals(401, status(server, "/metrics", "Authorization", wrong), wrong);
        }
        assertEquals(200, status(server, "/metrics", "Authorization", "Bearer right-token"));
        assertEquals(200, status(server, "/metrics", "authorization", "bearer right-token"));
      }
    }
  }

  @Test
  void nothingElseIsServed() throws Exception {
    try (MetricsServer server = start(null, config(LOOPBACK))) {
      for (String path :
          List.of(
              "/", "/metrics/", "/metrics/x", "/healthy", "/health/..", "/jmx", "/%2e/health")) {
        assertEquals(404, status(server, path), path);
      }
      for (String method : List.of("POST", "PUT", "DELETE", "OPTIONS", "PATCH")) {
        for (String path : List.of("/metrics", "/health")) {
          HttpResponse<String> answer = send(server, method, path);
          assertEquals(405, answer.statusCode(), method + path);
          assertEquals("GET, HEAD", answer.headers().firstValue("Allow").orElse(""));
        }
      }
      assertEquals(200, send(server, "HEAD", "/metrics").statusCode());
      assertEquals("", send(server, "HEAD", "/metrics").body());
      assertEquals(200, status(server, "/metrics?x=y"));
    }
  }

  @Test
  void tellsHowReadyARoleIsFromBeforeItStartsToAfterItStops() throws Exception {
    AtomicBoolean draining = new AtomicBoolean();
    HealthCheck gateway =
        () -> new RoleHealth("s3g", !draining.get(), draining.get() ? "draining" : "serving");
    HealthCheck datanode =
        () -> new RoleHealth("datanode", true, "serving", Map.of("disks", 5, "disks_serving", 4));
    try (MetricsServer server = start(null, config(LOOPBACK))) {
      assertHealth(server, 503, "{\"role\":\"test\",\"ready\":false,\"state\":\"starting\"}\n");
      health.serves(List.of(gateway, datanode));
      String disks =
          "{\"role\":\"datanode\",\"ready\":true,\"state\":\"serving\","
              + "\"disks\":5,\"disks_serving\":4}\n";
      assertHealth(
          server, 200, "{\"role\":\"s3g\",\"ready\":true,\"state\":\"serving\"}\n" + disks);
      draining.set(true);
      assertHealth(
          server, 503, "{\"role\":\"s3g\",\"ready\":false,\"state\":\"draining\"}\n" + disks);
      assertEquals(503, send(server, "HEAD", "/health").statusCode());
      health.stops();
      assertHealth(server, 503, "{\"role\":\"test\",\"ready\":false,\"state\":\"stopping\"}\n");
    }
  }

  private static void assertHealth(MetricsServer server, int status, String body) throws Exception {
    HttpResponse<String> answer = send(server, "GET", "/health");
    assertEquals(body, answer.body());
    assertEquals(status, answer.statusCode());
  }

  @Test
  void aRoleThatCannotBeAskedIsNotReady() throws Exception {
    health.serves(
        List.of(
            () -> {
              throw new IllegalStateException("a bug");
            }));
    try (MetricsServer server = start(null, config(LOOPBACK))) {
      assertHealth(server, 503, "{\"role\":\"test\",\"ready\":false,\"state\":\"unknown\"}\n");
    }
  }

  @Test
  void metricsAreLinesThatPrometheusTakes() throws Exception {
    AtomicLong bytes = new AtomicLong(7);
    MetricSystem.Source source =
        records -> {
          records.add("Test").counter("ReadBytes", "Bytes that were read", bytes.get());
          for (String disk : List.of("a", "b")) {
            records.add("TestDisk").label("disk", disk).gauge("Failed", "1: it has", 0);
          }
        };
    try (MetricsServer server = start(null, config(LOOPBACK))) {
      try (MetricSystem.Registration one = MetricSystem.register("Test", source);
          MetricSystem.Registration two = MetricSystem.register("Test", source)) {
        PrometheusPage page = page(server);
        assertEquals(List.of(7.0, 7.0), page.values("stowage_test_read_bytes"));
        assertEquals(List.of(7.0), page.values("stowage_test_read_bytes", "source", "2"));
        assertEquals(2, page.values("stowage_test_disk_failed", "disk", "a").size());
        assertTrue(page.sum("jvm_metrics_mem_heap_used_m") > 0);
        bytes.set(8);
        assertEquals(16, page(server).sum("stowage_test_read_bytes"));
      }
      assertFalse(page(server).names().contains("stowage_test_read_bytes"));
    }
  }

  private static PrometheusPage page(MetricsServer server) throws Exception {
    HttpResponse<String> answer = send(server, "GET", "/metrics");
    assertEquals(200, answer.statusCode());
    assertEquals(
        "text/plain; version=0.0.4; charset=utf-8",
        answer.headers().firstValue("Content-Type").orElse(""));
    return PrometheusPage.parse(answer.body());
  }

  @Test
  void speaksTlsIfThereIsACertificateAndTakesTheNextOne(@TempDir Path directory) throws Exception {
    TestAuthority authority = new TestAuthority("test");
    Path authorities = authority.write(directory.resolve("authorities.pem"));
    TestAuthority.Pem pem = authority.issue(directory, "host", "127.0.0.1");
    StowageConfig config =
        config(
            LOOPBACK,
            Keys.TLS_CERTIFICATE.name(),
            pem.certificate().toString(),
            Keys.TLS_KEY.name(),
            pem.key().toString());
    health.serves(List.of(() -> new RoleHealth("om", true, "serving")));
    try (MetricsServer server = start(null, config)) {
      HttpRequest request =
          HttpRequest.newBuilder(URI.create("https://127.0.0.1:" + server.port() + "/health"))
              .build();
      assertEquals(
          200,
          HttpClient.newBuilder()
              .sslContext(believing(authorities))
              .build()
              .send(request, HttpResponse.BodyHandlers.ofString())
              .statusCode());
      assertThrows(
          IOException.class,
          () -> HttpClient.newHttpClient().send(request, HttpResponse.BodyHandlers.ofString()));
      try (Socket plain = new Socket(InetAddress.getLoopbackAddress(), server.port())) {
        plain
            .getOutputStream()
            .write("GET /health HTTP/1.0\r\n\r\n".getBytes(StandardCharsets.US_ASCII));
        String answer =
            new String(plain.getInputStream().readAllBytes(), StandardCharsets.ISO_8859_1);
        assertFalse(answer.contains("ready"), answer);
      }
      TestAuthority other = new TestAuthority("other");
      Path others = other.write(directory.resolve("others.pem"));
      other.issue(directory, "host", "127.0.0.1");
      awaitBelievedBy(others, request);
    }
  }

  /** The files are looked at again within a second. */
  private static void awaitBelievedBy(Path authorities, HttpRequest request) throws Exception {
    long deadline = System.nanoTime() + 30_000_000_000L;
    while (true) {
      try {
        HttpResponse<String> answer =
            HttpClient.newBuilder()
                .sslContext(believing(authorities))
                .build()
                .send(request, HttpResponse.BodyHandlers.ofString());
        assertEquals(200, answer.statusCode());
        return;
      } catch (IOException e) {
        if (System.nanoTime() > deadline) {
          throw e;
        }
        Thread.sleep(50);
      }
    }
  }

  private static SSLContext believing(Path authorities) throws Exception {
    KeyStore store = KeyStore.getInstance(KeyStore.getDefaultType());
    store.load(null);
    try (var in = Files.newInputStream(authorities)) {
      store.setCertificateEntry(
          "a", CertificateFactory.getInstance("X.509").generateCertificate(in));
    }
    TrustManagerFactory trust =
        TrustManagerFactory.getInstance(TrustManagerFactory.getDefaultAlgorithm());
    trust.init(store);
    SSLContext context = SSLContext.getInstance("TLS");
    context.init(null, trust.getTrustManagers(), null);
    return context;
  }
}
