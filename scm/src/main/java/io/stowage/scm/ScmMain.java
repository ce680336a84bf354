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

import io.stowage.common.rpc.KerberosLogin;
import io.stowage.common.rpc.ServiceMain;
import io.stowage.common.time.StoreClock;

/** A storage container manager as a process. */
public final class ScmMain {
  private ScmMain() {}

  public static void main(String[] args) {
    ServiceMain.run(
        "scm",
        KerberosLogin.Role.SCM,
        args,
        (config, hadoop) ->
            ServiceMain.Running.of(ScmServer.start(config, hadoop, StoreClock.system())));
  }
}
