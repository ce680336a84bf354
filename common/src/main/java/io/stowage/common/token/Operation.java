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
package io.stowage.common.token;

/** What a datanode can be asked, as bits of a grant. The numbers are format. Immutable. */
public enum Operation {
  OPEN(1),
  WRITE(2),
  READ(4),
  SEAL(8),
  STAT(16),
  LIST(32);

  private final int bit;

  Operation(int bit) {
    this.bit = bit;
  }

  boolean isIn(int operations) {
    return (operations & bit) != 0;
  }

  /** The sum of bits that a grant carries. */
  public static int all(Operation... operations) {
    int sum = 0;
    for (Operation operation : operations) {
      sum |= operation.bit;
    }
    return sum;
  }
}
