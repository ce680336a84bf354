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

import io.netty.buffer.Unpooled;
import io.stowage.common.conf.KeyStores;
import io.stowage.common.conf.Keys;
import io.stowage.common.conf.StowageConfig;
import io.stowage.common.data.NetworkDatanodes;
import io.stowage.common.data.ShardService;
import io.stowage.common.data.ShardService.ShardBytes;
import io.stowage.common.erasure.ErasureCoders;
import io.stowage.common.erasure.ErasurePolicy;
import io.stowage.common.error.ErrorCode;
import io.stowage.common.error.StoreException;
import io.stowage.common.om.BucketEncryption;
import io.stowage.common.om.ObjectManager;
import io.stowage.common.proto.ByteRange;
import io.stowage.common.proto.ContainerInfo;
import io.stowage.common.proto.CreateBucketRequest;
import io.stowage.common.proto.DelegationKey;
import io.stowage.common.proto.DelegationKeysRecord;
import io.stowage.common.proto.Extent;
import io.stowage.common.proto.GetObjectReply;
import io.stowage.common.proto.GetObjectRequest;
import io.stowage.common.proto.GetSecretReply;
import io.stowage.common.proto.GetSecretRequest;
import io.stowage.common.proto.GetTokenKeysRequest;
import io.stowage.common.proto.Lease;
import io.stowage.common.proto.LeaseContainersRequest;
import io.stowage.common.proto.LeaseGrant;
import io.stowage.common.proto.LeaseOutcome;
import io.stowage.common.proto.LeaseRef;
import io.stowage.common.proto.ListBucketsRequest;
import io.stowage.common.proto.ListShardsRequest;
import io.stowage.common.proto.ListUsersRequest;
import io.stowage.common.proto.LocateContainersRequest;
import io.stowage.common.proto.OpenShardRequest;
import io.stowage.common.proto.PutObjectRequest;
import io.stowage.common.proto.ReadShardRequest;
import io.stowage.common.proto.ReleaseLeaseRequest;
import io.stowage.common.proto.RevokeSecretRequest;
import io.stowage.common.proto.SealShardRequest;
import io.stowage.common.proto.SectorState;
import io.stowage.common.proto.SetBalanceRequest;
import io.stowage.common.proto.ShardKey;
import io.stowage.common.proto.ShardPlace;
import io.stowage.common.proto.StatShardRequest;
import io.stowage.common.proto.TokenKeys;
import io.stowage.common.proto.UpdateBucketRequest;
import io.stowage.common.proto.WriteShardRequest;
import io.stowage.common.rpc.CredentialSeal;
import io.stowage.common.rpc.RpcClient;
import io.stowage.common.rpc.RpcProtocol;
import io.stowage.common.rpc.RpcSecurity;
import io.stowage.common.rpc.TestKdc;
import io.stowage.common.scm.ContainerManager;
import io.stowage.common.secret.SecretSeal;
import io.stowage.common.tls.ClientTls;
import io.stowage.common.tls.TestAuthority;
import io.stowage.scm.election.Election;
import java.io.File;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.KeyStore;
import java.security.PrivilegedExceptionAction;
import java.security.SecureRandom;
import java.security.cert.CertificateFactory;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Base64;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.Queue;
import java.util.Random;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import java.util.zip.CRC32C;
import javax.net.ssl.SSLContext;
import javax.net.ssl.TrustManager;
import javax.net.ssl.TrustManagerFactory;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.FSDataInputStream;
import org.apache.hadoop.fs.FSDataOutputStream;
import org.apache.hadoop.fs.FileSystem;
import org.apache.hadoop.hbase.TableName;
import org.apache.hadoop.hbase.client.Connection;
import org.apache.hadoop.hbase.client.ConnectionFactory;
import org.apache.hadoop.hbase.client.Get;
import org.apache.hadoop.hbase.client.ResultScanner;
import org.apache.hadoop.hbase.client.Scan;
import org.apache.hadoop.hbase.client.Table;
import org.apache.hadoop.hbase.security.AccessDeniedException;
import org.apache.hadoop.security.Credentials;
import org.apache.hadoop.security.UserGroupInformation;
import org.apache.hadoop.security.alias.CredentialProvider;
import org.apache.hadoop.security.alias.CredentialProviderFactory;
import org.apache.hadoop.security.authentication.util.JaasConfiguration;
import org.apache.hadoop.security.token.SecretManager;
import org.apache.hadoop.security.token.Token;
import org.apache.hadoop.thirdparty.protobuf.ByteString;
import org.apache.kerby.kerberos.kerb.keytab.Keytab;
import org.apache.log4j.Appender;
import org.apache.log4j.AppenderSkeleton;
import org.apache.log4j.Level;
import org.apache.log4j.Logger;
import org.apache.log4j.spi.LoggingEvent;
import org.apache.zookeeper.CreateMode;
import org.apache.zookeeper.KeeperException;
import org.apache.zookeeper.Watcher;
import org.apache.zookeeper.ZooDefs;
import org.apache.zookeeper.ZooKeeper;
import org.apache.zookeeper.client.ZKClientConfig;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.EnabledIfSystemProperty;
import org.junit.jupiter.api.io.TempDir;
import software.amazon.awssdk.awscore.retry.AwsRetryStrategy;
import software.amazon.awssdk.core.sync.RequestBody;
import software.amazon.awssdk.services.s3.S3Client;
import software.amazon.awssdk.services.s3.model.S3Exception;

/**
 * A cluster with everything on: Kerberos on every RPC, tokens at every datanode, SASL and
 * permissions at ZooKeeper and HBase, TLS on the data plane, S3 and console, services that show
 * datanodes a certificate, and secrets sealed in HBase. What still works, and what somebody gets
 * who asks for what is not his. At the end all secrets of the run are looked for in everything that
 * was logged and in every file that is left.
 *
 * <p>It follows the steps of {@code docs/SECURITY.md}.
 */
@EnabledIfSystemProperty(named = "stowage.test.secure-cluster", matches = "true")
class SecureClusterIT {
  /**
   * Life of tickets; with one of minutes, the test that outlives them runs, too. Not below 90:
   * ZooKeeper does not log in again within a minute, and spins until it may.
   */
  private static final int TICKET_SECONDS =
      Integer.getInteger("stowage.test.cluster-ticket-seconds", 24 * 3_600);

  /** Of readers' tokens: long enough to read a file, short enough to wait for. */
  private static final int TOKEN_SECONDS = 20;

  private static final int DATANODES = 6; // one more than rs-3-2 needs: one may be repaired
  private static final int SPARK_MINUTES = 8; // downloads included

  @TempDir private static Path directory;
  private static TestKdc kdc;
  private static MiniStowageCluster cluster;
  private static UserGroupInformation alice;
  private static UserGroupInformation bob;
  private static TrustManager[] trusted;
  private static String password; // of what is sealed in HBase
  private static final List<AutoCloseable> open = new ArrayList<>();
  private static final SecretSearch secrets = new SecretSearch();

  /** All that this JVM logs while this runs, ours at any level, and what its children say. */
  private static final Queue<String> logged = new ConcurrentLinkedQueue<>();

  private static final Appender LISTENING =
      new AppenderSkeleton() {
        @Override
        protected void append(LoggingEvent event) {
          String[] trace = event.getThrowableStrRep();
          logged.add(event.getRenderedMessage() + (trace == null ? "" : String.join("\n", trace)));
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
    Logger.getRootLogger().addAppender(LISTENING);
    Logger.getLogger("io.stowage").setLevel(Level.DEBUG);
    kdc = TestKdc.start(Files.createDirectories(directory.resolve("realm")), TICKET_SECONDS);
    Path tls = Files.createDirectories(directory.resolve("tls"));
    TestAuthority authority = new TestAuthority("authority");
    TestAuthority.Pem host = authority.issue(tls, "host", "localhost", "127.0.0.1");
    Path authorities = authority.write(tls.resolve("authorities.pem"));
    trusted = trust(authorities);
    MiniStowageCluster.Builder builder =
        MiniStowageCluster.builder()
            .directory(directory.resolve("cluster"))
            .datanodes(DATANODES)
            .objectManagers(2)
            .secureMetadata(
                new RealmKeys(
                    "zookeeper/localhost@" + TestKdc.REALM,
                    kdc.keytab("zookeeper/localhost"),
                    "hbase/localhost@" + TestKdc.REALM,
                    kdc.keytab("hbase/localhost")))
            .set(Keys.SECURITY_ENABLED, "true")
            .setHadoop("hadoop.proxyuser.oozie.users", "alice")
            .setHadoop("hadoop.proxyuser.oozie.hosts", "*")
            .setHadoop(CredentialProviderFactory.CREDENTIAL_PROVIDER_PATH, makePassword())
            .set(Keys.SCM_PRINCIPAL, "scm/_HOST@" + TestKdc.REALM)
            .set(Keys.SCM_KEYTAB, kdc.keytab("scm/localhost").toString())
            .set(Keys.OM_PRINCIPAL, "om/_HOST@" + TestKdc.REALM)
            .set(Keys.OM_KEYTAB, kdc.keytab("om/localhost").toString())
            .set(Keys.S3_PRINCIPAL, "s3/_HOST@" + TestKdc.REALM)
            .set(Keys.DATANODE_PRINCIPAL, "dn/_HOST@" + TestKdc.REALM)
            .set(Keys.DATANODE_KEYTAB, kdc.keytab("dn/localhost").toString())
            .set(Keys.TLS_MODE, "only")
            .set(Keys.TLS_CERTIFICATE, host.certificate().toString())
            .set(Keys.TLS_KEY, host.key().toString())
            .set(Keys.TLS_AUTHORITIES, authorities.toString())
            .set(Keys.TLS_CLIENT_CERTIFICATES, "services")
            .set(Keys.S3_TLS_CERTIFICATE, host.certificate().toString())
            .set(Keys.S3_TLS_KEY, host.key().toString())
            .set(Keys.S3_CONSOLE_BIND, "127.0.0.1:0")
            .set(Keys.ADMINISTRATORS, "root")
            .set(Keys.S3_AUDIT_FILE, audit("s3").toString())
            .set(Keys.OM_AUDIT_FILE, audit("om").toString())
            .set(Keys.SCM_AUDIT_FILE, audit("scm").toString())
            .set(Keys.TOKEN_LIFE, TOKEN_SECONDS + "s")
            // Of a machine that does something else besides: nothing here is about dead leaders.
            .set(Keys.ZOOKEEPER_SESSION_TIMEOUT, "20s")
            .set(Keys.DEAD_INTERVAL, "15s");
    cluster = builder.start();
    alice = kdc.logIn("alice");
    bob = kdc.logIn("bob");
    secrets.add("the administrator's secret", cluster.secretKey());
    secrets.add("a certificate's key", pem(host.key()));
  }

  /** A trust in nobody else. */
  private static TrustManager[] trust(Path authorities) throws Exception {
    KeyStore trust = KeyStore.getInstance("PKCS12");
    trust.load(null, null);
    try (InputStream in = Files.newInputStream(authorities)) {
      trust.setCertificateEntry(
          "authority", CertificateFactory.getInstance("X.509").generateCertificate(in));
    }
    TrustManagerFactory managers =
        TrustManagerFactory.getInstance(TrustManagerFactory.getDefaultAlgorithm());
    managers.init(trust);
    return managers.getTrustManagers();
  }

  private static byte[] pem(Path key) throws IOException {
    return Base64.getMimeDecoder()
        .decode(Files.readString(key).replaceAll("-----[A-Z ]+-----", ""));
  }

  /** What {@code hadoop credential create} does; where it is. */
  private static String makePassword() throws Exception {
    byte[] random = new byte[32];
    new SecureRandom().nextBytes(random);
    password = secrets.add("the password", HexFormat.of().formatHex(random));
    String store = "localjceks://file" + directory.resolve("credentials.jceks");
    Configuration hadoop = new Configuration(false);
    hadoop.set(CredentialProviderFactory.CREDENTIAL_PROVIDER_PATH, store);
    KeyStores.letHadoopReadItsKeys();
    CredentialProvider provider = CredentialProviderFactory.getProviders(hadoop).get(0);
    provider.createCredentialEntry(CredentialSeal.ALIAS, password.toCharArray());
    provider.flush();
    return store;
  }

  @AfterAll
  static void stop() throws Exception {
    for (AutoCloseable closeable : open) {
      closeable.close();
    }
    TokenKeys keys =
        cluster.containerManager().getTokenKeys(GetTokenKeysRequest.getDefaultInstance()).getKeys();
    assertEquals(1, keys.getKeysCount());
    secrets.add("the key that signs tokens", keys.getKeys(0).getSecret().toByteArray());
    addDelegationKeys();
    for (String principal :
        List.of(
            "zookeeper/localhost",
            "hbase/localhost",
            "scm/localhost",
            "om/localhost",
            "dn/localhost",
            "alice")) {
      Keytab keytab = Keytab.loadKeytab(kdc.keytab(principal).toFile());
      keytab.getKeytabEntries(keytab.getPrincipals().get(0)).stream()
          .filter(entry -> entry.getKey().getKeyData().length >= 16)
          .forEach(
              entry ->
                  secrets.add(
                      "a key of " + principal + ", " + entry.getKey().getKeyType(),
                      entry.getKey().getKeyData()));
    }
    cluster.close();
    kdc.close();
    Logger.getRootLogger().removeAppender(LISTENING);
    assertTrue(
        logged.stream().anyMatch(line -> line.startsWith("Logged in as om/localhost")),
        () -> "what is logged is not heard: " + logged.size() + " lines");
    secrets.assertNotInText(logged);
    List<Path> files = filesLeft();
    for (String role : List.of("s3", "om", "scm")) {
      assertTrue(files.contains(audit(role)), role);
    }
    assertTrue(Files.size(audit("om")) > 1_000, "an audit log");
    assertTrue(files.stream().anyMatch(file -> file.toString().contains("WALs/")), "HBase's logs");
    assertTrue(files.stream().anyMatch(file -> file.toString().endsWith(".shard")), "shards");
    secrets.assertNotInFiles(files);
    System.err.printf(
        "%d secrets (%s) are in none of %d logged lines and %d files%n",
        secrets.known().size(), secrets.known(), logged.size(), files.size());
  }

  private static Path audit(String role) {
    return directory.resolve("cluster").resolve(role + "-audit.log");
  }

  /** A decision that has all these words. */
  private static void awaitAudited(String role, String... words) throws Exception {
    await(
        List.of(words) + " in the audit log",
        () ->
            Files.readAllLines(audit(role)).stream()
                .anyMatch(line -> Arrays.stream(words).allMatch(line::contains)));
  }

  private static String field(String name, String value) {
    return "\"" + name + "\":\"" + value;
  }

  /** All that the cluster and ZooKeeper and HBase wrote, but the keystore of encrypted buckets. */
  private static List<Path> filesLeft() throws IOException {
    try (Stream<Path> all = Files.walk(directory.resolve("cluster"))) {
      return all.filter(Files::isRegularFile)
          .filter(file -> !file.startsWith(directory.resolve("cluster/keys")))
          .toList();
    }
  }

  /** The keys that delegation tokens are signed with, opened as an object manager does. */
  private static void addDelegationKeys() throws Exception {
    byte[] cell =
        asUser(
            kdc.logIn("om/localhost"),
            () -> {
              try (Connection connection =
                      ConnectionFactory.createConnection(cluster.hbaseClientConfiguration());
                  Table identity = connection.getTable(TableName.valueOf("stowage", "identity"))) {
                return identity
                    .get(new Get("T".getBytes(StandardCharsets.US_ASCII)))
                    .getValue(
                        "i".getBytes(StandardCharsets.US_ASCII),
                        "T".getBytes(StandardCharsets.US_ASCII));
              }
            });
    if (cell == null) {
      return; // no test ran that issued one
    }
    SecretSeal seal = SecretSeal.of(password.toCharArray());
    for (DelegationKey key : DelegationKeysRecord.parseFrom(cell).getKeysList()) {
      assertEquals(SecretSeal.AES_GCM, key.getSecretCipher());
      String id = HexFormat.of().toHexDigits(key.getId());
      secrets.add(
          "the key " + id + " of delegation tokens",
          HexFormat.of()
              .parseHex(
                  seal.open(
                      "key of delegation tokens " + id, key.getSecretCipher(), key.getSecret())));
    }
  }

  /** As people do at work: a Spark job takes longer than their tickets last here. */
  @BeforeEach
  void beforeEach() throws Exception {
    renewTickets();
  }

  private static void renewTickets() throws IOException {
    alice.checkTGTAndReloginFromKeytab();
    bob.checkTGTAndReloginFromKeytab();
  }

  private static Configuration hadoop() {
    Configuration hadoop = cluster.hadoopConfiguration();
    RpcSecurity.turnOn(hadoop);
    return hadoop;
  }

  /** As whoever has the gateway's administrator's key. */
  private static S3Client s3() {
    return s3(cluster.accessKey(), cluster.secretKey());
  }

  private static S3Client s3(String accessKey, String secretKey) {
    return S3Clients.builder(cluster.s3Endpoint(), accessKey, secretKey, trusted)
        .overrideConfiguration(o -> o.retryStrategy(AwsRetryStrategy.doNotRetry()))
        .build();
  }

  private static ObjectManager objectManager(UserGroupInformation user) throws Exception {
    renewTickets();
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
    return fileSystem(user, bucket, hadoop());
  }

  private static FileSystem fileSystem(
      UserGroupInformation user, String bucket, Configuration hadoop) throws Exception {
    renewTickets();
    FileSystem fs =
        user.doAs(
            (PrivilegedExceptionAction<FileSystem>)
                () -> FileSystem.newInstance(URI.create("stow://" + bucket + "/"), hadoop));
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
    try (S3Client s3 = s3()) {
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
    secrets.add("a job's token", token.getPassword());
    assertTrue(token.isManaged());
    assertTrue(asUser(alice, () -> token.renew(hadoop())) > System.currentTimeMillis());
    assertThrows(SecretManager.InvalidToken.class, () -> asUser(bob, () -> token.renew(hadoop())));
    Configuration ofBucket = hadoop(); // of a cluster that only a bucket's settings name
    for (String name : List.of("om.addresses", "om.kerberos.principal")) {
      ofBucket.set("stowage.bucket.jobs." + name, ofBucket.get("stowage." + name));
    }
    ofBucket.set("stowage.om.addresses", "127.0.0.1:1");
    ofBucket.set("stowage.om.kerberos.principal", "somebody/localhost@ELSEWHERE");
    assertTrue(asUser(alice, () -> token.renew(ofBucket)) > System.currentTimeMillis());

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
    String allowed = "\"allowed\":true";
    awaitAudited("om", field("authenticated", "KERBEROS\""), field("action", "stowage:issueToken"));
    awaitAudited("om", field("authenticated", "TOKEN\""), field("bucket", "results"), allowed);
    awaitAudited("om", field("user", "alice"), field("action", "stowage:cancelToken"), allowed);
    awaitAudited("om", field("action", "authenticate"), "cancelled", "\"allowed\":false");
  }

  private static <T> T asUser(UserGroupInformation user, PrivilegedExceptionAction<T> work)
      throws Exception {
    renewTickets();
    return user.doAs(work);
  }

  /** Copies a file in a process of its own that has no ticket; what went wrong, or nothing. */
  private static String job(Credentials credentials, String from, String to) throws Exception {
    return job(tokenFile(credentials), from, to);
  }

  private static Path tokenFile(Credentials credentials) throws IOException {
    Path tokens = directory.resolve("tokens-" + System.nanoTime());
    credentials.writeTokenStorageFile(
        new org.apache.hadoop.fs.Path(tokens.toUri()), new Configuration(false));
    return tokens;
  }

  private static String job(Path tokens, String from, String to) throws Exception {
    Path site = conf().resolve("core-site.xml");
    Child job = java(TokenJob.class.getName(), site.toString(), from, to);
    job.environment().put("HADOOP_TOKEN_FILE_LOCATION", tokens.toString());
    return job.run(Duration.ofMinutes(2));
  }

  /** What a worker and a client have in their configuration directory. */
  private static Path conf() throws IOException {
    Path conf = Files.createDirectories(directory.resolve("conf-" + System.nanoTime()));
    try (OutputStream out = Files.newOutputStream(conf.resolve("core-site.xml"))) {
      hadoop().writeXml(out);
    }
    return conf;
  }

  /** A process without a ticket, unless it is given one. */
  private record Child(ProcessBuilder builder) {
    Child(List<String> command) {
      this(new ProcessBuilder(command).redirectErrorStream(true));
      environment().put("KRB5CCNAME", directory.resolve("no-tickets").toString());
    }

    Map<String, String> environment() {
      return builder.environment();
    }

    /** What it said if it failed; nothing if all went well. */
    String run(Duration limit) throws Exception {
      String said = said(limit);
      return said.endsWith(" ended with 0") ? "" : said;
    }

    String said(Duration limit) throws Exception {
      Path output = Files.createTempFile(directory, "child", ".out");
      Process process = builder.redirectOutput(output.toFile()).start();
      try {
        boolean ended = process.waitFor(limit.toSeconds(), TimeUnit.SECONDS);
        String said = Files.readString(output);
        said.lines().forEach(logged::add);
        assertTrue(ended, () -> "a process that does not end: " + builder.command() + said);
        return said + " ended with " + process.exitValue();
      } finally {
        process.descendants().forEach(ProcessHandle::destroyForcibly);
        process.destroyForcibly();
      }
    }
  }

  /** A JVM with Hadoop's jars and of ours the one that jobs get. */
  private static Child java(String main, String... args) throws Exception {
    List<String> command =
        new ArrayList<>(
            List.of(
                Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                "-Xmx256m",
                "-Djava.security.krb5.conf=" + System.getProperty("java.security.krb5.conf"),
                "-cp",
                conf() + File.pathSeparator + jobsClassPath(),
                main));
    command.addAll(List.of(args));
    return new Child(command);
  }

  private static String jobsClassPath() throws IOException {
    String job = TokenJob.class.getName().replace('.', '/') + ".class";
    Path classes = directory.resolve("job-classes");
    Files.createDirectories(classes.resolve(job).getParent());
    try (InputStream in = TokenJob.class.getClassLoader().getResourceAsStream(job)) {
      Files.write(classes.resolve(job), in.readAllBytes());
    }
    return classes + File.pathSeparator + OneJar.classPath("/org/apache/hbase/", "/io/netty/");
  }

  @Test
  void sparkReadsAndWritesWithATokenAloneUntilItIsCancelled() throws Exception {
    createBucket(alice, "sparks");
    Credentials credentials = new Credentials();
    assertEquals(
        1, fileSystem(alice, "sparks").addDelegationTokens("alice", credentials).length, "tokens");
    Token<?> token = credentials.getAllTokens().iterator().next();
    secrets.add("a Spark job's token", token.getPassword());
    Path tokens = tokenFile(credentials);
    for (String spark : List.of("spark-4", "spark-3.5")) {
      String table = "stow://sparks/" + spark;
      String said = spark(spark, tokens, "write=" + table, "check=" + table);
      assertTrue(said.endsWith(" ended with 0"), said);
      assertTrue(said.contains("read " + table + ": 20000 rows, "), said);
    }
    asUser(
        alice,
        () -> {
          token.cancel(hadoop());
          return null;
        });
    for (String spark : List.of("spark-4", "spark-3.5")) {
      for (String action : List.of("check=stow://sparks/" + spark, "write=stow://sparks/after")) {
        String after = spark(spark, tokens, action);
        assertTrue(after.contains("cancelled") && after.endsWith(" ended with 1"), after);
      }
    }
    assertFalse(fileSystem(alice, "sparks").exists(new org.apache.hadoop.fs.Path("/after")));
    assertEquals(
        "alice",
        fileSystem(alice, "sparks")
            .getFileStatus(new org.apache.hadoop.fs.Path("/spark-4/_SUCCESS"))
            .getOwner());
  }

  private static String spark(String spark, Path tokens, String... actions) throws Exception {
    Path root = Path.of(System.getProperty("stowage.root"));
    List<String> command =
        new ArrayList<>(
            List.of(
                root.resolve("dev-support/spark/run").toString(),
                spark,
                conf().toString(),
                "20000"));
    command.addAll(List.of(actions));
    Child job = new Child(command);
    job.environment().put("HADOOP_TOKEN_FILE_LOCATION", tokens.toString());
    job.environment().put("STOWAGE_FS_JAR", OneJar.path().toString());
    job.environment().put("TMPDIR", directory.toString());
    job.environment()
        .put(
            "JAVA_TOOL_OPTIONS",
            "-Djava.security.krb5.conf=" + System.getProperty("java.security.krb5.conf"));
    return job.said(Duration.ofMinutes(SPARK_MINUTES));
  }

  /**
   * {@code kinit}, {@code hadoop dtutil get}, a job with the file, {@code hadoop dtutil cancel}.
   */
  @Test
  void dtutilGetsAndCancelsTokens() throws Exception {
    createBucket(alice, "dtutils");
    write(fileSystem(alice, "dtutils"), "/in", content(3_000, 8));
    Path tokens = directory.resolve("dtutil.tokens");
    String said = dtutil("get", "stow://dtutils", "-renewer", "alice", tokens.toString());
    assertTrue(said.endsWith(" ended with 0"), said);
    Token<?> token =
        Credentials.readTokenStorageFile(tokens.toFile(), new Configuration(false))
            .getAllTokens()
            .iterator()
            .next();
    secrets.add("dtutil's token", token.getPassword());
    assertEquals("", job(tokens, "stow://dtutils/in", "stow://dtutils/out"));
    assertArrayEquals(content(3_000, 8), read(fileSystem(alice, "dtutils"), "/out"));
    Path kept = Files.copy(tokens, directory.resolve("dtutil.kept"));
    said = dtutil("renew", "-alias", token.getService().toString(), tokens.toString());
    assertTrue(said.endsWith(" ended with 0"), said);
    said = dtutil("cancel", "-alias", token.getService().toString(), tokens.toString());
    assertTrue(said.endsWith(" ended with 0"), said);
    String after = job(kept, "stow://dtutils/in", "stow://dtutils/after");
    assertTrue(after.contains("cancelled"), after);
  }

  private static String dtutil(String... args) throws Exception {
    Child dtutil = java("org.apache.hadoop.security.token.DtUtilShell", args);
    dtutil.environment().put("KRB5CCNAME", kdc.ticketCache("alice").toString());
    return dtutil.said(Duration.ofMinutes(2));
  }

  /** Of the two object managers the token knows one; either may be the one that is left. */
  @Test
  void tokensOutliveObjectManagersAndReachThoseThatCameLater() throws Exception {
    createBucket(alice, "outliving");
    write(fileSystem(alice, "outliving"), "/in", content(5_000, 9));
    Configuration first = hadoop();
    first.set(Keys.OM_ADDRESSES.name(), cluster.objectManagerAddresses().get(0));
    Credentials credentials = new Credentials();
    assertEquals(
        1,
        fileSystem(alice, "outliving", first).addDelegationTokens("alice", credentials).length,
        "tokens");
    Token<?> token = credentials.getAllTokens().iterator().next();
    secrets.add("a token of one object manager", token.getPassword());
    assertEquals(cluster.objectManagerAddresses().get(0), token.getService().toString());
    for (int dead : new int[] {0, 1}) {
      cluster.stopObjectManager(dead);
      try {
        assertEquals(
            "", job(credentials, "stow://outliving/in", "stow://outliving/without-" + dead));
        assertTrue(asUser(alice, () -> token.renew(hadoop())) > System.currentTimeMillis());
      } finally {
        cluster.startObjectManager(dead);
      }
    }
  }

  @Test
  void whoActsForAliceGetsAJobATokenThatIsHers() throws Exception {
    createBucket(alice, "proxied");
    UserGroupInformation oozie = kdc.logIn("oozie");
    UserGroupInformation asAlice = UserGroupInformation.createProxyUser("alice", oozie);
    write(fileSystem(asAlice, "proxied"), "/in", content(2_000, 10));
    Credentials credentials = new Credentials();
    assertEquals(
        1, fileSystem(asAlice, "proxied").addDelegationTokens("oozie", credentials).length);
    Token<?> token = credentials.getAllTokens().iterator().next();
    secrets.add("a token by oozie", token.getPassword());
    assertEquals("", job(credentials, "stow://proxied/in", "stow://proxied/out"));
    UserGroupInformation asBob = UserGroupInformation.createProxyUser("bob", oozie);
    denied(() -> read(fileSystem(asBob, "proxied"), "/in"));
    denied(() -> read(fileSystem(oozie, "proxied"), "/in"));
    awaitAudited(
        "om",
        field("authenticated", "PROXY by oozie (KERBEROS)"),
        field("user", "alice"),
        field("bucket", "proxied"));
    assertEquals(
        "alice",
        fileSystem(alice, "proxied")
            .getFileStatus(new org.apache.hadoop.fs.Path("/out"))
            .getOwner());
  }

  /** A user's own access key: S3 and Hadoop see one owner. */
  @Test
  void aKerberosUsersSecretOpensHisBucketsOverS3() throws Exception {
    createBucket(alice, "secretly");
    write(fileSystem(alice, "secretly"), "/file", content(4_000, 11));
    GetSecretReply own =
        objectManager(alice).getSecret(GetSecretRequest.newBuilder().setWriteId(writeId()).build());
    secrets.add("alice's own secret", own.getSecretKey());
    try (S3Client hers = s3(own.getAccessKey(), own.getSecretKey())) {
      assertArrayEquals(
          content(4_000, 11),
          hers.getObjectAsBytes(b -> b.bucket("secretly").key("file")).asByteArray());
      var unused = objectManager(alice).revokeSecret(RevokeSecretRequest.getDefaultInstance());
      await(
          "the secret to be refused",
          () -> {
            try {
              return hers.getObjectAsBytes(b -> b.bucket("secretly").key("file"))
                      .asByteArray()
                      .length
                  == 0; // it still opens it
            } catch (S3Exception e) {
              return e.statusCode() == 403;
            }
          });
    }
  }

  private interface Condition {
    boolean holds() throws Exception;
  }

  private static void await(String what, Condition condition) throws Exception {
    long deadline = System.nanoTime() + Duration.ofMinutes(2).toNanos();
    while (!condition.holds()) {
      assertTrue(System.nanoTime() < deadline, () -> "waited too long for " + what);
      TimeUnit.MILLISECONDS.sleep(50); // between two looks
    }
  }

  /** Datanodes that repair show one another certificates, and SCM's tokens. */
  @Test
  void whatADeadDatanodeHadIsRebuiltOverTls() throws Exception {
    createBucket(alice, "rebuilt");
    encryptByDefault("rebuilt");
    FileSystem fs = fileSystem(alice, "rebuilt");
    String told = secrets.add("an encrypted file's plain text", "what no rebuilt shard tells ");
    byte[] large = told.repeat(400_000).getBytes(StandardCharsets.US_ASCII);
    write(fs, "/large", large);
    ContainerInfo container = withManifest(alice, "rebuilt", "large").getContainers(0);
    int dead = 0;
    while (!names(container, cluster.datanodeId(dead))) {
      dead++;
    }
    long before = cluster.status().getRepair().getShardsDone();
    cluster.stopDatanode(dead);
    try {
      await("a dead datanode", () -> cluster.status().getDeadDatanodes() == 1);
      await(
          "all containers to be whole",
          () ->
              cluster.status().getLeader()
                  && cluster.status().getEndangeredContainers() == 0
                  && cluster.status().getUnavailableContainers() == 0);
      assertTrue(cluster.status().getRepair().getShardsDone() > before, "nothing was rebuilt");
      assertArrayEquals(large, read(fileSystem(alice, "rebuilt"), "/large"));
    } finally {
      cluster.startDatanode(dead);
    }
    await("all datanodes", () -> cluster.status().getDeadDatanodes() == 0);
  }

  private static void encryptByDefault(String bucket) throws Exception {
    var unused =
        cluster
            .objectManager(0)
            .updateBucket(
                UpdateBucketRequest.newBuilder()
                    .setName(bucket)
                    .setWriteId(writeId())
                    .putPut(
                        BucketEncryption.SETTING,
                        ByteString.copyFromUtf8(
                            "<ServerSideEncryptionConfiguration><Rule>"
                                + "<ApplyServerSideEncryptionByDefault><SSEAlgorithm>AES256"
                                + "</SSEAlgorithm></ApplyServerSideEncryptionByDefault></Rule>"
                                + "</ServerSideEncryptionConfiguration>"))
                    .build());
  }

  private static boolean names(ContainerInfo container, String node) {
    return container.getShardsList().stream().map(ShardPlace::getNodeId).anyMatch(node::equals);
  }

  @Test
  void theConsoleSpeaksTlsOnlyAndNothingElseIsServedInTheClear() throws Exception {
    SSLContext context = SSLContext.getInstance("TLS");
    context.init(null, trusted, null);
    HttpClient browser = HttpClient.newBuilder().sslContext(context).build();
    assertEquals("https", cluster.console().getScheme());
    for (URI page : List.of(cluster.console(), cluster.s3Endpoint())) {
      HttpResponse<String> answer =
          browser.send(
              HttpRequest.newBuilder(page.resolve("/")).build(),
              HttpResponse.BodyHandlers.ofString());
      assertTrue(
          answer.statusCode() == 302 || answer.statusCode() == 403, () -> page + ": " + answer);
      URI clear = URI.create("http" + page.resolve("/").toString().substring(5));
      assertThrows(
          IOException.class,
          () ->
              browser.send(
                  HttpRequest.newBuilder(clear).build(), HttpResponse.BodyHandlers.discarding()),
          clear.toString());
    }
  }

  /** ZooKeeper leaves the host out of a principal: whichever SCM made a node, all may use it. */
  @Test
  void scmsOfSeveralHostsAreOneToZooKeeper() throws Exception {
    String quorum = cluster.config().get(Keys.ZOOKEEPER_QUORUM);
    Queue<String> leaders = new ConcurrentLinkedQueue<>();
    Election one = election(quorum, "one.test", leaders);
    await("the first to lead", () -> List.copyOf(leaders).equals(List.of("one.test")));
    try (Election two = election(quorum, "two.test", leaders)) {
      await(
          "the second to see the first",
          () -> {
            two.look();
            return two.leaderAddress().equals("one.test:1");
          });
      assertEquals(List.of("one.test"), List.copyOf(leaders));
      one.close();
      await("the second to lead", () -> leaders.contains("two.test"));
    } finally {
      one.close();
    }
  }

  private static Election election(String quorum, String host, Queue<String> leaders)
      throws Exception {
    return Election.join(
        quorum,
        "/several",
        Duration.ofSeconds(5),
        new Election.Login(
            "scm/" + host + "@" + TestKdc.REALM, kdc.keytab("scm/" + host).toString()),
        host + ":1",
        new Election.Listener() {
          @Override
          public void won() {
            leaders.add(host);
          }

          @Override
          public void lost() {}
        });
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
    ZKClientConfig anonymous = new ZKClientConfig();
    anonymous.setProperty(ZKClientConfig.ENABLE_CLIENT_SASL_KEY, "false");
    try (ZooKeeper nobody = zooKeeper(anonymous, Watcher.Event.KeeperState.SyncConnected)) {
      usesNothingOfTheElection(nobody);
    }
    for (String principal : List.of("bob", "om/localhost", "dn/localhost")) {
      try (ZooKeeper other = zooKeeperAs(principal)) {
        usesNothingOfTheElection(other);
      }
    }
    try (ZooKeeper scm = zooKeeperAs("scm/localhost")) { // the control
      assertFalse(scm.getChildren("/stowage/scm/leader", false).isEmpty());
    }
    cluster.stopScm(0);
    cluster.startScm(0); // finds its own nodes and its own table again
    assertEquals(0, cluster.leadingScm());
    cluster.awaitWritable(Duration.ofSeconds(60));
  }

  private static void usesNothingOfTheElection(ZooKeeper other) {
    for (String node : List.of("/stowage", "/stowage/scm", "/stowage/scm/leader")) {
      for (Work use :
          List.<Work>of(
              () -> other.getChildren(node, false),
              () -> other.getData(node, false, null),
              () -> other.setData(node, new byte[0], -1),
              () -> other.setACL(node, ZooDefs.Ids.OPEN_ACL_UNSAFE, -1),
              () ->
                  other.create(
                      node + "/x",
                      new byte[0],
                      ZooDefs.Ids.OPEN_ACL_UNSAFE,
                      CreateMode.PERSISTENT))) {
        assertThrows(KeeperException.NoAuthException.class, use::run, node);
      }
    }
    assertThrows(
        KeeperException.NoAuthException.class, () -> other.delete("/stowage/scm/leader", -1));
  }

  /** A client that shows a ticket of this principal. */
  private static ZooKeeper zooKeeperAs(String principal) throws Exception {
    String section = "SecureClusterIT " + principal;
    javax.security.auth.login.Configuration.setConfiguration( // beside the sections of others
        new JaasConfiguration(
            section, principal + "@" + TestKdc.REALM, kdc.keytab(principal).toString()));
    ZKClientConfig config = new ZKClientConfig();
    config.setProperty(ZKClientConfig.ENABLE_CLIENT_SASL_KEY, "true");
    config.setProperty(ZKClientConfig.LOGIN_CONTEXT_NAME_KEY, section);
    return zooKeeper(config, Watcher.Event.KeeperState.SaslAuthenticated);
  }

  /** A client that has come to a state: one whose login fails goes on as nobody. */
  private static ZooKeeper zooKeeper(ZKClientConfig config, Watcher.Event.KeeperState awaited)
      throws Exception {
    CountDownLatch connected = new CountDownLatch(1);
    ZooKeeper client =
        new ZooKeeper(
            cluster.config().get(Keys.ZOOKEEPER_QUORUM),
            10_000,
            event -> {
              if (event.getState() == awaited) {
                connected.countDown();
              }
            },
            config);
    assertTrue(connected.await(20, TimeUnit.SECONDS));
    return client;
  }

  @Test
  void servicesOutliveTheirTicketsAndUsersDoNot() throws Exception {
    assumeTrue(TICKET_SECONDS <= 600, "tickets of a day are not outlived");
    UserGroupInformation carol = kdc.logIn("carol");
    createBucket(carol, "carols");
    long end = System.nanoTime() + Duration.ofSeconds(2L * TICKET_SECONDS + 10).toNanos();
    int rounds = 0;
    try (S3Client s3 = s3()) {
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
    awaitAudited("om", field("user", "bob"), field("bucket", "private"), "\"allowed\":false");
  }

  @Test
  void whatAnAdministratorHasScmDoIsWrittenDown() throws Exception {
    UserGroupInformation root = kdc.logIn("root");
    ContainerManager scm = containerManager(root);
    TokenKeys keys = scm.getTokenKeys(GetTokenKeysRequest.getDefaultInstance()).getKeys();
    assertTrue(keys.getKeysCount() > 0);
    scm.setBalance(SetBalanceRequest.getDefaultInstance());
    for (String call : List.of("getTokenKeys", "setBalance")) {
      awaitAudited(
          "scm",
          field("authenticated", "KERBEROS\""),
          field("user", "root@"),
          field("action", "stowage:" + call + "\""));
    }
    denied(() -> containerManager(bob).getTokenKeys(GetTokenKeysRequest.getDefaultInstance()));
    awaitAudited("scm", field("user", "bob@"), field("action", "stowage:UseProtocol"));
  }

  private static ContainerManager containerManager(UserGroupInformation user) throws Exception {
    RpcClient<ContainerManager> client =
        asUser(
            user,
            () ->
                RpcClient.create(
                    RpcProtocol.CONTAINER_MANAGER,
                    hadoop(),
                    cluster.scmAddresses(),
                    Duration.ofSeconds(20),
                    Duration.ofSeconds(20)));
    open.add(client);
    return client.api();
  }

  @Test
  void filesAreAppendedToAndReadForLongerThanATokenHolds() throws Exception {
    createBucket(alice, "long");
    FileSystem fs = fileSystem(alice, "long");
    byte[] large = content(20_000_000, 13);
    write(fs, "/file", Arrays.copyOf(large, 7_001_001));
    try (FSDataOutputStream out = fs.append(new org.apache.hadoop.fs.Path("/file"))) {
      out.write(large, 7_001_001, 5_000);
      out.hsync();
      out.write(large, 7_006_001, large.length - 7_006_001);
    }
    GetObjectReply file =
        objectManager(alice)
            .getObject(
                GetObjectRequest.newBuilder()
                    .setBucket("long")
                    .setKey("file")
                    .setWantManifest(true)
                    .build());
    try (FSDataInputStream in = fs.open(new org.apache.hadoop.fs.Path("/file"));
        NetworkDatanodes datanodes =
            new NetworkDatanodes(ClientTls.from(StowageConfig.of(cluster.clientSettings())))) {
      byte[] read = new byte[large.length];
      in.readFully(0, read, 0, 100);
      Extent extent = file.getVersion().getManifest().getExtents(0);
      ContainerInfo container =
          file.getContainersList().stream()
              .filter(info -> info.getId() == extent.getContainer())
              .findFirst()
              .orElseThrow();
      ShardPlace place =
          container.getShardsList().stream()
              .filter(shard -> shard.getIndex() == extent.getFirstShard())
              .findFirst()
              .orElseThrow();
      await(
          "the token to end",
          () -> {
            try {
              answer(
                      datanodes
                          .datanode(place)
                          .read(
                              whole(keyOf(container, place), extent, container.getToken()).build()))
                  .payload()
                  .release();
              return false;
            } catch (ExecutionException e) {
              return e.getCause() instanceof StoreException refused
                  && refused.code() == ErrorCode.ACCESS_DENIED
                  && refused.getMessage().contains("expired");
            }
          });
      in.readFully(0, read);
      assertArrayEquals(large, read);
    }
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
    secrets.add("a reader's token", real.toByteArray());
    try (NetworkDatanodes clear = new NetworkDatanodes(ClientTls.OFF)) {
      ShardPlace place = container.getShards(0);
      assertThrows(
          ExecutionException.class,
          () ->
              answer(
                  clear.datanode(place).read(whole(keyOf(container, place), extent, real).build())),
          "TLS only");
    }
    StowageConfig bobs = StowageConfig.of(cluster.clientSettings());
    try (NetworkDatanodes datanodes = new NetworkDatanodes(ClientTls.from(bobs))) {
      for (ShardPlace place : container.getShardsList()) {
        ShardKey key = keyOf(container, place);
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

  /**
   * Containers are leased to whoever comes, one after the other. He says himself where in one his
   * bytes lie, and nobody looks; what he is given a token for is what his own lease wrote.
   */
  @Test
  void whoLeasesAContainerNeitherReadsNorForgesWhatOthersWroteToIt() throws Exception {
    createBucket(alice, "earlier");
    createBucket(bob, "lessee");
    byte[] secret =
        "what alice wrote before bob had the container".getBytes(StandardCharsets.UTF_8);
    // A log-in of its own is a data path of its own, which gives its lease back when it is closed.
    UserGroupInformation once = kdc.logIn("alice");
    try (FileSystem fs =
        asUser(once, () -> FileSystem.newInstance(URI.create("stow://earlier/"), hadoop()))) {
      write(fs, "/secret", secret);
    }
    Extent hers = withManifest(alice, "earlier", "secret").getVersion().getManifest().getExtents(0);
    StowageConfig bobs = StowageConfig.of(cluster.clientSettings());
    try (NetworkDatanodes datanodes = new NetworkDatanodes(ClientTls.from(bobs))) {
      Lease lease = leaseOn(objectManager(bob), hers.getContainer());
      ContainerInfo container = lease.getContainer();
      assertTrue(container.getLeaseEpoch() > hers.getEpoch());
      forgesNoShard(datanodes, lease);
      long start = openAll(datanodes, lease);
      byte[] own = content(4_096, 17);
      writeStripe(datanodes, lease, start, own);
      putAll(objectManager(bob), lease);
      release(objectManager(bob), lease);
      Lease later = leaseOn(objectManager(alice), hers.getContainer());
      assertTrue(later.getContainer().getLeaseEpoch() > container.getLeaseEpoch());
      long laterStart = openAll(datanodes, later);
      writeStripe(datanodes, later, laterStart, content(4_096, 18));
      release(objectManager(alice), later);

      GetObjectReply all = withManifest(bob, "lessee", "all");
      ByteString token = all.getContainers(0).getToken();
      assertFalse(token.isEmpty());
      Extent next =
          hers.toBuilder()
              .setOffset(laterStart)
              .setEpoch(later.getContainer().getLeaseEpoch())
              .build();
      for (ShardPlace place : container.getShardsList()) {
        ShardService node = datanodes.datanode(place);
        ShardKey key = keyOf(container, place);
        for (Extent others : List.of(hers, next)) {
          for (long epoch : new long[] {0, others.getEpoch()}) {
            ReadShardRequest.Builder read = whole(key, others, token).setEpoch(epoch);
            denied(() -> answer(node.read(read.build())));
            denied(() -> answer(node.read(read.setSectorCrcs(true).build())));
            denied(() -> answer(node.read(read.setStatesOnly(true).build())));
          }
          ReadShardRequest.Builder asHis =
              whole(key, others, token).setEpoch(container.getLeaseEpoch());
          ExecutionException bare =
              assertThrows(ExecutionException.class, () -> answer(node.read(asHis.build())));
          assertEquals(ErrorCode.CORRUPT_DATA, ((StoreException) bare.getCause()).code());
          ShardBytes sectors = answer(node.read(asHis.setSectorCrcs(true).build()));
          assertEquals(1, sectors.reply().getSectorsCount());
          assertFalse(sectors.reply().getSectors(0).getState() == SectorState.WRITTEN);
          assertArrayEquals(new byte[4_096], bytes(sectors));
        }
      }
      ShardPlace first = container.getShards(0);
      Extent his = hers.toBuilder().setOffset(start).setEpoch(container.getLeaseEpoch()).build();
      assertArrayEquals(
          own, // the control: what he wrote he reads
          bytes(
              answer(
                  datanodes
                      .datanode(first)
                      .read(whole(keyOf(container, first), his, token).build()))));
    }
    assertArrayEquals(secret, read(fileSystem(alice, "earlier"), "/secret"));
  }

  private static byte[] bytes(ShardBytes read) {
    byte[] bytes = new byte[read.payload().readableBytes()];
    read.payload().readBytes(bytes).release();
    return bytes;
  }

  private static GetObjectReply withManifest(UserGroupInformation user, String bucket, String key)
      throws Exception {
    return objectManager(user)
        .getObject(
            GetObjectRequest.newBuilder()
                .setBucket(bucket)
                .setKey(key)
                .setWantManifest(true)
                .build());
  }

  /** A lease on one container, which somebody has just given back; on others they are returned. */
  private static Lease leaseOn(ObjectManager om, long container) throws Exception {
    String policy =
        om.locateContainers(LocateContainersRequest.newBuilder().addIds(container).build())
            .getContainers(0)
            .getPolicy();
    List<Lease> leases = new ArrayList<>();
    await(
        "a lease on it",
        () -> {
          Lease lease =
              om.leaseContainer(
                      LeaseContainersRequest.newBuilder()
                          .setPolicy(policy)
                          .setHolder(writeId())
                          .build())
                  .getLease();
          leases.add(lease);
          return lease.getContainer().getId() == container;
        });
    Lease wanted = leases.remove(leases.size() - 1);
    for (Lease other : leases) {
      release(om, other);
    }
    return wanted;
  }

  private static void release(ObjectManager om, Lease lease) throws Exception {
    var unused =
        om.releaseLease(
            ReleaseLeaseRequest.newBuilder()
                .setLease(
                    LeaseRef.newBuilder()
                        .setContainer(lease.getContainer().getId())
                        .setEpoch(lease.getContainer().getLeaseEpoch())
                        .setHolder(lease.getHolder()))
                .setOutcome(LeaseOutcome.LEASE_IDLE)
                .build());
  }

  private static OpenShardRequest opening(Lease lease, ShardKey key) {
    return OpenShardRequest.newBuilder()
        .setShard(key)
        .setEpoch(lease.getContainer().getLeaseEpoch())
        .setHolder(lease.getHolder())
        .setPolicy(lease.getContainer().getPolicy())
        .setCapacityBytes(lease.getContainer().getCapacityBytes())
        .setToken(lease.getToken())
        .build();
  }

  private static WriteShardRequest writing(Lease lease, ShardKey key, long at, byte[] sector) {
    CRC32C crc = new CRC32C();
    crc.update(sector);
    return WriteShardRequest.newBuilder()
        .setShard(key)
        .setEpoch(lease.getContainer().getLeaseEpoch())
        .setOffset(at)
        .addCrcs((int) crc.getValue())
        .setUsedShards(1)
        .setToken(lease.getToken())
        .build();
  }

  /** Neither a later generation nor a shard on another disk, nor a seal on what is open. */
  private static void forgesNoShard(NetworkDatanodes datanodes, Lease lease) {
    ContainerInfo container = lease.getContainer();
    byte[] forged = content(4_096, 19);
    for (ShardPlace place : container.getShardsList()) {
      ShardKey key = keyOf(container, place);
      ShardPlace elsewhere =
          container.getShards((place.getIndex() + 1) % container.getShardsCount());
      for (ShardPlace at : List.of(place, elsewhere)) {
        for (int generation : new int[] {0, 1, 2, 1_000}) {
          ShardKey other =
              key.toBuilder().setGeneration(generation).setDiskId(at.getDiskId()).build();
          if (other.equals(key)) {
            continue;
          }
          ShardService node = datanodes.datanode(at);
          denied(() -> answer(node.open(opening(lease, other))));
          denied(
              () ->
                  answer(
                      node.write(
                          writing(lease, other, 0, forged), Unpooled.wrappedBuffer(forged))));
          denied(() -> answer(node.seal(sealing(lease, other))));
        }
      }
      denied(() -> answer(datanodes.datanode(place).seal(sealing(lease, key))));
    }
  }

  private static SealShardRequest sealing(Lease lease, ShardKey key) {
    return SealShardRequest.newBuilder()
        .setShard(key)
        .setEpoch(lease.getContainer().getLeaseEpoch())
        .setToken(lease.getToken())
        .build();
  }

  /** Where the lease begins. */
  private static long openAll(NetworkDatanodes datanodes, Lease lease) throws Exception {
    long start = 0;
    for (ShardPlace place : lease.getContainer().getShardsList()) {
      ShardKey key = keyOf(lease.getContainer(), place);
      start = Math.max(start, answer(datanodes.datanode(place).open(opening(lease, key))).getEnd());
    }
    return start;
  }

  /** One sector of the first shard, with its parities. */
  private static void writeStripe(NetworkDatanodes datanodes, Lease lease, long at, byte[] sector)
      throws Exception {
    ContainerInfo container = lease.getContainer();
    ErasurePolicy policy = ErasurePolicy.named(container.getPolicy());
    ByteBuffer[] data = new ByteBuffer[policy.k()];
    data[0] = ByteBuffer.wrap(sector);
    byte[][] cells = new byte[policy.shards()][];
    cells[0] = sector;
    ByteBuffer[] parities = new ByteBuffer[policy.m()];
    for (int i = 0; i < parities.length; i++) {
      cells[policy.k() + i] = new byte[sector.length];
      parities[i] = ByteBuffer.wrap(cells[policy.k() + i]);
    }
    ErasureCoders.of(policy).encode(data, parities);
    for (ShardPlace place : container.getShardsList()) {
      byte[] cell = cells[place.getIndex()];
      if (cell != null) {
        ShardKey key = keyOf(container, place);
        var unused =
            answer(
                datanodes
                    .datanode(place)
                    .write(writing(lease, key, at, cell), Unpooled.wrappedBuffer(cell)));
      }
    }
  }

  /** An object that is said to be all of the container. */
  private static void putAll(ObjectManager om, Lease lease) throws Exception {
    long id = lease.getContainer().getId();
    long epoch = lease.getContainer().getLeaseEpoch();
    long length = lease.getContainer().getCapacityBytes();
    int header = 64;
    PutObjectRequest.Builder put =
        PutObjectRequest.newBuilder()
            .setBucket("lessee")
            .setKey("all")
            .setWriteId(writeId())
            .setLength(length - header)
            .setMd5(ByteString.copyFrom(new byte[16]))
            .addGrants(
                LeaseGrant.newBuilder()
                    .setContainer(id)
                    .setEpoch(epoch)
                    .setGrantedMicros(lease.getGrantedMicros())
                    .setToken(lease.getToken()));
    put.getManifestBuilder()
        .setLength(length - header)
        .addExtents(
            Extent.newBuilder()
                .setContainer(id)
                .setEpoch(epoch)
                .setWidth(1)
                .setPacked(true)
                .setCellLength(4_096)
                .setHeaderLength(header)
                .setLength(length));
    var unused = om.putObject(put.build());
  }

  private static ShardKey keyOf(ContainerInfo container, ShardPlace place) {
    return ShardKey.newBuilder()
        .setContainer(container.getId())
        .setIndex(place.getIndex())
        .setGeneration(place.getGeneration())
        .setDiskId(place.getDiskId())
        .build();
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
