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
import java.net.URI;
import java.nio.charset.StandardCharsets;
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
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.FSDataInputStream;
import org.apache.hadoop.fs.FSDataOutputStream;
import org.apache.hadoop.fs.FileSystem;
import org.apache.hadoop.security.UserGroupInformation;
import org.apache.hadoop.thirdparty.protobuf.ByteString;
import org.apache.hadoop.thirdparty.protobuf.TextFormat;
import org.apache.log4j.Appender;
import org.apache.log4j.AppenderSkeleton;
import org.apache.log4j.Level;
import org.apache.log4j.Logger;
import org.apache.log4j.spi.LoggingEvent;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.EnabledIfSystemProperty;
import org.junit.jupiter.api.io.TempDir;
import software.amazon.awssdk.core.sync.RequestBody;
import software.amazon.awssdk.services.s3.S3Client;

/**
 * A cluster with Kerberos on every RPC and tokens at every datanode: what still works, and what
 * somebody gets who asks for what is not his. Runs on demand until it has proved itself.
 */
@EnabledIfSystemProperty(named = "stowage.test.secure-cluster", matches = "true")
class SecureClusterIT {
  @TempDir private static Path directory;
  private static TestKdc kdc;
  private static MiniStowageCluster cluster;
  private static UserGroupInformation alice;
  private static UserGroupInformation bob;
  private static final List<AutoCloseable> open = new ArrayList<>();

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
    kdc = TestKdc.start(directory, 24 * 3_600);
    MiniStowageCluster.Builder builder =
        MiniStowageCluster.builder()
            .datanodes(5)
            .set(Keys.SECURITY_ENABLED, "true")
            .setHadoop("hadoop.rpc.protection", "privacy")
            .set(Keys.SCM_PRINCIPAL, "scm/_HOST@" + TestKdc.REALM)
            .set(Keys.SCM_KEYTAB, kdc.keytab("scm/localhost").toString())
            .set(Keys.OM_PRINCIPAL, "om/_HOST@" + TestKdc.REALM)
            .set(Keys.OM_KEYTAB, kdc.keytab("om/localhost").toString())
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
    assertTrue(logged.size() > 100, logged.size() + " lines were logged");
    assertEquals(1, keys.getKeysCount());
    byte[] secret = keys.getKeys(0).getSecret().toByteArray();
    List<String> secrets =
        List.of(
            cluster.secretKey(),
            HexFormat.of().formatHex(secret),
            Base64.getEncoder().encodeToString(secret),
            TextFormat.escapeBytes(secret), // as messages print themselves
            new String(secret, StandardCharsets.ISO_8859_1));
    for (String line : logged) {
      assertTrue(secrets.stream().noneMatch(line::contains), () -> "a secret was logged: " + line);
    }
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
