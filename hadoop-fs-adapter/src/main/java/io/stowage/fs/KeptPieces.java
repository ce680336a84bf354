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
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.Executor;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.atomic.AtomicReference;
import java.util.function.Supplier;

/**
 * What an input stream keeps between reads, the piece being read and those that are fetched ahead;
 * apart from the stream, because {@link PieceMemory} is the process's and holds this: who forgets
 * to close a stream would be held by it, with his client of the cluster, for ever.
 *
 * <p>Who takes a piece out owns it: a read under the stream's lock, which puts it back, or {@link
 * PieceMemory}. A piece is counted from when it is begun until it is given back; one that is given
 * back before it has come is released when it comes. Thread-safe.
 */
final class KeptPieces implements PieceMemory.Holder {
  record Piece(long start, ByteBuf bytes) {
    boolean has(long position) {
      return position >= start && position < start + bytes.readableBytes();
    }
  }

  /** A piece that is on its way or has come. */
  record Ahead(long start, int length, CompletableFuture<ByteBuf> bytes) {
    long end() {
      return start + length;
    }
  }

  final AtomicReference<Piece> piece = new AtomicReference<>();
  private final Deque<Ahead> ahead = new ArrayDeque<>(); // one behind the other; guarded by this
  private final PieceMemory memory;

  KeptPieces(PieceMemory memory) {
    this.memory = memory;
  }

  /** Counts what was fetched to be kept. */
  void took(ByteBuf bytes) {
    memory.took(this, bytes.readableBytes());
  }

  synchronized int countAhead() {
    return ahead.size();
  }

  /** Where the last piece that is fetched ahead ends. */
  synchronized long endOfAhead(long ifNone) {
    return ahead.isEmpty() ? ifNone : ahead.getLast().end();
  }

  /**
   * Begins to fetch a piece behind the others.
   *
   * @param threads refuse what they do not begin at once
   * @return false if it is the second or a later one and there is no memory for it, or no thread
   */
  boolean fetchAhead(long start, int length, Supplier<ByteBuf> fetch, Executor threads) {
    boolean isNext = countAhead() == 0;
    if (!isNext && !memory.tryTakeFar(this, length)) {
      return false;
    }
    Ahead begun;
    try {
      begun = new Ahead(start, length, CompletableFuture.supplyAsync(fetch, threads));
    } catch (RejectedExecutionException | OutOfMemoryError e) {
      if (!isNext) {
        memory.gave(length); // all threads are busy, or no more can be made
      }
      return false;
    }
    if (isNext) {
      memory.took(this, length); // others make room for what is under way, not for what is refused
    }
    synchronized (this) {
      if (isNext || (!ahead.isEmpty() && ahead.getLast().end() == start)) {
        ahead.addLast(begun);
        return true;
      }
    }
    release(begun); // those before it were dropped meanwhile
    return false;
  }

  /** The first piece that is fetched ahead, if it has a position; else all are dropped. */
  Ahead takeAhead(long position) {
    synchronized (this) {
      Ahead first = ahead.peekFirst();
      if (first != null && position >= first.start() && position < first.end()) {
        return ahead.removeFirst();
      }
    }
    dropAhead(0);
    return null;
  }

  void release(Piece dropped) {
    if (dropped != null) {
      memory.gave(dropped.bytes().readableBytes());
      dropped.bytes().release();
    }
  }

  void release(Ahead dropped) {
    memory.gave(dropped.length());
    CompletableFuture<Void> unused =
        dropped.bytes().thenAccept(ByteBuf::release); // now, or when it comes
  }

  /** Drops all pieces ahead but the first ones, the last one first. */
  private void dropAhead(int kept) {
    for (; ; ) {
      Ahead last;
      synchronized (this) {
        if (ahead.size() <= kept) {
          return;
        }
        last = ahead.removeLast();
      }
      release(last);
    }
  }

  /** Called by any thread. */
  @Override
  public void dropFarPieces() {
    dropAhead(1);
  }

  /** Takes away what no read uses just now. Called by any thread. */
  @Override
  public void dropPieces() {
    release(piece.getAndSet(null));
    dropAhead(0);
  }

  /** The stream is closed, or nobody can use it any more. */
  void close() {
    dropPieces();
    memory.forget(this);
  }
}
