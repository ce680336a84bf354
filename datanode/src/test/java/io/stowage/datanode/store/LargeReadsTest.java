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
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.stowage.common.data.ShardService.ShardBytes;
import io.stowage.common.proto.ByteRange;
import io.stowage.common.proto.ReadShardRequest;
import io.stowage.common.time.StoreClock;
import io.stowage.datanode.disk.CachedBlocks;
import io.stowage.datanode.disk.LocalDiskFiles;
import io.stowage.datanode.shard.ShardCheck;
import io.stowage.datanode.shard.ShardId;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Who reads a shard leaves in the page cache what is read again, and nothing else of its cells. */
class LargeReadsTest {
  private static final int BLOCK = 4096;
  private static final int CELL = 1 << 20;
  private static final int CELLS = 6;

  @TempDir Path directory;

  @Test
  void cellsAreCachedFromTheirSecondReadOnAndNotByScrubbersAndRebuilds() throws Exception {
    CachedBlocks.assumeTold(directory);
    byte[] bytes = Shard.bytes(12, CELLS * CELL);
    Path disk = Files.createDirectory(directory.resolve("disk"));
    try (ShardStore store =
        ShardStore.open(
            List.of(disk),
            LocalDiskFiles.INSTANCE,
            new StoreSettings(0, true, 64 << 20),
            StoreClock.system())) {
      String diskId = store.diskInfos().get(0).getDiskId();
      Shard shard = new Shard(store, diskId);
      shard.open(1, 1);
      for (int i = 0; i < CELLS; i++) {
        shard.write(1, (long) i * CELL, Arrays.copyOfRange(bytes, i * CELL, (i + 1) * CELL), 0b111);
      }
      for (int time = 0; time < 2; time++) {
        for (int i = 0; i < CELLS; i++) {
          readInBackground(store, shard, i);
        }
        store.check(diskId, ShardId.of(shard.key()), done -> {}, ShardCheck.memory());
      }
      for (int i = 0; i < CELLS; i++) {
        assertArrayEquals(
            Arrays.copyOfRange(bytes, i * CELL, (i + 1) * CELL),
            shard.readSectors(1, (long) i * CELL, CELL).payload().array());
      }
      assertEquals(List.of(), dataInMemory(disk), "read once");
      shard.readSectors(1, 3L * CELL, CELL);
      List<Integer> cached = dataInMemory(disk);
      assertTrue(cached.size() >= CELL / BLOCK, "read again: " + cached);
    }
  }

  private static void readInBackground(ShardStore store, Shard shard, int cell) throws Exception {
    ShardBytes read =
        Shard.await(
            store.read(
                ReadShardRequest.newBuilder()
                    .setShard(shard.key())
                    .setSectorCrcs(true)
                    .setBackground(true)
                    .addRanges(ByteRange.newBuilder().setOffset((long) cell * CELL).setLength(CELL))
                    .build()));
    read.payload().release();
  }

  /** But those that the kernel reads ahead of superblocks and checksum pages, 32 at most. */
  private static List<Integer> dataInMemory(Path disk) throws Exception {
    try (Stream<Path> files = Files.walk(disk)) {
      Path shard =
          files.filter(file -> file.toString().endsWith(".shard")).findFirst().orElseThrow();
      int segment = 674;
      return CachedBlocks.of(shard).stream()
          .filter(block -> block >= 8 && (block - 8) % segment > 2 + 32)
          .toList();
    }
  }
}
