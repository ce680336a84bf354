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

import io.stowage.common.error.StoreException;
import io.stowage.common.proto.AbortUploadRequest;
import io.stowage.s3.error.S3Exception;
import io.stowage.s3.http.Response;

/** DELETE ?uploadId of a key. */
final class AbortMultipartUpload implements Operation {
  private final Backend backend;

  AbortMultipartUpload(Backend backend) {
    this.backend = backend;
  }

  @Override
  public String action() {
    return "s3:AbortMultipartUpload";
  }

  @Override
  public void authorize(Backend ofCall, S3Call call, String action)
      throws S3Exception, StoreException {
    Uploads.authorize(ofCall, call, action);
  }

  @Override
  public Response handle(S3Call call) throws S3Exception, StoreException {
    backend
        .namespace()
        .abortUpload(
            AbortUploadRequest.newBuilder()
                .setBucket(call.bucketName())
                .setKey(call.key())
                .setUploadId(Uploads.id(call))
                .build());
    return Response.empty(204);
  }
}
