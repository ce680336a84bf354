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
import io.stowage.common.error.StoreException;
import io.stowage.common.rpc.KerberosLogin;
import io.stowage.common.rpc.RpcClient;
import io.stowage.common.rpc.RpcProtocol;
import io.stowage.common.rpc.ServiceMain;
import io.stowage.common.scm.DatanodeReports;
import io.stowage.common.time.StoreClock;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import org.apache.hadoop.conf.Configuration;

/** Runs a datanode as a process. */
public final class DatanodeMain {
  /** For one heartbeat at one SCM; the next heartbeat tries again. */
  private static final Duration CALL_TIMEOUT = Duration.ofSeconds(10);

  private DatanodeMain() {}

  public static void main(String[] args) {
    ServiceMain.run("datanode", KerberosLogin.Role.DATANODE, args, DatanodeMain::start);
  }

  private static ServiceMain.Running start(StowageConfig config, Configuration hadoop)
      throws StoreException {
    List<RpcClient<DatanodeReports>> scms = new ArrayList<>();
    for (String address : config.get(Keys.SCM_ADDRESSES)) {
      // each SCM by itself: all of them are told, whoever leads
      scms.add(
          RpcClient.create(
              RpcProtocol.DATANODE_REPORTS, hadoop, List.of(address), CALL_TIMEOUT, Duration.ZERO));
    }
    DatanodeServer server =
        DatanodeServer.start(
            config, scms.stream().map(RpcClient::api).toList(), StoreClock.system());
    return new ServiceMain.Running(
        () -> {
          server.close();
          scms.forEach(RpcClient::close);
        },
        List.of(server));
  }
}
