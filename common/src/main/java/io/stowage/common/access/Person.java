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
package io.stowage.common.access;

import java.io.IOException;
import java.util.Set;
import java.util.function.Supplier;
import org.apache.hadoop.security.Groups;

/**
 * Somebody known, the same whether he comes over S3 or as a user of Hadoop: an S3 user is the
 * Hadoop user of his name. Immutable.
 *
 * @param name Hadoop's short name, which is the S3 user's
 * @param canonicalId of the S3 user; the name where there is none
 * @param groups names, asked for only where something depends on them
 */
public record Person(String name, String canonicalId, Supplier<Set<String>> groups) {
  /** Letters of a canonical id that the store made: as a name it means nobody else's id. */
  private static final int CANONICAL_LETTERS = 64;

  /** Whether an owner's name, of a bucket or file, means this one. */
  public boolean is(String owner) {
    return means(owner, name, canonicalId);
  }

  /**
   * Whether an owner's name means somebody. What S3 clients make is owned by a canonical id, what
   * Hadoop's make by a name; nobody who can choose a user's name comes by an id that way.
   */
  static boolean means(String owner, String name, String canonicalId) {
    return !owner.isEmpty()
        && (owner.equals(canonicalId)
            || (owner.equals(name) && owner.length() != CANONICAL_LETTERS));
  }

  /** Somebody whose groups Hadoop knows, by its mapping, which remembers them. */
  public static Person ofHadoop(String name, String canonicalId) {
    return new Person(
        name,
        canonicalId,
        () -> {
          try {
            return Groups.getUserToGroupsMappingService().getGroupsSet(name);
          } catch (IOException e) {
            return Set.of(); // a user whom the mapping does not know has none
          }
        });
  }

  public boolean isIn(String group) {
    return !group.isEmpty() && groups.get().contains(group);
  }
}
