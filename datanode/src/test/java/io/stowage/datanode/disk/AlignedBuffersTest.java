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

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertSame;

import java.nio.ByteBuffer;
import org.junit.jupiter.api.Test;

class AlignedBuffersTest {
  private int asked;
  private boolean exhausted;

  private final AlignedBuffers buffers = new AlignedBuffers(this::allocate);

  private ByteBuffer allocate(int bytes) {
    asked++;
    if (exhausted) {
      throw new OutOfMemoryError("as the JVM says");
    }
    return ByteBuffer.allocateDirect(bytes);
  }

  @Test
  void aThreadUsesItsOwnAgainAndAgain() {
    ByteBuffer first = buffers.get();
    assertEquals(AlignedBuffers.BYTES, first.remaining());
    assertEquals(0, first.alignmentOffset(0, LocalDiskFile.BLOCK));
    assertSame(first, buffers.get());
    first.position(5).limit(7);
    assertEquals(AlignedBuffers.BYTES, buffers.get().remaining());
    assertEquals(1, asked);
  }

  @Test
  void memoryThatIsNotThereIsAskedForNowAndThen() {
    exhausted = true;
    for (int i = 0; i <= AlignedBuffers.ASKED_AGAIN_AFTER; i++) {
      assertNull(buffers.get());
    }
    assertEquals(1, asked);
    exhausted = false;
    assertNotNull(buffers.get());
    assertEquals(2, asked);
  }
}
