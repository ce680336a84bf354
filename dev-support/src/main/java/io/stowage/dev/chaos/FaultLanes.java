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
package io.stowage.dev.chaos;

import java.io.Closeable;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.SplittableRandom;
import java.util.TreeMap;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;

/**
 * What is done to a cluster, in three lanes side by side. Each does one thing at a time, and undoes
 * it before the next, so that never more than two datanodes are damaged at once, which rs-3-2 can
 * lose:
 *
 * <ul>
 *   <li>services: kills or pauses a role without data, one time of four all of its kind at once
 *       (both SCMs, both object managers), and starts or resumes them;
 *   <li>disks: kills or pauses a datanode of the first half, or takes its disk away, and brings it
 *       back;
 *   <li>the second lane of disks: either the same with the second half, or flips bytes in the shard
 *       files of one datanode only, because flipped bytes stay until they are found.
 * </ul>
 *
 * What is done, to whom, and for how long follows from the seed; when exactly, from how long the
 * cluster takes to get up. The owner calls {@link #start} and {@link #close}, which undoes
 * everything.
 */
final class FaultLanes implements Closeable {
  private static final int FLIPS = 12;

  /** One fault of services of so many hits all roles of a kind. */
  private static final int ALL_OF_A_KIND = 4;

  private final ChaosCluster cluster;
  private final ChaosLog log;
  private final int unitMillis;
  private final CountDownLatch over = new CountDownLatch(1);
  private final List<Thread> threads = new ArrayList<>();
  private final SplittableRandom seeds;
  private final boolean rots;

  /**
   * @param unitMillis faults last one to ten of these, and so do the times between them
   * @param rots the second lane of disks flips bytes
   */
  FaultLanes(ChaosCluster cluster, long seed, int unitMillis, boolean rots, ChaosLog log) {
    this.cluster = cluster;
    this.log = log;
    this.unitMillis = unitMillis;
    this.rots = rots;
    this.seeds = new SplittableRandom(seed);
  }

  /** Starts the lane of services, and those of disks if they are wanted. */
  void start(boolean disks) {
    lane("services", this::disturbServices);
    if (disks) {
      startDisks();
    }
  }

  private void startDisks() {
    List<String> datanodes = cluster.datanodes();
    int half = datanodes.size() / 2;
    List<String> first = datanodes.subList(0, half);
    List<String> second = datanodes.subList(half, datanodes.size());
    lane("disks", random -> disturb(random, first, true));
    SplittableRandom choice = seeds.split();
    String rotting = second.get(choice.nextInt(second.size()));
    if (rots) {
      lane("rot", random -> flip(random, rotting));
    } else {
      lane("disks-2", random -> disturb(random, second, true));
    }
  }

  private interface Fault {
    void apply(SplittableRandom random) throws IOException, InterruptedException;
  }

  private void lane(String name, Fault fault) {
    SplittableRandom random = seeds.split();
    Thread thread =
        new Thread(
            () -> {
              try {
                while (!rest(random)) {
                  fault.apply(random);
                }
              } catch (IOException e) {
                log.violation("lane " + name + " cannot go on: " + e.getMessage());
              } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
              }
            },
            "chaos-" + name);
    threads.add(thread);
    thread.start();
  }

  /** True once it is over. */
  private boolean rest(SplittableRandom random) throws InterruptedException {
    return over.await(unitMillis * (1L + random.nextInt(9)), TimeUnit.MILLISECONDS);
  }

  private void disturbServices(SplittableRandom random) throws IOException, InterruptedException {
    List<List<String>> kinds = kinds(cluster.services());
    if (kinds.isEmpty() || random.nextInt(ALL_OF_A_KIND) > 0) {
      disturb(random, cluster.services(), false);
      return;
    }
    List<String> roles = kinds.get(random.nextInt(kinds.size()));
    String all = String.join("+", roles);
    boolean pauses = random.nextBoolean() && cluster.canPause();
    long from = System.nanoTime();
    log.event((pauses ? "pause " : "kill ") + all);
    for (String role : roles) {
      if (pauses) {
        cluster.pause(role);
      } else {
        cluster.kill(role);
      }
    }
    rest(random);
    log.event((pauses ? "resume " : "start ") + all);
    for (String role : roles) {
      if (pauses) {
        cluster.resume(role);
      } else {
        cluster.start(role);
      }
    }
    log.fault(pauses ? "pause" : "kill", all, from, System.nanoTime());
  }

  /** Roles that differ in their number only, where there are several. */
  static List<List<String>> kinds(List<String> roles) {
    Map<String, List<String>> byKind = new TreeMap<>();
    for (String role : roles) {
      byKind.computeIfAbsent(role.replaceAll("[0-9]+$", ""), kind -> new ArrayList<>()).add(role);
    }
    return byKind.values().stream().filter(kind -> kind.size() > 1).toList();
  }

  private void disturb(SplittableRandom random, List<String> roles, boolean disks)
      throws IOException, InterruptedException {
    String role = roles.get(random.nextInt(roles.size()));
    int kind = random.nextInt(disks ? 3 : 2);
    long from = System.nanoTime();
    if (kind == 0 && cluster.canPause()) {
      log.event("pause " + role);
      cluster.pause(role);
      rest(random);
      log.event("resume " + role);
      cluster.resume(role);
      log.fault("pause", role, from, System.nanoTime());
    } else if (kind == 2) {
      log.event("remove disk of " + role);
      cluster.removeDisk(role);
      rest(random);
      log.event("return disk of " + role);
      cluster.returnDisk(role);
      log.fault("disk", role, from, System.nanoTime());
    } else {
      log.event("kill " + role);
      cluster.kill(role);
      rest(random);
      log.event("start " + role);
      cluster.start(role);
      log.fault("kill", role, from, System.nanoTime());
    }
  }

  private void flip(SplittableRandom random, String datanode) throws IOException {
    List<Path> shards;
    try (Stream<Path> files = Files.walk(cluster.disk(datanode))) {
      shards = files.filter(path -> path.toString().endsWith(".shard")).sorted().toList();
    }
    if (shards.isEmpty()) {
      return;
    }
    Path shard = shards.get(random.nextInt(shards.size()));
    long from = System.nanoTime();
    List<Long> places = new ArrayList<>();
    try (FileChannel file =
        FileChannel.open(shard, StandardOpenOption.READ, StandardOpenOption.WRITE)) {
      long size = file.size();
      for (int i = 1 + random.nextInt(FLIPS); i > 0 && size > 0; i--) {
        double far = random.nextDouble();
        long place = (long) (size * far * far); // files may be longer than what is written
        ByteBuffer one = ByteBuffer.allocate(1);
        if (file.read(one, place) == 1) {
          byte flipped = (byte) (one.get(0) ^ (1 << random.nextInt(8)));
          file.write(ByteBuffer.wrap(new byte[] {flipped}), place);
          places.add(place);
        }
      }
    } catch (NoSuchFileException e) {
      return; // deleted meanwhile
    }
    log.event("flipped bytes of " + shard + " at " + places);
    log.fault("flip", datanode, from, System.nanoTime());
  }

  /** Ends the lanes, each after it has undone what it did. */
  @Override
  public void close() {
    over.countDown();
    try {
      for (Thread thread : threads) {
        thread.join();
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }
}
