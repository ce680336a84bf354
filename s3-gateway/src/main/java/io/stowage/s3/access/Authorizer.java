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

import io.stowage.common.access.AccessRequest;
import io.stowage.common.access.Acting;
import io.stowage.common.access.AuditLog;
import io.stowage.common.access.Origin;
import io.stowage.common.access.Person;
import io.stowage.common.access.StoreRules;
import io.stowage.common.access.Verdict;
import io.stowage.common.error.ErrorCode;
import io.stowage.common.error.StoreException;
import io.stowage.common.om.ObjectManager;
import io.stowage.common.policy.Policy;
import io.stowage.common.policy.Policy.Answer;
import io.stowage.common.policy.Question;
import io.stowage.common.proto.BucketInfo;
import io.stowage.common.proto.GetObjectRequest;
import io.stowage.common.proto.ObjectVersion;
import io.stowage.s3.error.S3Error;
import io.stowage.s3.error.S3Exception;
import java.util.List;
import java.util.Map;

/**
 * What a gateway asks about requests of S3: the store's one place for decisions, in S3's words, and
 * the trust of roles, which only gateways know. Thread-safe.
 */
public final class Authorizer {
  private final ObjectManager namespace;
  private final io.stowage.common.access.Authorizer decisions;

  public Authorizer(ObjectManager namespace, io.stowage.common.access.Authorizer decisions) {
    this.namespace = namespace;
    this.decisions = decisions;
  }

  /**
   * Whom a decision is about.
   *
   * @param person as Hadoop knows the caller; null: nobody known, or a service
   * @param admin may do everything
   * @param policies of the user and the user's groups, or of the role, JSON
   * @param boundaries policies of the session: what one of them does not allow is denied
   */
  public record Subject(
      Question.Principal principal,
      Person person,
      boolean admin,
      Iterable<String> policies,
      List<String> boundaries,
      Origin origin) {}

  /** Where decisions are written down. */
  public AuditLog audit() {
    return decisions.audit();
  }

  /** What is done for somebody. */
  public interface Work<T> {
    T run() throws S3Exception, StoreException;
  }

  /**
   * Does something for somebody, who is bounded by the permissions of files where those decide.
   * What they decided is written down when it is done.
   */
  public <T> T as(Subject subject, Work<T> work) throws S3Exception, StoreException {
    try (Acting acting = Acting.begin(subject.person)) {
      try {
        return work.run();
      } catch (S3Exception | StoreException e) {
        Throwable cause = e instanceof S3Exception ? e.getCause() : e;
        if (cause instanceof StoreException known && known.code() == ErrorCode.ACCESS_DENIED) {
          acting.failed(known.getMessage());
        }
        throw e;
      }
    }
  }

  private static AccessRequest request(
      Subject subject,
      String action,
      String resource,
      BucketInfo bucket,
      String key,
      Map<String, List<String>> facts,
      AccessRequest.ObjectLookup object) {
    return new AccessRequest(
        subject.principal,
        subject.person,
        subject.admin,
        subject.policies,
        subject.boundaries,
        action,
        resource,
        bucket,
        key,
        false,
        facts,
        object);
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
    authorize(subject, action, bucket, key, facts, () -> false);
  }

  /** What somebody may do without anybody's leave, as long as nothing denies it. */
  public interface Ground {
    boolean isGiven() throws StoreException;
  }

  /**
   * The same.
   *
   * @param ground for letting it pass where nothing allows and nothing denies it; asked only then
   */
  public void authorize(
      Subject subject,
      String action,
      BucketInfo bucket,
      String key,
      Map<String, List<String>> facts,
      Ground ground)
      throws S3Exception, StoreException {
    String resource = bucket == null ? "*" : Question.resourceOf(bucket.getName(), key);
    AccessRequest asked =
        request(
            subject,
            action,
            resource,
            bucket,
            bucket == null ? null : key,
            facts,
            () -> object(bucket, key, facts));
    Verdict verdict = decisions.decide(subject.origin, asked);
    if (verdict.why().equals(StoreRules.NOTHING_ALLOWS) && ground.isGiven()) {
      verdict = Verdict.allowed("began what it is about");
    }
    verdict = decisions.conclude(subject.origin, asked, verdict);
    if (verdict.outcome() == Verdict.Outcome.DENIED) {
      throw new S3Exception(S3Error.ACCESS_DENIED).with("Action", action);
    }
  }

  /** The same of an action that makes a bucket. */
  public void authorizeNewBucket(
      Subject subject, String action, String bucketName, Map<String, List<String>> facts)
      throws S3Exception, StoreException {
    String resource = Question.resourceOf(bucketName, null);
    AccessRequest asked =
        request(subject, action, resource, null, null, facts, AccessRequest.ObjectLookup.NONE);
    if (!decisions.ask(subject.origin, asked).isAllowed()) {
      throw new S3Exception(S3Error.ACCESS_DENIED).with("Action", action);
    }
  }

  /**
   * Whether somebody may know which keys there are not: who may list them. Not written down: it is
   * a question on the way to the answer of a request that was decided.
   */
  public boolean mayKnowOfAbsence(
      Subject subject, BucketInfo bucket, Map<String, List<String>> facts) throws StoreException {
    return mayKnow(subject, "s3:ListBucket", bucket, null, facts, AccessRequest.ObjectLookup.NONE);
  }

  /**
   * Whether somebody may be told, beside what he asked for, what an action would tell him of an
   * object. Not written down either.
   *
   * @param object the object, if it was seen
   */
  public boolean mayKnow(
      Subject subject,
      String action,
      BucketInfo bucket,
      String key,
      Map<String, List<String>> facts,
      AccessRequest.ObjectLookup object)
      throws StoreException {
    Verdict verdict =
        decisions.decide(
            subject.origin,
            request(
                subject,
                action,
                Question.resourceOf(bucket.getName(), key),
                bucket,
                key,
                facts,
                object));
    return verdict.outcome() != Verdict.Outcome.DENIED;
  }

  /**
   * Whether somebody may take an action of another service than S3; written down, too.
   *
   * @param resource its ARN
   */
  public boolean allows(
      Subject subject, String action, String resource, Map<String, List<String>> facts)
      throws StoreException {
    return decisions.ask(subject.origin, ofResource(subject, action, resource, facts)).isAllowed();
  }

  private static AccessRequest ofResource(
      Subject subject, String action, String resource, Map<String, List<String>> facts) {
    return request(
        subject, action, resource, null, resource, facts, AccessRequest.ObjectLookup.NONE);
  }

  /**
   * Whether somebody may assume a role: its trust policy names the caller, or everybody here and a
   * policy of the caller allows it; nothing denies it. Written down, too.
   */
  public boolean allowsAssuming(
      Subject subject, String roleArn, String trustPolicy, Map<String, List<String>> facts)
      throws StoreException {
    AccessRequest asked = ofResource(subject, "sts:AssumeRole", roleArn, facts);
    Verdict verdict = assuming(subject.origin, asked, trustPolicy);
    decisions.note(subject.origin, asked, verdict);
    return verdict.isAllowed();
  }

  private Verdict assuming(Origin origin, AccessRequest asked, String trustPolicy)
      throws StoreException {
    Policy trust = Policy.ofTrust(trustPolicy);
    Question.Principal who = asked.principal();
    Answer ofTrust =
        trust.answer(new Question(who, asked.action(), asked.resource(), asked.facts()));
    if (ofTrust != Answer.ALLOW) {
      return Verdict.denied("the role's trust policy does not allow it");
    }
    Verdict ofCaller = decisions.decide(origin, asked);
    if (ofCaller.isAllowed() || !ofCaller.why().equals(StoreRules.NOTHING_ALLOWS)) {
      return ofCaller;
    }
    Answer named =
        trust.answer(
            new Question(who.withoutAccount(), asked.action(), asked.resource(), asked.facts()));
    return named == Answer.ALLOW
        ? Verdict.allowed("the role's trust policy names the caller")
        : ofCaller;
  }

  /** Null if there is none. */
  private ObjectVersion object(BucketInfo bucket, String key, Map<String, List<String>> facts)
      throws StoreException {
    List<String> named = facts.get("s3:versionid");
    try {
      return namespace
          .getObject(
              GetObjectRequest.newBuilder()
                  .setBucket(bucket.getName())
                  .setKey(key)
                  .setVersionId(
                      named == null || named.isEmpty()
                          ? VersionIds.CURRENT
                          : VersionIds.parse("versionId", named.get(0)))
                  .build())
          .getVersion();
    } catch (S3Exception e) {
      return null; // no version has such an id, as the operation will say
    } catch (StoreException e) {
      if (e.code() != ErrorCode.NO_SUCH_KEY && e.code() != ErrorCode.NO_SUCH_VERSION) {
        throw e;
      }
      return null;
    }
  }
}
