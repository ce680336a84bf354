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
package io.stowage.s3.event;

import io.netty.util.concurrent.DefaultThreadFactory;
import io.stowage.common.error.ErrorCode;
import io.stowage.common.error.StoreException;
import io.stowage.common.id.WriteId;
import io.stowage.common.om.ObjectManager;
import io.stowage.common.proto.ClaimDutyRequest;
import io.stowage.common.proto.ClearEventsRequest;
import io.stowage.common.proto.EventRecord;
import io.stowage.common.proto.EventRef;
import io.stowage.common.proto.EventTarget;
import io.stowage.common.proto.ScanEventsReply;
import io.stowage.common.proto.ScanEventsRequest;
import io.stowage.common.time.StoreClock;
import java.io.IOException;
import java.net.URI;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collection;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.SortedMap;
import java.util.TreeMap;
import java.util.concurrent.ArrayBlockingQueue;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.Callable;
import java.util.concurrent.CancellationException;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Future;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.ThreadPoolExecutor;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicLong;
import org.apache.hadoop.thirdparty.protobuf.ByteString;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Tells targets of what happened, at least once. Thread-safe. Owns a thread a target, one that
 * looks for what was left, and for a while those that send test messages.
 *
 * <p>An event stands in the outbox of its row from the mutation that it is about until every target
 * has it. The gateway that served the request queues it at once, so that targets hear of it within
 * milliseconds. Whatever stays behind (the gateway died, the queue was full, a target was down for
 * long) is found by a scan, which one gateway at a time does, and queued there.
 *
 * <pre>
 * request ─► mutation with g:e ─► queue of each target ─► sent, until taken ─► g:e cleared
 *                   ▲                      ▲
 *                   └─── scan by one ──────┘
 * </pre>
 *
 * <p>A target that is down is tried again with growing pauses; its queue fills, further events wait
 * in their rows. What is older than the keep time is given up, counted and logged. Two gateways may
 * hold the same event (one queued it, the other found it): a target then hears of it twice. Events
 * of one key that one gateway served are sent in their order; others carry a sequencer.
 */
public final class EventDelivery implements AutoCloseable {
  private static final Logger LOG = LoggerFactory.getLogger(EventDelivery.class);

  /** Events that wait for one target in memory: about 1 KiB each. More wait in their rows. */
  static final int CAPACITY = 10_000;

  /** Test messages on their way at once, of all requests: each holds a thread. */
  private static final int MOST_TESTS = 16;

  /** How long a request waits for all targets that it names: less than clients wait for it. */
  private static final Duration MOST_TEST = Duration.ofSeconds(25);

  private static final int PAGE = 500;
  private static final Duration FIRST_PAUSE = Duration.ofMillis(100);

  /** So far behind the newest stamps the scan begins again: slow clocks, slow mutations. */
  private static final Duration SCAN_MARGIN = Duration.ofMinutes(5);

  /**
   * What is configured.
   *
   * @param targets addresses by ARN: {@code http://…}, {@code https://…}, {@code kafka://…/topic}
   * @param scanInterval between two looks for what was left behind
   * @param mostPause between two attempts at a target that is down
   * @param keep how long an event is tried
   */
  public record Settings(
      Map<String, String> targets, Duration scanInterval, Duration mostPause, Duration keep) {

    /** Reads {@code ARN=ADDRESS} texts. */
    public static Map<String, String> targets(List<String> texts) throws StoreException {
      Map<String, String> targets = new LinkedHashMap<>();
      for (String text : texts) {
        int equals = text.indexOf('=');
        String address = equals < 0 ? "" : text.substring(equals + 1);
        if (equals <= 0
            || !text.startsWith("arn:")
            || !address.matches("(https?|kafka)://[^/]+.*")) {
          throw new StoreException(
              ErrorCode.BAD_CONFIGURATION,
              "Cannot send events to '" + text + "': expected ARN=http://… or ARN=kafka://…/topic");
        }
        targets.put(text.substring(0, equals), address);
      }
      return targets;
    }
  }

  /** How it stands with one target. */
  public record Status(
      String arn,
      boolean up,
      int queued,
      long delivered,
      long failures,
      long overflowed,
      long givenUp,
      String lastError) {}

  private final ObjectManager namespace;
  private final StoreClock clock;
  private final Settings settings;
  private final Map<String, Lane> lanes = new LinkedHashMap<>();

  /** Events that this gateway has queued, by their ids: as many as queues hold. */
  private final Map<ByteString, Pending> pending = new ConcurrentHashMap<>();

  /**
   * Ids that were cleared since the scan began to read the page at hand, null without one. The page
   * may show them still: what it shows and is not pending any more was cleared since, and is here.
   * At most {@link #CAPACITY}; of more, some are told twice.
   */
  private volatile Set<ByteString> clearedMeanwhile; // replaced by the scan alone

  private final ByteString holder = WriteId.random();
  private final CountDownLatch closing = new CountDownLatch(1);
  private final Thread scanner;

  /** Sends test messages. What waits for it is bounded by the workers whose requests wait. */
  private final ThreadPoolExecutor testers =
      new ThreadPoolExecutor(
          MOST_TESTS,
          MOST_TESTS,
          10,
          TimeUnit.SECONDS,
          new LinkedBlockingQueue<>(),
          new DefaultThreadFactory("s3-events-test", true));

  private final Set<String> unknown = ConcurrentHashMap.newKeySet();

  private EventDelivery(ObjectManager namespace, StoreClock clock, Settings settings) {
    this.namespace = namespace;
    this.clock = clock;
    this.settings = settings;
    settings.targets().forEach((arn, address) -> lanes.put(arn, new Lane(arn, sinkOf(address))));
    testers.allowCoreThreadTimeOut(true);
    this.scanner = new Thread(this::scanUntilClosed, "s3-events-scan");
  }

  private static EventSink sinkOf(String address) {
    return address.startsWith("kafka:")
        ? new KafkaSink(address)
        : new WebhookSink(URI.create(address));
  }

  /** Starts its threads; none where there is no target. */
  public static EventDelivery start(ObjectManager namespace, StoreClock clock, Settings settings)
      throws StoreException {
    EventDelivery delivery;
    try {
      delivery = new EventDelivery(namespace, clock, settings);
    } catch (IllegalArgumentException e) {
      throw new StoreException(
          ErrorCode.BAD_CONFIGURATION, "Cannot send events: " + e.getMessage(), e);
    }
    if (!delivery.lanes.isEmpty()) {
      delivery.lanes.values().forEach(lane -> lane.thread.start());
      delivery.scanner.setDaemon(true);
      delivery.scanner.start();
    }
    return delivery;
  }

  /** ARNs that bucket configurations may name. */
  public Set<String> targets() {
    return lanes.keySet();
  }

  public Collection<Status> status() {
    return lanes.values().stream().map(Lane::status).toList();
  }

  /** An event and how many targets have yet to take it. */
  private static final class Pending {
    final EventRecord event;
    final AtomicInteger left;
    volatile boolean incomplete;

    Pending(EventRecord event, int targets) {
      this.event = event;
      this.left = new AtomicInteger(targets);
    }
  }

  private record Waiting(Pending pending, String configurationId) {}

  /** Queues an event that is in its row's outbox. Does not block. */
  public void tell(EventRecord event) {
    List<EventTarget> targets = event.getNote().getTargetsList();
    Pending one = new Pending(event, targets.size());
    ByteString id = event.getNote().getId();
    if (pending.putIfAbsent(id, one) != null) {
      return;
    }
    Set<ByteString> cleared = clearedMeanwhile;
    if (cleared != null && cleared.contains(id)) {
      pending.remove(id);
      return;
    }
    for (EventTarget target : targets) {
      Lane lane = lanes.get(target.getArn());
      if (lane == null) {
        if (unknown.size() < 100 && unknown.add(target.getArn())) {
          LOG.warn(
              "Events for {} wait in their rows: no such target is declared here", target.getArn());
        }
        one.incomplete = true;
        done(one);
      } else if (!lane.queue.offer(new Waiting(one, target.getConfigurationId()))) {
        lane.overflowed.incrementAndGet();
        one.incomplete = true;
        done(one);
      }
    }
  }

  /**
   * Sends targets S3's test message, past their queues and all together, and returns when each has
   * taken it or has not. Blocks no longer than {@link #MOST_TEST}.
   *
   * @param arns of declared targets
   * @return why those did not take it that did not, by ARN
   * @throws StoreException if this gateway is closing, and nothing can be said of them
   */
  public SortedMap<String, String> test(
      Set<String> arns, String bucket, String requestId, String hostId)
      throws StoreException, InterruptedException {
    byte[] document = EventDocuments.test(bucket, requestId, hostId, clock.wallMicros());
    List<String> order = List.copyOf(arns);
    List<Callable<Void>> sends = new ArrayList<>();
    for (String arn : order) {
      EventSink sink = lanes.get(arn).sink;
      sends.add(
          () -> {
            sink.send(bucket + "/", document);
            return null;
          });
    }
    SortedMap<String, String> failures = new TreeMap<>();
    try {
      List<Future<Void>> sent =
          testers.invokeAll(sends, MOST_TEST.toMillis(), TimeUnit.MILLISECONDS);
      for (int i = 0; i < order.size(); i++) {
        String failure = failure(sent.get(i));
        if (failure != null) {
          failures.put(order.get(i), failure);
        }
      }
    } catch (RejectedExecutionException e) {
      throw closingNow();
    }
    if (!failures.isEmpty() && closing.getCount() == 0) {
      throw closingNow();
    }
    return failures;
  }

  private static StoreException closingNow() {
    return new StoreException(
        ErrorCode.UNAVAILABLE, "Cannot send test messages: the gateway is stopping");
  }

  private static String failure(Future<Void> sent) throws InterruptedException {
    try {
      sent.get();
      return null;
    } catch (ExecutionException e) {
      String message = e.getCause().getMessage();
      return message == null ? e.getCause().toString() : message;
    } catch (CancellationException e) {
      return "no answer within " + MOST_TEST.toSeconds() + " s";
    }
  }

  private void done(Pending one) {
    if (one.left.decrementAndGet() > 0) {
      return;
    }
    if (!one.incomplete) {
      try {
        namespace.clearEvents(
            ClearEventsRequest.newBuilder()
                .addEvents(
                    EventRef.newBuilder()
                        .setRow(one.event.getRow())
                        .setId(one.event.getNote().getId()))
                .build());
        Set<ByteString> cleared = clearedMeanwhile;
        if (cleared != null && cleared.size() < CAPACITY) {
          cleared.add(one.event.getNote().getId()); // before it is no longer pending
        }
      } catch (StoreException e) {
        LOG.info("Cannot clear an event that was told; it will be told again: {}", e.toString());
      }
    }
    pending.remove(one.event.getNote().getId());
  }

  private boolean isTooOld(EventRecord event) {
    return clock.wallMicros() - event.getNote().getTimeMicros() > micros(settings.keep());
  }

  /** One target, its queue and its thread. */
  private final class Lane {
    final String arn;
    final EventSink sink;
    final BlockingQueue<Waiting> queue = new ArrayBlockingQueue<>(CAPACITY);
    final Thread thread;
    private volatile boolean up = true;
    private volatile String lastError = "";
    private final AtomicLong delivered = new AtomicLong();
    private final AtomicLong failures = new AtomicLong();
    private final AtomicLong givenUp = new AtomicLong();
    final AtomicLong overflowed = new AtomicLong();

    Lane(String arn, EventSink sink) {
      this.arn = arn;
      this.sink = sink;
      this.thread = new Thread(this::run, "s3-events-" + arn.substring(arn.lastIndexOf(':') + 1));
      this.thread.setDaemon(true);
    }

    Status status() {
      return new Status(
          arn,
          up,
          queue.size(),
          delivered.get(),
          failures.get(),
          overflowed.get(),
          givenUp.get(),
          lastError);
    }

    private void run() {
      try {
        while (closing.getCount() > 0) {
          Waiting next = queue.poll(200, TimeUnit.MILLISECONDS);
          if (next != null && send(next)) {
            done(next.pending);
          }
        }
      } catch (InterruptedException e) {
        Thread.currentThread().interrupt();
      } finally {
        sink.close();
      }
    }

    /** False if we are closing. */
    private boolean send(Waiting next) throws InterruptedException {
      EventRecord event = next.pending.event;
      byte[] document = EventDocuments.of(event, next.configurationId);
      String key = event.getNote().getBucket() + "/" + EventDocuments.key(event);
      Duration pause = FIRST_PAUSE;
      while (true) {
        try {
          sink.send(key, document);
          delivered.incrementAndGet();
          if (!up) {
            up = true;
            LOG.info("Events reach {} again; {} are queued", arn, queue.size());
          }
          return true;
        } catch (IOException e) {
          failures.incrementAndGet();
          lastError = e.toString();
          if (up) {
            up = false;
            LOG.warn(
                "Cannot send events to {}, trying again for {}: {}",
                arn,
                settings.keep(),
                lastError);
          }
        }
        if (isTooOld(event)) {
          givenUp.incrementAndGet();
          LOG.error(
              "Given up an event for {} after {}: {} of {} in bucket {}",
              arn,
              settings.keep(),
              event.getNote().getName(),
              EventDocuments.key(event),
              event.getNote().getBucket());
          return true;
        }
        if (closing.await(pause.toMillis(), TimeUnit.MILLISECONDS)) {
          return false;
        }
        pause = pause.multipliedBy(2);
        pause = pause.compareTo(settings.mostPause()) > 0 ? settings.mostPause() : pause;
      }
    }
  }

  private void scanUntilClosed() {
    long since = 0;
    try {
      while (!closing.await(settings.scanInterval().toMillis(), TimeUnit.MILLISECONDS)) {
        try {
          since = claim(3 * micros(settings.scanInterval()) + 30_000_000) ? scan(since) : 0;
        } catch (StoreException | RuntimeException e) {
          LOG.warn("Cannot look for events that were left; trying again: {}", e.toString());
        }
      }
      claim(0);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    } catch (StoreException e) {
      LOG.info("Cannot give back the scan for events: {}", e.toString());
    }
  }

  private boolean claim(long micros) throws StoreException {
    return namespace
        .claimDuty(
            ClaimDutyRequest.newBuilder()
                .setDuty("events")
                .setHolder(holder)
                .setDurationMicros(micros)
                .build())
        .getGranted();
  }

  /**
   * Queues what stands in outboxes and is old enough not to be on its way in another gateway.
   *
   * @return the stamp from which to look the next time
   */
  private long scan(long since) throws StoreException {
    long now = clock.wallMicros();
    long to = now - micros(settings.scanInterval());
    long next = Math.max(since, to - micros(SCAN_MARGIN));
    ByteString after = ByteString.EMPTY;
    while (closing.getCount() > 0) {
      clearedMeanwhile = ConcurrentHashMap.newKeySet();
      ScanEventsReply page =
          namespace.scanEvents(
              ScanEventsRequest.newBuilder()
                  .setAfterRow(after)
                  .setLimit(PAGE)
                  .setFromStamp(since)
                  .setToStamp(to)
                  .build());
      List<EventRecord> events = new ArrayList<>(page.getEventsList());
      events.sort((a, b) -> Long.compare(a.getStamp(), b.getStamp()));
      for (EventRecord event : events) {
        next = Math.min(next, event.getStamp());
        if (isTooOld(event)) {
          // Nobody here could take it: its target is no longer declared.
          Pending old = new Pending(event, 1);
          LOG.error(
              "Given up an event after {}: {} of {} in bucket {}",
              settings.keep(),
              event.getNote().getName(),
              EventDocuments.key(event),
              event.getNote().getBucket());
          done(old);
        } else {
          tell(event);
        }
      }
      if (!page.getMore()) {
        break;
      }
      after = page.getLastRow();
    }
    clearedMeanwhile = null;
    return next;
  }

  private static long micros(Duration duration) {
    return duration.toNanos() / 1_000;
  }

  /** Stops at once; what is queued waits in its rows. */
  @Override
  public void close() {
    closing.countDown();
    testers.shutdownNow().forEach(waiting -> ((Future<?>) waiting).cancel(false));
    if (lanes.isEmpty()) {
      return;
    }
    List<Thread> threads = new ArrayList<>();
    lanes.values().forEach(lane -> threads.add(lane.thread));
    threads.add(scanner);
    try {
      for (Thread thread : threads) {
        thread.join(TimeUnit.SECONDS.toMillis(1));
        thread.interrupt();
        thread.join(TimeUnit.SECONDS.toMillis(5));
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }
}
