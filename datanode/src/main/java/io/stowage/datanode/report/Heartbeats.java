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
package io.stowage.datanode.report;

import io.netty.util.concurrent.DefaultThreadFactory;
import io.stowage.common.scm.DatanodeReports;
import io.stowage.common.time.StoreClock;
import io.stowage.common.token.TokenKeyRing;
import io.stowage.datanode.store.ShardStore;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ScheduledThreadPoolExecutor;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Beats to every SCM, each on its own schedule and never two at a time to one of them, so that an
 * SCM that hangs delays nobody else; and looks after the disks. Owns its threads: one for each SCM,
 * one for the disks. Thread-safe.
 */
public final class Heartbeats implements AutoCloseable {
  private static final Logger LOG = LoggerFactory.getLogger(Heartbeats.class);

  /** Heartbeats between two looks at the disks. */
  private static final int BEATS_PER_DISK_CHECK = 3;

  private final ShardStore store;
  private final List<ScmReporter> reporters = new ArrayList<>();
  private final ScheduledThreadPoolExecutor threads;

  /** Raised when disks came or went; every reporter then reports in full. */
  private final AtomicInteger diskChanges = new AtomicInteger();

  public Heartbeats(
      List<DatanodeReports> scms,
      ShardStore store,
      Orders orders,
      TokenKeyRing keys,
      String host,
      int port,
      Duration interval,
      StoreClock clock) {
    this.store = store;
    this.threads =
        new ScheduledThreadPoolExecutor(
            scms.size() + 1, new DefaultThreadFactory("datanode-heartbeat", true));
    for (int i = 0; i < scms.size(); i++) {
      ScmReporter reporter =
          new ScmReporter("SCM " + (i + 1), scms.get(i), store, orders, keys, host, port, clock);
      reporters.add(reporter);
      store.addListener(reporter);
    }
    long nanos = interval.toNanos();
    for (ScmReporter reporter : reporters) {
      int[] seen = {0};
      var unused =
          threads.scheduleWithFixedDelay(
              () -> {
                int now = diskChanges.get();
                if (now != seen[0]) {
                  seen[0] = now;
                  reporter.reportAll();
                }
                reporter.beat();
              },
              0,
              nanos,
              TimeUnit.NANOSECONDS);
    }
    var unused =
        threads.scheduleWithFixedDelay(
            this::checkDisks,
            nanos * BEATS_PER_DISK_CHECK,
            nanos * BEATS_PER_DISK_CHECK,
            TimeUnit.NANOSECONDS);
  }

  /** SCMs that are told of this node. */
  public int scms() {
    return reporters.size();
  }

  /** Those of them that took the last heartbeat. */
  public int answering() {
    return (int) reporters.stream().filter(ScmReporter::answers).count();
  }

  private void checkDisks() {
    try {
      if (store.checkDisks()) {
        diskChanges.incrementAndGet();
      }
    } catch (RuntimeException e) {
      LOG.error("Cannot look after the disks", e);
    }
  }

  @Override
  public void close() {
    reporters.forEach(store::removeListener);
    threads.shutdown(); // no interrupt: it would close the files that a thread just works on
    try {
      if (!threads.awaitTermination(2, TimeUnit.SECONDS)) {
        LOG.warn("A heartbeat still waits for its SCM; leaving it");
        threads.shutdownNow();
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }
}
