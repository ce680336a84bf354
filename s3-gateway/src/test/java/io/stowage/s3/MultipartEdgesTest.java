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
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.stowage.s3.payload.HashKind;
import io.stowage.s3.suite.RawS3;
import io.stowage.s3.suite.RawS3.Reply;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.URI;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Base64;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;

/** The corners of multipart uploads: checksums named and not, sizes, numbers, races. */
class MultipartEdgesTest {
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
  }

  @AfterAll
  static void stop() {
    target.close();
  }

  private static String begin(String key, String algorithm) throws IOException {
    RawS3.Call call = raw.call("POST", "/bucket/" + key + "?uploads");
    if (algorithm != null) {
      call.header("x-amz-checksum-algorithm", algorithm);
    }
    return call.send().element("UploadId");
  }

  private static RawS3.Call part(String key, String id, int number, String body) {
    return raw.call("PUT", "/bucket/" + key + "?partNumber=" + number + "&uploadId=" + id)
        .body(body);
  }

  private static String checksum(HashKind kind, String body) {
    HashKind.Hasher hasher = kind.newHasher();
    hasher.update(ByteBuffer.wrap(body.getBytes(StandardCharsets.UTF_8)));
    return Base64.getEncoder().encodeToString(hasher.digest());
  }

  private static RawS3.Call complete(String key, String id, String etag) {
    return complete(key, id, etag, "");
  }

  private static RawS3.Call complete(String key, String id, String etag, String checksum) {
    return raw.call("POST", "/bucket/" + key + "?uploadId=" + id)
        .body(
            "<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>"
                + etag.replace("\"", "&quot;")
                + "</ETag>"
                + checksum
                + "</Part></CompleteMultipartUpload>");
  }

  @Test
  void anUploadThatNamedACrcTakesNoOther() throws IOException {
    String id = begin("named", "CRC64NVME");
    for (HashKind other : HashKind.CHECKSUMS) {
      Reply reply =
          part("named", id, 1, "part").header(other.header(), checksum(other, "part")).send();
      if (other == HashKind.CRC64NVME) {
        assertEquals(200, reply.status(), reply.text());
      } else {
        assertEquals("InvalidRequest", reply.code(), reply.text());
        assertTrue(reply.text().contains("expected checksum Type: crc64nvme"), reply.text());
      }
    }
    assertEquals(200, part("named", id, 2, "without any").send().status());
    String listed = raw.call("GET", "/bucket/named?uploadId=" + id).send().text();
    assertTrue(listed.contains("<ChecksumAlgorithm>CRC64NVME</ChecksumAlgorithm>"), listed);
  }

  @Test
  void aCompositeChecksumNeedsThatOfEachPart() throws IOException {
    String id = begin("composite", "SHA256");
    Reply without = part("composite", id, 1, "part").send();
    assertEquals("InvalidRequest", without.code(), without.text());
    assertTrue(without.text().contains("actual checksum Type: null"), without.text());
    Reply with =
        part("composite", id, 1, "part")
            .header("x-amz-checksum-sha256", checksum(HashKind.SHA256, "part"))
            .send();
    assertEquals(200, with.status(), with.text());
  }

  /** Only where the sums of the parts make that of the whole, as S3 has it. */
  @Test
  void aCompositeChecksumNeedsPartsWithoutGapsFromOneOn() throws IOException {
    for (HashKind kind : List.of(HashKind.SHA256, HashKind.CRC64NVME)) {
      String id = begin("gap", kind.name());
      Reply put = part("gap", id, 2, "part").header(kind.header(), checksum(kind, "part")).send();
      String sum = "<Checksum" + kind.name() + ">" + checksum(kind, "part");
      String document =
          "<CompleteMultipartUpload><Part><PartNumber>2</PartNumber><ETag>"
              + put.headers().get("etag").replace("\"", "&quot;")
              + "</ETag>"
              + sum
              + "</Checksum"
              + kind.name()
              + "></Part></CompleteMultipartUpload>";
      Reply done = raw.call("POST", "/bucket/gap?uploadId=" + id).body(document).send();
      boolean isComposite = kind == HashKind.SHA256;
      assertEquals(isComposite ? 400 : 200, done.status(), done.text());
      assertEquals(isComposite ? "InvalidPartOrder" : "", done.code(), done.text());
    }
  }

  @Test
  void anUploadThatNamedNoneTakesAnyAndGetsCrc64Nvme() throws IOException {
    String id = begin("unnamed", null);
    String etag = "";
    for (HashKind any : HashKind.CHECKSUMS) {
      Reply reply =
          part("unnamed", id, 1, "part").header(any.header(), checksum(any, "part")).send();
      assertEquals(200, reply.status(), reply.text());
      assertEquals(checksum(any, "part"), reply.headers().get(any.header()));
      etag = reply.headers().get("etag");
    }
    Reply done = complete("unnamed", id, etag).send();
    assertEquals(checksum(HashKind.CRC64NVME, "part"), done.element("ChecksumCRC64NVME"));
    assertEquals("FULL_OBJECT", done.element("ChecksumType"));
  }

  @Test
  void theDeclaredSizeMustBeTheObjects() throws IOException {
    String id = begin("sized", null);
    String etag = part("sized", id, 1, "part").send().headers().get("etag");
    assertEquals(
        "InvalidRequest",
        complete("sized", id, etag).header("x-amz-mp-object-size", "5").send().code());
    assertEquals(
        200, complete("sized", id, etag).header("x-amz-mp-object-size", "4").send().status());
    assertEquals(200, complete("sized", id, etag).send().status(), "asked again");
    assertEquals("part", raw.call("GET", "/bucket/sized").send().text());
  }

  @Test
  void wholeChecksumsAreChecked() throws IOException {
    String id = begin("whole", "CRC32");
    String etag =
        part("whole", id, 1, "part")
            .header("x-amz-checksum-crc32", checksum(HashKind.CRC32, "part"))
            .send()
            .headers()
            .get("etag");
    String sum = "<ChecksumCRC32>" + checksum(HashKind.CRC32, "part") + "</ChecksumCRC32>";
    assertEquals("InvalidRequest", complete("whole", id, etag).send().code(), "parts without sums");
    assertEquals(
        "BadDigest",
        complete("whole", id, etag, sum).header("x-amz-checksum-crc32", "AAAAAA==").send().code());
    assertEquals(
        "InvalidRequest",
        complete("whole", id, etag, sum)
            .header("x-amz-checksum-type", "FULL_OBJECT")
            .send()
            .code());
    Reply done = complete("whole", id, etag, sum).header("x-amz-checksum-type", "COMPOSITE").send();
    assertEquals(200, done.status(), done.text());
    assertTrue(done.element("ChecksumCRC32").endsWith("-1"), done.text());
  }

  @Test
  void tenThousandPartsAndNotOneMore() throws IOException {
    String id = begin("many", null);
    for (int number : new int[] {1, 5_000, 10_000}) {
      assertEquals(200, part("many", id, number, "x" + number).send().status());
    }
    assertEquals("InvalidArgument", part("many", id, 10_001, "x").send().code());
    assertEquals("InvalidArgument", part("many", id, 0, "x").send().code());
    Reply tooLarge =
        part("many", id, 2, "x")
            .payloadHash("UNSIGNED-PAYLOAD")
            .header("content-length", Long.toString((5L << 30) + 1))
            .send();
    assertEquals("EntityTooLarge", tooLarge.code());
    assertEquals(400, tooLarge.status());
    Reply listed = raw.call("GET", "/bucket/many?max-parts=2&uploadId=" + id).send();
    assertEquals("5000", listed.element("NextPartNumberMarker"));
    assertEquals("true", listed.element("IsTruncated"));
    StringBuilder tooMany = new StringBuilder("<CompleteMultipartUpload>");
    for (int number = 1; number <= 10_001; number++) {
      tooMany.append("<Part><PartNumber>1</PartNumber><ETag>a</ETag></Part>");
    }
    assertEquals(
        "MalformedXML",
        raw.call("POST", "/bucket/many?uploadId=" + id)
            .body(tooMany.append("</CompleteMultipartUpload>").toString())
            .send()
            .code());
  }

  @Test
  void aCompletionThatIsRepeatedWithOtherPartsIsRefused() throws IOException {
    String id = begin("repeated", null);
    String etag = part("repeated", id, 1, "part").send().headers().get("etag");
    String other = part("repeated", id, 2, "other").send().headers().get("etag");
    assertEquals(200, complete("repeated", id, etag).send().status());
    assertEquals("NoSuchUpload", complete("repeated", id, other).send().code());
    assertEquals(200, complete("repeated", id, etag).send().status());
  }

  @Test
  void racedCompletionsAgree() throws Exception {
    for (int round = 0; round < 20; round++) {
      String key = "raced" + round;
      String id = begin(key, null);
      String etag = part(key, id, 1, "part").send().headers().get("etag");
      List<CompletableFuture<Reply>> racers = new ArrayList<>();
      for (int i = 0; i < 4; i++) {
        racers.add(
            CompletableFuture.supplyAsync(
                () -> {
                  try {
                    return complete(key, id, etag).send();
                  } catch (IOException e) {
                    throw new UncheckedIOException(e);
                  }
                }));
      }
      for (CompletableFuture<Reply> racer : racers) {
        Reply reply = racer.get();
        assertEquals(200, reply.status(), reply.text());
        assertTrue(reply.element("ETag").contains("-1"), reply.text());
      }
    }
  }
}
