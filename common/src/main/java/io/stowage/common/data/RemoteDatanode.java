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
import io.stowage.common.error.ErrorCode;
import io.stowage.common.error.StoreException;
import io.stowage.common.proto.DataReply;
import io.stowage.common.proto.DataRequest;
import io.stowage.common.proto.ListShardsReply;
import io.stowage.common.proto.ListShardsRequest;
import io.stowage.common.proto.OpenShardReply;
import io.stowage.common.proto.OpenShardRequest;
import io.stowage.common.proto.ReadShardRequest;
import io.stowage.common.proto.SealShardReply;
import io.stowage.common.proto.SealShardRequest;
import io.stowage.common.proto.StatShardReply;
import io.stowage.common.proto.StatShardRequest;
import io.stowage.common.proto.WriteShardReply;
import io.stowage.common.proto.WriteShardRequest;
import io.stowage.common.tls.ClientTls;
import java.net.InetSocketAddress;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.LongAdder;
import java.util.function.BooleanSupplier;
import java.util.function.Function;

/** A datanode at an address, by a small pool of connections. Thread-safe. */
final class RemoteDatanode implements ShardService {
  /** Two, so that a large payload on the one does not hold back the small calls of all. */
  private static final int CONNECTIONS = 2;

  /** A node that refused a connection is not bothered again for this long; calls fail meanwhile. */
  private static final long PAUSE_NANOS = TimeUnit.MILLISECONDS.toNanos(100);

  private final Bootstrap bootstrap;
  private final ClientTls tls;
  private final InetSocketAddress address;
  private final long timeoutNanos;
  private final LongAdder calls; // of all nodes
  private final BooleanSupplier closed;
  private final AtomicInteger turn = new AtomicInteger();

  // Guarded by this.
  private final DataConnection[] connections = new DataConnection[CONNECTIONS];
  private final long[] connectedNanos = new long[CONNECTIONS];

  RemoteDatanode(
      Bootstrap bootstrap,
      ClientTls tls,
      InetSocketAddress address,
      long timeoutNanos,
      LongAdder calls,
      BooleanSupplier closed) {
    this.bootstrap = bootstrap;
    this.tls = tls;
    this.address = address;
    this.timeoutNanos = timeoutNanos;
    this.calls = calls;
    this.closed = closed;
  }

  @Override
  public CompletableFuture<OpenShardReply> open(OpenShardRequest request) {
    return call(DataRequest.newBuilder().setOpen(request), null, frame -> frame.header().getOpen());
  }

  @Override
  public CompletableFuture<WriteShardReply> write(WriteShardRequest request, ByteBuf payload) {
    return call(
        DataRequest.newBuilder().setWrite(request), payload, frame -> frame.header().getWrite());
  }

  @Override
  public CompletableFuture<ShardBytes> read(ReadShardRequest request) {
    return call(
        DataRequest.newBuilder().setRead(request),
        null,
        frame -> new ShardBytes(frame.header().getRead(), frame.payload().retain()));
  }

  @Override
  public CompletableFuture<SealShardReply> seal(SealShardRequest request) {
    return call(DataRequest.newBuilder().setSeal(request), null, frame -> frame.header().getSeal());
  }

  @Override
  public CompletableFuture<StatShardReply> stat(StatShardRequest request) {
    return call(DataRequest.newBuilder().setStat(request), null, frame -> frame.header().getStat());
  }

  @Override
  public CompletableFuture<ListShardsReply> list(ListShardsRequest request) {
    return call(DataRequest.newBuilder().setList(request), null, frame -> frame.header().getList());
  }

  private <T> CompletableFuture<T> call(
      DataRequest.Builder request,
      ByteBuf payload,
      Function<DataFrame<DataReply>, T> whatIsWanted) {
    calls.increment();
    DataConnection connection;
    try {
      connection = connection();
    } catch (StoreException e) {
      if (payload != null) {
        payload.release();
      }
      return CompletableFuture.failedFuture(e);
    }
    CompletableFuture<T> result = new CompletableFuture<>();
    var unused =
        connection
            .call(request, payload)
            .whenComplete(
                (frame, failure) -> {
                  if (failure != null) {
                    result.completeExceptionally(failure);
                  } else {
                    complete(result, frame, whatIsWanted);
                  }
                });
    return result;
  }

  private static <T> void complete(
      CompletableFuture<T> result,
      DataFrame<DataReply> frame,
      Function<DataFrame<DataReply>, T> whatIsWanted) {
    try {
      DataReply reply = frame.header();
      if (reply.getErrorCode() != 0) {
        result.completeExceptionally(
            StoreException.of(ErrorCode.ofNumber(reply.getErrorCode()), reply.getErrorMessage()));
        return;
      }
      T wanted = whatIsWanted.apply(frame);
      if (!result.complete(wanted) && wanted instanceof ShardBytes unwanted) {
        unwanted.payload().release(); // the caller cancelled the call
      }
    } finally {
      frame.payload().release();
    }
  }

  private synchronized DataConnection connection() throws StoreException {
    if (closed.getAsBoolean()) {
      throw new StoreException(
          ErrorCode.UNAVAILABLE, "Cannot call datanode " + address + ": the client is closed");
    }
    int slot = Math.floorMod(turn.getAndIncrement(), CONNECTIONS);
    DataConnection connection = connections[slot];
    if (connection == null || connection.hasEnded()) {
      long now = System.nanoTime();
      if (connection != null && now - connectedNanos[slot] < PAUSE_NANOS) {
        throw new StoreException(
            ErrorCode.UNAVAILABLE,
            "Cannot call datanode " + address + " so soon again: " + connection.whyEnded());
      }
      connection = new DataConnection(bootstrap, tls, address, timeoutNanos);
      connections[slot] = connection;
      connectedNanos[slot] = now;
    }
    return connection;
  }

  synchronized void close() {
    for (DataConnection connection : connections) {
      if (connection != null) {
        connection.close();
      }
    }
  }
}
