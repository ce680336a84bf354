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
package io.stowage.common.om;

import io.stowage.common.error.StoreException;
import io.stowage.common.proto.AbortUploadReply;
import io.stowage.common.proto.AbortUploadRequest;
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
import io.stowage.common.proto.SyncFileReply;
import io.stowage.common.proto.SyncFileRequest;
import io.stowage.common.proto.UpdateBucketReply;
import io.stowage.common.proto.UpdateBucketRequest;
import io.stowage.common.proto.UpdateUserReply;
import io.stowage.common.proto.UpdateUserRequest;

/**
 * The namespace: buckets, objects, uploads, and the writer's way to leases. Implemented by the
 * object manager itself, which the S3 gateway hosts in its own process, and by the RPC client.
 * Messages and their rules are in om.proto. Blocking; thread-safe.
 */
public interface ObjectManager {
  CreateBucketReply createBucket(CreateBucketRequest request) throws StoreException;

  GetBucketReply getBucket(GetBucketRequest request) throws StoreException;

  UpdateBucketReply updateBucket(UpdateBucketRequest request) throws StoreException;

  DeleteBucketReply deleteBucket(DeleteBucketRequest request) throws StoreException;

  ListBucketsReply listBuckets(ListBucketsRequest request) throws StoreException;

  /** What a bucket holds, and may hold. */
  GetBucketUsageReply getBucketUsage(GetBucketUsageRequest request) throws StoreException;

  /** Keeps what a bucket holds at a moment within the call. */
  CreateSnapshotReply createSnapshot(CreateSnapshotRequest request) throws StoreException;

  RenameSnapshotReply renameSnapshot(RenameSnapshotRequest request) throws StoreException;

  /** What only this snapshot kept becomes garbage, in the background. */
  DeleteSnapshotReply deleteSnapshot(DeleteSnapshotRequest request) throws StoreException;

  ListSnapshotsReply listSnapshots(ListSnapshotsRequest request) throws StoreException;

  GetObjectReply getObject(GetObjectRequest request) throws StoreException;

  /** Commits a manifest whose bytes are durable: the put. */
  PutObjectReply putObject(PutObjectRequest request) throws StoreException;

  /** Opens a file for appending; CONFLICT while another writer's lease runs. */
  OpenFileReply openFile(OpenFileRequest request) throws StoreException;

  /** Adds what is durable to an open file, or closes it; LEASE_LOST if it is another's by now. */
  SyncFileReply syncFile(SyncFileRequest request) throws StoreException;

  /** Takes a file from its writer and closes it at the length that was synced. */
  RecoverFileReply recoverFile(RecoverFileRequest request) throws StoreException;

  DeleteObjectsReply deleteObjects(DeleteObjectsRequest request) throws StoreException;

  SetObjectMetadataReply setObjectMetadata(SetObjectMetadataRequest request) throws StoreException;

  RenameObjectReply renameObject(RenameObjectRequest request) throws StoreException;

  RenamePrefixReply renamePrefix(RenamePrefixRequest request) throws StoreException;

  ListObjectsReply listObjects(ListObjectsRequest request) throws StoreException;

  ListVersionsReply listVersions(ListVersionsRequest request) throws StoreException;

  /** Before an object is put into a FILE_SYSTEM bucket: which row its needles shall name. */
  PlaceObjectReply placeObject(PlaceObjectRequest request) throws StoreException;

  /** What a path is, in a bucket of either layout. */
  FindPathReply findPath(FindPathRequest request) throws StoreException;

  /** Removes a directory of a FILE_SYSTEM bucket in one step. */
  DeleteDirectoryReply deleteDirectory(DeleteDirectoryRequest request) throws StoreException;

  CreateUploadReply createUpload(CreateUploadRequest request) throws StoreException;

  PutPartReply putPart(PutPartRequest request) throws StoreException;

  ListPartsReply listParts(ListPartsRequest request) throws StoreException;

  ListUploadsReply listUploads(ListUploadsRequest request) throws StoreException;

  CompleteUploadReply completeUpload(CompleteUploadRequest request) throws StoreException;

  AbortUploadReply abortUpload(AbortUploadRequest request) throws StoreException;

  /** Passed on to the leading SCM. */
  LeaseContainersReply leaseContainer(LeaseContainersRequest request) throws StoreException;

  RenewLeasesReply renewLeases(RenewLeasesRequest request) throws StoreException;

  ReleaseLeaseReply releaseLease(ReleaseLeaseRequest request) throws StoreException;

  ReportDamageReply reportDamage(ReportDamageRequest request) throws StoreException;

  /**
   * Whether manifests name these needles of one container. A needle that is dead stays dead if the
   * container's row said REPACKING before the call. For administrators.
   */
  JudgeNeedlesReply judgeNeedles(JudgeNeedlesRequest request) throws StoreException;

  /** Points a manifest at a copy of its bytes, if it still names the old ones. */
  ReplaceExtentsReply replaceExtents(ReplaceExtentsRequest request) throws StoreException;

  /** Cached; at most as stale as the last refresh. */
  LocateContainersReply locateContainers(LocateContainersRequest request) throws StoreException;

  /** For fsck; refused over RPC unless the caller is an administrator. */
  ScanNamespaceReply scanNamespace(ScanNamespaceRequest request) throws StoreException;

  /** For fsck --rebuild; refused over RPC unless the caller is an administrator. */
  RestoreRowsReply restoreRows(RestoreRowsRequest request) throws StoreException;

  /** For fsck --rebuild; refused over RPC unless the caller is an administrator. */
  RestoreBucketReply restoreBucket(RestoreBucketRequest request) throws StoreException;

  /** Refused over RPC unless the caller is an administrator. */
  GetIdentityReply getIdentity(GetIdentityRequest request) throws StoreException;

  PutIdentityReply putIdentity(PutIdentityRequest request) throws StoreException;

  CreateUserReply createUser(CreateUserRequest request) throws StoreException;

  UpdateUserReply updateUser(UpdateUserRequest request) throws StoreException;

  ListUsersReply listUsers(ListUsersRequest request) throws StoreException;

  DeleteUserReply deleteUser(DeleteUserRequest request) throws StoreException;

  /**
   * Makes the secret of the caller's own access key; see {@code OwnSecrets} for who may over RPC.
   */
  GetSecretReply getSecret(GetSecretRequest request) throws StoreException;

  RevokeSecretReply revokeSecret(RevokeSecretRequest request) throws StoreException;

  /** What the outboxes of rows hold; refused over RPC unless the caller is an administrator. */
  ScanEventsReply scanEvents(ScanEventsRequest request) throws StoreException;

  /** Takes out of the outbox what was told; refused over RPC as the scan. */
  ClearEventsReply clearEvents(ClearEventsRequest request) throws StoreException;

  /** Asks for something to do alone for a while; refused over RPC as the scan. */
  ClaimDutyReply claimDuty(ClaimDutyRequest request) throws StoreException;

  /** A group, role or key; refused over RPC unless the caller is an administrator. */
  GetEntityReply getEntity(GetEntityRequest request) throws StoreException;

  PutEntityReply putEntity(PutEntityRequest request) throws StoreException;

  ListEntitiesReply listEntities(ListEntitiesRequest request) throws StoreException;

  /** How far the rules of buckets are applied. */
  LifecycleStatusReply lifecycleStatus(LifecycleStatusRequest request) throws StoreException;
}
