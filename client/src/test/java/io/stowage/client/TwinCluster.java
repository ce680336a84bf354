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
package io.stowage.client;

import io.stowage.client.twin.FaultyShards;
import io.stowage.client.twin.InMemoryShards;
import io.stowage.common.data.DatanodeDirectory;
import io.stowage.common.data.ShardService;
import io.stowage.common.erasure.ErasurePolicy;
import io.stowage.common.error.ErrorCode;
import io.stowage.common.error.StoreException;
import io.stowage.common.proto.ContainerInfo;
import io.stowage.common.proto.ContainerState;
import io.stowage.common.proto.Lease;
import io.stowage.common.proto.LeaseContainersReply;
import io.stowage.common.proto.LeaseContainersRequest;
import io.stowage.common.proto.LeaseGrant;
import io.stowage.common.proto.LeaseOutcome;
import io.stowage.common.proto.LeaseRef;
import io.stowage.common.proto.LocateContainersReply;
import io.stowage.common.proto.LocateContainersRequest;
import io.stowage.common.proto.ReleaseLeaseReply;
import io.stowage.common.proto.ReleaseLeaseRequest;
import io.stowage.common.proto.RenewLeasesReply;
import io.stowage.common.proto.RenewLeasesRequest;
import io.stowage.common.proto.ReportDamageReply;
import io.stowage.common.proto.ReportDamageRequest;
import io.stowage.common.proto.ShardKey;
import io.stowage.common.proto.ShardPlace;
import io.stowage.common.time.StoreClock;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;

/**
 * A container manager in memory, and datanodes that misbehave on order: leases, epochs, places, and
 * a note of what it was told. Thread-safe by one lock.
 */
public final class TwinCluster implements Containers, DatanodeDirectory {
  private final StoreClock clock;
  private final List<FaultyShards> nodes = new ArrayList<>();
  private final List<String> diskIds;
  private final Runnable onClose;
  private final List<InMemoryShards> inMemory;
  private final Map<Long, ContainerInfo> containers = new TreeMap<>();
  private final List<ReleaseLeaseRequest> releases = new ArrayList<>();
  private final List<ReportDamageRequest> damage = new ArrayList<>();
  private long capacity = 16 << 20;
  private Duration leaseDuration = Duration.ofSeconds(60);
  private Duration commitWindow = Duration.ofMinutes(15);
  private int renewals;
  private int leases;
  private boolean forgettingLeases;
  private Runnable refusingLeases; // null: it grants them

  /**
   * A cluster of given datanodes.
   *
   * @param diskIds of each node, the disk that shards are placed on
   * @param onClose closes the nodes
   */
  public TwinCluster(
      List<? extends ShardService> services,
      List<String> diskIds,
      StoreClock clock,
      Runnable onClose) {
    this(services, List.of(), diskIds, clock, onClose);
  }

  private TwinCluster(
      List<? extends ShardService> services,
      List<InMemoryShards> inMemory,
      List<String> diskIds,
      StoreClock clock,
      Runnable onClose) {
    this.clock = clock;
    this.inMemory = inMemory;
    this.diskIds = List.copyOf(diskIds);
    this.onClose = onClose;
    for (ShardService service : services) {
      nodes.add(new FaultyShards(service));
    }
  }

  /** A cluster of datanodes in memory. */
  public static TwinCluster inMemory(int count, StoreClock clock) {
    ExecutorService io = Executors.newFixedThreadPool(4);
    List<InMemoryShards> nodes = new ArrayList<>();
    List<String> disks = new ArrayList<>();
    for (int i = 0; i < count; i++) {
      nodes.add(new InMemoryShards(io));
      disks.add("disk-" + i);
    }
    return new TwinCluster(nodes, nodes, disks, clock, io::shutdown);
  }

  FaultyShards node(int index) {
    return nodes.get(index);
  }

  InMemoryShards memory(int index) {
    return inMemory.get(index);
  }

  /** The node that keeps a shard. */
  synchronized int nodeOf(long container, int shard) {
    return Integer.parseInt(containers.get(container).getShards(shard).getNodeId());
  }

  public synchronized void setCapacity(long bytes) {
    capacity = bytes;
  }

  synchronized void setLeaseDuration(Duration duration) {
    leaseDuration = duration;
  }

  synchronized void setCommitWindow(Duration window) {
    commitWindow = window;
  }

  /** Renewals find nothing. */
  synchronized void forgetLeases() {
    forgettingLeases = true;
  }

  /** Whoever asks for a lease is told to try again, after something else has happened. */
  synchronized void refuseLeases(Runnable first) {
    refusingLeases = first;
  }

  public synchronized List<ReleaseLeaseRequest> releases() {
    return List.copyOf(releases);
  }

  synchronized List<ReportDamageRequest> damage() {
    return List.copyOf(damage);
  }

  public synchronized int damageReports() {
    return damage.size();
  }

  /** Where all containers are, as a reader is told. */
  public synchronized List<ContainerInfo> places() {
    return containers();
  }

  synchronized int renewals() {
    return renewals;
  }

  synchronized int leases() {
    return leases;
  }

  synchronized List<ContainerInfo> containers() {
    return List.copyOf(containers.values());
  }

  long bytesWritten() {
    long bytes = 0;
    for (InMemoryShards node : inMemory) {
      bytes += node.bytesWritten();
    }
    return bytes;
  }

  @Override
  public synchronized LeaseContainersReply leaseContainer(LeaseContainersRequest request)
      throws StoreException {
    leases++;
    if (refusingLeases != null) {
      refusingLeases.run();
      throw new StoreException(ErrorCode.UNAVAILABLE, "Cannot lease a container: refused");
    }
    ErasurePolicy policy = ErasurePolicy.named(request.getPolicy());
    for (ContainerInfo info : containers.values()) {
      boolean usable =
          info.getState() == ContainerState.OPEN
              && info.getLeaseExpiryMicros() <= clock.wallMicros()
              && info.getPolicy().equals(policy.name());
      for (ShardPlace place : info.getShardsList()) {
        usable &= isUsable(Integer.parseInt(place.getNodeId()), request, false);
      }
      if (usable) {
        return grant(info, request);
      }
    }
    List<ShardPlace> places = new ArrayList<>();
    for (boolean avoided :
        new boolean[] {false, true}) { // nodes to avoid only where others do not suffice
      for (int i = 0; i < nodes.size() && places.size() < policy.shards(); i++) {
        int node = (i + containers.size()) % nodes.size();
        if (isUsable(node, request, avoided)) {
          places.add(place(places.size(), node, 1));
        }
      }
    }
    if (places.size() < policy.shards()) {
      throw new StoreException(
          ErrorCode.NOT_ENOUGH_NODES,
          "Cannot lease a container of "
              + policy
              + ": "
              + (policy.shards() - places.size())
              + " more nodes are needed");
    }
    return grant(
        ContainerInfo.newBuilder()
            .setId(0x5100 + containers.size())
            .setPolicy(policy.name())
            .setState(ContainerState.OPEN)
            .setCapacityBytes(capacity)
            .addAllShards(places)
            .build(),
        request);
  }

  private boolean isUsable(int node, LeaseContainersRequest request, boolean avoided) {
    return !nodes.get(node).isAway()
        && request.getAvoidNodesList().contains(String.valueOf(node)) == avoided;
  }

  private ShardPlace place(int index, int node, int generation) {
    return ShardPlace.newBuilder()
        .setIndex(index)
        .setNodeId(String.valueOf(node))
        .setDiskId(diskIds.get(node))
        .setGeneration(generation)
        .setHost("node-" + node)
        .setPort(1)
        .build();
  }

  private LeaseContainersReply grant(ContainerInfo info, LeaseContainersRequest request) {
    long now = clock.wallMicros();
    ContainerInfo granted =
        info.toBuilder()
            .setLeaseEpoch(info.getLeaseEpoch() + 1)
            .setLeaseHolder(request.getHolder())
            .setLeaseGrantedMicros(now)
            .setLeaseExpiryMicros(now + leaseDuration.toNanos() / 1_000)
            .build();
    containers.put(granted.getId(), granted);
    return LeaseContainersReply.newBuilder().setLease(lease(granted)).build();
  }

  private Lease lease(ContainerInfo info) {
    return Lease.newBuilder()
        .setContainer(info)
        .setHolder(info.getLeaseHolder())
        .setGrantedMicros(info.getLeaseGrantedMicros())
        .setExpiryMicros(info.getLeaseExpiryMicros())
        .setCommitWindowMicros(commitWindow.toNanos() / 1_000)
        .build();
  }

  @Override
  public synchronized RenewLeasesReply renewLeases(RenewLeasesRequest request) {
    renewals++;
    RenewLeasesReply.Builder reply = RenewLeasesReply.newBuilder();
    for (LeaseRef ref : request.getLeasesList()) {
      ContainerInfo info = containers.get(ref.getContainer());
      if (!forgettingLeases
          && info.getLeaseEpoch() == ref.getEpoch()
          && info.getLeaseHolder().equals(ref.getHolder())
          && info.getLeaseExpiryMicros() > clock.wallMicros()) {
        info =
            info.toBuilder()
                .setLeaseGrantedMicros(clock.wallMicros())
                .setLeaseExpiryMicros(clock.wallMicros() + leaseDuration.toNanos() / 1_000)
                .build();
        containers.put(info.getId(), info);
        reply.addLeases(lease(info));
      }
    }
    for (LeaseGrant kept : request.getKeptList()) {
      ContainerInfo info =
          containers.get(kept.getContainer()).toBuilder()
              .setLeaseGrantedMicros(clock.wallMicros())
              .build();
      containers.put(info.getId(), info);
      reply.addKept(
          Lease.newBuilder()
              .setContainer(
                  ContainerInfo.newBuilder()
                      .setId(info.getId())
                      .setPolicy(info.getPolicy())
                      .setLeaseEpoch(kept.getEpoch()))
              .setGrantedMicros(info.getLeaseGrantedMicros())
              .setCommitWindowMicros(commitWindow.toNanos() / 1_000));
    }
    return reply.build();
  }

  @Override
  public synchronized ReleaseLeaseReply releaseLease(ReleaseLeaseRequest request) {
    releases.add(request);
    ContainerInfo info = containers.get(request.getLease().getContainer());
    if (info != null && info.getLeaseEpoch() == request.getLease().getEpoch()) {
      containers.put(
          info.getId(),
          info.toBuilder()
              .setLeaseExpiryMicros(0)
              .setState(
                  request.getOutcome() == LeaseOutcome.LEASE_IDLE
                      ? ContainerState.OPEN
                      : ContainerState.SEALED)
              .build());
    }
    return ReleaseLeaseReply.getDefaultInstance();
  }

  @Override
  public synchronized ReportDamageReply reportDamage(ReportDamageRequest request) {
    damage.add(request);
    return ReportDamageReply.getDefaultInstance();
  }

  @Override
  public synchronized LocateContainersReply locateContainers(LocateContainersRequest request) {
    LocateContainersReply.Builder reply = LocateContainersReply.newBuilder();
    for (long id : request.getIdsList()) {
      if (containers.containsKey(id)) {
        reply.addContainers(containers.get(id));
      }
    }
    return reply.build();
  }

  /** Moves a shard to another node, as a rebuild does. */
  synchronized void move(long container, int shard, int toNode) {
    ContainerInfo info = containers.get(container);
    ShardPlace from = info.getShards(shard);
    ShardPlace to = place(shard, toNode, from.getGeneration() + 1);
    inMemory
        .get(Integer.parseInt(from.getNodeId()))
        .moveTo(inMemory.get(toNode), key(container, from), key(container, to));
    containers.put(container, info.toBuilder().setShards(shard, to).build());
  }

  /** Forgets a container, as after a repack and its wait. */
  synchronized void drop(long container) {
    containers.remove(container);
  }

  private static ShardKey key(long container, ShardPlace place) {
    return ShardKey.newBuilder()
        .setContainer(container)
        .setIndex(place.getIndex())
        .setGeneration(place.getGeneration())
        .setDiskId(place.getDiskId())
        .build();
  }

  @Override
  public ShardService datanode(ShardPlace place) {
    return nodes.get(Integer.parseInt(place.getNodeId()));
  }

  @Override
  public void close() {
    for (FaultyShards node : nodes) {
      node.letGo();
    }
    onClose.run();
  }
}
