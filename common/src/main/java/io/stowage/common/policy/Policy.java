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

import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.DeserializationFeature;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.json.JsonMapper;
import io.stowage.common.error.StoreException;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.Iterator;
import java.util.List;
import java.util.Map;
import java.util.Set;

/**
 * A policy in the language of IAM (version 2012-10-17): statements that allow or deny actions on
 * resources to principals under conditions. An explicit denial outweighs any allowance. Immutable.
 *
 * <p>Grammar and evaluation follow the IAM User Guide, "Grammar of the IAM JSON policy language"
 * and "Policy evaluation logic".
 */
public final class Policy {
  /** What S3 takes for a bucket's policy. */
  public static final int LONGEST = 20 << 10;

  private static final String NO_OBJECT =
      "Policies must be valid JSON and the first byte must be '{'";
  private static final String INVALID_ACTION = "Policy has invalid action";
  private static final String INVALID_RESOURCE = "Policy has invalid resource";
  private static final String INVALID_PRINCIPAL = "Invalid principal in policy";
  private static final String SERVICE = Question.Principal.SERVICE;

  /** The version of the language that has variables; one without any is the older. */
  private static final String WITH_VARIABLES = "2012-10-17";

  private static final Set<String> VERSIONS = Set.of(WITH_VARIABLES, "2008-10-17");
  private static final ObjectMapper JSON =
      JsonMapper.builder()
          .enable(JsonParser.Feature.STRICT_DUPLICATE_DETECTION)
          .enable(DeserializationFeature.FAIL_ON_TRAILING_TOKENS)
          .build();

  /** What a policy says to a question. */
  public enum Answer {
    ALLOW,
    DENY,
    /** Nothing. */
    SILENT
  }

  private final List<Statement> statements;
  private final boolean asksForTags;

  private Policy(List<Statement> statements) {
    this.statements = statements;
    this.asksForTags = statements.stream().anyMatch(Statement::asksForTags);
  }

  /**
   * One statement. Lists are of patterns; {@code not…} turns a list around.
   *
   * @param sid what its author calls it; empty: nothing
   * @param principals null in policies of users, which mean the user
   */
  private record Statement(
      String sid,
      boolean allows,
      Principals principals,
      boolean notPrincipals,
      List<String> actions,
      boolean notActions,
      List<Template> resources,
      boolean notResources,
      List<Condition> conditions) {

    /** Whether it is about who asks and the action that is asked for. */
    boolean means(Question question) {
      return (principals == null || principals.mean(question.principal()) != notPrincipals)
          && actions.stream().anyMatch(a -> Patterns.matchesIgnoringCase(a, question.action()))
              != notActions;
    }

    boolean asksForTags() {
      return conditions.stream().anyMatch(Condition::asksForTags)
          || resources.stream().anyMatch(Template::asksForTags);
    }

    /**
     * A pattern that ends with a star and matches a beginning matches all that goes on from it.
     * What tags the objects have nobody looks up.
     */
    boolean coversAllBelow(Question question) {
      return !notResources
          && !asksForTags()
          && resources.stream().anyMatch(r -> r.matchesAllBelow(question, question.resource()))
          && conditions.stream().allMatch(condition -> condition.holds(question, !allows));
    }

    boolean covers(Question question) {
      return means(question)
          && resources.stream().anyMatch(r -> r.matches(question, question.resource()))
              != notResources
          && conditions.stream().allMatch(condition -> condition.holds(question, !allows));
    }

    List<String> resourceTexts() {
      return resources.stream().map(Template::text).toList();
    }

    boolean isOpenToAll() {
      return allows
          && principals != null
          && (notPrincipals || principals.all())
          && conditions.stream().noneMatch(Condition::narrowsToKnownCallers);
    }
  }

  private record Principals(boolean all, List<String> ids) {
    boolean mean(Question.Principal who) {
      if (all) {
        return true;
      }
      if (who.anonymous()) {
        return false;
      }
      for (String id : ids) {
        if (who.arns().contains(id)
            || (!id.startsWith(SERVICE) && isCalled(id, who))
            || (id.equals(Question.ACCOUNT) && who.arns().contains(Question.ACCOUNT_ROOT))) {
          return true;
        }
      }
      return false;
    }

    /** Of users: a service is none, whatever Hadoop's users are called. */
    private static boolean isCalled(String id, Question.Principal who) {
      return !id.isEmpty() && (id.equals(who.canonicalId()) || id.equals(who.userName()));
    }
  }

  /**
   * Reads a bucket's policy, checked as S3 checks it: every statement has a principal, and
   * resources are this bucket's, or may be: of a pattern, what is before the first slash is that of
   * the bucket.
   */
  public static Policy ofBucket(String json, String bucket) throws MalformedPolicyException {
    Policy policy = parse(json, true);
    String whole = Question.resourceOf(bucket, null);
    for (Statement statement : policy.statements) {
      for (String resource : statement.resourceTexts()) {
        if (!resource.equals(whole)
            && !resource.startsWith(whole + "/")
            && !resource.equals("*")
            && !Patterns.matches(resource, whole)
            && !Patterns.matches(bucketPart(resource), whole)) {
          throw malformed(INVALID_RESOURCE);
        }
      }
    }
    return policy;
  }

  private static String bucketPart(String resource) {
    int slash = resource.indexOf('/');
    return slash < 0 ? resource : resource.substring(0, slash);
  }

  /**
   * The same of one that is to be kept: statements that have names have different ones; its actions
   * must be some, and of its resources; what its conditions ask for there must be; and nothing is
   * allowed to whoever is not somebody, which would be the whole world.
   */
  public static Policy newOfBucket(String json, String bucket) throws MalformedPolicyException {
    Policy policy = ofBucket(json, bucket).withDifferentSids();
    String whole = Question.resourceOf(bucket, null);
    for (Statement statement : policy.statements) {
      if (statement.allows && statement.notPrincipals) {
        throw malformed("Allow with NotPrincipal is not allowed.");
      }
      List<String> resources = statement.notResources ? List.of("*") : statement.resourceTexts();
      if (!statement.notActions) {
        S3Actions.check(
            statement.actions,
            resources.stream().anyMatch(resource -> Patterns.matches(resource, whole)),
            resources.stream().anyMatch(resource -> resource.matches(".*/.*|.*[*]")));
      }
      for (Condition condition : statement.conditions) {
        S3ConditionKeys.check(condition.key());
      }
    }
    return policy;
  }

  /** Who there is, of those whom this store can know. */
  public interface Directory {
    /**
     * @param path of the user, as "/staff/"
     */
    boolean isUser(String path, String name) throws StoreException;

    boolean isRole(String path, String name) throws StoreException;

    /** Whether a text alone means somebody: by a canonical id, or by a user's name. */
    boolean isKnown(String idOrName) throws StoreException;
  }

  /**
   * Refuses principals of this store's account that are not there, as S3 does: whoever gets that
   * name later was not meant. Of other accounts nothing can be known, and nobody is in them.
   */
  public void requireKnownPrincipals(Directory directory) throws StoreException {
    for (Statement statement : statements) {
      for (String id : statement.principals.ids) {
        if (!isKnown(id, directory)) {
          throw new MalformedPolicyException(INVALID_PRINCIPAL, '"' + id + '"');
        }
      }
    }
  }

  private static boolean isKnown(String id, Directory directory) throws StoreException {
    if (id.equals("*") || id.startsWith(SERVICE) || id.matches("[0-9]{12}")) {
      return true;
    }
    if (!id.startsWith("arn:")) {
      return directory.isKnown(id);
    }
    String[] arn = id.split(":", 6);
    boolean complete = arn.length == 6 && arn[3].isEmpty() && !arn[5].isEmpty();
    if (!complete || !(arn[2].equals("iam") || arn[2].equals("sts"))) {
      return false;
    }
    boolean ours = arn[4].isEmpty() || arn[4].equals(Question.ACCOUNT) || directory.isKnown(arn[4]);
    if (!ours || arn[5].equals("root")) {
      return true;
    }
    String[] parts = arn[5].split("/", -1);
    String name = parts[parts.length - 1];
    String path = arn[5].substring(parts[0].length(), arn[5].length() - name.length());
    return switch (arn[2] + ":" + parts[0]) {
      case "iam:user" -> directory.isUser(path, name);
      case "iam:role" -> directory.isRole(path, name);
      case "sts:assumed-role" -> parts.length == 3 && directory.isRole("/", parts[1]);
      default -> false;
    };
  }

  /** Reads a policy of a user, which names no principal. */
  public static Policy ofUser(String json) throws MalformedPolicyException {
    return parse(json, false);
  }

  /** The same of one that is to be kept: statements that have names have different ones. */
  public static Policy newOfUser(String json) throws MalformedPolicyException {
    return ofUser(json).withDifferentSids();
  }

  /** Reads the policy of a role that says who may assume it: no resource, always a principal. */
  public static Policy ofTrust(String json) throws MalformedPolicyException {
    return parse(json, true, false);
  }

  /** The same of one that is to be kept: statements that have names have different ones. */
  public static Policy newOfTrust(String json) throws MalformedPolicyException {
    return ofTrust(json).withDifferentSids();
  }

  private Policy withDifferentSids() throws MalformedPolicyException {
    Set<String> sids = new HashSet<>();
    for (Statement statement : statements) {
      if (!statement.sid.isEmpty() && !sids.add(statement.sid)) {
        throw malformed("Statement IDs (SID) in a single policy must be unique.");
      }
    }
    return this;
  }

  private static Policy parse(String json, boolean withPrincipals) throws MalformedPolicyException {
    return parse(json, withPrincipals, true);
  }

  private static Policy parse(String json, boolean withPrincipals, boolean withResources)
      throws MalformedPolicyException {
    JsonNode root;
    try {
      root = JSON.readTree(json);
    } catch (JsonProcessingException e) {
      boolean begins = json.stripLeading().startsWith("{");
      throw malformed(begins ? "This policy contains invalid Json" : NO_OBJECT);
    }
    if (root == null || !root.isObject()) {
      throw malformed(NO_OBJECT);
    }
    for (Iterator<String> names = root.fieldNames(); names.hasNext(); ) {
      String name = names.next();
      if (!Set.of("Version", "Id", "Statement").contains(name)) {
        throw malformed("Unknown field " + name);
      }
    }
    if (root.has("Version") && !VERSIONS.contains(root.get("Version").asText())) {
      throw malformed("The policy must contain a valid version string");
    }
    JsonNode statement = root.get("Statement");
    if (statement == null) {
      throw malformed("Missing required field Statement");
    }
    boolean variables = root.path("Version").asText().equals(WITH_VARIABLES);
    List<Statement> statements = new ArrayList<>();
    for (JsonNode each : statement.isArray() ? statement : List.of(statement)) {
      statements.add(statement(each, withPrincipals, withResources, variables));
    }
    if (statements.isEmpty()) {
      throw malformed("Could not parse the policy: Statement is empty!");
    }
    return new Policy(List.copyOf(statements));
  }

  private static Statement statement(
      JsonNode node, boolean withPrincipals, boolean withResources, boolean variables)
      throws MalformedPolicyException {
    if (!node.isObject()) {
      throw malformed("Statement must be an object");
    }
    for (Iterator<String> names = node.fieldNames(); names.hasNext(); ) {
      String name = names.next();
      if (!Set.of(
              "Sid",
              "Effect",
              "Principal",
              "NotPrincipal",
              "Action",
              "NotAction",
              "Resource",
              "NotResource",
              "Condition")
          .contains(name)) {
        throw malformed("Unknown field " + name);
      }
    }
    String effect = node.path("Effect").asText();
    if (!effect.equals("Allow") && !effect.equals("Deny")) {
      throw malformed("Invalid effect: " + effect);
    }
    boolean notActions = oneOf(node, "Action", "NotAction");
    if (!withResources && (node.has("Resource") || node.has("NotResource"))) {
      throw malformed("Has prohibited field Resource");
    }
    boolean notResources = withResources && oneOf(node, "Resource", "NotResource");
    Principals principals = null;
    boolean notPrincipals = false;
    if (withPrincipals) {
      notPrincipals = oneOf(node, "Principal", "NotPrincipal");
      principals = principals(node.get(notPrincipals ? "NotPrincipal" : "Principal"));
    } else if (node.has("Principal") || node.has("NotPrincipal")) {
      throw malformed("Policy document should not specify a principal.");
    }
    List<String> actions = texts(node.get(notActions ? "NotAction" : "Action"), "Action");
    for (String action : actions) {
      if (!action.equals("*") && action.indexOf(':') <= 0) {
        throw malformed(INVALID_ACTION);
      }
    }
    return new Statement(
        node.path("Sid").asText(""), // null is none
        effect.equals("Allow"),
        principals,
        notPrincipals,
        actions,
        notActions,
        templates(
            withResources
                ? texts(node.get(notResources ? "NotResource" : "Resource"), "Resource")
                : List.of("*"),
            variables),
        notResources,
        Condition.listOf(node.get("Condition"), variables));
  }

  /** Whether the second of two names is there, of which exactly one must be. */
  private static boolean oneOf(JsonNode node, String name, String not)
      throws MalformedPolicyException {
    if (node.has(name) == node.has(not)) {
      throw malformed("Missing required field " + name);
    }
    return node.has(not);
  }

  private static Principals principals(JsonNode node) throws MalformedPolicyException {
    if (node.isTextual()) {
      if (!node.asText().equals("*")) {
        throw malformed(INVALID_PRINCIPAL);
      }
      return new Principals(true, List.of());
    }
    if (!node.isObject() || node.isEmpty()) {
      throw malformed(INVALID_PRINCIPAL);
    }
    boolean all = false;
    List<String> ids = new ArrayList<>();
    for (Map.Entry<String, JsonNode> kind : node.properties()) {
      switch (kind.getKey()) {
        case "AWS", "CanonicalUser" -> {
          for (String id : texts(kind.getValue(), "Principal")) {
            all |= id.equals("*");
            if (!id.startsWith(SERVICE)) {
              ids.add(id);
            }
          }
        }
        case "Service" -> {
          for (String id : texts(kind.getValue(), "Principal")) {
            ids.add(SERVICE + id);
          }
        }
        case "Federated" -> ids.addAll(texts(kind.getValue(), "Principal"));
        default -> throw malformed(INVALID_PRINCIPAL);
      }
    }
    return new Principals(all, List.copyOf(ids));
  }

  static List<Template> templates(List<String> texts, boolean variables) {
    return texts.stream().map(text -> Template.of(text, variables)).toList();
  }

  static List<String> texts(JsonNode node, String field) throws MalformedPolicyException {
    List<String> texts = new ArrayList<>();
    if (node.isArray()) {
      for (JsonNode each : node) {
        texts.add(text(each, field));
      }
    } else {
      texts.add(text(node, field));
    }
    if (texts.isEmpty()) {
      throw malformed(
          switch (field) {
            case "Resource" -> INVALID_RESOURCE;
            case "Action" -> INVALID_ACTION;
            case "Principal" -> INVALID_PRINCIPAL;
            default -> field + " is empty";
          });
    }
    return List.copyOf(texts);
  }

  private static String text(JsonNode node, String field) throws MalformedPolicyException {
    if (!node.isValueNode() || node.isNull()) {
      throw malformed(field + " must be a text or a list of texts");
    }
    return node.asText();
  }

  static MalformedPolicyException malformed(String why) {
    return new MalformedPolicyException(why);
  }

  /** What the policy says; a denial wherever it stands outweighs what allows. */
  public Answer answer(Question question) {
    Answer answer = Answer.SILENT;
    for (Statement statement : statements) {
      if (statement.covers(question)) {
        if (!statement.allows) {
          return Answer.DENY;
        }
        answer = Answer.ALLOW;
      }
    }
    return answer;
  }

  /**
   * What the policy says of all keys that begin with the question's resource: it denies if anything
   * of it could deny one of them, and allows only what it allows for every one.
   */
  public Answer answerForAllBelow(Question question) {
    Answer answer = Answer.SILENT;
    for (Statement statement : statements) {
      if (!statement.means(question)) {
        continue;
      }
      if (!statement.allows) {
        return Answer.DENY; // whatever keys and conditions it names
      }
      if (statement.coversAllBelow(question)) {
        answer = Answer.ALLOW;
      }
    }
    return answer;
  }

  /** Whether its answer may depend on the tags that the object has, as facts say them. */
  public boolean asksForTags() {
    return asksForTags;
  }

  /** Whether it allows something to everybody, known or not. */
  public boolean isPublic() {
    return statements.stream().anyMatch(Statement::isOpenToAll);
  }
}
