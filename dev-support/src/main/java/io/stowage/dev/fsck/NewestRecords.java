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
package io.stowage.dev.fsck;

import io.stowage.common.proto.CommittedFact;
import io.stowage.common.proto.RecordNeedle;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.apache.hadoop.thirdparty.protobuf.ByteString;

/**
 * Which records of one committing write a rebuild goes on with. Each fold of a file that is synced
 * leaves one, and it names all pieces so far. Of a row's slot only the last event counts ({@link
 * RowEvents}), so of the records that tell of the same slot those below another need no bytes; but
 * one may have the list of parts that a later one lacks, as that of a rename does ({@link
 * JoinedCommit}). Confined to one thread; all records are looked at first, then asked for.
 *
 * <p>Memory: of each slot that the write was ever in a key and a stamp; the records that are kept.
 */
final class NewestRecords {
  private record Slot(long bucketId, ByteString rowKey, long versionId) {}

  /** The last that is known of a slot, and how long the version is then. */
  private static final class Newest {
    private long stamp;
    private final Set<Long> lengths = new HashSet<>(); // none: it left the slot

    void add(long at, List<Long> more) {
      int order = Long.compareUnsigned(at, stamp);
      if (order > 0) {
        stamp = at;
        lengths.clear();
      }
      if (order >= 0) {
        lengths.addAll(more);
      }
    }
  }

  private final Map<Slot, Newest> slots = new HashMap<>();
  private final Set<RecordNeedle> kept = new HashSet<>();
  private final Set<JoinedCommit.PartList> lists = new HashSet<>();
  private Set<Long> lengths; // of versions that are kept

  void look(RecordNeedle record) {
    CommittedFact fact = record.getFact().getCommitted();
    note(slotOf(record), record.getStamp(), List.of(fact.getVersion().getLength()));
    for (long versionId : versionsLeft(fact)) {
      note(
          new Slot(record.getBucketId(), fact.getMovedFrom(), versionId),
          fact.getMovedStamp(),
          List.of());
    }
  }

  private void note(Slot slot, long stamp, List<Long> length) {
    slots.computeIfAbsent(slot, s -> new Newest()).add(stamp, length);
  }

  private static Slot slotOf(RecordNeedle record) {
    return new Slot(record.getBucketId(), record.getRowKey(), JoinedCommit.versionId(record));
  }

  /** Which versions of the row that it moved from are no more; 0: its null version. */
  static List<Long> versionsLeft(CommittedFact fact) {
    List<Long> left = new ArrayList<>();
    if (!fact.getMovedFrom().isEmpty()) {
      left.add(fact.getMovedVersionId());
      if (fact.getMovedVersionId() != 0 && fact.getSourceIsEmpty()) {
        left.add(0L);
      }
    }
    return left;
  }

  /** Whether a record that was looked at counts; asked of each once, of a copy again. */
  boolean keep(RecordNeedle record) {
    JoinedCommit.PartList list = JoinedCommit.listOf(record);
    if (record.getStamp() == slots.get(slotOf(record)).stamp) {
      if (list != null) {
        lists.add(list);
      }
      return kept.add(record);
    }
    return list != null && lengths().contains(list.sum()) && lists.add(list);
  }

  private Set<Long> lengths() {
    if (lengths == null) {
      lengths = new HashSet<>();
      slots.values().forEach(newest -> lengths.addAll(newest.lengths));
    }
    return lengths;
  }
}
