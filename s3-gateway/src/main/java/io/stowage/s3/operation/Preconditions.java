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
import io.stowage.common.error.StoreException;
import io.stowage.common.proto.Condition;
import io.stowage.common.proto.ObjectVersion;
import io.stowage.s3.error.S3Error;
import io.stowage.s3.error.S3Exception;
import io.stowage.s3.xml.XmlElement;

/**
 * The conditions of reads, copies' sources and writes. Those of writes are only translated here:
 * they are decided in the row mutation, where nothing can come between.
 *
 * @see <a href="https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-requests.html">
 *     Conditional requests</a>
 */
final class Preconditions {
  private static final String IF_SIZE = "x-amz-if-match-size";
  private static final String IF_MODIFIED = "x-amz-if-match-last-modified-time";

  private Preconditions() {}

  /**
   * Checks the conditions of GET and HEAD: an entity tag outweighs a time of the same direction.
   * Throws PreconditionFailed or NotModified.
   */
  static void checkRead(HttpHeaders headers, ObjectVersion version, long nowMicros)
      throws S3Exception {
    String etag = Etags.of(version);
    long modified = version.getModifiedMicros() / 1_000_000;
    String ifMatch = headers.get("if-match");
    Long unmodifiedSince = Times.parseHttp(headers.get("if-unmodified-since"));
    if (ifMatch != null) {
      if (!Etags.listMatches(ifMatch, etag)) {
        throw failed("If-Match");
      }
    } else if (unmodifiedSince != null && modified > unmodifiedSince) {
      throw failed("If-Unmodified-Since");
    }
    String ifNoneMatch = headers.get("if-none-match");
    Long modifiedSince = Times.parseHttp(headers.get("if-modified-since"));
    if (ifNoneMatch != null) {
      if (Etags.listMatches(ifNoneMatch, etag)) {
        throw notModified(version);
      }
    } else if (unmodified(version, modifiedSince, nowMicros)) {
      throw notModified(version);
    }
  }

  /** Whether it has not changed since a time, which counts for nothing if it is still to come. */
  private static boolean unmodified(ObjectVersion version, Long since, long nowMicros) {
    return since != null
        && since <= nowMicros / 1_000_000
        && version.getModifiedMicros() / 1_000_000 <= since;
  }

  /** An answer without a body still says of which version it speaks. */
  private static S3Exception notModified(ObjectVersion version) {
    return new S3Exception(S3Error.NOT_MODIFIED)
        .withHeader("etag", Etags.quoted(Etags.of(version)))
        .withHeader("last-modified", Times.http(version.getModifiedMicros()));
  }

  /** Checks the x-amz-copy-source-if-… conditions; each that fails is PreconditionFailed. */
  static void checkCopySource(HttpHeaders headers, ObjectVersion source, long nowMicros)
      throws S3Exception {
    String prefix = "x-amz-copy-source-if-";
    String etag = Etags.of(source);
    long modified = source.getModifiedMicros() / 1_000_000;
    String match = headers.get(prefix + "match");
    Long unmodifiedSince = Times.parseHttp(headers.get(prefix + "unmodified-since"));
    if (match != null) {
      if (!Etags.listMatches(match, etag)) {
        throw failed("x-amz-copy-source-If-Match");
      }
    } else if (unmodifiedSince != null && modified > unmodifiedSince) {
      throw failed("x-amz-copy-source-If-Unmodified-Since");
    }
    String noneMatch = headers.get(prefix + "none-match");
    Long modifiedSince = Times.parseHttp(headers.get(prefix + "modified-since"));
    if (noneMatch != null) {
      if (Etags.listMatches(noneMatch, etag)) {
        throw failed("x-amz-copy-source-If-None-Match");
      }
    } else if (unmodified(source, modifiedSince, nowMicros)) {
      throw failed("x-amz-copy-source-If-Modified-Since");
    }
  }

  /** The condition of a put or completion: If-None-Match with {@code *}, or If-Match. */
  static Condition ofWrite(HttpHeaders headers) throws S3Exception {
    String ifNoneMatch = headers.get("if-none-match");
    String ifMatch = headers.get("if-match");
    Condition.Builder condition = Condition.newBuilder();
    if (ifNoneMatch != null) {
      if (ifMatch != null) {
        throw notTaken(
            "If-Match,If-None-Match",
            "Multiple conditional request headers present in the request");
      }
      if (!ifNoneMatch.trim().equals("*")) {
        throw notTaken("If-None-Match");
      }
      condition.setMustBeAbsent(true);
    }
    if (ifMatch != null) {
      condition.setIfMatchEtag(singleTag(ifMatch));
    }
    return condition.build();
  }

  /**
   * The condition of a delete: If-Match, and the two of directory buckets, which are honoured here
   * in any.
   *
   * @param version that the request names; null: none. S3 knows If-Match of current versions only,
   *     and refuses it here
   */
  static Condition ofDelete(HttpHeaders headers, String version) throws S3Exception {
    Condition.Builder condition = Condition.newBuilder();
    String ifMatch = headers.get("if-match");
    if (ifMatch != null) {
      if (version != null) {
        throw new S3Exception(S3Error.NOT_IMPLEMENTED).with("Header", "If-Match");
      }
      condition.setIfMatchEtag(singleTag(ifMatch));
    }
    String size = headers.get(IF_SIZE);
    if (size != null) {
      condition.getIfLengthBuilder().setBytes(size(IF_SIZE, size));
    }
    String modified = headers.get(IF_MODIFIED);
    if (modified != null) {
      Long seconds = Times.parseHttp(modified);
      if (seconds == null) {
        seconds = Times.parseIso(modified);
      }
      if (seconds == null) {
        throw S3Call.invalid(IF_MODIFIED, modified, "This is not a time");
      }
      condition.getIfModifiedBuilder().setSeconds(seconds);
    }
    return condition.build();
  }

  /** The same of one object in a document of DeleteObjects. */
  static Condition ofDelete(XmlElement object, String version) throws S3Exception {
    Condition.Builder condition = Condition.newBuilder();
    String etag = object.childText("ETag");
    if (etag != null && !etag.isEmpty()) {
      if (version != null) {
        throw new S3Exception(S3Error.NOT_IMPLEMENTED);
      }
      condition.setIfMatchEtag(singleTag(etag));
    }
    String size = object.childText("Size");
    if (size != null && !size.isEmpty()) {
      condition.getIfLengthBuilder().setBytes(size("Size", size));
    }
    String modified = object.childText("LastModifiedTime");
    if (modified != null && !modified.isEmpty()) {
      Long seconds = Times.parseIso(modified);
      if (seconds == null) {
        seconds = Times.parseHttp(modified);
      }
      if (seconds == null) {
        throw S3Call.invalid("LastModifiedTime", modified, "This is not a time");
      }
      condition.getIfModifiedBuilder().setSeconds(seconds);
    }
    return condition.build();
  }

  private static long size(String name, String text) throws S3Exception {
    try {
      return Long.parseUnsignedLong(text.trim());
    } catch (NumberFormatException e) {
      throw S3Call.invalid(name, text, "This is not a number of bytes");
    }
  }

  /** Whether an entity tag is compared, which only those are told who may read the object. */
  static boolean comparesTags(Condition condition) {
    return !condition.getIfMatchEtag().isEmpty() && !condition.getIfMatchEtag().equals("*");
  }

  /**
   * What a caller is told who could not get a turn at a key: a condition makes it another error in
   * S3. Not that of a condition that does not hold: whoever loses a race is judged by what the
   * winner left, and gets 412, or 404.
   */
  static S3Error lostTurn(boolean conditional) {
    return conditional ? S3Error.CONDITIONAL_REQUEST_CONFLICT : S3Error.OPERATION_ABORTED;
  }

  /** Whether a request has a condition on what it is about to change. */
  static boolean isConditionalWrite(String method, HttpHeaders headers) {
    return !method.equals("GET")
        && !method.equals("HEAD")
        && (headers.contains("if-match") || headers.contains("if-none-match"));
  }

  private static String singleTag(String ifMatch) throws S3Exception {
    String tag = Etags.unquote(ifMatch);
    if (tag.isEmpty() || tag.indexOf(',') >= 0) {
      throw notTaken("If-Match");
    }
    return tag;
  }

  /** What the store found not to hold; only one of the two can have been asked for. */
  static S3Exception failedWrite(HttpHeaders headers, StoreException cause) {
    S3Exception failed = S3Exception.of(cause);
    if (headers.contains("if-none-match")) {
      return failed.with("Condition", "If-None-Match");
    }
    return headers.contains("if-match") ? failed.with("Condition", "If-Match") : failed;
  }

  private static S3Exception notTaken(String header) {
    return notTaken(
        header, "We don't accept the provided value of " + header + " header for this API");
  }

  private static S3Exception notTaken(String header, String more) {
    return new S3Exception(
            S3Error.NOT_IMPLEMENTED,
            "A header you provided implies functionality that is not implemented")
        .with("Header", header)
        .with("additionalMessage", more);
  }

  private static S3Exception failed(String condition) {
    return new S3Exception(S3Error.PRECONDITION_FAILED).with("Condition", condition);
  }
}
