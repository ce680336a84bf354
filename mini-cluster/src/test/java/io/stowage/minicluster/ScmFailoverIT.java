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
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.stowage.common.conf.Keys;
import io.stowage.common.conf.StowageConfig;
import io.stowage.common.error.StoreException;
import io.stowage.common.fault.TcpProxy;
import io.stowage.common.id.WriteId;
import io.stowage.common.proto.ClusterStatusReply;
import io.stowage.common.proto.ClusterStatusRequest;
import io.stowage.common.proto.ContainerInfo;
import io.stowage.common.proto.ContainerState;
import io.stowage.common.proto.GetContainersRequest;
import io.stowage.common.proto.GetObjectRequest;
import io.stowage.common.proto.Lease;
import io.stowage.common.proto.LeaseContainersRequest;
import io.stowage.common.rpc.RpcClient;
import io.stowage.common.rpc.RpcProtocol;
import io.stowage.common.scm.ContainerManager;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Queue;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import org.apache.hadoop.conf.Configuration;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import software.amazon.awssdk.core.sync.RequestBody;
import software.amazon.awssdk.services.s3.S3Client;

/**
 * Two SCM processes, each with a way to ZooKeeper of its own. The leader is paused past its
 * session, and goes on as if nothing had happened; then the leader is cut off from ZooKeeper, but
 * from nothing else; later the leader is killed. Containers are so small that writes need new
 * leases all the time, also while nobody leads. The client tries nothing twice: no put may fail, or
 * take longer than the bound, but for what this machine stood still.
 */
class ScmFailoverIT {
  private static final String LEADS = "leads";

  private static final String FOLLOWS = "follows";

  private static final String BUCKET = "failover";

  /** Then with a partition, too. */
  private static final boolean LONG = Boolean.getBoolean("stowage.it.long");

  private static final Duration WITHIN = Duration.ofSeconds(10);

  /** What has no bound of its own hangs after this. */
  private static final Duration PATIENCE = Duration.ofSeconds(60);

  /** Six fill a container of rs-3-2. */
  private static final int LENGTH = 2_000_000;

  private static final int WRITERS = 4;

  /** Puts of each writer before its leader goes, and after there is another. */
  private static final int PUTS = 3;

  @TempDir Path directory;

  private final MachinePauses pauses = MachinePauses.begin();
  private final Map<String, Integer> written = new ConcurrentHashMap<>();
  private final List<TcpProxy> ways = new ArrayList<>();
  private final List<ScmProcess> processes = new ArrayList<>();
  private final List<RpcClient<ContainerManager>> clients = new ArrayList<>();

  @Test
  void writesGoOnAndAStaleLeaderIsHarmless() throws Exception {
    HBaseHome home = HBaseHome.shared();
    String namespace = HBaseHome.newNamespace();
    List<String> addresses = List.of("127.0.0.1:" + freePort(0), "127.0.0.1:" + freePort(1));
    StowageConfig config =
        ScmProcess.config(home.zooKeeperQuorum(), namespace, addresses)
            .with(Keys.DEAD_INTERVAL, "30s"); // no datanode goes: a pause of this JVM's is no death
    try {
      Configuration hbase = home.configuration();
      for (int i = 0; i < 2; i++) {
        ways.add(TcpProxy.to(home.zooKeeperQuorum()));
        processes.add(
            ScmProcess.launch(
                directory.resolve("scm" + i),
                config
                    .with(Keys.SCM_BIND, addresses.get(i))
                    .with(Keys.ZOOKEEPER_QUORUM, ways.get(i).address()),
                hbase));
        clients.add(
            RpcClient.create(
                RpcProtocol.CONTAINER_MANAGER,
                hbase,
                List.of(addresses.get(i)),
                Duration.ofSeconds(2),
                Duration.ZERO));
      }
      awaitLeader(-1);
      awaitFollower();
      try (MiniStowageCluster cluster =
              MiniStowageCluster.builder()
                  .disksPerDatanode(2) // enough for rs-6-3
                  .externalScms(addresses, namespace)
                  .start();
          S3Client s3 =
              S3Clients.impatient(cluster.s3Endpoint(), cluster.accessKey(), cluster.secretKey())) {
        s3.createBucket(b -> b.bucket(BUCKET));
        failOver(cluster, s3);
      }
    } catch (Exception | AssertionError e) {
      for (ScmProcess process : processes) {
        if (process.isAlive()) {
          process.tellThreads();
          Thread.sleep(1_000);
        }
        System.err.println(process.output());
      }
      throw e;
    } finally {
      pauses.close();
      for (RpcClient<ContainerManager> client : clients) {
        client.close();
      }
      for (ScmProcess process : processes) {
        process.close();
      }
      for (TcpProxy way : ways) {
        way.close();
      }
    }
  }

  private void failOver(MiniStowageCluster cluster, S3Client s3) throws Exception {
    put(s3, "first", 4);
    int paused = awaitLeader(-1);
    int second = 1 - paused;
    putsGoOn(cluster, s3, "paused", "rs-1-2", paused, () -> processes.get(paused).pause());
    put(s3, "second", 4);

    processes.get(paused).resume();
    // It may believe for a moment that it leads; whoever asks it then must not be hurt.
    put(s3, "third", 8);
    List<String> say;
    List<String> expected = second == 0 ? List.of(LEADS, FOLLOWS) : List.of(FOLLOWS, LEADS);
    long deadline = System.nanoTime() + PATIENCE.toNanos();
    do {
      say = List.of(says(0), says(1));
      Thread.sleep(50);
    } while (!say.equals(expected) && System.nanoTime() < deadline);
    assertEquals(expected, say, "the stale leader steps down, and the new one stays");
    verify(s3);

    int last = second;
    if (LONG) {
      partition(s3, second);
      assertEquals(paused, awaitLeader(second));
      verify(s3);
      last = paused;
    }
    ScmProcess killed = processes.get(last);
    putsGoOn(cluster, s3, "killed", "rs-6-3", last, killed::close); // kill -9
    put(s3, "fourth", 4);
    verify(s3);
  }

  /**
   * The leader and ZooKeeper no longer hear of each other; it has HBase, datanodes and object
   * managers, and is asked as before, as is the one that follows it. No put fails meanwhile.
   */
  private void partition(S3Client s3, int leader) throws Exception {
    final long epoch = status(leader).getLeaderEpoch();
    final int other = 1 - leader;
    List<Lease> granted = new ArrayList<>();
    long began = System.nanoTime();
    ways.get(leader).silence();
    int puts = 0;
    while (!status(other).getLeader()) {
      assertTrue(System.nanoTime() - began < PATIENCE.toNanos(), "nobody follows it");
      askBoth(granted);
      put(s3, "cut off" + puts++, 1);
    }
    long took = (System.nanoTime() - began) / 1_000_000;
    assertTrue(status(other).getLeaderEpoch() > epoch, "the new leader's epoch is higher");
    for (int i = 0; i < 12; i++) {
      askBoth(granted);
      put(s3, "cut off" + puts++, 1);
    }
    assertFalse(status(leader).getLeader(), "it has stepped down by itself");
    ways.get(leader).heal();
    put(s3, "healed", 8);

    Set<List<Long>> once = new HashSet<>();
    Set<Long> leaders = new TreeSet<>();
    for (Lease lease : granted) {
      ContainerInfo had = lease.getContainer();
      assertTrue(once.add(List.of(had.getId(), had.getLeaseEpoch())), "granted twice");
      leaders.add(had.getLeaderEpoch());
      ContainerInfo row =
          clients
              .get(other)
              .api()
              .getContainers(
                  GetContainersRequest.newBuilder().addIds(had.getId()).setFresh(true).build())
              .getContainers(0);
      assertTrue(row.getLeaseEpoch() >= had.getLeaseEpoch(), row::toString);
      if (row.getLeaseEpoch() == had.getLeaseEpoch() && row.getState() == ContainerState.OPEN) {
        assertEquals(lease.getHolder(), row.getLeaseHolder());
      }
    }
    assertEquals(2, leaders.size(), () -> "asked of two leaders: " + leaders);
    System.err.printf(
        "cut off from ZooKeeper: another led after %d ms; %d puts, none refused; %d leases of"
            + " epochs %s%n",
        took, puts, granted.size(), leaders);
  }

  private void askBoth(List<Lease> granted) {
    for (RpcClient<ContainerManager> client : clients) {
      try {
        granted.add(
            client
                .api()
                .leaseContainer(
                    LeaseContainersRequest.newBuilder()
                        .setPolicy("rs-3-2")
                        .setHolder(WriteId.random())
                        .build())
                .getLease());
      } catch (StoreException e) {
        // it does not lead; or no longer, and may not know that it wrote: nobody has that lease
      }
    }
  }

  private interface Action {
    void run() throws Exception;
  }

  /**
   * Several put one object after the other while the leader goes and until another leads. As soon
   * as it has gone one is put under a policy that nobody has a lease of: that needs a leader.
   */
  private void putsGoOn(
      MiniStowageCluster cluster, S3Client s3, String how, String policy, int leader, Action fault)
      throws Exception {
    DirectStore fresh = DirectStore.of(cluster, how);
    fresh.create(policy);
    byte[] content = TestContent.of(how, 10_000);
    final long epoch = status(leader).getLeaderEpoch();
    final int other = 1 - leader;
    Queue<Done> puts = new ConcurrentLinkedQueue<>();
    AtomicBoolean over = new AtomicBoolean();
    ExecutorService writers = Executors.newFixedThreadPool(WRITERS + 1);
    List<Future<?>> running = new ArrayList<>();
    try {
      for (int writer = 0; writer < WRITERS; writer++) {
        String name = how + "/" + writer;
        running.add(
            writers.submit(
                () -> {
                  for (int i = 0; !over.get(); i++) {
                    puts.add(put(s3, name + "/" + i));
                  }
                  return null;
                }));
      }
      awaitPuts(puts, running, WRITERS * PUTS);
      fault.run();
      Future<Done> leaseless = writers.submit(() -> timed(how, () -> fresh.put(how, content)));
      Instant nobodyLed = null;
      long began = System.nanoTime();
      while (true) {
        Instant asked = Instant.now();
        if (says(other).equals(LEADS)) {
          break;
        }
        nobodyLed = asked;
        assertTrue(System.nanoTime() - began < PATIENCE.toNanos(), how + ": nobody follows it");
        Thread.sleep(20);
      }
      final long took = (System.nanoTime() - began) / 1_000_000;
      assertTrue(status(other).getLeaderEpoch() > epoch, "the new leader's epoch is higher");
      awaitPuts(puts, running, puts.size() + WRITERS * PUTS);
      over.set(true);
      for (Future<?> writer : running) {
        writer.get(PATIENCE.toSeconds(), TimeUnit.SECONDS);
      }
      assertNotNull(nobodyLed, how + ": another led at once");
      Done first = leaseless.get(PATIENCE.toSeconds(), TimeUnit.SECONDS);
      assertEquals(null, TestContent.mismatch(how, content.length, fresh.get(how)));
      int waited = 0;
      for (Done put : puts) {
        waited += waited(cluster, BUCKET, put, other, nobodyLed) ? 1 : 0;
      }
      System.err.printf(
          "%s: another led after %d ms; %d puts, none refused, the longest took %d ms; %d asked for"
              + " a lease while nobody led%n",
          how,
          took,
          puts.size(),
          puts.stream().mapToLong(Done::tookMillis).max().orElseThrow(),
          waited);
      assertTrue(waited(cluster, how, first, other, nobodyLed), () -> first + " needed no leader");
    } finally {
      over.set(true);
      writers.shutdown();
    }
  }

  /** A writer that ends before it is told to has failed. */
  private static void awaitPuts(Queue<Done> puts, List<Future<?>> writers, int count)
      throws Exception {
    long deadline = System.nanoTime() + PATIENCE.toNanos();
    while (puts.size() < count) {
      for (Future<?> writer : writers) {
        if (writer.isDone()) {
          writer.get();
        }
      }
      assertTrue(System.nanoTime() < deadline, () -> puts.size() + " puts, not " + count);
      Thread.sleep(10);
    }
  }

  /** Whether it began while nobody led, and was written under a lease that was granted after. */
  private boolean waited(
      MiniStowageCluster cluster, String bucket, Done put, int leader, Instant nobodyLed)
      throws Exception {
    return put.began().isBefore(nobodyLed)
        && put.ended().isAfter(nobodyLed)
        && leased(cluster, leader, bucket, put.key()).isAfter(nobodyLed);
  }

  private Instant leased(MiniStowageCluster cluster, int leader, String bucket, String key)
      throws Exception {
    long container =
        cluster
            .objectManager(0)
            .getObject(
                GetObjectRequest.newBuilder()
                    .setBucket(bucket)
                    .setKey(key)
                    .setWantManifest(true)
                    .build())
            .getVersion()
            .getManifest()
            .getExtents(0)
            .getContainer();
    ContainerInfo row =
        clients
            .get(leader)
            .api()
            .getContainers(
                GetContainersRequest.newBuilder().addIds(container).setFresh(true).build())
            .getContainers(0);
    return Instant.EPOCH.plus(row.getLeaseGrantedMicros(), ChronoUnit.MICROS);
  }

  private record Done(String key, Instant began, Instant ended) {
    long tookMillis() {
      return Duration.between(began, ended).toMillis();
    }
  }

  private void put(S3Client s3, String name, int count) throws Exception {
    for (int i = 0; i < count; i++) {
      put(s3, name + "/" + i);
    }
  }

  private Done put(S3Client s3, String key) throws Exception {
    byte[] bytes = TestContent.of(key, LENGTH);
    Done done =
        timed(
            key, () -> s3.putObject(b -> b.bucket(BUCKET).key(key), RequestBody.fromBytes(bytes)));
    written.put(key, LENGTH);
    return done;
  }

  private Done timed(String key, Action put) throws Exception {
    final Instant began = Instant.now();
    long pausedBefore = pauses.totalNanos();
    long start = System.nanoTime();
    put.run();
    long took = System.nanoTime() - start;
    long paused = pauses.totalNanos() - pausedBefore;
    assertTrue(
        took - paused < WITHIN.toNanos(),
        () -> key + " took " + took / 1_000_000 + " ms, of which " + paused / 1_000_000 + " stood");
    return new Done(key, began, Instant.now());
  }

  private void verify(S3Client s3) {
    TestContent.assertReads(s3, BUCKET, written);
  }

  private ClusterStatusReply status(int scm) throws StoreException {
    return clients.get(scm).api().clusterStatus(ClusterStatusRequest.getDefaultInstance());
  }

  /** Its own word, if it has one within a call's time. */
  private String says(int scm) {
    try {
      return status(scm).getLeader() ? LEADS : FOLLOWS;
    } catch (StoreException e) {
      return e.toString();
    }
  }

  private int awaitLeader(int other) throws Exception {
    long deadline = System.nanoTime() + PATIENCE.toNanos();
    StoreException last = null;
    do {
      for (int i = 0; i < clients.size(); i++) {
        if (i == other) {
          continue;
        }
        try {
          if (status(i).getLeader()) {
            return i;
          }
        } catch (StoreException e) {
          last = e;
        }
      }
      Thread.sleep(50);
    } while (System.nanoTime() < deadline);
    throw new AssertionError("nobody leads within " + PATIENCE, last);
  }

  /** One that lost the race for making the table may come some seconds after the one that leads. */
  private void awaitFollower() throws Exception {
    long deadline = System.nanoTime() + PATIENCE.toNanos();
    List<String> say;
    do {
      Thread.sleep(50);
      say = List.of(says(0), says(1));
    } while (!say.contains(FOLLOWS) && System.nanoTime() < deadline);
    assertTrue(say.contains(FOLLOWS), "nobody follows within " + PATIENCE + ": " + say);
  }

  private static int freePort(int which) {
    int port = 32_000 + (int) (ProcessHandle.current().pid() % 300) * 2 + which;
    while (!ClusterDirectory.isFree(port)) {
      port += 2;
    }
    return port;
  }
}
