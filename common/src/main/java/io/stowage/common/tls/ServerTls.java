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

import io.netty.buffer.ByteBufAllocator;
import io.netty.handler.ssl.SslContext;
import io.netty.handler.ssl.SslContextBuilder;
import io.netty.handler.ssl.SslHandler;
import io.stowage.common.conf.Keys;
import io.stowage.common.conf.StowageConfig;
import io.stowage.common.error.StoreException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.atomic.AtomicReference;
import javax.net.ssl.SSLPeerUnverifiedException;
import javax.net.ssl.X509TrustManager;

/** What connections a datanode takes, and who has to show a certificate. Thread-safe. */
public final class ServerTls {
  /** Nothing is encrypted. */
  public static final ServerTls OFF = new ServerTls(null, null, new AtomicReference<>());

  private static final long HANDSHAKE_MILLIS = 10_000;

  private final TlsSettings settings;
  private final TlsFiles files; // null: off
  private final AtomicReference<X509TrustManager> authorities; // those of the files in force

  private ServerTls(
      TlsSettings settings, TlsFiles files, AtomicReference<X509TrustManager> authorities) {
    this.settings = settings;
    this.files = files;
    this.authorities = authorities;
  }

  /**
   * As the settings say; reads the files.
   *
   * @throws StoreException BAD_CONFIGURATION if they cannot be used
   */
  public static ServerTls from(StowageConfig config) throws StoreException {
    TlsSettings settings = TlsSettings.of(config);
    if (settings.mode() == TlsSettings.Mode.OFF) {
      return OFF;
    }
    if (settings.certificate() == null) {
      throw TlsSettings.refused(
          Keys.TLS_MODE.name()
              + " = "
              + config.get(Keys.TLS_MODE)
              + " without "
              + Keys.TLS_CERTIFICATE.name()
              + " and "
              + Keys.TLS_KEY.name());
    }
    List<Path> read = new ArrayList<>(List.of(settings.certificate(), settings.key()));
    if (settings.authorities() != null) {
      read.add(settings.authorities());
    }
    AtomicReference<X509TrustManager> authorities = new AtomicReference<>();
    TlsFiles files =
        TlsFiles.read(
            "serve TLS",
            read,
            () -> {
              X509TrustManager trusted = DataTls.trust(settings.authorities());
              SslContext context =
                  DataTls.common(
                          SslContextBuilder.forServer(
                              settings.certificate().toFile(), settings.key().toFile()),
                          trusted)
                      .clientAuth(DataTls.clientAuth(settings.clients()))
                      .build();
              authorities.set(trusted);
              return context;
            });
    return new ServerTls(settings, files, authorities);
  }

  /** Whether connections may be encrypted. */
  public boolean isOn() {
    return files != null;
  }

  /** Whether connections may be not encrypted. */
  public boolean takesPlain() {
    return files == null || settings.mode() != TlsSettings.Mode.ONLY;
  }

  /** Whether services have to show certificates where users need not. */
  public boolean wantsCertificatesOfServices() {
    return files != null && settings.clients() == TlsSettings.ClientCertificates.SERVICES;
  }

  /** For a new connection. */
  public SslHandler newHandler(ByteBufAllocator allocator) {
    SslHandler handler = files.current().newHandler(allocator);
    handler.setHandshakeTimeoutMillis(HANDSHAKE_MILLIS);
    return handler;
  }

  /** Whether the other end of a connection has shown a certificate that the authorities know. */
  public static boolean isCertified(SslHandler handler) {
    try {
      return handler.engine().getSession().getPeerCertificates().length > 0;
    } catch (SSLPeerUnverifiedException e) {
      return false;
    }
  }

  /** What the other end of a connection has shown, to be judged as long as it lives. */
  public ShownCertificate shownBy(SslHandler handler) {
    return new ShownCertificate(
        handler,
        false,
        () -> {
          var unused = files.current(); // looks at the files
          return authorities.get();
        });
  }

  /** What to tell people of a handshake that failed. */
  public static String explain(Throwable failure) {
    return TlsFailure.explain(failure, Keys.TLS_AUTHORITIES.name(), Keys.TLS_MODE.name());
  }
}
