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

import io.stowage.common.proto.ContainerState;
import io.stowage.scm.cluster.ClusterMap.PlaceState;

/**
 * How a container's shards are, by its row and by what datanodes reported. Sets of shards are
 * bitmaps, bit i = shard i. Immutable.
 *
 * @param shards k+m
 * @param dataShards k
 * @param present reported, can be read, and their nodes answer
 * @param missing their node dead, their disk gone or not to be read, or reported not to be there
 *     (which of an open container, whose writer may just have opened it, says nothing)
 * @param failing present, but not to be written any more, or on a disk that takes no writes: to be
 *     made elsewhere while they can be read
 * @param damaged there, but part of them cannot be read
 * @param lossy present, but the rebuilds that made them have marked sectors lost, which other
 *     copies may have
 * @param leaving on a node that is to be emptied, which answers
 * @param away on a node that is in maintenance and silent
 * @param unheard this SCM does not know yet
 * @param unsealed present and open, not failed; its disk may take no writes, so that it stays so
 * @param reported their node answers and has told all its shards
 * @param everOpened anything was ever seen of it: else nothing is in it that could be lost
 */
record Condition(
    ContainerState state,
    int shards,
    int dataShards,
    int present,
    int missing,
    int failing,
    int damaged,
    int lossy,
    int leaving,
    int away,
    int unheard,
    int unsealed,
    int reported,
    boolean everOpened) {

  /** Looks at one container. */
  static Condition of(
      long id,
      byte[] packed,
      ContainerMap.Reported reports,
      ContainerMap map,
      PlaceStates places,
      Damage damage,
      boolean endKnown) {
    ContainerState state = PackedContainer.state(packed);
    boolean everOpened =
        reports.present() != 0 || endKnown || PackedContainer.endOffset(packed) > 0;
    boolean anyDamage = damage.touches(id);
    Masks masks = new Masks();
    PackedContainer.shards(
        packed,
        (index, disk, generation) -> {
          int bit = 1 << index;
          PlaceState place = places.of(disk);
          boolean isPresent = reports.isPresent(index);
          if (place == PlaceState.LOST) {
            masks.missing |= bit;
          } else if (place == PlaceState.AWAY) {
            masks.away |= bit;
          } else if (place == PlaceState.UNHEARD) {
            masks.unheard |= bit;
          } else {
            masks.reported |= place.isReported() ? bit : 0;
            if (isPresent) {
              masks.present |= bit;
              masks.unsealed |= reports.isSealed(index) || reports.isFailing(index) ? 0 : bit;
              masks.failing |= reports.isFailing(index) || place.isFailing() ? bit : 0;
              masks.leaving |= places.isLeaving(disk) ? bit : 0;
              if (anyDamage
                  && damage.isDamaged(
                      map.disk(disk).nodeId(), new ShardInventory.ShardId(id, index, generation))) {
                masks.damaged |= bit;
              }
            } else if (place.isReported() && everOpened && state != ContainerState.OPEN) {
              masks.missing |= bit;
            } else if (places.isLeaving(disk) && (!everOpened || state == ContainerState.OPEN)) {
              masks.leaving |= bit;
            }
          }
        });
    return new Condition(
        state,
        PackedContainer.shardCount(packed),
        map.dataShards(packed),
        masks.present,
        masks.missing,
        masks.failing,
        masks.damaged,
        reports.lossy() & masks.present,
        masks.leaving,
        masks.away,
        masks.unheard,
        masks.unsealed,
        masks.reported,
        everOpened);
  }

  private static final class Masks {
    private int present;
    private int missing;
    private int failing;
    private int damaged;
    private int leaving;
    private int away;
    private int unheard;
    private int unsealed;
    private int reported;
  }

  /**
   * Shards that it can still lose before something cannot be read, those that fail or lack sectors
   * counted as lost; negative: it may be that something cannot be read now.
   */
  int spare() {
    return shards - Integer.bitCount(missing | failing | damaged | lossy | away) - dataShards;
  }

  /** Fewer than k shards can be read. */
  boolean isUnavailable() {
    return everOpened && shards - Integer.bitCount(missing | away) < dataShards;
  }

  boolean isEndangered() {
    return everOpened && (missing | failing | damaged) != 0;
  }

  /** Shards to be made anew. */
  int toRebuild() {
    return isClosed() && everOpened ? missing | failing | damaged | leaving : 0;
  }

  private boolean isClosed() {
    return ShardInventory.isClosed(state);
  }

  /** Shards with lost sectors, which may be made with fewer if another copy has turned up. */
  int toMend() {
    return isClosed() ? lossy & ~toRebuild() : 0;
  }

  /** All k+m shards are seen where the row says, sealed and complete: no other copy is needed. */
  boolean isWhole() {
    int all = (1 << shards) - 1;
    return present == all && reported == all && unsealed == 0 && (failing | damaged | lossy) == 0;
  }

  /**
   * Whether nothing was ever acknowledged in it: that would be in m+1 shards, and k reported that
   * they have none.
   */
  boolean isSeenEmpty() {
    return !everOpened && Integer.bitCount(reported) >= dataShards;
  }

  /** This, had it lost the shards that stand open, but for those that nobody can write to. */
  Condition withoutUnsealed() {
    int open = unsealed & ~failing;
    return new Condition(
        state,
        shards,
        dataShards,
        present & ~open,
        missing | open,
        failing,
        damaged & ~open,
        lossy & ~open,
        leaving & ~open,
        away,
        unheard,
        0,
        reported,
        everOpened);
  }

  static boolean has(int mask, int index) {
    return (mask & (1 << index)) != 0;
  }
}
