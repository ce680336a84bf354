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
package io.stowage.s3.log;

import io.stowage.common.id.WriteId;
import io.stowage.common.time.StoreClock;
import io.stowage.s3.setting.LoggingTarget;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.time.Instant;
import java.time.ZoneOffset;
import java.time.format.DateTimeFormatter;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Access logs of buckets, gathered in memory and delivered as objects of other buckets. Best
 * effort, as S3's: a gateway that dies loses what it has gathered. Thread-safe; owns one thread.
 */
public final class AccessLogs implements AutoCloseable {
  private static final Logger LOG = LoggerFactory.getLogger(AccessLogs.class);

  /** Lines in memory, of all buckets; beyond it lines are dropped and counted. */
  static final long MOST_CHARS = 8L << 20;

  /** A bucket's lines that are delivered without waiting for the interval. */
  private static final int FULL_CHARS = 1 << 20;

  private static final DateTimeFormatter STAMP =
      DateTimeFormatter.ofPattern("yyyy-MM-dd-HH-mm-ss", Locale.ROOT).withZone(ZoneOffset.UTC);
  private static final DateTimeFormatter DAYS =
      DateTimeFormatter.ofPattern("yyyy/MM/dd/", Locale.ROOT).withZone(ZoneOffset.UTC);
  private static final DateTimeFormatter DAY =
      DateTimeFormatter.ofPattern("yyyy-MM-dd", Locale.ROOT).withZone(ZoneOffset.UTC);

  /**
   * Where lines come from and go to.
   *
   * @param owner of the bucket that is logged
   * @param day of the lines, where keys are by it
   */
  public record Route(String bucket, String owner, LoggingTarget target, String day) {}

  /** Writes an object of a log. */
  public interface Delivery {
    /** Throws IOException if it may work later; else it is done, or refused for good. */
    void deliver(Route route, String key, byte[] lines) throws IOException;
  }

  private final StoreClock clock;
  private final String region;
  private final Duration interval;
  private final Delivery delivery;
  private final Map<Route, StringBuilder> gathered = new LinkedHashMap<>();
  private final CountDownLatch closing = new CountDownLatch(1);
  private final Thread thread;
  private long chars;
  private long dropped;
  private boolean hurry;

  /** Starts its thread. */
  public AccessLogs(StoreClock clock, String region, Duration interval, Delivery delivery) {
    this.clock = clock;
    this.region = region;
    this.interval = interval;
    this.delivery = delivery;
    this.thread = new Thread(this::run, "s3-access-log");
    thread.setDaemon(true);
    thread.start();
  }

  /** Keeps a line for its next delivery. */
  void add(String owner, LoggingTarget target, AccessLine line) {
    String text = line.text();
    String day =
        target.byEventTime()
            ? DAY.format(Instant.ofEpochSecond(line.timeMicros() / 1_000_000))
            : "";
    Route route = new Route(line.bucket(), owner, target, day);
    synchronized (this) {
      if (chars + text.length() > MOST_CHARS) {
        dropped++;
        return;
      }
      chars += text.length();
      StringBuilder lines = gathered.computeIfAbsent(route, r -> new StringBuilder());
      lines.append(text);
      if (lines.length() >= FULL_CHARS && !hurry) {
        hurry = true;
        notifyAll();
      }
    }
  }

  /** Lines that found no room. */
  public synchronized long dropped() {
    return dropped;
  }

  private void run() {
    try {
      while (closing.getCount() > 0) {
        synchronized (this) {
          if (!hurry) {
            wait(Math.max(1, interval.toMillis()));
          }
          hurry = false;
        }
        flush();
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }

  private void flush() {
    List<Map.Entry<Route, StringBuilder>> batch;
    synchronized (this) {
      batch = new ArrayList<>(Map.copyOf(gathered).entrySet());
      gathered.clear();
    }
    for (Map.Entry<Route, StringBuilder> one : batch) {
      Route route = one.getKey();
      try {
        delivery.deliver(
            route, key(route), one.getValue().toString().getBytes(StandardCharsets.UTF_8));
        release(one.getValue().length());
      } catch (IOException | RuntimeException e) {
        LOG.warn(
            "Cannot write the access log of bucket {} to {}, trying again: {}",
            route.bucket,
            route.target.bucket(),
            e.toString());
        putBack(route, one.getValue());
      }
    }
  }

  private synchronized void release(int length) {
    chars -= length;
  }

  private synchronized void putBack(Route route, StringBuilder lines) {
    StringBuilder later = gathered.put(route, lines);
    if (later != null) {
      lines.append(later);
    }
  }

  private String key(Route route) {
    Instant now = Instant.ofEpochSecond(clock.wallMicros() / 1_000_000);
    String unique = WriteId.toHex(WriteId.random()).substring(0, 16).toUpperCase(Locale.ROOT);
    LoggingTarget target = route.target;
    if (!target.partitioned()) {
      return target.prefix() + STAMP.format(now) + "-" + unique;
    }
    String from = target.prefix() + route.owner + "/" + region + "/" + route.bucket + "/";
    return target.byEventTime()
        ? from + route.day.replace('-', '/') + "/" + route.day + "-00-00-00-" + unique
        : from + DAYS.format(now) + STAMP.format(now) + "-" + unique;
  }

  /** Delivers what is gathered, once. */
  @Override
  public void close() {
    closing.countDown();
    synchronized (this) {
      hurry = true;
      notifyAll();
    }
    try {
      thread.join(TimeUnit.SECONDS.toMillis(10));
      thread.interrupt();
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }
}
