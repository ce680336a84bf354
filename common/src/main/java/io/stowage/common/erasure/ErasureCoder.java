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
package io.stowage.common.erasure;

import java.nio.ByteBuffer;

/**
 * Reed-Solomon code of one (k, m) over GF(256) with JavaReedSolomon's matrix, which is the format.
 * Works on the remaining bytes of direct or heap buffers, all of the same length; positions and
 * limits are left as they were. Implementations are thread-safe and give identical bytes.
 */
public interface ErasureCoder {
  ErasurePolicy policy();

  /**
   * Computes the parity cells of a stripe.
   *
   * @param data k buffers; null stands for a hole, which is zeros
   * @param parity m buffers, overwritten
   */
  void encode(ByteBuffer[] data, ByteBuffer[] parity);

  /**
   * Recomputes shards from k others.
   *
   * @param shards k+m entries by shard index: the k first non-null ones are read (a hole that
   *     counts as zeros is passed as {@code zeros} by the caller, a lost shard as null); fewer than
   *     k is an IllegalArgumentException
   * @param wanted indexes to compute
   * @param out one buffer for each wanted index, overwritten
   */
  void decode(ByteBuffer[] shards, int[] wanted, ByteBuffer[] out);

  /** For the log line at start: "isa-l 2.30", "java". */
  String description();
}
