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
package io.stowage.scm.container;

import io.stowage.common.erasure.ErasurePolicy;
import io.stowage.common.error.ErrorCode;
import io.stowage.common.error.StoreException;
import io.stowage.common.proto.AcceptUnknownShardsReply;
import io.stowage.common.proto.AcceptUnknownShardsRequest;
import io.stowage.common.proto.ByteRange;
import io.stowage.common.proto.ClusterStatusReply;
import io.stowage.common.proto.ContainerInfo;
import io.stowage.common.proto.ContainerState;
import io.stowage.common.proto.Lease;
import io.stowage.common.proto.LeaseContainersRequest;
import io.stowage.common.proto.LeaseGrant;
import io.stowage.common.proto.LeaseRef;
import io.stowage.common.proto.OperatorWord;
import io.stowage.common.proto.Order;
import io.stowage.common.proto.OrderProgress;
import io.stowage.common.proto.OrderResult;
import io.stowage.common.proto.ReleaseLeaseRequest;
import io.stowage.common.proto.RestoreContainerReply;
import io.stowage.common.proto.SetBalanceReply;
import io.stowage.common.proto.SetBalanceRequest;
import io.stowage.common.proto.SetDatanodeModeReply;
import io.stowage.common.proto.SetDatanodeModeRequest;
import io.stowage.common.proto.ShardPlace;
import io.stowage.common.proto.ShardReport;
import io.stowage.common.proto.VerifyShardOrder;
import io.stowage.common.time.StoreClock;
import io.stowage.scm.cluster.ClusterMap;
import java.time.Duration;
import java.util.List;
import java.util.Set;
import java.util.random.RandomGenerator;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * One term of leadership: everything that only a leader does, under one {@link LeaderEpoch} that
 * every row mutation and every order carries. A new term begins with new objects, so nothing of an
 * old one leaks into it; a thread that still works for a deposed term writes with the old epoch and
 * is refused. Thread-safe.
 *
 * <p>Leases may be granted at once, for rows and datanodes fence them. Orders wait until every
 * datanode alive has heard this epoch, and thus refuses orders of the leader before: see {@link
 * ClusterMap#allHeard}.
 */
public final class Term {
  private static final Logger LOG = LoggerFactory.getLogger(Term.class);

  /** How long an operator's word about unknown shards holds: not for the next accident. */
  private static final Duration ACCEPTED = Duration.ofDays(1);

  private static final long SECTOR_BYTES = 4_096;

  /** Where a container ends that anything was written to, at least: behind one sector. */
  private static final long LEAST_END = SECTOR_BYTES;

  /** Of one report, as {@code scm.proto} says. */
  private static final long MOST_COMPARED = 256 * SECTOR_BYTES;

  private final LeaderEpoch epoch;
  private final RowMutations rows;
  private final ContainerMap map;
  private final ClusterMap cluster;
  private final ShardInventory shards;
  private final StoreClock clock;
  private final Orders orders;
  private final Sealing sealing;
  private final Leases leases;
  private final Repacks repacks;
  private final Garbage garbage;
  private final Inspector inspector;
  private final OperatorWords operator;
  private final Rebuilds rebuilds;
  private final Repair repair;
  private final TableAge tableAge;
  private final KnownTable knownTable;
  private final Surplus surplus;
  private final Deletions deletions;
  private final Balance balance;
  private final NodeModes modes;

  private volatile boolean ordersGo;

  /**
   * What a term works with and what outlives it.
   *
   * @param rows over the store
   * @param map the rows as last seen
   */
  public record World(
      ContainerStore store,
      RowMutations rows,
      ContainerMap map,
      ClusterMap cluster,
      ShardInventory shards,
      Inspector inspector,
      OperatorWords operator,
      Garbage garbage,
      StoreClock clock,
      RandomGenerator random) {}

  /**
   * Sizes and times.
   *
   * @param rebuildsADisk shards that one disk is written at once for repair
   * @param keep how long shards of a DELETED container are kept
   * @param defaultPolicies those that must stay writable though no container has them yet
   */
  public record Settings(
      Leases.Settings leases,
      Repacks.Settings repacks,
      int rebuildsADisk,
      Duration keep,
      Set<String> defaultPolicies) {}

  private Term(LeaderEpoch epoch, World world, Settings settings) {
    ContainerStore store = world.store;
    this.rows = world.rows;
    this.epoch = epoch;
    this.map = world.map;
    this.cluster = world.cluster;
    this.shards = world.shards;
    this.clock = world.clock;
    this.inspector = world.inspector;
    this.operator = world.operator;
    this.orders = new Orders(epoch, clock);
    this.sealing = new Sealing(epoch, rows, map, shards, orders, clock);
    this.leases =
        new Leases(
            epoch, rows, map, cluster, shards, sealing, settings.leases, clock, world.random);
    this.garbage = world.garbage;
    this.rebuilds = new Rebuilds(settings.rebuildsADisk);
    this.tableAge = new TableAge(epoch, store, rows, map, shards, leases, sealing, operator);
    this.knownTable = new KnownTable(operator, clock);
    this.repair =
        new Repair(
            epoch,
            rows,
            map,
            cluster,
            shards,
            sealing,
            leases,
            orders,
            rebuilds,
            settings.leases,
            clock,
            world.random);
    this.surplus =
        new Surplus(
            epoch, store, rows, map, cluster, shards, sealing, orders, rebuilds, operator, clock);
    this.repacks =
        new Repacks(
            epoch,
            rows,
            map,
            settings.repacks,
            knownTable,
            world.garbage::deadBytes,
            surplus::heldBack,
            clock);
    this.deletions =
        new Deletions(
            epoch,
            store,
            rows,
            map,
            cluster,
            shards,
            orders,
            garbage,
            settings.keep,
            settings.repacks.commitWindow().plus(settings.repacks.clockBound()),
            clock);
    this.balance = new Balance(map, cluster, operator, inspector, repair, rebuilds);
    this.modes = new NodeModes(map, cluster, shards, operator, settings.defaultPolicies, clock);
  }

  /** Begins a term; the map must hold every row that was written before the epoch was raised. */
  public static Term begin(LeaderEpoch epoch, World world, Settings settings) {
    Term term = new Term(epoch, world, settings);
    term.leases.resume();
    term.sealing.resume();
    term.repacks.resume();
    return term;
  }

  public LeaderEpoch epoch() {
    return epoch;
  }

  /** Surveys and repacks of sealed containers. */
  public Repacks repacks() {
    return repacks;
  }

  public Lease lease(LeaseContainersRequest request) throws StoreException {
    ErasurePolicy policy = ErasurePolicy.named(request.getPolicy());
    knownTable.meet(request.getObjectTable(), "an object manager that asked for a lease");
    return leases.lease(policy, request.getHolder(), Set.copyOf(request.getAvoidNodesList()));
  }

  public List<Lease> renew(List<LeaseRef> refs) throws StoreException {
    return leases.renew(refs);
  }

  public List<Lease> keep(List<LeaseGrant> grants) throws StoreException {
    return leases.keep(grants);
  }

  public void release(ReleaseLeaseRequest request) throws StoreException {
    leases.release(request);
  }

  /** A row that another SCM wrote. */
  public void learned(ContainerRow row) {
    if (row.info().getState() == ContainerState.OPEN) {
      leases.adopt(row);
    }
  }

  /** Acts on shards that a node reported open although their rows are sealed. */
  public void unsealed(String nodeId, List<ShardReport> reported) {
    for (ShardReport shard : reported) {
      sealing.orderFor(nodeId, shard);
    }
  }

  /** Takes a node's answers to orders in. */
  public void results(String nodeId, List<OrderResult> results) {
    for (OrderResult result : results) {
      Order order = orders.done(nodeId, result);
      if (order != null) { // else answered before, or given up
        answered(nodeId, order, result);
      }
    }
  }

  private void answered(String nodeId, Order order, OrderResult result) {
    ShardInventory.ShardId id = ShardInventory.ShardId.of(result);
    ErrorCode code = result.getErrorCode() == 0 ? null : ErrorCode.ofNumber(result.getErrorCode());
    switch (order.getWhatCase()) {
      case SEAL -> sealing.answered(nodeId, result);
      case REBUILD -> repair.answered(result);
      case QUARANTINE -> {
        if (code == null) {
          shards.noteQuarantined(nodeId, id, clock.wallMicros());
        } else if (code == ErrorCode.NO_SUCH_SHARD) {
          shards.noteGone(nodeId, id);
        }
      }
      case DELETE -> {
        if (code == null || code == ErrorCode.NO_SUCH_SHARD) {
          shards.noteGone(nodeId, id);
        }
      }
      case VERIFY -> {
        if (code == ErrorCode.NO_SUCH_SHARD || code == ErrorCode.SHARD_FAILED) {
          shards.noteGone(nodeId, id);
        }
      }
      case RESTORE -> {} // its node reports it anew
      case WHAT_NOT_SET -> throw new IllegalStateException("an order of no kind: " + order);
    }
  }

  /** How far a node is with orders that take long. */
  public void progress(String nodeId, List<OrderProgress> progress) {
    rebuilds.progress(nodeId, progress, clock.monotonicNanos());
  }

  /** What to order a node now; nothing before every node has heard of this term. */
  public List<Order> ordersFor(String nodeId) {
    return ordersGo() ? orders.next(nodeId, clock.monotonicNanos()) : List.of();
  }

  private boolean ordersGo() {
    if (!ordersGo && cluster.allHeard(epoch.value(), map.nodes())) {
      ordersGo = true;
      LOG.info("Orders of {} go out: every datanode alive has heard it", epoch);
    }
    return ordersGo;
  }

  /** Called periodically, by one thread at a time. */
  public void tick() throws StoreException {
    tableAge.look(); // before rows are changed by which it is seen
    leases.sweep();
    sealing.recordEnds();
    repacks.tick();
    garbage.fold();
    if (!ordersGo()) {
      return;
    }
    repair.settle();
    surplus.look();
    inspector.lookFor(balance.fullDisks());
    Inspection found = inspector.latest();
    repair.begin(found);
    if (surplus.heldBack().isEmpty()) {
      balance.look(found, surplus::mostUnknown); // else what is moved would stay where it was, too
      deletions.look(found);
    }
    modes.look(found);
  }

  /**
   * A client met damage: the node reads the shard, and tells with its heartbeats what it found.
   *
   * @param sectors that the client did not get; the others are asked what they have of them, if
   *     nothing comes to the container any more
   */
  public void verify(ContainerRow row, ShardPlace place, ByteRange sectors) {
    ShardInventory.ShardId id =
        new ShardInventory.ShardId(row.id(), place.getIndex(), place.getGeneration());
    if (!orders.isBusy(place.getNodeId())
        && !orders.isPending(Orders.Kind.VERIFY, place.getNodeId(), id)) {
      orders.verify(
          place.getNodeId(),
          Orders.keyOf(row.id(), place),
          row.version(),
          isToCompare(row.info(), sectors)
              ? comparison(row.info(), sectors)
              : VerifyShardOrder.getDefaultInstance());
    }
  }

  private static boolean isToCompare(ContainerInfo info, ByteRange sectors) {
    return ShardInventory.isClosed(info.getState())
        && sectors.getOffset() >= 0
        && sectors.getOffset() < info.getCapacityBytes()
        && sectors.getOffset() % SECTOR_BYTES == 0
        && sectors.getLength() > 0
        && sectors.getLength() <= MOST_COMPARED
        && sectors.getLength() % SECTOR_BYTES == 0;
  }

  private VerifyShardOrder comparison(ContainerInfo info, ByteRange sectors) {
    VerifyShardOrder.Builder order =
        VerifyShardOrder.newBuilder()
            .setSectors(sectors)
            .setPolicy(info.getPolicy())
            .setCapacityBytes(info.getCapacityBytes());
    for (ShardPlace place : info.getShardsList()) {
      ClusterMap.Address address = cluster.address(place.getNodeId());
      if (address != null) {
        order.addSources(place.toBuilder().setHost(address.host()).setPort(address.port()));
      }
    }
    return order.build();
  }

  public SetDatanodeModeReply setMode(SetDatanodeModeRequest request) throws StoreException {
    SetDatanodeModeReply reply = modes.set(request);
    inspector.refresh();
    return reply;
  }

  public SetBalanceReply setBalance(SetBalanceRequest request) throws StoreException {
    SetBalanceReply reply = balance.set(request);
    inspector.refresh();
    return reply;
  }

  /**
   * Puts back the row of a container that the table has lost. Sealed: nobody knows who wrote to it
   * last. Its shards are strangers until they are looked at again, and then its own. Until then it
   * must not look as if nobody had ever written to it, or it would be deleted: whoever restores it
   * may have found shards in quarantine only, which do not tell how far they reach.
   */
  public RestoreContainerReply restoreContainer(ContainerInfo lost) throws StoreException {
    ErasurePolicy policy = ErasurePolicy.named(lost.getPolicy());
    boolean inOrder = lost.getId() > 0 && lost.getShardsCount() == policy.shards();
    for (int i = 0; i < lost.getShardsCount(); i++) {
      inOrder &= lost.getShards(i).getIndex() == i;
    }
    if (!inOrder) {
      throw new StoreException(
          ErrorCode.INVALID_ARGUMENT,
          "Cannot restore container "
              + ContainerRow.nameOf(lost.getId())
              + " of "
              + policy.name()
              + " with "
              + lost.getShardsCount()
              + " shards");
    }
    int generation = 1;
    ContainerInfo.Builder info =
        ContainerInfo.newBuilder()
            .setId(lost.getId())
            .setPolicy(lost.getPolicy())
            .setState(ContainerState.SEALED)
            .setCapacityBytes(lost.getCapacityBytes())
            .setEndOffset(Math.max(lost.getEndOffset(), LEAST_END))
            .setLeaseEpoch(lost.getLeaseEpoch())
            .setCreatedMicros(clock.wallMicros())
            .setSealedMicros(clock.wallMicros());
    for (ShardPlace place : lost.getShardsList()) {
      generation = Math.max(generation, place.getGeneration());
      info.addShards(place.toBuilder().clearHost().clearPort());
    }
    ContainerRow row = rows.create(epoch, info.setLastGeneration(generation).build());
    return RestoreContainerReply.newBuilder().setCreated(row != null).build();
  }

  /**
   * An operator says that unknown shards may be put aside, for a day, and that it does not matter
   * that the table is older than the disks; or a rebuild has ended that. Both say which table
   * {@code object} is the right one.
   */
  public AcceptUnknownShardsReply acceptUnknown(AcceptUnknownShardsRequest request)
      throws StoreException {
    long until = clock.wallMicros() + ACCEPTED.toNanos() / 1_000;
    OperatorWord now =
        operator.change(
            word -> {
              OperatorWord.Builder after = word.toBuilder().clearTableOlderSinceMicros();
              if (!request.getObjectTable().isEmpty()) {
                after.setObjectTable(request.getObjectTable()).clearOtherTable();
              }
              return (request.getRebuilt() ? after : after.setUnknownAcceptedUntilMicros(until))
                  .build();
            });
    return AcceptUnknownShardsReply.newBuilder()
        .setUnknownShards(shards.strangers().unknownCount())
        .setUntilMicros(now.getUnknownAcceptedUntilMicros())
        .build();
  }

  /** What only the leader knows of how the cluster is. */
  public void addStatus(ClusterStatusReply.Builder reply) {
    reply
        .setRepair(repair.status(inspector.latest()))
        .setBalance(balance.status())
        .setHeldBack(surplus.heldBack())
        .setUnacceptedShards(surplus.unaccepted());
  }
}
