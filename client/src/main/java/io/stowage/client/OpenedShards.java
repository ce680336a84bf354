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

import io.stowage.common.data.DatanodeDirectory;
import io.stowage.common.error.ErrorCode;
import io.stowage.common.error.StoreException;
import io.stowage.common.proto.Lease;
import io.stowage.common.proto.OpenShardReply;
import io.stowage.common.proto.OpenShardRequest;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Semaphore;
import java.util.concurrent.TimeUnit;

/**
 * What came of opening all shards of a container under a new lease. Immutable.
 *
 * @param end highest end that any shard told: where the lease begins
 * @param suspects nodes that did not answer, or refused for a reason of their own
 * @param listIsFull a shard has no room for another epoch
 * @param failures for the message; empty if all shards are open
 */
record OpenedShards(long end, Set<String> suspects, boolean listIsFull, String failures) {
  /** Creating a file forces it and its directory; a disk that takes longer is treated as gone. */
  private static final long MOST_NANOS = TimeUnit.SECONDS.toNanos(3);

  /** A shard is late by comparison: k others have opened, and this many times their time passed. */
  private static final int TIMES_OTHERS = 6;

  private static final long LEAST_NANOS = TimeUnit.MILLISECONDS.toNanos(300);

  boolean areAll() {
    return failures.isEmpty();
  }

  /** Whether nothing is wrong but that the container takes no more leases. */
  boolean isFull() {
    return listIsFull && suspects.isEmpty();
  }

  /** Asks all shards and waits. */
  static OpenedShards open(Lease granted, ShardPlaces places, DatanodeDirectory directory)
      throws StoreException, InterruptedException {
    List<CompletableFuture<OpenShardReply>> answers = new ArrayList<>();
    for (int shard = 0; shard < places.policy().shards(); shard++) {
      if (!places.knows(shard)) {
        throw new StoreException(
            ErrorCode.INTERNAL,
            "Cannot use the lease on container "
                + ShardPlaces.name(places.container())
                + ": it has no shard "
                + shard);
      }
      answers.add(
          places
              .service(directory, shard)
              .open(
                  OpenShardRequest.newBuilder()
                      .setShard(places.key(shard))
                      .setEpoch(granted.getContainer().getLeaseEpoch())
                      .setHolder(granted.getHolder())
                      .setPolicy(places.policy().name())
                      .setCapacityBytes(granted.getContainer().getCapacityBytes())
                      .setToken(granted.getToken())
                      .build()));
    }
    long waited = await(answers, places.policy().k());
    return judge(answers, places, waited);
  }

  /** Returns when all have answered, or the rest is late; gives for how long that was. */
  private static long await(List<CompletableFuture<OpenShardReply>> answers, int enough)
      throws InterruptedException {
    Semaphore answered = new Semaphore(0);
    for (CompletableFuture<OpenShardReply> answer : answers) {
      Executors.whenDone(answer, (reply, error) -> answered.release());
    }
    long begin = System.nanoTime();
    long most = MOST_NANOS;
    for (int count = 1; count <= answers.size(); count++) {
      long left = begin + most - System.nanoTime();
      if (!answered.tryAcquire(Math.max(0, left), TimeUnit.NANOSECONDS)) {
        break;
      }
      if (count == enough) {
        long took = System.nanoTime() - begin;
        most = Math.min(MOST_NANOS, Math.max(LEAST_NANOS, TIMES_OTHERS * took));
      }
    }
    return System.nanoTime() - begin;
  }

  private static OpenedShards judge(
      List<CompletableFuture<OpenShardReply>> answers, ShardPlaces places, long waitedNanos)
      throws InterruptedException {
    long end = 0;
    Set<String> suspects = new TreeSet<>();
    StringBuilder failures = new StringBuilder();
    boolean full = false;
    for (int shard = 0; shard < answers.size(); shard++) {
      CompletableFuture<OpenShardReply> answer = answers.get(shard);
      ErrorCode code = ErrorCode.TIMEOUT;
      String why = "no answer in " + TimeUnit.NANOSECONDS.toMillis(waitedNanos) + " ms";
      if (answer.isDone()) {
        try {
          end = Math.max(end, answer.get().getEnd());
          continue;
        } catch (ExecutionException e) {
          why = e.getCause().getMessage();
          code = e.getCause() instanceof StoreException known ? known.code() : code;
        }
      }
      switch (code) {
        case EPOCH_LIST_FULL -> full = true;
        case FENCED, LEASE_LOST, SHARD_SEALED -> {
          // Somebody else has the container now; the node has done nothing wrong.
        }
        default -> suspects.add(places.nodeId(shard));
      }
      failures.append("; ").append(places.describe(shard)).append(": ").append(why);
    }
    return new OpenedShards(end, suspects, full, failures.toString());
  }
}
