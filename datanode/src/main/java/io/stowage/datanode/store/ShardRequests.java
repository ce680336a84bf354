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
package io.stowage.datanode.store;

import io.netty.buffer.ByteBuf;
import io.stowage.common.data.DataLimits;
import io.stowage.common.erasure.ErasurePolicy;
import io.stowage.common.error.ErrorCode;
import io.stowage.common.error.StoreException;
import io.stowage.common.proto.ByteRange;
import io.stowage.common.proto.OpenShardRequest;
import io.stowage.common.proto.ReadShardRequest;
import io.stowage.common.proto.ShardKey;
import io.stowage.common.proto.WriteShardRequest;
import io.stowage.datanode.shard.ShardFormat;
import io.stowage.datanode.shard.ShardId;
import java.nio.ByteBuffer;
import java.util.zip.CRC32C;

/** What a request must be like, whatever shard it is for: sizes, alignment, CRCs. Stateless. */
final class ShardRequests {
  private static final ThreadLocal<CRC32C> CRC = ThreadLocal.withInitial(CRC32C::new);

  private ShardRequests() {}

  static void checkOpen(OpenShardRequest request, ErasurePolicy policy, String clusterId)
      throws StoreException {
    if (request.getEpoch() < 1
        || request.getHolder().size() != 16
        || policy.k() > ShardFormat.MAX_DATA_SHARDS
        || request.getShard().getIndex() >= policy.shards()
        || request.getCapacityBytes() < ShardFormat.SECTOR_BYTES
        || request.getCapacityBytes() > ShardFormat.MAX_CAPACITY
        || request.getCapacityBytes() % ShardFormat.SECTOR_BYTES != 0) {
      throw new StoreException(
          ErrorCode.INVALID_ARGUMENT,
          String.format(
              "Cannot open shard %d of container %016x: epoch %d, holder of %d bytes, %s, capacity"
                  + " %d",
              request.getShard().getIndex(),
              request.getShard().getContainer(),
              request.getEpoch(),
              request.getHolder().size(),
              policy,
              request.getCapacityBytes()));
    }
    if (!clusterId.isEmpty()
        && !request.getClusterId().isEmpty()
        && !clusterId.equals(request.getClusterId())) {
      throw new StoreException(
          ErrorCode.WRONG_CLUSTER,
          "Cannot open a shard of cluster "
              + request.getClusterId()
              + ": this datanode belongs to "
              + clusterId);
    }
  }

  static void checkWrite(WriteShardRequest request, ByteBuf payload) throws StoreException {
    int length = payload.readableBytes();
    long offset = request.getOffset();
    if (length == 0
        || length > DataLimits.MAX_PAYLOAD_BYTES
        || length % ShardFormat.SECTOR_BYTES != 0
        || request.getCrcsCount() != length / ShardFormat.SECTOR_BYTES
        || offset < 0
        || offset % ShardFormat.SECTOR_BYTES != 0) {
      throw new StoreException(
          ErrorCode.INVALID_ARGUMENT,
          String.format(
              "Cannot write %d bytes with %d CRCs at %d: whole sectors of 4096 bytes, a CRC each,"
                  + " at most %d bytes",
              length, request.getCrcsCount(), offset, DataLimits.MAX_PAYLOAD_BYTES));
    }
    ByteBuffer[] pieces =
        payload.nioBufferCount() == 1
            ? new ByteBuffer[] {payload.nioBuffer()}
            : payload.nioBuffers();
    CRC32C crc = CRC.get();
    int piece = 0;
    for (int sector = 0; sector < request.getCrcsCount(); sector++) {
      crc.reset();
      int left = ShardFormat.SECTOR_BYTES;
      while (left > 0) {
        ByteBuffer bytes = pieces[piece];
        int n = Math.min(left, bytes.remaining());
        int limit = bytes.limit();
        crc.update(bytes.limit(bytes.position() + n));
        bytes.limit(limit);
        left -= n;
        if (!bytes.hasRemaining()) {
          piece++;
        }
      }
      if ((int) crc.getValue() != request.getCrcs(sector)) {
        throw new StoreException(
            ErrorCode.BAD_CHECKSUM,
            String.format(
                "Cannot write sector at %d of container %016x: its CRC is %08x, not %08x",
                offset + (long) sector * ShardFormat.SECTOR_BYTES,
                request.getShard().getContainer(),
                (int) crc.getValue(),
                request.getCrcs(sector)));
      }
    }
  }

  /** Bytes that a read asks for. */
  static int checkRead(ReadShardRequest request) throws StoreException {
    long total = 0;
    for (ByteRange range : request.getRangesList()) {
      long offset = range.getOffset();
      long length = range.getLength();
      if (offset < 0
          || length < 1
          || length > DataLimits.MAX_PAYLOAD_BYTES
          || offset > ShardFormat.MAX_CAPACITY
          || (request.getSectorCrcs() && (offset | length) % ShardFormat.SECTOR_BYTES != 0)) {
        throw new StoreException(
            ErrorCode.INVALID_ARGUMENT,
            String.format(
                "Cannot read %d bytes at %d: 1 to %d bytes, and whole sectors if CRCs are asked"
                    + " for",
                length, offset, DataLimits.MAX_PAYLOAD_BYTES));
      }
      total += length;
    }
    if (total == 0 || total > DataLimits.MAX_PAYLOAD_BYTES) {
      throw new StoreException(
          ErrorCode.INVALID_ARGUMENT,
          "Cannot read "
              + total
              + " bytes at once: 1 to "
              + DataLimits.MAX_PAYLOAD_BYTES
              + " are allowed");
    }
    return (int) total;
  }

  static ShardId idOf(ShardKey key) throws StoreException {
    try {
      return ShardId.of(key);
    } catch (IllegalArgumentException e) {
      throw new StoreException(
          ErrorCode.INVALID_ARGUMENT, "Cannot use a shard: " + e.getMessage(), e);
    }
  }
}
