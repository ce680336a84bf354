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
package io.stowage.om;

import java.io.IOException;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.ThreadPoolExecutor;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Whether tables answer, for whoever asks: all who ask at a time share one look, and nobody asked
 * costs nothing. Owns a thread, which may wait for HBase as long as a call takes. Thread-safe.
 */
final class TableCheck implements AutoCloseable {
  private static final Logger LOG = LoggerFactory.getLogger(TableCheck.class);

  private static final long WAIT_MILLIS = 2_000;

  /** An answer is good for this long. */
  private static final long FRESH_NANOS = TimeUnit.SECONDS.toNanos(1);

  /** A look at the tables. */
  interface Look {
    void look() throws IOException;
  }

  private final Look look;
  private final ExecutorService thread;
  private CompletableFuture<Boolean> latest; // guarded by this
  private long beganNanos; // guarded by this

  TableCheck(Look look) {
    this.look = look;
    ThreadPoolExecutor one =
        new ThreadPoolExecutor(
            1,
            1,
            10,
            TimeUnit.SECONDS,
            new LinkedBlockingQueue<>(), // one look at a time
            work -> {
              Thread made = new Thread(work, "om-table-check");
              made.setDaemon(true);
              return made;
            });
    one.allowCoreThreadTimeOut(true);
    this.thread = one;
  }

  /** Waits two seconds at most; a look that takes longer has not been answered. */
  boolean answers() {
    try {
      return current().get(WAIT_MILLIS, TimeUnit.MILLISECONDS);
    } catch (TimeoutException | ExecutionException e) {
      return false;
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      return false;
    }
  }

  private synchronized CompletableFuture<Boolean> current() {
    boolean old = latest == null || System.nanoTime() - beganNanos > FRESH_NANOS;
    if (old && (latest == null || latest.isDone())) {
      beganNanos = System.nanoTime();
      latest = CompletableFuture.supplyAsync(this::tryOnce, thread);
    }
    return latest;
  }

  private boolean tryOnce() {
    try {
      look.look();
      return true;
    } catch (IOException | RuntimeException e) {
      LOG.info("The tables do not answer: {}", e.toString());
      return false;
    }
  }

  @Override
  public void close() {
    thread.shutdownNow();
  }
}
