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
package io.stowage.om.expiry;

import io.stowage.common.error.ErrorCode;
import io.stowage.common.error.StoreException;
import io.stowage.common.expiry.DayLength;
import io.stowage.common.expiry.LifecycleRules;
import io.stowage.common.fault.CrashPoint;
import io.stowage.common.id.WriteId;
import io.stowage.common.proto.AbortUploadRequest;
import io.stowage.common.proto.BucketInfo;
import io.stowage.common.proto.CollectorRecord;
import io.stowage.common.proto.CollectorRun;
import io.stowage.common.proto.RecordNeedle;
import io.stowage.common.proto.UploadInfo;
import io.stowage.om.bucket.Buckets;
import io.stowage.om.object.Deletes;
import io.stowage.om.object.ObjectRows;
import io.stowage.om.object.SeenRow;
import io.stowage.om.region.RegionTurn;
import io.stowage.om.row.RowCommitter;
import io.stowage.om.row.Stamps;
import io.stowage.om.table.BucketRowLayout;
import io.stowage.om.table.Cell;
import io.stowage.om.table.Head;
import io.stowage.om.table.ObjectRowLayout;
import io.stowage.om.table.Regions;
import io.stowage.om.table.Row;
import io.stowage.om.upload.Uploads;
import java.io.IOException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collections;
import java.util.Comparator;
import java.util.List;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Future;
import java.util.concurrent.atomic.AtomicLong;
import java.util.function.Consumer;
import org.apache.hadoop.thirdparty.protobuf.ByteString;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Applies the rules of all buckets that have some, region by region, as one of any number of object
 * managers. One {@link #round} at a time; else thread-safe. docs/adr/0013 has the interleavings.
 *
 * <p>A <b>run</b> is over one region, once a day (a fifth of a short one). It goes through the
 * ranges of rows that the rules' prefixes make, in order, and notes how far it came, so that
 * whoever takes it over goes on from there. Nothing depends on that a run is done by one alone:
 * each deletion is a compare-and-set of what was judged, by rules that were in force then.
 */
public final class Expirer {
  static final CrashPoint AFTER_PAGE = CrashPoint.named("om.expire.after-page");

  private static final Logger LOG = LoggerFactory.getLogger(Expirer.class);

  /** Rows read at a time; a head has about half a KiB. */
  private static final int PAGE = 500;

  /** Failures that a round names in the log. */
  private static final int MOST_NAMED = 20;

  /** Keys worked on side by side. */
  private static final int AT_A_TIME = 16;

  private final Settings settings;
  private final Buckets buckets;
  private final RowCommitter records;
  private final RowCommitter objects;
  private final Stamps stamps;
  private final Uploads uploads;
  private final Regions regions;
  private final ExecutorService workers;
  private final KeyExpiry keys;
  private final ByteString holder = WriteId.random();
  private final AtomicLong nextDeletionNanos = new AtomicLong(Long.MIN_VALUE);

  /**
   * How it works.
   *
   * @param claim how long a region is left to its worker without a sign of life
   * @param deletesPerSecond of this object manager
   */
  public record Settings(DayLength day, Duration claim, int deletesPerSecond) {
    /** How often a region is gone through. */
    long periodMicros() {
      long dayMicros = day.seconds() * 1_000_000;
      return day.isReal() ? dayMicros : dayMicros / 5;
    }
  }

  /**
   * What a round did.
   *
   * @param failed keys, uploads and buckets' rules that cannot be read or worked on
   */
  public record Tally(
      int regions,
      long looked,
      long current,
      long noncurrent,
      long markers,
      long uploads,
      long kept,
      long failed) {
    /** What was deleted or aborted. */
    public long removed() {
      return current + noncurrent + markers + uploads;
    }
  }

  /** One sum of a tally. */
  interface Count {
    void add();

    /** It had expired, but changed since, or is locked. */
    void kept();
  }

  /** Sums of a tally, added to from several threads. */
  static final class Counts {
    private final AtomicLong looked = new AtomicLong();
    private final AtomicLong current = new AtomicLong();
    private final AtomicLong noncurrent = new AtomicLong();
    private final AtomicLong markers = new AtomicLong();
    private final AtomicLong uploads = new AtomicLong();
    private final AtomicLong kept = new AtomicLong();
    private final AtomicLong failed = new AtomicLong();

    private Count count(AtomicLong sum) {
      return new Count() {
        @Override
        public void add() {
          sum.incrementAndGet();
        }

        @Override
        public void kept() {
          kept.incrementAndGet();
        }
      };
    }

    Count current() {
      return count(current);
    }

    Count noncurrent() {
      return count(noncurrent);
    }

    Count markers() {
      return count(markers);
    }

    Tally tally(int regions) {
      return new Tally(
          regions,
          looked.get(),
          current.get(),
          noncurrent.get(),
          markers.get(),
          uploads.get(),
          kept.get(),
          failed.get());
    }

    /** Something that stays as it is while all else goes on; by name as far as a log can take. */
    private void failed(String what, String name, Throwable why) {
      if (failed.incrementAndGet() <= MOST_NAMED) {
        LOG.warn("Lifecycle passes over {} {}: {}", what, name, why.toString());
      }
    }
  }

  /** Rows under one prefix of one bucket's rules. */
  private record Range(String bucket, ByteString from, ByteString end) {}

  /**
   * Prepares rounds.
   *
   * @param told takes what fsck --rebuild has to know of each deletion
   */
  public Expirer(
      Settings settings,
      Buckets buckets,
      RowCommitter records,
      ObjectRows rows,
      Deletes deletes,
      Uploads uploads,
      Regions regions,
      ExecutorService workers,
      Consumer<RecordNeedle> told) {
    this.settings = settings;
    this.buckets = buckets;
    this.records = records;
    this.objects = rows.committer();
    this.stamps = rows.stamps();
    this.uploads = uploads;
    this.regions = regions;
    this.workers = workers;
    this.keys = new KeyExpiry(rows, deletes, told);
  }

  /** Works on every region that is due and that nobody else has claimed. */
  public Tally round() throws StoreException {
    Counts counts = new Counts();
    List<Range> ranges = ranges(counts);
    if (ranges.isEmpty()) {
      return counts.tally(0);
    }
    List<ByteString> starts;
    try {
      starts = regions.starts();
    } catch (IOException e) {
      throw new StoreException(
          ErrorCode.UNAVAILABLE, "Cannot list the regions of HBase: " + e.getMessage(), e);
    }
    List<Integer> order = new ArrayList<>();
    for (int i = 0; i < starts.size(); i++) {
      order.add(i);
    }
    Collections.shuffle(order); // or all object managers would try the same one first
    int runs = 0;
    for (int i : order) {
      ByteString end = i + 1 < starts.size() ? starts.get(i + 1) : ObjectRowLayout.END;
      RegionTurn turn = claim(starts.get(i), end);
      if (turn != null) {
        runs++;
        run(turn, starts.get(i), ranges, counts);
      }
    }
    Tally tally = counts.tally(runs);
    if (tally.removed() + tally.kept() + tally.failed() > 0) {
      LOG.info(
          "Lifecycle: {} regions, {} keys looked at; expired: {} current versions, {} noncurrent,"
              + " {} delete markers, {} uploads; {} changed meanwhile or are locked; {} failed",
          tally.regions(),
          tally.looked(),
          tally.current(),
          tally.noncurrent(),
          tally.markers(),
          tally.uploads(),
          tally.kept(),
          tally.failed());
    }
    return tally;
  }

  /** What rules could speak of, in the order of rows. */
  private List<Range> ranges(Counts counts) throws StoreException {
    List<Range> ranges = new ArrayList<>();
    buckets.forEach(
        bucket -> {
          for (String prefix : rules(bucket, counts).prefixes()) {
            ByteString from = ObjectRowLayout.row(bucket.getId(), prefix);
            ranges.add(new Range(bucket.getName(), from, ObjectRowLayout.behindPrefix(from)));
          }
        });
    ranges.sort(Comparator.comparing(Range::from, Expirer::compare));
    return ranges;
  }

  /** A bucket's rules; none if they cannot be read, which is no other bucket's matter. */
  private static LifecycleRules rules(BucketInfo bucket, Counts counts) {
    try {
      return bucket == null ? LifecycleRules.NONE : LifecycleRules.of(bucket);
    } catch (StoreException e) {
      counts.failed("bucket", bucket.getName(), e);
      return LifecycleRules.NONE;
    }
  }

  private static int compare(ByteString a, ByteString b) {
    return ByteString.unsignedLexicographicalComparator().compare(a, b);
  }

  private static ByteString later(ByteString a, ByteString b) {
    return compare(a, b) > 0 ? a : b;
  }

  /** The region, if it is due and nobody's, or a run over it was left; else null. */
  private RegionTurn claim(ByteString start, ByteString end) throws StoreException {
    RegionTurn turn =
        RegionTurn.read(
            records, stamps, BucketRowLayout.LIFECYCLE, start, holder, settings.claim());
    CollectorRecord known = turn.record();
    long now = stamps.now();
    long period = settings.periodMicros();
    boolean done = known.getCollectedMicros() / period >= now / period;
    if (turn.isTaken() || (!known.hasRun() && done)) {
      return null;
    }
    CollectorRecord.Builder claimed = known.toBuilder();
    if (!known.hasRun()) {
      claimed.setRun(
          CollectorRun.newBuilder().setId(WriteId.random()).setToMicros(now).setEndRow(end));
    }
    return turn.claim(claimed) ? turn : null;
  }

  private void run(RegionTurn turn, ByteString start, List<Range> ranges, Counts counts)
      throws StoreException {
    CollectorRun run = turn.record().getRun();
    long failedBefore = counts.failed.get();
    for (Range range : ranges) {
      ByteString from = later(later(start, range.from()), run.getPosition());
      ByteString end = compare(range.end(), run.getEndRow()) < 0 ? range.end() : run.getEndRow();
      if (compare(from, end) < 0) {
        boolean ours =
            expireKeys(turn, range.bucket(), from, end, counts)
                && abortUploads(turn, range.bucket(), later(start, range.from()), end, counts)
                && progress(turn, end);
        if (!ours) {
          return;
        }
      }
    }
    turn.note(
        turn.record().toBuilder()
            .clearRun()
            .clearHolder()
            .setCollectedMicros(run.getToMicros())
            .setPassedOver(counts.failed.get() - failedBefore));
  }

  /** Notes how far the run came, from time to time; false if it is somebody else's now. */
  private static boolean progress(RegionTurn turn, ByteString position) throws StoreException {
    CollectorRecord record = turn.record();
    return !turn.wantsSignOfLife()
        || turn.note(record.toBuilder().setRun(record.getRun().toBuilder().setPosition(position)));
  }

  private boolean expireKeys(
      RegionTurn turn, String bucket, ByteString first, ByteString end, Counts counts)
      throws StoreException {
    ByteString from = first;
    while (true) {
      BucketInfo known = bucket(bucket, first);
      LifecycleRules rules = rules(known, counts);
      if (rules.isEmpty()) {
        return true;
      }
      KeyExpiry.Work work =
          new KeyExpiry.Work(
              known,
              rules,
              settings.day(),
              turn.record().getRun().getToMicros(),
              () -> awaitTurn() && sameRules(known));
      List<Row> page = objects.scan(from, end, 'c', ObjectRowLayout.HEAD.qualifier(), PAGE);
      counts.looked.addAndGet(page.size());
      together(
          page,
          counts,
          row -> {
            Head head = Head.parseOrNull(row.value(ObjectRowLayout.HEAD));
            keys.expire(row.key(), keys.settled(new SeenRow(row.key(), head, row)), work, counts);
          });
      AFTER_PAGE.reach();
      if (page.size() < PAGE) {
        return true;
      }
      from = ObjectRowLayout.behind(page.get(page.size() - 1).key());
      if (!progress(turn, from)) {
        return false;
      }
    }
  }

  private boolean abortUploads(
      RegionTurn turn, String bucket, ByteString first, ByteString end, Counts counts)
      throws StoreException {
    ByteString from = first;
    while (true) {
      BucketInfo known = bucket(bucket, first);
      LifecycleRules rules = rules(known, counts);
      if (!rules.abortsUploads()) {
        return true;
      }
      List<Row> page = objects.scan(from, end, 'x', ObjectRowLayout.UPLOAD_HEADERS, PAGE);
      together(
          page,
          counts,
          row -> {
            for (Cell header : row.cells()) {
              abort(known, rules, row.key(), header, turn.record().getRun().getToMicros(), counts);
            }
          });
      if (page.size() < PAGE) {
        return true;
      }
      from = ObjectRowLayout.behind(page.get(page.size() - 1).key());
      if (!turn.isStillOurs()) {
        return false;
      }
    }
  }

  private void abort(
      BucketInfo bucket,
      LifecycleRules rules,
      ByteString row,
      Cell header,
      long nowMicros,
      Counts counts)
      throws StoreException {
    String key = ObjectRowLayout.key(row);
    ByteString id = header.column().qualifier().substring(1);
    UploadInfo upload = Uploads.info(header.value(), key, id);
    LifecycleRules.Due due = rules.upload(key, upload.getCreatedMicros(), settings.day());
    if (due == null || !due.isPast(nowMicros) || !awaitTurn() || !sameRules(bucket)) {
      return;
    }
    try {
      uploads.abort(
          bucket.getId(), AbortUploadRequest.newBuilder().setKey(key).setUploadId(id).build());
      counts.uploads.incrementAndGet();
    } catch (StoreException e) {
      if (e.code() != ErrorCode.NO_SUCH_UPLOAD && e.code() != ErrorCode.CONFLICT) {
        throw e;
      }
      counts.kept.incrementAndGet(); // completed or aborted meanwhile, or being completed
    }
  }

  /** The bucket of the rows, or null if it is no more. */
  private BucketInfo bucket(String name, ByteString row) throws StoreException {
    try {
      BucketInfo bucket = buckets.require(name).bucket();
      return bucket.getId() == ObjectRowLayout.bucketId(row) ? bucket : null;
    } catch (StoreException e) {
      if (e.code() == ErrorCode.NO_SUCH_BUCKET) {
        return null;
      }
      throw e;
    }
  }

  /** Whether what a judgement went by is in force: as fresh as anything else that we go by. */
  private boolean sameRules(BucketInfo judgedBy) throws StoreException {
    BucketInfo now;
    try {
      now = buckets.require(judgedBy.getName()).bucket();
    } catch (StoreException e) {
      if (e.code() == ErrorCode.NO_SUCH_BUCKET) {
        return false;
      }
      throw e;
    }
    return now.getId() == judgedBy.getId()
        && now.getVersioning() == judgedBy.getVersioning()
        && rules(now).equals(rules(judgedBy));
  }

  private static ByteString rules(BucketInfo bucket) {
    return bucket.getSettingsOrDefault(LifecycleRules.SETTING, ByteString.EMPTY);
  }

  /** Lets no more deletions through than are allowed in a second. */
  private boolean awaitTurn() throws StoreException {
    long gap = 1_000_000_000L / settings.deletesPerSecond();
    long now = objects.nanos();
    long ours = nextDeletionNanos.accumulateAndGet(now, (next, t) -> Math.max(next, t - gap) + gap);
    if (ours > now) {
      objects.pause().during(Duration.ofNanos(ours - now));
    }
    return true;
  }

  private interface OneRow {
    void expire(Row row) throws StoreException;
  }

  /**
   * Works on rows side by side; ends when all are done, with the last failure if what we work on is
   * out of reach. A row that fails by itself is passed over: it would fail in every run, and all
   * behind it would wait for ever.
   */
  private void together(List<Row> rows, Counts counts, OneRow work) throws StoreException {
    for (int i = 0; i < rows.size(); i += AT_A_TIME) {
      List<Future<?>> running = new ArrayList<>();
      List<Row> some = rows.subList(i, Math.min(rows.size(), i + AT_A_TIME));
      for (Row row : some) {
        running.add(
            workers.submit(
                () -> {
                  work.expire(row);
                  return null;
                }));
      }
      StoreException failure = null;
      for (int j = 0; j < running.size(); j++) {
        try {
          running.get(j).get();
        } catch (ExecutionException e) {
          if (e.getCause() instanceof Error error) {
            throw error;
          }
          if (e.getCause() instanceof StoreException known && isOfTheStore(known.code())) {
            failure = known;
          } else {
            counts.failed("key", ObjectRowLayout.key(some.get(j).key()), e.getCause());
          }
        } catch (InterruptedException e) {
          Thread.currentThread().interrupt();
          throw new StoreException(ErrorCode.UNAVAILABLE, "Cannot expire: interrupted", e);
        }
      }
      if (failure != null) {
        throw failure;
      }
    }
  }

  /** Whether other rows fail likewise, and all may go well later. */
  private static boolean isOfTheStore(ErrorCode code) {
    return switch (code.blame()) {
      case CALLER, DATA -> false;
      case SYSTEM, CAPACITY -> code.retry() != ErrorCode.Retry.NEVER && code != ErrorCode.INTERNAL;
    };
  }
}
