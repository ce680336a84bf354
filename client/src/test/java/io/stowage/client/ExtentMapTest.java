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

import io.stowage.common.proto.Extent;
import java.util.List;
import org.junit.jupiter.api.Test;

class ExtentMapTest {
  private static final Extent STREAMED =
      Extent.newBuilder()
          .setOffset(40_960)
          .setCellLength(8_192)
          .setWidth(3)
          .setFirstShard(2)
          .setLength(100_000)
          .build();

  /** The formula of types.proto, byte by byte. */
  private static long[] placeOf(Extent extent, int k, long p) {
    long stripe = p / ((long) extent.getWidth() * extent.getCellLength());
    long c = p % ((long) extent.getWidth() * extent.getCellLength()) / extent.getCellLength();
    return new long[] {
      (extent.getFirstShard() + c) % k,
      extent.getOffset() + stripe * extent.getCellLength() + p % extent.getCellLength()
    };
  }

  @Test
  void everyByteIsWhereTheFormulaSays() {
    for (long from = 0; from < 60_000; from += 777) {
      for (int length : new int[] {1, 100, 8_192, 30_000}) {
        long at = from;
        for (ExtentMap.Piece piece : ExtentMap.pieces(STREAMED, 3, from, length)) {
          for (int i = 0; i < piece.length(); i += 91) {
            long[] place = placeOf(STREAMED, 3, at + i);
            assertEquals(place[0], piece.shard());
            assertEquals(place[1], piece.offset() + i);
          }
          at += piece.length();
        }
        assertEquals(from + length, at);
      }
    }
  }

  @Test
  void consecutiveCellsOfOneShardAreOnePiece() {
    Extent replicated =
        Extent.newBuilder().setOffset(4_096).setCellLength(4_096).setWidth(1).build();
    assertEquals(
        List.of(new ExtentMap.Piece(0, 4_196, 20_000)),
        ExtentMap.pieces(replicated, 1, 100, 20_000));
  }
}
