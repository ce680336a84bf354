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

import io.netty.handler.ssl.SslHandler;
import java.security.cert.Certificate;
import java.security.cert.CertificateException;
import java.security.cert.X509Certificate;
import java.util.Arrays;
import java.util.function.Supplier;
import javax.net.ssl.SSLPeerUnverifiedException;
import javax.net.ssl.X509TrustManager;

/**
 * What the other end of an open connection has shown, or had shown when the session began that it
 * goes on with. Connections live for days: it is judged again when the files of authorities have
 * changed. Confined to the connection's event loop, once the handshake is over.
 */
public final class ShownCertificate {
  /** Of servers, in TLS 1.3: how keys are exchanged is no matter of the certificate. */
  private static final String ANY_KEY_EXCHANGE = "UNKNOWN";

  private final SslHandler connection;
  private final boolean ofServer;
  private final Supplier<X509TrustManager> authorities;
  private X509TrustManager judged; // by whom it was, and found good

  /**
   * @param authorities those of now, another object once files have changed; null: nobody is named
   */
  ShownCertificate(
      SslHandler connection, boolean ofServer, Supplier<X509TrustManager> authorities) {
    this.connection = connection;
    this.ofServer = ofServer;
    this.authorities = authorities;
  }

  /** Whether the authorities of now vouch for it. */
  public boolean isVouchedFor() {
    X509TrustManager now = authorities.get();
    if (now == null || now == judged) {
      return true;
    }
    try {
      Certificate[] shown = connection.engine().getSession().getPeerCertificates();
      X509Certificate[] chain = Arrays.copyOf(shown, shown.length, X509Certificate[].class);
      if (ofServer) {
        now.checkServerTrusted(chain, ANY_KEY_EXCHANGE);
      } else {
        now.checkClientTrusted(chain, chain[0].getPublicKey().getAlgorithm());
      }
      judged = now;
      return true;
    } catch (SSLPeerUnverifiedException | CertificateException e) {
      return false;
    }
  }
}
