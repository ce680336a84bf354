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

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.stowage.common.proto.Extent;
import java.util.Arrays;
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

  /** Bytes that each shard gives for a range. */
  private static long[] shares(Extent extent, int k, long from, int length) {
    long[] shares = new long[k];
    for (ExtentMap.Piece piece : ExtentMap.pieces(extent, k, from, length)) {
      shares[piece.shard()] += piece.length();
    }
    return shares;
  }

  @Test
  void betweenBordersOfStripesAllShardsGiveTheSame() {
    int read = 100_000;
    long at = ExtentMap.border(STREAMED, 30_000, read);
    assertEquals(24_576, at);
    for (long end = at + read; end < 20L * read; end += read) {
      long border = ExtentMap.border(STREAMED, end, read);
      assertTrue(border > end - 24_576 && border <= end, border + " of " + end);
      long share = (border - at) / 3;
      assertArrayEquals(
          new long[] {share, share, share}, shares(STREAMED, 3, at, (int) (border - at)));
      at = border;
    }
  }

  @Test
  void readsThatAreShorterThanAStripeEndBehindACell() {
    int read = 20_000;
    for (long end = read; end < 20L * read; end += 977) {
      long border = ExtentMap.border(STREAMED, end, read);
      assertEquals(0, border % 8_192);
      assertTrue(border > end - 8_192 && border <= end, border + " of " + end);
      assertTrue(
          Arrays.stream(shares(STREAMED, 3, border, 2 * 8_192)).max().getAsLong() == 8_192,
          "two cells of one shard");
    }
  }
}
