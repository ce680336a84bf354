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
import java.net.InetAddress;
import java.net.UnknownHostException;
import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Locale;
import java.util.TreeSet;
import java.util.stream.Stream;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.CommonConfigurationKeysPublic;
import org.apache.hadoop.ipc.Server;
import org.apache.hadoop.security.HadoopKerberosName;
import org.apache.hadoop.security.UserGroupInformation;
import org.apache.hadoop.security.UserGroupInformation.AuthenticationMethod;
import org.apache.hadoop.security.authorize.PolicyProvider;
import org.apache.hadoop.security.authorize.Service;

/**
 * What {@code stowage.security.enabled} means for Hadoop RPC: Kerberos or a delegation token on
 * every connection, service ACLs checked on every one, and nothing said that others can read unless
 * somebody wants it so. Stateless.
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

  private static final String PROTECTION = CommonConfigurationKeysPublic.HADOOP_RPC_PROTECTION;
  private static final String PRIVACY = "privacy";

  /** Where settings come from that nobody made. */
  private static final String HADOOPS_DEFAULTS = "core-default.xml";

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

  /**
   * Whether nobody on the wire can read what is said to our servers: the keys that sign tokens are
   * among it. So where security is on and nobody has said otherwise, they take nothing else, though
   * Hadoop's default is less.
   */
  public static boolean isPrivate(Configuration hadoop) {
    return isOn(hadoop)
        && (!isProtectionSet(hadoop)
            || Stream.of(hadoop.getTrimmedStrings(PROTECTION)).allMatch(PRIVACY::equalsIgnoreCase));
  }

  /** What people are told at every start, of servers or clients; empty if all is well. */
  public static String warning(Configuration hadoop) {
    return !isOn(hadoop) || isPrivate(hadoop)
        ? ""
        : "INSECURE: "
            + PROTECTION
            + " = "
            + hadoop.get(PROTECTION)
            + ", not "
            + PRIVACY
            + ": whoever listens on the network reads what is said over RPC, the keys of the data"
            + " plane's tokens among it";
  }

  /**
   * Whether somebody has set it; also where settings were handed on, as to a job's tasks, the first
   * of its sources is where it came from.
   */
  private static boolean isProtectionSet(Configuration hadoop) {
    if (hadoop.getTrimmed(PROTECTION, "").isEmpty()) {
      return false;
    }
    String[] sources = hadoop.getPropertySources(PROTECTION);
    return sources == null || sources.length == 0 || !sources[0].equals(HADOOPS_DEFAULTS);
  }

  /**
   * A client's configuration. Of servers that offer several protections it takes privacy, and what
   * somebody has set only of those that do not offer it: settings that are there for others than
   * us, or that frameworks copied from Hadoop's defaults, do not lock a client out. The choice is
   * the server's: one that wants privacy lets nobody in without. A copy, so that other systems'
   * connections of this JVM are as they were.
   */
  static Configuration ofClient(Configuration hadoop) {
    Configuration conf = new Configuration(hadoop);
    turnOn(conf);
    if (isOn(conf)) {
      LinkedHashSet<String> offered = new LinkedHashSet<>(List.of(PRIVACY));
      if (isProtectionSet(hadoop)) {
        offered.addAll(List.of(hadoop.getTrimmedStrings(PROTECTION)));
      }
      conf.set(PROTECTION, String.join(",", offered));
    }
    return conf;
  }

  /** A server's configuration, with the protection and the ACLs that nobody set. */
  static Configuration ofServer(Configuration hadoop) throws StoreException {
    Configuration conf = new Configuration(hadoop);
    turnOn(conf);
    if (isOn(conf)) {
      if (!isProtectionSet(hadoop)) {
        conf.set(PROTECTION, PRIVACY);
      }
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

  /** What stands for _HOST in the principals of a host of which a name or an address is given. */
  public static String canonicalHost(String host) throws UnknownHostException {
    return InetAddress.getByName(host).getCanonicalHostName().toLowerCase(Locale.ROOT);
  }

  /**
   * The host that the principal names of who makes the call that this thread serves; which Hadoop
   * has compared with the address that the call comes from, where the protocol says whose callers'
   * principals are.
   *
   * @throws StoreException ACCESS_DENIED of who comes without a ticket of its own, or is no host's
   */
  public static String callersHost() throws StoreException {
    UserGroupInformation caller = Server.getRemoteUser();
    String host = null;
    if (caller != null
        && caller.getRealUser() == null
        && caller.getAuthenticationMethod() == AuthenticationMethod.KERBEROS) {
      host = new HadoopKerberosName(caller.getUserName()).getHostName();
    }
    if (host == null) {
      throw new StoreException(
          ErrorCode.ACCESS_DENIED,
          "Cannot tell of which host "
              + caller
              + " is: it comes without a ticket of a principal that names one");
    }
    return host.toLowerCase(Locale.ROOT);
  }

  /** Whose ticket the call that this thread serves comes by, whoever it is made for. */
  public static String callersPrincipal() {
    UserGroupInformation caller = Server.getRemoteUser();
    UserGroupInformation real = caller.getRealUser();
    return (real == null ? caller : real).getUserName();
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
