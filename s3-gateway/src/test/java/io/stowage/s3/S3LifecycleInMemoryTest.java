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

import io.stowage.s3.suite.S3LifecycleTest;
import io.stowage.s3.suite.S3Suite.Target;
import java.util.Map;
import org.junit.jupiter.api.AfterAll;

/** Lifecycle configurations over the in-memory twins, which do not act on them. */
class S3LifecycleInMemoryTest extends S3LifecycleTest {
  private InMemoryTarget gateway;

  @Override
  protected Target startTarget() throws Exception {
    gateway = new InMemoryTarget(Map.of());
    return gateway.target();
  }

  @AfterAll
  void stop() {
    gateway.close();
  }
}
