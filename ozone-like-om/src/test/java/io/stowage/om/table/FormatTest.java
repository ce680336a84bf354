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
package io.stowage.om.table;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.stowage.common.error.CorruptDataException;
import io.stowage.common.error.ErrorCode;
import io.stowage.common.error.StoreException;
import io.stowage.common.proto.BucketInfo;
import io.stowage.common.proto.Extent;
import io.stowage.common.proto.HeadRecord;
import io.stowage.common.proto.Manifest;
import io.stowage.common.proto.ObjectVersion;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;
import java.util.Random;
import org.apache.hadoop.thirdparty.protobuf.ByteString;
import org.junit.jupiter.api.Test;

/** Bytes in cells, frozen: what was written by the first version is read by every later one. */
class FormatTest {
  private static final ByteString WRITE_ID = id("00112233445566778899aabbccddeeff");

  private static ByteString id(String hex) {
    return ByteString.copyFrom(HexFormat.of().parseHex(hex));
  }

  private static String hex(ByteString bytes) {
    return HexFormat.of().formatHex(bytes.toByteArray());
  }

  private static Extent extent(long offset) {
    return Extent.newBuilder()
        .setContainer(0x0102030405060708L)
        .setEpoch(3)
        .setOffset(offset)
        .setCellLength(4_096)
        .setWidth(1)
        .setFirstShard(2)
        .setLength(164)
        .setHeaderLength(64)
        .build();
  }

  private static ObjectVersion version(int extents, long step) {
    Manifest.Builder manifest = Manifest.newBuilder().setLength(100L * extents);
    for (int i = 0; i < extents; i++) {
      manifest.addExtents(extent(8_192 + i * step));
    }
    return ObjectVersion.newBuilder()
        .setVersionId(0x0006000000000000L)
        .setLength(100L * extents)
        .setModifiedMicros(1_700_000_000_000_000L)
        .setMd5(id("d41d8cd98f00b204e9800998ecf8427e"))
        .setManifest(manifest)
        .build();
  }

  @Test
  void aHeadIsWrittenByteForByte() throws StoreException {
    Head head =
        Head.of(
            0x0006000000000001L,
            WRITE_ID,
            HeadState.LIVE,
            Details.split(version(1, 0), WRITE_ID).record());
    assertEquals(
        "0006000000000001" // stamp
            + "00112233445566778899aabbccddeeff" // write id
            + "01" // LIVE
            + "0801" // format 1
            + "1246" // version
            + "210000000000000600" // version id
            + "2864" // length
            + "308080f9c0c1c48203" // modified
            + "3a10d41d8cd98f00b204e9800998ecf8427e" // MD5
            + "5a1e0864121a" // manifest: length, one extent
            + "0908070605040302011003188040208020" // container, epoch, offset, cell length
            + "2801300238a4014040", // width, first shard, length, header length
        hex(head.cell()));
    Head read = Head.parse(head.cell());
    assertEquals(head.record(), read.record());
    assertEquals(HeadState.LIVE, read.state());
    assertEquals(WRITE_ID, read.writeId());
    assertEquals(0x0006000000000001L, read.stamp());
    Head raised = read.raisedTo(0x0006000000000009L);
    assertEquals(read.record(), Head.parse(raised.cell()).record());
    assertEquals(0x0006000000000009L, Head.parse(raised.cell()).stamp());
  }

  @Test
  void rowsAndColumnsAreNamedByteForByte() {
    ByteString row = ObjectRowLayout.row(0x0102030405060708L, "a/é");
    assertEquals("0102030405060708" + "612fc3a9", hex(row));
    assertEquals("a/é", ObjectRowLayout.key(row));
    String id = "00112233445566778899aabbccddeeff";
    assertEquals(id + "00000102", hex(ObjectRowLayout.chunk(WRITE_ID, 258).qualifier()));
    assertEquals("64" + id, hex(ObjectRowLayout.superseded(WRITE_ID).qualifier()));
    assertEquals("70" + id, hex(ObjectRowLayout.pendingChunks(WRITE_ID).qualifier()));
    assertEquals("73" + id, hex(ObjectRowLayout.supersededPart(WRITE_ID).qualifier()));
    assertEquals("63" + id, hex(ObjectRowLayout.completedUpload(WRITE_ID).qualifier()));
    assertEquals("67" + id, hex(ObjectRowLayout.uploadGeneration(WRITE_ID).qualifier()));
    assertEquals("68" + id, hex(ObjectRowLayout.uploadHeader(WRITE_ID).qualifier()));
    assertEquals("70" + id + "2710", hex(ObjectRowLayout.part(WRITE_ID, 10_000).qualifier()));
    assertEquals("72" + hex(row), hex(ObjectRowLayout.forwarding(row).qualifier()));
    assertEquals("68", hex(ObjectRowLayout.HEAD.qualifier()));
  }

  @Test
  void bucketsKeepWhatTheyAreGiven() throws StoreException {
    BucketInfo bucket =
        BucketInfo.newBuilder().setName("name").setId(5).setOwner("o").setPolicy("rs-3-2").build();
    ByteString cell =
        BucketRowLayout.BucketHead.of(
                9, WRITE_ID, HeadState.DELETING, bucket, WRITE_ID, ByteString.EMPTY)
            .cell();
    assertEquals(
        "0000000000000009"
            + "00112233445566778899aabbccddeeff"
            + "05"
            + "0801"
            + "1214"
            + "11"
            + "0500000000000000"
            + "1a016f"
            + "2a0672732d332d32",
        hex(cell));
    assertEquals(bucket, BucketRowLayout.BucketHead.parseOrNull("name", cell).bucket());
  }

  @Test
  void largeManifestsAreCutJoinedAndRunLengthEncoded() throws StoreException {
    ObjectVersion regular = version(100_000, 4_096);
    Details.Split split = Details.split(regular, WRITE_ID);
    assertEquals(1, split.chunks().size());
    assertTrue(split.chunks().get(0).size() < 200, "equal steps are one run");
    assertEquals(regular.getManifest(), joined(split).getManifest());

    Random random = new Random(1);
    ObjectVersion.Builder irregular = version(1, 0).toBuilder();
    for (int i = 0; i < 50_000; i++) {
      irregular.getManifestBuilder().addExtents(extent(random.nextLong(1L << 40) * 8));
    }
    split = Details.split(irregular.build(), WRITE_ID);
    assertTrue(split.chunks().size() > 1);
    for (ByteString chunk : split.chunks()) {
      assertTrue(chunk.size() <= ObjectRowLayout.MAX_CHUNK_BYTES);
    }
    assertEquals(irregular.getManifest(), joined(split).getManifest());
  }

  @Test
  void aDamagedOrMissingChunkIsNotTakenForAManifest() throws StoreException {
    Details.Split split = Details.split(version(9, 4_096), WRITE_ID);
    ByteString chunk = split.chunks().get(0);
    for (int i = 0; i < chunk.size(); i++) {
      byte[] bytes = chunk.toByteArray();
      bytes[i] ^= 1;
      Details.Split damaged =
          new Details.Split(split.record(), List.of(ByteString.copyFrom(bytes)));
      assertThrows(CorruptDataException.class, () -> joined(damaged));
    }
    assertEquals(null, joined(new Details.Split(split.record(), List.of())));
  }

  private static ObjectVersion joined(Details.Split split) throws StoreException {
    List<Cell> cells = new ArrayList<>();
    for (int i = 0; i < split.chunks().size(); i++) {
      cells.add(new Cell(ObjectRowLayout.chunk(WRITE_ID, i), 1, split.chunks().get(i)));
    }
    return Details.join(split.record(), new Row(ByteString.EMPTY, cells));
  }

  @Test
  void eightExtentsAreInlineAndAHeadIsNeverLarge() {
    assertEquals(0, Details.split(version(8, 4_096), WRITE_ID).chunks().size());
    assertEquals(1, Details.split(version(9, 4_096), WRITE_ID).chunks().size());
    for (int extents : new int[] {0, 1, 8, 9, 1_000}) {
      Head head =
          Head.of(
              Long.MAX_VALUE,
              WRITE_ID,
              HeadState.LIVE,
              Details.split(version(extents, 1L << 40), WRITE_ID).record());
      assertTrue(head.cell().size() <= ObjectRowLayout.MAX_HEAD_BYTES);
    }
  }

  @Test
  void aNewerFormatIsToldFromDamage() {
    ByteString newer =
        Head.fixed(1, WRITE_ID, HeadState.LIVE)
            .concat(HeadRecord.newBuilder().setFormat(2).build().toByteString());
    StoreException e = assertThrows(StoreException.class, () -> Head.parse(newer));
    assertEquals(ErrorCode.FORMAT_TOO_NEW, e.code());
    assertThrows(CorruptDataException.class, () -> Head.parse(ByteString.copyFromUtf8("short")));
    assertThrows(
        CorruptDataException.class,
        () -> Head.parse(Head.fixed(1, WRITE_ID, HeadState.LIVE).concat(WRITE_ID)));
  }
}
