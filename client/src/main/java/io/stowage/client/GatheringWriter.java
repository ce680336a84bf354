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
import io.stowage.common.error.ErrorCode;
import io.stowage.common.error.StoreException;
import io.stowage.common.needle.NeedleHeader;
import io.stowage.common.proto.Manifest;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;
import java.util.zip.CRC32C;
import org.apache.hadoop.thirdparty.protobuf.ByteString;

/**
 * The writer that callers get. Gathers bytes until the object is known to be small, and packs it,
 * or large, and streams it. Confined to its caller's thread.
 *
 * <p>Gathered bytes stay in the caller's buffers: they are copied once, into their cell.
 */
final class GatheringWriter implements ObjectWriter {
  private final DataPath.WriteSpec spec;
  private final long clockMicros;
  private final int packingLimit;
  private final PolicyPath path;

  private final List<ByteBuf> gathered = new ArrayList<>();
  private long taken;
  private StreamedObject stream; // null: still small
  private boolean sent; // bytes may lie on disks
  private boolean stored; // all of them do
  private boolean ended;

  GatheringWriter(DataPath.WriteSpec spec, long clockMicros, PolicyPath path) {
    this.spec = spec;
    this.clockMicros = clockMicros;
    this.packingLimit = path.packingLimit();
    this.path = path;
  }

  @Override
  public void write(ByteBuf bytes) throws StoreException {
    if (ended) {
      bytes.release();
      throw new StoreException(ErrorCode.INTERNAL, "Cannot write: the writer has ended");
    }
    int length = bytes.readableBytes();
    if (spec.length() >= 0 && taken + length > spec.length()) {
      bytes.release();
      throw new StoreException(
          ErrorCode.INVALID_ARGUMENT,
          "Cannot write more than the " + spec.length() + " bytes that were announced");
    }
    taken += length;
    if (stream == null && taken <= packingLimit && spec.length() <= packingLimit) {
      gathered.add(bytes);
      return;
    }
    if (stream == null) {
      try {
        stream = path.stream(header(NeedleHeader.Kind.STREAMED, 0), spec.length(), true);
        while (!gathered.isEmpty()) {
          stream.write(gathered.remove(0));
        }
      } catch (StoreException | RuntimeException e) {
        bytes.release();
        throw e;
      }
    }
    stream.write(bytes);
  }

  @Override
  public Written finish() throws StoreException {
    if (ended) {
      throw new StoreException(ErrorCode.INTERNAL, "Cannot finish: the writer has ended");
    }
    if (spec.length() >= 0 && taken != spec.length()) {
      throw new StoreException(
          ErrorCode.INCOMPLETE_BODY,
          "Cannot finish: " + taken + " of " + spec.length() + " announced bytes were written");
    }
    try {
      if (stream != null) {
        Written written = stream.finish();
        if (spec.length() < 0) {
          path.putFinished(header(NeedleHeader.Kind.STREAMED, 0), taken);
        }
        stored = true;
        return new Written(written.manifest(), written.grants(), clockMicros);
      }
      if (taken == 0) {
        stored = true;
        return new Written(Manifest.getDefaultInstance(), List.of(), clockMicros);
      }
      sent = true;
      Written written = path.pack(header(NeedleHeader.Kind.PACKED, crcOfGathered()), handOver());
      stored = true;
      return new Written(written.manifest(), written.grants(), clockMicros);
    } finally {
      close();
    }
  }

  private List<ByteBuf> handOver() {
    List<ByteBuf> payload = List.copyOf(gathered);
    gathered.clear();
    return payload;
  }

  private int crcOfGathered() {
    CRC32C crc = new CRC32C();
    for (ByteBuf bytes : gathered) {
      for (ByteBuffer part : bytes.nioBuffers()) {
        crc.update(part);
      }
    }
    return (int) crc.getValue();
  }

  private NeedleHeader header(NeedleHeader.Kind kind, int payloadCrc) {
    return new NeedleHeader(
        kind,
        spec.bucketId(),
        spec.rowKey(),
        spec.writeId(),
        clockMicros,
        0,
        0,
        kind == NeedleHeader.Kind.PACKED ? taken : NeedleHeader.UNKNOWN_LENGTH,
        payloadCrc,
        spec.metadata() == null ? ByteString.EMPTY : spec.metadata());
  }

  @Override
  public void close() {
    if (ended) {
      return;
    }
    ended = true;
    for (ByteBuf bytes : gathered) {
      bytes.release();
    }
    gathered.clear();
    if (stream != null) {
      stream.close();
      sent = true;
    }
    if (sent && !stored) {
      path.recordAbandoned(header(NeedleHeader.Kind.STREAMED, 0));
    }
  }
}
