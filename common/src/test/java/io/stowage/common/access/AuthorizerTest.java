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

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertThrows;

import io.stowage.common.conf.Keys;
import io.stowage.common.conf.StowageConfig;
import io.stowage.common.error.ErrorCode;
import io.stowage.common.error.StoreException;
import io.stowage.common.proto.BucketLayout;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;

/**
 * The seam, by an authoriser that knows one thing of its own and asks the store's about the rest.
 */
class AuthorizerTest extends AuthorizerContract {
  /** Keys that begin as its setting says are nobody's, not even the owner's. */
  public static final class Embargo implements AccessAuthorizer {
    private String prefix;
    private AccessAuthorizer own;

    @Override
    public void start(String setting, AccessAuthorizer storesOwn) {
      prefix = setting;
      own = storesOwn;
    }

    @Override
    public Verdict decide(AccessRequest request) throws StoreException {
      if (request.key() != null && request.key().startsWith(prefix)) {
        return Verdict.denied("an embargo");
      }
      return own.decide(request);
    }
  }

  private static StowageConfig config(String name) throws StoreException {
    return StowageConfig.of(
        Map.of(
            Keys.ACCESS_AUTHORIZER.name(), name, Keys.ACCESS_AUTHORIZER_SETTING.name(), "closed/"));
  }

  @Override
  protected AccessAuthorizer open() throws Exception {
    return Authorizer.rules(config(Embargo.class.getName()));
  }

  @Test
  void theClassThatIsNamedDecides() throws Exception {
    AccessRequest closed =
        question("owner", "s3:GetObject", bucket(BucketLayout.OBJECT), "closed/k", List.of());
    AccessRequest other =
        question("owner", "s3:GetObject", bucket(BucketLayout.OBJECT), "k", List.of());
    try (Authorizer authorizer = new Authorizer(open(), AuditLog.none())) {
      assertEquals(Verdict.denied("an embargo"), authorizer.ask(Origin.INSIDE, closed));
      assertEquals(Verdict.allowed("owner of the bucket"), authorizer.ask(Origin.INSIDE, other));
    }
    assertInstanceOf(StoreRules.class, Authorizer.rules(StowageConfig.of(Map.of())));
  }

  @Test
  void aClassThatIsNoneStopsTheStart() {
    for (String name : List.of("no.such.Class", String.class.getName())) {
      StoreException e = assertThrows(StoreException.class, () -> Authorizer.rules(config(name)));
      assertEquals(ErrorCode.BAD_CONFIGURATION, e.code());
    }
  }

  @Test
  void whatCannotBeDecidedIsRefused() {
    AccessAuthorizer broken =
        request -> {
          throw new IllegalStateException("broken");
        };
    AccessRequest any =
        question("owner", "s3:GetObject", bucket(BucketLayout.OBJECT), "k", List.of());
    try (Authorizer authorizer = new Authorizer(broken, AuditLog.none())) {
      assertThrows(IllegalStateException.class, () -> authorizer.ask(Origin.INSIDE, any));
    }
  }

  /** Where nobody would ask them, an authoriser that leaves it to them has let nobody in. */
  @Test
  void permissionsOfFilesAllowNothingWhereThereAreNone() throws Exception {
    AccessAuthorizer carefree = request -> Verdict.byPermissions();
    try (Authorizer authorizer = new Authorizer(carefree, AuditLog.none());
        Acting acting = Acting.begin(null)) {
      for (AccessRequest none :
          List.of(
              question("bob", "s3:GetObject", bucket(BucketLayout.OBJECT), "k", List.of()),
              question(
                  "bob", "s3:PutBucketPolicy", bucket(BucketLayout.FILE_SYSTEM), null, List.of()),
              question("bob", "stowage:SetOwner", bucket(BucketLayout.FILE_SYSTEM), "k", List.of()),
              question("bob", "iam:CreateUser", null, null, List.of()))) {
        assertEquals(
            Verdict.Outcome.DENIED, authorizer.ask(Origin.INSIDE, none).outcome(), none.action());
      }
      assertEquals(false, acting.isLimitedIn("b"));
    }
  }

  /** What an authoriser looks up is the service's look, whatever already bounds its caller. */
  @Test
  void whatIsLookedUpForADecisionIsNotBoundedByPermissions() throws Exception {
    List<Boolean> bounded = new ArrayList<>();
    AccessAuthorizer looking =
        request -> {
          bounded.add(Acting.current().isLimitedIn("b"));
          return Verdict.byPermissions();
        };
    AccessRequest file =
        question("bob", "s3:GetObject", bucket(BucketLayout.FILE_SYSTEM), "k", List.of());
    try (Authorizer authorizer = new Authorizer(looking, AuditLog.none());
        Acting acting = Acting.begin(file.person())) {
      for (int i = 0; i < 2; i++) {
        var unused = authorizer.ask(Origin.INSIDE, file);
        assertEquals(true, acting.isLimitedIn("b"));
      }
    }
    assertEquals(List.of(false, false), bounded);
  }

  @Test
  void withoutAnybodyToAskThemThePermissionsOfFilesAllowNothing() throws Exception {
    AccessRequest file =
        question("bob", "s3:GetObject", bucket(BucketLayout.FILE_SYSTEM), "k", List.of());
    try (Authorizer authorizer = new Authorizer(new StoreRules(), AuditLog.none())) {
      assertEquals(Verdict.Outcome.DENIED, authorizer.ask(Origin.INSIDE, file).outcome());
      List<String> told = new ArrayList<>();
      try (Acting acting = Acting.begin(file.person())) {
        assertEquals(Verdict.Outcome.BY_PERMISSIONS, authorizer.ask(Origin.INSIDE, file).outcome());
        assertEquals(true, acting.isLimitedIn("b"));
        acting.limitIn("b", "x", told::add);
        acting.limitIn("b", "y", told::add);
        acting.refused("y", "not yours");
      }
      assertEquals(java.util.Arrays.asList(null, "not yours"), told);
      assertEquals(null, Acting.current());
    }
  }
}
