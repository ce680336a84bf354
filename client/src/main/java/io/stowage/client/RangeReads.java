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
import io.stowage.common.data.ShardService.ShardBytes;
import io.stowage.common.error.ErrorCode;
import io.stowage.common.error.StoreException;
import io.stowage.common.proto.ByteRange;
import io.stowage.common.proto.ContainerInfo;
import io.stowage.common.proto.LocateContainersRequest;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.CompletionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.LongAdder;
import java.util.function.IntPredicate;

/**
 * Runs the shard reads of one caller side by side, on the caller's thread: answers arrive on I/O
 * threads and are only queued there; checking and decoding is the caller's. Thread-safe.
 *
 * <p>A shard that refuses, is damaged or does not answer within its node's patience ({@link
 * NodeHealth}) is decoded around: k others are asked for the same addresses, then the rest.
 * Whatever comes first wins, be it the late answer itself. A shard on a suspect node is decoded
 * around at once. Places that turn out stale are looked up again once a read.
 */
final class RangeReads {
  /**
   * A read that no shard lets finish ends after this, whatever is still open: clients of S3 are
   * told to try again before they give up themselves.
   */
  private static final long GIVE_UP_NANOS = TimeUnit.SECONDS.toNanos(15);

  /**
   * Who wakes so much later than it wanted was held up itself, and the answers may be waiting to be
   * read.
   */
  private static final long HELD_UP_NANOS = TimeUnit.MILLISECONDS.toNanos(10);

  /** A shard that others outrun by so much, started later, is late. */
  private static final int TIMES_OUTRUN = 3;

  private final Containers containers;
  private final DatanodeDirectory directory;
  private final NodeHealth health;
  private final DamageReports damage;
  private final StalePlaces stale;
  private final LongAdder hedged = new LongAdder();
  private final LongAdder aroundSuspects = new LongAdder();
  private final LongAdder decoded = new LongAdder();

  RangeReads(
      Containers containers,
      DatanodeDirectory directory,
      NodeHealth health,
      DamageReports damage,
      StalePlaces stale) {
    this.containers = containers;
    this.directory = directory;
    this.health = health;
    this.damage = damage;
    this.stale = stale;
  }

  /**
   * Ranges that were not just read from their shard.
   *
   * @param hedged others were asked beside a shard that was late
   * @param aroundSuspects others were asked in place of a shard whose node is suspect
   * @param decoded came of other shards
   */
  record Figures(long hedged, long aroundSuspects, long decoded) {}

  Figures figures() {
    return new Figures(hedged.sum(), aroundSuspects.sum(), decoded.sum());
  }

  /** Where a container is: as the caller was told, or by asking. */
  ShardPlaces places(long container, Map<Long, ShardPlaces> known) throws StoreException {
    ShardPlaces places = known.get(container);
    return places != null ? places : locate(container, known, false);
  }

  private ShardPlaces locate(long container, Map<Long, ShardPlaces> known, boolean refresh)
      throws StoreException {
    List<ContainerInfo> found =
        containers
            .locateContainers(
                LocateContainersRequest.newBuilder().addIds(container).setRefresh(refresh).build())
            .getContainersList();
    if (found.isEmpty()) {
      known.remove(container);
      throw new StoreException(
          ErrorCode.NO_SUCH_CONTAINER,
          "Cannot read from container "
              + ShardPlaces.name(container)
              + ": it is gone, so the manifest that names it is old");
    }
    ShardPlaces places = ShardPlaces.of(found.get(0)).withTokenOf(known.get(container));
    known.put(container, places);
    return places;
  }

  /** Returns when every range is done; throws for the first that cannot be. */
  void run(List<RangeRead> ranges, Map<Long, ShardPlaces> known) throws StoreException {
    new Running(ranges, known).run();
  }

  private record Answer(
      RangeRead range, int shard, ShardPlaces askedAt, ShardBytes bytes, Throwable error) {}

  /**
   * One caller's reads. The queue is guarded by this; the rest is confined to the caller's thread.
   */
  private final class Running {
    private final List<RangeRead> ranges;
    private final Map<Long, ShardPlaces> known;
    private final Set<Long> refreshed = new HashSet<>();
    private final long start = System.nanoTime();
    private final Deque<Answer> answers = new ArrayDeque<>();
    private boolean over;

    Running(List<RangeRead> ranges, Map<Long, ShardPlaces> known) {
      this.ranges = ranges;
      this.known = known;
    }

    void run() throws StoreException {
      try {
        for (RangeRead range : ranges) {
          begin(range);
        }
        while (!allDone()) {
          Answer answer = poll(nextDue() - System.nanoTime());
          if (answer != null) {
            take(answer);
          } else {
            patienceEnds(System.nanoTime());
          }
        }
      } finally {
        end();
      }
    }

    private void begin(RangeRead range) throws StoreException {
      int shard = range.shard();
      range.setDueNanos(start);
      if (!range.places().knows(shard)) {
        range.fail(shard, "nowhere");
        askOthers(range);
        return;
      }
      String node = range.places().nodeId(shard);
      if (!health.isSuspect(node) || !range.canDoWithout(suspects(range))) {
        ask(range, shard);
        return;
      }
      stale.add(range.container());
      aroundSuspects.increment();
      askOthers(range);
      if (health.takeProbe(node)) {
        long due = range.dueNanos();
        ask(range, shard);
        range.setDueNanos(due); // nobody waits for it
      }
    }

    private IntPredicate suspects(RangeRead range) {
      ShardPlaces places = range.places();
      return shard -> health.isSuspect(places.nodeId(shard));
    }

    private long nextDue() {
      long next = start + GIVE_UP_NANOS;
      for (RangeRead range : ranges) {
        if (!range.isDone() && range.dueNanos() - next < 0) {
          next = range.dueNanos();
        }
      }
      return next;
    }

    /** Asks others in place of the shards that were waited for long enough. */
    private void patienceEnds(long now) throws StoreException {
      if (now - start >= GIVE_UP_NANOS) {
        throw unavailable();
      }
      for (RangeRead range : ranges) {
        if (range.isDone() || range.dueNanos() - now > 0) {
          continue;
        }
        if (now - range.dueNanos() > HELD_UP_NANOS && range.takeGrace()) {
          range.setDueNanos(now + HELD_UP_NANOS / 2);
          continue;
        }
        if (askOthers(range)) {
          hedged.increment();
        } else {
          range.setDueNanos(start + GIVE_UP_NANOS);
        }
      }
    }

    private boolean allDone() {
      for (RangeRead range : ranges) {
        if (!range.isDone()) {
          return false;
        }
      }
      return true;
    }

    private void ask(RangeRead range, int shard) {
      ShardPlaces at = range.places();
      String node = at.nodeId(shard);
      long bytesWanted = range.requestBytes();
      long asked = System.nanoTime();
      range.asked(shard, asked);
      health.asked(node);
      long due = asked + health.patienceNanos(node, bytesWanted);
      if (due - range.dueNanos() > 0) {
        range.setDueNanos(due);
      }
      Executors.whenDone(
          at.service(directory, shard).read(range.request(shard)),
          (bytes, error) -> {
            if (error == null) {
              health.answered(node, System.nanoTime() - asked, bytesWanted);
            } else {
              health.failed(node);
            }
            arrive(new Answer(range, shard, at, bytes, error));
          });
    }

    private void arrive(Answer answer) {
      synchronized (this) {
        if (!over) {
          answers.addLast(answer);
          notifyAll();
          return;
        }
      }
      if (answer.bytes() != null) {
        answer.bytes().payload().release();
      }
    }

    private synchronized Answer poll(long nanos) throws StoreException {
      long deadline = System.nanoTime() + nanos;
      while (answers.isEmpty()) {
        long left = deadline - System.nanoTime();
        if (left <= 0) {
          return null;
        }
        try {
          TimeUnit.NANOSECONDS.timedWait(this, left);
        } catch (InterruptedException e) {
          Thread.currentThread().interrupt();
          throw new StoreException(ErrorCode.UNAVAILABLE, "Cannot read: interrupted", e);
        }
      }
      return answers.removeFirst();
    }

    private void take(Answer answer) throws StoreException {
      RangeRead range = answer.range();
      int shard = answer.shard();
      if (answer.askedAt() != range.places()
          && answer.askedAt().differsFrom(range.places(), shard)) {
        if (answer.bytes() != null) {
          answer.bytes().payload().release(); // the place was given up meanwhile
        }
        return;
      }
      boolean bad = true;
      if (answer.error() == null) {
        String wrong = range.accept(shard, answer.bytes());
        bad = wrong != null;
        if (bad) {
          damage.report(range.container(), shard, wrong, range.firstSectors());
        }
      } else {
        failed(range, shard, answer.error());
      }
      if (range.isDone()) {
        return;
      }
      if (range.takeWantedAgain()) {
        ask(range, shard);
        return;
      }
      if (shard == range.shard() ? !range.othersAsked() && range.hasFailedItself() : bad) {
        askOthers(range);
      }
      range.tryDecode();
      if (range.isDone()) {
        decoded.increment();
        range
            .unwritten()
            .forEach((of, where) -> damage.reportUnwritten(range.container(), of, where));
      }
      if (range.wasOutrun(TIMES_OUTRUN, System.nanoTime())) {
        health.late(range.places().nodeId(range.shard()));
      }
      while (!range.isDone() && range.othersAsked() && !range.waitsForAny()) {
        if (!askOthers(range) && !refresh(range)) {
          throw unavailable(range);
        }
      }
    }

    private void failed(RangeRead range, int shard, Throwable error) throws StoreException {
      Throwable cause =
          error instanceof CompletionException && error.getCause() != null
              ? error.getCause()
              : error;
      ErrorCode code = cause instanceof StoreException known ? known.code() : ErrorCode.UNAVAILABLE;
      range.fail(shard, code + " " + cause.getMessage());
      switch (code) {
        case NO_SUCH_SHARD, NO_SUCH_CONTAINER, WRONG_CLUSTER -> {
          // Rebuilt elsewhere, most likely: cheaper to look up than to decode around.
          refresh(range);
          if (range.hasFailedItself()) {
            report(range, shard, code);
          }
        }
        case SHARD_FAILED, CORRUPT_DATA -> report(range, shard, code);
        case UNAVAILABLE, TIMEOUT -> {
          // A node that is away: its heartbeats tell SCM more than we could.
          health.late(range.places().nodeId(shard));
          stale.add(range.container());
        }
        default -> {
          // Busy, or of another version: nothing is wrong with the bytes.
        }
      }
    }

    private void report(RangeRead range, int shard, ErrorCode code) {
      boolean some = code == ErrorCode.CORRUPT_DATA; // else it is the shard that is gone or failed
      ByteRange sectors = some ? range.firstSectors() : ByteRange.getDefaultInstance();
      damage.report(range.container(), shard, code.toString(), sectors);
    }

    /** Asks k others, or when they were, those left over; false if there is nobody left to ask. */
    private boolean askOthers(RangeRead range) {
      List<Integer> others = range.othersToAsk(suspects(range));
      for (int other : others) {
        ask(range, other);
      }
      return !others.isEmpty();
    }

    /** Looks the places up again, once a read; false if that gave nobody new to ask. */
    private boolean refresh(RangeRead range) throws StoreException {
      ShardPlaces now;
      if (refreshed.add(range.container())) {
        now = locate(range.container(), known, true);
      } else {
        now = known.get(range.container());
      }
      if (now == null || now == range.places()) {
        return false;
      }
      List<Integer> again = range.moved(now);
      for (int shard : again) {
        ask(range, shard);
      }
      return !again.isEmpty();
    }

    private StoreException unavailable() {
      for (RangeRead range : ranges) {
        if (!range.isDone()) {
          return unavailable(range);
        }
      }
      throw new IllegalStateException("all ranges are done");
    }

    private StoreException unavailable(RangeRead range) {
      return new StoreException(
          ErrorCode.DATA_UNAVAILABLE,
          "Cannot read from container "
              + ShardPlaces.name(range.container())
              + " ("
              + range.places().policy()
              + "): too few of its shards answer: "
              + range.describeFailures());
    }

    private void end() {
      Deque<Answer> late;
      synchronized (this) {
        over = true;
        late = new ArrayDeque<>(answers);
        answers.clear();
      }
      for (Answer answer : late) {
        if (answer.bytes() != null) {
          answer.bytes().payload().release();
        }
      }
    }
  }
}
