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
package io.stowage.datanode.disk;

import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.channels.FileLock;
import java.nio.channels.OverlappingFileLockException;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.FileSystemException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.PosixFileAttributeView;
import java.nio.file.attribute.PosixFilePermission;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.List;
import java.util.Set;
import java.util.stream.Stream;

/**
 * The machine's own file systems, through FileChannel. Thread-safe.
 *
 * <p>An interrupted thread closes the channel under everybody: only threads that nobody interrupts
 * may come here (a disk's own pools).
 */
public final class LocalDiskFiles implements DiskFiles {
  public static final LocalDiskFiles INSTANCE = new LocalDiskFiles();

  private static final Set<PosixFilePermission> PRIVATE =
      PosixFilePermissions.fromString("rwx------");

  /** Where a file may be opened to be read only. */
  @FunctionalInterface
  interface ReadOnly {
    boolean test(Path directory) throws IOException;
  }

  private final ReadOnly readOnly;

  private LocalDiskFiles() {
    this(directory -> Files.getFileStore(directory).isReadOnly());
  }

  LocalDiskFiles(ReadOnly readOnly) {
    this.readOnly = readOnly;
  }

  /** Bytes that this process has read past the page cache. */
  public static long bytesReadDirectly() {
    return LocalDiskFile.BYTES_READ_DIRECTLY.sum();
  }

  /** Bytes that this process has read through the page cache, small reads included. */
  public static long bytesReadThroughCache() {
    return LocalDiskFile.BYTES_READ_THROUGH_CACHE.sum();
  }

  @Override
  public DiskFile open(Path path) throws IOException {
    try {
      return new LocalDiskFile(
          path, FileChannel.open(path, StandardOpenOption.READ, StandardOpenOption.WRITE));
    } catch (FileSystemException e) {
      return LocalDiskFile.readOnly(path, openToRead(path, e), e);
    }
  }

  /**
   * What cannot be written since its file system is read-only, as the kernel makes one that breaks,
   * is read; newer kernels (Linux 6.14) say so by the failure alone, not in the mount's options. Of
   * other failures, as for want of descriptors, this would hide the reason.
   */
  private FileChannel openToRead(Path path, FileSystemException unwritable) throws IOException {
    try {
      if ("Read-only file system".equals(unwritable.getReason())
          || readOnly.test(path.getParent())) {
        return FileChannel.open(path, StandardOpenOption.READ);
      }
    } catch (IOException e) {
      unwritable.addSuppressed(e);
    }
    throw unwritable;
  }

  @Override
  public DiskFile create(Path path) throws IOException {
    try {
      return new LocalDiskFile(
          path,
          FileChannel.open(
              path,
              StandardOpenOption.READ,
              StandardOpenOption.WRITE,
              StandardOpenOption.CREATE,
              StandardOpenOption.TRUNCATE_EXISTING));
    } catch (IOException e) {
      throw failure(e, path, 0);
    }
  }

  @Override
  public void rename(Path from, Path to) throws IOException {
    try {
      Files.move(from, to, StandardCopyOption.ATOMIC_MOVE);
    } catch (IOException e) {
      throw failure(e, to, 0);
    }
  }

  /** What a failure to write so many bytes is: the disk's fault, or want of room. */
  static IOException failure(IOException failure, Path path, long wanted) {
    try {
      return DiskFullException.of(
          failure, Files.getFileStore(path.getParent()).getUsableSpace(), wanted);
    } catch (IOException e) {
      failure.addSuppressed(e);
      return failure;
    }
  }

  @Override
  public void delete(Path path) throws IOException {
    Files.deleteIfExists(path);
  }

  @Override
  public boolean exists(Path path) {
    return Files.exists(path);
  }

  @Override
  public void createDirectories(Path directory) throws IOException {
    Files.createDirectories(directory);
  }

  @Override
  public void createDirectory(Path directory) throws IOException {
    try {
      Files.createDirectory(directory);
    } catch (FileAlreadyExistsException e) {
      if (!Files.isDirectory(directory)) {
        throw e;
      }
    } catch (IOException e) {
      throw failure(e, directory, 0);
    }
  }

  @Override
  public void makePrivate(Path directory) throws IOException {
    PosixFileAttributeView modes =
        Files.getFileAttributeView(directory, PosixFileAttributeView.class);
    if (modes == null) {
      throw new IOException(directory + " is open to all: its file system has no permissions");
    }
    if (!modes.readAttributes().permissions().equals(PRIVATE)) {
      modes.setPermissions(PRIVATE);
      if (!modes.readAttributes().permissions().equals(PRIVATE)) {
        throw new IOException(directory + " is open to all: its file system keeps no permissions");
      }
    }
  }

  @Override
  public void forceDirectory(Path directory) throws IOException {
    try (FileChannel channel = FileChannel.open(directory, StandardOpenOption.READ)) {
      channel.force(true);
    }
  }

  @Override
  public List<Path> list(Path directory) throws IOException {
    try (Stream<Path> entries = Files.list(directory)) {
      return entries.toList();
    }
  }

  @Override
  public long usableBytes(Path directory) throws IOException {
    return Files.getFileStore(directory).getUsableSpace();
  }

  @Override
  public long totalBytes(Path directory) throws IOException {
    return Files.getFileStore(directory).getTotalSpace();
  }

  @Override
  public DiskLock tryLock(Path path) throws IOException {
    FileChannel channel;
    boolean shared = false; // as only who may write can lock alone
    try {
      channel = FileChannel.open(path, StandardOpenOption.WRITE, StandardOpenOption.CREATE);
    } catch (FileSystemException e) {
      channel = openToRead(path, e);
      shared = true;
    }
    FileLock lock = null;
    try {
      lock = channel.tryLock(0, Long.MAX_VALUE, shared);
    } catch (OverlappingFileLockException e) {
      // held by this very process: another datanode in the same JVM
    }
    if (lock == null) {
      channel.close();
      return null;
    }
    return new HeldLock(channel, shared);
  }

  private record HeldLock(FileChannel channel, boolean isShared) implements DiskLock {
    @Override
    public void close() throws IOException {
      channel.close();
    }
  }
}
