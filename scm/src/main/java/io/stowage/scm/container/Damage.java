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

import io.stowage.common.proto.DamagedShard;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;

/**
 * Shards that their datanodes know to be damaged. A node tells all of them with every heartbeat
 * until they are replaced, so the last one is the truth. Thread-safe.
 */
public final class Damage {
  /** More damaged shards of one node are heard of when these are repaired. */
  private static final int MOST_A_NODE = 10_000;

  private final Map<String, Set<ShardInventory.ShardId>> byNode = new HashMap<>(); // by itself
  private volatile Set<Long> containers = Set.of();

  /** Takes in what a node tells now; says which shards it had not told before. */
  List<DamagedShard> told(String nodeId, List<DamagedShard> shards) {
    synchronized (byNode) {
      Set<ShardInventory.ShardId> before = byNode.getOrDefault(nodeId, Set.of());
      if (shards.isEmpty() && before.isEmpty()) {
        return List.of();
      }
      Set<ShardInventory.ShardId> now = new HashSet<>();
      List<DamagedShard> news = new ArrayList<>();
      for (DamagedShard shard : shards) {
        if (now.size() == MOST_A_NODE) {
          break;
        }
        ShardInventory.ShardId id =
            new ShardInventory.ShardId(
                shard.getShard().getContainer(),
                shard.getShard().getIndex(),
                shard.getShard().getGeneration());
        now.add(id);
        if (!before.contains(id)) {
          news.add(shard);
        }
      }
      if (now.isEmpty()) {
        byNode.remove(nodeId);
      } else {
        byNode.put(nodeId, now);
      }
      Set<Long> all = new HashSet<>();
      byNode.values().forEach(ids -> ids.forEach(id -> all.add(id.container())));
      containers = all;
      return news;
    }
  }

  /** Whether any shard of a container is damaged. */
  boolean touches(long container) {
    return containers.contains(container);
  }

  boolean isDamaged(String nodeId, ShardInventory.ShardId shard) {
    synchronized (byNode) {
      return byNode.getOrDefault(nodeId, Set.of()).contains(shard);
    }
  }
}
