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
import java.nio.file.Path;
import java.util.List;

/**
 * What a datanode asks of a file system. The seam at which tests lose power, tear pages, fill disks
 * and fail forces. Thread-safe.
 */
public interface DiskFiles {
  /**
   * Opens an existing file for reading and writing; on a file system that is read-only, for reading
   * alone. NoSuchFileException if there is none.
   */
  DiskFile open(Path path) throws IOException;

  /**
   * Creates an empty file, or empties the one that is there. Durable only after {@link
   * #forceDirectory}.
   */
  DiskFile create(Path path) throws IOException;

  /** Renames atomically, replacing the target. Durable after both directories were forced. */
  void rename(Path from, Path to) throws IOException;

  /** Deletes a file if it is there. Durable after {@link #forceDirectory}. */
  void delete(Path path) throws IOException;

  boolean exists(Path path);

  void createDirectories(Path directory) throws IOException;

  /**
   * Makes a directory in one that is there; does nothing if there is one of its name. Durable after
   * {@link #forceDirectory} of the one that it is in.
   *
   * @throws java.nio.file.NoSuchFileException if what it is to be in is not there
   */
  void createDirectory(Path directory) throws IOException;

  /**
   * Lets nobody but the user who runs this into a directory, and so to nothing that is below it.
   *
   * @throws IOException also if it is not his to close, or its file system lets everybody in
   */
  void makePrivate(Path directory) throws IOException;

  /** Makes creations, renames and deletions in a directory durable. */
  void forceDirectory(Path directory) throws IOException;

  /** Files and directories directly in a directory, in no order. */
  List<Path> list(Path directory) throws IOException;

  /** Bytes that may still be written. */
  long usableBytes(Path directory) throws IOException;

  /** Size of the disk. */
  long totalBytes(Path directory) throws IOException;

  /**
   * Holds a lock file against other processes until closed.
   *
   * @return null if another process holds it
   */
  DiskLock tryLock(Path path) throws IOException;
}
