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
import io.stowage.common.error.ErrorCode;
import io.stowage.common.error.StoreException;
import io.stowage.common.fault.CrashPoint;
import io.stowage.common.proto.OpenShardReply;
import io.stowage.common.proto.OpenShardRequest;
import io.stowage.common.proto.ReadShardRequest;
import io.stowage.common.proto.SealShardReply;
import io.stowage.common.proto.SealShardRequest;
import io.stowage.common.proto.ShardReport;
import io.stowage.common.proto.StatShardReply;
import io.stowage.common.proto.WriteShardReply;
import io.stowage.common.proto.WriteShardRequest;
import io.stowage.datanode.disk.DiskFile;
import io.stowage.datanode.disk.DiskFullException;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.BitSet;
import java.util.List;
import java.util.TreeMap;
import java.util.concurrent.CompletableFuture;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * One shard file ({@link ShardFormat}): the only writer of it, by group commit, and its readers.
 *
 * <p><b>Threads.</b> Calls queue their operation and return. While the queue is not empty, one
 * thread of the disk's pool is the <em>committer</em>: it alone writes the file. It takes what has
 * gathered, writes it, forces once, and answers all of it; what arrives meanwhile is the next
 * group. Opening, sealing and removing are groups of their own, so that nothing written under an
 * epoch shares a force with the superblock that lets it in. Readers run on any thread beside it.
 * Fields that both see are guarded by {@code this}.
 *
 * <p><b>Write order and crash windows.</b> A group is: data of all its writes, then the changed
 * checksum pages, each once and to the slot that does not hold its last durable copy, then one
 * force, then the answers. The power may fail between any two steps, and what was not forced
 * reaches the disk in any order, in pieces, or not at all:
 *
 * <ol>
 *   <li><i>Data, no page.</i> Nothing names the sectors: never written. Nobody was answered.
 *   <li><i>Page, not all data.</i> Sectors whose bytes miss their CRC are lost; nobody was
 *       answered. The writer that tries again with equal bytes finds the entry there, which proves
 *       nothing about the data: it is written again and answered after a force that began later.
 *   <li><i>Page in pieces.</i> Its CRC is wrong, the other slot holds the last durable copy. In a
 *       segment's first group the other slot is empty: all of the segment counts as lost, and as
 *       written for the end, since a damaged first page of a full segment looks the same.
 *   <li><i>Force done, not answered.</i> All there; the writer tries again and is answered.
 *   <li><i>The process dies, the machine lives.</i> The page cache holds pages and superblocks that
 *       are newer than the disk's. Taking such a copy for durable and writing its twin would leave
 *       none if the power failed then. So the first thing done to a file before anything is written
 *       by a new process is a force, of the file and of its directory, whose entry may be as new.
 *   <li><i>The force fails.</i> The kernel may have dropped what was written and may say "clean"
 *       from then on, to the next process too. The shard has failed: never forced, never written
 *       again; a marker file beside it tells the next process, which only has to outlive this one
 *       (after a restart of the machine the page cache tells the truth again). What had been
 *       answered is durable and readable, unless the disk is gone.
 *   <li><i>There is no room for a write</i>, of whatever: what was to be done is refused, and what
 *       the group had entered taken back. What reached the file is data without an entry, or in a
 *       slot that does not hold the last durable copy and is written anew by the next group. Had it
 *       been durable, it would have said nothing that was not true: pages hold answered sectors and
 *       those of writers that were not answered, and a superblock is written after them alone. No
 *       force is tried for it, so none has failed: the shard lives on.
 *   <li><i>A superblock</i> goes to the slot that does not hold the last durable one, with a force
 *       of its own before open or seal is answered. In pieces: the other slot still says what was
 *       answered last. An opening that was durable and not answered is found again by its holder.
 *   <li><i>Creation</i>: the file is written whole under another name, forced, renamed, and the
 *       directory forced. Before the rename nothing was there; what is left is removed at start.
 *   <li><i>Sealing</i>: the pages are durable before the superblock that says sealed, which carries
 *       the end.
 * </ol>
 *
 * A page's second copy (when its segment is left behind, at seal and after a restart) goes with a
 * later force than the first, through the same rule: other slot, next sequence.
 */
public final class ShardFile {
  private static final Logger LOG = LoggerFactory.getLogger(ShardFile.class);

  private static final CrashPoint AFTER_DATA = CrashPoint.named("datanode.write.after-data");
  private static final CrashPoint AFTER_PAGES = CrashPoint.named("datanode.write.after-pages");
  private static final CrashPoint AFTER_FORCE = CrashPoint.named("datanode.write.after-force");
  private static final CrashPoint AFTER_OPEN = CrashPoint.named("datanode.open.after-force");
  private static final CrashPoint AFTER_CREATE = CrashPoint.named("datanode.open.after-create");
  private static final CrashPoint AFTER_SEAL_PAGES = CrashPoint.named("datanode.seal.after-pages");

  /** One group: enough to make a force worth it, little enough that its answers don't wait long. */
  private static final int MAX_GROUP_BYTES = 16 << 20;

  /** Writes that may wait for one file; a writer has few stripes in flight. */
  private static final int MAX_QUEUED = 4_096;

  /** Pages kept for writing: those of the stripes in flight, which are few and close together. */
  private static final int MAX_WRITE_PAGES = 16;

  /** Last segments whose pages get a second copy after a restart: what was in flight was there. */
  private static final int SEGMENTS_IN_FLIGHT = 4;

  static final String NEW_SUFFIX = ".new";
  static final String FAILED_SUFFIX = ".failed";

  /** Direct memory in which committers encode pages and superblocks; pool threads are few. */
  private static final ThreadLocal<ByteBuffer> SCRATCH =
      ThreadLocal.withInitial(() -> ByteBuffer.allocateDirect(ShardFormat.SUPERBLOCK_BYTES));

  private enum State {
    /** No file yet: the first open creates it. */
    ABSENT,
    LIVE,
    /** Readable at best. */
    FAILED,
    /** Deleted, quarantined, or never created. */
    GONE
  }

  private final ShardId id;
  private final Path path;
  private final ShardHost host;

  /** Guarded by itself, together with {@link #committing}. */
  private final ArrayDeque<ShardOp> queue = new ArrayDeque<>();

  private boolean committing;

  // Written by the committer, guarded by this.
  private State state;
  private Superblock superblock;
  private final TreeMap<Integer, ChecksumPage> pages = new TreeMap<>();

  /** How often {@link #pages} gained a page: tells a reader that what it loaded may be old. */
  private int pageLoads;

  private long end;
  private long fileBytes;

  /** Its file is gone, and nobody ordered that. */
  private boolean vanished;

  // Confined to the committer.
  private int superblockSlot;
  private boolean superblockMirrorDue;

  /** What the page cache holds of this file is known to be on disk. */
  private boolean recovered;

  private ShardFile(ShardId id, Path path, ShardHost host, State state) {
    this.id = id;
    this.path = path;
    this.host = host;
    this.state = state;
  }

  /** A shard that has no file yet. */
  public static ShardFile absent(ShardId id, Path path, ShardHost host) {
    return new ShardFile(id, path, host, State.ABSENT);
  }

  /**
   * A shard whose file is there, as the last process left it. Damaged superblocks make a failed
   * shard.
   *
   * @throws StoreException FORMAT_TOO_NEW
   */
  public static ShardFile load(ShardId id, Path path, ShardHost host)
      throws IOException, StoreException {
    ShardFile shard = new ShardFile(id, path, host, State.LIVE);
    try (DiskFile file = host.files().open(path)) {
      shard.load(file);
    }
    if (host.files().exists(failedMarker(path))) {
      shard.state = State.FAILED;
    }
    return shard;
  }

  /** A shard whose file is there and cannot be read at all. */
  public static ShardFile unreadable(ShardId id, Path path, ShardHost host) {
    return new ShardFile(id, path, host, State.FAILED);
  }

  private void load(DiskFile file) throws IOException, StoreException {
    ByteBuffer slots = ShardFormat.readSlots(file, 0, ShardFormat.SUPERBLOCK_BYTES);
    Superblock[] found = new Superblock[2];
    for (int slot = 0; slot < 2; slot++) {
      found[slot] =
          Superblock.decode(
              slots.slice(slot * ShardFormat.SUPERBLOCK_BYTES, ShardFormat.SUPERBLOCK_BYTES), id);
    }
    fileBytes = file.size();
    if (found[0] == null && found[1] == null) {
      LOG.error("{} has failed: neither of its superblocks is readable, file {}", id, path);
      state = State.FAILED;
      return;
    }
    superblockSlot =
        found[0] != null && (found[1] == null || found[0].sequence > found[1].sequence) ? 0 : 1;
    superblock = found[superblockSlot];
    superblockMirrorDue =
        found[1 - superblockSlot] == null || !superblock.sameContents(found[1 - superblockSlot]);
    end = superblock.sealed ? superblock.sealedEnd : findEnd(file);
  }

  /** Looks for the last written sector, from the end of the file towards its start. */
  private long findEnd(DiskFile file) {
    long lastStart = superblock.lastStart();
    int segments =
        (int)
            ((Math.max(0, fileBytes - ShardFormat.FIRST_SEGMENT) + ShardFormat.SEGMENT_BYTES - 1)
                / ShardFormat.SEGMENT_BYTES);
    for (int segment = segments - 1; segment >= 0; segment--) {
      int sectors = ChecksumPage.read(file, id, segment).writtenSectors();
      if (sectors > 0) {
        long written =
            segment * ShardFormat.SEGMENT_ADDRESSES + (long) sectors * ShardFormat.SECTOR_BYTES;
        return Math.max(lastStart, Math.min(written, superblock.capacity));
      }
    }
    return lastStart;
  }

  // ---- What others ask

  public ShardId id() {
    return id;
  }

  public CompletableFuture<OpenShardReply> open(OpenShardRequest request, int k, int m) {
    CompletableFuture<OpenShardReply> result = new CompletableFuture<>();
    submit(new ShardOp.Open(request, k, m, result));
    return result;
  }

  /**
   * Queues a write whose form and CRCs were checked. Takes over one reference of the payload, for
   * which the caller has taken {@link ShardHost#writeMemory}.
   */
  public CompletableFuture<WriteShardReply> write(WriteShardRequest request, ByteBuf payload) {
    ShardOp.Write write = new ShardOp.Write(request, payload, host.writeMemory());
    submit(write);
    return write.result;
  }

  public CompletableFuture<SealShardReply> seal(SealShardRequest request) {
    CompletableFuture<SealShardReply> result = new CompletableFuture<>();
    submit(new ShardOp.Seal(request, result));
    return result;
  }

  /** Deletes the file, durably. */
  public CompletableFuture<Void> delete() {
    CompletableFuture<Void> result = new CompletableFuture<>();
    submit(new ShardOp.Remove(ShardOp.Remove.Kind.DELETE, result));
    return result;
  }

  /** Renames the file out of the way, durably. */
  public CompletableFuture<Void> quarantine() {
    CompletableFuture<Void> result = new CompletableFuture<>();
    submit(new ShardOp.Remove(ShardOp.Remove.Kind.QUARANTINE, result));
    return result;
  }

  /** Runs work while nothing is written to the file. */
  CompletableFuture<Void> exclusively(ShardOp.Inspection work) {
    CompletableFuture<Void> result = new CompletableFuture<>();
    submit(new ShardOp.Inspect(work, result));
    return result;
  }

  ShardHost host() {
    return host;
  }

  Path path() {
    return path;
  }

  /** Null if none could be read. */
  synchronized Superblock superblock() {
    return superblock;
  }

  /**
   * Whether a segment's page in memory is newer than the disk's, or will be written soon. Confined
   * to the committer.
   */
  boolean isBeingWritten(int segment) {
    return pages.containsKey(segment);
  }

  /** The other superblock is older, or damaged, and written with the next force. Committer only. */
  boolean isSuperblockMirrorDue() {
    return superblockMirrorDue;
  }

  /** The file is not where it was. Confined to the committer. */
  void vanished() throws IOException {
    host.openFiles().forget(path);
    synchronized (this) {
      vanished = true;
    }
    fail(new NoSuchFileException(path.toString()));
    host.changed(this);
  }

  /** What reports tell; null for a shard that has no file. */
  public synchronized ShardReport.Builder report() {
    if (state == State.ABSENT || state == State.GONE) {
      return null;
    }
    ShardReport.Builder report =
        ShardReport.newBuilder()
            .setContainer(id.container())
            .setIndex(id.index())
            .setGeneration(id.generation())
            .setEnd(end)
            .setBytesOnDisk(fileBytes)
            .setFailed(state == State.FAILED)
            .setReadable(state == State.FAILED && superblock != null && !vanished);
    if (superblock != null) {
      report
          .setEpoch(superblock.lastEpoch())
          .setSealed(superblock.sealed)
          .setLostSectors(superblock.lostSectors);
    }
    return report;
  }

  /** Adds to a reply what the superblock tells; nothing if it cannot be read. */
  public synchronized void addSuperblock(StatShardReply.Builder into) {
    if (superblock == null) {
      return;
    }
    into.setDataShards(superblock.k)
        .setParityShards(superblock.m)
        .setCapacityBytes(superblock.capacity);
    for (int i = 0; i < superblock.epochCount(); i++) {
      into.addEpochs(superblock.epochStart(i));
    }
  }

  /**
   * Reads ranges whose form was checked, on the caller's thread.
   *
   * @param into receives the ranges' bytes; has room for all of them
   */
  public void read(ReadShardRequest request, ByteBuf into, SectorStates states)
      throws StoreException {
    Superblock now;
    synchronized (this) {
      if (state == State.ABSENT || state == State.GONE) {
        throw noSuchShard();
      }
      now = superblock;
    }
    if (now == null) {
      throw new StoreException(
          ErrorCode.SHARD_FAILED, "Cannot read " + id + ": its superblocks are damaged");
    }
    try (OpenFiles.Handle handle = host.openFiles().acquire(path)) {
      new ShardRead(this, now, handle.file(), request, into, states).run();
    } catch (StoreException e) {
      throw e;
    } catch (NoSuchFileException e) {
      throw noSuchShard();
    } catch (IOException e) {
      throw new StoreException(ErrorCode.SHARD_FAILED, "Cannot read " + id + ": " + reason(e), e);
    }
  }

  private StoreException noSuchShard() {
    return new StoreException(ErrorCode.NO_SUCH_SHARD, "Cannot use " + id + ": it is not here");
  }

  /** Copies what is known of some sectors of one segment, for a reader. */
  void copyEntries(DiskFile file, int segment, int firstSector, int count, SectorEntries into) {
    int loadsBefore;
    synchronized (this) {
      ChecksumPage page = pages.get(segment);
      if (page != null) {
        into.copy(page, firstSector, count);
        return;
      }
      loadsBefore = pageLoads;
    }
    ChecksumPage page = host.pageCache().get(this, segment);
    if (page == null) {
      page = ChecksumPage.read(file, id, segment);
      synchronized (this) {
        // else the committer may have changed the page since, and would not know of this copy
        if (loadsBefore == pageLoads) {
          host.pageCache().put(this, page);
        }
      }
    }
    into.copy(page, firstSector, count);
  }

  // ---- The queue

  private void submit(ShardOp op) {
    boolean start = false;
    StoreException refusal;
    synchronized (queue) {
      refusal = refusal(op);
      if (refusal == null) {
        queue.add(op);
        start = !committing;
        committing = true;
      }
    }
    if (refusal != null) {
      op.fail(refusal);
    }
    if (start) {
      startCommitter();
    }
  }

  /**
   * Why an operation may not wait; null if it may. On a disk that takes no writes a write never
   * does, since it keeps memory; others are tried, as long as none before hangs there. Asked with
   * the queue's lock held: a disk says so before it calls {@link #failWaiting}, which finds what
   * was added before.
   */
  private StoreException refusal(ShardOp op) {
    StoreException refusal = host.refusal(id);
    if (refusal != null && (committing || op instanceof ShardOp.Write)) {
      return refusal;
    }
    return queue.size() < MAX_QUEUED
        ? null
        : new StoreException(
            ErrorCode.OVERLOADED,
            "Cannot write " + id + ": " + MAX_QUEUED + " operations wait for it");
  }

  private void startCommitter() {
    try {
      host.execute(this::commitAll);
    } catch (RuntimeException e) {
      // the disk is closed
      failQueue(new StoreException(ErrorCode.UNAVAILABLE, "Cannot use " + id + ": " + reason(e)));
    }
  }

  private void failQueue(StoreException why) {
    List<ShardOp> waiting;
    synchronized (queue) {
      waiting = takeWaiting();
      committing = false;
    }
    waiting.forEach(op -> op.fail(why));
  }

  /** Fails what waits. What the committer has begun keeps its bytes until the disk answers. */
  public void failWaiting(StoreException why) {
    takeWaiting().forEach(op -> op.fail(why));
  }

  private List<ShardOp> takeWaiting() {
    synchronized (queue) {
      List<ShardOp> waiting = new ArrayList<>(queue);
      queue.clear();
      return waiting;
    }
  }

  /** The committer: runs groups until the queue is empty. */
  private void commitAll() {
    List<ShardOp> group = new ArrayList<>();
    while (takeGroup(group)) {
      try {
        runGroup(group);
      } catch (Error | RuntimeException e) {
        // What is on disk and what is in memory may differ now: nothing more may be written here.
        fail(e);
        StoreException why =
            new StoreException(ErrorCode.INTERNAL, "Cannot write " + id + ": " + e, e);
        group.forEach(op -> op.fail(why));
        if (!(e instanceof CrashPoint.Crash)) {
          LOG.error("{} has failed by a bug", id, e);
        }
      }
      if (host.othersWait()) {
        startCommitter();
        return;
      }
    }
  }

  /** Takes the writes at the queue's head, or the one other operation that stands there. */
  private boolean takeGroup(List<ShardOp> group) {
    group.clear();
    synchronized (queue) {
      long bytes = 0;
      while (bytes < MAX_GROUP_BYTES && queue.peek() instanceof ShardOp.Write write) {
        group.add(queue.remove());
        bytes += write.length;
      }
      if (group.isEmpty() && !queue.isEmpty()) {
        group.add(queue.remove());
      }
      committing = !group.isEmpty();
      return committing;
    }
  }

  private void runGroup(List<ShardOp> group) {
    if (group.get(0) instanceof ShardOp.Write) {
      commit(group);
      return;
    }
    ShardOp op = group.get(0);
    try {
      if (op instanceof ShardOp.Open open) {
        OpenShardReply reply = openNow(open);
        open.result().complete(reply);
      } else if (op instanceof ShardOp.Seal seal) {
        SealShardReply reply = sealNow(seal.request());
        seal.result().complete(reply);
      } else if (op instanceof ShardOp.Inspect inspect) {
        inspect(inspect);
      } else if (op instanceof ShardOp.Remove remove) {
        remove(remove.kind());
        remove.result().complete(null);
      }
    } catch (StoreException e) {
      op.fail(e);
    } catch (DiskFullException e) {
      // Slots that hold no last durable copy were written at most: what was in force is. A force
      // that fails for want of room is thrown as what it is, a force that failed.
      op.fail(diskFull(e));
    } catch (IOException e) {
      fail(e);
      op.fail(shardFailed(e));
    }
  }

  /** A look that fails is no write that failed. */
  private static void inspect(ShardOp.Inspect inspect) throws StoreException {
    try {
      inspect.work().run();
      inspect.result().complete(null);
    } catch (StoreException e) {
      throw e;
    } catch (IOException e) {
      throw new StoreException(ErrorCode.SHARD_FAILED, "Cannot look: " + reason(e), e);
    }
  }

  // ---- Writes

  private void commit(List<ShardOp> group) {
    List<ShardOp.Write> placed = new ArrayList<>(group.size());
    long bytes = 0;
    try (OpenFiles.Handle handle = acquireForWriting()) {
      DiskFile file = handle.file();
      for (ShardOp op : group) {
        ShardOp.Write write = (ShardOp.Write) op;
        try {
          place(write, file);
          placed.add(write);
          bytes += write.length;
        } catch (StoreException e) {
          write.fail(e);
        } finally {
          write.releasePayload();
        }
      }
      if (placed.isEmpty()) {
        return;
      }
      AFTER_DATA.reach();
      List<ChecksumPage> written;
      boolean mirrored;
      try {
        written = writePages(file, false);
        mirrored = mirrorSuperblock(file);
      } catch (DiskFullException e) {
        takeBack(placed);
        StoreException full = diskFull(e);
        placed.forEach(write -> write.fail(full));
        return;
      }
      AFTER_PAGES.reach();
      if (host.forcesData()) {
        long begin = System.nanoTime();
        file.force();
        host.figures().forced(System.nanoTime() - begin);
      }
      becameDurable(written);
      if (mirrored) {
        superblockMirrored();
      }
      AFTER_FORCE.reach();
    } catch (StoreException e) {
      group.forEach(op -> op.fail(e));
      return;
    } catch (IOException e) {
      fail(e);
      StoreException why = shardFailed(e);
      group.forEach(op -> op.fail(why));
      return;
    }
    host.figures().wrote(placed.size(), bytes);
    host.changed(this);
    for (ShardOp.Write write : placed) {
      write.result.complete(WriteShardReply.getDefaultInstance());
    }
  }

  private OpenFiles.Handle acquireForWriting() throws IOException {
    synchronized (this) {
      if (state == State.ABSENT || state == State.GONE) {
        throw noSuchShard();
      }
      if (state == State.FAILED) {
        throw shardFailed(null);
      }
    }
    OpenFiles.Handle handle = host.openFiles().acquire(path);
    try {
      recover(handle.file());
      return handle;
    } catch (IOException | RuntimeException e) {
      handle.close();
      throw e;
    }
  }

  /** Crash window 5: before this process writes, what an earlier one left in the page cache. */
  private void recover(DiskFile file) throws IOException {
    if (recovered) {
      return;
    }
    file.force();
    host.files().forceDirectory(path.getParent());
    if (!superblock.sealed && end > 0) {
      int last = ShardFormat.segmentOf(end - 1);
      for (int segment = last; segment >= 0 && segment > last - SEGMENTS_IN_FLIGHT; segment--) {
        ChecksumPage page = pageForWriting(segment, file);
        if (!page.isMirrored() && !page.isUnreadable()) {
          synchronized (this) {
            page.requestMirror();
          }
        }
      }
    }
    recovered = true;
  }

  /** Writes the data of one write and enters it in the pages in memory. */
  private void place(ShardOp.Write write, DiskFile file) throws IOException, StoreException {
    WriteShardRequest request = write.request;
    long offset = request.getOffset();
    checkMayWrite(request, write.length);
    checkNotOverwriting(write, file);
    host.admit(write.length);
    try {
      writeData(write.payload(), offset, file);
    } catch (DiskFullException e) {
      // Whatever reached the file is in sectors without an entry, or the same as before.
      throw diskFull(e);
    }
    synchronized (this) {
      int used = request.getUsedShards();
      for (int i = 0; i < request.getCrcsCount(); i++) {
        if (write.writtenBefore != null && write.writtenBefore.get(i)) {
          continue;
        }
        long address = offset + (long) i * ShardFormat.SECTOR_BYTES;
        pages
            .get(ShardFormat.segmentOf(address))
            .set(
                ShardFormat.sectorInSegment(address),
                ChecksumPage.stored(request.getCrcs(i)),
                used);
      }
      end = Math.max(end, offset + write.length);
      fileBytes = Math.max(fileBytes, ShardFormat.fileBytes(end));
    }
  }

  private void checkMayWrite(WriteShardRequest request, int length) throws StoreException {
    long epoch = request.getEpoch();
    if (epoch != superblock.lastEpoch()) {
      throw new StoreException(
          epoch < superblock.lastEpoch() ? ErrorCode.FENCED : ErrorCode.LEASE_LOST,
          "Cannot write "
              + id
              + " under epoch "
              + epoch
              + ": it was last opened for epoch "
              + superblock.lastEpoch());
    }
    if (superblock.sealed) {
      throw new StoreException(
          ErrorCode.SHARD_SEALED, "Cannot write " + id + ": it is sealed at " + end);
    }
    long offset = request.getOffset();
    if (offset < superblock.lastStart() || offset > superblock.capacity - length) {
      throw new StoreException(
          offset < superblock.lastStart() ? ErrorCode.INVALID_ARGUMENT : ErrorCode.CONTAINER_FULL,
          String.format(
              "Cannot write %d bytes at %d of %s: epoch %d may write from %d to %d",
              length, offset, id, epoch, superblock.lastStart(), superblock.capacity));
    }
    if (request.getUsedShards() >>> superblock.k != 0) {
      throw new StoreException(
          ErrorCode.INVALID_ARGUMENT,
          String.format(
              "Cannot write %s: bitmap %x names data shards beyond k = %d",
              id, request.getUsedShards(), superblock.k));
    }
  }

  private void checkNotOverwriting(ShardOp.Write write, DiskFile file) throws StoreException {
    WriteShardRequest request = write.request;
    ChecksumPage page = null;
    for (int i = 0; i < request.getCrcsCount(); i++) {
      long address = request.getOffset() + (long) i * ShardFormat.SECTOR_BYTES;
      int segment = ShardFormat.segmentOf(address);
      if (page == null || page.segment != segment) {
        page = pageForWriting(segment, file);
        if (page.isUnreadable()) {
          throw new StoreException(
              ErrorCode.CORRUPT_DATA,
              "Cannot write at "
                  + address
                  + " of "
                  + id
                  + ": the checksum pages of its segment are damaged");
        }
      }
      int sector = ShardFormat.sectorInSegment(address);
      int before = page.crc(sector);
      if (before == 0) {
        continue;
      }
      if (before != ChecksumPage.stored(request.getCrcs(i))
          || page.used(sector) != request.getUsedShards()) {
        throw new StoreException(
            ErrorCode.SECTOR_WRITTEN,
            String.format(
                "Cannot write sector at %d of %s: it has CRC %08x, used shards %x, not %08x, %x",
                address,
                id,
                before,
                page.used(sector),
                ChecksumPage.stored(request.getCrcs(i)),
                request.getUsedShards()));
      }
      if (write.writtenBefore == null) {
        write.writtenBefore = new BitSet(request.getCrcsCount());
      }
      write.writtenBefore.set(i);
    }
  }

  /** One that cannot be read is not kept: nothing is written by it, and the scrubber is to see. */
  private ChecksumPage pageForWriting(int segment, DiskFile file) {
    ChecksumPage page = pages.get(segment); // the committer alone changes the map
    if (page == null) {
      page = ChecksumPage.read(file, id, segment);
      if (page.isUnreadable()) {
        return page;
      }
      synchronized (this) {
        pages.put(segment, page);
        pageLoads++;
        host.pageCache().remove(this, segment);
      }
    }
    return page;
  }

  /** Cut where a segment ends, and nowhere else: a payload's own pieces go to the file together. */
  private static void writeData(ByteBuf payload, long offset, DiskFile file) throws IOException {
    int at = payload.readerIndex();
    long address = offset;
    while (at < payload.writerIndex()) {
      int length = (int) Math.min(payload.writerIndex() - at, ShardFormat.contiguousBytes(address));
      file.write(payload.nioBuffers(at, length), ShardFormat.filePosition(address));
      at += length;
      address += length;
    }
  }

  /**
   * Writes the pages that changed, and second copies that are due, each to its other slot.
   *
   * @param all second copies of every page, too
   */
  private List<ChecksumPage> writePages(DiskFile file, boolean all) throws IOException {
    List<ChecksumPage> written = new ArrayList<>();
    int current = end == 0 ? 0 : ShardFormat.segmentOf(end - 1);
    for (ChecksumPage page : pages.values()) {
      boolean mirror = !page.isMirrored() && (all || page.isMirrorDue() || page.segment < current);
      if (!page.isDirty() && !mirror) {
        continue;
      }
      ByteBuffer bytes = SCRATCH.get();
      page.encode(id, bytes);
      file.write(bytes, ShardFormat.pagePosition(page.segment, page.slotToWrite()));
      written.add(page);
    }
    return written;
  }

  private void becameDurable(List<ChecksumPage> written) {
    synchronized (this) {
      for (ChecksumPage page : written) {
        page.becameDurable();
      }
      while (pages.size() > MAX_WRITE_PAGES) {
        ChecksumPage first = pages.firstEntry().getValue();
        if (!first.isMirrored()) {
          break; // its second copy goes with the next force
        }
        pages.remove(first.segment);
        host.pageCache().put(this, first);
      }
    }
  }

  /** The disk had no room for the pages: the sectors of these writes were not written after all. */
  private synchronized void takeBack(List<ShardOp.Write> placed) {
    for (ShardOp.Write write : placed) {
      for (int i = 0; i < write.request.getCrcsCount(); i++) {
        if (write.writtenBefore == null || !write.writtenBefore.get(i)) {
          long address = write.request.getOffset() + (long) i * ShardFormat.SECTOR_BYTES;
          pages.get(ShardFormat.segmentOf(address)).unset(ShardFormat.sectorInSegment(address));
        }
      }
    }
  }

  // ---- Open, seal, remove

  private OpenShardReply openNow(ShardOp.Open op) throws IOException, StoreException {
    OpenShardRequest request = op.request();
    byte[] holder = request.getHolder().toByteArray();
    if (superblock == null && state == State.ABSENT) {
      create(
          Superblock.first(
              id,
              request.getClusterId(),
              op.k(),
              op.m(),
              request.getCapacityBytes(),
              request.getEpoch(),
              holder));
      return OpenShardReply.newBuilder().setEnd(end).build();
    }
    try (OpenFiles.Handle handle = acquireForWriting()) {
      checkMayOpen(op);
      if (request.getEpoch() > superblock.lastEpoch()) {
        Superblock next = superblock.opened(request.getEpoch(), holder, end);
        List<ChecksumPage> pagesWritten = writePages(handle.file(), false);
        writeSuperblock(next, handle.file());
        becameDurable(pagesWritten);
        superblockMirrorDue = true;
        AFTER_OPEN.reach();
        host.changed(this);
      }
      return OpenShardReply.newBuilder().setEnd(end).build();
    }
  }

  private void checkMayOpen(ShardOp.Open op) throws StoreException {
    OpenShardRequest request = op.request();
    if (superblock.sealed) {
      throw new StoreException(
          ErrorCode.SHARD_SEALED,
          "Cannot open " + id + " for epoch " + request.getEpoch() + ": it is sealed at " + end);
    }
    if (request.getEpoch() < superblock.lastEpoch()
        || (request.getEpoch() == superblock.lastEpoch()
            && !superblock.isHeldBy(request.getHolder().toByteArray()))) {
      throw new StoreException(
          ErrorCode.FENCED,
          "Cannot open "
              + id
              + " for epoch "
              + request.getEpoch()
              + ": epoch "
              + superblock.lastEpoch()
              + (request.getEpoch() == superblock.lastEpoch()
                  ? " belongs to another holder"
                  : " has opened it"));
    }
    if (op.k() != superblock.k
        || op.m() != superblock.m
        || request.getCapacityBytes() != superblock.capacity) {
      throw new StoreException(
          ErrorCode.INVALID_ARGUMENT,
          String.format(
              "Cannot open %s as %s of %d bytes: it was created as rs-%d-%d of %d bytes",
              id,
              request.getPolicy(),
              request.getCapacityBytes(),
              superblock.k,
              superblock.m,
              superblock.capacity));
    }
  }

  /** Crash window 8. */
  private void create(Superblock first) throws IOException, StoreException {
    Path unborn = path.resolveSibling(path.getFileName() + NEW_SUFFIX);
    try {
      host.admit(ShardFormat.FIRST_SEGMENT);
      host.makeDirectoryOf(path);
      try (DiskFile file = host.files().create(unborn)) {
        ByteBuffer bytes = SCRATCH.get();
        first.encode(bytes);
        file.write(bytes, 0);
        Superblock second = first.again();
        second.encode(bytes);
        file.write(bytes, ShardFormat.SUPERBLOCK_BYTES);
        file.force();
        AFTER_CREATE.reach();
        host.files().rename(unborn, path);
        host.files().forceDirectory(path.getParent());
        synchronized (this) {
          superblock = second;
          state = State.LIVE;
          fileBytes = ShardFormat.FIRST_SEGMENT;
        }
        superblockSlot = 1;
        recovered = true;
      }
    } catch (IOException e) {
      synchronized (this) {
        state = State.GONE;
      }
      host.gone(this);
      deleteQuietly(unborn);
      if (e instanceof StoreException) {
        throw e;
      }
      if (e instanceof DiskFullException) {
        throw diskFull(e);
      }
      host.failed(this, e);
      throw e;
    }
    host.changed(this);
  }

  private void deleteQuietly(Path unborn) {
    try {
      host.files().delete(unborn);
    } catch (IOException e) {
      LOG.debug("{} stays until the next start", unborn, e);
    }
  }

  private SealShardReply sealNow(SealShardRequest request) throws IOException, StoreException {
    try (OpenFiles.Handle handle = acquireForWriting()) {
      DiskFile file = handle.file();
      if (request.getEpoch() < superblock.lastEpoch()) {
        throw new StoreException(
            ErrorCode.FENCED,
            "Cannot seal "
                + id
                + " under epoch "
                + request.getEpoch()
                + ": epoch "
                + superblock.lastEpoch()
                + " has opened it");
      }
      if (!superblock.sealed) {
        // Every answered write is durable in one slot of its page; with the superblock, in both.
        List<ChecksumPage> pagesWritten = writePages(file, true);
        AFTER_SEAL_PAGES.reach();
        writeSuperblock(superblock.sealed(end), file);
        becameDurable(pagesWritten);
        superblockMirrorDue = true;
        try {
          mirrorSuperblock(file);
          file.force();
          superblockMirrored();
        } catch (DiskFullException e) {
          LOG.warn("{} is sealed, its second superblock is not: {}", id, reason(e));
        }
        synchronized (this) {
          pages.values().forEach(page -> host.pageCache().put(this, page));
          pages.clear();
        }
        host.changed(this);
      }
      return SealShardReply.newBuilder().setEnd(end).build();
    }
  }

  /** Writes a superblock to the other slot and forces the file. */
  private void writeSuperblock(Superblock next, DiskFile file) throws IOException {
    ByteBuffer bytes = SCRATCH.get();
    next.encode(bytes);
    file.write(bytes, (1L - superblockSlot) * ShardFormat.SUPERBLOCK_BYTES);
    file.force();
    superblockSlot = 1 - superblockSlot;
    synchronized (this) {
      superblock = next;
    }
  }

  /** Writes the superblock's second copy, if it is due; the caller forces. */
  private boolean mirrorSuperblock(DiskFile file) throws IOException {
    if (!superblockMirrorDue) {
      return false;
    }
    ByteBuffer bytes = SCRATCH.get();
    superblock.again().encode(bytes);
    file.write(bytes, (1L - superblockSlot) * ShardFormat.SUPERBLOCK_BYTES);
    return true;
  }

  private void superblockMirrored() {
    superblockMirrorDue = false;
    superblockSlot = 1 - superblockSlot;
    synchronized (this) {
      superblock = superblock.again();
    }
  }

  private void remove(ShardOp.Remove.Kind kind) throws IOException, StoreException {
    synchronized (this) {
      if (state == State.ABSENT || state == State.GONE) {
        throw noSuchShard();
      }
    }
    switch (kind) {
      case DELETE -> host.files().delete(path);
      case QUARANTINE -> {
        host.files().rename(path, host.quarantine().resolve(path.getFileName()));
        host.files().forceDirectory(host.quarantine());
      }
    }
    host.files().delete(failedMarker(path));
    host.files().forceDirectory(path.getParent());
    synchronized (this) {
      state = State.GONE;
      pages.clear();
      pageLoads++;
    }
    host.openFiles().forget(path);
    host.gone(this);
  }

  // ---- Failures

  /** Crash window 6: no write and no force from here on. */
  private void fail(Throwable cause) {
    synchronized (this) {
      if (state != State.LIVE) {
        return;
      }
      state = State.FAILED;
    }
    if (cause instanceof CrashPoint.Crash) {
      return; // a dead process notes nothing
    }
    try {
      host.files().create(failedMarker(path)).close();
    } catch (IOException e) {
      LOG.warn("Cannot note beside {} that it has failed: {}", path, reason(e));
    }
    host.failed(this, cause);
  }

  private static Path failedMarker(Path path) {
    return path.resolveSibling(path.getFileName() + FAILED_SUFFIX);
  }

  private StoreException shardFailed(IOException cause) {
    return new StoreException(
        ErrorCode.SHARD_FAILED,
        "Cannot write "
            + id
            + ": "
            + (cause == null ? "a write or force of it failed before" : reason(cause)),
        cause);
  }

  private StoreException diskFull(IOException cause) {
    return new StoreException(
        ErrorCode.DISK_FULL, "Cannot write " + id + ": " + reason(cause), cause);
  }

  private static String reason(Exception e) {
    return e.getMessage() == null ? e.getClass().getSimpleName() : e.getMessage();
  }

  @Override
  public String toString() {
    return id + " in " + path;
  }
}
