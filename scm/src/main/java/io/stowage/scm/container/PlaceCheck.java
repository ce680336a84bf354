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
import java.util.SplittableRandom;
import java.util.random.RandomGenerator;

/**
 * One look at where all sealed containers' shards are to be, by {@link PlaceRule}. It takes about
 * as long as an {@link Inspection}, and nothing is in danger: so it is made once a minute at most,
 * by a thread that nobody waits for, see {@link Inspector#lookAtPlaces}. Immutable once made.
 */
public final class PlaceCheck {
  /** Before the first: nothing is known. */
  static final PlaceCheck NOT_YET = new PlaceCheck();

  private static final int MOST_LISTED = 1_000;

  private final LongList misplaced = new LongList(MOST_LISTED);
  private long misplacedCount;
  private long crowdedCount;

  private PlaceCheck() {}

  static PlaceCheck of(ContainerMap map, ClusterMap cluster, RandomGenerator random) {
    PlaceCheck found = new PlaceCheck();
    PlaceRule rule = new PlaceRule(map, cluster.candidates(), cluster::domainOf);
    RandomGenerator cheap = new SplittableRandom(random.nextLong());
    map.forEach(
        (id, packed, reported) -> {
          // What is repacked will be gone, and who writes to an open one holds on to its places.
          if (PackedContainer.state(packed) == ContainerState.SEALED) {
            found.take(id, rule.judge(packed), cheap);
          }
        });
    return found;
  }

  private void take(long id, PlaceRule.Verdict verdict, RandomGenerator random) {
    switch (verdict) {
      case KEPT -> {}
      case MISPLACED -> {
        misplacedCount++;
        misplaced.sample(id, random);
      }
      case CROWDED -> crowdedCount++;
    }
  }

  /** Containers of {@link #misplacedCount}: all, or a sample of them. */
  LongList misplaced() {
    return misplaced;
  }

  /** Sealed containers that break the rule of placement, of which a shard has a better place. */
  public long misplacedCount() {
    return misplacedCount;
  }

  /** The same, of which none has. */
  public long crowdedCount() {
    return crowdedCount;
  }
}
