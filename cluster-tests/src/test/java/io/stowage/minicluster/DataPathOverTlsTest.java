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
import io.stowage.common.conf.Keys;
import io.stowage.common.conf.StowageConfig;
import io.stowage.common.erasure.ErasurePolicy;
import io.stowage.common.error.StoreException;
import io.stowage.common.tls.ClientTls;
import io.stowage.common.tls.ServerTls;
import io.stowage.common.tls.TestAuthority;
import java.io.UncheckedIOException;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.io.TempDir;

/** The data path over real datanodes and real sockets, encrypted. */
class DataPathOverTlsTest extends DataPathContractTest {
  @TempDir private static Path certificates;
  private static StowageConfig config;

  @TempDir Path directory;

  @BeforeAll
  static void makeCertificates() throws Exception {
    TestAuthority authority = new TestAuthority("authority");
    TestAuthority.Pem pem = authority.issue(certificates, "datanode", "127.0.0.1");
    config =
        StowageConfig.of(
            Map.of(
                Keys.TLS_MODE.name(), "only",
                Keys.TLS_CERTIFICATE.name(), pem.certificate().toString(),
                Keys.TLS_KEY.name(), pem.key().toString(),
                Keys.TLS_AUTHORITIES.name(),
                    authority.write(certificates.resolve("authority.crt")).toString()));
  }

  @Override
  protected TwinCluster newCluster(int nodes) {
    try {
      return RealDatanodes.overNetworkUnforced(
          directory,
          nodes,
          new RealDatanodes.Encryption(ServerTls.from(config), ClientTls.from(config)));
    } catch (StoreException e) {
      throw new UncheckedIOException(e);
    }
  }

  @Override
  protected List<ErasurePolicy> policies() {
    return List.of(ErasurePolicy.RS_3_2);
  }
}
