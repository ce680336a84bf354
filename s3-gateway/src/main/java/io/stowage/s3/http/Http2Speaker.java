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

import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInboundHandlerAdapter;
import io.netty.handler.codec.http2.Http2Connection;
import io.netty.handler.codec.http2.Http2Exception;
import io.netty.handler.codec.http2.Http2FrameCodec;
import io.netty.handler.timeout.IdleStateEvent;
import io.netty.util.ReferenceCountUtil;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * An HTTP/2 connection as a whole, beside its streams: opens its window, closes it when it idles.
 * Last in the pipeline. Confined to its event loop.
 */
// A write or close that fails ends the channel, and channelInactive cleans up.
@SuppressWarnings("FutureReturnValueIgnored")
final class Http2Speaker extends ChannelInboundHandlerAdapter implements Connection.Speaker {
  private static final Logger LOG = LoggerFactory.getLogger(Http2Speaker.class);

  private final Http2FrameCodec codec;
  private ChannelHandlerContext ctx;

  Http2Speaker(Http2FrameCodec codec) {
    this.codec = codec;
  }

  @Override
  public void handlerAdded(ChannelHandlerContext context) throws Http2Exception {
    ctx = context;
    Http2Connection connection = codec.connection();
    // The protocol's own 64 KiB for all streams together would be one network round trip each.
    connection
        .local()
        .flowController()
        .incrementWindowSize(
            connection.connectionStream(), ProtocolChooser.CONNECTION_WINDOW - (64 << 10));
    context.flush();
  }

  @Override
  public void channelRead(ChannelHandlerContext context, Object message) {
    ReferenceCountUtil.release(message); // frames of the connection: settings, pings
  }

  @Override
  public void userEventTriggered(ChannelHandlerContext context, Object event) {
    if (event instanceof IdleStateEvent && codec.connection().numActiveStreams() == 0) {
      context.close();
    }
  }

  @Override
  public void exceptionCaught(ChannelHandlerContext context, Throwable cause) {
    LOG.debug("Connection {} failed", context.channel(), cause);
    context.close();
  }

  @Override
  public void drain() {
    ctx.close(); // the codec says that it goes away, and waits for the streams at work
  }
}
