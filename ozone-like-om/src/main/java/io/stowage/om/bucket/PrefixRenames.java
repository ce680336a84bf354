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
package io.stowage.om.bucket;

import io.stowage.common.error.CorruptDataException;
import io.stowage.common.error.ErrorCode;
import io.stowage.common.error.StoreException;
import io.stowage.common.fault.CrashPoint;
import io.stowage.common.id.WriteId;
import io.stowage.common.proto.BucketInfo;
import io.stowage.common.proto.ListObjectsReply;
import io.stowage.common.proto.ListObjectsRequest;
import io.stowage.common.proto.ObjectVersion;
import io.stowage.common.proto.PrefixRenameRecord;
import io.stowage.common.proto.RecordNeedle;
import io.stowage.om.object.Listing;
import io.stowage.om.object.Puts;
import io.stowage.om.object.RecordNeedles;
import io.stowage.om.object.Renames;
import io.stowage.om.row.RowCommitter;
import io.stowage.om.row.Stamps;
import io.stowage.om.table.BucketRowLayout;
import io.stowage.om.table.Cell;
import io.stowage.om.table.Check;
import io.stowage.om.table.Column;
import io.stowage.om.table.Head;
import io.stowage.om.table.Row;
import io.stowage.om.table.RowChange;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Future;
import java.util.function.Consumer;
import org.apache.hadoop.thirdparty.protobuf.ByteString;
import org.apache.hadoop.thirdparty.protobuf.InvalidProtocolBufferException;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Renames a directory of an OBJECT bucket: key by key, each atomically, the whole not. Thread-safe.
 *
 * <p>Before the first key is moved, a record of the rename is written into the bucket's row ({@code
 * m:p}), and deleted after the last. A record whose author died is taken up by the next rename of a
 * prefix that overlaps with either name, or by {@link #sweep}. It may be taken up while its author
 * lives: a key that one of the two has moved is no longer there for the other.
 *
 * <p><b>Who takes a rename up</b> comes after users who know nothing of it, and destroys nothing of
 * theirs:
 *
 * <ul>
 *   <li><b>Under the old name</b> he leaves alone what came there after the rename began, be it
 *       made there, which its version id tells, or moved there, which only its row tells: that is
 *       asked of the very head that is then moved, between the steps of {@link Renames}. He looks
 *       before each page whether the record still stands.
 *   <li><b>Under the new name</b> he replaces nothing. A job that was run again after its rename
 *       died has written there since; what the dead one meant to put there stays under its old
 *       name, and the log says so. A target that was there before the rename began is not told from
 *       one that came later: either way nothing is lost.
 * </ul>
 */
public final class PrefixRenames {
  static final CrashPoint AFTER_RECORD = CrashPoint.named("om.rename-prefix.after-record");
  static final CrashPoint AFTER_KEY = CrashPoint.named("om.rename-prefix.after-key");

  private static final Logger LOG = LoggerFactory.getLogger(PrefixRenames.class);
  private static final int FORMAT = 1;
  private static final int PAGE = 1_000;

  /** Renames under way of one bucket; more than this is refused. */
  private static final int MOST_RECORDS = 1_000;

  private static final Duration ABANDONED = Duration.ofMinutes(2);

  /** Keys that one call moves at most: what it tells of each is in one answer. */
  private static final int MOST_MOVED = 5_000;

  /** Keys per look at the record, by one who took a rename up. */
  private static final int TAKEN_UP_PAGE = 100;

  private final RowCommitter buckets;
  private final Stamps stamps;
  private final Listing listing;
  private final Renames renames;
  private final ExecutorService workers;
  private final long clockBoundMicros;

  public PrefixRenames(
      RowCommitter buckets,
      Stamps stamps,
      Listing listing,
      Renames renames,
      ExecutorService workers,
      Duration clockBound) {
    this.buckets = buckets;
    this.stamps = stamps;
    this.listing = listing;
    this.renames = renames;
    this.workers = workers;
    this.clockBoundMicros = clockBound.toNanos() / 1_000;
  }

  /**
   * What one call did.
   *
   * @param records of the keys that it moved
   * @param more whether keys are left for the next call
   */
  public record Moved(long count, List<RecordNeedle> records, boolean more) {}

  /** Moves every key under a prefix, or so many that the caller has to call again. */
  public Moved rename(
      Buckets.Known bucket, String sourcePrefix, String targetPrefix, ByteString writeId)
      throws StoreException {
    Puts.requireWriteId(writeId);
    if (!sourcePrefix.endsWith("/") || !targetPrefix.endsWith("/")) {
      throw new StoreException(
          ErrorCode.INVALID_ARGUMENT,
          "Cannot rename " + sourcePrefix + " to " + targetPrefix + ": both have to end with /");
    }
    if (overlap(sourcePrefix, targetPrefix)) {
      throw new StoreException(
          ErrorCode.INVALID_ARGUMENT,
          "Cannot rename " + sourcePrefix + " to " + targetPrefix + ": one contains the other");
    }
    ByteString row = BucketRowLayout.row(bucket.bucket().getName());
    Row records =
        buckets.getRange(
            row,
            'm',
            BucketRowLayout.PREFIX_RENAMES,
            BucketRowLayout.BEHIND_PREFIX_RENAMES,
            MOST_RECORDS);
    if (records.cells().size() >= MOST_RECORDS) {
      throw new StoreException(
          ErrorCode.OVERLOADED,
          "Cannot rename " + sourcePrefix + ": " + MOST_RECORDS + " renames are under way");
    }
    Column column = BucketRowLayout.prefixRename(writeId);
    Moves moves = new Moves(bucket.bucket(), null);
    for (Cell cell : records.cells()) {
      PrefixRenameRecord other = parse(cell);
      if (cell.column().equals(column)) {
        run(bucket, row, column, cell.stamp(), other, Long.MAX_VALUE, PAGE, moves);
        return moves.moved();
      }
      if (touches(other, sourcePrefix) || touches(other, targetPrefix)) {
        takeUp(bucket, row, cell, other, moves);
        if (moves.more) {
          return moves.moved();
        }
      }
    }
    long stamp = stamps.now();
    PrefixRenameRecord record =
        PrefixRenameRecord.newBuilder()
            .setFormat(FORMAT)
            .setSourcePrefix(sourcePrefix)
            .setTargetPrefix(targetPrefix)
            .setStartedMicros(stamp)
            .build();
    buckets.commit(
        row, new Check.Absent(column), new RowChange(stamp).put(column, record.toByteString()));
    AFTER_RECORD.reach();
    run(bucket, row, column, stamp, record, Long.MAX_VALUE, PAGE, moves);
    return moves.moved();
  }

  /**
   * Ends the renames of a bucket that their authors seem to have left.
   *
   * @param told takes the records of the keys that it moves
   */
  public void sweep(Buckets.Known bucket, Consumer<RecordNeedle> told) throws StoreException {
    ByteString row = BucketRowLayout.row(bucket.bucket().getName());
    Row records =
        buckets.getRange(
            row,
            'm',
            BucketRowLayout.PREFIX_RENAMES,
            BucketRowLayout.BEHIND_PREFIX_RENAMES,
            MOST_RECORDS);
    for (Cell cell : records.cells()) {
      PrefixRenameRecord record = parse(cell);
      if (stamps.now() - record.getStartedMicros() > ABANDONED.toNanos() / 1_000) {
        LOG.info("Taking up the rename of {} to {}", record.getSourcePrefix(), record);
        takeUp(bucket, row, cell, record, new Moves(bucket.bucket(), told));
      }
    }
  }

  private void takeUp(
      Buckets.Known bucket, ByteString row, Cell cell, PrefixRenameRecord record, Moves moves)
      throws StoreException {
    long arrivedBefore = record.getStartedMicros() + clockBoundMicros;
    run(bucket, row, cell.column(), cell.stamp(), record, arrivedBefore, TAKEN_UP_PAGE, moves);
  }

  /** What is to be moved came to its place after the rename began. */
  private static final class Later extends StoreException {
    private static final long serialVersionUID = 1;

    Later(String key) {
      super(ErrorCode.CONFLICT, "Cannot move " + key + ": it came after the rename began");
    }
  }

  /** Keys moved by one call. Confined to it, but for {@link #add}. */
  private static final class Moves {
    private final BucketInfo bucket;
    private final Consumer<RecordNeedle> taker; // null: the caller takes them with the answer
    private final List<RecordNeedle> records = new ArrayList<>();
    private long count;
    private boolean more;

    private Moves(BucketInfo bucket, Consumer<RecordNeedle> taker) {
      this.bucket = bucket;
      this.taker = taker;
    }

    synchronized void add(String source, ByteString id, Renames.Renamed renamed) {
      count++;
      if (!renamed.isToBeRecorded()) {
        return;
      }
      List<RecordNeedle> told = RecordNeedles.moved(bucket, id, source, renamed);
      if (taker == null) {
        records.addAll(told);
      } else {
        told.forEach(taker);
      }
    }

    synchronized boolean isFull() {
      return taker == null && count >= MOST_MOVED;
    }

    synchronized Moved moved() {
      return new Moved(count, List.copyOf(records), more);
    }
  }

  private void run(
      Buckets.Known bucket,
      ByteString row,
      Column column,
      long stamp,
      PrefixRenameRecord record,
      long arrivedBefore,
      int pageSize,
      Moves moves)
      throws StoreException {
    String source = record.getSourcePrefix();
    String target = record.getTargetPrefix();
    String after = "";
    while (true) {
      boolean takenUp = arrivedBefore != Long.MAX_VALUE;
      if (takenUp && buckets.get(row, List.of(column)).value(column) == null) {
        return; // ended by its author
      }
      ListObjectsReply page =
          listing.list(
              bucket.id(),
              ListObjectsRequest.newBuilder()
                  .setPrefix(source)
                  .setStartAfter(after)
                  .setLimit(pageSize)
                  .build());
      List<Future<?>> pending = new ArrayList<>();
      for (ObjectVersion version : page.getObjectsList()) {
        String key = version.getKey();
        if (version.getVersionId() > arrivedBefore) {
          continue;
        }
        String to = target + key.substring(source.length());
        pending.add(
            workers.submit(
                () -> {
                  if (takenUp) {
                    moveTakenUp(bucket.bucket(), key, to, arrivedBefore, moves);
                  } else {
                    move(bucket.bucket(), key, to, true, moving -> {}, moves);
                  }
                  return null;
                }));
      }
      for (Future<?> move : pending) {
        await(move);
      }
      if (!page.getMore()) {
        break;
      }
      if (moves.isFull()) {
        moves.more = true;
        return;
      }
      after = page.getLast();
    }
    buckets.write(row, new RowChange(stamps.above(stamp)).delete(column));
  }

  private void moveTakenUp(
      BucketInfo bucket, String from, String to, long arrivedBefore, Moves moves)
      throws StoreException {
    try {
      move(
          bucket,
          from,
          to,
          false,
          moving -> {
            if (Head.arrived(moving) > arrivedBefore) {
              throw new Later(from);
            }
          },
          moves);
    } catch (Later e) {
      LOG.info("Left {} where it is: it came after the rename to {} began", from, to);
    } catch (StoreException e) {
      if (e.code() != ErrorCode.KEY_EXISTS) {
        throw e;
      }
      LOG.warn("Left {} where it is: somebody else's {} is there by now", from, to);
    }
  }

  private void move(
      BucketInfo bucket,
      String from,
      String to,
      boolean overwrite,
      Renames.Guard guard,
      Moves moves)
      throws StoreException {
    ByteString id = WriteId.random();
    try {
      moves.add(from, id, renames.rename(bucket, from, to, id, overwrite, guard));
      AFTER_KEY.reach();
    } catch (StoreException e) {
      if (e.code() != ErrorCode.NO_SUCH_KEY) { // deleted or moved by others
        throw e;
      }
    }
  }

  private static void await(Future<?> move) throws StoreException {
    try {
      move.get();
    } catch (ExecutionException e) {
      if (e.getCause() instanceof StoreException known) {
        throw known;
      }
      if (e.getCause() instanceof Error error) {
        throw error;
      }
      throw new StoreException(ErrorCode.INTERNAL, "Cannot move a key: " + e.getCause(), e);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new StoreException(ErrorCode.UNAVAILABLE, "Cannot go on: interrupted", e);
    }
  }

  private static boolean touches(PrefixRenameRecord record, String prefix) {
    return overlap(record.getSourcePrefix(), prefix) || overlap(record.getTargetPrefix(), prefix);
  }

  private static boolean overlap(String a, String b) {
    return a.startsWith(b) || b.startsWith(a);
  }

  private static PrefixRenameRecord parse(Cell cell) throws StoreException {
    try {
      return PrefixRenameRecord.parseFrom(cell.value());
    } catch (InvalidProtocolBufferException e) {
      throw new CorruptDataException("Cannot read a directory rename: " + e.getMessage());
    }
  }
}
