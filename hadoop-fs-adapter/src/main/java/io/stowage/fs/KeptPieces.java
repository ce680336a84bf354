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
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.atomic.AtomicReference;

/**
 * What an input stream keeps between reads, the piece being read and the one fetched ahead; apart
 * from the stream, because {@link PieceMemory} is the process's and holds this: who forgets to
 * close a stream would be held by it, with his client of the cluster, for ever.
 *
 * <p>Who takes a piece out owns it: a read under the stream's lock, which puts it back, or {@link
 * PieceMemory}. Thread-safe.
 */
final class KeptPieces implements PieceMemory.Holder {
  record Piece(long start, ByteBuf bytes) {
    boolean has(long position) {
      return position >= start && position < start + bytes.readableBytes();
    }
  }

  record Ahead(long start, CompletableFuture<ByteBuf> bytes) {}

  final AtomicReference<Piece> piece = new AtomicReference<>();
  final AtomicReference<Ahead> ahead = new AtomicReference<>();
  private final PieceMemory memory;
  private volatile boolean closed;

  KeptPieces(PieceMemory memory) {
    this.memory = memory;
  }

  /** Counts what was fetched to be kept. */
  void took(ByteBuf bytes) {
    memory.took(this, bytes.readableBytes());
  }

  void release(Piece dropped) {
    if (dropped != null) {
      release(dropped.bytes());
    }
  }

  void release(Ahead dropped) {
    if (dropped != null) {
      CompletableFuture<Void> unused =
          dropped.bytes().thenAccept(this::release); // now, or when it comes
    }
  }

  private void release(ByteBuf bytes) {
    memory.gave(bytes.readableBytes());
    bytes.release();
    if (closed) {
      memory.forget(this); // what came late has told of this stream again
    }
  }

  /** Takes away what no read uses just now. Called by any thread. */
  @Override
  public void dropPieces() {
    release(piece.getAndSet(null));
    release(ahead.getAndSet(null));
  }

  /** The stream is closed, or nobody can use it any more. */
  void close() {
    closed = true;
    dropPieces();
    memory.forget(this);
  }
}
