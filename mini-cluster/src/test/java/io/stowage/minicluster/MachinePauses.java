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
package io.stowage.minicluster;

import java.util.concurrent.TimeUnit;

/**
 * How long this process stood still, be it that the machine did or that others had its processors:
 * a thread that keeps asking to sleep for a moment, and adds up what it was kept longer. A test
 * whose claim is a time takes that off what it measured. Thread-safe.
 */
final class MachinePauses implements AutoCloseable {
  private static final long STEP_NANOS = TimeUnit.MILLISECONDS.toNanos(10);

  /** Threads of any busy machine take turns; more than this is no turn. */
  private static final long TURN_NANOS = TimeUnit.MILLISECONDS.toNanos(40);

  private final Thread thread = new Thread(this::run, "machine-pauses");
  private long totalNanos; // guarded by this, as is the next
  private long awakeNanos = System.nanoTime();

  private MachinePauses() {}

  static MachinePauses begin() {
    MachinePauses pauses = new MachinePauses();
    pauses.thread.setDaemon(true);
    pauses.thread.start();
    return pauses;
  }

  /** So far, with the pause that may just be ending. The difference of two is what lay between. */
  synchronized long totalNanos() {
    return totalNanos + lateNanos(System.nanoTime());
  }

  private long lateNanos(long now) {
    long late = now - awakeNanos - STEP_NANOS;
    return late > TURN_NANOS ? late : 0;
  }

  private void run() {
    try {
      while (true) {
        TimeUnit.NANOSECONDS.sleep(STEP_NANOS);
        synchronized (this) {
          long now = System.nanoTime();
          totalNanos += lateNanos(now);
          awakeNanos = now;
        }
      }
    } catch (InterruptedException e) {
      // closed
    }
  }

  @Override
  public void close() throws InterruptedException {
    thread.interrupt();
    thread.join();
  }
}
