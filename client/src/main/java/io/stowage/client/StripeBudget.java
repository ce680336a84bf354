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

import io.netty.buffer.PooledByteBufAllocator;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;

/**
 * Direct memory for stripes, of one data path or of several. Thread-safe.
 *
 * @param packing for stripes of packed objects
 * @param streams the rest
 * @param isShared whether more than one data path may take of it
 */
record StripeBudget(StripeMemory.Pool packing, StripeMemory.Pool streams, boolean isShared) {
  /** Small stripes have a part of the budget that slow uploads of large objects cannot hold. */
  private static final int PACKING_DIVISOR = 4;

  /** By their bytes: as many as there are different settings in the process. */
  private static final Map<Long, StripeBudget> OF_PROCESS = new ConcurrentHashMap<>();

  /** Of one data path alone. */
  static StripeBudget of(long bytes) {
    return of(bytes, false);
  }

  private static StripeBudget of(long bytes, boolean shared) {
    long packing = bytes / PACKING_DIVISOR;
    return new StripeBudget(
        new StripeMemory.Pool(packing, PooledByteBufAllocator.DEFAULT),
        new StripeMemory.Pool(bytes - packing, StripeMemory.aligned()),
        shared);
  }

  /** The one that all data paths of this process share that are to have so many bytes. */
  static StripeBudget ofProcess(long bytes) {
    return OF_PROCESS.computeIfAbsent(bytes, size -> of(size, true));
  }
}
