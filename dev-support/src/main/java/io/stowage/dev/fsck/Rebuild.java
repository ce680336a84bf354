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
import io.stowage.s3.payload.HashKind;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.util.ArrayList;
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
 *       Walk all containers: needles, and what records say.
 *   <li>Put them together by the writes that made them ({@link WriteJoin}): events of rows.
 *   <li>By row: of each version, and of the null version, the last event is what the row holds;
 *       rows are restored in batches. Buckets of layout FILE_SYSTEM are gone through once before,
 *       for their directories: what is below one that was removed was deleted with it, and no
 *       record says so. Trees that are not whole are mended ({@link TreeMending}).
 *   <li>Files of which more was synced than a record tells are told ({@link CutFiles}).
 *   <li>If all that was brought back, SCM is told: it may have found that its table is older than
 *       the disks, and goes on deleting then.
 * </ol>
 *
 * <p>Memory: a window of one container and one record, the sorters' (three at most are filled at
 * once, {@link #SORTER_BYTES} each, and those of trees), the buckets, 33 bytes a directory, thrice;
 * and the largest of: the needles of one write, the parts of one object as its newest record names
 * them (about 1 KB a part), the newest events of one row, a batch. So it does not grow with how
 * often a file was synced, but with how many pieces it has now. Disk: about 300 bytes a needle,
 * twice; records twice.
 */
public final class Rebuild {
  /** Each. The command has a heap of 256 MB, and more is read than is filled meanwhile. */
  private static final long SORTER_BYTES =
      Math.min(64L << 20, Runtime.getRuntime().maxMemory() / 12);

  private static final int BATCH = 200;
  private static final int BATCH_BYTES = 2 << 20;
  private static final int READ_BYTES = 1 << 20;

  /** In requests: the key's null version, whatever its id is. */
  private static final long NULL_VERSION = -1;

  private final Cluster cluster;
  private final Path directory;
  private final Progress progress;
  private final RebuildReport report = new RebuildReport();
  private final Map<Long, KnownBucket> buckets = new HashMap<>();
  private WriteJoin writes;
  private CutFiles cutFiles;
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
    try (WriteJoin join = new WriteJoin(directory, SORTER_BYTES, progress);
        CutFiles cut = new CutFiles(directory, SORTER_BYTES);
        SpillSorter rows = new SpillSorter(directory, "rows", SORTER_BYTES)) {
      writes = join;
      cutFiles = cut;
      byRow = rows;
      new LostContainers(cluster, directory, progress, report).restore();
      walkContainers();
      writes.join(new Joined());
      Map<Long, String> bucketNames = restoreBuckets();
      restoreNamespace(bucketNames);
      tellCut(bucketNames);
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
      writes.addNeedle(needle);
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
    switch (fact.getWhatCase()) {
      case COMMITTED -> takeCommitted(header, fact);
      case DELETED ->
          addNothing(
              header, header.rowKey(), fact.getDeleted().getVersionId(), header.clockMicros());
      case FINISHED -> writes.addFinished(header.writeId(), fact.getFinished().getLength());
      case ABANDONED -> writes.addAbandoned(header.writeId());
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
    writes.addCommitted(
        RecordNeedle.newBuilder()
            .setBucketId(header.bucketId())
            .setRowKey(header.rowKey())
            .setWriteId(header.writeId())
            .setStamp(header.clockMicros())
            .setFact(fact)
            .build());
    CommittedFact committed = fact.getCommitted();
    for (long versionId : NewestRecords.versionsLeft(committed)) {
      addNothing(header, committed.getMovedFrom(), versionId, committed.getMovedStamp());
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
        TreeScan.rowOf(event.getBucketId(), event.getRowKey()).toByteArray(),
        SpillSorter.tagged(kind.letter, event.toByteArray()));
  }

  // Step 2.

  /** What comes of the join. */
  private final class Joined implements WriteJoin.Outcome {
    @Override
    public void committed(RowEvents.Kind kind, RestoredRow event) throws IOException {
      addEvent(kind, event);
    }

    @Override
    public void unrecorded(List<FoundNeedle> needles, Manifest manifest) throws IOException {
      addPlain(needles, manifest);
    }

    @Override
    public void abandoned() {
      report.unfinished++;
    }

    @Override
    public void part(List<FoundNeedle> needles, List<ByteString> takenBy) throws IOException {
      cutFiles.addPiece(needles, takenBy);
    }

    @Override
    public boolean isReadable(Extent extent) {
      long length = extent.getLength() - extent.getHeaderLength();
      try {
        read(Manifest.newBuilder().setLength(length).addExtents(extent).build(), bytes -> {});
        return true;
      } catch (StoreException e) {
        return false;
      }
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
    try (SpillSorter.Groups rows = byRow.groups()) {
      for (byte[] row = rows.nextKey(); row != null; row = rows.nextKey()) {
        if (!trees.containsKey(ByteBuffer.wrap(row).getLong())) {
          continue;
        }
        for (RestoredRow holds : events(rows).result()) {
          if (holds.hasVersion()) {
            told.add(
                holds.getBucketId(),
                holds.getRowKey(),
                holds.getVersion().getDirectoryId(),
                holds.getStamp());
          }
        }
      }
    }
  }

  /**
   * Whether a row went with a directory that was removed. Anchors are none of what comes back, too:
   * an id is not used again, and {@link TreeMending} asks for those that are wanted.
   */
  private static boolean isRemoved(DirectoryTree told, ByteBuffer row, RowEvents events)
      throws IOException {
    long bucketId = row.getLong();
    EntryRow entry = EntryRow.parse(ByteString.copyFrom(row));
    if (entry == null || entry.isAnchor() || told.isRemoved(bucketId, entry.directoryId())) {
      return entry != null;
    }
    for (RestoredRow holds : events.result()) {
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
    long batchBytes = 0;
    try (SpillSorter.Groups rows = byRow.groups()) {
      for (byte[] row = rows.nextKey(); row != null; row = rows.nextKey()) {
        long bucketId = ByteBuffer.wrap(row).getLong();
        report.rows++;
        progress.at("rows restored", report.rows, 0);
        if (!bucketNames.containsKey(bucketId)) {
          report.ofUnknownBuckets++;
          continue;
        }
        RowEvents events = events(rows);
        if (trees.containsKey(bucketId) && isRemoved(told, ByteBuffer.wrap(row), events)) {
          report.removedWithDirectory++;
          continue;
        }
        tellLost(events);
        for (RestoredRow restored : events.result()) {
          cutFiles.addRestored(restored);
          batch.add(restored);
          batchBytes += restored.getSerializedSize();
          if (batch.size() == BATCH || batchBytes >= BATCH_BYTES) {
            send(batch, bucketNames, trees);
            batchBytes = 0;
          }
        }
      }
    }
    if (!batch.isEmpty()) {
      send(batch, bucketNames, trees);
    }
  }

  private void tellLost(RowEvents events) {
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
  }

  private static RowEvents events(SpillSorter.Groups row) throws IOException {
    RowEvents events = new RowEvents();
    for (byte[] value = row.nextValue(); value != null; value = row.nextValue()) {
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

  // Step 4.

  private void tellCut(Map<Long, String> bucketNames) throws IOException {
    Map<Long, BucketInfo> trees = TreeScan.buckets(cluster.namespace());
    cutFiles.tell(
        (file, end) -> {
          if (CutFiles.isWholeInTable(cluster.namespace(), file, end)) {
            return;
          }
          EntryRow entry =
              trees.containsKey(file.getBucketId()) ? EntryRow.parse(file.getRowKey()) : null;
          report.addCut(
              "bucket "
                  + bucketNames.get(file.getBucketId())
                  + (entry == null ? " key " + file.getRowKey().toStringUtf8() : " " + entry)
                  + ": "
                  + file.getVersion().getLength()
                  + " bytes of at most "
                  + end);
        });
  }

  private static String name(long container) {
    return HexFormat.of().toHexDigits(container);
  }
}
