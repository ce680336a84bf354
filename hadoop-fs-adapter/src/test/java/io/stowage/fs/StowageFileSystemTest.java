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
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.stowage.common.conf.Keys;
import io.stowage.common.error.ErrorCode;
import io.stowage.common.error.StoreException;
import io.stowage.common.id.WriteId;
import io.stowage.common.proto.GetObjectRequest;
import io.stowage.common.proto.ListObjectsRequest;
import io.stowage.common.proto.ObjectVersion;
import io.stowage.common.proto.PutObjectRequest;
import java.io.ByteArrayInputStream;
import java.io.FileNotFoundException;
import java.io.IOException;
import java.net.URI;
import java.nio.ByteBuffer;
import java.security.MessageDigest;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.EnumSet;
import java.util.HashSet;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.Set;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.BlockLocation;
import org.apache.hadoop.fs.CommonPathCapabilities;
import org.apache.hadoop.fs.CreateFlag;
import org.apache.hadoop.fs.EtagSource;
import org.apache.hadoop.fs.FSDataInputStream;
import org.apache.hadoop.fs.FSDataOutputStream;
import org.apache.hadoop.fs.FileAlreadyExistsException;
import org.apache.hadoop.fs.FileContext;
import org.apache.hadoop.fs.FileStatus;
import org.apache.hadoop.fs.FileSystem;
import org.apache.hadoop.fs.FilterFileSystem;
import org.apache.hadoop.fs.GlobalStorageStatistics;
import org.apache.hadoop.fs.LeaseRecoverable;
import org.apache.hadoop.fs.MultipartUploader;
import org.apache.hadoop.fs.Options;
import org.apache.hadoop.fs.ParentNotDirectoryException;
import org.apache.hadoop.fs.PartHandle;
import org.apache.hadoop.fs.Path;
import org.apache.hadoop.fs.PathHandle;
import org.apache.hadoop.fs.PathIOException;
import org.apache.hadoop.fs.RemoteIterator;
import org.apache.hadoop.fs.StorageStatistics;
import org.apache.hadoop.fs.UploadHandle;
import org.apache.hadoop.fs.XAttrSetFlag;
import org.apache.hadoop.fs.permission.AclEntry;
import org.apache.hadoop.fs.permission.FsAction;
import org.apache.hadoop.fs.statistics.IOStatisticsSupport;
import org.apache.hadoop.security.AccessControlException;
import org.apache.hadoop.thirdparty.protobuf.ByteString;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** What Hadoop's contract suites do not ask: this store's own promises. */
@Timeout(60)
class StowageFileSystemTest {
  private static final int MIB = 1 << 20;

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

  private void write(String path, byte[] content) throws IOException {
    try (FSDataOutputStream out = fs.create(new Path(path))) {
      out.write(content);
    }
  }

  private byte[] read(String path) throws IOException {
    try (FSDataInputStream in = fs.open(new Path(path))) {
      return in.readAllBytes();
    }
  }

  private List<String> keys() throws IOException {
    return twins
        .objectManager
        .listObjects(ListObjectsRequest.newBuilder().setBucket("b").build())
        .getObjectsList()
        .stream()
        .map(ObjectVersion::getKey)
        .toList();
  }

  private ObjectVersion version(String key) throws IOException {
    return twins
        .objectManager
        .getObject(
            GetObjectRequest.newBuilder().setBucket("b").setKey(key).setWantManifest(true).build())
        .getVersion();
  }

  @Test
  void snapshotsAreReadBelowTheRootAndNeverChanged() throws IOException {
    Path root = new Path("/");
    write("/a/f", bytes(1_000, 1));
    write("/g", bytes(10, 2));
    Path made = fs.createSnapshot(root, "monday");
    assertEquals("/.snapshot/monday", made.toUri().getPath());
    write("/a/f", bytes(2_000, 3));
    fs.delete(new Path("/g"), false);
    write("/new", bytes(5, 4));
    assertArrayEquals(bytes(1_000, 1), read("/.snapshot/monday/a/f"));
    assertArrayEquals(bytes(10, 2), read("/.snapshot/monday/g"));
    assertArrayEquals(bytes(2_000, 3), read("/a/f"));
    assertThrows(FileNotFoundException.class, () -> read("/.snapshot/monday/new"));
    assertThrows(FileNotFoundException.class, () -> read("/.snapshot/none/g"));
    assertEquals(List.of("/.snapshot/monday/a", "/.snapshot/monday/g"), list("/.snapshot/monday"));
    assertEquals(List.of("/.snapshot/monday/a/f"), list("/.snapshot/monday/a"));
    assertEquals(List.of("/.snapshot/monday"), list("/.snapshot"));
    assertEquals(List.of("/a", "/new"), list("/"));
    assertEquals(1_000, fs.getFileStatus(new Path("/.snapshot/monday/a/f")).getLen());
    assertTrue(fs.getFileStatus(new Path("/.snapshot/monday/a")).isDirectory());
    assertFalse(fs.exists(new Path("/.snapshot/none")));
    assertThrows(AccessControlException.class, () -> write("/.snapshot/monday/a/f", bytes(1, 5)));
    assertThrows(AccessControlException.class, () -> write("/.snapshot/x", bytes(1, 5)));
    assertThrows(
        AccessControlException.class, () -> fs.delete(new Path("/.snapshot/monday"), true));
    assertThrows(AccessControlException.class, () -> fs.mkdirs(new Path("/.snapshot/monday/d")));
    assertThrows(
        AccessControlException.class,
        () -> fs.rename(new Path("/new"), new Path("/.snapshot/monday/new")));
    assertThrows(
        AccessControlException.class, () -> fs.setTimes(new Path("/.snapshot/monday/a/f"), 1, 1));
    fs.access(new Path("/.snapshot/monday/a/f"), FsAction.READ);
    assertThrows(
        AccessControlException.class,
        () -> fs.access(new Path("/.snapshot/monday/a/f"), FsAction.READ_WRITE));
    assertThrows(
        FileNotFoundException.class,
        () -> fs.access(new Path("/.snapshot/monday/new"), FsAction.READ));
    assertThrows(IOException.class, () -> fs.createSnapshot(new Path("/a"), "of-a-directory"));
    fs.renameSnapshot(root, "monday", "tuesday");
    assertArrayEquals(bytes(10, 2), read("/.snapshot/tuesday/g"));
    fs.deleteSnapshot(root, "tuesday");
    assertEquals(List.of(), list("/.snapshot"));
    assertTrue(fs.createSnapshot(root).getName().startsWith("s2"));
  }

  private List<String> list(String path) throws IOException {
    List<String> paths = new ArrayList<>();
    for (FileStatus status : fs.listStatus(new Path(path))) {
      paths.add(status.getPath().toUri().getPath());
    }
    return paths;
  }

  @Test
  void quotasAreOfTheWholeBucket() throws IOException {
    Path root = new Path("/");
    write("/a/f", bytes(1_000, 1));
    assertEquals(-1, fs.getQuotaUsage(root).getQuota());
    fs.setQuota(root, 10, Long.MAX_VALUE);
    fs.setQuota(root, Long.MAX_VALUE, 5_000);
    assertEquals(10, fs.getQuotaUsage(root).getQuota());
    assertEquals(5_000, fs.getQuotaUsage(root).getSpaceQuota());
    assertEquals(1_000, fs.getQuotaUsage(root).getSpaceConsumed());
    assertEquals(5_000, fs.getContentSummary(root).getSpaceQuota());
    assertEquals(1_000, fs.getContentSummary(root).getLength());
    assertEquals(1_000, fs.getQuotaUsage(new Path("/a")).getSpaceConsumed());
    assertThrows(IOException.class, () -> fs.setQuota(new Path("/a"), 1, 1));
    fs.setQuota(root, -1, -1);
    assertEquals(-1, fs.getContentSummary(root).getQuota());
    assertEquals(-1, fs.getQuotaUsage(root).getSpaceQuota());
  }

  @Test
  void readsBackFilesOfEverySizeAroundItsChunks() throws Exception {
    for (int size : new int[] {0, 1, 4095, 128 << 10, MIB - 1, MIB, MIB + 1, 8 * MIB}) {
      byte[] content = bytes(size, size);
      write("/d/f" + size, content);
      assertArrayEquals(content, read("/d/f" + size), size + " bytes");
      FileStatus status = fs.getFileStatus(new Path("/d/f" + size));
      assertEquals(size, status.getLen());
      assertEquals(
          HexFormat.of().formatHex(MessageDigest.getInstance("MD5").digest(content)),
          assertInstanceOf(EtagSource.class, status).getEtag());
    }
  }

  @Test
  void aFileThatIsNotHashedHasAnotherEtagEachTime() throws IOException {
    Set<String> etags = new HashSet<>();
    for (int size : new int[] {8 * MIB + 1, 9 * MIB + 17, 9 * MIB + 17}) {
      byte[] content = bytes(size, size);
      write("/f", content);
      assertArrayEquals(content, read("/f"));
      String etag = etag("/f");
      assertTrue(etag.matches("[0-9a-f]{32}-1"), etag);
      assertTrue(etags.add(etag), etag);
    }
    String etag = etag("/f");
    assertTrue(fs.rename(new Path("/f"), new Path("/moved")));
    assertEquals(etag, etag("/moved"));
    fs.append(new Path("/moved")).close();
    assertEquals(etag, etag("/moved"), "nothing was added");
    FSDataOutputStream matching = ifMatch("/moved", etag);
    FSDataOutputStream late = ifMatch("/moved", etag);
    matching.write(bytes(9 * MIB, 1));
    matching.close();
    late.write(1);
    assertThrows(PathIOException.class, late::close);
    assertEquals(9 * MIB, fs.getFileStatus(new Path("/moved")).getLen());
  }

  @Test
  void aLargeFileHasTheSameEtagWhetherItIsSyncedOrNot() throws IOException {
    Path path = new Path("/f");
    byte[] content = bytes(9 * MIB, 1);
    String etag;
    try (FSDataOutputStream out = fs.create(path)) {
      out.write(content);
      out.hsync();
      etag = etag("/f");
    }
    assertEquals(etag, etag("/f"), "nothing was added");
    ByteString mark = WriteId.mark(version("f").getWriteId(), content.length);
    assertEquals(WriteId.toHex(mark) + "-1", etag);
    assertArrayEquals(content, read("/f"));
  }

  private String etag(String path) throws IOException {
    return assertInstanceOf(EtagSource.class, fs.getFileStatus(new Path(path))).getEtag();
  }

  private FSDataOutputStream ifMatch(String path, String etag) throws IOException {
    return (FSDataOutputStream)
        fs.createFile(new Path(path))
            .must("fs.option.create.conditional.overwrite.etag", etag)
            .build();
  }

  @Test
  void mixesSequentialAndPositionedReadsAndSeeks() throws IOException {
    byte[] content = bytes(7 * MIB + 333, 5);
    write("/f", content);
    Random random = new Random(42);
    try (FSDataInputStream in = fs.open(new Path("/f"))) {
      long position = 0;
      for (int i = 0; i < 400; i++) {
        int count = 1 + random.nextInt(i % 50 == 0 ? 3 * MIB : 60_000);
        switch (random.nextInt(4)) {
          case 0 -> {
            position = random.nextInt(content.length);
            in.seek(position);
          }
          case 1 -> {
            int from = random.nextInt(content.length);
            int some = Math.min(count, content.length - from);
            byte[] target = new byte[some];
            in.readFully(from, target);
            assertArrayEquals(Arrays.copyOfRange(content, from, from + some), target);
            assertEquals(position, in.getPos(), "a positioned read moved the stream");
          }
          case 2 -> {
            ByteBuffer target = ByteBuffer.allocateDirect(count);
            int some = in.read(target);
            if (position == content.length) {
              assertEquals(-1, some);
            } else {
              target.flip();
              byte[] got = new byte[some];
              target.get(got);
              assertArrayEquals(
                  Arrays.copyOfRange(content, (int) position, (int) position + some), got);
              position += some;
            }
          }
          default -> {
            byte[] got = in.readNBytes(count);
            int end = (int) Math.min(position + count, content.length);
            assertArrayEquals(Arrays.copyOfRange(content, (int) position, end), got);
            position = end;
          }
        }
        assertEquals(position, in.getPos());
      }
    }
  }

  @Test
  void followsTheBytesOfItsVersionWhenTheyAreRewritten() throws IOException {
    byte[] content = bytes(9 * MIB, 1);
    write("/f", content);
    try (FSDataInputStream in = fs.open(new Path("/f"))) {
      byte[] start = in.readNBytes(MIB);
      twins.objectManager.repack("b", "f", twins.dataPath::repack);
      byte[] rest = in.readAllBytes();
      assertArrayEquals(Arrays.copyOf(content, MIB), start);
      assertArrayEquals(Arrays.copyOfRange(content, MIB, content.length), rest);
    }
  }

  @Test
  void neverMixesTwoVersionsInOneStream() throws IOException {
    byte[] first = bytes(9 * MIB, 1);
    write("/f", first);
    try (FSDataInputStream in = fs.open(new Path("/f"))) {
      assertArrayEquals(Arrays.copyOf(first, 1000), in.readNBytes(1000));
      long lastContainer = version("f").getManifest().getExtents(2).getContainer();
      write("/f", bytes(9 * MIB, 2));
      // what is still there is read on
      byte[] there = new byte[MIB];
      in.readFully(MIB, there);
      assertArrayEquals(Arrays.copyOfRange(first, MIB, 2 * MIB), there);
      twins.dataPath.dropContainer(lastContainer);
      FileNotFoundException gone =
          assertThrows(FileNotFoundException.class, () -> in.readFully(8 * MIB + 1, there, 0, 10));
      assertTrue(gone.getMessage().contains("replaced"), gone.getMessage());
    }
  }

  @Test
  void storesNothingAfterAFailedWrite() throws IOException {
    twins.dataPath.failWritesAfter(1);
    FSDataOutputStream out = fs.create(new Path("/f"));
    assertThrows(PathIOException.class, () -> out.write(bytes(3 * MIB, 1)));
    assertThrows(PathIOException.class, () -> out.write(1));
    assertThrows(PathIOException.class, out::close);
    out.close(); // a second close is no news
    twins.dataPath.failWritesAfter(Long.MAX_VALUE);
    assertFalse(fs.exists(new Path("/f")));
  }

  @Test
  void storesNothingWhenFinishingFails() throws IOException {
    twins.dataPath.failWritesAfter(1);
    FSDataOutputStream out = fs.create(new Path("/f"));
    out.write(bytes(1000, 1));
    assertThrows(PathIOException.class, out::close);
    twins.dataPath.failWritesAfter(Long.MAX_VALUE);
    assertFalse(fs.exists(new Path("/f")));
  }

  @Test
  void abortLeavesWhatWasThere() throws IOException {
    byte[] before = bytes(10, 1);
    write("/f", before);
    FSDataOutputStream out = fs.create(new Path("/f"), true);
    out.write(bytes(2 * MIB, 2));
    assertFalse(out.abort().alreadyClosed());
    out.close();
    assertTrue(out.abort().alreadyClosed());
    assertArrayEquals(before, read("/f"));
  }

  @Test
  void ofTwoCreatorsWithoutOverwriteTheSecondToCloseFails() throws IOException {
    FSDataOutputStream first = fs.create(new Path("/f"), false);
    FSDataOutputStream second = fs.create(new Path("/f"), false);
    first.write(1);
    second.write(2);
    second.close();
    assertThrows(FileAlreadyExistsException.class, first::close);
    assertArrayEquals(new byte[] {2}, read("/f"));
  }

  @Test
  void whatIsSyncedIsVisibleToNewReaders() throws IOException {
    byte[] content = bytes(7 * MIB, 1);
    Path path = new Path("/f");
    try (FSDataOutputStream out = fs.create(path)) {
      assertTrue(out.hasCapability("hsync"));
      assertTrue(out.hasCapability("hflush"));
      assertFalse(fs.exists(path));
      int done = 0;
      for (int some : new int[] {1, 5_000, 300, 2 * MIB, 17, 4 * MIB, 900_000, 3}) {
        out.write(content, done, some);
        done += some;
        if (some % 2 == 0) {
          out.hflush();
        } else {
          out.hsync();
        }
        out.hsync();
        assertEquals(done, out.getPos());
        assertEquals(done, fs.getFileStatus(path).getLen());
        assertArrayEquals(Arrays.copyOf(content, done), read("/f"));
        assertFalse(recoverable(fs).isFileClosed(path));
      }
      out.write(content, done, content.length - done);
    }
    assertArrayEquals(content, read("/f"));
    assertTrue(recoverable(fs).isFileClosed(path));
  }

  @Test
  void aLargeFileIsSyncedAfterMuchWasWritten() throws IOException {
    byte[] content = bytes(9 * MIB, 2);
    try (FSDataOutputStream out = fs.create(new Path("/f"))) {
      out.write(content, 0, 5 * MIB + 3);
      out.hsync();
      assertArrayEquals(Arrays.copyOf(content, 5 * MIB + 3), read("/f"));
      out.write(content, 5 * MIB + 3, content.length - 5 * MIB - 3);
    }
    assertArrayEquals(content, read("/f"));
    try (FSDataOutputStream out = fs.create(new Path("/empty"))) {
      out.hsync();
      assertEquals(0, fs.getFileStatus(new Path("/empty")).getLen());
    }
    assertEquals(0, fs.getFileStatus(new Path("/empty")).getLen());
  }

  @Test
  void appendsBehindWhatIsThere() throws IOException {
    byte[] content = bytes(6 * MIB, 3);
    Path path = new Path("/f");
    write("/f", Arrays.copyOf(content, 100));
    try (FSDataOutputStream out = fs.append(path)) {
      assertEquals(100, out.getPos());
      out.write(content, 100, 900);
      assertEquals(100, fs.getFileStatus(path).getLen());
      out.hsync();
      assertEquals(1_000, fs.getFileStatus(path).getLen());
      assertThrows(IOException.class, () -> fs.append(path));
      out.write(content, 1_000, content.length - 1_000);
    }
    assertArrayEquals(content, read("/f"));
    fs.append(path).close();
    assertArrayEquals(content, read("/f"));
    assertThrows(FileNotFoundException.class, () -> fs.append(new Path("/nothing")));
  }

  @Test
  void aWriterWhoseFileWasTakenIsTold() throws IOException {
    Path path = new Path("/f");
    FSDataOutputStream out = fs.create(path);
    out.write(bytes(10, 1));
    out.hsync();
    assertTrue(recoverable(fs).recoverLease(path));
    out.write(1);
    assertThrows(IOException.class, out::hsync);
    assertThrows(IOException.class, out::close);
    assertEquals(10, fs.getFileStatus(path).getLen());

    FSDataOutputStream renamed = fs.append(path);
    renamed.write(1);
    assertTrue(fs.rename(path, new Path("/g")));
    assertThrows(IOException.class, renamed::close);
    assertEquals(10, fs.getFileStatus(new Path("/g")).getLen());

    FSDataOutputStream aborted = fs.append(new Path("/g"));
    aborted.write(1);
    aborted.hsync();
    aborted.write(1);
    aborted.abort();
    assertEquals(11, fs.getFileStatus(new Path("/g")).getLen());
  }

  private static LeaseRecoverable recoverable(FileSystem fileSystem) {
    return (LeaseRecoverable) ((FilterFileSystem) fileSystem).getRawFileSystem();
  }

  @Test
  void aDirectoryOutlivesItsLastChild() throws IOException {
    write("/a/b/only", bytes(1, 1)); // a and b are implied only
    assertTrue(fs.getFileStatus(new Path("/a/b")).isDirectory());
    assertTrue(fs.getFileStatus(new Path("/a/b")).getModificationTime() > 0);
    assertTrue(fs.delete(new Path("/a/b/only"), false));
    assertTrue(fs.getFileStatus(new Path("/a/b")).isDirectory());
    assertEquals(List.of("a/b/"), keys());

    write("/c/moved", bytes(1, 1));
    assertTrue(fs.rename(new Path("/c/moved"), new Path("/a/b/there")));
    assertEquals(0, fs.listStatus(new Path("/c")).length);

    write("/d/e/f", bytes(1, 1));
    assertTrue(fs.rename(new Path("/d/e"), new Path("/a/e")));
    assertEquals(0, fs.listStatus(new Path("/d")).length);
    assertEquals(1, fs.listStatus(new Path("/a/e")).length);
  }

  @Test
  void renamesDirectoriesWithAllThatIsBelow() throws IOException {
    for (int i = 0; i < 30; i++) {
      write("/src/x" + i % 3 + "/f" + i, bytes(i, i));
    }
    fs.mkdirs(new Path("/src/empty"));
    write("/src2/near", bytes(1, 1)); // shares the name's beginning only
    assertFalse(fs.rename(new Path("/src"), new Path("/src/x0/below")));
    assertFalse(fs.rename(new Path("/src"), new Path("/missing/dst")));
    assertFalse(fs.rename(new Path("/missing"), new Path("/dst")));
    assertFalse(fs.rename(new Path("/"), new Path("/src2/root")));
    assertTrue(fs.rename(new Path("/src"), new Path("/dst")));
    assertFalse(fs.exists(new Path("/src")));
    assertTrue(fs.exists(new Path("/src2/near")));
    assertTrue(fs.getFileStatus(new Path("/dst/empty")).isDirectory());
    for (int i = 0; i < 30; i++) {
      assertArrayEquals(bytes(i, i), read("/dst/x" + i % 3 + "/f" + i));
    }
  }

  @Test
  void listsMoreThanAPage() throws IOException {
    for (int i = 0; i < 2_101; i++) {
      twins.objectManager.putObject(
          PutObjectRequest.newBuilder()
              .setBucket("b")
              .setKey("many/" + i + (i % 7 == 0 ? "/below" : ""))
              .setWriteId(WriteId.random())
              .build());
    }
    FileStatus[] all = fs.listStatus(new Path("/many"));
    assertEquals(2_101, all.length);
    assertEquals(301, Arrays.stream(all).filter(FileStatus::isDirectory).count());
    assertListedByThePage(fs.listStatusIterator(new Path("/many")));
    assertListedByThePage(fs.listLocatedStatus(new Path("/many")));
    assertTrue(fs.delete(new Path("/many"), true));
    assertEquals(List.of(), keys());
  }

  /** A page is asked for when the one before is at its end, so one is held at a time. */
  private void assertListedByThePage(RemoteIterator<? extends FileStatus> listed)
      throws IOException {
    long first = listings();
    for (int i = 0; i < 2_101; i++) {
      listed.next();
      assertEquals(first + i / 1_000, listings(), "calls behind entry " + i);
    }
    assertFalse(listed.hasNext());
    assertEquals(first + 2, listings());
  }

  private long listings() {
    return IOStatisticsSupport.retrieveIOStatistics(fs)
        .counters()
        .get("object_manager_calls.listObjects");
  }

  @Test
  void hidesKeysThatNoPathCanName() throws IOException {
    for (String key : List.of("d//x", "d/./y", "d/../z", "d/ok")) {
      twins.objectManager.putObject(
          PutObjectRequest.newBuilder()
              .setBucket("b")
              .setKey(key)
              .setWriteId(WriteId.random())
              .build());
    }
    assertEquals(
        List.of(new Path("stow://b/d/ok")),
        Arrays.stream(fs.listStatus(new Path("/d"))).map(FileStatus::getPath).toList());
  }

  @Test
  void neverDeletesTheRoot() throws IOException {
    write("/f", bytes(1, 1));
    assertFalse(fs.delete(new Path("/"), true));
    assertThrows(IOException.class, () -> fs.delete(new Path("/"), false));
    assertTrue(fs.exists(new Path("/f")));
  }

  @Test
  void nothingCanBeMadeBelowAFile() throws IOException {
    write("/f", bytes(1, 1));
    assertThrows(
        ParentNotDirectoryException.class, () -> fs.create(new Path("/f/below/it")).close());
    assertThrows(ParentNotDirectoryException.class, () -> fs.mkdirs(new Path("/f/below/it")));
    write("/g", bytes(1, 1));
    assertThrows(
        ParentNotDirectoryException.class, () -> fs.rename(new Path("/g"), new Path("/f/g")));
  }

  @Test
  void tellsTheHostsOfLargeFilesOnly() throws IOException {
    write("/small", bytes(100, 1));
    BlockLocation[] small = fs.getFileBlockLocations(fs.getFileStatus(new Path("/small")), 0, 100);
    assertArrayEquals(new String[] {"localhost"}, small[0].getHosts());

    Configuration conf = twins.configuration();
    conf.set("stowage.fs.block-size", "1m");
    try (FileSystem blocks = FileSystem.newInstance(URI.create("stow://b"), conf)) {
      write("/large", bytes(5 * MIB + 1, 1));
      FileStatus status = blocks.getFileStatus(new Path("/large"));
      assertEquals(MIB, status.getBlockSize());
      BlockLocation[] all = blocks.getFileBlockLocations(status, 0, status.getLen());
      assertEquals(6, all.length);
      assertEquals(1, all[5].getLength());
      assertEquals(2, blocks.getFileBlockLocations(status, MIB - 1, 2).length);
      assertEquals(6, blocks.getFileBlockLocations(status, 1, Long.MAX_VALUE).length);
      for (int i = 0; i < 6; i++) { // the twin has a container for each 4 MiB
        assertArrayEquals(hostsOf("large", i / 4), all[i].getHosts(), "block " + i);
      }
      conf.set("stowage.fs.block-size", "3m");
      try (FileSystem larger = FileSystem.newInstance(URI.create("stow://b"), conf)) {
        List<String> both = new ArrayList<>(List.of(hostsOf("large", 0)));
        both.addAll(List.of(hostsOf("large", 1)));
        all = larger.getFileBlockLocations(status, 0, status.getLen());
        assertEquals(2, all.length);
        assertArrayEquals(hostsOf("large", 0), all[0].getHosts());
        assertEquals(both, List.of(all[1].getHosts()), "of both containers");
        assertEquals(both, List.of(all[1].getNames()));
      }
    }
  }

  /** Where the twin says that the data is of one of a file's containers; parity is nowhere. */
  private String[] hostsOf(String key, int extent) throws IOException {
    long container =
        twins
            .objectManager
            .getObject(
                GetObjectRequest.newBuilder()
                    .setBucket("b")
                    .setKey(key)
                    .setWantManifest(true)
                    .build())
            .getVersion()
            .getManifest()
            .getExtents(extent)
            .getContainer();
    return new String[] {
      "shard0.container" + container, "shard1.container" + container, "shard2.container" + container
    };
  }

  /** As a user has it who says where the cluster is, and nothing else. */
  private Configuration withDefaults() {
    Configuration conf = new Configuration();
    twins.settings().forEach(conf::set);
    return conf;
  }

  @Test
  void fileContextFindsItToo() throws IOException {
    Configuration conf = withDefaults();
    FileContext context = FileContext.getFileContext(URI.create("stow://b"), conf);
    Path file = new Path("stow://b/c/f");
    try (FSDataOutputStream out =
        context.create(file, EnumSet.of(CreateFlag.CREATE), Options.CreateOpts.createParent())) {
      out.write(bytes(10, 1));
    }
    Path other = new Path("stow://b/c/g");
    context.rename(file, other);
    write("/c/f", bytes(20, 2));
    assertThrows(FileAlreadyExistsException.class, () -> context.rename(file, other));
    StowageFileSystem behind = ((StowageFs) context.getDefaultFileSystem()).fileSystem();
    long renames = calls(behind, "renameObject");
    long deletions = calls(behind, "deleteObjects");
    context.rename(file, other, Options.Rename.OVERWRITE);
    assertEquals(1, calls(behind, "renameObject") - renames);
    assertEquals(0, calls(behind, "deleteObjects") - deletions, "what is replaced was deleted");
    assertArrayEquals(bytes(20, 2), read("/c/g"));
    assertFalse(fs.exists(file));
    assertThrows(
        FileAlreadyExistsException.class,
        () -> context.rename(other, other, Options.Rename.OVERWRITE));
    context.mkdir(new Path("stow://b/e/below"), null, true);
    assertThrows(
        IOException.class,
        () ->
            context.rename(
                new Path("stow://b/e"), new Path("stow://b/e/below"), Options.Rename.OVERWRITE));
    assertTrue(fs.exists(new Path("/e/below")));
    assertArrayEquals(bytes(20, 2), read("/c/g"));
    behind.close(); // FileContext has no close
  }

  private static long calls(StowageFileSystem fileSystem, String kind) {
    Long calls = fileSystem.getIOStatistics().counters().get(FsStatistics.CALLS + "." + kind);
    return calls == null ? 0 : calls;
  }

  @Test
  void aFileContextDoesWhatItSaysThatItCan() throws Exception {
    Configuration conf = withDefaults();
    FileContext context = FileContext.getFileContext(URI.create("stow://b"), conf);
    StowageFs ours = (StowageFs) context.getDefaultFileSystem();
    FileSystem.Statistics statistics = ours.getStatistics();
    long written = statistics.getBytesWritten();
    Path directory = new Path("stow://b/d");
    Path file = new Path(directory, "f");
    try (FSDataOutputStream out =
        context.create(file, EnumSet.of(CreateFlag.CREATE), Options.CreateOpts.createParent())) {
      out.write(bytes(10, 1));
    }
    assertEquals(10, statistics.getBytesWritten() - written);

    assertTrue(context.hasPathCapability(file, CommonPathCapabilities.FS_ACLS));
    context.modifyAclEntries(file, AclEntry.parseAclSpec("user:ann:r--,group:staff:rw-", true));
    assertEquals(3, context.getAclStatus(file).getEntries().size(), "and the owning group's");
    context.removeAclEntries(file, AclEntry.parseAclSpec("user:ann", false));
    assertEquals(2, context.getAclStatus(file).getEntries().size());
    context.removeAcl(file);
    assertEquals(0, context.getAclStatus(file).getEntries().size());
    context.setAcl(
        directory,
        AclEntry.parseAclSpec("user::rwx,group::r-x,other::---,default:user:ann:rwx", true));
    assertEquals(5, context.getAclStatus(directory).getEntries().size());
    context.removeDefaultAcl(directory);
    assertEquals(0, context.getAclStatus(directory).getEntries().size());

    assertTrue(context.hasPathCapability(file, CommonPathCapabilities.FS_XATTRS));
    context.setXAttr(file, "user.a", new byte[] {1});
    context.setXAttr(file, "user.b", new byte[] {2}, EnumSet.of(XAttrSetFlag.CREATE));
    assertArrayEquals(new byte[] {1}, context.getXAttr(file, "user.a"));
    assertEquals(1, context.getXAttrs(file, List.of("user.b")).size());
    context.removeXAttr(file, "user.a");
    assertTrue(context.getXAttrs(file).containsKey("user.b"));
    assertFalse(context.listXAttrs(file).contains("user.a"));

    assertTrue(context.hasPathCapability(new Path("/"), CommonPathCapabilities.FS_SNAPSHOTS));
    Path root = new Path("stow://b/");
    Path snapshot = context.createSnapshot(root, "one");
    assertEquals(10, context.getFileStatus(new Path(snapshot, "d/f")).getLen());
    context.renameSnapshot(root, "one", "two");
    context.deleteSnapshot(root, "two");

    assertTrue(context.hasPathCapability(file, CommonPathCapabilities.FS_MULTIPART_UPLOADER));
    try (MultipartUploader uploader = context.createMultipartUploader(directory).build()) {
      Path parts = new Path(directory, "parts");
      UploadHandle upload = uploader.startUpload(parts).get();
      PartHandle part =
          uploader.putPart(upload, 1, true, parts, new ByteArrayInputStream(bytes(5, 2)), 5).get();
      PathHandle unused = uploader.complete(upload, parts, Map.of(1, part)).get();
      assertEquals(5, context.getFileStatus(parts).getLen());
    }

    context.access(file, FsAction.READ);
    assertThrows(
        AccessControlException.class, () -> context.access(file, FsAction.EXECUTE), "rw-r--r--");
    assertEquals(file, context.listLocatedStatus(file).next().getPath());
    RemoteIterator<FileStatus> children = context.listStatus(directory);
    assertInstanceOf(StowageFileStatus.class, children.next(), "as it is listed, page by page");
    for (String without :
        List.of(
            CommonPathCapabilities.BULK_DELETE,
            CommonPathCapabilities.FS_PATHHANDLES,
            "fs.option.create.conditional.overwrite")) {
      assertFalse(context.hasPathCapability(file, without), without);
    }
    ours.fileSystem().close();
  }

  @Test
  void hadoopsStatisticsOfTheSchemeCountWhatIsDone() throws IOException {
    StorageStatistics ofScheme = GlobalStorageStatistics.INSTANCE.get("stow");
    long written = ofScheme.getLong("bytesWritten");
    long read = ofScheme.getLong("bytesRead");
    write("/f", bytes(10, 1));
    read("/f");
    assertEquals(10, ofScheme.getLong("bytesWritten") - written);
    assertEquals(10, ofScheme.getLong("bytesRead") - read);
  }

  @Test
  void aTimeThatWasSetHoldsUntilMoreIsWritten() throws IOException {
    Path file = new Path("/f");
    write("/f", bytes(10, 1));
    fs.setTimes(file, 1_000_000_000_123L, -1);
    fs.append(file).close();
    assertEquals(1_000_000_000_123L, fs.getFileStatus(file).getModificationTime());
    long before = System.currentTimeMillis();
    try (FSDataOutputStream out = fs.append(file)) {
      out.write(1);
      out.hsync();
      assertTrue(fs.getFileStatus(file).getModificationTime() >= before);
      fs.setTimes(file, 1_000_000_000_456L, -1);
      assertEquals(1_000_000_000_456L, fs.getFileStatus(file).getModificationTime());
      out.write(2);
    }
    assertTrue(fs.getFileStatus(file).getModificationTime() >= before);
  }

  @Test
  void fileSystemsOfOneClusterShareOneConnection() throws IOException {
    twins.createBucket("b2");
    assertEquals(1, twins.connected.get());
    try (FileSystem second = twins.open("b2");
        FileSystem third = twins.open("b")) {
      assertEquals(1, twins.connected.get());
      second.create(new Path("/x")).close();
      assertFalse(third.exists(new Path("/x")));
    }
    assertEquals(1, twins.connected.get());
    assertTrue(fs.mkdirs(new Path("/still/works")));
  }

  @Test
  void aBucketMayBeOfAnotherClusterAndHaveSettingsOfItsOwn() throws IOException {
    twins.createBucket("b.2");
    List<List<String>> connected = new ArrayList<>();
    ClusterConnector twin = ClusterConnection.replaceConnector(null);
    ClusterConnection.replaceConnector(
        (config, hadoop) -> {
          connected.add(config.get(Keys.OM_ADDRESSES));
          return twin.connect(config, hadoop);
        });
    try {
      Configuration conf = twins.configuration();
      conf.set("stowage.bucket.b.2.om.addresses", "elsewhere:1");
      conf.set("stowage.bucket.b.2.fs.block-size", "1m");
      try (FileSystem near = FileSystem.newInstance(URI.create("stow://b"), conf);
          FileSystem far = FileSystem.newInstance(URI.create("stow://b.2"), conf)) {
        assertEquals(List.of(List.of("elsewhere:1")), connected, "b has a connection already");
        far.create(new Path("/x")).close();
        near.create(new Path("/x")).close();
        assertEquals(1 << 20, far.getFileStatus(new Path("/x")).getBlockSize());
        assertEquals(128 << 20, near.getFileStatus(new Path("/x")).getBlockSize());
      }
      conf.set("stowage.bucket.b.2.fs.blok-size", "1m");
      StoreException typo =
          assertThrows(
              StoreException.class, () -> FileSystem.newInstance(URI.create("stow://b"), conf));
      assertTrue(typo.getMessage().contains("stowage.fs.block-size"), typo.getMessage());
    } finally {
      ClusterConnection.replaceConnector(twin);
    }
  }

  @Test
  void saysWhatIsWrongWithAnAddress() {
    IOException missing = assertThrows(IOException.class, () -> twins.open("no-such-bucket"));
    assertTrue(missing.getMessage().contains("no-such-bucket"), missing.getMessage());
    Configuration conf = twins.configuration();
    conf.set("stowage.fs.blok-size", "1m");
    StoreException typo =
        assertThrows(
            StoreException.class, () -> FileSystem.newInstance(URI.create("stow://b"), conf));
    assertEquals(ErrorCode.BAD_CONFIGURATION, typo.code());
    assertTrue(typo.getMessage().contains("stowage.fs.block-size"), typo.getMessage());
    assertThrows(
        IOException.class,
        () -> FileSystem.newInstance(URI.create("stow:///path"), twins.configuration()));
  }

  @Test
  void refusesAnOldJavaInWords() throws IOException {
    IOException old = assertThrows(IOException.class, () -> StowageFileSystem.requireJava("1.8"));
    assertTrue(old.getMessage().contains("needs Java 17"), old.getMessage());
    assertTrue(old.getMessage().contains("runs on Java 1.8"), old.getMessage());
    assertThrows(IOException.class, () -> StowageFileSystem.requireJava("11"));
    StowageFileSystem.requireJava("17");
    StowageFileSystem.requireJava("25");
  }
}
