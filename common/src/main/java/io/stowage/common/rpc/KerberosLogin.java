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
import io.stowage.common.conf.StowageConfig;
import io.stowage.common.error.ErrorCode;
import io.stowage.common.error.StoreException;
import java.io.IOException;
import java.net.InetAddress;
import java.net.UnknownHostException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Locale;
import java.util.concurrent.Executors;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.ScheduledFuture;
import java.util.concurrent.TimeUnit;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.security.SecurityUtil;
import org.apache.hadoop.security.UserGroupInformation;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Who a role is to others: with security on, a Kerberos principal whose keys come from a keytab;
 * without, the user of the process. Owns one thread, which logs in again when four fifths of a
 * ticket's life are over. Hadoop's RPC client does that only for the user whom a process runs as
 * and only when a connection has failed already. Thread-safe.
 *
 * <p>Hadoop keeps whether security is on as one setting of the whole JVM; a login turns it on.
 */
public final class KerberosLogin implements AutoCloseable {
  private static final Logger LOG = LoggerFactory.getLogger(KerberosLogin.class);

  /** A look at the ticket costs nothing, and a ticket lives for a minute at least. */
  private static final long LOOK_SECONDS = 1;

  /** Hadoop's own would let a ticket of a minute lapse. */
  private static final int MIN_SECONDS_BETWEEN_LOGINS = 2;

  private static final int HADOOPS_MIN_SECONDS = 60;
  private static final String MIN_SECONDS_KEY = "hadoop.kerberos.min.seconds.before.relogin";

  /**
   * Which principal.
   *
   * @param host says by which name others reach the role, where {@code bind} does not; or null
   */
  public record Role(
      ConfigKey<String> principal,
      ConfigKey<String> keytab,
      ConfigKey<String> bind,
      ConfigKey<String> host) {
    public static final Role SCM =
        new Role(Keys.SCM_PRINCIPAL, Keys.SCM_KEYTAB, Keys.SCM_BIND, null);
    public static final Role OBJECT_MANAGER =
        new Role(Keys.OM_PRINCIPAL, Keys.OM_KEYTAB, Keys.OM_BIND, null);
    public static final Role DATANODE =
        new Role(
            Keys.DATANODE_PRINCIPAL, Keys.DATANODE_KEYTAB, Keys.DATANODE_BIND, Keys.DATANODE_HOST);
    public static final Role GATEWAY =
        new Role(Keys.S3_PRINCIPAL, Keys.S3_KEYTAB, Keys.S3_BIND, null);

    /** What stands for _HOST: the name that others reach the role by. */
    private String hostName(StowageConfig config) throws StoreException {
      String bound = config.get(bind);
      String name = host == null ? "" : config.get(host);
      if (name.isEmpty()) {
        name = bound.substring(0, Math.max(0, bound.lastIndexOf(':')));
      }
      try {
        return name.isEmpty() || InetAddress.getByName(name).isAnyLocalAddress()
            ? InetAddress.getLocalHost().getCanonicalHostName().toLowerCase(Locale.ROOT)
            : RpcSecurity.canonicalHost(name);
      } catch (UnknownHostException e) {
        throw new StoreException(
            ErrorCode.BAD_CONFIGURATION,
            "Cannot log in: the host of " + bind.name() + " = " + bound + " is not known",
            e);
      }
    }
  }

  private final UserGroupInformation user;
  private final ScheduledExecutorService renewing; // null: nothing to renew

  private KerberosLogin(UserGroupInformation user, ScheduledExecutorService renewing) {
    this.user = user;
    this.renewing = renewing;
  }

  /**
   * Logs in. The caller acts as {@link #user}, or calls {@link #ofWholeProcess}.
   *
   * @param hadoop told, too, that security is on
   * @throws StoreException BAD_CONFIGURATION if principal or keytab are missing or wrong, or the
   *     KDC does not take them
   */
  public static KerberosLogin login(Role role, StowageConfig config, Configuration hadoop)
      throws StoreException {
    try {
      if (!config.get(Keys.SECURITY_ENABLED)) {
        return new KerberosLogin(UserGroupInformation.getCurrentUser(), null);
      }
      RpcSecurity.turnOn(hadoop);
      if (hadoop.getInt(MIN_SECONDS_KEY, HADOOPS_MIN_SECONDS) == HADOOPS_MIN_SECONDS) {
        hadoop.setInt(MIN_SECONDS_KEY, MIN_SECONDS_BETWEEN_LOGINS);
      }
      UserGroupInformation.setConfiguration(hadoop);
      String principal =
          needed(role.principal, config)
              .replace(SecurityUtil.HOSTNAME_PATTERN, role.hostName(config));
      String keytab = needed(role.keytab, config);
      if (!Files.isReadable(Path.of(keytab))) {
        throw new StoreException(
            ErrorCode.BAD_CONFIGURATION,
            "Cannot log in as "
                + principal
                + ": "
                + role.keytab.name()
                + " = "
                + keytab
                + " cannot be read");
      }
      UserGroupInformation user;
      try {
        user = UserGroupInformation.loginUserFromKeytabAndReturnUGI(principal, keytab);
      } catch (IOException e) {
        throw new StoreException(
            ErrorCode.BAD_CONFIGURATION,
            "Cannot log in as " + principal + " with keytab " + keytab + ": " + rootOf(e),
            e);
      }
      LOG.info("Logged in as {} ({})", principal, user.getShortUserName());
      return renewed(user);
    } catch (StoreException e) {
      throw e;
    } catch (IOException e) {
      throw new StoreException(
          ErrorCode.BAD_CONFIGURATION, "Cannot tell which user we run as: " + e.getMessage(), e);
    }
  }

  private static KerberosLogin renewed(UserGroupInformation user) {
    ScheduledExecutorService renewing =
        Executors.newSingleThreadScheduledExecutor(
            work -> {
              Thread thread = new Thread(work, "kerberos-" + user.getShortUserName());
              thread.setDaemon(true);
              return thread;
            });
    ScheduledFuture<?> unused = // what it throws is caught
        renewing.scheduleWithFixedDelay(
            () -> renew(user), LOOK_SECONDS, LOOK_SECONDS, TimeUnit.SECONDS);
    return new KerberosLogin(user, renewing);
  }

  private static void renew(UserGroupInformation user) {
    try {
      user.checkTGTAndReloginFromKeytab();
    } catch (IOException | RuntimeException e) {
      LOG.warn(
          "Cannot renew the ticket of {}; trying again in {} s: {}",
          user.getUserName(),
          LOOK_SECONDS,
          rootOf(e));
    }
  }

  private static String needed(ConfigKey<String> key, StowageConfig config) throws StoreException {
    String value = config.get(key);
    if (value.isEmpty()) {
      throw new StoreException(
          ErrorCode.BAD_CONFIGURATION,
          "Cannot start with " + Keys.SECURITY_ENABLED.name() + ": " + key.name() + " is not set");
    }
    return value;
  }

  /** The innermost cause: Hadoop's own says only that a login failed. */
  static String rootOf(Throwable failure) {
    Throwable root = failure;
    while (root.getCause() != null && root.getCause() != root) {
      root = root.getCause();
    }
    return root.getMessage() == null ? root.toString() : root.getMessage();
  }

  /** Whom the role acts as. */
  public UserGroupInformation user() {
    return user;
  }

  /** From now on every thread of this JVM acts as this user, unless it says otherwise. */
  public KerberosLogin ofWholeProcess() {
    if (renewing != null) {
      UserGroupInformation.setLoginUser(user);
    }
    return this;
  }

  @Override
  public void close() {
    if (renewing != null) {
      renewing.shutdownNow();
    }
  }
}
