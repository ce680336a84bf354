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

import io.stowage.common.erasure.ErasurePolicy;
import io.stowage.common.error.StoreException;
import io.stowage.common.proto.ByteRange;
import io.stowage.common.proto.ContainerInfo;
import io.stowage.common.proto.Extent;
import io.stowage.common.proto.Lease;
import io.stowage.common.proto.LeaseGrant;
import io.stowage.common.proto.Manifest;
import io.stowage.common.proto.ShardGrant;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.apache.hadoop.thirdparty.protobuf.ByteString;

/**
 * What is granted to whom, by those who have the keys. Thread-safe.
 *
 * <p>A reader gets the addresses of the extents of one manifest, on all shards, since a range is
 * decoded from the same addresses of others. That shows him nobody else's bytes: with security on a
 * stripe holds objects of one bucket.
 */
public final class ShardGrants {
  private static final int READER = Operation.all(Operation.READ);
  private static final int WRITER = Operation.all(Operation.OPEN, Operation.WRITE, Operation.SEAL);

  private final ShardTokens tokens;
  private final Duration life;

  /**
   * @param life of a reader's token
   */
  public ShardGrants(ShardTokens tokens, Duration life) {
    this.tokens = tokens;
    this.life = life;
  }

  /** Tokens for a manifest's containers, by container. */
  public Map<Long, ByteString> forReader(
      String user, Manifest manifest, List<ContainerInfo> containers) throws StoreException {
    Map<Long, List<ByteRange>> ranges = new HashMap<>();
    for (Extent extent : manifest.getExtentsList()) {
      ranges.computeIfAbsent(extent.getContainer(), id -> new ArrayList<>()).add(addresses(extent));
    }
    Map<Long, ByteString> signed = new HashMap<>();
    for (ContainerInfo container : containers) {
      List<ByteRange> its = ranges.get(container.getId());
      if (its == null) {
        continue;
      }
      signed.put(
          container.getId(),
          tokens.sign(
              ShardGrant.newBuilder()
                  .setExpiryMicros(tokens.nowMicros() + life.toNanos() / 1_000)
                  .setOperations(READER)
                  .setContainer(container.getId())
                  .setShards(allOf(container))
                  .addAllRanges(merged(its))
                  .setUser(user)
                  .build()));
    }
    return signed;
  }

  /** Addresses of an extent on every shard, whole sectors. */
  static ByteRange addresses(Extent extent) {
    if (extent.getPacked() || extent.getWidth() <= 1) {
      return TokenChecks.sectorsAround(extent.getOffset(), Math.max(1, extent.getLength()));
    }
    long perStripe = (long) extent.getWidth() * extent.getCellLength();
    long stripes = Math.max(1, (extent.getLength() + perStripe - 1) / perStripe);
    return TokenChecks.sectorsAround(extent.getOffset(), stripes * extent.getCellLength());
  }

  private static List<ByteRange> merged(List<ByteRange> ranges) {
    ranges.sort(Comparator.comparingLong(ByteRange::getOffset));
    List<ByteRange> merged = new ArrayList<>();
    for (ByteRange range : ranges) {
      ByteRange last = merged.isEmpty() ? null : merged.get(merged.size() - 1);
      if (last != null && range.getOffset() <= last.getOffset() + last.getLength()) {
        long end =
            Math.max(last.getOffset() + last.getLength(), range.getOffset() + range.getLength());
        merged.set(merged.size() - 1, last.toBuilder().setLength(end - last.getOffset()).build());
      } else {
        merged.add(range);
      }
    }
    return merged;
  }

  private static int allOf(ContainerInfo container) throws StoreException {
    int shards = ErasurePolicy.named(container.getPolicy()).shards();
    return (int) ((1L << shards) - 1);
  }

  /**
   * A token for the holder of a lease.
   *
   * @param after how long after the lease's end it still holds: a commit may come so late
   */
  public ByteString forWriter(String user, Lease lease, Duration after) throws StoreException {
    return tokens.sign(
        ShardGrant.newBuilder()
            .setExpiryMicros(
                Math.max(lease.getExpiryMicros(), tokens.nowMicros()) + after.toNanos() / 1_000)
            .setOperations(WRITER)
            .setContainer(lease.getContainer().getId())
            .setEpoch(lease.getContainer().getLeaseEpoch())
            .setHolder(lease.getHolder())
            .setShards(allOf(lease.getContainer()))
            .setUser(user)
            .build());
  }

  /**
   * Makes sure that whoever commits a manifest has written what it names: each extent's container
   * and epoch have to be those of a lease that was granted to that user. Else he could name
   * somebody else's bytes and be given a token to read them.
   *
   * @throws StoreException ACCESS_DENIED
   */
  public void checkWritten(String user, Manifest manifest, List<LeaseGrant> leases)
      throws StoreException {
    Map<Long, List<ShardGrant>> written = new HashMap<>();
    for (LeaseGrant lease : leases) {
      ShardGrant grant = tokens.verify(lease.getToken());
      if (!Operation.WRITE.isIn(grant.getOperations()) || !grant.getUser().equals(user)) {
        throw ShardTokens.refused("a lease's token is " + grant.getUser() + "'s, not " + user);
      }
      if (lease.getContainer() != grant.getContainer() || lease.getEpoch() != grant.getEpoch()) {
        throw ShardTokens.refused("a lease's token is of another lease");
      }
      written.computeIfAbsent(grant.getContainer(), id -> new ArrayList<>()).add(grant);
    }
    for (Extent extent : manifest.getExtentsList()) {
      if (written.getOrDefault(extent.getContainer(), List.of()).stream()
          .noneMatch(grant -> grant.getEpoch() == extent.getEpoch())) {
        throw ShardTokens.refused(
            String.format(
                "%s has no lease on container %016x, epoch %d, which the manifest names",
                user, extent.getContainer(), extent.getEpoch()));
      }
    }
  }
}
