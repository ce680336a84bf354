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
package io.stowage.minicluster;

import io.stowage.datanode.disk.DiskFile;
import io.stowage.datanode.disk.DiskFiles;
import io.stowage.datanode.disk.DiskLock;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.util.List;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;

/**
 * Disks that can be pulled out of a running datanode: every call on a removed directory, or on a
 * file of it that is open already, fails as it does with a device that is gone. Deleting the
 * directory would not do: a process goes on reading and writing the files that it holds open.
 * Thread-safe.
 */
final class RemovableDisks implements DiskFiles {
  private final DiskFiles files;
  private final Set<Path> removed = ConcurrentHashMap.newKeySet();

  RemovableDisks(DiskFiles files) {
    this.files = files;
  }

  void remove(Path disk) {
    removed.add(disk);
  }

  void putBack(Path disk) {
    removed.remove(disk);
  }

  private void check(Path path) throws IOException {
    for (Path disk : removed) {
      if (path.startsWith(disk)) {
        throw new IOException("Cannot reach " + path + ": the disk was removed");
      }
    }
  }

  @Override
  public DiskFile open(Path path) throws IOException {
    check(path);
    return new RemovableFile(path, files.open(path));
  }

  @Override
  public DiskFile create(Path path) throws IOException {
    check(path);
    return new RemovableFile(path, files.create(path));
  }

  @Override
  public void rename(Path from, Path to) throws IOException {
    check(from);
    check(to);
    files.rename(from, to);
  }

  @Override
  public void delete(Path path) throws IOException {
    check(path);
    files.delete(path);
  }

  @Override
  public boolean exists(Path path) {
    return removed.stream().noneMatch(path::startsWith) && files.exists(path);
  }

  @Override
  public void createDirectories(Path directory) throws IOException {
    check(directory);
    files.createDirectories(directory);
  }

  @Override
  public void createDirectory(Path directory) throws IOException {
    check(directory);
    files.createDirectory(directory);
  }

  @Override
  public void makePrivate(Path directory) throws IOException {
    check(directory);
    files.makePrivate(directory);
  }

  @Override
  public void forceDirectory(Path directory) throws IOException {
    check(directory);
    files.forceDirectory(directory);
  }

  @Override
  public List<Path> list(Path directory) throws IOException {
    check(directory);
    return files.list(directory);
  }

  @Override
  public long usableBytes(Path directory) throws IOException {
    check(directory);
    return files.usableBytes(directory);
  }

  @Override
  public long totalBytes(Path directory) throws IOException {
    check(directory);
    return files.totalBytes(directory);
  }

  @Override
  public DiskLock tryLock(Path path) throws IOException {
    check(path);
    return files.tryLock(path);
  }

  private final class RemovableFile implements DiskFile {
    private final Path path;
    private final DiskFile file;

    RemovableFile(Path path, DiskFile file) {
      this.path = path;
      this.file = file;
    }

    @Override
    public int read(ByteBuffer into, long position) throws IOException {
      check(path);
      return file.read(into, position);
    }

    @Override
    public int readOnce(ByteBuffer into, long position) throws IOException {
      check(path);
      return file.readOnce(into, position);
    }

    @Override
    public void write(ByteBuffer[] from, long position) throws IOException {
      check(path);
      file.write(from, position);
    }

    @Override
    public void force() throws IOException {
      check(path);
      file.force();
    }

    @Override
    public long size() throws IOException {
      check(path);
      return file.size();
    }

    @Override
    public boolean isReadOnly() {
      return file.isReadOnly();
    }

    @Override
    public void close() throws IOException {
      file.close();
    }
  }
}
