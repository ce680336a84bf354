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
package io.stowage.fs;

import io.netty.buffer.ByteBuf;
import io.stowage.client.DataPath;
import io.stowage.client.ObjectReader;
import io.stowage.common.error.ErrorCode;
import io.stowage.common.error.StoreException;
import io.stowage.common.proto.GetObjectReply;
import io.stowage.common.proto.ObjectVersion;
import java.io.EOFException;
import java.io.FileNotFoundException;
import java.io.IOException;
import java.io.InterruptedIOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.util.Locale;
import java.util.Objects;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Executor;
import java.util.concurrent.RejectedExecutionException;
import org.apache.hadoop.fs.ByteBufferPositionedReadable;
import org.apache.hadoop.fs.ByteBufferReadable;
import org.apache.hadoop.fs.CanUnbuffer;
import org.apache.hadoop.fs.FSExceptionMessages;
import org.apache.hadoop.fs.FSInputStream;
import org.apache.hadoop.fs.FileSystem;
import org.apache.hadoop.fs.PathIOException;
import org.apache.hadoop.fs.StreamCapabilities;

/**
 * Reads one version of a file, the one that was there at open; if that is replaced, reads go on
 * while its bytes are there, and fail in words afterwards, but never mix two versions. Sequential
 * reads hold two pieces at most, the one being read and the one fetched ahead; a piece grows from
 * 128 KiB to the setting while reads stay in sequence, so that a seek costs little. Positioned
 * reads fetch exactly what they ask for.
 *
 * <p>Position and pieces are guarded by the stream's lock; positioned reads take no lock and may
 * run at once with others.
 */
final class StowageInputStream extends FSInputStream
    implements ByteBufferReadable, ByteBufferPositionedReadable, CanUnbuffer, StreamCapabilities {
  /** Holds most files of the kind that is packed, and costs no more than its round trip. */
  private static final int FIRST_PIECE_BYTES = 128 << 10;

  /**
   * How often the places of the same version are looked up again in one read, when its containers
   * were rewritten.
   */
  private static final int RELOCATIONS = 3;

  private final ObjectTree tree;
  private final DataPath dataPath;
  private final Executor readAhead;
  private final FileSystem.Statistics statistics;
  private final String path;
  private final long length;
  private final int largestPiece;

  private final Object relocation = new Object(); // always the inner lock
  private volatile Source source; // replaced under relocation
  private volatile boolean closed;

  private long position;
  private Piece piece; // null: none
  private Ahead ahead; // null: none
  private int nextPieceBytes = FIRST_PIECE_BYTES;

  /** Where the version's bytes are, as last heard. */
  private record Source(ObjectVersion version, ObjectReader reader) {}

  private record Piece(long start, ByteBuf bytes) {
    boolean has(long position) {
      return position >= start && position < start + bytes.readableBytes();
    }
  }

  private record Ahead(long start, CompletableFuture<ByteBuf> bytes) {}

  StowageInputStream(
      ObjectTree tree,
      DataPath dataPath,
      Executor readAhead,
      FileSystem.Statistics statistics,
      String path,
      GetObjectReply object,
      int readAheadBytes) {
    this.tree = tree;
    this.dataPath = dataPath;
    this.readAhead = readAhead;
    this.statistics = statistics;
    this.path = path;
    this.length = object.getVersion().getLength();
    this.source = sourceOf(object);
    this.largestPiece = Math.min(readAheadBytes, source.reader().maxRead());
  }

  private Source sourceOf(GetObjectReply object) {
    return new Source(
        object.getVersion(),
        dataPath.read(DataPath.ReadSpec.of(object.getVersion(), object.getContainersList())));
  }

  // Sequential reads.

  @Override
  public synchronized int read() throws IOException {
    byte[] one = new byte[1];
    int count = read(one, 0, 1);
    return count < 0 ? -1 : one[0] & 0xff;
  }

  @Override
  public synchronized int read(byte[] target, int offset, int count) throws IOException {
    Objects.checkFromIndexSize(offset, count, target.length);
    return read(ByteBuffer.wrap(target, offset, count));
  }

  @Override
  public synchronized int read(ByteBuffer target) throws IOException {
    requireOpen();
    if (!target.hasRemaining()) {
      return 0;
    }
    if (position >= length) {
      return -1;
    }
    if (piece == null || !piece.has(position)) {
      fetchPiece();
    }
    int inPiece = (int) (position - piece.start());
    int count = Math.min(target.remaining(), piece.bytes().readableBytes() - inPiece);
    copy(piece.bytes(), inPiece, count, target);
    position += count;
    statistics.incrementBytesRead(count);
    return count;
  }

  private void fetchPiece() throws IOException {
    boolean inSequence = piece == null || position == piece.start() + piece.bytes().readableBytes();
    dropPiece();
    nextPieceBytes = Math.min(inSequence ? nextPieceBytes : FIRST_PIECE_BYTES, largestPiece);
    ByteBuf bytes = takeAhead();
    if (bytes == null) {
      bytes = fetch(position, (int) Math.min(nextPieceBytes, length - position));
    }
    piece = new Piece(position, bytes);
    nextPieceBytes = (int) Math.min(2L * nextPieceBytes, largestPiece);
    fetchAhead(position + bytes.readableBytes());
  }

  /** What was fetched ahead, if it is what is wanted now. */
  private ByteBuf takeAhead() throws IOException {
    Ahead fetched = ahead;
    if (fetched == null || fetched.start() != position) {
      dropAhead();
      return null;
    }
    ahead = null;
    try {
      return fetched.bytes().get();
    } catch (ExecutionException e) {
      return null; // the reader's own attempt tells what is wrong
    } catch (InterruptedException e) {
      ahead = fetched;
      Thread.currentThread().interrupt();
      InterruptedIOException interrupted = new InterruptedIOException(path + ": interrupted");
      interrupted.initCause(e);
      throw interrupted;
    }
  }

  private void fetchAhead(long start) {
    // A reader that had one piece may want nothing more: columnar formats jump. Two in sequence
    // mean to go on.
    if (start >= length || nextPieceBytes < Math.min(4 * FIRST_PIECE_BYTES, largestPiece)) {
      return;
    }
    int count = (int) Math.min(nextPieceBytes, length - start);
    try {
      ahead =
          new Ahead(
              start, CompletableFuture.supplyAsync(() -> fetchUnchecked(start, count), readAhead));
    } catch (RejectedExecutionException e) {
      ahead = null; // all threads are busy
    }
  }

  private ByteBuf fetchUnchecked(long start, int count) {
    try {
      return fetch(start, count);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  private void dropPiece() {
    if (piece != null) {
      piece.bytes().release();
      piece = null;
    }
  }

  private void dropAhead() {
    if (ahead != null) {
      CompletableFuture<Void> unused =
          ahead.bytes().thenAccept(ByteBuf::release); // now, or when it comes
      ahead = null;
    }
  }

  // Positioned reads.

  @Override
  public int read(long from, byte[] target, int offset, int count) throws IOException {
    requireOpen();
    validatePositionedReadArgs(from, target, offset, count);
    return read(from, ByteBuffer.wrap(target, offset, count));
  }

  @Override
  public void readFully(long from, byte[] target, int offset, int count) throws IOException {
    requireOpen();
    validatePositionedReadArgs(from, target, offset, count);
    readFully(from, ByteBuffer.wrap(target, offset, count));
  }

  @Override
  public int read(long from, ByteBuffer target) throws IOException {
    requireOpen();
    if (from < 0) {
      throw new EOFException(FSExceptionMessages.NEGATIVE_SEEK);
    }
    if (!target.hasRemaining()) {
      return 0;
    }
    if (from >= length) {
      return -1;
    }
    int count = (int) Math.min(length - from, target.remaining());
    readRange(from, count, target);
    return count;
  }

  @Override
  public void readFully(long from, ByteBuffer target) throws IOException {
    requireOpen();
    if (from < 0) {
      throw new EOFException(FSExceptionMessages.NEGATIVE_SEEK);
    }
    if (target.remaining() > length - from && target.hasRemaining()) {
      throw new EOFException(FSExceptionMessages.EOF_IN_READ_FULLY);
    }
    readRange(from, target.remaining(), target);
  }

  private void readRange(long from, int count, ByteBuffer target) throws IOException {
    int done = 0;
    while (done < count) {
      int some = Math.min(count - done, source.reader().maxRead());
      ByteBuf bytes = fetch(from + done, some);
      try {
        copy(bytes, 0, some, target);
      } finally {
        bytes.release();
      }
      done += some;
    }
    statistics.incrementBytesRead(count);
  }

  private static void copy(ByteBuf from, int index, int count, ByteBuffer target) {
    int limit = target.limit();
    target.limit(target.position() + count); // getBytes fills what remains
    from.getBytes(from.readerIndex() + index, target);
    target.limit(limit);
  }

  // Bytes of the version.

  private ByteBuf fetch(long from, int count) throws IOException {
    for (int relocations = 0; ; relocations++) {
      Source used = source;
      try {
        return used.reader().read(from, count);
      } catch (StoreException e) {
        if (e.code() != ErrorCode.NO_SUCH_CONTAINER || relocations == RELOCATIONS) {
          throw HadoopErrors.of(e, path);
        }
        relocate(used);
      }
    }
  }

  /**
   * The containers were rewritten: asks where the same version's bytes are now. Under a lock of its
   * own, since whoever reads in sequence may hold the stream's and be waiting for the very read
   * ahead that needs this.
   */
  @SuppressWarnings("ReferenceEquality") // "is it still the one that failed"
  private void relocate(Source stale) throws IOException {
    synchronized (relocation) {
      if (source != stale) {
        return; // another thread has asked
      }
      try {
        source = sourceOf(tree.reopen(stale.version()));
        stale.reader().close();
        if (closed) {
          source.reader().close();
        }
      } catch (StoreException e) {
        if (e.code() == ErrorCode.PRECONDITION_FAILED || e.code() == ErrorCode.NO_SUCH_KEY) {
          FileNotFoundException gone =
              new FileNotFoundException(
                  path
                      + " was replaced or deleted while it was being read, and its bytes are gone");
          gone.initCause(e);
          throw gone;
        }
        throw HadoopErrors.of(e, path);
      }
    }
  }

  // Position.

  @Override
  public synchronized void seek(long target) throws IOException {
    requireOpen();
    if (target < 0) {
      throw new EOFException(FSExceptionMessages.NEGATIVE_SEEK);
    }
    if (target > length) {
      throw new EOFException(FSExceptionMessages.CANNOT_SEEK_PAST_EOF);
    }
    position = target;
  }

  @Override
  public synchronized long getPos() {
    return position;
  }

  @Override
  public synchronized long skip(long count) throws IOException {
    requireOpen();
    long skipped = Math.max(0, Math.min(count, length - position));
    position += skipped;
    return skipped;
  }

  /**
   * False: there are no replicas to choose another of; the reader decodes around what is damaged.
   */
  @Override
  public boolean seekToNewSource(long target) {
    return false;
  }

  @Override
  public synchronized int available() throws IOException {
    requireOpen();
    return (int) Math.min(length - position, Integer.MAX_VALUE);
  }

  /** Gives back the pieces; the next read fetches again. */
  @Override
  public synchronized void unbuffer() {
    dropPiece();
    dropAhead();
    nextPieceBytes = FIRST_PIECE_BYTES;
  }

  @Override
  public boolean hasCapability(String capability) {
    return switch (capability.toLowerCase(Locale.ROOT)) {
      case StreamCapabilities.READBYTEBUFFER,
          StreamCapabilities.PREADBYTEBUFFER,
          StreamCapabilities.UNBUFFER ->
          true;
      default -> false;
    };
  }

  private void requireOpen() throws IOException {
    if (closed) {
      throw new PathIOException(path, FSExceptionMessages.STREAM_IS_CLOSED);
    }
  }

  @Override
  public synchronized void close() {
    if (!closed) {
      closed = true;
      unbuffer();
      synchronized (relocation) {
        source.reader().close();
      }
    }
  }

  @Override
  public String toString() {
    return "stream from " + path + " at " + getPos() + " of " + length + " bytes";
  }
}
