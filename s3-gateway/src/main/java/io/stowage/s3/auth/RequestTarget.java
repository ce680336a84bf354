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
import java.util.ArrayList;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * A request's path and query, decoded, and in the canonical form that signatures cover. Immutable.
 */
public final class RequestTarget {
  /** More than any operation has, and few enough to sort for a stranger. */
  private static final int MOST_PARAMETERS = 256;

  private record Parameter(String encodedName, String encodedValue, boolean hasValue) {}

  private final String rawPath;
  private final String path;
  private final String canonicalPath;
  private final Map<String, String> query;
  private final List<Parameter> canonicalQuery;

  private RequestTarget(
      String rawPath,
      String path,
      String canonicalPath,
      Map<String, String> query,
      List<Parameter> canonicalQuery) {
    this.rawPath = rawPath;
    this.path = path;
    this.canonicalPath = canonicalPath;
    this.query = query;
    this.canonicalQuery = canonicalQuery;
  }

  /** Reads a request target as sent: {@code /path?query}, or with scheme and host before it. */
  public static RequestTarget parse(String target) throws S3Exception {
    String rest = target;
    if (!rest.startsWith("/")) {
      int authority = rest.indexOf("://");
      int slash = authority < 0 ? -1 : rest.indexOf('/', authority + 3);
      if (authority < 0) {
        throw new S3Exception(S3Error.INVALID_URI);
      }
      rest = slash < 0 ? "/" : rest.substring(slash);
    }
    int fragment = rest.indexOf('#');
    if (fragment >= 0) {
      throw new S3Exception(S3Error.INVALID_URI);
    }
    int mark = rest.indexOf('?');
    String rawPath = mark < 0 ? rest : rest.substring(0, mark);
    byte[] path = UriEncoding.decode(rawPath, false);
    StringBuilder canonicalPath = new StringBuilder(rest.length() + 16);
    UriEncoding.encode(path, true, canonicalPath);
    Map<String, String> query = new LinkedHashMap<>();
    List<Parameter> canonicalQuery = new ArrayList<>();
    if (mark >= 0) {
      parseQuery(rest.substring(mark + 1), query, canonicalQuery);
    }
    return new RequestTarget(
        rawPath,
        UriEncoding.utf8(path),
        canonicalPath.toString(),
        Collections.unmodifiableMap(query),
        canonicalQuery);
  }

  private static void parseQuery(
      String text, Map<String, String> query, List<Parameter> canonicalQuery) throws S3Exception {
    for (String pair : text.split("&", -1)) {
      if (pair.isEmpty()) {
        continue;
      }
      if (canonicalQuery.size() == MOST_PARAMETERS) {
        throw new S3Exception(S3Error.INVALID_URI, "Too many query parameters");
      }
      int equals = pair.indexOf('=');
      byte[] name = UriEncoding.decode(equals < 0 ? pair : pair.substring(0, equals), true);
      byte[] value =
          equals < 0 ? new byte[0] : UriEncoding.decode(pair.substring(equals + 1), true);
      query.putIfAbsent(UriEncoding.utf8(name), UriEncoding.utf8(value));
      StringBuilder encodedName = new StringBuilder();
      UriEncoding.encode(name, false, encodedName);
      StringBuilder encodedValue = new StringBuilder();
      UriEncoding.encode(value, false, encodedValue);
      canonicalQuery.add(
          new Parameter(encodedName.toString(), encodedValue.toString(), equals >= 0));
    }
    // By name, then value, in the order of the encoded bytes, which are ASCII.
    canonicalQuery.sort(
        (a, b) -> {
          int byName = a.encodedName.compareTo(b.encodedName);
          return byName != 0 ? byName : a.encodedValue.compareTo(b.encodedValue);
        });
  }

  /** Path as sent, still encoded: what version 2 of the signature covers. */
  String rawPath() {
    return rawPath;
  }

  /** Whether a parameter was sent with a value, be it the empty one. */
  boolean hasValue(String name) {
    String encoded = UriEncoding.encode(name, false);
    for (Parameter parameter : canonicalQuery) {
      if (parameter.encodedName.equals(encoded)) {
        return parameter.hasValue;
      }
    }
    return false;
  }

  /** Decoded path, beginning with a slash. */
  public String path() {
    return path;
  }

  /** Path as the signature covers it. */
  public String canonicalPath() {
    return canonicalPath;
  }

  /** Decoded parameters; of one that is given twice the first. */
  public Map<String, String> query() {
    return query;
  }

  /** Query as the signature covers it, without the parameter that is the signature. */
  public String canonicalQuery() {
    StringBuilder out = new StringBuilder();
    for (Parameter parameter : canonicalQuery) {
      if (parameter.encodedName.equals("X-Amz-Signature")) {
        continue;
      }
      if (out.length() > 0) {
        out.append('&');
      }
      out.append(parameter.encodedName).append('=').append(parameter.encodedValue);
    }
    return out.toString();
  }
}
