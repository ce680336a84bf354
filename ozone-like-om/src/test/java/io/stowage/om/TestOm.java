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
package io.stowage.om;

import io.stowage.common.error.ErrorCode;
import io.stowage.common.error.StoreException;
import io.stowage.common.expiry.DayLength;
import io.stowage.common.id.WriteId;
import io.stowage.common.proto.CompletePart;
import io.stowage.common.proto.CompleteUploadRequest;
import io.stowage.common.proto.Condition;
import io.stowage.common.proto.CreateBucketRequest;
import io.stowage.common.proto.CreateUploadRequest;
import io.stowage.common.proto.DeleteObjectsRequest;
import io.stowage.common.proto.DeletedObject;
import io.stowage.common.proto.Extent;
import io.stowage.common.proto.ExtentReplacement;
import io.stowage.common.proto.GetBucketRequest;
import io.stowage.common.proto.GetObjectRequest;
import io.stowage.common.proto.JudgeNeedlesRequest;
import io.stowage.common.proto.JudgedNeedle;
import io.stowage.common.proto.LeaseGrant;
import io.stowage.common.proto.ListObjectsReply;
import io.stowage.common.proto.ListObjectsRequest;
import io.stowage.common.proto.Manifest;
import io.stowage.common.proto.NeedleRef;
import io.stowage.common.proto.ObjectToDelete;
import io.stowage.common.proto.ObjectVersion;
import io.stowage.common.proto.PutObjectRequest;
import io.stowage.common.proto.PutPartRequest;
import io.stowage.common.proto.RenameObjectRequest;
import io.stowage.common.proto.ReplaceExtentsReply;
import io.stowage.common.proto.ReplaceExtentsRequest;
import io.stowage.common.proto.UpdateBucketRequest;
import io.stowage.common.proto.UploadedPart;
import io.stowage.common.proto.Versioning;
import io.stowage.common.time.Pause;
import io.stowage.common.time.StoreClock;
import io.stowage.om.table.HBaseFixture;
import io.stowage.om.table.HBaseTables;
import io.stowage.om.table.MemoryRowStore;
import io.stowage.om.table.Regions;
import io.stowage.om.table.RowStore;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.atomic.AtomicLong;
import org.apache.hadoop.thirdparty.protobuf.ByteString;

/**
 * An object manager over given tables, and requests in one line each. What an object holds is told
 * by its MD5, which is that of a text; its bytes are nowhere.
 */
final class TestOm {
  static final OmConfig.Collecting COLLECTING =
      new OmConfig.Collecting(
          Duration.ofMinutes(1), Duration.ofMinutes(5), Duration.ofHours(24), Duration.ofHours(1));

  static final OmConfig.Expiring EXPIRING = new OmConfig.Expiring(DayLength.REAL, 100_000);

  static final OmConfig CONFIG =
      new OmConfig(
          "stowage",
          "rs-3-2",
          Duration.ofMinutes(15),
          Duration.ofSeconds(10),
          Duration.ofSeconds(60),
          Duration.ofMillis(50),
          COLLECTING,
          EXPIRING);

  private static final AtomicLong OFFSETS = new AtomicLong();

  /** Three tables, shared by as many object managers as a test wants. */
  record Tables(RowStore buckets, RowStore objects, RowStore identities, Regions regions) {
    static Tables inMemory() {
      MemoryRowStore objects = new MemoryRowStore();
      Regions one =
          new Regions() {
            @Override
            public List<ByteString> starts() {
              return List.of(ByteString.EMPTY);
            }

            @Override
            public void compact(ByteString from, ByteString to) {
              objects.compact();
            }
          };
      return new Tables(new MemoryRowStore(), objects, new MemoryRowStore(), one);
    }

    Tables withObjects(RowStore other) {
      return new Tables(buckets, other, identities, regions);
    }
  }

  /** Where {@link #onHBase()} has its tables. */
  static final String NAMESPACE = "stowage";

  private static HBaseTables hbase;

  /** The tables of this JVM's HBase. */
  static synchronized Tables onHBase() throws Exception {
    if (hbase == null) {
      hbase = openHBase(NAMESPACE);
    }
    return tables(hbase);
  }

  /** Tables of this JVM's HBase that nobody else uses; not closed before the JVM. */
  static Tables onHBase(String namespace) throws Exception {
    return tables(openHBase(namespace));
  }

  private static HBaseTables openHBase(String namespace) throws Exception {
    return HBaseTables.open(
        HBaseFixture.configuration(),
        namespace,
        List.of(),
        Duration.ofSeconds(60),
        StoreClock.system().wallMicros());
  }

  private static Tables tables(HBaseTables tables) {
    return new Tables(tables.buckets(), tables.objects(), tables.identities(), tables.regions());
  }

  final Namespace om;
  final RowStore objects;
  final StoreClock clock;

  TestOm(Tables tables, FakeContainers containers, StoreClock clock) {
    this(CONFIG, tables, containers, clock, Pause.REAL);
  }

  TestOm(OmConfig config, Tables tables, FakeContainers containers, StoreClock clock, Pause pause) {
    this.clock = clock;
    this.objects = tables.objects();
    this.om =
        new Namespace(
            config,
            tables.buckets(),
            tables.objects(),
            tables.identities(),
            containers,
            clock,
            pause);
  }

  static TestOm inMemory() {
    return new TestOm(Tables.inMemory(), new FakeContainers(), StoreClock.system());
  }

  void createBucket(String name) throws StoreException {
    om.createBucket(
        CreateBucketRequest.newBuilder()
            .setName(name)
            .setOwner("owner")
            .setWriteId(WriteId.random())
            .build());
  }

  void setVersioning(String bucket, Versioning versioning) throws StoreException {
    om.updateBucket(
        UpdateBucketRequest.newBuilder()
            .setName(bucket)
            .setVersioning(versioning)
            .setWriteId(WriteId.random())
            .build());
  }

  static ByteString md5(String content) {
    return md5(content.getBytes(StandardCharsets.UTF_8));
  }

  static ByteString md5(byte[] content) {
    try {
      return ByteString.copyFrom(MessageDigest.getInstance("MD5").digest(content));
    } catch (NoSuchAlgorithmException e) {
      throw new IllegalStateException(e);
    }
  }

  static Manifest manifest(long length, int extents) {
    Manifest.Builder manifest = Manifest.newBuilder().setLength(length);
    for (int i = 0; i < extents; i++) {
      manifest.addExtents(
          Extent.newBuilder()
              .setContainer(7)
              .setEpoch(1)
              .setOffset(OFFSETS.addAndGet(4_096))
              .setCellLength(4_096)
              .setWidth(1)
              .setLength(length / extents + 64)
              .setHeaderLength(64));
    }
    return manifest.build();
  }

  LeaseGrant grant() {
    return LeaseGrant.newBuilder()
        .setContainer(7)
        .setEpoch(1)
        .setGrantedMicros(clock.wallMicros())
        .build();
  }

  PutObjectRequest.Builder putRequest(String bucket, String key, String content) {
    return PutObjectRequest.newBuilder()
        .setBucket(bucket)
        .setKey(key)
        .setWriteId(WriteId.random())
        .setLength(content.length())
        .setMd5(md5(content))
        .setManifest(manifest(content.length(), content.isEmpty() ? 0 : 1))
        .addGrants(grant());
  }

  ObjectVersion put(String bucket, String key, String content) throws StoreException {
    return om.putObject(putRequest(bucket, key, content).build()).getVersion();
  }

  ObjectVersion putIfAbsent(String bucket, String key, String content) throws StoreException {
    return om.putObject(
            putRequest(bucket, key, content)
                .setCondition(Condition.newBuilder().setMustBeAbsent(true))
                .build())
        .getVersion();
  }

  /** The current version with its manifest, or null. */
  ObjectVersion get(String bucket, String key) throws StoreException {
    return get(GetObjectRequest.newBuilder().setBucket(bucket).setKey(key));
  }

  /** What a snapshot shows of a key, with its manifest, or null. */
  ObjectVersion getOfSnapshot(String bucket, String snapshot, String key) throws StoreException {
    return get(GetObjectRequest.newBuilder().setBucket(bucket).setKey(key).setSnapshot(snapshot));
  }

  private ObjectVersion get(GetObjectRequest.Builder asked) throws StoreException {
    try {
      return om.getObject(asked.setWantManifest(true).build()).getVersion();
    } catch (StoreException e) {
      if (e.code() == ErrorCode.NO_SUCH_KEY) {
        return null;
      }
      throw e;
    }
  }

  DeletedObject delete(String bucket, String key, ByteString writeId) throws StoreException {
    return delete(bucket, ObjectToDelete.newBuilder().setKey(key).setWriteId(writeId));
  }

  DeletedObject deleteVersion(String bucket, String key, ObjectVersion version)
      throws StoreException {
    return delete(
        bucket,
        ObjectToDelete.newBuilder()
            .setKey(key)
            .setVersionId(version.getVersionId())
            .setWriteId(WriteId.random()));
  }

  private DeletedObject delete(String bucket, ObjectToDelete.Builder what) throws StoreException {
    DeletedObject deleted =
        om.deleteObjects(
                DeleteObjectsRequest.newBuilder().setBucket(bucket).addObjects(what).build())
            .getObjects(0);
    if (deleted.getErrorCode() != 0) {
      throw StoreException.of(
          ErrorCode.ofNumber(deleted.getErrorCode()), deleted.getErrorMessage());
    }
    return deleted;
  }

  DeletedObject delete(String bucket, String key) throws StoreException {
    return delete(bucket, key, WriteId.random());
  }

  ObjectVersion rename(String bucket, String from, String to, boolean overwrite)
      throws StoreException {
    return rename(bucket, from, to, overwrite, WriteId.random());
  }

  ObjectVersion rename(String bucket, String from, String to, boolean overwrite, ByteString writeId)
      throws StoreException {
    return om.renameObject(
            RenameObjectRequest.newBuilder()
                .setBucket(bucket)
                .setSource(from)
                .setTarget(to)
                .setOverwrite(overwrite)
                .setWriteId(writeId)
                .build())
        .getVersion();
  }

  ListObjectsReply list(String bucket, String prefix, String delimiter, String after, int limit)
      throws StoreException {
    return om.listObjects(
        ListObjectsRequest.newBuilder()
            .setBucket(bucket)
            .setPrefix(prefix)
            .setDelimiter(delimiter)
            .setStartAfter(after)
            .setLimit(limit)
            .build());
  }

  long bucketId(String bucket) throws StoreException {
    return om.getBucket(GetBucketRequest.newBuilder().setName(bucket).build()).getBucket().getId();
  }

  /** Judges the needle at an extent's address that names this row. */
  JudgedNeedle judge(ByteString row, Extent extent) throws StoreException {
    return om.judgeNeedles(
            JudgeNeedlesRequest.newBuilder()
                .setContainer(extent.getContainer())
                .addNeedles(
                    NeedleRef.newBuilder()
                        .setRow(row)
                        .setEpoch(extent.getEpoch())
                        .setOffset(extent.getOffset())
                        .setShard(extent.getFirstShard()))
                .build())
        .getNeedles(0);
  }

  ReplaceExtentsReply.Outcome replace(ByteString row, Extent from, Extent... to)
      throws StoreException {
    return replacePart(row, ByteString.EMPTY, 0, from, to);
  }

  ReplaceExtentsReply.Outcome replacePart(
      ByteString row, ByteString uploadId, int number, Extent from, Extent... to)
      throws StoreException {
    return replace(
        ReplaceExtentsRequest.newBuilder().setRow(row).setUploadId(uploadId).setPartNumber(number),
        from,
        to);
  }

  ReplaceExtentsReply.Outcome replaceVersion(
      ByteString row, long versionId, Extent from, Extent... to) throws StoreException {
    return replace(
        ReplaceExtentsRequest.newBuilder().setRow(row).setVersionId(versionId), from, to);
  }

  private ReplaceExtentsReply.Outcome replace(
      ReplaceExtentsRequest.Builder where, Extent from, Extent... to) throws StoreException {
    return om.replaceExtents(
            where
                .addReplacements(ExtentReplacement.newBuilder().setFrom(from).addAllTo(List.of(to)))
                .addGrants(grant())
                .build())
        .getOutcome();
  }

  /** Chunks of manifests in a row whose head is committed. */
  int chunks(ByteString row) throws IOException {
    return objects.getFamilies(row, "m").cells().size();
  }

  ByteString createUpload(String bucket, String key) throws StoreException {
    return om.createUpload(
            CreateUploadRequest.newBuilder()
                .setBucket(bucket)
                .setKey(key)
                .setWriteId(WriteId.random())
                .build())
        .getUploadId();
  }

  PutPartRequest.Builder partRequest(
      String bucket, String key, ByteString uploadId, int number, String content, long length) {
    return PutPartRequest.newBuilder()
        .setBucket(bucket)
        .setKey(key)
        .setUploadId(uploadId)
        .setPart(
            UploadedPart.newBuilder()
                .setNumber(number)
                .setLength(length)
                .setMd5(md5(content))
                .setWriteId(WriteId.random())
                .setManifest(manifest(length, 1)))
        .addGrants(grant());
  }

  void putPart(
      String bucket, String key, ByteString uploadId, int number, String content, long length)
      throws StoreException {
    om.putPart(partRequest(bucket, key, uploadId, number, content, length).build());
  }

  static CompletePart named(int number, String content) {
    return CompletePart.newBuilder().setNumber(number).setMd5(md5(content)).build();
  }

  static CompleteUploadRequest.Builder completeRequest(
      String bucket, String key, ByteString uploadId, CompletePart... parts) {
    return CompleteUploadRequest.newBuilder()
        .setBucket(bucket)
        .setKey(key)
        .setUploadId(uploadId)
        .setWriteId(WriteId.random())
        .addAllParts(List.of(parts));
  }
}
