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
import io.stowage.om.row.Stamps;
import io.stowage.om.table.BucketRowLayout;
import io.stowage.om.table.Cell;
import io.stowage.om.table.RowChange;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.ConcurrentHashMap;
import org.apache.hadoop.thirdparty.protobuf.ByteString;
import org.apache.hadoop.thirdparty.protobuf.InvalidProtocolBufferException;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * What buckets hold, and whether that may become more. Thread-safe. docs/adr/0016 says why so.
 *
 * <p>An object manager adds up in memory what its own mutations change, and every few seconds
 * writes the sum since it was started into a cell of its own in the bucket's row of usage. A bucket
 * holds what all these cells say, and what was counted. Nobody compares, so nobody waits.
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

  /** Cells of object managers that were ever started; each some 40 bytes. */
  private static final int MOST_WRITERS = 100_000;

  /** Far below what overflows. */
  private static final long UNLIMITED = Long.MAX_VALUE / 4;

  /** Of all object managers together far below the former. */
  private static final long MOST_SPARE = 1L << 48;

  private static final ByteString BEHIND_WRITERS = ByteString.copyFromUtf8("v");

  private final RowCommitter rows;
  private final ObjectRows objects;
  private final Stamps stamps;
  private final StoreClock clock;
  private final ByteString writer = WriteId.random();

  /** Of buckets that were changed here; about 200 bytes each, and there are as many as in use. */
  private final ConcurrentHashMap<Long, Count> counts = new ConcurrentHashMap<>();

  public Usage(RowCommitter rows, ObjectRows objects, StoreClock clock) {
    this.rows = rows;
    this.objects = objects;
    this.stamps = objects.stamps();
    this.clock = clock;
    objects.tellChangesTo((bucketId, more, bytes) -> count(bucketId).add(more, bytes));
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

  private Count count(long bucketId) {
    return counts.computeIfAbsent(bucketId, Count::new);
  }

  /** What the other object managers, and what was counted, say of a bucket. */
  private record Others(Sum held, Sum claimed) {}

  /** Of one bucket. Guarded by itself; its reads and writes of the row besides by {@link #io}. */
  private final class Count {
    private final ByteString row;
    private final Object io = new Object();
    private Sum own = Sum.ZERO; // since our start
    private Sum underWay = Sum.ZERO; // admitted, and not over
    private Sum claimed = Sum.ZERO; // as the row says, or less
    private long claimedNanos;
    private boolean spent = true; // something was admitted since the claim was written
    private Sum writtenOwn = Sum.ZERO;
    private Sum writtenClaim = Sum.ZERO;
    private long writtenStamp;

    Count(long bucketId) {
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
          write(target);
          known = read();
          if (known.claimed.plus(target).isWithin(quota)) {
            claim(target);
            return null;
          }
          Sum least = claimNothingToSpare();
          write(least);
          if (known.claimed.plus(least).isWithin(quota)) {
            return null;
          }
        } catch (StoreException e) {
          end(more);
          throw e;
        }
        end(more);
        write(claimNothingToSpare());
        return known.held.plus(own);
      }
    }

    private synchronized Sum claimNothingToSpare() {
      claim(own.plus(underWay));
      return claimed;
    }

    private synchronized void claim(Sum sum) {
      claimed = sum;
      claimedNanos = clock.monotonicNanos();
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
        synchronized (this) {
          Sum least = own.plus(underWay);
          if (!spent) {
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
          claimedNanos = clock.monotonicNanos();
        }
      }
    }

    private void write(Sum claim) throws StoreException {
      Sum now;
      long stamp;
      synchronized (this) {
        now = own;
        stamp = stamps.above(writtenStamp);
        writtenStamp = stamp;
      }
      UsageRecord record =
          UsageRecord.newBuilder()
              .setFormat(FORMAT)
              .setObjects(now.objects)
              .setBytes(now.bytes)
              .setClaimedObjects(claim.objects)
              .setClaimedBytes(claim.bytes)
              .build();
      rows.write(
          row, new RowChange(stamp).put(BucketRowLayout.usage(writer), record.toByteString()));
      synchronized (this) {
        writtenOwn = now;
        writtenClaim = claim;
      }
    }

    private Others read() throws StoreException {
      Sum held = Sum.ZERO;
      Sum claims = Sum.ZERO;
      long oldest = stamps.now() - CLAIM_LIFE.toNanos() / 1_000;
      for (Cell cell :
          rows.getRange(row, 'm', BucketRowLayout.COUNTED.qualifier(), BEHIND_WRITERS, MOST_WRITERS)
              .cells()) {
        if (cell.column().equals(BucketRowLayout.usage(writer))) {
          continue;
        }
        UsageRecord record = parse(cell.value());
        Sum sum = new Sum(record.getObjects(), record.getBytes());
        held = held.plus(sum);
        boolean alive = cell.stamp() > oldest && !cell.column().equals(BucketRowLayout.COUNTED);
        claims =
            claims.plus(
                alive
                    ? sum.orMore(new Sum(record.getClaimedObjects(), record.getClaimedBytes()))
                    : sum);
      }
      return new Others(held, claims);
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
    Count count = count(bucket.getId());
    Sum more = new Sum(newObjects, newBytes);
    Sum limit =
        new Sum(
            quota.getObjects() == 0 ? UNLIMITED : quota.getObjects(),
            quota.getBytes() == 0 ? UNLIMITED : quota.getBytes());
    Sum held = count.admit(limit, more);
    if (held != null) {
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
    return () -> count.end(more);
  }

  /** What a bucket holds now, as far as this object manager and the table know. */
  public GetBucketUsageReply get(BucketInfo bucket) throws StoreException {
    Sum sum = count(bucket.getId()).held();
    return GetBucketUsageReply.newBuilder()
        .setObjects(Math.max(0, sum.objects))
        .setBytes(Math.max(0, sum.bytes))
        .setQuota(quota(bucket))
        .build();
  }

  /**
   * Counts what is there. What is added and deleted meanwhile may be counted twice or not at all;
   * the middle between the two is taken.
   */
  public void recount(BucketInfo bucket) throws StoreException {
    Count count = count(bucket.getId());
    Sum[] counted = {Sum.ZERO};
    Sum before = said(count);
    objects.countAll(
        bucket.getId(), (id, some, bytes) -> counted[0] = counted[0].plus(some, bytes));
    Sum after = said(count);
    Sum middle = new Sum((before.objects + after.objects) / 2, (before.bytes + after.bytes) / 2);
    Cell old = rows.get(count.row, List.of(BucketRowLayout.COUNTED)).cell(BucketRowLayout.COUNTED);
    Sum base = counted[0].minus(middle);
    rows.write(
        count.row,
        new RowChange(stamps.above(old == null ? 0 : old.stamp()))
            .put(
                BucketRowLayout.COUNTED,
                UsageRecord.newBuilder()
                    .setFormat(FORMAT)
                    .setObjects(base.objects)
                    .setBytes(base.bytes)
                    .build()
                    .toByteString()));
  }

  /** What all object managers say that they changed. */
  private Sum said(Count count) throws StoreException {
    Sum all = count.held();
    ByteString value =
        rows.get(count.row, List.of(BucketRowLayout.COUNTED)).value(BucketRowLayout.COUNTED);
    if (value == null) {
      return all;
    }
    UsageRecord base = parse(value);
    return all.plus(-base.getObjects(), -base.getBytes());
  }

  /** Writes down what changed since the last time; every few seconds, and at the end. */
  public void flush() {
    for (Count count : counts.values()) {
      try {
        count.flush();
      } catch (StoreException e) {
        LOG.info("Cannot write down what buckets hold, trying again later: {}", e.toString());
        return; // each would wait for a mutation's deadline
      }
    }
  }
}
