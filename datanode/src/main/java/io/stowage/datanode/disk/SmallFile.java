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
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;

/** Whole small text files, written durably. Stateless. */
public final class SmallFile {
  private static final int MAX_BYTES = 64 << 10;

  private SmallFile() {}

  /** Text of a file; null if there is none. */
  public static String read(DiskFiles files, Path path) throws IOException {
    try (DiskFile file = files.open(path)) {
      long size = file.size();
      if (size > MAX_BYTES) {
        throw new IOException(path + " has " + size + " bytes, which nothing of ours has");
      }
      ByteBuffer bytes = ByteBuffer.allocate((int) size);
      file.read(bytes, 0);
      return StandardCharsets.UTF_8.decode(bytes.flip()).toString();
    } catch (NoSuchFileException e) {
      return null;
    }
  }

  /** Writes beside, forces, renames, forces the directory: readers see the old text or the new. */
  public static void replace(DiskFiles files, Path path, String text) throws IOException {
    Path unborn = path.resolveSibling(path.getFileName() + ".new");
    try (DiskFile file = files.create(unborn)) {
      file.write(ByteBuffer.wrap(text.getBytes(StandardCharsets.UTF_8)), 0);
      file.force();
    }
    files.rename(unborn, path);
    files.forceDirectory(path.getParent());
  }

  /**
   * Writes over a text of at most the same length, where it is: within the first sector, which a
   * device writes as a whole, and so on most file systems without any room.
   */
  public static void overwrite(DiskFiles files, Path path, String text) throws IOException {
    byte[] bytes = text.getBytes(StandardCharsets.UTF_8);
    if (bytes.length > 512) {
      throw new IllegalArgumentException(bytes.length + " bytes are more than a sector");
    }
    try (DiskFile file = files.open(path)) {
      file.write(ByteBuffer.wrap(bytes), 0);
      file.force();
    }
  }
}
