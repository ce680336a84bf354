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

import io.stowage.common.error.StoreException;
import io.stowage.common.proto.ReportDamageRequest;
import io.stowage.common.time.StoreClock;
import java.time.Duration;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.Executor;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Tells SCM of shards that readers found damaged, each at most once in a while. Thread-safe. */
final class DamageReports {
  private static final Logger LOG = LoggerFactory.getLogger(DamageReports.class);

  private static final long QUIET_NANOS = Duration.ofSeconds(30).toNanos();

  /**
   * Shards remembered as reported; forgotten all at once beyond this, which costs a few reports.
   */
  private static final int REMEMBERED = 10_000;

  private final Containers containers;
  private final Executor background;
  private final StoreClock clock;
  private final Map<Shard, Long> reportedNanos = new ConcurrentHashMap<>();

  private record Shard(long container, int index) {}

  DamageReports(Containers containers, Executor background, StoreClock clock) {
    this.containers = containers;
    this.background = background;
    this.clock = clock;
  }

  void report(long container, int shard, String what) {
    long now = clock.monotonicNanos();
    Shard key = new Shard(container, shard);
    Long before = reportedNanos.get(key);
    if (before != null && now - before < QUIET_NANOS) {
      return;
    }
    if (reportedNanos.size() >= REMEMBERED) {
      reportedNanos.clear();
    }
    reportedNanos.put(key, now);
    LOG.info("Shard {} of container {}: {}", shard, ShardPlaces.name(container), what);
    Executors.tryExecute(
        background,
        () -> {
          try {
            containers.reportDamage(
                ReportDamageRequest.newBuilder()
                    .setContainer(container)
                    .addShards(shard)
                    .setWhat(what)
                    .build());
          } catch (StoreException e) {
            LOG.debug("Damage is not reported: {}", e.toString());
          }
        });
  }
}
