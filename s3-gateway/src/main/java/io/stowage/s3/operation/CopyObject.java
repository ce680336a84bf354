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

import io.netty.handler.codec.http.HttpHeaders;
import io.stowage.client.crypt.ObjectCipher;
import io.stowage.common.error.StoreException;
import io.stowage.common.proto.Checksum;
import io.stowage.common.proto.Condition;
import io.stowage.common.proto.Encryption;
import io.stowage.common.proto.ObjectMetadata;
import io.stowage.common.proto.ObjectVersion;
import io.stowage.s3.error.S3Error;
import io.stowage.s3.error.S3Exception;
import io.stowage.s3.http.Response;
import io.stowage.s3.payload.HashKind;
import io.stowage.s3.payload.Payload;
import io.stowage.s3.xml.XmlOut;
import java.util.Locale;
import java.util.Map;

/**
 * PUT with x-amz-copy-source: the bytes are read and written anew, so that no container is named by
 * two rows and either object can be deleted without asking about the other.
 */
final class CopyObject implements Operation {
  private final Backend backend;
  private final ObjectIntake intake;

  CopyObject(Backend backend) {
    this.backend = backend;
    this.intake = new ObjectIntake(backend);
  }

  @Override
  public String action() {
    return "s3:PutObject";
  }

  @Override
  public Response handle(S3Call call) throws S3Exception, StoreException {
    HttpHeaders headers = call.headers();
    boolean replaceMetadata = replaces(headers, "x-amz-metadata-directive");
    boolean replaceTags = replaces(headers, "x-amz-tagging-directive");
    CopySource source = CopySource.find(backend, call);
    ObjectVersion from = source.found().getVersion();
    boolean ontoItself =
        source.bucket().equals(call.bucketName())
            && source.key().equals(call.key())
            && !call.header(CopySource.HEADER).contains("?versionId=");
    if (ontoItself
        && !replaceMetadata
        && !replaceTags
        && !headers.contains("x-amz-storage-class")
        && !ObjectEncryption.isAskedFor(call)
        && !headers.contains("x-amz-website-redirect-location")) {
      throw new S3Exception(
          S3Error.INVALID_REQUEST,
          "This copy request is illegal because it is trying to copy an object to itself without"
              + " changing the object's metadata, storage class, website redirect location or"
              + " encryption attributes.");
    }
    if (from.getLength() > PutObject.LARGEST_BODY) {
      throw new S3Exception(
          S3Error.INVALID_REQUEST,
          "The specified copy source is larger than the maximum allowable size for a copy source: "
              + PutObject.LARGEST_BODY);
    }
    if (!replaceTags && from.getMetadata().getTagsCount() > 0) {
      requireTags(source, call, from.getMetadata().getTagsMap());
    }
    ObjectMetadata metadata = metadata(backend, call, from, replaceMetadata, replaceTags);
    Condition condition = Preconditions.ofWrite(headers);
    ObjectCipher cipher = backend.encryption().forWrite(call);
    Encryption encryption = cipher == null ? Encryption.getDefaultInstance() : cipher.envelope();
    call.mayTakeLong(describe(call, source, encryption, Response.empty(200)));
    ObjectVersion version;
    try (ObjectSource bytes = source.bytes(backend, new ByteRange(0, from.getLength()));
        Payload payload =
            Payload.unclaimed(
                bytes, from.getLength(), checksumKind(headers, from), call.hashThreads())) {
      version = PutObject.put(backend, intake, call, metadata, cipher, condition, payload);
    }
    Response response = Response.xml(200, result(XmlOut.document("CopyObjectResult"), version));
    ExpirationHeaders.announce(call.bucket(), version, response);
    describe(call, source, encryption, response);
    return Versions.identifyNew(response, call.bucket(), version);
  }

  /** Says what is known before a byte is copied. */
  private static Response describe(
      S3Call call, CopySource source, Encryption encryption, Response response) {
    ObjectEncryption.describe(call, encryption, response);
    ObjectEncryption.describeContext(encryption, response);
    return source.identify(response);
  }

  /**
   * That tags which no header names may be taken there and put here: the put is asked about again,
   * with them as if they were in its headers.
   */
  private void requireTags(CopySource source, S3Call call, Map<String, String> tags)
      throws S3Exception, StoreException {
    if (!tags.isEmpty()) {
      source.requireTags(backend, call);
    }
    backend
        .authorizer()
        .authorize(
            call.caller().subject(),
            action(),
            call.bucket(),
            call.key(),
            RequestFacts.withTags(call.facts(), tags));
  }

  private static String result(XmlOut out, ObjectVersion version) {
    out.text("LastModified", Times.isoSecond(version.getModifiedMicros()));
    out.text("ETag", Etags.quoted(Etags.of(version)));
    Checksums.write(out, version.getChecksumsList(), version.getPartCount(), true);
    return out.finish();
  }

  /** Whether a copy takes the tags of its source, so that those of its header mean nothing. */
  static boolean copiesTags(HttpHeaders headers) {
    return headers.contains(CopySource.HEADER)
        && !"REPLACE".equals(headers.get("x-amz-tagging-directive"));
  }

  private static boolean replaces(HttpHeaders headers, String directive) throws S3Exception {
    String value = headers.get(directive);
    if (value == null || value.equals("COPY")) {
      return false;
    }
    if (!value.equals("REPLACE")) {
      throw S3Call.invalid(
          directive, value, "Unknown " + directive.substring(6).replace('-', ' ') + ".");
    }
    return true;
  }

  private static ObjectMetadata metadata(
      Backend backend,
      S3Call call,
      ObjectVersion from,
      boolean replaceMetadata,
      boolean replaceTags)
      throws S3Exception, StoreException {
    ObjectMetadata sent = ObjectHeaders.metadata(backend, call);
    ObjectMetadata.Builder metadata = sent.toBuilder();
    if (!replaceMetadata) {
      // The storage class and a redirect are never copied, as in S3.
      metadata.clearHeaders().clearUser();
      metadata.putAllHeaders(from.getMetadata().getHeadersMap());
      metadata.removeHeaders("x-amz-website-redirect-location");
      if (sent.containsHeaders("x-amz-website-redirect-location")) {
        metadata.putHeaders(
            "x-amz-website-redirect-location",
            sent.getHeadersOrThrow("x-amz-website-redirect-location"));
      }
      metadata.putAllUser(from.getMetadata().getUserMap());
    }
    if (!replaceTags) {
      metadata.clearTags().putAllTags(from.getMetadata().getTagsMap());
    }
    return metadata.build();
  }

  private static HashKind checksumKind(HttpHeaders headers, ObjectVersion from) throws S3Exception {
    String named = headers.get("x-amz-checksum-algorithm");
    if (named != null) {
      HashKind kind = HashKind.ofName(named.toUpperCase(Locale.ROOT));
      if (kind == null) {
        throw new S3Exception(
            S3Error.INVALID_REQUEST, "Checksum algorithm provided is unsupported.");
      }
      return kind;
    }
    for (Checksum checksum : from.getChecksumsList()) {
      HashKind kind = HashKind.of(checksum.getAlgorithm());
      if (kind != null) {
        return kind;
      }
    }
    return HashKind.CRC64NVME;
  }
}
