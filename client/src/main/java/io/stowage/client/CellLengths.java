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

import io.stowage.common.erasure.ErasurePolicy;

/**
 * How long the cells of streamed stripes are: the configured length while few objects are being
 * written, less when many, of this data path or another, share the budget, so that each can have a
 * stripe filling and others in flight. Thread-safe.
 */
final class CellLengths {
  /** Below this a disk seeks more than it writes. */
  private static final int SHORTEST = 16 << 10;

  private final StripeMemory memory;
  private final int maxCellBytes;

  CellLengths(StripeMemory memory, int maxCellBytes) {
    this.memory = memory;
    this.maxCellBytes = maxCellBytes;
  }

  void streamOpened() {
    memory.streamOpened();
  }

  void streamClosed() {
    memory.streamClosed();
  }

  /** Longest cell of a run that begins now. Two stripes of it always fit the budget. */
  int longest(ErasurePolicy policy, int stripesPerStream) {
    long perStream = memory.limitBytes() / Math.max(1, memory.openStreams());
    return longest(policy, perStream / ((long) stripesPerStream * policy.shards()));
  }

  /** Cell of a run for which there is no room in the budget. */
  int shortest(ErasurePolicy policy) {
    return longest(policy, SHORTEST);
  }

  private int longest(ErasurePolicy policy, long share) {
    long hardLimit = memory.limitBytes() / (2L * policy.shards());
    long cell = Math.min(maxCellBytes, Math.min(Math.max(SHORTEST, share), hardLimit));
    return (int) Math.max(Sectors.BYTES, Sectors.roundDown(cell));
  }
}
