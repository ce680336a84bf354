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
import io.stowage.scm.cluster.Candidate;
import io.stowage.scm.cluster.FailureDomain;
import io.stowage.scm.cluster.RackResolver;
import io.stowage.scm.cluster.Spread;
import java.util.Arrays;
import java.util.EnumMap;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Function;

/**
 * Whether containers' places keep the rule, and whether a shard can be moved apart from others:
 * what {@link Spread} says, by numbers instead of names, since millions are judged in one look.
 * Confined to one thread, and to one look.
 */
final class PlaceRule implements PackedContainer.ShardVisitor {
  enum Verdict {
    KEPT,
    /** Shards are too near to one another; one of them can be moved apart. */
    MISPLACED,
    /** The same, and none can. */
    CROWDED
  }

  private static final int MOST_SHARDS = 32;
  private static final int NOT_ASKED = 0;
  private static final int NOBODY_KNOWS = 1;
  private static final int FIRST = 2;

  private final ContainerMap map;
  private final Function<ErasurePolicy, FailureDomain> domains;
  private final List<Candidate> disks;
  private final Map<DiskTable.Disk, Integer> byName = new HashMap<>();
  private final Numbers racks = new Numbers();
  private final int[] rackOf; // by disk
  private final int noRack;
  private final int[] shardsInRack;
  private final int[] takenInRack; // of fit domains
  private final boolean[] sharesInRack;
  private final int[] racksUsed = new int[MOST_SHARDS];
  private final Map<FailureDomain, Grid> grids = new EnumMap<>(FailureDomain.class);
  private Policy[] policies = new Policy[0]; // by number
  private int[] known = new int[0]; // by number in rows: disk + FIRST

  // of the container that is looked at
  private Policy policy;
  private Grid grid;
  private int container; // counts them
  private int racksUsedCount;
  private int mostInDomain;
  private int domainsTaken; // fit ones
  private boolean nobodyKnows;
  private boolean rackNotTold;

  private record Policy(Spread.Rule rule, Grid grid) {}

  /** Failure domains of one kind. */
  private static final class Grid {
    private final boolean racks;
    private final int[] domainOf; // by disk
    private final boolean[] fit; // by domain
    private final int[] seenIn; // by domain: container
    private final int[] shards; // by domain, of the container seen in
    private final int[] fitInRack;
    private int fitCount;
    private int racksWithFit;

    Grid(FailureDomain kind, List<Candidate> disks, int[] rackOf, int rackCount) {
      this.racks = kind == FailureDomain.RACK;
      this.domainOf = new int[disks.size()];
      this.fitInRack = new int[rackCount];
      Numbers names = new Numbers();
      for (int i = 0; i < domainOf.length; i++) {
        domainOf[i] = names.of(kind.of(disks.get(i)));
      }
      this.fit = new boolean[names.count()];
      this.seenIn = new int[names.count()];
      this.shards = new int[names.count()];
      for (int i = 0; i < domainOf.length; i++) {
        if (disks.get(i).isFit() && !fit[domainOf[i]]) {
          fit[domainOf[i]] = true;
          fitCount++;
          racksWithFit += fitInRack[rackOf[i]]++ == 0 ? 1 : 0;
        }
      }
    }
  }

  /** Numbers from 0 for names. */
  private static final class Numbers {
    private final Map<String, Integer> byName = new HashMap<>();

    int of(String name) {
      return byName.computeIfAbsent(name, key -> byName.size());
    }

    int count() {
      return byName.size();
    }
  }

  /**
   * @param disks all, as they are now
   * @param domains which kind each policy has
   */
  PlaceRule(
      ContainerMap map, List<Candidate> disks, Function<ErasurePolicy, FailureDomain> domains) {
    this.map = map;
    this.domains = domains;
    this.disks = disks;
    this.noRack = racks.of(RackResolver.DEFAULT_RACK);
    this.rackOf = new int[disks.size()];
    for (int i = 0; i < rackOf.length; i++) {
      Candidate disk = disks.get(i);
      byName.put(new DiskTable.Disk(disk.nodeId(), disk.diskId()), i);
      rackOf[i] = racks.of(disk.rack());
    }
    this.shardsInRack = new int[racks.count()];
    this.takenInRack = new int[racks.count()];
    this.sharesInRack = new boolean[racks.count()];
  }

  /** Judges a packed row; one with a shard on a disk that nobody told of keeps the rules. */
  Verdict judge(byte[] packed) {
    policy = policyOf(PackedContainer.policyNumber(packed));
    grid = policy.grid;
    container++;
    racksUsedCount = 0;
    mostInDomain = 0;
    domainsTaken = 0;
    nobodyKnows = false;
    rackNotTold = false;
    PackedContainer.shards(packed, this);
    Verdict verdict = verdict();
    for (int i = 0; i < racksUsedCount; i++) {
      shardsInRack[racksUsed[i]] = 0;
      takenInRack[racksUsed[i]] = 0;
      sharesInRack[racksUsed[i]] = false;
    }
    return verdict;
  }

  @Override
  public void visit(int index, int diskNumber, int generation) {
    int disk = known(diskNumber) - FIRST;
    if (disk < 0) {
      nobodyKnows = true;
      return;
    }
    int rack = rackOf[disk];
    if (shardsInRack[rack]++ == 0) {
      racksUsed[racksUsedCount++] = rack;
      rackNotTold |= rack == noRack;
    }
    int domain = grid.domainOf[disk];
    if (grid.seenIn[domain] != container) {
      grid.seenIn[domain] = container;
      grid.shards[domain] = 0;
      if (grid.fit[domain]) {
        domainsTaken++;
        takenInRack[rack]++;
      }
    }
    int inDomain = ++grid.shards[domain];
    sharesInRack[rack] |= inDomain > 1;
    mostInDomain = Math.max(mostInDomain, inDomain);
  }

  private Verdict verdict() {
    int m = policy.rule.policy().m();
    boolean racksCount = policy.rule.racksTold() && !rackNotTold;
    if (nobodyKnows || (grid.racks && !racksCount)) {
      return Verdict.KEPT;
    }
    boolean tooManyInRack = false;
    boolean room = false; // in a rack that has fewer than m, or in none
    boolean roomBeside = false; // in a rack with shards that share
    int unusedWithFit = grid.racksWithFit;
    for (int i = 0; i < racksUsedCount; i++) {
      int rack = racksUsed[i];
      boolean free = grid.fitInRack[rack] > takenInRack[rack];
      tooManyInRack |= shardsInRack[rack] > m;
      room |= free && (shardsInRack[rack] < m || rack == noRack);
      roomBeside |= free && sharesInRack[rack];
      unusedWithFit -= grid.fitInRack[rack] > 0 ? 1 : 0;
    }
    boolean sharing = mostInDomain > 1;
    if (!sharing && !(tooManyInRack && racksCount && policy.rule.racksSuffice())) {
      return Verdict.KEPT;
    }
    boolean better =
        mostInDomain > m ? grid.fitCount > domainsTaken : room || roomBeside || unusedWithFit > 0;
    return better ? Verdict.MISPLACED : Verdict.CROWDED;
  }

  private int known(int diskNumber) {
    if (diskNumber >= known.length) {
      known = Arrays.copyOf(known, Math.max(map.diskCount(), diskNumber + 1));
    }
    if (known[diskNumber] == NOT_ASKED) {
      Integer disk = byName.get(map.disk(diskNumber));
      known[diskNumber] = disk == null ? NOBODY_KNOWS : disk + FIRST;
    }
    return known[diskNumber];
  }

  private Policy policyOf(int number) {
    if (number >= policies.length) {
      policies = Arrays.copyOf(policies, number + 1);
    }
    if (policies[number] == null) {
      ErasurePolicy named = named(map.policy(number));
      FailureDomain kind = domains.apply(named);
      Grid theirs = grids.computeIfAbsent(kind, its -> new Grid(its, disks, rackOf, racks.count()));
      policies[number] = new Policy(Spread.Rule.of(disks, named, kind), theirs);
    }
    return policies[number];
  }

  private static ErasurePolicy named(String policy) {
    try {
      return ErasurePolicy.named(policy);
    } catch (StoreException e) {
      throw new IllegalStateException(e); // rows only ever name policies that once were known
    }
  }
}
