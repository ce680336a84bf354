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
import io.stowage.client.crypt.ObjectCipher;
import io.stowage.common.error.StoreException;
import io.stowage.common.proto.GetObjectReply;
import io.stowage.common.proto.LegalHold;
import io.stowage.common.proto.LockMode;
import io.stowage.common.proto.ObjectMetadata;
import io.stowage.common.proto.ObjectVersion;
import io.stowage.s3.access.VersionIds;
import io.stowage.s3.error.S3Error;
import io.stowage.s3.error.S3Exception;
import io.stowage.s3.http.Response;

/** GET and HEAD of a key: the same answer, with the bytes or without. */
final class GetObject implements Operation {
  private static final int MOST_PARTS = 10_000;

  private final Backend backend;
  private final boolean withBody;

  private GetObject(Backend backend, boolean withBody) {
    this.backend = backend;
    this.withBody = withBody;
  }

  static GetObject get(Backend backend) {
    return new GetObject(backend, true);
  }

  static GetObject head(Backend backend) {
    return new GetObject(backend, false);
  }

  @Override
  public String action() {
    return "s3:GetObject";
  }

  @Override
  public Response handle(S3Call call) throws S3Exception, StoreException {
    ObjectHeaders.refuseUnsupported(call.headers());
    if (call.caller().isAnonymous() && ObjectHeaders.overrides(call.query())) {
      throw new S3Exception(
          S3Error.INVALID_REQUEST,
          "Request specific response headers cannot be used for anonymous GET requests.");
    }
    int partNumber = call.intParam("partNumber", 0, 1, MOST_PARTS);
    // Which bytes a part is stands beside the manifest.
    GetObjectReply found = Versions.find(backend, call, withBody || partNumber > 0);
    ObjectVersion version = found.getVersion();
    ObjectCipher cipher = null;
    if (withBody) {
      cipher = backend.encryption().toRead(call, version);
    } else {
      backend.encryption().checkToSee(call, version);
    }
    Preconditions.checkRead(call.headers(), version, backend.clock().wallMicros());
    String rangeHeader = rangeHeader(call, version);
    ByteRange range;
    if (partNumber > 0) {
      if (rangeHeader != null) {
        throw new S3Exception(
            S3Error.INVALID_REQUEST,
            "Cannot specify both Range header and partNumber query parameter");
      }
      range = part(version, partNumber);
    } else {
      range = ByteRange.of(rangeHeader, version.getLength());
    }
    boolean partial = partNumber > 0 || range != null;
    Response response = response(call, found, cipher, range, partial ? 206 : 200);
    try {
      ObjectHeaders.describe(shown(call, version), response);
      Versions.identify(response, call.bucket(), version);
      ObjectEncryption.describe(call, version.getMetadata().getEncryption(), response);
      if ("ENABLED".equalsIgnoreCase(call.header("x-amz-checksum-mode"))) {
        if (!partial) {
          ObjectHeaders.checksums(version, response);
        } else if (partNumber > 0) {
          ObjectHeaders.checksumOfPart(version, partNumber, response);
        }
      }
      if (range != null) {
        response.header(HttpHeaderNames.CONTENT_RANGE, range.contentRange(version.getLength()));
      }
      if (partNumber > 0 && version.getPartCount() > 0) {
        response.header("x-amz-mp-parts-count", version.getPartCount());
      }
      if (Versions.asked(call) == VersionIds.CURRENT) {
        ExpirationHeaders.announce(call.bucket(), version, response);
      }
      ObjectHeaders.override(call.query(), response);
      return response;
    } catch (S3Exception | StoreException | RuntimeException e) {
      response.discard();
      throw e;
    }
  }

  /**
   * The version without what the caller may not read of it by the operations that tell it: its lock
   * and its tags, of which headers tell the number. As S3 leaves them out.
   */
  private ObjectVersion shown(S3Call call, ObjectVersion version)
      throws S3Exception, StoreException {
    ObjectMetadata metadata = version.getMetadata();
    if (metadata.getTagsCount() == 0 && !metadata.hasLock()) {
      return version;
    }
    ObjectMetadata.Builder shown = metadata.toBuilder();
    if (metadata.getTagsCount() > 0 && !mayKnow(call, "s3:GetObjectTagging", version)) {
      shown.clearTags();
    }
    if (metadata.getLock().getMode() != LockMode.UNLOCKED
        && !mayKnow(call, "s3:GetObjectRetention", version)) {
      shown.getLockBuilder().clearMode().clearRetainUntilMicros();
    }
    if (metadata.getLock().getLegalHold() != LegalHold.HOLD_NEVER_SET
        && !mayKnow(call, "s3:GetObjectLegalHold", version)) {
      shown.getLockBuilder().clearLegalHold();
    }
    return version.toBuilder().setMetadata(shown).build();
  }

  private boolean mayKnow(S3Call call, String action, ObjectVersion version)
      throws S3Exception, StoreException {
    return backend
        .authorizer()
        .mayKnow(
            call.caller().subject(),
            Versions.action(action, call.query()),
            call.bucket(),
            call.key(),
            call.facts(),
            () -> version);
  }

  /** A range counts only for the version that If-Range names. */
  private static String rangeHeader(S3Call call, ObjectVersion version) {
    String range = call.header("range");
    String ifRange = call.header("if-range");
    if (range == null || ifRange == null) {
      return range;
    }
    Long time = Times.parseHttp(ifRange);
    boolean same =
        time != null
            ? version.getModifiedMicros() / 1_000_000 == time
            : Etags.unquote(ifRange).equals(Etags.of(version));
    return same ? range : null;
  }

  private Response response(
      S3Call call, GetObjectReply found, ObjectCipher cipher, ByteRange range, int status)
      throws StoreException {
    long size = found.getVersion().getLength();
    ByteRange bytes = range != null ? range : new ByteRange(0, size);
    if (!withBody) {
      return Response.headOnly(status, bytes.length());
    }
    if (bytes.length() == 0) {
      return Response.empty(status);
    }
    return Response.streaming(
        status, new ObjectSource(backend, call.bucketName(), found, cipher, bytes));
  }

  /** Bytes of one part; null if they are none. An object that was put whole is its only part. */
  static ByteRange part(ObjectVersion version, int number) throws S3Exception {
    if (version.getPartCount() == 0) {
      if (number > 1) {
        throw new S3Exception(S3Error.INVALID_PART_NUMBER);
      }
      return version.getLength() == 0 ? null : new ByteRange(0, version.getLength());
    }
    if (number > version.getPartCount()) {
      throw new S3Exception(S3Error.INVALID_PART_NUMBER)
          .with("ActualPartCount", Integer.toString(version.getPartCount()))
          .with("PartNumberRequested", Integer.toString(number));
    }
    if (version.getPartCount() == 1 && version.getPartLengthsCount() == 0) {
      return new ByteRange(
          0, version.getLength()); // by an older fsck, of a file that was put whole
    }
    long first = 0;
    for (int i = 0; i < number - 1; i++) {
      first += version.getPartLengths(i);
    }
    long length = version.getPartLengths(number - 1);
    return length == 0 ? null : new ByteRange(first, length);
  }
}
