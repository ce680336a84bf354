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
import io.stowage.common.expiry.LifecycleRules;
import io.stowage.common.id.WriteId;
import io.stowage.common.proto.UpdateBucketRequest;
import io.stowage.s3.error.S3Error;
import io.stowage.s3.error.S3Exception;
import io.stowage.s3.http.Response;
import io.stowage.s3.setting.LifecycleConfiguration;
import io.stowage.s3.xml.XmlElement;
import org.apache.hadoop.thirdparty.protobuf.ByteString;

/**
 * A bucket's lifecycle configuration: kept as the document and, in the same mutation, as the rules
 * that object managers act on.
 */
final class BucketLifecycle {
  private static final int LARGEST_DOCUMENT = 1 << 20;
  private static final String SMALLEST_TRANSITION = "x-amz-transition-default-minimum-object-size";
  private static final String USUAL_TRANSITION = "all_storage_classes_128K";
  private static final String KEPT_TRANSITION = LifecycleConfiguration.NAME + ".transition";
  private static final String GET = "s3:GetLifecycleConfiguration";
  private static final String PUT = "s3:PutLifecycleConfiguration";

  private BucketLifecycle() {}

  /** GetBucketLifecycleConfiguration. */
  record Get() implements Operation {
    @Override
    public String action() {
      return GET;
    }

    @Override
    public Response handle(S3Call call) throws S3Exception {
      ByteString kept = call.bucket().getSettingsMap().get(LifecycleConfiguration.NAME);
      if (kept == null) {
        throw new S3Exception(S3Error.NO_SUCH_LIFECYCLE_CONFIGURATION)
            .with("BucketName", call.bucketName());
      }
      ByteString smallest = call.bucket().getSettingsMap().get(KEPT_TRANSITION);
      return Response.xml(200, kept.toStringUtf8())
          .header(
              SMALLEST_TRANSITION, smallest == null ? USUAL_TRANSITION : smallest.toStringUtf8());
    }
  }

  /** PutBucketLifecycleConfiguration. */
  record Put(Backend backend) implements Operation {
    @Override
    public String action() {
      return PUT;
    }

    @Override
    public Response handle(S3Call call) throws S3Exception, StoreException {
      XmlElement document = call.document("LifecycleConfiguration", LARGEST_DOCUMENT);
      if (document == null) {
        throw new S3Exception(S3Error.MALFORMED_XML);
      }
      LifecycleConfiguration configuration = LifecycleConfiguration.of(document);
      String smallest = smallestTransition(call);
      backend
          .namespace()
          .updateBucket(
              UpdateBucketRequest.newBuilder()
                  .setName(call.bucketName())
                  .setWriteId(WriteId.random())
                  .putPut(
                      LifecycleConfiguration.NAME,
                      ByteString.copyFromUtf8(configuration.document()))
                  .putPut(LifecycleRules.SETTING, configuration.rules().toByteString())
                  .putPut(KEPT_TRANSITION, ByteString.copyFromUtf8(smallest))
                  .build());
      return Response.empty(200).header(SMALLEST_TRANSITION, smallest);
    }

    /** Nothing is moved between classes here; it is kept for who compares what he said. */
    private static String smallestTransition(S3Call call) throws S3Exception {
      String asked = call.header(SMALLEST_TRANSITION);
      if (asked == null || asked.equals(USUAL_TRANSITION)) {
        return USUAL_TRANSITION;
      }
      if (!asked.equals("varies_by_storage_class")) {
        throw S3Call.invalid(
            SMALLEST_TRANSITION, asked, "Invalid TransitionDefaultMinimumObjectSize found");
      }
      return asked;
    }
  }

  /** DeleteBucketLifecycle. */
  record Delete(Backend backend) implements Operation {
    @Override
    public String action() {
      return PUT;
    }

    @Override
    public Response handle(S3Call call) throws StoreException {
      if (call.bucket().containsSettings(LifecycleConfiguration.NAME)) {
        backend
            .namespace()
            .updateBucket(
                UpdateBucketRequest.newBuilder()
                    .setName(call.bucketName())
                    .setWriteId(WriteId.random())
                    .addRemove(LifecycleConfiguration.NAME)
                    .addRemove(LifecycleRules.SETTING)
                    .addRemove(KEPT_TRANSITION)
                    .build());
      }
      return Response.empty(204);
    }
  }
}
