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
package io.stowage.om.directory;

import java.util.LinkedHashMap;
import java.util.Map;

/**
 * Which directory a name led to when it was last looked at, so that the rows of a path can be read
 * by one call instead of one after the other. Guarded by itself.
 *
 * <p>A guess is never believed: it only chooses which rows are read besides. Each row of a path is
 * read within the operation that goes by it, and counts only if the row above, read by the same
 * call, names the directory that it is in.
 *
 * <pre>
 * guesses a = A, b = B      reads (0, a), (A, b), (B, c) in one
 * (0, a) says A, (A, b) says B         as the walk of three calls would have found
 * (0, a) says X: a was renamed         what was read of A and B is thrown away; goes on with X
 * </pre>
 *
 * The walk of one call after the other sees each row at some moment of the operation, one that
 * guesses right does, too: neither is atomic, and what follows from that ({@link Directories}) is
 * the same. So there is nothing that a rename would have to tell other object managers.
 */
final class DirectoryGuesses {
  /** Some 150 bytes each, with a name of ordinary length: 10 MB. */
  private static final int MOST = 65_536;

  private record Name(long bucketId, long parent, String name) {}

  private final Map<Name, Long> ids =
      new LinkedHashMap<>(1_024, 0.75f, true) {
        private static final long serialVersionUID = 1;

        @Override
        protected boolean removeEldestEntry(Map.Entry<Name, Long> eldest) {
          return size() > MOST;
        }
      };

  /** The id of the directory, or 0. */
  synchronized long guess(long bucketId, long parent, String name) {
    return ids.getOrDefault(new Name(bucketId, parent, name), 0L);
  }

  /**
   * What a row said.
   *
   * @param directoryId 0: it is no directory
   */
  synchronized void learn(long bucketId, long parent, String name, long directoryId) {
    if (directoryId == 0) {
      ids.remove(new Name(bucketId, parent, name));
    } else {
      ids.put(new Name(bucketId, parent, name), directoryId);
    }
  }
}
