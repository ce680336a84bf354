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

import io.stowage.common.error.ErrorCode;
import io.stowage.common.error.StoreException;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;

/**
 * One stripe on its way to the shards. Ends once: acknowledged when every one of its w+m cells is
 * durable, failed at the first refusal or when it is given up. What lands after that is garbage
 * that no manifest names. Thread-safe, guarded by itself; the future is completed outside the lock,
 * on whichever thread brought the last answer.
 */
final class StripeWrite {
  private final ContainerLease lease;
  private final int width;
  private final int bytes;
  private final CompletableFuture<Void> done = new CompletableFuture<>();
  private long startNanos;
  private long timeoutMillis;
  private int unanswered; // bitmap of shards
  private boolean anyAcknowledgement;
  private boolean ended;
  private boolean failed;

  StripeWrite(ContainerLease lease, int shards, int bytes) {
    this.lease = lease;
    this.unanswered = shards;
    this.width = Integer.bitCount(shards) - lease.policy().m();
    this.bytes = bytes;
  }

  /** Completes with nothing, or with the StoreException that ended the stripe. */
  CompletableFuture<Void> done() {
    return done;
  }

  /** Data cells. */
  int width() {
    return width;
  }

  /** Of all cells together. */
  int bytes() {
    return bytes;
  }

  synchronized void startedAt(long nanos, long timeout) {
    startNanos = nanos;
    timeoutMillis = timeout;
  }

  synchronized long startNanos() {
    return startNanos;
  }

  synchronized long timeoutMillis() {
    return timeoutMillis;
  }

  synchronized boolean hasAnyAcknowledgement() {
    return anyAcknowledgement;
  }

  /** A shard's answer; {@code error} is null if its cell is durable. */
  void answered(int shard, Throwable error) {
    synchronized (this) {
      unanswered &= ~(1 << shard);
      if (ended) {
        return;
      }
      if (error == null) {
        anyAcknowledgement = true;
        if (unanswered != 0) {
          return;
        }
      }
      ended = true;
    }
    if (error == null) {
      lease.stripeEnded(this);
      done.complete(null);
    } else {
      fail(lease.shardFailed(shard, error));
    }
  }

  /** Ends a stripe that some shards have not answered. */
  void giveUp(long ageMillis) {
    List<Integer> silent = new ArrayList<>();
    synchronized (this) {
      if (ended) {
        return;
      }
      ended = true;
      for (int shard = 0; shard < Integer.SIZE; shard++) {
        if ((unanswered >>> shard & 1) != 0) {
          silent.add(shard);
        }
      }
    }
    StoreException late =
        new StoreException(
            ErrorCode.TIMEOUT,
            "Cannot write a stripe to "
                + lease
                + ": shards "
                + silent
                + " did not answer in "
                + ageMillis
                + " ms");
    for (int shard : silent) {
      lease.shardFailed(shard, late);
    }
    fail(late);
  }

  synchronized boolean hasFailed() {
    return failed;
  }

  private void fail(StoreException cause) {
    synchronized (this) {
      failed = true;
    }
    lease.stripeEnded(this);
    done.completeExceptionally(cause);
  }
}
