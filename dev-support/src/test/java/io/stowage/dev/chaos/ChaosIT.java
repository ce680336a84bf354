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

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.stowage.common.conf.Keys;
import io.stowage.common.error.StoreException;
import io.stowage.common.om.ObjectManager;
import io.stowage.common.rpc.RpcClient;
import io.stowage.common.rpc.RpcProtocol;
import io.stowage.dev.s3.S3Connection;
import io.stowage.dev.s3.S3Credentials;
import io.stowage.minicluster.MiniStowageCluster;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.time.InstantSource;
import java.util.List;
import java.util.Timer;
import java.util.TimerTask;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * The short form of {@code dev-support/chaos}: the same load, checker and lanes of faults on a
 * cluster in this JVM, where a role that is killed is closed. What production waits for, for
 * minutes and days, is seconds here, so that repair, scrub, collection and repack take part. {@code
 * -Dstowage.it.chaos-seconds} and {@code -Dstowage.it.seed} change it.
 */
class ChaosIT {
  private static final int SECONDS = Integer.getInteger("stowage.it.chaos-seconds", 180);
  private static final int DATANODES = 6;
  private static final int UNIT_MILLIS = 400;
  private static final int LOOK_MILLIS = 500;

  @TempDir Path directory;

  @Test
  void everyAnswerIsRightWhateverFails() throws Exception {
    long seed = Long.getLong("stowage.it.seed", System.nanoTime() & 0xffffff);
    boolean rots = (seed & 1) == 0;
    System.err.println("-Dstowage.it.seed=" + seed + ", " + SECONDS + " s");
    try (MiniStowageCluster mini =
            MiniStowageCluster.builder()
                .datanodes(DATANODES)
                .scms(2)
                .objectManagers(2)
                .set(Keys.CONTAINER_CAPACITY, "16m")
                .set(Keys.DEAD_INTERVAL, "2s")
                .set(Keys.COMMIT_WINDOW, "10s")
                .set(Keys.MUTATION_DEADLINE, "3s")
                .set(Keys.CLOCK_BOUND, "500ms")
                .set(Keys.OPEN_TIME, "5s")
                .set(Keys.REPACK_CLAIM, "3s")
                .set(Keys.REPACK_KEEP, "15s")
                .set(Keys.DATANODE_SCRUB_INTERVAL, "5s")
                .set(Keys.DATANODE_SCRUB_RATE, "64m")
                .set(Keys.COLLECT_INTERVAL, "1s")
                .set(Keys.COLLECT_MARGIN, "5s")
                .directory(directory)
                .start();
        RpcClient<ObjectManager> objectManagers =
            RpcClient.create(
                RpcProtocol.OBJECT_MANAGER,
                mini.hadoopConfiguration(),
                mini.objectManagerAddresses(),
                Duration.ofSeconds(5),
                Duration.ofSeconds(30));
        ChaosLog log = new ChaosLog(Path.of("target", "chaos-" + seed + ".log"))) {
      S3Credentials credentials =
          new S3Credentials(mini.accessKey(), mini.secretKey(), "us-east-1");
      ChaosLoad load =
          new ChaosLoad(
              () -> new S3Connection(mini.s3Endpoint(), credentials, false, InstantSource.system()),
              objectManagers.api(),
              "chaos",
              6,
              40,
              seed,
              log);
      load.makeBucket();
      Upkeep upkeep = new Upkeep();
      Timer looks = new Timer("upkeep", true);
      looks.schedule(
          new TimerTask() {
            @Override
            public void run() {
              try {
                upkeep.look(mini.containerManager());
              } catch (StoreException e) {
                log.event("no SCM answers: " + e.getMessage());
              }
            }
          },
          LOOK_MILLIS,
          LOOK_MILLIS);
      Timer timer = new Timer("end-of-load", true);
      timer.schedule(
          new TimerTask() {
            @Override
            public void run() {
              load.stop();
            }
          },
          Duration.ofSeconds(SECONDS).toMillis());
      try (FaultLanes lanes = new FaultLanes(new MiniCluster(mini), seed, UNIT_MILLIS, rots, log)) {
        lanes.start(true);
        load.run();
      }
      timer.cancel();
      mini.awaitWritable(Duration.ofSeconds(60));
      load.verify();
      looks.cancel();
      upkeep.look(mini.containerManager());
      System.err.println(log.report());
      System.err.println(upkeep);
      assertEquals(List.of(), log.violations(), "seed " + seed);
      assertTrue(log.count("rename") > 0, "nothing was renamed");
      assertTrue(log.count("put") > SECONDS, "too little was written to mean anything");
      assertTrue(log.count("get") > SECONDS, "too little was read to mean anything");
      assertEquals("", upkeep.missing(), upkeep::toString);
    }
  }

  /** The roles of a cluster in this JVM. Its starts and stops are for one thread at a time. */
  private static final class MiniCluster implements ChaosCluster {
    private final MiniStowageCluster mini;

    MiniCluster(MiniStowageCluster mini) {
      this.mini = mini;
    }

    @Override
    public List<String> datanodes() {
      return List.of("datanode0", "datanode1", "datanode2", "datanode3", "datanode4", "datanode5");
    }

    @Override
    public List<String> services() {
      return List.of("scm0", "scm1", "om0", "om1");
    }

    @Override
    public boolean canPause() {
      return false;
    }

    private static int numberOf(String role) {
      return role.charAt(role.length() - 1) - '0';
    }

    @Override
    public synchronized void kill(String role) {
      if (role.startsWith("datanode")) {
        mini.stopDatanode(numberOf(role));
      } else if (role.startsWith("scm")) {
        mini.stopScm(numberOf(role));
      } else {
        mini.stopObjectManager(numberOf(role));
      }
    }

    @Override
    public synchronized void start(String role) throws IOException, InterruptedException {
      if (role.startsWith("datanode")) {
        mini.startDatanode(numberOf(role));
      } else if (role.startsWith("scm")) {
        mini.startScm(numberOf(role));
      } else {
        mini.startObjectManager(numberOf(role));
      }
    }

    @Override
    public void pause(String role) {
      throw new UnsupportedOperationException("a thread group cannot be stopped");
    }

    @Override
    public void resume(String role) {
      throw new UnsupportedOperationException("a thread group cannot be stopped");
    }

    @Override
    public synchronized void removeDisk(String datanode) {
      mini.removeDisk(numberOf(datanode), 0);
    }

    @Override
    public synchronized void returnDisk(String datanode) throws IOException {
      mini.returnDisk(numberOf(datanode), 0);
    }

    @Override
    public Path disk(String datanode) {
      Path disk = mini.disk(numberOf(datanode), 0);
      assertTrue(Files.isDirectory(disk), disk::toString);
      return disk;
    }

    @Override
    public List<String> endedByThemselves() {
      return List.of();
    }
  }
}
