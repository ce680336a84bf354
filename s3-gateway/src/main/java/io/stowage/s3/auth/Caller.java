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

import io.stowage.common.proto.Identity;
import io.stowage.s3.access.Authorizer;
import io.stowage.s3.access.Origin;
import io.stowage.s3.access.Question;
import java.util.List;

/**
 * Who sent a request, proven by its signature, or nobody known. Immutable.
 *
 * @param payload how the signature goes on over the body
 * @param origin where the request came from
 */
public record Caller(Identity identity, PayloadSigning payload, Origin origin) {
  /** Of a request that says nothing of where it came from. */
  public Caller(Identity identity, PayloadSigning payload) {
    this(identity, payload, Origin.INSIDE);
  }

  /** The same, seen in a request. */
  public Caller in(Origin request) {
    return new Caller(identity, payload, request);
  }

  /** Somebody without a signature. */
  static Caller anonymous(PayloadSigning payload) {
    return new Caller(Identity.getDefaultInstance(), payload);
  }

  public boolean isAnonymous() {
    return identity.getAccessKey().isEmpty();
  }

  /** As whom the caller is judged. */
  public Authorizer.Subject subject() {
    return new Authorizer.Subject(
        isAnonymous()
            ? Question.Principal.ANONYMOUS
            : new Question.Principal(user(), displayName(), false),
        isAdmin(),
        identity.getPoliciesMap().values(),
        List.of(),
        origin);
  }

  public String displayName() {
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
