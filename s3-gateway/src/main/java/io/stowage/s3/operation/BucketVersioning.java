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
import io.stowage.common.id.WriteId;
import io.stowage.common.proto.UpdateBucketRequest;
import io.stowage.common.proto.Versioning;
import io.stowage.s3.error.S3Error;
import io.stowage.s3.error.S3Exception;
import io.stowage.s3.http.Response;
import io.stowage.s3.xml.XmlElement;
import io.stowage.s3.xml.XmlOut;

/** Whether a bucket keeps versions. */
final class BucketVersioning {
  private static final int LARGEST_DOCUMENT = 64 << 10;

  private BucketVersioning() {}

  /** GET ?versioning of a bucket: an empty document where it was never set. */
  record Get() implements Operation {
    @Override
    public String action() {
      return "s3:GetBucketVersioning";
    }

    @Override
    public Response handle(S3Call call) {
      XmlOut out = XmlOut.document("VersioningConfiguration");
      switch (call.bucket().getVersioning()) {
        case ENABLED -> out.text("Status", "Enabled");
        case SUSPENDED -> out.text("Status", "Suspended");
        case UNVERSIONED, UNRECOGNIZED -> {}
      }
      return Response.xml(200, out.finish());
    }
  }

  /** PUT ?versioning of a bucket. */
  record Put(Backend backend) implements Operation {
    @Override
    public String action() {
      return "s3:PutBucketVersioning";
    }

    @Override
    public Response handle(S3Call call) throws S3Exception, StoreException {
      XmlElement document = call.document("VersioningConfiguration", LARGEST_DOCUMENT);
      if (document == null) {
        throw new S3Exception(S3Error.MISSING_REQUEST_BODY);
      }
      refuseMfaDelete(document.childText("MfaDelete"));
      String status = document.childText("Status");
      if (status == null) {
        throw new S3Exception(
            S3Error.ILLEGAL_VERSIONING_CONFIGURATION, "The Versioning element must be specified");
      }
      Versioning asked =
          switch (status) {
            case "Enabled" -> Versioning.ENABLED;
            case "Suspended" -> Versioning.SUSPENDED;
            default -> throw new S3Exception(S3Error.MALFORMED_XML);
          };
      backend
          .namespace()
          .updateBucket(
              UpdateBucketRequest.newBuilder()
                  .setName(call.bucketName())
                  .setWriteId(WriteId.random())
                  .setVersioning(asked)
                  .build());
      return Response.empty(200);
    }

    /** We know nobody's device: to accept it would promise a protection that is not there. */
    private static void refuseMfaDelete(String asked) throws S3Exception {
      if (asked == null || asked.equals("Disabled")) {
        return;
      }
      if (!asked.equals("Enabled")) {
        throw new S3Exception(S3Error.MALFORMED_XML);
      }
      throw new S3Exception(S3Error.NOT_IMPLEMENTED, "MFA delete is not implemented")
          .with("Element", "MfaDelete");
    }
  }
}
