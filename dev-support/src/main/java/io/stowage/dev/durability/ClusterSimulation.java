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
package io.stowage.dev.durability;

import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.List;
import java.util.PriorityQueue;
import java.util.SplittableRandom;

/**
 * A whole cluster, failure by failure: containers stand on real disks, a failed disk takes exactly
 * the shards that stand on it, its failure becomes known after a fixed time, and rebuilding shares
 * the disks' bandwidth, the most endangered container first. A failed disk is replaced at once, and
 * its shards return to it, as balancing would bring about in time. It knows nothing of {@link
 * MarkovModel}'s formulas, and sees losses only where they are frequent: for tests of the chain at
 * rates far above those of real disks. The same seed gives the same life. Confined to one thread.
 */
final class ClusterSimulation {
  private static final byte PRESENT = 0;
  private static final byte LOST = 1;
  private static final byte KNOWN = 2;
  private static final byte BEING_WRITTEN = 3;

  /**
   * Something at a time; ties go by number, so that a run can be repeated. Void if its container
   * has another version by then.
   */
  private record Event(double time, long number, Kind kind, int subject, int version)
      implements Comparable<Event> {
    @Override
    public int compareTo(Event other) {
      int byTime = Double.compare(time, other.time);
      return byTime != 0 ? byTime : Long.compare(number, other.number);
    }
  }

  private enum Kind {
    FAILURE,
    DETECTION,
    SERVED,
    WRITTEN,
    LATENT
  }

  /** A container's shard, lost by a failure that is not known yet. */
  private record Loss(int container, int shard, int life) {}

  private final FailureModel model;
  private final SplittableRandom random;
  private final int n;
  private final int k;
  private final int m;
  private final int containers;
  private final int[][] disk;
  private final byte[][] state;

  /** When a shard was last known to be whole: written, or scrubbed. */
  private final double[][] scrubPhase;

  private final double[][] writtenAt;

  /** When a container last came to have lost m shards: a rack may bring it there in several. */
  private final double[] endangeredAt;

  /** Lives of a container: events of an earlier one are void. */
  private final int[] life;

  /** Counts what may end a container's time of having lost m shards. */
  private final int[] generation;

  /** Of each disk the pairs (container, shard) that belong there. */
  private final List<List<int[]>> onDisk = new ArrayList<>();

  private final PriorityQueue<Event> events = new PriorityQueue<>();
  private final List<List<Loss>> detections = new ArrayList<>();
  private final List<ArrayDeque<int[]>> queues = new ArrayList<>();

  /** Lost shards with which a container stands in its queue; entries of other queues are void. */
  private final int[] queuedAt;

  private boolean serving;
  private double now;
  private long sequence;
  private long lostContainers;
  private long lostStripes;

  private ClusterSimulation(FailureModel model, long seed) {
    this.model = model;
    this.random = new SplittableRandom(seed);
    this.n = model.policy().shards();
    this.k = model.policy().k();
    this.m = model.policy().m();
    this.containers = (int) StrictMath.round(model.containers());
    this.disk = new int[containers][n];
    this.state = new byte[containers][n];
    this.scrubPhase = new double[containers][n];
    this.writtenAt = new double[containers][n];
    this.endangeredAt = new double[containers];
    this.life = new int[containers];
    this.generation = new int[containers];
    this.queuedAt = new int[containers];
    for (int d = 0; d < model.disks(); d++) {
      onDisk.add(new ArrayList<>());
    }
    for (int q = 0; q <= m; q++) {
      queues.add(new ArrayDeque<>());
    }
  }

  /** Simulates so many years; what was lost a container and year. */
  static LossRates run(FailureModel model, double years, long seed) {
    ClusterSimulation simulation = new ClusterSimulation(model, seed);
    simulation.runFor(years * FailureModel.SECONDS_PER_YEAR);
    double containerYears = simulation.containers * years;
    return new LossRates(
        simulation.lostContainers / containerYears, simulation.lostStripes / containerYears);
  }

  private void runFor(double seconds) {
    for (int container = 0; container < containers; container++) {
      for (int shard = 0; shard < n; shard++) {
        scrubPhase[container][shard] = random.nextDouble() * model.scrubSeconds();
        writtenAt[container][shard] = -model.scrubSeconds();
        stand(container, shard);
      }
    }
    scheduleFailure();
    while (true) {
      Event event = events.remove();
      if (event.time > seconds) {
        return;
      }
      now = event.time;
      switch (event.kind) {
        case FAILURE -> {
          fail();
          scheduleFailure();
        }
        case DETECTION -> detect(event.subject);
        case SERVED -> served(event.subject, event.version);
        case WRITTEN -> written(event.subject, event.version);
        case LATENT -> latentError(event.subject, event.version);
      }
    }
  }

  private void schedule(double after, Kind kind, int subject, int version) {
    events.add(new Event(now + after, sequence++, kind, subject, version));
  }

  private double exponential(double ratePerSecond) {
    return -StrictMath.log(1 - random.nextDouble()) / ratePerSecond;
  }

  // Places.

  private int nodeOf(int anyDisk) {
    return anyDisk / model.disksPerNode();
  }

  private int rackOf(int anyDisk) {
    return nodeOf(anyDisk) / model.nodesPerRack();
  }

  /** Puts a shard on a random disk: no two on one node, racks as even as they can be. */
  private void stand(int container, int shard) {
    while (true) {
      int candidate = random.nextInt(model.disks());
      int inRack = 0;
      boolean nodeTaken = false;
      for (int other = 0; other < shard; other++) {
        int at = disk[container][other];
        nodeTaken |= nodeOf(at) == nodeOf(candidate);
        inRack += rackOf(at) == rackOf(candidate) ? 1 : 0;
      }
      if (!nodeTaken && inRack < model.shardsPerRack()) {
        disk[container][shard] = candidate;
        onDisk.get(candidate).add(new int[] {container, shard});
        return;
      }
    }
  }

  // Failures.

  private void scheduleFailure() {
    schedule(exponential(totalFailureRate()), Kind.FAILURE, 0, 0);
  }

  private double totalFailureRate() {
    int nodes = model.racks() * model.nodesPerRack();
    return (model.disks() * model.diskFailuresPerYear()
            + nodes * model.nodeFailuresPerYear()
            + model.racks() * model.rackFailuresPerYear())
        / FailureModel.SECONDS_PER_YEAR;
  }

  private void fail() {
    int nodes = model.racks() * model.nodesPerRack();
    double disks = model.disks() * model.diskFailuresPerYear();
    double ofNodes = nodes * model.nodeFailuresPerYear();
    double all = disks + ofNodes + model.racks() * model.rackFailuresPerYear();
    double which = random.nextDouble() * all;
    int first;
    int count;
    if (which < disks) {
      first = random.nextInt(model.disks());
      count = 1;
    } else if (which < disks + ofNodes) {
      count = model.disksPerNode();
      first = random.nextInt(nodes) * count;
    } else {
      count = model.disksPerNode() * model.nodesPerRack();
      first = random.nextInt(model.racks()) * count;
    }
    List<Loss> losses = new ArrayList<>();
    for (int d = first; d < first + count; d++) {
      for (int[] stands : onDisk.get(d)) {
        if (state[stands[0]][stands[1]] == PRESENT) {
          state[stands[0]][stands[1]] = LOST;
          losses.add(new Loss(stands[0], stands[1], life[stands[0]]));
        }
      }
    }
    for (Loss loss : losses) {
      int lost = count(loss.container, LOST, KNOWN, BEING_WRITTEN);
      if (life[loss.container] == loss.life && lost > m) {
        lostContainers++;
        renew(loss.container);
      } else if (lost == m && endangeredAt[loss.container] != now) {
        endangered(loss.container);
      }
    }
    // in any order: a queue that favoured some containers would be another model
    for (int i = losses.size() - 1; i > 0; i--) {
      int j = random.nextInt(i + 1);
      Loss swapped = losses.get(i);
      losses.set(i, losses.get(j));
      losses.set(j, swapped);
    }
    detections.add(losses);
    schedule(model.detectionSeconds(), Kind.DETECTION, detections.size() - 1, 0);
  }

  private int count(int container, byte... states) {
    int count = 0;
    for (byte of : state[container]) {
      for (byte wanted : states) {
        count += of == wanted ? 1 : 0;
      }
    }
    return count;
  }

  /** A container that is lost is written anew. */
  private void renew(int container) {
    life[container]++;
    generation[container]++;
    queuedAt[container] = 0;
    for (int shard = 0; shard < n; shard++) {
      state[container][shard] = PRESENT;
      writtenAt[container][shard] = now;
    }
  }

  // Latent errors: looked at only where one would be fatal.

  private void endangered(int container) {
    endangeredAt[container] = now;
    double rate = model.latentErrorsPerShardSecond();
    if (rate == 0) {
      return;
    }
    for (int shard = 0; shard < n; shard++) {
      if (state[container][shard] == PRESENT) {
        double cycle = model.scrubSeconds();
        double sinceScrub = (now + scrubPhase[container][shard]) % cycle;
        double age = Math.min(sinceScrub, now - writtenAt[container][shard]);
        if (random.nextDouble() < -StrictMath.expm1(-rate * age)) {
          lostStripes++;
          break; // one such stripe a container and event
        }
      }
    }
    generation[container]++;
    schedule(exponential(rate * k), Kind.LATENT, container, generation[container]);
  }

  private void latentError(int container, int version) {
    if (generation[container] == version && count(container, LOST, KNOWN, BEING_WRITTEN) == m) {
      lostStripes++;
    }
  }

  // Rebuilding.

  private void detect(int failure) {
    for (Loss loss : detections.get(failure)) {
      if (life[loss.container] == loss.life) {
        state[loss.container][loss.shard] = KNOWN;
        enqueue(loss.container);
      }
    }
    detections.set(failure, List.of());
    serve();
  }

  private void enqueue(int container) {
    int known = count(container, KNOWN);
    if (known > queuedAt[container]) {
      queuedAt[container] = known;
      queues.get(known).add(new int[] {container, life[container]});
    }
  }

  /** All disks together rebuild one container after the other. */
  private void serve() {
    while (!serving) {
      int[] next = null;
      int level = m;
      for (; level > 0 && next == null; level--) {
        next = queues.get(level).poll();
      }
      if (next == null) {
        return;
      }
      level++;
      int container = next[0];
      if (next[1] == life[container] && queuedAt[container] == level) {
        serving = true;
        double bytes = (k + level) * model.shardBytes();
        double seconds = bytes / (model.disks() * model.repairBytesPerSecond());
        schedule(seconds, Kind.SERVED, container, life[container]);
      }
    }
  }

  private void served(int container, int version) {
    serving = false;
    if (life[container] == version) {
      queuedAt[container] = 0;
      for (int shard = 0; shard < n; shard++) {
        if (state[container][shard] == KNOWN) {
          state[container][shard] = BEING_WRITTEN;
        }
      }
      schedule(model.shardWriteSeconds(), Kind.WRITTEN, container, version);
    }
    serve();
  }

  private void written(int container, int version) {
    if (life[container] != version) {
      return;
    }
    generation[container]++;
    for (int shard = 0; shard < n; shard++) {
      if (state[container][shard] == BEING_WRITTEN) {
        state[container][shard] = PRESENT;
        writtenAt[container][shard] = now;
      }
    }
  }
}
