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

import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;

/**
 * Small numbers for (node, disk): a container's row names k+m disks by two UUIDs each, which as
 * text would be most of its memory. Only grows. Guarded by itself.
 */
final class DiskTable {
  /** A disk of a node. */
  record Disk(String nodeId, String diskId) {}

  private final Map<Disk, Integer> numbers = new HashMap<>();
  private final List<Disk> disks = new ArrayList<>();
  private final Set<String> nodes = new HashSet<>();

  synchronized int numberOf(String nodeId, String diskId) {
    Disk disk = new Disk(nodeId, diskId);
    Integer known = numbers.get(disk);
    if (known != null) {
      return known;
    }
    numbers.put(disk, disks.size());
    disks.add(disk);
    nodes.add(nodeId);
    return disks.size() - 1;
  }

  /** Its number; -1 if no row ever named it. */
  synchronized int find(String nodeId, String diskId) {
    return numbers.getOrDefault(new Disk(nodeId, diskId), -1);
  }

  synchronized Disk disk(int number) {
    return disks.get(number);
  }

  synchronized int count() {
    return disks.size();
  }

  /** All nodes that any row names or named. */
  synchronized Set<String> nodes() {
    return Set.copyOf(nodes);
  }
}
