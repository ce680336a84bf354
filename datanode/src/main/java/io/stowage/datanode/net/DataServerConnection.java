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
import io.netty.channel.Channel;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInboundHandlerAdapter;
import io.netty.handler.codec.CorruptedFrameException;
import io.stowage.common.data.DataFrame;
import io.stowage.common.data.DataFrameQueue;
import io.stowage.common.data.DataLimits;
import io.stowage.common.data.FrameBounds;
import io.stowage.common.data.ShardService;
import io.stowage.common.error.ErrorCode;
import io.stowage.common.error.StoreException;
import io.stowage.common.proto.ByteRange;
import io.stowage.common.proto.DataReply;
import io.stowage.common.proto.DataRequest;
import io.stowage.datanode.shard.MemoryBudget;
import java.io.IOException;
import java.util.ArrayDeque;
import java.util.Queue;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.function.BiConsumer;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * One connection's requests under way. Confined to the channel's event loop, but for {@link
 * #reply}, which any thread may call.
 */
final class DataServerConnection extends ChannelInboundHandlerAdapter
    implements FrameBounds<DataRequest> {
  private static final Logger LOG = LoggerFactory.getLogger(DataServerConnection.class);

  /** Of one connection: some of the largest cells, so that the pipeline stays full. */
  private static final long MAX_BYTES = 64L << 20;

  private static final int MAX_CALLS = 4_096;

  /** What a call costs besides its payload, roughly: so that calls without any are bounded, too. */
  private static final int CALL_BYTES = 1_024;

  /** How soon a connection looks again whether the server's memory is free. */
  private static final long LOOK_AGAIN_MILLIS = 2;

  private static final int STALL_SECONDS = 30;

  private final Channel channel;
  private final ShardService service;
  private final ServerMemory server;
  private final MemoryBudget memory;
  private final Peers.Peer peer;
  private final DataFrameQueue out;
  private long bytes;
  private int calls;

  /** Replies written. */
  private long written;

  /** Requests that came in with others, before reading could be stopped: of one receive buffer. */
  private final Queue<DataFrame<DataRequest>> waiting = new ArrayDeque<>();

  /** Why the next frame, whose payload is being dropped, is refused; null: it is not. */
  private StoreException refused;

  /** A look at the server's memory is scheduled. */
  private boolean looking;

  /** A look at whether replies are read is scheduled. */
  private boolean watching;

  DataServerConnection(
      Channel channel, ShardService service, ServerMemory server, Peers.Peer peer) {
    this.channel = channel;
    this.service = service;
    this.server = server;
    this.memory = server.calls();
    this.peer = peer;
    this.out = new DataFrameQueue(channel);
    out.open();
  }

  @Override
  public void channelRead(ChannelHandlerContext context, Object message) {
    @SuppressWarnings("unchecked") // the decoder in front of this handler makes nothing else
    DataFrame<DataRequest> frame = (DataFrame<DataRequest>) message;
    peer.heard();
    if (refused == null) {
      waiting.add(frame);
    } else {
      StoreException why = refused;
      refused = null;
      frame.payload().release();
      begin(CALL_BYTES);
      fail(frame.header().getCallId(), why, CALL_BYTES);
    }
    serveWaiting();
  }

  @Override
  public int mostHeaderBytes() {
    return DataLimits.MAX_REQUEST_HEADER_BYTES;
  }

  /** Only writes have a payload, and it is taken in only of one that may be made. */
  @Override
  public boolean wantsPayload(DataRequest request) {
    if (!request.hasWrite()) {
      return false;
    }
    try {
      service.expect(request.getWrite());
      return true;
    } catch (StoreException e) {
      refused = e;
      return false;
    }
  }

  @Override
  public boolean keep(Part part, long kept) {
    return server.keep(part, kept);
  }

  @Override
  public void free(Part part, long kept) {
    server.free(part, kept);
  }

  private void begin(long cost) {
    bytes += cost;
    calls++;
    memory.take(cost);
  }

  /** Begins what the budgets allow; reads on from the socket only if nothing is left waiting. */
  private void serveWaiting() {
    while (!waiting.isEmpty() && mayBegin()) {
      DataFrame<DataRequest> frame = waiting.remove();
      long cost = CALL_BYTES + frame.payload().readableBytes() + replyBytes(frame.header());
      begin(cost);
      serve(frame.header(), frame.payload(), cost);
    }
    channel.config().setAutoRead(waiting.isEmpty() && mayBegin());
  }

  /**
   * A connection with nothing under way may always begin one call: else one peer that reads no
   * replies could use up the server's memory and stop all the others.
   */
  private boolean mayBegin() {
    if (calls == 0) {
      return true;
    }
    if (bytes >= MAX_BYTES || calls >= MAX_CALLS || !channel.isWritable()) {
      return false; // goes on when replies were written
    }
    if (memory.isUsedUp()) {
      lookAgain(); // others free it without telling this connection
      return false;
    }
    return true;
  }

  private void lookAgain() {
    if (looking) {
      return;
    }
    looking = true;
    var unused =
        channel
            .eventLoop()
            .schedule(
                () -> {
                  looking = false;
                  serveWaiting();
                },
                LOOK_AGAIN_MILLIS,
                TimeUnit.MILLISECONDS);
  }

  /** Bytes that the reply's payload will have, at most. */
  private static long replyBytes(DataRequest request) {
    if (!request.hasRead()
        || (request.getRead().getSectorCrcs() && request.getRead().getStatesOnly())) {
      return 0;
    }
    long total = 0;
    for (ByteRange range : request.getRead().getRangesList()) {
      // absurd lengths are refused by the store
      total += Math.min(Math.max(0, range.getLength()), MAX_BYTES);
    }
    return Math.min(total, MAX_BYTES);
  }

  private void serve(DataRequest request, ByteBuf payload, long cost) {
    long id = request.getCallId();
    if (request.getOpCase() == DataRequest.OpCase.WRITE) {
      answer(service.write(request.getWrite(), payload), id, cost, DataReply.Builder::setWrite);
      return;
    }
    payload.release();
    switch (request.getOpCase()) {
      case OPEN -> answer(service.open(request.getOpen()), id, cost, DataReply.Builder::setOpen);
      case SEAL -> answer(service.seal(request.getSeal()), id, cost, DataReply.Builder::setSeal);
      case STAT -> answer(service.stat(request.getStat()), id, cost, DataReply.Builder::setStat);
      case LIST -> answer(service.list(request.getList()), id, cost, DataReply.Builder::setList);
      case READ -> {
        var unused =
            service
                .read(request.getRead())
                .whenComplete(
                    (read, failure) -> {
                      if (failure != null) {
                        fail(id, failure, cost);
                      } else {
                        reply(
                            DataReply.newBuilder().setCallId(id).setRead(read.reply()),
                            read.payload(),
                            cost);
                      }
                    });
      }
      case WRITE, OP_NOT_SET ->
          fail(
              id,
              new StoreException(
                  ErrorCode.INVALID_ARGUMENT,
                  "Cannot serve call " + id + ": this datanode does not know the operation"),
              cost);
    }
  }

  private <T> void answer(
      CompletableFuture<T> work, long id, long cost, BiConsumer<DataReply.Builder, T> set) {
    var unused =
        work.whenComplete(
            (value, failure) -> {
              if (failure != null) {
                fail(id, failure, cost);
              } else {
                DataReply.Builder reply = DataReply.newBuilder().setCallId(id);
                set.accept(reply, value);
                reply(reply, null, cost);
              }
            });
  }

  private void fail(long id, Throwable failure, long cost) {
    ErrorCode code = failure instanceof StoreException store ? store.code() : ErrorCode.INTERNAL;
    if (code == ErrorCode.INTERNAL) {
      LOG.error("Call {} from {} failed by a bug", id, channel.remoteAddress(), failure);
    }
    reply(
        DataReply.newBuilder()
            .setCallId(id)
            .setErrorCode(code.number())
            .setErrorMessage(String.valueOf(failure.getMessage())),
        null,
        cost);
  }

  private void reply(DataReply.Builder reply, ByteBuf payload, long cost) {
    out.send(reply.build(), payload, () -> written(cost));
  }

  private void written(long cost) {
    memory.give(cost);
    if (channel.eventLoop().inEventLoop()) {
      bytes -= cost;
      calls--;
      written++;
      serveWaiting();
    }
  }

  @Override
  public void channelWritabilityChanged(ChannelHandlerContext context) {
    if (!channel.isWritable()) {
      watchForStall(written);
    }
    serveWaiting();
  }

  /**
   * Closes the connection if no reply could be written for a while: it holds memory for nothing.
   */
  private void watchForStall(long writtenBefore) {
    if (watching) {
      return;
    }
    watching = true;
    var unused =
        channel
            .eventLoop()
            .schedule(
                () -> {
                  watching = false;
                  if (channel.isWritable() || !channel.isActive()) {
                    return;
                  }
                  if (written == writtenBefore) {
                    LOG.warn(
                        "Closing the connection from {}: it has read no reply for {} s",
                        channel.remoteAddress(),
                        STALL_SECONDS);
                    close();
                  } else {
                    watchForStall(written);
                  }
                },
                STALL_SECONDS,
                TimeUnit.SECONDS);
  }

  private void close() {
    var unused = channel.close();
  }

  @Override
  public void channelInactive(ChannelHandlerContext context) {
    out.discard();
    for (DataFrame<DataRequest> frame = waiting.poll(); frame != null; frame = waiting.poll()) {
      frame.payload().release();
    }
  }

  @Override
  public void exceptionCaught(ChannelHandlerContext context, Throwable cause) {
    if (cause instanceof CorruptedFrameException) {
      LOG.warn("Closing the connection from {}: {}", channel.remoteAddress(), cause.getMessage());
    } else if (cause instanceof IOException) {
      LOG.debug("Connection from {} ended: {}", channel.remoteAddress(), cause.toString());
    } else {
      LOG.error("Closing the connection from {}", channel.remoteAddress(), cause);
    }
    var unused = context.close();
  }
}
