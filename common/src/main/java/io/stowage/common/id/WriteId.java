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
package io.stowage.common.id;

import java.nio.ByteBuffer;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.security.SecureRandom;
import java.util.HexFormat;
import org.apache.hadoop.thirdparty.protobuf.ByteString;

/**
 * 16 bytes, random but for uploads' ids that begin with their time, which name one request of a
 * user, one lease holder or one upload. Stateless, thread-safe.
 */
public final class WriteId {
  public static final int BYTES = 16;

  private static final SecureRandom RANDOM = new SecureRandom();

  private WriteId() {}

  /** A new id; 128 random bits, so that two never meet. */
  public static ByteString random() {
    byte[] bytes = new byte[BYTES];
    RANDOM.nextBytes(bytes);
    return ByteString.copyFrom(bytes);
  }

  /**
   * A new id that sorts behind those of earlier microseconds; its 64 random bits tell it from
   * others of the same one.
   */
  public static ByteString ordered(long micros) {
    byte[] bytes = new byte[BYTES];
    RANDOM.nextBytes(bytes);
    ByteBuffer.wrap(bytes).putLong(0, micros);
    return ByteString.copyFrom(bytes);
  }

  /** 32 lower-case hex digits. */
  public static String toHex(ByteString id) {
    return HexFormat.of().formatHex(id.toByteArray());
  }

  /** Reads what {@link #toHex} wrote; throws IllegalArgumentException on anything else. */
  public static ByteString fromHex(String hex) {
    if (hex.length() != 2 * BYTES) {
      throw new IllegalArgumentException("not an id of " + 2 * BYTES + " hex digits: " + hex);
    }
    return ByteString.copyFrom(HexFormat.of().parseHex(hex));
  }

  /**
   * Write id of the needles of one piece of a file whose writer syncs it, or appends to it.
   *
   * @param holder write id of the stream
   * @param from where the piece begins in the file
   * @param isWhole written in place of the short pieces that an hsync each made
   */
  public static ByteString ofPiece(ByteString holder, long from, boolean isWhole) {
    ByteBuffer id = ByteBuffer.allocate(BYTES).put(holder.asReadOnlyByteBuffer());
    id.putLong(8, id.getLong(8) ^ from ^ (isWhole ? Long.MIN_VALUE : 0));
    id.flip();
    return ByteString.copyFrom(id);
  }

  /** Where the piece of a file begins that has this id; -1 if it is none of this stream. */
  public static long startOfPiece(ByteString holder, ByteString id) {
    if (holder.size() != BYTES || id.size() != BYTES) {
      return -1;
    }
    ByteBuffer of = holder.asReadOnlyByteBuffer();
    ByteBuffer piece = id.asReadOnlyByteBuffer();
    return of.getLong(0) == piece.getLong(0)
        ? (of.getLong(8) ^ piece.getLong(8)) & Long.MAX_VALUE
        : -1;
  }

  /**
   * What stands in the ETag of an object whose bytes nobody hashed where others have their MD5:
   * another for each write, and told by its needles. It says nothing of the bytes but how many.
   */
  public static ByteString mark(ByteString writeId, long length) {
    ByteBuffer both = ByteBuffer.allocate(BYTES + Long.BYTES).put(writeId.asReadOnlyByteBuffer());
    both.putLong(length).flip();
    try {
      MessageDigest md5 = MessageDigest.getInstance("MD5");
      md5.update(both);
      return ByteString.copyFrom(md5.digest());
    } catch (NoSuchAlgorithmException e) {
      throw new IllegalStateException("every Java has MD5", e);
    }
  }
}
