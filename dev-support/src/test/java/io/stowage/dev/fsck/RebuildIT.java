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

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.netty.buffer.Unpooled;
import io.stowage.client.DataPath;
import io.stowage.client.ObjectWriter;
import io.stowage.client.StowageDataPath;
import io.stowage.client.crypt.Envelopes;
import io.stowage.client.crypt.KeyService;
import io.stowage.client.crypt.ObjectCipher;
import io.stowage.client.keys.HadoopKeys;
import io.stowage.common.conf.Keys;
import io.stowage.common.data.NetworkDatanodes;
import io.stowage.common.error.ErrorCode;
import io.stowage.common.error.StoreException;
import io.stowage.common.id.WriteId;
import io.stowage.common.needle.NeedleFacts;
import io.stowage.common.proto.BucketInfo;
import io.stowage.common.proto.ContainerInfo;
import io.stowage.common.proto.ContainerState;
import io.stowage.common.proto.FindPathRequest;
import io.stowage.common.proto.GetBucketRequest;
import io.stowage.common.proto.GetObjectRequest;
import io.stowage.common.proto.ListContainersRequest;
import io.stowage.common.proto.NeedleBlob;
import io.stowage.common.proto.ObjectMetadata;
import io.stowage.common.proto.PlaceObjectRequest;
import io.stowage.common.proto.PutObjectRequest;
import io.stowage.common.proto.ResurveyContainersRequest;
import io.stowage.common.time.StoreClock;
import io.stowage.common.tls.ClientTls;
import io.stowage.minicluster.MiniStowageCluster;
import io.stowage.s3.S3GatewayMain;
import io.stowage.s3.payload.HashKind;
import java.io.InputStream;
import java.io.OutputStream;
import java.net.URI;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.time.Duration;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.Set;
import java.util.TreeMap;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import java.util.zip.CRC32C;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.FSDataOutputStream;
import org.apache.hadoop.fs.FileStatus;
import org.apache.hadoop.fs.FileSystem;
import org.apache.hadoop.fs.PathIOException;
import org.apache.hadoop.fs.permission.AclEntry;
import org.apache.hadoop.fs.permission.FsPermission;
import org.apache.hadoop.thirdparty.protobuf.ByteString;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import software.amazon.awssdk.auth.credentials.AwsBasicCredentials;
import software.amazon.awssdk.auth.credentials.StaticCredentialsProvider;
import software.amazon.awssdk.core.ResponseBytes;
import software.amazon.awssdk.core.sync.RequestBody;
import software.amazon.awssdk.http.urlconnection.UrlConnectionHttpClient;
import software.amazon.awssdk.regions.Region;
import software.amazon.awssdk.services.s3.S3Client;
import software.amazon.awssdk.services.s3.model.BucketVersioningStatus;
import software.amazon.awssdk.services.s3.model.ChecksumAlgorithm;
import software.amazon.awssdk.services.s3.model.ChecksumMode;
import software.amazon.awssdk.services.s3.model.CompletedPart;
import software.amazon.awssdk.services.s3.model.DeleteMarkerEntry;
import software.amazon.awssdk.services.s3.model.ExpirationStatus;
import software.amazon.awssdk.services.s3.model.GetObjectResponse;
import software.amazon.awssdk.services.s3.model.HeadObjectResponse;
import software.amazon.awssdk.services.s3.model.LifecycleRule;
import software.amazon.awssdk.services.s3.model.ListObjectVersionsResponse;
import software.amazon.awssdk.services.s3.model.ObjectIdentifier;
import software.amazon.awssdk.services.s3.model.ObjectLockLegalHoldStatus;
import software.amazon.awssdk.services.s3.model.ObjectLockMode;
import software.amazon.awssdk.services.s3.model.ObjectLockRetentionMode;
import software.amazon.awssdk.services.s3.model.ObjectVersion;
import software.amazon.awssdk.services.s3.model.S3Exception;
import software.amazon.awssdk.services.s3.model.S3Object;
import software.amazon.awssdk.services.s3.model.ServerSideEncryption;
import software.amazon.awssdk.services.s3.model.ServerSideEncryptionRule;
import software.amazon.awssdk.services.s3.model.Tag;

/**
 * The tables of buckets and objects are dropped; the containers alone bring back what S3 and
 * FileSystem users had done: overwrites, deletes, renames, uploads, metadata.
 */
class RebuildIT {
  private static final String BUCKET = "rebuilt";

  /** A bucket whose objects have versions, in phases. */
  private static final String KEPT = "kept";

  /** One whose versions can be locked. */
  private static final String LOCKED = "locked";

  /** One of layout FILE_SYSTEM. */
  private static final String TREE = "tree";

  /** One whose files are encrypted. */
  private static final String SECRET = "secret";

  private static final int PART = 5 << 20;

  /** Bytes of the shortest file that the FileSystem does not hash. */
  private static final int UNHASHED = (8 << 20) + 1;

  /** Checksums that the SDK computes without its native library. */
  private static final List<ChecksumAlgorithm> BY_JAVA =
      List.of(
          ChecksumAlgorithm.CRC32,
          ChecksumAlgorithm.CRC32_C,
          ChecksumAlgorithm.SHA1,
          ChecksumAlgorithm.SHA256);

  /** A process of its own takes a minute to start on a machine that is busy with twenty others. */
  private static final Duration PATIENCE = Duration.ofMinutes(3);

  /** Within which records are on the disks, and a little more. */
  private static final Duration RECORDS_ON_DISK = Duration.ofMillis(10_500);

  /** How a repacker may be refused that is held up, too early, or too late. */
  private static final Set<ErrorCode> AGAIN =
      Set.of(ErrorCode.UNAVAILABLE, ErrorCode.LEASE_LOST, ErrorCode.NO_SUCH_CONTAINER);

  @TempDir Path directory;
  private final Random random = new Random(7);

  /** What a user sees of an object. */
  private record Seen(
      ByteBuffer bytes,
      String etag,
      String type,
      Map<String, String> user,
      List<String> checksums) {
    static Seen of(ResponseBytes<GetObjectResponse> got) {
      GetObjectResponse response = got.response();
      return new Seen(
          got.asByteBuffer(),
          response.eTag(),
          response.contentType(),
          new TreeMap<>(response.metadata()),
          Arrays.asList(
              response.checksumCRC64NVME(),
              response.checksumCRC32(),
              response.checksumCRC32C(),
              response.checksumSHA1(),
              response.checksumSHA256()));
    }
  }

  /** What a user sees of the versions of one key, newest first; of a null version no times. */
  private record SeenVersion(
      String id,
      boolean latest,
      Instant modified,
      String owner,
      Seen bytes,
      Map<String, String> tags,
      String lock) {}

  /** Settings of buckets are answered when what is cached of them is over. */
  private static MiniStowageCluster.Builder builder() {
    return MiniStowageCluster.builder()
        .datanodes(5)
        .set(Keys.ZOOKEEPER_SESSION_TIMEOUT, "30s") // elects no other SCM when the machine is busy
        .set(Keys.BUCKET_CACHE_AGE, "100ms");
  }

  /** Containers can be emptied within seconds, and are gone then. */
  private static MiniStowageCluster.Builder repacking() {
    return builder()
        .set(Keys.COMMIT_WINDOW, "6s")
        .set(Keys.LEASE_DURATION, "4s") // so that no grant in use grows as old as that
        .set(Keys.CLOCK_BOUND, "300ms")
        .set(Keys.MUTATION_DEADLINE, "5s")
        .set(Keys.REPACK_KEEP, "0s")
        .set(Keys.REPACK_RATE, "1g");
  }

  /** First from where all was written, then from where repack has moved it. */
  @Test
  void droppedTablesComeBackFromTheContainers() throws Exception {
    try (MiniStowageCluster cluster =
        repacking()
            .set(Keys.OPEN_TIME, "5s")
            .set(Keys.REPACK_WORKERS, "0")
            .set(Keys.LIFECYCLE_DAY_SECONDS, "1")
            .start()) {
      cluster.awaitWritable(Duration.ofSeconds(60));
      Map<String, Seen> before;
      Map<String, List<SeenVersion>> versions;
      try (S3Client s3 = client(cluster)) {
        s3.createBucket(b -> b.bucket(BUCKET));
        s3.createBucket(b -> b.bucket("deleted-bucket"));
        s3.deleteBucket(b -> b.bucket("deleted-bucket"));
        byS3(s3);
        byFileSystem(cluster);
        keepVersions(s3, cluster);
        lockVersions(s3);
        byRules(s3);
        growTree(s3, cluster);
        before = look(s3);
        versions = lookAtVersions(s3);
      }
      Map<String, String> tree = lookAtTree(cluster);
      assertTrue(before.size() > 40, before.keySet().toString());
      int kept = versions.values().stream().mapToInt(List::size).sum();
      assertTrue(kept > 30, versions.toString());

      try (S3Client s3 = client(cluster)) {
        putIntoOpenContainer(s3, cluster, "last");
        before.put("last", look(s3, "last"));
      }
      loseTables(cluster);
      try (S3Client s3 = client(cluster)) {
        assertThrows(S3Exception.class, () -> s3.listObjectsV2(b -> b.bucket(BUCKET)));
        RebuildReport report = rebuild(cluster);
        System.err.println(report);
        assertTrue(report.isWhole(), report.toString());
        assertEquals(before.size() + kept + tree.size(), report.restored(), report.toString());
        assertSame(before, look(s3));
        assertSameVersions(versions, lookAtVersions(s3));
        assertEquals(tree, lookAtTree(cluster));
        assertEquals(
            "blue",
            s3.getObjectTagging(b -> b.bucket(BUCKET).key("tagged")).tagSet().get(0).value());
        assertThrows(S3Exception.class, () -> s3.headBucket(b -> b.bucket("deleted-bucket")));

        RebuildReport again = rebuild(cluster);
        assertEquals(0, again.restored(), again.toString());
        assertSameVersions(versions, lookAtVersions(s3));
        assertEquals(tree, lookAtTree(cluster));
        s3.deleteObject(b -> b.bucket(BUCKET).key("small/0"));
        put(s3, "small/1", 10);
        before.remove("small/0");
        Map<String, Seen> after = look(s3);
        rebuild(cluster);
        assertSame(after, look(s3));

        changeWhatCameBack(s3, cluster);
        tree = lookAtTree(cluster);
        whatWasRepackedComesBackFromWhereItIsNow(cluster, s3, look(s3), lookAtVersions(s3), tree);
      }
      whatHasLostItsNameIsFound(cluster, tree);
    }
  }

  /**
   * As every rebuild after an accident meets it: some containers are sealed when the tables go, and
   * some are not.
   */
  private void putIntoOpenContainer(S3Client s3, MiniStowageCluster cluster, String key)
      throws Exception {
    await(
        "bytes to lie in an open container",
        () -> {
          put(s3, key, 1_234);
          Set<Long> written =
              cluster
                  .objectManager(0)
                  .getObject(
                      GetObjectRequest.newBuilder()
                          .setBucket(BUCKET)
                          .setKey(key)
                          .setWantManifest(true)
                          .build())
                  .getContainersList()
                  .stream()
                  .map(ContainerInfo::getId)
                  .collect(Collectors.toSet());
          return containers(cluster).stream()
              .anyMatch(
                  now -> written.contains(now.getId()) && now.getState() == ContainerState.OPEN);
        });
  }

  /**
   * Repack judges rows that users made as well as those that a rebuild made, and here are those of
   * which a rebuild makes none: of uploads that are open, of versions and directories that are gone
   * or have left.
   */
  private void changeWhatCameBack(S3Client s3, MiniStowageCluster cluster) throws Exception {
    String id = begin(s3, "upload-again");
    part(s3, "upload-again", id, 1, 2_000);
    CompletedPart one = part(s3, "upload-again", id, 1, 2_001); // replaced
    part(s3, "upload-again", id, 2, 2_002); // not used
    s3.completeMultipartUpload(
        b -> b.bucket(BUCKET).key("upload-again").uploadId(id).multipartUpload(u -> u.parts(one)));
    leaveUploads(s3);

    keep(s3, "again", 10);
    remove(s3, "again", keep(s3, "again", 11));
    remove(s3, "again-gone", keep(s3, "again-gone", 12)); // nothing is left
    remove(s3, "undeleted", null); // which a rebuild made
    keep(s3, "again-renamed", 13);
    keep(s3, "again-renamed", 14);
    keep(s3, "again-once", 15);
    try (FileSystem fs = cluster.fileSystem(KEPT)) {
      assertTrue(fs.rename(path("again-renamed"), path("fs/again"))); // leaves an older version
      assertTrue(fs.rename(path("again-once"), path("fs/again-once"))); // leaves nothing
    }

    try (FileSystem fs = cluster.fileSystem(TREE)) {
      assertTrue(fs.rename(path("elsewhere/deeper"), path("moved")));
      write(fs, "moved/db/renamed/part-3", 302);
      write(fs, "out/part-2", 501);
      assertTrue(fs.delete(path("out"), true)); // with what came back in it
      write(fs, "again/below/file", 600);
      assertTrue(fs.rename(path("again"), path("again-moved")));
      assertTrue(fs.delete(path("again-moved/below"), true));
    }
  }

  /** Needles and records lie elsewhere than where they were written. */
  private static void whatWasRepackedComesBackFromWhereItIsNow(
      MiniStowageCluster cluster,
      S3Client s3,
      Map<String, Seen> before,
      Map<String, List<SeenVersion>> versions,
      Map<String, String> tree)
      throws Exception {
    List<ContainerInfo> written = containers(cluster);
    repackAll(cluster, written);
    // All that is left of them is copies elsewhere.
    await(
        "the old containers to be gone",
        () ->
            containers(cluster).stream()
                .noneMatch(now -> written.stream().anyMatch(old -> old.getId() == now.getId())));
    assertSame(before, look(s3));
    assertSameVersions(versions, lookAtVersions(s3));
    assertEquals(tree, lookAtTree(cluster));

    loseTables(cluster);
    RebuildReport report = rebuild(cluster);
    assertTrue(report.isWhole(), report.toString());
    int kept = versions.values().stream().mapToInt(List::size).sum();
    assertEquals(before.size() + kept + tree.size(), report.restored(), report.toString());
    assertSame(before, look(s3));
    assertSameVersions(versions, lookAtVersions(s3));
    assertEquals(tree, lookAtTree(cluster));
  }

  /**
   * Directories were made and their records never written, as by one who is killed: what is in them
   * is there after a rebuild, with all below that has a name.
   */
  private void whatHasLostItsNameIsFound(MiniStowageCluster cluster, Map<String, String> tree)
      throws Exception {
    cluster
        .objectManager(0) // which hands the records to nobody
        .placeObject(
            PlaceObjectRequest.newBuilder().setBucket(TREE).setKey("crashed/file").build());
    long id =
        cluster
            .objectManager(0)
            .findPath(FindPathRequest.newBuilder().setBucket(TREE).setPath("crashed").build())
            .getVersion()
            .getDirectoryId();
    try (FileSystem fs = cluster.fileSystem(TREE)) {
      write(fs, "crashed/file", 4_321);
      write(fs, "crashed/below/file", 1 << 20);
      assertTrue(fs.mkdirs(path("crashed/nothing-in-it")));
    }
    String found = "/lost+found/" + HexFormat.of().toHexDigits(id);
    Map<String, String> expected = new TreeMap<>(tree);
    lookAtTree(cluster)
        .forEach((path, what) -> expected.put(path.replaceFirst("^/crashed", found), what));
    loseTables(cluster);
    RebuildReport report = rebuild(cluster);
    assertFalse(report.isWhole());
    assertTrue(report.problems.toString().contains(found.substring(1)), report.toString());
    Map<String, String> after = lookAtTree(cluster);
    // Whose they are is told by the records of them: here the bucket's owner says so.
    for (String made : List.of("/lost+found", found)) {
      assertTrue(after.remove(made).startsWith("directory"), made);
      expected.remove(made);
    }
    assertEquals(expected, after);
    RebuildReport again = rebuild(cluster);
    assertTrue(again.isWhole(), again.toString());
    assertEquals(0, again.restored(), again.toString());
  }

  private void growTree(S3Client s3, MiniStowageCluster cluster) throws Exception {
    s3.createBucket(
        b ->
            b.bucket(TREE)
                .overrideConfiguration(c -> c.putHeader("x-stowage-layout", "FILE_SYSTEM")));
    try (FileSystem fs = cluster.fileSystem(TREE)) {
      write(fs, "warehouse/db/table/part-0", 1_000);
      write(fs, "warehouse/db/table/part-1", (3 << 20) + 5);
      fs.setPermission(path("warehouse/db"), new FsPermission((short) 0750));
      assertTrue(fs.rename(path("warehouse/db/table"), path("warehouse/db/renamed")));
      assertTrue(fs.mkdirs(path("elsewhere/deeper")));
      assertTrue(fs.rename(path("warehouse/db"), path("elsewhere/deeper/db")));
      write(fs, "elsewhere/deeper/db/renamed/part-2", 300); // where it is now
      write(fs, "warehouse/db/another", 301); // a directory of the first name
      // As jobs do: written below, moved out, and removed with what is left.
      for (int i = 0; i < 4; i++) {
        write(fs, "out/_temporary/0/task-" + i + "/part-" + i, i % 2 == 0 ? 500 + i : 1 << 20);
      }
      assertTrue(fs.rename(path("out/_temporary/0/task-0/part-0"), path("out/part-0")));
      assertTrue(fs.rename(path("out/_temporary/0/task-1/part-1"), path("out/part-1")));
      assertTrue(fs.delete(path("out/_temporary"), true));
      write(fs, "out/_temporary/1/part-9", 900);
      assertTrue(fs.mkdirs(path("empty")));
      assertTrue(fs.delete(path("empty"), false));
      assertTrue(fs.mkdirs(path("nothing-in-it")));
      // There and back, and into one another.
      write(fs, "a/b/c/d/file", 700);
      assertTrue(fs.rename(path("a/b"), path("a/x")));
      assertTrue(fs.rename(path("a/x/c"), path("c")));
      assertTrue(fs.rename(path("a"), path("c/a")));
      assertTrue(fs.rename(path("c/a/x"), path("x")));
      assertTrue(fs.rename(path("c"), path("x/c")));
      // What was moved into a directory that is removed then goes with it.
      write(fs, "victim/own", 20);
      write(fs, "moved-in/file", 2 << 20);
      assertTrue(fs.rename(path("moved-in"), path("victim/moved-in")));
      write(fs, "victim/moved-in/later", 21);
      assertTrue(fs.delete(path("victim"), true));
      write(fs, "over", 30);
      write(fs, "over", 31);
      write(fs, "gone", 32);
      assertTrue(fs.delete(path("gone"), false));
      fs.setPermission(path("elsewhere"), new FsPermission((short) 0750)); // nobody made it
      assertTrue(fs.mkdirs(path("private")));
      fs.modifyAclEntries(
          path("private"), AclEntry.parseAclSpec("default:other::---,default:user:ann:r--", true));
    }
    putInTree(s3, "private/key", 52); // which gets bits and a list that its writer does not know
    putInTree(s3, "imagined/directory/key", 50);
    putInTree(s3, "imagined/gone/key", 51);
    s3.deleteObject(b -> b.bucket(TREE).key("imagined/gone/key")); // and its directory with it
    putInTree(s3, "made/", 0);
    putInTree(s3, "made/empty", 0);
    String id = s3.createMultipartUpload(b -> b.bucket(TREE).key("up/loaded")).uploadId();
    List<CompletedPart> parts = new ArrayList<>();
    for (int i = 1; i <= 2; i++) {
      int number = i;
      String etag =
          s3.uploadPart(
                  b -> b.bucket(TREE).key("up/loaded").uploadId(id).partNumber(number),
                  RequestBody.fromBytes(content(number == 1 ? PART : 1_000)))
              .eTag();
      parts.add(CompletedPart.builder().partNumber(number).eTag(etag).build());
    }
    s3.completeMultipartUpload(
        b -> b.bucket(TREE).key("up/loaded").uploadId(id).multipartUpload(u -> u.parts(parts)));
  }

  private void putInTree(S3Client s3, String key, int length) {
    s3.putObject(b -> b.bucket(TREE).key(key), RequestBody.fromBytes(content(length)));
  }

  /** Of each path what a FileSystem's user sees there; of a file also its bytes. */
  private static Map<String, String> lookAtTree(MiniStowageCluster cluster) throws Exception {
    Map<String, String> seen = new TreeMap<>();
    try (FileSystem fs = cluster.fileSystem(TREE)) {
      look(fs, new org.apache.hadoop.fs.Path("/"), seen);
    }
    return seen;
  }

  private static void look(
      FileSystem fs, org.apache.hadoop.fs.Path directory, Map<String, String> seen)
      throws Exception {
    for (FileStatus status : fs.listStatus(directory)) {
      String what = status.getPermission() + " " + status.getOwner() + " " + status.getGroup();
      if (status.isDirectory()) {
        look(fs, status.getPath(), seen);
        what = "directory " + what;
      } else {
        byte[] bytes;
        try (InputStream in = fs.open(status.getPath())) {
          bytes = in.readAllBytes();
        }
        assertEquals(status.getLen(), bytes.length, status.toString());
        what = "file " + what + " " + bytes.length + " " + Arrays.hashCode(bytes);
      }
      seen.put(status.getPath().toUri().getPath(), what);
    }
  }

  /**
   * As the documented way has it: object managers and gateways are started, repackers with them.
   */
  @Test
  void repackersEmptyNothingBeforeLostTablesAreBack() throws Exception {
    try (MiniStowageCluster cluster =
        repacking().set(Keys.OPEN_TIME, "2s").set(Keys.REPACK_WORKERS, "1").start()) {
      cluster.awaitWritable(Duration.ofSeconds(60));
      Map<String, Seen> before;
      try (S3Client s3 = client(cluster)) {
        s3.createBucket(b -> b.bucket(BUCKET));
        for (int i = 0; i < 20; i++) {
          put(s3, "small/" + i, 1_000 * i);
        }
        put(s3, "large", 3 << 20);
        before = look(s3);
      }
      await(
          "all containers to be sealed and looked into",
          () -> containers(cluster).stream().noneMatch(info -> info.getSurveyedMicros() == 0));

      loseTables(cluster);
      cluster
          .containerManager()
          .resurveyContainers(
              ResurveyContainersRequest.newBuilder()
                  .addAllContainers(containers(cluster).stream().map(ContainerInfo::getId).toList())
                  .build());
      await(
          "repackers to be held back, or to have emptied all",
          () ->
              !cluster.status().getHeldBack().isEmpty()
                  || containers(cluster).stream()
                      .allMatch(info -> info.getState() == ContainerState.DELETED));
      for (ContainerInfo container : containers(cluster)) {
        StoreException refused =
            assertThrows(StoreException.class, () -> cluster.repacker(0).repack(container.getId()));
        assertEquals(ErrorCode.WRONG_CLUSTER, refused.code(), refused.getMessage());
      }
      try (S3Client s3 = client(cluster)) {
        RebuildReport report = rebuild(cluster);
        assertTrue(report.isWhole(), report.toString());
        assertSame(before, look(s3));
        assertEquals("", cluster.status().getHeldBack());
        repackAll(cluster, containers(cluster)); // by the new table
        assertSame(before, look(s3));
      }
    }
  }

  private static void loseTables(MiniStowageCluster cluster) throws Exception {
    cluster.stopObjectManager(0);
    cluster.dropTable("object");
    cluster.dropTable("bucket");
    cluster.startObjectManager(0);
  }

  private static List<ContainerInfo> containers(MiniStowageCluster cluster) throws Exception {
    return cluster
        .containerManager()
        .listContainers(ListContainersRequest.getDefaultInstance())
        .getContainersList();
  }

  private interface Condition {
    boolean isMet() throws Exception;
  }

  private static void await(String what, Condition condition) throws Exception {
    long deadline = System.nanoTime() + PATIENCE.toNanos();
    while (!condition.isMet()) {
      assertTrue(System.nanoTime() < deadline, "waited in vain for " + what);
      Thread.sleep(50);
    }
  }

  /** Side by side, since each waits for its second judgement. */
  private static void repackAll(MiniStowageCluster cluster, List<ContainerInfo> containers)
      throws Exception {
    ExecutorService side = Executors.newFixedThreadPool(8);
    try {
      List<Callable<Void>> each = new ArrayList<>();
      for (ContainerInfo container : containers) {
        each.add(
            () -> {
              repack(cluster, container.getId());
              return null;
            });
      }
      for (Future<Void> repacked : side.invokeAll(each)) {
        repacked.get();
      }
    } finally {
      side.shutdownNow();
    }
  }

  /**
   * Once it is sealed and old enough, and again if it was given back with a needle in it that could
   * not be moved in time; one that nobody wrote to goes by itself.
   */
  private static void repack(MiniStowageCluster cluster, long id) throws Exception {
    await(
        "container to be repacked",
        () -> {
          try {
            cluster.repacker(0).repack(id);
          } catch (StoreException e) {
            assertTrue(AGAIN.contains(e.code()), e.getMessage());
          }
          return containers(cluster).stream()
              .noneMatch(now -> now.getId() == id && now.getState() != ContainerState.DELETED);
        });
  }

  /**
   * A gateway dies by kill -9 in the middle of its work, and then the tables are lost: everything
   * is back that was done ten seconds before.
   */
  @Test
  void afterAGatewayWasKilledAllIsBackButTheLastTenSeconds() throws Exception {
    try (MiniStowageCluster cluster = builder().start()) {
      cluster.awaitWritable(Duration.ofSeconds(60));
      Map<String, Seen> before;
      Process gateway = startGateway(cluster);
      try (S3Client s3 = client(cluster, endpointOfGateway())) {
        s3.createBucket(b -> b.bucket(BUCKET));
        byS3(s3);
        before = look(s3);
        // What the page promises is a time, and nothing else tells that it has passed.
        Thread.sleep(RECORDS_ON_DISK.toMillis());
        for (int i = 0; i < 30; i++) {
          String key = "late/" + i; // is on disk with its name and its checksum's
          ChecksumAlgorithm kind = BY_JAVA.get(i % BY_JAVA.size());
          s3.putObject(
              b -> b.bucket(BUCKET).key(key).checksumAlgorithm(kind),
              RequestBody.fromBytes(content(100 + i)));
        }
        putUnrecorded(cluster, BUCKET, "hashed", 8 << 20);
        putUnrecorded(cluster, BUCKET, "unhashed", UNHASHED);
        before.putAll(look(s3));
        s3.deleteObject(b -> b.bucket(BUCKET).key("small/6")); // may be undone
        put(s3, "late-empty", 0); // may be missing: it is a record and nothing else
      } finally {
        gateway.destroyForcibly().waitFor();
      }
      loseTables(cluster);
      try (S3Client s3 = client(cluster)) {
        RebuildReport report = rebuild(cluster);
        System.err.println(report);
        assertTrue(report.isWhole(), report.toString());
        Map<String, Seen> after = look(s3);
        after.remove("late-empty");
        if (!after.containsKey("small/6")) {
          before.remove("small/6");
        }
        assertSame(before, after);
      }
    }
  }

  /** To readers of both kinds they are one stream and one part, and they are added to. */
  @Test
  void filesThatWereNotHashedComeBack() throws Exception {
    try (MiniStowageCluster cluster = builder().start()) {
      cluster.awaitWritable(Duration.ofSeconds(60));
      try (S3Client s3 = client(cluster)) {
        s3.createBucket(b -> b.bucket(BUCKET));
        s3.createBucket(b -> b.bucket(SECRET));
        ServerSideEncryptionRule rule =
            ServerSideEncryptionRule.builder()
                .applyServerSideEncryptionByDefault(
                    d -> d.sseAlgorithm(ServerSideEncryption.AES256))
                .build();
        s3.putBucketEncryption(
            b -> b.bucket(SECRET).serverSideEncryptionConfiguration(c -> c.rules(rule)));
        for (String bucket : List.of(BUCKET, SECRET)) {
          try (FileSystem fs = cluster.fileSystem(bucket)) {
            write(fs, "plain", UNHASHED);
            write(fs, "first", UNHASHED);
            assertTrue(fs.rename(path("first"), path("renamed")));
          }
          putUnrecorded(cluster, bucket, "unrecorded", UNHASHED);
        }
        Map<String, SeenPart> before = lookAtOnlyParts(cluster, s3);
        assertEquals(6, before.size());
        loseTables(cluster);
        assertTrue(rebuild(cluster).isWhole());
        assertEquals(before, lookAtOnlyParts(cluster, s3));

        try (FileSystem fs = cluster.fileSystem(BUCKET)) {
          for (String key : List.of("plain", "renamed", "unrecorded")) {
            try (OutputStream out = fs.append(path(key))) {
              out.write(content(1_000));
            }
          }
        }
        Map<String, Seen> longer = look(s3);
        longer.forEach((key, seen) -> assertEquals(UNHASHED + 1_000, seen.bytes().limit(), key));
        loseTables(cluster);
        RebuildReport report = rebuild(cluster);
        assertTrue(report.isWhole(), report.toString());
        assertSame(longer, look(s3));
        cutFilesAreTold(cluster);
      }
    }
  }

  /** Of files whose writers are dead only what was told of them comes back. */
  private void cutFilesAreTold(MiniStowageCluster cluster) throws Exception {
    try (FileSystem fs = cluster.fileSystem(BUCKET)) {
      syncAndDie(fs.create(path("open/new")), 100, 60);
      syncAndDie(fs.create(path("open/told")), 100);
      write(fs, "open/first", 1_000);
      assertTrue(fs.rename(path("open/first"), path("open/appended")));
      syncAndDie(fs.append(path("open/appended")), 20, 30);
      syncAndDie(fs.create(path("open/gone")), 100, 60);
      assertTrue(fs.delete(path("open/gone"), false));
    }
    RebuildReport before = rebuild(cluster);
    assertTrue(before.isWhole(), "the table knows more: " + before);
    loseTables(cluster);
    List<String> cut =
        List.of(
            "bucket rebuilt key open/appended: 1000 bytes of at most 1050",
            "bucket rebuilt key open/new: 100 bytes of at most 160");
    for (int i = 0; i < 2; i++) { // there is nothing new to the second, and it tells them again
      RebuildReport report = rebuild(cluster);
      assertEquals(cut, report.cut.stream().sorted().toList(), report.toString());
      assertEquals(cut.size(), report.cut());
      assertEquals(0, report.lost());
      assertFalse(report.isWhole());
    }
    try (FileSystem fs = cluster.fileSystem(BUCKET)) {
      assertEquals(1_000, fs.getFileStatus(path("open/appended")).getLen());
      assertEquals(100, fs.getFileStatus(path("open/new")).getLen());
      assertEquals(100, fs.getFileStatus(path("open/told")).getLen());
    }
  }

  private void syncAndDie(FSDataOutputStream out, int... lengths) throws Exception {
    for (int length : lengths) {
      out.write(content(length));
      out.hsync();
    }
    out.abort(); // what was synced stays, and the file is open
  }

  /** What is seen of an object whose only part is asked for. */
  private record SeenPart(ByteBuffer bytes, String etag, long length, int parts) {}

  private static Map<String, SeenPart> lookAtOnlyParts(MiniStowageCluster cluster, S3Client s3)
      throws Exception {
    Map<String, SeenPart> seen = new TreeMap<>();
    for (String bucket : List.of(BUCKET, SECRET)) {
      for (S3Object object : s3.listObjectsV2(b -> b.bucket(bucket)).contents()) {
        String key = object.key();
        HeadObjectResponse head = s3.headObject(b -> b.bucket(bucket).key(key).partNumber(1));
        assertTrue(head.eTag().endsWith("-1\""), key);
        assertEquals(UNHASHED, head.contentLength(), key);
        assertEquals(1, head.partsCount(), key);
        // What an append goes on from, and who decrypts.
        io.stowage.common.proto.ObjectVersion version =
            cluster
                .objectManager(0)
                .getObject(
                    GetObjectRequest.newBuilder()
                        .setBucket(bucket)
                        .setKey(key)
                        .setWantManifest(true)
                        .build())
                .getVersion();
        assertEquals(List.of((long) UNHASHED), version.getPartLengthsList(), key);
        assertEquals(version.getWriteId(), version.getPartWriteIds(), key);
        seen.put(
            bucket + "/" + key,
            new SeenPart(
                s3.getObjectAsBytes(b -> b.bucket(bucket).key(key)).asByteBuffer(),
                head.eTag(),
                head.contentLength(),
                head.partsCount()));
      }
    }
    return seen;
  }

  /**
   * As the FileSystem writes a file, of which no record tells: its needles tell all but its time.
   */
  private void putUnrecorded(MiniStowageCluster cluster, String name, String key, int length)
      throws Exception {
    byte[] content = content(length);
    boolean unhashed = length > 8 << 20;
    ByteString id = WriteId.random();
    BucketInfo bucket =
        cluster
            .objectManager(0)
            .getBucket(GetBucketRequest.newBuilder().setName(name).build())
            .getBucket();
    ObjectCipher cipher = name.equals(SECRET) ? storeCipher(cluster, bucket) : null;
    ObjectMetadata metadata =
        cipher == null
            ? ObjectMetadata.getDefaultInstance()
            : ObjectMetadata.newBuilder().setEncryption(cipher.envelope()).build();
    NeedleBlob blob =
        NeedleBlob.newBuilder()
            .setChecksum(
                cipher == null
                    ? io.stowage.common.proto.ChecksumAlgorithm.CRC32C
                    : io.stowage.common.proto.ChecksumAlgorithm.CHECKSUM_NONE)
            .setMd5LimitBytes(8 << 20)
            .build();
    CRC32C crc = new CRC32C();
    crc.update(content);
    try (NetworkDatanodes datanodes = new NetworkDatanodes(ClientTls.OFF);
        StowageDataPath data =
            StowageDataPath.create(
                cluster.config(), cluster.objectManager(0), datanodes, StoreClock.system());
        ObjectWriter stored =
            data.write(
                new DataPath.WriteSpec(
                    bucket.getId(),
                    ByteString.copyFromUtf8(key),
                    id,
                    bucket.getPolicy(),
                    -1,
                    NeedleFacts.blob(metadata, blob)));
        ObjectWriter writer =
            cipher == null ? stored : cipher.encrypting(stored, ByteString.EMPTY)) {
      writer.write(Unpooled.wrappedBuffer(content));
      ObjectWriter.Written written = writer.finish();
      cluster
          .objectManager(0)
          .putObject(
              PutObjectRequest.newBuilder()
                  .setBucket(name)
                  .setKey(key)
                  .setWriteId(id)
                  .setMetadata(metadata)
                  .setEncryptionDecided(true)
                  .setLength(length)
                  .setMd5(
                      unhashed
                          ? WriteId.mark(id, length)
                          : ByteString.copyFrom(MessageDigest.getInstance("MD5").digest(content)))
                  .setUnhashed(unhashed)
                  .addChecksums(
                      HashKind.CRC32C.checksum(
                          ByteBuffer.allocate(4).putInt((int) crc.getValue()).array(), false))
                  .setManifest(written.manifest())
                  .addAllGrants(written.grants())
                  .setClockMicros(written.clockMicros())
                  .build());
    }
  }

  private static ObjectCipher storeCipher(MiniStowageCluster cluster, BucketInfo bucket)
      throws Exception {
    try (KeyService keys = HadoopKeys.openExisting(cluster.config(), new Configuration(false))) {
      return new Envelopes(keys, StoreClock.system())
          .withStoreKey(bucket.getId(), cluster.config().get(Keys.ENCRYPTION_STORE_KEY));
    }
  }

  private URI endpointOfGateway() throws Exception {
    Matcher said =
        Pattern.compile("S3 is served on (127\\.0\\.0\\.1:\\d+)")
            .matcher(Files.readString(directory.resolve("gateway.out")));
    assertTrue(said.find(), "the gateway does not say where it serves");
    return URI.create("http://" + said.group(1));
  }

  /** A gateway as a process of its own, of the same cluster. */
  private Process startGateway(MiniStowageCluster cluster) throws Exception {
    Map<String, String> settings = new TreeMap<>(cluster.config().settings());
    String quorum = cluster.config().get(Keys.ZOOKEEPER_QUORUM);
    settings.put(Keys.SCM_ADDRESSES.name(), String.join(",", cluster.scmAddresses()));
    settings.put(Keys.S3_BIND.name(), "127.0.0.1:0");
    settings.put("hbase.zookeeper.quorum", quorum.substring(0, quorum.indexOf(':')));
    settings.put("hbase.zookeeper.property.clientPort", quorum.substring(quorum.indexOf(':') + 1));
    StringBuilder site = new StringBuilder("<configuration>\n");
    settings.forEach(
        (name, value) ->
            site.append("<property><name>")
                .append(name)
                .append("</name><value>")
                .append(value)
                .append("</value></property>\n"));
    Files.writeString(directory.resolve("stowage-site.xml"), site + "</configuration>\n");
    Path out = directory.resolve("gateway.out");
    Process gateway =
        new ProcessBuilder(
                Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                "-Xmx384m",
                "-XX:TieredStopAtLevel=1", // it lives for seconds
                "-Djava.net.preferIPv4Stack=true",
                "-Dlog4j.configuration=" + System.getProperty("log4j.configuration"),
                "-cp",
                System.getProperty("java.class.path"),
                S3GatewayMain.class.getName(),
                "--conf",
                directory.toString())
            .redirectErrorStream(true)
            .redirectOutput(out.toFile())
            .start();
    try {
      await(
          "the gateway",
          () -> {
            assertTrue(gateway.isAlive(), () -> "the gateway ended; see " + out);
            return Files.readString(out).contains(": serving");
          });
    } catch (Exception | Error e) {
      gateway.destroyForcibly().waitFor();
      throw e;
    }
    return gateway;
  }

  private void byS3(S3Client s3) {
    for (int i = 0; i < 30; i++) {
      put(s3, "small/" + i, 100 + 300 * i);
    }
    for (int i = 0; i < 30; i += 3) {
      put(s3, "small/" + i, 50 + i); // over another
    }
    for (int i = 1; i < 30; i += 3) {
      int key = i;
      s3.deleteObject(b -> b.bucket(BUCKET).key("small/" + key));
    }
    put(s3, "small/1", 77); // after its deletion
    put(s3, "small/4", 78);
    s3.deleteObjects(
        b ->
            b.bucket(BUCKET)
                .delete(
                    d ->
                        d.objects(
                            ObjectIdentifier.builder().key("small/2").build(),
                            ObjectIdentifier.builder().key("small/4").build())));
    put(s3, "empty", 0);
    put(s3, "emptied", 1_000);
    put(s3, "emptied", 0);
    put(s3, "large", 3 << 20);
    put(s3, "large-over", 2 << 20);
    put(s3, "large-over", 1 << 20);
    s3.putObject(
        b ->
            b.bucket(BUCKET)
                .key("told")
                .contentType("text/x-told")
                .metadata(Map.of("colour", "blue", "n", "1")),
        RequestBody.fromBytes(content(5_000)));
    s3.putObject(
        b -> b.bucket(BUCKET).key("sha").checksumAlgorithm(ChecksumAlgorithm.SHA256),
        RequestBody.fromBytes(content(700)));
    put(s3, "tagged", 321);
    s3.putObjectTagging(
        b ->
            b.bucket(BUCKET)
                .key("tagged")
                .tagging(t -> t.tagSet(Tag.builder().key("team").value("blue").build())));
    // Refused, though its bytes are on the disks.
    assertThrows(
        S3Exception.class,
        () ->
            s3.putObject(
                b -> b.bucket(BUCKET).key("told").ifNoneMatch("*"),
                RequestBody.fromBytes(content(4_000))));
    s3.putObject(
        b -> b.bucket(BUCKET).key("first").ifNoneMatch("*"), RequestBody.fromBytes(content(4_000)));
    s3.copyObject(
        b ->
            b.sourceBucket(BUCKET)
                .sourceKey("told")
                .destinationBucket(BUCKET)
                .destinationKey("copy"));
    uploads(s3);
  }

  private void uploads(S3Client s3) {
    String id = begin(s3, "upload");
    part(s3, "upload", id, 1, PART);
    CompletedPart one = part(s3, "upload", id, 1, PART); // replaced
    CompletedPart two = part(s3, "upload", id, 2, PART + 12_345);
    part(s3, "upload", id, 3, PART); // not used
    CompletedPart four = part(s3, "upload", id, 4, 999);
    s3.completeMultipartUpload(
        b ->
            b.bucket(BUCKET)
                .key("upload")
                .uploadId(id)
                .multipartUpload(u -> u.parts(one, two, four)));
    leaveUploads(s3);
  }

  /** Uploads that become no object, one of them under a key that has one. */
  private void leaveUploads(S3Client s3) {
    String aborted = begin(s3, "aborted");
    part(s3, "aborted", aborted, 1, 3_000);
    s3.abortMultipartUpload(b -> b.bucket(BUCKET).key("aborted").uploadId(aborted));
    part(s3, "open", begin(s3, "open"), 1, 3_000);
    put(s3, "under-upload", 10);
    part(s3, "under-upload", begin(s3, "under-upload"), 1, 3_000);
  }

  private static String begin(S3Client s3, String key) {
    return s3.createMultipartUpload(b -> b.bucket(BUCKET).key(key).metadata(Map.of("by", "upload")))
        .uploadId();
  }

  private CompletedPart part(S3Client s3, String key, String id, int number, int length) {
    String etag =
        s3.uploadPart(
                b -> b.bucket(BUCKET).key(key).uploadId(id).partNumber(number),
                RequestBody.fromBytes(content(length)))
            .eTag();
    return CompletedPart.builder().partNumber(number).eTag(etag).build();
  }

  private static void setVersioning(S3Client s3, BucketVersioningStatus status) {
    s3.putBucketVersioning(b -> b.bucket(KEPT).versioningConfiguration(v -> v.status(status)));
  }

  private String keep(S3Client s3, String key, int length) {
    return s3.putObject(
            b -> b.bucket(KEPT).key(key).metadata(Map.of("length", "" + length)),
            RequestBody.fromBytes(content(length)))
        .versionId();
  }

  private static String remove(S3Client s3, String key, String version) {
    return s3.deleteObject(b -> b.bucket(KEPT).key(key).versionId(version)).versionId();
  }

  private void keepVersions(S3Client s3, MiniStowageCluster cluster) throws Exception {
    s3.createBucket(b -> b.bucket(KEPT));
    keep(s3, "phases", 100); // before there were versions
    keep(s3, "plain", 200);
    setVersioning(s3, BucketVersioningStatus.ENABLED);
    for (int i = 1; i <= 3; i++) {
      keep(s3, "phases", 100 + i);
    }
    remove(s3, "phases", null);
    keep(s3, "phases", 110);
    keep(s3, "undeleted", 1_000);
    keep(s3, "undeleted", 2 << 20);
    remove(s3, "undeleted", remove(s3, "undeleted", null));
    keep(s3, "without-middle", 10);
    String middle = keep(s3, "without-middle", 20);
    keep(s3, "without-middle", 30);
    remove(s3, "without-middle", middle);
    remove(s3, "gone", keep(s3, "gone", 40));
    remove(s3, "only-a-marker", null);
    keep(s3, "uploaded", 50);
    for (int i = 0; i < 2; i++) {
      keepUpload(s3, "uploaded", i);
    }
    String tagged = keep(s3, "tagged", 60);
    keep(s3, "tagged", 61);
    s3.putObjectTagging(
        b ->
            b.bucket(KEPT)
                .key("tagged")
                .versionId(tagged)
                .tagging(t -> t.tagSet(Tag.builder().key("team").value("old").build())));
    for (int i = 0; i < 2; i++) {
      String told = "long".repeat(450) + i;
      s3.putObject(
          b -> b.bucket(KEPT).key("told").contentType("text/x-told").metadata(Map.of("n", told)),
          RequestBody.fromBytes(content(70)));
    }
    renameVersions(s3, cluster);
    keep(s3, "suspended/delete", 80);
    keep(s3, "suspended/put", 81);
    setVersioning(s3, BucketVersioningStatus.SUSPENDED);
    keep(s3, "phases", 111);
    keep(s3, "phases", 112); // replaces the null version before
    remove(s3, "suspended/delete", null);
    remove(s3, "suspended/delete", null); // a marker that is a null version replaces another
    keep(s3, "suspended/put", 82);
    keep(s3, "suspended/null", 83);
    keep(s3, "suspended/deleted-null", 84);
    remove(s3, "suspended/deleted-null", "null");
    setVersioning(s3, BucketVersioningStatus.ENABLED);
    keep(s3, "phases", 113);
    keep(s3, "suspended/null", 85);
  }

  private void keepUpload(S3Client s3, String key, int last) {
    String id = s3.createMultipartUpload(b -> b.bucket(KEPT).key(key)).uploadId();
    List<CompletedPart> parts = new ArrayList<>();
    for (int i = 1; i <= 2; i++) {
      int number = i;
      String etag =
          s3.uploadPart(
                  b -> b.bucket(KEPT).key(key).uploadId(id).partNumber(number),
                  RequestBody.fromBytes(content(number == 1 ? PART : 100 + last)))
              .eTag();
      parts.add(CompletedPart.builder().partNumber(number).eTag(etag).build());
    }
    s3.completeMultipartUpload(
        b -> b.bucket(KEPT).key(key).uploadId(id).multipartUpload(u -> u.parts(parts)));
  }

  private void renameVersions(S3Client s3, MiniStowageCluster cluster) throws Exception {
    keep(s3, "fs/a", 1);
    keep(s3, "fs/a", 2);
    keep(s3, "fs/once", 3);
    keep(s3, "fs/c", 4);
    remove(s3, "fs/c", null);
    try (FileSystem fs = cluster.fileSystem(KEPT)) {
      assertTrue(fs.rename(path("fs/a"), path("fs/b"))); // leaves an older version and a marker
      assertTrue(fs.rename(path("fs/once"), path("fs/then"))); // leaves nothing
      assertTrue(fs.rename(path("fs/then"), path("fs/c"))); // over a marker
      assertTrue(fs.rename(path("plain"), path("fs/plain"))); // a null version
      write(fs, "fs/written", 5);
      write(fs, "fs/written", 6);
      assertTrue(fs.delete(path("fs/written"), false));
    }
    keep(s3, "fs/a", 7);
  }

  private void lockVersions(S3Client s3) {
    s3.createBucket(b -> b.bucket(LOCKED).objectLockEnabledForBucket(true));
    Instant later = Instant.now().plus(Duration.ofDays(1)).truncatedTo(ChronoUnit.SECONDS);
    for (int i = 0; i < 2; i++) {
      s3.putObject(
          b ->
              b.bucket(LOCKED)
                  .key("retained")
                  .objectLockMode(ObjectLockMode.GOVERNANCE)
                  .objectLockRetainUntilDate(later),
          RequestBody.fromBytes(content(90)));
    }
    String held =
        s3.putObject(b -> b.bucket(LOCKED).key("held"), RequestBody.fromBytes(content(91)))
            .versionId();
    s3.putObject(b -> b.bucket(LOCKED).key("held"), RequestBody.fromBytes(content(92)));
    s3.putObjectLegalHold(
        b ->
            b.bucket(LOCKED)
                .key("held")
                .versionId(held)
                .legalHold(h -> h.status(ObjectLockLegalHoldStatus.ON)));
    s3.putObjectRetention(
        b ->
            b.bucket(LOCKED)
                .key("held")
                .retention(
                    r ->
                        r.mode(ObjectLockRetentionMode.GOVERNANCE)
                            .retainUntilDate(later.plusSeconds(60))));
  }

  /** Days of a second: what a rule deletes is told to the containers, as what users delete is. */
  private void byRules(S3Client s3) throws Exception {
    put(s3, "expired/small", 100);
    put(s3, "expired/large", 1 << 20);
    keep(s3, "expired/current", 101);
    keep(s3, "expired/current", 102);
    LifecycleRule rule =
        LifecycleRule.builder()
            .id("all")
            .status(ExpirationStatus.ENABLED)
            .filter(f -> f.prefix("expired/"))
            .expiration(e -> e.days(1))
            .noncurrentVersionExpiration(n -> n.noncurrentDays(1))
            .build();
    for (String bucket : List.of(BUCKET, KEPT)) {
      s3.putBucketLifecycleConfiguration(
          b -> b.bucket(bucket).lifecycleConfiguration(l -> l.rules(rule)));
    }
    await(
        "rules to be applied",
        () -> {
          ListObjectVersionsResponse left =
              s3.listObjectVersions(b -> b.bucket(KEPT).prefix("expired/"));
          return s3.listObjectsV2(b -> b.bucket(BUCKET).prefix("expired/")).keyCount() == 0
              && left.versions().isEmpty()
              && left.deleteMarkers().isEmpty();
        });
    // Or the rules, which come back with the buckets, would do it again.
    for (String bucket : List.of(BUCKET, KEPT)) {
      s3.deleteBucketLifecycle(b -> b.bucket(bucket));
    }
  }

  /** Of each key as they are listed: versions, newest first, then delete markers likewise. */
  private static Map<String, List<SeenVersion>> lookAtVersions(S3Client s3) {
    Map<String, List<SeenVersion>> seen = new TreeMap<>();
    for (String bucket : List.of(KEPT, LOCKED)) {
      s3.listObjectVersionsPaginator(b -> b.bucket(bucket)).stream()
          .forEach(
              page -> {
                for (ObjectVersion version : page.versions()) {
                  add(seen, bucket, version.key(), seenVersion(s3, bucket, version));
                }
                for (DeleteMarkerEntry marker : page.deleteMarkers()) {
                  add(seen, bucket, marker.key(), seenMarker(marker));
                }
              });
    }
    return seen;
  }

  private static void add(
      Map<String, List<SeenVersion>> seen, String bucket, String key, SeenVersion version) {
    seen.computeIfAbsent(bucket + "/" + key, k -> new ArrayList<>()).add(version);
  }

  private static SeenVersion seenMarker(DeleteMarkerEntry marker) {
    return new SeenVersion(
        marker.versionId(),
        marker.isLatest(),
        marker.lastModified(),
        marker.owner().id(),
        null,
        Map.of(),
        "");
  }

  private static SeenVersion seenVersion(S3Client s3, String bucket, ObjectVersion version) {
    String id = version.versionId();
    String key = version.key();
    ResponseBytes<GetObjectResponse> got =
        s3.getObjectAsBytes(
            b -> b.bucket(bucket).key(key).versionId(id).checksumMode(ChecksumMode.ENABLED));
    assertEquals(version.size(), got.asByteArrayUnsafe().length);
    Map<String, String> tags = new TreeMap<>();
    s3.getObjectTagging(b -> b.bucket(bucket).key(key).versionId(id))
        .tagSet()
        .forEach(tag -> tags.put(tag.key(), tag.value()));
    GetObjectResponse response = got.response();
    return new SeenVersion(
        id,
        version.isLatest(),
        id.equals("null") ? Instant.EPOCH : version.lastModified(), // its writer's clock
        version.owner().id(),
        Seen.of(got),
        tags,
        response.objectLockMode()
            + "/"
            + response.objectLockRetainUntilDate()
            + "/"
            + response.objectLockLegalHoldStatus());
  }

  private static void assertSameVersions(
      Map<String, List<SeenVersion>> expected, Map<String, List<SeenVersion>> actual) {
    assertEquals(expected.keySet(), actual.keySet());
    expected.forEach((key, versions) -> assertEquals(versions, actual.get(key), key));
  }

  private void byFileSystem(MiniStowageCluster cluster) throws Exception {
    try (FileSystem fs = cluster.fileSystem(BUCKET)) {
      write(fs, "fs/known", 1_000);
      write(fs, "fs/long", (3 << 20) + 77); // its length is not known when it begins
      write(fs, "fs/unhashed", (8 << 20) + 77); // nor is it hashed
      write(fs, "fs/unhashed-too", (8 << 20) + 1);
      assertTrue(fs.rename(path("fs/unhashed-too"), path("fs/unhashed-moved")));
      write(fs, "fs/a", 300);
      assertTrue(fs.rename(path("fs/a"), path("fs/b")));
      assertTrue(fs.rename(path("fs/b"), path("fs/c")));
      write(fs, "fs/a", 400); // under the first name again
      write(fs, "fs/gone", 10);
      assertTrue(fs.delete(path("fs/gone"), false));
      for (int i = 0; i < 5; i++) {
        write(fs, "fs/dir/" + i, 100 + i);
      }
      assertTrue(fs.rename(path("fs/dir"), path("fs/moved")));
      write(fs, "fs/tmp/x", 1 << 20);
      assertTrue(fs.rename(path("fs/tmp/x"), path("fs/moved/x")));
      assertTrue(fs.rename(path("upload"), path("fs/uploaded")));
      assertTrue(fs.mkdirs(path("fs/nothing-in-it")));
    }
  }

  private static org.apache.hadoop.fs.Path path(String key) {
    return new org.apache.hadoop.fs.Path("/" + key);
  }

  /** With windows of seconds a commit may be too late, which says to write the bytes again. */
  private void write(FileSystem fs, String key, int length) throws Exception {
    byte[] content = content(length);
    long deadline = System.nanoTime() + PATIENCE.toNanos();
    while (true) {
      try (OutputStream out = fs.create(path(key), true)) {
        out.write(content);
      } catch (PathIOException e) {
        if (!e.getMessage().contains("COMMIT_TOO_LATE") || System.nanoTime() > deadline) {
          throw e;
        }
        continue;
      }
      return;
    }
  }

  private static RebuildReport rebuild(MiniStowageCluster cluster) throws Exception {
    Path sorted = Files.createTempDirectory("stowage-rebuild");
    try (NetworkDatanodes datanodes = new NetworkDatanodes(ClientTls.OFF);
        StowageDataPath data =
            StowageDataPath.create(
                cluster.config(), cluster.objectManager(0), datanodes, StoreClock.system())) {
      Cluster parts =
          new Cluster(cluster.objectManager(0), cluster.containerManager(), datanodes, data);
      return new Rebuild(parts, sorted, Progress.NONE).run();
    } finally {
      Files.delete(sorted); // empty again
    }
  }

  private static Map<String, Seen> look(S3Client s3) {
    Map<String, Seen> seen = new HashMap<>();
    List<String> keys = new ArrayList<>();
    s3.listObjectsV2Paginator(b -> b.bucket(BUCKET))
        .contents()
        .forEach((S3Object object) -> keys.add(object.key()));
    for (String key : keys) {
      seen.put(key, look(s3, key));
    }
    return seen;
  }

  private static Seen look(S3Client s3, String key) {
    return Seen.of(
        s3.getObjectAsBytes(b -> b.bucket(BUCKET).key(key).checksumMode(ChecksumMode.ENABLED)));
  }

  private static void assertSame(Map<String, Seen> expected, Map<String, Seen> actual) {
    assertEquals(new TreeMap<>(expected).keySet(), new TreeMap<>(actual).keySet());
    expected.forEach(
        (key, was) -> {
          Seen is = actual.get(key);
          assertEquals(was.bytes(), is.bytes(), key);
          assertEquals(
              Arrays.asList(was.etag(), was.type(), was.user(), was.checksums()),
              Arrays.asList(is.etag(), is.type(), is.user(), is.checksums()),
              key);
        });
  }

  private void put(S3Client s3, String key, int length) {
    s3.putObject(b -> b.bucket(BUCKET).key(key), RequestBody.fromBytes(content(length)));
  }

  private byte[] content(int length) {
    byte[] bytes = new byte[length];
    random.nextBytes(bytes);
    return bytes;
  }

  private static S3Client client(MiniStowageCluster cluster) {
    return client(cluster, cluster.s3Endpoint());
  }

  private static S3Client client(MiniStowageCluster cluster, URI endpoint) {
    return S3Client.builder()
        .endpointOverride(endpoint)
        .region(Region.US_EAST_1)
        .forcePathStyle(true)
        .credentialsProvider(
            StaticCredentialsProvider.create(
                AwsBasicCredentials.create(cluster.accessKey(), cluster.secretKey())))
        .httpClientBuilder(UrlConnectionHttpClient.builder())
        .build();
  }
}
