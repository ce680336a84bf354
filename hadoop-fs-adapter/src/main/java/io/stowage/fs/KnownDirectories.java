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
package io.stowage.fs;

import java.util.LinkedHashMap;
import java.util.Map;

/**
 * Directories that were there a moment ago, so that files made one after the other in one directory
 * do not each look for it again. What is asked is only whether a file stands in the way, and a
 * directory that somebody else deletes comes back with the file that is made in it; what this
 * process does to directories is known at once. Thread-safe.
 */
final class KnownDirectories {
  private static final int MOST = 1_000;
  private static final long NANOS = 1_000_000_000L;

  private record Known(ObjectTree.Entry directory, long nanos) {}

  private final Map<String, Known> byKey =
      new LinkedHashMap<>() {
        private static final long serialVersionUID = 1L;

        @Override
        protected boolean removeEldestEntry(Map.Entry<String, Known> eldest) {
          return size() > MOST;
        }
      };

  /** The directory, if it was there a moment ago, or null. */
  synchronized ObjectTree.Entry get(String key) {
    Known known = byKey.get(key);
    return known != null && System.nanoTime() - known.nanos() < NANOS ? known.directory() : null;
  }

  synchronized void put(ObjectTree.Entry directory) {
    byKey.remove(directory.key()); // to the end
    byKey.put(directory.key(), new Known(directory, System.nanoTime()));
  }

  synchronized void clear() {
    byKey.clear();
  }
}
