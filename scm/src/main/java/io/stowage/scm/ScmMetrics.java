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

import io.stowage.common.error.StoreException;
import io.stowage.common.metrics.MetricSystem;
import io.stowage.common.proto.ClusterStatusReply;
import io.stowage.common.proto.ClusterStatusRequest;
import io.stowage.common.proto.DatanodeInfo;
import io.stowage.common.proto.DatanodeState;
import io.stowage.common.proto.DiskInfo;
import io.stowage.common.proto.ListDatanodesRequest;
import io.stowage.common.proto.PolicyStatus;
import io.stowage.common.proto.RepackStatusReply;
import io.stowage.common.proto.RepackStatusRequest;
import io.stowage.common.proto.RepairStatus;
import java.util.List;
import java.util.Locale;

/**
 * What an SCM tells in metrics: what {@code stowage status} asks it for. Each SCM tells how the
 * cluster looks to it; what is done about it, the leader alone. Stateless.
 */
final class ScmMetrics implements MetricSystem.Source {
  private final StorageContainerManager manager;

  ScmMetrics(StorageContainerManager manager) {
    this.manager = manager;
  }

  @Override
  public void addTo(MetricSystem.Records records) {
    ClusterStatusReply status = manager.clusterStatus(ClusterStatusRequest.getDefaultInstance());
    MetricSystem.Group record =
        records
            .add("Scm")
            .gauge("Leader", "1: this SCM leads", status.getLeader() ? 1 : 0)
            .gauge("LeaderEpoch", "Highest leader epoch that is known", status.getLeaderEpoch())
            .gauge("CapacityBytes", "Of all disks", status.getCapacityBytes())
            .gauge("UsedBytes", "By shards, of all disks", status.getUsedBytes())
            .gauge(
                "EndangeredContainers",
                "Containers with at least one shard missing, none of whose data is lost",
                status.getEndangeredContainers())
            .gauge(
                "UnavailableContainers",
                "Containers that lack more shards than can be decoded",
                status.getUnavailableContainers())
            .gauge(
                "LossyContainers",
                "Containers with sectors that a rebuild found nowhere",
                status.getLossyContainers())
            .gauge(
                "MisplacedContainers",
                "Containers with shards too near to one another, of which one has a better place",
                status.getMisplacedContainers())
            .gauge(
                "CrowdedContainers",
                "The same, of which no shard has a better place",
                status.getCrowdedContainers())
            .gauge(
                "UnknownShards",
                "Shards on disks that no container row names",
                status.getUnknownShards())
            .gauge("StaleShards", "Replaced copies of shards", status.getStaleShards())
            .gauge(
                "QuarantinedShards",
                "Unknown shards that were put aside",
                status.getQuarantinedShards());
    if (status.getLeader()) {
      addRepair(record, status);
      addRepack(record);
    }
    List<DatanodeInfo> datanodes =
        manager.listDatanodes(ListDatanodesRequest.getDefaultInstance()).getDatanodesList();
    for (DatanodeState state : DatanodeState.values()) {
      if (state != DatanodeState.UNRECOGNIZED) {
        addDatanodes(records, state, datanodes);
      }
    }
    addContainers(records, "open", status.getOpenContainers());
    addContainers(records, "sealed", status.getSealedContainers());
    addContainers(records, "deleted", status.getDeletedContainers());
    for (PolicyStatus policy : status.getPoliciesList()) {
      records
          .add("ScmPolicy")
          .label("policy", policy.getPolicy())
          .gauge("Writable", "1: there are enough failure domains", policy.getWritable() ? 1 : 0)
          .gauge(
              "SpareDomains",
              "Failure domains beyond those that it needs; below 0: too few",
              policy.getSpareDomains());
    }
  }

  private static void addRepair(MetricSystem.Group record, ClusterStatusReply status) {
    RepairStatus repair = status.getRepair();
    record
        .gauge(
            "HeldBack",
            "1: nothing is deleted or put aside, for the reason that stowage status tells",
            status.getHeldBack().isEmpty() ? 0 : 1)
        .gauge(
            "UnacceptedShards",
            "Shards in quarantine that stay there until an operator accepts that they are deleted",
            status.getUnacceptedShards())
        .gauge("RepairShardsLeft", "Shards to be rebuilt or moved", repair.getShardsLeft())
        .gauge("RepairBytesLeft", "Bytes of those", repair.getBytesLeft())
        .gauge("RepairsInFlight", "Rebuilds that datanodes were ordered", repair.getInFlight())
        .gauge(
            "RepairWaits", "1: what is left cannot begin", repair.getWaitingFor().isEmpty() ? 0 : 1)
        .counter("RepairedShards", "Rebuilt or moved by this leader", repair.getShardsDone())
        .counter("RepairFailures", "Attempts of this leader that failed", repair.getShardsFailed())
        .counter(
            "RepairLostSectors",
            "Sectors that no source had, in shards rebuilt by this leader",
            repair.getLostSectors());
  }

  private void addRepack(MetricSystem.Group record) {
    RepackStatusReply repack;
    try {
      repack = manager.repackStatus(RepackStatusRequest.getDefaultInstance());
    } catch (StoreException e) {
      return; // it leads no longer
    }
    record
        .gauge("RepackToSurvey", "Sealed containers not yet looked into", repack.getToSurvey())
        .gauge("RepackToEmpty", "Containers worth emptying", repack.getToEmpty())
        .gauge("RepackUnreadable", "Emptied as far as they can be read", repack.getUnreadable())
        .gauge("RepackClaims", "Containers that repackers work on", repack.getClaimsCount())
        .counter("SurveyedContainers", "Under this leader", repack.getSurveyed())
        .counter("EmptiedContainers", "Under this leader", repack.getEmptied())
        .counter("RepackMovedBytes", "Written again, under this leader", repack.getBytesMoved())
        .counter(
            "RepackFreedBytes",
            "Of shards, under this leader, when the keep time is over",
            repack.getBytesFreed());
  }

  private static void addDatanodes(
      MetricSystem.Records records, DatanodeState state, List<DatanodeInfo> datanodes) {
    List<DatanodeInfo> those = datanodes.stream().filter(node -> node.getState() == state).toList();
    records
        .add("Scm")
        .label("state", state.name().toLowerCase(Locale.ROOT))
        .gauge("Datanodes", "Datanodes that ever registered", those.size())
        .gauge(
            "FailedDisks",
            "Disks that failed, of those",
            those.stream()
                .flatMap(node -> node.getDisksList().stream())
                .filter(DiskInfo::getFailed)
                .count());
  }

  private static void addContainers(MetricSystem.Records records, String state, long count) {
    records.add("Scm").label("state", state).gauge("Containers", "Container rows", count);
  }
}
