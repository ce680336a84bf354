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
package io.stowage.s3.http;

import io.netty.handler.codec.http2.Http2SecurityUtil;
import io.netty.handler.ssl.ApplicationProtocolConfig;
import io.netty.handler.ssl.ApplicationProtocolNames;
import io.netty.handler.ssl.SslContext;
import io.netty.handler.ssl.SslContextBuilder;
import io.netty.handler.ssl.SslProvider;
import io.netty.handler.ssl.SupportedCipherSuiteFilter;
import io.stowage.common.error.ErrorCode;
import io.stowage.common.error.StoreException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.FileTime;
import java.util.concurrent.TimeUnit;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The certificate and key that connections are encrypted with, read again when one of the files has
 * changed: certificates are replaced every few weeks, under a gateway that runs for months. Files
 * that cannot be used leave the earlier ones in force, so that half a replacement (the certificate
 * there, its key not yet) harms nobody. Thread-safe.
 *
 * <p>Encryption is the JDK's: it needs no native library, and does AES-GCM by the processor's own
 * instructions.
 */
public final class TlsFiles {
  private static final Logger LOG = LoggerFactory.getLogger(TlsFiles.class);

  /** How often a new connection looks at the files' times. */
  private static final long LOOK_AGAIN_NANOS = TimeUnit.SECONDS.toNanos(1);

  /** What tells one state of the files from the next. */
  private record Stamp(FileTime certificate, long certificateBytes, FileTime key, long keyBytes) {}

  private final Path certificate;
  private final Path key;
  private volatile SslContext context;
  private volatile long lookedAtNanos;
  private Stamp seen;

  private TlsFiles(Path certificate, Path key) {
    this.certificate = certificate;
    this.key = key;
  }

  /**
   * Reads the files for the first time.
   *
   * @param certificate PEM: the gateway's own, then those that vouch for it
   * @param key PEM: PKCS#8, not encrypted
   */
  public static TlsFiles read(Path certificate, Path key) throws StoreException {
    TlsFiles files = new TlsFiles(certificate, key);
    try {
      files.seen = files.stamp();
      files.context = files.load();
      files.lookedAtNanos = System.nanoTime();
      return files;
    } catch (IOException | RuntimeException e) {
      throw new StoreException(
          ErrorCode.BAD_CONFIGURATION,
          "Cannot serve TLS with " + certificate + " and " + key + ": " + e.getMessage(),
          e);
    }
  }

  /** For a new connection. */
  SslContext current() {
    long now = System.nanoTime();
    if (now - lookedAtNanos >= LOOK_AGAIN_NANOS) {
      lookAgain(now);
    }
    return context;
  }

  private synchronized void lookAgain(long now) {
    if (now - lookedAtNanos < LOOK_AGAIN_NANOS) {
      return;
    }
    lookedAtNanos = now;
    try {
      Stamp there = stamp();
      if (!there.equals(seen)) {
        seen = there;
        context = load();
        LOG.info("Connections are encrypted with the new certificate of {}", certificate);
      }
    } catch (IOException | RuntimeException e) {
      LOG.warn(
          "Cannot use the changed {} and {}, going on with the ones before: {}",
          certificate,
          key,
          e.toString());
    }
  }

  private Stamp stamp() throws IOException {
    return new Stamp(
        Files.getLastModifiedTime(certificate),
        Files.size(certificate),
        Files.getLastModifiedTime(key),
        Files.size(key));
  }

  private SslContext load() throws IOException {
    return SslContextBuilder.forServer(certificate.toFile(), key.toFile())
        .sslProvider(SslProvider.JDK)
        .protocols("TLSv1.3", "TLSv1.2")
        .ciphers(Http2SecurityUtil.CIPHERS, SupportedCipherSuiteFilter.INSTANCE)
        .applicationProtocolConfig(
            new ApplicationProtocolConfig(
                ApplicationProtocolConfig.Protocol.ALPN,
                ApplicationProtocolConfig.SelectorFailureBehavior.NO_ADVERTISE,
                ApplicationProtocolConfig.SelectedListenerFailureBehavior.ACCEPT,
                ApplicationProtocolNames.HTTP_2,
                ApplicationProtocolNames.HTTP_1_1))
        .build();
  }
}
