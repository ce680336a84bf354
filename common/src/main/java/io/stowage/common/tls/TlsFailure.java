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

import java.nio.channels.ClosedChannelException;
import java.security.cert.CertPathBuilderException;
import java.security.cert.CertPathValidatorException;
import java.security.cert.CertificateException;
import java.security.cert.CertificateExpiredException;
import java.security.cert.CertificateNotYetValidException;
import javax.net.ssl.SSLException;

/** Says in words what the JDK's exceptions of TLS mean and who is to do something. Stateless. */
final class TlsFailure {
  /** Longer chains of causes are loops. */
  private static final int MOST_CAUSES = 20;

  private TlsFailure() {}

  static String explain(Throwable failure, String authoritiesKey, String modeKey) {
    CertificateException certificate = find(failure, CertificateException.class);
    if (find(failure, CertificateExpiredException.class) != null) {
      return "its certificate has expired: " + deepest(failure);
    }
    if (find(failure, CertificateNotYetValidException.class) != null) {
      return "its certificate is not valid yet: " + deepest(failure);
    }
    if (find(failure, CertPathBuilderException.class) != null
        || find(failure, CertPathValidatorException.class) != null) {
      return "nobody in " + authoritiesKey + " vouches for its certificate: " + deepest(failure);
    }
    if (certificate != null) {
      return "its certificate is for another host, or not good: " + deepest(failure);
    }
    SSLException ssl = find(failure, SSLException.class);
    if (ssl == null && find(failure, ClosedChannelException.class) == null) {
      return String.valueOf(failure.getMessage()); // nothing of TLS
    }
    String said = ssl == null ? null : ssl.getMessage();
    if (said != null
        && (said.contains("certificate_required") || said.contains("bad_certificate"))) {
      return "the other side wants a certificate that it believes: " + said;
    }
    if (said != null && said.contains("certificate")) { // an alert
      return "the other side does not believe the certificate: " + said;
    }
    if (said != null && said.contains("not an SSL/TLS record")) {
      return "it does not speak TLS (" + modeKey + "): it answered something else";
    }
    if (said == null || find(failure, ClosedChannelException.class) != null || closed(said)) {
      return "the connection ended in the TLS handshake; the other side may not speak TLS ("
          + modeKey
          + "): "
          + deepest(failure);
    }
    return "TLS failed: " + said;
  }

  private static boolean closed(String said) {
    return said.contains("closed") || said.contains("Closed");
  }

  private static <T> T find(Throwable failure, Class<T> type) {
    Throwable at = failure;
    for (int i = 0; at != null && i < MOST_CAUSES; i++) {
      if (type.isInstance(at)) {
        return type.cast(at);
      }
      at = at.getCause();
    }
    return null;
  }

  private static String deepest(Throwable failure) {
    Throwable at = failure;
    for (int i = 0; at.getCause() != null && i < MOST_CAUSES; i++) {
      at = at.getCause();
    }
    return at.getMessage() == null ? at.getClass().getSimpleName() : at.getMessage();
  }
}
