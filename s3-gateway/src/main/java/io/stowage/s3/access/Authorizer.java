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
package io.stowage.s3.access;

import io.stowage.common.error.ErrorCode;
import io.stowage.common.error.StoreException;
import io.stowage.common.om.ObjectManager;
import io.stowage.common.proto.BucketInfo;
import io.stowage.common.proto.GetObjectRequest;
import io.stowage.common.proto.ObjectVersion;
import io.stowage.s3.access.Acl.Permission;
import io.stowage.s3.access.Policy.Answer;
import io.stowage.s3.error.S3Error;
import io.stowage.s3.error.S3Exception;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.apache.hadoop.thirdparty.protobuf.ByteString;

/**
 * The one place that says who may do what, and writes down what it said. Thread-safe.
 *
 * <ol>
 *   <li>What a session's own policy does not allow is denied.
 *   <li>Administrators may do everything.
 *   <li>What a policy of the caller's or the bucket's denies is denied.
 *   <li>The bucket's owner may do everything in it; and anybody known may list and create buckets.
 *   <li>What a policy allows is allowed; a public policy is not believed where the bucket's public
 *       access is restricted.
 *   <li>What an access control list grants is allowed, the bucket's for the bucket and for writing
 *       keys, the object's for reading it; public grants do not count where the bucket's public
 *       access block ignores them, and none where its ownership controls disable lists.
 *   <li>All else is denied.
 * </ol>
 *
 * <p>Only the last but one needs to look at the object, so owners' requests cost nothing.
 */
public final class Authorizer {
  private static final Map<String, Permission> OF_BUCKET =
      Map.of(
          "s3:ListBucket", Permission.READ,
          "s3:ListBucketVersions", Permission.READ,
          "s3:ListBucketMultipartUploads", Permission.READ,
          "s3:PutObject", Permission.WRITE,
          "s3:DeleteObject", Permission.WRITE,
          "s3:DeleteObjectVersion", Permission.WRITE,
          "s3:GetBucketAcl", Permission.READ_ACP,
          "s3:PutBucketAcl", Permission.WRITE_ACP);

  private static final Map<String, Permission> OF_OBJECT =
      Map.of(
          "s3:GetObject", Permission.READ,
          "s3:GetObjectVersion", Permission.READ,
          "s3:GetObjectAttributes", Permission.READ,
          "s3:GetObjectVersionAttributes", Permission.READ,
          "s3:GetObjectAcl", Permission.READ_ACP,
          "s3:GetObjectVersionAcl", Permission.READ_ACP,
          "s3:PutObjectAcl", Permission.WRITE_ACP,
          "s3:PutObjectVersionAcl", Permission.WRITE_ACP);

  private static final String AGREES_TO_PAY = "s3:x-amz-request-payer";
  private static final String OF_POLICY = "a policy of the caller allows it";
  private static final String NOTHING_ALLOWS = "nothing allows it";

  private static final Set<String> OF_ANYBODY_KNOWN =
      Set.of("s3:ListAllMyBuckets", "s3:CreateBucket");

  /** What no policy of a bucket denies its owner, who else could lock himself out for good. */
  private static final Set<String> OF_POLICIES =
      Set.of("s3:GetBucketPolicy", "s3:PutBucketPolicy", "s3:DeleteBucketPolicy");

  private final ObjectManager namespace;
  private final AuditLog audit;
  private final PolicyCache policies = new PolicyCache();

  public Authorizer(ObjectManager namespace, AuditLog audit) {
    this.namespace = namespace;
    this.audit = audit;
  }

  /**
   * Whom a decision is about.
   *
   * @param admin may do everything
   * @param policies of the user and the user's groups, or of the role, JSON
   * @param boundaries policies of the session: what one of them does not allow is denied
   */
  public record Subject(
      Question.Principal principal,
      boolean admin,
      Iterable<String> policies,
      List<String> boundaries,
      Origin origin) {}

  /** What was decided, and why. */
  private record Decision(boolean allowed, String why) {
    static Decision allowed(String why) {
      return new Decision(true, why);
    }

    static Decision denied(String why) {
      return new Decision(false, why);
    }
  }

  /** Where decisions are written down. */
  public AuditLog audit() {
    return audit;
  }

  /**
   * Lets an action pass or refuses it with AccessDenied.
   *
   * @param action as IAM names it: {@code s3:PutObject}
   * @param bucket null if the action is not about an existing bucket
   * @param key null if the action is not about a key
   * @param facts for conditions, as {@link Question} has them
   */
  public void authorize(
      Subject subject,
      String action,
      BucketInfo bucket,
      String key,
      Map<String, List<String>> facts)
      throws S3Exception, StoreException {
    String resource = bucket == null ? "*" : Question.resourceOf(bucket.getName(), key);
    Decision decision;
    try {
      decision = decide(subject, action, resource, bucket, key, facts);
    } catch (StoreException | S3Exception e) {
      decision = Decision.denied("cannot be decided: " + e.getMessage());
      note(subject, action, bucket == null ? null : bucket.getName(), key, facts, decision);
      throw e;
    }
    note(subject, action, bucket == null ? null : bucket.getName(), key, facts, decision);
    if (!decision.allowed) {
      throw new S3Exception(S3Error.ACCESS_DENIED).with("Action", action);
    }
  }

  /**
   * Whether somebody may take an action of another service than S3; written down, too.
   *
   * @param resource its ARN
   */
  public boolean allows(
      Subject subject, String action, String resource, Map<String, List<String>> facts)
      throws S3Exception, StoreException {
    Decision decision = decide(subject, action, resource, null, null, facts);
    note(subject, action, null, resource, facts, decision);
    return decision.allowed;
  }

  /**
   * Whether somebody may assume a role: its trust policy names the caller, or everybody here and a
   * policy of the caller allows it; nothing denies it. Written down, too.
   */
  public boolean allowsAssuming(
      Subject subject, String roleArn, String trustPolicy, Map<String, List<String>> facts)
      throws S3Exception, StoreException {
    String action = "sts:AssumeRole";
    Decision decision = assuming(subject, action, roleArn, trustPolicy, facts);
    note(subject, action, null, roleArn, facts, decision);
    return decision.allowed;
  }

  private Decision assuming(
      Subject subject,
      String action,
      String roleArn,
      String trustPolicy,
      Map<String, List<String>> facts)
      throws S3Exception, StoreException {
    Policy trust = Policy.ofTrust(trustPolicy);
    Answer ofTrust = trust.answer(new Question(subject.principal, action, roleArn, facts));
    if (ofTrust != Answer.ALLOW) {
      return Decision.denied("the role's trust policy does not allow it");
    }
    Decision ofCaller = decide(subject, action, roleArn, null, null, facts);
    if (ofCaller.allowed || !ofCaller.why.equals(NOTHING_ALLOWS)) {
      return ofCaller;
    }
    Answer named =
        trust.answer(new Question(subject.principal.withoutAccount(), action, roleArn, facts));
    return named == Answer.ALLOW
        ? Decision.allowed("the role's trust policy names the caller")
        : ofCaller;
  }

  private void note(
      Subject subject,
      String action,
      String bucket,
      String key,
      Map<String, List<String>> facts,
      Decision decision) {
    List<String> version = facts.get("s3:versionid");
    audit.add(
        subject.origin,
        subject.principal,
        action,
        bucket,
        key,
        version == null || version.isEmpty() ? null : version.get(0),
        decision.allowed,
        decision.why);
  }

  private Decision decide(
      Subject subject,
      String action,
      String resource,
      BucketInfo bucket,
      String key,
      Map<String, List<String>> facts)
      throws S3Exception, StoreException {
    Question.Principal who = subject.principal();
    Question question = new Question(who, action, resource, facts);
    for (String json : subject.boundaries()) {
      if (policies.ofUser(json).answer(question) != Answer.ALLOW) {
        return Decision.denied("the session's policy does not allow it");
      }
    }
    if (subject.admin()) {
      return Decision.allowed("administrator");
    }
    Answer ofUser = Answer.SILENT;
    for (String json : subject.policies()) {
      Answer answer = policies.ofUser(json).answer(question);
      if (answer == Answer.DENY) {
        return Decision.denied("a policy of the caller denies it");
      }
      ofUser = answer == Answer.ALLOW ? answer : ofUser;
    }
    if (bucket == null) {
      if (ofUser == Answer.ALLOW) {
        return Decision.allowed(OF_POLICY);
      }
      return !who.anonymous() && OF_ANYBODY_KNOWN.contains(action)
          ? Decision.allowed("anybody known may")
          : Decision.denied(NOTHING_ALLOWS);
    }
    Settings settings = new Settings(bucket);
    Policy policy = settings.policy(policies);
    Answer ofBucket = Answer.SILENT;
    ObjectVersion[] seen = new ObjectVersion[1];
    if (policy != null) {
      ofBucket =
          policy.answer(
              settings.asksForTags() && key != null
                  ? withTags(question, object(bucket, key, facts, seen))
                  : question);
    }
    boolean owner = !who.anonymous() && who.canonicalId().equals(bucket.getOwner());
    if (ofBucket == Answer.DENY && !(owner && OF_POLICIES.contains(action))) {
      return Decision.denied("the bucket's policy denies it");
    }
    if (owner) {
      return Decision.allowed("owner of the bucket");
    }
    if (settings.requesterPays() && !facts.containsKey(AGREES_TO_PAY)) {
      return Decision.denied("the requester pays and did not agree to");
    }
    if (ofUser == Answer.ALLOW) {
      return Decision.allowed(OF_POLICY);
    }
    if (ofBucket == Answer.ALLOW && !(settings.restrictsPublic() && policy.isPublic())) {
      return Decision.allowed("the bucket's policy allows it");
    }
    return !settings.disablesLists() && listAllows(who, action, bucket, key, facts, settings, seen)
        ? Decision.allowed("an access control list grants it")
        : Decision.denied(NOTHING_ALLOWS);
  }

  private boolean listAllows(
      Question.Principal who,
      String action,
      BucketInfo bucket,
      String key,
      Map<String, List<String>> facts,
      Settings settings,
      ObjectVersion[] seen)
      throws S3Exception, StoreException {
    Acl ofBucket = Acl.of(bucket.getOwner(), settings.grants());
    Permission wanted = OF_BUCKET.get(action);
    if (wanted != null && ofBucket.allows(who, wanted, settings.ignoresPublicLists())) {
      return true;
    }
    Permission onObject = OF_OBJECT.get(action);
    if (onObject == null || key == null) {
      return false;
    }
    ObjectVersion object = object(bucket, key, facts, seen);
    if (object == null) {
      // That there is no such key may be told to who may list.
      return ofBucket.allows(who, Permission.READ, settings.ignoresPublicLists());
    }
    String owner = object.getMetadata().getOwner();
    return Acl.of(owner, object.getMetadata().getGrantsList())
        .allows(who, onObject, settings.ignoresPublicLists());
  }

  /** The object, looked up once a decision; null if there is none. */
  private ObjectVersion object(
      BucketInfo bucket, String key, Map<String, List<String>> facts, ObjectVersion[] seen)
      throws S3Exception, StoreException {
    if (seen[0] == null) {
      List<String> named = facts.get("s3:versionid");
      boolean current = named == null || named.isEmpty();
      try {
        seen[0] =
            namespace
                .getObject(
                    GetObjectRequest.newBuilder()
                        .setBucket(bucket.getName())
                        .setKey(key)
                        .setVersionId(VersionIds.parse("versionId", current ? null : named.get(0)))
                        .build())
                .getVersion();
      } catch (StoreException e) {
        if (e.code() != ErrorCode.NO_SUCH_KEY && e.code() != ErrorCode.NO_SUCH_VERSION) {
          throw e;
        }
        return null;
      }
    }
    return seen[0];
  }

  private static Question withTags(Question question, ObjectVersion object) {
    if (object == null) {
      return question;
    }
    Map<String, List<String>> facts = new HashMap<>(question.facts());
    object
        .getMetadata()
        .getTagsMap()
        .forEach(
            (tag, value) ->
                facts.put(
                    "s3:existingobjecttag/" + tag.toLowerCase(java.util.Locale.ROOT),
                    List.of(value)));
    return new Question(question.principal(), question.action(), question.resource(), facts);
  }

  /** What a bucket's settings say of access. */
  public record Settings(BucketInfo bucket) {
    public static final String POLICY = "policy";
    public static final String ACL = "acl";

    private String text(String name) {
      ByteString kept = bucket.getSettingsMap().get(name);
      return kept == null ? "" : kept.toStringUtf8();
    }

    private Policy policy(PolicyCache known) throws S3Exception {
      String json = text(POLICY);
      return json.isEmpty() ? null : known.ofBucket(json, bucket.getName());
    }

    private boolean asksForTags() {
      return text(POLICY).toLowerCase(java.util.Locale.ROOT).contains("existingobjecttag");
    }

    public List<String> grants() {
      String acl = text(ACL);
      return acl.isEmpty() ? List.of() : new ArrayList<>(List.of(acl.split("\n", -1)));
    }

    private boolean blocks(String element) {
      return text("publicAccessBlock").contains("<" + element + ">true</");
    }

    public boolean blocksPublicLists() {
      return blocks("BlockPublicAcls");
    }

    boolean ignoresPublicLists() {
      return blocks("IgnorePublicAcls");
    }

    public boolean blocksPublicPolicy() {
      return blocks("BlockPublicPolicy");
    }

    boolean restrictsPublic() {
      return blocks("RestrictPublicBuckets");
    }

    private boolean requesterPays() {
      return text("requestPayment").contains("<Payer>Requester</Payer>");
    }

    /** Whether lists count for nothing and the bucket's owner owns all in it. */
    public boolean disablesLists() {
      return text("ownershipControls").contains("BucketOwnerEnforced");
    }

    public boolean prefersBucketOwner() {
      return text("ownershipControls").contains("BucketOwnerPreferred");
    }
  }
}
