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

import io.netty.bootstrap.ServerBootstrap;
import io.netty.buffer.PooledByteBufAllocator;
import io.netty.channel.AdaptiveRecvByteBufAllocator;
import io.netty.channel.Channel;
import io.netty.channel.ChannelFuture;
import io.netty.channel.ChannelInitializer;
import io.netty.channel.ChannelOption;
import io.netty.channel.EventLoopGroup;
import io.netty.channel.WriteBufferWaterMark;
import io.netty.channel.group.ChannelGroup;
import io.netty.channel.group.DefaultChannelGroup;
import io.netty.util.concurrent.GlobalEventExecutor;
import io.stowage.common.data.DataTransport;
import io.stowage.common.data.ShardService;
import io.stowage.common.error.ErrorCode;
import io.stowage.common.error.StoreException;
import io.stowage.common.tls.ServerTls;
import java.net.InetSocketAddress;
import java.util.concurrent.TimeUnit;

/**
 * Serves a {@link ShardService} on a port. Owns its event loops and connections. Thread-safe.
 *
 * <p>Back-pressure: bytes of requests and replies under way count against a budget of the
 * connection and one of the server. A connection beyond either, or whose peer does not read its
 * replies, is not read from until that has passed; TCP then holds the peer back.
 *
 * <p>Who only reaches the port costs little: headers of requests are short, payloads are taken in
 * only of writes that may be made, what is kept of frames that are not whole is bounded ({@link
 * ServerMemory}), and so are connections and the time that they may take ({@link Peers}).
 */
public final class DataServer implements AutoCloseable {
  private static final WriteBufferWaterMark WATER_MARK = new WriteBufferWaterMark(1 << 20, 4 << 20);
  private static final int MAX_RECEIVE_BYTES = 1 << 20;
  private static final int BACKLOG = 1_024;

  private final EventLoopGroup group;
  private final ChannelGroup connections =
      new DefaultChannelGroup(GlobalEventExecutor.INSTANCE, true);
  private final Channel listening;

  /**
   * Who is served what.
   *
   * @param certified connections that have shown a certificate, and all where none is asked for
   * @param others the rest
   */
  public record Served(ShardService certified, ShardService others) {}

  private DataServer(
      EventLoopGroup group,
      InetSocketAddress address,
      ServerTls tls,
      Served served,
      long memoryBytes,
      Peers.Limits limits)
      throws StoreException {
    this.group = group;
    ServerMemory memory = new ServerMemory(memoryBytes);
    Peers peers = new Peers(limits);
    ServerBootstrap bootstrap =
        new ServerBootstrap()
            .group(group)
            .channel(DataTransport.serverChannelClass())
            .option(ChannelOption.SO_BACKLOG, BACKLOG)
            .option(ChannelOption.SO_REUSEADDR, true)
            .childOption(ChannelOption.TCP_NODELAY, true)
            .childOption(ChannelOption.SO_KEEPALIVE, true)
            .childOption(ChannelOption.WRITE_BUFFER_WATER_MARK, WATER_MARK)
            .childOption(ChannelOption.ALLOCATOR, PooledByteBufAllocator.DEFAULT)
            .childOption(
                ChannelOption.RCVBUF_ALLOCATOR,
                new AdaptiveRecvByteBufAllocator(4_096, 65_536, MAX_RECEIVE_BYTES))
            .childHandler(
                new ChannelInitializer<Channel>() {
                  @Override
                  protected void initChannel(Channel channel) {
                    connections.add(channel);
                    channel
                        .pipeline()
                        .addLast(new FirstBytes(tls, served, memory, peers.add(channel)));
                  }
                });
    ChannelFuture bound = bootstrap.bind(address).awaitUninterruptibly();
    if (!bound.isSuccess()) {
      throw new StoreException(
          ErrorCode.BAD_CONFIGURATION,
          "Cannot serve on " + address + ": " + bound.cause().getMessage(),
          bound.cause());
    }
    listening = bound.channel();
  }

  /**
   * Begins to serve.
   *
   * @param memoryBytes of requests and replies under way, of all connections
   * @throws StoreException if the address cannot be bound
   */
  public static DataServer start(InetSocketAddress address, ShardService service, long memoryBytes)
      throws StoreException {
    return start(address, ServerTls.OFF, new Served(service, service), memoryBytes);
  }

  /** The same, to connections that are encrypted as is said. */
  public static DataServer start(
      InetSocketAddress address, ServerTls tls, Served served, long memoryBytes)
      throws StoreException {
    return start(address, tls, served, memoryBytes, Peers.Limits.DEFAULT);
  }

  /** The same with bounds of connections. */
  static DataServer start(
      InetSocketAddress address,
      ServerTls tls,
      Served served,
      long memoryBytes,
      Peers.Limits limits)
      throws StoreException {
    EventLoopGroup group =
        DataTransport.newGroup(
            "datanode-net", Math.max(2, Runtime.getRuntime().availableProcessors()));
    try {
      return new DataServer(group, address, tls, served, memoryBytes, limits);
    } catch (StoreException | RuntimeException e) {
      var unused = group.shutdownGracefully(0, 1, TimeUnit.SECONDS);
      throw e;
    }
  }

  public int port() {
    return ((InetSocketAddress) listening.localAddress()).getPort();
  }

  @Override
  public void close() {
    listening.close().awaitUninterruptibly(5, TimeUnit.SECONDS);
    connections.close().awaitUninterruptibly(5, TimeUnit.SECONDS);
    group.shutdownGracefully(0, 2, TimeUnit.SECONDS).awaitUninterruptibly(5, TimeUnit.SECONDS);
  }
}
