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

import io.stowage.s3.http.Response;

/** HEAD of a bucket: that it is there and may be listed, and where. */
final class HeadBucket implements Operation {
  private final Backend backend;

  HeadBucket(Backend backend) {
    this.backend = backend;
  }

  @Override
  public String action() {
    return "s3:ListBucket";
  }

  @Override
  public Response handle(S3Call call) {
    return Response.headOnly(200, 0)
        .header("x-amz-bucket-region", backend.region())
        .header("x-amz-access-point-alias", "false");
  }
}
