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
package io.stowage.scm.container;

/**
 * Fencing number of one term of leadership, raised by compare-and-set in HBase when a term begins.
 * No two terms share one. A parameter of every mutation that leadership permits. Immutable.
 */
public record LeaderEpoch(long value) implements Comparable<LeaderEpoch> {
  /** Before anybody ever led; also what a standby tells datanodes. */
  public static final LeaderEpoch NONE = new LeaderEpoch(0);

  public LeaderEpoch {
    if (value < 0) {
      throw new IllegalArgumentException("leader epoch " + value);
    }
  }

  @Override
  public int compareTo(LeaderEpoch other) {
    return Long.compare(value, other.value);
  }

  @Override
  public String toString() {
    return "leader epoch " + value;
  }
}
