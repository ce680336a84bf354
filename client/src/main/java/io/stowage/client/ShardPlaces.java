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
package io.stowage.client;

import io.stowage.common.data.DatanodeDirectory;
import io.stowage.common.data.ShardService;
import io.stowage.common.erasure.ErasurePolicy;
import io.stowage.common.error.ErrorCode;
import io.stowage.common.error.StoreException;
import io.stowage.common.proto.ContainerInfo;
import io.stowage.common.proto.ShardKey;
import io.stowage.common.proto.ShardPlace;
import org.apache.hadoop.thirdparty.protobuf.ByteString;

/** Where a container's shards were when somebody asked, ready to be called. Immutable. */
final class ShardPlaces {
  private final long container;
  private final ErasurePolicy policy;
  private final ShardPlace[] places; // by shard index; null where SCM knows none
  private final ShardKey[] keys;
  private final ByteString token;

  private ShardPlaces(
      long container,
      ErasurePolicy policy,
      ShardPlace[] places,
      ShardKey[] keys,
      ByteString token) {
    this.token = token;
    this.container = container;
    this.policy = policy;
    this.places = places;
    this.keys = keys;
  }

  static ShardPlaces of(ContainerInfo info) throws StoreException {
    ErasurePolicy policy = ErasurePolicy.named(info.getPolicy());
    ShardPlace[] places = new ShardPlace[policy.shards()];
    ShardKey[] keys = new ShardKey[policy.shards()];
    for (ShardPlace place : info.getShardsList()) {
      int index = place.getIndex();
      if (index >= places.length) {
        throw new StoreException(
            ErrorCode.INTERNAL,
            "Cannot use container " + name(info.getId()) + ": it has a shard " + index);
      }
      places[index] = place;
      keys[index] =
          ShardKey.newBuilder()
              .setContainer(info.getId())
              .setIndex(index)
              .setGeneration(place.getGeneration())
              .setDiskId(place.getDiskId())
              .build();
    }
    return new ShardPlaces(info.getId(), policy, places, keys, info.getToken());
  }

  /** Looked up again: the places are new, and what may be read of them is what it was. */
  ShardPlaces withTokenOf(ShardPlaces before) {
    return before == null || !token.isEmpty()
        ? this
        : new ShardPlaces(container, policy, places, keys, before.token);
  }

  long container() {
    return container;
  }

  /** What lets its holder read; empty where none is needed, or whoever asks signs by himself. */
  ByteString token() {
    return token;
  }

  ErasurePolicy policy() {
    return policy;
  }

  ShardKey key(int shard) {
    return keys[shard];
  }

  String nodeId(int shard) {
    return places[shard].getNodeId();
  }

  ShardService service(DatanodeDirectory directory, int shard) {
    return directory.datanode(places[shard]);
  }

  boolean knows(int shard) {
    return places[shard] != null;
  }

  /** Whether a shard is now elsewhere, so that asking again can help. */
  boolean differsFrom(ShardPlaces other, int shard) {
    return places[shard] == null
        ? other.places[shard] != null
        : !places[shard].equals(other.places[shard]);
  }

  /** "shard 3 on disk D of host:port (node N)", for messages. */
  String describe(int shard) {
    ShardPlace place = places[shard];
    return place == null
        ? "shard " + shard + " (nowhere)"
        : "shard "
            + shard
            + " on disk "
            + place.getDiskId()
            + " of "
            + place.getHost()
            + ":"
            + place.getPort()
            + " (node "
            + place.getNodeId()
            + ")";
  }

  /** Container ids are printed as everywhere: 16 hex digits. */
  static String name(long container) {
    return String.format("%016x", container);
  }
}
