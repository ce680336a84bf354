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

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.netty.buffer.ByteBufUtil;
import io.stowage.common.data.ShardService.ShardBytes;
import io.stowage.common.error.ErrorCode;
import io.stowage.common.error.StoreException;
import io.stowage.common.proto.SectorState;
import io.stowage.common.time.StoreClock;
import io.stowage.datanode.fault.SimulatedDisks;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.EnumSet;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.Set;
import java.util.TreeMap;
import java.util.concurrent.CompletableFuture;
import org.junit.jupiter.api.Test;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Writers, and then the power fails at all disks at once, or the process dies, or forces fail:
 * again and again on the same files. After each restart everything that was answered must be there
 * and right, and nothing may read as written that nobody tried to write.
 */
class PowerLossTest {
  private static final Logger LOG = LoggerFactory.getLogger(PowerLossTest.class);
  private static final int SECTOR = 4096;
  private static final byte[] NOTHING = new byte[SECTOR];
  private static final List<Path> DIRECTORIES = List.of(Path.of("/sim/d1"), Path.of("/sim/d2"));

  /** Errors that a writer gets from a machine that is going down, or from a failed shard. */
  private static final Set<ErrorCode> GOING_DOWN =
      EnumSet.of(
          ErrorCode.SHARD_FAILED,
          ErrorCode.UNAVAILABLE,
          ErrorCode.NO_SUCH_SHARD,
          ErrorCode.CORRUPT_DATA);

  private final SimulatedDisks disks = new SimulatedDisks();
  private Random random;
  private ShardStore store;
  private final List<Model> models = new ArrayList<>();

  /** What a shard was asked to hold, and what it said it holds. */
  private static final class Model {
    final int number;
    Shard shard;
    long epoch;
    boolean openAcknowledged;
    boolean sealAcknowledged;
    boolean sealTried;
    boolean failed;
    long next;
    long highestTried;

    /** By sector: seeds of the bytes that were ever tried there. */
    final Map<Long, List<Long>> tried = new HashMap<>();

    /** By sector: epoch and seed of what was answered. */
    final TreeMap<Long, long[]> answered = new TreeMap<>();

    final List<Attempt> unanswered = new ArrayList<>();

    Model(int number) {
      this.number = number;
    }
  }

  private record Attempt(long sector, int count, long seed) {
    byte[] bytes() {
      ByteBuffer bytes = ByteBuffer.allocate(count * SECTOR);
      for (int i = 0; i < count; i++) {
        bytes.put(sectorBytes(seed, sector + i));
      }
      return bytes.array();
    }
  }

  private static byte[] sectorBytes(long seed, long sector) {
    ByteBuffer bytes = ByteBuffer.allocate(SECTOR);
    long value = seed * 0x9E3779B97F4A7C15L + sector;
    while (bytes.hasRemaining()) {
      value = value * 6364136223846793005L + 1442695040888963407L;
      bytes.putLong(value);
    }
    return bytes.array();
  }

  @Test
  void nothingAnsweredIsEverLost() throws Exception {
    long first = Long.getLong("stowage.test.seed", System.nanoTime() & 0xffffff);
    int runs = Integer.getInteger("stowage.test.runs", 12);
    LOG.info("first seed {}: -Dstowage.test.seed={} -Dstowage.test.runs=1", first, first);
    for (long seed = first; seed < first + runs; seed++) {
      try {
        new PowerLossTest().run(seed);
      } catch (AssertionError | Exception e) {
        throw new AssertionError("with -Dstowage.test.seed=" + seed + ": " + e.getMessage(), e);
      }
    }
  }

  private void run(long seed) throws Exception {
    random = new Random(seed);
    for (int i = 0; i < 3; i++) {
      models.add(new Model(i));
    }
    for (int round = 0; round < 10; round++) {
      start();
      for (Model model : models) {
        check(model);
      }
      boolean duringOpen = random.nextInt(3) == 0;
      if (duringOpen) {
        disks.stopAfter(1 + random.nextInt(20));
      }
      for (Model model : models) {
        open(model);
      }
      if (!duringOpen) {
        disks.stopAfter(1 + random.nextInt(random.nextBoolean() ? 12 : 150));
      }
      boolean failForce = random.nextInt(6) == 0;
      if (failForce) {
        int unlucky = random.nextInt(models.size());
        disks.failForces(path -> path.toString().contains("-" + unlucky + "-0.shard"));
      }
      List<CompletableFuture<?>> writes = new ArrayList<>();
      for (int burst = 1 + random.nextInt(6); burst > 0; burst--) {
        for (Model model : models) {
          write(model, writes);
        }
        if (random.nextBoolean()) {
          settle(writes);
        }
      }
      settle(writes);
      if (random.nextInt(8) == 0) {
        seal(models.get(random.nextInt(models.size())));
      }
      disks.failForces(path -> false);
      store.close();
      if (random.nextInt(3) == 0) {
        disks.killProcess();
      } else {
        disks.losePower(random);
      }
    }
    start();
    for (Model model : models) {
      check(model);
    }
    store.close();
  }

  private void start() throws Exception {
    store =
        ShardStore.open(
            DIRECTORIES, disks, new StoreSettings(0, true, 256 << 20), StoreClock.system());
    for (Model model : models) {
      String disk =
          store.diskInfos().stream()
              .filter(d -> d.getPath().equals(DIRECTORIES.get(model.number % 2).toString()))
              .findFirst()
              .orElseThrow()
              .getDiskId();
      model.shard = new Shard(store, disk, 77, model.number);
    }
  }

  private void open(Model model) throws Exception {
    boolean again = model.epoch > 0 && random.nextBoolean();
    if (!again) {
      model.epoch++;
      model.unanswered.clear();
    }
    long end;
    try {
      end = model.shard.open(model.epoch, (int) model.epoch);
    } catch (StoreException e) {
      if (e.code() == ErrorCode.SHARD_SEALED) {
        assertTrue(model.sealTried, "sealed by nobody");
        model.failed = true;
      } else {
        // a force of it has failed, in this process's life or with its marker left beside it
        assertEquals(ErrorCode.SHARD_FAILED, e.code(), e.getMessage());
        model.failed = true;
      }
      return;
    }
    assertTrue(!model.sealAcknowledged, "a sealed shard was opened");
    model.openAcknowledged = true;
    assertEquals(0, end % SECTOR);
    assertTrue(
        model.answered.isEmpty() || end / SECTOR > model.answered.lastKey(),
        () -> "end " + end / SECTOR + " is not behind sector " + model.answered.lastKey());
    model.next = again ? Math.max(model.next, end / SECTOR) : end / SECTOR;
    if (model.epoch > 1) { // told from memory, whatever the disk does
      StoreException fenced =
          Shard.failure(store.open(model.shard.openRequest(model.epoch - 1, 1)));
      assertEquals(ErrorCode.FENCED, fenced.code(), fenced.getMessage());
    }
  }

  private void write(Model model, List<CompletableFuture<?>> writes) {
    if (model.failed) {
      return;
    }
    if (!model.unanswered.isEmpty() && random.nextBoolean()) {
      Attempt attempt = model.unanswered.remove(random.nextInt(model.unanswered.size()));
      send(model, attempt, writes);
      return;
    }
    long sector = model.next;
    if (random.nextInt(4) == 0) {
      sector += random.nextInt(20); // a hole
    }
    if (random.nextInt(12) == 0) {
      sector = (sector / 672 + 1) * 672 - random.nextInt(20); // to the next segment
    }
    sector = Math.max(sector, model.next);
    int count = 1 + random.nextInt(random.nextBoolean() ? 4 : 60);
    if ((sector + count) * SECTOR > Shard.CAPACITY) {
      return;
    }
    model.next = sector + count;
    send(model, new Attempt(sector, count, random.nextLong()), writes);
  }

  private void send(Model model, Attempt attempt, List<CompletableFuture<?>> writes) {
    for (long s = attempt.sector; s < attempt.sector + attempt.count; s++) {
      model.highestTried = Math.max(model.highestTried, s);
      model.tried.computeIfAbsent(s, none -> new ArrayList<>()).add(attempt.seed);
    }
    long epoch = model.epoch;
    writes.add(
        model
            .shard
            .writeAsync(epoch, attempt.sector * SECTOR, attempt.bytes(), 0b101)
            .handle(
                (answer, failure) -> {
                  synchronized (model) {
                    if (failure == null) {
                      for (long s = attempt.sector; s < attempt.sector + attempt.count; s++) {
                        model.answered.put(s, new long[] {epoch, attempt.seed});
                      }
                      return null;
                    }
                    model.unanswered.add(attempt);
                    return ((StoreException) failure).code();
                  }
                }));
  }

  private void settle(List<CompletableFuture<?>> writes) throws Exception {
    for (CompletableFuture<?> write : writes) {
      Object code = Shard.await(write);
      assertTrue(code == null || GOING_DOWN.contains(code), () -> "refused with " + code);
    }
    writes.clear();
  }

  private void seal(Model model) throws Exception {
    model.sealTried = true;
    try {
      model.shard.seal(model.epoch);
      model.sealAcknowledged = true;
      model.failed = true;
    } catch (StoreException e) {
      assertTrue(
          GOING_DOWN.contains(e.code()) || e.code() == ErrorCode.SHARD_SEALED, e.getMessage());
    }
  }

  /** Compares everything in the file with what was tried and answered. */
  private void check(Model model) throws Exception {
    model.failed = false;
    if (!model.openAcknowledged) {
      return;
    }
    int step = 512;
    long sectors = Math.min(Shard.CAPACITY / SECTOR, model.highestTried + 2L * step);
    for (long from = 0; from < sectors / step * step; from += step) {
      ShardBytes read = model.shard.readSectors(0, from * SECTOR, step * SECTOR);
      byte[] bytes = ByteBufUtil.getBytes(read.payload());
      List<SectorState> states = Shard.states(read.reply());
      for (int i = 0; i < step; i++) {
        long sector = from + i;
        byte[] found = Arrays.copyOfRange(bytes, i * SECTOR, (i + 1) * SECTOR);
        long[] answered = model.answered.get(sector);
        if (answered != null) {
          assertEquals(SectorState.WRITTEN, states.get(i), "sector " + sector + " was answered");
          assertTrue(Arrays.equals(sectorBytes(answered[1], sector), found), "sector " + sector);
        } else if (states.get(i) == SectorState.WRITTEN) {
          assertTrue(
              model.tried.getOrDefault(sector, List.of()).stream()
                  .anyMatch(s -> Arrays.equals(sectorBytes(s, sector), found)),
              () -> "sector " + sector + " holds what nobody wrote");
        } else {
          assertTrue(Arrays.equals(NOTHING, found), "sector " + sector);
        }
      }
    }
    for (Map.Entry<Long, long[]> entry : model.answered.entrySet()) {
      if (entry.getKey() % 17 == 0) {
        ShardBytes read =
            model.shard.readSectors(entry.getValue()[0], entry.getKey() * SECTOR, SECTOR);
        assertEquals(
            List.of(SectorState.WRITTEN),
            Shard.states(read.reply()),
            () -> "sector " + entry.getKey() + " in epoch " + entry.getValue()[0]);
      }
    }
  }
}
