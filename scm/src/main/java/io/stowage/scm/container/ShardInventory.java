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
import io.stowage.common.proto.DamagedShard;
import io.stowage.common.proto.OrderResult;
import io.stowage.common.proto.ShardPlace;
import io.stowage.common.proto.ShardReport;
import io.stowage.scm.cluster.ClusterMap;
import io.stowage.scm.cluster.ClusterMap.PlaceState;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * What datanodes reported of their shards, held against the rows: which shards are there, sealed,
 * missing, of another generation, or of no container at all. Every SCM keeps its own from the same
 * reports. Thread-safe.
 *
 * <p>A shard is <i>missing</i> if its node is dead, its disk gone or not to be read, or its node
 * reported in full and did not name it. It is <i>failing</i> if it can be read and not written,
 * since a force of it failed or its disk takes no writes: it is made anew elsewhere, from itself if
 * need be. A container whose shards nobody has seen and nothing was written to misses none: shard
 * files are made when a writer opens them. Of an open container, which may have been opened a
 * moment ago, only lost places count.
 */
public final class ShardInventory {
  private static final Logger LOG = LoggerFactory.getLogger(ShardInventory.class);

  private final ContainerMap map;
  private final ClusterMap cluster;

  /** Highest end reported of a container, while it is above what the row says. */
  private final Map<Long, Long> ends = new ConcurrentHashMap<>();

  /** Containers of which a shard was told that their row does not explain: at most so many. */
  private static final int MOST_AHEAD = 100_000;

  private final Map<Long, Ahead> ahead = new ConcurrentHashMap<>();

  private final Strangers strangers = new Strangers();
  private final Damage damage = new Damage();

  private final Map<String, Telling> tellings = new ConcurrentHashMap<>(); // by node

  public ShardInventory(ContainerMap map, ClusterMap cluster) {
    this.map = map;
    this.cluster = cluster;
    map.onReplaced(this::replaced);
  }

  /**
   * What a node tells is counted under this, whoever says it: a shard that an answer and a
   * heartbeat tell at once counts once. Guarded by itself; taken before any other lock.
   */
  private static final class Telling {
    private PagedReport report; // null: none is under way
  }

  /** What a node told in the pages before, and what became known of its shards besides. */
  private static final class PagedReport {
    private final boolean again;
    private final Set<ShardId> told = new HashSet<>(); // if it is told again
    private final Set<ShardId> left = new HashSet<>();
    private final Set<ShardId> came = new HashSet<>();
    private int pages;
    private int shards;

    PagedReport(boolean again) {
      this.again = again;
    }

    private void tell(ShardId id) {
      came.remove(id);
      shards++;
      if (again) {
        told.add(id);
      }
    }

    /** A shard is there that was not, or is no more; else than by this report. */
    private void changed(ShardId id, boolean there) {
      if (there && !left.remove(id)) {
        came.add(id);
      } else if (!there && !came.remove(id) && (!again || told.contains(id))) {
        left.add(id);
      }
    }
  }

  /**
   * What shards of a container told that its row, as this SCM knew it, does not explain. The row
   * says so first: an epoch is in the row before a writer can open a shard under it, and SEALED
   * before a shard is sealed.
   *
   * @param epoch the highest that opened one
   * @param sealed whether one was sealed while the row said OPEN
   */
  record Ahead(long container, long epoch, boolean sealed) {
    private Ahead and(Ahead other) {
      return new Ahead(container, Math.max(epoch, other.epoch), sealed || other.sealed);
    }

    boolean isExplainedBy(ContainerInfo info) {
      return epoch <= info.getLeaseEpoch() && !(sealed && info.getState() == ContainerState.OPEN);
    }
  }

  /** A shard file's identity on its node. */
  public record ShardId(long container, int index, int generation) {
    static ShardId of(OrderResult result) {
      return new ShardId(result.getContainer(), result.getIndex(), result.getGeneration());
    }

    static ShardId of(ShardReport report) {
      return new ShardId(report.getContainer(), report.getIndex(), report.getGeneration());
    }
  }

  /** Takes in shards that changed and tells which are to be looked at: see {@link #reportPage}. */
  public List<ShardReport> report(String nodeId, List<ShardReport> shards) {
    List<ShardReport> unsealed = new ArrayList<>();
    for (ShardReport shard : shards) {
      counted(nodeId, ShardId.of(shard), () -> take(nodeId, shard, unsealed));
    }
    return unsealed;
  }

  /**
   * Takes in what is news of a shard, and counts it at its node if it is there only by that, or no
   * more. Else nothing but a full report, as after a restart, would ever count what is gone, and
   * how many unknown shards are too many follows from how many there are.
   */
  private void counted(String nodeId, ShardId id, Runnable news) {
    Telling telling = telling(nodeId);
    synchronized (telling) {
      boolean before = isKnown(nodeId, id);
      news.run();
      boolean after = isKnown(nodeId, id);
      if (before == after) {
        return;
      }
      cluster.noteNewShards(nodeId, after ? 1 : -1);
      if (telling.report != null) {
        telling.report.changed(id, after);
      }
    }
  }

  private Telling telling(String nodeId) {
    return tellings.computeIfAbsent(nodeId, node -> new Telling());
  }

  private boolean isKnown(String nodeId, ShardId id) {
    if (strangers.find(nodeId, id) != null) {
      return true;
    }
    ContainerRow row = map.get(id.container());
    return row != null
        && names(row.info(), nodeId, id)
        && map.reported(id.container()).isPresent(id.index());
  }

  /**
   * Takes a page of a node's full report in. Until the last one nothing is concluded from what was
   * not told. Pages that do not follow one another are worth what they say, but complete no report,
   * so that the node is asked for one again.
   *
   * @return shards that stand open although their container's row is sealed
   */
  public List<ShardReport> reportPage(
      String nodeId, List<ShardReport> shards, int page, boolean more) {
    Telling telling = telling(nodeId);
    synchronized (telling) {
      return reportPage(telling, nodeId, shards, page, more);
    }
  }

  private List<ShardReport> reportPage(
      Telling telling, String nodeId, List<ShardReport> shards, int page, boolean more) {
    List<ShardReport> unsealed = new ArrayList<>();
    if (page == 0) {
      strangers.forgetNode(nodeId);
      telling.report = new PagedReport(cluster.everHadFullReport(nodeId));
    }
    PagedReport report = telling.report;
    boolean follows = report != null && report.pages == page;
    for (ShardReport shard : shards) {
      if (follows) {
        report.tell(ShardId.of(shard));
      }
      take(nodeId, shard, unsealed);
    }
    if (!follows) {
      telling.report = null;
      return unsealed;
    }
    report.pages++;
    if (!more) {
      telling.report = null;
      if (report.again) {
        report.told.addAll(report.came);
        forgetUntold(nodeId, report.told);
      }
      cluster.noteFullReport(nodeId, report.shards + report.came.size() - report.left.size());
    }
    return unsealed;
  }

  /** Whether a node is in the midst of a report in pages. */
  public boolean isReportUnderWay(String nodeId) {
    Telling telling = telling(nodeId);
    synchronized (telling) {
      return telling.report != null;
    }
  }

  private void take(String nodeId, ShardReport shard, List<ShardReport> unsealed) {
    ContainerRow row = map.get(shard.getContainer());
    if (row != null) {
      compare(row, shard);
    }
    if (row == null || !isPlace(row.info(), nodeId, shard)) {
      addStranger(nodeId, shard, row);
      return;
    }
    if (shard.getQuarantined()) {
      addStranger(nodeId, shard, row); // to be restored
    } else {
      strangers.forget(nodeId, ShardId.of(shard));
    }
    ContainerMap.Seen seen = ContainerMap.Seen.of(shard);
    map.note(row.id(), shard.getIndex(), seen);
    if (shard.getEnd() > row.info().getEndOffset()) {
      ends.merge(row.id(), shard.getEnd(), Math::max);
    }
    if (seen != null && !seen.sealed() && !seen.failing() && isClosed(row.info().getState())) {
      unsealed.add(shard);
    }
  }

  private void compare(ContainerRow row, ShardReport shard) {
    Ahead told = new Ahead(row.id(), shard.getEpoch(), shard.getSealed());
    if (!told.isExplainedBy(row.info())
        && (ahead.size() < MOST_AHEAD || ahead.containsKey(row.id()))) {
      ahead.merge(row.id(), told, Ahead::and);
    }
  }

  /** Some containers whose shards told what their rows did not explain then. */
  List<Ahead> ahead(int most) {
    List<Ahead> some = new ArrayList<>();
    for (Ahead told : ahead.values()) {
      if (some.size() == most) {
        break;
      }
      some.add(told);
    }
    return some;
  }

  boolean isAhead(long container) {
    return ahead.containsKey(container);
  }

  /** What was told has been looked into. */
  void forgetAhead(Ahead told) {
    ahead.remove(told.container(), told);
  }

  /** Rows have come in: forgets what they explain by now. */
  public void forgetExplained() {
    for (Ahead told : ahead.values()) {
      ContainerRow row = map.get(told.container());
      if (row == null || told.isExplainedBy(row.info())) {
        forgetAhead(told);
      }
    }
  }

  /** Whether nobody is to write to a container of this state, and it is to be kept. */
  static boolean isClosed(ContainerState state) {
    return state == ContainerState.SEALED || state == ContainerState.REPACKING;
  }

  static boolean isPlace(ContainerInfo info, String nodeId, ShardReport shard) {
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
                    map.note(id, index, null);
                  }
                }));
  }

  /** A datanode answered, or tells, that a shard is there and sealed. */
  void noteSealed(String nodeId, ShardId id, long end, long lostSectors) {
    counted(nodeId, id, () -> takeSealed(nodeId, id, end, lostSectors));
  }

  private void takeSealed(String nodeId, ShardId id, long end, long lostSectors) {
    ContainerRow row = map.get(id.container());
    if (row == null || !names(row.info(), nodeId, id)) {
      return; // replaced meanwhile
    }
    strangers.forget(nodeId, id);
    map.note(id.container(), id.index(), new ContainerMap.Seen(true, lostSectors > 0, false));
    if (end > row.info().getEndOffset()) {
      ends.merge(id.container(), end, Math::max);
    }
  }

  /** A datanode answered that a shard file is not there, or no longer. */
  void noteGone(String nodeId, ShardId id) {
    counted(
        nodeId,
        id,
        () -> {
          strangers.forget(nodeId, id);
          ContainerRow row = map.get(id.container());
          if (row != null && names(row.info(), nodeId, id)) {
            map.note(id.container(), id.index(), null);
          }
        });
  }

  /** Whether a row names this shard; a node has no two of one generation on two disks. */
  private static boolean names(ContainerInfo info, String nodeId, ShardId id) {
    return id.index() < info.getShardsCount()
        && info.getShards(id.index()).getNodeId().equals(nodeId)
        && info.getShards(id.index()).getGeneration() == id.generation();
  }

  /** Highest end of any shard as far as it is known. */
  public long end(ContainerInfo info) {
    return Math.max(info.getEndOffset(), ends.getOrDefault(info.getId(), 0L));
  }

  /** Those of which a higher end was reported than their row says; mostly the open ones. */
  List<Long> containersWithNewEnds() {
    return List.copyOf(ends.keySet());
  }

  /** A container is gone. */
  void forgetEnds(long container) {
    ends.remove(container);
  }

  /** A row now says how far its container reaches. */
  public void forgetEnd(ContainerInfo info) {
    ends.computeIfPresent(info.getId(), (id, end) -> end <= info.getEndOffset() ? null : end);
  }

  /** Shards of a container that are not where its row says, or cannot be written. */
  Missing missing(ContainerInfo info) {
    ContainerMap.Reported reported = map.reported(info.getId());
    boolean everOpened = reported.present() != 0 || end(info) > 0;
    int lost = 0;
    int absent = 0;
    for (ShardPlace place : info.getShardsList()) {
      PlaceState state = cluster.placeState(place.getNodeId(), place.getDiskId());
      boolean present =
          reported.isPresent(place.getIndex()) && !reported.isFailing(place.getIndex());
      if (state == PlaceState.LOST || state.isFailing()) {
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
    return state.isReported() && everOpened && !present;
  }

  /** Whether a higher end was reported of a container than its row says. */
  boolean isEndNews(long container) {
    return ends.containsKey(container);
  }

  /** How one container's shards are; null if it is not known. */
  Condition condition(long container) {
    Condition[] found = new Condition[1];
    map.visit(
        container,
        (id, packed, reported) ->
            found[0] =
                Condition.of(
                    id,
                    packed,
                    reported,
                    map,
                    new PlaceStates(map, cluster),
                    damage,
                    isEndNews(id)));
    return found[0];
  }

  /** k of a policy that a row names; rows only ever name policies that once were known. */
  static int dataShards(String policy) {
    try {
      return ErasurePolicy.named(policy).k();
    } catch (StoreException e) {
      throw new IllegalStateException(e);
    }
  }

  /** Shards that no row names, or not there, or not of that generation. */
  Strangers strangers() {
    return strangers;
  }

  public long unknownCount() {
    return strangers.unknownCount();
  }

  public long staleCount() {
    return strangers.staleCount();
  }

  public long quarantinedCount() {
    return strangers.quarantinedCount();
  }

  /** Takes in which of its shards a node knows to be damaged: all of them. */
  public void damaged(String nodeId, List<DamagedShard> shards) {
    for (DamagedShard shard : damage.told(nodeId, shards)) {
      LOG.warn(
          "Datanode {} says that shard {} of container {}, generation {}, is damaged: {} sectors,"
              + " {}",
          nodeId,
          shard.getShard().getIndex(),
          ContainerRow.nameOf(shard.getShard().getContainer()),
          shard.getShard().getGeneration(),
          shard.getSectors(),
          shard.getWhat());
    }
  }

  /** What datanodes know to be damaged. */
  Damage damage() {
    return damage;
  }

  private void addStranger(String nodeId, ShardReport shard, ContainerRow row) {
    strangers.add(nodeId, shard, kin(row, shard));
  }

  private static Strangers.Kin kin(ContainerRow row, ShardReport shard) {
    if (row == null || shard.getIndex() >= row.info().getShardsCount()) {
      return Strangers.Kin.NO_ROW;
    }
    return shard.getGeneration() < row.info().getShards(shard.getIndex()).getGeneration()
        ? Strangers.Kin.STALE
        : Strangers.Kin.SURPLUS;
  }

  /** Counts a stranger anew, as its row is by now. */
  void judgeKin(Strangers.Stranger stranger) {
    Strangers.Kin kin = kin(map.get(stranger.shard().getContainer()), stranger.shard());
    if (kin != stranger.kin()) {
      strangers.add(stranger.nodeId(), stranger.shard(), kin);
    }
  }

  /** A newer row names another place: the copy that was here is still there. */
  private void replaced(
      ContainerRow row, int index, int diskNumber, int generation, ContainerMap.Seen seen) {
    DiskTable.Disk disk = map.disk(diskNumber);
    addStranger(
        disk.nodeId(),
        ShardReport.newBuilder()
            .setContainer(row.id())
            .setIndex(index)
            .setGeneration(generation)
            .setDiskId(disk.diskId())
            .setSealed(seen.sealed())
            .setLostSectors(seen.lossy() ? 1 : 0) // or more, as the next report says
            .setFailed(seen.failing())
            .setReadable(seen.failing())
            .build(),
        row);
  }

  /**
   * Looks again at a stranger whose row has come in by now.
   *
   * @return whether the shard belongs to its row after all
   */
  boolean recognise(Strangers.Stranger stranger) {
    ContainerRow row = map.get(stranger.shard().getContainer());
    if (row == null
        || stranger.shard().getQuarantined()
        || !isPlace(row.info(), stranger.nodeId(), stranger.shard())) {
      return false;
    }
    report(stranger.nodeId(), List.of(stranger.shard())); // which takes it out of the strangers
    return true;
  }

  /** A datanode answered that it put a stranger into quarantine; it stays counted. */
  void noteQuarantined(String nodeId, ShardId id, long nowMicros) {
    Strangers.Stranger stranger = strangers.find(nodeId, id);
    if (stranger != null) {
      ShardReport shard =
          stranger.shard().toBuilder().setQuarantined(true).setQuarantinedMicros(nowMicros).build();
      strangers.add(nodeId, shard, stranger.kin());
    }
  }
}
