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

import static org.junit.jupiter.api.Assertions.assertEquals;

import io.stowage.client.twin.InMemoryDataPath;
import io.stowage.client.twin.InMemoryObjectManager;
import io.stowage.common.conf.Keys;
import io.stowage.common.conf.StowageConfig;
import io.stowage.common.proto.Identity;
import io.stowage.common.proto.PutIdentityRequest;
import io.stowage.common.time.StoreClock;
import io.stowage.s3.suite.S3ContractTest;
import java.net.URI;
import java.util.Map;
import org.junit.jupiter.api.AfterAll;

/** The suite over the in-memory twins. */
class S3InMemoryTest extends S3ContractTest {
  private S3GatewayServer gateway;
  private InMemoryDataPath data;

  @Override
  protected Target startTarget() throws Exception {
    InMemoryObjectManager namespace = new InMemoryObjectManager(StoreClock.system(), "rs-3-2");
    namespace.putIdentity(
        PutIdentityRequest.newBuilder()
            .setIdentity(
                Identity.newBuilder()
                    .setAccessKey("AKTEST")
                    .setSecretKey("secret")
                    .setUser("tester"))
            .build());
    data = new InMemoryDataPath();
    gateway =
        S3GatewayServer.start(
            StowageConfig.of(Map.of(Keys.S3_BIND.name(), "127.0.0.1:0")),
            namespace,
            data,
            StoreClock.system());
    return new Target(
        URI.create("http://127.0.0.1:" + gateway.port()), "AKTEST", "secret", "us-east-1");
  }

  @AfterAll
  void stop() {
    gateway.close();
    assertEquals(0, gateway.http().connectionCount());
    assertEquals(0, gateway.http().memoryInUse());
    assertEquals(0, gateway.http().streamingCount());
  }
}
