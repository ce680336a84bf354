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
import static io.stowage.s3.xml.XmlShape.word;

import io.stowage.common.expiry.LifecycleRules;
import io.stowage.common.id.WriteId;
import io.stowage.common.proto.LifecycleRule;
import io.stowage.common.proto.LifecycleRuleSet;
import io.stowage.common.proto.LifecycleTransition;
import io.stowage.s3.error.S3Error;
import io.stowage.s3.error.S3Exception;
import io.stowage.s3.xml.XmlElement;
import io.stowage.s3.xml.XmlOut;
import io.stowage.s3.xml.XmlShape;
import java.nio.charset.StandardCharsets;
import java.time.DateTimeException;
import java.time.Instant;
import java.time.LocalDate;
import java.time.OffsetDateTime;
import java.time.ZoneOffset;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;

/**
 * A bucket's lifecycle configuration: the document as it is given back, every rule with an id, and
 * the rules that it says. Transitions are checked and kept; there is one kind of storage, so an
 * object stays in its class. Immutable.
 *
 * @see <a
 *     href="https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutBucketLifecycleConfiguration.html">
 *     PutBucketLifecycleConfiguration</a>
 */
public record LifecycleConfiguration(String document, LifecycleRuleSet rules) {
  public static final String NAME = "lifecycle";

  private static final int MOST_RULES = 1_000;
  private static final int LONGEST_ID = 255;
  private static final int LONGEST_PREFIX = 1_024;
  private static final int MOST_NEWER = 100;
  private static final long DAY_SECONDS = 86_400;

  private static final XmlShape TAG = element("Tag", text("Key"), text("Value"));
  private static final XmlShape LEAST = wholeNumber("ObjectSizeGreaterThan").optional();
  private static final XmlShape BELOW = number("ObjectSizeLessThan", 1).optional();

  private static final XmlShape SHAPE =
      element(
          "LifecycleConfiguration",
          element(
                  "Rule",
                  text("ID").optional(),
                  word("Status", "Enabled", "Disabled"),
                  text("Prefix").optional(),
                  element(
                          "Filter",
                          text("Prefix").optional(),
                          TAG.optional(),
                          LEAST,
                          BELOW,
                          element("And", text("Prefix").optional(), TAG.times(0, 100), LEAST, BELOW)
                              .optional())
                      .optional(),
                  element(
                          "Expiration",
                          wholeNumber("Days").optional(),
                          text("Date").optional(),
                          XmlShape.truth("ExpiredObjectDeleteMarker").optional())
                      .optional(),
                  element(
                          "NoncurrentVersionExpiration",
                          wholeNumber("NoncurrentDays").optional(),
                          wholeNumber("NewerNoncurrentVersions").optional())
                      .optional(),
                  element("AbortIncompleteMultipartUpload", wholeNumber("DaysAfterInitiation"))
                      .optional(),
                  element(
                          "Transition",
                          wholeNumber("Days").optional(),
                          text("Date").optional(),
                          transitionClass())
                      .times(0, 20),
                  element(
                          "NoncurrentVersionTransition",
                          wholeNumber("NoncurrentDays").optional(),
                          wholeNumber("NewerNoncurrentVersions").optional(),
                          transitionClass())
                      .times(0, 20))
              .times(1, MOST_RULES));

  private static XmlShape transitionClass() {
    return word(
        "StorageClass",
        "GLACIER",
        "STANDARD_IA",
        "ONEZONE_IA",
        "INTELLIGENT_TIERING",
        "DEEP_ARCHIVE",
        "GLACIER_IR");
  }

  /** Any whole number: what is wrong with one below the least is said in words. */
  private static XmlShape wholeNumber(String name) {
    return text(name, value -> value.strip().matches("-?[0-9]{1,18}"));
  }

  /** The configuration that a document means. */
  public static LifecycleConfiguration of(XmlElement document) throws S3Exception {
    SHAPE.check(document);
    XmlOut out = XmlOut.document(document.name());
    LifecycleRuleSet.Builder rules = LifecycleRuleSet.newBuilder().setFormat(LifecycleRules.FORMAT);
    Set<String> ids = new HashSet<>();
    for (XmlElement given : document.children("Rule")) {
      String id = given.childText("ID");
      if (id == null || id.isEmpty()) {
        id = WriteId.toHex(WriteId.random());
      }
      if (id.length() > LONGEST_ID) {
        throw argument("ID length should not exceed allowed limit of " + LONGEST_ID);
      }
      if (!ids.add(id)) {
        throw argument("Rule ID must be unique. Found same ID for more than one rule");
      }
      rules.addRules(rule(given, id));
      out.open("Rule").text("ID", id);
      for (XmlElement child : given.children()) {
        if (!child.name().equals("ID")) {
          out.copy(child);
        }
      }
      out.close();
    }
    return new LifecycleConfiguration(out.finish(), rules.build());
  }

  private static LifecycleRule rule(XmlElement given, String id) throws S3Exception {
    LifecycleRule.Builder rule =
        LifecycleRule.newBuilder()
            .setId(id)
            .setEnabled(given.childText("Status").equals("Enabled"));
    filter(given, rule);
    expiration(given, rule);
    noncurrentExpiration(given, rule);
    XmlElement abort = child(given, "AbortIncompleteMultipartUpload");
    if (abort != null) {
      rule.setAbortDays(positive(abort, "DaysAfterInitiation"));
    }
    transitions(given, rule);
    boolean acts =
        rule.getDays() > 0
            || rule.getDateMicros() > 0
            || rule.getExpiredDeleteMarker()
            || child(given, "Expiration") != null
            || rule.getNoncurrentDays() > 0
            || rule.getAbortDays() > 0
            || rule.getTransitionsCount() > 0
            || rule.getNoncurrentTransitionsCount() > 0;
    if (!acts) {
      throw request("At least one action needs to be specified in a rule");
    }
    boolean bySize = rule.getLeastSize() > 0 || rule.getSizeBelow() > 0;
    if (rule.getAbortDays() > 0 && (rule.getTagsCount() > 0 || bySize)) {
      throw request(
          "AbortIncompleteMultipartUpload cannot be specified with "
              + (bySize ? "Object Size." : "Tags."));
    }
    if (rule.getExpiredDeleteMarker() && (rule.getTagsCount() > 0 || bySize)) {
      throw request(
          "ExpiredObjectDeleteMarker cannot be specified with "
              + (bySize ? "Object Size." : "Tags."));
    }
    return rule.build();
  }

  private static void filter(XmlElement given, LifecycleRule.Builder rule) throws S3Exception {
    XmlElement filter = child(given, "Filter");
    String prefix = given.childText("Prefix");
    if ((filter == null) == (prefix == null)) {
      throw new S3Exception(S3Error.MALFORMED_XML).with("Element", "Rule");
    }
    if (filter != null) {
      if (filter.children().size() > 1) {
        throw new S3Exception(S3Error.MALFORMED_XML).with("Element", "Filter");
      }
      XmlElement and = child(filter, "And");
      if (and != null && and.children().isEmpty()) {
        throw new S3Exception(S3Error.MALFORMED_XML).with("Element", "And");
      }
      XmlElement holder = and == null ? filter : and;
      prefix = holder.childText("Prefix");
      Map<String, String> tags = new TreeMap<>();
      for (XmlElement tag : holder.children("Tag")) {
        if (tags.containsKey(tag.childText("Key"))) {
          throw request("Duplicate Tag Keys are not allowed.");
        }
        Tags.add(tags, tag.childText("Key"), tag.childText("Value"), Tags.MOST_OF_AN_OBJECT);
      }
      rule.putAllTags(tags);
      sizes(holder, rule);
    }
    if (prefix != null) {
      if (prefix.getBytes(StandardCharsets.UTF_8).length > LONGEST_PREFIX) {
        throw request("The maximum size of a prefix is " + LONGEST_PREFIX);
      }
      rule.setPrefix(prefix);
    }
  }

  private static void sizes(XmlElement holder, LifecycleRule.Builder rule) throws S3Exception {
    String over = holder.childText("ObjectSizeGreaterThan");
    String below = holder.childText("ObjectSizeLessThan");
    if (over != null) {
      long bytes = Long.parseLong(over.strip());
      if (bytes < 0) {
        throw new S3Exception(S3Error.MALFORMED_XML).with("Element", "ObjectSizeGreaterThan");
      }
      rule.setLeastSize(bytes + 1);
    }
    if (below != null) {
      rule.setSizeBelow(Long.parseLong(below.strip()));
      if (over != null && rule.getSizeBelow() <= rule.getLeastSize()) {
        throw request(
            "'ObjectSizeLessThan' has to be a value greater than 'ObjectSizeGreaterThan'.");
      }
    }
  }

  private static void expiration(XmlElement given, LifecycleRule.Builder rule) throws S3Exception {
    XmlElement expiration = child(given, "Expiration");
    if (expiration == null) {
      return;
    }
    if (expiration.children().size() != 1) {
      throw new S3Exception(S3Error.MALFORMED_XML).with("Element", "Expiration");
    }
    if (expiration.childText("Days") != null) {
      long days = Long.parseLong(expiration.childText("Days").strip());
      if (days < 1 || days > Integer.MAX_VALUE) {
        throw argument("'Days' for Expiration action must be a positive integer");
      }
      rule.setDays((int) days);
    } else if (expiration.childText("Date") != null) {
      rule.setDateMicros(midnight(expiration.childText("Date")));
    } else {
      rule.setExpiredDeleteMarker(
          expiration.childText("ExpiredObjectDeleteMarker").equalsIgnoreCase("true"));
    }
  }

  private static void noncurrentExpiration(XmlElement given, LifecycleRule.Builder rule)
      throws S3Exception {
    XmlElement noncurrent = child(given, "NoncurrentVersionExpiration");
    if (noncurrent == null) {
      return;
    }
    if (noncurrent.childText("NoncurrentDays") == null) {
      throw new S3Exception(S3Error.MALFORMED_XML).with("Element", "NoncurrentVersionExpiration");
    }
    rule.setNoncurrentDays(positive(noncurrent, "NoncurrentDays"));
    if (noncurrent.childText("NewerNoncurrentVersions") != null) {
      rule.setNewerNoncurrent(newer(noncurrent));
    }
  }

  private static int newer(XmlElement action) throws S3Exception {
    int newer = positive(action, "NewerNoncurrentVersions");
    if (newer > MOST_NEWER) {
      throw argument(
          "'NewerNoncurrentVersions' for "
              + action.name()
              + " action must be a positive integer up to "
              + MOST_NEWER);
    }
    return newer;
  }

  private static void transitions(XmlElement given, LifecycleRule.Builder rule) throws S3Exception {
    Set<String> classes = new HashSet<>();
    for (XmlElement transition : given.children("Transition")) {
      LifecycleTransition.Builder to = to(transition, classes);
      String days = transition.childText("Days");
      String date = transition.childText("Date");
      if ((days == null) == (date == null)) {
        throw new S3Exception(S3Error.MALFORMED_XML).with("Element", "Transition");
      }
      if (days == null) {
        to.setDateMicros(midnight(date));
        if (rule.getDays() > 0) {
          throw mixed(rule);
        }
      } else {
        to.setDays(atLeast(transition, "Days", 0));
        requireAMonth(to, "'Days'", transition);
        if (rule.getDateMicros() > 0) {
          throw mixed(rule);
        }
        if (rule.getDays() > 0 && rule.getDays() <= to.getDays()) {
          throw argument(
              "'Days' in the Expiration action for filter '(prefix="
                  + rule.getPrefix()
                  + ")' must be greater than 'Days' in the Transition action");
        }
      }
      rule.addTransitions(to);
    }
    classes.clear();
    for (XmlElement transition : given.children("NoncurrentVersionTransition")) {
      LifecycleTransition.Builder to = to(transition, classes);
      if (transition.childText("NoncurrentDays") == null) {
        throw new S3Exception(S3Error.MALFORMED_XML).with("Element", "NoncurrentVersionTransition");
      }
      to.setDays(atLeast(transition, "NoncurrentDays", 0));
      requireAMonth(to, "'NoncurrentDays'", transition);
      if (rule.getNoncurrentDays() > 0 && rule.getNoncurrentDays() <= to.getDays()) {
        throw argument(
            "'NoncurrentDays' in the NoncurrentVersionExpiration action for filter '(prefix="
                + rule.getPrefix()
                + ")' must be greater than 'NoncurrentDays' in the NoncurrentVersionTransition"
                + " action");
      }
      if (transition.childText("NewerNoncurrentVersions") != null) {
        to.setNewerNoncurrent(newer(transition));
      }
      rule.addNoncurrentTransitions(to);
    }
  }

  private static LifecycleTransition.Builder to(XmlElement transition, Set<String> classes)
      throws S3Exception {
    String storageClass = transition.childText("StorageClass");
    if (!classes.add(storageClass)) {
      throw request(
          "'StorageClass' must be different for '"
              + transition.name()
              + "' actions in same 'Rule'");
    }
    return LifecycleTransition.newBuilder().setStorageClass(storageClass);
  }

  private static void requireAMonth(
      LifecycleTransition.Builder to, String element, XmlElement transition) throws S3Exception {
    boolean infrequent = List.of("STANDARD_IA", "ONEZONE_IA").contains(to.getStorageClass());
    if (infrequent && to.getDays() < 30) {
      throw argument(
          element
              + " in "
              + transition.name()
              + " action must be greater than or equal to 30 for storageClass '"
              + to.getStorageClass()
              + "'");
    }
  }

  private static int positive(XmlElement action, String name) throws S3Exception {
    return atLeast(action, name, 1);
  }

  private static int atLeast(XmlElement action, String name, int least) throws S3Exception {
    long value = Long.parseLong(action.childText(name).strip());
    if (value < least || value > Integer.MAX_VALUE) {
      throw argument(
          "'"
              + name
              + "' for "
              + action.name()
              + " action must be "
              + (least == 0 ? "a nonnegative integer" : "a positive integer"));
    }
    return (int) value;
  }

  /** A date as S3 takes it: of a day alone, or with the time of its midnight. */
  private static long midnight(String date) throws S3Exception {
    Instant instant;
    String text = date.strip();
    try {
      instant =
          text.indexOf('T') < 0
              ? LocalDate.parse(text).atStartOfDay(ZoneOffset.UTC).toInstant()
              : OffsetDateTime.parse(text).toInstant();
    } catch (DateTimeException e) {
      throw new S3Exception(S3Error.MALFORMED_XML).with("Element", "Date");
    }
    if (instant.getEpochSecond() % DAY_SECONDS != 0
        || instant.getNano() != 0
        || instant.getEpochSecond() <= 0) {
      throw argument("'Date' must be at midnight GMT")
          .with("ArgumentName", "Date")
          .with("ArgumentValue", text);
    }
    return instant.getEpochSecond() * 1_000_000;
  }

  private static XmlElement child(XmlElement parent, String name) {
    List<XmlElement> found = parent.children(name);
    return found.isEmpty() ? null : found.get(0);
  }

  private static S3Exception mixed(LifecycleRule.Builder rule) {
    return request(
        "Found mixed 'Date' and 'Days' based Expiration and Transition actions in lifecycle rule"
            + " for prefix '"
            + rule.getPrefix()
            + "'");
  }

  private static S3Exception argument(String message) {
    return new S3Exception(S3Error.INVALID_ARGUMENT, message);
  }

  private static S3Exception request(String message) {
    return new S3Exception(S3Error.INVALID_REQUEST, message);
  }
}
