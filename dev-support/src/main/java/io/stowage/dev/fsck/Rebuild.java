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
package io.stowage.dev.fsck;

import io.netty.buffer.ByteBuf;
import io.stowage.client.ContainerScan;
import io.stowage.client.DataPath;
import io.stowage.client.ObjectReader;
import io.stowage.client.crypt.PacketLayout;
import io.stowage.client.repack.NeedleWalk;
import io.stowage.common.error.CorruptDataException;
import io.stowage.common.error.ErrorCode;
import io.stowage.common.error.StoreException;
import io.stowage.common.id.WriteId;
import io.stowage.common.needle.NeedleCodec;
import io.stowage.common.needle.NeedleFacts;
import io.stowage.common.needle.NeedleHeader;
import io.stowage.common.proto.AcceptUnknownShardsReply;
import io.stowage.common.proto.AcceptUnknownShardsRequest;
import io.stowage.common.proto.BucketInfo;
import io.stowage.common.proto.CommittedFact;
import io.stowage.common.proto.ContainerInfo;
import io.stowage.common.proto.ContainerState;
import io.stowage.common.proto.Extent;
import io.stowage.common.proto.Fact;
import io.stowage.common.proto.GetObjectReply;
import io.stowage.common.proto.GetObjectRequest;
import io.stowage.common.proto.JudgeNeedlesRequest;
import io.stowage.common.proto.ListBucketsReply;
import io.stowage.common.proto.ListBucketsRequest;
import io.stowage.common.proto.Manifest;
import io.stowage.common.proto.NamedExtents;
import io.stowage.common.proto.NeedleBlob;
import io.stowage.common.proto.ObjectMetadata;
import io.stowage.common.proto.ObjectVersion;
import io.stowage.common.proto.RecordNeedle;
import io.stowage.common.proto.RestoreBucketRequest;
import io.stowage.common.proto.RestoreOutcome;
import io.stowage.common.proto.RestoreRowsReply;
import io.stowage.common.proto.RestoreRowsRequest;
import io.stowage.common.proto.RestoredRow;
import io.stowage.common.proto.Versioning;
import io.stowage.dev.fsck.SpillSorter.Entries;
import io.stowage.dev.fsck.SpillSorter.Entry;
import io.stowage.s3.payload.HashKind;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.apache.hadoop.thirdparty.protobuf.ByteString;
import org.apache.hadoop.thirdparty.protobuf.InvalidProtocolBufferException;
import org.apache.hadoop.thirdparty.protobuf.UnsafeByteOperations;

/**
 * Re-creates the namespace from the containers alone: {@code stowage fsck --rebuild}. The rule and
 * what it may lose are in docs/format/needle.md. Confined to one thread.
 *
 * <p>Steps, each of which reads sorted what the one before wrote:
 *
 * <ol>
 *   <li>Give containers that the container table has lost their rows back ({@link LostContainers}).
 *       Walk all containers; sort by write id: needles, what records say of a write, and for each
 *       part of a completed upload who took it.
 *   <li>By write id: put the needles together. A write of which a record tells goes on, its bytes
 *       beside the record, sorted by the write id that committed them. One without is an event of
 *       its row by itself.
 *   <li>By committing write: an event with its bytes.
 *   <li>By row: of each version, and of the null version, the last event is what the row holds;
 *       rows are restored in batches. Buckets of layout FILE_SYSTEM are gone through once before,
 *       for their directories: what is below one that was removed was deleted with it, and no
 *       record says so.
 *   <li>Trees of FILE_SYSTEM buckets that are not whole are mended ({@link TreeMending}).
 *   <li>If all that was brought back, SCM is told: it may have found that its table is older than
 *       the disks, and goes on deleting then.
 * </ol>
 *
 * <p>Memory: a window of one container, the sorters' (bounded), the buckets, and all entries of one
 * write id or one row at a time, of which there are as many as an object has extents or a key had
 * writes that lie on disk; 33 bytes a directory, thrice. Disk: about 300 bytes a needle, twice.
 */
public final class Rebuild {
  private static final long SORTER_BYTES = 64L << 20;
  private static final int BATCH = 200;
  private static final int BATCH_BYTES = 2 << 20;
  private static final int READ_BYTES = 1 << 20;
  private static final int ROW_PREFIX = 8;

  /** In requests: the key's null version, whatever its id is. */
  private static final long NULL_VERSION = -1;

  private static final byte NEEDLE = 'N';
  private static final byte FINISHED = 'F';
  private static final byte ABANDONED = 'A';
  private static final byte COMMITTED = 'C';
  private static final byte PART_OF = 'P';
  private static final byte BYTES = 'B';

  /** In place of a part's write id: the bytes are the whole. */
  private static final byte[] NO_PART = {};

  private final Cluster cluster;
  private final Path directory;
  private final Progress progress;
  private final RebuildReport report = new RebuildReport();
  private final Map<Long, KnownBucket> buckets = new HashMap<>();
  private SpillSorter byWrite;
  private SpillSorter byCommit;
  private SpillSorter byRow;

  /** What records say of a bucket. */
  private static final class KnownBucket {
    private final TreeMap<Long, Versioning> versioning = new TreeMap<>();
    private long stamp;
    private BucketInfo last; // null: deleted

    void add(long at, BucketInfo bucket) {
      if (bucket != null) {
        versioning.put(at, bucket.getVersioning());
      }
      if (at > stamp) {
        stamp = at;
        last = bucket;
      }
    }

    boolean keptVersions(long at) {
      Map.Entry<Long, Versioning> then = versioning.floorEntry(at);
      return then != null && then.getValue() == Versioning.ENABLED;
    }
  }

  /**
   * Prepares a rebuild.
   *
   * @param directory for sorted runs, emptied as it goes
   */
  public Rebuild(Cluster cluster, Path directory, Progress progress) {
    this.cluster = cluster;
    this.directory = directory;
    this.progress = progress;
  }

  /** Rebuilds; may be repeated, and cut short at any point. */
  public RebuildReport run() throws IOException {
    ByteString table =
        cluster
            .namespace()
            .judgeNeedles(JudgeNeedlesRequest.getDefaultInstance())
            .getObjectTable(); // the one that is filled: if it is replaced meanwhile, SCM finds out
    try (SpillSorter writes = new SpillSorter(directory, "writes", SORTER_BYTES);
        SpillSorter commits = new SpillSorter(directory, "commits", SORTER_BYTES);
        SpillSorter rows = new SpillSorter(directory, "rows", SORTER_BYTES)) {
      byWrite = writes;
      byCommit = commits;
      byRow = rows;
      new LostContainers(cluster, directory, progress, report).restore();
      walkContainers();
      joinWrites();
      joinCommits();
      restoreNamespace(restoreBuckets());
    }
    if (report.isWhole()) {
      AcceptUnknownShardsReply unused =
          cluster
              .containers()
              .acceptUnknownShards(
                  AcceptUnknownShardsRequest.newBuilder()
                      .setRebuilt(true)
                      .setObjectTable(table)
                      .build());
    }
    return report;
  }

  // Step 1.

  private void walkContainers() throws IOException {
    ContainerPages pages =
        new ContainerPages(cluster.containers(), ContainerState.CONTAINER_UNKNOWN);
    for (ContainerInfo container = pages.next(); container != null; container = pages.next()) {
      walk(container);
      report.containers++;
      progress.at("containers walked", report.containers, 0);
    }
  }

  private void walk(ContainerInfo container) throws IOException {
    ContainerScan scan = cluster.data().scan(container);
    EpochMap epochs = EpochMap.of(container, cluster.datanodes());
    int k = scan.policy().k();
    NeedleWalk walk = NeedleWalk.of(scan);
    IOException[] failure = new IOException[1];
    walk.run(
        found -> {
          try {
            take(container, epochs, k, found);
          } catch (CorruptDataException e) {
            report.addProblem("container " + name(container.getId()) + ": " + e.getMessage());
          } catch (StoreException e) {
            throw e;
          } catch (IOException e) {
            failure[0] = e;
            throw new StoreException(
                ErrorCode.INTERNAL, "Cannot sort needles: " + e.getMessage(), e);
          }
        });
    if (failure[0] != null) {
      throw failure[0];
    }
    String blind = walk.blindSpots();
    if (blind != null) {
      report.blind.add("container " + name(container.getId()) + ": " + blind);
    }
  }

  private void take(ContainerInfo container, EpochMap epochs, int k, NeedleWalk.Found found)
      throws IOException {
    NeedleHeader header = found.header();
    FoundNeedle needle =
        FoundNeedle.of(
            header, container.getId(), epochs.at(found.offset()), found.shard(), found.offset(), k);
    if (needle == null) {
      report.strangers++;
      return;
    }
    if (header.kind() == NeedleHeader.Kind.RECORD) {
      report.records++;
      takeRecord(header, payload(needle, container));
    } else {
      report.needles++;
      byWrite.add(header.writeId().toByteArray(), tagged(NEEDLE, needle.encode()));
    }
  }

  private ByteString payload(FoundNeedle needle, ContainerInfo container) throws StoreException {
    int length = Math.toIntExact(needle.header().payloadLength());
    Manifest manifest =
        Manifest.newBuilder().setLength(length).addExtents(needle.extent(length)).build();
    byte[] bytes = new byte[length];
    try (ObjectReader reader =
        cluster.data().read(new DataPath.ReadSpec(manifest, List.of(container)))) {
      for (int at = 0; at < length; ) {
        int step = Math.min(length - at, Math.min(READ_BYTES, reader.maxRead()));
        ByteBuf some = reader.read(at, step);
        some.readBytes(bytes, at, step);
        some.release();
        at += step;
      }
    } catch (StoreException e) {
      throw new CorruptDataException(
          "Cannot read a record at " + needle.extent().getOffset() + ": " + e.getMessage());
    }
    ByteString payload = UnsafeByteOperations.unsafeWrap(bytes);
    if (NeedleCodec.crc(payload.asReadOnlyByteBuffer()) != needle.header().payloadCrc()) {
      throw new CorruptDataException(
          "Cannot read a record at " + needle.extent().getOffset() + ": wrong checksum");
    }
    return payload;
  }

  private void takeRecord(NeedleHeader header, ByteString payload) throws IOException {
    Fact fact = NeedleFacts.fact(payload);
    byte[] writeId = header.writeId().toByteArray();
    switch (fact.getWhatCase()) {
      case COMMITTED -> takeCommitted(header, fact);
      case DELETED ->
          addNothing(
              header, header.rowKey(), fact.getDeleted().getVersionId(), header.clockMicros());
      case FINISHED ->
          byWrite.add(
              writeId,
              tagged(
                  FINISHED,
                  ByteBuffer.allocate(8).putLong(fact.getFinished().getLength()).array()));
      case ABANDONED -> byWrite.add(writeId, tagged(ABANDONED, new byte[0]));
      case BUCKET -> {
        try {
          noteBucket(header, BucketInfo.parseFrom(fact.getBucket()));
        } catch (InvalidProtocolBufferException e) {
          throw new CorruptDataException("Cannot read the record of a bucket: " + e.getMessage());
        }
      }
      case BUCKET_DELETED -> noteBucket(header, null);
      case WHAT_NOT_SET -> throw new IllegalStateException("refused when it was read");
    }
  }

  private void noteBucket(NeedleHeader header, BucketInfo bucket) {
    buckets
        .computeIfAbsent(header.bucketId(), id -> new KnownBucket())
        .add(header.clockMicros(), bucket);
  }

  private void takeCommitted(NeedleHeader header, Fact fact) throws IOException {
    CommittedFact committed = fact.getCommitted();
    List<ByteString> parts = NeedleFacts.partWriteIds(committed); // throws before anything is taken
    ByteString creator = committed.getVersion().getWriteId();
    RecordNeedle record =
        RecordNeedle.newBuilder()
            .setBucketId(header.bucketId())
            .setRowKey(header.rowKey())
            .setWriteId(header.writeId())
            .setStamp(header.clockMicros())
            .setFact(fact)
            .build();
    byWrite.add(creator.toByteArray(), tagged(COMMITTED, record.toByteArray()));
    ObjectVersion version = committed.getVersion();
    for (int i = 0; i < parts.size(); i++) {
      ByteBuffer reference = ByteBuffer.allocate(WriteId.BYTES + 8);
      creator.copyTo(reference);
      reference.putLong(JoinedCommit.storedLength(version, version.getPartLengths(i)));
      byWrite.add(parts.get(i).toByteArray(), tagged(PART_OF, reference.array()));
    }
    if (!committed.getMovedFrom().isEmpty()) {
      ByteString source = committed.getMovedFrom();
      addNothing(header, source, committed.getMovedVersionId(), committed.getMovedStamp());
      if (committed.getMovedVersionId() != 0 && committed.getSourceIsEmpty()) {
        addNothing(header, source, 0, committed.getMovedStamp());
      }
    }
  }

  /**
   * A version of a row is no more.
   *
   * @param versionId 0: the null version
   */
  private void addNothing(NeedleHeader by, ByteString rowKey, long versionId, long stamp)
      throws IOException {
    addEvent(
        RowEvents.Kind.CERTAIN,
        RestoredRow.newBuilder()
            .setBucketId(by.bucketId())
            .setRowKey(rowKey)
            .setVersionId(versionId)
            .setStamp(stamp)
            .setWriteId(by.writeId())
            .build());
  }

  private void addEvent(RowEvents.Kind kind, RestoredRow event) throws IOException {
    byRow.add(
        row(event.getBucketId(), event.getRowKey()).toByteArray(),
        tagged(kind.letter, event.toByteArray()));
  }

  // Step 2.

  /** Works on the entries of one key. */
  private interface Group {
    void work(byte[] key, List<byte[]> values) throws IOException;
  }

  private static void groups(SpillSorter sorter, Group each) throws IOException {
    try (Entries entries = sorter.sorted()) {
      byte[] key = null;
      List<byte[]> values = new ArrayList<>();
      for (Entry entry = entries.next(); entry != null; entry = entries.next()) {
        if (key != null && !Arrays.equals(key, entry.key())) {
          each.work(key, values);
          values = new ArrayList<>();
        }
        key = entry.key();
        values.add(entry.value());
      }
      if (key != null) {
        each.work(key, values);
      }
    }
  }

  private void joinWrites() throws IOException {
    long[] done = new long[1];
    groups(
        byWrite,
        (writeId, values) -> {
          joinWrite(writeId, values);
          done[0] += values.size();
          progress.at("needles and records joined", done[0], byWrite.count());
        });
    byWrite.close();
  }

  private void joinWrite(byte[] writeId, List<byte[]> values) throws IOException {
    List<FoundNeedle> needles = new ArrayList<>();
    List<RecordNeedle> commits = new ArrayList<>();
    List<ByteBuffer> takenBy = new ArrayList<>();
    long length = -1;
    boolean abandoned = false;
    boolean part = false;
    for (byte[] value : values) {
      ByteBuffer rest = ByteBuffer.wrap(value, 1, value.length - 1);
      switch (value[0]) {
        case NEEDLE -> {
          FoundNeedle needle = FoundNeedle.decode(rest);
          needles.add(needle);
          part |= needle.isPart();
        }
        case FINISHED -> length = rest.getLong();
        case ABANDONED -> abandoned = true;
        case COMMITTED -> commits.add(RecordNeedle.parseFrom(rest));
        case PART_OF -> takenBy.add(rest);
        default -> throw new IllegalStateException("entry " + value[0]);
      }
    }
    for (ByteBuffer reference : takenBy) {
      byte[] complete = new byte[WriteId.BYTES];
      reference.get(complete);
      addBytes(complete, writeId, assemble(needles, reference.getLong()));
    }
    for (RecordNeedle commit : commits) {
      byCommit.add(writeId, tagged(COMMITTED, commit.toByteArray()));
      if (length < 0 && commit.getFact().getCommitted().getPartWriteIds().isEmpty()) {
        ObjectVersion version = commit.getFact().getCommitted().getVersion();
        length = JoinedCommit.storedLength(version, version.getLength());
      }
    }
    if (needles.isEmpty() || part) {
      return;
    }
    if (!commits.isEmpty()) {
      addBytes(writeId, NO_PART, assemble(needles, length));
    } else if (abandoned) {
      report.unfinished++;
    } else {
      addPlain(needles, assemble(needles, length));
    }
  }

  private Manifest assemble(List<FoundNeedle> needles, long length) {
    if (needles.isEmpty()) {
      return null;
    }
    Manifest manifest = Assembly.of(needles, length, this::isReadable);
    NeedleHeader header = needles.get(0).header();
    return manifest == null
        ? null
        : manifest.toBuilder().setOriginRow(row(header.bucketId(), header.rowKey())).build();
  }

  private void addBytes(byte[] commit, byte[] partWriteId, Manifest manifest) throws IOException {
    if (manifest != null) {
      byte[] value = manifest.toByteArray();
      ByteBuffer found =
          ByteBuffer.allocate(1 + partWriteId.length + value.length)
              .put((byte) partWriteId.length)
              .put(partWriteId)
              .put(value);
      byCommit.add(commit, tagged(BYTES, found.array()));
    }
  }

  /** A put that only its needles tell of. */
  private void addPlain(List<FoundNeedle> needles, Manifest manifest) throws IOException {
    FoundNeedle first = null;
    for (FoundNeedle needle : needles) {
      if (needle.header().payloadOffset() == 0) {
        first = needle;
      }
    }
    if (manifest == null || first == null) {
      report.unfinished++;
      return;
    }
    NeedleBlob blob = first.rest();
    NeedleHeader header = first.header();
    ObjectMetadata metadata = NeedleFacts.metadata(header.blob());
    long length = manifest.getLength();
    if (metadata.hasEncryption()) {
      length = PacketLayout.plainLength(length);
      if (length < 0) {
        report.incomplete++;
        return;
      }
    }
    boolean unhashed = blob.getMd5LimitBytes() > 0 && length > blob.getMd5LimitBytes();
    HashKind.Hasher md5 = unhashed ? null : HashKind.MD5.newHasher();
    HashKind checksum = HashKind.of(NeedleFacts.checksum(blob));
    HashKind.Hasher crc = checksum == null ? null : checksum.newHasher();
    try {
      read(
          manifest,
          bytes -> {
            if (md5 != null) {
              md5.update(bytes);
            }
            if (crc != null) {
              crc.update(bytes);
            }
          });
    } catch (StoreException e) {
      // Of a streamed object this is how a writer that died looks: some of it never arrived.
      report.incomplete++;
      return;
    }
    ObjectVersion.Builder version =
        ObjectVersion.newBuilder()
            .setWriteId(header.writeId())
            .setVersionId(header.clockMicros())
            .setLength(length)
            .setModifiedMicros(header.clockMicros())
            .setMetadata(metadata)
            .setManifest(manifest);
    if (unhashed) {
      version
          .setMd5(WriteId.mark(header.writeId(), length))
          .setPartCount(1)
          .addPartLengths(length)
          .setPartWriteIds(header.writeId());
    } else {
      // Of one that is encrypted it becomes another: its record is lost, and there is no key here.
      version.setMd5(ByteString.copyFrom(md5.digest()));
    }
    if (crc != null) {
      version.addChecksums(checksum.checksum(crc.digest(), false));
    }
    // Where versions were kept, each put had a record. This one's is lost, or it was not committed:
    // as a version of its own it replaces nothing.
    KnownBucket bucket = buckets.get(header.bucketId());
    version.setVersioned(bucket != null && bucket.keptVersions(header.clockMicros()));
    addEvent(
        blob.getConditional() ? RowEvents.Kind.IF_NOTHING_ELSE : RowEvents.Kind.CERTAIN,
        RestoredRow.newBuilder()
            .setBucketId(header.bucketId())
            .setRowKey(header.rowKey())
            .setVersionId(version.getVersioned() ? version.getVersionId() : 0)
            .setStamp(header.clockMicros())
            .setWriteId(header.writeId())
            .setVersion(version)
            .build());
  }

  private boolean isReadable(Extent extent) {
    long length = extent.getLength() - extent.getHeaderLength();
    try {
      read(Manifest.newBuilder().setLength(length).addExtents(extent).build(), bytes -> {});
      return true;
    } catch (StoreException e) {
      return false;
    }
  }

  private interface Piece {
    void take(ByteBuf bytes);
  }

  private void read(Manifest manifest, Piece each) throws StoreException {
    try (ObjectReader reader = cluster.data().read(new DataPath.ReadSpec(manifest, List.of()))) {
      int step = Math.min(READ_BYTES, reader.maxRead());
      for (long at = 0; at < manifest.getLength(); at += step) {
        ByteBuf bytes = reader.read(at, (int) Math.min(step, manifest.getLength() - at));
        try {
          each.take(bytes);
        } finally {
          bytes.release();
        }
      }
    }
  }

  // Step 3.

  private void joinCommits() throws IOException {
    groups(byCommit, (writeId, values) -> joinCommit(values));
    byCommit.close();
  }

  private void joinCommit(List<byte[]> values) throws IOException {
    JoinedCommit joined = new JoinedCommit();
    for (byte[] value : values) {
      ByteBuffer rest = ByteBuffer.wrap(value, 1, value.length - 1);
      if (value[0] == BYTES) {
        byte[] partWriteId = new byte[rest.get()];
        rest.get(partWriteId);
        joined.addBytes(ByteString.copyFrom(partWriteId), Manifest.parseFrom(rest));
      } else {
        joined.addRecord(RecordNeedle.parseFrom(rest));
      }
    }
    for (JoinedCommit.Event event : joined.events()) {
      addEvent(event.kind(), event.row());
    }
  }

  // Step 4.

  /** Makes sure of all buckets that are known; returns their names. */
  private Map<Long, String> restoreBuckets() throws StoreException {
    Map<Long, String> names = new HashMap<>();
    String after = "";
    boolean more = true;
    while (more) {
      ListBucketsReply page =
          cluster.namespace().listBuckets(ListBucketsRequest.newBuilder().setAfter(after).build());
      for (BucketInfo bucket : page.getBucketsList()) {
        names.put(bucket.getId(), bucket.getName());
        after = bucket.getName();
      }
      more = page.getMore() && page.getBucketsCount() > 0;
    }
    for (KnownBucket known : buckets.values()) {
      BucketInfo bucket = known.last;
      if (bucket == null || names.containsKey(bucket.getId())) {
        continue;
      }
      try {
        cluster
            .namespace()
            .restoreBucket(RestoreBucketRequest.newBuilder().setBucket(bucket).build());
        names.put(bucket.getId(), bucket.getName());
        report.bucketsRestored++;
      } catch (StoreException e) {
        if (e.code() != ErrorCode.BUCKET_EXISTS) {
          throw e;
        }
        report.addProblem(e.getMessage());
      }
    }
    report.buckets = names.size();
    return names;
  }

  private void restoreNamespace(Map<Long, String> bucketNames) throws IOException {
    Map<Long, BucketInfo> trees = TreeScan.buckets(cluster.namespace());
    try (DirectoryTree told = new DirectoryTree(directory, "told")) {
      if (!trees.isEmpty()) {
        tellDirectories(trees, told);
      }
      restoreRows(bucketNames, trees, told);
      if (!trees.isEmpty()) {
        new TreeMending(cluster, trees, directory, progress, report).mend(told);
      }
    }
  }

  /** What the containers say of directories. */
  private void tellDirectories(Map<Long, BucketInfo> trees, DirectoryTree told) throws IOException {
    groups(
        byRow,
        (row, values) -> {
          if (!trees.containsKey(ByteBuffer.wrap(row).getLong())) {
            return;
          }
          for (RestoredRow holds : events(values).result()) {
            if (holds.hasVersion()) {
              told.add(
                  holds.getBucketId(),
                  holds.getRowKey(),
                  holds.getVersion().getDirectoryId(),
                  holds.getStamp());
            }
          }
        });
  }

  /**
   * Whether a row went with a directory that was removed. Anchors are none of what comes back, too:
   * an id is not used again, and {@link TreeMending} asks for those that are wanted.
   */
  private static boolean isRemoved(DirectoryTree told, ByteBuffer row, List<byte[]> values)
      throws IOException {
    long bucketId = row.getLong();
    EntryRow entry = EntryRow.parse(ByteString.copyFrom(row));
    if (entry == null || entry.isAnchor() || told.isRemoved(bucketId, entry.directoryId())) {
      return entry != null;
    }
    for (RestoredRow holds : events(values).result()) {
      long directory = holds.getVersion().getDirectoryId();
      if (directory != 0 && told.isRemoved(bucketId, directory)) {
        return true;
      }
    }
    return false;
  }

  private void restoreRows(
      Map<Long, String> bucketNames, Map<Long, BucketInfo> trees, DirectoryTree told)
      throws IOException {
    List<RestoredRow> batch = new ArrayList<>();
    long[] batchBytes = new long[1];
    groups(
        byRow,
        (row, values) -> {
          long bucketId = ByteBuffer.wrap(row).getLong();
          report.rows++;
          progress.at("rows restored", report.rows, 0);
          if (!bucketNames.containsKey(bucketId)) {
            report.ofUnknownBuckets++;
            return;
          }
          if (trees.containsKey(bucketId) && isRemoved(told, ByteBuffer.wrap(row), values)) {
            report.removedWithDirectory++;
            return;
          }
          for (RestoredRow restored : decide(values)) {
            batch.add(restored);
            batchBytes[0] += restored.getSerializedSize();
            if (batch.size() == BATCH || batchBytes[0] >= BATCH_BYTES) {
              send(batch, bucketNames, trees);
              batchBytes[0] = 0;
            }
          }
        });
    if (!batch.isEmpty()) {
      send(batch, bucketNames, trees);
    }
  }

  /** What a row is to hold, version by version, in the order of stamps. */
  private List<RestoredRow> decide(List<byte[]> values) throws IOException {
    RowEvents events = events(values);
    for (RestoredRow lost : events.lost()) {
      // What the row holds in its place now, if anything, may still be read.
      String id =
          lost.getVersionId() == 0 ? "" : "?" + HexFormat.of().toHexDigits(lost.getVersionId());
      report.addLost(
          HexFormat.of().toHexDigits(lost.getBucketId())
              + "/"
              + lost.getRowKey().toStringUtf8()
              + id);
    }
    return events.result();
  }

  private static RowEvents events(List<byte[]> values) throws IOException {
    RowEvents events = new RowEvents();
    for (byte[] value : values) {
      events.add(
          RowEvents.Kind.of(value[0]),
          RestoredRow.parseFrom(ByteBuffer.wrap(value, 1, value.length - 1)));
    }
    return events;
  }

  private void send(
      List<RestoredRow> batch, Map<Long, String> bucketNames, Map<Long, BucketInfo> trees)
      throws StoreException {
    RestoreRowsReply reply =
        cluster.namespace().restoreRows(RestoreRowsRequest.newBuilder().addAllRows(batch).build());
    List<RestoredRow> moves = new ArrayList<>();
    for (int i = 0; i < batch.size(); i++) {
      RestoredRow row = batch.get(i);
      RestoreOutcome outcome = reply.getOutcomes(i);
      if (outcome == RestoreOutcome.RESTORE_ELSEWHERE
          && !canBeReadAsItIs(row, bucketNames, trees)) {
        moves.add(row.toBuilder().setMove(true).build());
      } else if (outcome == RestoreOutcome.RESTORE_DONE) {
        report.restored++;
      } else {
        report.kept++;
      }
    }
    batch.clear();
    if (!moves.isEmpty()) {
      RestoreRowsReply moved =
          cluster
              .namespace()
              .restoreRows(RestoreRowsRequest.newBuilder().addAllRows(moves).build());
      for (RestoreOutcome outcome : moved.getOutcomesList()) {
        if (outcome == RestoreOutcome.RESTORE_DONE) {
          report.restored++;
        } else {
          report.kept++;
        }
      }
    }
  }

  private boolean canBeReadAsItIs(
      RestoredRow row, Map<Long, String> bucketNames, Map<Long, BucketInfo> trees) {
    try {
      if (trees.containsKey(row.getBucketId())) {
        NamedExtents there =
            TreeScan.look(cluster.namespace(), TreeScan.rowOf(row.getBucketId(), row.getRowKey()));
        if (there == null || !there.getProblem().isEmpty()) {
          return false;
        }
        read(there.getManifest(), bytes -> {});
        return true;
      }
      GetObjectReply there =
          cluster
              .namespace()
              .getObject(
                  GetObjectRequest.newBuilder()
                      .setBucket(bucketNames.get(row.getBucketId()))
                      .setKey(row.getRowKey().toStringUtf8())
                      .setVersionId(row.getVersionId() == 0 ? NULL_VERSION : row.getVersionId())
                      .setWantManifest(true)
                      .build());
      read(there.getVersion().getManifest(), bytes -> {});
      return true;
    } catch (StoreException e) {
      return false;
    }
  }

  private static ByteString row(long bucketId, ByteString key) {
    return UnsafeByteOperations.unsafeWrap(
            ByteBuffer.allocate(ROW_PREFIX).putLong(bucketId).array())
        .concat(key);
  }

  private static byte[] tagged(byte tag, byte[] value) {
    byte[] out = new byte[1 + value.length];
    out[0] = tag;
    System.arraycopy(value, 0, out, 1, value.length);
    return out;
  }

  private static String name(long container) {
    return HexFormat.of().toHexDigits(container);
  }
}
