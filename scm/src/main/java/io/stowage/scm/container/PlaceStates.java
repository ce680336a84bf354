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

import io.stowage.scm.cluster.ClusterMap;
import io.stowage.scm.cluster.ClusterMap.PlaceState;
import java.util.Arrays;
import java.util.Set;

/**
 * What the cluster map says of every disk that rows name, asked once a disk: a look at millions of
 * containers cannot ask for each shard. Confined to one thread, and to one look.
 */
final class PlaceStates {
  private final ContainerMap map;
  private final ClusterMap cluster;
  private final Set<String> leavingNodes;
  private PlaceState[] states;
  private boolean[] leaving;

  PlaceStates(ContainerMap map, ClusterMap cluster) {
    this.map = map;
    this.cluster = cluster;
    this.leavingNodes = cluster.leaving();
    this.states = new PlaceState[map.diskCount()];
    this.leaving = new boolean[states.length];
  }

  PlaceState of(int diskNumber) {
    if (diskNumber >= states.length) {
      states = Arrays.copyOf(states, diskNumber + 16);
      leaving = Arrays.copyOf(leaving, diskNumber + 16);
    }
    PlaceState state = states[diskNumber];
    if (state == null) {
      DiskTable.Disk disk = map.disk(diskNumber);
      state = cluster.placeState(disk.nodeId(), disk.diskId());
      states[diskNumber] = state;
      leaving[diskNumber] = leavingNodes.contains(disk.nodeId());
    }
    return state;
  }

  /** Whether any node is to be emptied. */
  boolean anyLeaving() {
    return !leavingNodes.isEmpty();
  }

  /** Whether the disk's node is to be emptied; after {@link #of}. */
  boolean isLeaving(int diskNumber) {
    return leaving[diskNumber];
  }
}
