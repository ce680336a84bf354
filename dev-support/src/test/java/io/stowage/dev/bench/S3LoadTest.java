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
package io.stowage.dev.bench;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import java.io.IOException;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import picocli.CommandLine;

/** The load tool against a map behind the JDK's own HTTP server. */
class S3LoadTest {
  @TempDir Path directory;
  private final Map<String, byte[]> stored = new ConcurrentHashMap<>();
  private final ExecutorService threads = Executors.newFixedThreadPool(8);
  private volatile boolean damaging;
  private HttpServer server;

  @BeforeEach
  void startServer() throws IOException {
    server = HttpServer.create(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0), 0);
    server.setExecutor(threads);
    server.createContext("/", this::serve);
    server.start();
    Files.writeString(
        directory.resolve("credentials"),
        "[other]\naws_access_key_id = no\n[default]\naws_access_key_id = AK\n"
            + "aws_secret_access_key = secret\n");
  }

  @AfterEach
  void stopServer() {
    server.stop(0);
    threads.shutdownNow();
  }

  @Test
  void writesReadsAndVerifies() {
    assertEquals(0, load("put", "--warmup-ops", "40"));
    assertEquals(20, stored.size());
    assertEquals(0, load("get", "--warmup-ops", "1"));
    assertEquals(0, load("range", "--warmup-ops", "1", "--range-size", "100"));
    assertEquals(0, load("mixed", "--warmup-ops", "1", "--sign-payload"));
  }

  @Test
  void aWrongByteEndsTheRun() {
    assertEquals(0, load("put", "--warmup-ops", "40"));
    damaging = true;
    assertEquals(1, load("get", "--warmup-ops", "1"));
  }

  @Test
  void anErrorIsCountedAndShowsInTheExitCode() {
    assertEquals(1, load("get", "--warmup-ops", "1"));
  }

  @Test
  void readsSizes() {
    assertEquals(4096, S3Load.bytesOf("4k"));
    assertEquals(16L << 20, S3Load.bytesOf("16M"));
    assertEquals(7, S3Load.bytesOf("7"));
  }

  private int load(String workload, String... options) {
    CommandLine commandLine = new CommandLine(new S3Load());
    commandLine.setCaseInsensitiveEnumValuesAllowed(true);
    StringWriter errors = new StringWriter();
    commandLine.setErr(new PrintWriter(errors));
    String[] fixed = {
      workload,
      "--endpoint=http://127.0.0.1:" + server.getAddress().getPort(),
      "--credentials=" + directory.resolve("credentials"),
      "--size=10001",
      "--objects=20",
      "--connections=4",
      "--seconds=1"
    };
    String[] all = new String[fixed.length + options.length];
    System.arraycopy(fixed, 0, all, 0, fixed.length);
    System.arraycopy(options, 0, all, fixed.length, options.length);
    return commandLine.execute(all);
  }

  private void serve(HttpExchange exchange) throws IOException {
    try (exchange) {
      String authorization = exchange.getRequestHeaders().getFirst("authorization");
      assertTrue(authorization.startsWith("AWS4-HMAC-SHA256 Credential=AK/"), authorization);
      byte[] body = exchange.getRequestBody().readAllBytes();
      String path = exchange.getRequestURI().getPath();
      if (exchange.getRequestMethod().equals("PUT")) {
        if (path.indexOf('/', 1) > 0) {
          stored.put(path, body);
        }
        exchange.sendResponseHeaders(200, -1);
        return;
      }
      byte[] answer = stored.get(path);
      if (answer == null) {
        byte[] error = "<Error><Code>NoSuchKey</Code></Error>".getBytes(StandardCharsets.UTF_8);
        exchange.sendResponseHeaders(404, error.length);
        exchange.getResponseBody().write(error);
        return;
      }
      answer = answer.clone();
      if (damaging) {
        answer[5000] ^= 1;
      }
      String range = exchange.getRequestHeaders().getFirst("range");
      int from = 0;
      int to = answer.length - 1;
      if (range != null) {
        from = Integer.parseInt(range.substring(6, range.indexOf('-')));
        to = Integer.parseInt(range.substring(range.indexOf('-') + 1));
      }
      exchange.sendResponseHeaders(range == null ? 200 : 206, to - from + 1);
      exchange.getResponseBody().write(answer, from, to - from + 1);
    }
  }
}
