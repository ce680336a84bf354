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
package io.stowage.datanode.shard;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.stowage.common.error.ErrorCode;
import io.stowage.common.error.StoreException;
import io.stowage.common.proto.SectorState;
import io.stowage.common.proto.WriteShardReply;
import java.nio.ByteBuffer;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Random;
import java.util.concurrent.CompletableFuture;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.function.Executable;

/** One shard file on a simulated disk, without threads. */
class ShardFileTest {
  private static final int SECTOR = ShardFormat.SECTOR_BYTES;
  private final TestHost host = new TestHost();

  @AfterEach
  void everyPayloadWasGivenBack() {
    assertEquals(0, host.writeMemory().used());
  }

  private static void expect(ErrorCode code, Executable call) {
    StoreException failure = assertThrows(StoreException.class, call);
    assertEquals(code, failure.code(), failure.getMessage());
  }

  @Test
  void oneForceAnswersAllThatWaited() throws Exception {
    host.open(1, 1);
    host.holdWork();
    List<CompletableFuture<WriteShardReply>> writes = new ArrayList<>();
    for (int i = 0; i < 100; i++) {
      writes.add(host.writeAsync(1, i, TestHost.pattern(i, 1), 1));
    }
    long before = host.disks.forceCount();
    assertFalse(writes.get(0).isDone());
    host.runAll();
    for (CompletableFuture<WriteShardReply> write : writes) {
      TestHost.join(write);
    }
    assertEquals(1, host.disks.forceCount() - before);
  }

  /** The page goes back and forth between its slots, and never over the last durable copy. */
  @Test
  void pagesAlternate() throws Exception {
    host.open(1, 1);
    long[] expectedInSlots = {0, 0};
    for (int i = 1; i <= 6; i++) {
      host.write(1, i, TestHost.pattern(i, 1), 1);
      expectedInSlots[(i - 1) % 2] = i;
      ByteBuffer file = ByteBuffer.wrap(host.disks.contents(TestHost.PATH));
      assertEquals(expectedInSlots[0], file.getLong(32_768 + 32));
      assertEquals(expectedInSlots[1], file.getLong(32_768 + 4_096 + 32));
    }
  }

  @Test
  void aSegmentLeftBehindHasItsPageTwice() throws Exception {
    host.open(1, 1);
    host.write(1, 670, TestHost.pattern(1, 4), 1);
    host.write(1, 674, TestHost.pattern(2, 1), 1);
    ByteBuffer file = ByteBuffer.wrap(host.disks.contents(TestHost.PATH));
    assertEquals(
        file.slice(32_768 + 64, 4_032), file.slice(32_768 + 4_096 + 64, 4_032), "entries differ");
  }

  @Test
  void aFailedForceFailsTheShardForGood() throws Exception {
    host.open(1, 1);
    host.write(1, 0, TestHost.pattern(1, 1), 1);
    host.disks.failForces(path -> path.equals(TestHost.PATH));
    expect(ErrorCode.SHARD_FAILED, () -> host.write(1, 1, TestHost.pattern(2, 1), 1));
    host.disks.failForces(path -> false);
    long forces = host.disks.forceCount();
    expect(ErrorCode.SHARD_FAILED, () -> host.write(1, 1, TestHost.pattern(2, 1), 1));
    expect(ErrorCode.SHARD_FAILED, () -> host.open(2, 2));
    expect(ErrorCode.SHARD_FAILED, () -> host.seal(2));
    assertEquals(forces, host.disks.forceCount(), "a failed force was tried again");
    assertTrue(host.shard.report().getFailed());
    assertEquals(1, host.failures.size());
    assertArrayEquals(TestHost.pattern(1, 1), host.read(1, 0, 1).bytes());
    // The next process would be told "clean" by the kernel: the marker tells it otherwise.
    host.restart();
    assertTrue(host.shard.report().getFailed());
    expect(ErrorCode.SHARD_FAILED, () -> host.open(2, 2));
    assertArrayEquals(TestHost.pattern(1, 1), host.read(1, 0, 1).bytes());
    host.disks.losePower(new Random(1));
    host.restart();
    assertArrayEquals(TestHost.pattern(1, 1), host.read(1, 0, 1).bytes());
  }

  /** Who asks waits half a minute, for a bad spot of a disk that tries each sector for seconds. */
  @Test
  void aReadOverABadSpotEndsWhileItIsWaitedFor() throws Exception {
    host.open(1, 1);
    host.write(1, 0, TestHost.pattern(1, 300), 1);
    long data = 32_768 + 8_192;
    host.disks.failReads(TestHost.PATH, data + 100 * SECTOR, data + 110 * SECTOR);
    assertEquals(SectorState.LOST, host.read(1, 0, 300).states().get(109)); // one that fails fast
    host.disks.beforeReadFails(() -> host.clock.advance(Duration.ofSeconds(7)));
    for (int count = 300; count >= 1; count /= 2) {
      int sectors = count;
      long before = host.clock.monotonicNanos();
      expect(ErrorCode.SHARD_FAILED, () -> host.read(1, 100, Math.min(200, sectors)));
      long took = host.clock.monotonicNanos() - before;
      assertTrue(took < Duration.ofSeconds(30).toNanos(), took / 1_000_000_000 + " s");
    }
    assertEquals(Collections.nCopies(100, SectorState.WRITTEN), host.read(1, 0, 100).states());
    assertEquals(Collections.nCopies(190, SectorState.WRITTEN), host.read(1, 110, 190).states());
  }

  @Test
  void aFullDiskRefusesAndTheShardLivesOn() throws Exception {
    host.open(1, 1);
    host.write(1, 0, TestHost.pattern(1, 1), 1);
    host.disks.setCapacity(host.disks.usedBytes() + 2 * SECTOR);
    expect(ErrorCode.DISK_FULL, () -> host.write(1, 1, TestHost.pattern(2, 8), 1));
    // room for the data, none for the first page of a segment
    host.disks.setCapacity(host.disks.usedBytes() + SECTOR);
    expect(ErrorCode.DISK_FULL, () -> host.write(1, 672, TestHost.pattern(3, 1), 1));
    host.disks.setCapacity(Long.MAX_VALUE);
    assertFalse(host.shard.report().getFailed());
    assertEquals(
        List.of(SectorState.NEVER_WRITTEN), host.read(1, 672, 1).states(), "refused, yet there");
    host.write(1, 1, TestHost.pattern(4, 8), 1);
    host.write(1, 672, TestHost.pattern(5, 1), 1);
    host.restart();
    assertArrayEquals(TestHost.pattern(4, 8), host.read(1, 1, 8).bytes());
    assertArrayEquals(TestHost.pattern(5, 1), host.read(1, 672, 1).bytes());
  }

  /** As when another tenant of the disk has taken the room that is kept for this. */
  @Test
  void aFullDiskRefusesToOpenAndToSealAndTheShardLivesOn() throws Exception {
    for (int extra : List.of(0, 1, 2)) {
      TestHost full = new TestHost();
      full.open(1, 1);
      full.write(1, 0, TestHost.pattern(1, 1), 1);
      full.write(1, 672, TestHost.pattern(2, 1), 1); // two pages, one of them not yet twice there
      full.disks.setCapacity(full.disks.usedBytes() + (long) extra * SECTOR);
      expect(ErrorCode.DISK_FULL, () -> full.open(2, 2));
      expect(ErrorCode.DISK_FULL, () -> full.seal(2));
      assertFalse(full.shard.report().getFailed());
      assertFalse(full.shard.report().getSealed());
      assertEquals(List.of(), full.failures);
      assertArrayEquals(TestHost.pattern(2, 1), full.read(1, 672, 1).bytes());
      if (extra == 2) { // as the next process finds it
        full.disks.losePower(new Random(extra));
        full.restart();
        assertFalse(full.shard.report().getFailed());
        assertFalse(full.shard.report().getSealed());
        expect(ErrorCode.DISK_FULL, () -> full.seal(2));
      }
      full.disks.setCapacity(Long.MAX_VALUE);
      full.open(3, 3);
      full.write(3, 673, TestHost.pattern(3, 1), 1);
      assertEquals(674L * SECTOR, full.seal(3));
      full.restart();
      assertTrue(full.shard.report().getSealed());
      assertArrayEquals(TestHost.pattern(1, 1), full.read(1, 0, 1).bytes());
      assertArrayEquals(TestHost.pattern(2, 1), full.read(1, 672, 1).bytes());
      assertArrayEquals(TestHost.pattern(3, 1), full.read(3, 673, 1).bytes());
    }
  }

  @Test
  void readsThatLieAreLostSectors() throws Exception {
    host.open(1, 1);
    host.write(1, 0, TestHost.pattern(1, 1), 1);
    host.read(1, 0, 1);
    host.disks.lieOnRead(path -> path.equals(TestHost.PATH));
    TestHost.Read read = host.read(1, 0, 1);
    assertEquals(List.of(SectorState.LOST), read.states());
    assertArrayEquals(new byte[SECTOR], read.bytes());
    assertEquals(List.of(0), read.reply().getCrcsList());
  }

  @Test
  void anEpochThatWroteNothingIsReplaced() throws Exception {
    for (int epoch = 1; epoch <= 3_000; epoch++) {
      assertEquals(0, host.open(epoch, epoch));
    }
    host.write(3_000, 0, TestHost.pattern(1, 1), 1);
    assertEquals(SECTOR, host.open(3_001, 1));
    assertEquals(List.of(SectorState.WRITTEN), host.read(3_000, 0, 1).states());
  }

  @Test
  void aFullListOfEpochsTakesNoLease() throws Exception {
    for (int epoch = 1; epoch <= ShardFormat.MAX_EPOCHS; epoch++) {
      host.open(epoch, 1);
      host.write(epoch, epoch - 1, TestHost.pattern(epoch, 1), 1);
    }
    expect(ErrorCode.EPOCH_LIST_FULL, () -> host.open(2_000, 1));
    host.restart();
    expect(ErrorCode.EPOCH_LIST_FULL, () -> host.open(2_000, 1));
    assertEquals(1_000L * SECTOR, host.open(1_000, 1), "the last one goes on");
    for (int epoch = 1; epoch <= ShardFormat.MAX_EPOCHS; epoch += 111) {
      assertArrayEquals(TestHost.pattern(epoch, 1), host.read(epoch, epoch - 1, 1).bytes());
      assertEquals(List.of(SectorState.LOST), host.read(epoch + 1, epoch - 1, 1).states());
    }
    assertEquals(1_000L * SECTOR, host.seal(1_000));
  }

  /** CRC32C of these four bytes, repeated as found by search, would be 0; entries must not be. */
  @Test
  void aSectorWhoseCrcIsZeroIsNotTakenForUnwritten() throws Exception {
    byte[] bytes = sectorWithCrc(0);
    host.open(1, 1);
    host.write(1, 0, bytes, 1);
    TestHost.Read read = host.read(1, 0, 1);
    assertEquals(List.of(SectorState.WRITTEN), read.states());
    assertEquals(List.of(0), read.reply().getCrcsList());
    expect(ErrorCode.SECTOR_WRITTEN, () -> host.write(1, 0, new byte[SECTOR], 1));
    host.restart();
    assertArrayEquals(bytes, host.read(1, 0, 1).bytes());
    assertEquals(SECTOR, host.open(1, 1));
  }

  /**
   * Zeros but for the last four bytes, which force the CRC: CRC32C is linear over its last word.
   */
  private static byte[] sectorWithCrc(int wanted) {
    byte[] bytes = new byte[SECTOR];
    int base = crc(bytes);
    // which change of the CRC each bit of the last word makes
    int[] change = new int[32];
    for (int bit = 0; bit < 32; bit++) {
      byte[] probe = new byte[SECTOR];
      probe[SECTOR - 4 + bit / 8] = (byte) (1 << (bit % 8));
      change[bit] = crc(probe) ^ base;
    }
    // Gaussian elimination over GF(2)
    int[] from = new int[32];
    for (int bit = 0; bit < 32; bit++) {
      from[bit] = 1 << bit;
    }
    int target = wanted ^ base;
    int solution = 0;
    boolean[] usedRow = new boolean[32];
    for (int column = 0; column < 32; column++) {
      int pivot = -1;
      for (int row = 0; row < 32; row++) {
        if (!usedRow[row] && (change[row] >>> column & 1) == 1) {
          pivot = row;
          break;
        }
      }
      if (pivot < 0) {
        continue;
      }
      usedRow[pivot] = true;
      for (int row = 0; row < 32; row++) {
        if (row != pivot && (change[row] >>> column & 1) == 1) {
          change[row] ^= change[pivot];
          from[row] ^= from[pivot];
        }
      }
      if ((target >>> column & 1) == 1) {
        target ^= change[pivot];
        solution ^= from[pivot];
      }
    }
    ByteBuffer.wrap(bytes).order(java.nio.ByteOrder.LITTLE_ENDIAN).putInt(SECTOR - 4, solution);
    assertEquals(wanted, crc(bytes));
    return bytes;
  }

  private static int crc(byte[] bytes) {
    java.util.zip.CRC32C crc = new java.util.zip.CRC32C();
    crc.update(bytes);
    return (int) crc.getValue();
  }

  /** An entry alone is no evidence that its data is durable. */
  @Test
  void theSameBytesAgainAreWrittenAndForcedAgain() throws Exception {
    host.open(1, 1);
    host.write(1, 0, TestHost.pattern(1, 1), 1);
    // page durable, data not: what a crash between the two leaves
    byte[] file = host.disks.contents(TestHost.PATH);
    ByteBuffer.wrap(file).put(32_768 + 8_192, new byte[SECTOR]);
    host.disks.setContents(TestHost.PATH, file);
    host.restart();
    assertEquals(List.of(SectorState.LOST), host.read(1, 0, 1).states());
    host.open(1, 1);
    long forces = host.disks.forceCount();
    host.write(1, 0, TestHost.pattern(1, 1), 1);
    assertEquals(1, host.disks.forceCount() - forces);
    host.disks.losePower(new Random(3));
    host.restart();
    assertArrayEquals(TestHost.pattern(1, 1), host.read(1, 0, 1).bytes());
    assertEquals(Collections.nCopies(1, SectorState.WRITTEN), host.read(1, 0, 1).states());
  }

  @Test
  void aDamagedOnlyPageLosesItsSegmentAndEndsBehindIt() throws Exception {
    host.open(1, 1);
    host.write(1, 0, TestHost.pattern(1, 1), 1);
    byte[] file = host.disks.contents(TestHost.PATH);
    file[32_768 + 100] ^= 1;
    host.disks.setContents(TestHost.PATH, file);
    host.restart();
    assertEquals(List.of(SectorState.LOST, SectorState.LOST), host.read(1, 0, 2).states());
    assertEquals(672L * SECTOR, host.open(2, 2));
    expect(ErrorCode.INVALID_ARGUMENT, () -> host.write(2, 0, TestHost.pattern(1, 1), 1));
    host.write(2, 672, TestHost.pattern(1, 1), 1);
  }

  @Test
  void damagedSuperblocksMakeAFailedShard() throws Exception {
    host.open(1, 1);
    byte[] file = host.disks.contents(TestHost.PATH);
    file[20] ^= 1;
    file[16_384 + 20] ^= 1;
    host.disks.setContents(TestHost.PATH, file);
    host.restart();
    assertTrue(host.shard.report().getFailed());
    expect(ErrorCode.SHARD_FAILED, () -> host.open(2, 1));
    expect(ErrorCode.SHARD_FAILED, () -> host.read(1, 0, 1));
    // it can still be taken away
    TestHost.join(host.shard.quarantine());
    assertTrue(host.gone);
    assertTrue(host.disks.exists(host.quarantine().resolve(TestHost.ID.fileName())));
  }

  @Test
  void aDeletedShardIsGoneForGood() throws Exception {
    host.open(1, 1);
    host.write(1, 0, TestHost.pattern(1, 1), 1);
    TestHost.join(host.shard.delete());
    assertTrue(host.gone);
    assertNull(host.shard.report());
    expect(ErrorCode.NO_SUCH_SHARD, () -> host.write(1, 1, TestHost.pattern(1, 1), 1));
    expect(ErrorCode.NO_SUCH_SHARD, () -> host.open(2, 1));
    host.disks.losePower(new Random(1));
    assertFalse(host.disks.exists(TestHost.PATH));
  }

  @Test
  void aCreationThatFailsLeavesNothing() throws Exception {
    host.disks.failForces(path -> true);
    expect(ErrorCode.SHARD_FAILED, () -> host.open(1, 1));
    assertTrue(host.gone);
    assertFalse(host.disks.exists(TestHost.PATH));
    assertNull(host.shard.report());
  }

  @Test
  void manySegmentsInOneProcessKeepFewPagesAndStayReadable() throws Exception {
    host.open(1, 1);
    for (int segment = 0; segment < 6; segment++) {
      host.write(1, segment * 672L + 3, TestHost.pattern(segment, 2), 1);
    }
    for (int round = 0; round < 2; round++) {
      for (int segment = 0; segment < 6; segment++) {
        assertArrayEquals(
            TestHost.pattern(segment, 2), host.read(1, segment * 672L + 3, 2).bytes());
      }
      host.seal(1);
    }
  }
}
