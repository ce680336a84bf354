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

import io.netty.handler.codec.http.HttpHeaderNames;
import io.stowage.common.error.StoreException;
import io.stowage.common.id.WriteId;
import io.stowage.common.proto.CreateBucketRequest;
import io.stowage.s3.error.S3Error;
import io.stowage.s3.error.S3Exception;
import io.stowage.s3.http.Response;
import io.stowage.s3.xml.XmlElement;

/** PUT of a bucket. */
final class CreateBucket implements Operation {
  private static final int LARGEST_DOCUMENT = 64 << 10;

  private final Backend backend;

  CreateBucket(Backend backend) {
    this.backend = backend;
  }

  @Override
  public String action() {
    return "s3:CreateBucket";
  }

  @Override
  public Response handle(S3Call call) throws S3Exception, StoreException {
    ObjectHeaders.refuseUnsupported(call.headers());
    if ("true".equalsIgnoreCase(call.header("x-amz-bucket-object-lock-enabled"))) {
      throw new S3Exception(S3Error.NOT_IMPLEMENTED)
          .with("Header", "x-amz-bucket-object-lock-enabled");
    }
    XmlElement document = call.document("CreateBucketConfiguration", LARGEST_DOCUMENT);
    String location = document == null ? null : document.childText("LocationConstraint");
    if (location != null && !location.isEmpty() && !location.equals(backend.region())) {
      throw new S3Exception(
          S3Error.ILLEGAL_LOCATION_CONSTRAINT,
          "The "
              + location
              + " location constraint is incompatible for the region specific endpoint this"
              + " request was sent to.");
    }
    backend
        .namespace()
        .createBucket(
            CreateBucketRequest.newBuilder()
                .setName(call.bucketName())
                .setOwner(call.caller().user())
                .setRegion(backend.region())
                .setWriteId(WriteId.random())
                .build());
    return Response.empty(200).header(HttpHeaderNames.LOCATION, "/" + call.bucketName());
  }
}
