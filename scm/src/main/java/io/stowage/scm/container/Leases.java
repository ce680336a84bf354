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
import io.stowage.common.error.NotLeaderException;
import io.stowage.common.error.StoreException;
import io.stowage.common.fault.CrashPoint;
import io.stowage.common.proto.ContainerInfo;
import io.stowage.common.proto.ContainerState;
import io.stowage.common.proto.Lease;
import io.stowage.common.proto.LeaseGrant;
import io.stowage.common.proto.LeaseRef;
import io.stowage.common.proto.ReleaseLeaseRequest;
import io.stowage.common.proto.ShardPlace;
import io.stowage.common.time.StoreClock;
import io.stowage.scm.cluster.Candidate;
import io.stowage.scm.cluster.ClusterMap;
import io.stowage.scm.cluster.Placement;
import java.security.MessageDigest;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Queue;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.random.RandomGenerator;
import org.apache.hadoop.thirdparty.protobuf.ByteString;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Writers' leases on open containers, in one term of leadership. Thread-safe; lock order: holder
 * stripe, container, row.
 *
 * <p>A grant is one row mutation: it raises the lease epoch, and is durable before it is answered.
 * Datanodes fence by that epoch, so whatever this class believes about expiry only decides when a
 * container is offered again, never who may write. That makes the rest cheap:
 *
 * <ul>
 *   <li>A renewal is kept in memory. A new leader gives every lease that it finds in a row a whole
 *       duration from the beginning of its term.
 *   <li>Except that the time of the grant is refreshed in the row every quarter of the commit
 *       window. Object managers count a manifest's age from it, and the garbage collector counts
 *       from the sealing: a grant that a writer holds must have been in the row before the row was
 *       sealed, so it cannot be refreshed in memory (a deposed leader might do so after the seal).
 *   <li>An expired lease leaves its row as it is; the next grant writes over it.
 *   <li>A lease that ended while an object with bytes under it is still being written is
 *       <b>kept</b> ({@link #keep}): as long as nobody judges the container's needles, the time of
 *       the last grant in the row is raised to now, whoever holds the container, and whether it is
 *       open or sealed. Nobody says REPACKING sooner than the commit window after that time, as
 *       after the seal, and both are mutations of one row: so what is kept is as good as granted
 *       now.
 * </ul>
 */
public final class Leases {
  private static final Logger LOG = LoggerFactory.getLogger(Leases.class);
  private static final CrashPoint AFTER_GRANT = CrashPoint.named("scm.lease.after-row");

  /** A shard file lists at most as many epochs; SCM counts those that wrote nothing, too. */
  static final long MOST_EPOCHS = 1_000;

  /** Idle containers looked at for one lease before a new container is made. */
  private static final int MOST_LOOKED_AT = 64;

  private static final int HOLDER_STRIPES = 256;

  /** Leases kept by one call: a row mutation each, at most. */
  private static final int MOST_KEPT = 256;

  private final LeaderEpoch leader;
  private final RowMutations rows;
  private final ContainerMap map;
  private final ClusterMap cluster;
  private final ShardInventory shards;
  private final Sealing sealing;
  private final Settings settings;
  private final StoreClock clock;
  private final RandomGenerator random;

  private final Map<Long, OpenContainer> open = new ConcurrentHashMap<>();
  private final Map<ByteString, Long> containerOfHolder = new ConcurrentHashMap<>();
  private final Map<String, Queue<OpenContainer>> idle = new ConcurrentHashMap<>();
  private final Object[] holderStripes = new Object[HOLDER_STRIPES];

  /**
   * Sizes and times.
   *
   * @param containerCapacity address space of a new container's shards
   * @param duration of a lease
   * @param commitWindow how long after its grant a manifest may be committed
   * @param reportDelay within which a new shard is reported
   * @param patience how long a damaged container may take to be whole again before it is sealed
   * @param openTime after which a container is sealed, so that what died in it can be collected
   */
  public record Settings(
      long containerCapacity,
      Duration duration,
      Duration commitWindow,
      Duration reportDelay,
      Duration patience,
      Duration openTime) {
    /** Room below which a container is not worth another lease. */
    long leastRoom(long capacity) {
      return Math.max(capacity / 64, 64 << 10);
    }
  }

  /** Guarded by itself. */
  private static final class OpenContainer {
    private final long id;
    private final String policy;
    private ByteString holder = ByteString.EMPTY; // empty: free
    private long deadlineNanos; // of the lease
    private boolean troubled; // damaged, or a shard is missing: not leased for now
    private long troubledSinceNanos;
    private boolean absent; // a shard of it was not reported
    private long absentSinceNanos;
    private boolean queued; // in the queue of idle ones
    private boolean gone; // sealed

    OpenContainer(long id, String policy) {
      this.id = id;
      this.policy = policy;
    }
  }

  Leases(
      LeaderEpoch leader,
      RowMutations rows,
      ContainerMap map,
      ClusterMap cluster,
      ShardInventory shards,
      Sealing sealing,
      Settings settings,
      StoreClock clock,
      RandomGenerator random) {
    this.leader = leader;
    this.rows = rows;
    this.map = map;
    this.cluster = cluster;
    this.shards = shards;
    this.sealing = sealing;
    this.settings = settings;
    this.clock = clock;
    this.random = random;
    for (int i = 0; i < HOLDER_STRIPES; i++) {
      holderStripes[i] = new Object();
    }
  }

  /** At the start of a term: every open row, with its lease if it says one. */
  void resume() {
    map.forEach(
        (id, packed, reported) -> {
          if (PackedContainer.state(packed) == ContainerState.OPEN) {
            adopt(map.get(id));
          }
        });
  }

  /**
   * Takes in an open container, if it is not known; the map has its row. To be called as often as
   * one likes: what counts is the row of now, for this term may have changed it meanwhile.
   */
  void adopt(ContainerRow row) {
    OpenContainer container =
        open.computeIfAbsent(row.id(), id -> new OpenContainer(id, row.info().getPolicy()));
    synchronized (container) {
      if (container.gone || !container.holder.isEmpty()) {
        return;
      }
      ContainerRow now = map.get(row.id());
      if (now == null || now.info().getState() != ContainerState.OPEN) {
        drop(container);
      } else if (now.info().getLeaseHolder().isEmpty()) {
        enqueue(container);
      } else {
        container.holder = now.info().getLeaseHolder();
        container.deadlineNanos = clock.monotonicNanos() + settings.duration.toNanos();
        containerOfHolder.putIfAbsent(container.holder, container.id);
      }
    }
  }

  /** A lease for a new holder; the same one again for a holder that has one. */
  Lease lease(ErasurePolicy policy, ByteString holder, Set<String> avoid) throws StoreException {
    synchronized (holderStripes[Math.floorMod(holder.hashCode(), HOLDER_STRIPES)]) {
      Long held = containerOfHolder.get(holder);
      Lease lease = held == null ? null : leaseOf(held, holder);
      if (lease != null) {
        return lease;
      }
      Set<String> shun = new HashSet<>(avoid);
      shun.addAll(cluster.shunned());
      lease = reuse(policy, holder, shun);
      if (lease != null) {
        return lease;
      }
      List<Candidate> places =
          Placement.place(cluster.candidates(), policy, cluster.domainOf(policy), shun, random);
      if (places.stream().anyMatch(place -> shun.contains(place.nodeId()))) {
        lease = reuse(policy, holder, Set.of());
        if (lease != null) {
          return lease;
        }
      }
      return create(policy, holder, places);
    }
  }

  private Lease leaseOf(long id, ByteString holder) {
    OpenContainer container = open.get(id);
    if (container == null) {
      return null;
    }
    synchronized (container) {
      return isSame(container.holder, holder)
              && clock.monotonicNanos() - container.deadlineNanos < 0
          ? toLease(map.get(id).info(), container)
          : null;
    }
  }

  /** A holder is a secret of its writer's: in constant time. */
  private static boolean isSame(ByteString holder, ByteString asker) {
    return MessageDigest.isEqual(holder.toByteArray(), asker.toByteArray());
  }

  private Lease toLease(ContainerInfo info, OpenContainer container) {
    long leftMicros = (container.deadlineNanos - clock.monotonicNanos()) / 1_000;
    return Lease.newBuilder()
        .setContainer(info)
        .setHolder(container.holder)
        .setGrantedMicros(info.getLeaseGrantedMicros())
        .setExpiryMicros(clock.wallMicros() + leftMicros)
        .setCommitWindowMicros(commitWindowMicros())
        .build();
  }

  /** A lease on an idle container none of whose shards is on a node to be shunned; or null. */
  private Lease reuse(ErasurePolicy policy, ByteString holder, Set<String> shun)
      throws StoreException {
    Queue<OpenContainer> queue = idle.get(policy.name());
    if (queue == null) {
      return null;
    }
    List<OpenContainer> back = new ArrayList<>();
    try {
      for (int looked = 0; looked < MOST_LOOKED_AT; looked++) {
        OpenContainer container = queue.poll();
        if (container == null) {
          return null;
        }
        synchronized (container) {
          container.queued = false;
          if (container.gone || container.troubled || !container.holder.isEmpty()) {
            continue;
          }
          if (!isWritable(map.get(container.id).info(), shun)) {
            back.add(container);
            continue;
          }
          Lease lease = grant(container, holder);
          if (lease != null) {
            return lease;
          }
        }
      }
      return null;
    } finally {
      for (OpenContainer container : back) {
        synchronized (container) {
          enqueue(container);
        }
      }
    }
  }

  private boolean isWritable(ContainerInfo info, Set<String> shun) {
    if (!hasRoom(info)) {
      return false;
    }
    for (ShardPlace place : info.getShardsList()) {
      if (!cluster.placeState(place.getNodeId(), place.getDiskId()).isWritable()
          || shun.contains(place.getNodeId())) {
        return false;
      }
    }
    return true;
  }

  private boolean hasRoom(ContainerInfo info) {
    return info.getLeaseEpoch() < MOST_EPOCHS
        && info.getCapacityBytes() - shards.end(info)
            >= settings.leastRoom(info.getCapacityBytes());
  }

  /** Writes the grant into the row; null if somebody else had changed the row. */
  private Lease grant(OpenContainer container, ByteString holder) throws StoreException {
    long known = map.get(container.id).info().getLeaseEpoch();
    ContainerRow row;
    try {
      row =
          rows.change(
              leader,
              container.id,
              info ->
                  info.getState() != ContainerState.OPEN || info.getLeaseEpoch() != known
                      ? null
                      : withLease(info.toBuilder(), holder, info.getLeaseEpoch() + 1).build());
    } catch (StoreException e) {
      enqueue(container);
      throw e;
    }
    AFTER_GRANT.reach();
    if (row == null || row.info().getState() != ContainerState.OPEN) {
      drop(container);
      return null;
    }
    if (!row.info().getLeaseHolder().equals(holder)) {
      adopt(row); // a deposed leader granted it: its holder shall have its time
      return null;
    }
    return granted(container, row.info());
  }

  private Lease granted(OpenContainer container, ContainerInfo info) {
    container.holder = info.getLeaseHolder();
    container.deadlineNanos = clock.monotonicNanos() + settings.duration.toNanos();
    containerOfHolder.put(container.holder, container.id);
    return toLease(info, container);
  }

  private ContainerInfo.Builder withLease(
      ContainerInfo.Builder info, ByteString holder, long epoch) {
    long now = clock.wallMicros();
    return info.setLeaseHolder(holder)
        .setLeaseEpoch(epoch)
        .setLeaseGrantedMicros(now)
        .setLeaseExpiryMicros(now + settings.duration.toNanos() / 1_000);
  }

  static ContainerInfo.Builder withoutLease(ContainerInfo info) {
    return info.toBuilder().clearLeaseHolder().clearLeaseExpiryMicros();
  }

  private Lease create(ErasurePolicy policy, ByteString holder, List<Candidate> places)
      throws StoreException {
    while (true) {
      long id = random.nextLong() >>> 1;
      if (id == 0) {
        continue;
      }
      ContainerInfo.Builder info =
          ContainerInfo.newBuilder()
              .setId(id)
              .setPolicy(policy.name())
              .setState(ContainerState.OPEN)
              .setCapacityBytes(settings.containerCapacity)
              .setCreatedMicros(clock.wallMicros());
      for (int i = 0; i < places.size(); i++) {
        info.addShards(
            ShardPlace.newBuilder()
                .setIndex(i)
                .setNodeId(places.get(i).nodeId())
                .setDiskId(places.get(i).diskId())
                .setGeneration(1));
      }
      ContainerRow row = rows.create(leader, withLease(info, holder, 1).build());
      AFTER_GRANT.reach();
      if (row == null) {
        continue; // the id is taken
      }
      OpenContainer container =
          open.computeIfAbsent(id, key -> new OpenContainer(key, policy.name()));
      synchronized (container) {
        return granted(container, row.info());
      }
    }
  }

  /** The leases that live on, with their new expiry. */
  List<Lease> renew(List<LeaseRef> refs) throws StoreException {
    List<Lease> renewed = new ArrayList<>();
    for (LeaseRef ref : refs) {
      OpenContainer container = open.get(ref.getContainer());
      if (container != null) {
        synchronized (container) {
          ContainerInfo info = held(container, ref);
          if (info != null && isOpenForLong(info)) {
            seal(container, "open for long"); // its writer hears that the lease is lost
            info = null;
          }
          if (info != null && clock.monotonicNanos() - container.deadlineNanos < 0) {
            info = refreshGrant(container, info);
          }
          if (info != null) {
            container.deadlineNanos = clock.monotonicNanos() + settings.duration.toNanos();
            renewed.add(toLease(info, container));
          }
        }
      }
    }
    return renewed;
  }

  /** Only what is sealed can be surveyed and repacked. One that nothing was written to may stay. */
  private boolean isOpenForLong(ContainerInfo info) {
    return shards.end(info) > 0
        && clock.wallMicros() - info.getCreatedMicros() > settings.openTime.toNanos() / 1_000;
  }

  /** The row of a lease if it still is this one; else null. Who names no holder holds none. */
  private ContainerInfo held(OpenContainer container, LeaseRef ref) {
    ContainerInfo info = map.get(container.id).info();
    return !container.gone
            && !ref.getHolder().isEmpty() // as the holder of what nobody holds is
            && isSame(container.holder, ref.getHolder())
            && isSame(info.getLeaseHolder(), ref.getHolder())
            && info.getLeaseEpoch() == ref.getEpoch()
            && info.getState() == ContainerState.OPEN
        ? info
        : null;
  }

  /** One from the future, of a clock that was wrong, is taken by no object manager. */
  private boolean isYoung(long grantedMicros) {
    long ageMicros = clock.wallMicros() - grantedMicros;
    return ageMicros >= 0 && ageMicros < commitWindowMicros() / 4;
  }

  private long commitWindowMicros() {
    return settings.commitWindow.toNanos() / 1_000;
  }

  private ContainerInfo refreshGrant(OpenContainer container, ContainerInfo info)
      throws StoreException {
    if (isYoung(info.getLeaseGrantedMicros())) {
      return info;
    }
    ContainerRow row =
        rows.change(
            leader,
            container.id,
            now ->
                now.getState() != ContainerState.OPEN
                        || now.getLeaseEpoch() != info.getLeaseEpoch()
                        || !now.getLeaseHolder().equals(container.holder)
                    ? null
                    : withLease(now.toBuilder(), container.holder, now.getLeaseEpoch()).build());
    return row != null
            && row.info().getState() == ContainerState.OPEN
            && row.info().getLeaseEpoch() == info.getLeaseEpoch()
            && row.info().getLeaseHolder().equals(container.holder)
        ? row.info()
        : null;
  }

  /**
   * Keeps what was written under leases that ended from being judged while objects that have bytes
   * there are not committed yet.
   *
   * @return those that may be committed under as if they were granted at the time in it; others are
   *     of containers that somebody judges already, or that are gone
   */
  List<Lease> keep(List<LeaseGrant> grants) throws StoreException {
    if (grants.size() > MOST_KEPT) {
      throw new StoreException(
          ErrorCode.INVALID_ARGUMENT,
          "Cannot keep " + grants.size() + " leases at a time: at most " + MOST_KEPT);
    }
    List<Lease> kept = new ArrayList<>();
    for (LeaseGrant grant : grants) {
      ContainerRow row =
          rows.change(
              leader,
              grant.getContainer(),
              info ->
                  !isUnjudged(info, grant.getEpoch()) || isYoung(judgedFromMicros(info))
                      ? null
                      : info.toBuilder().setLeaseGrantedMicros(clock.wallMicros()).build());
      if (row != null && isUnjudged(row.info(), grant.getEpoch())) {
        kept.add(
            Lease.newBuilder()
                .setContainer(
                    ContainerInfo.newBuilder()
                        .setId(row.id())
                        .setPolicy(row.info().getPolicy())
                        .setLeaseEpoch(grant.getEpoch()))
                .setGrantedMicros(judgedFromMicros(row.info()))
                .setExpiryMicros(clock.wallMicros())
                .setCommitWindowMicros(commitWindowMicros())
                .build());
      }
    }
    return kept;
  }

  private static boolean isUnjudged(ContainerInfo info, long epoch) {
    return (info.getState() == ContainerState.OPEN || info.getState() == ContainerState.SEALED)
        && epoch <= info.getLeaseEpoch();
  }

  /** When the commit window of a container's bytes began for the last time, by its row. */
  static long judgedFromMicros(ContainerInfo info) {
    return Math.max(info.getSealedMicros(), info.getLeaseGrantedMicros());
  }

  /**
   * Takes a lease back; one that is not held any more is no error. Who holds it may say which of
   * its nodes gave no answer: of others he knows nothing.
   */
  void release(ReleaseLeaseRequest request) throws StoreException {
    LeaseRef ref = request.getLease();
    String what =
        "the writer of container "
            + ContainerRow.nameOf(ref.getContainer())
            + ", epoch "
            + ref.getEpoch()
            + ", got no answer";
    OpenContainer container = open.get(ref.getContainer());
    if (container == null) {
      return;
    }
    ContainerInfo leased;
    synchronized (container) {
      leased = held(container, ref);
    }
    if (leased == null) {
      return;
    }
    for (ShardPlace place : leased.getShardsList()) { // before others can have the container
      if (!request.getSuspectNodesList().contains(place.getNodeId())) {
        continue;
      }
      if (request.getClaimed()) {
        cluster.suspectWithoutStrike(place.getNodeId(), what);
      } else {
        cluster.suspect(place.getNodeId(), what);
      }
    }
    synchronized (container) {
      if (held(container, ref) == null) {
        return;
      }
      boolean full =
          switch (request.getOutcome()) {
            case LEASE_FULL -> true;
            case LEASE_IDLE, LEASE_DAMAGED -> false;
            case UNRECOGNIZED ->
                throw new StoreException(
                    ErrorCode.INVALID_ARGUMENT, "Cannot release a lease: unknown outcome");
          };
      if (full) {
        seal(container, "full, says its writer");
        return;
      }
      ContainerRow row =
          rows.change(
              leader,
              container.id,
              info ->
                  info.getLeaseEpoch() != ref.getEpoch()
                          || !isSame(info.getLeaseHolder(), ref.getHolder())
                      ? null
                      : withoutLease(info)
                          .setEndOffset(Math.max(request.getEndOffset(), shards.end(info)))
                          .build());
      free(container);
      switch (request.getOutcome()) {
        case LEASE_DAMAGED -> trouble(container);
        default -> {
          if (row != null && !hasRoom(row.info())) {
            seal(container, "no room for another lease");
          } else {
            enqueue(container);
          }
        }
      }
    }
  }

  /** Called periodically: expiry, and what becomes of containers that nobody holds. */
  void sweep() throws NotLeaderException {
    for (OpenContainer container : open.values()) {
      try {
        synchronized (container) {
          if (!container.holder.isEmpty()
              && clock.monotonicNanos() - container.deadlineNanos >= 0) {
            LOG.info(
                "Lease on container {} expired: its writer has gone",
                ContainerRow.nameOf(container.id));
            free(container);
            enqueue(container);
          }
          if (container.holder.isEmpty() && !container.gone) {
            look(container);
          }
        }
      } catch (NotLeaderException e) {
        throw e;
      } catch (StoreException e) {
        LOG.warn(
            "Cannot settle container {} now: {}", ContainerRow.nameOf(container.id), e.toString());
      }
    }
  }

  private void look(OpenContainer container) throws StoreException {
    ContainerInfo info = map.get(container.id).info();
    if (info.getState() != ContainerState.OPEN) {
      drop(container);
      return;
    }
    if (shards.isAhead(container.id)) {
      return; // see TableAge
    }
    if (!hasRoom(info)) {
      if (isTold(info)) {
        seal(container, "no room for another lease");
      }
      return;
    }
    if (isOpenForLong(info)) {
      if (isTold(info)) {
        seal(container, "open for long");
      }
      return;
    }
    ShardInventory.Missing missing = shards.missing(info);
    boolean whole = missing.lost() == 0 && !isAbsentForLong(container, missing.absent() != 0);
    if (!whole && !container.troubled) {
      trouble(container);
    }
    if (!container.troubled) {
      return;
    }
    if (whole && isWritable(info, Set.of())) {
      container.troubled = false;
      enqueue(container);
    } else if (clock.monotonicNanos() - container.troubledSinceNanos
        >= settings.patience.toNanos()) {
      seal(
          container,
          whole ? "its nodes do not answer" : missing.count() + " of its shards are missing");
    }
  }

  /** Whether all its nodes have said what they have of it, but for those that are not there. */
  private boolean isTold(ContainerInfo info) {
    for (ShardPlace place : info.getShardsList()) {
      ClusterMap.PlaceState state = cluster.placeState(place.getNodeId(), place.getDiskId());
      if (!state.isReported()
          && state != ClusterMap.PlaceState.LOST
          && state != ClusterMap.PlaceState.AWAY) {
        return false;
      }
    }
    return true;
  }

  /** A shard that its writer just made is reported with the next heartbeat. */
  private boolean isAbsentForLong(OpenContainer container, boolean absent) {
    if (!absent) {
      container.absent = false;
      return false;
    }
    if (!container.absent) {
      container.absent = true;
      container.absentSinceNanos = clock.monotonicNanos();
    }
    return clock.monotonicNanos() - container.absentSinceNanos >= settings.reportDelay.toNanos();
  }

  private void trouble(OpenContainer container) {
    container.troubled = true;
    container.troubledSinceNanos = clock.monotonicNanos();
  }

  private void seal(OpenContainer container, String why) throws StoreException {
    sealing.seal(container.id, why);
    drop(container);
  }

  /** Seals an open container, whoever holds it; writers are fenced and go on elsewhere. */
  void sealWhoeverHoldsIt(long id, String why) throws StoreException {
    OpenContainer container = open.get(id);
    if (container == null) {
      sealing.seal(id, why);
      return;
    }
    synchronized (container) {
      seal(container, why);
    }
  }

  private void free(OpenContainer container) {
    containerOfHolder.remove(container.holder, container.id);
    container.holder = ByteString.EMPTY;
  }

  private void drop(OpenContainer container) {
    free(container);
    container.gone = true;
    open.remove(container.id);
  }

  private void enqueue(OpenContainer container) {
    if (!container.queued && !container.gone) {
      container.queued = true;
      idle.computeIfAbsent(container.policy, policy -> new ConcurrentLinkedQueue<>())
          .add(container);
    }
  }

  /** Leases that are held now. */
  long heldCount() {
    return containerOfHolder.size();
  }
}
