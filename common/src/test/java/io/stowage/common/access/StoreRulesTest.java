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
import io.stowage.common.policy.AccessSettings;
import io.stowage.common.policy.Acl;
import io.stowage.common.proto.BucketInfo;
import io.stowage.common.proto.BucketLayout;
import io.stowage.common.proto.ObjectMetadata;
import io.stowage.common.proto.ObjectVersion;
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

  /** Where a policy may stand. */
  private enum Place {
    USER,
    BUCKET,
    SESSION
  }

  /** Bob's question about an object under one policy; of a session he is allowed the rest. */
  private Outcome asked(Place place, String policy, boolean below, AccessRequest.ObjectLookup found)
      throws StoreException {
    String rest =
        "{'Statement':{'Effect':'Allow','Action':'s3:*','Resource':'*'}}".replace('\'', '"');
    BucketInfo bucket = bucket(BucketLayout.OBJECT);
    AccessRequest plain = question("bob", "s3:GetObject", bucket, "k", List.of());
    return rules
        .decide(
            new AccessRequest(
                plain.principal(),
                plain.person(),
                false,
                place == Place.USER
                    ? List.of(policy)
                    : place == Place.SESSION ? List.of(rest) : List.of(),
                place == Place.SESSION ? List.of(policy) : List.of(),
                plain.action(),
                plain.resource(),
                place == Place.BUCKET
                    ? bucket.toBuilder()
                        .putSettings("policy", ByteString.copyFromUtf8(policy))
                        .build()
                    : bucket,
                "k",
                below,
                plain.facts(),
                found))
        .outcome();
  }

  private static String statements(Place place, String... statements) {
    StringBuilder policy = new StringBuilder("{'Version':'2012-10-17','Statement':[");
    for (String statement : statements) {
      policy
          .append(policy.charAt(policy.length() - 1) == '[' ? "{" : ",{")
          .append(place == Place.BUCKET ? "'Principal':'*'," : "")
          .append("'Action':'s3:GetObject',")
          .append(statement)
          .append('}');
    }
    return policy.append("]}").toString().replace('\'', '"');
  }

  /** Whose policy it is makes no difference to what it may ask. */
  @Test
  void everyPolicyMayAskForTheTagsOfTheObject() throws StoreException {
    String allow = "'Effect':'Allow','Resource':'*'";
    String ifSecret = ",'Condition':{'StringEquals':{'s3:ExistingObjectTag/Level':'secret'}}";
    String unlessSecret = ifSecret.replace("StringEquals", "StringNotEquals");
    String named = "'Effect':'Allow','Resource':'arn:aws:s3:::b/${s3:ExistingObjectTag/level}'";
    String[][] cases = {
      // statements, the object's tag "level" (null: it has none), whether it is allowed
      {allow + ifSecret, "secret", "yes"},
      {allow + ifSecret, "open", "no"},
      {allow + ifSecret, null, "no"},
      {allow + unlessSecret, "secret", "no"},
      {allow + unlessSecret, "open", "yes"},
      {allow + "|" + allow.replace("Allow", "Deny") + ifSecret, "secret", "no"},
      {allow + "|" + allow.replace("Allow", "Deny") + ifSecret, "open", "yes"},
      {allow + "|" + allow.replace("Allow", "Deny") + ifSecret, null, "yes"},
      {named, "k", "yes"},
      {named, "other", "no"},
    };
    for (Place place : Place.values()) {
      for (String[] each : cases) {
        ObjectMetadata.Builder tags = ObjectMetadata.newBuilder();
        if (each[1] != null) {
          tags.putTags("level", each[1]);
        }
        ObjectVersion object = ObjectVersion.newBuilder().setMetadata(tags).build();
        assertEquals(
            each[2].equals("yes") ? Outcome.ALLOWED : Outcome.DENIED,
            asked(place, statements(place, each[0].split("[|]")), false, () -> object),
            place + " " + String.join(" ", List.of(each[0], String.valueOf(each[1]))));
      }
    }
  }

  /** Nobody looks up the tags of all that is below a directory, so they let nothing pass. */
  @Test
  void tagsAllowNothingOfAllThatIsBelow() throws StoreException {
    String unlessSecret =
        "'Effect':'Allow','Resource':'*',"
            + "'Condition':{'StringNotEquals':{'s3:ExistingObjectTag/level':'secret'}}";
    for (Place place : Place.values()) {
      assertEquals(
          Outcome.DENIED,
          asked(place, statements(place, unlessSecret), true, () -> null),
          place.name());
      assertEquals(
          Outcome.ALLOWED,
          asked(place, statements(place, "'Effect':'Allow','Resource':'*'"), true, () -> null),
          place.name());
    }
  }

  @Test
  void anObjectIsLookedUpOnceAndOnlyWhereAPolicyAsksForItsTags() throws StoreException {
    int[] lookUps = {0};
    AccessRequest.ObjectLookup counted =
        () -> {
          lookUps[0]++;
          return ObjectVersion.getDefaultInstance();
        };
    String all = "'Effect':'Allow','Resource':'*'";
    asked(Place.USER, statements(Place.USER, all), false, counted);
    assertEquals(0, lookUps[0]);
    String secret = ",'Condition':{'StringNotEquals':{'s3:ExistingObjectTag/level':'secret'}}";
    asked(Place.USER, statements(Place.USER, all + secret, all + secret), false, counted);
    assertEquals(1, lookUps[0]);
  }

  /** To overwrite and to delete a key keeps what was there before; to delete a version does not. */
  @Test
  void aListLetsNobodyDeleteVersions() throws StoreException {
    for (String grant : List.of("WRITE", "FULL_CONTROL")) {
      BucketInfo bucket =
          bucket(BucketLayout.OBJECT).toBuilder()
              .putSettings(
                  AccessSettings.ACL,
                  ByteString.copyFromUtf8(
                      grant + " uri=" + Acl.ALL_USERS + "\n" + grant + " id=bob"))
              .build();
      for (String who : new String[] {"bob", null}) {
        for (String action : List.of("s3:PutObject", "s3:DeleteObject", "s3:DeleteObjectVersion")) {
          assertEquals(
              action.endsWith("Version") ? Outcome.DENIED : Outcome.ALLOWED,
              rules.decide(question(who, action, bucket, "k", List.of())).outcome(),
              who + " " + action + " " + grant);
        }
      }
      assertEquals(
          Outcome.ALLOWED,
          rules
              .decide(question("owner", "s3:DeleteObjectVersion", bucket, "k", List.of()))
              .outcome());
    }
  }

  /** Whoever grants nothing to anybody, himself included, writes nothing and can take it back. */
  @Test
  void anOwnerWhoGrantsNothingToAnybodyWritesNothing() throws StoreException {
    String none = String.join("\n", new Acl("owner", List.of()).texts());
    String all =
        "{\"Statement\":{\"Effect\":\"Allow\",\"Principal\":\"*\",\"Action\":\"s3:*\","
            + "\"Resource\":\"arn:aws:s3:::b/*\"}}";
    BucketInfo renounced = withSetting(bucket(BucketLayout.OBJECT), AccessSettings.ACL, none);
    for (String action : List.of("s3:PutObject", "s3:DeleteObject", "s3:DeleteObjectVersion")) {
      assertEquals(Outcome.DENIED, ofOwner(action, renounced), action);
      assertEquals(
          Outcome.ALLOWED,
          ofOwner(action, withSetting(renounced, AccessSettings.POLICY, all)),
          action);
      assertEquals(
          Outcome.ALLOWED,
          ofOwner(action, withSetting(renounced, "ownershipControls", "BucketOwnerEnforced")),
          action);
      assertEquals(
          Outcome.ALLOWED,
          ofOwner(action, withSetting(renounced, AccessSettings.ACL, "READ id=bob")),
          action);
    }
    for (String action :
        List.of(
            "s3:GetObject",
            "s3:ListBucket",
            "s3:GetBucketAcl",
            "s3:PutBucketAcl",
            "s3:PutBucketPolicy",
            "s3:DeleteBucket")) {
      assertEquals(Outcome.ALLOWED, ofOwner(action, renounced), action);
    }
  }

  private static BucketInfo withSetting(BucketInfo bucket, String name, String value) {
    return bucket.toBuilder().putSettings(name, ByteString.copyFromUtf8(value)).build();
  }

  private Outcome ofOwner(String action, BucketInfo bucket) throws StoreException {
    return rules.decide(question("owner", action, bucket, "k", List.of())).outcome();
  }
}
