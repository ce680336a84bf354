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
package io.stowage.om;

import io.stowage.common.conf.Keys;
import io.stowage.common.conf.StowageConfig;
import io.stowage.common.rpc.KerberosLogin;
import io.stowage.common.rpc.RpcClient;
import io.stowage.common.rpc.RpcProtocol;
import io.stowage.common.rpc.ServiceMain;
import io.stowage.common.scm.ContainerManager;
import io.stowage.common.time.StoreClock;
import java.time.Duration;
import java.util.List;
import org.apache.hadoop.conf.Configuration;

/** An object manager as a process of its own. */
public final class ObjectManagerMain {
  private static final Duration SCM_CALL_TIMEOUT = Duration.ofSeconds(5);

  /** Longer than a change of leaders takes. */
  private static final Duration SCM_DEADLINE = Duration.ofSeconds(20);

  private ObjectManagerMain() {}

  public static void main(String[] args) {
    ServiceMain.run("om", KerberosLogin.Role.OBJECT_MANAGER, args, ObjectManagerMain::start);
  }

  private static ServiceMain.Running start(StowageConfig config, Configuration hadoop)
      throws Exception {
    RpcClient<ContainerManager> scm =
        RpcClient.create(
            RpcProtocol.CONTAINER_MANAGER,
            hadoop,
            config.get(Keys.SCM_ADDRESSES),
            SCM_CALL_TIMEOUT,
            SCM_DEADLINE);
    OmServer server;
    try {
      server = OmServer.start(config, hadoop, scm.api(), StoreClock.system());
      server.serveRpc();
    } catch (Exception e) {
      scm.close();
      throw e;
    }
    return new ServiceMain.Running(
        () -> {
          try {
            server.close();
          } finally {
            scm.close();
          }
        },
        List.of(server));
  }
}
