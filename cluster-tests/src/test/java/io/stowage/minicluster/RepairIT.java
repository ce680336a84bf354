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
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.stowage.common.conf.Keys;
import io.stowage.common.error.StoreException;
import io.stowage.common.fault.CrashPoint;
import io.stowage.common.proto.ClusterStatusReply;
import io.stowage.common.proto.ContainerInfo;
import io.stowage.common.proto.DatanodeInfo;
import io.stowage.common.proto.DatanodeMode;
import io.stowage.common.proto.DiskInfo;
import io.stowage.common.proto.ListContainersRequest;
import io.stowage.common.proto.ListDatanodesRequest;
import io.stowage.common.proto.SetBalanceRequest;
import io.stowage.common.proto.SetDatanodeModeRequest;
import io.stowage.common.proto.ShardPlace;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.Predicate;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import software.amazon.awssdk.core.sync.RequestBody;
import software.amazon.awssdk.services.s3.S3Client;

/** Nodes, disks and leaders go, and come back; what was lost is rebuilt by the real datanodes. */
class RepairIT {
  private static final String BUCKET = "repair";
  private static final int[] LENGTHS = {0, 1, 4_096, 4_097, 100_000, 1 << 20, 5_000_001};
  private static final Duration SOON = Duration.ofSeconds(90);

  private final Map<String, Integer> written = new ConcurrentHashMap<>();

  @AfterEach
  void disarm() {
    CrashPoint.disarmAll();
  }

  private static MiniStowageCluster.Builder cluster(int datanodes) {
    return MiniStowageCluster.builder()
        .datanodes(datanodes)
        .set(Keys.CONTAINER_CAPACITY, "8m")
        .set(Keys.HEARTBEAT_INTERVAL, "250ms")
        .set(Keys.DEAD_INTERVAL, "2s");
  }

  private static S3Client client(MiniStowageCluster cluster) {
    S3Client s3 =
        S3Clients.impatient(cluster.s3Endpoint(), cluster.accessKey(), cluster.secretKey());
    s3.createBucket(b -> b.bucket(BUCKET));
    return s3;
  }

  @Test
  void nodesDieOneAfterAnotherAndComeBackWithStaleShards() throws Exception {
    try (MiniStowageCluster cluster = cluster(7).start();
        S3Client s3 = client(cluster)) {
      for (int i = 0; i < 3; i++) {
        put(s3, "before" + i);
      }
      int first = holder(cluster);
      int second = (first + 1) % 7;
      long begin = System.nanoTime();
      cluster.stopDatanode(first);
      awaitDead(cluster, 1);
      await(
          cluster,
          "rebuilds to begin",
          status -> status.getRepair().getInFlight() > 0 || status.getRepair().getShardsDone() > 0);
      System.err.printf(
          "from a node's stop to its first rebuild: %d ms, dead interval 2,000 ms%n",
          (System.nanoTime() - begin) / 1_000_000);
      awaitWhole(cluster);
      verify(s3);
      cluster.stopDatanode(second);
      awaitDead(cluster, 2);
      awaitWhole(cluster);
      verify(s3);
      put(s3, "between");
      cluster.startDatanode(first);
      cluster.startDatanode(second);
      awaitDead(cluster, 0);
      await(cluster, "stale shards to be gone", status -> status.getStaleShards() == 0);
      assertEquals(0, cluster.status().getUnknownShards());
      // Two at once, as many as may go; what they had is on others only.
      cluster.stopDatanode((first + 2) % 7);
      cluster.stopDatanode((first + 3) % 7);
      awaitDead(cluster, 2);
      awaitWhole(cluster);
      verify(s3);
      ClusterStatusReply status = cluster.status();
      assertTrue(status.getRepair().getShardsDone() > 0);
      assertTrue(status.getRepair().getBytesDone() > 0);
      assertEquals(0, status.getRepair().getLostSectors());
      System.err.println(status.getRepair());
    }
  }

  @Test
  void moreDisksGoThanMayAndComeBack() throws Exception {
    try (MiniStowageCluster cluster = cluster(5).start();
        S3Client s3 = client(cluster)) {
      put(s3, "before");
      for (int disk = 0; disk < 3; disk++) {
        cluster.removeDisk(disk, 0);
      }
      await(
          cluster, "containers to be unavailable", status -> status.getUnavailableContainers() > 0);
      assertFalse(cluster.status().getUnavailableList().isEmpty());
      for (int disk = 0; disk < 3; disk++) {
        cluster.returnDisk(disk, 0);
      }
      awaitWhole(cluster);
      verify(s3);
      aNodeStartsOnAnotherClustersDisk(cluster, 4);
      verify(s3);
      aNodeStartsOnAnEmptyDisk(cluster, 4);
      verify(s3);
    }
  }

  /** It is no node of the cluster, and makes and deletes nothing there. */
  private static void aNodeStartsOnAnotherClustersDisk(MiniStowageCluster cluster, int datanode)
      throws Exception {
    Path disk = cluster.disk(datanode, 0);
    Path identity = disk.resolve("disk.properties");
    cluster.stopDatanode(datanode);
    String own = Files.readString(identity);
    String foreign = own.replaceAll("cluster.id=.*", "cluster.id=another");
    assertNotEquals(own, foreign);
    Files.writeString(identity, foreign);
    Set<String> before = shards(disk);
    cluster.startDatanode(datanode);
    awaitDead(cluster, 1);
    assertEquals("not registered", cluster.datanode(datanode).health().state());
    cluster.stopDatanode(datanode);
    assertEquals(foreign, Files.readString(identity));
    assertEquals(before, shards(disk));
    Files.writeString(identity, own);
    cluster.startDatanode(datanode);
    awaitDead(cluster, 0);
    awaitWhole(cluster);
  }

  /**
   * By path. What is in them may change: it is the same disk, and who has a lease writes records.
   */
  private static Set<String> shards(Path disk) throws Exception {
    try (Stream<Path> files = Files.walk(disk)) {
      Set<String> shards =
          files
              .map(file -> disk.relativize(file).toString())
              .filter(name -> name.endsWith(".shard"))
              .collect(Collectors.toSet());
      assertFalse(shards.isEmpty());
      return shards;
    }
  }

  /** It is a new node then: what the old one had is made anew on it, the only one there is room. */
  private static void aNodeStartsOnAnEmptyDisk(MiniStowageCluster cluster, int datanode)
      throws Exception {
    Path disk = cluster.disk(datanode, 0);
    String before = idOf(cluster, datanode);
    cluster.stopDatanode(datanode);
    try (Stream<Path> files = Files.walk(disk)) {
      for (Path file : files.sorted(Comparator.reverseOrder()).toList()) {
        if (!file.equals(disk)) {
          Files.delete(file);
        }
      }
    }
    cluster.startDatanode(datanode);
    assertNotEquals(before, idOf(cluster, datanode));
    String now = idOf(cluster, datanode);
    awaitTrue(
        "the new node to have what the old one had",
        () ->
            containers(cluster).stream().noneMatch(info -> names(info, before))
                && containers(cluster).stream().anyMatch(info -> names(info, now)));
    awaitWhole(cluster);
  }

  @Test
  void theLeaderGoesWhileAShardIsRebuilt() throws Exception {
    try (MiniStowageCluster cluster = cluster(7).scms(2).start();
        S3Client s3 = client(cluster)) {
      put(s3, "before");
      int leader = cluster.leadingScm();
      CountDownLatch reached = new CountDownLatch(1);
      CountDownLatch gone = new CountDownLatch(1);
      AtomicBoolean first = new AtomicBoolean(true);
      CrashPoint.named("scm.rebuild.before-row")
          .arm(
              () -> {
                if (first.getAndSet(false)) {
                  reached.countDown();
                  awaitQuietly(gone);
                }
              });
      int holder = holder(cluster);
      cluster.stopDatanode(holder);
      assertTrue(reached.await(120, TimeUnit.SECONDS), "a rebuild was answered");
      Thread stopping = new Thread(() -> cluster.stopScm(leader), "stop-scm");
      stopping.start();
      // The one that is about to stop may still answer that it leads.
      awaitTrue("the other SCM to lead", () -> cluster.leadingScm() == 1 - leader);
      gone.countDown(); // the old leader's mutation goes on, under its old epoch
      stopping.join(TimeUnit.SECONDS.toMillis(30));
      awaitWhole(cluster);
      verify(s3);
      cluster.startDatanode(holder);
      awaitDead(cluster, 0);
      await(cluster, "stale shards to be gone", status -> status.getStaleShards() == 0);
      verify(s3);
    }
  }

  @Test
  void aNodeIsDecommissionedUnderLoadAndDisksAreBalanced() throws Exception {
    try (MiniStowageCluster cluster = cluster(7).start();
        S3Client s3 = client(cluster)) {
      AtomicBoolean stop = new AtomicBoolean();
      AtomicInteger failed = new AtomicInteger();
      Thread load =
          new Thread(
              () -> {
                for (int i = 0; !stop.get(); i++) {
                  try {
                    put(s3, "load" + i);
                  } catch (RuntimeException e) {
                    failed.incrementAndGet();
                    System.err.println("failed: " + e);
                  }
                }
              },
              "load");
      load.start();
      String leaving = idOf(cluster, 6);
      try {
        put(s3, "before");
        assertEquals(
            DatanodeMode.DECOMMISSIONING,
            cluster
                .containerManager()
                .setDatanodeMode(
                    SetDatanodeModeRequest.newBuilder()
                        .setNodeId(leaving)
                        .setMode(DatanodeMode.DECOMMISSIONING)
                        .build())
                .getDatanode()
                .getMode());
        awaitTrue(
            "the node to be decommissioned",
            () -> node(cluster, leaving).getMode() == DatanodeMode.DECOMMISSIONED);
      } finally {
        stop.set(true);
        load.join();
      }
      assertEquals(0, failed.get());
      assertTrue(containers(cluster).stream().noneMatch(info -> names(info, leaving)));
      awaitTrue("its shards to be gone", () -> node(cluster, leaving).getShardCount() == 0);
      cluster.stopDatanode(6);
      verify(s3);
      // One more of six may go; not of five.
      StoreException refused =
          assertThrows(
              StoreException.class,
              () -> {
                for (int i = 0; i < 2; i++) {
                  cluster
                      .containerManager()
                      .setDatanodeMode(
                          SetDatanodeModeRequest.newBuilder()
                              .setNodeId(idOf(cluster, i))
                              .setMode(DatanodeMode.DECOMMISSIONING)
                              .build());
                }
              });
      assertTrue(refused.getMessage().contains("rs-3-2 needs 5"), refused.getMessage());
      for (int i = 0; i < 7; i++) {
        cluster
            .containerManager()
            .setDatanodeMode(
                SetDatanodeModeRequest.newBuilder().setNodeId(idOf(cluster, i)).build());
      }
      // Only what is sealed can be moved, and where it brings two disks closer to one another.
      long sealed = cluster.status().getSealedContainers();
      for (int i = 0; cluster.status().getSealedContainers() < sealed + 4; i++) {
        put(s3, "full" + i);
      }
      cluster.startDatanode(6); // empty: balancing fills it
      awaitDead(cluster, 0);
      awaitWhole(cluster);
      long before = usedBy(cluster, leaving);
      cluster
          .containerManager()
          .setBalance(SetBalanceRequest.newBuilder().setRunning(true).setThreshold(1e-9).build());
      await(
          cluster,
          "shards to be moved to the empty disk",
          status -> status.getBalance().getShardsMoved() > 0);
      cluster.containerManager().setBalance(SetBalanceRequest.getDefaultInstance());
      await(
          cluster,
          "moves to end",
          status -> status.getBalance().getInFlight() == 0 && status.getStaleShards() == 0);
      awaitTrue("the disk to tell what it got", () -> usedBy(cluster, leaving) > before);
      awaitWhole(cluster);
      verify(s3);
    }
  }

  private static long usedBy(MiniStowageCluster cluster, String id) throws Exception {
    return node(cluster, id).getDisksList().stream().mapToLong(DiskInfo::getUsedBytes).sum();
  }

  private static String idOf(MiniStowageCluster cluster, int datanode) {
    return cluster.datanodeId(datanode);
  }

  private static DatanodeInfo node(MiniStowageCluster cluster, String id) throws StoreException {
    return cluster
        .containerManager()
        .listDatanodes(ListDatanodesRequest.getDefaultInstance())
        .getDatanodesList()
        .stream()
        .filter(info -> info.getNodeId().equals(id))
        .findFirst()
        .orElseThrow();
  }

  private static List<ContainerInfo> containers(MiniStowageCluster cluster) throws StoreException {
    return new ArrayList<>(
        cluster
            .containerManager()
            .listContainers(ListContainersRequest.getDefaultInstance())
            .getContainersList());
  }

  /** A node that has a shard: of seven, five have one of the first container. */
  private static int holder(MiniStowageCluster cluster) throws StoreException {
    ContainerInfo container = containers(cluster).get(0);
    int holder = 0;
    while (!names(container, idOf(cluster, holder))) {
      holder++;
    }
    return holder;
  }

  private static boolean names(ContainerInfo info, String node) {
    return info.getShardsList().stream().map(ShardPlace::getNodeId).anyMatch(node::equals);
  }

  private static void awaitQuietly(CountDownLatch latch) {
    try {
      boolean unused = latch.await(60, TimeUnit.SECONDS);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }

  private static void awaitDead(MiniStowageCluster cluster, int count) throws Exception {
    await(cluster, count + " dead nodes", status -> status.getDeadDatanodes() == count);
  }

  private static void awaitWhole(MiniStowageCluster cluster) throws Exception {
    await(
        cluster,
        "all containers to be whole",
        status ->
            status.getLeader()
                && status.getEndangeredContainers() == 0
                && status.getUnavailableContainers() == 0);
  }

  private static void await(
      MiniStowageCluster cluster, String what, Predicate<ClusterStatusReply> condition)
      throws Exception {
    ClusterStatusReply[] last = new ClusterStatusReply[1];
    try {
      awaitTrue(
          what,
          () -> {
            last[0] = cluster.status();
            return condition.test(last[0]);
          });
    } catch (AssertionError e) {
      throw new AssertionError(e.getMessage() + ": " + last[0], e);
    }
  }

  private interface Condition {
    boolean isMet() throws Exception;
  }

  private static void awaitTrue(String what, Condition condition) throws Exception {
    long deadline = System.nanoTime() + SOON.toNanos();
    Exception last = null;
    while (System.nanoTime() < deadline) {
      try {
        if (condition.isMet()) {
          return;
        }
      } catch (StoreException e) {
        last = e; // no leader for a moment
      }
      TimeUnit.MILLISECONDS.sleep(50);
    }
    throw new AssertionError("waited in vain for " + what, last);
  }

  private void put(S3Client s3, String name) {
    for (int length : LENGTHS) {
      String key = name + "/" + length;
      s3.putObject(
          b -> b.bucket(BUCKET).key(key), RequestBody.fromBytes(TestContent.of(key, length)));
      written.put(key, length);
    }
  }

  private void verify(S3Client s3) {
    TestContent.assertReads(s3, BUCKET, written);
  }
}
