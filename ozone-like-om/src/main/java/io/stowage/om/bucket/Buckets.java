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

import io.stowage.common.erasure.ErasurePolicy;
import io.stowage.common.error.ErrorCode;
import io.stowage.common.error.OutcomeUnknownException;
import io.stowage.common.error.StoreException;
import io.stowage.common.expiry.Retention;
import io.stowage.common.fault.CrashPoint;
import io.stowage.common.id.WriteId;
import io.stowage.common.proto.BucketInfo;
import io.stowage.common.proto.BucketLayout;
import io.stowage.common.proto.CreateBucketRequest;
import io.stowage.common.proto.DeleteBucketRequest;
import io.stowage.common.proto.ListBucketsReply;
import io.stowage.common.proto.ListBucketsRequest;
import io.stowage.common.proto.UpdateBucketRequest;
import io.stowage.common.proto.Versioning;
import io.stowage.common.time.StoreClock;
import io.stowage.om.object.ObjectRows;
import io.stowage.om.object.Snapshots;
import io.stowage.om.row.RowCommitter;
import io.stowage.om.row.RowCommitter.Outcome;
import io.stowage.om.row.Stamps;
import io.stowage.om.table.BucketRowLayout;
import io.stowage.om.table.BucketRowLayout.BucketHead;
import io.stowage.om.table.Check;
import io.stowage.om.table.Head;
import io.stowage.om.table.HeadState;
import io.stowage.om.table.ObjectRowLayout;
import io.stowage.om.table.Row;
import io.stowage.om.table.RowChange;
import java.security.SecureRandom;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import org.apache.hadoop.thirdparty.protobuf.ByteString;

/**
 * Buckets, with a cache that is never older than a set age. Thread-safe.
 *
 * <p>Deleting a bucket: (1) look for keys, so that a bucket in use is refused at once; (2) mark it
 * DELETING; (3) wait until no cache shows it as it was; (4) look for keys; (5) make it ABSENT, or
 * LIVE again if there were any. A mutation that began under a cached bucket checks the cache's age
 * when it is done ({@link #recheck}) and is not acknowledged before it knows that the bucket still
 * stands: so a key that (4) did not see is never acknowledged under a bucket that (5) removed. Who
 * meets a mark that is older than a deletion takes ends the deletion himself.
 */
public final class Buckets {
  static final CrashPoint AFTER_MARK = CrashPoint.named("om.delete-bucket.after-mark");

  private static final int MOST_ATTEMPTS = 1_000;
  private static final int MOST_LISTED = 1_000;
  private static final int SCAN_PAGE = 1_000;

  private static final List<String> NOT_OF_FILE_SYSTEMS =
      List.of("lifecycle", "lifecycle.rules", "object-lock", "notification", "notification.rules");

  /** With settings, of which each bucket may have a MiB. */
  private static final int SMALL_PAGE = 50;

  /** Of one bucket's settings; every object manager keeps those of the buckets in use. */
  private static final int MOST_BYTES = 1 << 20;

  private final RowCommitter rows;
  private final ObjectRows objects;
  private final Snapshots snapshots;
  private final Stamps stamps;
  private final StoreClock clock;
  private final Duration cacheAge;
  private final String defaultPolicy;
  private final SecureRandom random = new SecureRandom();
  private final ConcurrentHashMap<String, Known> cache = new ConcurrentHashMap<>();
  private volatile Emptiness treeEmptiness = bucket -> false;

  /** A bucket as it was when its read began. Immutable. */
  public record Known(BucketInfo bucket, long readNanos) {
    public long id() {
      return bucket.getId();
    }
  }

  public Buckets(
      RowCommitter rows,
      ObjectRows objects,
      Stamps stamps,
      StoreClock clock,
      Duration cacheAge,
      String defaultPolicy,
      Snapshots snapshots) {
    this.snapshots = snapshots;
    this.rows = rows;
    this.objects = objects;
    this.stamps = stamps;
    this.clock = clock;
    this.cacheAge = cacheAge;
    this.defaultPolicy = defaultPolicy;
  }

  /** Whether nothing is in a bucket. */
  @FunctionalInterface
  public interface Emptiness {
    boolean isEmpty(BucketInfo bucket) throws StoreException;
  }

  /** Says who can tell that of a FILE_SYSTEM bucket; before the first request. */
  public void emptinessOfTrees(Emptiness emptiness) {
    treeEmptiness = emptiness;
  }

  /** The bucket of a name, at most as old as the cache's age. */
  public Known require(String name) throws StoreException {
    Known known = cache.get(name);
    if (known != null && isFresh(known)) {
      return known;
    }
    return readThrough(name);
  }

  private boolean isFresh(Known known) {
    return clock.monotonicNanos() - known.readNanos() < cacheAge.toNanos();
  }

  private Known readThrough(String name) throws StoreException {
    for (int attempt = 0; attempt < MOST_ATTEMPTS; attempt++) {
      long before = clock.monotonicNanos();
      BucketHead head = read(name);
      if (head == null || head.state() == HeadState.ABSENT) {
        cache.remove(name);
        throw noSuchBucket(name);
      }
      if (head.state() == HeadState.LIVE) {
        Known known = new Known(head.bucket(), before);
        cache.put(name, known);
        return known;
      }
      awaitDeletion(name, head);
    }
    throw contended(name);
  }

  /**
   * After a mutation: whether the bucket that it went by still stands, if it was looked up longer
   * ago than the cache's age. A mutation that this refuses is in a bucket that nobody sees any
   * more.
   *
   * @return the bucket as it is, if it was looked up again
   */
  public Known recheck(Known known) throws StoreException {
    if (isFresh(known)) {
      return known;
    }
    Known now;
    try {
      now = require(known.bucket().getName()); // what is fresh now was when the mutation ended
    } catch (StoreException e) {
      if (e.code() == ErrorCode.NO_SUCH_BUCKET) {
        throw e;
      }
      throw new OutcomeUnknownException(
          "Cannot acknowledge: the bucket cannot be looked up again: " + e.getMessage(), e);
    }
    if (now.id() != known.id()) {
      throw noSuchBucket(known.bucket().getName());
    }
    return now;
  }

  public BucketInfo create(CreateBucketRequest request) throws StoreException {
    BucketNames.check(request.getName());
    if (request.getLayout() == BucketLayout.UNRECOGNIZED) {
      throw new StoreException(
          ErrorCode.INVALID_ARGUMENT, "Cannot create a bucket of a layout that is not known here");
    }
    requireServed(request.getLayout(), request.getSettingsMap().keySet(), request.getVersioning());
    String policy = request.getPolicy().isEmpty() ? defaultPolicy : request.getPolicy();
    ErasurePolicy.named(policy);
    for (int attempt = 0; attempt < MOST_ATTEMPTS; attempt++) {
      BucketHead seen = read(request.getName());
      if (seen != null && seen.state() == HeadState.DELETING) {
        awaitDeletion(request.getName(), seen);
        continue;
      }
      if (seen != null && seen.state() == HeadState.LIVE) {
        if (seen.createdBy().equals(request.getWriteId())) {
          return seen.bucket();
        }
        boolean own = seen.bucket().getOwner().equals(request.getOwner());
        throw new StoreException(
            own ? ErrorCode.BUCKET_OWNED_BY_CALLER : ErrorCode.BUCKET_EXISTS,
            "Cannot create bucket " + request.getName() + ": there is one");
      }
      long stamp = stamps.above(seen == null ? 0 : seen.stamp());
      BucketInfo bucket =
          BucketInfo.newBuilder()
              .setName(request.getName())
              .setId(random.nextLong())
              .setOwner(request.getOwner())
              .setLayout(request.getLayout())
              .setPolicy(policy)
              .setCreatedMicros(stamp)
              .setRegion(request.getRegion())
              .putAllSettings(request.getSettingsMap())
              .setVersioning(request.getVersioning())
              .build();
      Retention.requireKept(bucket, bucket);
      ByteString deletedBy = seen == null ? ByteString.EMPTY : seen.writeId();
      BucketHead head =
          BucketHead.of(
              stamp, request.getWriteId(), HeadState.LIVE, bucket, request.getWriteId(), deletedBy);
      if (commit(request.getName(), seen, head, "created")) {
        return bucket;
      }
    }
    throw contended(request.getName());
  }

  /**
   * Changes settings by compare-and-set of the bucket's head, and returns when every object manager
   * has dropped what it knew before: a policy that forbids something is in force everywhere once it
   * is acknowledged.
   */
  public BucketInfo update(UpdateBucketRequest request) throws StoreException {
    String name = request.getName();
    if (!request.getPolicy().isEmpty()) {
      ErasurePolicy.named(request.getPolicy());
    }
    for (int attempt = 0; attempt < MOST_ATTEMPTS; attempt++) {
      BucketHead seen = read(name);
      if (seen == null || seen.state() == HeadState.ABSENT) {
        throw noSuchBucket(name);
      }
      if (seen.state() == HeadState.DELETING) {
        awaitDeletion(name, seen);
        continue;
      }
      if (seen.writeId().equals(request.getWriteId())) {
        return everywhere(seen);
      }
      requireSettings(seen.bucket(), request);
      requireServed(
          seen.bucket().getLayout(), request.getPutMap().keySet(), request.getVersioning());
      BucketInfo.Builder changed = seen.bucket().toBuilder();
      request.getRemoveList().forEach(changed::removeSettings);
      changed.putAllSettings(request.getPutMap());
      if (request.getVersioning() != Versioning.UNVERSIONED) {
        changed.setVersioning(request.getVersioning());
      }
      if (!request.getPolicy().isEmpty()) {
        changed.setPolicy(request.getPolicy());
      }
      Retention.requireKept(seen.bucket(), changed.build());
      if (changed.build().getSerializedSize() > MOST_BYTES) {
        throw new StoreException(
            ErrorCode.INVALID_ARGUMENT,
            "Cannot keep "
                + changed.build().getSerializedSize()
                + " bytes of settings of bucket "
                + name
                + ": at most "
                + MOST_BYTES);
      }
      BucketHead next =
          BucketHead.of(
              stamps.above(seen.stamp()),
              request.getWriteId(),
              HeadState.LIVE,
              changed.build(),
              seen.createdBy(),
              seen.deletedBy());
      if (commit(name, seen, next, "changed")) {
        return everywhere(next);
      }
    }
    throw contended(name);
  }

  /**
   * Puts back a bucket that the table has lost, under the id that its rows have; false if it is
   * there.
   */
  public boolean restore(BucketInfo bucket) throws StoreException {
    BucketNames.check(bucket.getName());
    ErasurePolicy.named(bucket.getPolicy());
    for (int attempt = 0; attempt < MOST_ATTEMPTS; attempt++) {
      BucketHead seen = read(bucket.getName());
      if (seen != null && seen.state() != HeadState.ABSENT) {
        if (seen.bucket().getId() == bucket.getId()) {
          return false;
        }
        throw new StoreException(
            ErrorCode.BUCKET_EXISTS,
            "Cannot restore bucket " + bucket.getName() + ": there is another of that name");
      }
      ByteString writeId = WriteId.random();
      BucketHead head =
          BucketHead.of(
              stamps.above(seen == null ? 0 : seen.stamp()),
              writeId,
              HeadState.LIVE,
              bucket,
              writeId,
              seen == null ? ByteString.EMPTY : seen.writeId());
      if (commit(bucket.getName(), seen, head, "restored")) {
        cache.remove(bucket.getName());
        return true;
      }
    }
    throw contended(bucket.getName());
  }

  private BucketInfo everywhere(BucketHead head) throws StoreException {
    cache.remove(head.bucket().getName());
    rows.pause().during(cacheAge.plus(cacheAge.dividedBy(10)));
    return head.bucket();
  }

  /**
   * Refuses what goes by a key's row alone, and so cannot know the paths of a FILE_SYSTEM bucket.
   */
  private static void requireServed(
      BucketLayout layout, Set<String> settings, Versioning versioning) throws StoreException {
    if (layout != BucketLayout.FILE_SYSTEM) {
      return;
    }
    if (versioning != Versioning.UNVERSIONED) {
      throw new StoreException(
          ErrorCode.INVALID_ARGUMENT, "Cannot enable versioning in a bucket of layout FILE_SYSTEM");
    }
    for (String name : NOT_OF_FILE_SYSTEMS) {
      if (settings.contains(name)) {
        throw new StoreException(
            ErrorCode.INVALID_ARGUMENT,
            "Cannot set " + name + " of a bucket of layout FILE_SYSTEM: OBJECT buckets have it");
      }
    }
  }

  private static void requireSettings(BucketInfo bucket, UpdateBucketRequest request)
      throws StoreException {
    for (Map.Entry<String, ByteString> seen : request.getOnlyIfMap().entrySet()) {
      if (!bucket.getSettingsOrDefault(seen.getKey(), ByteString.EMPTY).equals(seen.getValue())) {
        throw new StoreException(
            ErrorCode.PRECONDITION_FAILED,
            "Cannot change bucket " + bucket.getName() + ": its " + seen.getKey() + " changed");
      }
    }
  }

  /** Deletes an empty bucket; returns it as it was, or null if it was created again since. */
  public BucketInfo delete(DeleteBucketRequest request) throws StoreException {
    String name = request.getName();
    for (int attempt = 0; attempt < MOST_ATTEMPTS; attempt++) {
      BucketHead seen = read(name);
      if (seen == null) {
        throw noSuchBucket(name);
      }
      switch (seen.state()) {
        case ABSENT -> {
          if (seen.writeId().equals(request.getWriteId())) {
            return seen.bucket();
          }
          throw noSuchBucket(name);
        }
        case DELETING -> {
          if (seen.writeId().equals(request.getWriteId())) {
            finishDeletion(name, seen);
          } else {
            awaitDeletion(name, seen);
          }
        }
        case LIVE -> {
          if (seen.deletedBy().equals(request.getWriteId())) {
            return null; // done before, and created again since
          }
          requireEmpty(seen.bucket());
          BucketHead mark =
              BucketHead.of(
                  stamps.above(seen.stamp()),
                  request.getWriteId(),
                  HeadState.DELETING,
                  seen.bucket(),
                  seen.createdBy(),
                  seen.deletedBy());
          if (commit(name, seen, mark, "deleted")) {
            AFTER_MARK.reach();
            finishDeletion(name, mark);
          }
        }
        case MOVED, PENDING, MARKER ->
            throw new IllegalStateException("bucket " + name + " " + seen);
      }
    }
    throw contended(name);
  }

  /** Steps 3 to 5, from the mark on. */
  private void finishDeletion(String name, BucketHead mark) throws StoreException {
    rows.pause().during(cacheAge.plus(cacheAge.dividedBy(10)));
    boolean empty = isEmpty(mark.bucket());
    BucketHead end =
        BucketHead.of(
            stamps.above(mark.stamp()),
            empty ? mark.writeId() : WriteId.random(),
            empty ? HeadState.ABSENT : HeadState.LIVE,
            mark.bucket(),
            mark.createdBy(),
            mark.deletedBy());
    commit(name, mark, end, "deleted");
    cache.remove(name);
    if (!empty) {
      throw notEmpty(mark.bucket());
    }
  }

  /** Somebody else's deletion: waits for its end, or ends it when its author seems to be gone. */
  private void awaitDeletion(String name, BucketHead mark) throws StoreException {
    long ageMicros = stamps.now() - mark.stamp();
    if (ageMicros < 3 * cacheAge.toNanos() / 1_000) {
      rows.pause().during(cacheAge.dividedBy(8));
      return;
    }
    try {
      finishDeletion(name, mark);
    } catch (StoreException e) {
      if (e.code() != ErrorCode.BUCKET_NOT_EMPTY) {
        throw e;
      }
    }
  }

  public ListBucketsReply list(ListBucketsRequest request) throws StoreException {
    int limit = request.getLimit() == 0 ? MOST_LISTED : Math.min(MOST_LISTED, request.getLimit());
    ByteString prefix = BucketRowLayout.row(request.getPrefix());
    ByteString from = prefix.isEmpty() ? BucketRowLayout.FIRST : prefix;
    ByteString end = ObjectRowLayout.behindPrefix(prefix);
    ByteString after = ObjectRowLayout.behind(BucketRowLayout.row(request.getAfter()));
    if (ByteString.unsignedLexicographicalComparator().compare(after, from) > 0) {
      from = after;
    }
    ListBucketsReply.Builder reply = ListBucketsReply.newBuilder();
    while (true) {
      List<Row> page = rows.scan(from, end, 'm', BucketRowLayout.HEAD.qualifier(), SCAN_PAGE);
      for (Row row : page) {
        from = ObjectRowLayout.behind(row.key());
        BucketHead head =
            BucketHead.parseOrNull(row.key().toStringUtf8(), row.value(BucketRowLayout.HEAD));
        boolean listed =
            head != null
                && head.state() != HeadState.ABSENT
                && (request.getOwner().isEmpty()
                    || request.getOwner().equals(head.bucket().getOwner()));
        if (!listed) {
          continue;
        }
        if (reply.getBucketsCount() == limit) {
          return reply.setMore(true).build();
        }
        reply.addBuckets(head.bucket().toBuilder().clearSettings());
      }
      if (page.size() < SCAN_PAGE) {
        return reply.build();
      }
    }
  }

  /** What is done with a bucket. */
  public interface EachBucket {
    void on(BucketInfo bucket) throws StoreException;
  }

  /** Goes through all buckets that stand, with their settings. */
  public void forEach(EachBucket work) throws StoreException {
    ByteString from = BucketRowLayout.FIRST;
    while (true) {
      List<Row> page =
          rows.scan(from, ObjectRowLayout.END, 'm', BucketRowLayout.HEAD.qualifier(), SMALL_PAGE);
      for (Row row : page) {
        from = ObjectRowLayout.behind(row.key());
        BucketHead head =
            BucketHead.parseOrNull(row.key().toStringUtf8(), row.value(BucketRowLayout.HEAD));
        if (head != null && head.state() == HeadState.LIVE) {
          work.on(head.bucket());
        }
      }
      if (page.size() < SMALL_PAGE) {
        return;
      }
    }
  }

  private void requireEmpty(BucketInfo bucket) throws StoreException {
    if (!isEmpty(bucket)) {
      throw notEmpty(bucket);
    }
  }

  /**
   * Whether no head in the bucket is a version; a key that has older ones has a head that is.
   * Renames that were cut short are ended first. Uploads do not count, as in S3; they vanish with
   * the bucket.
   */
  private boolean isEmpty(BucketInfo bucket) throws StoreException {
    if (snapshots.keepsBucket(bucket.getId())) {
      return false;
    }
    if (bucket.getLayout() == BucketLayout.FILE_SYSTEM) {
      return treeEmptiness.isEmpty(bucket);
    }
    ByteString from = ObjectRowLayout.row(bucket.getId(), "");
    ByteString end = ObjectRowLayout.behindPrefix(from);
    while (true) {
      List<Row> page =
          objects.committer().scanHeads(from, end, Set.of(HeadState.ABSENT), "c", 1, SCAN_PAGE);
      for (Row row : page) {
        Head head = Head.parse(row.value(ObjectRowLayout.HEAD));
        boolean renaming =
            head.state() == HeadState.PENDING
                || (head.state() == HeadState.MOVED && head.record().hasVersion());
        if (renaming) {
          head = objects.readSettled(row.key(), List.of()).head();
        }
        if (head != null && head.isVersion()) {
          return false;
        }
        from = ObjectRowLayout.behind(row.key());
      }
      if (page.size() < SCAN_PAGE) {
        return true;
      }
    }
  }

  private BucketHead read(String name) throws StoreException {
    Row row = rows.get(BucketRowLayout.row(name), List.of(BucketRowLayout.HEAD));
    return BucketHead.parseOrNull(name, row.value(BucketRowLayout.HEAD));
  }

  /** True if applied; false if the row is to be read again, which tells by the write id. */
  private boolean commit(String name, BucketHead seen, BucketHead next, String done)
      throws StoreException {
    RowChange change = new RowChange(next.stamp()).put(BucketRowLayout.HEAD, next.cell());
    if (next.state() == HeadState.ABSENT) {
      // What is left under the id nobody can reach any more: uploads, late puts, garbage.
      change.put(BucketRowLayout.deletedBucket(next.bucket().getId()), ByteString.EMPTY);
    }
    Outcome outcome =
        rows.commit(
            BucketRowLayout.row(name),
            Check.of(BucketRowLayout.HEAD, seen == null ? null : seen.cell()),
            change);
    if (outcome == Outcome.UNKNOWN) {
      BucketHead now = read(name);
      if (now == null || !now.cell().equals(next.cell())) {
        throw new OutcomeUnknownException(
            "Cannot tell whether bucket " + name + " was " + done, null);
      }
      return true;
    }
    return outcome == Outcome.APPLIED;
  }

  private static StoreException noSuchBucket(String name) {
    return new StoreException(ErrorCode.NO_SUCH_BUCKET, "Cannot find bucket " + name);
  }

  private static StoreException notEmpty(BucketInfo bucket) {
    return new StoreException(
        ErrorCode.BUCKET_NOT_EMPTY,
        "Cannot delete bucket " + bucket.getName() + ": it is not empty");
  }

  private static StoreException contended(String name) {
    return new StoreException(
        ErrorCode.CONFLICT, "Cannot get a turn at bucket " + name + ": others change it");
  }
}
