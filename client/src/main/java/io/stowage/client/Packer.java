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
import io.stowage.common.erasure.ErasureCoder;
import io.stowage.common.erasure.ErasureCoders;
import io.stowage.common.erasure.ErasurePolicy;
import io.stowage.common.error.ErrorCode;
import io.stowage.common.error.StoreException;
import io.stowage.common.needle.NeedleCodec;
import io.stowage.common.proto.Extent;
import io.stowage.common.proto.LeaseGrant;
import io.stowage.common.time.StoreClock;
import java.nio.ByteBuffer;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.Iterator;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;
import org.apache.hadoop.thirdparty.protobuf.ByteString;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Packs small objects of one policy into stripes: group commit without a timer. While a stripe is
 * in flight, arrivals gather in a queue; when it ends, what gathered becomes the next. An arrival
 * that finds nothing in flight packs at once. Further stripes, up to {@link #STRIPES_IN_FLIGHT},
 * only go out beside it when enough for a good one has gathered ({@link #GOOD_CELL_BYTES}): cells
 * end at sectors, so that twelve objects of 4 KiB cost 2.2 times their bytes where thirty cost 1.8,
 * and what the disks gain by overlapping poor stripes they lose by writing more. Where it has been
 * seen to pay, the last stripe counts as in flight until its objects are committed ({@link
 * CommitRounds}): the place is then free while somebody waits, and is taken by the commit that ends
 * the round, by an arrival that makes a good stripe, or by {@link #check}.
 *
 * <p>There is no packing thread. A writer that queued its needle either finds a place and packs
 * what is queued on its own thread, or waits; when a stripe ends, its place is passed to the writer
 * at the head of the queue, which wakes up as the next packer. A put thus costs no hand-over but
 * the waking of its own thread, and the I/O threads that bring acknowledgements never encode.
 *
 * <p>Thread-safe; the queue and the count are guarded by this. The queue is bounded by the callers:
 * each waits with one needle.
 *
 * <p>Records, which nobody waits for, fill up the stripes of others. What has waited for {@link
 * #RECORD_NANOS} goes before everything else, and gets a stripe of its own where there are no
 * others, so that a record is on disk within seconds: docs/format/needle.md promises that. Who adds
 * one when there are many packs them himself; only where nothing can be written at all are the
 * oldest of {@link #MOST_RECORDS} dropped.
 *
 * <p>A needle whose stripe failed goes back to the head of the queue and into another stripe, on
 * another lease, since the failure retired that one; the first try may land as well, which makes a
 * twin that no manifest names. After {@link #MOST_ATTEMPTS} its writer is told.
 */
final class Packer {
  private static final Logger LOG = LoggerFactory.getLogger(Packer.class);

  /** One being encoded, one on the way, and as many being forced by disks that overlap them. */
  static final int STRIPES_IN_FLIGHT = 4;

  /**
   * Of k cells of so many bytes the last sectors' padding is 3 %, and another stripe need not wait
   * for one in flight.
   */
  private static final int GOOD_CELL_BYTES = 64 << 10;

  /**
   * Every attempt is on another lease, and SCM avoids nodes that were complained of: whoever fails
   * this often in a row has met no passing fault. Six was too few where a node of eight was always
   * being restarted.
   */
  static final int MOST_ATTEMPTS = 16;

  /** Needles looked at for one stripe; with 4 KiB objects a megabyte of data cells. */
  private static final int MOST_NEEDLES = 512;

  /** Facts for a rebuild; a few megabytes. */
  private static final int MOST_RECORDS = 10_000;

  /** From so many on, adding one means packing some. */
  private static final int MANY_RECORDS = 1_000;

  /** Long enough for an idle store's records to share a stripe. */
  static final long RECORD_NANOS = TimeUnit.SECONDS.toNanos(1);

  private final LeasePool leases;
  private final StripeMemory memory;
  private final ErasureCoder coder;
  private final int maxCellBytes;
  private final StoreClock clock;

  // Guarded by this.
  private final Deque<PackedNeedle> queue = new ArrayDeque<>();
  private final Deque<PackedNeedle> records = new ArrayDeque<>();
  private final CommitRounds rounds = new CommitRounds();
  private long queuedBytes;
  private int inFlight;
  private long droppedRecords;
  private boolean flushing;

  Packer(LeasePool leases, StripeMemory memory, int maxCellBytes, StoreClock clock) {
    this.leases = leases;
    this.memory = memory;
    this.coder = ErasureCoders.of(leases.policy());
    this.maxCellBytes = maxCellBytes;
    this.clock = clock;
  }

  /** Stores a needle of the calling thread; returns when it is durable. */
  ObjectWriter.Written put(PackedNeedle needle) throws StoreException {
    boolean lead;
    synchronized (this) {
      queue.addLast(needle);
      queuedBytes += needle.bytes();
      rounds.arrived();
      lead = mayBegin();
      if (lead) {
        inFlight++;
      }
    }
    boolean interrupted = false;
    while (lead || needle.await() == PackedNeedle.State.LEAD) {
      // Others' needles are in the stripe: an interrupt of this writer must not fail them.
      interrupted |= Thread.interrupted();
      interrupted |= packNext();
      lead = false;
    }
    if (interrupted) {
      Thread.currentThread().interrupt();
    }
    return needle.result();
  }

  /**
   * Stores needles of the calling thread together, as if each had a writer of its own; returns when
   * each is durable or has failed, which its result tells.
   */
  void putAll(List<PackedNeedle> needles) {
    boolean lead;
    synchronized (this) {
      for (PackedNeedle needle : needles) {
        queue.addLast(needle);
        queuedBytes += needle.bytes();
      }
      lead = mayBegin();
      if (lead) {
        inFlight++;
      }
    }
    boolean interrupted = false;
    while (true) {
      if (lead) {
        interrupted |= Thread.interrupted();
        interrupted |= packNext();
      }
      boolean ended = needles.stream().allMatch(PackedNeedle::hasEnded);
      lead = false;
      for (PackedNeedle needle : needles) {
        if (needle.takeLead()) {
          lead = true;
          break;
        }
      }
      if (!lead) {
        if (ended) {
          break;
        }
        LockSupport.park(this);
        interrupted |= Thread.interrupted();
      }
    }
    if (interrupted) {
      Thread.currentThread().interrupt();
    }
  }

  /** Whether what has gathered may go out now; guarded by this. */
  private boolean mayBegin() {
    return (inFlight == 0 && !awaitsPeers()) || (inFlight < STRIPES_IN_FLIGHT && hasGood());
  }

  /** Whether the last stripe's commits are waited for, while which others come; guarded by this. */
  private boolean awaitsPeers() {
    return !flushing && rounds.isWorthAwaiting(queue.size(), clock.monotonicNanos());
  }

  /** The commit of an object that this may have stored has ended, well or not. */
  synchronized void settled(ByteString writeId) {
    if (rounds.settled(writeId, clock.monotonicNanos())) {
      beginIfMay();
    }
  }

  /** Ends a wait for commits that take too long. Never blocks; called every few milliseconds. */
  synchronized void check() {
    beginIfMay();
  }

  /** Guarded by this. */
  private void beginIfMay() {
    if (!queue.isEmpty() && mayBegin() && leadNext()) {
      inFlight++;
    }
  }

  /** Whether a good stripe has gathered; guarded by this. */
  private boolean hasGood() {
    int k = leases.policy().k();
    return queue.size() >= k && queuedBytes >= (long) k * GOOD_CELL_BYTES;
  }

  /** Adds a needle that nobody waits for; blocks only to pack where there are many. */
  void addRecord(PackedNeedle needle) {
    synchronized (this) {
      if (records.size() >= MOST_RECORDS) {
        records
            .removeFirst()
            .failed(new StoreException(ErrorCode.OVERLOADED, "Cannot keep more records"));
        if (droppedRecords++ == 0) {
          LOG.warn("Records for fsck --rebuild are dropped: {} wait, none is stored", MOST_RECORDS);
        }
      }
      needle.queuedAt(clock.monotonicNanos());
      records.addLast(needle);
      if (records.size() < MANY_RECORDS || inFlight >= STRIPES_IN_FLIGHT) {
        return;
      }
      inFlight++;
    }
    if (packNext()) {
      Thread.currentThread().interrupt();
    }
  }

  /** Sends records that no stripe came by for. May block; called now and then. */
  void flushRecords() {
    synchronized (this) {
      if (agedRecords(1) == 0 || inFlight > 0) {
        return; // the next stripe of others takes them, or the next call
      }
      inFlight++;
    }
    if (packNext()) {
      Thread.currentThread().interrupt();
    }
  }

  /** Sends all records, as far as they can be sent at once. Called once, at the end. */
  void flushAllRecords() {
    int before = Integer.MAX_VALUE;
    while (true) {
      synchronized (this) {
        flushing = true;
        beginIfMay();
        if (records.isEmpty() || records.size() >= before) {
          return;
        }
        before = records.size();
        inFlight++;
      }
      if (packNext()) {
        Thread.currentThread().interrupt();
        return;
      }
    }
  }

  /** Drops the records that still wait, and says how many. Called once, at the end. */
  synchronized int giveUpRecords() {
    int count = records.size();
    StoreException why =
        new StoreException(ErrorCode.UNAVAILABLE, "Cannot store a record: the client is closed");
    records.forEach(record -> record.failed(why));
    records.clear();
    return count;
  }

  /** How many records, at most, are to go before everything else. */
  private int agedRecords(int atMost) {
    long now = clock.monotonicNanos();
    int aged = 0;
    for (PackedNeedle record : records) {
      if (aged == atMost || now - record.queuedAt() < RECORD_NANOS) {
        break;
      }
      aged++;
    }
    return aged;
  }

  /** Called with a place in flight, which it passes on. True if it was interrupted. */
  private boolean packNext() {
    List<PackedNeedle> batch = new ArrayList<>();
    try {
      PackPlan plan = take(batch);
      if (plan == null) {
        passOn();
      } else {
        send(batch, plan);
      }
    } catch (StoreException e) {
      if (e.getCause() instanceof InterruptedException) {
        again(batch, e);
      } else {
        fail(batch, e);
      }
      passOn();
      return Thread.interrupted();
    } catch (RuntimeException | Error e) {
      fail(
          batch,
          new StoreException(ErrorCode.INTERNAL, "Cannot pack a stripe: " + e.getMessage(), e));
      passOn();
      throw e;
    }
    return false;
  }

  /**
   * Takes from the queue what goes into the next stripe; null if nothing is there, or too little
   * while another stripe is in flight, whose end will pass it on.
   */
  private synchronized PackPlan take(List<PackedNeedle> batch) {
    boolean manyRecords = records.size() >= MANY_RECORDS || flushing;
    if (inFlight > 1 && !hasGood() && !manyRecords) {
      return null;
    }
    List<PackedNeedle> candidates = new ArrayList<>(Math.min(queue.size() + 1, MOST_NEEDLES));
    int aged = agedRecords(MOST_NEEDLES / 2);
    Iterator<PackedNeedle> recordsInOrder = records.iterator();
    while (candidates.size() < aged) {
      candidates.add(recordsInOrder.next());
    }
    for (PackedNeedle needle : queue) {
      if (candidates.size() == MOST_NEEDLES) {
        break;
      }
      candidates.add(needle);
    }
    int younger = candidates.size();
    while (recordsInOrder.hasNext() && candidates.size() < MOST_NEEDLES) {
      candidates.add(recordsInOrder.next());
    }
    if (candidates.isEmpty()) {
      return null;
    }
    int[] sizes = new int[candidates.size()];
    for (int i = 0; i < sizes.length; i++) {
      sizes[i] = candidates.get(i).bytes();
    }
    ErasurePolicy policy = leases.policy();
    PackPlan plan = PackPlan.of(sizes, policy.k(), policy.m(), maxCellBytes);
    for (int i = 0; i < plan.count(); i++) {
      boolean record = i < aged || i >= younger;
      if (!record) {
        queuedBytes -= sizes[i];
      }
      batch.add(record ? records.removeFirst() : queue.removeFirst());
    }
    if (mayBegin() && leadNext()) {
      inFlight++;
    }
    return plan;
  }

  private void send(List<PackedNeedle> batch, PackPlan plan) throws StoreException {
    ErasurePolicy policy = leases.policy();
    int height = plan.cellBytes();
    ContainerLease.Run run = leases.begin(height, 1);
    ByteBuf[] cells = new ByteBuf[policy.shards()];
    Extent[] extents;
    try {
      memory.reserve((long) (plan.width() + policy.m()) * height);
      try {
        extents = fill(batch, plan, run, cells);
        Stripes.addParity(coder, cells, height, memory);
      } catch (RuntimeException | Error e) {
        memory.release((plan.width() + policy.m() - Stripes.release(cells)) * (long) height);
        throw e;
      }
    } catch (StoreException | RuntimeException | Error e) {
      run.close();
      throw e;
    }
    Executors.whenDone(
        run.write(cells, height).done(),
        (nothing, error) -> {
          if (error == null) {
            synchronized (this) {
              rounds.begin(batch, clock.monotonicNanos());
            }
            LeaseGrant grant = run.lease().grant();
            for (int i = 0; i < extents.length; i++) {
              batch.get(i).stored(extents[i], grant);
            }
          } else {
            again(batch, (StoreException) error);
          }
          run.close();
          passOn();
        });
  }

  /** Copies the needles into data cells, the rest of which becomes zeros. */
  private Extent[] fill(
      List<PackedNeedle> batch, PackPlan plan, ContainerLease.Run run, ByteBuf[] cells) {
    int k = leases.policy().k();
    int height = plan.cellBytes();
    for (int cell = 0; cell < plan.width(); cell++) {
      cells[(run.firstShard() + cell) % k] = memory.cell(height).writerIndex(0);
    }
    Extent[] extents = new Extent[batch.size()];
    for (int i = 0; i < extents.length; i++) {
      PackedNeedle needle = batch.get(i);
      int shard = (run.firstShard() + plan.cellOf(i)) % k;
      ByteBuf cell = cells[shard];
      int start = NeedleCodec.align(cell.writerIndex());
      cell.writeZero(start - cell.writerIndex());
      ByteBuffer header = cell.nioBuffer(start, needle.headerBytes());
      NeedleCodec.encode(needle.headerAt(run.lease().container(), run.offset() + start), header);
      cell.writerIndex(start + needle.headerBytes());
      for (ByteBuf bytes : needle.payload()) {
        cell.writeBytes(bytes, bytes.readerIndex(), bytes.readableBytes());
      }
      extents[i] =
          Extent.newBuilder()
              .setContainer(run.lease().container())
              .setEpoch(run.lease().epoch())
              .setOffset(run.offset() + start)
              .setCellLength(height)
              .setWidth(1)
              .setFirstShard(shard)
              .setLength(needle.bytes())
              .setHeaderLength(needle.headerBytes())
              .setPacked(true)
              .build();
    }
    for (ByteBuf cell : cells) {
      if (cell != null) {
        cell.writeZero(height - cell.writerIndex());
      }
    }
    return extents;
  }

  /** Puts the needles of a failed stripe back to the front, in their order. */
  private void again(List<PackedNeedle> batch, StoreException cause) {
    synchronized (this) {
      for (int i = batch.size() - 1; i >= 0; i--) {
        PackedNeedle needle = batch.get(i);
        if (!needle.isWaitedFor()) {
          records.addFirst(needle);
        } else if (needle.failedAgain() < MOST_ATTEMPTS) {
          queue.addFirst(needle);
          queuedBytes += needle.bytes();
        } else {
          needle.failed(cause);
        }
      }
    }
  }

  /** Tells the writers; records wait for better times. */
  private void fail(List<PackedNeedle> batch, StoreException cause) {
    synchronized (this) {
      for (int i = batch.size() - 1; i >= 0; i--) {
        PackedNeedle needle = batch.get(i);
        if (needle.isWaitedFor()) {
          needle.failed(cause);
        } else {
          records.addFirst(needle);
        }
      }
    }
  }

  /**
   * Hands a place in flight to the writer at the head of the queue, or frees it. The last place is
   * freed while somebody waits only if the last round of commits is awaited: whatever ends that
   * calls beginIfMay.
   */
  private synchronized void passOn() {
    if (((inFlight == 1 && !awaitsPeers()) || hasGood()) && leadNext()) {
      return;
    }
    inFlight--;
    notifyAll();
  }

  /** Makes the first waiting writer that is not one yet a packer; guarded by this. */
  private boolean leadNext() {
    for (PackedNeedle next : queue) {
      if (next.lead()) {
        return true;
      }
    }
    return false;
  }

  /** Waits until no stripe is in flight, or for the deadline. */
  synchronized void awaitIdle(long deadlineNanos) {
    try {
      while (inFlight > 0 && deadlineNanos - System.nanoTime() > 0) {
        TimeUnit.NANOSECONDS.timedWait(this, deadlineNanos - System.nanoTime());
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }
}
