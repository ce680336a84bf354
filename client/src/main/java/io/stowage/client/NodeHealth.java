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

import io.stowage.common.time.StoreClock;
import java.time.Duration;
import java.util.Collection;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicLong;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * What this process knows of each datanode from its own calls: how long reads of it take, and
 * whether it is worth asking at all. Thread-safe; figures are followed without locks.
 *
 * <p>A read waits for a node as long as nearly all of its answers took ({@link #patienceNanos}), by
 * comparison with what reads take everywhere, and then asks others as well. A node is a
 * <b>suspect</b>, which reads decode around at once,
 *
 * <ul>
 *   <li>when it is silent: something was asked of it {@link #SILENT} ago and nothing at all was
 *       answered since. So is a stopped process. A busy one answers something;
 *   <li>when it was late {@link #LATE_TO_SUSPECT} times in a row, by comparison with the others
 *       that were asked in its place: so is a slow disk. On a machine where everything is slow the
 *       others are no faster, and nobody is late.
 * </ul>
 *
 * <p>Now and then a read that goes around a suspect asks it as well, and does not wait ({@link
 * #takeProbe}); after {@link #TIMELY_TO_CLEAR} timely answers it is trusted again.
 *
 * <p>Writers avoid nodes that they had trouble with for a while, and suspects.
 */
final class NodeHealth {
  private static final Logger LOG = LoggerFactory.getLogger(NodeHealth.class);

  static final int LATE_TO_SUSPECT = 3;
  static final int TIMELY_TO_CLEAR = 3;
  static final Duration SILENT = Duration.ofMillis(500);

  /** Collections of garbage and the turns of busy threads stay below this. */
  static final long LEAST_PATIENCE_MILLIS = 20;

  static final long MOST_PATIENCE_MILLIS = 1_000;

  /** What a read may take where half of all reads take one. */
  private static final long MEDIANS = 20;

  /** A disk that is worth waiting for reads as much in a millisecond; as in StripeTimeouts. */
  private static final long SLOW_DISK_BYTES_PER_MILLI = 40_000;

  /** A stopped process gets two requests a second. */
  private static final long PROBE_NANOS = Duration.ofMillis(500).toNanos();

  /** Within this the container manager hears of the trouble and probes the node itself. */
  private static final long AVOID_NANOS = Duration.ofSeconds(10).toNanos();

  /** Nodes remembered; all are forgotten beyond this, which costs a few slow reads. */
  private static final int MOST_NODES = 20_000;

  private final StoreClock clock;
  private final Map<String, Node> nodes = new ConcurrentHashMap<>();
  private final LatencyQuantile median = new LatencyQuantile(0.5, 5);

  private static final class Node {
    private final LatencyQuantile nearlyAll = new LatencyQuantile(0.95, 20);
    private final AtomicInteger late = new AtomicInteger(); // in a row
    private final AtomicInteger timely = new AtomicInteger(); // in a row, while suspect
    private final AtomicLong nextProbeNanos = new AtomicLong();
    private final AtomicInteger unanswered = new AtomicInteger();
    private volatile long waitingSinceNanos; // for any answer, while some are missing
    private volatile boolean suspect;
    private volatile long avoidUntilNanos;
    private volatile boolean avoided; // by writers, until then
  }

  NodeHealth(StoreClock clock) {
    this.clock = clock;
  }

  private Node node(String nodeId) {
    Node known = nodes.get(nodeId);
    if (known != null) {
      return known;
    }
    if (nodes.size() >= MOST_NODES) {
      nodes.clear();
    }
    return nodes.computeIfAbsent(nodeId, id -> new Node());
  }

  /** Nodes that reads go around. */
  int suspects() {
    return (int) nodes.values().stream().filter(node -> node.suspect).count();
  }

  /** How long a read of so many bytes waits for the node before others are asked. */
  long patienceNanos(String nodeId, long bytes) {
    long least = TimeUnit.MILLISECONDS.toNanos(LEAST_PATIENCE_MILLIS);
    long most =
        Math.min(
            TimeUnit.MILLISECONDS.toNanos(MOST_PATIENCE_MILLIS),
            Math.max(least, MEDIANS * median.nanos()));
    long own = 3 * node(nodeId).nearlyAll.nanos();
    return Math.max(least, Math.min(most, own)) + transferNanos(bytes);
  }

  private static long transferNanos(long bytes) {
    return TimeUnit.MILLISECONDS.toNanos(1) * bytes / SLOW_DISK_BYTES_PER_MILLI;
  }

  /** A read was sent to the node; {@link #answered} or {@link #failed} follows. */
  void asked(String nodeId) {
    Node node = node(nodeId);
    if (node.unanswered.getAndIncrement() == 0) {
      node.waitingSinceNanos = clock.monotonicNanos();
    }
  }

  private void heard(Node node) {
    node.waitingSinceNanos = clock.monotonicNanos();
    node.unanswered.decrementAndGet();
  }

  /** The node could not be reached, or the connection ended. */
  void failed(String nodeId) {
    node(nodeId).unanswered.decrementAndGet();
  }

  /** The node answered a read; it may have been late by then. */
  void answered(String nodeId, long tookNanos, long bytes) {
    boolean inTime = tookNanos <= patienceNanos(nodeId, bytes);
    long sample = Math.max(0, tookNanos - transferNanos(bytes));
    Node node = node(nodeId);
    heard(node);
    node.nearlyAll.add(sample);
    median.add(sample);
    if (!inTime) {
      node.timely.set(0);
      return;
    }
    node.late.set(0);
    if (node.suspect && node.timely.incrementAndGet() >= TIMELY_TO_CLEAR) {
      node.suspect = false;
      LOG.info("Datanode {} is read from again: it answers in time", nodeId);
    }
  }

  /** Others answered a read long before the node did, or it could not be reached. */
  void late(String nodeId) {
    Node node = node(nodeId);
    node.timely.set(0);
    if (node.late.incrementAndGet() >= LATE_TO_SUSPECT) {
      suspect(nodeId, node);
    }
  }

  /** Writers got no answer from these nodes, or a refusal. */
  void troubled(Collection<String> nodeIds) {
    for (String nodeId : nodeIds) {
      Node node = node(nodeId);
      node.avoidUntilNanos = clock.monotonicNanos() + AVOID_NANOS;
      node.avoided = true;
      suspect(nodeId, node);
    }
  }

  private void suspect(String nodeId, Node node) {
    node.timely.set(0);
    if (!node.suspect) {
      node.suspect = true;
      node.nextProbeNanos.set(clock.monotonicNanos() + PROBE_NANOS);
      LOG.info("Datanode {} does not answer in time: it is read around until it does", nodeId);
    }
  }

  boolean isSuspect(String nodeId) {
    Node node = nodes.get(nodeId);
    if (node == null) {
      return false;
    }
    if (!node.suspect
        && node.unanswered.get() > 0
        && clock.monotonicNanos() - node.waitingSinceNanos > SILENT.toNanos()) {
      suspect(nodeId, node);
    }
    return node.suspect;
  }

  /** Whether the caller, a read that does without a suspect, shall ask it as well. */
  boolean takeProbe(String nodeId) {
    Node node = node(nodeId);
    long due = node.nextProbeNanos.get();
    long now = clock.monotonicNanos();
    return now - due >= 0 && node.nextProbeNanos.compareAndSet(due, now + PROBE_NANOS);
  }

  /** Nodes on which new leases are not wanted. */
  Set<String> toAvoid() {
    long now = clock.monotonicNanos();
    Set<String> avoid = new TreeSet<>();
    nodes.forEach(
        (nodeId, node) -> {
          if (node.avoided && now - node.avoidUntilNanos >= 0) {
            node.avoided = false;
          }
          if (node.avoided || node.suspect) {
            avoid.add(nodeId);
          }
        });
    return avoid;
  }
}
