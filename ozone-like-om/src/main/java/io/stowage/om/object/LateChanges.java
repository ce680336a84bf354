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
import io.stowage.common.proto.HeadRecord;
import io.stowage.common.proto.ObjectMetadata;
import io.stowage.common.proto.ObjectVersion;
import io.stowage.om.row.RowCommitter.Outcome;
import io.stowage.om.row.Sent;
import io.stowage.om.table.Column;
import io.stowage.om.table.Head;
import io.stowage.om.table.HeadState;
import io.stowage.om.table.ObjectRowLayout;
import io.stowage.om.table.ObjectRowLayout.Fate;
import io.stowage.om.table.RowChange;
import java.util.List;
import org.apache.hadoop.thirdparty.protobuf.ByteString;

/**
 * Puts right what a put or a delete did that was sent when versioning was not enabled, and applied
 * when it was: what it superseded, and let go, becomes an older version after all. Thread-safe.
 *
 * <pre>
 * bucket       UNVERSIONED ─────── e1: ENABLED ── wait of 1.1 × cache age ── e2: acknowledged
 * we     b: look it up ── s: send ───────────────────────────────────────────── a: applied ── r: answered
 * </pre>
 *
 * Whoever changes a row goes by a bucket that he looked up at b, and looks again before he answers
 * if r is later than b by more than the cache's age. If he does not look, a is before e2: our
 * change came before the enabling was acknowledged, and what it replaced was not kept yet. If he
 * looks and finds versioning enabled, a may be after e2, and then somebody may rely on that nothing
 * is lost. Nothing is: the head replaced is still in {@code g}, for minutes, and its needles are
 * judged dead at the earliest minutes later, twice, with hours between. It is put into {@code v} by
 * a mutation that compares the head, as whatever changes {@code v} does, so that all that is said
 * in docs/format/hbase-tables.md of rivals holds here, too.
 *
 * <p>What the row is then is what the change would have made of it, had it known: the version that
 * was put has an id, what it replaced is the null version, and a deletion is a marker. Where others
 * were faster, and there is a null version that is not ours, what we kept gets an id as well. Two
 * things are left as they are: a version that was deleted for good since, and one whose put died
 * between a and r, unacknowledged, whose predecessor is lost, as it was without versioning.
 */
public final class LateChanges {
  private final ObjectRows rows;

  public LateChanges(ObjectRows rows) {
    this.rows = rows;
  }

  /**
   * Keeps what a change let go.
   *
   * @param own write id of the change
   * @param owner of the marker, should the change have been a deletion
   * @param lost heads that it superseded and did not keep
   */
  public void keep(ByteString row, ByteString own, String owner, List<Head> lost)
      throws StoreException {
    Sent.track(
        sent -> {
          sent.mark(); // the change itself
          for (Head version : lost) {
            keep(row, own, owner, version);
          }
          return null;
        });
  }

  private void keep(ByteString row, ByteString own, String owner, Head lost) throws StoreException {
    Column place = ObjectRowLayout.older(lost.versionId());
    Column superseded = ObjectRowLayout.superseded(lost.writeId());
    long begin = rows.committer().nanos();
    for (int attempt = 0; attempt < ObjectRows.MOST_ATTEMPTS; attempt++) {
      SeenRow seen = rows.readSettled(row, List.of(place, superseded));
      rows.committer().requireRecent(begin);
      Head head = seen.head();
      if (head == null || isThere(seen, place, lost)) {
        return;
      }
      if (seen.cells().value(superseded) == null) {
        throw unknown(row, "what it replaced was collected");
      }
      RowChange change = new RowChange(rows.stamps().above(seen.stamp()));
      if (!keep(seen, change, own, owner, lost)) {
        return;
      }
      change.put(superseded, ObjectRowLayout.supersededValue(Fate.KEPT, lost));
      Outcome outcome = rows.commit(seen, change);
      switch (outcome) {
        case APPLIED -> {
          return;
        }
        case REFUSED -> rows.committer().pause().backOff(attempt);
        case UNKNOWN -> throw unknown(row, "HBase does not answer");
      }
    }
    throw ObjectRows.contended(row);
  }

  private static boolean isThere(SeenRow seen, Column place, Head lost) {
    return seen.cells().value(place) != null
        || (seen.head().isVersion() && seen.head().versionId() == lost.versionId());
  }

  /** Adds to the mutation what makes the version an older one; false if it is to stay away. */
  private boolean keep(SeenRow seen, RowChange change, ByteString own, String owner, Head lost)
      throws StoreException {
    Head head = seen.head();
    Column place = ObjectRowLayout.older(lost.versionId());
    if (head.state() == HeadState.ABSENT && !head.record().hasVersion()) {
      // A deletion that was late, too, be it ours.
      HeadRecord record =
          HeadRecord.newBuilder()
              .setVersion(marker(head, head.writeId().equals(own) ? owner : ""))
              .build();
      record = with(record, lost, lost.isNullVersion() ? lost.versionId() : 0);
      Head marker = Head.of(change.stamp(), head.writeId(), HeadState.MARKER, record);
      change.put(ObjectRowLayout.HEAD, marker.cell());
      change.put(place, Succession.unlinked(lost).cell());
      return true;
    }
    if (!head.isVersion()) {
      return false; // deleted for good since, or renamed away
    }
    HeadRecord record = head.record();
    Head kept = Succession.unlinked(lost);
    long nullVersion = record.getOlderNull();
    if (lost.isNullVersion()) {
      if (head.isNullVersion() && head.writeId().equals(own)) {
        record = versioned(record);
        nullVersion = lost.versionId();
      } else if (head.isNullVersion()) {
        kept = kept.with(change.stamp(), versioned(kept.record()));
      } else if (nullVersion == 0) {
        nullVersion = lost.versionId();
      } else {
        Column other = ObjectRowLayout.older(nullVersion);
        Head before =
            Head.parseOrNull(rows.committer().get(seen.key(), List.of(other)).value(other));
        if (before != null && before.writeId().equals(own)) {
          change.put(other, before.with(change.stamp(), versioned(before.record())).cell());
          nullVersion = lost.versionId();
        } else {
          kept = kept.with(change.stamp(), versioned(kept.record()));
        }
      }
    }
    change.put(
        ObjectRowLayout.HEAD, head.with(change.stamp(), with(record, lost, nullVersion)).cell());
    change.put(place, kept.cell());
    return true;
  }

  private static HeadRecord with(HeadRecord record, Head lost, long nullVersion) {
    return record.toBuilder()
        .setOlderCount(record.getOlderCount() + 1)
        .setNewestOlder(Math.max(record.getNewestOlder(), lost.versionId()))
        .setOlderNull(nullVersion)
        .build();
  }

  private static HeadRecord versioned(HeadRecord record) {
    HeadRecord.Builder changed = record.toBuilder();
    changed.getVersionBuilder().setVersioned(true);
    return changed.build();
  }

  private static ObjectVersion marker(Head absent, String owner) {
    ObjectVersion.Builder marker =
        ObjectVersion.newBuilder()
            .setVersionId(absent.stamp())
            .setModifiedMicros(absent.stamp())
            .setVersioned(true)
            .setDeleteMarker(true);
    if (!owner.isEmpty()) {
      marker.setMetadata(ObjectMetadata.newBuilder().setOwner(owner));
    }
    return marker.build();
  }

  private static OutcomeUnknownException unknown(ByteString row, String why) {
    return new OutcomeUnknownException(
        "Cannot acknowledge: versioning was enabled while "
            + ObjectRowLayout.key(row)
            + " was changed, and "
            + why,
        null);
  }
}
