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
import io.stowage.common.proto.BucketInfo;
import io.stowage.common.proto.ListBucketsReply;
import io.stowage.common.proto.ListBucketsRequest;
import io.stowage.s3.error.S3Exception;
import io.stowage.s3.http.Response;
import io.stowage.s3.xml.XmlOut;
import java.util.Set;

/** GET of the service: the caller's buckets; an administrator's are all. */
final class ListBuckets implements Operation {
  private static final int MOST_BUCKETS = 10_000;

  /** What the namespace gives at a time. */
  private static final int PAGE = 1000;

  /** With any of them, buckets' regions are told. */
  private static final Set<String> PARAMETERS =
      Set.of("bucket-region", "continuation-token", "max-buckets", "prefix");

  private final Backend backend;

  ListBuckets(Backend backend) {
    this.backend = backend;
  }

  @Override
  public String action() {
    return "s3:ListAllMyBuckets";
  }

  @Override
  public Response handle(S3Call call) throws S3Exception, StoreException {
    int limit = call.intParam("max-buckets", MOST_BUCKETS, 1, MOST_BUCKETS);
    String prefix = call.paramOrEmpty("prefix");
    String token = call.paramOrEmpty("continuation-token");
    String after = token.isEmpty() ? "" : ContinuationToken.decode(token);
    boolean isNarrowed = PARAMETERS.stream().anyMatch(call.query()::containsKey);
    XmlOut out = XmlOut.document("ListAllMyBucketsResult");
    out.open("Owner").text("ID", call.caller().user());
    out.text("DisplayName", call.caller().displayName()).close();
    out.open("Buckets");
    int count = 0;
    String region = call.paramOrEmpty("bucket-region");
    boolean more = region.isEmpty() || region.equals(backend.region());
    while (more && count < limit) {
      ListBucketsReply reply =
          backend
              .namespace()
              .listBuckets(
                  ListBucketsRequest.newBuilder()
                      .setOwner(call.caller().isAdmin() ? "" : call.caller().user())
                      .setAfter(after)
                      .setPrefix(prefix)
                      .setLimit(Math.min(PAGE, limit - count))
                      .build());
      for (BucketInfo bucket : reply.getBucketsList()) {
        out.open("Bucket").text("Name", bucket.getName());
        out.text("CreationDate", Times.isoSecond(bucket.getCreatedMicros()));
        if (isNarrowed) {
          out.text("BucketRegion", backend.region());
        }
        out.close();
        after = bucket.getName();
        count++;
      }
      more = reply.getMore() && reply.getBucketsCount() > 0;
    }
    out.close();
    out.textIfAny("Prefix", prefix);
    if (more) {
      out.text("ContinuationToken", ContinuationToken.encode(after));
    }
    return Response.xml(200, out.finish());
  }
}
