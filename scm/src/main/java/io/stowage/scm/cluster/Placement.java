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
import io.stowage.common.error.ErrorCode;
import io.stowage.common.error.StoreException;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.random.RandomGenerator;
import java.util.stream.Collectors;

/**
 * Picks the disks of a new container, and the new place of one of its shards. A pure function of
 * its arguments.
 *
 * <ul>
 *   <li>No two shards in one failure domain.
 *   <li>At most m shards in one rack, so that a lost rack is survived; where the racks are too few
 *       or too small for that, the least number that works.
 *   <li>Domains to be avoided are used only where there are not enough others.
 *   <li>Free-space weighted power of two choices: two domains are drawn with a probability that is
 *       proportional to their free bytes, and the one with the larger free share wins. Drawing by
 *       free bytes fills disks of different size at the same pace; taking the better of two lets a
 *       new disk fill up without getting every new container.
 * </ul>
 */
public final class Placement {
  /** How many unfit disks an error message names. */
  private static final int NAMED_CAUSES = 6;

  private Placement() {}

  /**
   * Disks for shards 0 to k+m-1.
   *
   * @param avoid node ids that the caller has trouble with
   * @throws StoreException NOT_ENOUGH_NODES, whose message names what is missing
   */
  public static List<Candidate> place(
      List<Candidate> disks,
      ErasurePolicy policy,
      FailureDomain domain,
      Set<String> avoid,
      RandomGenerator random)
      throws StoreException {
    List<Domain> fit = fitDomains(disks, domain, avoid);
    int rackLimit = rackLimitOf(fit, policy, domain);
    if (rackLimit == 0) {
      throw new StoreException(
          ErrorCode.NOT_ENOUGH_NODES,
          "Cannot place a container: " + missing(disks, policy, domain));
    }
    List<Candidate> chosen = new ArrayList<>(policy.shards());
    Map<String, Integer> byRack = new HashMap<>();
    for (boolean avoided : new boolean[] {false, true}) {
      List<Domain> open =
          fit.stream()
              .filter(d -> d.avoided == avoided)
              .collect(Collectors.toCollection(ArrayList::new));
      while (chosen.size() < policy.shards()) {
        open.removeIf(d -> byRack.getOrDefault(d.rack, 0) >= rackLimit);
        if (open.isEmpty()) {
          break;
        }
        Domain next = better(draw(open, random), draw(open, random));
        open.remove(next);
        byRack.merge(next.rack, 1, Integer::sum);
        chosen.add(next.draw(random));
      }
    }
    return chosen;
  }

  /**
   * A disk for one shard beside others that stay where they are; null if there is none. The rules
   * are the same: no domain twice, a rack only where it has fewest of them if it has m already.
   *
   * @param fit disks to choose from, all fit
   * @param others where the container's other shards are, as far as that is known
   */
  public static Candidate placeOne(
      List<Candidate> fit,
      List<Candidate> others,
      ErasurePolicy policy,
      FailureDomain domain,
      RandomGenerator random) {
    Set<String> taken = others.stream().map(domain::of).collect(Collectors.toSet());
    Map<String, Integer> byRack = new HashMap<>();
    others.forEach(other -> byRack.merge(other.rack(), 1, Integer::sum));
    List<Domain> open = fitDomains(fit, domain, Set.of());
    open.removeIf(candidate -> taken.contains(domain.of(candidate.disks.get(0))));
    if (open.isEmpty()) {
      return null;
    }
    int fewest = open.stream().mapToInt(d -> byRack.getOrDefault(d.rack, 0)).min().orElseThrow();
    int limit = Math.max(policy.m() - 1, fewest);
    open.removeIf(d -> byRack.getOrDefault(d.rack, 0) > limit);
    return better(draw(open, random), draw(open, random)).draw(random);
  }

  /** Most shards that {@link #place} puts in one rack if all disks are fit; 0: it cannot place. */
  static int rackLimit(List<Candidate> disks, ErasurePolicy policy, FailureDomain domain) {
    return rackLimitOf(domains(disks, domain, Set.of()), policy, domain);
  }

  /** Fit domains beyond k+m; negative: how many are missing. */
  public static int spareDomains(
      List<Candidate> disks, ErasurePolicy policy, FailureDomain domain) {
    return fitDomains(disks, domain, Set.of()).size() - policy.shards();
  }

  /** What a policy needs, what there is, and what is wrong with the rest. */
  public static String missing(List<Candidate> disks, ErasurePolicy policy, FailureDomain domain) {
    int fit = fitDomains(disks, domain, Set.of()).size();
    List<String> causes =
        disks.stream().filter(d -> !d.isFit()).map(Candidate::unfit).distinct().sorted().toList();
    StringBuilder text =
        new StringBuilder()
            .append(policy)
            .append(" needs ")
            .append(policy.shards())
            .append(" failure domains (")
            .append(domain)
            .append("), ")
            .append(fit)
            .append(fit == 1 ? " is fit" : " are fit");
    if (causes.isEmpty()) {
      text.append(": add ").append(domain).append(policy.shards() - fit == 1 ? "" : "s");
    } else {
      text.append(": missing ")
          .append(causes.stream().limit(NAMED_CAUSES).collect(Collectors.joining("; ")));
      if (causes.size() > NAMED_CAUSES) {
        text.append("; and ").append(causes.size() - NAMED_CAUSES).append(" more");
      }
    }
    return text.toString();
  }

  /**
   * The least number of shards a rack, m if possible, with which all shards find a place; 0: none.
   */
  private static int rackLimitOf(List<Domain> fit, ErasurePolicy policy, FailureDomain domain) {
    if (fit.size() < policy.shards()) {
      return 0;
    }
    if (domain == FailureDomain.RACK) {
      return 1;
    }
    Map<String, Integer> domainsByRack = new HashMap<>();
    fit.forEach(d -> domainsByRack.merge(d.rack, 1, Integer::sum));
    for (int limit = policy.m(); ; limit++) {
      int places = 0;
      for (int domains : domainsByRack.values()) {
        places += Math.min(domains, limit);
      }
      if (places >= policy.shards()) {
        return limit;
      }
    }
  }

  private static List<Domain> fitDomains(
      List<Candidate> disks, FailureDomain domain, Set<String> avoid) {
    return domains(disks.stream().filter(Candidate::isFit).toList(), domain, avoid);
  }

  private static List<Domain> domains(
      List<Candidate> disks, FailureDomain domain, Set<String> avoid) {
    // Sorted, so that equal clusters and equal seeds give equal places.
    Map<String, List<Candidate>> wanted = new TreeMap<>();
    Map<String, List<Candidate>> avoided = new TreeMap<>();
    for (Candidate disk : disks) {
      (avoid.contains(disk.nodeId()) ? avoided : wanted)
          .computeIfAbsent(domain.of(disk), key -> new ArrayList<>())
          .add(disk);
    }
    Map<String, Domain> all = new LinkedHashMap<>();
    wanted.forEach((key, members) -> all.put(key, new Domain(members, false)));
    avoided.forEach((key, members) -> all.putIfAbsent(key, new Domain(members, true)));
    return new ArrayList<>(all.values());
  }

  private static Domain draw(List<Domain> from, RandomGenerator random) {
    double total = 0;
    for (Domain domain : from) {
      total += domain.freeBytes;
    }
    double at = random.nextDouble() * total;
    for (Domain domain : from) {
      at -= domain.freeBytes;
      if (at < 0) {
        return domain;
      }
    }
    return from.get(from.size() - 1);
  }

  private static Domain better(Domain a, Domain b) {
    return b.freeShare() > a.freeShare() ? b : a;
  }

  /** A failure domain with its disks, all avoided or none. */
  private static final class Domain {
    private final List<Candidate> disks;
    private final boolean avoided;
    private final String rack;
    private final double freeBytes;
    private final double capacityBytes;

    Domain(List<Candidate> disks, boolean avoided) {
      this.disks = disks;
      this.avoided = avoided;
      this.rack = disks.get(0).rack();
      this.freeBytes = disks.stream().mapToDouble(d -> Math.max(1, d.freeBytes())).sum();
      this.capacityBytes = disks.stream().mapToDouble(d -> Math.max(1, d.capacityBytes())).sum();
    }

    double freeShare() {
      return freeBytes / capacityBytes;
    }

    /** One of the disks, by the same two choices. */
    Candidate draw(RandomGenerator random) {
      List<Domain> single = disks.stream().map(d -> new Domain(List.of(d), avoided)).toList();
      return better(Placement.draw(single, random), Placement.draw(single, random)).disks.get(0);
    }
  }
}
