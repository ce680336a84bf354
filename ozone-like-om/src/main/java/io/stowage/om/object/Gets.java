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

import io.stowage.common.error.ErrorCode;
import io.stowage.common.error.StoreException;
import io.stowage.common.proto.Extent;
import io.stowage.common.proto.GetObjectReply;
import io.stowage.common.proto.GetObjectRequest;
import io.stowage.common.proto.ObjectVersion;
import io.stowage.om.row.ContainerLocations;
import java.util.LinkedHashSet;
import java.util.Set;
import org.apache.hadoop.thirdparty.protobuf.ByteString;

/** Looks versions up: one read of the head, one more where its manifest is large. Thread-safe. */
public final class Gets {
  private final ObjectRows rows;
  private final ContainerLocations locations;

  public Gets(ObjectRows rows, ContainerLocations locations) {
    this.rows = rows;
    this.locations = locations;
  }

  public GetObjectReply get(long bucketId, GetObjectRequest request) throws StoreException {
    return get(bucketId, request, 0);
  }

  /**
   * The same as of a snapshot.
   *
   * @param past its stamp; 0: now
   */
  public GetObjectReply get(long bucketId, GetObjectRequest request, long past)
      throws StoreException {
    ByteString row = ObjectRows.row(bucketId, request.getKey());
    boolean pinned = !request.getPinnedWriteId().isEmpty() || request.getPinnedStamp() != 0;
    boolean byId = request.getVersionId() != 0;
    ObjectVersion version =
        past != 0
            ? new PastRows(rows, past).find(row)
            : byId ? rows.findVersion(row, request.getVersionId()) : rows.findOrMarker(row, true);
    boolean marker = version != null && version.getDeleteMarker();
    if (marker && request.getWantDeleteMarker() && !pinned) {
      return GetObjectReply.newBuilder().setVersion(version).build();
    }
    if (version == null || marker) {
      if (byId) {
        throw new StoreException(
            ErrorCode.NO_SUCH_VERSION,
            "Cannot find version "
                + Long.toHexString(request.getVersionId())
                + " of key "
                + request.getKey());
      }
      throw new StoreException(ErrorCode.NO_SUCH_KEY, "Cannot find key " + request.getKey());
    }
    if (pinned && !isPinned(request, version)) {
      throw new StoreException(
          ErrorCode.PRECONDITION_FAILED,
          "Cannot go on reading " + request.getKey() + ": it was overwritten meanwhile");
    }
    if (!request.getWantManifest()) {
      return GetObjectReply.newBuilder().setVersion(SeenRow.withoutManifest(version)).build();
    }
    Set<Long> containers = new LinkedHashSet<>();
    for (Extent extent : version.getManifest().getExtentsList()) {
      containers.add(extent.getContainer());
    }
    return GetObjectReply.newBuilder()
        .setVersion(version)
        .addAllContainers(locations.locate(containers, false))
        .build();
  }

  /**
   * Whether the bytes are still those of the write that the reader began with. The stamp alone may
   * have been raised since, by a rename or a repack, which leave the bytes equal.
   */
  private static boolean isPinned(GetObjectRequest request, ObjectVersion version) {
    return request.getPinnedWriteId().isEmpty()
        ? request.getPinnedStamp() == version.getStamp()
        : request.getPinnedWriteId().equals(version.getWriteId());
  }
}
