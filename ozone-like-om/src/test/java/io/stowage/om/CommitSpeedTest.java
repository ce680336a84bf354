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

import io.stowage.common.time.StoreClock;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.EnabledIfSystemProperty;

/**
 * Commits, overwrites and look-ups a second, object manager and HBase in this JVM; printed, never
 * asserted. Run with {@code -Dstowage.speed=true}.
 */
@EnabledIfSystemProperty(named = "stowage.speed", matches = "true")
class CommitSpeedTest {
  private static final int OPERATIONS = 20_000;

  private interface Operation {
    void run(String key) throws Exception;
  }

  @Test
  void measure() throws Exception {
    TestOm om = new TestOm(TestOm.onHBase(), new FakeContainers(), StoreClock.system());
    String bucket = "speed" + System.nanoTime();
    om.createBucket(bucket);
    run("warm-up put", 64, key -> om.put(bucket, "warm" + key, "x"));
    run("warm-up get", 64, key -> om.get(bucket, "warm" + key));
    for (int callers : new int[] {1, 16, 64}) {
      String prefix = callers + "/";
      run("put new, " + callers + " callers", callers, key -> om.put(bucket, prefix + key, "x"));
      run("put over, " + callers + " callers", callers, key -> om.put(bucket, prefix + key, "y"));
      run("get, " + callers + " callers", callers, key -> om.get(bucket, prefix + key));
    }
    long begin = System.nanoTime();
    int listed = 0;
    String after = "";
    for (int page = 0; page < 20; page++) {
      var reply = om.list(bucket, "", "", after, 1_000);
      listed += reply.getObjectsCount();
      after = reply.getLast();
    }
    System.out.printf(
        "SPEED list, 1 caller: %,d keys/s%n",
        listed * 1_000_000_000L / (System.nanoTime() - begin));
  }

  private static void run(String what, int callers, Operation operation) throws Exception {
    int each = OPERATIONS / (callers == 1 ? 8 : 1) / callers;
    ExecutorService threads = Executors.newFixedThreadPool(callers);
    try {
      long begin = System.nanoTime();
      List<Future<?>> running = new ArrayList<>();
      for (int i = 0; i < callers; i++) {
        String name = i + "-";
        running.add(
            threads.submit(
                () -> {
                  for (int j = 0; j < each; j++) {
                    operation.run(name + j);
                  }
                  return null;
                }));
      }
      for (Future<?> one : running) {
        one.get();
      }
      long nanos = System.nanoTime() - begin;
      System.out.printf("SPEED %s: %,d/s%n", what, 1_000_000_000L * each * callers / nanos);
    } finally {
      threads.shutdownNow();
    }
  }
}
