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

import io.stowage.common.needle.NeedleCodec;
import java.util.Arrays;

/**
 * How many of the needles that gathered go into the next stripe, how wide and how high it is, and
 * which cell each lies in. Immutable.
 */
final class PackPlan {
  private final int width;
  private final int cellBytes;
  private final int[] cells;

  private PackPlan(int width, int cellBytes, int[] cells) {
    this.width = width;
    this.cellBytes = cellBytes;
    this.cells = cells;
  }

  /** Needles taken, from the front of the queue. */
  int count() {
    return cells.length;
  }

  /** Data cells. */
  int width() {
    return width;
  }

  /** Height, whole sectors. */
  int cellBytes() {
    return cellBytes;
  }

  /** Which cell a taken needle lies in: 0 to width - 1. */
  int cellOf(int needle) {
    return cells[needle];
  }

  /**
   * Looks at every count and every width, and takes what minimises the bytes written per byte
   * stored: (width + m) * height / payload. Cells end at sectors, so that the last few needles
   * often cost a sector in each of the m parity cells and are better off in the next stripe.
   * Needles go to the emptiest cell, in their order; of equals the larger count wins, which is
   * sooner for its writers.
   *
   * @param sizes bytes of each needle with its header, at least one
   * @param maxCellBytes height that is not exceeded but by a single needle that is larger
   */
  static PackPlan of(int[] sizes, int k, int m, int maxCellBytes) {
    int bestCount = 0;
    int bestWidth = 0;
    int bestHeight = 0;
    double bestCost = Double.MAX_VALUE;
    int[] fill = new int[k];
    for (int width = 1; width <= Math.min(k, sizes.length); width++) {
      Arrays.fill(fill, 0);
      long payload = 0;
      int highest = 0;
      for (int i = 0; i < sizes.length; i++) {
        int cell = emptiest(fill, width);
        int end = NeedleCodec.align(fill[cell]) + sizes[i];
        if (Sectors.roundUp(end) > maxCellBytes && i > 0) {
          break;
        }
        fill[cell] = end;
        highest = Math.max(highest, end);
        payload += sizes[i];
        int height = Sectors.roundUp(highest);
        double cost = (double) (width + m) * height / payload;
        if (cost < bestCost || (cost == bestCost && i + 1 > bestCount)) {
          bestCost = cost;
          bestCount = i + 1;
          bestWidth = width;
          bestHeight = height;
        }
      }
    }
    return place(sizes, bestCount, bestWidth, bestHeight);
  }

  private static PackPlan place(int[] sizes, int count, int width, int height) {
    int[] fill = new int[width];
    int[] cells = new int[count];
    for (int i = 0; i < count; i++) {
      int cell = emptiest(fill, width);
      fill[cell] = NeedleCodec.align(fill[cell]) + sizes[i];
      cells[i] = cell;
    }
    return new PackPlan(width, height, cells);
  }

  private static int emptiest(int[] fill, int width) {
    int emptiest = 0;
    for (int cell = 1; cell < width; cell++) {
      if (fill[cell] < fill[emptiest]) {
        emptiest = cell;
      }
    }
    return emptiest;
  }
}
