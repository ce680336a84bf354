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
package io.stowage.s3.payload;

import io.netty.buffer.ByteBuf;
import io.stowage.s3.http.BodyMemory;
import java.util.ArrayDeque;
import java.util.concurrent.locks.Condition;
import java.util.concurrent.locks.ReentrantLock;

/**
 * One slow hash of one body, computed beside the thread that moves the bytes: MD5 of a large body
 * would otherwise be all that this thread does. Holds pieces of at most {@link #MOST_WEIGHT}, one
 * while memory is short; who is ahead by more waits. Guarded by its lock; the hasher belongs to the
 * one task that runs.
 */
final class HashLane {
  private static final int MOST_WEIGHT = 2 << 20;

  private final HashKind.Hasher hasher;
  private final HashThreads threads;
  private final ReentrantLock lock = new ReentrantLock();
  private final Condition moved = lock.newCondition();
  private final ArrayDeque<ByteBuf> pieces = new ArrayDeque<>();
  private int weight; // as it counts in memory
  private boolean running;

  HashLane(HashKind.Hasher hasher, HashThreads threads) {
    this.hasher = hasher;
    this.threads = threads;
  }

  /** Keeps a reference of its own until the piece is hashed. */
  void update(ByteBuf piece) {
    lock.lock();
    try {
      while (weight >= MOST_WEIGHT || (weight > 0 && threads.memory().isShort())) {
        moved.awaitUninterruptibly();
      }
      pieces.add(piece.retainedDuplicate());
      int itsWeight = BodyMemory.weight(piece);
      weight += itsWeight;
      threads.memory().take(itsWeight);
      if (!running) {
        running = true;
        threads.executor().execute(this::hashWhatIsThere);
      }
    } finally {
      lock.unlock();
    }
  }

  private void hashWhatIsThere() {
    while (true) {
      ByteBuf piece;
      lock.lock();
      try {
        piece = pieces.poll();
        if (piece == null) {
          running = false;
          moved.signalAll();
          return;
        }
      } finally {
        lock.unlock();
      }
      int itsWeight = BodyMemory.weight(piece); // hashing reads it to its end
      try {
        hasher.update(piece);
      } finally {
        piece.release();
        lock.lock();
        try {
          weight -= itsWeight;
          threads.memory().giveBack(itsWeight);
          moved.signalAll();
        } finally {
          lock.unlock();
        }
      }
    }
  }

  /** Waits for the rest and returns the value. */
  byte[] digest() {
    lock.lock();
    try {
      awaitIdle();
      return hasher.digest();
    } finally {
      lock.unlock();
    }
  }

  /** Drops what is not hashed yet. */
  void close() {
    lock.lock();
    try {
      for (ByteBuf piece; (piece = pieces.poll()) != null; ) {
        int itsWeight = BodyMemory.weight(piece);
        weight -= itsWeight;
        threads.memory().giveBack(itsWeight);
        piece.release();
      }
      awaitIdle();
    } finally {
      lock.unlock();
    }
  }

  private void awaitIdle() {
    while (running) {
      moved.awaitUninterruptibly();
    }
  }
}
