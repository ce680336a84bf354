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
package io.stowage.scm;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.stowage.common.conf.Keys;
import io.stowage.common.conf.StowageConfig;
import io.stowage.common.error.ErrorCode;
import io.stowage.common.error.StoreException;
import io.stowage.common.fault.CrashPoint;
import io.stowage.common.id.WriteId;
import io.stowage.common.metrics.RoleHealth;
import io.stowage.common.proto.ClusterStatusReply;
import io.stowage.common.proto.ClusterStatusRequest;
import io.stowage.common.proto.ContainerInfo;
import io.stowage.common.proto.ContainerState;
import io.stowage.common.proto.GetContainersRequest;
import io.stowage.common.proto.Lease;
import io.stowage.common.proto.LeaseContainersRequest;
import io.stowage.common.proto.LeaseOutcome;
import io.stowage.common.proto.LeaseRef;
import io.stowage.common.proto.ListContainersRequest;
import io.stowage.common.proto.ReleaseLeaseRequest;
import io.stowage.common.proto.RenewLeasesRequest;
import io.stowage.common.rpc.RpcClient;
import io.stowage.common.rpc.RpcProtocol;
import io.stowage.common.scm.ContainerManager;
import io.stowage.common.scm.DatanodeReports;
import io.stowage.common.time.ManualClock;
import io.stowage.common.time.StoreClock;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.atomic.AtomicInteger;
import org.apache.hadoop.thirdparty.protobuf.ByteString;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** One SCM as a process would run it: real HBase, real ZooKeeper, real RPC; datanodes are fakes. */
class ScmServerTest {
  private StowageConfig config;
  private ScmServer scm;
  private RpcClient<ContainerManager> client;
  private final List<FakeDatanode> nodes = new ArrayList<>();

  @BeforeEach
  void start() throws Exception {
    EmbeddedHBase hbase = EmbeddedHBase.get();
    String name = EmbeddedHBase.freshName();
    config =
        StowageConfig.of(
            Map.of(
                Keys.SCM_BIND.name(),
                "127.0.0.1:0",
                Keys.ZOOKEEPER_QUORUM.name(),
                hbase.zooKeeperQuorum(),
                Keys.ZOOKEEPER_ROOT.name(),
                "/" + name,
                Keys.HBASE_NAMESPACE.name(),
                name,
                Keys.DEFAULT_POLICY.name(),
                "rs-3-2",
                Keys.FAILURE_DOMAIN.name(),
                "disk"));
    scm = ScmServer.start(config, hbase.configuration(), StoreClock.system());
    client =
        RpcClient.create(
            RpcProtocol.CONTAINER_MANAGER,
            hbase.configuration(),
            List.of(scm.address()),
            Duration.ofSeconds(10),
            Duration.ofSeconds(20));
    for (int i = 0; i < 5; i++) {
      nodes.add(new FakeDatanode("127.0.0.1", 10_000 + i, 1, 100L << 30));
    }
  }

  @AfterEach
  void stop() {
    CrashPoint.disarmAll();
    client.close();
    scm.close();
  }

  private void heartbeats() throws StoreException {
    for (FakeDatanode node : nodes) {
      node.heartbeat(scm.datanodeReports());
    }
  }

  @Test
  void leasesRenewsReleasesAndTellsContainers() throws Exception {
    heartbeats();
    ByteString holder = WriteId.random();
    LeaseContainersRequest ask =
        LeaseContainersRequest.newBuilder().setPolicy("rs-3-2").setHolder(holder).build();
    Lease lease = client.api().leaseContainer(ask).getLease(); // waits for the election
    assertEquals(new RoleHealth("scm", true, "leader"), scm.health());
    ContainerInfo container = lease.getContainer();
    assertEquals(5, container.getShardsCount());
    assertEquals(5, container.getShardsList().stream().map(s -> s.getDiskId()).distinct().count());
    assertTrue(container.getShardsList().stream().allMatch(s -> s.getPort() >= 10_000));
    assertEquals(1, container.getLeaseEpoch());
    assertEquals(ContainerState.OPEN, container.getState());

    assertEquals(lease.getContainer(), client.api().leaseContainer(ask).getLease().getContainer());

    LeaseRef ref =
        LeaseRef.newBuilder().setContainer(container.getId()).setEpoch(1).setHolder(holder).build();
    RenewLeasesRequest renew =
        RenewLeasesRequest.newBuilder()
            .addLeases(ref)
            .addLeases(ref.toBuilder().setEpoch(2))
            .build();
    List<Lease> renewed = client.api().renewLeases(renew).getLeasesList();
    assertEquals(1, renewed.size());
    assertTrue(renewed.get(0).getExpiryMicros() >= lease.getExpiryMicros());

    client
        .api()
        .releaseLease(
            ReleaseLeaseRequest.newBuilder()
                .setLease(ref)
                .setOutcome(LeaseOutcome.LEASE_IDLE)
                .setEndOffset(8192)
                .build());
    assertTrue(client.api().renewLeases(renew).getLeasesList().isEmpty());

    Lease again =
        client.api().leaseContainer(ask.toBuilder().setHolder(WriteId.random()).build()).getLease();
    assertEquals(container.getId(), again.getContainer().getId());
    assertEquals(2, again.getContainer().getLeaseEpoch());
    assertEquals(8192, again.getContainer().getEndOffset());

    Lease other =
        client.api().leaseContainer(ask.toBuilder().setHolder(WriteId.random()).build()).getLease();
    assertNotEquals(container.getId(), other.getContainer().getId());

    assertEquals(
        2,
        client
            .api()
            .getContainers(
                GetContainersRequest.newBuilder()
                    .addIds(container.getId())
                    .addIds(other.getContainer().getId())
                    .addIds(42)
                    .build())
            .getContainersCount());
    assertEquals(
        2,
        client
            .api()
            .listContainers(ListContainersRequest.getDefaultInstance())
            .getContainersCount());
    ClusterStatusReply status =
        client.api().clusterStatus(ClusterStatusRequest.getDefaultInstance());
    assertTrue(status.getLeader());
    assertEquals(1, status.getLeaderEpoch());
    assertEquals(scm.address(), status.getLeaderAddress());
    assertEquals(2, status.getOpenContainers());
    assertEquals(5, status.getLiveDatanodes());
    assertEquals(0, status.getPolicies(0).getSpareDomains());
  }

  @Test
  void leavesNoThreadBehind() throws Exception {
    heartbeats();
    assertTrue(ourThreads() > 0);
    client.close();
    scm.close();
    scm.close(); // twice is once
    Await.until("all of SCM's threads to end", Duration.ofSeconds(10), () -> ourThreads() == 0);
  }

  /** Else a table that answers late would hide who is silent. */
  @Test
  void whoIsSilentIsDeadThoughLeasesWaitForTheTable() throws Exception {
    scm.close();
    ManualClock clock = new ManualClock(System.currentTimeMillis() * 1_000);
    scm = ScmServer.start(config, EmbeddedHBase.get().configuration(), clock);
    CountDownLatch slow = new CountDownLatch(1);
    CrashPoint.named("scm.work@" + scm.address())
        .arm(
            () -> {
              if (Thread.currentThread().getName().equals("scm-ticker")) {
                Await.uninterruptibly(slow);
              }
            });
    try {
      heartbeats();
      nodes.remove(4);
      // A node is dead after 30 s, by looks that come every half of a second and more.
      Await.until(
          "the silent one to be dead",
          Duration.ofSeconds(60),
          () -> {
            clock.advance(Duration.ofMillis(50));
            heartbeats();
            return deadNodes() == 1;
          });
    } finally {
      slow.countDown();
    }
  }

  /** It may take seconds, and nobody waits for it. */
  @Test
  void aThreadOfItsOwnLooksAtPlaces() throws Exception {
    CountDownLatch looks = new CountDownLatch(2); // the first may have failed
    CrashPoint.named("scm.work@" + scm.address())
        .arm(
            () -> {
              if (Thread.currentThread().getName().equals("scm-places")) {
                looks.countDown();
              }
            });
    Await.until("two looks", Duration.ofSeconds(60), () -> looks.getCount() == 0);
  }

  private int deadNodes() throws StoreException {
    return scm.containerManager()
        .clusterStatus(ClusterStatusRequest.getDefaultInstance())
        .getDeadDatanodes();
  }

  /** However many writers ask for leases while the table is slow. */
  @Test
  void callsThatWaitForTheTableLeaveHandlersToHeartbeats() throws Exception {
    heartbeats();
    ask(WriteId.random()); // it leads
    // Of two with one lock the second would wait for it.
    Map<Integer, ByteString> byLock = new HashMap<>();
    while (byLock.size() < 60) {
      ByteString holder = WriteId.random();
      byLock.put(Math.floorMod(holder.hashCode(), 256), holder);
    }
    List<ByteString> holders = List.copyOf(byLock.values());
    CountDownLatch slow = new CountDownLatch(1);
    AtomicInteger waiting = new AtomicInteger();
    CrashPoint.named("scm.lease.after-row")
        .arm(
            () -> {
              waiting.incrementAndGet();
              Await.uninterruptibly(slow);
            });
    ExecutorService writers = Executors.newFixedThreadPool(60);
    try (RpcClient<DatanodeReports> reports =
        RpcClient.create(
            RpcProtocol.DATANODE_REPORTS,
            EmbeddedHBase.get().configuration(),
            List.of(scm.address()),
            Duration.ofSeconds(20),
            Duration.ZERO)) {
      List<Future<Lease>> leases = new ArrayList<>();
      for (int i = 0; i < 60; i++) {
        ByteString holder = holders.get(i);
        leases.add(writers.submit(() -> ask(holder)));
      }
      Await.until("many to wait", Duration.ofSeconds(20), () -> waiting.get() >= 48);
      for (FakeDatanode node : nodes) {
        node.heartbeat(reports.api());
      }
      assertEquals(48, waiting.get());
      slow.countDown();
      for (Future<Lease> lease : leases) {
        lease.get(); // those that were told to come again, too
      }
    } finally {
      slow.countDown();
      writers.shutdownNow();
    }
  }

  private Lease ask(ByteString holder) throws StoreException {
    return client
        .api()
        .leaseContainer(
            LeaseContainersRequest.newBuilder().setPolicy("rs-3-2").setHolder(holder).build())
        .getLease();
  }

  private static long ourThreads() {
    return Thread.getAllStackTraces().keySet().stream()
        .map(Thread::getName)
        .filter(
            name ->
                name.startsWith("scm-")
                    || name.startsWith("Curator")
                    || name.startsWith("LeaderLatch")
                    || name.startsWith("stowage-data"))
        .count();
  }

  @Test
  void namesWhatIsMissing() throws Exception {
    nodes.remove(4);
    heartbeats();
    nodes.get(3).setDiskFailed(nodes.get(3).diskIds().get(0), true);
    heartbeats();
    StoreException e =
        assertThrows(
            StoreException.class,
            () ->
                client
                    .api()
                    .leaseContainer(
                        LeaseContainersRequest.newBuilder()
                            .setPolicy("rs-3-2")
                            .setHolder(WriteId.random())
                            .build()));
    assertEquals(ErrorCode.NOT_ENOUGH_NODES, e.code());
    assertEquals(
        "Cannot place a container: rs-3-2 needs 5 failure domains (disk), 3 are fit: missing disk"
            + " /disk0 of node "
            + nodes.get(3).nodeId()
            + " (127.0.0.1:10003) has failed",
        e.getMessage());
  }
}
