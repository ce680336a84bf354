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
package io.stowage.s3.http;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.LongAdder;

/** What a server has answered since it was started, for metrics. Thread-safe. */
public final class RequestFigures {
  /** Upper bounds of the buckets of times to the first byte; beyond the last there is one more. */
  public static final List<Integer> BUCKET_MILLIS =
      List.of(1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000, 2_000, 5_000, 10_000);

  /** How a request ended; the first: before its answer was out. */
  private static final String[] CLASSES = {"cut", "1xx", "2xx", "3xx", "4xx", "5xx"};

  /** As many as there are operations; names do not come from requests. */
  private final Map<String, OfOperation> operations = new ConcurrentHashMap<>();

  private final LongAdder bytesIn = new LongAdder();
  private final LongAdder bytesOut = new LongAdder();
  private final LongAdder refusedRequests = new LongAdder();
  private final LongAdder refusedConnections = new LongAdder();

  /** Requests of one operation. */
  private static final class OfOperation {
    final LongAdder[] classes = adders(CLASSES.length);
    final LongAdder[] firstBytes = adders(BUCKET_MILLIS.size() + 1);
    final LongAdder firstByteMicros = new LongAdder();
    final LongAdder micros = new LongAdder();

    private static LongAdder[] adders(int count) {
      LongAdder[] adders = new LongAdder[count];
      for (int i = 0; i < count; i++) {
        adders[i] = new LongAdder();
      }
      return adders;
    }
  }

  /**
   * Requests of one operation, as they were counted.
   *
   * @param byClass of status: "2xx" and so on, and "cut"; those that there were
   * @param firstBytes how many had their first byte within each of {@link #BUCKET_MILLIS}, and last
   *     how many had one at all
   * @param firstByteMicros sum of those times
   * @param micros sum of the times until the whole answer was with the socket
   */
  public record Counted(
      Map<String, Long> byClass, List<Long> firstBytes, long firstByteMicros, long micros) {}

  /**
   * A request is over.
   *
   * @param status 0: it was cut off
   * @param firstByteNanos since its head was here; negative: none was sent
   */
  void ended(String operation, int status, long firstByteNanos, long nanos) {
    OfOperation of = operations.computeIfAbsent(operation, name -> new OfOperation());
    of.classes[Math.min(CLASSES.length - 1, status / 100)].increment();
    of.micros.add(TimeUnit.NANOSECONDS.toMicros(nanos));
    if (firstByteNanos >= 0) {
      of.firstByteMicros.add(TimeUnit.NANOSECONDS.toMicros(firstByteNanos));
      int bucket = 0;
      while (bucket < BUCKET_MILLIS.size()
          && firstByteNanos > TimeUnit.MILLISECONDS.toNanos(BUCKET_MILLIS.get(bucket))) {
        bucket++;
      }
      of.firstBytes[bucket].increment();
    }
  }

  void received(int bytes) {
    bytesIn.add(bytes);
  }

  void sent(int bytes) {
    bytesOut.add(bytes);
  }

  /** A request was answered SlowDown before it was begun. */
  void refusedRequest() {
    refusedRequests.increment();
  }

  /** There were as many connections as there may be. */
  void refusedConnection() {
    refusedConnections.increment();
  }

  /** All operations that there were requests of, by their names. */
  public Map<String, Counted> operations() {
    Map<String, Counted> all = new TreeMap<>();
    operations.forEach(
        (name, of) -> {
          Map<String, Long> byClass = new TreeMap<>();
          for (int i = 0; i < CLASSES.length; i++) {
            long count = of.classes[i].sum();
            if (count > 0) {
              byClass.put(CLASSES[i], count);
            }
          }
          List<Long> firstBytes = new ArrayList<>();
          long upTo = 0;
          for (LongAdder bucket : of.firstBytes) {
            upTo += bucket.sum();
            firstBytes.add(upTo);
          }
          all.put(
              name, new Counted(byClass, firstBytes, of.firstByteMicros.sum(), of.micros.sum()));
        });
    return all;
  }

  /** Of bodies, as they came over the wire. */
  public long bytesIn() {
    return bytesIn.sum();
  }

  /** Of bodies of answers. */
  public long bytesOut() {
    return bytesOut.sum();
  }

  public long refusedRequests() {
    return refusedRequests.sum();
  }

  public long refusedConnections() {
    return refusedConnections.sum();
  }
}
