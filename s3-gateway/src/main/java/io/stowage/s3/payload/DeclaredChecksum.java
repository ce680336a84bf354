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
package io.stowage.s3.payload;

import io.netty.handler.codec.http.HttpHeaders;
import io.stowage.s3.error.S3Error;
import io.stowage.s3.error.S3Exception;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import org.apache.hadoop.thirdparty.protobuf.ByteString;

/**
 * The x-amz-checksum that a request says its body has. Immutable.
 *
 * @param value null if it comes in the trailer
 */
public record DeclaredChecksum(HashKind kind, ByteString value) {
  private static final String PREFIX = "x-amz-checksum-";
  private static final String SDK_ALGORITHM = "x-amz-sdk-checksum-algorithm";

  /** Headers that begin as those of checksums do and carry none. */
  private static final Set<String> OTHERS =
      Set.of(PREFIX + "algorithm", PREFIX + "mode", PREFIX + "type");

  /**
   * Refuses a checksum of a kind that S3 has and this store has not: to drop it would tell its
   * sender that the bytes are as they were.
   */
  public static void refuseUnknown(HttpHeaders headers) throws S3Exception {
    for (Map.Entry<String, String> header : headers) {
      String name = header.getKey().toLowerCase(Locale.ROOT);
      if (name.startsWith(PREFIX)
          && !OTHERS.contains(name)
          && HashKind.CHECKSUMS.stream().noneMatch(kind -> kind.header().equals(name))) {
        throw new S3Exception(S3Error.NOT_IMPLEMENTED).with("Header", name);
      }
    }
  }

  /** What the headers declare; null if nothing. */
  public static DeclaredChecksum of(HttpHeaders headers) throws S3Exception {
    refuseUnknown(headers);
    DeclaredChecksum found = null;
    for (HashKind kind : HashKind.CHECKSUMS) {
      String text = headers.get(kind.header());
      if (text == null) {
        continue;
      }
      if (found != null) {
        throw new S3Exception(
            S3Error.INVALID_REQUEST,
            "Expecting a single x-amz-checksum- header. Multiple checksum Types are not allowed.");
      }
      byte[] value = kind.decode(text);
      if (value == null) {
        throw new S3Exception(
            S3Error.INVALID_REQUEST, "Value for " + kind.header() + " header is invalid.");
      }
      found = new DeclaredChecksum(kind, ByteString.copyFrom(value));
    }
    String trailer = headers.get("x-amz-trailer");
    if (trailer != null) {
      if (found != null) {
        throw new S3Exception(
            S3Error.INVALID_REQUEST,
            "Expecting a single x-amz-checksum- header. Multiple checksum Types are not allowed.");
      }
      found = new DeclaredChecksum(ofHeader(trailer), null);
    }
    String named = headers.get(SDK_ALGORITHM);
    if (named != null) {
      checkNamed(named.toUpperCase(Locale.ROOT), found);
    }
    return found;
  }

  private static HashKind ofHeader(String name) throws S3Exception {
    for (HashKind kind : HashKind.CHECKSUMS) {
      if (kind.header().equals(name.trim().toLowerCase(Locale.ROOT))) {
        return kind;
      }
    }
    throw new S3Exception(
        S3Error.INVALID_REQUEST,
        "The value specified in the x-amz-trailer header is not supported");
  }

  private static void checkNamed(String named, DeclaredChecksum found) throws S3Exception {
    HashKind kind = HashKind.ofName(named);
    if (kind == null && !named.equals("MD5")) {
      throw new S3Exception(
          S3Error.INVALID_REQUEST, "Value for " + SDK_ALGORITHM + " header is invalid.");
    }
    if (found == null && kind != null) {
      throw new S3Exception(
          S3Error.INVALID_REQUEST,
          SDK_ALGORITHM
              + " specified, but no corresponding x-amz-checksum-* or x-amz-trailer headers were"
              + " found.");
    }
    if (found != null && found.kind != kind) {
      throw new S3Exception(
          S3Error.INVALID_REQUEST, "Value for " + SDK_ALGORITHM + " header is invalid.");
    }
  }
}
