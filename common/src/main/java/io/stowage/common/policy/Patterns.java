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
package io.stowage.common.policy;

import java.util.Locale;

/**
 * Patterns of the policy language: {@code *} any text, {@code ?} any one character. A pattern is an
 * array of chars that stand for themselves, and of the two that do not. Stateless.
 */
final class Patterns {
  static final int ANY_TEXT = -1;
  static final int ANY_CHAR = -2;

  private Patterns() {}

  /** The pattern that a text is. */
  static int[] of(String text) {
    return text.chars().map(c -> c == '*' ? ANY_TEXT : c == '?' ? ANY_CHAR : c).toArray();
  }

  /** A pattern as it is written. */
  static String text(int[] pattern) {
    StringBuilder text = new StringBuilder(pattern.length);
    for (int each : pattern) {
      text.append(each == ANY_TEXT ? '*' : each == ANY_CHAR ? '?' : (char) each);
    }
    return text.toString();
  }

  static boolean matchesIgnoringCase(String pattern, String text) {
    return matches(pattern.toLowerCase(Locale.ROOT), text.toLowerCase(Locale.ROOT));
  }

  static boolean matches(String pattern, String text) {
    return matches(of(pattern), text);
  }

  /**
   * Takes time proportional to the product of the lengths at worst: a stranger wrote the pattern.
   */
  static boolean matches(int[] pattern, String text) {
    int p = 0;
    int t = 0;
    int star = -1;
    int behindStar = 0;
    while (t < text.length()) {
      if (p < pattern.length && pattern[p] == ANY_TEXT) {
        star = p++;
        behindStar = t;
      } else if (p < pattern.length && (pattern[p] == ANY_CHAR || pattern[p] == text.charAt(t))) {
        p++;
        t++;
      } else if (star >= 0) {
        p = star + 1;
        t = ++behindStar;
      } else {
        return false;
      }
    }
    while (p < pattern.length && pattern[p] == ANY_TEXT) {
      p++;
    }
    return p == pattern.length;
  }
}
