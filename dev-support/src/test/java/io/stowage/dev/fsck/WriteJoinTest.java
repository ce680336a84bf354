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
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.stowage.common.error.CorruptDataException;
import io.stowage.common.id.WriteId;
import io.stowage.common.needle.NeedleFacts;
import io.stowage.common.needle.NeedleHeader;
import io.stowage.common.needle.NeedleHeader.Kind;
import io.stowage.common.proto.CommittedFact;
import io.stowage.common.proto.Extent;
import io.stowage.common.proto.Fact;
import io.stowage.common.proto.Manifest;
import io.stowage.common.proto.NeedleBlob;
import io.stowage.common.proto.ObjectMetadata;
import io.stowage.common.proto.ObjectVersion;
import io.stowage.common.proto.RecordNeedle;
import io.stowage.common.proto.RestoredRow;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.apache.hadoop.thirdparty.protobuf.ByteString;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What comes of needles and records, in any order, and what it takes to find that out. */
class WriteJoinTest {
  private static final long PIECE = 3L << 20;
  private static final ByteString KEY = ByteString.copyFromUtf8("file");

  @TempDir Path directory;
  private final List<RestoredRow> certain = new ArrayList<>();
  private final List<RestoredRow> withoutBytes = new ArrayList<>();
  private final List<String> others = new ArrayList<>();

  private final class Gathered implements WriteJoin.Outcome {
    @Override
    public void committed(RowEvents.Kind kind, RestoredRow event) {
      (kind == RowEvents.Kind.CERTAIN ? certain : withoutBytes).add(event);
    }

    @Override
    public void unrecorded(List<FoundNeedle> needles, Manifest manifest) {
      others.add("unrecorded " + needles.size() + " of " + manifest.getLength());
    }

    @Override
    public void abandoned() {
      others.add("abandoned");
    }

    @Override
    public void part(List<FoundNeedle> needles, List<ByteString> takenBy) {
      if (takenBy.isEmpty()) {
        others.add("part of nothing");
      }
    }

    @Override
    public boolean isReadable(Extent extent) {
      throw new AssertionError("there is no choice of " + extent);
    }
  }

  /** A needle; of a stream's piece, if there is one. */
  static FoundNeedle needle(ByteString key, ByteString writeId, ByteString holder, long length)
      throws Exception {
    return needle(key, writeId, holder, length, 5);
  }

  static FoundNeedle needle(
      ByteString key, ByteString writeId, ByteString holder, long length, long clock)
      throws Exception {
    NeedleBlob.Builder blob = NeedleBlob.newBuilder().setCellLength(4096);
    if (holder != null) {
      blob.setUploadId(holder).setPartNumber(1);
    }
    NeedleHeader header =
        new NeedleHeader(
            Kind.STREAMED_LAST,
            1,
            key,
            writeId,
            clock,
            0,
            0,
            length,
            0,
            NeedleFacts.blob(ObjectMetadata.getDefaultInstance(), blob.build()));
    return FoundNeedle.of(NeedleFacts.placed(header, 1, 8192), 1, 3, 1, 8192, 6);
  }

  private static RecordNeedle told(ByteString creator, long stamp, List<ByteString> pieces) {
    ObjectVersion version =
        ObjectVersion.newBuilder()
            .setWriteId(creator)
            .setLength(PIECE * pieces.size())
            .setPartCount(pieces.size())
            .addAllPartLengths(pieces.stream().map(piece -> PIECE).toList())
            .build();
    CommittedFact fact =
        CommittedFact.newBuilder()
            .setVersion(version)
            .setPartWriteIds(ByteString.copyFrom(pieces))
            .build();
    return RecordNeedle.newBuilder()
        .setBucketId(1)
        .setRowKey(KEY)
        .setWriteId(WriteId.random())
        .setStamp(stamp)
        .setFact(Fact.newBuilder().setCommitted(fact))
        .build();
  }

  /**
   * Each fold of a synced file tells of all pieces so far. A rebuild that took all of that would
   * sort, and hold at once, as many entries as the square of their number.
   */
  @Test
  void whatASyncedFileTakesDoesNotGrowWithTheSquareOfItsPieces() throws Exception {
    ByteString holder = WriteId.random();
    int count = 500;
    try (WriteJoin join = new WriteJoin(directory, 64 << 10, Progress.NONE)) {
      List<ByteString> pieces = new ArrayList<>();
      for (int i = 0; i < count; i++) {
        pieces.add(WriteId.ofPiece(holder, i * PIECE, true));
        join.addNeedle(needle(KEY, pieces.get(i), holder, PIECE));
        join.addCommitted(told(holder, 10 + i, pieces));
      }
      join.join(new Gathered());
      assertTrue(join.entries() <= 5L * count, join.entries() + " entries of " + count + " pieces");
    }
    assertEquals(1, certain.size());
    assertEquals(count * PIECE, certain.get(0).getVersion().getLength());
    assertEquals(count, certain.get(0).getVersion().getManifest().getExtentsCount());
    assertEquals(List.of(), withoutBytes);
    assertEquals(List.of(), others);
  }

  @Test
  void writesAreToldByTheirRecordsOrByTheirNeedles() throws Exception {
    ByteString holder = WriteId.random();
    ByteString lost = WriteId.random();
    ByteString abandoned = WriteId.random();
    ByteString finished = WriteId.random();
    List<ByteString> pieces =
        List.of(WriteId.ofPiece(holder, 0, true), WriteId.ofPiece(holder, PIECE, true));
    try (WriteJoin join = new WriteJoin(directory, 1 << 20, Progress.NONE)) {
      join.addCommitted(told(lost, 7, List.of(WriteId.random())));
      join.addCommitted(told(holder, 8, pieces.subList(0, 1)));
      join.addNeedle(needle(KEY, pieces.get(1), holder, PIECE));
      join.addNeedle(needle(KEY, pieces.get(0), holder, PIECE));
      join.addNeedle(needle(KEY, abandoned, null, 10));
      join.addAbandoned(abandoned);
      join.addNeedle(needle(KEY, finished, null, 100));
      join.addFinished(finished, 90);
      join.join(new Gathered());
    }
    assertEquals(List.of(8L), certain.stream().map(RestoredRow::getStamp).toList());
    assertEquals(PIECE, certain.get(0).getVersion().getManifest().getLength());
    assertEquals(List.of(7L), withoutBytes.stream().map(RestoredRow::getStamp).toList());
    assertEquals(
        List.of("abandoned", "part of nothing", "unrecorded 1 of 90"),
        others.stream().sorted().toList());
  }

  /** Its needles are no put of their own, though none of its records counts any more. */
  @Test
  void whatLeftItsOnlyRowIsNoPlainPut() throws Exception {
    ByteString writeId = WriteId.random();
    RecordNeedle.Builder record = told(writeId, 7, List.of()).toBuilder();
    record.getFactBuilder().getCommittedBuilder().setMovedFrom(KEY).setMovedStamp(8);
    try (WriteJoin join = new WriteJoin(directory, 1 << 20, Progress.NONE)) {
      join.addNeedle(needle(KEY, writeId, null, 10));
      join.addCommitted(record.build());
      join.join(new Gathered());
    }
    assertEquals(List.of(), others);
    assertEquals(List.of(), certain);
  }

  @Test
  void nothingIsTakenOfARecordThatContradictsItself() throws Exception {
    RecordNeedle.Builder record = told(WriteId.random(), 7, List.of(WriteId.random())).toBuilder();
    record.getFactBuilder().getCommittedBuilder().getVersionBuilder().setLength(1);
    try (WriteJoin join = new WriteJoin(directory, 1 << 20, Progress.NONE)) {
      assertThrows(CorruptDataException.class, () -> join.addCommitted(record.build()));
      assertEquals(0, join.entries());
    }
  }
}
