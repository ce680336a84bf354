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
package io.stowage.s3.log;

import java.net.URLEncoder;
import java.nio.charset.StandardCharsets;
import java.time.Instant;
import java.time.ZoneOffset;
import java.time.format.DateTimeFormatter;
import java.util.Locale;

/**
 * One line of a bucket's access log ("Amazon S3 server access log format"): fields by spaces, a
 * hyphen for what is not known. Immutable.
 *
 * @param requester canonical id or ARN; empty: anonymous
 * @param operation {@code REST.GET.OBJECT}
 * @param key null if it is about the bucket
 * @param errorCode null if all went well
 * @param sent bytes of the answer's body; 0: none
 * @param objectSize -1: not known
 */
record AccessLine(
    String bucketOwner,
    String bucket,
    long timeMicros,
    String address,
    String requester,
    String requestId,
    String operation,
    String key,
    String requestLine,
    int status,
    String errorCode,
    long sent,
    long objectSize,
    long totalMillis,
    String referer,
    String userAgent,
    String versionId,
    String hostId,
    String signature,
    String cipher,
    String authentication,
    String host,
    String tls) {

  private static final DateTimeFormatter TIME =
      DateTimeFormatter.ofPattern("dd/MMM/yyyy:HH:mm:ss +0000", Locale.ENGLISH)
          .withZone(ZoneOffset.UTC);

  /** With the line's end. */
  String text() {
    StringBuilder out = new StringBuilder(512);
    out.append(orHyphen(bucketOwner)).append(' ').append(bucket).append(" [");
    TIME.formatTo(Instant.ofEpochSecond(timeMicros / 1_000_000), out);
    out.append("] ").append(orHyphen(address)).append(' ').append(orHyphen(requester));
    out.append(' ').append(requestId).append(' ').append(operation).append(' ');
    out.append(key == null ? "-" : URLEncoder.encode(key, StandardCharsets.UTF_8));
    quoted(out, requestLine).append(' ').append(status).append(' ').append(orHyphen(errorCode));
    out.append(' ').append(sent == 0 ? "-" : Long.toString(sent));
    out.append(' ').append(objectSize < 0 ? "-" : Long.toString(objectSize));
    out.append(' ').append(totalMillis).append(' ').append(totalMillis);
    quoted(out, referer);
    quoted(out, userAgent).append(' ').append(orHyphen(versionId));
    out.append(' ').append(orHyphen(hostId)).append(' ').append(orHyphen(signature));
    out.append(' ').append(orHyphen(cipher)).append(' ').append(orHyphen(authentication));
    out.append(' ').append(orHyphen(host)).append(' ').append(orHyphen(tls)).append(" - -\n");
    return out.toString();
  }

  private static String orHyphen(String text) {
    return text == null || text.isEmpty() ? "-" : text.replaceAll("[\\s\\p{Cntrl}]", "_");
  }

  /** A text of the client's, which must not end the line or its quotes. */
  private static StringBuilder quoted(StringBuilder out, String text) {
    if (text == null || text.isEmpty()) {
      return out.append(" \"-\"");
    }
    out.append(" \"");
    for (int i = 0; i < text.length(); i++) {
      char c = text.charAt(i);
      if (c == '"') {
        out.append("%22");
      } else {
        out.append(c < ' ' || c == 0x7F ? '_' : c);
      }
    }
    return out.append('"');
  }
}
