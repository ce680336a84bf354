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

import io.netty.handler.ssl.JdkSslContext;
import io.netty.handler.ssl.SslContextBuilder;
import io.netty.handler.ssl.SslProvider;
import io.stowage.common.conf.StowageConfig;
import io.stowage.common.error.StoreException;
import java.security.KeyManagementException;
import java.security.SecureRandom;
import java.util.List;
import javax.net.ssl.KeyManager;
import javax.net.ssl.SSLContext;
import javax.net.ssl.SSLContextSpi;
import javax.net.ssl.SSLEngine;
import javax.net.ssl.SSLParameters;
import javax.net.ssl.SSLServerSocketFactory;
import javax.net.ssl.SSLSessionContext;
import javax.net.ssl.SSLSocketFactory;
import javax.net.ssl.TrustManager;

/**
 * The host's certificate for the JDK's HTTPS server, which takes one context for as long as it
 * lives: each engine of this one comes of the files as they are then. Thread-safe.
 */
public final class HttpsContext {
  private HttpsContext() {}

  /**
   * As the settings say; reads the files. Null if there is no certificate.
   *
   * @throws StoreException BAD_CONFIGURATION if they cannot be used
   */
  public static SSLContext from(StowageConfig config) throws StoreException {
    TlsSettings settings = TlsSettings.of(config);
    if (settings.certificate() == null) {
      return null;
    }
    TlsFiles files =
        TlsFiles.read(
            "serve TLS",
            List.of(settings.certificate(), settings.key()),
            () ->
                SslContextBuilder.forServer(
                        settings.certificate().toFile(), settings.key().toFile())
                    .sslProvider(SslProvider.JDK)
                    .protocols("TLSv1.3", "TLSv1.2")
                    .build());
    SSLContext first = context(files);
    return new SSLContext(new Current(files), first.getProvider(), first.getProtocol()) {};
  }

  private static SSLContext context(TlsFiles files) {
    return ((JdkSslContext) files.current()).context();
  }

  private static final class Current extends SSLContextSpi {
    private final TlsFiles files;

    Current(TlsFiles files) {
      this.files = files;
    }

    @Override
    protected void engineInit(KeyManager[] keys, TrustManager[] trust, SecureRandom random)
        throws KeyManagementException {
      throw new KeyManagementException("made of files");
    }

    @Override
    protected SSLEngine engineCreateSSLEngine() {
      return context(files).createSSLEngine();
    }

    @Override
    protected SSLEngine engineCreateSSLEngine(String host, int port) {
      return context(files).createSSLEngine(host, port);
    }

    @Override
    protected SSLSocketFactory engineGetSocketFactory() {
      return context(files).getSocketFactory();
    }

    @Override
    protected SSLServerSocketFactory engineGetServerSocketFactory() {
      return context(files).getServerSocketFactory();
    }

    @Override
    protected SSLSessionContext engineGetServerSessionContext() {
      return context(files).getServerSessionContext();
    }

    @Override
    protected SSLSessionContext engineGetClientSessionContext() {
      return context(files).getClientSessionContext();
    }

    @Override
    protected SSLParameters engineGetDefaultSSLParameters() {
      return context(files).getDefaultSSLParameters();
    }

    @Override
    protected SSLParameters engineGetSupportedSSLParameters() {
      return context(files).getSupportedSSLParameters();
    }
  }
}
