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
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.netty.handler.codec.http.DefaultHttpHeadersFactory;
import io.netty.handler.codec.http.HttpHeaders;
import io.stowage.client.twin.InMemoryObjectManager;
import io.stowage.common.proto.Identity;
import io.stowage.common.proto.PutIdentityRequest;
import io.stowage.common.time.ManualClock;
import io.stowage.s3.error.S3Exception;
import java.nio.charset.StandardCharsets;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;

/** What is changed is not believed, and what is only written in another way is. */
class SignaturePropertyTest {
  private static final int RUNS = Integer.getInteger("stowage.test.runs", 1) * 5_000;
  private static final String HEADER =
      "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request,"
          + "SignedHeaders=host;range;x-amz-content-sha256;x-amz-date,"
          + "Signature=f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41";
  private static final String QUERY =
      "/test.txt?X-Amz-Algorithm=AWS4-HMAC-SHA256"
          + "&X-Amz-Credential=AKIAIOSFODNN7EXAMPLE%2F20130524%2Fus-east-1%2Fs3%2Faws4_request"
          + "&X-Amz-Date=20130524T000000Z&X-Amz-Expires=86400&X-Amz-SignedHeaders=host"
          + "&X-Amz-Signature="
          + "aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404";

  private final ManualClock clock =
      new ManualClock(Instant.parse("2013-05-24T00:00:00Z").toEpochMilli() * 1_000);
  private final Authenticator authenticator;

  SignaturePropertyTest() {
    InMemoryObjectManager namespace = new InMemoryObjectManager(clock, "rs-3-2");
    namespace.putIdentity(
        PutIdentityRequest.newBuilder()
            .setIdentity(
                Identity.newBuilder()
                    .setAccessKey("AKIAIOSFODNN7EXAMPLE")
                    .setSecretKey("wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY")
                    .setUser("aws"))
            .build());
    authenticator =
        new Authenticator(
            new AccessKeys(namespace, clock),
            new Sessions(namespace, new AccessKeys(namespace, clock), clock),
            "us-east-1",
            clock);
  }

  private static HttpHeaders headers(String authorization) {
    HttpHeaders headers =
        DefaultHttpHeadersFactory.headersFactory()
            .withValidation(false)
            .newHeaders()
            .set("Host", "examplebucket.s3.amazonaws.com");
    return authorization == null
        ? headers
        : headers
            .set("Range", "bytes=0-9")
            .set("x-amz-date", "20130524T000000Z")
            .set("x-amz-content-sha256", SignatureV4.EMPTY_SHA256)
            .set("Authorization", authorization);
  }

  private boolean isBelieved(String target, HttpHeaders headers) throws Exception {
    try {
      Caller caller = authenticator.authenticate("GET", RequestTarget.parse(target), headers, null);
      return !caller.isAnonymous();
    } catch (S3Exception e) {
      assertEquals(4, e.error().status() / 100, e.getMessage());
      return false;
    }
  }

  private static String change(String text, Random random) {
    int at = random.nextInt(text.length());
    char c =
        random.nextBoolean()
            ? (char) (32 + random.nextInt(95))
            : ",;=/ %&?+".charAt(random.nextInt(9));
    return switch (random.nextInt(3)) {
      case 0 -> text.substring(0, at) + c + text.substring(at + 1);
      case 1 -> text.substring(0, at) + c + text.substring(at);
      default -> text.substring(0, at) + text.substring(at + 1);
    };
  }

  @Test
  void aChangedHeaderIsNotBelieved() throws Exception {
    assertTrue(isBelieved("/test.txt", headers(HEADER)));
    Random random = new Random(11);
    for (int run = 0; run < RUNS; run++) {
      String changed = change(HEADER, random);
      if (isBelieved("/test.txt", headers(changed))) {
        // Space around the fields and empty fields mean nothing.
        assertEquals(bare(HEADER), bare(changed), changed);
      }
    }
  }

  private static String bare(String header) {
    return header.replace(" ", "").replace(",", "");
  }

  @Test
  void aChangedLinkIsNotBelieved() throws Exception {
    assertTrue(isBelieved(QUERY, headers(null)));
    Random random = new Random(12);
    for (int run = 0; run < RUNS; run++) {
      String changed = change(QUERY, random);
      boolean believed;
      try {
        believed = isBelieved(changed, headers(null));
      } catch (IllegalArgumentException e) {
        throw new AssertionError(changed, e);
      }
      if (believed) {
        // Other ways to write the same; of a parameter given twice the first counts.
        RequestTarget was = RequestTarget.parse(QUERY);
        RequestTarget is = RequestTarget.parse(changed);
        assertEquals(was.path(), is.path(), changed);
        assertEquals(was.canonicalQuery(), is.canonicalQuery(), changed);
      }
    }
  }

  @Test
  void theSameTargetInAnotherEncodingIsTheSame() throws Exception {
    Random random = new Random(13);
    for (int run = 0; run < RUNS / 10; run++) {
      String key = text(random);
      List<String> parameters = new ArrayList<>();
      List<String> again = new ArrayList<>();
      for (int i = random.nextInt(5); i > 0; i--) {
        String name = text(random);
        String value = text(random);
        parameters.add(encode(name, random) + "=" + encode(value, random));
        again.add(encode(name, random) + "=" + encode(value, random));
      }
      Collections.shuffle(again, random);
      RequestTarget one =
          RequestTarget.parse("/b/" + encode(key, random) + "?" + String.join("&", parameters));
      RequestTarget two =
          RequestTarget.parse("/b/" + encode(key, random) + "?" + String.join("&", again));
      assertEquals("/b/" + key, one.path());
      assertEquals("/b/" + key, two.path());
      assertEquals(one.canonicalPath(), two.canonicalPath());
      assertEquals(one.canonicalQuery(), two.canonicalQuery());
    }
  }

  private static String text(Random random) {
    StringBuilder text = new StringBuilder("k");
    for (int i = random.nextInt(8); i > 0; i--) {
      text.appendCodePoint(
          switch (random.nextInt(4)) {
            case 0 -> 'a' + random.nextInt(26);
            case 1 -> 32 + random.nextInt(95);
            case 2 -> 0xc0 + random.nextInt(0x300);
            default -> 0x1f600 + random.nextInt(80);
          });
    }
    return text.toString();
  }

  private static String encode(String text, Random random) {
    StringBuilder out = new StringBuilder();
    for (byte b : text.getBytes(StandardCharsets.UTF_8)) {
      boolean plain =
          (b >= 'a' && b <= 'z') || (b >= '0' && b <= '9') || "-._~".indexOf((char) b) >= 0;
      if (plain && random.nextBoolean()) {
        out.append((char) b);
      } else {
        out.append(String.format(random.nextBoolean() ? "%%%02X" : "%%%02x", b & 0xff));
      }
    }
    return out.toString();
  }
}
