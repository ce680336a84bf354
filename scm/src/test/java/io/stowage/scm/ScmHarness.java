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

import io.stowage.common.error.StoreException;
import io.stowage.common.id.WriteId;
import io.stowage.common.proto.ClusterStatusReply;
import io.stowage.common.proto.ClusterStatusRequest;
import io.stowage.common.proto.ContainerInfo;
import io.stowage.common.proto.GetContainersRequest;
import io.stowage.common.proto.Lease;
import io.stowage.common.proto.LeaseContainersRequest;
import io.stowage.common.proto.LeaseOutcome;
import io.stowage.common.proto.LeaseRef;
import io.stowage.common.proto.ReleaseLeaseRequest;
import io.stowage.common.proto.RenewLeasesRequest;
import io.stowage.common.proto.ShardPlace;
import io.stowage.common.time.ManualClock;
import io.stowage.common.time.StoreClock;
import io.stowage.scm.cluster.ClusterClock;
import io.stowage.scm.cluster.ClusterMap;
import io.stowage.scm.cluster.FailureDomains;
import io.stowage.scm.cluster.NodeProbe;
import io.stowage.scm.cluster.RackResolver;
import io.stowage.scm.container.MemoryContainerStore;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import org.apache.hadoop.thirdparty.protobuf.ByteString;

/**
 * SCMs without sockets, threads and elections, over one in-memory table and a clock that the test
 * moves. Confined to the test's thread.
 */
final class ScmHarness {
  static final Duration DEAD = Duration.ofSeconds(30);
  static final Duration LEASE = Duration.ofSeconds(60);
  static final Duration OPEN_TIME = Duration.ofHours(6);
  static final Duration CLAIM = Duration.ofSeconds(30);
  static final Duration WINDOW = Duration.ofMinutes(15);
  static final Duration KEEP = Duration.ofHours(24);
  static final long CAPACITY = 64L << 20;

  /** Identity of the table object that containers belong to. */
  static final ByteString TABLE = WriteId.random();

  final ManualClock clock = new ManualClock(1_700_000_000_000_000L);
  final MemoryContainerStore store = new MemoryContainerStore(clock);
  final List<FakeDatanode> nodes = new ArrayList<>();
  private final NodeProbe probe;
  private final RackResolver racks;
  private FailureDomains domains;
  private final Random random = new Random(42);

  StorageContainerManager scm;

  /** One SCM that leads, and nodes with one disk each that it knows. */
  ScmHarness(int nodeCount, NodeProbe probe) throws StoreException {
    this(nodeCount, 1, probe);
  }

  ScmHarness(int nodeCount, int disksPerNode, NodeProbe probe) throws StoreException {
    this(nodeCount, disksPerNode, probe, "host", host -> RackResolver.DEFAULT_RACK);
  }

  /** Hosts are host0, host1, ... */
  ScmHarness(
      int nodeCount, int disksPerNode, NodeProbe probe, String failureDomains, RackResolver racks)
      throws StoreException {
    this.probe = probe;
    this.racks = racks;
    this.domains = FailureDomains.parse(failureDomains);
    for (int i = 0; i < nodeCount; i++) {
      nodes.add(new FakeDatanode("host" + i, 9_000, disksPerNode, 100L << 30));
    }
    nodes.forEach(node -> node.setPeers(nodes));
    scm = newScm();
    scm.won();
    heartbeats();
    heartbeats();
  }

  /** What SCMs that are made from now on are told. */
  void setFailureDomains(String text) throws StoreException {
    domains = FailureDomains.parse(text);
  }

  /** One more SCM over the same table; it has heard no node and does not lead. */
  StorageContainerManager newScm() throws StoreException {
    return newScm(clock);
  }

  /** The same, on a machine with other clocks. */
  StorageContainerManager newScm(StoreClock machine) throws StoreException {
    ScmConfig config =
        new ScmConfig(
            "127.0.0.1:0",
            "",
            "/stowage",
            Duration.ofSeconds(6),
            "stowage",
            "rs-3-2",
            CAPACITY,
            domains,
            Duration.ofSeconds(1),
            DEAD,
            LEASE,
            WINDOW,
            Duration.ofSeconds(10),
            OPEN_TIME,
            CLAIM,
            25,
            KEEP,
            2);
    ClusterMap cluster =
        new ClusterMap(
            machine,
            racks,
            config.failureDomains(),
            config.deadInterval(),
            config.minFreeBytes(),
            probe);
    return new StorageContainerManager(
        config, store, cluster, new ClusterClock(machine, config.clockBound(), DEAD), random);
  }

  void heartbeats() throws StoreException {
    for (FakeDatanode node : nodes) {
      node.heartbeat(scm);
    }
  }

  /** Lets time pass in small steps, with heartbeats of all nodes but some, and ticks. */
  void pass(Duration time, FakeDatanode... silent) throws StoreException {
    List<FakeDatanode> quiet = List.of(silent);
    for (long millis = 0; millis < time.toMillis(); millis += 1_000) {
      clock.advance(Duration.ofMillis(Math.min(1_000, time.toMillis() - millis)));
      for (FakeDatanode node : nodes) {
        if (!quiet.contains(node)) {
          node.heartbeat(scm);
        }
      }
      tick();
    }
  }

  void tick() throws StoreException {
    tick(scm);
  }

  /** What an SCM's threads do now and then. */
  static void tick(StorageContainerManager scm) throws StoreException {
    scm.lookAtNodes();
    scm.lookAtPlaces();
    scm.tick();
  }

  Lease lease() throws StoreException {
    return lease(WriteId.random());
  }

  Lease lease(ByteString holder, String... avoid) throws StoreException {
    return scm.leaseContainer(
            LeaseContainersRequest.newBuilder()
                .setPolicy("rs-3-2")
                .setHolder(holder)
                .addAllAvoidNodes(List.of(avoid))
                .build())
        .getLease();
  }

  boolean renew(Lease lease) throws StoreException {
    return scm.renewLeases(RenewLeasesRequest.newBuilder().addLeases(ref(lease)).build())
            .getLeasesCount()
        == 1;
  }

  void release(Lease lease, LeaseOutcome outcome, long end, FakeDatanode... suspects)
      throws StoreException {
    ReleaseLeaseRequest.Builder request =
        ReleaseLeaseRequest.newBuilder().setLease(ref(lease)).setOutcome(outcome).setEndOffset(end);
    for (FakeDatanode suspect : suspects) {
      request.addSuspectNodes(suspect.nodeId());
    }
    scm.releaseLease(request.build());
  }

  static LeaseRef ref(Lease lease) {
    return LeaseRef.newBuilder()
        .setContainer(lease.getContainer().getId())
        .setEpoch(lease.getContainer().getLeaseEpoch())
        .setHolder(lease.getHolder())
        .build();
  }

  FakeDatanode node(ShardPlace place) {
    return nodes.stream()
        .filter(node -> node.nodeId().equals(place.getNodeId()))
        .findFirst()
        .orElseThrow();
  }

  /** Opens all shards as the writer does. */
  void open(Lease lease) throws StoreException {
    for (ShardPlace place : lease.getContainer().getShardsList()) {
      node(place).open(lease.getContainer(), place, lease.getHolder());
    }
  }

  void write(Lease lease, long end) throws StoreException {
    for (ShardPlace place : lease.getContainer().getShardsList()) {
      node(place).write(lease, place, end);
    }
  }

  /** A container with data in all shards, leased. */
  Lease written(long end) throws StoreException {
    Lease lease = lease();
    open(lease);
    write(lease, end);
    heartbeats();
    return lease;
  }

  ContainerInfo container(long id) throws StoreException {
    return scm.getContainers(GetContainersRequest.newBuilder().addIds(id).build()).getContainers(0);
  }

  ContainerInfo container(Lease lease) throws StoreException {
    return container(lease.getContainer().getId());
  }

  ClusterStatusReply status() {
    return scm.clusterStatus(ClusterStatusRequest.getDefaultInstance());
  }
}
