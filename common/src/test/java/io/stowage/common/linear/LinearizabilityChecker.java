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
package io.stowage.common.linear;

import io.stowage.common.linear.History.Operation;
import java.util.ArrayDeque;
import java.util.BitSet;
import java.util.Comparator;
import java.util.Deque;
import java.util.HashSet;
import java.util.List;
import java.util.Set;

/**
 * Decides whether a {@link History} is linearizable: whether its operations can be put in one
 * order, none before another that had returned before it was called, in which each saw what it saw.
 * The search of Wing and Gong (1993) with Lowe's memory of (operations done, state) pairs:
 * exponential in the number of operations that overlap, so tests check many short histories with a
 * quiet moment between them. Stateless.
 */
public final class LinearizabilityChecker {
  private static final int MOST_CONFIGURATIONS = 5_000_000;

  private LinearizabilityChecker() {}

  private record Configuration<S>(BitSet done, S state) {}

  /**
   * Null if the history is linearizable from a state, else what was found, for an assertion's
   * message.
   */
  public static <S> String violation(History<S> history, S initial) {
    List<Operation<S>> operations =
        history.operations().stream().sorted(Comparator.comparingLong(Operation::called)).toList();
    Set<Configuration<S>> seen = new HashSet<>();
    Deque<Configuration<S>> frontier = new ArrayDeque<>();
    frontier.push(new Configuration<>(new BitSet(), initial));
    Configuration<S> furthest = frontier.peek();
    while (!frontier.isEmpty()) {
      Configuration<S> here = frontier.pop();
      long firstReturn = firstReturn(operations, here.done);
      if (firstReturn == History.NEVER) {
        return null; // what is left never returned and need not have happened
      }
      if (here.done.cardinality() > furthest.done.cardinality()) {
        furthest = here;
      }
      for (int i = here.done.nextClearBit(0);
          i < operations.size();
          i = here.done.nextClearBit(i + 1)) {
        Operation<S> next = operations.get(i);
        if (next.called() > firstReturn) {
          break; // sorted by call: nothing from here on may come before that return
        }
        S state = next.step().apply(here.state);
        if (state != null) {
          BitSet done = (BitSet) here.done.clone();
          done.set(i);
          Configuration<S> there = new Configuration<>(done, state);
          if (seen.add(there)) {
            frontier.push(there);
          }
        }
      }
      if (seen.size() > MOST_CONFIGURATIONS) {
        throw new IllegalStateException(
            "gave up after " + MOST_CONFIGURATIONS + " configurations: record shorter histories");
      }
    }
    return describe(operations, furthest);
  }

  private static <S> long firstReturn(List<Operation<S>> operations, BitSet done) {
    long first = History.NEVER;
    for (int i = done.nextClearBit(0); i < operations.size(); i = done.nextClearBit(i + 1)) {
      first = Math.min(first, operations.get(i).returned());
    }
    return first;
  }

  private static <S> String describe(List<Operation<S>> operations, Configuration<S> furthest) {
    StringBuilder text = new StringBuilder("not linearizable: at best ");
    text.append(furthest.done.cardinality()).append(" of ").append(operations.size());
    text.append(" operations fit, leading to ")
        .append(furthest.state)
        .append("; none of these can follow:");
    for (int i = furthest.done.nextClearBit(0), shown = 0;
        i < operations.size() && shown < 20;
        i = furthest.done.nextClearBit(i + 1), shown++) {
      Operation<S> left = operations.get(i);
      text.append("\n  [").append(left.called()).append(", ");
      text.append(left.returned() == History.NEVER ? "?" : Long.toString(left.returned()));
      text.append("] ").append(left.description());
    }
    return text.toString();
  }
}
