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
import io.netty.buffer.PooledByteBufAllocator;
import io.stowage.common.data.ShardService.ShardBytes;
import io.stowage.common.proto.ReadShardReply;
import io.stowage.common.proto.SectorRun;
import io.stowage.common.proto.SectorState;
import java.nio.ByteBuffer;
import java.util.Arrays;

/**
 * What one shard said of the sectors asked for, its CRCs checked again after the bytes left its
 * disk. Confined to the reading thread; owns the bytes.
 */
final class ShardAnswer implements AutoCloseable {
  private final SectorState[] states;
  private final int[] usedShards;
  private final ByteBuf payload;
  private ByteBuf inOnePiece; // made when first needed
  private final String damage;

  private ShardAnswer(SectorState[] states, int[] usedShards, ByteBuf payload, String damage) {
    this.states = states;
    this.usedShards = usedShards;
    this.payload = payload;
    this.damage = damage;
  }

  /** A shard that gave no bytes: every sector of it is lost. */
  static ShardAnswer none(String why) {
    return new ShardAnswer(new SectorState[0], new int[0], null, why);
  }

  /** Takes over the bytes. */
  static ShardAnswer of(ShardBytes answer, int sectors) {
    ReadShardReply reply = answer.reply();
    ByteBuf payload = answer.payload();
    SectorState[] states = new SectorState[sectors];
    int at = 0;
    for (SectorRun run : reply.getSectorsList()) {
      int end = (int) Math.min(sectors, at + Integer.toUnsignedLong(run.getCount()));
      Arrays.fill(states, at, end, run.getState());
      at = end;
    }
    if (at != sectors
        || payload.readableBytes() != sectors * Sectors.BYTES
        || reply.getCrcsCount() != sectors
        || reply.getUsedShardsCount() != sectors) {
      String what = at + " sectors told, " + payload.readableBytes() + " bytes sent of " + sectors;
      payload.release();
      return none(what);
    }
    int[] crcs = Sectors.crcs(payload);
    int[] used = new int[sectors];
    int wrong = 0;
    int lost = 0;
    for (int i = 0; i < sectors; i++) {
      if (states[i] == SectorState.WRITTEN) {
        used[i] = reply.getUsedShards(i);
        if (crcs[i] != reply.getCrcs(i)) {
          states[i] = SectorState.LOST;
          wrong++;
        }
      } else if (states[i] != SectorState.NEVER_WRITTEN) {
        states[i] = SectorState.LOST;
        lost++;
      }
    }
    String damage =
        wrong + lost == 0 ? null : lost + " lost sectors, " + wrong + " that fail their checksum";
    return new ShardAnswer(states, used, payload, damage);
  }

  boolean isAllWritten() {
    for (SectorState state : states) {
      if (state != SectorState.WRITTEN) {
        return false;
      }
    }
    return states.length > 0;
  }

  SectorState state(int sector) {
    return sector < states.length ? states[sector] : SectorState.LOST;
  }

  /** Bitmap of the data shards that the sector's stripe uses; 0 unless the sector is written. */
  int usedShards(int sector) {
    return usedShards[sector];
  }

  /** The bytes of consecutive sectors. */
  ByteBuffer sectors(int from, int count) {
    if (inOnePiece == null) {
      // Pieces as they came from the network are joined for the coder, off the heap as they were.
      inOnePiece =
          payload.nioBufferCount() == 1
              ? payload.retain()
              : PooledByteBufAllocator.DEFAULT
                  .directBuffer(payload.readableBytes())
                  .writeBytes(payload, payload.readerIndex(), payload.readableBytes());
    }
    return inOnePiece.nioBuffer(
        inOnePiece.readerIndex() + from * Sectors.BYTES, count * Sectors.BYTES);
  }

  /** What is wrong with the shard, or null. */
  String damage() {
    return damage;
  }

  @Override
  public void close() {
    if (payload != null) {
      payload.release();
    }
    if (inOnePiece != null) {
      inOnePiece.release();
      inOnePiece = null;
    }
  }
}
