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
package io.stowage.common.needle;

import io.stowage.common.id.WriteId;
import org.apache.hadoop.thirdparty.protobuf.ByteString;

/**
 * What a needle says of itself, in front of its payload: enough to re-create the namespace if all
 * of HBase were lost, hints for the living. The bytes are in docs/format/needle.md. Immutable.
 *
 * @param kind whose bytes the payload is
 * @param bucketId bucket of the row
 * @param rowKey key, or directory id + name; 1 to 65,535 bytes
 * @param writeId 16 bytes, of the request that wrote it
 * @param clockMicros writer's clock when it began; of a record the final stamp
 * @param extentNumber 0 for the first needle of an object, then counting; 0 for a record
 * @param payloadOffset where in the object the payload begins
 * @param payloadLength bytes that were planned, or {@link #UNKNOWN_LENGTH}; a needle cut short by a
 *     failure ends where the next extent begins
 * @param payloadCrc CRC32C; 0 for a streamed needle, which only the sector CRCs check
 * @param blob the object's immutable metadata, an ObjectMetadata message; empty in later extents
 */
public record NeedleHeader(
    Kind kind,
    long bucketId,
    ByteString rowKey,
    ByteString writeId,
    long clockMicros,
    int extentNumber,
    long payloadOffset,
    long payloadLength,
    int payloadCrc,
    ByteString blob) {
  public static final long UNKNOWN_LENGTH = -1;

  /** Whose bytes the payload is. The number is in the header's flags. */
  public enum Kind {
    /** A whole object, packed into one cell; the header's CRC covers the payload. */
    PACKED(0),
    /** A run of an object's bytes with more behind it, or an end that was not known. */
    STREAMED(1),
    /** A run of an object's bytes that, if whole, reaches the object's end. */
    STREAMED_LAST(2),
    /** A fact that no other header tells: a complete, rename, delete, or change of metadata. */
    RECORD(3);

    final int number;

    Kind(int number) {
      this.number = number;
    }

    /** Whether the header's CRC covers the payload. */
    public boolean hasPayloadCrc() {
      return this == PACKED || this == RECORD;
    }
  }

  public NeedleHeader {
    if (writeId.size() != WriteId.BYTES) {
      throw new IllegalArgumentException("a write id has 16 bytes, not " + writeId.size());
    }
    if (rowKey.isEmpty()
        || rowKey.size() > NeedleCodec.MAX_FIELD_BYTES
        || blob.size() > NeedleCodec.MAX_FIELD_BYTES) {
      throw new IllegalArgumentException(
          "no needle has a row key of " + rowKey.size() + " and a blob of " + blob.size());
    }
    if (payloadLength < UNKNOWN_LENGTH || payloadOffset < 0 || extentNumber < 0) {
      throw new IllegalArgumentException("negative length, offset or extent number");
    }
    if (!kind.hasPayloadCrc() && payloadCrc != 0) {
      throw new IllegalArgumentException("a streamed needle has no CRC of its payload");
    }
    if (kind != Kind.STREAMED && payloadLength == UNKNOWN_LENGTH) {
      throw new IllegalArgumentException(kind + " without a length");
    }
  }

  /** Bytes of this header, which the payload follows at once. */
  public int encodedLength() {
    return NeedleCodec.headerLength(rowKey.size(), blob.size());
  }
}
