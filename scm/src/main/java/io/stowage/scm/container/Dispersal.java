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

import io.stowage.common.erasure.ErasurePolicy;
import io.stowage.common.error.StoreException;
import io.stowage.common.proto.ContainerState;
import io.stowage.common.proto.ShardPlace;
import io.stowage.scm.cluster.Candidate;
import io.stowage.scm.cluster.ClusterMap;
import io.stowage.scm.cluster.Placement;
import java.util.ArrayList;
import java.util.List;

/**
 * Moves shards apart that are too near to one another, in one term of leadership. A new container
 * has none, but racks may be told, a failure domain made larger, a machine carried to another rack
 * after it was placed, and repair takes what place there is. Confined to the ticking thread.
 *
 * <ol>
 *   <li>An {@link Inspection} judges the places of every sealed container that is whole ({@link
 *       PlaceRule}). <i>Misplaced</i> is one of which a shard can be moved so that fewer shards
 *       share a failure domain, or as few and fewer are beyond m in their racks ({@link
 *       Placement#violations}); <i>crowded</i>, one that breaks a rule and of which none can: the
 *       racks or domains are too few. It is counted, and left alone.
 *   <li>Of a misplaced one the shard that is most in the way is moved, by the order that repairs,
 *       after what repair has begun in this tick, and by as many moves at once as {@link Balance}
 *       may have, of which this takes first. The next one of the container goes when that is there.
 *   <li>The row names the new copy; the old one goes as every replaced copy does ({@link Surplus}),
 *       once all k+m are seen: there never is one less.
 * </ol>
 *
 * <p>It ends: a move is ordered only if it makes the violations fewer, as the cluster is then;
 * balancing orders none that makes them more; and whatever else changes a place is no answer to
 * this. So a container moves at most once for each of its violations, until the cluster changes
 * again. No racks are judged while disks that take shards are in none that was told ({@link
 * Placement#areRacksTold}): after a start with a script that fails everything would look like one.
 *
 * <p>What may happen in between, beside what {@link Repair} says of its orders:
 *
 * <ul>
 *   <li><i>Leader changes after the order:</i> the next one knows nothing of it and judges what the
 *       row says. It may order the same again, elsewhere, under a higher generation; the first copy
 *       is a stranger then, and put aside.
 *   <li><i>The target dies:</i> the order is given up and the container left alone for seconds, its
 *       row and its shard as they were; then another place is found.
 *   <li><i>The source dies, or another shard is lost:</i> the container is not whole, and repair's.
 *       What is under way goes on to its end, read or decoded from what is there; the other shard
 *       is made beside it, away from both of its places. The old copy stays as long as repair lacks
 *       anything.
 *   <li><i>Racks or domains change again:</i> what is under way ends where it was to go, and the
 *       next inspection judges that. So it may have been in vain, for as many shards as are moved
 *       at once.
 *   <li><i>The SCMs were told different racks:</i> shards are moved after each change of leaders,
 *       and then no more.
 * </ul>
 */
final class Dispersal {
  /** Containers for which a place is looked for in a tick; leases wait behind that. */
  private static final int MOST_TRIED = 32;

  private final ContainerMap map;
  private final ClusterMap cluster;
  private final Repair repair;
  private final Balance balance;

  Dispersal(ContainerMap map, ClusterMap cluster, Repair repair, Balance balance) {
    this.map = map;
    this.cluster = cluster;
    this.repair = repair;
    this.balance = balance;
  }

  /** Orders moves, as many as there is room for. */
  void look(Inspection found) throws StoreException {
    LongList misplaced = found.misplaced();
    int room = balance.room();
    if (misplaced.size() == 0 || room <= 0) {
      return;
    }
    Repair.Start start = repair.start();
    int tried = 0;
    for (int i = 0; i < misplaced.size() && room > 0 && tried < MOST_TRIED; i++) {
      long id = misplaced.get(i);
      int index = mostInTheWay(id, start);
      if (index >= 0 && start.goesOn()) {
        tried++;
        room -= repair.disperse(start, id, index) ? 1 : 0;
      }
    }
  }

  /** The shard that is to be moved; -1: none is any more. */
  private int mostInTheWay(long id, Repair.Start start) throws StoreException {
    ContainerRow row = map.get(id);
    if (row == null || row.info().getState() != ContainerState.SEALED) {
      return -1;
    }
    List<Candidate> places = new ArrayList<>();
    for (ShardPlace place : row.info().getShardsList()) {
      places.add(start.find(place));
    }
    if (places.contains(null)) {
      return -1; // on a disk that is gone
    }
    ErasurePolicy policy = ErasurePolicy.named(row.info().getPolicy());
    return Placement.mostInTheWay(places, policy, cluster.domainOf(policy), start.areRacksTold());
  }
}
