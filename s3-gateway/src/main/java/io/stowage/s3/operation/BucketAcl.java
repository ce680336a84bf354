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
import io.stowage.common.policy.AccessSettings;
import io.stowage.common.policy.Acl;
import io.stowage.common.proto.BucketInfo;
import io.stowage.s3.access.AclDocuments;
import io.stowage.s3.error.S3Error;
import io.stowage.s3.error.S3Exception;
import io.stowage.s3.http.Response;
import io.stowage.s3.xml.XmlElement;
import java.util.List;

/** GetBucketAcl and PutBucketAcl. Stateless. */
final class BucketAcl {
  static final int LARGEST_DOCUMENT = 64 << 10;

  private BucketAcl() {}

  record Get(Backend backend) implements Operation {
    @Override
    public String action() {
      return "s3:GetBucketAcl";
    }

    @Override
    public Response handle(S3Call call) throws StoreException {
      BucketInfo bucket = call.bucket();
      AccessSettings settings = new AccessSettings(bucket);
      // Disabled, they are as if there were none, whatever was kept before.
      Acl acl = Acl.of(bucket.getOwner(), settings.disablesLists() ? List.of() : settings.grants());
      return Response.xml(200, AclDocuments.document(acl, backend.users()));
    }
  }

  record Put(Backend backend) implements Operation {
    @Override
    public String action() {
      return "s3:PutBucketAcl";
    }

    @Override
    public Response handle(S3Call call) throws S3Exception, StoreException {
      BucketInfo bucket = call.bucket();
      AccessSettings settings = new AccessSettings(bucket);
      Acl acl = asked(backend, call, bucket.getOwner(), bucket.getOwner(), settings);
      BucketDocuments.keep(backend, call, AccessSettings.ACL, String.join("\n", acl.texts()));
      return Response.empty(200);
    }
  }

  /** The list that a PUT ?acl asks for, by its body or by its headers. */
  static Acl asked(
      Backend backend, S3Call call, String owner, String bucketOwner, AccessSettings settings)
      throws S3Exception, StoreException {
    if (settings.disablesLists()) {
      Ownership.refuseLists(call.headers());
    }
    boolean byHeaders = AclDocuments.isAskedFor(call.headers());
    if (byHeaders && call.body(LARGEST_DOCUMENT).length > 0) {
      throw new S3Exception(S3Error.UNEXPECTED_CONTENT);
    }
    XmlElement document = byHeaders ? null : call.document("AccessControlPolicy", LARGEST_DOCUMENT);
    Acl acl;
    if (byHeaders) {
      acl = AclDocuments.ofHeaders(call.headers(), owner, bucketOwner, backend.users());
    } else if (document != null) {
      acl = AclDocuments.ofDocument(document, owner, backend.users());
    } else {
      throw new S3Exception(
          S3Error.MISSING_SECURITY_HEADER, "Your request was missing a required header");
    }
    if (settings.disablesLists() && !acl.texts().isEmpty()) {
      throw new S3Exception(S3Error.ACCESS_CONTROL_LIST_NOT_SUPPORTED);
    }
    Ownership.check(settings, acl);
    return acl;
  }
}
