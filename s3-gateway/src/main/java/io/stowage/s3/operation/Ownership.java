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

import io.netty.handler.codec.http.HttpHeaders;
import io.stowage.common.error.StoreException;
import io.stowage.common.policy.AccessSettings;
import io.stowage.common.policy.Acl;
import io.stowage.common.proto.BucketInfo;
import io.stowage.common.proto.ObjectMetadata;
import io.stowage.s3.access.AclDocuments;
import io.stowage.s3.auth.Caller;
import io.stowage.s3.error.S3Error;
import io.stowage.s3.error.S3Exception;

/**
 * Who owns what a request writes, and what access control list it asks for, by the bucket's
 * ownership controls and public access block. Stateless.
 */
final class Ownership {
  /** Canonical id under which S3 files what strangers write. */
  static final String ANONYMOUS = "65a011a29cdf8ec533ec3d1ccaae921c";

  private Ownership() {}

  /** Adds owner and list to what is said of an object. */
  static ObjectMetadata own(Backend backend, S3Call call, ObjectMetadata metadata)
      throws S3Exception, StoreException {
    BucketInfo bucket = call.bucket();
    AccessSettings settings = new AccessSettings(bucket);
    HttpHeaders headers = call.headers();
    if (settings.disablesLists()) {
      refuseLists(headers);
      return metadata.toBuilder().setOwner(bucket.getOwner()).build();
    }
    String owner = ownerOf(call.caller());
    if (settings.prefersBucketOwner()
        && "bucket-owner-full-control".equals(headers.get("x-amz-acl"))) {
      owner = bucket.getOwner();
    }
    Acl acl = AclDocuments.ofHeaders(headers, owner, bucket.getOwner(), backend.users());
    check(settings, acl);
    return metadata.toBuilder().setOwner(owner).addAllGrants(acl.texts()).build();
  }

  static String ownerOf(Caller caller) {
    return caller.isAnonymous() ? ANONYMOUS : caller.user();
  }

  /** Refuses a list that the bucket's public access block does not let in. */
  static void check(AccessSettings settings, Acl acl) throws S3Exception {
    if (acl.isPublic() && settings.blocksPublicLists()) {
      throw new S3Exception(S3Error.ACCESS_DENIED);
    }
  }

  /** Refuses to disable the lists of a bucket whose own grants something to others. */
  static void checkDisabling(BucketInfo bucket, String controls) throws S3Exception {
    String owner = bucket.getOwner();
    boolean grants =
        Acl.of(owner, new AccessSettings(bucket).grants()).grants().stream()
            .anyMatch(grant -> grant.group() || !grant.grantee().equals(owner));
    if (grants && controls.contains(">BucketOwnerEnforced<")) {
      throw new S3Exception(S3Error.INVALID_BUCKET_ACL_WITH_OBJECT_OWNERSHIP);
    }
  }

  /** Where lists are disabled: only one that says what is so anyway is taken. */
  static void refuseLists(HttpHeaders headers) throws S3Exception {
    if (AclDocuments.isAskedFor(headers)) {
      String canned = headers.get("x-amz-acl");
      if (!"bucket-owner-full-control".equals(canned)) {
        throw new S3Exception(S3Error.ACCESS_CONTROL_LIST_NOT_SUPPORTED);
      }
    }
  }
}
