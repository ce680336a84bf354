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
import io.netty.buffer.PooledByteBufAllocator;
import io.stowage.client.DataPath;
import io.stowage.client.ObjectReader;
import io.stowage.client.crypt.ObjectCipher;
import io.stowage.common.error.ErrorCode;
import io.stowage.common.error.StoreException;
import io.stowage.common.proto.GetObjectReply;
import io.stowage.common.proto.ObjectVersion;
import java.io.EOFException;
import java.io.FileNotFoundException;
import java.io.IOException;
import java.io.InterruptedIOException;
import java.io.UncheckedIOException;
import java.lang.ref.Cleaner;
import java.nio.ByteBuffer;
import java.util.List;
import java.util.Locale;
import java.util.Objects;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Executor;
import java.util.concurrent.atomic.AtomicLong;
import java.util.function.IntFunction;
import org.apache.hadoop.fs.ByteBufferPositionedReadable;
import org.apache.hadoop.fs.ByteBufferReadable;
import org.apache.hadoop.fs.CanUnbuffer;
import org.apache.hadoop.fs.FSExceptionMessages;
import org.apache.hadoop.fs.FSInputStream;
import org.apache.hadoop.fs.FileRange;
import org.apache.hadoop.fs.FileSystem;
import org.apache.hadoop.fs.PathIOException;
import org.apache.hadoop.fs.StreamCapabilities;
import org.apache.hadoop.fs.statistics.IOStatistics;
import org.apache.hadoop.fs.statistics.IOStatisticsSource;
import org.apache.hadoop.fs.statistics.StreamStatisticNames;
import org.apache.hadoop.fs.statistics.impl.IOStatisticsStore;
import org.apache.hadoop.security.AccessControlException;

/**
 * Reads one version of a file, the one that was there at open; if that is replaced, reads go on
 * while its bytes are there, and fail in words afterwards, but never mix two versions. Sequential
 * reads hold the piece being read and up to three that are fetched ahead; pieces grow from 128 KiB
 * to the setting, and then their number, while reads stay in sequence, so that a seek costs little,
 * unless the read policy says better. Between reads {@link PieceMemory} may take the pieces away,
 * and the next read fetches again. Positioned reads fetch exactly what they ask for, vectored ones
 * what {@link VectoredRead} plans.
 *
 * <p>The position is guarded by the stream's lock, and so are pieces while a read uses them;
 * positioned and vectored reads take no lock and may run at once with others.
 */
final class StowageInputStream extends FSInputStream
    implements ByteBufferReadable,
        ByteBufferPositionedReadable,
        CanUnbuffer,
        StreamCapabilities,
        IOStatisticsSource {
  /** Holds most files of the kind that is packed, and costs no more than its round trip. */
  private static final int FIRST_PIECE_BYTES = 128 << 10;

  /** Of the first pieces of a sequence; those of 4 MiB about fill the buffers they come in. */
  private static final int LONGEST_COPY_BYTES = 512 << 10;

  /**
   * Pieces that are fetched ahead at once. The steps of one (disk, checksums, network, checksums
   * again) follow one another, so that one alone leaves most of them idle.
   */
  private static final int MOST_AHEAD = 3;

  /**
   * How often the places of the same version are looked up again in one read, when its containers
   * were rewritten.
   */
  private static final int RELOCATIONS = 3;

  private final ObjectTree tree;
  private final ClusterConnection cluster;
  private final FileSystem.Statistics statistics;
  private final FsStatistics fsStatistics;
  private final IOStatisticsStore counters = FsStatistics.ofInput();
  private final AtomicLong bytesRead =
      counters.getCounterReference(StreamStatisticNames.STREAM_READ_BYTES);
  private final AtomicLong reads =
      counters.getCounterReference(StreamStatisticNames.STREAM_READ_OPERATIONS);
  private final String path;
  private final long length;
  private final ReadPolicy policy;
  private final ObjectCipher cipher; // of the version, wherever its bytes are; null: none
  private final int largestPiece;

  private final Object relocation = new Object(); // always the inner lock
  private volatile Source source; // replaced under relocation
  private volatile boolean closed;

  private long position;
  private long nextInSequence; // where the last piece ended
  private int nextPieceBytes;
  private int piecesAhead; // that there may be; more of them when they cannot be longer

  private final KeptPieces kept;
  private final Cleaner.Cleanable forgotten; // ends what is kept, once, also of a stream left open

  /** Where the version's bytes are, as last heard. */
  private record Source(ObjectVersion version, ObjectReader reader) {}

  /**
   * Opens a version.
   *
   * @param cipher of its bytes; null: they are kept as they are
   */
  StowageInputStream(
      ObjectTree tree,
      ClusterConnection cluster,
      FileSystem.Statistics statistics,
      FsStatistics fsStatistics,
      String path,
      GetObjectReply object,
      ObjectCipher cipher,
      int readAheadBytes,
      ReadPolicy policy)
      throws StoreException {
    this.tree = tree;
    this.cluster = cluster;
    this.statistics = statistics;
    this.fsStatistics = fsStatistics;
    this.path = path;
    this.length = object.getVersion().getLength();
    this.policy = policy;
    this.cipher = cipher;
    this.source = sourceOf(object);
    this.largestPiece = Math.min(readAheadBytes, source.reader().maxRead());
    beginSequence();
    this.kept = new KeptPieces(cluster.pieceMemory());
    this.forgotten = ClusterConnection.whenForgotten(this, kept::close);
  }

  private Source sourceOf(GetObjectReply object) throws StoreException {
    ObjectVersion version = object.getVersion();
    ObjectReader stored =
        cluster.dataPath().read(DataPath.ReadSpec.of(version, object.getContainersList()));
    try {
      return new Source(version, cipher == null ? stored : cipher.decrypting(stored, version));
    } catch (StoreException e) {
      stored.close();
      throw e;
    }
  }

  /** Whoever reads next may want little: columnar formats jump. */
  private void beginSequence() {
    piecesAhead = 1;
    nextPieceBytes =
        policy == ReadPolicy.SEQUENTIAL ? largestPiece : Math.min(FIRST_PIECE_BYTES, largestPiece);
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
    KeptPieces.Piece current = kept.piece.getAndSet(null);
    if (current == null || !current.has(position)) {
      kept.release(current);
      current = fetchPiece();
    }
    int inPiece = (int) (position - current.start());
    int count = Math.min(target.remaining(), current.bytes().readableBytes() - inPiece);
    try {
      copy(current.bytes(), inPiece, count, target);
    } finally {
      kept.piece.set(current); // also if the target cannot be written
    }
    position += count;
    countRead(count);
    return count;
  }

  private void countRead(long count) {
    statistics.incrementBytesRead(count);
    bytesRead.addAndGet(count);
    reads.incrementAndGet();
  }

  private KeptPieces.Piece fetchPiece() throws IOException {
    KeptPieces.Ahead ahead = kept.takeAhead(position);
    if (ahead == null && position != nextInSequence) {
      beginSequence();
    }
    long start = ahead == null ? position : ahead.start();
    int count = ahead == null ? pieceBytes(start) : ahead.length();
    ByteBuf bytes = ahead == null ? null : await(ahead);
    if (bytes == null) {
      bytes = fetchToKeep(start, count);
    }
    nextInSequence = start + count;
    if (policy != ReadPolicy.RANDOM) {
      fetchAhead();
    }
    return new KeptPieces.Piece(start, bytes);
  }

  /** How much to fetch at once from a position on; what follows is fetched, too, by and by. */
  private int pieceBytes(long start) {
    return source.reader().evenLength(start, (int) Math.min(nextPieceBytes, length - start));
  }

  /** What was fetched ahead; null if that failed. */
  private ByteBuf await(KeptPieces.Ahead ahead) throws IOException {
    try {
      return ahead.bytes().get();
    } catch (ExecutionException e) {
      kept.release(ahead);
      return null; // the reader's own attempt tells what is wrong
    } catch (InterruptedException e) {
      kept.release(ahead);
      Thread.currentThread().interrupt();
      InterruptedIOException interrupted = new InterruptedIOException(path + ": interrupted");
      interrupted.initCause(e);
      throw interrupted;
    }
  }

  /** One more piece was read in sequence: the next ones may be longer, or more of them. */
  private void fetchAhead() {
    if (nextPieceBytes == largestPiece) {
      piecesAhead = Math.min(piecesAhead + 1, MOST_AHEAD);
    }
    nextPieceBytes = (int) Math.min(2L * nextPieceBytes, largestPiece);
    // A reader that had one piece may want nothing more. Two in sequence mean to go on.
    if (nextPieceBytes < Math.min(4 * FIRST_PIECE_BYTES, largestPiece)) {
      return;
    }
    boolean begun = true;
    while (begun && kept.countAhead() < piecesAhead) {
      long start = kept.endOfAhead(nextInSequence);
      if (start >= length) {
        return;
      }
      int count = pieceBytes(start);
      Executor threads = kept.countAhead() == 0 ? cluster.readAhead() : cluster.readFarAhead();
      begun = kept.fetchAhead(start, count, () -> fetchUnchecked(start, count), threads);
    }
  }

  private ByteBuf fetchUnchecked(long start, int count) {
    try {
      return fetchApart(start, count);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  private ByteBuf fetchToKeep(long start, int count) throws IOException {
    ByteBuf bytes = fetchApart(start, count);
    kept.took(bytes);
    return bytes;
  }

  /**
   * What is fetched is a part of the buffers that it was received in, of up to 1 MiB for each shard
   * that answered: a short piece that is kept would keep many times what {@link PieceMemory}
   * counts.
   */
  private ByteBuf fetchApart(long start, int count) throws IOException {
    ByteBuf received = fetch(start, count);
    if (count > LONGEST_COPY_BYTES) {
      return received;
    }
    try {
      return PooledByteBufAllocator.DEFAULT
          .directBuffer(count, count)
          .writeBytes(received, received.readerIndex(), count);
    } finally {
      received.release();
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
    countRead(count);
  }

  private static void copy(ByteBuf from, int index, int count, ByteBuffer target) {
    int limit = target.limit();
    target.limit(target.position() + count); // getBytes fills what remains
    try {
      from.getBytes(from.readerIndex() + index, target);
    } finally {
      target.limit(limit);
    }
  }

  /** Of this size and nearer, ranges are joined. */
  @Override
  public int minSeekForVectorReads() {
    return VectoredRead.GAP_BYTES;
  }

  @Override
  public int maxReadSizeForVectorReads() {
    return source.reader().maxRead();
  }

  /** Reads many ranges at once; returns when all are asked for. */
  @Override
  public void readVectored(List<? extends FileRange> ranges, IntFunction<ByteBuffer> allocate)
      throws IOException {
    requireOpen();
    Objects.requireNonNull(ranges, "ranges");
    Objects.requireNonNull(allocate, "allocate");
    VectoredRead read =
        new VectoredRead(NewerRanges.of(ranges, allocate), length, source.reader().maxRead());
    counters.incrementCounter(FsStatistics.VECTORED_OPERATIONS, 1);
    counters.incrementCounter(FsStatistics.VECTORED_RANGES, ranges.size());
    counters.incrementCounter(FsStatistics.VECTORED_READS, read.reads());
    countRead(read.wantedBytes());
    read.begin(
        (from, count) -> {
          requireOpen();
          return fetch(from, count);
        },
        cluster.rangeReads());
  }

  // Bytes of the version.

  private ByteBuf fetch(long from, int count) throws IOException {
    if (cluster.isClosed()) {
      throw new PathIOException(path, "Cannot read: the FileSystem is closed");
    }
    for (int relocations = 0; ; relocations++) {
      Source used = source;
      try {
        return used.reader().read(from, count);
      } catch (StoreException e) {
        boolean moved = e.code() == ErrorCode.NO_SUCH_CONTAINER && relocations < RELOCATIONS;
        // A file may be open for longer than a token holds; datanodes that refuse it are as good as
        // away.
        boolean tokenEnded =
            e.code() == ErrorCode.DATA_UNAVAILABLE && relocations == 0 && cluster.isSecure();
        if (!moved && !tokenEnded) {
          throw HadoopErrors.of(e, path);
        }
        relocate(used);
      }
    }
  }

  /**
   * The containers were rewritten, or the token for them has ended: asks where the same version's
   * bytes are now. Under a lock of its own, since whoever reads in sequence may hold the stream's
   * and be waiting for the very read ahead that needs this.
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
        if (e.code() == ErrorCode.PRECONDITION_FAILED
            || e.code() == ErrorCode.NO_SUCH_KEY
            || e.code() == ErrorCode.NO_SUCH_VERSION) {
          FileNotFoundException gone =
              new FileNotFoundException(
                  path
                      + " was replaced or deleted while it was being read, and its bytes are gone");
          gone.initCause(e);
          throw gone;
        }
        if (e.code() == ErrorCode.ACCESS_DENIED) { // or nobody who may not list is told that
          AccessControlException denied =
              new AccessControlException(
                  path
                      + " was deleted while it was being read, or may no longer be: "
                      + e.getMessage());
          denied.initCause(e);
          throw denied;
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
    if (target != position) {
      counters.incrementCounter(StreamStatisticNames.STREAM_READ_SEEK_OPERATIONS, 1);
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
    kept.dropPieces();
    beginSequence();
  }

  @Override
  public boolean hasCapability(String capability) {
    return switch (capability.toLowerCase(Locale.ROOT)) {
      case StreamCapabilities.READBYTEBUFFER,
          StreamCapabilities.PREADBYTEBUFFER,
          StreamCapabilities.UNBUFFER,
          StreamCapabilities.IOSTATISTICS,
          StreamCapabilities.VECTOREDIO ->
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
      forgotten.clean();
      fsStatistics.add(counters);
      synchronized (relocation) {
        source.reader().close();
      }
    }
  }

  @Override
  public IOStatistics getIOStatistics() {
    return counters;
  }

  @Override
  public String toString() {
    return "stream from " + path + " at " + getPos() + " of " + length + " bytes";
  }
}
