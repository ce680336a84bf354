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
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.stowage.s3.suite.RawS3.Reply;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.time.Instant;
import java.time.ZoneOffset;
import java.time.format.DateTimeFormatter;
import java.util.ArrayList;
import java.util.Base64;
import java.util.List;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestInstance;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * Requests that are wrong, each in one way. Every one gets S3's own error, and nothing of it is
 * stored; the gateway goes on.
 */
@TestInstance(TestInstance.Lifecycle.PER_CLASS)
public abstract class S3MalformedTest {
  private static final byte[] BODY = "hello".getBytes(StandardCharsets.UTF_8);
  private static final byte[] LARGE = new byte[1 << 20];

  private RawS3 raw;
  private String bucket;

  /** Starts what is tested, or finds it. */
  protected abstract S3Suite.Target startTarget() throws Exception;

  /** Anything that must hold when all bad requests have been answered: nothing leaked. */
  protected abstract void checkNothingLeaked() throws Exception;

  @BeforeAll
  void connect() throws Exception {
    raw = startTarget().raw();
    bucket = "bad-" + Long.toString(System.nanoTime(), 36);
    assertEquals(200, raw.call("PUT", "/" + bucket).send().status());
    assertEquals(200, raw.call("PUT", "/" + bucket + "/there").body("there").send().status());
  }

  @AfterAll
  void nothingWasStoredAndNothingLeaked() throws Exception {
    Reply listed = raw.call("GET", "/" + bucket + "?list-type=2").send();
    assertEquals("1", listed.element("KeyCount"), listed.text());
    assertEquals("there", listed.element("Key"));
    Reply uploads = raw.call("GET", "/" + bucket + "?uploads").send();
    assertFalse(uploads.text().contains("<Upload>"), uploads.text());
    assertEquals("there", raw.call("GET", "/" + bucket + "/there").send().text());
    checkNothingLeaked();
  }

  /** Sends one bad request. */
  interface Sender {
    Reply send(RawS3 raw, String bucket) throws IOException;
  }

  /** A bad request and its answer. */
  record Bad(String what, int status, String code, Sender sender) {
    @Override
    public String toString() {
      return what;
    }
  }

  @ParameterizedTest
  @MethodSource("bad")
  void isAnsweredWithS3sOwnError(Bad bad) throws IOException {
    Reply reply = bad.sender.send(raw, bucket);
    assertEquals(bad.code, reply.code(), () -> reply.status() + " " + reply.text());
    assertEquals(bad.status, reply.status());
    assertEquals(reply.headers().get("x-amz-request-id"), reply.element("RequestId"));
    assertFalse(reply.element("HostId").isEmpty());
    assertFalse(reply.element("Resource").isEmpty());
  }

  @Test
  void aBodyThatEndsEarlyStoresNothing() throws IOException {
    for (int length : new int[] {10, 100_000, 2_000_000}) {
      RawS3.Call call =
          raw.call("PUT", "/" + bucket + "/short")
              .payloadHash("UNSIGNED-PAYLOAD")
              .body(new byte[length / 2])
              .header("content-length", Integer.toString(length))
              .closeAfterBody();
      Reply reply = call.send();
      assertTrue(reply.status() == 0 || reply.code().equals("IncompleteBody"), reply.text());
    }
    assertEquals(404, raw.call("HEAD", "/" + bucket + "/short").send().status());
  }

  @Test
  void aHeadIsRefusedWithoutABody() throws IOException {
    Reply reply = raw.call("HEAD", "/" + bucket + "/absent").send();
    assertEquals(404, reply.status());
    assertEquals(0, reply.body().length);
    assertEquals("0", reply.headers().get("content-length"));
  }

  @Test
  void theConnectionGoesOnAfterAnErrorWhoseBodyWasRead() throws IOException {
    RawS3.Call bad =
        raw.call("PUT", "/" + bucket + "/k").body(BODY).header("content-md5", "nonsense");
    bad.sign();
    RawS3.Call good = raw.call("GET", "/" + bucket + "/there");
    good.sign();
    try (java.net.Socket socket = raw.open()) {
      socket.getOutputStream().write(bad.wire());
      assertEquals("InvalidDigest", RawS3.readReply(socket.getInputStream(), false).code());
      socket.getOutputStream().write(good.wire());
      assertEquals("there", RawS3.readReply(socket.getInputStream(), false).text());
    }
  }

  private static Bad bad(String what, int status, String code, Sender sender) {
    return new Bad(what, status, code, sender);
  }

  private static String httpDate(Instant time) {
    return DateTimeFormatter.RFC_1123_DATE_TIME.format(time.atOffset(ZoneOffset.UTC));
  }

  private static String base64(int length) {
    return Base64.getEncoder().encodeToString(new byte[length]);
  }

  private static byte[] latin1(String text) {
    return text.getBytes(StandardCharsets.ISO_8859_1);
  }

  static List<Bad> bad() {
    List<Bad> all = new ArrayList<>();
    signatures(all);
    payloads(all);
    chunks(all);
    http(all);
    arguments(all);
    documents(all);
    return all;
  }

  private static void signatures(List<Bad> all) {
    all.add(
        bad("no signature", 403, "AccessDenied", (s3, b) -> s3.call("GET", "/" + b).sendAsIs()));
    all.add(
        bad(
            "unknown access key",
            403,
            "InvalidAccessKeyId",
            (s3, b) -> s3.call("GET", "/" + b).as("NOBODY", "x").send()));
    all.add(
        bad(
            "wrong secret",
            403,
            "SignatureDoesNotMatch",
            (s3, b) -> s3.call("PUT", "/" + b + "/k").body(BODY).as(key(s3), "wrong").send()));
    all.add(
        bad(
            "wrong secret, large body",
            403,
            "SignatureDoesNotMatch",
            (s3, b) -> s3.call("PUT", "/" + b + "/k").body(LARGE).as(key(s3), "wrong").send()));
    all.add(
        bad(
            "signature version 2 without a date",
            403,
            "AccessDenied",
            (s3, b) ->
                s3.call("GET", "/" + b).header("authorization", "AWS AK:signature").sendAsIs()));
    all.add(
        bad(
            "an unknown scheme",
            400,
            "InvalidArgument",
            (s3, b) -> s3.call("GET", "/" + b).header("authorization", "Basic YTpi").sendAsIs()));
    all.add(
        bad(
            "signature version 2, nonsense",
            400,
            "InvalidArgument",
            (s3, b) -> s3.call("GET", "/" + b).header("authorization", "AWS AK").sendAsIs()));
    all.add(
        bad(
            "signature version 2, unknown key",
            403,
            "InvalidAccessKeyId",
            (s3, b) ->
                s3.call("GET", "/" + b)
                    .header("date", httpDate(Instant.now()))
                    .header("authorization", "AWS NOBODY:c2lnbmF0dXJl")
                    .sendAsIs()));
    all.add(
        bad(
            "signature version 2, 16 minutes late",
            403,
            "RequestTimeTooSkewed",
            (s3, b) ->
                s3.call("GET", "/" + b)
                    .header("date", httpDate(Instant.now().minusSeconds(960)))
                    .header("authorization", "AWS " + key(s3) + ":c2lnbmF0dXJl")
                    .sendAsIs()));
    all.add(
        bad(
            "presigned by version 2, wrong",
            403,
            "SignatureDoesNotMatch",
            (s3, b) ->
                plain(
                    s3,
                    "GET",
                    "/" + b + "?AWSAccessKeyId=" + key(s3) + "&Signature=a&Expires=9999999999")));
    all.add(
        bad(
            "presigned by version 2, without an end",
            403,
            "AccessDenied",
            (s3, b) -> plain(s3, "GET", "/" + b + "?AWSAccessKeyId=a&Signature=a")));
    all.add(
        bad(
            "presigned by version 2, expired",
            403,
            "AccessDenied",
            (s3, b) ->
                plain(s3, "GET", "/" + b + "?AWSAccessKeyId=a&Signature=a&Expires=1000000000")));
    all.add(
        bad(
            "presigned and signed",
            400,
            "InvalidArgument",
            (s3, b) -> s3.call("GET", s3.presign("GET", "/" + b, Instant.now(), "60")).send()));
    all.add(
        bad(
            "presigned, not valid yet",
            403,
            "AccessDenied",
            (s3, b) ->
                plain(
                    s3, "GET", s3.presign("GET", "/" + b, Instant.now().plusSeconds(960), "60"))));
    for (String expires : List.of("-1", "604801", "soon", "")) {
      all.add(
          bad(
              "presigned for '" + expires + "' seconds",
              400,
              "AuthorizationQueryParametersError",
              (s3, b) -> plain(s3, "GET", s3.presign("GET", "/" + b, Instant.now(), expires))));
    }
    for (String parameter :
        List.of("X-Amz-Credential", "X-Amz-Signature", "X-Amz-SignedHeaders", "X-Amz-Expires")) {
      all.add(
          bad(
              "presigned without " + parameter,
              400,
              "AuthorizationQueryParametersError",
              (s3, b) ->
                  plain(
                      s3,
                      "GET",
                      s3.presign("GET", "/" + b, Instant.now(), "60")
                          .replace(parameter + "=", "x="))));
    }
    all.add(
        bad(
            "presigned by another algorithm",
            400,
            "AuthorizationQueryParametersError",
            (s3, b) ->
                plain(
                    s3,
                    "GET",
                    s3.presign("GET", "/" + b, Instant.now(), "60")
                        .replace("AWS4-HMAC-SHA256", "AWS4-HMAC-SHA1"))));
    all.add(
        bad(
            "half an authorization",
            400,
            "AuthorizationHeaderMalformed",
            (s3, b) ->
                s3.call("GET", "/" + b)
                    .header("authorization", "AWS4-HMAC-SHA256 Credential=a/b/c/s3/aws4_request")
                    .sendAsIs()));
    all.add(
        bad(
            "wrong region",
            400,
            "AuthorizationHeaderMalformed",
            (s3, b) -> s3.call("GET", "/" + b).scope("eu-nowhere-9", "s3").send()));
    all.add(
        bad(
            "wrong service",
            400,
            "AuthorizationHeaderMalformed",
            (s3, b) -> s3.call("GET", "/" + b).scope("us-east-1", "ec2").send()));
    all.add(
        bad(
            "clock 16 minutes ahead",
            403,
            "RequestTimeTooSkewed",
            (s3, b) ->
                s3.call("PUT", "/" + b + "/k")
                    .body(BODY)
                    .at(Instant.now().plus(Duration.ofMinutes(16)))
                    .send()));
    all.add(
        bad(
            "clock 16 minutes behind",
            403,
            "RequestTimeTooSkewed",
            (s3, b) ->
                s3.call("GET", "/" + b).at(Instant.now().minus(Duration.ofMinutes(16))).send()));
    all.add(
        bad(
            "unsigned x-amz header",
            403,
            "AccessDenied",
            (s3, b) ->
                s3.call("PUT", "/" + b + "/k")
                    .body(BODY)
                    .unsignedHeader("x-amz-meta-a", "b")
                    .send()));
    all.add(
        bad(
            "presigned, expired",
            403,
            "AccessDenied",
            (s3, b) ->
                plain(
                    s3, "GET", s3.presign("GET", "/" + b, Instant.now().minusSeconds(60), "30"))));
    all.add(
        bad(
            "presigned for eight days",
            400,
            "AuthorizationQueryParametersError",
            (s3, b) -> plain(s3, "GET", s3.presign("GET", "/" + b, Instant.now(), "691200"))));
    all.add(
        bad(
            "presigned for another key",
            403,
            "SignatureDoesNotMatch",
            (s3, b) ->
                plain(
                    s3,
                    "GET",
                    s3.presign("GET", "/" + b + "/a", Instant.now(), "60")
                        .replace("/" + b + "/a", "/" + b + "/there"))));
    all.add(
        bad(
            "presigned without a date",
            400,
            "AuthorizationQueryParametersError",
            (s3, b) ->
                plain(
                    s3,
                    "GET",
                    s3.presign("GET", "/" + b, Instant.now(), "60")
                        .replace("X-Amz-Date", "X-Amz-Dat"))));
  }

  private static String key(RawS3 s3) {
    return s3.accessKey();
  }

  private static Reply plain(RawS3 s3, String method, String target) throws IOException {
    return s3.call(method, target).sendAsIs();
  }

  private static void payloads(List<Bad> all) {
    String put = "PUT";
    all.add(
        bad(
            "sha256 of another body",
            400,
            "XAmzContentSHA256Mismatch",
            (s3, b) -> s3.call(put, "/" + b + "/k").body(BODY).payloadHash("0".repeat(64)).send()));
    all.add(
        bad(
            "sha256 that is none",
            400,
            "InvalidArgument",
            (s3, b) -> s3.call(put, "/" + b + "/k").body(BODY).payloadHash("nonsense").send()));
    all.add(
        bad(
            "Content-MD5 that is none",
            400,
            "InvalidDigest",
            (s3, b) ->
                s3.call(put, "/" + b + "/k").body(BODY).header("content-md5", "abc").send()));
    all.add(
        bad(
            "Content-MD5 of another body",
            400,
            "BadDigest",
            (s3, b) ->
                s3.call(put, "/" + b + "/k").body(BODY).header("content-md5", base64(16)).send()));
    for (String[] sum :
        new String[][] {
          {"crc32", base64(4)},
          {"crc32c", base64(4)},
          {"crc64nvme", base64(8)},
          {"sha1", base64(20)},
          {"sha256", base64(32)}
        }) {
      all.add(
          bad(
              sum[0] + " of another body",
              400,
              "BadDigest",
              (s3, b) ->
                  s3.call(put, "/" + b + "/k")
                      .body(LARGE)
                      .header("x-amz-checksum-" + sum[0], sum[1])
                      .send()));
    }
    all.add(
        bad(
            "checksum of the wrong length",
            400,
            "InvalidRequest",
            (s3, b) ->
                s3.call(put, "/" + b + "/k")
                    .body(BODY)
                    .header("x-amz-checksum-crc32", base64(8))
                    .send()));
    all.add(
        bad(
            "two checksums",
            400,
            "InvalidRequest",
            (s3, b) ->
                s3.call(put, "/" + b + "/k")
                    .body(BODY)
                    .header("x-amz-checksum-crc32", base64(4))
                    .header("x-amz-checksum-sha1", base64(20))
                    .send()));
    all.add(
        bad(
            "a checksum announced and not given",
            400,
            "InvalidRequest",
            (s3, b) ->
                s3.call(put, "/" + b + "/k")
                    .body(BODY)
                    .header("x-amz-sdk-checksum-algorithm", "CRC32")
                    .send()));
    all.add(
        bad(
            "a body of more than 5 GiB",
            400,
            "EntityTooLarge",
            (s3, b) ->
                s3.call(put, "/" + b + "/k")
                    .payloadHash("UNSIGNED-PAYLOAD")
                    .header("content-length", "5368709121")
                    .send()));
    all.add(
        bad(
            "chunks of HTTP/1.1, which S3 does not take",
            501,
            "NotImplemented",
            (s3, b) ->
                s3.call(put, "/" + b + "/k")
                    .payloadHash("UNSIGNED-PAYLOAD")
                    .withoutContentLength()
                    .header("transfer-encoding", "chunked")
                    .body("5\r\nhello\r\n0\r\n\r\n")
                    .send()));
  }

  private static void chunks(List<Bad> all) {
    String sum = "x-amz-checksum-crc32";
    all.add(
        bad(
            "signature of a chunk",
            403,
            "SignatureDoesNotMatch",
            (s3, b) ->
                s3.call("PUT", "/" + b + "/k")
                    .chunked(true, null, null)
                    .chunk(LARGE)
                    .chunk(BODY)
                    .corruptSignatureOf(1)
                    .build()
                    .send()));
    all.add(
        bad(
            "signature of the last, empty chunk",
            403,
            "SignatureDoesNotMatch",
            (s3, b) ->
                s3.call("PUT", "/" + b + "/k")
                    .chunked(true, null, null)
                    .chunk(BODY)
                    .corruptSignatureOf(1)
                    .build()
                    .send()));
    all.add(
        bad(
            "fewer bytes than declared",
            400,
            "IncompleteBody",
            (s3, b) ->
                s3.call("PUT", "/" + b + "/k")
                    .chunked(true, null, null)
                    .chunk(BODY)
                    .declare("6")
                    .build()
                    .send()));
    all.add(
        bad(
            "more bytes than declared",
            400,
            "IncompleteBody",
            (s3, b) ->
                s3.call("PUT", "/" + b + "/k")
                    .chunked(true, null, null)
                    .chunk(LARGE)
                    .declare("6")
                    .build()
                    .send()));
    all.add(
        bad(
            "no declared length",
            411,
            "MissingContentLength",
            (s3, b) ->
                s3.call("PUT", "/" + b + "/k")
                    .chunked(true, null, null)
                    .chunk(BODY)
                    .declare("")
                    .build()
                    .send()));
    all.add(
        bad(
            "checksum in the trailer",
            400,
            "BadDigest",
            (s3, b) ->
                s3.call("PUT", "/" + b + "/k")
                    .chunked(true, sum, base64(4))
                    .chunk(BODY)
                    .build()
                    .send()));
    all.add(
        bad(
            "checksum in an unsigned trailer",
            400,
            "BadDigest",
            (s3, b) ->
                s3.call("PUT", "/" + b + "/k")
                    .chunked(false, sum, base64(4))
                    .chunk(LARGE)
                    .build()
                    .send()));
    all.add(
        bad(
            "trailer that does not come",
            400,
            "MalformedTrailerError",
            (s3, b) ->
                s3.call("PUT", "/" + b + "/k")
                    .chunked(false, sum, base64(4))
                    .chunk(BODY)
                    .dropTrailer()
                    .build()
                    .send()));
    all.add(
        bad(
            "signature of the trailer",
            403,
            "SignatureDoesNotMatch",
            (s3, b) ->
                s3.call("PUT", "/" + b + "/k")
                    .chunked(true, sum, base64(4))
                    .chunk(BODY)
                    .corruptTrailerSignature()
                    .build()
                    .send()));
    all.add(
        bad(
            "trailer of an unknown name",
            400,
            "InvalidRequest",
            (s3, b) ->
                s3.call("PUT", "/" + b + "/k")
                    .chunked(false, "x-amz-checksum-crc31", base64(4))
                    .chunk(BODY)
                    .build()
                    .send()));
    all.add(
        bad(
            "size of a chunk",
            400,
            "InvalidChunkSizeError",
            (s3, b) -> unsignedChunks(s3, b, "5z\r\nhello\r\n0\r\n\r\n")));
    all.add(
        bad(
            "chunk longer than its size",
            400,
            "IncompleteBody",
            (s3, b) -> unsignedChunks(s3, b, "4\r\nhello\r\n0\r\n\r\n")));
    all.add(
        bad(
            "body that ends inside a chunk",
            400,
            "IncompleteBody",
            (s3, b) -> unsignedChunks(s3, b, "5\r\nhel")));
    all.add(
        bad(
            "bytes after the last chunk",
            400,
            "IncompleteBody",
            (s3, b) -> unsignedChunks(s3, b, "5\r\nhello\r\n0\r\n\r\nmore")));
    all.add(
        bad(
            "line without an end",
            400,
            "IncompleteBody",
            (s3, b) -> unsignedChunks(s3, b, "5;" + "x".repeat(1000) + "\r\nhello\r\n0\r\n\r\n")));
  }

  private static Reply unsignedChunks(RawS3 s3, String b, String body) throws IOException {
    return s3.call("PUT", "/" + b + "/k")
        .payloadHash("STREAMING-UNSIGNED-PAYLOAD-TRAILER")
        .header("x-amz-decoded-content-length", "5")
        .body(body)
        .send();
  }

  private static void http(List<Bad> all) {
    all.add(
        bad(
            "headers of 40 KiB",
            400,
            "RequestHeaderSectionTooLarge",
            (s3, b) -> s3.call("GET", "/" + b).unsignedHeader("x-big", "x".repeat(40_000)).send()));
    all.add(
        bad(
            "request line of 20 KiB",
            400,
            "InvalidURI",
            (s3, b) ->
                s3.exchange(latin1("GET /" + "x".repeat(20_000) + " HTTP/1.1\r\n\r\n"), false)));
    all.add(
        bad(
            "no HTTP at all",
            400,
            "BadRequest",
            (s3, b) -> s3.exchange(latin1("this is not http\r\n\r\n"), true)));
    all.add(
        bad(
            "negative length",
            400,
            "BadRequest",
            (s3, b) ->
                s3.exchange(
                    latin1("PUT /" + b + "/k HTTP/1.1\r\nhost: x\r\ncontent-length: -5\r\n\r\n"),
                    false)));
    all.add(
        bad(
            "two lengths",
            400,
            "BadRequest",
            (s3, b) ->
                s3.exchange(
                    latin1(
                        "PUT /"
                            + b
                            + "/k HTTP/1.1\r\nhost: x\r\ncontent-length: 5\r\n"
                            + "content-length: 6\r\n\r\nhello"),
                    false)));
    all.add(
        bad(
            "percent sign without digits",
            400,
            "InvalidURI",
            (s3, b) -> plain(s3, "GET", "/" + b + "/100%")));
    all.add(
        bad(
            "key that is not UTF-8",
            400,
            "InvalidURI",
            (s3, b) -> plain(s3, "GET", "/" + b + "/%ff%fe")));
  }

  private static void arguments(List<Bad> all) {
    all.add(
        bad(
            "key of 1,025 bytes",
            400,
            "KeyTooLongError",
            (s3, b) -> s3.call("PUT", "/" + b + "/" + "k".repeat(1025)).body(BODY).send()));
    all.add(
        bad(
            "key of 513 two-byte letters",
            400,
            "KeyTooLongError",
            (s3, b) -> s3.call("PUT", "/" + b + "/" + "%C3%BC".repeat(513)).body(BODY).send()));
    all.add(
        bad(
            "unknown bucket",
            404,
            "NoSuchBucket",
            (s3, b) -> s3.call("PUT", "/none-" + b + "/k").body(BODY).send()));
    all.add(
        bad("unknown key", 404, "NoSuchKey", (s3, b) -> s3.call("GET", "/" + b + "/none").send()));
    all.add(
        bad(
            "name that no bucket can have",
            400,
            "InvalidBucketName",
            (s3, b) -> s3.call("GET", "/A_B").send()));
    for (String number : List.of("0", "10001", "-1", "one", "")) {
      all.add(
          bad(
              "part number '" + number + "'",
              400,
              "InvalidArgument",
              (s3, b) ->
                  s3.call(
                          "PUT",
                          "/" + b + "/k?partNumber=" + number + "&uploadId=" + "0".repeat(32))
                      .body(BODY)
                      .send()));
    }
    all.add(
        bad(
            "upload that never was",
            404,
            "NoSuchUpload",
            (s3, b) ->
                s3.call("PUT", "/" + b + "/k?partNumber=1&uploadId=" + "0".repeat(32))
                    .body(BODY)
                    .send()));
    all.add(
        bad(
            "upload id that cannot be",
            404,
            "NoSuchUpload",
            (s3, b) ->
                s3.call("PUT", "/" + b + "/k?partNumber=1&uploadId=..%2F..").body(BODY).send()));
    all.add(
        bad(
            "max-keys that is no number",
            400,
            "InvalidArgument",
            (s3, b) -> s3.call("GET", "/" + b + "?list-type=2&max-keys=many").send()));
    all.add(
        bad(
            "negative max-keys",
            400,
            "InvalidArgument",
            (s3, b) -> s3.call("GET", "/" + b + "?max-keys=-1").send()));
    all.add(
        bad(
            "unknown encoding-type",
            400,
            "InvalidArgument",
            (s3, b) -> s3.call("GET", "/" + b + "?encoding-type=rot13").send()));
    all.add(
        bad(
            "made-up continuation token",
            400,
            "InvalidArgument",
            (s3, b) ->
                s3.call("GET", "/" + b + "?list-type=2&continuation-token=made%20up").send()));
    all.add(
        bad(
            "range behind the end",
            416,
            "InvalidRange",
            (s3, b) -> s3.call("GET", "/" + b + "/there").header("range", "bytes=5-").send()));
    all.add(
        bad(
            "part that an object does not have",
            416,
            "InvalidPartNumber",
            (s3, b) -> s3.call("GET", "/" + b + "/there?partNumber=2").send()));
    all.add(
        bad(
            "version id that is none",
            400,
            "InvalidArgument",
            (s3, b) -> s3.call("GET", "/" + b + "/there?versionId=abc").send()));
    all.add(
        bad(
            "copy source without a key",
            400,
            "InvalidArgument",
            (s3, b) -> s3.call("PUT", "/" + b + "/k").header("x-amz-copy-source", b).send()));
    all.add(
        bad(
            "copy onto itself",
            400,
            "InvalidRequest",
            (s3, b) ->
                s3.call("PUT", "/" + b + "/there")
                    .header("x-amz-copy-source", "/" + b + "/there")
                    .send()));
    all.add(
        bad(
            "metadata of 3 KiB",
            400,
            "MetadataTooLarge",
            (s3, b) ->
                s3.call("PUT", "/" + b + "/k")
                    .body(BODY)
                    .header("x-amz-meta-a", "x".repeat(3000))
                    .send()));
    all.add(
        bad(
            "unknown encryption",
            400,
            "InvalidArgument",
            (s3, b) ->
                s3.call("PUT", "/" + b + "/k")
                    .body(BODY)
                    .header("x-amz-server-side-encryption", "ROT13")
                    .send()));
    all.add(
        bad(
            "unknown canned list",
            400,
            "InvalidArgument",
            (s3, b) ->
                s3.call("PUT", "/" + b + "/k")
                    .body(BODY)
                    .header("x-amz-acl", "public-everything")
                    .send()));
    all.add(
        bad(
            "If-None-Match with a tag",
            501,
            "NotImplemented",
            (s3, b) ->
                s3.call("PUT", "/" + b + "/k").body(BODY).header("if-none-match", "\"a\"").send()));
    all.add(
        bad(
            "unknown storage class",
            400,
            "InvalidStorageClass",
            (s3, b) ->
                s3.call("PUT", "/" + b + "/k")
                    .body(BODY)
                    .header("x-amz-storage-class", "PAPER")
                    .send()));
    all.add(
        bad(
            "GET ?replication",
            404,
            "ReplicationConfigurationNotFoundError",
            (s3, b) -> s3.call("GET", "/" + b + "?replication").send()));
    all.add(
        bad(
            "PUT ?tagging without a set",
            400,
            "MalformedXML",
            (s3, b) -> s3.call("PUT", "/" + b + "/k?tagging").body("<Tagging/>").send()));
    all.add(
        bad(
            "PUT of an upload without a part number",
            400,
            "InvalidArgument",
            (s3, b) ->
                s3.call("PUT", "/" + b + "/k?uploadId=" + "0".repeat(32)).body(BODY).send()));
    all.add(
        bad(
            "POST of a key",
            405,
            "MethodNotAllowed",
            (s3, b) -> s3.call("POST", "/" + b + "/k").body(BODY).send()));
    all.add(
        bad(
            "a method that S3 does not have",
            405,
            "MethodNotAllowed",
            (s3, b) -> s3.call("PATCH", "/" + b + "/k").body(BODY).send()));
  }

  private static void documents(List<Bad> all) {
    String upload = "?uploadId=" + "0".repeat(32);
    for (String xml :
        List.of(
            "",
            "no xml",
            "<CompleteMultipartUpload>",
            "<Wrong><Part/></Wrong>",
            "<CompleteMultipartUpload></CompleteMultipartUpload>",
            "<CompleteMultipartUpload><Part><PartNumber>1</PartNumber></Part>"
                + "</CompleteMultipartUpload>",
            "<CompleteMultipartUpload><Part><PartNumber>x</PartNumber><ETag>\"a\"</ETag></Part>"
                + "</CompleteMultipartUpload>",
            "<!DOCTYPE a [<!ENTITY e SYSTEM \"file:///etc/passwd\">]><CompleteMultipartUpload>"
                + "<Part><PartNumber>1</PartNumber><ETag>&e;</ETag></Part>"
                + "</CompleteMultipartUpload>",
            "<a>".repeat(100))) {
      all.add(
          bad(
              "completion: " + (xml.length() > 40 ? xml.substring(0, 40) : xml),
              400,
              "MalformedXML",
              (s3, b) -> s3.call("POST", "/" + b + "/k" + upload).body(xml).send()));
    }
    all.add(
        bad(
            "completion of an upload that never was",
            404,
            "NoSuchUpload",
            (s3, b) ->
                s3.call("POST", "/" + b + "/k" + upload)
                    .body(
                        "<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>\""
                            + "0".repeat(32)
                            + "\"</ETag></Part></CompleteMultipartUpload>")
                    .send()));
    all.add(
        bad(
            "deletion whose Content-MD5 is of another body",
            400,
            "BadDigest",
            (s3, b) ->
                s3.call("POST", "/" + b + "?delete")
                    .header("content-md5", base64(16))
                    .body("<Delete><Object><Key>there</Key></Object></Delete>")
                    .send()));
    all.add(
        bad(
            "deletion of 1,001 keys",
            400,
            "MalformedXML",
            (s3, b) ->
                deletion(
                    s3,
                    b,
                    "<Delete>" + "<Object><Key>there</Key></Object>".repeat(1001) + "</Delete>")));
    all.add(
        bad(
            "deletion of nothing",
            400,
            "MalformedXML",
            (s3, b) -> deletion(s3, b, "<Delete></Delete>")));
    all.add(
        bad(
            "deletion of 3 MiB",
            400,
            "MaxMessageLengthExceeded",
            (s3, b) -> deletion(s3, b, "<Delete>" + " ".repeat(3 << 20) + "</Delete>")));
    all.add(
        bad(
            "bucket in another region",
            400,
            "IllegalLocationConstraintException",
            (s3, b) ->
                s3.call("PUT", "/other-" + b)
                    .body(
                        "<CreateBucketConfiguration><LocationConstraint>eu-west-1"
                            + "</LocationConstraint></CreateBucketConfiguration>")
                    .send()));
  }

  private static Reply deletion(RawS3 s3, String b, String xml) throws IOException {
    try {
      String md5 =
          Base64.getEncoder()
              .encodeToString(
                  java.security.MessageDigest.getInstance("MD5")
                      .digest(xml.getBytes(StandardCharsets.UTF_8)));
      return s3.call("POST", "/" + b + "?delete").header("content-md5", md5).body(xml).send();
    } catch (java.security.NoSuchAlgorithmException e) {
      throw new IllegalStateException(e);
    }
  }
}
