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
package io.stowage.client.repack;

import io.netty.buffer.ByteBuf;
import io.stowage.client.ContainerAccess;
import io.stowage.client.DataPath;
import io.stowage.client.ObjectReader;
import io.stowage.client.ObjectWriter;
import io.stowage.common.error.StoreException;
import io.stowage.common.fault.CrashPoint;
import io.stowage.common.needle.NeedleCodec;
import io.stowage.common.needle.NeedleHeader;
import io.stowage.common.om.ObjectManager;
import io.stowage.common.proto.ContainerInfo;
import io.stowage.common.proto.Extent;
import io.stowage.common.proto.ExtentReplacement;
import io.stowage.common.proto.Manifest;
import io.stowage.common.proto.NeedleHolder;
import io.stowage.common.proto.ReplaceExtentsReply;
import io.stowage.common.proto.ReplaceExtentsRequest;
import java.util.List;

/**
 * Moves one needle: reads its payload, verified, writes it again under its header on a fresh lease,
 * and has whatever names it name the copy. Blocking, thread-safe.
 *
 * <p>A crash before the swap leaves a copy that nothing names, which its container's survey finds;
 * a swap that comes too late, or finds that somebody else changed the row, changes nothing.
 */
final class NeedleMove {
  private static final CrashPoint AFTER_COPY = CrashPoint.named("repack.move.after-copy");
  private static final CrashPoint AFTER_SWAP = CrashPoint.named("repack.move.after-swap");

  /** Payload held in memory by one move, beyond the stripes that it fills. */
  private static final int CHUNK = 1 << 20;

  private final ObjectManager om;
  private final DataPath data;
  private final ContainerAccess access;
  private final RateLimit writes;

  NeedleMove(ObjectManager om, DataPath data, ContainerAccess access, RateLimit writes) {
    this.om = om;
    this.data = data;
    this.access = access;
    this.writes = writes;
  }

  /**
   * Moves it.
   *
   * @param holders what names it; all name the same extent
   * @param container where it is now
   * @param policy of the copy
   * @return whether every holder now names the copy; else they are judged again
   */
  boolean move(
      NeedleHeader header, List<NeedleHolder> holders, ContainerInfo container, String policy)
      throws StoreException {
    Extent from = holders.get(0).getExtent();
    return swap(holders, copy(header, from, container, policy));
  }

  /** Has what names a needle name its copy. */
  boolean swap(List<NeedleHolder> holders, ObjectWriter.Written copy) throws StoreException {
    AFTER_COPY.reach();
    boolean all = true;
    for (NeedleHolder holder : holders) {
      ReplaceExtentsReply reply =
          om.replaceExtents(
              ReplaceExtentsRequest.newBuilder()
                  .setRow(holder.getRow())
                  .setUploadId(holder.getUploadId())
                  .setPartNumber(holder.getPartNumber())
                  .setVersionId(holder.getVersionId())
                  .addReplacements(
                      ExtentReplacement.newBuilder()
                          .setFrom(holder.getExtent())
                          .addAllTo(copy.manifest().getExtentsList()))
                  .addAllGrants(copy.grants())
                  .build());
      all &= reply.getOutcome() == ReplaceExtentsReply.Outcome.REPLACED;
      AFTER_SWAP.reach();
    }
    return all;
  }

  /** A packed needle's payload, verified; the caller owns it. */
  ByteBuf payload(Extent extent, ContainerInfo container) throws StoreException {
    int length = Math.toIntExact(extent.getLength() - extent.getHeaderLength());
    Manifest payload = Manifest.newBuilder().setLength(length).addExtents(extent).build();
    writes.take(length);
    try (ObjectReader reader = data.read(new DataPath.ReadSpec(payload, List.of(container)))) {
      return reader.read(0, length);
    }
  }

  private ObjectWriter.Written copy(
      NeedleHeader header, Extent from, ContainerInfo container, String policy)
      throws StoreException {
    Manifest payload =
        Manifest.newBuilder()
            .setLength(from.getLength() - from.getHeaderLength())
            .addExtents(from)
            .build();
    try (ObjectReader reader = data.read(new DataPath.ReadSpec(payload, List.of(container)));
        ObjectWriter writer = access.rewrite(header, payload.getLength(), policy)) {
      for (long at = 0; at < payload.getLength(); ) {
        int length = (int) Math.min(CHUNK, payload.getLength() - at);
        writes.take(length);
        writer.write(reader.read(at, length));
        at += length;
      }
      return writer.finish();
    }
  }

  /** The header that an extent's needle begins with. */
  NeedleHeader headerOf(Extent extent, ContainerInfo container) throws StoreException {
    // Read as if it were payload, by the sectors' checksums.
    Manifest header =
        Manifest.newBuilder()
            .setLength(extent.getHeaderLength())
            .addExtents(
                extent.toBuilder()
                    .setPacked(false)
                    .setLength(extent.getHeaderLength())
                    .setHeaderLength(0))
            .build();
    try (ObjectReader reader = data.read(new DataPath.ReadSpec(header, List.of(container)))) {
      ByteBuf bytes = reader.read(0, extent.getHeaderLength());
      try {
        return NeedleCodec.decode(bytes.nioBuffer());
      } finally {
        bytes.release();
      }
    }
  }
}
