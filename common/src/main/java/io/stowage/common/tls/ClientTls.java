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
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.atomic.AtomicReference;
import javax.net.ssl.SSLEngine;
import javax.net.ssl.SSLParameters;
import javax.net.ssl.X509TrustManager;

/**
 * How a client of datanodes encrypts: a datanode is believed if its certificate is vouched for by
 * the authorities and names the host that SCM names for it. Thread-safe.
 */
public final class ClientTls {
  /** Nothing is encrypted. */
  public static final ClientTls OFF = new ClientTls(null, new AtomicReference<>());

  /** Shorter than a call's patience, so that calls hear why and not only that nobody answered. */
  private static final long HANDSHAKE_MILLIS = 5_000;

  private final TlsFiles files; // null: off
  private final AtomicReference<X509TrustManager> authorities; // those of the files in force

  private ClientTls(TlsFiles files, AtomicReference<X509TrustManager> authorities) {
    this.files = files;
    this.authorities = authorities;
  }

  /**
   * As the settings say. Shows the certificate of the settings if it can read its key: a job on a
   * host whose site file names the services' key reaches datanodes without one, as far as they let
   * it.
   */
  public static ClientTls from(StowageConfig config) throws StoreException {
    TlsSettings settings = TlsSettings.of(config);
    if (!settings.mode().isSpoken()) {
      return OFF;
    }
    List<Path> read = new ArrayList<>();
    if (settings.authorities() != null) {
      read.add(settings.authorities());
    }
    boolean shows = settings.key() != null && Files.isReadable(settings.key());
    if (shows) {
      read.add(settings.certificate());
      read.add(settings.key());
    }
    AtomicReference<X509TrustManager> authorities = new AtomicReference<>();
    TlsFiles files =
        TlsFiles.read(
            "reach datanodes by TLS",
            read,
            () -> {
              X509TrustManager trusted = DataTls.trust(settings.authorities());
              SslContextBuilder builder = DataTls.common(SslContextBuilder.forClient(), trusted);
              if (shows) {
                builder.keyManager(settings.certificate().toFile(), settings.key().toFile());
              }
              SslContext context = builder.build();
              authorities.set(trusted);
              return context;
            });
    return new ClientTls(files, authorities);
  }

  public boolean isOn() {
    return files != null;
  }

  /** For a new connection to a datanode. */
  public SslHandler newHandler(ByteBufAllocator allocator, String host, int port) {
    SslHandler handler = files.current().newHandler(allocator, host, port);
    SSLEngine engine = handler.engine();
    SSLParameters parameters = engine.getSSLParameters();
    parameters.setEndpointIdentificationAlgorithm("HTTPS"); // compares the certificate's names
    engine.setSSLParameters(parameters);
    handler.setHandshakeTimeoutMillis(HANDSHAKE_MILLIS);
    return handler;
  }

  /** What a datanode has shown, to be judged as long as the connection to it lives. */
  public ShownCertificate shownBy(SslHandler handler) {
    return new ShownCertificate(
        handler,
        true,
        () -> {
          var unused = files.current(); // looks at the files
          return authorities.get();
        });
  }

  /** What to tell people of a connection that failed. */
  public String explain(Throwable failure) {
    return isOn()
        ? TlsFailure.explain(failure, Keys.TLS_AUTHORITIES.name(), Keys.TLS_MODE.name())
        : String.valueOf(failure.getMessage());
  }
}
