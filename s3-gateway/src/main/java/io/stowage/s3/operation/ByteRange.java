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

import io.stowage.s3.error.S3Error;
import io.stowage.s3.error.S3Exception;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * A range of an object's bytes. Immutable.
 *
 * @param first offset of the first byte
 * @param length bytes, at least one
 */
record ByteRange(long first, long length) {
  private static final Pattern SINGLE = Pattern.compile("bytes=\\s*([0-9]*)\\s*-\\s*([0-9]*)\\s*");
  private static final Pattern COPY = Pattern.compile("bytes=([0-9]{1,18})-([0-9]{1,18})");

  /**
   * The range that a Range header asks for; null if the whole object is to be sent: without a
   * header, and for one that is not understood or names several ranges, as HTTP lets a server do
   * and S3 does.
   */
  static ByteRange of(String header, long size) throws S3Exception {
    if (header == null) {
      return null;
    }
    Matcher matcher = SINGLE.matcher(header.trim());
    if (!matcher.matches() || (matcher.group(1).isEmpty() && matcher.group(2).isEmpty())) {
      return null;
    }
    if (matcher.group(1).isEmpty()) {
      long suffix = number(matcher.group(2));
      if (suffix == 0 || size == 0) {
        throw unsatisfiable(header, size);
      }
      long length = Math.min(suffix, size);
      return new ByteRange(size - length, length);
    }
    long first = number(matcher.group(1));
    long last = matcher.group(2).isEmpty() ? Long.MAX_VALUE : number(matcher.group(2));
    if (last < first) {
      return null;
    }
    if (first >= size) {
      throw unsatisfiable(header, size);
    }
    return new ByteRange(first, Math.min(last, size - 1) - first + 1);
  }

  /** The range of x-amz-copy-source-range, which must be exact and within the source. */
  static ByteRange ofCopySource(String header, long size) throws S3Exception {
    Matcher matcher = COPY.matcher(header.trim());
    if (!matcher.matches() || number(matcher.group(2)) < number(matcher.group(1))) {
      throw S3Call.invalid(
          "x-amz-copy-source-range",
          header,
          "The x-amz-copy-source-range value must be of the form bytes=first-last where first and"
              + " last are the zero-based offsets of the first and last bytes to copy");
    }
    long first = number(matcher.group(1));
    long last = number(matcher.group(2));
    if (first >= size) {
      throw new S3Exception(
          S3Error.INVALID_REQUEST,
          "The specified copy range is invalid for the source object size");
    }
    if (last >= size) {
      throw S3Call.invalid(
          "x-amz-copy-source-range",
          header,
          "Range specified is not valid for source object of size: " + size);
    }
    return new ByteRange(first, last - first + 1);
  }

  /** The text of a Content-Range header. */
  String contentRange(long size) {
    return "bytes " + first + "-" + (first + length - 1) + "/" + size;
  }

  private static long number(String digits) {
    return digits.length() > 18 ? Long.MAX_VALUE : Long.parseLong(digits);
  }

  private static S3Exception unsatisfiable(String header, long size) {
    return new S3Exception(S3Error.INVALID_RANGE)
        .with("RangeRequested", header)
        .with("ActualObjectSize", Long.toString(size));
  }
}
