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
import io.netty.channel.Channel;
import io.stowage.s3.error.S3Error;
import io.stowage.s3.error.S3Exception;
import java.util.concurrent.locks.Condition;
import java.util.concurrent.locks.ReentrantLock;

/**
 * A body on its way: the event loop puts pieces in, one worker takes them out. When {@link
 * HttpLimits#BODY_QUEUE_HIGH} bytes wait, or any while memory is short, the socket is read no more
 * until the worker has caught up. Guarded by its lock.
 */
final class StreamedBody implements BodySource {
  private final Channel channel;
  private final long declaredLength;
  private final BodyMemory memory;
  private final Runnable sendContinue;
  private final ReentrantLock lock = new ReentrantLock();
  private final Condition changed = lock.newCondition();
  private final PieceQueue pieces = new PieceQueue();
  private boolean paused;
  private boolean continueDue;
  private boolean ended;
  private boolean closed;
  private boolean starving;
  private S3Error failure;

  /**
   * @param sendContinue run when the worker first asks for bytes of a client that waits for leave
   *     to send them; null if it does not wait
   */
  StreamedBody(Channel channel, long declaredLength, BodyMemory memory, Runnable sendContinue) {
    this.channel = channel;
    this.declaredLength = declaredLength;
    this.memory = memory;
    this.sendContinue = sendContinue;
    this.continueDue = sendContinue != null;
  }

  /** Event loop: takes over the piece. */
  void offer(ByteBuf received) {
    lock.lock();
    try {
      if (closed) {
        received.release();
        return;
      }
      int before = pieces.weight();
      pieces.add(received);
      memory.take(pieces.weight() - before);
      if (pieces.weight() >= HttpLimits.BODY_QUEUE_HIGH || memory.isShort()) {
        paused = true;
        channel.config().setAutoRead(false);
      }
      changed.signal();
    } finally {
      lock.unlock();
    }
  }

  /** Event loop: the last piece was offered. */
  void end() {
    lock.lock();
    try {
      ended = true;
      changed.signal();
    } finally {
      lock.unlock();
    }
  }

  /** Event loop: nothing more will come, and it was not the end. */
  void fail(S3Error error) {
    lock.lock();
    try {
      if (!ended && failure == null) {
        failure = error;
        changed.signal();
      }
    } finally {
      lock.unlock();
    }
  }

  /** Whether the worker waits for the sender, rather than the sender for the worker. */
  boolean isStarving() {
    lock.lock();
    try {
      return starving;
    } finally {
      lock.unlock();
    }
  }

  /** Whether the socket shall not be read until the worker has caught up. */
  boolean isPaused() {
    lock.lock();
    try {
      return paused;
    } finally {
      lock.unlock();
    }
  }

  /** Whether the client still waits for leave to send. */
  boolean isContinueDue() {
    lock.lock();
    try {
      return continueDue;
    } finally {
      lock.unlock();
    }
  }

  @Override
  public ByteBuf next() throws S3Exception {
    lock.lock();
    try {
      if (continueDue) {
        continueDue = false;
        sendContinue.run();
      }
      starving = true;
      while (pieces.isEmpty()) {
        if (failure != null) {
          throw new S3Exception(failure);
        }
        if (ended || closed) {
          return null;
        }
        changed.await();
      }
      ByteBuf piece = pieces.poll();
      memory.giveBack(BodyMemory.weight(piece));
      if (paused && pieces.weight() <= (memory.isShort() ? 0 : HttpLimits.BODY_QUEUE_LOW)) {
        paused = false;
        channel.config().setAutoRead(true);
      }
      return piece;
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new S3Exception(S3Error.SERVICE_UNAVAILABLE, "The gateway is stopping");
    } finally {
      starving = false;
      lock.unlock();
    }
  }

  @Override
  public long declaredLength() {
    return declaredLength;
  }

  @Override
  public void close() {
    lock.lock();
    try {
      closed = true;
      memory.giveBack(pieces.weight());
      pieces.clear();
      if (paused) {
        paused = false;
        channel.config().setAutoRead(true);
      }
    } finally {
      lock.unlock();
    }
  }
}
