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
package io.stowage.client.twin;

import io.netty.buffer.ByteBuf;
import io.netty.buffer.PooledByteBufAllocator;
import io.stowage.common.data.ShardService;
import io.stowage.common.error.ErrorCode;
import io.stowage.common.error.StoreException;
import io.stowage.common.proto.ByteRange;
import io.stowage.common.proto.ListShardsReply;
import io.stowage.common.proto.ListShardsRequest;
import io.stowage.common.proto.OpenShardReply;
import io.stowage.common.proto.OpenShardRequest;
import io.stowage.common.proto.ReadShardReply;
import io.stowage.common.proto.ReadShardRequest;
import io.stowage.common.proto.SealShardReply;
import io.stowage.common.proto.SealShardRequest;
import io.stowage.common.proto.SectorRun;
import io.stowage.common.proto.SectorState;
import io.stowage.common.proto.ShardKey;
import io.stowage.common.proto.ShardReport;
import io.stowage.common.proto.StatShardReply;
import io.stowage.common.proto.StatShardRequest;
import io.stowage.common.proto.WriteShardReply;
import io.stowage.common.proto.WriteShardRequest;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.Executor;
import java.util.concurrent.RejectedExecutionException;
import java.util.zip.CRC32C;
import org.apache.hadoop.thirdparty.protobuf.ByteString;

/**
 * One datanode in memory, with faults to order: away, refusing, holding writes or reads back,
 * sectors lost or changed. Keeps the rules of shards: epochs fence, sectors are immutable, CRCs are
 * checked before writing. Thread-safe by one lock; answers come on the executor's threads.
 */
public final class InMemoryShards implements ShardService {
  private static final int SECTOR = 4096;

  private final Executor executor;
  private final Map<ShardKey, Shard> shards = new HashMap<>();

  private static final class Shard {
    final TreeMap<Long, Long> starts = new TreeMap<>(); // epoch -> start
    final TreeMap<Long, Sector> sectors = new TreeMap<>();
    ByteString holder;
    boolean sealed;

    long end() {
      return sectors.isEmpty() ? 0 : (sectors.lastKey() + 1) * SECTOR;
    }
  }

  private static final class Sector {
    final byte[] bytes;
    final int crc;
    final int used;
    boolean lost;

    Sector(byte[] bytes, int crc, int used) {
      this.bytes = bytes;
      this.crc = crc;
      this.used = used;
    }
  }

  @FunctionalInterface
  private interface Work<T> {
    T run() throws StoreException;
  }

  public InMemoryShards(Executor executor) {
    this.executor = executor;
  }

  /** Bytes in written sectors. */
  public synchronized long bytesWritten() {
    long sectors = 0;
    for (Shard shard : shards.values()) {
      sectors += shard.sectors.size();
    }
    return sectors * SECTOR;
  }

  /** Flips a bit of every written sector, behind the CRCs' back. */
  public synchronized void corruptAll() {
    for (Shard shard : shards.values()) {
      for (Sector sector : shard.sectors.values()) {
        sector.bytes[17] ^= 4;
      }
    }
  }

  /** Makes every n-th written sector lost. */
  public synchronized void loseEvery(int nth) {
    for (Shard shard : shards.values()) {
      int count = 0;
      for (Sector sector : shard.sectors.values()) {
        sector.lost |= count++ % nth == 0;
      }
    }
  }

  /** Forgets written sectors of a container, as a power loss on a lying disk would. */
  public synchronized void forget(long container) {
    for (Map.Entry<ShardKey, Shard> shard : shards.entrySet()) {
      if (shard.getKey().getContainer() == container) {
        shard.getValue().sectors.clear();
      }
    }
  }

  /** Moves a shard to another node under a new generation, as a rebuild does. */
  public void moveTo(InMemoryShards other, ShardKey from, ShardKey to) {
    Shard shard;
    synchronized (this) {
      shard = shards.remove(from);
    }
    synchronized (other) {
      other.shards.put(to, shard);
    }
  }

  @Override
  public CompletableFuture<OpenShardReply> open(OpenShardRequest request) {
    return answer(() -> doOpen(request));
  }

  private synchronized OpenShardReply doOpen(OpenShardRequest request) throws StoreException {
    Shard shard = shards.computeIfAbsent(request.getShard(), key -> new Shard());
    if (shard.sealed) {
      throw new StoreException(ErrorCode.SHARD_SEALED, "Cannot open: sealed");
    }
    long highest = shard.starts.isEmpty() ? 0 : shard.starts.lastKey();
    boolean again = highest == request.getEpoch() && request.getHolder().equals(shard.holder);
    if (request.getEpoch() <= highest && !again) {
      throw new StoreException(
          ErrorCode.FENCED, "Cannot open under epoch " + request.getEpoch() + ": " + highest);
    }
    shard.holder = request.getHolder();
    shard.starts.putIfAbsent(request.getEpoch(), shard.end());
    return OpenShardReply.newBuilder().setEnd(shard.end()).build();
  }

  @Override
  public CompletableFuture<WriteShardReply> write(WriteShardRequest request, ByteBuf payload) {
    return answer(
        () -> {
          try {
            return doWrite(request, payload);
          } finally {
            payload.release();
          }
        });
  }

  private synchronized WriteShardReply doWrite(WriteShardRequest request, ByteBuf payload)
      throws StoreException {
    Shard shard = find(request.getShard());
    if (shard.sealed || shard.starts.isEmpty() || shard.starts.lastKey() != request.getEpoch()) {
      throw new StoreException(ErrorCode.FENCED, "Cannot write under " + request.getEpoch());
    }
    int count = payload.readableBytes() / SECTOR;
    if (payload.readableBytes() % SECTOR != 0
        || request.getOffset() % SECTOR != 0
        || request.getCrcsCount() != count
        || count == 0) {
      throw new StoreException(ErrorCode.INVALID_ARGUMENT, "Cannot write: not whole sectors");
    }
    long first = request.getOffset() / SECTOR;
    List<Sector> sectors = new ArrayList<>();
    for (int i = 0; i < count; i++) {
      byte[] bytes = new byte[SECTOR];
      payload.getBytes(payload.readerIndex() + i * SECTOR, bytes);
      if (crc(bytes) != request.getCrcs(i)) {
        throw new StoreException(ErrorCode.CORRUPT_DATA, "Cannot write: CRC of sector " + i);
      }
      Sector before = shard.sectors.get(first + i);
      if (before != null && before.crc != request.getCrcs(i)) {
        throw new StoreException(ErrorCode.SECTOR_WRITTEN, "Cannot write sector " + (first + i));
      }
      sectors.add(new Sector(bytes, request.getCrcs(i), request.getUsedShards()));
    }
    for (int i = 0; i < count; i++) {
      shard.sectors.put(first + i, sectors.get(i));
    }
    return WriteShardReply.getDefaultInstance();
  }

  @Override
  public CompletableFuture<ShardBytes> read(ReadShardRequest request) {
    return answer(() -> doRead(request));
  }

  private synchronized ShardBytes doRead(ReadShardRequest request) throws StoreException {
    Shard shard = find(request.getShard());
    long start = shard.starts.getOrDefault(request.getEpoch(), Long.MAX_VALUE);
    Map.Entry<Long, Long> nextEpoch = shard.starts.higherEntry(request.getEpoch());
    long limit = nextEpoch == null ? Long.MAX_VALUE : nextEpoch.getValue();
    ReadShardReply.Builder reply = ReadShardReply.newBuilder();
    ByteBuf out = PooledByteBufAllocator.DEFAULT.directBuffer();
    for (ByteRange range : request.getRangesList()) {
      long first = range.getOffset() / SECTOR;
      long end = (range.getOffset() + range.getLength() + SECTOR - 1) / SECTOR;
      for (long at = first; at < end; at++) {
        Sector sector = shard.sectors.get(at);
        SectorState state = SectorState.NEVER_WRITTEN;
        if (sector != null) {
          boolean inEpoch =
              request.getEpoch() == 0 || (at * SECTOR >= start && at * SECTOR < limit);
          state = sector.lost || !inEpoch ? SectorState.LOST : SectorState.WRITTEN;
        }
        if (request.getSectorCrcs()) {
          reply.addSectors(SectorRun.newBuilder().setState(state).setCount(1));
          reply.addCrcs(state == SectorState.WRITTEN ? sector.crc : 0);
          reply.addUsedShards(state == SectorState.NEVER_WRITTEN ? 0 : sector.used);
        }
        byte[] bytes = state == SectorState.WRITTEN ? sector.bytes : new byte[SECTOR];
        int from = (int) Math.max(0, range.getOffset() - at * SECTOR);
        int to = (int) Math.min(SECTOR, range.getOffset() + range.getLength() - at * SECTOR);
        out.writeBytes(bytes, from, to - from);
      }
    }
    return new ShardBytes(reply.build(), out);
  }

  @Override
  public CompletableFuture<SealShardReply> seal(SealShardRequest request) {
    return answer(
        () -> {
          synchronized (this) {
            Shard shard = find(request.getShard());
            shard.sealed = true;
            return SealShardReply.newBuilder().setEnd(shard.end()).build();
          }
        });
  }

  @Override
  public CompletableFuture<StatShardReply> stat(StatShardRequest request) {
    return answer(
        () -> {
          synchronized (this) {
            return StatShardReply.newBuilder()
                .setReport(report(request.getShard(), find(request.getShard())))
                .build();
          }
        });
  }

  @Override
  public CompletableFuture<ListShardsReply> list(ListShardsRequest request) {
    return answer(
        () -> {
          synchronized (this) {
            ListShardsReply.Builder reply = ListShardsReply.newBuilder();
            shards.forEach((key, shard) -> reply.addShards(report(key, shard)));
            return reply.build();
          }
        });
  }

  private static ShardReport report(ShardKey key, Shard shard) {
    return ShardReport.newBuilder()
        .setContainer(key.getContainer())
        .setIndex(key.getIndex())
        .setGeneration(key.getGeneration())
        .setDiskId(key.getDiskId())
        .setEpoch(shard.starts.isEmpty() ? 0 : shard.starts.lastKey())
        .setSealed(shard.sealed)
        .setEnd(shard.end())
        .build();
  }

  private Shard find(ShardKey key) throws StoreException {
    Shard shard = shards.get(key);
    if (shard == null) {
      throw new StoreException(ErrorCode.NO_SUCH_SHARD, "Cannot find shard " + key.getIndex());
    }
    return shard;
  }

  private static int crc(byte[] bytes) {
    CRC32C crc = new CRC32C();
    crc.update(bytes);
    return (int) crc.getValue();
  }

  private <T> CompletableFuture<T> answer(Work<T> work) {
    CompletableFuture<T> future = new CompletableFuture<>();
    Runnable task =
        () -> {
          try {
            future.complete(work.run());
          } catch (StoreException e) {
            future.completeExceptionally(e);
          } catch (RuntimeException e) {
            future.completeExceptionally(new StoreException(ErrorCode.INTERNAL, e.toString(), e));
          }
        };
    try {
      executor.execute(task);
    } catch (RejectedExecutionException e) {
      task.run();
    }
    return future;
  }
}
