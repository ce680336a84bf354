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

import io.netty.buffer.PooledByteBufAllocator;
import io.stowage.client.DataPath;
import io.stowage.client.ObjectWriter;
import io.stowage.client.crypt.KeyService;
import io.stowage.common.conf.Keys;
import io.stowage.common.data.DatanodeDirectory;
import io.stowage.common.data.ShardService;
import io.stowage.common.error.StoreException;
import io.stowage.common.id.WriteId;
import io.stowage.common.om.BucketEncryption;
import io.stowage.common.om.ObjectManager;
import io.stowage.common.proto.BucketInfo;
import io.stowage.common.proto.LeaseContainersRequest;
import io.stowage.common.proto.ReleaseLeaseRequest;
import io.stowage.common.proto.RenewLeasesRequest;
import io.stowage.common.proto.ShardPlace;
import io.stowage.common.rpc.RpcProtocol;
import io.stowage.common.rpc.RpcServer;
import io.stowage.common.time.StoreClock;
import java.io.IOException;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Proxy;
import java.security.PrivilegedExceptionAction;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.Executor;
import java.util.concurrent.Semaphore;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.locks.LockSupport;
import java.util.function.BooleanSupplier;
import org.apache.hadoop.conf.Configuration;
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
  private final List<ClusterConnection> held = new ArrayList<>(); // until it is cleared
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
                    twins.objectManager, twins.dataPath, this::keys, () -> 0, this::end));
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
    return openAs(user, twins.configuration());
  }

  private static ClusterConnection openAs(String user, Configuration conf) throws Exception {
    return UserGroupInformation.createRemoteUser(user)
        .doAs((PrivilegedExceptionAction<ClusterConnection>) () -> ClusterConnection.open(conf));
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

  /** The users of a cluster that is gone, each with leases that nobody takes back, and others'. */
  @Test
  void clustersThatDoNotAnswerHoldUpTheEndOfOthersForSeconds() throws Exception {
    int open = ClusterConnection.openClusters();
    try (io.stowage.client.TwinCluster leases =
        io.stowage.client.TwinCluster.inMemory(5, StoreClock.system())) {
      DatanodeDirectory datanodes =
          new DatanodeDirectory() {
            @Override
            public ShardService datanode(ShardPlace place) {
              return leases.datanode(place);
            }

            @Override
            public void close() {} // others' still
          };
      ClusterConnection.replaceConnector(new NetworkConnector(tls -> datanodes));
      try (RpcServer alive = serve(leases)) {
        try (RpcServer gone = serve(leases)) {
          for (int i = 0; i < 5; i++) { // one more than are ended at a time
            held.add(writeAs("user" + i, gone));
          }
        }
        ClusterConnection other = writeAs("other", alive);
        assertEquals(open + 6, ClusterConnection.openClusters());
        held.clear();
        await(() -> ClusterConnection.openClusters() == open + 1, "clusters are still held");
        assertEquals(List.of(), leases.releases());
        assertTrue(!other.isClosed());
        other = null;
        await(() -> leases.releases().size() == 2, "they are waited for as jobs wait");
      }
    }
  }

  /** Leaves a lease of each of two policies behind. */
  private ClusterConnection writeAs(String user, RpcServer server) throws Exception {
    Configuration conf = new Configuration(false);
    conf.set(Keys.OM_ADDRESSES.name(), "127.0.0.1:" + server.address().getPort());
    ClusterConnection cluster = openAs(user, conf);
    for (String policy : List.of("rs-3-2", "rs-1-2")) {
      DataPath.WriteSpec spec =
          new DataPath.WriteSpec(
              7, ByteString.copyFromUtf8("key"), WriteId.random(), policy, 1_000, ByteString.EMPTY);
      try (ObjectWriter writer = cluster.dataPath().write(spec)) {
        writer.write(PooledByteBufAllocator.DEFAULT.directBuffer(1_000).writeZero(1_000));
        assertEquals(1, writer.finish().grants().size());
      }
    }
    return cluster;
  }

  private static RpcServer serve(io.stowage.client.TwinCluster leases) throws StoreException {
    ObjectManager manager =
        (ObjectManager)
            Proxy.newProxyInstance(
                ObjectManager.class.getClassLoader(),
                new Class<?>[] {ObjectManager.class},
                (proxy, method, arguments) ->
                    switch (method.getName()) {
                      case "leaseContainer" ->
                          leases.leaseContainer((LeaseContainersRequest) arguments[0]);
                      case "renewLeases" -> leases.renewLeases((RenewLeasesRequest) arguments[0]);
                      case "releaseLease" ->
                          leases.releaseLease((ReleaseLeaseRequest) arguments[0]);
                      default -> throw new UnsupportedOperationException(method.getName());
                    });
    return RpcServer.create(
            new Configuration(false), "127.0.0.1:0", 4, RpcProtocol.OBJECT_MANAGER, manager)
        .start();
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
