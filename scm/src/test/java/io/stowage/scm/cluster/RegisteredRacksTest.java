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
package io.stowage.scm.cluster;

import static org.junit.jupiter.api.Assertions.assertEquals;

import io.stowage.common.proto.RegisterDatanodeRequest;
import io.stowage.common.time.ManualClock;
import io.stowage.scm.Await;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.Test;

/** How often it is asked which rack a datanode that registers is in. */
class RegisteredRacksTest {
  private final AtomicInteger asked = new AtomicInteger();
  private volatile String told = RackResolver.DEFAULT_RACK;
  private volatile CountDownLatch slow = new CountDownLatch(0);

  private final ClusterMap cluster =
      new ClusterMap(
          new ManualClock(1_000_000),
          this::rackOf,
          FailureDomains.all(FailureDomain.HOST),
          Duration.ofSeconds(30),
          0,
          null);

  private String rackOf(String host) {
    asked.incrementAndGet();
    try {
      slow.await(20, TimeUnit.SECONDS);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
    return told;
  }

  private void register(String host) {
    cluster.register(RegisterDatanodeRequest.newBuilder().setNodeId("n").setHost(host).build());
  }

  @Test
  void aRackThatWasToldStaysWhileTheHostDoes() {
    register("h1");
    told = "/r1"; // the table of racks is there by now
    register("h1");
    told = "/r2";
    register("H1");
    assertEquals(2, asked.get());
    register("h2");
    assertEquals(3, asked.get());
  }

  @Test
  void fewWaitForTheRackOfOneThatIsKnown() throws Exception {
    register("h1");
    slow = new CountDownLatch(1);
    ExecutorService handlers = Executors.newFixedThreadPool(10);
    try {
      List<Future<?>> calls = new ArrayList<>();
      for (int i = 0; i < 10; i++) {
        calls.add(handlers.submit(() -> register("h1")));
      }
      Await.until(
          "those that ask no more",
          Duration.ofSeconds(20),
          () -> calls.stream().filter(Future::isDone).count() == 6);
      assertEquals(1 + 4, asked.get());
      slow.countDown();
      for (Future<?> call : calls) {
        call.get(20, TimeUnit.SECONDS);
      }
    } finally {
      slow.countDown();
      handlers.shutdownNow();
    }
  }
}
