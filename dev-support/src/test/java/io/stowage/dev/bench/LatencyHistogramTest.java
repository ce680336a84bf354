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
package io.stowage.dev.bench;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.Arrays;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;

class LatencyHistogramTest {
  @Test
  void percentilesAreWithinThreePercentAboveTheTrueOnes() {
    LatencyHistogram histogram = new LatencyHistogram();
    LatencyHistogram other = new LatencyHistogram();
    SplittableRandom random = new SplittableRandom(7);
    long[] values = new long[10_000];
    for (int i = 0; i < values.length; i++) {
      values[i] = random.nextLong(1L << (1 + random.nextInt(40)));
      (i % 2 == 0 ? histogram : other).record(values[i]);
    }
    histogram.addAll(other);
    Arrays.sort(values);
    assertEquals(values.length, histogram.count());
    assertEquals(values[values.length - 1], histogram.maxNanos());
    for (double share : new double[] {0.01, 0.5, 0.95, 0.99, 1.0}) {
      long truth = values[(int) Math.ceil(share * values.length) - 1];
      long answer = histogram.percentileNanos(share);
      assertTrue(
          answer >= truth && answer <= truth + truth / 32 + 1,
          () -> share + ": " + answer + " for " + truth);
    }
  }

  @Test
  void theLongestDurationHasABucket() {
    LatencyHistogram histogram = new LatencyHistogram();
    histogram.record(Long.MAX_VALUE);
    histogram.record(-5);
    assertEquals(Long.MAX_VALUE, histogram.percentileNanos(1));
    assertEquals(0, histogram.percentileNanos(0.5));
  }
}
