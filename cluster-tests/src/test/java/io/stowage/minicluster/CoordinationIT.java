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
import io.stowage.common.id.WriteId;
import io.stowage.common.proto.ClusterStatusReply;
import io.stowage.common.proto.ClusterStatusRequest;
import io.stowage.common.proto.ContainerInfo;
import io.stowage.common.proto.CreateBucketRequest;
import io.stowage.common.proto.DatanodeInfo;
import io.stowage.common.proto.DatanodeState;
import io.stowage.common.proto.ListContainersRequest;
import io.stowage.common.proto.ListDatanodesRequest;
import io.stowage.common.time.StoreClock;
import java.time.Duration;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.BooleanSupplier;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.EnabledIfSystemProperty;
import org.junit.jupiter.api.extension.RegisterExtension;
import software.amazon.awssdk.core.sync.RequestBody;
import software.amazon.awssdk.services.s3.S3Client;

/**
 * What SCMs lean on is wrong or away: the clocks of their machines, ZooKeeper. Clients try nothing
 * twice, so each call that fails fails the test. Takes half a minute; {@code
 * -Dstowage.it.long=true}.
 */
@EnabledIfSystemProperty(named = "stowage.it.long", matches = "true")
class CoordinationIT {
  private static final String BUCKET = "coordination";

  /** Of a policy, and so with leases, of its own: there is room in them. */
  private static final String ROOMY = "roomy";

  private static final Duration HOUR = Duration.ofHours(1);
  private static final Duration PATIENCE = Duration.ofSeconds(60);
  private static final int LENGTH = 900_000;

  /** Of 4 MB a shard with rs-3-2: each round of puts needs new leases. */
  private static final int ROUND = 14;

  private static final JumpingClock[] CLOCKS = {new JumpingClock(), new JumpingClock()};

  @RegisterExtension
  static final StowageExtension STOWAGE =
      StowageExtension.of(
          MiniStowageCluster.builder()
              .scms(2)
              .scmClock(0, CLOCKS[0])
              .scmClock(1, CLOCKS[1])
              // A busy machine of tests ends no session; a server that goes is missed at once.
              .set(Keys.ZOOKEEPER_SESSION_TIMEOUT, "20s")
              .set(Keys.CONTAINER_CAPACITY, "4m"));

  private final Map<String, Integer> written = new LinkedHashMap<>();

  @BeforeAll
  static void makeBuckets(MiniStowageCluster cluster) throws Exception {
    for (String bucket : List.of(BUCKET, ROOMY)) {
      cluster
          .objectManager(0)
          .createBucket(
              CreateBucketRequest.newBuilder()
                  .setName(bucket)
                  .setOwner("stowage")
                  .setPolicy(bucket.equals(ROOMY) ? "rs-1-2" : "rs-3-2")
                  .setWriteId(WriteId.random())
                  .build());
    }
  }

  private static S3Client client(MiniStowageCluster cluster) {
    return S3Clients.impatient(cluster.s3Endpoint(), cluster.accessKey(), cluster.secretKey());
  }

  @Test
  void clocksOfScmsJumpAndNoPutFailsAndNothingIsLost(MiniStowageCluster cluster) throws Exception {
    try (S3Client s3 = client(cluster)) {
      put(s3, "before");
      int leader = cluster.leadingScm();
      int standby = 1 - leader;
      for (Duration jump : List.of(HOUR, HOUR.negated())) {
        CLOCKS[leader].jumpTo(jump);
        put(s3, "leader " + jump);
        CLOCKS[standby].jumpTo(jump.negated());
        put(s3, "both " + jump);
        assertEquals(leader, cluster.leadingScm(), "leadership is no matter of clocks");
        assertNothingJumped(cluster);
        CLOCKS[leader].jumpTo(Duration.ZERO);
        put(s3, "leader back from " + jump);
      }
      // The standby's clock is off still. It followed the table all the same: it knows what to
      // lead.
      cluster.stopScm(leader);
      put(s3, "after the leader");
      assertEquals(standby, cluster.leadingScm());
      assertNothingJumped(cluster);
      ClusterStatusReply status = status(cluster);
      assertEquals(
          containers(cluster).size(),
          status.getOpenContainers() + status.getSealedContainers(),
          "containers it knows");
      cluster.startScm(leader);
      verify(s3);
    } finally {
      for (JumpingClock clock : CLOCKS) {
        clock.jumpTo(Duration.ZERO);
      }
    }
  }

  /** By the clocks of everybody else nothing is of another hour, and nobody is dead. */
  private static void assertNothingJumped(MiniStowageCluster cluster) throws Exception {
    long now = StoreClock.system().wallMicros();
    long boundMicros = TimeUnit.SECONDS.toMicros(120);
    for (ContainerInfo container : containers(cluster)) {
      for (long stamp :
          List.of(
              container.getCreatedMicros(),
              container.getLeaseGrantedMicros(),
              container.getSealedMicros())) {
        assertTrue(stamp == 0 || Math.abs(stamp - now) < boundMicros, container::toString);
      }
    }
    for (DatanodeInfo node :
        cluster
            .containerManager()
            .listDatanodes(ListDatanodesRequest.getDefaultInstance())
            .getDatanodesList()) {
      assertEquals(DatanodeState.LIVE, node.getState(), node::toString);
    }
  }

  private static List<ContainerInfo> containers(MiniStowageCluster cluster) throws Exception {
    return cluster
        .containerManager()
        .listContainers(ListContainersRequest.getDefaultInstance())
        .getContainersList();
  }

  private static ClusterStatusReply status(MiniStowageCluster cluster) throws Exception {
    return cluster.containerManager().clusterStatus(ClusterStatusRequest.getDefaultInstance());
  }

  /** With leases at hand, data goes its way: ZooKeeper is on no path of it. */
  @Test
  void zooKeeperIsAwayAndNoPutAndNoGetFails(MiniStowageCluster cluster) throws Exception {
    EmbeddedZooKeeper zooKeeper = HBaseHome.shared().zooKeeper();
    AtomicInteger done = new AtomicInteger();
    ConcurrentLinkedQueue<String> failed = new ConcurrentLinkedQueue<>();
    List<Future<?>> loads = new ArrayList<>();
    ExecutorService threads = Executors.newFixedThreadPool(3);
    try (S3Client s3 = client(cluster)) {
      put(s3, "with it");
      for (int i = 0; i < 3; i++) {
        int thread = i;
        loads.add(threads.submit(() -> load(s3, thread, done, failed)));
      }
      awaitMore(done, 30, failed);
      zooKeeper.stop();
      int whenItWent = done.get();
      try {
        // Its connections end with it: nobody needs to wait for a session to be missed.
        await("both to miss it", () -> !cluster.scm(0).isLeader() && !cluster.scm(1).isLeader());
        awaitMore(done, 100, failed);
      } finally {
        zooKeeper.startAgain();
      }
      int whenItCame = done.get();
      int leader = cluster.leadingScm();
      awaitMore(done, 30, failed);
      put(s3, "with it again"); // by new leases
      threads.shutdownNow();
      for (Future<?> load : loads) {
        load.get(30, TimeUnit.SECONDS);
      }
      assertEquals(List.of(), List.copyOf(failed));
      System.err.printf(
          "%d puts and gets without ZooKeeper, %d in all; SCM %d leads%n",
          whenItCame - whenItWent, done.get(), leader);
      verify(s3);
    } finally {
      threads.shutdownNow();
    }
  }

  private static void awaitMore(AtomicInteger done, int more, ConcurrentLinkedQueue<String> failed)
      throws Exception {
    int goal = done.get() + more;
    await(more + " calls", () -> done.get() >= goal || !failed.isEmpty());
    assertEquals(List.of(), List.copyOf(failed));
  }

  private static void await(String what, BooleanSupplier condition) throws InterruptedException {
    long deadline = System.nanoTime() + PATIENCE.toNanos();
    while (!condition.getAsBoolean()) {
      assertTrue(System.nanoTime() - deadline < 0, () -> "waited for " + what);
      Thread.sleep(10);
    }
  }

  /** Puts and gets small objects until it is interrupted. */
  private static void load(
      S3Client s3, int thread, AtomicInteger done, ConcurrentLinkedQueue<String> failed) {
    for (int i = 0; !Thread.currentThread().isInterrupted() && failed.isEmpty(); i++) {
      String key = "small/" + thread + "/" + i % 100;
      try {
        s3.putObject(
            b -> b.bucket(ROOMY).key(key), RequestBody.fromBytes(TestContent.of(key, 2_000)));
        byte[] back = s3.getObjectAsBytes(b -> b.bucket(ROOMY).key(key)).asByteArray();
        String mismatch = TestContent.mismatch(key, 2_000, back);
        if (mismatch != null) {
          failed.add(mismatch);
        }
        done.addAndGet(2);
      } catch (RuntimeException e) {
        if (!Thread.currentThread().isInterrupted()) {
          failed.add(key + ": " + e);
        }
      }
    }
  }

  private void put(S3Client s3, String name) {
    for (int i = 0; i < ROUND; i++) {
      String key = name + "/" + i;
      s3.putObject(
          b -> b.bucket(BUCKET).key(key), RequestBody.fromBytes(TestContent.of(key, LENGTH)));
      written.put(key, LENGTH);
    }
  }

  private void verify(S3Client s3) {
    TestContent.assertReads(s3, BUCKET, written);
  }
}
