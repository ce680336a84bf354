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
import io.netty.buffer.ByteBuf;
import io.netty.channel.Channel;
import io.netty.channel.ChannelFuture;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInboundHandlerAdapter;
import io.netty.channel.ChannelInitializer;
import io.netty.handler.ssl.SslHandler;
import io.stowage.common.conf.Keys;
import io.stowage.common.error.ErrorCode;
import io.stowage.common.error.StoreException;
import io.stowage.common.proto.DataReply;
import io.stowage.common.proto.DataRequest;
import io.stowage.common.tls.ClientTls;
import io.stowage.common.tls.ShownCertificate;
import java.net.InetSocketAddress;
import java.util.Iterator;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * One connection to a datanode: calls in flight by id. A connection that ends fails its calls and
 * is not used again. Thread-safe.
 */
final class DataConnection {
  private static final Logger LOG = LoggerFactory.getLogger(DataConnection.class);

  /** Calls whose time is up are found by looking at all of them this often. */
  private static final long SWEEP_MILLIS = 50;

  private record Call(CompletableFuture<DataFrame<DataReply>> result, long deadlineNanos) {}

  private final InetSocketAddress address;
  private final long timeoutNanos;
  private final ClientTls tls;
  private final Channel channel;
  private final DataFrameQueue out;
  private final Map<Long, Call> calls = new ConcurrentHashMap<>();
  private final AtomicLong nextId = new AtomicLong(1);

  /** What the datanode has shown. Confined to the event loop; null: nothing, or not yet. */
  private ShownCertificate certificate;

  /** Why the connection has ended; null while it has not. */
  private volatile StoreException ended;

  /** Begins to connect; calls may be made at once. */
  DataConnection(Bootstrap bootstrap, ClientTls tls, InetSocketAddress address, long timeoutNanos) {
    this.tls = tls;
    this.address = address;
    this.timeoutNanos = timeoutNanos;
    ChannelFuture connecting =
        bootstrap
            .clone()
            .handler(
                new ChannelInitializer<Channel>() {
                  @Override
                  protected void initChannel(Channel connected) {
                    if (tls.isOn()) {
                      connected
                          .pipeline()
                          .addLast(
                              tls.newHandler(
                                  connected.alloc(), address.getHostString(), address.getPort()));
                    }
                    connected
                        .pipeline()
                        .addLast(
                            new DataFrameDecoder<>(DataReply.parser(), FrameBounds.ofReplies()),
                            new Replies());
                  }
                })
            .connect(address);
    this.channel = connecting.channel();
    this.out = new DataFrameQueue(channel);
    // Calls made while connecting wait for the connect timeout at most; from then on they are
    // swept.
    connecting.addListener(
        future -> {
          if (!future.isSuccess()) {
            end("cannot connect: " + future.cause().getMessage());
            return;
          }
          sweep();
          if (tls.isOn()) {
            openAfterHandshake();
          } else {
            out.open();
          }
        });
  }

  /** Nothing is sent, and waits in no buffer of TLS, before the other side is known. */
  private void openAfterHandshake() {
    SslHandler encryption = channel.pipeline().get(SslHandler.class);
    encryption
        .handshakeFuture()
        .addListener(
            done -> {
              if (done.isSuccess()) {
                certificate = tls.shownBy(encryption);
                out.open();
              } else {
                LOG.warn(
                    "Cannot speak TLS with datanode {}: {}", address, tls.explain(done.cause()));
                end(tls.explain(done.cause()));
              }
            });
  }

  boolean hasEnded() {
    return ended != null;
  }

  /** For people; only of a connection that has ended. */
  String whyEnded() {
    return ended.getMessage();
  }

  /**
   * Sends a request.
   *
   * @param payload one reference is taken over; null for none
   */
  CompletableFuture<DataFrame<DataReply>> call(DataRequest.Builder request, ByteBuf payload) {
    long id = nextId.getAndIncrement();
    CompletableFuture<DataFrame<DataReply>> result = new CompletableFuture<>();
    calls.put(id, new Call(result, System.nanoTime() + timeoutNanos));
    out.send(request.setCallId(id).build(), payload, null);
    if (ended != null) {
      failAll();
    }
    return result;
  }

  private void end(String why) {
    if (ended == null) {
      ended =
          new StoreException(
              ErrorCode.UNAVAILABLE, "Cannot reach datanode " + address + ": " + why);
    }
    var unused = channel.close();
    failAll();
  }

  private void failAll() {
    out.discard();
    for (Iterator<Call> it = calls.values().iterator(); it.hasNext(); ) {
      Call call = it.next();
      it.remove();
      call.result.completeExceptionally(ended);
    }
  }

  private void sweep() {
    long now = System.nanoTime();
    for (Iterator<Call> it = calls.values().iterator(); it.hasNext(); ) {
      Call call = it.next();
      if (now - call.deadlineNanos >= 0) {
        it.remove();
        call.result.completeExceptionally(
            new StoreException(
                ErrorCode.TIMEOUT,
                String.format(
                    "Cannot wait longer for datanode %s: no answer after %d ms",
                    address, TimeUnit.NANOSECONDS.toMillis(timeoutNanos))));
      }
    }
    if (certificate != null && !certificate.isVouchedFor()) {
      end("nobody in " + Keys.TLS_AUTHORITIES.name() + " vouches for its certificate any more");
    }
    if (ended == null) {
      var unused = channel.eventLoop().schedule(this::sweep, SWEEP_MILLIS, TimeUnit.MILLISECONDS);
    }
  }

  void close() {
    end("the client has closed the connection");
  }

  /** What comes back. Confined to the event loop. */
  private final class Replies extends ChannelInboundHandlerAdapter {
    @Override
    public void channelRead(ChannelHandlerContext context, Object message) {
      @SuppressWarnings("unchecked") // the decoder in front of this handler makes nothing else
      DataFrame<DataReply> frame = (DataFrame<DataReply>) message;
      Call call = calls.remove(frame.header().getCallId());
      if (call == null || !call.result.complete(frame)) {
        frame.payload().release(); // its caller gave up waiting
      }
    }

    @Override
    public void channelInactive(ChannelHandlerContext context) {
      end("the connection was closed");
    }

    @Override
    public void exceptionCaught(ChannelHandlerContext context, Throwable cause) {
      if (ended == null) {
        LOG.warn("Closing the connection to datanode {}: {}", address, cause.toString());
      }
      end(tls.explain(cause));
    }
  }
}
