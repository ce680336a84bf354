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
package io.stowage.common.erasure;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.LongBuffer;
import java.util.Arrays;

/**
 * The erasure code in plain Java, no flags, no native library. Thread-safe; each thread has its own
 * tiles.
 *
 * <p>Cells are taken in tiles of 4 KiB, copied to {@code long[]}: C2 vectorises loops over long
 * arrays, but not over byte arrays or buffers, and all tiles of a stripe stay in the first-level
 * cache. A product is Horner's rule over the bits of the coefficients: for bit 7 down to 0, double
 * the sum (in GF(256), on eight bytes at a time) and add the inputs whose coefficient has the bit.
 * That needs no table look-up, which is what holds table-driven coders at about 1 GB/s. Measured in
 * this project's first build on one busy core of a server Xeon, 256 KiB cells: 6 (rs-10-4) to 10
 * (rs-3-2) .
 */
final class JavaCoder extends MatrixCoder {
  private static final int TILE_BYTES = 4096;
  private static final int TILE_LONGS = TILE_BYTES / Long.BYTES;

  private static final long HIGH_BITS = 0x8080808080808080L;

  /** x^8 = x^4 + x^3 + x^2 + 1: the generating polynomial 0x11D without its leading bit. */
  private static final long POLYNOMIAL = 0x1D1D1D1D1D1D1D1DL;

  /** Tiles of one thread: inputs first, then the sum. 132 KiB if a thread ever meets k=32. */
  private static final ThreadLocal<long[][]> TILES = ThreadLocal.withInitial(() -> new long[0][]);

  JavaCoder(ErasurePolicy policy) {
    super(policy);
  }

  @Override
  public String description() {
    return "java";
  }

  @Override
  void multiply(CodeMatrix matrix, ByteBuffer[] in, ByteBuffer[] out) {
    long[][] tiles = tiles(in.length + 1);
    long[] sum = tiles[in.length];
    LongBuffer[] inLongs = longs(in);
    LongBuffer[] outLongs = longs(out);
    int length = out[0].remaining();
    int wholeLongs = length / Long.BYTES;
    for (int at = 0; at < wholeLongs; at += TILE_LONGS) {
      int count = Math.min(TILE_LONGS, wholeLongs - at);
      for (int i = 0; i < in.length; i++) {
        inLongs[i].get(at, tiles[i], 0, count);
      }
      for (int row = 0; row < out.length; row++) {
        horner(matrix, row, tiles, in.length, sum, count);
        outLongs[row].put(at, sum, 0, count);
      }
    }
    int tail = length - wholeLongs * Long.BYTES;
    if (tail > 0) {
      multiplyTail(matrix, in, out, tiles, tail);
    }
  }

  /** The last 1 to 7 bytes: one padded long. */
  private static void multiplyTail(
      CodeMatrix matrix, ByteBuffer[] in, ByteBuffer[] out, long[][] tiles, int tail) {
    for (int i = 0; i < in.length; i++) {
      long padded = 0;
      for (int b = 0; b < tail; b++) {
        padded |= (in[i].get(in[i].limit() - tail + b) & 0xFFL) << (Byte.SIZE * b);
      }
      tiles[i][0] = padded;
    }
    long[] sum = tiles[in.length];
    for (int row = 0; row < out.length; row++) {
      horner(matrix, row, tiles, in.length, sum, 1);
      for (int b = 0; b < tail; b++) {
        out[row].put(out[row].limit() - tail + b, (byte) (sum[0] >>> (Byte.SIZE * b)));
      }
    }
  }

  private static void horner(
      CodeMatrix matrix, int row, long[][] tiles, int inputs, long[] sum, int count) {
    int highest = 0;
    for (int i = 0; i < inputs; i++) {
      highest |= matrix.coefficient(row, i);
    }
    Arrays.fill(sum, 0, count, 0);
    boolean first = true;
    for (int bit = 31 - Integer.numberOfLeadingZeros(highest); bit >= 0; bit--) {
      int i = 0;
      boolean doubled = first; // doubling zero is zero
      first = false;
      while (true) {
        long[] a = null;
        long[] b = null;
        long[] c = null;
        for (; i < inputs && c == null; i++) {
          if ((matrix.coefficient(row, i) >>> bit & 1) == 0) {
            continue;
          }
          if (a == null) {
            a = tiles[i];
          } else if (b == null) {
            b = tiles[i];
          } else {
            c = tiles[i];
          }
        }
        if (!doubled) {
          doubled = true;
          if (c != null) {
            doubleAndAdd(sum, a, b, c, count);
          } else if (b != null) {
            doubleAndAdd(sum, a, b, count);
          } else if (a != null) {
            doubleAndAdd(sum, a, count);
          } else {
            doubleOnly(sum, count);
          }
        } else if (c != null) {
          add(sum, a, b, c, count);
        } else if (b != null) {
          add(sum, a, b, count);
        } else if (a != null) {
          add(sum, a, count);
        }
        if (c == null) {
          break;
        }
      }
    }
  }

  // The loops below differ only in how many inputs they take. They are written out because C2
  // vectorises exactly this shape, and because each pass over the sum that is saved counts.

  /** Multiplies each of the eight bytes by x: shift, and subtract the polynomial on overflow. */
  private static long timesX(long bytes) {
    long high = bytes & HIGH_BITS;
    return (bytes ^ high) << 1 ^ (high - (high >>> 7) & POLYNOMIAL);
  }

  private static void doubleOnly(long[] sum, int count) {
    for (int i = 0; i < count; i++) {
      sum[i] = timesX(sum[i]);
    }
  }

  private static void doubleAndAdd(long[] sum, long[] a, int count) {
    for (int i = 0; i < count; i++) {
      sum[i] = timesX(sum[i]) ^ a[i];
    }
  }

  private static void doubleAndAdd(long[] sum, long[] a, long[] b, int count) {
    for (int i = 0; i < count; i++) {
      sum[i] = timesX(sum[i]) ^ a[i] ^ b[i];
    }
  }

  private static void doubleAndAdd(long[] sum, long[] a, long[] b, long[] c, int count) {
    for (int i = 0; i < count; i++) {
      sum[i] = timesX(sum[i]) ^ a[i] ^ b[i] ^ c[i];
    }
  }

  private static void add(long[] sum, long[] a, int count) {
    for (int i = 0; i < count; i++) {
      sum[i] ^= a[i];
    }
  }

  private static void add(long[] sum, long[] a, long[] b, int count) {
    for (int i = 0; i < count; i++) {
      sum[i] ^= a[i] ^ b[i];
    }
  }

  private static void add(long[] sum, long[] a, long[] b, long[] c, int count) {
    for (int i = 0; i < count; i++) {
      sum[i] ^= a[i] ^ b[i] ^ c[i];
    }
  }

  /** Views in the machine's own order: bytes are independent, so that any one order will do. */
  private static LongBuffer[] longs(ByteBuffer[] buffers) {
    LongBuffer[] views = new LongBuffer[buffers.length];
    for (int i = 0; i < views.length; i++) {
      views[i] = buffers[i].slice().order(ByteOrder.nativeOrder()).asLongBuffer();
    }
    return views;
  }

  private static long[][] tiles(int count) {
    long[][] tiles = TILES.get();
    if (tiles.length < count) {
      tiles = new long[count][TILE_LONGS];
      TILES.set(tiles);
    }
    return tiles;
  }
}
