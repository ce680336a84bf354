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

import io.stowage.common.error.ErrorCode;
import io.stowage.common.error.StoreException;
import io.stowage.common.proto.ContainerInfo;
import io.stowage.common.proto.DamagedShard;
import io.stowage.common.proto.DiskInfo;
import io.stowage.common.proto.HeartbeatReply;
import io.stowage.common.proto.HeartbeatRequest;
import io.stowage.common.proto.Lease;
import io.stowage.common.proto.Order;
import io.stowage.common.proto.OrderProgress;
import io.stowage.common.proto.OrderResult;
import io.stowage.common.proto.RegisterDatanodeReply;
import io.stowage.common.proto.RegisterDatanodeRequest;
import io.stowage.common.proto.ShardKey;
import io.stowage.common.proto.ShardPlace;
import io.stowage.common.proto.ShardReport;
import io.stowage.common.scm.DatanodeReports;
import io.stowage.common.time.StoreClock;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.UUID;
import java.util.concurrent.ConcurrentHashMap;
import org.apache.hadoop.thirdparty.protobuf.ByteString;

/**
 * A datanode's control plane and its fencing rules, without bytes: epochs of shards, leader epochs
 * and row versions, as a real one keeps them durably. Guarded by itself.
 */
public final class FakeDatanode {
  private final String nodeId = UUID.randomUUID().toString();
  private final String host;
  private final int port;
  private final Map<String, DiskInfo> disks = new LinkedHashMap<>();
  private final Map<String, Shard> shards = new LinkedHashMap<>();
  private final Map<Long, Long> obeyedVersion = new HashMap<>();
  private final Map<DatanodeReports, Link> links = new ConcurrentHashMap<>();
  private String clusterId = "";
  private StoreClock clock; // null: it does not tell its time
  private long heardEpoch;
  private final List<String> refusedOrders = new ArrayList<>();
  private final List<Order> obeyedOrders = new ArrayList<>();
  private final List<Held> held = new ArrayList<>();
  private final List<DamagedShard> damaged = new ArrayList<>();

  /** Sectors that a copy does not have, be they marked or unreadable; by the copy's key. */
  private final Map<String, Set<Integer>> lacking = new HashMap<>();

  private List<FakeDatanode> peers = List.of();
  private boolean holding;
  private boolean queuing;
  private long rebuiltBytes = 4_096;
  private boolean sealing = true;
  private boolean down;

  /** A rebuild that is under way, and who is to be told of its end. */
  private record Held(Order order, Link link) {}

  private static final class Shard {
    private ShardReport report;
    private ByteString holder = ByteString.EMPTY;

    Shard(ShardReport report) {
      this.report = report;
    }
  }

  /** What this node has told one SCM. */
  private static final class Link {
    private boolean full;
    private final Map<String, ShardReport> told = new HashMap<>();
    private final List<OrderResult> results = new ArrayList<>();
  }

  public FakeDatanode(String host, int port, int diskCount, long diskBytes) {
    this.host = host;
    this.port = port;
    for (int i = 0; i < diskCount; i++) {
      String disk = UUID.randomUUID().toString();
      disks.put(
          disk,
          DiskInfo.newBuilder()
              .setDiskId(disk)
              .setCapacityBytes(diskBytes)
              .setFreeBytes(diskBytes)
              .setPath("/disk" + i)
              .build());
    }
  }

  /** Nodes that rebuilds here read from, by their ids. */
  public void setPeers(List<FakeDatanode> nodes) {
    peers = nodes;
  }

  /** Whether nobody can read from it; its heartbeats are the test's to leave out. */
  public synchronized void setDown(boolean isDown) {
    down = isDown;
  }

  /** Has rebuilds take until {@link #finishRebuilds}. */
  public synchronized void holdRebuilds(boolean hold) {
    holding = hold;
  }

  /** Whether rebuilds that are held wait for their turn; else they have begun and stand still. */
  public synchronized void queueRebuilds(boolean queue) {
    queuing = queue;
  }

  /** How far rebuilds that are held and have begun say that they are. */
  public synchronized void setRebuiltBytes(long bytes) {
    rebuiltBytes = bytes;
  }

  /** Has no order to seal end, as on a disk that hangs. */
  public synchronized void sealNothing() {
    sealing = false;
  }

  /** Ends rebuilds that are under way; their results go with the next heartbeats. */
  public void finishRebuilds() {
    List<Held> ended;
    synchronized (this) {
      ended = List.copyOf(held);
      held.clear();
    }
    for (Held rebuild : ended) {
      synchronized (this) {
        obeyedOrders.add(rebuild.order);
      }
      OrderResult result = rebuild(rebuild.order);
      synchronized (this) {
        rebuild.link.results.add(result);
      }
    }
  }

  public synchronized List<Order> rebuildsHeld() {
    return held.stream().map(rebuild -> rebuild.order).toList();
  }

  public synchronized int rebuildsUnderWay() {
    return held.size();
  }

  /** Has its scrubber find damage in a shard. */
  public synchronized void damage(ShardReport shard) {
    damaged.add(
        DamagedShard.newBuilder()
            .setShard(
                ShardKey.newBuilder()
                    .setContainer(shard.getContainer())
                    .setIndex(shard.getIndex())
                    .setGeneration(shard.getGeneration())
                    .setDiskId(shard.getDiskId()))
            .setSectors(1)
            .build());
  }

  /** Makes a sector of a shard unreadable; nobody has noticed yet. */
  public synchronized void spoil(ShardReport shard, int sector) {
    lacking.computeIfAbsent(key(shard), key -> new HashSet<>()).add(sector);
  }

  public String nodeId() {
    return nodeId;
  }

  public String host() {
    return host;
  }

  public String address() {
    return host + ":" + port;
  }

  public synchronized List<String> diskIds() {
    return List.copyOf(disks.keySet());
  }

  public synchronized void setDiskFailed(String disk, boolean failed) {
    disks.put(disk, disks.get(disk).toBuilder().setFailed(failed).build());
  }

  /** The disk takes no writes from now on, what is there is read as ever. */
  public synchronized void setDiskReadOnly(String disk) {
    disks.put(disk, disks.get(disk).toBuilder().setFailed(true).setReadable(true).build());
  }

  /** A force of a shard fails: it is as it is from now on. */
  public synchronized void failForce(long container, int index) {
    for (Shard shard : shards.values()) {
      if (shard.report.getContainer() == container && shard.report.getIndex() == index) {
        shard.report = shard.report.toBuilder().setFailed(true).setReadable(true).build();
      }
    }
  }

  private static boolean isGone(DiskInfo disk) {
    return disk.getFailed() && !disk.getReadable();
  }

  public synchronized void setUsedBytes(String disk, long used) {
    disks.put(disk, disks.get(disk).toBuilder().setUsedBytes(used).build());
  }

  public synchronized List<DiskInfo> disks() {
    return List.copyOf(disks.values());
  }

  public synchronized void setFreeBytes(String disk, long free) {
    disks.put(disk, disks.get(disk).toBuilder().setFreeBytes(free).build());
  }

  public synchronized long heardEpoch() {
    return heardEpoch;
  }

  public synchronized List<Order> obeyedOrders() {
    return List.copyOf(obeyedOrders);
  }

  public synchronized List<String> refusedOrders() {
    return List.copyOf(refusedOrders);
  }

  /** From now on heartbeats tell what this clock says. */
  public synchronized void tells(StoreClock its) {
    clock = its;
  }

  /** Starts as a process does: registers, and reports in full with the next heartbeat. */
  public void register(DatanodeReports scm) throws StoreException {
    RegisterDatanodeRequest request;
    synchronized (this) {
      request =
          RegisterDatanodeRequest.newBuilder()
              .setNodeId(nodeId)
              .setHost(host)
              .setPort(port)
              .setClusterId(clusterId)
              .addAllDisks(disks.values())
              .build();
    }
    RegisterDatanodeReply reply = scm.register(request);
    synchronized (this) {
      clusterId = reply.getClusterId();
      heardEpoch = Math.max(heardEpoch, reply.getLeaderEpoch());
      links.put(scm, new Link());
    }
  }

  /** One heartbeat with what is new, and obedience to the orders in its reply. */
  public void heartbeat(DatanodeReports scm) throws StoreException {
    take(scm, ask(scm));
  }

  /** Sends a heartbeat; its reply is on its way. */
  public HeartbeatReply ask(DatanodeReports scm) throws StoreException {
    if (!links.containsKey(scm)) {
      register(scm);
    }
    Link link = links.get(scm);
    HeartbeatRequest.Builder request = HeartbeatRequest.newBuilder().setNodeId(nodeId);
    synchronized (this) {
      request
          .addAllDisks(disks.values())
          .setHeardLeaderEpoch(heardEpoch)
          .setWallMicros(clock == null ? 0 : clock.wallMicros())
          .setFullReport(!link.full)
          .addAllDamaged(damaged)
          .addAllResults(link.results);
      for (Map.Entry<String, Shard> shard : shards.entrySet()) {
        if (!link.full || !shard.getValue().report.equals(link.told.get(shard.getKey()))) {
          request.addShards(shard.getValue().report);
          link.told.put(shard.getKey(), shard.getValue().report);
        }
      }
      for (Held rebuild : held) {
        request.addProgress(
            OrderProgress.newBuilder()
                .setOrderId(rebuild.order.getOrderId())
                .setBytesDone(queuing ? 0 : rebuiltBytes)
                .setBytesTotal(queuing ? 0 : 8_192));
      }
      link.results.clear();
      link.full = true;
    }
    return scm.heartbeat(request.build());
  }

  /** Receives a heartbeat's reply. */
  public void take(DatanodeReports scm, HeartbeatReply reply) throws StoreException {
    Link link = links.get(scm);
    if (link == null) {
      return; // the process that asked is gone
    }
    if (reply.getRegister()) {
      register(scm);
      return;
    }
    synchronized (this) {
      if (reply.getSendFullReport()) {
        link.full = false;
      }
      for (Order order : reply.getOrdersList()) {
        if (order.hasRebuild() && holding && isFresh(order)) {
          heardEpoch = order.getLeaderEpoch();
          obeyedVersion.put(order.getShard().getContainer(), order.getRowVersion());
          held.removeIf(other -> other.order.getShard().equals(order.getShard()));
          held.add(new Held(order, link));
        } else {
          link.results.add(obey(order));
        }
      }
      heardEpoch = Math.max(heardEpoch, reply.getLeaderEpoch());
    }
  }

  /** Obeys an order or refuses it, by the two rules of datanode.proto. */
  public synchronized OrderResult obey(Order order) {
    OrderResult.Builder result =
        OrderResult.newBuilder()
            .setOrderId(order.getOrderId())
            .setContainer(order.getShard().getContainer())
            .setIndex(order.getShard().getIndex())
            .setGeneration(order.getShard().getGeneration());
    long container = order.getShard().getContainer();
    if (!isFresh(order)) {
      refusedOrders.add(
          "leader epoch " + order.getLeaderEpoch() + ", row version " + order.getRowVersion());
      return result.setErrorCode(ErrorCode.FENCED.number()).build();
    }
    heardEpoch = order.getLeaderEpoch();
    obeyedVersion.put(container, order.getRowVersion());
    if (order.hasRebuild()) {
      obeyedOrders.add(order);
      return rebuild(order);
    }
    Shard shard = shards.get(key(order.getShard()));
    if (shard == null) {
      return result.setErrorCode(ErrorCode.NO_SUCH_SHARD.number()).build();
    }
    if (order.hasSeal() && !sealing) {
      return result.setErrorCode(ErrorCode.TIMEOUT.number()).build();
    }
    boolean mayWrite = !disks.get(shard.report.getDiskId()).getFailed();
    if (!mayWrite || (shard.report.getFailed() && order.hasSeal())) {
      return result.setErrorCode(ErrorCode.SHARD_FAILED.number()).build();
    }
    if (order.hasSeal() && order.getSeal().getEpoch() < shard.report.getEpoch()) {
      return result.setErrorCode(ErrorCode.FENCED.number()).build();
    }
    obeyedOrders.add(order);
    ShardReport.Builder report = shard.report.toBuilder();
    switch (order.getWhatCase()) {
      case SEAL ->
          report.setSealed(true).setEpoch(Math.max(report.getEpoch(), order.getSeal().getEpoch()));
      case QUARANTINE -> report.setQuarantined(true).setQuarantinedMicros(quarantineClock);
      case RESTORE -> report.setQuarantined(false).clearQuarantinedMicros();
      case DELETE -> {
        shards.remove(key(order.getShard()));
        lacking.remove(key(order.getShard()));
        damaged.removeIf(known -> key(known.getShard()).equals(key(order.getShard())));
      }
      default -> {}
    }
    shard.report = report.build();
    return result.setEnd(shard.report.getEnd()).build();
  }

  private long quarantineClock;

  /** What a quarantined shard is told to have been put there at. */
  public synchronized void setQuarantineClock(long micros) {
    quarantineClock = micros;
  }

  private boolean isFresh(Order order) {
    return order.getLeaderEpoch() >= heardEpoch
        && order.getRowVersion() >= obeyedVersion.getOrDefault(order.getShard().getContainer(), 0L);
  }

  /**
   * Makes a shard if its sources have k shards, sealed, or one of the same index. Sectors that too
   * few of them have are marked lost, if all have answered, and if the order allows it.
   */
  private OrderResult rebuild(Order order) {
    ShardKey key = order.getShard();
    OrderResult.Builder result =
        OrderResult.newBuilder()
            .setOrderId(order.getOrderId())
            .setContainer(key.getContainer())
            .setIndex(key.getIndex())
            .setGeneration(key.getGeneration());
    int indices = 0;
    long end = 0;
    boolean silent = false;
    Map<ShardPlace, Set<Integer>> lackedBy = new LinkedHashMap<>();
    for (ShardPlace source : order.getRebuild().getSourcesList()) {
      ShardReport copy = readable(source, key.getContainer());
      if (copy != null) {
        indices |= 1 << source.getIndex();
        end = Math.max(end, copy.getEnd());
        lackedBy.put(source, lacks(source, key.getContainer()));
      }
      silent |= copy == null && isSilent(source);
    }
    int k = Integer.parseInt(order.getRebuild().getPolicy().split("-", -1)[1]);
    if (Integer.bitCount(indices) < k && (indices & (1 << key.getIndex())) == 0) {
      return result.setErrorCode(ErrorCode.DATA_UNAVAILABLE.number()).build();
    }
    Set<Integer> lost = lost(key.getIndex(), k, lackedBy);
    long before = order.getRebuild().getMend() ? firstOf(lackedBy).size() : Long.MAX_VALUE;
    if (!lost.isEmpty() && (silent || lost.size() >= before)) {
      return result
          .setErrorCode(ErrorCode.DATA_UNAVAILABLE.number())
          .setErrorMessage(lost.size() + " sectors are lost")
          .build();
    }
    synchronized (this) {
      lacking.put(key(key), lost);
      shards.put(
          key(key),
          new Shard(
              ShardReport.newBuilder()
                  .setContainer(key.getContainer())
                  .setIndex(key.getIndex())
                  .setGeneration(key.getGeneration())
                  .setDiskId(key.getDiskId())
                  .setEpoch(order.getRebuild().getLeaseEpoch())
                  .setEnd(end)
                  .setSealed(true)
                  .setLostSectors(lost.size())
                  .build()));
    }
    return result.setEnd(end).setLostSectors(lost.size()).build();
  }

  private static Set<Integer> firstOf(Map<ShardPlace, Set<Integer>> lackedBy) {
    return lackedBy.values().iterator().next();
  }

  /** Of the sectors that any copy lacks those that cannot be copied, nor decoded from k others. */
  private static Set<Integer> lost(int index, int k, Map<ShardPlace, Set<Integer>> lackedBy) {
    Set<Integer> lost = new HashSet<>();
    lackedBy.values().forEach(lost::addAll);
    lost.removeIf(
        sector -> {
          int cells = 0;
          for (Map.Entry<ShardPlace, Set<Integer>> copy : lackedBy.entrySet()) {
            cells |= copy.getValue().contains(sector) ? 0 : 1 << copy.getKey().getIndex();
          }
          return (cells & 1 << index) != 0 || Integer.bitCount(cells) >= k;
        });
    return lost;
  }

  private Set<Integer> lacks(ShardPlace source, long container) {
    FakeDatanode peer = peer(source);
    synchronized (peer) {
      return Set.copyOf(
          peer.lacking.getOrDefault(
              container + "/" + source.getIndex() + "/" + source.getGeneration(), Set.of()));
    }
  }

  /** Whether the place does not say for certain that it has nothing. */
  private boolean isSilent(ShardPlace source) {
    FakeDatanode peer = peer(source);
    synchronized (peer) {
      return peer.down || isGone(peer.disks.get(source.getDiskId()));
    }
  }

  private FakeDatanode peer(ShardPlace place) {
    return peers.stream()
        .filter(peer -> peer.nodeId.equals(place.getNodeId()))
        .findFirst()
        .orElseThrow();
  }

  private ShardReport readable(ShardPlace source, long container) {
    FakeDatanode peer = peer(source);
    synchronized (peer) {
      Shard shard =
          peer.shards.get(container + "/" + source.getIndex() + "/" + source.getGeneration());
      return shard == null
              || peer.down
              || !(shard.report.getSealed()
                  || shard.report.getReadable()
                  || peer.disks.get(shard.report.getDiskId()).getFailed())
              || shard.report.getQuarantined()
              || isGone(peer.disks.get(shard.report.getDiskId()))
          ? null
          : shard.report;
    }
  }

  private static String key(ShardKey shard) {
    return shard.getContainer() + "/" + shard.getIndex() + "/" + shard.getGeneration();
  }

  private static String key(ShardReport shard) {
    return shard.getContainer() + "/" + shard.getIndex() + "/" + shard.getGeneration();
  }

  /** What a writer does first with a lease: takes one shard for its epoch. */
  public synchronized void open(ContainerInfo container, ShardPlace place, ByteString holder)
      throws StoreException {
    ShardKey key =
        ShardKey.newBuilder()
            .setContainer(container.getId())
            .setIndex(place.getIndex())
            .setGeneration(place.getGeneration())
            .setDiskId(place.getDiskId())
            .build();
    Shard shard =
        shards.computeIfAbsent(
            key(key),
            k ->
                new Shard(
                    ShardReport.newBuilder()
                        .setContainer(container.getId())
                        .setIndex(place.getIndex())
                        .setGeneration(place.getGeneration())
                        .setDiskId(place.getDiskId())
                        .build()));
    if (shard.report.getSealed()) {
      throw new StoreException(ErrorCode.SHARD_SEALED, "Cannot open a sealed shard");
    }
    long epoch = container.getLeaseEpoch();
    if (epoch < shard.report.getEpoch()
        || (epoch == shard.report.getEpoch() && !shard.holder.equals(holder))) {
      throw new StoreException(
          ErrorCode.FENCED, "Cannot open under epoch " + epoch + ": " + shard.report.getEpoch());
    }
    shard.report = shard.report.toBuilder().setEpoch(epoch).build();
    shard.holder = holder;
  }

  /** Moves a shard's end on, as writes under an epoch do. */
  public synchronized void write(Lease lease, ShardPlace place, long end) throws StoreException {
    Shard shard =
        shards.get(
            lease.getContainer().getId() + "/" + place.getIndex() + "/" + place.getGeneration());
    if (shard == null || shard.report.getSealed()) {
      throw new StoreException(ErrorCode.SHARD_SEALED, "Cannot write: sealed or not there");
    }
    if (shard.report.getEpoch() != lease.getContainer().getLeaseEpoch()) {
      throw new StoreException(ErrorCode.FENCED, "Cannot write: fenced");
    }
    shard.report = shard.report.toBuilder().setEnd(Math.max(end, shard.report.getEnd())).build();
  }

  /** Puts a shard file there that nobody asked for. */
  public synchronized void plant(ShardReport report) {
    shards.put(key(report), new Shard(report));
  }

  /** Loses a shard file. */
  public synchronized void lose(long container, int index) {
    shards
        .values()
        .removeIf(s -> s.report.getContainer() == container && s.report.getIndex() == index);
  }

  /** All shard files. */
  public synchronized List<ShardReport> shards() {
    return shards.values().stream().map(shard -> shard.report).toList();
  }

  public synchronized ShardReport shard(long container, int index) {
    for (Shard shard : shards.values()) {
      if (shard.report.getContainer() == container && shard.report.getIndex() == index) {
        return shard.report;
      }
    }
    return null;
  }

  /** Forgets what it told: the process restarted. */
  public synchronized void restart() {
    links.clear();
    held.clear();
    obeyedVersion.clear();
  }
}
