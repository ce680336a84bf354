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
package io.stowage.om;

import io.stowage.common.metrics.MetricSystem;
import io.stowage.om.garbage.Collector;
import io.stowage.om.row.RowCommitter;
import java.util.Map;
import java.util.function.Supplier;

/** What an object manager tells in metrics, wherever it is hosted. Stateless. */
final class OmMetrics implements MetricSystem.Source {
  private final Map<String, RowCommitter> tables;
  private final Supplier<Collector.Tally> collected;

  /**
   * @param tables who mutates them, by their names
   * @param collected by the collector since the start
   */
  OmMetrics(Map<String, RowCommitter> tables, Supplier<Collector.Tally> collected) {
    this.tables = tables;
    this.collected = collected;
  }

  @Override
  public void addTo(MetricSystem.Records records) {
    Collector.Tally tally = collected.get();
    records
        .add("Om")
        .counter("CollectorRuns", "Runs of the collector over a region", tally.runs())
        .counter("CollectedCells", "Garbage cells that it cleared", tally.cleared())
        .counter("CollectedHeads", "Heads that it removed", tally.removed())
        .counter(
            "CollectedBytes", "Bytes in containers that it counted as dead", tally.deadBytes());
    tables.forEach(
        (table, committer) -> {
          RowCommitter.Figures figures = committer.figures();
          records
              .add("Om")
              .label("table", table)
              .counter("Mutations", "Conditional mutations that happened", figures.applied())
              .counter("RefusedMutations", "Whose condition did not hold", figures.refused())
              .counter(
                  "UnknownMutations",
                  "Of which nobody knows whether they happened",
                  figures.unknown())
              .counter("ResentMutations", "Sent again, for want of an answer", figures.resent());
        });
  }
}
