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
import io.stowage.common.error.ErrorCode;
import io.stowage.common.error.StoreException;
import io.stowage.common.proto.ContainerState;
import io.stowage.common.proto.DatanodeInfo;
import io.stowage.common.proto.DatanodeMode;
import io.stowage.common.proto.DiskInfo;
import io.stowage.common.proto.NodeMode;
import io.stowage.common.proto.OperatorWord;
import io.stowage.common.proto.SetDatanodeModeReply;
import io.stowage.common.proto.SetDatanodeModeRequest;
import io.stowage.common.time.StoreClock;
import io.stowage.scm.cluster.Candidate;
import io.stowage.scm.cluster.ClusterMap;
import io.stowage.scm.cluster.Placement;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Decommissions nodes and lets them be away, in one term of leadership. Thread-safe.
 *
 * <p>DECOMMISSIONING → DECOMMISSIONED when an inspection finds no row that names the node. A row
 * that was placed there by a leader which had not heard of it yet is found by a later one, and
 * moved as well: the two modes differ only in what they tell an operator.
 */
final class NodeModes {
  private static final Logger LOG = LoggerFactory.getLogger(NodeModes.class);
  private static final int MOST_NAMED = 5; // containers in a refusal

  private final ContainerMap map;
  private final ClusterMap cluster;
  private final ShardInventory shards;
  private final OperatorWords operator;
  private final Set<String> defaultPolicies;
  private final StoreClock clock;

  /**
   * @param defaultPolicies those that must stay writable though no container has them yet
   */
  NodeModes(
      ContainerMap map,
      ClusterMap cluster,
      ShardInventory shards,
      OperatorWords operator,
      Set<String> defaultPolicies,
      StoreClock clock) {
    this.map = map;
    this.cluster = cluster;
    this.shards = shards;
    this.operator = operator;
    this.defaultPolicies = defaultPolicies;
    this.clock = clock;
  }

  /** One at a time: whoever is judged next is judged without those that may go already. */
  synchronized SetDatanodeModeReply set(SetDatanodeModeRequest request) throws StoreException {
    String id = request.getNodeId();
    DatanodeInfo node = find(id);
    List<String> warnings = new ArrayList<>();
    switch (request.getMode()) {
      case DECOMMISSIONING -> checkDecommission(node);
      case MAINTENANCE -> checkMaintenance(node, warnings);
      case IN_SERVICE -> {}
      case DECOMMISSIONED, UNRECOGNIZED ->
          throw new StoreException(
              ErrorCode.INVALID_ARGUMENT,
              "Cannot set datanode " + id + " to " + request.getMode() + ": SCM does that");
    }
    long until =
        request.getMode() == DatanodeMode.MAINTENANCE && request.getDurationMicros() > 0
            ? clock.wallMicros() + request.getDurationMicros()
            : 0;
    write(id, request.getMode(), until);
    LOG.info("Datanode {} is {}: an operator said so", id, request.getMode());
    return SetDatanodeModeReply.newBuilder().setDatanode(find(id)).addAllWarnings(warnings).build();
  }

  private void write(String id, DatanodeMode mode, long untilMicros) throws StoreException {
    OperatorWord unused =
        operator.change(
            word -> {
              OperatorWord.Builder after = word.toBuilder().clearModes();
              word.getModesList().stream()
                  .filter(said -> !said.getNodeId().equals(id))
                  .forEach(after::addModes);
              if (mode != DatanodeMode.IN_SERVICE) {
                after.addModes(
                    NodeMode.newBuilder()
                        .setNodeId(id)
                        .setMode(mode)
                        .setUntilMicros(untilMicros)
                        .setSinceMicros(clock.wallMicros()));
              }
              return after.build();
            });
  }

  private DatanodeInfo find(String id) throws StoreException {
    for (DatanodeInfo node : cluster.list()) {
      if (node.getNodeId().equals(id)) {
        return node;
      }
    }
    throw new StoreException(
        ErrorCode.INVALID_ARGUMENT, "Cannot set the mode of datanode " + id + ": there is none");
  }

  /**
   * Every policy must find its failure domains without the node, and its bytes their room beside
   * those that others have still to be relieved of.
   */
  private void checkDecommission(DatanodeInfo node) throws StoreException {
    List<Candidate> others = without(node.getNodeId());
    for (ErasurePolicy policy : policies()) {
      if (Placement.spareDomains(others, policy, cluster.domainOf(policy)) < 0) {
        throw new StoreException(
            ErrorCode.NOT_ENOUGH_NODES,
            "Cannot decommission datanode "
                + node.getNodeId()
                + ": without it "
                + Placement.missing(others, policy, cluster.domainOf(policy)));
      }
    }
    long used = 0;
    for (DatanodeInfo leaving : cluster.list()) {
      if (leaving.getNodeId().equals(node.getNodeId())
          || leaving.getMode() == DatanodeMode.DECOMMISSIONING) {
        used += leaving.getDisksList().stream().mapToLong(DiskInfo::getUsedBytes).sum();
      }
    }
    long room =
        others.stream()
            .filter(Candidate::isFit)
            .mapToLong(disk -> disk.freeBytes() - cluster.minFreeBytes())
            .sum();
    if (used > room) {
      throw new StoreException(
          ErrorCode.NOT_ENOUGH_NODES,
          "Cannot decommission datanode "
              + node.getNodeId()
              + ": it and those that are being decommissioned have "
              + used
              + " bytes, the others have room for "
              + room);
    }
  }

  private List<ErasurePolicy> policies() {
    List<String> used = map.policies();
    return ErasurePolicy.ALL.stream()
        .filter(policy -> used.contains(policy.name()) || defaultPolicies.contains(policy.name()))
        .toList();
  }

  private List<Candidate> without(String nodeId) {
    return cluster.candidates().stream().filter(disk -> !disk.nodeId().equals(nodeId)).toList();
  }

  /**
   * Every container must keep k+1 shards that can be read: one may fail while it is away. Nodes
   * that may be away already, and are not yet, count as if they were.
   */
  private void checkMaintenance(DatanodeInfo node, List<String> warnings) throws StoreException {
    List<String> endangered = new ArrayList<>();
    long[] count = new long[1];
    PlaceStates places = new PlaceStates(map, cluster);
    Set<String> mayBeAway = new HashSet<>(Set.of(node.getNodeId()));
    for (DatanodeInfo other : cluster.list()) {
      if (other.getMode() == DatanodeMode.MAINTENANCE) {
        mayBeAway.add(other.getNodeId());
      }
    }
    map.forEach(
        (id, packed, reported) -> {
          if (PackedContainer.state(packed) == ContainerState.DELETED
              || shardsOn(packed, Set.of(node.getNodeId())) == 0) {
            return;
          }
          int there = shardsOn(packed, mayBeAway);
          Condition condition =
              Condition.of(
                  id, packed, reported, map, places, shards.damage(), shards.isEndNews(id));
          int unreadable =
              condition.missing()
                  | condition.failing()
                  | condition.damaged()
                  | condition.away()
                  | there;
          int left = condition.shards() - Integer.bitCount(unreadable);
          if (condition.everOpened() && left < condition.dataShards() + 1) {
            count[0]++;
            if (endangered.size() < MOST_NAMED) {
              endangered.add(ContainerRow.nameOf(id) + " (" + left + " left)");
            }
          }
        });
    if (count[0] > 0) {
      throw new StoreException(
          ErrorCode.NOT_ENOUGH_NODES,
          "Cannot let datanode "
              + node.getNodeId()
              + " be away: "
              + count[0]
              + " containers would be left with fewer than k+1 shards: "
              + String.join(", ", endangered)
              + (count[0] > endangered.size() ? ", ..." : ""));
    }
    List<Candidate> others = without(node.getNodeId());
    for (ErasurePolicy policy : policies()) {
      if (Placement.spareDomains(others, policy, cluster.domainOf(policy)) < 0) {
        warnings.add(
            "no new data of "
                + policy
                + " can be written while it is away: "
                + Placement.missing(others, policy, cluster.domainOf(policy)));
      }
    }
  }

  private int shardsOn(byte[] packed, Set<String> nodeIds) {
    int[] mask = new int[1];
    PackedContainer.shards(
        packed,
        (index, disk, generation) -> {
          if (nodeIds.contains(map.disk(disk).nodeId())) {
            mask[0] |= 1 << index;
          }
        });
    return mask[0];
  }

  /** Nodes that are empty by now; not between what an operator says and its being noted. */
  synchronized void look(Inspection found) throws StoreException {
    for (NodeMode said : operator.latest().getModesList()) {
      String id = said.getNodeId();
      if (said.getMode() == DatanodeMode.DECOMMISSIONING
          && found.knew(id)
          && found.namedOn(id) == 0) {
        write(id, DatanodeMode.DECOMMISSIONED, 0);
        LOG.info("Datanode {} is decommissioned: no container has a shard on it", id);
      }
    }
  }
}
