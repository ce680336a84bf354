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

import io.stowage.common.id.WriteId;
import io.stowage.common.proto.BucketDeletedFact;
import io.stowage.common.proto.BucketInfo;
import io.stowage.common.proto.Checksum;
import io.stowage.common.proto.CommittedFact;
import io.stowage.common.proto.Condition;
import io.stowage.common.proto.DeletedFact;
import io.stowage.common.proto.Extent;
import io.stowage.common.proto.Fact;
import io.stowage.common.proto.HeadRecord;
import io.stowage.common.proto.ObjectMetadata;
import io.stowage.common.proto.ObjectToDelete;
import io.stowage.common.proto.ObjectVersion;
import io.stowage.common.proto.PutObjectRequest;
import io.stowage.common.proto.RecordNeedle;
import io.stowage.common.proto.Versioning;
import io.stowage.om.table.Head;
import java.time.Duration;
import java.util.List;
import org.apache.hadoop.thirdparty.protobuf.ByteString;

/**
 * The record needles that a mutation's caller is to write: what was committed and cannot be read
 * from the headers of needles. docs/format/needle.md has the rule and why it suffices. Stateless.
 */
public final class RecordNeedles {
  /**
   * How long before its commit a put may have begun and still be told by its headers alone. Less
   * than an ABSENT head is kept, so that a head that was not there had no stamp above the clock.
   */
  static final Duration LONGEST_UNRECORDED = Duration.ofSeconds(60);

  /** A record is one needle in one cell; settings beyond this are left out of it. */
  private static final int MOST_BUCKET_BYTES = 128 << 10;

  private RecordNeedles() {}

  /**
   * Whether the headers tell all of a put: one packed needle, of a clock that lies between the
   * stamp of the head before it and its own.
   *
   * @param versioning of the bucket. Where versions are kept, a version id is the commit's, which
   *     the writer of the header did not know; and of a put that ran while they were suspended, the
   *     records of the bucket, made when everybody knew, do not say that it was no version
   * @param above stamp of the head that it replaced; 0: there was none
   */
  static boolean headersTell(
      PutObjectRequest put, Versioning versioning, long above, ObjectVersion version) {
    long clock = put.getClockMicros();
    long stamp = version.getStamp();
    List<Extent> extents = put.getManifest().getExtentsList();
    return clock > above
        && clock <= stamp
        && versioning == Versioning.UNVERSIONED
        && stamp - clock <= LONGEST_UNRECORDED.toNanos() / 1_000
        && extents.size() == 1
        && extents.get(0).getPacked()
        // the bytes do not tell length, ETag and checksum to who has no key
        && !put.getMetadata().hasEncryption()
        // the header has the retention that the put asked for, not the bucket's default
        && put.getMetadata().getLock().equals(version.getMetadata().getLock())
        && put.getCondition().equals(Condition.getDefaultInstance())
        && areOfBytes(put.getChecksumsList());
  }

  /** A put of other metadata than its writer wrote into the header, which it no longer tells. */
  public static PutObjectRequest with(ObjectMetadata metadata, PutObjectRequest put) {
    return metadata.equals(put.getMetadata())
        ? put
        : put.toBuilder().setMetadata(metadata).clearClockMicros().build();
  }

  /** None, or one that the header names and the bytes tell. */
  private static boolean areOfBytes(List<Checksum> checksums) {
    return checksums.isEmpty() || (checksums.size() == 1 && !checksums.get(0).getComposite());
  }

  /** That a row holds a version. */
  public static RecordNeedle committed(
      BucketInfo bucket, ByteString writeId, ObjectVersion version) {
    return committed(bucket, writeId, version, CommittedFact.newBuilder());
  }

  /** That a row holds the version of a completed upload. */
  public static RecordNeedle completed(
      BucketInfo bucket, ByteString writeId, ObjectVersion version, ByteString partWriteIds) {
    return committed(
        bucket, writeId, version, CommittedFact.newBuilder().setPartWriteIds(partWriteIds));
  }

  /** That a row holds what was written for another, which never held it. */
  static RecordNeedle putElsewhere(
      BucketInfo bucket, ByteString writeId, String writtenFor, ObjectVersion version) {
    return committed(
        bucket,
        writeId,
        version,
        CommittedFact.newBuilder()
            .setMovedFrom(ByteString.copyFromUtf8(writtenFor))
            .setMovedStamp(version.getStamp()));
  }

  /** That a row holds what another held, and what is left in the other. */
  public static List<RecordNeedle> moved(
      BucketInfo bucket, ByteString writeId, String source, Renames.Renamed renamed) {
    Head left = renamed.left();
    HeadRecord record = left.record();
    ObjectVersion marker = record.hasVersion() ? record.getVersion() : null;
    boolean markerIsNull = marker != null && !marker.getVersioned();
    CommittedFact.Builder fact = CommittedFact.newBuilder();
    if (record.getLeftVersionId() != 0 || !markerIsNull) { // else the marker takes its place
      fact.setMovedFrom(ByteString.copyFromUtf8(source))
          .setMovedStamp(left.stamp())
          .setMovedVersionId(record.getLeftVersionId())
          .setSourceIsEmpty(marker == null);
    }
    RecordNeedle there = committed(bucket, writeId, renamed.version(), fact);
    if (marker == null) {
      return List.of(there);
    }
    ObjectVersion.Builder told =
        marker.toBuilder().setKey(source).setWriteId(writeId).setStamp(left.stamp());
    return List.of(there, committed(bucket, writeId, told.build()));
  }

  private static RecordNeedle committed(
      BucketInfo bucket, ByteString writeId, ObjectVersion version, CommittedFact.Builder fact) {
    fact.setVersion(
        version.toBuilder()
            .clearKey()
            .clearStamp()
            .clearManifest()
            .clearPartWriteIds()
            .clearPartChecksums());
    return record(bucket, version.getKey(), writeId, version.getStamp())
        .setFact(Fact.newBuilder().setCommitted(fact))
        .build();
  }

  /**
   * That a row holds nothing, or a delete marker, or one of its versions no more.
   *
   * @param version that was deleted by its id, or the marker that was made; null: neither
   */
  public static RecordNeedle deleted(
      BucketInfo bucket, ObjectToDelete asked, long stamp, ObjectVersion version) {
    if (asked.getVersionId() == 0 && version != null) {
      return committed(bucket, asked.getWriteId(), version);
    }
    DeletedFact.Builder fact = DeletedFact.newBuilder();
    if (version != null && version.getVersioned()) {
      fact.setVersionId(version.getVersionId());
    }
    return record(bucket, asked.getKey(), asked.getWriteId(), stamp)
        .setFact(Fact.newBuilder().setDeleted(fact))
        .build();
  }

  /** That there is a bucket, and what its settings are. */
  public static RecordNeedle bucket(BucketInfo bucket, ByteString writeId, long stamp) {
    BucketInfo told =
        bucket.getSerializedSize() > MOST_BUCKET_BYTES
            ? bucket.toBuilder().clearSettings().build()
            : bucket;
    return record(bucket, bucket.getName(), writeId, stamp)
        .setFact(Fact.newBuilder().setBucket(told.toByteString()))
        .build();
  }

  /** That a bucket is no more. */
  public static RecordNeedle bucketDeleted(BucketInfo bucket, ByteString writeId, long stamp) {
    return record(bucket, bucket.getName(), writeId, stamp)
        .setFact(Fact.newBuilder().setBucketDeleted(BucketDeletedFact.getDefaultInstance()))
        .build();
  }

  private static RecordNeedle.Builder record(
      BucketInfo bucket, String key, ByteString writeId, long stamp) {
    return RecordNeedle.newBuilder()
        .setBucketId(bucket.getId())
        .setRowKey(ByteString.copyFromUtf8(key))
        .setWriteId(writeId.isEmpty() ? WriteId.random() : writeId)
        .setStamp(stamp)
        .setPolicy(bucket.getPolicy());
  }
}
