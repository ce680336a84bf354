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
import io.stowage.common.error.ErrorCode;
import io.stowage.common.error.StoreException;
import io.stowage.common.proto.ByteRange;
import io.stowage.common.proto.ContainerInfo;
import io.stowage.common.proto.Extent;
import io.stowage.common.proto.Lease;
import io.stowage.common.proto.LeaseGrant;
import io.stowage.common.proto.Manifest;
import io.stowage.common.proto.ShardGrant;
import io.stowage.common.proto.ShardKey;
import io.stowage.common.proto.ShardPlace;
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
 * <p>A reader gets the addresses of the extents of one manifest, whole sectors of them, on all
 * shards, since a range is decoded from the same addresses of others. Who wrote the manifest chose
 * those addresses, and nobody looks at the bytes when it is committed. What keeps a lying one from
 * showing other people's is the epoch, which {@link #checkWritten} has proved to be of the writer's
 * own lease: each range carries it, a read has to name it, and the datanode knows from its own
 * superblock where that epoch began and ended. Within an epoch stripes hold objects of one bucket
 * (with security on); what else of that bucket is in the same sectors can be seen.
 *
 * <p>A writer gets the very shards that the container's row names: no others of the container can
 * be made with his token, on other disks or under later generations, which would look rebuilt.
 */
public final class ShardGrants {
  private static final int READER = Operation.all(Operation.READ);

  /** Sealing is SCM's: a shard that its writer sealed would keep all later leases out. */
  private static final int WRITER = Operation.all(Operation.OPEN, Operation.WRITE);

  /** No shard is so large; sums of addresses and lengths below it do not wrap. */
  private static final long MOST_ADDRESS = 1L << 48;

  private final ShardTokens tokens;
  private final Duration life;

  /**
   * @param life of a reader's token
   */
  public ShardGrants(ShardTokens tokens, Duration life) {
    this.tokens = tokens;
    this.life = life;
  }

  /** Addresses on every shard, of what one epoch wrote. */
  private record EpochRange(long epoch, long offset, long end) {
    static final Comparator<EpochRange> ORDER =
        Comparator.comparingLong(EpochRange::epoch).thenComparingLong(EpochRange::offset);
  }

  /** Tokens for a manifest's containers, by container. */
  public Map<Long, ByteString> forReader(
      String user, Manifest manifest, List<ContainerInfo> containers) throws StoreException {
    Map<Long, List<EpochRange>> ranges = new HashMap<>();
    for (Extent extent : manifest.getExtentsList()) {
      ranges.computeIfAbsent(extent.getContainer(), id -> new ArrayList<>()).add(addresses(extent));
    }
    Map<Long, ByteString> signed = new HashMap<>();
    for (ContainerInfo container : containers) {
      List<EpochRange> its = ranges.get(container.getId());
      if (its == null) {
        continue;
      }
      ShardGrant.Builder grant =
          ShardGrant.newBuilder()
              .setExpiryMicros(tokens.nowMicros() + life.toNanos() / 1_000)
              .setOperations(READER)
              .setContainer(container.getId())
              .setShards(allOf(container))
              .setUser(user);
      for (EpochRange range : merged(its)) {
        grant
            .addRanges(
                ByteRange.newBuilder().setOffset(range.offset).setLength(range.end - range.offset))
            .addRangeEpochs(range.epoch);
      }
      signed.put(container.getId(), tokens.sign(grant.build()));
    }
    return signed;
  }

  /**
   * Whole sectors of an extent, the same on every shard.
   *
   * @throws StoreException INVALID_ARGUMENT of an extent that can lie nowhere
   */
  private static EpochRange addresses(Extent extent) throws StoreException {
    long offset = extent.getOffset();
    long length = Math.max(1, extent.getLength());
    long width = extent.getPacked() ? 1 : Math.max(1, extent.getWidth());
    long cell = extent.getCellLength();
    if (extent.getEpoch() <= 0
        || offset < 0
        || offset > MOST_ADDRESS
        || extent.getLength() < 0
        || length > MOST_ADDRESS
        || extent.getWidth() < 0
        || cell < 0
        || (width > 1 && cell == 0)) {
      throw new StoreException(
          ErrorCode.INVALID_ARGUMENT,
          String.format(
              "Cannot use an extent of container %016x: %d bytes at %d, in cells of %d, %d wide,"
                  + " of epoch %d",
              extent.getContainer(),
              extent.getLength(),
              offset,
              cell,
              extent.getWidth(),
              extent.getEpoch()));
    }
    long onEachShard = length;
    if (width > 1) {
      long stripe = width * cell;
      onEachShard = (length + stripe - 1) / stripe * cell;
    }
    ByteRange sectors = TokenChecks.sectorsAround(offset, onEachShard);
    return new EpochRange(
        extent.getEpoch(), sectors.getOffset(), sectors.getOffset() + sectors.getLength());
  }

  /** By epoch and address; those of one epoch do not touch. */
  private static List<EpochRange> merged(List<EpochRange> ranges) {
    ranges.sort(EpochRange.ORDER);
    List<EpochRange> merged = new ArrayList<>();
    for (EpochRange range : ranges) {
      EpochRange last = merged.isEmpty() ? null : merged.get(merged.size() - 1);
      if (last != null && last.epoch == range.epoch && range.offset <= last.end) {
        merged.set(
            merged.size() - 1,
            new EpochRange(last.epoch, last.offset, Math.max(last.end, range.end)));
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
    ShardGrant.Builder grant =
        ShardGrant.newBuilder()
            .setExpiryMicros(
                Math.max(lease.getExpiryMicros(), tokens.nowMicros()) + after.toNanos() / 1_000)
            .setOperations(WRITER)
            .setContainer(lease.getContainer().getId())
            .setEpoch(lease.getContainer().getLeaseEpoch())
            .setHolder(lease.getHolder())
            .setShards(allOf(lease.getContainer()))
            .setUser(user);
    for (ShardPlace place : lease.getContainer().getShardsList()) {
      grant.addPlaces(
          ShardKey.newBuilder()
              .setIndex(place.getIndex())
              .setGeneration(place.getGeneration())
              .setDiskId(place.getDiskId()));
    }
    return tokens.sign(grant.build());
  }

  /**
   * Makes sure that whoever commits a manifest has written what it names: each extent's container
   * and epoch have to be those of a lease that was granted to that user. Else he could name
   * somebody else's bytes and be given a token to read them. Where in the epoch's range they lie is
   * not looked at: a token's ranges hold for that epoch alone.
   *
   * @throws StoreException ACCESS_DENIED; INVALID_ARGUMENT of extents that can lie nowhere
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
      EpochRange unused = addresses(extent);
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
