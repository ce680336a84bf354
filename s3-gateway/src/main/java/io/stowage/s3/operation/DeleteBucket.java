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

import io.stowage.common.error.ErrorCode;
import io.stowage.common.error.StoreException;
import io.stowage.common.id.WriteId;
import io.stowage.common.proto.DeleteBucketRequest;
import io.stowage.s3.error.S3Error;
import io.stowage.s3.error.S3Exception;
import io.stowage.s3.http.Response;

/** DELETE of a bucket, which must be empty. */
final class DeleteBucket implements Operation {
  private final Backend backend;

  DeleteBucket(Backend backend) {
    this.backend = backend;
  }

  @Override
  public String action() {
    return "s3:DeleteBucket";
  }

  @Override
  public Response handle(S3Call call) throws S3Exception, StoreException {
    try {
      backend
          .namespace()
          .deleteBucket(
              DeleteBucketRequest.newBuilder()
                  .setName(call.bucketName())
                  .setWriteId(WriteId.random())
                  .build());
    } catch (StoreException e) {
      if (e.code() != ErrorCode.BUCKET_NOT_EMPTY || !Versions.isConfigured(call.bucket())) {
        throw e;
      }
      throw new S3Exception(
          S3Error.BUCKET_NOT_EMPTY,
          S3Error.BUCKET_NOT_EMPTY.message() + ". You must delete all versions in the bucket.",
          e);
    }
    return Response.empty(204);
  }
}
