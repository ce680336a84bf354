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
package io.stowage.client;

import io.netty.buffer.ByteBuf;
import io.stowage.common.error.StoreException;

/**
 * Reads ranges of one version's payload; every byte given was verified after it left the disk.
 * Thread-safe.
 */
public interface ObjectReader extends AutoCloseable {
  /** Payload bytes in all. */
  long length();

  /**
   * Reads a range whole; the caller owns the buffer. Decodes around shards that are gone, corrupt
   * or slow. At most {@link #maxRead()} bytes at a time: callers stream larger ranges and keep a
   * read or two ahead.
   */
  ByteBuf read(long offset, int length) throws StoreException;

  /** Largest length for one {@link #read}. */
  int maxRead();

  /**
   * How much who reads on from an offset should read at once: up to where the shards have given as
   * much as one another, since the one that gives most is waited for, and the next read begins
   * evenly, too.
   *
   * @param most bytes that may be read, at least one, none behind the end
   * @return at least half of it
   */
  default int evenLength(long offset, int most) {
    return most;
  }

  /** Ends read-ahead. Never throws. */
  @Override
  void close();
}
