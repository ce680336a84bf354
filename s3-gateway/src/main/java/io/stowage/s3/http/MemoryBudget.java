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
package io.stowage.s3.http;

import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.List;

/**
 * Bytes that may be held at a time. Who does not get its share is called when some is free, first
 * come, first served. Thread-safe; callbacks run on the releasing thread and must be short.
 */
final class MemoryBudget {
  private record Waiter(long bytes, Runnable retry) {}

  private final long total;
  private final ArrayDeque<Waiter> waiters = new ArrayDeque<>();
  private long used;

  MemoryBudget(long total) {
    this.total = total;
  }

  /** Takes the bytes if they are free now and nobody waits for some. */
  synchronized boolean tryAcquire(long bytes) {
    if (!waiters.isEmpty() || used + bytes > total) {
      return false;
    }
    used += bytes;
    return true;
  }

  /** Takes the bytes and returns true, or calls {@code retry} once they may be free. */
  synchronized boolean acquireOrWait(long bytes, Runnable retry) {
    if (used + bytes <= total) {
      used += bytes;
      return true;
    }
    waiters.add(new Waiter(bytes, retry));
    return false;
  }

  void release(long bytes) {
    List<Runnable> ready = null;
    synchronized (this) {
      used -= bytes;
      long free = total - used;
      while (!waiters.isEmpty() && waiters.peek().bytes <= free) {
        Waiter waiter = waiters.poll();
        free -= waiter.bytes;
        if (ready == null) {
          ready = new ArrayList<>();
        }
        ready.add(waiter.retry);
      }
    }
    if (ready != null) {
      ready.forEach(Runnable::run);
    }
  }

  synchronized long used() {
    return used;
  }
}
