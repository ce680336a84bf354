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

import java.io.IOException;
import java.io.OutputStream;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.StandardOpenOption;
import org.apache.hadoop.fs.LocalFileSystem;
import org.apache.hadoop.fs.Path;
import org.apache.hadoop.fs.RawLocalFileSystem;
import org.apache.hadoop.fs.StreamCapabilities;
import org.apache.hadoop.fs.Syncable;
import org.apache.hadoop.fs.permission.FsPermission;

/**
 * Hadoop's local file system as HBase needs it to survive a loss of power: what was closed is on
 * the device, and so is the directory entry of what was created or renamed. Stateless beyond its
 * parent; thread-safe as that is.
 *
 * <p>Hadoop's own leaves both to the kernel. HBase deletes its log once a store file was flushed,
 * closed and renamed into place, so that with the plain class a power loss some seconds later takes
 * rows that were acknowledged long before. Made for {@code fs.file.impl}; checksum side files are
 * off from the beginning, as HBase has its own.
 */
public final class DurableLocalFileSystem extends LocalFileSystem {
  /** Called by Hadoop. */
  public DurableLocalFileSystem() {
    super(new Raw());
    setWriteChecksum(false);
    setVerifyChecksum(false);
  }

  /** Forces a directory's entries to the device. */
  static void force(java.nio.file.Path directory) throws IOException {
    try (FileChannel channel = FileChannel.open(directory, StandardOpenOption.READ)) {
      channel.force(true);
    }
  }

  private static final class Raw extends RawLocalFileSystem {
    @Override
    protected OutputStream createOutputStreamWithMode(
        Path path, boolean append, FsPermission permission) throws IOException {
      OutputStream out = super.createOutputStreamWithMode(path, append, permission);
      if (!append) {
        forceParent(path);
      }
      return new ForcedOnClose(out);
    }

    @Override
    public boolean rename(Path source, Path target) throws IOException {
      if (!super.rename(source, target)) {
        return false;
      }
      forceParent(source);
      forceParent(target);
      java.nio.file.Path moved = pathToFile(target).toPath();
      if (Files.isDirectory(moved)) {
        force(moved); // the source may have gone into it
      }
      return true;
    }

    @Override
    protected boolean mkOneDirWithMode(Path path, java.io.File directory, FsPermission permission)
        throws IOException {
      boolean made = super.mkOneDirWithMode(path, directory, permission);
      if (made) {
        forceParent(path);
      }
      return made;
    }

    private void forceParent(Path path) throws IOException {
      java.nio.file.Path parent = pathToFile(path).toPath().toAbsolutePath().getParent();
      if (parent != null && Files.isDirectory(parent)) {
        force(parent);
      }
    }
  }

  /** A local file's stream that is forced before it is closed. Confined to its writer. */
  private static final class ForcedOnClose extends OutputStream
      implements Syncable, StreamCapabilities {
    private final OutputStream file;
    private boolean closed;

    ForcedOnClose(OutputStream file) {
      this.file = file;
    }

    @Override
    public void write(int b) throws IOException {
      file.write(b);
    }

    @Override
    public void write(byte[] bytes, int offset, int length) throws IOException {
      file.write(bytes, offset, length);
    }

    @Override
    public void flush() throws IOException {
      file.flush();
    }

    @Override
    public void hflush() throws IOException {
      ((Syncable) file).hflush();
    }

    @Override
    public void hsync() throws IOException {
      ((Syncable) file).hsync();
    }

    @Override
    public boolean hasCapability(String capability) {
      return ((StreamCapabilities) file).hasCapability(capability);
    }

    @Override
    public void close() throws IOException {
      if (closed) {
        return;
      }
      closed = true;
      try {
        hsync();
      } finally {
        file.close();
      }
    }
  }
}
