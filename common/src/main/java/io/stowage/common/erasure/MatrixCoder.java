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

import com.backblaze.erasure.Matrix;
import java.nio.ByteBuffer;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;

/**
 * What all coders share: which matrix an encode or a decode multiplies by. Encoding and decoding
 * are the same product; subclasses only multiply. Thread-safe.
 *
 * <p>Owns a cache of matrices. One is made for each set of data shards that stripes use and for
 * each pattern of missing shards, and inverting one costs about as much as decoding 10 KiB. A
 * cluster meets few patterns at a time, but rs-10-4 has 1,470 of them, times what is wanted: the
 * cache is emptied when it holds {@link #CACHED_MATRICES}.
 */
abstract class MatrixCoder implements ErasureCoder {
  /** A matrix of rs-10-4 with ISA-L's tables is 1.3 KiB. */
  static final int CACHED_MATRICES = 1_024;

  private final ErasurePolicy policy;
  private final Matrix code;
  private final Map<Key, CodeMatrix> matrices = new ConcurrentHashMap<>();

  /** Bit i of a mask is shard i. */
  private record Key(int inputMask, long wanted) {}

  MatrixCoder(ErasurePolicy policy) {
    this.policy = policy;
    this.code = CodeMatrix.systematic(policy);
  }

  /**
   * Sets out[r] to the sum over c of coefficient(r, c) * in[c]. All have the same length above 0.
   */
  abstract void multiply(CodeMatrix matrix, ByteBuffer[] in, ByteBuffer[] out);

  @Override
  public final ErasurePolicy policy() {
    return policy;
  }

  @Override
  public final void encode(ByteBuffer[] data, ByteBuffer[] parity) {
    if (data.length != policy.k() || parity.length != policy.m()) {
      throw new IllegalArgumentException(
          policy + " has not " + data.length + " data and " + parity.length + " parity cells");
    }
    int length = parity[0].remaining();
    int mask = 0;
    int count = 0;
    for (int i = 0; i < data.length; i++) {
      if (data[i] != null) {
        mask |= 1 << i;
        count++;
      }
    }
    if (count == 0) {
      throw new IllegalArgumentException("a stripe without a data cell has no parity");
    }
    ByteBuffer[] in = new ByteBuffer[count];
    int next = 0;
    for (ByteBuffer cell : data) {
      if (cell != null) {
        in[next++] = cell;
      }
    }
    checkLengths(length, in);
    checkLengths(length, parity);
    if (length > 0) {
      multiply(encodeMatrix(mask), in, parity);
    }
  }

  @Override
  public final void decode(ByteBuffer[] shards, int[] wanted, ByteBuffer[] out) {
    if (shards.length != policy.shards() || wanted.length != out.length) {
      throw new IllegalArgumentException(
          policy + " has not " + shards.length + " shards, or out does not match wanted");
    }
    if (wanted.length == 0) {
      return;
    }
    ByteBuffer[] in = new ByteBuffer[policy.k()];
    int mask = 0;
    int count = 0;
    for (int i = 0; i < shards.length && count < in.length; i++) {
      if (shards[i] != null) {
        mask |= 1 << i;
        in[count++] = shards[i];
      }
    }
    if (count < in.length) {
      throw new IllegalArgumentException(
          "Cannot decode " + policy + ": " + count + " shards given, " + policy.k() + " needed");
    }
    int length = out[0].remaining();
    checkLengths(length, in);
    checkLengths(length, out);
    if (length > 0) {
      multiply(decodeMatrix(mask, wanted), in, out);
    }
  }

  private static void checkLengths(int length, ByteBuffer[] buffers) {
    for (ByteBuffer buffer : buffers) {
      if (buffer.remaining() != length) {
        throw new IllegalArgumentException(
            "cells of one stripe have " + length + " and " + buffer.remaining() + " bytes");
      }
    }
  }

  /** Parity from the data shards of the mask; the others are zeros, so their columns fall away. */
  private CodeMatrix encodeMatrix(int mask) {
    Key key = new Key(mask, -1);
    CodeMatrix known = matrices.get(key);
    if (known != null) {
      return known;
    }
    int[] columns = bitsOf(mask);
    byte[][] rows = new byte[policy.m()][columns.length];
    for (int row = 0; row < rows.length; row++) {
      for (int column = 0; column < columns.length; column++) {
        rows[row][column] = code.get(policy.k() + row, columns[column]);
      }
    }
    return keep(key, new CodeMatrix(rows));
  }

  private CodeMatrix decodeMatrix(int mask, int[] wanted) {
    Key key = new Key(mask, wantedKey(wanted));
    CodeMatrix known = matrices.get(key);
    if (known != null) {
      return known;
    }
    int[] inputs = bitsOf(mask);
    Matrix survivors = new Matrix(policy.k(), policy.k());
    for (int row = 0; row < policy.k(); row++) {
      for (int column = 0; column < policy.k(); column++) {
        survivors.set(row, column, code.get(inputs[row], column));
      }
    }
    Matrix dataFromSurvivors = survivors.invert();
    byte[][] rows = new byte[wanted.length][];
    for (int i = 0; i < wanted.length; i++) {
      Matrix row = code.submatrix(wanted[i], 0, wanted[i] + 1, policy.k());
      rows[i] = row.times(dataFromSurvivors).getRow(0);
    }
    return keep(key, new CodeMatrix(rows));
  }

  private CodeMatrix keep(Key key, CodeMatrix made) {
    if (matrices.size() >= CACHED_MATRICES) {
      matrices.clear();
    }
    CodeMatrix earlier = matrices.putIfAbsent(key, made);
    return earlier == null ? made : earlier;
  }

  /** Order matters to the rows: five bits a shard, at most 12 of them, above a leading 1. */
  private static long wantedKey(int[] wanted) {
    if (wanted.length > 12) {
      throw new IllegalArgumentException("at most 12 shards are decoded at once");
    }
    long key = 1;
    for (int shard : wanted) {
      key = key << 5 | shard;
    }
    return key;
  }

  private static int[] bitsOf(int mask) {
    int[] bits = new int[Integer.bitCount(mask)];
    int next = 0;
    for (int i = 0; i < Integer.SIZE; i++) {
      if ((mask >>> i & 1) != 0) {
        bits[next++] = i;
      }
    }
    return bits;
  }

  final int cachedMatrices() {
    return matrices.size();
  }

  @Override
  public String toString() {
    return policy + " by " + description();
  }
}
