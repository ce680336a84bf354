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
package io.stowage.datanode.shard;

import io.netty.buffer.ByteBuf;
import io.netty.buffer.PooledByteBufAllocator;
import io.stowage.common.error.ErrorCode;
import io.stowage.common.error.StoreException;
import io.stowage.common.proto.ByteRange;
import io.stowage.common.proto.OpenShardRequest;
import io.stowage.common.proto.ReadShardReply;
import io.stowage.common.proto.ReadShardRequest;
import io.stowage.common.proto.SealShardRequest;
import io.stowage.common.proto.SectorRun;
import io.stowage.common.proto.SectorState;
import io.stowage.common.proto.WriteShardReply;
import io.stowage.common.proto.WriteShardRequest;
import io.stowage.common.time.ManualClock;
import io.stowage.common.time.StoreClock;
import io.stowage.datanode.disk.DiskFiles;
import io.stowage.datanode.fault.SimulatedDisks;
import java.nio.file.Path;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.Executor;
import java.util.zip.CRC32C;
import org.apache.hadoop.thirdparty.protobuf.ByteString;

/**
 * A disk without threads: work runs on the caller's thread, at once or when a test says so. Keeps
 * one shard and talks to it in byte arrays. Confined to its test.
 */
final class TestHost implements ShardHost {
  static final ShardId ID = new ShardId(0x1122334455667788L, 2, 3);
  static final Path DIRECTORY = Path.of("/sim/88");
  static final Path PATH = DIRECTORY.resolve(ID.fileName());
  static final long CAPACITY = 16L << 20;

  final SimulatedDisks disks = new SimulatedDisks();
  final ManualClock clock = new ManualClock(1_700_000_000_000_000L);
  private final PageCache pageCache = new PageCache(8);
  private final DiskFigures figures = new DiskFigures();
  private final MemoryBudget memory = new MemoryBudget(64 << 20);
  private OpenFiles openFiles = new OpenFiles(disks, 4);
  final ArrayDeque<Runnable> work = new ArrayDeque<>();
  Executor executor = Runnable::run;
  final List<Throwable> failures = new ArrayList<>();
  boolean gone;
  ShardFile shard;

  TestHost() {
    try {
      disks.createDirectories(DIRECTORY);
      disks.createDirectories(quarantine());
    } catch (java.io.IOException e) {
      throw new AssertionError(e);
    }
    shard = ShardFile.absent(ID, PATH, this);
  }

  /** As a new process finds the file. */
  void restart() throws Exception {
    disks.killProcess();
    openFiles = new OpenFiles(disks, 4);
    shard = ShardFile.load(ID, PATH, this);
  }

  /** From now on work waits until {@link #runAll}. */
  void holdWork() {
    executor = work::add;
  }

  void runAll() {
    while (!work.isEmpty()) {
      work.remove().run();
    }
  }

  static <T> T join(CompletableFuture<T> call) throws StoreException {
    try {
      return call.join();
    } catch (CompletionException e) {
      if (e.getCause() instanceof StoreException store) {
        throw store;
      }
      throw e;
    }
  }

  long open(long epoch, int holder) throws StoreException {
    byte[] holderBytes = new byte[16];
    Arrays.fill(holderBytes, (byte) holder);
    return join(shard.open(
            OpenShardRequest.newBuilder()
                .setEpoch(epoch)
                .setHolder(ByteString.copyFrom(holderBytes))
                .setPolicy("rs-3-2")
                .setClusterId("golden")
                .setCapacityBytes(CAPACITY)
                .build(),
            3,
            2))
        .getEnd();
  }

  CompletableFuture<WriteShardReply> writeAsync(long epoch, long sector, byte[] bytes, int used) {
    WriteShardRequest.Builder request =
        WriteShardRequest.newBuilder()
            .setEpoch(epoch)
            .setOffset(sector * ShardFormat.SECTOR_BYTES)
            .setUsedShards(used);
    for (int at = 0; at < bytes.length; at += ShardFormat.SECTOR_BYTES) {
      CRC32C crc = new CRC32C();
      crc.update(bytes, at, ShardFormat.SECTOR_BYTES);
      request.addCrcs((int) crc.getValue());
    }
    memory.take(bytes.length);
    ByteBuf payload = PooledByteBufAllocator.DEFAULT.directBuffer().writeBytes(bytes);
    return shard.write(request.build(), payload);
  }

  void write(long epoch, long sector, byte[] bytes, int used) throws StoreException {
    join(writeAsync(epoch, sector, bytes, used));
  }

  long seal(long epoch) throws StoreException {
    return join(shard.seal(SealShardRequest.newBuilder().setEpoch(epoch).build())).getEnd();
  }

  /** What a read gave. */
  static final class Read {
    private final List<SectorState> states;
    private final byte[] bytes;
    private final ReadShardReply reply;

    private Read(List<SectorState> states, byte[] bytes, ReadShardReply reply) {
      this.states = states;
      this.bytes = bytes;
      this.reply = reply;
    }

    List<SectorState> states() {
      return states;
    }

    byte[] bytes() {
      return bytes;
    }

    ReadShardReply reply() {
      return reply;
    }
  }

  Read read(long epoch, long sector, int count) throws StoreException {
    int length = count * ShardFormat.SECTOR_BYTES;
    ByteBuf into = PooledByteBufAllocator.DEFAULT.directBuffer(length, length);
    try {
      SectorStates states = new SectorStates();
      shard.read(
          ReadShardRequest.newBuilder()
              .setEpoch(epoch)
              .setSectorCrcs(true)
              .addRanges(
                  ByteRange.newBuilder()
                      .setOffset(sector * ShardFormat.SECTOR_BYTES)
                      .setLength(length))
              .build(),
          into,
          states);
      byte[] bytes = new byte[length];
      into.readBytes(bytes);
      ReadShardReply reply = states.reply();
      List<SectorState> each = new ArrayList<>();
      for (SectorRun run : reply.getSectorsList()) {
        for (int i = 0; i < run.getCount(); i++) {
          each.add(run.getState());
        }
      }
      return new Read(each, bytes, reply);
    } finally {
      into.release();
    }
  }

  static byte[] pattern(int seed, int sectors) {
    byte[] bytes = new byte[sectors * ShardFormat.SECTOR_BYTES];
    for (int i = 0; i < bytes.length; i++) {
      bytes[i] = (byte) (seed * 31 + i * 7 + i / 251);
    }
    return bytes;
  }

  @Override
  public DiskFiles files() {
    return disks;
  }

  @Override
  public StoreClock clock() {
    return clock;
  }

  @Override
  public DiskFigures figures() {
    return figures;
  }

  @Override
  public OpenFiles openFiles() {
    return openFiles;
  }

  @Override
  public PageCache pageCache() {
    return pageCache;
  }

  @Override
  public MemoryBudget writeMemory() {
    return memory;
  }

  @Override
  public StoreException refusal(ShardId refused) {
    return null;
  }

  @Override
  public boolean forcesData() {
    return true;
  }

  @Override
  public void execute(Runnable next) {
    executor.execute(next);
  }

  @Override
  public boolean othersWait() {
    return false;
  }

  @Override
  public void admit(long bytes) throws StoreException {
    if (bytes < 0) {
      throw new StoreException(ErrorCode.DISK_FULL, "negative");
    }
  }

  @Override
  public void makeDirectoryOf(Path created) {
    // it is there
  }

  @Override
  public void changed(ShardFile changed) {
    // reports are tested elsewhere
  }

  @Override
  public void failed(ShardFile which, Throwable cause) {
    failures.add(cause);
  }

  @Override
  public void gone(ShardFile which) {
    gone = true;
  }

  @Override
  public Path quarantine() {
    return Path.of("/sim/quarantine");
  }
}
