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

import io.netty.util.concurrent.DefaultThreadFactory;
import io.stowage.common.error.ErrorCode;
import io.stowage.common.error.StoreException;
import io.stowage.common.proto.DiskInfo;
import io.stowage.common.proto.ShardKey;
import io.stowage.common.proto.ShardReport;
import io.stowage.common.time.StoreClock;
import io.stowage.datanode.disk.DiskFiles;
import io.stowage.datanode.disk.DiskIdentity;
import io.stowage.datanode.disk.DiskLock;
import io.stowage.datanode.shard.DiskFigures;
import io.stowage.datanode.shard.MemoryBudget;
import io.stowage.datanode.shard.PageCache;
import io.stowage.datanode.shard.ShardId;
import java.io.IOException;
import java.io.InterruptedIOException;
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
import java.util.concurrent.CompletionException;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.SynchronousQueue;
import java.util.concurrent.ThreadPoolExecutor;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The disks of a node: whose they are, which of them work, and what the node notes on all of them,
 * its cluster and the highest leader epoch that it has heard. Owns the disks. Thread-safe.
 */
final class NodeDisks implements AutoCloseable {
  private static final Logger LOG = LoggerFactory.getLogger(NodeDisks.class);

  /** About 16 MiB of checksum pages for reads of segments that nobody writes to. */
  private static final int CACHED_PAGES = 4_096;

  /** For a leader epoch to be on the disks; those that take longer are not waited for. */
  private static final long NOTE_TIMEOUT_NANOS = TimeUnit.SECONDS.toNanos(5);

  /**
   * For a disk that is out to be opened again within the check that found it; one that takes longer
   * is taken in by a later check.
   */
  private static final long REOPEN_WAIT_NANOS = TimeUnit.SECONDS.toNanos(1);

  private final DiskFiles files;
  private final StoreSettings settings;
  private final StoreClock clock;
  private final MemoryBudget writeMemory;
  private final PageCache pageCache = new PageCache(CACHED_PAGES);
  private final DamagedShards damaged;
  private final List<ShardListener> listeners = new CopyOnWriteArrayList<>();

  /** Held while disks are opened at the start, and by one check at a time after it. */
  private final Object disksLock = new Object();

  /** By configured directory, in that order; null where there is no usable disk. */
  private final Map<Path, Disk> byDirectory = new LinkedHashMap<>();

  /** Disks that are out and were told of. */
  private final Set<Disk> knownOut = new HashSet<>();

  /** Why a disk is still out, as last told. Guarded by {@link #disksLock}. */
  private final Map<Path, String> outReasons = new HashMap<>();

  /**
   * Disks that are out and are being opened again, each on a thread of its own: that may take as
   * long as the disk hangs, and the others want to be looked at. Guarded by {@link #disksLock}.
   */
  private final Map<Path, CompletableFuture<Disk>> reopening = new HashMap<>();

  /** At most a thread a directory. */
  private final ExecutorService openers =
      new ThreadPoolExecutor(
          0,
          Integer.MAX_VALUE,
          10,
          TimeUnit.SECONDS,
          new SynchronousQueue<>(),
          new DefaultThreadFactory("disk-open", true));

  /** Guarded by {@link #disksLock}. */
  private boolean closed;

  /** By disk id; replaced as a whole. */
  private volatile Map<String, Disk> disks = Map.of();

  private final String nodeId;
  private volatile String clusterId;
  private volatile long leaderEpoch;

  private NodeDisks(
      DiskFiles files, StoreSettings settings, StoreClock clock, String nodeId, String clusterId) {
    this.files = files;
    this.settings = settings;
    this.clock = clock;
    this.damaged = new DamagedShards(clock);
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
  static NodeDisks open(
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
    NodeDisks node =
        new NodeDisks(
            files,
            settings,
            clock,
            nodeId == null ? UUID.randomUUID().toString() : nodeId,
            clusterId);
    try {
      node.openDisks(directories);
      return node;
    } catch (StoreException e) {
      node.close();
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
    if (disks.values().stream().allMatch(Disk::isOut)) {
      throw new StoreException(
          ErrorCode.UNAVAILABLE, "Cannot start: none of the disks " + directories + " can be used");
    }
  }

  private Disk openDisk(Path directory) throws IOException {
    files.createDirectories(directory);
    DiskLock lock = files.tryLock(directory.resolve("in-use.lock"));
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

  String nodeId() {
    return nodeId;
  }

  /** Empty until the node has joined one. */
  String clusterId() {
    return clusterId;
  }

  /**
   * Joins a cluster, durably, at the first start; afterwards checks that it is still the same.
   *
   * @throws StoreException WRONG_CLUSTER
   */
  synchronized void joinCluster(String id) throws StoreException {
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

  /** Highest leader epoch that this node has heard of, durably if any disk takes writes. */
  long leaderEpoch() {
    return leaderEpoch;
  }

  /**
   * Notes a leader epoch on every working disk before anybody is told that it was heard. Where no
   * disk takes writes it is kept in memory, and noted on each that does again, before that is told:
   * a node that never heard it would keep the leader's orders from all others.
   *
   * <p>A process that starts may thus not know an epoch that the one before heard, and obey a
   * leader before it. Nothing rests on that: an SCM counts no shard on a disk that takes no writes
   * when it has copies deleted, nor one of a node that started until it has told all its shards,
   * which it does after it has noted the epoch that the answer to its registration names.
   */
  synchronized void hearLeaderEpoch(long epoch) throws StoreException {
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
    if (notes.isEmpty()) {
      LOG.warn("Leader epoch {} is noted on no disk, for none takes writes", epoch);
    } else if (noted == 0) {
      throw new StoreException(
          ErrorCode.UNAVAILABLE, "Cannot note leader epoch " + epoch + " on any disk");
    }
    leaderEpoch = epoch;
  }

  void addListener(ShardListener listener) {
    listeners.add(listener);
  }

  void removeListener(ShardListener listener) {
    listeners.remove(listener);
  }

  List<DiskInfo> diskInfos() {
    return disks.values().stream().map(Disk::info).toList();
  }

  /** What was done on each disk, by its id. */
  Map<String, DiskFigures> diskFigures() {
    Map<String, DiskFigures> all = new HashMap<>();
    disks.forEach((id, disk) -> all.put(id, disk.figures()));
    return all;
  }

  /** Reports of all shards of all disks. */
  List<ShardReport> reports() {
    List<ShardReport> all = new ArrayList<>();
    disks.values().forEach(disk -> all.addAll(disk.reports()));
    return all;
  }

  /** Report of one shard; null if it is not here. */
  ShardReport report(String diskId, ShardId shard) {
    Disk disk = disks.get(diskId);
    return disk == null ? null : disk.report(shard);
  }

  /**
   * Looks after the disks: takes those out that are no longer there, takes those in again that work
   * again. Waits a moment for disks, never as long as one hangs; called every few seconds.
   *
   * @return whether a disk came or went
   */
  boolean checkDisks() {
    boolean changed = false;
    synchronized (disksLock) {
      if (closed) {
        return false;
      }
      long deadline = System.nanoTime();
      for (Map.Entry<Path, Disk> entry : byDirectory.entrySet()) {
        Disk disk = entry.getValue();
        if (disk != null && !disk.isOut()) {
          disk.check();
        }
        if (disk != null && !disk.isFailed()) {
          continue;
        }
        changed |= disk != null && knownOut.add(disk);
        if (!reopening.containsKey(entry.getKey())) {
          reopening.put(
              entry.getKey(),
              CompletableFuture.supplyAsync(() -> reopen(entry.getKey(), disk), openers));
          deadline = System.nanoTime() + REOPEN_WAIT_NANOS;
        }
      }
      for (Map.Entry<Path, Disk> entry : byDirectory.entrySet()) {
        if (reopening.containsKey(entry.getKey())) {
          changed |= takeIn(entry, deadline);
        }
      }
      if (changed) {
        publishDisks();
      }
    }
    for (Disk disk : disks.values()) {
      if (!disk.isFailed()) {
        disk.writeLeaderEpochLater(leaderEpoch); // where it failed, or another disk read it
      }
    }
    return changed;
  }

  /** Null if nothing is there to be opened. */
  private Disk reopen(Path directory, Disk old) {
    try {
      if (old != null && DiskIdentity.read(files, directory) == null) {
        return null;
      }
      Disk.probe(files, directory, clock); // fails while what is there can only be read
      if (old != null && !old.isOut() && !old.isClosed()) {
        noteOnReadable(old);
      }
      if (old != null) {
        old.close();
      }
      Disk disk = openDisk(directory);
      try {
        if (!disk.isFailed()) {
          disk.writeLeaderEpoch(leaderEpoch).join();
        }
      } catch (CompletionException e) {
        disk.failWrites("the leader's epoch cannot be noted: " + e.getCause().getMessage());
      }
      return disk;
    } catch (IOException e) {
      throw new CompletionException(e);
    }
  }

  /**
   * Finds out whether the leader's epoch can be noted on a disk before it is closed to be opened
   * anew: while it cannot, what is there is read on. What hangs there is left behind.
   */
  private void noteOnReadable(Disk disk) throws IOException {
    try {
      disk.writeLeaderEpoch(leaderEpoch).get(NOTE_TIMEOUT_NANOS, TimeUnit.NANOSECONDS);
    } catch (ExecutionException e) {
      if (e.getCause() instanceof IOException failure && !(failure instanceof StoreException)) {
        throw failure;
      }
    } catch (TimeoutException e) {
      // as if it were out
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new InterruptedIOException("interrupted");
    }
  }

  /** Takes in a disk that was opened again, if it is. */
  private boolean takeIn(Map.Entry<Path, Disk> entry, long deadlineNanos) {
    Path directory = entry.getKey();
    Disk disk;
    try {
      disk =
          reopening
              .get(directory)
              .get(Math.max(0, deadlineNanos - System.nanoTime()), TimeUnit.NANOSECONDS);
    } catch (TimeoutException e) {
      noteWhyOut(directory, "it does not answer");
      return false;
    } catch (ExecutionException e) {
      reopening.remove(directory);
      noteWhyOut(directory, String.valueOf(e.getCause().getMessage()));
      return false;
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      return false;
    }
    reopening.remove(directory);
    return disk != null && takeIn(entry, disk);
  }

  private void noteWhyOut(Path directory, String why) {
    if (!why.equals(outReasons.put(directory, why))) {
      LOG.warn("Disk {} is still out: {}", directory, why);
    }
  }

  /** Under the lock of those who join a cluster or hear a leader: no disk may miss it. */
  private synchronized boolean takeIn(Map.Entry<Path, Disk> entry, Disk disk) {
    if (!clusterId.equals(disk.identity().clusterId()) && !clusterId.isEmpty()) {
      LOG.info("Disk {} was opened before the node joined its cluster: again", disk.directory());
      disk.close();
      return false;
    }
    if (!disk.isFailed() && disk.notedEpoch() < leaderEpoch) {
      disk.failWrites("it was opened before the node heard its leader"); // until the next look
    }
    knownOut.remove(entry.getValue());
    entry.setValue(disk);
    outReasons.remove(entry.getKey());
    publishDisks();
    if (disk.isFailed()) {
      knownOut.add(disk);
      return false;
    }
    LOG.info("Disk {} ({}) is in again", disk.id(), disk.directory());
    return true;
  }

  // ---- One disk

  /** Null if the node has no such disk. */
  Disk find(String diskId) {
    return disks.get(diskId);
  }

  /** Those that work. */
  List<String> working() {
    return disks.values().stream().filter(disk -> !disk.isFailed()).map(Disk::id).toList();
  }

  /** The disk that a shard is, or will be, on. */
  Disk disk(ShardKey key) throws StoreException {
    Disk disk = disks.get(key.getDiskId());
    if (disk == null) {
      throw noSuchDisk(key.getDiskId());
    }
    return disk;
  }

  StoreException noSuchDisk(String diskId) {
    return new StoreException(
        ErrorCode.NO_SUCH_SHARD,
        "Cannot use disk " + diskId + ": it is not one of datanode " + nodeId);
  }

  Disk workingDisk(String diskId) throws IOException {
    Disk disk = disks.get(diskId);
    if (disk == null || disk.isFailed()) {
      throw new IOException("disk " + diskId + " is out");
    }
    return disk;
  }

  /** Payload that waits for its I/O. */
  MemoryBudget writeMemory() {
    return writeMemory;
  }

  DamagedShards damaged() {
    return damaged;
  }

  @Override
  public void close() {
    synchronized (disksLock) {
      closed = true;
      // also those that are opened only now, or once their disks answer
      for (CompletableFuture<Disk> opened : reopening.values()) {
        CompletableFuture<Void> unused = opened.thenAccept(NodeDisks::closeOpened);
      }
    }
    openers.shutdown();
    Map<String, Disk> open = disks;
    open.values().forEach(Disk::close);
  }

  private static void closeOpened(Disk disk) {
    if (disk != null) {
      disk.close();
    }
  }
}
