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

import io.netty.handler.codec.http.HttpHeaderNames;
import io.netty.handler.codec.http.HttpHeaders;
import java.nio.charset.StandardCharsets;
import java.security.GeneralSecurityException;
import java.util.ArrayList;
import java.util.Base64;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import javax.crypto.Mac;
import javax.crypto.spec.SecretKeySpec;

/**
 * The arithmetic of AWS Signature Version 2, which clients of before 2014 and hand-made presigned
 * links still use. Stateless.
 *
 * @see <a href="https://docs.aws.amazon.com/AmazonS3/latest/userguide/RESTAuthentication.html">
 *     Signing and authenticating REST requests</a>
 */
public final class SignatureV2 {
  /** Parameters that are part of the signed resource. */
  private static final Set<String> SUB_RESOURCES =
      Set.of(
          "accelerate",
          "acl",
          "analytics",
          "cors",
          "delete",
          "encryption",
          "inventory",
          "legal-hold",
          "lifecycle",
          "location",
          "logging",
          "metrics",
          "notification",
          "object-lock",
          "ownershipControls",
          "partNumber",
          "policy",
          "policyStatus",
          "publicAccessBlock",
          "replication",
          "requestPayment",
          "response-cache-control",
          "response-content-disposition",
          "response-content-encoding",
          "response-content-language",
          "response-content-type",
          "response-expires",
          "restore",
          "retention",
          "select",
          "select-type",
          "tagging",
          "torrent",
          "uploadId",
          "uploads",
          "versionId",
          "versioning",
          "versions",
          "website");

  /**
   * Those of them that came when most clients had stopped to learn new ones: botocore does not sign
   * them, others do.
   */
  static final Set<String> LATE =
      Set.of(
          "encryption",
          "legal-hold",
          "ownershipControls",
          "policyStatus",
          "publicAccessBlock",
          "retention");

  private SignatureV2() {}

  /**
   * What the signature covers.
   *
   * @param date the Date header, empty if x-amz-date was sent, or the Expires parameter
   * @param hostBucket bucket that the host names; null in path style
   */
  public static String stringToSign(
      String method, RequestTarget target, HttpHeaders headers, String date, String hostBucket) {
    return stringToSign(method, target, headers, date, hostBucket, "", Set.of());
  }

  /**
   * All that the signature may cover: clients write a bucket by itself with a slash behind it,
   * whether or not their request has one.
   *
   * @param mayMiss sub-resources that may be left out: {@link #LATE}, or none in a link, since
   *     whoever got one to put an object could hold or retain it by adding a parameter
   */
  static List<String> stringsToSign(
      String method,
      RequestTarget target,
      HttpHeaders headers,
      String date,
      String hostBucket,
      Set<String> mayMiss) {
    String path = target.rawPath();
    boolean bucketAlone = hostBucket == null && path.length() > 1 && path.indexOf('/', 1) < 0;
    List<String> all = new ArrayList<>();
    boolean late = target.query().keySet().stream().anyMatch(mayMiss::contains);
    for (String behindPath : bucketAlone ? List.of("", "/") : List.of("")) {
      all.add(stringToSign(method, target, headers, date, hostBucket, behindPath, Set.of()));
      if (late) {
        all.add(stringToSign(method, target, headers, date, hostBucket, behindPath, mayMiss));
      }
    }
    return all;
  }

  private static String stringToSign(
      String method,
      RequestTarget target,
      HttpHeaders headers,
      String date,
      String hostBucket,
      String behindPath,
      Set<String> leftOut) {
    StringBuilder out = new StringBuilder(256);
    out.append(method).append('\n');
    out.append(headers.get(HttpHeaderNames.CONTENT_MD5, "")).append('\n');
    out.append(headers.get(HttpHeaderNames.CONTENT_TYPE, "")).append('\n');
    out.append(date).append('\n');
    appendAmzHeaders(headers, out);
    if (hostBucket != null) {
      out.append('/').append(hostBucket);
    }
    out.append(target.rawPath()).append(behindPath);
    appendSubResources(target, leftOut, out);
    return out.toString();
  }

  private static void appendAmzHeaders(HttpHeaders headers, StringBuilder out) {
    Map<String, List<String>> byName = new TreeMap<>();
    for (Map.Entry<String, String> header : headers) {
      String name = header.getKey().toLowerCase(Locale.ROOT);
      if (name.startsWith("x-amz-")) {
        byName.computeIfAbsent(name, n -> new ArrayList<>()).add(header.getValue().trim());
      }
    }
    byName.forEach(
        (name, values) ->
            out.append(name).append(':').append(String.join(",", values)).append('\n'));
  }

  private static void appendSubResources(
      RequestTarget target, Set<String> leftOut, StringBuilder out) {
    boolean first = true;
    for (Map.Entry<String, String> parameter : new TreeMap<>(target.query()).entrySet()) {
      if (SUB_RESOURCES.contains(parameter.getKey()) && !leftOut.contains(parameter.getKey())) {
        out.append(first ? '?' : '&').append(parameter.getKey());
        if (target.hasValue(parameter.getKey())) {
          out.append('=').append(wire(parameter.getValue()));
        }
        first = false;
      }
    }
  }

  /** The signature of a text, in base64. */
  public static String sign(String secret, String text) {
    SigningKey.requireSecret(secret);
    try {
      Mac mac = Mac.getInstance("HmacSHA1");
      mac.init(new SecretKeySpec(secret.getBytes(StandardCharsets.UTF_8), "HmacSHA1"));
      return Base64.getEncoder().encodeToString(mac.doFinal(SignatureV4.wireBytes(text)));
    } catch (GeneralSecurityException e) {
      throw new IllegalStateException("every Java has HmacSHA1", e);
    }
  }

  /** One char a byte, as header values are. */
  private static String wire(String text) {
    return new String(text.getBytes(StandardCharsets.UTF_8), StandardCharsets.ISO_8859_1);
  }
}
