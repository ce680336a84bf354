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
import io.stowage.common.proto.ListPartsReply;
import io.stowage.common.proto.UploadInfo;
import io.stowage.common.proto.UploadedPart;
import io.stowage.s3.error.S3Exception;
import io.stowage.s3.http.Response;
import io.stowage.s3.payload.HashKind;
import io.stowage.s3.xml.XmlOut;
import org.apache.hadoop.thirdparty.protobuf.ByteString;

/** GET ?uploadId of a key. */
final class ListParts implements Operation {
  private static final int PAGE = 1000;

  private final Backend backend;

  ListParts(Backend backend) {
    this.backend = backend;
  }

  @Override
  public String action() {
    return "s3:ListMultipartUploadParts";
  }

  @Override
  public void authorize(Backend ofCall, S3Call call, String action)
      throws S3Exception, StoreException {
    Uploads.authorize(ofCall, call, action);
  }

  @Override
  public Response handle(S3Call call) throws S3Exception, StoreException {
    ByteString id = Uploads.id(call);
    int limit = Math.min(PAGE, call.intParam("max-parts", PAGE, 0, Integer.MAX_VALUE));
    int after = call.intParam("part-number-marker", 0, 0, Integer.MAX_VALUE);
    boolean encoded = call.wantsUrlEncoding();
    ListPartsReply reply = Uploads.parts(backend, call, id, after, Math.max(1, limit));
    UploadInfo upload = reply.getUpload();
    XmlOut out = XmlOut.document("ListPartsResult");
    out.text("Bucket", call.bucketName());
    out.text("Key", ListObjects.text(call.key(), encoded));
    out.textIfAny("EncodingType", encoded ? "url" : "");
    out.text("UploadId", WriteId.toHex(id));
    Uploads.writePeople(backend, out, upload);
    out.text("StorageClass", ObjectHeaders.storageClass(upload.getMetadata()));
    HashKind kind = HashKind.of(upload.getChecksumAlgorithm());
    if (kind != null) {
      out.text("ChecksumAlgorithm", kind.name());
      out.text("ChecksumType", upload.getChecksumFullObject() ? "FULL_OBJECT" : "COMPOSITE");
    }
    out.text("PartNumberMarker", after);
    boolean more = limit > 0 && reply.getMore();
    if (limit > 0 && reply.getPartsCount() > 0) {
      out.text("NextPartNumberMarker", reply.getParts(reply.getPartsCount() - 1).getNumber());
    }
    out.text("MaxParts", limit);
    out.text("IsTruncated", more);
    if (limit > 0) {
      for (UploadedPart part : reply.getPartsList()) {
        out.open("Part");
        out.text("PartNumber", part.getNumber());
        out.text("LastModified", Times.isoSecond(part.getModifiedMicros()));
        out.text("ETag", Etags.quoted(Etags.hex(part.getMd5())));
        out.text("Size", part.getLength());
        Checksums.write(out, part.getChecksumsList(), 0, false);
        out.close();
      }
    }
    Response response = Response.xml(200, out.finish());
    ExpirationHeaders.announceAbort(call.bucket(), call.key(), upload.getCreatedMicros(), response);
    return response;
  }
}
