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
package io.stowage.datanode.scrub;

import io.netty.util.concurrent.DefaultThreadFactory;
import io.stowage.common.time.StoreClock;
import io.stowage.datanode.store.ShardStore;
import java.util.HashMap;
import java.util.Map;
import java.util.concurrent.ScheduledThreadPoolExecutor;
import java.util.concurrent.TimeUnit;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Reads every shard of every disk on a cycle, at a bounded rate, and has damage told to SCM. Owns a
 * thread for each working disk, so that one that hangs holds up only itself, and one that looks for
 * disks that came back. Thread-safe.
 */
public final class Scrubber implements AutoCloseable {
  private static final Logger LOG = LoggerFactory.getLogger(Scrubber.class);

  private static final long LOOK_MILLIS = 1_000;
  private static final long STOP_MILLIS = 5_000;

  private final ShardStore store;
  private final ScrubSettings settings;
  private final StoreClock clock;
  private final ScheduledThreadPoolExecutor looking =
      new ScheduledThreadPoolExecutor(1, new DefaultThreadFactory("datanode-scrub", true));

  /** By disk id. Confined to the looking thread until that has ended. */
  private final Map<String, Thread> threads = new HashMap<>();

  private volatile boolean stopping;

  public Scrubber(ShardStore store, ScrubSettings settings, StoreClock clock) {
    this.store = store;
    this.settings = settings;
    this.clock = clock;
    var unused =
        looking.scheduleWithFixedDelay(this::startMissing, 0, LOOK_MILLIS, TimeUnit.MILLISECONDS);
  }

  private void startMissing() {
    for (String diskId : store.workingDisks()) {
      Thread thread = threads.get(diskId);
      if (thread == null || !thread.isAlive()) {
        DiskScrub scrub = new DiskScrub(diskId, store, settings, clock, () -> stopping);
        Thread started = new Thread(scrub, "datanode-scrub-" + diskId);
        started.setDaemon(true);
        threads.put(diskId, started);
        started.start();
      }
    }
  }

  /** Where each disk is, is noted on it. */
  @Override
  public void close() {
    stopping = true;
    looking.shutdown();
    try {
      if (!looking.awaitTermination(STOP_MILLIS, TimeUnit.MILLISECONDS)) {
        return;
      }
      for (Map.Entry<String, Thread> thread : threads.entrySet()) {
        thread.getValue().join(STOP_MILLIS); // no interrupt: it would close files
        if (thread.getValue().isAlive()) {
          LOG.warn("Scrubbing of disk {} waits for the disk; leaving it", thread.getKey());
        }
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }
}
