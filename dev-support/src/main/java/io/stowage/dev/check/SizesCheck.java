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
package io.stowage.dev.check;

import io.stowage.dev.content.ContentVerifier;
import io.stowage.dev.content.GeneratedContent;
import io.stowage.dev.s3.S3Connection;
import io.stowage.dev.s3.S3Response;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.ArrayList;
import java.util.Collections;
import java.util.HexFormat;
import java.util.List;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/**
 * Puts, reads back whole and by ranges, and deletes objects around every boundary that the store
 * has: sectors, the packing limit, cells, stripes, and multipart uploads.
 */
@Command(
    name = "sizes",
    mixinStandardHelpOptions = true,
    description = "Objects of all sizes, put, read whole and by ranges, deleted.")
final class SizesCheck implements Callable<Integer> {
  private static final int KIB = 1 << 10;
  private static final int MIB = 1 << 20;
  private static final long[] SIZES = {
    0,
    1,
    2,
    4 * KIB - 1,
    4 * KIB,
    4 * KIB + 1,
    64 * KIB,
    128 * KIB - 1,
    128 * KIB,
    128 * KIB + 1,
    MIB - 1,
    MIB,
    MIB + 1,
    3 * MIB,
    3 * MIB + 1,
    16 * MIB,
    64 * MIB,
    100 * MIB + 7
  };
  private static final List<Long> PARTS = Collections.nCopies(5, 40L * MIB);

  @Mixin private S3Check.Endpoint endpoint;

  @Option(
      names = "--part-gib",
      description = "upload one part of so many GiB, too; S3 allows 5. Default: none")
  private int partGib;

  @Override
  public Integer call() throws Exception {
    try (S3Connection connection = endpoint.connect(true)) {
      S3Response made = connection.createBucket(endpoint.bucket());
      if (!made.isSuccess() && !made.errorCode().startsWith("BucketAlready")) {
        throw new IOException("cannot make bucket " + endpoint.bucket() + ": " + made.errorCode());
      }
      for (long size : SIZES) {
        checkSize(connection, "sizes/" + size, size);
      }
      checkMultipart(connection, "sizes/multipart", PARTS);
    }
    if (partGib > 0) {
      // To hash so much first would leave the connection idle for longer than a gateway bears.
      try (S3Connection connection = endpoint.connect(false)) {
        checkMultipart(connection, "sizes/large-part", List.of((long) partGib << 30, 7L));
      }
    }
    System.out.printf(
        "%d sizes up to %d MiB and a multipart upload of %d MiB%s are right%n",
        SIZES.length,
        SIZES[SIZES.length - 1] / MIB,
        lengthOf(PARTS) / MIB,
        partGib > 0 ? ", and one with a part of " + partGib + " GiB," : "");
    return 0;
  }

  private void checkSize(S3Connection connection, String key, long size) throws IOException {
    GeneratedContent content = GeneratedContent.of(key, size);
    S3Response put = success(connection.put(endpoint.bucket(), key, content), "put " + key);
    String etag = '"' + md5Of(content) + '"';
    expect(etag, put.headers().get("etag"), "ETag of " + key);
    checkWhole(connection, key, content);
    checkRanges(connection, key, size, 0);
    success(connection.delete(endpoint.bucket(), key), "delete " + key);
    expect(404, connection.head(endpoint.bucket(), key).status(), "status of the deleted " + key);
  }

  private void checkWhole(S3Connection connection, String key, GeneratedContent content)
      throws IOException {
    S3Response head = success(connection.head(endpoint.bucket(), key), "head " + key);
    expect(
        Long.toString(content.lengthBytes()),
        head.headers().get("content-length"),
        "length of " + key);
    ContentVerifier verifier = new ContentVerifier(key, content, 0);
    success(verifier.complete(connection.get(endpoint.bucket(), key, verifier)), "get " + key);
  }

  /**
   * First and last byte, and what straddles the boundaries inside.
   *
   * @param border one more of them
   */
  private void checkRanges(S3Connection connection, String key, long size, long border)
      throws IOException {
    for (long middle :
        new long[] {0, 1, 4 * KIB, 128 * KIB, MIB, 3L * MIB, size - 1, size / 2, border}) {
      long from = Math.max(0, middle - 100);
      long length = Math.min(200, size - from);
      if (middle < 0 || length <= 0) {
        continue;
      }
      ContentVerifier verifier = new ContentVerifier(key, from, length);
      S3Response response = connection.getRange(endpoint.bucket(), key, from, length, verifier);
      expect(206, response.status(), "status of a range of " + key);
      verifier.complete(response);
    }
  }

  private void checkMultipart(S3Connection connection, String key, List<Long> partLengths)
      throws IOException {
    StringBuilder xml = new StringBuilder();
    S3Connection.Sink text =
        (bytes, offset, count) ->
            xml.append(new String(bytes, offset, count, StandardCharsets.UTF_8));
    success(connection.createUpload(endpoint.bucket(), key, text), "create upload");
    String uploadId =
        xml.substring(
            xml.indexOf("<UploadId>") + "<UploadId>".length(), xml.indexOf("</UploadId>"));
    List<String> etags = new ArrayList<>();
    GeneratedContent whole = GeneratedContent.of(key, lengthOf(partLengths));
    long offset = 0;
    for (long length : partLengths) {
      Slice slice = new Slice(whole, offset, length);
      int part = etags.size() + 1;
      S3Response response =
          success(
              connection.putPart(endpoint.bucket(), key, uploadId, part, slice), "part " + part);
      etags.add(response.headers().get("etag"));
      offset += length;
    }
    xml.setLength(0);
    success(
        connection.completeUpload(endpoint.bucket(), key, uploadId, etags, text),
        "complete upload");
    if (!xml.toString().contains("-" + etags.size())) {
      throw new IOException(
          "the ETag of " + etags.size() + " parts does not end in their number: " + xml);
    }
    checkWhole(connection, key, whole);
    checkRanges(connection, key, whole.lengthBytes(), partLengths.get(0));
    success(connection.delete(endpoint.bucket(), key), "delete " + key);
  }

  private static long lengthOf(List<Long> partLengths) {
    return partLengths.stream().mapToLong(Long::longValue).sum();
  }

  private static S3Response success(S3Response response, String what) throws IOException {
    if (!response.isSuccess()) {
      throw new IOException("cannot " + what + ": " + response.errorCode());
    }
    return response;
  }

  private static void expect(Object expected, Object actual, String what) throws IOException {
    if (!expected.equals(actual)) {
      throw new IOException(what + " is " + actual + ", not " + expected);
    }
  }

  private static String md5Of(GeneratedContent content) throws IOException {
    try {
      MessageDigest md5 = MessageDigest.getInstance("MD5");
      content.writeTo(
          new OutputStream() {
            @Override
            public void write(int b) {
              md5.update((byte) b);
            }

            @Override
            public void write(byte[] bytes, int offset, int count) {
              md5.update(bytes, offset, count);
            }
          });
      return HexFormat.of().formatHex(md5.digest());
    } catch (NoSuchAlgorithmException e) {
      throw new IllegalStateException("every JDK has MD5", e);
    }
  }

  /** A part's bytes of the whole. */
  private record Slice(GeneratedContent whole, long offset, long lengthBytes)
      implements S3Connection.Body {
    @Override
    public void writeTo(OutputStream out) throws IOException {
      byte[] buffer = new byte[64 * KIB];
      for (long done = 0; done < lengthBytes; done += buffer.length) {
        int count = (int) Math.min(buffer.length, lengthBytes - done);
        whole.fill(offset + done, buffer, 0, count);
        out.write(buffer, 0, count);
      }
    }
  }
}
