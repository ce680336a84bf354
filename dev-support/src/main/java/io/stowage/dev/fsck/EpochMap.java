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
package io.stowage.dev.fsck;

import io.stowage.common.data.DatanodeDirectory;
import io.stowage.common.error.StoreException;
import io.stowage.common.proto.ContainerInfo;
import io.stowage.common.proto.EpochStart;
import io.stowage.common.proto.ShardKey;
import io.stowage.common.proto.ShardPlace;
import io.stowage.common.proto.StatShardReply;
import io.stowage.common.proto.StatShardRequest;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.NavigableMap;
import java.util.TreeMap;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;

/**
 * Which lease epoch wrote an address of a container, by what its shards say: an epoch begins at the
 * highest start that any of them has for it, since the lease began at the highest end. Immutable.
 */
final class EpochMap {
  private static final long ANSWER_SECONDS = 15;

  private final NavigableMap<Long, Long> startToEpoch;

  private EpochMap(NavigableMap<Long, Long> startToEpoch) {
    this.startToEpoch = startToEpoch;
  }

  /** Asks all shards; those that do not answer are done without. */
  static EpochMap of(ContainerInfo container, DatanodeDirectory datanodes) throws StoreException {
    List<CompletableFuture<StatShardReply>> asked = new ArrayList<>();
    for (ShardPlace place : container.getShardsList()) {
      ShardKey key =
          ShardKey.newBuilder()
              .setContainer(container.getId())
              .setIndex(place.getIndex())
              .setGeneration(place.getGeneration())
              .setDiskId(place.getDiskId())
              .build();
      asked.add(
          datanodes.datanode(place).stat(StatShardRequest.newBuilder().setShard(key).build()));
    }
    List<List<EpochStart>> lists = new ArrayList<>();
    for (CompletableFuture<StatShardReply> answer : asked) {
      try {
        lists.add(answer.get(ANSWER_SECONDS, TimeUnit.SECONDS).getEpochsList());
      } catch (ExecutionException | TimeoutException e) {
        lists.add(List.of()); // the others know
      } catch (InterruptedException e) {
        Thread.currentThread().interrupt();
        break;
      }
    }
    return of(lists);
  }

  static EpochMap of(List<List<EpochStart>> lists) {
    TreeMap<Long, Long> starts = new TreeMap<>();
    for (List<EpochStart> list : lists) {
      for (EpochStart start : list) {
        starts.merge(start.getEpoch(), start.getStart(), Math::max);
      }
    }
    TreeMap<Long, Long> byStart = new TreeMap<>();
    // Of two with one start the later wrote: the earlier wrote nothing.
    for (Map.Entry<Long, Long> start : starts.entrySet()) {
      byStart.put(start.getValue(), start.getKey());
    }
    return new EpochMap(byStart);
  }

  /** Epoch of an address; 0 if nobody tells, which readers take for any. */
  long at(long address) {
    Map.Entry<Long, Long> entry = startToEpoch.floorEntry(address);
    return entry == null ? 0 : entry.getValue();
  }
}
