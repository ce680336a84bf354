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
package io.stowage.dev.chaos;

import io.stowage.common.conf.Keys;
import io.stowage.common.conf.StowageConfig;
import io.stowage.common.error.StoreException;
import io.stowage.common.om.ObjectManager;
import io.stowage.common.proto.ClusterStatusReply;
import io.stowage.common.proto.ClusterStatusRequest;
import io.stowage.common.rpc.RpcClient;
import io.stowage.common.rpc.RpcProtocol;
import io.stowage.common.rpc.SiteConfiguration;
import io.stowage.common.scm.ContainerManager;
import io.stowage.dev.s3.S3Connection;
import io.stowage.dev.s3.S3Credentials;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.URI;
import java.nio.file.Path;
import java.time.Duration;
import java.time.InstantSource;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.TimeUnit;
import org.apache.hadoop.conf.Configuration;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/** {@code dev-support/chaos} on a running pseudo-cluster: exit code 0 if every answer was right. */
@Command(
    name = "chaos",
    mixinStandardHelpOptions = true,
    sortOptions = false,
    description = "Uses a pseudo-cluster and damages it at once; checks every answer.")
public final class Chaos implements Callable<Integer> {
  private static final int WATCH_MILLIS = 2000;

  /** A run as long as this with faults of disks has shards rebuilt and containers emptied. */
  private static final int LONG_SECONDS = 600;

  /** Shorter than a fault may last, so that a paused object manager is not waited for. */
  private static final Duration CALL_TIMEOUT = Duration.ofSeconds(5);

  /** How long a rename is tried at one object manager after another. */
  private static final Duration CALL_DEADLINE = Duration.ofSeconds(30);

  @Option(names = "--cluster", required = true, description = "directory of the pseudo-cluster")
  private Path directory;

  @Option(names = "--script", required = true, description = "dev-support/pseudo-cluster")
  private Path script;

  @Option(names = "--endpoint", required = true, description = "URL")
  private URI endpoint;

  @Option(names = "--bucket", defaultValue = "chaos", description = "made if it is not there")
  private String bucket;

  @Option(names = "--seconds", defaultValue = "300", description = "of load (${DEFAULT-VALUE})")
  private int seconds;

  @Option(names = "--seed", description = "of faults and load; random if not said")
  private Long seed;

  @Option(names = "--threads", defaultValue = "8", description = "clients (${DEFAULT-VALUE})")
  private int threads;

  @Option(names = "--keys", defaultValue = "150", description = "of each client")
  private int keys;

  @Option(
      names = "--unit-millis",
      defaultValue = "2000",
      description = "faults, and the rests between them, last one to nine of these")
  private int unitMillis;

  @Option(names = "--max-bytes", defaultValue = "6000000000", description = "of shard files")
  private long maxBytes;

  @Option(names = "--without-faults", description = "the load and its checks alone")
  private boolean withoutFaults;

  @Option(names = "--services", split = ",", description = "whose faults are wanted; all")
  private List<String> services = PseudoCluster.SERVICES;

  @Option(names = "--without-disks", description = "no faults of datanodes")
  private boolean withoutDisks;

  private volatile boolean watching;

  public static void main(String[] args) {
    CommandLine commandLine = new CommandLine(new Chaos());
    commandLine.setExecutionExceptionHandler(
        (failure, command, parsed) -> {
          command.getErr().println("chaos: " + failure.getMessage());
          return 1;
        });
    System.exit(commandLine.execute(args));
  }

  @Override
  public Integer call() throws Exception {
    long chosen = seed == null ? System.nanoTime() & 0xffffff : seed;
    boolean rots = (chosen & 1) == 0;
    Path logPath = directory.resolve("logs").resolve("chaos-" + chosen + ".log");
    System.out.printf(
        "chaos: seed %d, %d s, %s; what happens is in %s%n",
        chosen,
        seconds,
        withoutFaults ? "no faults" : rots ? "bytes are flipped" : "two lanes of disks",
        logPath);
    PseudoCluster cluster = new PseudoCluster(script, directory, services);
    ExecutorService watch = Executors.newFixedThreadPool(2);
    Upkeep upkeep = new Upkeep();
    Configuration hadoop =
        SiteConfiguration.fromDirectory(directory.resolve("conf").resolve("client"));
    StowageConfig config = SiteConfiguration.stowage(hadoop);
    try (ChaosLog log = new ChaosLog(logPath);
        RpcClient<ObjectManager> objectManagers =
            RpcClient.create(
                RpcProtocol.OBJECT_MANAGER,
                hadoop,
                config.get(Keys.OM_ADDRESSES),
                CALL_TIMEOUT,
                CALL_DEADLINE)) {
      ChaosLoad load =
          new ChaosLoad(this::connect, objectManagers.api(), bucket, threads, keys, chosen, log);
      load.makeBucket();
      long end = System.nanoTime() + TimeUnit.SECONDS.toNanos(seconds);
      watching = true;
      watch.execute(() -> watch(cluster, load, log, end));
      watch.execute(() -> watch(upkeep, hadoop, config, log));
      try (FaultLanes lanes = new FaultLanes(cluster, chosen, unitMillis, rots, log)) {
        if (!withoutFaults) {
          lanes.start(!withoutDisks);
        }
        load.run();
      }
      log.event("everything is healed; reading all that was acknowledged");
      load.verify();
      System.out.print(log.report());
      System.out.print(upkeep(upkeep, hadoop, config));
      List<String> violations = log.violations();
      boolean told = seconds >= LONG_SECONDS && !withoutFaults && !withoutDisks;
      String missing = told ? upkeep.missing() : "";
      System.out.printf(
          "chaos: seed %d: %d operations, %d keys, %s%s%n",
          chosen,
          log.operationCount(),
          load.keyCount(),
          missing,
          violations.isEmpty() ? "every answer was right" : violations.size() + " VIOLATIONS");
      return violations.isEmpty() && missing.isEmpty() ? 0 : 1;
    } finally {
      watching = false;
      watch.shutdownNow();
    }
  }

  private void watch(Upkeep upkeep, Configuration hadoop, StowageConfig config, ChaosLog log) {
    try (RpcClient<ContainerManager> scm = scm(hadoop, config)) {
      while (watching) {
        Thread.sleep(WATCH_MILLIS);
        try {
          upkeep.look(scm.api());
        } catch (StoreException e) {
          log.event("no SCM answers: " + e.getMessage());
        }
      }
    } catch (StoreException e) {
      log.event("watch: " + e.getMessage());
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }

  private static RpcClient<ContainerManager> scm(Configuration hadoop, StowageConfig config)
      throws StoreException {
    return RpcClient.create(
        RpcProtocol.CONTAINER_MANAGER,
        hadoop,
        config.get(Keys.SCM_ADDRESSES),
        CALL_TIMEOUT,
        CALL_DEADLINE);
  }

  /** What the store did for itself meanwhile, and how it is now. */
  private static String upkeep(Upkeep upkeep, Configuration hadoop, StowageConfig config) {
    try (RpcClient<ContainerManager> scm = scm(hadoop, config)) {
      upkeep.look(scm.api());
      ClusterStatusReply status =
          scm.api().clusterStatus(ClusterStatusRequest.getDefaultInstance());
      return String.format(
          "%s; %d containers endangered, %d unavailable%n",
          upkeep, status.getEndangeredContainers(), status.getUnavailableContainers());
    } catch (StoreException e) {
      return upkeep + "; " + e.getMessage() + System.lineSeparator();
    }
  }

  private S3Connection connect() {
    try {
      Path credentials = directory.resolve("aws-credentials");
      return new S3Connection(
          endpoint,
          S3Credentials.read(credentials, "default", "us-east-1"),
          false,
          InstantSource.system());
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /** Until the run is over: starts what ended by itself, and keeps the disks bounded. */
  private void watch(PseudoCluster cluster, ChaosLoad load, ChaosLog log, long end) {
    while (watching) {
      try {
        Thread.sleep(WATCH_MILLIS);
        if (System.nanoTime() > end) {
          load.stop();
        }
        for (String role : cluster.endedByThemselves()) {
          long now = System.nanoTime();
          log.event(role + " ended by itself and was started again");
          log.fault("ended-by-itself", role, now, now);
        }
        long bytes = cluster.diskBytes();
        load.allowWrites(bytes < maxBytes);
        log.event("shard files: " + bytes + " bytes" + (bytes < maxBytes ? "" : ": no writes"));
      } catch (IOException e) {
        log.event("watch: " + e.getMessage());
      } catch (InterruptedException e) {
        return;
      }
    }
  }
}
