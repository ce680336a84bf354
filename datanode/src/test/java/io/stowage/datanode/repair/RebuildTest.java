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
package io.stowage.datanode.repair;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.stowage.common.conf.Keys;
import io.stowage.common.conf.StowageConfig;
import io.stowage.common.data.ShardService.ShardBytes;
import io.stowage.common.erasure.ErasurePolicy;
import io.stowage.common.error.ErrorCode;
import io.stowage.common.error.StoreException;
import io.stowage.common.fault.CrashPoint;
import io.stowage.common.proto.ByteRange;
import io.stowage.common.proto.Order;
import io.stowage.common.proto.OrderResult;
import io.stowage.common.proto.ReadShardRequest;
import io.stowage.common.proto.RebuildShardOrder;
import io.stowage.common.proto.SealShardRequest;
import io.stowage.common.proto.SectorState;
import io.stowage.common.proto.ShardKey;
import io.stowage.common.proto.ShardPlace;
import io.stowage.common.proto.ShardReport;
import io.stowage.common.time.ManualClock;
import io.stowage.common.time.StoreClock;
import io.stowage.common.tls.ClientTls;
import io.stowage.common.tls.ServerTls;
import io.stowage.common.tls.TestAuthority;
import io.stowage.datanode.repair.TestContainer.Stripe;
import io.stowage.datanode.shard.ShardCheck;
import io.stowage.datanode.shard.ShardId;
import io.stowage.datanode.store.Shard;
import io.stowage.datanode.store.ShardStore;
import io.stowage.datanode.store.StoreSettings;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.concurrent.atomic.AtomicLong;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Shards rebuilt from the others of their containers, over sockets. */
class RebuildTest {
  private static final int SECTOR = TestContainer.SECTOR;
  private static final int SEGMENT = 672;

  private static List<Integer> allBut(ErasurePolicy policy, Integer... missing) {
    return IntStream.range(0, policy.shards())
        .boxed()
        .filter(i -> !List.of(missing).contains(i))
        .toList();
  }

  /** Sectors of a rebuilt shard under whatever epoch they are. */
  private static ShardBytes sectors(ShardStore store, ShardKey key, long offset, int count)
      throws Exception {
    return Shard.await(
        store.read(
            ReadShardRequest.newBuilder()
                .setShard(key)
                .setSectorCrcs(true)
                .addRanges(
                    ByteRange.newBuilder().setOffset(offset).setLength((long) count * SECTOR))
                .build()));
  }

  /** Sectors of a rebuilt shard as those of one epoch. */
  private static ShardBytes sectors(ShardStore store, ShardKey key, long epoch, Stripe stripe)
      throws Exception {
    return Shard.await(
        store.read(
            ReadShardRequest.newBuilder()
                .setShard(key)
                .setEpoch(epoch)
                .setSectorCrcs(true)
                .addRanges(
                    ByteRange.newBuilder()
                        .setOffset(stripe.offset)
                        .setLength((long) stripe.sectors * SECTOR))
                .build()));
  }

  /**
   * Compares a rebuilt shard with what was written.
   *
   * @param damage sectors that cannot be read from their shards
   * @return sectors that are lost
   */
  static int check(
      TestContainer container, int index, ShardKey key, List<Integer> sources, Damage damage)
      throws Exception {
    int lost = 0;
    for (Stripe stripe : container.stripes) {
      ShardBytes read = sectors(container.spare().store, key, stripe.offset, stripe.sectors);
      List<SectorState> states = Shard.states(read.reply());
      boolean whole = true;
      for (int i = 0; i < container.policy.shards(); i++) {
        whole &= stripe.cells[i] == null || (stripe.holders >>> i & 1) != 0;
      }
      for (int i = 0; i < stripe.sectors; i++) {
        long sector = stripe.offset / SECTOR + i;
        int cells = 0;
        boolean copied = false;
        for (int source : sources) {
          if ((stripe.holders >>> source & 1) != 0 && !damage.isLost(source, sector)) {
            copied |= source == index;
            cells += source == index ? 0 : 1;
          }
        }
        boolean decodable = copied || cells >= Integer.bitCount(stripe.bitmap);
        String where = "sector " + sector + " of " + key + ", stripe " + stripe.bitmap;
        byte[] bytes = new byte[SECTOR];
        read.payload().getBytes(i * SECTOR, bytes);
        if (stripe.cells[index] == null) {
          if (decodable) {
            assertEquals(SectorState.NEVER_WRITTEN, states.get(i), where);
          }
        } else if (decodable) {
          assertEquals(SectorState.WRITTEN, states.get(i), where);
          assertTrue(
              Arrays.equals(stripe.cells[index], i * SECTOR, (i + 1) * SECTOR, bytes, 0, SECTOR),
              where);
          assertEquals(stripe.bitmap, read.reply().getUsedShards(i), where);
        } else if (whole) {
          assertEquals(SectorState.LOST, states.get(i), where);
        } else {
          assertNotEquals(SectorState.WRITTEN, states.get(i), where);
        }
        lost += states.get(i) == SectorState.LOST ? 1 : 0;
      }
      read.payload().release();
    }
    return lost;
  }

  /** Which sectors of which shards were made unreadable. */
  static final class Damage {
    private final java.util.Set<Long> sectors = new java.util.HashSet<>();

    boolean isLost(int shard, long sector) {
      return sectors.contains(((long) shard << 40) + sector);
    }

    /** Flips a byte of a sector, on disk. */
    void sector(TestContainer container, int shard, long sector) throws Exception {
      if (!sectors.add(((long) shard << 40) + sector)) {
        return; // a second time would put it right
      }
      long segment = sector / SEGMENT;
      container
          .nodes
          .get(shard)
          .flip(
              container.id(shard),
              32_768 + segment * (8_192 + SEGMENT * 4_096L) + 8_192 + sector % SEGMENT * 4_096 + 7);
    }

    /** Has a spot of a shard's file not be read any more, which costs these sectors. */
    void spot(TestContainer container, int shard, long at, long bytes, long from, long to) {
      TestContainer.Node node = container.nodes.get(shard);
      node.disks.failReads(node.file(container.id(shard)), at, at + bytes);
      for (long i = from; i < to; i++) {
        sectors.add(((long) shard << 40) + i);
      }
    }

    /** Flips a byte in both copies of a checksum page. */
    void pages(TestContainer container, int shard, long segment) throws Exception {
      for (int slot = 0; slot < 2; slot++) {
        container
            .nodes
            .get(shard)
            .flip(
                container.id(shard),
                32_768 + segment * (8_192 + SEGMENT * 4_096L) + slot * 4_096L + 100);
      }
      for (long i = segment * SEGMENT; i < (segment + 1) * SEGMENT; i++) {
        sectors.add(((long) shard << 40) + i);
      }
    }
  }

  /** Every datanode shows the others its certificate. */
  @Test
  void shardsAreRebuiltOverTls(@TempDir Path directory) throws Exception {
    TestAuthority authority = new TestAuthority("authority");
    TestAuthority.Pem pem = authority.issue(directory, "datanode", "127.0.0.1", "localhost");
    StowageConfig config =
        StowageConfig.of(
            Map.of(
                Keys.TLS_MODE.name(), "only",
                Keys.TLS_CLIENT_CERTIFICATES.name(), "all",
                Keys.TLS_CERTIFICATE.name(), pem.certificate().toString(),
                Keys.TLS_KEY.name(), pem.key().toString(),
                Keys.TLS_AUTHORITIES.name(),
                    authority.write(directory.resolve("authority.crt")).toString()));
    rebuildEveryShard(
        List.of(ErasurePolicy.RS_3_2), ServerTls.from(config), ClientTls.from(config));
  }

  @Test
  void everyShardIsRebuiltBitForBit() throws Exception {
    rebuildEveryShard(
        List.of(ErasurePolicy.RS_3_2, ErasurePolicy.RS_1_2), ServerTls.OFF, ClientTls.OFF);
  }

  private static void rebuildEveryShard(
      List<ErasurePolicy> policies, ServerTls server, ClientTls client) throws Exception {
    for (ErasurePolicy policy : policies) {
      try (TestContainer container = new TestContainer(policy, 1, server, client)) {
        container.fill(4, 2_500);
        container.seal();
        for (int index = 0; index < policy.shards(); index++) {
          OrderResult result =
              container.rebuild(container.order(index + 1, index, 1, allBut(policy, index)));
          assertEquals(0, result.getErrorCode(), result.getErrorMessage());
          int lost =
              check(
                  container,
                  index,
                  container.newKey(container.spare(), index, 1),
                  allBut(policy, index),
                  new Damage());
          assertEquals(lost, result.getLostSectors());
        }
      }
    }
  }

  /** A writer that dies while it opens the shards; or one that wants what it did not write. */
  @Test
  void aLeaseThatOpenedOneShortShardTakesNothingFromTheOneBefore() throws Exception {
    ErasurePolicy policy = ErasurePolicy.RS_3_2;
    try (TestContainer container = new TestContainer(policy, 3)) {
      container.open();
      container.writeStripe(3, 4, false);
      container.writeStripe(1, 6, false);
      long epoch = container.epoch();
      int used = Integer.numberOfTrailingZeros(container.stripes.get(1).bitmap);
      container.writeAlone((used + 1) % policy.k(), 2);
      container.seal();
      for (int index = 0; index < policy.shards(); index++) {
        OrderResult result =
            container.rebuild(container.order(index + 1, index, 1, allBut(policy, index)));
        assertEquals(0, result.getErrorCode(), result.getErrorMessage());
        ShardKey key = container.newKey(container.spare(), index, 1);
        assertEquals(0, check(container, index, key, allBut(policy, index), new Damage()));
        for (Stripe stripe : container.stripes) {
          if (stripe.cells[index] == null) {
            continue;
          }
          ShardBytes hers = sectors(container.spare().store, key, epoch, stripe);
          ShardBytes his = sectors(container.spare().store, key, epoch + 1, stripe);
          assertEquals(
              Collections.nCopies(stripe.sectors, SectorState.WRITTEN), Shard.states(hers.reply()));
          assertEquals(
              Collections.nCopies(stripe.sectors, SectorState.LOST), Shard.states(his.reply()));
          hers.payload().release();
          his.payload().release();
        }
      }
    }
  }

  @Test
  void whatCanBeDecodedIsRebuiltAndAllElseIsLost() throws Exception {
    long seed = Long.getLong("stowage.rebuild.seed", System.nanoTime());
    int rounds = Integer.getInteger("stowage.rebuild.rounds", 6);
    for (int round = 0; round < rounds; round++) {
      runDamaged(seed + round);
    }
  }

  private void runDamaged(long seed) throws Exception {
    Random random = new Random(seed);
    ErasurePolicy policy = random.nextInt(4) == 0 ? ErasurePolicy.RS_6_3 : ErasurePolicy.RS_3_2;
    try (TestContainer container = new TestContainer(policy, seed)) {
      container.fill(1 + random.nextInt(6), 300 + random.nextInt(2_000));
      container.seal();
      Damage damage = new Damage();
      int index = random.nextInt(policy.shards());
      List<Integer> sources = new ArrayList<>(allBut(policy, index));
      if (random.nextBoolean()) {
        sources.add(random.nextInt(sources.size()), index); // the damaged copy of the same shard
      } else if (random.nextBoolean()) {
        sources.remove(random.nextInt(sources.size()));
      }
      long written = container.stripes.stream().mapToLong(s -> s.sectors).sum();
      int flips = random.nextInt(400);
      for (int i = 0; i < flips; i++) {
        damage.sector(
            container,
            random.nextInt(policy.shards()),
            (long) (random.nextDouble() * random.nextDouble() * written));
      }
      if (random.nextBoolean()) {
        damage.pages(
            container,
            random.nextInt(policy.shards()),
            random.nextInt((int) written / SEGMENT + 1));
      }
      // what the datanodes had in memory is not what is on disk now
      for (int i = 0; i < policy.shards(); i++) {
        container.nodes.get(i).restart(container.network);
      }
      OrderResult result = container.rebuild(container.order(1, index, 1, sources));
      assertEquals(0, result.getErrorCode(), seed + ": " + result.getErrorMessage());
      int lost =
          check(container, index, container.newKey(container.spare(), index, 1), sources, damage);
      assertTrue(result.getLostSectors() >= lost, "seed " + seed);
      container.spare().restart(container.network);
      check(container, index, container.newKey(container.spare(), index, 1), sources, damage);
    } catch (AssertionError e) {
      throw new AssertionError("seed " + seed + ": " + e.getMessage(), e);
    }
  }

  @Test
  void tooFewSourcesAreRefusedAndLeaveNothing() throws Exception {
    ErasurePolicy policy = ErasurePolicy.RS_3_2;
    try (TestContainer container = new TestContainer(policy, 3)) {
      container.fill(1, 100);
      container.seal();
      OrderResult result = container.rebuild(container.order(1, 0, 1, List.of(1, 2)));
      assertEquals(ErrorCode.DATA_UNAVAILABLE.number(), result.getErrorCode());
      assertTrue(container.spare().disks.find(".new").isEmpty());
      assertTrue(container.spare().store.reports().isEmpty());
    }
  }

  @Test
  void aCrashAtAnyStepLeavesAWholeShardOrNone() throws Exception {
    ErasurePolicy policy = ErasurePolicy.RS_3_2;
    List<String> points =
        List.of(
            "after-create",
            "after-segment",
            "after-superblocks",
            "after-force",
            "after-rename",
            "before-answer");
    try (TestContainer container = new TestContainer(policy, 5)) {
      container.fill(3, 1_500);
      container.seal();
      for (int round = 0; round < 4 * points.size(); round++) {
        String point = points.get(round % points.size());
        boolean power = round / points.size() % 2 == 0;
        int generation = round + 1;
        TestContainer.Node spare = container.spare();
        CountDownLatch died = new CountDownLatch(1);
        CrashPoint.named("datanode.rebuild." + point)
            .arm(
                () -> {
                  spare.disks.stopAfter(0);
                  died.countDown();
                  throw new CrashPoint.Crash(point);
                });
        List<OrderResult> answers = new CopyOnWriteArrayList<>();
        Order order = container.order(round + 1, 2, generation, allBut(policy, 2));
        spare.rebuilds.order(order, answers::add);
        assertTrue(died.await(30, TimeUnit.SECONDS), point);
        CrashPoint.disarmAll();
        spare.stop();
        if (power) {
          spare.disks.losePower(container.random);
        } else {
          spare.disks.killProcess();
        }
        spare.start(container.network, TestContainer.SETTINGS);
        assertEquals(List.of(), answers, point + ": a dead process answered");
        assertEquals(List.of(), spare.disks.find(".new"), point);
        ShardKey key = container.newKey(spare, 2, generation);
        boolean there =
            spare.store.reports().stream().anyMatch(r -> r.getGeneration() == generation);
        boolean certain = point.equals("before-answer");
        boolean impossible = points.indexOf(point) < points.indexOf("after-rename");
        assertTrue(there || !certain, point + ": a durable shard is gone");
        assertFalse(there && impossible, point + ": a shard that was not finished is there");
        if (there) {
          check(container, 2, key, allBut(policy, 2), new Damage());
        }
        OrderResult again =
            container.rebuild(container.order(round + 1, 2, generation, allBut(policy, 2)));
        assertEquals(0, again.getErrorCode(), again.getErrorMessage());
        check(container, 2, key, allBut(policy, 2), new Damage());
      }
    } finally {
      CrashPoint.disarmAll();
    }
  }

  /** Holds a rebuild at its first segment until released. */
  private static CountDownLatch hold(CountDownLatch reached) {
    return hold("datanode.rebuild.after-create", reached);
  }

  private static CountDownLatch hold(String point, CountDownLatch reached) {
    CountDownLatch release = new CountDownLatch(1);
    CrashPoint.named(point)
        .arm(
            () -> {
              reached.countDown();
              try {
                assertTrue(release.await(30, TimeUnit.SECONDS));
              } catch (InterruptedException e) {
                throw new AssertionError(e);
              }
            });
    return release;
  }

  @Test
  void repeatedOrdersJoinAndNewerGenerationsEndOlderOnes() throws Exception {
    ErasurePolicy policy = ErasurePolicy.RS_3_2;
    try (TestContainer container = new TestContainer(policy, 7)) {
      container.fill(1, 300);
      container.seal();
      Rebuilds rebuilds = container.spare().rebuilds;
      CountDownLatch reached = new CountDownLatch(1);
      CountDownLatch release = hold(reached);
      BlockingQueue<OrderResult> answers = new LinkedBlockingQueue<>();
      rebuilds.order(container.order(1, 0, 1, allBut(policy, 0)), answers::add);
      assertTrue(reached.await(30, TimeUnit.SECONDS));
      rebuilds.order(container.order(2, 0, 1, allBut(policy, 0)), answers::add);
      assertEquals(List.of(1L, 2L), rebuilds.progress().stream().map(p -> p.getOrderId()).toList());
      assertTrue(rebuilds.progress().get(0).getBytesTotal() > 0);
      release.countDown();
      for (long id = 1; id <= 2; id++) {
        OrderResult answer = answers.poll(30, TimeUnit.SECONDS);
        assertEquals(0, answer.getErrorCode(), answer.getErrorMessage());
        assertEquals(id, answer.getOrderId());
        assertTrue(answer.getEnd() > 0);
      }
      assertEquals(List.of(), rebuilds.progress());
      // once more: answered by what is there
      rebuilds.order(container.order(3, 0, 1, List.of()), answers::add);
      assertEquals(0, answers.remove().getErrorCode());

      reached = new CountDownLatch(1);
      release = hold(reached);
      rebuilds.order(container.order(4, 1, 2, allBut(policy, 1)), answers::add);
      assertTrue(reached.await(30, TimeUnit.SECONDS));
      rebuilds.order(container.order(5, 1, 3, allBut(policy, 1)), answers::add);
      release.countDown();
      CrashPoint.disarmAll();
      OrderResult one = answers.poll(30, TimeUnit.SECONDS);
      OrderResult two = answers.poll(30, TimeUnit.SECONDS);
      OrderResult older = one.getGeneration() == 2 ? one : two;
      OrderResult newer = one.getGeneration() == 2 ? two : one;
      assertEquals(ErrorCode.FENCED.number(), older.getErrorCode());
      assertEquals(0, newer.getErrorCode(), newer.getErrorMessage());
      assertEquals(List.of(), container.spare().disks.find(".new"));
    } finally {
      CrashPoint.disarmAll();
    }
  }

  private static long lostIn(TestContainer container, int generation) {
    ShardId id = new ShardId(TestContainer.CONTAINER, 0, generation);
    return container.spare().store.report(container.spare().diskId(), id).getLostSectors();
  }

  /** The same order to mend the shard 0 that the spare node has. */
  private static Order mend(Order order, TestContainer container, int generation) {
    ShardPlace there =
        container.place(container.policy.shards()).toBuilder()
            .setIndex(0)
            .setGeneration(generation)
            .build();
    RebuildShardOrder.Builder rebuild = order.getRebuild().toBuilder().setMend(true);
    return order.toBuilder().setRebuild(rebuild.addSources(0, there)).build();
  }

  @Test
  void whatASilentSourceMayHaveIsNotGivenUp() throws Exception {
    ErasurePolicy policy = ErasurePolicy.RS_3_2;
    try (TestContainer container = new TestContainer(policy, 11)) {
      container.open();
      container.writeStripe(3, 20, false);
      container.seal();
      Damage damage = new Damage();
      damage.sector(container, 1, 3);
      Order order = container.order(1, 0, 1, allBut(policy, 0));
      container.nodes.get(4).stop();
      OrderResult refused = container.rebuild(order);
      assertEquals(ErrorCode.DATA_UNAVAILABLE.number(), refused.getErrorCode());
      assertTrue(refused.getErrorMessage().contains("does not answer"), refused.getErrorMessage());
      assertEquals(List.of(), container.spare().disks.find(".new"));
      // SCM gives the silent one up
      List<Integer> rest = allBut(policy, 0, 4);
      OrderResult lossy = container.rebuild(container.order(2, 0, 2, rest));
      assertEquals(0, lossy.getErrorCode(), lossy.getErrorMessage());
      assertEquals(1, lossy.getLostSectors());
      check(container, 0, container.newKey(container.spare(), 0, 2), rest, damage);
      // which the shard says of itself from then on, and the node of a repeated order
      assertEquals(1, lostIn(container, 2));
      container.spare().restart(container.network);
      assertEquals(1, lostIn(container, 2));
      assertEquals(1, container.rebuild(container.order(2, 0, 2, rest)).getLostSectors());
      // Nobody has more than before: there is nothing to replace it by
      OrderResult vain = container.rebuild(mend(container.order(3, 0, 3, rest), container, 2));
      assertEquals(ErrorCode.DATA_UNAVAILABLE.number(), vain.getErrorCode());
      assertTrue(vain.getErrorMessage().contains("no fewer sectors"), vain.getErrorMessage());
      assertEquals(List.of(), container.spare().disks.find(".new"));
      assertEquals(1, container.spare().store.reports().size());
      // it comes back
      container.nodes.get(4).start(container.network, TestContainer.SETTINGS);
      OrderResult whole =
          container.rebuild(mend(container.order(4, 0, 4, allBut(policy, 0)), container, 2));
      assertEquals(0, whole.getErrorCode(), whole.getErrorMessage());
      assertEquals(0, whole.getLostSectors());
      assertEquals(0, lostIn(container, 4));
      check(container, 0, container.newKey(container.spare(), 0, 4), allBut(policy, 0), damage);
      // marks of a rebuild are known damage, not news
      container
          .spare()
          .store
          .check(
              container.spare().diskId(),
              new ShardId(TestContainer.CONTAINER, 0, 2),
              bytes -> {},
              ShardCheck.memory());
      assertEquals(0, container.spare().store.damaged().count());
    }
  }

  /** m+1 disks fail one force each: what was answered before is there, in shards never sealed. */
  @Test
  void shardsThatFailedAreSourcesLikeOthers() throws Exception {
    ErasurePolicy policy = ErasurePolicy.RS_3_2;
    try (TestContainer container = new TestContainer(policy, 29)) {
      container.fill(2, 800);
      List<TestContainer.Node> hit = container.nodes.subList(0, 3);
      hit.forEach(node -> node.disks.failForces(path -> path.toString().endsWith(".shard")));
      assertThrows(StoreException.class, container::seal);
      for (int i = 0; i < hit.size(); i++) {
        int index = i;
        assertThrows(
            StoreException.class,
            () ->
                Shard.await(
                    hit.get(index)
                        .store
                        .seal(
                            SealShardRequest.newBuilder()
                                .setShard(container.shard(index).key())
                                .setEpoch(container.epoch())
                                .build())));
        hit.get(i).disks.failForces(path -> false);
      }
      container.nodes.get(0).restart(container.network); // it has a mark beside it
      for (int index = 0; index < hit.size(); index++) {
        ShardReport report =
            hit.get(index).store.report(hit.get(index).diskId(), container.id(index));
        assertTrue(report.getFailed() && report.getReadable());
        OrderResult result =
            container.rebuild(container.order(index + 1, index, 1, allBut(policy)));
        assertEquals(0, result.getErrorCode(), result.getErrorMessage());
        ShardKey key = container.newKey(container.spare(), index, 1);
        int lost = check(container, index, key, allBut(policy), new Damage());
        assertEquals(lost, result.getLostSectors());
      }
      // nothing can be read where the file is gone
      TestContainer.Node first = hit.get(0);
      first.disks.delete(first.file(container.id(0)));
      first.store.check(first.diskId(), container.id(0), bytes -> {}, ShardCheck.memory());
      assertFalse(first.store.report(first.diskId(), container.id(0)).getReadable());
    }
  }

  /** On the last k shards, each of which has a bad spot. */
  @Test
  void aBadSpotOfASourceCostsNoMoreThanItself() throws Exception {
    ErasurePolicy policy = ErasurePolicy.RS_3_2;
    try (TestContainer container = new TestContainer(policy, 31)) {
      container.fill(2, 2_500);
      container.seal();
      List<Integer> rest = List.of(1, 2, 3);
      for (int index : rest) {
        container.nodes.get(index).restart(container.network); // nothing is in memory
      }
      long segment1 = 32_768 + 8_192 + SEGMENT * 4_096L;
      Damage damage = new Damage();
      damage.spot(container, 1, 32_768 + 4_096 + 100, 1, 0, 0); // one slot of a page
      damage.spot(container, 2, segment1 + 4_000, 200, SEGMENT, 2 * SEGMENT); // both
      long sector40 = 32_768 + 8_192 + 40 * 4_096;
      damage.spot(container, 3, sector40, 60 * 4_096, 40, 100); // more than a read puts up with
      OrderResult result = container.rebuild(container.order(1, 0, 1, rest));
      assertEquals(0, result.getErrorCode(), result.getErrorMessage());
      int lost = check(container, 0, container.newKey(container.spare(), 0, 1), rest, damage);
      assertTrue(lost > 0);
      assertEquals(lost, result.getLostSectors());
      for (int index : List.of(2, 3)) { // which is news to their scrubbers
        TestContainer.Node node = container.nodes.get(index);
        assertEquals(container.id(index), node.store.damaged().nextSuspect(node.diskId()));
      }
    }
  }

  @Test
  void whatIsOnADiskThatIsOutIsNotGivenUp() throws Exception {
    ErasurePolicy policy = ErasurePolicy.RS_3_2;
    try (TestContainer container = new TestContainer(policy, 37)) {
      container.open();
      container.writeStripe(3, 20, false);
      container.seal();
      Damage damage = new Damage();
      damage.sector(container, 1, 3);
      TestContainer.Node out = container.nodes.get(4);
      out.disks.failEverything(path -> true);
      awaitDisk(out, true);
      Order order = container.order(1, 0, 1, allBut(policy, 0));
      OrderResult refused = container.rebuild(order);
      assertEquals(ErrorCode.DATA_UNAVAILABLE.number(), refused.getErrorCode());
      assertTrue(refused.getErrorMessage().contains("does not answer"), refused.getErrorMessage());
      out.disks.failEverything(path -> false);
      awaitDisk(out, false);
      OrderResult whole = container.rebuild(container.order(2, 0, 2, allBut(policy, 0)));
      assertEquals(0, whole.getErrorCode(), whole.getErrorMessage());
      assertEquals(0, whole.getLostSectors());
    }
  }

  /** What it says of itself is in memory, its pages may be; nothing of its file can be read. */
  @Test
  void whatIsOnADeviceThatIsGoneIsNotGivenUp() throws Exception {
    for (boolean remembered : List.of(true, false)) {
      assertWaitsForItsDevice(1, remembered, 0, 3);
    }
    assertWaitsForItsDevice(6, false, 0, 5 * SEGMENT + 3);
    assertWaitsForItsDevice(6, false, 1, 5 * SEGMENT + 3);
  }

  /**
   * Rebuilds where one sector of another source is bad.
   *
   * @param remembered pages are
   * @param from segment from which on the device gives nothing
   */
  private static void assertWaitsForItsDevice(
      int segments, boolean remembered, int from, long badSector) throws Exception {
    ErasurePolicy policy = ErasurePolicy.RS_3_2;
    try (TestContainer container = new TestContainer(policy, 41)) {
      container.open();
      for (int i = 0; i < segments; i++) {
        container.writeStripe(3, segments == 1 ? 20 : SEGMENT, false);
      }
      container.seal();
      Damage damage = new Damage();
      damage.sector(container, 1, badSector);
      TestContainer.Node gone = container.nodes.get(4);
      if (!remembered) {
        gone.restart(container.network);
      }
      long first = from == 0 ? 0 : 32_768 + from * (8_192 + SEGMENT * 4_096L);
      gone.disks.failReads(gone.file(container.id(4)), first, Long.MAX_VALUE);
      OrderResult refused = container.rebuild(container.order(1, 0, 1, allBut(policy, 0)));
      assertEquals(ErrorCode.DATA_UNAVAILABLE.number(), refused.getErrorCode());
      String message = refused.getErrorMessage();
      assertTrue(message.contains("shard 4 generation 0"), message);
      assertEquals(List.of(), container.spare().disks.find(".new"));
      gone.disks.failReads(null, 0, 0);
      OrderResult whole = container.rebuild(container.order(2, 0, 2, allBut(policy, 0)));
      assertEquals(0, whole.getErrorCode(), whole.getErrorMessage());
      assertEquals(0, whole.getLostSectors());
    }
  }

  /** Too many open files, say: it would have all the next time it is asked. */
  @Test
  void aSourceThatCannotBeOpenedOnceIsSurveyedAgain() throws Exception {
    ErasurePolicy policy = ErasurePolicy.RS_3_2;
    try (TestContainer container = new TestContainer(policy, 43)) {
      container.open();
      container.writeStripe(3, 20, false);
      container.seal();
      TestContainer.Node node = container.nodes.get(3);
      node.restart(container.network);
      AtomicLong failures = new AtomicLong(1);
      node.disks.failEverything(
          path -> path.toString().endsWith(".shard") && failures.getAndDecrement() > 0);
      List<Integer> rest = List.of(1, 2, 3);
      OrderResult result = container.rebuild(container.order(1, 0, 1, rest));
      assertEquals(0, result.getErrorCode(), result.getErrorMessage());
      assertTrue(failures.get() < 0);
      assertEquals(0, result.getLostSectors());
      check(container, 0, container.newKey(container.spare(), 0, 1), rest, new Damage());
    }
  }

  private static void awaitDisk(TestContainer.Node node, boolean failed) {
    long deadline = System.nanoTime() + TimeUnit.SECONDS.toNanos(10);
    while (node.store.diskInfos().get(0).getFailed() != failed) {
      assertTrue(System.nanoTime() < deadline, "not within ten seconds");
      node.store.checkDisks();
      Thread.onSpinWait();
    }
  }

  @Test
  void aSourceThatLiesIsReplaced() throws Exception {
    ErasurePolicy policy = ErasurePolicy.RS_3_2;
    try (TestContainer container = new TestContainer(policy, 13)) {
      container.fill(2, 2_000);
      container.seal();
      container.nodes.get(1).disks.lieOnRead(path -> path.toString().endsWith(".shard"));
      CountDownLatch reached = new CountDownLatch(1);
      CountDownLatch release = hold(reached);
      CompletableFuture<OrderResult> answer = new CompletableFuture<>();
      container
          .spare()
          .rebuilds
          .order(container.order(1, 0, 1, allBut(policy, 0)), answer::complete);
      assertTrue(reached.await(30, TimeUnit.SECONDS));
      release.countDown();
      CrashPoint.disarmAll();
      OrderResult result = answer.get(60, TimeUnit.SECONDS);
      assertEquals(0, result.getErrorCode(), result.getErrorMessage());
      Damage damage = new Damage();
      check(container, 0, container.newKey(container.spare(), 0, 1), allBut(policy, 0), damage);
    } finally {
      CrashPoint.disarmAll();
    }
  }

  /** After the first of four segments; of the second and third it has told what its pages say. */
  @Test
  void aSourceThatDiesOnTheWayIsReplaced() throws Exception {
    ErasurePolicy policy = ErasurePolicy.RS_3_2;
    try (TestContainer container = new TestContainer(policy, 47)) {
      container.open();
      for (int i = 0; i < 8; i++) {
        container.writeStripe(3, SEGMENT / 2, false);
      }
      container.seal();
      CountDownLatch reached = new CountDownLatch(1);
      CountDownLatch release = hold("datanode.rebuild.after-segment", reached);
      CompletableFuture<OrderResult> answer = new CompletableFuture<>();
      Rebuilds rebuilds = container.spare().rebuilds;
      rebuilds.order(container.order(1, 0, 1, allBut(policy, 0)), answer::complete);
      assertTrue(reached.await(30, TimeUnit.SECONDS));
      assertTrue(bytesRead(container.nodes.get(1)) > 0, "it was one of those that were read");
      container.nodes.get(1).server.close();
      long before = bytesRead(container.nodes.get(4));
      release.countDown();
      OrderResult result = answer.get(60, TimeUnit.SECONDS);
      assertEquals(0, result.getErrorCode(), result.getErrorMessage());
      assertEquals(0, result.getLostSectors());
      assertTrue(bytesRead(container.nodes.get(4)) > before, "another was read in its place");
      ShardKey key = container.newKey(container.spare(), 0, 1);
      check(container, 0, key, allBut(policy, 0), new Damage());
    } finally {
      CrashPoint.disarmAll();
    }
  }

  private static long bytesRead(TestContainer.Node node) {
    return node.store.diskFigures().get(node.diskId()).bytesRead();
  }

  /** Neither read from anybody nor written: of stripes of one cell one shard in three has any. */
  @Test
  void holesCostNoBytes() throws Exception {
    ErasurePolicy policy = ErasurePolicy.RS_3_2;
    try (TestContainer container = new TestContainer(policy, 53)) {
      container.open();
      int height = 50; // more than is read along rather than asked for apart
      long bytes = 0;
      for (int i = 0; i < 20; i++) {
        boolean used = container.writeStripe(1, height, ~0).cells[0] != null;
        bytes += used ? (long) height * SECTOR : 0;
      }
      assertTrue(bytes > 0 && bytes < 20L * height * SECTOR, bytes + " bytes");
      container.seal();
      long before = container.nodes.stream().mapToLong(RebuildTest::bytesRead).sum();
      TestContainer.Node spare = container.spare();
      OrderResult result = container.rebuild(container.order(1, 0, 1, allBut(policy, 0)));
      assertEquals(0, result.getErrorCode(), result.getErrorMessage());
      assertEquals(bytes, spare.store.diskFigures().get(spare.diskId()).bytesRebuilt());
      assertEquals(
          bytes, container.nodes.stream().mapToLong(RebuildTest::bytesRead).sum() - before);
    }
  }

  @Test
  void aDiskThatFillsOrFailsLeavesNothingHalf() throws Exception {
    ErasurePolicy policy = ErasurePolicy.RS_3_2;
    try (TestContainer container = new TestContainer(policy, 17)) {
      container.fill(2, 1_500);
      container.seal();
      TestContainer.Node spare = container.spare();
      spare.disks.setCapacity(spare.disks.usedBytes() + (1 << 20));
      OrderResult full = container.rebuild(container.order(1, 0, 1, allBut(policy, 0)));
      assertEquals(ErrorCode.DISK_FULL.number(), full.getErrorCode(), full.getErrorMessage());
      assertFalse(spare.store.diskInfos().get(0).getFailed(), "a full disk serves on");
      spare.disks.setCapacity(Long.MAX_VALUE);
      spare.disks.failForces(path -> path.toString().endsWith(".new"));
      OrderResult failed = container.rebuild(container.order(2, 0, 1, allBut(policy, 0)));
      assertEquals(ErrorCode.SHARD_FAILED.number(), failed.getErrorCode());
      spare.disks.failForces(path -> false);
      assertEquals(List.of(), spare.disks.find(".new"));
      assertEquals(List.of(), spare.store.reports());
      OrderResult done = container.rebuild(container.order(3, 0, 1, allBut(policy, 0)));
      assertEquals(0, done.getErrorCode(), done.getErrorMessage());
      check(container, 0, container.newKey(spare, 0, 1), allBut(policy, 0), new Damage());
    }
  }

  /**
   * A clock that goes on by so much whenever somebody looks at it, so that who waits for a time
   * gets there, and who does not wait leaves it standing.
   */
  private static final class TickingClock implements StoreClock {
    private static final long TICK_NANOS = TimeUnit.MILLISECONDS.toNanos(10);
    private final AtomicLong nanos = new AtomicLong();

    @Override
    public long monotonicNanos() {
      return nanos.addAndGet(TICK_NANOS);
    }

    @Override
    public long wallMicros() {
      return 1_700_000_000_000_000L + nanos.get() / 1_000;
    }
  }

  /** Nanoseconds of the injected clock that a rebuild took whose disk has this repair rate. */
  private static long rebuildAt(TestContainer container, long bytesPerSecond, int generation)
      throws Exception {
    TickingClock clock = new TickingClock();
    TestContainer.Node spare = container.spare();
    spare.stop();
    spare.start(
        container.network,
        new StoreSettings(0, true, 64 << 20, bytesPerSecond, false),
        ServerTls.OFF,
        clock);
    long began = clock.nanos.get();
    OrderResult result =
        container.rebuild(container.order(generation, 0, generation, allBut(container.policy, 0)));
    long took = clock.nanos.get() - began;
    assertEquals(0, result.getErrorCode(), result.getErrorMessage());
    check(
        container,
        0,
        container.newKey(spare, 0, generation),
        allBut(container.policy, 0),
        new Damage());
    return took;
  }

  @Test
  void aRebuildWritesNoFasterThanItsDisksRepairRate() throws Exception {
    long rate = 1 << 20;
    try (TestContainer container = new TestContainer(ErasurePolicy.RS_3_2, 19)) {
      container.fill(1, 2_500);
      container.seal();
      // Written at once are a tenth of a second's bytes and the last segment, paid for afterwards.
      long last = container.stripes.stream().mapToLong(s -> s.offset).max().orElseThrow();
      long lastSegment = last / SECTOR / SEGMENT;
      long paid =
          container.stripes.stream()
              .filter(s -> s.cells[0] != null)
              .filter(s -> (s.offset / SECTOR + s.sectors - 1) / SEGMENT < lastSegment)
              .mapToLong(s -> (long) s.sectors * SECTOR)
              .sum();
      assertTrue(paid > 2 * rate, paid + " bytes");
      long least = (long) ((double) paid / rate * 1e9) - TimeUnit.MILLISECONDS.toNanos(100);
      long throttled = rebuildAt(container, rate, 1);
      assertTrue(throttled >= least, paid + " bytes took " + throttled + " ns");
      long unthrottled = rebuildAt(container, 0, 2);
      assertTrue(unthrottled < least, "without a limit: " + unthrottled + " ns");
    }
  }

  @Test
  void aSourceReadsNoFasterForOthersThanItsDisksRepairRateAndForUsersAsEver() throws Exception {
    ManualClock clock = new ManualClock(1_700_000_000_000_000L);
    try (TestContainer container = new TestContainer(ErasurePolicy.RS_3_2, 23)) {
      container.open();
      container.writeStripe(3, 256, false);
      container.seal();
      TestContainer.Node source = container.nodes.get(1);
      source.stop();
      source.start(
          container.network,
          new StoreSettings(0, true, 64 << 20, 1 << 20, false),
          ServerTls.OFF,
          clock);
      ReadShardRequest users =
          ReadShardRequest.newBuilder()
              .setShard(container.shard(1).key())
              .setSectorCrcs(true)
              .addRanges(ByteRange.newBuilder().setOffset(0).setLength(256 * SECTOR))
              .build();
      ReadShardRequest background = users.toBuilder().setBackground(true).build();
      Shard.await(source.store.read(background)).payload().release();
      for (int i = 0; i < 3; i++) {
        StoreException refused =
            assertThrows(StoreException.class, () -> Shard.await(source.store.read(background)));
        assertEquals(ErrorCode.OVERLOADED, refused.code(), refused.getMessage());
        Shard.await(source.store.read(users)).payload().release();
      }
      // A rebuild asks again rather than do without a source that is only busy.
      CompletableFuture<OrderResult> answer = new CompletableFuture<>();
      container
          .spare()
          .rebuilds
          .order(container.order(1, 0, 1, List.of(1, 2, 3)), answer::complete);
      assertThrows(TimeoutException.class, () -> answer.get(200, TimeUnit.MILLISECONDS));
      OrderResult result = null;
      for (int i = 0; result == null; i++) {
        assertTrue(i < 600, "the source has been paid for " + i + " times");
        clock.advance(Duration.ofMillis(250));
        try {
          result = answer.get(50, TimeUnit.MILLISECONDS);
        } catch (TimeoutException e) {
          // still busy
        }
      }
      assertEquals(0, result.getErrorCode(), result.getErrorMessage());
      check(
          container, 0, container.newKey(container.spare(), 0, 1), List.of(1, 2, 3), new Damage());
    }
  }
}
