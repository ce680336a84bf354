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

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertNull;

import io.stowage.common.time.StoreClock;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import org.junit.jupiter.api.Test;

/**
 * Deletion, put-if-absent and get on one key as fast as they go, many within a millisecond: with
 * HBase's own deletions and millisecond stamps, half of the acknowledged puts were invisible.
 */
class HotKeyTest {
  private static final int ROUNDS = Integer.getInteger("stowage.it.hot-key-rounds", 300);

  @Test
  void nothingAcknowledgedIsEverInvisible() throws Exception {
    TestOm.Tables tables = TestOm.onHBase();
    FakeContainers containers = new FakeContainers();
    TestOm one = new TestOm(tables, containers, StoreClock.system());
    TestOm ahead = new TestOm(tables, containers, new OffsetClock(Duration.ofSeconds(1)));
    String bucket = "hot" + System.nanoTime();
    one.createBucket(bucket);
    ExecutorService threads = Executors.newFixedThreadPool(2);
    try {
      List<Future<?>> runs = new ArrayList<>();
      runs.add(threads.submit(() -> hammer(bucket, "alone", one, one)));
      runs.add(threads.submit(() -> hammer(bucket, "two", one, ahead)));
      for (Future<?> run : runs) {
        run.get();
      }
    } finally {
      threads.shutdownNow();
    }
  }

  private static Void hammer(String bucket, String key, TestOm first, TestOm second)
      throws Exception {
    first.put(bucket, key, "begin");
    for (int i = 0; i < ROUNDS; i++) {
      boolean swap = i % 3 == 0;
      TestOm a = swap ? second : first;
      TestOm b = swap ? first : second;
      assertNotEquals(0, a.delete(bucket, key).getStamp(), "round " + i);
      if (i % 16 == 0) {
        assertNull(b.get(bucket, key), "round " + i);
      }
      String content = "content" + i;
      b.putIfAbsent(bucket, key, content);
      var got = a.get(bucket, key);
      assertNotNull(got, "round " + i);
      assertEquals(TestOm.md5(content), got.getMd5(), "round " + i);
    }
    return null;
  }
}
