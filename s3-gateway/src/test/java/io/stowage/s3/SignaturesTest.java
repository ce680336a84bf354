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

import io.netty.handler.codec.http.DefaultHttpHeaders;
import io.netty.handler.codec.http.HttpHeaders;
import io.stowage.common.conf.Keys;
import io.stowage.s3.suite.RawS3;
import io.stowage.s3.suite.RawS3.Reply;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.security.GeneralSecurityException;
import java.time.Instant;
import java.time.ZoneOffset;
import java.time.format.DateTimeFormatter;
import java.util.Base64;
import java.util.Map;
import javax.crypto.Mac;
import javax.crypto.spec.SecretKeySpec;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;

/** Version 2 of the signature, and hosts that name buckets, end to end. */
class SignaturesTest {
  private static InMemoryTarget target;
  private static RawS3 raw;

  @BeforeAll
  static void start() throws Exception {
    target =
        new InMemoryTarget(
            Map.of(Keys.S3_DOMAINS.name(), "s3.Example.com:9000, deep.s3.example.org"));
    raw =
        new RawS3(
            URI.create("http://127.0.0.1:" + target.gateway.port()),
            InMemoryTarget.ACCESS_KEY,
            InMemoryTarget.SECRET_KEY,
            "us-east-1");
    assertEquals(200, raw.call("PUT", "/bucket").send().status());
    assertEquals(200, raw.call("PUT", "/bucket/dir/a%20b").body("x").send().status());
  }

  @AfterAll
  static void stop() {
    target.close();
  }

  /** Written apart from the gateway's own, from the page's description. */
  private static String sign(String... lines) throws GeneralSecurityException {
    Mac mac = Mac.getInstance("HmacSHA1");
    mac.init(
        new SecretKeySpec(InMemoryTarget.SECRET_KEY.getBytes(StandardCharsets.UTF_8), "HmacSHA1"));
    return Base64.getEncoder()
        .encodeToString(mac.doFinal(String.join("\n", lines).getBytes(StandardCharsets.UTF_8)));
  }

  private static String now() {
    return DateTimeFormatter.RFC_1123_DATE_TIME.format(Instant.now().atOffset(ZoneOffset.UTC));
  }

  private static String encode(String text) {
    return text.replace("+", "%2B").replace("/", "%2F").replace("=", "%3D");
  }

  /** What is said of a body counts without a signature of version 4, too, or is refused. */
  @Test
  void bodiesAreWhatIsSaidOfThemWhoeverSendsThem() throws Exception {
    assertEquals(
        200, raw.call("PUT", "/open").header("x-amz-acl", "public-read-write").send().status());
    String[][] cases = {
      {"STREAMING-AWS4-HMAC-SHA256-PAYLOAD", "InvalidRequest"},
      {"STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER", "InvalidRequest"},
      {"of no kind", "InvalidArgument"},
      {"0".repeat(64), "XAmzContentSHA256Mismatch"},
      {"2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881", ""},
      {"UNSIGNED-PAYLOAD", ""},
    };
    for (String[] each : cases) {
      String date = now();
      String path = "/open/k-" + each[0].replace(' ', '-');
      Reply unsigned =
          raw.call("PUT", path).header("x-amz-content-sha256", each[0]).body("x").sendAsIs();
      assertEquals(each[1], unsigned.code(), each[0] + unsigned.text());
      Reply old =
          raw.call("PUT", path)
              .header("date", date)
              .header("x-amz-content-sha256", each[0])
              .header(
                  "authorization",
                  "AWS AKTEST:"
                      + sign("PUT", "", "", date, "x-amz-content-sha256:" + each[0], path))
              .body("x")
              .sendAsIs();
      assertEquals(each[1], old.code(), each[0] + old.text());
      Reply kept = raw.call("GET", path).send();
      assertEquals(
          each[1].isEmpty() ? "x" : "NoSuchKey", each[1].isEmpty() ? kept.text() : kept.code());
    }
  }

  @Test
  void oldClientsSignTheirHeaders() throws Exception {
    String date = now();
    Reply put =
        raw.call("PUT", "/bucket/v2")
            .header("date", date)
            .header("content-type", "text/plain")
            .header("x-amz-meta-b", "2")
            .header("x-amz-meta-a", "1")
            .header(
                "authorization",
                "AWS AKTEST:"
                    + sign(
                        "PUT",
                        "",
                        "text/plain",
                        date,
                        "x-amz-meta-a:1",
                        "x-amz-meta-b:2",
                        "/bucket/v2"))
            .body("old")
            .sendAsIs();
    assertEquals(200, put.status(), put.text());
    Reply get =
        raw.call("GET", "/bucket/v2")
            .header("date", "ignored")
            .header("x-amz-date", date)
            .header(
                "authorization",
                "AWS AKTEST:" + sign("GET", "", "", "", "x-amz-date:" + date, "/bucket/v2"))
            .sendAsIs();
    assertEquals("old", get.text());
    assertEquals("1", get.headers().get("x-amz-meta-a"));
    Reply other =
        raw.call("GET", "/bucket/v2")
            .header("date", date)
            .header("x-amz-meta-c", "added")
            .header("authorization", "AWS AKTEST:" + sign("GET", "", "", date, "/bucket/v2"))
            .sendAsIs();
    assertEquals("SignatureDoesNotMatch", other.code());
  }

  @Test
  void oldLinksWorkUntilTheyExpire() throws Exception {
    String end = Long.toString(Instant.now().getEpochSecond() + 600);
    String path = "/bucket/dir/a%20b?response-content-type=a%2Fb";
    String signature =
        encode(sign("GET", "", "", end, "/bucket/dir/a%20b?response-content-type=a/b"));
    String link = path + "&AWSAccessKeyId=AKTEST&Expires=" + end + "&Signature=" + signature;
    Reply reply = raw.call("GET", link).sendAsIs();
    assertEquals("x", reply.text());
    assertEquals("a/b", reply.headers().get("content-type"));
    assertEquals(
        "SignatureDoesNotMatch", raw.call("GET", link.replace("a%2Fb", "c%2Fd")).sendAsIs().code());
    assertEquals(
        "SignatureDoesNotMatch", raw.call("GET", link.replace(end, end + "0")).sendAsIs().code());
    assertEquals("SignatureDoesNotMatch", raw.call("DELETE", link).sendAsIs().code());
  }

  /** The type of what is sent is signed, and so are headers of Amazon's. */
  @Test
  void oldLinksTakeWhatIsSent() throws Exception {
    String end = Long.toString(Instant.now().getEpochSecond() + 600);
    String path = "/bucket/by-link";
    String signature = encode(sign("PUT", "", "text/plain", end, "x-amz-meta-a:1", path));
    String link = path + "?AWSAccessKeyId=AKTEST&Expires=" + end + "&Signature=" + signature;
    for (String[] other :
        new String[][] {{"text/html", "1"}, {"text/plain", "2"}, {"", "1"}, {"text/plain", ""}}) {
      RawS3.Call call = raw.call("PUT", link).body("other");
      if (!other[0].isEmpty()) {
        call.header("content-type", other[0]);
      }
      if (!other[1].isEmpty()) {
        call.header("x-amz-meta-a", other[1]);
      }
      assertEquals("SignatureDoesNotMatch", call.sendAsIs().code(), String.join(" ", other));
    }
    assertEquals("SignatureDoesNotMatch", raw.call("GET", link).sendAsIs().code());
    assertEquals("NoSuchKey", raw.call("GET", path).send().code());
    Reply put =
        raw.call("PUT", link)
            .header("content-type", "text/plain")
            .header("x-amz-meta-a", "1")
            .body("sent")
            .sendAsIs();
    assertEquals(200, put.status(), put.text());
    Reply get = raw.call("GET", path).send();
    assertEquals("sent", get.text());
    assertEquals("text/plain", get.headers().get("content-type"));
    assertEquals("1", get.headers().get("x-amz-meta-a"));

    String past = Long.toString(Instant.now().getEpochSecond() - 1);
    String late =
        path
            + "?AWSAccessKeyId=AKTEST&Expires="
            + past
            + "&Signature="
            + encode(sign("PUT", "", "", past, path));
    assertEquals("AccessDenied", raw.call("PUT", late).body("late").sendAsIs().code());
    assertEquals("sent", raw.call("GET", path).send().text());
  }

  @Test
  void hostsNameBuckets() throws Exception {
    for (String host :
        new String[] {
          "bucket.s3.example.com",
          "bucket.s3.example.com:1234",
          "BUCKET.S3.example.COM:9000",
          "bucket.deep.s3.example.org"
        }) {
      assertEquals("x", raw.call("GET", "/dir/a%20b").header("host", host).send().text(), host);
      String date = now();
      assertEquals(
          "x",
          raw.call("GET", "/dir/a%20b")
              .header("host", host)
              .header("date", date)
              .header(
                  "authorization", "AWS AKTEST:" + sign("GET", "", "", date, "/bucket/dir/a%20b"))
              .sendAsIs()
              .text(),
          host);
    }
    for (String host : new String[] {"s3.example.com", "s3.example.com:9000", "example.org", "x"}) {
      assertEquals(
          "x", raw.call("GET", "/bucket/dir/a%20b").header("host", host).send().text(), host);
    }
  }

  /** A signing key is kept for each before the signature is looked at. */
  @Test
  void regionsOfServicesWithoutRegionsAreBounded() throws Exception {
    for (int length : new int[] {0, 64, 65, 4_000}) {
      Reply reply =
          raw.call("POST", "/")
              .scope("r".repeat(length), "sts")
              .body("Action=GetCallerIdentity&Version=2011-06-15")
              .send();
      assertEquals(length > 64 ? "AuthorizationHeaderMalformed" : "", reply.code(), reply.text());
    }
  }

  @Test
  void everyAnswerNamesItsRequest() throws Exception {
    HttpHeaders seen = new DefaultHttpHeaders();
    for (String[] call :
        new String[][] {
          {"GET", "/"}, {"GET", "/bucket/none"}, {"HEAD", "/bucket/none"}, {"OPTIONS", "/bucket"},
        }) {
      Reply reply = raw.call(call[0], call[1]).send();
      assertEquals(16, reply.headers().get("x-amz-request-id").length());
      assertEquals(false, reply.headers().get("x-amz-id-2").isEmpty());
      assertEquals(false, seen.contains(reply.headers().get("x-amz-request-id")));
      seen.set(reply.headers().get("x-amz-request-id"), "");
    }
    Reply reply = raw.exchange("nonsense\r\n\r\n".getBytes(StandardCharsets.UTF_8), true);
    assertEquals(reply.element("RequestId"), reply.headers().get("x-amz-request-id"));
  }
}
