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
package io.stowage.client.crypt;

import io.netty.buffer.ByteBuf;
import io.netty.buffer.PooledByteBufAllocator;
import io.netty.buffer.Unpooled;
import io.stowage.client.ObjectReader;
import io.stowage.common.error.CorruptDataException;
import io.stowage.common.error.ErrorCode;
import io.stowage.common.error.StoreException;
import java.util.List;
import javax.crypto.SecretKey;

/**
 * Reads ranges of an encrypted object: of each stream that a range touches the packets that hold
 * it, no others. Thread-safe.
 */
final class DecryptingReader implements ObjectReader {
  private final ObjectReader sealed;
  private final Stream[] streams;
  private final long length;
  private final int packetsPerRead;

  /**
   * What was encrypted in one go: an object, or a part of one.
   *
   * @param plainStart of its first byte in the object
   * @param sealedStart of its first packet in what is stored
   */
  private record Stream(long plainStart, long length, long sealedStart, SecretKey key) {}

  /** A stream's length and key. */
  record Sealed(long length, SecretKey key) {}

  /**
   * @param sealed what is stored
   * @param streams in the order of the object
   */
  DecryptingReader(ObjectReader sealed, List<Sealed> streams) throws StoreException {
    this.sealed = sealed;
    this.streams = new Stream[streams.size()];
    long plainAt = 0;
    long sealedAt = 0;
    for (int i = 0; i < this.streams.length; i++) {
      Sealed stream = streams.get(i);
      this.streams[i] = new Stream(plainAt, stream.length, sealedAt, stream.key);
      plainAt += stream.length;
      sealedAt += PacketLayout.cipherLength(stream.length);
    }
    length = plainAt;
    packetsPerRead = sealed.maxRead() / PacketLayout.SEALED_BYTES;
    if (sealedAt != sealed.length()) {
      throw new CorruptDataException(
          "Cannot decrypt "
              + length
              + " bytes: "
              + sealed.length()
              + " are stored instead of "
              + sealedAt);
    }
  }

  @Override
  public long length() {
    return length;
  }

  /** So that a range within one stream, wherever it begins, is one read of what is stored. */
  @Override
  public int maxRead() {
    return Math.max(1, packetsPerRead - 1) * PacketLayout.PACKET_BYTES;
  }

  /** Whole packets of what is even to the shards, of one stream. */
  @Override
  public int evenLength(long offset, int most) {
    Stream stream = streams[streamAt(offset)];
    long from = offset - stream.plainStart;
    long end = Math.min(from + most, stream.length);
    long begin = PacketLayout.sealedOffset(from / PacketLayout.PACKET_BYTES);
    long stop =
        Math.min(
            PacketLayout.sealedOffset(PacketLayout.packets(end)),
            PacketLayout.cipherLength(stream.length));
    int even = sealed.evenLength(stream.sealedStart + begin, (int) (stop - begin));
    if (even == stop - begin) {
      return most;
    }
    long whole = (begin + even) / PacketLayout.SEALED_BYTES * PacketLayout.PACKET_BYTES - from;
    return 2 * whole >= most ? (int) whole : most;
  }

  @Override
  public ByteBuf read(long offset, int count) throws StoreException {
    if (count < 0 || count > maxRead() || offset < 0 || offset > length - count) {
      throw new StoreException(
          ErrorCode.INVALID_RANGE,
          "Cannot read " + count + " bytes at " + offset + " of " + length);
    }
    if (count == 0) {
      return Unpooled.EMPTY_BUFFER;
    }
    ByteBuf out = PooledByteBufAllocator.DEFAULT.directBuffer(count);
    boolean done = false;
    try {
      long end = offset + count;
      long at = offset;
      for (int i = streamAt(offset); at < end; i++) {
        Stream stream = streams[i];
        long from = at - stream.plainStart;
        int some = (int) Math.min(end - at, stream.length - from);
        if (some > 0) {
          read(stream, from, some, out);
          at += some;
        }
      }
      done = true;
      return out;
    } finally {
      if (!done) {
        out.release();
      }
    }
  }

  /** The last stream that begins at or before an offset. */
  private int streamAt(long offset) {
    int low = 0;
    int high = streams.length - 1;
    while (low < high) {
      int middle = (low + high + 1) >>> 1;
      if (streams[middle].plainStart <= offset) {
        low = middle;
      } else {
        high = middle - 1;
      }
    }
    return low;
  }

  private void read(Stream stream, long from, int count, ByteBuf out) throws StoreException {
    long end = PacketLayout.packets(from + count); // exclusive
    long lastOfStream = PacketLayout.packets(stream.length) - 1;
    try (PacketCipher cipher = new PacketCipher(stream.key)) {
      long packet = from / PacketLayout.PACKET_BYTES;
      while (packet < end) {
        long until = Math.min(end, packet + packetsPerRead);
        long begin = PacketLayout.sealedOffset(packet);
        long stop =
            Math.min(PacketLayout.sealedOffset(until), PacketLayout.cipherLength(stream.length));
        ByteBuf bytes = sealed.read(stream.sealedStart + begin, (int) (stop - begin));
        try {
          int index = bytes.readerIndex();
          for (; packet < until; packet++) {
            int plain = PacketLayout.plainBytes(packet, stream.length);
            long start = packet * PacketLayout.PACKET_BYTES;
            int skip = (int) Math.max(0, from - start);
            int take = (int) Math.min(plain, from + count - start) - skip;
            int sealedBytes = plain + PacketLayout.TAG_BYTES;
            cipher.open(bytes, index, sealedBytes, packet, packet == lastOfStream, skip, take, out);
            index += sealedBytes;
          }
        } finally {
          bytes.release();
        }
      }
    }
  }

  @Override
  public void close() {
    sealed.close();
  }
}
