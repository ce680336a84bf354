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
package io.stowage.minicluster;

import io.stowage.client.DataPathContractTest;
import io.stowage.client.TwinCluster;
import io.stowage.common.erasure.ErasurePolicy;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.io.TempDir;

/** The data path over real datanodes and real sockets. */
class DataPathNetworkTest extends DataPathContractTest {
  @TempDir Path directory;

  @Override
  protected TwinCluster newCluster(int nodes) {
    return RealDatanodes.overNetworkUnforced(directory, nodes);
  }

  @Override
  protected List<ErasurePolicy> policies() {
    return List.of(ErasurePolicy.RS_3_2);
  }
}
