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
package io.stowage.s3;

import io.stowage.client.RecordingNamespace;
import io.stowage.client.StowageDataPath;
import io.stowage.client.crypt.KeyService;
import io.stowage.client.keys.HadoopKeys;
import io.stowage.client.repack.Repacker;
import io.stowage.common.conf.Keys;
import io.stowage.common.conf.StowageConfig;
import io.stowage.common.data.DatanodeDirectory;
import io.stowage.common.data.NetworkDatanodes;
import io.stowage.common.metrics.HealthCheck;
import io.stowage.common.metrics.MetricSystem;
import io.stowage.common.rpc.KerberosLogin;
import io.stowage.common.rpc.RpcClient;
import io.stowage.common.rpc.RpcProtocol;
import io.stowage.common.rpc.ServiceMain;
import io.stowage.common.scm.ContainerManager;
import io.stowage.common.time.StoreClock;
import io.stowage.common.tls.ClientTls;
import io.stowage.om.OmServer;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.List;
import org.apache.hadoop.conf.Configuration;

/**
 * A gateway as a process: it hosts an object manager of its own, so that a request reaches HBase
 * without another hop, and writes to the datanodes itself. Beside it a repacker looks after
 * containers, at a bounded rate.
 */
public final class S3GatewayMain {
  private static final Duration SCM_CALL_TIMEOUT = Duration.ofSeconds(5);

  /** Longer than a change of leaders takes. */
  private static final Duration SCM_DEADLINE = Duration.ofSeconds(20);

  private S3GatewayMain() {}

  public static void main(String[] args) {
    ServiceMain.run("s3g", KerberosLogin.Role.GATEWAY, args, S3GatewayMain::start);
  }

  private static ServiceMain.Running start(StowageConfig config, Configuration hadoop)
      throws Exception {
    Deque<AutoCloseable> parts = new ArrayDeque<>(); // the last started is first
    List<HealthCheck> roles = new ArrayList<>();
    try {
      RpcClient<ContainerManager> scm =
          RpcClient.create(
              RpcProtocol.CONTAINER_MANAGER,
              hadoop,
              config.get(Keys.SCM_ADDRESSES),
              SCM_CALL_TIMEOUT,
              SCM_DEADLINE);
      parts.push(scm);
      OmServer objectManager = OmServer.start(config, hadoop, scm.api(), StoreClock.system());
      parts.push(objectManager);
      roles.add(objectManager);
      DatanodeDirectory datanodes =
          objectManager.signing(new NetworkDatanodes(ClientTls.from(config)));
      parts.push(datanodes);
      StowageDataPath data =
          StowageDataPath.create(
              config, objectManager.objectManager(), datanodes, StoreClock.system());
      parts.push(data);
      parts.push(MetricSystem.register("Client", data.metrics()));
      parts.push(objectManager.recordTo(RecordingNamespace.recordsTo(data)));
      parts.push(
          Repacker.start(
              config,
              "s3g " + config.get(Keys.S3_BIND),
              scm.api(),
              objectManager.objectManager(),
              data,
              config.get(Keys.REPACK_WORKERS)));
      KeyService keys = HadoopKeys.open(config, hadoop);
      parts.push(keys);
      S3GatewayServer gateway =
          S3GatewayServer.start(
              config, objectManager.objectManager(), data, keys, StoreClock.system());
      parts.push(gateway);
      roles.add(gateway);
    } catch (Exception e) {
      closeAll(parts, e);
      throw e;
    }
    return new ServiceMain.Running(
        () -> {
          Exception failure = new Exception("the gateway did not stop cleanly");
          closeAll(parts, failure);
          if (failure.getSuppressed().length > 0) {
            throw failure;
          }
        },
        roles);
  }

  /** Closes all of them, whatever one of them says; what they say is added to a failure. */
  private static void closeAll(Deque<AutoCloseable> parts, Exception failure) {
    for (AutoCloseable part : parts) {
      try {
        part.close();
      } catch (Exception e) {
        failure.addSuppressed(e);
      }
    }
  }
}
