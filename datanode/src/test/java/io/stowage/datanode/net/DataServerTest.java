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
package io.stowage.datanode.net;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.netty.buffer.ByteBufUtil;
import io.netty.buffer.PooledByteBufAllocator;
import io.netty.util.ResourceLeakDetector;
import io.stowage.common.data.NetworkDatanodes;
import io.stowage.common.data.ShardService;
import io.stowage.common.error.ErrorCode;
import io.stowage.common.proto.ByteRange;
import io.stowage.common.proto.DataRequest;
import io.stowage.common.proto.ListShardsRequest;
import io.stowage.common.proto.ReadShardRequest;
import io.stowage.common.proto.StatShardRequest;
import io.stowage.common.time.StoreClock;
import io.stowage.common.tls.ClientTls;
import io.stowage.common.tls.ServerTls;
import io.stowage.datanode.fault.SimulatedDisks;
import io.stowage.datanode.store.Shard;
import io.stowage.datanode.store.ShardStore;
import io.stowage.datanode.store.StoreSettings;
import java.io.DataInputStream;
import java.io.DataOutputStream;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.Socket;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Queue;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentLinkedQueue;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** The data plane over real sockets. */
class DataServerTest {
  private static final Queue<String> LEAKS = new ConcurrentLinkedQueue<>();
  private static ResourceLeakDetector.Level levelBefore;

  @BeforeAll
  static void watchEveryBuffer() {
    levelBefore = ResourceLeakDetector.getLevel();
    ResourceLeakDetector.setLevel(ResourceLeakDetector.Level.PARANOID);
    ByteBufUtil.setLeakListener((type, records) -> LEAKS.add(type + " " + records));
  }

  /** One buffer is leaked on purpose: when that one has been found, others would have been, too. */
  @AfterAll
  static void noBufferWasLeaked() {
    String mark = "leaked on purpose at " + System.nanoTime(); // equal leaks are told once
    PooledByteBufAllocator.DEFAULT.directBuffer(64).touch(mark);
    long deadline = System.nanoTime() + 20_000_000_000L;
    while (LEAKS.stream().noneMatch(leak -> leak.contains(mark))) {
      assertTrue(System.nanoTime() < deadline, "the leak detector found nothing");
      System.gc();
      PooledByteBufAllocator.DEFAULT.directBuffer(64).release();
    }
    ByteBufUtil.setLeakListener(null);
    ResourceLeakDetector.setLevel(levelBefore);
    LEAKS.removeIf(leak -> leak.contains(mark));
    assertEquals(List.of(), List.copyOf(LEAKS));
  }

  private ShardStore store;
  private DataServer server;
  private NetworkDatanodes network;
  private Shard shard;

  /** How the server and its clients speak. */
  ServerTls serverTls() throws Exception {
    return ServerTls.OFF;
  }

  ClientTls clientTls() throws Exception {
    return ClientTls.OFF;
  }

  private DataServer serve(int port) throws Exception {
    return DataServer.start(
        new InetSocketAddress(InetAddress.getLoopbackAddress(), port),
        serverTls(),
        new DataServer.Served(store, store),
        32 << 20);
  }

  @BeforeEach
  void start() throws Exception {
    store =
        ShardStore.open(
            List.of(Path.of("/sim/d1")),
            new SimulatedDisks(),
            new StoreSettings(0, true, 64 << 20),
            StoreClock.system());
    server = serve(0);
    network = new NetworkDatanodes(clientTls(), Duration.ofSeconds(60));
    shard = shard(network.datanode("127.0.0.1", server.port()));
  }

  private Shard shard(ShardService service) {
    return new Shard(service, store.diskInfos().get(0).getDiskId());
  }

  @AfterEach
  void stop() {
    network.close();
    server.close();
    store.close();
  }

  @Test
  void everyOperationWorksAsInProcess() throws Exception {
    assertEquals(0, shard.open(1, 1));
    byte[] bytes = Shard.bytes(1, 3 << 20);
    shard.write(1, 0, bytes, 0b101);
    assertArrayEquals(bytes, shard.read(1, 0, bytes.length));
    assertEquals(768, Shard.states(shard.readSectors(1, 0, bytes.length).reply()).size());
    ShardService service = network.datanode("127.0.0.1", server.port());
    assertEquals(
        bytes.length,
        Shard.await(service.stat(StatShardRequest.newBuilder().setShard(shard.key()).build()))
            .getReport()
            .getEnd());
    assertEquals(
        1, Shard.await(service.list(ListShardsRequest.getDefaultInstance())).getShardsCount());
    assertEquals(bytes.length, shard.seal(1));
    shard.expect(ErrorCode.SHARD_SEALED, () -> shard.open(2, 2));
  }

  @Test
  void manyCallsAreInFlightAtOnce() throws Exception {
    shard.open(1, 1);
    List<CompletableFuture<?>> writes = new ArrayList<>();
    for (int i = 0; i < 2_000; i++) {
      writes.add(shard.writeAsync(1, i * 4096L, Shard.bytes(i, 4096), 1));
    }
    for (CompletableFuture<?> write : writes) {
      Shard.await(write);
    }
    for (int i = 0; i < 2_000; i += 37) {
      assertArrayEquals(Shard.bytes(i, 4096), shard.read(1, i * 4096L, 4096));
    }
  }

  @Test
  void moreThanTheBudgetsIsHeldBackAndNotLost() throws Exception {
    shard.open(1, 1);
    List<CompletableFuture<?>> writes = new ArrayList<>();
    byte[] bytes = Shard.bytes(1, 1 << 20);
    for (int round = 0; round < 8; round++) {
      for (int i = 0; i < 15; i++) {
        writes.add(shard.writeAsync(1, i * (1L << 20), bytes, 1));
      }
    }
    for (CompletableFuture<?> write : writes) {
      Shard.await(write);
    }
  }

  @Test
  void aMalformedFrameClosesItsConnectionOnly() throws Exception {
    shard.open(1, 1);
    byte[][] malformed = {
      {0x7f, 0, 0, 0, 0, 0, 0, 0},
      {0, 0, 0, 1, 0x7f, 0, 0, 0},
      {0, 0, 0, 2, 0, 0, 0, 0, (byte) 0xff, (byte) 0xff},
      "GET / HTTP/1.1\r\n\r\n".getBytes(java.nio.charset.StandardCharsets.US_ASCII),
    };
    for (byte[] bytes : malformed) {
      try (Socket socket = new Socket(InetAddress.getLoopbackAddress(), server.port())) {
        socket.setSoTimeout(10_000);
        new DataOutputStream(socket.getOutputStream()).write(bytes);
        assertEquals(-1, new DataInputStream(socket.getInputStream()).read(), "not closed");
      }
    }
    shard.write(1, 0, Shard.bytes(1, 4096), 1);
  }

  /** Sockets that say this and wait. */
  private List<Socket> sayTo(DataServer to, int count, byte... bytes) throws Exception {
    List<Socket> sockets = new ArrayList<>();
    for (int i = 0; i < count; i++) {
      Socket socket = new Socket(InetAddress.getLoopbackAddress(), to.port());
      socket.setSoTimeout(20_000);
      socket.getOutputStream().write(bytes);
      sockets.add(socket);
    }
    return sockets;
  }

  private static void assertClosed(List<Socket> sockets) throws Exception {
    for (Socket socket : sockets) {
      try (socket) {
        while (socket.getInputStream().read() >= 0) {
          // TLS says why
        }
      } catch (java.net.SocketTimeoutException e) {
        throw new AssertionError("not closed", e);
      } catch (java.io.IOException e) {
        // reset, which is closed
      }
    }
  }

  /** Nobody of them has shown who he is; together they claim more than there is. */
  @Test
  void manyWhoClaimMuchAndSendNothingStopNobody() throws Exception {
    shard.open(1, 1);
    shard.write(1, 0, Shard.bytes(1, 4096), 1);
    assertClosed(sayTo(server, 64, new byte[] {1, 0, 0, 0, 0, 0, 0, 0}));
    List<Socket> within = sayTo(server, 64, new byte[] {0, 0, -1, -1, 1, 0, 0, 0});
    assertArrayEquals(Shard.bytes(1, 4096), shard.read(1, 0, 4096));
    for (Socket socket : within) {
      socket.close();
    }
  }

  private DataServer serve(Peers.Limits limits) throws Exception {
    return DataServer.start(
        new InetSocketAddress(InetAddress.getLoopbackAddress(), 0),
        serverTls(),
        new DataServer.Served(store, store),
        32 << 20,
        limits);
  }

  @Test
  void whoBeginsAFrameAndDoesNotEndItIsClosed() throws Exception {
    try (DataServer impatient = serve(new Peers.Limits(100, Duration.ofMillis(300)))) {
      List<Socket> bad = sayTo(impatient, 3);
      bad.addAll(sayTo(impatient, 3, (byte) 0));
      bad.addAll(sayTo(impatient, 3, new byte[] {0, 0, 1, 0, 0, 0, 0, 0, 8}));
      bad.addAll(sayTo(impatient, 3, (byte) 0x16)); // as a handshake begins
      assertClosed(bad);
    }
  }

  @Test
  void ofTooManyConnectionsTheMostSilentGoes() throws Exception {
    try (DataServer small = serve(new Peers.Limits(4, Duration.ofHours(1)))) {
      List<Socket> silent = sayTo(small, 4);
      Shard good = shard(network.datanode("127.0.0.1", small.port()));
      good.open(1, 1);
      List<Socket> more = new ArrayList<>();
      for (int i = 0; i < 3; i++) {
        more.addAll(sayTo(small, 1));
        good.write(1, i * 4096L, Shard.bytes(i, 4096), 1);
      }
      assertClosed(silent);
      for (Socket socket : more) {
        socket.close();
      }
    }
  }

  @Test
  void aNodeThatIsGoneFailsCallsAndIsFoundAgain() throws Exception {
    shard.open(1, 1);
    int port = server.port();
    server.close();
    assertEquals(
        ErrorCode.UNAVAILABLE, Shard.failure(shard.writeAsync(1, 0, new byte[4096], 1)).code());
    server = serve(port);
    long deadline = System.nanoTime() + 10_000_000_000L;
    boolean back = false;
    while (!back && System.nanoTime() < deadline) {
      try {
        shard.write(1, 0, new byte[4096], 1);
        back = true;
      } catch (io.stowage.common.error.StoreException e) {
        assertEquals(ErrorCode.UNAVAILABLE, e.code());
      }
    }
    assertTrue(back);
  }

  /** A peer that the server hears, and that reads only what it is told to. */
  Socket connect(int port) throws Exception {
    return new Socket(InetAddress.getLoopbackAddress(), port);
  }

  /** Whoever asks for much and reads nothing is not read from, and costs nobody else. */
  @Test
  void aPeerThatReadsNothingIsHeldBack() throws Exception {
    shard.open(1, 1);
    byte[] bytes = Shard.bytes(1, 8 << 20);
    shard.write(1, 0, bytes, 1);
    DataRequest read =
        DataRequest.newBuilder()
            .setCallId(1)
            .setRead(
                ReadShardRequest.newBuilder()
                    .setShard(shard.key())
                    .setEpoch(1)
                    .addRanges(ByteRange.newBuilder().setLength(8 << 20)))
            .build();
    try (Socket greedy = connect(server.port())) {
      DataOutputStream out = new DataOutputStream(greedy.getOutputStream());
      for (int i = 0; i < 100; i++) {
        out.writeInt(read.getSerializedSize());
        out.writeInt(0);
        read.writeTo(out);
      }
      out.flush();
      for (int i = 0; i < 20; i++) {
        assertArrayEquals(
            java.util.Arrays.copyOf(bytes, 4096), shard.read(1, 0, 4096), "others are served");
      }
    }
    shard.write(1, 8 << 20, Shard.bytes(2, 4096), 1);
  }

  @Test
  void aCallWithoutAnswerTimesOut() throws Exception {
    try (java.net.ServerSocket silent = new java.net.ServerSocket(0);
        NetworkDatanodes impatient = new NetworkDatanodes(clientTls(), Duration.ofMillis(100))) {
      Shard unanswered = shard(impatient.datanode("127.0.0.1", silent.getLocalPort()));
      assertEquals(
          ErrorCode.TIMEOUT, Shard.failure(unanswered.writeAsync(1, 0, new byte[4096], 1)).code());
    }
  }
}
