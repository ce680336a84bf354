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

import io.stowage.s3.http.HttpDates;
import java.time.DateTimeException;
import java.time.Instant;
import java.time.ZoneOffset;
import java.time.format.DateTimeFormatter;
import java.util.Locale;

/** S3's two ways of writing a time. Stateless. */
final class Times {
  /** Three digits always: some clients parse with a fixed pattern. */
  private static final DateTimeFormatter ISO =
      DateTimeFormatter.ofPattern("yyyy-MM-dd'T'HH:mm:ss.SSS'Z'", Locale.ROOT)
          .withZone(ZoneOffset.UTC);

  private static final DateTimeFormatter HTTP =
      DateTimeFormatter.ofPattern("EEE, dd MMM yyyy HH:mm:ss 'GMT'", Locale.ENGLISH)
          .withZone(ZoneOffset.UTC);

  private Times() {}

  /**
   * When something was made, for documents: whole seconds, with the three zeros that S3 writes. So
   * a listing and the header of the object say the same.
   */
  static String isoSecond(long micros) {
    return iso(Math.floorDiv(micros, 1_000_000) * 1_000_000);
  }

  /** For documents that set the time themselves. */
  static String iso(long micros) {
    return ISO.format(Instant.ofEpochMilli(micros / 1_000));
  }

  /** For headers: whole seconds. */
  static String http(long micros) {
    return HTTP.format(Instant.ofEpochSecond(micros / 1_000_000));
  }

  /** Seconds since 1970 of a time as in documents; null if it is none. */
  static Long parseIso(String text) {
    try {
      return Instant.from(DateTimeFormatter.ISO_OFFSET_DATE_TIME.parse(text.trim()))
          .getEpochSecond();
    } catch (DateTimeException e) {
      return null;
    }
  }

  /** Seconds since 1970 of an HTTP date; null if it is none, which conditions then ignore. */
  static Long parseHttp(String text) {
    Instant time = HttpDates.parse(text);
    return time == null ? null : time.getEpochSecond();
  }
}
