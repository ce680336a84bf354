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
package io.stowage.client;

import io.stowage.common.error.ErrorCode;
import io.stowage.common.error.StoreException;
import io.stowage.common.om.ObjectManager;
import io.stowage.common.proto.GetObjectReply;
import io.stowage.common.proto.GetObjectRequest;
import io.stowage.common.proto.ObjectVersion;

/** A version that is being read and whose bytes are no longer where they were. */
public final class MovedVersion {
  private MovedVersion() {}

  /**
   * Looks up where the bytes are now, pinned to the write that they are of, so that no answer is
   * spliced from two.
   *
   * @param failure of the read; thrown if the bytes would not be elsewhere for it, or if the
   *     version is gone or replaced: what failed first is the reason to give
   */
  public static GetObjectReply find(
      ObjectManager namespace, String bucket, ObjectVersion version, StoreException failure)
      throws StoreException {
    if (failure.code() != ErrorCode.NO_SUCH_CONTAINER
        && failure.code() != ErrorCode.NO_SUCH_SHARD
        && failure.code() != ErrorCode.DATA_UNAVAILABLE) {
      throw failure;
    }
    try {
      return namespace.getObject(
          GetObjectRequest.newBuilder()
              .setBucket(bucket)
              .setKey(version.getKey())
              .setVersionId(version.getVersionId())
              .setWantManifest(true)
              .setPinnedStamp(version.getStamp())
              .setPinnedWriteId(version.getWriteId())
              .build());
    } catch (StoreException e) {
      failure.addSuppressed(e);
      throw failure;
    }
  }
}
