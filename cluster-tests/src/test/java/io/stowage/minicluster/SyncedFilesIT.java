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
package io.stowage.minicluster;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.stowage.common.id.WriteId;
import io.stowage.common.proto.BucketLayout;
import io.stowage.common.proto.BucketQuota;
import io.stowage.common.proto.CreateBucketRequest;
import io.stowage.common.proto.GetObjectRequest;
import io.stowage.common.proto.UpdateBucketRequest;
import java.io.BufferedReader;
import java.io.FileNotFoundException;
import java.io.IOException;
import java.io.InputStreamReader;
import java.lang.management.ManagementFactory;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.security.MessageDigest;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.ClusterStorageCapacityExceededException;
import org.apache.hadoop.fs.FSDataInputStream;
import org.apache.hadoop.fs.FSDataOutputStream;
import org.apache.hadoop.fs.FileSystem;
import org.apache.hadoop.fs.FilterFileSystem;
import org.apache.hadoop.fs.LeaseRecoverable;
import org.apache.hadoop.fs.Path;
import org.apache.hadoop.fs.statistics.IOStatisticsSupport;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import software.amazon.awssdk.core.sync.RequestBody;
import software.amazon.awssdk.services.s3.S3Client;
import software.amazon.awssdk.services.s3.model.ChecksumType;
import software.amazon.awssdk.services.s3.model.GetObjectAttributesResponse;
import software.amazon.awssdk.services.s3.model.HeadObjectResponse;
import software.amazon.awssdk.services.s3.model.ObjectAttributes;
import software.amazon.awssdk.services.s3.model.S3Exception;

/**
 * What no object store gives, over the whole store: files that are synced while they are written,
 * and appended to, and quotas, of which its edges tell.
 */
class SyncedFilesIT {
  static final int LONGEST = 32 << 20;
  private static final String BUCKET = "synced";

  private static MiniStowageCluster cluster;
  private static FileSystem files;

  @TempDir static java.nio.file.Path directory;

  @BeforeAll
  static void start() throws Exception {
    cluster = MiniStowageCluster.builder().start();
    cluster
        .objectManager(0)
        .createBucket(
            CreateBucketRequest.newBuilder().setName(BUCKET).setWriteId(WriteId.random()).build());
    files = cluster.fileSystem(BUCKET);
  }

  @AfterAll
  static void stop() throws IOException {
    files.close();
    cluster.close();
  }

  private static byte[] read(FileSystem fs, Path path) throws IOException {
    try (FSDataInputStream in = fs.open(path)) {
      return in.readAllBytes();
    }
  }

  private static String createBucket(String name, BucketLayout layout) throws IOException {
    String bucket = name + "-" + layout.name().toLowerCase(Locale.ROOT).replace('_', '-');
    cluster
        .objectManager(0)
        .createBucket(
            CreateBucketRequest.newBuilder()
                .setName(bucket)
                .setLayout(layout)
                .setWriteId(WriteId.random())
                .build());
    return bucket;
  }

  /** Of a task's attempt that nobody waited for; its job's commit removes where it writes. */
  @ParameterizedTest
  @EnumSource(names = {"OBJECT", "FILE_SYSTEM"})
  void whatIsClosedAfterTheJobsCommitIsNotToBeSeen(BucketLayout layout) throws Exception {
    Path job = new Path("/job");
    Path attempt = new Path(job, "_temporary/0/_temporary/attempt_1");
    byte[] content = TestContent.of("late", 2 << 20); // more than is gathered before it is placed
    try (FileSystem fs = cluster.fileSystem(createBucket("late", layout))) {
      for (int bytes : new int[] {0, 100, content.length}) {
        for (boolean overwrite : new boolean[] {false, true}) {
          Path part = new Path(attempt, "part");
          fs.delete(job, true);
          if (overwrite) {
            write(fs, part.toString(), new byte[1]);
          }
          FSDataOutputStream late = fs.create(part, overwrite);
          late.write(content, 0, bytes);
          fs.delete(new Path(job, "_temporary"), true);
          write(fs, "/job/_SUCCESS", new byte[0]);
          if (layout == BucketLayout.FILE_SYSTEM) { // as on HDFS
            assertThrows(FileNotFoundException.class, late::close);
            assertEquals(1, fs.listStatus(job).length, "what was removed is there again");
          } else {
            late.close();
          }
          assertEquals(0, fs.listStatus(job, SyncedFilesIT::isListedByJobs).length);
        }
      }
    }
  }

  private static boolean isListedByJobs(Path path) {
    return !path.getName().startsWith("_") && !path.getName().startsWith(".");
  }

  @ParameterizedTest
  @EnumSource(names = {"OBJECT", "FILE_SYSTEM"})
  void aWriterThatIsKilledLosesNothingThatItSynced(BucketLayout layout) throws Exception {
    String bucket = createBucket("killed", layout);
    try (FileSystem fs = cluster.fileSystem(bucket)) {
      killWriter(bucket, fs);
    }
  }

  private static void killWriter(String bucket, FileSystem fs) throws Exception {
    Path path = new Path("/killed/log");
    LeaseRecoverable recoverable = (LeaseRecoverable) ((FilterFileSystem) fs).getRawFileSystem();
    java.nio.file.Path site = directory.resolve("site.xml");
    Configuration settings = new Configuration(false);
    cluster.clientSettings().forEach(settings::set);
    settings.set("fs.stow.impl", "io.stowage.fs.StowageFileSystem");
    try (var out = Files.newOutputStream(site)) {
      settings.writeXml(out);
    }
    Process writer =
        new ProcessBuilder(
                java.nio.file.Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                "-Xmx256m",
                "-XX:TieredStopAtLevel=1", // it lives for seconds
                "-Djava.net.preferIPv4Stack=true",
                "-Dlog4j.configuration=" + System.getProperty("log4j.configuration"),
                "-cp",
                System.getProperty(
                    "surefire.test.class.path", System.getProperty("java.class.path")),
                SyncingProcess.class.getName(),
                site.toString(),
                "stow://" + bucket + path.toUri().getPath(),
                "killed")
            .redirectError(directory.resolve("writer").toFile())
            .start();
    int synced = 0;
    try (BufferedReader lines =
        new BufferedReader(
            new InputStreamReader(writer.getInputStream(), StandardCharsets.UTF_8))) {
      String line;
      while ((line = lines.readLine()) != null) {
        if (line.startsWith("synced ")) {
          synced = Integer.parseInt(line.substring(7));
          if (synced > 5 << 20) { // more than a stripe: some of it was written again
            break;
          }
        }
      }
      writer.destroyForcibly(); // closes its output, too
    }
    assertTrue(writer.waitFor(20, TimeUnit.SECONDS));
    assertTrue(synced > 5 << 20, () -> "the writer failed, see " + directory.resolve("writer"));
    byte[] whole = TestContent.of("killed", LONGEST);

    int length = (int) fs.getFileStatus(path).getLen();
    assertTrue(length >= synced, length + " bytes of " + synced + " synced");
    assertArrayEquals(Arrays.copyOf(whole, length), read(fs, path));
    assertFalse(recoverable.isFileClosed(path));
    assertThrows(IOException.class, () -> fs.append(path), "its lease still runs");
    assertTrue(recoverable.recoverLease(path));
    assertTrue(recoverable.isFileClosed(path));
    assertEquals(length, fs.getFileStatus(path).getLen());
    try (FSDataOutputStream out = fs.append(path)) {
      out.write(whole, length, 4 << 20);
    }
    assertArrayEquals(Arrays.copyOf(whole, length + (4 << 20)), read(fs, path));
  }

  @Test
  void callsOfDatanodesAreCounted() throws Exception {
    long before = datanodeCalls();
    Path path = new Path("/counted");
    byte[] content = TestContent.of("counted", 100);
    try (FSDataOutputStream out = files.create(path)) {
      out.write(content);
    }
    long written = datanodeCalls();
    assertTrue(written - before >= 3, "a cell and two of parity: " + before + ", " + written);
    assertArrayEquals(content, read(files, path));
    assertTrue(datanodeCalls() > written, "read by no call");
  }

  private static long datanodeCalls() {
    return IOStatisticsSupport.retrieveIOStatistics(files).counters().get("datanode_calls");
  }

  @Test
  void readersSeeALengthThatOnlyGrowsAndAllOfItsBytes() throws Exception {
    Path path = new Path("/read/while/written");
    byte[] content = TestContent.of("grows", 5 << 20); // more than a stripe
    AtomicInteger synced = new AtomicInteger(-1);
    ExecutorService reader = Executors.newSingleThreadExecutor();
    Future<Integer> reads =
        reader.submit(
            () -> {
              int last = 0;
              int times = 0;
              while (last < content.length) {
                int least = synced.get();
                if (least < 0) {
                  Thread.onSpinWait();
                  continue;
                }
                try (FSDataInputStream in = files.open(path)) {
                  byte[] bytes = in.readAllBytes();
                  assertTrue(bytes.length >= Math.max(least, last));
                  assertEquals(-1, Arrays.mismatch(bytes, Arrays.copyOf(content, bytes.length)));
                  last = bytes.length;
                  times++;
                }
              }
              return times;
            });
    int done = 0;
    try (FSDataOutputStream out = files.create(path)) {
      for (int i = 0; done < content.length; i++) {
        int some = Math.min(content.length - done, 1 + (i * 104_729) % 60_000);
        out.write(content, done, some);
        done += some;
        if (i % 2 == 0) {
          out.hsync();
        } else {
          out.hflush();
        }
        synced.set(done);
      }
    }
    assertTrue(reads.get(60, TimeUnit.SECONDS) > 1);
    reader.shutdown();
    // As if it had never been synced: whole pieces, not one for each sync.
    int extents =
        cluster
            .objectManager(0)
            .getObject(
                GetObjectRequest.newBuilder()
                    .setBucket(BUCKET)
                    .setKey("read/while/written")
                    .setWantManifest(true)
                    .build())
            .getVersion()
            .getManifest()
            .getExtentsCount();
    assertTrue(extents <= 8, extents + " extents");
  }

  @Test
  void clientsOfS3SeeWhatIsSynced() throws Exception {
    Path path = new Path("/s3");
    byte[] content = TestContent.of("s3", 300_000);
    try (S3Client s3 =
            S3Clients.impatient(cluster.s3Endpoint(), cluster.accessKey(), cluster.secretKey());
        FSDataOutputStream out = files.create(path)) {
      String before = null;
      for (int done = 0; done < content.length; done += 100_000) {
        out.write(content, done, 100_000);
        out.hsync();
        int length = done + 100_000;
        assertArrayEquals(
            Arrays.copyOf(content, length),
            s3.getObjectAsBytes(b -> b.bucket(BUCKET).key("s3")).asByteArray());
        HeadObjectResponse head = s3.headObject(b -> b.bucket(BUCKET).key("s3"));
        assertEquals(length, head.contentLength());
        assertTrue(head.eTag().contains("-"), head.eTag());
        assertFalse(head.eTag().equals(before));
        before = head.eTag();
        var listed = s3.listObjectsV2(b -> b.bucket(BUCKET).prefix("s3")).contents().get(0);
        assertEquals(length, listed.size());
        assertEquals(head.eTag(), listed.eTag());
      }
    }
    assertArrayEquals(content, read(files, path));
  }

  @Test
  void clientsOfS3SeeAFileThatIsNotHashedAsAnUploadOfOnePart() throws Exception {
    byte[] content = TestContent.of("unhashed", (9 << 20) + 77);
    int first = (8 << 20) + 1;
    Path path = new Path("/unhashed");
    try (S3Client s3 =
        S3Clients.impatient(cluster.s3Endpoint(), cluster.accessKey(), cluster.secretKey())) {
      try (FSDataOutputStream out = files.create(path)) {
        out.write(content, 0, first);
      }
      HeadObjectResponse head = s3.headObject(b -> b.bucket(BUCKET).key("unhashed"));
      assertTrue(head.eTag().endsWith("-1\""), head.eTag());
      assertEquals(
          head.eTag(),
          s3.listObjectsV2(b -> b.bucket(BUCKET)).contents().stream()
              .filter(object -> object.key().equals("unhashed"))
              .findFirst()
              .orElseThrow()
              .eTag());
      HeadObjectResponse part = s3.headObject(b -> b.bucket(BUCKET).key("unhashed").partNumber(1));
      assertEquals(first, part.contentLength());
      assertEquals(1, part.partsCount());
      S3Exception noPart =
          assertThrows(
              S3Exception.class,
              () -> s3.headObject(b -> b.bucket(BUCKET).key("unhashed").partNumber(2)));
      assertEquals(416, noPart.statusCode());
      GetObjectAttributesResponse attributes =
          s3.getObjectAttributes(
              b ->
                  b.bucket(BUCKET)
                      .key("unhashed")
                      .objectAttributes(
                          ObjectAttributes.E_TAG,
                          ObjectAttributes.OBJECT_PARTS,
                          ObjectAttributes.CHECKSUM));
      assertEquals(head.eTag(), '"' + attributes.eTag() + '"');
      assertEquals(1, attributes.objectParts().totalPartsCount());
      assertEquals(ChecksumType.FULL_OBJECT, attributes.checksum().checksumType());
      assertArrayEquals(
          Arrays.copyOf(content, first),
          s3.getObjectAsBytes(b -> b.bucket(BUCKET).key("unhashed").ifMatch(head.eTag()))
              .asByteArray());
      // A copy is hashed, as one of an upload is.
      s3.copyObject(
          b ->
              b.sourceBucket(BUCKET)
                  .sourceKey("unhashed")
                  .copySourceIfMatch(head.eTag())
                  .destinationBucket(BUCKET)
                  .destinationKey("hashed"));
      byte[] digest = MessageDigest.getInstance("MD5").digest(Arrays.copyOf(content, first));
      assertEquals(
          '"' + HexFormat.of().formatHex(digest) + '"',
          s3.headObject(b -> b.bucket(BUCKET).key("hashed")).eTag());

      try (FSDataOutputStream out = files.append(path)) {
        out.write(content, first, content.length - first);
      }
      HeadObjectResponse longer = s3.headObject(b -> b.bucket(BUCKET).key("unhashed"));
      assertTrue(longer.eTag().endsWith("-2\""), longer.eTag());
      assertEquals(
          first,
          s3.headObject(b -> b.bucket(BUCKET).key("unhashed").partNumber(1)).contentLength());
      assertArrayEquals(content, read(files, path));
      s3.putObject(
          b -> b.bucket(BUCKET).key("unhashed").ifMatch(longer.eTag()),
          RequestBody.fromString("replaced"));
      assertEquals(8, files.getFileStatus(path).getLen());
    }
  }

  @Test
  void whatIsBeyondAQuotaIsRefusedByBothEdgesInTheirOwnWords() throws Exception {
    String bucket = "limited";
    BucketQuota quota = BucketQuota.newBuilder().setBytes(1_000_000).setObjects(3).build();
    cluster
        .objectManager(0)
        .createBucket(
            CreateBucketRequest.newBuilder().setName(bucket).setWriteId(WriteId.random()).build());
    cluster
        .objectManager(0)
        .updateBucket(
            UpdateBucketRequest.newBuilder()
                .setName(bucket)
                .setWriteId(WriteId.random())
                .putPut("quota", quota.toByteString())
                .build());
    byte[] content = TestContent.of("limited", 600_000);
    try (S3Client s3 =
            S3Clients.impatient(cluster.s3Endpoint(), cluster.accessKey(), cluster.secretKey());
        FileSystem fs = cluster.fileSystem(bucket)) {
      s3.putObject(b -> b.bucket(bucket).key("a"), RequestBody.fromBytes(content));
      S3Exception refused =
          assertThrows(
              S3Exception.class,
              () -> s3.putObject(b -> b.bucket(bucket).key("b"), RequestBody.fromBytes(content)));
      assertEquals(403, refused.statusCode());
      assertEquals("QuotaExceeded", refused.awsErrorDetails().errorCode());
      assertThrows(ClusterStorageCapacityExceededException.class, () -> write(fs, "/c", content));
      assertFalse(fs.exists(new Path("/c")));
      write(fs, "/small1", new byte[10]);
      write(fs, "/small2", new byte[10]);
      refused =
          assertThrows(
              S3Exception.class,
              () -> s3.putObject(b -> b.bucket(bucket).key("d"), RequestBody.empty()));
      assertEquals("QuotaExceeded", refused.awsErrorDetails().errorCode(), "three objects");
      s3.deleteObject(b -> b.bucket(bucket).key("a"));
      awaitRoom(fs, content); // told by the other object manager within two seconds
      assertArrayEquals(content, s3.getObjectAsBytes(b -> b.bucket(bucket).key("c")).asByteArray());
    }
  }

  /**
   * Over sockets, in whose buffers all that the streams keep would be more memory than there is.
   */
  @Test
  void tenThousandStreamsAreOpenByAFewThreads() throws Exception {
    byte[] content = TestContent.of("open", 16 << 10);
    Path read = new Path("/open/read");
    write(files, read.toString(), content);
    byte[] written = TestContent.of("written", (1 << 20) + 10); // more than is gathered
    ExecutorService openers = Executors.newFixedThreadPool(8);
    List<FSDataInputStream> in = new ArrayList<>();
    List<FSDataOutputStream> out = new ArrayList<>();
    try {
      in.addAll(inParallel(openers, 16, i -> openAt(read, i, content)));
      int threads = threads();
      in.addAll(inParallel(openers, 9_964, i -> openAt(read, i, content)));
      out.addAll( // each has a stripe, in the memory that the datanodes have, too
          inParallel(
              openers,
              20,
              i -> {
                FSDataOutputStream one = files.create(new Path("/open/written" + i));
                one.write(written);
                return one;
              }));
      assertTrue(threads() <= threads + 100, () -> threads() + " threads, " + threads + " before");
      for (int i = 0; i < in.size(); i += 97) {
        int position = (int) in.get(i).getPos();
        byte[] got = new byte[100];
        in.get(i).readFully(got);
        assertArrayEquals(Arrays.copyOfRange(content, position, position + 100), got);
      }
      for (FSDataOutputStream one : out) {
        one.close();
      }
      for (int i = 0; i < out.size(); i += 10) {
        assertArrayEquals(written, read(files, new Path("/open/written" + i)));
      }
    } finally {
      openers.shutdownNow();
      for (FSDataInputStream one : in) {
        one.close();
      }
      for (FSDataOutputStream one : out) {
        one.abort();
      }
    }
  }

  private static FSDataInputStream openAt(Path path, int position, byte[] content)
      throws IOException {
    FSDataInputStream in = files.open(path);
    in.seek(position);
    assertEquals(content[position] & 0xff, in.read());
    return in;
  }

  /** One of those that are numbered so. */
  private interface Opening<T> {
    T open(int number) throws IOException;
  }

  private static <T> List<T> inParallel(ExecutorService threads, int count, Opening<T> opening)
      throws Exception {
    List<Future<T>> futures = new ArrayList<>();
    for (int i = 0; i < count; i++) {
      int number = i;
      futures.add(threads.submit(() -> opening.open(number)));
    }
    List<T> opened = new ArrayList<>();
    for (Future<T> future : futures) {
      opened.add(future.get());
    }
    return opened;
  }

  /** Of the whole JVM, with the services that are in it. */
  private static int threads() {
    return ManagementFactory.getThreadMXBean().getThreadCount();
  }

  private static void write(FileSystem fs, String path, byte[] content) throws IOException {
    try (FSDataOutputStream out = fs.create(new Path(path))) {
      out.write(content);
    }
  }

  private static void awaitRoom(FileSystem fs, byte[] content) throws IOException {
    long deadline = System.nanoTime() + 30_000_000_000L;
    while (true) {
      try {
        write(fs, "/c", content);
        return;
      } catch (ClusterStorageCapacityExceededException e) {
        if (System.nanoTime() > deadline) {
          throw e;
        }
      }
    }
  }
}
