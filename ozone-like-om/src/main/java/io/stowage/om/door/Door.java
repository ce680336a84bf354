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
package io.stowage.om.door;

import io.stowage.common.error.ErrorCode;
import io.stowage.common.error.StoreException;
import io.stowage.common.om.ObjectManager;
import io.stowage.common.proto.BucketInfo;
import io.stowage.common.proto.ContainerInfo;
import io.stowage.common.proto.CreateBucketRequest;
import io.stowage.common.proto.GetBucketRequest;
import io.stowage.common.proto.GetBucketUsageRequest;
import io.stowage.common.proto.GetObjectReply;
import io.stowage.common.proto.Lease;
import io.stowage.common.proto.LeaseContainersReply;
import io.stowage.common.proto.ListBucketsRequest;
import io.stowage.common.proto.LocateContainersReply;
import io.stowage.common.proto.Manifest;
import io.stowage.common.proto.PutObjectRequest;
import io.stowage.common.proto.PutPartRequest;
import io.stowage.common.proto.RenewLeasesReply;
import io.stowage.common.proto.SyncFileRequest;
import io.stowage.common.proto.UpdateBucketRequest;
import io.stowage.common.token.ShardGrants;
import io.stowage.om.bucket.Usage;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.apache.hadoop.thirdparty.protobuf.ByteString;
import org.apache.hadoop.thirdparty.protobuf.Descriptors.FieldDescriptor;
import org.apache.hadoop.thirdparty.protobuf.Message;

/**
 * Lets callers over RPC do with the namespace what they may, and gives them the tokens that
 * datanodes ask for. Callers in this process, which is a gateway, have asked for permission by
 * their own rules and sign their own requests. Thread-safe.
 *
 * <p>Who may what: an administrator everything; a user what concerns a bucket that he owns. A call
 * that is named nowhere here is refused, so that one added later is closed until somebody thought
 * about it.
 */
public final class Door {
  /** Calls that name a bucket, in a field "bucket" or "name". */
  private static final Set<String> OF_A_BUCKET =
      Set.of(
          "getBucket",
          "getBucketUsage",
          "updateBucket",
          "deleteBucket",
          "getObject",
          "putObject",
          "deleteObjects",
          "setObjectMetadata",
          "renameObject",
          "renamePrefix",
          "listObjects",
          "listVersions",
          "placeObject",
          "findPath",
          "deleteDirectory",
          "createSnapshot",
          "renameSnapshot",
          "deleteSnapshot",
          "listSnapshots",
          "createUpload",
          "putPart",
          "listParts",
          "listUploads",
          "completeUpload",
          "abortUpload",
          "openFile",
          "syncFile",
          "recoverFile");

  /** Calls that show and change nothing of anybody's; a lease's holder is a secret of its own. */
  private static final Set<String> OF_EVERYBODY =
      Set.of("leaseContainer", "renewLeases", "releaseLease", "reportDamage", "locateContainers");

  private static final String QUOTA = Usage.SETTING;

  private final ObjectManager namespace;
  private final ShardGrants grants;
  private final Duration commitWindow;

  public Door(ObjectManager namespace, ShardGrants grants, Duration commitWindow) {
    this.namespace = namespace;
    this.grants = grants;
    this.commitWindow = commitWindow;
  }

  /** The call itself. */
  public interface Call {
    Object with(Message request) throws Throwable;
  }

  /**
   * Asks whether the call may be made, makes it, and completes its answer.
   *
   * @throws StoreException ACCESS_DENIED
   */
  public Object pass(String name, Message request, String user, boolean administrator, Call call)
      throws Throwable {
    Message allowed = administrator ? request : allowed(name, request, user);
    if (!administrator && allowed instanceof PutObjectRequest put) {
      grants.checkWritten(user, put.getManifest(), put.getGrantsList());
    } else if (!administrator && allowed instanceof PutPartRequest part) {
      grants.checkWritten(user, part.getPart().getManifest(), part.getGrantsList());
    } else if (!administrator && allowed instanceof SyncFileRequest sync) {
      grants.checkWritten(
          user,
          Manifest.newBuilder().addAllExtents(sync.getExtentsList()).build(),
          sync.getGrantsList());
    }
    return completed(call.with(allowed), user);
  }

  private Message allowed(String name, Message request, String user) throws StoreException {
    if (OF_EVERYBODY.contains(name)) {
      return request;
    }
    requireNoAdministrator(name, request, user);
    if (request instanceof CreateBucketRequest create) {
      return create.toBuilder().setOwner(user).build();
    }
    if (request instanceof ListBucketsRequest list) {
      return list.toBuilder().setOwner(user).build();
    }
    if (!OF_A_BUCKET.contains(name)) {
      throw new StoreException(
          ErrorCode.ACCESS_DENIED, "Cannot " + name + ": " + user + " is no administrator");
    }
    String bucket = bucketOf(request);
    BucketInfo info =
        namespace.getBucket(GetBucketRequest.newBuilder().setName(bucket).build()).getBucket();
    if (!info.getOwner().equals(user)) {
      throw new StoreException(
          ErrorCode.ACCESS_DENIED,
          "Cannot " + name + ": bucket " + bucket + " is not " + user + "'s");
    }
    return request;
  }

  /** Who owns a bucket does not say how much it may hold, nor has all its rows read. */
  private static void requireNoAdministrator(String name, Message request, String user)
      throws StoreException {
    boolean quota =
        (request instanceof CreateBucketRequest create && create.containsSettings(QUOTA))
            || (request instanceof UpdateBucketRequest update
                && (update.containsPut(QUOTA) || update.getRemoveList().contains(QUOTA)));
    boolean recount = request instanceof GetBucketUsageRequest usage && usage.getRecount();
    if (quota || recount) {
      throw new StoreException(
          ErrorCode.ACCESS_DENIED,
          "Cannot "
              + name
              + (quota ? ": quotas are set" : ": what a bucket holds is counted anew")
              + " by administrators, and "
              + user
              + " is none");
    }
  }

  private static String bucketOf(Message request) {
    FieldDescriptor field = request.getDescriptorForType().findFieldByName("bucket");
    if (field == null) {
      field = request.getDescriptorForType().findFieldByName("name");
    }
    return (String) request.getField(field);
  }

  /** Tokens for what an answer shows the way to; nobody is told who holds what. */
  private Object completed(Object reply, String user) throws StoreException {
    if (reply instanceof GetObjectReply object && object.getContainersCount() > 0) {
      Map<Long, ByteString> tokens =
          grants.forReader(user, object.getVersion().getManifest(), object.getContainersList());
      GetObjectReply.Builder signed = object.toBuilder().clearContainers();
      for (ContainerInfo container : object.getContainersList()) {
        signed.addContainers(
            withoutHolders(container)
                .setToken(tokens.getOrDefault(container.getId(), ByteString.EMPTY)));
      }
      return signed.build();
    }
    if (reply instanceof LocateContainersReply located) {
      LocateContainersReply.Builder stripped = LocateContainersReply.newBuilder();
      for (ContainerInfo container : located.getContainersList()) {
        stripped.addContainers(withoutHolders(container));
      }
      return stripped.build();
    }
    if (reply instanceof LeaseContainersReply lease && lease.hasLease()) {
      return lease.toBuilder().setLease(signed(lease.getLease(), user)).build();
    }
    if (reply instanceof RenewLeasesReply renewed) {
      List<Lease> leases = new ArrayList<>();
      for (Lease lease : renewed.getLeasesList()) {
        leases.add(signed(lease, user));
      }
      return renewed.toBuilder().clearLeases().addAllLeases(leases).build();
    }
    return reply;
  }

  private static ContainerInfo.Builder withoutHolders(ContainerInfo container) {
    return container.toBuilder().clearLeaseHolder().clearRepackHolder();
  }

  private Lease signed(Lease lease, String user) throws StoreException {
    return lease.toBuilder().setToken(grants.forWriter(user, lease, commitWindow)).build();
  }
}
