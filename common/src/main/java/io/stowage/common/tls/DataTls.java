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

import io.netty.handler.ssl.ClientAuth;
import io.netty.handler.ssl.SslContextBuilder;
import io.netty.handler.ssl.SslProvider;
import io.netty.handler.ssl.SupportedCipherSuiteFilter;
import java.util.List;

/**
 * What both sides of the data plane have in common: TLS 1.3 alone, since both are ours, by the
 * JDK's own engine, AES-128 first, since it costs less than AES-256 and nobody breaks either.
 * Stateless.
 */
final class DataTls {
  private static final List<String> CIPHERS =
      List.of("TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384", "TLS_CHACHA20_POLY1305_SHA256");

  /**
   * A connection that resumes a session shows no certificate again: what has been revoked, by
   * taking it out of the authorities, is let in no longer than this.
   */
  private static final long SESSION_SECONDS = 600;

  private DataTls() {}

  static SslContextBuilder common(SslContextBuilder builder, TlsSettings settings) {
    if (settings.authorities() != null) {
      builder.trustManager(settings.authorities().toFile());
    }
    return builder
        .sslProvider(SslProvider.JDK)
        .protocols("TLSv1.3")
        .ciphers(CIPHERS, SupportedCipherSuiteFilter.INSTANCE)
        .sessionTimeout(SESSION_SECONDS);
  }

  static ClientAuth clientAuth(TlsSettings.ClientCertificates clients) {
    return switch (clients) {
      case NONE -> ClientAuth.NONE;
      case SERVICES -> ClientAuth.OPTIONAL;
      case ALL -> ClientAuth.REQUIRE;
    };
  }
}
