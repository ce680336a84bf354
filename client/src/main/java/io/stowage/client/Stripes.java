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

import io.netty.buffer.ByteBuf;
import io.stowage.common.erasure.ErasureCoder;
import java.nio.ByteBuffer;

/** What packed and streamed stripes share. Stateless. */
final class Stripes {
  private Stripes() {}

  /**
   * Makes the parity cells of a stripe whose data cells are full.
   *
   * @param cells by shard index; data cells of {@code height} bytes or null, parity filled in
   * @param memory in which the parity cells are already reserved
   */
  static void addParity(ErasureCoder coder, ByteBuf[] cells, int height, StripeMemory memory) {
    int k = coder.policy().k();
    int m = coder.policy().m();
    ByteBuffer[] data = new ByteBuffer[k];
    for (int i = 0; i < k; i++) {
      data[i] = cells[i] == null ? null : cells[i].nioBuffer(0, height);
    }
    ByteBuffer[] parity = new ByteBuffer[m];
    try {
      for (int i = 0; i < m; i++) {
        cells[k + i] = memory.cell(height).writerIndex(height);
        parity[i] = cells[k + i].nioBuffer(0, height);
      }
      coder.encode(data, parity);
    } catch (RuntimeException | Error e) {
      for (int i = k; i < k + m && cells[i] != null; i++) {
        memory.overdraw(height); // the caller still has this part of its reservation
        cells[i].release();
        cells[i] = null;
      }
      throw e;
    }
  }

  /** Releases the cells that are there, and says how many they were. */
  static int release(ByteBuf[] cells) {
    int count = 0;
    for (int i = 0; i < cells.length; i++) {
      if (cells[i] != null) {
        cells[i].release();
        cells[i] = null;
        count++;
      }
    }
    return count;
  }
}
