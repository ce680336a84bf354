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

import io.netty.buffer.ByteBuf;
import io.stowage.common.data.ShardService.ShardBytes;
import io.stowage.common.error.ErrorCode;
import io.stowage.common.error.StoreException;
import io.stowage.common.proto.ReadShardReply;
import io.stowage.common.proto.SectorRun;
import io.stowage.common.proto.SectorState;
import io.stowage.common.proto.ShardReport;
import io.stowage.common.proto.StatShardRequest;
import io.stowage.common.time.StoreClock;
import io.stowage.datanode.disk.LocalDiskFiles;
import io.stowage.datanode.fault.SimulatedDisks;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** One node's disks, in memory unless a test says otherwise. */
class ShardStoreTest {
  private static final Path D1 = Path.of("/sim/d1");
  private static final StoreSettings SYNC = new StoreSettings(0, true, 64 << 20);

  private final SimulatedDisks disks = new SimulatedDisks();
  private ShardStore store;

  @AfterEach
  void close() {
    if (store != null) {
      store.close();
    }
  }

  private Shard start() throws StoreException {
    store = ShardStore.open(List.of(D1), disks, SYNC, StoreClock.system());
    return new Shard(store, store.diskInfos().get(0).getDiskId());
  }

  private Shard restart() throws StoreException {
    disks.killProcess();
    store.close();
    return start();
  }

  @Test
  void readsBackWhatWasWrittenAcrossSegments() throws Exception {
    Shard shard = start();
    assertEquals(0, shard.open(1, 1));
    byte[] bytes = Shard.bytes(1, 1_000 * 4096);
    shard.write(1, 0, bytes, 0b111);
    assertArrayEquals(bytes, shard.read(1, 0, bytes.length));
    assertArrayEquals(
        java.util.Arrays.copyOfRange(bytes, 672 * 4096 - 10, 672 * 4096 + 20),
        shard.read(1, 672 * 4096 - 10, 30));
    ReadShardReply states = shard.readSectors(1, 671 * 4096, 3 * 4096).reply();
    assertEquals(
        List.of(SectorRun.newBuilder().setState(SectorState.WRITTEN).setCount(3).build()),
        states.getSectorsList());
    assertEquals(List.of(7, 7, 7), states.getUsedShardsList());
    shard = restart();
    assertEquals(bytes.length, shard.open(2, 2));
    assertArrayEquals(bytes, shard.read(1, 0, bytes.length));
  }

  @Test
  void tellsHolesFromWrittenSectors() throws Exception {
    Shard shard = start();
    shard.open(1, 1);
    shard.write(1, 8 * 4096, Shard.bytes(2, 4096), 1);
    ShardBytes read = shard.readSectors(1, 7 * 4096, 3 * 4096);
    assertEquals(
        List.of(SectorState.NEVER_WRITTEN, SectorState.WRITTEN, SectorState.NEVER_WRITTEN),
        Shard.states(read.reply()));
    assertEquals(9 * 4096, shard.open(2, 2));
  }

  @Test
  void aHigherEpochFencesTheLower() throws Exception {
    Shard shard = start();
    shard.open(5, 1);
    shard.write(5, 0, Shard.bytes(1, 4096), 1);
    assertEquals(4096, shard.open(5, 1), "the same holder again");
    shard.expect(ErrorCode.FENCED, () -> shard.open(5, 2));
    assertEquals(4096, shard.open(6, 2));
    shard.expect(ErrorCode.FENCED, () -> shard.write(5, 4096, Shard.bytes(1, 4096), 1));
    shard.expect(ErrorCode.FENCED, () -> shard.open(5, 1));
    shard.expect(ErrorCode.LEASE_LOST, () -> shard.write(7, 4096, Shard.bytes(1, 4096), 1));
    shard.expect(ErrorCode.INVALID_ARGUMENT, () -> shard.write(6, 0, Shard.bytes(1, 4096), 1));
    shard.write(6, 4096, Shard.bytes(2, 4096), 1);
    // each epoch reads its own sectors, and no other's
    assertEquals(
        List.of(SectorState.WRITTEN, SectorState.LOST),
        Shard.states(shard.readSectors(5, 0, 8192).reply()));
    assertEquals(
        List.of(SectorState.LOST, SectorState.WRITTEN),
        Shard.states(shard.readSectors(6, 0, 8192).reply()));
    assertEquals(
        List.of(SectorState.WRITTEN, SectorState.WRITTEN),
        Shard.states(shard.readSectors(0, 0, 8192).reply()));
    shard.expect(ErrorCode.CORRUPT_DATA, () -> shard.read(5, 4096, 1));
    Shard again = restart();
    again.expect(ErrorCode.FENCED, () -> again.open(5, 1));
    assertEquals(8192, again.open(6, 2));
  }

  @Test
  void aWrittenSectorNeverChanges() throws Exception {
    Shard shard = start();
    shard.open(1, 1);
    byte[] bytes = Shard.bytes(1, 8192);
    shard.write(1, 0, bytes, 3);
    shard.write(1, 0, bytes, 3);
    shard.expect(ErrorCode.SECTOR_WRITTEN, () -> shard.write(1, 0, Shard.bytes(2, 8192), 3));
    shard.expect(ErrorCode.SECTOR_WRITTEN, () -> shard.write(1, 4096, Shard.bytes(2, 8192), 3));
    shard.expect(ErrorCode.SECTOR_WRITTEN, () -> shard.write(1, 0, bytes, 1));
    assertArrayEquals(bytes, shard.read(1, 0, 8192));
    assertEquals(
        List.of(SectorState.NEVER_WRITTEN),
        Shard.states(shard.readSectors(1, 8192, 4096).reply()),
        "a refused write leaves nothing behind");
  }

  @Test
  void aSealedShardTakesNothing() throws Exception {
    Shard shard = start();
    shard.open(1, 1);
    shard.write(1, 0, Shard.bytes(1, 4096), 1);
    shard.expect(ErrorCode.FENCED, () -> shard.seal(0));
    assertEquals(4096, shard.seal(3));
    assertEquals(4096, shard.seal(3), "again");
    shard.expect(ErrorCode.SHARD_SEALED, () -> shard.write(1, 4096, Shard.bytes(1, 4096), 1));
    shard.expect(ErrorCode.SHARD_SEALED, () -> shard.open(9, 1));
    Shard again = restart();
    again.expect(ErrorCode.SHARD_SEALED, () -> again.open(9, 1));
    ShardReport report =
        store.stat(StatShardRequest.newBuilder().setShard(again.key()).build()).get().getReport();
    assertTrue(report.getSealed());
    assertEquals(4096, report.getEnd());
    assertArrayEquals(Shard.bytes(1, 4096), again.read(1, 0, 4096));
  }

  @Test
  void bytesThatMissTheirCrcAreRefusedAndReleased() throws Exception {
    Shard shard = start();
    shard.open(1, 1);
    ByteBuf payload = Shard.buffer(Shard.bytes(1, 4096));
    CompletableFuture<?> write =
        store.write(shard.writeRequest(1, 0, Shard.bytes(2, 4096), 1), payload);
    assertEquals(ErrorCode.BAD_CHECKSUM, Shard.failure(write).code());
    assertEquals(0, payload.refCnt());
  }

  @Test
  void worksOnTheMachinesOwnFileSystem(@TempDir Path dir) throws Exception {
    store = ShardStore.open(List.of(dir), LocalDiskFiles.INSTANCE, SYNC, StoreClock.system());
    Shard shard = new Shard(store, store.diskInfos().get(0).getDiskId());
    shard.open(1, 1);
    byte[] bytes = Shard.bytes(1, 1 << 20);
    shard.write(1, 0, bytes, 0b111);
    assertArrayEquals(bytes, shard.read(1, 0, bytes.length));
    store.close();
    store = ShardStore.open(List.of(dir), LocalDiskFiles.INSTANCE, SYNC, StoreClock.system());
    Shard again = new Shard(store, store.diskInfos().get(0).getDiskId());
    assertEquals(1 << 20, again.open(2, 2));
    assertArrayEquals(bytes, again.read(1, 0, bytes.length));
  }
}
