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
package io.stowage.common.policy;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.stowage.common.error.ErrorCode;
import io.stowage.common.policy.Policy.Answer;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

class PolicyTest {
  private static final Question.Principal ALICE = new Question.Principal("a1", "alice", false);
  private static final Question.Principal BOB = new Question.Principal("b1", "bob", false);
  private static final Question.Principal SESSION =
      Question.Principal.session(
          "r1",
          List.of(
              "arn:aws:sts::000000000000:assumed-role/r/s",
              "arn:aws:iam::000000000000:role/r",
              "arn:aws:iam::000000000000:root"));
  private static final Question.Principal LOGGING =
      Question.Principal.service("logging.s3.amazonaws.com");
  private static final Question.Principal CALLED_LOGGING =
      Question.Principal.user(
          "service:logging.s3.amazonaws.com", "service:logging.s3.amazonaws.com", "");
  private static final Map<String, List<String>> NONE = Map.of();

  /** A statement's parts in short, with single quotes for double ones. */
  private record Case(
      String statement,
      Question.Principal who,
      String action,
      String key,
      Map<String, List<String>> facts,
      Answer answer) {}

  private static Case of(
      String statement, Question.Principal who, String action, String key, Answer answer) {
    return new Case(statement, who, action, key, NONE, answer);
  }

  private static Case given(String condition, String fact, String value, Answer answer) {
    return new Case(
        "'Effect':'Allow','Principal':'*','Action':'s3:GetObject','Resource':'arn:aws:s3:::b/*',"
            + "'Condition':{"
            + condition
            + "}",
        ALICE,
        "s3:GetObject",
        "k",
        value == null ? NONE : Map.of(fact, List.of(value)),
        answer);
  }

  static Stream<Case> cases() {
    String toAll = "'Effect':'Allow','Principal':'*',";
    String toAlice = "'Effect':'Allow','Principal':{'AWS':'arn:aws:iam:::user/alice'},";
    String role = "arn:aws:iam::000000000000:role/r";
    String toRole = "'Effect':'Allow','Principal':{'AWS':'" + role + "'},";
    String toSession =
        "'Effect':'Allow','Principal':{'AWS':'arn:aws:sts::000000000000:assumed-role/r/s'},";
    String toAccount = "'Effect':'Allow','Principal':{'AWS':'000000000000'},";
    String toLogging = "'Effect':'Allow','Principal':{'Service':'logging.s3.amazonaws.com'},";
    String get = "'Action':'s3:GetObject',";
    String all = "'Resource':'arn:aws:s3:::b/*'";
    return Stream.of(
        of(toAll + get + all, ALICE, "s3:GetObject", "k", Answer.ALLOW),
        of(toAll + get + all, Question.Principal.ANONYMOUS, "s3:GetObject", "k", Answer.ALLOW),
        of(toAll + get + all, ALICE, "s3:PutObject", "k", Answer.SILENT),
        of(toAll + get + all, ALICE, "s3:GetObject", null, Answer.SILENT),
        of(toAll + "'Action':'s3:*'," + all, ALICE, "s3:PutObject", "a/b", Answer.ALLOW),
        of(toAll + "'Action':'S3:getobject'," + all, ALICE, "s3:GetObject", "k", Answer.ALLOW),
        of(
            toAll + "'Action':['s3:Get*','s3:L?st*']," + all,
            ALICE,
            "s3:GetObjectAcl",
            "k",
            Answer.ALLOW),
        of(toAll + "'NotAction':'s3:GetObject'," + all, ALICE, "s3:GetObject", "k", Answer.SILENT),
        of(toAll + "'NotAction':'s3:GetObject'," + all, ALICE, "s3:PutObject", "k", Answer.ALLOW),
        of(toAlice + get + all, ALICE, "s3:GetObject", "k", Answer.ALLOW),
        of(toAlice + get + all, BOB, "s3:GetObject", "k", Answer.SILENT),
        of(toAlice + get + all, Question.Principal.ANONYMOUS, "s3:GetObject", "k", Answer.SILENT),
        of(
            "'Effect':'Allow','Principal':{'CanonicalUser':'b1'}," + get + all,
            BOB,
            "s3:GetObject",
            "k",
            Answer.ALLOW),
        of(
            "'Effect':'Allow','Principal':{'AWS':['x','arn:aws:iam::b1:root']}," + get + all,
            BOB,
            "s3:GetObject",
            "k",
            Answer.ALLOW),
        of(
            "'Effect':'Deny','NotPrincipal':{'AWS':'arn:aws:iam:::user/alice'}," + get + all,
            BOB,
            "s3:GetObject",
            "k",
            Answer.DENY),
        of(
            "'Effect':'Deny','NotPrincipal':{'AWS':'arn:aws:iam:::user/alice'}," + get + all,
            ALICE,
            "s3:GetObject",
            "k",
            Answer.SILENT),
        of(
            toAll + get + "'Resource':'arn:aws:s3:::b/${aws:username}/*'",
            ALICE,
            "s3:GetObject",
            "k",
            Answer.SILENT),
        of(
            toAll + get + "'NotResource':'arn:aws:s3:::b/secret/*'",
            ALICE,
            "s3:GetObject",
            "secret/k",
            Answer.SILENT),
        of(
            toAll + get + "'NotResource':'arn:aws:s3:::b/secret/*'",
            ALICE,
            "s3:GetObject",
            "open/k",
            Answer.ALLOW),
        of(toRole + get + all, SESSION, "s3:GetObject", "k", Answer.ALLOW),
        of(toSession + get + all, SESSION, "s3:GetObject", "k", Answer.ALLOW),
        of(toSession + get + all, ALICE, "s3:GetObject", "k", Answer.SILENT),
        of(toAccount + get + all, SESSION, "s3:GetObject", "k", Answer.ALLOW),
        of(toAccount + get + all, ALICE, "s3:GetObject", "k", Answer.ALLOW),
        of(toAccount + get + all, Question.Principal.ANONYMOUS, "s3:GetObject", "k", Answer.SILENT),
        of(toAccount + get + all, LOGGING, "s3:GetObject", "k", Answer.SILENT),
        of(toLogging + get + all, LOGGING, "s3:GetObject", "k", Answer.ALLOW),
        of(toLogging + get + all, CALLED_LOGGING, "s3:GetObject", "k", Answer.SILENT),
        of(toLogging + get + all, ALICE, "s3:GetObject", "k", Answer.SILENT),
        of(
            toLogging.replace("'Service'", "'AWS'") + get + all,
            LOGGING,
            "s3:GetObject",
            "k",
            Answer.SILENT),
        new Case(
            toAll + get + "'Resource':'arn:aws:s3:::b/${aws:username}/*'",
            ALICE,
            "s3:GetObject",
            "alice/k",
            Map.of("aws:username", List.of("alice")),
            Answer.ALLOW),
        given("'StringEquals':{'s3:prefix':'a'}", "s3:prefix", "a", Answer.ALLOW),
        given("'StringEquals':{'s3:prefix':['x','a']}", "s3:prefix", "a", Answer.ALLOW),
        given("'StringEquals':{'s3:prefix':'a'}", "s3:prefix", "A", Answer.SILENT),
        given("'StringEquals':{'S3:Prefix':'a'}", "s3:prefix", null, Answer.SILENT),
        given("'StringEqualsIfExists':{'s3:prefix':'a'}", "s3:prefix", null, Answer.ALLOW),
        given("'StringNotEquals':{'s3:prefix':'a'}", "s3:prefix", "b", Answer.ALLOW),
        given("'StringNotEquals':{'s3:prefix':['a','b']}", "s3:prefix", "b", Answer.SILENT),
        given("'StringNotEquals':{'s3:prefix':'a'}", "s3:prefix", null, Answer.ALLOW),
        given("'StringEqualsIgnoreCase':{'s3:prefix':'a'}", "s3:prefix", "A", Answer.ALLOW),
        given(
            "'StringLike':{'aws:referer':'http://w?w.*'}",
            "aws:referer",
            "http://www.x",
            Answer.ALLOW),
        given(
            "'StringNotLike':{'aws:referer':'http://*'}", "aws:referer", "http://x", Answer.SILENT),
        given(
            "'IpAddress':{'aws:SourceIp':'10.1.0.0/16'}", "aws:sourceip", "10.1.2.3", Answer.ALLOW),
        given(
            "'IpAddress':{'aws:SourceIp':'10.1.0.0/16'}",
            "aws:sourceip",
            "10.2.2.3",
            Answer.SILENT),
        given("'IpAddress':{'aws:SourceIp':'10.1.2.3'}", "aws:sourceip", "10.1.2.3", Answer.ALLOW),
        given(
            "'IpAddress':{'aws:SourceIp':'10.1.2.0/25'}",
            "aws:sourceip",
            "10.1.2.128",
            Answer.SILENT),
        given(
            "'NotIpAddress':{'aws:SourceIp':'10.0.0.0/8'}",
            "aws:sourceip",
            "11.0.0.1",
            Answer.ALLOW),
        given(
            "'IpAddress':{'aws:SourceIp':'2001:db8::/32'}",
            "aws:sourceip",
            "2001:db8::9",
            Answer.ALLOW),
        given(
            "'IpAddress':{'aws:SourceIp':'0.0.0.0/0'}",
            "aws:sourceip",
            "2001:db8::9",
            Answer.SILENT),
        given("'NumericLessThanEquals':{'s3:max-keys':'10'}", "s3:max-keys", "10", Answer.ALLOW),
        given("'NumericLessThan':{'s3:max-keys':10}", "s3:max-keys", "10", Answer.SILENT),
        given("'NumericGreaterThan':{'s3:max-keys':'10'}", "s3:max-keys", "many", Answer.SILENT),
        given(
            "'DateLessThan':{'aws:CurrentTime':'2030-01-01T00:00:00Z'}",
            "aws:currenttime",
            "2029-12-31T23:59:59Z",
            Answer.ALLOW),
        given(
            "'DateGreaterThan':{'aws:CurrentTime':'2030-01-01T00:00:00Z'}",
            "aws:currenttime",
            "2029-12-31T23:59:59Z",
            Answer.SILENT),
        given("'Bool':{'aws:SecureTransport':true}", "aws:securetransport", "false", Answer.SILENT),
        given(
            "'Bool':{'aws:SecureTransport':'false'}", "aws:securetransport", "false", Answer.ALLOW),
        given("'Null':{'aws:Referer':'true'}", "aws:referer", null, Answer.ALLOW),
        given("'Null':{'aws:Referer':'false'}", "aws:referer", null, Answer.SILENT),
        given("'Null':{'aws:Referer':false}", "aws:referer", "x", Answer.ALLOW),
        given("'ForAllValues:StringEquals':{'s3:prefix':'a'}", "s3:prefix", null, Answer.ALLOW),
        given("'ForAnyValue:StringEquals':{'s3:prefix':'a'}", "s3:prefix", null, Answer.SILENT),
        given("'ForAnyValue:StringNotEquals':{'s3:prefix':'a'}", "s3:prefix", null, Answer.SILENT),
        given("'ForAnyValue:StringNotEquals':{'s3:prefix':'a'}", "s3:prefix", "b", Answer.ALLOW),
        given(
            "'StringEquals':{'s3:prefix':'a'},'Bool':{'aws:SecureTransport':'true'}",
            "s3:prefix",
            "a",
            Answer.SILENT));
  }

  @ParameterizedTest
  @MethodSource("cases")
  void answersAsTheLanguageSays(Case c) throws MalformedPolicyException {
    assertEquals(c.answer, policy(c.statement).answer(question(c)));
  }

  /**
   * Variables in a resource. The facts are a user's name, and which key is matched by it.
   *
   * @param name of the user; null: there is none
   */
  private record Filled(String resource, String name, String key, boolean matches) {}

  static Stream<Filled> filled() {
    return Stream.of(
        new Filled("${aws:username}/*", "alice", "alice/k", true),
        new Filled("${AWS:UserName}/*", "alice", "alice/k", true),
        new Filled("${aws:username}/*", "alice", "bob/k", false),
        new Filled("${aws:username}/*", "*", "bob/k", false), // a name is no pattern
        new Filled("${aws:username}/*", "*", "*/k", true),
        new Filled("${aws:username}/*", "b?b", "bob/k", false),
        new Filled("${aws:username}*", "a", "ab", true),
        new Filled("${aws:username}/*", null, "${aws:username}/k", false),
        new Filled("${aws:username, 'guest'}/*", null, "guest/k", true),
        new Filled("${aws:username,'gu*'}/*", null, "guest/k", false),
        new Filled("${aws:username, 'guest'}/*", "alice", "alice/k", true),
        new Filled("${aws:username, 'guest'}/*", "alice", "guest/k", false),
        new Filled("${aws:username, guest}/*", null, "guest/k", false),
        new Filled("${*}", null, "*", true),
        new Filled("${*}", null, "k", false),
        new Filled("a${?}", null, "a?", true),
        new Filled("a${?}", null, "ab", false),
        new Filled("${$}{k}", null, "${k}", true),
        new Filled("a${*}*", null, "a*b", true),
        new Filled("a${*}*", null, "ab", false),
        new Filled("a${b", null, "a${b", true));
  }

  @ParameterizedTest
  @MethodSource("filled")
  void whatIsFilledInStandsForItself(Filled c) throws MalformedPolicyException {
    Question question =
        new Question(
            ALICE,
            "s3:GetObject",
            Question.resourceOf("b", c.key),
            c.name == null ? NONE : Map.of("aws:username", List.of(c.name)));
    String statement =
        "'Effect':'Allow','Principal':'*','Action':'s3:GetObject','Resource':\"arn:aws:s3:::b/"
            + c.resource
            + '"';
    String json = "{'Version':'2012-10-17','Statement':{" + statement + "}}";
    assertEquals(c.matches ? Answer.ALLOW : Answer.SILENT, answer(json, c.resource, question));
    // The older version of the language, which is that of a policy without any, has no variables.
    for (String version : List.of("'Version':'2008-10-17',", "")) {
      assertEquals(
          Patterns.matches(c.resource, c.key) ? Answer.ALLOW : Answer.SILENT,
          answer("{" + version + "'Statement':{" + statement + "}}", c.resource, question));
    }
  }

  /** Only the quotes around the parts become double ones, not those in the resource. */
  private static Answer answer(String json, String resource, Question question)
      throws MalformedPolicyException {
    String marked = json.replace(resource, "RESOURCE").replace('\'', '"');
    return Policy.ofBucket(marked.replace("RESOURCE", resource), "b").answer(question);
  }

  @Test
  void whatIsFilledIntoAConditionStandsForItself() throws MalformedPolicyException {
    String like =
        "'Effect':'Allow','Principal':'*','Action':'s3:ListBucket','Resource':'arn:aws:s3:::b',"
            + "'Condition':{'StringLike':{'s3:prefix':'${aws:username}/*'}}";
    String same = like.replace("StringLike", "StringEquals").replace("/*", "");
    Object[][] cases = {
      {like, "alice", "alice/x", Answer.ALLOW},
      {like, "*", "bob/x", Answer.SILENT},
      {like, "*", "*/x", Answer.ALLOW},
      {same, "*", "*", Answer.ALLOW},
      {same, "alice", "alice", Answer.ALLOW},
      {same, null, "${aws:username}", Answer.SILENT},
    };
    for (Object[] each : cases) {
      Question.Facts facts = new Question.Facts();
      facts.put("aws:username", (String) each[1]).put("s3:prefix", (String) each[2]);
      assertEquals(
          each[3],
          policy((String) each[0])
              .answer(
                  new Question(
                      ALICE, "s3:ListBucket", Question.resourceOf("b", null), facts.done())),
          each[1] + " " + each[2]);
    }
  }

  /** A fact that cannot be known of a request neither allows nor saves from a denial. */
  @Test
  void whatIsNotKnownIsTakenForTheWorse() throws MalformedPolicyException {
    Map<String, List<String>> unknown = new Question.Facts().unknown("aws:Referer").done();
    for (String condition :
        List.of(
            "'StringLike':{'aws:Referer':'a*'}",
            "'StringNotLike':{'aws:Referer':'a*'}",
            "'ForAllValues:StringLike':{'aws:Referer':'a*'}",
            "'Null':{'aws:Referer':'true'}",
            "'Null':{'aws:Referer':'false'}")) {
      for (Answer answer : List.of(Answer.DENY, Answer.ALLOW)) {
        Policy policy =
            policy(
                "'Effect':'"
                    + (answer == Answer.DENY ? "Deny" : "Allow")
                    + "','Principal':'*','Action':'s3:GetObject','Resource':'arn:aws:s3:::b/*',"
                    + "'Condition':{"
                    + condition
                    + "}");
        Question question =
            new Question(ALICE, "s3:GetObject", Question.resourceOf("b", "k"), unknown);
        assertEquals(
            answer == Answer.DENY ? Answer.DENY : Answer.SILENT,
            policy.answer(question),
            condition);
      }
    }
    // That there may be none is said by the policy itself.
    assertEquals(
        Answer.ALLOW,
        policy(
                "'Effect':'Allow','Principal':'*','Action':'s3:GetObject',"
                    + "'Resource':'arn:aws:s3:::b/*',"
                    + "'Condition':{'StringLikeIfExists':{'aws:Referer':'a*'}}")
            .answer(new Question(ALICE, "s3:GetObject", Question.resourceOf("b", "k"), unknown)));
  }

  private interface Reading {
    Policy of(String json) throws MalformedPolicyException;
  }

  private static void refusesEqualSids(Reading toKeep, Reading kept, String statement)
      throws MalformedPolicyException {
    String called = "'Sid':'%s'," + statement;
    for (String other : List.of("B", "a")) { // by case, too
      toKeep.of(json(called.formatted("A"), called.formatted(other)));
    }
    toKeep.of(json(called.formatted(""), called.formatted(""))); // as Terraform wrote them
    toKeep.of(json("'Sid':null," + statement, "'Sid':null," + statement));
    toKeep.of(json(statement, statement));
    String same = json(called.formatted("A"), called.formatted("A"));
    MalformedPolicyException refused =
        assertThrows(MalformedPolicyException.class, () -> toKeep.of(same));
    assertEquals("Statement IDs (SID) in a single policy must be unique.", refused.getMessage());
    kept.of(same); // one that was taken before goes on
  }

  @Test
  void statementsOfAPolicyThatIsToBeKeptHaveDifferentNames() throws MalformedPolicyException {
    refusesEqualSids(
        Policy::newOfUser,
        Policy::ofUser,
        "'Effect':'Allow','Action':'s3:GetObject','Resource':'*'");
    refusesEqualSids(
        Policy::newOfTrust,
        Policy::ofTrust,
        "'Effect':'Allow','Action':'sts:AssumeRole','Principal':'*'");
    refusesEqualSids(
        json -> Policy.newOfBucket(json, "b"),
        json -> Policy.ofBucket(json, "b"),
        "'Effect':'Allow','Action':'s3:GetObject','Principal':'*','Resource':'arn:aws:s3:::b/*'");
  }

  /** A key that no request ever has would make a denial say nothing, and nobody would know. */
  @ParameterizedTest
  @ValueSource(
      strings = {
        "s3:prefx",
        "s3:RequestObjectTag",
        "s3:ExistingObjectTag/",
        "kms:ViaService",
        "prefix",
        ""
      })
  void aBucketsPolicyAsksForNoKeyThatThereIsNot(String key) throws MalformedPolicyException {
    String statement = onKey(key);
    MalformedPolicyException refused =
        assertThrows(
            MalformedPolicyException.class, () -> Policy.newOfBucket(json(statement), "b"));
    assertEquals("Policy has an invalid condition key", refused.getMessage());
    Policy.ofBucket(json(statement), "b"); // one that was taken before goes on
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "s3:prefix",
        "S3:Prefix",
        "s3:ExistingObjectTag/a/b",
        "s3:RequestObjectTag/level",
        "s3:RequestObjectTagKeys",
        "s3:object-lock-remaining-retention-days",
        "s3:if-none-match",
        "s3:ObjectCreationOperation",
        "s3:TlsVersion",
        "s3:DataAccessPointArn",
        "aws:SourceIp",
        "aws:PrincipalOrgID"
      })
  void aBucketsPolicyAsksForKeysOfS3AndGlobalOnes(String key) throws MalformedPolicyException {
    Policy.newOfBucket(json(onKey(key)), "b");
  }

  private static String onKey(String key) {
    return "'Effect':'Deny','Principal':'*','Action':'s3:GetObject','Resource':'arn:aws:s3:::b/*',"
        + "'Condition':{'StringEquals':{'"
        + key
        + "':'x'}}";
  }

  private static Question question(Case c) {
    return new Question(c.who, c.action, Question.resourceOf("b", c.key), c.facts);
  }

  private static Policy policy(String... statements) throws MalformedPolicyException {
    return Policy.ofBucket(json(statements), "b");
  }

  private static String json(String... statements) {
    return ("{'Version':'2012-10-17','Statement':[{" + String.join("},{", statements) + "}]}")
        .replace('\'', '"');
  }

  @Test
  void aDenialOutweighsWhateverAllows() throws MalformedPolicyException {
    String allow = "'Effect':'Allow','Principal':'*','Action':'*','Resource':'arn:aws:s3:::b/*'";
    String deny =
        "'Effect':'Deny','Principal':'*','Action':'s3:PutObject','Resource':'arn:aws:s3:::b/x'";
    Question put = new Question(ALICE, "s3:PutObject", "arn:aws:s3:::b/x", NONE);
    assertEquals(Answer.DENY, policy(allow, deny).answer(put));
    assertEquals(Answer.DENY, policy(deny, allow).answer(put));
  }

  @Test
  void isPublicIfItGivesSomethingToEverybody() throws MalformedPolicyException {
    String toAll =
        "'Effect':'Allow','Principal':{'AWS':'*'},'Action':'s3:GetObject','Resource':'arn:aws:s3:::b/*'";
    assertTrue(policy(toAll).isPublic());
    assertFalse(policy(toAll.replace("Allow", "Deny")).isPublic());
    assertFalse(policy(toAll.replace("'*'}", "'arn:aws:iam:::user/alice'}")).isPublic());
    assertFalse(
        policy(toAll + ",'Condition':{'IpAddress':{'aws:SourceIp':'10.0.0.0/8'}}").isPublic());
    assertTrue(
        policy(toAll + ",'Condition':{'StringLike':{'aws:Referer':'http://x/*'}}").isPublic());
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "",
        "[]",
        "{",
        "{} {}",
        "{'Statement':[]}",
        "{'Version':'2020-01-01','Statement':[]}",
        "{'Version':'2012-10-17'}",
        "{'Statement':{'Effect':'Allow','Action':'s3:*','Resource':'arn:aws:s3:::b'}}",
        "{'Statement':{'Effect':'Maybe','Principal':'*','Action':'s3:*','Resource':'arn:aws:s3:::b'}}",
        "{'Statement':{'Effect':'Allow','Principal':'me','Action':'s3:*','Resource':'arn:aws:s3:::b'}}",
        "{'Statement':{'Effect':'Allow','Principal':'*','Action':'GetObject','Resource':'arn:aws:s3:::b'}}",
        "{'Statement':{'Effect':'Allow','Principal':'*','Action':'s3:*','Resource':'arn:aws:s3:::other/*'}}",
        "{'Statement':{'Effect':'Allow','Principal':'*','Action':'s3:*','Resource':'arn:aws:s3:::b','Extra':1}}",
        "{'Statement':{'Effect':'Allow','Principal':'*','Action':'s3:*','Resource':'arn:aws:s3:::b','Condition':{'Equals':{'a':'b'}}}}",
        "{'Statement':{'Effect':'Allow','Principal':'*','Action':'s3:*','Resource':'arn:aws:s3:::b','Condition':{'IpAddress':{'aws:SourceIp':'10.0.0.0/33'}}}}",
        "{'Statement':{'Effect':'Allow','Principal':'*','Action':'s3:*','NotAction':'s3:x','Resource':'arn:aws:s3:::b'}}"
      })
  void refusesWhatIsNoPolicyOfTheBucket(String text) {
    MalformedPolicyException e =
        assertThrows(
            MalformedPolicyException.class, () -> Policy.ofBucket(text.replace('\'', '"'), "b"));
    assertEquals(ErrorCode.INVALID_ARGUMENT, e.code());
  }

  @Test
  void aPatternOfAStrangerTakesNoTimeWithoutEnd() {
    assertFalse(Patterns.matches("*a".repeat(500) + "b", "a".repeat(5_000)));
    assertTrue(Patterns.matches("a*?c", "abbc"));
    assertFalse(Patterns.matches("a?", "a"));
    assertTrue(Patterns.matches("**", ""));
  }
}
