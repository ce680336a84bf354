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
package io.stowage.common.token;

import io.netty.buffer.ByteBuf;
import io.stowage.common.data.DatanodeDirectory;
import io.stowage.common.data.ShardService;
import io.stowage.common.error.StoreException;
import io.stowage.common.proto.ListShardsReply;
import io.stowage.common.proto.ListShardsRequest;
import io.stowage.common.proto.OpenShardReply;
import io.stowage.common.proto.OpenShardRequest;
import io.stowage.common.proto.ReadShardRequest;
import io.stowage.common.proto.SealShardReply;
import io.stowage.common.proto.SealShardRequest;
import io.stowage.common.proto.ShardGrant;
import io.stowage.common.proto.ShardPlace;
import io.stowage.common.proto.StatShardReply;
import io.stowage.common.proto.StatShardRequest;
import io.stowage.common.proto.WriteShardReply;
import io.stowage.common.proto.WriteShardRequest;
import java.time.Duration;
import java.util.concurrent.CompletableFuture;
import org.apache.hadoop.thirdparty.protobuf.ByteString;

/**
 * Datanodes to a service that has the keys: gateways, SCMs, datanodes that repair, the commands of
 * administrators. Each request without a token gets one that the service signs itself, good for a
 * few minutes and used for half of that. Owns the directory below. Thread-safe.
 */
public final class SigningDatanodes implements DatanodeDirectory {
  private static final Duration LIFE = Duration.ofMinutes(10);

  private record Signed(ByteString token, long untilMicros) {}

  private final DatanodeDirectory below;
  private final ShardTokens tokens;
  private final ShardGrant grant;
  private volatile Signed latest = new Signed(ByteString.EMPTY, Long.MIN_VALUE);

  /**
   * @param user the service, for people
   * @param operations what the service asks of datanodes; see {@link Operation#all}
   */
  public SigningDatanodes(
      DatanodeDirectory below, ShardTokens tokens, String user, int operations) {
    this.below = below;
    this.tokens = tokens;
    this.grant =
        ShardGrant.newBuilder().setService(true).setUser(user).setOperations(operations).build();
  }

  private ByteString token() throws StoreException {
    Signed signed = latest;
    long now = tokens.nowMicros();
    if (signed.untilMicros <= now || signed.untilMicros > now + LIFE.toNanos() / 1_000) {
      long life = LIFE.toNanos() / 1_000;
      signed =
          new Signed(
              tokens.sign(grant.toBuilder().setExpiryMicros(now + life).build()), now + life / 2);
      latest = signed;
    }
    return signed.token;
  }

  @Override
  public ShardService datanode(ShardPlace place) {
    return new Signing(below.datanode(place));
  }

  @Override
  public void close() {
    below.close();
  }

  private interface Call<T> {
    CompletableFuture<T> with(ByteString token);
  }

  private <T> CompletableFuture<T> signed(ByteString shown, Call<T> call) {
    try {
      return call.with(shown.isEmpty() ? token() : shown);
    } catch (StoreException e) {
      return CompletableFuture.failedFuture(e);
    }
  }

  private final class Signing implements ShardService {
    private final ShardService node;

    Signing(ShardService node) {
      this.node = node;
    }

    @Override
    public CompletableFuture<OpenShardReply> open(OpenShardRequest request) {
      return signed(
          request.getToken(), token -> node.open(request.toBuilder().setToken(token).build()));
    }

    @Override
    public CompletableFuture<WriteShardReply> write(WriteShardRequest request, ByteBuf payload) {
      ByteString token = request.getToken();
      try {
        token = token.isEmpty() ? token() : token;
      } catch (StoreException e) {
        payload.release();
        return CompletableFuture.failedFuture(e);
      }
      return node.write(request.toBuilder().setToken(token).build(), payload);
    }

    @Override
    public CompletableFuture<ShardBytes> read(ReadShardRequest request) {
      return signed(
          request.getToken(), token -> node.read(request.toBuilder().setToken(token).build()));
    }

    @Override
    public CompletableFuture<SealShardReply> seal(SealShardRequest request) {
      return signed(
          request.getToken(), token -> node.seal(request.toBuilder().setToken(token).build()));
    }

    @Override
    public CompletableFuture<StatShardReply> stat(StatShardRequest request) {
      return signed(
          request.getToken(), token -> node.stat(request.toBuilder().setToken(token).build()));
    }

    @Override
    public CompletableFuture<ListShardsReply> list(ListShardsRequest request) {
      return signed(
          request.getToken(), token -> node.list(request.toBuilder().setToken(token).build()));
    }
  }
}
