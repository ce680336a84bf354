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

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class LocalDiskFileTest {
  private static final int BLOCK = 4096;
  private static final int FILE_BYTES = 8 << 20;

  private final Random random = new Random(7);
  private final byte[] expected = new byte[FILE_BYTES];

  @TempDir Path directory;

  /** Whatever way a write takes, past the page cache or through it, everybody reads it. */
  @Test
  void readsWhatWasWrittenEitherWay() throws Exception {
    Path path = directory.resolve("file");
    try (DiskFile file = LocalDiskFiles.INSTANCE.create(path)) {
      int end = 0;
      for (int round = 0; round < 200; round++) {
        int position = random.nextInt(FILE_BYTES / BLOCK) * BLOCK;
        if (round % 7 == 6) {
          position = Math.min(position + random.nextInt(BLOCK), FILE_BYTES - 1);
        }
        int length = 1 + random.nextInt(2 * LocalDiskFile.DIRECT_BYTES);
        if (round % 3 == 0) {
          length = length / BLOCK * BLOCK + LocalDiskFile.DIRECT_BYTES;
        }
        length = Math.min(length, FILE_BYTES - position);
        ByteBuffer bytes = buffer(round, length);
        bytes.get(bytes.position(), expected, position, length);
        if (round % 5 < 2) {
          file.write(bytes, position);
          assertEquals(0, bytes.remaining());
        } else {
          ByteBuffer[] pieces = cut(bytes, round);
          file.write(pieces, position);
          for (ByteBuffer piece : pieces) {
            assertEquals(0, piece.remaining());
          }
        }
        end = Math.max(end, position + length);
        assertRead(file, position, length);
        assertRead(file, random.nextInt(end), 1 + random.nextInt(BLOCK));
        assertEquals(end, file.size());
      }
      file.force();
      assertArrayEquals(Arrays.copyOf(expected, end), Files.readAllBytes(path));
    }
  }

  /** The kernel's own answer, in the words of whatever language this process runs in. */
  @Test
  void aWriteWithoutRoomSaysSo() throws Exception {
    Path full = Path.of("/dev/full");
    Assumptions.assumeTrue(Files.exists(full), "no device that is always full");
    try (DiskFile file = LocalDiskFiles.INSTANCE.open(full)) {
      for (int length : List.of(1, BLOCK, 2 * LocalDiskFile.DIRECT_BYTES)) {
        assertThrows(DiskFullException.class, () -> file.write(buffer(1, length), 0));
      }
    }
  }

  @Test
  void aFullDiskIsToldFromABrokenOneInEveryLanguage() {
    IOException german = new IOException("Auf dem Gerät ist kein Speicherplatz mehr verfügbar");
    IOException broken = new IOException("Input/output error");
    long much = 1L << 30;
    assertInstanceOf(DiskFullException.class, DiskFullException.of(german, 0, BLOCK));
    assertInstanceOf(DiskFullException.class, DiskFullException.of(german, BLOCK - 1, BLOCK));
    assertSame(broken, DiskFullException.of(broken, much, BLOCK));
    for (String text : List.of("No space left on device", "Disk quota exceeded")) {
      // of which a file system with room for others says nothing
      assertInstanceOf(
          DiskFullException.class, DiskFullException.of(new IOException(text), much, BLOCK));
    }
  }

  @Test
  void writesLeaveTheirBufferAtItsLimit() throws Exception {
    try (DiskFile file = LocalDiskFiles.INSTANCE.create(directory.resolve("file"))) {
      ByteBuffer bytes = ByteBuffer.allocateDirect(3 * LocalDiskFile.DIRECT_BYTES).alignedSlice(1);
      bytes.limit(2 * LocalDiskFile.DIRECT_BYTES + 5);
      file.write(bytes, BLOCK);
      assertEquals(2 * LocalDiskFile.DIRECT_BYTES + 5, bytes.limit());
      assertEquals(bytes.limit(), bytes.position());
    }
  }

  /** On the heap, direct and aligned, direct and not. */
  private ByteBuffer buffer(int round, int length) {
    byte[] content = new byte[length];
    random.nextBytes(content);
    ByteBuffer bytes =
        switch (round % 4) {
          case 0, 1 -> ByteBuffer.allocateDirect(length + 2 * BLOCK).alignedSlice(BLOCK);
          case 2 -> ByteBuffer.allocateDirect(length + 2 * BLOCK).alignedSlice(BLOCK).position(24);
          default -> ByteBuffer.allocate(length + 2 * BLOCK);
        };
    int start = bytes.position();
    return bytes.put(content).limit(start + length).position(start);
  }

  /** The same bytes in up to seven buffers of all kinds and of any length, none included. */
  private ByteBuffer[] cut(ByteBuffer bytes, int round) {
    int[] cuts = random.ints(random.nextInt(7), 0, bytes.remaining() + 1).sorted().toArray();
    ByteBuffer[] pieces = new ByteBuffer[cuts.length + 1];
    int from = 0;
    for (int i = 0; i < pieces.length; i++) {
      int to = i < cuts.length ? cuts[i] : bytes.remaining();
      pieces[i] = buffer(round + i, to - from);
      pieces[i].put(pieces[i].position(), bytes, bytes.position() + from, to - from);
      from = to;
    }
    return pieces;
  }

  private void assertRead(DiskFile file, int position, int atMost) throws Exception {
    int length = (int) Math.min(atMost, file.size() - position);
    byte[] read = new byte[length];
    file.read(ByteBuffer.wrap(read), position);
    assertArrayEquals(Arrays.copyOfRange(expected, position, position + length), read);
  }
}
