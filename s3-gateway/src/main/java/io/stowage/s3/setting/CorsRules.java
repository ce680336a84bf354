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
package io.stowage.s3.setting;

import static io.stowage.s3.xml.XmlShape.element;
import static io.stowage.s3.xml.XmlShape.number;
import static io.stowage.s3.xml.XmlShape.text;

import io.stowage.s3.error.S3Error;
import io.stowage.s3.error.S3Exception;
import io.stowage.s3.xml.XmlElement;
import io.stowage.s3.xml.XmlShape;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Set;

/**
 * Which pages of other origins may use a bucket from a browser: the first rule that fits a request
 * decides. Immutable.
 */
public record CorsRules(List<Rule> rules) {
  private static final int MOST_RULES = 100;
  private static final Set<String> METHODS = Set.of("GET", "PUT", "POST", "DELETE", "HEAD");

  static final XmlShape SHAPE =
      element(
          "CORSConfiguration",
          element(
                  "CORSRule",
                  text("ID", id -> id.length() <= 255).optional(),
                  text("AllowedOrigin").times(1, 1_000),
                  text("AllowedMethod").times(1, 10),
                  text("AllowedHeader").times(0, 1_000),
                  text("ExposeHeader").times(0, 1_000),
                  number("MaxAgeSeconds", 0).optional())
              .times(1, MOST_RULES));

  /**
   * One rule.
   *
   * @param maxAgeSeconds how long a browser may believe a preflight's answer; null if not said
   */
  public record Rule(
      List<String> origins,
      List<String> methods,
      List<String> headers,
      List<String> exposed,
      String maxAgeSeconds) {

    /** The origin to answer, or null if the rule does not allow the request. */
    String match(String origin, String method, List<String> requestHeaders) {
      if (!methods.contains(method)) {
        return null;
      }
      String pattern = null;
      for (String allowed : origins) {
        if (matchesPattern(allowed, origin)) {
          pattern = allowed;
          break;
        }
      }
      if (pattern == null) {
        return null;
      }
      for (String header : requestHeaders) {
        String wanted = header.toLowerCase(Locale.ROOT);
        if (headers.stream().noneMatch(h -> matchesPattern(h.toLowerCase(Locale.ROOT), wanted))) {
          return null;
        }
      }
      return pattern.equals("*") ? "*" : origin;
    }
  }

  /** A rule that allows a request, and the origin to answer. */
  public record Match(Rule rule, String origin) {}

  public static CorsRules of(XmlElement document) throws S3Exception {
    SHAPE.check(document);
    List<Rule> rules = new ArrayList<>();
    for (XmlElement rule : document.children("CORSRule")) {
      for (String method : texts(rule, "AllowedMethod")) {
        if (!METHODS.contains(method)) {
          throw new S3Exception(
              S3Error.INVALID_REQUEST,
              "Found unsupported HTTP method in CORS config. Unsupported method is " + method);
        }
      }
      for (String origin : texts(rule, "AllowedOrigin")) {
        refuseTwoStars("AllowedOrigin", origin);
      }
      for (String header : texts(rule, "AllowedHeader")) {
        refuseTwoStars("AllowedHeader", header);
      }
      for (String header : texts(rule, "ExposeHeader")) {
        if (header.contains("*")) {
          throw new S3Exception(
              S3Error.INVALID_REQUEST,
              "ExposeHeader \""
                  + header
                  + "\" contains wildcard. We currently do not support"
                  + " wildcard for ExposeHeader.");
        }
      }
      rules.add(
          new Rule(
              texts(rule, "AllowedOrigin"),
              texts(rule, "AllowedMethod"),
              texts(rule, "AllowedHeader"),
              texts(rule, "ExposeHeader"),
              rule.childText("MaxAgeSeconds")));
    }
    return new CorsRules(rules);
  }

  /** The first rule that allows it; null if none does. */
  public Match find(String origin, String method, List<String> requestHeaders) {
    for (Rule rule : rules) {
      String answered = rule.match(origin, method, requestHeaders);
      if (answered != null) {
        return new Match(rule, answered);
      }
    }
    return null;
  }

  private static void refuseTwoStars(String element, String value) throws S3Exception {
    if (value.indexOf('*') != value.lastIndexOf('*')) {
      throw new S3Exception(
          S3Error.INVALID_REQUEST,
          element + " \"" + value + "\" can not have more than one wildcard.");
    }
  }

  /** Whether a text is what a pattern with at most one star means. */
  private static boolean matchesPattern(String pattern, String text) {
    int star = pattern.indexOf('*');
    if (star < 0) {
      return pattern.equals(text);
    }
    String before = pattern.substring(0, star);
    String behind = pattern.substring(star + 1);
    return text.length() >= before.length() + behind.length()
        && text.startsWith(before)
        && text.endsWith(behind);
  }

  private static List<String> texts(XmlElement rule, String name) {
    return rule.children(name).stream().map(XmlElement::text).toList();
  }
}
