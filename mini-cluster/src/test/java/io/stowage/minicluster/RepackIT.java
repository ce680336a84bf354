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

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.stowage.common.conf.Keys;
import io.stowage.common.error.StoreException;
import io.stowage.common.fault.CrashPoint;
import io.stowage.common.id.WriteId;
import io.stowage.common.proto.ContainerInfo;
import io.stowage.common.proto.ContainerState;
import io.stowage.common.proto.ListContainersReply;
import io.stowage.common.proto.ListContainersRequest;
import io.stowage.common.proto.RepackStatusReply;
import io.stowage.common.proto.RepackStatusRequest;
import io.stowage.common.proto.ResurveyContainersRequest;
import io.stowage.common.proto.UpdateBucketRequest;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collections;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.Set;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** What repacking gives back, on real datanodes' disks, while others read and write. */
@Timeout(240)
class RepackIT {
  private static final Duration PATIENCE = Duration.ofSeconds(90);

  @TempDir Path directory;

  @AfterEach
  void disarm() {
    CrashPoint.disarmAll();
  }

  /** Everything that production waits for, in seconds. */
  static MiniStowageCluster.Builder impatient() {
    return MiniStowageCluster.builder()
        .set(Keys.COMMIT_WINDOW, "3s")
        .set(Keys.CLOCK_BOUND, "300ms")
        .set(Keys.MUTATION_DEADLINE, "1500ms")
        .set(Keys.OPEN_TIME, "2s")
        .set(Keys.REPACK_CLAIM, "2s")
        .set(Keys.REPACK_KEEP, "1s")
        .set(Keys.REPACK_RATE, "1g")
        .set(Keys.CONTAINER_CAPACITY, "8m");
  }

  private static List<ContainerInfo> containers(MiniStowageCluster cluster) throws Exception {
    List<ContainerInfo> all = new ArrayList<>();
    ListContainersReply page;
    long after = 0;
    do {
      page =
          cluster
              .containerManager()
              .listContainers(ListContainersRequest.newBuilder().setAfter(after).build());
      all.addAll(page.getContainersList());
      after = all.isEmpty() ? 0 : all.get(all.size() - 1).getId();
    } while (page.getMore());
    return all;
  }

  /** What the file system gave the shards of containers that are not DELETED. */
  private long diskUse(MiniStowageCluster cluster) throws Exception {
    Set<String> names = new HashSet<>();
    for (ContainerInfo info : containers(cluster)) {
      names.add(String.format("%016x", info.getId()));
    }
    List<String> command = new ArrayList<>(List.of("du", "--block-size=1", "--total"));
    try (Stream<Path> files = Files.walk(directory)) {
      files
          .filter(path -> path.toString().endsWith(".shard"))
          .filter(path -> names.contains(path.getFileName().toString().substring(0, 16)))
          .forEach(path -> command.add(path.toString()));
    }
    if (command.size() == 3) {
      return 0;
    }
    Process du = new ProcessBuilder(command).redirectErrorStream(true).start();
    String output = new String(du.getInputStream().readAllBytes(), StandardCharsets.UTF_8).strip();
    du.waitFor(); // a file may have gone meanwhile
    String total = output.substring(output.lastIndexOf('\n') + 1);
    return Long.parseLong(total.substring(0, total.indexOf('\t')));
  }

  private static RepackStatusReply status(MiniStowageCluster cluster) throws StoreException {
    return cluster.containerManager().repackStatus(RepackStatusRequest.getDefaultInstance());
  }

  private static void resurvey(MiniStowageCluster cluster) throws Exception {
    ResurveyContainersRequest.Builder request = ResurveyContainersRequest.newBuilder();
    for (ContainerInfo info : containers(cluster)) {
      if (info.getState() == ContainerState.SEALED) {
        request.addContainers(info.getId());
      }
    }
    cluster.containerManager().resurveyContainers(request.build());
  }

  private interface Measure {
    double get() throws Exception;
  }

  private static double awaitAtMost(double limit, Measure measure) throws Exception {
    long deadline = System.nanoTime() + PATIENCE.toNanos();
    double last;
    do {
      Thread.sleep(200);
      last = measure.get();
    } while (last > limit && System.nanoTime() < deadline);
    return last;
  }

  @Test
  void afterNineOfTenObjectsAreDeletedTheDisksHoldLittleMoreThanWhatLives() throws Exception {
    long seed = System.nanoTime();
    System.err.println("seed " + seed);
    Random random = new Random(seed);
    try (MiniStowageCluster cluster = impatient().directory(directory).start()) {
      DirectStore store = DirectStore.of(cluster, "bucket");
      store.create("rs-3-2");
      Map<String, Integer> all = new HashMap<>();
      for (int i = 0; i < 6_000; i++) {
        all.put(
            String.format("object-%05d", i),
            random.nextInt(20) == 0 ? 1 + random.nextInt(600_000) : 1 + random.nextInt(20_000));
      }
      inParallel(
          16,
          new ArrayList<>(all.entrySet()),
          entry -> store.put(entry.getKey(), TestContent.of(entry.getKey(), entry.getValue())));
      long before = diskUse(cluster);
      List<String> keys = new ArrayList<>(all.keySet());
      Collections.shuffle(keys, random);
      List<String> doomed = keys.subList(0, keys.size() * 9 / 10);
      AtomicBoolean over = new AtomicBoolean();
      AtomicInteger reads = new AtomicInteger();
      ExecutorService others = Executors.newFixedThreadPool(2);
      List<String> kept = List.copyOf(keys.subList(doomed.size(), keys.size()));
      Future<?> reading =
          others.submit(
              () -> {
                Random mine = new Random(seed);
                while (!over.get()) {
                  String key = kept.get(mine.nextInt(kept.size()));
                  assertEquals(null, TestContent.mismatch(key, all.get(key), store.get(key)), key);
                  reads.incrementAndGet();
                }
                return null;
              });
      Future<?> writing =
          others.submit(
              () -> {
                Random mine = new Random(~seed);
                while (!over.get()) {
                  String key = kept.get(mine.nextInt(kept.size()));
                  store.put(key, TestContent.of(key, all.get(key)));
                  Thread.sleep(50);
                }
                return null;
              });
      for (int at = 0; at < doomed.size(); at += 500) {
        store.delete(doomed.subList(at, Math.min(doomed.size(), at + 500)));
      }
      long lives = kept.stream().mapToLong(all::get).sum();
      double needs = lives * 5 / 3.0;
      resurvey(cluster);
      double use = awaitAtMost(1.3, () -> diskUse(cluster) / needs);
      over.set(true);
      reading.get();
      writing.get();
      others.shutdown();
      System.err.printf(
          "%d bytes live, %d on disk before, %d after: %.3f of what is needed; %d reads"
              + " meanwhile%n%s%n",
          lives, before, diskUse(cluster), use, reads.get(), status(cluster));
      for (String key : kept) {
        assertEquals(null, TestContent.mismatch(key, all.get(key), store.get(key)), key);
      }
      for (String key : doomed.subList(0, 100)) {
        assertEquals(null, store.get(key), key);
      }
      assertTrue(use <= 1.3, "disk use over need: " + use);
    }
  }

  @Test
  void whatWasWrittenOneAtATimeComesDownToTheCodesCost() throws Exception {
    int objects = 1_500;
    int length = 4_096;
    try (MiniStowageCluster cluster =
        impatient().set(Keys.OPEN_TIME, "10s").directory(directory).start()) {
      DirectStore store = DirectStore.of(cluster, "bucket");
      store.create("rs-3-2");
      for (int i = 0; i < objects; i++) {
        String key = String.format("object-%05d", i);
        store.put(key, TestContent.of(key, length));
      }
      double before = diskUse(cluster) / (double) ((long) objects * length);
      double after = awaitAtMost(1.85, () -> diskUse(cluster) / (double) ((long) objects * length));
      System.err.printf(
          "bytes on disk per user byte: %.3f, then %.3f%n%s%n", before, after, status(cluster));
      for (int i = 0; i < objects; i++) {
        String key = String.format("object-%05d", i);
        assertEquals(null, TestContent.mismatch(key, length, store.get(key)), key);
      }
      assertTrue(before > 3, "written one at a time: " + before);
      assertTrue(after <= 1.85, "bytes on disk per user byte: " + after);
    }
  }

  @Test
  void aConvertedBucketIsOfItsNewPolicy() throws Exception {
    try (MiniStowageCluster cluster = impatient().directory(directory).start()) {
      DirectStore store = DirectStore.of(cluster, "bucket");
      store.create("rs-3-2");
      int[] lengths = {0, 1, 5_000, 100_000, 3_000_001};
      for (int length : lengths) {
        store.put("old-" + length, TestContent.of("old-" + length, length));
      }
      cluster
          .objectManager(0)
          .updateBucket(
              UpdateBucketRequest.newBuilder()
                  .setName("bucket")
                  .setPolicy("rs-1-2")
                  .setWriteId(WriteId.random())
                  .build());
      for (int length : lengths) {
        store.put("new-" + length, TestContent.of("new-" + length, length));
        assertOnly("rs-1-2", store, "new-" + length);
      }
      assertEquals(
          4, cluster.conversion(0).run("bucket", "", progress -> {}).converted(), "converted");
      assertEquals(
          0, cluster.conversion(0).run("bucket", "", progress -> {}).converted(), "left over");
      for (int length : lengths) {
        assertOnly("rs-1-2", store, "old-" + length);
        String key = "old-" + length;
        assertEquals(null, TestContent.mismatch(key, length, store.get(key)));
      }
    }
  }

  private static void assertOnly(String policy, DirectStore store, String key) throws Exception {
    for (ContainerInfo info : store.head(key).getContainersList()) {
      assertEquals(policy, info.getPolicy(), key);
    }
  }

  private interface Work<T> {
    void of(T item) throws Exception;
  }

  private static <T> void inParallel(int threads, List<T> items, Work<T> work) throws Exception {
    ExecutorService executor = Executors.newFixedThreadPool(threads);
    List<Future<?>> running = new ArrayList<>();
    for (T item : items) {
      running.add(
          executor.submit(
              () -> {
                work.of(item);
                return null;
              }));
    }
    for (Future<?> one : running) {
      one.get();
    }
    executor.shutdown();
  }
}
