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
import io.stowage.s3.xml.XmlOut;

/** GET ?location of a bucket: the region; for us-east-1 an empty text, as S3 has it. */
final class GetBucketLocation implements Operation {
  private final Backend backend;

  GetBucketLocation(Backend backend) {
    this.backend = backend;
  }

  @Override
  public String action() {
    return "s3:GetBucketLocation";
  }

  @Override
  public Response handle(S3Call call) {
    String region = backend.region().equals("us-east-1") ? "" : backend.region();
    return Response.xml(200, XmlOut.document("LocationConstraint").content(region).finish());
  }
}
