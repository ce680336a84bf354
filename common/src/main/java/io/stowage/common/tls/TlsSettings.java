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

import io.stowage.common.conf.Keys;
import io.stowage.common.conf.StowageConfig;
import io.stowage.common.error.ErrorCode;
import io.stowage.common.error.StoreException;
import java.nio.file.Path;

/**
 * What the administrator says about TLS between clients, services and datanodes. Immutable.
 *
 * @param certificate null: none
 * @param key null: none
 * @param authorities null: those that the JDK trusts
 */
record TlsSettings(
    Mode mode, Path certificate, Path key, Path authorities, ClientCertificates clients) {
  /** Steps by which a running cluster goes from one end to the other, a restart each. */
  enum Mode {
    /** Nothing is encrypted. */
    OFF,
    /** Datanodes take both; nobody speaks TLS yet. */
    ACCEPT,
    /** Everybody speaks TLS; datanodes still take both. */
    SPEAK,
    /** Everybody speaks TLS, and datanodes take nothing else. */
    ONLY;

    boolean isSpoken() {
      return this == SPEAK || this == ONLY;
    }
  }

  /** Who has to show a certificate to datanodes. */
  enum ClientCertificates {
    NONE,
    SERVICES,
    ALL
  }

  static TlsSettings of(StowageConfig config) throws StoreException {
    String mode = config.get(Keys.TLS_MODE);
    Mode chosen =
        switch (mode) {
          case "off" -> Mode.OFF;
          case "accept" -> Mode.ACCEPT;
          case "speak" -> Mode.SPEAK;
          case "only" -> Mode.ONLY;
          default ->
              throw refused(Keys.TLS_MODE.name() + " = '" + mode + "': off, accept, speak or only");
        };
    String clients = config.get(Keys.TLS_CLIENT_CERTIFICATES);
    ClientCertificates asked =
        switch (clients) {
          case "none" -> ClientCertificates.NONE;
          case "services" -> ClientCertificates.SERVICES;
          case "all" -> ClientCertificates.ALL;
          default ->
              throw refused(
                  Keys.TLS_CLIENT_CERTIFICATES.name()
                      + " = '"
                      + clients
                      + "': none, services or all");
        };
    Path certificate = path(config.get(Keys.TLS_CERTIFICATE));
    Path key = path(config.get(Keys.TLS_KEY));
    if ((certificate == null) != (key == null)) {
      throw refused(
          Keys.TLS_CERTIFICATE.name() + " and " + Keys.TLS_KEY.name() + ": one without the other");
    }
    Path authorities = path(config.get(Keys.TLS_AUTHORITIES));
    if (asked != ClientCertificates.NONE) {
      // Whoever may come without encryption shows no certificate either.
      require(chosen == Mode.ONLY, Keys.TLS_MODE.name() + " = only");
      // Anybody gets a certificate of those whom the JDK trusts.
      require(authorities != null, Keys.TLS_AUTHORITIES.name());
      // Without tokens nobody knows a service from a user.
      require(
          asked == ClientCertificates.ALL || config.get(Keys.SECURITY_ENABLED),
          Keys.SECURITY_ENABLED.name());
    }
    return new TlsSettings(chosen, certificate, key, authorities, asked);
  }

  private static void require(boolean met, String what) throws StoreException {
    if (!met) {
      throw refused(Keys.TLS_CLIENT_CERTIFICATES.name() + " without " + what);
    }
  }

  static StoreException refused(String what) {
    return new StoreException(ErrorCode.BAD_CONFIGURATION, "Cannot use " + what);
  }

  private static Path path(String name) {
    return name.isEmpty() ? null : Path.of(name);
  }
}
