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
package io.stowage.fs;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotSame;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.stowage.client.crypt.KeyService;
import io.stowage.common.error.StoreException;
import io.stowage.common.om.BucketEncryption;
import io.stowage.common.proto.BucketInfo;
import java.io.IOException;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Proxy;
import java.security.PrivilegedExceptionAction;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.Executor;
import java.util.concurrent.Semaphore;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.locks.LockSupport;
import java.util.function.BooleanSupplier;
import org.apache.hadoop.security.UserGroupInformation;
import org.apache.hadoop.thirdparty.protobuf.ByteString;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** What the users of a process share, and what one's cluster that stands still does to others. */
@Timeout(120)
class ClusterConnectionTest {
  private final AtomicInteger ending = new AtomicInteger();
  private final AtomicInteger mostEnding = new AtomicInteger();
  private final AtomicInteger ended = new AtomicInteger();
  private final AtomicInteger keysClosed = new AtomicInteger();
  private final Semaphore mayEnd = new Semaphore(0);
  private volatile boolean endFails;
  private TwinCluster twins;
  private ClusterConnector before;

  @BeforeEach
  void start() {
    twins = TwinCluster.start();
    before =
        ClusterConnection.replaceConnector(
            (config, hadoop) ->
                new ClusterConnector.Connected(
                    twins.objectManager, twins.dataPath, this::keys, this::end));
  }

  @AfterEach
  void stop() throws IOException {
    mayEnd.release(1_000);
    ClusterConnection.replaceConnector(before);
    twins.close();
  }

  private KeyService keys() {
    return (KeyService)
        Proxy.newProxyInstance(
            KeyService.class.getClassLoader(),
            new Class<?>[] {KeyService.class},
            (proxy, method, arguments) -> {
              if (method.getName().equals("close")) {
                keysClosed.incrementAndGet();
                return null;
              }
              try {
                return method.invoke(KeyService.none(), arguments);
              } catch (InvocationTargetException e) {
                throw e.getCause();
              }
            });
  }

  private void end() {
    mostEnding.accumulateAndGet(ending.incrementAndGet(), Math::max);
    mayEnd.acquireUninterruptibly();
    ending.decrementAndGet();
    ended.incrementAndGet();
    if (endFails) {
      throw new IllegalStateException("cannot end");
    }
  }

  private ClusterConnection openAs(String user) throws Exception {
    return UserGroupInformation.createRemoteUser(user)
        .doAs(
            (PrivilegedExceptionAction<ClusterConnection>)
                () -> ClusterConnection.open(twins.configuration()));
  }

  private static void await(BooleanSupplier done, String what) {
    long deadline = System.nanoTime() + TimeUnit.SECONDS.toNanos(60);
    while (!done.getAsBoolean()) {
      assertTrue(System.nanoTime() < deadline, what);
      System.gc();
      LockSupport.parkNanos(TimeUnit.MILLISECONDS.toNanos(20));
    }
  }

  private static Thread threadOf(Executor executor) throws Exception {
    CompletableFuture<Thread> thread = new CompletableFuture<>();
    executor.execute(() -> thread.complete(Thread.currentThread()));
    return thread.get(60, TimeUnit.SECONDS);
  }

  @Test
  void vectoredReadsOfAClusterThatStandsStillLeaveThreadsToOthers() throws Exception {
    mayEnd.release(1_000);
    CountDownLatch answers = new CountDownLatch(1);
    CountDownLatch begun = new CountDownLatch(12);
    try (ClusterConnection still = openAs("still");
        ClusterConnection alive = openAs("alive")) {
      for (int i = 0; i < 12; i++) {
        still
            .rangeReads()
            .execute(
                () -> {
                  begun.countDown();
                  try {
                    answers.await();
                  } catch (InterruptedException e) {
                    Thread.currentThread().interrupt();
                  }
                });
      }
      assertTrue(begun.await(60, TimeUnit.SECONDS));
      assertSame(Thread.currentThread(), threadOf(still.rangeReads()), "a thirteenth thread");
      assertNotSame(Thread.currentThread(), threadOf(alive.rangeReads()));
    } finally {
      answers.countDown();
    }
  }

  @Test
  void forgottenClustersAreEndedAFewAtATime() throws Exception {
    int open = ClusterConnection.openClusters();
    for (int i = 0; i < 10; i++) {
      forget("user" + i);
    }
    await(() -> ClusterConnection.openClusters() == open, "clusters are still held");
    await(() -> ending.get() >= 4, "clusters are not ended");
    for (int i = 1; i <= 10; i++) {
      int many = i;
      mayEnd.release();
      await(() -> ended.get() == many, "clusters are not ended");
    }
    assertEquals(4, mostEnding.get());
  }

  private void forget(String user) throws Exception {
    assertTrue(!openAs(user).isClosed());
  }

  @Test
  void keysAreClosedWhateverBecomesOfTheRest() throws Exception {
    mayEnd.release(1_000);
    endFails = true;
    ClusterConnection cluster = openAs("user");
    BucketInfo encrypting =
        BucketInfo.newBuilder()
            .putSettings(
                BucketEncryption.SETTING,
                ByteString.copyFromUtf8("<SSEAlgorithm>AES256</SSEAlgorithm>"))
            .build();
    assertThrows(StoreException.class, () -> cluster.cipherOfNew(encrypting));
    assertThrows(IllegalStateException.class, cluster::close);
    assertEquals(1, keysClosed.get());
  }
}
