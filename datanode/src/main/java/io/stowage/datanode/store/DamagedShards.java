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
package io.stowage.datanode.store;

import io.stowage.common.proto.DamagedShard;
import io.stowage.common.proto.ShardKey;
import io.stowage.common.time.StoreClock;
import io.stowage.datanode.shard.ShardCheck;
import io.stowage.datanode.shard.ShardId;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.Iterator;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.TimeUnit;

/**
 * Shards of this node that are known to be damaged, and those that somebody suspects and that are
 * to be checked before others. A shard is in here until it is gone or found sound; one that lacks
 * what the others of its container have until it is gone. Thread-safe.
 */
public final class DamagedShards {
  /** A node with more has a larger problem; those beyond are found again by the next cycle. */
  private static final int MAX_DAMAGED = 10_000;

  /** Told with one heartbeat; the others follow as these are replaced. */
  private static final int MAX_TOLD = 1_000;

  private static final int MAX_SUSPECTS = 1_000;

  /**
   * A report has no shard checked again so soon: of what a check cannot find, such as a hole in a
   * container that is open, every reader tells, and the disk's scrubber would do nothing else.
   */
  private static final long CHECKED_NANOS = TimeUnit.MINUTES.toNanos(10);

  /** Suspects of which it is remembered that they were checked; others are checked once more. */
  private static final int MAX_CHECKED = 10_000;

  private record Place(String diskId, ShardId shard) {}

  // Guarded by this.
  private final Map<Place, DamagedShard> damaged = new LinkedHashMap<>();
  private final Set<Place> suspects = new LinkedHashSet<>();
  private final Set<Place> lacking = new HashSet<>();

  /** When suspects were last checked, or began to be. */
  private final Map<Place, Long> checkedNanos =
      new LinkedHashMap<>() {
        @Override
        protected boolean removeEldestEntry(Map.Entry<Place, Long> eldest) {
          return size() > MAX_CHECKED;
        }
      };

  private final StoreClock clock;

  DamagedShards(StoreClock clock) {
    this.clock = clock;
  }

  /** What a check found of a shard. One that lacks what only others know of may look sound. */
  synchronized void found(String diskId, ShardId shard, ShardCheck.Finding finding) {
    Place place = new Place(diskId, shard);
    checkedNanos.replace(place, clock.monotonicNanos());
    if (finding == null) {
      gone(diskId, shard);
    } else if (finding.isSound()) {
      if (!lacking.contains(place)) {
        damaged.remove(place);
      }
    } else if (damaged.size() < MAX_DAMAGED || damaged.containsKey(place)) {
      damaged.put(
          place,
          DamagedShard.newBuilder()
              .setShard(
                  ShardKey.newBuilder()
                      .setContainer(shard.container())
                      .setIndex(shard.index())
                      .setGeneration(shard.generation())
                      .setDiskId(diskId))
              .setSectors(finding.sectors())
              .setWhat(finding.what())
              .build());
    }
  }

  /** A shard lacks sectors that the others of its container have. */
  synchronized void lacks(String diskId, ShardId shard, int sectors) {
    String what = "it lacks " + sectors + " sectors that the others of its container have";
    found(diskId, shard, new ShardCheck.Finding(sectors, what));
    if (damaged.containsKey(new Place(diskId, shard))) {
      lacking.add(new Place(diskId, shard));
    }
  }

  /** Has a shard checked soon. */
  synchronized void suspect(String diskId, ShardId shard) {
    Place place = new Place(diskId, shard);
    if (suspects.size() < MAX_SUSPECTS && !damaged.containsKey(place)) {
      suspects.add(place);
    }
  }

  /**
   * Has a shard checked soon, also one that is known to be damaged, unless it just was on
   * suspicion.
   */
  synchronized void suspectAgain(String diskId, ShardId shard) {
    Place place = new Place(diskId, shard);
    Long checked = checkedNanos.get(place);
    boolean justChecked = checked != null && clock.monotonicNanos() - checked < CHECKED_NANOS;
    if (suspects.size() < MAX_SUSPECTS && !justChecked) {
      suspects.add(place);
    }
  }

  /** Next shard of a disk to check before its turn; null if there is none. */
  public synchronized ShardId nextSuspect(String diskId) {
    for (Iterator<Place> all = suspects.iterator(); all.hasNext(); ) {
      Place place = all.next();
      if (place.diskId.equals(diskId)) {
        all.remove();
        checkedNanos.remove(place); // so that it is the youngest
        checkedNanos.put(place, clock.monotonicNanos());
        return place.shard;
      }
    }
    return null;
  }

  synchronized void gone(String diskId, ShardId shard) {
    Place place = new Place(diskId, shard);
    damaged.remove(place);
    lacking.remove(place);
    suspects.remove(place);
    checkedNanos.remove(place);
  }

  /** For heartbeats. */
  public synchronized List<DamagedShard> list() {
    List<DamagedShard> first = new ArrayList<>();
    for (DamagedShard shard : damaged.values()) {
      if (first.size() == MAX_TOLD) {
        break;
      }
      first.add(shard);
    }
    return first;
  }

  public synchronized int count() {
    return damaged.size();
  }
}
