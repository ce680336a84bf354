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

import io.stowage.common.access.AuditLog;
import io.stowage.common.conf.ConfigKey;
import io.stowage.common.conf.Exposure;
import io.stowage.common.conf.Keys;
import io.stowage.common.conf.StowageConfig;
import io.stowage.common.error.ErrorCode;
import io.stowage.common.error.StoreException;
import io.stowage.common.time.StoreClock;
import io.stowage.common.tls.TlsFiles;
import io.stowage.s3.event.EventDelivery;
import io.stowage.s3.http.HttpLimits;
import io.stowage.s3.http.HttpServer;
import io.stowage.s3.http.HttpTls;
import java.net.InetSocketAddress;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Locale;

/**
 * What a gateway is told. Immutable.
 *
 * @param bind where it listens
 * @param tls whether and how connections are encrypted
 * @param domains below which {@code bucket.domain} is virtual-host style
 * @param region that it answers and signs for
 */
public record S3GatewayConfig(
    InetSocketAddress bind,
    Tls tls,
    List<String> domains,
    String region,
    HttpLimits limits,
    Audit audit,
    EventDelivery.Settings events,
    Duration accessLogInterval,
    Console console) {

  /**
   * What HTTPS is served with.
   *
   * @param certificate PEM file; null: no TLS
   * @param key PEM file
   * @param bind where it listens beside HTTP; null: in its place
   */
  public record Tls(Path certificate, Path key, InetSocketAddress bind) {}

  /** What the console listens on: HTTPS if there is a certificate. */
  public HttpServer.Listener consoleListener() throws StoreException {
    return new HttpServer.Listener(
        console.bind, tls.certificate == null ? null : HttpTls.read(tls.certificate, tls.key));
  }

  /** What is listened on; HTTP before HTTPS. Reads the certificate. */
  public List<HttpServer.Listener> listeners() throws StoreException {
    if (tls.certificate == null) {
      return List.of(new HttpServer.Listener(bind, null));
    }
    TlsFiles files = HttpTls.read(tls.certificate, tls.key);
    return tls.bind == null
        ? List.of(new HttpServer.Listener(bind, files))
        : List.of(new HttpServer.Listener(bind, null), new HttpServer.Listener(tls.bind, files));
  }

  /**
   * Where decisions are written down.
   *
   * @param file empty: beside the process's own log, if it has one; "none": nowhere
   */
  public record Audit(String file, long fileBytes, int files) {
    AuditLog open(StoreClock clock) throws StoreException {
      return AuditLog.open(clock, Keys.S3_AUDIT_FILE, file, fileBytes, files, "s3");
    }
  }

  /**
   * The page for browsers.
   *
   * @param endpoint URL of S3 in links; empty: the gateway's own
   */
  public record Console(InetSocketAddress bind, String endpoint) {}

  /** Reads and checks the settings. */
  public static S3GatewayConfig from(StowageConfig config) throws StoreException {
    Exposure.check(config);
    int workers = config.get(Keys.S3_WORKERS);
    long packingLimit = config.get(Keys.PACKING_LIMIT);
    return new S3GatewayConfig(
        address(config, Keys.S3_BIND),
        tls(config),
        config.get(Keys.S3_DOMAINS).stream().map(S3GatewayConfig::hostOf).toList(),
        config.get(Keys.S3_REGION),
        new HttpLimits(
            workers,
            Math.max(1, workers * 3 / 4),
            config.get(Keys.S3_CONNECTIONS),
            // A packed object with the framing of aws-chunked, which adds 2 % to a small body.
            (int) packingLimit + (16 << 10),
            config.get(Keys.S3_MEMORY),
            config.get(Keys.S3_IDLE_TIMEOUT),
            config.get(Keys.S3_PATIENCE),
            config.get(Keys.S3_DRAIN)),
        new Audit(
            config.get(Keys.S3_AUDIT_FILE),
            config.get(Keys.S3_AUDIT_FILE_SIZE),
            config.get(Keys.S3_AUDIT_FILES)),
        new EventDelivery.Settings(
            EventDelivery.Settings.targets(config.get(Keys.S3_EVENT_TARGETS)),
            config.get(Keys.S3_EVENT_SCAN_INTERVAL),
            config.get(Keys.S3_EVENT_RETRY_INTERVAL),
            config.get(Keys.S3_EVENT_KEEP)),
        config.get(Keys.S3_ACCESS_LOG_INTERVAL),
        console(config));
  }

  private static InetSocketAddress address(StowageConfig config, ConfigKey<String> key)
      throws StoreException {
    String bind = config.get(key);
    int colon = bind.lastIndexOf(':');
    int port = -1;
    try {
      port = Integer.parseInt(bind.substring(colon + 1));
    } catch (NumberFormatException e) {
      // refused below
    }
    if (colon <= 0 || port < 0 || port > 65_535) {
      throw new StoreException(
          ErrorCode.BAD_CONFIGURATION,
          "Cannot use " + key.name() + " = '" + bind + "': expected host:port");
    }
    return new InetSocketAddress(bind.substring(0, colon), port);
  }

  private static Tls tls(StowageConfig config) throws StoreException {
    String certificate = config.get(Keys.S3_TLS_CERTIFICATE);
    String key = config.get(Keys.S3_TLS_KEY);
    boolean bound = !config.get(Keys.S3_TLS_BIND).isEmpty();
    if (certificate.isEmpty() != key.isEmpty() || (bound && certificate.isEmpty())) {
      throw new StoreException(
          ErrorCode.BAD_CONFIGURATION,
          "Cannot serve TLS: "
              + Keys.S3_TLS_CERTIFICATE.name()
              + " and "
              + Keys.S3_TLS_KEY.name()
              + " must both be set");
    }
    return certificate.isEmpty()
        ? new Tls(null, null, null)
        : new Tls(
            Path.of(certificate), Path.of(key), bound ? address(config, Keys.S3_TLS_BIND) : null);
  }

  /** A domain as hosts are compared: lower case, without a port, which requests may name or not. */
  private static String hostOf(String domain) {
    int colon = domain.lastIndexOf(':');
    String host = colon > domain.lastIndexOf(']') ? domain.substring(0, colon) : domain;
    return host.trim().toLowerCase(Locale.ROOT);
  }

  private static Console console(StowageConfig config) throws StoreException {
    if (config.get(Keys.S3_CONSOLE_BIND).isEmpty()) {
      return null;
    }
    String endpoint = config.get(Keys.S3_CONSOLE_ENDPOINT);
    if (!endpoint.isEmpty() && !endpoint.matches("https?://[A-Za-z0-9.:\\[\\]-]+")) {
      throw new StoreException(
          ErrorCode.BAD_CONFIGURATION,
          "Cannot use "
              + Keys.S3_CONSOLE_ENDPOINT.name()
              + " = '"
              + endpoint
              + "': expected http://host:port or https://host:port");
    }
    return new Console(address(config, Keys.S3_CONSOLE_BIND), endpoint);
  }
}
