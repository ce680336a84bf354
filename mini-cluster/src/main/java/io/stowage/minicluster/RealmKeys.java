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

import java.nio.file.Path;
import javax.security.auth.login.Configuration;
import org.apache.hadoop.hbase.security.access.AccessController;
import org.apache.hadoop.security.UserGroupInformation;
import org.apache.hadoop.security.authentication.util.JaasConfiguration;

/**
 * Who ZooKeeper and HBase are in a Kerberos realm that this JVM's {@code java.security.krb5.conf}
 * names. Immutable.
 */
public record RealmKeys(
    String zooKeeperPrincipal, Path zooKeeperKeytab, String hbasePrincipal, Path hbaseKeytab) {
  /** Where a ZooKeeper server looks for who it is. */
  private static final String SERVER_SECTION = "Server";

  /** The next ZooKeeper server of this JVM lets clients log in. */
  void letZooKeeperServe() {
    Configuration.setConfiguration(
        new JaasConfiguration(SERVER_SECTION, zooKeeperPrincipal, zooKeeperKeytab.toString()));
  }

  /**
   * HBase as its principal, which this whole JVM is then, and which alone may do everything; what
   * others may is granted to them.
   */
  void secure(org.apache.hadoop.conf.Configuration hbase) {
    hbase.set("hadoop.security.authentication", "kerberos");
    hbase.set("hbase.security.authentication", "kerberos");
    hbase.set("hbase.rpc.protection", "privacy");
    hbase.setBoolean("hbase.security.authorization", true);
    for (String where : new String[] {"master", "region", "regionserver"}) {
      hbase.set("hbase.coprocessor." + where + ".classes", AccessController.class.getName());
    }
    for (String role : new String[] {"master", "regionserver"}) {
      hbase.set("hbase." + role + ".kerberos.principal", hbasePrincipal);
      hbase.set("hbase." + role + ".keytab.file", hbaseKeytab.toString());
    }
    hbase.set("hbase.zookeeper.client.kerberos.principal", hbasePrincipal);
    hbase.set("hbase.zookeeper.client.keytab.file", hbaseKeytab.toString());
    hbase.set("hbase.zookeeper.quorum", "localhost"); // by its name, as in its principal
    UserGroupInformation.setConfiguration(hbase);
  }
}
