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
import io.stowage.common.expiry.Retention;
import io.stowage.common.id.WriteId;
import io.stowage.common.proto.UpdateBucketRequest;
import io.stowage.common.proto.Versioning;
import io.stowage.s3.error.S3Error;
import io.stowage.s3.error.S3Exception;
import io.stowage.s3.http.Response;
import io.stowage.s3.setting.ObjectLockConfiguration;
import io.stowage.s3.xml.XmlElement;
import org.apache.hadoop.thirdparty.protobuf.ByteString;

/** A bucket's object lock configuration. Once there it stays; its default may change. */
final class BucketObjectLock {
  private static final int LARGEST_DOCUMENT = 16 << 10;

  private BucketObjectLock() {}

  /** GetObjectLockConfiguration. */
  record Get() implements Operation {
    @Override
    public String action() {
      return "s3:GetBucketObjectLockConfiguration";
    }

    @Override
    public Response handle(S3Call call) throws S3Exception {
      ByteString kept = call.bucket().getSettingsMap().get(Retention.SETTING);
      if (kept == null) {
        throw new S3Exception(S3Error.OBJECT_LOCK_CONFIGURATION_NOT_FOUND)
            .with("BucketName", call.bucketName());
      }
      return Response.xml(200, kept.toStringUtf8());
    }
  }

  /** PutObjectLockConfiguration, also on a bucket that was made without, if it has versioning. */
  record Put(Backend backend) implements Operation {
    @Override
    public String action() {
      return "s3:PutBucketObjectLockConfiguration";
    }

    @Override
    public Response handle(S3Call call) throws S3Exception, StoreException {
      XmlElement document = call.document("ObjectLockConfiguration", LARGEST_DOCUMENT);
      if (document == null) {
        throw new S3Exception(S3Error.MALFORMED_XML);
      }
      ObjectLockConfiguration configuration = ObjectLockConfiguration.of(document);
      if (!Retention.isEnabled(call.bucket())) {
        if (call.bucket().getVersioning() != Versioning.ENABLED) {
          throw new S3Exception(
              S3Error.INVALID_BUCKET_STATE,
              "Versioning must be 'Enabled' on the bucket to apply a Object Lock configuration");
        }
      }
      UpdateBucketRequest.Builder request =
          UpdateBucketRequest.newBuilder()
              .setName(call.bucketName())
              .setWriteId(WriteId.random())
              .putPut(Retention.SETTING, ByteString.copyFromUtf8(configuration.document()));
      if (configuration.defaultRetention() == null) {
        request.addRemove(Retention.DEFAULT_SETTING);
      } else {
        request.putPut(Retention.DEFAULT_SETTING, configuration.defaultRetention());
      }
      backend.namespace().updateBucket(request.build());
      return Response.empty(200);
    }
  }
}
