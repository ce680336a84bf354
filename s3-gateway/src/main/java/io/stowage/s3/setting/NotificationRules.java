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
import static io.stowage.s3.xml.XmlShape.text;

import io.stowage.common.event.EventRules;
import io.stowage.common.id.WriteId;
import io.stowage.common.proto.EventRuleSet;
import io.stowage.common.proto.EventTarget;
import io.stowage.s3.error.S3Error;
import io.stowage.s3.error.S3Exception;
import io.stowage.s3.xml.XmlElement;
import io.stowage.s3.xml.XmlOut;
import io.stowage.s3.xml.XmlShape;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.stream.Collectors;

/**
 * Who is to be told of which changes in a bucket: by kind of event and by prefix and suffix of the
 * key. Immutable.
 */
public record NotificationRules(List<Rule> rules) {
  private static final int MOST_RULES = 100;

  private static final Set<String> EVENTS =
      Set.of(
          "s3:ReducedRedundancyLostObject",
          "s3:ObjectCreated:*",
          "s3:ObjectCreated:Put",
          "s3:ObjectCreated:Post",
          "s3:ObjectCreated:Copy",
          "s3:ObjectCreated:CompleteMultipartUpload",
          "s3:ObjectRemoved:*",
          "s3:ObjectRemoved:Delete",
          "s3:ObjectRemoved:DeleteMarkerCreated",
          "s3:ObjectRestore:*",
          "s3:ObjectRestore:Post",
          "s3:ObjectRestore:Completed",
          "s3:ObjectRestore:Delete",
          "s3:Replication:*",
          "s3:Replication:OperationFailedReplication",
          "s3:Replication:OperationNotTracked",
          "s3:Replication:OperationMissedThreshold",
          "s3:Replication:OperationReplicatedAfterThreshold",
          "s3:LifecycleTransition",
          "s3:IntelligentTiering",
          "s3:ObjectAcl:Put",
          "s3:LifecycleExpiration:*",
          "s3:LifecycleExpiration:Delete",
          "s3:LifecycleExpiration:DeleteMarkerCreated",
          "s3:ObjectTagging:*",
          "s3:ObjectTagging:Put",
          "s3:ObjectTagging:Delete");

  /** Elements that say to what kind of target, and the element in them that names it. */
  private static final Map<String, String> KINDS =
      Map.of(
          "TopicConfiguration", "Topic",
          "QueueConfiguration", "Queue",
          "CloudFunctionConfiguration", "CloudFunction");

  public static final XmlShape SHAPE =
      element(
          "NotificationConfiguration",
          configuration("TopicConfiguration"),
          configuration("QueueConfiguration"),
          configuration("CloudFunctionConfiguration"),
          element("EventBridgeConfiguration").optional());

  private static XmlShape configuration(String name) {
    return element(
            name,
            text("Id", id -> id.length() <= 255).optional(),
            text(KINDS.get(name)),
            text("Event").times(1, 100),
            element(
                    "Filter",
                    element(
                        "S3Key",
                        element(
                                "FilterRule",
                                text(
                                    "Name",
                                    n ->
                                        n.equalsIgnoreCase("prefix")
                                            || n.equalsIgnoreCase("suffix")),
                                text("Value", v -> v.length() <= 1_024))
                            .times(0, 2)))
                .optional())
        .times(0, MOST_RULES);
  }

  /**
   * One rule.
   *
   * @param kind element that it is written as
   * @param events with {@code s3:} before
   */
  public record Rule(
      String kind, String id, String arn, Set<String> events, String prefix, String suffix) {

    /** Whether some change would be told by both, which S3 refuses. */
    boolean overlaps(Rule other) {
      boolean prefixes = prefix.startsWith(other.prefix) || other.prefix.startsWith(prefix);
      boolean suffixes = suffix.endsWith(other.suffix) || other.suffix.endsWith(suffix);
      return prefixes
          && suffixes
          && events.stream()
              .anyMatch(
                  a ->
                      other.events.stream()
                          .anyMatch(b -> EventRules.means(a, b) || EventRules.means(b, a)));
    }
  }

  /**
   * Reads a document.
   *
   * @param known names of targets that there are; null: whatever there was when it was stored
   */
  public static NotificationRules of(XmlElement document, Set<String> known) throws S3Exception {
    SHAPE.check(document);
    List<Rule> rules = new ArrayList<>();
    Set<String> ids = new HashSet<>();
    for (XmlElement one : document.children()) {
      if (!KINDS.containsKey(one.name())) {
        throw new S3Exception(
            S3Error.NOT_IMPLEMENTED, "Events are not delivered to EventBridge here.");
      }
      Rule rule = rule(one);
      if (!ids.add(rule.id)) {
        throw new S3Exception(
            S3Error.INVALID_ARGUMENT,
            "Same ID used for multiple configurations. IDs must be unique");
      }
      if (known != null && !known.contains(rule.arn)) {
        throw unreachable(
            rule.arn, "The destination is not declared in the gateway's configuration");
      }
      for (Rule other : rules) {
        if (rule.overlaps(other)) {
          throw new S3Exception(
              S3Error.INVALID_ARGUMENT,
              "Configurations overlap. Configurations on the same bucket cannot share a common"
                  + " event type.");
        }
      }
      rules.add(rule);
    }
    if (rules.size() > MOST_RULES) {
      throw new S3Exception(S3Error.INVALID_ARGUMENT, "Too many configurations");
    }
    return new NotificationRules(List.copyOf(rules));
  }

  /** Whom some rule names. */
  public Set<String> arns() {
    return rules.stream().map(Rule::arn).collect(Collectors.toSet());
  }

  /** S3's answer where a target cannot be told of anything. */
  public static S3Exception unreachable(String arn, String why) {
    return new S3Exception(
            S3Error.INVALID_ARGUMENT, "Unable to validate the following destination configurations")
        .with("ArgumentName", arn)
        .with("ArgumentValue", why);
  }

  private static Rule rule(XmlElement one) throws S3Exception {
    Set<String> events = new HashSet<>();
    for (XmlElement event : one.children("Event")) {
      if (!EVENTS.contains(event.text())) {
        throw new S3Exception(
                S3Error.INVALID_ARGUMENT, "The event is not supported for notifications")
            .with("ArgumentName", "Event")
            .with("ArgumentValue", event.text());
      }
      events.add(event.text());
    }
    String prefix = null;
    String suffix = null;
    for (XmlElement filter : one.children("Filter")) {
      for (XmlElement rule : filter.children("S3Key").get(0).children("FilterRule")) {
        String value = rule.childText("Value");
        if (rule.childText("Name").toLowerCase(Locale.ROOT).equals("prefix")) {
          requireOnce(prefix, "prefix");
          prefix = value;
        } else {
          requireOnce(suffix, "suffix");
          suffix = value;
        }
      }
    }
    String id = one.childText("Id");
    return new Rule(
        one.name(),
        id == null || id.isEmpty() ? WriteId.toHex(WriteId.random()) : id,
        one.childText(KINDS.get(one.name())),
        events,
        prefix == null ? "" : prefix,
        suffix == null ? "" : suffix);
  }

  private static void requireOnce(String seen, String name) throws S3Exception {
    if (seen != null) {
      throw new S3Exception(
          S3Error.INVALID_ARGUMENT, "Cannot specify more than one " + name + " rule in a filter.");
    }
  }

  /** The same as object managers know it. */
  public EventRuleSet ruleSet() {
    EventRuleSet.Builder set = EventRuleSet.newBuilder().setFormat(EventRules.FORMAT);
    for (Rule rule : rules) {
      set.addRulesBuilder()
          .setTarget(EventTarget.newBuilder().setArn(rule.arn).setConfigurationId(rule.id))
          .addAllEvents(rule.events.stream().sorted().toList())
          .setPrefix(rule.prefix)
          .setSuffix(rule.suffix);
    }
    return set.build();
  }

  /** The document as it is kept: every rule has an id. */
  public String document() {
    XmlOut out = XmlOut.document("NotificationConfiguration");
    for (Rule rule : rules) {
      out.open(rule.kind).text("Id", rule.id).text(KINDS.get(rule.kind), rule.arn);
      rule.events.stream().sorted().forEach(event -> out.text("Event", event));
      if (!rule.prefix.isEmpty() || !rule.suffix.isEmpty()) {
        out.open("Filter").open("S3Key");
        filter(out, "prefix", rule.prefix);
        filter(out, "suffix", rule.suffix);
        out.close().close();
      }
      out.close();
    }
    return out.finish();
  }

  private static void filter(XmlOut out, String name, String value) {
    if (!value.isEmpty()) {
      out.open("FilterRule").text("Name", name).text("Value", value).close();
    }
  }
}
