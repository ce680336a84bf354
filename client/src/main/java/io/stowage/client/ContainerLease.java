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

import io.netty.buffer.ByteBuf;
import io.stowage.common.data.DatanodeDirectory;
import io.stowage.common.data.ShardService;
import io.stowage.common.erasure.ErasurePolicy;
import io.stowage.common.error.ErrorCode;
import io.stowage.common.error.StoreException;
import io.stowage.common.proto.Lease;
import io.stowage.common.proto.LeaseGrant;
import io.stowage.common.proto.LeaseOutcome;
import io.stowage.common.proto.LeaseRef;
import io.stowage.common.proto.ReleaseLeaseRequest;
import io.stowage.common.proto.WriteShardRequest;
import java.time.Duration;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.CompletionException;
import java.util.function.Consumer;
import org.apache.hadoop.thirdparty.protobuf.ByteString;

/**
 * This process's exclusive right to append to one container, all of whose shards it has opened
 * under the lease's epoch. Hands out runs of addresses, each once and in rising order, so that no
 * sector is ever asked for twice, and carries stripes to the shards. Thread-safe, guarded by
 * itself.
 *
 * <p>Runs are its users: a lease that takes no more of them (full, damaged, lost, too old, closing)
 * is given back when the last one is closed. Objects that are still being written may have bytes
 * under it then: {@link LeasePool} has its grant kept for them. The interleavings that this has to
 * bear:
 *
 * <ul>
 *   <li><b>The lease is lost while a stripe is in flight</b> (it lapsed, and SCM granted the
 *       container on). The next holder's open fences our epoch on every shard before it asks for
 *       the end, so a shard has our cell below that end or refuses it for ever. A stripe that
 *       gathers all its acknowledgements is thus below the new start everywhere: it counts. One
 *       that does not has failed with FENCED and is written again elsewhere.
 *   <li><b>Renewed late.</b> Once it lapsed by our clock, no run begins: it is given back after the
 *       last one, which SCM refuses if it has granted the container on. A renewal that is answered
 *       in between changes nothing for the stripes in flight: what decides is whether the shards
 *       were fenced.
 *   <li><b>A stripe is given up and lands later.</b> Its addresses are never handed out again,
 *       neither by this lease, which takes no more runs, nor by the next, whose start lies at or
 *       above everything that landed before its fence. The bytes are whole stripes or pieces of one
 *       that no manifest names: garbage. The buffers stay alive and in the budget until the late
 *       I/O ends.
 *   <li><b>Release against writes in flight.</b> The release waits for the runs, hence for the
 *       stripes that are neither acknowledged nor failed. Given-up ones it does not wait for; the
 *       fence deals with them.
 *   <li><b>A stripe is acknowledged while a neighbour fails.</b> The lease is damaged, not the
 *       stripe: acknowledged cells are durable on all their shards, and a hole left by the
 *       neighbour is an address that nobody names.
 * </ul>
 */
final class ContainerLease {
  /**
   * Share of a lease's time left unused at its end, for answers on their way and drifting clocks.
   */
  private static final int MARGIN_DIVISOR = 8;

  /** Share of the commit window after which the grant of a lease that ended is kept again. */
  private static final int KEEP_DIVISOR = 8;

  /** The same after a call that failed. */
  private static final int KEEP_AGAIN_DIVISOR = 32;

  private final ShardPlaces places;
  private final ShardService[] services;
  private final LeaseRef ref;
  private final StripeTimeouts timeouts;
  private final Consumer<ContainerLease> onIdle;
  private final long capacity;
  private final long durationNanos;

  // Guarded by this.
  private Lease granted;
  private long usableUntilNanos;
  private long renewAtNanos;
  private long keepAtNanos;
  private boolean judged;
  private long next;
  private long lastUsedNanos;
  private int runs;
  private long bytesInFlight;
  private boolean retired;
  private boolean handedBack;
  private boolean lost;
  private boolean damaged;
  private boolean full;
  private StoreException failure; // the first
  private final Set<String> suspects = new TreeSet<>();
  private int nextFirstShard;

  /**
   * @param askedNanos monotonic time before the lease was asked for
   * @param start highest end that any shard told when it was opened
   * @param onIdle called once, without locks, when the lease takes no more runs and the last is
   *     closed
   */
  ContainerLease(
      Lease granted,
      ShardPlaces places,
      DatanodeDirectory directory,
      long askedNanos,
      long start,
      StripeTimeouts timeouts,
      Consumer<ContainerLease> onIdle) {
    this.places = places;
    this.services = new ShardService[places.policy().shards()];
    for (int i = 0; i < services.length; i++) {
      services[i] = places.service(directory, i);
    }
    this.ref =
        LeaseRef.newBuilder()
            .setContainer(places.container())
            .setEpoch(granted.getContainer().getLeaseEpoch())
            .setHolder(granted.getHolder())
            .build();
    this.timeouts = timeouts;
    this.onIdle = onIdle;
    this.capacity = granted.getContainer().getCapacityBytes();
    this.durationNanos = (granted.getExpiryMicros() - granted.getGrantedMicros()) * 1_000;
    this.next = start;
    this.lastUsedNanos = askedNanos;
    this.keepAtNanos = askedNanos;
    extend(granted, askedNanos);
  }

  ErasurePolicy policy() {
    return places.policy();
  }

  long container() {
    return ref.getContainer();
  }

  long epoch() {
    return ref.getEpoch();
  }

  /** Bytes of one shard's address space. */
  long capacity() {
    return capacity;
  }

  LeaseRef ref() {
    return ref;
  }

  private synchronized ByteString token() {
    return granted.getToken();
  }

  /** As SCM granted or last renewed it, for the commit. */
  synchronized LeaseGrant grant() {
    return LeaseGrant.newBuilder()
        .setContainer(container())
        .setEpoch(epoch())
        .setGrantedMicros(granted.getGrantedMicros())
        .setToken(granted.getToken())
        .build();
  }

  /**
   * A renewal that SCM answered: the time of the first grant again, counted from before it was
   * asked.
   */
  synchronized void extend(Lease renewed, long askedNanos) {
    granted = renewed;
    usableUntilNanos = askedNanos + durationNanos - durationNanos / MARGIN_DIVISOR;
    renewAtNanos = askedNanos + durationNanos / 3;
  }

  synchronized boolean wantsRenewal(long nowNanos) {
    return !lost && !handedBack && nowNanos - renewAtNanos >= 0;
  }

  /** Whether its grant is to be kept young by asking for that: it will not be renewed for long. */
  synchronized boolean wantsKeeping(long nowNanos, long nowMicros) {
    return retired
        && !judged
        && nowNanos - keepAtNanos >= 0
        && ageMicros(nowMicros) <= granted.getCommitWindowMicros(); // else its token has expired
  }

  /** It is too late. */
  synchronized void cannotBeKept() {
    judged = true;
  }

  /** SCM is asked to keep this one now; soon again, unless it says that it did. */
  synchronized LeaseGrant grantToKeep(long nowNanos) {
    keepAtNanos = nowNanos + granted.getCommitWindowMicros() * 1_000 / KEEP_AGAIN_DIVISOR;
    return grant();
  }

  /** SCM, asked at that time, counts its grant anew. */
  synchronized void kept(Lease kept, long askedNanos) {
    Lease.Builder from =
        granted.toBuilder()
            .setGrantedMicros(kept.getGrantedMicros())
            .setCommitWindowMicros(kept.getCommitWindowMicros());
    if (lost || handedBack) {
      from.setToken(kept.getToken()); // until then its own is renewed, with which runs are written
    }
    granted = from.build();
    keepAtNanos = askedNanos + granted.getCommitWindowMicros() * 1_000 / KEEP_DIVISOR;
  }

  /** SCM no longer has the lease. */
  void lose() {
    synchronized (this) {
      lost = true;
      retired = true;
    }
    handBackIfIdle();
  }

  /** No more runs, for a reason that is nobody's fault. */
  void retire() {
    synchronized (this) {
      retired = true;
    }
    handBackIfIdle();
  }

  synchronized boolean isRetired() {
    return retired;
  }

  synchronized long bytesInFlight() {
    return bytesInFlight;
  }

  /** Whether nobody has used it for this long. */
  synchronized boolean isUnusedSince(Duration idle, long nowNanos) {
    return runs == 0 && nowNanos - lastUsedNanos > idle.toNanos();
  }

  /** Whether its grant is so old that a commit could come too late. */
  synchronized boolean isOld(long nowMicros) {
    return ageMicros(nowMicros) > granted.getCommitWindowMicros() / 2;
  }

  private long ageMicros(long nowMicros) {
    return nowMicros - granted.getGrantedMicros();
  }

  /**
   * Takes the next addresses for up to so many stripes of a cell length; fewer at the container's
   * end.
   *
   * @return null if this lease takes no more runs, now or at all
   */
  Run begin(int cellBytes, int stripes, long nowNanos) {
    synchronized (this) {
      if (retired || nowNanos - usableUntilNanos >= 0) {
        return null;
      }
      int fit = (int) Math.min(stripes, (capacity - next) / cellBytes);
      if (fit > 0) {
        Run run = new Run(next, cellBytes, fit, nextFirstShard);
        nextFirstShard = (nextFirstShard + 1) % policy().k();
        next += (long) fit * cellBytes;
        runs++;
        lastUsedNanos = nowNanos;
        return run;
      }
      full = true;
      retired = true;
    }
    handBackIfIdle();
    return null;
  }

  /** Whether the lease could be given back now and was not yet; true to one caller. */
  private void handBackIfIdle() {
    synchronized (this) {
      if (!retired || runs > 0 || handedBack) {
        return;
      }
      handedBack = true;
    }
    onIdle.accept(this);
  }

  /** What SCM is to be told; null for a lease that it no longer has. */
  synchronized ReleaseLeaseRequest release() {
    if (lost) {
      return null;
    }
    return ReleaseLeaseRequest.newBuilder()
        .setLease(ref)
        .setOutcome(
            damaged
                ? LeaseOutcome.LEASE_DAMAGED
                : full ? LeaseOutcome.LEASE_FULL : LeaseOutcome.LEASE_IDLE)
        .setEndOffset(next)
        .addAllSuspectNodes(suspects)
        .build();
  }

  /** What a shard said first, or did not say in time, that ended this lease; null if nothing. */
  synchronized StoreException failure() {
    return failure;
  }

  synchronized Set<String> suspects() {
    return Set.copyOf(suspects);
  }

  /** A shard refused or did not answer; gives the exception that ends the stripe. */
  StoreException shardFailed(int shard, Throwable error) {
    Throwable cause =
        error instanceof CompletionException && error.getCause() != null ? error.getCause() : error;
    StoreException failure =
        cause instanceof StoreException known
            ? known
            : new StoreException(
                ErrorCode.UNAVAILABLE, "Cannot write to " + places.describe(shard), cause);
    synchronized (this) {
      retired = true;
      if (this.failure == null) {
        this.failure = failure;
      }
      switch (failure.code()) {
        // Denied: the lease's token, not the node, is what is wrong.
        case FENCED, LEASE_LOST, SHARD_SEALED, ACCESS_DENIED -> lost = true;
        case OVERLOADED, SECTOR_WRITTEN, EPOCH_LIST_FULL -> damaged = true;
        default -> {
          damaged = true;
          suspects.add(places.nodeId(shard));
        }
      }
    }
    return failure;
  }

  void stripeEnded(StripeWrite stripe) {
    timeouts.ended(stripe);
    synchronized (this) {
      bytesInFlight -= stripe.bytes();
    }
  }

  @Override
  public String toString() {
    return "container "
        + ShardPlaces.name(container())
        + " ("
        + policy()
        + ", epoch "
        + epoch()
        + ")";
  }

  /**
   * Consecutive addresses for stripes of one cell length, of one writer. Confined to it, but for
   * {@link #close}, which any thread may call, once.
   */
  final class Run {
    private final long offset;
    private final int cellBytes;
    private final int firstShard;
    private int stripes;
    private int written;

    private Run(long offset, int cellBytes, int stripes, int firstShard) {
      this.offset = offset;
      this.cellBytes = cellBytes;
      this.stripes = stripes;
      this.firstShard = firstShard;
    }

    ContainerLease lease() {
      return ContainerLease.this;
    }

    long offset() {
      return offset;
    }

    int cellBytes() {
      return cellBytes;
    }

    /**
     * Data shard of every stripe's first cell: it rotates, so that narrow stripes use all disks.
     */
    int firstShard() {
      return firstShard;
    }

    int stripesLeft() {
      return stripes - written;
    }

    int stripesWritten() {
      return written;
    }

    /** Grows the run by more stripes if nobody came behind it. */
    boolean grow(int more, long nowNanos) {
      synchronized (ContainerLease.this) {
        int fit = (int) Math.min(more, (capacity - next) / cellBytes);
        if (retired
            || nowNanos - usableUntilNanos >= 0
            || fit == 0
            || next != offset + (long) stripes * cellBytes) {
          return false;
        }
        stripes += fit;
        next += (long) fit * cellBytes;
        return true;
      }
    }

    /**
     * Sends the run's next stripe. Takes over one reference of every cell.
     *
     * @param cells by shard index, k+m; null for an unused data shard
     * @param height bytes of every cell, whole sectors, at most the cell length
     */
    StripeWrite write(ByteBuf[] cells, int height) {
      int used = 0;
      int asked = 0;
      for (int shard = 0; shard < cells.length; shard++) {
        if (cells[shard] != null) {
          if (cells[shard].readableBytes() != height) {
            throw new IllegalArgumentException("cells of a stripe have one height");
          }
          asked |= 1 << shard;
          used |= shard < policy().k() ? 1 << shard : 0;
        }
      }
      StripeWrite stripe =
          new StripeWrite(ContainerLease.this, asked, Integer.bitCount(asked) * height);
      synchronized (ContainerLease.this) {
        bytesInFlight += stripe.bytes();
      }
      timeouts.started(stripe);
      long address = offset + (long) written * cellBytes;
      written++;
      for (int shard = 0; shard < cells.length; shard++) {
        if (cells[shard] != null) {
          send(stripe, shard, address, used, cells[shard]);
        }
      }
      return stripe;
    }

    private void send(StripeWrite stripe, int shard, long address, int used, ByteBuf cell) {
      WriteShardRequest.Builder request =
          WriteShardRequest.newBuilder()
              .setShard(places.key(shard))
              .setEpoch(epoch())
              .setOffset(address)
              .setToken(token())
              .setUsedShards(used);
      for (int crc : Sectors.crcs(cell)) {
        request.addCrcs(crc);
      }
      Executors.whenDone(
          services[shard].write(request.build(), cell),
          (reply, error) -> stripe.answered(shard, error));
    }

    /** Gives back addresses that no stripe was sent to, if nobody came behind them. */
    void trim() {
      synchronized (ContainerLease.this) {
        if (next == offset + (long) stripes * cellBytes) {
          next = offset + (long) written * cellBytes;
        }
        stripes = written;
      }
    }

    /** All its stripes have ended. */
    void close() {
      trim();
      synchronized (ContainerLease.this) {
        runs--;
      }
      handBackIfIdle();
    }
  }
}
