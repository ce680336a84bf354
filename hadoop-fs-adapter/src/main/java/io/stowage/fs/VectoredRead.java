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
import java.io.EOFException;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Queue;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.Executor;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.Consumer;
import java.util.function.IntFunction;

/**
 * Many ranges of one file at once. Ranges that lie near one another are joined, what is long is
 * cut, and each piece is one read of the shards that hold it, several at a time on threads for it
 * and, when these are busy, one on the caller's. A range's future completes when its last piece has
 * come.
 *
 * <p>Memory: a piece in flight has one buffer of at most {@link #largestPiece}, one for each thread
 * of the process and one for each caller who reads a piece himself; beside it there is only what
 * the caller's own allocator gave for ranges that have begun. Ranges may overlap or be the same.
 * Confined to the call that made it, except for what the reads do.
 */
final class VectoredRead {
  /**
   * Bytes between two ranges that are read in vain rather than asked past: what a round trip to a
   * shard costs in bytes, about.
   */
  static final int GAP_BYTES = 64 << 10;

  private final int largestPiece;

  /** Reads bytes of the file. */
  interface Source {
    /** Reads a range whole; the caller releases the buffer. */
    ByteBuf read(long offset, int length) throws IOException;
  }

  /** A range that somebody wants. */
  static final class Range {
    private final long offset;
    private final int length;
    private final IntFunction<ByteBuffer> allocate;
    private final CompletableFuture<ByteBuffer> data;
    private final Consumer<CompletableFuture<ByteBuffer>> promise;
    private final AtomicInteger piecesLeft = new AtomicInteger();
    private ByteBuffer target; // guarded by this; null: no piece has come yet

    Range(
        long offset,
        int length,
        IntFunction<ByteBuffer> allocate,
        CompletableFuture<ByteBuffer> data,
        Consumer<CompletableFuture<ByteBuffer>> promise) {
      this.offset = offset;
      this.length = length;
      this.allocate = allocate;
      this.data = data;
      this.promise = promise;
    }

    private long end() {
      return offset + length;
    }

    private synchronized ByteBuffer target() {
      if (target == null) {
        target = allocate.apply(length);
      }
      return target;
    }

    /** Takes what a piece has of this range; pieces do not overlap. */
    private void take(long pieceStart, ByteBuf piece) {
      long from = Math.max(offset, pieceStart);
      int count = (int) (Math.min(end(), pieceStart + piece.readableBytes()) - from);
      ByteBuffer into = target().duplicate(); // pieces fill it side by side
      into.position(into.position() + (int) (from - offset)).limit(into.position() + count);
      piece.getBytes(piece.readerIndex() + (int) (from - pieceStart), into);
      if (piecesLeft.decrementAndGet() == 0) {
        ByteBuffer whole = target(); // the allocator's own buffer: somebody may give it back
        whole.limit(whole.position() + length);
        data.complete(whole);
      }
    }
  }

  /** One read: a piece of the file, and the ranges that want some of it. */
  private record Piece(long start, int length, List<Range> ranges) {}

  private final List<Range> ranges;
  private final List<Piece> pieces = new ArrayList<>();
  private final List<Range> empty = new ArrayList<>();
  private long wantedBytes;

  /**
   * Checks ranges and plans their reads.
   *
   * @param fileLength ranges beyond it are refused before anything is read
   */
  VectoredRead(List<Range> ranges, long fileLength, int largestPiece) throws EOFException {
    this.ranges = ranges;
    this.largestPiece = largestPiece;
    for (Range range : ranges) {
      if (range.length < 0) {
        throw new IllegalArgumentException("length is negative: " + range.length);
      }
      if (range.offset < 0) {
        throw new EOFException("position is negative: " + range.offset);
      }
      if (range.offset > fileLength - range.length) {
        throw new EOFException(
            "range of "
                + range.length
                + " bytes at "
                + range.offset
                + " ends behind the file's "
                + fileLength
                + " bytes");
      }
      wantedBytes += range.length;
    }
    List<Range> sorted = new ArrayList<>(ranges);
    sorted.sort(Comparator.comparingLong(range -> range.offset));
    List<Range> run = new ArrayList<>();
    long runEnd = 0;
    for (Range range : sorted) {
      if (range.length == 0) {
        empty.add(range);
        continue;
      }
      if (!run.isEmpty() && range.offset > runEnd + GAP_BYTES) {
        cut(run, runEnd);
        run = new ArrayList<>();
        runEnd = 0;
      }
      run.add(range);
      runEnd = Math.max(runEnd, range.end());
    }
    if (!run.isEmpty()) {
      cut(run, runEnd);
    }
  }

  /**
   * A run into pieces. Where a piece ends, the next begins with the next byte that anybody wants.
   */
  private void cut(List<Range> run, long runEnd) {
    int first = 0; // no range before it reaches the piece
    for (long start = run.get(0).offset; start < runEnd; ) {
      long end = Math.min(runEnd, start + largestPiece);
      while (first < run.size() && run.get(first).end() <= start) {
        first++;
      }
      List<Range> within = new ArrayList<>();
      long wanted = Long.MAX_VALUE; // the first byte wanted at or behind the piece's end
      long covered = start; // the last byte wanted in the piece
      for (int i = first; i < run.size(); i++) {
        Range range = run.get(i);
        if (range.offset < end && range.end() > start) {
          within.add(range);
          covered = Math.max(covered, Math.min(end, range.end()));
        }
        if (range.end() > end) {
          wanted = Math.min(wanted, Math.max(end, range.offset));
        }
        if (range.offset >= end) {
          break; // sorted: those behind it begin no sooner
        }
      }
      within.forEach(range -> range.piecesLeft.incrementAndGet());
      pieces.add(new Piece(start, (int) (covered - start), within));
      start = wanted == Long.MAX_VALUE ? runEnd : wanted;
    }
  }

  int reads() {
    return pieces.size();
  }

  long wantedBytes() {
    return wantedBytes;
  }

  /**
   * Promises every range its bytes and begins to read. While all threads are busy, pieces are read
   * here. A thread goes on as long as there are pieces that nobody has begun, so that a slow one
   * that is read here holds up no others; and after each one here a thread is asked for again.
   */
  void begin(Source source, Executor threads) {
    ranges.forEach(range -> range.promise.accept(range.data));
    empty.forEach(range -> range.data.complete(range.allocate.apply(0)));
    Queue<Piece> left = new ConcurrentLinkedQueue<>(pieces);
    Thread caller = Thread.currentThread();
    for (int tasks = 0; tasks < pieces.size() && !left.isEmpty(); tasks++) {
      threads.execute(() -> read(source, left, caller));
    }
  }

  /** Reads what is left, or, on the thread of the caller, who hands on the rest, one piece. */
  private static void read(Source source, Queue<Piece> left, Thread caller) {
    Piece piece;
    do {
      piece = left.poll();
      if (piece != null) {
        read(source, piece);
      }
    } while (piece != null && Thread.currentThread() != caller);
  }

  private static void read(Source source, Piece piece) {
    try {
      ByteBuf bytes = source.read(piece.start(), piece.length());
      try {
        piece.ranges().forEach(range -> range.take(piece.start(), bytes));
      } finally {
        bytes.release();
      }
    } catch (IOException | RuntimeException | Error e) { // others' pieces are still to be read
      piece.ranges().forEach(range -> range.data.completeExceptionally(e));
    }
  }
}
