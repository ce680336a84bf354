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
import io.stowage.common.error.StoreException;
import io.stowage.common.proto.BalanceStatus;
import io.stowage.common.proto.OperatorWord;
import io.stowage.common.proto.SetBalanceReply;
import io.stowage.common.proto.SetBalanceRequest;
import io.stowage.common.proto.ShardPlace;
import io.stowage.scm.cluster.Candidate;
import io.stowage.scm.cluster.ClusterMap;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.stream.Collectors;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Moves shards from disks that are fuller than others to emptier ones, in the same node or another,
 * by the order that repairs; while an operator wants it, and in one term of leadership. The copy
 * that was moved away goes as every replaced copy does, once the container is whole. Confined to
 * the ticking thread, but for status.
 *
 * <p>A disk is too full if the share that it uses of what shards may use is above the mean of all
 * fit disks by more than the threshold; its shards go to disks below the mean. Bandwidth is bounded
 * by the number of moves at once and by the datanodes' repair rate for a disk.
 */
final class Balance {
  private static final Logger LOG = LoggerFactory.getLogger(Balance.class);
  private static final double THRESHOLD = 0.1;
  private static final int MOVES_AT_ONCE = 8;
  private static final int MOST_MOVES_AT_ONCE = 256;

  /** Disks of which containers are looked for in one inspection. */
  private static final int MOST_FULL_DISKS = 64;

  private final ContainerMap map;
  private final ClusterMap cluster;
  private final OperatorWords operator;
  private final Repair repair;
  private final Rebuilds rebuilds;

  Balance(
      ContainerMap map,
      ClusterMap cluster,
      OperatorWords operator,
      Repair repair,
      Rebuilds rebuilds) {
    this.map = map;
    this.cluster = cluster;
    this.operator = operator;
    this.repair = repair;
    this.rebuilds = rebuilds;
  }

  SetBalanceReply set(SetBalanceRequest request) throws StoreException {
    if (request.getThreshold() < 0
        || request.getThreshold() >= 1
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
    return said == 0 ? MOVES_AT_ONCE : said;
  }

  /** Numbers of the disks that are too full; none while nobody wants it. */
  Set<Integer> fullDisks() {
    if (!isOn()) {
      return Set.of();
    }
    List<Candidate> disks = fit();
    double mean = mean(disks);
    return disks.stream()
        .filter(disk -> disk.usedShare() > mean + threshold())
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

  /** Orders moves, as many as there is room for. */
  void look(Inspection found) throws StoreException {
    if (!isOn() || found.onFullDisks().isEmpty()) {
      return;
    }
    int room = movesAtOnce() - rebuilds.figures().moves();
    List<Candidate> disks = fit();
    double mean = mean(disks);
    List<Candidate> to =
        new ArrayList<>(disks.stream().filter(disk -> disk.usedShare() < mean).toList());
    Set<Long> moved = new HashSet<>();
    for (Map.Entry<Integer, LongList> full : found.onFullDisks().entrySet()) {
      DiskTable.Disk disk = map.disk(full.getKey());
      boolean more = true;
      for (int i = 0; i < full.getValue().size() && room > 0 && more; i++) {
        long id = full.getValue().get(i);
        int index = indexOn(id, disk);
        if (index >= 0 && moved.add(id) && repair.move(id, index, to)) {
          room--;
          more = isStillFull(disk, disks, mean);
        }
      }
    }
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
  private boolean isStillFull(DiskTable.Disk disk, List<Candidate> disks, double mean) {
    long leaving =
        rebuilds.all().stream()
            .filter(
                rebuild ->
                    rebuild.reason == Rebuild.Reason.BALANCE
                        && rebuild.replaced.getNodeId().equals(disk.nodeId())
                        && rebuild.replaced.getDiskId().equals(disk.diskId()))
            .mapToLong(rebuild -> rebuild.bytesTotal)
            .sum();
    for (Candidate candidate : disks) {
      if (candidate.is(disk.nodeId(), disk.diskId())) {
        double all = Math.max(1, candidate.usedBytes() + candidate.freeBytes());
        return (candidate.usedBytes() - leaving) / all > mean + threshold();
      }
    }
    return false;
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
        .build();
  }
}
