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
package io.stowage.datanode.report;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.stowage.common.data.NetworkDatanodes;
import io.stowage.common.error.ErrorCode;
import io.stowage.common.error.StoreException;
import io.stowage.common.proto.DeleteShardOrder;
import io.stowage.common.proto.HeartbeatReply;
import io.stowage.common.proto.HeartbeatRequest;
import io.stowage.common.proto.Order;
import io.stowage.common.proto.OrderResult;
import io.stowage.common.proto.RegisterDatanodeReply;
import io.stowage.common.proto.RegisterDatanodeRequest;
import io.stowage.common.proto.SealShardRequest;
import io.stowage.common.proto.ShardGrant;
import io.stowage.common.proto.ShardKey;
import io.stowage.common.proto.ShardReport;
import io.stowage.common.proto.TokenKey;
import io.stowage.common.proto.TokenKeys;
import io.stowage.common.scm.DatanodeReports;
import io.stowage.common.time.ManualClock;
import io.stowage.common.time.StoreClock;
import io.stowage.common.tls.ClientTls;
import io.stowage.common.token.ShardTokens;
import io.stowage.common.token.TokenKeyRing;
import io.stowage.datanode.fault.SimulatedDisks;
import io.stowage.datanode.repair.Rebuilds;
import io.stowage.datanode.repair.RepairSettings;
import io.stowage.datanode.store.Shard;
import io.stowage.datanode.store.ShardStore;
import io.stowage.datanode.store.StoreSettings;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import org.apache.hadoop.thirdparty.protobuf.ByteString;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** What one SCM hears, and what the node does at its word. */
class ScmReporterTest {
  /** An SCM that writes down what it hears and answers what a test has prepared. */
  private static final class Scm implements DatanodeReports {
    final List<RegisterDatanodeRequest> registrations = new ArrayList<>();
    final List<HeartbeatRequest> heartbeats = new ArrayList<>();
    HeartbeatReply next = HeartbeatReply.getDefaultInstance();
    String clusterId = "c-1";
    long leaderEpoch;
    boolean down;

    @Override
    public RegisterDatanodeReply register(RegisterDatanodeRequest request) throws StoreException {
      checkUp();
      registrations.add(request);
      return RegisterDatanodeReply.newBuilder()
          .setClusterId(clusterId)
          .setLeaderEpoch(leaderEpoch)
          .build();
    }

    @Override
    public HeartbeatReply heartbeat(HeartbeatRequest request) throws StoreException {
      checkUp();
      heartbeats.add(request);
      HeartbeatReply reply = next;
      next = HeartbeatReply.getDefaultInstance();
      return reply;
    }

    private void checkUp() throws StoreException {
      if (down) {
        throw new StoreException(ErrorCode.UNAVAILABLE, "down");
      }
    }

    HeartbeatRequest last() {
      return heartbeats.get(heartbeats.size() - 1);
    }
  }

  private static final Path D1 = Path.of("/sim/d1");

  private final SimulatedDisks disks = new SimulatedDisks();
  private final ManualClock clock = new ManualClock(1_700_000_000_000_000L);
  private final Scm scm = new Scm();
  private final TokenKeyRing keys = new TokenKeyRing();
  private ShardStore store;
  private ScmReporter reporter;
  private NetworkDatanodes datanodes;
  private Rebuilds rebuilds;
  private Orders orders;
  private Shard shard;

  @BeforeEach
  void start() throws Exception {
    store =
        ShardStore.open(
            List.of(D1, Path.of("/sim/d2")),
            disks,
            new StoreSettings(0, true, 64 << 20),
            StoreClock.system());
    datanodes = new NetworkDatanodes(ClientTls.OFF);
    rebuilds = new Rebuilds(store, datanodes, new RepairSettings(1, 64 << 20), StoreClock.system());
    orders = new Orders(store, rebuilds, clock);
    reporter = new ScmReporter("test", scm, store, orders, keys, "h", 1234, clock);
    store.addListener(reporter);
    shard = new Shard(store, store.diskInfos().get(0).getDiskId());
  }

  @AfterEach
  void close() {
    orders.close();
    rebuilds.close();
    datanodes.close();
    store.close();
  }

  private OrderResult obey(Order order) throws Exception {
    CompletableFuture<OrderResult> result = new CompletableFuture<>();
    orders.obey(order, result::complete);
    return result.get(30, TimeUnit.SECONDS);
  }

  /** Beats until the results of so many orders were told. */
  private List<OrderResult> resultsTold(int count) {
    long deadline = System.nanoTime() + TimeUnit.SECONDS.toNanos(30);
    while (true) {
      List<OrderResult> told =
          scm.heartbeats.stream().flatMap(each -> each.getResultsList().stream()).toList();
      if (told.size() >= count) {
        return told;
      }
      assertTrue(System.nanoTime() < deadline, "told: " + told);
      Thread.onSpinWait();
      assertTrue(reporter.beat());
    }
  }

  private Order delete(long id, ShardKey key) {
    return Order.newBuilder()
        .setOrderId(id)
        .setShard(key)
        .setDelete(DeleteShardOrder.getDefaultInstance())
        .build();
  }

  private Order.Builder order(long id, long leaderEpoch, long rowVersion) {
    return Order.newBuilder()
        .setOrderId(id)
        .setLeaderEpoch(leaderEpoch)
        .setRowVersion(rowVersion)
        .setShard(shard.key());
  }

  private Order seal(long id, long leaderEpoch, long rowVersion, long epoch) {
    return order(id, leaderEpoch, rowVersion)
        .setSeal(SealShardRequest.newBuilder().setShard(shard.key()).setEpoch(epoch))
        .build();
  }

  @Test
  void registersReportsAllThenWhatChanged() throws Exception {
    shard.open(1, 1);
    assertTrue(reporter.beat());
    assertEquals(1, scm.registrations.size());
    assertEquals("h", scm.registrations.get(0).getHost());
    assertEquals("", scm.registrations.get(0).getClusterId(), "not known yet");
    assertEquals("c-1", store.clusterId());
    assertTrue(scm.last().getFullReport());
    assertEquals(1, scm.last().getShardsCount());
    assertEquals(clock.wallMicros(), scm.last().getWallMicros());
    assertTrue(reporter.beat());
    assertFalse(scm.last().getFullReport());
    assertEquals(0, scm.last().getShardsCount());
    shard.write(1, 0, Shard.bytes(1, 4096), 1);
    assertTrue(reporter.beat());
    ShardReport changed = scm.last().getShards(0);
    assertEquals(4096, changed.getEnd());
    assertEquals(1, changed.getEpoch());
    assertEquals(1, scm.registrations.size());
  }

  @Test
  void whatAnScmMissedIsToldLater() throws Exception {
    reporter.beat();
    scm.down = true;
    shard.open(1, 1);
    assertFalse(reporter.beat());
    scm.down = false;
    assertTrue(reporter.beat());
    assertEquals(1, scm.last().getShardsCount());
  }

  @Test
  void registersAgainWhenAskedAndReportsInFull() throws Exception {
    reporter.beat();
    scm.next = HeartbeatReply.newBuilder().setRegister(true).build();
    reporter.beat();
    reporter.beat();
    assertEquals(2, scm.registrations.size());
    assertEquals("c-1", scm.registrations.get(1).getClusterId());
    assertTrue(scm.last().getFullReport());
    scm.next = HeartbeatReply.newBuilder().setSendFullReport(true).build();
    reporter.beat();
    assertFalse(scm.last().getFullReport());
    reporter.beat();
    assertTrue(scm.last().getFullReport());
  }

  private TokenKey key(int id) {
    return TokenKey.newBuilder()
        .setId(id)
        .setSecret(ByteString.copyFrom(new byte[] {(byte) id}))
        .setSignsFromMicros(clock.wallMicros() + id)
        .setUntilMicros(Long.MAX_VALUE)
        .build();
  }

  private static TokenKeys keys(long version, TokenKey... keys) {
    return TokenKeys.newBuilder().setVersion(version).addAllKeys(List.of(keys)).build();
  }

  /** A token that the newest of these keys signs. */
  private ByteString signed(TokenKeys by) throws StoreException {
    TokenKeyRing ring = new TokenKeyRing();
    ring.take(by);
    return new ShardTokens(ring, clock)
        .sign(ShardGrant.newBuilder().setExpiryMicros(Long.MAX_VALUE).build());
  }

  /** A datanode that runs is told each key while tokens of the one before still come. */
  @Test
  void keysThatAreRolledComeWithHeartbeats() throws Exception {
    ShardTokens checks = new ShardTokens(keys, clock);
    TokenKeys first = keys(1, key(1));
    TokenKeys both = keys(2, key(1), key(2));
    clock.advance(Duration.ofSeconds(1)); // when either may sign
    ByteString old = signed(first);
    ByteString fresh = signed(both);
    assertTrue(reporter.beat());
    assertEquals(0, scm.last().getTokenKeysVersion());
    assertEquals(
        ErrorCode.UNAVAILABLE, assertThrows(StoreException.class, () -> checks.verify(old)).code());
    scm.next = HeartbeatReply.newBuilder().setTokenKeys(first).build();
    assertTrue(reporter.beat());
    var unused = checks.verify(old);
    assertEquals(
        ErrorCode.ACCESS_DENIED,
        assertThrows(StoreException.class, () -> checks.verify(fresh)).code());
    assertTrue(reporter.beat());
    assertEquals(1, scm.last().getTokenKeysVersion());
    scm.next = HeartbeatReply.newBuilder().setTokenKeys(both).build();
    assertTrue(reporter.beat());
    unused = checks.verify(old);
    unused = checks.verify(fresh);
    assertTrue(reporter.beat()); // which brings none
    assertEquals(2, scm.last().getTokenKeysVersion());
    unused = checks.verify(fresh);
    scm.next = HeartbeatReply.newBuilder().setTokenKeys(keys(3, key(2))).build();
    assertTrue(reporter.beat());
    assertThrows(StoreException.class, () -> checks.verify(old));
    unused = checks.verify(fresh);
  }

  @Test
  void anotherClusterIsRefused() throws Exception {
    reporter.beat();
    ScmReporter second =
        new ScmReporter("other", scm, store, orders, new TokenKeyRing(), "h", 1, clock);
    scm.clusterId = "c-2";
    assertFalse(second.beat());
    assertEquals("c-1", store.clusterId());
  }

  @Test
  void theLeaderEpochIsDurableBeforeItIsTold() throws Exception {
    reporter.beat();
    scm.next = HeartbeatReply.newBuilder().setLeaderEpoch(9).build();
    reporter.beat();
    assertEquals(0, scm.last().getHeardLeaderEpoch());
    disks.failForces(path -> true);
    scm.next = HeartbeatReply.newBuilder().setLeaderEpoch(10).build();
    assertFalse(reporter.beat());
    assertEquals(9, scm.last().getHeardLeaderEpoch());
    disks.failForces(path -> false);
    reporter.beat();
    assertEquals(9, scm.last().getHeardLeaderEpoch(), "told what was not durable");
  }

  @Test
  void ordersAreObeyedAndTheirResultsTold() throws Exception {
    shard.open(3, 1);
    shard.write(3, 0, Shard.bytes(1, 4096), 1);
    reporter.beat();
    scm.next = HeartbeatReply.newBuilder().setLeaderEpoch(2).addOrders(seal(11, 2, 5, 3)).build();
    OrderResult told = resultsTold(1).get(0);
    assertEquals(11, told.getOrderId());
    assertEquals(0, told.getErrorCode());
    assertEquals(4096, told.getEnd());
    reporter.beat();
    assertTrue(
        scm.heartbeats.stream()
            .flatMap(each -> each.getShardsList().stream())
            .anyMatch(ShardReport::getSealed));
    shard.expect(ErrorCode.SHARD_SEALED, () -> shard.write(3, 4096, Shard.bytes(1, 4096), 1));
    assertEquals(0, scm.last().getResultsCount());
  }

  /** Three orders of ten seconds each were the dead interval of the whole node. */
  @Test
  void aDiskThatHangsHoldsUpNeitherHeartbeatsNorOtherDisksOrders() throws Exception {
    Shard other = new Shard(store, store.diskInfos().get(1).getDiskId(), 77, 0);
    other.open(1, 1);
    Shard waits = new Shard(store, shard.key().getDiskId(), 78, 0);
    waits.open(1, 1);
    waits.write(1, 0, Shard.bytes(1, 4096), 1);
    shard.open(1, 1);
    reporter.beat();
    disks.hang(path -> path.startsWith(D1));
    try {
      HeartbeatReply.Builder reply = HeartbeatReply.newBuilder();
      reply.addOrders(delete(1, shard.key())).addOrders(delete(2, waits.key()));
      for (int i = 3; i <= 400; i++) {
        reply.addOrders(delete(i, waits.key().toBuilder().setContainer(1_000 + i).build()));
      }
      reply.addOrders(delete(1_000, other.key()));
      scm.next = reply.build();
      OrderResult told = resultsTold(1).get(0);
      assertEquals(1_000, told.getOrderId(), "the other disk's was done first");
      assertEquals(0, told.getErrorCode(), told.getErrorMessage());
      scm.next = reply.build(); // again, as SCM does with what is not answered
      OrderResult again = resultsTold(2).get(1);
      assertEquals(1_000, again.getOrderId());
      // SCM would not hold on to a removal for so long
      clock.advance(Duration.ofSeconds(11));
    } finally {
      disks.hang(path -> false);
    }
    List<OrderResult> all = resultsTold(402);
    assertEquals(402, all.size(), "an order that was sent twice was answered once");
    for (OrderResult result : all) {
      if (result.getOrderId() == 2) {
        assertEquals(ErrorCode.TIMEOUT.number(), result.getErrorCode(), result.getErrorMessage());
      }
    }
    assertEquals(4096, waits.open(2, 2), "what waited for too long was not deleted");
    assertEquals(0, obey(delete(2_000, waits.key())).getErrorCode());
    waits.expect(ErrorCode.NO_SUCH_SHARD, () -> waits.read(2, 0, 1));
  }

  @Test
  void moreOrdersThanMayWaitForADiskAreRefused() throws Exception {
    shard.open(1, 1);
    disks.hang(path -> path.startsWith(D1));
    AtomicInteger refused = new AtomicInteger();
    try {
      for (int i = 1; i <= 2_010; i++) {
        orders.obey(
            delete(i, shard.key()),
            result ->
                refused.addAndGet(result.getErrorCode() == ErrorCode.OVERLOADED.number() ? 1 : 0));
      }
      assertTrue(refused.get() >= 9 && refused.get() <= 10, "refused: " + refused);
    } finally {
      disks.hang(path -> false);
    }
    assertEquals(
        ErrorCode.NO_SUCH_SHARD.number(),
        obey(delete(3_000, shard.key().toBuilder().setDiskId("none").build())).getErrorCode());
  }

  @Test
  void anOrderThatIsSentAgainOnceItWasAnsweredIsAnsweredAgain() throws Exception {
    shard.open(3, 1);
    for (int i = 0; i < 2_000; i++) {
      assertEquals(0, obey(seal(1, 5, 9, 3)).getErrorCode());
    }
  }

  @Test
  void staleOrdersAreNotObeyed() throws Exception {
    shard.open(3, 1);
    store.hearLeaderEpoch(5);
    assertEquals(ErrorCode.FENCED.number(), obey(seal(1, 4, 9, 3)).getErrorCode(), "old leader");
    assertEquals(0, obey(seal(2, 5, 9, 3)).getErrorCode());
    Order old = order(3, 5, 8).setDelete(DeleteShardOrder.getDefaultInstance()).build();
    assertEquals(ErrorCode.FENCED.number(), obey(old).getErrorCode(), "old row");
    assertEquals(1, store.reports().size());
    assertEquals(0, obey(old.toBuilder().setRowVersion(9).build()).getErrorCode());
    assertEquals(0, store.reports().size());
    // a higher leader is heard by its order alone
    assertEquals(ErrorCode.NO_SUCH_SHARD.number(), obey(seal(4, 6, 10, 3)).getErrorCode());
    assertEquals(6, store.leaderEpoch());
  }

  @Test
  void whatHasNoRowAnyMoreIsObeyedOnceNoOldOrderCanArrive() throws Exception {
    shard.open(3, 1);
    assertEquals(0, obey(seal(1, 5, 9, 3)).getErrorCode());
    Order delete = order(2, 5, 0).setDelete(DeleteShardOrder.getDefaultInstance()).build();
    clock.advance(Duration.ofMinutes(59));
    assertEquals(ErrorCode.FENCED.number(), obey(delete).getErrorCode());
    assertEquals(1, store.reports().size());
    clock.advance(Duration.ofMinutes(2));
    assertEquals(0, obey(delete).getErrorCode());
    assertEquals(0, store.reports().size());
  }
}
