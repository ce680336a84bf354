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
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import com.sun.nio.file.ExtendedOpenOption;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.MappedByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.List;
import java.util.stream.IntStream;

/** What the kernel keeps of a file in its page cache tells how it was read and written. */
public final class CachedBlocks {
  private static final int BLOCK = 4096;
  private static final int MANY = 1 << 20;

  private CachedBlocks() {}

  /** On a file system that has neither way or both, there is nothing to tell. */
  public static void assumeTold(Path directory) throws Exception {
    assumeTrue(Files.getFileStore(directory).getBlockSize() <= BLOCK, "no blocks of ours");
    Path probe = Files.createFile(directory.resolve("probe"));
    try (FileChannel past =
            FileChannel.open(probe, StandardOpenOption.WRITE, ExtendedOpenOption.DIRECT);
        FileChannel through = FileChannel.open(probe, StandardOpenOption.WRITE)) {
      ByteBuffer large = ByteBuffer.allocateDirect(MANY + BLOCK).alignedSlice(BLOCK).limit(MANY);
      assertEquals(MANY, past.write(large, 0));
      assertEquals(BLOCK, through.write(ByteBuffer.allocate(BLOCK), MANY));
      assumeTrue(of(probe).equals(List.of(MANY / BLOCK)), "no way past a page cache");
    } catch (IOException | UnsupportedOperationException e) {
      assumeTrue(false, "no way past a page cache: " + e);
    }
  }

  /** Numbers of the blocks that the kernel has in memory; asking loads none. */
  public static List<Integer> of(Path path) throws Exception {
    try (FileChannel channel = FileChannel.open(path)) {
      MappedByteBuffer map = channel.map(FileChannel.MapMode.READ_ONLY, 0, channel.size());
      return IntStream.range(0, map.capacity() / BLOCK)
          .filter(i -> map.slice(i * BLOCK, BLOCK).isLoaded())
          .boxed()
          .toList();
    }
  }
}
