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

import io.stowage.common.erasure.ErasurePolicy;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.IntStream;

/**
 * How a container's shards are spread over failure domains and racks, beside the rule of {@link
 * Placement}, and which of its shards may go where. Immutable.
 *
 * <p>The rule is broken by shards that share a failure domain. It is broken by more than m in a
 * rack, too, but only where {@link Placement#place} could do better: where the racks are too few or
 * too small for m in each, it goes beyond m itself, and a shard more or less there lets no
 * container survive the loss of a rack. That is judged by all disks but those that are to be
 * emptied, also by those that take no shard for now (silent, full, in maintenance): else containers
 * would seem to keep the rule while a machine is restarted, and others be moved nearer to one
 * another.
 *
 * <p>A move apart goes to a domain that has none of the others. It brings another rack to no more
 * than m, unless it leaves a domain that has more than m and loses the container alone: so no
 * container that survives the loss of any rack is made one that does not. Shards beyond m in
 * domains, then those beyond m in racks, then those that share: each such move makes one of these
 * fewer and none before it more, so that a container has only so many.
 *
 * <p>A move for other reasons brings no other rack beyond m, either, but may go to one that has
 * more already where new containers have more than m in some: that one loses the container anyway,
 * and a small rack could not be emptied else.
 *
 * <p>Where shards may go, racks are held apart even while it is not judged by them: they are told
 * again, or have room again, some time. Hosts of which nobody told a rack are in none then.
 */
public final class Spread {
  private final List<Candidate> places;
  private final Rule rule;
  private final int m;
  private final boolean racksCount;
  private final Map<String, Integer> byDomain = new HashMap<>();
  private final Map<String, Integer> byRack = new HashMap<>();

  /**
   * What containers of a policy are judged by, as the cluster is made up now.
   *
   * @param racksTold whether racks count, see {@link #of}
   * @param rackLimit most shards that {@link Placement#place} puts in a rack while all is fit; 0:
   *     it cannot place
   */
  public record Rule(ErasurePolicy policy, FailureDomain domain, boolean racksTold, int rackLimit) {
    /**
     * Racks count if there are some, and every disk is in one that was told, but for those that are
     * to be emptied. While some are in none (their hosts are new in the table, or the script
     * failed) they look like one rack, and moving shards for that would be for nothing.
     *
     * @param disks all there are
     */
    public static Rule of(List<Candidate> disks, ErasurePolicy policy, FailureDomain domain) {
      List<Candidate> staying = disks.stream().filter(disk -> !disk.leaving()).toList();
      List<String> racks = staying.stream().map(Candidate::rack).distinct().toList();
      return new Rule(
          policy,
          domain,
          racks.size() > 1 && !racks.contains(RackResolver.DEFAULT_RACK),
          Placement.rackLimit(staying, policy, domain));
    }

    /** Whether a new container has at most m in each rack while all is fit. */
    public boolean racksSuffice() {
      return rackLimit > 0 && rackLimit <= policy.m();
    }
  }

  /**
   * @param places of all shards, by index
   */
  public Spread(List<Candidate> places, Rule rule) {
    this.places = places;
    this.rule = rule;
    this.m = rule.policy.m();
    this.racksCount = rule.racksTold && places.stream().allMatch(Spread::isRackTold);
    for (Candidate place : places) {
      byDomain.merge(rule.domain.of(place), 1, Integer::sum);
      byRack.merge(place.rack(), 1, Integer::sum);
    }
  }

  /** Shards by which the rule is broken, the one that is most in the way first. */
  public List<Integer> inTheWay() {
    return IntStream.range(0, places.size())
        .boxed()
        .filter(shard -> weight(shard) > 0)
        .sorted(Comparator.comparing(this::weight).reversed())
        .toList();
  }

  private int weight(int shard) {
    if (rule.domain == FailureDomain.RACK && !racksCount) {
      return 0;
    }
    int inDomain = inDomainOf(places.get(shard));
    boolean tooManyInRack = racksCount && rule.racksSuffice() && inRackOf(places.get(shard)) > m;
    return (inDomain > m ? 4 : 0) + (tooManyInRack ? 2 : 0) + (inDomain > 1 ? 1 : 0);
  }

  /** To which of some disks a shard that is in the way may be moved. */
  public List<Candidate> apart(int shard, List<Candidate> to) {
    Candidate from = places.get(shard);
    int beside = inDomainOf(from);
    return to.stream()
        .filter(
            disk ->
                inDomainOf(disk) == 0
                    && (beside > m || (addsToRack(from, disk) ? inRackOf(disk) < m : beside > 1)))
        .toList();
  }

  /**
   * To which of some disks a shard may be moved for other reasons: it comes to share no domain, and
   * no more racks to have more than m.
   */
  public List<Candidate> noNearer(int shard, List<Candidate> to) {
    Candidate from = places.get(shard);
    return to.stream()
        .filter(
            disk ->
                (inDomainOf(disk) == 0 || rule.domain.of(disk).equals(rule.domain.of(from)))
                    && (!addsToRack(from, disk) || inRackOf(disk) < m || isLostAnyway(disk)))
        .toList();
  }

  /** Whether a rack comes to have one more. */
  private static boolean addsToRack(Candidate from, Candidate to) {
    return isRackTold(to) && !from.rack().equals(to.rack());
  }

  private static boolean isRackTold(Candidate disk) {
    return !disk.rack().equals(RackResolver.DEFAULT_RACK);
  }

  /** Whether the container does not survive the loss of a disk's rack, nor is to. */
  private boolean isLostAnyway(Candidate disk) {
    return inRackOf(disk) > m && !rule.racksSuffice();
  }

  private int inDomainOf(Candidate disk) {
    return byDomain.getOrDefault(rule.domain.of(disk), 0);
  }

  private int inRackOf(Candidate disk) {
    return byRack.getOrDefault(disk.rack(), 0);
  }
}
