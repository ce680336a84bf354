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

import static java.nio.charset.StandardCharsets.ISO_8859_1;

import io.netty.handler.ssl.ClientAuth;
import io.netty.handler.ssl.SslContextBuilder;
import io.netty.handler.ssl.SslProvider;
import io.netty.handler.ssl.SupportedCipherSuiteFilter;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.GeneralSecurityException;
import java.security.KeyStore;
import java.security.cert.CertificateFactory;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import javax.net.ssl.TrustManager;
import javax.net.ssl.TrustManagerFactory;
import javax.net.ssl.X509TrustManager;

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
   * taking it out of the authorities, is let in no longer than this, and then judged again ({@link
   * ShownCertificate}).
   */
  private static final long SESSION_SECONDS = 600;

  /**
   * As OpenSSL finds it, who writes most such files, and behind a byte order mark of UTF-8, too;
   * also what begins and does not end.
   */
  private static final Pattern CERTIFICATE =
      Pattern.compile(
          "(?<=^(?:\\xEF\\xBB\\xBF)?)-----BEGIN ((?:X509 )?CERTIFICATE)-----"
              + "[^-]*(-----END \\1-----)?",
          Pattern.MULTILINE);

  private static final int END = 2; // a group of it

  private DataTls() {}

  /**
   * @param authorities null: those that the JDK trusts
   */
  static SslContextBuilder common(SslContextBuilder builder, X509TrustManager authorities) {
    return builder
        .trustManager(authorities)
        .sslProvider(SslProvider.JDK)
        .protocols("TLSv1.3")
        .ciphers(CIPHERS, SupportedCipherSuiteFilter.INSTANCE)
        .sessionTimeout(SESSION_SECONDS);
  }

  /**
   * Judges certificates by a PEM file of authorities, of which nothing else is read: bundles have
   * comments, lists of what is revoked, and now and then a key.
   *
   * @param authorities null: nobody is named
   * @return null for null
   */
  static X509TrustManager trust(Path authorities) throws IOException {
    if (authorities == null) {
      return null;
    }
    try {
      KeyStore trusted = KeyStore.getInstance(KeyStore.getDefaultType());
      trusted.load(null, null);
      CertificateFactory certificates = CertificateFactory.getInstance("X.509");
      Matcher each = CERTIFICATE.matcher(Files.readString(authorities, ISO_8859_1));
      while (each.find()) {
        if (each.group(END) == null) { // nor are those before it all that there are to be
          throw new IOException(authorities + " ends, or has something else, within a certificate");
        }
        trusted.setCertificateEntry(
            "authority " + trusted.size(),
            certificates.generateCertificate(
                new ByteArrayInputStream(each.group().getBytes(ISO_8859_1))));
      }
      if (trusted.size() == 0) {
        throw new IOException(authorities + " has no certificate");
      }
      TrustManagerFactory factory =
          TrustManagerFactory.getInstance(TrustManagerFactory.getDefaultAlgorithm());
      factory.init(trusted);
      for (TrustManager manager : factory.getTrustManagers()) {
        if (manager instanceof X509TrustManager judge) {
          return judge;
        }
      }
      throw new IOException("this JDK judges no certificates by " + factory.getAlgorithm());
    } catch (GeneralSecurityException e) {
      throw new IOException(authorities + ": " + e.getMessage(), e);
    }
  }

  static ClientAuth clientAuth(TlsSettings.ClientCertificates clients) {
    return switch (clients) {
      case NONE -> ClientAuth.NONE;
      case SERVICES -> ClientAuth.OPTIONAL;
      case ALL -> ClientAuth.REQUIRE;
    };
  }
}
