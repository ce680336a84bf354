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
package io.stowage.scm.container;

import io.stowage.common.error.ErrorCode;
import io.stowage.common.error.StoreException;
import io.stowage.common.fault.CrashPoint;
import io.stowage.common.id.WriteId;
import io.stowage.common.proto.ClaimContainerReply;
import io.stowage.common.proto.ClaimContainerRequest;
import io.stowage.common.proto.ContainerInfo;
import io.stowage.common.proto.ContainerState;
import io.stowage.common.proto.FinishRepackReply;
import io.stowage.common.proto.FinishRepackRequest;
import io.stowage.common.proto.RenewClaimReply;
import io.stowage.common.proto.RenewClaimRequest;
import io.stowage.common.proto.RepackClaim;
import io.stowage.common.proto.RepackOutcome;
import io.stowage.common.proto.RepackStatusReply;
import io.stowage.common.proto.RepackWork;
import io.stowage.common.time.StoreClock;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.Deque;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.PriorityQueue;
import java.util.Set;
import java.util.function.LongUnaryOperator;
import java.util.function.Supplier;
import org.apache.hadoop.thirdparty.protobuf.ByteString;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Which container is to be looked into or emptied, and by whom, in one term of leadership. The
 * protocol with its interleavings is docs/adr/0006. Thread-safe: guarded by itself, but for row
 * mutations, which are made outside of the lock, for a claim that is already noted.
 *
 * <p>The only facts that have to survive are in the row: REPACKING, written no sooner than the
 * commit window after the seal, and after the last time that a writer had the container kept
 * ({@link Leases#keep}), which makes late committers copy their bytes out; the holder of the last
 * claim, which alone may say that the container is empty; DELETED and since when. That a claim
 * lapses is only remembered: a new leader gives every holder that it finds in a row a whole
 * duration.
 */
public final class Repacks {
  private static final Logger LOG = LoggerFactory.getLogger(Repacks.class);
  private static final CrashPoint AFTER_REPACKING = CrashPoint.named("scm.repack.after-repacking");
  private static final CrashPoint AFTER_DELETED = CrashPoint.named("scm.repack.after-deleted");

  /** Containers at work at a time in the whole cluster. */
  private static final int MOST_CLAIMS = 1_000;

  /** Candidates kept between two scans of the map. */
  private static final int MOST_CANDIDATES = 10_000;

  /** Containers that could not be finished; the oldest are forgotten beyond. */
  private static final int MOST_RETRIES = 10_000;

  private static final long RETRY_NANOS = Duration.ofSeconds(30).toNanos();
  private static final long RETRY_UNREADABLE_NANOS = Duration.ofHours(1).toNanos();

  /** A scan looks at every container: it may take this share of one core, one tenth. */
  private static final int SCAN_PAUSES = 10;

  private static final long LEAST_SCAN_NANOS = Duration.ofMillis(500).toNanos();

  /** A container that takes less than one of as many parts of its capacity is little filled. */
  private static final int LITTLE = 50;

  /** Little filled ones are worth repacking only together, or there would be no end to it. */
  private static final int FEWEST_LITTLE = 8;

  private final LeaderEpoch leader;
  private final RowMutations rows;
  private final ContainerMap map;
  private final Settings settings;
  private final KnownTable table;
  private final LongUnaryOperator deadBytes;
  private final Supplier<String> heldBack;
  private final StoreClock clock;

  // Guarded by this.
  private final Map<Long, Claim> claims = new HashMap<>();
  private final Map<Long, Long> notBefore = new LinkedHashMap<>();
  private Deque<Long> surveys = new ArrayDeque<>();
  private Deque<Long> empties = new ArrayDeque<>();
  private long nextScanNanos;
  private long toSurvey;
  private long toEmpty;
  private long unreadable;
  private long keptDeleted;
  private long surveyed;
  private long emptied;
  private long bytesMoved;
  private long bytesFreed;

  /**
   * Times and thresholds.
   *
   * @param commitWindow how long after a seal nobody judges needles
   * @param clockBound how far clocks may be apart
   * @param claim a claim not renewed for as long passes on
   * @param wastePercent more than what is needed, from which a container is emptied
   */
  public record Settings(
      Duration commitWindow, Duration clockBound, Duration claim, int wastePercent) {}

  private static final class Claim {
    private final RepackWork work;
    private final ByteString holder;
    private final String worker;
    private final long startedMicros;
    private final long bytesTotal;
    private long deadlineNanos;
    private long bytesDone;
    private long bytesMoved;

    Claim(RepackWork work, ByteString holder, String worker, long startedMicros, long bytesTotal) {
      this.work = work;
      this.holder = holder;
      this.worker = worker;
      this.startedMicros = startedMicros;
      this.bytesTotal = bytesTotal;
    }
  }

  private record Worth(long id, long bytes) {}

  /**
   * @param table only who judges by it is heard
   * @param deadBytes what collectors counted dead of a container; hints
   * @param heldBack why nothing may be emptied now: what no head names need not be dead; empty: all
   *     may
   */
  Repacks(
      LeaderEpoch leader,
      RowMutations rows,
      ContainerMap map,
      Settings settings,
      KnownTable table,
      LongUnaryOperator deadBytes,
      Supplier<String> heldBack,
      StoreClock clock) {
    this.leader = leader;
    this.rows = rows;
    this.map = map;
    this.settings = settings;
    this.table = table;
    this.deadBytes = deadBytes;
    this.heldBack = heldBack;
    this.clock = clock;
    this.nextScanNanos = clock.monotonicNanos();
  }

  /** At the start of a term: whoever a row names may still be at work. */
  synchronized void resume() {
    map.forEach(
        (id, packed, reported) -> {
          if (PackedContainer.state(packed) == ContainerState.REPACKING
              && claims.size() < MOST_CLAIMS) {
            ContainerInfo info = map.get(id).info();
            if (!info.getRepackHolder().isEmpty() && !info.getUnreadable()) {
              note(info, RepackWork.REPACK_EMPTY, info.getRepackHolder(), "of an earlier leader");
            }
          }
        });
  }

  private Claim note(ContainerInfo info, RepackWork work, ByteString holder, String worker) {
    Claim claim = new Claim(work, holder, worker, clock.wallMicros(), info.getEndOffset());
    claim.deadlineNanos = clock.monotonicNanos() + settings.claim.toNanos();
    claims.put(info.getId(), claim);
    return claim;
  }

  private static void requireHolder(ByteString holder) throws StoreException {
    if (holder.size() != WriteId.BYTES) {
      throw new StoreException(
          ErrorCode.INVALID_ARGUMENT,
          "Cannot claim a container: the holder has " + holder.size() + " bytes, not 16");
    }
  }

  // ---- claiming

  public ClaimContainerReply claim(ClaimContainerRequest request) throws StoreException {
    requireHolder(request.getHolder());
    table.require(request.getObjectTable(), "repacker " + request.getWorker());
    ClaimContainerReply again = claimOf(request.getHolder());
    if (again != null) {
      return again;
    }
    if (request.getContainer() != 0) {
      return claimThis(request);
    }
    boolean mayEmpty = heldBack.get().isEmpty();
    while (true) {
      Long id;
      Claim claim;
      synchronized (this) {
        RepackWork work = RepackWork.REPACK_EMPTY;
        id = mayEmpty ? poll(empties) : null;
        if (id == null) {
          work = RepackWork.REPACK_SURVEY;
          id = poll(surveys);
        }
        if (id == null || claims.size() >= MOST_CLAIMS) {
          return ClaimContainerReply.getDefaultInstance();
        }
        claim = note(map.get(id).info(), work, request.getHolder(), request.getWorker());
      }
      ClaimContainerReply reply = settle(id, claim);
      if (reply != null) {
        return reply;
      }
    }
  }

  private synchronized ClaimContainerReply claimOf(ByteString holder) {
    for (Map.Entry<Long, Claim> entry : claims.entrySet()) {
      if (entry.getValue().holder.equals(holder)) {
        return reply(entry.getValue(), map.get(entry.getKey()).info());
      }
    }
    return null;
  }

  /** The next candidate that still is one. */
  private Long poll(Deque<Long> from) {
    while (true) {
      Long id = from.poll();
      if (id == null) {
        return null;
      }
      ContainerRow row = map.get(id);
      if (row != null && !claims.containsKey(id) && !isPutOff(id) && isRipe(row.info())) {
        return id;
      }
    }
  }

  private boolean isPutOff(long id) {
    Long until = notBefore.get(id);
    return until != null && clock.monotonicNanos() - until < 0;
  }

  /** Whether its needles may be judged: no manifest younger than the window can name them. */
  private boolean isRipe(ContainerInfo info) {
    return info.getState() == ContainerState.REPACKING
        || (info.getState() == ContainerState.SEALED && isRipe(Leases.judgedFromMicros(info)));
  }

  private boolean isRipe(long judgedFromMicros) {
    long wait = settings.commitWindow.plus(settings.clockBound).toNanos() / 1_000;
    return clock.wallMicros() - judgedFromMicros > wait;
  }

  private ClaimContainerReply claimThis(ClaimContainerRequest request) throws StoreException {
    long id = request.getContainer();
    requireNotHeldBack(id);
    Claim claim;
    synchronized (this) {
      ContainerRow row = map.get(id);
      if (row == null) {
        throw new StoreException(
            ErrorCode.NO_SUCH_CONTAINER, "Cannot repack container " + ContainerRow.nameOf(id));
      }
      if (!isRipe(row.info()) || !isSealedEnough(row.info(), map.reported(id))) {
        throw new StoreException(
            ErrorCode.UNAVAILABLE,
            "Cannot repack container "
                + row.name()
                + " now: it is "
                + row.info().getState()
                + ", and repacked no sooner than "
                + settings.commitWindow.toSeconds()
                + " s after its seal, and after a writer had it kept");
      }
      Claim held = claims.get(id);
      if (held != null) {
        throw new StoreException(
            ErrorCode.UNAVAILABLE,
            "Cannot repack container " + row.name() + " now: " + held.worker + " is at it");
      }
      claim = note(row.info(), RepackWork.REPACK_EMPTY, request.getHolder(), request.getWorker());
    }
    ClaimContainerReply reply = settle(id, claim);
    if (reply == null) {
      throw new StoreException(
          ErrorCode.UNAVAILABLE,
          "Cannot repack container " + ContainerRow.nameOf(id) + ": its row has changed");
    }
    return reply;
  }

  private void requireNotHeldBack(long id) throws StoreException {
    String why = heldBack.get();
    if (!why.isEmpty()) {
      throw new StoreException(
          ErrorCode.UNAVAILABLE,
          "Cannot empty container " + ContainerRow.nameOf(id) + " now: " + why);
    }
  }

  private static boolean isSealedEnough(ContainerInfo info, ContainerMap.Reported reported) {
    return Integer.bitCount(reported.sealed()) >= ShardInventory.dataShards(info.getPolicy());
  }

  /** Makes a claim durable that has to be; null if the row does not allow it any more. */
  private ClaimContainerReply settle(long id, Claim claim) throws StoreException {
    if (claim.work != RepackWork.REPACK_EMPTY) {
      return reply(claim, map.get(id).info());
    }
    ContainerRow row;
    try {
      row =
          rows.change(
              leader,
              id,
              info ->
                  !isRipe(info)
                      ? null
                      : info.toBuilder()
                          .setState(ContainerState.REPACKING)
                          .setRepackHolder(claim.holder)
                          .build());
    } catch (StoreException e) {
      forget(id, claim);
      throw e;
    }
    AFTER_REPACKING.reach();
    if (row == null
        || row.info().getState() != ContainerState.REPACKING
        || !row.info().getRepackHolder().equals(claim.holder)) {
      forget(id, claim);
      return null;
    }
    LOG.info("Container {} is repacked by {}", row.name(), claim.worker);
    return reply(claim, row.info());
  }

  private synchronized void forget(long id, Claim claim) {
    claims.remove(id, claim);
  }

  private ClaimContainerReply reply(Claim claim, ContainerInfo info) {
    return ClaimContainerReply.newBuilder()
        .setWork(claim.work)
        .setContainer(info)
        .setDurationMicros(settings.claim.toNanos() / 1_000)
        .build();
  }

  // ---- working

  public synchronized RenewClaimReply renew(RenewClaimRequest request) throws StoreException {
    long id = request.getContainer();
    Claim claim = claims.get(id);
    if (claim == null) {
      claim = adopt(id, request.getHolder());
    }
    if (claim == null || !claim.holder.equals(request.getHolder())) {
      throw lost(id);
    }
    claim.deadlineNanos = clock.monotonicNanos() + settings.claim.toNanos();
    claim.bytesDone = request.getBytesDone();
    claim.bytesMoved = request.getBytesMoved();
    return RenewClaimReply.newBuilder().setDurationMicros(settings.claim.toNanos() / 1_000).build();
  }

  /** A claim that lapsed or is of an earlier leader lives on if nobody has come between. */
  private Claim adopt(long id, ByteString holder) {
    ContainerRow row = map.get(id);
    if (row == null || claims.size() >= MOST_CLAIMS) {
      return null;
    }
    return switch (row.info().getState()) {
      case REPACKING ->
          row.info().getRepackHolder().equals(holder)
              ? note(row.info(), RepackWork.REPACK_EMPTY, holder, "of an earlier leader")
              : null;
      case SEALED -> note(row.info(), RepackWork.REPACK_SURVEY, holder, "of an earlier leader");
      default -> null;
    };
  }

  private static StoreException lost(long id) {
    return new StoreException(
        ErrorCode.LEASE_LOST,
        "Cannot go on with container " + ContainerRow.nameOf(id) + ": another worker has it");
  }

  public FinishRepackReply finish(FinishRepackRequest request) throws StoreException {
    requireHolder(request.getHolder());
    if (request.getOutcome() != RepackOutcome.REPACK_UNDONE) { // which judges nothing
      table.require(request.getObjectTable(), "a repacker");
    }
    long id = request.getContainer();
    synchronized (this) {
      Claim claim = claims.get(id);
      if (claim != null && !claim.holder.equals(request.getHolder())) {
        throw lost(id);
      }
    }
    ContainerState state =
        switch (request.getOutcome()) {
          case REPACK_SURVEYED -> surveyed(request);
          case REPACK_EMPTIED -> emptied(request);
          case REPACK_UNREADABLE -> unreadable(request);
          case REPACK_UNDONE -> undone(request);
          case UNRECOGNIZED ->
              throw new StoreException(
                  ErrorCode.INVALID_ARGUMENT, "Cannot finish a repack: unknown outcome");
        };
    synchronized (this) {
      Claim claim = claims.get(id);
      if (claim != null && claim.holder.equals(request.getHolder())) {
        claims.remove(id);
        bytesMoved += request.getMovedBytes();
      }
    }
    return FinishRepackReply.newBuilder().setState(state).build();
  }

  private ContainerState surveyed(FinishRepackRequest request) throws StoreException {
    long id = request.getContainer();
    ContainerRow row =
        rows.change(
            leader,
            id,
            info ->
                info.getState() != ContainerState.SEALED
                    ? null
                    : info.toBuilder()
                        .setSurveyedMicros(clock.wallMicros())
                        .setLiveBytes(request.getLiveBytes())
                        .setStoredBytes(request.getStoredBytes())
                        .setNeededBytes(request.getNeededBytes())
                        .setDeadBytesThen(deadBytes.applyAsLong(id))
                        .build());
    synchronized (this) {
      surveyed++;
      nextScanNanos = Math.min(nextScanNanos, clock.monotonicNanos() + LEAST_SCAN_NANOS);
    }
    return stateOf(row);
  }

  private ContainerState emptied(FinishRepackRequest request) throws StoreException {
    long id = request.getContainer();
    requireNotHeldBack(id);
    ContainerRow row =
        rows.change(
            leader,
            id,
            info ->
                info.getState() == ContainerState.REPACKING
                        && info.getRepackHolder().equals(request.getHolder())
                    ? info.toBuilder()
                        .setState(ContainerState.DELETED)
                        .setDeletedMicros(clock.wallMicros())
                        .setStoredBytes(request.getStoredBytes())
                        .build()
                    : null);
    AFTER_DELETED.reach();
    if (row == null
        || row.info().getState() != ContainerState.DELETED
        || !row.info().getRepackHolder().equals(request.getHolder())) {
      throw lost(id);
    }
    LOG.info(
        "Container {} is empty: {} bytes were moved, {} are freed when the keep time is over",
        row.name(),
        request.getMovedBytes(),
        request.getStoredBytes());
    synchronized (this) {
      emptied++;
      bytesFreed += request.getStoredBytes();
    }
    return ContainerState.DELETED;
  }

  private ContainerState unreadable(FinishRepackRequest request) throws StoreException {
    long id = request.getContainer();
    ContainerRow row =
        rows.change(
            leader,
            id,
            info ->
                info.getState() == ContainerState.REPACKING
                        && info.getRepackHolder().equals(request.getHolder())
                        && !info.getUnreadable()
                    ? info.toBuilder().setUnreadable(true).build()
                    : null);
    LOG.warn("Container {} is kept: {}", ContainerRow.nameOf(id), request.getWhy());
    putOff(id, RETRY_UNREADABLE_NANOS);
    return stateOf(row);
  }

  private ContainerState undone(FinishRepackRequest request) {
    long id = request.getContainer();
    LOG.warn(
        "Container {} is looked into again later: {}", ContainerRow.nameOf(id), request.getWhy());
    putOff(id, RETRY_NANOS);
    return stateOf(map.get(id));
  }

  private synchronized void putOff(long id, long nanos) {
    notBefore.remove(id);
    notBefore.put(id, clock.monotonicNanos() + nanos);
    while (notBefore.size() > MOST_RETRIES) {
      notBefore.remove(notBefore.keySet().iterator().next());
    }
  }

  private static ContainerState stateOf(ContainerRow row) {
    return row == null ? ContainerState.CONTAINER_UNKNOWN : row.info().getState();
  }

  /** Has containers looked into again. */
  public void resurvey(List<Long> ids) throws StoreException {
    for (long id : ids) {
      rows.change(
          leader,
          id,
          info ->
              info.getState() == ContainerState.SEALED && info.getSurveyedMicros() != 0
                  ? info.toBuilder().clearSurveyedMicros().build()
                  : null);
    }
  }

  // ---- choosing

  /** Called periodically: lapsed claims, and now and then a look at all containers. */
  void tick() {
    Scan scan;
    synchronized (this) {
      long now = clock.monotonicNanos();
      claims
          .entrySet()
          .removeIf(
              entry -> {
                boolean lapsed = now - entry.getValue().deadlineNanos >= 0;
                if (lapsed) {
                  LOG.info(
                      "Container {} goes to another repacker: {} is not heard any more",
                      ContainerRow.nameOf(entry.getKey()),
                      entry.getValue().worker);
                }
                return lapsed;
              });
      notBefore.values().removeIf(until -> now - until >= 0);
      if (now - nextScanNanos < 0) {
        return;
      }
      scan = new Scan(Set.copyOf(notBefore.keySet()));
    }
    long begin = clock.monotonicNanos();
    map.forEach(scan::look);
    scan.addLittle();
    synchronized (this) {
      surveys = scan.surveys;
      empties = scan.empties();
      toSurvey = scan.toSurvey;
      toEmpty = scan.toEmpty;
      unreadable = scan.unreadable;
      keptDeleted = scan.keptDeleted;
      long took = clock.monotonicNanos() - begin;
      nextScanNanos = clock.monotonicNanos() + Math.max(LEAST_SCAN_NANOS, SCAN_PAUSES * took);
    }
  }

  /** One look at all containers. Confined to the ticking thread. */
  private final class Scan {
    private final Set<Long> putOff;
    private final Deque<Long> surveys = new ArrayDeque<>();
    private final PriorityQueue<Worth> best =
        new PriorityQueue<>(Comparator.comparingLong(Worth::bytes));
    private final Map<String, List<Worth>> little = new HashMap<>(); // by policy
    private long toSurvey;
    private long toEmpty;
    private long unreadable;
    private long keptDeleted;

    /**
     * @param putOff not to be tried now: they take no candidate's place
     */
    Scan(Set<Long> putOff) {
      this.putOff = putOff;
    }

    void look(long id, byte[] packed, ContainerMap.Reported reported) {
      switch (PackedContainer.state(packed)) {
        case DELETED -> keptDeleted++;
        case REPACKING -> {
          PackedContainer.RepackFigures figures = PackedContainer.repackFigures(packed);
          unreadable += figures.unreadable() ? 1 : 0;
          // What was begun is ended first; what could not be, when there is nothing else to do.
          add(new Worth(id, figures.unreadable() ? 0 : Long.MAX_VALUE));
        }
        case SEALED -> lookAtSealed(id, packed, reported);
        default -> {
          // Open: not to be judged.
        }
      }
    }

    private void lookAtSealed(long id, byte[] packed, ContainerMap.Reported reported) {
      PackedContainer.RepackFigures figures = PackedContainer.repackFigures(packed);
      if (!isRipe(figures.judgedFromMicros())
          || Integer.bitCount(reported.sealed()) < map.dataShards(packed)) {
        return;
      }
      if (figures.surveyedMicros() == 0) {
        toSurvey++;
        if (surveys.size() < MOST_CANDIDATES && !putOff.contains(id)) {
          surveys.add(id);
        }
        return;
      }
      long died = Math.max(0, deadBytes.applyAsLong(id) - figures.deadBytesThen());
      long needed =
          figures.liveBytes() == 0
              ? 0
              : (long)
                  (figures.neededBytes()
                      * (Math.max(0, figures.liveBytes() - died) / (double) figures.liveBytes()));
      if (needed == 0 || figures.storedBytes() * 100.0 > needed * (100.0 + settings.wastePercent)) {
        add(new Worth(id, figures.storedBytes() - needed));
      } else {
        int shards = PackedContainer.shardCount(packed);
        if (figures.storedBytes() < figures.capacityBytes() / LITTLE * shards) {
          String policy = map.get(id).info().getPolicy();
          List<Worth> ofPolicy = little.computeIfAbsent(policy, name -> new ArrayList<>());
          if (ofPolicy.size() < MOST_CANDIDATES) {
            ofPolicy.add(new Worth(id, 0));
          }
        }
      }
    }

    private void add(Worth worth) {
      toEmpty++;
      if (putOff.contains(worth.id)) {
        return;
      }
      best.add(worth);
      if (best.size() > MOST_CANDIDATES) {
        best.poll();
      }
    }

    void addLittle() {
      for (List<Worth> ofPolicy : little.values()) {
        if (ofPolicy.size() >= FEWEST_LITTLE) {
          ofPolicy.forEach(this::add);
        }
      }
    }

    Deque<Long> empties() {
      Deque<Long> sorted = new ArrayDeque<>();
      while (!best.isEmpty()) {
        sorted.addFirst(best.poll().id());
      }
      return sorted;
    }
  }

  public synchronized RepackStatusReply status() {
    RepackStatusReply.Builder reply =
        RepackStatusReply.newBuilder()
            .setToSurvey(toSurvey)
            .setToEmpty(toEmpty)
            .setUnreadable(unreadable)
            .setKeptDeleted(keptDeleted)
            .setSurveyed(surveyed)
            .setEmptied(emptied)
            .setBytesMoved(bytesMoved)
            .setBytesFreed(bytesFreed);
    claims.forEach(
        (id, claim) ->
            reply.addClaims(
                RepackClaim.newBuilder()
                    .setContainer(id)
                    .setWork(claim.work)
                    .setWorker(claim.worker)
                    .setStartedMicros(claim.startedMicros)
                    .setBytesDone(claim.bytesDone)
                    .setBytesTotal(claim.bytesTotal)
                    .setBytesMoved(claim.bytesMoved)));
    return reply.build();
  }
}
