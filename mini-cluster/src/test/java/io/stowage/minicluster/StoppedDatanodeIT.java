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
import io.stowage.datanode.DatanodeMain;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Locale;
import java.util.Queue;
import java.util.SplittableRandom;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.function.Predicate;
import java.util.stream.Stream;
import org.apache.hadoop.conf.Configuration;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import software.amazon.awssdk.core.sync.RequestBody;
import software.amazon.awssdk.services.s3.S3Client;

/**
 * One of six datanodes is a process that is stopped (SIGSTOP) under load: its connections stay up
 * and nothing ever answers, which is worse than a dead one. The bounds of time here are far above
 * what is printed; they tell waiting for the node from going around it. A machine may pause for a
 * moment and is no fault: what is asked is that one window of seconds keeps to them.
 */
class StoppedDatanodeIT {
  private static final String BUCKET = "stopped";
  private static final int SMALL = 4_096;
  private static final int LARGE = 1 << 20;
  private static final int THREADS = 8;

  /** No quantile is told of so few operations. */
  private static final int FEW = 20;

  /** Of each measured phase. */
  private static final int SECONDS = Integer.getInteger("stowage.it.stopped-seconds", 3);

  /** Until reads are expected to go around the node. */
  private static final int FIRST_SECONDS = 2;

  /** What a busy machine of tests may add to a quick read. */
  private static final long SLACK_MILLIS = 300;

  /** Of puts that begin while the node is stopped and nobody knows that it is dead. */
  private static final long PUT_P99_MILLIS = 2_000;

  /** Of each of them, but for what this machine stood still. */
  private static final long LONGEST_PUT_MILLIS = 10_000;

  /** For a window that keeps to the bounds. */
  private static final Duration SOON = Duration.ofSeconds(60);

  @TempDir Path directory;

  private final MachinePauses pauses = MachinePauses.begin();

  /**
   * One operation.
   *
   * @param stoodStillNanos how much of it was this machine's
   */
  private record Done(
      String key, int length, long startNanos, long nanos, long stoodStillNanos, boolean ok) {}

  @Test
  void readsAndWritesGoAroundIt() throws Exception {
    try (MiniStowageCluster cluster =
        MiniStowageCluster.builder()
            .set(Keys.CONTAINER_CAPACITY, "4m")
            .set(Keys.DEAD_INTERVAL, "6s")
            .set(Keys.ZOOKEEPER_SESSION_TIMEOUT, "20s") // a pause of this machine elects nobody
            .start()) {
      ScmProcess sixth =
          ScmProcess.launch(
              DatanodeMain.class,
              directory.resolve("process"),
              cluster
                  .config()
                  .with(Keys.DATANODE_BIND, "127.0.0.1:0")
                  .with(Keys.DATANODE_DISKS, directory.resolve("disk").toString()),
              new Configuration(false));
      try (S3Client s3 =
          S3Clients.impatient(cluster.s3Endpoint(), cluster.accessKey(), cluster.secretKey())) {
        awaitLive(cluster, 6);
        s3.createBucket(b -> b.bucket(BUCKET));
        List<Done> objects = new ArrayList<>();
        for (int i = 0; i < 120; i++) {
          objects.add(put(s3, "read/" + i, i % 4 == 0 ? LARGE : SMALL));
        }
        reads(cluster, s3, objects, sixth);
        sixth.resume();
        awaitLive(cluster, 6);
        awaitWritersOnSixth(s3, objects);
        writes(cluster, s3, sixth, objects);
      } finally {
        sixth.close();
        pauses.close();
      }
    }
  }

  private void reads(MiniStowageCluster cluster, S3Client s3, List<Done> objects, ScmProcess sixth)
      throws Exception {
    load(() -> get(s3, objects), FIRST_SECONDS);
    List<Done> healthy = load(() -> get(s3, objects), SECONDS);
    long deadline = System.nanoTime() + SOON.toNanos();
    while (true) {
      sixth.pause();
      List<Done> first = load(() -> get(s3, objects), FIRST_SECONDS);
      String tooLong = tooLong(healthy, first, load(() -> get(s3, objects), SECONDS));
      if (tooLong.isEmpty()) {
        return;
      }
      assertTrue(System.nanoTime() < deadline, tooLong);
      // Not for longer at a time: once it is dead, what it had is elsewhere, and nobody asks it.
      sixth.resume();
      awaitLive(cluster, 6);
      load(() -> get(s3, objects), FIRST_SECONDS); // and it is trusted again
    }
  }

  /** Which reads wait for the stopped node; empty if none do. */
  private static String tooLong(List<Done> healthy, List<Done> first, List<Done> stopped) {
    String tooLong = "";
    for (int length : new int[] {SMALL, LARGE}) {
      Predicate<Done> sized = done -> done.length() == length;
      long usual = p99Millis(healthy, sized);
      long now = p99Millis(stopped, sized);
      System.err.printf(
          Locale.ROOT,
          "GET of %d bytes, p99: healthy %d ms (%d reads), first %d s %d ms, then %d ms (%d)%n",
          length,
          usual,
          healthy.stream().filter(sized).count(),
          FIRST_SECONDS,
          p99Millis(first, sized),
          now,
          stopped.stream().filter(sized).count());
      if (now > Math.max(3 * usual, SLACK_MILLIS)) {
        tooLong += "p99 of " + length + " bytes: " + usual + " ms, with one node stopped " + now;
      }
    }
    return tooLong;
  }

  private void writes(MiniStowageCluster cluster, S3Client s3, ScmProcess sixth, List<Done> objects)
      throws Exception {
    long deadline = System.nanoTime() + SOON.toNanos();
    for (int round = 0; ; round++) {
      long p99 = writes(cluster, s3, sixth, "write/" + round);
      if (p99 < PUT_P99_MILLIS) {
        return;
      }
      assertTrue(System.nanoTime() < deadline, "p99 of PUT with one node stopped: " + p99 + " ms");
      sixth.resume();
      awaitLive(cluster, 6);
      awaitWritersOnSixth(s3, objects);
    }
  }

  /** Says what the p99 is of the puts that began while the node was stopped and not yet dead. */
  private long writes(MiniStowageCluster cluster, S3Client s3, ScmProcess sixth, String prefix)
      throws Exception {
    AtomicBoolean over = new AtomicBoolean();
    Queue<Done> puts = new ConcurrentLinkedQueue<>();
    ExecutorService threads = Executors.newFixedThreadPool(THREADS);
    List<Future<?>> running = new ArrayList<>();
    for (int thread = 0; thread < THREADS; thread++) {
      int number = thread;
      running.add(
          threads.submit(
              () -> {
                for (int i = 0; !over.get(); i++) {
                  puts.add(put(s3, prefix + "/" + number + "/" + i, number == 0 ? LARGE : SMALL));
                }
                return null;
              }));
    }
    Thread.sleep(Duration.ofSeconds(SECONDS).toMillis());
    sixth.pause();
    final long pausedNanos = System.nanoTime();
    long deadline = pausedNanos + Duration.ofSeconds(60).toNanos();
    while (cluster.status().getDeadDatanodes() == 0) {
      assertTrue(System.nanoTime() < deadline, "the stopped node is not declared dead");
      Thread.sleep(50);
    }
    final long deadNanos = System.nanoTime();
    double rateBefore =
        puts.stream().filter(put -> put.startNanos() < pausedNanos).count() / (double) SECONDS;
    double rateAfter;
    deadline = System.nanoTime() + SOON.toNanos();
    do { // five of six are left, and what the node had is rebuilt at first
      int done = puts.size();
      long begin = System.nanoTime();
      Thread.sleep(Duration.ofSeconds(SECONDS).toMillis());
      rateAfter = (puts.size() - done) / ((System.nanoTime() - begin) / 1e9);
    } while (rateAfter <= rateBefore / 2 && System.nanoTime() < deadline);
    over.set(true);
    for (Future<?> writer : running) {
      writer.get();
    }
    List<Done> during =
        puts.stream()
            .filter(put -> put.startNanos() > pausedNanos && put.startNanos() < deadNanos)
            .toList();
    // Of a machine that does so little in seconds nothing can be told: again.
    long p99 = during.size() > FEW ? p99Millis(during, put -> true) : PUT_P99_MILLIS;
    long longest =
        puts.stream()
            .filter(put -> put.startNanos() + put.nanos() > pausedNanos)
            .mapToLong(put -> (put.nanos() - put.stoodStillNanos()) / 1_000_000)
            .max()
            .orElseThrow();
    System.err.printf(
        Locale.ROOT,
        "PUT: %.0f/s before, stopped and not yet dead for %d ms: p99 %d ms (%d puts), longest since"
            + " %d ms, %.0f/s once dead%n",
        rateBefore,
        (deadNanos - pausedNanos) / 1_000_000,
        p99,
        during.size(),
        longest,
        rateAfter);
    assertEquals(List.of(), puts.stream().filter(put -> !put.ok()).toList(), "puts that failed");
    assertTrue(longest < LONGEST_PUT_MILLIS, () -> "a put took " + longest + " ms");
    assertTrue(rateAfter > rateBefore / 2, rateBefore + " puts/s, once it is dead " + rateAfter);
    List<Future<?>> readBack = new ArrayList<>();
    for (Done put : puts) {
      readBack.add(threads.submit(() -> get(s3, List.of(put))));
    }
    threads.shutdown();
    for (Future<?> one : readBack) {
      one.get();
    }
    return p99;
  }

  /** Reads find out that it answers again, and then writers take containers on it. */
  private void awaitWritersOnSixth(S3Client s3, List<Done> objects) throws Exception {
    long before = shardBytesOfSixth();
    long deadline = System.nanoTime() + Duration.ofSeconds(60).toNanos();
    for (int i = 0; shardBytesOfSixth() == before; i++) {
      assertTrue(System.nanoTime() < deadline, "nothing is written to the sixth datanode");
      load(() -> get(s3, objects), 1);
      for (int n = 0; n < 8; n++) {
        assertTrue(put(s3, "again/" + i + "/" + n, LARGE).ok());
      }
    }
  }

  private long shardBytesOfSixth() throws IOException {
    try (Stream<Path> files = Files.walk(directory.resolve("disk"))) {
      return files
          .filter(file -> file.toString().endsWith(".shard"))
          .mapToLong(file -> file.toFile().length())
          .sum();
    }
  }

  private interface Step {
    Done run() throws Exception;
  }

  /** For so long, or until there are enough to tell quantiles of. */
  private static List<Done> load(Step step, int seconds) throws Exception {
    long end = System.nanoTime() + Duration.ofSeconds(seconds).toNanos();
    long last = System.nanoTime() + SOON.toNanos();
    Queue<Done> done = new ConcurrentLinkedQueue<>();
    ExecutorService threads = Executors.newFixedThreadPool(THREADS);
    List<Future<?>> running = new ArrayList<>();
    for (int i = 0; i < THREADS; i++) {
      running.add(
          threads.submit(
              () -> {
                while (System.nanoTime() < end || (areFew(done) && System.nanoTime() < last)) {
                  done.add(step.run());
                }
                return null;
              }));
    }
    for (Future<?> thread : running) {
      thread.get();
    }
    threads.shutdown();
    return List.copyOf(done);
  }

  private static boolean areFew(Queue<Done> done) {
    long large = done.stream().filter(one -> one.length() == LARGE).count();
    return large <= FEW || done.size() - large <= FEW;
  }

  private Done put(S3Client s3, String key, int length) {
    byte[] bytes = TestContent.of(key, length);
    long pausedBefore = pauses.totalNanos();
    long start = System.nanoTime();
    boolean ok = true;
    try {
      s3.putObject(b -> b.bucket(BUCKET).key(key), RequestBody.fromBytes(bytes));
    } catch (RuntimeException e) {
      System.err.println(key + ": " + e);
      ok = false;
    }
    long took = System.nanoTime() - start;
    return new Done(key, length, start, took, pauses.totalNanos() - pausedBefore, ok);
  }

  private static Done get(S3Client s3, List<Done> objects) {
    Done object = objects.get(new SplittableRandom().nextInt(objects.size()));
    long start = System.nanoTime();
    byte[] bytes = s3.getObjectAsBytes(b -> b.bucket(BUCKET).key(object.key())).asByteArray();
    long took = System.nanoTime() - start;
    assertEquals(null, TestContent.mismatch(object.key(), object.length(), bytes));
    return new Done(object.key(), object.length(), start, took, 0, true);
  }

  private static long p99Millis(List<Done> all, Predicate<Done> which) {
    return quantileMillis(all, which, 0.99);
  }

  private static long quantileMillis(List<Done> all, Predicate<Done> which, double quantile) {
    List<Long> nanos = new ArrayList<>(all.stream().filter(which).map(Done::nanos).toList());
    assertTrue(nanos.size() > FEW, "only " + nanos.size() + " operations");
    Collections.sort(nanos);
    return nanos.get((int) Math.min(nanos.size() - 1, nanos.size() * quantile)) / 1_000_000;
  }

  private static void awaitLive(MiniStowageCluster cluster, int count) throws Exception {
    long deadline = System.nanoTime() + Duration.ofSeconds(30).toNanos();
    while (cluster.status().getLiveDatanodes() < count) {
      assertTrue(System.nanoTime() < deadline, "not " + count + " datanodes are live");
      Thread.sleep(50);
    }
  }
}
