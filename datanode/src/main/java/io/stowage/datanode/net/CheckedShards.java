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
import io.stowage.common.data.ShardService;
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
import io.stowage.common.token.TokenChecks;
import java.util.concurrent.CompletableFuture;

/**
 * Shards to whoever comes over the network when security is on: each request needs a token that
 * allows it, and is looked at by nobody before that was found. Thread-safe.
 */
public final class CheckedShards implements ShardService {
  private final ShardService shards;
  private final TokenChecks checks;

  public CheckedShards(ShardService shards, TokenChecks checks) {
    this.shards = shards;
    this.checks = checks;
  }

  @Override
  public CompletableFuture<OpenShardReply> open(OpenShardRequest request) {
    try {
      checks.check(request);
    } catch (StoreException e) {
      return CompletableFuture.failedFuture(e);
    }
    return shards.open(request);
  }

  @Override
  public void expect(WriteShardRequest request) throws StoreException {
    checks.check(request);
    shards.expect(request);
  }

  @Override
  public CompletableFuture<WriteShardReply> write(WriteShardRequest request, ByteBuf payload) {
    try {
      checks.check(request);
    } catch (StoreException e) {
      payload.release();
      return CompletableFuture.failedFuture(e);
    }
    return shards.write(request, payload);
  }

  @Override
  public CompletableFuture<ShardBytes> read(ReadShardRequest request) {
    try {
      checks.check(request);
    } catch (StoreException e) {
      return CompletableFuture.failedFuture(e);
    }
    return shards.read(request);
  }

  @Override
  public CompletableFuture<SealShardReply> seal(SealShardRequest request) {
    try {
      checks.check(request);
    } catch (StoreException e) {
      return CompletableFuture.failedFuture(e);
    }
    return shards.seal(request);
  }

  @Override
  public CompletableFuture<StatShardReply> stat(StatShardRequest request) {
    try {
      checks.check(request);
    } catch (StoreException e) {
      return CompletableFuture.failedFuture(e);
    }
    return shards.stat(request);
  }

  @Override
  public CompletableFuture<ListShardsReply> list(ListShardsRequest request) {
    try {
      checks.check(request);
    } catch (StoreException e) {
      return CompletableFuture.failedFuture(e);
    }
    return shards.list(request);
  }
}
