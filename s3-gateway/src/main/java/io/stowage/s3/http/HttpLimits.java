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

import java.time.Duration;

/**
 * What one gateway gives to its clients at most. Immutable.
 *
 * @param workers threads that run operations; an operation holds one while it works or waits for
 *     the store, never while it waits for a slow reader
 * @param streamingRequests requests at a time whose body is too large to be gathered first and
 *     whose sender's pace a worker therefore follows; below {@code workers}, so that slow uploads
 *     leave workers to everybody else
 * @param connections open connections at a time; a further one is closed at once
 * @param gatherBytes a body up to this is gathered whole before a worker is taken
 * @param memoryBytes budget of gathered bodies (a fifth), of streamed ones (a fifth) and of
 *     response pieces on their way out
 * @param idle a connection that makes no progress for this long is closed
 * @param patience an answer that takes longer is kept alive by white space, if its operation may be
 * @param drain how long requests at work are waited for when the gateway stops
 */
public record HttpLimits(
    int workers,
    int streamingRequests,
    int connections,
    int gatherBytes,
    long memoryBytes,
    Duration idle,
    Duration patience,
    Duration drain) {
  /** Request line: a key of 1,024 bytes takes 3,072 encoded, a presigned query about 4,000. */
  static final int REQUEST_LINE_BYTES = 16 << 10;

  /** All headers; S3 itself stops at 8 KiB plus the signature's. */
  static final int HEADER_BYTES = 32 << 10;

  /** Largest piece in which body bytes arrive; also the socket's largest read. */
  static final int PIECE_BYTES = 256 << 10;

  /**
   * Bytes of one streamed body that wait for their worker before the socket is read no more, while
   * {@link BodyMemory} is not short.
   */
  static final int BODY_QUEUE_HIGH = 1 << 20;

  /** Bytes waiting at which the socket is read again. */
  static final int BODY_QUEUE_LOW = 256 << 10;

  /** Response bytes of one connection that wait for the socket before the next piece is read. */
  static final int WRITE_HIGH = 2 << 20;

  static final int WRITE_LOW = 512 << 10;

  /** Largest piece of a streamed response; each of the two budgets must have room for one. */
  static final int MOST_PIECE_BYTES = 1 << 20;

  /**
   * A body that brings less than this in the {@code idle} time is given up: whoever sends a byte
   * now and then would hold a worker, or memory, for ever.
   */
  static final int SLOWEST_BODY_BYTES = 4 << 10;

  /**
   * Idle times that a reader has to take what is between {@link #WRITE_HIGH} and {@link
   * #WRITE_LOW}: at the default, 2.6 KB/s.
   */
  static final int SLOWEST_READ = 10;

  /** A request that waited longer for a worker is told to slow down instead of being begun. */
  static final Duration LONGEST_WAIT = Duration.ofSeconds(10);

  private static final int CONSOLE_WORKERS = 16;

  private static final int CONSOLE_CONNECTIONS = 256;

  /** Rest of a refused request that is still read, so that its sender gets to see the answer. */
  static final Duration LINGER = Duration.ofSeconds(5);

  /** Of a console: a few people, so a small part of everything. */
  public HttpLimits forConsole() {
    int few = Math.min(workers, CONSOLE_WORKERS);
    return new HttpLimits(
        few,
        Math.max(1, few * 3 / 4),
        Math.min(connections, CONSOLE_CONNECTIONS),
        gatherBytes,
        Math.max(5L * Math.max(gatherBytes, MOST_PIECE_BYTES), memoryBytes / 8),
        idle,
        patience,
        drain);
  }

  public HttpLimits {
    if (workers < 1 || streamingRequests < 1 || streamingRequests > workers) {
      throw new IllegalArgumentException(
          "Cannot serve with " + workers + " workers, " + streamingRequests + " of them streaming");
    }
    if (memoryBytes / 5 < Math.max(gatherBytes, MOST_PIECE_BYTES)) {
      throw new IllegalArgumentException("Cannot serve with " + memoryBytes + " bytes of memory");
    }
  }

  /** Of bodies that are gathered before their worker is taken. */
  long gatheredBytes() {
    return memoryBytes / 5;
  }

  /** Of bodies that a worker follows, and of what waits for their hashes. */
  public long streamedBytes() {
    return memoryBytes / 5;
  }

  /** Of responses on their way out. */
  long responseBytes() {
    return memoryBytes - gatheredBytes() - streamedBytes();
  }
}
