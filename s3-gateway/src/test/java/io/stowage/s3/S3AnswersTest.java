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
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.stowage.common.expiry.LifecycleRules;
import io.stowage.common.id.WriteId;
import io.stowage.common.proto.UpdateBucketRequest;
import io.stowage.s3.payload.HashKind;
import io.stowage.s3.suite.RawS3;
import io.stowage.s3.suite.RawS3.Reply;
import io.stowage.s3.suite.S3Suite.Target;
import java.io.IOException;
import java.net.Socket;
import java.net.URLDecoder;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.time.Instant;
import java.time.ZoneOffset;
import java.time.format.DateTimeFormatter;
import java.util.ArrayList;
import java.util.Base64;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.regex.Pattern;
import org.apache.hadoop.thirdparty.protobuf.ByteString;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestInstance;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * Answers in their smallest parts, as AWS gives them and other suites (Ceph's s3-tests, botocore's
 * habits) ask for them.
 */
@TestInstance(TestInstance.Lifecycle.PER_CLASS)
class S3AnswersTest {
  private static final AtomicInteger BUCKETS = new AtomicInteger();

  private InMemoryTarget gateway;
  private Target target;
  private RawS3 s3;

  @BeforeAll
  void start() throws Exception {
    gateway = new InMemoryTarget(Map.of());
    gateway.addIdentity("AKOTHER", "other", "somebody", false);
    target = gateway.target();
    s3 = target.raw();
  }

  @AfterAll
  void stop() {
    gateway.close();
  }

  private String newBucket() throws IOException {
    String bucket = "answers-" + BUCKETS.incrementAndGet();
    assertEquals(200, s3.call("PUT", "/" + bucket).send().status());
    return bucket;
  }

  private Reply put(String path, String body) throws IOException {
    Reply reply = s3.call("PUT", path).body(body).send();
    assertEquals(200, reply.status(), reply.text());
    return reply;
  }

  private static void assertError(int status, String code, Reply reply) {
    assertEquals(code, reply.code(), reply.text());
    assertEquals(status, reply.status());
  }

  @ParameterizedTest
  @ValueSource(strings = {"200", "", "the unexpected"})
  void ignoresWhatElseIsExpected(String expectation) throws IOException {
    String bucket = newBucket();
    assertEquals(
        200,
        s3.call("PUT", "/" + bucket + "/k")
            .body("text")
            .unsignedHeader("expect", expectation)
            .send()
            .status());
  }

  @Test
  void sendsNo100BeforeAnEmptyBodyAndEndsTheConnection() throws IOException {
    String bucket = newBucket();
    for (String key : new String[] {"k", "k?uploadId=" + "0".repeat(32) + "&partNumber=1"}) {
      RawS3.Call call =
          s3.call("PUT", "/" + bucket + "/" + key).unsignedHeader("expect", "100-continue");
      call.sign();
      try (Socket socket = s3.open()) {
        socket.getOutputStream().write(call.wire());
        Reply reply = RawS3.readReply(socket.getInputStream(), false);
        assertEquals(key.equals("k") ? 200 : 404, reply.status());
        assertEquals("close", reply.headers().get("connection"));
      }
    }
  }

  /**
   * As SDKs of 2026 send them: to take such a body unchecked would tell them that it was checked.
   */
  @ParameterizedTest
  @ValueSource(strings = {"sha512", "md5", "xxhash64", "xxhash3", "xxhash128"})
  void checksumsThatCannotBeComputedAreRefused(String kind) throws IOException {
    String key = "/" + newBucket() + "/k";
    String header = "x-amz-checksum-" + kind;
    assertError(501, "NotImplemented", s3.call("PUT", key).header(header, "AA==").body("x").send());
    assertEquals(404, s3.call("HEAD", key).send().status());
    String id = s3.call("POST", key + "?uploads").send().element("UploadId");
    String part = key + "?partNumber=1&uploadId=" + id;
    assertError(
        501, "NotImplemented", s3.call("PUT", part).header(header, "AA==").body("x").send());
    String etag = s3.call("PUT", part).body("x").send().headers().get("etag");
    String document =
        "<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>"
            + etag.replace("\"", "")
            + "</ETag></Part></CompleteMultipartUpload>";
    RawS3.Call complete = s3.call("POST", key + "?uploadId=" + id).body(document);
    assertError(501, "NotImplemented", complete.header(header, "AA==-1").send());
    assertEquals(404, s3.call("HEAD", key).send().status());
  }

  /** An action of 2025: without it these would make the bucket again, and list it. */
  @Test
  void tagsOfBucketsDecideNothing() throws IOException {
    String bucket = "/" + newBucket();
    assertEquals("Disabled", s3.call("GET", bucket + "?abac").send().element("Status"));
    String document = "<AbacStatus><Status>Enabled</Status></AbacStatus>";
    assertError(501, "NotImplemented", s3.call("PUT", bucket + "?abac").body(document).send());
    assertError(501, "NotImplemented", s3.call("PUT", bucket + "-2?abac").body(document).send());
    assertEquals(404, s3.call("HEAD", bucket + "-2").send().status());
  }

  /** Actions of 2026: without them an annotation would take the object's place, or delete it. */
  @Test
  void annotationsTouchNoObject() throws IOException {
    String bucket = "/" + newBucket();
    put(bucket + "/k", "text");
    String named = bucket + "/k?annotation&annotationName=a";
    for (String method : List.of("PUT", "GET", "DELETE")) {
      assertError(501, "NotImplemented", s3.call(method, named).body("note").send());
    }
    assertError(501, "NotImplemented", s3.call("GET", bucket + "/k?annotation").send());
    assertError(501, "NotImplemented", s3.call("PUT", bucket + "/k?encryption").body("x").send());
    assertEquals("text", s3.call("GET", bucket + "/k").send().text());
    assertError(
        501, "NotImplemented", s3.call("PUT", bucket + "-2?metadataAnnotationTable").send());
    assertEquals(404, s3.call("HEAD", bucket + "-2").send().status());
  }

  /** What a newer gateway or a damaged row left there: headers less, and nothing else. */
  @Test
  void rulesThatCannotBeReadCostTheirHeadersAlone() throws Exception {
    String bucket = newBucket();
    put(
        "/" + bucket + "?lifecycle",
        "<LifecycleConfiguration><Rule><ID>all</ID><Filter/><Status>Enabled</Status>"
            + "<Expiration><Days>1</Days></Expiration><AbortIncompleteMultipartUpload>"
            + "<DaysAfterInitiation>1</DaysAfterInitiation></AbortIncompleteMultipartUpload>"
            + "</Rule></LifecycleConfiguration>");
    String key = "/" + bucket + "/k";
    assertTrue(put(key, "text").headers().containsKey("x-amz-expiration"));
    var unused =
        gateway.namespace.updateBucket(
            UpdateBucketRequest.newBuilder()
                .setName(bucket)
                .putPut(LifecycleRules.SETTING, ByteString.copyFromUtf8("no rules"))
                .setWriteId(WriteId.random())
                .build());
    List<Reply> replies =
        List.of(
            put(key, "text"),
            s3.call("GET", key).send(),
            s3.call("HEAD", key).send(),
            s3.call("PUT", key + "2").header("x-amz-copy-source", key).send(),
            s3.call("POST", key + "?uploads").send());
    for (Reply reply : replies) {
      assertEquals(200, reply.status(), reply.text());
      assertFalse(reply.headers().containsKey("x-amz-expiration"));
      assertFalse(reply.headers().containsKey("x-amz-abort-date"));
    }
    String id = replies.get(4).element("UploadId");
    assertEquals(200, s3.call("GET", key + "?uploadId=" + id).send().status());
  }

  @Test
  void asksForTheLengthOfAnObject() throws IOException {
    String bucket = newBucket();
    assertError(
        411,
        "MissingContentLength",
        s3.call("PUT", "/" + bucket + "/k").withoutContentLength().send());
    assertEquals(200, s3.call("PUT", "/" + bucket + "-2").withoutContentLength().send().status());
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "deflate, gzip | deflate, gzip",
        "deflate,gzip | deflate,gzip",
        "gzip, aws-chunked | gzip",
        "aws-chunked, gzip | gzip",
        "aws-chunked, deflate, gzip, aws-chunked | deflate, gzip",
        "aws-chunked |"
      })
  void keepsTheEncodingOfTheObjectAsItWasWritten(String sent, String kept) throws IOException {
    String key = "/" + newBucket() + "/k";
    assertEquals(200, s3.call("PUT", key).header("content-encoding", sent).send().status());
    assertEquals(kept, s3.call("HEAD", key).send().headers().get("content-encoding"));
  }

  @Test
  void takesAnEmptyAuthorizationForNone() throws IOException {
    String bucket = newBucket();
    assertError(
        403,
        "AccessDenied",
        s3.call("GET", "/" + bucket + "/k").unsignedHeader("authorization", "").sendAsIs());
  }

  @Test
  void recreatingOnesBucketInTheOldestRegionOnlyResetsItsList() throws IOException {
    String bucket = newBucket();
    put("/" + bucket + "/k", "text");
    assertEquals(
        200,
        s3.call("PUT", "/" + bucket + "?acl").header("x-amz-acl", "public-read").send().status());
    assertEquals(200, s3.call("GET", "/" + bucket + "/k").send().status());
    assertEquals(200, s3.call("PUT", "/" + bucket).send().status());
    assertEquals("text", s3.call("GET", "/" + bucket + "/k").send().text());
    assertFalse(s3.call("GET", "/" + bucket + "?acl").send().text().contains("AllUsers"));
    assertError(
        409, "BucketAlreadyExists", s3.call("PUT", "/" + bucket).as("AKOTHER", "other").send());
  }

  /** Of the oldest region S3 says nothing, as there was no other then. */
  @Test
  void tellsWhereABucketIs() throws Exception {
    Reply here = s3.call("GET", "/" + newBucket() + "?location").send();
    assertEquals(200, here.status());
    assertTrue(
        here.text()
            .matches("(?s).*<LocationConstraint xmlns=\"[^\"]+\"(/>|></LocationConstraint>)"),
        here.text());
  }

  @Test
  void recreatingOnesBucketElsewhereIsAConflict() throws Exception {
    try (InMemoryTarget elsewhere = new InMemoryTarget(Map.of("stowage.s3.region", "eu-west-1"))) {
      RawS3 there =
          new RawS3(
              elsewhere.target().endpoint(),
              InMemoryTarget.ACCESS_KEY,
              InMemoryTarget.SECRET_KEY,
              "eu-west-1");
      assertEquals(200, there.call("PUT", "/abc").send().status());
      assertError(409, "BucketAlreadyOwnedByYou", there.call("PUT", "/abc").send());
      String location = there.call("GET", "/abc?location").send().text();
      assertTrue(location.endsWith(">eu-west-1</LocationConstraint>"), location);
    }
  }

  /** A worker decides about who has signed nothing before the client sends anything. */
  @Test
  void aStrangerIsRefusedBeforeTheBodyAndToldToGoOnWhereHeMay() throws IOException {
    String bucket = newBucket();
    RawS3.Call put =
        s3.call("PUT", "/" + bucket + "/k").unsignedHeader("expect", "100-continue").body("text");
    byte[] wire = put.wire();
    byte[] body = "text".getBytes(StandardCharsets.US_ASCII);
    try (Socket socket = s3.open()) {
      socket.getOutputStream().write(wire, 0, wire.length - body.length);
      assertEquals(
          "HTTP/1.1 403",
          new String(socket.getInputStream().readNBytes(12), StandardCharsets.US_ASCII));
    }
    assertEquals(
        200,
        s3.call("PUT", "/" + bucket + "?acl")
            .header("x-amz-acl", "public-read-write")
            .send()
            .status());
    try (Socket socket = s3.open()) {
      socket.getOutputStream().write(wire, 0, wire.length - body.length);
      String leave = "HTTP/1.1 100 Continue\r\n\r\n";
      assertEquals(
          leave,
          new String(
              socket.getInputStream().readNBytes(leave.length()), StandardCharsets.US_ASCII));
      socket.getOutputStream().write(body);
      assertEquals(200, RawS3.readReply(socket.getInputStream(), false).status());
    }
  }

  @Test
  void aDeletionOfManyNeedsNoDigest() throws IOException {
    String bucket = newBucket();
    put("/" + bucket + "/k", "text");
    Reply reply =
        s3.call("POST", "/" + bucket + "?delete")
            .body("<Delete><Object><Key>k</Key></Object></Delete>")
            .send();
    assertEquals(200, reply.status(), reply.text());
    assertTrue(reply.text().contains("<Deleted><Key>k</Key></Deleted>"), reply.text());
    assertEquals(404, s3.call("HEAD", "/" + bucket + "/k").send().status());
  }

  @Test
  void uploadsOfAKeyAreListedAsTheyWereBegunAndPartsMayRepeatTheMode() throws IOException {
    String bucket = newBucket();
    List<String> begun = new ArrayList<>();
    for (int i = 0; i < 12; i++) {
      begun.add(s3.call("POST", "/" + bucket + "/k?uploads=").send().element("UploadId"));
    }
    String listed = s3.call("GET", "/" + bucket + "?uploads").send().text();
    assertEquals(
        begun,
        Pattern.compile("<UploadId>(\\w+)</UploadId>")
            .matcher(listed)
            .results()
            .map(result -> result.group(1))
            .toList());
    assertEquals(
        200,
        s3.call("PUT", "/" + bucket + "/k?partNumber=1&uploadId=" + begun.get(0))
            .header("x-amz-server-side-encryption", "AES256")
            .body("text")
            .send()
            .status());
  }

  /** Some clients compare what a listing says with what the object does. */
  @Test
  void timesOfListingsAreWholeSeconds() throws IOException {
    String bucket = newBucket();
    put("/" + bucket + "/k", "text");
    String time = s3.call("GET", "/" + bucket).send().element("LastModified");
    assertTrue(time.endsWith(".000Z"), time);
    assertEquals(
        s3.call("HEAD", "/" + bucket + "/k").send().headers().get("last-modified"),
        DateTimeFormatter.ofPattern("EEE, dd MMM yyyy HH:mm:ss 'GMT'", Locale.ENGLISH)
            .withZone(ZoneOffset.UTC)
            .format(Instant.parse(time)));
  }

  @Test
  void theAccountMayBeTheExpectedOwner() throws IOException {
    String bucket = newBucket();
    put("/" + bucket + "/k", "text");
    for (String[] expected :
        new String[][] {{"000000000000", "200"}, {"123456789012", "403"}, {"tester", "200"}}) {
      assertEquals(
          expected[1],
          Integer.toString(
              s3.call("GET", "/" + bucket + "/k")
                  .header("x-amz-expected-bucket-owner", expected[0])
                  .send()
                  .status()));
    }
  }

  @Test
  void listsBucketsOfARegion() throws IOException {
    String bucket = newBucket();
    assertEquals("", s3.call("GET", "/?x-id=ListBuckets").send().element("BucketRegion"));
    assertEquals("us-east-1", s3.call("GET", "/?prefix=" + bucket).send().element("BucketRegion"));
    assertTrue(
        s3.call("GET", "/?bucket-region=us-east-1")
            .send()
            .text()
            .contains("<Name>" + bucket + "</Name>"));
    Reply none = s3.call("GET", "/?bucket-region=eu-west-1").send();
    assertEquals(200, none.status());
    assertEquals("", none.element("Name"));
  }

  @Test
  void anEmptyContinuationTokenIsTheBeginning() throws IOException {
    String bucket = newBucket();
    Reply buckets = s3.call("GET", "/?continuation-token=&prefix=" + bucket).send();
    assertEquals(bucket, buckets.element("Name"), buckets.text());
    put("/" + bucket + "/k", "text");
    Reply listed = s3.call("GET", "/" + bucket + "?continuation-token=&list-type=2").send();
    assertEquals("k", listed.element("Key"));
    assertTrue(listed.text().contains("<ContinuationToken></ContinuationToken>"), listed.text());
  }

  /** All that is a key, or a part of one; and nothing of it is encoded for who did not ask. */
  @ParameterizedTest
  @CsvSource({
    "'list-type=2&start-after=a%20%2B', StartAfter, 'a +'",
    "'marker=a%20%2B', Marker, 'a +'",
    "'versions', Key, 'a b/c+%ä&d'",
    "'uploads', Key, 'a b/c+%ä&d'"
  })
  void keysAreEncodedInAListingThatIsAskedForIt(String query, String name, String plain)
      throws IOException {
    String path = "/" + newBucket();
    put(path + "/a%20b/c%2B%25%C3%A4%26d", "text");
    assertEquals(200, s3.call("POST", path + "/a%20b/c%2B%25%C3%A4%26d?uploads").send().status());
    String target = path + "?" + query + "&prefix=a%20&delimiter=%26";
    Reply asked = s3.call("GET", target + "&encoding-type=url").send();
    assertEquals(200, asked.status(), asked.text());
    assertEquals("url", asked.element("EncodingType"));
    assertEquals("a%20", asked.element("Prefix"));
    assertEquals("%26", asked.element("Delimiter"));
    assertTrue(
        asked
            .text()
            .contains("<CommonPrefixes><Prefix>a%20b/c%2B%25%C3%A4%26</Prefix></CommonPrefixes>"),
        asked.text());
    Reply plainly = s3.call("GET", target).send();
    assertEquals("", plainly.element("EncodingType"));
    assertEquals("a ", plainly.element("Prefix"));
    assertEquals("&amp;", plainly.element("Delimiter"));
    String each = path + "?" + query + "&max-keys=1&max-uploads=1";
    String encoded = s3.call("GET", each + "&encoding-type=url").send().element(name);
    assertEquals(plain, URLDecoder.decode(encoded, StandardCharsets.UTF_8));
    assertTrue(encoded.matches("[-a-zA-Z0-9._~/%]+"), encoded);
    assertEquals(plain.replace("&", "&amp;"), s3.call("GET", each).send().element(name));
  }

  @Test
  void namesWhatIsNotThere() throws IOException {
    String bucket = newBucket();
    Reply key = s3.call("GET", "/" + bucket + "/no%20key").send();
    assertError(404, "NoSuchKey", key);
    assertEquals("no key", key.element("Key"));
    assertEquals("/" + bucket + "/no%20key", key.element("Resource"));
    assertEquals(key.headers().get("x-amz-request-id"), key.element("RequestId"));
    Reply absent = s3.call("GET", "/" + bucket + "-none/k").send();
    assertError(404, "NoSuchBucket", absent);
    assertEquals(bucket + "-none", absent.element("BucketName"));
    String id = "0".repeat(32);
    Reply upload = s3.call("DELETE", "/" + bucket + "/k?uploadId=" + id).send();
    assertError(404, "NoSuchUpload", upload);
    assertEquals(id, upload.element("UploadId"));
    put("/" + bucket + "/k", "text");
    Reply full = s3.call("DELETE", "/" + bucket).send();
    assertError(409, "BucketNotEmpty", full);
    assertEquals(bucket, full.element("BucketName"));
  }

  @Test
  void overridesOnlyForThoseWhoSign() throws IOException {
    String bucket = newBucket();
    s3.call("PUT", "/" + bucket + "/k").body("text").header("x-amz-acl", "public-read").send();
    assertEquals("text", s3.call("GET", "/" + bucket + "/k").sendAsIs().text());
    assertError(
        400,
        "InvalidRequest",
        s3.call("GET", "/" + bucket + "/k?response-content-type=a%2Fb").sendAsIs());
    assertEquals(
        "a/b",
        s3.call("GET", "/" + bucket + "/k?response-content-type=a%2Fb")
            .send()
            .headers()
            .get("content-type"));
  }

  @Test
  void tagsAreOfLettersDigitsSpacesAndFewSigns() throws IOException {
    String bucket = newBucket();
    put("/" + bucket + "/k", "text");
    assertEquals(200, putTag(bucket, "a +-=._:/@ü1", "").status());
    for (String sign : new String[] {"&lt;", "?", "*", "%", "&amp;", "{"}) {
      assertError(400, "InvalidTag", putTag(bucket, "a" + sign, "v"));
      assertError(400, "InvalidTag", putTag(bucket, "a", "v" + sign));
    }
  }

  private Reply putTag(String bucket, String key, String value) throws IOException {
    return s3.call("PUT", "/" + bucket + "/k?tagging=")
        .body(
            "<Tagging><TagSet><Tag><Key>"
                + key
                + "</Key><Value>"
                + value
                + "</Value></Tag></TagSet></Tagging>")
        .send();
  }

  @Test
  void checksWhoOwnsTheSourceOfACopy() throws IOException {
    String bucket = newBucket();
    put("/" + bucket + "/k", "text");
    String owner = s3.call("GET", "/").send().element("ID");
    assertError(
        403,
        "AccessDenied",
        s3.call("PUT", "/" + bucket + "/copy")
            .header("x-amz-copy-source", bucket + "/k")
            .header("x-amz-source-expected-bucket-owner", "123456789012")
            .send());
    assertEquals(
        200,
        s3.call("PUT", "/" + bucket + "/copy")
            .header("x-amz-copy-source", bucket + "/k")
            .header("x-amz-source-expected-bucket-owner", owner)
            .send()
            .status());
  }

  /** As URLEncoder of Java writes one. */
  @Test
  void aPlusInACopySourceIsASpace() throws IOException {
    String bucket = newBucket();
    put("/" + bucket + "/my%20file", "of a space");
    put("/" + bucket + "/my%2Bfile", "of a plus");
    for (String[] copied :
        new String[][] {
          {"my+file", "of a space"}, {"my%20file", "of a space"}, {"my%2Bfile", "of a plus"}
        }) {
      Reply reply =
          s3.call("PUT", "/" + bucket + "/copy")
              .header("x-amz-copy-source", bucket + "/" + copied[0])
              .send();
      assertEquals(200, reply.status(), reply.text());
      assertEquals(copied[1], s3.call("GET", "/" + bucket + "/copy").send().text(), copied[0]);
    }
  }

  @Test
  void aRefusedPreflightSaysOfWhat() throws IOException {
    String bucket = newBucket();
    for (String key : new String[] {"", "/k"}) {
      Reply refused =
          s3.call("OPTIONS", "/" + bucket + key)
              .unsignedHeader("origin", "http://a.example")
              .unsignedHeader("access-control-request-method", "PUT")
              .sendAsIs();
      assertError(403, "AccessForbidden", refused);
      assertEquals("PUT", refused.element("Method"));
      assertEquals(key.isEmpty() ? "BUCKET" : "OBJECT", refused.element("ResourceType"));
    }
  }

  @Test
  void pagesOfOtherOriginsMayReadErrors() throws IOException {
    String bucket = newBucket();
    s3.call("PUT", "/" + bucket + "?cors=")
        .body(
            "<CORSConfiguration><CORSRule><AllowedOrigin>http://a.example</AllowedOrigin>"
                + "<AllowedMethod>GET</AllowedMethod></CORSRule></CORSConfiguration>")
        .send();
    Reply absent =
        s3.call("GET", "/" + bucket + "/none").header("origin", "http://a.example").send();
    assertError(404, "NoSuchKey", absent);
    assertEquals("http://a.example", absent.headers().get("access-control-allow-origin"));
    Reply denied =
        s3.call("GET", "/" + bucket + "/none").header("origin", "http://a.example").sendAsIs();
    assertError(403, "AccessDenied", denied);
    assertEquals("http://a.example", denied.headers().get("access-control-allow-origin"));
    Reply unproven =
        s3.call("GET", "/" + bucket + "/none")
            .as("AKOTHER", "not its secret")
            .header("origin", "http://a.example")
            .send();
    assertError(403, "SignatureDoesNotMatch", unproven);
    assertEquals("http://a.example", unproven.headers().get("access-control-allow-origin"));
    assertError(
        403,
        "SignatureDoesNotMatch",
        s3.call("GET", "/" + bucket + "-none/k")
            .as("AKOTHER", "not its secret")
            .header("origin", "http://a.example")
            .send());
    Reply stranger =
        s3.call("GET", "/" + bucket + "/none").header("origin", "http://b.example").send();
    assertEquals(null, stranger.headers().get("access-control-allow-origin"));
  }

  @Test
  void aConditionOnTheTagOfNothingIsNoSuchKey() throws IOException {
    String bucket = newBucket();
    assertError(
        404,
        "NoSuchKey",
        s3.call("PUT", "/" + bucket + "/k").body("x").header("if-match", "\"abc\"").send());
  }

  @Test
  void whatIsNotModifiedIsNamed() throws IOException {
    String bucket = newBucket();
    String path = "/" + bucket + "/k";
    String etag = s3.call("PUT", path).body("x").send().headers().get("etag");
    Reply reply = s3.call("GET", path).header("if-none-match", etag).send();
    assertEquals(304, reply.status());
    assertEquals(etag, reply.headers().get("etag"));
    assertTrue(reply.headers().containsKey("last-modified"), reply.headers().toString());
    assertEquals("", reply.text());
  }

  @Test
  void conditionsAndSignaturesTakeDatesWithAnyDayOfTheWeek() throws IOException {
    String path = "/" + newBucket() + "/k";
    assertEquals(200, s3.call("PUT", path).body("x").send().status());
    assertError(
        412,
        "PreconditionFailed",
        s3.call("GET", path).header("if-unmodified-since", "Tue, 07 Jul 2010 21:53:04 GMT").send());
    String v2 = "AWS " + InMemoryTarget.ACCESS_KEY + ":c2lnbmF0dXJl";
    for (String date : List.of("Tue, 07 Jul 2010 21:53:04 GMT", "Wed, 07 Jul 9999 21:53:04 GMT")) {
      assertError(
          403,
          "RequestTimeTooSkewed",
          s3.call("GET", path).header("authorization", v2).header("x-amz-date", date).sendAsIs());
    }
    assertError(
        403,
        "AccessDenied",
        s3.call("GET", path)
            .header("authorization", v2)
            .header("x-amz-date", "Tue, 07 Jul 1950 21:53:04 GMT")
            .sendAsIs());
  }

  @Test
  void aDeletionMayDependOnSizeAndTime() throws IOException {
    String bucket = newBucket();
    String path = "/" + bucket + "/k";
    assertEquals(200, s3.call("PUT", path).body("four").send().status());
    String time = s3.call("HEAD", path).send().headers().get("last-modified");
    String size = "x-amz-if-match-size";
    String changed = "x-amz-if-match-last-modified-time";
    assertError(412, "PreconditionFailed", s3.call("DELETE", path).header(size, "5").send());
    assertError(
        412,
        "PreconditionFailed",
        s3.call("DELETE", path).header(changed, "Wed, 07 Jul 2010 21:53:04 GMT").send());
    assertError(400, "InvalidArgument", s3.call("DELETE", path).header(size, "few").send());
    Reply many = deleteIf(bucket, "<Size>5</Size>");
    assertEquals("PreconditionFailed", many.code(), many.text());
    assertEquals(200, s3.call("HEAD", path).send().status());
    many = deleteIf(bucket, "<Size>4</Size><LastModifiedTime>" + time + "</LastModifiedTime>");
    assertEquals("k", many.element("Key"), many.text());
    assertEquals("", many.code(), many.text());
    assertEquals(404, s3.call("HEAD", path).send().status());
  }

  private Reply deleteIf(String bucket, String condition) throws IOException {
    String body = "<Delete><Object><Key>k</Key>" + condition + "</Object></Delete>";
    HashKind.Hasher md5 = HashKind.MD5.newHasher();
    md5.update(ByteBuffer.wrap(body.getBytes(StandardCharsets.UTF_8)));
    return s3.call("POST", "/" + bucket + "?delete")
        .header("content-md5", Base64.getEncoder().encodeToString(md5.digest()))
        .body(body)
        .send();
  }

  @Test
  void aCompletionTellsWhereAndWantsChecksumsOfPartsForACompositeOne() throws IOException {
    String bucket = newBucket();
    String path = "/" + bucket + "/dir/a%20key";
    String id =
        s3.call("POST", path + "?uploads=")
            .header("x-amz-checksum-algorithm", "SHA256")
            .send()
            .element("UploadId");
    Reply part =
        s3.call("PUT", path + "?partNumber=1&uploadId=" + id)
            .header("x-amz-checksum-sha256", "mC2ePrmW9VnmM/TRlN7zdh2Qn1o7ZH0ahR/q1nwyydE=")
            .body("text")
            .send();
    assertEquals(200, part.status(), part.text());
    String etag = part.headers().get("etag");
    String named = "<PartNumber>1</PartNumber><ETag>" + etag + "</ETag>";
    Reply without = complete(path, id, named);
    assertError(400, "InvalidRequest", without);
    assertTrue(without.element("Message").contains("missing for part 1"), without.text());
    String sum = part.headers().get("x-amz-checksum-sha256");
    Reply done = complete(path, id, named + "<ChecksumSHA256>" + sum + "</ChecksumSHA256>");
    assertEquals(200, done.status(), done.text());
    assertEquals(target.endpoint() + path, done.element("Location"));
    assertTrue(done.element("ChecksumSHA256").endsWith("-1"), done.text());
  }

  private Reply complete(String path, String id, String part) throws IOException {
    return s3.call("POST", path + "?uploadId=" + id)
        .body("<CompleteMultipartUpload><Part>" + part + "</Part></CompleteMultipartUpload>")
        .send();
  }

  @Test
  void aBucketGoesWithItsUploads() throws IOException {
    String bucket = newBucket();
    s3.call("POST", "/" + bucket + "/k?uploads=").send();
    assertEquals(204, s3.call("DELETE", "/" + bucket).send().status());
  }
}
