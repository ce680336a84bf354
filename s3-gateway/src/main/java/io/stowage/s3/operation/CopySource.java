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

import io.stowage.client.crypt.ObjectCipher;
import io.stowage.common.error.StoreException;
import io.stowage.common.proto.BucketInfo;
import io.stowage.common.proto.GetBucketRequest;
import io.stowage.common.proto.GetObjectReply;
import io.stowage.common.proto.GetObjectRequest;
import io.stowage.s3.auth.UriEncoding;
import io.stowage.s3.error.S3Error;
import io.stowage.s3.error.S3Exception;

/**
 * The object that x-amz-copy-source names, found, authorised, and with its conditions checked.
 * Immutable.
 *
 * @param cipher that it was encrypted with; null: none
 */
record CopySource(String bucket, String key, GetObjectReply found, ObjectCipher cipher) {
  static final String HEADER = "x-amz-copy-source";

  static CopySource find(Backend backend, S3Call call) throws S3Exception, StoreException {
    String header = call.header(HEADER);
    int question = header.indexOf("?versionId=");
    if (question >= 0) {
      String version = header.substring(question + "?versionId=".length());
      if (!version.equals("null")) {
        throw new S3Exception(S3Error.NO_SUCH_VERSION).with("VersionId", version);
      }
      header = header.substring(0, question);
    }
    String path = UriEncoding.decodeText(header, false);
    if (path.startsWith("/")) {
      path = path.substring(1);
    }
    int slash = path.indexOf('/');
    if (slash <= 0 || slash == path.length() - 1) {
      throw S3Call.invalid(
          HEADER,
          call.header(HEADER),
          "Copy Source must mention the source bucket and key: sourcebucket/sourcekey");
    }
    String bucket = path.substring(0, slash);
    String key = path.substring(slash + 1);
    BucketNames.check(bucket);
    S3Address.checkKey(key);
    BucketInfo info =
        backend
            .namespace()
            .getBucket(GetBucketRequest.newBuilder().setName(bucket).build())
            .getBucket();
    Dispatcher.checkExpectedOwner(call.header("x-amz-source-expected-bucket-owner"), info);
    backend
        .authorizer()
        .authorize(call.caller().subject(), "s3:GetObject", info, key, call.facts());
    GetObjectReply found =
        backend
            .namespace()
            .getObject(
                GetObjectRequest.newBuilder()
                    .setBucket(bucket)
                    .setKey(key)
                    .setWantManifest(true)
                    .build());
    ObjectCipher cipher = backend.encryption().toCopy(call, info.getId(), found.getVersion());
    Preconditions.checkCopySource(call.headers(), found.getVersion());
    return new CopySource(bucket, key, found, cipher);
  }

  /** Its plain bytes. */
  ObjectSource bytes(Backend backend, ByteRange range) throws StoreException {
    return new ObjectSource(backend, bucket, found, cipher, range);
  }
}
