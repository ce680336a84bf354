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
package io.stowage.dev.durability;

import io.stowage.common.erasure.ErasurePolicy;

/**
 * A cluster and what happens to it: everything that the chain and the simulation know. Rates are
 * per year and per piece, and mean that the data there is gone for good, not that it is away.
 * Immutable.
 *
 * @param policy erasure code of all containers
 * @param racks each holds the same nodes
 * @param nodesPerRack each holds the same disks
 * @param disksPerNode disks
 * @param diskFailuresPerYear a disk loses all it holds
 * @param nodeFailuresPerYear a node takes all its disks with it
 * @param rackFailuresPerYear a rack takes all its nodes with it: fire, water, a power surge
 * @param usedBytesPerDisk shard bytes on a disk
 * @param shardBytes of one shard
 * @param repairBytesPerSecond what a disk gives to rebuilding, reads and writes together
 * @param detectionSeconds from the failure until the rebuild of its shards may begin
 * @param latentErrorsPerDiskYear places that turn unreadable on a disk that goes on working
 * @param scrubSeconds every shard is read and verified once in so long
 */
record FailureModel(
    ErasurePolicy policy,
    int racks,
    int nodesPerRack,
    int disksPerNode,
    double diskFailuresPerYear,
    double nodeFailuresPerYear,
    double rackFailuresPerYear,
    double usedBytesPerDisk,
    double shardBytes,
    double repairBytesPerSecond,
    double detectionSeconds,
    double latentErrorsPerDiskYear,
    double scrubSeconds) {
  static final double SECONDS_PER_YEAR = 365.25 * 86_400;

  FailureModel {
    if (racks < 1 || nodesPerRack < 1 || disksPerNode < 1) {
      throw new IllegalArgumentException("Cannot model a cluster without a disk");
    }
    int shards = policy.shards();
    if (racks * nodesPerRack < shards) {
      throw new IllegalArgumentException(
          "Cannot put " + shards + " shards on " + racks * nodesPerRack + " nodes");
    }
  }

  int disks() {
    return racks * nodesPerRack * disksPerNode;
  }

  /** Containers that fill the disks as far as said. */
  double containers() {
    return disks() * usedBytesPerDisk / shardBytes / policy.shards();
  }

  /** Bytes of users' objects in all containers, were they filled by full stripes. */
  double userBytes() {
    return containers() * shardBytes * policy.k();
  }

  /** Most shards of a container in one rack: as even as racks allow. */
  int shardsPerRack() {
    return (policy.shards() + racks - 1) / racks;
  }

  /** Latent errors of one shard a second: those of a disk fall on its shards evenly. */
  double latentErrorsPerShardSecond() {
    return latentErrorsPerDiskYear * shardBytes / usedBytesPerDisk / SECONDS_PER_YEAR;
  }

  /** Nobody rebuilds a shard faster than one disk takes it. */
  double shardWriteSeconds() {
    return shardBytes / repairBytesPerSecond;
  }

  FailureModel withPolicy(ErasurePolicy other) {
    return new FailureModel(
        other,
        racks,
        nodesPerRack,
        disksPerNode,
        diskFailuresPerYear,
        nodeFailuresPerYear,
        rackFailuresPerYear,
        usedBytesPerDisk,
        shardBytes,
        repairBytesPerSecond,
        detectionSeconds,
        latentErrorsPerDiskYear,
        scrubSeconds);
  }

  /** Failures a year of disks, nodes and racks. */
  FailureModel withFailures(double disk, double node, double rack) {
    return new FailureModel(
        policy,
        racks,
        nodesPerRack,
        disksPerNode,
        disk,
        node,
        rack,
        usedBytesPerDisk,
        shardBytes,
        repairBytesPerSecond,
        detectionSeconds,
        latentErrorsPerDiskYear,
        scrubSeconds);
  }

  FailureModel withRepair(double bytesPerSecond, double detection) {
    return new FailureModel(
        policy,
        racks,
        nodesPerRack,
        disksPerNode,
        diskFailuresPerYear,
        nodeFailuresPerYear,
        rackFailuresPerYear,
        usedBytesPerDisk,
        shardBytes,
        bytesPerSecond,
        detection,
        latentErrorsPerDiskYear,
        scrubSeconds);
  }

  FailureModel withLatentErrors(double perDiskYear, double scrub) {
    return new FailureModel(
        policy,
        racks,
        nodesPerRack,
        disksPerNode,
        diskFailuresPerYear,
        nodeFailuresPerYear,
        rackFailuresPerYear,
        usedBytesPerDisk,
        shardBytes,
        repairBytesPerSecond,
        detectionSeconds,
        perDiskYear,
        scrub);
  }
}
