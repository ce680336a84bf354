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

import io.stowage.common.error.StoreException;
import io.stowage.common.proto.ByteRange;
import io.stowage.common.proto.ListShardsRequest;
import io.stowage.common.proto.OpenShardRequest;
import io.stowage.common.proto.ReadShardRequest;
import io.stowage.common.proto.SealShardRequest;
import io.stowage.common.proto.ShardGrant;
import io.stowage.common.proto.ShardKey;
import io.stowage.common.proto.StatShardRequest;
import io.stowage.common.proto.WriteShardRequest;
import java.util.List;
import org.apache.hadoop.thirdparty.protobuf.ByteString;

/**
 * Whether a request is within what its token allows. Every datanode asks this of every request,
 * before it looks at anything else. Thread-safe.
 */
public final class TokenChecks {
  private static final int SECTOR = 4_096;

  private final ShardTokens tokens;

  /** Whether services, too, are served. */
  private final boolean services;

  private TokenChecks(ShardTokens tokens, boolean services) {
    this.tokens = tokens;
    this.services = services;
  }

  /** For all requests that a token allows. */
  public TokenChecks(ShardTokens tokens) {
    this(tokens, true);
  }

  /** For connections that have shown no certificate where services have to: users' tokens only. */
  public static TokenChecks ofUsers(ShardTokens tokens) {
    return new TokenChecks(tokens, false);
  }

  private ShardGrant verified(ByteString token) throws StoreException {
    ShardGrant grant = tokens.verify(token);
    if (grant.getService() && !services) {
      throw refused(grant, "it is a service's, and the connection has shown no certificate");
    }
    return grant;
  }

  public void check(OpenShardRequest request) throws StoreException {
    ShardGrant grant = granted(request.getToken(), Operation.OPEN, request.getShard());
    checkPlace(grant, request.getShard());
    checkEpoch(grant, request.getEpoch());
    if (!grant.getService() && !grant.getHolder().equals(request.getHolder())) {
      throw refused(grant, "it is for another holder");
    }
  }

  public void check(WriteShardRequest request) throws StoreException {
    ShardGrant grant = granted(request.getToken(), Operation.WRITE, request.getShard());
    checkPlace(grant, request.getShard());
    checkEpoch(grant, request.getEpoch());
  }

  public void check(SealShardRequest request) throws StoreException {
    ShardGrant grant = granted(request.getToken(), Operation.SEAL, request.getShard());
    checkPlace(grant, request.getShard());
    checkEpoch(grant, request.getEpoch());
  }

  public void check(StatShardRequest request) throws StoreException {
    var unused = granted(request.getToken(), Operation.STAT, request.getShard());
  }

  public void check(ListShardsRequest request) throws StoreException {
    ShardGrant grant = verified(request.getToken());
    if (!Operation.LIST.isIn(grant.getOperations()) || !grant.getService()) {
      throw refused(grant, "it does not allow LIST");
    }
  }

  public void check(ReadShardRequest request) throws StoreException {
    ShardGrant grant = granted(request.getToken(), Operation.READ, request.getShard());
    if (grant.getService()) {
      return;
    }
    long epoch = request.getEpoch();
    if (epoch <= 0) {
      throw refused(grant, "the read names no epoch, which would mean whatever any lease wrote");
    }
    if (grant.getRangesCount() == 0 || grant.getRangesCount() != grant.getRangeEpochsCount()) {
      throw refused(grant, "it names no ranges, or not whose they are");
    }
    int first = firstFrom(grant.getRangeEpochsList(), epoch);
    int end = firstFrom(grant.getRangeEpochsList(), epoch + 1); // of the last one: 0, so none
    for (ByteRange range : request.getRangesList()) {
      if (!isWithin(range, grant.getRangesList(), first, end)) {
        throw refused(
            grant,
            range.getLength()
                + " bytes at "
                + range.getOffset()
                + " of epoch "
                + epoch
                + " are not in its ranges");
      }
    }
  }

  /** Index of the first epoch that is not below the one given; they ascend. */
  private static int firstFrom(List<Long> epochs, long epoch) {
    int low = 0;
    int high = epochs.size();
    while (low < high) {
      int middle = (low + high) >>> 1;
      if (epochs.get(middle) < epoch) {
        low = middle + 1;
      } else {
        high = middle;
      }
    }
    return low;
  }

  /** Those of one epoch ascend and do not touch, so that what is asked for lies in one of them. */
  private static boolean isWithin(ByteRange asked, List<ByteRange> allowed, int first, int end) {
    long from = asked.getOffset();
    if (from < 0 || asked.getLength() < 1 || from + asked.getLength() < from) {
      return false; // of no use whoever asks, and sums must not wrap
    }
    int low = first;
    int high = end - 1;
    while (low <= high) {
      int middle = (low + high) >>> 1;
      ByteRange range = allowed.get(middle);
      if (from < range.getOffset()) {
        high = middle - 1;
      } else if (from - range.getOffset() >= range.getLength()) {
        low = middle + 1;
      } else {
        return asked.getLength() <= range.getLength() - (from - range.getOffset());
      }
    }
    return false;
  }

  private ShardGrant granted(ByteString token, Operation operation, ShardKey shard)
      throws StoreException {
    ShardGrant grant = verified(token);
    if (!operation.isIn(grant.getOperations())) {
      throw refused(grant, "it does not allow " + operation);
    }
    if (!grant.getService() && grant.getContainer() != shard.getContainer()) {
      throw refused(
          grant,
          String.format(
              "it is for container %016x, not %016x", grant.getContainer(), shard.getContainer()));
    }
    int index = shard.getIndex();
    if (grant.getShards() != 0
        && (index < 0 || index >= Integer.SIZE || (grant.getShards() >>> index & 1) == 0)) {
      throw refused(grant, "it is not for shard " + index);
    }
    return grant;
  }

  /**
   * A lease is on shards where SCM has placed them. Elsewhere, or under a later generation, its
   * holder could make shards of the container that look as if a rebuild had made them.
   */
  private static void checkPlace(ShardGrant grant, ShardKey shard) throws StoreException {
    if (grant.getService()) {
      return;
    }
    for (ShardKey place : grant.getPlacesList()) {
      if (place.getIndex() == shard.getIndex()
          && place.getGeneration() == shard.getGeneration()
          && place.getDiskId().equals(shard.getDiskId())) {
        return;
      }
    }
    throw refused(
        grant,
        String.format(
            "it is not for shard %d, generation %d, on disk %s",
            shard.getIndex(), shard.getGeneration(), shard.getDiskId()));
  }

  private static void checkEpoch(ShardGrant grant, long epoch) throws StoreException {
    if (!grant.getService() && grant.getEpoch() != epoch) {
      throw refused(grant, "it is for epoch " + grant.getEpoch() + ", not " + epoch);
    }
  }

  private static StoreException refused(ShardGrant grant, String why) {
    return ShardTokens.refused("the token of " + grant.getUser() + " does not allow it: " + why);
  }

  /** Whole sectors around an address range, which is what readers fetch. */
  public static ByteRange sectorsAround(long offset, long length) {
    long from = offset / SECTOR * SECTOR;
    long end = (offset + length + SECTOR - 1) / SECTOR * SECTOR;
    return ByteRange.newBuilder().setOffset(from).setLength(end - from).build();
  }
}
