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
package io.stowage.scm;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.stowage.common.error.ErrorCode;
import io.stowage.common.error.StoreException;
import io.stowage.common.proto.DatanodeInfo;
import io.stowage.common.proto.HeartbeatReply;
import io.stowage.common.proto.HeartbeatRequest;
import io.stowage.common.proto.Lease;
import io.stowage.common.proto.LeaseOutcome;
import io.stowage.common.proto.ListDatanodesRequest;
import io.stowage.common.proto.MoveDatanodeReply;
import io.stowage.common.proto.MoveDatanodeRequest;
import io.stowage.common.proto.RegisterDatanodeReply;
import io.stowage.common.proto.RegisterDatanodeRequest;
import io.stowage.common.time.ManualClock;
import io.stowage.scm.container.NodeHosts;
import java.net.UnknownHostException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** What a datanode may say of others where each has its host's principal: nothing. */
class OwnReportsTest {
  private static final HeartbeatReply REGISTER =
      HeartbeatReply.newBuilder().setRegister(true).build();

  private final List<String> refused = new ArrayList<>();
  private ScmHarness h;
  private OwnReports reports;
  private String caller;

  /** Addresses are known besides names, and host0 by another name. */
  private static String canonical(String host) throws UnknownHostException {
    if (!host.matches("host[0-9]+|10[.]0[.]0[.][0-9]+|data0")) {
      throw new UnknownHostException(host);
    }
    return host.equals("data0") ? "host0" : host.replace("10.0.0.", "host");
  }

  @BeforeEach
  void start() throws Exception {
    h = new ScmHarness(5, null);
    reports = secured(restarted());
  }

  /** A new process over the same table; it leads. */
  private StorageContainerManager restarted() throws StoreException {
    h.scm.lost();
    h.scm = h.newScm();
    h.scm.won();
    return h.scm;
  }

  private OwnReports secured(StorageContainerManager scm) {
    return new OwnReports(
        scm,
        scm.bound(OwnReportsTest::canonical),
        new Ticket(),
        (call, why) -> refused.add(call + ": " + why),
        h.clock);
  }

  /** Of a host, which names its principal here, or of somebody who is none's. */
  private final class Ticket implements OwnReports.Caller {
    @Override
    public String principal() {
      return caller;
    }

    @Override
    public String host() throws StoreException {
      if (caller.startsWith("host")) {
        return caller;
      }
      throw new StoreException(ErrorCode.ACCESS_DENIED, "Cannot tell of which host " + caller);
    }
  }

  private void beat(FakeDatanode node) throws StoreException {
    caller = node.host();
    node.heartbeat(reports);
  }

  private void heartbeats() throws StoreException {
    for (FakeDatanode node : h.nodes) {
      beat(node);
    }
  }

  private RegisterDatanodeReply register(String as, String nodeId, String host)
      throws StoreException {
    caller = as;
    return reports.register(
        RegisterDatanodeRequest.newBuilder().setNodeId(nodeId).setHost(host).setPort(9).build());
  }

  private HeartbeatReply saysItHeard(long epoch, FakeDatanode node) throws StoreException {
    caller = node.host();
    return reports.heartbeat(
        HeartbeatRequest.newBuilder()
            .setNodeId(node.nodeId())
            .addAllDisks(node.disks())
            .setHeardLeaderEpoch(epoch)
            .build());
  }

  private HeartbeatReply saysItHasNothing(String as, FakeDatanode node) throws StoreException {
    caller = as;
    return reports.heartbeat(
        HeartbeatRequest.newBuilder()
            .setNodeId(node.nodeId())
            .addAllDisks(node.disks())
            .setHeardLeaderEpoch(node.heardEpoch())
            .setFullReport(true)
            .build());
  }

  private String refusal(String as, String nodeId, String host) {
    StoreException e = assertThrows(StoreException.class, () -> register(as, nodeId, host));
    assertEquals(ErrorCode.ACCESS_DENIED, e.code(), e::toString);
    return e.getMessage();
  }

  private String address(FakeDatanode node) {
    return h
        .scm
        .listDatanodes(ListDatanodesRequest.getDefaultInstance())
        .getDatanodesList()
        .stream()
        .filter(info -> info.getNodeId().equals(node.nodeId()))
        .map(DatanodeInfo::getHost)
        .findFirst()
        .orElseThrow();
  }

  private void move(FakeDatanode node, String host) throws StoreException {
    MoveDatanodeReply unused =
        h.scm.moveDatanode(
            MoveDatanodeRequest.newBuilder().setNodeId(node.nodeId()).setHost(host).build());
  }

  @Test
  void nobodySpeaksForAnotherHostsNode() throws Exception {
    heartbeats();
    heartbeats();
    Lease lease = h.lease();
    h.open(lease);
    h.write(lease, 8192);
    heartbeats();
    h.release(lease, LeaseOutcome.LEASE_FULL, 8192);
    heartbeats();
    heartbeats();
    assertEquals(0, h.status().getEndangeredContainers());
    FakeDatanode victim = h.nodes.get(1);
    assertEquals(REGISTER, saysItHasNothing("host2", victim), "no keys of tokens, no orders");
    String why = refusal("host2", victim.nodeId(), "host2");
    assertTrue(why.contains("it is host1's"), why);
    assertTrue(refusal("host2", victim.nodeId(), "host1").contains("said to be at host1"));
    assertEquals(REGISTER, saysItHasNothing("host2", victim));
    assertEquals("host1", address(victim));
    heartbeats();
    assertEquals(0, h.status().getEndangeredContainers());
    assertEquals(List.of("RegisterDatanode: " + why), refused);
    HeartbeatReply unused = saysItHasNothing("host1", victim);
    assertEquals(1, h.status().getEndangeredContainers(), "its own word counts");
  }

  @Test
  void whoseANodeIsOutlivesAnSCM() throws Exception {
    heartbeats();
    reports = secured(restarted());
    FakeDatanode victim = h.nodes.get(1);
    assertEquals(REGISTER, saysItHasNothing("host2", victim));
    String why = refusal("host2", victim.nodeId(), "host2");
    assertTrue(why.contains("it is host1's"), why);
    heartbeats();
    heartbeats();
    assertEquals(5, h.status().getLiveDatanodes());
  }

  @Test
  void anotherHostHasItByAnOperatorsWord() throws Exception {
    heartbeats();
    heartbeats();
    FakeDatanode moved = h.nodes.get(1);
    refusal("host7", moved.nodeId(), "host7");
    move(moved, "10.0.0.7");
    assertEquals(REGISTER, saysItHasNothing("host1", moved), "not believed any more");
    assertTrue(refusal("host1", moved.nodeId(), "host1").contains("it is host7's"));
    RegisterDatanodeReply unused = register("host7", moved.nodeId(), "host7");
    assertEquals("host7", address(moved));
    assertTrue(saysItHasNothing("host7", moved).getLeaderEpoch() > 0);
    StoreException unknown =
        assertThrows(
            StoreException.class, () -> move(new FakeDatanode("host3", 1, 1, 1L << 30), "host3"));
    assertEquals(ErrorCode.INVALID_ARGUMENT, unknown.code());
  }

  @Test
  void withoutSecurityThereIsNothingToMove() throws Exception {
    restarted();
    StoreException e = assertThrows(StoreException.class, () -> move(h.nodes.get(0), "host1"));
    assertEquals(ErrorCode.INVALID_ARGUMENT, e.code());
  }

  @Test
  void aHostHasSeveralNodesAndNames() throws Exception {
    for (Map.Entry<String, String> node :
        Map.of("a", "host0", "b", "10.0.0.0", "c", "data0").entrySet()) {
      assertEquals(
          h.status().getClusterId(),
          register("host0", node.getKey(), node.getValue()).getClusterId());
    }
    refusal("host1", "d", "data0");
    refusal("host0", "d", "10.0.0.1");
    for (String unknown : List.of("elsewhere", "", "x".repeat(256))) {
      StoreException e = assertThrows(StoreException.class, () -> register("host0", "d", unknown));
      assertEquals(ErrorCode.INVALID_ARGUMENT, e.code());
    }
    for (String id : List.of("", "x".repeat(65))) {
      StoreException e = assertThrows(StoreException.class, () -> register("host0", id, "host0"));
      assertEquals(ErrorCode.INVALID_ARGUMENT, e.code());
    }
  }

  @Test
  void aHostWithManyNodesHasOneClock() throws Exception {
    long hour = Duration.ofHours(1).toNanos() / 1_000;
    ManualClock wrong = new ManualClock(h.clock.wallMicros() + hour);
    for (int i = 0; i < 8; i++) {
      FakeDatanode node = new FakeDatanode("host0", 9_100 + i, 1, 100L << 30);
      node.tells(wrong);
      beat(node);
      beat(node);
    }
    for (FakeDatanode node : h.nodes) {
      node.tells(node.host().equals("host0") ? wrong : h.clock);
    }
    heartbeats();
    heartbeats();
    long granted = h.lease().getGrantedMicros();
    assertTrue(Math.abs(granted - h.clock.wallMicros()) < hour / 2, () -> "" + granted);
  }

  @Test
  void refusalsAreWrittenDownOnceAMinuteANode() throws Exception {
    heartbeats();
    String victim = h.nodes.get(1).nodeId();
    for (int beat = 0; beat < 20; beat++) {
      refusal("host2", victim, "host2");
      h.clock.advance(Duration.ofSeconds(1));
    }
    assertEquals(1, refused.size());
    refusal("host2", h.nodes.get(0).nodeId(), "host2");
    refusal("host3", victim, "host3");
    assertEquals(3, refused.size());
    h.clock.advance(Duration.ofSeconds(40));
    refusal("host2", victim, "host2");
    assertEquals(4, refused.size(), "a minute later");
    for (int i = 0; i < 200; i++) {
      refusal("host4", "made-up-" + i, "host1");
    }
    assertEquals(4 + 64, refused.size());
    refusal("host2", h.nodes.get(3).nodeId(), "host2");
    assertEquals(4 + 64 + 1, refused.size(), "another host's are written down");
  }

  @Test
  void whoIsNoHostsHidesNobodyElsesRefusals() {
    for (int i = 0; i < 20; i++) {
      refusal("alice", "made-up-" + i, "host1");
      refusal("bob", "made-up-" + i, "host1");
      refusal("host4", "made-up", "host1");
    }
    assertEquals(3, refused.size(), refused::toString);
    h.clock.advance(Duration.ofMinutes(1));
    refusal("alice", "made-up", "host1");
    assertEquals(4, refused.size(), "a minute later");
  }

  @Test
  void aHostMakesUpSoManyNodesAndNoMore() throws Exception {
    beat(h.nodes.get(0));
    for (int i = 1; i < 64; i++) {
      RegisterDatanodeReply unused = register("host0", "made-up-" + i, "host0");
    }
    String why = refusal("host0", "one-more", "host0");
    assertTrue(why.contains("64 others"), why);
    assertNull(h.store.hostOf("one-more"));
    heartbeats();
    RegisterDatanodeReply unused = register("host0", h.nodes.get(0).nodeId(), "host0");
    assertEquals(5 + 63, h.status().getLiveDatanodes());
  }

  /** Disks were emptied, or replaced with all that was on them. */
  @Test
  void aDatanodeThatBeganAnewTakesTheRoomOfItsDeadId() throws Exception {
    heartbeats();
    int ids = 1;
    for (; ids < 64; ids++) {
      RegisterDatanodeReply unused = register("host0", "made-up-" + ids, "host0");
    }
    while (ids < 1_024) {
      refusal("host0", "one-more", "host0");
      h.pass(ScmHarness.DEAD.plusSeconds(2));
      for (int alive = 1; alive < 64 && ids < 1_024; alive++, ids++) {
        RegisterDatanodeReply unused = register("host0", "made-up-" + ids, "host0");
      }
    }
    h.pass(ScmHarness.DEAD.plusSeconds(2));
    String why = refusal("host0", "one-more", "host0");
    assertTrue(why.contains("1024 others"), why);
    assertNull(h.store.hostOf("one-more"));
    RegisterDatanodeReply unused = register("host0", h.nodes.get(0).nodeId(), "host0");
    heartbeats();
    assertEquals(5, h.status().getLiveDatanodes());
  }

  @Test
  void anotherClustersNodeGetsNoRow() {
    caller = "host0";
    RegisterDatanodeRequest stray =
        RegisterDatanodeRequest.newBuilder()
            .setNodeId("stray")
            .setHost("host0")
            .setPort(9)
            .setClusterId("another")
            .build();
    StoreException e = assertThrows(StoreException.class, () -> reports.register(stray));
    assertEquals(ErrorCode.WRONG_CLUSTER, e.code());
    assertNull(h.store.hostOf("stray"));
  }

  @Test
  void aLeaderEpochThatNobodyCanHaveIsRefusedAndWrittenDown() throws Exception {
    heartbeats();
    heartbeats();
    FakeDatanode liar = h.nodes.get(1);
    for (int beat = 0; beat < 3; beat++) {
      StoreException e =
          assertThrows(StoreException.class, () -> saysItHeard(Long.MAX_VALUE, liar));
      assertEquals(ErrorCode.ACCESS_DENIED, e.code());
      assertEquals(List.of("Heartbeat: " + e.getMessage()), refused);
    }
    h.tick();
    assertTrue(h.scm.isLeader());
    assertEquals(
        h.status().getLeaderEpoch(), saysItHeard(liar.heardEpoch(), liar).getLeaderEpoch());
  }

  /** Handlers of heartbeats are few, and a name service may be slow. */
  @Test
  void fewRegistrationsWaitAndOneOfAHost() throws Exception {
    CountDownLatch slow = new CountDownLatch(1);
    AtomicInteger asked = new AtomicInteger();
    NodeHosts hosts =
        h.scm.bound(
            host -> {
              asked.incrementAndGet();
              if (host.startsWith("10.")) {
                Await.uninterruptibly(slow);
              }
              return canonical(host);
            });
    register(hosts, "known", "HOST20", "host20");
    assertEquals(0, asked.get(), "it is its principal's own name");
    ExecutorService handlers = Executors.newFixedThreadPool(8);
    try {
      List<Future<?>> waiting = new ArrayList<>();
      for (int i = 0; i < 8; i++) {
        String host = String.valueOf(i);
        waiting.add(
            handlers.submit(
                () -> {
                  register(hosts, "node" + host, "10.0.0." + host, "host" + host);
                  return null;
                }));
        int so = i + 1;
        Await.until("it to wait", Duration.ofSeconds(20), () -> asked.get() == so);
        assertComesAgain(hosts, "other" + host, "host" + host);
      }
      assertComesAgain(hosts, "ninth", "host9"); // the table would be asked
      register(hosts, "known", "host20", "host20"); // waits for nobody
      slow.countDown();
      for (Future<?> each : waiting) {
        each.get();
      }
      register(hosts, "ninth", "host9", "host9");
      register(hosts, "other0", "host0", "host0");
      assertTrue(hosts.isOf("node7", "host7") && hosts.isOf("ninth", "host9"));
    } finally {
      slow.countDown();
      handlers.shutdownNow();
    }
  }

  /** As while a script that tells racks hangs: who calls again does not take another handler. */
  @Test
  void aRegistrationIsSettledWhenItsRestIsDone() throws Exception {
    NodeHosts hosts = h.scm.bound(OwnReportsTest::canonical);
    CountDownLatch slow = new CountDownLatch(1);
    AtomicInteger begun = new AtomicInteger();
    ExecutorService handlers = Executors.newFixedThreadPool(1);
    try {
      Future<Boolean> first =
          handlers.submit(
              () ->
                  hosts.register(
                      "node",
                      "host1",
                      "host1",
                      () -> {
                        begun.incrementAndGet();
                        Await.uninterruptibly(slow);
                        return true;
                      }));
      Await.until("it to wait", Duration.ofSeconds(20), () -> begun.get() == 1);
      StoreException e =
          assertThrows(StoreException.class, () -> register(hosts, "node", "host1", "host1"));
      assertEquals(ErrorCode.UNAVAILABLE, e.code());
      assertTrue(hosts.isOf("node", "host1"), "its heartbeats are heard");
      slow.countDown();
      assertTrue(first.get());
      register(hosts, "node", "HOST1", "host1");
    } finally {
      slow.countDown();
      handlers.shutdownNow();
    }
  }

  private static void register(NodeHosts hosts, String nodeId, String said, String caller)
      throws StoreException {
    assertTrue(hosts.register(nodeId, said, caller, () -> true));
  }

  private void assertComesAgain(NodeHosts hosts, String nodeId, String host) {
    StoreException e =
        assertThrows(StoreException.class, () -> register(hosts, nodeId, host, host));
    assertEquals(ErrorCode.UNAVAILABLE, e.code());
    assertNull(h.store.hostOf(nodeId));
  }
}
