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
import io.stowage.common.error.ErrorCode;
import io.stowage.common.error.StoreException;
import io.stowage.common.needle.NeedleFacts;
import io.stowage.common.needle.NeedleHeader;
import io.stowage.common.proto.Extent;
import io.stowage.common.proto.LeaseGrant;
import java.util.List;
import java.util.concurrent.locks.LockSupport;
import org.apache.hadoop.thirdparty.protobuf.ByteString;

/**
 * A small object, or a record, from the moment it is queued until its stripe is durable. Its
 * writer's thread waits in {@link #await}, and may be told there to pack the next stripe. Guarded
 * by its packer's lock but for the waiting, which is by a volatile and unpark.
 */
final class PackedNeedle {
  /** What the waiting writer does next. */
  enum State {
    QUEUED,
    /** Pack a stripe, then wait on. */
    LEAD,
    STORED,
    FAILED
  }

  private final NeedleHeader header;
  private final List<ByteBuf> payload; // owned until the needle ends
  private final int headerBytes;
  private final Thread writer; // null: nobody waits

  // A writer that is to lead must do so even if its own needle was stored by another packer in
  // between,
  // or the place in flight that came with it would be lost: so the two are told apart. toLead is
  // set while
  // the needle is queued, hence before outcome; await reads them in the opposite order.
  private volatile boolean toLead;
  private volatile State outcome = State.QUEUED;

  private boolean toBeCommitted;
  private long queuedAtNanos; // of a record
  private int attempts;
  private Extent extent;
  private LeaseGrant grant;
  private StoreException failure;

  PackedNeedle(NeedleHeader header, List<ByteBuf> payload, Thread writer) {
    this.header = header;
    this.payload = payload;
    this.headerBytes = header.encodedLength() + NeedleFacts.PLACE_BYTES;
    this.writer = writer;
  }

  /** As it is written at an address. */
  NeedleHeader headerAt(long container, long address) {
    return NeedleFacts.placed(header, container, address);
  }

  /** When a record was queued. Guarded by the packer. */
  long queuedAt() {
    return queuedAtNanos;
  }

  void queuedAt(long nanos) {
    queuedAtNanos = nanos;
  }

  ByteString writeId() {
    return header.writeId();
  }

  /** Whether its writer commits it as soon as it is stored, and tells when it has. */
  boolean isToBeCommitted() {
    return toBeCommitted;
  }

  /** Before it is queued. */
  PackedNeedle toBeCommitted() {
    toBeCommitted = true;
    return this;
  }

  List<ByteBuf> payload() {
    return payload;
  }

  int headerBytes() {
    return headerBytes;
  }

  int bytes() {
    return headerBytes + (int) header.payloadLength();
  }

  boolean isWaitedFor() {
    return writer != null;
  }

  /** Counts another stripe that failed under it. */
  int failedAgain() {
    return ++attempts;
  }

  /** Passes a place in flight to the waiting writer; false if it was passed another before. */
  boolean lead() {
    if (toLead || writer == null) {
      return false;
    }
    toLead = true;
    LockSupport.unpark(writer);
    return true;
  }

  /** For a writer of several: whether it was passed a place in flight, which it then has. */
  boolean takeLead() {
    boolean told = toLead;
    if (told) {
      toLead = false;
    }
    return told;
  }

  /** Whether it was stored or has failed. Read before {@link #takeLead}, as await does. */
  boolean hasEnded() {
    return outcome != State.QUEUED;
  }

  void stored(Extent where, LeaseGrant under) {
    extent = where;
    grant = under;
    end(State.STORED);
  }

  void failed(StoreException cause) {
    failure = cause;
    end(State.FAILED);
  }

  private void end(State how) {
    for (ByteBuf bytes : payload) {
      bytes.release();
    }
    outcome = how;
    LockSupport.unpark(writer);
  }

  /**
   * Waits until there is something to do or to tell. Not interruptible: the bytes are on their way,
   * and every stripe ends in bounded time; an interrupt is kept for the caller.
   */
  State await() {
    boolean interrupted = false;
    State now;
    while (true) {
      now = outcome;
      if (toLead) {
        toLead = false;
        now = State.LEAD;
        break;
      }
      if (now != State.QUEUED) {
        break;
      }
      LockSupport.park(this);
      interrupted |= Thread.interrupted();
    }
    if (interrupted) {
      Thread.currentThread().interrupt();
    }
    return now;
  }

  ObjectWriter.Written result() throws StoreException {
    if (outcome == State.FAILED) {
      // A fresh one, so that its trace is the waiting caller's.
      throw new StoreException(failure.code(), failure.getMessage(), failure);
    }
    if (outcome != State.STORED) {
      throw new StoreException(
          ErrorCode.INTERNAL, "a needle that is " + outcome + " has no result");
    }
    return Manifests.of(header.payloadLength(), List.of(extent), List.of(grant));
  }
}
