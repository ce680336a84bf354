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
package io.stowage.datanode.repair;

import io.stowage.common.data.ShardService;
import io.stowage.common.data.ShardService.ShardBytes;
import io.stowage.common.error.ErrorCode;
import io.stowage.common.error.StoreException;
import io.stowage.common.proto.ByteRange;
import io.stowage.common.proto.ReadShardRequest;
import io.stowage.common.proto.ShardKey;
import io.stowage.common.proto.ShardPlace;
import io.stowage.common.proto.StatShardReply;
import io.stowage.common.proto.StatShardRequest;
import java.util.List;
import java.util.concurrent.CompletableFuture;

/** One copy of one shard that a rebuild reads. Confined to its rebuild's thread. */
final class RepairSource {
  enum Condition {
    /** Not asked yet, or it has answered everything. */
    ANSWERS,
    /** It says for certain that it has nothing: no such shard, or no superblock can be read. */
    EMPTY,
    /**
     * It did not answer, or its disk is out. What it has may be better than what the others have.
     */
    SILENT
  }

  /** Bad spots are smaller: a source that gives nothing of so many segments running is away. */
  private static final int MAX_VAIN_SEGMENTS = 4;

  private final ShardPlace place;
  private final ShardKey key;
  private final ShardService service;
  private Condition condition = Condition.ANSWERS;
  private EpochRanges epochs;
  private long end;
  private long lostSectors;
  private int vainSegments;
  private boolean gaveAny;

  RepairSource(long container, ShardPlace place, ShardService service) {
    this.place = place;
    this.service = service;
    this.key =
        ShardKey.newBuilder()
            .setContainer(container)
            .setIndex(place.getIndex())
            .setGeneration(place.getGeneration())
            .setDiskId(place.getDiskId())
            .build();
  }

  int index() {
    return place.getIndex();
  }

  boolean answers() {
    return condition == Condition.ANSWERS;
  }

  /** Or as good as: its disk may be gone, and what it says of itself come from memory. */
  boolean isSilent() {
    return condition == Condition.SILENT || vainSegments >= MAX_VAIN_SEGMENTS;
  }

  /** Asked in vain, of however few segments, and never otherwise. */
  boolean gaveNothing() {
    return vainSegments > 0 && !gaveAny;
  }

  /** Segments are told in order: it was asked for what could not be read, and gave nothing else. */
  void askedInVain() {
    vainSegments++;
  }

  /** It gave something of a segment, or was not asked. */
  void gave() {
    vainSegments = 0;
    gaveAny = true;
  }

  /** Highest address that it says was written, one past. */
  long end() {
    return end;
  }

  /** Sectors that are marked lost in it. */
  long lostSectors() {
    return lostSectors;
  }

  EpochRanges epochs() {
    return epochs;
  }

  CompletableFuture<StatShardReply> stat() {
    return service.stat(StatShardRequest.newBuilder().setShard(key).build());
  }

  /** Whether the shard can be read on, though something of it could not; else its disk is out. */
  static boolean isReadable(StatShardReply reply) {
    return !reply.getReport().getFailed() || reply.getReport().getReadable();
  }

  /** Takes in what the superblock says. */
  void describe(StatShardReply reply, int k, int m, long capacity) {
    if (reply.getEpochsCount() == 0
        || reply.getDataShards() != k
        || reply.getParityShards() != m
        || reply.getCapacityBytes() != capacity) {
      condition = Condition.EMPTY;
      return;
    }
    end = Math.min(reply.getReport().getEnd(), capacity);
    lostSectors = reply.getReport().getLostSectors();
    epochs = EpochRanges.of(reply.getEpochsList(), end);
  }

  /** A call failed: nothing more is asked of it. */
  void fail(StoreException why) {
    condition = why.code() == ErrorCode.NO_SUCH_SHARD ? Condition.EMPTY : Condition.SILENT;
  }

  /** Reads sectors under any epoch: whose they are is judged by {@link #epochs}. */
  CompletableFuture<ShardBytes> read(List<ByteRange> ranges, boolean statesOnly) {
    return service.read(
        ReadShardRequest.newBuilder()
            .setShard(key)
            .addAllRanges(ranges)
            .setSectorCrcs(true)
            .setStatesOnly(statesOnly)
            .setBackground(true)
            .build());
  }

  @Override
  public String toString() {
    return "shard "
        + index()
        + " generation "
        + place.getGeneration()
        + " on datanode "
        + place.getNodeId()
        + " ("
        + place.getHost()
        + ":"
        + place.getPort()
        + ")";
  }
}
