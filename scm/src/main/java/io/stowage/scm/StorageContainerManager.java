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
import io.stowage.common.error.NotLeaderException;
import io.stowage.common.error.StoreException;
import io.stowage.common.id.WriteId;
import io.stowage.common.proto.AcceptUnknownShardsReply;
import io.stowage.common.proto.AcceptUnknownShardsRequest;
import io.stowage.common.proto.AddDeadBytesReply;
import io.stowage.common.proto.AddDeadBytesRequest;
import io.stowage.common.proto.ByteRange;
import io.stowage.common.proto.ClaimContainerReply;
import io.stowage.common.proto.ClaimContainerRequest;
import io.stowage.common.proto.ClusterStatusReply;
import io.stowage.common.proto.ClusterStatusRequest;
import io.stowage.common.proto.ContainerInfo;
import io.stowage.common.proto.ContainerState;
import io.stowage.common.proto.FinishRepackReply;
import io.stowage.common.proto.FinishRepackRequest;
import io.stowage.common.proto.GetContainersReply;
import io.stowage.common.proto.GetContainersRequest;
import io.stowage.common.proto.GetTokenKeysReply;
import io.stowage.common.proto.GetTokenKeysRequest;
import io.stowage.common.proto.HeartbeatReply;
import io.stowage.common.proto.HeartbeatRequest;
import io.stowage.common.proto.KeepContainersReply;
import io.stowage.common.proto.KeepContainersRequest;
import io.stowage.common.proto.Lease;
import io.stowage.common.proto.LeaseContainersReply;
import io.stowage.common.proto.LeaseContainersRequest;
import io.stowage.common.proto.ListContainersReply;
import io.stowage.common.proto.ListContainersRequest;
import io.stowage.common.proto.ListDatanodesReply;
import io.stowage.common.proto.ListDatanodesRequest;
import io.stowage.common.proto.MoveDatanodeReply;
import io.stowage.common.proto.MoveDatanodeRequest;
import io.stowage.common.proto.RegisterDatanodeReply;
import io.stowage.common.proto.RegisterDatanodeRequest;
import io.stowage.common.proto.ReleaseLeaseReply;
import io.stowage.common.proto.ReleaseLeaseRequest;
import io.stowage.common.proto.RenewClaimReply;
import io.stowage.common.proto.RenewClaimRequest;
import io.stowage.common.proto.RenewLeasesReply;
import io.stowage.common.proto.RenewLeasesRequest;
import io.stowage.common.proto.RepackStatusReply;
import io.stowage.common.proto.RepackStatusRequest;
import io.stowage.common.proto.ReportDamageReply;
import io.stowage.common.proto.ReportDamageRequest;
import io.stowage.common.proto.RestoreContainerReply;
import io.stowage.common.proto.RestoreContainerRequest;
import io.stowage.common.proto.ResurveyContainersReply;
import io.stowage.common.proto.ResurveyContainersRequest;
import io.stowage.common.proto.SetBalanceReply;
import io.stowage.common.proto.SetBalanceRequest;
import io.stowage.common.proto.SetDatanodeModeReply;
import io.stowage.common.proto.SetDatanodeModeRequest;
import io.stowage.common.proto.ShardPlace;
import io.stowage.common.proto.ShardReport;
import io.stowage.common.proto.TokenKeys;
import io.stowage.common.scm.ContainerManager;
import io.stowage.common.scm.DatanodeReports;
import io.stowage.common.secret.SecretSeal;
import io.stowage.scm.cluster.ClusterClock;
import io.stowage.scm.cluster.ClusterMap;
import io.stowage.scm.container.ContainerMap;
import io.stowage.scm.container.ContainerRow;
import io.stowage.scm.container.ContainerStore;
import io.stowage.scm.container.Garbage;
import io.stowage.scm.container.Inspector;
import io.stowage.scm.container.LeaderEpoch;
import io.stowage.scm.container.NodeHosts;
import io.stowage.scm.container.OperatorWords;
import io.stowage.scm.container.RowMutations;
import io.stowage.scm.container.ShardInventory;
import io.stowage.scm.container.Term;
import io.stowage.scm.container.TokenKeyRolls;
import io.stowage.scm.election.Election;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;
import java.util.random.RandomGenerator;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * A storage container manager without its sockets and threads: what it answers, and what it does
 * when elected. Standbys take the same heartbeats and follow the table, so that they are warm.
 * Thread-safe.
 *
 * <p>Leadership is the {@link Term} in {@link #term}. Every request takes it once and works with it
 * to its end, even if the term ends meanwhile: then its row mutations are those of a stale leader,
 * which compare-and-set and datanodes make harmless.
 */
final class StorageContainerManager
    implements ContainerManager, DatanodeReports, Election.Listener {
  private static final Logger LOG = LoggerFactory.getLogger(StorageContainerManager.class);

  private static final int MOST_LISTED = 10_000;

  /** Characters of what a client says of damage. */
  private static final int MOST_SAID = 200;

  /** Removed rows that a standby looks for at a time: each costs a read. */
  private static final int MOST_FORGOTTEN = 32;

  /** A mutation may reach the table this long after its stamp was taken. */
  private static final long LATE_WRITE_MICROS = TimeUnit.SECONDS.toMicros(60);

  private final ScmConfig config;
  private final String clusterId;
  private final ContainerStore store;
  private final ClusterMap cluster;
  private final ClusterClock clock;
  private final RandomGenerator random;
  private final ContainerMap map = new ContainerMap();
  private final RowMutations rows;
  private final ShardInventory shards;
  private final Inspector inspector;
  private final OperatorWords operator;
  private final StatusReport status;
  private final Garbage garbage;
  private final RefusalRate refusals; // that are told in the log

  /** Counts defeats, so that a term which was lost while it was being prepared does not begin. */
  private final AtomicLong defeats = new AtomicLong();

  private volatile TokenKeyRolls tokenKeys; // null: security is off
  private volatile NodeHosts hosts; // null: security is off, or datanodes are all one principal
  private volatile String scmId = "unbound";
  private volatile Term term; // null: standby
  private volatile Election election; // null: before the start
  private volatile LeaderEpoch latestEpoch = LeaderEpoch.NONE;
  private long followedToMicros; // guarded by following; 0: never
  private long followedAtNanos; // guarded by following
  private final Object following = new Object();

  StorageContainerManager(
      ScmConfig config,
      ContainerStore store,
      ClusterMap cluster,
      ClusterClock clock,
      RandomGenerator random)
      throws StoreException {
    this.config = config;
    this.store = store;
    this.cluster = cluster;
    this.clock = clock;
    this.random = random;
    this.rows = new RowMutations(store, map);
    this.garbage = new Garbage(store, map, rows, clock);
    this.shards = new ShardInventory(map, cluster);
    this.inspector = new Inspector(map, shards, cluster, config.repackKeep(), clock, random);
    this.operator = new OperatorWords(store, cluster, clock);
    this.status = new StatusReport(map, shards, cluster, inspector, config.defaultPolicy());
    this.clusterId = store.clusterId();
    this.refusals = new RefusalRate(clock);
    checkEpoch(); // before heartbeats come: what they claim is held against it
    follow();
  }

  /** Says under which name this SCM is known: host:port of its RPC server, once that is bound. */
  void named(String address) {
    scmId = address;
  }

  /** From now on there are keys of tokens. */
  void secured(TokenKeyRolls.Settings settings, SecretSeal seal) {
    tokenKeys = new TokenKeyRolls(operator, clock, settings, seal);
  }

  /** From now on each datanode is of one host. */
  NodeHosts bound(NodeHosts.Names names) {
    NodeHosts bound = new NodeHosts(store, cluster, names);
    hosts = bound;
    return bound;
  }

  /** Makes keys of tokens where that is due. Called periodically. */
  void rollTokenKeys() throws StoreException {
    TokenKeyRolls rolls = tokenKeys;
    if (rolls != null && term != null) {
      rolls.roll();
    }
  }

  /** Keys newer than somebody has; null if there are none. */
  private TokenKeys keysAfter(long version) throws StoreException {
    TokenKeyRolls rolls = tokenKeys;
    return rolls == null || rolls.latest().getVersion() <= version ? null : rolls.latest();
  }

  /** A node is heard also by an SCM that cannot open the keys; that one's log says so elsewhere. */
  private TokenKeys keysForHeartbeat(long version) {
    try {
      return keysAfter(version);
    } catch (StoreException e) {
      return null;
    }
  }

  @Override
  public GetTokenKeysReply getTokenKeys(GetTokenKeysRequest request) throws StoreException {
    TokenKeys newer = keysAfter(request.getVersion());
    return newer == null
        ? GetTokenKeysReply.getDefaultInstance()
        : GetTokenKeysReply.newBuilder().setKeys(newer).build();
  }

  /** Who is asked for the leader's address, and to whom this SCM resigns. */
  void standFor(Election with) {
    election = with;
  }

  // ---- leadership

  /** Raises the epoch, catches up with the table, begins a term. */
  @Override
  public void won() throws StoreException {
    long defeatsBefore = defeats.get();
    long heard = cluster.highestHeardEpoch();
    LeaderEpoch highest = store.leaderEpoch(); // read later: see TableAge
    if (heard > highest.value() && highest.allowsHeard(heard)) { // else nothing is raised either
      operator.noteTableOlder(
          "datanodes have heard of leader epoch " + heard + ", the highest was " + highest.value());
    }
    LeaderEpoch epoch = store.raiseLeaderEpoch(scmId, heard);
    synchronized (following) { // what the deposed one writes meanwhile is followed by the new term
      follow();
      Term next =
          Term.begin(
              epoch,
              new Term.World(
                  store, rows, map, cluster, shards, inspector, operator, garbage, clock, random),
              config.termSettings());
      synchronized (defeats) {
        if (defeats.get() != defeatsBefore) {
          return; // elected again later, or never
        }
        latestEpoch = epoch;
        term = next;
      }
    }
    LOG.info("{} leads: {}, {} open containers", scmId, epoch, map.count(ContainerState.OPEN));
  }

  @Override
  public void lost() {
    Term ended;
    synchronized (defeats) {
      defeats.incrementAndGet();
      ended = term;
      term = null;
    }
    if (ended != null) {
      LOG.info("{} leads no longer: {} ended", scmId, ended.epoch());
    }
  }

  /** A higher epoch was met: whoever has it leads. */
  private void deposed(Term deposed, String how) {
    if (term == deposed) {
      LOG.warn("{} is deposed: {}", scmId, how);
      lost();
      Election stood = election;
      if (stood != null) {
        stood.resign();
      }
    }
  }

  private Term leading() throws NotLeaderException {
    Term now = term;
    if (now == null) {
      String leader = leaderAddress();
      throw new NotLeaderException(
          "Cannot answer: SCM "
              + scmId
              + " is not the leader; "
              + (leader.isEmpty() ? "nobody is known to lead" : "the leader is " + leader));
    }
    return now;
  }

  /** Empty if nobody is known to lead. */
  String leaderAddress() {
    Election stood = election;
    return isLeader() || stood == null ? scmId : stood.leaderAddress();
  }

  /** What a leader does, with a deposition noticed on the way. */
  private interface Work<T> {
    T of(Term term) throws StoreException;
  }

  private <T> T asLeader(Work<T> work) throws StoreException {
    Term now = leading();
    try {
      return work.of(now);
    } catch (NotLeaderException e) {
      deposed(now, e.getMessage());
      throw e;
    }
  }

  /** Takes in what the table has that this SCM has not seen. Called periodically. */
  void follow() throws StoreException {
    synchronized (following) {
      long startMicros = clock.wallMicros();
      long startNanos = clock.monotonicNanos();
      long sinceMicros = followedToMicros == 0 ? 0 : notFollowedSince(startMicros, startNanos);
      Term now = term;
      store.scan(
          0,
          sinceMicros,
          row -> {
            learn(row, now);
            return true;
          });
      shards.forgetExplained();
      garbage.follow(sinceMicros);
      followedToMicros = startMicros;
      followedAtNanos = startNanos;
      operator.follow();
      if (now == null) {
        rows.forgetRemoved(inspector.latest(), MOST_FORGOTTEN);
      }
    }
  }

  /** Also what the map has: who put it there may have had no term to tell. */
  private void learn(ContainerRow row, Term now) {
    map.put(row);
    if (now != null) {
      now.learned(row);
    }
  }

  /**
   * Stamps from here on may be new: since the last look by what the clock said then, or says now,
   * whichever is less, for it may have been set in between; and some before. A clock that was far
   * ahead may have been so for many looks, each of which began after what others wrote meanwhile:
   * then everything may be new.
   */
  private long notFollowedSince(long nowMicros, long nowNanos) {
    long byNow = nowMicros - (nowNanos - followedAtNanos) / 1_000;
    long twoBoundsMicros = 2 * config.clockBound().toNanos() / 1_000;
    if (followedToMicros - byNow > twoBoundsMicros) {
      return 0;
    }
    return Math.max(1, Math.min(followedToMicros, byNow) - LATE_WRITE_MICROS - twoBoundsMicros);
  }

  /**
   * Looks at nodes and their clocks. Called periodically, by a thread that nothing else holds up:
   * else the time of whatever did would be taken for a pause of this process.
   */
  void lookAtNodes() {
    clock.look();
    cluster.tick();
  }

  /**
   * Looks at where shards are, leader or not. Called periodically, by a thread of its own: that
   * takes seconds where there are millions of containers.
   */
  void lookAtPlaces() {
    inspector.lookAtPlaces();
  }

  /** Looks at leases, containers and its own leadership. Called periodically, by one thread. */
  void tick() throws StoreException {
    Term now = term;
    if (now == null) {
      return;
    }
    if (cluster.highestHeardEpoch() > now.epoch().value()) {
      deposed(now, "a datanode has heard of leader epoch " + cluster.highestHeardEpoch());
      return;
    }
    try {
      now.tick();
    } catch (NotLeaderException e) {
      deposed(now, e.getMessage());
    }
  }

  /**
   * Asks the table who leads, for a leader that no longer hears of anybody. Called periodically.
   */
  void checkEpoch() throws StoreException {
    Term now = term;
    LeaderEpoch highest = store.leaderEpoch();
    latestEpoch = highest;
    if (now != null && highest.compareTo(now.epoch()) > 0) {
      deposed(now, highest + " began");
    }
  }

  boolean isLeader() {
    return term != null;
  }

  // ---- ContainerManager: repack

  @Override
  public ClaimContainerReply claimContainer(ClaimContainerRequest request) throws StoreException {
    ClaimContainerReply reply = asLeader(now -> now.repacks().claim(request));
    return reply.hasContainer()
        ? reply.toBuilder().setContainer(withAddresses(reply.getContainer())).build()
        : reply;
  }

  @Override
  public RenewClaimReply renewClaim(RenewClaimRequest request) throws StoreException {
    return asLeader(now -> now.repacks().renew(request));
  }

  @Override
  public FinishRepackReply finishRepack(FinishRepackRequest request) throws StoreException {
    return asLeader(now -> now.repacks().finish(request));
  }

  @Override
  public ResurveyContainersReply resurveyContainers(ResurveyContainersRequest request)
      throws StoreException {
    return asLeader(
        now -> {
          now.repacks().resurvey(request.getContainersList());
          return ResurveyContainersReply.getDefaultInstance();
        });
  }

  @Override
  public RepackStatusReply repackStatus(RepackStatusRequest request) throws StoreException {
    return asLeader(now -> now.repacks().status());
  }

  // ---- ContainerManager

  @Override
  public LeaseContainersReply leaseContainer(LeaseContainersRequest request) throws StoreException {
    if (request.getHolder().size() != WriteId.BYTES) {
      throw new StoreException(
          ErrorCode.INVALID_ARGUMENT,
          "Cannot lease a container: the holder has "
              + request.getHolder().size()
              + " bytes, not 16");
    }
    Lease lease = asLeader(now -> now.lease(request));
    return LeaseContainersReply.newBuilder().setLease(withAddresses(lease)).build();
  }

  @Override
  public RenewLeasesReply renewLeases(RenewLeasesRequest request) throws StoreException {
    RenewLeasesReply.Builder reply = RenewLeasesReply.newBuilder();
    asLeader(now -> now.renew(request.getLeasesList()))
        .forEach(lease -> reply.addLeases(withAddresses(lease)));
    if (request.getKeptCount() > 0) {
      reply.addAllKept(asLeader(now -> now.keep(request.getKeptList())));
    }
    return reply.build();
  }

  @Override
  public ReleaseLeaseReply releaseLease(ReleaseLeaseRequest request) throws StoreException {
    return asLeader(
        now -> {
          now.release(request);
          return ReleaseLeaseReply.getDefaultInstance();
        });
  }

  private Lease withAddresses(Lease lease) {
    return lease.toBuilder().setContainer(withAddresses(lease.getContainer())).build();
  }

  private ContainerInfo withAddresses(ContainerInfo info) {
    ContainerInfo.Builder filled = info.toBuilder().setEndOffset(shards.end(info));
    for (ShardPlace.Builder place : filled.getShardsBuilderList()) {
      ClusterMap.Address address = cluster.address(place.getNodeId());
      if (address != null) {
        place.setHost(address.host()).setPort(address.port());
      }
    }
    return filled.build();
  }

  @Override
  public GetContainersReply getContainers(GetContainersRequest request) throws StoreException {
    if (request.getIdsCount() > MOST_ASKED) {
      throw new StoreException(
          ErrorCode.INVALID_ARGUMENT,
          "Cannot tell " + request.getIdsCount() + " containers at once: at most " + MOST_ASKED);
    }
    GetContainersReply.Builder reply = GetContainersReply.newBuilder();
    for (long id : request.getIdsList()) {
      ContainerRow row = request.getFresh() ? null : map.get(id);
      if (row == null && id > 0) {
        row = store.read(id); // made by the leader just now
        if (row != null) {
          learn(row, term);
        }
      }
      if (row != null) {
        reply.addContainers(withAddresses(row.info()));
      }
    }
    return reply.build();
  }

  @Override
  public ListContainersReply listContainers(ListContainersRequest request) throws StoreException {
    int limit = request.getLimit() <= 0 ? MOST_LISTED : Math.min(request.getLimit(), MOST_LISTED);
    List<ContainerInfo> found = new ArrayList<>();
    store.scan(
        Math.max(0, request.getAfter()),
        0,
        row -> {
          boolean wanted =
              request.getState() == ContainerState.CONTAINER_UNKNOWN
                  ? row.info().getState() != ContainerState.DELETED
                  : row.info().getState() == request.getState();
          if (wanted) {
            found.add(withAddresses(row.info()));
          }
          return found.size() <= limit;
        });
    boolean more = found.size() > limit;
    return ListContainersReply.newBuilder()
        .addAllContainers(more ? found.subList(0, limit) : found)
        .setMore(more)
        .build();
  }

  @Override
  public ListDatanodesReply listDatanodes(ListDatanodesRequest request) {
    return ListDatanodesReply.newBuilder().addAllDatanodes(status.nodes()).build();
  }

  @Override
  public ClusterStatusReply clusterStatus(ClusterStatusRequest request) {
    Term now = term;
    ClusterStatusReply.Builder reply =
        ClusterStatusReply.newBuilder()
            .setClusterId(clusterId)
            .setScmId(scmId)
            .setLeader(now != null)
            .setLeaderEpoch(now != null ? now.epoch().value() : latestEpoch.value())
            .setLeaderAddress(leaderAddress());
    status.addTo(reply);
    if (now != null) {
      now.addStatus(reply);
    }
    return reply.build();
  }

  @Override
  public SetDatanodeModeReply setDatanodeMode(SetDatanodeModeRequest request)
      throws StoreException {
    return asLeader(now -> now.setMode(request));
  }

  @Override
  public MoveDatanodeReply moveDatanode(MoveDatanodeRequest request) throws StoreException {
    NodeHosts known = hosts;
    if (known == null) {
      throw new StoreException(
          ErrorCode.INVALID_ARGUMENT,
          "Cannot move datanode "
              + request.getNodeId()
              + ": datanodes have no hosts of their own here, it may start wherever it is");
    }
    known.move(request.getNodeId(), request.getHost());
    return MoveDatanodeReply.getDefaultInstance();
  }

  @Override
  public SetBalanceReply setBalance(SetBalanceRequest request) throws StoreException {
    return asLeader(now -> now.setBalance(request));
  }

  @Override
  public AcceptUnknownShardsReply acceptUnknownShards(AcceptUnknownShardsRequest request)
      throws StoreException {
    return asLeader(now -> now.acceptUnknown(request));
  }

  @Override
  public RestoreContainerReply restoreContainer(RestoreContainerRequest request)
      throws StoreException {
    return asLeader(now -> now.restoreContainer(request.getContainer()));
  }

  @Override
  public ReportDamageReply reportDamage(ReportDamageRequest request) throws StoreException {
    return asLeader(
        now -> {
          ContainerRow row = map.get(request.getContainer());
          if (row != null) {
            String what = printable(request.getWhat());
            ByteRange[] named = new ByteRange[row.info().getShardsCount()];
            for (int i = 0; i < request.getShardsCount(); i++) {
              int index = request.getShards(i);
              if (index >= 0 && index < named.length) {
                boolean told = i < request.getSectorsCount();
                named[index] = told ? request.getSectors(i) : ByteRange.getDefaultInstance();
              }
            }
            for (int index = 0; index < named.length; index++) {
              if (named[index] == null) {
                continue;
              }
              ShardPlace place = row.info().getShards(index);
              String told = "shard " + index + " of container " + row.name() + ": " + what;
              if (request.getClaimed() || request.getUnwrittenList().contains(index)) {
                cluster.suspectWithoutStrike(place.getNodeId(), told);
              } else {
                cluster.suspect(place.getNodeId(), told);
              }
              now.verify(row, place, named[index]);
            }
          }
          return ReportDamageReply.getDefaultInstance();
        });
  }

  /** What somebody says, so that it begins no line of a log and fills none. */
  private static String printable(String said) {
    String text = said.length() > MOST_SAID ? said.substring(0, MOST_SAID) + "..." : said;
    return text.replaceAll("[^\\p{Print}]", "?");
  }

  @Override
  public AddDeadBytesReply addDeadBytes(AddDeadBytesRequest request) throws StoreException {
    return asLeader(
        now -> {
          garbage.add(request);
          return AddDeadBytesReply.getDefaultInstance();
        });
  }

  @Override
  public KeepContainersReply keepContainers(KeepContainersRequest request) throws StoreException {
    return asLeader(now -> garbage.keep(now.epoch(), request));
  }

  // ---- DatanodeReports

  @Override
  public RegisterDatanodeReply register(RegisterDatanodeRequest request) throws StoreException {
    checkRegistration(request);
    cluster.register(request);
    Term now = term;
    return RegisterDatanodeReply.newBuilder()
        .setClusterId(clusterId)
        .setLeaderEpoch(now == null ? 0 : now.epoch().value())
        .build();
  }

  /** Refuses a node that is another cluster's, or nobody's; nothing is noted of it yet. */
  void checkRegistration(RegisterDatanodeRequest request) throws StoreException {
    if (!request.getClusterId().isEmpty() && !request.getClusterId().equals(clusterId)) {
      throw new StoreException(
          ErrorCode.WRONG_CLUSTER,
          "Cannot register datanode "
              + request.getNodeId()
              + ": it belongs to cluster "
              + request.getClusterId()
              + ", this is "
              + clusterId);
    }
    if (request.getNodeId().isEmpty() || request.getHost().isEmpty()) {
      throw new StoreException(
          ErrorCode.INVALID_ARGUMENT, "Cannot register a datanode without node id or host");
    }
  }

  @Override
  public HeartbeatReply heartbeat(HeartbeatRequest request) throws StoreException {
    String node = request.getNodeId();
    checkHeard(node, request.getHeardLeaderEpoch());
    if (!cluster.heartbeat(node, request.getDisksList(), request.getHeardLeaderEpoch())) {
      return HeartbeatReply.newBuilder().setRegister(true).build();
    }
    NodeHosts known = hosts;
    // Who is not registered has no say; and a host with many nodes no more than one with one.
    clock.heard(known == null ? node : known.of(node), request.getWallMicros());
    List<ShardReport> unsealed =
        request.getFullReport()
            ? shards.reportPage(
                node, request.getShardsList(), request.getReportPage(), request.getMorePages())
            : shards.report(node, request.getShardsList());
    shards.damaged(node, request.getDamagedList());
    HeartbeatReply.Builder reply =
        HeartbeatReply.newBuilder()
            .setSendFullReport(!cluster.hasFullReport(node) && !shards.isReportUnderWay(node));
    TokenKeys newerKeys = keysForHeartbeat(request.getTokenKeysVersion());
    if (newerKeys != null) {
      reply.setTokenKeys(newerKeys);
    }
    Term now = term;
    if (now == null) {
      return reply.build();
    }
    if (request.getHeardLeaderEpoch() > now.epoch().value()) {
      deposed(now, "datanode " + node + " heard of leader epoch " + request.getHeardLeaderEpoch());
      return reply.build();
    }
    // Nothing here waits for HBase: heartbeats come in while it is away.
    now.unsealed(node, unsealed);
    now.results(node, request.getResultsList());
    now.progress(node, request.getProgressList());
    return reply.setLeaderEpoch(now.epoch().value()).addAllOrders(now.ordersFor(node)).build();
  }

  /**
   * Refuses a leader epoch that nobody can have led under: the next term would begin above it. The
   * table's may have risen since it was read, but then by no more than elections within a second.
   */
  private void checkHeard(String node, long heard) throws StoreException {
    LeaderEpoch highest = latestEpoch;
    if (highest.allowsHeard(heard)) {
      return;
    }
    String why =
        "Cannot take datanode "
            + printable(node)
            + "'s word for leader epoch "
            + Long.toUnsignedString(heard)
            + ": nobody can have led under it, the highest is "
            + highest.value();
    if (refusals.isToTell("", printable(node))) {
      LOG.warn(why);
    }
    throw new StoreException(ErrorCode.ACCESS_DENIED, why);
  }
}
