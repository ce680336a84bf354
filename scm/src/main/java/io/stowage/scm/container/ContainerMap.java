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

import io.stowage.common.proto.ContainerState;
import io.stowage.common.proto.ShardReport;
import java.util.List;
import java.util.Set;
import java.util.concurrent.atomic.AtomicLongArray;

/**
 * Every container's row as this SCM last saw it, and which of its shards datanodes have reported.
 * Costs about 150 bytes a container (see {@link PackedContainer}). Never decides anything alone: a
 * row that is behind the table fails its compare-and-set. Thread-safe: segments guarded by
 * themselves.
 */
public final class ContainerMap {
  private static final int SEGMENTS = 64;

  private final DiskTable disks = new DiskTable();
  private final PolicyNames policies = new PolicyNames();
  private final Segment[] segments = new Segment[SEGMENTS];
  private final AtomicLongArray countByState = new AtomicLongArray(ContainerState.values().length);
  private volatile Replaced replaced = (row, index, diskNumber, generation, seen) -> {};

  public ContainerMap() {
    for (int i = 0; i < SEGMENTS; i++) {
      segments[i] = new Segment();
    }
  }

  /** Who is told of shards that were there and that a newer row does not name any more. */
  void onReplaced(Replaced listener) {
    replaced = listener;
  }

  /** A container's row, or null. */
  public ContainerRow get(long id) {
    byte[] packed;
    Segment segment = segment(id);
    synchronized (segment) {
      int slot = segment.find(id);
      packed = slot < 0 ? null : segment.packed[slot];
    }
    return packed == null ? null : PackedContainer.unpack(id, packed, disks, policies);
  }

  /** Takes a row in, unless one of a version as high is there; says whether it did. */
  public boolean put(ContainerRow row) {
    byte[] packed = PackedContainer.pack(row, disks, policies);
    byte[] before = null;
    Reported had = Reported.NONE;
    Segment segment = segment(row.id());
    synchronized (segment) {
      int slot = segment.find(row.id());
      if (slot < 0) {
        slot = segment.add(row.id());
      } else {
        before = segment.packed[slot];
        if (PackedContainer.version(before) >= row.version()) {
          return false;
        }
        countByState.decrementAndGet(PackedContainer.state(before).getNumber());
        had = segment.reported(slot);
        forgetReplacedShards(segment, slot, before, packed);
      }
      segment.packed[slot] = packed;
      countByState.incrementAndGet(row.info().getState().getNumber());
    }
    if (before != null && had.present() != 0) {
      tellReplaced(row, before, packed, had);
    }
    return true;
  }

  /** A shard that now is to be elsewhere, or of another generation, has not been reported yet. */
  private static void forgetReplacedShards(Segment segment, int slot, byte[] before, byte[] after) {
    int same = same(before, after);
    segment.present[slot] &= same;
    segment.sealed[slot] &= same;
    segment.lossy[slot] &= same;
    segment.failing[slot] &= same;
  }

  private void tellReplaced(ContainerRow row, byte[] before, byte[] after, Reported had) {
    int gone = had.present() & ~same(before, after);
    if (gone != 0) {
      PackedContainer.shards(
          before,
          (i, disk, generation) -> {
            if ((gone & (1 << i)) != 0) {
              replaced.replaced(row, i, disk, generation, had.seen(i));
            }
          });
    }
  }

  /** Which shards two rows put at the same place; bit i = shard i. */
  private static int same(byte[] before, byte[] after) {
    int count = PackedContainer.shardCount(before);
    long[] places = new long[count];
    PackedContainer.shards(before, (i, disk, generation) -> places[i] = place(disk, generation));
    int[] same = new int[1];
    PackedContainer.shards(
        after,
        (i, disk, generation) -> {
          if (i < count && places[i] == place(disk, generation)) {
            same[0] |= 1 << i;
          }
        });
    return same[0];
  }

  /** Forgets a container whose row is gone from the table, unless a newer row came in. */
  void remove(ContainerRow row) {
    Segment segment = segment(row.id());
    synchronized (segment) {
      int slot = segment.find(row.id());
      if (slot >= 0 && PackedContainer.version(segment.packed[slot]) <= row.version()) {
        countByState.decrementAndGet(PackedContainer.state(segment.packed[slot]).getNumber());
        segment.remove(slot);
      }
    }
  }

  private static long place(int disk, int generation) {
    return ((long) disk << 32) | generation;
  }

  public long count(ContainerState state) {
    return countByState.get(state.getNumber());
  }

  /** Names of the policies that any container has or had. */
  public List<String> policies() {
    return policies.all();
  }

  /** All nodes that any row names or named. */
  public Set<String> nodes() {
    return disks.nodes();
  }

  /** Which shards of a container were reported, and which of them as sealed: bit i = shard i. */
  public Reported reported(long id) {
    Segment segment = segment(id);
    synchronized (segment) {
      int slot = segment.find(id);
      return slot < 0 ? Reported.NONE : segment.reported(slot);
    }
  }

  /**
   * Notes what was reported of a shard; of a container that is not here it notes nothing.
   *
   * @param seen null: the shard is not there, or cannot be read
   */
  public void note(long id, int index, Seen seen) {
    Segment segment = segment(id);
    synchronized (segment) {
      int slot = segment.find(id);
      if (slot >= 0) {
        int bit = 1 << index;
        segment.present[slot] = with(segment.present[slot], bit, seen != null);
        segment.sealed[slot] = with(segment.sealed[slot], bit, seen != null && seen.sealed());
        segment.lossy[slot] = with(segment.lossy[slot], bit, seen != null && seen.lossy());
        segment.failing[slot] = with(segment.failing[slot], bit, seen != null && seen.failing());
      }
    }
  }

  private static int with(int mask, int bit, boolean set) {
    return set ? mask | bit : mask & ~bit;
  }

  /**
   * Shows every container to a visitor, segment by segment, so that others wait at most for one
   * segment.
   */
  public void forEach(Visitor visitor) {
    for (Segment segment : segments) {
      long[] ids;
      byte[][] packed;
      int[] present;
      int[] sealed;
      int[] lossy;
      int[] failing;
      synchronized (segment) {
        if (segment.size == 0) {
          continue;
        }
        ids = segment.ids.clone();
        packed = segment.packed.clone();
        present = segment.present.clone();
        sealed = segment.sealed.clone();
        lossy = segment.lossy.clone();
        failing = segment.failing.clone();
      }
      for (int slot = 0; slot < ids.length; slot++) {
        if (ids[slot] != 0) {
          visitor.visit(
              ids[slot],
              packed[slot],
              new Reported(present[slot], sealed[slot], lossy[slot], failing[slot]));
        }
      }
    }
  }

  /** Shows one container, if it is there. */
  void visit(long id, Visitor visitor) {
    byte[] packed;
    Reported reported;
    Segment segment = segment(id);
    synchronized (segment) {
      int slot = segment.find(id);
      if (slot < 0) {
        return;
      }
      packed = segment.packed[slot];
      reported = segment.reported(slot);
    }
    visitor.visit(id, packed, reported);
  }

  /** A disk's number; -1 if no row names it. */
  int diskNumber(String nodeId, String diskId) {
    return disks.find(nodeId, diskId);
  }

  /** How many disks there are numbers for. */
  int diskCount() {
    return disks.count();
  }

  /** k of a packed row's policy. */
  int dataShards(byte[] packed) {
    return ShardInventory.dataShards(policy(PackedContainer.policyNumber(packed)));
  }

  /** Name of the policy of rows that have its number. */
  String policy(int number) {
    return policies.name(number);
  }

  DiskTable.Disk disk(int number) {
    return disks.disk(number);
  }

  private Segment segment(long id) {
    return segments[(int) (mix(id) >>> 58)];
  }

  /** Ids are random, but tests and golden rows have small ones. */
  private static long mix(long id) {
    return id * 0x9E3779B97F4A7C15L;
  }

  /**
   * A shard that is there.
   *
   * @param lossy the rebuild that made it has marked sectors lost
   * @param failing it is never written again, nor sealed
   */
  public record Seen(boolean sealed, boolean lossy, boolean failing) {
    /** Null if there is nothing that can be read. */
    static Seen of(ShardReport report) {
      boolean readable = !report.getQuarantined() && (!report.getFailed() || report.getReadable());
      return readable
          ? new Seen(report.getSealed(), report.getLostSectors() > 0, report.getFailed())
          : null;
    }
  }

  /** Shards of one container by what datanodes said; bit i = shard i. */
  public record Reported(int present, int sealed, int lossy, int failing) {
    static final Reported NONE = new Reported(0, 0, 0, 0);

    public boolean isPresent(int index) {
      return (present & (1 << index)) != 0;
    }

    public boolean isSealed(int index) {
      return (sealed & (1 << index)) != 0;
    }

    /** Whether it can only be read. */
    boolean isFailing(int index) {
      return (failing & (1 << index)) != 0;
    }

    Seen seen(int index) {
      return new Seen(isSealed(index), (lossy & (1 << index)) != 0, isFailing(index));
    }
  }

  /** Told of a shard that was reported and that the newer row does not name. */
  interface Replaced {
    void replaced(ContainerRow row, int index, int diskNumber, int generation, Seen seen);
  }

  /** Told of one container; reads it by the static methods of {@link PackedContainer}. */
  interface Visitor {
    void visit(long id, byte[] packed, Reported reported);
  }

  /** Open addressing with linear probing. Guarded by itself. */
  private static final class Segment {
    private long[] ids = new long[16];
    private byte[][] packed = new byte[16][];
    private int[] present = new int[16];
    private int[] sealed = new int[16];
    private int[] lossy = new int[16];
    private int[] failing = new int[16];
    private int size;

    Reported reported(int slot) {
      return new Reported(present[slot], sealed[slot], lossy[slot], failing[slot]);
    }

    int find(long id) {
      int mask = ids.length - 1;
      for (int slot = start(id, mask); ; slot = (slot + 1) & mask) {
        if (ids[slot] == id) {
          return slot;
        }
        if (ids[slot] == 0) {
          return -1;
        }
      }
    }

    int add(long id) {
      if (4 * (size + 1) > 3 * ids.length) {
        grow();
      }
      int slot = free(ids, id);
      ids[slot] = id;
      size++;
      return slot;
    }

    /** Moves later members of the run into the hole, so that searches need no tombstones. */
    void remove(int slot) {
      int mask = ids.length - 1;
      int hole = slot;
      for (int next = (hole + 1) & mask; ids[next] != 0; next = (next + 1) & mask) {
        int home = start(ids[next], mask);
        if (((next - home) & mask) >= ((next - hole) & mask)) {
          ids[hole] = ids[next];
          packed[hole] = packed[next];
          present[hole] = present[next];
          sealed[hole] = sealed[next];
          lossy[hole] = lossy[next];
          failing[hole] = failing[next];
          hole = next;
        }
      }
      ids[hole] = 0;
      packed[hole] = null;
      present[hole] = 0;
      sealed[hole] = 0;
      lossy[hole] = 0;
      failing[hole] = 0;
      size--;
    }

    private static int free(long[] ids, long id) {
      int mask = ids.length - 1;
      int slot = start(id, mask);
      while (ids[slot] != 0) {
        slot = (slot + 1) & mask;
      }
      return slot;
    }

    private static int start(long id, int mask) {
      return ((int) (mix(id) >>> 20)) & mask;
    }

    private void grow() {
      long[] oldIds = ids;
      byte[][] oldPacked = packed;
      int[] oldPresent = present;
      int[] oldSealed = sealed;
      int[] oldLossy = lossy;
      int[] oldFailing = failing;
      ids = new long[2 * oldIds.length];
      packed = new byte[ids.length][];
      present = new int[ids.length];
      sealed = new int[ids.length];
      lossy = new int[ids.length];
      failing = new int[ids.length];
      for (int old = 0; old < oldIds.length; old++) {
        if (oldIds[old] != 0) {
          int slot = free(ids, oldIds[old]);
          ids[slot] = oldIds[old];
          packed[slot] = oldPacked[old];
          present[slot] = oldPresent[old];
          sealed[slot] = oldSealed[old];
          lossy[slot] = oldLossy[old];
          failing[slot] = oldFailing[old];
        }
      }
    }
  }
}
