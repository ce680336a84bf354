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
import io.stowage.common.policy.AccessSettings;
import io.stowage.common.policy.Policy;
import io.stowage.common.proto.Entity;
import io.stowage.common.proto.EntityKind;
import io.stowage.common.proto.GetEntityRequest;
import io.stowage.common.proto.ListUsersRequest;
import io.stowage.s3.error.S3Error;
import io.stowage.s3.error.S3Exception;
import io.stowage.s3.http.Response;
import io.stowage.s3.xml.XmlOut;
import java.nio.charset.StandardCharsets;
import org.apache.hadoop.thirdparty.protobuf.ByteString;

/** The operations on a bucket's policy. Stateless. */
final class BucketPolicy {
  private BucketPolicy() {}

  private static String kept(S3Call call) throws S3Exception {
    ByteString policy = call.bucket().getSettingsMap().get(AccessSettings.POLICY);
    if (policy == null) {
      throw new S3Exception(S3Error.NO_SUCH_BUCKET_POLICY).with("BucketName", call.bucketName());
    }
    return policy.toStringUtf8();
  }

  /** GetBucketPolicy. */
  record Get() implements Operation {
    @Override
    public String action() {
      return "s3:GetBucketPolicy";
    }

    @Override
    public Response handle(S3Call call) throws S3Exception {
      return Response.json(200, kept(call));
    }
  }

  /** PutBucketPolicy. */
  record Put(Backend backend) implements Operation {
    @Override
    public String action() {
      return "s3:PutBucketPolicy";
    }

    @Override
    public Response handle(S3Call call) throws S3Exception, StoreException {
      String json = new String(call.body(Policy.LONGEST), StandardCharsets.UTF_8);
      Policy policy = Policy.newOfBucket(json, call.bucketName());
      if (policy.isPublic() && new AccessSettings(call.bucket()).blocksPublicPolicy()) {
        throw new S3Exception(S3Error.ACCESS_DENIED);
      }
      policy.requireKnownPrincipals(new Known(backend, call));
      BucketDocuments.keep(backend, call, AccessSettings.POLICY, json);
      return Response.empty(204);
    }
  }

  /** Users and roles as they are now. */
  private record Known(Backend backend, S3Call call) implements Policy.Directory {
    @Override
    public boolean isUser(String path, String name) throws StoreException {
      return backend
          .namespace()
          .listUsers(ListUsersRequest.newBuilder().setOnly(name).build())
          .getUsersList()
          .stream()
          .anyMatch(user -> isPath(path, user.getPath()));
    }

    @Override
    public boolean isRole(String path, String name) throws StoreException {
      try {
        GetEntityRequest asked =
            GetEntityRequest.newBuilder().setKind(EntityKind.ROLE).setName(name).build();
        Entity role = backend.namespace().getEntity(asked).getEntity();
        return isPath(path, role.getPath());
      } catch (StoreException e) {
        if (e.code() == ErrorCode.NO_SUCH_KEY) {
          return false;
        }
        throw e;
      }
    }

    /** Sessions' ARNs have no path, and policies of Stowage's early days neither. */
    private static boolean isPath(String said, String path) {
      return said.equals("/") || said.equals(path);
    }

    @Override
    public boolean isKnown(String idOrName) throws StoreException {
      return idOrName.equals(call.caller().user())
          || idOrName.equals(call.bucket().getOwner())
          || backend.users().exists(idOrName)
          || (!idOrName.isEmpty() && isUser("/", idOrName));
    }
  }

  /** DeleteBucketPolicy. */
  record Delete(Backend backend) implements Operation {
    @Override
    public String action() {
      return "s3:DeleteBucketPolicy";
    }

    @Override
    public Response handle(S3Call call) throws StoreException {
      BucketDocuments.remove(backend, call, AccessSettings.POLICY);
      return Response.empty(204);
    }
  }

  /** GetBucketPolicyStatus. */
  record Status() implements Operation {
    @Override
    public String action() {
      return "s3:GetBucketPolicyStatus";
    }

    @Override
    public Response handle(S3Call call) throws S3Exception, StoreException {
      boolean isPublic = Policy.ofBucket(kept(call), call.bucketName()).isPublic();
      return Response.xml(200, XmlOut.document("PolicyStatus").text("IsPublic", isPublic).finish());
    }
  }
}
