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
import io.netty.util.ReferenceCountUtil;
import java.time.Duration;

/**
 * Closes a connection whose request line and headers do not arrive within the idle time as a whole:
 * a sender of one byte now and then never idles ("slowloris"). Looks at the clock when bytes come,
 * which such a sender has to go on with, so that no timer is needed. Confined to its event loop.
 */
// A close that fails ends the channel, and channelInactive cleans up.
@SuppressWarnings("FutureReturnValueIgnored")
final class HeadPace extends ChannelInboundHandlerAdapter {
  private final long mostNanos;
  private final ConnectionHandler speaker;
  private boolean begun;
  private long sinceNanos;

  HeadPace(Duration most, ConnectionHandler speaker) {
    this.mostNanos = most.toNanos();
    this.speaker = speaker;
  }

  @Override
  public void channelRead(ChannelHandlerContext ctx, Object message) {
    if (!speaker.awaitsHead()) {
      begun = false;
    } else if (!begun) {
      begun = true;
      sinceNanos = System.nanoTime();
    } else if (System.nanoTime() - sinceNanos > mostNanos) {
      ReferenceCountUtil.release(message);
      ctx.close();
      return;
    }
    ctx.fireChannelRead(message);
    if (!speaker.awaitsHead()) {
      begun = false;
    }
  }
}
