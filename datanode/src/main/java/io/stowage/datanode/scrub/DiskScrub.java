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

import io.stowage.common.error.ErrorCode;
import io.stowage.common.error.StoreException;
import io.stowage.common.time.StoreClock;
import io.stowage.datanode.shard.ShardCheck;
import io.stowage.datanode.shard.ShardId;
import io.stowage.datanode.store.RateLimit;
import io.stowage.datanode.store.ShardStore;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.Comparator;
import java.util.Iterator;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;
import java.util.function.BooleanSupplier;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Goes through the shards of one disk, directory by directory and in the order of their names, and
 * begins again when the interval has passed. Confined to its thread, which ends when the disk is
 * out or the node stops.
 *
 * <p>Where it is stands in the file {@code scrub-cursor} of the disk, written from time to time and
 * at each end: after a restart it goes on there, so that nodes that are restarted often come to
 * their last shard, too. At most a minute is done twice.
 */
final class DiskScrub implements Runnable {
  private static final Logger LOG = LoggerFactory.getLogger(DiskScrub.class);

  static final String CURSOR = "scrub-cursor";
  private static final int DIRECTORIES = 256;
  private static final long NOTE_NANOS = TimeUnit.MINUTES.toNanos(1);

  /** How soon it is seen that the node stops, or that a shard is suspect. */
  private static final long LOOK_NANOS = TimeUnit.MILLISECONDS.toNanos(50);

  private static final Comparator<ShardId> BY_NAME = Comparator.comparing(ShardId::fileName);

  private final String diskId;
  private final ShardStore store;
  private final ScrubSettings settings;
  private final StoreClock clock;
  private final BooleanSupplier stopping;
  private final RateLimit rate;
  private final ByteBuffer memory = ShardCheck.memory();

  /** When the cycle under way began, and the last shard that it has done: "" for none. */
  private long cycleMicros;

  private int directory;
  private String lastName = "";
  private long notedNanos;

  DiskScrub(
      String diskId,
      ShardStore store,
      ScrubSettings settings,
      StoreClock clock,
      BooleanSupplier stopping) {
    this.diskId = diskId;
    this.store = store;
    this.settings = settings;
    this.clock = clock;
    this.stopping = stopping;
    this.rate = new RateLimit(settings.bytesPerSecond(), clock);
  }

  @Override
  public void run() {
    try {
      readCursor();
      while (!stopping.getAsBoolean()) {
        runCycle();
      }
    } catch (StoreException e) {
      LOG.debug("Scrubbing of disk {} ends: {}", diskId, e.toString());
    } catch (IOException e) {
      LOG.warn("Cannot scrub disk {} for now: {}", diskId, e.toString());
    } catch (RuntimeException e) {
      LOG.error("Scrubbing of disk {} ends by a bug", diskId, e);
    }
    try {
      writeCursor();
    } catch (IOException e) {
      LOG.debug("Cannot note where scrubbing of disk {} is", diskId, e);
    }
  }

  private void runCycle() throws IOException {
    if (directory == DIRECTORIES) {
      rest();
    }
    if (directory == 0 && lastName.isEmpty()) {
      cycleMicros = clock.wallMicros();
    }
    while (directory < DIRECTORIES) {
      String name = String.format("%02x", directory);
      adoptUnknown(name);
      List<ShardId> shards =
          store.shardIds(diskId).stream()
              .filter(shard -> shard.directoryName().equals(name))
              .sorted(BY_NAME)
              .toList();
      for (Iterator<ShardId> each = shards.iterator(); each.hasNext(); ) {
        ShardId shard = each.next();
        if (shard.fileName().compareTo(lastName) > 0) {
          checkSuspects();
          check(shard);
          lastName = shard.fileName();
          noteNowAndThen();
        }
      }
      checkSuspects();
      directory++;
      lastName = "";
    }
    LOG.debug("Disk {} was scrubbed", diskId);
    writeCursor();
  }

  /** Until it is time for the next cycle. */
  private void rest() throws IOException {
    long due = cycleMicros + settings.interval().toNanos() / 1_000;
    while (clock.wallMicros() < due && clock.wallMicros() >= cycleMicros) {
      checkSuspects();
      pause(LOOK_NANOS);
    }
    directory = 0;
  }

  private void checkSuspects() throws IOException {
    checkGoOn();
    for (ShardId suspect = store.damaged().nextSuspect(diskId);
        suspect != null;
        suspect = store.damaged().nextSuspect(diskId)) {
      check(suspect);
    }
  }

  /** A directory that cannot be listed keeps neither its known shards nor others from the check. */
  private void adoptUnknown(String name) throws IOException {
    try {
      store.adoptUnknown(diskId, name);
    } catch (IOException e) {
      passOver("look for new shards in directory " + name, e);
    }
  }

  /** A shard that cannot be checked does not keep the others from it. */
  private void check(ShardId shard) throws IOException {
    try {
      store.check(diskId, shard, this::take, memory);
    } catch (IOException e) {
      passOver("check " + shard, e);
    }
  }

  /** Once a cycle for each, unless it is the disk that does not work. */
  private void passOver(String what, IOException cause) throws IOException {
    checkGoOn();
    if (!store.workingDisks().contains(diskId)) {
      throw cause;
    }
    LOG.warn("Cannot {} on disk {}: {}", what, diskId, cause.toString());
  }

  private void take(long wanted) throws StoreException {
    checkGoOn();
    long due = clock.monotonicNanos() + rate.take(wanted, Long.MAX_VALUE);
    while (due - clock.monotonicNanos() > 0) {
      pause(Math.min(LOOK_NANOS, due - clock.monotonicNanos()));
    }
  }

  private void pause(long nanos) throws StoreException {
    LockSupport.parkNanos(nanos);
    checkGoOn();
  }

  private void checkGoOn() throws StoreException {
    if (stopping.getAsBoolean()) {
      throw new StoreException(ErrorCode.UNAVAILABLE, "Cannot go on: stopping");
    }
  }

  // ---- The cursor

  private void readCursor() throws IOException {
    String text = store.readNote(diskId, CURSOR);
    if (text == null) {
      return;
    }
    String[] words = text.trim().split(" ", 3);
    try {
      cycleMicros = Long.parseLong(words[0]);
      directory = Math.min(DIRECTORIES, Math.max(0, Integer.parseInt(words[1])));
      lastName = words.length > 2 ? words[2] : "";
      LOG.debug("Scrubbing of disk {} goes on at {} {}", diskId, directory, lastName);
    } catch (RuntimeException e) {
      LOG.warn("Scrubbing of disk {} begins anew: its cursor reads '{}'", diskId, text.trim());
      directory = 0;
      lastName = "";
    }
  }

  private void noteNowAndThen() throws IOException {
    long now = clock.monotonicNanos();
    if (notedNanos == 0 || now - notedNanos > NOTE_NANOS) {
      writeCursor();
      notedNanos = now;
    }
  }

  private void writeCursor() throws IOException {
    store.writeNote(diskId, CURSOR, cycleMicros + " " + directory + " " + lastName + "\n");
  }
}
