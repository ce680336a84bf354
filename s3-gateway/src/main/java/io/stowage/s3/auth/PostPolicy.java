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

import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.core.json.JsonReadFeature;
import com.fasterxml.jackson.databind.DeserializationFeature;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.json.JsonMapper;
import io.stowage.s3.error.S3Error;
import io.stowage.s3.error.S3Exception;
import java.nio.charset.StandardCharsets;
import java.time.DateTimeException;
import java.time.Instant;
import java.time.format.DateTimeFormatter;
import java.util.ArrayList;
import java.util.Base64;
import java.util.HashSet;
import java.util.Iterator;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;

/**
 * What the signer of an upload form lets its user send: conditions that every field must meet, and
 * until when. A field that no condition names is refused, so that a form cannot be added to.
 * Immutable.
 *
 * @param minBytes of the file
 * @param maxBytes of the file
 * @see <a
 *     href="https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-HTTPPOSTConstructPolicy.html">
 *     POST policy</a>
 */
public record PostPolicy(
    Instant expiration, List<Condition> conditions, long minBytes, long maxBytes) {
  /** Fields that carry the proof itself, and the file: nothing can be said of them in advance. */
  private static final Set<String> UNCONDITIONED =
      Set.of("awsaccesskeyid", "signature", "x-amz-signature", "policy", "file");

  private static final String IGNORED = "x-ignore-";

  private static final ObjectMapper JSON =
      JsonMapper.builder()
          // A dollar sign is escaped by a backslash, which JSON has no form for.
          .enable(JsonReadFeature.ALLOW_BACKSLASH_ESCAPING_ANY_CHARACTER)
          .enable(JsonParser.Feature.STRICT_DUPLICATE_DETECTION)
          .enable(DeserializationFeature.FAIL_ON_TRAILING_TOKENS)
          .build();

  /**
   * One condition.
   *
   * @param field lower case
   * @param isPrefix whether the value may go on behind {@code value}
   * @param text as the policy has it, for the error
   */
  public record Condition(String field, boolean isPrefix, String value, String text) {
    boolean holds(String given) {
      if (given == null) {
        return false;
      }
      if (!isPrefix) {
        return given.equals(value);
      }
      if (!field.equals("content-type")) {
        return given.startsWith(value);
      }
      for (String type : given.split(",", -1)) {
        if (!type.trim().startsWith(value)) {
          return false;
        }
      }
      return true;
    }
  }

  public PostPolicy {
    conditions = List.copyOf(conditions);
  }

  /** Reads the policy of a form, in base64. */
  public static PostPolicy parse(String base64) throws S3Exception {
    JsonNode root;
    try {
      root =
          JSON.readTree(new String(Base64.getMimeDecoder().decode(base64), StandardCharsets.UTF_8));
    } catch (JsonProcessingException | IllegalArgumentException e) {
      throw invalid("Invalid JSON.");
    }
    if (!root.isObject()) {
      throw invalid("Invalid JSON: a policy is an object.");
    }
    for (Iterator<String> names = root.fieldNames(); names.hasNext(); ) {
      String name = names.next();
      if (!name.equals("expiration") && !name.equals("conditions")) {
        throw invalid("Unexpected: '" + name + "'.");
      }
    }
    Instant expiration = expiration(root.get("expiration"));
    JsonNode conditions = root.get("conditions");
    if (conditions == null) {
      throw invalid("Policy missing conditions.");
    }
    if (!conditions.isArray()) {
      throw invalid("Invalid 'conditions' value: must be a List.");
    }
    return read(expiration, conditions);
  }

  private static Instant expiration(JsonNode node) throws S3Exception {
    if (node == null) {
      throw invalid("Policy missing expiration.");
    }
    try {
      return DateTimeFormatter.ISO_OFFSET_DATE_TIME.parse(node.textValue(), Instant::from);
    } catch (DateTimeException | NullPointerException e) {
      throw invalid("Invalid 'expiration' value: '" + node.asText() + "'");
    }
  }

  private static PostPolicy read(Instant expiration, JsonNode list) throws S3Exception {
    List<Condition> conditions = new ArrayList<>();
    long minBytes = 0;
    long maxBytes = Long.MAX_VALUE;
    for (JsonNode node : list) {
      if (node.isObject()) {
        if (node.size() != 1) {
          throw invalid(
              "Invalid Simple-Condition: Simple-Conditions must have exactly one property"
                  + " specified.");
        }
        Map.Entry<String, JsonNode> only = node.fields().next();
        if (!only.getValue().isTextual()) {
          throw invalid("Invalid Simple-Condition: value must be a string.");
        }
        conditions.add(condition(only.getKey(), false, only.getValue(), node));
        continue;
      }
      if (!node.isArray() || node.size() != 3 || !node.get(0).isTextual()) {
        throw invalid("Invalid Condition: " + node + ".");
      }
      switch (node.get(0).textValue().toLowerCase(Locale.ROOT)) {
        case "eq" -> conditions.add(condition(field(node), false, node.get(2), node));
        case "starts-with" -> conditions.add(condition(field(node), true, node.get(2), node));
        case "content-length-range" -> {
          minBytes = Math.max(minBytes, bytes(node, 1));
          maxBytes = Math.min(maxBytes, bytes(node, 2));
        }
        default -> throw invalid("Invalid Condition: unknown operation in " + node + ".");
      }
    }
    return new PostPolicy(expiration, conditions, minBytes, maxBytes);
  }

  private static Condition condition(String field, boolean isPrefix, JsonNode value, JsonNode whole)
      throws S3Exception {
    if (!value.isTextual()) {
      throw invalid("Invalid Condition: " + whole + ".");
    }
    String text =
        whole.isArray()
            ? whole.toString()
            : "[\"eq\", \"$" + field + "\", " + value + "]"; // as S3 tells of either form
    return new Condition(field.toLowerCase(Locale.ROOT), isPrefix, value.textValue(), text);
  }

  private static String field(JsonNode condition) throws S3Exception {
    String name = condition.get(1).textValue();
    if (name == null || name.length() < 2 || name.charAt(0) != '$') {
      throw invalid("Invalid Condition: a field is named by '$' before it in " + condition + ".");
    }
    return name.substring(1);
  }

  private static long bytes(JsonNode condition, int index) throws S3Exception {
    String text = condition.get(index).asText();
    if (!text.matches("[0-9]{1,18}")) {
      throw invalid("Invalid content-length-range: " + condition + ".");
    }
    return Long.parseLong(text);
  }

  /**
   * Refuses a form that does not meet the policy.
   *
   * @param fields by lower-case name, variables filled in
   * @param bucket that the form is sent to, a field of every form
   */
  public void check(Map<String, String> fields, String bucket, Instant now) throws S3Exception {
    if (now.isAfter(expiration)) {
      throw denied("Policy expired.");
    }
    Set<String> covered = new HashSet<>();
    for (Condition condition : conditions) {
      covered.add(condition.field);
      String given = condition.field.equals("bucket") ? bucket : fields.get(condition.field);
      if (!condition.holds(given)) {
        throw denied("Policy Condition failed: " + condition.text);
      }
    }
    if (!covered.contains("bucket")) {
      throw denied("Extra input fields: bucket");
    }
    for (String field : fields.keySet()) {
      if (!covered.contains(field)
          && !UNCONDITIONED.contains(field)
          && !field.startsWith(IGNORED)) {
        throw denied("Extra input fields: " + field);
      }
    }
    if (!bucket.equals(fields.getOrDefault("bucket", bucket))) {
      throw denied("Policy Condition failed: the field bucket is not the bucket posted to");
    }
  }

  private static S3Exception invalid(String why) {
    return new S3Exception(S3Error.INVALID_POLICY_DOCUMENT, "Invalid Policy: " + why);
  }

  private static S3Exception denied(String why) {
    return new S3Exception(S3Error.ACCESS_DENIED, "Invalid according to Policy: " + why);
  }
}
