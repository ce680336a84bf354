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
package io.stowage.datanode.fault;

import io.stowage.datanode.disk.DiskFile;
import io.stowage.datanode.disk.DiskFiles;
import io.stowage.datanode.disk.DiskFullException;
import io.stowage.datanode.disk.DiskLock;
import java.io.IOException;
import java.io.InterruptedIOException;
import java.nio.ByteBuffer;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.IdentityHashMap;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;
import java.util.function.BooleanSupplier;
import java.util.function.Predicate;
import java.util.function.ToLongFunction;

/**
 * File systems in memory that know, of each block of 512 bytes, what is durable and what is only in
 * the page cache. Thread-safe.
 *
 * <ul>
 *   <li>{@link #losePower} keeps of what was not forced a random part, block by block: pages are
 *       torn and writes reordered. Names are kept or dropped one by one, too.
 *   <li>{@link #failForces} makes forces fail as Linux does: the blocks stay readable, are clean
 *       from then on, and never become durable unless they are written again.
 *   <li>{@link #lieOnRead} changes a byte of what reads return, {@link #failReads} fails them,
 *       {@link #flipByte} lets bits rot.
 *   <li>{@link #hang} lets operations wait for as long as the test likes, {@link #hangWrites} only
 *       writes and forces, as on a device whose queue stands still behind a page cache.
 *   <li>{@link #slowForces} lets forces take their time, as on a disk that answers always and late.
 *   <li>{@link #setCapacity} fills the disks.
 * </ul>
 *
 * Handles that were open when the power failed fail from then on.
 */
public final class SimulatedDisks implements DiskFiles {
  private static final int BLOCK = 512;

  /** Bytes of one file. */
  private static final class Node {
    /** What reads see. */
    final Map<Long, byte[]> cached = new HashMap<>();

    final Map<Long, byte[]> durable = new HashMap<>();

    /** Blocks that a force would write. Blocks never change, they are replaced. */
    final Set<Long> dirty = new TreeSet<>();

    /** Blocks that a failed force has dropped: readable, clean, and not on the disk. */
    final Set<Long> ghosts = new TreeSet<>();

    long size;
    long durableSize;

    Node copy() {
      Node copy = new Node();
      copy.cached.putAll(cached);
      copy.durable.putAll(durable);
      copy.dirty.addAll(dirty);
      copy.ghosts.addAll(ghosts);
      copy.size = size;
      copy.durableSize = durableSize;
      return copy;
    }
  }

  private final Map<Path, Node> names = new HashMap<>();
  private final Map<Path, Node> durableNames = new LinkedHashMap<>();

  /** Names changed since their directory was forced. */
  private final Set<Path> dirtyNames = new TreeSet<>();

  /** Directories with the directories in them. */
  private final Map<Path, Set<Path>> directories = new HashMap<>();

  /** Directories that were made since the one that they are in was forced. */
  private final Set<Path> dirtyDirectories = new TreeSet<>();

  private Predicate<Path> failingForces = path -> false;
  private Predicate<Path> failingAll = path -> false;
  private Predicate<Path> hanging = path -> false;
  private Predicate<Path> hangingWrites = path -> false;
  private Predicate<Path> lyingReads = path -> false;
  private ToLongFunction<Path> forceMillis = path -> 0;
  private final Set<Object> locks = new HashSet<>();
  private int locksTaken;
  private Runnable beforeReadFails = () -> {};
  private Path badFile;
  private long badFrom;
  private long badTo;
  private Predicate<Path> allowedWrites = path -> true;
  private long capacity = Long.MAX_VALUE;
  private long used;
  private int deaths;
  private long forces;
  private long operationsLeft = Long.MAX_VALUE;

  // ---- What tests do

  /**
   * Disks with the same files, each block as durable or not, for another future than these have.
   * What a test has fail, hang or lie is not copied.
   */
  public synchronized SimulatedDisks copy() {
    SimulatedDisks copy = new SimulatedDisks();
    IdentityHashMap<Node, Node> nodes = new IdentityHashMap<>();
    names.forEach((path, node) -> copy.names.put(path, nodes.computeIfAbsent(node, Node::copy)));
    durableNames.forEach(
        (path, node) -> copy.durableNames.put(path, nodes.computeIfAbsent(node, Node::copy)));
    copy.dirtyNames.addAll(dirtyNames);
    directories.forEach((path, inside) -> copy.directories.put(path, new HashSet<>(inside)));
    copy.dirtyDirectories.addAll(dirtyDirectories);
    copy.capacity = capacity;
    copy.recount();
    return copy;
  }

  /** The power fails on all disks at once; what comes back is what a new process finds. */
  public synchronized void losePower(Random random) {
    deaths++;
    operationsLeft = Long.MAX_VALUE;
    Map<Path, Node> survivors = new LinkedHashMap<>(durableNames);
    for (Path name : dirtyNames) {
      if (random.nextBoolean()) {
        Node node = names.get(name);
        if (node == null) {
          survivors.remove(name);
        } else {
          survivors.put(name, node);
        }
      }
    }
    for (Path made : dirtyDirectories) {
      if (random.nextBoolean()) {
        directories.get(made.getParent()).remove(made);
        directories.remove(made);
        survivors.keySet().removeIf(name -> made.equals(name.getParent()));
      }
    }
    dirtyDirectories.clear();
    for (Node node : new LinkedHashSet<>(survivors.values())) {
      for (long block : node.dirty) {
        if (random.nextBoolean()) {
          node.durable.put(block, node.cached.get(block));
          node.durableSize = Math.max(node.durableSize, Math.min(node.size, (block + 1) * BLOCK));
        }
      }
      node.ghosts.addAll(node.dirty);
      for (long block : node.ghosts) {
        byte[] durable = node.durable.get(block);
        if (durable == null) {
          node.cached.remove(block);
        } else {
          node.cached.put(block, durable);
        }
      }
      node.dirty.clear();
      node.ghosts.clear();
      node.size = node.durableSize;
    }
    names.clear();
    names.putAll(survivors);
    durableNames.clear();
    durableNames.putAll(survivors);
    dirtyNames.clear();
    recount();
  }

  /** The process dies, the machine lives: open handles are dead, every write is still there. */
  public synchronized void killProcess() {
    deaths++;
    operationsLeft = Long.MAX_VALUE;
  }

  /**
   * Freezes everything after some more operations that change something: from then on every call
   * fails, until {@link #losePower} or {@link #killProcess}.
   */
  public synchronized void stopAfter(long operations) {
    operationsLeft = operations;
  }

  /** From now on forces of these files fail. */
  public synchronized void failForces(Predicate<Path> which) {
    failingForces = which;
  }

  /** From now on every operation on these paths fails, as on a disk that is gone. */
  public synchronized void failEverything(Predicate<Path> which) {
    failingAll = which;
  }

  /** From now on operations on these paths wait, as on a disk that hangs, until it is others. */
  public synchronized void hang(Predicate<Path> which) {
    hanging = which;
    notifyAll();
  }

  /** The same of writes and forces of these files only: they can be read. */
  public synchronized void hangWrites(Predicate<Path> which) {
    hangingWrites = which;
    notifyAll();
  }

  /** From now on each force of a file takes so many milliseconds. */
  public synchronized void slowForces(ToLongFunction<Path> millis) {
    forceMillis = millis;
  }

  /** From now on reads of these files return one wrong byte. */
  public synchronized void lieOnRead(Predicate<Path> which) {
    lyingReads = which;
  }

  /** From now on reads that touch these bytes of a file fail, as at a spot that wore out. */
  public synchronized void failReads(Path path, long from, long to) {
    badFile = path;
    badFrom = from;
    badTo = to;
  }

  /** What happens until such a read fails: real disks try for seconds. */
  public synchronized void beforeReadFails(Runnable passes) {
    beforeReadFails = passes;
  }

  /** From now on all other files can only be read, as on a file system that is read-only. */
  public synchronized void allowWrites(Predicate<Path> which) {
    allowedWrites = which;
  }

  /** Bytes that all files together may have. */
  public synchronized void setCapacity(long bytes) {
    capacity = bytes;
  }

  public synchronized long usedBytes() {
    return used;
  }

  /** Forces of files that succeeded so far. */
  public synchronized long forceCount() {
    return forces;
  }

  /** Directories that are in use; nobody is kept from a second use. */
  public synchronized int locksHeld() {
    return locks.size();
  }

  public synchronized int locksTaken() {
    return locksTaken;
  }

  /** What reads of a file see. */
  public synchronized byte[] contents(Path path) throws IOException {
    Node node = node(path);
    byte[] bytes = new byte[Math.toIntExact(node.size)];
    copy(node, ByteBuffer.wrap(bytes), 0);
    return bytes;
  }

  /** Replaces a file's bytes, durably: damage, or a file from elsewhere. */
  public synchronized void setContents(Path path, byte[] bytes) {
    Node node = new Node();
    put(node, ByteBuffer.wrap(bytes), 0);
    node.durable.putAll(node.cached);
    node.dirty.clear();
    node.durableSize = node.size;
    names.put(path, node);
    durableNames.put(path, node);
    addDirectory(path.getParent());
    recount();
  }

  /** Bit rot: changes one byte, on the disk and as reads see it. None where the file is shorter. */
  public synchronized void flipByte(Path path, long position) throws IOException {
    Node node = node(path);
    if (position >= node.size) {
      return;
    }
    long number = position / BLOCK;
    byte[] before = node.cached.get(number);
    byte[] block = before == null ? new byte[BLOCK] : before.clone();
    block[(int) (position % BLOCK)] ^= 0x40;
    node.cached.put(number, block);
    node.durable.put(number, block);
  }

  /** All files whose paths end so. */
  public synchronized List<Path> find(String suffix) {
    return names.keySet().stream().filter(p -> p.toString().endsWith(suffix)).sorted().toList();
  }

  // ---- DiskFiles

  @Override
  public synchronized DiskFile open(Path path) throws IOException {
    check(path);
    return new Handle(path, node(path), deaths, !allowedWrites.test(path));
  }

  @Override
  public synchronized DiskFile create(Path path) throws IOException {
    check(path);
    if (!directories.containsKey(path.getParent())) {
      throw new NoSuchFileException(path.toString());
    }
    checkWritable(path);
    countChange();
    Node node = new Node();
    names.put(path, node);
    dirtyNames.add(path);
    recount();
    return new Handle(path, node, deaths, false);
  }

  @Override
  public synchronized void rename(Path from, Path to) throws IOException {
    check(from);
    check(to);
    if (!directories.containsKey(to.getParent())) {
      throw new NoSuchFileException(to.toString());
    }
    checkWritable(to);
    countChange();
    names.put(to, node(from));
    names.remove(from);
    dirtyNames.add(from);
    dirtyNames.add(to);
  }

  @Override
  public synchronized void delete(Path path) throws IOException {
    check(path);
    if (names.containsKey(path)) {
      checkWritable(path);
    }
    countChange();
    if (names.remove(path) != null) {
      dirtyNames.add(path);
      recount();
    }
  }

  @Override
  public synchronized boolean exists(Path path) {
    return names.containsKey(path) || directories.containsKey(path);
  }

  @Override
  public synchronized void createDirectories(Path directory) throws IOException {
    check(directory);
    addDirectory(directory);
  }

  @Override
  public synchronized void createDirectory(Path directory) throws IOException {
    check(directory);
    if (!directories.containsKey(directory.getParent())) {
      throw new NoSuchFileException(directory.toString());
    }
    if (!directories.containsKey(directory)) {
      checkWritable(directory);
      countChange();
      addDirectory(directory);
      dirtyDirectories.add(directory);
    }
  }

  /** Nobody else is here. */
  @Override
  public synchronized void makePrivate(Path directory) throws IOException {
    check(directory);
  }

  @Override
  public synchronized void forceDirectory(Path directory) throws IOException {
    check(directory);
    countChange();
    if (failingForces.test(directory)) {
      throw new IOException("Input/output error");
    }
    dirtyDirectories.removeIf(made -> directory.equals(made.getParent()));
    for (Path name : List.copyOf(dirtyNames)) {
      if (directory.equals(name.getParent())) {
        dirtyNames.remove(name);
        Node node = names.get(name);
        if (node == null) {
          durableNames.remove(name);
        } else {
          durableNames.put(name, node);
        }
      }
    }
  }

  @Override
  public synchronized List<Path> list(Path directory) throws IOException {
    check(directory);
    Set<Path> inside = directories.get(directory);
    if (inside == null) {
      throw new NoSuchFileException(directory.toString());
    }
    List<Path> entries = new ArrayList<>(inside);
    names.keySet().stream().filter(p -> directory.equals(p.getParent())).forEach(entries::add);
    return entries;
  }

  @Override
  public synchronized long usableBytes(Path directory) throws IOException {
    check(directory);
    return Math.max(0, capacity - used);
  }

  @Override
  public synchronized long totalBytes(Path directory) throws IOException {
    check(directory);
    return capacity;
  }

  @Override
  public synchronized DiskLock tryLock(Path path) throws IOException {
    check(path);
    Lock lock = new Lock(!allowedWrites.test(path));
    locks.add(lock);
    locksTaken++;
    return lock;
  }

  private final class Lock implements DiskLock {
    private final boolean shared;

    Lock(boolean shared) {
      this.shared = shared;
    }

    @Override
    public boolean isShared() {
      return shared;
    }

    @Override
    public void close() {
      synchronized (SimulatedDisks.this) {
        locks.remove(this);
      }
    }
  }

  private synchronized void check(Path path) throws IOException {
    awaitEnd(() -> hanging.test(path), path);
    if (failingAll.test(path)) {
      throw new IOException("Input/output error");
    }
    if (operationsLeft <= 0) {
      throw new IOException("the power is off");
    }
  }

  private void checkWritable(Path path) throws IOException {
    if (!allowedWrites.test(path)) {
      throw new IOException("Read-only file system");
    }
  }

  private synchronized void awaitEnd(BooleanSupplier hang, Path path) throws IOException {
    try {
      while (hang.getAsBoolean()) {
        wait();
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new InterruptedIOException("interrupted while " + path + " hangs");
    }
  }

  private void addDirectory(Path directory) {
    Path at = directory;
    while (at != null && !directories.containsKey(at)) {
      directories.put(at, new HashSet<>());
      at = at.getParent();
    }
    for (at = directory; at.getParent() != null; at = at.getParent()) {
      if (!directories.get(at.getParent()).add(at)) {
        return;
      }
    }
  }

  private void countChange() throws IOException {
    if (operationsLeft != Long.MAX_VALUE && --operationsLeft <= 0) {
      throw new IOException("the power is off");
    }
  }

  private Node node(Path path) throws IOException {
    Node node = names.get(path);
    if (node == null) {
      throw new NoSuchFileException(path.toString());
    }
    return node;
  }

  private void recount() {
    used = 0;
    for (Node node : new HashSet<>(names.values())) {
      used += (long) node.cached.size() * BLOCK;
    }
  }

  private static void copy(Node node, ByteBuffer into, long position) {
    long at = position;
    while (into.hasRemaining() && at < node.size) {
      byte[] block = node.cached.get(at / BLOCK);
      int offset = (int) (at % BLOCK);
      int n = (int) Math.min(Math.min(into.remaining(), BLOCK - offset), node.size - at);
      if (block == null) {
        into.put(new byte[n]);
      } else {
        into.put(block, offset, n);
      }
      at += n;
    }
  }

  private void put(Node node, ByteBuffer from, long position) {
    long at = position;
    while (from.hasRemaining()) {
      long number = at / BLOCK;
      byte[] before = node.cached.get(number);
      if (before == null) {
        used += BLOCK;
      }
      int offset = (int) (at % BLOCK);
      int n = Math.min(from.remaining(), BLOCK - offset);
      byte[] block = before == null || n == BLOCK ? new byte[BLOCK] : before.clone();
      from.get(block, offset, n);
      node.cached.put(number, block);
      node.dirty.add(number);
      at += n;
    }
    node.size = Math.max(node.size, at);
  }

  private final class Handle implements DiskFile {
    private final Path path;
    private final Node node;
    private final int openedAt;
    private final boolean readOnly;

    Handle(Path path, Node node, int openedAt, boolean readOnly) {
      this.path = path;
      this.node = node;
      this.openedAt = openedAt;
      this.readOnly = readOnly;
    }

    private void checkAlive() throws IOException {
      check(path);
      if (openedAt != deaths) {
        throw new IOException("the process that opened " + path + " is dead");
      }
    }

    @Override
    public int read(ByteBuffer into, long position) throws IOException {
      synchronized (SimulatedDisks.this) {
        checkAlive();
        if (path.equals(badFile) && position < badTo && position + into.remaining() > badFrom) {
          beforeReadFails.run();
          throw new IOException("Input/output error");
        }
        int before = into.position();
        copy(node, into, position);
        int n = into.position() - before;
        if (n > 0 && lyingReads.test(path)) {
          into.put(before + n / 2, (byte) (into.get(before + n / 2) ^ 1));
        }
        return n;
      }
    }

    @Override
    public void write(ByteBuffer[] from, long position) throws IOException {
      synchronized (SimulatedDisks.this) {
        awaitEnd(() -> hangingWrites.test(path), path);
        checkAlive();
        checkWritable(path);
        if (readOnly) {
          throw new IOException("opened on a read-only file system");
        }
        countChange();
        long wanted = 0;
        for (ByteBuffer piece : from) {
          wanted += piece.remaining();
        }
        // a part of a block is written over in place, and whole blocks elsewhere
        boolean inPlace =
            position % BLOCK + wanted < BLOCK && node.cached.containsKey(position / BLOCK);
        if (!inPlace && used + wanted > capacity) {
          throw new DiskFullException("the simulated disk is full", null);
        }
        long at = position;
        for (ByteBuffer piece : from) {
          int length = piece.remaining();
          put(node, piece, at);
          at += length;
        }
      }
    }

    @Override
    public void force() throws IOException {
      LockSupport.parkNanos(TimeUnit.MILLISECONDS.toNanos(millisOfForce()));
      synchronized (SimulatedDisks.this) {
        awaitEnd(() -> hangingWrites.test(path), path);
        checkAlive();
        countChange();
        if (failingForces.test(path)) {
          node.ghosts.addAll(node.dirty);
          node.dirty.clear();
          throw new IOException("Input/output error");
        }
        for (long block : node.dirty) {
          node.durable.put(block, node.cached.get(block));
        }
        node.ghosts.removeAll(node.dirty);
        node.dirty.clear();
        node.durableSize = Math.max(node.durableSize, node.size);
        forces++;
      }
    }

    private long millisOfForce() {
      synchronized (SimulatedDisks.this) {
        return forceMillis.applyAsLong(path);
      }
    }

    @Override
    public boolean isReadOnly() {
      return readOnly;
    }

    @Override
    public long size() throws IOException {
      synchronized (SimulatedDisks.this) {
        checkAlive();
        return node.size;
      }
    }

    @Override
    public void close() {
      // nothing is kept for a handle
    }
  }
}
