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
package io.stowage.om.expiry;

import io.stowage.common.error.ErrorCode;
import io.stowage.common.error.StoreException;
import io.stowage.common.expiry.DayLength;
import io.stowage.common.expiry.LifecycleRules;
import io.stowage.common.expiry.LifecycleRules.Facts;
import io.stowage.common.id.WriteId;
import io.stowage.common.proto.BucketInfo;
import io.stowage.common.proto.Condition;
import io.stowage.common.proto.ObjectToDelete;
import io.stowage.common.proto.ObjectVersion;
import io.stowage.common.proto.RecordNeedle;
import io.stowage.om.object.Deletes;
import io.stowage.om.object.EventNotes;
import io.stowage.om.object.ObjectRows;
import io.stowage.om.object.RecordNeedles;
import io.stowage.om.object.SeenRow;
import io.stowage.om.table.Cell;
import io.stowage.om.table.Head;
import io.stowage.om.table.HeadState;
import io.stowage.om.table.ObjectRowLayout;
import java.util.List;
import java.util.Map;
import java.util.function.Consumer;
import org.apache.hadoop.thirdparty.protobuf.ByteString;

/**
 * Applies a bucket's rules to one key. Every deletion compares what was judged, by its stamp, with
 * what is there: a version that was replaced, retagged or put under a lock since stays, and is
 * judged again by the next run. Thread-safe.
 */
final class KeyExpiry {
  /** Older versions read at a time. */
  private static final int PAGE = 500;

  private final ObjectRows rows;
  private final Deletes deletes;
  private final Consumer<RecordNeedle> records;

  KeyExpiry(ObjectRows rows, Deletes deletes, Consumer<RecordNeedle> records) {
    this.rows = rows;
    this.deletes = deletes;
    this.records = records;
  }

  /** Asked before each deletion. */
  interface Permit {
    /** Whether the rules still are what the judgement was by; waits for its turn. */
    boolean await() throws StoreException;
  }

  /**
   * One key's work.
   *
   * @param nowMicros what is due by then goes
   */
  record Work(
      BucketInfo bucket, LifecycleRules rules, DayLength day, long nowMicros, Permit permit) {}

  /**
   * Deletes what has expired of a key.
   *
   * @param head as a scan saw it
   */
  void expire(ByteString row, Head head, Work work, Expirer.Counts counts) throws StoreException {
    if (head == null || !head.isVersion()) {
      return;
    }
    expireCurrent(row, head, work, counts);
    boolean older = work.rules().expiresNoncurrent() && head.record().getOlderCount() > 0;
    if (older && expireOlder(row, head, work, counts)) {
      Head left = rows.readSettled(row, List.of()).head();
      boolean marker = left != null && left.state() == HeadState.MARKER;
      if (marker && left.record().getOlderCount() == 0) {
        expireCurrent(row, left, work, counts);
      }
    }
  }

  private void expireCurrent(ByteString row, Head head, Work work, Expirer.Counts counts)
      throws StoreException {
    ObjectVersion version = head.record().getVersion();
    String key = ObjectRowLayout.key(row);
    if (head.state() == HeadState.MARKER) {
      boolean alone = head.record().getOlderCount() == 0;
      LifecycleRules.Due due =
          alone ? work.rules().deleteMarker(key, version.getModifiedMicros(), work.day()) : null;
      if (due != null && due.isPast(work.nowMicros())) {
        delete(row, head, head.versionId(), work, counts.markers());
      }
      return;
    }
    Facts facts = facts(row, head, work.rules());
    LifecycleRules.Due due =
        facts == null ? null : work.rules().current(facts, version.getModifiedMicros(), work.day());
    if (due != null && due.isPast(work.nowMicros())) {
      delete(row, head, 0, work, counts.current());
    }
  }

  /** Goes through a key's older versions, newest first. */
  private boolean expireOlder(ByteString row, Head head, Work work, Expirer.Counts counts)
      throws StoreException {
    boolean removed = false;
    long replaced = head.record().getVersion().getModifiedMicros();
    long newer = 0;
    ByteString from = ObjectRowLayout.olderFrom(head.record().getNewestOlder());
    while (true) {
      List<Cell> page =
          rows.committer().getRange(row, 'v', from, ObjectRowLayout.BEHIND_OLDER, PAGE).cells();
      for (Cell cell : page) {
        from = ObjectRowLayout.behind(cell.column().qualifier());
        Head older = Head.parse(cell.value());
        Facts facts = facts(row, older, work.rules());
        LifecycleRules.Due due =
            facts == null ? null : work.rules().noncurrent(facts, replaced, newer, work.day());
        if (due != null && due.isPast(work.nowMicros())) {
          removed |= delete(row, older, older.versionId(), work, counts.noncurrent());
        }
        replaced = older.record().getVersion().getModifiedMicros();
        newer++;
      }
      if (page.size() < PAGE) {
        return removed;
      }
    }
  }

  /** What filters look at; null if the version is no longer the row's. */
  private Facts facts(ByteString row, Head head, LifecycleRules rules) throws StoreException {
    ObjectVersion version = head.record().getVersion();
    Map<String, String> tags = version.getMetadata().getTagsMap();
    if (rules.readsTags() && head.record().getChunkCount() > 0) {
      ObjectVersion whole = rows.details(row, head.record());
      if (whole == null) {
        return null;
      }
      tags = whole.getMetadata().getTagsMap();
    }
    return new Facts(ObjectRowLayout.key(row), version.getLength(), tags);
  }

  /**
   * Deletes a version that was judged.
   *
   * @param versionId 0: the current one, as its owner would
   */
  private boolean delete(
      ByteString row, Head judged, long versionId, Work work, Expirer.Count count)
      throws StoreException {
    if (!work.permit().await()) {
      return false;
    }
    try {
      String key = ObjectRowLayout.key(row);
      ObjectToDelete what =
          ObjectToDelete.newBuilder()
              .setKey(key)
              .setEvent(EventNotes.expired(work.bucket(), key, versionId, rows.stamps().now()))
              .setWriteId(WriteId.random())
              .setVersionId(versionId)
              .setOwner(work.bucket().getOwner())
              .setCondition(Condition.newBuilder().setIfStamp(judged.stamp()))
              .build();
      Deletes.Deleted deleted = deletes.delete(work.bucket(), what);
      if (deleted.stamp() != 0) {
        records.accept(
            RecordNeedles.deleted(work.bucket(), what, deleted.stamp(), deleted.version()));
      }
      count.add();
      return true;
    } catch (StoreException e) {
      if (e.code() == ErrorCode.PRECONDITION_FAILED
          || e.code() == ErrorCode.NO_SUCH_KEY
          || e.code() == ErrorCode.NO_SUCH_VERSION
          || e.code() == ErrorCode.ACCESS_DENIED
          || e.code() == ErrorCode.TOO_MANY_VERSIONS) {
        count.kept();
        return false;
      }
      throw e;
    }
  }

  /** A scanned row's head; a rename under way is ended first. */
  Head settled(SeenRow seen) throws StoreException {
    boolean renaming =
        seen.head() != null
            && (seen.head().state() == HeadState.PENDING || seen.head().state() == HeadState.MOVED);
    return renaming ? rows.readSettled(seen.key(), List.of()).head() : seen.head();
  }
}
