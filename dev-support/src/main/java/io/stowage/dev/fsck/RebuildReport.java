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
package io.stowage.dev.fsck;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** What a rebuild found and did. Confined to its thread until it is done. */
public final class RebuildReport {
  /** Of each list; what is beyond is counted only. */
  static final int MOST_LISTED = 1_000;

  long containers;
  long containersRestored;
  long needles;
  long records;
  long strangers;
  long buckets;
  long bucketsRestored;
  long rows;
  long restored;
  long kept;
  long ofUnknownBuckets;
  long unfinished;
  long incomplete;
  long removedWithDirectory;
  long directoriesRemoved;
  long entriesTakenOut;
  private long lostCount;
  private long cutCount;
  final List<String> lost = new ArrayList<>();
  final List<String> cut = new ArrayList<>();
  final List<String> blind = new ArrayList<>();
  final List<String> problems = new ArrayList<>();

  void addLost(String row) {
    lostCount++;
    if (lost.size() < MOST_LISTED) {
      lost.add(row);
    }
  }

  void addCut(String file) {
    cutCount++;
    if (cut.size() < MOST_LISTED) {
      cut.add(file);
    }
  }

  void addProblem(String problem) {
    if (problems.size() < MOST_LISTED) {
      problems.add(problem);
    }
  }

  /** Rows that now hold what the containers say and did not before. */
  public long restored() {
    return restored;
  }

  /** Rows that said so, or knew better. */
  public long kept() {
    return kept;
  }

  /** Versions that the containers speak of and whose bytes they do not hold. */
  public long lost() {
    return lostCount;
  }

  /** Files that may be shorter now than they were synced. */
  public long cut() {
    return cutCount;
  }

  /** Whether everything that was looked at could be read and brought back. */
  public boolean isWhole() {
    return lostCount == 0 && cutCount == 0 && blind.isEmpty() && problems.isEmpty();
  }

  /** For people and programs. */
  public Map<String, Object> facts() {
    Map<String, Object> facts = new LinkedHashMap<>();
    facts.put("containers", containers);
    facts.put("containers restored", containersRestored);
    facts.put("needles", needles);
    facts.put("records", records);
    facts.put("not needles", strangers);
    facts.put("buckets", buckets);
    facts.put("buckets restored", bucketsRestored);
    facts.put("rows", rows);
    facts.put("rows restored", restored);
    facts.put("rows kept", kept);
    facts.put("rows of unknown buckets", ofUnknownBuckets);
    facts.put("writes that were given up", unfinished);
    facts.put("writes without all their bytes", incomplete);
    facts.put("rows of removed directories", removedWithDirectory);
    facts.put("directories removed again", directoriesRemoved);
    facts.put("directory entries taken out", entriesTakenOut);
    facts.put("objects lost", lostCount);
    facts.put("lost", List.copyOf(lost));
    facts.put("files cut", cutCount);
    facts.put("cut", List.copyOf(cut));
    facts.put("unreadable", List.copyOf(blind));
    facts.put("problems", List.copyOf(problems));
    return facts;
  }

  @Override
  public String toString() {
    return facts().toString();
  }
}
