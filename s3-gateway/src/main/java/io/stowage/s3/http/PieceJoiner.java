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

/**
 * Copies small pieces of a body that follow one another together. A client may send its bytes one
 * by one, in chunks or in packets, and a piece of one byte takes more than a hundred in objects: of
 * one read of the socket tens of thousands of pieces may come, whether the body is held back or
 * not. Confined to whoever owns the queue.
 */
final class PieceJoiner {
  /** A piece from this size on stays as it came. */
  static final int SMALL_BYTES = 4 << 10;

  /** Most that is copied together: so little that its worker has it soon. */
  static final int JOINED_BYTES = 16 << 10;

  /** The queue's last piece, while it is a buffer made here; else null. */
  private ByteBuf own;

  /**
   * What holds both pieces and takes their place, or null if they stay as they are.
   *
   * @param last of the queue; null if it is empty
   */
  ByteBuf join(ByteBuf last, ByteBuf next) {
    int length = next.readableBytes();
    if (last == null || length >= SMALL_BYTES) {
      return null;
    }
    int before = last.readableBytes();
    try {
      if (own != null) {
        if (before + length > JOINED_BYTES) {
          return null;
        }
        own.ensureWritable(length);
      } else if (before >= SMALL_BYTES) {
        return null;
      } else {
        int first = Math.max(BodyMemory.LEAST_WEIGHT, before + length);
        own = next.alloc().directBuffer(first, JOINED_BYTES).writeBytes(last);
        last.release();
      }
    } catch (OutOfMemoryError e) {
      return null; // direct memory is used up: apart they need no more of it
    }
    own.writeBytes(next);
    next.release();
    return own;
  }

  /** To be said when the queue has another last piece, or none: nothing is added to ours then. */
  void letGo() {
    own = null;
  }
}
