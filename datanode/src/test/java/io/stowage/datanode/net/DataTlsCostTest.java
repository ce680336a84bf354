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

import static org.junit.jupiter.api.Assertions.assertEquals;

import io.netty.buffer.ByteBuf;
import io.netty.buffer.PooledByteBufAllocator;
import io.netty.handler.ssl.JdkSslContext;
import io.netty.handler.ssl.SslContextBuilder;
import io.netty.handler.ssl.SslProvider;
import io.stowage.common.conf.Keys;
import io.stowage.common.conf.StowageConfig;
import io.stowage.common.data.NetworkDatanodes;
import io.stowage.common.data.ShardService;
import io.stowage.common.error.StoreException;
import io.stowage.common.proto.ByteRange;
import io.stowage.common.proto.DataReply;
import io.stowage.common.proto.DataRequest;
import io.stowage.common.proto.ListShardsReply;
import io.stowage.common.proto.ListShardsRequest;
import io.stowage.common.proto.OpenShardReply;
import io.stowage.common.proto.OpenShardRequest;
import io.stowage.common.proto.ReadShardReply;
import io.stowage.common.proto.ReadShardRequest;
import io.stowage.common.proto.SealShardReply;
import io.stowage.common.proto.SealShardRequest;
import io.stowage.common.proto.StatShardReply;
import io.stowage.common.proto.StatShardRequest;
import io.stowage.common.proto.WriteShardReply;
import io.stowage.common.proto.WriteShardRequest;
import io.stowage.common.tls.ClientTls;
import io.stowage.common.tls.ServerTls;
import io.stowage.common.tls.TestAuthority;
import java.io.DataInputStream;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.Socket;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import javax.net.SocketFactory;
import javax.net.ssl.SSLSocket;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.EnabledIfSystemProperty;
import org.junit.jupiter.api.io.TempDir;

/**
 * What TLS costs on the data plane, both ends in this JVM, nothing behind the server but memory.
 * Asserts nothing of time; prints what {@code docs/PERFORMANCE.md} records.
 */
@EnabledIfSystemProperty(named = "stowage.test.costs", matches = "true")
class DataTlsCostTest {
  private static final long WARM_UP_NANOS = TimeUnit.SECONDS.toNanos(4);
  private static final long MEASURED_NANOS = TimeUnit.SECONDS.toNanos(6);
  private static final int WARM_UP_CONNECTIONS = 500;
  private static final int MEASURED_CONNECTIONS = 1_000;

  @TempDir private Path directory;

  /** Takes whatever is written, reads zeros, and knows nothing of any shard. */
  private static final class Memory implements ShardService {
    private static <T> CompletableFuture<T> unused() {
      return CompletableFuture.failedFuture(new UnsupportedOperationException());
    }

    @Override
    public CompletableFuture<WriteShardReply> write(WriteShardRequest request, ByteBuf payload) {
      payload.release();
      return CompletableFuture.completedFuture(WriteShardReply.getDefaultInstance());
    }

    @Override
    public CompletableFuture<ShardBytes> read(ReadShardRequest request) {
      int length = (int) request.getRanges(0).getLength();
      return CompletableFuture.completedFuture(
          new ShardBytes(
              ReadShardReply.getDefaultInstance(),
              PooledByteBufAllocator.DEFAULT.directBuffer(length).writerIndex(length)));
    }

    @Override
    public CompletableFuture<OpenShardReply> open(OpenShardRequest request) {
      return unused();
    }

    @Override
    public CompletableFuture<SealShardReply> seal(SealShardRequest request) {
      return unused();
    }

    @Override
    public CompletableFuture<StatShardReply> stat(StatShardRequest request) {
      return CompletableFuture.completedFuture(StatShardReply.getDefaultInstance());
    }

    @Override
    public CompletableFuture<ListShardsReply> list(ListShardsRequest request) {
      return unused();
    }
  }

  private TestAuthority.Pem pem;
  private Path authorities;

  @BeforeEach
  void makeCertificates() throws Exception {
    TestAuthority authority = new TestAuthority("authority");
    pem = authority.issue(directory, "datanode", "127.0.0.1");
    authorities = authority.write(directory.resolve("a.crt"));
  }

  /**
   * Encrypted.
   *
   * @param clients who shows a certificate: none, services or all
   */
  private StowageConfig tls(String clients) throws StoreException {
    return StowageConfig.of(
        Map.of(
            Keys.TLS_MODE.name(),
            "only",
            Keys.TLS_CLIENT_CERTIFICATES.name(),
            clients,
            Keys.SECURITY_ENABLED.name(),
            "true",
            Keys.TLS_CERTIFICATE.name(),
            pem.certificate().toString(),
            Keys.TLS_KEY.name(),
            pem.key().toString(),
            Keys.TLS_AUTHORITIES.name(),
            authorities.toString()));
  }

  @Test
  void plainAndTls() throws Exception {
    StowageConfig tls = tls("none");
    StowageConfig mutual = tls("all");
    for (int length : new int[] {4 << 10, 1 << 20}) {
      for (boolean write : new boolean[] {true, false}) {
        double plain = measure(ServerTls.OFF, ClientTls.OFF, length, write);
        double encrypted = measure(ServerTls.from(tls), ClientTls.from(tls), length, write);
        double certified = measure(ServerTls.from(mutual), ClientTls.from(mutual), length, write);
        System.out.printf(
            "COST %s of %d KiB: plain %.0f calls/s (%.2f GB/s), TLS %.0f calls/s (%.2f GB/s),"
                + " mutual TLS %.0f calls/s (%.2f GB/s)%n",
            write ? "writes" : "reads",
            length >> 10,
            plain,
            plain * length / 1e9,
            encrypted,
            encrypted * length / 1e9,
            certified,
            certified * length / 1e9);
      }
    }
  }

  /**
   * Connections, each with one small call, one after the other: of clients that open one for a few
   * calls. Nothing of an earlier one is resumed.
   */
  @Test
  void connections() throws Exception {
    SslContextBuilder believing =
        SslContextBuilder.forClient()
            .sslProvider(SslProvider.JDK)
            .trustManager(authorities.toFile());
    SocketFactory anybody = ((JdkSslContext) believing.build()).context().getSocketFactory();
    believing.keyManager(pem.certificate().toFile(), pem.key().toFile());
    SocketFactory certified = ((JdkSslContext) believing.build()).context().getSocketFactory();
    double plain = connectionsPerSecond(ServerTls.OFF, SocketFactory.getDefault());
    double encrypted = connectionsPerSecond(ServerTls.from(tls("none")), anybody);
    double services = connectionsPerSecond(ServerTls.from(tls("services")), certified);
    double users = connectionsPerSecond(ServerTls.from(tls("services")), anybody);
    double all = connectionsPerSecond(ServerTls.from(tls("all")), certified);
    System.out.printf(
        "COST connections/s with a call each: plain %.0f, TLS %.0f, asked for a certificate and"
            + " showing none %.0f, showing one %.0f, having to %.0f%n",
        plain, encrypted, users, services, all);
  }

  private static double connectionsPerSecond(ServerTls server, SocketFactory sockets)
      throws Exception {
    Memory memory = new Memory();
    try (DataServer serving =
        DataServer.start(
            new InetSocketAddress(InetAddress.getLoopbackAddress(), 0),
            server,
            new DataServer.Served(memory, memory),
            256L << 20)) {
      long begin = 0;
      for (int i = -WARM_UP_CONNECTIONS; i < MEASURED_CONNECTIONS; i++) {
        if (i == 0) {
          begin = System.nanoTime();
        }
        connectAndCall(sockets, serving.port());
      }
      return MEASURED_CONNECTIONS / ((System.nanoTime() - begin) / 1e9);
    }
  }

  private static void connectAndCall(SocketFactory sockets, int port) throws Exception {
    byte[] request =
        DataRequest.newBuilder()
            .setCallId(1)
            .setStat(StatShardRequest.getDefaultInstance())
            .build()
            .toByteArray();
    try (Socket socket = sockets.createSocket(InetAddress.getLoopbackAddress(), port)) {
      socket.setSoTimeout(20_000);
      socket.setTcpNoDelay(true); // as our own client's
      socket.setSoLinger(true, 0); // else the ports of what was closed run out
      socket
          .getOutputStream()
          .write(
              ByteBuffer.allocate(8 + request.length)
                  .putInt(request.length)
                  .putInt(0)
                  .put(request)
                  .array());
      DataInputStream in = new DataInputStream(socket.getInputStream());
      byte[] reply = new byte[in.readInt()];
      assertEquals(0, in.readInt());
      in.readFully(reply);
      assertEquals(1, DataReply.parseFrom(reply).getCallId());
      if (socket instanceof SSLSocket encrypted) {
        encrypted.getSession().invalidate();
      }
    }
  }

  private static double measure(ServerTls server, ClientTls client, int length, boolean write)
      throws Exception {
    Memory memory = new Memory();
    try (DataServer serving =
            DataServer.start(
                new InetSocketAddress(InetAddress.getLoopbackAddress(), 0),
                server,
                new DataServer.Served(memory, memory),
                256L << 20);
        NetworkDatanodes network = new NetworkDatanodes(client, Duration.ofSeconds(20))) {
      ShardService node = network.datanode("127.0.0.1", serving.port());
      ByteBuf payload = PooledByteBufAllocator.DEFAULT.directBuffer(length).writerIndex(length);
      int depth = length < 64 << 10 ? 64 : 8;
      var unused = run(node, payload, depth, write, WARM_UP_NANOS);
      double rate = run(node, payload, depth, write, MEASURED_NANOS);
      payload.release();
      return rate;
    }
  }

  /** Calls a second, as many at a time as the depth says. */
  private static double run(
      ShardService node, ByteBuf payload, int depth, boolean write, long nanos) throws Exception {
    Deque<CompletableFuture<Integer>> flying = new ArrayDeque<>();
    long begin = System.nanoTime();
    long done = 0;
    while (System.nanoTime() - begin < nanos) {
      if (flying.size() == depth) {
        assertEquals(write ? 0 : payload.readableBytes(), flying.poll().get(20, TimeUnit.SECONDS));
        done++;
      }
      flying.add(call(node, payload, write));
    }
    double seconds = (System.nanoTime() - begin) / 1e9;
    for (CompletableFuture<Integer> last : flying) {
      var unused = last.get(20, TimeUnit.SECONDS);
    }
    return done / seconds;
  }

  private static CompletableFuture<Integer> call(
      ShardService node, ByteBuf payload, boolean write) {
    if (write) {
      return node.write(WriteShardRequest.getDefaultInstance(), payload.retainedDuplicate())
          .thenApply(reply -> 0);
    }
    return node.read(
            ReadShardRequest.newBuilder()
                .addRanges(ByteRange.newBuilder().setLength(payload.readableBytes()))
                .build())
        .thenApply(
            read -> {
              int length = read.payload().readableBytes();
              read.payload().release();
              return length;
            });
  }
}
