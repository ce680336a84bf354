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

import io.stowage.common.error.ErrorCode;
import io.stowage.common.error.StoreException;
import io.stowage.common.proto.BucketInfo;
import io.stowage.common.proto.ObjectMetadata;
import org.apache.hadoop.thirdparty.protobuf.ByteString;

/**
 * That a bucket's objects are encrypted unless their writers say otherwise. Object managers see no
 * bytes and hold no keys: writers encrypt. What object managers can do is refuse the commit of a
 * writer that does not know of the setting. Stateless.
 */
public final class BucketEncryption {
  /** Name of the bucket's setting: the document of PutBucketEncryption. */
  public static final String SETTING = "encryption";

  private BucketEncryption() {}

  /** Whether a bucket encrypts what its writers say nothing of. */
  public static boolean isDefault(BucketInfo bucket) {
    // A document may only say what else is blocked.
    return bucket
        .getSettingsOrDefault(SETTING, ByteString.EMPTY)
        .toStringUtf8()
        .contains("<SSEAlgorithm>");
  }

  /**
   * Refuses plain bytes where encrypted ones are expected.
   *
   * @param length of the object; nothing has nothing to hide
   * @param decided whether the writer goes by the setting. It may have gone by what it was a moment
   *     ago, and a part by what it was when its upload began: that is as good, and S3 does the same
   */
  public static void requireDecided(
      BucketInfo bucket, String key, ObjectMetadata metadata, long length, boolean decided)
      throws StoreException {
    if (!decided && length > 0 && !metadata.hasEncryption() && isDefault(bucket)) {
      throw new StoreException(
          ErrorCode.ACCESS_DENIED,
          "Cannot store "
              + key
              + " as it is: bucket "
              + bucket.getName()
              + " encrypts by default, which this client does not");
    }
  }

  /**
   * Refuses files that stay open, and so grow: pieces that are added lie beside what is there, and
   * nothing says how they are encrypted.
   *
   * @param what to whom, "append to a/b"
   */
  public static void requireGrowable(BucketInfo bucket, String what, ObjectMetadata metadata)
      throws StoreException {
    String why = null;
    if (metadata.hasEncryption()) {
      why = "it is encrypted (" + metadata.getEncryption().getMode() + ")";
    } else if (isDefault(bucket)) {
      why = "bucket " + bucket.getName() + " encrypts by default";
    }
    if (why != null) {
      throw new StoreException(
          ErrorCode.INVALID_ARGUMENT,
          "Cannot " + what + ": " + why + ", and encrypted files are only written whole");
    }
  }
}
