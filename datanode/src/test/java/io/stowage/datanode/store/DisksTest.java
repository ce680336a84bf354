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
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.stowage.common.error.ErrorCode;
import io.stowage.common.error.StoreException;
import io.stowage.common.fault.CrashPoint;
import io.stowage.common.proto.DiskInfo;
import io.stowage.common.proto.ListShardsRequest;
import io.stowage.common.proto.ShardReport;
import io.stowage.common.time.ManualClock;
import io.stowage.common.time.StoreClock;
import io.stowage.datanode.disk.DiskIdentity;
import io.stowage.datanode.disk.LocalDiskFiles;
import io.stowage.datanode.fault.SimulatedDisks;
import java.lang.Thread.State;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Random;
import java.util.concurrent.CompletableFuture;
import java.util.function.BooleanSupplier;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Several disks of one node: whose they are, and that each fails and fills by itself. */
class DisksTest {
  private static final Path D1 = Path.of("/sim/d1");
  private static final Path D2 = Path.of("/sim/d2");
  private static final StoreSettings SETTINGS = new StoreSettings(0, true, 64 << 20);

  private final SimulatedDisks disks = new SimulatedDisks();
  private ShardStore store;

  @AfterEach
  void close() {
    if (store != null) {
      store.close();
    }
  }

  private void start(Path... directories) throws StoreException {
    if (store != null) {
      store.close();
      disks.killProcess();
    }
    store = ShardStore.open(List.of(directories), disks, SETTINGS, StoreClock.system());
  }

  private Shard shardOn(Path directory, long container) {
    DiskInfo disk =
        store.diskInfos().stream()
            .filter(d -> d.getPath().equals(directory.toString()))
            .findFirst()
            .orElseThrow();
    return new Shard(store, disk.getDiskId(), container, 0);
  }

  private void expectStartFails(ErrorCode code, String words, Path... directories) {
    store.close();
    disks.killProcess();
    StoreException failure =
        assertThrows(
            StoreException.class,
            () -> ShardStore.open(List.of(directories), disks, SETTINGS, StoreClock.system()));
    assertEquals(code, failure.code(), failure.getMessage());
    assertTrue(failure.getMessage().contains(words), failure.getMessage());
  }

  private void await(BooleanSupplier condition) throws InterruptedException {
    long deadline = System.nanoTime() + 10_000_000_000L;
    while (!condition.getAsBoolean()) {
      assertTrue(System.nanoTime() < deadline, "not within ten seconds");
      store.checkDisks();
      Thread.onSpinWait();
    }
  }

  @Test
  void disksKeepTheirIdentity() throws Exception {
    start(D1, D2);
    String node = store.nodeId();
    List<String> ids = store.diskInfos().stream().map(DiskInfo::getDiskId).toList();
    store.joinCluster("c-1");
    store.hearLeaderEpoch(7);
    store.hearLeaderEpoch(3);
    assertEquals(7, store.leaderEpoch());
    start(D1, D2);
    assertEquals(node, store.nodeId());
    assertEquals(ids, store.diskInfos().stream().map(DiskInfo::getDiskId).toList());
    assertEquals("c-1", store.clusterId());
    assertEquals(7, store.leaderEpoch());
    StoreException other = assertThrows(StoreException.class, () -> store.joinCluster("c-2"));
    assertEquals(ErrorCode.WRONG_CLUSTER, other.code());
    start(D1, D2, Path.of("/sim/d3"));
    assertEquals("c-1", DiskIdentity.read(disks, Path.of("/sim/d3")).clusterId());
  }

  @Test
  void theHeardLeaderEpochSurvivesAPowerFailure() throws Exception {
    start(D1, D2);
    store.hearLeaderEpoch(5);
    store.close();
    disks.losePower(new Random(1));
    start(D1, D2);
    assertEquals(5, store.leaderEpoch());
  }

  /** Directories of shard files are made when they are needed, and last like what is in them. */
  @Test
  void directoriesOfShardFilesSurviveAPowerFailure() throws Exception {
    byte[] bytes = Shard.bytes(1, 4_096);
    for (int seed = 0; seed < 20; seed++) {
      Path directory = Path.of("/sim/seed" + seed);
      start(directory);
      for (int container = 1; container <= 4; container++) {
        Shard shard = shardOn(directory, container);
        shard.open(1, 1);
        shard.write(1, 0, bytes, 1);
      }
      store.close();
      disks.losePower(new Random(seed));
      start(directory);
      for (int container = 1; container <= 4; container++) {
        assertArrayEquals(bytes, shardOn(directory, container).read(1, 0, bytes.length));
      }
    }
  }

  @Test
  void nothingIsMadeInTheEmptyMountPointOfADisk(@TempDir Path real) throws Exception {
    Path disk = real.resolve("disk");
    store = ShardStore.open(List.of(disk), LocalDiskFiles.INSTANCE, SETTINGS, StoreClock.system());
    shardOn(disk, 1).open(1, 1);
    assertEquals(1, disk.resolve("shards").toFile().list().length);
    Files.move(disk, real.resolve("away"));
    Files.createDirectory(disk);
    assertThrows(Exception.class, () -> shardOn(disk, 2).open(1, 1));
    assertFalse(Files.exists(disk.resolve("shards")));
  }

  @Test
  void disksThatDoNotBelongTogetherStopTheStart() throws Exception {
    start(D1);
    store.joinCluster("c-1");
    byte[] identity = disks.contents(DiskIdentity.file(D1));
    disks.setContents(DiskIdentity.file(D2), identity);
    expectStartFails(ErrorCode.BAD_CONFIGURATION, "copy of the other", D1, D2);
    String text = new String(identity, StandardCharsets.UTF_8);
    String otherDisk = text.replaceAll("disk.id=.*", "disk.id=x");
    disks.setContents(
        DiskIdentity.file(D2), otherDisk.replace("c-1", "c-2").getBytes(StandardCharsets.UTF_8));
    expectStartFails(ErrorCode.WRONG_CLUSTER, "to cluster c-2", D1, D2);
    disks.setContents(
        DiskIdentity.file(D2),
        otherDisk.replaceAll("node.id=.*", "node.id=n").getBytes(StandardCharsets.UTF_8));
    expectStartFails(ErrorCode.BAD_CONFIGURATION, "belongs to datanode", D1, D2);
    disks.setContents(
        DiskIdentity.file(D2),
        otherDisk.replace("format.version=1", "format.version=2").getBytes(StandardCharsets.UTF_8));
    expectStartFails(ErrorCode.FORMAT_TOO_NEW, "format 2", D1, D2);
    expectStartFails(ErrorCode.BAD_CONFIGURATION, "named twice", D1, D1);
  }

  @Test
  void aDirectoryInUseStopsTheStart(@TempDir Path directory) throws Exception {
    store =
        ShardStore.open(List.of(directory), LocalDiskFiles.INSTANCE, SETTINGS, StoreClock.system());
    StoreException failure =
        assertThrows(
            StoreException.class,
            () ->
                ShardStore.open(
                    List.of(directory), LocalDiskFiles.INSTANCE, SETTINGS, StoreClock.system()));
    assertTrue(failure.getMessage().contains("in use"), failure.getMessage());
  }

  @Test
  void aDiskThatFailsTakesOnlyItselfOutAndComesBack() throws Exception {
    start(D1, D2);
    Shard one = shardOn(D1, 1);
    Shard two = shardOn(D2, 2);
    one.open(1, 1);
    two.open(1, 1);
    one.write(1, 0, Shard.bytes(1, 4096), 1);
    two.write(1, 0, Shard.bytes(2, 4096), 1);
    disks.failEverything(path -> path.startsWith(D1));
    one.expect(ErrorCode.SHARD_FAILED, () -> one.write(1, 4096, Shard.bytes(3, 4096), 1));
    assertTrue(store.diskInfos().get(0).getFailed());
    assertFalse(store.diskInfos().get(1).getFailed());
    one.expect(ErrorCode.SHARD_FAILED, () -> one.read(1, 0, 1));
    two.write(1, 4096, Shard.bytes(4, 4096), 1);
    assertArrayEquals(Shard.bytes(2, 4096), two.read(1, 0, 4096));
    disks.failEverything(path -> false);
    await(() -> !store.diskInfos().get(0).getFailed());
    assertArrayEquals(Shard.bytes(1, 4096), one.read(1, 0, 4096));
    assertEquals(4096, one.open(2, 2));
  }

  @Test
  void aDiskThatVanishesIsNoticedWithoutAWrite() throws Exception {
    start(D1, D2);
    shardOn(D1, 1).open(1, 1);
    byte[] identity = disks.contents(DiskIdentity.file(D1));
    disks.delete(DiskIdentity.file(D1));
    await(() -> store.diskInfos().get(0).getFailed());
    ShardReport out = store.list(ListShardsRequest.getDefaultInstance()).get().getShards(0);
    assertTrue(out.getFailed() && !out.getReadable());
    assertFalse(store.diskInfos().get(0).getReadable());
    disks.setContents(DiskIdentity.file(D1), identity);
    await(() -> !store.diskInfos().get(0).getFailed());
  }

  /** One that was out is looked at again and again; it may hang where it failed before. */
  @Test
  void aDiskThatHangsWhileItIsTakenInAgainKeepsNobodyFromTheOthers() throws Exception {
    start(D1, D2);
    Shard one = shardOn(D1, 1);
    one.open(1, 1);
    one.write(1, 0, Shard.bytes(1, 4096), 1);
    byte[] identity = disks.contents(DiskIdentity.file(D1));
    disks.delete(DiskIdentity.file(D1));
    await(() -> store.diskInfos().get(0).getFailed());
    disks.setContents(DiskIdentity.file(D1), identity);
    disks.hang(path -> path.startsWith(D1));
    try {
      store.checkDisks();
      identity = disks.contents(DiskIdentity.file(D2));
      disks.delete(DiskIdentity.file(D2));
      await(() -> store.diskInfos().get(1).getFailed());
      disks.setContents(DiskIdentity.file(D2), identity);
      await(() -> !store.diskInfos().get(1).getFailed());
      assertTrue(store.diskInfos().get(0).getFailed());
    } finally {
      disks.hang(path -> false);
    }
    await(() -> !store.diskInfos().get(0).getFailed());
    assertArrayEquals(Shard.bytes(1, 4096), one.read(1, 0, 4096));
  }

  /** What hangs below the page cache passes every look that only reads. */
  @Test
  void aDiskWhoseWritesHangTakesNoMoreAndIsReadOn() throws Exception {
    ManualClock clock = new ManualClock(5_000_000);
    store = ShardStore.open(List.of(D1, D2), disks, SETTINGS, clock);
    Shard one = shardOn(D1, 1);
    one.open(1, 1);
    one.write(1, 0, Shard.bytes(1, 4096), 1);
    disks.hangWrites(path -> path.startsWith(D1));
    try {
      clock.advance(Duration.ofSeconds(31));
      look();
      clock.advance(Duration.ofSeconds(50));
      look();
      assertFalse(store.diskInfos().get(0).getFailed(), "too early");
      clock.advance(Duration.ofSeconds(11));
      look();
      assertTrue(store.diskInfos().get(0).getFailed());
      assertTrue(
          store.diskInfos().get(0).getFailure().contains("has not ended for 61 s"),
          store.diskInfos().get(0)::toString);
      assertFalse(store.diskInfos().get(1).getFailed());
      one.expect(ErrorCode.SHARD_FAILED, () -> shardOn(D1, 3).open(1, 1));
      assertEquals(0, shardOn(D2, 3).open(1, 1));
      assertArrayEquals(Shard.bytes(1, 4096), one.read(1, 0, 4096));
    } finally {
      disks.hangWrites(path -> false);
    }
    await(() -> !store.diskInfos().get(0).getFailed());
    assertEquals(4096, one.open(2, 2));
  }

  /** Else one disk that hangs takes the others of its node along. */
  @Test
  void whatWaitsForADiskWhoseWritesHangGivesItsMemoryBack() throws Exception {
    ManualClock clock = new ManualClock(5_000_000);
    StoreSettings settings = new StoreSettings(0, true, 8 * 4096);
    store = ShardStore.open(List.of(D1, D2), disks, settings, clock);
    Shard one = shardOn(D1, 1);
    Shard two = shardOn(D2, 2);
    one.open(1, 1);
    two.open(1, 1);
    disks.hangWrites(path -> path.startsWith(D1));
    try {
      CompletableFuture<?> begun = one.writeAsync(1, 0, Shard.bytes(1, 4096), 1);
      look();
      CompletableFuture<?> waits = one.writeAsync(1, 4096, Shard.bytes(2, 7 * 4096), 1);
      two.expect(ErrorCode.OVERLOADED, () -> two.write(1, 0, Shard.bytes(3, 4096), 1));
      clock.advance(Duration.ofSeconds(31));
      look();
      clock.advance(Duration.ofSeconds(61));
      look();
      assertTrue(store.diskInfos().get(0).getFailed());
      assertEquals(ErrorCode.SHARD_FAILED, Shard.failure(waits).code());
      two.write(1, 0, Shard.bytes(3, 7 * 4096), 1);
      for (int i = 0; i < 9; i++) {
        one.expect(ErrorCode.SHARD_FAILED, () -> one.write(1, 4096, Shard.bytes(2, 4096), 1));
      }
      assertFalse(begun.isDone());
      disks.hangWrites(path -> false);
      Shard.await(begun);
      two.write(1, 7 * 4096, Shard.bytes(4, 8 * 4096), 1);
    } finally {
      disks.hangWrites(path -> false);
    }
  }

  /** What comes by just then, or later, and what SCM orders again and again. */
  @Test
  void nothingGathersAtADiskOnceItsWritesAreFoundToHang() throws Exception {
    ManualClock clock = new ManualClock(5_000_000);
    StoreSettings settings = new StoreSettings(0, true, 8 * 4096);
    store = ShardStore.open(List.of(D1, D2), disks, settings, clock);
    Shard one = shardOn(D1, 1);
    Shard two = shardOn(D2, 2);
    one.open(1, 1);
    two.open(1, 1);
    disks.hangWrites(path -> path.startsWith(D1));
    try {
      CompletableFuture<?> begun = one.writeAsync(1, 0, Shard.bytes(1, 4096), 1);
      look();
      CrashPoint beforeQueue = CrashPoint.named("datanode.write.before-queue");
      beforeQueue.arm(
          () -> { // it was told that the disk takes writes
            beforeQueue.arm(null);
            clock.advance(Duration.ofSeconds(31));
            look();
            clock.advance(Duration.ofSeconds(61));
            look();
          });
      CompletableFuture<?> late = one.writeAsync(1, 4096, Shard.bytes(2, 7 * 4096), 1);
      assertTrue(store.diskInfos().get(0).getFailed());
      assertEquals(ErrorCode.SHARD_FAILED, Shard.failure(late).code());
      two.write(1, 0, Shard.bytes(3, 7 * 4096), 1);
      one.expect(ErrorCode.SHARD_FAILED, () -> one.seal(1));
      assertEquals(ErrorCode.SHARD_FAILED, Shard.failure(store.delete(one.key())).code());
      assertFalse(begun.isDone());
    } finally {
      CrashPoint.disarmAll();
      disks.hangWrites(path -> false);
    }
  }

  @Test
  void aDiskThatDoesNotAnswerIsOut() throws Exception {
    ManualClock clock = new ManualClock(5_000_000);
    store = ShardStore.open(List.of(D1, D2), disks, SETTINGS, clock);
    disks.hang(path -> path.startsWith(D1));
    try {
      look();
      clock.advance(Duration.ofSeconds(29));
      look();
      assertFalse(store.diskInfos().get(0).getFailed(), "too early");
      clock.advance(Duration.ofSeconds(2));
      look();
      assertTrue(
          store.diskInfos().get(0).getFailure().contains("has not answered for 31 s"),
          store.diskInfos().get(0)::toString);
      assertFalse(store.diskInfos().get(1).getFailed());
    } finally {
      disks.hang(path -> false);
    }
    await(() -> !store.diskInfos().get(0).getFailed());
  }

  /** Has the disks looked at, and waits until the threads of those that answer rest. */
  private void look() {
    store.checkDisks();
    long deadline = System.nanoTime() + 10_000_000_000L;
    while (Thread.getAllStackTraces().keySet().stream()
        .filter(t -> t.getName().startsWith("disk-read-") || t.getName().startsWith("disk-write-"))
        .anyMatch(t -> t.getState() == State.RUNNABLE || t.getState() == State.BLOCKED)) {
      assertTrue(System.nanoTime() < deadline, "not within ten seconds");
      Thread.onSpinWait();
    }
  }

  @Test
  void aDiskThatOpensOnlyAfterTheNodeWasClosedIsClosed() throws Exception {
    start(D1, D2);
    byte[] identity = disks.contents(DiskIdentity.file(D1));
    disks.delete(DiskIdentity.file(D1));
    await(() -> store.diskInfos().get(0).getFailed());
    disks.setContents(DiskIdentity.file(D1), identity);
    disks.hang(path -> path.startsWith(D1));
    try {
      await(DisksTest::aDiskHangsWhileItIsOpened); // not one that was tried before
      store.close();
      assertEquals(0, disks.locksHeld());
    } finally {
      disks.hang(path -> false);
    }
    await(() -> disks.locksTaken() == 3 && disks.locksHeld() == 0);
  }

  private static boolean aDiskHangsWhileItIsOpened() {
    return Thread.getAllStackTraces().keySet().stream()
        .anyMatch(t -> t.getName().startsWith("disk-open-") && t.getState() == State.WAITING);
  }

  /** Else shards would grow in the directory that a mounted disk leaves behind when it goes. */
  @Test
  void nothingIsMadeWhereADiskWas(@TempDir Path directory) throws Exception {
    Path disk = directory.resolve("disk");
    Path away = directory.resolve("away");
    store = ShardStore.open(List.of(disk), LocalDiskFiles.INSTANCE, SETTINGS, StoreClock.system());
    Shard before = shardOn(disk, 1);
    before.open(1, 1);
    before.write(1, 0, Shard.bytes(1, 4096), 1);
    Shard after = shardOn(disk, 2);
    Files.move(disk, away);
    assertThrows(StoreException.class, () -> after.open(1, 1));
    assertFalse(Files.exists(disk), "made anew");
    await(() -> store.diskInfos().get(0).getFailed());
    assertFalse(Files.exists(disk), "made anew by the check");
    Files.move(away, disk);
    await(() -> !store.diskInfos().get(0).getFailed());
    assertEquals(0, after.open(2, 1));
    after.write(2, 0, Shard.bytes(2, 4096), 1);
  }

  @Test
  void startsWithoutADiskThatCannotBeRead() throws Exception {
    start(D1, D2);
    shardOn(D2, 2).open(1, 1);
    disks.failEverything(path -> path.startsWith(D1));
    start(D1, D2);
    assertEquals(1, store.diskInfos().size());
    assertEquals(0, shardOn(D2, 2).open(2, 1));
    disks.failEverything(path -> false);
    await(() -> store.diskInfos().size() == 2);
  }

  @Test
  void oneFileThatCannotBeReadIsOneFailedShard() throws Exception {
    start(D1);
    shardOn(D1, 1).open(1, 1);
    shardOn(D1, 2).open(1, 1);
    Path bad = disks.find("0000000000000001-0-0.shard").get(0);
    disks.failEverything(bad::equals);
    start(D1);
    assertEquals(2, store.reports().size());
    assertEquals(1, store.reports().stream().filter(ShardReport::getFailed).count());
    Shard one = shardOn(D1, 1);
    one.expect(ErrorCode.SHARD_FAILED, () -> one.open(2, 2));
    assertEquals(0, shardOn(D1, 2).open(2, 2));
  }

  @Test
  void aFullDiskRefusesItsOwnWritesOnly(@TempDir Path directory) throws Exception {
    long reserveAll = Long.MAX_VALUE / 4;
    store =
        ShardStore.open(
            List.of(directory),
            LocalDiskFiles.INSTANCE,
            new StoreSettings(reserveAll, true, 64 << 20),
            StoreClock.system());
    Shard shard = new Shard(store, store.diskInfos().get(0).getDiskId());
    shard.expect(ErrorCode.DISK_FULL, () -> shard.open(1, 1));
    assertEquals(0, store.diskInfos().get(0).getFreeBytes());
    assertFalse(store.diskInfos().get(0).getFailed());
    assertTrue(store.reports().isEmpty());
  }

  @Test
  void moreThanTheWriteMemoryIsRefusedAtOnce() throws Exception {
    store =
        ShardStore.open(List.of(D1), disks, new StoreSettings(0, true, 4096), StoreClock.system());
    Shard shard = shardOn(D1, 1);
    shard.open(1, 1);
    shard.expect(ErrorCode.OVERLOADED, () -> shard.write(1, 0, Shard.bytes(1, 8192), 1));
    shard.write(1, 0, Shard.bytes(1, 4096), 1);
  }

  @Test
  void aRebuiltShardReplacesItsElderOnTheSameDisk() throws Exception {
    start(D1);
    Shard elder = shardOn(D1, 1);
    elder.open(1, 1);
    var younger = elder.openRequest(2, 2).toBuilder();
    younger.getShardBuilder().setGeneration(1);
    Shard.await(store.open(younger.build()));
    Shard.await(store.delete(elder.key()));
    elder.expect(ErrorCode.NO_SUCH_SHARD, () -> elder.open(3, 3));
    assertEquals(1, store.reports().size());
    Shard.await(store.delete(elder.key())); // again: no error
  }

  @Test
  void aQuarantinedShardIsReportedAndKept() throws Exception {
    start(D1);
    Shard shard = shardOn(D1, 1);
    shard.open(1, 1);
    Shard.await(store.quarantine(shard.key()));
    shard.expect(ErrorCode.NO_SUCH_SHARD, () -> shard.read(1, 0, 1));
    assertTrue(store.reports().get(0).getQuarantined());
    start(D1);
    assertTrue(store.reports().get(0).getQuarantined());
    assertEquals(1, disks.find(".shard").size());
  }
}
