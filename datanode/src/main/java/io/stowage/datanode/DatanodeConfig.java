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

import io.stowage.common.conf.Exposure;
import io.stowage.common.conf.Keys;
import io.stowage.common.conf.StowageConfig;
import io.stowage.common.error.ErrorCode;
import io.stowage.common.error.StoreException;
import io.stowage.common.tls.ClientTls;
import io.stowage.common.tls.ServerTls;
import io.stowage.datanode.repair.RepairSettings;
import io.stowage.datanode.scrub.ScrubSettings;
import io.stowage.datanode.store.StoreSettings;
import java.net.InetSocketAddress;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;

/**
 * Settings of a datanode. Immutable.
 *
 * @param bindHost address of the data plane's server
 * @param bindPort 0: any free one
 * @param advertisedHost what clients are told to connect to
 * @param disks directories, one a disk
 * @param store how disks are treated
 * @param repair how much is rebuilt at once
 * @param scrub how fast shards are read over
 * @param heartbeatInterval time between two heartbeats to one SCM
 * @param secure whether requests need tokens
 * @param tls how connections to this node are encrypted
 * @param peers how connections to others are
 */
public record DatanodeConfig(
    String bindHost,
    int bindPort,
    String advertisedHost,
    List<Path> disks,
    StoreSettings store,
    RepairSettings repair,
    ScrubSettings scrub,
    Duration heartbeatInterval,
    boolean secure,
    ServerTls tls,
    ClientTls peers) {

  public DatanodeConfig {
    disks = List.copyOf(disks);
    if (disks.isEmpty()) {
      throw new IllegalArgumentException("a datanode without disks");
    }
  }

  /** Reads and checks the settings. */
  public static DatanodeConfig from(StowageConfig config) throws StoreException {
    Exposure.check(config);
    String bind = config.get(Keys.DATANODE_BIND);
    int colon = bind.lastIndexOf(':');
    int port = -1;
    try {
      port = colon < 1 ? -1 : Integer.parseInt(bind.substring(colon + 1));
    } catch (NumberFormatException e) {
      // told below
    }
    if (port < 0 || port > 65_535) {
      throw refused(Keys.DATANODE_BIND.name(), bind, "host:port");
    }
    String host = bind.substring(0, colon);
    String advertised = config.get(Keys.DATANODE_HOST);
    List<String> disks = config.get(Keys.DATANODE_DISKS);
    if (disks.isEmpty()) {
      throw refused(Keys.DATANODE_DISKS.name(), "", "at least one directory");
    }
    String durability = config.get(Keys.DATANODE_DURABILITY);
    boolean forces =
        switch (durability) {
          case "sync" -> true;
          case "os" -> false;
          default -> throw refused(Keys.DATANODE_DURABILITY.name(), durability, "sync or os");
        };
    return new DatanodeConfig(
        host,
        port,
        advertised.isEmpty() ? host : advertised,
        disks.stream().map(Path::of).toList(),
        new StoreSettings(
            config.get(Keys.DATANODE_RESERVED),
            forces,
            config.get(Keys.DATANODE_WRITE_MEMORY),
            config.get(Keys.DATANODE_REPAIR_RATE),
            config.get(Keys.SECURITY_ENABLED)),
        new RepairSettings(
            config.get(Keys.DATANODE_REBUILDS_PER_DISK), config.get(Keys.DATANODE_REPAIR_MEMORY)),
        new ScrubSettings(
            config.get(Keys.DATANODE_SCRUB_RATE), config.get(Keys.DATANODE_SCRUB_INTERVAL)),
        config.get(Keys.HEARTBEAT_INTERVAL),
        config.get(Keys.SECURITY_ENABLED),
        ServerTls.from(config),
        ClientTls.from(config));
  }

  private static StoreException refused(String key, String value, String expected) {
    return new StoreException(
        ErrorCode.BAD_CONFIGURATION,
        "Cannot use " + key + " = '" + value + "': expected " + expected);
  }

  InetSocketAddress bindAddress() {
    return new InetSocketAddress(bindHost, bindPort);
  }
}
