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

import io.stowage.common.metrics.MetricSystem;
import io.stowage.s3.http.HttpServer;
import io.stowage.s3.http.RequestFigures;
import java.util.List;

/** What a gateway tells in metrics. Stateless. */
final class GatewayMetrics implements MetricSystem.Source {
  private final HttpServer http;

  GatewayMetrics(HttpServer http) {
    this.http = http;
  }

  @Override
  public void addTo(MetricSystem.Records records) {
    RequestFigures figures = http.figures();
    records
        .add("Gateway")
        .gauge("Connections", "Connections that are open", http.connectionCount())
        .gauge("StreamingBodies", "Bodies that a worker receives", http.streamingCount())
        .gauge("MemoryUsedBytes", "Of bodies and answers", http.memoryInUse())
        .gauge("MemoryBytes", "That bodies and answers may use", http.memoryBound())
        .gauge("BusyWorkers", "Threads that run operations", http.busyWorkers())
        .gauge("WaitingRequests", "Requests that wait for a worker", http.waitingRequests())
        .counter("ReceivedBytes", "Of bodies of requests", figures.bytesIn())
        .counter("SentBytes", "Of bodies of answers", figures.bytesOut())
        .counter(
            "RefusedRequests",
            "Answered SlowDown before they were begun",
            figures.refusedRequests())
        .counter(
            "RefusedConnections",
            "Closed at once, since there were too many",
            figures.refusedConnections());
    figures.operations().forEach((operation, counted) -> add(records, operation, counted));
  }

  private static void add(
      MetricSystem.Records records, String operation, RequestFigures.Counted counted) {
    records
        .add("Gateway")
        .label("operation", operation)
        .counter("RequestMicros", "Time until whole answers were sent", counted.micros())
        .counter("FirstByteMicros", "Time until answers began", counted.firstByteMicros());
    counted
        .byClass()
        .forEach(
            (status, count) ->
                records
                    .add("Gateway")
                    .label("operation", operation)
                    .label("class", status)
                    .counter("Requests", "Requests that ended", count));
    List<Integer> bounds = RequestFigures.BUCKET_MILLIS;
    for (int i = 0; i <= bounds.size(); i++) {
      String bound = i == bounds.size() ? "+Inf" : Double.toString(bounds.get(i) / 1_000.0);
      records
          .add("Gateway")
          .label("operation", operation)
          .label("le", bound)
          .counter(
              "FirstByteSecondsBucket",
              "Answers that began within this time",
              counted.firstBytes().get(i));
    }
  }
}
