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
import io.stowage.common.proto.Manifest;
import io.stowage.common.proto.ObjectVersion;
import io.stowage.common.proto.RestoredRow;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.apache.hadoop.thirdparty.protobuf.ByteString;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Which files come back shorter than pieces of them say. */
class CutFilesTest {
  private static final ByteString STREAM = WriteId.random();
  private static final ByteString OTHER = WriteId.random();

  @TempDir Path directory;
  private CutFiles cut;

  @BeforeEach
  void open() {
    cut = new CutFiles(directory, 1 << 20);
  }

  @AfterEach
  void close() throws Exception {
    cut.close();
  }

  /** A piece from one byte to another. */
  private void piece(
      String row, ByteString holder, long from, long to, long clock, ByteString... takenBy)
      throws Exception {
    ByteString id = WriteId.ofPiece(holder, from, from % 2 == 0);
    ByteString key = ByteString.copyFromUtf8(row);
    cut.addPiece(
        List.of(WriteJoinTest.needle(key, id, holder, to - from, clock)), List.of(takenBy));
  }

  /** A file that was in another row first. */
  private void restored(String origin, String row, ByteString creator, long length, long stamp)
      throws Exception {
    Manifest.Builder manifest =
        Manifest.newBuilder()
            .setLength(length)
            .setOriginRow(TreeScan.rowOf(1, ByteString.copyFromUtf8(origin)));
    cut.addRestored(
        RestoredRow.newBuilder()
            .setBucketId(1)
            .setRowKey(ByteString.copyFromUtf8(row))
            .setStamp(stamp)
            .setVersion(
                ObjectVersion.newBuilder()
                    .setWriteId(creator)
                    .setLength(length)
                    .setManifest(manifest))
            .build());
  }

  private void restored(String row, ByteString creator, long length, long stamp) throws Exception {
    restored(row, row, creator, length, stamp);
  }

  private List<String> told() throws Exception {
    List<String> told = new ArrayList<>();
    cut.tell(
        (file, end) ->
            told.add(
                file.getRowKey().toStringUtf8()
                    + " "
                    + file.getVersion().getLength()
                    + " of "
                    + end));
    return told;
  }

  @Test
  void whatItsFirstWriterWroteBehindTheEnd() throws Exception {
    piece("file", STREAM, 0, 10, 5, STREAM);
    piece("file", STREAM, 10, 14, 6);
    piece("file", STREAM, 14, 17, 7);
    restored("file", STREAM, 10, 100); // by a clock that is ahead
    assertEquals(List.of("file 10 of 17"), told());
  }

  @Test
  void whatWasWrittenAgainIsNotMissed() throws Exception {
    piece("file", STREAM, 0, 4, 5);
    piece("file", STREAM, 4, 10, 6);
    piece("file", STREAM, 0, 10, 7, STREAM);
    restored("file", STREAM, 10, 100);
    assertEquals(List.of(), told());
  }

  @Test
  void whatWasAppendedBehindWhatARecordTells() throws Exception {
    piece("file", OTHER, 10, 20, 50, STREAM);
    piece("file", OTHER, 20, 25, 60);
    restored("file", STREAM, 20, 100);
    assertEquals(List.of("file 20 of 25"), told());
  }

  @Test
  void whatWasAppendedAndNoRecordTellsAtAll() throws Exception {
    piece("file", OTHER, 10, 20, 101);
    piece("file", OTHER, 20, 25, 102);
    restored("file", STREAM, 10, 100);
    assertEquals(List.of("file 10 of 25"), told());
  }

  /** Needles that are added after a rename name the row that the old ones name. */
  @Test
  void whatWasAppendedUnderAnotherName() throws Exception {
    piece("first", OTHER, 10, 20, 101);
    restored("first", "now", STREAM, 10, 100);
    assertEquals(List.of("now 10 of 20"), told());
  }

  /** A log that is renamed, and begun anew under its name, is not longer by what comes next. */
  @Test
  void whatIsOfTheNextFileOfThatName() throws Exception {
    piece("log", OTHER, 0, 30, 101);
    piece("log", OTHER, 30, 60, 102);
    restored("log", "log.1", STREAM, 30, 100);
    restored("log", OTHER, 30, 100);
    assertEquals(List.of("log 30 of 60"), told());
  }

  @Test
  void whatIsOfAFileThatWasReplaced() throws Exception {
    piece("file", STREAM, 0, 30, 50);
    piece("file", OTHER, 10, 30, 60); // appended to one that was as long as what replaced it
    restored("file", WriteId.random(), 10, 100);
    assertEquals(List.of(), told());
  }

  @Test
  void partsOfUploadsAreNoPieces() throws Exception {
    ByteString key = ByteString.copyFromUtf8("file");
    cut.addPiece(List.of(WriteJoinTest.needle(key, WriteId.random(), STREAM, 100, 101)), List.of());
    restored("file", STREAM, 10, 100);
    assertEquals(List.of(), told());
  }
}
