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
package io.stowage.minicluster;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.hbase.HBaseConfiguration;
import org.apache.hadoop.hbase.NamespaceDescriptor;
import org.apache.hadoop.hbase.client.Admin;
import org.apache.hadoop.hbase.client.Connection;
import org.apache.hadoop.hbase.client.ConnectionFactory;
import org.apache.hadoop.hbase.security.access.Permission;
import org.apache.hadoop.hbase.security.access.UserPermission;
import org.apache.hadoop.security.UserGroupInformation;

/**
 * What HBase's administrator does before a secure Stowage starts, for machines that have HBase's
 * jars and not its shell: {@code create_namespace 'N'} and {@code grant 'USER', 'C', '@N'}, as
 * {@code docs/SECURITY.md} has them, from standard input. HBase is the one of the class path's
 * {@code hbase-site.xml}. What is there already is left. Stateless.
 *
 * <pre>HBaseGrants PRINCIPAL KEYTAB</pre>
 */
public final class HBaseGrants {
  private static final Pattern CREATE = Pattern.compile("create_namespace '([^']+)'");
  private static final Pattern GRANT = Pattern.compile("grant '([^']+)', '([RWXCA]+)', '@([^']+)'");

  private static final int TIMEOUT_SECONDS = 60;
  private static final int PAUSE_MILLIS = 500;

  private HBaseGrants() {}

  public static void main(String[] args) throws IOException {
    List<String> lines =
        new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8))
            .lines()
            .map(String::strip)
            .filter(line -> !line.isEmpty())
            .toList();
    Configuration hbase = HBaseConfiguration.create();
    UserGroupInformation.setConfiguration(hbase);
    UserGroupInformation.loginUserFromKeytab(args[0], args[1]);
    try (Connection connection = ConnectionFactory.createConnection(hbase);
        Admin admin = connection.getAdmin()) {
      for (String line : lines) {
        runOnceItCan(admin, line);
        System.out.println(line);
      }
    }
    System.exit(0); // HBase's threads would keep the JVM for a while
  }

  /** HBase's master serves a moment before its table of permissions is there. */
  private static void runOnceItCan(Admin admin, String line) throws IOException {
    long deadline = System.nanoTime() + TimeUnit.SECONDS.toNanos(TIMEOUT_SECONDS);
    while (true) {
      try {
        run(admin, line);
        return;
      } catch (IOException e) {
        if (System.nanoTime() > deadline) {
          throw e;
        }
        LockSupport.parkNanos(TimeUnit.MILLISECONDS.toNanos(PAUSE_MILLIS));
      }
    }
  }

  private static void run(Admin admin, String line) throws IOException {
    Matcher create = CREATE.matcher(line);
    Matcher grant = GRANT.matcher(line);
    if (create.matches()) {
      if (!Arrays.asList(admin.listNamespaces()).contains(create.group(1))) {
        admin.createNamespace(NamespaceDescriptor.create(create.group(1)).build());
      }
    } else if (grant.matches()) {
      Permission.Action[] actions =
          grant
              .group(2)
              .chars()
              .mapToObj(code -> action((char) code))
              .toArray(Permission.Action[]::new);
      admin.grant(
          new UserPermission(
              grant.group(1), Permission.newBuilder(grant.group(3)).withActions(actions).build()),
          true);
    } else {
      throw new IllegalArgumentException("neither create_namespace nor grant: " + line);
    }
  }

  private static Permission.Action action(char code) {
    return switch (code) {
      case 'R' -> Permission.Action.READ;
      case 'W' -> Permission.Action.WRITE;
      case 'X' -> Permission.Action.EXEC;
      case 'C' -> Permission.Action.CREATE;
      case 'A' -> Permission.Action.ADMIN;
      default -> throw new IllegalArgumentException("no such permission: " + code);
    };
  }
}
