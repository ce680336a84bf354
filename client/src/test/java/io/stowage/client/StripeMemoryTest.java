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

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotSame;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.netty.buffer.ByteBuf;
import io.netty.buffer.PooledByteBufAllocator;
import io.netty.buffer.PooledByteBufAllocatorMetric;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** One budget of several data paths, one of which may end with streams that nobody closed. */
@Timeout(60)
class StripeMemoryTest {
  private static final int CELL = 64 << 10;
  private static final int MIB = 1 << 20;

  private final StripeMemory.Pool pool =
      new StripeMemory.Pool(4 * CELL, PooledByteBufAllocator.DEFAULT);
  private final StripeMemory one = new StripeMemory(pool);
  private final StripeMemory other = new StripeMemory(pool);

  @Test
  void whatOneTakesTheOtherDoesNotHave() throws Exception {
    one.reserve(3 * CELL);
    assertFalse(other.tryReserve(2 * CELL));
    assertTrue(other.tryReserve(CELL));
    assertEquals(0, one.freeBytes());
    other.overdraw(CELL);
    assertEquals(-CELL, one.freeBytes());
    one.release(3 * CELL);
    other.release(2 * CELL);
    assertEquals(4 * CELL, other.freeBytes());
  }

  @Test
  void aStreamIsRefusedWhatOnlyAnothersDormantOnesCouldGive() throws Exception {
    one.reserve(4 * CELL);
    one.addDormant(4 * CELL);
    assertFalse(other.reserveOfThoseAtWork(CELL));
    one.addDormant(-4 * CELL);
    one.release(4 * CELL);
    assertTrue(other.reserveOfThoseAtWork(CELL));
    other.release(CELL);
  }

  /** Of one stream under rs-3-2, whose stripes are acknowledged while the next is filled. */
  @Test
  void theMemoryOfCellsIsNotMadeAnewForEachStripe() {
    PooledByteBufAllocator cells = StripeMemory.aligned();
    Random random = new Random(1);
    Deque<List<ByteBuf>> inFlight = new ArrayDeque<>();
    long made = 0;
    for (int stripe = 0; stripe < 1024 / 3; stripe++) {
      List<ByteBuf> filling = new ArrayList<>();
      for (int cell = 0; cell < 5; cell++) {
        if (cell > 0 && !inFlight.isEmpty() && random.nextInt(4) == 0) {
          inFlight.remove().forEach(ByteBuf::release);
        }
        long held = cells.metric().usedDirectMemory();
        filling.add(cells.directBuffer(MIB, MIB));
        made += cells.metric().usedDirectMemory() - held;
      }
      inFlight.add(filling);
      if (inFlight.size() > StreamedObject.STRIPES_IN_FLIGHT) {
        inFlight.remove().forEach(ByteBuf::release);
      }
    }
    inFlight.forEach(stripe -> stripe.forEach(ByteBuf::release));
    assertTrue(made <= 64 * MIB, made + " bytes for a stream of a GiB");
  }

  @Test
  void thePoolOfCellsKeepsNoMoreBesideThemThanNettysOther() {
    PooledByteBufAllocatorMetric cells = StripeMemory.aligned().metric();
    PooledByteBufAllocatorMetric others = PooledByteBufAllocator.DEFAULT.metric();
    assertTrue(
        cells.numDirectArenas() == 1
            || (long) cells.numDirectArenas() * cells.chunkSize()
                <= (long) others.numDirectArenas() * others.chunkSize());
  }

  @Test
  void cellsAreAsLongAsAllOpenStreamsAllow() {
    one.streamOpened();
    one.streamOpened();
    other.streamOpened();
    assertEquals(3, other.openStreams());
    one.end();
    assertEquals(1, other.openStreams());
    one.streamClosed();
    assertEquals(1, other.openStreams());
    other.streamClosed();
    assertEquals(0, other.openStreams());
  }

  @Test
  void whatIsOutWhenOneEndsComesBackOnce() throws Exception {
    one.reserve(3 * CELL);
    one.addDormant(3 * CELL);
    ByteBuf abandoned = one.cell(CELL);
    one.release(CELL);
    assertEquals(2 * CELL, other.freeBytes());
    one.end();
    assertEquals(4 * CELL, other.freeBytes());
    abandoned.release();
    one.release(CELL);
    one.addDormant(-3 * CELL);
    assertEquals(4 * CELL, other.freeBytes(), "given back twice");
    assertTrue(one.tryReserve(CELL), "who is still at work there is not held up");
    assertEquals(4 * CELL, other.freeBytes());
    one.end();
    assertEquals(4 * CELL, other.freeBytes());
    other.reserve(4 * CELL);
    assertFalse(one.tryReserve(CELL));
    other.release(4 * CELL);
  }

  @Test
  void aProcessHasOneBudgetOfASize() {
    assertSame(StripeBudget.ofProcess(1 << 20), StripeBudget.ofProcess(1 << 20));
    assertNotSame(StripeBudget.ofProcess(1 << 20), StripeBudget.ofProcess(2 << 20));
    assertNotSame(
        StripeBudget.of(1 << 20).streams(), StripeBudget.of(1 << 20).streams(), "a gateway's own");
  }
}
