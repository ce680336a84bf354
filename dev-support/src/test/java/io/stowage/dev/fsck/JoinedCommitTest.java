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

import io.stowage.common.id.WriteId;
import io.stowage.common.proto.CommittedFact;
import io.stowage.common.proto.Extent;
import io.stowage.common.proto.Fact;
import io.stowage.common.proto.Manifest;
import io.stowage.common.proto.ObjectVersion;
import io.stowage.common.proto.RecordNeedle;
import io.stowage.dev.fsck.JoinedCommit.Event;
import java.util.ArrayList;
import java.util.List;
import org.apache.hadoop.thirdparty.protobuf.ByteString;
import org.junit.jupiter.api.Test;

/** What the records of one write make of the bytes that were found for it. */
class JoinedCommitTest {
  private static final ByteString ONE = WriteId.random();
  private static final ByteString TWO = WriteId.random();
  private static final ByteString THREE = WriteId.random();

  private final JoinedCommit joined = new JoinedCommit();

  /** A part of the length, in the container of that number. */
  private void found(ByteString id, long length, long container) {
    joined.addBytes(
        id,
        Manifest.newBuilder()
            .setLength(length)
            .addExtents(Extent.newBuilder().setContainer(container).setLength(length))
            .build());
  }

  private static ObjectVersion version(long length, Long... partLengths) {
    return ObjectVersion.newBuilder()
        .setLength(length)
        .setPartCount(partLengths.length)
        .addAllPartLengths(List.of(partLengths))
        .build();
  }

  private void record(long stamp, ObjectVersion version, ByteString... parts) {
    CommittedFact fact =
        CommittedFact.newBuilder()
            .setVersion(version)
            .setPartWriteIds(ByteString.copyFrom(List.of(parts)))
            .build();
    joined.addRecord(
        RecordNeedle.newBuilder()
            .setStamp(stamp)
            .setFact(Fact.newBuilder().setCommitted(fact))
            .build());
  }

  /** Stamp, containers of the bytes and lengths of parts; "lost" where there are no bytes. */
  private List<String> events() {
    List<String> told = new ArrayList<>();
    for (Event event : joined.events()) {
      ObjectVersion version = event.row().getVersion();
      Manifest manifest = version.getManifest();
      String bytes =
          manifest.getExtentsList().stream().map(Extent::getContainer).toList()
              + " of "
              + manifest.getLength()
              + " as "
              + version.getPartLengthsList();
      boolean lost = event.kind() == RowEvents.Kind.WITHOUT_BYTES;
      assertEquals(lost, !event.row().hasVersion());
      told.add(event.row().getStamp() + ": " + (lost ? "lost" : bytes));
    }
    return told;
  }

  @Test
  void anUploadIsItsPartsInOrder() {
    found(TWO, 7, 12);
    found(ONE, 5, 11);
    record(1, version(12, 5L, 7L, 0L), ONE, TWO, THREE); // nothing lies of an empty part
    assertEquals(List.of("1: [11, 12] of 12 as [5, 7, 0]"), events());
  }

  @Test
  void aPartThatIsNotThereLosesTheUpload() {
    found(ONE, 5, 11);
    found(TWO, 6, 12); // other bytes than those that were completed
    record(1, version(12, 5L, 7L), ONE, TWO);
    assertEquals(List.of("1: lost"), events());
  }

  /**
   * Two completions of one upload raced, and the loser's record has the winner's version: bytes
   * that were never committed are not to be believed under its ETag.
   */
  @Test
  void aListOfPartsIsNotBelievedAgainstTheLengthOfTheVersion() {
    found(ONE, 5, 11);
    found(TWO, 7, 12);
    record(1, version(12, 5L), ONE);
    assertEquals(List.of("1: lost"), events());
  }

  @Test
  void theWinnersRecordTellsOfWhatTheLosersHasWrong() {
    found(ONE, 5, 11);
    found(TWO, 7, 12);
    found(THREE, 3, 13);
    record(1, version(12, 5L, 7L), ONE, TWO);
    record(1, version(12, 7L, 3L), TWO, THREE); // other parts at the same places
    String right = "1: [11, 12] of 12 as [5, 7]";
    assertEquals(List.of(right, right), events());
  }

  @Test
  void theRecordOfARenameHasItsListFromAnother() {
    found(ONE, 5, 11);
    record(2, version(5));
    record(1, version(5, 5L), ONE);
    assertEquals(List.of("2: [11] of 5 as [5]", "1: [11] of 5 as [5]"), events());
  }

  /** Each state of a file that grew has a record, all under the write id of the first. */
  @Test
  void everyStateOfAFileHasItsOwnBytes() {
    found(ONE, 5, 11);
    found(TWO, 7, 12);
    found(ByteString.EMPTY, 5, 11);
    record(1, version(5));
    record(3, version(12, 5L, 7L), ONE, TWO);
    record(2, version(5, 5L), ONE);
    assertEquals(
        List.of("1: [11] of 5 as [5]", "3: [11, 12] of 12 as [5, 7]", "2: [11] of 5 as [5]"),
        events());
  }

  @Test
  void whatHasNoPartsIsAsLongAsItsVersion() {
    found(ByteString.EMPTY, 5, 11);
    record(1, version(5));
    record(2, version(6));
    record(3, version(0));
    assertEquals(List.of("1: [11] of 5 as []", "2: lost", "3: [] of 0 as []"), events());
  }
}
