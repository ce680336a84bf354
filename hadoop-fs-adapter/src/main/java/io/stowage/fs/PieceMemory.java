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

import java.util.ArrayList;
import java.util.Iterator;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;

/**
 * What the streams of a process keep between calls, all together. An input stream that fetches a
 * piece gets it in any case; when there is too much then, those streams lose theirs that have not
 * fetched for longest. Output streams that gather long chunks may take half of the bound from them;
 * who gets nothing hands on short ones. So any number of streams may be open, and memory beyond the
 * bound is only what reads of the moment use, one piece a reading thread, and one each thread of
 * read-ahead, and a short chunk of each output stream.
 *
 * <p>Thread-safe. Holders are called without the lock.
 */
final class PieceMemory {
  /** What a stream keeps; not the stream, or nobody who leaves one open would ever be forgotten. */
  interface Holder {
    /** Gives back what it keeps and is not using just now; it tells so by {@link #gave}. */
    void dropPieces();
  }

  private volatile long mostBytes;
  private final Set<Holder> holders = new LinkedHashSet<>(); // who fetched last is last
  private long bytes; // of pieces and chunks
  private long gatheredBytes; // of chunks

  PieceMemory(long mostBytes) {
    this.mostBytes = mostBytes;
  }

  /** A stream has fetched a piece. */
  void took(Holder holder, int count) {
    List<Holder> tooMany;
    synchronized (this) {
      holders.remove(holder);
      tooMany = add(count);
      holders.add(holder);
    }
    tooMany.forEach(Holder::dropPieces);
  }

  /** Counts so many bytes; gives the holders that have to drop theirs for them. */
  private List<Holder> add(int count) {
    bytes += count;
    List<Holder> tooMany = new ArrayList<>();
    long expected = bytes;
    // Each was asked to drop once: it is put back by its next fetch. How much it has is not
    // known here, about as much as the one that asks.
    for (Iterator<Holder> eldest = holders.iterator(); expected > mostBytes && eldest.hasNext(); ) {
      tooMany.add(eldest.next());
      eldest.remove();
      expected -= count;
    }
    return tooMany;
  }

  /** An output stream wants to gather so many bytes; false: the others have enough of them. */
  boolean tryGather(int count) {
    List<Holder> tooMany;
    synchronized (this) {
      if (gatheredBytes + count > mostBytes / 2) {
        return false;
      }
      gatheredBytes += count;
      tooMany = add(count);
    }
    tooMany.forEach(Holder::dropPieces);
    return true;
  }

  /** What it wanted to gather is handed on. */
  synchronized void handedOn(int count) {
    gatheredBytes -= count;
    bytes -= count;
  }

  /** A piece was released. */
  synchronized void gave(int count) {
    bytes -= count;
  }

  /** A stream is closed. */
  synchronized void forget(Holder holder) {
    holders.remove(holder);
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
