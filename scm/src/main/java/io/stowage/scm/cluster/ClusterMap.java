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
package io.stowage.scm.cluster;

import io.stowage.common.erasure.ErasurePolicy;
import io.stowage.common.proto.DatanodeInfo;
import io.stowage.common.proto.DatanodeMode;
import io.stowage.common.proto.DatanodeState;
import io.stowage.common.proto.DiskInfo;
import io.stowage.common.proto.NodeMode;
import io.stowage.common.proto.RegisterDatanodeRequest;
import io.stowage.common.time.StoreClock;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.Semaphore;
import java.util.concurrent.TimeUnit;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Nodes and their disks as their heartbeats tell them; every SCM, standby or leader, keeps its own.
 * Guarded by itself.
 *
 * <p><b>DEAD</b> is a node silent for the dead interval. Time in which this process itself stood
 * still does not count, or else everybody would look dead after a pause. So silence is judged as of
 * the last {@link #tick}, never as of now: a pause is found out by the tick that follows it, and
 * whoever asks before that tick would count it.
 *
 * <p><b>SUSPECT</b> is a node that a client had trouble with, until its data plane answers a probe
 * (without a {@link NodeProbe}: until it sent {@link #HEARTBEATS_TO_CLEAR} more heartbeats). No
 * lease goes to it. A node that answers is used again at once, since with only just enough failure
 * domains there is nobody else; but it is <i>shunned</i>, that is used only where others do not
 * suffice, for a time that doubles with every further complaint, so that a node that answers probes
 * and fails writes does not get every second lease.
 *
 * <p>A node's <b>mode</b> is what an operator said of it. It is kept in the container table; this
 * class is told of it by {@link #setModes}, and judges whether a maintenance is over.
 */
public final class ClusterMap {
  private static final Logger LOG = LoggerFactory.getLogger(ClusterMap.class);

  static final int HEARTBEATS_TO_CLEAR = 2;
  private static final long FIRST_SHUN_NANOS = TimeUnit.SECONDS.toNanos(2);
  private static final int MOST_ASKING_AGAIN = 4;
  private static final int MOST_STRIKES = 8; // two seconds doubled eight times: nine minutes
  private static final long STRIKES_FORGOTTEN_NANOS = TimeUnit.MINUTES.toNanos(20);

  private final StoreClock clock;
  private final RackResolver racks;
  private final FailureDomains domains;
  private final long deadNanos;
  private final long minFreeBytes;
  private final NodeProbe probe;
  private final long listeningSinceNanos;

  private final Map<String, Node> nodes = new TreeMap<>();
  private final Semaphore askingAgain = new Semaphore(MOST_ASKING_AGAIN);
  private Map<String, NodeMode> modes = Map.of(); // of nodes that are not IN_SERVICE
  private long lastTickNanos;
  private long stoodStillUntilNanos;

  /**
   * @param minFreeBytes a disk with less gets no new shard
   * @param probe null: heartbeats count as answers
   */
  public ClusterMap(
      StoreClock clock,
      RackResolver racks,
      FailureDomains domains,
      Duration deadInterval,
      long minFreeBytes,
      NodeProbe probe) {
    this.clock = clock;
    this.racks = racks;
    this.domains = domains;
    this.deadNanos = deadInterval.toNanos();
    this.minFreeBytes = minFreeBytes;
    this.probe = probe;
    this.listeningSinceNanos = clock.monotonicNanos();
    this.lastTickNanos = listeningSinceNanos;
    this.stoodStillUntilNanos = listeningSinceNanos;
  }

  public FailureDomain domainOf(ErasurePolicy policy) {
    return domains.of(policy);
  }

  /** A disk with less gets no new shard. */
  public long minFreeBytes() {
    return minFreeBytes;
  }

  /** A node started, or meets this SCM for the first time. */
  public void register(RegisterDatanodeRequest request) {
    String rack = rackOf(request); // outside the lock
    synchronized (this) {
      Node node = nodes.computeIfAbsent(request.getNodeId(), Node::new);
      boolean elsewhere = !request.getHost().equalsIgnoreCase(node.host);
      if (elsewhere || !rack.equals(RackResolver.DEFAULT_RACK)) { // else one that was slow to fail
        node.rack = rack;
      }
      node.host = request.getHost();
      node.port = request.getPort();
      node.fullReport = false;
      takeDisks(node, request.getDisksList());
      heard(node);
      long unknown = nodes.values().stream().filter(Node::hasNoRack).count();
      if (unknown > 0 && unknown < nodes.size()) {
        LOG.warn(
            "{} of {} datanodes are in no rack that was told, and count as one: see 'datanode ls'",
            unknown,
            nodes.size());
      }
    }
    LOG.info(
        "Datanode {} registered: {}:{}, rack {}, {} disks",
        request.getNodeId(),
        request.getHost(),
        request.getPort(),
        rack,
        request.getDisksCount());
  }

  /**
   * Of a node; asking may run a script or wait for DNS, on a handler that heartbeats need. One that
   * is known there keeps the rack that was told once; one of which none was told is asked about
   * again, unless as many are as may.
   */
  private String rackOf(RegisterDatanodeRequest request) {
    String known = null;
    synchronized (this) {
      Node node = nodes.get(request.getNodeId());
      if (node != null && request.getHost().equalsIgnoreCase(node.host)) {
        if (!node.hasNoRack()) {
          return node.rack;
        }
        known = node.rack;
      }
    }
    if (known == null) {
      return racks.rackOf(request.getHost());
    }
    if (!askingAgain.tryAcquire()) {
      return known;
    }
    try {
      return racks.rackOf(request.getHost());
    } finally {
      askingAgain.release();
    }
  }

  /** Takes a heartbeat in; false: the node is to register. */
  public synchronized boolean heartbeat(String nodeId, List<DiskInfo> disks, long heardEpoch) {
    Node node = nodes.get(nodeId);
    if (node == null) {
      return false;
    }
    takeDisks(node, disks);
    node.heardEpoch = Math.max(node.heardEpoch, heardEpoch);
    heard(node);
    return true;
  }

  /** Says once of a disk that it is full, and that it is not by far when that is so. */
  private void takeDisks(Node node, List<DiskInfo> disks) {
    node.takeDisks(disks);
    node.toldFull.retainAll(node.disks.keySet());
    for (DiskInfo disk : disks) {
      if (isFull(disk) && node.toldFull.add(disk.getDiskId())) {
        LOG.warn(
            "Disk {} ({}) of datanode {} ({}) is full and gets no more shards: {} bytes free, {}"
                + " needed",
            disk.getDiskId(),
            disk.getPath(),
            node.id,
            node.address(),
            disk.getFreeBytes(),
            minFreeBytes);
      } else if (disk.getFreeBytes() >= 2 * minFreeBytes
          && node.toldFull.remove(disk.getDiskId())) {
        LOG.info(
            "Disk {} ({}) of datanode {} ({}) has room again: {} bytes free",
            disk.getDiskId(),
            disk.getPath(),
            node.id,
            node.address(),
            disk.getFreeBytes());
      }
    }
  }

  private void heard(Node node) {
    if (state(node) == DatanodeState.DEAD && node.lastHeardNanos != Long.MIN_VALUE) {
      LOG.info("Datanode {} ({}) is back", node.id, node.address());
    }
    node.lastHeardNanos = clock.monotonicNanos();
    node.lastHeardMicros = clock.wallMicros();
    node.toldDead = false;
    if (node.suspect && probe == null && ++node.heartbeatsAsSuspect >= HEARTBEATS_TO_CLEAR) {
      clear(node);
    }
  }

  /** Whether the node's last registration was followed by a full report. */
  public synchronized boolean hasFullReport(String nodeId) {
    Node node = nodes.get(nodeId);
    return node != null && node.fullReport;
  }

  /** Whether the node ever reported in full: then another full report tells also what is gone. */
  public synchronized boolean everHadFullReport(String nodeId) {
    Node node = nodes.get(nodeId);
    return node != null && node.everFullReport;
  }

  public synchronized void noteFullReport(String nodeId, int shardCount) {
    Node node = nodes.get(nodeId);
    if (node != null) {
      node.fullReport = true;
      node.everFullReport = true;
      node.shardCount = shardCount;
    }
  }

  public synchronized void noteNewShards(String nodeId, int more) {
    Node node = nodes.get(nodeId);
    if (node != null) {
      node.shardCount += more;
    }
  }

  /**
   * Somebody had trouble with a node. It gets no lease until it answers.
   *
   * @param what told to the operator
   */
  public void suspect(String nodeId, String what) {
    suspect(nodeId, what, true);
  }

  /**
   * The same, as somebody says who need not be believed, or of what need not be the node's fault:
   * it gets no lease until it answers, which one that is well does at once, and nothing is
   * remembered against it. Else users could have any nodes shunned.
   */
  public void suspectWithoutStrike(String nodeId, String what) {
    suspect(nodeId, what, false);
  }

  private void suspect(String nodeId, String what, boolean strike) {
    synchronized (this) {
      Node node = nodes.get(nodeId);
      if (node == null) {
        return;
      }
      long now = clock.monotonicNanos();
      if (now - node.lastStrikeNanos > STRIKES_FORGOTTEN_NANOS) {
        node.strikes = 0;
      }
      if (!node.suspect) {
        LOG.warn("Datanode {} ({}) is suspect: {}", nodeId, node.address(), what);
      }
      if (strike) {
        if (!node.suspect || node.strikes == 0) {
          node.strikes = Math.min(node.strikes + 1, MOST_STRIKES);
        }
        node.lastStrikeNanos = now;
        node.shunnedUntilNanos = now + (FIRST_SHUN_NANOS << (node.strikes - 1));
      }
      node.suspect = true;
      node.heartbeatsAsSuspect = 0;
    }
    probeSuspects();
  }

  private void clear(Node node) {
    node.suspect = false;
    LOG.info("Datanode {} ({}) answers again", node.id, node.address());
  }

  /** Called periodically; as often as this process gets to run, whatever else waits in it. */
  public void tick() {
    synchronized (this) {
      long now = clock.monotonicNanos();
      if (now - lastTickNanos > deadNanos / 3) {
        LOG.warn(
            "This SCM stood still for {} ms, which is not held against datanodes",
            TimeUnit.NANOSECONDS.toMillis(now - lastTickNanos));
        stoodStillUntilNanos = now;
      }
      lastTickNanos = now;
      for (Node node : nodes.values()) {
        if (state(node) == DatanodeState.DEAD && !node.toldDead) {
          node.toldDead = true;
          LOG.warn("Datanode {} is dead: {}", node.id, whyDead(node, now));
        }
      }
    }
    probeSuspects();
  }

  private void probeSuspects() {
    if (probe == null) {
      return;
    }
    List<Node> asked = new ArrayList<>();
    List<DatanodeInfo> infos = new ArrayList<>();
    synchronized (this) {
      for (Node node : nodes.values()) {
        if (node.suspect && !node.probing && state(node) != DatanodeState.DEAD) {
          node.probing = true;
          asked.add(node);
          infos.add(info(node));
        }
      }
    }
    for (int i = 0; i < asked.size(); i++) {
      Node node = asked.get(i);
      CompletableFuture<?> unused =
          probe
              .probe(infos.get(i))
              .whenComplete(
                  (answer, failure) -> {
                    synchronized (this) {
                      node.probing = false;
                      if (failure == null && node.suspect) {
                        clear(node);
                      }
                    }
                  });
    }
  }

  /** Whether a node was heard here, and is silent since for the dead interval. */
  public synchronized boolean isDead(String nodeId) {
    Node node = nodes.get(nodeId);
    return node != null && state(node) == DatanodeState.DEAD;
  }

  private DatanodeState state(Node node) {
    if (isSilence(node.lastHeardNanos)) {
      return DatanodeState.DEAD;
    }
    return node.suspect ? DatanodeState.SUSPECT : DatanodeState.LIVE;
  }

  /** Whether somebody heard last at that time has missed the dead interval. */
  private boolean isSilence(long lastHeardNanos) {
    return lastTickNanos - Math.max(lastHeardNanos, stoodStillUntilNanos) > deadNanos;
  }

  private String whyDead(Node node, long now) {
    return "node "
        + node.id
        + " ("
        + node.address()
        + ") silent for "
        + TimeUnit.NANOSECONDS.toSeconds(now - node.lastHeardNanos)
        + " s";
  }

  /** Takes in what operators have said of nodes; those not named are in service. */
  public synchronized void setModes(List<NodeMode> said) {
    Map<String, NodeMode> now = new HashMap<>();
    said.forEach(mode -> now.put(mode.getNodeId(), mode));
    modes = now;
  }

  /** What an operator said of a node, as far as it still holds. */
  public synchronized DatanodeMode mode(String nodeId) {
    NodeMode said = modes.get(nodeId);
    if (said == null || (said.getUntilMicros() > 0 && said.getUntilMicros() < clock.wallMicros())) {
      return DatanodeMode.IN_SERVICE;
    }
    return said.getMode();
  }

  /** Nodes that are to be emptied, and those that were. */
  public synchronized Set<String> leaving() {
    Set<String> leaving = new HashSet<>();
    for (String node : modes.keySet()) {
      if (isLeaving(node)) {
        leaving.add(node);
      }
    }
    return leaving;
  }

  private boolean isLeaving(String nodeId) {
    DatanodeMode mode = mode(nodeId);
    return mode == DatanodeMode.DECOMMISSIONING || mode == DatanodeMode.DECOMMISSIONED;
  }

  /** What can be said of the place of a shard. */
  public synchronized PlaceState placeState(String nodeId, String diskId) {
    Node node = nodes.get(nodeId);
    PlaceState gone = mode(nodeId) == DatanodeMode.MAINTENANCE ? PlaceState.AWAY : PlaceState.LOST;
    if (node == null) {
      return isSilence(listeningSinceNanos) ? gone : PlaceState.UNHEARD;
    }
    DatanodeState state = state(node);
    if (state == DatanodeState.DEAD) {
      return gone;
    }
    DiskInfo disk = node.disks.get(diskId);
    if (disk == null || (disk.getFailed() && !disk.getReadable())) {
      return PlaceState.LOST;
    }
    if (disk.getFailed()) {
      return node.fullReport ? PlaceState.FAILING_AND_REPORTED : PlaceState.FAILING;
    }
    boolean writable =
        state == DatanodeState.LIVE
            && disk.getFreeBytes() >= minFreeBytes / 4
            && mode(nodeId) == DatanodeMode.IN_SERVICE;
    if (!writable) {
      return node.fullReport ? PlaceState.READABLE_AND_REPORTED : PlaceState.READABLE;
    }
    return node.fullReport ? PlaceState.GOOD_AND_REPORTED : PlaceState.GOOD;
  }

  /** Nodes to be used only where others do not suffice. */
  public synchronized Set<String> shunned() {
    Set<String> shunned = new HashSet<>();
    long now = clock.monotonicNanos();
    for (Node node : nodes.values()) {
      if (node.shunnedUntilNanos > now) {
        shunned.add(node.id);
      }
    }
    return shunned;
  }

  /** All disks, as placement wants them. */
  public synchronized List<Candidate> candidates() {
    long now = clock.monotonicNanos();
    List<Candidate> all = new ArrayList<>();
    for (Node node : nodes.values()) {
      DatanodeState state = state(node);
      for (DiskInfo disk : node.disks.values()) {
        String unfit =
            switch (state) {
              case DEAD -> whyDead(node, now);
              case SUSPECT -> "node " + node.id + " (" + node.address() + ") does not answer";
              default -> whyUnfit(node, disk);
            };
        all.add(
            new Candidate(
                node.id,
                disk.getDiskId(),
                node.host,
                node.rack,
                disk.getCapacityBytes(),
                disk.getUsedBytes(),
                disk.getFreeBytes(),
                unfit,
                isLeaving(node.id)));
      }
    }
    return all;
  }

  private String whyUnfit(Node node, DiskInfo disk) {
    String what = "disk " + disk.getPath() + " of node " + node.id + " (" + node.address() + ")";
    if (disk.getFailed()) {
      return what + (disk.getReadable() ? " takes no writes" : " has failed");
    }
    DatanodeMode mode = mode(node.id);
    if (mode != DatanodeMode.IN_SERVICE) {
      return "node " + node.id + " (" + node.address() + ") is " + mode;
    }
    if (isFull(disk)) {
      return what + " is full: " + disk.getFreeBytes() + " bytes free, " + minFreeBytes + " needed";
    }
    return null;
  }

  private boolean isFull(DiskInfo disk) {
    return !disk.getFailed() && disk.getFreeBytes() < minFreeBytes;
  }

  /** Where a node's data plane is; null for a node never heard of. */
  public synchronized Address address(String nodeId) {
    Node node = nodes.get(nodeId);
    return node == null ? null : new Address(node.host, node.port);
  }

  /** Shards that all nodes have told of. */
  public synchronized long shardCount() {
    return nodes.values().stream().mapToLong(node -> node.shardCount).sum();
  }

  /** All nodes ever heard of by this process. */
  public synchronized List<DatanodeInfo> list() {
    return nodes.values().stream().map(this::info).toList();
  }

  private DatanodeInfo info(Node node) {
    return DatanodeInfo.newBuilder()
        .setNodeId(node.id)
        .setHost(node.host)
        .setPort(node.port)
        .setRack(node.rack)
        .addAllDisks(
            node.disks.values().stream()
                .map(disk -> disk.toBuilder().setFull(isFull(disk)).build())
                .toList())
        .setState(state(node))
        .setLastHeartbeatMicros(node.lastHeardMicros)
        .setShardCount(node.shardCount)
        .setMode(mode(node.id))
        .setModeUntilMicros(
            mode(node.id) == DatanodeMode.IN_SERVICE ? 0 : modes.get(node.id).getUntilMicros())
        .build();
  }

  /**
   * Whether every node that may still obey somebody has heard of an epoch: those alive said so, the
   * others missed the dead interval.
   *
   * @param named nodes that container rows name, of which some may never have been heard here
   */
  public synchronized boolean allHeard(long leaderEpoch, Collection<String> named) {
    for (Node node : nodes.values()) {
      if (node.heardEpoch < leaderEpoch && state(node) != DatanodeState.DEAD) {
        return false;
      }
    }
    return isSilence(listeningSinceNanos) || nodes.keySet().containsAll(named);
  }

  /** Highest leader epoch that any node claims to have heard. */
  public synchronized long highestHeardEpoch() {
    long highest = 0;
    for (Node node : nodes.values()) {
      highest = Math.max(highest, node.heardEpoch);
    }
    return highest;
  }

  /** Data plane address of a node. */
  public record Address(String host, int port) {}

  /** What the cluster map says of a disk that a row names. */
  public enum PlaceState {
    /** Writable, and its node has told all its shards: what it did not tell is not there. */
    GOOD_AND_REPORTED,
    /** Writable; what is there is not known yet. */
    GOOD,
    /** Alive, but suspect, full or not in service; all its shards are told. */
    READABLE_AND_REPORTED,
    /** Alive, but suspect, full or not in service; what is there is not known yet. */
    READABLE,
    /** Alive, but the disk takes no writes; all its shards are told, and can be read. */
    FAILING_AND_REPORTED,
    /** Alive, but the disk takes no writes; what can be read there is not known yet. */
    FAILING,
    /** This SCM started recently and has not heard the node yet. */
    UNHEARD,
    /** Silent, which an operator announced: it is waited for. */
    AWAY,
    /** Node dead, or disk gone, or failed so that nothing on it can be read. */
    LOST;

    /** Whether new bytes may go there. */
    public boolean isWritable() {
      return this == GOOD || this == GOOD_AND_REPORTED;
    }

    /** Whether the node answers, and does with the disk what it is ordered. */
    public boolean isHere() {
      return isWritable() || this == READABLE || this == READABLE_AND_REPORTED;
    }

    /** Whether what is there can be read, but must not stay there. */
    public boolean isFailing() {
      return this == FAILING || this == FAILING_AND_REPORTED;
    }

    /** Whether what is there can be read. */
    public boolean isReadable() {
      return isHere() || isFailing();
    }

    /** Whether a shard that was not told is not there. */
    public boolean isReported() {
      return this == GOOD_AND_REPORTED
          || this == READABLE_AND_REPORTED
          || this == FAILING_AND_REPORTED;
    }
  }

  /** Guarded by the map. */
  private static final class Node {
    private final String id;
    private String host = "";
    private int port;
    private String rack = RackResolver.DEFAULT_RACK;
    private Map<String, DiskInfo> disks = new HashMap<>();
    private final Set<String> toldFull = new HashSet<>(); // ids of disks
    private long lastHeardNanos = Long.MIN_VALUE;
    private long lastHeardMicros;
    private long heardEpoch;
    private boolean fullReport; // since it registered last
    private boolean everFullReport;
    private boolean toldDead;
    private int shardCount;
    private boolean suspect;
    private boolean probing;
    private int heartbeatsAsSuspect;
    private int strikes;
    private long lastStrikeNanos;
    private long shunnedUntilNanos = Long.MIN_VALUE;

    Node(String id) {
      this.id = id;
    }

    void takeDisks(List<DiskInfo> told) {
      Map<String, DiskInfo> now = new TreeMap<>();
      told.forEach(disk -> now.put(disk.getDiskId(), disk));
      disks = now;
    }

    String address() {
      return host + ":" + port;
    }

    boolean hasNoRack() {
      return rack.equals(RackResolver.DEFAULT_RACK);
    }
  }
}
