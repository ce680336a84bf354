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
package io.stowage.scm;

import io.stowage.common.erasure.ErasurePolicy;
import io.stowage.common.proto.ClusterStatusReply;
import io.stowage.common.proto.ContainerState;
import io.stowage.common.proto.DatanodeInfo;
import io.stowage.common.proto.DatanodeState;
import io.stowage.common.proto.DiskInfo;
import io.stowage.common.proto.PolicyStatus;
import io.stowage.scm.cluster.Candidate;
import io.stowage.scm.cluster.ClusterMap;
import io.stowage.scm.cluster.Placement;
import io.stowage.scm.container.ContainerMap;
import io.stowage.scm.container.Inspection;
import io.stowage.scm.container.Inspector;
import io.stowage.scm.container.PlaceCheck;
import io.stowage.scm.container.ShardInventory;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;

/** How the cluster is, as any SCM sees it; the leader adds what it does about it. Thread-safe. */
final class StatusReport {
  private final ContainerMap map;
  private final ShardInventory shards;
  private final ClusterMap cluster;
  private final Inspector inspector;
  private final String defaultPolicy;

  StatusReport(
      ContainerMap map,
      ShardInventory shards,
      ClusterMap cluster,
      Inspector inspector,
      String defaultPolicy) {
    this.map = map;
    this.shards = shards;
    this.cluster = cluster;
    this.inspector = inspector;
    this.defaultPolicy = defaultPolicy;
  }

  void addTo(ClusterStatusReply.Builder reply) {
    Inspection whole = inspector.latest();
    PlaceCheck places = inspector.places();
    reply
        .setOpenContainers(map.count(ContainerState.OPEN))
        .setSealedContainers(map.count(ContainerState.SEALED) + map.count(ContainerState.REPACKING))
        .setDeletedContainers(map.count(ContainerState.DELETED))
        .setEndangeredContainers(whole.endangered())
        .setUnavailableContainers(whole.unavailable())
        .addAllUnavailable(whole.unavailableIds())
        .setLossyContainers(whole.lossy())
        .setMisplacedContainers(places.misplacedCount())
        .setCrowdedContainers(places.crowdedCount())
        .setUnknownShards(shards.unknownCount())
        .setStaleShards(shards.staleCount())
        .setQuarantinedShards(shards.quarantinedCount());
    addNodes(reply);
    List<Candidate> disks = cluster.candidates();
    Set<String> policies = new TreeSet<>(map.policies());
    policies.add(defaultPolicy);
    for (ErasurePolicy policy : ErasurePolicy.ALL) {
      if (policies.contains(policy.name())) {
        reply.addPolicies(statusOf(policy, disks));
      }
    }
  }

  /** All nodes, and how many shards those that are to be emptied still have. */
  List<DatanodeInfo> nodes() {
    List<DatanodeInfo> nodes = cluster.list();
    if (cluster.leaving().isEmpty()) {
      return nodes;
    }
    Inspection found = inspector.latest();
    return nodes.stream()
        .map(node -> node.toBuilder().setShardsToMove(found.namedOn(node.getNodeId())).build())
        .toList();
  }

  private void addNodes(ClusterStatusReply.Builder reply) {
    long capacity = 0;
    long used = 0;
    int dead = 0;
    List<DatanodeInfo> nodes = cluster.list();
    for (DatanodeInfo node : nodes) {
      dead += node.getState() == DatanodeState.DEAD ? 1 : 0;
      for (DiskInfo disk : node.getDisksList()) {
        capacity += disk.getCapacityBytes();
        used += disk.getUsedBytes();
      }
    }
    reply
        .setLiveDatanodes(nodes.size() - dead)
        .setDeadDatanodes(dead)
        .setCapacityBytes(capacity)
        .setUsedBytes(used);
  }

  private PolicyStatus statusOf(ErasurePolicy policy, List<Candidate> disks) {
    int spare = Placement.spareDomains(disks, policy, cluster.domainOf(policy));
    PolicyStatus.Builder status =
        PolicyStatus.newBuilder()
            .setPolicy(policy.name())
            .setWritable(spare >= 0)
            .setSpareDomains(spare);
    if (spare < 0) {
      status.setMissing(Placement.missing(disks, policy, cluster.domainOf(policy)));
    }
    return status.build();
  }
}
