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

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;

import io.stowage.common.proto.EpochStart;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

/** What a rebuilt shard takes as the ranges of epochs. */
class EpochRangesTest {
  private static EpochRanges shard(long end, long... epochsAndStarts) {
    List<EpochStart> list = new ArrayList<>();
    for (int i = 0; i < epochsAndStarts.length; i += 2) {
      list.add(
          EpochStart.newBuilder()
              .setEpoch(epochsAndStarts[i])
              .setStart(epochsAndStarts[i + 1])
              .build());
    }
    return EpochRanges.of(list, end);
  }

  @Test
  void anEpochBeginsAtTheHighestOfItsStarts() {
    EpochRanges merged =
        EpochRanges.merged(List.of(shard(300, 1, 0, 2, 80), shard(200, 1, 0, 2, 100)));
    assertArrayEquals(new long[] {1, 2}, merged.epochs());
    assertArrayEquals(new long[] {0, 100}, merged.starts());
  }

  @Test
  void whoLacksAnEpochTellsByItsNextWhereItEnded() {
    EpochRanges merged =
        EpochRanges.merged(List.of(shard(120, 1, 0, 2, 80, 3, 90), shard(130, 1, 0, 3, 100)));
    assertEquals(1, merged.epochAt(90));
    assertEquals(3, merged.epochAt(100));
  }

  /**
   * A lease opened one short shard and no other, and was the last: its writer died, or wanted to
   * have what it did not write.
   */
  @Test
  void aLastEpochThatOneShortShardKnowsClaimsNothingOfOthers() {
    EpochRanges shortOne = shard(84, 1, 0, 2, 80);
    EpochRanges merged = EpochRanges.merged(List.of(shortOne, shard(100, 1, 0), shard(100, 1, 0)));
    for (long address = 0; address < 100; address++) {
      assertEquals(1, merged.epochAt(address), "address " + address);
    }
    assertArrayEquals(new long[] {1, 2}, merged.epochs());
    assertArrayEquals(new long[] {0, 100}, merged.starts());
    assertEquals(2, shortOne.epochAt(80), "what it wrote there is its own, and not the stripe's");
  }
}
