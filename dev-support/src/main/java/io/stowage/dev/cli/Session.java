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

import io.stowage.client.RecordingNamespace;
import io.stowage.client.StowageDataPath;
import io.stowage.client.crypt.ClientCiphers;
import io.stowage.client.crypt.KeyService;
import io.stowage.client.keys.HadoopKeys;
import io.stowage.common.conf.Keys;
import io.stowage.common.conf.StowageConfig;
import io.stowage.common.data.DatanodeDirectory;
import io.stowage.common.data.NetworkDatanodes;
import io.stowage.common.error.ErrorCode;
import io.stowage.common.error.StoreException;
import io.stowage.common.om.ObjectManager;
import io.stowage.common.proto.ClusterStatusReply;
import io.stowage.common.proto.ClusterStatusRequest;
import io.stowage.common.proto.GetTokenKeysRequest;
import io.stowage.common.rpc.RpcClient;
import io.stowage.common.rpc.RpcProtocol;
import io.stowage.common.rpc.RpcSecurity;
import io.stowage.common.rpc.SiteConfiguration;
import io.stowage.common.scm.ContainerManager;
import io.stowage.common.time.StoreClock;
import io.stowage.common.tls.ClientTls;
import io.stowage.common.token.Operation;
import io.stowage.common.token.ShardTokens;
import io.stowage.common.token.SigningDatanodes;
import io.stowage.common.token.TokenKeyRing;
import io.stowage.dev.fsck.Cluster;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.security.UserGroupInformation;

/**
 * One command's way to the cluster: connections are made when first asked for. Confined to one
 * thread.
 */
final class Session implements AutoCloseable {
  /** A person waits: long enough for a change of leader, short enough to be told. */
  private static final Duration DEADLINE = Duration.ofSeconds(15);

  private static final Duration CALL_TIMEOUT = Duration.ofSeconds(10);

  /** Of object managers: a snapshot is answered when all clocks are past it, after 21 s. */
  private static final Duration LONG_CALL_TIMEOUT = Duration.ofSeconds(30);

  private final Configuration hadoop;
  private final StowageConfig config;
  private RpcClient<ObjectManager> objectManagers;
  private RpcClient<ContainerManager> containerManagers;
  private DatanodeDirectory datanodes;
  private StowageDataPath dataPath;
  private KeyService keys;
  private ClientCiphers ciphers;

  private Session(Configuration hadoop, StowageConfig config) {
    this.hadoop = hadoop;
    this.config = config;
  }

  /**
   * @param directory of the site files; null: the class path's
   */
  static Session open(Path directory) throws StoreException {
    Configuration hadoop =
        directory == null
            ? SiteConfiguration.fromClassPath()
            : SiteConfiguration.fromDirectory(directory);
    if (RpcSecurity.isOn(hadoop)) {
      RpcSecurity.turnOn(hadoop);
      UserGroupInformation.setConfiguration(hadoop); // the ticket is the user's own, of kinit
    }
    return new Session(hadoop, SiteConfiguration.stowage(hadoop));
  }

  StowageConfig config() {
    return config;
  }

  ObjectManager objectManager() throws StoreException {
    if (objectManagers == null) {
      objectManagers =
          RpcClient.create(
              RpcProtocol.OBJECT_MANAGER,
              hadoop,
              config.get(Keys.OM_ADDRESSES),
              LONG_CALL_TIMEOUT,
              DEADLINE);
    }
    return objectManagers.api();
  }

  ContainerManager containerManager() throws StoreException {
    if (containerManagers == null) {
      containerManagers =
          RpcClient.create(
              RpcProtocol.CONTAINER_MANAGER,
              hadoop,
              config.get(Keys.SCM_ADDRESSES),
              CALL_TIMEOUT,
              DEADLINE);
    }
    return containerManagers.api();
  }

  /** Keys of the key service that the settings name, if any. */
  ClientCiphers ciphers() throws StoreException {
    if (ciphers == null) {
      keys = HadoopKeys.openExisting(config, hadoop);
      ciphers = new ClientCiphers(config, keys, StoreClock.system());
    }
    return ciphers;
  }

  /** How the cluster is: by the leader where there is one, who alone knows of repair. */
  ClusterStatusReply clusterStatus() throws StoreException {
    ClusterStatusReply status =
        containerManager().clusterStatus(ClusterStatusRequest.getDefaultInstance());
    if (status.getLeader() || status.getLeaderAddress().isEmpty()) {
      return status;
    }
    try (RpcClient<ContainerManager> leader =
        RpcClient.create(
            RpcProtocol.CONTAINER_MANAGER,
            hadoop,
            List.of(status.getLeaderAddress()),
            CALL_TIMEOUT,
            Duration.ZERO)) {
      return leader.api().clusterStatus(ClusterStatusRequest.getDefaultInstance());
    } catch (StoreException e) {
      return status;
    }
  }

  StowageDataPath dataPath() throws StoreException {
    if (dataPath == null) {
      datanodes = signing(new NetworkDatanodes(ClientTls.from(config)));
      dataPath = StowageDataPath.create(config, objectManager(), datanodes, StoreClock.system());
    }
    return dataPath;
  }

  /**
   * With security on, an administrator's requests to datanodes get tokens of SCM's keys. Whom SCM
   * gives none is a user, and comes with those that object managers give him, as jobs do.
   */
  private DatanodeDirectory signing(DatanodeDirectory network) throws StoreException {
    if (!RpcSecurity.isOn(hadoop)) {
      return network;
    }
    TokenKeyRing keys = new TokenKeyRing();
    try {
      keys.take(
          containerManager().getTokenKeys(GetTokenKeysRequest.getDefaultInstance()).getKeys());
    } catch (StoreException e) {
      if (e.code() == ErrorCode.ACCESS_DENIED) {
        return network;
      }
      throw e;
    }
    return new SigningDatanodes(
        network,
        new ShardTokens(keys, StoreClock.system()),
        "administrator",
        Operation.all(Operation.values()));
  }

  /** All that fsck compares. */
  Cluster cluster() throws StoreException {
    dataPath();
    return new Cluster(objectManager(), containerManager(), datanodes, dataPath);
  }

  /** For whoever changes the namespace: writes the record needles that fsck --rebuild goes by. */
  ObjectManager recordingNamespace() throws StoreException {
    return RecordingNamespace.over(objectManager(), dataPath());
  }

  @Override
  public void close() {
    if (dataPath != null) {
      dataPath.close(); // gives its leases back, through the object manager
      datanodes.close();
    }
    if (keys != null) {
      keys.close();
    }
    if (objectManagers != null) {
      objectManagers.close();
    }
    if (containerManagers != null) {
      containerManagers.close();
    }
  }
}
