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
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.stowage.common.conf.Keys;
import io.stowage.common.data.NetworkDatanodes;
import io.stowage.common.data.ShardService.ShardBytes;
import io.stowage.common.error.ErrorCode;
import io.stowage.common.error.StoreException;
import io.stowage.common.om.ObjectManager;
import io.stowage.common.proto.ByteRange;
import io.stowage.common.proto.ContainerInfo;
import io.stowage.common.proto.CreateBucketRequest;
import io.stowage.common.proto.Extent;
import io.stowage.common.proto.GetObjectReply;
import io.stowage.common.proto.GetObjectRequest;
import io.stowage.common.proto.GetTokenKeysRequest;
import io.stowage.common.proto.ListBucketsRequest;
import io.stowage.common.proto.ListShardsRequest;
import io.stowage.common.proto.ListUsersRequest;
import io.stowage.common.proto.LocateContainersRequest;
import io.stowage.common.proto.PutObjectRequest;
import io.stowage.common.proto.ReadShardRequest;
import io.stowage.common.proto.ShardKey;
import io.stowage.common.proto.ShardPlace;
import io.stowage.common.proto.StatShardRequest;
import io.stowage.common.proto.TokenKeys;
import io.stowage.common.rpc.RpcClient;
import io.stowage.common.rpc.RpcProtocol;
import io.stowage.common.rpc.RpcSecurity;
import io.stowage.common.rpc.TestKdc;
import io.stowage.common.tls.ClientTls;
import java.io.OutputStream;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.PrivilegedExceptionAction;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Base64;
import java.util.HexFormat;
import java.util.List;
import java.util.Queue;
import java.util.Random;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.FSDataInputStream;
import org.apache.hadoop.fs.FSDataOutputStream;
import org.apache.hadoop.fs.FileSystem;
import org.apache.hadoop.hbase.TableName;
import org.apache.hadoop.hbase.client.Connection;
import org.apache.hadoop.hbase.client.ConnectionFactory;
import org.apache.hadoop.hbase.client.ResultScanner;
import org.apache.hadoop.hbase.client.Scan;
import org.apache.hadoop.hbase.client.Table;
import org.apache.hadoop.hbase.security.AccessDeniedException;
import org.apache.hadoop.security.Credentials;
import org.apache.hadoop.security.UserGroupInformation;
import org.apache.hadoop.security.token.SecretManager;
import org.apache.hadoop.security.token.Token;
import org.apache.hadoop.thirdparty.protobuf.ByteString;
import org.apache.hadoop.thirdparty.protobuf.TextFormat;
import org.apache.log4j.Appender;
import org.apache.log4j.AppenderSkeleton;
import org.apache.log4j.Level;
import org.apache.log4j.Logger;
import org.apache.log4j.spi.LoggingEvent;
import org.apache.zookeeper.CreateMode;
import org.apache.zookeeper.KeeperException;
import org.apache.zookeeper.ZooDefs;
import org.apache.zookeeper.ZooKeeper;
import org.apache.zookeeper.client.ZKClientConfig;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.EnabledIfSystemProperty;
import org.junit.jupiter.api.io.TempDir;
import software.amazon.awssdk.core.sync.RequestBody;
import software.amazon.awssdk.services.s3.S3Client;

/**
 * A cluster with Kerberos on every RPC and tokens at every datanode: what still works, and what
 * somebody gets who asks for what is not his.
 */
@EnabledIfSystemProperty(named = "stowage.test.secure-cluster", matches = "true")
class SecureClusterIT {
  /**
   * Life of tickets; with one of minutes, the test that outlives them runs, too. Not below 90:
   * ZooKeeper does not log in again within a minute, and spins until it may.
   */
  private static final int TICKET_SECONDS =
      Integer.getInteger("stowage.test.cluster-ticket-seconds", 24 * 3_600);

  @TempDir private static Path directory;
  private static TestKdc kdc;
  private static MiniStowageCluster cluster;
  private static UserGroupInformation alice;
  private static UserGroupInformation bob;
  private static final List<AutoCloseable> open = new ArrayList<>();

  /** Of a delegation token, as it prints itself. */
  private static String jobsPassword = "none was issued";

  /** All that our classes log while this runs, at any level. */
  private static final Queue<String> logged = new ConcurrentLinkedQueue<>();

  private static final Appender LISTENING =
      new AppenderSkeleton() {
        @Override
        protected void append(LoggingEvent event) {
          logged.add(event.getRenderedMessage());
        }

        @Override
        public void close() {}

        @Override
        public boolean requiresLayout() {
          return false;
        }
      };

  @BeforeAll
  static void start() throws Exception {
    Logger.getLogger("io.stowage").addAppender(LISTENING);
    Logger.getLogger("io.stowage").setLevel(Level.DEBUG);
    kdc = TestKdc.start(directory, TICKET_SECONDS);
    MiniStowageCluster.Builder builder =
        MiniStowageCluster.builder()
            .datanodes(5)
            .secureMetadata(
                new RealmKeys(
                    "zookeeper/localhost@" + TestKdc.REALM,
                    kdc.keytab("zookeeper/localhost"),
                    "hbase/localhost@" + TestKdc.REALM,
                    kdc.keytab("hbase/localhost")))
            .set(Keys.SECURITY_ENABLED, "true")
            .setHadoop("hadoop.rpc.protection", "privacy")
            .set(Keys.SCM_PRINCIPAL, "scm/_HOST@" + TestKdc.REALM)
            .set(Keys.SCM_KEYTAB, kdc.keytab("scm/localhost").toString())
            .set(Keys.OM_PRINCIPAL, "om/_HOST@" + TestKdc.REALM)
            .set(Keys.OM_KEYTAB, kdc.keytab("om/localhost").toString())
            .set(Keys.S3_PRINCIPAL, "s3/_HOST@" + TestKdc.REALM)
            .set(Keys.DATANODE_PRINCIPAL, "dn/_HOST@" + TestKdc.REALM)
            .set(Keys.DATANODE_KEYTAB, kdc.keytab("dn/localhost").toString());
    cluster = builder.start();
    alice = kdc.logIn("alice");
    bob = kdc.logIn("bob");
  }

  @AfterAll
  static void stop() throws Exception {
    for (AutoCloseable closeable : open) {
      closeable.close();
    }
    TokenKeys keys =
        cluster.containerManager().getTokenKeys(GetTokenKeysRequest.getDefaultInstance()).getKeys();
    cluster.close();
    kdc.close();
    Logger.getLogger("io.stowage").removeAppender(LISTENING);
    assertTrue(
        logged.stream().anyMatch(line -> line.startsWith("Logged in as om/localhost")),
        () -> "what is logged is not heard: " + logged.size() + " lines");
    assertEquals(1, keys.getKeysCount());
    byte[] secret = keys.getKeys(0).getSecret().toByteArray();
    List<String> secrets =
        List.of(
            cluster.secretKey(),
            jobsPassword,
            HexFormat.of().formatHex(secret),
            Base64.getEncoder().encodeToString(secret),
            TextFormat.escapeBytes(secret), // as messages print themselves
            new String(secret, StandardCharsets.ISO_8859_1));
    for (String line : logged) {
      assertTrue(secrets.stream().noneMatch(line::contains), () -> "a secret was logged: " + line);
    }
  }

  @BeforeEach
  void renewTickets() throws Exception {
    alice.checkTGTAndReloginFromKeytab();
    bob.checkTGTAndReloginFromKeytab();
  }

  private static Configuration hadoop() {
    Configuration hadoop = cluster.hadoopConfiguration();
    RpcSecurity.turnOn(hadoop);
    hadoop.set("hadoop.rpc.protection", "privacy");
    return hadoop;
  }

  private static ObjectManager objectManager(UserGroupInformation user) throws Exception {
    RpcClient<ObjectManager> client =
        user.doAs(
            (PrivilegedExceptionAction<RpcClient<ObjectManager>>)
                () ->
                    RpcClient.create(
                        RpcProtocol.OBJECT_MANAGER,
                        hadoop(),
                        cluster.objectManagerAddresses(),
                        Duration.ofSeconds(20),
                        Duration.ofSeconds(20)));
    open.add(client);
    return client.api();
  }

  private static FileSystem fileSystem(UserGroupInformation user, String bucket) throws Exception {
    FileSystem fs =
        user.doAs(
            (PrivilegedExceptionAction<FileSystem>)
                () -> FileSystem.newInstance(URI.create("stow://" + bucket + "/"), hadoop()));
    open.add(fs);
    return fs;
  }

  private static ByteString writeId() {
    byte[] id = new byte[16];
    new Random().nextBytes(id);
    return ByteString.copyFrom(id);
  }

  private static void createBucket(UserGroupInformation user, String name) throws Exception {
    var unused =
        objectManager(user)
            .createBucket(
                CreateBucketRequest.newBuilder()
                    .setName(name)
                    .setOwner("somebody-else") // who asks is the owner, whatever he says
                    .setWriteId(writeId())
                    .build());
  }

  private static void write(FileSystem fs, String path, byte[] bytes) throws Exception {
    try (FSDataOutputStream out = fs.create(new org.apache.hadoop.fs.Path(path))) {
      out.write(bytes);
    }
  }

  private static byte[] read(FileSystem fs, String path) throws Exception {
    try (FSDataInputStream in = fs.open(new org.apache.hadoop.fs.Path(path))) {
      return in.readAllBytes();
    }
  }

  private interface Work {
    Object run() throws Exception;
  }

  private static void denied(Work work) {
    Exception e = assertThrows(Exception.class, work::run);
    Throwable cause = e instanceof ExecutionException ? e.getCause() : e;
    boolean denied =
        cause instanceof StoreException store
            ? store.code() == ErrorCode.ACCESS_DENIED
            : cause instanceof org.apache.hadoop.security.AccessControlException;
    assertTrue(denied, cause::toString);
  }

  private static <T> T answer(CompletableFuture<T> future) throws Exception {
    return future.get(20, TimeUnit.SECONDS);
  }

  private static byte[] content(int length, long seed) {
    byte[] bytes = new byte[length];
    new Random(seed).nextBytes(bytes);
    return bytes;
  }

  @Test
  void jobsAndGatewaysReadAndWrite() throws Exception {
    createBucket(alice, "alices");
    FileSystem fs = fileSystem(alice, "alices");
    byte[] small = content(1_000, 1);
    byte[] large = content(9_000_000, 2);
    write(fs, "/small", small);
    write(fs, "/large", large);
    assertArrayEquals(small, read(fs, "/small"));
    assertArrayEquals(large, read(fs, "/large"));
    cluster.stopDatanode(0); // decoded: the same addresses of others
    assertArrayEquals(small, read(fileSystem(alice, "alices"), "/small"));
    assertArrayEquals(large, read(fileSystem(alice, "alices"), "/large"));
    cluster.startDatanode(0);
    cluster.awaitWritable(Duration.ofSeconds(30));
    try (S3Client s3 =
        S3Clients.builder(cluster.s3Endpoint(), cluster.accessKey(), cluster.secretKey()).build()) {
      s3.createBucket(b -> b.bucket("gateways"));
      s3.putObject(b -> b.bucket("gateways").key("a"), RequestBody.fromBytes(large));
      assertArrayEquals(
          large, s3.getObjectAsBytes(b -> b.bucket("gateways").key("a")).asByteArray());
    }
  }

  @Test
  void aJobWithATokenAloneReadsAndWritesUntilItIsCancelled() throws Exception {
    createBucket(alice, "jobs");
    createBucket(alice, "results");
    FileSystem jobs = fileSystem(alice, "jobs");
    write(jobs, "/in", content(300_000, 6));
    Credentials credentials = new Credentials();
    assertEquals(1, jobs.addDelegationTokens("alice", credentials).length);
    assertEquals(
        0, fileSystem(alice, "results").addDelegationTokens("alice", credentials).length, "one");
    Token<?> token = credentials.getAllTokens().iterator().next();
    jobsPassword = HexFormat.of().formatHex(token.getPassword());
    assertTrue(token.isManaged());
    assertTrue(asUser(alice, () -> token.renew(hadoop())) > System.currentTimeMillis());
    assertThrows(SecretManager.InvalidToken.class, () -> asUser(bob, () -> token.renew(hadoop())));

    assertEquals("", job(credentials, "stow://jobs/in", "stow://results/out"));
    assertArrayEquals(content(300_000, 6), read(fileSystem(alice, "results"), "/out"));
    createBucket(bob, "bobs-results");
    String others = job(credentials, "stow://jobs/in", "stow://bobs-results/out");
    assertTrue(others.contains("AccessControlException"), others);
    String without = job(new Credentials(), "stow://jobs/in", "stow://results/out");
    assertTrue(without.contains("AccessControlException"), without);

    assertThrows(
        SecretManager.InvalidToken.class,
        () ->
            asUser(
                bob,
                () -> {
                  token.cancel(hadoop());
                  return null;
                }));
    asUser(
        alice,
        () -> {
          token.cancel(hadoop());
          return null;
        });
    String after = job(credentials, "stow://jobs/in", "stow://results/after");
    assertTrue(after.contains("AccessControlException") && after.contains("cancelled"), after);
    assertFalse(fileSystem(alice, "results").exists(new org.apache.hadoop.fs.Path("/after")));
  }

  private static <T> T asUser(UserGroupInformation user, PrivilegedExceptionAction<T> work)
      throws Exception {
    return user.doAs(work);
  }

  /** Copies a file in a process of its own that has no ticket; what went wrong, or nothing. */
  private static String job(Credentials credentials, String from, String to) throws Exception {
    Path tokens = directory.resolve("tokens-" + System.nanoTime());
    Path site = directory.resolve("job-site-" + System.nanoTime() + ".xml");
    credentials.writeTokenStorageFile(
        new org.apache.hadoop.fs.Path(tokens.toUri()), new Configuration(false));
    try (OutputStream out = Files.newOutputStream(site)) {
      hadoop().writeXml(out);
    }
    ProcessBuilder job =
        new ProcessBuilder(
            Path.of(System.getProperty("java.home"), "bin", "java").toString(),
            "-Xmx256m",
            "-Djava.security.krb5.conf=" + System.getProperty("java.security.krb5.conf"),
            "-cp",
            System.getProperty("surefire.test.class.path", System.getProperty("java.class.path")),
            TokenJob.class.getName(),
            site.toString(),
            from,
            to);
    job.environment().put("HADOOP_TOKEN_FILE_LOCATION", tokens.toString());
    job.environment().put("KRB5CCNAME", directory.resolve("no-tickets").toString());
    job.redirectErrorStream(true);
    Path output = directory.resolve("job-output-" + System.nanoTime());
    job.redirectOutput(output.toFile());
    Process process = job.start();
    assertTrue(process.waitFor(120, TimeUnit.SECONDS), "a job that does not end");
    String said = Files.readString(output);
    return process.exitValue() == 0 ? "" : said + " " + process.exitValue();
  }

  @Test
  void nobodyElseReadsTheTables() throws Exception {
    for (String table : List.of("bucket", "object", "identity", "container")) {
      for (String user : List.of("bob", "dn/localhost")) {
        assertThrows(
            AccessDeniedException.class, () -> firstRow(kdc.logIn(user), table), user + table);
      }
    }
    assertThrows(
        AccessDeniedException.class, () -> firstRow(kdc.logIn("om/localhost"), "container"));
    assertThrows(AccessDeniedException.class, () -> firstRow(kdc.logIn("scm/localhost"), "object"));
    for (String user : List.of("om/localhost", "s3/localhost")) { // gateways host object managers
      assertTrue(firstRow(kdc.logIn(user), "bucket"), "the control");
    }
    assertTrue(firstRow(kdc.logIn("scm/localhost"), "container"), "the control");
  }

  /** Whether a table has a row, as a user sees it. */
  private static boolean firstRow(UserGroupInformation user, String table) throws Exception {
    return asUser(
        user,
        () -> {
          Configuration hbase = cluster.hbaseClientConfiguration();
          hbase.setInt("hbase.client.retries.number", 1);
          try (Connection connection = ConnectionFactory.createConnection(hbase);
              Table rows = connection.getTable(TableName.valueOf("stowage", table));
              ResultScanner scanner = rows.getScanner(new Scan().setLimit(1))) {
            return scanner.next() != null;
          }
        });
  }

  @Test
  void theElectionIsTheScmsAlone() throws Exception {
    CountDownLatch connected = new CountDownLatch(1);
    ZKClientConfig anonymous = new ZKClientConfig();
    anonymous.setProperty(ZKClientConfig.ENABLE_CLIENT_SASL_KEY, "false");
    try (ZooKeeper nobody =
        new ZooKeeper(
            cluster.config().get(Keys.ZOOKEEPER_QUORUM),
            10_000,
            event -> connected.countDown(),
            anonymous)) {
      assertTrue(connected.await(20, TimeUnit.SECONDS));
      for (String node : List.of("/stowage", "/stowage/scm", "/stowage/scm/leader")) {
        assertThrows(
            KeeperException.NoAuthException.class, () -> nobody.getChildren(node, false), node);
        assertThrows(
            KeeperException.NoAuthException.class,
            () ->
                nobody.create(
                    node + "/x", new byte[0], ZooDefs.Ids.OPEN_ACL_UNSAFE, CreateMode.PERSISTENT),
            node);
      }
    }
    cluster.stopScm(0);
    cluster.startScm(0); // finds its own nodes and its own table again
    assertEquals(0, cluster.leadingScm());
    cluster.awaitWritable(Duration.ofSeconds(60));
  }

  @Test
  void servicesOutliveTheirTicketsAndUsersDoNot() throws Exception {
    assumeTrue(TICKET_SECONDS <= 600, "tickets of a day are not outlived");
    UserGroupInformation carol = kdc.logIn("carol");
    createBucket(carol, "carols");
    long end = System.nanoTime() + Duration.ofSeconds(2L * TICKET_SECONDS + 10).toNanos();
    int rounds = 0;
    try (S3Client s3 =
        S3Clients.builder(cluster.s3Endpoint(), cluster.accessKey(), cluster.secretKey()).build()) {
      s3.createBucket(b -> b.bucket("outlived"));
      for (; System.nanoTime() < end; rounds++) {
        byte[] bytes = content(50_000, rounds);
        s3.putObject(b -> b.bucket("outlived").key("k"), RequestBody.fromBytes(bytes));
        assertArrayEquals(
            bytes, s3.getObjectAsBytes(b -> b.bucket("outlived").key("k")).asByteArray());
        if (rounds % 50 == 49) { // connections to HBase, ZooKeeper and SCM, made anew
          cluster.stopScm(0);
          cluster.startScm(0);
          cluster.awaitWritable(Duration.ofSeconds(60));
        }
      }
    }
    assertTrue(rounds > 10, rounds + " rounds");
    denied(
        () -> {
          write(fileSystem(carol, "carols"), "/late", content(10, 1));
          return null;
        });
    FileSystem again = fileSystem(kdc.logIn("carol"), "carols");
    write(again, "/late", content(10, 1));
    assertArrayEquals(content(10, 1), read(again, "/late"));
  }

  @Test
  void nobodyUsesAnothersBucket() throws Exception {
    createBucket(alice, "private");
    FileSystem hers = fileSystem(alice, "private");
    write(hers, "/secret", content(10_000, 3));
    ObjectManager om = objectManager(bob);
    denied(
        () ->
            om.getObject(
                GetObjectRequest.newBuilder().setBucket("private").setKey("secret").build()));
    denied(() -> om.listUsers(ListUsersRequest.getDefaultInstance()));
    assertFalse(
        om
            .listBuckets(ListBucketsRequest.newBuilder().setOwner("alice").build())
            .getBucketsList()
            .stream()
            .anyMatch(bucket -> bucket.getName().equals("private")));
    denied(() -> read(fileSystem(bob, "private"), "/secret"));
    denied(
        () -> {
          write(fileSystem(bob, "private"), "/secret", content(10, 4));
          return null;
        });
    assertArrayEquals(content(10_000, 3), read(hers, "/secret"));
  }

  @Test
  void aHostileClientGetsNoByteOfAnothersBucket() throws Exception {
    createBucket(alice, "safe");
    createBucket(bob, "bobs");
    byte[] secret = "the secret that nobody may read".getBytes(StandardCharsets.UTF_8);
    write(fileSystem(alice, "safe"), "/secret", secret);
    write(fileSystem(bob, "bobs"), "/own", content(5_000, 5));
    GetObjectReply hers =
        objectManager(alice)
            .getObject(
                GetObjectRequest.newBuilder()
                    .setBucket("safe")
                    .setKey("secret")
                    .setWantManifest(true)
                    .build());
    GetObjectReply his =
        objectManager(bob)
            .getObject(
                GetObjectRequest.newBuilder()
                    .setBucket("bobs")
                    .setKey("own")
                    .setWantManifest(true)
                    .build());
    Extent extent = hers.getVersion().getManifest().getExtents(0);
    ObjectManager om = objectManager(bob);
    ContainerInfo container = // where it is is no secret; what is in it is
        om.locateContainers(
                LocateContainersRequest.newBuilder().addIds(extent.getContainer()).build())
            .getContainers(0);
    assertEquals(ByteString.EMPTY, container.getToken());
    assertEquals(ByteString.EMPTY, container.getLeaseHolder());
    List<ByteString> tokens = new ArrayList<>();
    tokens.add(ByteString.EMPTY);
    tokens.add(ByteString.copyFromUtf8("a token that somebody made up, as long as a real one"));
    his.getContainersList().forEach(info -> tokens.add(info.getToken()));
    ByteString real = hers.getContainers(0).getToken();
    tokens.add(real.substring(0, real.size() - 1));
    try (NetworkDatanodes datanodes = new NetworkDatanodes(ClientTls.OFF)) {
      for (ShardPlace place : container.getShardsList()) {
        ShardKey key =
            ShardKey.newBuilder()
                .setContainer(container.getId())
                .setIndex(place.getIndex())
                .setGeneration(place.getGeneration())
                .setDiskId(place.getDiskId())
                .build();
        for (ByteString token : tokens) {
          denied(() -> answer(datanodes.datanode(place).read(whole(key, extent, token).build())));
          denied(
              () ->
                  answer(
                      datanodes
                          .datanode(place)
                          .read(
                              whole(key, extent, token)
                                  .setSectorCrcs(true)
                                  .setEpoch(0)
                                  .setStatesOnly(true)
                                  .build())));
          denied(
              () ->
                  answer(
                      datanodes
                          .datanode(place)
                          .stat(
                              StatShardRequest.newBuilder()
                                  .setShard(key)
                                  .setToken(token)
                                  .build())));
          denied(
              () ->
                  answer(
                      datanodes
                          .datanode(place)
                          .list(ListShardsRequest.newBuilder().setToken(token).build())));
        }
        if (place.getIndex() == extent.getFirstShard()) { // the control: her own token reads it
          ShardBytes bytes =
              answer(datanodes.datanode(place).read(whole(key, extent, real).build()));
          String read = bytes.payload().toString(StandardCharsets.ISO_8859_1);
          bytes.payload().release();
          assertTrue(read.contains("the secret that nobody may read"));
        }
      }
    }
    // He names her bytes as an object of his own, to be given a token for them.
    denied(
        () ->
            om.putObject(
                PutObjectRequest.newBuilder()
                    .setBucket("bobs")
                    .setKey("stolen")
                    .setWriteId(writeId())
                    .setManifest(hers.getVersion().getManifest())
                    .build()));
  }

  private static ReadShardRequest.Builder whole(ShardKey key, Extent extent, ByteString token) {
    long from = extent.getOffset() / 4_096 * 4_096;
    return ReadShardRequest.newBuilder()
        .setShard(key)
        .setEpoch(extent.getEpoch())
        .setToken(token)
        .addRanges(ByteRange.newBuilder().setOffset(from).setLength(4_096));
  }
}
