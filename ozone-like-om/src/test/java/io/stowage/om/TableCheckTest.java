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
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;

class TableCheckTest {
  @Test
  void tellsWhetherTheLookSucceeds() {
    try (TableCheck good = new TableCheck(() -> {});
        TableCheck bad =
            new TableCheck(
                () -> {
                  throw new IOException("no region");
                });
        TableCheck broken =
            new TableCheck(
                () -> {
                  throw new IllegalStateException("closed");
                })) {
      assertTrue(good.answers());
      assertFalse(bad.answers());
      assertFalse(broken.answers());
    }
  }

  @Test
  void aLookThatHangsIsWaitedForByAllAndMadeOnce() {
    CountDownLatch letGo = new CountDownLatch(1);
    AtomicInteger looks = new AtomicInteger();
    TableCheck.Look hangs =
        () -> {
          looks.incrementAndGet();
          try {
            letGo.await();
          } catch (InterruptedException e) {
            throw new IOException(e);
          }
        };
    try (TableCheck check = new TableCheck(hangs)) {
      List<CompletableFuture<Boolean>> asked =
          Stream.generate(() -> CompletableFuture.supplyAsync(check::answers)).limit(3).toList();
      asked.forEach(answer -> assertFalse(answer.join()));
      assertFalse(check.answers(), "it still hangs");
      assertEquals(1, looks.get());
      letGo.countDown();
      assertTrue(check.answers());
    }
  }
}
