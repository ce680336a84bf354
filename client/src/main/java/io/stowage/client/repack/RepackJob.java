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
package io.stowage.client.repack;

import io.netty.buffer.ByteBuf;
import io.stowage.client.ContainerAccess;
import io.stowage.common.erasure.ErasurePolicy;
import io.stowage.common.error.ErrorCode;
import io.stowage.common.error.StoreException;
import io.stowage.common.fault.CrashPoint;
import io.stowage.common.needle.NeedleHeader;
import io.stowage.common.om.ObjectManager;
import io.stowage.common.proto.ClaimContainerReply;
import io.stowage.common.proto.ContainerInfo;
import io.stowage.common.proto.Extent;
import io.stowage.common.proto.FinishRepackRequest;
import io.stowage.common.proto.JudgeNeedlesReply;
import io.stowage.common.proto.JudgeNeedlesRequest;
import io.stowage.common.proto.JudgedNeedle;
import io.stowage.common.proto.LocateContainersRequest;
import io.stowage.common.proto.NeedleHolder;
import io.stowage.common.proto.NeedleRef;
import io.stowage.common.proto.RenewClaimRequest;
import io.stowage.common.proto.RepackOutcome;
import io.stowage.common.proto.RepackWork;
import io.stowage.common.scm.ContainerManager;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Future;
import java.util.concurrent.atomic.AtomicLong;
import org.apache.hadoop.thirdparty.protobuf.ByteString;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * One claimed container on its way to being surveyed or emptied. Passes are confined to the thread
 * of its worker; {@link #renew} may be called by another.
 *
 * <p>A pass walks all needles, has them judged and moves those that live. A container is empty when
 * a whole pass found nothing alive, nothing undecided and no blind spot, and that pass began later
 * than any mutation can come of which the judge before might not have known: the second judgement.
 * All of it is judged by one table {@code object}, which SCM is told at both ends.
 *
 * <p><b>Records</b> are not judged: each is carried on and counts as alive. To drop one, all of
 * this would have to hold at once:
 *
 * <ul>
 *   <li>No needle of the version that it refutes, nor of an older one of its slot, is in any
 *       container, be it one that nobody ever repacks, a twin of a stripe that was given up, or a
 *       copy whose swap came too late.
 *   <li>No older record of the slot is, either: it would be believed like a needle.
 *   <li>None is on its way: other jobs carry on older records, and needles that a snapshot keeps,
 *       from containers that were not looked at to those that were.
 *   <li>None comes back: shards of a DELETED container that nodes bring back after it was given up
 *       get a row again if a rebuild finds enough of them.
 * </ul>
 *
 * The object manager knows none of it, since a row that was deleted is gone, and a job sees one
 * container. docs/format/needle.md ("Repack and records") has what was tried on paper, and what
 * records cost.
 */
final class RepackJob {
  private static final Logger LOG = LoggerFactory.getLogger(RepackJob.class);
  private static final CrashPoint BEFORE_PASS = CrashPoint.named("repack.job.before-pass");
  private static final CrashPoint BEFORE_FINISH = CrashPoint.named("repack.job.before-finish");

  /** Needles judged together; their headers are what a pass holds in memory. */
  private static final int BATCH = 500;

  /** After so many the container is given back: its needles are fought for, or cannot be read. */
  private static final int MOST_PASSES = 6;

  private static final int SECTOR = 4096;

  /** Payload of packed needles that are written together. */
  private static final int GROUP_BYTES = 4 << 20;

  /** What packing wastes of cells' ends, and a little more: 1 in so many bytes. */
  private static final int PACKING_LOSS = 32;

  private final ContainerManager scm;
  private final ObjectManager om;
  private final ContainerAccess access;
  private final NeedleMove moves;
  private final RateLimit reads;
  private final ExecutorService movers;
  private final RepackWork work;
  private final ByteString holder;
  private final ByteString table; // the one by which needles are judged
  private final long ripeNanos; // when the second judgement may begin
  private final AtomicLong bytesMoved = new AtomicLong();
  private volatile NeedleWalk walk; // of the pass under way
  private volatile boolean lost;

  private ContainerInfo container;
  private ErasurePolicy policy;
  private boolean recordsMoved;
  private String leftFor = "";
  private int passes;
  private long liveBytes = -1; // as the first pass found it
  private long neededBytes;
  private long storedBytes;

  // Of the pass under way.
  private final List<NeedleWalk.Found> batch = new ArrayList<>();
  private long live;
  private long passLiveBytes;
  private long passNeededBytes;
  private long undecided;
  private long failed;
  private String failure;

  /** What the parts of a repacker share. */
  record Parts(
      ContainerManager scm,
      ObjectManager om,
      ContainerAccess access,
      NeedleMove moves,
      RateLimit reads,
      ExecutorService movers) {}

  RepackJob(
      Parts parts, ClaimContainerReply claim, ByteString holder, ByteString table, long ripeNanos)
      throws StoreException {
    this.scm = parts.scm();
    this.om = parts.om();
    this.access = parts.access();
    this.moves = parts.moves();
    this.reads = parts.reads();
    this.movers = parts.movers();
    this.work = claim.getWork();
    this.container = claim.getContainer();
    this.policy = ErasurePolicy.named(container.getPolicy());
    this.holder = holder;
    this.table = table;
    this.ripeNanos = ripeNanos;
  }

  boolean isSurvey() {
    return work == RepackWork.REPACK_SURVEY;
  }

  long ripeNanos() {
    return ripeNanos;
  }

  /**
   * Why the job ended and the container is not empty; empty: it is, or was to be looked at only.
   */
  String leftFor() {
    return leftFor;
  }

  /**
   * Makes one pass.
   *
   * @return whether the job has ended; else another pass is due, no sooner than when it is ripe if
   *     nothing is left to move
   */
  boolean pass() throws StoreException {
    boolean second = System.nanoTime() - ripeNanos >= 0;
    BEFORE_PASS.reach();
    passes++;
    live = 0;
    undecided = 0;
    failed = 0;
    failure = null;
    passLiveBytes = 0;
    passNeededBytes = 0;
    locate();
    NeedleWalk walking = new NeedleWalk(access.scan(container), reads);
    walk = walking;
    walking.run(
        needle -> {
          batch.add(needle);
          if (batch.size() == BATCH) {
            judge();
          }
        });
    judge();
    recordsMoved = true;
    storedBytes = walking.storedBytes();
    if (liveBytes < 0) {
      liveBytes = passLiveBytes;
      neededBytes = passNeededBytes;
    }
    String blind = walking.blindSpots();
    LOG.debug(
        "Container {}, pass {}: {} needles, {} alive, {} undecided, {} not moved, {}",
        name(),
        passes,
        walking.needles(),
        live,
        undecided,
        failed,
        blind);
    BEFORE_FINISH.reach();
    if (isSurvey()) {
      // What cannot be seen is no reason not to look again, but none to wait either.
      finish(RepackOutcome.REPACK_SURVEYED, "");
      return true;
    }
    if (live == 0 && undecided == 0) {
      if (blind != null) {
        finish(RepackOutcome.REPACK_UNREADABLE, blind);
        return true;
      }
      if (second) {
        finish(RepackOutcome.REPACK_EMPTIED, "");
        return true;
      }
    }
    if (failed > 0 || passes >= MOST_PASSES) {
      finish(
          RepackOutcome.REPACK_UNDONE,
          failed
              + " needles could not be moved, "
              + undecided
              + " not be judged: "
              + (failure == null ? "rows keep changing" : failure));
      return true;
    }
    return false;
  }

  /** Shards may have moved since the claim. */
  private void locate() throws StoreException {
    List<ContainerInfo> found =
        om.locateContainers(
                LocateContainersRequest.newBuilder()
                    .addIds(container.getId())
                    .setRefresh(true)
                    .build())
            .getContainersList();
    if (!found.isEmpty()) {
      container = found.get(0);
    }
  }

  private void judge() throws StoreException {
    if (batch.isEmpty()) {
      return;
    }
    requireClaim();
    JudgeNeedlesRequest.Builder request =
        JudgeNeedlesRequest.newBuilder().setContainer(container.getId());
    List<NeedleWalk.Found> asked = new ArrayList<>();
    List<Mover> packed = new ArrayList<>();
    List<Future<?>> streamed = new ArrayList<>();
    for (NeedleWalk.Found needle : batch) {
      if (needle.header().kind() == NeedleHeader.Kind.RECORD) {
        lookAtRecord(needle, packed);
        continue;
      }
      asked.add(needle);
      request.addNeedles(
          NeedleRef.newBuilder()
              .setRow(row(needle.header()))
              .setWriteId(needle.header().writeId())
              .setOffset(needle.offset())
              .setShard(needle.shard()));
    }
    batch.clear();
    if (!asked.isEmpty()) {
      JudgeNeedlesReply reply = om.judgeNeedles(request.build());
      if (!reply.getObjectTable().equals(table)) {
        throw new StoreException(
            ErrorCode.UNAVAILABLE,
            "Cannot go on with container " + name() + ": table object is another than it was");
      }
      List<JudgedNeedle> judged = reply.getNeedlesList();
      for (int i = 0; i < asked.size(); i++) {
        take(asked.get(i), judged.get(i), packed, streamed);
      }
    }
    int from = 0;
    long bytes = 0;
    for (int i = 0; i < packed.size(); i++) {
      bytes += packed.get(i).extent().getLength();
      if (bytes >= GROUP_BYTES || i == packed.size() - 1) {
        moveTogether(packed.subList(from, i + 1));
        from = i + 1;
        bytes = 0;
      }
    }
    for (Future<?> move : streamed) {
      await(move);
    }
  }

  /** A packed needle that is to be moved; nobody holds a record. */
  private record Mover(NeedleHeader header, Extent extent, List<NeedleHolder> holders) {}

  /** Reads side by side, writes as one, so that they share stripes, swaps side by side. */
  private void moveTogether(List<Mover> group) throws StoreException {
    List<Future<ByteBuf>> payloads = new ArrayList<>();
    for (Mover mover : group) {
      payloads.add(movers.submit(() -> moves.payload(mover.extent(), container)));
    }
    List<Mover> read = new ArrayList<>();
    List<ContainerAccess.Packed> needles = new ArrayList<>();
    try {
      for (int i = 0; i < payloads.size(); i++) {
        ByteBuf payload = await(payloads.get(i));
        if (payload != null) {
          read.add(group.get(i));
          needles.add(new ContainerAccess.Packed(group.get(i).header(), payload));
        }
      }
    } catch (StoreException | RuntimeException | Error e) {
      needles.forEach(needle -> needle.payload().release());
      throw e;
    }
    List<ContainerAccess.Rewritten> copies = access.rewriteAll(needles, container.getPolicy());
    List<Future<?>> swaps = new ArrayList<>();
    for (int i = 0; i < copies.size(); i++) {
      Mover mover = read.get(i);
      ContainerAccess.Rewritten copy = copies.get(i);
      if (copy.failure() != null) {
        failed(copy.failure());
        continue;
      }
      swaps.add(
          movers.submit(
              () -> {
                if (moves.swap(mover.holders(), copy.written())) {
                  bytesMoved.addAndGet(mover.extent().getLength());
                }
                return null;
              }));
    }
    for (Future<?> swap : swaps) {
      await(swap);
    }
  }

  private static ByteString row(NeedleHeader header) {
    ByteBuffer bucket = ByteBuffer.allocate(Long.BYTES).putLong(0, header.bucketId());
    return ByteString.copyFrom(bucket).concat(header.rowKey());
  }

  private void take(
      NeedleWalk.Found needle, JudgedNeedle judged, List<Mover> packed, List<Future<?>> streamed) {
    if (judged.getDead()) {
      return;
    }
    if (judged.getHoldersCount() == 0) {
      undecided++;
      return;
    }
    live++;
    Extent extent = judged.getHolders(0).getExtent();
    passLiveBytes += extent.getLength();
    passNeededBytes += needed(extent);
    if (isSurvey()) {
      return;
    }
    if (extent.getPacked()) {
      packed.add(new Mover(needle.header(), extent, judged.getHoldersList()));
      return;
    }
    streamed.add(
        movers.submit(
            () -> {
              if (moves.move(
                  needle.header(), judged.getHoldersList(), container, container.getPolicy())) {
                bytesMoved.addAndGet(extent.getLength());
              }
              return null;
            }));
  }

  /** Facts are carried on once a job; one that is carried twice says the same twice. */
  private void lookAtRecord(NeedleWalk.Found needle, List<Mover> packed) {
    NeedleHeader header = needle.header();
    long length = header.encodedLength() + header.payloadLength(); // fits a cell: NeedleWalk
    passNeededBytes += needed(length);
    passLiveBytes += length;
    if (isSurvey() || recordsMoved) {
      return;
    }
    Extent extent =
        Extent.newBuilder()
            .setContainer(container.getId())
            .setOffset(needle.offset())
            .setCellLength((int) ((length + SECTOR - 1) / SECTOR * SECTOR))
            .setWidth(1)
            .setFirstShard(needle.shard())
            .setLength(length)
            .setHeaderLength(header.encodedLength())
            .setPacked(true)
            .build();
    packed.add(new Mover(header, extent, List.of()));
  }

  /** What came of it; null if it failed and the next pass is to try again. */
  private <T> T await(Future<T> work) throws StoreException {
    try {
      return work.get();
    } catch (ExecutionException e) {
      if (e.getCause() instanceof StoreException cause) {
        failed(cause);
        return null;
      } else if (e.getCause() instanceof Error error) {
        throw error;
      } else {
        throw new StoreException(
            ErrorCode.INTERNAL, "Cannot move a needle: " + e.getCause(), e.getCause());
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new StoreException(ErrorCode.UNAVAILABLE, "Cannot move needles: interrupted", e);
    }
  }

  private void failed(StoreException cause) {
    failed += cause.code() == ErrorCode.COMMIT_TOO_LATE ? 0 : 1; // the next pass tries again
    failure = cause.code() + " " + cause.getMessage();
  }

  /** Bytes on all shards that an extent would take if it were written now. */
  private long needed(Extent extent) {
    if (extent.getPacked()) {
      return needed(extent.getLength());
    }
    long sectors = (extent.getLength() + SECTOR - 1) / SECTOR;
    long high = (sectors + policy.k() - 1) / policy.k();
    return high * SECTOR * policy.shards();
  }

  private long needed(long packedLength) {
    return (packedLength + packedLength / PACKING_LOSS) * policy.shards() / policy.k();
  }

  private void requireClaim() throws StoreException {
    if (lost) {
      throw new StoreException(
          ErrorCode.LEASE_LOST, "Cannot go on with container " + name() + ": the claim is lost");
    }
  }

  /** Keeps the claim; called by the repacker's timer. */
  void renew() {
    NeedleWalk walking = walk;
    try {
      scm.renewClaim(
          RenewClaimRequest.newBuilder()
              .setContainer(container.getId())
              .setHolder(holder)
              .setBytesDone(walking == null ? 0 : walking.walked())
              .setBytesMoved(bytesMoved.get())
              .build());
    } catch (StoreException e) {
      lost |= e.code() == ErrorCode.LEASE_LOST;
      LOG.info("Container {}: the claim is not renewed: {}", name(), e.getMessage());
    }
  }

  /** Tells SCM; what it does not hear, the claim's end tells it. */
  void finish(RepackOutcome outcome, String why) throws StoreException {
    scm.finishRepack(
        FinishRepackRequest.newBuilder()
            .setContainer(container.getId())
            .setHolder(holder)
            .setOutcome(outcome)
            .setLiveBytes(Math.max(0, liveBytes))
            .setNeededBytes(neededBytes)
            .setStoredBytes(storedBytes)
            .setMovedBytes(bytesMoved.get())
            .setWhy(why)
            .setObjectTable(table)
            .build());
    leftFor = why;
    if (outcome != RepackOutcome.REPACK_SURVEYED) {
      LOG.info(
          "Container {}: {} after {} passes; {} bytes lived, {} were moved{}",
          name(),
          outcome,
          passes,
          Math.max(0, liveBytes),
          bytesMoved.get(),
          why.isEmpty() ? "" : "; " + why);
    }
  }

  String name() {
    return String.format("%016x", container.getId());
  }
}
