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
import io.stowage.common.id.WriteId;
import io.stowage.common.proto.CreateUploadRequest;
import io.stowage.common.proto.ObjectMetadata;
import io.stowage.s3.error.S3Error;
import io.stowage.s3.error.S3Exception;
import io.stowage.s3.http.Response;
import io.stowage.s3.payload.HashKind;
import io.stowage.s3.xml.XmlOut;
import java.util.Locale;
import org.apache.hadoop.thirdparty.protobuf.ByteString;

/** POST ?uploads of a key. */
final class CreateMultipartUpload implements Operation {
  private final Backend backend;

  CreateMultipartUpload(Backend backend) {
    this.backend = backend;
  }

  @Override
  public String action() {
    return "s3:PutObject";
  }

  @Override
  public Response handle(S3Call call) throws S3Exception, StoreException {
    ObjectMetadata metadata = ObjectHeaders.metadata(backend, call);
    ObjectCipher cipher = backend.encryption().forWrite(call);
    if (cipher != null) {
      metadata = metadata.toBuilder().setEncryption(cipher.envelope()).build();
    }
    String algorithm = call.header("x-amz-checksum-algorithm");
    String type = call.header("x-amz-checksum-type");
    CreateUploadRequest.Builder request =
        CreateUploadRequest.newBuilder()
            .setBucket(call.bucketName())
            .setKey(call.key())
            // It becomes the upload's id: uploads of one key are listed as they were begun.
            .setWriteId(WriteId.ordered(backend.clock().wallMicros()))
            .setEncryptionDecided(true)
            .setInitiator(call.caller().user())
            .setMetadata(metadata);
    // As in S3, who names no checksum gets CRC64NVME of the whole object.
    HashKind kind = HashKind.CRC64NVME;
    boolean full = true;
    if (algorithm != null) {
      kind = HashKind.ofName(algorithm.toUpperCase(Locale.ROOT));
      if (kind == null) {
        throw new S3Exception(
            S3Error.INVALID_REQUEST, "Checksum algorithm provided is unsupported.");
      }
      full = isFullObject(kind, type);
    } else if (type != null) {
      throw new S3Exception(
          S3Error.INVALID_REQUEST,
          "The x-amz-checksum-type header can only be used with the x-amz-checksum-algorithm"
              + " header.");
    }
    if (algorithm != null) {
      // Kept only if named: parts of an upload that named none may come with any checksum.
      request.setChecksumAlgorithm(kind.algorithm()).setChecksumFullObject(full);
    }
    ByteString id = backend.namespace().createUpload(request.build()).getUploadId();
    XmlOut out = XmlOut.document("InitiateMultipartUploadResult");
    out.text("Bucket", call.bucketName());
    out.text("Key", call.key());
    out.text("UploadId", WriteId.toHex(id));
    Response response = Response.xml(200, out.finish());
    ExpirationHeaders.announceAbort(
        call.bucket(), call.key(), backend.clock().wallMicros(), response);
    if (algorithm != null) {
      response.header("x-amz-checksum-algorithm", kind.name());
      response.header("x-amz-checksum-type", full ? "FULL_OBJECT" : "COMPOSITE");
    }
    ObjectEncryption.describe(call, metadata.getEncryption(), response);
    ObjectEncryption.describeContext(metadata.getEncryption(), response);
    return response;
  }

  private static boolean isFullObject(HashKind kind, String type) throws S3Exception {
    if (type == null) {
      return kind == HashKind.CRC64NVME;
    }
    boolean full =
        switch (type) {
          case "FULL_OBJECT" -> true;
          case "COMPOSITE" -> false;
          default ->
              throw new S3Exception(
                  S3Error.INVALID_REQUEST, "Value for x-amz-checksum-type header is invalid.");
        };
    // Hashes of parts do not add up to one of the whole; and S3 keeps CRC64NVME of wholes only.
    if (full ? !kind.isCrc() : kind == HashKind.CRC64NVME) {
      throw new S3Exception(
          S3Error.INVALID_REQUEST,
          "The "
              + type
              + " checksum type cannot be used with the "
              + kind.name().toLowerCase(Locale.ROOT)
              + " checksum algorithm.");
    }
    return full;
  }
}
