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
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.stowage.common.conf.Keys;
import io.stowage.common.conf.StowageConfig;
import io.stowage.common.error.ErrorCode;
import io.stowage.common.error.NotLeaderException;
import io.stowage.common.error.StoreException;
import io.stowage.common.fault.CrashPoint;
import io.stowage.common.fault.TcpProxy;
import io.stowage.common.id.WriteId;
import io.stowage.common.proto.ContainerInfo;
import io.stowage.common.proto.ContainerState;
import io.stowage.common.proto.GetContainersRequest;
import io.stowage.common.proto.HeartbeatReply;
import io.stowage.common.proto.Lease;
import io.stowage.common.proto.LeaseContainersRequest;
import io.stowage.common.proto.LeaseOutcome;
import io.stowage.common.proto.LeaseRef;
import io.stowage.common.proto.Order;
import io.stowage.common.proto.ReleaseLeaseRequest;
import io.stowage.common.proto.RenewLeasesRequest;
import io.stowage.common.proto.ShardPlace;
import io.stowage.common.rpc.RpcClient;
import io.stowage.common.rpc.RpcProtocol;
import io.stowage.common.scm.ContainerManager;
import io.stowage.common.time.StoreClock;
import io.stowage.scm.container.ContainerStore;
import io.stowage.scm.table.HBaseContainerStore;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.CountDownLatch;
import org.apache.hadoop.thirdparty.protobuf.ByteString;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/**
 * Two SCMs over one real HBase and ZooKeeper; datanodes are fakes that keep the fencing rules. A
 * pause stops all of an SCM's own threads, while its ZooKeeper session expires; what the test then
 * calls on it is what it does first when it wakes up, before anything told it that it was deposed.
 * A partition takes ZooKeeper away from an SCM that has HBase, datanodes and writers.
 */
class FailoverTest {
  private static final Duration WRITES_GO_ON = Duration.ofSeconds(10);

  /** For what is no promise about time. */
  private static final Duration PATIENCE = Duration.ofSeconds(60);

  private final EmbeddedHBase hbase = EmbeddedHBase.get();
  private final List<ScmServer> scms = new ArrayList<>();
  private final Map<ScmServer, TcpProxy> zooKeeperOf = new HashMap<>();
  private final List<FakeDatanode> nodes = new ArrayList<>();
  private String namespace;
  private RpcClient<ContainerManager> client;

  @BeforeEach
  void start() throws Exception {
    namespace = EmbeddedHBase.freshName();
    StowageConfig config =
        StowageConfig.of(
            Map.of(
                Keys.SCM_BIND.name(), "127.0.0.1:0",
                Keys.ZOOKEEPER_ROOT.name(), "/" + namespace,
                Keys.HBASE_NAMESPACE.name(), namespace,
                Keys.DEFAULT_POLICY.name(), "rs-3-2",
                Keys.FAILURE_DOMAIN.name(), "disk",
                // Nothing here waits for it: ZooKeeper is told which session has ended.
                Keys.ZOOKEEPER_SESSION_TIMEOUT.name(), "10s",
                Keys.HEARTBEAT_INTERVAL.name(), "50ms"));
    for (int i = 0; i < 2; i++) {
      TcpProxy zooKeeper = TcpProxy.to(hbase.zooKeeperQuorum());
      StowageConfig its = config.with(Keys.ZOOKEEPER_QUORUM, zooKeeper.address());
      scms.add(ScmServer.start(its, hbase.configuration(), StoreClock.system()));
      zooKeeperOf.put(scms.get(i), zooKeeper);
    }
    client =
        RpcClient.create(
            RpcProtocol.CONTAINER_MANAGER,
            hbase.configuration(),
            scms.stream().map(ScmServer::address).toList(),
            Duration.ofSeconds(5),
            PATIENCE);
    for (int i = 0; i < 5; i++) {
      nodes.add(new FakeDatanode("127.0.0.1", 10_000 + i, 1, 100L << 30));
    }
    heartbeats();
  }

  @AfterEach
  void stop() throws Exception {
    CrashPoint.disarmAll();
    client.close();
    scms.forEach(ScmServer::close);
    for (TcpProxy proxy : zooKeeperOf.values()) {
      proxy.close();
    }
  }

  private void heartbeats() throws StoreException {
    for (ScmServer scm : scms) {
      heartbeats(scm);
    }
  }

  private void heartbeats(ScmServer scm) throws StoreException {
    for (FakeDatanode node : nodes) {
      node.heartbeat(scm.datanodeReports());
    }
  }

  private ScmServer leader() throws Exception {
    Await.until("a leader", PATIENCE, () -> scms.stream().filter(ScmServer::isLeader).count() == 1);
    return scms.stream().filter(ScmServer::isLeader).findFirst().orElseThrow();
  }

  private static LeaseContainersRequest ask() {
    return LeaseContainersRequest.newBuilder()
        .setPolicy("rs-3-2")
        .setHolder(WriteId.random())
        .build();
  }

  private static LeaseRef ref(Lease lease) {
    return LeaseRef.newBuilder()
        .setContainer(lease.getContainer().getId())
        .setEpoch(lease.getContainer().getLeaseEpoch())
        .setHolder(lease.getHolder())
        .build();
  }

  private static ReleaseLeaseRequest release(Lease lease, LeaseOutcome outcome) {
    return ReleaseLeaseRequest.newBuilder().setLease(ref(lease)).setOutcome(outcome).build();
  }

  private FakeDatanode node(ShardPlace place) {
    return nodes.stream()
        .filter(n -> n.nodeId().equals(place.getNodeId()))
        .findFirst()
        .orElseThrow();
  }

  private void open(Lease lease) throws StoreException {
    for (ShardPlace place : lease.getContainer().getShardsList()) {
      node(place).open(lease.getContainer(), place, lease.getHolder());
    }
  }

  private void write(Lease lease, long end) throws StoreException {
    for (ShardPlace place : lease.getContainer().getShardsList()) {
      node(place).write(lease, place, end);
    }
  }

  @Test
  void writesGoOnWhenTheLeaderStops() throws Exception {
    ScmServer first = leader();
    Lease held = client.api().leaseContainer(ask()).getLease();
    open(held);
    write(held, 4096);
    Lease given = client.api().leaseContainer(ask()).getLease();
    client.api().releaseLease(release(given, LeaseOutcome.LEASE_IDLE));

    long stopped = System.nanoTime();
    first.close();
    scms.remove(first);
    Lease next = client.api().leaseContainer(ask()).getLease();
    assertTrue(System.nanoTime() - stopped < WRITES_GO_ON.toNanos());

    // The idle container is used on, under a higher epoch and by the new leader.
    assertEquals(given.getContainer().getId(), next.getContainer().getId());
    assertEquals(2, next.getContainer().getLeaseEpoch());
    assertEquals(2, next.getContainer().getLeaderEpoch());
    // Who held a lease holds it still.
    assertEquals(
        1,
        client
            .api()
            .renewLeases(RenewLeasesRequest.newBuilder().addLeases(ref(held)).build())
            .getLeasesCount());
    write(held, 8192);
    heartbeats();
    client.api().releaseLease(release(held, LeaseOutcome.LEASE_FULL));
    heartbeats(); // hear the epoch, tell the end
    heartbeats(); // say so, get the order
    heartbeats(); // tell its result
    ContainerStore table =
        HBaseContainerStore.open(hbase.configuration(), namespace, StoreClock.system());
    Await.until(
        "the end in the row",
        PATIENCE,
        () -> table.read(held.getContainer().getId()).info().getEndOffset() == 8192);
    table.close();
    for (FakeDatanode node : nodes) {
      assertEquals(1, node.obeyedOrders().size());
      assertEquals(2, node.obeyedOrders().get(0).getLeaderEpoch());
    }
  }

  @Test
  void aLeaderPausedPastItsSessionIsHarmless() throws Exception {
    ScmServer stale = leader();
    ScmServer next = scms.get(1 - scms.indexOf(stale));
    heartbeats();
    heartbeats();
    Lease shared = stale.containerManager().leaseContainer(ask()).getLease();
    open(shared);
    write(shared, 4096);
    Lease sealedByBoth = stale.containerManager().leaseContainer(ask()).getLease();
    open(sealedByBoth);
    Lease idle = stale.containerManager().leaseContainer(ask()).getLease();
    stale.containerManager().releaseLease(release(idle, LeaseOutcome.LEASE_IDLE));
    heartbeats();

    CountDownLatch awake = pause(stale);
    long paused = System.nanoTime();
    hbase.expireSession(stale.address());
    Await.until("the other SCM to lead", WRITES_GO_ON, next::isLeader);
    assertTrue(stale.isLeader(), "the paused one cannot know");

    // Writes go on, on the idle container, too.
    ByteString holder = WriteId.random();
    Lease taken =
        next.containerManager()
            .leaseContainer(ask().toBuilder().setHolder(holder).build())
            .getLease();
    assertTrue(System.nanoTime() - paused < WRITES_GO_ON.toNanos());
    assertEquals(idle.getContainer().getId(), taken.getContainer().getId());
    assertEquals(2, taken.getContainer().getLeaseEpoch());
    open(taken);

    // An order of the stale leader is under way to a node that hears the new epoch first.
    stale.containerManager().releaseLease(release(sealedByBoth, LeaseOutcome.LEASE_FULL));
    ShardPlace late = sealedByBoth.getContainer().getShards(0);
    ShardPlace soon = sealedByBoth.getContainer().getShards(1);
    HeartbeatReply underWay = node(late).ask(stale.datanodeReports());
    assertEquals(
        List.of(1L), underWay.getOrdersList().stream().map(Order::getLeaderEpoch).toList());
    node(soon).heartbeat(stale.datanodeReports()); // has not heard of anybody else: obeys
    assertEquals(1, node(soon).obeyedOrders().size());
    node(late).heartbeat(next.datanodeReports());
    assertEquals(2, node(late).heardEpoch());
    node(late).take(stale.datanodeReports(), underWay);
    assertEquals(List.of("leader epoch 1, row version 2"), node(late).refusedOrders());
    assertEquals(0, node(late).obeyedOrders().size());

    // What the obedient node did is harmless: the row had been sealed before the order went out,
    // and the new leader, whose map is older than that, finds the row changed when it writes.
    next.containerManager().releaseLease(release(sealedByBoth, LeaseOutcome.LEASE_IDLE));
    assertEquals(
        ContainerState.SEALED,
        next.containerManager()
            .getContainers(
                GetContainersRequest.newBuilder()
                    .addIds(sealedByBoth.getContainer().getId())
                    .build())
            .getContainers(0)
            .getState());

    // A container that the stale leader makes has a row of its epoch: the new leader finds it and
    // goes on from there, and its writer may write.
    Lease stray =
        stale
            .containerManager()
            .leaseContainer(ask().toBuilder().setPolicy("rs-1-2").build())
            .getLease();
    assertEquals(1, stray.getContainer().getLeaderEpoch());
    Await.until(
        "the new leader to take in a row that it has not written",
        PATIENCE,
        () ->
            next.containerManager()
                    .renewLeases(RenewLeasesRequest.newBuilder().addLeases(ref(stray)).build())
                    .getLeasesCount()
                == 1);

    // The stale leader believes that the idle container is its to give, and meets a higher epoch.
    assertThrows(NotLeaderException.class, () -> stale.containerManager().leaseContainer(ask()));
    assertFalse(stale.isLeader());
    assertEquals(
        ErrorCode.NOT_LEADER,
        assertThrows(StoreException.class, () -> stale.containerManager().leaseContainer(ask()))
            .code());

    // Awake again it is a standby, and leads when the other stops.
    awake.countDown();
    CrashPoint.disarmAll();
    heartbeats();
    next.close();
    scms.remove(next);
    assertTrue(client.api().leaseContainer(ask()).getLease().getContainer().getLeaderEpoch() >= 3);
    write(taken, 4096); // its lease outlived two leaders
  }

  @Test
  void aStaleLeaderIsDeposedByTheFirstHeartbeatThatHeardMore() throws Exception {
    ScmServer stale = leader();
    ScmServer next = scms.get(1 - scms.indexOf(stale));
    CountDownLatch awake = pause(stale);
    hbase.expireSession(stale.address());
    Await.until("the other SCM to lead", WRITES_GO_ON, next::isLeader);
    nodes.get(0).heartbeat(next.datanodeReports());
    HeartbeatReply reply = nodes.get(0).ask(stale.datanodeReports());
    assertEquals(0, reply.getLeaderEpoch());
    assertFalse(stale.isLeader());
    awake.countDown();
  }

  /**
   * Both lead for a while, and both are asked: the one that ZooKeeper has given up believes in its
   * session for two thirds of its time. It asks the table, too, and steps down before that.
   */
  @Test
  void aLeaderPartitionedFromZooKeeperSharesNothingWithItsSuccessor() throws Exception {
    ScmServer stale = leader();
    ScmServer next = scms.get(1 - scms.indexOf(stale));
    Lease held = stale.containerManager().leaseContainer(ask()).getLease();
    open(held);
    write(held, 4096);

    zooKeeperOf.get(stale).silence();
    hbase.expireSession(stale.address());
    List<Lease> granted = new ArrayList<>();
    int byBoth = 0;
    long began = System.nanoTime();
    while (stale.isLeader() || !next.isLeader()) {
      assertTrue(System.nanoTime() - began < WRITES_GO_ON.toNanos(), "the stale one leads on");
      boolean both = stale.isLeader() && next.isLeader();
      for (ScmServer scm : scms) {
        try {
          Lease lease = scm.containerManager().leaseContainer(ask()).getLease();
          open(lease);
          granted.add(lease);
          byBoth += both ? 1 : 0;
        } catch (NotLeaderException e) {
          // not yet, or no longer
        }
      }
    }
    long took = System.nanoTime() - began;
    System.err.printf(
        "stepped down after %d ms; %d leases granted, %d of them while both led%n",
        took / 1_000_000, granted.size(), byBoth);
    // By the table's word, not its session's: that one ends after two thirds of ten seconds.
    assertTrue(took < Duration.ofSeconds(6).toNanos(), () -> took / 1_000_000 + " ms");

    Set<List<Long>> once = new HashSet<>();
    try (ContainerStore table =
        HBaseContainerStore.open(hbase.configuration(), namespace, StoreClock.system())) {
      for (Lease lease : granted) {
        ContainerInfo info = lease.getContainer();
        assertTrue(once.add(List.of(info.getId(), info.getLeaseEpoch())), "granted twice");
        ContainerInfo row = table.read(info.getId()).info();
        assertEquals(ContainerState.OPEN, row.getState());
        assertEquals(info.getLeaseEpoch(), row.getLeaseEpoch());
        assertEquals(lease.getHolder(), row.getLeaseHolder());
        assertEquals(info.getLeaderEpoch(), row.getLeaderEpoch());
      }
    }
    // The successor takes in what the stale one has granted; all writers go on.
    granted.add(held);
    for (Lease lease : granted) {
      RenewLeasesRequest renewal = RenewLeasesRequest.newBuilder().addLeases(ref(lease)).build();
      Await.until(
          "a lease to be renewed",
          PATIENCE,
          () -> next.containerManager().renewLeases(renewal).getLeasesCount() == 1);
      write(lease, 8192);
    }

    zooKeeperOf.get(stale).heal();
    next.close();
    scms.remove(next);
    Lease after = client.api().leaseContainer(ask()).getLease();
    assertTrue(after.getContainer().getLeaderEpoch() >= 3);
  }

  /** Stops an SCM's own threads until the latch is counted down. */
  private static CountDownLatch pause(ScmServer scm) {
    CountDownLatch awake = new CountDownLatch(1);
    CrashPoint.named("scm.work@" + scm.address())
        .arm(
            () -> {
              try {
                awake.await();
              } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
              }
            });
    return awake;
  }
}
