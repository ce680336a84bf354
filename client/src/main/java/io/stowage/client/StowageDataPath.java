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

import io.stowage.common.conf.StowageConfig;
import io.stowage.common.data.DatanodeDirectory;
import io.stowage.common.erasure.ErasurePolicy;
import io.stowage.common.error.ErrorCode;
import io.stowage.common.error.StoreException;
import io.stowage.common.lifecycle.Lifecycle;
import io.stowage.common.metrics.MetricSystem;
import io.stowage.common.needle.NeedleCodec;
import io.stowage.common.needle.NeedleFacts;
import io.stowage.common.needle.NeedleHeader;
import io.stowage.common.om.ObjectManager;
import io.stowage.common.proto.ContainerInfo;
import io.stowage.common.time.StoreClock;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ScheduledThreadPoolExecutor;
import java.util.concurrent.ThreadPoolExecutor;
import java.util.concurrent.TimeUnit;
import org.apache.hadoop.thirdparty.protobuf.ByteString;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The data path of one process: stripes out, ranges in. Owns the budgets of stripe memory, a timer
 * thread that gives up late stripes, and two threads that renew and release leases and report
 * damage. The bytes themselves are worked on by the callers' threads. Thread-safe.
 *
 * <p>The object manager and the directory of datanodes are the caller's, and outlive this.
 */
public final class StowageDataPath implements DataPath, ContainerAccess {
  private static final Logger LOG = LoggerFactory.getLogger(StowageDataPath.class);

  /** A lease's margin at its end is an eighth of at least a second. */
  private static final long MAINTENANCE_MILLIS = 100;

  private static final long CLOSE_SECONDS = 3;

  private final ClientConfig config;
  private final StripeBudget budget;
  private final Containers containers;
  private final DatanodeDirectory directory;
  private final StoreClock clock;
  private final Lifecycle lifecycle = new Lifecycle("data path");
  private final ScheduledThreadPoolExecutor timer = Executors.timer();
  private final ThreadPoolExecutor background = Executors.background();
  private final StripeTimeouts timeouts;
  private final StripeMemory packingMemory;
  private final StripeMemory streamMemory;
  private final CellLengths cellLengths;
  private final NodeHealth health;
  private final DamageReports damage;
  private final StalePlaces stale;
  private final RangeReads reads;

  /** A policy's leases are shared by all who write by it. */
  private final Map<String, LeasePool> pools = new ConcurrentHashMap<>();

  /**
   * With security on, one for each bucket that was written since the start, a few hundred bytes
   * each: a stripe then holds one bucket's objects only, since whoever may read one range of it
   * gets whole sectors, and to decode it the same addresses of other shards.
   */
  private final Map<PathKey, PolicyPath> paths = new ConcurrentHashMap<>();

  /** Who shares stripes; bucket 0: all. */
  private record PathKey(String policy, long bucketId) {}

  private StowageDataPath(
      ClientConfig config,
      Containers containers,
      DatanodeDirectory directory,
      StoreClock clock,
      StripeBudget budget) {
    this.config = config;
    this.budget = budget;
    this.containers = containers;
    this.directory = directory;
    this.clock = clock;
    timeouts = new StripeTimeouts(clock);
    packingMemory = new StripeMemory(budget.packing());
    streamMemory = new StripeMemory(budget.streams());
    cellLengths = new CellLengths(streamMemory, config.maxCellBytes());
    health = new NodeHealth(clock);
    damage = new DamageReports(containers, clock);
    stale = new StalePlaces(containers, clock);
    reads = new RangeReads(containers, directory, health, damage, stale);
  }

  /** Starts a data path with a budget of its own; asks nobody for anything yet. */
  public static StowageDataPath create(
      StowageConfig config, ObjectManager om, DatanodeDirectory directory, StoreClock clock)
      throws StoreException {
    return create(ClientConfig.from(config), Containers.of(om), directory, clock);
  }

  /** The same in a process that may have many of them, for its users: they share a budget. */
  public static StowageDataPath createOfMany(
      StowageConfig config, ObjectManager om, DatanodeDirectory directory, StoreClock clock)
      throws StoreException {
    ClientConfig client = ClientConfig.from(config);
    StripeBudget shared = StripeBudget.ofProcess(client.stripeMemoryBytes());
    return create(client, Containers.of(om), directory, clock, shared);
  }

  static StowageDataPath create(
      ClientConfig config, Containers containers, DatanodeDirectory directory, StoreClock clock) {
    StripeBudget own = StripeBudget.of(config.stripeMemoryBytes());
    return create(config, containers, directory, clock, own);
  }

  static StowageDataPath create(
      ClientConfig config,
      Containers containers,
      DatanodeDirectory directory,
      StoreClock clock,
      StripeBudget budget) {
    StowageDataPath path = new StowageDataPath(config, containers, directory, clock, budget);
    path.lifecycle.moveTo(Lifecycle.State.RUNNING);
    Executors.every(path.timer, path::check, StripeTimeouts.CHECK_MILLIS);
    Executors.later(path.timer, path::maintainInBackground, MAINTENANCE_MILLIS);
    return path;
  }

  @Override
  public ObjectWriter write(WriteSpec spec) throws StoreException {
    return new GatheringWriter(spec, clock.wallMicros(), path(spec.policy(), spec.bucketId()));
  }

  @Override
  public ObjectReader read(ReadSpec spec) {
    return new ManifestReader(spec, reads);
  }

  /** Has one more told of what reads find, in place of whom was told before. */
  public void tellDamage(DamageListener listener) {
    damage.tellAlso(listener);
  }

  @Override
  public ContainerScan scan(ContainerInfo container) throws StoreException {
    return ContainerScan.of(container, directory);
  }

  @Override
  public ObjectWriter rewrite(NeedleHeader header, long payloadLength, String policy)
      throws StoreException {
    return new NeedleRewriter(header, payloadLength, path(policy, header.bucketId()));
  }

  @Override
  public List<Rewritten> rewriteAll(List<Packed> needles, String policy) throws StoreException {
    Map<PolicyPath, List<Integer>> together = new LinkedHashMap<>();
    List<Packed> copies = new ArrayList<>();
    try {
      for (Packed needle : needles) {
        NeedleRewriter.requireItsOwn(needle);
        together
            .computeIfAbsent(path(policy, needle.header().bucketId()), path -> new ArrayList<>())
            .add(copies.size());
        copies.add(new Packed(NeedleFacts.unplaced(needle.header()), needle.payload()));
      }
    } catch (StoreException e) {
      needles.forEach(needle -> needle.payload().release());
      throw e;
    }
    Rewritten[] results = new Rewritten[copies.size()];
    together.forEach(
        (path, which) -> {
          List<PackedNeedle> packed = path.packAll(which.stream().map(copies::get).toList());
          for (int i = 0; i < packed.size(); i++) {
            try {
              results[which.get(i)] = new Rewritten(packed.get(i).result(), null);
            } catch (StoreException e) {
              results[which.get(i)] = new Rewritten(null, e);
            }
          }
        });
    return Arrays.asList(results);
  }

  @Override
  public void record(RecordSpec spec) {
    try {
      path(spec.policy(), spec.bucketId())
          .record(spec.bucketId(), spec.rowKey(), spec.writeId(), spec.stamp(), spec.what());
    } catch (StoreException e) {
      LOG.debug("A record needle is dropped: {}", e.toString());
    }
  }

  @Override
  public void settled(ByteString writeId) {
    for (PolicyPath path : paths.values()) {
      path.packer().settled(writeId);
    }
  }

  private void check() {
    timeouts.check();
    for (PolicyPath path : paths.values()) {
      path.packer().check();
    }
  }

  /** What a process that serves others tells of this; whoever registers it ends that. */
  public MetricSystem.Source metrics() {
    return new DataPathMetrics(this, reads, health, pools.values());
  }

  /** What was sent to shards until now. */
  public StripeFigures figures() {
    return timeouts.figures();
  }

  private PolicyPath path(String policyName, long bucketId) throws StoreException {
    PathKey key = new PathKey(policyName, config.separateBuckets() ? bucketId : 0);
    PolicyPath known = paths.get(key);
    PolicyPath path = known != null ? known : newPath(key);
    if (!lifecycle.isRunning()) { // looked at last: what close() did not find is not used
      throw new StoreException(ErrorCode.UNAVAILABLE, "Cannot write: the client is closed");
    }
    return path;
  }

  private PolicyPath newPath(PathKey key) throws StoreException {
    String policyName = key.policy();
    ErasurePolicy policy = ErasurePolicy.named(policyName);
    LeasePool leases =
        pools.computeIfAbsent(
            policyName,
            name ->
                new LeasePool(policy, containers, directory, clock, timeouts, health, background));
    return paths.computeIfAbsent(
        key,
        name ->
            new PolicyPath(
                leases,
                new Packer(leases, packingMemory, packedCellBytes(policy), clock),
                packingLimit(policy),
                streamMemory,
                cellLengths,
                clock));
  }

  /** As configured, or what a quarter of a small budget can still hold with all parities. */
  private int packingLimit(ErasurePolicy policy) {
    long stripe = packingMemory.limitBytes() / 2;
    long cell = Sectors.roundDown(stripe / (1 + policy.m()));
    return Math.toIntExact(
        Math.max(0, Math.min(config.packingLimit(), cell - NeedleCodec.MAX_HEADER_BYTES)));
  }

  /** Two full stripes fit the budget, so that one can be filled while another is in flight. */
  private int packedCellBytes(ErasurePolicy policy) {
    long share = Sectors.roundDown(packingMemory.limitBytes() / 2 / policy.shards());
    return Math.toIntExact(Math.max(Sectors.BYTES, Math.min(config.maxCellBytes(), share)));
  }

  /** Calls of the object manager block, so they are not made on the timer's thread. */
  private void maintainInBackground() {
    if (!Executors.tryExecute(background, this::maintain)) {
      maintainAgain();
    }
  }

  private void maintain() {
    try {
      for (LeasePool leases : pools.values()) {
        leases.maintain();
      }
      for (PolicyPath path : paths.values()) {
        path.packer().flushRecords();
      }
      damage.tell();
      stale.refresh();
    } catch (RuntimeException e) {
      LOG.warn("Leases are not looked after this time", e);
    } finally {
      maintainAgain();
    }
  }

  private void maintainAgain() {
    try {
      Executors.later(timer, this::maintainInBackground, MAINTENANCE_MILLIS);
    } catch (java.util.concurrent.RejectedExecutionException e) {
      LOG.debug("The data path is closing");
    }
  }

  /** Bytes of stripe memory that are not in use; all of it once nothing is in flight. */
  long freeStripeMemory() {
    return packingMemory.freeBytes() + streamMemory.freeBytes();
  }

  /**
   * Gives the last stripes, of records or of writers that were caught by the close, time to land.
   */
  private void awaitIdlePackers() {
    long deadline = System.nanoTime() + TimeUnit.SECONDS.toNanos(CLOSE_SECONDS);
    for (PolicyPath path : paths.values()) {
      path.packer().awaitIdle(deadline);
    }
  }

  long stripeMemory() {
    return packingMemory.limitBytes() + streamMemory.limitBytes();
  }

  @Override
  public void close() {
    if (!lifecycle.beginStop()) {
      return;
    }
    for (LeasePool leases : pools.values()) {
      leases.hurry(Duration.ofSeconds(CLOSE_SECONDS));
    }
    for (PolicyPath path : paths.values()) {
      path.packer().flushAllRecords();
    }
    awaitIdlePackers();
    int givenUp = paths.values().stream().mapToInt(path -> path.packer().giveUpRecords()).sum();
    if (givenUp > 0) {
      LOG.warn(
          "{} records for fsck --rebuild are given up: no stripe could be written for them within"
              + " {} s of the close",
          givenUp,
          CLOSE_SECONDS);
    }
    for (LeasePool leases : pools.values()) {
      leases.close();
    }
    background.shutdown();
    try {
      if (!background.awaitTermination(CLOSE_SECONDS, TimeUnit.SECONDS)) {
        background.shutdownNow();
      }
    } catch (InterruptedException e) {
      background.shutdownNow();
      Thread.currentThread().interrupt();
    }
    timer.shutdownNow();
    if (budget.isShared()) {
      packingMemory.end();
      streamMemory.end();
    }
    lifecycle.moveTo(Lifecycle.State.STOPPED);
  }
}
