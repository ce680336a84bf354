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
package io.stowage.datanode.store;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;

import io.netty.buffer.ByteBuf;
import io.netty.buffer.CompositeByteBuf;
import io.netty.buffer.PooledByteBufAllocator;
import io.stowage.common.time.StoreClock;
import io.stowage.datanode.disk.CachedBlocks;
import io.stowage.datanode.disk.LocalDiskFiles;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * Cells as a socket gives them, in pieces of any length, in a real file: what the kernel keeps of
 * it in its page cache tells how it was written.
 */
class CellsInPiecesTest {
  private static final int BLOCK = 4096;
  private static final int CELL = 1 << 20;

  /** What the file's format says of where the data lies: two segments of it. */
  private static final int FIRST_DATA = 32_768 + 2 * BLOCK;

  private static final int SEGMENT = 672 * BLOCK;

  @TempDir Path directory;

  @BeforeEach
  void thisFileSystemTellsTheTwoWaysApart() throws Exception {
    CachedBlocks.assumeTold(directory);
  }

  @Test
  void goPastThePageCacheWhole() throws Exception {
    byte[] bytes = Shard.bytes(11, 3 * CELL);
    int[][] cuts = {{917_301}, {65_537, 365_538}, {5, 4_096, 704_099}};
    Path disk = Files.createDirectory(directory.resolve("disk"));
    try (ShardStore store =
        ShardStore.open(
            List.of(disk),
            LocalDiskFiles.INSTANCE,
            new StoreSettings(0, true, 64 << 20),
            StoreClock.system())) {
      Shard shard = new Shard(store, store.diskInfos().get(0).getDiskId());
      shard.open(1, 1);
      for (int i = 0; i < cuts.length; i++) {
        byte[] cell = Arrays.copyOfRange(bytes, i * CELL, (i + 1) * CELL);
        Shard.await(
            store.write(
                shard.writeRequest(1, (long) i * CELL, cell, 0b111), inPieces(cell, cuts[i])));
      }
      List<Integer> data =
          IntStream.range(0, 3 * CELL / BLOCK)
              .map(i -> FIRST_DATA / BLOCK + i + (i * BLOCK < SEGMENT ? 0 : 2))
              .boxed()
              .toList();
      List<Integer> cached = CachedBlocks.of(shardFile(disk));
      assertEquals(
          List.of(), data.stream().filter(cached::contains).toList(), "data in the page cache");
      assertArrayEquals(bytes, shard.read(1, 0, bytes.length));
    }
  }

  private static ByteBuf inPieces(byte[] bytes, int[] cuts) {
    CompositeByteBuf joined =
        PooledByteBufAllocator.DEFAULT.compositeDirectBuffer(Integer.MAX_VALUE);
    int from = 0;
    for (int i = 0; i <= cuts.length; i++) {
      int to = i < cuts.length ? cuts[i] : bytes.length;
      joined.addComponent(true, Shard.buffer(Arrays.copyOfRange(bytes, from, to)));
      from = to;
    }
    return joined;
  }

  private static Path shardFile(Path disk) throws Exception {
    try (Stream<Path> files = Files.walk(disk)) {
      return files.filter(file -> file.toString().endsWith(".shard")).findFirst().orElseThrow();
    }
  }
}
