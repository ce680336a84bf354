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
package io.stowage.s3.suite;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.stowage.s3.suite.S3Suite.Target;
import java.net.URLDecoder;
import java.nio.charset.StandardCharsets;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.List;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestInstance;
import software.amazon.awssdk.auth.credentials.AwsBasicCredentials;
import software.amazon.awssdk.auth.credentials.AwsCredentials;
import software.amazon.awssdk.auth.credentials.AwsSessionCredentials;
import software.amazon.awssdk.auth.credentials.StaticCredentialsProvider;
import software.amazon.awssdk.awscore.client.builder.AwsClientBuilder;
import software.amazon.awssdk.core.sync.RequestBody;
import software.amazon.awssdk.http.urlconnection.UrlConnectionHttpClient;
import software.amazon.awssdk.regions.Region;
import software.amazon.awssdk.services.iam.IamClient;
import software.amazon.awssdk.services.iam.model.AccessKey;
import software.amazon.awssdk.services.iam.model.GetGroupResponse;
import software.amazon.awssdk.services.iam.model.Group;
import software.amazon.awssdk.services.iam.model.IamException;
import software.amazon.awssdk.services.iam.model.StatusType;
import software.amazon.awssdk.services.iam.model.User;
import software.amazon.awssdk.services.s3.S3Client;
import software.amazon.awssdk.services.s3.model.S3Exception;
import software.amazon.awssdk.services.sts.StsClient;
import software.amazon.awssdk.services.sts.model.AssumeRoleResponse;
import software.amazon.awssdk.services.sts.model.Credentials;
import software.amazon.awssdk.services.sts.model.GetCallerIdentityResponse;
import software.amazon.awssdk.services.sts.model.StsException;

/** IAM and STS as their clients of the AWS SDK use them; the target's key is an administrator's. */
@TestInstance(TestInstance.Lifecycle.PER_CLASS)
public abstract class S3IamTest {
  private static final String ALLOW_GET =
      "{\"Version\":\"2012-10-17\",\"Statement\":{\"Effect\":\"Allow\",\"Action\":\"s3:GetObject\","
          + "\"Resource\":\"arn:aws:s3:::bucket/*\"}}";
  private static final String TRUST_ACCOUNT =
      "{\"Version\":\"2012-10-17\",\"Statement\":{\"Effect\":\"Allow\",\"Action\":\"sts:AssumeRole\","
          + "\"Principal\":{\"AWS\":\"arn:aws:iam::000000000000:root\"}}}";

  private Target target;
  protected IamClient iam;
  private S3Client admin;
  private int serial;
  protected String name;

  /** Starts what is tested, or finds it. */
  protected abstract Target startTarget() throws Exception;

  @BeforeAll
  void start() throws Exception {
    target = startTarget();
    AwsCredentials administrator = basic(target.accessKey(), target.secretKey());
    iam = iam(administrator);
    admin = s3(administrator);
    admin.createBucket(b -> b.bucket("bucket"));
    admin.putObject(b -> b.bucket("bucket").key("k"), RequestBody.fromString("content"));
  }

  @AfterAll
  void stop() {
    iam.close();
    admin.close();
  }

  @BeforeEach
  void name() {
    name = "name" + ++serial;
  }

  protected static AwsCredentials basic(String accessKey, String secret) {
    return AwsBasicCredentials.create(accessKey, secret);
  }

  protected static AwsCredentials of(Credentials c) {
    return AwsSessionCredentials.create(c.accessKeyId(), c.secretAccessKey(), c.sessionToken());
  }

  private <B extends AwsClientBuilder<B, ?>> B at(B builder, AwsCredentials credentials) {
    return builder
        .endpointOverride(target.endpoint())
        .region(Region.US_EAST_1)
        .credentialsProvider(StaticCredentialsProvider.create(credentials));
  }

  private IamClient iam(AwsCredentials credentials) {
    return at(IamClient.builder().httpClientBuilder(UrlConnectionHttpClient.builder()), credentials)
        .build();
  }

  protected StsClient sts(AwsCredentials credentials) {
    return at(StsClient.builder().httpClientBuilder(UrlConnectionHttpClient.builder()), credentials)
        .build();
  }

  protected S3Client s3(AwsCredentials credentials) {
    return at(
            S3Client.builder()
                .forcePathStyle(true)
                .httpClientBuilder(UrlConnectionHttpClient.builder()),
            credentials)
        .build();
  }

  private AwsCredentials userWithKey(String user) {
    iam.createUser(b -> b.userName(user));
    AccessKey key = iam.createAccessKey(b -> b.userName(user)).accessKey();
    return basic(key.accessKeyId(), key.secretAccessKey());
  }

  private AwsCredentials userWithPolicy(String user, String policy) {
    AwsCredentials credentials = userWithKey(user);
    iam.putUserPolicy(b -> b.userName(user).policyName("p").policyDocument(policy));
    return credentials;
  }

  private static void fails(String code, org.junit.jupiter.api.function.Executable what) {
    IamException e = assertThrows(IamException.class, what);
    assertEquals(code, e.awsErrorDetails().errorCode(), e.getMessage());
    assertFalse(e.requestId().isEmpty());
  }

  private static void denied(org.junit.jupiter.api.function.Executable what) {
    S3Exception e = assertThrows(S3Exception.class, what);
    assertEquals("AccessDenied", e.awsErrorDetails().errorCode());
  }

  private static String read(S3Client s3) {
    return s3.getObjectAsBytes(b -> b.bucket("bucket").key("k")).asUtf8String();
  }

  @Test
  void usersAreCreatedListedAndRemoved() {
    User made = iam.createUser(b -> b.userName(name).path("/team/")).user();
    assertEquals("arn:aws:iam::000000000000:user/team/" + name, made.arn());
    assertTrue(made.userId().matches("AIDA[A-Z2-7]{17}"));
    assertEquals(made, iam.getUser(b -> b.userName(name)).user());
    fails("EntityAlreadyExists", () -> iam.createUser(b -> b.userName(name)));
    fails("NoSuchEntity", () -> iam.getUser(b -> b.userName("nobody")));
    fails("ValidationError", () -> iam.createUser(b -> b.userName("a b")));
    iam.createUser(b -> b.userName(name + "b").path("/team/"));
    assertEquals(
        List.of(name, name + "b"),
        iam.listUsersPaginator(b -> b.pathPrefix("/team/").maxItems(1)).users().stream()
            .map(User::userName)
            .toList());
    iam.updateUser(b -> b.userName(name).newPath("/other/"));
    assertEquals("/other/", iam.getUser(b -> b.userName(name)).user().path());
    iam.createAccessKey(b -> b.userName(name));
    fails("DeleteConflict", () -> iam.deleteUser(b -> b.userName(name)));
    iam.deleteUser(b -> b.userName(name + "b"));
    fails("NoSuchEntity", () -> iam.deleteUser(b -> b.userName(name + "b")));
  }

  @Test
  void keysAreTwoAtMostAndCanRest() {
    AwsCredentials first = userWithPolicy(name, ALLOW_GET);
    try (S3Client user = s3(first)) {
      assertEquals("content", read(user));
    }
    AccessKey second = iam.createAccessKey(b -> b.userName(name)).accessKey();
    fails("LimitExceeded", () -> iam.createAccessKey(b -> b.userName(name)));
    iam.updateAccessKey(
        b -> b.userName(name).accessKeyId(second.accessKeyId()).status(StatusType.INACTIVE));
    assertEquals(
        List.of(StatusType.ACTIVE, StatusType.INACTIVE),
        iam.listAccessKeys(b -> b.userName(name)).accessKeyMetadata().stream()
            .map(key -> key.status())
            .sorted()
            .toList());
    try (S3Client user = s3(basic(second.accessKeyId(), second.secretAccessKey()))) {
      S3Exception e = assertThrows(S3Exception.class, () -> read(user));
      assertEquals("InvalidAccessKeyId", e.awsErrorDetails().errorCode());
    }
    iam.deleteAccessKey(b -> b.userName(name).accessKeyId(second.accessKeyId()));
    fails(
        "NoSuchEntity",
        () -> iam.deleteAccessKey(b -> b.userName(name).accessKeyId(second.accessKeyId())));
  }

  @Test
  void policiesOfUsersAreKeptAndCount() {
    AwsCredentials credentials = userWithKey(name);
    fails(
        "MalformedPolicyDocument",
        () -> iam.putUserPolicy(b -> b.userName(name).policyName("p").policyDocument("{")));
    String statement =
        "{\"Sid\":\"A\",\"Effect\":\"Allow\",\"Action\":\"s3:GetObject\",\"Resource\":\"*\"}";
    fails(
        "MalformedPolicyDocument",
        () ->
            iam.putUserPolicy(
                b ->
                    b.userName(name)
                        .policyName("p")
                        .policyDocument(
                            "{\"Version\":\"2012-10-17\",\"Statement\":["
                                + statement
                                + ","
                                + statement
                                + "]}")));
    fails(
        "LimitExceeded",
        () ->
            iam.putUserPolicy(
                b ->
                    b.userName(name)
                        .policyName("p")
                        .policyDocument(ALLOW_GET.replace("bucket/*", "x".repeat(3_000)))));
    iam.putUserPolicy(b -> b.userName(name).policyName("p").policyDocument(ALLOW_GET));
    assertEquals(List.of("p"), iam.listUserPolicies(b -> b.userName(name)).policyNames());
    assertEquals(
        ALLOW_GET,
        URLDecoder.decode(
            iam.getUserPolicy(b -> b.userName(name).policyName("p")).policyDocument(),
            StandardCharsets.UTF_8));
    try (S3Client user = s3(credentials)) {
      assertEquals("content", read(user));
      denied(() -> user.putObject(b -> b.bucket("bucket").key("x"), RequestBody.empty()));
    }
    iam.deleteUserPolicy(b -> b.userName(name).policyName("p"));
    fails("NoSuchEntity", () -> iam.getUserPolicy(b -> b.userName(name).policyName("p")));
    assertTrue(iam.listAttachedUserPolicies(b -> b.userName(name)).attachedPolicies().isEmpty());
  }

  @Test
  void policiesOfGroupsCountForTheirMembers() {
    AwsCredentials credentials = userWithKey(name);
    iam.createGroup(b -> b.groupName(name));
    fails("EntityAlreadyExists", () -> iam.createGroup(b -> b.groupName(name)));
    iam.putGroupPolicy(b -> b.groupName(name).policyName("p").policyDocument(ALLOW_GET));
    iam.addUserToGroup(b -> b.groupName(name).userName(name));
    assertEquals(name, iam.getGroup(b -> b.groupName(name)).users().get(0).userName());
    assertEquals(name, iam.listGroupsForUser(b -> b.userName(name)).groups().get(0).groupName());
    assertTrue(iam.listGroups().groups().stream().anyMatch(g -> g.groupName().equals(name)));
    try (S3Client user = s3(credentials)) {
      assertEquals("content", read(user));
    }
    fails("DeleteConflict", () -> iam.deleteGroup(b -> b.groupName(name)));
    fails("DeleteConflict", () -> iam.deleteUser(b -> b.userName(name)));
    iam.removeUserFromGroup(b -> b.groupName(name).userName(name));
    fails("NoSuchEntity", () -> iam.removeUserFromGroup(b -> b.groupName(name).userName(name)));
    assertEquals(List.of("p"), iam.listGroupPolicies(b -> b.groupName(name)).policyNames());
    iam.deleteGroupPolicy(b -> b.groupName(name).policyName("p"));
    iam.deleteGroup(b -> b.groupName(name));
    fails("NoSuchEntity", () -> iam.getGroup(b -> b.groupName(name)));
  }

  @Test
  void aGroupKeepsAllButTheName() {
    AwsCredentials credentials = userWithKey(name);
    iam.createGroup(b -> b.groupName(name).path("/old/"));
    iam.createGroup(b -> b.groupName(name + "taken"));
    iam.putGroupPolicy(b -> b.groupName(name).policyName("p").policyDocument(ALLOW_GET));
    iam.addUserToGroup(b -> b.groupName(name).userName(name));
    Group before = iam.getGroup(b -> b.groupName(name)).group();
    fails(
        "EntityAlreadyExists",
        () -> iam.updateGroup(b -> b.groupName(name).newGroupName(name + "taken")));
    fails("NoSuchEntity", () -> iam.updateGroup(b -> b.groupName("none").newGroupName("some")));
    fails("ValidationError", () -> iam.updateGroup(b -> b.groupName(name).newPath("new")));
    String other = name + "other";
    iam.updateGroup(b -> b.groupName(name).newGroupName(other).newPath("/new/"));
    fails("NoSuchEntity", () -> iam.getGroup(b -> b.groupName(name)));
    GetGroupResponse after = iam.getGroup(b -> b.groupName(other));
    assertEquals(before.groupId(), after.group().groupId());
    assertEquals(before.createDate(), after.group().createDate());
    assertEquals("arn:aws:iam::000000000000:group/new/" + other, after.group().arn());
    assertEquals(name, after.users().get(0).userName());
    assertEquals(
        List.of(other),
        iam.listGroupsForUser(b -> b.userName(name)).groups().stream()
            .map(Group::groupName)
            .toList());
    try (S3Client user = s3(credentials)) {
      assertEquals("content", read(user));
    }
    iam.updateGroup(b -> b.groupName(other).newPath("/third/"));
    assertEquals("/third/", iam.getGroup(b -> b.groupName(other)).group().path());
    // The old name is free, and who takes it has none of the members.
    iam.createGroup(b -> b.groupName(name));
    assertTrue(iam.getGroup(b -> b.groupName(name)).users().isEmpty());
    iam.removeUserFromGroup(b -> b.groupName(other).userName(name));
  }

  /** Who may call the one name anything could else take a name that a policy speaks of. */
  @Test
  void aGroupIsRenamedByWhoMayChangeBothNames() {
    iam.createGroup(b -> b.groupName(name));
    AwsCredentials helper =
        userWithPolicy(
            name + "helper",
            ("{\"Statement\":{\"Effect\":\"Allow\",\"Action\":\"iam:UpdateGroup\",\"Resource\":["
                    + "\"arn:aws:iam::000000000000:group/NAME\","
                    + "\"arn:aws:iam::000000000000:group/NAMEx\"]}}")
                .replace("NAME", name));
    try (IamClient user = iam(helper)) {
      fails(
          "AccessDenied", () -> user.updateGroup(b -> b.groupName(name).newGroupName(name + "y")));
      user.updateGroup(b -> b.groupName(name).newGroupName(name + "x"));
    }
    assertTrue(iam.getGroup(b -> b.groupName(name + "x")).hasUsers());
  }

  /** The same of IAM and STS as of S3. */
  @Test
  void conditionsOfIamCallsSeeTheRequest() {
    boolean secure = "https".equals(target.endpoint().getScheme());
    String conditions =
        """
        {"Bool": {"aws:SecureTransport": "%s", "aws:ViaAWSService": "false"},
         "DateGreaterThan": {"aws:CurrentTime": "2020-01-01T00:00:00Z"},
         "NumericGreaterThan": {"aws:EpochTime": "1577836800"},
         "StringLike": {"aws:UserAgent": "*aws-sdk-java*"},
         "IpAddress": {"aws:SourceIp": ["127.0.0.0/8", "::1/128"]},
         "StringEquals": {"aws:RequestedRegion": "us-east-1", "aws:PrincipalType": "User",
                          "aws:PrincipalAccount": "000000000000", "aws:username": "${aws:username}"}}
        """;
    String trust =
        TRUST_ACCOUNT.replace("000000000000:root\"}", "000000000000:user/USER\"},\"Condition\":IF");
    for (boolean right : new boolean[] {true, false}) {
      String user = name + right;
      String condition = conditions.formatted(secure == right);
      AwsCredentials credentials =
          userWithPolicy(
              user,
              "{\"Version\":\"2012-10-17\",\"Statement\":{\"Effect\":\"Allow\","
                  + "\"Action\":\"iam:ListGroups\",\"Resource\":\"*\",\"Condition\":"
                  + condition
                  + "}}");
      String role =
          iam.createRole(
                  b ->
                      b.roleName(user)
                          .assumeRolePolicyDocument(
                              trust.replace("USER", user).replace("IF", condition)))
              .role()
              .arn();
      try (IamClient iamOfUser = iam(credentials);
          StsClient sts = sts(credentials)) {
        if (right) {
          assertTrue(iamOfUser.listGroups().hasGroups());
          sts.assumeRole(b -> b.roleArn(role).roleSessionName("session"));
        } else {
          fails("AccessDenied", iamOfUser::listGroups);
          notAssumed(sts, role);
        }
      }
    }
  }

  /** By the policy that AWS's console puts on a role: AWSRevokeOlderSessions. */
  @Test
  void sessionsOfBeforeAMomentAreRevoked() {
    AwsCredentials credentials = userWithKey(name);
    String arn =
        iam.createRole(
                b ->
                    b.roleName(name)
                        .assumeRolePolicyDocument(
                            TRUST_ACCOUNT.replace(
                                "000000000000:root", "000000000000:user/" + name)))
            .role()
            .arn();
    iam.putRolePolicy(
        b ->
            b.roleName(name)
                .policyName("p")
                .policyDocument(
                    "{\"Statement\":{\"Effect\":\"Allow\",\"Action\":[\"s3:*\",\"iam:*\","
                        + "\"sts:*\"],\"Resource\":\"*\"}}"));
    Credentials old;
    Credentials fresh;
    try (StsClient sts = sts(credentials)) {
      old = sts.assumeRole(b -> b.roleArn(arn).roleSessionName("old")).credentials();
      Instant moment = Instant.now().plusMillis(20); // clocks of services differ a little
      iam.putRolePolicy(
          b ->
              b.roleName(name)
                  .policyName("AWSRevokeOlderSessions")
                  .policyDocument(
                      "{\"Version\":\"2012-10-17\",\"Statement\":[{\"Effect\":\"Deny\","
                          + "\"Action\":[\"*\"],\"Resource\":[\"*\"],\"Condition\":{\"DateLessThan\":"
                          + "{\"aws:TokenIssueTime\":\""
                          + moment.truncatedTo(ChronoUnit.MILLIS)
                          + "\"}}}]}"));
      while (!Instant.now().isAfter(moment.plusMillis(20))) {
        Thread.onSpinWait();
      }
      fresh = sts.assumeRole(b -> b.roleArn(arn).roleSessionName("new")).credentials();
    }
    try (S3Client s3 = s3(of(old));
        IamClient iamOfOld = iam(of(old));
        StsClient sts = sts(of(old))) {
      denied(() -> read(s3));
      fails("AccessDenied", iamOfOld::listGroups);
      notAssumed(sts, arn);
    }
    try (S3Client s3 = s3(of(fresh));
        IamClient iamOfFresh = iam(of(fresh))) {
      assertEquals("content", read(s3));
      assertTrue(iamOfFresh.listGroups().hasGroups());
    }
  }

  @Test
  void onlyWhoIsAllowedMayCallIam() {
    AwsCredentials credentials = userWithKey(name);
    try (IamClient user = iam(credentials)) {
      fails("AccessDenied", user::listUsers);
      fails("AccessDenied", () -> user.getAccessKeyLastUsed(b -> b.accessKeyId("AKNONE")));
      fails("AccessDenied", () -> user.getUser(b -> b.userName("nobody")));
    }
    AwsCredentials helper =
        userWithPolicy(
            name + "helper",
            """
            {"Statement": [
              {"Effect": "Allow", "Action": "iam:*", "Resource": "*"},
              {"Effect": "Deny", "Action": "iam:Create*", "Resource": "*"},
              {"Effect": "Deny", "Action": "iam:GetUser",
               "Resource": "arn:aws:iam::000000000000:user/%s"}]}
            """
                .formatted(name));
    try (IamClient user = iam(helper)) {
      assertFalse(user.listUsers().users().isEmpty());
      assertEquals(name + "helper", user.getUser().user().userName());
      fails("AccessDenied", () -> user.getUser(b -> b.userName(name)));
      fails("AccessDenied", () -> user.createUser(b -> b.userName("x")));
    }
    try (IamClient wrong = iam(basic(target.accessKey(), "wrong"))) {
      fails("SignatureDoesNotMatch", wrong::listUsers);
    }
    try (IamClient nobody = iam(basic("AKNOBODY", "wrong"))) {
      fails("InvalidClientTokenId", nobody::listUsers);
    }
  }

  @Test
  void callersLearnWhoTheyAre() {
    AwsCredentials credentials = userWithKey(name);
    try (StsClient sts = sts(credentials)) {
      GetCallerIdentityResponse who = sts.getCallerIdentity();
      assertEquals("000000000000", who.account());
      assertEquals("arn:aws:iam::000000000000:user/" + name, who.arn());
      assertEquals(iam.getUser(b -> b.userName(name)).user().userId(), who.userId());
    }
  }

  @Test
  void sessionsOfUsersMayWhatTheirUsersMayButCallIam() {
    AwsCredentials credentials =
        userWithPolicy(
            name, ALLOW_GET.replace("s3:GetObject", "*").replace("arn:aws:s3:::bucket/*", "*"));
    Credentials session;
    try (StsClient sts = sts(credentials)) {
      session = sts.getSessionToken(b -> b.durationSeconds(900)).credentials();
    }
    try (S3Client user = s3(of(session));
        IamClient userIam = iam(of(session));
        StsClient userSts = sts(of(session))) {
      assertEquals("content", read(user));
      fails("AccessDenied", userIam::listUsers);
      assertEquals("arn:aws:iam::000000000000:user/" + name, userSts.getCallerIdentity().arn());
      assertThrows(StsException.class, userSts::getSessionToken);
    }
    try (S3Client without = s3(basic(session.accessKeyId(), session.secretAccessKey()))) {
      S3Exception e = assertThrows(S3Exception.class, () -> read(without));
      assertEquals("InvalidAccessKeyId", e.awsErrorDetails().errorCode());
    }
    char[] forged = session.sessionToken().toCharArray();
    forged[40] = forged[40] == 'A' ? 'B' : 'A';
    try (S3Client user =
        s3(
            AwsSessionCredentials.create(
                session.accessKeyId(), session.secretAccessKey(), new String(forged)))) {
      S3Exception e = assertThrows(S3Exception.class, () -> read(user));
      assertEquals("InvalidToken", e.awsErrorDetails().errorCode());
    }
  }

  @Test
  void rolesAreAssumedByWhomTheyTrust() {
    AwsCredentials credentials = userWithKey(name);
    String arn =
        iam.createRole(b -> b.roleName(name).assumeRolePolicyDocument(TRUST_ACCOUNT)).role().arn();
    assertEquals("arn:aws:iam::000000000000:role/" + name, arn);
    iam.putRolePolicy(b -> b.roleName(name).policyName("p").policyDocument(ALLOW_GET));
    try (StsClient sts = sts(credentials)) {
      // The account is trusted, and nothing allows the user.
      notAssumed(sts, arn);
      iam.putUserPolicy(
          b ->
              b.userName(name)
                  .policyName("assume")
                  .policyDocument(
                      "{\"Statement\":{\"Effect\":\"Allow\",\"Action\":\"sts:AssumeRole\","
                          + "\"Resource\":\""
                          + arn
                          + "\"}}"));
      notAssumed(sts, arn + "x");
    }
    // A gateway believes what it knows of a key for seconds: with another key it asks.
    AccessKey fresh = iam.createAccessKey(b -> b.userName(name)).accessKey();
    try (StsClient sts = sts(basic(fresh.accessKeyId(), fresh.secretAccessKey()))) {
      AssumeRoleResponse assumed = sts.assumeRole(b -> b.roleArn(arn).roleSessionName("session"));
      assertEquals(
          "arn:aws:sts::000000000000:assumed-role/" + name + "/session",
          assumed.assumedRoleUser().arn());
      try (S3Client role = s3(of(assumed.credentials()));
          StsClient roleSts = sts(of(assumed.credentials()))) {
        assertEquals("content", read(role));
        denied(() -> role.listObjectsV2(b -> b.bucket("bucket")));
        assertEquals(assumed.assumedRoleUser().arn(), roleSts.getCallerIdentity().arn());
        assertEquals(
            assumed.assumedRoleUser().assumedRoleId(), roleSts.getCallerIdentity().userId());
      }
      AssumeRoleResponse bounded =
          sts.assumeRole(
              b ->
                  b.roleArn(arn)
                      .roleSessionName("bounded")
                      .policy(ALLOW_GET.replace("bucket/*", "bucket/other")));
      try (S3Client role = s3(of(bounded.credentials()))) {
        denied(() -> read(role));
      }
      iam.updateAssumeRolePolicy(
          b ->
              b.roleName(name)
                  .policyDocument(
                      TRUST_ACCOUNT.replace("000000000000:root", "000000000000:user/x")));
      notAssumed(sts, arn);
      iam.updateAssumeRolePolicy(
          b ->
              b.roleName(name)
                  .policyDocument(
                      TRUST_ACCOUNT.replace("000000000000:root", "000000000000:user/" + name)));
      sts.assumeRole(b -> b.roleArn(arn).roleSessionName("named"));
    }
    fails("DeleteConflict", () -> iam.deleteRole(b -> b.roleName(name)));
    assertEquals(List.of("p"), iam.listRolePolicies(b -> b.roleName(name)).policyNames());
    iam.deleteRolePolicy(b -> b.roleName(name).policyName("p"));
    iam.deleteRole(b -> b.roleName(name));
    fails("NoSuchEntity", () -> iam.getRole(b -> b.roleName(name)));
    fails(
        "MalformedPolicyDocument",
        () -> iam.createRole(b -> b.roleName(name).assumeRolePolicyDocument(ALLOW_GET)));
  }

  /** By what get-caller-identity says: the usual way to let one user in, and nobody else. */
  @Test
  void policiesKnowAUserByTheIdThatHeIsTold() {
    String id = iam.createUser(b -> b.userName(name)).user().userId();
    iam.putUserPolicy(
        b ->
            b.userName(name)
                .policyName("p")
                .policyDocument(
                    ALLOW_GET.replace(
                        "\"Effect\"",
                        "\"Condition\":{\"StringEquals\":{\"aws:userid\":\""
                            + id
                            + "\"}},\"Effect\"")));
    AccessKey key = iam.createAccessKey(b -> b.userName(name)).accessKey();
    AwsCredentials credentials = basic(key.accessKeyId(), key.secretAccessKey());
    try (S3Client user = s3(credentials);
        StsClient sts = sts(credentials)) {
      assertEquals(id, sts.getCallerIdentity().userId());
      assertEquals("content", read(user));
    }
  }

  private static void notAssumed(StsClient sts, String arn) {
    StsException e =
        assertThrows(
            StsException.class,
            () -> sts.assumeRole(b -> b.roleArn(arn).roleSessionName("session")));
    assertEquals("AccessDenied", e.awsErrorDetails().errorCode());
    assertEquals(403, e.statusCode());
  }

  @Test
  void bucketPoliciesNameRolesAndTheirSessions() {
    AwsCredentials credentials = userWithKey(name);
    String arn =
        iam.createRole(
                b ->
                    b.roleName(name)
                        .assumeRolePolicyDocument(
                            TRUST_ACCOUNT.replace(
                                "000000000000:root", "000000000000:user/" + name)))
            .role()
            .arn();
    admin.putBucketPolicy(
        b ->
            b.bucket("bucket")
                .policy(
                    ALLOW_GET.replace(
                        "\"Effect\"", "\"Principal\":{\"AWS\":\"" + arn + "\"},\"Effect\"")));
    try (StsClient sts = sts(credentials);
        S3Client user = s3(credentials)) {
      Credentials session =
          sts.assumeRole(b -> b.roleArn(arn).roleSessionName("session")).credentials();
      try (S3Client role = s3(of(session))) {
        assertEquals("content", read(role));
        role.createBucket(b -> b.bucket(name));
        role.putObject(b -> b.bucket(name).key("own"), RequestBody.empty());
      }
      denied(() -> read(user));
      denied(() -> user.listObjectsV2(b -> b.bucket(name)));
    }
    admin.deleteBucketPolicy(b -> b.bucket("bucket"));
  }

  @Test
  void aUserKeepsAllButTheName() {
    AwsCredentials credentials = userWithKey(name);
    iam.createGroup(b -> b.groupName(name));
    iam.putGroupPolicy(b -> b.groupName(name).policyName("p").policyDocument(ALLOW_GET));
    iam.addUserToGroup(b -> b.groupName(name).userName(name));
    User before = iam.getUser(b -> b.userName(name)).user();
    String next = name + "next";
    iam.createUser(b -> b.userName(next));
    fails("EntityAlreadyExists", () -> iam.updateUser(b -> b.userName(name).newUserName(next)));
    iam.deleteUser(b -> b.userName(next));
    fails("ValidationError", () -> iam.updateUser(b -> b.userName(name).newUserName("a b")));
    fails("NoSuchEntity", () -> iam.updateUser(b -> b.userName("nobody").newUserName(next)));
    iam.updateUser(b -> b.userName(name).newUserName(next).newPath("/p/"));
    User after = iam.getUser(b -> b.userName(next)).user();
    assertEquals(before.userId(), after.userId());
    assertEquals(before.createDate(), after.createDate());
    assertEquals("arn:aws:iam::000000000000:user/p/" + next, after.arn());
    fails("NoSuchEntity", () -> iam.getUser(b -> b.userName(name)));
    assertEquals(next, iam.getGroup(b -> b.groupName(name)).users().get(0).userName());
    try (S3Client user = s3(credentials)) {
      assertEquals("content", read(user));
    }
    // The old name is another's, who has none of it.
    AwsCredentials other = userWithKey(name);
    assertNotEquals(before.userId(), iam.getUser(b -> b.userName(name)).user().userId());
    try (S3Client user = s3(other)) {
      denied(() -> read(user));
    }
    // Who may change one name only may not make another of it.
    AwsCredentials helper =
        userWithPolicy(
            name + "helper",
            ALLOW_GET
                .replace("s3:GetObject", "iam:UpdateUser")
                .replace("arn:aws:s3:::bucket/*", "arn:aws:iam::000000000000:user/" + name));
    try (IamClient user = iam(helper)) {
      fails("AccessDenied", () -> user.updateUser(b -> b.userName(name).newUserName("root2")));
      user.updateUser(b -> b.userName(name));
    }
  }

  @Test
  void bucketPoliciesNameUsersAndRolesThatAreThere() {
    AwsCredentials credentials = userWithKey(name);
    String account = "arn:aws:iam::000000000000:";
    iam.createRole(b -> b.roleName(name).assumeRolePolicyDocument(TRUST_ACCOUNT));
    for (String known :
        List.of(
            "000000000000",
            account + "root",
            account + "user/" + name,
            account + "role/" + name,
            "arn:aws:sts::000000000000:assumed-role/" + name + "/session",
            "arn:aws:iam::123456789012:user/somebody-elsewhere",
            "arn:aws:iam::elsewhere:root")) {
      putPolicy(known);
    }
    for (String unknown :
        List.of(
            account + "user/nobody",
            account + "user/team/" + name,
            account + "user/*",
            account + "role/nobody",
            account + "group/" + name,
            "arn:aws:sts::000000000000:assumed-role/nobody/session",
            "arn:aws:s3:::bucket",
            "arn:aws:iam::",
            "nobody",
            "")) {
      S3Exception e = assertThrows(S3Exception.class, () -> putPolicy(unknown), unknown);
      assertEquals(400, e.statusCode());
      assertEquals("MalformedPolicy", e.awsErrorDetails().errorCode());
      assertEquals("Invalid principal in policy", e.awsErrorDetails().errorMessage());
    }
    putPolicy(account + "user/" + name);
    try (S3Client user = s3(credentials)) {
      assertEquals("content", read(user));
    }
    // By the whole ARN, of a user with a path, too.
    iam.createUser(b -> b.userName(name + "p").path("/team/"));
    AccessKey key = iam.createAccessKey(b -> b.userName(name + "p")).accessKey();
    putPolicy(account + "user/team/" + name + "p");
    try (S3Client user = s3(basic(key.accessKeyId(), key.secretAccessKey()))) {
      assertEquals("content", read(user));
    }
    admin.deleteBucketPolicy(b -> b.bucket("bucket"));
  }

  private void putPolicy(String principal) {
    admin.putBucketPolicy(
        b ->
            b.bucket("bucket")
                .policy(
                    ALLOW_GET.replace(
                        "\"Effect\"", "\"Principal\":{\"AWS\":\"" + principal + "\"},\"Effect\"")));
  }
}
