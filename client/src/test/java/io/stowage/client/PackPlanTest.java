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
package io.stowage.client;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.stowage.common.needle.NeedleCodec;
import java.util.Arrays;
import java.util.Random;
import org.junit.jupiter.api.Test;

class PackPlanTest {
  private static final int MAX_CELL = 1 << 20;

  private static int[] equal(int count, int size) {
    int[] sizes = new int[count];
    Arrays.fill(sizes, size);
    return sizes;
  }

  private static double cost(PackPlan plan, int[] sizes, int m) {
    long payload = Arrays.stream(sizes, 0, plan.count()).sum();
    return (double) (plan.width() + m) * plan.cellBytes() / payload;
  }

  @Test
  void oneNeedleAloneTakesOneCellOfItsSectors() {
    PackPlan plan = PackPlan.of(new int[] {5_000}, 6, 3, MAX_CELL);
    assertEquals(1, plan.count());
    assertEquals(1, plan.width());
    assertEquals(8_192, plan.cellBytes());
  }

  @Test
  void manyNeedlesFillAWideStripe() {
    int[] sizes = equal(120, 4_200);
    PackPlan plan = PackPlan.of(sizes, 6, 3, MAX_CELL);
    assertEquals(6, plan.width());
    assertTrue(
        cost(plan, sizes, 3) < 1.6, "the code itself costs 1.5, this " + cost(plan, sizes, 3));
  }

  @Test
  void leavesANeedleThatWouldCostEveryCellASector() {
    // Three fill a sector each; the fourth would make all five cells twice as high.
    PackPlan plan = PackPlan.of(equal(4, 4_096), 3, 2, MAX_CELL);
    assertEquals(3, plan.count());
    assertEquals(4_096, plan.cellBytes());
  }

  @Test
  void everyPlanIsTheBestOfAllAndItsNeedlesFit() {
    Random random = new Random(5);
    for (int round = 0; round < 300; round++) {
      int k = 1 + random.nextInt(10);
      int m = 1 + random.nextInt(4);
      int[] sizes = new int[1 + random.nextInt(40)];
      for (int i = 0; i < sizes.length; i++) {
        sizes[i] = 100 + random.nextInt(random.nextBoolean() ? 140_000 : 3_000);
      }
      int maxCell = random.nextBoolean() ? MAX_CELL : 32 << 10;
      PackPlan plan = PackPlan.of(sizes, k, m, maxCell);
      int[] ends = new int[plan.width()];
      for (int i = 0; i < plan.count(); i++) {
        int cell = plan.cellOf(i);
        ends[cell] = NeedleCodec.align(ends[cell]) + sizes[i];
      }
      for (int end : ends) {
        assertTrue(end > 0 && end <= plan.cellBytes());
      }
      assertTrue(plan.cellBytes() % 4_096 == 0);
      assertTrue(plan.cellBytes() <= maxCell || plan.cellBytes() == Sectors.roundUp(sizes[0]));
      for (int count = 1; count <= sizes.length; count++) {
        PackPlan of = PackPlan.of(Arrays.copyOf(sizes, count), k, m, maxCell);
        assertTrue(cost(plan, sizes, m) <= cost(of, sizes, m) + 1e-9);
      }
    }
  }

  @Test
  void theFirstNeedleIsAlwaysTaken() {
    PackPlan plan = PackPlan.of(new int[] {200_000, 100}, 3, 2, 32 << 10);
    assertEquals(0, plan.cellOf(0));
    assertTrue(plan.count() >= 1);
    assertEquals(Sectors.roundUp(200_000), plan.cellBytes());
  }
}
