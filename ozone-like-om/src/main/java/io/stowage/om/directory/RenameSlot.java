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
package io.stowage.om.directory;

import io.stowage.common.error.CorruptDataException;
import io.stowage.common.error.ErrorCode;
import io.stowage.common.error.StoreException;
import io.stowage.common.fault.CrashPoint;
import io.stowage.common.id.WriteId;
import io.stowage.common.proto.RenameSlotRecord;
import io.stowage.om.object.ObjectRows;
import io.stowage.om.object.SeenRow;
import io.stowage.om.row.RowCommitter;
import io.stowage.om.row.RowCommitter.Outcome;
import io.stowage.om.row.Stamps;
import io.stowage.om.table.BucketRowLayout;
import io.stowage.om.table.Cell;
import io.stowage.om.table.Check;
import io.stowage.om.table.ObjectRowLayout;
import io.stowage.om.table.RowChange;
import java.time.Duration;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import org.apache.hadoop.thirdparty.protobuf.ByteString;
import org.apache.hadoop.thirdparty.protobuf.InvalidProtocolBufferException;

/**
 * The one place of a bucket that is held by whoever renames a directory from one parent to another.
 * Only such renames change which directories lie above a directory, so their holder alone can say
 * that a directory does not become its own ancestor. Thread-safe.
 *
 * <p>Time decides only how long others wait. A holder commits by comparing the head of its source,
 * which it reads <b>before</b> it looks whether the slot is still its own:
 *
 * <pre>
 * holder    reads S's head ── walks to the target ── slot still mine? ── T PENDING ── S MOVED
 * usurper                                  takes the slot ── raises S's stamp ── walks ...
 * </pre>
 *
 * If the holder still found the slot its own, the usurper took it later, and raised the stamp of S
 * later still: then either S had moved by then, which the usurper's walk sees, or the holder's
 * commit compares a head that is no more. For this the slot names the sources of all holders that
 * it was taken from, until somebody gives it back, or finds it full: he takes it without a source
 * of his own, raises all that it names, and only then names his in their place.
 */
final class RenameSlot {
  static final CrashPoint AFTER_TAKEN = CrashPoint.named("om.rename-slot.after-taken");

  private static final int FORMAT = 1;
  private static final int MOST_ATTEMPTS = 2_000;

  /**
   * How long a holder is left in peace without the slot changing hands. A rename takes far less.
   */
  private static final Duration PATIENCE = Duration.ofSeconds(2);

  /** Holders in a row that died; each leaves the name of a row, and the next raises them all. */
  private static final int MOST_SOURCES = 100;

  /** Slots that we gave back last, by the row of their bucket. */
  private static final int MOST_REMEMBERED = 1_000;

  /** As we left them: whoever finds one so need not read it to take it. */
  private final ConcurrentHashMap<ByteString, Cell> left = new ConcurrentHashMap<>();

  private final RowCommitter buckets;
  private final ObjectRows objects;
  private final Stamps stamps;

  RenameSlot(RowCommitter buckets, ObjectRows objects) {
    this.buckets = buckets;
    this.objects = objects;
    this.stamps = objects.stamps();
  }

  /** The slot while it is held. Confined to its rename. */
  final class Held implements AutoCloseable {
    private final ByteString row;
    private final Cell cell;

    private Held(ByteString row, Cell cell) {
      this.row = row;
      this.cell = cell;
    }

    /** Whether nobody has taken it since. */
    boolean isStillHeld() throws StoreException {
      return cell.value()
          .equals(
              buckets
                  .get(row, List.of(BucketRowLayout.RENAME_SLOT))
                  .value(BucketRowLayout.RENAME_SLOT));
    }

    /** Gives it back; if that fails, the next one waits for a while. */
    @Override
    public void close() {
      try {
        RenameSlotRecord free =
            RenameSlotRecord.newBuilder().setFormat(FORMAT).setNonce(WriteId.random()).build();
        RowChange change =
            new RowChange(stamps.above(cell.stamp()))
                .put(BucketRowLayout.RENAME_SLOT, free.toByteString());
        Outcome outcome =
            buckets.commit(row, new Check.Equal(BucketRowLayout.RENAME_SLOT, cell.value()), change);
        if (outcome == Outcome.APPLIED) {
          if (left.size() >= MOST_REMEMBERED) {
            left.clear();
          }
          left.put(row, new Cell(BucketRowLayout.RENAME_SLOT, change.stamp(), free.toByteString()));
        }
      } catch (StoreException e) {
        // It is taken from us in time.
      }
    }
  }

  /** Waits for the slot, or takes it from a holder that does not come back. */
  Held take(String bucketName, ByteString id, ByteString source) throws StoreException {
    ByteString row = BucketRowLayout.row(bucketName);
    ByteString waitedFor = null;
    long since = 0;
    for (int attempt = 0; attempt < MOST_ATTEMPTS; attempt++) {
      Cell seen = left.remove(row);
      if (seen == null) {
        seen =
            buckets
                .get(row, List.of(BucketRowLayout.RENAME_SLOT))
                .cell(BucketRowLayout.RENAME_SLOT);
      }
      RenameSlotRecord record = parse(seen);
      boolean others = !record.getHolder().isEmpty() && !record.getHolder().equals(id);
      if (others) {
        if (!record.getNonce().equals(waitedFor)) {
          waitedFor = record.getNonce();
          since = buckets.nanos();
        }
        if (buckets.nanos() - since < PATIENCE.toNanos()) {
          buckets.pause().backOff(attempt);
          continue;
        }
      }
      Set<ByteString> before = new LinkedHashSet<>(record.getSourcesList());
      boolean full = before.size() >= MOST_SOURCES && !before.contains(source);
      Set<ByteString> named = new LinkedHashSet<>(before);
      if (!full) {
        named.add(source);
      }
      Cell ours = write(row, seen, id, named);
      if (ours == null) {
        buckets.pause().backOff(attempt);
        continue; // if it was ours, we find our own id there
      }
      AFTER_TAKEN.reach();
      for (ByteString left : before) {
        fence(left);
      }
      if (full) {
        ours = write(row, ours, id, Set.of(source)); // the others cannot commit any more
      }
      if (ours != null) {
        return new Held(row, ours);
      }
    }
    throw new StoreException(
        ErrorCode.CONFLICT, "Cannot get a turn at renaming directories of bucket " + bucketName);
  }

  /** What the slot is then; null: it was not as it had been seen. */
  private Cell write(ByteString row, Cell seen, ByteString id, Set<ByteString> sources)
      throws StoreException {
    RenameSlotRecord ours =
        RenameSlotRecord.newBuilder()
            .setFormat(FORMAT)
            .setNonce(WriteId.random())
            .setHolder(id)
            .addAllSources(sources)
            .build();
    RowChange change =
        new RowChange(stamps.above(seen == null ? 0 : seen.stamp()))
            .put(BucketRowLayout.RENAME_SLOT, ours.toByteString());
    Outcome outcome =
        buckets.commit(
            row, Check.of(BucketRowLayout.RENAME_SLOT, seen == null ? null : seen.value()), change);
    return outcome == Outcome.APPLIED
        ? new Cell(BucketRowLayout.RENAME_SLOT, change.stamp(), ours.toByteString())
        : null;
  }

  /** After this no rename commits that read the row's head before. */
  private void fence(ByteString source) throws StoreException {
    for (int attempt = 0; attempt < ObjectRows.MOST_ATTEMPTS; attempt++) {
      SeenRow seen = objects.readSettled(source, List.of());
      if (!seen.isLive()) {
        return;
      }
      long stamp = stamps.above(seen.stamp());
      RowChange raised =
          new RowChange(stamp).put(ObjectRowLayout.HEAD, seen.head().raisedTo(stamp).cell());
      if (objects.commit(seen, raised) == Outcome.APPLIED) {
        return;
      }
      objects.committer().pause().backOff(attempt);
    }
    throw ObjectRows.contended(source);
  }

  private static RenameSlotRecord parse(Cell cell) throws StoreException {
    if (cell == null) {
      return RenameSlotRecord.getDefaultInstance();
    }
    try {
      return RenameSlotRecord.parseFrom(cell.value());
    } catch (InvalidProtocolBufferException e) {
      throw new CorruptDataException("Cannot read a slot for renames: " + e.getMessage());
    }
  }
}
