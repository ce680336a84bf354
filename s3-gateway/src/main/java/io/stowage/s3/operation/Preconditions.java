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
import io.stowage.common.proto.Condition;
import io.stowage.common.proto.ObjectVersion;
import io.stowage.s3.error.S3Error;
import io.stowage.s3.error.S3Exception;

/**
 * The conditions of reads, copies' sources and writes. Those of writes are only translated here:
 * they are decided in the row mutation, where nothing can come between.
 *
 * @see <a href="https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-requests.html">
 *     Conditional requests</a>
 */
final class Preconditions {
  private Preconditions() {}

  /**
   * Checks the conditions of GET and HEAD: an entity tag outweighs a time of the same direction.
   * Throws PreconditionFailed or NotModified.
   */
  static void checkRead(HttpHeaders headers, ObjectVersion version) throws S3Exception {
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
        throw new S3Exception(S3Error.NOT_MODIFIED);
      }
    } else if (modifiedSince != null && modified <= modifiedSince) {
      throw new S3Exception(S3Error.NOT_MODIFIED);
    }
  }

  /** Checks the x-amz-copy-source-if-… conditions; each that fails is PreconditionFailed. */
  static void checkCopySource(HttpHeaders headers, ObjectVersion source) throws S3Exception {
    String prefix = "x-amz-copy-source-if-";
    String etag = Etags.of(source);
    long modified = source.getModifiedMicros() / 1_000_000;
    String match = headers.get(prefix + "match");
    Long unmodifiedSince = Times.parseHttp(headers.get(prefix + "unmodified-since"));
    if (match != null) {
      if (!Etags.listMatches(match, etag)) {
        throw failed(prefix + "match");
      }
    } else if (unmodifiedSince != null && modified > unmodifiedSince) {
      throw failed(prefix + "unmodified-since");
    }
    String noneMatch = headers.get(prefix + "none-match");
    Long modifiedSince = Times.parseHttp(headers.get(prefix + "modified-since"));
    if (noneMatch != null) {
      if (Etags.listMatches(noneMatch, etag)) {
        throw failed(prefix + "none-match");
      }
    } else if (modifiedSince != null && modified <= modifiedSince) {
      throw failed(prefix + "modified-since");
    }
  }

  /** The condition of a put or completion: If-None-Match with {@code *}, or If-Match. */
  static Condition ofWrite(HttpHeaders headers) throws S3Exception {
    String ifNoneMatch = headers.get("if-none-match");
    String ifMatch = headers.get("if-match");
    Condition.Builder condition = Condition.newBuilder();
    if (ifNoneMatch != null) {
      if (!ifNoneMatch.trim().equals("*") || ifMatch != null) {
        throw new S3Exception(S3Error.NOT_IMPLEMENTED).with("Header", "If-None-Match");
      }
      condition.setMustBeAbsent(true);
    }
    if (ifMatch != null) {
      condition.setIfMatchEtag(singleTag(ifMatch));
    }
    return condition.build();
  }

  /** The condition of a delete: If-Match. */
  static Condition ofDelete(HttpHeaders headers) throws S3Exception {
    String ifMatch = headers.get("if-match");
    Condition.Builder condition = Condition.newBuilder();
    if (ifMatch != null) {
      condition.setIfMatchEtag(singleTag(ifMatch));
    }
    return condition.build();
  }

  private static String singleTag(String ifMatch) throws S3Exception {
    String tag = Etags.unquote(ifMatch);
    if (tag.isEmpty() || tag.indexOf(',') >= 0) {
      throw new S3Exception(S3Error.NOT_IMPLEMENTED).with("Header", "If-Match");
    }
    return tag;
  }

  private static S3Exception failed(String condition) {
    return new S3Exception(S3Error.PRECONDITION_FAILED).with("Condition", condition);
  }
}
