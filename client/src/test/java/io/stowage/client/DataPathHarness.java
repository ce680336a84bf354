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
package io.stowage.client;

import io.stowage.common.time.StoreClock;

/** Data paths over a {@link TwinCluster}, with the settings of production. Stateless. */
public final class DataPathHarness {
  private static final int PACKING_LIMIT = 128 << 10;
  private static final int CELL = 1 << 20;
  private static final long MEMORY = 64 << 20;

  private DataPathHarness() {}

  public static StowageDataPath start(TwinCluster cluster) {
    return StowageDataPath.create(
        new ClientConfig(PACKING_LIMIT, CELL, MEMORY), cluster, cluster, StoreClock.system());
  }
}
