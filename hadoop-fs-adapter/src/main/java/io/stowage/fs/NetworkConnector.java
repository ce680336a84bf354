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
package io.stowage.fs;

import io.stowage.client.RecordingNamespace;
import io.stowage.client.StowageDataPath;
import io.stowage.client.keys.HadoopKeys;
import io.stowage.common.conf.Keys;
import io.stowage.common.conf.StowageConfig;
import io.stowage.common.data.DatanodeDirectory;
import io.stowage.common.data.NetworkDatanodes;
import io.stowage.common.error.StoreException;
import io.stowage.common.om.ObjectManager;
import io.stowage.common.rpc.RpcClient;
import io.stowage.common.rpc.RpcProtocol;
import io.stowage.common.time.StoreClock;
import io.stowage.common.tls.ClientTls;
import java.time.Duration;
import java.util.function.Function;
import org.apache.hadoop.conf.Configuration;

/**
 * Object managers by Hadoop RPC, as the user of the moment; datanodes by the network. Immutable.
 */
final class NetworkConnector implements ClusterConnector {
  /**
   * One attempt at one object manager. A page of a directory's rename takes seconds, nothing else
   * does.
   */
  private static final Duration CALL_TIMEOUT = Duration.ofSeconds(30);

  /** All attempts together: longer than a failover of HBase's region servers takes. */
  private static final Duration DEADLINE = Duration.ofSeconds(90);

  /**
   * All calls of a close together begin within this, and the last ends within CALL_TIMEOUT: so a
   * cluster that is gone takes ten seconds, one that takes calls and does not answer thirty to
   * forty. What is not given back by then lapses; whoever ends clusters that were forgotten has
   * others to end, and a process that ends is killed if it takes long. A shorter timeout would need
   * another connection, of every client that closes.
   */
  private static final Duration END = Duration.ofSeconds(10);

  private final Function<ClientTls, DatanodeDirectory> reach;

  NetworkConnector() {
    this(NetworkDatanodes::new);
  }

  /** Tests only: datanodes that are elsewhere. */
  NetworkConnector(Function<ClientTls, DatanodeDirectory> reach) {
    this.reach = reach;
  }

  @Override
  public Connected connect(StowageConfig config, Configuration hadoop) throws StoreException {
    ClientTls tls = ClientTls.from(config);
    RpcClient<ObjectManager> client =
        RpcClient.create(
            RpcProtocol.OBJECT_MANAGER,
            hadoop,
            config.get(Keys.OM_ADDRESSES),
            CALL_TIMEOUT,
            DEADLINE);
    DatanodeDirectory datanodes = reach.apply(tls);
    try {
      StowageDataPath dataPath =
          StowageDataPath.createOfMany(config, client.api(), datanodes, StoreClock.system());
      return new Connected(
          RecordingNamespace.over(client.api(), dataPath),
          dataPath,
          () -> HadoopKeys.openExisting(config, hadoop),
          datanodes::calls,
          () -> {
            client.finish(END);
            dataPath.close(); // releases its leases through the client
            datanodes.close();
            client.close();
          });
    } catch (StoreException e) {
      datanodes.close();
      client.close();
      throw e;
    }
  }
}
