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

import io.stowage.common.proto.ShardReport;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashMap;
import java.util.HashSet;
import java.util.Iterator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.function.Predicate;

/**
 * Shards that datanodes reported and that no row names there: replaced copies, surplus ones of
 * rebuilds that nobody waited for, those of rows that are gone, and those in quarantine. Guarded by
 * itself.
 */
final class Strangers {
  /** A bound on memory after a table was lost: more are counted, not listed. */
  private static final int MOST = 1_000_000;

  /** What its row says of it. */
  enum Kin {
    /** Its container has no row, or one without its index: the table may be an old one. */
    NO_ROW,
    /** The row names an older copy, or one as old elsewhere: the table may be an old one. */
    SURPLUS,
    /** The row names a newer copy. */
    STALE;

    /** Whether the table may be an old one. */
    boolean isUnknown() {
      return this != STALE;
    }
  }

  /** A shard that its row does not name. */
  record Stranger(String nodeId, ShardReport shard, Kin kin) {
    ShardInventory.ShardId id() {
      return ShardInventory.ShardId.of(shard);
    }
  }

  private record Key(String nodeId, ShardInventory.ShardId id) {}

  /** Where some are. */
  record Disk(String nodeId, String diskId) {
    static Disk of(Stranger stranger) {
      return new Disk(stranger.nodeId, stranger.shard.getDiskId());
    }
  }

  /** By container; whoever was looked at goes to the end. */
  private final Map<Long, Map<Key, Stranger>> byContainer = new LinkedHashMap<>();

  private final Map<String, Set<Long>> containersOf = new HashMap<>(); // by node
  private int listed;
  private long unlisted;
  private long unknown;
  private long quarantined;
  private final Map<Disk, Long> unknownByDisk = new HashMap<>();

  synchronized void add(String nodeId, ShardReport shard, Kin kin) {
    long container = shard.getContainer();
    Key key = new Key(nodeId, ShardInventory.ShardId.of(shard));
    remove(key);
    if (listed == MOST) {
      unlisted++;
      return;
    }
    Stranger stranger = new Stranger(nodeId, shard, kin);
    byContainer.computeIfAbsent(container, id -> new LinkedHashMap<>()).put(key, stranger);
    containersOf.computeIfAbsent(nodeId, id -> new HashSet<>()).add(container);
    count(stranger, 1);
  }

  private void count(Stranger stranger, int more) {
    listed += more;
    quarantined += stranger.shard.getQuarantined() ? more : 0;
    if (stranger.kin.isUnknown()) {
      unknown += more;
      unknownByDisk.compute(
          Disk.of(stranger),
          (disk, before) -> {
            long now = (before == null ? 0 : before) + more;
            return now == 0 ? null : now;
          });
    }
  }

  /** Says whether it was there. */
  synchronized boolean forget(String nodeId, ShardInventory.ShardId id) {
    return remove(new Key(nodeId, id));
  }

  private boolean remove(Key key) {
    long container = key.id.container();
    Map<Key, Stranger> copies = byContainer.get(container);
    Stranger gone = copies == null ? null : copies.remove(key);
    if (gone == null) {
      return false;
    }
    count(gone, -1);
    if (copies.isEmpty()) {
      byContainer.remove(container);
    }
    if (copies.keySet().stream().noneMatch(other -> other.nodeId.equals(key.nodeId))) {
      Set<Long> ofNode = containersOf.get(key.nodeId);
      ofNode.remove(container);
      if (ofNode.isEmpty()) {
        containersOf.remove(key.nodeId);
      }
    }
    return true;
  }

  /** A node tells all it has, anew. */
  synchronized void forgetNode(String nodeId) {
    for (long container : List.copyOf(containersOf.getOrDefault(nodeId, Set.of()))) {
      for (Key key : List.copyOf(byContainer.get(container).keySet())) {
        if (key.nodeId.equals(nodeId)) {
          remove(key);
        }
      }
    }
    if (byContainer.isEmpty()) {
      unlisted = 0;
    }
  }

  /** All copies of a container's shards that its row does not name. */
  synchronized List<Stranger> of(long container) {
    return List.copyOf(byContainer.getOrDefault(container, Map.of()).values());
  }

  synchronized Stranger find(String nodeId, ShardInventory.ShardId id) {
    return byContainer.getOrDefault(id.container(), Map.of()).get(new Key(nodeId, id));
  }

  /** Containers whose strangers were not looked at for longest. */
  synchronized List<Long> next(int limit) {
    List<Long> next = new ArrayList<>();
    Iterator<Long> ids = byContainer.keySet().iterator();
    while (next.size() < limit && ids.hasNext()) {
      next.add(ids.next());
    }
    for (long id : next) {
      byContainer.put(id, byContainer.remove(id));
    }
    return next;
  }

  synchronized long unknownCount() {
    return unknown + unlisted;
  }

  /** The same where they are, but for what is not listed. */
  synchronized Map<Disk, Long> unknownByDisk() {
    return Map.copyOf(unknownByDisk);
  }

  /** All unknown ones that are not on these disks. */
  synchronized long unknownCountBut(Set<Disk> disks) {
    return unknownCount()
        - disks.stream().mapToLong(disk -> unknownByDisk.getOrDefault(disk, 0L)).sum();
  }

  /** Of the unknown ones those that are so. Walks all: not for what is asked each second. */
  synchronized long unknownCount(Predicate<Stranger> which) {
    long count = 0;
    for (Map<Key, Stranger> copies : byContainer.values()) {
      for (Stranger copy : copies.values()) {
        count += copy.kin.isUnknown() && which.test(copy) ? 1 : 0;
      }
    }
    return count;
  }

  synchronized long staleCount() {
    return listed - unknown;
  }

  synchronized long quarantinedCount() {
    return quarantined;
  }

  /** Highest generation of a container's strangers; 0: there are none. */
  static int highestGeneration(Collection<Stranger> strangers) {
    return strangers.stream().mapToInt(s -> s.shard.getGeneration()).max().orElse(0);
  }
}
