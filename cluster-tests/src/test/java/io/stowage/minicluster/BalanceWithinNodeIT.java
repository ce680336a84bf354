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

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.stowage.common.conf.Keys;
import io.stowage.common.fault.CrashPoint;
import io.stowage.common.proto.BalanceStatus;
import io.stowage.common.proto.ClusterStatusReply;
import io.stowage.common.proto.ContainerInfo;
import io.stowage.common.proto.ContainerState;
import io.stowage.common.proto.DiskInfo;
import io.stowage.common.proto.ListContainersRequest;
import io.stowage.common.proto.ListDatanodesRequest;
import io.stowage.common.proto.SetBalanceRequest;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.EnabledIfSystemProperty;
import software.amazon.awssdk.core.sync.RequestBody;
import software.amazon.awssdk.services.s3.S3Client;

/**
 * One datanode gets one more disk, which is filled from its others. Takes half a minute; {@code
 * -Dstowage.it.long=true}.
 */
@EnabledIfSystemProperty(named = "stowage.it.long", matches = "true")
class BalanceWithinNodeIT {
  private static final String BUCKET = "balanced";
  private static final int DISKS = 6;
  private static final int LAST = DISKS - 1;
  private static final long SHARD_BYTES = 4 << 20;
  private static final long SEGMENT_BYTES = 672 * 4_096;
  private static final int RATE = 6 << 20;
  private static final int LENGTH = 3_000_001;
  private static final int LEAST_SEALED = 6;
  private static final Duration SOON = Duration.ofSeconds(60);

  private int written;

  @AfterEach
  void disarm() {
    CrashPoint.disarmAll();
  }

  @Test
  void unequalDisksBecomeEqualAtABoundedRateThroughACrash() throws Exception {
    try (MiniStowageCluster cluster =
            MiniStowageCluster.builder()
                .datanodes(1)
                .disksPerDatanode(DISKS)
                .set(Keys.CONTAINER_CAPACITY, "4m")
                .set(Keys.DATANODE_REPAIR_RATE, Integer.toString(RATE))
                .set(Keys.HEARTBEAT_INTERVAL, "250ms")
                .set(Keys.DEAD_INTERVAL, "2s")
                .set(Keys.ZOOKEEPER_SESSION_TIMEOUT, "20s") // one leader, whatever the load
                .start();
        S3Client s3 =
            S3Clients.impatient(cluster.s3Endpoint(), cluster.accessKey(), cluster.secretKey())) {
      s3.createBucket(b -> b.bucket(BUCKET));
      cluster.removeDisk(0, LAST);
      do {
        put(s3);
      } while (sealed(cluster) < LEAST_SEALED);
      cluster.returnDisk(0, LAST);
      cluster.awaitWritable(Duration.ofSeconds(30));
      await(cluster, "all disks to be told of", status -> disks(cluster).size() == DISKS);
      long apart = spread(cluster);
      assertTrue(apart >= (LEAST_SEALED - 2) * SHARD_BYTES, "only " + apart + " bytes apart");
      await(cluster, "all to be whole", BalanceWithinNodeIT::isWhole);
      long before = used(cluster, LAST);

      CountDownLatch died = new CountDownLatch(1);
      AtomicBoolean first = new AtomicBoolean(true);
      CrashPoint.named("datanode.rebuild.after-segment")
          .arm(
              () -> {
                if (first.getAndSet(false)) {
                  died.countDown();
                  throw new CrashPoint.Crash("after a segment of a move");
                }
              });
      long begin = System.nanoTime();
      cluster
          .containerManager()
          .setBalance(
              SetBalanceRequest.newBuilder()
                  .setRunning(true)
                  .setThreshold(0.6 * SHARD_BYTES / disks(cluster).get(0).getFreeBytes())
                  .build());
      assertTrue(died.await(SOON.toSeconds(), TimeUnit.SECONDS), "no move came to a segment");
      cluster.restartDatanode(0);
      verify(s3);

      await(
          cluster,
          "disks to be equal",
          status ->
              spread(cluster) <= 2 * SHARD_BYTES
                  && status.getBalance().getInFlight() == 0
                  && status.getStaleShards() == 0);
      double seconds = (System.nanoTime() - begin) / 1e9;
      long arrived = used(cluster, LAST) - before;
      BalanceStatus balance = cluster.status().getBalance();
      System.err.printf(
          "%,d bytes apart, then %,d; %,d bytes arrived in %.1f s, %d moves of %,d bytes in all%n",
          apart,
          spread(cluster),
          arrived,
          seconds,
          balance.getShardsMoved(),
          balance.getBytesMoved());
      assertTrue(arrived >= (LEAST_SEALED - 3) * SHARD_BYTES, arrived + " bytes arrived");
      // A limit lets what is asked for first pass at once: of two runs of the node, a segment each.
      assertTrue(
          seconds >= (double) (arrived - 3 * SEGMENT_BYTES) / RATE - 0.5,
          arrived + " bytes in " + seconds + " s are more than " + RATE + " a second");
      await(cluster, "all to be whole", BalanceWithinNodeIT::isWhole);
      verify(s3);
      await(cluster, "nothing to be left over", status -> status.getUnknownShards() == 0);
      assertEquals(0, cluster.status().getRepair().getLostSectors());
    }
  }

  private static boolean isWhole(ClusterStatusReply status) {
    return status.getLeader()
        && status.getEndangeredContainers() == 0
        && status.getUnavailableContainers() == 0;
  }

  private static List<DiskInfo> disks(MiniStowageCluster cluster) throws Exception {
    return cluster
        .containerManager()
        .listDatanodes(ListDatanodesRequest.getDefaultInstance())
        .getDatanodes(0)
        .getDisksList();
  }

  private static long used(MiniStowageCluster cluster, int disk) throws Exception {
    String path = cluster.disk(0, disk).toString();
    return disks(cluster).stream()
        .filter(info -> info.getPath().equals(path))
        .mapToLong(DiskInfo::getUsedBytes)
        .findFirst()
        .orElseThrow();
  }

  /** From the emptiest disk to the fullest. */
  private static long spread(MiniStowageCluster cluster) throws Exception {
    List<Long> used = disks(cluster).stream().map(DiskInfo::getUsedBytes).sorted().toList();
    return used.get(used.size() - 1) - used.get(0);
  }

  private static long sealed(MiniStowageCluster cluster) throws Exception {
    return cluster
        .containerManager()
        .listContainers(ListContainersRequest.getDefaultInstance())
        .getContainersList()
        .stream()
        .map(ContainerInfo::getState)
        .filter(ContainerState.SEALED::equals)
        .count();
  }

  private interface Condition {
    boolean holds(ClusterStatusReply status) throws Exception;
  }

  private static void await(MiniStowageCluster cluster, String what, Condition condition)
      throws Exception {
    long deadline = System.nanoTime() + SOON.toNanos();
    ClusterStatusReply last = cluster.status();
    while (!condition.holds(last)) {
      if (System.nanoTime() > deadline) {
        throw new AssertionError("waited in vain for " + what + ": " + last);
      }
      TimeUnit.MILLISECONDS.sleep(50);
      last = cluster.status();
    }
  }

  private void put(S3Client s3) {
    String key = "object" + written;
    s3.putObject(
        b -> b.bucket(BUCKET).key(key), RequestBody.fromBytes(TestContent.of(key, LENGTH)));
    written++;
  }

  private void verify(S3Client s3) {
    for (int i = 0; i < written; i++) {
      String key = "object" + i;
      byte[] read = s3.getObjectAsBytes(b -> b.bucket(BUCKET).key(key)).asByteArray();
      assertEquals(null, TestContent.mismatch(key, LENGTH, read));
    }
  }
}
