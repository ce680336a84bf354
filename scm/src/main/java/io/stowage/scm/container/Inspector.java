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

import io.stowage.common.time.StoreClock;
import io.stowage.scm.cluster.ClusterMap;
import java.time.Duration;
import java.util.Set;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.random.RandomGenerator;

/**
 * Keeps the last {@link Inspection}, and makes a new one when that is due and somebody asks; and
 * the last {@link PlaceCheck}, for which nobody waits. Thread-safe: one inspection at a time.
 */
public final class Inspector {
  /** Each looks at every container: it may take this share of one core, one tenth. */
  private static final int PAUSES = 10;

  /** Least time from one look at places to the next: nothing is in danger by these. */
  private static final long PLACES_NANOS = Duration.ofMinutes(1).toNanos();

  private final ContainerMap map;
  private final ShardInventory shards;
  private final ClusterMap cluster;
  private final long keepMicros;
  private final StoreClock clock;
  private final RandomGenerator random;
  private volatile Set<Integer> fullDisks = Set.of();
  private Inspection latest; // guarded by this
  private long nextNanos; // guarded by this
  private volatile PlaceCheck places = PlaceCheck.NOT_YET;
  private final AtomicBoolean placesWanted = new AtomicBoolean(); // before they are due
  private long restPlacesNanos; // until; confined to who looks at places
  private long nextPlacesNanos; // confined to who looks at places

  /**
   * @param keep how long shards of a DELETED container are kept
   */
  public Inspector(
      ContainerMap map,
      ShardInventory shards,
      ClusterMap cluster,
      Duration keep,
      StoreClock clock,
      RandomGenerator random) {
    this.map = map;
    this.shards = shards;
    this.cluster = cluster;
    this.keepMicros = keep.toNanos() / 1_000;
    this.clock = clock;
    this.random = random;
    this.restPlacesNanos = clock.monotonicNanos();
    this.nextPlacesNanos = restPlacesNanos;
  }

  /** Disks of which the following inspections shall find containers to be moved. */
  void lookFor(Set<Integer> disks) {
    fullDisks = disks;
  }

  /** How things are, or were a few seconds ago. */
  public synchronized Inspection latest() {
    long start = clock.monotonicNanos();
    if (latest == null || start - nextNanos >= 0) {
      latest =
          Inspection.of(map, shards, cluster, fullDisks, clock.wallMicros() - keepMicros, random);
      long took = clock.monotonicNanos() - start;
      nextNanos = clock.monotonicNanos() + PAUSES * took;
    }
    return latest;
  }

  /** Where shards were when that was last looked at. */
  public PlaceCheck places() {
    return places;
  }

  /** Looks at places if that is due. Called periodically, by one thread that does nothing else. */
  public void lookAtPlaces() {
    long start = clock.monotonicNanos();
    if (start - restPlacesNanos < 0) {
      return;
    }
    if (placesWanted.getAndSet(false) || start - nextPlacesNanos >= 0) {
      try {
        places = PlaceCheck.of(map, cluster, random);
      } finally { // a look that fails costs as much
        long end = clock.monotonicNanos();
        restPlacesNanos = end + PAUSES * (end - start);
        nextPlacesNanos = end + PLACES_NANOS;
      }
    }
  }

  /** Takes a change into account soon that an operator waits for. */
  void refresh() {
    synchronized (this) {
      latest = null;
    }
    placesWanted.set(true);
  }
}
