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
import io.stowage.common.proto.Checksum;
import io.stowage.common.proto.ListObjectsReply;
import io.stowage.common.proto.ListObjectsRequest;
import io.stowage.common.proto.ObjectVersion;
import io.stowage.s3.auth.UriEncoding;
import io.stowage.s3.error.S3Exception;
import io.stowage.s3.http.Response;
import io.stowage.s3.payload.HashKind;
import io.stowage.s3.xml.XmlOut;

/** GET of a bucket, in both versions, which differ in how a page says where the next begins. */
final class ListObjects implements Operation {
  private static final int PAGE = 1000;

  private final Backend backend;
  private final boolean second;

  private ListObjects(Backend backend, boolean second) {
    this.backend = backend;
    this.second = second;
  }

  static ListObjects v1(Backend backend) {
    return new ListObjects(backend, false);
  }

  static ListObjects v2(Backend backend) {
    return new ListObjects(backend, true);
  }

  @Override
  public String action() {
    return "s3:ListBucket";
  }

  @Override
  public Response handle(S3Call call) throws S3Exception, StoreException {
    int limit = Math.min(PAGE, call.intParam("max-keys", PAGE, 0, Integer.MAX_VALUE));
    boolean encoded = call.wantsUrlEncoding();
    String prefix = call.paramOrEmpty("prefix");
    String delimiter = call.paramOrEmpty("delimiter");
    String token = second ? call.param("continuation-token") : null;
    String after =
        token != null && !token.isEmpty()
            ? ContinuationToken.decode(token)
            : call.paramOrEmpty(second ? "start-after" : "marker");
    ListObjectsReply reply = ListObjectsReply.getDefaultInstance();
    if (limit > 0) {
      reply =
          backend
              .namespace()
              .listObjects(
                  ListObjectsRequest.newBuilder()
                      .setBucket(call.bucketName())
                      .setPrefix(prefix)
                      .setDelimiter(delimiter)
                      .setStartAfter(after)
                      .setLimit(limit)
                      .build());
    }
    XmlOut out = XmlOut.document("ListBucketResult");
    out.text("Name", call.bucketName());
    out.text("Prefix", text(prefix, encoded));
    if (second) {
      out.textIfAny("StartAfter", text(call.paramOrEmpty("start-after"), encoded));
      if (token != null) {
        out.text("ContinuationToken", token);
      }
      out.text("KeyCount", reply.getObjectsCount() + reply.getCommonPrefixesCount());
      if (reply.getMore()) {
        out.text("NextContinuationToken", ContinuationToken.encode(reply.getLast()));
      }
    } else {
      out.text("Marker", text(after, encoded));
      if (reply.getMore() && !delimiter.isEmpty()) {
        out.text("NextMarker", text(reply.getLast(), encoded));
      }
    }
    out.text("MaxKeys", limit);
    out.textIfAny("Delimiter", text(delimiter, encoded));
    out.text("IsTruncated", reply.getMore());
    out.textIfAny("EncodingType", encoded ? "url" : "");
    boolean withOwner = !second || "true".equals(call.param("fetch-owner"));
    for (ObjectVersion version : reply.getObjectsList()) {
      write(out, version, encoded, withOwner ? owner(call, version) : null);
    }
    for (String common : reply.getCommonPrefixesList()) {
      out.open("CommonPrefixes").text("Prefix", text(common, encoded)).close();
    }
    return Response.xml(200, out.finish()).header(HeadBucket.REGION, backend.region());
  }

  /** Whose a version is: its writer's, or the bucket's owner's where that is not kept. */
  static String owner(S3Call call, ObjectVersion version) {
    String owner = version.getMetadata().getOwner();
    return owner.isEmpty() ? call.bucket().getOwner() : owner;
  }

  private void write(XmlOut out, ObjectVersion version, boolean encoded, String owner)
      throws StoreException {
    out.open("Contents");
    out.text("Key", text(version.getKey(), encoded));
    out.text("LastModified", Times.isoSecond(version.getModifiedMicros()));
    writeContent(out, version);
    if (owner != null) {
      writeOwner(backend, out, owner);
    }
    out.text("StorageClass", ObjectHeaders.storageClass(version.getMetadata()));
    out.close();
  }

  /** What a listing tells of a version's bytes. */
  static void writeContent(XmlOut out, ObjectVersion version) {
    out.text("ETag", Etags.quoted(Etags.of(version)));
    for (Checksum checksum : version.getChecksumsList()) {
      HashKind kind = HashKind.of(checksum.getAlgorithm());
      if (kind != null) {
        out.text("ChecksumAlgorithm", kind.name());
        out.text("ChecksumType", ObjectHeaders.checksumType(checksum));
      }
    }
    out.text("Size", version.getLength());
  }

  static void writeOwner(Backend backend, XmlOut out, String owner) throws StoreException {
    out.open("Owner").text("ID", owner);
    out.text("DisplayName", backend.users().displayName(owner)).close();
  }

  /** A key as a listing gives it: %20 for a space, which every client's decoder understands. */
  static String text(String key, boolean encoded) {
    return encoded ? UriEncoding.encode(key, true) : key;
  }
}
