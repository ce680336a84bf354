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
package io.stowage.dev.fsck;

import io.stowage.common.error.CorruptDataException;
import io.stowage.common.error.StoreException;
import io.stowage.common.needle.NeedleCodec;
import io.stowage.common.needle.NeedleFacts;
import io.stowage.common.needle.NeedleHeader;
import io.stowage.common.proto.Extent;
import io.stowage.common.proto.NeedleBlob;
import java.nio.ByteBuffer;
import org.apache.hadoop.thirdparty.protobuf.InvalidProtocolBufferException;

/**
 * A needle of an object's bytes, where it was found. Immutable.
 *
 * @param rest of its blob
 * @param extent where it is; without a length, which follows from the needles beside it
 */
record FoundNeedle(NeedleHeader header, NeedleBlob rest, Extent extent) {
  /**
   * What a header at a place means; null if it was not written for that place.
   *
   * @param k data shards of the container
   */
  static FoundNeedle of(
      NeedleHeader header, long container, long epoch, int shard, long offset, int k)
      throws StoreException {
    NeedleBlob rest = NeedleFacts.rest(header.blob());
    if (!NeedleFacts.standsAt(rest, container, offset)) {
      return null;
    }
    Extent.Builder extent =
        Extent.newBuilder()
            .setContainer(container)
            .setEpoch(epoch)
            .setOffset(offset)
            .setFirstShard(shard)
            .setHeaderLength(header.encodedLength());
    if (header.kind().hasPayloadCrc()) {
      long length = header.encodedLength() + header.payloadLength();
      extent
          .setWidth(1)
          .setPacked(true)
          .setLength(length)
          .setCellLength(Math.toIntExact((length + 4095) & -4096L));
    } else {
      if (rest.getCellLength() == 0) {
        throw new CorruptDataException(
            "Cannot use a needle at " + offset + ": it does not tell the length of its cells");
      }
      extent.setWidth(k).setCellLength(rest.getCellLength());
    }
    return new FoundNeedle(header, rest, extent.build());
  }

  boolean isPacked() {
    return header.kind() == NeedleHeader.Kind.PACKED;
  }

  boolean isPart() {
    return !rest.getUploadId().isEmpty();
  }

  /** The extent with so many bytes of payload. */
  Extent extent(long payloadLength) {
    return extent.toBuilder().setLength(header.encodedLength() + payloadLength).build();
  }

  byte[] encode() {
    byte[] place = extent.toByteArray();
    ByteBuffer out = ByteBuffer.allocate(header.encodedLength() + place.length);
    NeedleCodec.encode(header, out);
    out.put(place);
    return out.array();
  }

  static FoundNeedle decode(ByteBuffer in) throws StoreException {
    NeedleHeader header = NeedleCodec.decode(in);
    byte[] place = new byte[in.remaining()];
    in.get(place);
    try {
      return new FoundNeedle(header, NeedleFacts.rest(header.blob()), Extent.parseFrom(place));
    } catch (InvalidProtocolBufferException e) {
      throw new CorruptDataException("Cannot read a sorted needle: " + e.getMessage());
    }
  }
}
