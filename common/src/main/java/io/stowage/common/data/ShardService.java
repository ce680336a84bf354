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

import io.netty.buffer.ByteBuf;
import io.stowage.common.error.StoreException;
import io.stowage.common.proto.ListShardsReply;
import io.stowage.common.proto.ListShardsRequest;
import io.stowage.common.proto.OpenShardReply;
import io.stowage.common.proto.OpenShardRequest;
import io.stowage.common.proto.ReadShardReply;
import io.stowage.common.proto.ReadShardRequest;
import io.stowage.common.proto.SealShardReply;
import io.stowage.common.proto.SealShardRequest;
import io.stowage.common.proto.StatShardReply;
import io.stowage.common.proto.StatShardRequest;
import io.stowage.common.proto.WriteShardReply;
import io.stowage.common.proto.WriteShardRequest;
import java.util.concurrent.CompletableFuture;

/**
 * One datanode's data plane, as a network client gives it or, in the same process, the datanode
 * itself. Calls never block; futures complete exceptionally with a StoreException and may complete
 * on I/O threads, so that whoever hangs work on them keeps it short. Thread-safe.
 *
 * <p>Buffer ownership: {@link #write} takes over one reference of its payload and releases it when
 * no I/O can touch the bytes any more, which may be after the future has completed. The receiver of
 * a {@link ShardBytes} releases it.
 */
public interface ShardService {
  CompletableFuture<OpenShardReply> open(OpenShardRequest request);

  /**
   * Asked of a write whose payload has yet to come.
   *
   * @throws StoreException if it would be refused: then nobody need wait for the payload
   */
  default void expect(WriteShardRequest request) throws StoreException {}

  CompletableFuture<WriteShardReply> write(WriteShardRequest request, ByteBuf payload);

  CompletableFuture<ShardBytes> read(ReadShardRequest request);

  CompletableFuture<SealShardReply> seal(SealShardRequest request);

  CompletableFuture<StatShardReply> stat(StatShardRequest request);

  CompletableFuture<ListShardsReply> list(ListShardsRequest request);

  /**
   * What a read gave.
   *
   * @param reply states and CRCs, if asked for
   * @param payload the ranges' bytes in order; the receiver owns one reference
   */
  record ShardBytes(ReadShardReply reply, ByteBuf payload) {}
}
