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
package io.stowage.common.rpc;

import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Set;
import org.apache.hadoop.io.Text;

/**
 * Numbers for sets of delegation tokens: the same number for the same set, whoever asks, and
 * different ones for any two of the sets that were asked for last. Hadoop shares a connection among
 * all of a user's that are alike, and knows nothing of the tokens that it was made with; what is
 * numbered here makes them unlike. A hash would do but for the sets that have the same one. Only
 * the empty set has the number 0. Guarded by itself.
 */
final class TokenSets {
  /**
   * Of this process, as Hadoop's connections are. Below a thousand: milliseconds beside whole
   * seconds.
   */
  static final TokenSets SHARED = new TokenSets(999);

  private final int bound;

  /**
   * Least recently asked for first; at most {@link #bound}, some 100 KB of identifiers. A number
   * that is taken from a set goes to a newcomer: by then {@link #bound} others were asked for, and
   * Hadoop closes a connection that nobody used for ten seconds.
   */
  private final Map<Set<Text>, Integer> numbers = new LinkedHashMap<>(16, 0.75f, true);

  TokenSets(int bound) {
    this.bound = bound;
  }

  /** From 0 to the bound. */
  synchronized int numberOf(Set<Text> identifiers) {
    if (identifiers.isEmpty()) {
      return 0;
    }
    Integer known = numbers.get(identifiers);
    if (known != null) {
      return known;
    }
    int number = numbers.size() + 1;
    if (number > bound) {
      number = numbers.remove(numbers.keySet().iterator().next());
    }
    numbers.put(Set.copyOf(identifiers), number);
    return number;
  }
}
