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
package io.stowage.client.crypt;

import io.stowage.common.time.StoreClock;
import java.time.Duration;
import java.util.LinkedHashMap;
import java.util.Map;

/**
 * Keys that were used lately, each for a bounded time after it came in: a key service that destroys
 * one is heard within that time. Thread-safe.
 */
final class KeyCache<K, V> {
  private final Map<K, Kept<V>> entries;
  private final long keptNanos;
  private final StoreClock clock;

  private record Kept<V>(V value, long sinceNanos) {}

  KeyCache(int capacity, Duration kept, StoreClock clock) {
    this.keptNanos = kept.toNanos();
    this.clock = clock;
    entries =
        new LinkedHashMap<>(16, 0.75f, true) {
          private static final long serialVersionUID = 1L;

          @Override
          protected boolean removeEldestEntry(Map.Entry<K, Kept<V>> eldest) {
            return size() > capacity;
          }
        };
  }

  /** Null if it is not there, or too old. */
  synchronized V get(K key) {
    Kept<V> kept = entries.get(key);
    if (kept != null && clock.monotonicNanos() - kept.sinceNanos >= keptNanos) {
      entries.remove(key);
      return null;
    }
    return kept == null ? null : kept.value;
  }

  synchronized void put(K key, V value) {
    entries.put(key, new Kept<>(value, clock.monotonicNanos()));
  }
}
