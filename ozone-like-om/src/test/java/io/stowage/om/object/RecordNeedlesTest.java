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

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.stowage.common.id.WriteId;
import io.stowage.common.proto.BucketInfo;
import io.stowage.common.proto.Checksum;
import io.stowage.common.proto.ChecksumAlgorithm;
import io.stowage.common.proto.Condition;
import io.stowage.common.proto.Encryption;
import io.stowage.common.proto.Extent;
import io.stowage.common.proto.Manifest;
import io.stowage.common.proto.ObjectMetadata;
import io.stowage.common.proto.ObjectVersion;
import io.stowage.common.proto.PutObjectRequest;
import io.stowage.common.proto.RecordNeedle;
import io.stowage.common.proto.Versioning;
import java.util.Collections;
import org.apache.hadoop.thirdparty.protobuf.ByteString;
import org.junit.jupiter.api.Test;

/** Which puts are told by their needles alone: docs/format/needle.md, Replay. */
class RecordNeedlesTest {
  private static final long SECOND = 1_000_000;

  private static PutObjectRequest.Builder put(long clock) {
    return PutObjectRequest.newBuilder()
        .setClockMicros(clock)
        .setManifest(Manifest.newBuilder().addExtents(Extent.newBuilder().setPacked(true)));
  }

  private static boolean headersTell(PutObjectRequest.Builder put, long above, long stamp) {
    return headersTell(put, Versioning.UNVERSIONED, above, stamp);
  }

  private static boolean headersTell(
      PutObjectRequest.Builder put, Versioning versioning, long above, long stamp) {
    return RecordNeedles.headersTell(
        put.build(), versioning, above, ObjectVersion.newBuilder().setStamp(stamp).build());
  }

  @Test
  void aClockBetweenTheStampsTellsTheOrder() {
    assertTrue(headersTell(put(100), 99, 101));
    assertTrue(headersTell(put(100), 0, 100));
    assertFalse(headersTell(put(100), 100, 101), "another committed since it began");
    assertFalse(headersTell(put(100), 150, 151));
    assertFalse(headersTell(put(100), 50, 99), "the writer's clock is ahead");
    assertFalse(headersTell(put(100), Long.MAX_VALUE, 101), "what it replaced is not known");
    assertFalse(headersTell(put(0), 0, 101), "a writer that does not say");
  }

  @Test
  void aPutThatTookLongMayHaveFollowedADeletionThatWasCollected() {
    long stamp = 1_000 * SECOND;
    assertTrue(headersTell(put(stamp - 60 * SECOND), 0, stamp));
    assertFalse(headersTell(put(stamp - 60 * SECOND - 1), 0, stamp));
  }

  @Test
  void whatNoHeaderHoldsIsRecorded() {
    assertFalse(headersTell(put(100).clearManifest(), 0, 101), "no bytes, no needle");
    assertFalse(
        headersTell(
            put(100).setManifest(Manifest.newBuilder().addExtents(Extent.newBuilder())), 0, 101),
        "streamed: its digest came after its header");
    assertFalse(
        headersTell(put(100).setCondition(Condition.newBuilder().setMustBeAbsent(true)), 0, 101));
    Checksum sha = Checksum.newBuilder().setAlgorithm(ChecksumAlgorithm.SHA256).build();
    assertTrue(headersTell(put(100).addChecksums(sha), 0, 101), "named, and told by the bytes");
    assertFalse(
        headersTell(put(100).addChecksums(sha.toBuilder().setComposite(true)), 0, 101),
        "of parts, which the bytes do not tell");
    assertFalse(headersTell(put(100).addChecksums(sha).addChecksums(sha), 0, 101));
    assertFalse(
        headersTell(
            put(100)
                .setMetadata(
                    ObjectMetadata.newBuilder()
                        .setEncryption(Encryption.newBuilder().setFormat(1))),
            0,
            101),
        "the bytes do not tell their digest");
    assertFalse(headersTell(put(100), Versioning.ENABLED, 0, 101), "a version's id");
    assertFalse(headersTell(put(100), Versioning.SUSPENDED, 0, 101), "that it is no version");
  }

  @Test
  void aPutIsRecordedOnceOthersChangeWhatItSays() {
    PutObjectRequest.Builder put =
        put(100).setMetadata(ObjectMetadata.newBuilder().setOwner("ann"));
    assertTrue(headersTell(with("ann", put), 0, 101));
    assertFalse(headersTell(with("bob", put), 0, 101));
  }

  private static PutObjectRequest.Builder with(String owner, PutObjectRequest.Builder put) {
    return RecordNeedles.with(ObjectMetadata.newBuilder().setOwner(owner).build(), put.build())
        .toBuilder();
  }

  private static ObjectVersion pieces(int count) {
    return ObjectVersion.newBuilder()
        .addAllPartLengths(Collections.nCopies(count, 3L << 20))
        .setLength(count * (3L << 20))
        .setPartWriteIds(ByteString.copyFrom(new byte[count * WriteId.BYTES]))
        .build();
  }

  @Test
  void aSyncedFileOfVeryManyPiecesIsToldNowAndThenAndWhenItIsClosed() {
    BucketInfo bucket = BucketInfo.getDefaultInstance();
    int most = FileLeases.MOST_RECORDED_PIECES;
    RecordNeedle record = FileLeases.record(bucket, pieces(most));
    assertTrue(record.getFact().getSerializedSize() < 4 << 20, "repack reads it at once");
    assertNull(FileLeases.record(bucket, pieces(most + 1)));
    int told = 0;
    for (int count = 4_001; count <= 14_000; count++) {
      told += FileLeases.isTold(pieces(count), (count - 1) * (3L << 20)) ? 1 : 0;
    }
    assertEquals(8, told); // of 12 to 42 GB
    assertTrue(FileLeases.isTold(pieces(4_000), 3_999 * (3L << 20)));
  }
}
