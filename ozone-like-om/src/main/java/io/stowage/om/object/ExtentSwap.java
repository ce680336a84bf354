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

import io.stowage.common.error.OutcomeUnknownException;
import io.stowage.common.error.StoreException;
import io.stowage.common.proto.LeaseGrant;
import io.stowage.common.proto.Manifest;
import io.stowage.common.proto.ObjectVersion;
import io.stowage.common.proto.ReplaceExtentsReply.Outcome;
import io.stowage.om.row.CommitFence;
import io.stowage.om.row.Sent;
import io.stowage.om.table.Cell;
import io.stowage.om.table.Head;
import io.stowage.om.table.ObjectRowLayout;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Predicate;
import java.util.function.UnaryOperator;
import org.apache.hadoop.thirdparty.protobuf.ByteString;

/**
 * Points a version's manifest at copies of its bytes: a compare-and-set of the head that raises its
 * stamp and leaves write id, version id and all else. The version may be in {@code v}, and may have
 * moved there, or back, since the caller heard of it: it is found by its id. Thread-safe.
 *
 * <p>The caller names the extents to be replaced, not the stamp under which it saw them: an address
 * means the same bytes for ever, so whether the head still names it is all that counts, and a stamp
 * raised meanwhile by somebody's recovery makes nobody copy again. Of a rename under way, one side
 * wins: we settle a PENDING head first, and a source whose stamp rises makes the rename begin
 * again, with the new manifest. A manifest in chunks gets chunks under a new owner, so that a head
 * never names a mixture; the old ones go in the same mutation, and a reader that misses one starts
 * from the head.
 */
public final class ExtentSwap {
  private final ObjectRows rows;
  private final CommitFence fence;
  private final Snapshots snapshots;

  public ExtentSwap(ObjectRows rows, CommitFence fence, Snapshots snapshots) {
    this.rows = rows;
    this.fence = fence;
    this.snapshots = snapshots;
  }

  /**
   * Replaces extents of a version.
   *
   * @param versionId 0: of the current one
   * @param change the manifest as it shall be, or null if it does not name what is to go
   * @param isDone whether a manifest has the change already
   */
  public Outcome swap(
      ByteString row,
      long versionId,
      UnaryOperator<Manifest> change,
      Predicate<Manifest> isDone,
      List<LeaseGrant> grants)
      throws StoreException {
    Outcome current = Sent.track(sent -> swapVersion(row, versionId, change, isDone, grants, sent));
    Snapshots.Seen seen = snapshots.seen(ObjectRowLayout.bucketId(row));
    boolean superseded = !seen.isEmpty() && swapSuperseded(row, seen, change, isDone, grants);
    return superseded ? Outcome.REPLACED : current;
  }

  /** The same in superseded heads that a snapshot sees, which may be of the same version. */
  private boolean swapSuperseded(
      ByteString row,
      Snapshots.Seen seen,
      UnaryOperator<Manifest> change,
      Predicate<Manifest> isDone,
      List<LeaseGrant> grants)
      throws StoreException {
    List<Cell> held = new ArrayList<>();
    rows.forEachSuperseded(
        row,
        cell -> {
          if (seen.holds(cell)) {
            held.add(cell);
          }
        });
    boolean done = false;
    for (Cell cell : held) {
      Head head = ObjectRowLayout.supersededHead(cell.value());
      ObjectVersion version = head.isLive() ? rows.details(row, head.record()) : null;
      if (version == null) {
        continue;
      }
      Manifest changed = change.apply(version.getManifest());
      if (changed == null) {
        done |= isDone.test(version.getManifest());
        continue;
      }
      fence.before(grants);
      ObjectVersion copied = version.toBuilder().setManifest(changed).build();
      if (rows.rewriteSuperseded(row, cell, copied)) {
        fence.after(grants);
        done = true;
      }
    }
    return done;
  }

  private Outcome swapVersion(
      ByteString row,
      long versionId,
      UnaryOperator<Manifest> change,
      Predicate<Manifest> isDone,
      List<LeaseGrant> grants,
      Sent sent)
      throws StoreException {
    for (int attempt = 0; attempt < ObjectRows.MOST_ATTEMPTS; attempt++) {
      ObjectRows.Located located = rows.locate(row, versionId, List.of()).located();
      if (located == null || !located.version().isLive()) {
        return Outcome.CHANGED;
      }
      ObjectVersion version = rows.details(located);
      if (version == null) {
        continue;
      }
      Manifest changed = change.apply(version.getManifest());
      if (changed == null) {
        if (!isDone.test(version.getManifest())) {
          return Outcome.CHANGED;
        }
        fence.after(grants);
        return Outcome.REPLACED;
      }
      fence.before(grants);
      sent.mark();
      switch (rows.rewrite(located, version.toBuilder().setManifest(changed).build())) {
        case APPLIED -> {
          fence.after(grants);
          return Outcome.REPLACED;
        }
        case REFUSED -> rows.committer().pause().backOff(attempt);
        case UNKNOWN ->
            throw new OutcomeUnknownException(
                "Cannot tell whether extents of " + ObjectRowLayout.key(row) + " were replaced",
                null);
      }
    }
    throw ObjectRows.contended(row);
  }
}
