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

import io.stowage.client.crypt.MemoryKeys;
import io.stowage.client.twin.InMemoryDataPath;
import io.stowage.client.twin.InMemoryObjectManager;
import io.stowage.common.conf.Keys;
import io.stowage.common.conf.StowageConfig;
import io.stowage.common.proto.Identity;
import io.stowage.common.proto.PutIdentityRequest;
import io.stowage.common.time.ManualClock;
import io.stowage.s3.suite.RawS3;
import io.stowage.s3.suite.RawS3.Reply;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.time.Instant;
import java.util.Arrays;
import java.util.Map;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/**
 * What somebody gets who has recorded a request, byte by byte, and sends it again: the same until
 * its window is over, nothing after it, and nothing else at any time.
 */
class ReplayBoundsTest {
  private static final Duration SKEW = Duration.ofMinutes(15);

  private final Instant recorded = Instant.ofEpochSecond(Instant.now().getEpochSecond());
  private ManualClock clock;
  private S3GatewayServer gateway;
  private RawS3 raw;

  @BeforeEach
  void start() throws Exception {
    clock = new ManualClock(recorded.getEpochSecond() * 1_000_000);
    InMemoryObjectManager namespace = new InMemoryObjectManager(clock, "rs-3-2");
    namespace.putIdentity(
        PutIdentityRequest.newBuilder()
            .setIdentity(
                Identity.newBuilder().setAccessKey("AK").setSecretKey("secret").setUser("tester"))
            .build());
    gateway =
        S3GatewayServer.start(
            StowageConfig.of(Map.of(Keys.S3_BIND.name(), "127.0.0.1:0")),
            namespace,
            new InMemoryDataPath(),
            new MemoryKeys("stowage-s3", "stowage-kms"),
            clock);
    raw = new RawS3(URI.create("http://127.0.0.1:" + gateway.port()), "AK", "secret", "us-east-1");
    assertEquals(200, raw.call("PUT", "/bucket").at(recorded).send().status());
    assertEquals(200, raw.call("PUT", "/bucket/k").at(recorded).body("x").send().status());
  }

  @AfterEach
  void stop() {
    gateway.close();
  }

  private void passes(byte[] wire) throws Exception {
    Reply reply = raw.exchange(wire, false);
    assertEquals(200, reply.status(), reply.text());
  }

  private void refused(String code, byte[] wire) throws Exception {
    Reply reply = raw.exchange(wire, false);
    assertEquals(code, reply.code(), reply.text());
    assertEquals(403, reply.status());
  }

  private byte[] signed(RawS3.Call call) {
    call.at(recorded).sign();
    return call.wire();
  }

  @Test
  void aSignedRequestHoldsForTheSkewAndNoLonger() throws Exception {
    byte[] get = signed(raw.call("GET", "/bucket/k"));
    byte[] put = signed(raw.call("PUT", "/bucket/k").body("y"));
    passes(get);
    passes(put);
    clock.advance(SKEW);
    passes(get);
    clock.advance(Duration.ofSeconds(1));
    refused("RequestTimeTooSkewed", get);
    refused("RequestTimeTooSkewed", put);
    clock.advance(Duration.ofDays(365));
    refused("RequestTimeTooSkewed", get);
  }

  @Test
  void aRequestOfTheFutureIsRefusedUntilItsWindowBegins() throws Exception {
    RawS3.Call call = raw.call("GET", "/bucket/k").at(recorded.plus(SKEW).plusSeconds(2));
    call.sign();
    refused("RequestTimeTooSkewed", call.wire());
    clock.advance(Duration.ofSeconds(2));
    passes(call.wire());
  }

  @Test
  void aStreamedRequestHoldsForTheSkewAndNoLonger() throws Exception {
    byte[] chunk = "0123456789abcdef".repeat(4_096).getBytes(StandardCharsets.US_ASCII);
    for (String trailer : new String[] {null, "x-amz-checksum-crc32"}) {
      byte[] streamed =
          raw.call("PUT", "/bucket/streamed")
              .at(recorded)
              .chunked(true, trailer, trailer == null ? null : "AAAAAA==")
              .chunk(chunk)
              .chunk(chunk)
              .build()
              .wire();
      if (trailer == null) {
        passes(streamed);
      }
      clock.advance(SKEW.plusSeconds(1));
      refused("RequestTimeTooSkewed", streamed);
      clock.setWallMicros(recorded.getEpochSecond() * 1_000_000);
    }
  }

  /** Chunks are signed one after the other, from their request's own signature on. */
  @Test
  void aChunkFitsInNoOtherRequestAndNoOtherPlace() throws Exception {
    byte[] one = "1".repeat(65_536).getBytes(StandardCharsets.US_ASCII);
    byte[] two = "2".repeat(65_536).getBytes(StandardCharsets.US_ASCII);
    byte[] first = chunks("/bucket/a", recorded, one, two);
    passes(first);
    // The same chunks behind another head: of another key, and of the same a second later.
    for (byte[] other :
        new byte[][] {
          chunks("/bucket/b", recorded, two, one),
          chunks("/bucket/a", recorded.plusSeconds(1), two, one)
        }) {
      byte[] head = Arrays.copyOf(other, bodyOf(other));
      byte[] spliced = Arrays.copyOf(head, head.length + first.length - bodyOf(first));
      System.arraycopy(first, bodyOf(first), spliced, head.length, first.length - bodyOf(first));
      refused("SignatureDoesNotMatch", spliced);
    }
    // The second before the first, both as they were signed.
    int body = bodyOf(first);
    int line = new String(first, body, 200, StandardCharsets.US_ASCII).indexOf("\r\n") + 2;
    int length = line + one.length + 2;
    byte[] swapped = first.clone();
    System.arraycopy(first, body + length, swapped, body, length);
    System.arraycopy(first, body, swapped, body + length, length);
    refused("SignatureDoesNotMatch", swapped);
  }

  private byte[] chunks(String target, Instant when, byte[]... chunks) {
    RawS3.ChunkedBody body = raw.call("PUT", target).at(when).chunked(true, null, null);
    for (byte[] chunk : chunks) {
      body.chunk(chunk);
    }
    return body.build().wire();
  }

  private static int bodyOf(byte[] wire) {
    return new String(wire, StandardCharsets.ISO_8859_1).indexOf("\r\n\r\n") + 4;
  }

  @Test
  void aPresignedRequestHoldsAsLongAsItSaysAndNoLonger() throws Exception {
    String minute = raw.presign("GET", "/bucket/k", recorded, "60");
    String week = raw.presign("GET", "/bucket/k", recorded, "604800");
    String put = raw.presign("PUT", "/bucket/k", recorded, "60");
    assertEquals(200, raw.call("GET", minute).sendAsIs().status());
    assertEquals(200, raw.call("PUT", put).body("z").sendAsIs().status());
    // Not for another method or key, nor longer than was signed.
    for (String[] other :
        new String[][] {
          {"DELETE", minute},
          {"GET", put},
          {"GET", minute.replace("/bucket/k", "/bucket/other")},
          {"GET", minute.replace("Expires=60", "Expires=600")},
          {"GET", minute + "&versionId=null"}
        }) {
      Reply reply = raw.call(other[0], other[1]).sendAsIs();
      assertEquals("SignatureDoesNotMatch", reply.code(), other[0] + " " + other[1]);
    }
    clock.advance(Duration.ofSeconds(60));
    assertEquals(200, raw.call("GET", minute).sendAsIs().status());
    clock.advance(Duration.ofSeconds(1));
    for (String over : new String[] {minute, put}) {
      Reply reply = raw.call(over.equals(put) ? "PUT" : "GET", over).sendAsIs();
      assertEquals("AccessDenied", reply.code());
      assertEquals("Request has expired", reply.element("Message"));
    }
    clock.advance(Duration.ofDays(7).minusSeconds(61));
    assertEquals(200, raw.call("GET", week).sendAsIs().status());
    clock.advance(Duration.ofSeconds(1));
    assertEquals("Request has expired", raw.call("GET", week).sendAsIs().element("Message"));
    Reply longer = raw.call("GET", raw.presign("GET", "/bucket/k", recorded, "604801")).sendAsIs();
    assertEquals("AuthorizationQueryParametersError", longer.code(), longer.text());
  }
}
