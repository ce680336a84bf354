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
package io.stowage.common.tls;

import io.netty.handler.ssl.SslContext;
import io.stowage.common.error.ErrorCode;
import io.stowage.common.error.StoreException;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.FileTime;
import java.security.cert.Certificate;
import java.security.cert.CertificateException;
import java.security.cert.CertificateFactory;
import java.security.cert.X509Certificate;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The PEM files that connections are encrypted and judged with, read again when one of them has
 * changed: certificates are replaced every few weeks, under services that run for months. Files
 * that cannot be used leave the earlier ones in force, so that half a replacement (the certificate
 * there, its key not yet) harms nobody. Thread-safe.
 */
public final class TlsFiles {
  private static final Logger LOG = LoggerFactory.getLogger(TlsFiles.class);

  /** How often a new connection looks at the files' times. */
  private static final long LOOK_AGAIN_NANOS = TimeUnit.SECONDS.toNanos(1);

  /** How often it is told that changed files cannot be used; they are tried at every look. */
  private static final long WARN_AGAIN_NANOS = TimeUnit.MINUTES.toNanos(1);

  /** Certificates that end sooner are warned of when they are read. */
  private static final Duration WARN_BEFORE = Duration.ofDays(14);

  /** Makes of the files what connections are made with. */
  public interface Loader {
    /** Throws whatever keeps the files from being used. */
    SslContext load() throws IOException;
  }

  /** What tells one state of a file from the next. */
  private record Stamp(FileTime time, long bytes) {}

  private final List<Path> files;
  private final Loader loader;
  private volatile SslContext context;
  private volatile long lookedAtNanos;
  private List<Stamp> seen; // of the files that are in force
  private boolean failing;
  private long warnedAtNanos;

  private TlsFiles(List<Path> files, Loader loader) {
    this.files = List.copyOf(files);
    this.loader = loader;
  }

  /**
   * Reads the files for the first time.
   *
   * @param use what for, behind "Cannot", such as "serve TLS"
   * @param files PEM; those that are looked at again
   */
  public static TlsFiles read(String use, List<Path> files, Loader loader) throws StoreException {
    TlsFiles tls = new TlsFiles(files, loader);
    try {
      tls.seen = tls.stamps();
      tls.context = tls.load();
      tls.lookedAtNanos = System.nanoTime();
      return tls;
    } catch (IOException | RuntimeException e) {
      throw new StoreException(
          ErrorCode.BAD_CONFIGURATION,
          "Cannot " + use + " with " + tls.names() + ": " + e.getMessage(),
          e);
    }
  }

  /** For a new connection. */
  public SslContext current() {
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
      List<Stamp> there = stamps();
      if (!there.equals(seen)) {
        context = load();
        // Not before: files that could not be read may be made readable, which changes no stamp.
        seen = there;
        LOG.info("New connections are encrypted with the changed {}", names());
      }
      failing = false;
    } catch (IOException | RuntimeException e) {
      if (!failing || now - warnedAtNanos >= WARN_AGAIN_NANOS) {
        LOG.warn(
            "Cannot use the changed {}, going on with the ones before: {}", names(), e.toString());
        warnedAtNanos = now;
      }
      failing = true;
    }
  }

  private SslContext load() throws IOException {
    SslContext loaded = loader.load();
    for (Path file : files) {
      warnOfTheEnd(file);
    }
    return loaded;
  }

  /** Nobody is told by a certificate that it is about to end, but by connections that fail. */
  private static void warnOfTheEnd(Path file) throws IOException {
    try (InputStream in = Files.newInputStream(file)) {
      Certificate first = CertificateFactory.getInstance("X.509").generateCertificate(in);
      if (first instanceof X509Certificate own
          && own.getNotAfter().toInstant().isBefore(Instant.now().plus(WARN_BEFORE))) {
        LOG.warn(
            "The certificate of {} in {} ends at {}: it is refused from then on",
            own.getSubjectX500Principal(),
            file,
            own.getNotAfter().toInstant());
      }
    } catch (CertificateException e) {
      // a file of a key, or one that the loader has judged
    }
  }

  private String names() {
    return String.join(" and ", files.stream().map(Path::toString).toList());
  }

  private List<Stamp> stamps() throws IOException {
    List<Stamp> stamps = new ArrayList<>();
    for (Path file : files) {
      stamps.add(new Stamp(Files.getLastModifiedTime(file), Files.size(file)));
    }
    return stamps;
  }
}
