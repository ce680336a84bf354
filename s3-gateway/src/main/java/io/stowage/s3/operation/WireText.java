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

import java.io.ByteArrayOutputStream;
import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.util.Base64;
import java.util.HexFormat;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * Header values as texts. A header is bytes; clients that send more than ASCII send UTF-8, or an
 * encoded word of RFC 2047, and get it back as S3 gives it, as an encoded word. Stateless.
 */
final class WireText {
  private static final HexFormat HEX = HexFormat.of().withUpperCase();
  private static final String BEGIN = "=?UTF-8?";
  private static final String END = "?=";

  /** An encoded word of UTF-8. */
  private static final Pattern WORD =
      Pattern.compile("=\\?utf-8\\?([bq])\\?([!->@-~]*)\\?=", Pattern.CASE_INSENSITIVE);

  private WireText() {}

  /** Text of a received value, in which one char is one byte. */
  static String fromWire(String value) {
    if (isAscii(value)) {
      return value.startsWith("=?") ? decoded(value) : value;
    }
    try {
      return StandardCharsets.UTF_8
          .newDecoder()
          .decode(ByteBuffer.wrap(value.getBytes(StandardCharsets.ISO_8859_1)))
          .toString();
    } catch (CharacterCodingException e) {
      return value;
    }
  }

  /**
   * What encoded words say, with nothing but white space between them; the value itself if it is
   * something else, or they say nothing that can be a header's value.
   */
  private static String decoded(String value) {
    ByteArrayOutputStream bytes = new ByteArrayOutputStream();
    for (String word : value.split("\\s+", -1)) {
      Matcher encoded = WORD.matcher(word);
      if (!encoded.matches()) {
        return value;
      }
      String content = encoded.group(2);
      boolean isBase64 = encoded.group(1).equalsIgnoreCase("B");
      try {
        bytes.writeBytes(isBase64 ? Base64.getDecoder().decode(content) : fromQuoted(content));
      } catch (IllegalArgumentException e) {
        return value;
      }
    }
    try {
      String text =
          StandardCharsets.UTF_8
              .newDecoder()
              .decode(ByteBuffer.wrap(bytes.toByteArray()))
              .toString();
      // What cannot stand in a header is left in its words.
      return text.chars().anyMatch(Character::isISOControl) ? value : text;
    } catch (CharacterCodingException e) {
      return value;
    }
  }

  private static byte[] fromQuoted(String content) {
    ByteArrayOutputStream bytes = new ByteArrayOutputStream();
    for (int i = 0; i < content.length(); i++) {
      char c = content.charAt(i);
      if (c != '=') {
        bytes.write(c == '_' ? ' ' : c);
      } else if (i + 2 < content.length()) {
        bytes.write(HexFormat.fromHexDigits(content, i + 1, i + 3));
        i += 2;
      } else {
        throw new IllegalArgumentException("half of an escape in " + content);
      }
    }
    return bytes.toByteArray();
  }

  /**
   * Form in which a text can be a header's value. Of the two encodings S3 takes the one that is
   * readable where most bytes are ASCII, and base64 otherwise.
   */
  static String toWire(String text) {
    if (isAscii(text)) {
      return text;
    }
    byte[] bytes = text.getBytes(StandardCharsets.UTF_8);
    int ascii = 0;
    for (byte b : bytes) {
      ascii += b >= 0 ? 1 : 0;
    }
    return ascii > bytes.length - ascii
        ? BEGIN + "Q?" + quoted(bytes) + END
        : BEGIN + "B?" + Base64.getEncoder().encodeToString(bytes) + END;
  }

  private static String quoted(byte[] bytes) {
    StringBuilder out = new StringBuilder(3 * bytes.length);
    for (byte b : bytes) {
      if (b == ' ') {
        out.append('_');
      } else if (b <= ' ' || b > '~' || b == '=' || b == '?' || b == '_') {
        out.append('=').append(HEX.toHexDigits(b));
      } else {
        out.append((char) b);
      }
    }
    return out.toString();
  }

  private static boolean isAscii(String text) {
    for (int i = 0; i < text.length(); i++) {
      if (text.charAt(i) > 126) {
        return false;
      }
    }
    return true;
  }
}
