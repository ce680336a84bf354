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

import io.stowage.common.metrics.MetricSystem;
import java.util.Collection;

/** What a data path tells in metrics. Stateless. */
final class DataPathMetrics implements MetricSystem.Source {
  private final StowageDataPath path;
  private final RangeReads reads;
  private final NodeHealth health;
  private final Collection<LeasePool> pools;

  /**
   * @param pools as they come to be
   */
  DataPathMetrics(
      StowageDataPath path, RangeReads reads, NodeHealth health, Collection<LeasePool> pools) {
    this.path = path;
    this.reads = reads;
    this.health = health;
    this.pools = pools;
  }

  @Override
  public void addTo(MetricSystem.Records records) {
    RangeReads.Figures ranges = reads.figures();
    StripeFigures stripes = path.figures();
    records
        .add("Client")
        .counter("HedgedReads", "Ranges asked of others beside a late shard", ranges.hedged())
        .counter(
            "AvoidedReads",
            "Ranges asked of others in place of a shard whose node is suspect",
            ranges.aroundSuspects())
        .counter("DecodedReads", "Ranges decoded from other shards", ranges.decoded())
        .counter("Stripes", "Stripes sent", stripes.stripes())
        .counter("StripeDataCells", "Data cells of those", stripes.dataCells())
        .counter("StripeBytes", "Bytes of all their cells", stripes.cellBytes())
        .counter("FailedStripes", "Refused or late, and written again", stripes.failed())
        .gauge("SuspectNodes", "Datanodes that reads go around", health.suspects())
        .gauge(
            "StripeMemoryUsedBytes",
            "Stripes that are filled or in flight",
            path.stripeMemory() - path.freeStripeMemory())
        .gauge("StripeMemoryBytes", "That those may use", path.stripeMemory());
    for (LeasePool pool : pools) {
      records
          .add("Client")
          .label("policy", pool.policy().name())
          .gauge("Leases", "Leases that are written under", pool.openLeases())
          .counter("GrantedLeases", "Leases that were granted", pool.granted());
    }
  }
}
