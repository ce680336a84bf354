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
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.stowage.common.erasure.ErasurePolicy;
import io.stowage.common.error.ErrorCode;
import io.stowage.common.error.StoreException;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Random;
import java.util.Set;
import java.util.TreeMap;
import java.util.function.Function;
import java.util.stream.Collectors;
import org.junit.jupiter.api.Test;

class PlacementTest {
  private static final long GIB = 1L << 30;
  private static final int SPREADS = Integer.getInteger("stowage.scm.spreads", 1);

  private static Candidate disk(String rack, String host, String disk, long capacity, long free) {
    return new Candidate(
        "node-" + host, disk, host, rack, capacity, capacity - free, free, null, false);
  }

  private static Candidate unfit(Candidate disk, String why) {
    return new Candidate(
        disk.nodeId(),
        disk.diskId(),
        disk.host(),
        disk.rack(),
        disk.capacityBytes(),
        disk.usedBytes(),
        disk.freeBytes(),
        why,
        false);
  }

  /** Racks, hosts a rack, disks a host and sizes at random: mostly lopsided. */
  private static List<Candidate> unevenCluster(Random random) {
    List<Candidate> disks = new ArrayList<>();
    int racks = 1 + random.nextInt(5);
    for (int r = 0; r < racks; r++) {
      int hosts = 1 + random.nextInt(6);
      for (int h = 0; h < hosts; h++) {
        int count = 1 + random.nextInt(4);
        for (int d = 0; d < count; d++) {
          long capacity = GIB << random.nextInt(6);
          long free = (long) (capacity * random.nextDouble());
          Candidate disk = disk("/r" + r, "h" + r + "-" + h, "d" + d, capacity, free);
          disks.add(random.nextInt(8) == 0 ? unfit(disk, "out of order") : disk);
        }
      }
    }
    return disks;
  }

  @Test
  void keepsItsRulesOnUnevenClusters() throws Exception {
    int placed = 0;
    int refused = 0;
    for (int seed = 0; seed < 5_000; seed++) {
      Random random = new Random(seed);
      List<Candidate> cluster = unevenCluster(random);
      ErasurePolicy policy = ErasurePolicy.ALL.get(random.nextInt(ErasurePolicy.ALL.size()));
      FailureDomain domain = List.of(FailureDomain.values()).get(random.nextInt(3));
      Set<String> avoid = new HashSet<>();
      for (Candidate disk : cluster) {
        if (random.nextInt(6) == 0) {
          avoid.add(disk.nodeId());
        }
      }
      Map<String, Integer> domainsByRack = new HashMap<>();
      cluster.stream()
          .filter(Candidate::isFit)
          .collect(Collectors.toMap(domain::of, Candidate::rack, (a, b) -> a))
          .values()
          .forEach(rack -> domainsByRack.merge(rack, 1, Integer::sum));
      int domains = domainsByRack.values().stream().mapToInt(Integer::intValue).sum();
      String context = "seed " + seed + ", " + policy + ", " + domain + ", " + cluster;
      if (domains < policy.shards()) {
        StoreException e =
            assertThrows(
                StoreException.class,
                () -> Placement.place(cluster, policy, domain, avoid, random),
                context);
        assertEquals(ErrorCode.NOT_ENOUGH_NODES, e.code());
        assertEquals(domains - policy.shards(), Placement.spareDomains(cluster, policy, domain));
        refused++;
        continue;
      }
      List<Candidate> places = Placement.place(cluster, policy, domain, avoid, random);
      assertEquals(policy.shards(), places.size(), context);
      assertTrue(places.stream().allMatch(Candidate::isFit), context);
      assertTrue(cluster.containsAll(places), context);
      assertEquals(policy.shards(), places.stream().map(domain::of).distinct().count(), context);
      int limit = leastRackLimit(domainsByRack, policy);
      places.stream()
          .collect(Collectors.groupingBy(Candidate::rack, Collectors.counting()))
          .forEach((rack, count) -> assertTrue(count <= limit, context));
      placed++;
    }
    assertTrue(placed > 500 && refused > 500, placed + " placed, " + refused + " refused");
  }

  /** By trying: the least limit, from m up, under which all shards find a place. */
  private static int leastRackLimit(Map<String, Integer> domainsByRack, ErasurePolicy policy) {
    for (int limit = policy.m(); ; limit++) {
      int most = limit;
      if (domainsByRack.values().stream().mapToInt(n -> Math.min(n, most)).sum()
          >= policy.shards()) {
        return limit;
      }
    }
  }

  @Test
  void losesNoMoreThanMShardsWithARackIfThereAreEnoughRacks() throws Exception {
    List<Candidate> cluster = new ArrayList<>();
    for (int r = 0; r < 3; r++) {
      for (int h = 0; h < 10; h++) {
        cluster.add(disk("/r" + r, "h" + r + h, "d", GIB, GIB));
      }
    }
    for (int seed = 0; seed < 200; seed++) {
      Placement.place(cluster, ErasurePolicy.RS_6_3, FailureDomain.HOST, Set.of(), new Random(seed))
          .stream()
          .collect(Collectors.groupingBy(Candidate::rack, Collectors.counting()))
          .values()
          .forEach(count -> assertEquals(3, count));
    }
  }

  @Test
  void usesAvoidedNodesOnlyWhereOthersDoNotSuffice() throws Exception {
    List<Candidate> cluster = new ArrayList<>();
    for (int h = 0; h < 7; h++) {
      cluster.add(disk("/r", "h" + h, "d", GIB, GIB));
    }
    Set<String> two = Set.of("node-h0", "node-h1");
    Set<String> three = Set.of("node-h0", "node-h1", "node-h2");
    for (int seed = 0; seed < 200; seed++) {
      Random random = new Random(seed);
      assertEquals(0, avoided(cluster, two, random));
      assertEquals(1, avoided(cluster, three, random));
    }
  }

  private static long avoided(List<Candidate> cluster, Set<String> avoid, Random random)
      throws StoreException {
    return Placement.place(cluster, ErasurePolicy.RS_3_2, FailureDomain.HOST, avoid, random)
        .stream()
        .filter(disk -> avoid.contains(disk.nodeId()))
        .count();
  }

  @Test
  void isAFunctionOfItsArgumentsAndSeed() throws Exception {
    List<Candidate> cluster = unevenCluster(new Random(3));
    Random one = new Random(5);
    Random other = new Random(5);
    Set<List<Candidate>> different = new HashSet<>();
    for (int i = 0; i < 20; i++) {
      List<Candidate> places =
          Placement.place(cluster, ErasurePolicy.RS_1_2, FailureDomain.DISK, Set.of(), one);
      assertEquals(
          places,
          Placement.place(cluster, ErasurePolicy.RS_1_2, FailureDomain.DISK, Set.of(), other));
      different.add(places);
    }
    assertTrue(different.size() > 1);
  }

  @Test
  void fillsDisksOfDifferentSizeAtTheSamePace() throws Exception {
    Random random = new Random(1);
    long[] capacity = new long[20];
    long[] free = new long[20];
    for (int h = 0; h < 20; h++) {
      capacity[h] = (h < 10 ? 100 : 400) * GIB;
      free[h] = capacity[h];
    }
    for (int i = 0; i < 500; i++) {
      List<Candidate> cluster = new ArrayList<>();
      for (int h = 0; h < 20; h++) {
        cluster.add(disk("/r", Integer.toString(h), "d", capacity[h], free[h]));
      }
      for (Candidate place :
          Placement.place(cluster, ErasurePolicy.RS_3_2, FailureDomain.HOST, Set.of(), random)) {
        free[Integer.parseInt(place.host())] -= GIB;
      }
    }
    double least = 1;
    double most = 0;
    for (int h = 0; h < 20; h++) {
      double used = 1 - (double) free[h] / capacity[h];
      least = Math.min(least, used);
      most = Math.max(most, used);
    }
    // Half of all there is was used; perfectly equal filling would be 0.5 everywhere.
    assertTrue(least > 0.40 && most < 0.60, "fill levels from " + least + " to " + most);
  }

  /** Racks and hosts of different size and age, by a seed; and one host of four empty disks. */
  private static List<Candidate> agedCluster(Random random) {
    List<Candidate> disks = new ArrayList<>();
    for (int r = 0; r < 6; r++) {
      int hosts = 4 + 2 * r;
      for (int h = 0; h < hosts; h++) {
        double used = List.of(0.0, 0.2, 0.5).get(random.nextInt(3));
        int count = 2 + random.nextInt(3);
        for (int d = 0; d < count; d++) {
          long capacity = (500 + random.nextInt(1_501)) * GIB;
          long free = (long) (capacity * (1 - used));
          disks.add(disk("/r" + r, "h" + r + "-" + h, "h" + r + "-" + h + "-" + d, capacity, free));
        }
      }
    }
    for (int d = 0; d < 4; d++) {
      disks.add(disk("/r3", "new", "new-" + d, 1_000 * GIB, 1_000 * GIB));
    }
    return disks;
  }

  private static Map<String, Double> usedShares(
      List<Candidate> disks, Function<Candidate, String> by) {
    Map<String, long[]> sums = new TreeMap<>();
    for (Candidate disk : disks) {
      long[] sum = sums.computeIfAbsent(by.apply(disk), key -> new long[2]);
      sum[0] += disk.usedBytes();
      sum[1] += disk.capacityBytes();
    }
    Map<String, Double> shares = new TreeMap<>();
    sums.forEach((key, sum) -> shares.put(key, (double) sum[0] / sum[1]));
    return shares;
  }

  @Test
  void spreadsTenThousandContainersEvenlyOverAnUnevenCluster() throws Exception {
    for (int seed = 0; seed < SPREADS; seed++) {
      Random random = new Random(seed);
      List<Candidate> cluster = agedCluster(random);
      Map<String, Integer> at = new HashMap<>();
      for (int i = 0; i < cluster.size(); i++) {
        at.put(cluster.get(i).diskId(), i);
      }
      double newShare = 0;
      double capacity = cluster.stream().mapToDouble(Candidate::capacityBytes).sum();
      for (Candidate disk : cluster) {
        newShare += disk.host().equals("new") ? disk.capacityBytes() / capacity : 0;
      }
      int ofFirstHundred = 0;
      for (int i = 0; i < 10_000; i++) {
        List<Candidate> places =
            Placement.place(cluster, ErasurePolicy.RS_6_3, FailureDomain.HOST, Set.of(), random);
        assertEquals(9, places.stream().map(Candidate::host).distinct().count());
        places.stream()
            .collect(Collectors.groupingBy(Candidate::rack, Collectors.counting()))
            .forEach((rack, count) -> assertTrue(count <= 3, "a rack has " + count));
        for (Candidate place : places) {
          ofFirstHundred += i < 100 && place.host().equals("new") ? 1 : 0;
          cluster.set(
              at.get(place.diskId()),
              disk(
                  place.rack(),
                  place.host(),
                  place.diskId(),
                  place.capacityBytes(),
                  place.freeBytes() - GIB));
        }
      }
      double all = usedShares(cluster, disk -> "all").get("all");
      Map<String, Double> byRack = usedShares(cluster, Candidate::rack);
      Map<String, Double> byHost = usedShares(cluster, Candidate::host);
      double rackDeviation = 0;
      double hostDeviation = 0;
      double inRackDeviation = 0;
      for (Candidate disk : cluster) {
        double ofHost = byHost.get(disk.host());
        double ofRack = byRack.get(disk.rack());
        rackDeviation = Math.max(rackDeviation, Math.abs(ofRack - all));
        hostDeviation = Math.max(hostDeviation, Math.abs(ofHost - all));
        inRackDeviation = Math.max(inRackDeviation, Math.abs(ofHost - ofRack));
      }
      String figures =
          String.format(
              Locale.ROOT,
              "seed %d: used %.3f, racks within %.3f of it, hosts within %.3f, of their rack within"
                  + " %.3f; the new host is in %d of the first 100 (%.1f by its size)",
              seed,
              all,
              rackDeviation,
              hostDeviation,
              inRackDeviation,
              ofFirstHundred,
              900 * newShare);
      System.out.println(figures);
      assertTrue(hostDeviation <= 0.15, figures);
      assertTrue(inRackDeviation <= 0.05, figures);
      assertTrue(ofFirstHundred <= 45, figures);
    }
  }

  @Test
  void doesNotSendEverythingToANewDisk() throws Exception {
    List<Candidate> cluster = new ArrayList<>();
    for (int h = 0; h < 30; h++) {
      cluster.add(disk("/r", "h" + h, "d", 100 * GIB, 30 * GIB));
    }
    cluster.add(disk("/r", "new", "d", 100 * GIB, 100 * GIB));
    int onNew = 0;
    for (int seed = 0; seed < 400; seed++) {
      for (Candidate place :
          Placement.place(
              cluster, ErasurePolicy.RS_3_2, FailureDomain.HOST, Set.of(), new Random(seed))) {
        onNew += place.host().equals("new") ? 1 : 0;
      }
    }
    // An even spread would be 65; more, since it is emptier, but not each of the 400.
    assertTrue(onNew > 100 && onNew < 340, onNew + " of 400 containers use the new disk");
  }

  @Test
  void namesWhatIsMissing() {
    List<Candidate> cluster = new ArrayList<>();
    for (int d = 0; d < 5; d++) {
      cluster.add(disk("/r", "h", "d" + d, GIB, GIB));
    }
    assertEquals(
        "rs-6-3 needs 9 failure domains (disk), 5 are fit: add disks",
        Placement.missing(cluster, ErasurePolicy.RS_6_3, FailureDomain.DISK));
    cluster.sort(Comparator.comparing(Candidate::diskId));
    cluster.set(4, unfit(cluster.get(4), "disk /mnt/5 of node n (h:1) has failed"));
    assertEquals(
        "rs-3-2 needs 5 failure domains (disk), 4 are fit: missing disk /mnt/5 of node n (h:1)"
            + " has failed",
        Placement.missing(cluster, ErasurePolicy.RS_3_2, FailureDomain.DISK));
    StoreException e =
        assertThrows(
            StoreException.class,
            () ->
                Placement.place(
                    cluster, ErasurePolicy.RS_3_2, FailureDomain.HOST, Set.of(), new Random(1)));
    assertTrue(e.getMessage().contains("rs-3-2 needs 5 failure domains (host), 1 is fit"));
  }
}
