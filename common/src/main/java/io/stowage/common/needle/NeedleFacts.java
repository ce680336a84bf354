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
import io.stowage.common.proto.ChecksumAlgorithm;
import io.stowage.common.proto.CommittedFact;
import io.stowage.common.proto.Fact;
import io.stowage.common.proto.NeedleBlob;
import io.stowage.common.proto.ObjectMetadata;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;
import org.apache.hadoop.thirdparty.protobuf.ByteString;
import org.apache.hadoop.thirdparty.protobuf.InvalidProtocolBufferException;
import org.apache.hadoop.thirdparty.protobuf.UnknownFieldSet;

/**
 * What needles say beside their fixed header, to bytes and back: blobs, and the payloads of record
 * needles. docs/format/needle.md has the fields and who writes which record when. Stateless,
 * thread-safe.
 */
public final class NeedleFacts {
  private NeedleFacts() {}

  /**
   * A blob: a message parses from joined bytes as from one, so the two need not know each other.
   */
  public static ByteString blob(ObjectMetadata metadata, NeedleBlob rest) {
    return metadata.toByteString().concat(rest.toByteString());
  }

  /** Bytes that {@link #placed} adds to a header. */
  public static final int PLACE_BYTES =
      NeedleBlob.newBuilder().setPlace(1).build().getSerializedSize();

  /**
   * A header that says where it stands, in its last eight bytes; longer by {@link #PLACE_BYTES}.
   */
  public static NeedleHeader placed(NeedleHeader header, long container, long address) {
    ByteString place =
        NeedleBlob.newBuilder().setPlace(placeOf(container, address)).build().toByteString();
    return withBlob(header, header.blob().concat(place));
  }

  /**
   * A header that is to be written elsewhere: without what only its place says, which {@link
   * #placed} and the shape of a new run add again. Otherwise it would grow with each move.
   */
  public static NeedleHeader unplaced(NeedleHeader header) throws StoreException {
    NeedleBlob blob;
    try {
      blob = NeedleBlob.parseFrom(header.blob()); // fields of the metadata stay as unknown ones
    } catch (InvalidProtocolBufferException e) {
      throw new CorruptDataException("Cannot read a needle's blob: " + e.getMessage());
    }
    return withBlob(header, blob.toBuilder().clearPlace().clearCellLength().build().toByteString());
  }

  private static NeedleHeader withBlob(NeedleHeader header, ByteString blob) {
    return new NeedleHeader(
        header.kind(),
        header.bucketId(),
        header.rowKey(),
        header.writeId(),
        header.clockMicros(),
        header.extentNumber(),
        header.payloadOffset(),
        header.payloadLength(),
        header.payloadCrc(),
        blob);
  }

  /** Whether a header was written for this place, not copied there as bytes of an object. */
  public static boolean standsAt(NeedleBlob blob, long container, long address) {
    return blob.getPlace() == placeOf(container, address);
  }

  /** The same of a header that begins here and whose format may be newer. */
  public static boolean endsAsOneAt(ByteBuffer header, long container, long address) {
    int length = NeedleCodec.headerLengthAt(header);
    long last = Long.reverseBytes(header.getLong(length - Long.BYTES)); // as protobuf writes it
    return last == placeOf(container, address);
  }

  /** Never 0, which is no place at all. */
  private static long placeOf(long container, long address) {
    long place = container ^ address;
    return place == 0 ? -1 : place;
  }

  /** The metadata in a blob, without what is of the needle only. */
  public static ObjectMetadata metadata(ByteString blob) throws StoreException {
    try {
      return ObjectMetadata.parseFrom(blob).toBuilder()
          .setUnknownFields(UnknownFieldSet.getDefaultInstance())
          .build();
    } catch (InvalidProtocolBufferException e) {
      throw new CorruptDataException("Cannot read a needle's metadata: " + e.getMessage());
    }
  }

  /** Of which kind the version's checksum is, which is that of the bytes; none: it has none. */
  public static ChecksumAlgorithm checksum(NeedleBlob blob) {
    if (blob.getCrc64Nvme()) {
      return ChecksumAlgorithm.CRC64NVME;
    }
    return blob.getCrc32C() ? ChecksumAlgorithm.CRC32C : blob.getChecksum();
  }

  /** What is of the needle only. */
  public static NeedleBlob rest(ByteString blob) throws StoreException {
    try {
      return NeedleBlob.parseFrom(blob).toBuilder()
          .setUnknownFields(UnknownFieldSet.getDefaultInstance())
          .build();
    } catch (InvalidProtocolBufferException e) {
      throw new CorruptDataException("Cannot read a needle's blob: " + e.getMessage());
    }
  }

  /** Header of a record needle whose payload is the fact's bytes. */
  public static NeedleHeader header(
      long bucketId, ByteString rowKey, ByteString writeId, long stamp, ByteString payload) {
    return new NeedleHeader(
        NeedleHeader.Kind.RECORD,
        bucketId,
        rowKey,
        writeId,
        stamp,
        0,
        0,
        payload.size(),
        NeedleCodec.crc(payload.asReadOnlyByteBuffer()),
        ByteString.EMPTY);
  }

  /**
   * Reads a record needle's payload.
   *
   * @throws StoreException FORMAT_TOO_NEW if it states what this software does not know
   */
  public static Fact fact(ByteString payload) throws StoreException {
    Fact fact;
    try {
      fact = Fact.parseFrom(payload);
    } catch (InvalidProtocolBufferException e) {
      throw new CorruptDataException("Cannot read a record needle: " + e.getMessage());
    }
    if (fact.getWhatCase() == Fact.WhatCase.WHAT_NOT_SET) {
      throw new StoreException(
          ErrorCode.FORMAT_TOO_NEW,
          "Cannot read a record needle of " + payload.size() + " bytes: no fact that is known");
    }
    return fact;
  }

  /**
   * Write ids of a completed upload's parts, in order; empty if it was none.
   *
   * @throws CorruptDataException if these cannot be the parts of that object
   */
  public static List<ByteString> partWriteIds(CommittedFact fact) throws StoreException {
    ByteString joined = fact.getPartWriteIds();
    if (joined.size() != WriteId.BYTES * fact.getVersion().getPartLengthsCount()
        && !joined.isEmpty()) {
      throw new CorruptDataException(
          "Cannot read a record needle: "
              + joined.size()
              + " bytes of write ids for "
              + fact.getVersion().getPartLengthsCount()
              + " parts");
    }
    long length = 0;
    for (long part : fact.getVersion().getPartLengthsList()) {
      length += part;
    }
    if (!joined.isEmpty() && length != fact.getVersion().getLength()) {
      throw new CorruptDataException(
          "Cannot read a record needle: parts of "
              + length
              + " bytes for an object of "
              + fact.getVersion().getLength());
    }
    List<ByteString> ids = new ArrayList<>(joined.size() / WriteId.BYTES);
    for (int at = 0; at < joined.size(); at += WriteId.BYTES) {
      ids.add(joined.substring(at, at + WriteId.BYTES));
    }
    return ids;
  }
}
