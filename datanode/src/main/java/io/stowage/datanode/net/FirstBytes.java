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

import io.netty.buffer.ByteBuf;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInboundHandler;
import io.netty.channel.ChannelInboundHandlerAdapter;
import io.netty.channel.ChannelPipeline;
import io.netty.handler.ssl.SslHandler;
import io.netty.handler.ssl.SslHandshakeCompletionEvent;
import io.netty.util.ReferenceCountUtil;
import io.stowage.common.conf.Keys;
import io.stowage.common.data.DataFrame;
import io.stowage.common.data.DataFrameDecoder;
import io.stowage.common.data.DataFrameQueue;
import io.stowage.common.data.FrameBounds;
import io.stowage.common.data.ShardService;
import io.stowage.common.error.ErrorCode;
import io.stowage.common.proto.DataReply;
import io.stowage.common.proto.DataRequest;
import io.stowage.common.tls.ServerTls;
import io.stowage.common.tls.ShownCertificate;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Waits for a connection's first byte, which tells TLS from plain text, and sets up what speaks it,
 * or says why not. Confined to the channel's event loop.
 *
 * <p>A handshake of TLS begins with 0x16; a frame with the length of a header, which is never that
 * long. So both can be served on one port while a cluster is being switched, and who speaks the
 * wrong one hears so instead of waiting.
 */
final class FirstBytes extends ChannelInboundHandlerAdapter {
  private static final Logger LOG = LoggerFactory.getLogger(FirstBytes.class);
  private static final byte TLS_HANDSHAKE = 0x16;

  /** Of a call that is refused for coming in plain text; one with a longer header is not heard. */
  private static final int MOST_PLAIN_HEADER_BYTES = 64 << 10;

  private final ServerTls tls;
  private final DataServer.Served served;
  private final ServerMemory memory;
  private final Peers.Peer peer;

  FirstBytes(ServerTls tls, DataServer.Served served, ServerMemory memory, Peers.Peer peer) {
    this.tls = tls;
    this.served = served;
    this.memory = memory;
    this.peer = peer;
  }

  @Override
  public void channelRead(ChannelHandlerContext context, Object message) {
    ByteBuf bytes = (ByteBuf) message;
    if (!bytes.isReadable()) {
      bytes.release();
      return;
    }
    ChannelPipeline pipeline = context.pipeline();
    if (bytes.getByte(bytes.readerIndex()) == TLS_HANDSHAKE) {
      if (!tls.isOn()) {
        LOG.warn(
            "Closing the connection from {}: it speaks TLS, and this datanode does not ({})",
            context.channel().remoteAddress(),
            Keys.TLS_MODE.name());
        bytes.release();
        var unused = context.close();
        return;
      }
      SslHandler encryption = tls.newHandler(context.alloc());
      pipeline.addLast(encryption, new Handshake(encryption));
    } else if (tls.takesPlain()) {
      speak(pipeline, connection(pipeline, served.others()));
    } else {
      speak(pipeline, new PlainRefusal(peer));
    }
    context.fireChannelRead(bytes);
    pipeline.remove(this);
  }

  private DataServerConnection connection(ChannelPipeline pipeline, ShardService to) {
    return new DataServerConnection(pipeline.channel(), to, memory, peer);
  }

  private <H extends ChannelInboundHandler & FrameBounds<DataRequest>> void speak(
      ChannelPipeline pipeline, H listener) {
    DataFrameDecoder<DataRequest> decoder = new DataFrameDecoder<>(DataRequest.parser(), listener);
    peer.speaks(decoder);
    pipeline.addLast(decoder, listener);
  }

  @Override
  public void exceptionCaught(ChannelHandlerContext context, Throwable cause) {
    LOG.debug("Connection from {} ended: {}", context.channel().remoteAddress(), cause.toString());
    var unused = context.close();
  }

  /** Serves when the handshake is over, by whether the other side has shown a certificate. */
  private final class Handshake extends ChannelInboundHandlerAdapter {
    private final SslHandler encryption;

    Handshake(SslHandler encryption) {
      this.encryption = encryption;
    }

    @Override
    public void userEventTriggered(ChannelHandlerContext context, Object event) {
      if (!(event instanceof SslHandshakeCompletionEvent handshake)) {
        context.fireUserEventTriggered(event);
        return;
      }
      if (!handshake.isSuccess()) {
        LOG.warn(
            "Closing the connection from {}: {}",
            context.channel().remoteAddress(),
            ServerTls.explain(handshake.cause()));
        var unused = context.close();
        return;
      }
      boolean certified = ServerTls.isCertified(encryption);
      if (certified) {
        context.pipeline().addLast(new Vouched(tls.shownBy(encryption)));
      }
      ShardService to = certified ? served.certified() : served.others();
      speak(context.pipeline(), connection(context.pipeline(), to));
      context.pipeline().remove(this);
    }

    @Override
    public void exceptionCaught(ChannelHandlerContext context, Throwable cause) {
      // told with the handshake's end
      var unused = context.close();
    }
  }

  /** Closes a connection when nobody vouches any more for what the other end has shown. */
  private static final class Vouched extends ChannelInboundHandlerAdapter {
    private final ShownCertificate certificate;

    Vouched(ShownCertificate certificate) {
      this.certificate = certificate;
    }

    @Override
    public void channelRead(ChannelHandlerContext context, Object message) {
      if (certificate.isVouchedFor()) {
        context.fireChannelRead(message);
        return;
      }
      LOG.warn(
          "Closing the connection from {}: nobody in {} vouches for its certificate any more",
          context.channel().remoteAddress(),
          Keys.TLS_AUTHORITIES.name());
      ReferenceCountUtil.release(message);
      var unused = context.close();
    }
  }

  /** Tells a caller without encryption that there has to be some, and hears no more of him. */
  private static final class PlainRefusal extends ChannelInboundHandlerAdapter
      implements FrameBounds<DataRequest> {
    private final Peers.Peer peer;
    private boolean answered;

    PlainRefusal(Peers.Peer peer) {
      this.peer = peer;
    }

    @Override
    public int mostHeaderBytes() {
      return MOST_PLAIN_HEADER_BYTES;
    }

    @Override
    public boolean wantsPayload(DataRequest header) {
      return false;
    }

    @Override
    public boolean keep(Part part, long bytes) {
      return true; // of a header that is small
    }

    @Override
    public void free(Part part, long bytes) {}

    @Override
    public void channelRead(ChannelHandlerContext context, Object message) {
      @SuppressWarnings("unchecked") // the decoder in front of this handler makes nothing else
      DataFrame<DataRequest> frame = (DataFrame<DataRequest>) message;
      frame.payload().release();
      if (answered) {
        return;
      }
      answered = true;
      peer.heard();
      LOG.warn(
          "Refusing a call from {}: it does not speak TLS ({})",
          context.channel().remoteAddress(),
          Keys.TLS_MODE.name());
      DataFrameQueue out = new DataFrameQueue(context.channel());
      out.open();
      out.send(
          DataReply.newBuilder()
              .setCallId(frame.header().getCallId())
              .setErrorCode(ErrorCode.ACCESS_DENIED.number())
              .setErrorMessage(
                  "Cannot serve the request: this datanode speaks TLS only ("
                      + Keys.TLS_MODE.name()
                      + ")")
              .build(),
          null,
          () -> {
            var unused = context.close();
          });
    }

    @Override
    public void exceptionCaught(ChannelHandlerContext context, Throwable cause) {
      LOG.warn(
          "Closing the connection from {}, which does not speak TLS: {}",
          context.channel().remoteAddress(),
          cause.toString());
      var unused = context.close();
    }
  }
}
