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

import io.stowage.common.conf.Keys;
import io.stowage.common.conf.StowageConfig;
import io.stowage.common.error.StoreException;

/**
 * Settings of the data path. Immutable.
 *
 * @param packingLimit payload bytes up to which an object lies whole in one cell
 * @param maxCellBytes largest cell of a streamed stripe, whole sectors
 * @param stripeMemoryBytes direct memory for stripes being filled or in flight
 * @param separateBuckets whether a stripe holds objects of one bucket only
 */
record ClientConfig(
    int packingLimit, int maxCellBytes, long stripeMemoryBytes, boolean separateBuckets) {
  ClientConfig {
    maxCellBytes = Sectors.roundUp(maxCellBytes);
  }

  /** Stripes may hold objects of several buckets. */
  ClientConfig(int packingLimit, int maxCellBytes, long stripeMemoryBytes) {
    this(packingLimit, maxCellBytes, stripeMemoryBytes, false);
  }

  static ClientConfig from(StowageConfig config) throws StoreException {
    return new ClientConfig(
        Math.toIntExact(config.get(Keys.PACKING_LIMIT)),
        Math.toIntExact(config.get(Keys.CELL_SIZE)),
        config.get(Keys.STRIPE_MEMORY),
        config.get(Keys.SECURITY_ENABLED));
  }
}
