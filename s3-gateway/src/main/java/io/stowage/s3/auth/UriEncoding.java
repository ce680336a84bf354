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

import io.stowage.s3.error.S3Error;
import io.stowage.s3.error.S3Exception;
import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.CodingErrorAction;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;

/**
 * Percent encoding as Signature Version 4 defines it: everything but A-Z a-z 0-9 - . _ ~ is
 * encoded, with upper-case digits. Works on bytes, so that what a client encoded in another way
 * comes out the same. Stateless.
 */
public final class UriEncoding {
  private static final char[] HEX = "0123456789ABCDEF".toCharArray();

  private UriEncoding() {}

  /** Bytes behind an encoded text. A lone or malformed percent sign is S3's InvalidURI. */
  public static byte[] decode(String text, boolean plusIsSpace) throws S3Exception {
    byte[] bytes = new byte[text.length()];
    int length = 0;
    for (int i = 0; i < text.length(); i++) {
      char c = text.charAt(i);
      if (c == '%') {
        boolean whole = i + 2 < text.length();
        int high = whole ? Character.digit(text.charAt(i + 1), 16) : -1;
        int low = whole ? Character.digit(text.charAt(i + 2), 16) : -1;
        if (high < 0 || low < 0) {
          throw new S3Exception(S3Error.INVALID_URI);
        }
        bytes[length++] = (byte) (high << 4 | low);
        i += 2;
      } else if (c == '+' && plusIsSpace) {
        bytes[length++] = ' ';
      } else {
        bytes[length++] = (byte) c; // one char of a request line is one byte of the wire
      }
    }
    return Arrays.copyOf(bytes, length);
  }

  /** Decoded text; bytes that are not UTF-8 are S3's InvalidURI. */
  public static String decodeText(String text, boolean plusIsSpace) throws S3Exception {
    return utf8(decode(text, plusIsSpace));
  }

  /** Text of bytes that must be UTF-8; else S3's InvalidURI. */
  public static String utf8(byte[] bytes) throws S3Exception {
    try {
      return StandardCharsets.UTF_8
          .newDecoder()
          .onMalformedInput(CodingErrorAction.REPORT)
          .onUnmappableCharacter(CodingErrorAction.REPORT)
          .decode(ByteBuffer.wrap(bytes))
          .toString();
    } catch (CharacterCodingException e) {
      throw new S3Exception(S3Error.INVALID_URI);
    }
  }

  /** Encodes bytes; slashes stay if {@code keepSlash}, as they do in a path. */
  public static void encode(byte[] bytes, boolean keepSlash, StringBuilder out) {
    for (byte b : bytes) {
      int c = b & 0xff;
      if (isUnreserved(c) || (c == '/' && keepSlash)) {
        out.append((char) c);
      } else {
        out.append('%').append(HEX[c >> 4]).append(HEX[c & 15]);
      }
    }
  }

  /** Encodes a text for a query or, keeping slashes, for a path. */
  public static String encode(String text, boolean keepSlash) {
    StringBuilder out = new StringBuilder(text.length() + 16);
    encode(text.getBytes(StandardCharsets.UTF_8), keepSlash, out);
    return out.toString();
  }

  private static boolean isUnreserved(int c) {
    return (c >= 'A' && c <= 'Z')
        || (c >= 'a' && c <= 'z')
        || (c >= '0' && c <= '9')
        || c == '-'
        || c == '.'
        || c == '_'
        || c == '~';
  }
}
