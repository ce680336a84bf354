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
import io.stowage.s3.error.S3Error;
import io.stowage.s3.error.S3Exception;
import io.stowage.s3.http.Response;
import io.stowage.s3.setting.BucketSetting;
import io.stowage.s3.setting.BucketSettings;
import io.stowage.s3.setting.Tags;
import io.stowage.s3.xml.XmlElement;
import org.apache.hadoop.thirdparty.protobuf.ByteString;

/**
 * Get, put and delete of a bucket's configuration documents: GetBucketCors, PutBucketTagging,
 * DeleteBucketWebsite, … one class for all, since they differ only in the setting. Thread-safe.
 */
final class BucketDocuments {
  private static final int LARGEST_DOCUMENT = 256 << 10;

  private BucketDocuments() {}

  /** Answers the document. */
  record Get(BucketSetting setting) implements Operation {
    @Override
    public String action() {
      return setting.getAction();
    }

    @Override
    public Response handle(S3Call call) throws S3Exception {
      ByteString kept = call.bucket().getSettingsMap().get(setting.name());
      if (kept != null) {
        return Response.xml(200, kept.toStringUtf8());
      }
      if (setting.initial() != null) {
        return Response.xml(200, setting.initial());
      }
      throw new S3Exception(setting.absent()).with("BucketName", call.bucketName());
    }
  }

  /** Replaces the document. */
  record Put(Backend backend, BucketSetting setting) implements Operation {
    @Override
    public String action() {
      return setting.putAction();
    }

    @Override
    public Response handle(S3Call call) throws S3Exception, StoreException {
      XmlElement document = call.document(setting.shape().name(), LARGEST_DOCUMENT);
      if (document == null) {
        throw new S3Exception(S3Error.MALFORMED_XML);
      }
      String accepted = setting.accept(document);
      if (setting.equals(BucketSettings.OWNERSHIP_CONTROLS)) {
        Ownership.checkDisabling(call.bucket(), accepted);
      }
      if (setting.equals(BucketSettings.TAGGING) && Tags.areNone(document)) {
        remove(backend, call, setting.name()); // no tags are none, as in S3
      } else {
        keep(backend, call, setting.name(), accepted);
      }
      return Response.empty(setting.equals(BucketSettings.TAGGING) ? 204 : 200);
    }
  }

  /** Removes the document; it need not be there. */
  record Delete(Backend backend, BucketSetting setting) implements Operation {
    @Override
    public String action() {
      return setting.putAction();
    }

    @Override
    public Response handle(S3Call call) throws StoreException {
      remove(backend, call, setting.name());
      return Response.empty(204);
    }
  }

  static void keep(Backend backend, S3Call call, String name, String value) throws StoreException {
    backend
        .namespace()
        .updateBucket(
            UpdateBucketRequest.newBuilder()
                .setName(call.bucketName())
                .setWriteId(WriteId.random())
                .putPut(name, ByteString.copyFromUtf8(value))
                .build());
  }

  static void remove(Backend backend, S3Call call, String name) throws StoreException {
    if (!call.bucket().containsSettings(name)) {
      return;
    }
    backend
        .namespace()
        .updateBucket(
            UpdateBucketRequest.newBuilder()
                .setName(call.bucketName())
                .setWriteId(WriteId.random())
                .addRemove(name)
                .build());
  }
}
