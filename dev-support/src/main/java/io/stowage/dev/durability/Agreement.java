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

import io.stowage.common.erasure.ErasurePolicy;

/**
 * What the chain says and what the simulation saw of one cluster. Immutable.
 *
 * @param chain losses by {@link MarkovModel}
 * @param simulated mean of the runs of {@link ClusterSimulation}
 * @param error one standard error of that mean: runs are independent, losses within one are not
 */
record Agreement(LossRates chain, LossRates simulated, LossRates error) {
  /**
   * Small enough to be simulated failure by failure, with failures often enough to see: 40 disks, a
   * disk's queue as long as a multiple of the time until its failure is known.
   */
  static FailureModel accelerated(
      ErasurePolicy policy, double diskFailuresPerYear, double queueOverDetection) {
    int racks = 20;
    int disksPerNode = 2;
    double detection = 3600;
    double used = 60e9;
    double repair =
        used * (policy.k() + 1) / (racks * disksPerNode * queueOverDetection * detection);
    return new FailureModel(
        policy,
        racks,
        1,
        disksPerNode,
        diskFailuresPerYear,
        0,
        0,
        used,
        1e9,
        repair,
        detection,
        0,
        7 * 86_400);
  }

  static Agreement of(FailureModel model, double years, int runs, long seed) {
    double[] containers = new double[runs];
    double[] stripes = new double[runs];
    for (int run = 0; run < runs; run++) {
      LossRates seen = ClusterSimulation.run(model, years / runs, seed + run);
      containers[run] = seen.containersPerYear();
      stripes[run] = seen.stripesPerYear();
    }
    return new Agreement(
        MarkovModel.lossRates(model),
        new LossRates(mean(containers), mean(stripes)),
        new LossRates(error(containers), error(stripes)));
  }

  private static double mean(double[] values) {
    double sum = 0;
    for (double value : values) {
      sum += value;
    }
    return sum / values.length;
  }

  private static double error(double[] values) {
    double mean = mean(values);
    double squares = 0;
    for (double value : values) {
      squares += (value - mean) * (value - mean);
    }
    return Math.sqrt(squares / (values.length - 1) / values.length);
  }
}
