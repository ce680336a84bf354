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
package io.stowage.common.rpc;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTimeoutPreemptively;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.stowage.common.error.ErrorCode;
import io.stowage.common.error.NotLeaderException;
import io.stowage.common.error.OutcomeUnknownException;
import io.stowage.common.error.StoreException;
import io.stowage.common.om.ObjectManager;
import io.stowage.common.proto.GetObjectRequest;
import io.stowage.common.proto.HeartbeatReply;
import io.stowage.common.proto.HeartbeatRequest;
import io.stowage.common.proto.PutObjectRequest;
import io.stowage.common.proto.RegisterDatanodeReply;
import io.stowage.common.proto.RegisterDatanodeRequest;
import io.stowage.common.scm.ContainerManager;
import io.stowage.common.scm.DatanodeReports;
import java.lang.reflect.Method;
import java.lang.reflect.Proxy;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.net.SocketTimeoutException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.FutureTask;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import org.apache.hadoop.conf.Configuration;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

class RpcTest {
  private final Configuration hadoop = new Configuration(false);
  private final List<AutoCloseable> open = new ArrayList<>();

  /** Answers heartbeats with its number, or with an error. */
  private record Reports(long number, StoreException failure) implements DatanodeReports {
    @Override
    public RegisterDatanodeReply register(RegisterDatanodeRequest request) {
      throw new IllegalStateException("a bug");
    }

    @Override
    public HeartbeatReply heartbeat(HeartbeatRequest request) throws StoreException {
      if (failure != null) {
        throw failure;
      }
      return HeartbeatReply.newBuilder().setLeaderEpoch(number).build();
    }
  }

  private String serve(DatanodeReports reports) throws StoreException {
    RpcServer server =
        RpcServer.create(hadoop, "127.0.0.1:0", 2, RpcProtocol.DATANODE_REPORTS, reports).start();
    open.add(server);
    return "127.0.0.1:" + server.address().getPort();
  }

  /** Gives a call's answer time: the first of a JVM loads half of Hadoop. */
  private DatanodeReports client(Duration deadline, String... addresses) throws StoreException {
    return client(Duration.ofSeconds(30), deadline, addresses);
  }

  private DatanodeReports client(Duration ofACall, Duration deadline, String... addresses)
      throws StoreException {
    RpcClient<DatanodeReports> client =
        RpcClient.create(
            RpcProtocol.DATANODE_REPORTS, hadoop, List.of(addresses), ofACall, deadline);
    open.add(client);
    return client.api();
  }

  @AfterEach
  void closeAll() throws Exception {
    for (AutoCloseable closeable : open) {
      closeable.close();
    }
  }

  @Test
  void errorsCrossTheWireWithCodeAndMessage() throws Exception {
    String address =
        serve(
            new Reports(
                0,
                new StoreException(ErrorCode.WRONG_CLUSTER, "Cannot register: no\nsecond line")));
    StoreException e =
        assertThrows(
            StoreException.class,
            () -> client(Duration.ZERO, address).heartbeat(HeartbeatRequest.getDefaultInstance()));
    assertEquals(ErrorCode.WRONG_CLUSTER, e.code());
    assertEquals("Cannot register: no\nsecond line", e.getMessage());
  }

  @Test
  void bugsOfTheServerAreInternalErrors() throws Exception {
    DatanodeReports reports = client(Duration.ZERO, serve(new Reports(0, null)));
    StoreException e =
        assertThrows(
            StoreException.class,
            () -> reports.register(RegisterDatanodeRequest.getDefaultInstance()));
    assertEquals(ErrorCode.INTERNAL, e.code());
    assertTrue(e.getMessage().contains("a bug"), e.getMessage());
  }

  @Test
  void asksTheNextServerWhenOneIsGoneOrNotTheLeader() throws Exception {
    String follower = serve(new Reports(1, new NotLeaderException("Cannot order: not the leader")));
    String leader = serve(new Reports(2, null));
    DatanodeReports reports = client(Duration.ofSeconds(60), "127.0.0.1:1", follower, leader);
    assertEquals(2, reports.heartbeat(HeartbeatRequest.getDefaultInstance()).getLeaderEpoch());
  }

  @Test
  void nobodyThereIsUnavailable() throws Exception {
    DatanodeReports reports = client(Duration.ofMillis(100), "127.0.0.1:1");
    StoreException e =
        assertThrows(
            StoreException.class, () -> reports.heartbeat(HeartbeatRequest.getDefaultInstance()));
    assertEquals(ErrorCode.UNAVAILABLE, e.code());
  }

  /** Nothing was sent, so nothing was done. */
  @Test
  void whoAcceptsNoConnectionIsUnavailable() throws Exception {
    ServerSocket server = new ServerSocket(0, 1, InetAddress.getLoopbackAddress());
    open.add(server);
    boolean full = false;
    for (int i = 0; i < 100 && !full; i++) { // nobody accepts them
      Socket socket = new Socket();
      open.add(socket);
      try {
        socket.connect(server.getLocalSocketAddress(), 500);
      } catch (SocketTimeoutException e) {
        full = true;
      }
    }
    assertTrue(full, "connections are made without end");
    DatanodeReports reports = client(Duration.ZERO, "127.0.0.1:" + server.getLocalPort());
    StoreException e =
        assertThrows(
            StoreException.class, () -> reports.heartbeat(HeartbeatRequest.getDefaultInstance()));
    assertEquals(ErrorCode.UNAVAILABLE, e.code(), e.getMessage());
  }

  @Test
  void aCallAfterCloseFailsAtOnceWhateverTheDeadline() throws Exception {
    DatanodeReports reports = client(Duration.ofHours(1), serve(new Reports(2, null)));
    assertEquals(2, reports.heartbeat(HeartbeatRequest.getDefaultInstance()).getLeaderEpoch());
    open.remove(open.size() - 1).close();
    StoreException e =
        assertTimeoutPreemptively(
            Duration.ofSeconds(60),
            () ->
                assertThrows(
                    StoreException.class,
                    () -> reports.heartbeat(HeartbeatRequest.getDefaultInstance())));
    assertEquals(ErrorCode.UNAVAILABLE, e.code());
    assertTrue(e.getMessage().contains("closed"), e.getMessage());
  }

  /** A call that goes from one server that is not there to the next. */
  @Test
  void callsEndWithTheTimeThatIsLeftToFinish() throws Exception {
    RpcClient<DatanodeReports> client =
        RpcClient.create(
            RpcProtocol.DATANODE_REPORTS,
            hadoop,
            List.of("127.0.0.1:1"),
            Duration.ofSeconds(30),
            Duration.ofHours(1));
    open.add(client);
    CountDownLatch begun = new CountDownLatch(1);
    FutureTask<StoreException> underWay =
        new FutureTask<>(
            () -> {
              begun.countDown();
              return assertThrows(
                  StoreException.class,
                  () -> client.api().heartbeat(HeartbeatRequest.getDefaultInstance()));
            });
    Thread caller = new Thread(underWay);
    caller.setDaemon(true);
    caller.start();
    begun.await();
    client.finish(Duration.ofMillis(100));
    StoreException e = underWay.get(60, TimeUnit.SECONDS);
    assertEquals(ErrorCode.UNAVAILABLE, e.code());
    assertTrue(e.getMessage().contains("closed"), e.getMessage());
  }

  @Test
  void whatIsSaidInTheTimeThatIsLeftIsHeard() throws Exception {
    RpcClient<DatanodeReports> client =
        RpcClient.create(
            RpcProtocol.DATANODE_REPORTS,
            hadoop,
            List.of(serve(new Reports(2, null))),
            Duration.ofSeconds(30),
            Duration.ZERO);
    open.add(client);
    client.finish(Duration.ofMinutes(10));
    assertEquals(2, client.api().heartbeat(HeartbeatRequest.getDefaultInstance()).getLeaderEpoch());
  }

  @Test
  void aCallWithoutAnswerHasAnUnknownOutcome() throws Exception {
    CountDownLatch release = new CountDownLatch(1);
    String address =
        serve(
            new DatanodeReports() {
              @Override
              public RegisterDatanodeReply register(RegisterDatanodeRequest request) {
                return RegisterDatanodeReply.getDefaultInstance();
              }

              @Override
              public HeartbeatReply heartbeat(HeartbeatRequest request) {
                try {
                  release.await();
                } catch (InterruptedException e) {
                  Thread.currentThread().interrupt();
                }
                return HeartbeatReply.getDefaultInstance();
              }
            });
    DatanodeReports reports = client(Duration.ofSeconds(1), Duration.ZERO, address);
    assertThrows(
        OutcomeUnknownException.class,
        () -> reports.heartbeat(HeartbeatRequest.getDefaultInstance()));
    release.countDown();
  }

  /**
   * An object manager that does not know what became of the first call, and refuses each that comes
   * after it.
   */
  private ObjectManager forgetful() throws StoreException {
    AtomicInteger calls = new AtomicInteger();
    ObjectManager manager =
        (ObjectManager)
            Proxy.newProxyInstance(
                ObjectManager.class.getClassLoader(),
                new Class<?>[] {ObjectManager.class},
                (proxy, method, arguments) -> {
                  throw calls.getAndIncrement() == 0
                      ? new OutcomeUnknownException("Cannot tell", null)
                      : new StoreException(ErrorCode.NO_SUCH_KEY, "Cannot find its directory");
                });
    RpcServer server =
        RpcServer.create(hadoop, "127.0.0.1:0", 2, RpcProtocol.OBJECT_MANAGER, manager).start();
    open.add(server);
    RpcClient<ObjectManager> client =
        RpcClient.create(
            RpcProtocol.OBJECT_MANAGER,
            hadoop,
            List.of("127.0.0.1:" + server.address().getPort()),
            Duration.ofSeconds(30),
            Duration.ofSeconds(60));
    open.add(client);
    return client.api();
  }

  /** The first may have been done, and then its bytes are those of a version that is there. */
  @Test
  void aMutationOfWhichARepetitionIsRefusedHasAnUnknownOutcome() throws Exception {
    ObjectManager manager = forgetful();
    OutcomeUnknownException e =
        assertThrows(
            OutcomeUnknownException.class,
            () -> manager.putObject(PutObjectRequest.getDefaultInstance()));
    assertEquals(ErrorCode.NO_SUCH_KEY, ((StoreException) e.getCause()).code());
    StoreException refused =
        assertThrows(
            StoreException.class, () -> manager.putObject(PutObjectRequest.getDefaultInstance()));
    assertEquals(ErrorCode.NO_SUCH_KEY, refused.code(), "sent once, and surely not done");
  }

  @Test
  void aReadOfWhichARepetitionIsRefusedIsRefused() throws Exception {
    ObjectManager manager = forgetful();
    StoreException e =
        assertThrows(
            StoreException.class, () -> manager.getObject(GetObjectRequest.getDefaultInstance()));
    assertEquals(ErrorCode.NO_SUCH_KEY, e.code());
  }

  /** Who adds a method says in the proto file what a refusal of its repetition means. */
  @Test
  void repetitionsThatAreAnsweredAlikeAreThoseThatReadOrAreMadeForIt() {
    Set<String> alike = new TreeSet<>();
    for (Method method : ObjectManager.class.getMethods()) {
      if (RpcProtocol.OBJECT_MANAGER.isAnsweredAlike(method.getName())) {
        alike.add(method.getName());
      }
    }
    alike.removeIf(name -> name.matches("(get|list|find|scan)(?!Secret).*"));
    assertEquals(
        Set.of(
            "claimDuty",
            "judgeNeedles",
            "leaseContainer",
            "lifecycleStatus",
            "locateContainers",
            "placeObject",
            "releaseLease",
            "renewLeases",
            "reportDamage"),
        alike);
    for (Method method : ContainerManager.class.getMethods()) {
      assertEquals(
          !method.getName().equals("setDatanodeMode"),
          RpcProtocol.CONTAINER_MANAGER.isAnsweredAlike(method.getName()),
          method::getName);
    }
  }
}
