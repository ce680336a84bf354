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
package io.stowage.client.twin;

import io.netty.buffer.ByteBuf;
import io.stowage.common.data.ShardService;
import io.stowage.common.error.ErrorCode;
import io.stowage.common.error.StoreException;
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
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.function.Supplier;

/**
 * A datanode, in memory or real, that misbehaves on order: is away, refuses writes, holds writes or
 * reads back. Thread-safe by one lock.
 */
public final class FaultyShards implements ShardService {
  private final ShardService node;
  private final List<Runnable> held = new ArrayList<>();
  private boolean away;
  private ErrorCode writeError;
  private int refusals;
  private boolean holdingReads;
  private boolean holdingOpens;
  private int writes;
  private int reads;
  private int holdWritesFrom = Integer.MAX_VALUE;

  public FaultyShards(ShardService node) {
    this.node = node;
  }

  /** Calls fail; what was held back is done all the same when it is let go. */
  public synchronized void setAway(boolean now) {
    away = now;
  }

  public synchronized boolean isAway() {
    return away;
  }

  /** The next so many writes are refused with this. */
  public synchronized void refuseWrites(ErrorCode code, int count) {
    writeError = code;
    refusals = count;
  }

  /** Writes are taken in and neither done nor answered until {@link #letGo}. */
  public void holdWrites() {
    holdWritesAfter(0);
  }

  /** As {@link #holdWrites}, after so many more writes. */
  public synchronized void holdWritesAfter(int count) {
    holdWritesFrom = writes + count;
  }

  public synchronized void holdReads() {
    holdingReads = true;
  }

  public synchronized void holdOpens() {
    holdingOpens = true;
  }

  /** Does and answers what was held back. */
  public void letGo() {
    List<Runnable> now;
    synchronized (this) {
      holdingReads = false;
      holdingOpens = false;
      holdWritesFrom = Integer.MAX_VALUE;
      now = new ArrayList<>(held);
      held.clear();
    }
    now.forEach(Runnable::run);
  }

  public synchronized int held() {
    return held.size();
  }

  public synchronized int writes() {
    return writes;
  }

  public synchronized int reads() {
    return reads;
  }

  @Override
  public CompletableFuture<OpenShardReply> open(OpenShardRequest request) {
    boolean hold;
    synchronized (this) {
      hold = holdingOpens;
    }
    return hold ? holdBack(() -> node.open(request)) : here(() -> node.open(request));
  }

  @Override
  public CompletableFuture<WriteShardReply> write(WriteShardRequest request, ByteBuf payload) {
    StoreException refusal = null;
    boolean hold;
    synchronized (this) {
      writes++;
      hold = writes > holdWritesFrom;
      if (away) {
        refusal = awayNow();
      } else if (refusals > 0) {
        refusals--;
        refusal = new StoreException(writeError, "Cannot write: so ordered");
      }
    }
    if (refusal != null) {
      payload.release();
      return CompletableFuture.failedFuture(refusal);
    }
    return hold ? holdBack(() -> node.write(request, payload)) : node.write(request, payload);
  }

  @Override
  public CompletableFuture<ShardBytes> read(ReadShardRequest request) {
    boolean hold;
    synchronized (this) {
      reads++;
      hold = holdingReads;
    }
    return hold ? holdBack(() -> node.read(request)) : here(() -> node.read(request));
  }

  @Override
  public CompletableFuture<SealShardReply> seal(SealShardRequest request) {
    return here(() -> node.seal(request));
  }

  @Override
  public CompletableFuture<StatShardReply> stat(StatShardRequest request) {
    return here(() -> node.stat(request));
  }

  @Override
  public CompletableFuture<ListShardsReply> list(ListShardsRequest request) {
    return here(() -> node.list(request));
  }

  private <T> CompletableFuture<T> here(Supplier<CompletableFuture<T>> call) {
    synchronized (this) {
      if (away) {
        return CompletableFuture.failedFuture(awayNow());
      }
    }
    return call.get();
  }

  private static StoreException awayNow() {
    return new StoreException(ErrorCode.UNAVAILABLE, "Cannot reach the node: away");
  }

  private synchronized <T> CompletableFuture<T> holdBack(Supplier<CompletableFuture<T>> call) {
    CompletableFuture<T> answer = new CompletableFuture<>();
    held.add(
        () -> {
          CompletableFuture<T> unused =
              call.get()
                  .whenComplete(
                      (value, error) -> {
                        if (error == null) {
                          answer.complete(value);
                        } else {
                          answer.completeExceptionally(error);
                        }
                      });
        });
    return answer;
  }
}
