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

import java.util.Iterator;
import java.util.LinkedHashSet;
import java.util.Set;

/**
 * What the streams of a process keep between calls, all together. An input stream that fetches a
 * piece gets it in any case, and the next one ahead; when there is too much then, first those
 * streams that have more ahead lose that, then those their pieces that have not fetched for
 * longest. More ahead is had only where there is room. Output streams that gather long chunks may
 * take half of the bound from them; who gets nothing hands on short ones. Nothing waits here. So
 * any number of streams may be open, and memory beyond the bound is only what reads of the moment
 * use, one piece a reading thread, and one each thread of read-ahead whose stream has gone
 * elsewhere, and a short chunk of each output stream.
 *
 * <p>Thread-safe. Holders are called without the lock.
 */
final class PieceMemory {
  /** What a stream keeps; not the stream, or nobody who leaves one open would ever be forgotten. */
  interface Holder {
    /** Gives back what it has ahead of its next piece; it tells so by {@link #gave}. */
    void dropFarPieces();

    /** Gives back what it keeps and is not using just now; it tells so by {@link #gave}. */
    void dropPieces();
  }

  private volatile long mostBytes;
  // Who fetched last is last. Each is asked to drop once, and put back by its next fetch.
  private final Set<Holder> holders = new LinkedHashSet<>();
  private final Set<Holder> farHolders = new LinkedHashSet<>(); // those that may have more ahead
  private long bytes; // of pieces and chunks
  private long gatheredBytes; // of chunks

  PieceMemory(long mostBytes) {
    this.mostBytes = mostBytes;
  }

  /** A stream has fetched a piece, or begins to fetch the next one. */
  void took(Holder holder, int count) {
    synchronized (this) {
      holders.remove(holder); // others are asked
      bytes += count;
    }
    makeRoom();
    synchronized (this) {
      holders.add(holder);
    }
  }

  /** A stream wants to begin to fetch one more ahead; false: there is no room for it. */
  synchronized boolean tryTakeFar(Holder holder, int count) {
    if (bytes + count > mostBytes) {
      return false;
    }
    bytes += count;
    farHolders.remove(holder);
    farHolders.add(holder);
    if (holders.remove(holder)) {
      holders.add(holder); // it fetches, though not its next piece
    }
    return true;
  }

  /** Has holders drop theirs until there is not too much. */
  private void makeRoom() {
    for (Runnable drop = nextToDrop(); drop != null; drop = nextToDrop()) {
      drop.run();
    }
  }

  private synchronized Runnable nextToDrop() {
    if (bytes <= mostBytes) {
      return null;
    }
    Holder far = eldest(farHolders);
    if (far != null) {
      return far::dropFarPieces;
    }
    Holder any = eldest(holders);
    return any == null ? null : any::dropPieces;
  }

  private static Holder eldest(Set<Holder> of) {
    Iterator<Holder> all = of.iterator();
    if (!all.hasNext()) {
      return null;
    }
    Holder eldest = all.next();
    all.remove();
    return eldest;
  }

  /** An output stream wants to gather so many bytes; false: the others have enough of them. */
  boolean tryGather(int count) {
    synchronized (this) {
      if (gatheredBytes + count > mostBytes / 2) {
        return false;
      }
      gatheredBytes += count;
      bytes += count;
    }
    makeRoom();
    return true;
  }

  /** What it wanted to gather is handed on. */
  synchronized void handedOn(int count) {
    gatheredBytes -= count;
    bytes -= count;
  }

  /** A piece was released, or will be when it comes. */
  synchronized void gave(int count) {
    bytes -= count;
  }

  /** A stream is closed. */
  synchronized void forget(Holder holder) {
    holders.remove(holder);
    farHolders.remove(holder);
  }

  synchronized long bytes() {
    return bytes;
  }

  /** Tests only: another bound from now on; returns the one before. */
  long limit(long bound) {
    long before = mostBytes;
    mostBytes = bound;
    return before;
  }
}
