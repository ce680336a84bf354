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
package io.stowage.minicluster;

import static org.junit.jupiter.api.Assertions.assertTrue;

import io.stowage.common.conf.Keys;
import io.stowage.common.error.StoreException;
import io.stowage.common.fault.CrashPoint;
import io.stowage.common.proto.RepackStatusReply;
import io.stowage.common.proto.RepackStatusRequest;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/**
 * Puts, overwrites, deletes, renames and uploads of one or more parts race with repackers that die
 * at every step, with datanodes that restart, with disks that go and are rebuilt elsewhere, and
 * with an SCM that restarts; a model knows of each key what it may hold, and looks at every one at
 * the end. Longer with {@code -Dstowage.test.race-seconds=300}.
 */
@Timeout(900)
class GarbageRaceIT {
  private static final Duration TIME =
      Duration.ofSeconds(Integer.getInteger("stowage.test.race-seconds", 20));

  private static final int THREADS = 8;
  private static final int KEYS = 40; // of each thread
  private static final int LEAST_PART = 5 << 20;

  // Rounds of a quarter of a second, in cycles: never more than one datanode is away.
  private static final int CYCLE = 40;
  private static final int SCM_RESTARTS_AT = 25;
  private static final int DISK_GOES_AT = 32;
  private static final int DISK_RETURNS_AT = 46 % CYCLE;

  private static final List<String> POINTS =
      List.of(
          "repack.move.after-copy",
          "repack.move.after-swap",
          "repack.job.before-pass",
          "repack.job.before-finish",
          "scm.repack.after-repacking",
          "scm.repack.after-deleted",
          "om.replace-extents.after-chunks",
          "om.collect.after-claim",
          "om.collect.after-told",
          "om.collect.after-counted",
          "om.collect.after-cleared");

  @TempDir Path directory;

  /** What a key may hold: the bytes of a name and length, or nothing (null). */
  private record Content(String name, int length) {}

  private final AtomicBoolean over = new AtomicBoolean();
  private final AtomicInteger acknowledged = new AtomicInteger();
  private final AtomicInteger unknown = new AtomicInteger();

  @AfterEach
  void disarm() {
    CrashPoint.disarmAll();
  }

  /** One thread's keys. Confined to that thread while the race is on. */
  private final class Writer {
    private final DirectStore store;
    private final Random random;
    private final String prefix;
    private final Map<String, List<Content>> model = new HashMap<>();
    private int written;

    Writer(DirectStore store, int number, long seed) {
      this.store = store;
      this.random = new Random(seed);
      this.prefix = "writer-" + number + "/";
      for (int i = 0; i < KEYS; i++) {
        model.put(prefix + i, Arrays.asList((Content) null));
      }
    }

    void race() throws Exception {
      while (!over.get()) {
        String key = prefix + random.nextInt(KEYS);
        switch (random.nextInt(12)) {
          case 0, 1, 2, 3, 4 -> put(key);
          case 5, 6 -> tryTo(() -> store.delete(List.of(key)), key, null);
          case 7 -> rename(key, prefix + random.nextInt(KEYS));
          case 8 -> upload(key);
          default -> check(key);
        }
      }
    }

    private Content next() {
      int length = random.nextInt(10) == 0 ? random.nextInt(600_000) : random.nextInt(30_000);
      return new Content(prefix + "version-" + written++, length);
    }

    private void put(String key) throws Exception {
      Content content = next();
      byte[] bytes = TestContent.of(content.name(), content.length());
      tryTo(() -> store.put(key, bytes), key, content);
    }

    private void upload(String key) throws Exception {
      int parts = random.nextInt(3) == 0 ? 2 + random.nextInt(2) : 1;
      Content last = next();
      Content content = new Content(last.name(), (parts - 1) * LEAST_PART + last.length());
      byte[] bytes = TestContent.of(content.name(), content.length());
      List<byte[]> split = new ArrayList<>();
      for (int i = 0; i < parts; i++) {
        int from = i * LEAST_PART;
        split.add(
            Arrays.copyOfRange(bytes, from, i == parts - 1 ? bytes.length : from + LEAST_PART));
      }
      tryTo(() -> store.upload(key, split), key, content);
    }

    private void tryTo(Operation operation, String key, Content after) {
      try {
        operation.run();
        model.put(key, Arrays.asList(after));
        acknowledged.incrementAndGet();
      } catch (StoreException e) {
        List<Content> may = new ArrayList<>(model.get(key));
        may.add(after);
        model.put(key, may);
        unknown.incrementAndGet();
      }
    }

    private void rename(String source, String target) {
      List<Content> moved = model.get(source);
      if (source.equals(target) || moved.size() != 1 || moved.get(0) == null) {
        return; // of what is not known nothing could be said afterwards
      }
      Content content = moved.get(0);
      try {
        store.rename(source, target);
        model.put(source, Arrays.asList((Content) null));
        model.put(target, Arrays.asList(content));
        acknowledged.incrementAndGet();
      } catch (StoreException e) {
        List<Content> may = new ArrayList<>(model.get(target));
        may.add(content);
        model.put(target, may);
        model.put(source, Arrays.asList(content, null));
        unknown.incrementAndGet();
      }
    }

    /** A read that fails proves nothing while nodes restart; one that succeeds must be right. */
    private void check(String key) {
      byte[] bytes;
      try {
        bytes = store.get(key);
      } catch (StoreException e) {
        return;
      }
      require(key, bytes);
    }

    private void require(String key, byte[] bytes) {
      List<Content> may = model.get(key);
      for (Content content : may) {
        if (content == null
            ? bytes == null
            : bytes != null
                && TestContent.mismatch(content.name(), content.length(), bytes) == null) {
          return;
        }
      }
      throw new AssertionError(
          key
              + " holds "
              + (bytes == null ? "nothing" : bytes.length + " bytes")
              + ", may hold "
              + may);
    }

    void checkAll() throws Exception {
      for (String key : model.keySet()) {
        require(key, store.get(key));
      }
    }
  }

  private interface Operation {
    void run() throws StoreException;
  }

  @Test
  void nothingThatLivesIsEverLost() throws Exception {
    long seed = Long.getLong("stowage.test.seed", System.nanoTime());
    System.err.println("seed " + seed);
    Random random = new Random(seed);
    try (MiniStowageCluster cluster =
        RepackIT.impatient()
            .datanodes(6)
            .set(Keys.DEAD_INTERVAL, "2s")
            .directory(directory)
            .start()) {
      DirectStore store = DirectStore.of(cluster, "bucket");
      store.create("rs-3-2");
      List<Writer> writers = new ArrayList<>();
      for (int i = 0; i < THREADS; i++) {
        writers.add(new Writer(store, i, random.nextLong()));
      }
      ExecutorService threads = Executors.newFixedThreadPool(THREADS);
      List<Future<?>> racing = new ArrayList<>();
      for (Writer writer : writers) {
        racing.add(
            threads.submit(
                () -> {
                  writer.race();
                  return null;
                }));
      }
      AtomicInteger crashes = new AtomicInteger();
      AtomicInteger rebuilt = new AtomicInteger();
      CrashPoint.named("scm.rebuild.before-row").arm(rebuilt::incrementAndGet);
      int away = -1;
      int rebuiltBefore = 0;
      long end = System.nanoTime() + TIME.toNanos();
      for (int round = 0; System.nanoTime() < end; round++) {
        CrashPoint point = CrashPoint.named(POINTS.get(random.nextInt(POINTS.size())));
        point.arm(
            () -> {
              point.arm(null);
              crashes.incrementAndGet();
              throw new CrashPoint.Crash(point.toString());
            });
        if (round % CYCLE == SCM_RESTARTS_AT) {
          cluster.stopScm(0);
          cluster.startScm(0);
        } else if (round % CYCLE == DISK_GOES_AT && away < 0) {
          away = random.nextInt(6);
          rebuiltBefore = rebuilt.get();
          cluster.removeDisk(away, 0);
        } else if (round % CYCLE >= DISK_RETURNS_AT && away >= 0 && rebuilt.get() > rebuiltBefore) {
          cluster.returnDisk(away, 0);
          away = -1;
        } else if (round % (CYCLE / 2) == CYCLE / 4 && away < 0) {
          cluster.restartDatanode(random.nextInt(6));
        }
        Thread.sleep(250);
      }
      over.set(true);
      for (Future<?> writer : racing) {
        writer.get();
      }
      threads.shutdown();
      long patience = System.nanoTime() + Duration.ofSeconds(60).toNanos();
      while (away >= 0 && rebuilt.get() == 0 && System.nanoTime() < patience) {
        Thread.sleep(100);
      }
      CrashPoint.disarmAll();
      AtomicInteger emptied = new AtomicInteger(); // a leader counts its own alone
      CrashPoint.named("scm.repack.after-deleted").arm(emptied::incrementAndGet);
      if (away >= 0) {
        cluster.returnDisk(away, 0);
      }
      cluster.awaitWritable(Duration.ofSeconds(30));
      // What is claimed is ended, and what was judged dead has gone, before everything is read.
      RepackStatusReply status = awaitEmptied(cluster, emptied);
      for (Writer writer : writers) {
        writer.checkAll();
      }
      System.err.printf(
          "%d operations acknowledged, %d with unknown outcome, %d simulated crashes,"
              + " %d shards rebuilt, %d cells and heads collected%n%s%n",
          acknowledged.get(),
          unknown.get(),
          crashes.get(),
          rebuilt.get(),
          cluster.collected(0),
          status);
      assertTrue(cluster.collected(0) > 0, "nothing was collected");
      assertTrue(rebuilt.get() > 0, "shards rebuilt");
      assertTrue(acknowledged.get() > 100, "operations: " + acknowledged.get());
      assertTrue(emptied.get() > 0 || status.getEmptied() > 0, "containers emptied");
    }
  }

  private static RepackStatusReply awaitEmptied(MiniStowageCluster cluster, AtomicInteger emptied)
      throws Exception {
    long deadline = System.nanoTime() + Duration.ofSeconds(60).toNanos();
    RepackStatusReply status;
    do {
      Thread.sleep(300);
      status = cluster.containerManager().repackStatus(RepackStatusRequest.getDefaultInstance());
    } while (((emptied.get() == 0 && status.getEmptied() == 0) || status.getToEmpty() > 0)
        && System.nanoTime() < deadline);
    return status;
  }
}
