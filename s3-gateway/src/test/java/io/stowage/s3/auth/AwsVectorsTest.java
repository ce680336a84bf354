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
package io.stowage.s3.auth;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import io.netty.handler.codec.http.DefaultHttpHeaders;
import io.netty.handler.codec.http.DefaultHttpHeadersFactory;
import io.netty.handler.codec.http.HttpHeaders;
import io.stowage.client.twin.InMemoryObjectManager;
import io.stowage.common.proto.Identity;
import io.stowage.common.proto.PutIdentityRequest;
import io.stowage.common.time.ManualClock;
import io.stowage.s3.error.S3Error;
import io.stowage.s3.error.S3Exception;
import java.time.Duration;
import java.time.Instant;
import org.junit.jupiter.api.Test;

/**
 * The examples that AWS publishes, with its example key.
 *
 * @see <a href="https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html">
 *     header</a>, <a
 *     href="https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-query-string-auth.html">query</a>
 */
class AwsVectorsTest {
  private static final String EMPTY = SignatureV4.EMPTY_SHA256;

  private final ManualClock clock =
      new ManualClock(Instant.parse("2013-05-24T00:00:00Z").toEpochMilli() * 1_000);
  private final Authenticator authenticator = authenticator();

  private Authenticator authenticator() {
    InMemoryObjectManager namespace = new InMemoryObjectManager(clock, "rs-3-2");
    namespace.putIdentity(
        PutIdentityRequest.newBuilder()
            .setIdentity(
                Identity.newBuilder()
                    .setAccessKey("AKIAIOSFODNN7EXAMPLE")
                    .setSecretKey("wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY")
                    .setUser("aws"))
            .build());
    return new Authenticator(
        new AccessKeys(namespace, clock),
        new Sessions(namespace, new AccessKeys(namespace, clock), clock),
        "us-east-1",
        clock);
  }

  private static HttpHeaders headers(String hash, String signedHeaders, String signature) {
    return DefaultHttpHeadersFactory.headersFactory()
        .withValidation(false)
        .newHeaders()
        .set("Host", "examplebucket.s3.amazonaws.com")
        .set("x-amz-date", "20130524T000000Z")
        .set("x-amz-content-sha256", hash)
        .set(
            "Authorization",
            "AWS4-HMAC-SHA256"
                + " Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request,"
                + "SignedHeaders="
                + signedHeaders
                + ",Signature="
                + signature);
  }

  private Caller check(String method, String target, HttpHeaders headers) throws Exception {
    return authenticator.authenticate(method, RequestTarget.parse(target), headers, null);
  }

  @Test
  void getObject() throws Exception {
    HttpHeaders headers =
        headers(
                EMPTY,
                "host;range;x-amz-content-sha256;x-amz-date",
                "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41")
            .set("Range", "bytes=0-9");
    assertEquals("aws", check("GET", "/test.txt", headers).user());
    headers.set("Range", "  bytes=0-9 ");
    check("GET", "/test.txt", headers);
    headers.set("Range", "bytes=0-8");
    S3Exception e = assertThrows(S3Exception.class, () -> check("GET", "/test.txt", headers));
    assertEquals(S3Error.SIGNATURE_DOES_NOT_MATCH, e.error());
  }

  @Test
  void putObjectWithADollarInItsName() throws Exception {
    String hash = "44ce7dd67c959e0d3524ffac1771dfbba87d2b6b4b4e99e42034a8b803f8b072";
    HttpHeaders headers =
        headers(
                hash,
                "date;host;x-amz-content-sha256;x-amz-date;x-amz-storage-class",
                "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd")
            .set("Date", "Fri, 24 May 2013 00:00:00 GMT")
            .set("x-amz-storage-class", "REDUCED_REDUNDANCY");
    Caller caller = check("PUT", "/test$file.text", headers);
    assertEquals(new PayloadSigning.WholeBody(hash), caller.payload());
    // Encoded or not, it is the same path.
    check("PUT", "/test%24file.text", headers);
    check("PUT", "/test%24fil%65.text", headers);
  }

  @Test
  void getLifecycle() throws Exception {
    check(
        "GET",
        "/?lifecycle",
        headers(
            EMPTY,
            "host;x-amz-content-sha256;x-amz-date",
            "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543"));
  }

  @Test
  void listObjectsWhateverTheOrderOfParameters() throws Exception {
    HttpHeaders headers =
        headers(
            EMPTY,
            "host;x-amz-content-sha256;x-amz-date",
            "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7");
    check("GET", "/?max-keys=2&prefix=J", headers);
    check("GET", "/?prefix=J&max-keys=2", headers);
  }

  @Test
  void presignedUntilItExpires() throws Exception {
    String target =
        "/test.txt?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKIAIOSFODNN7EXAMPLE%2F20130524"
            + "%2Fus-east-1%2Fs3%2Faws4_request&X-Amz-Date=20130524T000000Z&X-Amz-Expires=86400"
            + "&X-Amz-SignedHeaders=host&X-Amz-Signature="
            + "aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404";
    HttpHeaders headers = new DefaultHttpHeaders().set("Host", "examplebucket.s3.amazonaws.com");
    assertEquals(new PayloadSigning.Unsigned(), check("GET", target, headers).payload());
    clock.advance(Duration.ofHours(24));
    check("GET", target, headers);
    clock.advance(Duration.ofSeconds(1));
    S3Exception e = assertThrows(S3Exception.class, () -> check("GET", target, headers));
    assertEquals("Request has expired", e.getMessage());
  }

  @Test
  void headerSignaturesHoldForFifteenMinutes() throws Exception {
    HttpHeaders headers =
        headers(
            EMPTY,
            "host;x-amz-content-sha256;x-amz-date",
            "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543");
    clock.advance(Duration.ofMinutes(15));
    check("GET", "/?lifecycle", headers);
    clock.advance(Duration.ofSeconds(1));
    S3Exception e = assertThrows(S3Exception.class, () -> check("GET", "/?lifecycle", headers));
    assertEquals(S3Error.REQUEST_TIME_TOO_SKEWED, e.error());
  }
}
