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
import io.netty.buffer.PooledByteBufAllocator;
import io.netty.buffer.Unpooled;
import io.stowage.common.data.ShardService;
import io.stowage.common.erasure.ErasurePolicy;
import io.stowage.common.error.ErrorCode;
import io.stowage.common.error.StoreException;
import io.stowage.common.fault.CrashPoint;
import io.stowage.common.proto.DiskInfo;
import io.stowage.common.proto.ListShardsReply;
import io.stowage.common.proto.ListShardsRequest;
import io.stowage.common.proto.OpenShardReply;
import io.stowage.common.proto.OpenShardRequest;
import io.stowage.common.proto.ReadShardRequest;
import io.stowage.common.proto.SealShardReply;
import io.stowage.common.proto.SealShardRequest;
import io.stowage.common.proto.ShardKey;
import io.stowage.common.proto.ShardReport;
import io.stowage.common.proto.StatShardReply;
import io.stowage.common.proto.StatShardRequest;
import io.stowage.common.proto.WriteShardReply;
import io.stowage.common.proto.WriteShardRequest;
import io.stowage.common.time.StoreClock;
import io.stowage.datanode.disk.DiskFiles;
import io.stowage.datanode.shard.DiskFigures;
import io.stowage.datanode.shard.MemoryBudget;
import io.stowage.datanode.shard.RebuiltShardFile;
import io.stowage.datanode.shard.SectorStates;
import io.stowage.datanode.shard.ShardCheck;
import io.stowage.datanode.shard.ShardFile;
import io.stowage.datanode.shard.ShardId;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;

/**
 * All disks of a node as one {@link ShardService}: the datanode itself, to whoever is in the same
 * process. Owns the disks. Thread-safe.
 *
 * <p>A call is checked, CRCs included, on the caller's thread, then waits on the disk's.
 */
public final class ShardStore implements ShardService, AutoCloseable {
  private static final CrashPoint BEFORE_QUEUE = CrashPoint.named("datanode.write.before-queue");

  /**
   * Reads that wait hold memory of their connection: what takes longer is refused and asked again.
   */
  private static final long MAX_BACKGROUND_WAIT_NANOS = TimeUnit.MILLISECONDS.toNanos(250);

  private final NodeDisks node;
  private final MemoryBudget writeMemory;
  private final DamagedShards damaged;

  private ShardStore(NodeDisks node) {
    this.node = node;
    this.writeMemory = node.writeMemory();
    this.damaged = node.damaged();
  }

  /**
   * Opens the disks of a node; new directories become disks of it. A directory that cannot be used
   * is left out, with an error in the log.
   *
   * @throws StoreException if the directories do not belong together, are of a later format or in
   *     use by another process, or none can be used
   */
  public static ShardStore open(
      List<Path> directories, DiskFiles files, StoreSettings settings, StoreClock clock)
      throws StoreException {
    return new ShardStore(NodeDisks.open(directories, files, settings, clock));
  }

  // ---- The node

  public String nodeId() {
    return node.nodeId();
  }

  /** Empty until the node has joined one. */
  public String clusterId() {
    return node.clusterId();
  }

  /**
   * Joins a cluster, durably, at the first start; afterwards checks that it is still the same.
   *
   * @throws StoreException WRONG_CLUSTER
   */
  public void joinCluster(String id) throws StoreException {
    node.joinCluster(id);
  }

  /** Highest leader epoch that this node has heard of, durably. */
  public long leaderEpoch() {
    return node.leaderEpoch();
  }

  /** Notes a leader epoch on every working disk before anybody is told that it was heard. */
  public void hearLeaderEpoch(long epoch) throws StoreException {
    node.hearLeaderEpoch(epoch);
  }

  public void addListener(ShardListener listener) {
    node.addListener(listener);
  }

  public void removeListener(ShardListener listener) {
    node.removeListener(listener);
  }

  public List<DiskInfo> diskInfos() {
    return node.diskInfos();
  }

  /** What was done on each disk since it was opened, by its id. */
  public Map<String, DiskFigures> diskFigures() {
    return node.diskFigures();
  }

  /** Bytes of payload that wait for their I/O. */
  public long writeMemoryUsed() {
    return writeMemory.used();
  }

  /** Reports of all shards of all disks. */
  public List<ShardReport> reports() {
    return node.reports();
  }

  /** Report of one shard; null if it is not here. */
  public ShardReport report(String diskId, ShardId shard) {
    return node.report(diskId, shard);
  }

  /**
   * Looks after the disks: takes those out that are no longer there, takes those in again that work
   * again. Waits a moment for disks, never as long as one hangs; called every few seconds.
   *
   * @return whether a disk came or went
   */
  public boolean checkDisks() {
    return node.checkDisks();
  }

  // ---- ShardService

  @Override
  public CompletableFuture<OpenShardReply> open(OpenShardRequest request) {
    try {
      ErasurePolicy policy = ErasurePolicy.named(request.getPolicy());
      ShardRequests.checkOpen(request, policy, node.clusterId());
      ShardId id = ShardRequests.idOf(request.getShard());
      return node.disk(request.getShard()).shardToOpen(id).open(request, policy.k(), policy.m());
    } catch (StoreException e) {
      return CompletableFuture.failedFuture(e);
    }
  }

  @Override
  public CompletableFuture<WriteShardReply> write(WriteShardRequest request, ByteBuf payload) {
    int length = payload.readableBytes();
    boolean taken = false;
    try {
      ShardFile shard =
          node.disk(request.getShard()).shardToWrite(ShardRequests.idOf(request.getShard()));
      ShardRequests.checkWrite(request, payload);
      taken = writeMemory.tryTake(length);
      if (!taken) {
        throw new StoreException(
            ErrorCode.OVERLOADED,
            "Cannot write "
                + shard.id()
                + ": "
                + writeMemory.used()
                + " bytes wait to be written on this datanode");
      }
      BEFORE_QUEUE.reach();
      return shard.write(request, payload);
    } catch (StoreException e) {
      payload.release();
      return CompletableFuture.failedFuture(e);
    }
  }

  @Override
  public CompletableFuture<ShardBytes> read(ReadShardRequest request) {
    CompletableFuture<ShardBytes> result = new CompletableFuture<>();
    try {
      int length = ShardRequests.checkRead(request);
      Disk disk = node.disk(request.getShard());
      ShardFile shard = disk.shard(ShardRequests.idOf(request.getShard()));
      if (request.getBackground() && !request.getStatesOnly()) {
        readLater(disk, shard, request, length, result);
      } else {
        disk.executeRead(() -> read(disk, shard, request, length, result));
      }
    } catch (StoreException e) {
      result.completeExceptionally(e);
    }
    return result;
  }

  /** Reads when the disk's repair rate allows. */
  private void readLater(
      Disk disk,
      ShardFile shard,
      ReadShardRequest request,
      int length,
      CompletableFuture<ShardBytes> result)
      throws StoreException {
    long wait = disk.repairRate().take(length, MAX_BACKGROUND_WAIT_NANOS);
    if (wait < 0) {
      throw new StoreException(
          ErrorCode.OVERLOADED,
          "Cannot read "
              + shard.id()
              + " in the background: more is asked of disk "
              + disk.id()
              + " than its repair rate gives");
    }
    if (wait == 0) {
      disk.executeRead(() -> read(disk, shard, request, length, result));
      return;
    }
    CompletableFuture.delayedExecutor(wait, TimeUnit.NANOSECONDS, Runnable::run)
        .execute(
            () -> {
              try {
                disk.executeRead(() -> read(disk, shard, request, length, result));
              } catch (StoreException e) {
                result.completeExceptionally(e);
              }
            });
  }

  private void read(
      Disk disk,
      ShardFile shard,
      ReadShardRequest request,
      int length,
      CompletableFuture<ShardBytes> result) {
    ByteBuf payload = null;
    try {
      payload =
          request.getSectorCrcs() && request.getStatesOnly()
              ? Unpooled.EMPTY_BUFFER
              : PooledByteBufAllocator.DEFAULT.directBuffer(length, length);
      SectorStates states = new SectorStates();
      shard.read(request, payload, states);
      disk.figures().read(payload.readableBytes(), states.isDamaged());
      if (states.isDamaged()) {
        damaged.suspect(disk.id(), shard.id());
      }
      if (result.complete(new ShardBytes(states.reply(), payload))) {
        payload = null;
      }
    } catch (StoreException e) {
      if (e.code() == ErrorCode.SHARD_FAILED) {
        damaged.suspect(disk.id(), shard.id());
      }
      result.completeExceptionally(e);
    } catch (RuntimeException | OutOfMemoryError e) {
      result.completeExceptionally(
          new StoreException(
              ErrorCode.INTERNAL, "Cannot read " + shard.id() + ": " + e.getMessage(), e));
    } finally {
      if (payload != null) {
        payload.release();
      }
    }
  }

  @Override
  public CompletableFuture<SealShardReply> seal(SealShardRequest request) {
    try {
      return node.disk(request.getShard())
          .shard(ShardRequests.idOf(request.getShard()))
          .seal(request);
    } catch (StoreException e) {
      return CompletableFuture.failedFuture(e);
    }
  }

  @Override
  public CompletableFuture<StatShardReply> stat(StatShardRequest request) {
    try {
      Disk disk = node.disk(request.getShard());
      ShardId id = ShardRequests.idOf(request.getShard());
      ShardReport report = disk.report(id);
      if (report == null) {
        disk.shard(id); // says what is wrong, unless the shard is being created just now
        throw new StoreException(
            ErrorCode.NO_SUCH_SHARD, "Cannot stat " + id + ": it has no file yet");
      }
      StatShardReply.Builder reply = StatShardReply.newBuilder().setReport(report);
      disk.addSuperblock(id, reply);
      return CompletableFuture.completedFuture(reply.build());
    } catch (StoreException e) {
      return CompletableFuture.failedFuture(e);
    }
  }

  @Override
  public CompletableFuture<ListShardsReply> list(ListShardsRequest request) {
    if (request.getDiskId().isEmpty()) {
      return CompletableFuture.completedFuture(
          ListShardsReply.newBuilder().addAllShards(reports()).build());
    }
    Disk disk = node.find(request.getDiskId());
    if (disk == null) {
      return CompletableFuture.failedFuture(node.noSuchDisk(request.getDiskId()));
    }
    return CompletableFuture.completedFuture(
        ListShardsReply.newBuilder().addAllShards(disk.reports()).build());
  }

  // ---- Repair

  /** Begins the file of a shard that is to be rebuilt here. */
  public RebuiltShardFile createRebuilt(ShardKey key) throws IOException {
    return node.disk(key).createRebuilt(ShardRequests.idOf(key));
  }

  /** Takes in a shard that a rebuild has finished. */
  public void adopt(ShardKey key) throws IOException {
    node.disk(key).adopt(ShardRequests.idOf(key));
  }

  /** How fast rebuilds may use the disk that a shard is, or will be, on. */
  public RateLimit repairRate(ShardKey key) throws StoreException {
    return node.disk(key).repairRate();
  }

  /** Something failed on a disk: finds out whether it is the disk itself. */
  public void suspect(String diskId) {
    Disk disk = node.find(diskId);
    if (disk != null) {
      disk.probe();
    }
  }

  // ---- Orders of SCM

  /**
   * Checks that a disk is one of this node's, working or not.
   *
   * @throws StoreException NO_SUCH_SHARD
   */
  public void checkHasDisk(String diskId) throws StoreException {
    if (node.find(diskId) == null) {
      throw node.noSuchDisk(diskId);
    }
  }

  /** Deletes a shard, durably. One that is not here is no error: it was deleted before. */
  public CompletableFuture<Void> delete(ShardKey key) {
    return remove(key, false);
  }

  /** Renames a shard's file away, durably. */
  public CompletableFuture<Void> quarantine(ShardKey key) {
    return remove(key, true);
  }

  private CompletableFuture<Void> remove(ShardKey key, boolean keep) {
    ShardId id;
    Disk disk;
    ShardFile shard;
    try {
      id = ShardRequests.idOf(key);
      disk = node.disk(key);
      if (disk.hasInQuarantine(id)) {
        return keep ? CompletableFuture.completedFuture(null) : disk.deleteFromQuarantine(id);
      }
      shard = disk.shard(id);
    } catch (StoreException e) {
      return e.code() == ErrorCode.NO_SUCH_SHARD && node.find(key.getDiskId()) != null
          ? CompletableFuture.completedFuture(null)
          : CompletableFuture.failedFuture(e);
    }
    return keep ? disk.quarantine(shard) : shard.delete();
  }

  /** Serves a shard again that was put aside, durably. One that is served is no error. */
  public CompletableFuture<Void> restore(ShardKey key) {
    try {
      ShardId id = ShardRequests.idOf(key);
      Disk disk = node.disk(key);
      if (disk.hasInQuarantine(id)) {
        return disk.restore(id);
      }
      disk.shard(id);
      return CompletableFuture.completedFuture(null);
    } catch (StoreException e) {
      return CompletableFuture.failedFuture(e);
    }
  }

  /** Has a shard checked against its checksums before others, unless it just was. */
  public void verify(ShardKey key) throws StoreException {
    ShardId id = ShardRequests.idOf(key);
    node.disk(key).shard(id);
    damaged.suspectAgain(key.getDiskId(), id);
  }

  /** A sealed shard lacks sectors that the others of its container have; SCM is told. */
  public void noteLacking(ShardKey key, int sectors) throws StoreException {
    ShardId id = ShardRequests.idOf(key);
    damaged.lacks(key.getDiskId(), id, sectors);
    if (report(key.getDiskId(), id) == null) {
      damaged.gone(key.getDiskId(), id); // meanwhile
    }
  }

  // ---- Scrubbing

  public DamagedShards damaged() {
    return damaged;
  }

  /** Disks that work. */
  public List<String> workingDisks() {
    return node.working();
  }

  /** Shards that a disk is known to have; none if it does not work. */
  public List<ShardId> shardIds(String diskId) {
    Disk disk = node.find(diskId);
    return disk == null || disk.isFailed() ? List.of() : disk.shardIds();
  }

  /** Checks a shard on the caller's thread; what is found is told to SCM. */
  public void check(String diskId, ShardId shard, ShardCheck.Pace pace, ByteBuffer memory)
      throws IOException {
    node.workingDisk(diskId).check(shard, pace, memory);
  }

  /** Takes in shard files of one directory of a disk that nobody knew of. */
  public void adoptUnknown(String diskId, String directoryName) throws IOException {
    node.workingDisk(diskId).adoptUnknown(directoryName);
  }

  /** Text of a small file in a disk's directory; null if there is none. */
  public String readNote(String diskId, String name) throws IOException {
    return node.workingDisk(diskId).readNote(name);
  }

  /** Replaces a small file in a disk's directory, durably. */
  public void writeNote(String diskId, String name, String text) throws IOException {
    node.workingDisk(diskId).writeNote(name, text);
  }

  @Override
  public void close() {
    node.close();
  }
}
