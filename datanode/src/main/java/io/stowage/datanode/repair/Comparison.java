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

import io.stowage.common.data.DatanodeDirectory;
import io.stowage.common.data.ShardService.ShardBytes;
import io.stowage.common.erasure.ErasurePolicy;
import io.stowage.common.error.StoreException;
import io.stowage.common.proto.ByteRange;
import io.stowage.common.proto.ReadShardReply;
import io.stowage.common.proto.SectorState;
import io.stowage.common.proto.ShardKey;
import io.stowage.common.proto.ShardPlace;
import io.stowage.common.proto.ShardReport;
import io.stowage.common.proto.VerifyShardOrder;
import io.stowage.datanode.shard.ShardFormat;
import io.stowage.datanode.shard.ShardId;
import io.stowage.datanode.store.ShardStore;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;

/**
 * Tells whether a shard lacks what its stripes have. A disk that claimed a write, or a force, and
 * dropped it leaves data and checksum page as they were: the shard is at one with itself, and no
 * scrubber that reads it alone finds anything. Confined to one thread.
 *
 * <ol>
 *   <li>Who can know is a reader: the sectors that a manifest names were durable in all the shards
 *       of their stripe before it was committed. What one of them calls never written and the
 *       bitmap of the others does not, he decodes and reports, by its address.
 *   <li>SCM passes that on if the container is closed, with the places of the other shards. One
 *       that is open is not judged: what a shard lacks there may be on its way.
 *   <li>Here the others decide, by the same rules as a rebuild ({@link SectorChoice}): only what
 *       enough of them have, under one bitmap that names this shard and of the epoch whose address
 *       it is, is lacking. The reader's word decides nothing. A hole of a narrow stripe, or one
 *       that all of them have, stays a hole.
 *   <li>A shard that lacks something is told as damaged until it is gone, whatever a scrubber finds
 *       of it meanwhile: sealed, it gets no better. SCM has it rebuilt as any other.
 * </ol>
 *
 * <p>What may come in between:
 *
 * <ul>
 *   <li><i>It is closed, and some shards are not sealed yet:</i> this one must be, so that nothing
 *       comes to it any more; a stripe that still reaches others is never acknowledged, and no
 *       reader asks about it. The rebuild waits until they all are ({@code Repair} of SCM).
 *   <li><i>The report is wrong, or made up:</i> the others say so, or the sectors are of a stripe
 *       that its writer gave up, of which all but this shard's cell arrived. Then one rebuild adds
 *       that cell, which nobody reads, and the report is wrong from then on.
 *   <li><i>Others do not answer, or lack it too:</i> too few are left to decode from, and nothing
 *       is noted; the next reader reports it again. More than m of them is a loss, which he hears.
 *   <li><i>What the others have turns out to be corrupt as the rebuild reads it:</i> the new shard
 *       has the sector marked lost, which is no hole: it is mended, and not asked about here again.
 *   <li><i>The shard is replaced meanwhile:</i> the order names its generation, and the note goes
 *       with it.
 *   <li><i>A page in memory knows the write, and the disk does not:</i> the data misses its CRC
 *       then, which counts as lacking, too.
 *   <li><i>The node restarts, or the leader changes:</i> a restart forgets the note, and the next
 *       reader's report brings it back; every leader hears of it with each heartbeat.
 * </ul>
 */
final class Comparison {
  private final ShardKey key;
  private final VerifyShardOrder order;
  private final ShardStore store;
  private final DatanodeDirectory datanodes;

  Comparison(ShardKey key, VerifyShardOrder order, ShardStore store, DatanodeDirectory datanodes) {
    this.key = key;
    this.order = order;
    this.store = store;
    this.datanodes = datanodes;
  }

  /**
   * Sectors of those asked about that the shard lacks. Waits for other datanodes.
   *
   * @throws StoreException if the shard itself cannot be read
   */
  int lacking() throws StoreException {
    ErasurePolicy policy = ErasurePolicy.named(order.getPolicy());
    List<RepairSource> sources = sources(policy);
    int own = sources.stream().map(RepairSource::index).toList().indexOf(key.getIndex());
    ShardReport report = store.report(key.getDiskId(), ShardId.of(key));
    if (own < 0 || report == null || !report.getSealed()) {
      return 0;
    }
    EpochRanges epochs = EpochRanges.merged(sources.stream().map(RepairSource::epochs).toList());
    int sectors = (int) (order.getSectors().getLength() / ShardFormat.SECTOR_BYTES);
    SectorState[] states = new SectorState[sectors];
    SectorChoice choice =
        new SectorChoice(
            policy, key.getIndex(), sources.stream().map(RepairSource::index).toList(), sectors);
    for (int i = 0; i < sources.size(); i++) {
      try {
        claim(choice, i, sources.get(i), epochs, i == own ? states : null);
      } catch (StoreException e) {
        if (i == own) {
          throw e;
        }
      }
    }
    choice.choose();
    boolean marked = report.getLostSectors() > 0; // those are mended, and not made again here
    int lacking = 0;
    for (int sector = 0; sector < sectors; sector++) {
      boolean given =
          states[sector] == SectorState.WRITTEN || (marked && states[sector] == SectorState.LOST);
      lacking += !given && choice.kind(sector) == SectorChoice.Kind.DECODE ? 1 : 0;
    }
    return lacking;
  }

  /** Those that answer. */
  private List<RepairSource> sources(ErasurePolicy policy) {
    List<RepairSource> sources = new ArrayList<>();
    for (ShardPlace place : order.getSourcesList()) {
      boolean here = place.getNodeId().equals(store.nodeId());
      if (place.getIndex() == key.getIndex()
          && (!here || place.getGeneration() != key.getGeneration())) {
        continue; // it is elsewhere by now
      }
      RepairSource source =
          new RepairSource(key.getContainer(), place, here ? store : datanodes.datanode(place));
      try {
        source.describe(
            ShardRebuild.await(source.stat()), policy.k(), policy.m(), order.getCapacityBytes());
      } catch (StoreException e) {
        source.fail(e);
      }
      if (source.answers()) {
        sources.add(source);
      }
    }
    return sources;
  }

  /**
   * Asks a source what it has.
   *
   * @param states of the own shard, of which the data is read, too; null for others
   */
  private void claim(
      SectorChoice choice, int source, RepairSource from, EpochRanges epochs, SectorState[] states)
      throws StoreException {
    ByteRange range = order.getSectors();
    CompletableFuture<ShardBytes> answer = from.read(List.of(range), states == null);
    SegmentRebuild.drop(answer); // also one that comes when nobody waits any more
    ReadShardReply said = ShardRebuild.await(answer).reply();
    SegmentRebuild.forEachSector(
        said,
        0,
        0,
        (int) (range.getLength() / ShardFormat.SECTOR_BYTES),
        (sector, at, state) -> {
          long address = range.getOffset() + (long) sector * ShardFormat.SECTOR_BYTES;
          SectorState claimed = SegmentRebuild.ofEpoch(epochs, from, address, state);
          choice.claim(source, sector, claimed, said.getUsedShards(at));
          if (states != null) {
            states[sector] = claimed;
          }
        });
  }
}
