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
import io.netty.handler.codec.http.HttpHeaderNames;
import io.netty.handler.codec.http.HttpHeaders;
import io.stowage.common.proto.Checksum;
import io.stowage.common.proto.ChecksumAlgorithm;
import io.stowage.s3.auth.PayloadSigning;
import io.stowage.s3.error.S3Error;
import io.stowage.s3.error.S3Exception;
import io.stowage.s3.http.BodySource;
import java.util.Arrays;
import java.util.Base64;
import java.util.EnumSet;
import java.util.HexFormat;
import java.util.Map;
import java.util.Set;

/**
 * A request's body as the operation sees it: free of its framing, and checked. Whatever the request
 * claims of the body (its length, the signature over it, Content-MD5, an x-amz-checksum in header
 * or trailer) has been found right when {@link #next} returns null; an operation commits after that
 * and never before. Confined to the worker.
 */
public final class Payload implements AutoCloseable {
  /** Bodies up to this are hashed where they pass: handing them over would cost more. */
  private static final long HASH_IN_PLACE = 256 << 10;

  private final BodySource raw;
  private final AwsChunkedBody chunked;
  private final PayloadSigning signing;
  private final long length;
  private final byte[] contentMd5;
  private final DeclaredChecksum declared;
  private final HashKind checksumKind;
  private final BodyDigests digests;
  private long received;
  private Map<HashKind, byte[]> values;

  private Payload(
      BodySource raw,
      AwsChunkedBody chunked,
      PayloadSigning signing,
      long length,
      byte[] contentMd5,
      DeclaredChecksum declared,
      HashKind checksumKind,
      BodyDigests digests) {
    this.raw = raw;
    this.chunked = chunked;
    this.signing = signing;
    this.length = length;
    this.contentMd5 = contentMd5;
    this.declared = declared;
    this.checksumKind = checksumKind;
    this.digests = digests;
  }

  /**
   * Begins to read a body.
   *
   * @param signing what the authenticator found
   * @param wanted hashes that the operation needs besides those that are checked
   * @param fallback checksum to compute if the request declares none; null: none
   * @param maxLength a longer body is EntityTooLarge, before a byte of it is read
   * @param hashThreads for the slow hashes of large bodies
   */
  public static Payload open(
      BodySource raw,
      HttpHeaders headers,
      PayloadSigning signing,
      Set<HashKind> wanted,
      HashKind fallback,
      long maxLength,
      HashThreads hashThreads)
      throws S3Exception {
    DeclaredChecksum declared = DeclaredChecksum.of(headers);
    byte[] contentMd5 = contentMd5(headers);
    boolean isChunked =
        signing instanceof PayloadSigning.SignedChunks
            || signing instanceof PayloadSigning.UnsignedChunks;
    boolean hasTrailer = headers.contains("x-amz-trailer");
    if (hasTrailer && !isChunked) {
      throw new S3Exception(S3Error.MALFORMED_TRAILER);
    }
    long length = isChunked ? decodedLength(headers) : raw.declaredLength();
    if (length < 0 && (isChunked || !raw.tellsItsEnd())) {
      throw !isChunked && headers.contains(HttpHeaderNames.TRANSFER_ENCODING)
          ? new S3Exception(
                  S3Error.NOT_IMPLEMENTED,
                  "A header you provided implies functionality that is not implemented")
              .with("Header", "Transfer-Encoding")
          : new S3Exception(S3Error.MISSING_CONTENT_LENGTH);
    }
    if (length > maxLength) {
      throw new S3Exception(S3Error.ENTITY_TOO_LARGE)
          .with("ProposedSize", Long.toString(length))
          .with("MaxSizeAllowed", Long.toString(maxLength));
    }
    Set<HashKind> kinds = EnumSet.noneOf(HashKind.class);
    kinds.addAll(wanted);
    if (contentMd5 != null) {
      kinds.add(HashKind.MD5);
    }
    HashKind checksumKind = declared != null ? declared.kind() : fallback;
    if (checksumKind != null) {
      kinds.add(checksumKind);
    }
    if (signing instanceof PayloadSigning.WholeBody) {
      kinds.add(HashKind.SHA256);
    }
    AwsChunkedBody chunked = null;
    if (signing instanceof PayloadSigning.SignedChunks signed) {
      if (signed.trailer() != hasTrailer) {
        throw new S3Exception(S3Error.MALFORMED_TRAILER);
      }
      chunked = new AwsChunkedBody(raw, signed, signed.trailer());
    } else if (isChunked) {
      chunked = new AwsChunkedBody(raw, null, hasTrailer);
    }
    return new Payload(
        raw,
        chunked,
        signing,
        length,
        contentMd5,
        declared,
        checksumKind,
        new BodyDigests(kinds, length < 0 || length > HASH_IN_PLACE ? hashThreads : null));
  }

  /** Bytes that nobody claims anything of, as those of a copy: hashed, and their number checked. */
  public static Payload unclaimed(
      BodySource raw, long length, HashKind checksumKind, HashThreads hashThreads) {
    return new Payload(
        raw,
        null,
        new PayloadSigning.Unsigned(),
        length,
        null,
        null,
        checksumKind,
        new BodyDigests(
            EnumSet.of(HashKind.MD5, checksumKind), length > HASH_IN_PLACE ? hashThreads : null));
  }

  private static byte[] contentMd5(HttpHeaders headers) throws S3Exception {
    String text = headers.get(HttpHeaderNames.CONTENT_MD5);
    if (text == null) {
      return null;
    }
    byte[] md5 = HashKind.MD5.decode(text);
    if (md5 == null) {
      throw new S3Exception(S3Error.INVALID_DIGEST).with("Content-MD5", text);
    }
    return md5;
  }

  private static long decodedLength(HttpHeaders headers) throws S3Exception {
    String text = headers.get("x-amz-decoded-content-length");
    if (text == null) {
      return -1;
    }
    if (!text.matches("[0-9]{1,18}")) {
      throw new S3Exception(
          S3Error.INVALID_ARGUMENT, "x-amz-decoded-content-length is not a length");
    }
    return Long.parseLong(text);
  }

  /** Bytes in all, once decoded; -1 before the end of a body that only its end tells. */
  public long length() {
    return length < 0 && values != null ? received : length;
  }

  /** The checksum that the request declares; null if none. */
  public HashKind declaredKind() {
    return declared == null ? null : declared.kind();
  }

  /** Whether Content-MD5 or a checksum vouches for the body. */
  public boolean isVouchedFor() {
    return declared != null || contentMd5 != null;
  }

  /** The next bytes, which the caller then owns; null at an end where every claim held. */
  public ByteBuf next() throws S3Exception {
    if (values != null) {
      return null;
    }
    ByteBuf piece = chunked == null ? raw.next() : chunked.next();
    if (piece == null) {
      finish();
      return null;
    }
    received += piece.readableBytes();
    if (length >= 0 && received > length) {
      piece.release();
      throw new S3Exception(S3Error.INCOMPLETE_BODY);
    }
    digests.update(piece);
    return piece;
  }

  private void finish() throws S3Exception {
    if (length >= 0 && received != length) {
      throw new S3Exception(S3Error.INCOMPLETE_BODY);
    }
    Map<HashKind, byte[]> computed = digests.digest();
    if (signing instanceof PayloadSigning.WholeBody whole) {
      String sha256 = HexFormat.of().formatHex(computed.get(HashKind.SHA256));
      if (!sha256.equals(whole.sha256())) {
        throw new S3Exception(S3Error.X_AMZ_CONTENT_SHA256_MISMATCH)
            .with("ClientComputedContentSHA256", whole.sha256())
            .with("S3ComputedContentSHA256", sha256);
      }
    }
    if (contentMd5 != null && !Arrays.equals(contentMd5, computed.get(HashKind.MD5))) {
      throw new S3Exception(
              S3Error.BAD_DIGEST, "The Content-MD5 you specified did not match what we received.")
          .with("ExpectedDigest", Base64.getEncoder().encodeToString(contentMd5))
          .with("CalculatedDigest", Base64.getEncoder().encodeToString(computed.get(HashKind.MD5)));
    }
    if (declared != null) {
      byte[] expected = declared.value() != null ? declared.value().toByteArray() : trailerValue();
      if (!Arrays.equals(expected, computed.get(declared.kind()))) {
        throw new S3Exception(
            S3Error.BAD_DIGEST,
            "The " + declared.kind() + " you specified did not match the calculated checksum.");
      }
    }
    values = computed;
  }

  private byte[] trailerValue() throws S3Exception {
    String text = chunked.trailer().get(declared.kind().header());
    if (text == null || chunked.trailer().size() > 1) {
      throw new S3Exception(S3Error.MALFORMED_TRAILER);
    }
    byte[] value = declared.kind().decode(text);
    if (value == null) {
      throw new S3Exception(
          S3Error.INVALID_REQUEST,
          "Value for " + declared.kind().header() + " trailing header is invalid.");
    }
    return value;
  }

  /** Value of a hash that was wanted, after the end. */
  public byte[] value(HashKind kind) {
    return values.get(kind);
  }

  /** Of which kind {@link #checksum} is, also before the end. */
  public ChecksumAlgorithm checksumAlgorithm() {
    return checksumKind.algorithm();
  }

  /** The checksum that the request declared or, without one, the fallback; after the end. */
  public Checksum checksum() {
    return checksumKind.checksum(value(checksumKind), false);
  }

  @Override
  public void close() {
    if (chunked != null) {
      chunked.close();
    }
    digests.close();
    raw.close();
  }
}
