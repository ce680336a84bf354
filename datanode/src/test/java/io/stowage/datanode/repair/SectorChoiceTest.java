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
package io.stowage.datanode.repair;

import static io.stowage.common.proto.SectorState.LOST;
import static io.stowage.common.proto.SectorState.NEVER_WRITTEN;
import static org.junit.jupiter.api.Assertions.assertEquals;

import io.stowage.common.erasure.ErasurePolicy;
import io.stowage.common.proto.SectorState;
import java.util.List;
import org.junit.jupiter.api.Test;

/** What a sector is that nobody has. */
class SectorChoiceTest {
  /** Of data shard 0, by what a copy of it, data shard 1 and two parities say; null: silent. */
  private static SectorChoice.Kind kind(SectorState... said) {
    SectorChoice choice = new SectorChoice(ErasurePolicy.RS_3_2, 0, List.of(0, 1, 3, 4), 1);
    for (int source = 0; source < said.length; source++) {
      choice.claim(source, 0, said[source], 0);
    }
    choice.choose();
    return choice.kind(0);
  }

  @Test
  void aHoleIsWhatAParityCallsOneOrACopyWhileNoParityIsLost() {
    assertEquals(SectorChoice.Kind.HOLE, kind(LOST, LOST, LOST, NEVER_WRITTEN));
    assertEquals(SectorChoice.Kind.HOLE, kind(null, null, NEVER_WRITTEN, null));
    SectorState hole = NEVER_WRITTEN;
    assertEquals(SectorChoice.Kind.HOLE, kind(hole, hole, hole, hole));
    assertEquals(SectorChoice.Kind.LOST, kind(hole, hole, LOST, LOST));
    assertEquals(SectorChoice.Kind.LOST, kind(hole, hole, LOST, null));
    SectorChoice noParity = new SectorChoice(ErasurePolicy.RS_3_2, 0, List.of(0, 1), 1);
    noParity.claim(0, 0, hole, 0);
    noParity.claim(1, 0, LOST, 0);
    noParity.choose();
    assertEquals(SectorChoice.Kind.HOLE, noParity.kind(0));
  }
}
