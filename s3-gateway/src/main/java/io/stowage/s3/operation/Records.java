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
package io.stowage.s3.operation;

import io.stowage.client.DataPath;
import io.stowage.common.proto.BucketInfo;
import io.stowage.common.proto.DeletedObject;
import io.stowage.common.proto.ObjectVersion;
import org.apache.hadoop.thirdparty.protobuf.ByteString;

/**
 * Facts that no needle's header tells, written beside the data for fsck: an ObjectVersion without
 * its manifest, and for a deletion one with neither version id nor length, only key and stamp. Not
 * waited for. Stateless.
 */
final class Records {
  private Records() {}

  /** Notes a version that was committed otherwise than its needles suggest. */
  static void committed(DataPath data, BucketInfo bucket, String key, ObjectVersion version) {
    write(data, bucket, key, version.toBuilder().clearManifest().build());
  }

  /** Notes that a key was deleted. */
  static void deleted(DataPath data, BucketInfo bucket, DeletedObject deleted, ByteString writeId) {
    if (deleted.getErrorCode() == 0 && deleted.getStamp() != 0) {
      write(
          data,
          bucket,
          deleted.getKey(),
          ObjectVersion.newBuilder()
              .setKey(deleted.getKey())
              .setStamp(deleted.getStamp())
              .setWriteId(writeId)
              .build());
    }
  }

  private static void write(DataPath data, BucketInfo bucket, String key, ObjectVersion what) {
    data.record(
        new DataPath.RecordSpec(
            bucket.getId(),
            ByteString.copyFromUtf8(key),
            what.getWriteId(),
            bucket.getPolicy(),
            what.getStamp(),
            what.toByteString()));
  }
}
