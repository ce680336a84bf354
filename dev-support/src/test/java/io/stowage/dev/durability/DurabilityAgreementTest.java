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

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.stowage.common.erasure.ErasurePolicy;
import org.junit.jupiter.api.Test;

/**
 * The chain and the simulation, which share no formula, find the same: within three standard errors
 * of the simulation and a tenth of the chain's figure. The tenth is what the chain leaves out, that
 * one failure's queue waits for another's, about as much as the share of time that the accelerated
 * cluster repairs. Seeds are fixed: a difference is a change of the code.
 */
class DurabilityAgreementTest {
  private static final double CHAIN_LEAVES_OUT = 0.1;

  /** Failures times shards on a disk: seconds of computing. */
  private static final double SHARD_LOSSES = 8e5;

  private static final int RUNS = 10;

  private static Agreement simulate(FailureModel model, double failuresPerYear) {
    double shardsOnDisk = model.usedBytesPerDisk() / model.shardBytes();
    return Agreement.of(model, SHARD_LOSSES / failuresPerYear / shardsOnDisk, RUNS, 1);
  }

  private static void assertClose(String what, double chain, double seen, double error) {
    String figures = what + ": chain " + chain + ", simulated " + seen + " ± " + error;
    System.err.println(figures);
    assertTrue(seen > 0 && error < seen / 3, () -> "too little was seen. " + figures);
    assertTrue(Math.abs(seen - chain) <= 3 * error + CHAIN_LEAVES_OUT * chain, figures);
  }

  private static void assertContainersAgree(String what, Agreement agreement) {
    assertClose(
        what,
        agreement.chain().containersPerYear(),
        agreement.simulated().containersPerYear(),
        agreement.error().containersPerYear());
  }

  @Test
  void agreeOnDisksWhoseFailureIsKnownLate() {
    for (ErasurePolicy policy : ErasurePolicy.ALL) {
      FailureModel model = Agreement.accelerated(policy, 150, 0.1);
      assertContainersAgree(policy.name(), simulate(model, 40 * 150));
    }
  }

  @Test
  void agreeOnDisksThatWaitLongForTheirRebuild() {
    for (ErasurePolicy policy : new ErasurePolicy[] {ErasurePolicy.RS_1_2, ErasurePolicy.RS_3_2}) {
      FailureModel model = Agreement.accelerated(policy, 20, 3);
      assertContainersAgree(policy + ", long queue", simulate(model, 40 * 20));
    }
  }

  @Test
  void agreeOnNodesThatTakeTheirDisksAlong() {
    FailureModel model =
        Agreement.accelerated(ErasurePolicy.RS_3_2, 60, 0.1).withFailures(60, 60, 0);
    assertContainersAgree("nodes", simulate(model, 40 * 60 + 20 * 60 * 2));
  }

  @Test
  void agreeOnRacksThatTakeSeveralShardsAtOnce() {
    FailureModel disks = Agreement.accelerated(ErasurePolicy.RS_3_2, 60, 0.1);
    FailureModel model =
        new FailureModel(
            disks.policy(),
            5,
            4,
            2,
            60,
            0,
            20,
            disks.usedBytesPerDisk(),
            disks.shardBytes(),
            disks.repairBytesPerSecond(),
            disks.detectionSeconds(),
            0,
            disks.scrubSeconds());
    assertContainersAgree("racks, a shard each", simulate(model, 40 * 60 + 5 * 20 * 8));
    FailureModel two =
        new FailureModel(
            ErasurePolicy.RS_6_3,
            3,
            8,
            2,
            60,
            0,
            10,
            disks.usedBytesPerDisk(),
            disks.shardBytes(),
            disks.repairBytesPerSecond() * 2,
            disks.detectionSeconds(),
            0,
            disks.scrubSeconds());
    assertContainersAgree("racks, three shards each", simulate(two, 48 * 60 + 3 * 10 * 16));
  }

  @Test
  void agreeOnStripesLostToLatentErrors() {
    FailureModel model =
        Agreement.accelerated(ErasurePolicy.RS_3_2, 40, 0.1).withLatentErrors(60 * 20, 43_200);
    Agreement agreement = simulate(model, 40 * 40);
    assertClose(
        "stripes",
        agreement.chain().stripesPerYear(),
        agreement.simulated().stripesPerYear(),
        agreement.error().stripesPerYear());
  }

  /**
   * Where rebuilding takes no time, losses are those of a queue with endless servers, of which a
   * formula is known: choose(n, m+1) (m+1) a^(m+1) T^m, whatever the time's distribution.
   */
  @Test
  void theChainMeetsTheFormulaWhereThereIsOne() {
    for (ErasurePolicy policy : ErasurePolicy.ALL) {
      FailureModel model = Agreement.accelerated(policy, 0.02, 0.1).withRepair(1e30, 3600);
      double perSecond = 0.02 / FailureModel.SECONDS_PER_YEAR;
      double formula = FailureModel.SECONDS_PER_YEAR * perSecond * policy.shards();
      for (int lost = 1; lost <= policy.m(); lost++) {
        formula *= perSecond * 3600 * (policy.shards() - lost) / lost;
      }
      double chain = MarkovModel.lossRates(model).containersPerYear();
      assertEquals(1, chain / formula, 1e-3, policy + ": " + chain + " and " + formula);
    }
  }
}
