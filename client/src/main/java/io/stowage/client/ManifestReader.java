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
import io.netty.buffer.CompositeByteBuf;
import io.netty.buffer.PooledByteBufAllocator;
import io.netty.buffer.Unpooled;
import io.stowage.common.error.ErrorCode;
import io.stowage.common.error.StoreException;
import io.stowage.common.proto.ContainerInfo;
import io.stowage.common.proto.Extent;
import io.stowage.common.proto.Manifest;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import org.apache.hadoop.thirdparty.protobuf.ByteString;

/**
 * Reads ranges of one manifest's payload. Thread-safe; each read is independent of the others but
 * for the containers' places, which a read that found them stale replaces for all.
 */
final class ManifestReader implements ObjectReader {
  /** A few cells of a few shards, so that one read uses several disks, and little memory. */
  static final int MAX_READ = 4 << 20;

  /**
   * Packed needles of which at least this share is wanted, or that are this small, are read whole:
   * their own CRC needs no checksum page.
   */
  private static final int WHOLE_SHARE = 2;

  private static final int WHOLE_BYTES = 16 << 10;

  private final Manifest manifest;
  private final ByteString writeId;
  private final RangeReads reads;
  private final Map<Long, ShardPlaces> places = new ConcurrentHashMap<>();
  private final long[] payloadStarts; // of each extent

  ManifestReader(DataPath.ReadSpec spec, RangeReads reads) {
    this.manifest = spec.manifest();
    this.writeId = spec.writeId();
    this.reads = reads;
    payloadStarts = new long[manifest.getExtentsCount()];
    long at = 0;
    for (int i = 0; i < payloadStarts.length; i++) {
      payloadStarts[i] = at;
      at += payloadBytes(manifest.getExtents(i));
    }
    for (ContainerInfo info : spec.containers()) {
      try {
        places.put(info.getId(), ShardPlaces.of(info));
      } catch (StoreException e) {
        // A policy that this version does not know: told when it is read, if it is.
        places.remove(info.getId());
      }
    }
  }

  private static long payloadBytes(Extent extent) {
    return extent.getLength() - extent.getHeaderLength();
  }

  @Override
  public long length() {
    return manifest.getLength();
  }

  @Override
  public int maxRead() {
    return MAX_READ;
  }

  @Override
  public int evenLength(long offset, int most) {
    long end = offset + most;
    int last = extentAt(end - 1);
    if (last < 0) {
      return most; // no extents: the read says so
    }
    Extent extent = manifest.getExtents(last);
    long inExtent = end - payloadStarts[last];
    if (inExtent == payloadBytes(extent)) {
      return most; // the next one begins with a stripe of its own
    }
    long header = extent.getHeaderLength();
    long border = ExtentMap.border(extent, inExtent + header, most);
    long even = payloadStarts[last] + Math.max(0, border - header) - offset;
    return 2 * even >= most ? (int) even : most;
  }

  /** The extent that holds a byte, or an empty one before it; -1: there are none. */
  private int extentAt(long at) {
    int found = Arrays.binarySearch(payloadStarts, at);
    return found >= 0 ? found : -found - 2;
  }

  @Override
  public ByteBuf read(long offset, int length) throws StoreException {
    if (length < 0 || length > MAX_READ || offset < 0 || offset > length() - length) {
      throw new StoreException(
          ErrorCode.INVALID_RANGE,
          "Cannot read " + length + " bytes at " + offset + " of " + length());
    }
    if (length == 0) {
      return Unpooled.EMPTY_BUFFER;
    }
    List<RangeRead> ranges = plan(offset, length);
    try {
      reads.run(ranges, places);
      return assemble(ranges);
    } finally {
      for (RangeRead range : ranges) {
        range.close();
      }
    }
  }

  /**
   * One RangeRead for each shard of each extent that the range touches, and what of it is wanted.
   */
  private List<RangeRead> plan(long offset, int length) throws StoreException {
    List<RangeRead> ranges = new ArrayList<>();
    long at = offset;
    long end = offset + length;
    for (int i = Math.max(0, extentAt(offset)); i < payloadStarts.length && at < end; i++) {
      Extent extent = manifest.getExtents(i);
      long from = at - payloadStarts[i];
      long count = Math.min(end - at, payloadBytes(extent) - from);
      if (count <= 0) {
        continue; // an empty one
      }
      planExtent(ranges, extent, from + extent.getHeaderLength(), (int) count, (int) (at - offset));
      at += count;
    }
    if (at < end) {
      throw new StoreException(
          ErrorCode.INTERNAL,
          "Cannot read: the manifest's extents end " + (end - at) + " bytes too early");
    }
    return ranges;
  }

  private void planExtent(
      List<RangeRead> ranges, Extent extent, long from, int count, int resultOffset)
      throws StoreException {
    ShardPlaces where = reads.places(extent.getContainer(), places);
    int k = where.policy().k();
    if (extent.getPacked() && !writeId.isEmpty() && isWorthReadingWhole(extent, count)) {
      ranges.add(RangeRead.wholeNeedle(extent, where, writeId, (int) from, count, resultOffset));
      return;
    }
    RangeRead[] byShard = new RangeRead[k];
    int result = resultOffset;
    for (ExtentMap.Piece piece : ExtentMap.pieces(extent, k, from, count)) {
      RangeRead range = byShard[piece.shard()];
      if (range == null) {
        range = RangeRead.sectors(extent, where, piece.shard());
        byShard[piece.shard()] = range;
        ranges.add(range);
      }
      range.want(piece, result);
      result += piece.length();
    }
  }

  private static boolean isWorthReadingWhole(Extent extent, int count) {
    return extent.getLength() <= WHOLE_BYTES
        || (extent.getLength() <= MAX_READ && extent.getLength() <= (long) count * WHOLE_SHARE);
  }

  /** Puts the pieces together in the order of the object, without copying them. */
  private static ByteBuf assemble(List<RangeRead> ranges) {
    List<RangeRead.Part> parts = new ArrayList<>();
    for (RangeRead range : ranges) {
      range.addParts(parts);
    }
    if (parts.size() == 1) {
      return parts.get(0).take();
    }
    parts.sort((a, b) -> Integer.compare(a.resultOffset(), b.resultOffset()));
    CompositeByteBuf whole = PooledByteBufAllocator.DEFAULT.compositeDirectBuffer(parts.size());
    for (RangeRead.Part part : parts) {
      whole.addComponent(true, part.take());
    }
    return whole;
  }

  @Override
  public void close() {
    // Nothing is read ahead.
  }
}
