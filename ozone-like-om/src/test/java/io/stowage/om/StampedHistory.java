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
package io.stowage.om;

import java.util.ArrayList;
import java.util.BitSet;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.concurrent.atomic.AtomicLong;
import java.util.function.UnaryOperator;

/**
 * What concurrent clients did to a few keys and saw, and whether one order explains it: Wing and
 * Gong's search, guided by the stamps that the answers carried. Mutations of one key must be in the
 * order of their stamps, which is checked too and leaves the search few branches; operations that
 * change nothing are taken as soon as they fit, which loses no solution. Recording is thread-safe.
 */
final class StampedHistory {
  private static final long NEVER = Long.MAX_VALUE;
  private static final int MOST_CONFIGURATIONS = 2_000_000;

  /**
   * One operation.
   *
   * @param key whose order the stamp is in; null where the answer had none
   * @param step contents by key after the operation, or null if it cannot have happened on them
   */
  private record Operation(
      String what,
      long called,
      long returned,
      String key,
      long stamp,
      UnaryOperator<Map<String, String>> step) {}

  private record Configuration(BitSet done, Map<String, String> contents) {}

  private final AtomicLong instants = new AtomicLong();
  private final List<Operation> operations = new ArrayList<>();

  long now() {
    return instants.incrementAndGet();
  }

  synchronized void mutated(
      String what, long called, String key, long stamp, UnaryOperator<Map<String, String>> step) {
    operations.add(new Operation(what, called, now(), stamp == 0 ? null : key, stamp, step));
  }

  synchronized void saw(String what, long called, UnaryOperator<Map<String, String>> step) {
    operations.add(new Operation(what, called, now(), null, 0, step));
  }

  /** It may have happened at any time since, or not at all. */
  synchronized void unknown(String what, long called, UnaryOperator<Map<String, String>> step) {
    operations.add(new Operation(what + " (unknown)", called, NEVER, null, 0, step));
  }

  synchronized int size() {
    return operations.size();
  }

  /** Contents with a key changed; null removes it. */
  static Map<String, String> with(Map<String, String> contents, String key, String value) {
    Map<String, String> changed = new TreeMap<>(contents);
    if (value == null) {
      changed.remove(key);
    } else {
      changed.put(key, value);
    }
    return changed;
  }

  /** Null if an order explains everything, else what does not fit. */
  synchronized String violation(Map<String, String> initial) {
    Search search = new Search();
    if (search.explore(new BitSet(), new TreeMap<>(initial))) {
      return null;
    }
    StringBuilder text = new StringBuilder("not linearizable from ").append(initial);
    text.append("; furthest at ").append(search.furthest.contents);
    for (int i = 0; i < operations.size(); i++) {
      Operation o = operations.get(i);
      text.append("\n ").append(search.furthest.done.get(i) ? "fits  " : "      ");
      text.append("[").append(o.called).append(", ");
      text.append(o.returned == NEVER ? "?" : Long.toString(o.returned)).append("] ");
      text.append(o.what);
      if (o.key != null) {
        text.append(" @").append(o.stamp);
      }
    }
    return text.toString();
  }

  private final class Search {
    private final Set<Configuration> seen = new HashSet<>();
    private Configuration furthest = new Configuration(new BitSet(), Map.of());

    boolean explore(BitSet done, Map<String, String> contents) {
      takeWhatChangesNothing(done, contents);
      if (!seen.add(new Configuration(done, contents))) {
        return false;
      }
      if (seen.size() > MOST_CONFIGURATIONS) {
        throw new IllegalStateException("history too long to be checked");
      }
      if (done.cardinality() > furthest.done.cardinality()) {
        furthest = new Configuration(done, contents);
      }
      long firstReturn = firstReturn(done);
      if (firstReturn == NEVER) {
        return true;
      }
      for (int i = done.nextClearBit(0); i < operations.size(); i = done.nextClearBit(i + 1)) {
        Operation next = operations.get(i);
        if (next.called > firstReturn || !isNextOfItsKey(next, done)) {
          continue;
        }
        Map<String, String> after = next.step.apply(contents);
        if (after != null) {
          BitSet more = (BitSet) done.clone();
          more.set(i);
          if (explore(more, after)) {
            return true;
          }
        }
      }
      return false;
    }

    private void takeWhatChangesNothing(BitSet done, Map<String, String> contents) {
      boolean again = true;
      while (again) {
        again = false;
        long firstReturn = firstReturn(done);
        for (int i = done.nextClearBit(0); i < operations.size(); i = done.nextClearBit(i + 1)) {
          Operation next = operations.get(i);
          if (next.key == null
              && next.returned != NEVER
              && next.called <= firstReturn
              && contents.equals(next.step.apply(contents))) {
            done.set(i);
            again = true;
          }
        }
      }
    }

    private long firstReturn(BitSet done) {
      long first = NEVER;
      for (int i = done.nextClearBit(0); i < operations.size(); i = done.nextClearBit(i + 1)) {
        first = Math.min(first, operations.get(i).returned);
      }
      return first;
    }

    private boolean isNextOfItsKey(Operation next, BitSet done) {
      if (next.key == null) {
        return true;
      }
      for (int i = done.nextClearBit(0); i < operations.size(); i = done.nextClearBit(i + 1)) {
        Operation other = operations.get(i);
        if (next.key.equals(other.key) && other.stamp < next.stamp) {
          return false;
        }
      }
      return true;
    }
  }
}
