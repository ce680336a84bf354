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

import io.stowage.common.conf.Keys;
import io.stowage.common.conf.StowageConfig;
import io.stowage.common.error.StoreException;
import io.stowage.scm.cluster.FailureDomains;
import io.stowage.scm.container.Leases;
import io.stowage.scm.container.Repacks;
import io.stowage.scm.container.Term;
import java.time.Duration;
import java.util.Set;

/**
 * Settings of a storage container manager. Immutable.
 *
 * @param bind host:port of its RPC server; port 0 takes a free one
 * @param zooKeeperQuorum host:port,…
 * @param zooKeeperRoot node below which Stowage keeps its own
 * @param sessionTimeout a leader not heard for as long is replaced
 * @param hbaseNamespace of the container table
 * @param defaultPolicy name of the policy whose health is always told
 * @param containerCapacity address space of a new container's shards
 * @param failureDomains no two shards of a container share one
 * @param heartbeatInterval of datanodes
 * @param deadInterval a datanode silent for as long is dead
 * @param leaseDuration from grant or renewal to expiry
 * @param commitWindow how long after its grant a lease's manifests may be committed
 * @param clockBound how far clocks of two SCMs may be apart
 * @param openTime a container open for longer is sealed
 * @param repackClaim a repacker not heard for as long loses its container
 * @param repackWaste percent more than needed, from which a container is repacked
 * @param repackKeep how long an emptied container's shards are kept
 * @param repairPerDisk shards that one disk is written at once for repair
 */
public record ScmConfig(
    String bind,
    String zooKeeperQuorum,
    String zooKeeperRoot,
    Duration sessionTimeout,
    String hbaseNamespace,
    String defaultPolicy,
    long containerCapacity,
    FailureDomains failureDomains,
    Duration heartbeatInterval,
    Duration deadInterval,
    Duration leaseDuration,
    Duration commitWindow,
    Duration clockBound,
    Duration openTime,
    Duration repackClaim,
    int repackWaste,
    Duration repackKeep,
    int repairPerDisk) {

  public static ScmConfig from(StowageConfig config) throws StoreException {
    return new ScmConfig(
        config.get(Keys.SCM_BIND),
        config.get(Keys.ZOOKEEPER_QUORUM),
        config.get(Keys.ZOOKEEPER_ROOT),
        config.get(Keys.ZOOKEEPER_SESSION_TIMEOUT),
        config.get(Keys.HBASE_NAMESPACE),
        config.get(Keys.DEFAULT_POLICY),
        config.get(Keys.CONTAINER_CAPACITY),
        FailureDomains.parse(config.get(Keys.FAILURE_DOMAIN)),
        config.get(Keys.HEARTBEAT_INTERVAL),
        config.get(Keys.DEAD_INTERVAL),
        config.get(Keys.LEASE_DURATION),
        config.get(Keys.COMMIT_WINDOW),
        config.get(Keys.CLOCK_BOUND),
        config.get(Keys.OPEN_TIME),
        config.get(Keys.REPACK_CLAIM),
        config.get(Keys.REPACK_WASTE),
        config.get(Keys.REPACK_KEEP),
        config.get(Keys.REPAIR_PER_DISK));
  }

  /** A disk with less free gets no new shard: enough that a container gets somewhere on it. */
  long minFreeBytes() {
    return Math.min(containerCapacity / 8, 128L << 20);
  }

  /** Time between two looks at leases and nodes. */
  Duration tickInterval() {
    long millis = Math.min(heartbeatInterval.toMillis() / 2, deadInterval.toMillis() / 10);
    return Duration.ofMillis(Math.max(20, Math.min(500, millis)));
  }

  /** What a term of leadership needs to know. */
  Term.Settings termSettings() {
    return new Term.Settings(
        new Leases.Settings(
            containerCapacity,
            leaseDuration,
            commitWindow,
            heartbeatInterval.multipliedBy(3),
            deadInterval,
            openTime),
        new Repacks.Settings(commitWindow, clockBound, repackClaim, repackWaste),
        repairPerDisk,
        repackKeep,
        Set.of(defaultPolicy));
  }
}
