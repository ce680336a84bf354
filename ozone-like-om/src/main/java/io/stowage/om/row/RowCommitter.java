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
package io.stowage.om.row;

import io.stowage.common.error.ErrorCode;
import io.stowage.common.error.OutcomeUnknownException;
import io.stowage.common.error.StoreException;
import io.stowage.common.time.Pause;
import io.stowage.common.time.StoreClock;
import io.stowage.om.table.Check;
import io.stowage.om.table.Column;
import io.stowage.om.table.HeadState;
import io.stowage.om.table.Row;
import io.stowage.om.table.RowChange;
import io.stowage.om.table.RowStore;
import java.io.IOException;
import java.time.Duration;
import java.util.List;
import java.util.Set;
import java.util.concurrent.atomic.LongAdder;
import org.apache.hadoop.thirdparty.protobuf.ByteString;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Sends conditional changes to one table and says what is known of them. Thread-safe.
 *
 * <p>After a call that failed nobody knows whether it happened, or will. Sending the very same
 * change again is safe and is itself the question: since every change raises the stamp of the cell
 * that it compares, and such cells are never deleted, at most one of the sendings can ever apply.
 * If one answers true, it happened; if one answers false, no sending can apply any more, and
 * whether one did is told by looking for its write id, which is the caller's, who knows where. A
 * change is not sent later than the deadline, counted from its stamp, and an answer that comes
 * later is no answer: beyond it, cells that say "absent" may have been collected.
 */
public final class RowCommitter {
  private static final Logger LOG = LoggerFactory.getLogger(RowCommitter.class);

  /** What is known of a change. */
  public enum Outcome {
    APPLIED,
    /** The check does not hold, so it cannot apply any more; an unanswered sending may have. */
    REFUSED,
    /** It may have applied and may yet. */
    UNKNOWN
  }

  private final RowStore store;
  private final StoreClock clock;
  private final Pause pause;
  private final Duration deadline;
  private final LongAdder applied = new LongAdder();
  private final LongAdder refused = new LongAdder();
  private final LongAdder unknown = new LongAdder();
  private final LongAdder resent = new LongAdder();

  public RowCommitter(RowStore store, StoreClock clock, Pause pause, Duration deadline) {
    this.store = store;
    this.clock = clock;
    this.pause = pause;
    this.deadline = deadline;
  }

  public RowStore store() {
    return store;
  }

  public Pause pause() {
    return pause;
  }

  /**
   * What came of conditional changes since the start.
   *
   * @param resent sendings beyond the first of each
   */
  public record Figures(long applied, long refused, long unknown, long resent) {}

  public Figures figures() {
    return new Figures(applied.sum(), refused.sum(), unknown.sum(), resent.sum());
  }

  /** Makes a change if the check holds. */
  public Outcome commit(ByteString row, Check check, RowChange change)
      throws OutcomeUnknownException {
    Outcome outcome = decide(row, check, change);
    switch (outcome) {
      case APPLIED -> applied.increment();
      case REFUSED -> refused.increment();
      case UNKNOWN -> unknown.increment();
    }
    return outcome;
  }

  private Outcome decide(ByteString row, Check check, RowChange change)
      throws OutcomeUnknownException {
    long begin = clock.monotonicNanos();
    for (int attempt = 0; ; attempt++) {
      Duration left = deadline.minusNanos(clock.monotonicNanos() - begin);
      if (left.isNegative() || left.isZero()) {
        return Outcome.UNKNOWN;
      }
      try {
        boolean applied = store.checkAndMutate(row, check, change, left);
        if (!applied) {
          return Outcome.REFUSED;
        }
        boolean inTime = clock.monotonicNanos() - begin < deadline.toNanos();
        return inTime ? Outcome.APPLIED : Outcome.UNKNOWN;
      } catch (IOException e) {
        LOG.info("No answer to a mutation, sending it again: {}", e.toString());
        resent.increment();
        pause.backOff(attempt);
      }
    }
  }

  /** Makes a change that may be made any number of times, whatever the row holds. */
  public void write(ByteString row, RowChange change) throws StoreException {
    long begin = clock.monotonicNanos();
    for (int attempt = 0; ; attempt++) {
      Duration left = deadline.minusNanos(clock.monotonicNanos() - begin);
      try {
        if (!left.isNegative() && !left.isZero()) {
          store.mutate(row, change, left);
          return;
        }
      } catch (IOException e) {
        LOG.info("No answer to a mutation, sending it again: {}", e.toString());
        pause.backOff(attempt);
        continue;
      }
      throw new StoreException(
          ErrorCode.UNAVAILABLE, "Cannot write to HBase: no answer within " + deadline);
    }
  }

  public Row get(ByteString row, List<Column> columns) throws StoreException {
    try {
      return store.get(row, columns);
    } catch (IOException e) {
      throw unreadable(e);
    }
  }

  /** As {@link RowStore#getAll}. */
  public List<Row> getAll(List<ByteString> rows, List<Column> columns) throws StoreException {
    try {
      return store.getAll(rows, columns);
    } catch (IOException e) {
      throw unreadable(e);
    }
  }

  public Row getRange(ByteString row, char family, ByteString from, ByteString to, int limit)
      throws StoreException {
    try {
      return store.getRange(row, family, from, to, limit);
    } catch (IOException e) {
      throw unreadable(e);
    }
  }

  public Row getFamilies(ByteString row, String families, int perFamily) throws StoreException {
    try {
      return store.getFamilies(row, families, perFamily);
    } catch (IOException e) {
      throw unreadable(e);
    }
  }

  public List<Row> scan(ByteString from, ByteString to, char family, ByteString prefix, int limit)
      throws StoreException {
    try {
      return store.scan(from, to, family, prefix, limit);
    } catch (IOException e) {
      throw unreadable(e);
    }
  }

  /** As {@link RowStore#scanFirst}. */
  public List<Row> scanFirst(
      ByteString from, ByteString to, String families, int perFamily, int limit)
      throws StoreException {
    try {
      return store.scanFirst(from, to, families, perFamily, limit);
    } catch (IOException e) {
      throw unreadable(e);
    }
  }

  /** As {@link RowStore#scanHeads}. */
  public List<Row> scanHeads(
      ByteString from,
      ByteString to,
      Set<HeadState> unwanted,
      String families,
      int perFamily,
      int limit)
      throws StoreException {
    try {
      return store.scanHeads(from, to, unwanted, families, perFamily, limit);
    } catch (IOException e) {
      throw unreadable(e);
    }
  }

  /** As {@link RowStore#scanWritten}. */
  public List<Row> scanWritten(
      ByteString from,
      ByteString to,
      char family,
      ByteString prefix,
      long fromStamp,
      long toStamp,
      int perRow,
      int limit)
      throws StoreException {
    try {
      return store.scanWritten(from, to, family, prefix, fromStamp, toStamp, perRow, limit);
    } catch (IOException e) {
      throw unreadable(e);
    }
  }

  /**
   * Refuses to go on with a request that was first sent so long ago that the evidence of its effect
   * may have been collected. To be asked after the read that did not find it.
   */
  public void requireRecent(long firstSentNanos) throws OutcomeUnknownException {
    if (clock.monotonicNanos() - firstSentNanos > 2 * deadline.toNanos()) {
      throw new OutcomeUnknownException(
          "Cannot tell what came of a request that began more than "
              + 2 * deadline.toSeconds()
              + " s ago",
          null);
    }
  }

  public long nanos() {
    return clock.monotonicNanos();
  }

  private static StoreException unreadable(IOException e) {
    return new StoreException(
        ErrorCode.UNAVAILABLE, "Cannot read from HBase: " + e.getMessage(), e);
  }
}
