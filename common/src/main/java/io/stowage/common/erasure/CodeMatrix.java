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

import com.backblaze.erasure.Galois;
import com.backblaze.erasure.Matrix;

/**
 * Coefficients that turn some cells of a stripe into others: one row for each output, one column
 * for each input. Immutable; owns its coder's tables, if any, as long as it lives.
 */
final class CodeMatrix {
  private final byte[][] rows;
  private volatile Object tables;

  CodeMatrix(byte[][] rows) {
    this.rows = rows;
  }

  /**
   * The code of a policy as (k+m) rows by k columns, identity on top: JavaReedSolomon's Vandermonde
   * matrix made systematic. This is the format; every coder and every reader uses it.
   */
  static Matrix systematic(ErasurePolicy policy) {
    Matrix vandermonde = new Matrix(policy.shards(), policy.k());
    for (int row = 0; row < policy.shards(); row++) {
      for (int column = 0; column < policy.k(); column++) {
        vandermonde.set(row, column, Galois.exp((byte) row, column));
      }
    }
    Matrix top = vandermonde.submatrix(0, 0, policy.k(), policy.k());
    return vandermonde.times(top.invert());
  }

  int outputs() {
    return rows.length;
  }

  int inputs() {
    return rows[0].length;
  }

  int coefficient(int output, int input) {
    return rows[output][input] & 0xFF;
  }

  /** What a coder made of this matrix earlier; null before. Racing coders make equal tables. */
  Object tables() {
    return tables;
  }

  void keepTables(Object made) {
    tables = made;
  }
}
