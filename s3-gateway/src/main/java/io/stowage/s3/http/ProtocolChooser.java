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

import io.netty.buffer.ByteBuf;
import io.netty.buffer.ByteBufUtil;
import io.netty.channel.Channel;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInitializer;
import io.netty.channel.ChannelPipeline;
import io.netty.handler.codec.ByteToMessageDecoder;
import io.netty.handler.codec.http.HttpDecoderConfig;
import io.netty.handler.codec.http.HttpRequestDecoder;
import io.netty.handler.codec.http.HttpResponseEncoder;
import io.netty.handler.codec.http2.Http2CodecUtil;
import io.netty.handler.codec.http2.Http2FrameCodec;
import io.netty.handler.codec.http2.Http2FrameCodecBuilder;
import io.netty.handler.codec.http2.Http2MultiplexHandler;
import io.netty.handler.codec.http2.Http2Settings;
import io.netty.handler.codec.http2.Http2StreamFrameToHttpObjectCodec;
import io.netty.handler.ssl.SslHandler;
import io.netty.handler.ssl.SslHandshakeCompletionEvent;
import io.netty.handler.timeout.IdleStateHandler;
import java.util.List;
import java.util.concurrent.TimeUnit;

/**
 * Waits for a connection's first bytes, which tell HTTP/2 (its preface, by agreement in the TLS
 * handshake or by prior knowledge) from HTTP/1.1, and sets up what speaks it. Confined to its event
 * loop.
 *
 * <p>HTTP/2: every stream is a channel of its own with a {@link ConnectionHandler} that sees one
 * request. A worker that does not keep up stops reading its stream, whose window is then not opened
 * again; the sender stops. Memory of one connection: {@link #CONNECTION_WINDOW}.
 */
// A close that fails ends the channel, and channelInactive cleans up.
@SuppressWarnings("FutureReturnValueIgnored")
final class ProtocolChooser extends ByteToMessageDecoder {
  /** Requests at a time on one connection; more wait at the client. */
  private static final int MOST_STREAMS = 100;

  /** Bytes that one stream's sender may be ahead of its worker. */
  private static final int STREAM_WINDOW = 512 << 10;

  /** Bytes that all streams of a connection may be ahead together. */
  static final int CONNECTION_WINDOW = 4 << 20;

  private final HttpServer server;
  private final RequestHandler handler;
  private final Connection connection;

  ProtocolChooser(HttpServer server, RequestHandler handler, Connection connection) {
    this.server = server;
    this.handler = handler;
    this.connection = connection;
  }

  @Override
  protected void decode(ChannelHandlerContext ctx, ByteBuf in, List<Object> out) {
    ByteBuf preface = Http2CodecUtil.connectionPrefaceBuf();
    try {
      int length = Math.min(in.readableBytes(), preface.readableBytes());
      boolean same = ByteBufUtil.equals(in, in.readerIndex(), preface, 0, length);
      if (same && length < preface.readableBytes()) {
        return;
      }
      if (same) {
        speakHttp2(ctx);
      } else {
        speakHttp1(ctx);
      }
      ctx.pipeline().remove(this); // hands on what was read
    } finally {
      preface.release();
    }
  }

  @Override
  public void userEventTriggered(ChannelHandlerContext ctx, Object event) throws Exception {
    if (event instanceof SslHandshakeCompletionEvent handshake && !handshake.isSuccess()) {
      ctx.close();
      return;
    }
    super.userEventTriggered(ctx, event);
  }

  private void speakHttp1(ChannelHandlerContext ctx) {
    HttpDecoderConfig decoding =
        new HttpDecoderConfig()
            .setMaxInitialLineLength(HttpLimits.REQUEST_LINE_BYTES)
            .setMaxHeaderSize(HttpLimits.HEADER_BYTES)
            .setMaxChunkSize(HttpLimits.PIECE_BYTES);
    ConnectionHandler speaker = new ConnectionHandler(server, handler, tlsVersion(ctx));
    ctx.pipeline()
        .addLast(
            new HeadPace(server.limits().idle(), speaker),
            new HttpRequestDecoder(decoding),
            new HttpResponseEncoder(),
            speaker);
    connection.spokenBy(speaker);
  }

  private void speakHttp2(ChannelHandlerContext ctx) {
    String tlsVersion = tlsVersion(ctx);
    Http2FrameCodec codec =
        Http2FrameCodecBuilder.forServer()
            .initialSettings(
                Http2Settings.defaultSettings()
                    .maxConcurrentStreams(MOST_STREAMS)
                    .initialWindowSize(STREAM_WINDOW)
                    .maxHeaderListSize(HttpLimits.HEADER_BYTES))
            // Streams at work are waited for; the server itself says when that is over.
            .gracefulShutdownTimeoutMillis(-1)
            .build();
    ChannelPipeline pipeline = ctx.pipeline();
    Http2Speaker speaker = new Http2Speaker(codec);
    pipeline.addLast(
        codec,
        new Http2MultiplexHandler(
            new ChannelInitializer<Channel>() {
              @Override
              protected void initChannel(Channel stream) {
                stream
                    .pipeline()
                    .addLast(
                        new IdleStateHandler(
                            true, 0, 0, server.limits().idle().toMillis(), TimeUnit.MILLISECONDS),
                        new Http2StreamFrameToHttpObjectCodec(true),
                        new ConnectionHandler(server, handler, tlsVersion));
              }
            }),
        speaker);
    connection.spokenBy(speaker);
  }

  /** As a number, "1.3"; null: without TLS. What is decoded came after the handshake. */
  private static String tlsVersion(ChannelHandlerContext ctx) {
    SslHandler tls = ctx.pipeline().get(SslHandler.class);
    if (tls == null) {
      return null;
    }
    String protocol = tls.engine().getSession().getProtocol();
    return protocol.startsWith("TLSv") ? protocol.substring("TLSv".length()) : protocol;
  }
}
