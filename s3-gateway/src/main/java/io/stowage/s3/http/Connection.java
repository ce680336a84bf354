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
import io.netty.handler.timeout.IdleStateEvent;

/**
 * One accepted socket, whatever it speaks: counted from its first moment, and told when the gateway
 * stops. First in the pipeline. Confined to its event loop, but for {@link #drain} and {@link
 * #closeNow}.
 */
// A close that fails ends the channel, and channelInactive cleans up.
@SuppressWarnings("FutureReturnValueIgnored")
final class Connection extends ChannelInboundHandlerAdapter {
  /** What speaks a protocol on the socket. */
  interface Speaker {
    /** Answers what is at work, takes nothing new, then closes. On the event loop. */
    void drain();
  }

  private final HttpServer server;
  private ChannelHandlerContext ctx;
  private Speaker speaker;
  private boolean draining;

  Connection(HttpServer server) {
    this.server = server;
  }

  @Override
  public void handlerAdded(ChannelHandlerContext context) {
    ctx = context;
  }

  @Override
  public void channelActive(ChannelHandlerContext context) {
    if (server.admit(this)) {
      context.fireChannelActive();
    } else {
      server.figures().refusedConnection();
      context.close();
    }
  }

  @Override
  public void channelInactive(ChannelHandlerContext context) {
    server.forget(this);
    context.fireChannelInactive();
  }

  @Override
  public void userEventTriggered(ChannelHandlerContext context, Object event) {
    if (event instanceof IdleStateEvent && speaker == null) {
      context.close(); // in the middle of a handshake, or of the first bytes
    } else {
      context.fireUserEventTriggered(event);
    }
  }

  /** The protocol is known. */
  void spokenBy(Speaker protocol) {
    speaker = protocol;
    if (draining) {
      protocol.drain();
    }
  }

  /** Answers what is at work, then closes. Any thread. */
  void drain() {
    ctx.executor()
        .execute(
            () -> {
              draining = true;
              if (speaker == null) {
                ctx.close();
              } else {
                speaker.drain();
              }
            });
  }

  /** Any thread. */
  void closeNow() {
    ctx.close(); // past whatever speaks here: nothing is said any more
  }
}
