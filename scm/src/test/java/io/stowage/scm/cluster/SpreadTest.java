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
import java.util.stream.Collectors;
import org.junit.jupiter.api.Test;

class SpreadTest {
  private static final int CLUSTERS = 1_500;
  private static final ErasurePolicy RS_6_3 = ErasurePolicy.RS_6_3;
  private static final String LEAVING = "is DECOMMISSIONING";

  private static Candidate disk(int rack, int host, int disk) {
    return disk(rack, host, disk, null);
  }

  private static Candidate disk(int rack, int host, int disk, String unfit) {
    return disk("/r" + rack, rack, host, disk, unfit);
  }

  private static Candidate disk(String told, int rack, int host, int disk, String unfit) {
    String name = "h" + rack + "-" + host;
    boolean leaving = LEAVING.equals(unfit);
    return new Candidate(
        "node-" + name, "d" + disk, name, told, 100, 50, 50 + rack + host, unfit, leaving);
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

  /** Now and then nobody told a host's rack, or nothing of a rack is fit, or all but one is not. */
  private static List<Candidate> atRandom(Random random) {
    List<Candidate> disks = new ArrayList<>();
    boolean allTold = random.nextBoolean();
    int racks = 1 + random.nextInt(6);
    int fitOne = random.nextInt(6) == 0 ? random.nextInt(racks) : -1;
    for (int rack = 0; rack < racks; rack++) {
      boolean full = random.nextInt(8) == 0 || (fitOne >= 0 && rack != fitOne);
      for (int host = random.nextInt(6); host >= 0; host--) {
        boolean told = allTold || random.nextInt(10) > 0;
        boolean leaving = random.nextInt(12) == 0;
        for (int d = random.nextInt(3); d >= 0; d--) {
          disks.add(
              disk(
                  told ? "/r" + rack : RackResolver.DEFAULT_RACK,
                  rack,
                  host,
                  d,
                  leaving ? LEAVING : full || random.nextInt(8) == 0 ? "full" : null));
        }
      }
    }
    return disks;
  }

  private static List<Candidate> anywhere(List<Candidate> cluster, int count, Random random) {
    List<Candidate> from = new ArrayList<>(cluster);
    List<Candidate> places = new ArrayList<>();
    while (places.size() < count) {
      places.add(from.remove(random.nextInt(from.size())));
    }
    return places;
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

  private static List<Candidate> told(List<Candidate> places) {
    return places.stream().filter(p -> !p.rack().equals(RackResolver.DEFAULT_RACK)).toList();
  }

  private static int beyondInRacks(List<Candidate> places, int m) {
    return beyond(told(places), Candidate::rack, m);
  }

  /** Racks that were told and whose loss the container does not survive. */
  private static long fatal(List<Candidate> places, int m) {
    return told(places).stream()
        .collect(Collectors.groupingBy(Candidate::rack, Collectors.counting()))
        .values()
        .stream()
        .filter(count -> count > m)
        .count();
  }

  private static List<String> racks(List<Candidate> disks) {
    return disks.stream().map(Candidate::rack).distinct().toList();
  }

  @Test
  void whatWasPlacedNowKeepsTheRule() throws StoreException {
    int placed = 0;
    int forNow = 0;
    for (int seed = 0; seed < CLUSTERS / 4; seed++) {
      Random random = new Random(seed);
      List<Candidate> cluster = atRandom(random);
      for (FailureDomain kind : FailureDomain.values()) {
        for (ErasurePolicy policy : ErasurePolicy.ALL) {
          if (Placement.spareDomains(cluster, policy, kind) < 0) {
            continue;
          }
          List<Candidate> places = Placement.place(cluster, policy, kind, Set.of(), random);
          String context = "seed " + seed + ", " + policy + ", " + kind + ": " + places;
          List<Candidate> fit = cluster.stream().filter(Candidate::isFit).toList();
          assertEquals(List.of(), spread(places, fit, policy, kind).inTheWay(), context);
          // More than m are in a rack while some of the others take none.
          for (int shard : spread(places, cluster, policy, kind).inTheWay()) {
            String rack = places.get(shard).rack();
            long beside = places.stream().filter(place -> place.rack().equals(rack)).count();
            assertTrue(beside > policy.m(), context);
            forNow++;
          }
          placed++;
        }
      }
    }
    assertTrue(placed > 1_000, placed + " containers");
    assertTrue(forNow > 50, forNow + " shards that may not stay there");
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

  /** Else all containers would be told to keep the rule, and evening out would undo what does. */
  @Test
  void aMachineThatIsAwayForAWhileChangesNoVerdict() {
    List<Candidate> cluster = racksOf(8, 8, 3);
    Candidate away = cluster.remove(16);
    List<Candidate> fit = List.copyOf(cluster);
    cluster.add(disk(2, 0, 0, "silent"));
    Spread spread = spread(inRacks(5, 4), cluster, RS_6_3, FailureDomain.HOST);
    assertEquals(9, spread.inTheWay().size());
    assertEquals(List.of("/r2"), racks(spread.apart(0, fit)));
    List<Candidate> places = new ArrayList<>(inRacks(3, 4));
    places.addAll(List.of(away, disk(2, 1, 0)));
    Spread other = spread(places, cluster, RS_6_3, FailureDomain.HOST);
    assertEquals(List.of("/r0", "/r2"), racks(other.noNearer(0, fit)));
    cluster.set(18, disk(2, 0, 0, LEAVING)); // for good
    Spread without = spread(inRacks(5, 4), cluster, RS_6_3, FailureDomain.HOST);
    assertEquals(List.of(), without.inTheWay());
  }

  @Test
  void whileOneRackIsFitTheyAreJudgedAsEver() {
    List<Candidate> cluster = new ArrayList<>(racksOf(8));
    for (int rack = 1; rack < 3; rack++) {
      for (int host = 0; host < 8; host++) {
        cluster.add(disk(rack, host, 0, "full"));
      }
    }
    Spread spread = spread(inRacks(3, 4, 2), cluster, RS_6_3, FailureDomain.HOST);
    assertEquals(List.of(3, 4, 5, 6), spread.inTheWay());
  }

  /** Of so many shards in each rack: to which racks one of the first may go. */
  private static List<String> fromFirst(List<Candidate> cluster, int... shards) {
    Spread spread = spread(inRacks(shards), cluster, RS_6_3, FailureDomain.HOST);
    return racks(spread.noNearer(0, cluster));
  }

  @Test
  void balancingEmptiesASmallRackAndMakesNoMoreRacksFatal() {
    List<Candidate> two = racksOf(4, 16);
    assertEquals(List.of("/r0", "/r1"), fromFirst(two, 4, 5));
    assertEquals(List.of("/r0", "/r1"), fromFirst(two, 3, 6));
    List<Candidate> back = racksOf(16, 4);
    assertEquals(List.of("/r0"), fromFirst(back, 6, 3)); // both would be
    assertEquals(List.of("/r0", "/r1"), fromFirst(back, 7, 2));
    List<Candidate> three = racksOf(2, 8, 8);
    assertEquals(List.of(), spread(inRacks(2, 3, 4), three, RS_6_3, FailureDomain.HOST).inTheWay());
    assertEquals(List.of("/r0", "/r2"), fromFirst(three, 2, 3, 4));
    assertEquals(List.of("/r0", "/r1", "/r2"), fromFirst(three, 1, 4, 4));
    List<Candidate> tooFew = racksOf(1, 3, 4); // for new containers
    assertEquals(List.of("/r0"), fromFirst(tooFew, 1, 3, 3));
  }

  @Test
  void whereRacksSufficeBalancingPutsNoMoreThanMIntoOne() {
    List<Candidate> cluster = racksOf(8, 8, 8);
    assertEquals(List.of("/r0"), fromFirst(cluster, 3, 3, 3));
    assertEquals(List.of("/r0", "/r2"), fromFirst(cluster, 3, 4, 2));
  }

  @Test
  void oneHostInNoRackLetsNoOtherRackHaveMoreThanM() {
    List<Candidate> cluster = new ArrayList<>(racksOf(8, 8, 8));
    cluster.add(disk(RackResolver.DEFAULT_RACK, 9, 0, 0, null));
    assertEquals(List.of("/r0", RackResolver.DEFAULT_RACK), fromFirst(cluster, 3, 3, 3));
    List<Candidate> sharing = new ArrayList<>(inRacks(2, 3, 3));
    sharing.add(disk(0, 0, 1));
    Spread spread = spread(sharing, cluster, RS_6_3, FailureDomain.HOST);
    assertEquals(List.of(0, 8), spread.inTheWay());
    assertEquals(List.of("/r0", RackResolver.DEFAULT_RACK), racks(spread.apart(0, cluster)));
  }

  /** All other racks are below what placement leaves free. */
  @Test
  void theOnlyRackThatIsFitTakesNoMoreThanM() {
    List<Candidate> fit = racksOf(12);
    List<Candidate> cluster = new ArrayList<>(fit);
    for (int rack = 1; rack < 3; rack++) {
      for (int host = 0; host < 8; host++) {
        cluster.add(disk(rack, host, 0, "full"));
      }
    }
    List<Candidate> places = new ArrayList<>(inRacks(3, 2, 3));
    places.add(disk(1, 0, 1, "full"));
    Spread spread = spread(places, cluster, RS_6_3, FailureDomain.HOST);
    assertEquals(List.of(3, 8), spread.inTheWay());
    assertEquals(List.of(), spread.apart(3, fit));
    assertEquals(List.of(), spread.noNearer(3, fit));
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
      List<Candidate> places = anywhere(cluster, policy.shards(), random);
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
        int inRacks = beyondInRacks(after, m) - beyondInRacks(places, m);
        int sharing = beyond(after, kind::of, 1) - beyond(places, kind::of, 1);
        assertTrue(
            inDomains < 0
                || (inDomains == 0 && inRacks <= 0 && sharing <= 0 && (sharing < 0 || inRacks < 0)),
            context + " -> " + to);
        if (beyondInRacks(places, m) + beyond(places, kind::of, m) == 0) {
          assertEquals(0, beyondInRacks(after, m), context + " -> " + to);
        }
        places = after;
        moves++;
      }
    }
    assertTrue(moves > 500, moves + " moves");
  }

  @Test
  void otherMovesBringShardsNoNearerAndMakeNoMoreRacksFatal() throws StoreException {
    int moves = 0;
    int toFatal = 0;
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
      boolean placed = random.nextBoolean() && Placement.spareDomains(cluster, policy, kind) >= 0;
      List<Candidate> places =
          placed
              ? Placement.place(cluster, policy, kind, Set.of(), random)
              : anywhere(cluster, policy.shards(), random);
      for (int i = 0; i < 20; i++) {
        int shard = random.nextInt(places.size());
        List<Candidate> others = new ArrayList<>(places);
        others.remove(shard);
        Spread spread = spread(places, cluster, policy, kind);
        Candidate to =
            Placement.placeOne(spread.noNearer(shard, fit), others, policy, kind, random);
        if (to == null) {
          continue;
        }
        String context = "seed " + seed + ", " + policy + ", " + kind + ", " + places + " -> " + to;
        List<Candidate> after = new ArrayList<>(places);
        after.set(shard, to);
        int m = policy.m();
        assertTrue(beyond(after, kind::of, m) <= beyond(places, kind::of, m), context);
        assertTrue(beyond(after, kind::of, 1) <= beyond(places, kind::of, 1), context);
        assertTrue(fatal(after, m) <= fatal(places, m), context);
        int more = beyondInRacks(after, m) - beyondInRacks(places, m);
        if (Spread.Rule.of(cluster, policy, kind).racksSuffice()) {
          assertTrue(more <= 0, context);
        }
        toFatal += Math.max(0, more);
        places = after;
        moves++;
      }
    }
    assertTrue(moves > 5_000, moves + " moves");
    assertTrue(toFatal > 20, toFatal + " to racks that had too many");
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
