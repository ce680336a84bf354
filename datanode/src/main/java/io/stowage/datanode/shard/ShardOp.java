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
package io.stowage.datanode.shard;

import io.netty.buffer.ByteBuf;
import io.stowage.common.error.StoreException;
import io.stowage.common.proto.OpenShardReply;
import io.stowage.common.proto.OpenShardRequest;
import io.stowage.common.proto.SealShardReply;
import io.stowage.common.proto.SealShardRequest;
import io.stowage.common.proto.WriteShardReply;
import io.stowage.common.proto.WriteShardRequest;
import java.io.IOException;
import java.util.BitSet;
import java.util.concurrent.CompletableFuture;

/** What waits in a shard file's queue. Confined to the queue's owner. */
sealed interface ShardOp {
  /** Nothing of it will happen. */
  void fail(StoreException why);

  /** Bytes to write; owns one reference of the payload until they are written or refused. */
  final class Write implements ShardOp {
    final WriteShardRequest request;
    final int length;
    final CompletableFuture<WriteShardReply> result = new CompletableFuture<>();
    private final MemoryBudget memory;
    private ByteBuf payload;

    /** Sectors that had been written before; null if none had. To take the others back. */
    BitSet writtenBefore;

    Write(WriteShardRequest request, ByteBuf payload, MemoryBudget memory) {
      this.request = request;
      this.length = payload.readableBytes();
      this.payload = payload;
      this.memory = memory;
    }

    ByteBuf payload() {
      return payload;
    }

    /** No I/O can touch the payload any more. */
    void releasePayload() {
      if (payload != null) {
        payload.release();
        payload = null;
        memory.give(length);
      }
    }

    @Override
    public void fail(StoreException why) {
      releasePayload();
      result.completeExceptionally(why);
    }
  }

  /** Takes the shard for a lease. */
  record Open(OpenShardRequest request, int k, int m, CompletableFuture<OpenShardReply> result)
      implements ShardOp {
    @Override
    public void fail(StoreException why) {
      result.completeExceptionally(why);
    }
  }

  /** Ends writing. */
  record Seal(SealShardRequest request, CompletableFuture<SealShardReply> result)
      implements ShardOp {
    @Override
    public void fail(StoreException why) {
      result.completeExceptionally(why);
    }
  }

  /** Looks at the file while nobody writes it. */
  record Inspect(Inspection work, CompletableFuture<Void> result) implements ShardOp {
    @Override
    public void fail(StoreException why) {
      result.completeExceptionally(why);
    }
  }

  /** A look at a file. */
  @FunctionalInterface
  interface Inspection {
    void run() throws IOException;
  }

  /** Takes the file away. */
  record Remove(Kind kind, CompletableFuture<Void> result) implements ShardOp {
    enum Kind {
      DELETE,
      QUARANTINE
    }

    @Override
    public void fail(StoreException why) {
      result.completeExceptionally(why);
    }
  }
}
