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

import io.stowage.common.access.Origin;
import io.stowage.common.access.Person;
import io.stowage.common.policy.Question;
import io.stowage.common.proto.Identity;
import io.stowage.s3.access.Authorizer;
import java.util.List;

/**
 * Who sent a request, proven by its signature, or nobody known. Immutable.
 *
 * @param payload how the signature goes on over the body
 * @param origin where the request came from
 * @param session what temporary credentials add
 */
public record Caller(Identity identity, PayloadSigning payload, Origin origin, Session session) {
  /** Of a request that says nothing of where it came from. */
  public Caller(Identity identity, PayloadSigning payload) {
    this(identity, payload, Origin.INSIDE, Session.NONE);
  }

  /** The same, seen in a request. */
  public Caller in(Origin request) {
    return new Caller(identity, payload, request, session);
  }

  /** Somebody without a signature. */
  static Caller anonymous(PayloadSigning payload) {
    return new Caller(Identity.getDefaultInstance(), payload);
  }

  public boolean isAnonymous() {
    return identity.getAccessKey().isEmpty();
  }

  /** The long-term key that sessions which the caller begins end with. */
  public Session.Parent parent() {
    return session.isTemporary() ? session.parent() : Session.Parent.of(identity);
  }

  /** As whom the caller is judged. */
  public Authorizer.Subject subject() {
    return new Authorizer.Subject(
        principal(),
        person(),
        isAdmin(),
        identity.getPoliciesMap().values(),
        session.boundaries(),
        origin);
  }

  private Question.Principal principal() {
    if (isAnonymous()) {
      return Question.Principal.ANONYMOUS;
    }
    return session.isOfRole()
        ? Question.Principal.session(
            user(),
            List.of(
                arn(),
                "arn:aws:iam::" + Question.ACCOUNT + ":role" + identity.getPath() + roleName(),
                "arn:aws:iam:::role" + identity.getPath() + roleName(),
                "arn:aws:iam::" + Question.ACCOUNT + ":root"))
        : Question.Principal.user(user(), displayName(), identity.getPath());
  }

  /** As Hadoop knows the caller; null: nobody known. */
  private Person person() {
    return isAnonymous()
        ? null
        : Person.ofHadoop(session.isOfRole() ? user() : displayName(), user());
  }

  private String roleName() {
    return session.roleName();
  }

  /** As IAM names the caller. */
  public String arn() {
    return session.isOfRole()
        ? "arn:aws:sts::"
            + Question.ACCOUNT
            + ":assumed-role/"
            + session.roleName()
            + "/"
            + session.name()
        : "arn:aws:iam::"
            + Question.ACCOUNT
            + ":user"
            + (identity.getPath().isEmpty() ? "/" : identity.getPath())
            + displayName();
  }

  /** The caller's unique id, of a role's session with the session's name. */
  public String uniqueId() {
    String id = identity.getUserId().isEmpty() ? identity.getUser() : identity.getUserId();
    return session.isOfRole() ? id + ":" + session.name() : id;
  }

  public String displayName() {
    if (session.isOfRole()) {
      return session.roleName() + "/" + session.name();
    }
    return identity.getUserName().isEmpty() ? identity.getUser() : identity.getUserName();
  }

  /** Canonical user id; empty for somebody unknown. */
  public String user() {
    return identity.getUser();
  }

  public boolean isAdmin() {
    return identity.getAdmin();
  }
}
