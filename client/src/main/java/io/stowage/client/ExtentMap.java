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

import io.stowage.common.proto.Extent;
import java.util.ArrayList;
import java.util.List;

/** Where the bytes of an extent lie: the formula of {@code Extent} in types.proto. Stateless. */
final class ExtentMap {
  private ExtentMap() {}

  /**
   * Consecutive bytes of one shard.
   *
   * @param offset shard address
   */
  record Piece(int shard, long offset, int length) {}

  /**
   * The pieces of bytes {@code from} to {@code from + length} of a needle, header included, in
   * order.
   */
  static List<Piece> pieces(Extent extent, int k, long from, int length) {
    List<Piece> pieces = new ArrayList<>();
    long cellBytes = extent.getCellLength();
    long stripeBytes = cellBytes * extent.getWidth();
    long at = from;
    long end = from + length;
    while (at < end) {
      long stripe = at / stripeBytes;
      long inStripe = at % stripeBytes;
      long inCell = inStripe % cellBytes;
      int shard = (int) ((extent.getFirstShard() + inStripe / cellBytes) % k);
      int count = (int) Math.min(end - at, cellBytes - inCell);
      long address = extent.getOffset() + stripe * cellBytes + inCell;
      Piece last = pieces.isEmpty() ? null : pieces.get(pieces.size() - 1);
      if (last != null && last.shard() == shard && last.offset() + last.length() == address) {
        pieces.set(pieces.size() - 1, new Piece(shard, last.offset(), last.length() + count));
      } else {
        pieces.add(new Piece(shard, address, count));
      }
      at += count;
    }
    return pieces;
  }

  /**
   * The last byte at or before one of a needle at which a stripe begins; where a whole stripe is
   * more than is read at once, a cell, since no shard has two of so few.
   */
  static long border(Extent extent, long at, int readBytes) {
    long stripeBytes = (long) extent.getCellLength() * extent.getWidth();
    return at - at % (stripeBytes <= readBytes ? stripeBytes : extent.getCellLength());
  }
}
