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
package io.stowage.datanode;

import io.stowage.common.conf.Keys;
import io.stowage.common.conf.StowageConfig;
import io.stowage.common.data.DatanodeDirectory;
import io.stowage.common.data.NetworkDatanodes;
import io.stowage.common.data.ShardService;
import io.stowage.common.error.StoreException;
import io.stowage.common.lifecycle.Lifecycle;
import io.stowage.common.metrics.HealthCheck;
import io.stowage.common.metrics.MetricSystem;
import io.stowage.common.metrics.RoleHealth;
import io.stowage.common.proto.DiskInfo;
import io.stowage.common.scm.DatanodeReports;
import io.stowage.common.time.StoreClock;
import io.stowage.datanode.disk.DiskFiles;
import io.stowage.datanode.disk.LocalDiskFiles;
import io.stowage.datanode.net.DataServer;
import io.stowage.datanode.repair.Rebuilds;
import io.stowage.datanode.report.Heartbeats;
import io.stowage.datanode.report.Orders;
import io.stowage.datanode.scrub.Scrubber;
import io.stowage.datanode.store.ShardStore;
import java.util.List;
import java.util.Map;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * A running datanode: its disks, its data server, its repair, its heartbeats. Owns all of them.
 * Thread-safe.
 */
public final class DatanodeServer implements AutoCloseable, HealthCheck {
  private static final Logger LOG = LoggerFactory.getLogger(DatanodeServer.class);

  private final Lifecycle lifecycle = new Lifecycle("datanode");
  private final ShardStore store;
  private final DataServer server;
  private final DatanodeDirectory datanodes;
  private final Rebuilds rebuilds;
  private final Orders orders;
  private final Scrubber scrubber;
  private final Heartbeats heartbeats;
  private final MetricSystem.Registration metrics;

  private DatanodeServer(
      ShardStore store,
      DataServer server,
      List<DatanodeReports> scms,
      DatanodeConfig config,
      TokenSecurity security,
      StoreClock clock) {
    this.store = store;
    this.server = server;
    this.datanodes = security.signing(new NetworkDatanodes(config.peers()));
    this.rebuilds = new Rebuilds(store, datanodes, config.repair(), clock);
    this.orders = new Orders(store, rebuilds, clock);
    this.scrubber = new Scrubber(store, config.scrub(), clock);
    this.heartbeats =
        new Heartbeats(
            scms,
            store,
            orders,
            security.keys(),
            config.advertisedHost(),
            server.port(),
            config.heartbeatInterval(),
            clock);
    this.metrics = MetricSystem.register("Datanode", new DatanodeMetrics(store));
    lifecycle.moveTo(Lifecycle.State.RUNNING);
  }

  /**
   * Starts a datanode on this machine's disks. Serves as soon as it returns; registers with the
   * SCMs by itself, as soon as they answer.
   *
   * @throws StoreException if a disk belongs elsewhere, is of a later format or in use, or the
   *     address is taken
   */
  public static DatanodeServer start(
      StowageConfig config, List<DatanodeReports> scms, StoreClock clock) throws StoreException {
    return start(DatanodeConfig.from(config), scms, clock, LocalDiskFiles.INSTANCE);
  }

  /** The same on other disks, such as simulated ones. */
  public static DatanodeServer start(
      DatanodeConfig config, List<DatanodeReports> scms, StoreClock clock, DiskFiles files)
      throws StoreException {
    TokenSecurity security = new TokenSecurity(config.secure(), clock);
    if (config.secure() && config.tls().takesPlain()) {
      LOG.warn(
          "Objects and tokens go over the network as they are: {} is not \"only\"",
          Keys.TLS_MODE.name());
    }
    ShardStore store = ShardStore.open(config.disks(), files, config.store(), clock);
    DataServer server;
    try {
      server =
          DataServer.start(
              config.bindAddress(),
              config.tls(),
              new DataServer.Served(
                  security.checking(store),
                  config.tls().wantsCertificatesOfServices()
                      ? security.checkingUsers(store)
                      : security.checking(store)),
              config.store().writeMemoryBytes() / 2);
    } catch (StoreException e) {
      store.close();
      throw e;
    }
    DatanodeServer running = new DatanodeServer(store, server, scms, config, security, clock);
    LOG.info(
        "Datanode {} serves {} disks on {}:{}",
        running.nodeId(),
        config.disks().size(),
        config.bindHost(),
        running.port());
    return running;
  }

  /** The data plane, for callers in this process: no socket, no copy, and no tokens. */
  public ShardService shardService() {
    return store;
  }

  public String nodeId() {
    return store.nodeId();
  }

  /** Port of the data plane's server. */
  public int port() {
    return server.port();
  }

  /** Empty until the node has joined a cluster. */
  public String clusterId() {
    return store.clusterId();
  }

  /** Ready while an SCM knows of it and one of its disks works. */
  @Override
  public RoleHealth health() {
    List<DiskInfo> disks = store.diskInfos();
    int serving = (int) disks.stream().filter(disk -> !disk.getFailed()).count();
    int answering = heartbeats.answering();
    String state = "serving";
    if (!lifecycle.isRunning()) {
      state = "stopping";
    } else if (answering == 0) {
      state = "not registered";
    } else if (serving == 0) {
      state = "no disk works";
    }
    return new RoleHealth(
        "datanode",
        state.equals("serving"),
        state,
        Map.of(
            "disks",
            disks.size(),
            "disks_serving",
            serving,
            "scms",
            heartbeats.scms(),
            "scms_answering",
            answering));
  }

  /** Heartbeats and repair end first, then requests are finished, then the disks are closed. */
  @Override
  public void close() {
    if (!lifecycle.beginStop()) {
      return;
    }
    metrics.close();
    heartbeats.close();
    orders.close();
    scrubber.close();
    rebuilds.close();
    datanodes.close();
    server.close();
    store.close();
    lifecycle.moveTo(Lifecycle.State.STOPPED);
  }
}
