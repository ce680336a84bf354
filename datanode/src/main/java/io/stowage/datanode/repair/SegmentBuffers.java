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
package io.stowage.datanode.repair;

import io.netty.buffer.ByteBuf;
import io.netty.buffer.PooledByteBufAllocator;
import io.stowage.datanode.shard.ShardFormat;
import java.nio.ByteBuffer;

/**
 * Memory of one rebuild: a segment of each source that it reads, and of the new shard. Used again
 * for every segment. Confined to the rebuild's thread.
 */
final class SegmentBuffers implements AutoCloseable {
  static final int SEGMENT_BYTES = (int) ShardFormat.SEGMENT_ADDRESSES;

  private final ByteBuf[] sources;
  private final ByteBuf out = PooledByteBufAllocator.DEFAULT.directBuffer(SEGMENT_BYTES);

  SegmentBuffers(int sources) {
    this.sources = new ByteBuf[sources];
  }

  /** What a rebuild has at once, payloads under way included. */
  static long bytesFor(int k) {
    return (2L * k + 2) * SEGMENT_BYTES;
  }

  ByteBuf source(int source) {
    if (sources[source] == null) {
      sources[source] = PooledByteBufAllocator.DEFAULT.directBuffer(SEGMENT_BYTES, SEGMENT_BYTES);
    }
    return sources[source];
  }

  ByteBuffer source(int source, int firstSector, int count) {
    return source(source)
        .nioBuffer(firstSector * ShardFormat.SECTOR_BYTES, count * ShardFormat.SECTOR_BYTES);
  }

  ByteBuffer out(int firstSector, int count) {
    return out.nioBuffer(firstSector * ShardFormat.SECTOR_BYTES, count * ShardFormat.SECTOR_BYTES);
  }

  @Override
  public void close() {
    out.release();
    for (ByteBuf source : sources) {
      if (source != null) {
        source.release();
      }
    }
  }
}
