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
package io.stowage.scm.cluster;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.stowage.common.erasure.ErasurePolicy;
import io.stowage.common.error.StoreException;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.Set;
import java.util.function.Function;
import org.junit.jupiter.api.Test;

class SpreadTest {
  private static final int CLUSTERS = 1_000;
  private static final ErasurePolicy RS_6_3 = ErasurePolicy.RS_6_3;

  private static Candidate disk(int rack, int host, int disk) {
    return disk(rack, host, disk, null);
  }

  private static Candidate disk(int rack, int host, int disk, String unfit) {
    String name = "h" + rack + "-" + host;
    return new Candidate(
        "node-" + name, "d" + disk, name, "/r" + rack, 100, 50, 50 + rack + host, unfit);
  }

  /** Racks of so many hosts, of one disk each. */
  private static List<Candidate> racksOf(int... hosts) {
    List<Candidate> disks = new ArrayList<>();
    for (int rack = 0; rack < hosts.length; rack++) {
      for (int host = 0; host < hosts[rack]; host++) {
        disks.add(disk(rack, host, 0));
      }
    }
    return disks;
  }

  private static List<Candidate> atRandom(Random random) {
    List<Candidate> disks = new ArrayList<>();
    for (int rack = random.nextInt(6); rack >= 0; rack--) {
      for (int host = random.nextInt(6); host >= 0; host--) {
        for (int d = random.nextInt(3); d >= 0; d--) {
          disks.add(disk(rack, host, d, random.nextInt(8) == 0 ? "full" : null));
        }
      }
    }
    return disks;
  }

  /** As many shards in each rack, a host each. */
  private static List<Candidate> inRacks(int... shards) {
    return racksOf(shards);
  }

  private static Spread spread(
      List<Candidate> places, List<Candidate> cluster, ErasurePolicy policy, FailureDomain kind) {
    return new Spread(places, Spread.Rule.of(cluster, policy, kind));
  }

  private static int beyond(List<Candidate> places, Function<Candidate, String> where, int most) {
    Map<String, Integer> counts = new HashMap<>();
    places.forEach(place -> counts.merge(where.apply(place), 1, Integer::sum));
    return counts.values().stream().mapToInt(count -> Math.max(0, count - most)).sum();
  }

  @Test
  void whatWasPlacedNowKeepsTheRule() throws StoreException {
    int placed = 0;
    for (int seed = 0; seed < CLUSTERS / 4; seed++) {
      Random random = new Random(seed);
      List<Candidate> cluster = atRandom(random);
      for (FailureDomain kind : FailureDomain.values()) {
        for (ErasurePolicy policy : ErasurePolicy.ALL) {
          if (Placement.spareDomains(cluster, policy, kind) < 0) {
            continue;
          }
          List<Candidate> places = Placement.place(cluster, policy, kind, Set.of(), random);
          assertEquals(
              List.of(),
              spread(places, cluster, policy, kind).inTheWay(),
              "seed " + seed + ", " + policy + ", " + kind + ": " + places);
          placed++;
        }
      }
    }
    assertTrue(placed > 1_000, placed + " containers");
  }

  @Test
  void aSmallRackIsNotFloodedSinceThatSavesNoContainer() {
    List<Candidate> cluster = racksOf(8, 8, 1);
    assertEquals(List.of(), spread(inRacks(5, 4), cluster, RS_6_3, FailureDomain.HOST).inTheWay());
    // With three hosts there all come down to m, and then each survives the loss of any rack.
    Spread mended = spread(inRacks(5, 4), racksOf(8, 8, 3), RS_6_3, FailureDomain.HOST);
    assertEquals(9, mended.inTheWay().size());
    assertEquals(3, mended.apart(0, racksOf(8, 8, 3)).size());
  }

  @Test
  void balancingEmptiesASmallRackAsFarAsNewContainersAre() {
    List<Candidate> cluster = racksOf(2, 8, 8);
    Spread two = spread(inRacks(2, 3, 4), cluster, RS_6_3, FailureDomain.HOST);
    assertEquals(List.of(), two.inTheWay());
    List<Candidate> to = two.noNearer(0, cluster);
    assertEquals(Set.of("/r0", "/r1"), Set.copyOf(to.stream().map(Candidate::rack).toList()));
    Spread one = spread(inRacks(1, 4, 4), cluster, RS_6_3, FailureDomain.HOST);
    assertEquals(
        List.of("/r0", "/r0"), one.noNearer(0, cluster).stream().map(Candidate::rack).toList());
  }

  /** Placed by disks; by hosts there are two in two racks and five in the third. */
  @Test
  void whatSurvivesTheLossOfAnyRackIsLeftSo() {
    List<Candidate> cluster = new ArrayList<>(racksOf(2, 2, 5));
    List<Candidate> places = new ArrayList<>(inRacks(2, 2, 3));
    for (int rack = 0; rack < 2; rack++) {
      Candidate second = disk(rack, 0, 1);
      cluster.add(second);
      places.add(second);
    }
    Spread spread = spread(places, cluster, RS_6_3, FailureDomain.HOST);
    assertEquals(4, spread.inTheWay().size());
    for (int shard = 0; shard < places.size(); shard++) {
      assertEquals(List.of(), spread.apart(shard, cluster));
      String rack = places.get(shard).rack();
      assertTrue(spread.noNearer(shard, cluster).stream().allMatch(to -> to.rack().equals(rack)));
    }
  }

  @Test
  void movesApartEndAndEachMakesItBetter() {
    int moves = 0;
    for (int seed = 0; seed < CLUSTERS; seed++) {
      Random random = new Random(seed);
      List<Candidate> cluster = atRandom(random);
      List<Candidate> fit = cluster.stream().filter(Candidate::isFit).toList();
      ErasurePolicy policy = ErasurePolicy.ALL.get(random.nextInt(ErasurePolicy.ALL.size()));
      FailureDomain[] kinds = FailureDomain.values();
      FailureDomain kind = kinds[random.nextInt(kinds.length)];
      if (cluster.size() < policy.shards()) {
        continue;
      }
      List<Candidate> from = new ArrayList<>(cluster);
      List<Candidate> places = new ArrayList<>();
      while (places.size() < policy.shards()) {
        places.add(from.remove(random.nextInt(from.size())));
      }
      for (int shard = next(places, cluster, fit, policy, kind);
          shard >= 0;
          shard = next(places, cluster, fit, policy, kind)) {
        List<Candidate> others = new ArrayList<>(places);
        others.remove(shard);
        Spread spread = spread(places, cluster, policy, kind);
        String context = "seed " + seed + ", " + policy + ", " + kind + ", " + places;
        Candidate to = Placement.placeOne(spread.apart(shard, fit), others, policy, kind, random);
        assertNotNull(to, context);
        List<Candidate> after = new ArrayList<>(places);
        after.set(shard, to);
        int m = policy.m();
        int inDomains = beyond(after, kind::of, m) - beyond(places, kind::of, m);
        int inRacks = beyond(after, Candidate::rack, m) - beyond(places, Candidate::rack, m);
        int sharing = beyond(after, kind::of, 1) - beyond(places, kind::of, 1);
        boolean racksCount = Spread.Rule.of(cluster, policy, kind).racksTold();
        assertTrue(
            inDomains < 0
                || (inDomains == 0
                    && (inRacks <= 0 || !racksCount)
                    && sharing <= 0
                    && (sharing < 0 || inRacks < 0)),
            context + " -> " + to);
        if (racksCount && beyond(places, Candidate::rack, m) == 0) {
          assertEquals(0, beyond(after, Candidate::rack, m), context + " -> " + to);
        }
        places = after;
        moves++;
      }
    }
    assertTrue(moves > 500, moves + " moves");
  }

  /** The shard that would be moved next; -1: none. */
  private static int next(
      List<Candidate> places,
      List<Candidate> cluster,
      List<Candidate> fit,
      ErasurePolicy policy,
      FailureDomain kind) {
    Spread spread = spread(places, cluster, policy, kind);
    return spread.inTheWay().stream()
        .filter(shard -> !spread.apart(shard, fit).isEmpty())
        .findFirst()
        .orElse(-1);
  }
}
