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

import io.stowage.common.conf.ConfigKey;
import io.stowage.common.conf.Keys;
import io.stowage.common.error.ErrorCode;
import io.stowage.common.error.StoreException;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.TreeSet;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.CommonConfigurationKeysPublic;
import org.apache.hadoop.security.HadoopKerberosName;
import org.apache.hadoop.security.authorize.PolicyProvider;
import org.apache.hadoop.security.authorize.Service;

/**
 * What {@code stowage.security.enabled} means for Hadoop RPC: Kerberos or a delegation token on
 * every connection, and service ACLs checked on every one. Stateless.
 *
 * <p>ACLs are Hadoop's ({@code security.stowage.….protocol.acl}, from {@code hadoop-policy.xml} or
 * beside our own settings). Who is not named elsewhere may reach object managers, which ask
 * further; containers belong to object managers, gateways and administrators; heartbeats come from
 * datanodes alone, each from the host that its principal names.
 */
public final class RpcSecurity {
  static final String OBJECT_MANAGER_ACL = "security.stowage.object-manager.protocol.acl";
  static final String CONTAINER_MANAGER_ACL = "security.stowage.container-manager.protocol.acl";
  static final String DATANODE_REPORTS_ACL = "security.stowage.datanode-reports.protocol.acl";

  private RpcSecurity() {}

  public static boolean isOn(Configuration hadoop) {
    return hadoop.getBoolean(Keys.SECURITY_ENABLED.name(), false);
  }

  /** Completes a configuration in which security may be on; changes nothing where it is off. */
  public static void turnOn(Configuration hadoop) {
    if (!isOn(hadoop)) {
      return;
    }
    hadoop.set(CommonConfigurationKeysPublic.HADOOP_SECURITY_AUTHENTICATION, "kerberos");
    hadoop.setBoolean(CommonConfigurationKeysPublic.HADOOP_SECURITY_AUTHORIZATION, true);
  }

  /** A server's configuration, with the ACLs that nobody set. */
  static Configuration ofServer(Configuration hadoop) throws StoreException {
    Configuration conf = new Configuration(hadoop);
    turnOn(conf);
    if (isOn(conf)) {
      conf.setIfUnset(OBJECT_MANAGER_ACL, "*");
      conf.setIfUnset(CONTAINER_MANAGER_ACL, servicesAndAdministrators(conf));
      conf.setIfUnset(DATANODE_REPORTS_ACL, shortNames(conf, List.of(Keys.DATANODE_PRINCIPAL)));
    }
    return conf;
  }

  private static String servicesAndAdministrators(Configuration conf) throws StoreException {
    String services =
        shortNames(conf, List.of(Keys.SCM_PRINCIPAL, Keys.OM_PRINCIPAL, Keys.S3_PRINCIPAL));
    String administrators = conf.get(Keys.ADMINISTRATORS.name(), "");
    return services.isEmpty() || administrators.isEmpty() || administrators.startsWith(" ")
        ? services + administrators
        : services + "," + administrators;
  }

  private static String shortNames(Configuration conf, List<ConfigKey<String>> principals)
      throws StoreException {
    return String.join(",", users(conf, principals));
  }

  /** The users that auth_to_local makes of principals, sorted; of those that are set. */
  public static List<String> users(Configuration conf, List<ConfigKey<String>> principals)
      throws StoreException {
    TreeSet<String> names = new TreeSet<>();
    for (ConfigKey<String> key : principals) {
      String principal = conf.get(key.name(), "");
      if (principal.isEmpty()) {
        continue;
      }
      try {
        names.add(new HadoopKerberosName(principal).getShortName());
      } catch (IOException | IllegalArgumentException e) {
        throw new StoreException(
            ErrorCode.BAD_CONFIGURATION,
            "Cannot use " + key.name() + " = " + principal + ": " + e.getMessage(),
            e);
      }
    }
    return List.copyOf(names);
  }

  /** Our services and the keys of their ACLs. */
  static PolicyProvider policy() {
    List<Service> services = new ArrayList<>();
    services.add(new Service(OBJECT_MANAGER_ACL, RpcProtocol.ObjectManagerPb.class));
    services.add(new Service(OBJECT_MANAGER_ACL, RpcProtocol.DelegationTokensPb.class));
    services.add(new Service(CONTAINER_MANAGER_ACL, RpcProtocol.ContainerManagerPb.class));
    services.add(new Service(DATANODE_REPORTS_ACL, RpcProtocol.DatanodeReportsPb.class));
    return new PolicyProvider() {
      @Override
      public Service[] getServices() {
        return services.toArray(new Service[0]);
      }
    };
  }
}
