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
package io.stowage.om.bucket;

import io.stowage.common.error.CorruptDataException;
import io.stowage.common.error.ErrorCode;
import io.stowage.common.error.StoreException;
import io.stowage.common.id.WriteId;
import io.stowage.common.proto.BucketInfo;
import io.stowage.common.proto.BucketQuota;
import io.stowage.common.proto.GetBucketUsageReply;
import io.stowage.common.proto.UsageRecord;
import io.stowage.common.time.StoreClock;
import io.stowage.om.object.ObjectRows;
import io.stowage.om.row.RowCommitter;
import io.stowage.om.row.RowCommitter.Outcome;
import io.stowage.om.row.Stamps;
import io.stowage.om.table.BucketRowLayout;
import io.stowage.om.table.Cell;
import io.stowage.om.table.Check;
import io.stowage.om.table.Column;
import io.stowage.om.table.ObjectRowLayout;
import io.stowage.om.table.RowChange;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ConcurrentHashMap;
import java.util.function.Consumer;
import org.apache.hadoop.thirdparty.protobuf.ByteString;
import org.apache.hadoop.thirdparty.protobuf.InvalidProtocolBufferException;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * What buckets hold, and whether that may become more. Thread-safe. docs/adr/0016 says why so.
 *
 * <p>An object manager adds up in memory what its own mutations change, and every few seconds
 * writes the sum into a cell of its own in the bucket's row of usage. A bucket holds what all these
 * cells say, and what was counted. Nobody compares, so nobody waits.
 *
 * <p>In a bucket with a quota the cell also says how far its object manager may go: it
 * <b>claims</b> room before it adds anything.
 *
 * <pre>
 * claimed in the cell  >=  changed so far + what is being added now
 * </pre>
 *
 * Within its claim an object manager adds without a word to anybody. Beyond it, it writes a larger
 * claim, with some to spare, and reads the others' cells <b>after that</b>; if all claims together
 * are more than the quota, it takes its own back, and refuses. So of two that claim the last room
 * at once, at least one sees the other's claim; both may, and refuse, but both are never let in. A
 * claim that was not spent is given up at the next writing; one whose author died counts for {@link
 * #CLAIM_LIFE}, half of which he goes by himself.
 */
public final class Usage {
  private static final Logger LOG = LoggerFactory.getLogger(Usage.class);

  public static final String SETTING = "quota";

  private static final int FORMAT = 1;

  /** From the stamp of its cell; a mutation may be on its way for a minute. */
  private static final Duration CLAIM_LIFE = Duration.ofMinutes(3);

  /** Of the room that is left, to spare; near the end every addition claims its own. */
  private static final int PART_OF_ROOM = 16;

  /** A bucket that nobody used here for so long is forgotten. Claims have long lapsed by then. */
  private static final Duration IDLE = Duration.ofMinutes(10);

  /**
   * Whoever changes anything writes or folds his cell far more often; who is only asked what there
   * is finds that it was folded when he reads.
   */
  private static final Duration DEAD = Duration.ofHours(1);

  /** Cells read at a time, each some 40 bytes, and the most that one mutation folds. */
  private static final int PAGE = 1_000;

  private static final int MOST_ATTEMPTS = 5;

  /** Far below what overflows. */
  private static final long UNLIMITED = Long.MAX_VALUE / 4;

  /** Of all object managers together far below the former. */
  private static final long MOST_SPARE = 1L << 48;

  private final RowCommitter rows;
  private final ObjectRows objects;
  private final Stamps stamps;
  private final StoreClock clock;

  /** Of buckets that were used here within {@link #IDLE}; about 200 bytes each. */
  private final ConcurrentHashMap<Long, Count> counts = new ConcurrentHashMap<>();

  public Usage(RowCommitter rows, ObjectRows objects, StoreClock clock) {
    this.rows = rows;
    this.objects = objects;
    this.stamps = objects.stamps();
    this.clock = clock;
    objects.tellChangesTo(this::changed);
  }

  /** Something was added to a bucket or taken out of it. */
  void changed(long bucketId, long moreObjects, long moreBytes) {
    withCount(bucketId, count -> count.add(moreObjects, moreBytes));
  }

  /** Objects and bytes. */
  private record Sum(long objects, long bytes) {
    static final Sum ZERO = new Sum(0, 0);

    Sum plus(long moreObjects, long moreBytes) {
      return new Sum(objects + moreObjects, bytes + moreBytes);
    }

    Sum plus(Sum other) {
      return plus(other.objects, other.bytes);
    }

    Sum minus(Sum other) {
      return plus(-other.objects, -other.bytes);
    }

    boolean isWithin(Sum other) {
      return objects <= other.objects && bytes <= other.bytes;
    }

    Sum orMore(Sum other) {
      return new Sum(Math.max(objects, other.objects), Math.max(bytes, other.bytes));
    }
  }

  /** Does something short with a bucket's count, which is not forgotten meanwhile. */
  private Count withCount(long bucketId, Consumer<Count> what) {
    return counts.compute(
        bucketId,
        (id, known) -> {
          Count count = known == null ? new Count(id) : known;
          count.usedNanos = clock.monotonicNanos();
          what.accept(count);
          return count;
        });
  }

  /** A bucket's count, not to be forgotten until {@link #release}. */
  private Count use(long bucketId) {
    return withCount(bucketId, count -> count.users++);
  }

  private void release(long bucketId) {
    withCount(bucketId, count -> count.users--);
  }

  /** What the other object managers, and what was counted, say of a bucket. */
  private record Others(Sum held, Sum claimed) {}

  /** Of one bucket. Guarded by itself; its reads and writes of the row besides by {@link #io}. */
  private final class Count {
    private final long bucketId;
    private final ByteString row;
    private final Object io = new Object();
    private int users; // changed within updates of the map, as the next one is
    private volatile long usedNanos;
    private long lookedNanos = clock.monotonicNanos() - DEAD.toNanos(); // for cells of the dead
    private ByteString writer = WriteId.random();
    private Sum own = Sum.ZERO; // since our start
    private Sum underWay = Sum.ZERO; // admitted, and not over
    private Sum claimed = Sum.ZERO; // as the row says, or less
    private long claimedNanos;
    private boolean spent = true; // something was admitted since the claim was written
    private Sum writtenOwn = Sum.ZERO;
    private Sum writtenClaim = Sum.ZERO;
    private ByteString writtenValue; // null: nothing
    private long writtenStamp;

    Count(long bucketId) {
      this.bucketId = bucketId;
      this.row = BucketRowLayout.usageRow(bucketId);
    }

    synchronized void add(long moreObjects, long moreBytes) {
      own = own.plus(moreObjects, moreBytes);
    }

    synchronized void end(Sum more) {
      underWay = underWay.minus(more);
    }

    private synchronized boolean admitWithinClaim(Sum more) {
      long age = clock.monotonicNanos() - claimedNanos;
      Sum wanted = own.plus(underWay).plus(more);
      if (age > CLAIM_LIFE.toNanos() / 2 || !wanted.isWithin(claimed)) {
        return false;
      }
      underWay = underWay.plus(more);
      spent = true;
      return true;
    }

    /** Null: admitted; else what the bucket holds, which leaves too little room. */
    Sum admit(Sum quota, Sum more) throws StoreException {
      if (admitWithinClaim(more)) {
        return null;
      }
      synchronized (io) {
        Others known = read();
        Sum target;
        synchronized (this) {
          underWay = underWay.plus(more);
          Sum wanted = own.plus(underWay);
          // Never lower than what others may be admitted by meanwhile.
          target = wanted.plus(spare(quota, known.claimed.plus(wanted))).orMore(claimed);
        }
        try {
          long asked = clock.monotonicNanos();
          target = write(target);
          known = read();
          if (known.claimed.plus(target).isWithin(quota)) {
            claim(target, asked);
            return null;
          }
          asked = clock.monotonicNanos();
          Sum least = write(withdraw());
          if (known.claimed.plus(least).isWithin(quota)) {
            claim(least, asked);
            return null;
          }
        } catch (StoreException e) {
          end(more);
          throw e;
        }
        write(refuse(more));
        return known.held.plus(own);
      }
    }

    /**
     * What is claimed at least, with what it is not decided about. Until it is, nobody else is
     * admitted within our claim: what ended meanwhile would be room that we may not have.
     */
    private synchronized Sum withdraw() {
      claimedNanos = clock.monotonicNanos() - CLAIM_LIFE.toNanos();
      return own.plus(underWay);
    }

    /** Takes back what was not admitted; what is left was. */
    private synchronized Sum refuse(Sum more) {
      underWay = underWay.minus(more);
      claim(own.plus(underWay), clock.monotonicNanos());
      return claimed;
    }

    /** Counted from before its cell was written, by whose stamp others go. */
    private synchronized void claim(Sum sum, long sinceNanos) {
      claimed = sum;
      claimedNanos = sinceNanos;
      spent = false;
    }

    private static Sum spare(Sum quota, Sum taken) {
      return new Sum(spare(quota.objects - taken.objects), spare(quota.bytes - taken.bytes));
    }

    private static long spare(long room) {
      return Math.min(MOST_SPARE, Math.max(0, room / PART_OF_ROOM));
    }

    /** Writes what changed, and gives up a claim that nobody needs. */
    void flush() throws StoreException {
      synchronized (io) {
        Sum keep;
        long asked = clock.monotonicNanos();
        synchronized (this) {
          Sum least = own.plus(underWay);
          // One that lapsed, or was withdrawn, others may have taken since.
          if (!spent || asked - claimedNanos > CLAIM_LIFE.toNanos() / 2) {
            claimed = least;
          }
          spent = false;
          keep = claimed.orMore(least);
          boolean idle = own.equals(writtenOwn) && keep.equals(writtenClaim);
          if (idle) {
            return;
          }
        }
        write(keep);
        synchronized (this) {
          claimedNanos = asked;
        }
      }
    }

    /**
     * Writes our cell.
     *
     * @return the claim, which is less by what was folded meanwhile
     */
    private Sum write(Sum claim) throws StoreException {
      Sum claims = claim;
      for (int attempt = 0; attempt < MOST_ATTEMPTS; attempt++) {
        Sum now;
        long stamp;
        synchronized (this) {
          now = own;
          stamp = stamps.above(writtenStamp);
          writtenStamp = stamp;
        }
        Column column = BucketRowLayout.usage(writer);
        ByteString value =
            UsageRecord.newBuilder()
                .setFormat(FORMAT)
                .setObjects(now.objects)
                .setBytes(now.bytes)
                .setClaimedObjects(claims.objects)
                .setClaimedBytes(claims.bytes)
                .build()
                .toByteString();
        Outcome outcome =
            rows.commit(
                row, Check.of(column, writtenValue), new RowChange(stamp).put(column, value));
        Cell there = null;
        switch (outcome) {
          case APPLIED -> {
            written(now, claims, value);
            return claims;
          }
          case UNKNOWN ->
              throw new StoreException(
                  ErrorCode.UNAVAILABLE, "Cannot write what a bucket holds: no answer of HBase");
          case REFUSED -> there = rows.get(row, List.of(column)).cell(column);
        }
        if (there == null) {
          claims = claims.minus(writtenOwn);
          beginAnew();
        } else { // ours, of a call that was not answered
          UsageRecord record = parse(there.value());
          written(sum(record), claimOf(record), there.value());
        }
      }
      throw new StoreException(
          ErrorCode.CONFLICT, "Cannot write what a bucket holds: somebody writes our cell");
    }

    private synchronized void written(Sum sum, Sum claim, ByteString value) {
      writtenOwn = sum;
      writtenClaim = claim;
      writtenValue = value;
    }

    /** What our cell said is counted by others now; it is no more. */
    private synchronized void beginAnew() {
      own = own.minus(writtenOwn);
      claimed = own.plus(underWay);
      claimedNanos = clock.monotonicNanos() - CLAIM_LIFE.toNanos();
      writtenOwn = Sum.ZERO;
      writtenClaim = Sum.ZERO;
      writtenValue = null;
      writer = WriteId.random();
    }

    /** Cells of the row: what was counted, if it ever was, and what each object manager says. */
    private List<Cell> cells() throws StoreException {
      List<Cell> cells = new ArrayList<>();
      ByteString from = BucketRowLayout.COUNTED.qualifier();
      List<Cell> page;
      do {
        page = rows.getRange(row, 'm', from, BucketRowLayout.BEHIND_USAGES, PAGE).cells();
        cells.addAll(page);
        if (!page.isEmpty()) {
          from = ObjectRowLayout.behind(page.get(page.size() - 1).column().qualifier());
        }
      } while (page.size() == PAGE);
      return cells;
    }

    private Others read() throws StoreException {
      Sum held = Sum.ZERO;
      Sum claims = Sum.ZERO;
      long oldest = stamps.now() - CLAIM_LIFE.toNanos() / 1_000;
      List<Cell> cells = cells();
      findWhetherFolded(cells);
      for (Cell cell : cells) {
        if (cell.column().equals(BucketRowLayout.usage(writer))) {
          continue;
        }
        UsageRecord record = parse(cell.value());
        Sum sum = sum(record);
        held = held.plus(sum);
        boolean alive = cell.stamp() > oldest && !cell.column().equals(BucketRowLayout.COUNTED);
        claims = claims.plus(alive ? sum.orMore(claimOf(record)) : sum);
      }
      return new Others(held, claims);
    }

    /** Our cell was written and is not there: others took us for dead, and count what it said. */
    private void findWhetherFolded(List<Cell> cells) {
      Column ours = BucketRowLayout.usage(writer);
      if (writtenValue != null && cells.stream().noneMatch(cell -> cell.column().equals(ours))) {
        beginAnew();
      }
    }

    /** Whether nobody has used it for long. */
    private boolean isIdle() {
      return clock.monotonicNanos() - usedNanos > IDLE.toNanos();
    }

    /** Within an update of the map: nobody has begun to use it since it was folded. */
    private synchronized boolean isForgettable() {
      return users == 0
          && writtenValue == null
          && own.equals(Sum.ZERO)
          && underWay.equals(Sum.ZERO);
    }

    /** Folds what is to be folded; whether there is nothing left to remember. */
    boolean tidy() throws StoreException {
      boolean idle = isIdle();
      if (!idle && clock.monotonicNanos() - lookedNanos < DEAD.toNanos()) {
        return false;
      }
      synchronized (io) {
        boolean ours;
        synchronized (this) {
          ours = idle && underWay.equals(Sum.ZERO) && own.equals(writtenOwn);
          if (ours) {
            claimedNanos = clock.monotonicNanos() - CLAIM_LIFE.toNanos();
          }
        }
        boolean forgettable = ours && writtenValue == null;
        if (!forgettable) {
          fold(ours);
        }
        lookedNanos = clock.monotonicNanos();
        return ours && writtenValue == null;
      }
    }

    /** Adds cells of the dead, and ours if it is to go, to what was counted. */
    private void fold(boolean ours) throws StoreException {
      long dead = stamps.now() - DEAD.toNanos() / 1_000;
      List<Cell> cells = cells();
      findWhetherFolded(cells);
      Column own = BucketRowLayout.usage(writer);
      Cell counted = null;
      Sum sum = Sum.ZERO;
      long stamp = 0;
      List<Column> folded = new ArrayList<>();
      for (Cell cell : cells) {
        boolean goes = cell.column().equals(own) ? ours : cell.stamp() < dead;
        if (cell.column().equals(BucketRowLayout.COUNTED)) {
          counted = cell;
        } else if (goes && folded.size() < PAGE) {
          sum = sum.plus(sum(parse(cell.value())));
          folded.add(cell.column());
        } else {
          continue;
        }
        stamp = Math.max(stamp, cell.stamp());
      }
      if (folded.isEmpty()) {
        return;
      }
      if (commitCounted(counted, sum, 0, stamp, folded) == Outcome.APPLIED
          && folded.contains(own)) {
        beginAnew();
      } // else the next look does it
    }

    /** Changes what was counted by so much, and removes cells that it holds now. */
    private Outcome commitCounted(
        Cell counted, Sum more, int recounts, long stamp, List<Column> folded)
        throws StoreException {
      UsageRecord before =
          counted == null ? UsageRecord.getDefaultInstance() : parse(counted.value());
      Sum after = sum(before).plus(more);
      UsageRecord record =
          UsageRecord.newBuilder()
              .setFormat(FORMAT)
              .setObjects(after.objects)
              .setBytes(after.bytes)
              .setRecounts(before.getRecounts() + recounts)
              .build();
      return rows.commit(
          row,
          Check.of(BucketRowLayout.COUNTED, counted == null ? null : counted.value()),
          new RowChange(stamps.above(stamp))
              .put(BucketRowLayout.COUNTED, record.toByteString())
              .deleteAll(folded));
    }

    private Cell counted() throws StoreException {
      return rows.get(row, List.of(BucketRowLayout.COUNTED)).cell(BucketRowLayout.COUNTED);
    }

    /** What all say that the bucket holds. */
    Sum held() throws StoreException {
      synchronized (io) {
        Others known = read();
        synchronized (this) {
          return known.held.plus(own);
        }
      }
    }
  }

  private static Sum sum(UsageRecord record) {
    return new Sum(record.getObjects(), record.getBytes());
  }

  private static Sum claimOf(UsageRecord record) {
    return new Sum(record.getClaimedObjects(), record.getClaimedBytes());
  }

  private static UsageRecord parse(ByteString value) throws StoreException {
    try {
      return UsageRecord.parseFrom(value);
    } catch (InvalidProtocolBufferException e) {
      throw new CorruptDataException("Cannot read what a bucket holds: " + e.getMessage());
    }
  }

  /** What a bucket may hold. */
  public static BucketQuota quota(BucketInfo bucket) throws StoreException {
    ByteString setting = bucket.getSettingsMap().get(SETTING);
    if (setting == null) {
      return BucketQuota.getDefaultInstance();
    }
    try {
      return BucketQuota.parseFrom(setting);
    } catch (InvalidProtocolBufferException e) {
      throw new StoreException(
          ErrorCode.INVALID_ARGUMENT, "Cannot read a quota: " + e.getMessage(), e);
    }
  }

  /** Room in a bucket for something that is being added. */
  public interface Room extends AutoCloseable {
    /** It was added, or not. */
    @Override
    void close();
  }

  /** Nothing was set aside. */
  public static final Room ANY = () -> {};

  /** Whether a bucket has a quota. */
  public static boolean isLimited(BucketInfo bucket) {
    return bucket.containsSettings(SETTING);
  }

  /** Sets room aside in a bucket; QUOTA_EXCEEDED if there is not so much. */
  public Room require(BucketInfo bucket, long newObjects, long newBytes) throws StoreException {
    BucketQuota quota = quota(bucket);
    if (quota.getBytes() == 0 && quota.getObjects() == 0) {
      return ANY;
    }
    Sum more = new Sum(newObjects, newBytes);
    Sum limit =
        new Sum(
            quota.getObjects() == 0 ? UNLIMITED : quota.getObjects(),
            quota.getBytes() == 0 ? UNLIMITED : quota.getBytes());
    Count count = use(bucket.getId());
    Sum held;
    try {
      held = count.admit(limit, more);
    } catch (StoreException | RuntimeException e) {
      release(bucket.getId());
      throw e;
    }
    if (held != null) {
      release(bucket.getId());
      throw new StoreException(
          ErrorCode.QUOTA_EXCEEDED,
          "Cannot add "
              + newBytes
              + " bytes to bucket "
              + bucket.getName()
              + ": it holds "
              + held.bytes
              + " bytes in "
              + held.objects
              + " objects, and may hold "
              + (quota.getBytes() == 0 ? "any" : quota.getBytes())
              + " in "
              + (quota.getObjects() == 0 ? "any number" : quota.getObjects()));
    }
    return () -> {
      count.end(more);
      release(bucket.getId());
    };
  }

  /** What a bucket holds now, as far as this object manager and the table know. */
  public GetBucketUsageReply get(BucketInfo bucket) throws StoreException {
    Sum sum = withCount(bucket.getId(), count -> {}).held();
    return GetBucketUsageReply.newBuilder()
        .setObjects(Math.max(0, sum.objects))
        .setBytes(Math.max(0, sum.bytes))
        .setQuota(quota(bucket))
        .build();
  }

  /**
   * Counts what is there. What is added and deleted meanwhile may be counted twice or not at all;
   * the middle between the two is taken. Cells that are folded meanwhile change no sum; of two who
   * count at once, the first to be done sets it right, and the second leaves it.
   */
  public void recount(BucketInfo bucket) throws StoreException {
    Count count = use(bucket.getId());
    try {
      Cell first = count.counted();
      Sum before = count.held();
      Sum[] counted = {Sum.ZERO};
      objects.countAll(
          bucket.getId(), (id, some, bytes) -> counted[0] = counted[0].plus(some, bytes));
      Sum after = count.held();
      Sum middle = new Sum((before.objects + after.objects) / 2, (before.bytes + after.bytes) / 2);
      for (int attempt = 0; attempt < MOST_ATTEMPTS; attempt++) {
        Cell now = count.counted();
        if (recounts(now) != recounts(first)
            || count.commitCounted(
                    now, counted[0].minus(middle), 1, now == null ? 0 : now.stamp(), List.of())
                == Outcome.APPLIED) {
          return;
        }
        rows.pause().backOff(attempt);
      }
    } finally {
      release(bucket.getId());
    }
    throw new StoreException(
        ErrorCode.CONFLICT, "Cannot write what bucket " + bucket.getName() + " holds");
  }

  private static int recounts(Cell counted) throws StoreException {
    return counted == null ? 0 : parse(counted.value()).getRecounts();
  }

  /**
   * Writes down what changed since the last time, and tidies up; every few seconds, and at the end.
   */
  public void flush() {
    for (Count count : counts.values()) {
      try {
        count.flush();
        if (count.tidy()) {
          counts.computeIfPresent(
              count.bucketId, (id, known) -> known.isForgettable() ? null : known);
        }
      } catch (StoreException e) {
        LOG.info("Cannot write down what buckets hold, trying again later: {}", e.toString());
        return; // each would wait for a mutation's deadline
      }
    }
  }

  /** Buckets that are remembered. */
  int remembered() {
    return counts.size();
  }
}
