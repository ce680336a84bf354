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
package io.stowage.common.access;

import io.stowage.common.error.StoreException;
import io.stowage.common.policy.AccessSettings;
import io.stowage.common.policy.Acl;
import io.stowage.common.policy.Acl.Permission;
import io.stowage.common.policy.Policy;
import io.stowage.common.policy.Policy.Answer;
import io.stowage.common.policy.PolicyCache;
import io.stowage.common.policy.Question;
import io.stowage.common.proto.BucketInfo;
import io.stowage.common.proto.BucketLayout;
import io.stowage.common.proto.ObjectVersion;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;

/**
 * The store's own authoriser. Thread-safe; keeps nothing but parsed policies.
 *
 * <ol>
 *   <li>What a session's own policy does not allow is denied.
 *   <li>Administrators may do everything.
 *   <li>What a policy of the caller's or the bucket's denies is denied; in a FILE_SYSTEM bucket,
 *       also what it denies of the key with a slash at its end, or without.
 *   <li>The bucket's owner may do everything in it, but for reading and giving away what ownership
 *       controls leave to its writers, and for writing where the bucket's list grants nothing to
 *       anybody; and anybody known may list and create buckets.
 *   <li>What a policy allows is allowed; a public policy is not believed where the bucket's public
 *       access is restricted.
 *   <li>What an access control list grants is allowed, the bucket's for the bucket and for writing
 *       keys, the object's for reading it; public grants do not count where the bucket's public
 *       access block ignores them, and none where its ownership controls disable lists.
 *   <li>In a FILE_SYSTEM bucket the permissions of files decide about all else that somebody known
 *       does with files.
 *   <li>All else is denied.
 * </ol>
 *
 * <p>Whoever writes an object with a list of its own under policies needs s3:PutObjectAcl, too, and
 * with tags s3:PutObjectTagging. To give the bucket's owner full control, and nobody anything else,
 * is no list of one's own: buckets' policies ask for it by a condition on s3:PutObject, and unless
 * something denies s3:PutObjectAcl it needs no leave.
 *
 * <p>Only lists of objects and tags need to look at the object, so owners' requests cost nothing.
 */
public final class StoreRules implements AccessAuthorizer {
  /** What is said where no rule speaks. */
  public static final String NOTHING_ALLOWS = "nothing allows it";

  /** Versions that are named are the bucket owner's to delete, whatever a list says, as in S3. */
  private static final Map<String, Permission> OF_BUCKET =
      Map.of(
          "s3:ListBucket", Permission.READ,
          "s3:ListBucketVersions", Permission.READ,
          "s3:ListBucketMultipartUploads", Permission.READ,
          "s3:PutObject", Permission.WRITE,
          "s3:DeleteObject", Permission.WRITE,
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

  /** What WRITE is about, to an owner, too. */
  private static final Set<String> OF_WRITERS =
      Set.of("s3:PutObject", "s3:DeleteObject", "s3:DeleteObjectVersion");

  /** Facts by which a request names a list of what it writes. */
  private static final List<String> LISTS =
      List.of(
          "s3:x-amz-acl",
          "s3:x-amz-grant-full-control",
          "s3:x-amz-grant-read",
          "s3:x-amz-grant-read-acp",
          "s3:x-amz-grant-write",
          "s3:x-amz-grant-write-acp");

  /** Facts by which a request names a tag of what it writes. */
  private static final String OF_TAGS = "s3:requestobjecttag/";

  private static final String OF_LIST = "an access control list grants it";
  private static final String AGREES_TO_PAY = "s3:x-amz-request-payer";
  private static final String OF_POLICY = "a policy of the caller allows it";

  private static final Set<String> OF_ANYBODY_KNOWN =
      Set.of("s3:ListAllMyBuckets", "s3:CreateBucket");

  /** What no policy of a bucket denies its owner, who else could lock himself out for good. */
  private static final Set<String> OF_POLICIES =
      Set.of("s3:GetBucketPolicy", "s3:PutBucketPolicy", "s3:DeleteBucketPolicy");

  /** What the object manager asks the permissions of files about, and nothing else. */
  private static final Set<String> OF_FILES =
      Set.of(
          "s3:AbortMultipartUpload",
          "s3:DeleteObject",
          "s3:DeleteObjectTagging",
          "s3:DeleteObjectVersion",
          "s3:GetObject",
          "s3:GetObjectAcl",
          "s3:GetObjectAttributes",
          "s3:GetObjectTagging",
          "s3:GetObjectVersion",
          "s3:GetObjectVersionAcl",
          "s3:GetObjectVersionAttributes",
          "s3:GetObjectVersionTagging",
          "s3:ListBucket",
          "s3:ListBucketMultipartUploads",
          "s3:ListBucketVersions",
          "s3:ListMultipartUploadParts",
          "s3:PutObject",
          "s3:PutObjectAcl",
          "s3:PutObjectTagging");

  private final PolicyCache policies = new PolicyCache();

  /** Whether the object manager asks the permissions of files there about such an action. */
  static boolean permissionsDecide(BucketInfo bucket, String action) {
    return bucket.getLayout() == BucketLayout.FILE_SYSTEM && OF_FILES.contains(action);
  }

  @Override
  public Verdict decide(AccessRequest request) throws StoreException {
    Verdict verdict = new Decision(request).decide();
    if (!request.action().equals("s3:PutObject") || !policiesHaveASay(request)) {
      return verdict;
    }
    for (String action : saidBesides(request.facts())) {
      if (verdict.outcome() != Verdict.Outcome.DENIED) {
        verdict = besides(request, verdict, action);
      }
    }
    return verdict;
  }

  private static boolean policiesHaveASay(AccessRequest request) {
    return request.bucket() != null
        && (!new AccessSettings(request.bucket()).policyText().isEmpty()
            || request.policies().iterator().hasNext()
            || !request.boundaries().isEmpty());
  }

  /**
   * The resource that a tree holds in the same place as a question's: {@code a} as a file and
   * {@code a/} as a directory cannot be there at once, and some calls take either for the other.
   * Null: there is no such one.
   */
  private static String otherName(AccessRequest request) {
    String key = request.key();
    if (key == null
        || key.isEmpty()
        || request.bucket() == null
        || request.bucket().getLayout() != BucketLayout.FILE_SYSTEM) {
      return null;
    }
    return Question.resourceOf(
        request.bucket().getName(),
        key.endsWith("/") ? key.substring(0, key.length() - 1) : key + "/");
  }

  /** What a put takes besides s3:PutObject, for what it says of the object. */
  private static List<String> saidBesides(Map<String, List<String>> facts) {
    List<String> actions = new ArrayList<>(2);
    if (LISTS.stream().anyMatch(list -> facts.get(list) != null)) {
      actions.add("s3:PutObjectAcl");
    }
    if (facts.keySet().stream().anyMatch(fact -> fact.startsWith(OF_TAGS))) {
      actions.add("s3:PutObjectTagging");
    }
    return actions;
  }

  /** Whether the list that a put names is full control for the bucket's owner and nothing else. */
  private static boolean givesAllToOwner(AccessRequest request) {
    String owner = request.bucket().getOwner();
    for (String list : LISTS) {
      List<String> said = request.facts().get(list);
      if (said != null && !said.isEmpty()) {
        Set<String> harmless =
            switch (list) {
              case "s3:x-amz-acl" -> Set.of("bucket-owner-full-control");
              case "s3:x-amz-grant-full-control" -> Set.of("id=" + owner, "id=\"" + owner + "\"");
              default -> Set.of();
            };
        if (!harmless.containsAll(said)) {
          return false;
        }
      }
    }
    return true;
  }

  /** The stricter of what is said of the object and of the other action. */
  private Verdict besides(AccessRequest request, Verdict ofObject, String action)
      throws StoreException {
    Verdict verdict =
        new Decision(
                new AccessRequest(
                    request.principal(),
                    request.person(),
                    request.superuser(),
                    request.policies(),
                    request.boundaries(),
                    action,
                    request.resource(),
                    request.bucket(),
                    request.key(),
                    request.below(),
                    request.facts(),
                    AccessRequest.ObjectLookup.NONE)) // what is replaced has no say
            .decide();
    // A bucket's list tells who may know that a key is not there: no right to say anything of it.
    boolean unsaid = verdict.why().equals(NOTHING_ALLOWS) || verdict.why().equals(OF_LIST);
    if (unsaid) {
      // Whom a list lets write owns what he writes, and says who may read it, and what it is.
      return ofObject.why().equals(OF_LIST)
              || ofObject.outcome() == Verdict.Outcome.BY_PERMISSIONS
              || (action.equals("s3:PutObjectAcl") && givesAllToOwner(request))
          ? ofObject
          : Verdict.denied(action + ": " + NOTHING_ALLOWS);
    }
    return switch (verdict.outcome()) {
      case DENIED -> Verdict.denied(action + ": " + verdict.why());
      case BY_PERMISSIONS -> verdict;
      case ALLOWED -> ofObject;
    };
  }

  /** One decision. Confined to its thread. */
  private final class Decision {
    private final AccessRequest request;
    private final Question.Principal who;
    private final Question question;
    private final String otherName;
    private ObjectVersion object;
    private boolean looked;
    private Question tagged;

    Decision(AccessRequest request) {
      this.request = request;
      this.who = request.principal();
      this.question = new Question(who, request.action(), request.resource(), request.facts());
      this.otherName = otherName(request);
    }

    /** What a policy says; what it denies of a path's other name it denies of this one. */
    private Answer ask(Policy policy) throws StoreException {
      if (request.below()) {
        return policy.answerForAllBelow(question);
      }
      Question about = policy.asksForTags() ? withTags() : question;
      Answer answer = policy.answer(about);
      return otherName != null && answer != Answer.DENY && denies(policy, about)
          ? Answer.DENY
          : answer;
    }

    private boolean denies(Policy policy, Question about) {
      return policy.answer(new Question(who, request.action(), otherName, about.facts()))
          == Answer.DENY;
    }

    Verdict decide() throws StoreException {
      for (String json : request.boundaries()) {
        if (ask(policies.ofUser(json)) != Answer.ALLOW) {
          return Verdict.denied("the session's policy does not allow it");
        }
      }
      if (request.superuser()) {
        return Verdict.allowed("administrator");
      }
      Answer ofUser = Answer.SILENT;
      for (String json : request.policies()) {
        Answer answer = ask(policies.ofUser(json));
        if (answer == Answer.DENY) {
          return Verdict.denied("a policy of the caller denies it");
        }
        ofUser = answer == Answer.ALLOW ? answer : ofUser;
      }
      BucketInfo bucket = request.bucket();
      if (bucket == null) {
        if (ofUser == Answer.ALLOW) {
          return Verdict.allowed(OF_POLICY);
        }
        return !who.anonymous() && OF_ANYBODY_KNOWN.contains(request.action())
            ? Verdict.allowed("anybody known may")
            : Verdict.denied(NOTHING_ALLOWS);
      }
      return in(bucket, ofUser);
    }

    private Verdict in(BucketInfo bucket, Answer ofUser) throws StoreException {
      AccessSettings settings = new AccessSettings(bucket);
      Policy policy = settings.policy(policies);
      Answer ofBucket = policy == null ? Answer.SILENT : ask(policy);
      boolean owner =
          !who.anonymous() && Person.means(bucket.getOwner(), who.userName(), who.canonicalId());
      if (ofBucket == Answer.DENY && !(owner && OF_POLICIES.contains(request.action()))) {
        return Verdict.denied("the bucket's policy denies it");
      }
      if (owner) {
        return ofOwner(settings, ofUser == Answer.ALLOW || ofBucket == Answer.ALLOW);
      }
      if (settings.requesterPays() && !request.facts().containsKey(AGREES_TO_PAY)) {
        return Verdict.denied("the requester pays and did not agree to");
      }
      if (ofUser == Answer.ALLOW) {
        return Verdict.allowed(OF_POLICY);
      }
      if (ofBucket == Answer.ALLOW && !(settings.restrictsPublic() && policy.isPublic())) {
        return Verdict.allowed("the bucket's policy allows it");
      }
      if (!settings.disablesLists() && listAllows(settings)) {
        return Verdict.allowed(OF_LIST);
      }
      return request.person() != null && permissionsDecide(bucket, request.action())
          ? Verdict.byPermissions()
          : Verdict.denied(NOTHING_ALLOWS);
    }

    private Verdict ofOwner(AccessSettings settings, boolean policyAllows) throws StoreException {
      if (isOthers(settings) && !listAllows(settings)) {
        return Verdict.denied("the object is its writer's");
      }
      boolean renounced =
          OF_WRITERS.contains(request.action())
              && !settings.disablesLists()
              && Acl.of(request.bucket().getOwner(), settings.grants()).grants().isEmpty();
      return renounced && !policyAllows
          ? Verdict.denied("the bucket's list grants nothing to anybody")
          : Verdict.allowed("owner of the bucket");
    }

    /**
     * Whether it is about reading an object, or giving it away, that ownership controls leave to
     * whoever wrote it. To remove it is the bucket owner's right nevertheless.
     */
    private boolean isOthers(AccessSettings settings) throws StoreException {
      if (!settings.leavesObjectsToWriters()
          || !OF_OBJECT.containsKey(request.action())
          || request.key() == null
          || request.below()
          || object() == null) {
        return false;
      }
      String its = object().getMetadata().getOwner();
      return !its.isEmpty() && !Person.means(its, who.userName(), who.canonicalId());
    }

    private boolean listAllows(AccessSettings settings) throws StoreException {
      Acl ofBucket = Acl.of(request.bucket().getOwner(), settings.grants());
      Permission wanted = OF_BUCKET.get(request.action());
      if (wanted != null && ofBucket.allows(who, wanted, settings.ignoresPublicLists())) {
        return true;
      }
      Permission onObject = OF_OBJECT.get(request.action());
      if (onObject == null || request.key() == null || request.below()) {
        return false;
      }
      ObjectVersion seen = object();
      if (seen == null) {
        // That there is no such key may be told to who may list.
        return ofBucket.allows(who, Permission.READ, settings.ignoresPublicLists());
      }
      String owner = seen.getMetadata().getOwner();
      return Acl.of(owner, seen.getMetadata().getGrantsList())
          .allows(who, onObject, settings.ignoresPublicLists());
    }

    /** The object, looked up once a decision; null if there is none. */
    private ObjectVersion object() throws StoreException {
      if (!looked) {
        object = request.object().find();
        looked = true;
      }
      return object;
    }

    /** The question with the tags of the object that it is about among its facts. */
    private Question withTags() throws StoreException {
      if (tagged != null) {
        return tagged;
      }
      tagged = question;
      if (request.bucket() != null && request.key() != null && object() != null) {
        Map<String, List<String>> facts = new HashMap<>(question.facts());
        object()
            .getMetadata()
            .getTagsMap()
            .forEach(
                (tag, value) ->
                    facts.put(
                        Question.EXISTING_TAG + tag.toLowerCase(Locale.ROOT), List.of(value)));
        tagged = new Question(who, question.action(), question.resource(), facts);
      }
      return tagged;
    }
  }
}
