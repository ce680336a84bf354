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
package io.stowage.common.rpc;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;

import io.stowage.common.conf.StowageConfig;
import io.stowage.common.error.ErrorCode;
import io.stowage.common.error.StoreException;
import java.util.List;
import java.util.Map;
import java.util.concurrent.atomic.AtomicInteger;
import org.apache.hadoop.conf.Configuration;
import org.junit.jupiter.api.Test;

class ServiceMainTest {
  private static ServiceMain.Running start(ServiceMain.Service service) throws Exception {
    return ServiceMain.startOnce(
        "test", service, StowageConfig.of(Map.of()), new Configuration(false), 1);
  }

  @Test
  void aRoleWaitsForWhatItNeeds() throws Exception {
    AtomicInteger attempts = new AtomicInteger();
    ServiceMain.Running running = new ServiceMain.Running(() -> {}, List.of());
    assertSame(
        running,
        start(
            (config, hadoop) -> {
              if (attempts.incrementAndGet() < 3) {
                throw new StoreException(ErrorCode.UNAVAILABLE, "Cannot reach HBase");
              }
              return running;
            }));
    assertEquals(3, attempts.get());
  }

  @Test
  void aRoleThatIsWronglyConfiguredEnds() {
    AtomicInteger attempts = new AtomicInteger();
    StoreException said =
        assertThrows(
            StoreException.class,
            () ->
                start(
                    (config, hadoop) -> {
                      attempts.incrementAndGet();
                      throw new StoreException(ErrorCode.BAD_CONFIGURATION, "port in use");
                    }));
    assertEquals(ErrorCode.BAD_CONFIGURATION, said.code());
    assertEquals(1, attempts.get());
  }
}
