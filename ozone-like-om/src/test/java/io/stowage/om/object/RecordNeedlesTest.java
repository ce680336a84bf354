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

import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.stowage.common.proto.Checksum;
import io.stowage.common.proto.ChecksumAlgorithm;
import io.stowage.common.proto.Condition;
import io.stowage.common.proto.Encryption;
import io.stowage.common.proto.Extent;
import io.stowage.common.proto.Manifest;
import io.stowage.common.proto.ObjectMetadata;
import io.stowage.common.proto.ObjectVersion;
import io.stowage.common.proto.PutObjectRequest;
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
    return RecordNeedles.headersTell(
        put.build(), above, ObjectVersion.newBuilder().setStamp(stamp).build());
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
    assertTrue(headersTell(put(100).addChecksums(checksum(ChecksumAlgorithm.CRC64NVME)), 0, 101));
    assertFalse(headersTell(put(100).addChecksums(checksum(ChecksumAlgorithm.SHA256)), 0, 101));
    assertFalse(
        headersTell(
            put(100)
                .setMetadata(
                    ObjectMetadata.newBuilder()
                        .setEncryption(Encryption.newBuilder().setFormat(1))),
            0,
            101),
        "the bytes do not tell their digest");
  }

  private static Checksum checksum(ChecksumAlgorithm algorithm) {
    return Checksum.newBuilder().setAlgorithm(algorithm).build();
  }
}
