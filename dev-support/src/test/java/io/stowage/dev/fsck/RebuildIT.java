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
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.stowage.client.StowageDataPath;
import io.stowage.common.conf.Keys;
import io.stowage.common.data.NetworkDatanodes;
import io.stowage.common.error.ErrorCode;
import io.stowage.common.error.StoreException;
import io.stowage.common.proto.ContainerInfo;
import io.stowage.common.proto.ContainerState;
import io.stowage.common.proto.ListContainersRequest;
import io.stowage.common.time.StoreClock;
import io.stowage.minicluster.MiniStowageCluster;
import io.stowage.s3.S3GatewayMain;
import java.io.OutputStream;
import java.net.ServerSocket;
import java.net.URI;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.TreeMap;
import org.apache.hadoop.fs.FileSystem;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import software.amazon.awssdk.auth.credentials.AwsBasicCredentials;
import software.amazon.awssdk.auth.credentials.StaticCredentialsProvider;
import software.amazon.awssdk.core.ResponseBytes;
import software.amazon.awssdk.core.sync.RequestBody;
import software.amazon.awssdk.http.urlconnection.UrlConnectionHttpClient;
import software.amazon.awssdk.regions.Region;
import software.amazon.awssdk.services.s3.S3Client;
import software.amazon.awssdk.services.s3.model.ChecksumAlgorithm;
import software.amazon.awssdk.services.s3.model.ChecksumMode;
import software.amazon.awssdk.services.s3.model.CompletedPart;
import software.amazon.awssdk.services.s3.model.GetObjectResponse;
import software.amazon.awssdk.services.s3.model.ObjectIdentifier;
import software.amazon.awssdk.services.s3.model.S3Exception;
import software.amazon.awssdk.services.s3.model.S3Object;
import software.amazon.awssdk.services.s3.model.Tag;

/**
 * The tables of buckets and objects are dropped; the containers alone bring back what S3 and
 * FileSystem users had done: overwrites, deletes, renames, uploads, metadata.
 */
class RebuildIT {
  private static final String BUCKET = "rebuilt";
  private static final int PART = 5 << 20;

  /** A process of its own takes a minute to start on a machine that is busy with twenty others. */
  private static final Duration PATIENCE = Duration.ofMinutes(3);

  /** Within which records are on the disks, and a little more. */
  private static final Duration RECORDS_ON_DISK = Duration.ofMillis(10_500);

  @TempDir Path directory;
  private final Random random = new Random(7);

  /** What a user sees of an object. */
  private record Seen(
      ByteBuffer bytes, String etag, String type, Map<String, String> user, String crc) {
    static Seen of(ResponseBytes<GetObjectResponse> got) {
      GetObjectResponse response = got.response();
      return new Seen(
          got.asByteBuffer(),
          response.eTag(),
          response.contentType(),
          new TreeMap<>(response.metadata()),
          response.checksumCRC64NVME() + "/" + response.checksumSHA256());
    }

    /** The same, with the checksum of another. */
    Seen with(Seen other) {
      return new Seen(bytes, etag, type, user, other == null ? crc : other.crc);
    }
  }

  @Test
  void droppedTablesComeBackFromTheContainers() throws Exception {
    try (MiniStowageCluster cluster = MiniStowageCluster.builder().datanodes(5).start()) {
      cluster.awaitWritable(Duration.ofSeconds(60));
      Map<String, Seen> before;
      try (S3Client s3 = client(cluster)) {
        s3.createBucket(b -> b.bucket(BUCKET));
        s3.createBucket(b -> b.bucket("deleted-bucket"));
        s3.deleteBucket(b -> b.bucket("deleted-bucket"));
        byS3(s3);
        byFileSystem(cluster);
        before = look(s3);
      }
      assertTrue(before.size() > 40, before.keySet().toString());

      loseTables(cluster);
      try (S3Client s3 = client(cluster)) {
        assertThrows(S3Exception.class, () -> s3.listObjectsV2(b -> b.bucket(BUCKET)));
        RebuildReport report = rebuild(cluster);
        System.err.println(report);
        assertTrue(report.isWhole(), report.toString());
        assertEquals(before.size(), report.restored(), report.toString());
        assertSame(before, look(s3));
        assertEquals(
            "blue",
            s3.getObjectTagging(b -> b.bucket(BUCKET).key("tagged")).tagSet().get(0).value());
        assertThrows(S3Exception.class, () -> s3.headBucket(b -> b.bucket("deleted-bucket")));

        RebuildReport again = rebuild(cluster);
        assertEquals(0, again.restored(), again.toString());
        s3.deleteObject(b -> b.bucket(BUCKET).key("small/0"));
        put(s3, "small/1", 10);
        before.remove("small/0");
        Map<String, Seen> after = look(s3);
        rebuild(cluster);
        assertSame(after, look(s3));
      }
    }
  }

  /** Needles and records lie elsewhere than where they were written. */
  @Test
  void whatWasRepackedComesBackFromWhereItIsNow() throws Exception {
    try (MiniStowageCluster cluster =
        MiniStowageCluster.builder()
            .datanodes(5)
            .set(Keys.COMMIT_WINDOW, "3s")
            .set(Keys.CLOCK_BOUND, "300ms")
            .set(Keys.MUTATION_DEADLINE, "1500ms")
            .set(Keys.OPEN_TIME, "2s")
            .set(Keys.REPACK_WORKERS, "0")
            .set(Keys.REPACK_KEEP, "0s")
            .set(Keys.REPACK_RATE, "1g")
            .start()) {
      cluster.awaitWritable(Duration.ofSeconds(60));
      Map<String, Seen> before;
      try (S3Client s3 = client(cluster)) {
        s3.createBucket(b -> b.bucket(BUCKET));
        byS3(s3);
        byFileSystem(cluster);
        before = look(s3);
        List<ContainerInfo> written = containers(cluster);
        for (ContainerInfo container : written) {
          repack(cluster, container.getId());
        }
        // All that is left of them is copies elsewhere.
        await(
            "the old containers to be gone",
            () ->
                containers(cluster).stream()
                    .noneMatch(
                        now -> written.stream().anyMatch(old -> old.getId() == now.getId())));
        assertSame(before, look(s3));
      }
      loseTables(cluster);
      try (S3Client s3 = client(cluster)) {
        RebuildReport report = rebuild(cluster);
        assertTrue(report.isWhole(), report.toString());
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

  /** Once it is sealed and old enough; one that nobody wrote to goes by itself. */
  private static void repack(MiniStowageCluster cluster, long id) throws Exception {
    await(
        "container to be repacked",
        () -> {
          try {
            cluster.repacker(0).repack(id);
            return true;
          } catch (StoreException e) {
            if (e.code() == ErrorCode.NO_SUCH_CONTAINER) {
              return true;
            }
            assertEquals(ErrorCode.UNAVAILABLE, e.code(), e.getMessage());
            return containers(cluster).stream()
                .noneMatch(now -> now.getId() == id && now.getState() != ContainerState.DELETED);
          }
        });
  }

  /**
   * A gateway dies by kill -9 in the middle of its work, and then the tables are lost: everything
   * is back that was done ten seconds before.
   */
  @Test
  void afterAGatewayWasKilledAllIsBackButTheLastTenSeconds() throws Exception {
    try (MiniStowageCluster cluster = MiniStowageCluster.builder().datanodes(5).start()) {
      cluster.awaitWritable(Duration.ofSeconds(60));
      Map<String, Seen> before;
      Process gateway;
      int port = freePort();
      gateway = startGateway(cluster, port);
      try (S3Client s3 = client(cluster, URI.create("http://127.0.0.1:" + port))) {
        s3.createBucket(b -> b.bucket(BUCKET));
        byS3(s3);
        before = look(s3);
        // What the page promises is a time, and nothing else tells that it has passed.
        Thread.sleep(RECORDS_ON_DISK.toMillis());
        for (int i = 0; i < 30; i++) {
          put(s3, "late/" + i, 100 + i); // are on disk with their names
        }
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
        // The checksum that a client sends is in a record; the rest is in the needle.
        before.replaceAll((key, was) -> key.startsWith("late/") ? was.with(after.get(key)) : was);
        if (!after.containsKey("small/6")) {
          before.remove("small/6");
        }
        assertSame(before, after);
      }
    }
  }

  private static int freePort() throws Exception {
    try (ServerSocket socket = new ServerSocket(0)) {
      return socket.getLocalPort();
    }
  }

  /** A gateway as a process of its own, of the same cluster. */
  private Process startGateway(MiniStowageCluster cluster, int port) throws Exception {
    Map<String, String> settings = new TreeMap<>(cluster.config().settings());
    String quorum = cluster.config().get(Keys.ZOOKEEPER_QUORUM);
    settings.put(Keys.SCM_ADDRESSES.name(), String.join(",", cluster.scmAddresses()));
    settings.put(Keys.S3_BIND.name(), "127.0.0.1:" + port);
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
                "-Djava.net.preferIPv4Stack=true",
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

  private void byFileSystem(MiniStowageCluster cluster) throws Exception {
    try (FileSystem fs = cluster.fileSystem(BUCKET)) {
      write(fs, "fs/known", 1_000);
      write(fs, "fs/long", (3 << 20) + 77); // its length is not known when it begins
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

  private void write(FileSystem fs, String key, int length) throws Exception {
    try (OutputStream out = fs.create(path(key), true)) {
      out.write(content(length));
    }
  }

  private static RebuildReport rebuild(MiniStowageCluster cluster) throws Exception {
    Path sorted = Files.createTempDirectory("stowage-rebuild");
    try (NetworkDatanodes datanodes = new NetworkDatanodes();
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
      seen.put(
          key,
          Seen.of(
              s3.getObjectAsBytes(
                  b -> b.bucket(BUCKET).key(key).checksumMode(ChecksumMode.ENABLED))));
    }
    return seen;
  }

  private static void assertSame(Map<String, Seen> expected, Map<String, Seen> actual) {
    assertEquals(new TreeMap<>(expected).keySet(), new TreeMap<>(actual).keySet());
    expected.forEach(
        (key, was) -> {
          Seen is = actual.get(key);
          assertEquals(was.bytes(), is.bytes(), key);
          assertEquals(
              Arrays.asList(was.etag(), was.type(), was.user(), was.crc()),
              Arrays.asList(is.etag(), is.type(), is.user(), is.crc()),
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
