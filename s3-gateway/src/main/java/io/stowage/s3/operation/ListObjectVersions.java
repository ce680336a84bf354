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
import io.stowage.common.proto.ListVersionsReply;
import io.stowage.common.proto.ListVersionsRequest;
import io.stowage.common.proto.ListedVersion;
import io.stowage.common.proto.ObjectVersion;
import io.stowage.s3.access.VersionIds;
import io.stowage.s3.error.S3Exception;
import io.stowage.s3.http.Response;
import io.stowage.s3.xml.XmlOut;

/** GET ?versions of a bucket: versions and delete markers, newest first within a key. */
final class ListObjectVersions implements Operation {
  private static final int PAGE = 1000;
  private static final String ID_MARKER = "version-id-marker";

  private final Backend backend;

  ListObjectVersions(Backend backend) {
    this.backend = backend;
  }

  @Override
  public String action() {
    return "s3:ListBucketVersions";
  }

  @Override
  public Response handle(S3Call call) throws S3Exception, StoreException {
    int limit = Math.min(PAGE, call.intParam("max-keys", PAGE, 0, Integer.MAX_VALUE));
    boolean encoded = call.wantsUrlEncoding();
    String prefix = call.paramOrEmpty("prefix");
    String delimiter = call.paramOrEmpty("delimiter");
    String keyMarker = call.paramOrEmpty("key-marker");
    String idMarker = call.param(ID_MARKER);
    if (idMarker != null && keyMarker.isEmpty()) {
      throw S3Call.invalid(
          ID_MARKER, idMarker, "A version-id marker cannot be specified without a key marker.");
    }
    if (idMarker != null && idMarker.isEmpty()) {
      throw S3Call.invalid(ID_MARKER, idMarker, "A version-id marker cannot be empty.");
    }
    long id = VersionIds.parse(ID_MARKER, idMarker);
    ListVersionsReply reply = ListVersionsReply.getDefaultInstance();
    if (limit > 0) {
      reply =
          backend
              .namespace()
              .listVersions(
                  ListVersionsRequest.newBuilder()
                      .setBucket(call.bucketName())
                      .setPrefix(prefix)
                      .setDelimiter(delimiter)
                      .setKeyMarker(keyMarker)
                      .setVersionIdMarker(id)
                      .setLimit(limit)
                      .build());
    }
    XmlOut out = XmlOut.document("ListVersionsResult");
    out.text("Name", call.bucketName());
    out.text("Prefix", ListObjects.text(prefix, encoded));
    out.text("KeyMarker", ListObjects.text(keyMarker, encoded));
    out.text("VersionIdMarker", idMarker == null ? "" : idMarker);
    if (reply.getMore()) {
      out.text("NextKeyMarker", ListObjects.text(reply.getNextKey(), encoded));
      if (reply.getNextVersionId() != 0) {
        boolean versioned = reply.getNextVersionId() != VersionIds.NULL_VERSION;
        out.text("NextVersionIdMarker", VersionIds.text(reply.getNextVersionId(), versioned));
      }
    }
    out.text("MaxKeys", limit);
    out.textIfAny("Delimiter", ListObjects.text(delimiter, encoded));
    out.text("IsTruncated", reply.getMore());
    out.textIfAny("EncodingType", encoded ? "url" : "");
    for (ListedVersion listed : reply.getVersionsList()) {
      write(call, out, listed, encoded);
    }
    for (String common : reply.getCommonPrefixesList()) {
      out.open("CommonPrefixes").text("Prefix", ListObjects.text(common, encoded)).close();
    }
    return Response.xml(200, out.finish());
  }

  private void write(S3Call call, XmlOut out, ListedVersion listed, boolean encoded)
      throws StoreException {
    ObjectVersion version = listed.getVersion();
    boolean marker = version.getDeleteMarker();
    out.open(marker ? "DeleteMarker" : "Version");
    out.text("Key", ListObjects.text(version.getKey(), encoded));
    out.text("VersionId", Versions.text(version));
    out.text("IsLatest", listed.getLatest());
    out.text("LastModified", Times.isoSecond(version.getModifiedMicros()));
    if (!marker) {
      ListObjects.writeContent(out, version);
    }
    ListObjects.writeOwner(backend, out, ListObjects.owner(call, version));
    if (!marker) {
      out.text("StorageClass", ObjectHeaders.storageClass(version.getMetadata()));
    }
    out.close();
  }
}
