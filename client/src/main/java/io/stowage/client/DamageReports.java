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

import io.stowage.common.error.StoreException;
import io.stowage.common.proto.ByteRange;
import io.stowage.common.proto.ReportDamageRequest;
import io.stowage.common.time.StoreClock;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.ConcurrentHashMap;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Tells the container manager of shards that were found gone, corrupt or short, behind the readers'
 * backs: each shard once in {@link #QUIET}, what gathered of a container in one call. A hint that
 * may be lost: who reads the shard later finds it again. Thread-safe.
 */
final class DamageReports {
  private static final Logger LOG = LoggerFactory.getLogger(DamageReports.class);

  private static final String UNWRITTEN = "never written what its stripe has there";

  private static final Duration QUIET = Duration.ofSeconds(30);

  /**
   * Shards remembered as reported; forgotten all at once beyond this, which costs a few reports.
   */
  private static final int REMEMBERED = 10_000;

  /** Reports that wait to be told; a disk that returns nothing but rubbish makes no more. */
  private static final int WAITING = 1_000;

  /** Calls made before other maintenance has its turn. */
  private static final int CALLS_AT_ONCE = 50;

  private final Containers containers;
  private final StoreClock clock;
  private final Map<Shard, Long> reportedNanos = new ConcurrentHashMap<>();
  private final Map<Shard, Damage> waiting = new ConcurrentHashMap<>();

  private volatile DamageListener listener = (container, shard, what) -> {};

  private record Shard(long container, int index) {}

  private record Damage(String what, ByteRange sectors, boolean unwritten) {}

  DamageReports(Containers containers, StoreClock clock) {
    this.containers = containers;
    this.clock = clock;
  }

  void tellAlso(DamageListener whom) {
    listener = whom;
  }

  /**
   * Reports a shard. Never blocks.
   *
   * @param sectors some that it did not give; empty: none in particular
   */
  void report(long container, int shard, String what, ByteRange sectors) {
    report(container, shard, new Damage(what, sectors, false));
  }

  /** Reports a shard that never got what the others of its stripe have. Never blocks. */
  void reportUnwritten(long container, int shard, ByteRange sectors) {
    report(container, shard, new Damage(UNWRITTEN, sectors, true));
  }

  private void report(long container, int shard, Damage damage) {
    listener.damaged(container, shard, damage.what());
    long now = clock.monotonicNanos();
    Shard key = new Shard(container, shard);
    Long before = reportedNanos.get(key);
    if (before != null && now - before < QUIET.toNanos()) {
      return;
    }
    if (waiting.size() >= WAITING) {
      return; // not remembered either: found again later
    }
    if (reportedNanos.size() >= REMEMBERED) {
      reportedNanos.clear();
    }
    reportedNanos.put(key, now);
    waiting.put(key, damage);
    LOG.info("Shard {} of container {}: {}", shard, ShardPlaces.name(container), damage.what());
  }

  /** Tells what has gathered. Blocks; called at short intervals, by one thread. */
  void tell() {
    if (waiting.isEmpty()) {
      return;
    }
    Map<Long, List<Shard>> byContainer = new TreeMap<>();
    for (Shard shard : waiting.keySet()) {
      byContainer.computeIfAbsent(shard.container(), id -> new ArrayList<>()).add(shard);
    }
    int calls = 0;
    for (Map.Entry<Long, List<Shard>> entry : byContainer.entrySet()) {
      if (calls++ == CALLS_AT_ONCE) {
        return;
      }
      tell(entry.getKey(), entry.getValue());
    }
  }

  private void tell(long container, List<Shard> shards) {
    ReportDamageRequest.Builder request = ReportDamageRequest.newBuilder().setContainer(container);
    StringBuilder what = new StringBuilder();
    for (Shard shard : shards) {
      Damage damage = waiting.remove(shard);
      request.addShards(shard.index()).addSectors(damage.sectors());
      if (damage.unwritten()) {
        request.addUnwritten(shard.index());
      }
      what.append(what.length() == 0 ? "" : "; ")
          .append("shard ")
          .append(shard.index())
          .append(": ")
          .append(damage.what());
    }
    try {
      containers.reportDamage(request.setWhat(what.toString()).build());
    } catch (StoreException e) {
      LOG.debug("Damage is not reported: {}", e.toString());
      shards.forEach(reportedNanos::remove);
    }
  }
}
