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
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertNull;

import io.stowage.common.id.WriteId;
import io.stowage.common.needle.NeedleFacts;
import io.stowage.common.needle.NeedleHeader;
import io.stowage.common.needle.NeedleHeader.Kind;
import io.stowage.common.proto.Extent;
import io.stowage.common.proto.Manifest;
import io.stowage.common.proto.NeedleBlob;
import java.util.List;
import org.apache.hadoop.thirdparty.protobuf.ByteString;
import org.junit.jupiter.api.Test;

class AssemblyTest {
  private static final ByteString WRITE_ID = WriteId.random();

  private static boolean nobodyAsks(Extent extent) {
    throw new AssertionError("there is no choice of " + extent);
  }

  private static FoundNeedle needle(long container, Kind kind, long offset, long planned)
      throws Exception {
    NeedleHeader header =
        new NeedleHeader(
            kind,
            1,
            ByteString.copyFromUtf8("key"),
            WRITE_ID,
            5,
            0,
            offset,
            planned,
            0,
            NeedleBlob.newBuilder().setCellLength(4096).build().toByteString());
    NeedleHeader placed = NeedleFacts.placed(header, container, 8192);
    return FoundNeedle.of(placed, container, 3, 1, 8192, 6);
  }

  private static String places(Manifest manifest) {
    StringBuilder text = new StringBuilder();
    for (Extent extent : manifest.getExtentsList()) {
      text.append(extent.getContainer())
          .append(':')
          .append(extent.getLength() - extent.getHeaderLength())
          .append(' ');
    }
    return text + "= " + manifest.getLength();
  }

  @Test
  void runsThatMeetAreAnObject() throws Exception {
    List<FoundNeedle> needles =
        List.of(
            needle(2, Kind.STREAMED_LAST, 60, 40), needle(1, Kind.STREAMED_LAST, 0, 100)); // cut
    assertEquals("1:60 2:40 = 100", places(Assembly.of(needles, -1, AssemblyTest::nobodyAsks)));
    assertEquals("1:60 2:40 = 100", places(Assembly.of(needles, 100, AssemblyTest::nobodyAsks)));
    assertNull(Assembly.of(needles, 101, AssemblyTest::nobodyAsks));
  }

  @Test
  void aGapIsNoObject() throws Exception {
    assertNull(
        Assembly.of(
            List.of(needle(1, Kind.STREAMED, 0, 50), needle(2, Kind.STREAMED_LAST, 60, 40)),
            -1,
            AssemblyTest::nobodyAsks));
    assertNull(
        Assembly.of(List.of(needle(2, Kind.STREAMED_LAST, 60, 40)), -1, AssemblyTest::nobodyAsks));
  }

  @Test
  void anUnknownEndHasToBeTold() throws Exception {
    List<FoundNeedle> open = List.of(needle(1, Kind.STREAMED, 0, NeedleHeader.UNKNOWN_LENGTH));
    assertNull(Assembly.of(open, -1, AssemblyTest::nobodyAsks));
    assertEquals("1:77 = 77", places(Assembly.of(open, 77, AssemblyTest::nobodyAsks)));
  }

  @Test
  void ofTwinsTheOneThatCanBeReadServes() throws Exception {
    List<FoundNeedle> twins =
        List.of(needle(1, Kind.STREAMED_LAST, 0, 100), needle(2, Kind.STREAMED_LAST, 0, 100));
    assertEquals(
        "2:100 = 100", places(Assembly.of(twins, -1, extent -> extent.getContainer() == 2)));
    assertNull(Assembly.of(twins, -1, extent -> false));
  }

  @Test
  void whatRepackCutAnewFitsWithWhatWasThere() throws Exception {
    List<FoundNeedle> needles =
        List.of(
            needle(1, Kind.STREAMED_LAST, 0, 100),
            needle(3, Kind.STREAMED, 0, 30),
            needle(4, Kind.STREAMED_LAST, 30, 70));
    Manifest manifest = Assembly.of(needles, 100, extent -> extent.getContainer() == 3);
    assertNotNull(manifest);
    assertEquals("3:30 4:70 = 100", places(manifest));
  }

  @Test
  void aNeedleThatDoesNotStandWhereItSaysIsNone() throws Exception {
    FoundNeedle there = needle(1, Kind.STREAMED_LAST, 0, 100);
    assertNull(FoundNeedle.of(there.header(), 1, 3, 1, 8200, 6));
    assertNull(FoundNeedle.of(there.header(), 2, 3, 1, 8192, 6));
  }
}
