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

import io.stowage.common.proto.Checksum;
import io.stowage.common.proto.ChecksumAlgorithm;
import io.stowage.common.proto.UploadInfo;
import io.stowage.common.proto.UploadedPart;
import java.nio.ByteBuffer;
import java.util.List;

/**
 * The checksum of a multipart object from those of its parts: of the whole's bytes, which CRCs
 * allow, or of the parts' checksums (composite). Stateless.
 */
public final class PartChecksums {
  private PartChecksums() {}

  /**
   * Checksum of the whole; null if a part has none of that kind. An upload that named no algorithm
   * gets CRC64NVME of the whole object, as in S3.
   */
  public static Checksum ofWhole(List<UploadedPart> parts, UploadInfo upload) {
    HashKind kind = HashKind.of(upload.getChecksumAlgorithm());
    boolean full = upload.getChecksumFullObject();
    if (upload.getChecksumAlgorithm() == ChecksumAlgorithm.CHECKSUM_NONE) {
      kind = HashKind.CRC64NVME;
      full = true;
    }
    if (kind == null) {
      return null;
    }
    return full ? joined(parts, kind) : composite(parts, kind);
  }

  private static byte[] valueOf(UploadedPart part, HashKind kind) {
    for (Checksum checksum : part.getChecksumsList()) {
      if (checksum.getAlgorithm() == kind.algorithm()) {
        return checksum.getValue().toByteArray();
      }
    }
    return null;
  }

  private static Checksum joined(List<UploadedPart> parts, HashKind kind) {
    CrcPolynomial polynomial = CrcPolynomial.of(kind);
    long whole = 0; // the CRC of nothing
    for (UploadedPart part : parts) {
      byte[] value = valueOf(part, kind);
      if (value == null) {
        return null;
      }
      whole = polynomial.combine(whole, toLong(value), part.getLength());
    }
    ByteBuffer bytes = ByteBuffer.allocate(kind.bytes());
    return kind.checksum(
        (kind.bytes() == 4 ? bytes.putInt((int) whole) : bytes.putLong(whole)).array(), false);
  }

  private static long toLong(byte[] value) {
    ByteBuffer bytes = ByteBuffer.wrap(value);
    return value.length == 4 ? bytes.getInt() & 0xffffffffL : bytes.getLong();
  }

  private static Checksum composite(List<UploadedPart> parts, HashKind kind) {
    HashKind.Hasher hasher = kind.newHasher();
    for (UploadedPart part : parts) {
      byte[] value = valueOf(part, kind);
      if (value == null) {
        return null;
      }
      hasher.update(ByteBuffer.wrap(value));
    }
    return kind.checksum(hasher.digest(), true);
  }
}
