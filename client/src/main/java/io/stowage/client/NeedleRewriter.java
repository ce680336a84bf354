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
package io.stowage.client;

import io.netty.buffer.ByteBuf;
import io.stowage.common.error.CorruptDataException;
import io.stowage.common.error.ErrorCode;
import io.stowage.common.error.StoreException;
import io.stowage.common.needle.NeedleFacts;
import io.stowage.common.needle.NeedleHeader;
import io.stowage.common.proto.Manifest;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;
import java.util.zip.CRC32C;

/** Writes one needle's payload again, see {@link ContainerAccess#rewrite}. Confined to a thread. */
final class NeedleRewriter implements ObjectWriter {
  private final NeedleHeader header;
  private final long payloadLength;
  private final PolicyPath path;
  private final List<ByteBuf> gathered = new ArrayList<>(); // of one that is packed
  private final StreamedObject stream; // null: packed
  private long taken;
  private boolean ended;

  NeedleRewriter(NeedleHeader old, long payloadLength, PolicyPath path) throws StoreException {
    this.header = NeedleFacts.unplaced(old);
    this.payloadLength = payloadLength;
    this.path = path;
    boolean endsObject =
        header.kind() == NeedleHeader.Kind.STREAMED_LAST && header.payloadLength() == payloadLength;
    stream = header.kind().hasPayloadCrc() ? null : path.stream(header, payloadLength, endsObject);
  }

  @Override
  public void write(ByteBuf bytes) throws StoreException {
    taken += bytes.readableBytes();
    if (ended || taken > payloadLength) {
      bytes.release();
      throw new StoreException(
          ErrorCode.INTERNAL, "Cannot write a needle again: more than " + payloadLength + " bytes");
    }
    if (stream == null) {
      gathered.add(bytes);
    } else {
      stream.write(bytes);
    }
  }

  @Override
  public Written finish() throws StoreException {
    if (ended || taken != payloadLength) {
      throw new StoreException(
          ErrorCode.INTERNAL,
          "Cannot write a needle again: " + taken + " of " + payloadLength + " bytes were given");
    }
    try {
      if (stream != null) {
        return stream.finish();
      }
      requireItsOwn(header, gathered);
      List<ByteBuf> payload = List.copyOf(gathered);
      gathered.clear();
      Written written = path.pack(header, payload);
      return new Written(
          Manifest.newBuilder(written.manifest()).setLength(payloadLength).build(),
          written.grants(),
          header.clockMicros());
    } finally {
      close();
    }
  }

  /** That the payload is the header's, before a copy claims so. */
  static void requireItsOwn(ContainerAccess.Packed needle) throws CorruptDataException {
    requireItsOwn(needle.header(), List.of(needle.payload()));
  }

  private static void requireItsOwn(NeedleHeader header, List<ByteBuf> payload)
      throws CorruptDataException {
    CRC32C crc = new CRC32C();
    long length = 0;
    for (ByteBuf bytes : payload) {
      length += bytes.readableBytes();
      for (ByteBuffer part : bytes.nioBuffers()) {
        crc.update(part);
      }
    }
    if (length != header.payloadLength()
        || !header.kind().hasPayloadCrc()
        || (int) crc.getValue() != header.payloadCrc()) {
      throw new CorruptDataException(
          "Cannot write a needle again: its " + length + " bytes are not those of its header");
    }
  }

  @Override
  public void close() {
    if (ended) {
      return;
    }
    ended = true;
    gathered.forEach(ByteBuf::release);
    gathered.clear();
    if (stream != null) {
      stream.close();
    }
  }
}
