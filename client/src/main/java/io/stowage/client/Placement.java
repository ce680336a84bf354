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

import io.stowage.common.error.StoreException;
import io.stowage.common.om.ObjectManager;
import io.stowage.common.proto.BucketInfo;
import io.stowage.common.proto.BucketLayout;
import io.stowage.common.proto.PlaceObjectRequest;
import java.nio.ByteBuffer;
import org.apache.hadoop.thirdparty.protobuf.ByteString;

/**
 * The row that the needles of an object name which is about to be written. In a bucket of layout
 * OBJECT that is the key's; in one of layout FILE_SYSTEM it is known only to the object manager,
 * and is told to it again with the manifest, since the object may belong elsewhere by then.
 * Immutable.
 *
 * @param rowKey for the needle's header
 * @param origin what the manifest is to say; empty: nothing, the needles name the row of the key
 */
public record Placement(ByteString rowKey, ByteString origin) {

  /** Where an object of this key is to be; makes directories on the way. */
  public static Placement of(ObjectManager objectManager, BucketInfo bucket, String key)
      throws StoreException {
    return of(
        objectManager,
        bucket,
        PlaceObjectRequest.newBuilder().setBucket(bucket.getName()).setKey(key).build());
  }

  /** The same, but NO_SUCH_KEY where a directory on the way is missing. */
  public static Placement inExistingDirectory(
      ObjectManager objectManager, BucketInfo bucket, String key) throws StoreException {
    return of(
        objectManager,
        bucket,
        PlaceObjectRequest.newBuilder()
            .setBucket(bucket.getName())
            .setKey(key)
            .setInExistingDirectory(true)
            .build());
  }

  private static Placement of(
      ObjectManager objectManager, BucketInfo bucket, PlaceObjectRequest request)
      throws StoreException {
    if (bucket.getLayout() != BucketLayout.FILE_SYSTEM) {
      return new Placement(ByteString.copyFromUtf8(request.getKey()), ByteString.EMPTY);
    }
    ByteString rowKey = ByteString.copyFromUtf8(objectManager.placeObject(request).getRowKey());
    ByteString id =
        ByteString.copyFrom(ByteBuffer.allocate(Long.BYTES).putLong(bucket.getId()).flip());
    return new Placement(rowKey, id.concat(rowKey));
  }

  /** What was written, as the commit is to tell it. */
  public ObjectWriter.Written told(ObjectWriter.Written written) {
    if (origin.isEmpty()) {
      return written;
    }
    return new ObjectWriter.Written(
        written.manifest().toBuilder().setOriginRow(origin).build(),
        written.grants(),
        written.clockMicros());
  }

  /** The needles' row key of a manifest's origin row. */
  static ByteString rowKey(ByteString origin) {
    return origin.substring(Long.BYTES);
  }
}
