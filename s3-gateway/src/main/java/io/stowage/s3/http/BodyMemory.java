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
package io.stowage.s3.http;

import io.netty.buffer.ByteBuf;
import java.util.concurrent.atomic.AtomicLong;

/**
 * Direct memory of the bodies that are streamed in, of all requests together: what waits for a
 * worker, and what waits for a slow hash. Thread-safe.
 *
 * <p>Nobody waits for memory that somebody else holds. Each queue may hold one piece whatever the
 * others do, so that every body moves; more than that only while the whole is within its bound.
 * Hence the most that is counted: the bound, and for each queue what one read of its socket brings,
 * 256 KiB at most. What is held is not much more than what is counted: {@link #fitted} lets no
 * piece lie in a buffer much too large (a socket's read takes 256 KiB and may bring a hundred
 * bytes), {@link PieceJoiner} copies small ones together, and one that is small nevertheless counts
 * as {@link #LEAST_WEIGHT}, which is more than its objects take.
 */
public final class BodyMemory {
  /** Least that a piece counts; a buffer that is larger than its bytes by that is not copied. */
  public static final int LEAST_WEIGHT = 1 << 10;

  private final long bound;
  private final AtomicLong used = new AtomicLong();

  public BodyMemory(long bound) {
    this.bound = bound;
  }

  /** What a piece counts as. */
  public static int weight(ByteBuf piece) {
    return Math.max(LEAST_WEIGHT, piece.readableBytes());
  }

  /** A queue holds pieces of this weight from now on. */
  public void take(int weight) {
    used.addAndGet(weight);
  }

  public void giveBack(int weight) {
    used.addAndGet(-weight);
  }

  /** Whether a queue that holds something shall not take more. */
  public boolean isShort() {
    return used.get() >= bound;
  }

  /** Weight of what queues hold now. */
  long used() {
    return used.get();
  }

  /** The piece or, if it wastes the buffer in which it lies, a copy in its place. */
  static ByteBuf fitted(ByteBuf piece) {
    ByteBuf whole = piece;
    while (whole.unwrap() != null) {
      whole = whole.unwrap();
    }
    int length = piece.readableBytes();
    if (whole.capacity() - length <= Math.max(LEAST_WEIGHT, length / 4)) {
      return piece;
    }
    ByteBuf copy;
    try {
      copy = piece.alloc().directBuffer(length, length);
    } catch (OutOfMemoryError e) {
      return piece; // direct memory is used up: what wastes its buffer is better than a lost body
    }
    copy.writeBytes(piece);
    piece.release();
    return copy;
  }
}
