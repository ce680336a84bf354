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
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * A file of the machine's own file system. Read by any thread, written by one at a time, which is
 * also the only one that renames or deletes the file.
 *
 * <p>Large writes go past the page cache (O_DIRECT), where the file system lets them: what a stream
 * of megabytes leaves there pushes out what is read often, and getting fresh pages for it can cost
 * more than the rest of the write (ADR 7). A write is large by its bytes, however many buffers they
 * lie in: what came over the network lies in several, of odd lengths. Small ones, of which the next
 * force takes many together, and all reads go through it; the kernel keeps the two consistent.
 */
final class LocalDiskFile implements DiskFile {
  private static final Logger LOG = LoggerFactory.getLogger(LocalDiskFile.class);

  /** A write from which on a device is as fast with it alone as with what a cache gathers. */
  static final int DIRECT_BYTES = 128 << 10;

  /** What file, buffer and length have to be multiples of; file systems with larger blocks: no. */
  private static final int BLOCK = 4096;

  /** Where bytes that lie elsewhere are copied to first; a disk has few threads that write. */
  private static final ThreadLocal<ByteBuffer> ALIGNED =
      ThreadLocal.withInitial(
          () -> ByteBuffer.allocateDirect((1 << 20) + BLOCK).alignedSlice(BLOCK).slice(0, 1 << 20));

  private final Path path;
  private final FileChannel channel;

  // Confined to the writer, and to close after it.
  private FileChannel direct;
  private boolean directRefused;

  LocalDiskFile(Path path, FileChannel channel) {
    this.path = path;
    this.channel = channel;
  }

  @Override
  public int read(ByteBuffer into, long position) throws IOException {
    int total = 0;
    while (into.hasRemaining()) {
      int n = channel.read(into, position + total);
      if (n < 0) {
        break;
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
      writeAll(from, position, position + wanted);
    } catch (IOException e) {
      throw LocalDiskFiles.failure(e, path, wanted);
    }
  }

  private void writeAll(ByteBuffer[] from, long position, long end) throws IOException {
    long at = position;
    if (end - at >= DIRECT_BYTES && at % BLOCK == 0 && canWriteDirectly()) {
      at = writeDirectly(from, at, end);
    }
    for (ByteBuffer piece : from) {
      while (piece.hasRemaining()) {
        at += channel.write(piece, at);
      }
    }
  }

  /** Whole blocks, while the device takes whole blocks; what is left is written as usual. */
  private long writeDirectly(ByteBuffer[] from, long position, long end) throws IOException {
    long at = position;
    while (end - at >= BLOCK && at % BLOCK == 0) {
      int written = direct.write(nextBlocks(from, end - at), at);
      skip(from, written);
      at += written;
    }
    return at;
  }

  /**
   * Whole blocks at a whole block in memory, of the bytes that come next: those of one buffer,
   * where it has as many there as can be copied together, else those of several, copied. Moves no
   * position.
   */
  private static ByteBuffer nextBlocks(ByteBuffer[] from, long left) {
    long whole = left / BLOCK * BLOCK;
    int first = 0;
    while (!from[first].hasRemaining()) {
      first++;
    }
    ByteBuffer next = from[first];
    ByteBuffer aligned = ALIGNED.get().clear();
    int inPlace = next.remaining() / BLOCK * BLOCK;
    if (inPlace >= Math.min(aligned.capacity(), whole)
        && next.isDirect()
        && next.alignmentOffset(next.position(), BLOCK) == 0) {
      return next.slice(next.position(), inPlace);
    }
    aligned.limit((int) Math.min(whole, aligned.capacity()));
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

  /** The path still names this file: nobody else renames it. */
  private boolean canWriteDirectly() {
    if (direct == null && !directRefused) {
      try {
        direct = FileChannel.open(path, StandardOpenOption.WRITE, ExtendedOpenOption.DIRECT);
        if (java.nio.file.Files.getFileStore(path).getBlockSize() > BLOCK) {
          directRefused = true;
          direct.close();
          direct = null;
        }
      } catch (IOException | UnsupportedOperationException e) {
        // as in a file system in memory
        LOG.debug("{} is written through the page cache", path, e);
        directRefused = true;
      }
    }
    return direct != null;
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
  public void close() throws IOException {
    try (FileChannel alsoClosed = direct) {
      channel.close();
    }
  }
}
