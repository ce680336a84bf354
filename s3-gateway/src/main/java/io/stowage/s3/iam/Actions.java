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
package io.stowage.s3.iam;

import io.stowage.common.error.StoreException;
import io.stowage.common.policy.MalformedPolicyException;
import io.stowage.common.policy.Policy;
import io.stowage.common.policy.Question;
import io.stowage.s3.error.S3Exception;
import io.stowage.s3.xml.XmlOut;
import java.net.URLEncoder;
import java.nio.charset.StandardCharsets;
import java.security.SecureRandom;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.Map;

/** What groups of actions have in common. Stateless but for its source of randomness. */
final class Actions {
  private static final SecureRandom RANDOM = new SecureRandom();
  private static final String BASE32 = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

  private Actions() {}

  /** Does an action, once it was allowed. */
  @FunctionalInterface
  interface Work {
    void on(IamCall call) throws IamException, StoreException, S3Exception;
  }

  /** The ARN that an action is about, for policies. */
  @FunctionalInterface
  interface Resource {
    String of(IamCall call) throws IamException, StoreException;
  }

  /**
   * One action.
   *
   * @param resource null: whoever is known may, or the work decides by itself
   * @param second what it makes of that, which has to be allowed, too; null: nothing else
   * @param hasResult whether its answer has a result element
   */
  record Action(Resource resource, Resource second, boolean hasResult, Work work) {
    Action(Resource resource, boolean hasResult, Work work) {
      this(resource, null, hasResult, work);
    }

    Action alsoAbout(Resource made) {
      return new Action(resource, made, hasResult, work);
    }
  }

  static String arn(String kind, String path, String name) {
    return "arn:aws:iam::" + Question.ACCOUNT + ":" + kind + (path.isEmpty() ? "/" : path) + name;
  }

  /** As AWS forms ids: a prefix that says what it is, and base 32. */
  static String id(String prefix, int length) {
    StringBuilder id = new StringBuilder(prefix);
    while (id.length() < length) {
      id.append(BASE32.charAt(RANDOM.nextInt(32)));
    }
    return id.toString();
  }

  /** 240 random bits: 40 characters of base 64, as AWS's secrets. */
  static String secret() {
    byte[] bytes = new byte[30];
    RANDOM.nextBytes(bytes);
    return java.util.Base64.getEncoder().encodeToString(bytes);
  }

  static String canonicalId() {
    byte[] bytes = new byte[32];
    RANDOM.nextBytes(bytes);
    return java.util.HexFormat.of().formatHex(bytes);
  }

  static String time(long micros) {
    return Instant.ofEpochSecond(micros / 1_000_000).truncatedTo(ChronoUnit.SECONDS).toString();
  }

  /** A policy's text, checked. */
  static String policy(String json) throws IamException {
    try {
      Policy.newOfUser(json);
    } catch (MalformedPolicyException e) {
      throw IamException.malformedPolicy(e.getMessage());
    }
    return json;
  }

  static String trustPolicy(String json) throws IamException {
    try {
      Policy.newOfTrust(json);
    } catch (MalformedPolicyException e) {
      throw IamException.malformedPolicy(e.getMessage());
    }
    return json;
  }

  /** Inline policies may have so many characters in all, white space not counted. */
  static void checkSize(Map<String, String> policies, int most, String kind, String name)
      throws IamException {
    long length = 0;
    for (String json : policies.values()) {
      length += json.chars().filter(c -> !Character.isWhitespace(c)).count();
    }
    if (length > most) {
      throw IamException.limit(
          "Maximum policy size of " + most + " bytes exceeded for " + kind + " " + name);
    }
  }

  /** A policy document as answers have it. */
  static String encoded(String json) {
    return URLEncoder.encode(json, StandardCharsets.UTF_8).replace("+", "%20");
  }

  static void listPolicies(IamCall call, Iterable<String> names) {
    XmlOut out = call.out();
    out.open("PolicyNames");
    names.forEach(name -> out.text("member", name));
    out.close();
    out.text("IsTruncated", false);
  }

  static void tags(XmlOut out, Map<String, String> tags) {
    if (!tags.isEmpty()) {
      out.open("Tags");
      tags.forEach(
          (key, value) -> out.open("member").text("Key", key).text("Value", value).close());
      out.close();
    }
  }

  static void none(IamCall call, String list) {
    call.out().open(list).close().text("IsTruncated", false);
  }
}
