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
package io.stowage.datanode.scrub;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.stowage.common.error.ErrorCode;
import io.stowage.common.proto.DamagedShard;
import io.stowage.common.proto.SectorState;
import io.stowage.common.proto.ShardReport;
import io.stowage.common.time.ManualClock;
import io.stowage.common.time.StoreClock;
import io.stowage.datanode.fault.SimulatedDisks;
import io.stowage.datanode.shard.ShardCheck;
import io.stowage.datanode.shard.ShardId;
import io.stowage.datanode.store.Shard;
import io.stowage.datanode.store.ShardStore;
import io.stowage.datanode.store.StoreSettings;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.function.BooleanSupplier;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** Shards read over on a cycle, and what is found. */
class ScrubberTest {
  private static final Path D1 = Path.of("/sim/d1");
  private static final ScrubSettings OFTEN = new ScrubSettings(0, Duration.ofMillis(10));
  private static final ScrubSettings ONCE = new ScrubSettings(0, Duration.ofDays(14));
  private static final long SEGMENT = 8_192 + 672 * 4_096L;

  private final SimulatedDisks disks = new SimulatedDisks();
  private ShardStore store;
  private Scrubber scrubber;
  private String disk;

  @BeforeEach
  void start() throws Exception {
    store =
        ShardStore.open(
            List.of(D1), disks, new StoreSettings(0, true, 64 << 20), StoreClock.system());
    disk = store.diskInfos().get(0).getDiskId();
  }

  @AfterEach
  void close() {
    stopScrubbing();
    store.close();
  }

  private void scrub(ScrubSettings settings, StoreClock clock) {
    stopScrubbing();
    scrubber = new Scrubber(store, settings, clock);
  }

  private void stopScrubbing() {
    if (scrubber != null) {
      scrubber.close();
    }
  }

  /** A shard of two segments, the second begun. */
  private Shard shard(long container, boolean sealed) throws Exception {
    Shard shard = new Shard(store, disk, container, 0);
    shard.open(1, 1);
    shard.write(1, 0, Shard.bytes(container, 700 * 4_096), 0b111);
    if (sealed) {
      shard.seal(1);
    }
    return shard;
  }

  private static Path file(long container) {
    return D1.resolve("shards")
        .resolve(String.format("%02x", container & 0xff))
        .resolve(String.format("%016x-0-0.shard", container));
  }

  private static void await(String what, BooleanSupplier condition) {
    long deadline = System.nanoTime() + 20_000_000_000L;
    while (!condition.getAsBoolean()) {
      assertTrue(System.nanoTime() < deadline, what + " not within twenty seconds");
      Thread.onSpinWait();
    }
  }

  private DamagedShard damage(long container) {
    return store.damaged().list().stream()
        .filter(d -> d.getShard().getContainer() == container)
        .findFirst()
        .orElse(null);
  }

  private void awaitCycle() {
    String before = cursor();
    await("a cycle", () -> cursor() != null && !cursor().equals(before));
    String then = cursor();
    await("another cycle", () -> !cursor().equals(then));
  }

  private String cursor() {
    try {
      return new String(disks.contents(D1.resolve("scrub-cursor")), StandardCharsets.UTF_8);
    } catch (java.io.IOException e) {
      return null;
    }
  }

  @Test
  void findsFlippedBytesWhereverTheyAre() throws Exception {
    long[] positions = {
      100, // superblock 0
      16_384 + 5_000, // superblock 1
      32_768 + 70, // page slot 0 of segment 0
      32_768 + 4_096 + 2_000, // page slot 1
      32_768 + SEGMENT + 64, // page of segment 1
      32_768 + 8_192, // first sector
      32_768 + 8_192 + 672 * 4_096 - 1, // last sector of a segment
      32_768 + SEGMENT + 8_192 + 9 * 4_096 + 17 // a sector of segment 1
    };
    for (boolean sealed : new boolean[] {true, false}) {
      for (int i = 0; i < positions.length; i++) {
        shard(1 + i + (sealed ? 0 : 100), sealed);
      }
      shard(sealed ? 99 : 199, sealed);
    }
    scrub(OFTEN, StoreClock.system());
    awaitCycle();
    assertEquals(List.of(), store.damaged().list(), "nothing is damaged yet");
    for (int i = 0; i < positions.length; i++) {
      disks.flipByte(file(1 + i), positions[i]);
    }
    // of an open shard only data and what it will not write again
    disks.flipByte(file(106), positions[5]);
    disks.flipByte(file(107), positions[6]);
    await("all found", () -> store.damaged().count() == positions.length + 2);
    for (int i = 0; i < positions.length; i++) {
      DamagedShard found = damage(1 + i);
      assertEquals(i >= 5 ? 1 : 0, found.getSectors(), found.getWhat());
      assertTrue(
          found
              .getWhat()
              .contains(i < 2 ? "superblock " + i : i < 5 ? "checksum page" : "miss their CRC"),
          found.getWhat());
    }
    // told until the shard is gone
    Shard.await(store.delete(new Shard(store, disk, 6, 0).key()));
    await("one fewer", () -> damage(6) == null);
    awaitCycle();
    assertEquals(positions.length + 1, store.damaged().count());
  }

  @Test
  void bothPagesOfASegmentGoneLoseAllOfIt() throws Exception {
    shard(1, true);
    disks.flipByte(file(1), 32_768 + 70);
    disks.flipByte(file(1), 32_768 + 4_096 + 70);
    scrub(OFTEN, StoreClock.system());
    await("found", () -> damage(1) != null);
    assertEquals(672, damage(1).getSectors());
  }

  @Test
  void findsFilesThatAreGoneAndFilesThatNobodyKnew() throws Exception {
    shard(1, true);
    shard(2, true);
    byte[] bytes = disks.contents(file(2));
    Shard.await(store.delete(new Shard(store, disk, 2, 0).key()));
    assertEquals(1, store.reports().size());
    disks.delete(file(1));
    disks.setContents(file(2), bytes);
    scrub(OFTEN, StoreClock.system());
    await("gone found", () -> damage(1) != null);
    assertTrue(damage(1).getWhat().contains("gone"), damage(1).getWhat());
    assertEquals(700, damage(1).getSectors());
    await("the other reported", () -> store.reports().size() == 2);
    for (ShardReport report : store.reports()) {
      assertEquals(report.getContainer() == 1, report.getFailed());
    }
    Shard two = new Shard(store, disk, 2, 0);
    assertArrayEquals(Shard.bytes(2, 700 * 4_096), two.read(1, 0, 700 * 4_096));
    Shard.await(store.delete(new Shard(store, disk, 1, 0).key()));
    await("no longer told", () -> store.damaged().count() == 0);
  }

  @Test
  void aDirectoryThatCannotBeListedKeepsNobodyFromTheCheck() throws Exception {
    shard(1, true);
    shard(2, true);
    disks.flipByte(file(1), 40_968);
    disks.flipByte(file(2), 40_968);
    disks.failEverything(file(1).getParent()::equals);
    scrub(ONCE, StoreClock.system());
    await("the end of the cycle", () -> cursor() != null && cursor().contains(" 256 "));
    assertTrue(damage(1) != null, "it was known");
    assertTrue(damage(2) != null);
  }

  @Test
  void goesOnWhereItStopped() throws Exception {
    for (long container = 1; container <= 5; container++) {
      shard(container, true);
    }
    ManualClock clock = new ManualClock(5_000_000);
    // 2.9 MB a shard: its end has to wait for the clock, and so has the second one's
    scrub(new ScrubSettings(1_000_000, Duration.ofDays(14)), clock);
    await("it waits", this::scrubberWaits);
    clock.advance(Duration.ofMillis(3_500));
    await("the first shard is done", () -> cursor() != null && cursor().contains("0001-0-0"));
    stopScrubbing();
    assertTrue(cursor().startsWith("5000000 2 "), cursor()); // directory 02 has the second shard
    for (long container : new long[] {1, 4}) {
      disks.flipByte(file(container), 40_968);
    }
    scrub(ONCE, clock);
    await("the end of the cycle", () -> cursor().equals("5000000 256 \n"));
    assertEquals(1, store.damaged().count(), "shard 1 was done before");
    assertTrue(damage(4) != null);
    // the next cycle begins when its time has come
    clock.advance(Duration.ofDays(15));
    await("the other one", () -> damage(1) != null);
  }

  private boolean scrubberWaits() {
    return Thread.getAllStackTraces().keySet().stream()
        .anyMatch(
            thread ->
                thread.getName().equals("datanode-scrub-" + disk)
                    && thread.getState() == Thread.State.TIMED_WAITING);
  }

  /** Else whoever may read anything of a shard could have it read through again and again. */
  @Test
  void whoAsksForAnEpochThatDidNotWriteASectorMakesNobodySuspect() throws Exception {
    Shard shard = shard(1, true);
    disks.flipByte(file(1), 40_968);
    var another = shard.readSectors(9, 0, 4_096);
    assertEquals(List.of(SectorState.LOST), Shard.states(another.reply()));
    assertEquals(null, store.damaged().nextSuspect(disk));
    var own = shard.readSectors(1, 0, 4_096);
    assertEquals(List.of(SectorState.LOST), Shard.states(own.reply()));
    assertEquals(1, store.damaged().nextSuspect(disk).container());
  }

  /** Readers tell again and again of what no check finds, as of holes in open containers. */
  @Test
  void whatWasJustCheckedOnAReportIsNotCheckedAgain() throws Exception {
    ManualClock clock = new ManualClock(5_000_000);
    store.close();
    store = ShardStore.open(List.of(D1), disks, new StoreSettings(0, true, 64 << 20), clock);
    Shard one = shard(1, true);
    Shard two = shard(2, true);
    store.verify(one.key());
    assertEquals(1, store.damaged().nextSuspect(disk).container());
    clock.advance(Duration.ofMinutes(8));
    store.verify(one.key());
    assertEquals(null, store.damaged().nextSuspect(disk));
    store.verify(two.key());
    assertEquals(2, store.damaged().nextSuspect(disk).container());
    store.check(disk, ShardId.of(one.key()), bytes -> {}, ShardCheck.memory()); // it ends only now
    clock.advance(Duration.ofMinutes(8));
    store.verify(one.key());
    assertEquals(null, store.damaged().nextSuspect(disk));
    clock.advance(Duration.ofMinutes(3));
    store.verify(one.key());
    assertEquals(1, store.damaged().nextSuspect(disk).container());
  }

  @Test
  void suspectsAreCheckedFirst() throws Exception {
    Shard one = shard(1, true);
    Shard two = shard(2, true);
    ManualClock clock = new ManualClock(5_000_000);
    scrub(ONCE, clock);
    await("the end of the cycle", () -> cursor() != null && cursor().contains(" 256 "));
    disks.flipByte(file(1), 40_968);
    disks.flipByte(file(2), 40_968);
    assertEquals(0, store.damaged().count());
    store.verify(one.key()); // by order
    await("found by order", () -> damage(1) != null);
    var lost = two.readSectors(1, 0, 4_096); // by a reader
    assertEquals(1, lost.reply().getSectorsCount());
    await("found by a read", () -> damage(2) != null);
    one.expect(
        ErrorCode.NO_SUCH_SHARD, () -> store.verify(one.key().toBuilder().setIndex(3).build()));
  }

  @Test
  void aShardThatIsBeingWrittenIsNoCauseForAlarm() throws Exception {
    Shard shard = new Shard(store, disk, 1, 0);
    shard.open(1, 1);
    scrub(OFTEN, StoreClock.system());
    boolean alarm = false;
    for (int i = 0; i < 300; i++) {
      CompletableFuture<?> first = shard.writeAsync(1, i * 8_192L, Shard.bytes(i, 4_096), 1);
      CompletableFuture<?> second =
          shard.writeAsync(1, i * 8_192L + 4_096, Shard.bytes(i, 4_096), 7);
      Shard.await(first);
      Shard.await(second);
      if (i % 100 == 50) {
        shard.open(1, 1);
      }
      alarm |= store.damaged().count() > 0;
    }
    shard.seal(1);
    awaitCycle();
    assertFalse(alarm);
    assertEquals(List.of(), store.damaged().list());
  }

  @Test
  void quarantinedShardsComeBackOrGoByOrder() throws Exception {
    Shard one = shard(1, true);
    Shard two = shard(2, true);
    long before = StoreClock.system().wallMicros();
    Shard.await(store.quarantine(one.key()));
    Shard.await(store.quarantine(two.key()));
    Shard.await(store.quarantine(two.key())); // again
    scrub(OFTEN, StoreClock.system());
    awaitCycle();
    assertEquals(List.of(), store.damaged().list(), "what is set aside is not looked for");
    assertEquals(2, store.reports().stream().filter(ShardReport::getQuarantined).count());
    long since = store.reports().get(0).getQuarantinedMicros();
    assertTrue(since >= before && since <= StoreClock.system().wallMicros());
    Shard.await(store.restore(one.key()));
    Shard.await(store.restore(one.key())); // again
    assertArrayEquals(Shard.bytes(1, 700 * 4_096), one.read(1, 0, 700 * 4_096));
    Shard.await(store.delete(two.key()));
    two.expect(ErrorCode.NO_SUCH_SHARD, () -> Shard.await(store.restore(two.key())));
    assertEquals(1, store.reports().size());
    assertEquals(1, disks.find(".shard").size());
    assertEquals(0, disks.find(".since").size());
    stopScrubbing();
    store.close();
    disks.killProcess();
    start();
    assertEquals(1, store.reports().size());
    assertFalse(store.reports().get(0).getQuarantined());
  }
}
