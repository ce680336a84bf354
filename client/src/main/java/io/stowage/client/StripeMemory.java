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

import static java.util.concurrent.TimeUnit.MILLISECONDS;

import io.netty.buffer.ByteBuf;
import io.netty.buffer.ByteBufAllocator;
import io.netty.buffer.PooledByteBufAllocator;
import io.netty.buffer.UnpooledUnsafeDirectByteBuf;
import io.stowage.common.error.ErrorCode;
import io.stowage.common.error.StoreException;
import java.util.concurrent.Semaphore;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicLong;

/**
 * What one data path takes of a budget of direct memory for stripes, which it may share with others
 * ({@link StripeBudget}). Who begins a stripe reserves all its cells at once and blocks until they
 * are to be had: since whoever holds a part of the budget holds a whole stripe, everybody who holds
 * some can finish, as long as a thread is at work on it. A cell's bytes go back when the last
 * reference to its buffer is released, which may be a datanode's or a socket's, long after the
 * stripe was given up. Thread-safe.
 *
 * <p>A stream between two calls of its user is <b>dormant</b>, and what it holds comes back when
 * the user goes on with it: perhaps the very thread that waits here, for memory of another of its
 * streams, or one that waits for that. So a stream is refused what only dormant ones could give
 * ({@link #reserveOfThoseAtWork}), after a moment in which one might have woken, and takes a short
 * stripe beyond the budget. Whoever waited in vain spares others that for a while, so that waiting
 * is a small part of the time however many streams there are.
 *
 * <p>Writing failed stripes again takes memory beyond the budget, too ({@link #overdraw}), as
 * waiting for it while holding the failed ones could wait for ever. That is at most what the failed
 * stripes hold. The bound of all is twice the budget, and a stripe of {@link CellLengths#shortest}
 * cells for each open stream (rs-3-2: 80 KiB; rs-10-4: 224 KiB).
 *
 * <p>A data path that ends gives back what is still out, of streams that nobody closed: those that
 * share the budget would miss it for ever.
 */
final class StripeMemory {
  /** Semaphores count with ints: in sectors they reach 8 TiB. */
  private static final class Budget extends Semaphore {
    private static final long serialVersionUID = 1L;

    Budget(int sectors) {
      super(sectors, true);
    }

    void takeBeyond(int sectors) {
      reducePermits(sectors);
    }
  }

  /** Of the chunks of a pool of cells: 16 MiB, with Netty's pages of 8 KiB. */
  private static final int CHUNK_ORDER = 11;

  /** How often a waiter looks whether he waits for dormant streams alone. */
  private static final long LOOK_MILLIS = 100;

  /** Looks in a row that find nobody at work before a waiter gives up. */
  private static final int MOST_LOOKS = 5;

  /** A wait in vain is a twentieth of this. */
  private static final long SPARED_NANOS = TimeUnit.SECONDS.toNanos(10);

  /** Of {@link #heldSectors}: whatever comes back was given back before. */
  private static final long ENDED = Long.MIN_VALUE;

  /** A budget, and how it is used by all who share it. */
  static final class Pool {
    private final long limitBytes;
    private final Budget budget;
    private final AtomicLong dormantBytes = new AtomicLong();
    private final AtomicLong sparedUntilNanos = new AtomicLong(System.nanoTime());
    private final AtomicInteger openStreams = new AtomicInteger();
    private final ByteBufAllocator allocator;

    Pool(long limitBytes, ByteBufAllocator allocator) {
      this.limitBytes = limitBytes;
      this.budget = new Budget((int) Math.min(Integer.MAX_VALUE, limitBytes / Sectors.BYTES));
      this.allocator = allocator;
    }
  }

  private final Pool pool;
  private final AtomicLong heldSectors = new AtomicLong();
  private long dormantBytes; // of this path; guarded by this
  private int openStreams; // of this path; guarded by this
  private boolean ended; // guarded by this

  StripeMemory(Pool pool) {
    this.pool = pool;
  }

  /**
   * A pool of cells that begin at whole sectors in memory, too: a datanode in this process writes
   * them to its disks without copying them.
   *
   * <p>It has longer chunks than Netty's other pools, and fewer arenas for that, so that it keeps
   * no more memory beyond the cells. A chunk that gets empty is given back and soon made anew, all
   * its pages with it, and one of four long cells gets empty all the time.
   */
  static PooledByteBufAllocator aligned() {
    int order = Math.max(CHUNK_ORDER, PooledByteBufAllocator.defaultMaxOrder());
    int longer = order - PooledByteBufAllocator.defaultMaxOrder();
    return new PooledByteBufAllocator(
        true,
        0,
        Math.max(1, PooledByteBufAllocator.defaultNumDirectArena() >> longer),
        PooledByteBufAllocator.defaultPageSize(),
        order,
        PooledByteBufAllocator.defaultSmallCacheSize(),
        PooledByteBufAllocator.defaultNormalCacheSize(),
        PooledByteBufAllocator.defaultUseCacheForAllThreads(),
        PooledByteBufAllocator.isDirectMemoryCacheAlignmentSupported() ? Sectors.BYTES : 0);
  }

  long limitBytes() {
    return pool.limitBytes;
  }

  /** Of the whole budget. */
  long freeBytes() {
    return (long) pool.budget.availablePermits() * Sectors.BYTES;
  }

  /** Streams that are open by now, of all who share the budget. */
  int openStreams() {
    return pool.openStreams.get();
  }

  synchronized void streamOpened() {
    if (!ended) {
      openStreams++;
      pool.openStreams.incrementAndGet();
    }
  }

  synchronized void streamClosed() {
    if (!ended) {
      openStreams--;
      pool.openStreams.decrementAndGet();
    }
  }

  /** Gives back what is still out; what comes later is nobody's. */
  void end() {
    synchronized (this) {
      ended = true;
      pool.dormantBytes.addAndGet(-dormantBytes);
      pool.openStreams.addAndGet(-openStreams);
      dormantBytes = 0;
      openStreams = 0;
    }
    long held = heldSectors.getAndSet(ENDED);
    if (held > 0) {
      pool.budget.release((int) held);
    }
  }

  /** Counts sectors that were taken of the budget; who comes after the end keeps none. */
  private void hold(int sectors) {
    if (!addHeld(sectors)) {
      pool.budget.release(sectors);
    }
  }

  /** False if this has ended. */
  private boolean addHeld(long sectors) {
    long held;
    do {
      held = heldSectors.get();
      if (held == ENDED) {
        return false;
      }
    } while (!heldSectors.compareAndSet(held, held + sectors));
    return true;
  }

  /**
   * Reserves memory for cells of whole sectors. Blocks, but not for more than there ever is: one
   * needle may be so large (a record of 10,000 parts), and is stored beyond the budget.
   */
  void reserve(long bytes) throws StoreException {
    if (bytes > pool.limitBytes) {
      overdraw(bytes);
      return;
    }
    try {
      pool.budget.acquire(sectors(bytes));
      hold(sectors(bytes));
    } catch (InterruptedException e) {
      throw interrupted(bytes, e);
    }
  }

  private static StoreException interrupted(long bytes, InterruptedException e) {
    Thread.currentThread().interrupt();
    return new StoreException(
        ErrorCode.UNAVAILABLE,
        "Cannot write: interrupted while waiting for " + bytes + " bytes of stripe memory",
        e);
  }

  /** A stream that holds so many bytes begins to be dormant; or ends, if the number is negative. */
  synchronized void addDormant(long bytes) {
    if (!ended) {
      dormantBytes += bytes;
      pool.dormantBytes.addAndGet(bytes);
    }
  }

  /**
   * Reserves memory for cells of whole sectors. Blocks while those who are at work hold it. Not for
   * who holds any.
   *
   * @return false if only dormant streams could give it
   */
  boolean reserveOfThoseAtWork(long bytes) throws StoreException {
    try {
      int looks = 0;
      while (!pool.budget.tryAcquire(sectors(bytes), looks == 0 ? 0 : LOOK_MILLIS, MILLISECONDS)) {
        if (pool.limitBytes - pool.dormantBytes.get() >= bytes) {
          looks = 1;
        } else if (pool.sparedUntilNanos.get() - System.nanoTime() > 0) {
          return false;
        } else if (looks++ > MOST_LOOKS) {
          pool.sparedUntilNanos.set(System.nanoTime() + SPARED_NANOS);
          return false;
        }
      }
      hold(sectors(bytes));
      return true;
    } catch (InterruptedException e) {
      throw interrupted(bytes, e);
    }
  }

  /** Reserves memory if it is there now. */
  boolean tryReserve(long bytes) {
    if (!pool.budget.tryAcquire(sectors(bytes))) {
      return false;
    }
    hold(sectors(bytes));
    return true;
  }

  /**
   * Takes memory, whether it is there or not: for stripes that are written again, and for a short
   * one of a stream that could not wait.
   */
  void overdraw(long bytes) {
    pool.budget.takeBeyond(sectors(bytes));
    hold(sectors(bytes));
  }

  /** Gives back what was reserved and not made into cells. */
  void release(long bytes) {
    int sectors = sectors(bytes);
    if (addHeld(-sectors)) {
      pool.budget.release(sectors);
    }
  }

  /** A cell out of reserved memory, its content undefined; releasing it gives the memory back. */
  ByteBuf cell(int bytes) {
    ByteBuf pooled = pool.allocator.directBuffer(bytes, bytes);
    return new Cell(pool.allocator, pooled, bytes);
  }

  private static int sectors(long bytes) {
    if (!Sectors.areWhole(bytes)) {
      throw new IllegalArgumentException(bytes + " bytes are not whole sectors");
    }
    return Math.toIntExact(bytes / Sectors.BYTES);
  }

  private final class Cell extends UnpooledUnsafeDirectByteBuf {
    private final ByteBuf pooled;
    private final int bytes;

    Cell(ByteBufAllocator allocator, ByteBuf pooled, int bytes) {
      super(allocator, pooled.nioBuffer(0, bytes), bytes);
      this.pooled = pooled;
      this.bytes = bytes;
    }

    @Override
    protected void deallocate() {
      super.deallocate();
      pooled.release();
      StripeMemory.this.release(bytes);
    }
  }
}
