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
package io.stowage.dev.s3;

import java.nio.charset.StandardCharsets;
import java.security.GeneralSecurityException;
import java.security.MessageDigest;
import java.time.Instant;
import java.time.ZoneOffset;
import java.time.format.DateTimeFormatter;
import java.util.HexFormat;
import java.util.Map;
import java.util.SortedMap;
import java.util.stream.Collectors;
import javax.crypto.Mac;
import javax.crypto.spec.SecretKeySpec;

/**
 * AWS Signature Version 4 in the {@code Authorization} header, for the service {@code s3}
 * ("Authenticating Requests (AWS Signature Version 4)" in the S3 API reference). Keeps the signing
 * key of the last day. Confined to one thread.
 */
final class S3Signer {
  static final String UNSIGNED_PAYLOAD = "UNSIGNED-PAYLOAD";
  static final String EMPTY_PAYLOAD =
      "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

  private static final DateTimeFormatter AMZ_DATE =
      DateTimeFormatter.ofPattern("yyyyMMdd'T'HHmmss'Z'").withZone(ZoneOffset.UTC);
  private static final HexFormat HEX = HexFormat.of();

  private final S3Credentials credentials;
  private final MessageDigest sha256;
  private final Mac mac;
  private String keyDay = "";
  private SecretKeySpec dayKey;

  S3Signer(S3Credentials credentials) {
    this.credentials = credentials;
    try {
      sha256 = MessageDigest.getInstance("SHA-256");
      mac = Mac.getInstance("HmacSHA256");
    } catch (GeneralSecurityException e) {
      throw new IllegalStateException("every JDK has SHA-256 and HmacSHA256", e);
    }
  }

  static String amzDate(Instant now) {
    return AMZ_DATE.format(now);
  }

  /**
   * The value of the {@code Authorization} header.
   *
   * @param encodedPath the path as it stands in the request line, percent-encoded, from the first
   *     slash
   * @param canonicalQuery parameters sorted and percent-encoded, each with its {@code =}; empty for
   *     none
   * @param headers lower-case names; all of them are signed, {@code host} and {@code x-amz-date}
   *     must be there
   */
  String authorization(
      String method,
      String encodedPath,
      String canonicalQuery,
      SortedMap<String, String> headers,
      String payloadHash) {
    String signedNames = String.join(";", headers.keySet());
    String canonicalHeaders =
        headers.entrySet().stream()
            .map(S3Signer::canonicalHeader)
            .collect(Collectors.joining("\n", "", "\n"));
    String canonicalRequest =
        String.join(
            "\n", method, encodedPath, canonicalQuery, canonicalHeaders, signedNames, payloadHash);
    String date = headers.get("x-amz-date");
    String day = date.substring(0, 8);
    String scope = day + "/" + credentials.region() + "/s3/aws4_request";
    String toSign =
        String.join(
            "\n",
            "AWS4-HMAC-SHA256",
            date,
            scope,
            HEX.formatHex(sha256.digest(canonicalRequest.getBytes(StandardCharsets.UTF_8))));
    return "AWS4-HMAC-SHA256 Credential="
        + credentials.accessKey()
        + "/"
        + scope
        + ",SignedHeaders="
        + signedNames
        + ",Signature="
        + HEX.formatHex(hmac(keyOf(day), toSign));
  }

  /**
   * Percent-encodes all but unreserved characters, as SigV4 wants it; slashes are kept in paths.
   */
  static String encode(String text, boolean keepSlashes) {
    StringBuilder out = new StringBuilder(text.length() + 16);
    for (byte b : text.getBytes(StandardCharsets.UTF_8)) {
      char c = (char) (b & 0xff);
      if ((c >= 'A' && c <= 'Z')
          || (c >= 'a' && c <= 'z')
          || (c >= '0' && c <= '9')
          || c == '-'
          || c == '.'
          || c == '_'
          || c == '~'
          || (keepSlashes && c == '/')) {
        out.append(c);
      } else {
        out.append('%').append(HEX.withUpperCase().toHexDigits(b));
      }
    }
    return out.toString();
  }

  private static String canonicalHeader(Map.Entry<String, String> header) {
    return header.getKey() + ":" + header.getValue().strip();
  }

  private SecretKeySpec keyOf(String day) {
    if (!day.equals(keyDay)) {
      byte[] secret = ("AWS4" + credentials.secretKey()).getBytes(StandardCharsets.UTF_8);
      SecretKeySpec key = hmacKey(secret);
      for (String part : new String[] {day, credentials.region(), "s3", "aws4_request"}) {
        key = hmacKey(hmac(key, part));
      }
      dayKey = key;
      keyDay = day;
    }
    return dayKey;
  }

  private static SecretKeySpec hmacKey(byte[] key) {
    return new SecretKeySpec(key, "HmacSHA256");
  }

  private byte[] hmac(SecretKeySpec key, String text) {
    try {
      mac.init(key);
    } catch (GeneralSecurityException e) {
      throw new IllegalStateException("an HMAC key of bytes is always valid", e);
    }
    return mac.doFinal(text.getBytes(StandardCharsets.UTF_8));
  }
}
