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
import io.stowage.common.proto.BucketLayout;
import io.stowage.common.proto.FindPathRequest;
import io.stowage.s3.error.S3Exception;
import io.stowage.s3.http.Response;

/** HEAD of a bucket: that it is there and may be listed, and where. */
final class HeadBucket implements Operation {
  static final String REGION = "x-amz-bucket-region";

  private static final int READ_AND_GO_THROUGH = 5;

  private final Backend backend;

  HeadBucket(Backend backend) {
    this.backend = backend;
  }

  @Override
  public String action() {
    return null;
  }

  @Override
  public Response handle(S3Call call) throws S3Exception, StoreException {
    try {
      backend
          .authorizer()
          .authorize(call.caller().subject(), "s3:ListBucket", call.bucket(), null, call.facts());
      requireListable(call);
    } catch (S3Exception e) {
      // Whoever asks where a bucket is may know it, if not more.
      throw e.withHeader(REGION, backend.region());
    }
    return Response.headOnly(200, 0)
        .header(REGION, backend.region())
        .header("x-amz-access-point-alias", "false");
  }

  /** Where the permissions of files decide, those of the root do about a listing. */
  private void requireListable(S3Call call) throws S3Exception, StoreException {
    if (call.bucket().getLayout() != BucketLayout.FILE_SYSTEM) {
      return;
    }
    try {
      var unused =
          backend
              .namespace()
              .findPath(
                  FindPathRequest.newBuilder()
                      .setBucket(call.bucketName())
                      .setWanted(READ_AND_GO_THROUGH)
                      .build());
    } catch (StoreException e) {
      if (e.code() == ErrorCode.ACCESS_DENIED) {
        throw S3Exception.of(e);
      }
      throw e;
    }
  }
}
