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
package io.stowage.common.needle;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.stowage.common.error.CorruptDataException;
import io.stowage.common.error.ErrorCode;
import io.stowage.common.error.StoreException;
import io.stowage.common.proto.BucketInfo;
import io.stowage.common.proto.ChecksumAlgorithm;
import io.stowage.common.proto.CommittedFact;
import io.stowage.common.proto.DeletedFact;
import io.stowage.common.proto.Fact;
import io.stowage.common.proto.FinishedFact;
import io.stowage.common.proto.NeedleBlob;
import io.stowage.common.proto.ObjectMetadata;
import io.stowage.common.proto.ObjectVersion;
import java.nio.ByteBuffer;
import java.util.HexFormat;
import java.util.List;
import org.apache.hadoop.thirdparty.protobuf.ByteString;
import org.junit.jupiter.api.Test;

class NeedleFactsTest {
  private static final HexFormat HEX = HexFormat.of();
  private static final ByteString A = id("000102030405060708090a0b0c0d0e0f");
  private static final ByteString B = id("101112131415161718191a1b1c1d1e1f");

  private static ByteString id(String hex) {
    return ByteString.copyFrom(HEX.parseHex(hex));
  }

  private static String hex(ByteString bytes) {
    return HEX.formatHex(bytes.toByteArray());
  }

  /** Frozen: what a rebuild of any later version has to read. */
  @Test
  void bytesAreThoseOfTheFormat() {
    assertEquals(
        "0a24" // committed, 36 bytes
            + "0a22" // version
            + "1a10000102030405060708090a0b0c0d0e0f" // write id
            + "21010000000000000028" // version id
            + "64" // length
            + "3a03abcdef", // md5
        hex(
            Fact.newBuilder()
                .setCommitted(
                    CommittedFact.newBuilder()
                        .setVersion(
                            ObjectVersion.newBuilder()
                                .setWriteId(A)
                                .setVersionId(1)
                                .setLength(100)
                                .setMd5(id("abcdef"))))
                .build()
                .toByteString()));
    assertEquals(
        "1200",
        hex(Fact.newBuilder().setDeleted(DeletedFact.getDefaultInstance()).build().toByteString()));
    assertEquals(
        "1a0308e807",
        hex(
            Fact.newBuilder()
                .setFinished(FinishedFact.newBuilder().setLength(1_000))
                .build()
                .toByteString()));
    assertEquals(
        "0a20" // committed, 32 bytes
            + "0a00" // version
            + "1210000102030405060708090a0b0c0d0e0f" // write ids of parts
            + "1a016b" // moved from "k"
            + "210300000000000000", // from this stamp on
        hex(
            Fact.newBuilder()
                .setCommitted(
                    CommittedFact.newBuilder()
                        .setVersion(ObjectVersion.getDefaultInstance())
                        .setPartWriteIds(A)
                        .setMovedFrom(ByteString.copyFromUtf8("k"))
                        .setMovedStamp(3))
                .build()
                .toByteString()));
    assertEquals(
        "850100100000", // cell length
        hex(NeedleBlob.newBuilder().setCellLength(4096).build().toByteString()));
    assertEquals(
        "c00180808004", // whose ETags are not of the bytes
        hex(NeedleBlob.newBuilder().setMd5LimitBytes(8 << 20).build().toByteString()));
  }

  @Test
  void aBlobIsMetadataAndMore() throws StoreException {
    ObjectMetadata metadata =
        ObjectMetadata.newBuilder()
            .putHeaders("content-type", "text/plain")
            .putUser("colour", "blue")
            .setOwner("ann")
            .build();
    NeedleBlob rest =
        NeedleBlob.newBuilder()
            .setCellLength(1 << 20)
            .setUploadId(A)
            .setPartNumber(7)
            .setConditional(true)
            .setChecksum(ChecksumAlgorithm.SHA256)
            .build();
    ByteString blob = NeedleFacts.blob(metadata, rest);
    assertEquals(metadata, NeedleFacts.metadata(blob));
    assertEquals(rest, NeedleFacts.rest(blob));
    assertEquals(metadata, NeedleFacts.metadata(metadata.toByteString()));
    assertEquals(NeedleBlob.getDefaultInstance(), NeedleFacts.rest(metadata.toByteString()));
  }

  @Test
  void aBlobNamesTheChecksumInOneOfThreeWays() {
    NeedleBlob none = NeedleBlob.getDefaultInstance();
    assertEquals(ChecksumAlgorithm.CHECKSUM_NONE, NeedleFacts.checksum(none));
    assertEquals(
        ChecksumAlgorithm.CRC32,
        NeedleFacts.checksum(none.toBuilder().setChecksum(ChecksumAlgorithm.CRC32).build()));
    assertEquals(
        ChecksumAlgorithm.CRC64NVME,
        NeedleFacts.checksum(none.toBuilder().setCrc64Nvme(true).build()));
    assertEquals(
        ChecksumAlgorithm.CRC32C, NeedleFacts.checksum(none.toBuilder().setCrc32C(true).build()));
  }

  @Test
  void aHeaderDoesNotGrowHoweverOftenItsNeedleMoves() throws StoreException {
    ByteString blob =
        NeedleFacts.blob(
            ObjectMetadata.newBuilder().putHeaders("content-type", "text/plain").build(),
            NeedleBlob.newBuilder().setConditional(true).setUploadId(A).build());
    NeedleHeader first =
        new NeedleHeader(NeedleHeader.Kind.PACKED, 1, id("61"), A, 5, 0, 0, 0, 0, blob);
    int length = NeedleFacts.placed(first, 7, 8).encodedLength();
    NeedleHeader moved = first;
    for (int i = 1; i <= 5; i++) {
      moved = NeedleFacts.placed(NeedleFacts.unplaced(moved), 7L * i, 8L * i);
      assertEquals(length, moved.encodedLength());
    }
    NeedleBlob rest = NeedleFacts.rest(moved.blob());
    assertTrue(NeedleFacts.standsAt(rest, 35, 40));
    assertTrue(rest.getConditional());
    assertEquals(A, rest.getUploadId());
    assertEquals(
        "text/plain", NeedleFacts.metadata(moved.blob()).getHeadersOrThrow("content-type"));
    NeedleHeader streamed =
        NeedleFacts.unplaced(
            new NeedleHeader(
                NeedleHeader.Kind.STREAMED,
                1,
                id("61"),
                A,
                5,
                0,
                0,
                0,
                0,
                blob.concat(NeedleBlob.newBuilder().setCellLength(4096).build().toByteString())));
    assertEquals(blob.size(), streamed.blob().size(), "the shape of a run is its own");
  }

  @Test
  void aRecordComesBackFromItsNeedle() throws StoreException {
    Fact fact =
        Fact.newBuilder()
            .setBucket(BucketInfo.newBuilder().setName("b").setId(9).build().toByteString())
            .build();
    ByteString payload = fact.toByteString();
    NeedleHeader header = NeedleFacts.header(9, ByteString.copyFromUtf8("b"), A, 1234, payload);
    assertEquals(NeedleHeader.Kind.RECORD, header.kind());
    assertEquals(1234, header.clockMicros());
    assertEquals(NeedleCodec.crc(payload.asReadOnlyByteBuffer()), header.payloadCrc());
    ByteBuffer encoded = ByteBuffer.allocate(header.encodedLength());
    NeedleCodec.encode(header, encoded);
    assertEquals(header, NeedleCodec.decode(encoded.flip()));
    assertEquals(fact, NeedleFacts.fact(payload));
  }

  @Test
  void whatANewerVersionStatesIsRefused() {
    StoreException e =
        assertThrows(StoreException.class, () -> NeedleFacts.fact(id("a20600"))); // field 100
    assertEquals(ErrorCode.FORMAT_TOO_NEW, e.code());
    assertThrows(CorruptDataException.class, () -> NeedleFacts.fact(id("0aff")));
  }

  @Test
  void partsAreInOrder() throws StoreException {
    CommittedFact fact =
        CommittedFact.newBuilder()
            .setVersion(
                ObjectVersion.newBuilder().setLength(11).addPartLengths(5).addPartLengths(6))
            .setPartWriteIds(B.concat(A))
            .build();
    assertEquals(List.of(B, A), NeedleFacts.partWriteIds(fact));
    CommittedFact wrong = fact.toBuilder().setPartWriteIds(B).build();
    assertThrows(CorruptDataException.class, () -> NeedleFacts.partWriteIds(wrong));
    CommittedFact.Builder ofAnother = fact.toBuilder();
    ofAnother.getVersionBuilder().setLength(5);
    assertThrows(CorruptDataException.class, () -> NeedleFacts.partWriteIds(ofAnother.build()));
  }
}
