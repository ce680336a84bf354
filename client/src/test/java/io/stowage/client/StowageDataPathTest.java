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

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.netty.buffer.ByteBuf;
import io.netty.buffer.ByteBufUtil;
import io.stowage.client.DataPath.RecordSpec;
import io.stowage.common.erasure.ErasurePolicy;
import io.stowage.common.error.ErrorCode;
import io.stowage.common.error.StoreException;
import io.stowage.common.id.WriteId;
import io.stowage.common.proto.ByteRange;
import io.stowage.common.proto.Extent;
import io.stowage.common.proto.LeaseGrant;
import io.stowage.common.proto.LeaseOutcome;
import io.stowage.common.proto.Manifest;
import io.stowage.common.proto.ReportDamageRequest;
import io.stowage.common.time.ManualClock;
import io.stowage.common.time.StoreClock;
import java.lang.reflect.Proxy;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.function.BooleanSupplier;
import java.util.function.IntConsumer;
import org.apache.hadoop.thirdparty.protobuf.ByteString;
import org.apache.log4j.AppenderSkeleton;
import org.apache.log4j.Level;
import org.apache.log4j.Logger;
import org.apache.log4j.spi.LoggingEvent;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** The data path over datanodes in memory, and what only those can be made to do. */
class StowageDataPathTest extends DataPathContractTest {
  @Override
  protected TwinCluster newCluster(int nodes) {
    return TwinCluster.inMemory(nodes, StoreClock.system());
  }

  @Test
  void aSmallObjectAloneCostsOnePlusMCells() throws Exception {
    start(5);
    write(ErasurePolicy.RS_3_2, content(3_000, 1), true, 3_000);
    assertEquals(3 * 4096, cluster.bytesWritten());
    write(ErasurePolicy.RS_3_2, content(3_000, 2), true, 3_000);
    assertEquals(2 * 3 * 4096, cluster.bytesWritten());
  }

  @Test
  @Timeout(60)
  void isClosedThoughNobodyTakesItsLeasesBack() throws Exception {
    start(5);
    CountDownLatch never = new CountDownLatch(1);
    Containers silent =
        (Containers)
            Proxy.newProxyInstance(
                Containers.class.getClassLoader(),
                new Class<?>[] {Containers.class},
                (proxy, method, arguments) -> {
                  if (method.getName().equals("releaseLease")) {
                    try {
                      never.await();
                    } catch (InterruptedException e) {
                      throw new StoreException(ErrorCode.UNAVAILABLE, "interrupted", e);
                    }
                  }
                  return method.invoke(cluster, arguments);
                });
    path.close();
    path =
        StowageDataPath.create(
            new ClientConfig(8 << 10, 32 << 10, 16 << 20), silent, cluster, StoreClock.system());
    write(ErasurePolicy.RS_3_2, content(3_000, 1), true, 3_000);
    path.close();
    assertEquals(List.of(), cluster.releases());
  }

  @Test
  void smallObjectsThatArriveTogetherShareStripes() throws Exception {
    start(5);
    int writers = 60;
    cluster.node(0).holdWrites(); // until all have gathered behind the first stripes
    List<Future<Manifest>> results = new ArrayList<>();
    ExecutorService threads = Executors.newFixedThreadPool(writers);
    for (int i = 0; i < writers; i++) {
      byte[] bytes = content(3_000, i);
      results.add(threads.submit(() -> write(ErasurePolicy.RS_3_2, bytes, true, 3_000).manifest()));
    }
    await(() -> cluster.node(0).held() >= 1);
    cluster.node(0).letGo();
    for (int i = 0; i < writers; i++) {
      assertReads(content(3_000, i), results.get(i).get());
    }
    threads.shutdown();
    int alone = writers * 3 * 4096;
    assertTrue(cluster.bytesWritten() < alone, cluster.bytesWritten() + " bytes, alone " + alone);
  }

  @Test
  void anObjectThatIsWrittenForLongerThanTheCommitWindowHasYoungGrants() throws Exception {
    writeForLongerThan(Duration.ofMinutes(15), at -> {});
    assertEquals(LeaseOutcome.LEASE_FULL, cluster.releases().get(0).getOutcome());
  }

  @Test
  void howLongTheWindowIsTheClusterSays() throws Exception {
    writeForLongerThan(Duration.ofSeconds(60), at -> {});
  }

  @Test
  void soHasOneWhoseLeasesAreDamagedAndLostOnTheWay() throws Exception {
    writeForLongerThan(
        Duration.ofMinutes(15),
        at -> {
          if (at == 1) {
            cluster.node(2).refuseWrites(ErrorCode.SHARD_FAILED, 1);
          } else if (at == 4) {
            cluster.node(2).refuseWrites(ErrorCode.FENCED, 1);
          }
        });
    assertEquals(LeaseOutcome.LEASE_DAMAGED, cluster.releases().get(0).getOutcome());
  }

  /** Eight MiB in two windows, into containers of three. */
  private void writeForLongerThan(Duration window, IntConsumer beforeEach) throws Exception {
    ManualClock clock = new ManualClock(1_700_000_000_000_000L);
    start(6, clock);
    cluster.setCapacity(1 << 20);
    cluster.setCommitWindow(window);
    cluster.setLeaseDuration(window.multipliedBy(2).dividedBy(3));
    byte[] bytes = content(8 << 20, 1);
    try (ObjectWriter writer = path.write(spec(ErasurePolicy.RS_3_2, -1))) {
      for (int at = 0; at < 8; at++) {
        beforeEach.accept(at);
        writer.write(buffer(bytes, at << 20, 1 << 20));
        clock.advance(window.dividedBy(4));
        BooleanSupplier allAreYoung =
            () ->
                cluster.containers().stream()
                    .allMatch(info -> info.getLeaseGrantedMicros() == clock.wallMicros());
        await(allAreYoung);
        assertTrue(allAreYoung.getAsBoolean(), cluster.containers().toString());
      }
      ObjectWriter.Written written = writer.finish();
      assertReads(bytes, written.manifest());
      assertTrue(written.grants().size() >= 3, written.grants().toString());
      for (LeaseGrant grant : written.grants()) {
        long ageMicros = clock.wallMicros() - grant.getGrantedMicros();
        // The last answer may be on its way.
        assertTrue(ageMicros <= window.toNanos() / 1_000 / 3, ageMicros + " us old");
      }
    }
    // What is finished is not kept any longer, when the last lease is given back for want of use.
    clock.advance(Duration.ofMinutes(4));
    BooleanSupplier lastIsGivenBack =
        () ->
            cluster.releases().stream()
                .anyMatch(release -> release.getOutcome() == LeaseOutcome.LEASE_IDLE);
    await(lastIsGivenBack);
    assertTrue(lastIsGivenBack.getAsBoolean());
    assertTrue(cluster.containers().get(0).getLeaseGrantedMicros() < clock.wallMicros());
  }

  /** One thread holds what it would wait for: streams that it is not writing to just now. */
  @Test
  void oneThreadWritesManyMoreObjectsThanTheBudgetHasStripesFor() throws Exception {
    start(5, 1 << 20);
    int streams = 60;
    int chunk = 20_000;
    List<byte[]> contents = new ArrayList<>();
    List<ObjectWriter> writers = new ArrayList<>();
    for (int i = 0; i < streams; i++) {
      contents.add(content(12 * chunk, i));
      writers.add(path.write(spec(ErasurePolicy.RS_3_2, i % 3 == 0 ? 12 * chunk : -1)));
    }
    long least = path.freeStripeMemory();
    for (int at = 0; at < 12 * chunk; at += chunk) {
      for (int i = 0; i < streams; i++) {
        writers.get(i).write(buffer(contents.get(i), at, chunk));
        least = Math.min(least, path.freeStripeMemory());
      }
    }
    assertTrue(least < 0, "the budget was enough: nothing was shown");
    long shortStripe = 5 * (16 << 10);
    assertTrue(least > -streams * shortStripe, least + " bytes of the budget were left");
    for (int i = 0; i < streams; i++) {
      assertReads(contents.get(i), writers.get(i).finish().manifest());
      writers.get(i).close();
    }
  }

  @Test
  void corruptBytesAreDecodedAroundAndReported() throws Exception {
    start(5);
    byte[] small = content(5_000, 1);
    byte[] large = content(400_000, 2);
    Manifest smallManifest = write(ErasurePolicy.RS_3_2, small, true, 5_000).manifest();
    Manifest largeManifest = write(ErasurePolicy.RS_3_2, large, true, 5_000).manifest();
    int holder =
        cluster.nodeOf(
            smallManifest.getExtents(0).getContainer(),
            smallManifest.getExtents(0).getFirstShard());
    cluster.memory(holder).corruptAll();
    Set<Integer> heard = new HashSet<>(); // by this thread
    path.tellDamage((container, shard, what) -> heard.add(shard));
    assertReads(small, smallManifest);
    assertEquals(Set.of(smallManifest.getExtents(0).getFirstShard()), heard);
    assertReads(large, largeManifest);
    await(() -> !cluster.damage().isEmpty());
    assertEquals(smallManifest.getExtents(0).getFirstShard(), cluster.damage().get(0).getShards(0));
  }

  @Test
  void lostSectorsAreDecodedAroundSectorBySector() throws Exception {
    start(5);
    byte[] large = content(600_000, 2);
    Manifest manifest = write(ErasurePolicy.RS_3_2, large, true, 50_000).manifest();
    cluster.memory(0).loseEvery(2);
    cluster.memory(1).loseEvery(3);
    assertReads(large, manifest);
  }

  @Test
  void aHoleWhereTheStripeUsedTheShardIsLostAndNotZeros() throws Exception {
    start(5);
    byte[] small = content(5_000, 1);
    byte[] large = content(400_000, 2);
    Manifest smallManifest = write(ErasurePolicy.RS_3_2, small, true, 5_000).manifest();
    Manifest largeManifest = write(ErasurePolicy.RS_3_2, large, true, 5_000).manifest();
    long container = smallManifest.getExtents(0).getContainer();
    for (int shard = 0; shard < 2; shard++) {
      cluster.memory(cluster.nodeOf(container, shard)).forget(container);
    }
    Set<Integer> heard = new HashSet<>(); // by this thread
    path.tellDamage((of, shard, what) -> heard.add(shard));
    assertReads(small, smallManifest);
    heard.clear();
    assertReads(large, largeManifest);
    assertEquals(Set.of(0, 1), heard);
    await(() -> reported(container).equals(Set.of(0, 1)));
    Set<Integer> unwritten = new HashSet<>();
    cluster.damage().forEach(report -> unwritten.addAll(report.getUnwrittenList()));
    Set<Integer> expected = new HashSet<>(Set.of(0, 1));
    expected.remove(smallManifest.getExtents(0).getFirstShard()); // told as no needle before
    assertEquals(expected, unwritten);
    cluster.memory(cluster.nodeOf(container, 2)).forget(container);
    StoreException e = assertThrows(StoreException.class, () -> readAll(reader(largeManifest)));
    assertEquals(ErrorCode.DATA_UNAVAILABLE, e.code());
  }

  /** Farther behind one another than an int can tell, and as far as makes a small one of it. */
  @Test
  void bytesFarBehindTheFirstOnesAreReadFromTheirOwnExtent() throws Exception {
    start(5);
    byte[] last = content(400_000, 2);
    Extent first =
        write(ErasurePolicy.RS_3_2, content(400_000, 1), true, 5_000).manifest().getExtents(0);
    Extent end = write(ErasurePolicy.RS_3_2, last, true, 5_000).manifest().getExtents(0);
    for (long between : new long[] {1L << 31, 3L << 30, (1L << 32) - 100_000, 5L << 30}) {
      Extent unread = first.toBuilder().setLength(between + first.getHeaderLength()).build();
      Manifest manifest =
          Manifest.newBuilder()
              .addAllExtents(List.of(first, unread, end))
              .setLength(400_000 + between + 400_000)
              .build();
      for (int from : new int[] {0, 1, 60_000, 399_000}) {
        int count = Math.min(200_000, 400_000 - from);
        ByteBuf read = reader(manifest).read(400_000 + between + from, count);
        byte[] bytes = ByteBufUtil.getBytes(read);
        read.release();
        assertArrayEquals(
            Arrays.copyOfRange(last, from, from + count), bytes, between + " then " + from);
      }
    }
  }

  /** Shards of a container that were reported, each with whole sectors that it lacks. */
  private Set<Integer> reported(long container) {
    Set<Integer> shards = new HashSet<>();
    for (ReportDamageRequest report : cluster.damage()) {
      for (int i = 0; i < report.getShardsCount(); i++) {
        ByteRange sectors = report.getSectors(i);
        assertTrue(sectors.getLength() > 0, report::toString);
        assertEquals(0, (sectors.getOffset() | sectors.getLength()) % 4_096, report::toString);
        if (report.getContainer() == container) {
          shards.add(report.getShards(i));
        }
      }
    }
    return shards;
  }

  @Test
  void aMovedShardIsLookedUpAgain() throws Exception {
    start(6);
    byte[] small = content(5_000, 1);
    byte[] large = content(400_000, 2);
    Manifest smallManifest = write(ErasurePolicy.RS_3_2, small, true, 5_000).manifest();
    Manifest largeManifest = write(ErasurePolicy.RS_3_2, large, true, 5_000).manifest();
    ObjectReader stale = reader(largeManifest);
    ObjectReader staleSmall = reader(smallManifest);
    long container = smallManifest.getExtents(0).getContainer();
    cluster.move(container, smallManifest.getExtents(0).getFirstShard(), 5);
    cluster.move(container, 4, 5);
    assertEquals(-1, Arrays.mismatch(large, readAll(stale)));
    assertEquals(-1, Arrays.mismatch(small, readAll(staleSmall)));
    assertTrue(cluster.damage().isEmpty(), "a shard that moved is not damaged");
  }

  @Test
  void objectsOfUnknownLengthThatGrowSideBySideHaveFewExtents() throws Exception {
    start(5);
    cluster.setCapacity(64 << 20);
    byte[] bytes = content(24 << 20, 1);
    List<ObjectWriter> writers = new ArrayList<>();
    for (int i = 0; i < 3; i++) {
      writers.add(path.write(spec(ErasurePolicy.RS_3_2, -1)));
    }
    for (int at = 0; at < bytes.length; at += 64 << 10) {
      for (ObjectWriter writer : writers) {
        writer.write(buffer(bytes, at, 64 << 10));
      }
    }
    for (ObjectWriter writer : writers) {
      Manifest manifest = writer.finish().manifest();
      writer.close();
      assertTrue(manifest.getExtentsCount() <= 12, manifest.getExtentsCount() + " extents");
      assertReads(bytes, manifest);
    }
  }

  /** The record of a completed upload of very many parts. */
  @Test
  void aRecordLargerThanTheStripeMemoryHoldsNothingUp() throws Exception {
    start(5, 1 << 20);
    path.record(
        new RecordSpec(
            7,
            ByteString.copyFromUtf8("some/key"),
            WriteId.random(),
            ErasurePolicy.RS_3_2.name(),
            123,
            ByteString.copyFrom(new byte[400_000])));
    await(() -> cluster.bytesWritten() > 1_200_000);
    assertTrue(cluster.bytesWritten() > 1_200_000);
    byte[] bytes = content(3_000, 1);
    assertReads(bytes, write(ErasurePolicy.RS_3_2, bytes, true, 3_000).manifest());
  }

  @Test
  void recordsRideInALaterStripe() throws Exception {
    start(5);
    write(ErasurePolicy.RS_3_2, content(100, 1), true, 50_000);
    long before = cluster.bytesWritten();
    path.record(
        new RecordSpec(
            7,
            ByteString.copyFromUtf8("some/key"),
            WriteId.random(),
            "rs-3-2",
            123,
            ByteString.copyFromUtf8("renamed")));
    await(() -> cluster.bytesWritten() >= before + 3 * 4096);
    assertEquals(before + 3 * 4096, cluster.bytesWritten());
  }

  @Test
  void closingIsNotHeldUpByLeasesThatAreNotToBeHad() throws Exception {
    ManualClock clock = new ManualClock(1_700_000_000_000_000L);
    start(5, clock);
    cluster.refuseLeases(() -> {});
    path.record(record("rs-3-2"));
    ExecutorService thread = Executors.newSingleThreadExecutor();
    Future<?> closing = thread.submit(path::close);
    await(() -> cluster.leases() > 0);
    clock.advance(Duration.ofSeconds(3)); // a writer would wait for 20
    closing.get(60, TimeUnit.SECONDS);
    thread.shutdown();
  }

  /** A call over the network tries again by itself, for longer than a close may take. */
  @Test
  void closingWaitsForOneCallInVainHoweverManyPoliciesWereWritten() throws Exception {
    ManualClock clock = new ManualClock(1_700_000_000_000_000L);
    start(5, clock);
    cluster.refuseLeases(() -> clock.advance(Duration.ofSeconds(90)));
    for (ErasurePolicy policy : ErasurePolicy.ALL) {
      path.record(record(policy.name()));
    }
    List<String> warnings = new ArrayList<>();
    AppenderSkeleton listening =
        new AppenderSkeleton() {
          @Override
          protected void append(LoggingEvent event) {
            if (Level.WARN.equals(event.getLevel())) {
              warnings.add(event.getRenderedMessage());
            }
          }

          @Override
          public void close() {}

          @Override
          public boolean requiresLayout() {
            return false;
          }
        };
    Logger.getLogger(StowageDataPath.class).addAppender(listening);
    try {
      path.close();
    } finally {
      Logger.getLogger(StowageDataPath.class).removeAppender(listening);
    }
    assertEquals(1, cluster.leases());
    assertEquals(1, warnings.size(), warnings::toString);
    String all = ErasurePolicy.ALL.size() + " records for fsck --rebuild are given up";
    assertTrue(warnings.get(0).startsWith(all), warnings::toString);
  }

  private static RecordSpec record(String policy) {
    return new RecordSpec(
        7, ByteString.copyFromUtf8("key"), WriteId.random(), policy, 1, ByteString.EMPTY);
  }

  @Test
  void grantsNameEachLeaseOnce() {
    LeaseGrant grant = LeaseGrant.newBuilder().setContainer(1).setEpoch(2).build();
    LeaseGrant other = LeaseGrant.newBuilder().setContainer(1).setEpoch(3).build();
    assertEquals(
        List.of(grant, other), Manifests.of(0, List.of(), List.of(grant, other, grant)).grants());
  }
}
