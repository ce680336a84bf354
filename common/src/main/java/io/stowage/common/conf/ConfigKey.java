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
package io.stowage.common.conf;

import io.stowage.common.error.ErrorCode;
import io.stowage.common.error.StoreException;
import java.time.Duration;
import java.util.List;
import java.util.function.Function;
import java.util.function.Predicate;

/**
 * One configuration key: declared once, in {@link Keys}. Immutable.
 *
 * @param name full name, "stowage.…"
 * @param defaultText default as a user would write it; null if the key has to be set where it is
 *     needed
 * @param bounds what is allowed, in words, for the reference page and error messages
 * @param doc one sentence
 * @param tag who needs it
 */
public record ConfigKey<T>(
    String name,
    String defaultText,
    String bounds,
    String doc,
    Tag tag,
    Function<String, T> parser,
    Predicate<T> allowed) {

  /** Who has a reason to set a key. */
  public enum Tag {
    BASIC,
    TUNING,
    TEST
  }

  static ConfigKey<String> text(String name, String defaultText, Tag tag, String doc) {
    return new ConfigKey<>(name, defaultText, "text", doc, tag, s -> s, s -> true);
  }

  /** Comma-separated; white space around items is dropped; an empty text is an empty list. */
  static ConfigKey<List<String>> list(String name, String defaultText, Tag tag, String doc) {
    return new ConfigKey<>(
        name,
        defaultText,
        "comma-separated list",
        doc,
        tag,
        s -> s.isBlank() ? List.of() : List.of(s.trim().split("\\s*,\\s*")),
        l -> true);
  }

  static ConfigKey<Boolean> flag(String name, boolean defaultValue, Tag tag, String doc) {
    return new ConfigKey<>(
        name,
        Boolean.toString(defaultValue),
        "true or false",
        doc,
        tag,
        s ->
            switch (s) {
              case "true" -> true;
              case "false" -> false;
              default -> throw new IllegalArgumentException(s);
            },
        b -> true);
  }

  static ConfigKey<Integer> integer(
      String name, int defaultValue, int min, int max, Tag tag, String doc) {
    return new ConfigKey<>(
        name,
        Integer.toString(defaultValue),
        min + " to " + max,
        doc,
        tag,
        Integer::valueOf,
        i -> i >= min && i <= max);
  }

  /** Bytes, with an optional unit k, m, g or t (powers of 1,024). */
  static ConfigKey<Long> bytes(
      String name, String defaultText, long min, long max, Tag tag, String doc) {
    return new ConfigKey<>(
        name,
        defaultText,
        min + " to " + max + " bytes",
        doc,
        tag,
        ConfigKey::parseBytes,
        v -> v >= min && v <= max);
  }

  /** A number with a unit: us, ms, s, m, h or d. */
  static ConfigKey<Duration> duration(
      String name, String defaultText, Duration min, Duration max, Tag tag, String doc) {
    return new ConfigKey<>(
        name,
        defaultText,
        min + " to " + max,
        doc,
        tag,
        ConfigKey::parseDuration,
        v -> v.compareTo(min) >= 0 && v.compareTo(max) <= 0);
  }

  T parse(String text) throws StoreException {
    T value;
    try {
      value = parser.apply(text.trim());
    } catch (IllegalArgumentException e) {
      throw refused(text, e);
    }
    if (!allowed.test(value)) {
      throw refused(text, null);
    }
    return value;
  }

  private StoreException refused(String text, Exception cause) {
    return new StoreException(
        ErrorCode.BAD_CONFIGURATION,
        "Cannot use " + name + " = '" + text + "': expected " + bounds,
        cause);
  }

  private static long parseBytes(String text) {
    int unit = "kmgt".indexOf(Character.toLowerCase(text.charAt(text.length() - 1)));
    return unit < 0
        ? Long.parseLong(text)
        : Math.multiplyExact(
            Long.parseLong(text.substring(0, text.length() - 1)), 1L << (10 * (unit + 1)));
  }

  /**
   * What a setting says of a time, such as 30m.
   *
   * @throws IllegalArgumentException if it is no number with a unit
   * @throws ArithmeticException if it is too long
   */
  public static Duration parseDuration(String text) {
    int digits = 0;
    while (digits < text.length() && Character.isDigit(text.charAt(digits))) {
      digits++;
    }
    long number = Long.parseLong(text.substring(0, digits));
    return switch (text.substring(digits)) {
      case "us" -> Duration.ofNanos(Math.multiplyExact(number, 1_000L));
      case "ms" -> Duration.ofMillis(number);
      case "s" -> Duration.ofSeconds(number);
      case "m" -> Duration.ofMinutes(number);
      case "h" -> Duration.ofHours(number);
      case "d" -> Duration.ofDays(number);
      default -> throw new IllegalArgumentException("no unit: " + text);
    };
  }
}
