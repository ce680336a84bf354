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
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.stowage.s3.auth.SignatureV2;
import io.stowage.s3.suite.RawS3.Reply;
import io.stowage.s3.suite.S3Suite.Target;
import java.io.IOException;
import java.net.URLEncoder;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.time.Instant;
import java.time.ZoneOffset;
import java.time.format.DateTimeFormatter;
import java.time.temporal.ChronoUnit;
import java.util.Base64;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.regex.Pattern;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestInstance;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * What AWS refuses, and in which words: codes, messages and the elements that say what was wrong,
 * as clients and other people's suites compare them.
 */
@TestInstance(TestInstance.Lifecycle.PER_CLASS)
public abstract class S3RefusalsTest {
  private static final AtomicInteger BUCKETS = new AtomicInteger();
  private static final String SMALLEST_PART = Integer.toString(5 << 20);

  private Target target;
  private RawS3 s3;

  /** Starts what is tested, or finds it. */
  protected abstract Target startTarget() throws Exception;

  /** Makes a user who owns nothing and may do nothing to what others own. */
  protected abstract void addUser(String name, String accessKey, String secretKey) throws Exception;

  @BeforeAll
  void start() throws Exception {
    target = startTarget();
    s3 = target.raw();
    addUser("somebody", "AKOTHER", "other");
  }

  private String newBucket(String... headers) throws IOException {
    String bucket =
        "refusals-" + Long.toString(System.nanoTime(), 36) + "-" + BUCKETS.incrementAndGet();
    RawS3.Call call = s3.call("PUT", "/" + bucket);
    for (int i = 0; i < headers.length; i += 2) {
      call.header(headers[i], headers[i + 1]);
    }
    succeeds(200, call.send());
    return bucket;
  }

  private Reply send(String method, String target) throws IOException {
    return s3.call(method, target).send();
  }

  private Reply send(String method, String target, String body) throws IOException {
    return s3.call(method, target).body(body).send();
  }

  private void version(String bucket, String status) throws IOException {
    succeeds(200, send("PUT", "/" + bucket + "?versioning", versioning(status)));
  }

  private static String versioning(String status) {
    return "<VersioningConfiguration><Status>" + status + "</Status></VersioningConfiguration>";
  }

  private static Reply succeeds(int status, Reply reply) {
    assertEquals(status, reply.status(), reply.text());
    return reply;
  }

  /**
   * @param message empty: any
   * @param elements names and texts
   */
  private static void refuses(
      int status, String code, String message, Reply reply, String... elements) {
    assertEquals(code, reply.code(), reply.text());
    assertEquals(status, reply.status());
    if (!message.isEmpty()) {
      assertEquals(message, reply.element("Message").replace("&quot;", "\""));
    }
    for (int i = 0; i < elements.length; i += 2) {
      assertEquals(elements[i + 1], reply.element(elements[i]), reply.text());
    }
  }

  @Test
  void versions() throws IOException {
    String bucket = newBucket();
    refuses(
        400,
        "IllegalVersioningConfigurationException",
        "The Versioning element must be specified",
        send("PUT", "/" + bucket + "?versioning", "<VersioningConfiguration/>"));
    version(bucket, "Enabled");
    String id = send("PUT", "/" + bucket + "/k").headers().get("x-amz-version-id");
    refuses(
        409,
        "BucketNotEmpty",
        "The bucket you tried to delete is not empty. You must delete all versions in the bucket.",
        send("DELETE", "/" + bucket),
        "BucketName",
        bucket);
    succeeds(204, send("DELETE", "/" + bucket + "/k?versionId=" + id));
    refuses(
        404,
        "NoSuchVersion",
        "The specified version does not exist.",
        send("GET", "/" + bucket + "/k?versionId=" + id),
        "Key",
        "k",
        "VersionId",
        id);
    Reply marker = succeeds(204, send("DELETE", "/" + bucket + "/k"));
    refuses(
        405,
        "MethodNotAllowed",
        "",
        send(
            "PUT",
            "/" + bucket + "/k?tagging&versionId=" + marker.headers().get("x-amz-version-id"),
            "<Tagging><TagSet/></Tagging>"),
        "Method",
        "PUT",
        "ResourceType",
        "DeleteMarker");
    // Of tags S3 says that of a current marker, too.
    for (String method : new String[] {"GET", "PUT", "DELETE"}) {
      Reply refused =
          send(
              method,
              "/" + bucket + "/k?tagging",
              method.equals("PUT") ? "<Tagging><TagSet/></Tagging>" : "");
      refuses(405, "MethodNotAllowed", "", refused, "Method", method);
      assertEquals("true", refused.headers().get("x-amz-delete-marker"));
      assertEquals(
          marker.headers().get("x-amz-version-id"), refused.headers().get("x-amz-version-id"));
      assertEquals("DELETE", refused.headers().get("allow"));
    }
    refuses(404, "NoSuchKey", "", send("GET", "/" + bucket + "/k?acl"));
  }

  @Test
  void whoWritesANullVersionIsNotToldItsId() throws IOException {
    String bucket = newBucket();
    version(bucket, "Suspended");
    String key = "/" + bucket + "/k";
    assertNull(send("PUT", key).headers().get("x-amz-version-id"));
    assertNull(
        s3.call("PUT", key + "2")
            .header("x-amz-copy-source", bucket + "/k")
            .send()
            .headers()
            .get("x-amz-version-id"));
    assertEquals("null", send("GET", key).headers().get("x-amz-version-id"));
    assertEquals("null", send("DELETE", key).headers().get("x-amz-version-id"));
  }

  @Test
  void sourcesOfCopiesAreNamed() throws IOException {
    String bucket = newBucket();
    succeeds(200, send("PUT", "/" + bucket + "/from"));
    refuses(404, "NoSuchKey", "", copy(bucket, bucket + "/none"), "Key", "none");
    refuses(404, "NoSuchBucket", "", copy(bucket, "nowhere/none"), "BucketName", "nowhere");
    refuses(
        412,
        "PreconditionFailed",
        "",
        copy(bucket, bucket + "/from", "x-amz-copy-source-if-match", "another"),
        "Condition",
        "x-amz-copy-source-If-Match");
    refuses(
        400,
        "InvalidArgument",
        "Unknown metadata directive.",
        copy(bucket, bucket + "/from", "x-amz-metadata-directive", "BAD"),
        "ArgumentName",
        "x-amz-metadata-directive");
  }

  /**
   * The conditions of a copy's source, of both copies: an entity tag weighs more than a time that
   * asks the same.
   */
  @Test
  void conditionsOfSourcesAreNamed() throws IOException {
    String bucket = newBucket();
    succeeds(200, send("PUT", "/" + bucket + "/from", "content"));
    Map<String, String> from = send("HEAD", "/" + bucket + "/from").headers();
    Map<String, String> values =
        Map.of(
            "its",
            from.get("etag"),
            "another's",
            "\"0123456789abcdef0123456789abcdef\"",
            "then",
            from.get("last-modified"),
            "before",
            "Thu, 01 Jan 2015 00:00:00 GMT");
    String id = send("POST", "/" + bucket + "/to?uploads").element("UploadId");
    String[][] cases = { // what fails, and the conditions
      {"", "Match", "its"},
      {"Match", "Match", "another's"},
      {"", "None-Match", "another's"},
      {"None-Match", "None-Match", "its"},
      {"", "Unmodified-Since", "then"},
      {"Unmodified-Since", "Unmodified-Since", "before"},
      {"", "Modified-Since", "before"},
      {"Modified-Since", "Modified-Since", "then"},
      {"", "Match", "its", "Unmodified-Since", "before"},
      {"Match", "Match", "another's", "Unmodified-Since", "then"},
      {"None-Match", "None-Match", "its", "Modified-Since", "before"},
      {"", "Match", "its", "None-Match", "another's"},
    };
    for (String target : List.of("/to", "/to?partNumber=1&uploadId=" + id)) {
      for (String[] each : cases) {
        RawS3.Call call =
            s3.call("PUT", "/" + bucket + target).header("x-amz-copy-source", bucket + "/from");
        for (int i = 1; i < each.length; i += 2) {
          call.header(
              "x-amz-copy-source-if-" + each[i].toLowerCase(Locale.ROOT), values.get(each[i + 1]));
        }
        Reply reply = call.send();
        if (each[0].isEmpty()) {
          assertEquals(200, reply.status(), () -> String.join(" ", each) + reply.text());
        } else {
          assertEquals(412, reply.status(), () -> String.join(" ", each) + reply.text());
          assertEquals("PreconditionFailed", reply.code());
          assertEquals("x-amz-copy-source-If-" + each[0], reply.element("Condition"));
        }
      }
    }
  }

  private Reply copy(String bucket, String source, String... headers) throws IOException {
    RawS3.Call call = s3.call("PUT", "/" + bucket + "/to").header("x-amz-copy-source", source);
    for (int i = 0; i < headers.length; i += 2) {
      call.header(headers[i], headers[i + 1]);
    }
    return call.send();
  }

  @Test
  void aTimeToComeIsNoCondition() throws IOException {
    String bucket = newBucket();
    succeeds(200, send("PUT", "/" + bucket + "/from"));
    String tomorrow =
        DateTimeFormatter.RFC_1123_DATE_TIME
            .withLocale(Locale.ENGLISH)
            .format(Instant.now().plus(1, ChronoUnit.DAYS).atOffset(ZoneOffset.UTC));
    succeeds(
        200, s3.call("GET", "/" + bucket + "/from").header("if-modified-since", tomorrow).send());
    succeeds(200, copy(bucket, bucket + "/from", "x-amz-copy-source-if-modified-since", tomorrow));
  }

  @Test
  void conditionsOfWritesAreNamed() throws IOException {
    String key = "/" + newBucket() + "/k";
    succeeds(200, send("PUT", key));
    refuses(
        412,
        "PreconditionFailed",
        "",
        s3.call("PUT", key).header("if-none-match", "*").send(),
        "Condition",
        "If-None-Match");
    refuses(
        412,
        "PreconditionFailed",
        "",
        s3.call("PUT", key).header("if-match", "\"0123\"").send(),
        "Condition",
        "If-Match");
    refuses(
        501,
        "NotImplemented",
        "A header you provided implies functionality that is not implemented",
        s3.call("PUT", key).header("if-none-match", "\"0123\"").send(),
        "Header",
        "If-None-Match",
        "additionalMessage",
        "We don't accept the provided value of If-None-Match header for this API");
  }

  @ParameterizedTest
  @ValueSource(strings = {"a=1&a=2", "a=1,b=2"})
  void theHeaderOfTagsIsAQuery(String header) throws IOException {
    refuses(
        400,
        "InvalidArgument",
        "The header 'x-amz-tagging' shall be encoded as UTF-8 then URLEncoded URL query parameters"
            + " without tag name duplicates.",
        s3.call("PUT", "/" + newBucket() + "/k").header("x-amz-tagging", header).send(),
        "ArgumentName",
        "x-amz-tagging",
        "ArgumentValue",
        header.replace("&", "&amp;"));
  }

  @Test
  void tags() throws IOException {
    String bucket = newBucket();
    succeeds(200, send("PUT", "/" + bucket + "/k"));
    String system = tagging("<Tag><Key>aws:a</Key><Value>b</Value></Tag>");
    refuses(
        400,
        "InvalidTag",
        "System tags cannot be added/updated by requester",
        send("PUT", "/" + bucket + "?tagging", system));
    refuses(
        400,
        "InvalidTag",
        "Your TagKey cannot be prefixed with aws:",
        send("PUT", "/" + bucket + "/k?tagging", system));
    StringBuilder many = new StringBuilder();
    for (int i = 0; i <= 50; i++) {
      many.append("<Tag><Key>").append(i).append("</Key><Value/></Tag>");
    }
    refuses(
        400,
        "BadRequest",
        "Bucket tag count cannot be greater than 50",
        send("PUT", "/" + bucket + "?tagging", tagging(many.toString())));
    succeeds(
        204,
        send("PUT", "/" + bucket + "?tagging", tagging("<Tag><Key>a</Key><Value>b</Value></Tag>")));
    succeeds(204, send("PUT", "/" + bucket + "?tagging", tagging("")));
    refuses(404, "NoSuchTagSet", "", send("GET", "/" + bucket + "?tagging"));
  }

  private static String tagging(String tags) {
    return "<Tagging><TagSet>" + tags + "</TagSet></Tagging>";
  }

  @Test
  void locks() throws IOException {
    String plain = newBucket();
    succeeds(200, send("PUT", "/" + plain + "/k"));
    String bypass = "x-amz-bypass-governance-retention";
    refuses(
        400,
        "InvalidArgument",
        bypass + " is only applicable to Object Lock enabled buckets.",
        s3.call("DELETE", "/" + plain + "/k").header(bypass, "true").send(),
        "ArgumentName",
        bypass);
    // Of many keys at once, what is in vain is no error: cleaners of buckets ask for it always.
    String delete = "<Delete><Object><Key>k</Key></Object></Delete>";
    Reply deleted =
        s3.call("POST", "/" + plain + "?delete")
            .header(bypass, "true")
            .header("content-md5", md5(delete))
            .body(delete)
            .send();
    assertTrue(succeeds(200, deleted).text().contains("<Deleted><Key>k</Key></Deleted>"));

    String bucket = newBucket("x-amz-bucket-object-lock-enabled", "true");
    refuses(
        400,
        "MalformedXML",
        "",
        send(
            "PUT",
            "/" + bucket + "?object-lock",
            "<ObjectLockConfiguration><Rule><DefaultRetention><Mode>GOVERNANCE</Mode><Days>1</Days>"
                + "</DefaultRetention></Rule></ObjectLockConfiguration>"));
    String mode = "x-amz-object-lock-mode";
    String until = "x-amz-object-lock-retain-until-date";
    refuses(
        400,
        "InvalidArgument",
        until + " and " + mode + " must both be supplied",
        s3.call("PUT", "/" + bucket + "/k").header(mode, "GOVERNANCE").send(),
        "ArgumentName",
        until);
    Reply held =
        s3.call("PUT", "/" + bucket + "/k")
            .header("x-amz-object-lock-legal-hold", "ON")
            .header("content-md5", md5("x"))
            .body("x")
            .send();
    String id = succeeds(200, held).headers().get("x-amz-version-id");
    refuses(
        403,
        "AccessDenied",
        "Access Denied because object protected by object lock.",
        send("DELETE", "/" + bucket + "/k?versionId=" + id));
    refuses(
        400,
        "InvalidArgument",
        "The retain until date must be in the future!",
        send(
            "PUT",
            "/" + bucket + "/k?retention",
            "<Retention><Mode>GOVERNANCE</Mode><RetainUntilDate>2020-01-01T00:00:00Z"
                + "</RetainUntilDate></Retention>"),
        "ArgumentName",
        "RetainUntilDate");
  }

  private static String md5(String body) {
    try {
      byte[] bytes = body.getBytes(StandardCharsets.UTF_8);
      return Base64.getEncoder().encodeToString(MessageDigest.getInstance("MD5").digest(bytes));
    } catch (NoSuchAlgorithmException e) {
      throw new IllegalStateException("every Java has MD5", e);
    }
  }

  @Test
  void uploads() throws IOException {
    String bucket = newBucket();
    Reply none = succeeds(200, send("GET", "/" + bucket + "?uploads"));
    assertTrue(none.text().contains("<NextKeyMarker></NextKeyMarker>"), none.text());
    assertFalse(none.text().contains("<Prefix>"), none.text());
    String id = send("POST", "/" + bucket + "/k?uploads").element("UploadId");
    assertEquals("k", send("GET", "/" + bucket + "?uploads").element("NextKeyMarker"));
    String first = part(bucket, id, 1);
    String second = part(bucket, id, 2);
    refuses(
        400,
        "EntityTooSmall",
        "Your proposed upload is smaller than the minimum allowed size",
        complete(bucket, id, first, second),
        "ProposedSize",
        "4",
        "MinSizeAllowed",
        SMALLEST_PART,
        "PartNumber",
        "1",
        "ETag",
        first);
    refuses(
        400,
        "InvalidPart",
        "One or more of the specified parts could not be found.  The part may not have been"
            + " uploaded, or the specified entity tag may not match the part's entity tag.",
        complete(bucket, id, "nonsense"),
        "PartNumber",
        "1",
        "ETag",
        "nonsense");
    refuses(404, "NoSuchUpload", "", complete(bucket, "0".repeat(32), "nonsense"));
    refuses(400, "InvalidArgument", "", send("PUT", "/" + bucket + "/k?partNumber=1", "lost"));
    refuses(400, "InvalidArgument", "", send("PUT", "/" + bucket + "/k?uploadId=" + id, "lost"));
    refuses(404, "NoSuchKey", "", send("GET", "/" + bucket + "/k"));
  }

  private String part(String bucket, String upload, int number) throws IOException {
    Reply reply =
        send("PUT", "/" + bucket + "/k?uploadId=" + upload + "&partNumber=" + number, "part");
    return succeeds(200, reply).headers().get("etag").replace("\"", "");
  }

  private Reply complete(String bucket, String upload, String... etags) throws IOException {
    StringBuilder body = new StringBuilder("<CompleteMultipartUpload>");
    for (int i = 0; i < etags.length; i++) {
      body.append("<Part><PartNumber>").append(i + 1).append("</PartNumber><ETag>");
      body.append(etags[i]).append("</ETag></Part>");
    }
    return send(
        "POST",
        "/" + bucket + "/k?uploadId=" + upload,
        body.append("</CompleteMultipartUpload>").toString());
  }

  @ParameterizedTest
  @CsvSource({
    "bytes=1-0, InvalidArgument, ArgumentValue, bytes=1-0",
    "bytes=0-100, InvalidArgument, ArgumentValue, bytes=0-100",
    "bytes=100-200, InvalidRequest, Message, The specified copy range is invalid for the source"
        + " object size"
  })
  void rangesOfCopies(String range, String code, String element, String text) throws IOException {
    String bucket = newBucket();
    succeeds(200, send("PUT", "/" + bucket + "/from", "0123456789"));
    String id = send("POST", "/" + bucket + "/k?uploads").element("UploadId");
    refuses(
        400,
        code,
        "",
        s3.call("PUT", "/" + bucket + "/k?partNumber=1&uploadId=" + id)
            .header("x-amz-copy-source", bucket + "/from")
            .header("x-amz-copy-source-range", range)
            .send(),
        element,
        text);
  }

  @Test
  void buckets() throws IOException {
    String bucket = newBucket();
    refuses(
        409,
        "BucketAlreadyExists",
        "The requested bucket name is not available. The bucket namespace is shared by all users of"
            + " the system. Please select a different name and try again.",
        s3.call("PUT", "/" + bucket).as("AKOTHER", "other").send(),
        "BucketName",
        bucket);
    Reply hidden = s3.call("HEAD", "/" + bucket).as("AKOTHER", "other").send();
    assertEquals(403, hidden.status());
    assertEquals("us-east-1", hidden.headers().get("x-amz-bucket-region"));
    Reply listed = send("GET", "/" + bucket + "?list-type=2");
    assertEquals("us-east-1", listed.headers().get("x-amz-bucket-region"));
    refuses(
        400, "InvalidLocationConstraint", "", send("PUT", "/" + bucket + "-2", located("moon")));
    refuses(
        400,
        "IllegalLocationConstraintException",
        "",
        send("PUT", "/" + bucket + "-2", located("eu-west-1")));
    succeeds(
        200,
        send(
            "PUT",
            "/" + bucket + "-2",
            "<CreateBucketConfiguration><Tags><Tag><Key>a</Key><Value>b</Value></Tag></Tags>"
                + "</CreateBucketConfiguration>"));
    assertEquals("b", send("GET", "/" + bucket + "-2?tagging").element("Value"));
    refuses(
        501,
        "NotImplemented",
        "A header or parameter you provided implies functionality that is not implemented",
        inNamespace(bucket, "account-regional"),
        "Header",
        "x-amz-bucket-namespace");
    refuses(
        400,
        "InvalidArgument",
        "Invalid x-amz-bucket-namespace header",
        inNamespace(bucket, "mine"),
        "ArgumentName",
        "x-amz-bucket-namespace",
        "ArgumentValue",
        "mine");
    assertEquals(404, s3.call("HEAD", "/" + bucket + "-3").send().status());
    succeeds(200, inNamespace(bucket, "global"));
  }

  private Reply inNamespace(String bucket, String which) throws IOException {
    return s3.call("PUT", "/" + bucket + "-3").header("x-amz-bucket-namespace", which).send();
  }

  private static String located(String region) {
    return "<CreateBucketConfiguration><LocationConstraint>"
        + region
        + "</LocationConstraint></CreateBucketConfiguration>";
  }

  @Test
  void accessControlLists() throws IOException {
    String bucket = newBucket("x-amz-object-ownership", "BucketOwnerEnforced");
    refuses(
        400,
        "AccessControlListNotSupported",
        "The bucket does not allow ACLs",
        s3.call("PUT", "/" + bucket + "/k").header("x-amz-acl", "private").send());
    refuses(
        400,
        "MalformedACLError",
        "",
        send(
            "PUT",
            "/" + newBucket() + "?acl",
            "<AccessControlPolicy><AccessControlList><Grant><Grantee><ID>tester</ID></Grantee>"
                + "<Permission>ALL</Permission></Grant></AccessControlList>"
                + "</AccessControlPolicy>"));
    String open = newBucket();
    String owner = send("GET", "/" + open + "?acl").element("ID");
    refuses(400, "MalformedACLError", "", send("PUT", "/" + open + "?acl", list("")));
    refuses(
        400,
        "InvalidArgument",
        "Invalid id",
        send("PUT", "/" + open + "?acl", list("<Owner><ID>nobody-here</ID></Owner>")));
    String right = list("<Owner><ID>" + owner + "</ID></Owner>");
    refuses(
        400,
        "UnexpectedContent",
        "This request does not support content",
        s3.call("PUT", "/" + open + "?acl").header("x-amz-acl", "private").body(right).send());
    succeeds(200, send("PUT", "/" + open + "?acl", right));
    // Groups are shown first, whoever else is granted something.
    succeeds(
        200, s3.call("PUT", "/" + open + "?acl").header("x-amz-acl", "public-read-write").send());
    String shown = send("GET", "/" + open + "?acl").text();
    assertTrue(shown.matches("(?s).*AllUsers.*>READ<.*AllUsers.*>WRITE<.*>FULL_CONTROL<.*"), shown);
    refuses(
        400,
        "InvalidBucketAclWithObjectOwnership",
        "",
        send("PUT", "/" + open + "?ownershipControls", ENFORCED));
    succeeds(200, send("PUT", "/" + open + "?acl", right));
    succeeds(200, send("PUT", "/" + open + "?ownershipControls", ENFORCED));
    // The grants of headers come in the order of permissions.
    String granted = newBucket();
    RawS3.Call grants = s3.call("PUT", "/" + granted + "?acl");
    for (String permission : List.of("full-control", "write-acp", "write", "read-acp", "read")) {
      grants.header(
          "x-amz-grant-" + permission, "uri=http://acs.amazonaws.com/groups/global/AllUsers");
    }
    succeeds(200, grants.send());
    assertEquals(
        List.of("READ", "WRITE", "READ_ACP", "WRITE_ACP", "FULL_CONTROL"),
        Pattern.compile("<Permission>(\\w+)</Permission>")
            .matcher(send("GET", "/" + granted + "?acl").text())
            .results()
            .map(result -> result.group(1))
            .toList());
  }

  private static final String ENFORCED =
      "<OwnershipControls><Rule><ObjectOwnership>BucketOwnerEnforced</ObjectOwnership></Rule>"
          + "</OwnershipControls>";

  private static String list(String owner) {
    return "<AccessControlPolicy>"
        + owner
        + "<AccessControlList></AccessControlList></AccessControlPolicy>";
  }

  @Test
  void documents() throws IOException {
    String bucket = newBucket();
    refuses(
        400,
        "InvalidArgument",
        "The IndexDocument Suffix is not well formed",
        send(
            "PUT",
            "/" + bucket + "?website",
            "<WebsiteConfiguration><IndexDocument><Suffix>a/b</Suffix></IndexDocument>"
                + "</WebsiteConfiguration>"),
        "ArgumentName",
        "IndexDocument",
        "ArgumentValue",
        "a/b");
    refuses(
        400,
        "InvalidArgument",
        "'Date' must be at midnight GMT",
        send(
            "PUT",
            "/" + bucket + "?lifecycle",
            "<LifecycleConfiguration><Rule><Status>Enabled</Status><Filter/><Expiration><Date>"
                + "2099-01-01T01:00:00Z</Date></Expiration></Rule></LifecycleConfiguration>"),
        "ArgumentName",
        "Date");
    refuses(
        400,
        "MalformedPolicy",
        "Policies must be valid JSON and the first byte must be '{'",
        send("PUT", "/" + bucket + "?policy", "nonsense"));
    refuses(
        400,
        "MalformedPolicy",
        "This policy contains invalid Json",
        send("PUT", "/" + bucket + "?policy", "{true}"));
    refuses(
        400,
        "MalformedPolicy",
        "Policy has invalid resource",
        send("PUT", "/" + bucket + "?policy", policy("\"Principal\":\"*\"", "")));
    refuses(
        400,
        "MalformedPolicy",
        "Allow with NotPrincipal is not allowed.",
        send(
            "PUT",
            "/" + bucket + "?policy",
            policy("\"NotPrincipal\":\"*\"", "\"arn:aws:s3:::" + bucket + "/*\"")));
    String named = "{\"Sid\":\"A\",\"Effect\":\"Deny\",\"Principal\":\"*\",";
    String rest = "\"Action\":\"s3:GetObject\",\"Resource\":\"arn:aws:s3:::" + bucket + "/*\"}";
    refuses(
        400,
        "MalformedPolicy",
        "Statement IDs (SID) in a single policy must be unique.",
        send(
            "PUT",
            "/" + bucket + "?policy",
            "{\"Statement\":[" + named + rest + "," + named + rest + "]}"));
    for (String resource : List.of("*/*", bucket.substring(0, 3) + "*/x*")) {
      succeeds(
          204,
          send(
              "PUT",
              "/" + bucket + "?policy",
              policy("\"Principal\":\"*\"", "\"arn:aws:s3:::" + resource + "\"")));
    }
  }

  private static String policy(String principal, String resources) {
    return "{\"Statement\":{\"Effect\":\"Allow\","
        + principal
        + ",\"Action\":\"s3:GetObject\",\"Resource\":["
        + resources
        + "]}}";
  }

  @ParameterizedTest
  @CsvSource({"/there, 200", "https://host/there, 200", "there, 400", "ftp://host, 400"})
  void redirects(String location, int status) throws IOException {
    RawS3.Call call = s3.call("PUT", "/" + newBucket() + "/k");
    Reply reply = call.header("x-amz-website-redirect-location", location).send();
    assertEquals(status, reply.status(), reply.text());
    assertEquals(status == 200 ? "" : "InvalidRedirectLocation", reply.code());
  }

  @Test
  void methodsAndSubResources() throws IOException {
    String bucket = newBucket();
    refuses(405, "MethodNotAllowed", "", send("DELETE", "/" + bucket + "?acl"));
    refuses(501, "NotImplemented", "", send("PUT", "/" + bucket + "?replication", "<a/>"));
    refuses(
        400,
        "InvalidRequest",
        "Conflicting query string parameters: acl, policy",
        send("GET", "/" + bucket + "?policy&acl"));
    refuses(
        400,
        "InvalidRequest",
        "Key is not expected for the GET method ?uploads subresource",
        send("GET", "/" + bucket + "/k?uploads"));
    refuses(
        400,
        "InvalidRequest",
        "There is no such thing as the ?versions sub-resource for a key",
        send("GET", "/" + bucket + "/k?versions"));
    for (String method : List.of("GET", "DELETE")) {
      refuses(
          400,
          "InvalidArgument",
          "You can only specify a copy source header for copy requests.",
          s3.call(method, "/" + bucket + "/k").header("x-amz-copy-source", "a/b").send());
    }
  }

  @Test
  void transfers() throws IOException {
    String key = "/" + newBucket() + "/k";
    refuses(
        501,
        "NotImplemented",
        "",
        s3.call("PUT", key)
            .payloadHash("UNSIGNED-PAYLOAD")
            .withoutContentLength()
            .unsignedHeader("transfer-encoding", "chunked")
            .body("3\r\nabc\r\n0\r\n\r\n")
            .send(),
        "Header",
        "Transfer-Encoding");
    // How long the content is, its framing does not tell.
    refuses(
        411,
        "MissingContentLength",
        "",
        s3.call("PUT", key)
            .payloadHash("STREAMING-UNSIGNED-PAYLOAD-TRAILER")
            .header("x-amz-trailer", "x-amz-checksum-crc32")
            .withoutContentLength()
            .unsignedHeader("transfer-encoding", "chunked")
            .body("3\r\nabc\r\n0\r\n\r\n")
            .send());
    String tagging = "<Tagging><TagSet/></Tagging>";
    refuses(
        400,
        "InvalidRequest",
        "The value of x-amz-content-sha256 header is invalid.",
        s3.call("PUT", key.substring(0, key.length() - 2) + "?tagging")
            .payloadHash("STREAMING-UNSIGNED-PAYLOAD-TRAILER")
            .header("x-amz-decoded-content-length", Integer.toString(tagging.length()))
            .body(Integer.toHexString(tagging.length()) + "\r\n" + tagging + "\r\n0\r\n\r\n")
            .send());
    refuses(
        400,
        "InvalidArgument",
        "",
        s3.call("PUT", key).payloadHash("STREAMING-UNSIGNED-PAYLOAD").body("x").send());
    // A trailer that no header announces would be a checksum that nobody checks.
    refuses(
        400,
        "MalformedTrailerError",
        "",
        s3.call("PUT", key)
            .payloadHash("STREAMING-UNSIGNED-PAYLOAD-TRAILER")
            .header("x-amz-decoded-content-length", "3")
            .body("3\r\nabc\r\n0\r\nx-amz-checksum-crc32:AAAAAA==\r\n\r\n")
            .send());
    refuses(400, "BadRequest", "", s3.call("PUT", key).unsignedHeader("host", "another").send());
    refuses(404, "NoSuchKey", "", send("GET", key));
  }

  @Test
  void signatures() throws IOException {
    String bucket = newBucket();
    refuses(
        400,
        "InvalidArgument",
        "Unsupported Authorization Type",
        s3.call("GET", "/" + bucket).unsignedHeader("authorization", "Other x").sendAsIs());
    Reply wrong = s3.call("GET", "/" + bucket).as(target.accessKey(), "not this").send();
    refuses(403, "SignatureDoesNotMatch", "", wrong);
    assertEquals(
        wrong.element("StringToSign").length() * 3 - 1,
        wrong.element("StringToSignBytes").length());
    assertTrue(wrong.element("CanonicalRequestBytes").startsWith("47 45 54 0a 2f"), wrong.text());
  }

  @ParameterizedTest
  @ValueSource(strings = {"", "/"})
  void version2SignsABucketWithASlashOrWithout(String slash) throws IOException {
    String bucket = newBucket();
    String date =
        DateTimeFormatter.RFC_1123_DATE_TIME
            .withLocale(Locale.ENGLISH)
            .format(Instant.now().atOffset(ZoneOffset.UTC));
    String toSign = "GET\n\n\n" + date + "\n/" + bucket + slash + "?acl";
    succeeds(
        200,
        s3.call("GET", "/" + bucket + "?acl")
            .unsignedHeader("date", date)
            .unsignedHeader(
                "authorization",
                "AWS " + target.accessKey() + ":" + SignatureV2.sign(target.secretKey(), toSign))
            .sendAsIs());
  }

  /** As botocore does it; in a link the same would let others add to what they were given. */
  @Test
  void version2MayLeaveOutSubResourcesThatCameLate() throws IOException {
    String key = "/" + newBucket() + "/k";
    succeeds(200, send("PUT", key));
    String date =
        DateTimeFormatter.RFC_1123_DATE_TIME
            .withLocale(Locale.ENGLISH)
            .format(Instant.now().atOffset(ZoneOffset.UTC));
    for (String signed : List.of("", "?legal-hold")) {
      String toSign = "GET\n\n\n" + date + "\n" + key + signed;
      Reply reply =
          s3.call("GET", key + "?legal-hold")
              .unsignedHeader("date", date)
              .unsignedHeader(
                  "authorization",
                  "AWS " + target.accessKey() + ":" + SignatureV2.sign(target.secretKey(), toSign))
              .sendAsIs();
      assertEquals("InvalidRequest", reply.code(), "there is no lock, and it is let in");
    }
    long expires = Instant.now().getEpochSecond() + 60;
    for (String signed : List.of("", "?legal-hold")) {
      String signature =
          SignatureV2.sign(target.secretKey(), "GET\n\n\n" + expires + "\n" + key + signed);
      Reply reply =
          s3.call(
                  "GET",
                  key
                      + "?legal-hold&AWSAccessKeyId="
                      + target.accessKey()
                      + "&Expires="
                      + expires
                      + "&Signature="
                      + URLEncoder.encode(signature, StandardCharsets.UTF_8))
              .sendAsIs();
      assertEquals(signed.isEmpty() ? "SignatureDoesNotMatch" : "InvalidRequest", reply.code());
    }
  }

  @Test
  void presignedForAnotherRegion() throws IOException {
    RawS3 elsewhere =
        new RawS3(target.endpoint(), target.accessKey(), target.secretKey(), "eu-west-1");
    String url = elsewhere.presign("GET", "/" + newBucket(), Instant.now(), "60");
    refuses(
        400,
        "AuthorizationQueryParametersError",
        "Error parsing the X-Amz-Credential parameter; the region 'eu-west-1' is wrong; expecting"
            + " 'us-east-1'",
        s3.call("GET", url).sendAsIs(),
        "Region",
        "us-east-1");
  }
}
