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

import io.netty.handler.codec.http.HttpHeaderNames;
import io.stowage.client.ObjectWriter;
import io.stowage.client.crypt.ObjectCipher;
import io.stowage.common.error.StoreException;
import io.stowage.common.id.WriteId;
import io.stowage.common.proto.ChecksumAlgorithm;
import io.stowage.common.proto.NeedleBlob;
import io.stowage.common.proto.PutPartRequest;
import io.stowage.common.proto.UploadInfo;
import io.stowage.common.proto.UploadedPart;
import io.stowage.s3.error.S3Error;
import io.stowage.s3.error.S3Exception;
import io.stowage.s3.http.Response;
import io.stowage.s3.payload.HashKind;
import io.stowage.s3.payload.Payload;
import java.util.Base64;
import java.util.Locale;
import org.apache.hadoop.thirdparty.protobuf.ByteString;

/** PUT ?partNumber&amp;uploadId of a key. */
final class UploadPart implements Operation {
  private final Backend backend;
  private final ObjectIntake intake;

  UploadPart(Backend backend) {
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
    UploadedPart part;
    try (Payload payload = call.partPayload(checksumKind(upload), PutObject.LARGEST_BODY)) {
      checkKind(upload, payload.declaredKind());
      LockHeaders.requireVouched(call, upload.getMetadata(), payload, "Put Part");
      part = put(backend, intake, call, id, number, checksumKind(upload), cipher, payload);
    }
    Response response =
        Response.empty(200).header(HttpHeaderNames.ETAG, Etags.quoted(Etags.hex(part.getMd5())));
    part.getChecksumsList()
        .forEach(
            checksum ->
                response.header(
                    HashKind.of(checksum.getAlgorithm()).header(),
                    Base64.getEncoder().encodeToString(checksum.getValue().toByteArray())));
    ObjectEncryption.describe(call, upload.getMetadata().getEncryption(), response);
    return response;
  }

  /** Checksum that parts of an upload have, whether or not their senders give it. */
  static HashKind checksumKind(UploadInfo upload) {
    HashKind kind = HashKind.of(upload.getChecksumAlgorithm());
    return kind == null ? HashKind.CRC64NVME : kind;
  }

  private static void checkKind(UploadInfo upload, HashKind declared) throws S3Exception {
    if (upload.getChecksumAlgorithm() == ChecksumAlgorithm.CHECKSUM_NONE) {
      return;
    }
    // The whole's checksum needs that of each part if it is composite; else it is computed here.
    boolean wrong =
        declared == null
            ? !upload.getChecksumFullObject()
            : declared.algorithm() != upload.getChecksumAlgorithm();
    if (wrong) {
      throw new S3Exception(
          S3Error.INVALID_REQUEST,
          "Checksum Type mismatch occurred, expected checksum Type: "
              + checksumKind(upload).name().toLowerCase(Locale.ROOT)
              + ", actual checksum Type: "
              + (declared == null ? "null" : declared.name().toLowerCase(Locale.ROOT)));
    }
  }

  /** Stores a body and commits it as a part. */
  static UploadedPart put(
      Backend backend,
      ObjectIntake intake,
      S3Call call,
      ByteString id,
      int number,
      HashKind kind,
      ObjectCipher cipher,
      Payload payload)
      throws S3Exception, StoreException {
    ByteString writeId = WriteId.random();
    ObjectWriter.Written written =
        intake.store(
            call.bucket(),
            call.key(),
            writeId,
            NeedleBlob.newBuilder().setUploadId(id).setPartNumber(number).build().toByteString(),
            cipher,
            true,
            payload);
    byte[] md5 = payload.value(HashKind.MD5);
    UploadedPart.Builder part =
        UploadedPart.newBuilder()
            .setNumber(number)
            .setLength(payload.length())
            .setMd5(cipher == null ? ByteString.copyFrom(md5) : cipher.etag(md5))
            .setEncrypted(cipher != null)
            .addChecksums(payload.checksum())
            .setModifiedMicros(backend.clock().wallMicros())
            .setWriteId(writeId)
            .setManifest(written.manifest());
    if (payload.checksum().getAlgorithm() != kind.algorithm()) {
      // The whole's checksum is made from this one; the client gave another beside it.
      part.addChecksums(kind.checksum(payload.value(kind), false));
    }
    backend
        .namespace()
        .putPart(
            PutPartRequest.newBuilder()
                .setBucket(call.bucketName())
                .setKey(call.key())
                .setUploadId(id)
                .setPart(part)
                .addAllGrants(written.grants())
                .build());
    return part.build();
  }
}
