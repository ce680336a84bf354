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
import io.stowage.client.DataPath;
import io.stowage.client.ObjectReader;
import io.stowage.common.erasure.ErasurePolicy;
import io.stowage.common.error.StoreException;
import io.stowage.common.proto.BucketInfo;
import io.stowage.common.proto.ContainerInfo;
import io.stowage.common.proto.ContainerState;
import io.stowage.common.proto.Extent;
import io.stowage.common.proto.GetContainersRequest;
import io.stowage.common.proto.NamedExtents;
import io.stowage.common.proto.ReportDamageRequest;
import io.stowage.common.proto.ScanNamespaceReply;
import io.stowage.common.proto.ScanNamespaceRequest;
import io.stowage.common.proto.ShardKey;
import io.stowage.common.proto.ShardPlace;
import io.stowage.common.proto.ShardReport;
import io.stowage.common.proto.StatShardRequest;
import io.stowage.dev.fsck.CheckReport.Finding;
import io.stowage.dev.fsck.DiskShards.OnDisk;
import io.stowage.dev.fsck.SpillSorter.Entries;
import io.stowage.dev.fsck.SpillSorter.Entry;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.apache.hadoop.thirdparty.protobuf.ByteString;

/**
 * Compares namespace, container table and disks, both ways: {@code stowage fsck}. Changes nothing;
 * with repair it tells SCM of damage, as any reader would. Confined to one thread.
 *
 * <ol>
 *   <li>Every disk is asked for its shards; they are sorted by container, on disk where they are
 *       too many.
 *   <li>The container table, which comes in order of ids, is merged with them: what a row names and
 *       no disk has, what a disk has and no row names. A compact table of all containers is kept.
 *   <li>The object table is scanned, and every extent looked up there; with verify every version is
 *       read whole.
 * </ol>
 *
 * <p>The cluster goes on working. So what looks wrong is looked at again before it is told: a
 * container's row anew and its shard by itself, a container that was made since by its id.
 *
 * <p>Memory: the sorters', 17 bytes a container, 33 a directory of FILE_SYSTEM buckets, and a page
 * of rows; none grows with objects. Time: one scan of the object table, and where trees do not look
 * whole, a second of theirs.
 */
public final class Check {
  private static final long SORTER_BYTES = 64L << 20;
  private static final int SCAN_PAGE = 1_000;
  private static final int READ_BYTES = 1 << 20;
  private static final int MOST_DAMAGED = 100_000; // told apart

  /** What is to be done beside comparing. */
  public enum Option {
    /** Read every version and compare what was read with its checksums. */
    VERIFY,
    /** Tell SCM of shards that are missing. */
    REPAIR
  }

  private final Cluster cluster;
  private final Path directory;
  private final Progress progress;
  private final List<Option> options;
  private final CheckReport report;
  private final Map<String, String> unreachable = new HashMap<>(); // node or disk id, and why
  private final ContainerTable table = new ContainerTable();
  private final Set<String> damaged = new HashSet<>();
  private long containersExpected;

  /**
   * Prepares a check.
   *
   * @param directory for sorted runs
   * @param mostListed findings that are told one by one
   */
  public Check(
      Cluster cluster, Path directory, Progress progress, List<Option> options, int mostListed) {
    this.cluster = cluster;
    this.directory = directory;
    this.progress = progress;
    this.options = List.copyOf(options);
    this.report = new CheckReport(mostListed);
  }

  public CheckReport run() throws IOException {
    cluster.data().tellDamage(this::addDamaged); // by this thread, which reads
    try (SpillSorter shards = new SpillSorter(directory, "shards", SORTER_BYTES)) {
      listShards(shards);
      mergeContainers(shards);
    }
    scanNamespace();
    return report;
  }

  // Step 1.

  private void listShards(SpillSorter shards) throws IOException {
    report.datanodes =
        DiskShards.sortInto(
            shards,
            cluster,
            progress,
            (node, disk, why) -> {
              unreachable.put(node.getNodeId() + disk.getDiskId(), why);
              report.add(
                  Finding.UNREACHABLE_NODE,
                  "node " + node.getNodeId() + " at " + node.getHost() + ":" + node.getPort(),
                  "disk " + disk.getDiskId() + ": " + why);
            });
    report.shards = shards.count();
  }

  // Step 2.

  private void mergeContainers(SpillSorter shards) throws IOException {
    ContainerPages living =
        new ContainerPages(cluster.containers(), ContainerState.CONTAINER_UNKNOWN);
    ContainerPages deleted = new ContainerPages(cluster.containers(), ContainerState.DELETED);
    ContainerInfo nextLiving = living.next();
    ContainerInfo nextDeleted = deleted.next();
    try (Entries entries = shards.sorted()) {
      Entry entry = entries.next();
      while (nextLiving != null || nextDeleted != null || entry != null) {
        Long id = null;
        if (nextLiving != null) {
          id = nextLiving.getId();
        }
        id = smaller(id, nextDeleted == null ? null : nextDeleted.getId());
        id = smaller(id, entry == null ? null : DiskShards.container(entry.key()));
        List<OnDisk> onDisk = new ArrayList<>();
        while (entry != null && DiskShards.container(entry.key()) == id) {
          onDisk.add(DiskShards.parse(entry.value()));
          entry = entries.next();
        }
        if (nextLiving != null && nextLiving.getId() == id) {
          check(nextLiving, onDisk);
          nextLiving = living.next();
        } else if (nextDeleted != null && nextDeleted.getId() == id) {
          report.deletedContainers++; // its shards go when readers of old manifests have had time
        } else {
          checkUnknown(id, onDisk);
        }
        if (nextDeleted != null && nextDeleted.getId() == id) {
          nextDeleted = deleted.next();
        }
      }
    }
  }

  private static Long smaller(Long a, Long b) {
    if (a == null || b == null) {
      return a == null ? b : a;
    }
    return Long.compareUnsigned(a, b) <= 0 ? a : b;
  }

  private void check(ContainerInfo container, List<OnDisk> onDisk) throws StoreException {
    report.containers++;
    progress.at("containers compared", report.containers, containersExpected);
    boolean[] matched = new boolean[onDisk.size()];
    List<ShardPlace> missing = new ArrayList<>();
    for (ShardPlace place : container.getShardsList()) {
      boolean there = false;
      for (int i = 0; i < matched.length; i++) {
        OnDisk one = onDisk.get(i);
        if (isAt(one, place)) {
          matched[i] = true;
          there |= isReadable(one.shard());
        }
      }
      if (!there) {
        missing.add(place);
      }
    }
    if (!missing.isEmpty()) {
      missing = stillMissing(container, missing);
    }
    ErasurePolicy policy = ErasurePolicy.named(container.getPolicy());
    int live = container.getShardsCount() - missing.size();
    // A container is named before its shards are there: the first writer creates them.
    boolean isNew = container.getState() == ContainerState.OPEN && container.getEndOffset() == 0;
    if (!missing.isEmpty() && !(isNew && onDisk.isEmpty())) {
      tellMissing(container, missing, live, policy);
    }
    for (int i = 0; i < matched.length; i++) {
      OnDisk one = onDisk.get(i);
      if (!matched[i] && !one.shard().getQuarantined()) {
        report.add(
            Finding.SURPLUS_SHARD,
            where(container.getId()),
            describe(one) + " is not the one that the row names");
      }
      if (one.shard().getQuarantined()) {
        report.add(Finding.QUARANTINED_SHARD, where(container.getId()), describe(one));
      }
    }
    boolean sealed = container.getState() != ContainerState.OPEN;
    table.add(
        container.getId(),
        sealed && container.getEndOffset() > 0 ? container.getEndOffset() : -1,
        isNew || live >= policy.k());
  }

  private static boolean isAt(OnDisk one, ShardPlace place) {
    return one.node().getNodeId().equals(place.getNodeId())
        && one.shard().getDiskId().equals(place.getDiskId())
        && one.shard().getIndex() == place.getIndex()
        && one.shard().getGeneration() == place.getGeneration();
  }

  /** Of shards that the first look did not find, those that the row of now names in vain. */
  private List<ShardPlace> stillMissing(ContainerInfo container, List<ShardPlace> suspects)
      throws StoreException {
    List<ContainerInfo> now =
        cluster
            .containers()
            .getContainers(GetContainersRequest.newBuilder().addIds(container.getId()).build())
            .getContainersList();
    if (now.isEmpty() || now.get(0).getState() == ContainerState.DELETED) {
      return List.of();
    }
    List<ShardPlace> missing = new ArrayList<>();
    for (ShardPlace place : now.get(0).getShardsList()) {
      boolean suspect = suspects.stream().anyMatch(other -> other.getIndex() == place.getIndex());
      if (suspect && !isThere(container.getId(), place)) {
        missing.add(place);
      }
    }
    return missing;
  }

  private boolean isThere(long container, ShardPlace place) {
    ShardKey key =
        ShardKey.newBuilder()
            .setContainer(container)
            .setIndex(place.getIndex())
            .setGeneration(place.getGeneration())
            .setDiskId(place.getDiskId())
            .build();
    try {
      ShardReport shard =
          DiskShards.await(
                  cluster
                      .datanodes()
                      .datanode(place)
                      .stat(StatShardRequest.newBuilder().setShard(key).build()))
              .getReport();
      return isReadable(shard);
    } catch (StoreException e) {
      return false;
    }
  }

  private static boolean isReadable(ShardReport shard) {
    return !shard.getQuarantined() && (!shard.getFailed() || shard.getReadable());
  }

  private void tellMissing(
      ContainerInfo container, List<ShardPlace> missing, int live, ErasurePolicy policy)
      throws StoreException {
    ReportDamageRequest.Builder damage =
        ReportDamageRequest.newBuilder()
            .setContainer(container.getId())
            .setWhat("fsck does not find it where the container's row says");
    for (ShardPlace place : missing) {
      damage.addShards(place.getIndex());
      String why = unreachable.get(place.getNodeId() + place.getDiskId());
      report.add(
          Finding.MISSING_SHARD,
          where(container.getId()),
          "shard "
              + place.getIndex()
              + " generation "
              + place.getGeneration()
              + " on node "
              + place.getNodeId()
              + ", disk "
              + place.getDiskId()
              + (why == null ? "" : ": " + why));
    }
    report.add(
        live < policy.k() ? Finding.UNAVAILABLE_CONTAINER : Finding.UNDER_REPLICATED,
        where(container.getId()),
        live + " of " + policy.shards() + " shards, " + policy.k() + " are needed to read");
    if (options.contains(Option.REPAIR)) {
      cluster.containers().reportDamage(damage.build());
      report.repairsAsked += missing.size();
    }
  }

  private void checkUnknown(long id, List<OnDisk> onDisk) throws StoreException {
    List<ContainerInfo> now =
        cluster
            .containers()
            .getContainers(GetContainersRequest.newBuilder().addIds(id).build())
            .getContainersList();
    if (!now.isEmpty()) {
      return; // made since the list
    }
    for (OnDisk one : onDisk) {
      report.add(
          one.shard().getQuarantined() ? Finding.QUARANTINED_SHARD : Finding.ORPHAN_SHARD,
          where(id),
          describe(one) + " of a container that no row knows");
    }
  }

  private static String describe(OnDisk one) {
    ShardReport shard = one.shard();
    return "shard "
        + shard.getIndex()
        + " generation "
        + shard.getGeneration()
        + " on node "
        + one.node().getNodeId()
        + ", disk "
        + shard.getDiskId()
        + ", "
        + shard.getBytesOnDisk()
        + " bytes";
  }

  private static String where(long container) {
    return "container " + HexFormat.of().toHexDigits(container);
  }

  // Step 3.

  private void scanNamespace() throws IOException {
    Map<Long, BucketInfo> trees = TreeScan.buckets(cluster.namespace());
    try (DirectoryTree tree = new DirectoryTree(directory, "directories")) {
      scanNamespace(trees, tree);
      if (!tree.isWhole()) {
        lookAtTrees(trees, tree);
      }
    }
  }

  /** What a second look at trees that are not whole finds, too. */
  private void lookAtTrees(Map<Long, BucketInfo> trees, DirectoryTree first) throws IOException {
    try (DirectoryTree second =
        TreeScan.scan(cluster, trees, directory, "directories-again", progress)) {
      for (DirectoryTree.Lost lost : second.lost()) {
        if (first.lost().contains(lost)) {
          report.add(
              Finding.LOST_DIRECTORY,
              TreeMending.where(trees.get(lost.bucketId()), lost.directoryId()),
              "no entry leads to it");
        }
      }
      for (DirectoryTree.TooMany entry : second.tooMany()) {
        if (first.tooMany().contains(entry)) {
          report.add(
              Finding.SURPLUS_ENTRY,
              TreeMending.where(trees.get(entry.bucketId()), entry.directoryId()),
              "it is not where " + EntryRow.parse(entry.rowKey()) + " says");
        }
      }
    }
  }

  private void scanNamespace(Map<Long, BucketInfo> trees, DirectoryTree tree) throws IOException {
    ByteString after = ByteString.EMPTY;
    long afterVersion = 0;
    boolean more = true;
    while (more) {
      ScanNamespaceReply page =
          cluster
              .namespace()
              .scanNamespace(
                  ScanNamespaceRequest.newBuilder()
                      .setAfterRow(after)
                      .setAfterVersionId(afterVersion)
                      .setLimit(SCAN_PAGE)
                      .setWantAll(!trees.isEmpty())
                      .build());
      for (NamedExtents named : page.getNamedList()) {
        boolean ofTree =
            named.getRow().size() >= Long.BYTES
                && trees.containsKey(TreeScan.bucketOf(named.getRow()));
        if (ofTree) {
          TreeScan.add(tree, named);
        }
        if (named.getManifest().getExtentsCount() > 0 || !named.getProblem().isEmpty()) {
          check(named, ofTree);
        }
      }
      report.rows += page.getRows();
      progress.at("rows checked", report.rows, 0);
      after = page.getLastRow();
      afterVersion = page.getLastVersionId();
      more = page.getMore();
    }
  }

  private void check(NamedExtents named, boolean ofTree) throws StoreException {
    if (!named.getProblem().isEmpty()) {
      report.add(Finding.BROKEN_ROW, where(named, ofTree), named.getProblem());
      return;
    }
    if (named.getPartNumber() == 0) {
      report.versions++;
    } else {
      report.parts++;
    }
    report.bytesNamed += named.getManifest().getLength();
    Finding wrong = null;
    String what = null;
    for (Extent extent : named.getManifest().getExtentsList()) {
      String problem = problemOf(extent);
      int place = table.find(extent.getContainer());
      if (problem != null) {
        wrong = Finding.DANGLING_EXTENT;
        what = problem;
      } else if (place >= 0 && !table.isReadable(place)) {
        wrong = Finding.UNAVAILABLE_OBJECT;
        what = where(extent.getContainer());
      }
      if (wrong != null) {
        break;
      }
    }
    if (wrong == null && options.contains(Option.VERIFY)) {
      what = verify(named);
      wrong = what == null ? null : Finding.CORRUPT_OBJECT;
    }
    if (wrong != null && isStillNamed(named)) {
      report.add(wrong, where(named, ofTree), what);
    }
  }

  /** Whether the row says the same now: else it was overwritten, deleted or moved meanwhile. */
  private boolean isStillNamed(NamedExtents named) throws StoreException {
    ScanNamespaceRequest.Builder request = ScanNamespaceRequest.newBuilder().setLimit(2);
    if (named.getVersionId() == 0) {
      request.setAfterRow(TreeScan.justBefore(named.getRow()));
    } else {
      request.setAfterRow(named.getRow()).setAfterVersionId(named.getVersionId() + 1);
    }
    ScanNamespaceReply now = cluster.namespace().scanNamespace(request.build());
    for (NamedExtents one : now.getNamedList()) {
      if (one.getRow().equals(named.getRow())
          && one.getPartNumber() == named.getPartNumber()
          && one.getManifest().equals(named.getManifest())) {
        return true;
      }
    }
    return false;
  }

  private String problemOf(Extent extent) throws StoreException {
    int place = table.find(extent.getContainer());
    long end;
    if (place >= 0) {
      end = table.end(place);
    } else {
      List<ContainerInfo> now =
          cluster
              .containers()
              .getContainers(
                  GetContainersRequest.newBuilder().addIds(extent.getContainer()).build())
              .getContainersList();
      if (now.isEmpty() || now.get(0).getState() == ContainerState.DELETED) {
        return where(extent.getContainer()) + (now.isEmpty() ? " is not there" : " is deleted");
      }
      end = -1;
    }
    return end >= 0 && extent.getOffset() >= end
        ? where(extent.getContainer()) + " ends at " + end + ", before " + extent.getOffset()
        : null;
  }

  /** What is wrong; null if nothing. What comes out of the data path was verified by checksums. */
  private String verify(NamedExtents named) {
    try (ObjectReader reader =
        cluster.data().read(new DataPath.ReadSpec(named.getManifest(), List.of()))) {
      int step = Math.min(READ_BYTES, reader.maxRead());
      for (long at = 0; at < reader.length(); at += step) {
        ByteBuf bytes = reader.read(at, (int) Math.min(step, reader.length() - at));
        report.bytesVerified += bytes.readableBytes();
        bytes.release();
      }
      return null;
    } catch (StoreException e) {
      return e.getMessage();
    }
  }

  /** The data path has told SCM, which has the shard checked, and made anew. */
  private void addDamaged(long container, int shard, String what) {
    if (damaged.size() < MOST_DAMAGED && damaged.add(container + "/" + shard)) {
      report.add(Finding.DAMAGED_SHARD, where(container), "shard " + shard + ": " + what);
    }
  }

  private static String where(NamedExtents named, boolean ofTree) {
    ByteBuffer row = named.getRow().asReadOnlyByteBuffer();
    String bucket = row.remaining() < 8 ? "?" : HexFormat.of().toHexDigits(row.getLong());
    ByteString key = named.getRow().substring(Math.min(8, named.getRow().size()));
    EntryRow entry = ofTree ? EntryRow.parse(key) : null;
    return "bucket "
        + bucket
        + (entry == null ? " key " + key.toStringUtf8() : " " + entry)
        + (named.getPartNumber() == 0 ? "" : " part " + named.getPartNumber());
  }
}
