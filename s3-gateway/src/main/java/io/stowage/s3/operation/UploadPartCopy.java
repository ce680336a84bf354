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

import io.stowage.client.crypt.ObjectCipher;
import io.stowage.common.error.StoreException;
import io.stowage.common.proto.UploadInfo;
import io.stowage.common.proto.UploadedPart;
import io.stowage.s3.error.S3Error;
import io.stowage.s3.error.S3Exception;
import io.stowage.s3.http.Response;
import io.stowage.s3.payload.Payload;
import io.stowage.s3.xml.XmlOut;
import org.apache.hadoop.thirdparty.protobuf.ByteString;

/** PUT ?partNumber&amp;uploadId with x-amz-copy-source: a part from bytes that are in the store. */
final class UploadPartCopy implements Operation {
  private final Backend backend;
  private final ObjectIntake intake;

  UploadPartCopy(Backend backend) {
    this.backend = backend;
    this.intake = new ObjectIntake(backend);
  }

  @Override
  public String action() {
    return "s3:PutObject";
  }

  @Override
  public Response handle(S3Call call) throws S3Exception, StoreException {
    ObjectHeaders.refuseUnsupported(call.headers());
    int number = Uploads.partNumber(call);
    ByteString id = Uploads.id(call);
    UploadInfo upload = Uploads.find(backend, call, id);
    ObjectCipher cipher = backend.encryption().forPart(call, upload);
    CopySource source = CopySource.find(backend, call);
    long size = source.found().getVersion().getLength();
    String rangeHeader = call.header("x-amz-copy-source-range");
    ByteRange range =
        rangeHeader == null ? new ByteRange(0, size) : ByteRange.ofCopySource(rangeHeader, size);
    if (range.length() > PutObject.LARGEST_BODY) {
      throw new S3Exception(
          S3Error.INVALID_REQUEST,
          "The specified copy source is larger than the maximum allowable size for a copy source: "
              + PutObject.LARGEST_BODY);
    }
    call.mayTakeLong(describe(call, source, upload, Response.empty(200)));
    UploadedPart part;
    try (ObjectSource bytes = source.bytes(backend, range);
        Payload payload =
            Payload.unclaimed(
                bytes, range.length(), UploadPart.checksumKind(upload), call.hashThreads())) {
      part =
          UploadPart.put(
              backend, intake, call, id, number, UploadPart.checksumKind(upload), cipher, payload);
    }
    XmlOut out = XmlOut.document("CopyPartResult");
    out.text("LastModified", Times.isoSecond(part.getModifiedMicros()));
    out.text("ETag", Etags.quoted(Etags.hex(part.getMd5())));
    Checksums.write(out, part.getChecksumsList(), 0, false);
    return describe(call, source, upload, Response.xml(200, out.finish()));
  }

  private static Response describe(
      S3Call call, CopySource source, UploadInfo upload, Response response) {
    ObjectEncryption.describe(call, upload.getMetadata().getEncryption(), response);
    return source.identify(response);
  }
}
