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
package io.stowage.dev.cli;

import io.stowage.common.error.StoreException;
import io.stowage.common.proto.ClusterStatusReply;
import io.stowage.common.proto.DatanodeInfo;
import io.stowage.common.proto.DatanodeState;
import io.stowage.common.proto.DiskInfo;
import io.stowage.common.proto.LifecycleStatusReply;
import io.stowage.common.proto.LifecycleStatusRequest;
import io.stowage.common.proto.ListDatanodesRequest;
import io.stowage.common.proto.PolicyStatus;
import io.stowage.common.proto.RepairStatus;
import io.stowage.dev.cli.Output.Bytes;
import io.stowage.scm.cluster.RackResolver;
import java.time.Duration;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import picocli.CommandLine.Command;

/** {@code stowage status}: is it well, and what may fail before it is not. */
@Command(
    name = "status",
    mixinStandardHelpOptions = true,
    description = "Leader, datanodes, containers in danger, and spare failure domains a policy.")
final class StatusCommand extends ClusterCommand {
  /** That are named; {@code datanode ls} has all. */
  private static final int MOST_DISKS = 20;

  @Override
  void run(Session session, Output output) throws Exception {
    ClusterStatusReply status = session.clusterStatus();
    Map<String, Object> facts = new LinkedHashMap<>();
    facts.put("cluster", status.getClusterId());
    facts.put("leader", status.getLeaderAddress());
    facts.put("leader epoch", status.getLeaderEpoch());
    facts.put("datanodes live", status.getLiveDatanodes());
    facts.put("datanodes dead", status.getDeadDatanodes());
    List<DatanodeInfo> nodes =
        session
            .containerManager()
            .listDatanodes(ListDatanodesRequest.getDefaultInstance())
            .getDatanodesList();
    List<String> noShards = takingNoShards(nodes);
    if (!noShards.isEmpty()) {
      facts.put("disks that take no new shards", noShards.size());
      facts.put("of these", noShards.subList(0, Math.min(MOST_DISKS, noShards.size())));
    }
    List<String> noRack = inNoRack(nodes);
    if (!noRack.isEmpty()) {
      facts.put("hosts in no rack", noRack);
    }
    facts.put("capacity", new Bytes(status.getCapacityBytes()));
    facts.put("used", new Bytes(status.getUsedBytes()));
    facts.put("containers open", status.getOpenContainers());
    facts.put("containers sealed", status.getSealedContainers());
    facts.put("containers endangered", status.getEndangeredContainers());
    facts.put("containers unavailable", status.getUnavailableContainers());
    if (!status.getUnavailableList().isEmpty()) {
      facts.put(
          "unavailable",
          status.getUnavailableList().stream().map(ContainerCommands::idOf).toList());
    }
    facts.put("containers with lost sectors", status.getLossyContainers());
    facts.put("containers misplaced", status.getMisplacedContainers());
    facts.put("containers crowded", status.getCrowdedContainers());
    facts.put("containers being deleted", status.getDeletedContainers());
    facts.put("unknown shards", status.getUnknownShards());
    facts.put("stale shards", status.getStaleShards());
    facts.put("quarantined shards", status.getQuarantinedShards());
    if (status.getUnacceptedShards() > 0) {
      facts.put(
          "waiting for an operator",
          status.getUnacceptedShards()
              + " in quarantine that no container row knows: bring back what they hold"
              + " (stowage fsck --rebuild), or accept that they are deleted (stowage datanode"
              + " quarantine --accept)");
    }
    if (!status.getHeldBack().isEmpty()) {
      facts.put("held back", status.getHeldBack());
    }
    if (status.hasRepair()) {
      facts.put("repair", repair(status.getRepair()));
    }
    if (status.getLeader()) {
      facts.put("repack", RepackCommands.summaryOf(session));
    }
    facts.put("lifecycle", lifecycle(session));
    if (status.hasBalance() && status.getBalance().getRunning()) {
      facts.put("balance", BalanceCommands.factsOf(status.getBalance()));
    }
    List<Map<String, Object>> policies = new ArrayList<>();
    for (PolicyStatus policy : status.getPoliciesList()) {
      Map<String, Object> row = new LinkedHashMap<>();
      row.put("policy", policy.getPolicy());
      row.put("writable", policy.getWritable() ? "yes" : "no");
      row.put("spare domains", policy.getSpareDomains());
      if (!policy.getMissing().isEmpty()) {
        row.put("missing", policy.getMissing());
      }
      policies.add(row);
    }
    facts.put("policies", policies);
    output.facts(facts);
  }

  /** Full, read-only and failed disks of nodes that answer: those of others are gone with them. */
  static List<String> takingNoShards(List<DatanodeInfo> nodes) {
    List<String> found = new ArrayList<>();
    for (DatanodeInfo node : nodes) {
      for (DiskInfo disk : node.getDisksList()) {
        if (node.getState() != DatanodeState.DEAD && (disk.getFailed() || disk.getFull())) {
          String where = node.getHost() + ":" + node.getPort() + " " + disk.getPath();
          String why = disk.getFailure().isEmpty() ? "" : ", " + disk.getFailure();
          found.add(where + ": " + DatanodeCommands.stateOf(disk) + why);
        }
      }
    }
    return found;
  }

  /** Hosts of which nobody told the rack, while that of others was told: they count as one rack. */
  static List<String> inNoRack(List<DatanodeInfo> nodes) {
    List<String> unknown =
        nodes.stream()
            .filter(node -> node.getRack().equals(RackResolver.DEFAULT_RACK))
            .map(DatanodeInfo::getHost)
            .distinct()
            .sorted()
            .toList();
    boolean anyTold =
        nodes.stream().anyMatch(node -> !node.getRack().equals(RackResolver.DEFAULT_RACK));
    return anyTold ? unknown : List.of();
  }

  /** Told by an object manager; the rest is told without one, too. */
  private static Object lifecycle(Session session) {
    LifecycleStatusReply status;
    try {
      status = session.objectManager().lifecycleStatus(LifecycleStatusRequest.getDefaultInstance());
    } catch (StoreException e) {
      return "unknown: " + e.getMessage();
    }
    Map<String, Object> facts = new LinkedHashMap<>();
    facts.put("buckets with rules", status.getBuckets());
    facts.put("regions gone through in this period", status.getRegionsDone());
    facts.put("of", status.getRegions());
    facts.put("regions at work", status.getRegionsAtWork());
    facts.put("passed over, see logs", status.getPassedOver());
    facts.put(
        "longest wait since",
        status.getOldestDoneMicros() == 0 ? "" : timeOf(status.getOldestDoneMicros()));
    facts.put("period", Duration.ofNanos(status.getPeriodMicros() * 1_000).toString());
    return facts;
  }

  private static Map<String, Object> repair(RepairStatus repair) {
    Map<String, Object> facts = new LinkedHashMap<>();
    List<String> endangered = new ArrayList<>();
    for (int i = 0; i < repair.getEndangeredCount(); i++) {
      if (repair.getEndangered(i) > 0) {
        endangered.add(repair.getEndangered(i) + " can lose " + i + " more");
      }
    }
    facts.put("endangered", endangered.isEmpty() ? "none" : String.join("; ", endangered));
    facts.put("containers left", repair.getContainersLeft());
    facts.put("shards left", repair.getShardsLeft());
    facts.put("bytes left", new Bytes(repair.getBytesLeft()));
    facts.put("in flight", repair.getInFlight());
    facts.put("bytes per second", new Bytes(repair.getBytesPerSecond()));
    facts.put(
        "time left",
        repair.getSecondsLeft() == 0 ? "" : Duration.ofSeconds(repair.getSecondsLeft()).toString());
    facts.put("containers done", repair.getContainersDone());
    facts.put("shards done", repair.getShardsDone());
    facts.put("bytes done", new Bytes(repair.getBytesDone()));
    facts.put("failed attempts", repair.getShardsFailed());
    facts.put("lost sectors", repair.getLostSectors());
    if (!repair.getWaitingFor().isEmpty()) {
      facts.put("waiting for", repair.getWaitingFor());
    }
    return facts;
  }
}
