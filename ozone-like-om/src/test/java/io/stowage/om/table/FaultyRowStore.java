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
package io.stowage.om.table;

import java.io.IOException;
import java.time.Duration;
import java.util.HexFormat;
import java.util.List;
import java.util.Random;
import java.util.Set;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Executors;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.ScheduledFuture;
import java.util.concurrent.ThreadLocalRandom;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import org.apache.hadoop.thirdparty.protobuf.ByteString;

/**
 * A table behind a network and a client that do what networks and clients do: requests that are
 * lost, answers that are lost, mutations that arrive after their sender gave up, and mutations that
 * the client sends again by itself, so that the answer is that of the second. Thread-safe.
 */
public final class FaultyRowStore implements RowStore, AutoCloseable {
  private final RowStore inner;
  private final double probability;
  private final ScheduledExecutorService network = Executors.newScheduledThreadPool(4);
  private final ConcurrentLinkedQueue<ScheduledFuture<?>> late = new ConcurrentLinkedQueue<>();
  private final ConcurrentLinkedQueue<String> trace = new ConcurrentLinkedQueue<>();
  private final AtomicInteger faults = new AtomicInteger();

  public FaultyRowStore(RowStore inner, double probability) {
    this.inner = inner;
    this.probability = probability;
  }

  /** How many calls went wrong. */
  public int faults() {
    return faults.get();
  }

  private void trace(ByteString row, Check check, RowChange change) throws IOException {
    ByteString head = change.puts().get(ObjectRowLayout.HEAD);
    if (head == null) {
      return;
    }
    String before =
        check instanceof Check.Equal equal && check.column().equals(ObjectRowLayout.HEAD)
            ? Head.parse(equal.value()).toString()
            : check.toString();
    trace.add(
        ObjectRowLayout.key(row) + ": " + before + " -> " + Head.parse(head) + describe(head));
    while (trace.size() > 100) {
      trace.poll();
    }
  }

  private static String describe(ByteString cell) throws IOException {
    Head head = Head.parse(cell);
    return switch (head.state()) {
      case LIVE -> " " + hex(head.record().getVersion().getMd5());
      case PENDING ->
          " from "
              + ObjectRowLayout.key(head.record().getPending().getSourceRow())
              + "@"
              + head.record().getPending().getSourceStamp()
              + " of "
              + hex(head.record().getPending().getRenamed().getVersion().getMd5());
      case MOVED ->
          " to "
              + ObjectRowLayout.key(head.record().getMoved().getTargetRow())
              + "@"
              + head.record().getMoved().getPendingStamp();
      case ABSENT, DELETING, MARKER -> "";
    };
  }

  private static String hex(ByteString bytes) {
    return HexFormat.of().formatHex(bytes.toByteArray());
  }

  /** The last changes of heads, about in their order. */
  public List<String> trace() {
    return List.copyOf(trace);
  }

  /** Waits until every mutation that is on its way has arrived. */
  public void settle() throws InterruptedException, ExecutionException {
    for (ScheduledFuture<?> one = late.poll(); one != null; one = late.poll()) {
      one.get();
    }
  }

  private interface Sending {
    boolean send() throws IOException;
  }

  private boolean unreliably(Sending sending) throws IOException {
    Random random = ThreadLocalRandom.current();
    if (random.nextDouble() >= probability) {
      return sending.send();
    }
    faults.incrementAndGet();
    switch (random.nextInt(5)) {
      case 0 -> throw new IOException("injected: request lost");
      case 1 -> {
        sending.send();
        throw new IOException("injected: answer lost");
      }
      case 2 -> {
        later(sending, random);
        throw new IOException("injected: request late, sender gave up");
      }
      case 3 -> {
        later(sending, random);
        return sending.send();
      }
      default -> {
        sending.send(); // its answer lost, and sent again by the client underneath
        return sending.send();
      }
    }
  }

  private void later(Sending sending, Random random) {
    late.add(
        network.schedule(
            () -> sending.send(), 100L + random.nextInt(20_000), TimeUnit.MICROSECONDS));
  }

  private void mayFail() throws IOException {
    if (ThreadLocalRandom.current().nextDouble() < probability / 4) {
      faults.incrementAndGet();
      throw new IOException("injected: no answer to a read");
    }
  }

  @Override
  public Row get(ByteString row, List<Column> columns) throws IOException {
    mayFail();
    return inner.get(row, columns);
  }

  @Override
  public Row getRange(ByteString row, char family, ByteString from, ByteString to, int limit)
      throws IOException {
    mayFail();
    return inner.getRange(row, family, from, to, limit);
  }

  @Override
  public Row getFamilies(ByteString row, String families, int perFamily) throws IOException {
    mayFail();
    return inner.getFamilies(row, families, perFamily);
  }

  @Override
  public boolean checkAndMutate(ByteString row, Check check, RowChange change, Duration timeout)
      throws IOException {
    return unreliably(
        () -> {
          boolean applied = inner.checkAndMutate(row, check, change, timeout);
          if (applied) {
            trace(row, check, change);
          }
          return applied;
        });
  }

  @Override
  public void mutate(ByteString row, RowChange change, Duration timeout) throws IOException {
    unreliably(
        () -> {
          inner.mutate(row, change, timeout);
          return true;
        });
  }

  @Override
  public List<Row> scanHeads(
      ByteString from,
      ByteString to,
      Set<HeadState> unwanted,
      String families,
      int perFamily,
      int limit)
      throws IOException {
    mayFail();
    return inner.scanHeads(from, to, unwanted, families, perFamily, limit);
  }

  @Override
  public List<Row> scanWritten(
      ByteString from,
      ByteString to,
      char family,
      ByteString qualifierPrefix,
      long fromStamp,
      long toStamp,
      int perRow,
      int limit)
      throws IOException {
    mayFail();
    return inner.scanWritten(from, to, family, qualifierPrefix, fromStamp, toStamp, perRow, limit);
  }

  @Override
  public List<Row> scanFirst(
      ByteString from, ByteString to, String families, int perFamily, int limit)
      throws IOException {
    mayFail();
    return inner.scanFirst(from, to, families, perFamily, limit);
  }

  @Override
  public List<Row> scan(
      ByteString from, ByteString to, char family, ByteString qualifierPrefix, int limit)
      throws IOException {
    mayFail();
    return inner.scan(from, to, family, qualifierPrefix, limit);
  }

  @Override
  public void close() {
    network.shutdownNow();
  }
}
