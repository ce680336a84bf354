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

/**
 * The life of one container as a continuous-time Markov chain.
 *
 * <p>A state is (u, q, c): u shards lost of which nobody knows yet, q shards lost that wait for
 * their rebuild, and c, the largest thing whose failure took one of them (disk, node, rack), since
 * that says how long the queue is. u+q &gt; m is loss, after which the container is written anew.
 *
 * <ul>
 *   <li>A shard is lost with its disk or its node, at (n-u-q) times the rate of each; a rack takes
 *       all that it holds of the container at once.
 *   <li>A loss becomes known at the rate 1/detection; after a rack's failure all losses at once.
 *   <li>All known losses of a container are rebuilt in one pass. One that lost no more than the
 *       failure took waits half of the time that the failure's whole queue takes; one that lost
 *       more stands before them, among the few that both failures struck.
 * </ul>
 *
 * The chain's stationary distribution is computed by the elimination of Grassmann, Taksar and
 * Heyman, which subtracts nothing: a probability of 1e-25 comes out with all its digits. Immutable.
 */
final class MarkovModel {
  private static final int DISK = 0;
  private static final int NODE = 1;
  private static final int RACK = 2;

  private final FailureModel model;
  private final int n;
  private final int m;
  private final int states;
  private final double diskRate;
  private final double nodeRate;
  private final double rackRate;
  private final double[][] rates;
  private final double[] lossRate;

  private MarkovModel(FailureModel model) {
    this.model = model;
    this.n = model.policy().shards();
    this.m = model.policy().m();
    this.diskRate = model.diskFailuresPerYear() / FailureModel.SECONDS_PER_YEAR;
    this.nodeRate = model.nodeFailuresPerYear() / FailureModel.SECONDS_PER_YEAR;
    this.rackRate = model.rackFailuresPerYear() / FailureModel.SECONDS_PER_YEAR;
    this.states = (m + 1) * (m + 1) * 3;
    this.rates = new double[states][states];
    this.lossRate = new double[states];
    build();
  }

  static LossRates lossRates(FailureModel model) {
    return new MarkovModel(model).solve();
  }

  private int index(int unknown, int known, int cause) {
    return (unknown * (m + 1) + known) * 3 + (unknown + known == 0 ? DISK : cause);
  }

  private void build() {
    for (int u = 0; u <= m; u++) {
      for (int q = 0; u + q <= m; q++) {
        for (int c = DISK; c <= RACK; c++) {
          if (u + q > 0 || c == DISK) {
            build(u, q, c);
          }
        }
      }
    }
  }

  private void build(int u, int q, int c) {
    int from = index(u, q, c);
    int left = n - u - q;
    lose(from, u, q, 1, c, left * diskRate);
    lose(from, u, q, 1, Math.max(c, NODE), left * nodeRate);
    int full = n / model.racks();
    int racksWithMore = n % model.racks();
    loseRacks(from, u, q, full + 1, racksWithMore);
    loseRacks(from, u, q, full, full == 0 ? 0 : model.racks() - racksWithMore);
    if (u > 0) {
      if (c == RACK) {
        rates[from][index(0, u + q, c)] += 1 / model.detectionSeconds();
      } else {
        rates[from][index(u - 1, q + 1, c)] += u / model.detectionSeconds();
      }
    }
    if (q > 0) {
      rates[from][index(u, 0, c)] += 1 / rebuildSeconds(q, c);
    }
  }

  private void lose(int from, int u, int q, int count, int cause, double rate) {
    if (u + q + count > m) {
      lossRate[from] += rate;
    } else {
      rates[from][index(u + count, q, cause)] += rate;
    }
  }

  /** Racks that hold so many shards: what is lost already fell on them at random. */
  private void loseRacks(int from, int u, int q, int held, int count) {
    int lost = u + q;
    for (int gone = Math.max(0, held - (n - lost)); gone <= Math.min(held, lost); gone++) {
      if (held > gone) {
        double probability = choose(held, gone) * choose(n - held, lost - gone) / choose(n, lost);
        lose(from, u, q, held - gone, RACK, count * rackRate * probability);
      }
    }
  }

  private static double choose(int from, int count) {
    double ways = 1;
    for (int i = 0; i < count; i++) {
      ways = ways * (from - i) / (i + 1);
    }
    return ways;
  }

  /** Mean time from "known" to "rebuilt" of a container that lost q shards. */
  private double rebuildSeconds(int q, int cause) {
    int struck =
        switch (cause) {
          case DISK -> 1;
          case NODE -> model.disksPerNode();
          default -> model.disksPerNode() * model.nodesPerRack();
        };
    int together = cause == RACK ? model.shardsPerRack() : 1;
    double readsAndWrites = model.policy().k() + Math.min(q, together);
    double queue =
        struck
            * (model.usedBytesPerDisk() / model.shardBytes())
            / together
            * readsAndWrites
            * model.shardBytes()
            / (model.disks() * model.repairBytesPerSecond());
    for (int i = together; i < q; i++) {
      // a further failure, of a whole node at worst, struck these of the containers in the queue
      queue *= (double) (n - i) / (model.racks() * model.nodesPerRack() - 1);
    }
    return queue / 2 + model.shardWriteSeconds();
  }

  private LossRates solve() {
    // Loss leads back to the beginning: a new container takes the lost one's place.
    double[][] p = new double[states][];
    for (int i = 0; i < states; i++) {
      p[i] = rates[i].clone();
      p[i][0] += lossRate[i];
      p[i][i] = 0;
    }
    double[] leaving = new double[states];
    for (int last = states - 1; last > 0; last--) {
      for (int j = 0; j < last; j++) {
        leaving[last] += p[last][j];
      }
      if (leaving[last] == 0) {
        continue; // no such state
      }
      for (int i = 0; i < last; i++) {
        double into = p[i][last] / leaving[last];
        for (int j = 0; j < last; j++) {
          if (j != i) {
            p[i][j] += into * p[last][j];
          }
        }
      }
    }
    double[] stationary = new double[states];
    stationary[0] = 1;
    double sum = 1;
    for (int i = 1; i < states; i++) {
      if (leaving[i] > 0) {
        for (int j = 0; j < i; j++) {
          stationary[i] += stationary[j] * p[j][i];
        }
        stationary[i] /= leaving[i];
        sum += stationary[i];
      }
    }
    double containers = 0;
    double stripes = 0;
    int k = model.policy().k();
    double latent = model.latentErrorsPerShardSecond();
    double found = -StrictMath.expm1(-k * latent * model.scrubSeconds() / 2);
    for (int i = 0; i < states; i++) {
      double share = stationary[i] / sum;
      containers += share * lossRate[i];
      for (int j = 0; j < states; j++) {
        if (lostIn(j) == m && lostIn(i) < m) {
          stripes += share * rates[i][j] * found;
        }
      }
      if (lostIn(i) == m) {
        stripes += share * k * latent;
      }
    }
    return new LossRates(
        containers * FailureModel.SECONDS_PER_YEAR, stripes * FailureModel.SECONDS_PER_YEAR);
  }

  private int lostIn(int state) {
    return state / 3 / (m + 1) + state / 3 % (m + 1);
  }
}
