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
import io.netty.handler.codec.http.HttpHeaders;
import io.stowage.common.error.StoreException;
import io.stowage.common.proto.Checksum;
import io.stowage.common.proto.ObjectMetadata;
import io.stowage.common.proto.ObjectVersion;
import io.stowage.s3.error.S3Error;
import io.stowage.s3.error.S3Exception;
import io.stowage.s3.http.Response;
import io.stowage.s3.payload.HashKind;
import io.stowage.s3.setting.Tags;
import java.nio.charset.StandardCharsets;
import java.util.Base64;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;

/** Metadata between requests' headers, what is stored, and responses' headers. Stateless. */
final class ObjectHeaders {
  static final String DEFAULT_CONTENT_TYPE = "binary/octet-stream";

  private static final String REDIRECT = "x-amz-website-redirect-location";
  private static final String USER_PREFIX = "x-amz-meta-";
  private static final int MOST_USER_BYTES = 2048;

  /** System metadata that a client sets and gets back as it was. */
  private static final List<String> KEPT =
      List.of(
          "content-type",
          "cache-control",
          "content-disposition",
          "content-encoding",
          "content-language",
          "expires",
          REDIRECT);

  private static final Set<String> STORAGE_CLASSES =
      Set.of(
          "STANDARD",
          "REDUCED_REDUNDANCY",
          "STANDARD_IA",
          "ONEZONE_IA",
          "INTELLIGENT_TIERING",
          "GLACIER",
          "DEEP_ARCHIVE",
          "GLACIER_IR");

  /** A response header that a GET may override in the query. */
  private static final Map<String, CharSequence> OVERRIDES =
      new TreeMap<>(
          Map.of(
              "response-content-type", HttpHeaderNames.CONTENT_TYPE,
              "response-content-language", HttpHeaderNames.CONTENT_LANGUAGE,
              "response-expires", HttpHeaderNames.EXPIRES,
              "response-cache-control", HttpHeaderNames.CACHE_CONTROL,
              "response-content-disposition", HttpHeaderNames.CONTENT_DISPOSITION,
              "response-content-encoding", HttpHeaderNames.CONTENT_ENCODING));

  private ObjectHeaders() {}

  /**
   * Refuses what must not be dropped in silence: a client that asks for a lock would believe that
   * it has it.
   */
  static void refuseUnsupported(HttpHeaders headers) throws S3Exception {
    for (Map.Entry<String, String> header : headers) {
      String name = header.getKey().toLowerCase(Locale.ROOT);
      if (name.equals("x-amz-write-offset-bytes")) {
        throw new S3Exception(S3Error.NOT_IMPLEMENTED).with("Header", name);
      }
    }
  }

  /** What a put's headers say of the object. */
  static ObjectMetadata metadata(Backend backend, S3Call call) throws S3Exception, StoreException {
    HttpHeaders headers = call.headers();
    refuseUnsupported(headers);
    ObjectMetadata.Builder metadata = ObjectMetadata.newBuilder();
    for (String name : KEPT) {
      String value = headers.get(name);
      if (value == null) {
        continue;
      }
      if (name.equals(REDIRECT) && !value.matches("(https?:/)?/.*")) {
        throw new S3Exception(S3Error.INVALID_REDIRECT_LOCATION);
      }
      if (name.equals("content-encoding")) {
        value = withoutAwsChunked(value);
      }
      if (!value.isEmpty()
          && !(name.equals("content-type") && value.equals(DEFAULT_CONTENT_TYPE))) {
        metadata.putHeaders(name, WireText.fromWire(value));
      }
    }
    addUserMetadata(headers, metadata);
    addTags(headers.get("x-amz-tagging"), metadata);
    LockHeaders.add(backend, call, metadata);
    String storageClass = headers.get("x-amz-storage-class");
    if (storageClass != null) {
      if (!STORAGE_CLASSES.contains(storageClass)) {
        throw new S3Exception(S3Error.INVALID_STORAGE_CLASS)
            .with("StorageClassRequested", storageClass);
      }
      if (!storageClass.equals("STANDARD")) {
        metadata.setStorageClass(storageClass);
      }
    }
    return Ownership.own(backend, call, metadata.build());
  }

  private static void addUserMetadata(HttpHeaders headers, ObjectMetadata.Builder metadata)
      throws S3Exception {
    int bytes = 0;
    for (String sent : headers.names()) {
      String name = sent.toLowerCase(Locale.ROOT);
      if (!name.startsWith(USER_PREFIX) || metadata.containsUser(name.substring(11))) {
        continue;
      }
      String value = String.join(",", headers.getAll(sent));
      bytes += name.length() - USER_PREFIX.length() + value.length();
      metadata.putUser(name.substring(USER_PREFIX.length()), WireText.fromWire(value));
    }
    if (bytes > MOST_USER_BYTES) {
      throw new S3Exception(S3Error.METADATA_TOO_LARGE)
          .with("Size", Integer.toString(bytes))
          .with("MaxSizeAllowed", Integer.toString(MOST_USER_BYTES));
    }
  }

  static void addTags(String tagging, ObjectMetadata.Builder metadata) throws S3Exception {
    if (tagging == null || tagging.isEmpty()) {
      return;
    }
    metadata.putAllTags(Tags.ofHeader(tagging));
  }

  /** aws-chunked describes the transfer, not the object. */
  private static String withoutAwsChunked(String encoding) {
    List<String> all = List.of(encoding.split(",", -1));
    List<String> rest =
        all.stream().filter(item -> !item.trim().equalsIgnoreCase("aws-chunked")).toList();
    return rest.size() == all.size() ? encoding : String.join(",", rest).trim();
  }

  /** Everything that a version says of itself, except its length. */
  static void describe(ObjectVersion version, Response response) {
    HttpHeaders out = response.headers();
    ObjectMetadata metadata = version.getMetadata();
    out.set(HttpHeaderNames.CONTENT_TYPE, DEFAULT_CONTENT_TYPE);
    metadata.getHeadersMap().forEach((name, value) -> out.set(name, WireText.toWire(value)));
    metadata
        .getUserMap()
        .forEach((name, value) -> out.set(USER_PREFIX + name, WireText.toWire(value)));
    if (!metadata.getStorageClass().isEmpty()) {
      out.set("x-amz-storage-class", metadata.getStorageClass());
    }
    if (metadata.getTagsCount() > 0) {
      out.set("x-amz-tagging-count", metadata.getTagsCount());
    }
    LockHeaders.describe(metadata, response);
    identify(version, response);
    out.set(HttpHeaderNames.ACCEPT_RANGES, "bytes");
  }

  static String storageClass(ObjectMetadata metadata) {
    return metadata.getStorageClass().isEmpty() ? "STANDARD" : metadata.getStorageClass();
  }

  private static void identify(ObjectVersion version, Response response) {
    response.headers().set(HttpHeaderNames.ETAG, Etags.quoted(Etags.of(version)));
    response.headers().set(HttpHeaderNames.LAST_MODIFIED, Times.http(version.getModifiedMicros()));
  }

  /** Checksum headers. */
  static void checksums(ObjectVersion version, Response response) {
    for (Checksum checksum : version.getChecksumsList()) {
      HashKind kind = HashKind.of(checksum.getAlgorithm());
      if (kind != null) {
        response.headers().set(kind.header(), checksumText(checksum, version.getPartCount()));
        response.headers().set("x-amz-checksum-type", checksumType(checksum));
      }
    }
  }

  /**
   * Checksum header of one part: as in S3, only where the whole's is composite, or where the part
   * is the whole.
   */
  static void checksumOfPart(ObjectVersion version, int number, Response response) {
    Checksum part = Checksums.ofPart(version, number);
    if (part != null) {
      response.headers().set(HashKind.of(part.getAlgorithm()).header(), checksumText(part, 0));
      response.headers().set("x-amz-checksum-type", checksumType(version.getChecksums(0)));
    } else if (version.getPartCount() <= 1) {
      checksums(version, response);
    }
  }

  static String checksumText(Checksum checksum, int partCount) {
    String base64 = Base64.getEncoder().encodeToString(checksum.getValue().toByteArray());
    return checksum.getComposite() && partCount > 0 ? base64 + "-" + partCount : base64;
  }

  static String checksumType(Checksum checksum) {
    return checksum.getComposite() ? "COMPOSITE" : "FULL_OBJECT";
  }

  /** Whether a GET has response-… parameters. */
  static boolean overrides(Map<String, String> query) {
    return OVERRIDES.keySet().stream().anyMatch(query::containsKey);
  }

  /** Applies the response-… parameters of a GET. */
  static void override(Map<String, String> query, Response response) throws S3Exception {
    for (Map.Entry<String, CharSequence> override : OVERRIDES.entrySet()) {
      String value = query.get(override.getKey());
      if (value != null) {
        try {
          response.headers().set(override.getValue(), toHeader(value));
        } catch (IllegalArgumentException e) {
          throw S3Call.invalid(override.getKey(), value, "The value cannot be a header");
        }
      }
    }
  }

  /** UTF-8 bytes as chars: a file name in content-disposition goes out as it came in. */
  private static String toHeader(String value) {
    return new String(value.getBytes(StandardCharsets.UTF_8), StandardCharsets.ISO_8859_1);
  }
}
