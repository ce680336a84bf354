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
package io.stowage.s3.payload;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import io.netty.handler.codec.http.DefaultHttpHeaders;
import io.netty.handler.codec.http.HttpHeaders;
import io.stowage.s3.auth.PayloadSigning;
import io.stowage.s3.auth.SigningKey;
import io.stowage.s3.error.S3Error;
import io.stowage.s3.error.S3Exception;
import io.stowage.s3.http.BodyMemory;
import io.stowage.s3.http.BodySource;
import java.io.ByteArrayOutputStream;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.EnumSet;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * The aws-chunked examples that AWS publishes, cut into pieces of any size.
 *
 * @see <a href="https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-streaming.html">chunks</a>,
 *     <a href="https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-streaming-trailers.html">with
 *     trailers</a>
 */
class AwsChunkedBodyTest {
  private static final String[] PLAIN = {
    "ad80c730a21e5b8d04586a2213dd63b9a0e99e0e2307b0ade35a65485a288648",
    "0055627c9e194cb4542bae2aa5492e3c1575bbb81b612b7d234b86a503ef5497",
    "b6c6ea8a5354eaf15b3cb7646744f4275b71ea724fed81ceb9323e279d449df9"
  };
  private static final String[] WITH_TRAILER = {
    "b474d8862b1487a5145d686f57f013e54db672cee1c953b3010fb58501ef5aa2",
    "1c1344b170168f8e65b41376b44b20fe354e373826ccbbe2c1d40a8cae51e5c7",
    "2ca2aba2005185cf7159c6277faf83795951dd77a3a99e6e65d5c9f85863f992"
  };

  private static PayloadSigning signing(String seed, boolean trailer) {
    return new PayloadSigning.SignedChunks(
        SigningKey.derive(
            "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", "20130524", "us-east-1", "s3"),
        "20130524T000000Z",
        "20130524/us-east-1/s3/aws4_request",
        seed,
        trailer);
  }

  private static byte[] body(String[] signatures, String trailer) {
    ByteArrayOutputStream out = new ByteArrayOutputStream();
    int[] sizes = {65536, 1024, 0};
    for (int i = 0; i < sizes.length; i++) {
      write(out, Integer.toHexString(sizes[i]) + ";chunk-signature=" + signatures[i] + "\r\n");
      write(out, "a".repeat(sizes[i]));
      write(out, sizes[i] == 0 ? "" : "\r\n");
    }
    write(out, trailer + "\r\n");
    return out.toByteArray();
  }

  private static void write(ByteArrayOutputStream out, String text) {
    out.writeBytes(text.getBytes(StandardCharsets.ISO_8859_1));
  }

  /** The bytes in pieces of one size. */
  private static BodySource source(byte[] bytes, int pieceSize) {
    return new BodySource() {
      private int at;

      @Override
      public ByteBuf next() {
        if (at == bytes.length) {
          return null;
        }
        int end = Math.min(bytes.length, at + pieceSize);
        ByteBuf piece = Unpooled.wrappedBuffer(Arrays.copyOfRange(bytes, at, end));
        at = end;
        return piece;
      }

      @Override
      public long declaredLength() {
        return bytes.length;
      }

      @Override
      public void close() {}
    };
  }

  private static long read(byte[] body, int pieceSize, PayloadSigning signing, HttpHeaders headers)
      throws S3Exception {
    long length = 0;
    try (Payload payload =
        Payload.open(
            source(body, pieceSize),
            headers.set("x-amz-decoded-content-length", "66560"),
            signing,
            EnumSet.of(HashKind.MD5),
            HashKind.CRC64NVME,
            1 << 20,
            new HashThreads(Runnable::run, new BodyMemory(1 << 20)))) {
      for (ByteBuf piece; (piece = payload.next()) != null; ) {
        length += piece.readableBytes();
        piece.release();
      }
    }
    return length;
  }

  @ParameterizedTest
  @ValueSource(ints = {1, 7, 100, 8192, 100_000})
  void readsTheSignedExample(int pieceSize) throws Exception {
    PayloadSigning signing =
        signing("4f232c4386841ef735655705268965c44a0e4690baa4adea153f7db9fa80a0a9", false);
    assertEquals(66560, read(body(PLAIN, ""), pieceSize, signing, new DefaultHttpHeaders()));
  }

  @ParameterizedTest
  @ValueSource(ints = {1, 7, 100, 8192, 100_000})
  void readsTheExampleWithATrailer(int pieceSize) throws Exception {
    PayloadSigning signing =
        signing("106e2a8a18243abcf37539882f36619c00e2dfc72633413f02d3b74544bfeb8e", true);
    for (String lineEnd : new String[] {"\r\n", "\n", "\n\r\n"}) {
      String trailer =
          "x-amz-checksum-crc32c:sOO8/Q=="
              + lineEnd
              + "x-amz-trailer-signature:"
              + "d81f82fc3505edab99d459891051a732e8730629a2e4a59689829ca17fe2e435\r\n";
      assertEquals(
          66560,
          read(
              body(WITH_TRAILER, trailer),
              pieceSize,
              signing,
              new DefaultHttpHeaders().set("x-amz-trailer", "x-amz-checksum-crc32c")));
    }
  }

  @Test
  void aChangedByteAnywhereIsFound() {
    PayloadSigning signing =
        signing("4f232c4386841ef735655705268965c44a0e4690baa4adea153f7db9fa80a0a9", false);
    byte[] good = body(PLAIN, "");
    for (int i = 0; i < good.length; i += i < 200 ? 1 : 997) {
      byte[] bad = good.clone();
      bad[i] ^= 0x01;
      int at = i;
      S3Exception e =
          assertThrows(
              S3Exception.class,
              () -> read(bad, 4096, signing, new DefaultHttpHeaders()),
              () -> "byte " + at);
      assertEquals(4, e.error().status() / 100);
    }
  }

  @Test
  void aBodyCutAnywhereIsFound() {
    PayloadSigning signing =
        signing("4f232c4386841ef735655705268965c44a0e4690baa4adea153f7db9fa80a0a9", false);
    byte[] good = body(PLAIN, "");
    for (int length = 0; length < good.length - 2; length += length < 200 ? 1 : 499) {
      byte[] bad = Arrays.copyOf(good, length);
      S3Exception e =
          assertThrows(S3Exception.class, () -> read(bad, 4096, signing, new DefaultHttpHeaders()));
      assertEquals(S3Error.INCOMPLETE_BODY, e.error());
    }
  }
}
