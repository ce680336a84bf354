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
package io.stowage.client.twin;

import io.stowage.common.erasure.ErasurePolicy;
import io.stowage.common.error.ErrorCode;
import io.stowage.common.error.StoreException;
import io.stowage.common.expiry.Retention;
import io.stowage.common.id.WriteId;
import io.stowage.common.om.BucketEncryption;
import io.stowage.common.om.ObjectManager;
import io.stowage.common.proto.AbortUploadReply;
import io.stowage.common.proto.AbortUploadRequest;
import io.stowage.common.proto.BucketInfo;
import io.stowage.common.proto.BucketQuota;
import io.stowage.common.proto.Checksum;
import io.stowage.common.proto.ClaimDutyReply;
import io.stowage.common.proto.ClaimDutyRequest;
import io.stowage.common.proto.ClearEventsReply;
import io.stowage.common.proto.ClearEventsRequest;
import io.stowage.common.proto.CompletePart;
import io.stowage.common.proto.CompleteUploadReply;
import io.stowage.common.proto.CompleteUploadRequest;
import io.stowage.common.proto.Condition;
import io.stowage.common.proto.ContainerInfo;
import io.stowage.common.proto.ContainerState;
import io.stowage.common.proto.CreateBucketReply;
import io.stowage.common.proto.CreateBucketRequest;
import io.stowage.common.proto.CreateSnapshotReply;
import io.stowage.common.proto.CreateSnapshotRequest;
import io.stowage.common.proto.CreateUploadReply;
import io.stowage.common.proto.CreateUploadRequest;
import io.stowage.common.proto.CreateUserReply;
import io.stowage.common.proto.CreateUserRequest;
import io.stowage.common.proto.DeleteBucketReply;
import io.stowage.common.proto.DeleteBucketRequest;
import io.stowage.common.proto.DeleteDirectoryReply;
import io.stowage.common.proto.DeleteDirectoryRequest;
import io.stowage.common.proto.DeleteObjectsReply;
import io.stowage.common.proto.DeleteObjectsRequest;
import io.stowage.common.proto.DeleteSnapshotReply;
import io.stowage.common.proto.DeleteSnapshotRequest;
import io.stowage.common.proto.DeleteUserReply;
import io.stowage.common.proto.DeleteUserRequest;
import io.stowage.common.proto.DeletedObject;
import io.stowage.common.proto.Entity;
import io.stowage.common.proto.EntityKind;
import io.stowage.common.proto.EventNote;
import io.stowage.common.proto.EventRecord;
import io.stowage.common.proto.Extent;
import io.stowage.common.proto.ExtentReplacement;
import io.stowage.common.proto.FileLease;
import io.stowage.common.proto.FindPathReply;
import io.stowage.common.proto.FindPathRequest;
import io.stowage.common.proto.GetBucketReply;
import io.stowage.common.proto.GetBucketRequest;
import io.stowage.common.proto.GetBucketUsageReply;
import io.stowage.common.proto.GetBucketUsageRequest;
import io.stowage.common.proto.GetEntityReply;
import io.stowage.common.proto.GetEntityRequest;
import io.stowage.common.proto.GetIdentityReply;
import io.stowage.common.proto.GetIdentityRequest;
import io.stowage.common.proto.GetObjectReply;
import io.stowage.common.proto.GetObjectRequest;
import io.stowage.common.proto.GetSecretReply;
import io.stowage.common.proto.GetSecretRequest;
import io.stowage.common.proto.Identity;
import io.stowage.common.proto.JudgeNeedlesReply;
import io.stowage.common.proto.JudgeNeedlesRequest;
import io.stowage.common.proto.JudgedNeedle;
import io.stowage.common.proto.LeaseContainersReply;
import io.stowage.common.proto.LeaseContainersRequest;
import io.stowage.common.proto.LifecycleStatusReply;
import io.stowage.common.proto.LifecycleStatusRequest;
import io.stowage.common.proto.ListBucketsReply;
import io.stowage.common.proto.ListBucketsRequest;
import io.stowage.common.proto.ListEntitiesReply;
import io.stowage.common.proto.ListEntitiesRequest;
import io.stowage.common.proto.ListObjectsReply;
import io.stowage.common.proto.ListObjectsRequest;
import io.stowage.common.proto.ListPartsReply;
import io.stowage.common.proto.ListPartsRequest;
import io.stowage.common.proto.ListSnapshotsReply;
import io.stowage.common.proto.ListSnapshotsRequest;
import io.stowage.common.proto.ListUploadsReply;
import io.stowage.common.proto.ListUploadsRequest;
import io.stowage.common.proto.ListUsersReply;
import io.stowage.common.proto.ListUsersRequest;
import io.stowage.common.proto.ListVersionsReply;
import io.stowage.common.proto.ListVersionsRequest;
import io.stowage.common.proto.LocateContainersReply;
import io.stowage.common.proto.LocateContainersRequest;
import io.stowage.common.proto.Manifest;
import io.stowage.common.proto.NeedleHolder;
import io.stowage.common.proto.NeedleRef;
import io.stowage.common.proto.ObjectMetadata;
import io.stowage.common.proto.ObjectToDelete;
import io.stowage.common.proto.ObjectVersion;
import io.stowage.common.proto.OpenFileReply;
import io.stowage.common.proto.OpenFileRequest;
import io.stowage.common.proto.PlaceObjectReply;
import io.stowage.common.proto.PlaceObjectRequest;
import io.stowage.common.proto.PutEntityReply;
import io.stowage.common.proto.PutEntityRequest;
import io.stowage.common.proto.PutIdentityReply;
import io.stowage.common.proto.PutIdentityRequest;
import io.stowage.common.proto.PutObjectReply;
import io.stowage.common.proto.PutObjectRequest;
import io.stowage.common.proto.PutPartReply;
import io.stowage.common.proto.PutPartRequest;
import io.stowage.common.proto.RecoverFileReply;
import io.stowage.common.proto.RecoverFileRequest;
import io.stowage.common.proto.ReleaseLeaseReply;
import io.stowage.common.proto.ReleaseLeaseRequest;
import io.stowage.common.proto.RenameObjectReply;
import io.stowage.common.proto.RenameObjectRequest;
import io.stowage.common.proto.RenamePrefixReply;
import io.stowage.common.proto.RenamePrefixRequest;
import io.stowage.common.proto.RenameSnapshotReply;
import io.stowage.common.proto.RenameSnapshotRequest;
import io.stowage.common.proto.RenewLeasesReply;
import io.stowage.common.proto.RenewLeasesRequest;
import io.stowage.common.proto.ReplaceExtentsReply;
import io.stowage.common.proto.ReplaceExtentsRequest;
import io.stowage.common.proto.ReportDamageReply;
import io.stowage.common.proto.ReportDamageRequest;
import io.stowage.common.proto.RestoreBucketReply;
import io.stowage.common.proto.RestoreBucketRequest;
import io.stowage.common.proto.RestoreRowsReply;
import io.stowage.common.proto.RestoreRowsRequest;
import io.stowage.common.proto.RevokeSecretReply;
import io.stowage.common.proto.RevokeSecretRequest;
import io.stowage.common.proto.ScanEventsReply;
import io.stowage.common.proto.ScanEventsRequest;
import io.stowage.common.proto.ScanNamespaceReply;
import io.stowage.common.proto.ScanNamespaceRequest;
import io.stowage.common.proto.SetObjectMetadataReply;
import io.stowage.common.proto.SetObjectMetadataRequest;
import io.stowage.common.proto.Snapshot;
import io.stowage.common.proto.SyncFileReply;
import io.stowage.common.proto.SyncFileRequest;
import io.stowage.common.proto.UpdateBucketReply;
import io.stowage.common.proto.UpdateBucketRequest;
import io.stowage.common.proto.UpdateUserReply;
import io.stowage.common.proto.UpdateUserRequest;
import io.stowage.common.proto.UploadInfo;
import io.stowage.common.proto.UploadedPart;
import io.stowage.common.proto.User;
import io.stowage.common.proto.Versioning;
import io.stowage.common.time.StoreClock;
import java.nio.ByteBuffer;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.HexFormat;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.NavigableMap;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.concurrent.ThreadLocalRandom;
import java.util.function.BiFunction;
import java.util.function.Function;
import org.apache.hadoop.thirdparty.protobuf.ByteString;
import org.apache.hadoop.thirdparty.protobuf.InvalidProtocolBufferException;

/**
 * A namespace in sorted maps. Every call is atomic, renames of prefixes too. It grants no leases:
 * it goes with {@link InMemoryDataPath}. Thread-safe by one lock.
 */
public final class InMemoryObjectManager implements ObjectManager {
  /** This twin's identity of table object: it is never dropped. */
  private static final ByteString TABLE = WriteId.random();

  private static final int LONGEST_PAGE = 1_000;
  private static final long SMALLEST_PART = 5L << 20;

  /** Order of the UTF-8 bytes, which differs from that of Java's strings above U+FFFF. */
  private static final Comparator<String> KEY_ORDER =
      Comparator.comparing(
          ByteString::copyFromUtf8, ByteString.unsignedLexicographicalComparator());

  private final StoreClock clock;
  private final String defaultPolicy;
  private final Map<String, Bucket> buckets = new TreeMap<>(KEY_ORDER);
  private final Map<String, Identity> identities = new HashMap<>();
  private final TreeMap<String, User> users = new TreeMap<>();
  private final TreeMap<String, Entity> entities = new TreeMap<>();
  private final Map<ByteString, EventRecord> events = new LinkedHashMap<>();
  private final Map<String, ClaimDutyRequest> duties = new HashMap<>();
  private final Map<ByteString, Object> replies = new HashMap<>();
  private long lastStamp;
  private StoreException refusal;

  private static final class Bucket {
    BucketInfo info;
    final InMemoryVersions versions = new InMemoryVersions(KEY_ORDER);
    final TreeMap<String, ObjectVersion> objects = versions.objects;
    final Map<String, NavigableMap<String, ObjectVersion>> snapshots = new LinkedHashMap<>();
    final TreeMap<String, Map<ByteString, Upload>> uploads = new TreeMap<>(KEY_ORDER);

    Bucket(BucketInfo info) {
      this.info = info;
    }
  }

  private static final class Upload {
    final UploadInfo info;
    final TreeMap<Integer, UploadedPart> parts = new TreeMap<>();

    Upload(UploadInfo info) {
      this.info = info;
    }
  }

  public InMemoryObjectManager(StoreClock clock, String defaultPolicy) {
    this.clock = clock;
    this.defaultPolicy = defaultPolicy;
  }

  /** Replaces an object's manifest as a repack does: a higher stamp, the same version. */
  public synchronized void repack(String bucket, String key, Function<Manifest, Manifest> move)
      throws StoreException {
    Map<String, ObjectVersion> objects = bucket(bucket).objects;
    ObjectVersion old = find(objects, key);
    objects.put(
        key,
        old.toBuilder().setStamp(nextStamp()).setManifest(move.apply(old.getManifest())).build());
  }

  @Override
  public synchronized CreateBucketReply createBucket(CreateBucketRequest request)
      throws StoreException {
    CreateBucketReply earlier = earlier(request.getWriteId(), CreateBucketReply.class);
    if (earlier != null) {
      return earlier;
    }
    Bucket existing = buckets.get(request.getName());
    if (existing != null) {
      throw new StoreException(
          existing.info.getOwner().equals(request.getOwner())
              ? ErrorCode.BUCKET_OWNED_BY_CALLER
              : ErrorCode.BUCKET_EXISTS,
          "Cannot create bucket " + request.getName() + ": it is there");
    }
    BucketInfo info =
        BucketInfo.newBuilder()
            .setName(request.getName())
            .setId(ThreadLocalRandom.current().nextLong())
            .setOwner(request.getOwner())
            .setLayout(request.getLayout())
            .setPolicy(request.getPolicy().isEmpty() ? defaultPolicy : request.getPolicy())
            .setCreatedMicros(clock.wallMicros())
            .setRegion(request.getRegion())
            .putAllSettings(request.getSettingsMap())
            .setVersioning(request.getVersioning())
            .build();
    buckets.put(info.getName(), new Bucket(info));
    return remember(request.getWriteId(), CreateBucketReply.newBuilder().setBucket(info).build());
  }

  @Override
  public synchronized GetBucketReply getBucket(GetBucketRequest request) throws StoreException {
    return GetBucketReply.newBuilder().setBucket(bucket(request.getName()).info).build();
  }

  @Override
  public synchronized UpdateBucketReply updateBucket(UpdateBucketRequest request)
      throws StoreException {
    UpdateBucketReply earlier = earlier(request.getWriteId(), UpdateBucketReply.class);
    if (earlier != null) {
      return earlier;
    }
    Bucket bucket = bucket(request.getName());
    for (Map.Entry<String, ByteString> seen : request.getOnlyIfMap().entrySet()) {
      if (!bucket
          .info
          .getSettingsOrDefault(seen.getKey(), ByteString.EMPTY)
          .equals(seen.getValue())) {
        throw new StoreException(
            ErrorCode.PRECONDITION_FAILED,
            "Cannot change bucket " + request.getName() + ": its " + seen.getKey() + " changed");
      }
    }
    BucketInfo.Builder changed = bucket.info.toBuilder();
    request.getRemoveList().forEach(changed::removeSettings);
    changed.putAllSettings(request.getPutMap());
    if (!request.getPolicy().isEmpty()) {
      changed.setPolicy(request.getPolicy());
    }
    if (request.getVersioning() != Versioning.UNVERSIONED) {
      changed.setVersioning(request.getVersioning());
    }
    Retention.requireKept(bucket.info, changed.build());
    bucket.info = changed.build();
    return remember(
        request.getWriteId(), UpdateBucketReply.newBuilder().setBucket(bucket.info).build());
  }

  @Override
  public synchronized DeleteBucketReply deleteBucket(DeleteBucketRequest request)
      throws StoreException {
    DeleteBucketReply earlier = earlier(request.getWriteId(), DeleteBucketReply.class);
    if (earlier != null) {
      return earlier;
    }
    Bucket bucket = bucket(request.getName());
    if (!bucket.versions.isEmpty()) { // uploads do not count, as in S3
      throw new StoreException(
          ErrorCode.BUCKET_NOT_EMPTY, "Cannot delete bucket " + request.getName() + ": not empty");
    }
    buckets.remove(request.getName());
    return remember(request.getWriteId(), DeleteBucketReply.getDefaultInstance());
  }

  @Override
  public synchronized ListBucketsReply listBuckets(ListBucketsRequest request) {
    ListBucketsReply.Builder reply = ListBucketsReply.newBuilder();
    for (Bucket bucket : buckets.values()) {
      BucketInfo info = bucket.info;
      if (KEY_ORDER.compare(info.getName(), request.getAfter()) <= 0
          || !info.getName().startsWith(request.getPrefix())
          || !(request.getOwner().isEmpty() || request.getOwner().equals(info.getOwner()))) {
        continue;
      }
      if (reply.getBucketsCount() == page(request.getLimit())) {
        return reply.setMore(true).build();
      }
      reply.addBuckets(info);
    }
    return reply.build();
  }

  @Override
  public synchronized CreateSnapshotReply createSnapshot(CreateSnapshotRequest request)
      throws StoreException {
    Bucket bucket = bucket(request.getBucket());
    if (bucket.snapshots.containsKey(request.getName())) {
      throw new StoreException(ErrorCode.KEY_EXISTS, "Cannot make " + request.getName());
    }
    TreeMap<String, ObjectVersion> copy = new TreeMap<>(KEY_ORDER);
    copy.putAll(bucket.objects);
    bucket.snapshots.put(request.getName(), copy);
    return CreateSnapshotReply.newBuilder()
        .setSnapshot(Snapshot.newBuilder().setName(request.getName()).setStamp(nextStamp()))
        .build();
  }

  private static NavigableMap<String, ObjectVersion> snapshot(Bucket bucket, String name)
      throws StoreException {
    NavigableMap<String, ObjectVersion> snapshot = bucket.snapshots.get(name);
    if (snapshot == null) {
      throw new StoreException(ErrorCode.NO_SUCH_KEY, "Cannot find snapshot " + name);
    }
    return snapshot;
  }

  @Override
  public synchronized RenameSnapshotReply renameSnapshot(RenameSnapshotRequest request)
      throws StoreException {
    Bucket bucket = bucket(request.getBucket());
    NavigableMap<String, ObjectVersion> snapshot = snapshot(bucket, request.getName());
    if (bucket.snapshots.putIfAbsent(request.getNewName(), snapshot) != null) {
      throw new StoreException(ErrorCode.KEY_EXISTS, "Cannot rename " + request.getName());
    }
    bucket.snapshots.remove(request.getName());
    return RenameSnapshotReply.getDefaultInstance();
  }

  @Override
  public synchronized DeleteSnapshotReply deleteSnapshot(DeleteSnapshotRequest request)
      throws StoreException {
    Bucket bucket = bucket(request.getBucket());
    snapshot(bucket, request.getName());
    bucket.snapshots.remove(request.getName());
    return DeleteSnapshotReply.getDefaultInstance();
  }

  @Override
  public synchronized ListSnapshotsReply listSnapshots(ListSnapshotsRequest request)
      throws StoreException {
    ListSnapshotsReply.Builder reply = ListSnapshotsReply.newBuilder();
    bucket(request.getBucket())
        .snapshots
        .keySet()
        .forEach(name -> reply.addSnapshots(Snapshot.newBuilder().setName(name)));
    return reply.build();
  }

  /** Counts; nothing is refused. */
  @Override
  public synchronized GetBucketUsageReply getBucketUsage(GetBucketUsageRequest request)
      throws StoreException {
    Bucket bucket = bucket(request.getBucket());
    ByteString quota = bucket.info.getSettingsMap().getOrDefault("quota", ByteString.EMPTY);
    try {
      return GetBucketUsageReply.newBuilder()
          .setObjects(bucket.objects.size())
          .setBytes(bucket.objects.values().stream().mapToLong(ObjectVersion::getLength).sum())
          .setQuota(BucketQuota.parseFrom(quota))
          .build();
    } catch (InvalidProtocolBufferException e) {
      throw new StoreException(ErrorCode.INVALID_ARGUMENT, "Cannot read a quota", e);
    }
  }

  @Override
  public synchronized GetObjectReply getObject(GetObjectRequest request) throws StoreException {
    ObjectVersion version =
        request.getSnapshot().isEmpty()
            ? bucket(request.getBucket()).versions.find(request.getKey(), request.getVersionId())
            : snapshot(bucket(request.getBucket()), request.getSnapshot()).get(request.getKey());
    boolean marker = version != null && version.getDeleteMarker();
    if (marker && request.getWantDeleteMarker()) {
      return GetObjectReply.newBuilder().setVersion(version).build();
    }
    if (version == null || marker) {
      throw new StoreException(
          request.getVersionId() == 0 ? ErrorCode.NO_SUCH_KEY : ErrorCode.NO_SUCH_VERSION,
          "Cannot find version " + request.getVersionId() + " of " + request.getKey());
    }
    if (request.getPinnedStamp() != 0 && !request.getPinnedWriteId().equals(version.getWriteId())) {
      throw new StoreException(
          ErrorCode.PRECONDITION_FAILED, "Cannot read on: " + request.getKey() + " was replaced");
    }
    GetObjectReply.Builder reply = GetObjectReply.newBuilder();
    if (!request.getWantManifest()) {
      return reply.setVersion(withoutManifest(version)).build();
    }
    version.getManifest().getExtentsList().stream()
        .map(Extent::getContainer)
        .distinct()
        .forEach(id -> reply.addContainers(container(id)));
    return reply.setVersion(version).build();
  }

  @Override
  public synchronized JudgeNeedlesReply judgeNeedles(JudgeNeedlesRequest request) {
    JudgeNeedlesReply.Builder reply = JudgeNeedlesReply.newBuilder().setObjectTable(TABLE);
    for (NeedleRef needle : request.getNeedlesList()) {
      JudgedNeedle.Builder judged = JudgedNeedle.newBuilder();
      forEachManifest(
          (holder, manifest) -> {
            for (Extent extent : manifest.getExtentsList()) {
              if (extent.getContainer() == request.getContainer()
                  && extent.getOffset() == needle.getOffset()
                  && extent.getFirstShard() == needle.getShard()
                  && (needle.getEpoch() == 0 || needle.getEpoch() == extent.getEpoch())) {
                judged.addHolders(holder.toBuilder().setExtent(extent));
              }
            }
            return manifest;
          });
      reply.addNeedles(judged.setDead(judged.getHoldersCount() == 0));
    }
    return reply.build();
  }

  @Override
  public synchronized ReplaceExtentsReply replaceExtents(ReplaceExtentsRequest request)
      throws StoreException {
    Map<Extent, List<Extent>> changes = new HashMap<>();
    for (ExtentReplacement one : request.getReplacementsList()) {
      long payload = one.getFrom().getLength() - one.getFrom().getHeaderLength();
      for (Extent extent : one.getToList()) {
        payload -= extent.getLength() - extent.getHeaderLength();
      }
      if (payload != 0) {
        throw new StoreException(
            ErrorCode.INVALID_ARGUMENT,
            "Cannot replace extents: a replacement is shorter or longer by " + payload + " bytes");
      }
      changes.put(one.getFrom(), one.getToList());
    }
    ReplaceExtentsReply.Builder reply =
        ReplaceExtentsReply.newBuilder().setOutcome(ReplaceExtentsReply.Outcome.CHANGED);
    forEachManifest(
        (holder, manifest) -> {
          List<Extent> extents = manifest.getExtentsList();
          boolean asked =
              holder.getRow().equals(request.getRow())
                  && holder.getUploadId().equals(request.getUploadId())
                  && holder.getPartNumber() == request.getPartNumber()
                  && (request.getVersionId() == 0
                      || request.getVersionId() == holder.getVersionId());
          if (!asked) {
            return manifest;
          }
          if (!extents.containsAll(changes.keySet())) {
            if (changes.values().stream().allMatch(extents::containsAll)) {
              reply.setOutcome(ReplaceExtentsReply.Outcome.REPLACED);
            }
            return manifest;
          }
          Manifest.Builder changed = manifest.toBuilder().clearExtents();
          extents.forEach(
              extent -> changed.addAllExtents(changes.getOrDefault(extent, List.of(extent))));
          reply.setOutcome(ReplaceExtentsReply.Outcome.REPLACED);
          return changed.build();
        });
    return reply.build();
  }

  /** What names bytes: versions, and parts of uploads. A manifest that is changed is put back. */
  private void forEachManifest(BiFunction<NeedleHolder, Manifest, Manifest> change) {
    for (Bucket bucket : buckets.values()) {
      bucket.versions.replaceAll(
          version -> {
            NeedleHolder holder =
                NeedleHolder.newBuilder()
                    .setRow(row(bucket, version.getKey()))
                    .setVersionId(version.getVersionId())
                    .setStamp(version.getStamp())
                    .build();
            Manifest changed = change.apply(holder, version.getManifest());
            return changed.equals(version.getManifest())
                ? version
                : version.toBuilder().setStamp(nextStamp()).setManifest(changed).build();
          });
      bucket.uploads.forEach(
          (key, uploads) ->
              uploads.forEach(
                  (uploadId, upload) ->
                      upload.parts.replaceAll(
                          (number, part) ->
                              part.toBuilder()
                                  .setManifest(
                                      change.apply(
                                          NeedleHolder.newBuilder()
                                              .setRow(row(bucket, key))
                                              .setUploadId(uploadId)
                                              .setPartNumber(number)
                                              .build(),
                                          part.getManifest()))
                                  .build())));
    }
  }

  private static ByteString row(Bucket bucket, String key) {
    return ByteString.copyFrom(ByteBuffer.allocate(8).putLong(bucket.info.getId()).flip())
        .concat(ByteString.copyFromUtf8(key));
  }

  @Override
  public synchronized PutObjectReply putObject(PutObjectRequest request) throws StoreException {
    PutObjectReply earlier = earlier(request.getWriteId(), PutObjectReply.class);
    if (earlier != null) {
      return earlier;
    }
    Bucket bucket = bucket(request.getBucket());
    refuse();
    BucketEncryption.requireDecided(
        bucket.info,
        request.getKey(),
        request.getMetadata(),
        request.getLength(),
        request.getEncryptionDecided());
    if (request.getLeaseMicros() != 0) {
      BucketEncryption.requireGrowable(
          bucket.info, "keep " + request.getKey() + " open", request.getMetadata());
    }
    check(bucket, request.getKey(), request.getCondition());
    ObjectVersion.Builder put =
        ObjectVersion.newBuilder()
            .setKey(request.getKey())
            .setWriteId(request.getWriteId())
            .setLength(request.getLength())
            .setMd5(request.getMd5())
            .addAllChecksums(request.getChecksumsList())
            .setMetadata(request.getMetadata())
            .setManifest(request.getManifest());
    if (request.getUnhashed()) {
      put.setPartCount(1).addPartLengths(request.getLength()).setPartWriteIds(request.getWriteId());
    }
    ObjectVersion version = put(bucket, put);
    note(bucket, request.getKey(), request.getEvent(), version);
    PutObjectReply.Builder reply =
        PutObjectReply.newBuilder().setVersion(version.toBuilder().clearManifest());
    if (request.getLeaseMicros() != 0) {
      reply.setLease(lease(bucket, version, request.getWriteId(), request.getLeaseMicros()));
    }
    return remember(request.getWriteId(), reply.build());
  }

  /** Opens what a key holds. */
  private FileLease lease(
      Bucket bucket, ObjectVersion version, ByteString holder, long leaseMicros) {
    ObjectVersion open =
        version.toBuilder()
            .setOpenEpoch(nextStamp())
            .setOpenUntilMicros(clock.wallMicros() + leaseMicros)
            .build();
    bucket.objects.put(version.getKey(), open);
    return FileLease.newBuilder()
        .setEpoch(open.getOpenEpoch())
        .setUntilMicros(open.getOpenUntilMicros())
        .setCursor(holder)
        .build();
  }

  @Override
  public synchronized OpenFileReply openFile(OpenFileRequest request) throws StoreException {
    OpenFileReply earlier = earlier(request.getHolder(), OpenFileReply.class);
    if (earlier != null) {
      return earlier;
    }
    Bucket bucket = bucket(request.getBucket());
    ObjectVersion version = find(bucket.objects, request.getKey());
    BucketEncryption.requireGrowable(
        bucket.info, "append to " + request.getKey(), version.getMetadata());
    if (version.getOpenEpoch() != 0 && version.getOpenUntilMicros() > clock.wallMicros()) {
      throw new StoreException(
          ErrorCode.CONFLICT, "Cannot append to " + request.getKey() + ": it is being written");
    }
    FileLease lease = lease(bucket, version, request.getHolder(), request.getLeaseMicros());
    return remember(
        request.getHolder(),
        OpenFileReply.newBuilder()
            .setLease(lease)
            .setVersion(version)
            .setNeedleRowKey(ByteString.copyFromUtf8(request.getKey()))
            .build());
  }

  @Override
  public synchronized SyncFileReply syncFile(SyncFileRequest request) throws StoreException {
    Bucket bucket = bucket(request.getBucket());
    ObjectVersion version = bucket.objects.get(request.getKey());
    if (version == null
        || version.getOpenEpoch() != request.getEpoch()
        || version.getLength() != request.getLength()) {
      throw new StoreException(
          ErrorCode.LEASE_LOST, "Cannot go on writing " + request.getKey() + ": it is not yours");
    }
    ObjectVersion.Builder next = version.toBuilder().setStamp(nextStamp());
    if (request.getExtentsCount() > 0) {
      Manifest.Builder manifest = Manifest.newBuilder();
      long at = 0;
      for (Extent extent : version.getManifest().getExtentsList()) {
        if (at < request.getFrom()) {
          manifest.addExtents(extent);
          at += extent.getLength() - extent.getHeaderLength();
        }
      }
      if (at != request.getFrom()) {
        throw new StoreException(ErrorCode.INVALID_ARGUMENT, "No piece begins at " + at);
      }
      for (Extent extent : request.getExtentsList()) {
        manifest.addExtents(extent);
        at += extent.getLength() - extent.getHeaderLength();
      }
      if (at > version.getLength()
          && version.getMetadata().getFile().getModifiedMillisPlusOne() != 0) {
        next.getMetadataBuilder().getFileBuilder().clearModifiedMillisPlusOne();
      }
      next.setLength(at)
          .setManifest(manifest.setLength(at))
          .setModifiedMicros(clock.wallMicros())
          .setPartCount(1)
          .setMd5(nextMark());
    }
    SyncFileReply.Builder reply = SyncFileReply.newBuilder();
    if (request.getClose()) {
      next.clearOpenEpoch().clearOpenUntilMicros();
      reply.setVersion(next.build().toBuilder().clearManifest());
    } else {
      next.setOpenUntilMicros(clock.wallMicros() + request.getLeaseMicros());
      reply.setLease(
          FileLease.newBuilder()
              .setEpoch(request.getEpoch())
              .setUntilMicros(next.getOpenUntilMicros())
              .setCursor(request.getCursor()));
    }
    bucket.objects.put(request.getKey(), next.build());
    return reply.build();
  }

  private ByteString nextMark() {
    return ByteString.copyFrom(ByteBuffer.allocate(16).putLong(0).putLong(nextStamp()).flip());
  }

  @Override
  public synchronized RecoverFileReply recoverFile(RecoverFileRequest request)
      throws StoreException {
    Bucket bucket = bucket(request.getBucket());
    ObjectVersion closed = closed(find(bucket.objects, request.getKey()));
    bucket.objects.put(request.getKey(), closed);
    return RecoverFileReply.newBuilder().setVersion(closed.toBuilder().clearManifest()).build();
  }

  private static ObjectVersion closed(ObjectVersion version) {
    return version.toBuilder().clearOpenEpoch().clearOpenUntilMicros().build();
  }

  @Override
  public synchronized DeleteObjectsReply deleteObjects(DeleteObjectsRequest request)
      throws StoreException {
    Bucket bucket = bucket(request.getBucket());
    DeleteObjectsReply.Builder reply = DeleteObjectsReply.newBuilder();
    for (ObjectToDelete object : request.getObjectsList()) {
      DeletedObject earlier = earlier(object.getWriteId(), DeletedObject.class);
      if (earlier != null) {
        reply.addObjects(earlier);
        continue;
      }
      DeletedObject.Builder deleted = DeletedObject.newBuilder().setKey(object.getKey());
      try {
        refuse();
        check(
            bucket.versions.find(object.getKey(), object.getVersionId()),
            object.getKey(),
            object.getCondition());
        delete(bucket, object, deleted);
        if (deleted.getStamp() != 0) {
          note(bucket, object.getKey(), object.getEvent(), null);
        }
      } catch (StoreException e) {
        deleted.setErrorCode(e.code().number()).setErrorMessage(e.getMessage());
      }
      reply.addObjects(remember(object.getWriteId(), deleted.build()));
    }
    return reply.build();
  }

  private void delete(Bucket bucket, ObjectToDelete object, DeletedObject.Builder deleted)
      throws StoreException {
    Versioning versioning = bucket.info.getVersioning();
    if (object.getVersionId() != 0) {
      ObjectVersion kept = bucket.versions.find(object.getKey(), object.getVersionId());
      if (kept != null) {
        Retention.requireRemovable(
            kept.getMetadata(), clock.wallMicros(), object.getBypassGovernance(), object.getKey());
      }
      ObjectVersion gone = bucket.versions.remove(object.getKey(), object.getVersionId());
      if (gone != null) {
        deleted.setStamp(nextStamp()).setVersion(gone.toBuilder().clearManifest());
      }
    } else if (versioning == Versioning.UNVERSIONED) {
      if (bucket.objects.remove(object.getKey()) != null) {
        deleted.setStamp(nextStamp());
      }
    } else {
      long stamp = nextStamp();
      deleted
          .setStamp(stamp)
          .setVersion(bucket.versions.mark(versioning, object.getKey(), stamp, object.getOwner()));
    }
  }

  @Override
  public synchronized ListVersionsReply listVersions(ListVersionsRequest request)
      throws StoreException {
    return bucket(request.getBucket()).versions.list(request, page(request.getLimit()));
  }

  @Override
  public PlaceObjectReply placeObject(PlaceObjectRequest request) {
    return PlaceObjectReply.newBuilder().setRowKey(request.getKey()).build();
  }

  @Override
  public synchronized FindPathReply findPath(FindPathRequest request) throws StoreException {
    Bucket bucket = bucket(request.getBucket());
    NavigableMap<String, ObjectVersion> objects =
        request.getSnapshot().isEmpty() ? bucket.objects : snapshot(bucket, request.getSnapshot());
    ObjectVersion file = objects.get(request.getPath());
    if (file != null) {
      return FindPathReply.newBuilder().setVersion(file.toBuilder().clearManifest()).build();
    }
    String prefix = request.getPath().isEmpty() ? "" : request.getPath() + "/";
    String first = objects.ceilingKey(prefix);
    if (!prefix.isEmpty() && (first == null || !first.startsWith(prefix))) {
      if (request.getWantAbsence()) {
        return FindPathReply.newBuilder().setAbsent(true).build();
      }
      throw new StoreException(ErrorCode.NO_SUCH_KEY, "Cannot find " + request.getPath());
    }
    FindPathReply.Builder reply = FindPathReply.newBuilder().setDirectory(true);
    if (prefix.equals(first)) {
      reply.setVersion(objects.get(first).toBuilder().clearManifest());
    }
    return reply.build();
  }

  /** There are buckets of layout OBJECT only. */
  @Override
  public DeleteDirectoryReply deleteDirectory(DeleteDirectoryRequest request)
      throws StoreException {
    throw new StoreException(
        ErrorCode.INVALID_ARGUMENT, "Cannot delete " + request.getPath() + " in one step");
  }

  @Override
  public synchronized SetObjectMetadataReply setObjectMetadata(SetObjectMetadataRequest request)
      throws StoreException {
    InMemoryVersions versions = bucket(request.getBucket()).versions;
    ObjectVersion version = versions.find(request.getKey(), request.getVersionId());
    if (version == null || version.getDeleteMarker()) {
      throw new StoreException(
          request.getVersionId() == 0 ? ErrorCode.NO_SUCH_KEY : ErrorCode.NO_SUCH_VERSION,
          "Cannot find version " + request.getVersionId() + " of " + request.getKey());
    }
    if (version.getStamp() != request.getStamp()) {
      throw new StoreException(
          ErrorCode.CONFLICT, "Cannot change " + request.getKey() + ": it changed meanwhile");
    }
    Retention.requireChangeable(
        version.getMetadata(),
        request.getMetadata(),
        clock.wallMicros(),
        request.getBypassGovernance(),
        request.getKey());
    ObjectVersion changed =
        version.toBuilder().setMetadata(request.getMetadata()).setStamp(nextStamp()).build();
    versions.replace(version, changed);
    note(bucket(request.getBucket()), request.getKey(), request.getEvent(), changed);
    return SetObjectMetadataReply.newBuilder()
        .setVersion(changed.toBuilder().clearManifest())
        .build();
  }

  @Override
  public synchronized RenameObjectReply renameObject(RenameObjectRequest request)
      throws StoreException {
    RenameObjectReply earlier = earlier(request.getWriteId(), RenameObjectReply.class);
    if (earlier != null) {
      return earlier;
    }
    Map<String, ObjectVersion> objects = bucket(request.getBucket()).objects;
    ObjectVersion source = find(objects, request.getSource());
    if (!request.getOverwrite() && objects.containsKey(request.getTarget())) {
      throw new StoreException(
          ErrorCode.KEY_EXISTS, "Cannot rename to " + request.getTarget() + ": it is there");
    }
    objects.remove(request.getSource());
    ObjectVersion target =
        closed(source).toBuilder().setKey(request.getTarget()).setStamp(nextStamp()).build();
    objects.put(request.getTarget(), target);
    return remember(
        request.getWriteId(),
        RenameObjectReply.newBuilder().setVersion(target.toBuilder().clearManifest()).build());
  }

  @Override
  public synchronized RenamePrefixReply renamePrefix(RenamePrefixRequest request)
      throws StoreException {
    RenamePrefixReply earlier = earlier(request.getWriteId(), RenamePrefixReply.class);
    if (earlier != null) {
      return earlier;
    }
    TreeMap<String, ObjectVersion> objects = bucket(request.getBucket()).objects;
    List<String> keys = new ArrayList<>();
    for (String key : objects.tailMap(request.getSourcePrefix(), true).keySet()) {
      if (!key.startsWith(request.getSourcePrefix())) {
        break;
      }
      keys.add(key);
    }
    for (String key : keys) {
      String target = request.getTargetPrefix() + key.substring(request.getSourcePrefix().length());
      ObjectVersion moved = objects.remove(key);
      objects.put(target, closed(moved).toBuilder().setKey(target).setStamp(nextStamp()).build());
    }
    return remember(
        request.getWriteId(), RenamePrefixReply.newBuilder().setMoved(keys.size()).build());
  }

  @Override
  public synchronized ListObjectsReply listObjects(ListObjectsRequest request)
      throws StoreException {
    NavigableMap<String, ObjectVersion> objects =
        request.getSnapshot().isEmpty()
            ? bucket(request.getBucket()).objects
            : snapshot(bucket(request.getBucket()), request.getSnapshot());
    String prefix = request.getPrefix();
    String delimiter = request.getDelimiter();
    String after = request.getStartAfter();
    ListObjectsReply.Builder reply = ListObjectsReply.newBuilder();
    int count = 0;
    for (ObjectVersion version : objects.tailMap(prefix, true).values()) {
      String key = version.getKey();
      if (!key.startsWith(prefix)) {
        break;
      }
      int end = delimiter.isEmpty() ? -1 : key.indexOf(delimiter, prefix.length());
      String entry = end < 0 ? key : key.substring(0, end + delimiter.length());
      if (KEY_ORDER.compare(entry, after) <= 0 || entry.equals(reply.getLast())) {
        continue;
      }
      if (count == page(request.getLimit())) {
        return reply.setMore(true).build();
      }
      if (end < 0) {
        reply.addObjects(withoutManifest(version));
      } else {
        reply.addCommonPrefixes(entry);
        if (request.getWantMarkers() && key.equals(entry)) {
          reply.addMarkers(version.toBuilder().clearManifest().clearPartLengths());
        }
      }
      reply.setLast(entry);
      count++;
    }
    return reply.build();
  }

  @Override
  public synchronized CreateUploadReply createUpload(CreateUploadRequest request)
      throws StoreException {
    Bucket bucket = bucket(request.getBucket());
    BucketEncryption.requireDecided(
        bucket.info,
        request.getKey(),
        request.getMetadata(),
        Long.MAX_VALUE,
        request.getEncryptionDecided());
    bucket
        .uploads
        .computeIfAbsent(
            request.getKey(), key -> new TreeMap<>(ByteString.unsignedLexicographicalComparator()))
        .computeIfAbsent(
            request.getWriteId(),
            id ->
                new Upload(
                    UploadInfo.newBuilder()
                        .setKey(request.getKey())
                        .setUploadId(id)
                        .setCreatedMicros(clock.wallMicros())
                        .setMetadata(request.getMetadata())
                        .setChecksumAlgorithm(request.getChecksumAlgorithm())
                        .setChecksumFullObject(request.getChecksumFullObject())
                        .setInitiator(request.getInitiator())
                        .build()));
    return CreateUploadReply.newBuilder().setUploadId(request.getWriteId()).build();
  }

  @Override
  public synchronized PutPartReply putPart(PutPartRequest request) throws StoreException {
    UploadedPart part = request.getPart();
    upload(bucket(request.getBucket()), request.getKey(), request.getUploadId())
        .parts
        .put(part.getNumber(), part.toBuilder().setModifiedMicros(clock.wallMicros()).build());
    return PutPartReply.getDefaultInstance();
  }

  @Override
  public synchronized ListPartsReply listParts(ListPartsRequest request) throws StoreException {
    Upload upload = upload(bucket(request.getBucket()), request.getKey(), request.getUploadId());
    ListPartsReply.Builder reply = ListPartsReply.newBuilder().setUpload(upload.info);
    for (UploadedPart part : upload.parts.tailMap(request.getAfter(), false).values()) {
      if (reply.getPartsCount() == page(request.getLimit())) {
        return reply.setMore(true).build();
      }
      reply.addParts(part.toBuilder().clearManifest());
    }
    return reply.build();
  }

  @Override
  public synchronized ListUploadsReply listUploads(ListUploadsRequest request)
      throws StoreException {
    ListUploadsReply.Builder reply = ListUploadsReply.newBuilder();
    Comparator<ByteString> idOrder = ByteString.unsignedLexicographicalComparator();
    String lastPrefix = "";
    int count = 0;
    for (Map<ByteString, Upload> ofKey : bucket(request.getBucket()).uploads.values()) {
      for (Upload upload : ofKey.values()) {
        String key = upload.info.getKey();
        int marker = KEY_ORDER.compare(key, request.getKeyMarker());
        boolean passed =
            marker < 0
                || (marker == 0
                    && (request.getUploadIdMarker().isEmpty()
                        || idOrder.compare(upload.info.getUploadId(), request.getUploadIdMarker())
                            <= 0));
        int end =
            request.getDelimiter().isEmpty() || !key.startsWith(request.getPrefix())
                ? -1
                : key.indexOf(request.getDelimiter(), request.getPrefix().length());
        String common = end < 0 ? "" : key.substring(0, end + request.getDelimiter().length());
        boolean seen =
            end >= 0
                && (common.equals(lastPrefix)
                    || KEY_ORDER.compare(common, request.getKeyMarker()) <= 0);
        if (passed || seen || !key.startsWith(request.getPrefix())) {
          continue;
        }
        if (count == page(request.getLimit())) {
          return reply.setMore(true).build();
        }
        count++;
        if (end < 0) {
          reply.addUploads(upload.info);
        } else {
          reply.addCommonPrefixes(common);
          lastPrefix = common;
        }
      }
    }
    return reply.build();
  }

  @Override
  public synchronized CompleteUploadReply completeUpload(CompleteUploadRequest request)
      throws StoreException {
    CompleteUploadReply earlier = earlier(request.getWriteId(), CompleteUploadReply.class);
    if (earlier != null) {
      MessageDigest named = md5();
      request.getPartsList().forEach(part -> named.update(part.getMd5().toByteArray()));
      if (!earlier.getVersion().getMd5().equals(ByteString.copyFrom(named.digest()))) {
        throw new StoreException(
            ErrorCode.NO_SUCH_UPLOAD, "Cannot complete: it was completed with other parts");
      }
      return earlier;
    }
    Bucket bucket = bucket(request.getBucket());
    Upload upload = upload(bucket, request.getKey(), request.getUploadId());
    refuse();
    check(bucket, request.getKey(), request.getCondition());
    if (request.getPartsCount() == 0) {
      throw new StoreException(ErrorCode.INVALID_PART, "Cannot complete: no part is named");
    }
    Manifest.Builder manifest = Manifest.newBuilder();
    ObjectVersion.Builder version = ObjectVersion.newBuilder();
    MessageDigest md5 = md5();
    long length = 0;
    long stored = 0;
    ByteString partWriteIds = ByteString.EMPTY;
    int last = 0;
    for (int i = 0; i < request.getPartsCount(); i++) {
      CompletePart named = request.getParts(i);
      if (named.getNumber() <= last) {
        throw new StoreException(
            ErrorCode.INVALID_PART_ORDER, "Cannot complete: part " + named.getNumber());
      }
      last = named.getNumber();
      UploadedPart part = upload.parts.get(last);
      if (part == null || !part.getMd5().equals(named.getMd5())) {
        throw new StoreException(ErrorCode.INVALID_PART, "Cannot complete: no such part " + last);
      }
      if (part.getLength() < SMALLEST_PART && i < request.getPartsCount() - 1) {
        throw new StoreException(
            ErrorCode.PART_TOO_SMALL,
            "Cannot complete: part " + last + " has " + part.getLength() + " bytes");
      }
      md5.update(part.getMd5().toByteArray());
      manifest.addAllExtents(part.getManifest().getExtentsList());
      version.addPartLengths(part.getLength());
      length += part.getLength();
      stored += part.getManifest().getLength();
      if (part.getEncrypted()) {
        partWriteIds = partWriteIds.concat(part.getWriteId());
      }
      for (Checksum whole : request.getChecksumsList()) {
        for (Checksum checksum : part.getChecksumsList()) {
          if (whole.getComposite() && checksum.getAlgorithm() == whole.getAlgorithm()) {
            version.setPartChecksums(version.getPartChecksums().concat(checksum.getValue()));
          }
        }
      }
    }
    if (request.getLength() != 0 && request.getLength() != length) {
      throw new StoreException(
          ErrorCode.INVALID_ARGUMENT,
          "Cannot complete: " + length + " bytes instead of " + request.getLength());
    }
    ObjectVersion done =
        put(
            bucket,
            version
                .setKey(request.getKey())
                .setWriteId(request.getWriteId())
                .setLength(length)
                .setMd5(ByteString.copyFrom(md5.digest()))
                .setPartCount(request.getPartsCount())
                .addAllChecksums(request.getChecksumsList())
                .setMetadata(upload.info.getMetadata())
                .setPartWriteIds(partWriteIds)
                .setManifest(manifest.setLength(stored)));
    note(bucket, request.getKey(), request.getEvent(), done);
    removeUpload(bucket, request.getKey(), request.getUploadId());
    return remember(
        request.getWriteId(),
        CompleteUploadReply.newBuilder().setVersion(done.toBuilder().clearManifest()).build());
  }

  private static ObjectVersion.Builder withoutManifest(ObjectVersion version) {
    return version.toBuilder()
        .clearManifest()
        .clearPartLengths()
        .clearPartWriteIds()
        .clearPartChecksums();
  }

  @Override
  public synchronized AbortUploadReply abortUpload(AbortUploadRequest request)
      throws StoreException {
    Bucket bucket = bucket(request.getBucket());
    upload(bucket, request.getKey(), request.getUploadId());
    removeUpload(bucket, request.getKey(), request.getUploadId());
    return AbortUploadReply.getDefaultInstance();
  }

  @Override
  public LeaseContainersReply leaseContainer(LeaseContainersRequest request) throws StoreException {
    throw noLeases();
  }

  @Override
  public RenewLeasesReply renewLeases(RenewLeasesRequest request) throws StoreException {
    throw noLeases();
  }

  @Override
  public ReleaseLeaseReply releaseLease(ReleaseLeaseRequest request) throws StoreException {
    throw noLeases();
  }

  @Override
  public ReportDamageReply reportDamage(ReportDamageRequest request) throws StoreException {
    throw noLeases();
  }

  @Override
  public LocateContainersReply locateContainers(LocateContainersRequest request) {
    LocateContainersReply.Builder reply = LocateContainersReply.newBuilder();
    request.getIdsList().forEach(id -> reply.addContainers(container(id)));
    return reply.build();
  }

  @Override
  public ScanNamespaceReply scanNamespace(ScanNamespaceRequest request) throws StoreException {
    throw notHere();
  }

  @Override
  public RestoreRowsReply restoreRows(RestoreRowsRequest request) throws StoreException {
    throw notHere();
  }

  @Override
  public RestoreBucketReply restoreBucket(RestoreBucketRequest request) throws StoreException {
    throw notHere();
  }

  private static StoreException notHere() {
    return new StoreException(ErrorCode.INVALID_ARGUMENT, "Cannot check or rebuild the twin");
  }

  @Override
  public synchronized GetIdentityReply getIdentity(GetIdentityRequest request)
      throws StoreException {
    Identity identity = identities.get(request.getAccessKey());
    Entity role = entities.get(EntityKind.ROLE + request.getRoleName());
    if (!request.getRoleName().isEmpty() && role != null) {
      identity =
          Identity.newBuilder()
              .setRoleName(role.getName())
              .setUser(role.getCanonicalId())
              .setUserId(role.getId())
              .setPath(role.getPath())
              .putAllPolicies(role.getPoliciesMap())
              .build();
    } else if (users.containsKey(request.getUserName())) {
      identity = Identity.newBuilder().setUserName(request.getUserName()).build();
    }
    if (identity != null && !identity.getUserName().isEmpty()) {
      User user = users.get(identity.getUserName());
      Identity.Builder found =
          identity.toBuilder()
              .setUser(user.getCanonicalId())
              .setUserId(user.getId())
              .setPath(user.getPath())
              .setAdmin(user.getAdmin())
              .putAllPolicies(user.getPoliciesMap());
      user.getGroupsMap()
          .values()
          .forEach(
              id -> {
                for (Entity group : entities.values()) {
                  if (group.getKind() == EntityKind.GROUP && group.getId().equals(id)) {
                    group
                        .getPoliciesMap()
                        .forEach(
                            (p, json) ->
                                found.putPolicies("group/" + group.getName() + "/" + p, json));
                  }
                }
              });
      identity = user.getInactiveKeysList().contains(request.getAccessKey()) ? null : found.build();
    }
    if (identity == null) {
      throw new StoreException(
          ErrorCode.ACCESS_DENIED, "Cannot find access key " + request.getAccessKey());
    }
    return GetIdentityReply.newBuilder().setIdentity(identity).build();
  }

  @Override
  public synchronized PutIdentityReply putIdentity(PutIdentityRequest request) {
    identities.put(request.getIdentity().getAccessKey(), request.getIdentity());
    return PutIdentityReply.getDefaultInstance();
  }

  @Override
  public synchronized CreateUserReply createUser(CreateUserRequest request) throws StoreException {
    CreateUserReply earlier = earlier(request.getWriteId(), CreateUserReply.class);
    if (earlier != null) {
      return earlier;
    }
    String name = request.getUser().getName();
    if (users.containsKey(name) || identities.containsKey(request.getAccessKey())) {
      throw new StoreException(
          ErrorCode.KEY_EXISTS, "Cannot create user " + name + ": name or key is taken");
    }
    User.Builder user = request.getUser().toBuilder().setCreatedMicros(clock.wallMicros());
    if (user.getId().isEmpty()) {
      user.setId(
          "AIDA" + WriteId.toHex(WriteId.random()).substring(0, 17).toUpperCase(Locale.ROOT));
    }
    if (user.getCanonicalId().isEmpty()) {
      user.setCanonicalId(HexFormat.of().formatHex(WriteId.random().toByteArray()));
    }
    if (!request.getAccessKey().isEmpty()) {
      user.addAccessKeys(request.getAccessKey());
      addKey(name, request.getAccessKey(), request.getSecretKey());
    }
    users.put(name, user.build());
    return remember(
        request.getWriteId(), CreateUserReply.newBuilder().setUser(users.get(name)).build());
  }

  private void addKey(String user, String accessKey, String secret) {
    identities.put(
        accessKey,
        Identity.newBuilder()
            .setAccessKey(accessKey)
            .setSecretKey(secret)
            .setUserName(user)
            .setCreatedMicros(clock.wallMicros())
            .build());
  }

  @Override
  public synchronized UpdateUserReply updateUser(UpdateUserRequest request) throws StoreException {
    User seen = user(request.getName());
    if (!request.getOnlyIfGroupsMap().entrySet().stream()
        .allMatch(asked -> seen.getGroupsOrDefault(asked.getKey(), "").equals(asked.getValue()))) {
      throw new StoreException(
          ErrorCode.PRECONDITION_FAILED, "Cannot change user " + request.getName());
    }
    List<String> keys = new ArrayList<>(seen.getAccessKeysList());
    for (String removed : request.getRemoveKeysList()) {
      if (keys.remove(removed)) {
        identities.remove(removed);
      }
    }
    for (Identity added : request.getAddKeysList()) {
      if (!keys.contains(added.getAccessKey())) {
        if (identities.containsKey(added.getAccessKey())) {
          throw new StoreException(
              ErrorCode.KEY_EXISTS, "Cannot use access key " + added.getAccessKey());
        }
        keys.add(added.getAccessKey());
      }
      addKey(request.getName(), added.getAccessKey(), added.getSecretKey());
    }
    if (request.getAddKeysCount() > 0
        && request.getMostKeys() > 0
        && keys.size() > request.getMostKeys()) {
      throw new StoreException(ErrorCode.TOO_LARGE, "Cannot give more keys");
    }
    User.Builder user = seen.toBuilder().clearAccessKeys().addAllAccessKeys(keys);
    request.getRemovePoliciesList().forEach(user::removePolicies);
    user.putAllPolicies(request.getPutPoliciesMap());
    request.getRemoveGroupsList().forEach(user::removeGroups);
    user.putAllGroups(request.getPutGroupsMap());
    request.getRemoveTagsList().forEach(user::removeTags);
    user.putAllTags(request.getPutTagsMap());
    Set<String> inactive = new TreeSet<>(user.getInactiveKeysList());
    inactive.addAll(request.getDeactivateKeysList());
    inactive.removeAll(request.getActivateKeysList());
    inactive.retainAll(keys);
    user.clearInactiveKeys().addAllInactiveKeys(inactive);
    if (!request.getPath().isEmpty()) {
      user.setPath(request.getPath());
    }
    String name = request.getName();
    if (!request.getNewName().isEmpty() && !request.getNewName().equals(name)) {
      if (users.containsKey(request.getNewName())) {
        throw new StoreException(ErrorCode.KEY_EXISTS, "Cannot rename user " + name);
      }
      users.remove(name);
      name = request.getNewName();
      user.setName(name);
      for (String key : keys) {
        identities.put(key, identities.get(key).toBuilder().setUserName(name).build());
      }
    }
    users.put(name, user.build());
    return UpdateUserReply.newBuilder().setUser(user).build();
  }

  private User user(String name) throws StoreException {
    User user = users.get(name);
    if (user == null) {
      throw new StoreException(ErrorCode.NO_SUCH_KEY, "Cannot find user " + name);
    }
    return user;
  }

  @Override
  public synchronized ListUsersReply listUsers(ListUsersRequest request) {
    if (!request.getOnly().isEmpty()) {
      User user = users.get(request.getOnly());
      return user == null
          ? ListUsersReply.getDefaultInstance()
          : ListUsersReply.newBuilder().addUsers(user).build();
    }
    int limit = request.getLimit() == 0 ? 1_000 : Math.min(1_000, request.getLimit());
    List<User> behind = List.copyOf(users.tailMap(request.getAfter(), false).values());
    return ListUsersReply.newBuilder()
        .addAllUsers(behind.subList(0, Math.min(limit, behind.size())))
        .setMore(behind.size() > limit)
        .build();
  }

  @Override
  public synchronized DeleteUserReply deleteUser(DeleteUserRequest request) throws StoreException {
    user(request.getName()).getAccessKeysList().forEach(identities::remove);
    users.remove(request.getName());
    return DeleteUserReply.getDefaultInstance();
  }

  @Override
  public synchronized GetSecretReply getSecret(GetSecretRequest request) throws StoreException {
    String name = request.getUser();
    if (users.containsKey(name) && users.get(name).getAccessKeysList().contains(name)) {
      throw new StoreException(ErrorCode.KEY_EXISTS, "Cannot get a secret for " + name);
    }
    String secret = "secret of " + name;
    User before = users.getOrDefault(name, User.newBuilder().setName(name).build());
    users.put(name, before.toBuilder().addAccessKeys(name).setCanonicalId(name).build());
    addKey(name, name, secret);
    return GetSecretReply.newBuilder().setAccessKey(name).setSecretKey(secret).build();
  }

  @Override
  public synchronized RevokeSecretReply revokeSecret(RevokeSecretRequest request)
      throws StoreException {
    var unused =
        updateUser(
            UpdateUserRequest.newBuilder()
                .setName(request.getUser())
                .addRemoveKeys(request.getUser())
                .build());
    return RevokeSecretReply.getDefaultInstance();
  }

  /** Answers every put and every deletion so from now on; null: as they deserve. */
  public synchronized void refuseChanges(StoreException refusal) {
    this.refusal = refusal;
  }

  private void refuse() throws StoreException {
    if (refusal != null) {
      throw refusal;
    }
  }

  private void note(Bucket bucket, String key, EventNote note, ObjectVersion version) {
    if (!note.getId().isEmpty()) {
      EventRecord.Builder event =
          EventRecord.newBuilder().setNote(note).setRow(row(bucket, key)).setStamp(lastStamp);
      if (version != null) {
        event.setVersion(version.toBuilder().clearManifest().clearMetadata());
      }
      events.put(note.getId(), event.build());
    }
  }

  @Override
  public synchronized ScanEventsReply scanEvents(ScanEventsRequest request) {
    ScanEventsReply.Builder reply = ScanEventsReply.newBuilder();
    for (EventRecord event : events.values()) {
      if (event.getStamp() >= request.getFromStamp()
          && (request.getToStamp() == 0 || event.getStamp() < request.getToStamp())) {
        reply.addEvents(event);
      }
    }
    return reply.build();
  }

  @Override
  public synchronized ClearEventsReply clearEvents(ClearEventsRequest request) {
    request.getEventsList().forEach(event -> events.remove(event.getId()));
    return ClearEventsReply.getDefaultInstance();
  }

  /** Rules are kept and not applied. */
  @Override
  public synchronized LifecycleStatusReply lifecycleStatus(LifecycleStatusRequest request) {
    return LifecycleStatusReply.getDefaultInstance();
  }

  @Override
  public synchronized ClaimDutyReply claimDuty(ClaimDutyRequest request) {
    ClaimDutyRequest now = duties.putIfAbsent(request.getDuty(), request);
    boolean granted = now == null || now.getHolder().equals(request.getHolder());
    if (granted && request.getDurationMicros() == 0) {
      duties.remove(request.getDuty());
      granted = false;
    }
    return ClaimDutyReply.newBuilder().setGranted(granted).build();
  }

  @Override
  public synchronized GetEntityReply getEntity(GetEntityRequest request) throws StoreException {
    Entity entity = entities.get(request.getKind() + request.getName());
    if (entity == null) {
      throw new StoreException(ErrorCode.NO_SUCH_KEY, "Cannot find " + request.getName());
    }
    return GetEntityReply.newBuilder().setEntity(entity).build();
  }

  @Override
  public synchronized PutEntityReply putEntity(PutEntityRequest request) throws StoreException {
    Entity entity = request.getEntity();
    String name = entity.getKind() + entity.getName();
    Entity seen = entities.get(name);
    if (entity.getStamp() == 0 && seen != null) {
      throw new StoreException(ErrorCode.KEY_EXISTS, "Cannot create " + entity.getName());
    }
    if (entity.getStamp() != 0 && seen == null) {
      throw new StoreException(ErrorCode.NO_SUCH_KEY, "Cannot find " + entity.getName());
    }
    if (seen != null && seen.getStamp() != entity.getStamp()) {
      throw new StoreException(ErrorCode.CONFLICT, "Cannot change " + entity.getName());
    }
    Entity next = entity.toBuilder().setStamp(nextStamp()).build();
    if (request.getRemove()) {
      entities.remove(name);
    } else {
      entities.put(name, next);
    }
    return PutEntityReply.newBuilder().setEntity(next).build();
  }

  @Override
  public synchronized ListEntitiesReply listEntities(ListEntitiesRequest request) {
    ListEntitiesReply.Builder reply = ListEntitiesReply.newBuilder();
    int limit = page(request.getLimit());
    for (Entity entity : entities.values()) {
      if (entity.getKind() == request.getKind()
          && entity.getName().compareTo(request.getAfter()) > 0) {
        if (reply.getEntitiesCount() == limit) {
          return reply.setMore(true).build();
        }
        reply.addEntities(entity);
      }
    }
    return reply.build();
  }

  /** ETag as users see it, without quotes. */
  public static String etagOf(ObjectVersion version) {
    String hex = HexFormat.of().formatHex(version.getMd5().toByteArray());
    return version.getPartCount() == 0 ? hex : hex + "-" + version.getPartCount();
  }

  private ObjectVersion put(Bucket bucket, ObjectVersion.Builder version) throws StoreException {
    long stamp = nextStamp();
    ObjectMetadata metadata = Retention.withDefault(bucket.info, version.getMetadata(), stamp);
    ObjectVersion done =
        version
            .setStamp(stamp)
            .setVersionId(stamp)
            .setModifiedMicros(stamp)
            .setMetadata(metadata)
            .build();
    return bucket.versions.add(bucket.info.getVersioning(), done);
  }

  private static void check(Bucket bucket, String key, Condition condition) throws StoreException {
    check(bucket.objects.get(key), key, condition);
  }

  private static void check(ObjectVersion found, String key, Condition condition)
      throws StoreException {
    ObjectVersion current = found == null || found.getDeleteMarker() ? null : found;
    String etag = current == null ? null : etagOf(current);
    if (current == null && !condition.getIfMatchEtag().isEmpty()) {
      throw new StoreException(
          ErrorCode.NO_SUCH_KEY, "Cannot match an ETag: there is no version of " + key);
    }
    boolean holds =
        !(condition.getMustBeAbsent() && current != null)
            && (condition.getIfMatchEtag().isEmpty()
                || (current != null
                    && (condition.getIfMatchEtag().equals("*")
                        || condition.getIfMatchEtag().equals(etag))))
            && (condition.getIfNoneMatchEtag().isEmpty()
                || !condition.getIfNoneMatchEtag().equals(etag))
            && (condition.getIfVersionId() == 0
                || (current != null && condition.getIfVersionId() == current.getVersionId()))
            && (current == null
                || !condition.hasIfLength()
                || condition.getIfLength().getBytes() == current.getLength())
            && (current == null
                || !condition.hasIfModified()
                || condition.getIfModified().getSeconds()
                    == current.getModifiedMicros() / 1_000_000);
    if (!holds) {
      throw new StoreException(
          ErrorCode.PRECONDITION_FAILED, "Cannot change " + key + ": the condition does not hold");
    }
  }

  private long nextStamp() {
    lastStamp = Math.max(lastStamp + 1, clock.wallMicros());
    return lastStamp;
  }

  private Bucket bucket(String name) throws StoreException {
    Bucket bucket = buckets.get(name);
    if (bucket == null) {
      throw new StoreException(ErrorCode.NO_SUCH_BUCKET, "Cannot find bucket " + name);
    }
    return bucket;
  }

  private static ObjectVersion find(Map<String, ObjectVersion> objects, String key)
      throws StoreException {
    ObjectVersion version = objects.get(key);
    if (version == null) {
      throw new StoreException(ErrorCode.NO_SUCH_KEY, "Cannot find " + key);
    }
    return version;
  }

  private static Upload upload(Bucket bucket, String key, ByteString id) throws StoreException {
    Upload upload = bucket.uploads.getOrDefault(key, Map.of()).get(id);
    if (upload == null) {
      throw new StoreException(
          ErrorCode.NO_SUCH_UPLOAD,
          "Cannot find upload "
              + (id.size() == WriteId.BYTES ? WriteId.toHex(id) : "of " + id.size() + " bytes")
              + " of "
              + key);
    }
    return upload;
  }

  private static void removeUpload(Bucket bucket, String key, ByteString id) {
    Map<ByteString, Upload> ofKey = bucket.uploads.get(key);
    ofKey.remove(id);
    if (ofKey.isEmpty()) {
      bucket.uploads.remove(key);
    }
  }

  /** Each shard is on a host of its own, {@code shard0.container7}. */
  private ContainerInfo container(long id) {
    ContainerInfo.Builder container =
        ContainerInfo.newBuilder().setId(id).setPolicy(defaultPolicy).setState(ContainerState.OPEN);
    for (int i = 0; i < shardsOf(defaultPolicy); i++) {
      container.addShardsBuilder().setIndex(i).setHost("shard" + i + ".container" + id);
    }
    return container.build();
  }

  private static int shardsOf(String policy) {
    try {
      return ErasurePolicy.named(policy).shards();
    } catch (StoreException e) {
      throw new IllegalArgumentException(e);
    }
  }

  private static int page(int limit) {
    return limit == 0 ? LONGEST_PAGE : Math.min(limit, LONGEST_PAGE);
  }

  private <T> T earlier(ByteString writeId, Class<T> type) {
    Object reply = writeId.isEmpty() ? null : replies.get(writeId);
    return type.isInstance(reply) ? type.cast(reply) : null;
  }

  private <T> T remember(ByteString writeId, T reply) {
    if (!writeId.isEmpty()) {
      replies.put(writeId, reply);
    }
    return reply;
  }

  private static StoreException noLeases() {
    return new StoreException(ErrorCode.UNAVAILABLE, "Cannot lease: this twin has no containers");
  }

  private static MessageDigest md5() {
    try {
      return MessageDigest.getInstance("MD5");
    } catch (NoSuchAlgorithmException e) {
      throw new IllegalStateException(e);
    }
  }
}
