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

import io.netty.buffer.ByteBuf;
import io.stowage.common.data.ShardService.ShardBytes;
import io.stowage.common.erasure.ErasureCoder;
import io.stowage.common.erasure.ErasureCoders;
import io.stowage.common.erasure.ErasurePolicy;
import io.stowage.common.error.StoreException;
import io.stowage.common.proto.ByteRange;
import io.stowage.common.proto.ReadShardReply;
import io.stowage.common.proto.SectorRun;
import io.stowage.common.proto.SectorState;
import io.stowage.datanode.shard.RebuiltSegment;
import io.stowage.datanode.shard.ShardFormat;
import java.nio.ByteBuffer;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.BitSet;
import java.util.List;
import java.util.Queue;
import java.util.concurrent.CompletableFuture;
import java.util.zip.CRC32C;

/**
 * One segment of a shard made anew, in three steps that a rebuild runs interleaved, so that disks
 * and network work on the next segment while this one is decoded. Confined to the rebuild's thread.
 *
 * <ol>
 *   <li>{@link #survey}: every source is asked what its checksum page says. No data moves.
 *   <li>{@link #fetch}: from the answers it is known which sectors the new shard has and which
 *       cells give them; exactly those are asked for. Holes cost nothing.
 *   <li>{@link #complete}: CRCs are checked; where a source fails or lies, others are asked until
 *       none is left; then the segment is decoded. A source that cannot read what was asked is
 *       asked for less, down to a sector: a bad spot of its disk costs no more than that. One whose
 *       page could not be read is surveyed once more before anything counts as lost, and each is
 *       told whether it was asked in vain: a bad spot, or the end of its disk.
 * </ol>
 */
final class SegmentRebuild {
  /** Sectors decoded at once: the cells of a run stay in the processor's cache. */
  private static final int MAX_RUN = 64;

  /** Unwanted sectors that are read along rather than begin another range. */
  private static final int MAX_GAP = 8;

  private static final ByteBuffer ZEROS =
      ByteBuffer.allocateDirect(MAX_RUN * ShardFormat.SECTOR_BYTES).asReadOnlyBuffer();

  /** Waits for an answer, asking again while the source is busy. */
  interface Calls {
    /** Null if the source failed, which it knows then, or cannot give just this. */
    ShardBytes await(RepairSource source, Call call, CompletableFuture<ShardBytes> answer)
        throws StoreException;
  }

  /** A read that can be sent again. */
  interface Call {
    CompletableFuture<ShardBytes> send();
  }

  private record Fetch(int source, List<ByteRange> ranges, CompletableFuture<ShardBytes> answer) {}

  private final ErasurePolicy policy;
  private final int target;
  private final List<RepairSource> sources;
  private final EpochRanges epochs;
  private final Calls calls;
  private final int segment;
  private final int sectors;
  private final SectorChoice choice;
  private final List<CompletableFuture<ShardBytes>> surveys = new ArrayList<>();

  /** Not taken in yet. */
  private final Queue<Fetch> fetches = new ArrayDeque<>();

  // Sources by whether something could be read of them. They answer, or did.
  private final BitSet unsurveyed = new BitSet();
  private final BitSet failed = new BitSet();
  private final BitSet gave = new BitSet();

  SegmentRebuild(
      ErasurePolicy policy,
      int target,
      List<RepairSource> sources,
      EpochRanges epochs,
      Calls calls,
      int segment,
      int sectors) {
    this.policy = policy;
    this.target = target;
    this.sources = sources;
    this.epochs = epochs;
    this.calls = calls;
    this.segment = segment;
    this.sectors = sectors;
    this.choice =
        new SectorChoice(
            policy, target, sources.stream().map(RepairSource::index).toList(), sectors);
  }

  void survey() {
    for (RepairSource source : sources) {
      surveys.add(source.answers() ? askStates(source) : null);
    }
  }

  private CompletableFuture<ShardBytes> askStates(RepairSource source) {
    return source.read(List.of(range(0, sectors)), true);
  }

  void fetch() throws StoreException {
    for (int i = 0; i < sources.size(); i++) {
      CompletableFuture<ShardBytes> survey = surveys.get(i);
      if (survey != null) {
        surveys.set(i, null);
        takeSurvey(i, survey);
      }
    }
    choice.choose();
    sendFetches();
  }

  private void takeSurvey(int i, CompletableFuture<ShardBytes> survey) throws StoreException {
    RepairSource source = sources.get(i);
    ShardBytes said = calls.await(source, () -> askStates(source), survey);
    unsurveyed.set(i, said == null && source.answers());
    failed.set(i, said == null);
    if (said == null) {
      return;
    }
    said.payload().release();
    forEachSector(
        said.reply(),
        0,
        (sector, at, state) ->
            choice.claim(
                i,
                sector,
                ofEpoch(epochs, source, address(sector), state),
                said.reply().getUsedShards(at)));
  }

  /** A sector that another epoch wrote than has the address is none of this stripe's. */
  static SectorState ofEpoch(
      EpochRanges epochs, RepairSource source, long address, SectorState state) {
    return state == SectorState.WRITTEN
            && source.epochs().epochAt(address) != epochs.epochAt(address)
        ? SectorState.LOST
        : state;
  }

  private void sendFetches() {
    for (int i = 0; i < sources.size(); i++) {
      List<ByteRange> ranges = wanted(i);
      if (!ranges.isEmpty()) {
        fetch(i, ranges);
      }
    }
  }

  private void fetch(int source, List<ByteRange> ranges) {
    fetches.add(new Fetch(source, ranges, sources.get(source).read(ranges, false)));
  }

  private List<ByteRange> wanted(int source) {
    List<ByteRange> ranges = new ArrayList<>();
    int from = -1;
    int to = -1;
    for (int sector = 0; sector < sectors; sector++) {
      if (!choice.wants(source, sector)) {
        continue;
      }
      if (from >= 0 && sector - to > MAX_GAP) {
        ranges.add(range(from, to - from));
        from = -1;
      }
      from = from < 0 ? sector : from;
      to = sector + 1;
    }
    if (from >= 0) {
      ranges.add(range(from, to - from));
    }
    return ranges;
  }

  /** Takes in what was asked for, asks on where it was not good, and decodes. */
  RebuiltSegment complete(SegmentBuffers buffers) throws StoreException {
    takeFetches(buffers);
    if (!unsurveyed.isEmpty() && choice.isAnyLost()) {
      for (int i : unsurveyed.stream().filter(i -> sources.get(i).answers()).toArray()) {
        takeSurvey(i, askStates(sources.get(i)));
      }
      choice.choose();
      sendFetches();
      takeFetches(buffers);
    }
    for (int i = 0; i < sources.size(); i++) {
      if (failed.get(i) && !gave.get(i)) {
        sources.get(i).askedInVain();
      } else {
        sources.get(i).gave();
      }
    }
    return decode(buffers);
  }

  /** Sources that answer and could not read something that they were asked for. */
  List<RepairSource> failing() {
    return failed.stream().mapToObj(sources::get).filter(RepairSource::answers).toList();
  }

  private void takeFetches(SegmentBuffers buffers) throws StoreException {
    while (!fetches.isEmpty()) {
      for (Fetch fetch = fetches.poll(); fetch != null; fetch = fetches.poll()) {
        RepairSource source = sources.get(fetch.source);
        ShardBytes got = calls.await(source, resend(source, fetch), fetch.answer);
        if (got == null) {
          failed.set(fetch.source);
          askForLess(fetch, source);
          continue;
        }
        gave.set(fetch.source);
        try {
          take(fetch, got, buffers.source(fetch.source));
        } finally {
          got.payload().release();
        }
      }
      choice.choose();
      sendFetches();
    }
  }

  /** A spot that cannot be read loses its own sectors; a source that failed all that it has. */
  private void askForLess(Fetch fetch, RepairSource source) {
    if (!source.answers()) {
      choice.loseUnverified(fetch.source);
      return;
    }
    int ranges = fetch.ranges.size();
    if (ranges > 1) {
      fetch(fetch.source, fetch.ranges.subList(0, ranges / 2));
      fetch(fetch.source, fetch.ranges.subList(ranges / 2, ranges));
      return;
    }
    int first = sectorOf(fetch.ranges.get(0));
    int count = (int) (fetch.ranges.get(0).getLength() / ShardFormat.SECTOR_BYTES);
    if (count > 1) {
      fetch(fetch.source, List.of(range(first, count / 2)));
      fetch(fetch.source, List.of(range(first + count / 2, count - count / 2)));
    } else if (choice.wants(fetch.source, first)) {
      choice.lose(fetch.source, first);
    }
  }

  private static Call resend(RepairSource source, Fetch fetch) {
    return () -> source.read(fetch.ranges, false);
  }

  /** Gives up: answers under way are dropped when they come. */
  void cancel() {
    for (CompletableFuture<ShardBytes> survey : surveys) {
      if (survey != null) {
        drop(survey);
      }
    }
    fetches.forEach(fetch -> drop(fetch.answer));
  }

  /** Nobody waits for an answer any more. */
  static void drop(CompletableFuture<ShardBytes> answer) {
    var unused = answer.thenAccept(bytes -> bytes.payload().release());
  }

  /** Copies the sectors whose bytes have their CRC to where the segment has them. */
  private void take(Fetch fetch, ShardBytes got, ByteBuf into) {
    ReadShardReply reply = got.reply();
    CRC32C crc = new CRC32C();
    int at = 0;
    for (ByteRange range : fetch.ranges) {
      int first = sectorOf(range);
      forEachSector(
          reply,
          at,
          first,
          (int) (range.getLength() / ShardFormat.SECTOR_BYTES),
          (sector, i, state) -> {
            int bytes = sector * ShardFormat.SECTOR_BYTES;
            got.payload().getBytes(i * ShardFormat.SECTOR_BYTES, into.nioBuffer(bytes, 4096));
            if (!choice.wants(fetch.source, sector)) {
              return;
            }
            crc.reset();
            crc.update(into.nioBuffer(bytes, ShardFormat.SECTOR_BYTES));
            if (state == SectorState.WRITTEN && (int) crc.getValue() == reply.getCrcs(i)) {
              choice.verify(fetch.source, sector);
            } else {
              choice.lose(fetch.source, sector);
            }
          });
      at += (int) (range.getLength() / ShardFormat.SECTOR_BYTES);
    }
  }

  private RebuiltSegment decode(SegmentBuffers buffers) {
    RebuiltSegment result = new RebuiltSegment(segment, sectors);
    CRC32C crc = new CRC32C();
    int from = 0;
    while (from < sectors) {
      int count = 1;
      while (from + count < sectors && count < MAX_RUN && isSame(from, from + count)) {
        count++;
      }
      SectorState state =
          switch (choice.kind(from)) {
            case HOLE -> SectorState.NEVER_WRITTEN;
            case LOST -> SectorState.LOST;
            case COPY -> {
              int source = Long.numberOfTrailingZeros(choice.chosen(from));
              buffers.out(from, count).put(buffers.source(source, from, count));
              yield SectorState.WRITTEN;
            }
            case DECODE -> {
              decode(buffers, from, count);
              yield SectorState.WRITTEN;
            }
          };
      for (int i = from; i < from + count; i++) {
        switch (state) {
          case WRITTEN -> {
            crc.reset();
            crc.update(buffers.out(i, 1));
            result.written(i, (int) crc.getValue(), choice.bitmap(i));
          }
          case LOST, UNRECOGNIZED -> result.lost(i, choice.bitmap(i));
          case NEVER_WRITTEN -> {
            // stays a hole
          }
        }
      }
      from += count;
    }
    return result;
  }

  private boolean isSame(int one, int other) {
    return choice.kind(one) == choice.kind(other)
        && choice.chosen(one) == choice.chosen(other)
        && choice.bitmap(one) == choice.bitmap(other);
  }

  private void decode(SegmentBuffers buffers, int from, int count) {
    ErasureCoder coder = ErasureCoders.of(policy);
    ByteBuffer[] in = new ByteBuffer[policy.shards()];
    for (int index = 0; index < policy.k(); index++) {
      if ((choice.bitmap(from) >>> index & 1) == 0) {
        in[index] = ZEROS.slice(0, count * ShardFormat.SECTOR_BYTES);
      }
    }
    for (long left = choice.chosen(from); left != 0; left &= left - 1) {
      int source = Long.numberOfTrailingZeros(left);
      in[sources.get(source).index()] = buffers.source(source, from, count);
    }
    coder.decode(in, new int[] {target}, new ByteBuffer[] {buffers.out(from, count)});
  }

  // ---- Addresses and runs

  private long address(int sector) {
    return segment * ShardFormat.SEGMENT_ADDRESSES + (long) sector * ShardFormat.SECTOR_BYTES;
  }

  private ByteRange range(int firstSector, int count) {
    return ByteRange.newBuilder()
        .setOffset(address(firstSector))
        .setLength((long) count * ShardFormat.SECTOR_BYTES)
        .build();
  }

  private int sectorOf(ByteRange range) {
    return (int) ((range.getOffset() - address(0)) / ShardFormat.SECTOR_BYTES);
  }

  interface SectorVisitor {
    void visit(int sector, int at, SectorState state);
  }

  private void forEachSector(ReadShardReply reply, int at, SectorVisitor visitor) {
    forEachSector(reply, at, 0, sectors, visitor);
  }

  /**
   * Walks the states of some sectors of a reply.
   *
   * @param at the first one's place in the reply
   */
  static void forEachSector(
      ReadShardReply reply, int at, int first, int count, SectorVisitor visitor) {
    int skip = at;
    int seen = 0;
    for (SectorRun run : reply.getSectorsList()) {
      int from = Math.min(skip, run.getCount());
      skip -= from;
      for (int i = from; i < run.getCount() && seen < count; i++) {
        visitor.visit(first + seen, at + seen, run.getState());
        seen++;
      }
    }
  }
}
