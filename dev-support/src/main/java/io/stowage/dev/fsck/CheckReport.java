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
import java.util.EnumMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;

/** What a check found. Confined to its thread until it is done. */
public final class CheckReport {
  /** What can be wrong, by who misses what. */
  public enum Finding {
    /** A datanode or a disk of it could not be asked: its shards are counted as they are named. */
    UNREACHABLE_NODE,
    /** A container's row names a shard that its disk does not have, or that has failed. */
    MISSING_SHARD,
    /** A container has fewer live shards than its policy says; it can still be read. */
    UNDER_REPLICATED,
    /** A container has fewer live shards than reading takes. */
    UNAVAILABLE_CONTAINER,
    /** A disk has a shard of a container that no row knows. */
    ORPHAN_SHARD,
    /** A disk has a shard that its container's row does not name: an old copy, or one too many. */
    SURPLUS_SHARD,
    /** A shard was put aside. */
    QUARANTINED_SHARD,
    /** A version or a part names a container that there is not, or an address behind its end. */
    DANGLING_EXTENT,
    /** A version or a part lies in a container that cannot be read. */
    UNAVAILABLE_OBJECT,
    /** A version's manifest cannot be read. */
    BROKEN_ROW,
    /** A version's bytes cannot be read, or are not those that were stored. */
    CORRUPT_OBJECT,
    /** A shard is gone or corrupt where a version was read, which may have been decoded around. */
    DAMAGED_SHARD,
    /** Of a FILE_SYSTEM bucket: a directory has rows, and no entry leads to it. */
    LOST_DIRECTORY,
    /** A row says that a directory is there which is elsewhere, or was removed. */
    SURPLUS_ENTRY;

    String text() {
      return name().toLowerCase(Locale.ROOT).replace('_', ' ');
    }
  }

  private final int mostListed;
  private final Map<Finding, Long> counts = new EnumMap<>(Finding.class);
  private final List<Map<String, Object>> listed = new ArrayList<>();
  long datanodes;
  long containers;
  long deletedContainers;
  long shards;
  long rows;
  long versions;
  long parts;
  long bytesNamed;
  long bytesVerified;
  long repairsAsked;

  CheckReport(int mostListed) {
    this.mostListed = mostListed;
  }

  void add(Finding finding, String where, String what) {
    counts.merge(finding, 1L, Long::sum);
    if (listed.size() < mostListed) {
      Map<String, Object> row = new LinkedHashMap<>();
      row.put("finding", finding.text());
      row.put("where", where);
      row.put("what", what);
      listed.add(row);
    }
  }

  public long count(Finding finding) {
    return counts.getOrDefault(finding, 0L);
  }

  /** Whether nothing is wrong. What was put aside, or is one too many, is wrong too. */
  public boolean isClean() {
    return counts.isEmpty();
  }

  /** For people and programs. */
  public Map<String, Object> facts() {
    Map<String, Object> facts = new LinkedHashMap<>();
    facts.put("result", isClean() ? "clean" : "problems found");
    facts.put("datanodes", datanodes);
    facts.put("containers", containers);
    facts.put("deleted containers", deletedContainers);
    facts.put("shards", shards);
    facts.put("rows", rows);
    facts.put("versions", versions);
    facts.put("parts of uploads", parts);
    facts.put("bytes named", bytesNamed);
    facts.put("bytes verified", bytesVerified);
    for (Finding finding : Finding.values()) {
      facts.put(finding.text(), count(finding));
    }
    facts.put("repairs asked for", repairsAsked);
    facts.put("findings", List.copyOf(listed));
    return facts;
  }

  @Override
  public String toString() {
    return facts().toString();
  }
}
