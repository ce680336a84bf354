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
import io.stowage.common.data.DataLimits;
import io.stowage.common.data.ShardService;
import io.stowage.common.erasure.ErasurePolicy;
import io.stowage.common.error.ErrorCode;
import io.stowage.common.error.StoreException;
import io.stowage.common.proto.ByteRange;
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
import io.stowage.datanode.disk.DiskIdentity;
import io.stowage.datanode.shard.MemoryBudget;
import io.stowage.datanode.shard.PageCache;
import io.stowage.datanode.shard.RebuiltShardFile;
import io.stowage.datanode.shard.SectorStates;
import io.stowage.datanode.shard.ShardCheck;
import io.stowage.datanode.shard.ShardFile;
import io.stowage.datanode.shard.ShardFormat;
import io.stowage.datanode.shard.ShardId;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.UUID;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.zip.CRC32C;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * All disks of a node as one {@link ShardService}: the datanode itself, to whoever is in the same
 * process. Owns the disks. Thread-safe.
 *
 * <p>A call is checked, CRCs included, on the caller's thread, then waits on the disk's.
 */
public final class ShardStore implements ShardService, AutoCloseable {
  private static final Logger LOG = LoggerFactory.getLogger(ShardStore.class);

  /** About 16 MiB of checksum pages for reads of segments that nobody writes to. */
  private static final int CACHED_PAGES = 4_096;

  /** For a leader epoch to be on the disks; those that take longer are not waited for. */
  private static final long NOTE_TIMEOUT_NANOS = TimeUnit.SECONDS.toNanos(5);

  /**
   * Reads that wait hold memory of their connection: what takes longer is refused and asked again.
   */
  private static final long MAX_BACKGROUND_WAIT_NANOS = TimeUnit.MILLISECONDS.toNanos(250);

  private static final ThreadLocal<CRC32C> CRC = ThreadLocal.withInitial(CRC32C::new);

  private final DiskFiles files;
  private final StoreSettings settings;
  private final StoreClock clock;
  private final MemoryBudget writeMemory;
  private final PageCache pageCache = new PageCache(CACHED_PAGES);
  private final DamagedShards damaged = new DamagedShards();
  private final List<ShardListener> listeners = new CopyOnWriteArrayList<>();

  /**
   * Held while disks are opened, apart from {@code this}: that may take as long as a disk hangs.
   */
  private final Object disksLock = new Object();

  /** By configured directory, in that order; null where there is no usable disk. */
  private final Map<Path, Disk> byDirectory = new LinkedHashMap<>();

  /** Disks that are out and were told of. */
  private final Set<Disk> knownOut = new HashSet<>();

  /** Why a disk is still out, as last told. Guarded by {@link #disksLock}. */
  private final Map<Path, String> outReasons = new HashMap<>();

  /** By disk id; replaced as a whole. */
  private volatile Map<String, Disk> disks = Map.of();

  private final String nodeId;
  private volatile String clusterId;
  private volatile long leaderEpoch;

  private ShardStore(
      DiskFiles files, StoreSettings settings, StoreClock clock, String nodeId, String clusterId) {
    this.files = files;
    this.settings = settings;
    this.clock = clock;
    this.writeMemory = new MemoryBudget(settings.writeMemoryBytes());
    this.nodeId = nodeId;
    this.clusterId = clusterId;
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
    Map<Path, DiskIdentity> identities = readIdentities(directories, files);
    String nodeId = null;
    String clusterId = "";
    Path named = null;
    Map<String, Path> diskIds = new HashMap<>();
    for (Map.Entry<Path, DiskIdentity> entry : identities.entrySet()) {
      DiskIdentity identity = entry.getValue();
      if (identity == null) {
        continue;
      }
      if (nodeId != null && !nodeId.equals(identity.nodeId())) {
        throw new StoreException(
            ErrorCode.BAD_CONFIGURATION,
            String.format(
                "Cannot start: disk %s belongs to datanode %s, disk %s to datanode %s",
                named, nodeId, entry.getKey(), identity.nodeId()));
      }
      if (!clusterId.isEmpty()
          && !identity.clusterId().isEmpty()
          && !clusterId.equals(identity.clusterId())) {
        throw new StoreException(
            ErrorCode.WRONG_CLUSTER,
            String.format(
                "Cannot start: disk %s belongs to cluster %s, disk %s to cluster %s",
                named, clusterId, entry.getKey(), identity.clusterId()));
      }
      Path twin = diskIds.put(identity.diskId(), entry.getKey());
      if (twin != null) {
        throw new StoreException(
            ErrorCode.BAD_CONFIGURATION,
            String.format(
                "Cannot start: %s and %s are both disk %s; one is a copy of the other",
                twin, entry.getKey(), identity.diskId()));
      }
      nodeId = identity.nodeId();
      named = entry.getKey();
      if (!identity.clusterId().isEmpty()) {
        clusterId = identity.clusterId();
      }
    }
    ShardStore store =
        new ShardStore(
            files,
            settings,
            clock,
            nodeId == null ? UUID.randomUUID().toString() : nodeId,
            clusterId);
    try {
      store.openDisks(directories);
      return store;
    } catch (StoreException e) {
      store.close();
      throw e;
    }
  }

  private static Map<Path, DiskIdentity> readIdentities(List<Path> directories, DiskFiles files)
      throws StoreException {
    Map<Path, DiskIdentity> identities = new LinkedHashMap<>();
    for (Path directory : directories) {
      Path path = directory.toAbsolutePath().normalize();
      if (identities.containsKey(path)) {
        throw new StoreException(
            ErrorCode.BAD_CONFIGURATION, "Cannot start: disk " + path + " is named twice");
      }
      DiskIdentity identity = null;
      try {
        identity = DiskIdentity.read(files, path);
      } catch (StoreException e) {
        throw e;
      } catch (IOException e) {
        LOG.error("Cannot read whose disk {} is", path, e);
      }
      identities.put(path, identity);
    }
    return identities;
  }

  private void openDisks(List<Path> directories) throws StoreException {
    synchronized (disksLock) {
      openDisksLocked(directories);
    }
  }

  private void openDisksLocked(List<Path> directories) throws StoreException {
    for (Path directory : directories) {
      Path path = directory.toAbsolutePath().normalize();
      byDirectory.put(path, null);
      try {
        byDirectory.put(path, openDisk(path));
      } catch (StoreException e) {
        throw e;
      } catch (IOException e) {
        LOG.error("Disk {} is out: {}", path, e.toString());
      }
    }
    publishDisks();
    if (disks.values().stream().allMatch(Disk::isFailed)) {
      throw new StoreException(
          ErrorCode.UNAVAILABLE, "Cannot start: none of the disks " + directories + " can be used");
    }
  }

  private Disk openDisk(Path directory) throws IOException {
    files.createDirectories(directory);
    AutoCloseable lock = files.tryLock(directory.resolve("in-use.lock"));
    if (lock == null) {
      throw new StoreException(
          ErrorCode.BAD_CONFIGURATION,
          "Cannot start: disk " + directory + " is in use by another datanode process");
    }
    Disk disk = null;
    try {
      DiskIdentity identity = DiskIdentity.read(files, directory);
      if (identity == null) {
        identity = new DiskIdentity(clusterId, nodeId, UUID.randomUUID().toString());
        identity.write(files, directory);
        forceParent(directory);
        LOG.warn(
            "Directory {} has no identity: it is now the new, empty disk {} of datanode {}. If a"
                + " disk with data should be mounted there, stop the datanode",
            directory,
            identity.diskId(),
            nodeId);
      } else if (!identity.nodeId().equals(nodeId)) {
        throw new StoreException(
            ErrorCode.BAD_CONFIGURATION,
            "Cannot use disk " + directory + ": it belongs to datanode " + identity.nodeId());
      }
      if (!clusterId.isEmpty()
          && !identity.clusterId().isEmpty()
          && !clusterId.equals(identity.clusterId())) {
        throw new StoreException(
            ErrorCode.WRONG_CLUSTER,
            String.format(
                "Cannot use disk %s: it belongs to cluster %s, the others to %s",
                directory, identity.clusterId(), clusterId));
      }
      disk =
          new Disk(
              directory,
              identity,
              lock,
              files,
              settings,
              writeMemory,
              pageCache,
              clock,
              damaged,
              (diskId, shard) -> listeners.forEach(each -> each.shardChanged(diskId, shard)));
      disk.scan();
      if (!clusterId.isEmpty() && identity.clusterId().isEmpty()) {
        disk.joinCluster(clusterId);
      }
      raiseLeaderEpoch(disk.readLeaderEpoch());
      LOG.info("Disk {} ({}) has {} shards", disk.id(), directory, disk.shardCount());
      return disk;
    } catch (IOException | RuntimeException e) {
      try {
        if (disk != null) {
          disk.close();
        } else {
          lock.close();
        }
      } catch (Exception suppressed) {
        e.addSuppressed(suppressed);
      }
      throw e;
    }
  }

  /** The directory's own name; a parent that is not ours to open is the operator's affair. */
  private void forceParent(Path directory) {
    try {
      files.forceDirectory(directory.getParent());
    } catch (IOException e) {
      LOG.info("Cannot force the directory that {} is in: {}", directory, e.toString());
    }
  }

  private void publishDisks() {
    Map<String, Disk> next = new LinkedHashMap<>();
    for (Disk disk : byDirectory.values()) {
      if (disk != null) {
        next.put(disk.id(), disk);
      }
    }
    disks = next;
  }

  // ---- The node

  public String nodeId() {
    return nodeId;
  }

  /** Empty until the node has joined one. */
  public String clusterId() {
    return clusterId;
  }

  /**
   * Joins a cluster, durably, at the first start; afterwards checks that it is still the same.
   *
   * @throws StoreException WRONG_CLUSTER
   */
  public synchronized void joinCluster(String id) throws StoreException {
    if (clusterId.equals(id)) {
      return;
    }
    if (!clusterId.isEmpty()) {
      throw new StoreException(
          ErrorCode.WRONG_CLUSTER,
          "Cannot join cluster " + id + ": the disks of this datanode belong to " + clusterId);
    }
    for (Disk disk : disks.values()) {
      try {
        disk.joinCluster(id);
      } catch (IOException e) {
        throw new StoreException(
            ErrorCode.UNAVAILABLE,
            "Cannot join cluster " + id + ": disk " + disk.directory() + ": " + e.getMessage(),
            e);
      }
    }
    clusterId = id;
    LOG.info("Datanode {} belongs to cluster {}", nodeId, id);
  }

  private synchronized void raiseLeaderEpoch(long found) {
    leaderEpoch = Math.max(leaderEpoch, found);
  }

  /** Highest leader epoch that this node has heard of, durably. */
  public long leaderEpoch() {
    return leaderEpoch;
  }

  /** Notes a leader epoch on every working disk before anybody is told that it was heard. */
  public synchronized void hearLeaderEpoch(long epoch) throws StoreException {
    if (epoch <= leaderEpoch) {
      return;
    }
    Map<Disk, CompletableFuture<Void>> notes = new LinkedHashMap<>();
    for (Disk disk : disks.values()) {
      if (!disk.isFailed()) {
        notes.put(disk, disk.writeLeaderEpoch(epoch));
      }
    }
    long deadline = System.nanoTime() + NOTE_TIMEOUT_NANOS;
    int noted = 0;
    for (Map.Entry<Disk, CompletableFuture<Void>> note : notes.entrySet()) {
      try {
        note.getValue().get(deadline - System.nanoTime(), TimeUnit.NANOSECONDS);
        noted++;
      } catch (ExecutionException | TimeoutException e) {
        // the others remember it for this node; a restart reads the highest of all disks
        LOG.warn("Cannot note leader epoch {} on disk {}", epoch, note.getKey().directory(), e);
      } catch (InterruptedException e) {
        Thread.currentThread().interrupt();
        break;
      }
    }
    if (noted == 0) {
      throw new StoreException(
          ErrorCode.UNAVAILABLE, "Cannot note leader epoch " + epoch + " on any disk");
    }
    leaderEpoch = epoch;
  }

  public void addListener(ShardListener listener) {
    listeners.add(listener);
  }

  public void removeListener(ShardListener listener) {
    listeners.remove(listener);
  }

  public List<DiskInfo> diskInfos() {
    return disks.values().stream().map(Disk::info).toList();
  }

  /** Reports of all shards of all disks. */
  public List<ShardReport> reports() {
    List<ShardReport> all = new ArrayList<>();
    disks.values().forEach(disk -> all.addAll(disk.reports()));
    return all;
  }

  /** Report of one shard; null if it is not here. */
  public ShardReport report(String diskId, ShardId shard) {
    Disk disk = disks.get(diskId);
    return disk == null ? null : disk.report(shard);
  }

  /**
   * Looks after the disks: takes those out that are no longer there, takes those in again that work
   * again. Blocks on disks; called every few seconds.
   *
   * @return whether a disk came or went
   */
  public boolean checkDisks() {
    boolean changed = false;
    synchronized (disksLock) {
      for (Map.Entry<Path, Disk> entry : byDirectory.entrySet()) {
        Disk disk = entry.getValue();
        if (disk != null && !disk.isOut()) {
          disk.check();
        }
        if (disk != null && !disk.isFailed()) {
          continue;
        }
        changed |= disk != null && knownOut.add(disk);
        try {
          if (disk == null || DiskIdentity.read(files, entry.getKey()) != null) {
            changed |= reopen(entry, disk);
            outReasons.remove(entry.getKey());
          }
        } catch (IOException e) {
          String why = String.valueOf(e.getMessage());
          if (!why.equals(outReasons.put(entry.getKey(), why))) {
            LOG.warn("Disk {} is still out: {}", entry.getKey(), why);
          }
        }
      }
      if (changed) {
        publishDisks();
      }
    }
    return changed;
  }

  private boolean reopen(Map.Entry<Path, Disk> entry, Disk old) throws IOException {
    Disk.probe(files, entry.getKey(), clock); // fails while what is there can only be read
    if (old != null) {
      old.close();
    }
    Disk disk = openDisk(entry.getKey());
    entry.setValue(disk);
    knownOut.remove(old);
    if (disk.isFailed()) {
      knownOut.add(disk);
      publishDisks();
      return false;
    }
    LOG.info("Disk {} ({}) is in again", disk.id(), disk.directory());
    return true;
  }

  // ---- ShardService

  @Override
  public CompletableFuture<OpenShardReply> open(OpenShardRequest request) {
    try {
      ErasurePolicy policy = ErasurePolicy.named(request.getPolicy());
      checkOpen(request, policy);
      ShardId id = idOf(request.getShard());
      return disk(request.getShard()).shardToOpen(id).open(request, policy.k(), policy.m());
    } catch (StoreException e) {
      return CompletableFuture.failedFuture(e);
    }
  }

  private void checkOpen(OpenShardRequest request, ErasurePolicy policy) throws StoreException {
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

  @Override
  public CompletableFuture<WriteShardReply> write(WriteShardRequest request, ByteBuf payload) {
    int length = payload.readableBytes();
    boolean taken = false;
    try {
      ShardFile shard = disk(request.getShard()).shard(idOf(request.getShard()));
      checkWrite(request, payload);
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
      return shard.write(request, payload);
    } catch (StoreException e) {
      payload.release();
      return CompletableFuture.failedFuture(e);
    }
  }

  private static void checkWrite(WriteShardRequest request, ByteBuf payload) throws StoreException {
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

  @Override
  public CompletableFuture<ShardBytes> read(ReadShardRequest request) {
    CompletableFuture<ShardBytes> result = new CompletableFuture<>();
    try {
      int length = checkRead(request);
      Disk disk = disk(request.getShard());
      ShardFile shard = disk.shard(idOf(request.getShard()));
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

  private static int checkRead(ReadShardRequest request) throws StoreException {
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
      if (states.isDamaged()) {
        damaged.suspect(disk.id(), shard.id());
      }
      if (result.complete(new ShardBytes(states.reply(), payload))) {
        payload = null;
      }
    } catch (StoreException e) {
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
      return disk(request.getShard()).shard(idOf(request.getShard())).seal(request);
    } catch (StoreException e) {
      return CompletableFuture.failedFuture(e);
    }
  }

  @Override
  public CompletableFuture<StatShardReply> stat(StatShardRequest request) {
    try {
      Disk disk = disk(request.getShard());
      ShardId id = idOf(request.getShard());
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
    Disk disk = disks.get(request.getDiskId());
    if (disk == null) {
      return CompletableFuture.failedFuture(noSuchDisk(request.getDiskId()));
    }
    return CompletableFuture.completedFuture(
        ListShardsReply.newBuilder().addAllShards(disk.reports()).build());
  }

  // ---- Repair

  /** Begins the file of a shard that is to be rebuilt here. */
  public RebuiltShardFile createRebuilt(ShardKey key) throws IOException {
    return disk(key).createRebuilt(idOf(key));
  }

  /** Takes in a shard that a rebuild has finished. */
  public void adopt(ShardKey key) throws IOException {
    disk(key).adopt(idOf(key));
  }

  /** How fast rebuilds may use the disk that a shard is, or will be, on. */
  public RateLimit repairRate(ShardKey key) throws StoreException {
    return disk(key).repairRate();
  }

  /** Something failed on a disk: finds out whether it is the disk itself. */
  public void suspect(String diskId) {
    Disk disk = disks.get(diskId);
    if (disk != null) {
      disk.probe();
    }
  }

  // ---- Orders of SCM

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
      id = idOf(key);
      disk = disk(key);
      if (disk.hasInQuarantine(id)) {
        return keep ? CompletableFuture.completedFuture(null) : disk.deleteFromQuarantine(id);
      }
      shard = disk.shard(id);
    } catch (StoreException e) {
      return e.code() == ErrorCode.NO_SUCH_SHARD && disks.containsKey(key.getDiskId())
          ? CompletableFuture.completedFuture(null)
          : CompletableFuture.failedFuture(e);
    }
    return keep ? disk.quarantine(shard) : shard.delete();
  }

  /** Serves a shard again that was put aside, durably. One that is served is no error. */
  public CompletableFuture<Void> restore(ShardKey key) {
    try {
      ShardId id = idOf(key);
      Disk disk = disk(key);
      if (disk.hasInQuarantine(id)) {
        return disk.restore(id);
      }
      disk.shard(id);
      return CompletableFuture.completedFuture(null);
    } catch (StoreException e) {
      return CompletableFuture.failedFuture(e);
    }
  }

  /** Has a shard checked against its checksums before others. */
  public void verify(ShardKey key) throws StoreException {
    ShardId id = idOf(key);
    disk(key).shard(id);
    damaged.suspectAgain(key.getDiskId(), id);
  }

  // ---- Scrubbing

  public DamagedShards damaged() {
    return damaged;
  }

  /** Disks that work. */
  public List<String> workingDisks() {
    return disks.values().stream().filter(disk -> !disk.isFailed()).map(Disk::id).toList();
  }

  /** Shards that a disk is known to have; none if it does not work. */
  public List<ShardId> shardIds(String diskId) {
    Disk disk = disks.get(diskId);
    return disk == null || disk.isFailed() ? List.of() : disk.shardIds();
  }

  /** Checks a shard on the caller's thread; what is found is told to SCM. */
  public void check(String diskId, ShardId shard, ShardCheck.Pace pace, ByteBuffer memory)
      throws IOException {
    workingDisk(diskId).check(shard, pace, memory);
  }

  /** Takes in shard files of one directory of a disk that nobody knew of. */
  public void adoptUnknown(String diskId, String directoryName) throws IOException {
    workingDisk(diskId).adoptUnknown(directoryName);
  }

  /** Text of a small file in a disk's directory; null if there is none. */
  public String readNote(String diskId, String name) throws IOException {
    return workingDisk(diskId).readNote(name);
  }

  /** Replaces a small file in a disk's directory, durably. */
  public void writeNote(String diskId, String name, String text) throws IOException {
    workingDisk(diskId).writeNote(name, text);
  }

  private Disk workingDisk(String diskId) throws IOException {
    Disk disk = disks.get(diskId);
    if (disk == null || disk.isFailed()) {
      throw new IOException("disk " + diskId + " is out");
    }
    return disk;
  }

  private static ShardId idOf(ShardKey key) throws StoreException {
    try {
      return ShardId.of(key);
    } catch (IllegalArgumentException e) {
      throw new StoreException(
          ErrorCode.INVALID_ARGUMENT, "Cannot use a shard: " + e.getMessage(), e);
    }
  }

  private Disk disk(ShardKey key) throws StoreException {
    Disk disk = disks.get(key.getDiskId());
    if (disk == null) {
      throw noSuchDisk(key.getDiskId());
    }
    return disk;
  }

  private StoreException noSuchDisk(String diskId) {
    return new StoreException(
        ErrorCode.NO_SUCH_SHARD,
        "Cannot use disk " + diskId + ": it is not one of datanode " + nodeId);
  }

  @Override
  public void close() {
    Map<String, Disk> open = disks;
    open.values().forEach(Disk::close);
  }
}
