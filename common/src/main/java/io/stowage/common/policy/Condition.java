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

import com.fasterxml.jackson.databind.JsonNode;
import java.math.BigDecimal;
import java.time.DateTimeException;
import java.time.Instant;
import java.time.OffsetDateTime;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;

/**
 * One condition of a statement: an operator on a key with the values that it may have. Immutable.
 *
 * @param key in lower case
 * @param operator what compares
 * @param ifExists holds, too, where the request has no such fact
 * @param quantifier of facts with several values
 */
record Condition(
    String key, Operator operator, boolean ifExists, Quantifier quantifier, List<Template> values) {

  private static final Set<String> NARROWING =
      Set.of(
          "aws:sourceip",
          "aws:sourcearn",
          "aws:sourcevpc",
          "aws:sourcevpce",
          "aws:sourceowner",
          "aws:sourceaccount",
          "aws:sourceorgid",
          "s3:dataaccesspointarn",
          "s3:dataaccesspointaccount",
          "s3:x-amz-server-side-encryption-aws-kms-key-id",
          "aws:principalarn",
          "aws:principalorgid",
          "aws:principalaccount",
          "aws:userid",
          "aws:username");

  enum Quantifier {
    /** The fact has one value at most. */
    ONE,
    ANY_VALUE,
    ALL_VALUES
  }

  /** What compares a fact's value with a condition's; negated ones hold if no value matches. */
  enum Operator {
    STRING_EQUALS("StringEquals", false),
    STRING_NOT_EQUALS("StringNotEquals", true),
    STRING_EQUALS_IGNORE_CASE("StringEqualsIgnoreCase", false),
    STRING_NOT_EQUALS_IGNORE_CASE("StringNotEqualsIgnoreCase", true),
    STRING_LIKE("StringLike", false),
    STRING_NOT_LIKE("StringNotLike", true),
    NUMERIC_EQUALS("NumericEquals", false),
    NUMERIC_NOT_EQUALS("NumericNotEquals", true),
    NUMERIC_LESS_THAN("NumericLessThan", false),
    NUMERIC_LESS_THAN_EQUALS("NumericLessThanEquals", false),
    NUMERIC_GREATER_THAN("NumericGreaterThan", false),
    NUMERIC_GREATER_THAN_EQUALS("NumericGreaterThanEquals", false),
    DATE_EQUALS("DateEquals", false),
    DATE_NOT_EQUALS("DateNotEquals", true),
    DATE_LESS_THAN("DateLessThan", false),
    DATE_LESS_THAN_EQUALS("DateLessThanEquals", false),
    DATE_GREATER_THAN("DateGreaterThan", false),
    DATE_GREATER_THAN_EQUALS("DateGreaterThanEquals", false),
    BOOL("Bool", false),
    BINARY_EQUALS("BinaryEquals", false),
    IP_ADDRESS("IpAddress", false),
    NOT_IP_ADDRESS("NotIpAddress", true),
    ARN_EQUALS("ArnEquals", false),
    ARN_NOT_EQUALS("ArnNotEquals", true),
    ARN_LIKE("ArnLike", false),
    ARN_NOT_LIKE("ArnNotLike", true),
    NULL("Null", false);

    private final String text;
    private final boolean negated;

    Operator(String text, boolean negated) {
      this.text = text;
      this.negated = negated;
    }

    static Operator named(String name) throws MalformedPolicyException {
      for (Operator operator : values()) {
        if (operator.text.equals(name)) {
          return operator;
        }
      }
      throw Policy.malformed("Invalid Condition type : " + name);
    }

    /** Whether a fact's value is as the condition's value says, before any negation. */
    boolean matches(int[] pattern, String value) {
      String wanted = Patterns.text(pattern);
      return switch (this) {
        case STRING_EQUALS, STRING_NOT_EQUALS, BINARY_EQUALS -> wanted.equals(value);
        case STRING_EQUALS_IGNORE_CASE, STRING_NOT_EQUALS_IGNORE_CASE, BOOL ->
            wanted.equalsIgnoreCase(value);
        case STRING_LIKE, STRING_NOT_LIKE, ARN_EQUALS, ARN_NOT_EQUALS, ARN_LIKE, ARN_NOT_LIKE ->
            Patterns.matches(pattern, value);
        case NUMERIC_EQUALS, NUMERIC_NOT_EQUALS -> compareNumbers(value, wanted, 0, 0);
        case NUMERIC_LESS_THAN -> compareNumbers(value, wanted, -1, -1);
        case NUMERIC_LESS_THAN_EQUALS -> compareNumbers(value, wanted, -1, 0);
        case NUMERIC_GREATER_THAN -> compareNumbers(value, wanted, 1, 1);
        case NUMERIC_GREATER_THAN_EQUALS -> compareNumbers(value, wanted, 0, 1);
        case DATE_EQUALS, DATE_NOT_EQUALS -> compareDates(value, wanted, 0, 0);
        case DATE_LESS_THAN -> compareDates(value, wanted, -1, -1);
        case DATE_LESS_THAN_EQUALS -> compareDates(value, wanted, -1, 0);
        case DATE_GREATER_THAN -> compareDates(value, wanted, 1, 1);
        case DATE_GREATER_THAN_EQUALS -> compareDates(value, wanted, 0, 1);
        case IP_ADDRESS, NOT_IP_ADDRESS -> AddressRange.contains(wanted, value);
        case NULL -> throw new IllegalStateException("Null asks for no value");
      };
    }

    private static boolean compareNumbers(String value, String wanted, int least, int most) {
      try {
        int order = Integer.signum(new BigDecimal(value).compareTo(new BigDecimal(wanted)));
        return order >= least && order <= most;
      } catch (NumberFormatException e) {
        return false;
      }
    }

    private static boolean compareDates(String value, String wanted, int least, int most) {
      Instant left = instant(value);
      Instant right = instant(wanted);
      if (left == null || right == null) {
        return false;
      }
      int order = Integer.signum(left.compareTo(right));
      return order >= least && order <= most;
    }

    private static Instant instant(String text) {
      try {
        return OffsetDateTime.parse(text).toInstant();
      } catch (DateTimeException e) {
        try {
          return Instant.ofEpochSecond(Long.parseLong(text));
        } catch (NumberFormatException | DateTimeException notSecondsEither) {
          return null;
        }
      }
    }
  }

  static List<Condition> listOf(JsonNode node, boolean variables) throws MalformedPolicyException {
    List<Condition> conditions = new ArrayList<>();
    if (node == null) {
      return conditions;
    }
    if (!node.isObject()) {
      throw Policy.malformed("Condition must be an object");
    }
    for (Map.Entry<String, JsonNode> operator : node.properties()) {
      String name = operator.getKey();
      Quantifier quantifier = Quantifier.ONE;
      if (name.startsWith("ForAnyValue:")) {
        quantifier = Quantifier.ANY_VALUE;
        name = name.substring("ForAnyValue:".length());
      } else if (name.startsWith("ForAllValues:")) {
        quantifier = Quantifier.ALL_VALUES;
        name = name.substring("ForAllValues:".length());
      }
      boolean ifExists = name.endsWith("IfExists");
      if (ifExists) {
        name = name.substring(0, name.length() - "IfExists".length());
      }
      Operator known = Operator.named(name);
      if (!operator.getValue().isObject()) {
        throw Policy.malformed("Invalid Condition : " + name);
      }
      for (Map.Entry<String, JsonNode> key : operator.getValue().properties()) {
        List<String> values = Policy.texts(key.getValue(), "Condition");
        if (known == Operator.IP_ADDRESS || known == Operator.NOT_IP_ADDRESS) {
          for (String value : values) {
            AddressRange.check(value);
          }
        }
        conditions.add(
            new Condition(
                key.getKey().toLowerCase(Locale.ROOT),
                known,
                ifExists,
                quantifier,
                Policy.templates(values, variables)));
      }
    }
    return conditions;
  }

  /**
   * Whether it holds.
   *
   * @param denies of a statement that denies, which holds where it is not known whether it does;
   *     one that allows does not, but by {@code …IfExists}, which says so
   */
  boolean holds(Question question, boolean denies) {
    List<String> known = question.facts().get(key);
    if (known != null && known.isEmpty()) {
      return denies || ifExists;
    }
    List<String> facts = known == null ? List.of() : known;
    if (operator == Operator.NULL) {
      return values.stream().anyMatch(v -> Boolean.parseBoolean(v.text()) == facts.isEmpty());
    }
    if (facts.isEmpty()) {
      return ifExists
          || switch (quantifier) {
            case ONE -> operator.negated;
            case ANY_VALUE -> false; // there is none of which it could hold
            case ALL_VALUES -> true;
          };
    }
    return switch (quantifier) {
      case ONE, ANY_VALUE -> facts.stream().anyMatch(fact -> holdsFor(fact, question));
      case ALL_VALUES -> facts.stream().allMatch(fact -> holdsFor(fact, question));
    };
  }

  private boolean holdsFor(String fact, Question question) {
    boolean any = values.stream().anyMatch(wanted -> matches(wanted.fill(question), fact));
    return any != operator.negated;
  }

  private boolean matches(int[] wanted, String fact) {
    return wanted != null && operator.matches(wanted, fact);
  }

  /** Whether it holds or not by the tags that the object has. */
  boolean asksForTags() {
    return key.startsWith(Question.EXISTING_TAG) || values.stream().anyMatch(Template::asksForTags);
  }

  /** Whether it keeps a policy that names everybody from being public. */
  boolean narrowsToKnownCallers() {
    if (!NARROWING.contains(key) || operator.negated) {
      return false;
    }
    return switch (operator) {
      case IP_ADDRESS -> values.stream().map(Template::text).noneMatch(AddressRange::isBroad);
      case STRING_EQUALS, STRING_EQUALS_IGNORE_CASE, STRING_LIKE, ARN_EQUALS, ARN_LIKE ->
          !ifExists && values.stream().map(Template::text).allMatch(Condition::isFixed);
      default -> false;
    };
  }

  private static boolean isFixed(String value) {
    return value.indexOf('*') < 0 && value.indexOf('?') < 0 && !value.contains("${");
  }
}
