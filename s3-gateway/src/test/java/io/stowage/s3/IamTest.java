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
package io.stowage.s3;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.stowage.common.proto.Identity;
import io.stowage.common.proto.SessionToken;
import io.stowage.common.proto.UpdateUserRequest;
import io.stowage.common.time.StoreClock;
import io.stowage.s3.auth.AccessKeys;
import io.stowage.s3.auth.Sessions;
import io.stowage.s3.suite.S3IamTest;
import io.stowage.s3.suite.S3Suite.Target;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.apache.hadoop.thirdparty.protobuf.ByteString;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import software.amazon.awssdk.auth.credentials.AwsCredentials;
import software.amazon.awssdk.auth.credentials.AwsSessionCredentials;
import software.amazon.awssdk.auth.credentials.StaticCredentialsProvider;
import software.amazon.awssdk.http.urlconnection.UrlConnectionHttpClient;
import software.amazon.awssdk.regions.Region;
import software.amazon.awssdk.services.iam.model.AccessKey;
import software.amazon.awssdk.services.iam.model.GetAccessKeyLastUsedResponse;
import software.amazon.awssdk.services.iam.model.LimitExceededException;
import software.amazon.awssdk.services.iam.model.ListUserTagsResponse;
import software.amazon.awssdk.services.iam.model.NoSuchEntityException;
import software.amazon.awssdk.services.iam.model.StatusType;
import software.amazon.awssdk.services.iam.model.Tag;
import software.amazon.awssdk.services.s3.S3Client;
import software.amazon.awssdk.services.s3.model.S3Exception;
import software.amazon.awssdk.services.sts.StsClient;
import software.amazon.awssdk.services.sts.model.Credentials;
import software.amazon.awssdk.services.sts.model.StsException;

/** IAM and STS over the in-memory twins. */
class IamTest extends S3IamTest {
  private InMemoryTarget target;

  @Override
  protected Target startTarget() throws Exception {
    target = new InMemoryTarget(Map.of());
    target.addIdentity("AKADMIN", "secret", "root", true);
    return new Target(target.target().endpoint(), "AKADMIN", "secret", "us-east-1");
  }

  @AfterEach
  void nothingIsLeftInMemory() {
    target.checkIdle();
  }

  @AfterAll
  void stopGateway() {
    target.close();
  }

  @Test
  void aKeyThatIsNoUsersHasSessionsToo() {
    target.addIdentity("AKROOT", "secret", "root-of-some", false);
    AwsCredentials root = basic("AKROOT", "secret");
    Credentials session;
    try (StsClient sts = sts(root)) {
      session = sts.getSessionToken().credentials();
      assertThrows(StsException.class, () -> sts.getSessionToken(b -> b.durationSeconds(7_200)));
    }
    try (S3Client client = s3(of(session));
        StsClient sts = sts(of(session))) {
      String bucket = "of-" + name;
      client.createBucket(b -> b.bucket(bucket));
      try (S3Client owner = s3(root)) {
        owner.deleteBucket(b -> b.bucket(bucket)); // the same owner
        assertEquals(owner.listBuckets().owner().id(), client.listBuckets().owner().id());
      }
      assertThrows(StsException.class, sts::getSessionToken);
    }
  }

  @Test
  void tagsOfUsersComeAndGo() {
    iam.createUser(b -> b.userName(name));
    assertTrue(iam.listUserTags(b -> b.userName(name)).tags().isEmpty());
    iam.tagUser(
        b ->
            b.userName(name)
                .tags(
                    Tag.builder().key("a").value("1").build(),
                    Tag.builder().key("b").value("2").build(),
                    Tag.builder().key("c").value("3").build()));
    iam.untagUser(b -> b.userName(name).tagKeys("a", "c", "none"));
    ListUserTagsResponse left = iam.listUserTags(b -> b.userName(name));
    assertFalse(left.isTruncated());
    assertEquals(List.of(Tag.builder().key("b").value("2").build()), left.tags());
    assertEquals(left.tags(), iam.getUser(b -> b.userName(name)).user().tags());
  }

  /** Such as whoever added the user while the group was removed, and died, left behind. */
  @Test
  void groupsThatAreNoMoreTakeNoRoomInAUser() throws Exception {
    iam.createUser(b -> b.userName(name));
    UpdateUserRequest.Builder gone = UpdateUserRequest.newBuilder().setName(name);
    for (int i = 0; i < 10; i++) {
      gone.putPutGroups(name + "gone" + i, "AGPAGONE" + i);
    }
    target.namespace.updateUser(gone.build());
    for (int i = 0; i < 10; i++) {
      String group = name + "g" + i;
      iam.createGroup(b -> b.groupName(group));
      iam.addUserToGroup(b -> b.groupName(group).userName(name));
    }
    iam.addUserToGroup(b -> b.groupName(name + "g3").userName(name)); // is in it
    assertEquals(10, iam.listGroupsForUser(b -> b.userName(name)).groups().size());
    iam.createGroup(b -> b.groupName(name + "more"));
    assertThrows(
        LimitExceededException.class,
        () -> iam.addUserToGroup(b -> b.groupName(name + "more").userName(name)));
  }

  @Test
  void whatNobodyKeepsIsAnsweredAsThoughThereWereNone() {
    iam.createUser(b -> b.userName(name));
    String key = iam.createAccessKey(b -> b.userName(name)).accessKey().accessKeyId();
    for (StatusType status : List.of(StatusType.INACTIVE, StatusType.ACTIVE)) {
      iam.updateAccessKey(b -> b.userName(name).accessKeyId(key).status(status));
      GetAccessKeyLastUsedResponse used = iam.getAccessKeyLastUsed(b -> b.accessKeyId(key));
      assertEquals(name, used.userName());
      assertEquals("N/A", used.accessKeyLastUsed().serviceName());
      assertNull(used.accessKeyLastUsed().lastUsedDate());
    }
    assertThrows(
        NoSuchEntityException.class, () -> iam.getAccessKeyLastUsed(b -> b.accessKeyId("AKNONE")));
    assertTrue(iam.listAccountAliases().accountAliases().isEmpty());
  }

  /** Of a gateway that did not say it: taken for the worse by whatever asks, until it expires. */
  @Test
  void aSessionThatDoesNotSayWhenItBeganIsRevokedByAnyMoment() throws Exception {
    for (String condition :
        List.of(
            "\"DateLessThan\":{\"aws:TokenIssueTime\":\"1971-01-01T00:00:00Z\"}",
            "\"DateGreaterThan\":{\"aws:TokenIssueTime\":\"2971-01-01T00:00:00Z\"}",
            "\"StringEquals\":{\"aws:PrincipalType\":\"nobody\"}")) {
      String role = name + Integer.toHexString(condition.hashCode());
      String id =
          iam.createRole(
                  b ->
                      b.roleName(role)
                          .assumeRolePolicyDocument(
                              "{\"Statement\":{\"Effect\":\"Allow\",\"Action\":\"sts:AssumeRole\","
                                  + "\"Principal\":{\"AWS\":\"000000000000\"}}}"))
              .role()
              .roleId();
      iam.putRolePolicy(
          b ->
              b.roleName(role)
                  .policyName("p")
                  .policyDocument(
                      "{\"Statement\":[{\"Effect\":\"Allow\",\"Action\":\"s3:*\",\"Resource\":\"*\"},"
                          + "{\"Effect\":\"Deny\",\"Action\":\"*\",\"Resource\":\"*\",\"Condition\":{"
                          + condition
                          + "}}]}"));
      StoreClock clock = StoreClock.system();
      String token =
          new Sessions(target.namespace, new AccessKeys(target.namespace, clock), clock)
              .seal(
                  SessionToken.newBuilder()
                      .setAccessKey("ASIAOLD")
                      .setSecretKey("s")
                      .setExpiresMicros(clock.wallMicros() + 60_000_000)
                      .setRoleName(role)
                      .setUserId(id)
                      .setSessionName("old")
                      .setParentKey("AKADMIN")
                      .setParentDigest(
                          ByteString.copyFrom(
                              MessageDigest.getInstance("SHA-256")
                                  .digest("secret".getBytes(StandardCharsets.UTF_8))))
                      .build());
      try (S3Client s3 = s3(AwsSessionCredentials.create("ASIAOLD", "s", token))) {
        if (condition.contains("nobody")) {
          assertEquals(200, s3.listBuckets().sdkHttpResponse().statusCode());
        } else {
          assertEquals(403, assertThrows(S3Exception.class, s3::listBuckets).statusCode());
        }
      }
    }
  }

  /** What a gateway knows of keys it believes for seconds: each look is at a fresh one. */
  private boolean isBelieved(Credentials session) throws Exception {
    try (InMemoryTarget gateway = new InMemoryTarget(Map.of(), target);
        StsClient sts =
            StsClient.builder()
                .endpointOverride(gateway.target().endpoint())
                .region(Region.US_EAST_1)
                .credentialsProvider(StaticCredentialsProvider.create(of(session)))
                .httpClientBuilder(UrlConnectionHttpClient.builder())
                .build()) {
      var unused = sts.getCallerIdentity();
      return true;
    } catch (StsException e) {
      assertEquals("InvalidClientTokenId", e.awsErrorDetails().errorCode(), e.getMessage());
      return false;
    }
  }

  /**
   * Else whoever stole a secret, which is then revoked, goes on by a session for a day and a half.
   */
  @Test
  void sessionsEndWithTheKeyThatTheyBeganWith() throws Exception {
    iam.createUser(b -> b.userName(name));
    AccessKey key = iam.createAccessKey(b -> b.userName(name)).accessKey();
    String arn =
        iam.createRole(
                b ->
                    b.roleName(name)
                        .assumeRolePolicyDocument(
                            "{\"Statement\":{\"Effect\":\"Allow\",\"Action\":\"sts:AssumeRole\","
                                + "\"Principal\":{\"AWS\":\"arn:aws:iam::000000000000:user/"
                                + name
                                + "\"}}}"))
            .role()
            .arn();
    List<Credentials> sessions = new ArrayList<>();
    try (StsClient sts = sts(basic(key.accessKeyId(), key.secretAccessKey()))) {
      sessions.add(sts.getSessionToken(b -> b.durationSeconds(129_600)).credentials());
      sessions.add(sts.assumeRole(b -> b.roleArn(arn).roleSessionName("own")).credentials());
    }
    try (StsClient sts = sts(of(sessions.get(0)))) { // a session begun by a session
      sessions.add(sts.assumeRole(b -> b.roleArn(arn).roleSessionName("next")).credentials());
    }
    for (StatusType status : List.of(StatusType.INACTIVE, StatusType.ACTIVE)) {
      iam.updateAccessKey(b -> b.userName(name).accessKeyId(key.accessKeyId()).status(status));
      for (Credentials session : sessions) {
        assertEquals(status == StatusType.ACTIVE, isBelieved(session), status.toString());
      }
    }
    iam.deleteAccessKey(b -> b.userName(name).accessKeyId(key.accessKeyId()));
    for (Credentials session : sessions) {
      assertFalse(isBelieved(session));
    }
    // As getsecret after revokesecret makes it: of the same name, with another secret.
    var unused =
        target.namespace.updateUser(
            UpdateUserRequest.newBuilder()
                .setName(name)
                .addAddKeys(
                    Identity.newBuilder().setAccessKey(key.accessKeyId()).setSecretKey("another"))
                .build());
    for (Credentials session : sessions) {
      assertFalse(isBelieved(session));
    }
  }
}
