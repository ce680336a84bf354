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
package io.stowage.datanode.net;

import io.stowage.common.data.FrameBounds.Part;
import io.stowage.datanode.shard.MemoryBudget;

/**
 * What a server's connections may keep together. Thread-safe.
 *
 * <p>Calls under way hold others back and are never refused. Frames that are not whole are bounded
 * hard, for their senders need not have shown who they are: each part by itself, so that who may
 * send no payload cannot keep those away who may. Small headers, which are all but a few, come from
 * no common bound: connections are bounded.
 */
final class ServerMemory {
  /** Of all headers that are not whole, beyond what each may have by itself. */
  private static final long HEADER_BYTES = 32L << 20;

  /** Of all payloads that are not whole, at least: some of the largest. */
  private static final long LEAST_PAYLOAD_BYTES = 64L << 20;

  private final MemoryBudget calls;
  private final MemoryBudget headers = new MemoryBudget(HEADER_BYTES);
  private final MemoryBudget payloads;

  /**
   * @param bytes of requests and replies under way
   */
  ServerMemory(long bytes) {
    calls = new MemoryBudget(bytes);
    payloads = new MemoryBudget(Math.max(bytes, LEAST_PAYLOAD_BYTES));
  }

  /** Of calls under way, and of payloads that come. */
  MemoryBudget calls() {
    return calls;
  }

  /** Takes bytes of a frame that is not whole; false if there is no room for them. */
  boolean keep(Part part, long bytes) {
    if (part == Part.HEADER) {
      return headers.tryTake(bytes);
    }
    if (!payloads.tryTake(bytes)) {
      return false;
    }
    calls.take(bytes);
    return true;
  }

  void free(Part part, long bytes) {
    if (part == Part.HEADER) {
      headers.give(bytes);
    } else {
      payloads.give(bytes);
      calls.give(bytes);
    }
  }

  /** Of frames that are not whole. */
  long unfinished() {
    return headers.used() + payloads.used();
  }
}
