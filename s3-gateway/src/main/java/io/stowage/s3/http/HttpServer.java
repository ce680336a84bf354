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
package io.stowage.s3.http;

import io.netty.bootstrap.ServerBootstrap;
import io.netty.buffer.PooledByteBufAllocator;
import io.netty.channel.AdaptiveRecvByteBufAllocator;
import io.netty.channel.Channel;
import io.netty.channel.ChannelFuture;
import io.netty.channel.ChannelInitializer;
import io.netty.channel.ChannelOption;
import io.netty.channel.EventLoopGroup;
import io.netty.channel.ServerChannel;
import io.netty.channel.WriteBufferWaterMark;
import io.netty.channel.epoll.Epoll;
import io.netty.channel.epoll.EpollEventLoopGroup;
import io.netty.channel.epoll.EpollServerSocketChannel;
import io.netty.channel.nio.NioEventLoopGroup;
import io.netty.channel.socket.nio.NioServerSocketChannel;
import io.netty.handler.timeout.IdleStateHandler;
import io.netty.util.concurrent.DefaultThreadFactory;
import io.netty.util.concurrent.Future;
import io.stowage.common.error.ErrorCode;
import io.stowage.common.error.StoreException;
import io.stowage.common.lifecycle.Lifecycle;
import io.stowage.common.time.StoreClock;
import io.stowage.common.tls.TlsFiles;
import java.net.InetSocketAddress;
import java.time.Duration;
import java.time.Instant;
import java.time.ZoneOffset;
import java.time.format.DateTimeFormatter;
import java.util.List;
import java.util.Locale;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.ThreadLocalRandom;
import java.util.concurrent.ThreadPoolExecutor;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The listening socket, its event loops and the workers. Owns every thread and connection of the
 * gateway. Thread-safe.
 *
 * <p>Event loops only move bytes; whatever may block runs on a worker. Memory is bounded by {@link
 * HttpLimits#memoryBytes} for bodies and responses, and a piece for each streaming request.
 */
public final class HttpServer implements AutoCloseable {
  private static final Logger LOG = LoggerFactory.getLogger(HttpServer.class);

  /** Requests that wait for a worker: beyond this the answer is "slow down", at once. */
  private static final int WAITING_REQUESTS = 1024;

  private static final DateTimeFormatter HTTP_DATE =
      DateTimeFormatter.ofPattern("EEE, dd MMM yyyy HH:mm:ss 'GMT'", Locale.ENGLISH)
          .withZone(ZoneOffset.UTC);

  private record SecondText(long second, String text) {}

  private final HttpLimits limits;
  private final StoreClock clock;
  private final MemoryBudget requestMemory;
  private final MemoryBudget responseMemory;
  private final BodyMemory bodyMemory;
  private final Lifecycle lifecycle = new Lifecycle("the HTTP server");
  private final ThreadPoolExecutor workers;
  private final EventLoopGroup acceptor;
  private final EventLoopGroup loops;
  private final Set<Connection> connections = ConcurrentHashMap.newKeySet();
  private final AtomicInteger streaming = new AtomicInteger();
  private final RequestFigures figures = new RequestFigures();
  private volatile SecondText date = new SecondText(Long.MIN_VALUE, "");
  private final List<Channel> listeners = new CopyOnWriteArrayList<>();

  private HttpServer(HttpLimits limits, BodyMemory bodyMemory, StoreClock clock) {
    this.limits = limits;
    this.bodyMemory = bodyMemory;
    this.clock = clock;
    // Apart, so that readers of large objects cannot make small uploads wait, nor the other way.
    requestMemory = new MemoryBudget(limits.gatheredBytes());
    responseMemory = new MemoryBudget(limits.responseBytes());
    // The queue needs no bound of its own: each connection has one task at most, and new requests
    // are turned away at WAITING_REQUESTS.
    workers =
        new ThreadPoolExecutor(
            limits.workers(),
            limits.workers(),
            30,
            TimeUnit.SECONDS,
            new LinkedBlockingQueue<>(),
            new DefaultThreadFactory("s3-worker", true));
    workers.allowCoreThreadTimeOut(true);
    boolean epoll = Epoll.isAvailable();
    DefaultThreadFactory acceptorThreads = new DefaultThreadFactory("s3-accept", true);
    DefaultThreadFactory loopThreads = new DefaultThreadFactory("s3-io", true);
    // Loops only parse and copy: a few carry what the workers can do.
    int loopCount = Math.min(8, Math.max(2, Runtime.getRuntime().availableProcessors()));
    acceptor =
        epoll
            ? new EpollEventLoopGroup(1, acceptorThreads)
            : new NioEventLoopGroup(1, acceptorThreads);
    loops =
        epoll
            ? new EpollEventLoopGroup(loopCount, loopThreads)
            : new NioEventLoopGroup(loopCount, loopThreads);
  }

  /**
   * One address to listen on.
   *
   * @param tls null: not encrypted
   */
  public record Listener(InetSocketAddress bind, TlsFiles tls) {}

  /**
   * Listens, and serves from then on.
   *
   * @param bodyMemory of streamed bodies, here and with whoever hashes them
   */
  public static HttpServer start(
      List<Listener> listeners,
      HttpLimits limits,
      BodyMemory bodyMemory,
      RequestHandler handler,
      StoreClock clock)
      throws StoreException {
    HttpServer server = new HttpServer(limits, bodyMemory, clock);
    server.lifecycle.moveTo(Lifecycle.State.STARTING);
    try {
      for (Listener listener : listeners) {
        server.listen(listener, handler);
      }
    } catch (StoreException e) {
      server.close();
      throw e;
    }
    server.lifecycle.moveTo(Lifecycle.State.RUNNING);
    return server;
  }

  private void listen(Listener to, RequestHandler handler) throws StoreException {
    InetSocketAddress bind = to.bind;
    Class<? extends ServerChannel> type =
        Epoll.isAvailable() ? EpollServerSocketChannel.class : NioServerSocketChannel.class;
    ServerBootstrap bootstrap =
        new ServerBootstrap()
            .group(acceptor, loops)
            .channel(type)
            .option(ChannelOption.SO_BACKLOG, 1024)
            .option(ChannelOption.SO_REUSEADDR, true)
            .childOption(ChannelOption.TCP_NODELAY, true)
            .childOption(ChannelOption.ALLOCATOR, PooledByteBufAllocator.DEFAULT)
            .childOption(
                ChannelOption.RCVBUF_ALLOCATOR,
                new AdaptiveRecvByteBufAllocator(2048, 8192, HttpLimits.PIECE_BYTES))
            .childOption(
                ChannelOption.WRITE_BUFFER_WATER_MARK,
                new WriteBufferWaterMark(HttpLimits.WRITE_LOW, HttpLimits.WRITE_HIGH))
            .childHandler(
                new ChannelInitializer<Channel>() {
                  @Override
                  protected void initChannel(Channel channel) {
                    Connection connection = new Connection(HttpServer.this);
                    channel
                        .pipeline()
                        .addLast(
                            new IdleStateHandler(
                                true, 0, 0, limits.idle().toMillis(), TimeUnit.MILLISECONDS),
                            connection);
                    if (to.tls != null) {
                      channel.pipeline().addLast(to.tls.current().newHandler(channel.alloc()));
                    }
                    channel
                        .pipeline()
                        .addLast(new ProtocolChooser(HttpServer.this, handler, connection));
                  }
                });
    ChannelFuture bound = bootstrap.bind(bind).awaitUninterruptibly();
    if (!bound.isSuccess()) {
      throw new StoreException(
          ErrorCode.BAD_CONFIGURATION,
          "Cannot serve S3 on "
              + bind.getHostString()
              + ":"
              + bind.getPort()
              + ": "
              + bound.cause().getMessage(),
          bound.cause());
    }
    listeners.add(bound.channel());
  }

  /** Port of the first listener. */
  public int port() {
    return port(listeners.get(0));
  }

  /** Port of the last listener, where TLS is served if it is. */
  public int tlsPort() {
    return port(listeners.get(listeners.size() - 1));
  }

  private static int port(Channel listener) {
    return ((InetSocketAddress) listener.localAddress()).getPort();
  }

  /** Connections open now. */
  public int connectionCount() {
    return connections.size();
  }

  /** Bytes of bodies and responses held now. */
  public long memoryInUse() {
    return requestMemory.used() + responseMemory.used() + bodyMemory.used();
  }

  /** Bytes of bodies and responses that may be held. */
  public long memoryBound() {
    return limits.memoryBytes();
  }

  /** Threads that run operations now. */
  public int busyWorkers() {
    return workers.getActiveCount();
  }

  /** Requests, and answers to be gone on with, that wait for a worker. */
  public int waitingRequests() {
    return workers.getQueue().size();
  }

  /** What was answered so far. */
  public RequestFigures figures() {
    return figures;
  }

  /** Streamed bodies being received now. */
  public int streamingCount() {
    return streaming.get();
  }

  /**
   * Stops: no new connections, requests at work are answered for as long as {@code grace}, then
   * everything is closed.
   */
  public void stop(Duration grace) {
    if (!lifecycle.beginStop()) {
      return;
    }
    for (Channel listener : listeners) {
      listener.close().awaitUninterruptibly();
    }
    connections.forEach(Connection::drain);
    long deadline = System.nanoTime() + grace.toNanos();
    boolean interrupted = false;
    while (!connections.isEmpty() && System.nanoTime() < deadline && !interrupted) {
      try {
        TimeUnit.MILLISECONDS.sleep(5);
      } catch (InterruptedException e) {
        interrupted = true;
      }
    }
    if (!connections.isEmpty()) {
      LOG.warn("Closing {} connections that did not end within {}", connections.size(), grace);
      connections.forEach(Connection::closeNow);
    }
    workers.shutdownNow();
    try {
      if (!workers.awaitTermination(10, TimeUnit.SECONDS)) {
        LOG.warn("Operations are still running: {}", workers.getActiveCount());
      }
    } catch (InterruptedException e) {
      interrupted = true;
    }
    Future<?> acceptorEnd = acceptor.shutdownGracefully(0, 5, TimeUnit.SECONDS);
    Future<?> loopsEnd = loops.shutdownGracefully(0, 5, TimeUnit.SECONDS);
    acceptorEnd.awaitUninterruptibly(6, TimeUnit.SECONDS);
    loopsEnd.awaitUninterruptibly(6, TimeUnit.SECONDS);
    if (interrupted) {
      Thread.currentThread().interrupt();
    }
    lifecycle.moveTo(Lifecycle.State.STOPPED);
  }

  @Override
  public void close() {
    stop(limits.drain());
  }

  // ---- for the connections

  HttpLimits limits() {
    return limits;
  }

  /** For gathered bodies. */
  MemoryBudget requestMemory() {
    return requestMemory;
  }

  /** For streamed bodies. */
  BodyMemory bodyMemory() {
    return bodyMemory;
  }

  /** For pieces of streamed responses. */
  MemoryBudget responseMemory() {
    return responseMemory;
  }

  boolean admit(Connection connection) {
    connections.add(connection);
    return lifecycle.state().compareTo(Lifecycle.State.RUNNING) <= 0
        && connections.size() <= limits.connections();
  }

  void forget(Connection connection) {
    connections.remove(connection);
  }

  boolean beginStreaming() {
    if (streaming.incrementAndGet() > limits.streamingRequests()) {
      streaming.decrementAndGet();
      return false;
    }
    return true;
  }

  void endStreaming() {
    streaming.decrementAndGet();
  }

  /** False if there is no room for a new request. */
  boolean submitRequest(Runnable task) {
    return workers.getQueue().size() < WAITING_REQUESTS && submitContinuation(task);
  }

  /** Goes on with a request that was begun; false only when the server is stopping. */
  boolean submitContinuation(Runnable task) {
    try {
      workers.execute(task);
      return true;
    } catch (RejectedExecutionException e) {
      return false;
    }
  }

  String newRequestId() {
    long id = ThreadLocalRandom.current().nextLong();
    char[] digits = new char[16];
    for (int i = 15; i >= 0; i--, id >>>= 4) {
      digits[i] = Character.toUpperCase(Character.forDigit((int) (id & 15), 16));
    }
    return new String(digits);
  }

  /** Now, as HTTP writes it; made once a second. */
  String httpDate() {
    long second = clock.wallMicros() / 1_000_000;
    SecondText now = date;
    if (now.second != second) {
      now = new SecondText(second, HTTP_DATE.format(Instant.ofEpochSecond(second)));
      date = now;
    }
    return now.text;
  }
}
