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
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertNotNull;

import io.stowage.common.access.Verdict.Outcome;
import io.stowage.common.error.StoreException;
import io.stowage.common.policy.Question;
import io.stowage.common.proto.BucketInfo;
import io.stowage.common.proto.BucketLayout;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/**
 * What every authoriser keeps to, the store's own and those of others' making: extend this, and
 * open yours as the store does. What it allows is its own business; the store relies on these.
 */
public abstract class AuthorizerContract {
  private static final List<String> ACTIONS =
      List.of(
          "s3:GetObject",
          "s3:PutObject",
          "s3:DeleteObject",
          "s3:ListBucket",
          "s3:PutBucketPolicy",
          "s3:PutObjectAcl",
          "stowage:UpdateBucket",
          "stowage:SetOwner",
          "iam:CreateUser");

  private AccessAuthorizer authorizer;

  /** The authoriser, started. */
  protected abstract AccessAuthorizer open() throws Exception;

  @BeforeEach
  void openIt() throws Exception {
    authorizer = open();
  }

  @AfterEach
  void closeIt() {
    authorizer.close();
  }

  protected static BucketInfo bucket(BucketLayout layout) {
    return BucketInfo.newBuilder()
        .setName("b")
        .setId(1)
        .setOwner("owner")
        .setLayout(layout)
        .build();
  }

  /** A question of somebody; name null: nobody known. */
  protected static AccessRequest question(
      String name, String action, BucketInfo bucket, String key, List<String> boundaries) {
    return new AccessRequest(
        name == null ? Question.Principal.ANONYMOUS : new Question.Principal(name, name, false),
        name == null ? null : new Person(name, name, Set::of),
        false,
        List.of(),
        boundaries,
        action,
        bucket == null ? "*" : Question.resourceOf(bucket.getName(), key),
        bucket,
        key,
        false,
        Map.of(),
        AccessRequest.ObjectLookup.NONE);
  }

  private Verdict decide(String name, String action, BucketLayout layout, String key)
      throws StoreException {
    return authorizer.decide(question(name, action, bucket(layout), key, List.of()));
  }

  @Test
  void everyAnswerHasAReasonOfOneLine() throws StoreException {
    for (BucketLayout layout : List.of(BucketLayout.OBJECT, BucketLayout.FILE_SYSTEM)) {
      for (String action : ACTIONS) {
        for (String name : new String[] {"owner", "stranger", null}) {
          Verdict verdict = decide(name, action, layout, "k");
          assertNotNull(verdict.outcome());
          assertFalse(verdict.why().isBlank());
          assertFalse(verdict.why().contains("\n"));
        }
      }
    }
  }

  @Test
  void strangersAreNotLetInWhereNobodyLetThemIn() throws StoreException {
    for (String action : ACTIONS) {
      assertEquals(Outcome.DENIED, decide("stranger", action, BucketLayout.OBJECT, "k").outcome());
      assertEquals(Outcome.DENIED, decide(null, action, BucketLayout.OBJECT, "k").outcome());
      assertNotEquals(
          Outcome.ALLOWED, decide("stranger", action, BucketLayout.FILE_SYSTEM, "k").outcome());
    }
  }

  @Test
  void permissionsOfFilesDecideForPeopleWhoAreKnownAboutFilesOnly() throws StoreException {
    for (String action : ACTIONS) {
      assertEquals(Outcome.DENIED, decide(null, action, BucketLayout.FILE_SYSTEM, "k").outcome());
      boolean ofFiles =
          Set.of(
                  "s3:GetObject",
                  "s3:PutObject",
                  "s3:DeleteObject",
                  "s3:ListBucket",
                  "s3:PutObjectAcl")
              .contains(action);
      if (!ofFiles) {
        assertEquals(
            Outcome.DENIED, decide("stranger", action, BucketLayout.FILE_SYSTEM, "k").outcome());
      }
    }
  }

  @Test
  void aSessionDoesNoMoreThanItsPolicyAllows() throws StoreException {
    String readOnly =
        "{\"Statement\":{\"Effect\":\"Allow\",\"Action\":\"s3:GetObject\",\"Resource\":\"*\"}}";
    BucketInfo bucket = bucket(BucketLayout.OBJECT);
    assertEquals(
        Outcome.DENIED,
        authorizer
            .decide(question("owner", "s3:PutObject", bucket, "k", List.of(readOnly)))
            .outcome());
  }

  @Test
  void questionsAboutNoBucketAreAnswered() throws StoreException {
    assertNotNull(authorizer.decide(question("ann", "s3:ListAllMyBuckets", null, null, List.of())));
    assertEquals(
        Outcome.DENIED,
        authorizer.decide(question(null, "iam:CreateUser", null, null, List.of())).outcome());
  }

  @Test
  void manyThreadsAreToldTheSame() throws Exception {
    Verdict alone = decide("owner", "s3:GetObject", BucketLayout.OBJECT, "k");
    ExecutorService threads = Executors.newFixedThreadPool(4);
    try {
      List<Future<Verdict>> told = new ArrayList<>();
      Callable<Verdict> ask =
          () -> {
            Verdict verdict = alone;
            for (int i = 0; i < 200 && verdict.equals(alone); i++) {
              verdict = decide("owner", "s3:GetObject", BucketLayout.OBJECT, "k");
            }
            return verdict;
          };
      for (int i = 0; i < 4; i++) {
        told.add(threads.submit(ask));
      }
      for (Future<Verdict> one : told) {
        assertEquals(alone, one.get());
      }
    } finally {
      threads.shutdownNow();
    }
  }
}
