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
package io.stowage.common.data;

import io.netty.bootstrap.Bootstrap;
import io.netty.buffer.PooledByteBufAllocator;
import io.netty.channel.AdaptiveRecvByteBufAllocator;
import io.netty.channel.ChannelOption;
import io.netty.channel.EventLoopGroup;
import io.stowage.common.proto.ShardPlace;
import io.stowage.common.tls.ClientTls;
import java.net.InetSocketAddress;
import java.time.Duration;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.LongAdder;

/**
 * Datanodes over the network: a few connections to each, made when first needed and again after
 * they ended. Owns connections and event loops. Thread-safe.
 */
public final class NetworkDatanodes implements DatanodeDirectory {
  /**
   * An answer that takes longer comes from a node that hangs; the request may still be executed.
   */
  public static final Duration DEFAULT_TIMEOUT = Duration.ofSeconds(30);

  private static final int CONNECT_TIMEOUT_MILLIS = 2_000;

  /** Receive buffers: big, so that a cell of 1 MiB comes in few pieces. */
  private static final int MAX_RECEIVE_BYTES = 1 << 20;

  private record Address(String host, int port) {}

  private final EventLoopGroup group;
  private final Bootstrap bootstrap;
  private final long timeoutNanos;
  private final Map<Address, RemoteDatanode> nodes = new ConcurrentHashMap<>();
  private final LongAdder calls = new LongAdder();
  private volatile boolean closed;

  private final ClientTls tls;

  public NetworkDatanodes(ClientTls tls) {
    this(tls, DEFAULT_TIMEOUT);
  }

  /**
   * @param timeout for the answer to one call
   */
  public NetworkDatanodes(ClientTls tls, Duration timeout) {
    this.tls = tls;
    this.timeoutNanos = timeout.toNanos();
    this.group =
        DataTransport.newGroup(
            "stowage-data", Math.max(2, Runtime.getRuntime().availableProcessors()));
    this.bootstrap =
        new Bootstrap()
            .group(group)
            .channel(DataTransport.channelClass())
            .option(ChannelOption.TCP_NODELAY, true)
            .option(ChannelOption.SO_KEEPALIVE, true)
            .option(ChannelOption.CONNECT_TIMEOUT_MILLIS, CONNECT_TIMEOUT_MILLIS)
            .option(ChannelOption.ALLOCATOR, PooledByteBufAllocator.DEFAULT)
            .option(
                ChannelOption.RCVBUF_ALLOCATOR,
                new AdaptiveRecvByteBufAllocator(4_096, 65_536, MAX_RECEIVE_BYTES));
  }

  @Override
  public ShardService datanode(ShardPlace place) {
    return datanode(place.getHost(), place.getPort());
  }

  /** The node at an address. */
  public ShardService datanode(String host, int port) {
    return nodes.computeIfAbsent(
        new Address(host, port),
        address ->
            new RemoteDatanode(
                bootstrap,
                tls,
                // resolved by the event loop, and anew for every connection
                InetSocketAddress.createUnresolved(host, port),
                timeoutNanos,
                calls,
                () -> closed));
  }

  @Override
  public long calls() {
    return calls.sum();
  }

  @Override
  public void close() {
    closed = true;
    nodes.values().forEach(RemoteDatanode::close);
    group.shutdownGracefully(0, 2, TimeUnit.SECONDS).awaitUninterruptibly(5, TimeUnit.SECONDS);
  }
}
