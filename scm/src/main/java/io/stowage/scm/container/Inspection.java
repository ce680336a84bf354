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
import io.stowage.scm.cluster.ClusterMap;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.SplittableRandom;
import java.util.random.RandomGenerator;

/**
 * One look at every container: what is in danger, what is to be done, in what order. About a
 * microsecond a container, which is ten to twenty seconds for seventeen million (see
 * docs/PERFORMANCE.md); its lists are bounded, and what does not fit is found by the next one.
 * Where the first of a list may have to wait long (for a dead node, or for a place), it is a sample
 * instead, drawn anew each time. Immutable once made.
 */
public final class Inspection {
  /** Containers a degree of danger that are listed for repair. */
  private static final int MOST_QUEUED = 10_000;

  private static final int MOST_LISTED = 1_000;
  private static final int MOST_NAMED = 100; // to operators
  private static final int MOST_A_DISK = 64; // to be balanced away
  static final int DEGREES = 8; // by shards that can still be lost: the last one and more

  private final LongList[] inDanger = new LongList[DEGREES];
  private final long[] endangeredByDegree = new long[DEGREES];
  private final LongList beyondRepair = new LongList(MOST_LISTED); // fewer than k are left
  private final LongList toMend = new LongList(MOST_QUEUED);
  private final LongList toMove = new LongList(MOST_QUEUED);
  private final LongList openInDanger = new LongList(MOST_LISTED);
  private final LongList emptySealed = new LongList(MOST_LISTED);
  private final LongList deleted = new LongList(MOST_LISTED);
  private final List<Long> unavailable = new ArrayList<>();
  private final Map<String, Long> namedOnLeaving = new HashMap<>();
  private final Map<Integer, LongList> onFullDisks = new HashMap<>();
  private long endangeredCount;
  private long unavailableCount;
  private long lossyCount;
  private long containersLeft;
  private long shardsLeft;
  private long bytesLeft;

  private final Set<String> leavingKnown;

  private final long deletedBeforeMicros;
  private final RandomGenerator random;

  private Inspection(Set<String> leaving, long deletedBeforeMicros, RandomGenerator random) {
    leavingKnown = leaving;
    this.deletedBeforeMicros = deletedBeforeMicros;
    // Asked once a container in danger, which may be millions: the given one is for secrets.
    this.random = new SplittableRandom(random.nextLong());
    for (int i = 0; i < DEGREES; i++) {
      inDanger[i] = new LongList(MOST_QUEUED);
    }
  }

  /**
   * Looks.
   *
   * @param fullDisks numbers of disks of which containers are wanted that could be moved away
   * @param deletedBeforeMicros those DELETED since then are still kept
   */
  static Inspection of(
      ContainerMap map,
      ShardInventory shards,
      ClusterMap cluster,
      Set<Integer> fullDisks,
      long deletedBeforeMicros,
      RandomGenerator random) {
    Inspection found = new Inspection(cluster.leaving(), deletedBeforeMicros, random);
    PlaceStates places = new PlaceStates(map, cluster);
    map.forEach(
        (id, packed, reported) ->
            found.take(
                id,
                packed,
                Condition.of(
                    id, packed, reported, map, places, shards.damage(), shards.isEndNews(id)),
                map,
                places,
                fullDisks));
    return found;
  }

  private void take(
      long id,
      byte[] packed,
      Condition condition,
      ContainerMap map,
      PlaceStates places,
      Set<Integer> fullDisks) {
    if (condition.state() == ContainerState.DELETED) {
      if (PackedContainer.repackFigures(packed).deletedMicros() <= deletedBeforeMicros) {
        deleted.sample(id, random);
      }
      return;
    }
    if (places.anyLeaving()) {
      countNamedOnLeaving(packed, map, places);
    }
    if (condition.isEndangered()) {
      endangeredCount++;
      endangeredByDegree[degree(condition)]++;
    }
    if (condition.isUnavailable()) {
      unavailableCount++;
      if (unavailable.size() < MOST_NAMED) {
        unavailable.add(id);
      }
    }
    if (condition.state() == ContainerState.OPEN) {
      if ((condition.missing() | condition.failing() | condition.leaving()) != 0) {
        openInDanger.add(id);
      }
      return;
    }
    if (condition.isSeenEmpty()) {
      emptySealed.sample(id, random);
    }
    lossyCount += condition.lossy() == 0 ? 0 : 1;
    queue(id, packed, condition);
    if (!fullDisks.isEmpty() && condition.isWhole() && condition.toRebuild() == 0) {
      PackedContainer.shards(
          packed,
          (index, disk, generation) -> {
            if (fullDisks.contains(disk)) {
              onFullDisks.computeIfAbsent(disk, d -> new LongList(MOST_A_DISK)).sample(id, random);
            }
          });
    }
  }

  private void queue(long id, byte[] packed, Condition condition) {
    int work = condition.toRebuild();
    if (work == 0) {
      if (condition.toMend() != 0) {
        toMend.sample(id, random);
      }
      return;
    }
    int count = Integer.bitCount(work);
    containersLeft++;
    shardsLeft += count;
    bytesLeft += count * PackedContainer.endOffset(packed);
    if (condition.isUnavailable()) {
      beyondRepair.sample(id, random);
    } else if (condition.isEndangered()) {
      inDanger[degree(condition)].sample(id, random);
    } else {
      toMove.sample(id, random);
    }
  }

  private static int degree(Condition condition) {
    return Math.max(0, Math.min(DEGREES - 1, condition.spare()));
  }

  private void countNamedOnLeaving(byte[] packed, ContainerMap map, PlaceStates places) {
    PackedContainer.shards(
        packed,
        (index, disk, generation) -> {
          places.of(disk);
          if (places.isLeaving(disk)) {
            namedOnLeaving.merge(map.disk(disk).nodeId(), 1L, Long::sum);
          }
        });
  }

  /** Containers to work on, most endangered first; those that only are to be moved are last. */
  List<LongList> queues() {
    List<LongList> queues = new ArrayList<>(List.of(inDanger));
    queues.add(1, beyondRepair); // a copy that came back may be what it takes
    queues.add(toMend);
    queues.add(toMove);
    return queues;
  }

  /** Open ones with a shard on a lost place, or on a node that is to be emptied. */
  LongList openInDanger() {
    return openInDanger;
  }

  /** Sealed ones that nobody ever wrote to: all, or a sample of them. */
  LongList emptySealed() {
    return emptySealed;
  }

  /** DELETED ones of which the keep time is over: all, or a sample of them. */
  LongList deleted() {
    return deleted;
  }

  /** Whole ones with a shard on each of the disks that were asked for. */
  Map<Integer, LongList> onFullDisks() {
    return onFullDisks;
  }

  /** Shards that rows still name on a node that is to be emptied. */
  public long namedOn(String leavingNode) {
    return namedOnLeaving.getOrDefault(leavingNode, 0L);
  }

  /** Whether the node was to be emptied already when this was made. */
  boolean knew(String leavingNode) {
    return leavingKnown.contains(leavingNode);
  }

  /** Containers with at least one shard missing or damaged. */
  public long endangered() {
    return endangeredCount;
  }

  /** The same by how many more shards they can lose. */
  public List<Long> endangeredByDegree() {
    List<Long> counts = new ArrayList<>();
    int last = DEGREES - 1;
    while (last > 0 && endangeredByDegree[last] == 0) {
      last--;
    }
    for (int i = 0; i <= last; i++) {
      counts.add(endangeredByDegree[i]);
    }
    return counts;
  }

  /** Containers with fewer than k shards left. */
  public long unavailable() {
    return unavailableCount;
  }

  /** Containers with a shard in which sectors are marked lost. */
  public long lossy() {
    return lossyCount;
  }

  /** Ids of some of them. */
  public List<Long> unavailableIds() {
    return List.copyOf(unavailable);
  }

  /** Containers with shards to rebuild or to move. */
  public long containersLeft() {
    return containersLeft;
  }

  /** Shards to rebuild or to move. */
  public long shardsLeft() {
    return shardsLeft;
  }

  /** Roughly: as far as their containers reach. */
  public long bytesLeft() {
    return bytesLeft;
  }
}
