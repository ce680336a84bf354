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
package io.stowage.s3.http;

import java.time.DateTimeException;
import java.time.Instant;
import java.time.ZonedDateTime;
import java.time.format.DateTimeFormatter;

/** Dates in headers of requests. Stateless. */
public final class HttpDates {
  private HttpDates() {}

  /**
   * The time that a text says in the form of RFC 1123; null if it says none. The day of the week is
   * not looked at: clients get it wrong, and the date says it all.
   */
  public static Instant parse(String text) {
    if (text == null) {
      return null;
    }
    int comma = text.indexOf(',');
    try {
      return ZonedDateTime.parse(
              text.substring(comma + 1).strip(), DateTimeFormatter.RFC_1123_DATE_TIME)
          .toInstant();
    } catch (DateTimeException e) {
      return null;
    }
  }
}
