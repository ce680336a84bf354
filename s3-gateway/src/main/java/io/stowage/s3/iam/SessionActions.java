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
package io.stowage.s3.iam;

import io.stowage.common.error.StoreException;
import io.stowage.common.policy.Question;
import io.stowage.common.proto.Entity;
import io.stowage.common.proto.SessionToken;
import io.stowage.common.time.StoreClock;
import io.stowage.s3.access.Authorizer;
import io.stowage.s3.auth.Caller;
import io.stowage.s3.auth.Session;
import io.stowage.s3.auth.Sessions;
import io.stowage.s3.error.S3Exception;
import io.stowage.s3.iam.Actions.Action;
import io.stowage.s3.xml.XmlOut;
import java.util.List;
import java.util.Map;

/** The actions of STS: who am I, and temporary credentials. Thread-safe. */
final class SessionActions {
  private static final int LONGEST_SESSION_NAME = 64;
  private static final int MOST_POLICY_CHARS = 2_048;
  private static final int USER_SECONDS = 43_200;
  private static final int MOST_USER_SECONDS = 129_600;
  private static final int ROOT_SECONDS = 3_600;
  private static final int ROLE_SECONDS = 3_600;
  private static final String ROLE_ARN = "arn:aws:iam::" + Question.ACCOUNT + ":role/";

  private final Authorizer authorizer;
  private final Sessions sessions;
  private final RoleActions roles;
  private final StoreClock clock;

  SessionActions(Authorizer authorizer, Sessions sessions, RoleActions roles, StoreClock clock) {
    this.authorizer = authorizer;
    this.sessions = sessions;
    this.roles = roles;
    this.clock = clock;
  }

  void addTo(Map<String, Action> actions) {
    actions.put("GetCallerIdentity", new Action(null, true, SessionActions::whoAmI));
    actions.put("GetSessionToken", new Action(null, true, this::getToken));
    actions.put("AssumeRole", new Action(null, true, this::assume));
  }

  private static void whoAmI(IamCall call) {
    Caller caller = call.caller();
    call.out()
        .text("Arn", caller.arn())
        .text("UserId", caller.uniqueId())
        .text("Account", Question.ACCOUNT);
  }

  private void getToken(IamCall call) throws IamException, StoreException {
    Caller caller = call.caller();
    if (caller.session().isTemporary()) {
      throw new IamException(
          403, "AccessDenied", "Cannot call GetSessionToken with session credentials");
    }
    // A key that is no user's is as the root user's at Amazon: its sessions last an hour at most.
    boolean ofUser = !caller.identity().getUserName().isEmpty();
    int seconds =
        call.integer(
            "DurationSeconds",
            ofUser ? USER_SECONDS : ROOT_SECONDS,
            RoleActions.LEAST_SESSION_SECONDS,
            ofUser ? MOST_USER_SECONDS : ROOT_SECONDS);
    SessionToken.Builder token =
        SessionToken.newBuilder()
            .setUserName(caller.identity().getUserName())
            .setUserId(caller.identity().getUserId());
    issue(call, token, seconds);
  }

  private void assume(IamCall call) throws IamException, StoreException, S3Exception {
    String arn = call.need("RoleArn");
    String sessionName = call.needName("RoleSessionName", LONGEST_SESSION_NAME);
    if (sessionName.length() < 2) {
      throw IamException.validation(
          "1 validation error detected: Value at 'roleSessionName' failed to satisfy constraint:"
              + " Member must have length greater than or equal to 2");
    }
    if (!arn.matches("arn:aws:iam::\\d{12}:role/.*")) {
      throw IamException.validation(arn + " is invalid");
    }
    Entity role = null;
    if (arn.startsWith(ROLE_ARN)) {
      try {
        role = roles.find(arn.substring(arn.lastIndexOf('/') + 1));
      } catch (IamException e) {
        // Whether there is one is not told.
      }
    }
    Caller caller = call.caller();
    boolean allowed =
        role != null
            && arn.equals(Actions.arn("role", role.getPath(), role.getName()))
            && authorizer.allowsAssuming(
                caller.subject(), arn, role.getTrustPolicy(), facts(call, sessionName));
    if (!allowed) {
      throw new IamException(
          403,
          "AccessDenied",
          "User: "
              + caller.arn()
              + " is not authorized to perform: sts:AssumeRole on resource: "
              + arn);
    }
    int seconds =
        call.integer(
            "DurationSeconds",
            ROLE_SECONDS,
            RoleActions.LEAST_SESSION_SECONDS,
            role.getMaxSessionSeconds());
    SessionToken.Builder token =
        SessionToken.newBuilder()
            .setRoleName(role.getName())
            .setUserId(role.getId())
            .setSessionName(sessionName);
    String policy = call.param("Policy");
    if (policy != null && !policy.isEmpty()) {
      if (policy.length() > MOST_POLICY_CHARS) {
        throw new IamException(
            400, "PackedPolicyTooLarge", "Policy is longer than " + MOST_POLICY_CHARS);
      }
      token.addPolicies(Actions.policy(policy));
    }
    XmlOut out = call.out();
    out.open("AssumedRoleUser")
        .text("AssumedRoleId", role.getId() + ":" + sessionName)
        .text(
            "Arn",
            "arn:aws:sts::"
                + Question.ACCOUNT
                + ":assumed-role/"
                + role.getName()
                + "/"
                + sessionName)
        .close();
    issue(call, token, seconds);
  }

  private static Map<String, List<String>> facts(IamCall call, String sessionName) {
    return call.facts()
        .put("sts:RoleSessionName", sessionName)
        .put("sts:ExternalId", call.param("ExternalId"))
        .done();
  }

  private void issue(IamCall call, SessionToken.Builder token, int seconds) throws StoreException {
    String accessKey = Actions.id("ASIA", 20);
    String secret = Actions.secret();
    Session.Parent parent = call.caller().parent();
    long issued = clock.wallMicros();
    long expires = issued + seconds * 1_000_000L;
    String text =
        sessions.seal(
            token
                .setAccessKey(accessKey)
                .setSecretKey(secret)
                .setIssuedMicros(issued)
                .setExpiresMicros(expires)
                .setParentKey(parent.accessKey())
                .setParentDigest(parent.digest())
                .build());
    call.out()
        .open("Credentials")
        .text("AccessKeyId", accessKey)
        .text("SecretAccessKey", secret)
        .text("SessionToken", text)
        .text("Expiration", Actions.time(expires))
        .close();
  }
}
