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
package io.stowage.realm;

import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.security.SecureRandom;
import java.util.HexFormat;
import java.util.List;
import java.util.Properties;
import java.util.concurrent.CountDownLatch;
import org.apache.kerby.kerberos.kerb.KrbException;
import org.apache.kerby.kerberos.kerb.client.KrbClient;
import org.apache.kerby.kerberos.kerb.server.SimpleKdcServer;
import org.apache.kerby.kerberos.kerb.type.ticket.TgtTicket;

/**
 * A Kerberos realm on loopback, as a process: a KDC for {@code dev-support/pseudo-cluster --secure}, and what {@code kinit}
 * does, which not every machine has.
 *
 * <pre>
 * Realm serve DIR PORT PRINCIPAL...     until SIGTERM; krb5.conf and a keytab a principal are in DIR then
 * Realm ticket DIR PRINCIPAL            writes DIR/PRINCIPAL.ticket, for KRB5CCNAME
 * </pre>
 *
 * <p>Keys are made of passwords, which DIR keeps: keytabs and what was given out before are good after a restart, but for
 * tickets, whose key dies with the process. For tests: whoever reads DIR is everybody.
 */
public final class Realm {
  static final String NAME = "STOWAGE.LOCAL";

  private static final int ATTEMPTS = 5;

  private Realm() {}

  public static void main(String[] args) throws Exception {
    if (args.length >= 4 && args[0].equals("serve")) {
      serve(Path.of(args[1]), Integer.parseInt(args[2]), List.of(args).subList(3, args.length));
    } else if (args.length == 3 && args[0].equals("ticket")) {
      ticket(Path.of(args[1]), args[2]);
    } else {
      System.err.println("usage: Realm serve DIR PORT PRINCIPAL... | ticket DIR PRINCIPAL");
      System.exit(2);
    }
    System.exit(0);
  }

  private static void serve(Path directory, int port, List<String> principals)
      throws IOException, KrbException, InterruptedException {
    Files.createDirectories(
        directory, PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rwx------")));
    Properties passwords = passwords(directory, principals);
    SimpleKdcServer server = new SimpleKdcServer();
    server.setWorkDir(Files.createDirectories(directory.resolve("kdc")).toFile());
    server.setKdcRealm(NAME);
    server.setKdcHost("localhost");
    server.setAllowUdp(false);
    server.setKdcTcpPort(port);
    server.init();
    for (String principal : principals) {
      server.createPrincipal(principal + "@" + NAME, passwords.getProperty(principal));
      Path keytab = directory.resolve(file(principal) + ".keytab");
      Files.deleteIfExists(keytab);
      server.exportPrincipal(principal + "@" + NAME, keytab.toFile());
      Files.setPosixFilePermissions(keytab, PosixFilePermissions.fromString("rw-------"));
    }
    Files.writeString(
        directory.resolve("krb5.conf"),
        """
        [libdefaults]
          default_realm = %1$s
          udp_preference_limit = 1
          dns_lookup_kdc = false
        [realms]
          %1$s = {
            kdc = localhost:%2$d
          }
        [domain_realm]
          localhost = %1$s
        """
            .formatted(NAME, port));
    CountDownLatch stopped = new CountDownLatch(1);
    Runtime.getRuntime().addShutdownHook(new Thread(stopped::countDown, "stop"));
    server.start();
    System.out.println("realm " + NAME + ": serving");
    stopped.await();
  }

  /** Those of before, and new ones of whoever is new. */
  private static Properties passwords(Path directory, List<String> principals) throws IOException {
    Path file = directory.resolve("passwords");
    Properties passwords = new Properties();
    if (Files.exists(file)) {
      try (InputStream in = Files.newInputStream(file)) {
        passwords.load(in);
      }
    }
    SecureRandom random = new SecureRandom();
    for (String principal : principals) {
      byte[] bytes = new byte[24];
      random.nextBytes(bytes);
      passwords.putIfAbsent(principal, HexFormat.of().formatHex(bytes));
    }
    try (OutputStream out = Files.newOutputStream(file)) {
      passwords.store(out, null);
    }
    return passwords;
  }

  private static String file(String principal) {
    return principal.replace('/', '_');
  }

  private static void ticket(Path directory, String principal) throws IOException, KrbException {
    KrbClient client = new KrbClient(directory.toFile()); // by its krb5.conf
    client.setAllowUdp(false);
    client.init();
    Path ticket = directory.resolve(file(principal) + ".ticket");
    client.storeTicket(
        requestTgt(
            client, principal + "@" + NAME, directory.resolve(file(principal) + ".keytab")),
        ticket.toFile());
    Files.setPosixFilePermissions(ticket, PosixFilePermissions.fromString("rw-------"));
  }

  /**
   * The client connects before it has made its request, and the KDC hangs up on who says nothing for 3 s: that a cold JVM is
   * slower on a busy machine is no refusal.
   */
  private static TgtTicket requestTgt(KrbClient client, String principal, Path keytab)
      throws KrbException {
    for (int attempt = 1; ; attempt++) {
      try {
        return client.requestTgt(principal, keytab.toFile());
      } catch (KrbException e) {
        if (!(e.getCause() instanceof IOException) || attempt == ATTEMPTS) {
          throw e;
        }
      }
    }
  }
}
