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
package io.stowage.om.garbage;

import io.stowage.common.error.ErrorCode;
import io.stowage.common.error.StoreException;
import io.stowage.common.fault.CrashPoint;
import io.stowage.common.id.WriteId;
import io.stowage.common.proto.AddDeadBytesRequest;
import io.stowage.common.proto.CollectorRecord;
import io.stowage.common.proto.CollectorRun;
import io.stowage.common.proto.DeadBytes;
import io.stowage.common.proto.Extent;
import io.stowage.common.scm.ContainerManager;
import io.stowage.om.directory.RemovedDirectories;
import io.stowage.om.object.Deletes;
import io.stowage.om.object.FileLeases;
import io.stowage.om.object.ObjectRows;
import io.stowage.om.object.SeenRow;
import io.stowage.om.object.Snapshots;
import io.stowage.om.region.RegionTurn;
import io.stowage.om.row.RowCommitter;
import io.stowage.om.row.Stamps;
import io.stowage.om.table.BucketRowLayout;
import io.stowage.om.table.Cell;
import io.stowage.om.table.Column;
import io.stowage.om.table.Head;
import io.stowage.om.table.ObjectRowLayout;
import io.stowage.om.table.Regions;
import io.stowage.om.table.Row;
import io.stowage.om.upload.Uploads;
import java.io.IOException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collections;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Future;
import java.util.concurrent.Semaphore;
import java.util.concurrent.atomic.AtomicReference;
import org.apache.hadoop.thirdparty.protobuf.ByteString;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Collects garbage of the namespace, region by region, as one of any number of collectors. One
 * {@link #round} at a time; else thread-safe. docs/adr/0008 has the interleavings.
 *
 * <p>A <b>run</b> is over one region and one range of stamps, which ends a deadline of mutations, a
 * bound of clocks and a margin ago: nothing is written below it any more. Its record is in table
 * {@code bucket}, changed by compare-and-set:
 *
 * <ol>
 *   <li>the run is noted, with its id and ranges, and claimed for a while;
 *   <li>garbage in it is counted, and the container manager told, under the run's id;
 *   <li>"counted" is noted;
 *   <li>directories that the cells say were removed are emptied ({@link RemovedDirectories}), and
 *       files closed whose writers gave no sign of life for long;
 *   <li>the cells are cleared, with the chunks that they kept and the heads that say that nothing
 *       is there;
 *   <li>the run's end becomes where the next begins.
 * </ol>
 *
 * A claim only saves work. Whoever takes over a run that its collector left, or seems to have left,
 * finds the same cells up to step 3, and tells the same sums; two that overlap tell the same, and
 * of two different sums the first counts, which is the complete one, since cells are cleared only
 * after it was told. Clearing names exact cells and compares heads. What came late, behind the
 * watermark, and what has no cell in {@code g} (heads of recoveries, names in {@code x:r}) is found
 * by a full run, once a day; so is everything after a region was split or merged.
 */
public final class Collector {
  static final CrashPoint AFTER_CLAIM = CrashPoint.named("om.collect.after-claim");
  static final CrashPoint AFTER_TOLD = CrashPoint.named("om.collect.after-told");
  static final CrashPoint AFTER_COUNTED = CrashPoint.named("om.collect.after-counted");
  static final CrashPoint AFTER_CLEARED = CrashPoint.named("om.collect.after-cleared");

  private static final Logger LOG = LoggerFactory.getLogger(Collector.class);

  /** Rows of garbage read at a time; most have one cell of half a KiB. */
  private static final int PAGE = 500;

  /**
   * Of each of them as many cells: a key that is overwritten all day has any number. What there is
   * beyond is read by {@link #PIECE}. So a page has at most 5,000 cells, in memory and to be worked
   * on, and a mutation clears at most as many as a piece has.
   */
  private static final int PER_ROW = 10;

  private static final int PIECE = 1_000;

  /** Buckets whose snapshots a run remembers. */
  private static final int MOST_BUCKETS = 10_000;

  /** Rows cleared at a time: a mutation each, waited for. The bound on the load that we are. */
  private static final int AT_A_TIME = 32;

  /** Containers that are told at once, and summed up in memory before that. */
  private static final int MOST_CONTAINERS = 10_000;

  /** A region is compacted when so many rows were removed from it and they are so large a part. */
  private static final long FEWEST_REMOVED = 10_000;

  private static final int SMALLEST_PART = 10;

  /**
   * A run that removes more is felt for long by those who list, since what it removed stays in the
   * way until a compaction: it asks for one when so many rows are gone, and each time that they are
   * twice as many as at the last. With {@link #SMALLEST_PART} that rewrites a row 20 times at most
   * for each that is removed.
   */
  private static final long FEWEST_ON_THE_WAY = 2 * FEWEST_REMOVED;

  private final Settings settings;
  private final RowCommitter records;
  private final ObjectRows rows;
  private final RowCommitter objects;
  private final Stamps stamps;
  private final ContainerManager containers;
  private final Regions regions;
  private final ExecutorService workers;
  private final RowCleaner cleaner;
  private final Snapshots snapshots;
  private final FileLeases files;
  private final DeletedBuckets deletedBuckets;
  private final RemovedDirectories removedDirectories;
  private final ByteString holder = WriteId.random();

  /**
   * Times.
   *
   * @param trail how far behind the clock a run ends: deadline, bound of clocks, margin
   * @param commitWindow after which chunks that no head names are nobody's
   * @param openFiles how long a file stays open without a sign of life of its writer; at least the
   *     trail
   * @param interval least between two runs over a region
   * @param fullInterval between two full runs
   * @param claim how long a run is left to its collector without a sign of life
   */
  public record Settings(
      Duration trail,
      Duration commitWindow,
      Duration openFiles,
      Duration interval,
      Duration fullInterval,
      Duration claim) {}

  /** What a round did. */
  public record Tally(int runs, long cleared, long removed, long deadBytes) {
    public static final Tally NOTHING = new Tally(0, 0, 0, 0);

    /** Both together. */
    public Tally plus(Tally other) {
      return new Tally(
          runs + other.runs,
          cleared + other.cleared,
          removed + other.removed,
          deadBytes + other.deadBytes);
    }
  }

  public Collector(
      Settings settings,
      RowCommitter buckets,
      ObjectRows rows,
      FileLeases files,
      Deletes deletes,
      Uploads uploads,
      RemovedDirectories removedDirectories,
      Snapshots snapshots,
      ContainerManager containers,
      Regions regions,
      ExecutorService workers) {
    this.settings = settings;
    this.records = buckets;
    this.rows = rows;
    this.objects = rows.committer();
    this.stamps = rows.stamps();
    this.containers = containers;
    this.regions = regions;
    this.workers = workers;
    this.snapshots = snapshots;
    this.files = files;
    this.cleaner = new RowCleaner(rows, snapshots);
    this.removedDirectories = removedDirectories;
    this.deletedBuckets = new DeletedBuckets(buckets, rows, deletes, uploads, cleaner);
  }

  /** Collects in every region that is due and that nobody else has claimed. */
  public Tally round() throws StoreException {
    learnWhatIsCollected();
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
    Tally tally = Tally.NOTHING;
    for (int i : order) {
      ByteString end = i + 1 < starts.size() ? starts.get(i + 1) : ObjectRowLayout.END;
      Run run = claim(starts.get(i), end);
      if (run != null) {
        tally = tally.plus(run.collect());
        if (i == 0) {
          deletedBuckets.sweep(stamps.now() - micros(settings.trail));
        }
      }
    }
    return tally;
  }

  /** A clock that has fallen behind what others have collected must not write heads. */
  private void learnWhatIsCollected() throws StoreException {
    ByteString from = BucketRowLayout.COLLECTORS;
    while (true) {
      List<Row> page =
          records.scan(
              from,
              BucketRowLayout.BEHIND_COLLECTORS,
              'm',
              BucketRowLayout.COLLECTOR.qualifier(),
              1_000);
      for (Row row : page) {
        from = ObjectRowLayout.behind(row.key());
        CollectorRecord record = RegionTurn.parse(row.cells().get(0).value());
        stamps.learnCollected(Math.max(record.getCollectedMicros(), record.getRun().getToMicros()));
      }
      if (page.size() < 1_000) {
        return;
      }
    }
  }

  private static long micros(Duration duration) {
    return duration.toNanos() / 1_000;
  }

  /** Step 1; null if it is somebody else's, or too early. */
  private Run claim(ByteString start, ByteString end) throws StoreException {
    RegionTurn turn =
        RegionTurn.read(records, stamps, BucketRowLayout.COLLECTOR, start, holder, settings.claim);
    CollectorRecord known = turn.record();
    long now = stamps.now();
    long to = now - micros(settings.trail);
    if (turn.isTaken()
        || (!known.hasRun() && to < known.getCollectedMicros() + micros(settings.interval))) {
      return null;
    }
    CollectorRecord.Builder claimed = known.toBuilder();
    if (!known.hasRun()) {
      boolean full =
          known.getFullMicros() == 0 || to - known.getFullMicros() >= micros(settings.fullInterval);
      claimed.setRun(
          CollectorRun.newBuilder()
              .setId(WriteId.random())
              .setFromMicros(full ? 0 : known.getCollectedMicros())
              .setToMicros(Math.max(to, 1))
              .setEndRow(end)
              .setFull(full));
    }
    return turn.claim(claimed) ? new Run(start, turn) : null;
  }

  /** A run that we have claimed. Confined to the thread of the round. */
  private final class Run {
    private final ByteString start;
    private final RegionTurn turn;
    private long cleared;
    private long removed;
    private long live;
    private long dead;
    private long removedAtCompaction;
    private final Map<Long, Snapshots.Seen> seenIn = new LinkedHashMap<>();

    Run(ByteString start, RegionTurn turn) {
      this.start = start;
      this.turn = turn;
    }

    private CollectorRecord record() {
      return turn.record();
    }

    private Tally collect() throws StoreException {
      AFTER_CLAIM.reach();
      if (!record().getRun().getCounted()) {
        count();
        AFTER_TOLD.reach();
        if (!turn.note(
            record().toBuilder().setRun(record().getRun().toBuilder().setCounted(true)))) {
          return tally();
        }
      }
      AFTER_COUNTED.reach();
      boolean ours =
          emptyDirectories()
              && closeAbandonedFiles()
              && clearGarbage()
              && clearPendingChunks()
              && (!full() || clearTheRest());
      AFTER_CLEARED.reach();
      if (ours) {
        finish();
      }
      return tally();
    }

    private Tally tally() {
      return new Tally(1, cleared, removed, dead);
    }

    private boolean full() {
      return record().getRun().getFull();
    }

    private long to() {
      return record().getRun().getToMicros();
    }

    /** Works on pages of garbage with stamps of the run, less some. */
    private boolean forEachPage(ByteString prefix, long less, Page work) throws StoreException {
      return forEachPage('g', prefix, less, work);
    }

    private boolean forEachPage(char family, ByteString prefix, long less, Page work)
        throws StoreException {
      long until = to() - less;
      long since = full() ? 0 : Math.max(0, record().getRun().getFromMicros() - less);
      if (until <= since) {
        return true;
      }
      ByteString from = start;
      while (true) {
        List<Row> page =
            objects.scanWritten(
                from, record().getRun().getEndRow(), family, prefix, since, until, PER_ROW, PAGE);
        if (!page.isEmpty()) {
          work.on(page);
          from = ObjectRowLayout.behind(page.get(page.size() - 1).key());
        }
        for (Row row : page) {
          if (row.cells().size() == PER_ROW && !forTheRest(row, prefix, since, until, work)) {
            return false;
          }
        }
        if (page.size() < PAGE) {
          return true;
        }
        if (!turn.isStillOurs()) {
          return false;
        }
      }
    }

    /** Works on what a row has beyond what a page has of it. */
    private boolean forTheRest(Row begun, ByteString prefix, long since, long until, Page work)
        throws StoreException {
      Row piece = begun;
      while (true) {
        Column last = piece.cells().get(piece.cells().size() - 1).column();
        piece =
            objects.getRange(
                begun.key(),
                last.family(),
                ObjectRowLayout.behind(last.qualifier()),
                ObjectRowLayout.behindKind(prefix),
                PIECE);
        List<Cell> inTime =
            piece.cells().stream()
                .filter(cell -> cell.stamp() >= since && cell.stamp() < until)
                .toList();
        if (!inTime.isEmpty()) {
          work.on(List.of(new Row(begun.key(), inTime)));
        }
        if (piece.cells().size() < PIECE) {
          return true;
        }
        if (!turn.isStillOurs()) {
          return false;
        }
      }
    }

    /** Step 2. */
    private void count() throws StoreException {
      Map<Long, Long> sums = new LinkedHashMap<>();
      int[] told = {0};
      forEachPage(
          ByteString.EMPTY,
          0,
          page -> {
            for (Row whole : page) {
              Row row = withoutHeld(whole);
              for (Cell cell : row.cells()) {
                cleaner.forEachDead(row.key(), cell, extent -> add(sums, extent));
              }
              if (sums.size() >= MOST_CONTAINERS / 2) {
                tell(told[0]++, sums);
              }
            }
          });
      tell(told[0], sums);
    }

    /**
     * A row's garbage but for what snapshots see. Those that there were when the run first met the
     * bucket are all that count: a later one is of a stamp above all that the run goes by.
     */
    private Row withoutHeld(Row row) throws StoreException {
      long bucketId = ObjectRowLayout.bucketId(row.key());
      Snapshots.Seen seen = seenIn.get(bucketId);
      if (seen == null) {
        if (seenIn.size() >= MOST_BUCKETS) {
          seenIn.clear();
        }
        seen = snapshots.seen(bucketId);
        seenIn.put(bucketId, seen);
      }
      if (seen.isEmpty()) {
        return row;
      }
      List<Cell> free = new ArrayList<>(row.cells().size());
      for (Cell cell : row.cells()) {
        if (!seen.holds(cell)) {
          free.add(cell);
        }
      }
      return new Row(row.key(), free);
    }

    private void add(Map<Long, Long> sums, Extent extent) {
      sums.merge(extent.getContainer(), extent.getLength(), Long::sum);
      dead += extent.getLength();
    }

    private void tell(int part, Map<Long, Long> sums) throws StoreException {
      List<Map.Entry<Long, Long>> all = new ArrayList<>(sums.entrySet());
      for (int i = 0; i < all.size(); i += MOST_CONTAINERS) {
        AddDeadBytesRequest.Builder request =
            AddDeadBytesRequest.newBuilder()
                .setRun(
                    record()
                        .getRun()
                        .getId()
                        .concat(ByteString.copyFromUtf8("." + part + "." + i / MOST_CONTAINERS)));
        all.subList(i, Math.min(all.size(), i + MOST_CONTAINERS))
            .forEach(
                sum ->
                    request.addContainers(
                        DeadBytes.newBuilder()
                            .setContainer(sum.getKey())
                            .setBytes(sum.getValue())));
        containers.addDeadBytes(request.build());
      }
      sums.clear();
    }

    /** Before the cells go that mention them: directories that were removed. */
    private boolean emptyDirectories() throws StoreException {
      boolean[] ours = {true};
      boolean all =
          forEachPage(
              ObjectRowLayout.SUPERSEDED_HEADS,
              0,
              page -> {
                for (Row row : page) {
                  for (Cell cell : row.cells()) {
                    long directory = RemovedDirectories.mentionedBy(cell);
                    if (ours[0] && directory != 0) {
                      ours[0] =
                          removedDirectories.empty(
                              ObjectRowLayout.bucketId(row.key()), directory, crew);
                    }
                  }
                }
              });
      return all && ours[0];
    }

    /**
     * A lease is renewed by writing its cell, so a dead writer's is the last that he wrote: it
     * comes by once, when it is as old as that; the next full run finds what was missed.
     */
    private boolean closeAbandonedFiles() throws StoreException {
      long more = Math.max(0, micros(settings.openFiles) - micros(settings.trail));
      return forEachPage(
          'x',
          ObjectRowLayout.LEASE.qualifier(),
          more,
          page ->
              together(
                  page,
                  row -> {
                    if (files.closeAbandoned(row.key(), to() - more)) {
                      LOG.info(
                          "Closed {}, whose writer gave no sign of life for {}",
                          ObjectRowLayout.key(row.key()),
                          settings.openFiles);
                    }
                  }));
    }

    private final RemovedDirectories.Crew crew =
        new RemovedDirectories.Crew() {
          @Override
          public void each(List<Row> page, RemovedDirectories.OneRow work) throws StoreException {
            together(page, work::on);
          }

          @Override
          public boolean goesOn() throws StoreException {
            return turn.isStillOurs();
          }
        };

    /** Step 4. */
    private boolean clearGarbage() throws StoreException {
      return forEachPage(
          ByteString.EMPTY,
          0,
          page -> {
            List<Row> free = new ArrayList<>(page.size());
            for (Row row : page) {
              free.add(withoutHeld(row));
            }
            Map<ByteString, SeenRow> heads = headsOf(free);
            together(
                free,
                row ->
                    cleared(
                        row.cells().size(),
                        cleaner.clear(row, heads.get(row.key()), to()) ? 1 : 0));
            compactOnTheWay();
          });
    }

    /** By one call: one of each row's own would be as many as the removals are. */
    private Map<ByteString, SeenRow> headsOf(List<Row> page) throws StoreException {
      Map<ByteString, SeenRow> heads = new HashMap<>();
      if (page.isEmpty()) {
        return heads;
      }
      List<ByteString> keys = page.stream().map(Row::key).toList();
      for (SeenRow seen : rows.readAll(keys, List.of())) {
        heads.put(seen.key(), seen);
      }
      return heads;
    }

    private synchronized void cleared(long cells, long rows) {
      cleared += cells;
      removed += rows;
    }

    private boolean clearPendingChunks() throws StoreException {
      long more = Math.max(0, micros(settings.commitWindow) - micros(settings.trail));
      return forEachPage(
          ObjectRowLayout.PENDING_CHUNKS,
          more,
          page ->
              together(
                  page,
                  row -> {
                    for (Cell cell : row.cells()) {
                      cleaner.clearPendingChunks(row.key(), cell);
                    }
                    cleared(row.cells().size(), 0);
                  }));
    }

    /** What only a full run finds: heads without garbage, and names of rows in {@code x:r}. */
    private boolean clearTheRest() throws StoreException {
      ByteString from = start;
      while (true) {
        List<Row> page =
            objects.scan(
                from, record().getRun().getEndRow(), 'c', ObjectRowLayout.HEAD.qualifier(), PAGE);
        List<Row> nothingThere = new ArrayList<>();
        for (Row row : page) {
          from = ObjectRowLayout.behind(row.key());
          Head head = Head.parse(row.value(ObjectRowLayout.HEAD));
          if (head.isVersion()) {
            live++;
          } else if (head.stamp() < to()) {
            nothingThere.add(row);
          }
        }
        together(nothingThere, row -> cleared(0, cleaner.clearHead(row.key(), to()) ? 1 : 0));
        compactOnTheWay();
        if (page.size() < PAGE) {
          break;
        }
        if (!turn.isStillOurs()) {
          return false;
        }
      }
      return forEachPage(
          'x',
          ObjectRowLayout.FORWARDINGS,
          0,
          page ->
              together(
                  page,
                  row -> {
                    for (Cell cell : row.cells()) {
                      cleaner.trim(row.key(), ObjectRowLayout.forwardedTo(cell.column()), to());
                    }
                  }));
    }

    private void compactOnTheWay() {
      if (removed >= Math.max(FEWEST_ON_THE_WAY, 2 * removedAtCompaction)
          && isLargePart(removed, record().getLiveRows())) {
        removedAtCompaction = removed;
        LOG.info("Collected {} heads from region {} so far; it is compacted", removed, name());
        compact(record().getRun().getEndRow());
      }
    }

    private static boolean isLargePart(long removedRows, long liveRows) {
      return removedRows >= liveRows / SMALLEST_PART;
    }

    private void compact(ByteString end) {
      try {
        regions.compact(start, end);
      } catch (IOException e) {
        // Listings stay slow there until as many rows were removed again.
        LOG.warn("Cannot have region {} compacted: {}", name(), e.toString());
      }
    }

    private Object name() {
      return start.isEmpty() ? "(first)" : start;
    }

    /** Step 5. */
    private void finish() throws StoreException {
      long removedInAll = record().getRemovedRows() + removed;
      long liveRows = full() ? live : record().getLiveRows();
      ByteString end = record().getRun().getEndRow();
      boolean compact = removedInAll >= FEWEST_REMOVED && isLargePart(removedInAll, liveRows);
      CollectorRecord.Builder next =
          record().toBuilder()
              .clearRun()
              .clearHolder()
              .setCollectedMicros(to())
              .setLiveRows(liveRows)
              .setRemovedRows(compact ? 0 : removedInAll);
      if (full()) {
        next.setFullMicros(to());
      }
      if (!turn.note(next)) {
        return;
      }
      if (cleared + removed > 0) {
        LOG.info(
            "Collected {} cells and {} heads from region {}; {} bytes are dead{}",
            cleared,
            removed,
            name(),
            dead,
            compact ? "; it is compacted, to be rid of their delete markers" : "");
      }
      if (compact) {
        compact(end);
      }
    }
  }

  private interface Page {
    void on(List<Row> rows) throws StoreException;
  }

  private interface OneRow {
    void clean(Row row) throws StoreException;
  }

  /**
   * Works on rows side by side, each begun as soon as another is done; begins no more once one has
   * failed, and ends, with the first failure, when all are done that were begun.
   */
  private void together(List<Row> rows, OneRow work) throws StoreException {
    Semaphore room = new Semaphore(AT_A_TIME);
    AtomicReference<StoreException> failure = new AtomicReference<>();
    List<Future<?>> running = new ArrayList<>();
    try {
      for (Row row : rows) {
        room.acquire();
        if (failure.get() != null) {
          break;
        }
        running.add(
            workers.submit(
                () -> {
                  try {
                    work.clean(row);
                  } catch (StoreException e) {
                    failure.compareAndSet(null, e);
                  } finally {
                    room.release();
                  }
                }));
      }
      for (Future<?> one : running) {
        one.get();
      }
    } catch (ExecutionException e) {
      if (e.getCause() instanceof Error error) {
        throw error;
      }
      throw new StoreException(ErrorCode.INTERNAL, "Cannot collect: " + e.getCause(), e.getCause());
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new StoreException(ErrorCode.UNAVAILABLE, "Cannot collect: interrupted", e);
    }
    if (failure.get() != null) {
      throw failure.get();
    }
  }
}
