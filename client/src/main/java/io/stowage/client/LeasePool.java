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

import io.stowage.common.data.DatanodeDirectory;
import io.stowage.common.erasure.ErasurePolicy;
import io.stowage.common.error.ErrorCode;
import io.stowage.common.error.StoreException;
import io.stowage.common.id.WriteId;
import io.stowage.common.proto.ContainerInfo;
import io.stowage.common.proto.Lease;
import io.stowage.common.proto.LeaseContainersRequest;
import io.stowage.common.proto.LeaseOutcome;
import io.stowage.common.proto.LeaseRef;
import io.stowage.common.proto.ReleaseLeaseRequest;
import io.stowage.common.proto.RenewLeasesRequest;
import io.stowage.common.time.StoreClock;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.Executor;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.LongAdder;
import java.util.concurrent.locks.ReentrantLock;
import org.apache.hadoop.thirdparty.protobuf.ByteString;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The few containers that this process may append to, of one policy. Gets leases through the object
 * manager when a writer finds none, keeps them alive, gives them back. Thread-safe: the list is
 * copied on write; one thread at a time asks for a lease, the others wait for what it gets.
 *
 * <p>An object is committed under the grants of all its extents, and no grant may be as old as the
 * commit window then. Those of leases that are held are refreshed by SCM. A lease that ended, full,
 * damaged or lost, while an object that has bytes under it is still being written is <b>kept</b>:
 * SCM is asked to count its grant from now, and to let nobody judge the container for a commit
 * window, and again every eighth of that until the object is finished or given up. How long the
 * window is SCM says with each lease. A writer that dies keeps nothing: a commit window later what
 * it wrote is garbage like any other.
 *
 * <p>A second lease is taken when the first has more than {@link #BUSY_BYTES} in flight, to use
 * more disks of a large cluster, never more than {@link #MOST_LEASES}: every lease is an open
 * container that must be filled or repacked.
 */
final class LeasePool {
  private static final Logger LOG = LoggerFactory.getLogger(LeasePool.class);

  static final int MOST_LEASES = 4;

  /** A stripe of rs-6-3 with the largest cells has 9 MiB. */
  private static final long BUSY_BYTES = 96L << 20;

  /** An unused lease is given back, so that others fill its container. */
  private static final Duration IDLE = Duration.ofMinutes(2);

  /** A leader's fail-over takes up to ten seconds; writers bear it. */
  private static final Duration PATIENCE = Duration.ofSeconds(20);

  /**
   * Nodes that are suspects come back when SCM has probed them: worth this wait before saying no.
   */
  private static final Duration PATIENCE_WITHOUT_NODES = Duration.ofSeconds(3);

  private static final long RETRY_MILLIS = 200;

  /** Leases kept by one call. */
  private static final int MOST_KEPT_AT_ONCE = 256;

  private final ErasurePolicy policy;
  private final Containers containers;
  private final DatanodeDirectory directory;
  private final StoreClock clock;
  private final StripeTimeouts timeouts;
  private final NodeHealth health;
  private final Executor background;

  private final List<ContainerLease> open = new CopyOnWriteArrayList<>();
  private final Set<ContainerLease> unreleased = ConcurrentHashMap.newKeySet();

  /**
   * Extents of unfinished objects by lease, as many leases as they have containers. Guarded by
   * itself.
   */
  private final Map<ContainerLease, Integer> extents = new HashMap<>();

  private final ReentrantLock asking = new ReentrantLock();
  private StoreException failure; // of the last try, guarded by asking
  private long failedNanos;
  private volatile boolean closed;
  private volatile long lastNanos = Long.MAX_VALUE; // nobody waits for a lease any longer
  private final LongAdder granted = new LongAdder();

  LeasePool(
      ErasurePolicy policy,
      Containers containers,
      DatanodeDirectory directory,
      StoreClock clock,
      StripeTimeouts timeouts,
      NodeHealth health,
      Executor background) {
    this.policy = policy;
    this.containers = containers;
    this.directory = directory;
    this.clock = clock;
    this.timeouts = timeouts;
    this.health = health;
    this.background = background;
  }

  ErasurePolicy policy() {
    return policy;
  }

  /** Leases that writers use now. */
  int openLeases() {
    return open.size();
  }

  /** Leases that were granted and whose shards could be opened, since the start. */
  long granted() {
    return granted.sum();
  }

  /**
   * Addresses for up to so many stripes; blocks while a lease has to be got.
   *
   * @throws StoreException NOT_ENOUGH_NODES, naming what is missing, or UNAVAILABLE
   */
  ContainerLease.Run begin(int cellBytes, int stripes) throws StoreException {
    long arrived = clock.monotonicNanos();
    long deadline = arrived + PATIENCE.toNanos();
    while (true) {
      List<ContainerLease> seen = List.copyOf(open);
      ContainerLease.Run run = beginOnOpen(cellBytes, stripes, seen);
      if (run != null) {
        return run;
      }
      asking.lock();
      try {
        if (failure != null && failedNanos - arrived > 0) {
          // The one that we waited for tried long enough for all of us.
          throw new StoreException(failure.code(), failure.getMessage(), failure);
        }
        if (seen.containsAll(open)) {
          ContainerLease lease = leaseAndRemember(deadline);
          open.add(lease);
          if (lease.capacity() < cellBytes) {
            throw new StoreException(
                ErrorCode.BAD_CONFIGURATION,
                "Cannot write a cell of "
                    + cellBytes
                    + " bytes: a shard of "
                    + lease
                    + " has room for "
                    + lease.capacity());
          }
        }
      } finally {
        asking.unlock();
      }
    }
  }

  private ContainerLease.Run beginOnOpen(int cellBytes, int stripes, List<ContainerLease> leases) {
    long now = clock.monotonicNanos();
    ContainerLease best = null;
    for (ContainerLease lease : leases) {
      if (lease.isRetired()) {
        open.remove(lease);
        continue;
      }
      if (best == null || lease.bytesInFlight() < best.bytesInFlight()) {
        best = lease;
      }
      if (best.bytesInFlight() <= BUSY_BYTES) {
        break; // the first that has room, so that its stripes fill
      }
    }
    if (best == null) {
      return null;
    }
    if (best.bytesInFlight() > BUSY_BYTES && leases.size() < MOST_LEASES && !asking.isLocked()) {
      Executors.tryExecute(background, this::takeOneMore);
    }
    ContainerLease.Run run = best.begin(cellBytes, stripes, now);
    if (run == null) {
      open.remove(best); // full or lapsed
      best.retire();
    }
    return run;
  }

  /** Another lease beside busy ones, which do if there is none to be had. */
  private void takeOneMore() {
    if (!asking.tryLock()) {
      return;
    }
    try {
      if (open.size() < MOST_LEASES && !closed) {
        open.add(lease(clock.monotonicNanos()));
      }
    } catch (StoreException e) {
      LOG.info("No further lease of {} beside {}: {}", policy, open, e.toString());
    } finally {
      asking.unlock();
    }
  }

  private ContainerLease leaseAndRemember(long deadline) throws StoreException {
    try {
      failure = null;
      return lease(deadline);
    } catch (StoreException e) {
      failure = e;
      failedNanos = clock.monotonicNanos();
      throw e;
    }
  }

  private ContainerLease lease(long deadline) throws StoreException {
    if (closed || clock.monotonicNanos() >= lastNanos) {
      throw new StoreException(ErrorCode.UNAVAILABLE, "Cannot write: the client is closed");
    }
    long withoutNodes = clock.monotonicNanos() + PATIENCE_WITHOUT_NODES.toNanos();
    ByteString holder = WriteId.random();
    while (true) {
      StoreException refusal;
      long asked = clock.monotonicNanos();
      try {
        Lease granted =
            containers
                .leaseContainer(
                    LeaseContainersRequest.newBuilder()
                        .setPolicy(policy.name())
                        .setHolder(holder)
                        .addAllAvoidNodes(health.toAvoid())
                        .build())
                .getLease();
        return openShards(granted, asked);
      } catch (StoreException e) {
        refusal = e;
      }
      long now = clock.monotonicNanos();
      long last = Math.min(deadline, lastNanos);
      boolean again =
          switch (refusal.code()) {
            case NOT_ENOUGH_NODES -> now < Math.min(withoutNodes, last);
            case UNAVAILABLE, TIMEOUT, NOT_LEADER, OVERLOADED, OUTCOME_UNKNOWN, INTERNAL ->
                now < last;
            case SHARD_FAILED -> {
              holder = WriteId.random(); // that lease was given back
              yield now < last;
            }
            default -> false;
          };
      if (!again || closed) {
        throw refusal;
      }
      LOG.debug("Asking for a lease of {} again: {}", policy, refusal.toString());
      pause();
    }
  }

  private static void pause() throws StoreException {
    try {
      TimeUnit.MILLISECONDS.sleep(RETRY_MILLIS);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new StoreException(
          ErrorCode.UNAVAILABLE, "Cannot write: interrupted while waiting for a lease", e);
    }
  }

  /**
   * Opens every shard under the lease's epoch. SHARD_FAILED, with the lease given back, if one does
   * not.
   */
  private ContainerLease openShards(Lease granted, long asked) throws StoreException {
    ShardPlaces places = ShardPlaces.of(granted.getContainer());
    OpenedShards opened;
    try {
      opened = OpenedShards.open(granted, places, directory);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      tellReleased(releaseOf(granted).setOutcome(LeaseOutcome.LEASE_IDLE).build());
      throw new StoreException(
          ErrorCode.UNAVAILABLE, "Cannot write: interrupted while shards were opened", e);
    }
    if (opened.areAll()) {
      ContainerLease lease =
          new ContainerLease(
              granted, places, directory, asked, opened.end(), timeouts, this::giveBack);
      unreleased.add(lease);
      this.granted.increment();
      LOG.info("Writing to {} from {} on", lease, opened.end());
      return lease;
    }
    health.troubled(opened.suspects());
    tellReleased(
        releaseOf(granted)
            .setOutcome(opened.isFull() ? LeaseOutcome.LEASE_FULL : LeaseOutcome.LEASE_DAMAGED)
            .setEndOffset(opened.end())
            .addAllSuspectNodes(opened.suspects())
            .build());
    throw new StoreException(
        ErrorCode.SHARD_FAILED,
        "Cannot open container " + ShardPlaces.name(places.container()) + opened.failures());
  }

  private static ReleaseLeaseRequest.Builder releaseOf(Lease granted) {
    return ReleaseLeaseRequest.newBuilder()
        .setLease(
            LeaseRef.newBuilder()
                .setContainer(granted.getContainer().getId())
                .setEpoch(granted.getContainer().getLeaseEpoch())
                .setHolder(granted.getHolder()));
  }

  /** An object that is being written has, or will have, one more extent under this lease. */
  void keep(ContainerLease lease) {
    synchronized (extents) {
      extents.merge(lease, 1, Integer::sum);
    }
  }

  /** It has none, is finished, or is given up. */
  void letGo(ContainerLease lease) {
    synchronized (extents) {
      extents.computeIfPresent(lease, (key, count) -> count == 1 ? null : count - 1);
    }
  }

  /** The lease takes no more runs and has none left. */
  private void giveBack(ContainerLease lease) {
    open.remove(lease);
    if (lease.failure() != null) {
      LOG.info("Writing to {} no more: {}", lease, lease.failure().toString());
    }
    health.troubled(lease.suspects());
    if (!Executors.tryExecute(background, () -> release(lease))) {
      unreleased.remove(lease); // it lapses
    }
  }

  private void release(ContainerLease lease) {
    if (!unreleased.remove(lease)) {
      return;
    }
    ReleaseLeaseRequest request = lease.release();
    if (request != null) {
      tellReleased(request);
    }
  }

  private void tellReleased(ReleaseLeaseRequest request) {
    try {
      containers.releaseLease(request);
    } catch (StoreException e) {
      LOG.info(
          "Container {} is not released but its lease lapses: {}",
          ShardPlaces.name(request.getLease().getContainer()),
          e.toString());
    }
  }

  /**
   * Renews what is due and lets go of what is old or unused. Called at short intervals, by one
   * thread.
   */
  void maintain() {
    long now = clock.monotonicNanos();
    List<ContainerLease> due = new ArrayList<>();
    for (ContainerLease lease : unreleased) {
      if (!lease.isRetired()
          && (lease.isUnusedSince(IDLE, now) || lease.isOld(clock.wallMicros()))) {
        open.remove(lease);
        lease.retire();
      } else if (lease.wantsRenewal(now)) {
        due.add(lease);
      }
    }
    if (!due.isEmpty()) {
      renew(due);
    }
    keep(now);
  }

  private void keep(long now) {
    Map<String, ContainerLease> due = new HashMap<>();
    synchronized (extents) {
      for (ContainerLease lease : extents.keySet()) {
        if (due.size() < MOST_KEPT_AT_ONCE && lease.wantsKeeping(now, clock.wallMicros())) {
          due.put(lease.container() + "/" + lease.epoch(), lease);
        }
      }
    }
    if (due.isEmpty()) {
      return;
    }
    RenewLeasesRequest.Builder request = RenewLeasesRequest.newBuilder();
    for (ContainerLease lease : due.values()) {
      request.addKept(lease.grantToKeep(now));
    }
    try {
      for (Lease kept : containers.renewLeases(request.build()).getKeptList()) {
        ContainerInfo of = kept.getContainer();
        ContainerLease lease = due.remove(of.getId() + "/" + of.getLeaseEpoch());
        if (lease != null) {
          lease.kept(kept, now);
        }
      }
      for (ContainerLease lease : due.values()) {
        LOG.warn("What was written to {} was judged garbage: its objects cannot be stored", lease);
        lease.cannotBeKept();
      }
    } catch (StoreException e) {
      LOG.info("What was written to {} is not kept now: {}", due.values(), e.toString());
    }
  }

  private void renew(List<ContainerLease> due) {
    RenewLeasesRequest.Builder request = RenewLeasesRequest.newBuilder();
    for (ContainerLease lease : due) {
      request.addLeases(lease.ref());
    }
    long asked = clock.monotonicNanos();
    Set<ContainerLease> lost = new HashSet<>(due);
    try {
      for (Lease renewed : containers.renewLeases(request.build()).getLeasesList()) {
        for (ContainerLease lease : due) {
          if (lease.container() == renewed.getContainer().getId()
              && lease.epoch() == renewed.getContainer().getLeaseEpoch()) {
            lease.extend(renewed, asked);
            lost.remove(lease);
          }
        }
      }
    } catch (StoreException e) {
      LOG.info("Leases of {} are not renewed now: {}", policy, e.toString());
      return; // asked again at the next call; begin() stops by itself when they lapse
    }
    for (ContainerLease lease : lost) {
      LOG.info("The lease on {} is lost", lease);
      open.remove(lease);
      lease.lose();
    }
  }

  /**
   * The pool is about to be closed: from now on nobody waits for a lease for longer than this, and
   * what is left of a call that was made before, which may try again by itself for a minute and a
   * half. After that nobody asks at all.
   */
  void hurry(Duration patience) {
    lastNanos = clock.monotonicNanos() + patience.toNanos();
  }

  /**
   * Has every lease given back in the background, which its owner waits for and not for long; those
   * with runs in flight, and those that SCM does not take in that time, lapse.
   */
  void close() {
    asking.lock();
    try {
      closed = true;
    } finally {
      asking.unlock();
    }
    for (ContainerLease lease : open) {
      lease.retire();
    }
  }
}
