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
import io.stowage.common.proto.ObjectVersion;
import io.stowage.s3.error.S3Error;
import io.stowage.s3.error.S3Exception;
import io.stowage.s3.http.Response;
import io.stowage.s3.xml.XmlOut;
import java.util.Map;

/**
 * What S3 has and a store of one place and one storage class has not: answered as by a bucket or
 * object that nobody configured so, and refused where it would have to do something.
 */
final class NotKept {
  private NotKept() {}

  /** Configurations that come as lists, and what a list of none is called. */
  static final Map<String, String> LISTS =
      Map.of(
          "analytics", "ListBucketAnalyticsConfigurationResult",
          "intelligent-tiering", "ListBucketIntelligentTieringConfigurationsOutput",
          "inventory", "ListInventoryConfigurationsResult",
          "metrics", "ListMetricsConfigurationsResult");

  private static final Map<String, String> ACTIONS =
      Map.of(
          "analytics", "AnalyticsConfiguration",
          "intelligent-tiering", "IntelligentTieringConfiguration",
          "inventory", "InventoryConfiguration",
          "metrics", "MetricsConfiguration");

  /** Get of one, which is not there; list of all, which are none; delete. */
  record ListOrGet(String name, boolean put) implements Operation {
    @Override
    public String action() {
      return (put ? "s3:Put" : "s3:Get") + ACTIONS.get(name);
    }

    @Override
    public Response handle(S3Call call) throws S3Exception {
      if (put || call.query().containsKey("id")) {
        throw new S3Exception(S3Error.NO_SUCH_CONFIGURATION);
      }
      return Response.xml(
          200, XmlOut.document(LISTS.get(name)).text("IsTruncated", false).finish());
    }
  }

  /** Refuses to store what would have no effect. */
  record Refused(String action, S3Error error, String message) implements Operation {
    @Override
    public Response handle(S3Call call) throws S3Exception {
      throw new S3Exception(error, message);
    }
  }

  /** GetBucketAbac: no policy looks at a bucket's tags. */
  record Abac() implements Operation {
    @Override
    public String action() {
      return "s3:GetBucketAbac";
    }

    @Override
    public Response handle(S3Call call) {
      return Response.xml(200, XmlOut.document("AbacStatus").text("Status", "Disabled").finish());
    }
  }

  /** GetBucketReplication. */
  record Replication() implements Operation {
    @Override
    public String action() {
      return "s3:GetReplicationConfiguration";
    }

    @Override
    public Response handle(S3Call call) throws S3Exception {
      throw new S3Exception(S3Error.REPLICATION_CONFIGURATION_NOT_FOUND)
          .with("BucketName", call.bucketName());
    }
  }

  /** DeleteBucketReplication: there is none. */
  record DeleteReplication() implements Operation {
    @Override
    public String action() {
      return "s3:PutReplicationConfiguration";
    }

    @Override
    public Response handle(S3Call call) {
      return Response.empty(204);
    }
  }

  /** RestoreObject: nothing is archived, so nothing can be restored. */
  record Restore(Backend backend) implements Operation {
    @Override
    public String action() {
      return "s3:RestoreObject";
    }

    @Override
    public Response handle(S3Call call) throws S3Exception, StoreException {
      ObjectVersion version = Versions.find(backend, call, false).getVersion();
      throw new S3Exception(
              S3Error.INVALID_OBJECT_STATE,
              "Restore is not allowed for the object's current storage class")
          .with("StorageClass", ObjectHeaders.storageClass(version.getMetadata()));
    }
  }
}
