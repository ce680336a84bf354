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
import java.nio.ByteBuffer;
import java.util.zip.CRC32C;

/** Arithmetic and checksums of 4 KiB sectors, the grain of shard files. Stateless. */
final class Sectors {
  static final int BYTES = 4096;

  private Sectors() {}

  static int roundUp(int bytes) {
    return Math.addExact(bytes, BYTES - 1) & -BYTES;
  }

  static long roundUp(long bytes) {
    return Math.addExact(bytes, BYTES - 1) & -BYTES;
  }

  static long roundDown(long bytes) {
    return bytes & -BYTES;
  }

  static boolean areWhole(long bytes) {
    return (bytes & (BYTES - 1)) == 0;
  }

  /** CRC32C of each sector of a buffer's readable bytes, which may lie in many pieces. */
  static int[] crcs(ByteBuf sectors) {
    int[] crcs = new int[sectors.readableBytes() / BYTES];
    ByteBuffer[] parts =
        sectors.nioBufferCount() == 1
            ? new ByteBuffer[] {sectors.nioBuffer()}
            : sectors.nioBuffers();
    CRC32C crc = new CRC32C();
    int part = 0;
    for (int i = 0; i < crcs.length; i++) {
      crc.reset();
      int missing = BYTES;
      while (missing > 0) {
        ByteBuffer bytes = parts[part];
        int count = Math.min(missing, bytes.remaining());
        int end = bytes.limit();
        crc.update(bytes.limit(bytes.position() + count));
        bytes.limit(end);
        missing -= count;
        part += bytes.hasRemaining() ? 0 : 1;
      }
      crcs[i] = (int) crc.getValue();
    }
    return crcs;
  }
}
