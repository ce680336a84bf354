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
import io.stowage.common.proto.ShardReport;
import io.stowage.common.scm.DatanodeReports;
import io.stowage.common.time.ManualClock;
import io.stowage.common.time.StoreClock;
import io.stowage.common.tls.ClientTls;
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
import java.util.concurrent.atomic.AtomicReference;
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

  private final SimulatedDisks disks = new SimulatedDisks();
  private final ManualClock clock = new ManualClock(1_700_000_000_000_000L);
  private final Scm scm = new Scm();
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
            List.of(Path.of("/sim/d1")),
            disks,
            new StoreSettings(0, true, 64 << 20),
            StoreClock.system());
    datanodes = new NetworkDatanodes(ClientTls.OFF);
    rebuilds = new Rebuilds(store, datanodes, new RepairSettings(1, 64 << 20), StoreClock.system());
    orders = new Orders(store, rebuilds, clock);
    reporter = new ScmReporter("test", scm, store, orders, new TokenKeyRing(), "h", 1234, clock);
    store.addListener(reporter);
    shard = new Shard(store, store.diskInfos().get(0).getDiskId());
  }

  @AfterEach
  void close() {
    rebuilds.close();
    datanodes.close();
    store.close();
  }

  private OrderResult obey(Order order) {
    AtomicReference<OrderResult> result = new AtomicReference<>();
    orders.obey(order, result::set);
    return result.get();
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
    reporter.beat();
    reporter.beat();
    assertEquals(11, scm.last().getResults(0).getOrderId());
    assertEquals(0, scm.last().getResults(0).getErrorCode());
    assertEquals(4096, scm.last().getResults(0).getEnd());
    assertTrue(scm.last().getShards(0).getSealed());
    shard.expect(ErrorCode.SHARD_SEALED, () -> shard.write(3, 4096, Shard.bytes(1, 4096), 1));
    reporter.beat();
    assertEquals(0, scm.last().getResultsCount());
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
