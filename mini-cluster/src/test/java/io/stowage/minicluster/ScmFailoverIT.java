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
import io.stowage.common.proto.Lease;
import io.stowage.common.proto.LeaseContainersRequest;
import io.stowage.common.rpc.RpcClient;
import io.stowage.common.rpc.RpcProtocol;
import io.stowage.common.scm.ContainerManager;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import org.apache.hadoop.conf.Configuration;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import software.amazon.awssdk.core.sync.RequestBody;
import software.amazon.awssdk.services.s3.S3Client;
import software.amazon.awssdk.services.s3.model.S3Exception;

/**
 * Two SCM processes, each with a way to ZooKeeper of its own. The leader is paused past its
 * session, and goes on as if nothing had happened; then the leader is cut off from ZooKeeper, but
 * from nothing else; later the leader is killed. Containers are so small that writes need new
 * leases all the time.
 */
class ScmFailoverIT {
  private static final String BUCKET = "failover";

  /** Then with a partition, too. */
  private static final boolean LONG = Boolean.getBoolean("stowage.it.long");

  private static final Duration WITHIN = Duration.ofSeconds(10);
  private static final int LENGTH = 900_000;

  @TempDir Path directory;

  private final Map<String, Integer> written = new LinkedHashMap<>();
  private final List<TcpProxy> ways = new ArrayList<>();
  private final List<ScmProcess> processes = new ArrayList<>();
  private final List<RpcClient<ContainerManager>> clients = new ArrayList<>();

  @Test
  void writesGoOnAndAStaleLeaderIsHarmless() throws Exception {
    HBaseHome home = HBaseHome.shared();
    String namespace = HBaseHome.newNamespace();
    List<String> addresses = List.of("127.0.0.1:" + freePort(0), "127.0.0.1:" + freePort(1));
    StowageConfig config = ScmProcess.config(home.zooKeeperQuorum(), namespace, addresses);
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
      awaitLeader(-1, Duration.ofSeconds(30));
      try (MiniStowageCluster cluster =
              MiniStowageCluster.builder()
                  .set(Keys.CONTAINER_CAPACITY, "4m")
                  .externalScms(addresses, namespace)
                  .start();
          S3Client s3 =
              S3Clients.impatient(cluster.s3Endpoint(), cluster.accessKey(), cluster.secretKey())) {
        s3.createBucket(b -> b.bucket(BUCKET));
        failOver(s3);
      }
    } finally {
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

  private void failOver(S3Client s3) throws Exception {
    put(s3, "first", 8);
    int paused = awaitLeader(-1, Duration.ofSeconds(10));
    final long epoch = status(paused).getLeaderEpoch();

    processes.get(paused).pause();
    putsGoOn(s3, "while the leader is paused");
    int second = awaitLeader(paused, WITHIN);
    assertTrue(status(second).getLeaderEpoch() > epoch, "the new leader's epoch is higher");
    put(s3, "second", 8);

    processes.get(paused).resume();
    // It may believe for a moment that it leads; whoever asks it then must not be hurt.
    put(s3, "third", 8);
    List<String> say;
    List<String> expected = second == 0 ? List.of("leads", "follows") : List.of("follows", "leads");
    long deadline = System.nanoTime() + WITHIN.toNanos();
    do {
      say = List.of(says(0), says(1));
      Thread.sleep(50);
    } while (!say.equals(expected) && System.nanoTime() < deadline);
    assertEquals(expected, say, "the stale leader steps down, and the new one stays");
    verify(s3);

    assertEquals(second, awaitLeader(-1, WITHIN));
    int last = second;
    if (LONG) {
      partition(s3, second);
      assertEquals(paused, awaitLeader(second, WITHIN));
      verify(s3);
      last = paused;
    }
    processes.get(last).close(); // kill -9
    putsGoOn(s3, "after the leader was killed");
    assertEquals(1 - last, awaitLeader(last, WITHIN));
    put(s3, "fourth", 8);
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
      assertTrue(System.nanoTime() - began < WITHIN.toNanos(), "nobody follows it");
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

  /** Some puts may fail while nobody leads, but not for longer than the bound. */
  private void putsGoOn(S3Client s3, String when) throws Exception {
    long begin = System.nanoTime();
    int refused = 0;
    int inARow = 0;
    for (int i = 0; inARow < 12; i++) {
      try {
        put(s3, when + i, 1);
        inARow++;
      } catch (S3Exception e) {
        assertEquals(503, e.statusCode(), e::getMessage);
        refused++;
        inARow = 0;
        assertTrue(System.nanoTime() - begin < WITHIN.toNanos(), () -> when + ": " + e);
      }
    }
    System.err.printf(
        "%s: %d refused, 12 puts in a row after %d ms%n",
        when, refused, (System.nanoTime() - begin) / 1_000_000);
  }

  private void put(S3Client s3, String name, int count) {
    for (int i = 0; i < count; i++) {
      String key = name + "/" + i;
      s3.putObject(
          b -> b.bucket(BUCKET).key(key), RequestBody.fromBytes(TestContent.of(key, LENGTH)));
      written.put(key, LENGTH);
    }
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
      return status(scm).getLeader() ? "leads" : "follows";
    } catch (StoreException e) {
      return e.toString();
    }
  }

  private int awaitLeader(int other, Duration timeout) throws Exception {
    long deadline = System.nanoTime() + timeout.toNanos();
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
    for (ScmProcess process : processes) {
      System.err.println(process.output());
    }
    throw new AssertionError("nobody leads within " + timeout, last);
  }

  private static int freePort(int which) {
    int port = 32_000 + (int) (ProcessHandle.current().pid() % 300) * 2 + which;
    while (!ClusterDirectory.isFree(port)) {
      port += 2;
    }
    return port;
  }
}
