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

import io.netty.util.concurrent.DefaultThreadFactory;
import io.stowage.client.DataPath;
import io.stowage.client.RecordingNamespace;
import io.stowage.client.crypt.Envelopes;
import io.stowage.client.crypt.KeyNames;
import io.stowage.client.crypt.KeyService;
import io.stowage.common.access.AccessAuthorizer;
import io.stowage.common.access.AuditLog;
import io.stowage.common.conf.Keys;
import io.stowage.common.conf.StowageConfig;
import io.stowage.common.error.StoreException;
import io.stowage.common.metrics.HealthCheck;
import io.stowage.common.metrics.MetricSystem;
import io.stowage.common.metrics.RoleHealth;
import io.stowage.common.om.ObjectManager;
import io.stowage.common.time.StoreClock;
import io.stowage.s3.access.Authorizer;
import io.stowage.s3.auth.AccessKeys;
import io.stowage.s3.auth.Authenticator;
import io.stowage.s3.auth.Sessions;
import io.stowage.s3.auth.UserDirectory;
import io.stowage.s3.console.Console;
import io.stowage.s3.event.EventDelivery;
import io.stowage.s3.http.BodyMemory;
import io.stowage.s3.http.HttpLimits;
import io.stowage.s3.http.HttpServer;
import io.stowage.s3.iam.QueryApi;
import io.stowage.s3.log.AccessLogs;
import io.stowage.s3.operation.Backend;
import io.stowage.s3.operation.Dispatcher;
import io.stowage.s3.operation.ObjectEncryption;
import io.stowage.s3.payload.HashThreads;
import java.nio.charset.StandardCharsets;
import java.util.Base64;
import java.util.List;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.ThreadPoolExecutor;
import java.util.concurrent.TimeUnit;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * An S3 endpoint over a namespace and a data path, which it does not own. Keeps nothing: start as
 * many as there is traffic for. Thread-safe.
 */
public final class S3GatewayServer implements AutoCloseable, HealthCheck {
  private static final Logger LOG = LoggerFactory.getLogger(S3GatewayServer.class);

  private final HttpServer http;
  private final HttpServer console; // null if there is none
  private final ThreadPoolExecutor hashThreads;
  private final io.stowage.common.access.Authorizer decisions;
  private final EventDelivery events;
  private final AccessLogs accessLogs;
  private final MetricSystem.Registration metrics;
  private volatile boolean draining;

  private S3GatewayServer(
      HttpServer http,
      HttpServer console,
      ThreadPoolExecutor hashThreads,
      io.stowage.common.access.Authorizer decisions,
      EventDelivery events,
      AccessLogs accessLogs) {
    this.http = http;
    this.console = console;
    this.hashThreads = hashThreads;
    this.decisions = decisions;
    this.events = events;
    this.accessLogs = accessLogs;
    this.metrics = MetricSystem.register("Gateway", new GatewayMetrics(http));
  }

  /** Serves from the moment that this returns; without SSE-S3 and SSE-KMS. */
  public static S3GatewayServer start(
      StowageConfig settings, ObjectManager namespace, DataPath data, StoreClock clock)
      throws StoreException {
    return start(settings, namespace, data, KeyService.none(), clock);
  }

  /**
   * Serves from the moment that this returns.
   *
   * @param keys that wrap those of objects; the caller's
   */
  public static S3GatewayServer start(
      StowageConfig settings,
      ObjectManager namespace,
      DataPath data,
      KeyService keys,
      StoreClock clock)
      throws StoreException {
    S3GatewayConfig config = S3GatewayConfig.from(settings);
    ObjectEncryption.Transport customerKeys =
        ObjectEncryption.Transport.named(settings.get(Keys.S3_SSE_C_TRANSPORT));
    BodyMemory bodyMemory = new BodyMemory(config.limits().streamedBytes());
    // As many as can compute at once. Each lane has one task in the queue at most, and there are
    // three lanes a request at most: the workers bound the queue.
    int cores = Math.max(2, Runtime.getRuntime().availableProcessors());
    ThreadPoolExecutor hashThreads =
        new ThreadPoolExecutor(
            cores,
            cores,
            30,
            TimeUnit.SECONDS,
            new LinkedBlockingQueue<>(),
            new DefaultThreadFactory("s3-hash", true));
    hashThreads.allowCoreThreadTimeOut(true);
    io.stowage.common.access.Authorizer decisions = decisions(settings, config, clock);
    EventDelivery events;
    try {
      events = EventDelivery.start(namespace, clock, config.events());
    } catch (StoreException e) {
      decisions.close();
      throw e;
    }
    Backend backend =
        new Backend(
            RecordingNamespace.over(namespace, data),
            data,
            clock,
            new Authorizer(namespace, decisions),
            new UserDirectory(namespace, clock),
            new ObjectEncryption(
                new Envelopes(keys, clock),
                new KeyNames(
                    settings.get(Keys.ENCRYPTION_STORE_KEY),
                    settings.get(Keys.ENCRYPTION_DEFAULT_KEY)),
                customerKeys),
            config.region(),
            new HashThreads(hashThreads, bodyMemory),
            events,
            Base64.getEncoder()
                .encodeToString(
                    (config.bind().getHostString() + ":" + config.bind().getPort())
                        .getBytes(StandardCharsets.UTF_8)));
    AccessKeys accessKeys = new AccessKeys(namespace, clock);
    Sessions sessions = new Sessions(namespace, accessKeys, clock);
    Authenticator authenticator = new Authenticator(accessKeys, sessions, config.region(), clock);
    QueryApi queryApi =
        new QueryApi(
            namespace, authenticator, backend.authorizer(), sessions, config.region(), clock);
    Dispatcher dispatcher =
        new Dispatcher(
            backend, authenticator, queryApi, config.domains(), config.accessLogInterval());
    HttpServer http = null;
    try {
      http = HttpServer.start(config.listeners(), config.limits(), bodyMemory, dispatcher, clock);
      LOG.info(
          "S3 is served on {}:{}{}",
          config.bind().getHostString(),
          http.port(),
          config.tls().certificate() == null ? "" : ", TLS on port " + http.tlsPort());
      HttpServer console =
          config.console() == null ? null : startConsole(config, dispatcher, http, clock);
      return new S3GatewayServer(
          http, console, hashThreads, decisions, events, dispatcher.accessLogs());
    } catch (StoreException e) {
      if (http != null) {
        http.close();
      }
      dispatcher.accessLogs().close();
      hashThreads.shutdownNow();
      events.close();
      decisions.close();
      throw e;
    }
  }

  /** Who may do what, and where that is written down. */
  private static io.stowage.common.access.Authorizer decisions(
      StowageConfig settings, S3GatewayConfig config, StoreClock clock) throws StoreException {
    AccessAuthorizer rules = io.stowage.common.access.Authorizer.rules(settings);
    try {
      return new io.stowage.common.access.Authorizer(rules, config.audit().open(clock));
    } catch (StoreException e) {
      rules.close();
      throw e;
    }
  }

  private static HttpServer startConsole(
      S3GatewayConfig config, Dispatcher dispatcher, HttpServer http, StoreClock clock)
      throws StoreException {
    // Links lead to the port that speaks as the page does.
    int s3Port = config.tls().certificate() == null ? http.port() : http.tlsPort();
    S3GatewayConfig.Console settings = config.console();
    Console handler = new Console(dispatcher, s3Port, config.region(), settings.endpoint());
    HttpLimits limits = config.limits().forConsole();
    HttpServer console =
        HttpServer.start(
            List.of(config.consoleListener()),
            limits,
            new BodyMemory(limits.streamedBytes()),
            handler,
            clock);
    LOG.info("The console is at {}:{}", settings.bind().getHostString(), console.port());
    return console;
  }

  /** Port that is listened on; HTTP's, if it is served at all. */
  public int port() {
    return http.port();
  }

  /** Port of HTTPS, if that is served. */
  public int tlsPort() {
    return http.tlsPort();
  }

  /** Port of the console; -1 if there is none. */
  public int consolePort() {
    return console == null ? -1 : console.port();
  }

  /** The HTTP server below, for what it tells of its state. */
  public HttpServer http() {
    return http;
  }

  /** To whom changes are told, for what it tells of its state. */
  public EventDelivery events() {
    return events;
  }

  /** Every decision on a request, for what it tells of its state. */
  public AuditLog audit() {
    return decisions.audit();
  }

  /** Ready until it is told to stop; it then answers what is at work, for a while. */
  @Override
  public RoleHealth health() {
    boolean serving = !draining;
    return new RoleHealth("s3g", serving, serving ? "serving" : "draining");
  }

  /** Answers what is at work, then stops. */
  @Override
  public void close() {
    draining = true;
    if (console != null) {
      console.close();
    }
    http.close();
    accessLogs.close();
    events.close();
    hashThreads.shutdownNow();
    decisions.close();
    metrics.close();
  }
}
