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
package io.stowage.s3.auth;

import io.netty.handler.codec.http.HttpHeaders;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.HexFormat;
import java.util.List;

/**
 * The arithmetic of AWS Signature Version 4 for S3. Stateless.
 *
 * @see <a href="https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html">
 *     Signature calculations for the Authorization header</a>
 */
public final class SignatureV4 {
  static final String ALGORITHM = "AWS4-HMAC-SHA256";
  static final String EMPTY_SHA256 =
      "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

  private static final HexFormat HEX = HexFormat.of();

  private SignatureV4() {}

  /**
   * The canonical request. Header values go in as the bytes of the wire (one char each), which is
   * what signers in UTF-8 have signed.
   *
   * @param signedHeaders lower-case names, sorted
   */
  public static String canonicalRequest(
      String method,
      RequestTarget target,
      HttpHeaders headers,
      List<String> signedHeaders,
      String payloadHash) {
    StringBuilder out = new StringBuilder(512);
    out.append(method).append('\n');
    out.append(target.canonicalPath()).append('\n');
    out.append(target.canonicalQuery()).append('\n');
    for (String name : signedHeaders) {
      out.append(name).append(':');
      boolean first = true;
      for (String value : headers.getAll(name)) {
        if (!first) {
          out.append(',');
        }
        first = false;
        appendCollapsed(value, out);
      }
      out.append('\n');
    }
    out.append('\n');
    for (int i = 0; i < signedHeaders.size(); i++) {
      out.append(i == 0 ? "" : ";").append(signedHeaders.get(i));
    }
    return out.append('\n').append(payloadHash).toString();
  }

  /** Trimmed, and every run of spaces as one. */
  private static void appendCollapsed(String value, StringBuilder out) {
    int end = value.length();
    while (end > 0 && isSpace(value.charAt(end - 1))) {
      end--;
    }
    int i = 0;
    while (i < end && isSpace(value.charAt(i))) {
      i++;
    }
    boolean space = false;
    for (; i < end; i++) {
      char c = value.charAt(i);
      if (isSpace(c)) {
        space = true;
      } else {
        if (space) {
          out.append(' ');
          space = false;
        }
        out.append(c);
      }
    }
  }

  private static boolean isSpace(char c) {
    return c == ' ' || c == '\t';
  }

  /**
   * What the signature of a request covers.
   *
   * @param timestamp {@code yyyyMMdd'T'HHmmss'Z'}
   * @param scope {@code date/region/service/aws4_request}
   */
  public static String stringToSign(String timestamp, String scope, String canonicalRequest) {
    return ALGORITHM
        + "\n"
        + timestamp
        + "\n"
        + scope
        + "\n"
        + HEX.formatHex(sha256().digest(wireBytes(canonicalRequest)));
  }

  /** What the signature of one chunk of an aws-chunked body covers. */
  public static String chunkStringToSign(
      String timestamp, String scope, String previousSignature, String chunkSha256) {
    return "AWS4-HMAC-SHA256-PAYLOAD\n"
        + timestamp
        + "\n"
        + scope
        + "\n"
        + previousSignature
        + "\n"
        + EMPTY_SHA256
        + "\n"
        + chunkSha256;
  }

  /** What the signature of an aws-chunked body's trailer covers. */
  public static String trailerStringToSign(
      String timestamp, String scope, String previousSignature, String trailerSha256) {
    return "AWS4-HMAC-SHA256-TRAILER\n"
        + timestamp
        + "\n"
        + scope
        + "\n"
        + previousSignature
        + "\n"
        + trailerSha256;
  }

  /** Compares in a time that does not tell how far the texts agree. */
  public static boolean matches(String expected, String given) {
    return MessageDigest.isEqual(wireBytes(expected), wireBytes(given));
  }

  /** SHA-256 as hex, of bytes. */
  public static String sha256Hex(byte[] bytes) {
    return HEX.formatHex(sha256().digest(bytes));
  }

  public static MessageDigest sha256() {
    try {
      return MessageDigest.getInstance("SHA-256");
    } catch (NoSuchAlgorithmException e) {
      throw new IllegalStateException("every Java has SHA-256", e);
    }
  }

  static byte[] wireBytes(String text) {
    return text.getBytes(StandardCharsets.ISO_8859_1);
  }
}
