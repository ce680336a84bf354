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
package io.stowage.client.repack;

import io.stowage.common.error.ErrorCode;
import io.stowage.common.error.StoreException;
import java.util.concurrent.TimeUnit;

/**
 * So many bytes a second, a second's worth at once at most. Thread-safe; callers wait their turn
 * outside of the lock.
 */
final class RateLimit {
  private final double bytesPerNano;
  private long freeAtNanos; // guarded by this

  RateLimit(long bytesPerSecond) {
    this.bytesPerNano = bytesPerSecond / 1e9;
    this.freeAtNanos = System.nanoTime();
  }

  /** Returns when as many bytes may be read or written. */
  void take(long bytes) throws StoreException {
    long wait;
    synchronized (this) {
      long now = System.nanoTime();
      wait = freeAtNanos - now;
      freeAtNanos =
          Math.max(freeAtNanos, now - TimeUnit.SECONDS.toNanos(1)) + (long) (bytes / bytesPerNano);
    }
    if (wait > 0) {
      try {
        TimeUnit.NANOSECONDS.sleep(wait);
      } catch (InterruptedException e) {
        Thread.currentThread().interrupt();
        throw new StoreException(ErrorCode.UNAVAILABLE, "Cannot go on: interrupted", e);
      }
    }
  }
}
