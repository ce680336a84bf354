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
package io.stowage.datanode.shard;

import java.util.concurrent.atomic.AtomicLong;

/** A bound on bytes held in memory at once. Thread-safe; never blocks. */
public final class MemoryBudget {
  private final long limit;
  private final AtomicLong used = new AtomicLong();

  public MemoryBudget(long limit) {
    this.limit = limit;
  }

  /** Takes bytes, or none if they would pass the limit. */
  public boolean tryTake(long bytes) {
    long now = used.addAndGet(bytes);
    if (now > limit) {
      used.addAndGet(-bytes);
      return false;
    }
    return true;
  }

  /** Takes bytes that are there already, even beyond the limit. */
  public void take(long bytes) {
    used.addAndGet(bytes);
  }

  /** The limit is reached: who can wait should. */
  public boolean isUsedUp() {
    return used.get() >= limit;
  }

  public void give(long bytes) {
    used.addAndGet(-bytes);
  }

  public long used() {
    return used.get();
  }
}
