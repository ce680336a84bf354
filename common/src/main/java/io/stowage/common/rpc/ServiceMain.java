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

import io.stowage.common.conf.Exposure;
import io.stowage.common.conf.Keys;
import io.stowage.common.conf.StowageConfig;
import io.stowage.common.error.ErrorCode;
import io.stowage.common.error.StoreException;
import io.stowage.common.metrics.HealthCheck;
import io.stowage.common.metrics.MetricSystem;
import io.stowage.common.metrics.MetricsServer;
import io.stowage.common.metrics.ProcessHealth;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import org.apache.hadoop.conf.Configuration;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * What every role's {@code main} does around its own: reads {@code [--conf DIR] [--insecure]}, logs
 * in to Kerberos if security is on, tells how the process is, starts the role, stops it on SIGTERM
 * or Ctrl-C, and turns a failure into one line on standard error and exit code 1. The JVM is ended
 * by force after a failure, since threads of ZooKeeper and Hadoop would keep it. A role whose
 * HBase, ZooKeeper or disks are not there is no failure: it waits for them, and says so, so that
 * the roles of a cluster may be started in any order. Stateless.
 */
public final class ServiceMain {
  private static final Logger LOG = LoggerFactory.getLogger(ServiceMain.class);

  /** Between two attempts to start; one at an HBase that does not answer takes 10 s and more. */
  private static final long LATER_MILLIS = 2_000;

  /** A role. */
  public interface Service {
    /** Starts the role. */
    Running start(StowageConfig config, Configuration hadoop) throws Exception;
  }

  /**
   * A role that runs.
   *
   * @param stop ends it
   * @param roles who tell how ready it is; several if it hosts others
   */
  public record Running(AutoCloseable stop, List<HealthCheck> roles) {
    /** A role alone. */
    public static <T extends AutoCloseable & HealthCheck> Running of(T role) {
      return new Running(role, List.of(role));
    }
  }

  private ServiceMain() {}

  /**
   * Runs until the process is told to stop.
   *
   * @param name of the role, for people
   */
  public static void run(String name, KerberosLogin.Role role, String[] args, Service service) {
    try {
      Configuration hadoop = configuration(args);
      StowageConfig config = SiteConfiguration.stowage(hadoop);
      List<String> exposed = Exposure.check(config);
      if (!exposed.isEmpty()) {
        System.err.println("stowage " + name + ": " + Exposure.warning(exposed));
      }
      String heard = RpcSecurity.warning(hadoop);
      if (!heard.isEmpty()) {
        LOG.warn(heard);
        System.err.println("stowage " + name + ": " + heard);
      }
      KerberosLogin login = KerberosLogin.login(role, config, hadoop).ofWholeProcess();
      if (!role.equals(KerberosLogin.Role.DATANODE)) { // which keeps no secrets
        String unsealed = CredentialSeal.warning(config, hadoop); // the log is told by who seals
        if (!unsealed.isEmpty()) {
          System.err.println("stowage " + name + ": " + unsealed);
        }
      }
      MetricSystem.start("stowage-" + name);
      ProcessHealth health = new ProcessHealth(name);
      MetricsServer metrics =
          MetricsServer.start(
              config, () -> Credentials.read(hadoop, Credentials.METRICS_TOKEN), health);
      Running running = startOnce(name, service, config, hadoop, LATER_MILLIS);
      health.serves(running.roles());
      CountDownLatch stopped = new CountDownLatch(1);
      Runtime.getRuntime()
          .addShutdownHook(
              new Thread(
                  () -> {
                    health.stops();
                    stop(name, running.stop());
                    if (metrics != null) {
                      metrics.close(); // last: who looks is told that it stops
                    }
                    login.close();
                    stopped.countDown();
                  },
                  name + "-stop"));
      LOG.info("{} is serving", name);
      System.out.println("stowage " + name + ": serving");
      stopped.await();
    } catch (Throwable e) {
      LOG.error("{} cannot run", name, e);
      System.err.println("stowage " + name + ": " + oneLine(e));
      Runtime.getRuntime().halt(1);
    }
  }

  /** Starts the role as soon as what it needs can be reached. */
  static Running startOnce(
      String role, Service service, StowageConfig config, Configuration hadoop, long laterMillis)
      throws Exception {
    String told = null;
    while (true) {
      try {
        return service.start(config, hadoop);
      } catch (StoreException e) {
        if (e.code() != ErrorCode.UNAVAILABLE) {
          throw e;
        }
        if (e.toString().equals(told)) {
          LOG.warn("{} cannot start yet, as before: {}", role, oneLine(e));
        } else {
          LOG.warn("{} cannot start yet; trying again", role, e);
          told = e.toString();
        }
        System.err.println("stowage " + role + ": not yet: " + oneLine(e));
        Thread.sleep(laterMillis);
      }
    }
  }

  /** In any order: {@code --conf DIR}, {@code --insecure}. */
  static Configuration configuration(String... args) throws StoreException {
    Path directory = null;
    boolean insecure = false;
    for (int i = 0; i < args.length; i++) {
      if (args[i].equals("--insecure")) {
        insecure = true;
      } else if (args[i].equals("--conf") && i + 1 < args.length) {
        directory = Path.of(args[++i]);
      } else {
        throw new IllegalArgumentException(
            "expected [--conf DIR] [--insecure], got " + String.join(" ", args));
      }
    }
    Configuration hadoop =
        directory == null
            ? SiteConfiguration.fromClassPath()
            : SiteConfiguration.fromDirectory(directory);
    if (insecure) {
      hadoop.setBoolean(Keys.INSECURE.name(), true);
    }
    return hadoop;
  }

  private static void stop(String role, AutoCloseable running) {
    LOG.info("{} is stopping", role);
    try {
      running.close();
      LOG.info("{} has stopped", role);
    } catch (Exception e) {
      LOG.warn("{} did not stop cleanly", role, e);
    }
  }

  private static String oneLine(Throwable failure) {
    String message = failure.getMessage() == null ? failure.toString() : failure.getMessage();
    int end = message.indexOf('\n');
    return end < 0 ? message : message.substring(0, end);
  }
}
