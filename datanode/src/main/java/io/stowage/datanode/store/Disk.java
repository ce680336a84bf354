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
import io.stowage.common.proto.ShardReport;
import io.stowage.common.proto.StatShardReply;
import io.stowage.common.time.StoreClock;
import io.stowage.datanode.disk.DiskFile;
import io.stowage.datanode.disk.DiskFiles;
import io.stowage.datanode.disk.DiskFullException;
import io.stowage.datanode.disk.DiskIdentity;
import io.stowage.datanode.disk.DiskLock;
import io.stowage.datanode.disk.SmallFile;
import io.stowage.datanode.shard.DiskFigures;
import io.stowage.datanode.shard.MemoryBudget;
import io.stowage.datanode.shard.OpenFiles;
import io.stowage.datanode.shard.PageCache;
import io.stowage.datanode.shard.RebuiltShardFile;
import io.stowage.datanode.shard.ShardCheck;
import io.stowage.datanode.shard.ShardFile;
import io.stowage.datanode.shard.ShardHost;
import io.stowage.datanode.shard.ShardId;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ArrayBlockingQueue;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.ThreadPoolExecutor;
import java.util.concurrent.TimeUnit;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * One disk: its shards, its threads, its room. Owns everything that could hang with the disk, so
 * that a disk that fails, fills or hangs takes only itself out. Thread-safe.
 *
 * <p>In its directory: {@code disk.properties}, {@code in-use.lock}, {@code leader-epoch}, {@code
 * shards/xx/*.shard}, {@code quarantine/*.shard}.
 */
final class Disk implements ShardHost, AutoCloseable {
  private static final Logger LOG = LoggerFactory.getLogger(Disk.class);

  /** Shard files forced at the same time; a device gains little from more. */
  private static final int WRITER_THREADS = 4;

  /** Reads under way; deeper queues than a device has of its own only add waiting. */
  private static final int READER_THREADS = 4;

  /** Reads that may wait; beyond, callers are told that the disk is overloaded. */
  private static final int MAX_QUEUED_READS = 4_096;

  /** Descriptors of idle shard files kept open. */
  private static final int MAX_OPEN_FILES = 512;

  /** A look at a disk takes milliseconds; one that takes this long hangs. */
  private static final long CHECK_TIMEOUT_NANOS = TimeUnit.SECONDS.toNanos(30);

  /** How often it is tried whether writes and forces end, which reads do not tell. */
  private static final long WRITE_CHECK_NANOS = TimeUnit.SECONDS.toNanos(30);

  /** A force may wait for much that others wrote, and all shards are made anew elsewhere. */
  private static final long WRITE_CHECK_TIMEOUT_NANOS = TimeUnit.SECONDS.toNanos(60);

  private static final long ROOM_CHECK_NANOS = TimeUnit.MILLISECONDS.toNanos(500);

  private final Path directory;
  private final DiskFiles files;
  private final StoreSettings settings;
  private final MemoryBudget writeMemory;
  private final PageCache pageCache;
  private final StoreClock clock;
  private final ShardListener listener;
  private final DiskLock lock;
  private final OpenFiles openFiles;
  private final ThreadPoolExecutor writers;
  private final ThreadPoolExecutor readers;
  private final Map<ShardId, ShardFile> shards = new ConcurrentHashMap<>();
  private final Quarantine quarantine;
  private final DamagedShards damaged;

  /** Directories of shard files that are there, durably. */
  private final Set<Path> groups = ConcurrentHashMap.newKeySet();

  /** What rebuilds read from here for anybody, and write here. */
  private final RateLimit repairRate;

  private final DiskFigures figures = new DiskFigures();

  private volatile DiskIdentity identity;

  /** Guards {@link #noting} alone: who reports must not wait for who asks the disk for its room. */
  private final Object notingLock = new Object();

  /** Ends when every leader epoch asked for so far is noted, or was not. */
  private CompletableFuture<Void> noting = CompletableFuture.completedFuture(null);

  /** Written by one after the other of {@link #noting}. */
  private volatile long notedEpoch;

  /** Why the disk is out; null while it is not. */
  private volatile String failure;

  /** Why the disk takes no writes, though what is on it may be read; null while it does. */
  private volatile String writeFailure;

  /** Guarded by this: the longest write refused since it was said that the disk is full; else 0. */
  private long refusedBytes;

  /** Guarded by this: bytes that may be written before the file system is asked again, and when. */
  private long room;

  private long roomCheckedNanos;

  /** As last asked, off the callers' threads: asking may hang with the disk. */
  private volatile long totalBytes;

  private volatile long usableBytes;

  /** When the look at the disk that is under way began; 0 while none is. */
  private final Look look;

  private final Look writeLook;

  /** Held by who writes the probe file: two at once would read each other's bytes back. */
  private final Object probing = new Object();

  Disk(
      Path directory,
      DiskIdentity identity,
      DiskLock lock,
      DiskFiles files,
      StoreSettings settings,
      MemoryBudget writeMemory,
      PageCache pageCache,
      StoreClock clock,
      DamagedShards damaged,
      ShardListener listener) {
    this.directory = directory;
    this.identity = identity;
    this.lock = lock;
    this.files = files;
    this.settings = settings;
    this.writeMemory = writeMemory;
    this.pageCache = pageCache;
    this.clock = clock;
    this.listener = listener;
    this.damaged = damaged;
    this.quarantine = new Quarantine(directory.resolve("quarantine"), files, clock);
    this.openFiles = new OpenFiles(files, MAX_OPEN_FILES);
    this.repairRate = new RateLimit(settings.repairBytesPerSecond(), clock);
    String name = directory.getFileName().toString();
    // The writers' queue holds at most one entry a shard file; each file bounds its own.
    this.writers = pool("disk-write-" + name, WRITER_THREADS, new LinkedBlockingQueue<>());
    this.readers =
        pool("disk-read-" + name, READER_THREADS, new ArrayBlockingQueue<>(MAX_QUEUED_READS));
    this.look = new Look(readers, this::lookNow, 0);
    this.writeLook = new Look(writers, this::probe, WRITE_CHECK_NANOS);
  }

  private static ThreadPoolExecutor pool(String name, int threads, BlockingQueue<Runnable> queue) {
    ThreadPoolExecutor pool =
        new ThreadPoolExecutor(
            threads, threads, 30, TimeUnit.SECONDS, queue, new DefaultThreadFactory(name, true));
    pool.allowCoreThreadTimeOut(true);
    return pool;
  }

  /**
   * Finds the shards; removes what a creation that was cut short left. Makes the directory of the
   * shards: here only, where the disk's identity was just read or written.
   */
  void scan() throws IOException {
    Path root = shardRoot();
    files.createDirectories(root);
    quarantine.scan();
    for (Path path : List.of(directory, root, quarantine.directory())) {
      makePrivate(path);
    }
    List<Path> found = files.list(root);
    for (Path group : found) {
      for (Path file : files.list(group)) {
        String name = file.getFileName().toString();
        ShardId id = ShardId.ofFileName(name);
        if (id != null) {
          shards.put(id, load(id, file));
        } else if (name.endsWith(".new")) {
          deleteUnborn(file);
        }
      }
    }
    measureRoom();
    forceNames(found);
    if (lock.isShared()) {
      failWrites("it was read-only when it was opened");
    }
    probe();
  }

  /** Creating the shard empties what stays; the probe judges the disk. */
  private void deleteUnborn(Path file) {
    try {
      files.delete(file);
    } catch (IOException e) {
      LOG.warn("Cannot delete {}: {}", file, e.toString());
    }
  }

  /** Also what a process of before made, and did not force; a disk that only reads is read. */
  private void forceNames(List<Path> found) {
    try {
      files.forceDirectory(shardRoot());
      files.forceDirectory(directory);
      groups.addAll(found);
    } catch (IOException e) {
      failWrites("a write to it fails: " + e.getMessage());
    }
  }

  /**
   * What is not encrypted is in these files as it is: tokens keep nobody from it who runs something
   * on this machine. At every start, since earlier ones, or an umask, may have left it open.
   */
  private void makePrivate(Path path) throws IOException {
    try {
      files.makePrivate(path);
    } catch (IOException e) {
      if (settings.secure()) {
        throw e;
      }
      LOG.warn("Other users of this machine may read {}: {}", path, e.toString());
    }
  }

  /** One file that cannot be read is one failed shard, as long as the disk takes its probe. */
  private ShardFile load(ShardId id, Path file) throws StoreException {
    try {
      return ShardFile.load(id, file, this);
    } catch (StoreException e) {
      throw e;
    } catch (IOException e) {
      LOG.error("{} has failed: {} cannot be read", id, file, e);
      return ShardFile.unreadable(id, file, this);
    }
  }

  private Path shardRoot() {
    return directory.resolve("shards");
  }

  private Path leaderEpochFile() {
    return directory.resolve("leader-epoch");
  }

  Path directory() {
    return directory;
  }

  String id() {
    return identity.diskId();
  }

  DiskIdentity identity() {
    return identity;
  }

  /** Notes, durably, which cluster the disk belongs to. */
  void joinCluster(String clusterId) throws IOException {
    DiskIdentity joined = identity.inCluster(clusterId);
    joined.write(files, directory);
    identity = joined;
  }

  /** Highest leader epoch noted here; 0 if none was. */
  long readLeaderEpoch() throws IOException {
    String text = SmallFile.read(files, leaderEpochFile());
    try {
      return text == null ? 0 : Long.parseLong(text.trim());
    } catch (NumberFormatException e) {
      throw new IOException(leaderEpochFile() + " holds no number", e);
    }
  }

  /**
   * Notes a leader epoch durably, on the disk's own threads, after those asked for before; one that
   * is not higher than what was noted is noted.
   */
  CompletableFuture<Void> writeLeaderEpoch(long epoch) {
    synchronized (notingLock) {
      noting =
          noting
              .handle((noted, failed) -> null)
              .thenCompose(before -> run(() -> writeLeaderEpochNow(epoch)));
      return noting;
    }
  }

  /** The same, where nobody waits for it; nothing if it is noted, or one is being noted. */
  void writeLeaderEpochLater(long epoch) {
    synchronized (notingLock) {
      if (epoch <= notedEpoch || !noting.isDone()) {
        return;
      }
      CompletableFuture<Void> unused =
          writeLeaderEpoch(epoch)
              .whenComplete(
                  (noted, failed) -> {
                    if (failed != null) {
                      LOG.debug("Cannot note leader epoch {} in {}", epoch, directory, failed);
                    }
                  });
    }
  }

  /**
   * A full disk must not keep its node from it, nor thereby all nodes from what would make room:
   * there a number, which only gets longer, is written over the one before.
   */
  private void writeLeaderEpochNow(long epoch) throws IOException {
    if (epoch <= notedEpoch) {
      return;
    }
    String text = epoch + "\n";
    try {
      SmallFile.replace(files, leaderEpochFile(), text);
    } catch (DiskFullException e) {
      SmallFile.overwrite(files, leaderEpochFile(), text);
    }
    notedEpoch = epoch;
  }

  /** Highest leader epoch that this process has noted here, durably. */
  long notedEpoch() {
    return notedEpoch;
  }

  // ---- Shards

  /**
   * The shard of an id.
   *
   * @throws StoreException NO_SUCH_SHARD, or SHARD_FAILED if the disk is out
   */
  ShardFile shard(ShardId shardId) throws StoreException {
    checkNotFailed(shardId);
    ShardFile shard = shards.get(shardId);
    if (shard == null) {
      throw new StoreException(
          ErrorCode.NO_SUCH_SHARD,
          "Cannot use " + shardId + ": it is not on disk " + id() + " (" + directory + ")");
    }
    return shard;
  }

  /** The same, to be written: no bytes are to wait for a disk that takes no writes. */
  ShardFile shardToWrite(ShardId shardId) throws StoreException {
    checkNotFailed(shardId);
    checkTakesWrites(shardId);
    return shard(shardId);
  }

  /** The shard of an id, which its first open creates. */
  ShardFile shardToOpen(ShardId shardId) throws StoreException {
    checkNotFailed(shardId);
    checkTakesWrites(shardId);
    ShardFile shard = shards.get(shardId);
    if (shard != null) {
      return shard;
    }
    for (ShardId other : shards.keySet()) {
      if (other.container() == shardId.container()
          && other.index() == shardId.index()
          && other.generation() > shardId.generation()) {
        throw new StoreException(
            ErrorCode.NO_SUCH_SHARD,
            "Cannot open " + shardId + ": it was rebuilt as generation " + other.generation());
      }
    }
    Path path = pathOf(shardId);
    return shards.computeIfAbsent(shardId, absent -> ShardFile.absent(absent, path, this));
  }

  private void checkNotFailed(ShardId shardId) throws StoreException {
    check(shardId, failure);
  }

  private void checkTakesWrites(ShardId shardId) throws StoreException {
    check(shardId, writeFailure);
  }

  @Override
  public StoreException refusal(ShardId shardId) {
    String out = failure;
    String why = out != null ? out : writeFailure;
    return why == null ? null : outException(shardId, why);
  }

  private void check(ShardId shardId, String why) throws StoreException {
    if (why != null) {
      throw outException(shardId, why);
    }
  }

  private StoreException outException(ShardId shardId, String why) {
    return new StoreException(
        ErrorCode.SHARD_FAILED,
        "Cannot use " + shardId + ": disk " + id() + " (" + directory + ") is out: " + why);
  }

  /** Begins a shard file that a rebuild writes. */
  RebuiltShardFile createRebuilt(ShardId shardId) throws IOException {
    checkNotFailed(shardId);
    checkTakesWrites(shardId);
    return RebuiltShardFile.create(shardId, pathOf(shardId), this);
  }

  /** Takes in a shard file that a rebuild has finished. */
  void adopt(ShardId shardId) throws IOException {
    ShardFile shard = ShardFile.load(shardId, pathOf(shardId), this);
    if (shards.putIfAbsent(shardId, shard) == null) {
      changed(shard);
    }
  }

  @Override
  public void makeDirectoryOf(Path shard) throws IOException {
    Path group = shard.getParent();
    if (!groups.contains(group)) {
      files.createDirectory(group);
      files.forceDirectory(shardRoot());
      groups.add(group);
    }
  }

  private Path pathOf(ShardId shardId) {
    return shardRoot().resolve(shardId.directoryName()).resolve(shardId.fileName());
  }

  RateLimit repairRate() {
    return repairRate;
  }

  /** Report of one shard; null if it is not here any more. */
  ShardReport report(ShardId shardId) {
    ShardFile shard = shards.get(shardId);
    ShardReport.Builder report = shard == null ? null : shard.report();
    if (report == null) {
      return quarantine.report(shardId, id());
    }
    return report
        .setDiskId(id())
        .setFailed(report.getFailed() || failure != null)
        .setReadable(report.getReadable() && failure == null)
        .build();
  }

  /** Adds what a shard's superblock tells, if the shard is here. */
  void addSuperblock(ShardId shardId, StatShardReply.Builder into) {
    ShardFile shard = shards.get(shardId);
    if (shard != null) {
      shard.addSuperblock(into);
    }
  }

  List<ShardReport> reports() {
    List<ShardReport> reports = new ArrayList<>(shards.size());
    for (ShardId shardId : shards.keySet()) {
      ShardReport report = report(shardId);
      if (report != null) {
        reports.add(report);
      }
    }
    for (ShardId shardId : quarantine.ids()) {
      ShardReport report = quarantine.report(shardId, id());
      if (report != null && !shards.containsKey(shardId)) {
        reports.add(report);
      }
    }
    return reports;
  }

  int shardCount() {
    return shards.size();
  }

  /** Moves a shard aside, durably. */
  CompletableFuture<Void> quarantine(ShardFile shard) {
    return run(() -> quarantine.expect(shard.id()))
        .thenCompose(noted -> shard.quarantine())
        .thenRun(
            () -> {
              quarantine.add(shard.id());
              listener.shardChanged(id(), shard.id());
            });
  }

  boolean hasInQuarantine(ShardId shardId) {
    return quarantine.has(shardId);
  }

  CompletableFuture<Void> deleteFromQuarantine(ShardId shardId) {
    return run(
        () -> {
          quarantine.delete(shardId);
          listener.shardChanged(id(), shardId);
        });
  }

  /** Serves a shard again that was put aside. */
  CompletableFuture<Void> restore(ShardId shardId) {
    return run(
        () -> {
          makeDirectoryOf(pathOf(shardId));
          quarantine.restore(shardId, pathOf(shardId));
          adopt(shardId);
        });
  }

  private interface DiskWork {
    void run() throws IOException;
  }

  /** Runs work that blocks on the disk, on its own threads; not behind what hangs there. */
  private CompletableFuture<Void> run(DiskWork work) {
    CompletableFuture<Void> result = new CompletableFuture<>();
    if (isFailed() && othersWait()) {
      return CompletableFuture.failedFuture(
          new StoreException(
              ErrorCode.SHARD_FAILED,
              "Cannot use disk " + id() + ": it takes no writes, and others wait for it"));
    }
    try {
      writers.execute(
          () -> {
            try {
              work.run();
              result.complete(null);
            } catch (IOException | RuntimeException e) {
              result.completeExceptionally(e);
            }
          });
    } catch (RejectedExecutionException e) {
      result.completeExceptionally(new IOException("the disk is closed", e));
    }
    return result;
  }

  // ---- Scrubbing

  /** Shards that the disk is known to have, in no order. */
  List<ShardId> shardIds() {
    return List.copyOf(shards.keySet());
  }

  /** Checks a shard on the caller's thread; what is found is told to SCM. */
  void check(ShardId shardId, ShardCheck.Pace pace, ByteBuffer memory) throws IOException {
    ShardFile shard = shards.get(shardId);
    ShardCheck.Pace counted =
        bytes -> {
          pace.take(bytes);
          figures.scrubbed(bytes);
        };
    ShardCheck.Finding finding = shard == null ? null : ShardCheck.check(shard, counted, memory);
    damaged.found(id(), shardId, finding);
    if (finding != null && !finding.isSound()) {
      LOG.error("{} on disk {} is damaged: {}", shardId, id(), finding.what());
    }
  }

  /** Takes in shard files that nobody knew of: from elsewhere, or behind our back. */
  void adoptUnknown(String directoryName) throws IOException {
    Path group = shardRoot().resolve(directoryName);
    List<Path> found;
    try {
      found = files.list(group);
    } catch (NoSuchFileException e) {
      if (groups.contains(group)) {
        throw e;
      }
      return;
    }
    for (Path file : found) {
      ShardId shardId = ShardId.ofFileName(file.getFileName().toString());
      if (shardId != null
          && shardId.directoryName().equals(directoryName)
          && !shards.containsKey(shardId)) {
        LOG.warn("{} is on disk {} and was not known: {}", shardId, id(), file);
        try {
          adopt(shardId);
        } catch (NoSuchFileException e) {
          LOG.debug("{} was just deleted", file);
        }
      }
    }
  }

  /** Text of a small file in the disk's directory; null if there is none. */
  String readNote(String name) throws IOException {
    return SmallFile.read(files, directory.resolve(name));
  }

  void writeNote(String name, String text) throws IOException {
    SmallFile.replace(files, directory.resolve(name), text);
  }

  /** Runs a read on the disk's own threads. */
  void executeRead(Runnable read) throws StoreException {
    try {
      readers.execute(read);
    } catch (RejectedExecutionException e) {
      throw new StoreException(
          readers.isShutdown() ? ErrorCode.UNAVAILABLE : ErrorCode.OVERLOADED,
          "Cannot read from disk "
              + id()
              + ": "
              + (readers.isShutdown() ? "it is closed" : MAX_QUEUED_READS + " reads wait for it"),
          e);
    }
  }

  // ---- Health and room

  /** Out, or of no use for anything but reading. */
  boolean isFailed() {
    return failure != null || writeFailure != null;
  }

  boolean isOut() {
    return failure != null;
  }

  boolean isClosed() {
    return writers.isShutdown();
  }

  /** From memory: a disk that hangs must not keep the node from its heartbeats. */
  DiskInfo info() {
    DiskInfo.Builder info =
        DiskInfo.newBuilder().setDiskId(id()).setPath(directory.toString()).setFailed(isFailed());
    if (isFailed()) {
      info.setFailure(failure != null ? failure : writeFailure).setReadable(!isOut());
    }
    if (!isOut()) {
      long used = 0;
      for (ShardFile shard : shards.values()) {
        ShardReport.Builder report = shard.report();
        used += report == null ? 0 : report.getBytesOnDisk();
      }
      info.setCapacityBytes(totalBytes)
          .setUsedBytes(used)
          .setFreeBytes(isFailed() ? 0 : Math.max(0, usableBytes - settings.reservedBytes()));
    }
    return info.build();
  }

  /** Something tried on the disk's own threads now and then. Asked by one thread at a time. */
  private final class Look {
    private final ThreadPoolExecutor threads;
    private final Runnable what;
    private final long pauseNanos;
    private long beganNanos;

    /** Queued or under way; the disk's thread ends it. */
    private volatile boolean begun;

    /** Whether one is to be answered: one that finds no room in the queue is as well. */
    private volatile boolean unanswered;

    Look(ThreadPoolExecutor threads, Runnable what, long pauseNanos) {
      this.threads = threads;
      this.what = what;
      this.pauseNanos = pauseNanos;
      this.beganNanos = clock.monotonicNanos();
    }

    /** Begins if it is time to; says for how long there has been no answer, 0 if there was one. */
    long silentNanos() {
      long now = clock.monotonicNanos();
      if (!unanswered && now - beganNanos >= pauseNanos) {
        beganNanos = now;
        unanswered = true;
      }
      if (unanswered && !begun) {
        begun = true;
        try {
          threads.execute(this::run);
        } catch (RejectedExecutionException e) {
          begun = false;
          LOG.debug("Disk {} has too much to do to be looked at", id(), e);
        }
      }
      return unanswered ? now - beganNanos : 0;
    }

    private void run() {
      try {
        what.run();
      } finally {
        unanswered = false;
        begun = false;
      }
    }
  }

  /**
   * Looks, on the disk's own threads, whether it is still there and still this one, and now and
   * then whether it takes writes. A look that does not end takes the disk out, or its writes.
   */
  void check() {
    if (isOut()) {
      return;
    }
    long silent = look.silentNanos();
    if (silent > CHECK_TIMEOUT_NANOS) {
      fail("it has not answered for " + TimeUnit.NANOSECONDS.toSeconds(silent) + " s");
    }
    if (!isFailed()) {
      silent = writeLook.silentNanos();
      if (silent > WRITE_CHECK_TIMEOUT_NANOS) {
        failWrites(
            "a write to it has not ended for " + TimeUnit.NANOSECONDS.toSeconds(silent) + " s");
      }
    }
  }

  private void lookNow() {
    try {
      DiskIdentity found = DiskIdentity.read(files, directory);
      if (found == null) {
        fail(DiskIdentity.file(directory) + " is gone");
      } else if (!found.diskId().equals(id())) {
        fail("another disk is in its place, " + found.diskId());
      } else {
        measureRoom();
      }
    } catch (IOException e) {
      fail("its identity or room cannot be read: " + e.getMessage());
    }
  }

  private void measureRoom() throws IOException {
    totalBytes = files.totalBytes(directory);
    usableBytes = files.usableBytes(directory);
  }

  private void fail(String why) {
    if (failure == null) {
      failure = why;
      LOG.error("Disk {} ({}) is out: {}", id(), directory, why);
      giveUpShards(why);
    }
  }

  /** What waits for the disk holds memory of the node, perhaps for as long as the disk hangs. */
  private void giveUpShards(String why) {
    for (ShardFile shard : shards.values()) {
      shard.failWaiting(outException(shard.id(), why));
      listener.shardChanged(id(), shard.id());
    }
  }

  /** Writes, forces and reads a small file: what fails here fails for every shard. */
  static void probe(DiskFiles files, Path directory, StoreClock clock) throws IOException {
    byte[] bytes = new byte[512];
    ByteBuffer.wrap(bytes).putLong(clock.wallMicros());
    try (DiskFile file = files.create(directory.resolve("probe"))) {
      file.write(ByteBuffer.wrap(bytes), 0);
      file.force();
      ByteBuffer back = ByteBuffer.allocate(bytes.length);
      file.read(back, 0);
      if (!back.flip().equals(ByteBuffer.wrap(bytes))) {
        throw new IOException("it reads back other bytes than were written");
      }
    } catch (DiskFullException e) {
      LOG.debug("Disk {} has no room for a probe", directory, e);
    }
  }

  /** Finds out whether the disk itself is at fault when something on it has failed. */
  void probe() {
    try {
      synchronized (probing) {
        probe(files, directory, clock);
      }
    } catch (IOException e) {
      failWrites("a write to it fails: " + e.getMessage());
    }
  }

  /** The disk takes no writes from now on, whatever can be read of it. */
  void failWrites(String why) {
    if (writeFailure == null) {
      writeFailure = why;
      LOG.error(
          "Disk {} ({}) takes no more writes, what can be read of it is served on: {}",
          id(),
          directory,
          why);
      giveUpShards(why);
    }
  }

  @Override
  public synchronized void admit(long bytes) throws StoreException {
    long now = clock.monotonicNanos();
    if (now - roomCheckedNanos > ROOM_CHECK_NANOS || room < bytes || roomCheckedNanos == 0) {
      try {
        room = files.usableBytes(directory) - settings.reservedBytes();
      } catch (IOException e) {
        throw new StoreException(
            ErrorCode.SHARD_FAILED,
            "Cannot write to disk " + id() + ": its room cannot be told: " + e.getMessage(),
            e);
      }
      roomCheckedNanos = now;
    }
    if (room < bytes) {
      if (refusedBytes == 0) {
        LOG.warn(
            "Disk {} ({}) is full: {} bytes are left above the reserve of {}; it is read on",
            id(),
            directory,
            Math.max(0, room),
            settings.reservedBytes());
      }
      refusedBytes = Math.max(refusedBytes, bytes);
      throw new StoreException(
          ErrorCode.DISK_FULL,
          String.format(
              "Cannot write %d bytes to disk %s (%s): %d are left above the reserve of %d",
              bytes, id(), directory, Math.max(0, room), settings.reservedBytes()));
    }
    // not for a short write that fits between long ones that do not
    if (refusedBytes > 0 && room >= refusedBytes) {
      LOG.info("Disk {} ({}) has room again: {} bytes", id(), directory, room);
      refusedBytes = 0;
    }
    room -= bytes;
  }

  // ---- For shard files

  @Override
  public DiskFiles files() {
    return files;
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
    return writeMemory;
  }

  @Override
  public boolean forcesData() {
    return settings.forcesData();
  }

  @Override
  public void execute(Runnable work) {
    writers.execute(work);
  }

  @Override
  public boolean othersWait() {
    return !writers.getQueue().isEmpty();
  }

  @Override
  public void changed(ShardFile shard) {
    listener.shardChanged(id(), shard.id());
  }

  @Override
  public void failed(ShardFile shard, Throwable cause) {
    LOG.error("{} takes no more writes", shard, cause);
    changed(shard);
    probe();
  }

  @Override
  public void gone(ShardFile shard) {
    shards.remove(shard.id(), shard);
    damaged.gone(id(), shard.id());
    changed(shard);
  }

  @Override
  public Path quarantine() {
    return quarantine.directory();
  }

  /** Finishes what was begun, for a while; a disk that hangs is left to itself. */
  @Override
  public void close() {
    writers.shutdown();
    readers.shutdown();
    try {
      if (!writers.awaitTermination(10, TimeUnit.SECONDS)
          || !readers.awaitTermination(10, TimeUnit.SECONDS)) {
        LOG.warn("Disk {} ({}) still works on requests; leaving it", id(), directory);
        return;
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
    try {
      openFiles.close();
      lock.close();
    } catch (Exception e) {
      LOG.warn("Cannot close disk {} ({})", id(), directory, e);
    }
  }
}
