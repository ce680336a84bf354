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

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.stowage.common.erasure.ErasurePolicy;
import io.stowage.common.proto.ContainerInfo;
import io.stowage.common.proto.ContainerState;
import io.stowage.common.proto.ShardPlace;
import io.stowage.scm.cluster.Candidate;
import io.stowage.scm.cluster.FailureDomain;
import io.stowage.scm.cluster.RackResolver;
import io.stowage.scm.cluster.Spread;
import java.util.ArrayList;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import org.junit.jupiter.api.Test;

/** The rule by numbers, against the rule by names and every move that there is. */
class PlaceRuleTest {
  private static final int CLUSTERS = 2_000;
  private static final int CONTAINERS = 5; // each

  private static Candidate disk(
      String host, String disk, String rack, String unfit, boolean leaving) {
    return new Candidate("node-" + host, disk, host, rack, 100, 50, 50, unfit, leaving);
  }

  /** At random; now and then nobody told a rack, or a host's, or nothing of a rack is fit. */
  private static List<Candidate> cluster(Random random) {
    List<Candidate> disks = new ArrayList<>();
    int racks = 1 + random.nextInt(6);
    for (int r = 0; r < racks; r++) {
      String rack = random.nextInt(40) == 0 ? RackResolver.DEFAULT_RACK : "/r" + r;
      int hosts = 1 + random.nextInt(5);
      boolean full = random.nextInt(8) == 0;
      for (int h = 0; h < hosts; h++) {
        String host = "h" + r + "-" + h;
        String its = random.nextInt(80) == 0 ? RackResolver.DEFAULT_RACK : rack;
        boolean leaving = random.nextInt(12) == 0;
        for (int d = 1 + random.nextInt(3); d > 0; d--) {
          String unfit = leaving ? "leaving" : full || random.nextInt(8) == 0 ? "full" : null;
          disks.add(disk(host, "d" + d, its, unfit, leaving));
        }
      }
    }
    return disks;
  }

  private static List<Candidate> places(List<Candidate> cluster, int count, Random random) {
    List<Candidate> from = new ArrayList<>(cluster);
    List<Candidate> places = new ArrayList<>();
    while (places.size() < count) {
      places.add(from.remove(random.nextInt(from.size())));
    }
    return places;
  }

  private static ContainerRow row(long id, ErasurePolicy policy, List<Candidate> places) {
    ContainerInfo.Builder info =
        ContainerInfo.newBuilder()
            .setId(id)
            .setPolicy(policy.name())
            .setState(ContainerState.SEALED)
            .setRowVersion(1);
    for (Candidate place : places) {
      info.addShards(
          ShardPlace.newBuilder()
              .setIndex(info.getShardsCount())
              .setNodeId(place.nodeId())
              .setDiskId(place.diskId())
              .setGeneration(1));
    }
    return new ContainerRow(1, info.build());
  }

  private static PlaceRule.Verdict byEveryMove(
      List<Candidate> cluster, List<Candidate> places, ErasurePolicy policy, FailureDomain kind) {
    Spread spread = new Spread(places, Spread.Rule.of(cluster, policy, kind));
    List<Candidate> fit = cluster.stream().filter(Candidate::isFit).toList();
    if (spread.inTheWay().isEmpty()) {
      return PlaceRule.Verdict.KEPT;
    }
    return spread.inTheWay().stream().anyMatch(shard -> !spread.apart(shard, fit).isEmpty())
        ? PlaceRule.Verdict.MISPLACED
        : PlaceRule.Verdict.CROWDED;
  }

  @Test
  void judgesAsIfItTriedEveryMove() {
    Map<PlaceRule.Verdict, Integer> judged = new EnumMap<>(PlaceRule.Verdict.class);
    for (int seed = 0; seed < CLUSTERS; seed++) {
      Random random = new Random(seed);
      List<Candidate> cluster = cluster(random);
      FailureDomain[] kinds = FailureDomain.values();
      int shift = random.nextInt(kinds.length);
      ContainerMap map = new ContainerMap();
      PlaceRule rule =
          new PlaceRule(map, cluster, policy -> kinds[(policy.k() + shift) % kinds.length]);
      for (int id = 1; id <= CONTAINERS; id++) {
        ErasurePolicy policy = ErasurePolicy.ALL.get(random.nextInt(ErasurePolicy.ALL.size()));
        if (cluster.size() < policy.shards()) {
          continue;
        }
        List<Candidate> places = places(cluster, policy.shards(), random);
        FailureDomain kind = kinds[(policy.k() + shift) % kinds.length];
        assertTrue(map.put(row(id, policy, places)));
        PlaceRule.Verdict[] said = new PlaceRule.Verdict[1];
        map.visit(id, (key, packed, reported) -> said[0] = rule.judge(packed));
        PlaceRule.Verdict expected = byEveryMove(cluster, places, policy, kind);
        assertEquals(
            expected, said[0], "seed " + seed + ", " + policy + ", " + kind + ": " + places);
        judged.merge(expected, 1, Integer::sum);
      }
    }
    for (PlaceRule.Verdict verdict : PlaceRule.Verdict.values()) {
      assertTrue(judged.getOrDefault(verdict, 0) > 300, judged::toString);
    }
  }

  @Test
  void whatIsOnADiskOfWhichNobodyToldIsNotJudged() {
    List<Candidate> cluster = new ArrayList<>();
    for (int host = 0; host < 6; host++) {
      for (String disk : List.of("d1", "d2")) {
        cluster.add(disk("h" + host, disk, "/r", null, false));
      }
    }
    ContainerMap map = new ContainerMap();
    List<Candidate> places = new ArrayList<>(cluster.subList(0, 5)); // of three hosts
    assertTrue(map.put(row(1, ErasurePolicy.RS_3_2, places)));
    places.set(4, disk("h9", "d1", "/r", null, false));
    assertTrue(map.put(row(2, ErasurePolicy.RS_3_2, places)));
    PlaceRule rule = new PlaceRule(map, cluster, policy -> FailureDomain.HOST);
    List<PlaceRule.Verdict> said = new ArrayList<>();
    for (long id = 1; id <= 2; id++) {
      map.visit(id, (key, packed, reported) -> said.add(rule.judge(packed)));
    }
    assertEquals(List.of(PlaceRule.Verdict.MISPLACED, PlaceRule.Verdict.KEPT), said);
  }

  @Test
  void whatWaitsForARackThatIsAwayIsCrowdedAndKeepsTheRuleWithoutThatRackForGood() {
    assertEquals(PlaceRule.Verdict.MISPLACED, withThirdRack(null, false));
    assertEquals(PlaceRule.Verdict.CROWDED, withThirdRack("silent", false));
    assertEquals(PlaceRule.Verdict.KEPT, withThirdRack("leaving", true));
  }

  /** Of a container of rs-6-3 with five shards in a rack and four in another, and none there. */
  private static PlaceRule.Verdict withThirdRack(String unfit, boolean leaving) {
    List<Candidate> cluster = new ArrayList<>();
    for (int host = 0; host < 8; host++) {
      cluster.add(disk("a" + host, "d1", "/a", null, false));
      cluster.add(disk("b" + host, "d1", "/b", null, false));
    }
    List<Candidate> places = List.copyOf(cluster.subList(0, 9));
    for (int host = 0; host < 3; host++) {
      cluster.add(disk("c" + host, "d1", "/c", unfit, leaving));
    }
    ContainerMap map = new ContainerMap();
    assertTrue(map.put(row(1, ErasurePolicy.RS_6_3, places)));
    PlaceRule rule = new PlaceRule(map, cluster, policy -> FailureDomain.HOST);
    PlaceRule.Verdict[] said = new PlaceRule.Verdict[1];
    map.visit(1, (key, packed, reported) -> said[0] = rule.judge(packed));
    return said[0];
  }
}
