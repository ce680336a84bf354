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
package io.stowage.datanode.disk;

import java.nio.ByteBuffer;
import java.util.function.IntFunction;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * A buffer of 1 MiB for each thread that asks, at a whole block in memory: bytes that lie elsewhere
 * are copied through it on their way past the page cache. A disk has few threads: four readers,
 * four writers, and rebuilds. Thread-safe.
 *
 * <p>Where there is no direct memory for it, its caller goes through the page cache instead.
 */
final class AlignedBuffers {
  static final int BYTES = 1 << 20;

  /** To find that there is no memory takes half a second and a collection of the heap. */
  static final int ASKED_AGAIN_AFTER = 1_000;

  private static final Logger LOG = LoggerFactory.getLogger(AlignedBuffers.class);

  private final IntFunction<ByteBuffer> allocator;
  private final ThreadLocal<Own> own = ThreadLocal.withInitial(Own::new);

  /** What one thread has. */
  private static final class Own {
    private ByteBuffer buffer;
    private int notAsked;
  }

  AlignedBuffers(IntFunction<ByteBuffer> allocator) {
    this.allocator = allocator;
  }

  /**
   * The thread's own, empty, until it asks again.
   *
   * @return null if there is no memory for it
   */
  ByteBuffer get() {
    Own mine = own.get();
    if (mine.buffer == null && !allocate(mine)) {
      return null;
    }
    return mine.buffer.clear();
  }

  private boolean allocate(Own mine) {
    if (mine.notAsked > 0) {
      mine.notAsked--;
      return false;
    }
    int block = LocalDiskFile.BLOCK;
    try {
      mine.buffer = allocator.apply(BYTES + block).alignedSlice(block).slice(0, BYTES);
      return true;
    } catch (OutOfMemoryError e) {
      mine.notAsked = ASKED_AGAIN_AFTER;
      LOG.warn(
          "{} goes through the page cache for a while: more direct memory is needed"
              + " (-XX:MaxDirectMemorySize)",
          Thread.currentThread().getName(),
          e);
      return false;
    }
  }
}
