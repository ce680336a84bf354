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
import static org.junit.jupiter.api.Assertions.assertDoesNotThrow;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTimeoutPreemptively;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.stowage.common.error.ErrorCode;
import io.stowage.common.error.StoreException;
import io.stowage.common.log.LogListener;
import io.stowage.common.proto.DamagedShard;
import io.stowage.common.proto.DiskInfo;
import io.stowage.common.proto.SectorState;
import io.stowage.common.proto.ShardReport;
import io.stowage.common.time.StoreClock;
import io.stowage.datanode.disk.DiskIdentity;
import io.stowage.datanode.fault.SimulatedDisks;
import io.stowage.datanode.shard.MemoryBudget;
import io.stowage.datanode.shard.PageCache;
import io.stowage.datanode.shard.ShardCheck;
import io.stowage.datanode.shard.ShardId;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Collections;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.CountDownLatch;
import java.util.function.BooleanSupplier;
import org.apache.log4j.Logger;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** Disks that are full, read-only, worn out, empty or somebody else's: nothing is lost by them. */
class DiskFaultTest {
  private static final Path D1 = Path.of("/sim/d1");
  private static final Path D2 = Path.of("/sim/d2");
  private static final StoreSettings SETTINGS = new StoreSettings(0, true, 64 << 20);

  private final SimulatedDisks disks = new SimulatedDisks();
  private final List<String> logged = new CopyOnWriteArrayList<>();
  private LogListener listening;
  private ShardStore store;

  @BeforeEach
  void listen() {
    listening =
        new LogListener(
            Logger.getLogger(Disk.class.getPackageName()),
            event -> logged.add(event.getLevel() + " " + event.getRenderedMessage()));
  }

  @AfterEach
  void close() {
    listening.close();
    if (store != null) {
      store.close();
    }
  }

  /** The log has one line, and no more, that begins so, names the disk and says this. */
  private void assertLogged(String begins, String diskId, Path directory, String says) {
    List<String> lines =
        logged.stream()
            .filter(line -> line.startsWith(begins))
            .filter(line -> line.contains(diskId) && line.contains(directory.toString()))
            .filter(line -> line.contains(says))
            .toList();
    assertEquals(1, lines.size(), () -> says + " in " + logged);
  }

  /** A disk is out before the line is there that says so. */
  private boolean isLogged(String begins) {
    return logged.stream().anyMatch(line -> line.startsWith(begins));
  }

  private void start(Path... directories) throws StoreException {
    if (store != null) {
      store.close();
      disks.killProcess();
    }
    store = ShardStore.open(List.of(directories), disks, SETTINGS, StoreClock.system());
  }

  private DiskInfo disk(Path directory) {
    return store.diskInfos().stream()
        .filter(d -> d.getPath().equals(directory.toString()))
        .findFirst()
        .orElseThrow();
  }

  private Shard shardOn(Path directory, long container) {
    return new Shard(store, disk(directory).getDiskId(), container, 0);
  }

  private void await(BooleanSupplier condition) {
    long deadline = System.nanoTime() + 10_000_000_000L;
    while (!condition.getAsBoolean()) {
      assertTrue(System.nanoTime() < deadline, "not within ten seconds");
      store.checkDisks();
      Thread.onSpinWait();
    }
  }

  @Test
  void aReadOnlyDiskServesReadsAndSaysSo() throws Exception {
    start(D1, D2);
    Shard one = shardOn(D1, 1);
    Shard two = shardOn(D2, 2);
    one.open(1, 1);
    two.open(1, 1);
    one.write(1, 0, Shard.bytes(1, 8192), 1);
    disks.allowWrites(path -> !path.startsWith(D1));
    one.expect(ErrorCode.SHARD_FAILED, () -> one.write(1, 8192, Shard.bytes(2, 4096), 1));
    assertTrue(disk(D1).getFailed());
    assertTrue(disk(D1).getFailure().contains("a write to it fails"), disk(D1).getFailure());
    assertLogged("ERROR Disk", disk(D1).getDiskId(), D1, "takes no more writes");
    assertEquals(0, disk(D1).getFreeBytes());
    assertTrue(disk(D1).getReadable());
    ShardReport failed = store.report(disk(D1).getDiskId(), ShardId.of(one.key()));
    assertTrue(failed.getFailed() && failed.getReadable());
    Shard other = shardOn(D1, 3);
    other.expect(ErrorCode.SHARD_FAILED, () -> other.open(1, 1));
    for (int i = 0; i < 3; i++) {
      store.checkDisks();
      assertArrayEquals(Shard.bytes(1, 8192), one.read(1, 0, 8192), "still there to be copied");
    }
    two.write(1, 0, Shard.bytes(3, 4096), 1);
    start(D1, D2); // also a new process serves what it finds
    assertTrue(disk(D1).getFailed());
    assertArrayEquals(Shard.bytes(1, 8192), shardOn(D1, 1).read(1, 0, 8192));
    disks.failForces(path -> path.startsWith(D1)); // of directories as well
    start(D1, D2);
    assertTrue(disk(D1).getFailed());
    assertArrayEquals(Shard.bytes(1, 8192), shardOn(D1, 1).read(1, 0, 8192));
    disks.failForces(path -> false);
    disks.allowWrites(path -> true);
    await(() -> !disk(D1).getFailed());
    assertFalse(disk(D1).getReadable());
    assertEquals(0, shardOn(D1, 3).open(1, 1));
    assertArrayEquals(Shard.bytes(1, 8192), shardOn(D1, 1).read(1, 0, 8192));
  }

  /**
   * Nor what was cut short there, nor another leader, keeps a node from what its disk still has.
   */
  @Test
  void aNodeWhoseOnlyDiskIsReadOnlyStartsAndHearsTheLeader() throws Exception {
    start(D1);
    store.hearLeaderEpoch(3);
    Shard one = shardOn(D1, 1);
    one.open(1, 1);
    one.write(1, 0, Shard.bytes(1, 8192), 1);
    Shard.await(store.quarantine(one.key()));
    Path aside = disks.find(".since").get(0);
    disks.delete(aside);
    Shard two = shardOn(D1, 2);
    two.open(1, 1);
    two.write(1, 0, Shard.bytes(2, 8192), 1);
    Path cutShort = Path.of(disks.find("2-0-0.shard").get(0) + ".new");
    disks.setContents(cutShort, new byte[1]);
    disks.allowWrites(path -> false);
    start(D1);
    assertTrue(disk(D1).getFailed() && disk(D1).getReadable(), logged::toString);
    assertArrayEquals(Shard.bytes(2, 8192), shardOn(D1, 2).read(1, 0, 8192));
    store.hearLeaderEpoch(12);
    assertEquals(12, store.leaderEpoch());
    disks.allowWrites(path -> !path.endsWith("leader-epoch.new") && !path.equals(cutShort));
    for (int i = 0; i < 3; i++) {
      store.checkDisks();
      assertTrue(disk(D1).getFailed(), "it has not noted the leader");
      assertArrayEquals(Shard.bytes(2, 8192), shardOn(D1, 2).read(1, 0, 8192), "read meanwhile");
    }
    disks.allowWrites(path -> !path.equals(cutShort));
    await(() -> !disk(D1).getFailed());
    assertEquals("12\n", noted(D1), "before anybody is told that it takes writes");
    assertTrue(disks.exists(cutShort), "which keeps no disk out");
    assertTrue(disks.exists(aside));
  }

  @Test
  void aLeaderEpochIsNotedAgainWhereItFailed() throws Exception {
    start(D1, D2);
    disks.allowWrites(path -> !path.equals(D2.resolve("leader-epoch.new")));
    store.hearLeaderEpoch(7);
    assertEquals("7\n", noted(D1));
    assertFalse(disk(D2).getFailed());
    disks.allowWrites(path -> true);
    await(() -> disks.exists(D2.resolve("leader-epoch")) && noted(D2).equals("7\n"));
  }

  @Test
  void leaderEpochsOfOneDiskAreNotedInOrder() throws Exception {
    start(D1);
    try (Disk disk = anotherOf(D1)) {
      disks.hangWrites(path -> path.endsWith("leader-epoch.new"));
      CompletableFuture<Void> seven = disk.writeLeaderEpoch(7);
      CompletableFuture<Void> nine = disk.writeLeaderEpoch(9);
      CompletableFuture<Void> eight = disk.writeLeaderEpoch(8);
      disks.hangWrites(path -> false);
      CompletableFuture.allOf(seven, nine, eight).join();
      assertEquals("9\n", noted(D1));
    }
  }

  @Test
  void whoAsksADiskForItsRoomHoldsUpNobodyWhoNotesTheLeader() throws Exception {
    start(D1);
    try (Disk disk = anotherOf(D1)) {
      CountDownLatch hangs = new CountDownLatch(1);
      disks.hang(
          path -> {
            hangs.countDown();
            return path.equals(D1);
          });
      CompletableFuture<Void> asking =
          CompletableFuture.runAsync(
              () -> assertDoesNotThrow(() -> disk.admit(1)), task -> new Thread(task).start());
      hangs.await();
      assertTimeoutPreemptively(
          Duration.ofSeconds(20),
          () -> {
            disk.writeLeaderEpochLater(7);
            assertFalse(disk.writeLeaderEpoch(8).isDone());
          });
      disks.hang(path -> false);
      asking.join();
    } finally {
      disks.hang(path -> false);
    }
  }

  private Disk anotherOf(Path directory) throws IOException {
    return new Disk(
        directory,
        DiskIdentity.read(disks, directory),
        () -> {},
        disks,
        SETTINGS,
        new MemoryBudget(1 << 20),
        new PageCache(8),
        StoreClock.system(),
        new DamagedShards(StoreClock.system()),
        (diskId, shard) -> {});
  }

  /** It was made writable before a write found that it was not. */
  @Test
  void whatWasOpenedToBeReadOnlyIsWrittenLater() throws Exception {
    start(D1);
    Shard one = shardOn(D1, 1);
    one.open(1, 1);
    one.write(1, 0, Shard.bytes(1, 8192), 1);
    start(D1);
    one = shardOn(D1, 1);
    disks.allowWrites(path -> false);
    assertArrayEquals(Shard.bytes(1, 8192), one.read(1, 0, 8192));
    disks.allowWrites(path -> true);
    one.write(1, 8192, Shard.bytes(2, 8192), 1);
    assertArrayEquals(Shard.bytes(2, 8192), one.read(1, 8192, 8192));
  }

  @Test
  void aDiskWhoseLockOthersMayHoldTakesNoWrites() throws Exception {
    start(D1);
    disks.allowWrites(path -> !path.endsWith("in-use.lock"));
    start(D1);
    assertTrue(disk(D1).getFailed() && disk(D1).getReadable(), logged::toString);
    disks.allowWrites(path -> true);
    await(() -> !disk(D1).getFailed());
  }

  private String noted(Path directory) {
    try {
      return new String(disks.contents(directory.resolve("leader-epoch")), StandardCharsets.UTF_8);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  @Test
  void aNodeWhoseOnlyDiskIsFullHearsTheLeader() throws Exception {
    start(D1);
    store.hearLeaderEpoch(3);
    disks.setCapacity(disks.usedBytes());
    store.hearLeaderEpoch(12);
    start(D1);
    assertFalse(disk(D1).getFailed());
    assertEquals(12, store.leaderEpoch());
  }

  @Test
  void aSpotThatCannotBeReadLosesItsOwnSectorsOnly() throws Exception {
    start(D1);
    Shard one = shardOn(D1, 1);
    one.open(1, 1);
    one.write(1, 0, Shard.bytes(1, 40 * 4096), 1);
    Path file = disks.find("-0-0.shard").get(0);
    long sector5 = 32_768 + 8_192 + 5 * 4_096;
    disks.failReads(file, sector5 + 1_000, sector5 + 5_000);
    var read = one.readSectors(1, 0, 40 * 4096);
    List<SectorState> states = Shard.states(read.reply());
    for (int i = 0; i < 40; i++) {
      assertEquals(i == 5 || i == 6 ? SectorState.LOST : SectorState.WRITTEN, states.get(i));
    }
    assertEquals(7, store.damaged().nextSuspect(disk(D1).getDiskId()).container() + 6);
    disks.failReads(file, 0, Long.MAX_VALUE);
    one.expect(ErrorCode.SHARD_FAILED, () -> one.readSectors(1, 0, 40 * 4096));
  }

  @Test
  void aBadSpotInOneOfTwoSlotsLosesNothing() throws Exception {
    start(D1);
    Shard one = shardOn(D1, 1);
    one.open(1, 1);
    one.write(1, 0, Shard.bytes(1, 700 * 4096), 1);
    one.seal(1);
    Path file = disks.find("-0-0.shard").get(0);
    for (int slot = 0; slot < 2; slot++) {
      start(D1); // nothing is in memory
      long page = 32_768 + slot * 4_096L;
      disks.failReads(file, page + 4_000, page + 4_001);
      assertEquals(Collections.nCopies(700, SectorState.WRITTEN), states(one(), 700));
      scrub(one());
      DamagedShard told = store.damaged().list().get(0);
      assertEquals("a checksum page of segment 0 is damaged", told.getWhat());
      disks.failReads(file, slot * 16_384L, slot * 16_384L + 1);
      start(D1);
      assertFalse(store.reports().get(0).getFailed());
      assertEquals(Collections.nCopies(700, SectorState.WRITTEN), states(one(), 700));
      scrub(one());
      told = store.damaged().list().get(0);
      assertEquals("superblock " + slot + " is damaged", told.getWhat());
    }
    disks.failReads(file, 32_768, 32_768 + 8_192);
    start(D1);
    List<SectorState> states = states(one(), 700);
    assertEquals(Collections.nCopies(672, SectorState.LOST), states.subList(0, 672));
    assertEquals(Collections.nCopies(28, SectorState.WRITTEN), states.subList(672, 700));
    disks.failReads(null, 0, 0);
    assertEquals(Collections.nCopies(700, SectorState.WRITTEN), states(one(), 700));
  }

  private Shard one() {
    return shardOn(D1, 1);
  }

  private static List<SectorState> states(Shard shard, int sectors) throws Exception {
    return Shard.states(shard.readSectors(1, 0, sectors * 4096).reply());
  }

  private void scrub(Shard shard) throws Exception {
    store.check(disk(D1).getDiskId(), ShardId.of(shard.key()), bytes -> {}, ShardCheck.memory());
  }

  @Test
  void aFullDiskIsReadOnAndTakesWritesWhenThereIsRoom() throws Exception {
    start(D1);
    Shard one = shardOn(D1, 1);
    one.open(1, 1);
    one.write(1, 0, Shard.bytes(1, 4096), 1);
    disks.setCapacity(disks.usedBytes() + 4096);
    one.expect(ErrorCode.DISK_FULL, () -> one.write(1, 4096, Shard.bytes(2, 65_536), 1));
    await( // room is measured now and then
        () -> {
          assertThrows(StoreException.class, () -> one.write(1, 4096, Shard.bytes(2, 65_536), 1));
          return logged.toString().contains("is full");
        });
    for (int i = 1; i <= 3; i++) { // what is short still fits
      disks.setCapacity(disks.usedBytes() + 3 * 4096);
      one.write(1, i * 4096L, Shard.bytes(2, 4096), 1);
      one.expect(ErrorCode.DISK_FULL, () -> one.write(1, 16_384, Shard.bytes(3, 65_536), 1));
    }
    assertLogged("WARN Disk", disk(D1).getDiskId(), D1, "is full");
    assertFalse(disk(D1).getFailed());
    assertArrayEquals(Shard.bytes(1, 4096), one.read(1, 0, 4096));
    disks.setCapacity(Long.MAX_VALUE);
    one.write(1, 16_384, Shard.bytes(3, 65_536), 1);
    assertLogged("INFO Disk", disk(D1).getDiskId(), D1, "has room again");
    assertArrayEquals(Shard.bytes(3, 65_536), one.read(1, 16_384, 65_536));
  }

  @Test
  void anEmptyDiskIsANewDisk() throws Exception {
    start(D1, D2);
    store.joinCluster("c-1");
    shardOn(D1, 1).open(1, 1);
    shardOn(D2, 2).open(1, 1);
    String node = store.nodeId();
    String before = disk(D1).getDiskId();
    for (Path file : disks.find("")) {
      if (file.startsWith(D1)) {
        disks.delete(file);
      }
    }
    start(D1, D2);
    assertEquals(node, store.nodeId());
    assertNotEquals(before, disk(D1).getDiskId(), "nobody may take it for the one that had shards");
    assertLogged("WARN Directory", disk(D1).getDiskId(), D1, "is now the new, empty disk");
    assertEquals("c-1", DiskIdentity.read(disks, D1).clusterId());
    assertEquals(1, store.reports().size());
    Shard gone = new Shard(store, before, 1, 0);
    gone.expect(ErrorCode.NO_SUCH_SHARD, () -> gone.read(1, 0, 1));
  }

  @Test
  void aDiskOfAnotherClusterOrNodeIsLeftAloneWhileTheNodeRuns() throws Exception {
    start(D1, D2);
    store.joinCluster("c-1");
    shardOn(D1, 1).open(1, 1);
    String id = disk(D1).getDiskId();
    String identity = new String(disks.contents(DiskIdentity.file(D1)), StandardCharsets.UTF_8);
    for (String[] change :
        new String[][] {
          {"cluster.id=c-1", "cluster.id=c-2"}, {"node.id=" + store.nodeId(), "node.id=other"}
        }) {
      String foreign = identity.replace(change[0], change[1]).replace(id, "foreign");
      disks.setContents(DiskIdentity.file(D1), foreign.getBytes(StandardCharsets.UTF_8));
      await(() -> disk(D1).getFailed() && isLogged("ERROR Disk"));
      assertTrue(disk(D1).getFailure().contains("another disk"), disk(D1).getFailure());
      store.checkDisks();
      store.checkDisks();
      assertTrue(disk(D1).getFailed());
      assertEquals(
          foreign,
          new String(disks.contents(DiskIdentity.file(D1)), StandardCharsets.UTF_8),
          "nothing was overwritten");
      assertLogged("ERROR Disk", id, D1, "is out: another disk is in its place");
      logged.clear();
      disks.setContents(DiskIdentity.file(D1), identity.getBytes(StandardCharsets.UTF_8));
      await(() -> !disk(D1).getFailed());
      assertEquals(0, shardOn(D1, 1).open(1, 1));
    }
    disks.delete(DiskIdentity.file(D1));
    logged.clear();
    await(() -> disk(D1).getFailed() && isLogged("ERROR Disk"));
    assertLogged("ERROR Disk", id, D1, "is gone");
  }

  @Test
  void aNodeOfAnotherClusterRefusesToJoin() throws Exception {
    start(D1);
    store.joinCluster("c-1");
    StoreException refused = assertThrows(StoreException.class, () -> store.joinCluster("c-2"));
    assertEquals(ErrorCode.WRONG_CLUSTER, refused.code());
    Shard one = shardOn(D1, 1);
    var open = one.openRequest(1, 1).toBuilder().setClusterId("c-2").build();
    assertEquals(ErrorCode.WRONG_CLUSTER, Shard.failure(store.open(open)).code());
    assertEquals(List.of(), store.reports());
  }
}
