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
import io.stowage.common.error.StoreException;
import io.stowage.common.proto.ContainerState;
import io.stowage.common.proto.Lease;
import io.stowage.common.proto.LeaseRef;
import io.stowage.common.proto.Order;
import io.stowage.common.proto.OrderResult;
import io.stowage.common.proto.ReleaseLeaseRequest;
import io.stowage.common.proto.ShardReport;
import io.stowage.common.time.StoreClock;
import io.stowage.scm.cluster.ClusterMap;
import java.time.Duration;
import java.util.List;
import java.util.Set;
import java.util.random.RandomGenerator;
import org.apache.hadoop.thirdparty.protobuf.ByteString;
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

  /** Strangers looked at in one tick: each costs a read of HBase. */
  private static final int STRANGERS_A_TICK = 100;

  /**
   * If more shards than this, and more than a thousandth of all, belong to no row, then rather the
   * rows are wrong (a restored table) and nothing is touched.
   */
  private static final long MANY_STRANGERS = 100;

  private static final long ALARM_NANOS = Duration.ofMinutes(1).toNanos();

  private final LeaderEpoch epoch;
  private final ContainerStore store;
  private final ContainerMap map;
  private final ClusterMap cluster;
  private final ShardInventory shards;
  private final StoreClock clock;
  private final Orders orders;
  private final Sealing sealing;
  private final Leases leases;
  private final Repacks repacks;

  private volatile boolean ordersGo;
  private long lastAlarmNanos; // confined to the ticking thread

  private Term(
      LeaderEpoch epoch,
      ContainerStore store,
      RowMutations rows,
      ContainerMap map,
      ClusterMap cluster,
      ShardInventory shards,
      Leases.Settings settings,
      Repacks.Settings repackSettings,
      StoreClock clock,
      RandomGenerator random) {
    this.epoch = epoch;
    this.store = store;
    this.map = map;
    this.cluster = cluster;
    this.shards = shards;
    this.clock = clock;
    this.orders = new Orders(epoch);
    this.sealing = new Sealing(epoch, rows, map, shards, orders, clock);
    this.leases = new Leases(epoch, rows, map, cluster, shards, sealing, settings, clock, random);
    this.repacks = new Repacks(epoch, rows, map, repackSettings, id -> 0, clock);
    this.lastAlarmNanos = clock.monotonicNanos() - ALARM_NANOS;
  }

  /** Begins a term; the map must hold every row that was written before the epoch was raised. */
  public static Term begin(
      LeaderEpoch epoch,
      ContainerStore store,
      RowMutations rows,
      ContainerMap map,
      ClusterMap cluster,
      ShardInventory shards,
      Leases.Settings settings,
      Repacks.Settings repackSettings,
      StoreClock clock,
      RandomGenerator random) {
    Term term =
        new Term(epoch, store, rows, map, cluster, shards, settings, repackSettings, clock, random);
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

  public Lease lease(ErasurePolicy policy, ByteString holder, Set<String> avoid)
      throws StoreException {
    return leases.lease(policy, holder, avoid);
  }

  public List<Lease> renew(List<LeaseRef> refs) throws StoreException {
    return leases.renew(refs);
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
    sealing.results(nodeId, results);
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
    leases.sweep();
    sealing.recordEnds();
    repacks.tick();
    lookAtStrangers();
  }

  /** Whether a stranger's row has come in by now; it may say that the shard is to be sealed. */
  private boolean recognised(ShardInventory.Stranger stranger) {
    if (!shards.recognise(stranger)) {
      return false;
    }
    if (!stranger.shard().getSealed()) {
      sealing.orderFor(stranger.nodeId(), stranger.shard());
    }
    return true;
  }

  private void lookAtStrangers() throws StoreException {
    long known = cluster.list().stream().mapToLong(node -> node.getShardCount()).sum();
    long strangers = shards.strangerCount();
    boolean tooMany = strangers > MANY_STRANGERS && strangers > known / 1_000;
    for (ShardInventory.Stranger stranger : shards.strangersAtLarge(STRANGERS_A_TICK)) {
      if (recognised(stranger)
          || tooMany
          || orders.isQuarantinePending(stranger.nodeId(), stranger.shard())) {
        continue;
      }
      ContainerRow row =
          stranger.shard().getContainer() > 0 ? store.read(stranger.shard().getContainer()) : null;
      if (row != null) {
        map.put(row);
        if (recognised(stranger)) {
          continue;
        }
      }
      LOG.warn(
          "Shard {} of container {}, generation {}, on datanode {} belongs to no row: quarantine",
          stranger.shard().getIndex(),
          ContainerRow.nameOf(stranger.shard().getContainer()),
          stranger.shard().getGeneration(),
          stranger.nodeId());
      orders.quarantine(stranger.nodeId(), stranger.shard(), row == null ? 0 : row.version());
    }
    if (tooMany && clock.monotonicNanos() - lastAlarmNanos >= ALARM_NANOS) {
      lastAlarmNanos = clock.monotonicNanos();
      LOG.error(
          "{} shards of {} belong to no container row: is the table an old one? None is touched",
          strangers,
          known);
    }
  }
}
