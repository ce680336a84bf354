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

import io.stowage.common.error.ErrorCode;
import io.stowage.common.error.StoreException;
import io.stowage.common.id.WriteId;
import io.stowage.common.proto.ListPartsReply;
import io.stowage.common.proto.ListPartsRequest;
import io.stowage.common.proto.UploadInfo;
import io.stowage.common.proto.UploadedPart;
import io.stowage.s3.error.S3Error;
import io.stowage.s3.error.S3Exception;
import io.stowage.s3.xml.XmlOut;
import org.apache.hadoop.thirdparty.protobuf.ByteString;

/** What the multipart operations share. Stateless. */
final class Uploads {
  static final int MOST_PARTS = 10_000;

  /** Of all parts but the last. */
  private static final long SMALLEST_PART = 5L << 20;

  private Uploads() {}

  /** The upload that the call names; one that cannot be is NoSuchUpload. */
  static ByteString id(S3Call call) throws S3Exception {
    String text = call.paramOrEmpty("uploadId");
    try {
      return WriteId.fromHex(text);
    } catch (IllegalArgumentException e) {
      throw new S3Exception(S3Error.NO_SUCH_UPLOAD).with("UploadId", text);
    }
  }

  static int partNumber(S3Call call) throws S3Exception {
    String text = call.paramOrEmpty("partNumber");
    try {
      int number = Integer.parseInt(text);
      if (number >= 1 && number <= MOST_PARTS) {
        return number;
      }
    } catch (NumberFormatException e) {
      throw wrongNumber(text);
    }
    throw wrongNumber(text);
  }

  private static S3Exception wrongNumber(String text) {
    return S3Call.invalid(
        "partNumber",
        text,
        "Part number must be an integer between 1 and " + MOST_PARTS + ", inclusive");
  }

  /** The namespace refuses it, too; here it can be said which part it is. */
  static void checkSize(UploadedPart part) throws S3Exception {
    if (part.getLength() < SMALLEST_PART) {
      throw new S3Exception(S3Error.ENTITY_TOO_SMALL)
          .with("ProposedSize", Long.toString(part.getLength()))
          .with("MinSizeAllowed", Long.toString(SMALLEST_PART))
          .with("PartNumber", Integer.toString(part.getNumber()))
          .with("ETag", Etags.hex(part.getMd5()));
    }
  }

  /** What was said when the upload began. Found before a part's bytes are taken in. */
  static UploadInfo find(Backend backend, S3Call call, ByteString id) throws StoreException {
    return parts(backend, call, id, 0, 1).getUpload();
  }

  /** Whoever began an upload may list its parts and abort it, where nothing denies that. */
  static void authorize(Backend backend, S3Call call, String action)
      throws S3Exception, StoreException {
    backend
        .authorizer()
        .authorize(
            call.caller().subject(),
            action,
            call.bucket(),
            call.key(),
            call.facts(),
            () -> isInitiator(backend, call));
  }

  private static boolean isInitiator(Backend backend, S3Call call) throws StoreException {
    if (call.caller().isAnonymous()) {
      return false;
    }
    try {
      return find(backend, call, id(call)).getInitiator().equals(call.caller().user());
    } catch (S3Exception e) {
      return false; // no upload has such an id
    } catch (StoreException e) {
      if (e.code() != ErrorCode.NO_SUCH_UPLOAD) {
        throw e;
      }
      return false;
    }
  }

  /** Who began an upload, and whose the object will be. */
  static void writePeople(Backend backend, XmlOut out, UploadInfo upload) throws StoreException {
    String owner = upload.getMetadata().getOwner();
    String initiator = upload.getInitiator().isEmpty() ? owner : upload.getInitiator();
    out.open("Initiator").text("ID", initiator);
    out.text("DisplayName", backend.users().displayName(initiator)).close();
    ListObjects.writeOwner(backend, out, owner);
  }

  static ListPartsReply parts(Backend backend, S3Call call, ByteString id, int after, int limit)
      throws StoreException {
    return backend
        .namespace()
        .listParts(
            ListPartsRequest.newBuilder()
                .setBucket(call.bucketName())
                .setKey(call.key())
                .setUploadId(id)
                .setAfter(after)
                .setLimit(limit)
                .build());
  }
}
