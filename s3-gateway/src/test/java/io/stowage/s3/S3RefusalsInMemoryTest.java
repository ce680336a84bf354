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

import io.stowage.s3.suite.S3RefusalsTest;
import io.stowage.s3.suite.S3Suite.Target;
import java.util.Map;
import org.junit.jupiter.api.AfterAll;

/** What AWS refuses, over the in-memory twins. */
class S3RefusalsInMemoryTest extends S3RefusalsTest {
  private InMemoryTarget gateway;

  @Override
  protected Target startTarget() throws Exception {
    gateway = new InMemoryTarget(Map.of());
    return gateway.target();
  }

  @Override
  protected void addUser(String name, String accessKey, String secretKey) {
    gateway.addIdentity(accessKey, secretKey, name, false);
  }

  @AfterAll
  void stop() {
    gateway.close();
  }
}
