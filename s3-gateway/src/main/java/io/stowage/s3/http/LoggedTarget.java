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

import java.util.Locale;

/**
 * Request targets as logs may hold them. A presigned link works for whoever has it, for up to a
 * week, and a session's token is a secret: what is signed is left to be seen, what proves it is
 * not. Stateless.
 */
public final class LoggedTarget {
  private LoggedTarget() {}

  /**
   * The target with a dash for the value of each parameter that proves something, whichever way its
   * name is written, and a question mark for what could end a line.
   */
  public static String of(String target) {
    int mark = target.indexOf('?');
    StringBuilder out = new StringBuilder(target.length());
    if (mark < 0) {
      printed(target, out);
      return out.toString();
    }
    printed(target.substring(0, mark), out);
    char before = '?';
    for (String pair : target.substring(mark + 1).split("[&;]", -1)) {
      int equals = pair.indexOf('=');
      String name = equals < 0 ? pair : pair.substring(0, equals);
      out.append(before);
      before = '&';
      if (proves(name)) {
        printed(name, out);
        out.append("=-");
      } else {
        printed(pair, out);
      }
    }
    return out.toString();
  }

  /**
   * Signatures of either version, tokens of sessions, and what nobody should have put into a link.
   */
  private static boolean proves(String encodedName) {
    String name = decoded(encodedName).toLowerCase(Locale.ROOT);
    return name.contains("signature")
        || name.contains("security-token")
        || name.contains("securitytoken")
        || name.contains("secret")
        || name.contains("password")
        || name.contains("customer-key");
  }

  /** Names that matter are ASCII; of anything else it is only to be no such name. */
  private static String decoded(String encoded) {
    StringBuilder out = new StringBuilder(encoded.length());
    for (int i = 0; i < encoded.length(); i++) {
      char c = encoded.charAt(i);
      int high =
          c == '%' && i + 2 < encoded.length() ? Character.digit(encoded.charAt(i + 1), 16) : -1;
      int low = high < 0 ? -1 : Character.digit(encoded.charAt(i + 2), 16);
      if (low >= 0) {
        c = (char) (high << 4 | low);
        i += 2;
      }
      out.append(c);
    }
    return out.toString();
  }

  private static void printed(String text, StringBuilder out) {
    for (int i = 0; i < text.length(); i++) {
      char c = text.charAt(i);
      out.append(Character.isISOControl(c) ? '?' : c);
    }
  }
}
