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

import io.stowage.common.error.NotLeaderException;
import io.stowage.common.error.OutcomeUnknownException;
import io.stowage.common.error.StoreException;
import io.stowage.common.proto.ContainerInfo;
import io.stowage.common.proto.OperatorWord;
import io.stowage.common.proto.ShardPlace;
import io.stowage.common.time.StoreClock;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.TreeMap;
import java.util.UUID;
import java.util.function.Predicate;
import org.apache.hadoop.thirdparty.protobuf.ByteString;

/**
 * In-memory twin of the HBase store, which {@link ContainerStoreContractTest} holds to the same
 * behaviour. Several SCMs of a test share one, as they share a table. Guarded by itself.
 */
public final class MemoryContainerStore implements ContainerStore {
  private final StoreClock clock;
  private final TreeMap<Long, ContainerRow> rows = new TreeMap<>();
  private OperatorCell operator = new OperatorCell(0, OperatorWord.getDefaultInstance());
  private final Map<String, String> nodeHosts = new HashMap<>();
  private String clusterId;
  private long epoch;
  private Fault fault = Fault.NONE;
  private boolean hangs;
  private int failed;
  private int mutations;
  private Hook beforeOperatorWord; // null: nothing happens

  /** What becomes of the next write. */
  public enum Fault {
    NONE,
    /** It happens, and the reply is lost. */
    REPLY_LOST,
    /** It does not happen, and nobody can tell. */
    REQUEST_LOST
  }

  public MemoryContainerStore(StoreClock clock) {
    this.clock = clock;
  }

  private static final ByteString FOLDED = ByteString.EMPTY;

  /** What a run noted, and when. */
  private record Noted(long bytes, long micros) {}

  private final Map<Long, Map<ByteString, Noted>> dead = new HashMap<>();

  public synchronized void failNextWrite(Fault next) {
    fault = next;
  }

  /** From now on no write happens, and nobody can tell; or they all do again. */
  public synchronized void setHangs(boolean doesHang) {
    hangs = doesHang;
  }

  /** Writes that failed since the beginning. */
  public synchronized int failedWrites() {
    return failed;
  }

  /** A copy of all that is in it; run it to put that back. */
  public synchronized Runnable copy() {
    Map<Long, ContainerRow> rowsThen = new TreeMap<>(rows);
    OperatorCell operatorThen = operator;
    Map<String, String> nodeHostsThen = new HashMap<>(nodeHosts);
    long epochThen = epoch;
    return () -> {
      synchronized (this) {
        rows.clear();
        rows.putAll(rowsThen);
        operator = operatorThen;
        nodeHosts.clear();
        nodeHosts.putAll(nodeHostsThen);
        epoch = epochThen;
      }
    };
  }

  /** Row mutations since the beginning. */
  public synchronized int mutations() {
    return mutations;
  }

  @Override
  public synchronized String clusterId() {
    if (clusterId == null) {
      clusterId = UUID.randomUUID().toString();
    }
    return clusterId;
  }

  @Override
  public synchronized LeaderEpoch raiseLeaderEpoch(String scmId, long heard) throws StoreException {
    LeaderEpoch next = new LeaderEpoch(epoch).next(heard);
    epoch = next.value();
    return next;
  }

  @Override
  public synchronized LeaderEpoch leaderEpoch() {
    return new LeaderEpoch(epoch);
  }

  @Override
  public synchronized ContainerRow read(long id) {
    return rows.get(id);
  }

  @Override
  public synchronized Outcome write(LeaderEpoch leader, ContainerRow before, ContainerInfo after)
      throws StoreException {
    if (before != null && before.info().getLeaderEpoch() > leader.value()) {
      throw new NotLeaderException("Cannot write: the row is of a higher epoch");
    }
    Fault now = fault;
    fault = Fault.NONE;
    if (hangs || now == Fault.REQUEST_LOST) {
      failed++;
      throw new OutcomeUnknownException("Cannot tell: request lost", null);
    }
    ContainerRow there = rows.get(after.getId());
    if (before == null ? there != null : !isSame(before, there)) {
      return new Outcome.Changed(there);
    }
    ContainerInfo.Builder info =
        after.toBuilder()
            .setRowVersion(before == null ? 1 : before.version() + 1)
            .setLeaderEpoch(leader.value());
    for (ShardPlace.Builder shard : info.getShardsBuilderList()) {
      shard.clearHost().clearPort();
    }
    ContainerRow row =
        new ContainerRow(
            Math.max(before == null ? 0 : before.stampMicros() + 1, clock.wallMicros()),
            info.build());
    rows.put(row.id(), row);
    mutations++;
    if (now == Fault.REPLY_LOST) {
      throw new OutcomeUnknownException("Cannot tell: reply lost", null);
    }
    return new Outcome.Written(row);
  }

  @Override
  public synchronized boolean remove(LeaderEpoch leader, ContainerRow row) throws StoreException {
    if (row.info().getLeaderEpoch() > leader.value()) {
      throw new NotLeaderException("Cannot remove: the row is of a higher epoch");
    }
    if (isSame(row, rows.get(row.id()))) {
      rows.remove(row.id());
      dead.remove(row.id());
    }
    return !rows.containsKey(row.id());
  }

  @Override
  public synchronized OperatorCell operatorWord() {
    return operator;
  }

  /** What may fail. */
  public interface Hook {
    void run() throws Exception;
  }

  /** Has something happen just before the next write of the operator's word. */
  public synchronized void beforeNextOperatorWord(Hook hook) {
    beforeOperatorWord = hook;
  }

  @Override
  public boolean writeOperatorWord(OperatorCell before, OperatorWord after) {
    Hook hook;
    synchronized (this) {
      hook = beforeOperatorWord;
      beforeOperatorWord = null;
    }
    if (hook != null) {
      try {
        hook.run();
      } catch (Exception e) {
        throw new IllegalStateException(e);
      }
    }
    return replaceOperatorWord(before, after);
  }

  private synchronized boolean replaceOperatorWord(OperatorCell before, OperatorWord after) {
    if (before.stampMicros() != operator.stampMicros()) {
      return false;
    }
    operator = new OperatorCell(Math.max(before.stampMicros() + 1, clock.wallMicros()), after);
    return true;
  }

  @Override
  public synchronized String hostOf(String nodeId) {
    return nodeHosts.get(nodeId);
  }

  @Override
  public synchronized boolean writeHost(String nodeId, String before, String host) {
    if (!Objects.equals(before, nodeHosts.get(nodeId))) {
      return false;
    }
    nodeHosts.put(nodeId, host);
    return true;
  }

  private static boolean isSame(ContainerRow seen, ContainerRow there) {
    return there != null
        && there.stampMicros() == seen.stampMicros()
        && there.version() == seen.version()
        && there.info().getLeaderEpoch() == seen.info().getLeaderEpoch();
  }

  @Override
  public void scan(long afterId, long sinceMicros, Predicate<ContainerRow> more) {
    List<ContainerRow> seen;
    synchronized (this) {
      seen = new ArrayList<>(rows.tailMap(afterId, false).values());
    }
    for (ContainerRow row : seen) {
      if (row.stampMicros() >= sinceMicros && !more.test(row)) {
        return;
      }
    }
  }

  @Override
  public synchronized void addDeadBytes(long id, ByteString run, long bytes) {
    dead.computeIfAbsent(id, i -> new HashMap<>())
        .putIfAbsent(run, new Noted(bytes, clock.wallMicros()));
  }

  @Override
  public synchronized void scanDeadBytes(long sinceMicros, DeadBytesTaker take) {
    dead.forEach(
        (id, runs) -> {
          if (runs.values().stream().anyMatch(noted -> noted.micros() >= sinceMicros)) {
            take.take(id, runs.values().stream().mapToLong(Noted::bytes).sum(), runs.size());
          }
        });
  }

  @Override
  public synchronized int foldDeadBytes(long id, long beforeMicros) {
    Map<ByteString, Noted> runs = dead.getOrDefault(id, Map.of());
    List<ByteString> old =
        runs.entrySet().stream()
            .filter(entry -> !entry.getKey().equals(FOLDED))
            .filter(entry -> entry.getValue().micros() < beforeMicros)
            .map(Map.Entry::getKey)
            .toList();
    if (old.size() < 2) {
      return 0;
    }
    for (ByteString run : old) {
      runs.merge(
          FOLDED,
          runs.remove(run),
          (a, b) -> new Noted(a.bytes() + b.bytes(), Math.max(a.micros(), b.micros())));
    }
    return old.size();
  }

  @Override
  public void close() {}
}
