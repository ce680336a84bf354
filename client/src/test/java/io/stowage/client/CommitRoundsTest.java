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
package io.stowage.client;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.netty.buffer.PooledByteBufAllocator;
import io.stowage.common.id.WriteId;
import io.stowage.common.time.ManualClock;
import java.time.Duration;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import org.apache.hadoop.thirdparty.protobuf.ByteString;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** Small objects that wait for their predecessors' commits, over shards in memory. */
class CommitRoundsTest {
  private static final Duration USUAL_ROUND = Duration.ofMillis(10);

  private final ManualClock clock = new ManualClock(1_700_000_000_000_000L);
  private final TwinCluster cluster = TwinCluster.inMemory(5, clock);
  private final StowageDataPath path =
      StowageDataPath.create(
          new ClientConfig(128 << 10, 1 << 20, 64 << 20), cluster, cluster, clock);
  private final ExecutorService others = Executors.newCachedThreadPool();
  private volatile Thread waiting;

  @BeforeEach
  void lease() throws Exception {
    path.settled(put());
  }

  @AfterEach
  void close() throws Exception {
    path.close();
    cluster.close();
    others.shutdown();
    assertTrue(others.awaitTermination(20, TimeUnit.SECONDS), "nobody waits for ever");
  }

  /** Stores an object that is not committed yet. */
  private ByteString put() throws Exception {
    ByteString writeId = WriteId.random();
    try (ObjectWriter writer =
        path.write(
            new DataPath.WriteSpec(
                7, ByteString.copyFromUtf8("key"), writeId, "rs-3-2", 1_000, ByteString.EMPTY))) {
      writer.write(PooledByteBufAllocator.DEFAULT.directBuffer(1_000).writeZero(1_000));
      writer.finish();
    }
    return writeId;
  }

  private Future<ByteString> putBesides() {
    return others.submit(
        () -> {
          waiting = Thread.currentThread();
          return put();
        });
  }

  /** Many come while an object is committed, which takes {@link #USUAL_ROUND} times eight. */
  private void letManyCome() throws Exception {
    ByteString slow = put();
    for (int i = 0; i < 16; i++) {
      path.settled(put());
    }
    clock.advance(USUAL_ROUND.multipliedBy(8)); // an eighth of which is learned at once
    path.settled(slow);
  }

  private void awaitThatItWaits(Future<?> put) throws Exception {
    DataPathContractTest.await(() -> waiting != null && waiting.getState() == Thread.State.WAITING);
    assertFalse(put.isDone());
  }

  @Test
  void aClientAloneNeverWaits() throws Exception {
    for (int i = 0; i < 20; i++) {
      ByteString written = put();
      clock.advance(USUAL_ROUND);
      path.settled(written);
    }
    assertEquals(21, path.figures().stripes());
  }

  @Test
  void clientsThatTakeTurnsDoNotWait() throws Exception {
    for (int i = 0; i < 20; i++) {
      ByteString one = put();
      ByteString other = put(); // while the first is committed
      clock.advance(USUAL_ROUND);
      path.settled(one);
      path.settled(other);
    }
    assertEquals(41, path.figures().stripes());
  }

  @Test
  void callersThatNeverCommitDoNotWait() throws Exception {
    letManyCome();
    long before = path.figures().stripes();
    for (int i = 0; i < 20; i++) {
      put(); // the first of them is past the patience of the one before
      clock.advance(USUAL_ROUND.multipliedBy(8));
    }
    for (int i = 0; i < 20; i++) {
      put(); // and then nobody expects anybody
    }
    assertEquals(before + 40, path.figures().stripes());
  }

  @Test
  void whereManyComeTheyWaitUntilTheirPredecessorsAreCommitted() throws Exception {
    letManyCome();
    ByteString predecessor = put();
    long before = path.figures().stripes();
    Future<ByteString> first = putBesides();
    awaitThatItWaits(first);
    waiting = null;
    Future<ByteString> second = putBesides();
    awaitThatItWaits(second);
    path.settled(predecessor);
    first.get(20, TimeUnit.SECONDS);
    second.get(20, TimeUnit.SECONDS);
    assertEquals(before + 1, path.figures().stripes(), "they share a stripe");
  }

  @Test
  void aCommitThatHangsIsWaitedForOnceAndBriefly() throws Exception {
    letManyCome();
    put(); // and is never heard of again
    Future<ByteString> behind = putBesides();
    awaitThatItWaits(behind);
    clock.advance(USUAL_ROUND.multipliedBy(5));
    path.settled(behind.get(20, TimeUnit.SECONDS)); // by the data path's timer
    path.settled(put());
  }

  @Test
  void closingEndsTheWait() throws Exception {
    letManyCome();
    put();
    Future<ByteString> behind = putBesides();
    awaitThatItWaits(behind);
    path.close();
    behind.get(20, TimeUnit.SECONDS);
  }
}
