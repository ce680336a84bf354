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

import io.stowage.common.error.ErrorCode;
import io.stowage.common.error.NotLeaderException;
import io.stowage.common.error.StoreException;
import io.stowage.common.proto.BalanceStatus;
import io.stowage.common.proto.OperatorWord;
import io.stowage.common.proto.SetBalanceReply;
import io.stowage.common.proto.SetBalanceRequest;
import io.stowage.common.proto.ShardPlace;
import io.stowage.scm.cluster.Candidate;
import io.stowage.scm.cluster.ClusterMap;
import java.util.Comparator;
import java.util.DoubleSummaryStatistics;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.function.LongSupplier;
import java.util.stream.Collectors;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Moves shards of containers that break the rule of placement apart, and shards from disks that are
 * fuller than others to emptier ones, by the order that repairs; while an operator wants it, and in
 * one term of leadership. The copy that was moved away goes as every replaced copy does ({@link
 * Surplus}), once the container is whole: there never is one less. Confined to the ticking thread,
 * but for status.
 *
 * <p><b>Apart.</b> New containers keep the rule, but racks may be told, a failure domain made
 * larger, a machine carried to another rack after they were placed, and repair takes what place
 * there is. A {@link PlaceCheck} finds those that can be mended; {@link Spread} says which shard
 * goes where, and why that ends. They go first, one shard of a container at a time, and to no disk
 * that would be too full with all that is on its way there, or have less than a twentieth free.
 * While disks are too full they take half of the moves, and what these have no use for.
 *
 * <p><b>Even.</b> A disk is too full if the share that it uses of what shards may use is above the
 * mean of all fit disks by more than the threshold; its shards go to disks below that mean. It is
 * too full as well if it is above the mean of its own node's fit disks by as much, however full
 * other nodes are; its shards then go to disks of the node that are below the node's mean, which
 * asks nothing of the network. Every such move is from a fuller disk to one that is emptier by more
 * than the threshold, and by more than {@value #CLOSER} times what is moved, so moves cannot go in
 * circles: with a threshold below a shard's size, two disks would change places forever. Nor does
 * one put a shard where it would be moved apart again, or have the loss of one more rack lose the
 * container.
 *
 * <p>Bandwidth is bounded by the number of moves at once, of both kinds, and by the datanodes'
 * repair rate for a disk. What may happen in between, beside what {@link Repair} says of its
 * orders:
 *
 * <ul>
 *   <li><i>Leader changes after the order:</i> the next one knows nothing of it and judges what the
 *       row says. It may order the same again, elsewhere, under a higher generation; the first copy
 *       is a stranger then, and put aside.
 *   <li><i>The target dies:</i> the order is given up and the container not moved for seconds, its
 *       row and its shard as they were. Repair does not wait for that.
 *   <li><i>The source dies, or another shard is lost:</i> the container is not whole, and repair's.
 *       What is under way goes on to its end, read or decoded from what is there; the other shard
 *       is made beside it, away from both of its places.
 *   <li><i>Racks or domains change again:</i> what is under way ends where it was to go, and may
 *       have been in vain.
 *   <li><i>The SCMs were told different racks:</i> shards are moved after each change of leaders,
 *       and then no more.
 * </ul>
 */
final class Balance {
  private static final Logger LOG = LoggerFactory.getLogger(Balance.class);
  private static final double THRESHOLD = 0.1;

  /** 1 would change their places, 2 makes them equal. */
  private static final double CLOSER = 1.5;

  private static final int MOVES_AT_ONCE = 8;

  /** Below {@link Surplus#FEW}, see {@link #look}. */
  private static final int MOST_MOVES_AT_ONCE = 64;

  /** Containers for which places are looked for in a tick, of a kind; leases wait behind that. */
  private static final int MOST_TRIED = 32;

  /** So much of a disk no move apart takes, however full others are. */
  private static final int KEPT_FREE = 20; // the twentieth part

  /** Disks of which containers are looked for in one inspection. */
  private static final int MOST_FULL_DISKS = 64;

  private final ContainerMap map;
  private final ClusterMap cluster;
  private final OperatorWords operator;
  private final Inspector inspector;
  private final Repair repair;
  private final Rebuilds rebuilds;
  private int misplacedTurn; // where the last tick stopped, so that all get their turn
  private int fullTurn;
  private volatile String waits = "";
  private int oddTurn; // of an odd number of moves at once both kinds get the odd one in turns

  Balance(
      ContainerMap map,
      ClusterMap cluster,
      OperatorWords operator,
      Inspector inspector,
      Repair repair,
      Rebuilds rebuilds) {
    this.map = map;
    this.cluster = cluster;
    this.operator = operator;
    this.inspector = inspector;
    this.repair = repair;
    this.rebuilds = rebuilds;
  }

  SetBalanceReply set(SetBalanceRequest request) throws StoreException {
    if (request.getThreshold() < 0
        || request.getThreshold() >= 1
        || request.getMovesAtOnce() < 0
        || request.getMovesAtOnce() > MOST_MOVES_AT_ONCE) {
      throw new StoreException(
          ErrorCode.INVALID_ARGUMENT,
          "Cannot balance: a threshold from 0 to 1 and at most "
              + MOST_MOVES_AT_ONCE
              + " moves at once are expected");
    }
    OperatorWord unused = operator.change(word -> word.toBuilder().setBalance(request).build());
    LOG.info("Balancing is {}", request.getRunning() ? "on" : "off");
    return SetBalanceReply.getDefaultInstance();
  }

  private boolean isOn() {
    return operator.latest().getBalance().getRunning();
  }

  private double threshold() {
    double said = operator.latest().getBalance().getThreshold();
    return said == 0 ? THRESHOLD : said;
  }

  private int movesAtOnce() {
    int said = operator.latest().getBalance().getMovesAtOnce();
    return said == 0 ? MOVES_AT_ONCE : Math.min(said, MOST_MOVES_AT_ONCE);
  }

  /** Numbers of the disks that are too full; none while nobody wants it. */
  Set<Integer> fullDisks() {
    if (!isOn()) {
      return Set.of();
    }
    Fullness fullness = new Fullness(fit(), threshold());
    return fullness.disks.stream()
        .filter(disk -> fullness.isTooFull(disk, disk.usedShare()))
        .sorted(Comparator.comparingDouble(Candidate::usedShare).reversed())
        .limit(MOST_FULL_DISKS)
        .map(disk -> map.diskNumber(disk.nodeId(), disk.diskId()))
        .filter(number -> number >= 0)
        .collect(Collectors.toSet());
  }

  private List<Candidate> fit() {
    return cluster.candidates().stream().filter(Candidate::isFit).toList();
  }

  private static double mean(List<Candidate> disks) {
    return disks.stream().mapToDouble(Candidate::usedShare).average().orElse(0);
  }

  /** How full disks are beside one another. */
  private static final class Fullness {
    private final List<Candidate> disks;
    private final double threshold;
    private final double mean;
    private final Map<String, DoubleSummaryStatistics> ofNode;

    Fullness(List<Candidate> disks, double threshold) {
      this.disks = disks;
      this.threshold = threshold;
      this.mean = mean(disks);
      this.ofNode =
          disks.stream()
              .collect(
                  Collectors.groupingBy(
                      Candidate::nodeId, Collectors.summarizingDouble(Candidate::usedShare)));
    }

    boolean isTooFull(Candidate disk, double usedShare) {
      return isTooFullOfAll(usedShare) || isTooFullOfNode(disk, usedShare);
    }

    private boolean isTooFullOfAll(double usedShare) {
      return usedShare > mean + threshold;
    }

    /** A disk that is its node's only one is fuller than none beside it, whatever comes to it. */
    private boolean isTooFullOfNode(Candidate disk, double usedShare) {
      DoubleSummaryStatistics all = ofNode.get(disk.nodeId());
      return all.getCount() > 1 && usedShare > all.getAverage() + threshold;
    }

    /** Disks that would not be too full with so much more than what is on its way to them. */
    List<Candidate> withRoomFor(
        long bytes, List<Candidate> free, Map<String, Long> coming, long minFreeBytes) {
      return free.stream()
          .filter(
              disk -> {
                long more =
                    coming.getOrDefault(Rebuild.diskKey(disk.nodeId(), disk.diskId()), 0L) + bytes;
                long kept = (disk.usedBytes() + disk.freeBytes()) / KEPT_FREE;
                return disk.freeBytes() - more >= Math.max(minFreeBytes, kept)
                    && !isTooFull(disk, disk.usedShareWith(more));
              })
          .toList();
    }

    /** Where a disk's shards may go. */
    List<Candidate> targetsOf(Candidate full) {
      boolean ofAll = isTooFullOfAll(full.usedShare());
      boolean ofItsNode = isTooFullOfNode(full, full.usedShare());
      return disks.stream()
          .filter(
              disk ->
                  (ofAll && disk.usedShare() < mean)
                      || (ofItsNode
                          && disk.nodeId().equals(full.nodeId())
                          && disk.usedShare() < ofNode.get(full.nodeId()).getAverage()))
          .toList();
    }
  }

  /**
   * Orders moves, as many as there is room for.
   *
   * @param mostUnknown how many copies may become unknown without anything being held back for
   *     that: if the leader changes, nobody waits for those that moves under way make
   */
  void look(Inspection found, LongSupplier mostUnknown) throws NotLeaderException {
    if (!isOn()) {
      return;
    }
    long most = mostUnknown.getAsLong();
    waits =
        most > 0
            ? ""
            : "as many shards belong to no container row as may, and moves could leave more: see"
                + " stowage datanode quarantine";
    int atOnce = (int) Math.min(movesAtOnce(), most);
    int room = atOnce - rebuilds.figures().moves();
    if (room <= 0) {
      return;
    }
    Repair.Start start = repair.start();
    Fullness fullness = new Fullness(start.fitDisks(), threshold());
    int roomApart = room;
    if (!found.onFullDisks().isEmpty()) {
      oddTurn = 1 - oddTurn;
      roomApart = Math.min(room, (atOnce + oddTurn) / 2 - rebuilds.movesApart());
    }
    LongList misplaced = inspector.places().misplaced();
    room -= moveApart(misplaced, start, fullness, roomApart, MOST_TRIED);
    int triedApart = start.movesTried();
    room -= even(found.onFullDisks(), start, fullness, room);
    // What is on full disks may have no better place for good.
    int unused = moveApart(misplaced, start, fullness, room, MOST_TRIED - triedApart);
  }

  /** Says how many moves it ordered. */
  private int moveApart(
      LongList misplaced, Repair.Start start, Fullness fullness, int room, int tries)
      throws NotLeaderException {
    int begun = 0;
    int lastTry = start.movesTried() + tries;
    for (int i = 0;
        i < misplaced.size() && begun < room && start.goesOn() && start.movesTried() < lastTry;
        i++) {
      misplacedTurn = (misplacedTurn + 1) % misplaced.size();
      boolean ordered =
          repair.moveApart(
              start,
              misplaced.get(misplacedTurn),
              bytes ->
                  fullness.withRoomFor(
                      bytes, start.freeDisks(), rebuilds.bytesComing(), cluster.minFreeBytes()));
      begun += ordered ? 1 : 0;
    }
    return begun;
  }

  /** Says how many moves it ordered. */
  private int even(
      Map<Integer, LongList> onFullDisks, Repair.Start start, Fullness fullness, int most)
      throws NotLeaderException {
    List<Map.Entry<Integer, LongList>> fullDisks = List.copyOf(onFullDisks.entrySet());
    int lastTry = start.movesTried() + MOST_TRIED;
    int room = most;
    fullTurn++;
    for (int d = 0; d < fullDisks.size(); d++) {
      Map.Entry<Integer, LongList> full =
          fullDisks.get(Math.floorMod(fullTurn + d, fullDisks.size()));
      DiskTable.Disk disk = map.disk(full.getKey());
      Candidate from = find(fullness.disks, disk);
      if (from == null) {
        continue; // not fit any more
      }
      List<Candidate> to = fullness.targetsOf(from).stream().filter(start::isFree).toList();
      boolean more = !to.isEmpty() && isStillTooFull(from, fullness);
      for (int i = 0;
          i < full.getValue().size()
              && more
              && room > 0
              && start.goesOn()
              && start.movesTried() < lastTry;
          i++) {
        long id = full.getValue().get(i);
        int index = indexOn(id, disk);
        if (index >= 0
            && repair.moveAway(start, id, index, bytes -> thatComeCloser(from, to, bytes, start))) {
          room--;
          more = isStillTooFull(from, fullness);
        }
      }
    }
    return most - room;
  }

  private static List<Candidate> thatComeCloser(
      Candidate from, List<Candidate> to, long bytes, Repair.Start start) {
    return to.stream()
        .filter(
            disk -> {
              double all = Math.max(1, disk.usedBytes() + disk.freeBytes());
              return from.usedShare() - disk.usedShare() > CLOSER * bytes / all
                  && start.isFree(disk); // it may have taken its last one by now
            })
        .toList();
  }

  private static Candidate find(List<Candidate> disks, DiskTable.Disk disk) {
    for (Candidate candidate : disks) {
      if (candidate.is(disk.nodeId(), disk.diskId())) {
        return candidate;
      }
    }
    return null;
  }

  private int indexOn(long id, DiskTable.Disk disk) {
    ContainerRow row = map.get(id);
    if (row != null) {
      for (ShardPlace place : row.info().getShardsList()) {
        if (place.getNodeId().equals(disk.nodeId()) && place.getDiskId().equals(disk.diskId())) {
          return place.getIndex();
        }
      }
    }
    return -1;
  }

  /** With what is already on its way taken off. */
  private boolean isStillTooFull(Candidate disk, Fullness fullness) {
    long leaving =
        rebuilds.all().stream()
            .filter(
                rebuild ->
                    !rebuild.reason.isRepair()
                        && disk.is(rebuild.replaced.getNodeId(), rebuild.replaced.getDiskId()))
            .mapToLong(rebuild -> rebuild.bytesTotal)
            .sum();
    return fullness.isTooFull(disk, disk.usedShareWith(-leaving));
  }

  BalanceStatus status() {
    List<Candidate> disks = fit();
    double mean = mean(disks);
    Rebuilds.Figures figures = rebuilds.figures();
    return BalanceStatus.newBuilder()
        .setRunning(isOn())
        .setThreshold(threshold())
        .setMovesAtOnce(movesAtOnce())
        .setSpread(disks.stream().mapToDouble(d -> Math.abs(d.usedShare() - mean)).max().orElse(0))
        .setShardsMoved(figures.shardsMoved())
        .setBytesMoved(figures.bytesMoved())
        .setInFlight(figures.moves())
        .setWaits(isOn() ? waits : "")
        .build();
  }
}
