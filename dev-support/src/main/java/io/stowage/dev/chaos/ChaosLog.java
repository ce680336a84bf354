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
package io.stowage.dev.chaos;

import java.io.Closeable;
import java.io.IOException;
import java.io.PrintWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.TreeMap;

/**
 * What happened and when: a line an event in a file, counts, and the times without an acknowledged
 * write, each with the faults that lay in it. Thread-safe.
 */
final class ChaosLog implements Closeable {
  /** Times without a write that are kept, longest first. */
  private static final int GAPS = 5;

  /** An operation that takes longer is an event of its own. */
  private static final long SLOW_NANOS = 3_000_000_000L;

  private static final int VIOLATIONS = 20;

  private record Span(String what, long from, long to) {
    double seconds() {
      return (to - from) / 1e9;
    }
  }

  private final PrintWriter file;
  private final long beginNanos = System.nanoTime();
  private final Instant begin = Instant.now();
  private final Map<String, Long> operations = new TreeMap<>();
  private final Map<String, Long> errors = new TreeMap<>();
  private final Map<String, Long> faults = new TreeMap<>();
  private final List<Span> faultSpans = new ArrayList<>();
  private final List<Span> gaps = new ArrayList<>();
  private final List<String> violations = new ArrayList<>();
  private long lastWriteOfAny = beginNanos;
  private Span longestForAll = new Span("any", beginNanos, beginNanos);

  ChaosLog(Path path) throws IOException {
    file = new PrintWriter(Files.newBufferedWriter(path), true);
  }

  synchronized void event(String text) {
    file.println(at(System.nanoTime()) + " " + text);
  }

  private String at(long nanos) {
    return begin.plusNanos(nanos - beginNanos).truncatedTo(ChronoUnit.MILLIS).toString();
  }

  synchronized void done(String operation, long fromNanos) {
    operations.merge(operation, 1L, Long::sum);
    long took = System.nanoTime() - fromNanos;
    if (took > SLOW_NANOS) {
      event(String.format(Locale.ROOT, "slow %s: %.1f s", operation, took / 1e9));
    }
  }

  synchronized void failed(String operation, String code, String key, long fromNanos) {
    errors.merge(operation + " " + code, 1L, Long::sum);
    double seconds = (System.nanoTime() - fromNanos) / 1e9;
    event(String.format(Locale.ROOT, "failed %s %s of %s: %.1f s", operation, code, key, seconds));
  }

  /** Between two acknowledged writes of one thread. */
  synchronized void writeGap(String thread, long from, long to) {
    if (to > lastWriteOfAny) {
      if (to - lastWriteOfAny > longestForAll.to - longestForAll.from) {
        longestForAll = new Span("any", lastWriteOfAny, to);
      }
      lastWriteOfAny = to;
    }
    gaps.add(new Span(thread, from, to));
    gaps.sort((a, b) -> Long.compare(b.to - b.from, a.to - a.from));
    if (gaps.size() > GAPS) {
      gaps.remove(GAPS);
    }
  }

  synchronized void fault(String kind, String target, long from, long to) {
    faults.merge(kind + " " + target, 1L, Long::sum);
    faultSpans.add(new Span(kind + " " + target, from, to));
  }

  synchronized void violation(String text) {
    event("VIOLATION " + text);
    if (violations.size() < VIOLATIONS) {
      violations.add(text);
    }
  }

  synchronized List<String> violations() {
    return List.copyOf(violations);
  }

  synchronized long count(String operation) {
    return operations.getOrDefault(operation, 0L);
  }

  synchronized long operationCount() {
    return operations.values().stream().mapToLong(Long::longValue).sum();
  }

  synchronized String report() {
    StringBuilder report = new StringBuilder();
    report.append("operations: ").append(operations).append('\n');
    report.append("errors: ").append(errors).append('\n');
    report.append("faults: ").append(faults).append('\n');
    report.append(
        String.format(
            Locale.ROOT,
            "longest time without an acknowledged write of any thread: %.1f s at %s %s%n",
            longestForAll.seconds(),
            at(longestForAll.from),
            during(longestForAll)));
    for (Span gap : gaps) {
      report.append(
          String.format(
              Locale.ROOT,
              "longest of one thread: %s %.1f s at %s %s%n",
              gap.what,
              gap.seconds(),
              at(gap.from),
              during(gap)));
    }
    violations.forEach(text -> report.append("VIOLATION: ").append(text).append('\n'));
    return report.toString();
  }

  private String during(Span gap) {
    return faultSpans.stream()
        .filter(fault -> fault.from < gap.to && fault.to > gap.from)
        .map(
            fault ->
                String.format(
                    Locale.ROOT,
                    "%s %+.1f s to %+.1f s",
                    fault.what,
                    (fault.from - gap.from) / 1e9,
                    (fault.to - gap.from) / 1e9))
        .toList()
        .toString();
  }

  @Override
  public synchronized void close() {
    file.close();
  }
}
