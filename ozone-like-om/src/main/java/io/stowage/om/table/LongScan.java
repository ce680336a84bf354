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

import java.io.IOException;
import java.io.InterruptedIOException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.function.LongSupplier;
import org.apache.hadoop.hbase.client.AdvancedScanResultConsumer;
import org.apache.hadoop.hbase.client.AsyncTable;
import org.apache.hadoop.hbase.client.Result;
import org.apache.hadoop.hbase.client.Scan;
import org.apache.hadoop.hbase.client.metrics.ScanMetrics;
import org.apache.hadoop.thirdparty.protobuf.UnsafeByteOperations;

/**
 * A scan that may pass millions of rows before it finds one. A region server says at the latest
 * after half of the scan's timeout that it goes on, and how far it is; so what is waited for is the
 * next such word, not the end. Of a region that ends without anything found the client tells its
 * consumer nothing; that the next one is begun, it counts, and that is a word as well: else a scan
 * across many empty regions would be given up while it moves. One scan; filled by the client's
 * thread, awaited by another.
 *
 * <p>Once its caller has given up, it ends at the next word that is told, and holds no scanner any
 * longer.
 */
final class LongScan implements AdvancedScanResultConsumer {
  private final CountDownLatch ended = new CountDownLatch(1);
  private final List<Row> found = new ArrayList<>(); // as many as the scan's limit
  private final LongSupplier nanoTime;
  private volatile long lastWordNanos;
  private volatile long regionsAtWord = 1; // that the first is begun is no word
  private volatile ScanMetrics counts; // the client's own; null until the scan is begun
  private volatile Throwable failure;
  private volatile boolean abandoned;

  LongScan() {
    this(System::nanoTime);
  }

  LongScan(LongSupplier nanoTime) {
    this.nanoTime = nanoTime;
    this.lastWordNanos = nanoTime.getAsLong();
  }

  /** Begins what is then awaited. */
  void begin(AsyncTable<AdvancedScanResultConsumer> table, Scan scan) {
    table.scan(scan.setScanMetricsEnabled(true), this);
  }

  @Override
  public void onScanMetricsCreated(ScanMetrics metrics) {
    counts = metrics;
  }

  /** Regions that the scan has begun with. */
  long regions() {
    ScanMetrics metrics = counts;
    return metrics == null ? 0 : metrics.countOfRegions.get();
  }

  @Override
  public void onNext(Result[] results, ScanController controller) {
    for (Result result : results) {
      found.add(HBaseRowStore.row(UnsafeByteOperations.unsafeWrap(result.getRow()), result));
    }
    heard(controller);
  }

  @Override
  public void onHeartbeat(ScanController controller) {
    heard(controller);
  }

  private void heard(ScanController controller) {
    heard(regions());
    if (abandoned) {
      controller.terminate();
    }
  }

  private void heard(long regions) {
    regionsAtWord = regions;
    lastWordNanos = nanoTime.getAsLong();
  }

  @Override
  public void onError(Throwable error) {
    failure = error;
    ended.countDown();
  }

  @Override
  public void onComplete() {
    ended.countDown();
  }

  /**
   * What was found, when there is no more to find. Silence is borne for as long as said, and once
   * more if a region was begun in it.
   */
  List<Row> await(Duration patience) throws IOException {
    try {
      while (true) {
        long left = patience.toNanos() - (nanoTime.getAsLong() - lastWordNanos);
        if (ended.await(Math.max(0, left), TimeUnit.NANOSECONDS)) {
          break;
        }
        if (left <= 0) {
          long regions = regions();
          if (regions <= regionsAtWord) {
            abandoned = true;
            throw new IOException("HBase said nothing of a scan for " + patience);
          }
          heard(regions);
        }
      }
    } catch (InterruptedException e) {
      abandoned = true;
      Thread.currentThread().interrupt();
      throw (IOException) new InterruptedIOException("interrupted in a scan of HBase").initCause(e);
    }
    if (failure != null) {
      throw failure instanceof IOException io ? io : new IOException(failure);
    }
    return found;
  }
}
