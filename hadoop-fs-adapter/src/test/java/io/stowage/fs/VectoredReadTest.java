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
package io.stowage.fs;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import java.io.IOException;
import java.io.InterruptedIOException;
import java.nio.ByteBuffer;
import java.util.List;
import java.util.Random;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** On which threads the pieces of one vectored read are read. */
@Timeout(60)
class VectoredReadTest {
  private static final int PIECES = 40;
  private static final int PIECE_BYTES = 10;

  private final byte[] content = new byte[PIECES * PIECE_BYTES];
  private final CompletableFuture<ByteBuffer> data = new CompletableFuture<>();
  private final ExecutorService two = Executors.newFixedThreadPool(2);
  private final Thread caller = Thread.currentThread();
  private final AtomicInteger tasks = new AtomicInteger();
  private final AtomicInteger readByCaller = new AtomicInteger();

  VectoredReadTest() {
    new Random(1).nextBytes(content);
  }

  @AfterEach
  void endThreads() {
    two.shutdownNow();
  }

  private static VectoredRead.Range range(
      long offset, int length, CompletableFuture<ByteBuffer> data) {
    return new VectoredRead.Range(offset, length, ByteBuffer::allocate, data, promised -> {});
  }

  /** One range, which is read in pieces. */
  private VectoredRead whole() throws IOException {
    return new VectoredRead(List.of(range(0, content.length, data)), content.length, PIECE_BYTES);
  }

  private ByteBuf bytes(long offset, int length) {
    return Unpooled.wrappedBuffer(content, (int) offset, length);
  }

  private void assertWhole() throws Exception {
    ByteBuffer whole = data.get(30, TimeUnit.SECONDS);
    byte[] got = new byte[whole.remaining()];
    whole.get(got);
    assertArrayEquals(content, got);
  }

  private boolean isCaller() {
    return Thread.currentThread().equals(caller);
  }

  private static void await(CountDownLatch latch) throws IOException {
    try {
      if (!latch.await(30, TimeUnit.SECONDS)) {
        throw new IOException("waited in vain");
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new InterruptedIOException("interrupted");
    }
  }

  @Test
  void aSlowPieceThatTheCallerReadsHoldsUpNoOthers() throws Exception {
    CountDownLatch callerReads = new CountDownLatch(1);
    CountDownLatch others = new CountDownLatch(PIECES - 1);
    whole()
        .begin(
            (offset, length) -> {
              if (isCaller()) {
                readByCaller.incrementAndGet();
                callerReads.countDown();
                await(others);
              } else {
                await(callerReads);
                others.countDown();
              }
              return bytes(offset, length);
            },
            task -> {
              if (tasks.incrementAndGet() <= 2) {
                two.execute(task);
              } else {
                task.run();
              }
            });
    assertWhole();
    assertEquals(1, readByCaller.get());
    assertEquals(3, tasks.get());
  }

  @Test
  void whoReadsAPieceItselfAsksForAThreadAgain() throws Exception {
    whole()
        .begin(
            (offset, length) -> {
              if (isCaller()) {
                readByCaller.incrementAndGet();
              }
              return bytes(offset, length);
            },
            task -> {
              if (tasks.incrementAndGet() == 1) {
                task.run();
              } else {
                two.execute(task);
              }
            });
    assertWhole();
    assertEquals(1, readByCaller.get());
    assertTrue(tasks.get() <= PIECES, () -> tasks + " tasks");
  }

  @Test
  void theCallerAloneReadsEachPieceOnce() throws Exception {
    whole()
        .begin(
            (offset, length) -> {
              readByCaller.incrementAndGet();
              return bytes(offset, length);
            },
            Runnable::run);
    assertWhole();
    assertEquals(PIECES, readByCaller.get());
  }

  @Test
  void anErrorIsToldToItsOwnRangesAndTheOthersAreRead() throws Exception {
    int far = 2 * VectoredRead.GAP_BYTES;
    CompletableFuture<ByteBuffer> failed = new CompletableFuture<>();
    new VectoredRead(
            List.of(range(0, 1, failed), range(far, content.length, data)),
            far + content.length,
            PIECE_BYTES)
        .begin(
            (offset, length) -> {
              if (offset < far) {
                throw new StackOverflowError();
              }
              return bytes(offset - far, length);
            },
            task -> {
              if (tasks.incrementAndGet() == 1) {
                two.execute(task);
              }
            });
    assertThrows(ExecutionException.class, () -> failed.get(30, TimeUnit.SECONDS));
    assertWhole();
  }
}
