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

import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import com.sun.net.httpserver.HttpsConfigurator;
import com.sun.net.httpserver.HttpsServer;
import io.stowage.common.conf.Exposure;
import io.stowage.common.conf.Keys;
import io.stowage.common.conf.StowageConfig;
import io.stowage.common.error.ErrorCode;
import io.stowage.common.error.StoreException;
import io.stowage.common.tls.HttpsContext;
import java.io.IOException;
import java.io.OutputStream;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.util.List;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.Semaphore;
import java.util.concurrent.ThreadPoolExecutor;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.stream.Collectors;
import javax.net.ssl.SSLContext;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * One HTTP address of a process for those who watch it: {@code GET /metrics} and {@code GET
 * /health}; HTTPS if the process has a certificate. Owns its few threads, so that whoever asks much
 * or slowly holds up nobody but others who ask. Thread-safe.
 *
 * <p>Metrics are told on loopback, or to who shows the token; anywhere else to nobody. Health is
 * told to anybody, and says nothing secret.
 */
public final class MetricsServer implements AutoCloseable {
  private static final Logger LOG = LoggerFactory.getLogger(MetricsServer.class);

  private static final int THREADS = 4;

  /** Scrapes at a time: the others of {@link #THREADS} stay for health. */
  private static final int SCRAPES = 2;

  private static final int BACKLOG = 16;

  /** Bounds the queue of the threads as well: there is one task a connection at most. */
  private static final String CONNECTIONS = "64";

  /** A request's head, or its answer, that takes longer is cut off. */
  private static final String SECONDS = "10";

  private static final String TEXT = "text/plain; version=0.0.4; charset=utf-8";
  private static final String LINES = "application/x-ndjson";
  private static final String PLAIN = "text/plain; charset=utf-8";

  private final HttpServer http;
  private final ThreadPoolExecutor threads;
  private final ProcessHealth health;
  private final byte[] token; // null: there is none
  private final boolean loopback;
  private final boolean tls;
  private final Semaphore scrapes = new Semaphore(SCRAPES);

  private MetricsServer(
      HttpServer http, ProcessHealth health, byte[] token, boolean loopback, boolean tls) {
    this.http = http;
    this.health = health;
    this.token = token;
    this.loopback = loopback;
    this.tls = tls;
    AtomicInteger number = new AtomicInteger();
    this.threads =
        new ThreadPoolExecutor(
            THREADS,
            THREADS,
            30,
            TimeUnit.SECONDS,
            new LinkedBlockingQueue<>(),
            work -> {
              Thread thread = new Thread(work, "metrics-" + number.incrementAndGet());
              thread.setDaemon(true);
              return thread;
            });
    threads.allowCoreThreadTimeOut(true);
  }

  /** Where the token is kept. */
  public interface Secret {
    /** Null: there is none. */
    char[] read() throws StoreException;
  }

  /**
   * Serves from the moment that this returns.
   *
   * @param secret tells the token that who reads metrics has to show; asked if there is an address
   * @return null if no address is configured
   * @throws StoreException BAD_CONFIGURATION if the address or the certificate cannot be used
   */
  public static MetricsServer start(StowageConfig config, Secret secret, ProcessHealth health)
      throws StoreException {
    String bind = config.get(Keys.METRICS_BIND);
    if (bind.isEmpty()) {
      return null;
    }
    Exposure.check(config);
    InetSocketAddress address = address(bind);
    InetAddress ip = address.getAddress();
    boolean loopback = ip != null && ip.isLoopbackAddress();
    SSLContext tls = HttpsContext.from(config);
    char[] token = secret.read();
    if (!loopback && token == null) {
      LOG.warn("/metrics is refused on {}: no credential provider has a token for it", bind);
    } else if (!loopback && tls == null) {
      LOG.warn(
          "The token of /metrics goes over the network as it is: {} is not set",
          Keys.TLS_CERTIFICATE.name());
    }
    MetricsServer server =
        new MetricsServer(
            listen(bind, address, tls),
            health,
            token == null ? null : new String(token).getBytes(StandardCharsets.UTF_8),
            loopback,
            tls != null);
    server.http.setExecutor(server.threads);
    server.http.createContext("/", server::answer);
    server.http.start();
    LOG.info("Metrics and health are served on {}", server.url());
    return server;
  }

  private static InetSocketAddress address(String bind) throws StoreException {
    int colon = bind.lastIndexOf(':');
    try {
      if (colon > 0) {
        return new InetSocketAddress(
            bind.substring(0, colon), Integer.parseInt(bind.substring(colon + 1)));
      }
    } catch (IllegalArgumentException e) {
      // said below
    }
    throw new StoreException(
        ErrorCode.BAD_CONFIGURATION,
        "Cannot use " + Keys.METRICS_BIND.name() + " = '" + bind + "': expected host:port");
  }

  private static HttpServer listen(String bind, InetSocketAddress address, SSLContext tls)
      throws StoreException {
    boundConnections();
    try {
      if (tls == null) {
        return HttpServer.create(address, BACKLOG);
      }
      HttpsServer https = HttpsServer.create(address, BACKLOG);
      https.setHttpsConfigurator(new HttpsConfigurator(tls));
      return https;
    } catch (IOException e) {
      throw new StoreException(
          ErrorCode.BAD_CONFIGURATION,
          "Cannot serve metrics on " + bind + ": " + e.getMessage(),
          e);
    }
  }

  /** The JDK's server is told so by properties, which it reads once. Leaves alone what was set. */
  private static void boundConnections() {
    for (String name : List.of("sun.net.httpserver.maxReqTime", "sun.net.httpserver.maxRspTime")) {
      if (System.getProperty(name) == null) {
        System.setProperty(name, SECONDS);
      }
    }
    if (System.getProperty("jdk.httpserver.maxConnections") == null) {
      System.setProperty("jdk.httpserver.maxConnections", CONNECTIONS);
    }
  }

  /** Where it is served, for people. */
  public String url() {
    return (tls ? "https://" : "http://") + http.getAddress().getHostString() + ":" + port();
  }

  public int port() {
    return http.getAddress().getPort();
  }

  private void answer(HttpExchange exchange) throws IOException {
    try (exchange) {
      String path = exchange.getRequestURI().getPath();
      boolean metrics = "/metrics".equals(path);
      if (!metrics && !"/health".equals(path)) {
        send(exchange, 404, PLAIN, "/metrics and /health are served here\n");
      } else if (!List.of("GET", "HEAD").contains(exchange.getRequestMethod())) {
        exchange.getResponseHeaders().set("Allow", "GET, HEAD");
        send(exchange, 405, PLAIN, "GET or HEAD\n");
      } else if (metrics) {
        metrics(exchange);
      } else {
        health(exchange);
      }
    } catch (RuntimeException e) {
      LOG.error("Cannot answer {}: a bug", exchange.getRequestURI(), e);
    }
  }

  private void metrics(HttpExchange exchange) throws IOException {
    if (token == null && !loopback) {
      send(exchange, 403, PLAIN, "metrics are told on loopback only: there is no token for them\n");
    } else if (token != null && !isShown(exchange.getRequestHeaders().getFirst("Authorization"))) {
      exchange.getResponseHeaders().set("WWW-Authenticate", "Bearer");
      send(exchange, 401, PLAIN, "Authorization: Bearer TOKEN is needed\n");
    } else if (!scrapes.tryAcquire()) {
      exchange.getResponseHeaders().set("Retry-After", "1");
      send(exchange, 503, PLAIN, "others are reading metrics just now\n");
    } else {
      String text;
      try {
        text = MetricSystem.prometheusText();
      } finally {
        scrapes.release();
      }
      send(exchange, 200, TEXT, text);
    }
  }

  private boolean isShown(String authorization) {
    String scheme = "Bearer ";
    if (authorization == null || !authorization.regionMatches(true, 0, scheme, 0, 7)) {
      return false;
    }
    byte[] shown = authorization.substring(scheme.length()).trim().getBytes(StandardCharsets.UTF_8);
    return MessageDigest.isEqual(shown, token); // in a time that does not tell how much is right
  }

  private void health(HttpExchange exchange) throws IOException {
    List<RoleHealth> roles = health.look();
    boolean ready = roles.stream().allMatch(RoleHealth::ready);
    String lines = roles.stream().map(role -> role.toJson() + "\n").collect(Collectors.joining());
    send(exchange, ready ? 200 : 503, LINES, lines);
  }

  private static void send(HttpExchange exchange, int status, String type, String text)
      throws IOException {
    byte[] body = text.getBytes(StandardCharsets.UTF_8);
    exchange.getResponseHeaders().set("Content-Type", type);
    exchange.getResponseHeaders().set("Cache-Control", "no-store");
    if (exchange.getRequestMethod().equals("HEAD")) {
      exchange.sendResponseHeaders(status, -1);
      return;
    }
    exchange.sendResponseHeaders(status, body.length);
    try (OutputStream out = exchange.getResponseBody()) {
      out.write(body);
    }
  }

  @Override
  public void close() {
    http.stop(0);
    threads.shutdownNow();
  }
}
