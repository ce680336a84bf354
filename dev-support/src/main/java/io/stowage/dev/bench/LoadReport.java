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
package io.stowage.dev.bench;

import java.util.Locale;
import java.util.Map;
import java.util.TreeMap;

/**
 * What one kind of operation did: latencies of those that succeeded, bytes, failures by what the
 * endpoint called them. Confined to one thread until merged.
 */
final class LoadReport {
  private final LatencyHistogram latencies = new LatencyHistogram();
  private final Map<String, Long> failures = new TreeMap<>();
  private long bytes;

  void succeeded(long nanos, long payloadBytes) {
    latencies.record(nanos);
    bytes += payloadBytes;
  }

  void failed(String why) {
    failures.merge(why, 1L, Long::sum);
  }

  void addAll(LoadReport other) {
    latencies.addAll(other.latencies);
    bytes += other.bytes;
    other.failures.forEach((why, count) -> failures.merge(why, count, Long::sum));
  }

  long operations() {
    return latencies.count();
  }

  long failureCount() {
    return failures.values().stream().mapToLong(Long::longValue).sum();
  }

  /** One line: rates over the seconds that were measured, latencies in milliseconds. */
  String toLine(String operation, double seconds) {
    String line =
        String.format(
            Locale.ROOT,
            "%-5s %10d ops %10.1f ops/s %9.1f MB/s   p50 %8.2f  p95 %8.2f  p99 %8.2f  max %8.2f ms"
                + "   errors %d",
            operation,
            operations(),
            operations() / seconds,
            bytes / seconds / 1e6,
            millis(0.50),
            millis(0.95),
            millis(0.99),
            latencies.maxNanos() / 1e6,
            failureCount());
    return failures.isEmpty() ? line : line + " " + failures;
  }

  String toJson(String operation, double seconds) {
    StringBuilder errors = new StringBuilder();
    failures.forEach(
        (why, count) ->
            errors
                .append(errors.isEmpty() ? "" : ",")
                .append('"')
                .append(why.replace("\\", "\\\\").replace("\"", "\\\""))
                .append("\":")
                .append(count));
    return String.format(
        Locale.ROOT,
        "{\"operation\":\"%s\",\"operations\":%d,\"seconds\":%.3f,\"opsPerSecond\":%.1f,"
            + "\"megabytesPerSecond\":%.1f,\"p50Millis\":%.3f,\"p95Millis\":%.3f,"
            + "\"p99Millis\":%.3f,\"maxMillis\":%.3f,\"errors\":{%s}}",
        operation,
        operations(),
        seconds,
        operations() / seconds,
        bytes / seconds / 1e6,
        millis(0.50),
        millis(0.95),
        millis(0.99),
        latencies.maxNanos() / 1e6,
        errors);
  }

  private double millis(double share) {
    return latencies.percentileNanos(share) / 1e6;
  }
}
