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

import io.stowage.common.error.CorruptDataException;
import io.stowage.common.error.ErrorCode;
import io.stowage.common.error.StoreException;
import io.stowage.common.id.WriteId;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.zip.CRC32C;
import org.apache.hadoop.thirdparty.protobuf.ByteString;
import org.apache.hadoop.thirdparty.protobuf.UnsafeByteOperations;

/**
 * Needle headers to bytes and back: the grammar, version 1. The page with its reasons is
 * docs/format/needle.md. Stateless, thread-safe.
 *
 * <pre>
 *  at bytes
 *   0     4  magic 0x53 54 4E 44 "STND"
 *   4     1  version, 1
 *   5     1  kind
 *   6     2  header length H: 72 + key + blob
 *   8     8  payload length; all ones: not known when the header was written
 *  16     8  offset of the payload in the object
 *  24    16  write id
 *  40     8  writer's clock or stamp, microseconds since 1970
 *  48     8  bucket id
 *  56     4  CRC32C of the payload, or 0
 *  60     4  extent number
 *  64     2  row key length
 *  66     2  blob length
 *  68     4  CRC32C of the header with these four bytes as zeros
 *  72        row key, then blob; the payload begins at H
 * </pre>
 *
 * All numbers are big-endian and unsigned.
 */
public final class NeedleCodec {
  /** A needle begins at a multiple of this many bytes of its shard's address space. */
  public static final int ALIGNMENT = 8;

  public static final int FIXED_BYTES = 72;

  /** Of a row key or a blob: its length has two bytes, and so has that of the header. */
  static final int MAX_FIELD_BYTES = 30_000;

  /** The largest header that there can be. */
  public static final int MAX_HEADER_BYTES = FIXED_BYTES + 2 * MAX_FIELD_BYTES;

  static final int MAGIC = 0x53544E44;
  static final byte VERSION = 1;

  private static final int HEADER_LENGTH_AT = 6;
  private static final int HEADER_CRC_AT = 68;
  private static final ByteString NO_CRC = ByteString.copyFrom(new byte[4]);

  private NeedleCodec() {}

  /** Bytes of a header with a key and a blob of these sizes. */
  public static int headerLength(int rowKeyBytes, int blobBytes) {
    return FIXED_BYTES + rowKeyBytes + blobBytes;
  }

  /** Bytes of the header that begins with a buffer, whichever version it is of. */
  static int headerLengthAt(ByteBuffer bytes) {
    return Short.toUnsignedInt(bytes.getShort(HEADER_LENGTH_AT));
  }

  /** The next address at or above one at which a needle may begin. */
  public static int align(int address) {
    return (address + ALIGNMENT - 1) & -ALIGNMENT;
  }

  /** Writes a header at the position of a buffer, and moves the position behind it. */
  public static void encode(NeedleHeader header, ByteBuffer out) {
    ByteBuffer bytes = out.slice().order(ByteOrder.BIG_ENDIAN);
    int length = header.encodedLength();
    bytes.putInt(MAGIC);
    bytes.put(VERSION);
    bytes.put((byte) header.kind().number);
    bytes.putShort((short) length);
    bytes.putLong(header.payloadLength());
    bytes.putLong(header.payloadOffset());
    header.writeId().copyTo(bytes);
    bytes.putLong(header.clockMicros());
    bytes.putLong(header.bucketId());
    bytes.putInt(header.payloadCrc());
    bytes.putInt(header.extentNumber());
    bytes.putShort((short) header.rowKey().size());
    bytes.putShort((short) header.blob().size());
    NO_CRC.copyTo(bytes);
    header.rowKey().copyTo(bytes);
    header.blob().copyTo(bytes);
    bytes.putInt(HEADER_CRC_AT, crc(bytes.slice(0, length)));
    out.position(out.position() + length);
  }

  /**
   * Reads the header at the position of a buffer, and moves the position behind it.
   *
   * @throws CorruptDataException if there is no needle here or a bit of its header is wrong
   * @throws StoreException FORMAT_TOO_NEW if a newer version of this software wrote it
   */
  public static NeedleHeader decode(ByteBuffer in) throws StoreException {
    ByteBuffer bytes = in.slice().order(ByteOrder.BIG_ENDIAN);
    if (bytes.remaining() < FIXED_BYTES || bytes.getInt(0) != MAGIC) {
      throw new CorruptDataException("Cannot read a needle: its header does not begin here");
    }
    int length = headerLengthAt(bytes);
    if (length < FIXED_BYTES || length > bytes.remaining()) {
      throw new CorruptDataException("Cannot read a needle: its header has " + length + " bytes");
    }
    ByteBuffer whole = bytes.slice(0, length);
    if (crcWithoutItsField(whole) != whole.getInt(HEADER_CRC_AT)) {
      throw new CorruptDataException("Cannot read a needle: its header fails its checksum");
    }
    // The checksum stands at the same place in every version, so that "too new" is told from
    // "damaged".
    byte version = whole.get(4);
    if (version != VERSION) {
      throw new StoreException(
          version > VERSION ? ErrorCode.FORMAT_TOO_NEW : ErrorCode.FORMAT_TOO_OLD,
          "Cannot read a needle of format version " + version + ": this software knows " + VERSION);
    }
    int keyBytes = Short.toUnsignedInt(whole.getShort(64));
    int blobBytes = Short.toUnsignedInt(whole.getShort(66));
    if (headerLength(keyBytes, blobBytes) != length) {
      throw new CorruptDataException(
          "Cannot read a needle: key of " + keyBytes + " and blob of " + blobBytes + " do not fit");
    }
    NeedleHeader header;
    try {
      header =
          new NeedleHeader(
              kindOf(whole.get(5)),
              whole.getLong(48),
              string(whole, FIXED_BYTES, keyBytes),
              string(whole, 24, WriteId.BYTES),
              whole.getLong(40),
              whole.getInt(60),
              whole.getLong(16),
              whole.getLong(8),
              whole.getInt(56),
              string(whole, FIXED_BYTES + keyBytes, blobBytes));
    } catch (IllegalArgumentException e) {
      throw new CorruptDataException("Cannot read a needle: " + e.getMessage());
    }
    in.position(in.position() + length);
    return header;
  }

  /** CRC32C of a buffer's remaining bytes; its position is left as it was. */
  public static int crc(ByteBuffer bytes) {
    CRC32C crc = new CRC32C();
    crc.update(bytes.duplicate());
    return (int) crc.getValue();
  }

  private static int crcWithoutItsField(ByteBuffer header) {
    CRC32C crc = new CRC32C();
    crc.update(header.slice(0, HEADER_CRC_AT));
    crc.update(NO_CRC.asReadOnlyByteBuffer());
    crc.update(header.slice(HEADER_CRC_AT + 4, header.limit() - HEADER_CRC_AT - 4));
    return (int) crc.getValue();
  }

  private static NeedleHeader.Kind kindOf(byte number) {
    for (NeedleHeader.Kind kind : NeedleHeader.Kind.values()) {
      if (kind.number == number) {
        return kind;
      }
    }
    throw new IllegalArgumentException("kind " + number);
  }

  private static ByteString string(ByteBuffer from, int at, int length) {
    byte[] bytes = new byte[length];
    from.get(at, bytes);
    return UnsafeByteOperations.unsafeWrap(bytes);
  }
}
