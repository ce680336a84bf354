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

import io.stowage.common.error.ErrorCode;
import io.stowage.common.error.StoreException;
import io.stowage.common.proto.BucketInfo;
import io.stowage.common.proto.BucketLayout;
import io.stowage.common.proto.ContainerInfo;
import io.stowage.common.proto.Extent;
import io.stowage.common.proto.GetBucketRequest;
import io.stowage.common.proto.GetObjectReply;
import io.stowage.fs.ObjectTree.Entry;
import java.io.FileNotFoundException;
import java.io.IOException;
import java.net.URI;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.EnumSet;
import java.util.HashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.NoSuchElementException;
import java.util.Optional;
import java.util.Set;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.BlockLocation;
import org.apache.hadoop.fs.CommonPathCapabilities;
import org.apache.hadoop.fs.CreateFlag;
import org.apache.hadoop.fs.FSDataInputStream;
import org.apache.hadoop.fs.FSDataOutputStream;
import org.apache.hadoop.fs.FileAlreadyExistsException;
import org.apache.hadoop.fs.FileStatus;
import org.apache.hadoop.fs.FileSystem;
import org.apache.hadoop.fs.LocatedFileStatus;
import org.apache.hadoop.fs.Options;
import org.apache.hadoop.fs.ParentNotDirectoryException;
import org.apache.hadoop.fs.Path;
import org.apache.hadoop.fs.PathFilter;
import org.apache.hadoop.fs.PathIsNotEmptyDirectoryException;
import org.apache.hadoop.fs.RemoteIterator;
import org.apache.hadoop.fs.UnsupportedFileSystemException;
import org.apache.hadoop.fs.permission.FsPermission;
import org.apache.hadoop.security.UserGroupInformation;
import org.apache.hadoop.util.Progressable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Hadoop's FileSystem over one bucket: paths to keys, {@link ObjectTree}'s answers to Hadoop's
 * contract. Where that leaves a choice it does as HDFS does (a rename that is not possible is
 * false, not an exception), except that a file is visible from close on, directories come into
 * being with what is in them, and a directory is renamed key by key. Owns a hold on the cluster
 * until close. Thread-safe.
 */
final class BucketFileSystem extends FileSystem {
  static {
    // As HDFS does with hdfs-site.xml: jobs find the cluster with no more than that file on the
    // classpath.
    Configuration.addDefaultResource("stowage-site.xml");
  }

  private static final Logger LOGGER = LoggerFactory.getLogger(BucketFileSystem.class);

  /**
   * Only the same answer that one HDFS block on the machine gives: "here", so that no scheduler
   * waits.
   */
  private static final String[] ANYWHERE_NAMES = {"localhost:9866"};

  private static final String[] ANYWHERE_HOSTS = {"localhost"};

  private URI uri;
  private Path workingDirectory;
  private String user;
  private ClusterConnection cluster;
  private FsConfig config;
  private BucketInfo bucket;
  private ObjectTree tree;

  BucketFileSystem() {}

  @Override
  public void initialize(URI name, Configuration conf) throws IOException {
    String bucketName = name.getAuthority();
    if (bucketName == null || name.getUserInfo() != null || name.getPort() >= 0) {
      throw new IOException("Cannot use " + name + ": expected stow://BUCKET/path");
    }
    super.initialize(name, conf);
    setConf(conf);
    uri = URI.create(StowageFileSystem.SCHEME + "://" + bucketName);
    user = UserGroupInformation.getCurrentUser().getShortUserName();
    workingDirectory = makeQualified(new Path("/user/" + user));
    cluster = ClusterConnection.open(conf);
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
    if (bucket.getLayout() != BucketLayout.OBJECT) {
      cluster.close();
      throw new UnsupportedFileSystemException(
          uri + ": no buckets of layout " + bucket.getLayout() + " yet");
    }
    tree = new ObjectTree(cluster.objectManager(), bucketName);
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

  /** Null: there are no delegation tokens, and a bucket's name is no host to look up. */
  @Override
  public String getCanonicalServiceName() {
    return null;
  }

  @Override
  public Path getWorkingDirectory() {
    return workingDirectory;
  }

  @Override
  public void setWorkingDirectory(Path directory) {
    workingDirectory = makeQualified(directory);
  }

  private String keyOf(Path path) {
    checkPath(path);
    String absolute = makeQualified(path).toUri().getPath();
    return absolute.substring(Math.min(1, absolute.length()));
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
    return statusOf(require(path, keyOf(path)));
  }

  private StowageFileStatus statusOf(Entry entry) {
    Path path = pathOf(entry.key());
    if (!entry.isDirectory()) {
      return StowageFileStatus.ofFile(entry.file(), path, user, config.blockSizeBytes());
    }
    // A directory that only its children imply has no time of its own; the bucket's stays the same
    // between calls.
    long micros = entry.modifiedMicros() != 0 ? entry.modifiedMicros() : bucket.getCreatedMicros();
    return StowageFileStatus.ofDirectory(micros, path, user);
  }

  private Optional<Entry> find(Path path, String key) throws IOException {
    try {
      return tree.find(key);
    } catch (StoreException e) {
      throw HadoopErrors.of(e, path.toString());
    }
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
            status, status.isDirectory() ? null : anywhere(status.getLen()));
      }
    };
  }

  private RemoteIterator<StowageFileStatus> iterate(Path path) throws IOException {
    statistics.incrementReadOps(1);
    statistics.incrementLargeReadOps(1);
    String key = keyOf(path);
    ObjectTree.Page first = page(path, key, null);
    List<Entry> entries = first.exists() ? first.children() : List.of(require(path, key));
    return new PagedListing(path, key, entries, first.last());
  }

  private ObjectTree.Page page(Path path, String key, String after) throws IOException {
    try {
      return tree.children(key, after);
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
    GetObjectReply object;
    try {
      object = tree.open(keyOf(file.getPath()));
    } catch (StoreException e) {
      throw HadoopErrors.of(e, file.getPath().toString());
    }
    List<BlockLocation> blocks = new ArrayList<>();
    long blockSize = config.blockSizeBytes();
    long end = Math.min(start + length, object.getVersion().getLength());
    for (long from = start / blockSize * blockSize; from < end; from += blockSize) {
      long bytes = Math.min(blockSize, object.getVersion().getLength() - from);
      String[] hosts = hostsOf(object, from, bytes);
      blocks.add(new BlockLocation(hosts, hosts, from, bytes));
    }
    return blocks.toArray(new BlockLocation[0]);
  }

  private static BlockLocation[] anywhere(long length) {
    return new BlockLocation[] {new BlockLocation(ANYWHERE_NAMES, ANYWHERE_HOSTS, 0, length)};
  }

  private static String[] hostsOf(GetObjectReply object, long from, long bytes) {
    Map<Long, ContainerInfo> containers = new HashMap<>();
    object.getContainersList().forEach(container -> containers.put(container.getId(), container));
    Set<String> hosts = new LinkedHashSet<>();
    long start = 0;
    for (Extent extent : object.getVersion().getManifest().getExtentsList()) {
      long payload = extent.getLength() - extent.getHeaderLength();
      ContainerInfo container = containers.get(extent.getContainer());
      if (start < from + bytes && start + payload > from && container != null) {
        container.getShardsList().stream()
            .filter(shard -> !shard.getHost().isEmpty())
            .forEach(shard -> hosts.add(shard.getHost()));
      }
      start += payload;
    }
    return hosts.isEmpty() ? ANYWHERE_HOSTS : hosts.toArray(new String[0]);
  }

  // Reading and writing.

  @Override
  public FSDataInputStream open(Path path, int bufferSize) throws IOException {
    statistics.incrementReadOps(1);
    String key = keyOf(path);
    GetObjectReply object;
    try {
      if (key.isEmpty()) {
        throw new StoreException(ErrorCode.NO_SUCH_KEY, "the root");
      }
      object = tree.open(key);
    } catch (StoreException e) {
      if (e.code() == ErrorCode.NO_SUCH_KEY && find(path, key).isPresent()) {
        throw new FileNotFoundException(path + " is a directory");
      }
      throw HadoopErrors.of(e, path.toString());
    }
    return new FSDataInputStream(
        new StowageInputStream(
            tree,
            cluster.dataPath(),
            cluster.readAhead(),
            statistics,
            path.toString(),
            object,
            config.readAheadBytes()));
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
    statistics.incrementWriteOps(1);
    String key = keyOf(path);
    Optional<Entry> existing = find(path, key);
    if (existing.isPresent()) {
      if (existing.get().isDirectory()) {
        throw new FileAlreadyExistsException(path + " is a directory");
      }
      if (!overwrite) {
        throw new FileAlreadyExistsException(path + " already exists");
      }
    } else {
      requireDirectory(path, nearestAncestor(path, key));
    }
    return newStream(path, key, overwrite, progress);
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
    String key = keyOf(path);
    if (!key.isEmpty()) {
      Path parent = pathOf(ObjectTree.parentOf(key));
      requireDirectory(path, require(parent, ObjectTree.parentOf(key)));
    }
    return create(
        path,
        permission,
        flags.contains(CreateFlag.OVERWRITE),
        bufferSize,
        replication,
        blockSize,
        progress);
  }

  private FSDataOutputStream newStream(
      Path path, String key, boolean overwrite, Progressable progress) throws IOException {
    return new FSDataOutputStream(
        new StowageOutputStream(
            cluster.objectManager(),
            cluster.dataPath(),
            bucket,
            path.toString(),
            key,
            overwrite,
            user,
            progress),
        statistics);
  }

  @Override
  public FSDataOutputStream append(Path path, int bufferSize, Progressable progress) {
    throw new UnsupportedOperationException("Cannot append to " + path + ": not offered yet");
  }

  private Entry nearestAncestor(Path path, String key) throws IOException {
    try {
      return tree.nearestAncestor(key);
    } catch (StoreException e) {
      throw HadoopErrors.of(e, path.toString());
    }
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
    String key = keyOf(path);
    Optional<Entry> existing = find(path, key);
    if (existing.isPresent()) {
      if (!existing.get().isDirectory()) {
        throw new FileAlreadyExistsException(path + " is a file");
      }
      return true;
    }
    requireDirectory(path, nearestAncestor(path, key));
    try {
      tree.mark(key);
    } catch (StoreException e) {
      throw HadoopErrors.of(e, path.toString());
    }
    return true;
  }

  @Override
  public boolean delete(Path path, boolean recursive) throws IOException {
    statistics.incrementWriteOps(1);
    String key = keyOf(path);
    Optional<Entry> existing = find(path, key);
    if (existing.isEmpty()) {
      return false;
    }
    try {
      if (!existing.get().isDirectory()) {
        return tree.deleteFile(key);
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
    boolean fileOntoFile =
        overwrite
            && !from.equals(to)
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

  @Override
  public boolean hasPathCapability(Path path, String capability) throws IOException {
    return switch (capability.toLowerCase(Locale.ROOT)) {
      case CommonPathCapabilities.ETAGS_AVAILABLE,
          CommonPathCapabilities.ETAGS_PRESERVED_IN_RENAME ->
          true;
      default -> super.hasPathCapability(path, capability);
    };
  }

  @Override
  public String toString() {
    return "StowageFileSystem of " + uri + " as " + user;
  }
}
