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

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.stowage.s3.auth.SignatureV2;
import io.stowage.s3.auth.SigningKey;
import io.stowage.s3.suite.RawS3;
import io.stowage.s3.suite.RawS3.Reply;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.time.Instant;
import java.time.ZoneOffset;
import java.time.format.DateTimeFormatter;
import java.util.Base64;
import java.util.LinkedHashMap;
import java.util.Locale;
import java.util.Map;
import java.util.Random;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;

/** Uploads by forms, as browsers send them: S3's rules one by one. */
class UploadFormTest {
  private static final DateTimeFormatter TIMESTAMP =
      DateTimeFormatter.ofPattern("yyyyMMdd'T'HHmmss'Z'", Locale.ROOT).withZone(ZoneOffset.UTC);
  private static final String BOUNDARY = "----FormBoundary7MA4YWxkTrZu0gW";

  private static InMemoryTarget target;
  private static RawS3 raw;

  @BeforeAll
  static void start() throws Exception {
    target = new InMemoryTarget(Map.of());
    raw =
        new RawS3(
            URI.create("http://127.0.0.1:" + target.gateway.port()),
            InMemoryTarget.ACCESS_KEY,
            InMemoryTarget.SECRET_KEY,
            "us-east-1");
    assertEquals(200, raw.call("PUT", "/bucket").send().status());
    assertEquals(200, raw.call("PUT", "/open").send().status());
    raw.call("DELETE", "/open?publicAccessBlock").send();
    raw.call("PUT", "/open?ownershipControls")
        .body(
            "<OwnershipControls><Rule><ObjectOwnership>ObjectWriter</ObjectOwnership></Rule>"
                + "</OwnershipControls>")
        .send();
    assertEquals(
        200, raw.call("PUT", "/open?acl").header("x-amz-acl", "public-read-write").send().status());
  }

  @AfterAll
  static void stop() {
    target.close();
  }

  /** A form in the making; a right one unless something is changed. */
  private static final class Form {
    final Map<String, String> fields = new LinkedHashMap<>();
    final Map<String, String> after = new LinkedHashMap<>();
    String bucket = "bucket";
    String fileName = "foo.txt";
    byte[] file = "bar".getBytes(StandardCharsets.UTF_8);
    String expiration = Instant.now().plusSeconds(600).toString();
    String conditions =
        "{\"bucket\": \"bucket\"}, [\"starts-with\", \"$key\", \"foo\"], {\"acl\": \"private\"},"
            + " [\"starts-with\", \"$Content-Type\", \"text/plain\"],"
            + " [\"content-length-range\", 0, 1048576]";

    Form() {
      fields.put("key", "foo.txt");
      fields.put("acl", "private");
      fields.put("Content-Type", "text/plain");
    }

    static Form unsigned() {
      Form form = new Form();
      form.bucket = "open";
      form.set("acl", "public-read"); // else it is nobody's but the stranger's
      return form;
    }

    Form set(String name, String value) {
      fields.put(name, value);
      return this;
    }

    Form unset(String name) {
      fields.remove(name);
      return this;
    }

    Form allow(String condition) {
      conditions += ", " + condition;
      return this;
    }

    Form conditions(String all) {
      conditions = all;
      return this;
    }

    Form file(byte[] bytes) {
      file = bytes;
      return this;
    }

    Form signV2() {
      return signV2(
          "{\"expiration\": \"" + expiration + "\", \"conditions\": [" + conditions + "]}");
    }

    Form signV2(String policy) {
      String encoded = Base64.getEncoder().encodeToString(policy.getBytes(StandardCharsets.UTF_8));
      set("AWSAccessKeyId", InMemoryTarget.ACCESS_KEY);
      set("signature", SignatureV2.sign(InMemoryTarget.SECRET_KEY, encoded));
      return set("policy", encoded);
    }

    Form signV4() {
      String now = TIMESTAMP.format(Instant.now());
      String date = now.substring(0, 8);
      set("x-amz-algorithm", "AWS4-HMAC-SHA256");
      set(
          "x-amz-credential",
          InMemoryTarget.ACCESS_KEY + "/" + date + "/us-east-1/s3/aws4_request");
      set("x-amz-date", now);
      allow("{\"x-amz-algorithm\": \"AWS4-HMAC-SHA256\"}");
      allow("[\"starts-with\", \"$x-amz-credential\", \"\"]");
      allow("[\"starts-with\", \"$x-amz-date\", \"\"]");
      String policy =
          "{\"expiration\": \"" + expiration + "\", \"conditions\": [" + conditions + "]}";
      String encoded = Base64.getEncoder().encodeToString(policy.getBytes(StandardCharsets.UTF_8));
      set("policy", encoded);
      return set(
          "x-amz-signature",
          SigningKey.derive(InMemoryTarget.SECRET_KEY, date, "us-east-1", "s3").sign(encoded));
    }

    Reply send() throws IOException {
      ByteArrayOutputStream out = new ByteArrayOutputStream();
      fields.forEach((name, value) -> field(out, name, value));
      if (file != null) {
        out.writeBytes(
            utf8(
                "--"
                    + BOUNDARY
                    + "\r\nContent-Disposition: form-data; name=\"file\"; filename=\""
                    + fileName
                    + "\"\r\nContent-Type: application/x-of-the-file\r\n\r\n"));
        out.writeBytes(file);
        out.writeBytes(utf8("\r\n"));
      }
      after.forEach((name, value) -> field(out, name, value));
      out.writeBytes(utf8("--" + BOUNDARY + "--\r\n"));
      return raw.call("POST", "/" + bucket)
          .header("content-type", "multipart/form-data; boundary=" + BOUNDARY)
          .body(out.toByteArray())
          .sendAsIs();
    }

    private static void field(ByteArrayOutputStream out, String name, String value) {
      out.writeBytes(
          utf8(
              "--"
                  + BOUNDARY
                  + "\r\nContent-Disposition: form-data; name=\""
                  + name
                  + "\"\r\n\r\n"
                  + value
                  + "\r\n"));
    }

    private static byte[] utf8(String text) {
      return text.getBytes(StandardCharsets.UTF_8);
    }
  }

  private static void check(int status, String code, Form form) throws IOException {
    Reply reply = form.send();
    assertEquals(status, reply.status(), reply.text());
    assertEquals(code, reply.code(), reply.text());
  }

  private static String message(Form form) throws IOException {
    return form.send().element("Message");
  }

  private static Reply get(String path) throws IOException {
    return raw.call("GET", path).send();
  }

  @Test
  void aStrangersFormIsAPutByAStranger() throws IOException {
    Reply reply = Form.unsigned().send();
    assertEquals(204, reply.status(), reply.text());
    assertEquals("\"37b51d194a7513e45b56f6524f2d51f2\"", reply.headers().get("etag"));
    assertTrue(reply.headers().get("location").endsWith("/open/foo.txt"));
    assertEquals("bar", get("/open/foo.txt").text());
    Form closed = Form.unsigned();
    closed.bucket = "bucket";
    check(403, "AccessDenied", closed);
  }

  @Test
  void bothVersionsOfTheSignatureAreBelieved() throws IOException {
    check(204, "", new Form().set("key", "foo-v2").signV2());
    check(204, "", new Form().set("key", "foo-v4").signV4());
    Reply got = get("/bucket/foo-v4");
    assertEquals("bar", got.text());
    assertEquals("text/plain", got.headers().get("content-type"));
    check(403, "InvalidAccessKeyId", new Form().signV2().set("AWSAccessKeyId", "foo"));
    check(
        403,
        "SignatureDoesNotMatch",
        new Form().signV2().set("signature", "AAAAAAAAAAAAAAAAAAAAAAAAAAA="));
    check(403, "SignatureDoesNotMatch", new Form().signV4().set("x-amz-signature", "0"));
    check(400, "InvalidArgument", new Form().signV2().unset("signature"));
    check(400, "InvalidArgument", new Form().signV2().unset("policy"));
    check(400, "InvalidArgument", new Form().signV4().unset("x-amz-credential"));
    check(400, "InvalidArgument", new Form().signV4().set("x-amz-credential", "a/b"));
    check(403, "AccessDenied", new Form().signV4().set("x-amz-date", "yesterday"));
  }

  @Test
  void theSuccessActionIsTheClientsChoice() throws IOException {
    Reply created =
        new Form()
            .set("key", "foo-201")
            .set("success_action_status", "201")
            .allow("[\"eq\", \"$success_action_status\", \"201\"]")
            .signV2()
            .send();
    assertEquals(201, created.status());
    assertEquals("foo-201", created.element("Key"));
    assertEquals("bucket", created.element("Bucket"));
    assertTrue(created.element("Location").endsWith("/bucket/foo-201"), created.text());
    assertEquals(200, Form.unsigned().set("success_action_status", "200").send().status());
    Reply unknown = Form.unsigned().set("success_action_status", "404").send();
    assertEquals(204, unknown.status());
    assertEquals(0, unknown.body().length);
    Reply redirected =
        Form.unsigned().set("success_action_redirect", "http://example.com/done?a=b").send();
    assertEquals(303, redirected.status());
    assertEquals(
        "http://example.com/done?a=b&bucket=open&key=foo.txt"
            + "&etag=%2237b51d194a7513e45b56f6524f2d51f2%22",
        redirected.headers().get("location"));
    assertEquals(
        204,
        Form.unsigned().set("success_action_redirect", "no url\r\nset-cookie: a").send().status());
  }

  @Test
  void theFileNameFillsTheKey() throws IOException {
    Form form = Form.unsigned().set("key", "dir/${filename}");
    form.fileName = "C:\\Users\\me\\photo \u00fc.jpg";
    assertEquals(204, form.send().status());
    assertEquals("bar", get("/open/dir/photo%20%C3%BC.jpg").text());
    form.fileName = "";
    form.set("key", "${filename}");
    check(400, "InvalidArgument", form);
  }

  @Test
  void largeFilesPassThrough() throws IOException {
    byte[] large = new byte[3 * 1024 * 1024 + 17];
    new Random(7).nextBytes(large);
    byte[] almost = ("\r\n--" + BOUNDARY.substring(0, 20)).getBytes(StandardCharsets.UTF_8);
    for (int i = 0; i < 200_000; i += almost.length + 3) {
      System.arraycopy(almost, 0, large, i, almost.length);
    }
    assertEquals(204, Form.unsigned().set("key", "large").file(large).send().status());
    assertArrayEquals(large, get("/open/large").body());
    assertEquals(204, Form.unsigned().set("key", "empty").file(new byte[0]).send().status());
    assertEquals(0, get("/open/empty").body().length);
  }

  @Test
  void fieldsAreHeadersOfTheObject() throws IOException {
    Form form =
        new Form()
            .set("key", "foo-meta")
            .set("x-amz-meta-foo", "barclamp")
            .set("Cache-Control", "no-cache")
            .set(
                "tagging",
                "<Tagging><TagSet><Tag><Key>a</Key><Value>1 2</Value></Tag></TagSet>"
                    + "</Tagging>")
            .set("x-ignore-foo", "bar")
            .allow("[\"starts-with\", \"$x-amz-meta-foo\", \"bar\"]")
            .allow("[\"starts-with\", \"$Cache-Control\", \"\"]")
            .allow("[\"starts-with\", \"$tagging\", \"\"]")
            .signV2();
    form.after.put("submit", "Upload");
    check(204, "", form);
    Reply got = get("/bucket/foo-meta");
    assertEquals("barclamp", got.headers().get("x-amz-meta-foo"));
    assertEquals("no-cache", got.headers().get("cache-control"));
    assertEquals("1", got.headers().get("x-amz-tagging-count"));
    assertEquals("1 2", get("/bucket/foo-meta?tagging").element("Value"));
    check(400, "MalformedXML", Form.unsigned().set("tagging", "<no"));
    check(400, "InvalidRequest", Form.unsigned().set("x-amz-checksum-sha256", "nonsense"));
    check(
        400,
        "BadDigest",
        Form.unsigned()
            .set("x-amz-checksum-sha256", Base64.getEncoder().encodeToString(new byte[32])));
    check(
        204,
        "",
        Form.unsigned()
            .set("x-amz-checksum-sha256", "/N4rLtula/QIYB+3If6bXDONEO5CnqBPrlURto+/j7k="));
  }

  @Test
  void namesOfFieldsHaveNoCase() throws IOException {
    Form form =
        new Form()
            .conditions(
                "{\"bUcKeT\": \"bucket\"}, [\"StArTs-WiTh\", \"$KeY\", \"foo\"], {\"AcL\":"
                    + " \"private\"}, [\"StArTs-WiTh\", \"$CoNtEnT-TyPe\", \"text/plain\"],"
                    + " [\"content-length-range\", 0, 1024]");
    form.fields.clear();
    form.set("kEy", "foo.case").set("aCl", "private").set("Content-Type", "text/plain");
    check(204, "", form.signV2());
    Form escaped =
        new Form()
            .set("key", "$foo.txt")
            .conditions(
                "{\"bucket\": \"bucket\"}, [\"starts-with\", \"$key\", \"\\$foo\"], {\"acl\":"
                    + " \"private\"}, [\"starts-with\", \"$Content-Type\", \"\"]");
    check(204, "", escaped.signV2());
  }

  @Test
  void everyFieldMustBeCoveredByAConditionThatHolds() throws IOException {
    assertEquals(
        "Invalid according to Policy: Extra input fields: x-amz-meta-foo",
        message(new Form().set("x-amz-meta-foo", "bar").signV2()));
    check(403, "AccessDenied", new Form().set("key", "other").signV2());
    assertEquals(
        "Invalid according to Policy: Policy Condition failed: [\"eq\", \"$acl\", \"private\"]",
        message(new Form().unset("acl").signV2()).replace("&quot;", "\""));
    check(
        403,
        "AccessDenied",
        new Form()
            .conditions(
                "[\"starts-with\", \"$key\", \"foo\"], {\"acl\": \"private\"},"
                    + " [\"starts-with\", \"$Content-Type\", \"text/plain\"]")
            .signV2());
    check(
        403,
        "AccessDenied",
        new Form()
            .set("x-amz-meta-foo", "barclamp")
            .allow("[\"eq\", \"$x-amz-meta-foo\", \"\"]")
            .signV2());
    check(403, "AccessDenied", new Form().allow("{\"x-amz-meta-foo\": \"a\"}").signV2());
    Form elsewhere = new Form().signV2();
    elsewhere.bucket = "open";
    check(403, "AccessDenied", elsewhere);
    Form late = new Form();
    late.expiration = "2020-01-01T00:00:00Z";
    assertEquals("Invalid according to Policy: Policy expired.", message(late.signV2()));
  }

  @Test
  void theFilesLengthIsBounded() throws IOException {
    String others =
        "{\"bucket\": \"bucket\"}, [\"starts-with\", \"$key\", \"foo\"], {\"acl\": \"private\"},"
            + " [\"starts-with\", \"$Content-Type\", \"\"], ";
    check(400, "EntityTooLarge", length(others + "[\"content-length-range\", 0, 0]"));
    check(400, "EntityTooLarge", length(others + "[\"content-length-range\", 0, 2]"));
    check(204, "", length(others + "[\"content-length-range\", 3, 3]"));
    check(400, "EntityTooSmall", length(others + "[\"content-length-range\", 512, 1000]"));
    check(400, "InvalidPolicyDocument", length(others + "[\"content-length-range\", 0]"));
    check(400, "InvalidPolicyDocument", length(others + "[\"content-length-range\", -1, 0]"));
    check(
        400,
        "EntityTooLarge",
        length(others + "[\"content-length-range\", 0, 1000000]").file(new byte[2_000_000]));
    assertEquals("bar", get("/bucket/foo-range").text());
  }

  private static Form length(String conditions) {
    return new Form().set("key", "foo-range").conditions(conditions).signV2();
  }

  @Test
  void aPolicyThatIsNoneIsNotBelieved() throws IOException {
    String all = "[{\"bucket\": \"bucket\"}]";
    for (String policy :
        new String[] {
          "no json",
          "[]",
          "{}",
          "{\"expiration\": \"2099-01-01T00:00:00Z\"}",
          "{\"expiration\": \"2099-01-01T00:00:00Z\", \"CONDITIONS\": " + all + "}",
          "{\"EXPIRATION\": \"2099-01-01T00:00:00Z\", \"conditions\": " + all + "}",
          "{\"conditions\": " + all + "}",
          "{\"expiration\": \"next week\", \"conditions\": " + all + "}",
          "{\"expiration\": 5, \"conditions\": " + all + "}",
          "{\"expiration\": \"2099-01-01T00:00:00Z\", \"conditions\": {}}",
          "{\"expiration\": \"2099-01-01T00:00:00Z\", \"conditions\": [{}]}",
          "{\"expiration\": \"2099-01-01T00:00:00Z\", \"conditions\": [[\"eq\"]]}",
          "{\"expiration\": \"2099-01-01T00:00:00Z\", \"conditions\": [[\"eq\", \"key\", \"\"]]}",
          "{\"expiration\": \"2099-01-01T00:00:00Z\", \"conditions\": [[\"like\", \"$key\","
              + " \"\"]]}",
        }) {
      check(400, "InvalidPolicyDocument", new Form().signV2(policy));
    }
  }

  @Test
  void whatIsNoFormIsRefused() throws IOException {
    check(400, "InvalidArgument", new Form().unset("key").signV2());
    check(400, "InvalidArgument", new Form().signV2().file(null));
    check(400, "InvalidArgument", Form.unsigned().set("acl", "private").set("ACL", "public-read"));
    check(
        400,
        "MaxPostPreDataLengthExceeded",
        Form.unsigned().set("x-amz-meta-a", "x".repeat(21_000)));
    check(400, "KeyTooLongError", Form.unsigned().set("key", "k".repeat(1025)));
    Reply other =
        raw.call("POST", "/open").header("content-type", "text/plain").body("a=b").sendAsIs();
    assertEquals("PreconditionFailed", other.code());
    assertEquals(412, other.status());
    for (String body :
        new String[] {
          "",
          "x",
          "--" + BOUNDARY,
          "--" + BOUNDARY + "\r\n\r\nno name\r\n--" + BOUNDARY + "--",
          "--" + BOUNDARY + "\r\nContent-Disposition: form-data; name=\"key\"\r\n\r\nk",
          "--"
              + BOUNDARY
              + "\r\nContent-Disposition: form-data; name=\"key\"\r\n\r\nk\r\n--"
              + BOUNDARY
              + "\r\nContent-Disposition: form-data; name=\"file\"\r\n\r\nno end",
        }) {
      Reply reply =
          raw.call("POST", "/open")
              .header("content-type", "multipart/form-data; boundary=" + BOUNDARY)
              .body(body)
              .sendAsIs();
      assertEquals("MalformedPOSTRequest", reply.code(), body + " " + reply.text());
    }
    assertEquals(
        "MalformedPOSTRequest",
        raw.call("POST", "/open")
            .header("content-type", "multipart/form-data")
            .body("x")
            .sendAsIs()
            .code());
  }
}
