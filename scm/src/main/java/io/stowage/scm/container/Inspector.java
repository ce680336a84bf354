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
import java.util.random.RandomGenerator;

/**
 * Keeps the last {@link Inspection} and the last {@link PlaceCheck}, and makes new ones when these
 * are due and somebody asks. Thread-safe: one of each at a time.
 */
public final class Inspector {
  /** An inspection looks at every container: it may take this share of one core, one tenth. */
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
  private final Object placesLock = new Object();
  private PlaceCheck places; // guarded by placesLock
  private long nextPlacesNanos; // guarded by placesLock

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

  /** Where shards are, or were a minute ago; what is slow to make is asked for less often. */
  public PlaceCheck places() {
    synchronized (placesLock) {
      long start = clock.monotonicNanos();
      if (places == null || start - nextPlacesNanos >= 0) {
        places = PlaceCheck.of(map, cluster, random);
        long end = clock.monotonicNanos();
        nextPlacesNanos = end + Math.max(PLACES_NANOS, PAUSES * (end - start));
      }
      return places;
    }
  }

  /** Takes a change into account at once that an operator waits for. */
  void refresh() {
    synchronized (this) {
      latest = null;
    }
    synchronized (placesLock) {
      places = null;
    }
  }
}
