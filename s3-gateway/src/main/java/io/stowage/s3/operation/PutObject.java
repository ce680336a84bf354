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
import io.stowage.common.needle.NeedleFacts;
import io.stowage.common.proto.ChecksumAlgorithm;
import io.stowage.common.proto.Condition;
import io.stowage.common.proto.EventNote;
import io.stowage.common.proto.NeedleBlob;
import io.stowage.common.proto.ObjectMetadata;
import io.stowage.common.proto.ObjectVersion;
import io.stowage.common.proto.PutObjectReply;
import io.stowage.common.proto.PutObjectRequest;
import io.stowage.s3.error.S3Exception;
import io.stowage.s3.http.Response;
import io.stowage.s3.payload.HashKind;
import io.stowage.s3.payload.Payload;
import org.apache.hadoop.thirdparty.protobuf.ByteString;

/** PUT of a key. The manifest is committed after every byte is durable and every claim checked. */
final class PutObject implements Operation {
  /** S3's limit of one PUT, and of one part. */
  static final long LARGEST_BODY = 5L << 30;

  private final Backend backend;
  private final ObjectIntake intake;

  PutObject(Backend backend) {
    this.backend = backend;
    this.intake = new ObjectIntake(backend);
  }

  @Override
  public String action() {
    return "s3:PutObject";
  }

  @Override
  public Response handle(S3Call call) throws S3Exception, StoreException {
    ObjectMetadata metadata = ObjectHeaders.metadata(backend, call);
    Condition condition = Preconditions.ofWrite(call.headers());
    ObjectVersion version;
    try (Payload payload = call.objectPayload(HashKind.CRC64NVME, LARGEST_BODY)) {
      LockHeaders.requireVouched(call, metadata, payload, "Put Object");
      ObjectCipher cipher = backend.encryption().forWrite(call);
      version = put(backend, intake, call, metadata, cipher, condition, payload);
    }
    Response response = Response.empty(200);
    response.header(HttpHeaderNames.ETAG, Etags.quoted(Etags.of(version)));
    ObjectHeaders.checksums(version, response);
    ExpirationHeaders.announce(call.bucket(), version, response);
    ObjectEncryption.describe(call, version.getMetadata().getEncryption(), response);
    ObjectEncryption.describeContext(version.getMetadata().getEncryption(), response);
    return Versions.identifyNew(response, call.bucket(), version);
  }

  /**
   * Stores a body as the key's new version.
   *
   * @param cipher null: it is kept as it is
   */
  static ObjectVersion put(
      Backend backend,
      ObjectIntake intake,
      S3Call call,
      ObjectMetadata plain,
      ObjectCipher cipher,
      Condition condition,
      Payload payload)
      throws S3Exception, StoreException {
    ObjectMetadata metadata =
        cipher == null ? plain : plain.toBuilder().setEncryption(cipher.envelope()).build();
    ByteString writeId = WriteId.random();
    EventNote event = Events.note(backend, call, Events.created(call), call.key());
    ObjectWriter.Written written =
        intake.store(
            call.bucket(),
            call.key(),
            writeId,
            NeedleFacts.blob(metadata, blob(condition, cipher, payload.checksumAlgorithm())),
            cipher,
            false,
            payload);
    byte[] md5 = payload.value(HashKind.MD5);
    PutObjectReply reply =
        backend
            .namespace()
            .putObject(
                PutObjectRequest.newBuilder()
                    .setBucket(call.bucketName())
                    .setKey(call.key())
                    .setWriteId(writeId)
                    .setLength(payload.length())
                    .setMd5(cipher == null ? ByteString.copyFrom(md5) : cipher.etag(md5))
                    .addChecksums(payload.checksum())
                    .setMetadata(metadata)
                    .setManifest(written.manifest())
                    .addAllGrants(written.grants())
                    .setCondition(condition)
                    .setClockMicros(written.clockMicros())
                    .setEvent(event)
                    .setEncryptionDecided(true)
                    .build());
    ObjectVersion version = reply.getVersion();
    Events.happened(backend, call, event, call.key(), version, version.getStamp());
    return reply.getVersion();
  }

  private static NeedleBlob blob(
      Condition condition, ObjectCipher cipher, ChecksumAlgorithm checksum) {
    NeedleBlob.Builder blob =
        NeedleBlob.newBuilder().setConditional(!condition.equals(Condition.getDefaultInstance()));
    if (cipher == null) { // else the bytes that are stored do not tell it
      blob.setChecksum(checksum);
    }
    return blob.build();
  }
}
