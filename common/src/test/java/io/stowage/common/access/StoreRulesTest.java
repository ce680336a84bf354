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
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.stowage.common.access.Verdict.Outcome;
import io.stowage.common.error.StoreException;
import io.stowage.common.proto.BucketInfo;
import io.stowage.common.proto.BucketLayout;
import java.util.List;
import org.apache.hadoop.thirdparty.protobuf.ByteString;
import org.junit.jupiter.api.Test;

/**
 * The store's own authoriser; what policies and lists say is tested where they are, and over S3.
 */
class StoreRulesTest extends AuthorizerContract {
  private final StoreRules rules = new StoreRules();

  @Override
  protected AccessAuthorizer open() {
    return rules;
  }

  private Outcome ask(String who, String action, BucketLayout layout, String owner)
      throws StoreException {
    BucketInfo bucket = bucket(layout).toBuilder().setOwner(owner).build();
    return rules.decide(question(who, action, bucket, "k", List.of())).outcome();
  }

  @Test
  void filesDecideForWhomNothingElseDid() throws StoreException {
    assertEquals(
        Outcome.BY_PERMISSIONS, ask("bob", "s3:GetObject", BucketLayout.FILE_SYSTEM, "ann"));
    assertEquals(Outcome.ALLOWED, ask("ann", "s3:GetObject", BucketLayout.FILE_SYSTEM, "ann"));
    assertEquals(Outcome.DENIED, ask("bob", "s3:PutBucketAcl", BucketLayout.FILE_SYSTEM, "ann"));
    assertEquals(Outcome.DENIED, ask("bob", "s3:GetObject", BucketLayout.OBJECT, "ann"));
  }

  @Test
  void aNameIsNobodyElsesCanonicalId() throws StoreException {
    String id = "0123456789abcdef".repeat(4);
    Person named = new Person(id, "another", () -> java.util.Set.of());
    assertFalse(named.is(id)); // whoever may choose a user's name owns nothing by that
    assertTrue(new Person("ann", id, () -> java.util.Set.of()).is(id));
    assertTrue(new Person("ann", id, () -> java.util.Set.of()).is("ann"));
    assertFalse(new Person("", id, () -> java.util.Set.of()).is(""));
  }

  /** In a tree a file and a directory of a name are one place. */
  @Test
  void whatIsDeniedOfOneNameOfAPathIsDeniedOfTheOther() throws StoreException {
    String policy =
        """
        {"Statement":[
         {"Effect":"Allow","Principal":"*","Action":"s3:*","Resource":"arn:aws:s3:::b/*"},
         {"Effect":"Deny","Principal":"*","Action":"s3:PutObject",
          "Resource":["arn:aws:s3:::b/plain","arn:aws:s3:::b/slashed/"]}]}
        """;
    for (BucketLayout layout : BucketLayout.values()) {
      if (layout == BucketLayout.UNRECOGNIZED) {
        continue;
      }
      BucketInfo bucket =
          bucket(layout).toBuilder().putSettings("policy", ByteString.copyFromUtf8(policy)).build();
      boolean tree = layout == BucketLayout.FILE_SYSTEM;
      for (String key : List.of("plain", "plain/", "slashed", "slashed/", "other", "other/")) {
        boolean named = key.equals("plain") || key.equals("slashed/");
        boolean denied = named || (tree && !key.startsWith("other"));
        assertEquals(
            denied ? Outcome.DENIED : Outcome.ALLOWED,
            rules.decide(question("bob", "s3:PutObject", bucket, key, List.of())).outcome(),
            layout + " " + key);
      }
    }
  }
}
