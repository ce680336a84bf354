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
package io.stowage.scm.cluster;

import io.stowage.common.time.StoreClock;
import java.time.Duration;
import java.util.HashMap;
import java.util.Map;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * An SCM's time: its machine's, as long as most datanodes agree with it; else theirs. Thread-safe.
 *
 * <p>By an SCM's wall clock leases are stamped, commit windows and keep times end, keys of tokens
 * are rolled and rows are followed. One that is set an hour ahead would have containers judged
 * before what was written to them is committed, and every put refused, since object managers take
 * no lease from the future; one that is set back would have every put be too late, and hide rows
 * from the other SCMs. Heartbeats bring what each datanode's clock says; what is kept of it is how
 * far it was from this SCM's <em>monotonic</em> clock, so no step of the wall clock here changes
 * what they have said.
 *
 * <p>What is agreed is the median. It is looked at with every reading, so a step takes no effect
 * even before the next {@link #look}. It follows at once while it moves less than the bound, or
 * comes to where the machine's clock is (a whole cluster in one machine that slept). Away from both
 * it has to stay for as long as a datanode may be silent: a process that was stopped finds
 * heartbeats in its sockets that were true when they were sent. Fewer than {@value #LEAST_OPINIONS}
 * datanodes outvote nobody.
 *
 * <p>Rejected: to stop leading while the clock is off (with one SCM, or two behind one wrong time
 * server, nobody would lead), and to go on by the monotonic clock alone (it stands still while a
 * machine sleeps, and then everybody else is hours ahead).
 */
public final class ClusterClock implements StoreClock {
  private static final Logger LOG = LoggerFactory.getLogger(ClusterClock.class);

  /** Of three clocks one may be wrong. */
  private static final int LEAST_OPINIONS = 3;

  private static final long NONE = Long.MIN_VALUE;

  /**
   * What a datanode's clock said.
   *
   * @param aheadMicros of this process's monotonic clock
   */
  private record Opinion(long aheadMicros, long heardNanos) {}

  private final StoreClock machine;
  private final long boundMicros;
  private final long silenceNanos;
  private final Map<String, Opinion> opinions = new HashMap<>(); // as many as datanodes speak
  private volatile long agreedMicros = NONE; // ahead of the monotonic clock
  private boolean apart; // guarded by this: the median is away from agreed and machine
  private long apartSinceNanos;
  private boolean told; // guarded by this: that the machine is off

  /**
   * @param bound how far clocks may be apart
   * @param silence a datanode that was not heard for as long is not counted
   */
  public ClusterClock(StoreClock machine, Duration bound, Duration silence) {
    this.machine = machine;
    this.boundMicros = bound.toNanos() / 1_000;
    this.silenceNanos = silence.toNanos();
  }

  @Override
  public long wallMicros() {
    long agreed = agreedMicros;
    long wall = machine.wallMicros();
    if (agreed == NONE) {
      return wall;
    }
    long monotonic = machine.monotonicNanos() / 1_000;
    return isNear(wall - monotonic, agreed) ? wall : monotonic + agreed;
  }

  @Override
  public long monotonicNanos() {
    return machine.monotonicNanos();
  }

  /**
   * Takes in what a datanode's clock said just now.
   *
   * @param wallMicros 0: it does not tell
   */
  public synchronized void heard(String nodeId, long wallMicros) {
    if (wallMicros > 0) {
      long now = machine.monotonicNanos();
      opinions.put(nodeId, new Opinion(wallMicros - now / 1_000, now));
      if (agreedMicros == NONE && opinions.size() >= LEAST_OPINIONS) {
        look(); // a machine that is wrong from the start is so for no longer than it has to
      }
    }
  }

  /** Decides whose time it is. Called periodically. */
  public synchronized void look() {
    long now = machine.monotonicNanos();
    opinions.values().removeIf(opinion -> now - opinion.heardNanos > silenceNanos);
    if (opinions.size() < LEAST_OPINIONS) {
      apart = false; // whoever is away has to be heard so all the time
      return; // what was agreed before holds: the monotonic clock goes on
    }
    long[] ahead = opinions.values().stream().mapToLong(Opinion::aheadMicros).sorted().toArray();
    long median = ahead[ahead.length / 2];
    long agreed = agreedMicros;
    long own = machine.wallMicros() - now / 1_000;
    if (agreed == NONE || isNear(median, agreed) || isNear(median, own)) {
      apart = false;
      agreedMicros = median;
    } else if (!apart) {
      apart = true;
      apartSinceNanos = now;
    } else if (now - apartSinceNanos > silenceNanos) {
      apart = false;
      agreedMicros = median;
    }
    tell(own - agreedMicros);
  }

  private boolean isNear(long one, long other) {
    return Math.abs(one - other) <= boundMicros;
  }

  private void tell(long offMicros) {
    boolean off = Math.abs(offMicros) > boundMicros;
    if (off && !told) {
      LOG.error(
          "The clock of this machine is {} s {} what most of {} datanodes say: going by theirs",
          Math.abs(offMicros) / 1_000_000,
          offMicros > 0 ? "ahead of" : "behind",
          opinions.size());
    } else if (!off && told) {
      LOG.info("The clock of this machine agrees with the datanodes' again");
    }
    told = off;
  }
}
