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
package io.stowage.common.rpc;

import java.io.IOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.nio.file.Files;
import java.nio.file.Path;
import org.apache.hadoop.security.UserGroupInformation;
import org.apache.kerby.kerberos.kerb.KrbException;
import org.apache.kerby.kerberos.kerb.client.KrbClient;
import org.apache.kerby.kerberos.kerb.server.KdcConfigKey;
import org.apache.kerby.kerberos.kerb.server.SimpleKdcServer;

/**
 * A Kerberos realm of this JVM: a KDC on loopback and keytabs in a directory. Has to be there
 * before any class of Kerberos is, since the JDK reads {@code java.security.krb5.conf} once.
 */
public final class TestKdc implements AutoCloseable {
  public static final String REALM = "STOWAGE.TEST";

  private final Path directory;
  private final SimpleKdcServer server;

  private TestKdc(Path directory, SimpleKdcServer server) {
    this.directory = directory;
    this.server = server;
  }

  /**
   * Starts a realm.
   *
   * @param ticketSeconds life of tickets
   */
  public static TestKdc start(Path directory, int ticketSeconds) throws IOException {
    try {
      int port;
      try (ServerSocket free = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
        port = free.getLocalPort();
      }
      SimpleKdcServer server = new SimpleKdcServer();
      server.setWorkDir(directory.toFile());
      server.setKdcRealm(REALM);
      server.setKdcHost("localhost");
      server.setAllowUdp(false);
      server.setKdcTcpPort(port);
      server.getKdcConfig().setLong(KdcConfigKey.MINIMUM_TICKET_LIFETIME, 1L);
      server.init();
      server.start();
      Path conf = directory.resolve("client-krb5.conf");
      Files.writeString(
          conf,
          """
          [libdefaults]
            default_realm = %1$s
            udp_preference_limit = 1
            ticket_lifetime = %3$ds
            dns_lookup_kdc = false
          [realms]
            %1$s = {
              kdc = localhost:%2$d
            }
          [domain_realm]
            localhost = %1$s
          """
              .formatted(REALM, port, ticketSeconds));
      System.setProperty("java.security.krb5.conf", conf.toString());
      return new TestKdc(directory, server);
    } catch (KrbException e) {
      throw new IOException("no KDC: " + e.getMessage(), e);
    }
  }

  /** Makes a principal, such as "alice" or "om/localhost", and a keytab with its keys. */
  public Path keytab(String principal) throws IOException {
    Path keytab = directory.resolve(principal.replace('/', '_') + ".keytab");
    if (!Files.exists(keytab)) {
      try {
        server.createPrincipal(principal + "@" + REALM);
        server.exportPrincipal(principal + "@" + REALM, keytab.toFile());
      } catch (KrbException e) {
        throw new IOException("no principal " + principal + ": " + e.getMessage(), e);
      }
    }
    return keytab;
  }

  /** A file as kinit leaves it, for {@code KRB5CCNAME} of other processes. */
  public Path ticketCache(String principal) throws IOException {
    Path cache = directory.resolve(principal.replace('/', '_') + ".ticket");
    try {
      KrbClient client = server.getKrbClient();
      client.storeTicket(
          client.requestTgt(principal + "@" + REALM, keytab(principal).toFile()), cache.toFile());
    } catch (KrbException e) {
      throw new IOException("no ticket for " + principal + ": " + e.getMessage(), e);
    }
    return cache;
  }

  /** A user with a ticket, which nobody renews. Security has to be on. */
  public UserGroupInformation logIn(String principal) throws IOException {
    return UserGroupInformation.loginUserFromKeytabAndReturnUGI(
        principal + "@" + REALM, keytab(principal).toString());
  }

  @Override
  public void close() {
    try {
      server.stop();
    } catch (KrbException e) {
      throw new IllegalStateException("the KDC did not stop", e);
    }
  }
}
