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

import io.netty.buffer.ByteBuf;
import io.stowage.s3.auth.PayloadSigning.SignedChunks;
import io.stowage.s3.auth.SignatureV4;
import io.stowage.s3.error.S3Error;
import io.stowage.s3.error.S3Exception;
import io.stowage.s3.http.BodySource;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.util.HexFormat;
import java.util.LinkedHashMap;
import java.util.Locale;
import java.util.Map;

/**
 * The aws-chunked framing: {@code size-in-hex[;chunk-signature=…] CRLF bytes CRLF …}, ended by a
 * chunk of 0 bytes, then a trailer of {@code name:value} lines if there is one. Bytes are handed on
 * before the signature of their chunk has been seen, so that no chunk is held in memory; nothing
 * may be committed before {@link #next} has returned null. Confined to one thread.
 *
 * @see <a href="https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-streaming-trailers.html">
 *     Chunked uploads with trailers</a>
 */
final class AwsChunkedBody {
  /** Size, signature, and a line's end take 86 bytes; a trailer's longest line 110. */
  private static final int LONGEST_LINE = 512;

  private static final int MOST_TRAILERS = 16;
  private static final String SIGNATURE = "chunk-signature=";
  private static final String TRAILER_SIGNATURE = "x-amz-trailer-signature";

  private enum State {
    SIZE,
    DATA,
    DATA_END,
    TRAILER,
    DONE
  }

  private final BodySource raw;
  private final SignedChunks signing;
  private final boolean trailerExpected;
  private final MessageDigest chunkHash;
  private final Map<String, String> trailer = new LinkedHashMap<>();
  private final byte[] line = new byte[LONGEST_LINE];

  private State state = State.SIZE;
  private ByteBuf piece;
  private long chunkRest;
  private String chunkSignature;
  private String previousSignature;

  /**
   * @param signing null if the chunks are not signed
   * @param trailerExpected whether a trailer follows the last chunk
   */
  AwsChunkedBody(BodySource raw, SignedChunks signing, boolean trailerExpected) {
    this.raw = raw;
    this.signing = signing;
    this.trailerExpected = trailerExpected;
    this.chunkHash = signing == null ? null : SignatureV4.sha256();
    this.previousSignature = signing == null ? null : signing.seedSignature();
  }

  /** The next bytes, which the caller then owns; null at an end whose every signature was right. */
  ByteBuf next() throws S3Exception {
    while (true) {
      switch (state) {
        case SIZE -> beginChunk(readLine());
        case DATA -> {
          if (!fill()) {
            throw new S3Exception(S3Error.INCOMPLETE_BODY);
          }
          int length = (int) Math.min(chunkRest, piece.readableBytes());
          ByteBuf data = piece.readRetainedSlice(length);
          if (chunkHash != null) {
            for (ByteBuffer buffer : data.nioBuffers()) {
              chunkHash.update(buffer);
            }
          }
          chunkRest -= length;
          if (chunkRest == 0) {
            state = State.DATA_END;
          }
          return data;
        }
        case DATA_END -> {
          if (!readLine().isEmpty()) {
            throw malformed();
          }
          verifyChunk();
          state = State.SIZE;
        }
        case TRAILER -> {
          readTrailer();
          state = State.DONE;
        }
        case DONE -> {
          if (fill()) {
            throw malformed();
          }
          return null;
        }
      }
    }
  }

  /** Fields of the trailer by lower-case name, once {@link #next} has returned null. */
  Map<String, String> trailer() {
    return trailer;
  }

  void close() {
    if (piece != null) {
      piece.release();
      piece = null;
    }
  }

  private void beginChunk(String header) throws S3Exception {
    int semicolon = header.indexOf(';');
    String size = semicolon < 0 ? header : header.substring(0, semicolon);
    if (size.isEmpty() || size.length() > 12 || !size.matches("[0-9a-fA-F]+")) {
      throw new S3Exception(S3Error.INVALID_CHUNK_SIZE);
    }
    if (signing != null) {
      if (semicolon < 0
          || !header.startsWith(SIGNATURE, semicolon + 1)
          || header.length() != semicolon + 1 + SIGNATURE.length() + 64) {
        throw malformed();
      }
      chunkSignature = header.substring(semicolon + 1 + SIGNATURE.length());
    }
    chunkRest = Long.parseLong(size, 16);
    if (chunkRest > 0) {
      state = State.DATA;
    } else {
      verifyChunk();
      state = State.TRAILER;
    }
  }

  private void verifyChunk() throws S3Exception {
    if (signing == null) {
      return;
    }
    String expected =
        signing
            .signingKey()
            .sign(
                SignatureV4.chunkStringToSign(
                    signing.timestamp(),
                    signing.scope(),
                    previousSignature,
                    HexFormat.of().formatHex(chunkHash.digest())));
    if (!SignatureV4.matches(expected, chunkSignature)) {
      throw new S3Exception(S3Error.SIGNATURE_DOES_NOT_MATCH);
    }
    previousSignature = expected;
  }

  private void readTrailer() throws S3Exception {
    String signature = null;
    StringBuilder signed = new StringBuilder();
    int blankLines = 0;
    while (true) {
      if (!fill()) {
        break; // some clients leave out the last empty line
      }
      String text = readLine();
      if (text.isEmpty()) {
        // Between the fields and their signature some clients write an empty line.
        if (signing == null || !trailerExpected || signature != null || ++blankLines > 1) {
          break;
        }
        continue;
      }
      int colon = text.indexOf(':');
      if (!trailerExpected || colon <= 0 || trailer.size() == MOST_TRAILERS) {
        throw new S3Exception(S3Error.MALFORMED_TRAILER);
      }
      String name = text.substring(0, colon).trim().toLowerCase(Locale.ROOT);
      String value = text.substring(colon + 1).trim();
      if (name.equals(TRAILER_SIGNATURE)) {
        signature = value;
      } else {
        trailer.put(name, value);
        signed.append(name).append(':').append(value).append('\n');
      }
    }
    if (signing != null && trailerExpected) {
      verifyTrailer(signature, signed.toString());
    }
  }

  private void verifyTrailer(String signature, String signed) throws S3Exception {
    if (signature == null) {
      throw new S3Exception(S3Error.MALFORMED_TRAILER);
    }
    String expected =
        signing
            .signingKey()
            .sign(
                SignatureV4.trailerStringToSign(
                    signing.timestamp(),
                    signing.scope(),
                    previousSignature,
                    SignatureV4.sha256Hex(signed.getBytes(StandardCharsets.UTF_8))));
    if (!SignatureV4.matches(expected, signature)) {
      throw new S3Exception(S3Error.SIGNATURE_DOES_NOT_MATCH);
    }
  }

  /** A line without its end, which is LF or CR LF. */
  private String readLine() throws S3Exception {
    int length = 0;
    while (true) {
      if (!fill()) {
        throw new S3Exception(S3Error.INCOMPLETE_BODY);
      }
      byte b = piece.readByte();
      if (b == '\n') {
        int end = length > 0 && line[length - 1] == '\r' ? length - 1 : length;
        return new String(line, 0, end, StandardCharsets.ISO_8859_1);
      }
      if (length == LONGEST_LINE) {
        throw malformed();
      }
      line[length++] = b;
    }
  }

  /** Sees to it that {@code piece} has bytes; false at the end of the body. */
  private boolean fill() throws S3Exception {
    while (piece == null || !piece.isReadable()) {
      close();
      piece = raw.next();
      if (piece == null) {
        return false;
      }
    }
    return true;
  }

  private static S3Exception malformed() {
    return new S3Exception(
        S3Error.INCOMPLETE_BODY, "The body is not well-formed in the aws-chunked encoding");
  }
}
