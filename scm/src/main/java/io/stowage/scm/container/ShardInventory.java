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
package io.stowage.scm.container;

import io.stowage.common.erasure.ErasurePolicy;
import io.stowage.common.error.StoreException;
import io.stowage.common.proto.ContainerInfo;
import io.stowage.common.proto.ContainerState;
import io.stowage.common.proto.ShardPlace;
import io.stowage.common.proto.ShardReport;
import io.stowage.scm.cluster.ClusterMap;
import io.stowage.scm.cluster.ClusterMap.PlaceState;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;

/**
 * What datanodes reported of their shards, held against the rows: which shards are there, sealed,
 * missing, of another generation, or of no container at all. Every SCM keeps its own from the same
 * reports. Thread-safe.
 *
 * <p>A shard is <i>missing</i> if its node is dead, its disk failed or gone, or its node reported
 * in full and did not name it. A container whose shards nobody has seen and nothing was written to
 * misses none: shard files are made when a writer opens them. Of an open container, which may have
 * been opened a moment ago, only lost places count.
 */
public final class ShardInventory {
  /** A bound on memory after a table was lost: more are counted, not listed. */
  private static final int MOST_STRANGERS = 1_000_000;

  private final ContainerMap map;
  private final ClusterMap cluster;

  /** Highest end reported of a container, while it is above what the row says. */
  private final Map<Long, Long> ends = new ConcurrentHashMap<>();

  private final Map<String, Map<ShardId, ShardReport>> strangers = new HashMap<>(); // by itself
  private int listedStrangers; // by strangers
  private long unlistedStrangers; // by strangers

  public ShardInventory(ContainerMap map, ClusterMap cluster) {
    this.map = map;
    this.cluster = cluster;
  }

  /** A shard file's identity on its node. */
  public record ShardId(long container, int index, int generation) {
    static ShardId of(ShardReport report) {
      return new ShardId(report.getContainer(), report.getIndex(), report.getGeneration());
    }
  }

  /**
   * Takes a node's report in and tells which shards stand open although their container's row is
   * sealed.
   */
  public List<ShardReport> report(String nodeId, List<ShardReport> shards, boolean full) {
    List<ShardReport> unsealed = new ArrayList<>();
    boolean again = full && cluster.everHadFullReport(nodeId);
    if (full) {
      forgetStrangers(nodeId);
    }
    Set<ShardId> told = again ? new HashSet<>() : Set.of();
    int more = 0;
    for (ShardReport shard : shards) {
      if (again) {
        told.add(ShardId.of(shard));
      }
      more += take(nodeId, shard, unsealed) ? 1 : 0;
    }
    if (again) {
      forgetUntold(nodeId, told);
    }
    if (full) {
      cluster.noteFullReport(nodeId, shards.size());
    } else {
      cluster.noteNewShards(nodeId, more);
    }
    return unsealed;
  }

  /** Says whether the shard was not known to be there before. */
  private boolean take(String nodeId, ShardReport shard, List<ShardReport> unsealed) {
    ContainerRow row = map.get(shard.getContainer());
    if (row == null || !isPlace(row.info(), nodeId, shard)) {
      addStranger(nodeId, shard);
      return false;
    }
    boolean there = !shard.getFailed() && !shard.getQuarantined();
    boolean before = map.reported(row.id()).isPresent(shard.getIndex());
    map.note(row.id(), shard.getIndex(), there, shard.getSealed());
    if (shard.getEnd() > row.info().getEndOffset()) {
      ends.merge(row.id(), shard.getEnd(), Math::max);
    }
    if (there && !shard.getSealed() && row.info().getState() == ContainerState.SEALED) {
      unsealed.add(shard);
    }
    return there && !before;
  }

  private static boolean isPlace(ContainerInfo info, String nodeId, ShardReport shard) {
    if (shard.getIndex() >= info.getShardsCount()) {
      return false;
    }
    ShardPlace place = info.getShards(shard.getIndex());
    return place.getNodeId().equals(nodeId)
        && place.getDiskId().equals(shard.getDiskId())
        && place.getGeneration() == shard.getGeneration();
  }

  /** A node that restarted told all its shards: those that it did not tell are gone. */
  private void forgetUntold(String nodeId, Set<ShardId> told) {
    map.forEach(
        (id, packed, reported) ->
            PackedContainer.shards(
                packed,
                (index, disk, generation) -> {
                  if (reported.isPresent(index)
                      && map.disk(disk).nodeId().equals(nodeId)
                      && !told.contains(new ShardId(id, index, generation))) {
                    map.note(id, index, false, false);
                  }
                }));
  }

  /** A datanode answered that a shard is sealed. */
  public void noteSealed(long container, int index, long end) {
    map.note(container, index, true, true);
    ContainerRow row = map.get(container);
    if (row != null && end > row.info().getEndOffset()) {
      ends.merge(container, end, Math::max);
    }
  }

  /** A datanode answered that it has no such shard. */
  public void noteMissing(long container, int index) {
    map.note(container, index, false, false);
  }

  /** Highest end of any shard as far as it is known. */
  public long end(ContainerInfo info) {
    return Math.max(info.getEndOffset(), ends.getOrDefault(info.getId(), 0L));
  }

  /** Those of which a higher end was reported than their row says; mostly the open ones. */
  List<Long> containersWithNewEnds() {
    return List.copyOf(ends.keySet());
  }

  /** A row now says how far its container reaches. */
  public void forgetEnd(ContainerInfo info) {
    ends.computeIfPresent(info.getId(), (id, end) -> end <= info.getEndOffset() ? null : end);
  }

  /** Shards of a container that are not where its row says. */
  Missing missing(ContainerInfo info) {
    ContainerMap.Reported reported = map.reported(info.getId());
    boolean everOpened = reported.present() != 0 || end(info) > 0;
    int lost = 0;
    int absent = 0;
    for (ShardPlace place : info.getShardsList()) {
      PlaceState state = cluster.placeState(place.getNodeId(), place.getDiskId());
      boolean present = reported.isPresent(place.getIndex());
      if (state == PlaceState.LOST) {
        lost |= 1 << place.getIndex();
      } else if (isAbsent(state, everOpened, present)) {
        absent |= 1 << place.getIndex();
      }
    }
    return new Missing(lost, absent);
  }

  /**
   * Shards that are not where their row says; bit i = shard i.
   *
   * @param lost with their node or disk
   * @param absent though node and disk are well; for the moment between a writer's open and the
   *     node's next report that means nothing
   */
  record Missing(int lost, int absent) {
    int count() {
      return Integer.bitCount(lost | absent);
    }
  }

  private static boolean isAbsent(PlaceState state, boolean everOpened, boolean present) {
    return state == PlaceState.GOOD_AND_REPORTED && everOpened && !present;
  }

  /** Looks at every container there is; a second or two for 17 million. */
  public Tally tally() {
    Map<Integer, PlaceState> states = new HashMap<>(); // by disk number: asked once a disk
    long[] counts = new long[2];
    map.forEach(
        (id, packed, reported) -> {
          ContainerState state = PackedContainer.state(packed);
          if (state == ContainerState.DELETED) {
            return;
          }
          boolean everOpened =
              reported.present() != 0
                  || ends.containsKey(id)
                  || PackedContainer.endOffset(packed) > 0;
          if (!everOpened) {
            return; // nothing is in it that could be lost
          }
          int[] missing = new int[1];
          PackedContainer.shards(
              packed,
              (index, number, generation) -> {
                PlaceState place =
                    states.computeIfAbsent(
                        number,
                        n -> {
                          DiskTable.Disk disk = map.disk(n);
                          return cluster.placeState(disk.nodeId(), disk.diskId());
                        });
                if (place == PlaceState.LOST
                    || (state != ContainerState.OPEN
                        && isAbsent(place, true, reported.isPresent(index)))) {
                  missing[0]++;
                }
              });
          if (missing[0] > 0) {
            counts[0]++;
            if (PackedContainer.shardCount(packed) - missing[0] < map.dataShards(packed)) {
              counts[1]++;
            }
          }
        });
    return new Tally(counts[0], counts[1]);
  }

  /**
   * Containers that are not whole.
   *
   * @param endangered with at least one shard missing
   * @param unavailable with fewer than k shards left
   */
  public record Tally(long endangered, long unavailable) {}

  /** k of a policy that a row names; rows only ever name policies that once were known. */
  static int dataShards(String policy) {
    try {
      return ErasurePolicy.named(policy).k();
    } catch (StoreException e) {
      throw new IllegalStateException(e);
    }
  }

  private void addStranger(String nodeId, ShardReport shard) {
    synchronized (strangers) {
      Map<ShardId, ShardReport> ofNode = strangers.computeIfAbsent(nodeId, id -> new HashMap<>());
      if (listedStrangers < MOST_STRANGERS) {
        listedStrangers += ofNode.put(ShardId.of(shard), shard) == null ? 1 : 0;
      } else {
        unlistedStrangers++;
      }
    }
  }

  private void forgetStrangers(String nodeId) {
    synchronized (strangers) {
      Map<ShardId, ShardReport> gone = strangers.remove(nodeId);
      listedStrangers -= gone == null ? 0 : gone.size();
    }
  }

  /** Shards that no row names, or not there, or not of that generation. */
  public long strangerCount() {
    synchronized (strangers) {
      return unlistedStrangers + listedStrangers;
    }
  }

  /** Some of them that are not in quarantine yet. */
  List<Stranger> strangersAtLarge(int limit) {
    List<Stranger> some = new ArrayList<>();
    synchronized (strangers) {
      for (Map.Entry<String, Map<ShardId, ShardReport>> node : strangers.entrySet()) {
        for (ShardReport shard : node.getValue().values()) {
          if (some.size() == limit) {
            return some;
          }
          if (!shard.getQuarantined()) {
            some.add(new Stranger(node.getKey(), shard));
          }
        }
      }
    }
    return some;
  }

  /** A shard that belongs to nothing. */
  record Stranger(String nodeId, ShardReport shard) {}

  /**
   * Looks again at strangers whose row has come in by now.
   *
   * @return whether the shard belongs to its row after all
   */
  boolean recognise(Stranger stranger) {
    ContainerRow row = map.get(stranger.shard.getContainer());
    if (row == null || !isPlace(row.info(), stranger.nodeId, stranger.shard)) {
      return false;
    }
    forget(stranger);
    report(stranger.nodeId, List.of(stranger.shard), false);
    return true;
  }

  private void forget(Stranger gone) {
    synchronized (strangers) {
      Map<ShardId, ShardReport> ofNode = strangers.get(gone.nodeId);
      if (ofNode != null && ofNode.remove(ShardId.of(gone.shard)) != null) {
        listedStrangers--;
      }
    }
  }

  /** A datanode answered that it put a stranger into quarantine; it stays counted. */
  void noteQuarantined(String nodeId, ShardId id) {
    synchronized (strangers) {
      Map<ShardId, ShardReport> ofNode = strangers.get(nodeId);
      if (ofNode != null) {
        ofNode.computeIfPresent(id, (key, shard) -> shard.toBuilder().setQuarantined(true).build());
      }
    }
  }
}
