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
import io.stowage.common.proto.Checksum;
import io.stowage.common.proto.ChecksumAlgorithm;
import java.nio.ByteBuffer;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.Base64;
import java.util.List;
import java.util.Locale;
import java.util.zip.CRC32;
import java.util.zip.CRC32C;
import org.apache.hadoop.thirdparty.protobuf.ByteString;

/** The hashes that S3 knows: the five checksums that an object can have, and MD5. Immutable. */
public enum HashKind {
  MD5(16, ChecksumAlgorithm.CHECKSUM_NONE),
  CRC32(4, ChecksumAlgorithm.CRC32),
  CRC32C(4, ChecksumAlgorithm.CRC32C),
  CRC64NVME(8, ChecksumAlgorithm.CRC64NVME),
  SHA1(20, ChecksumAlgorithm.SHA1),
  SHA256(32, ChecksumAlgorithm.SHA256);

  /** Those that an x-amz-checksum header can carry. */
  public static final List<HashKind> CHECKSUMS = List.of(CRC32, CRC32C, CRC64NVME, SHA1, SHA256);

  private final int bytes;
  private final ChecksumAlgorithm algorithm;

  HashKind(int bytes, ChecksumAlgorithm algorithm) {
    this.bytes = bytes;
    this.algorithm = algorithm;
  }

  /** Length of the value. */
  public int bytes() {
    return bytes;
  }

  /** As kept with the object. */
  public ChecksumAlgorithm algorithm() {
    return algorithm;
  }

  /** Header or trailer that carries it in base64. */
  public String header() {
    return "x-amz-checksum-" + name().toLowerCase(Locale.ROOT);
  }

  /** Whether a whole object's value follows from those of its parts. */
  public boolean isCrc() {
    return this == CRC32 || this == CRC32C || this == CRC64NVME;
  }

  /** The kind of that name, as in x-amz-checksum-algorithm; null if there is none. */
  public static HashKind ofName(String name) {
    for (HashKind kind : CHECKSUMS) {
      if (kind.name().equals(name)) {
        return kind;
      }
    }
    return null;
  }

  /** The kind of a stored algorithm; null for none. */
  public static HashKind of(ChecksumAlgorithm algorithm) {
    for (HashKind kind : CHECKSUMS) {
      if (kind.algorithm == algorithm) {
        return kind;
      }
    }
    return null;
  }

  /** The stored form of a value. */
  public Checksum checksum(byte[] value, boolean composite) {
    return Checksum.newBuilder()
        .setAlgorithm(algorithm)
        .setValue(ByteString.copyFrom(value))
        .setComposite(composite)
        .build();
  }

  /** Value of a base64 text; null if it is not one of this kind. */
  public byte[] decode(String base64) {
    try {
      byte[] value = Base64.getDecoder().decode(base64.trim());
      return value.length == bytes ? value : null;
    } catch (IllegalArgumentException e) {
      return null;
    }
  }

  /** A running hash. Confined to one thread at a time. */
  public interface Hasher {
    void update(ByteBuffer bytes);

    byte[] digest();

    /** Hashes what is readable, without moving the reader index. */
    default void update(ByteBuf bytes) {
      if (bytes.nioBufferCount() == 1) {
        update(bytes.nioBuffer());
      } else {
        for (ByteBuffer buffer : bytes.nioBuffers()) {
          update(buffer);
        }
      }
    }
  }

  /** A hash of nothing yet. */
  public Hasher newHasher() {
    return switch (this) {
      case MD5 -> new Digest("MD5");
      case SHA1 -> new Digest("SHA-1");
      case SHA256 -> new Digest("SHA-256");
      case CRC32 -> new ZipCrc(new CRC32());
      case CRC32C -> new ZipCrc(new CRC32C());
      case CRC64NVME -> new Crc64Nvme();
    };
  }

  private static final class Digest implements Hasher {
    private final MessageDigest digest;

    Digest(String name) {
      try {
        digest = MessageDigest.getInstance(name);
      } catch (NoSuchAlgorithmException e) {
        throw new IllegalStateException("every Java has " + name, e);
      }
    }

    @Override
    public void update(ByteBuffer bytes) {
      digest.update(bytes);
    }

    @Override
    public byte[] digest() {
      return digest.digest();
    }
  }

  private static final class ZipCrc implements Hasher {
    private final java.util.zip.Checksum crc;

    ZipCrc(java.util.zip.Checksum crc) {
      this.crc = crc;
    }

    @Override
    public void update(ByteBuffer bytes) {
      crc.update(bytes);
    }

    @Override
    public byte[] digest() {
      return ByteBuffer.allocate(4).putInt((int) crc.getValue()).array();
    }
  }
}
