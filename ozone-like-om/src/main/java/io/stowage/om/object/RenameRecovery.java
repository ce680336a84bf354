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
package io.stowage.om.object;

import io.stowage.common.error.ErrorCode;
import io.stowage.common.error.StoreException;
import io.stowage.common.id.WriteId;
import io.stowage.common.proto.HeadRecord;
import io.stowage.common.proto.PendingRename;
import io.stowage.om.row.RowCommitter;
import io.stowage.om.row.RowCommitter.Outcome;
import io.stowage.om.row.Stamps;
import io.stowage.om.table.Check;
import io.stowage.om.table.Details;
import io.stowage.om.table.Head;
import io.stowage.om.table.HeadState;
import io.stowage.om.table.ObjectRowLayout;
import io.stowage.om.table.RowChange;
import java.util.List;
import org.apache.hadoop.thirdparty.protobuf.ByteString;

/**
 * Renames that somebody met half done: what they mean, and how they are ended by whoever met them.
 * {@link Renames} has the protocol. Thread-safe.
 */
final class RenameRecovery {
  private final RowCommitter rows;
  private final Stamps stamps;
  private final Counting counting;

  /** Is told of each head that was replaced. */
  interface Counting {
    void count(ByteString row, Head before, RowChange change) throws StoreException;
  }

  RenameRecovery(RowCommitter rows, Stamps stamps, Counting counting) {
    this.rows = rows;
    this.stamps = stamps;
    this.counting = counting;
  }

  /**
   * What a PENDING head means: the renamed version if its source says MOVED to it, else what was
   * there before. That the source does not say so counts only while the head still stands, since a
   * source may be cleaned up as soon as its target has left PENDING. Null if it no longer stands.
   */
  ObjectRows.Resolved resolve(SeenRow target) throws StoreException {
    Head pending = target.head();
    if (isCommitted(target.key(), pending, readHead(source(pending)))) {
      return new ObjectRows.Resolved(pending, pending.record().getPending().getRenamed());
    }
    Head now = readHead(target.key());
    if (now == null || !now.cell().equals(pending.cell())) {
      return null;
    }
    Head old = oldHead(pending);
    if (old == null || !old.isVersion()) {
      return new ObjectRows.Resolved(pending, null);
    }
    return new ObjectRows.Resolved(old, old.isLive() ? old.record() : null);
  }

  /** Whether a writer may replace this head; if not, does what is needed and wants it re-read. */
  boolean isSettled(SeenRow seen) throws StoreException {
    Head head = seen.head();
    if (head == null) {
      return true;
    }
    switch (head.state()) {
      case LIVE, ABSENT, DELETING, MARKER -> {
        return true;
      }
      case MOVED -> {
        // It is the only evidence that the rename happened until the target has left PENDING.
        ByteString targetRow = head.record().getMoved().getTargetRow();
        Head target = readHead(targetRow);
        if (isPendingOf(targetRow, target, head)) {
          finish(targetRow, target, head);
          return false;
        }
        if (head.record().hasVersion()) {
          cleanUp(
              seen.key(), head); // what hides the older versions from now on is a version itself
          return false;
        }
        return true;
      }
      case PENDING -> {
        Head source = readHead(source(head));
        if (isCommitted(seen.key(), head, source)) {
          finish(seen.key(), head, source);
        } else {
          rollBack(seen.key(), head, source);
        }
        return false;
      }
    }
    throw new IllegalStateException("head " + head);
  }

  /**
   * Step 3: the target becomes live. Returns the head written, or null if it was not PENDING.
   *
   * @param moved the source's head, whose stamp is that of the commit point: to a snapshot the
   *     version is at its source before it, and here from it on
   */
  Head finish(ByteString targetRow, Head pending, Head moved) throws StoreException {
    PendingRename rename = pending.record().getPending();
    long stamp = stamps.above(Math.max(pending.stamp(), moved.stamp()));
    HeadRecord.Builder arriving = rename.getRenamed().toBuilder();
    arriving.getVersionBuilder().setArrivedStamp(moved.stamp());
    Head live = Head.of(stamp, pending.writeId(), HeadState.LIVE, arriving.build());
    RowChange change = new RowChange(stamp).put(ObjectRowLayout.HEAD, live.cell());
    Head old = oldHead(pending);
    Succession.of(rows, targetRow, old, rename.getVersioning()).supersede(change);
    if (rename.getRenamed().getChunkCount() > 0) {
      change.delete(ObjectRowLayout.pendingChunks(rename.getRenamed().getChunkOwner()));
    }
    Outbox.add(change, rename.getEvent(), rename.getRenamed().getVersion());
    Outcome outcome = commit(targetRow, pending, change);
    return outcome == Outcome.APPLIED ? live : null;
  }

  /**
   * Undoes a rename that has not happened. First the source's head is given a new stamp, if it is
   * still the one to be moved, so that step 2 must fail, however late it arrives; only then the
   * target gets back what it held. Does nothing if something changed meanwhile: the caller looks
   * again.
   */
  void rollBack(ByteString targetRow, Head pending, Head source) throws StoreException {
    PendingRename rename = pending.record().getPending();
    if (source != null
        && source.stamp() == rename.getSourceStamp()
        && source.writeId().equals(rename.getSourceWriteId())) {
      long stamp = stamps.above(source.stamp());
      Outcome outcome =
          commit(
              rename.getSourceRow(),
              source,
              new RowChange(stamp).put(ObjectRowLayout.HEAD, source.raisedTo(stamp).cell()));
      if (outcome != Outcome.APPLIED) {
        return;
      }
      Renames.AFTER_FENCE.reach();
    }
    long stamp = stamps.above(pending.stamp());
    Head old = oldHead(pending);
    // Not under the rename's id, which must not be found here: it did not happen.
    Head restored = old == null ? Head.absent(stamp, WriteId.random()) : old.raisedTo(stamp);
    RowChange change = new RowChange(stamp).put(ObjectRowLayout.HEAD, restored.cell());
    HeadRecord renamed = rename.getRenamed();
    if (renamed.getChunkCount() > 0) {
      change.deleteAll(Details.chunkColumns(renamed));
      change.delete(ObjectRowLayout.pendingChunks(renamed.getChunkOwner()));
    }
    commit(targetRow, pending, change);
  }

  /** Step 4; only once T has left PENDING. */
  void cleanUp(ByteString source, Head moved) throws StoreException {
    long stamp = stamps.above(moved.stamp());
    Head left =
        moved.record().hasVersion()
            ? Head.of(
                stamp,
                moved.writeId(),
                HeadState.MARKER,
                moved.record().toBuilder().clearMoved().build())
            : Head.of(
                stamp,
                moved.writeId(),
                HeadState.ABSENT,
                HeadRecord.newBuilder()
                    .setLeftVersionId(moved.record().getLeftVersionId())
                    .build());
    commit(source, moved, new RowChange(stamp).put(ObjectRowLayout.HEAD, left.cell()));
  }

  private Outcome commit(ByteString row, Head seen, RowChange change) throws StoreException {
    Outcome outcome = rows.commit(row, Check.of(ObjectRowLayout.HEAD, seen.cell()), change);
    if (outcome == Outcome.UNKNOWN) {
      throw new StoreException(
          ErrorCode.UNAVAILABLE,
          "Cannot end the rename that "
              + ObjectRowLayout.key(row)
              + " is part of: HBase does not answer");
    }
    if (outcome == Outcome.APPLIED) {
      counting.count(row, seen, change);
    }
    return outcome;
  }

  /** Whether a source's head says that the rename of this PENDING head happened. */
  static boolean isCommitted(ByteString targetRow, Head pending, Head source) {
    return source != null
        && source.state() == HeadState.MOVED
        && isPendingOf(targetRow, pending, source);
  }

  /** Whether a head is the PENDING one that a MOVED head speaks of. */
  private static boolean isPendingOf(ByteString targetRow, Head target, Head moved) {
    return target != null
        && target.state() == HeadState.PENDING
        && target.stamp() == moved.record().getMoved().getPendingStamp()
        && target.writeId().equals(moved.writeId())
        && targetRow.equals(moved.record().getMoved().getTargetRow());
  }

  private static ByteString source(Head pending) {
    return pending.record().getPending().getSourceRow();
  }

  private static Head oldHead(Head pending) throws StoreException {
    ByteString old = pending.record().getPending().getOldHead();
    return old.isEmpty() ? null : Head.parse(old);
  }

  Head readHead(ByteString row) throws StoreException {
    return Head.parseOrNull(
        rows.get(row, List.of(ObjectRowLayout.HEAD)).value(ObjectRowLayout.HEAD));
  }
}
