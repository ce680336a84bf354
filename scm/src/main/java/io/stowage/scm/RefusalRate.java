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

import io.stowage.common.time.StoreClock;
import io.stowage.scm.container.NodeHosts;
import java.util.HashMap;
import java.util.Map;
import java.util.concurrent.TimeUnit;

/**
 * Which refusals of datanodes are written down: of each node one a minute, since it comes again
 * with every heartbeat, and of a caller no more than a host may have nodes, since ids may be made
 * up. Guarded by itself.
 */
final class RefusalRate {
  private static final long MINUTE_NANOS = TimeUnit.MINUTES.toNanos(1);

  private final StoreClock clock;
  private final Map<String, Map<String, Long>> toldNanos = new HashMap<>(); // by caller and node

  RefusalRate(StoreClock clock) {
    this.clock = clock;
  }

  /**
   * @param caller a principal: who hands them out bounds how many there are
   */
  synchronized boolean isToTell(String caller, String nodeId) {
    long now = clock.monotonicNanos();
    Map<String, Long> nodes = toldNanos.computeIfAbsent(caller, c -> new HashMap<>());
    nodes.values().removeIf(told -> now - told >= MINUTE_NANOS);
    return nodes.size() < NodeHosts.MOST_OF_A_HOST && nodes.putIfAbsent(nodeId, now) == null;
  }
}
