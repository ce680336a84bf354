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
package io.stowage.fs;

import io.stowage.common.access.FileAcls;
import io.stowage.common.erasure.ErasurePolicy;
import io.stowage.common.error.ErrorCode;
import io.stowage.common.error.StoreException;
import io.stowage.common.id.WriteId;
import io.stowage.common.om.BucketEncryption;
import io.stowage.common.om.ObjectManager;
import io.stowage.common.proto.BucketInfo;
import io.stowage.common.proto.BucketLayout;
import io.stowage.common.proto.BucketQuota;
import io.stowage.common.proto.ContainerInfo;
import io.stowage.common.proto.CreateSnapshotRequest;
import io.stowage.common.proto.DeleteSnapshotRequest;
import io.stowage.common.proto.Extent;
import io.stowage.common.proto.GetBucketRequest;
import io.stowage.common.proto.GetBucketUsageReply;
import io.stowage.common.proto.GetBucketUsageRequest;
import io.stowage.common.proto.GetObjectReply;
import io.stowage.common.proto.ListSnapshotsRequest;
import io.stowage.common.proto.ObjectMetadata;
import io.stowage.common.proto.ObjectVersion;
import io.stowage.common.proto.OpenFileReply;
import io.stowage.common.proto.OpenFileRequest;
import io.stowage.common.proto.RecoverFileRequest;
import io.stowage.common.proto.RenameSnapshotRequest;
import io.stowage.common.proto.Snapshot;
import io.stowage.common.proto.UpdateBucketRequest;
import io.stowage.common.proto.Versioning;
import io.stowage.common.time.StoreClock;
import io.stowage.fs.ObjectTree.Entry;
import io.stowage.fs.StowageOutputStream.Way;
import java.io.FileNotFoundException;
import java.io.IOException;
import java.net.URI;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collection;
import java.util.Deque;
import java.util.EnumSet;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.NoSuchElementException;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import org.apache.hadoop.HadoopIllegalArgumentException;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.BlockLocation;
import org.apache.hadoop.fs.CommonPathCapabilities;
import org.apache.hadoop.fs.ContentSummary;
import org.apache.hadoop.fs.CreateFlag;
import org.apache.hadoop.fs.EtagSource;
import org.apache.hadoop.fs.FSDataInputStream;
import org.apache.hadoop.fs.FSDataOutputStream;
import org.apache.hadoop.fs.FileAlreadyExistsException;
import org.apache.hadoop.fs.FileChecksum;
import org.apache.hadoop.fs.FileStatus;
import org.apache.hadoop.fs.FileSystem;
import org.apache.hadoop.fs.FsStatus;
import org.apache.hadoop.fs.InvalidPathHandleException;
import org.apache.hadoop.fs.LocatedFileStatus;
import org.apache.hadoop.fs.MultipartUploaderBuilder;
import org.apache.hadoop.fs.Options;
import org.apache.hadoop.fs.ParentNotDirectoryException;
import org.apache.hadoop.fs.Path;
import org.apache.hadoop.fs.PathFilter;
import org.apache.hadoop.fs.PathHandle;
import org.apache.hadoop.fs.PathIOException;
import org.apache.hadoop.fs.PathIsNotEmptyDirectoryException;
import org.apache.hadoop.fs.QuotaUsage;
import org.apache.hadoop.fs.RemoteIterator;
import org.apache.hadoop.fs.XAttrSetFlag;
import org.apache.hadoop.fs.impl.AbstractFSBuilderImpl;
import org.apache.hadoop.fs.impl.OpenFileParameters;
import org.apache.hadoop.fs.permission.AclEntry;
import org.apache.hadoop.fs.permission.AclStatus;
import org.apache.hadoop.fs.permission.FsAction;
import org.apache.hadoop.fs.permission.FsCreateModes;
import org.apache.hadoop.fs.permission.FsPermission;
import org.apache.hadoop.fs.statistics.IOStatistics;
import org.apache.hadoop.fs.statistics.IOStatisticsSource;
import org.apache.hadoop.fs.statistics.StoreStatisticNames;
import org.apache.hadoop.security.AccessControlException;
import org.apache.hadoop.security.UserGroupInformation;
import org.apache.hadoop.security.token.Token;
import org.apache.hadoop.thirdparty.protobuf.ByteString;
import org.apache.hadoop.util.LambdaUtils;
import org.apache.hadoop.util.Progressable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Hadoop's FileSystem over one bucket: paths to keys, {@link ObjectTree}'s answers to Hadoop's
 * contract. Where that leaves a choice it does as HDFS does (a rename that is not possible is
 * false, not an exception), except that a file is visible from close on, and, in buckets of layout
 * OBJECT, directories come into being with what is in them and are renamed key by key. Owns a hold
 * on the cluster until close. Thread-safe.
 */
class BucketFileSystem extends FileSystem implements IOStatisticsSource, CountedElsewhere {
  private static final Logger LOGGER = LoggerFactory.getLogger(BucketFileSystem.class);

  /**
   * Only the same answer that one HDFS block on the machine gives: "here", so that no scheduler
   * waits.
   */
  private static final String[] ANYWHERE_NAMES = {"localhost:9866"};

  /** What openFile understands where it must; Hadoop's names of 3.4. */
  private static final Set<String> OPEN_OPTIONS =
      Set.of(
          ReadPolicy.OPTION,
          "fs.option.openfile.length",
          "fs.option.openfile.split.start",
          "fs.option.openfile.split.end",
          "fs.option.openfile.buffer.size",
          "fs.option.openfile.footer.cache");

  private static final String QUOTA_SETTING = "quota";
  private static final long NO_QUOTA = -1;

  /** Of HDFS's constants. */
  private static final long SAME_QUOTA = Long.MAX_VALUE;

  private static final String[] ANYWHERE_HOSTS = {"localhost"};

  private URI uri;
  private Path workingDirectory;
  private String user;
  private ClusterConnection cluster;
  private FsConfig config;
  private BucketInfo bucket;
  private FreshBucket fresh; // for what may change
  private ObjectManager objectManager; // each call counted
  private ObjectTree tree;
  private final FsStatistics counters = new FsStatistics();

  BucketFileSystem() {}

  @Override
  public void initialize(URI name, Configuration conf) throws IOException {
    String bucketName = name.getAuthority();
    if (bucketName == null || name.getUserInfo() != null || name.getPort() >= 0) {
      throw new IOException("Cannot use " + name + ": expected stow://BUCKET/path");
    }
    Configuration ours = ClusterConnection.settingsOf(bucketName, conf);
    super.initialize(name, ours);
    setConf(ours);
    uri = URI.create(StowageFileSystem.SCHEME + "://" + bucketName);
    user = UserGroupInformation.getCurrentUser().getShortUserName();
    workingDirectory = makeQualified(new Path("/user/" + user));
    cluster = ClusterConnection.open(ours);
    try {
      config = FsConfig.from(cluster.config());
      bucket =
          cluster
              .objectManager()
              .getBucket(GetBucketRequest.newBuilder().setName(bucketName).build())
              .getBucket();
    } catch (StoreException e) {
      cluster.close();
      throw HadoopErrors.of(e, uri.toString());
    }
    objectManager = counters.counting(cluster.objectManager(), cluster);
    fresh = new FreshBucket(objectManager, bucket, StoreClock.system());
    tree = new ObjectTree(objectManager, bucket);
  }

  @Override
  public void countIn(Statistics other) {
    statistics = other;
  }

  @Override
  public void close() throws IOException {
    try {
      super.close(); // deletes what was asked to be deleted on exit
    } finally {
      if (cluster != null) {
        cluster.close();
      }
    }
  }

  // Names.

  @Override
  public String getScheme() {
    return StowageFileSystem.SCHEME;
  }

  @Override
  public URI getUri() {
    return uri;
  }

  /** The same of all buckets of a cluster, which one token opens; null without security. */
  @Override
  public String getCanonicalServiceName() {
    return cluster.isSecure() ? cluster.tokenService().toString() : null;
  }

  /** A token for all that its user may in the cluster; null without security. */
  @Override
  public Token<?> getDelegationToken(String renewer) throws IOException {
    if (!cluster.isSecure()) {
      return null;
    }
    try {
      return cluster.issueToken(renewer);
    } catch (StoreException e) {
      throw HadoopErrors.of(e, uri.toString());
    }
  }

  @Override
  public Path getWorkingDirectory() {
    return workingDirectory;
  }

  @Override
  public void setWorkingDirectory(Path directory) {
    workingDirectory = makeQualified(directory);
  }

  /** Key of a path in this bucket that may be changed; "" of the root. */
  String keyOf(Path path) throws IOException {
    String key = anyKeyOf(path);
    if (SnapshotPath.isWithin(key)) {
      throw new AccessControlException(
          "Cannot change " + path + ": it shows a snapshot, which is read-only");
    }
    return key;
  }

  /** The same of a path that is only looked at, be it below {@code .snapshot}. */
  private String anyKeyOf(Path path) {
    checkPath(path);
    String absolute = makeQualified(path).toUri().getPath();
    return absolute.substring(Math.min(1, absolute.length()));
  }

  /** The tree that a key is in, as it is or as a snapshot shows it. */
  private ObjectTree treeOf(String key) {
    return SnapshotPath.isWithin(key) && !key.equals(SnapshotPath.ROOT)
        ? new ObjectTree(objectManager, bucket, SnapshotPath.of(key).name())
        : tree;
  }

  private static String keyInTree(String key) {
    return SnapshotPath.isWithin(key) && !key.equals(SnapshotPath.ROOT)
        ? SnapshotPath.of(key).key()
        : key;
  }

  private Path pathOf(String key) {
    return new Path(uri.getScheme(), uri.getAuthority(), "/" + key);
  }

  @Override
  @SuppressWarnings("deprecation") // the other one asks for a path, and all paths are alike
  public long getDefaultBlockSize() {
    return config.blockSizeBytes();
  }

  @Override
  @SuppressWarnings("deprecation")
  public short getDefaultReplication() {
    return 1;
  }

  // Looking.

  @Override
  public FileStatus getFileStatus(Path path) throws IOException {
    statistics.incrementReadOps(1);
    counters.count(StoreStatisticNames.OP_GET_FILE_STATUS);
    return statusOf(require(path, anyKeyOf(path)));
  }

  private StowageFileStatus statusOf(Entry entry) {
    Path path = pathOf(entry.key());
    if (!entry.isDirectory()) {
      return StowageFileStatus.ofFile(entry.object(), path, user, config.blockSizeBytes());
    }
    // A directory that only its children imply has no time of its own; the bucket's stays the same
    // between calls.
    long micros = entry.modifiedMicros() != 0 ? entry.modifiedMicros() : bucket.getCreatedMicros();
    return StowageFileStatus.ofDirectory(entry.metadata(), micros, path, user);
  }

  private Optional<Entry> find(Path path, String key) throws IOException {
    try {
      if (SnapshotPath.isWithin(key)) {
        return findInSnapshot(key);
      }
      return tree.find(key);
    } catch (StoreException e) {
      throw HadoopErrors.of(e, path.toString());
    }
  }

  private Optional<Entry> findInSnapshot(String key) throws StoreException {
    if (key.equals(SnapshotPath.ROOT)) {
      return Optional.of(Entry.ofDirectory(key, null));
    }
    SnapshotPath inside = SnapshotPath.of(key);
    if (inside.key().isEmpty()) {
      boolean there = snapshots().stream().anyMatch(one -> one.getName().equals(inside.name()));
      return there ? Optional.of(Entry.ofDirectory(key, null)) : Optional.empty();
    }
    try {
      return treeOf(key).find(inside.key()).map(entry -> entry.at(key));
    } catch (StoreException e) {
      if (e.code() == ErrorCode.NO_SUCH_KEY) {
        return Optional.empty(); // no such snapshot
      }
      throw e;
    }
  }

  private List<Snapshot> snapshots() throws StoreException {
    return objectManager
        .listSnapshots(ListSnapshotsRequest.newBuilder().setBucket(bucket.getName()).build())
        .getSnapshotsList();
  }

  private Entry require(Path path, String key) throws IOException {
    return find(path, key)
        .orElseThrow(() -> new FileNotFoundException("No such file or directory: " + path));
  }

  @Override
  public FileStatus[] listStatus(Path path) throws IOException {
    List<FileStatus> all = new ArrayList<>();
    RemoteIterator<StowageFileStatus> children = iterate(path);
    while (children.hasNext()) {
      all.add(children.next());
    }
    FileStatus[] sorted = all.toArray(new FileStatus[0]);
    Arrays.sort(sorted); // by path, as HDFS does
    return sorted;
  }

  @Override
  public RemoteIterator<FileStatus> listStatusIterator(Path path) throws IOException {
    RemoteIterator<StowageFileStatus> children = iterate(path);
    return new RemoteIterator<>() {
      @Override
      public boolean hasNext() throws IOException {
        return children.hasNext();
      }

      @Override
      public FileStatus next() throws IOException {
        return children.next();
      }
    };
  }

  @Override
  protected RemoteIterator<LocatedFileStatus> listLocatedStatus(Path path, PathFilter filter)
      throws IOException {
    RemoteIterator<StowageFileStatus> children = iterate(path);
    return new RemoteIterator<>() {
      private StowageFileStatus next;

      @Override
      public boolean hasNext() throws IOException {
        while (next == null && children.hasNext()) {
          StowageFileStatus child = children.next();
          next = filter.accept(child.getPath()) ? child : null;
        }
        return next != null;
      }

      @Override
      public LocatedFileStatus next() throws IOException {
        if (!hasNext()) {
          throw new NoSuchElementException();
        }
        StowageFileStatus status = next;
        next = null;
        return new StowageLocatedFileStatus(
            status, status.isDirectory() ? null : blockLocations(status));
      }
    };
  }

  /**
   * Of a file as it was listed. HDFS tells both in one call; here the file may be another by now,
   * gone, or one that whoever may list it may not read: then it is said to be anywhere, since that
   * is no reason for a listing to fail.
   */
  private BlockLocation[] blockLocations(StowageFileStatus listed) throws IOException {
    try {
      BlockLocation[] blocks = getFileBlockLocations(listed, 0, listed.getLen());
      long end = 0;
      for (BlockLocation block : blocks) {
        end = block.getOffset() + block.getLength();
      }
      return end == listed.getLen() ? blocks : anywhere(listed.getLen());
    } catch (FileNotFoundException | AccessControlException e) {
      LOGGER.debug("Cannot tell where {} is, which was listed", listed.getPath(), e);
      return anywhere(listed.getLen());
    }
  }

  private RemoteIterator<StowageFileStatus> iterate(Path path) throws IOException {
    statistics.incrementReadOps(1);
    statistics.incrementLargeReadOps(1);
    counters.count(StoreStatisticNames.OP_LIST_STATUS);
    String key = anyKeyOf(path);
    ObjectTree.Page first = page(path, key, null);
    List<Entry> entries = first.exists() ? first.children() : List.of(require(path, key));
    return new PagedListing(path, key, entries, first.last());
  }

  private ObjectTree.Page page(Path path, String key, String after) throws IOException {
    try {
      if (key.equals(SnapshotPath.ROOT)) {
        List<Entry> all = new ArrayList<>();
        for (Snapshot snapshot : snapshots()) {
          all.add(Entry.ofDirectory(SnapshotPath.ROOT + "/" + snapshot.getName(), null));
        }
        return new ObjectTree.Page(all, true, null);
      }
      ObjectTree.Page page = treeOf(key).children(keyInTree(key), after);
      if (!SnapshotPath.isWithin(key)) {
        return page;
      }
      String prefix = SnapshotPath.ROOT + "/" + SnapshotPath.of(key).name() + "/";
      return new ObjectTree.Page(
          page.children().stream().map(child -> child.at(prefix + child.key())).toList(),
          page.exists(),
          page.last());
    } catch (StoreException e) {
      throw HadoopErrors.of(e, path.toString());
    }
  }

  /** Holds one page; asks for the next when it is used up. Confined to its caller. */
  private final class PagedListing implements RemoteIterator<StowageFileStatus> {
    private final Path path;
    private final String key;
    private List<Entry> entries;
    private int index;
    private String after;

    PagedListing(Path path, String key, List<Entry> entries, String after) {
      this.path = path;
      this.key = key;
      this.entries = entries;
      this.after = after;
    }

    @Override
    public boolean hasNext() throws IOException {
      while (index == entries.size() && after != null) {
        ObjectTree.Page next = page(path, key, after);
        entries = next.children();
        index = 0;
        after = next.last();
      }
      return index < entries.size();
    }

    @Override
    public StowageFileStatus next() throws IOException {
      if (!hasNext()) {
        throw new NoSuchElementException("no more in " + path);
      }
      return statusOf(entries.get(index++));
    }
  }

  /**
   * The nodes that keep a large file's data shards, by one look-up of its manifest. A file of one
   * block costs more to look up than its few reads can gain (a stripe of it is on several nodes
   * anyway), so that is said to be anywhere.
   */
  @Override
  public BlockLocation[] getFileBlockLocations(FileStatus file, long start, long length)
      throws IOException {
    if (file == null) {
      return null;
    }
    if (start < 0 || length < 0) {
      throw new IllegalArgumentException("invalid range: " + length + " bytes at " + start);
    }
    if (start >= file.getLen()) {
      return new BlockLocation[0];
    }
    if (file.isDirectory() || file.getLen() <= config.blockSizeBytes()) {
      return anywhere(file.getLen());
    }
    statistics.incrementReadOps(1);
    try {
      String key = anyKeyOf(file.getPath());
      GetObjectReply object = treeOf(key).open(keyInTree(key));
      List<BlockLocation> blocks = new ArrayList<>();
      BlockHosts blockHosts = new BlockHosts(object);
      long blockSize = config.blockSizeBytes();
      long fileLength = object.getVersion().getLength();
      long end = length > fileLength - start ? fileLength : start + length; // may be all there is
      for (long from = start / blockSize * blockSize; from < end; from += blockSize) {
        long bytes = Math.min(blockSize, fileLength - from);
        String[] hosts = blockHosts.next(from, bytes);
        blocks.add(new BlockLocation(hosts, hosts, from, bytes));
      }
      return blocks.toArray(new BlockLocation[0]);
    } catch (StoreException e) {
      throw HadoopErrors.of(e, file.getPath().toString());
    }
  }

  private static BlockLocation[] anywhere(long length) {
    return new BlockLocation[] {new BlockLocation(ANYWHERE_NAMES, ANYWHERE_HOSTS, 0, length)};
  }

  /** Hosts of data shards, asked for ascending ranges of one file. Confined to its caller. */
  private static final class BlockHosts {
    private final Map<Long, ContainerInfo> containers = new HashMap<>();
    private final List<Extent> extents;
    private int first; // extent that the next range may begin in
    private long start; // of its payload

    BlockHosts(GetObjectReply object) {
      object.getContainersList().forEach(container -> containers.put(container.getId(), container));
      extents = object.getVersion().getManifest().getExtentsList();
    }

    String[] next(long from, long bytes) throws StoreException {
      Set<String> hosts = new LinkedHashSet<>();
      while (first < extents.size() && start + payload(first) <= from) {
        start += payload(first++);
      }
      long at = start;
      for (int i = first; i < extents.size() && at < from + bytes; at += payload(i++)) {
        ContainerInfo container = containers.get(extents.get(i).getContainer());
        if (container != null) {
          int dataShards = ErasurePolicy.named(container.getPolicy()).k();
          container.getShardsList().stream()
              .filter(shard -> shard.getIndex() < dataShards && !shard.getHost().isEmpty())
              .forEach(shard -> hosts.add(shard.getHost()));
        }
      }
      return hosts.isEmpty() ? ANYWHERE_HOSTS : hosts.toArray(new String[0]);
    }

    private long payload(int extent) {
      return extents.get(extent).getLength() - extents.get(extent).getHeaderLength();
    }
  }

  // Reading and writing.

  @Override
  public FSDataInputStream open(Path path, int bufferSize) throws IOException {
    return open(path, anyKeyOf(path), ReadPolicy.ADAPTIVE, version -> {});
  }

  @Override
  public FSDataInputStream open(PathHandle handle, int bufferSize) throws IOException {
    StowagePathHandle ours = StowagePathHandle.parse(handle);
    try {
      return open(
          pathOf(ours.key()),
          ours.key(),
          ReadPolicy.ADAPTIVE,
          version -> ours.require(StowagePathHandle.contentOf(version)));
    } catch (FileNotFoundException e) {
      throw new InvalidPathHandleException("/" + ours.key() + " is gone", e);
    }
  }

  /**
   * A handle that finds one content at one path, or whatever is at that path; files are not found
   * again where they were moved to.
   */
  @Override
  protected PathHandle createPathHandle(FileStatus status, Options.HandleOpt... options) {
    if (Options.HandleOpt.getOpt(Options.HandleOpt.Location.class, options)
        .orElse(Options.HandleOpt.moved(false))
        .allowChange()) {
      throw new UnsupportedOperationException(
          "Cannot make a handle that follows " + status.getPath() + " when it is moved");
    }
    if (!status.isFile()) {
      throw new IllegalArgumentException(status.getPath() + " is no file");
    }
    boolean anyContent =
        Options.HandleOpt.getOpt(Options.HandleOpt.Data.class, options)
            .orElse(Options.HandleOpt.changed(false))
            .allowChange();
    ByteString writeId = anyContent ? null : writeIdOf(status);
    return new StowagePathHandle(anyKeyOf(status.getPath()), writeId);
  }

  private static ByteString writeIdOf(FileStatus status) {
    if (status instanceof StowageFileStatus ours) {
      return ours.writeId();
    }
    if (status instanceof StowageLocatedFileStatus ours) {
      return ours.writeId();
    }
    throw new IllegalArgumentException("Wrong FileSystem: " + status + " is no status of stow://");
  }

  @Override
  protected CompletableFuture<FSDataInputStream> openFileWithOptions(
      Path path, OpenFileParameters parameters) {
    AbstractFSBuilderImpl.rejectUnknownMandatoryKeys(
        parameters.getMandatoryKeys(), OPEN_OPTIONS, "for " + path);
    ReadPolicy policy =
        ReadPolicy.of(parameters.getOptions().getTrimmedStringCollection(ReadPolicy.OPTION));
    FileStatus known = parameters.getStatus();
    String etag = known instanceof EtagSource source ? source.getEtag() : null;
    return LambdaUtils.eval(
        new CompletableFuture<>(),
        () -> {
          if (known != null && known.isDirectory()) {
            throw new FileNotFoundException(path + " is a directory");
          }
          return open(
              path,
              anyKeyOf(path),
              policy,
              version -> {
                if (etag != null && !etag.equals(StowageFileStatus.etagOf(version))) {
                  throw new PathIOException(
                      path.toString(), "another file than when its status was asked for");
                }
              });
        });
  }

  /** Refuses a version that is not the one that is meant. */
  private interface VersionCheck {
    void require(ObjectVersion version) throws IOException;
  }

  private FSDataInputStream open(Path path, String key, ReadPolicy policy, VersionCheck check)
      throws IOException {
    statistics.incrementReadOps(1);
    counters.count(StoreStatisticNames.OP_OPEN);
    GetObjectReply object;
    try {
      if (key.isEmpty()) {
        throw new StoreException(ErrorCode.NO_SUCH_KEY, "the root");
      }
      if (key.equals(SnapshotPath.ROOT)) {
        throw new StoreException(ErrorCode.NO_SUCH_KEY, "a directory");
      }
      object = treeOf(key).open(keyInTree(key));
    } catch (StoreException e) {
      if (e.code() == ErrorCode.NO_SUCH_KEY && find(path, key).isPresent()) {
        throw new FileNotFoundException(path + " is a directory");
      }
      throw HadoopErrors.of(e, path.toString());
    }
    check.require(object.getVersion());
    try {
      return new FSDataInputStream(
          new StowageInputStream(
              treeOf(key),
              cluster,
              statistics,
              counters,
              path.toString(),
              object,
              cluster.cipherOf(bucket.getId(), object.getVersion()),
              config.readAheadBytes(),
              policy));
    } catch (StoreException e) {
      throw HadoopErrors.of(e, path.toString());
    }
  }

  /**
   * COMPOSITE-CRC32C of a file's bytes, the one that HDFS tells, too, where {@code
   * dfs.checksum.combine.mode} is COMPOSITE_CRC; without that setting null, since HDFS's usual one
   * depends on its blocks, and distcp would find each copy different.
   */
  @Override
  public FileChecksum getFileChecksum(Path path, long length) throws IOException {
    counters.count(FsStatistics.CHECKSUM);
    Entry entry = require(path, anyKeyOf(path));
    if (entry.isDirectory()) {
      throw new FileNotFoundException(path + " is a directory");
    }
    if (!FileChecksums.isOn(getConf())) {
      return null;
    }
    return FileChecksums.of(this, path, entry.object(), length);
  }

  @Override
  public FileChecksum getFileChecksum(Path path) throws IOException {
    return getFileChecksum(path, Long.MAX_VALUE);
  }

  @Override
  public FSDataOutputStream create(
      Path path,
      FsPermission permission,
      boolean overwrite,
      int bufferSize,
      short replication,
      long blockSize,
      Progressable progress)
      throws IOException {
    return create(path, NewFile.of(permission, overwrite, progress));
  }

  FSDataOutputStream create(Path path, NewFile file) throws IOException {
    statistics.incrementWriteOps(1);
    counters.count(StoreStatisticNames.OP_CREATE);
    String key = keyOf(path);
    if (!file.recursive() && !key.isEmpty()) {
      Path parent = pathOf(ObjectTree.parentOf(key));
      requireDirectory(path, require(parent, ObjectTree.parentOf(key)));
    }
    ObjectTree.Look look = look(path, key);
    Optional<Entry> existing = look.entry();
    Optional<Entry> parent = Optional.empty();
    boolean stays = look.inMadeDirectory();
    if (existing.isPresent()) {
      if (existing.get().isDirectory()) {
        throw new FileAlreadyExistsException(path + " is a directory");
      }
      if (!file.overwrite()) {
        throw new FileAlreadyExistsException(path + " already exists");
      }
    } else if (file.etag() != null) {
      throw new FileNotFoundException(path + " is not there to be replaced");
    } else {
      Entry nearest = nearestAncestor(path, key);
      Entry above = makeWay(path, key, nearest, FileAcls.DIRECTORY);
      stays |= !above.key().equals(nearest.key()) && !above.object().getImplied();
      parent = Optional.of(above);
    }
    ObjectMetadata.Builder metadata = ObjectMetadata.newBuilder().setOwner(user);
    if (file.contentType() != null) {
      metadata.putHeaders("content-type", file.contentType());
    }
    FsPermission permission = file.permission() == null ? FileAcls.FILE : file.permission();
    ObjectMetadata all = inherited(path, metadata.build(), parent, false, permission);
    Way way = !file.recursive() ? Way.HAS_TO_BE_THERE : stays ? Way.WAS_THERE : Way.IS_MADE;
    try {
      return new FSDataOutputStream(
          new StowageOutputStream(
              objectManager,
              cluster.dataPath(),
              cluster.leaseRenewals(),
              bucket,
              path.toString(),
              key,
              file.condition(),
              way,
              all,
              cluster.cipherOfNew(fresh.get()),
              cluster.pieceMemory(),
              file.progress(),
              counters),
          statistics);
    } catch (StoreException e) {
      throw HadoopErrors.of(e, path.toString());
    }
  }

  private ObjectTree.Look look(Path path, String key) throws IOException {
    try {
      return tree.look(key);
    } catch (StoreException e) {
      throw HadoopErrors.of(e, path.toString());
    }
  }

  /**
   * With the permission asked for, or as far as the parent's default entries allow it. The umask
   * bounds it in the first case only, once: FileContext and {@code create} without a permission
   * have taken theirs already, and say what it was before.
   */
  private ObjectMetadata inherited(
      Path path,
      ObjectMetadata child,
      Optional<Entry> parent,
      boolean directory,
      FsPermission permission)
      throws IOException {
    FsPermission masked = FsCreateModes.applyUMask(permission, FsPermission.getUMask(getConf()));
    String group = parent.map(above -> above.metadata().getFile().getGroup()).orElse("");
    if (!group.isEmpty()) { // as in HDFS, what is made is of its directory's group
      child = Attributes.withOwner(child, null, group);
    }
    try {
      if (parent.isPresent() && parent.get().metadata().getFile().getHasAcl()) {
        ObjectMetadata all = tree.metadata(parent.get(), 0);
        return FileAcls.inherit(child, all, directory, masked);
      }
    } catch (StoreException e) {
      throw HadoopErrors.of(e, path.toString());
    }
    return FileAcls.withPermission(child, masked);
  }

  @Override
  public NewFileBuilder createFile(Path path) {
    return new NewFileBuilder(this, path).create().overwrite(true);
  }

  @Override
  public NewFileBuilder appendFile(Path path) {
    return new NewFileBuilder(this, path).append();
  }

  @Override
  public FSDataOutputStream createNonRecursive(
      Path path,
      FsPermission permission,
      EnumSet<CreateFlag> flags,
      int bufferSize,
      short replication,
      long blockSize,
      Progressable progress)
      throws IOException {
    return create(
        path,
        new NewFile(permission, flags.contains(CreateFlag.OVERWRITE), null, null, false, progress));
  }

  @Override
  public FSDataOutputStream append(Path path, int bufferSize, Progressable progress)
      throws IOException {
    statistics.incrementWriteOps(1);
    String key = keyOf(path);
    ByteString holder = WriteId.random();
    try {
      if (key.isEmpty()) {
        throw new StoreException(ErrorCode.NO_SUCH_KEY, "the root");
      }
      OpenFileReply opened =
          objectManager.openFile(
              OpenFileRequest.newBuilder()
                  .setBucket(bucket.getName())
                  .setKey(key)
                  .setHolder(holder)
                  .setLeaseMicros(LeasedFile.LEASE_MICROS)
                  .build());
      return new FSDataOutputStream(
          new StowageOutputStream(
              objectManager,
              cluster.dataPath(),
              cluster.leaseRenewals(),
              bucket,
              path.toString(),
              key,
              holder,
              opened,
              cluster.pieceMemory(),
              progress,
              counters),
          statistics,
          opened.getVersion().getLength());
    } catch (StoreException e) {
      if (e.code() == ErrorCode.NO_SUCH_KEY && find(path, key).isPresent()) {
        throw new FileAlreadyExistsException(path + " is a directory");
      }
      throw HadoopErrors.of(e, path.toString());
    }
  }

  /** Takes a file from its writer, if it has one; true, since it is closed then. */
  public boolean recoverLease(Path path) throws IOException {
    statistics.incrementWriteOps(1);
    String key = keyOf(path);
    requireFile(path, key);
    try {
      objectManager.recoverFile(
          RecoverFileRequest.newBuilder().setBucket(bucket.getName()).setKey(key).build());
      return true;
    } catch (StoreException e) {
      throw HadoopErrors.of(e, path.toString());
    }
  }

  /** Whether no writer has the file open. */
  public boolean isFileClosed(Path path) throws IOException {
    statistics.incrementReadOps(1);
    return requireFile(path, anyKeyOf(path)).object().getOpenEpoch() == 0;
  }

  /** In HDFS's words, which those who recover leases look for. */
  private Entry requireFile(Path path, String key) throws IOException {
    Entry entry =
        find(path, key)
            .orElseThrow(() -> new FileNotFoundException("File does not exist: " + path));
    if (entry.isDirectory()) {
      throw new FileNotFoundException("Path is not a file: " + path);
    }
    return entry;
  }

  private Entry nearestAncestor(Path path, String key) throws IOException {
    try {
      return tree.nearestAncestor(key);
    } catch (StoreException e) {
      throw HadoopErrors.of(e, path.toString());
    }
  }

  /**
   * Makes the directories that are missing on the way to something new, in a bucket of layout
   * FILE_SYSTEM, where the permissions of each are asked: an object manager would make them by
   * itself, but knows neither umask nor what was asked for. Elsewhere the keys imply them.
   *
   * @param nearest directory on the way that is there
   * @param permission asked of them, before the umask; who makes them may go through and write
   * @return the directory that it goes into, or the nearest where none are made
   */
  private Entry makeWay(Path path, String key, Entry nearest, FsPermission permission)
      throws IOException {
    requireDirectory(path, nearest);
    if (bucket.getLayout() != BucketLayout.FILE_SYSTEM) {
      return nearest;
    }
    Deque<String> missing = new ArrayDeque<>(); // the uppermost first
    String parent = ObjectTree.parentOf(key);
    while (!parent.equals(nearest.key())) {
      missing.push(parent);
      parent = ObjectTree.parentOf(parent);
    }
    Entry above = nearest;
    for (String directory : missing) {
      ObjectMetadata owned = ObjectMetadata.newBuilder().setOwner(user).build();
      ObjectMetadata metadata =
          passable(inherited(path, owned, Optional.of(above), true, permission));
      boolean made;
      try {
        made = tree.mark(directory, metadata);
      } catch (StoreException e) {
        throw HadoopErrors.of(e, path.toString());
      }
      above = made ? Entry.ofMade(directory, metadata) : require(path, directory);
      requireDirectory(path, above);
    }
    return above;
  }

  private static ObjectMetadata passable(ObjectMetadata directory) {
    FsPermission bits = FileAcls.permission(directory.getFile(), true);
    return FileAcls.withPermission(
        directory,
        new FsPermission(
            bits.getUserAction().or(FsAction.WRITE_EXECUTE),
            bits.getGroupAction(),
            bits.getOtherAction()));
  }

  /** What a file that is begun by parts says of itself, from the directory that it goes into. */
  ObjectMetadata metadataOfUpload(Path path, FsPermission permission) throws IOException {
    String key = keyOf(path);
    if (key.isEmpty()) {
      throw new FileAlreadyExistsException(path + " is a directory");
    }
    ObjectMetadata owned = ObjectMetadata.newBuilder().setOwner(user).build();
    // As of create: a file that replaces another inherits nothing.
    Optional<Entry> parent =
        find(path, key).isPresent()
            ? Optional.empty()
            : Optional.of(makeWay(path, key, nearestAncestor(path, key), FileAcls.DIRECTORY));
    return inherited(path, owned, parent, false, permission);
  }

  private void requireDirectory(Path path, Entry ancestor) throws IOException {
    if (!ancestor.isDirectory()) {
      throw new ParentNotDirectoryException(path + ": " + pathOf(ancestor.key()) + " is a file");
    }
  }

  // Changing the tree.

  @Override
  public boolean mkdirs(Path path, FsPermission permission) throws IOException {
    statistics.incrementWriteOps(1);
    counters.count(StoreStatisticNames.OP_MKDIRS);
    String key = keyOf(path);
    Optional<Entry> existing = find(path, key);
    if (existing.isPresent()) {
      if (!existing.get().isDirectory()) {
        throw new FileAlreadyExistsException(path + " is a file");
      }
      return true;
    }
    FsPermission asked = permission == null ? FileAcls.DIRECTORY : permission;
    Entry parent = makeWay(path, key, nearestAncestor(path, key), asked);
    ObjectMetadata metadata =
        inherited(
            path,
            ObjectMetadata.newBuilder().setOwner(user).build(),
            Optional.of(parent),
            true,
            asked);
    try {
      tree.mark(key, metadata);
    } catch (StoreException e) {
      throw HadoopErrors.of(e, path.toString());
    }
    return true;
  }

  @Override
  public boolean delete(Path path, boolean recursive) throws IOException {
    statistics.incrementWriteOps(1);
    counters.count(StoreStatisticNames.OP_DELETE);
    String key = keyOf(path);
    Optional<Entry> existing = find(path, key);
    if (existing.isEmpty()) {
      return false;
    }
    try {
      if (!existing.get().isDirectory()) {
        return tree.deleteFile(key);
      }
      if (tree.removesInOneStep() && !key.isEmpty()) {
        return tree.removeDirectory(key, recursive);
      }
      boolean empty = tree.isEmpty(key);
      if (!empty && !recursive) {
        throw new PathIsNotEmptyDirectoryException(path.toString());
      }
      if (key.isEmpty()) {
        return empty; // a bucket's root is never deleted, nor all that is in it by one slip of a
        // script
      }
      tree.deleteDirectory(key);
      return true;
    } catch (StoreException e) {
      throw HadoopErrors.of(e, path.toString());
    }
  }

  @Override
  public boolean rename(Path source, Path target) throws IOException {
    statistics.incrementWriteOps(1);
    counters.count(StoreStatisticNames.OP_RENAME);
    String from = keyOf(source);
    String to = keyOf(target);
    Optional<Entry> moved = find(source, from);
    if (moved.isEmpty()) {
      LOGGER.debug("Cannot rename {}: not there", source);
      return false;
    }
    boolean directory = moved.get().isDirectory();
    if (from.equals(to)) {
      return !directory;
    }
    if (directory && ObjectTree.isWithin(to, from)) {
      LOGGER.debug("Cannot rename {} to {}: below itself", source, target);
      return false;
    }
    Optional<Entry> existing = find(target, to);
    if (existing.isPresent()) {
      if (!existing.get().isDirectory()) {
        LOGGER.debug("Cannot rename {} to {}: there is a file", source, target);
        return false;
      }
      to = ObjectTree.childOf(to, ObjectTree.nameOf(from));
      if (from.equals(to)) {
        return !directory;
      }
      if (find(target, to).isPresent()) {
        LOGGER.debug("Cannot rename {} into {}: it has such a child", source, target);
        return false;
      }
    } else {
      String parent = ObjectTree.parentOf(to);
      Optional<Entry> into = find(target, parent);
      if (into.isEmpty()) {
        LOGGER.debug("Cannot rename {} to {}: no such parent", source, target);
        return false;
      }
      requireDirectory(target, into.get());
    }
    try {
      if (directory) {
        tree.renameDirectory(from, to);
      } else {
        tree.renameFile(from, to, false);
      }
      return true;
    } catch (StoreException e) {
      if (e.code() == ErrorCode.KEY_EXISTS || e.code() == ErrorCode.NO_SUCH_KEY) {
        LOGGER.debug("Cannot rename {} to {}: somebody else was first", source, target, e);
        return false;
      }
      throw HadoopErrors.of(e, source.toString());
    }
  }

  /**
   * As FileContext renames; a file replaces a file in one step, which the method inherited does in
   * two.
   */
  @Override
  @Deprecated
  @SuppressWarnings(
      "InlineMeSuggester") // deprecated by Hadoop to tell applications; FileContext and
  // FilterFileSystem call it
  protected void rename(Path source, Path target, Options.Rename... options) throws IOException {
    String from = keyOf(source);
    String to = keyOf(target);
    boolean overwrite = Arrays.asList(options).contains(Options.Rename.OVERWRITE);
    if (ObjectTree.isWithin(to, from)) { // the method inherited would delete the target first
      boolean directory = require(source, from).isDirectory();
      if (from.equals(to)) {
        throw new FileAlreadyExistsException("Cannot rename " + source + " to itself");
      }
      if (directory) {
        throw new PathIOException(source.toString(), "cannot be renamed to a path below itself");
      }
    }
    boolean fileOntoFile =
        overwrite
            && find(source, from).filter(entry -> !entry.isDirectory()).isPresent()
            && find(target, to).filter(entry -> !entry.isDirectory()).isPresent();
    if (!fileOntoFile) {
      super.rename(source, target, options);
      return;
    }
    statistics.incrementWriteOps(1);
    try {
      tree.renameFile(from, to, true);
    } catch (StoreException e) {
      throw HadoopErrors.of(e, source.toString());
    }
  }

  /** Deletes files, many by one call; what was not deleted, with the reason. */
  Map<Path, String> deleteFiles(Collection<Path> paths) throws IOException {
    statistics.incrementWriteOps(1);
    counters.count(FsStatistics.BULK_DELETE);
    Map<String, Path> byKey = new LinkedHashMap<>();
    Map<Path, String> failed = new LinkedHashMap<>();
    for (Path path : paths) {
      try {
        String key = keyOf(path);
        if (!key.isEmpty()) { // the root is no file
          byKey.put(key, path);
        }
      } catch (AccessControlException e) {
        failed.put(path, e.getMessage()); // what a snapshot shows
      }
    }
    try {
      tree.deleteFiles(List.copyOf(byKey.keySet()))
          .forEach((key, reason) -> failed.put(byKey.get(key), reason));
    } catch (StoreException e) {
      throw HadoopErrors.of(e, uri.toString());
    }
    return failed;
  }

  @Override
  @SuppressWarnings("rawtypes") // as Hadoop declares it
  public MultipartUploaderBuilder createMultipartUploader(Path base) {
    return new StowageMultipartUploader.Builder(this, makeQualified(base));
  }

  StowageMultipartUploader newMultipartUploader(Path base, FsPermission permission) {
    return new StowageMultipartUploader(
        this, base, objectManager, cluster, bucket, fresh, permission);
  }

  // What is said of files and directories.

  private void change(Path path, ObjectTree.MetadataChange<IOException> change) throws IOException {
    statistics.incrementWriteOps(1);
    Entry entry = require(path, keyOf(path));
    try {
      tree.change(entry, change);
    } catch (StoreException e) {
      throw HadoopErrors.of(e, path.toString());
    }
  }

  /**
   * All that is said of what is there.
   *
   * @param wanted AccessControlException if the caller may not do that with it
   */
  private ObjectMetadata allOf(Path path, Entry entry, FsAction wanted) throws IOException {
    try {
      return SnapshotPath.isWithin(entry.key())
          ? treeOf(entry.key()).metadata(entry.at(keyInTree(entry.key())), 0)
          : tree.metadata(entry, bitsOf(wanted));
    } catch (StoreException e) {
      throw HadoopErrors.of(e, path.toString());
    }
  }

  /**
   * In a bucket of layout OBJECT a root has nothing that could say something of it: what tools
   * preserve there is not kept.
   */
  private boolean isMuteRoot(Path path) {
    return isRoot(path) && bucket.getLayout() != BucketLayout.FILE_SYSTEM;
  }

  private boolean isRoot(Path path) {
    return anyKeyOf(path).isEmpty();
  }

  /**
   * In a bucket of layout FILE_SYSTEM the object manager is asked, which knows groups and lists;
   * elsewhere the bits that are shown are believed. What a snapshot shows may be read by whoever
   * sees it, and written by nobody.
   */
  @Override
  public void access(Path path, FsAction mode) throws IOException {
    String key = mode.implies(FsAction.WRITE) ? keyOf(path) : anyKeyOf(path);
    boolean past = SnapshotPath.isWithin(key);
    if (!past && bucket.getLayout() != BucketLayout.FILE_SYSTEM) {
      super.access(path, mode);
      return;
    }
    statistics.incrementReadOps(1);
    if (past) {
      Entry unused = require(path, key);
      return;
    }
    try {
      if (!tree.access(key, bitsOf(mode))) {
        throw new FileNotFoundException("No such file or directory: " + path);
      }
    } catch (StoreException e) {
      throw HadoopErrors.of(e, path.toString());
    }
  }

  /** As object managers are asked: POSIX's bits. */
  private static int bitsOf(FsAction action) {
    return (action.implies(FsAction.READ) ? 4 : 0)
        | (action.implies(FsAction.WRITE) ? 2 : 0)
        | (action.implies(FsAction.EXECUTE) ? 1 : 0);
  }

  @Override
  public void setPermission(Path path, FsPermission permission) throws IOException {
    counters.count(StoreStatisticNames.OP_SET_PERMISSION);
    if (!isMuteRoot(path)) {
      change(path, before -> FileAcls.withPermission(before, permission));
    }
  }

  @Override
  public void setOwner(Path path, String owner, String group) throws IOException {
    counters.count(FsStatistics.SET_OWNER);
    if (!isMuteRoot(path)) {
      change(path, before -> Attributes.withOwner(before, owner, group));
    }
  }

  @Override
  public void setTimes(Path path, long modified, long accessed) throws IOException {
    counters.count(FsStatistics.SET_TIMES);
    if (!isMuteRoot(path)) {
      change(path, before -> Attributes.withTimes(before, modified, accessed));
    }
  }

  private Entry requireSpeaking(Path path) throws IOException {
    if (isMuteRoot(path)) {
      throw new PathIOException(path.toString(), "a bucket's root has no attributes of its own");
    }
    return require(path, keyOf(path));
  }

  @Override
  public void modifyAclEntries(Path path, List<AclEntry> entries) throws IOException {
    counters.count(StoreStatisticNames.OP_SET_ACL);
    boolean directory = requireSpeaking(path).isDirectory();
    change(path, before -> FileAcls.modify(before, directory, entries));
  }

  @Override
  public void removeAclEntries(Path path, List<AclEntry> entries) throws IOException {
    boolean directory = requireSpeaking(path).isDirectory();
    change(path, before -> FileAcls.remove(before, directory, entries));
  }

  @Override
  public void removeDefaultAcl(Path path) throws IOException {
    boolean directory = requireSpeaking(path).isDirectory();
    change(path, before -> FileAcls.removeDefault(before, directory));
  }

  @Override
  public void removeAcl(Path path) throws IOException {
    boolean directory = requireSpeaking(path).isDirectory();
    change(path, before -> FileAcls.removeAll(before, directory));
  }

  @Override
  public void setAcl(Path path, List<AclEntry> entries) throws IOException {
    counters.count(StoreStatisticNames.OP_SET_ACL);
    boolean directory = requireSpeaking(path).isDirectory();
    change(path, before -> FileAcls.set(before, directory, entries));
  }

  @Override
  public AclStatus getAclStatus(Path path) throws IOException {
    Entry entry = require(path, anyKeyOf(path));
    StowageFileStatus status = statusOf(entry);
    return FileAcls.status(
        allOf(path, entry, FsAction.NONE),
        entry.isDirectory(),
        status.getOwner(),
        status.getGroup());
  }

  @Override
  public void setXAttr(Path path, String name, byte[] value, EnumSet<XAttrSetFlag> flags)
      throws IOException {
    requireSpeaking(path);
    change(path, before -> Attributes.withXattr(before, name, value, flags));
  }

  @Override
  public byte[] getXAttr(Path path, String name) throws IOException {
    return getXAttrs(path, List.of(name)).values().iterator().next();
  }

  /** For whom may read what they are of; in a bucket of layout OBJECT that is the bucket's say. */
  @Override
  public Map<String, byte[]> getXAttrs(Path path) throws IOException {
    counters.count(StoreStatisticNames.OP_XATTR_GET_MAP);
    return Attributes.xattrs(allOf(path, require(path, anyKeyOf(path)), FsAction.READ));
  }

  @Override
  public Map<String, byte[]> getXAttrs(Path path, List<String> names) throws IOException {
    if (names == null || names.isEmpty()) {
      throw new HadoopIllegalArgumentException("Cannot tell extended attributes: none is named");
    }
    Map<String, byte[]> all = getXAttrs(path);
    Map<String, byte[]> wanted = new LinkedHashMap<>();
    for (String name : names) {
      byte[] value = all.get(Attributes.xattrName(name));
      if (value == null) {
        throw new IOException("At least one of the attributes provided was not found: " + name);
      }
      wanted.put(name, value);
    }
    return wanted;
  }

  @Override
  public List<String> listXAttrs(Path path) throws IOException {
    return List.copyOf(getXAttrs(path).keySet());
  }

  @Override
  public void removeXAttr(Path path, String name) throws IOException {
    requireSpeaking(path);
    change(path, before -> Attributes.withoutXattr(before, name));
  }

  // Snapshots: of the whole bucket, so of its root.

  @Override
  public Path createSnapshot(Path path, String name) throws IOException {
    statistics.incrementWriteOps(1);
    requireSnapshotRoot(path);
    String chosen = name == null ? SnapshotPath.nameFor(System.currentTimeMillis()) : name;
    try {
      objectManager.createSnapshot(
          CreateSnapshotRequest.newBuilder()
              .setBucket(bucket.getName())
              .setName(chosen)
              .setWriteId(WriteId.random())
              .build());
    } catch (StoreException e) {
      throw HadoopErrors.of(e, path.toString());
    }
    return pathOf(SnapshotPath.ROOT + "/" + chosen);
  }

  @Override
  public void renameSnapshot(Path path, String name, String newName) throws IOException {
    statistics.incrementWriteOps(1);
    requireSnapshotRoot(path);
    try {
      objectManager.renameSnapshot(
          RenameSnapshotRequest.newBuilder()
              .setBucket(bucket.getName())
              .setName(name)
              .setNewName(newName)
              .build());
    } catch (StoreException e) {
      throw HadoopErrors.of(e, path.toString());
    }
  }

  @Override
  public void deleteSnapshot(Path path, String name) throws IOException {
    statistics.incrementWriteOps(1);
    requireSnapshotRoot(path);
    try {
      objectManager.deleteSnapshot(
          DeleteSnapshotRequest.newBuilder().setBucket(bucket.getName()).setName(name).build());
    } catch (StoreException e) {
      throw HadoopErrors.of(e, path.toString());
    }
  }

  private void requireSnapshotRoot(Path path) throws IOException {
    if (!isRoot(path)) {
      throw new PathIOException(
          path.toString(), "snapshots are of whole buckets, so only of their root");
    }
  }

  // Quotas: of the whole bucket, so of its root.

  /** What all of the bucket holds, without a look at its files; of a directory, by that look. */
  @Override
  public QuotaUsage getQuotaUsage(Path path) throws IOException {
    if (!isRoot(path)) {
      return super.getQuotaUsage(path);
    }
    statistics.incrementReadOps(1);
    GetBucketUsageReply usage = usage(path);
    return new QuotaUsage.Builder()
        .fileAndDirectoryCount(usage.getObjects())
        .spaceConsumed(usage.getBytes())
        .quota(orNone(usage.getQuota().getObjects()))
        .spaceQuota(orNone(usage.getQuota().getBytes()))
        .build();
  }

  @Override
  public ContentSummary getContentSummary(Path path) throws IOException {
    ContentSummary sum = super.getContentSummary(path);
    if (!isRoot(path)) {
      return sum;
    }
    BucketQuota quota;
    try {
      quota = usage(path).getQuota();
    } catch (AccessControlException e) {
      return sum; // who may look at all files need not be one who may look at the bucket
    }
    return new ContentSummary.Builder()
        .length(sum.getLength())
        .fileCount(sum.getFileCount())
        .directoryCount(sum.getDirectoryCount())
        .spaceConsumed(sum.getSpaceConsumed())
        .quota(orNone(quota.getObjects()))
        .spaceQuota(orNone(quota.getBytes()))
        .build();
  }

  /** How much the bucket holds and may hold, for whom may know; no store has an end of its own. */
  @Override
  public FsStatus getStatus(Path path) throws IOException {
    statistics.incrementReadOps(1);
    GetBucketUsageReply usage;
    try {
      usage = usage(path == null ? new Path("/") : path);
    } catch (AccessControlException e) {
      return super.getStatus(path); // that there is room, as far as he is told
    }
    long quota = usage.getQuota().getBytes();
    long capacity = quota == 0 ? Long.MAX_VALUE : quota;
    return new FsStatus(capacity, usage.getBytes(), Math.max(0, capacity - usage.getBytes()));
  }

  private GetBucketUsageReply usage(Path path) throws IOException {
    try {
      return objectManager.getBucketUsage(
          GetBucketUsageRequest.newBuilder().setBucket(bucket.getName()).build());
    } catch (StoreException e) {
      throw HadoopErrors.of(e, path.toString());
    }
  }

  /** As Hadoop says that there is no quota. */
  private static long orNone(long quota) {
    return quota == 0 ? NO_QUOTA : quota;
  }

  /** Of the root only. HDFS's {@code Long.MAX_VALUE} leaves a quota as it is, -1 takes it back. */
  @Override
  public void setQuota(Path path, long objects, long bytes) throws IOException {
    statistics.incrementWriteOps(1);
    if (!isRoot(path)) {
      throw new PathIOException(
          path.toString(), "a quota is of a whole bucket, so only its root can have one");
    }
    BucketQuota.Builder quota = usage(path).getQuota().toBuilder();
    if (objects != SAME_QUOTA) {
      quota.setObjects(Math.max(0, objects));
    }
    if (bytes != SAME_QUOTA) {
      quota.setBytes(Math.max(0, bytes));
    }
    UpdateBucketRequest.Builder update =
        UpdateBucketRequest.newBuilder().setName(bucket.getName()).setWriteId(WriteId.random());
    if (quota.getObjects() == 0 && quota.getBytes() == 0) {
      update.addRemove(QUOTA_SETTING);
    } else {
      update.putPut(QUOTA_SETTING, quota.build().toByteString());
    }
    try {
      objectManager.updateBucket(update.build());
    } catch (StoreException e) {
      throw HadoopErrors.of(e, path.toString());
    }
  }

  @Override
  public IOStatistics getIOStatistics() {
    if (cluster != null) {
      counters.datanodeCalls(cluster.datanodeCalls());
    }
    return counters.getIOStatistics();
  }

  @Override
  public boolean hasPathCapability(Path path, String capability) throws IOException {
    return switch (capability.toLowerCase(Locale.ROOT)) {
      case CommonPathCapabilities.FS_APPEND -> isAppendable(path);
      case CommonPathCapabilities.ETAGS_AVAILABLE,
          CommonPathCapabilities.ETAGS_PRESERVED_IN_RENAME,
          CommonPathCapabilities.FS_ACLS,
          CommonPathCapabilities.FS_MULTIPART_UPLOADER,
          CommonPathCapabilities.FS_PATHHANDLES,
          CommonPathCapabilities.FS_PERMISSIONS,
          CommonPathCapabilities.FS_SNAPSHOTS,
          CommonPathCapabilities.FS_XATTRS ->
          true;
      case CommonPathCapabilities.FS_CHECKSUMS -> FileChecksums.isOn(getConf());
      case CommonPathCapabilities.VIRTUAL_BLOCK_LOCATIONS -> false;
      default -> NewFile.OPTIONS.contains(capability) || super.hasPathCapability(path, capability);
    };
  }

  private boolean isAppendable(Path path) throws IOException {
    try {
      BucketInfo now = fresh.get();
      return now.getVersioning() == Versioning.UNVERSIONED && !BucketEncryption.isDefault(now);
    } catch (StoreException e) {
      throw HadoopErrors.of(e, path.toString());
    }
  }

  @Override
  public String toString() {
    return "StowageFileSystem of " + uri + " as " + user;
  }
}
