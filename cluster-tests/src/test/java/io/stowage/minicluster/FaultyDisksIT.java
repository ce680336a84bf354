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

import io.stowage.common.error.StoreException;
import io.stowage.common.proto.ContainerInfo;
import io.stowage.common.proto.ListContainersRequest;
import io.stowage.common.proto.ShardPlace;
import io.stowage.datanode.fault.SimulatedDisks;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.SplittableRandom;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.Predicate;
import org.junit.jupiter.api.Test;
import software.amazon.awssdk.core.sync.RequestBody;
import software.amazon.awssdk.services.s3.S3Client;
import software.amazon.awssdk.services.s3.model.S3Exception;

/**
 * Two of seven disks, others each round, whose forces fail or whose reads lie while objects are
 * written and read. What was acknowledged is there and right, also after the power of all disks was
 * lost, which is when a force that failed is found to have lied.
 */
class FaultyDisksIT {
  private static final int ROUNDS = Integer.getInteger("stowage.it.faulty-disks", 2);
  private static final int NODES = 7;
  private static final int THREADS = 5;
  private static final int PUTS = 12;
  private static final String BUCKET = "faulty";

  private final long seed = Long.getLong("stowage.it.seed", System.nanoTime() & 0xffffff);
  private final Random random = new Random(seed);
  private final Map<String, Integer> acknowledged = new ConcurrentHashMap<>();
  private final AtomicInteger refused = new AtomicInteger();

  @Test
  void nothingAcknowledgedIsLostWhereForcesFail() throws Exception {
    System.err.println("-Dstowage.it.seed=" + seed);
    SimulatedDisks disks = new SimulatedDisks();
    try (MiniStowageCluster cluster = start(disks);
        S3Client s3 = client(cluster)) {
      s3.createBucket(b -> b.bucket(BUCKET));
      for (int round = 0; round < ROUNDS; round++) {
        Predicate<Path> faulty = shardsOfTwoNodes(cluster);
        load(cluster, "force" + round, PUTS, () -> disks.failForces(faulty));
        for (int node = 0; node < NODES; node++) {
          cluster.stopDatanode(node);
        }
        disks.losePower(random);
        disks.failForces(path -> false);
        for (int node = 0; node < NODES; node++) {
          cluster.startDatanode(node);
        }
        cluster.awaitWritable(Duration.ofSeconds(30));
        verify(s3);
      }
    }
    tell();
  }

  @Test
  void nothingWrongIsServedWhereReadsLie() throws Exception {
    System.err.println("-Dstowage.it.seed=" + seed);
    SimulatedDisks disks = new SimulatedDisks();
    try (MiniStowageCluster cluster = start(disks);
        S3Client s3 = client(cluster)) {
      s3.createBucket(b -> b.bucket(BUCKET));
      for (int round = 0; round < ROUNDS; round++) {
        Predicate<Path> lying = shardsOfTwoNodes(cluster);
        load(cluster, "lie" + round, PUTS, () -> disks.lieOnRead(lying));
        verify(s3); // while they lie
        disks.lieOnRead(path -> false);
        verify(s3);
      }
    }
    tell();
  }

  /** It answers always, and nearly always later than a writer waits. */
  @Test
  void aDiskWhoseForcesAreSlowFailsNoPutAndWearsOutNoContainers() throws Exception {
    System.err.println("-Dstowage.it.seed=" + seed);
    SimulatedDisks disks = new SimulatedDisks();
    try (MiniStowageCluster cluster =
            MiniStowageCluster.builder().datanodes(6).disks(real -> disks).start();
        S3Client s3 = client(cluster)) {
      s3.createBucket(b -> b.bucket(BUCKET));
      SplittableRandom times = new SplittableRandom(random.nextLong());
      AtomicInteger before = new AtomicInteger();
      load(
          cluster,
          "slow",
          5 * PUTS,
          () -> {
            List<ContainerInfo> all = containers(cluster);
            before.set(all.size());
            Path slow = disk(cluster, all.get(random.nextInt(all.size())).getShards(0));
            disks.slowForces(
                path ->
                    path.startsWith(slow) && path.toString().endsWith(".shard")
                        ? times.nextInt(300, 900)
                        : 0);
          });
      int made = containers(cluster).size() - before.get();
      System.err.println(made + " containers were made for the slow disk");
      verify(s3);
      assertEquals(0, refused.get());
      assertTrue(made >= 1 && made <= 20, made + " containers");
    }
    tell();
  }

  private static Path disk(MiniStowageCluster cluster, ShardPlace place) {
    int node = 0;
    while (!cluster.datanodeId(node).equals(place.getNodeId())) {
      node++;
    }
    return cluster.disk(node, 0);
  }

  private static List<ContainerInfo> containers(MiniStowageCluster cluster) {
    try {
      return cluster
          .containerManager()
          .listContainers(ListContainersRequest.getDefaultInstance())
          .getContainersList();
    } catch (StoreException e) {
      throw new IllegalStateException(e);
    }
  }

  private MiniStowageCluster start(SimulatedDisks disks) throws Exception {
    return MiniStowageCluster.builder().datanodes(NODES).disks(real -> disks).start();
  }

  private static S3Client client(MiniStowageCluster cluster) {
    return S3Clients.impatient(cluster.s3Endpoint(), cluster.accessKey(), cluster.secretKey());
  }

  private Predicate<Path> shardsOfTwoNodes(MiniStowageCluster cluster) {
    int first = random.nextInt(NODES);
    int second = (first + 1 + random.nextInt(NODES - 1)) % NODES;
    Path one = cluster.disk(first, 0);
    Path other = cluster.disk(second, 0);
    return path ->
        path.toString().endsWith(".shard") && (path.startsWith(one) || path.startsWith(other));
  }

  /** Writes and reads; the fault comes when a third of the puts is done. */
  private void load(MiniStowageCluster cluster, String name, int puts, Runnable fault)
      throws Exception {
    CountDownLatch third = new CountDownLatch(THREADS * puts / 3);
    AtomicBoolean wrong = new AtomicBoolean();
    List<Thread> threads = new ArrayList<>();
    for (int t = 0; t < THREADS; t++) {
      String prefix = name + "/" + t + "/";
      SplittableRandom its = new SplittableRandom(random.nextLong());
      Thread thread =
          new Thread(
              () -> {
                try (S3Client s3 = client(cluster)) {
                  for (int i = 0; i < puts; i++) {
                    putAndRead(s3, prefix + i, its);
                    third.countDown();
                  }
                } catch (RuntimeException | AssertionError e) {
                  wrong.set(true);
                  throw e;
                }
              },
              "load-" + t);
      threads.add(thread);
      thread.start();
    }
    assertTrue(third.await(60, TimeUnit.SECONDS), "the load does not get on");
    fault.run();
    for (Thread thread : threads) {
      thread.join();
    }
    assertTrue(!wrong.get(), "a thread of the load failed, seed " + seed);
  }

  private void putAndRead(S3Client s3, String key, SplittableRandom random) {
    int length = random.nextInt(8) == 0 ? random.nextInt(3 << 20) : random.nextInt(60_000);
    try {
      s3.putObject(
          b -> b.bucket(BUCKET).key(key), RequestBody.fromBytes(TestContent.of(key, length)));
      acknowledged.put(key, length);
    } catch (S3Exception e) {
      assertTrue(e.statusCode() >= 500, e::getMessage);
      refused.incrementAndGet();
      return;
    }
    read(s3, key, length);
  }

  private void read(S3Client s3, String key, int length) {
    assertEquals(
        null,
        TestContent.mismatch(
            key, length, s3.getObjectAsBytes(b -> b.bucket(BUCKET).key(key)).asByteArray()),
        () -> "seed " + seed);
  }

  private void verify(S3Client s3) {
    acknowledged.forEach((key, length) -> read(s3, key, length));
  }

  private void tell() {
    System.err.println(acknowledged.size() + " acknowledged, " + refused + " refused");
    assertTrue(
        acknowledged.size() > ROUNDS * THREADS * PUTS / 2, "too little was written to mean much");
  }
}
