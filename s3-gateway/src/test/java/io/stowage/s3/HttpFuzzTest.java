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

import io.netty.util.ResourceLeakDetector;
import io.stowage.common.conf.Keys;
import io.stowage.s3.suite.RawS3;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.net.Socket;
import java.net.SocketTimeoutException;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Base64;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.Queue;
import java.util.Random;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Test;

/**
 * Requests that nobody would send: right ones with bytes flipped, cut, doubled and pipelined, and
 * signed ones with nonsense in their parameters, headers and bodies. No answer may be a 5xx (but
 * 501, which is what S3 says of what it does not have), no connection may be left without an answer
 * or an end, and nothing may be held afterwards.
 *
 * <p>{@code -Dstowage.fuzz.seed} repeats a run's choices, {@code -Dstowage.fuzz.seconds} makes it
 * longer.
 */
class HttpFuzzTest {
  private static final int THREADS = 24;
  private static final int IDLE_MILLIS = 100;
  private static final int LARGE_BYTES = 200_000;
  private static final Pattern STATUS = Pattern.compile("HTTP/1\\.1 ([0-9]{3}) ");

  private static final String[] METHODS = {
    "GET", "PUT", "POST", "DELETE", "HEAD", "OPTIONS", "PATCH", "TRACE", "get", "CONNECT", "X"
  };
  private static final String[] PATHS = {
    "/",
    "//",
    "/fuzz",
    "/fuzz/",
    "/fuzz/k",
    "/fuzz/%00",
    "/fuzz/a/../b",
    "/fuzz/%2F%2f",
    "/fuzz//",
    "/none/k",
    "/FUZZ/k",
    "/fuzz/%F0%9F%98%80",
    "/fuzz/" + "k".repeat(1025),
    "/%",
    "*",
    "/fuzz/k#f",
    "http://x/fuzz/k",
    "/fuzz/%ed%a0%80",
    "/.",
    "/..",
    "/fuzz/.",
    "/fuzz/\u00ff"
  };
  private static final String[] PARAMETERS = {
    "acl",
    "attributes",
    "cors",
    "delete",
    "encryption",
    "legal-hold",
    "lifecycle",
    "list-type=2",
    "location",
    "logging",
    "notification",
    "object-lock",
    "ownershipControls",
    "partNumber=1",
    "policy",
    "policyStatus",
    "publicAccessBlock",
    "requestPayment",
    "restore",
    "retention",
    "select",
    "tagging",
    "torrent",
    "uploadId=" + "0".repeat(32),
    "uploads",
    "versionId=null",
    "versionId=x",
    "versioning",
    "versions",
    "website",
    "prefix=a",
    "delimiter=/",
    "max-keys=0",
    "max-keys=99999999999",
    "marker=%00",
    "continuation-token=!",
    "encoding-type=url",
    "start-after=z",
    "partNumber=-1",
    "partNumber=",
    "uploadId=",
    "key-marker=a",
    "upload-id-marker=b",
    "max-uploads=1",
    "max-parts=x",
    "response-expires=%0a",
    "response-content-type=%00",
    "fetch-owner=maybe",
    "version-id-marker=x",
    "x-id=PutObject",
    "=",
    "&",
    "%zz",
    "AWSAccessKeyId=a",
    "X-Amz-Algorithm=b",
    "Expires=1"
  };
  private static final String[] HEADERS = {
    "range",
    "if-match",
    "if-none-match",
    "if-modified-since",
    "if-unmodified-since",
    "if-range",
    "content-md5",
    "content-type",
    "content-encoding",
    "x-amz-acl",
    "x-amz-tagging",
    "x-amz-meta-a",
    "x-amz-storage-class",
    "x-amz-copy-source",
    "x-amz-copy-source-range",
    "x-amz-copy-source-if-match",
    "x-amz-metadata-directive",
    "x-amz-checksum-crc32",
    "x-amz-checksum-sha256",
    "x-amz-checksum-algorithm",
    "x-amz-checksum-type",
    "x-amz-sdk-checksum-algorithm",
    "x-amz-trailer",
    "x-amz-decoded-content-length",
    "x-amz-server-side-encryption",
    "x-amz-server-side-encryption-customer-algorithm",
    "x-amz-object-lock-mode",
    "x-amz-object-lock-retain-until-date",
    "x-amz-mp-object-size",
    "x-amz-expected-bucket-owner",
    "x-amz-grant-read",
    "x-amz-object-attributes",
    "x-amz-bypass-governance-retention",
    "x-amz-website-redirect-location",
    "expect",
    "origin",
    "access-control-request-method",
    "transfer-encoding",
    "connection",
    "upgrade",
    "cookie"
  };
  private static final String[] VALUES = {
    "",
    "0",
    "-1",
    "1",
    "99999999999999999999",
    "*",
    "\"\"",
    "null",
    "bytes=0-",
    "bytes=-5",
    "bytes=5-1",
    "bytes=0-0,2-3",
    "bytes=99999999999999999999-",
    "Thu, 01 Jan 1970 00:00:00 GMT",
    "Sat, 31 Feb 2099 99:00:00 GMT",
    "/fuzz/k",
    "fuzz/k?versionId=x",
    "%",
    "%00",
    "a=b&a=b",
    "=",
    "COPY",
    "REPLACE",
    "CRC32",
    "SHA256",
    "CRC64NVME",
    "MD5",
    "x-amz-checksum-crc32",
    "AAAAAA==",
    "STANDARD",
    "public-read",
    "id=\"x\"",
    "emailAddress=a@b",
    "uri=http://x",
    "aws-chunked",
    "gzip, aws-chunked",
    "chunked",
    "identity",
    "close",
    "keep-alive",
    "100-continue",
    "h2c",
    "AES256",
    "aws:kms",
    "GOVERNANCE",
    "2099-01-01T00:00:00Z",
    "ETag,Checksum,ObjectParts",
    "\t",
    "multipart/form-data; boundary=b",
    "multipart/form-data; boundary=",
    "text/plain",
    "x".repeat(5000),
    "\u00fc\u00e9",
    "FULL_OBJECT",
    "COMPOSITE",
    "true"
  };
  private static final String[] BODIES = {
    "",
    "x",
    "<",
    "<a/>",
    "<Delete><Object><Key>k</Key></Object></Delete>",
    "<Delete><Object><Key></Key></Object></Delete>",
    "<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>x</ETag></Part>"
        + "</CompleteMultipartUpload>",
    "<Tagging><TagSet><Tag><Key>a</Key><Value>b</Value></Tag></TagSet></Tagging>",
    "<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>",
    "<VersioningConfiguration><Status>Perhaps</Status></VersioningConfiguration>",
    "<CORSConfiguration><CORSRule><AllowedMethod>GET</AllowedMethod><AllowedOrigin>*"
        + "</AllowedOrigin></CORSRule></CORSConfiguration>",
    "<LifecycleConfiguration><Rule><Status>Enabled</Status><Expiration><Days>1</Days></Expiration>"
        + "</Rule></LifecycleConfiguration>",
    "<AccessControlPolicy><Owner/><AccessControlList/></AccessControlPolicy>",
    "<CreateBucketConfiguration><LocationConstraint>x</LocationConstraint>"
        + "</CreateBucketConfiguration>",
    "<ObjectLockConfiguration><ObjectLockEnabled>Enabled</ObjectLockEnabled>"
        + "</ObjectLockConfiguration>",
    "<Retention><Mode>GOVERNANCE</Mode><RetainUntilDate>x</RetainUntilDate></Retention>",
    "<!DOCTYPE a [<!ENTITY b \"" + "c".repeat(100) + "\">]><a>&b;&b;</a>",
    "<a>".repeat(500),
    "{\"Version\":\"2012-10-17\",\"Statement\":[]}",
    "{\"Statement\":{}}",
    "[1",
    "--b\r\nContent-Disposition: form-data; name=\"key\"\r\n\r\nk\r\n--b\r\nContent-Disposition:"
        + " form-data; name=\"file\"; filename=\"f\"\r\n\r\ndata\r\n--b--\r\n",
    "--b\r\nContent-Disposition: form-data; name=\"policy\"\r\n\r\ne30=\r\n--b--\r\n",
    "5\r\nhello\r\n0\r\n\r\n",
    "ffffffffffff\r\n",
    "0\r\nx-amz-checksum-crc32:AAAAAA==\r\n\r\n"
  };

  private final RawS3 raw;
  private final InMemoryTarget target;
  private final Queue<String> failures = new ConcurrentLinkedQueue<>();
  private final AtomicInteger sent = new AtomicInteger();
  private final AtomicInteger answered = new AtomicInteger();

  HttpFuzzTest() throws Exception {
    target = new InMemoryTarget(Map.of(Keys.S3_IDLE_TIMEOUT.name(), IDLE_MILLIS + "ms"));
    raw =
        new RawS3(
            URI.create("http://127.0.0.1:" + target.gateway.port()),
            InMemoryTarget.ACCESS_KEY,
            InMemoryTarget.SECRET_KEY,
            "us-east-1");
  }

  @Test
  void nothingThatAnybodySendsDoesHarm() throws Exception {
    long seed = Long.getLong("stowage.fuzz.seed", System.nanoTime() & 0xffffff);
    int seconds = Integer.getInteger("stowage.fuzz.seconds", 10);
    ResourceLeakDetector.Level level = ResourceLeakDetector.getLevel();
    ResourceLeakDetector.setLevel(ResourceLeakDetector.Level.PARANOID);
    try {
      assertEquals(200, raw.call("PUT", "/fuzz").send().status());
      assertEquals(200, raw.call("PUT", "/fuzz/k").body("content").send().status());
      long end = System.nanoTime() + TimeUnit.SECONDS.toNanos(seconds);
      List<Thread> threads = new ArrayList<>();
      for (int i = 0; i < THREADS; i++) {
        Random random = new Random(seed * 31 + i);
        Thread thread =
            new Thread(
                () -> {
                  while (System.nanoTime() < end && failures.isEmpty()) {
                    one(random);
                  }
                },
                "fuzz-" + i);
        thread.start();
        threads.add(thread);
      }
      for (Thread thread : threads) {
        thread.join(TimeUnit.SECONDS.toMillis(seconds + 60));
        assertFalse(thread.isAlive(), "seed " + seed + ": hangs");
      }
      System.out.println(
          "fuzz: seed " + seed + ", " + sent + " requests, " + answered + " answers");
      assertTrue(failures.isEmpty(), () -> "seed " + seed + ": " + failures.peek());
      assertTrue(answered.get() > 100, "hardly anything was answered");
      assertEquals(200, raw.call("PUT", "/fuzz-end").send().status());
      assertEquals(200, raw.call("PUT", "/fuzz-end/k").body("content").send().status());
      assertEquals("content", raw.call("GET", "/fuzz-end/k").send().text());
    } finally {
      target.close(); // checks that nothing is left
      ResourceLeakDetector.setLevel(level);
    }
  }

  private void one(Random random) {
    byte[] wire = random.nextInt(3) == 0 ? nonsense(random) : right(random);
    int changes = random.nextInt(4);
    for (int i = 0; i < changes; i++) {
      wire = change(wire, random);
    }
    if (random.nextInt(8) == 0) {
      wire = join(wire, right(random));
    }
    if (sent.incrementAndGet() % 1000 == 0) {
      target.data.dropOldest(LARGE_BYTES / 2, 200); // what /fuzz/large was before
    }
    try {
      String problem = exchange(wire, random);
      if (problem != null) {
        failures.add(problem + " for:\n" + printable(wire));
      }
    } catch (IOException e) {
      // The gateway closes what it cannot read on; that is an end, too.
    }
  }

  /** A right request. */
  private byte[] right(Random random) {
    switch (random.nextInt(9)) {
      case 0 -> {
        return sign(raw.call("PUT", "/fuzz/k" + random.nextInt(9)).body("content"));
      }
      case 1 -> {
        return sign(raw.call("GET", "/fuzz/k").header("range", "bytes=1-3"));
      }
      case 2 -> {
        return sign(raw.call("GET", "/fuzz?list-type=2&prefix=k"));
      }
      case 3 -> {
        return raw.call("PUT", "/fuzz/c")
            .chunked(true, "x-amz-checksum-crc32", "DUoRhQ==")
            .chunk("hello ".getBytes(StandardCharsets.UTF_8))
            .chunk("world".getBytes(StandardCharsets.UTF_8))
            .build()
            .wire();
      }
      case 4 -> {
        return raw.call("PUT", "/fuzz/c")
            .chunked(false, "x-amz-checksum-crc32", "DUoRhQ==")
            .chunk("hello world".getBytes(StandardCharsets.UTF_8))
            .build()
            .wire();
      }
      case 5 -> {
        return raw.call("GET", raw.presign("GET", "/fuzz/k", Instant.now(), "60")).wire();
      }
      case 6 -> {
        return sign(
            raw.call("PUT", "/fuzz/large")
                .payloadHash("UNSIGNED-PAYLOAD")
                .body(new byte[LARGE_BYTES + random.nextInt(LARGE_BYTES / 2)]));
      }
      case 7 -> {
        return raw.call("POST", "/fuzz")
            .header("content-type", "multipart/form-data; boundary=b")
            .body(BODIES[BODIES.length - 5])
            .wire();
      }
      default -> {
        return sign(raw.call("POST", "/fuzz?delete").body(BODIES[4]).header("content-md5", md5()));
      }
    }
  }

  private static String md5() {
    return Base64.getEncoder().encodeToString(new byte[16]);
  }

  private static byte[] sign(RawS3.Call call) {
    call.sign();
    return call.wire();
  }

  /** A signed request whose parts do not belong together. */
  private byte[] nonsense(Random random) {
    StringBuilder path = new StringBuilder(pick(PATHS, random));
    int parameters = random.nextInt(4);
    for (int i = 0; i < parameters; i++) {
      path.append(i == 0 ? '?' : '&').append(pick(PARAMETERS, random));
    }
    try {
      RawS3.Call call = raw.call(pick(METHODS, random), path.toString()).body(pick(BODIES, random));
      int headers = random.nextInt(4);
      for (int i = 0; i < headers; i++) {
        call.header(pick(HEADERS, random), pick(VALUES, random));
      }
      if (random.nextInt(4) == 0) {
        call.payloadHash(
            random.nextBoolean() ? "STREAMING-UNSIGNED-PAYLOAD-TRAILER" : "UNSIGNED-PAYLOAD");
      }
      if (random.nextInt(10) > 0) {
        call.sign();
      }
      return call.wire();
    } catch (IllegalStateException | IllegalArgumentException e) {
      return right(random); // cannot be signed; sent unsigned often enough by the changes
    }
  }

  private static String pick(String[] of, Random random) {
    return of[random.nextInt(of.length)];
  }

  private static byte[] change(byte[] wire, Random random) {
    if (wire.length == 0) {
      return wire;
    }
    // Heads are short and full of meaning; bodies can be long.
    int reach = random.nextInt(4) == 0 ? wire.length : Math.min(wire.length, 600);
    int at = random.nextInt(reach);
    int length = Math.min(wire.length - at, 1 + random.nextInt(random.nextInt(4) == 0 ? 200 : 4));
    byte[] before = Arrays.copyOf(wire, at);
    byte[] after = Arrays.copyOfRange(wire, at + length, wire.length);
    return switch (random.nextInt(7)) {
      case 0 -> before; // ends early
      case 1 -> join(before, after);
      case 2 -> join(join(before, Arrays.copyOfRange(wire, at, wire.length)), after);
      case 3 -> {
        byte[] other = wire.clone();
        other[at] ^= (byte) (1 << random.nextInt(8));
        yield other;
      }
      case 4 -> {
        byte[] noise = new byte[random.nextInt(random.nextInt(10) == 0 ? 40_000 : 20)];
        random.nextBytes(noise);
        yield join(join(before, noise), after);
      }
      case 5 ->
          join(
              join(
                  before,
                  ("\r\n" + pick(HEADERS, random) + ": " + pick(VALUES, random) + "\r\n")
                      .getBytes(StandardCharsets.ISO_8859_1)),
              Arrays.copyOfRange(wire, at, wire.length));
      default ->
          join(join(before, pick(VALUES, random).getBytes(StandardCharsets.ISO_8859_1)), after);
    };
  }

  private static byte[] join(byte[] a, byte[] b) {
    ByteArrayOutputStream out = new ByteArrayOutputStream(a.length + b.length);
    out.writeBytes(a);
    out.writeBytes(b);
    return out.toByteArray();
  }

  /** Sends, reads what comes until the gateway closes; what was wrong, or null. */
  private String exchange(byte[] wire, Random random) throws IOException {
    try (Socket socket = raw.open()) {
      socket.setSoTimeout(IDLE_MILLIS + 10_000);
      OutputStream out = socket.getOutputStream();
      int first = random.nextInt(3) == 0 ? random.nextInt(wire.length + 1) : wire.length;
      out.write(wire, 0, first);
      out.flush();
      out.write(wire, first, wire.length - first);
      if (random.nextInt(10) == 0) {
        return null; // leaves without a word
      }
      ByteArrayOutputStream got = new ByteArrayOutputStream();
      InputStream in = socket.getInputStream();
      byte[] buffer = new byte[8192];
      try {
        for (int n = in.read(buffer); n >= 0; n = in.read(buffer)) {
          got.write(buffer, 0, n);
        }
      } catch (SocketTimeoutException e) {
        return "no end of the connection, and so far " + got.toString(StandardCharsets.UTF_8);
      } catch (IOException e) {
        // reset: what came before it counts
      }
      String text = got.toString(StandardCharsets.ISO_8859_1);
      Matcher statuses = STATUS.matcher(text);
      while (statuses.find()) {
        answered.incrementAndGet();
        int status = Integer.parseInt(statuses.group(1));
        if (status >= 500 && status != 501) {
          return text;
        }
      }
      return null;
    }
  }

  private static String printable(byte[] wire) {
    byte[] start = Arrays.copyOf(wire, Math.min(wire.length, 3000));
    return new String(start, StandardCharsets.ISO_8859_1)
        + "\n"
        + HexFormat.of().formatHex(Arrays.copyOf(start, Math.min(start.length, 1000)));
  }
}
