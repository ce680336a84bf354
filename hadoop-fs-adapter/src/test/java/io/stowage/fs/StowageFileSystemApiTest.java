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

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.stowage.common.id.WriteId;
import io.stowage.common.proto.GetObjectRequest;
import io.stowage.common.proto.Manifest;
import io.stowage.common.proto.ObjectMetadata;
import io.stowage.common.proto.ObjectVersion;
import io.stowage.common.proto.PutObjectRequest;
import java.io.EOFException;
import java.io.FileNotFoundException;
import java.io.IOException;
import java.net.URI;
import java.nio.ByteBuffer;
import java.nio.ReadOnlyBufferException;
import java.nio.charset.StandardCharsets;
import java.security.PrivilegedExceptionAction;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.EnumSet;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.Set;
import java.util.TreeMap;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ScheduledThreadPoolExecutor;
import java.util.concurrent.TimeUnit;
import java.util.stream.Collectors;
import java.util.zip.CRC32C;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.BlockLocation;
import org.apache.hadoop.fs.BulkDelete;
import org.apache.hadoop.fs.CommonPathCapabilities;
import org.apache.hadoop.fs.EtagSource;
import org.apache.hadoop.fs.FSDataInputStream;
import org.apache.hadoop.fs.FSDataOutputStream;
import org.apache.hadoop.fs.FileAlreadyExistsException;
import org.apache.hadoop.fs.FileChecksum;
import org.apache.hadoop.fs.FileRange;
import org.apache.hadoop.fs.FileStatus;
import org.apache.hadoop.fs.FileSystem;
import org.apache.hadoop.fs.FsShell;
import org.apache.hadoop.fs.InvalidPathHandleException;
import org.apache.hadoop.fs.LocatedFileStatus;
import org.apache.hadoop.fs.Options;
import org.apache.hadoop.fs.ParentNotDirectoryException;
import org.apache.hadoop.fs.Path;
import org.apache.hadoop.fs.PathHandle;
import org.apache.hadoop.fs.PathIOException;
import org.apache.hadoop.fs.RawPathHandle;
import org.apache.hadoop.fs.RemoteIterator;
import org.apache.hadoop.fs.StreamCapabilities;
import org.apache.hadoop.fs.Trash;
import org.apache.hadoop.fs.XAttrSetFlag;
import org.apache.hadoop.fs.permission.AclEntry;
import org.apache.hadoop.fs.permission.FsPermission;
import org.apache.hadoop.fs.statistics.IOStatisticsSupport;
import org.apache.hadoop.security.AccessControlException;
import org.apache.hadoop.security.UserGroupInformation;
import org.apache.hadoop.thirdparty.protobuf.ByteString;
import org.apache.hadoop.util.ToolRunner;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** What a FileSystem offers beyond files in directories, and what each of it costs in calls. */
@Timeout(120)
class StowageFileSystemApiTest {
  private static final int MIB = 1 << 20;
  private static final Path FILE = new Path("/d/f");

  private TwinCluster twins;
  private FileSystem fs;

  @BeforeEach
  void start() throws IOException {
    twins = TwinCluster.start();
    twins.createBucket("b");
    fs = twins.open("b");
  }

  @AfterEach
  void stop() throws IOException {
    fs.close();
    twins.close();
    assertEquals(0, twins.dataPath.openWriters(), "writers left open");
    assertEquals(0, twins.dataPath.openReaders(), "readers left open");
    assertEquals(0, twins.connected.get(), "clusters left connected");
  }

  private static byte[] bytes(int length, long seed) {
    byte[] bytes = new byte[length];
    new Random(seed).nextBytes(bytes);
    return bytes;
  }

  private void write(Path path, byte[] content) throws IOException {
    try (FSDataOutputStream out = fs.create(path)) {
      out.write(content);
    }
  }

  private byte[] read(Path path) throws IOException {
    try (FSDataInputStream in = fs.open(path)) {
      return in.readAllBytes();
    }
  }

  private long calls() {
    return counter(FsStatistics.CALLS);
  }

  private long counter(String name) {
    return IOStatisticsSupport.retrieveIOStatistics(fs).counters().get(name);
  }

  /** As an S3 client does it: without a CRC32C. */
  private void putByS3(String key, ObjectMetadata metadata) throws IOException {
    twins.objectManager.putObject(
        PutObjectRequest.newBuilder()
            .setBucket("b")
            .setKey(key)
            .setWriteId(WriteId.random())
            .setManifest(Manifest.getDefaultInstance())
            .setMetadata(metadata)
            .build());
  }

  @Test
  void aVectoredReadJoinsWhatIsNearAndCutsWhatIsLong() throws Exception {
    byte[] content = bytes(9 * MIB, 1);
    write(FILE, content);
    List<FileRange> ranges = new ArrayList<>();
    for (int[] range :
        new int[][] {
          {9 * MIB - 5, 5}, // the last bytes
          {100, 50},
          {200, 1000},
          {100, 50},
          {120, 5000}, // near, twice the same, overlapping
          {3 * MIB, 0}, // nothing
          {2 * MIB, 3 * MIB + 7}, // longer than one read may be
          {5 * MIB + 7 + VectoredRead.GAP_BYTES, 10}, // as far as may be joined
          {7 * MIB, 1}
        }) {
      ranges.add(FileRange.createFileRange(range[0], range[1]));
    }
    try (FSDataInputStream in = fs.open(FILE)) {
      in.seek(17);
      in.readVectored(ranges, ByteBuffer::allocate);
      for (FileRange range : ranges) {
        ByteBuffer data = range.getData().get(30, TimeUnit.SECONDS);
        byte[] got = new byte[data.remaining()];
        data.duplicate().get(got);
        int from = (int) range.getOffset();
        assertArrayEquals(
            Arrays.copyOfRange(content, from, from + range.getLength()), got, range.toString());
      }
      assertEquals(17, in.getPos());
      Map<String, Long> counters = in.getIOStatistics().counters();
      assertEquals(9, counters.get(FsStatistics.VECTORED_RANGES));
      // one for the three near the beginning, four for 3 MiB and its neighbour, one, one
      assertEquals(7, counters.get(FsStatistics.VECTORED_READS));

      List<FileRange> behind = List.of(FileRange.createFileRange(9 * MIB - 5, 6));
      assertThrows(EOFException.class, () -> in.readVectored(behind, ByteBuffer::allocate));
    }
    assertEquals(9, counter(FsStatistics.VECTORED_RANGES), "told when the stream was closed");
  }

  @Test
  void aVectoredReadThatFailsFailsOnlyTheRangesThatItIsFor() throws Exception {
    write(FILE, bytes(9 * MIB, 1));
    FileRange good = FileRange.createFileRange(10, 10);
    FileRange bad = FileRange.createFileRange(8 * MIB + 10, 10);
    try (FSDataInputStream in = fs.open(FILE)) {
      long container =
          twins
              .objectManager
              .getObject(
                  GetObjectRequest.newBuilder()
                      .setBucket("b")
                      .setKey("d/f")
                      .setWantManifest(true)
                      .build())
              .getVersion()
              .getManifest()
              .getExtents(2)
              .getContainer();
      twins.dataPath.dropContainer(container);
      in.readVectored(List.of(good, bad), ByteBuffer::allocate);
      assertEquals(10, good.getData().get(30, TimeUnit.SECONDS).remaining());
      assertInstanceOf(
          IOException.class,
          assertThrows(ExecutionException.class, () -> bad.getData().get(30, TimeUnit.SECONDS))
              .getCause());
    }
  }

  @Test
  void aVectoredReadAfterCloseFailsInsteadOfWaitingForEver() throws Exception {
    write(FILE, bytes(MIB, 1));
    FileRange range = FileRange.createFileRange(10, 10);
    try (FSDataInputStream in = fs.open(FILE)) {
      fs.close();
      in.readVectored(List.of(range), ByteBuffer::allocate);
      Throwable told =
          assertThrows(ExecutionException.class, () -> range.getData().get(30, TimeUnit.SECONDS))
              .getCause();
      assertTrue(assertInstanceOf(IOException.class, told).getMessage().contains("is closed"));
    }
  }

  /** A cluster that does not answer must not keep others from having their leases renewed. */
  @Test
  void eachClusterHasItsLeasesRenewedByItselfUntilItIsClosed() throws Exception {
    Configuration conf = twins.configuration();
    conf.set("stowage.om.addresses", "another-cluster:1");
    FileSystem other = FileSystem.newInstance(URI.create("stow://b"), conf);
    FSDataOutputStream abandoned = other.create(new Path("/abandoned"));
    abandoned.write(1);
    abandoned.hsync();
    ClusterConnection near = ClusterConnection.open(twins.configuration());
    ClusterConnection far = ClusterConnection.open(conf);
    ScheduledThreadPoolExecutor nearRenewals = (ScheduledThreadPoolExecutor) near.leaseRenewals();
    ScheduledThreadPoolExecutor farRenewals = (ScheduledThreadPoolExecutor) far.leaseRenewals();
    try (FSDataOutputStream out = fs.create(FILE)) {
      assertEquals(0, nearRenewals.getQueue().size());
      out.write(1);
      out.hsync();
      assertEquals(1, nearRenewals.getQueue().size());
      assertEquals(1, farRenewals.getQueue().size());
    }
    assertEquals(0, nearRenewals.getQueue().size());
    near.close();
    far.close();
    assertFalse(farRenewals.isShutdown());
    other.close();
    assertTrue(farRenewals.isShutdown());
    assertEquals(0, farRenewals.getQueue().size(), "renewals of what was left open");
    assertFalse(nearRenewals.isShutdown());
    abandoned.abort();
  }

  @Test
  void openFileAsksForTheBytesPlacesAndNothingElse() throws Exception {
    byte[] content = bytes(3 * MIB, 1);
    write(FILE, content);
    FileStatus status = fs.getFileStatus(FILE);
    for (String policy : List.of("random", "whole-file", "adaptive", "no-such, sequential")) {
      long before = calls();
      try (FSDataInputStream in =
          fs.openFile(FILE)
              .withFileStatus(status)
              .opt("fs.option.openfile.read.policy", policy)
              .must("fs.option.openfile.length", "" + status.getLen())
              .build()
              .get()) {
        assertArrayEquals(content, in.readAllBytes(), policy);
      }
      assertEquals(1, calls() - before, policy);
    }
    write(FILE, bytes(10, 2));
    assertInstanceOf(
        PathIOException.class,
        assertThrows(
                ExecutionException.class,
                () -> fs.openFile(FILE).withFileStatus(status).build().get())
            .getCause());
    assertThrows(
        IllegalArgumentException.class,
        () -> fs.openFile(FILE).must("fs.option.openfile.magic", "x").build());
    assertEquals(ReadPolicy.RANDOM, ReadPolicy.of(List.of("unheard-of", "parquet", "csv")));
  }

  @Test
  void bulkDeleteTakesOneCallForAPage() throws IOException {
    List<Path> paths = new ArrayList<>();
    for (int i = 0; i < 500; i++) {
      paths.add(new Path(fs.getUri() + "/d/f" + i));
      putByS3("d/f" + i, ObjectMetadata.getDefaultInstance());
    }
    write(new Path("/d/sub/there"), bytes(1, 1));
    fs.mkdirs(new Path("/d/empty"));
    try (BulkDelete bulk = fs.createBulkDelete(new Path("/d"))) {
      assertEquals(1_000, bulk.pageSize());
      long before = calls();
      assertEquals(List.of(), bulk.bulkDelete(paths));
      assertEquals(3, calls() - before, "the directory's marker looked for and put, the deletion");
      assertEquals(List.of(), bulk.bulkDelete(paths), "what is gone is deleted");
      Path sub = new Path(fs.getUri() + "/d/sub");
      Path empty = new Path(fs.getUri() + "/d/empty");
      List<Map.Entry<Path, String>> failed = bulk.bulkDelete(List.of(sub, empty));
      assertEquals(List.of(sub), failed.stream().map(Map.Entry::getKey).toList());
      assertTrue(fs.getFileStatus(empty).isDirectory(), "directories stay");
      before = calls();
      Path gone = new Path(fs.getUri() + "/d/gone/deeper/f");
      Path alsoGone = new Path(fs.getUri() + "/d/gone/deeper/g");
      assertEquals(List.of(), bulk.bulkDelete(List.of(gone, alsoGone)));
      assertEquals(2, calls() - before, "a look for the directory, the deletion");
      assertFalse(fs.exists(new Path("/d/gone")), "a directory that was not there was made");
      Path elsewhere = new Path(fs.getUri() + "/e/f");
      assertThrows(IllegalArgumentException.class, () -> bulk.bulkDelete(List.of(elsewhere)));
    }
    assertEquals(2, fs.listStatus(new Path("/d")).length);
  }

  /** As a directory that the caller may not look at: the twins ask nobody. */
  @Test
  void whatMayNotBeReachedFailsByItselfInABulk() throws IOException {
    write(new Path("/open/f"), bytes(1, 1));
    write(new Path("/closed/f"), bytes(1, 1));
    Path snapshot = fs.createSnapshot(new Path("/"), "then");
    twins.closed = "closed/";
    Path open = new Path(fs.getUri() + "/open/f");
    List<Path> closed = List.of(new Path(fs.getUri() + "/closed/f"), new Path(snapshot, "open/f"));
    try (BulkDelete bulk = fs.createBulkDelete(new Path("/"))) {
      List<Map.Entry<Path, String>> failed =
          bulk.bulkDelete(List.of(closed.get(0), open, closed.get(1)));
      assertEquals(
          Set.copyOf(closed), failed.stream().map(Map.Entry::getKey).collect(Collectors.toSet()));
    } finally {
      twins.closed = null;
    }
    assertFalse(fs.exists(open));
    assertTrue(fs.exists(closed.get(0)));
  }

  @Test
  void listingsWithPlacesOutliveFilesThatGoOrMayNotBeRead() throws IOException {
    Configuration conf = twins.configuration();
    conf.set("stowage.fs.block-size", "1m");
    try (FileSystem blocks = FileSystem.newInstance(URI.create("stow://b"), conf)) {
      for (String name : List.of("gone", "moved", "replaced", "stays", "unreadable")) {
        write(new Path("/large/" + name), bytes(3 * MIB, 1));
      }
      RemoteIterator<LocatedFileStatus> listed = blocks.listLocatedStatus(new Path("/large"));
      assertTrue(fs.delete(new Path("/large/gone"), false));
      assertTrue(fs.rename(new Path("/large/moved"), new Path("/elsewhere")));
      write(new Path("/large/replaced"), bytes(10, 2));
      twins.closed = "large/unreadable";
      Map<String, Integer> places = new TreeMap<>();
      while (listed.hasNext()) {
        LocatedFileStatus one = listed.next();
        BlockLocation[] all = one.getBlockLocations();
        BlockLocation last = all[all.length - 1];
        assertEquals(3 * MIB, last.getOffset() + last.getLength(), one.getPath().toString());
        places.put(one.getPath().getName(), all.length);
      }
      assertEquals(
          Map.of("gone", 1, "moved", 1, "replaced", 1, "stays", 3, "unreadable", 1), places);
      FileStatus unreadable =
          new FileStatus(3 * MIB, false, 1, MIB, 0, new Path("stow://b/large/unreadable"));
      assertThrows(
          AccessControlException.class,
          () -> blocks.getFileBlockLocations(unreadable, 0, 3 * MIB),
          "who asks for them alone is told");
    } finally {
      twins.closed = null;
    }
  }

  @Test
  void roomIsWhatTheQuotaLeaves() throws IOException {
    write(FILE, bytes(1_000, 1));
    assertEquals(1_000, fs.getStatus().getUsed());
    assertEquals(Long.MAX_VALUE, fs.getStatus(FILE).getCapacity());
    fs.setQuota(new Path("/"), Long.MAX_VALUE, 5_000);
    assertEquals(5_000, fs.getStatus(FILE).getCapacity());
    assertEquals(4_000, fs.getStatus(FILE).getRemaining());
    fs.setQuota(new Path("/"), Long.MAX_VALUE, 600);
    assertEquals(0, fs.getStatus().getRemaining());
  }

  @Test
  void theClassForOlderHadoopsDeletesOneByOne() throws IOException {
    assertInstanceOf(NewerStowageFileSystem.class, fs);
    try (StowageFileSystem older = new StowageFileSystem()) {
      older.initialize(URI.create("stow://b"), twins.configuration());
      assertEquals(1, older.createBulkDelete(new Path("/d")).pageSize());
    }
  }

  @Test
  void createFileIsConditionalWhereItIsAskedToBe() throws IOException {
    fs.mkdirs(FILE.getParent());
    FSDataOutputStream first =
        (FSDataOutputStream)
            fs.createFile(FILE).must("fs.option.create.conditional.overwrite", true).build();
    FSDataOutputStream second =
        (FSDataOutputStream)
            fs.createFile(FILE).must("fs.option.create.conditional.overwrite", true).build();
    first.write(1);
    first.close();
    second.write(2);
    assertThrows(FileAlreadyExistsException.class, second::close);
    assertArrayEquals(new byte[] {1}, read(FILE));

    String etag = assertInstanceOf(EtagSource.class, fs.getFileStatus(FILE)).getEtag();
    FSDataOutputStream third =
        (FSDataOutputStream)
            fs.createFile(FILE)
                .must("fs.option.create.conditional.overwrite.etag", etag)
                .opt("fs.option.create.content.type", "text/plain")
                .build();
    FSDataOutputStream fourth =
        (FSDataOutputStream)
            fs.createFile(FILE).must("fs.option.create.conditional.overwrite.etag", etag).build();
    third.write(3);
    third.close();
    fourth.write(4);
    assertThrows(PathIOException.class, fourth::close);
    assertArrayEquals(new byte[] {3}, read(FILE));
    assertEquals(
        "text/plain", new String(fs.getXAttr(FILE, "header.Content-Type"), StandardCharsets.UTF_8));

    assertThrows(
        FileAlreadyExistsException.class, () -> fs.createFile(FILE).overwrite(false).build());
    assertThrows(
        FileNotFoundException.class, () -> fs.createFile(new Path("/missing/f")).build().close());
    fs.createFile(new Path("/missing/f")).recursive().build().close();
    assertThrows(
        IllegalArgumentException.class,
        () -> fs.createFile(FILE).must("fs.option.create.magic", true).build());
    assertThrows(
        IllegalArgumentException.class,
        () -> fs.createFile(FILE).must("fs.option.create.in.close", true).build(),
        "it looks, and refuses, before");
  }

  @Test
  void filesInOneDirectoryLookForItOnce() throws IOException {
    fs.mkdirs(FILE.getParent());
    long before = calls();
    fs.create(FILE, false).close();
    assertEquals(3, calls() - before, "what has that name, the parent, the put");
    before = calls();
    fs.create(new Path("/d/g"), false).close();
    assertEquals(2, calls() - before);
    assertTrue(fs.delete(FILE.getParent(), true));
    fs.create(FILE.getParent()).close();
    assertThrows(ParentNotDirectoryException.class, () -> fs.create(FILE), "/d is a file now");
  }

  private interface Operation {
    Object run() throws IOException;
  }

  private void assertCalls(int expected, Object result, Operation operation) throws IOException {
    long before = calls();
    assertEquals(result, operation.run());
    assertEquals(expected, calls() - before);
  }

  /** Whether it is a file, a directory with a marker or without one, or nothing. */
  @Test
  void aLookAtAPathIsOneCall() throws IOException {
    write(FILE, bytes(10, 1));
    putByS3("implied/f", ObjectMetadata.getDefaultInstance());
    assertTrue(fs.mkdirs(new Path("/made")));
    assertCalls(1, 10L, () -> fs.getFileStatus(FILE).getLen());
    assertCalls(1, true, () -> fs.getFileStatus(new Path("/implied")).isDirectory());
    assertCalls(1, true, () -> fs.getFileStatus(new Path("/made")).isDirectory());
    assertCalls(1, false, () -> fs.exists(new Path("/nothing")));
    assertCalls(1, true, () -> fs.mkdirs(new Path("/made")));
    assertCalls(3, true, () -> fs.mkdirs(new Path("/made/below"))); // its parent, the marker
    assertCalls(1, false, () -> fs.delete(new Path("/nothing"), false));
    // The file, its new name, that one's parent; the old one's listing and marker; the rename.
    assertCalls(6, true, () -> fs.rename(new Path("/implied/f"), new Path("/made/g")));
    assertCalls(5, true, () -> fs.rename(new Path("/made/g"), new Path("/implied/f")));
  }

  @Test
  void checksumsAreTheCrcOfAllBytesWhereTheSettingAsksForThem() throws IOException {
    byte[] content = bytes(2 * MIB + 3, 1);
    write(FILE, content);
    assertNull(fs.getFileChecksum(FILE));
    assertFalse(fs.hasPathCapability(FILE, CommonPathCapabilities.FS_CHECKSUMS));
    putByS3("d/empty", ObjectMetadata.getDefaultInstance());
    Configuration conf = twins.configuration();
    conf.set("dfs.checksum.combine.mode", "COMPOSITE_CRC");
    try (FileSystem comparing = FileSystem.newInstance(URI.create("stow://b"), conf)) {
      assertTrue(comparing.hasPathCapability(FILE, CommonPathCapabilities.FS_CHECKSUMS));
      long before = counter(FsStatistics.CALLS);
      assertChecksum(content, content.length, comparing.getFileChecksum(FILE));
      assertEquals(before, counter(FsStatistics.CALLS), "counters are each FileSystem's own");
      assertChecksum(content, 1000, comparing.getFileChecksum(FILE, 1000));
      assertEquals( // as HDFS says it
          "MD5-of-0MD5-of-0CRC32:70bc8f4b72a86921468bf8e8441dce51",
          comparing.getFileChecksum(new Path("/d/empty")).toString());
      assertThrows(
          FileNotFoundException.class, () -> comparing.getFileChecksum(new Path("/missing")));
    }
  }

  private static void assertChecksum(byte[] content, int length, FileChecksum checksum) {
    CRC32C crc = new CRC32C();
    crc.update(content, 0, length);
    assertEquals("COMPOSITE-CRC32C", checksum.getAlgorithmName());
    assertArrayEquals(
        ByteBuffer.allocate(4).putInt((int) crc.getValue()).array(), checksum.getBytes());
  }

  @Test
  void attributesAreKeptOfFilesAndOfDirectoriesThatNobodyMade() throws IOException {
    write(FILE, bytes(10, 1));
    Path directory = FILE.getParent();
    assertEquals("rw-r--r--", fs.getFileStatus(FILE).getPermission().toString(), "umask 022");
    assertEquals("rwxrwxrwx", fs.getFileStatus(directory).getPermission().toString());
    for (Path path : List.of(FILE, directory)) {
      fs.setPermission(path, new FsPermission("1750"));
      fs.setOwner(path, "ann", null);
      fs.setOwner(path, null, "staff");
      fs.setTimes(path, 1_000_000_000_123L, 0);
      fs.setTimes(path, -1, 1_000_000_000_456L);
      FileStatus status = fs.getFileStatus(path);
      assertEquals("rwxr-x--T", status.getPermission().toString());
      assertEquals("ann", status.getOwner());
      assertEquals("staff", status.getGroup());
      assertEquals(1_000_000_000_123L, status.getModificationTime());
      assertEquals(1_000_000_000_456L, status.getAccessTime());
      FileStatus listed = fs.listStatus(path.getParent())[0];
      assertEquals(status.toString(), listed.toString(), "as it is listed");
    }
    assertTrue(fs.rename(directory, new Path("/e")));
    assertEquals("ann", fs.getFileStatus(new Path("/e")).getOwner());
    assertEquals("staff", fs.getFileStatus(new Path("/e/f")).getGroup());
    assertArrayEquals(bytes(10, 1), read(new Path("/e/f")));

    fs.setTimes(new Path("/e/f"), 0, -1);
    assertEquals(0, fs.getFileStatus(new Path("/e/f")).getModificationTime());
    fs.setPermission(new Path("/"), new FsPermission("700")); // as tools do that preserve
    assertThrows(FileNotFoundException.class, () -> fs.setTimes(FILE, 1, 1));
    assertThrows(
        IllegalArgumentException.class,
        () -> fs.setOwner(new Path("/e/f"), "x".repeat(Attributes.LONGEST_NAME + 1), null));
  }

  @Test
  void extendedAttributesAreBoundedAndShowWhatS3Knows() throws IOException {
    putByS3(
        "d/f",
        ObjectMetadata.newBuilder()
            .putHeaders("content-type", "text/plain")
            .putUser("colour", "blue")
            .build());
    fs.setXAttr(FILE, "user.a", new byte[] {1});
    assertThrows(
        IOException.class,
        () -> fs.setXAttr(FILE, "user.a", new byte[] {2}, EnumSet.of(XAttrSetFlag.CREATE)));
    assertThrows(
        IOException.class,
        () -> fs.setXAttr(FILE, "user.b", new byte[] {2}, EnumSet.of(XAttrSetFlag.REPLACE)));
    fs.setXAttr(FILE, "user.a", new byte[] {3}, EnumSet.of(XAttrSetFlag.REPLACE));
    assertEquals(List.of("header.Content-Type", "header.colour", "user.a"), fs.listXAttrs(FILE));
    assertArrayEquals(new byte[] {3}, fs.getXAttr(FILE, "user.a"));
    assertEquals("blue", new String(fs.getXAttr(FILE, "header.colour"), StandardCharsets.UTF_8));
    assertThrows(IOException.class, () -> fs.getXAttr(FILE, "user.none"));
    assertThrows(
        IllegalArgumentException.class, () -> fs.setXAttr(FILE, "header.colour", new byte[1]));
    assertThrows(
        IOException.class,
        () -> fs.setXAttr(FILE, "user.big", new byte[Attributes.MOST_XATTR_BYTES]));
    fs.setXAttr(FILE, "user.large", new byte[Attributes.MOST_XATTR_BYTES / 2]);
    assertEquals(Attributes.MOST_XATTR_BYTES / 2, fs.getXAttr(FILE, "user.large").length);
    fs.removeXAttr(FILE, "user.a");
    assertThrows(IOException.class, () -> fs.removeXAttr(FILE, "user.a"));
    fs.setXAttr(FILE.getParent(), "user.of-directory", new byte[0]);
    assertEquals(1, fs.getXAttrs(FILE.getParent(), List.of("user.of-directory")).size());
    assertThrows(IOException.class, () -> fs.setXAttr(new Path("/"), "user.a", new byte[1]));
  }

  @Test
  void theNameSpaceOfAnAttributeIsOneInSmallLettersAndCapitals() throws IOException {
    write(FILE, bytes(1, 1));
    fs.setXAttr(FILE, "USER.Colour", new byte[] {1});
    assertEquals(List.of("user.Colour"), fs.listXAttrs(FILE));
    for (String name : List.of("user.Colour", "User.Colour", "USER.Colour")) {
      assertArrayEquals(new byte[] {1}, fs.getXAttr(FILE, name));
      assertEquals(1, fs.getXAttrs(FILE, List.of(name)).size());
      assertThrows(
          IOException.class,
          () -> fs.setXAttr(FILE, name, new byte[] {2}, EnumSet.of(XAttrSetFlag.CREATE)));
    }
    assertThrows(IOException.class, () -> fs.getXAttr(FILE, "user.colour"), "the rest is not");
    fs.setXAttr(FILE, "Trusted.a", new byte[] {3});
    fs.removeXAttr(FILE, "uSER.Colour");
    assertEquals(List.of("trusted.a"), fs.listXAttrs(FILE));
    for (String name : List.of("raw.a", "system.a", "security.a", "user.", "user", "userx.a")) {
      assertThrows(
          IllegalArgumentException.class, () -> fs.setXAttr(FILE, name, new byte[1]), name);
    }
    assertThrows(IllegalArgumentException.class, () -> fs.getXAttrs(FILE, List.of()));
  }

  private List<String> acl(Path path) throws IOException {
    return fs.getAclStatus(path).getEntries().stream().map(AclEntry::toString).toList();
  }

  @Test
  void accessListsFollowHdfsRules() throws IOException {
    Path directory = new Path("/acl");
    fs.mkdirs(directory, new FsPermission("750"));
    fs.modifyAclEntries(
        directory, AclEntry.parseAclSpec("user:ann:rwx,default:user:ben:r-x", true));
    assertEquals(
        List.of(
            "user:ann:rwx",
            "group::r-x",
            "default:user::rwx",
            "default:user:ben:r-x",
            "default:group::r-x",
            "default:mask::r-x",
            "default:other::---"),
        acl(directory));
    FileStatus status = fs.getFileStatus(directory);
    assertTrue(status.hasAcl());
    assertEquals("rwxrwx---", status.getPermission().toString(), "the mask in the middle");

    Path file = new Path(directory, "f");
    write(file, bytes(1, 1));
    assertEquals(List.of("user:ben:r-x", "group::r-x"), acl(file));
    assertEquals("rw-r-----", fs.getFileStatus(file).getPermission().toString());
    Path below = new Path(directory, "below");
    fs.mkdirs(below);
    assertEquals(acl(directory).subList(2, 7), acl(below).subList(2, 7));

    fs.setPermission(file, new FsPermission("770")); // the middle bits are the mask
    assertEquals(List.of("user:ben:r-x", "group::r-x"), acl(file));
    fs.removeAclEntries(file, AclEntry.parseAclSpec("user:ben", false));
    assertEquals(List.of(), acl(file));
    assertFalse(fs.getFileStatus(file).hasAcl());
    assertEquals("rwxr-x---", fs.getFileStatus(file).getPermission().toString());

    fs.removeDefaultAcl(directory);
    assertEquals(List.of("user:ann:rwx", "group::r-x"), acl(directory));
    fs.setAcl(directory, AclEntry.parseAclSpec("user::rwx,group::---,other::--x", true));
    assertEquals("rwx-----x", fs.getFileStatus(directory).getPermission().toString());
    assertEquals(List.of(), acl(directory));
    assertThrows(
        IOException.class, () -> fs.setAcl(directory, AclEntry.parseAclSpec("user:ann:rwx", true)));
    assertThrows(
        IOException.class,
        () -> fs.modifyAclEntries(file, AclEntry.parseAclSpec("default:user:ann:rwx", true)));
    fs.modifyAclEntries(directory, AclEntry.parseAclSpec("group:staff:r--", true));
    fs.removeAcl(directory);
    assertEquals("rwx-----x", fs.getFileStatus(directory).getPermission().toString());
  }

  @Test
  void pathHandlesFindOneContentAtOnePath() throws IOException {
    write(FILE, bytes(10, 1));
    FileStatus status = fs.getFileStatus(FILE);
    PathHandle exact = fs.getPathHandle(status, Options.HandleOpt.exact());
    PathHandle any = new RawPathHandle(fs.getPathHandle(status, Options.HandleOpt.path()));
    fs.setOwner(FILE, "ann", null); // no other content
    try (FSDataInputStream in = fs.open(exact)) {
      assertArrayEquals(bytes(10, 1), in.readAllBytes());
    }
    write(FILE, bytes(10, 2));
    assertThrows(InvalidPathHandleException.class, () -> fs.open(exact));
    try (FSDataInputStream in = fs.open(any)) {
      assertArrayEquals(bytes(10, 2), in.readAllBytes());
    }
    // Who may not read a file is not told whose write it is: his handle names no content.
    ByteString none = StowagePathHandle.contentOf(ObjectVersion.getDefaultInstance());
    String key = FILE.toUri().getPath().substring(1);
    PathHandle shut = new RawPathHandle(new StowagePathHandle(key, none));
    String why = assertThrows(InvalidPathHandleException.class, () -> fs.open(shut)).getMessage();
    assertTrue(why.contains("/" + key + " is another file"), why);
    fs.delete(FILE, false);
    assertThrows(InvalidPathHandleException.class, () -> fs.open(any));
    assertThrows(
        InvalidPathHandleException.class,
        () -> fs.open(new RawPathHandle(ByteBuffer.wrap(new byte[] {1, 0, 3}))));
    assertThrows(
        UnsupportedOperationException.class,
        () -> fs.getPathHandle(status, Options.HandleOpt.reference()));
  }

  @Test
  void deletedThingsGoToTheTrashAndLeaveItWhenItIsEmptied() throws Exception {
    write(FILE, bytes(10, 1));
    Configuration conf = new Configuration(twins.configuration());
    conf.set("fs.trash.interval", "60");
    conf.set("fs.defaultFS", fs.getUri().toString());
    assertTrue(new Trash(fs, conf).moveToTrash(FILE));
    assertFalse(fs.exists(FILE));
    Path trash = fs.getTrashRoot(FILE);
    Path kept = new Path(trash, "Current/d/f");
    assertArrayEquals(bytes(10, 1), read(kept));
    assertEquals(0, ToolRunner.run(conf, new FsShell(), new String[] {"-expunge"}));
    assertFalse(fs.exists(kept));
    FileStatus[] checkpoints = fs.listStatus(trash);
    assertEquals(1, checkpoints.length, "too young to go");
    assertArrayEquals(bytes(10, 1), read(new Path(checkpoints[0].getPath(), "d/f")));
    assertEquals(0, ToolRunner.run(conf, new FsShell(), new String[] {"-expunge", "-immediate"}));
    assertEquals(0, fs.listStatus(trash).length);
  }

  @Test
  void capabilitiesTellTheTruth() throws Exception {
    for (String yes :
        List.of(
            CommonPathCapabilities.FS_APPEND,
            CommonPathCapabilities.ETAGS_AVAILABLE,
            CommonPathCapabilities.ETAGS_PRESERVED_IN_RENAME,
            CommonPathCapabilities.FS_ACLS,
            CommonPathCapabilities.FS_MULTIPART_UPLOADER,
            CommonPathCapabilities.FS_PATHHANDLES,
            CommonPathCapabilities.FS_PERMISSIONS,
            CommonPathCapabilities.FS_SNAPSHOTS,
            CommonPathCapabilities.FS_XATTRS,
            CommonPathCapabilities.BULK_DELETE,
            "fs.option.create.conditional.overwrite",
            "fs.option.create.conditional.overwrite.etag")) {
      assertTrue(fs.hasPathCapability(FILE, yes), yes);
    }
    for (String no :
        List.of(
            "fs.option.create.in.close",
            CommonPathCapabilities.FS_CONCAT,
            CommonPathCapabilities.FS_TRUNCATE,
            CommonPathCapabilities.FS_SYMLINKS,
            CommonPathCapabilities.FS_STORAGEPOLICY,
            CommonPathCapabilities.LEASE_RECOVERABLE, // of the one behind it: LeaseRecovery
            CommonPathCapabilities.FS_READ_ONLY_CONNECTOR,
            CommonPathCapabilities.DIRECTORY_LISTING_INCONSISTENT)) {
      assertFalse(fs.hasPathCapability(FILE, no), no);
    }
    byte[] content = bytes(100, 1);
    write(FILE, content);
    try (FSDataInputStream in = fs.open(FILE)) {
      assertTrue(in.hasCapability(StreamCapabilities.VECTOREDIO));
      FileRange range = FileRange.createFileRange(7, 10);
      in.readVectored(List.of(range), ByteBuffer::allocate);
      assertEquals(
          ByteBuffer.wrap(content, 7, 10).slice(), range.getData().get(30, TimeUnit.SECONDS));
      assertTrue(in.hasCapability(StreamCapabilities.READBYTEBUFFER));
      ByteBuffer target = ByteBuffer.allocate(10);
      assertEquals(10, in.read(target));
      assertTrue(in.hasCapability(StreamCapabilities.UNBUFFER));
      in.unbuffer();
      assertTrue(in.hasCapability(StreamCapabilities.PREADBYTEBUFFER));
      target.clear();
      assertEquals(10, in.read(50, target));
      assertEquals(ByteBuffer.wrap(content, 50, 10).slice(), target.flip());
      assertTrue(in.hasCapability(StreamCapabilities.IOSTATISTICS));
      assertEquals(
          1, in.getIOStatistics().counters().get(FsStatistics.VECTORED_OPERATIONS).longValue());

      assertFalse(in.hasCapability(StreamCapabilities.READAHEAD));
      assertThrows(UnsupportedOperationException.class, () -> in.setReadahead(1L << 20));
      assertFalse(in.hasCapability(StreamCapabilities.DROPBEHIND));
      assertThrows(UnsupportedOperationException.class, () -> in.setDropBehind(true));
    }
  }

  @Test
  void tenThousandOpenStreamsKeepToTheBoundAndToAFewThreads() throws IOException {
    int count = 10_000;
    byte[] content = bytes(16 << 10, 1);
    write(FILE, content);
    // This process's pieces may take a few MiB only.
    ClusterConnection cluster = ClusterConnection.open(twins.configuration());
    PieceMemory memory = cluster.pieceMemory();
    long bound = memory.limit(8L * MIB);
    int threads = Thread.activeCount();
    List<FSDataInputStream> streams = new ArrayList<>();
    try {
      for (int i = 0; i < count; i++) {
        FSDataInputStream in = fs.open(FILE);
        streams.add(in);
        in.seek(i);
        assertEquals(content[i] & 0xff, in.read());
        assertTrue(memory.bytes() <= 10L * MIB, () -> memory.bytes() + " bytes are kept");
      }
      assertTrue(Thread.activeCount() <= threads + 40, () -> Thread.activeCount() + " threads");
      for (int i = 0; i < count; i += 97) { // those that lost their piece read on
        byte[] got = new byte[200];
        streams.get(i).readFully(got);
        assertArrayEquals(Arrays.copyOfRange(content, i + 1, i + 201), got);
      }
    } finally {
      for (FSDataInputStream in : streams) {
        in.close();
      }
      cluster.close();
      memory.limit(bound);
    }
    assertEquals(0, memory.bytes(), "bytes kept of streams that are closed");
  }

  @Test
  void aReadIntoWhatCannotBeWrittenLosesNothing() throws IOException {
    byte[] content = bytes(2 * MIB, 1);
    write(FILE, content);
    try (ClusterConnection cluster = ClusterConnection.open(twins.configuration())) {
      PieceMemory memory = cluster.pieceMemory();
      try (FSDataInputStream in = fs.open(FILE)) {
        ByteBuffer target = ByteBuffer.allocate(100).asReadOnlyBuffer();
        assertThrows(ReadOnlyBufferException.class, () -> in.read(target)); // its first piece
        assertEquals(content[0] & 0xff, in.read());
        long kept = memory.bytes();
        assertThrows(ReadOnlyBufferException.class, () -> in.read(target));
        assertEquals(100, target.remaining());
        assertEquals(1, in.getPos());
        assertEquals(kept, memory.bytes());
        assertArrayEquals(Arrays.copyOfRange(content, 1, content.length), in.readAllBytes());
      }
      assertEquals(0, memory.bytes(), "bytes kept of streams that are closed");
    }
  }

  @Test
  void outputStreamsGatherShortChunksWhereLongOnesAreTooMany() throws IOException {
    int count = 200;
    byte[] content = bytes(3 * StowageOutputStream.SHORT_CHUNK_BYTES, 1);
    ClusterConnection cluster = ClusterConnection.open(twins.configuration());
    PieceMemory memory = cluster.pieceMemory();
    long bound = memory.limit(8L * MIB);
    List<FSDataOutputStream> streams = new ArrayList<>();
    try {
      for (int i = 0; i < count; i++) {
        FSDataOutputStream out = fs.create(new Path("/gathering/f" + i));
        streams.add(out);
        out.write(content);
      }
      assertEquals(4L * MIB, memory.bytes(), "half of the bound");
      // The others' bytes are the data path's already.
      assertEquals(count - 4, twins.dataPath.openWriters());
      write(FILE, content); // who gets a long chunk later
      for (FSDataOutputStream out : streams.subList(0, 2)) {
        out.abort();
      }
      streams.get(2).hsync();
      assertEquals(MIB, memory.bytes());
      write(FILE, bytes(5 * MIB, 2));
    } finally {
      for (FSDataOutputStream out : streams) {
        out.close();
      }
      cluster.close();
      memory.limit(bound);
    }
    assertEquals(0, memory.bytes(), "bytes kept of streams that are closed");
    for (int i = 2; i < count; i++) {
      try (FSDataInputStream in = fs.open(new Path("/gathering/f" + i))) {
        assertArrayEquals(content, in.readAllBytes());
      }
    }
    assertFalse(fs.exists(new Path("/gathering/f0")));
    try (FSDataInputStream in = fs.open(FILE)) {
      assertArrayEquals(bytes(5 * MIB, 2), in.readAllBytes());
    }
  }

  @Test
  void allUsersOfAProcessShareOneBound() throws Exception {
    ClusterConnection cluster = ClusterConnection.open(twins.configuration());
    PieceMemory memory = cluster.pieceMemory();
    long bound = memory.limit(8L * MIB);
    byte[] content = bytes(3 * StowageOutputStream.SHORT_CHUNK_BYTES, 1);
    write(FILE, bytes(16 << 10, 2));
    List<FileSystem> users = new ArrayList<>();
    List<AutoCloseable> streams = new ArrayList<>();
    try {
      for (int user = 0; user < 5; user++) {
        FileSystem files =
            UserGroupInformation.createRemoteUser("user" + user)
                .doAs((PrivilegedExceptionAction<FileSystem>) () -> twins.open("b"));
        users.add(files);
        for (int i = 0; i < 4; i++) {
          FSDataOutputStream out = files.create(new Path("/shared/" + user + "-" + i));
          streams.add(out);
          out.write(content);
        }
        for (int i = 0; i < 400; i++) {
          FSDataInputStream in = files.open(FILE);
          streams.add(in);
          assertTrue(in.read() >= 0);
        }
        assertTrue(memory.bytes() <= 10L * MIB, () -> memory.bytes() + " bytes are kept");
      }
      // Each would have had these for his own four streams.
      assertEquals(20 - 4, twins.dataPath.openWriters());
    } finally {
      for (AutoCloseable stream : streams) {
        stream.close();
      }
      for (FileSystem files : users) {
        files.close();
      }
      cluster.close();
      memory.limit(bound);
    }
    assertEquals(0, memory.bytes(), "bytes kept of streams that are closed");
  }

  /** Of files that are written, some of them synced, so that their leases have to be renewed. */
  @Test
  void tenThousandOpenFilesAreWrittenByAFewThreads() throws IOException {
    int count = 10_000;
    int threads = Thread.activeCount();
    List<FSDataOutputStream> streams = new ArrayList<>();
    try {
      for (int i = 0; i < count; i++) {
        FSDataOutputStream out = fs.create(new Path("/open/f" + i));
        streams.add(out);
        out.write(i);
        if (i % 20 == 0) {
          out.hsync();
        }
      }
      assertTrue(Thread.activeCount() <= threads + 40, () -> Thread.activeCount() + " threads");
      for (int i = 0; i < count; i++) {
        FSDataOutputStream out = streams.get(i);
        out.write(i >> 8);
        if (i % 10 != 0) {
          out.abort(); // a thousand commits show as much as ten thousand
        }
      }
    } finally {
      for (FSDataOutputStream out : streams) {
        out.close();
      }
    }
    assertEquals(count / 10, fs.listStatus(new Path("/open")).length);
    for (int i = 0; i < count; i += 970) {
      try (FSDataInputStream in = fs.open(new Path("/open/f" + i))) {
        assertArrayEquals(new byte[] {(byte) i, (byte) (i >> 8)}, in.readAllBytes());
      }
    }
  }
}
