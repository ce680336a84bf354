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
import io.stowage.common.proto.ListUploadsReply;
import io.stowage.common.proto.ListUploadsRequest;
import io.stowage.common.proto.UploadInfo;
import io.stowage.s3.error.S3Exception;
import io.stowage.s3.http.Response;
import io.stowage.s3.payload.HashKind;
import io.stowage.s3.xml.XmlOut;
import org.apache.hadoop.thirdparty.protobuf.ByteString;

/** GET ?uploads of a bucket. */
final class ListMultipartUploads implements Operation {
  private static final int PAGE = 1000;

  private final Backend backend;

  ListMultipartUploads(Backend backend) {
    this.backend = backend;
  }

  @Override
  public String action() {
    return "s3:ListBucketMultipartUploads";
  }

  @Override
  public Response handle(S3Call call) throws S3Exception, StoreException {
    int limit = Math.min(PAGE, call.intParam("max-uploads", PAGE, 0, Integer.MAX_VALUE));
    boolean encoded = call.wantsUrlEncoding();
    String prefix = call.paramOrEmpty("prefix");
    String delimiter = call.paramOrEmpty("delimiter");
    String keyMarker = call.paramOrEmpty("key-marker");
    String idMarker = keyMarker.isEmpty() ? "" : call.paramOrEmpty("upload-id-marker");
    ListUploadsReply reply = ListUploadsReply.getDefaultInstance();
    if (limit > 0) {
      reply =
          backend
              .namespace()
              .listUploads(
                  ListUploadsRequest.newBuilder()
                      .setBucket(call.bucketName())
                      .setPrefix(prefix)
                      .setDelimiter(delimiter)
                      .setKeyMarker(keyMarker)
                      .setUploadIdMarker(marker(idMarker))
                      .setLimit(limit)
                      .build());
    }
    XmlOut out = XmlOut.document("ListMultipartUploadsResult");
    out.text("Bucket", call.bucketName());
    out.text("KeyMarker", ListObjects.text(keyMarker, encoded));
    out.text("UploadIdMarker", idMarker);
    writeNext(out, reply, encoded);
    out.textIfAny("Prefix", ListObjects.text(prefix, encoded));
    out.textIfAny("Delimiter", ListObjects.text(delimiter, encoded));
    out.textIfAny("EncodingType", encoded ? "url" : "");
    out.text("MaxUploads", limit);
    out.text("IsTruncated", reply.getMore());
    for (UploadInfo upload : reply.getUploadsList()) {
      write(out, upload, encoded);
    }
    for (String common : reply.getCommonPrefixesList()) {
      out.open("CommonPrefixes").text("Prefix", ListObjects.text(common, encoded)).close();
    }
    return Response.xml(200, out.finish());
  }

  private static ByteString marker(String text) throws S3Exception {
    if (text.isEmpty()) {
      return ByteString.EMPTY;
    }
    try {
      return WriteId.fromHex(text);
    } catch (IllegalArgumentException e) {
      throw S3Call.invalid("upload-id-marker", text, "Invalid uploadId marker");
    }
  }

  /**
   * The next page begins behind the later of the last upload and the last common prefix. S3 names
   * the last upload, or nothing, also where no page follows.
   */
  private static void writeNext(XmlOut out, ListUploadsReply reply, boolean encoded) {
    UploadInfo last =
        reply.getUploadsCount() == 0 ? null : reply.getUploads(reply.getUploadsCount() - 1);
    String common =
        reply.getCommonPrefixesCount() == 0
            ? null
            : reply.getCommonPrefixes(reply.getCommonPrefixesCount() - 1);
    boolean prefixIsLast =
        reply.getMore()
            && common != null
            && (last == null
                || ByteString.unsignedLexicographicalComparator()
                        .compare(
                            ByteString.copyFromUtf8(common), ByteString.copyFromUtf8(last.getKey()))
                    > 0);
    if (prefixIsLast) {
      out.text("NextKeyMarker", ListObjects.text(common, encoded));
    } else {
      out.text("NextKeyMarker", last == null ? "" : ListObjects.text(last.getKey(), encoded));
      out.text("NextUploadIdMarker", last == null ? "" : WriteId.toHex(last.getUploadId()));
    }
  }

  private void write(XmlOut out, UploadInfo upload, boolean encoded) throws StoreException {
    out.open("Upload");
    out.text("Key", ListObjects.text(upload.getKey(), encoded));
    out.text("UploadId", WriteId.toHex(upload.getUploadId()));
    Uploads.writePeople(backend, out, upload);
    out.text("StorageClass", ObjectHeaders.storageClass(upload.getMetadata()));
    out.text("Initiated", Times.isoSecond(upload.getCreatedMicros()));
    HashKind kind = HashKind.of(upload.getChecksumAlgorithm());
    if (kind != null) {
      out.text("ChecksumAlgorithm", kind.name());
      out.text("ChecksumType", upload.getChecksumFullObject() ? "FULL_OBJECT" : "COMPOSITE");
    }
    out.close();
  }
}
