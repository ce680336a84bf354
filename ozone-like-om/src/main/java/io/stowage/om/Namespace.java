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
import io.stowage.common.id.WriteId;
import io.stowage.common.om.BucketEncryption;
import io.stowage.common.om.ObjectManager;
import io.stowage.common.proto.AbortUploadReply;
import io.stowage.common.proto.AbortUploadRequest;
import io.stowage.common.proto.BucketInfo;
import io.stowage.common.proto.BucketLayout;
import io.stowage.common.proto.ClaimDutyReply;
import io.stowage.common.proto.ClaimDutyRequest;
import io.stowage.common.proto.ClearEventsReply;
import io.stowage.common.proto.ClearEventsRequest;
import io.stowage.common.proto.CompleteUploadReply;
import io.stowage.common.proto.CompleteUploadRequest;
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
import io.stowage.common.proto.EventRef;
import io.stowage.common.proto.Extent;
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
import io.stowage.common.proto.RecordNeedle;
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
import io.stowage.common.proto.RestoreOutcome;
import io.stowage.common.proto.RestoreRowsReply;
import io.stowage.common.proto.RestoreRowsRequest;
import io.stowage.common.proto.RestoredRow;
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
import io.stowage.common.proto.UploadedPart;
import io.stowage.common.proto.Versioning;
import io.stowage.common.scm.ContainerManager;
import io.stowage.common.secret.SecretSeal;
import io.stowage.common.time.Pause;
import io.stowage.common.time.StoreClock;
import io.stowage.om.bucket.Buckets;
import io.stowage.om.bucket.PrefixRenames;
import io.stowage.om.bucket.Usage;
import io.stowage.om.directory.FileSystemBuckets;
import io.stowage.om.directory.TreeGuard;
import io.stowage.om.expiry.Expirer;
import io.stowage.om.expiry.ExpiryProgress;
import io.stowage.om.garbage.Collector;
import io.stowage.om.garbage.NeedleJudge;
import io.stowage.om.garbage.Replacements;
import io.stowage.om.identity.Entities;
import io.stowage.om.identity.Identities;
import io.stowage.om.identity.PrincipalSecrets;
import io.stowage.om.object.Deletes;
import io.stowage.om.object.ExtentSwap;
import io.stowage.om.object.FileLeases;
import io.stowage.om.object.Gets;
import io.stowage.om.object.LateChanges;
import io.stowage.om.object.Listing;
import io.stowage.om.object.Look;
import io.stowage.om.object.MetadataChanges;
import io.stowage.om.object.NamespaceScan;
import io.stowage.om.object.ObjectRows;
import io.stowage.om.object.Outbox;
import io.stowage.om.object.Puts;
import io.stowage.om.object.RecordNeedles;
import io.stowage.om.object.Renames;
import io.stowage.om.object.Restores;
import io.stowage.om.object.Snapshots;
import io.stowage.om.object.TableIdentity;
import io.stowage.om.object.VersionListing;
import io.stowage.om.row.CommitFence;
import io.stowage.om.row.ContainerLocations;
import io.stowage.om.row.Duties;
import io.stowage.om.row.RowCommitter;
import io.stowage.om.row.Stamps;
import io.stowage.om.table.BucketRowLayout;
import io.stowage.om.table.Head;
import io.stowage.om.table.IdentityRowLayout;
import io.stowage.om.table.ObjectRowLayout;
import io.stowage.om.table.Regions;
import io.stowage.om.table.RowStore;
import io.stowage.om.upload.UploadListing;
import io.stowage.om.upload.Uploads;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collections;
import java.util.HashMap;
import java.util.Iterator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Future;
import java.util.concurrent.SynchronousQueue;
import java.util.concurrent.ThreadPoolExecutor;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.Consumer;
import org.apache.hadoop.thirdparty.protobuf.ByteString;

/**
 * The object manager: resolves a request's bucket, hands it to the operation, and looks whether the
 * bucket still stands before it answers a mutation. Keeps nothing but caches. Thread-safe.
 */
final class Namespace implements ObjectManager, AutoCloseable {
  private static final int MOST_DELETES = 1_000;
  private static final int MOST_JUDGED = 1_000;
  private static final int MOST_RESTORED = 1_000;

  /** Prolonged while a collector works; after it, another takes its run over. */
  private static final Duration COLLECTOR_CLAIM = Duration.ofMinutes(2);

  /** Threads for the keys of one request; beyond them its caller works itself. */
  private static final int MOST_WORKERS = 32;

  private final ContainerManager scm;
  private final OmConfig config;
  private final RowCommitter bucketRows;
  private final ObjectRows objects;
  private final Buckets buckets;
  private final ContainerLocations locations;
  private final Identities identities;
  private final PrincipalSecrets secrets;
  private final Entities entities;
  private final Outbox outbox;
  private final Duties duties;
  private final Puts puts;
  private final FileLeases fileLeases;
  private final Gets gets;
  private final Deletes deletes;
  private final LateChanges late;
  private final MetadataChanges metadataChanges;
  private final Listing listing;
  private final VersionListing versionListing;
  private final Renames renames;
  private final PrefixRenames prefixRenames;
  private final Uploads uploads;
  private final UploadListing uploadListing;
  private final NeedleJudge judge;
  private final ExtentSwap swap;
  private final CommitFence fence;
  private final NamespaceScan scan;
  private final Restores restores;
  private final ExecutorService workers;
  private final Stamps stamps;
  private final FileSystemBuckets fileSystems;
  private final Usage usage;
  private final Snapshots snapshots;
  private final TableIdentity objectTable;
  private final Map<String, RowCommitter> tables;

  Namespace(
      OmConfig config,
      RowStore bucketTable,
      RowStore objectTable,
      RowStore identityTable,
      ContainerManager scm,
      StoreClock clock,
      Pause pause) {
    this.scm = scm;
    this.workers = workers();
    this.stamps = new Stamps(clock, config.clockBound());
    this.config = config;
    this.bucketRows = new RowCommitter(bucketTable, clock, pause, config.mutationDeadline());
    RowCommitter objectRows =
        new RowCommitter(objectTable, clock, pause, config.mutationDeadline());
    RowCommitter identityRows =
        new RowCommitter(identityTable, clock, pause, config.mutationDeadline());
    this.tables =
        Map.of(
            BucketRowLayout.TABLE, bucketRows,
            ObjectRowLayout.TABLE, objectRows,
            IdentityRowLayout.TABLE, identityRows);
    this.objects = new ObjectRows(objectRows, stamps);
    this.snapshots = new Snapshots(objects, config.clockBound());
    this.objectTable = new TableIdentity(objects);
    this.fence = new CommitFence(clock, stamps, scm, config.commitWindow(), config.clockBound());
    this.buckets =
        new Buckets(
            bucketRows,
            objects,
            stamps,
            clock,
            config.bucketCacheAge(),
            config.defaultPolicy(),
            snapshots);
    this.locations = new ContainerLocations(scm);
    this.entities = new Entities(identityRows, stamps);
    this.identities = new Identities(identityRows, stamps, entities);
    this.secrets = new PrincipalSecrets(identities);
    this.outbox = new Outbox(objects);
    this.duties = new Duties(bucketRows, stamps);
    this.puts = new Puts(objects, fence, snapshots);
    this.fileLeases = new FileLeases(objects, fence, snapshots);
    this.gets = new Gets(objects, locations);
    this.deletes = new Deletes(objects);
    this.late = new LateChanges(objects);
    this.metadataChanges = new MetadataChanges(objects);
    this.listing = new Listing(objects);
    this.versionListing = new VersionListing(objects);
    this.scan = new NamespaceScan(objects);
    this.restores = new Restores(objects);
    this.renames = new Renames(objects);
    this.prefixRenames =
        new PrefixRenames(bucketRows, stamps, listing, renames, workers, config.clockBound());
    this.uploads = new Uploads(objects, puts, fence);
    this.uploadListing = new UploadListing(objectRows);
    this.judge = new NeedleJudge(objects, snapshots, clock);
    this.swap = new ExtentSwap(objects, fence, snapshots);
    this.usage = new Usage(bucketRows, objects, clock);
    this.fileSystems =
        new FileSystemBuckets(
            bucketRows,
            objects,
            puts,
            gets,
            deletes,
            metadataChanges,
            renames,
            uploads,
            usage,
            config.mutationDeadline());
    buckets.emptinessOfTrees(fileSystems::isEmpty);
  }

  /** What the one for whom this thread works may do in a bucket's tree. */
  private static TreeGuard guard(Buckets.Known bucket) {
    return TreeGuard.of(bucket.bucket());
  }

  private static boolean isFileSystem(Buckets.Known bucket) {
    return bucket.bucket().getLayout() == BucketLayout.FILE_SYSTEM;
  }

  private static ExecutorService workers() {
    AtomicInteger number = new AtomicInteger();
    return new ThreadPoolExecutor(
        0,
        MOST_WORKERS,
        10,
        TimeUnit.SECONDS,
        new SynchronousQueue<>(),
        work -> {
          Thread thread = new Thread(work, "om-worker-" + number.incrementAndGet());
          thread.setDaemon(true);
          return thread;
        },
        new ThreadPoolExecutor.CallerRunsPolicy());
  }

  @Override
  public CreateBucketReply createBucket(CreateBucketRequest request) throws StoreException {
    Puts.requireWriteId(request.getWriteId());
    BucketInfo bucket = buckets.create(request);
    return CreateBucketReply.newBuilder()
        .setBucket(bucket)
        .addRecords(RecordNeedles.bucket(bucket, request.getWriteId(), bucket.getCreatedMicros()))
        .build();
  }

  /**
   * From now on secrets of access keys and sealing keys are stored so; before the first request.
   * Sealing keys of before are written anew, since nobody else ever writes them again.
   */
  void sealSecretsWith(SecretSeal seal) throws StoreException {
    entities.sealWith(seal);
    identities.sealWith(seal);
    entities.sealOld();
  }

  @Override
  public GetBucketReply getBucket(GetBucketRequest request) throws StoreException {
    return GetBucketReply.newBuilder()
        .setBucket(buckets.require(request.getName()).bucket())
        .build();
  }

  @Override
  public UpdateBucketReply updateBucket(UpdateBucketRequest request) throws StoreException {
    Puts.requireWriteId(request.getWriteId());
    if (request.getPutMap().containsKey(Usage.SETTING)) {
      // Refused here, or it would be at each put.
      Usage.quota(BucketInfo.newBuilder().putAllSettings(request.getPutMap()).build());
    }
    BucketInfo bucket = buckets.update(request);
    return UpdateBucketReply.newBuilder()
        .setBucket(bucket)
        .addRecords(RecordNeedles.bucket(bucket, request.getWriteId(), stamps.now()))
        .build();
  }

  @Override
  public DeleteBucketReply deleteBucket(DeleteBucketRequest request) throws StoreException {
    Puts.requireWriteId(request.getWriteId());
    BucketInfo bucket = buckets.delete(request);
    DeleteBucketReply.Builder reply = DeleteBucketReply.newBuilder();
    if (bucket != null && !bucket.getPolicy().isEmpty()) {
      reply.addRecords(RecordNeedles.bucketDeleted(bucket, request.getWriteId(), stamps.now()));
    }
    return reply.build();
  }

  @Override
  public ListBucketsReply listBuckets(ListBucketsRequest request) throws StoreException {
    return buckets.list(request);
  }

  @Override
  public GetBucketUsageReply getBucketUsage(GetBucketUsageRequest request) throws StoreException {
    BucketInfo bucket = buckets.require(request.getBucket()).bucket();
    if (request.getRecount()) {
      usage.recount(bucket);
    }
    return usage.get(bucket);
  }

  /** Writes down what was counted; every few seconds. */
  void flushUsage() {
    usage.flush();
  }

  @Override
  public CreateSnapshotReply createSnapshot(CreateSnapshotRequest request) throws StoreException {
    Buckets.Known bucket = buckets.require(request.getBucket());
    Snapshot made = snapshots.create(bucket.id(), request.getName(), request.getWriteId());
    buckets.recheck(bucket);
    return CreateSnapshotReply.newBuilder().setSnapshot(made).build();
  }

  @Override
  public RenameSnapshotReply renameSnapshot(RenameSnapshotRequest request) throws StoreException {
    long id = buckets.require(request.getBucket()).id();
    snapshots.rename(id, request.getName(), request.getNewName());
    return RenameSnapshotReply.getDefaultInstance();
  }

  @Override
  public DeleteSnapshotReply deleteSnapshot(DeleteSnapshotRequest request) throws StoreException {
    snapshots.delete(buckets.require(request.getBucket()).id(), request.getName());
    return DeleteSnapshotReply.getDefaultInstance();
  }

  @Override
  public ListSnapshotsReply listSnapshots(ListSnapshotsRequest request) throws StoreException {
    return ListSnapshotsReply.newBuilder()
        .addAllSnapshots(snapshots.list(buckets.require(request.getBucket()).id()))
        .build();
  }

  @Override
  public GetObjectReply getObject(GetObjectRequest request) throws StoreException {
    Buckets.Known bucket = buckets.require(request.getBucket());
    if (!request.getSnapshot().isEmpty()) {
      long stamp = snapshots.stampOf(bucket.id(), request.getSnapshot());
      return isFileSystem(bucket)
          ? fileSystems.getPast(bucket.bucket(), request, stamp, guard(bucket))
          : gets.get(bucket.id(), request, stamp);
    }
    return isFileSystem(bucket)
        ? fileSystems.get(bucket.bucket(), request, guard(bucket))
        : gets.get(bucket.id(), request);
  }

  @Override
  public PutObjectReply putObject(PutObjectRequest request) throws StoreException {
    Buckets.Known bucket = buckets.require(request.getBucket());
    BucketEncryption.requireDecided(
        bucket.bucket(),
        request.getKey(),
        request.getMetadata(),
        request.getLength(),
        request.getEncryptionDecided());
    if (request.getLeaseMicros() != 0) {
      BucketEncryption.requireGrowable(
          bucket.bucket(), "keep " + request.getKey() + " open", request.getMetadata());
    }
    Usage.Room room;
    try {
      room = usage.require(bucket.bucket(), 1, request.getLength());
    } catch (StoreException e) {
      if (e.code() == ErrorCode.QUOTA_EXCEEDED && isDone(bucket, request)) {
        return put(bucket, request); // an earlier sending did it, and what it put counts already
      }
      if (isFileSystem(bucket)) {
        fileSystems.forsake(bucket.bucket(), request.getKey());
      }
      throw e;
    }
    try {
      return put(bucket, request);
    } finally {
      room.close();
    }
  }

  private boolean isDone(Buckets.Known bucket, PutObjectRequest request) throws StoreException {
    return isFileSystem(bucket)
        ? fileSystems.isDone(bucket.bucket(), request)
        : puts.isDone(ObjectRows.row(bucket.id(), request.getKey()), request.getWriteId());
  }

  private PutObjectReply put(Buckets.Known bucket, PutObjectRequest request) throws StoreException {
    if (isFileSystem(bucket)) {
      PutObjectReply reply = fileSystems.put(bucket.bucket(), request, guard(bucket));
      buckets.recheck(bucket);
      return reply;
    }
    Puts.Put put = puts.put(bucket.bucket(), request);
    Buckets.Known now = buckets.recheck(bucket);
    if (!isLate(bucket, now, put.lost())) {
      return put.reply();
    }
    late.keep(ObjectRows.row(now.id(), request.getKey()), request.getWriteId(), "", put.lost());
    ObjectVersion version = put.reply().getVersion().toBuilder().setVersioned(true).build();
    return PutObjectReply.newBuilder()
        .setVersion(version)
        .setWantsRecord(true)
        .addRecords(RecordNeedles.committed(now.bucket(), request.getWriteId(), version))
        .build();
  }

  /** Whether a change let something go that the bucket, as it is now, would have kept. */
  private static boolean isLate(Buckets.Known before, Buckets.Known now, List<Head> lost) {
    return !lost.isEmpty()
        && now.bucket().getVersioning() == Versioning.ENABLED
        && before.bucket().getVersioning() != Versioning.ENABLED;
  }

  @Override
  public OpenFileReply openFile(OpenFileRequest request) throws StoreException {
    Buckets.Known bucket = buckets.require(request.getBucket());
    BucketEncryption.requireGrowable(
        bucket.bucket(), "append to " + request.getKey(), ObjectMetadata.getDefaultInstance());
    String row = rowOf(bucket, request.getKey(), false);
    OpenFileReply.Builder reply =
        fileLeases.open(bucket.bucket(), request.toBuilder().setKey(row).build()).toBuilder();
    buckets.recheck(bucket);
    if (isFileSystem(bucket)) {
      reply.getLeaseBuilder().setRowKey(row);
    }
    if (reply.hasVersion()) {
      reply.getVersionBuilder().setKey(request.getKey());
    }
    return reply.build();
  }

  @Override
  public SyncFileReply syncFile(SyncFileRequest request) throws StoreException {
    Buckets.Known bucket = buckets.require(request.getBucket());
    String row =
        isFileSystem(bucket) && !request.getRowKey().isEmpty()
            ? fileSystems.rowKeyOfLease(
                bucket.bucket(),
                request.getKey(),
                request.getRowKey(),
                request.getClose(),
                guard(bucket))
            : rowOf(bucket, request.getKey(), true);
    long added = 0;
    for (Extent extent : request.getExtentsList()) {
      added += extent.getLength() - extent.getHeaderLength();
    }
    long replaced = request.getLength() - request.getFrom();
    SyncFileReply.Builder reply =
        sync(bucket, request.toBuilder().setKey(row).build(), Math.max(0, added - replaced))
            .toBuilder();
    buckets.recheck(bucket);
    if (isFileSystem(bucket) && reply.hasLease()) {
      reply.getLeaseBuilder().setRowKey(row);
    }
    if (reply.hasVersion()) {
      reply.getVersionBuilder().setKey(request.getKey());
    }
    return reply.build();
  }

  /** Of its row, with room for these bytes more. */
  private SyncFileReply sync(Buckets.Known bucket, SyncFileRequest request, long bytes)
      throws StoreException {
    Usage.Room room;
    try {
      room = bytes == 0 ? Usage.ANY : usage.require(bucket.bucket(), 0, bytes);
    } catch (StoreException e) {
      SyncFileReply done =
          e.code() == ErrorCode.QUOTA_EXCEEDED
              ? fileLeases.doneBefore(bucket.bucket(), request)
              : null; // an earlier sending did it, and what it added counts already
      if (done == null) {
        throw e;
      }
      return done;
    }
    try {
      return fileLeases.sync(bucket.bucket(), request);
    } finally {
      room.close();
    }
  }

  @Override
  public RecoverFileReply recoverFile(RecoverFileRequest request) throws StoreException {
    Buckets.Known bucket = buckets.require(request.getBucket());
    RecoverFileReply.Builder reply =
        fileLeases
            .recover(
                bucket.bucket(),
                request.toBuilder().setKey(rowOf(bucket, request.getKey(), false)).build())
            .toBuilder();
    buckets.recheck(bucket);
    if (reply.hasVersion()) {
      reply.getVersionBuilder().setKey(request.getKey());
    }
    return reply.build();
  }

  /** What follows the bucket's id in the row of an object, whatever the bucket's layout. */
  private String rowOf(Buckets.Known bucket, String key, boolean begun) throws StoreException {
    return isFileSystem(bucket)
        ? fileSystems.rowKeyForWriter(bucket.bucket(), key, begun, guard(bucket))
        : key;
  }

  @Override
  public DeleteObjectsReply deleteObjects(DeleteObjectsRequest request) throws StoreException {
    if (request.getObjectsCount() > MOST_DELETES) {
      throw new StoreException(
          ErrorCode.INVALID_ARGUMENT,
          "Cannot delete "
              + request.getObjectsCount()
              + " objects at once: at most "
              + MOST_DELETES);
    }
    Buckets.Known bucket = buckets.require(request.getBucket());
    List<Future<DeletedObject>> deleted = new ArrayList<>(request.getObjectsCount());
    List<RecordNeedle> records = Collections.synchronizedList(new ArrayList<>());
    DeleteObjectsReply.Builder reply = DeleteObjectsReply.newBuilder();
    TreeGuard guard = guard(bucket); // workers do not know for whom they work
    if (request.getObjectsCount() == 1) {
      reply.addObjects(delete(bucket, request.getObjects(0), records, guard));
    } else {
      for (ObjectToDelete what : request.getObjectsList()) {
        deleted.add(workers.submit(() -> delete(bucket, what, records, guard)));
      }
      for (Future<DeletedObject> one : deleted) {
        reply.addObjects(await(one));
      }
    }
    buckets.recheck(bucket);
    return reply.addAllRecords(records).build();
  }

  private DeletedObject delete(
      Buckets.Known bucket, ObjectToDelete what, List<RecordNeedle> records, TreeGuard guard) {
    DeletedObject.Builder deleted = DeletedObject.newBuilder().setKey(what.getKey());
    TreeGuard ofKey = guard.ofKey(what.getKey());
    try {
      Deletes.Deleted done =
          isFileSystem(bucket)
              ? fileSystems.delete(bucket.bucket(), what, records, ofKey)
              : deletes.delete(bucket.bucket(), what);
      if (!done.lost().isEmpty() && isLate(bucket, buckets.recheck(bucket), done.lost())) {
        ByteString row = ObjectRows.row(bucket.id(), what.getKey());
        late.keep(row, what.getWriteId(), what.getOwner(), done.lost());
      }
      deleted.setStamp(done.stamp());
      if (done.version() != null) {
        deleted.setVersion(ofKey.told(done.version(), what.getKey()));
      }
      if (!isFileSystem(bucket) && done.stamp() != 0) {
        records.add(RecordNeedles.deleted(bucket.bucket(), what, done.stamp(), done.version()));
      }
    } catch (StoreException e) {
      guard.noteRefusal(what.getKey(), e);
      deleted.setErrorCode(e.code().number()).setErrorMessage(e.getMessage());
    }
    return deleted.build();
  }

  private static <T> T await(Future<T> future) throws StoreException {
    try {
      return future.get();
    } catch (ExecutionException e) {
      if (e.getCause() instanceof StoreException known) {
        throw known;
      }
      if (e.getCause() instanceof Error error) {
        throw error;
      }
      if (e.getCause() instanceof StoreException known) {
        throw known;
      }
      throw new StoreException(
          ErrorCode.INTERNAL, "Cannot work on a key: " + e.getCause(), e.getCause());
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new StoreException(ErrorCode.OUTCOME_UNKNOWN, "Cannot go on: interrupted", e);
    }
  }

  @Override
  public SetObjectMetadataReply setObjectMetadata(SetObjectMetadataRequest request)
      throws StoreException {
    Buckets.Known bucket = buckets.require(request.getBucket());
    if (isFileSystem(bucket) && request.getKey().isEmpty()) {
      return setRoot(bucket, request);
    }
    ObjectVersion version =
        isFileSystem(bucket)
            ? fileSystems.setMetadata(bucket.bucket(), request, guard(bucket))
            : metadataChanges.set(bucket.bucket(), request);
    buckets.recheck(bucket);
    return SetObjectMetadataReply.newBuilder()
        .setVersion(version.toBuilder().setKey(request.getKey()))
        .addRecords(RecordNeedles.committed(bucket.bucket(), version.getWriteId(), version))
        .build();
  }

  /** What is said of a FILE_SYSTEM bucket's root is a setting of the bucket. */
  private SetObjectMetadataReply setRoot(Buckets.Known bucket, SetObjectMetadataRequest request)
      throws StoreException {
    BucketInfo info = bucket.bucket();
    if (request.getStamp() != FileSystemBuckets.stampOfRoot(info)) {
      throw new StoreException(
          ErrorCode.CONFLICT, "Cannot change the root of " + info.getName() + ": others did");
    }
    ByteString said = FileSystemBuckets.newRoot(info, request.getMetadata(), guard(bucket));
    SetObjectMetadataReply.Builder reply =
        SetObjectMetadataReply.newBuilder()
            .setVersion(ObjectVersion.newBuilder().setMetadata(request.getMetadata()));
    if (said == null) {
      return reply.build();
    }
    ByteString before = info.getSettingsOrDefault(TreeGuard.ROOT_SETTING, ByteString.EMPTY);
    try {
      return reply
          .addAllRecords(
              updateBucket(
                      UpdateBucketRequest.newBuilder()
                          .setName(info.getName())
                          .setWriteId(WriteId.random())
                          .putPut(TreeGuard.ROOT_SETTING, said)
                          .putOnlyIf(TreeGuard.ROOT_SETTING, before)
                          .build())
                  .getRecordsList())
          .build();
    } catch (StoreException e) {
      if (e.code() == ErrorCode.PRECONDITION_FAILED) {
        throw new StoreException(
            ErrorCode.CONFLICT, "Cannot change the root of " + info.getName() + ": others did", e);
      }
      throw e;
    }
  }

  @Override
  public RenameObjectReply renameObject(RenameObjectRequest request) throws StoreException {
    Buckets.Known bucket = buckets.require(request.getBucket());
    if (isFileSystem(bucket)) {
      List<RecordNeedle> records = new ArrayList<>();
      Renames.Renamed renamed =
          fileSystems.rename(
              bucket.bucket(),
              request.getSource(),
              request.getTarget(),
              request.getWriteId(),
              request.getOverwrite(),
              records,
              guard(bucket));
      buckets.recheck(bucket);
      return RenameObjectReply.newBuilder()
          .setVersion(renamed.version())
          .addAllRecords(records)
          .build();
    }
    Renames.Renamed renamed =
        renames.rename(
            bucket.bucket(),
            request.getSource(),
            request.getTarget(),
            request.getWriteId(),
            request.getOverwrite());
    buckets.recheck(bucket);
    RenameObjectReply.Builder reply = RenameObjectReply.newBuilder().setVersion(renamed.version());
    if (renamed.isToBeRecorded()) {
      reply.addAllRecords(
          RecordNeedles.moved(bucket.bucket(), request.getWriteId(), request.getSource(), renamed));
    }
    return reply.build();
  }

  @Override
  public RenamePrefixReply renamePrefix(RenamePrefixRequest request) throws StoreException {
    Buckets.Known bucket = buckets.require(request.getBucket());
    if (isFileSystem(bucket)) {
      List<RecordNeedle> records = new ArrayList<>();
      fileSystems.rename(
          bucket.bucket(),
          request.getSourcePrefix(),
          request.getTargetPrefix(),
          request.getWriteId(),
          false,
          records,
          guard(bucket));
      buckets.recheck(bucket);
      return RenamePrefixReply.newBuilder().setMoved(1).addAllRecords(records).build();
    }
    PrefixRenames.Moved moved =
        prefixRenames.rename(
            bucket, request.getSourcePrefix(), request.getTargetPrefix(), request.getWriteId());
    buckets.recheck(bucket);
    return RenamePrefixReply.newBuilder()
        .setMoved(moved.count())
        .setMore(moved.more())
        .addAllRecords(moved.records())
        .build();
  }

  /** A collector of this object manager's; each does its rounds when it is told to. */
  Collector collector(Regions regions) {
    return new Collector(
        new Collector.Settings(
            config.trail(),
            config.commitWindow().plus(config.clockBound()),
            config.collecting().openFiles(),
            config.collecting().interval(),
            config.collecting().fullInterval(),
            COLLECTOR_CLAIM),
        bucketRows,
        objects,
        fileLeases,
        deletes,
        uploads,
        fileSystems.removed(),
        snapshots,
        scm,
        regions,
        workers);
  }

  private Expirer.Settings expirySettings() {
    return new Expirer.Settings(
        config.expiring().day(), COLLECTOR_CLAIM, config.expiring().deletesPerSecond());
  }

  @Override
  public LifecycleStatusReply lifecycleStatus(LifecycleStatusRequest request)
      throws StoreException {
    return new ExpiryProgress(expirySettings(), buckets, bucketRows, objects).status();
  }

  /**
   * Applies the rules of buckets, in rounds, when it is told to.
   *
   * @param records takes what fsck --rebuild has to know of each deletion
   */
  Expirer expirer(Regions regions, Consumer<RecordNeedle> records) {
    return new Expirer(
        expirySettings(),
        buckets,
        bucketRows,
        objects,
        deletes,
        uploads,
        regions,
        workers,
        records);
  }

  /**
   * Ends directory renames whose object manager died.
   *
   * @param records takes what fsck --rebuild has to know of each key
   */
  void sweepPrefixRenames(Consumer<RecordNeedle> records) throws StoreException {
    ListBucketsRequest.Builder page = ListBucketsRequest.newBuilder();
    while (true) {
      ListBucketsReply found = buckets.list(page.build());
      for (var bucket : found.getBucketsList()) {
        try {
          prefixRenames.sweep(buckets.require(bucket.getName()), records);
        } catch (StoreException e) {
          if (e.code() != ErrorCode.NO_SUCH_BUCKET) {
            throw e;
          }
        }
        page.setAfter(bucket.getName());
      }
      if (!found.getMore()) {
        return;
      }
    }
  }

  @Override
  public ListObjectsReply listObjects(ListObjectsRequest request) throws StoreException {
    Buckets.Known bucket = buckets.require(request.getBucket());
    if (!request.getSnapshot().isEmpty()) {
      long stamp = snapshots.stampOf(bucket.id(), request.getSnapshot());
      return isFileSystem(bucket)
          ? fileSystems.listPast(bucket.bucket(), request, stamp, guard(bucket))
          : listing.list(bucket.id(), request, Look.past(objects, stamp));
    }
    return isFileSystem(bucket)
        ? fileSystems.list(bucket.bucket(), request, guard(bucket))
        : listing.list(bucket.id(), request);
  }

  @Override
  public ListVersionsReply listVersions(ListVersionsRequest request) throws StoreException {
    Buckets.Known bucket = buckets.require(request.getBucket());
    return isFileSystem(bucket)
        ? fileSystems.listVersions(bucket.bucket(), request, guard(bucket))
        : versionListing.list(bucket.id(), request);
  }

  @Override
  public PlaceObjectReply placeObject(PlaceObjectRequest request) throws StoreException {
    Buckets.Known bucket = buckets.require(request.getBucket());
    if (!isFileSystem(bucket)) {
      ObjectRows.row(bucket.id(), request.getKey());
      return PlaceObjectReply.newBuilder().setRowKey(request.getKey()).build();
    }
    PlaceObjectReply reply = fileSystems.place(bucket.bucket(), request, guard(bucket));
    buckets.recheck(bucket);
    return reply;
  }

  @Override
  public FindPathReply findPath(FindPathRequest request) throws StoreException {
    FindPathReply found = find(request);
    if (found != null) {
      return found;
    }
    if (request.getWantAbsence()) {
      return FindPathReply.newBuilder().setAbsent(true).build();
    }
    throw new StoreException(ErrorCode.NO_SUCH_KEY, "Cannot find " + request.getPath());
  }

  /** Null: nothing is there. */
  private FindPathReply find(FindPathRequest request) throws StoreException {
    Buckets.Known bucket = buckets.require(request.getBucket());
    long past =
        request.getSnapshot().isEmpty() ? 0 : snapshots.stampOf(bucket.id(), request.getSnapshot());
    if (isFileSystem(bucket)) {
      return past == 0
          ? fileSystems.find(bucket.bucket(), request, guard(bucket))
          : fileSystems.findPast(bucket.bucket(), request.getPath(), past, guard(bucket));
    }
    Look look = past == 0 ? Look.now(objects) : Look.past(objects, past);
    String path = request.getPath();
    ObjectVersion file = null;
    if (!path.isEmpty()) {
      ByteString row = ObjectRows.row(bucket.id(), path);
      file = past == 0 ? objects.find(row, request.getWantAll()) : look.find(row);
    }
    if (file != null) {
      return FindPathReply.newBuilder().setVersion(Listing.told(file)).build();
    }
    String prefix = path.isEmpty() ? "" : path + "/";
    ListObjectsReply below =
        listing.list(
            bucket.id(),
            ListObjectsRequest.newBuilder().setPrefix(prefix).setLimit(1).build(),
            look);
    if (below.getObjectsCount() == 0 && !path.isEmpty()) {
      return null;
    }
    FindPathReply.Builder reply = FindPathReply.newBuilder().setDirectory(true);
    if (below.getObjectsCount() > 0 && below.getObjects(0).getKey().equals(prefix)) {
      reply.setVersion(below.getObjects(0));
    }
    return reply.build();
  }

  @Override
  public DeleteDirectoryReply deleteDirectory(DeleteDirectoryRequest request)
      throws StoreException {
    Buckets.Known bucket = buckets.require(request.getBucket());
    if (!isFileSystem(bucket)) {
      throw new StoreException(
          ErrorCode.INVALID_ARGUMENT,
          "Cannot delete a directory of bucket "
              + request.getBucket()
              + " in one step: its layout is OBJECT");
    }
    DeleteDirectoryReply reply =
        fileSystems.deleteDirectory(bucket.bucket(), request, guard(bucket));
    buckets.recheck(bucket);
    return reply;
  }

  @Override
  public CreateUploadReply createUpload(CreateUploadRequest request) throws StoreException {
    Buckets.Known bucket = buckets.require(request.getBucket());
    BucketEncryption.requireDecided(
        bucket.bucket(),
        request.getKey(),
        request.getMetadata(),
        Long.MAX_VALUE,
        request.getEncryptionDecided());
    if (isFileSystem(bucket)) {
      CreateUploadReply reply = fileSystems.createUpload(bucket.bucket(), request, guard(bucket));
      buckets.recheck(bucket);
      return reply;
    }
    uploads.create(bucket.id(), request);
    buckets.recheck(bucket);
    return CreateUploadReply.newBuilder().setUploadId(request.getWriteId()).build();
  }

  @Override
  public PutPartReply putPart(PutPartRequest request) throws StoreException {
    Buckets.Known bucket = buckets.require(request.getBucket());
    // A part counts once it is an object's; but nobody should send a terabyte to be refused then.
    usage.require(bucket.bucket(), 0, request.getPart().getLength()).close();
    if (isFileSystem(bucket)) {
      fileSystems.putPart(bucket.bucket(), request, guard(bucket));
    } else {
      uploads.putPart(bucket.id(), request);
    }
    buckets.recheck(bucket);
    return PutPartReply.getDefaultInstance();
  }

  @Override
  public ListPartsReply listParts(ListPartsRequest request) throws StoreException {
    Buckets.Known bucket = buckets.require(request.getBucket());
    return isFileSystem(bucket)
        ? fileSystems.listParts(bucket.bucket(), request, guard(bucket))
        : uploads.listParts(bucket.id(), request);
  }

  @Override
  public ListUploadsReply listUploads(ListUploadsRequest request) throws StoreException {
    Buckets.Known bucket = buckets.require(request.getBucket());
    return isFileSystem(bucket)
        ? fileSystems.listUploads(bucket.bucket(), request, guard(bucket))
        : uploadListing.list(bucket.id(), request);
  }

  @Override
  public CompleteUploadReply completeUpload(CompleteUploadRequest request) throws StoreException {
    Buckets.Known bucket = buckets.require(request.getBucket());
    if (!Usage.isLimited(bucket.bucket())) {
      return complete(bucket, request, false);
    }
    long bytes = bytesOf(request);
    if (bytes < 0) {
      return complete(bucket, request, true); // what an earlier call made counts already
    }
    Usage.Room room;
    try {
      room = usage.require(bucket.bucket(), 1, bytes);
    } catch (StoreException e) {
      if (e.code() == ErrorCode.QUOTA_EXCEEDED && bytesOf(request) < 0) {
        return complete(bucket, request, true); // meanwhile
      }
      throw e;
    }
    try {
      return complete(bucket, request, false);
    } finally {
      room.close();
    }
  }

  /** Of the parts of an upload; -1 if it is completed already, or not there. */
  private long bytesOf(CompleteUploadRequest request) throws StoreException {
    ListPartsRequest.Builder page =
        ListPartsRequest.newBuilder()
            .setBucket(request.getBucket())
            .setKey(request.getKey())
            .setUploadId(request.getUploadId());
    long bytes = 0;
    try {
      while (true) {
        ListPartsReply parts = listParts(page.build());
        for (UploadedPart part : parts.getPartsList()) {
          bytes += part.getLength();
          page.setAfter(part.getNumber());
        }
        if (!parts.getMore()) {
          return bytes;
        }
      }
    } catch (StoreException e) {
      if (e.code() == ErrorCode.NO_SUCH_UPLOAD) {
        return -1;
      }
      throw e;
    }
  }

  private CompleteUploadReply complete(
      Buckets.Known bucket, CompleteUploadRequest request, boolean onlyFound)
      throws StoreException {
    if (isFileSystem(bucket)) {
      CompleteUploadReply reply =
          fileSystems.completeUpload(bucket.bucket(), request, onlyFound, guard(bucket));
      buckets.recheck(bucket);
      return reply;
    }
    Uploads.Completed completed = uploads.complete(bucket.bucket(), request, onlyFound);
    Buckets.Known now = buckets.recheck(bucket);
    if (isLate(bucket, now, completed.lost())) {
      late.keep(
          ObjectRows.row(now.id(), request.getKey()), request.getWriteId(), "", completed.lost());
    }
    CompleteUploadReply.Builder reply =
        CompleteUploadReply.newBuilder()
            .setVersion(completed.version().toBuilder().clearPartLengths());
    if (!completed.partWriteIds().isEmpty()) {
      reply.addRecords(
          RecordNeedles.completed(
              bucket.bucket(),
              request.getWriteId(),
              completed.version(),
              completed.partWriteIds()));
    }
    return reply.build();
  }

  @Override
  public AbortUploadReply abortUpload(AbortUploadRequest request) throws StoreException {
    Buckets.Known bucket = buckets.require(request.getBucket());
    if (isFileSystem(bucket)) {
      fileSystems.abortUpload(bucket.bucket(), request, guard(bucket));
    } else {
      uploads.abort(bucket.id(), request);
    }
    buckets.recheck(bucket);
    return AbortUploadReply.getDefaultInstance();
  }

  @Override
  public LeaseContainersReply leaseContainer(LeaseContainersRequest request) throws StoreException {
    LeaseContainersReply reply =
        scm.leaseContainer(request.toBuilder().setObjectTable(objectTable.remembered()).build());
    if (reply.hasLease()) {
      locations.learn(reply.getLease().getContainer());
    }
    return reply;
  }

  @Override
  public RenewLeasesReply renewLeases(RenewLeasesRequest request) throws StoreException {
    return scm.renewLeases(request);
  }

  @Override
  public ReleaseLeaseReply releaseLease(ReleaseLeaseRequest request) throws StoreException {
    return scm.releaseLease(request);
  }

  @Override
  public ReportDamageReply reportDamage(ReportDamageRequest request) throws StoreException {
    return scm.reportDamage(request);
  }

  @Override
  public JudgeNeedlesReply judgeNeedles(JudgeNeedlesRequest request) throws StoreException {
    if (request.getNeedlesCount() > MOST_JUDGED) {
      throw new StoreException(
          ErrorCode.INVALID_ARGUMENT,
          "Cannot judge " + request.getNeedlesCount() + " needles at once: at most " + MOST_JUDGED);
    }
    ByteString table = objectTable.read();
    Map<ByteString, List<NeedleRef>> byRow = new LinkedHashMap<>();
    for (NeedleRef needle : request.getNeedlesList()) {
      byRow.computeIfAbsent(needle.getRow(), row -> new ArrayList<>()).add(needle);
    }
    Map<ByteString, Future<List<JudgedNeedle>>> judged = new HashMap<>();
    byRow.forEach(
        (row, needles) ->
            judged.put(
                row, workers.submit(() -> judge.judge(request.getContainer(), row, needles))));
    Map<ByteString, Iterator<JudgedNeedle>> verdicts = new HashMap<>();
    for (Map.Entry<ByteString, Future<List<JudgedNeedle>>> row : judged.entrySet()) {
      verdicts.put(row.getKey(), await(row.getValue()).iterator());
    }
    if (request.getNeedlesCount() > 0 && !objectTable.read().equals(table)) {
      throw new StoreException(
          ErrorCode.UNAVAILABLE, "Cannot judge needles: table object is another than it was");
    }
    JudgeNeedlesReply.Builder reply = JudgeNeedlesReply.newBuilder().setObjectTable(table);
    for (NeedleRef needle : request.getNeedlesList()) {
      reply.addNeedles(verdicts.get(needle.getRow()).next());
    }
    return reply.build();
  }

  @Override
  public ReplaceExtentsReply replaceExtents(ReplaceExtentsRequest request) throws StoreException {
    Replacements replacements = Replacements.of(request.getReplacementsList());
    fence.checkGrants(replacements.added(), request.getGrantsList());
    ReplaceExtentsReply.Outcome outcome =
        request.getUploadId().isEmpty()
            ? swap.swap(
                request.getRow(),
                request.getVersionId(),
                replacements::in,
                replacements::areIn,
                request.getGrantsList())
            : uploads.swap(
                request.getRow(),
                request.getUploadId(),
                request.getPartNumber(),
                replacements::in,
                replacements::areIn,
                request.getGrantsList());
    return ReplaceExtentsReply.newBuilder().setOutcome(outcome).build();
  }

  @Override
  public LocateContainersReply locateContainers(LocateContainersRequest request)
      throws StoreException {
    return LocateContainersReply.newBuilder()
        .addAllContainers(locations.locate(request.getIdsList(), request.getRefresh()))
        .build();
  }

  @Override
  public ScanNamespaceReply scanNamespace(ScanNamespaceRequest request) throws StoreException {
    return scan.page(request);
  }

  @Override
  public RestoreRowsReply restoreRows(RestoreRowsRequest request) throws StoreException {
    if (request.getRowsCount() > MOST_RESTORED) {
      throw new StoreException(
          ErrorCode.INVALID_ARGUMENT,
          "Cannot restore " + request.getRowsCount() + " rows at once: at most " + MOST_RESTORED);
    }
    List<Future<List<RestoreOutcome>>> restored = new ArrayList<>();
    List<RestoredRow> all = request.getRowsList();
    for (int from = 0, to; from < all.size(); from = to) {
      to = from + 1;
      while (to < all.size() && isOfOneRow(all.get(from), all.get(to))) {
        to++;
      }
      List<RestoredRow> ofRow = all.subList(from, to);
      restored.add(workers.submit(() -> restores.restore(ofRow)));
    }
    RestoreRowsReply.Builder reply = RestoreRowsReply.newBuilder();
    for (Future<List<RestoreOutcome>> one : restored) {
      reply.addAllOutcomes(await(one));
    }
    return reply.build();
  }

  private static boolean isOfOneRow(RestoredRow a, RestoredRow b) {
    return a.getBucketId() == b.getBucketId() && a.getRowKey().equals(b.getRowKey());
  }

  @Override
  public RestoreBucketReply restoreBucket(RestoreBucketRequest request) throws StoreException {
    return RestoreBucketReply.newBuilder().setCreated(buckets.restore(request.getBucket())).build();
  }

  @Override
  public GetIdentityReply getIdentity(GetIdentityRequest request) throws StoreException {
    return GetIdentityReply.newBuilder().setIdentity(identities.get(request)).build();
  }

  @Override
  public PutIdentityReply putIdentity(PutIdentityRequest request) throws StoreException {
    identities.put(request.getIdentity());
    return PutIdentityReply.getDefaultInstance();
  }

  @Override
  public CreateUserReply createUser(CreateUserRequest request) throws StoreException {
    Puts.requireWriteId(request.getWriteId());
    return CreateUserReply.newBuilder().setUser(identities.create(request)).build();
  }

  @Override
  public UpdateUserReply updateUser(UpdateUserRequest request) throws StoreException {
    return UpdateUserReply.newBuilder().setUser(identities.update(request)).build();
  }

  @Override
  public ListUsersReply listUsers(ListUsersRequest request) throws StoreException {
    return identities.list(request);
  }

  @Override
  public DeleteUserReply deleteUser(DeleteUserRequest request) throws StoreException {
    identities.delete(request.getName());
    return DeleteUserReply.getDefaultInstance();
  }

  @Override
  public GetSecretReply getSecret(GetSecretRequest request) throws StoreException {
    Puts.requireWriteId(request.getWriteId());
    return secrets.get(request.getUser(), request.getWriteId());
  }

  @Override
  public RevokeSecretReply revokeSecret(RevokeSecretRequest request) throws StoreException {
    secrets.revoke(request.getUser());
    return RevokeSecretReply.getDefaultInstance();
  }

  @Override
  public ScanEventsReply scanEvents(ScanEventsRequest request) throws StoreException {
    return outbox.scan(request);
  }

  @Override
  public ClearEventsReply clearEvents(ClearEventsRequest request) throws StoreException {
    for (EventRef event : request.getEventsList()) {
      ByteString row = event.getRow();
      if (row.isEmpty()) {
        row = ObjectRows.row(buckets.require(event.getBucket()).id(), event.getKey());
      }
      outbox.clear(row, event.getId());
    }
    return ClearEventsReply.getDefaultInstance();
  }

  @Override
  public ClaimDutyReply claimDuty(ClaimDutyRequest request) throws StoreException {
    return ClaimDutyReply.newBuilder().setGranted(duties.claim(request)).build();
  }

  @Override
  public GetEntityReply getEntity(GetEntityRequest request) throws StoreException {
    return GetEntityReply.newBuilder()
        .setEntity(entities.get(request.getKind(), request.getName()))
        .build();
  }

  @Override
  public PutEntityReply putEntity(PutEntityRequest request) throws StoreException {
    return PutEntityReply.newBuilder()
        .setEntity(entities.put(request.getEntity(), request.getRemove()))
        .build();
  }

  @Override
  public ListEntitiesReply listEntities(ListEntitiesRequest request) throws StoreException {
    return entities.list(request);
  }

  /** Who mutates each table, by its name. */
  Map<String, RowCommitter> tables() {
    return tables;
  }

  @Override
  public void close() {
    workers.shutdownNow();
  }
}
