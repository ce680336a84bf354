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
import org.apache.hadoop.hbase.client.AdvancedScanResultConsumer;
import org.apache.hadoop.hbase.client.Result;
import org.apache.hadoop.thirdparty.protobuf.UnsafeByteOperations;

/**
 * A scan that may pass millions of rows before it finds one. A region server says at the latest
 * after half of the scan's timeout that it goes on, and how far it is; so what is waited for is the
 * next such word, not the end. One scan; filled by the client's thread, awaited by another.
 *
 * <p>Once its caller has given up, it ends at the next word, and holds no scanner any longer.
 */
final class LongScan implements AdvancedScanResultConsumer {
  private final CountDownLatch ended = new CountDownLatch(1);
  private final List<Row> found = new ArrayList<>(); // as many as the scan's limit
  private volatile long lastWordNanos = System.nanoTime();
  private volatile Throwable failure;
  private volatile boolean abandoned;

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
    lastWordNanos = System.nanoTime();
    if (abandoned) {
      controller.terminate();
    }
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

  /** What was found, when there is no more to find. */
  List<Row> await(Duration patience) throws IOException {
    try {
      while (true) {
        long left = patience.toNanos() - (System.nanoTime() - lastWordNanos);
        if (ended.await(Math.max(0, left), TimeUnit.NANOSECONDS)) {
          break;
        }
        if (left <= 0) {
          abandoned = true;
          throw new IOException("HBase said nothing of a scan for " + patience);
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
