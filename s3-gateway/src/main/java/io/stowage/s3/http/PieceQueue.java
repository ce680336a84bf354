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
import java.util.ArrayDeque;

/**
 * Pieces of one body in their order, held in not much more memory than {@link #weight} says. Owns
 * them. Confined to whoever owns it, or guarded by its lock.
 */
final class PieceQueue {
  private final ArrayDeque<ByteBuf> pieces = new ArrayDeque<>(2); // as many as its owner lets in
  private final PieceJoiner joiner = new PieceJoiner();
  private int weight;

  /** Takes over the piece. */
  void add(ByteBuf received) {
    if (!received.isReadable()) {
      received.release();
      return;
    }
    ByteBuf last = pieces.peekLast();
    int lastWeight = last == null ? 0 : BodyMemory.weight(last);
    ByteBuf joined = joiner.join(last, received);
    if (joined != null) {
      pieces.pollLast();
      pieces.add(joined);
      weight += BodyMemory.weight(joined) - lastWeight;
    } else {
      joiner.letGo();
      ByteBuf piece = BodyMemory.fitted(received);
      pieces.add(piece);
      weight += BodyMemory.weight(piece);
    }
  }

  /** The first, which is the caller's from now on; null if there is none. */
  ByteBuf poll() {
    ByteBuf piece = pieces.poll();
    if (piece == null) {
      return null;
    }
    if (pieces.isEmpty()) {
      joiner.letGo();
    }
    weight -= BodyMemory.weight(piece);
    return piece;
  }

  boolean isEmpty() {
    return pieces.isEmpty();
  }

  /** What its pieces count as in {@link BodyMemory}. */
  int weight() {
    return weight;
  }

  /** Lets go of all pieces. */
  void clear() {
    for (ByteBuf piece; (piece = poll()) != null; ) {
      piece.release();
    }
  }
}
