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
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import org.junit.jupiter.api.Test;

class DurabilityPageTest {
  private static Path docs() {
    Path here = Path.of("").toAbsolutePath();
    return here.endsWith("dev-support") ? here.resolveSibling("docs") : here.resolve("docs");
  }

  /** {@code dev-support/durability --write docs} mends it. */
  @Test
  void thePageAndItsPlotsAreWhatTheCodeComputes() throws IOException {
    for (Map.Entry<Path, String> file : DurabilityPage.filesOf(docs()).entrySet()) {
      assertEquals(file.getValue(), Files.readString(file.getKey()), file.getKey()::toString);
    }
  }

  @Test
  void moreIsLostWhereMoreFailsAndLessWhereRepairIsFaster() {
    FailureModel model = Agreement.accelerated(ErasurePolicy.RS_6_3, 0.02, 10);
    double lost = lost(model);
    assertTrue(lost(model.withFailures(0.04, 0, 0)) > 10 * lost);
    assertTrue(lost(model.withFailures(0.02, 0.01, 0)) > lost);
    assertTrue(lost(model.withFailures(0.02, 0, 0.01)) > lost);
    assertTrue(lost(model.withRepair(model.repairBytesPerSecond() * 4, 3600)) < lost);
    assertTrue(lost(model.withRepair(model.repairBytesPerSecond(), 60)) < lost);
    FailureModel rotting = model.withLatentErrors(0.1, 14 * 86_400);
    double stripes = MarkovModel.lossRates(rotting).stripesPerYear();
    assertTrue(stripes > 0);
    assertTrue(
        MarkovModel.lossRates(rotting.withLatentErrors(0.1, 86_400)).stripesPerYear() < stripes);
  }

  private static double lost(FailureModel model) {
    return MarkovModel.lossRates(model).containersPerYear();
  }
}
