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
package io.stowage.scm.cluster;

import io.stowage.common.data.DatanodeDirectory;
import io.stowage.common.error.StoreException;
import io.stowage.common.proto.DatanodeInfo;
import io.stowage.common.proto.ShardKey;
import io.stowage.common.proto.ShardPlace;
import io.stowage.common.proto.StatShardRequest;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;

/**
 * Probes a node by asking for a shard that no node has: "no such shard" is an answer as good as any
 * other, a refused connection or silence is none. Owns nothing; thread-safe.
 */
public final class DataPlaneProbe implements NodeProbe {
  /** Ids of containers are random and positive: this one is never given. */
  private static final long NO_CONTAINER = 0;

  private final DatanodeDirectory datanodes;

  public DataPlaneProbe(DatanodeDirectory datanodes) {
    this.datanodes = datanodes;
  }

  @Override
  public CompletableFuture<?> probe(DatanodeInfo node) {
    ShardPlace place =
        ShardPlace.newBuilder()
            .setNodeId(node.getNodeId())
            .setHost(node.getHost())
            .setPort(node.getPort())
            .build();
    ShardKey.Builder nobody = ShardKey.newBuilder().setContainer(NO_CONTAINER);
    if (node.getDisksCount() > 0) {
      nobody.setDiskId(node.getDisks(0).getDiskId());
    }
    return datanodes
        .datanode(place)
        .stat(StatShardRequest.newBuilder().setShard(nobody).build())
        .handle(
            (reply, failure) -> {
              if (failure == null || isAnswer(failure)) {
                return null;
              }
              throw new CompletionException(failure);
            });
  }

  private static boolean isAnswer(Throwable failure) {
    Throwable cause = failure instanceof CompletionException ? failure.getCause() : failure;
    if (!(cause instanceof StoreException known)) {
      return false;
    }
    return switch (known.code()) {
      case UNAVAILABLE, TIMEOUT, OUTCOME_UNKNOWN -> false;
      default -> true;
    };
  }
}
