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
package io.stowage.client.repack;

import io.stowage.client.StowageDataPath;
import io.stowage.common.conf.Keys;
import io.stowage.common.conf.StowageConfig;
import io.stowage.common.error.ErrorCode;
import io.stowage.common.error.StoreException;
import io.stowage.common.id.WriteId;
import io.stowage.common.lifecycle.Lifecycle;
import io.stowage.common.om.ObjectManager;
import io.stowage.common.proto.ClaimContainerReply;
import io.stowage.common.proto.ClaimContainerRequest;
import io.stowage.common.proto.JudgeNeedlesRequest;
import io.stowage.common.proto.RepackOutcome;
import io.stowage.common.proto.RepackWork;
import io.stowage.common.scm.ContainerManager;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Iterator;
import java.util.List;
import java.util.Set;
import java.util.concurrent.ArrayBlockingQueue;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.Future;
import java.util.concurrent.ScheduledThreadPoolExecutor;
import java.util.concurrent.ThreadFactory;
import java.util.concurrent.ThreadPoolExecutor;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import org.apache.hadoop.thirdparty.protobuf.ByteString;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Asks SCM for containers to survey or to empty, and does it, beside a gateway or for a command.
 * Owns its threads: workers, each with one container being walked and a few that wait for their
 * second judgement; movers, that write needles again, many at a time so that they share stripes;
 * and a timer that keeps the claims. Thread-safe. As many of them as there are gateways work at
 * once; SCM gives each container to one, and the protocol bears a second that was thought dead
 * (docs/adr/0006).
 */
public final class Repacker implements AutoCloseable {
  private static final Logger LOG = LoggerFactory.getLogger(Repacker.class);

  /** Moves at a time; each has a piece of payload and a place in a stripe. */
  private static final int MOVERS = 32;

  /** Moves that wait: workers hand in a batch at a time, and wait for it. */
  private static final int MOVES_WAITING = 64 << 10;

  /** Containers of one worker that wait for their second judgement; their claims are kept. */
  private static final int MOST_RIPENING = 16;

  private static final long MOST_IDLE_NANOS = Duration.ofSeconds(5).toNanos();
  private static final long CLOSE_SECONDS = 5;

  private final String name;
  private final ContainerManager scm;
  private final RepackJob.Parts parts;
  private final long ripeningNanos;
  private final long renewNanos;
  private final Lifecycle lifecycle = new Lifecycle("repacker");
  private final Set<RepackJob> claimed = ConcurrentHashMap.newKeySet();
  private final ThreadPoolExecutor movers;
  private final ScheduledThreadPoolExecutor timer;
  private final List<Thread> workers = new ArrayList<>();

  private Repacker(
      StowageConfig config,
      String name,
      ContainerManager scm,
      ObjectManager om,
      StowageDataPath data)
      throws StoreException {
    this.name = name;
    this.scm = scm;
    long rate = config.get(Keys.REPACK_RATE);
    // Whatever mutation the first judgement may have missed has been sent by then, or never is.
    ripeningNanos = config.get(Keys.MUTATION_DEADLINE).plus(config.get(Keys.CLOCK_BOUND)).toNanos();
    renewNanos = config.get(Keys.REPACK_CLAIM).toNanos() / 4;
    movers =
        new ThreadPoolExecutor(
            MOVERS,
            MOVERS,
            10,
            TimeUnit.SECONDS,
            new ArrayBlockingQueue<>(MOVES_WAITING),
            named("stowage-repack-mover"));
    movers.allowCoreThreadTimeOut(true);
    timer = new ScheduledThreadPoolExecutor(1, named("stowage-repack-timer"));
    parts =
        new RepackJob.Parts(
            scm,
            om,
            data,
            new NeedleMove(om, data, data, new RateLimit(rate)),
            new RateLimit(rate),
            movers);
  }

  private static ThreadFactory named(String prefix) {
    AtomicInteger count = new AtomicInteger();
    return work -> {
      Thread thread = new Thread(work, prefix + "-" + count.incrementAndGet());
      thread.setDaemon(true);
      return thread;
    };
  }

  /**
   * Starts a repacker.
   *
   * @param name for people: host and process
   * @param workers containers at a time; 0: only what {@link #repack} is asked for
   */
  public static Repacker start(
      StowageConfig config,
      String name,
      ContainerManager scm,
      ObjectManager om,
      StowageDataPath data,
      int workers)
      throws StoreException {
    Repacker repacker = new Repacker(config, name, scm, om, data);
    repacker.lifecycle.moveTo(Lifecycle.State.RUNNING);
    Future<?> unused =
        repacker.timer.scheduleWithFixedDelay(
            repacker::renew, repacker.renewNanos, repacker.renewNanos, TimeUnit.NANOSECONDS);
    ThreadFactory threads = named("stowage-repack");
    for (int i = 0; i < workers; i++) {
      Thread thread = threads.newThread(repacker::work);
      repacker.workers.add(thread);
      thread.start();
    }
    return repacker;
  }

  private void renew() {
    claimed.forEach(RepackJob::renew);
  }

  private void work() {
    List<RepackJob> ripening = new ArrayList<>();
    while (lifecycle.isRunning()) {
      try {
        long wait = step(ripening);
        if (wait > 0) {
          TimeUnit.NANOSECONDS.sleep(wait);
        }
      } catch (InterruptedException e) {
        Thread.currentThread().interrupt();
        return;
      } catch (RuntimeException | Error e) {
        // Its claims lapse, and others take them up.
        LOG.error("A repacker begins anew", e);
        claimed.removeAll(ripening);
        ripening.clear();
      }
    }
  }

  /** Does one thing; gives how long there is nothing else to do. */
  private long step(List<RepackJob> ripening) {
    long now = System.nanoTime();
    long wait = Math.min(MOST_IDLE_NANOS, renewNanos);
    for (Iterator<RepackJob> each = ripening.iterator(); each.hasNext(); ) {
      RepackJob job = each.next();
      if (now - job.ripeNanos() >= 0) {
        each.remove();
        run(job, ripening);
        return 0;
      }
      wait = Math.min(wait, job.ripeNanos() - now);
    }
    if (ripening.size() >= MOST_RIPENING) {
      return wait;
    }
    RepackJob job;
    try {
      job = claim(0);
    } catch (StoreException e) {
      LOG.debug("No container to repack: {}", e.toString());
      return wait;
    }
    if (job == null) {
      return wait;
    }
    run(job, ripening);
    return 0;
  }

  private RepackJob claim(long container) throws StoreException {
    ByteString holder = WriteId.random();
    ByteString table =
        parts.om().judgeNeedles(JudgeNeedlesRequest.getDefaultInstance()).getObjectTable();
    ClaimContainerReply reply =
        scm.claimContainer(
            ClaimContainerRequest.newBuilder()
                .setHolder(holder)
                .setWorker(name)
                .setContainer(container)
                .setObjectTable(table)
                .build());
    if (reply.getWork() == RepackWork.REPACK_NOTHING) {
      return null;
    }
    return new RepackJob(parts, reply, holder, table, System.nanoTime() + ripeningNanos);
  }

  /** A pass; a job that has not ended then is among those that ripen. */
  private void run(RepackJob job, List<RepackJob> ripening) {
    claimed.add(job);
    boolean ended = true;
    try {
      ended = job.pass();
      if (!ended) {
        ripening.add(job);
      }
    } catch (StoreException e) {
      giveBack(job, e);
    } finally {
      if (ended) {
        claimed.remove(job);
      }
    }
  }

  private void giveBack(RepackJob job, StoreException why) {
    LOG.info("Container {} is given back: {}", job.name(), why.getMessage());
    if (why.code() == ErrorCode.LEASE_LOST) {
      return;
    }
    try {
      job.finish(RepackOutcome.REPACK_UNDONE, why.code() + " " + why.getMessage());
    } catch (StoreException e) {
      LOG.debug("Nor does SCM hear of it: {}", e.toString());
    }
  }

  /**
   * Empties one container, however much of it lives.
   *
   * @throws StoreException UNAVAILABLE if it is not sealed, or not for long enough, or was given
   *     back since something in it could not be moved or read
   */
  public void repack(long container) throws StoreException {
    RepackJob job = claim(container);
    if (job == null) {
      throw new StoreException(
          ErrorCode.UNAVAILABLE,
          "Cannot repack container " + String.format("%016x", container) + " now");
    }
    claimed.add(job);
    try {
      while (!job.pass()) {
        long wait = job.ripeNanos() - System.nanoTime();
        if (wait > 0) {
          TimeUnit.NANOSECONDS.sleep(wait);
        }
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new StoreException(ErrorCode.UNAVAILABLE, "Cannot repack: interrupted", e);
    } catch (StoreException e) {
      giveBack(job, e);
      throw e;
    } finally {
      claimed.remove(job);
    }
    if (!job.leftFor().isEmpty()) {
      throw new StoreException(
          ErrorCode.UNAVAILABLE,
          "Cannot repack container " + job.name() + ", which is given back: " + job.leftFor());
    }
  }

  /** Ends in the middle of whatever it does: others take it up. */
  @Override
  public void close() {
    if (!lifecycle.beginStop()) {
      return;
    }
    timer.shutdownNow();
    workers.forEach(Thread::interrupt);
    movers.shutdownNow();
    try {
      for (Thread worker : workers) {
        worker.join(TimeUnit.SECONDS.toMillis(CLOSE_SECONDS));
      }
      if (!movers.awaitTermination(CLOSE_SECONDS, TimeUnit.SECONDS)) {
        LOG.warn("Moves of needles do not end");
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
    lifecycle.moveTo(Lifecycle.State.STOPPED);
  }
}
