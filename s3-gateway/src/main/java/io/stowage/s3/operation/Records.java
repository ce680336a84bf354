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
import io.stowage.common.proto.ObjectVersion;
import org.apache.hadoop.thirdparty.protobuf.ByteString;

/** Facts that no needle's header tells, written beside the data for fsck. Stateless. */
final class Records {
  private Records() {}

  /** Notes that a version was committed under another stamp than its needle suggests. */
  static void committed(DataPath data, BucketInfo bucket, String key, ObjectVersion version) {
    data.record(
        new DataPath.RecordSpec(
            bucket.getId(),
            ByteString.copyFromUtf8(key),
            version.getWriteId(),
            bucket.getPolicy(),
            version.getStamp(),
            version.toBuilder().clearManifest().build().toByteString()));
  }
}
