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

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.fail;

import io.netty.buffer.ByteBuf;
import io.netty.buffer.PooledByteBufAllocator;
import io.stowage.common.data.ShardService;
import io.stowage.common.data.ShardService.ShardBytes;
import io.stowage.common.error.ErrorCode;
import io.stowage.common.error.StoreException;
import io.stowage.common.proto.ByteRange;
import io.stowage.common.proto.OpenShardRequest;
import io.stowage.common.proto.ReadShardReply;
import io.stowage.common.proto.ReadShardRequest;
import io.stowage.common.proto.SealShardRequest;
import io.stowage.common.proto.SectorRun;
import io.stowage.common.proto.SectorState;
import io.stowage.common.proto.ShardKey;
import io.stowage.common.proto.WriteShardRequest;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.zip.CRC32C;
import org.apache.hadoop.thirdparty.protobuf.ByteString;
import org.junit.jupiter.api.function.Executable;

/** A shard as tests talk to it: blocking, with byte arrays. */
public final class Shard {
  public static final long CAPACITY = 16L << 20;

  private final ShardService service;
  private final String diskId;
  private final long container;
  private final int index;

  public Shard(ShardService service, String diskId) {
    this(service, diskId, 0xABCDEFL, 0);
  }

  public Shard(ShardService service, String diskId, long container, int index) {
    this.service = service;
    this.diskId = diskId;
    this.container = container;
    this.index = index;
  }

  public ShardKey key() {
    return ShardKey.newBuilder().setContainer(container).setIndex(index).setDiskId(diskId).build();
  }

  public OpenShardRequest openRequest(long epoch, int holder) {
    return OpenShardRequest.newBuilder()
        .setShard(key())
        .setEpoch(epoch)
        .setHolder(
            ByteString.copyFrom(
                new byte[] {(byte) holder, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}))
        .setPolicy("rs-3-2")
        .setCapacityBytes(CAPACITY)
        .build();
  }

  public long open(long epoch, int holder) throws Exception {
    return await(service.open(openRequest(epoch, holder))).getEnd();
  }

  public WriteShardRequest writeRequest(long epoch, long offset, byte[] bytes, int used) {
    WriteShardRequest.Builder request =
        WriteShardRequest.newBuilder()
            .setShard(key())
            .setEpoch(epoch)
            .setOffset(offset)
            .setUsedShards(used);
    for (int at = 0; at < bytes.length; at += 4096) {
      CRC32C crc = new CRC32C();
      crc.update(bytes, at, 4096);
      request.addCrcs((int) crc.getValue());
    }
    return request.build();
  }

  public CompletableFuture<?> writeAsync(long epoch, long offset, byte[] bytes, int used) {
    return service.write(writeRequest(epoch, offset, bytes, used), buffer(bytes));
  }

  public void write(long epoch, long offset, byte[] bytes, int used) throws Exception {
    await(writeAsync(epoch, offset, bytes, used));
  }

  public long seal(long epoch) throws Exception {
    return await(
            service.seal(SealShardRequest.newBuilder().setShard(key()).setEpoch(epoch).build()))
        .getEnd();
  }

  private ReadShardRequest readRequest(long epoch, long offset, int length, boolean crcs) {
    return ReadShardRequest.newBuilder()
        .setShard(key())
        .setEpoch(epoch)
        .setSectorCrcs(crcs)
        .addRanges(ByteRange.newBuilder().setOffset(offset).setLength(length))
        .build();
  }

  /** Bytes as they lie. */
  public byte[] read(long epoch, long offset, int length) throws Exception {
    ShardBytes read = await(service.read(readRequest(epoch, offset, length, false)));
    return take(read.payload());
  }

  /** Sectors with their states; the payload is heap memory that needs no release. */
  public ShardBytes readSectors(long epoch, long offset, int length) throws Exception {
    ShardBytes read = await(service.read(readRequest(epoch, offset, length, true)));
    return new ShardBytes(
        read.reply(), io.netty.buffer.Unpooled.wrappedBuffer(take(read.payload())));
  }

  private static byte[] take(ByteBuf payload) {
    try {
      byte[] bytes = new byte[payload.readableBytes()];
      payload.readBytes(bytes);
      return bytes;
    } finally {
      payload.release();
    }
  }

  public static List<SectorState> states(ReadShardReply reply) {
    List<SectorState> states = new ArrayList<>();
    for (SectorRun run : reply.getSectorsList()) {
      for (int i = 0; i < run.getCount(); i++) {
        states.add(run.getState());
      }
    }
    return states;
  }

  public void expect(ErrorCode code, Executable call) {
    StoreException failure = assertThrows(StoreException.class, call);
    assertEquals(code, failure.code(), failure.getMessage());
  }

  public static StoreException failure(CompletableFuture<?> call) throws Exception {
    try {
      await(call);
    } catch (StoreException e) {
      return e;
    }
    return fail("the call succeeded");
  }

  public static <T> T await(CompletableFuture<T> call) throws Exception {
    try {
      return call.get(20, TimeUnit.SECONDS);
    } catch (ExecutionException e) {
      if (e.getCause() instanceof StoreException store) {
        throw store;
      }
      throw e;
    }
  }

  public static byte[] bytes(long seed, int length) {
    byte[] bytes = new byte[length];
    new Random(seed).nextBytes(bytes);
    return bytes;
  }

  public static ByteBuf buffer(byte[] bytes) {
    return PooledByteBufAllocator.DEFAULT.directBuffer(bytes.length).writeBytes(bytes);
  }
}
