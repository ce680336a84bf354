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

import com.sun.nio.file.ExtendedOpenOption;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.BasicFileAttributes;
import java.util.concurrent.atomic.LongAdder;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * A file of the machine's own file system. Read by any thread, written by one at a time, which is
 * also the only one that renames or deletes the file; closed when nobody uses it any more.
 *
 * <p>Large writes go past the page cache (O_DIRECT), where the file system lets them: what a stream
 * of megabytes leaves there pushes out what is read often, and getting fresh pages for it can cost
 * more than the rest of the write (ADR 7). A write is large by its bytes, however many buffers they
 * lie in: what came over the network lies in several, of odd lengths. Large reads of whole blocks
 * do as well, unless the same was read lately ({@link RecentReads}, ADR 22): what is read again
 * stays in the page cache from its second read on. All the rest, such as small writes, of which the
 * next force takes many together, goes through it; the kernel keeps the two consistent.
 *
 * <p>Costs a descriptor, and a second one from its first large read or write on.
 */
final class LocalDiskFile implements DiskFile {
  private static final Logger LOG = LoggerFactory.getLogger(LocalDiskFile.class);

  /** A length from which on a device is as fast with it alone as with what a cache gathers. */
  static final int DIRECT_BYTES = 128 << 10;

  /** What file, buffer and length have to be multiples of; file systems with larger blocks: no. */
  static final int BLOCK = 4096;

  private static final AlignedBuffers ALIGNED = new AlignedBuffers(ByteBuffer::allocateDirect);

  /** What the kernel may still have is of all disks together. */
  private static final RecentReads RECENT = RecentReads.ofThisMachine();

  static final LongAdder BYTES_READ_DIRECTLY = new LongAdder();
  static final LongAdder BYTES_READ_THROUGH_CACHE = new LongAdder();

  /** How a file is opened to go past the page cache. */
  @FunctionalInterface
  interface DirectOpener {
    FileChannel open(Path path) throws IOException;
  }

  private final Path path;
  private final FileChannel channel;
  private final AlignedBuffers alignedBuffers;
  private final DirectOpener directOpener;

  /** Why the file could be opened to be read only; null if it is written. */
  private final IOException unwritable;

  /** Device and inode; null if the path did not name the file any more. */
  private final Object key;

  /** To {@link RecentReads}; the same when the file is opened again. */
  private final long identity;

  /** Opened under this, by the first who wants it, and closed when nobody does any more. */
  private volatile FileChannel direct;

  private volatile boolean directRefused;

  /** Some file systems let themselves be asked for it, and then cannot. */
  private volatile boolean directReadWorked;

  private volatile boolean directWriteWorked;

  LocalDiskFile(Path path, FileChannel channel) {
    this(path, channel, ALIGNED, LocalDiskFile::openPastCache);
  }

  /** Whose every write fails for a reason, and which is read through the page cache. */
  static LocalDiskFile readOnly(Path path, FileChannel channel, IOException why) {
    return new LocalDiskFile(path, channel, ALIGNED, LocalDiskFile::openPastCache, why);
  }

  LocalDiskFile(
      Path path, FileChannel channel, AlignedBuffers alignedBuffers, DirectOpener directOpener) {
    this(path, channel, alignedBuffers, directOpener, null);
  }

  private LocalDiskFile(
      Path path,
      FileChannel channel,
      AlignedBuffers alignedBuffers,
      DirectOpener directOpener,
      IOException unwritable) {
    this.path = path;
    this.channel = channel;
    this.alignedBuffers = alignedBuffers;
    this.directOpener = directOpener;
    this.unwritable = unwritable;
    this.directRefused = unwritable != null;
    this.key = keyOf(path);
    this.identity = RecentReads.identity(path + " " + key);
  }

  private static Object keyOf(Path path) {
    try {
      return Files.readAttributes(path, BasicFileAttributes.class).fileKey();
    } catch (IOException e) {
      return null;
    }
  }

  @Override
  public int read(ByteBuffer into, long position) throws IOException {
    boolean once =
        isForDirect(into, position) && !RECENT.note(identity, position, into.remaining());
    return read(into, position, once);
  }

  @Override
  public int readOnce(ByteBuffer into, long position) throws IOException {
    return read(into, position, isForDirect(into, position));
  }

  private static boolean isForDirect(ByteBuffer into, long position) {
    int length = into.remaining();
    return length >= DIRECT_BYTES && length % BLOCK == 0 && position % BLOCK == 0;
  }

  private int read(ByteBuffer into, long position, boolean directly) throws IOException {
    int past = 0;
    IOException firstFailed = null;
    if (directly && canGoDirectly()) {
      try {
        past = readDirectly(into, position);
      } catch (IOException e) {
        if (directReadWorked) {
          throw e;
        }
        firstFailed = e; // nothing was read
      }
    }
    int total = past;
    while (into.hasRemaining()) {
      int n = channel.read(into, position + total);
      if (n < 0) {
        break;
      }
      total += n;
    }
    if (firstFailed != null) {
      refuseDirect(firstFailed); // had it been the disk's fault, the page cache would have said so
    }
    BYTES_READ_DIRECTLY.add(past);
    BYTES_READ_THROUGH_CACHE.add(total - past);
    return total;
  }

  /** Until the buffer is full, the file's last bytes are there, or there is no memory for it. */
  private int readDirectly(ByteBuffer into, long position) throws IOException {
    int total = 0;
    while (into.hasRemaining() && total % BLOCK == 0) {
      boolean inPlace = into.isDirect() && into.alignmentOffset(into.position(), BLOCK) == 0;
      ByteBuffer blocks = inPlace ? into : alignedBuffers.get();
      if (blocks == null) {
        return total;
      }
      if (!inPlace) {
        blocks.limit(Math.min(blocks.capacity(), into.remaining()));
      }
      int n = direct.read(blocks, position + total);
      directReadWorked = true;
      if (n < 0) {
        return total;
      }
      if (!inPlace) {
        into.put(blocks.flip());
      }
      total += n;
    }
    return total;
  }

  @Override
  public void write(ByteBuffer[] from, long position) throws IOException {
    long wanted = 0;
    for (ByteBuffer piece : from) {
      wanted += piece.remaining();
    }
    try {
      if (unwritable != null) {
        throw new IOException(unwritable.getMessage(), unwritable);
      }
      writeAll(from, position, position + wanted);
    } catch (IOException e) {
      throw LocalDiskFiles.failure(e, path, wanted);
    }
  }

  private void writeAll(ByteBuffer[] from, long position, long end) throws IOException {
    long at = position;
    IOException firstFailed = null;
    if (end - at >= DIRECT_BYTES && at % BLOCK == 0 && canGoDirectly()) {
      try {
        at = writeDirectly(from, at, end);
      } catch (IOException e) {
        if (directWriteWorked) {
          throw e;
        }
        firstFailed = e; // no buffer was moved on: all of it is written again
      }
    }
    for (ByteBuffer piece : from) {
      while (piece.hasRemaining()) {
        at += channel.write(piece, at);
      }
    }
    if (firstFailed != null) {
      refuseDirect(firstFailed); // had it been the disk's fault, the next force will say so
    }
  }

  /**
   * Whole blocks, while the device takes whole blocks and there is memory for it; what is left is
   * written as usual.
   */
  private long writeDirectly(ByteBuffer[] from, long position, long end) throws IOException {
    long at = position;
    while (end - at >= BLOCK && at % BLOCK == 0) {
      ByteBuffer blocks = nextBlocks(from, end - at);
      if (blocks == null) {
        break;
      }
      int written = direct.write(blocks, at);
      directWriteWorked = true;
      skip(from, written);
      at += written;
    }
    return at;
  }

  /**
   * Whole blocks at a whole block in memory, of the bytes that come next: those of one buffer,
   * where it has as many there as can be copied together, else those of several, copied; null if
   * there is no memory to copy them to. Moves no position.
   */
  private ByteBuffer nextBlocks(ByteBuffer[] from, long left) {
    long whole = left / BLOCK * BLOCK;
    int first = 0;
    while (!from[first].hasRemaining()) {
      first++;
    }
    ByteBuffer next = from[first];
    int inPlace = next.remaining() / BLOCK * BLOCK;
    int together = (int) Math.min(AlignedBuffers.BYTES, whole);
    if (inPlace >= together
        && next.isDirect()
        && next.alignmentOffset(next.position(), BLOCK) == 0) {
      return next.slice(next.position(), inPlace);
    }
    ByteBuffer aligned = alignedBuffers.get();
    if (aligned == null) {
      return null;
    }
    aligned.limit(together);
    for (int i = first; aligned.hasRemaining(); i++) {
      int n = Math.min(from[i].remaining(), aligned.remaining());
      aligned.put(from[i].slice(from[i].position(), n));
    }
    return aligned.flip();
  }

  private static void skip(ByteBuffer[] from, int written) {
    int left = written;
    for (ByteBuffer piece : from) {
      int n = Math.min(piece.remaining(), left);
      piece.position(piece.position() + n);
      left -= n;
    }
  }

  /**
   * Opens the file for it if nobody has. To a reader the path may meanwhile name another file, or
   * none: this one was deleted, and lives as long as it is open.
   */
  private boolean canGoDirectly() {
    if (direct == null && !directRefused) {
      openDirect();
    }
    return !directRefused;
  }

  private synchronized void openDirect() {
    if (direct != null || directRefused) {
      return;
    }
    try {
      if (Files.getFileStore(path).getBlockSize() > BLOCK) {
        throw new IOException("its file system has larger blocks");
      }
      FileChannel opened = directOpener.open(path);
      if (key == null || !key.equals(keyOf(path))) {
        opened.close();
        throw new IOException("its path names another file");
      }
      direct = opened;
    } catch (IOException | UnsupportedOperationException e) {
      // as in a file system in memory
      refuseDirect(e);
    }
  }

  private static FileChannel openPastCache(Path path) throws IOException {
    return FileChannel.open(
        path, StandardOpenOption.READ, StandardOpenOption.WRITE, ExtendedOpenOption.DIRECT);
  }

  private void refuseDirect(Exception why) {
    LOG.debug("{} is read and written through the page cache", path, why);
    directRefused = true;
  }

  @Override
  public boolean isReadOnly() {
    return unwritable != null;
  }

  /** fdatasync: a file's length is data to it, its times are not. Covers both ways of writing. */
  @Override
  public void force() throws IOException {
    channel.force(false);
  }

  @Override
  public long size() throws IOException {
    return channel.size();
  }

  @Override
  public synchronized void close() throws IOException {
    directRefused = true;
    try (FileChannel alsoClosed = direct) {
      channel.close();
    }
  }
}
