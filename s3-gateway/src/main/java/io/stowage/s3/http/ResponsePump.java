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
import io.netty.channel.Channel;
import io.netty.channel.ChannelFuture;
import io.netty.handler.codec.http.DefaultFullHttpResponse;
import io.netty.handler.codec.http.DefaultHttpContent;
import io.netty.handler.codec.http.DefaultLastHttpContent;
import io.netty.handler.codec.http.EmptyHttpHeaders;
import io.netty.handler.codec.http.HttpResponse;
import java.util.function.Consumer;
import org.slf4j.MDC;

/**
 * Carries a streamed response to its client. Runs on a worker while there is room in the socket and
 * in the budget; otherwise it leaves the worker and is run again when there is, so that slow
 * readers hold memory within {@link HttpLimits#WRITE_HIGH} and no thread. While the socket drains
 * one piece the next is read. Run by one thread at a time.
 */
// A write or close that fails ends the channel, and channelInactive cleans up.
@SuppressWarnings("FutureReturnValueIgnored")
final class ResponsePump implements Runnable {
  /** How the response ended. */
  enum End {
    /** Every byte was handed to the channel. */
    SENT,
    /** The head is out and the rest cannot be: the connection has to be closed. */
    CUT,
    /** Nothing was sent yet: another answer can be. */
    FAILED_BEFORE_HEAD
  }

  private final ConnectionHandler connection;
  private final Channel channel;
  private final MemoryBudget budget;
  private final ResponseBody body;
  private final Consumer<PumpEnd> whenDone;
  private final Course course;
  private final String requestId;
  private HttpResponse head;

  /**
   * @param cause null unless the end is a failure
   */
  record PumpEnd(End end, Throwable cause) {}

  ResponsePump(
      ConnectionHandler connection,
      Channel channel,
      MemoryBudget budget,
      HttpResponse head,
      ResponseBody body,
      Course course,
      String requestId,
      Consumer<PumpEnd> whenDone) {
    this.connection = connection;
    this.channel = channel;
    this.budget = budget;
    this.head = head;
    this.body = body;
    this.course = course;
    this.requestId = requestId;
    this.whenDone = whenDone;
  }

  @Override
  public void run() {
    MDC.put(ConnectionHandler.REQUEST, requestId);
    try {
      pump();
    } finally {
      MDC.remove(ConnectionHandler.REQUEST);
    }
  }

  private void pump() {
    while (true) {
      if (!channel.isActive()) {
        done(End.CUT, null);
        return;
      }
      int bytes = body.nextLength();
      if (!channel.isWritable()) {
        connection.whenWritable(this::runAgain);
        return;
      }
      if (!budget.acquireOrWait(bytes, this::runAgain)) {
        return;
      }
      ByteBuf piece;
      try {
        piece = body.next();
      } catch (Exception | Error e) {
        budget.release(bytes);
        done(head == null ? End.CUT : End.FAILED_BEFORE_HEAD, e);
        return;
      }
      boolean last = body.nextLength() == 0;
      connection.pieceSent();
      send(piece, last)
          .addListener(
              written -> {
                budget.release(bytes);
                connection.pieceArrived();
              });
      if (last) {
        done(End.SENT, null);
        return;
      }
    }
  }

  /** As few messages as there can be: each is a task for the event loop. */
  private ChannelFuture send(ByteBuf piece, boolean last) {
    HttpResponse first = head;
    head = null;
    connection.sent(piece.readableBytes());
    if (first != null) {
      course.answering(first.status().code());
    }
    if (first == null) {
      return channel.writeAndFlush(
          last ? new DefaultLastHttpContent(piece) : new DefaultHttpContent(piece));
    }
    if (last) {
      return channel.writeAndFlush(
          new DefaultFullHttpResponse(
              first.protocolVersion(),
              first.status(),
              piece,
              first.headers(),
              EmptyHttpHeaders.INSTANCE));
    }
    channel.write(first);
    return channel.writeAndFlush(new DefaultHttpContent(piece));
  }

  private void runAgain() {
    if (!connection.submit(this)) {
      done(End.CUT, null);
    }
  }

  private void done(End end, Throwable cause) {
    body.close();
    whenDone.accept(new PumpEnd(end, cause));
  }
}
