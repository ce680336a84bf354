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

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.stowage.common.id.WriteId;
import io.stowage.common.proto.CommittedFact;
import io.stowage.common.proto.Extent;
import io.stowage.common.proto.Fact;
import io.stowage.common.proto.Manifest;
import io.stowage.common.proto.ObjectVersion;
import io.stowage.common.proto.RecordNeedle;
import io.stowage.common.proto.RestoredRow;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.TreeMap;
import org.apache.hadoop.thirdparty.protobuf.ByteString;
import org.junit.jupiter.api.Test;

/** Which records of one write are left out, and that nothing depends on those. */
class NewestRecordsTest {
  private static final List<ByteString> PARTS =
      List.of(WriteId.random(), WriteId.random(), WriteId.random(), WriteId.random());

  private static RecordNeedle record(String row, long stamp, long length, Long... partLengths) {
    return RecordNeedle.newBuilder()
        .setRowKey(ByteString.copyFromUtf8(row))
        .setStamp(stamp)
        .setFact(Fact.newBuilder().setCommitted(fact(length, List.of(partLengths))))
        .build();
  }

  private static CommittedFact.Builder fact(long length, List<Long> partLengths) {
    return CommittedFact.newBuilder()
        .setVersion(ObjectVersion.newBuilder().setLength(length).addAllPartLengths(partLengths))
        .setPartWriteIds(ByteString.copyFrom(PARTS.subList(0, partLengths.size())));
  }

  private static RecordNeedle rename(String from, String to, long stamp, long length) {
    CommittedFact.Builder fact =
        fact(length, List.of())
            .setMovedFrom(ByteString.copyFromUtf8(from))
            .setMovedStamp(stamp)
            .setSourceIsEmpty(true);
    return record(to, stamp, length).toBuilder()
        .setFact(Fact.newBuilder().setCommitted(fact))
        .build();
  }

  private static List<RecordNeedle> keptOf(List<RecordNeedle> records) {
    NewestRecords newest = new NewestRecords();
    records.forEach(newest::look);
    return records.stream().filter(newest::keep).toList();
  }

  @Test
  void ofAFileThatGrewTheLastRecordIsKept() {
    RecordNeedle last = record("file", 30, 6, 1L, 2L, 3L);
    assertEquals(
        List.of(last), keptOf(List.of(record("file", 10, 1, 1L), last, record("file", 20, 3, 1L))));
  }

  @Test
  void whatTheLastRecordLacksIsTakenFromOneBelow() {
    RecordNeedle list = record("file", 20, 3, 1L, 2L);
    RecordNeedle last = record("file", 30, 3); // its metadata changed
    assertEquals(List.of(list, last), keptOf(List.of(record("file", 10, 1, 1L), list, last)));
  }

  @Test
  void ofAFileThatMovedTheRecordsOfItsFirstNameGo() {
    RecordNeedle list = record("from", 20, 3, 1L, 2L);
    RecordNeedle moved = rename("from", "to", 30, 3);
    RecordNeedle last = record("to", 40, 6, 1L, 2L, 3L);
    assertEquals(List.of(list, moved), keptOf(List.of(record("from", 10, 1, 1L), list, moved)));
    assertEquals(List.of(last), keptOf(List.of(record("from", 10, 1, 1L), list, moved, last)));
  }

  @Test
  void copiesOfOneRecordAreOne() {
    RecordNeedle one = record("file", 20, 3, 1L, 2L);
    RecordNeedle other = record("file", 20, 3, 2L, 1L); // of the same stamp, and not a copy
    assertEquals(List.of(one, other), keptOf(List.of(one, other, one, other)));
    RecordNeedle last = record("file", 30, 3);
    RecordNeedle below = record("file", 10, 3, 1L, 2L);
    assertEquals(List.of(below, last), keptOf(List.of(below, one, last)), "one list is enough");
  }

  /** What rows hold, and which of them are lost, is the same with all records. */
  @Test
  void nothingDependsOnWhatIsLeftOut() {
    Random random = new Random(5);
    int left = 0;
    for (int round = 0; round < 5_000; round++) {
      List<RecordNeedle> all = new ArrayList<>();
      int count = 1 + random.nextInt(8);
      for (int i = 0; i < count; i++) {
        all.add(random(random));
      }
      List<RecordNeedle> kept = keptOf(all);
      left += all.size() - kept.size();
      int found = random.nextInt(1 << PARTS.size());
      assertEquals(rows(all, all, found), rows(all, kept, found), all.toString());
    }
    assertTrue(left > 5_000, "only " + left + " were left out");
  }

  private static RecordNeedle random(Random random) {
    List<Long> lengths = new ArrayList<>();
    int parts = random.nextInt(PARTS.size());
    long sum = 0;
    for (int i = 0; i < parts; i++) {
      lengths.add(1L + random.nextInt(2));
      sum += lengths.get(i);
    }
    boolean fits = parts > 0 && random.nextInt(4) > 0; // else it is another version's list, or none
    CommittedFact.Builder fact = fact(fits ? sum : 1 + random.nextInt(4), lengths);
    if (random.nextInt(3) == 0) {
      fact.getVersionBuilder().setVersioned(true).setVersionId(1 + random.nextInt(2));
    }
    if (random.nextInt(3) == 0) {
      fact.setMovedFrom(ByteString.copyFromUtf8("row" + random.nextInt(3)))
          .setMovedStamp(random.nextInt(10))
          .setMovedVersionId(random.nextInt(3))
          .setSourceIsEmpty(random.nextBoolean());
    }
    return RecordNeedle.newBuilder()
        .setRowKey(ByteString.copyFromUtf8("row" + random.nextInt(3)))
        .setStamp(random.nextInt(10))
        .setFact(Fact.newBuilder().setCommitted(fact))
        .build();
  }

  /**
   * As a rebuild decides.
   *
   * @param found of which parts there are bytes
   */
  private static Map<ByteString, String> rows(
      List<RecordNeedle> all, List<RecordNeedle> joined, int found) {
    Map<ByteString, RowEvents> rows = new TreeMap<>(ByteString.unsignedLexicographicalComparator());
    for (RecordNeedle record : all) {
      CommittedFact fact = record.getFact().getCommitted();
      for (long versionId : NewestRecords.versionsLeft(fact)) {
        rows.computeIfAbsent(fact.getMovedFrom(), row -> new RowEvents())
            .add(
                RowEvents.Kind.CERTAIN,
                RestoredRow.newBuilder()
                    .setVersionId(versionId)
                    .setStamp(fact.getMovedStamp())
                    .build());
      }
    }
    JoinedCommit commit = new JoinedCommit();
    joined.forEach(commit::addRecord);
    for (int i = 0; i < PARTS.size(); i++) {
      for (long length = 1; length <= 2 && (found & 1 << i) != 0; length++) {
        commit.addBytes(
            PARTS.get(i),
            Manifest.newBuilder()
                .setLength(length)
                .addExtents(Extent.newBuilder().setContainer(i).setLength(length))
                .build());
      }
    }
    for (JoinedCommit.Event event : commit.events()) {
      rows.computeIfAbsent(event.row().getRowKey(), row -> new RowEvents())
          .add(event.kind(), event.row());
    }
    Map<ByteString, String> held = new TreeMap<>(ByteString.unsignedLexicographicalComparator());
    rows.forEach((row, events) -> held.put(row, events.result() + " lost " + events.lost()));
    return held;
  }
}
