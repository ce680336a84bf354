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
package io.stowage.om.table;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.FutureTask;
import java.util.concurrent.atomic.AtomicLong;
import org.apache.hadoop.hbase.KeyValue;
import org.apache.hadoop.hbase.client.AdvancedScanResultConsumer.ScanController;
import org.apache.hadoop.hbase.client.AdvancedScanResultConsumer.ScanResumer;
import org.apache.hadoop.hbase.client.Cursor;
import org.apache.hadoop.hbase.client.Result;
import org.apache.hadoop.hbase.client.metrics.ScanMetrics;
import org.junit.jupiter.api.Test;

/** What a region server may say of a scan, and say too late. */
class LongScanTest {
  private static final Duration LONG = Duration.ofMinutes(1);

  private final LongScan scan = new LongScan();

  /** Remembers whether the scan was ended. */
  private static final class Controller implements ScanController {
    private boolean terminated;

    @Override
    public ScanResumer suspend() {
      throw new UnsupportedOperationException();
    }

    @Override
    public void terminate() {
      terminated = true;
    }

    @Override
    public Optional<Cursor> cursor() {
      return Optional.empty();
    }
  }

  private static Result result(String row) {
    byte[] bytes = row.getBytes(java.nio.charset.StandardCharsets.UTF_8);
    return Result.create(
        List.of(new KeyValue(bytes, HBaseRowStore.family('c'), bytes, 1_000, bytes)));
  }

  private static List<String> keys(List<Row> rows) {
    return rows.stream().map(row -> row.key().toStringUtf8()).toList();
  }

  @Test
  void tellsWhatCameInAllAnswers() throws Exception {
    Controller controller = new Controller();
    scan.onNext(new Result[] {result("a"), result("b")}, controller);
    scan.onHeartbeat(controller);
    scan.onNext(new Result[] {result("c")}, controller);
    scan.onComplete();
    assertEquals(List.of("a", "b", "c"), keys(scan.await(LONG)));
    assertFalse(controller.terminated);
  }

  @Test
  void tellsWhyItFailed() {
    IOException why = new IOException("region is gone");
    scan.onError(why);
    assertSame(why, assertThrows(IOException.class, () -> scan.await(LONG)));
  }

  @Test
  void endsAtTheNextWordAfterItsCallerGaveUp() {
    Controller controller = new Controller();
    scan.onHeartbeat(controller);
    assertFalse(controller.terminated);
    IOException silent = assertThrows(IOException.class, () -> scan.await(Duration.ofMillis(1)));
    assertTrue(silent.getMessage().contains("said nothing"), silent.getMessage());
    scan.onHeartbeat(controller);
    assertTrue(controller.terminated);
  }

  /** Empty regions, of each of which the client says nothing: as the time passes, they pass. */
  @Test
  void isWaitedForWhileItGoesFromRegionToRegion() throws Exception {
    ScanMetrics counts = new ScanMetrics();
    AtomicLong now = new AtomicLong();
    LongScan[] told = new LongScan[1];
    told[0] =
        new LongScan(
            () -> {
              if (counts.countOfRegions.incrementAndGet() == 12) {
                told[0].onNext(new Result[] {result("behind")}, new Controller());
                told[0].onComplete();
              }
              return now.addAndGet(LONG.toNanos());
            });
    told[0].onScanMetricsCreated(counts);
    assertEquals(List.of("behind"), keys(told[0].await(LONG)));
    assertTrue(now.get() > 10 * LONG.toNanos());
  }

  @Test
  void isGivenUpInARegionThatIsBegunAndSaysNothing() {
    ScanMetrics counts = new ScanMetrics();
    AtomicLong now = new AtomicLong();
    LongScan silent = new LongScan(() -> now.addAndGet(LONG.toNanos()));
    silent.onScanMetricsCreated(counts);
    counts.countOfRegions.set(1);
    assertThrows(IOException.class, () -> silent.await(LONG));
    counts.countOfRegions.set(2);
    silent.onHeartbeat(new Controller());
    long before = now.get();
    assertThrows(IOException.class, () -> silent.await(LONG));
    assertEquals(LONG.toNanos(), now.get() - before, "the second was known at the last word");
  }

  @Test
  void endsWithItsCallersThread() throws Exception {
    FutureTask<List<Row>> waiting = new FutureTask<>(() -> scan.await(LONG));
    Thread waiter = new Thread(waiting, "waiter");
    waiter.start();
    waiter.interrupt();
    ExecutionException failed = assertThrows(ExecutionException.class, waiting::get);
    assertTrue(failed.getCause() instanceof IOException, failed.toString());
    Controller controller = new Controller();
    scan.onNext(new Result[] {result("a")}, controller);
    assertTrue(controller.terminated);
  }
}
