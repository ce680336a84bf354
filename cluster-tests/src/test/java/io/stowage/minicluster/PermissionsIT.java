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
import io.stowage.common.error.ErrorCode;
import io.stowage.common.error.StoreException;
import io.stowage.common.id.WriteId;
import io.stowage.common.om.ObjectManager;
import io.stowage.common.proto.BucketLayout;
import io.stowage.common.proto.CreateBucketRequest;
import io.stowage.common.proto.CreateUserRequest;
import io.stowage.common.proto.DeleteObjectsRequest;
import io.stowage.common.proto.DeletedObject;
import io.stowage.common.proto.GetIdentityRequest;
import io.stowage.common.proto.GetObjectRequest;
import io.stowage.common.proto.ListObjectsRequest;
import io.stowage.common.proto.ObjectMetadata;
import io.stowage.common.proto.ObjectToDelete;
import io.stowage.common.proto.PutObjectRequest;
import io.stowage.common.proto.UpdateBucketRequest;
import io.stowage.common.proto.User;
import io.stowage.common.rpc.RpcClient;
import io.stowage.common.rpc.RpcProtocol;
import java.io.ByteArrayInputStream;
import java.io.FileNotFoundException;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.security.PrivilegedExceptionAction;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.EnumSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ExecutionException;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.CommonConfigurationKeys;
import org.apache.hadoop.fs.CreateFlag;
import org.apache.hadoop.fs.FSDataInputStream;
import org.apache.hadoop.fs.FSDataOutputStream;
import org.apache.hadoop.fs.FileContext;
import org.apache.hadoop.fs.FileStatus;
import org.apache.hadoop.fs.FileSystem;
import org.apache.hadoop.fs.LocatedFileStatus;
import org.apache.hadoop.fs.MultipartUploader;
import org.apache.hadoop.fs.PartHandle;
import org.apache.hadoop.fs.Path;
import org.apache.hadoop.fs.PathHandle;
import org.apache.hadoop.fs.RemoteIterator;
import org.apache.hadoop.fs.UploadHandle;
import org.apache.hadoop.fs.permission.AclEntry;
import org.apache.hadoop.fs.permission.FsAction;
import org.apache.hadoop.fs.permission.FsPermission;
import org.apache.hadoop.fs.statistics.IOStatisticsSupport;
import org.apache.hadoop.security.AccessControlException;
import org.apache.hadoop.security.Groups;
import org.apache.hadoop.security.UserGroupInformation;
import org.apache.hadoop.thirdparty.protobuf.ByteString;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import software.amazon.awssdk.core.sync.RequestBody;
import software.amazon.awssdk.services.s3.S3Client;
import software.amazon.awssdk.services.s3.model.CompletedPart;
import software.amazon.awssdk.services.s3.model.ObjectAttributes;
import software.amazon.awssdk.services.s3.model.ObjectIdentifier;
import software.amazon.awssdk.services.s3.model.S3Exception;
import software.amazon.awssdk.services.s3.model.Tag;

/**
 * The same people over Hadoop's FileSystem and over S3 in one store that asks for permissions: what
 * one lets another do in one way he may do in the other, and nothing else.
 */
class PermissionsIT {
  private static final byte[] CONTENT = "content".getBytes(StandardCharsets.UTF_8);

  @TempDir static java.nio.file.Path directory;
  private static MiniStowageCluster cluster;
  private static java.nio.file.Path audit;
  private static String carolsId; // canonical: what lists name
  private static final List<AutoCloseable> open = new ArrayList<>();

  @BeforeAll
  static void start() throws Exception {
    audit = directory.resolve("rpc-audit.log");
    Configuration known = new Configuration();
    known.set(CommonConfigurationKeys.HADOOP_USER_GROUP_STATIC_OVERRIDES, "carol=staff");
    Groups unusedGroups = Groups.getUserToGroupsMappingServiceWithLoadedConfiguration(known);
    UserGroupInformation.setConfiguration(known); // which asks for groups, too
    cluster =
        MiniStowageCluster.builder()
            .set(Keys.PERMISSIONS_ENABLED, "true")
            .set(Keys.OM_AUDIT_FILE, audit.toString())
            .set(Keys.CLOCK_BOUND, "1s") // twice that is what a snapshot waits
            .set(Keys.BUCKET_CACHE_AGE, "100ms") // which settings of buckets wait out
            .start();
    for (String name : List.of("ann", "bob", "carol")) {
      var unused =
          cluster
              .objectManager(0)
              .createUser(
                  CreateUserRequest.newBuilder()
                      .setUser(User.newBuilder().setName(name))
                      .setAccessKey("AKIA" + name.toUpperCase(java.util.Locale.ROOT) + "000000000")
                      .setSecretKey("secret-of-" + name + "-that-is-long-enough")
                      .setWriteId(WriteId.random())
                      .build());
    }
    carolsId =
        cluster
            .objectManager(0)
            .getIdentity(GetIdentityRequest.newBuilder().setAccessKey("AKIACAROL000000000").build())
            .getIdentity()
            .getUser();
  }

  @AfterAll
  static void stop() throws Exception {
    for (AutoCloseable closeable : open) {
      closeable.close();
    }
    cluster.close();
  }

  private static FileSystem files(String user, String bucket) throws Exception {
    return files(user, bucket, "022");
  }

  private static FileSystem files(String user, String bucket, String umask) throws Exception {
    return files(user, bucket, Map.of("fs.permissions.umask-mode", umask));
  }

  private static FileSystem files(String user, String bucket, Map<String, String> settings)
      throws Exception {
    Configuration conf = new Configuration(cluster.hadoopConfiguration());
    settings.forEach(conf::set);
    FileSystem fs =
        UserGroupInformation.createRemoteUser(user)
            .doAs(
                (PrivilegedExceptionAction<FileSystem>)
                    () -> FileSystem.newInstance(URI.create("stow://" + bucket + "/"), conf));
    open.add(fs);
    return fs;
  }

  private static S3Client s3(String name) {
    S3Client s3 =
        S3Clients.builder(
                cluster.s3Endpoint(),
                "AKIA" + name.toUpperCase(java.util.Locale.ROOT) + "000000000",
                "secret-of-" + name + "-that-is-long-enough")
            .build();
    open.add(s3);
    return s3;
  }

  private static void createBucket(String name, String owner, BucketLayout layout)
      throws Exception {
    var unused =
        cluster
            .objectManager(0)
            .createBucket(
                CreateBucketRequest.newBuilder()
                    .setName(name)
                    .setOwner(owner)
                    .setLayout(layout)
                    .setWriteId(WriteId.random())
                    .build());
  }

  private static void write(FileSystem fs, String path) throws Exception {
    try (FSDataOutputStream out = fs.create(new Path(path))) {
      out.write(CONTENT);
    }
  }

  private static byte[] read(FileSystem fs, String path) throws Exception {
    try (FSDataInputStream in = fs.open(new Path(path))) {
      return in.readAllBytes();
    }
  }

  private interface Work {
    Object run() throws Exception;
  }

  private static String refused(Work work) {
    return assertThrows(AccessControlException.class, work::run).getMessage();
  }

  private static void forbidden(Work work) {
    assertEquals(403, assertThrows(S3Exception.class, work::run).statusCode());
  }

  @Test
  void permissionsDecideWhicheverWayOneComes() throws Exception {
    createBucket("tree", "owner", BucketLayout.FILE_SYSTEM);
    FileSystem owner = files("owner", "tree");
    FileSystem ann = files("ann", "tree");
    FileSystem bob = files("bob", "tree");
    S3Client annOverS3 = s3("ann");
    S3Client bobOverS3 = s3("bob");
    refused(() -> ann.mkdirs(new Path("/ann")));
    forbidden(
        () -> annOverS3.putObject(b -> b.bucket("tree").key("x"), RequestBody.fromBytes(CONTENT)));
    forbidden(() -> bobOverS3.headBucket(b -> b.bucket("tree")));
    owner.setPermission(new Path("/"), new FsPermission((short) 01777));
    assertTrue(ann.mkdirs(new Path("/ann")));
    write(ann, "/ann/file");
    assertEquals("ann", ann.getFileStatus(new Path("/ann/file")).getOwner());
    assertArrayEquals(CONTENT, read(bob, "/ann/file"));
    assertArrayEquals(
        CONTENT, bobOverS3.getObjectAsBytes(b -> b.bucket("tree").key("ann/file")).asByteArray());
    var there = bobOverS3.headBucket(b -> b.bucket("tree"));
    assertEquals(200, there.sdkHttpResponse().statusCode());
    String told = refused(() -> bob.delete(new Path("/ann/file"), false));
    assertTrue(
        told.startsWith("Permission denied: user=bob, access=WRITE, inode=\"/ann\":ann:"), told);
    forbidden(() -> bobOverS3.deleteObject(b -> b.bucket("tree").key("ann/file")));
    refused(() -> bob.rename(new Path("/ann"), new Path("/bobs"))); // the root is sticky
    ann.setPermission(new Path("/ann"), new FsPermission((short) 0700));
    refused(() -> read(bob, "/ann/file"));
    refused(() -> bob.listStatus(new Path("/ann")));
    refused(() -> bob.getFileStatus(new Path("/ann/file")));
    refused(
        () -> {
          bob.access(new Path("/ann"), FsAction.READ);
          return null;
        });
    forbidden(() -> bobOverS3.getObjectAsBytes(b -> b.bucket("tree").key("ann/file")));
    forbidden(() -> bobOverS3.headObject(b -> b.bucket("tree").key("ann/file")));
    refused(
        () -> {
          bob.setPermission(new Path("/ann"), new FsPermission((short) 0777));
          return null;
        });
    refused(
        () -> {
          ann.setOwner(new Path("/ann"), "bob", null);
          return null;
        });
    var unused =
        annOverS3.putObject(
            b -> b.bucket("tree").key("ann/sub/by-s3"), RequestBody.fromBytes(CONTENT));
    assertArrayEquals(CONTENT, read(ann, "/ann/sub/by-s3"));
    assertTrue(ann.delete(new Path("/ann/sub"), true));
    assertArrayEquals(CONTENT, read(owner, "/ann/file")); // whose bucket it is
  }

  @Test
  void aBucketIsSharedByItsPolicyWhicheverWayOneComes() throws Exception {
    createBucket("flat", "ann", BucketLayout.OBJECT);
    FileSystem ann = files("ann", "flat");
    write(ann, "/shared/file");
    write(ann, "/own/file");
    FileSystem bob = files("bob", "flat");
    refused(() -> read(bob, "/shared/file"));
    String policy =
        """
        {"Statement":[
         {"Effect":"Allow","Principal":{"AWS":"bob"},"Action":["s3:GetObject","s3:PutObject"],
          "Resource":"arn:aws:s3:::flat/shared/*"},
         {"Effect":"Allow","Principal":{"AWS":"bob"},"Action":"s3:ListBucket",
          "Resource":"arn:aws:s3:::flat"}]}\
        """;
    var unused =
        cluster
            .objectManager(0)
            .updateBucket(
                UpdateBucketRequest.newBuilder()
                    .setName("flat")
                    .setWriteId(WriteId.random())
                    .putPut("policy", ByteString.copyFromUtf8(policy))
                    .build());
    assertArrayEquals(CONTENT, read(bob, "/shared/file"));
    assertArrayEquals(
        CONTENT,
        s3("bob").getObjectAsBytes(b -> b.bucket("flat").key("shared/file")).asByteArray());
    write(bob, "/shared/bobs");
    assertEquals("bob", ann.getFileStatus(new Path("/shared/bobs")).getOwner());
    assertEquals(2, bob.listStatus(new Path("/shared")).length);
    refused(() -> read(bob, "/own/file"));
    refused(
        () -> {
          write(bob, "/own/bobs");
          return null;
        });
    refused(() -> bob.delete(new Path("/shared/file"), false));
    refused(() -> bob.rename(new Path("/shared"), new Path("/taken")));
    assertArrayEquals(CONTENT, read(ann, "/shared/file"));
    forbidden(() -> s3("bob").getObjectAsBytes(b -> b.bucket("flat").key("own/file")));
    List<String> lines = Files.readAllLines(audit);
    assertTrue(
        lines.stream()
            .anyMatch(
                line ->
                    line.contains("\"user\":\"bob\"")
                        && line.contains("\"authenticated\":\"SIMPLE\"")
                        && line.contains("\"action\":\"s3:GetObject\"")
                        && line.contains("\"key\":\"shared/file\"")
                        && line.contains("\"why\":\"the bucket's policy allows it\"")),
        () -> "not in " + lines.size() + " lines");
  }

  /** What gives or takes rights, and which of r, l, w, d (a deletion) it leaves to carol. */
  @Test
  void everyKindOfRuleDecidesTheSameWhicheverWayOneComes() throws Exception {
    String all = "\"s3:GetObject\",\"s3:ListBucket\",\"s3:PutObject\",\"s3:DeleteObject\"";
    same("----", "none", flat(Map.of()), ann -> {});
    same("-l--", "list-r", flat(list("READ id=carol")), ann -> {});
    same("--wd", "list-w", flat(list("WRITE id=carol")), ann -> {});
    same("-lwd", "list-rw", flat(list("READ id=carol\nWRITE id=carol")), ann -> {});
    same("----", "list-other", flat(list("READ id=bob\nWRITE id=bob")), ann -> {});
    same("r---", "object-list", flat(Map.of()), ann -> grantRead("object-list"));
    same("r-wd", "both-lists", flat(list("WRITE id=carol")), ann -> grantRead("both-lists"));
    same("rlwd", "policy", flat(policy("policy", allow(all))), ann -> {});
    same(
        "-lw-",
        "policy-deny",
        flat(policy("policy-deny", allow(all), deny("\"s3:GetObject\",\"s3:DeleteObject\""))),
        ann -> {});
    same(
        "-l-d",
        "deny-list",
        flat(
            Map.of(
                "acl",
                "READ id=carol\nWRITE id=carol",
                "policy",
                policyOf("deny-list", deny("\"s3:PutObject\"")))),
        ann -> {});

    same("----", "tree-none", tree(Map.of()), ann -> mode(ann, 0700, 0666));
    same("rlwd", "tree-others", tree(Map.of()), ann -> mode(ann, 0777, 0644));
    same("-l--", "tree-file", tree(Map.of()), ann -> mode(ann, 0755, 0600));
    same("rl--", "tree-entry-r", tree(Map.of()), ann -> entry(ann, "user:carol:r-x", "r--"));
    same("rlwd", "tree-entry", tree(Map.of()), ann -> entry(ann, "user:carol:rwx", "r--"));
    same("r---", "tree-entry-x", tree(Map.of()), ann -> entry(ann, "user:carol:--x", "r--"));
    same("----", "tree-entry-other", tree(Map.of()), ann -> entry(ann, "user:bob:rwx", "r--"));
    same("rlwd", "tree-entry-group", tree(Map.of()), ann -> entry(ann, "group:staff:rwx", "r--"));
    same("rl--", "tree-group-r", tree(Map.of()), ann -> group(ann, "staff", 0750));
    same("rlwd", "tree-group", tree(Map.of()), ann -> group(ann, "staff", 0770));
    same("----", "tree-group-other", tree(Map.of()), ann -> group(ann, "wheel", 0770));
    same(
        "-lw-",
        "tree-deny",
        tree(policy("tree-deny", deny("\"s3:GetObject\",\"s3:DeleteObject\""))),
        ann -> mode(ann, 0777, 0666));
    same(
        "r---",
        "tree-allow",
        tree(policy("tree-allow", allow("\"s3:GetObject\""))),
        ann -> mode(ann, 0700, 0600));
    same("-l--", "tree-list", tree(list("READ id=carol")), ann -> mode(ann, 0700, 0600));
  }

  private interface Preparation {
    void by(FileSystem owner) throws Exception;
  }

  /** Asks both ways for a file, its directory, a file beside it and another one's end. */
  private static void same(
      String rights, String name, CreateBucketRequest.Builder bucket, Preparation preparation)
      throws Exception {
    var unused =
        cluster
            .objectManager(0)
            .createBucket(
                bucket.setName(name).setOwner("ann").setWriteId(WriteId.random()).build());
    FileSystem ann = files("ann", name);
    for (String file : List.of("f", "doomed-rpc", "doomed-s3")) {
      write(ann, "/d/" + file);
    }
    preparation.by(ann);
    ObjectManager om = objectManager("carol");
    String overRpc =
        letters(
            () ->
                om.getObject(
                    GetObjectRequest.newBuilder()
                        .setBucket(name)
                        .setKey("d/f")
                        .setWantManifest(true)
                        .build()),
            () ->
                om.listObjects(
                    ListObjectsRequest.newBuilder()
                        .setBucket(name)
                        .setPrefix("d/")
                        .setDelimiter("/")
                        .setLimit(10)
                        .build()),
            () ->
                om.putObject(
                    PutObjectRequest.newBuilder()
                        .setBucket(name)
                        .setKey("d/by-rpc")
                        .setWriteId(WriteId.random())
                        .setMd5(ByteString.copyFrom(new byte[16]))
                        .build()),
            () -> delete(om, name, "d/doomed-rpc"));
    S3Client s3 = s3("carol");
    String overS3 =
        letters(
            () -> s3.getObjectAsBytes(b -> b.bucket(name).key("d/f")),
            () -> s3.listObjectsV2(b -> b.bucket(name).prefix("d/").delimiter("/")),
            () -> s3.putObject(b -> b.bucket(name).key("d/by-s3"), RequestBody.empty()),
            () -> s3.deleteObject(b -> b.bucket(name).key("d/doomed-s3")));
    assertEquals(
        rights + " over RPC, " + rights + " over S3",
        overRpc + " over RPC, " + overS3 + " over S3",
        name);
  }

  private static DeletedObject delete(ObjectManager om, String bucket, String key)
      throws StoreException {
    DeletedObject deleted =
        om.deleteObjects(
                DeleteObjectsRequest.newBuilder()
                    .setBucket(bucket)
                    .addObjects(
                        ObjectToDelete.newBuilder().setKey(key).setWriteId(WriteId.random()))
                    .build())
            .getObjects(0);
    if (deleted.getErrorCode() != 0) {
      throw new StoreException(
          ErrorCode.ofNumber(deleted.getErrorCode()), deleted.getErrorMessage());
    }
    return deleted;
  }

  private static String letters(Work read, Work list, Work write, Work delete) throws Exception {
    return letter("r", read) + letter("l", list) + letter("w", write) + letter("d", delete);
  }

  private static String letter(String right, Work work) throws Exception {
    try {
      Object unused = work.run();
      return right;
    } catch (StoreException e) {
      assertEquals(ErrorCode.ACCESS_DENIED, e.code(), e::toString);
    } catch (S3Exception e) {
      assertEquals(403, e.statusCode(), e::toString);
    }
    return "-";
  }

  private static ObjectManager objectManager(String user) throws Exception {
    RpcClient<ObjectManager> client =
        UserGroupInformation.createRemoteUser(user)
            .doAs(
                (PrivilegedExceptionAction<RpcClient<ObjectManager>>)
                    () ->
                        RpcClient.create(
                            RpcProtocol.OBJECT_MANAGER,
                            cluster.hadoopConfiguration(),
                            cluster.objectManagerAddresses(),
                            Duration.ofSeconds(30),
                            Duration.ofSeconds(30)));
    open.add(client);
    return client.api();
  }

  private static CreateBucketRequest.Builder flat(Map<String, String> settings) {
    return bucket(BucketLayout.OBJECT, settings);
  }

  private static CreateBucketRequest.Builder tree(Map<String, String> settings) {
    return bucket(BucketLayout.FILE_SYSTEM, settings);
  }

  private static CreateBucketRequest.Builder bucket(
      BucketLayout layout, Map<String, String> settings) {
    CreateBucketRequest.Builder bucket = CreateBucketRequest.newBuilder().setLayout(layout);
    settings.forEach(
        (setting, value) ->
            bucket.putSettings(
                setting, ByteString.copyFromUtf8(value.replace("id=carol", "id=" + carolsId))));
    return bucket;
  }

  private static Map<String, String> list(String grants) {
    return Map.of("acl", grants);
  }

  private static Map<String, String> policy(String bucket, String... statements) {
    return Map.of("policy", policyOf(bucket, statements));
  }

  private static String policyOf(String bucket, String... statements) {
    return ("{\"Statement\":[" + String.join(",", statements) + "]}").replace("BUCKET", bucket);
  }

  private static String allow(String actions) {
    return statement("Allow", actions);
  }

  private static String deny(String actions) {
    return statement("Deny", actions);
  }

  private static String statement(String effect, String actions) {
    return """
    {"Effect":"%s","Principal":{"AWS":"carol"},"Action":[%s],
     "Resource":["arn:aws:s3:::BUCKET","arn:aws:s3:::BUCKET/*"]}\
    """
        .formatted(effect, actions);
  }

  /** Writes it again, with a list of its own. */
  private static void grantRead(String bucket) throws Exception {
    var unused =
        cluster
            .objectManager(0)
            .putObject(
                PutObjectRequest.newBuilder()
                    .setBucket(bucket)
                    .setKey("d/f")
                    .setWriteId(WriteId.random())
                    .setMd5(ByteString.copyFrom(new byte[16]))
                    .setMetadata(
                        ObjectMetadata.newBuilder()
                            .setOwner("ann")
                            .addGrants("READ id=" + carolsId))
                    .build());
  }

  private static void mode(FileSystem ann, int directory, int file) throws Exception {
    ann.setPermission(new Path("/"), new FsPermission((short) 0755));
    ann.setPermission(new Path("/d"), new FsPermission((short) directory));
    ann.setPermission(new Path("/d/f"), new FsPermission((short) file));
  }

  /** An entry for the directory, and one for the same people with less for the file. */
  private static void entry(FileSystem ann, String ofDirectory, String onFile) throws Exception {
    mode(ann, 0700, 0600);
    ann.modifyAclEntries(new Path("/d"), AclEntry.parseAclSpec(ofDirectory, true));
    String ofFile = ofDirectory.substring(0, ofDirectory.lastIndexOf(':') + 1) + onFile;
    ann.modifyAclEntries(new Path("/d/f"), AclEntry.parseAclSpec(ofFile, true));
  }

  private static void group(FileSystem ann, String group, int directory) throws Exception {
    mode(ann, directory, 0640);
    ann.setOwner(new Path("/d"), null, group);
    ann.setOwner(new Path("/d/f"), null, group);
  }

  private static String bits(FileSystem fs, String path) throws Exception {
    return fs.getFileStatus(new Path(path)).getPermission().toString();
  }

  private static long puts(FileSystem fs) {
    return IOStatisticsSupport.retrieveIOStatistics(fs)
        .counters()
        .get("object_manager_calls.putObject");
  }

  @Test
  void directoriesOnTheWayAreAsTheirMakerAsksForThem() throws Exception {
    createBucket("way", "owner", BucketLayout.FILE_SYSTEM);
    files("owner", "way").setPermission(new Path("/"), new FsPermission((short) 0777));
    FileSystem bob = files("bob", "way");
    Map<String, String> ofUmask =
        Map.of("002", "rwxrwxr-x", "022", "rwxr-xr-x", "077", "rwx------");
    for (String umask : ofUmask.keySet()) {
      FileSystem ann = files("ann", "way", umask);
      String partition = "/by-" + umask + "/table/part=1";
      write(ann, partition + "/file");
      for (Path path = new Path(partition); !path.isRoot(); path = path.getParent()) {
        assertEquals(ofUmask.get(umask), bits(ann, path.toString()), path.toString());
        assertEquals("ann", ann.getFileStatus(path).getOwner());
      }
      long before = puts(ann);
      write(ann, partition + "/second");
      assertEquals(1, puts(ann) - before, "in a directory that is there");
    }
    refused(() -> bob.listStatus(new Path("/by-077")));

    FileSystem ann = files("ann", "way");
    assertTrue(ann.mkdirs(new Path("/private/below"), new FsPermission((short) 0700)));
    assertEquals("rwx------", bits(ann, "/private"));
    assertTrue(ann.mkdirs(new Path("/odd/below"), new FsPermission((short) 0455)));
    assertEquals("rwxr-xr-x", bits(ann, "/odd"), "who makes it can go on");
    assertEquals("r--r-xr-x", bits(ann, "/odd/below"));
  }

  @Test
  void directoriesOnTheWayInheritDefaultEntries() throws Exception {
    createBucket("heirs", "owner", BucketLayout.FILE_SYSTEM);
    files("owner", "heirs").setPermission(new Path("/"), new FsPermission((short) 0777));
    FileSystem ann = files("ann", "heirs");
    FileSystem bob = files("bob", "heirs");
    assertTrue(ann.mkdirs(new Path("/shared")));
    ann.modifyAclEntries(new Path("/shared"), AclEntry.parseAclSpec("default:user:bob:rwx", true));
    write(ann, "/shared/day=1/hour=2/file");
    write(bob, "/shared/day=1/hour=2/bobs");
    write(bob, "/shared/day=1/hour=3/bobs");
    Path parts = ann.makeQualified(new Path("/shared/day=4/parts"));
    try (MultipartUploader uploader = ann.createMultipartUploader(parts.getParent()).build()) {
      UploadHandle upload = uploader.startUpload(parts).get();
      PartHandle part =
          uploader
              .putPart(upload, 1, true, parts, new ByteArrayInputStream(CONTENT), CONTENT.length)
              .get();
      PathHandle unused = uploader.complete(upload, parts, Map.of(1, part)).get();
    }
    for (String heir : List.of("/shared/day=1/hour=2/file", parts.toString())) {
      assertTrue(
          ann.getAclStatus(new Path(heir)).getEntries().stream()
              .anyMatch(entry -> "bob".equals(entry.getName())),
          heir);
    }
    write(bob, "/shared/day=4/bobs");
  }

  @Test
  void whoADefaultEntryNamesWritesWhateverTheUmask() throws Exception {
    createBucket("umasks", "owner", BucketLayout.FILE_SYSTEM);
    files("owner", "umasks").setPermission(new Path("/"), new FsPermission((short) 0777));
    FileSystem bob = files("bob", "umasks");
    for (String umask : List.of("022", "077")) {
      FileSystem ann = files("ann", "umasks", umask);
      Path shared = new Path("/shared-" + umask);
      assertTrue(ann.mkdirs(shared));
      ann.modifyAclEntries(
          shared, AclEntry.parseAclSpec("user:bob:rwx,default:user:bob:rwx", true));
      write(ann, shared + "/file");
      Configuration conf = new Configuration(cluster.hadoopConfiguration());
      conf.set("fs.permissions.umask-mode", umask);
      FileContext context =
          UserGroupInformation.createRemoteUser("ann")
              .doAs(
                  (PrivilegedExceptionAction<FileContext>)
                      () -> FileContext.getFileContext(URI.create("stow://umasks/"), conf));
      context.create(new Path(shared, "by-context"), EnumSet.of(CreateFlag.CREATE)).close();
      context.mkdir(new Path(shared, "directory"), null, false);
      for (String name : List.of("file", "by-context")) {
        Path file = new Path(shared, name);
        try (FSDataOutputStream out = bob.append(file)) {
          out.write(CONTENT);
        }
        write(bob, file.toString());
        assertArrayEquals(CONTENT, read(bob, file.toString()));
      }
      write(bob, shared + "/directory/bobs");
    }
  }

  @Test
  void attributesAreToldToWhoMayReadAndTrustedOnesToAdministrators() throws Exception {
    createBucket("attributes", "owner", BucketLayout.FILE_SYSTEM);
    FileSystem owner = files("owner", "attributes");
    owner.setPermission(new Path("/"), new FsPermission((short) 0777));
    FileSystem ann = files("ann", "attributes");
    FileSystem bob = files("bob", "attributes");
    Path directory = new Path("/d");
    Path file = new Path("/d/file");
    assertTrue(ann.mkdirs(directory));
    write(ann, file.toString());
    ann.setPermission(directory, new FsPermission((short) 0711));
    ann.setPermission(file, new FsPermission((short) 0600));
    for (Path path : List.of(directory, file)) {
      ann.setXAttr(path, "user.secret", CONTENT);
      assertArrayEquals(CONTENT, ann.getXAttr(path, "user.secret"));
      assertEquals("ann", bob.getFileStatus(path).getOwner());
      refused(() -> bob.getXAttrs(path));
      refused(() -> bob.getXAttr(path, "user.secret"));
      refused(() -> bob.listXAttrs(path));
      ann.setPermission(path, new FsPermission((short) 0755));
      assertArrayEquals(CONTENT, bob.getXAttr(path, "user.secret"));
    }
    String administrator = UserGroupInformation.getCurrentUser().getShortUserName();
    for (Map.Entry<String, BucketLayout> layout :
        Map.of("attributes", BucketLayout.FILE_SYSTEM, "flat-attributes", BucketLayout.OBJECT)
            .entrySet()) {
      if (layout.getValue() == BucketLayout.OBJECT) {
        createBucket(layout.getKey(), "ann", layout.getValue());
      }
      FileSystem hers = files("ann", layout.getKey());
      FileSystem all = files(administrator, layout.getKey());
      Path seen = new Path("/seen");
      write(hers, "/seen");
      hers.setXAttr(seen, "user.a", CONTENT);
      all.setXAttr(seen, "trusted.seal", CONTENT);
      assertTrue(all.listXAttrs(seen).contains("trusted.seal"));
      assertFalse(hers.listXAttrs(seen).contains("trusted.seal"));
      refused(
          () -> {
            hers.setXAttr(seen, "trusted.seal", new byte[0]);
            return null;
          });
      hers.setPermission(seen, new FsPermission((short) 0640));
      hers.removeXAttr(seen, "user.a");
      assertEquals("rw-r-----", bits(all, "/seen"));
      assertArrayEquals(CONTENT, all.getXAttr(seen, "trusted.seal"));
      all.removeXAttr(seen, "trusted.seal");
      assertFalse(all.listXAttrs(seen).contains("trusted.seal"));
    }
  }

  @Test
  void filesThatMayNotBeReadAreListedWithoutTheirPlaces() throws Exception {
    createBucket("places", "owner", BucketLayout.FILE_SYSTEM);
    files("owner", "places").setPermission(new Path("/"), new FsPermission((short) 0777));
    FileSystem ann = files("ann", "places");
    try (FSDataOutputStream out = ann.create(new Path("/d/large"))) {
      out.write(new byte[3 << 20]);
    }
    ann.setPermission(new Path("/d/large"), new FsPermission((short) 0600));
    write(ann, "/d/small");
    FileSystem bob = files("bob", "places", Map.of("stowage.fs.block-size", "1m"));
    FileSystem blocks = files("ann", "places", Map.of("stowage.fs.block-size", "1m"));
    assertEquals(3, places(blocks).get("large"));
    assertEquals(Map.of("large", 1, "small", 1), places(bob));
  }

  /** Of the files in a directory, how many places each has. */
  private static Map<String, Integer> places(FileSystem fs) throws Exception {
    Map<String, Integer> places = new LinkedHashMap<>();
    RemoteIterator<LocatedFileStatus> files = fs.listFiles(new Path("/d"), true);
    while (files.hasNext()) {
      LocatedFileStatus file = files.next();
      places.put(file.getPath().getName(), file.getBlockLocations().length);
    }
    return places;
  }

  @Test
  void listingsTellOfDirectoriesWhatALookAtThemTells() throws Exception {
    createBucket("told", "owner", BucketLayout.FILE_SYSTEM);
    FileSystem owner = files("owner", "told");
    owner.setPermission(new Path("/"), new FsPermission((short) 0777));
    FileSystem ann = files("ann", "told");
    FileSystem bob = files("bob", "told");
    write(ann, "/by-hadoop/part=1/file");
    assertTrue(ann.mkdirs(new Path("/made/below"), new FsPermission((short) 0750)));
    var unused =
        s3("ann")
            .putObject(b -> b.bucket("told").key("by-s3/sub/file"), RequestBody.fromBytes(CONTENT));
    int directories = 0;
    Deque<Path> left = new ArrayDeque<>(List.of(new Path("/")));
    while (!left.isEmpty()) {
      for (FileStatus listed : owner.listStatus(left.pop())) {
        assertEquals(owner.getFileStatus(listed.getPath()).toString(), listed.toString());
        if (listed.isDirectory()) {
          directories++;
          left.push(listed.getPath());
        }
      }
    }
    assertEquals(6, directories);
    for (FileStatus listed : bob.listStatus(new Path("/"))) {
      assertEquals("ann", listed.getOwner(), listed.toString());
    }
    assertEquals(
        List.of("by-s3/sub/file"),
        s3("ann").listObjectsV2(b -> b.bucket("told").prefix("by-s3/")).contents().stream()
            .map(one -> one.key())
            .toList());
  }

  /** What a hostile user tries, by name; each has to be refused for want of permission. */
  private static void allRefused(Map<String, Work> attempts) {
    List<String> through = new ArrayList<>();
    attempts.forEach(
        (name, attempt) -> {
          try {
            Object returned = attempt.run();
            // False says that nothing was done, and null that there is no checksum to tell.
            if (returned != null && !Boolean.FALSE.equals(returned)) {
              through.add(name + " returned " + returned);
            }
          } catch (AccessControlException e) {
            // as it has to be
          } catch (S3Exception e) {
            if (e.statusCode() != 403) {
              through.add(name + ": " + e);
            }
          } catch (Exception e) {
            through.add(name + ": " + e);
          }
        });
    assertEquals(List.of(), through);
  }

  private static Work of(Attempt attempt) {
    return () -> {
      attempt.run();
      return "nothing";
    };
  }

  private static Object opened(FileSystem fs, Path file) throws Exception {
    try (FSDataInputStream in = fs.openFile(file).build().get()) {
      return in.read();
    } catch (ExecutionException e) {
      if (e.getCause() instanceof AccessControlException denied) {
        throw denied;
      }
      throw e;
    }
  }

  private interface Attempt {
    void run() throws Exception;
  }

  @Test
  void aHostileUserFindsNoWayAroundPermissions() throws Exception {
    createBucket("hostile", "owner", BucketLayout.FILE_SYSTEM);
    createBucket("bobs-own", "bob", BucketLayout.OBJECT);
    FileSystem owner = files("owner", "hostile");
    FileSystem ann = files("ann", "hostile");
    FileSystem bob = files("bob", "hostile");
    S3Client s3 = s3("bob");
    owner.setPermission(new Path("/"), new FsPermission((short) 0777));
    for (String directory : List.of("/closed", "/shut")) {
      assertTrue(ann.mkdirs(new Path(directory)));
      write(ann, directory + "/file");
    }
    ann.setPermission(new Path("/closed"), new FsPermission((short) 0700)); // not even through
    ann.setPermission(new Path("/shut/file"), new FsPermission((short) 0600)); // through, and seen
    String upload =
        s3("ann").createMultipartUpload(b -> b.bucket("hostile").key("shut/upload")).uploadId();
    assertTrue(ann.mkdirs(new Path("/open")));
    ann.setPermission(new Path("/open"), new FsPermission((short) 0777));
    String hers =
        s3("ann").createMultipartUpload(b -> b.bucket("hostile").key("open/upload")).uploadId();
    var unused = owner.createSnapshot(new Path("/"), "then");
    Map<String, Work> attempts = new LinkedHashMap<>();
    for (String directory : List.of("closed", "shut")) {
      String key = directory + "/file";
      Path file = new Path("/" + key);
      attempts.put("open " + key, () -> read(bob, "/" + key));
      attempts.put("openFile " + key, () -> opened(bob, file));
      attempts.put("append " + key, of(() -> bob.append(file).close()));
      attempts.put("overwrite " + key, of(() -> bob.create(file, true).close()));
      attempts.put("create beside " + key, of(() -> write(bob, "/" + directory + "/bobs")));
      attempts.put("mkdirs beside " + key, () -> bob.mkdirs(new Path("/" + directory + "/d/e")));
      attempts.put("delete " + key, () -> bob.delete(file, false));
      attempts.put("delete all of " + key, () -> bob.delete(file.getParent(), true));
      attempts.put("rename " + key, () -> bob.rename(file, new Path("/stolen")));
      attempts.put("rename onto " + key, () -> bob.rename(new Path("/bobs"), file));
      attempts.put("checksum " + key, () -> bob.getFileChecksum(file));
      attempts.put("times " + key, of(() -> bob.setTimes(file, 1, 1)));
      attempts.put("chmod " + key, of(() -> bob.setPermission(file, FsPermission.getDefault())));
      attempts.put("chown " + key, of(() -> bob.setOwner(file, "bob", null)));
      attempts.put(
          "setfacl " + key,
          of(() -> bob.modifyAclEntries(file, AclEntry.parseAclSpec("user:bob:rwx", true))));
      attempts.put("setfattr " + key, of(() -> bob.setXAttr(file, "user.a", CONTENT)));
      attempts.put(
          "S3 GET " + key, () -> s3.getObjectAsBytes(b -> b.bucket("hostile").key(key)).toString());
      attempts.put("S3 HEAD " + key, () -> s3.headObject(b -> b.bucket("hostile").key(key)));
      attempts.put("S3 tags " + key, () -> s3.getObjectTagging(b -> b.bucket("hostile").key(key)));
      attempts.put("S3 ACL " + key, () -> s3.getObjectAcl(b -> b.bucket("hostile").key(key)));
      attempts.put(
          "S3 attributes " + key,
          () ->
              s3.getObjectAttributes(
                  b -> b.bucket("hostile").key(key).objectAttributes(ObjectAttributes.CHECKSUM)));
      attempts.put(
          "S3 copy " + key,
          () ->
              s3.copyObject(
                  b ->
                      b.sourceBucket("hostile")
                          .sourceKey(key)
                          .destinationBucket("bobs-own")
                          .destinationKey("stolen")));
      attempts.put(
          "S3 copy within " + key,
          () ->
              s3.copyObject(
                  b ->
                      b.sourceBucket("hostile")
                          .sourceKey(key)
                          .destinationBucket("hostile")
                          .destinationKey("stolen")));
      attempts.put(
          "S3 PUT " + key,
          () -> s3.putObject(b -> b.bucket("hostile").key(key), RequestBody.fromBytes(CONTENT)));
      attempts.put(
          "S3 PUT beside " + key,
          () ->
              s3.putObject(
                  b -> b.bucket("hostile").key(directory + "/bobs"),
                  RequestBody.fromBytes(CONTENT)));
      attempts.put("S3 DELETE " + key, () -> s3.deleteObject(b -> b.bucket("hostile").key(key)));
      attempts.put(
          "S3 upload to " + key, () -> s3.createMultipartUpload(b -> b.bucket("hostile").key(key)));
      attempts.put(
          "S3 PUT tags " + key,
          () ->
              s3.putObjectTagging(
                  b ->
                      b.bucket("hostile")
                          .key(key)
                          .tagging(t -> t.tagSet(Tag.builder().key("a").value("b").build()))));
    }
    attempts.put("list closed", () -> bob.listStatus(new Path("/closed")));
    attempts.put("status in closed", () -> bob.getFileStatus(new Path("/closed/file")));
    attempts.put("attributes in closed", () -> bob.getXAttrs(new Path("/closed/file")));
    attempts.put("getfacl in closed", () -> bob.getAclStatus(new Path("/closed/file")));
    attempts.put("summary of closed", () -> bob.getContentSummary(new Path("/closed")));
    attempts.put(
        "rename of a file in the way",
        () -> bob.rename(new Path("/closed/file"), new Path("/shut/x")));
    attempts.put("snapshot", () -> bob.createSnapshot(new Path("/"), "bobs"));
    attempts.put("past", () -> read(bob, "/.snapshot/then/shut/file"));
    attempts.put("past of closed", () -> read(bob, "/.snapshot/then/closed/file"));
    attempts.put("list past", () -> bob.listStatus(new Path("/.snapshot/then/closed")));
    attempts.put("status past", () -> bob.getFileStatus(new Path("/.snapshot/then/shut/file")));
    attempts.put("end of the snapshot", of(() -> bob.deleteSnapshot(new Path("/"), "then")));
    attempts.put(
        "S3 list closed",
        () -> s3.listObjectsV2(b -> b.bucket("hostile").prefix("closed/").delimiter("/")));
    attempts.put(
        "S3 list into closed", () -> s3.listObjectsV2(b -> b.bucket("hostile").prefix("closed/f")));
    attempts.put("S3 list all", () -> s3.listObjectsV2(b -> b.bucket("hostile")));
    attempts.put(
        "S3 list after", () -> s3.listObjectsV2(b -> b.bucket("hostile").startAfter("closed/a")));
    attempts.put("S3 versions", () -> s3.listObjectVersions(b -> b.bucket("hostile")));
    attempts.put(
        "S3 part",
        () ->
            s3.uploadPart(
                b -> b.bucket("hostile").key("shut/upload").uploadId(upload).partNumber(1),
                RequestBody.fromBytes(CONTENT)));
    attempts.put(
        "S3 part of a copy",
        () ->
            s3.uploadPartCopy(
                b ->
                    b.sourceBucket("hostile")
                        .sourceKey("shut/file")
                        .destinationBucket("hostile")
                        .destinationKey("shut/upload")
                        .uploadId(upload)
                        .partNumber(1)));
    attempts.put(
        "S3 parts",
        () -> s3.listParts(b -> b.bucket("hostile").key("shut/upload").uploadId(upload)));
    attempts.put(
        "S3 end of an upload",
        () ->
            s3.abortMultipartUpload(b -> b.bucket("hostile").key("shut/upload").uploadId(upload)));
    attempts.put(
        "S3 completion",
        () ->
            s3.completeMultipartUpload(
                b ->
                    b.bucket("hostile")
                        .key("shut/upload")
                        .uploadId(upload)
                        .multipartUpload(
                            m ->
                                m.parts(
                                    CompletedPart.builder().partNumber(1).eTag("\"a\"").build()))));
    // In a directory that he may write an upload is its owner's all the same.
    attempts.put(
        "S3 part of hers",
        () ->
            s3.uploadPart(
                b -> b.bucket("hostile").key("open/upload").uploadId(hers).partNumber(1),
                RequestBody.fromBytes(CONTENT)));
    attempts.put(
        "S3 parts of hers",
        () -> s3.listParts(b -> b.bucket("hostile").key("open/upload").uploadId(hers)));
    attempts.put(
        "S3 end of hers",
        () -> s3.abortMultipartUpload(b -> b.bucket("hostile").key("open/upload").uploadId(hers)));
    attempts.put(
        "S3 policy",
        () -> s3.putBucketPolicy(b -> b.bucket("hostile").policy("{\"Statement\":[]}")));
    attempts.put("S3 bucket's end", () -> s3.deleteBucket(b -> b.bucket("hostile")));
    write(bob, "/bobs");
    allRefused(attempts);
    Path past = new Path("/.snapshot/then/shut/file");
    owner.access(past, FsAction.READ);
    refused(
        () -> {
          owner.access(past, FsAction.READ_WRITE);
          return null;
        });
    assertThrows(
        FileNotFoundException.class,
        () -> owner.access(new Path("/.snapshot/then/none"), FsAction.READ));
    // Of many deletions each is refused by itself.
    var deleted =
        s3.deleteObjects(
            b ->
                b.bucket("hostile")
                    .delete(
                        d ->
                            d.objects(
                                ObjectIdentifier.builder().key("shut/file").build(),
                                ObjectIdentifier.builder().key("closed/file").build(),
                                ObjectIdentifier.builder().key("bobs").build())));
    assertEquals(1, deleted.deleted().size());
    assertEquals(
        List.of("AccessDenied", "AccessDenied"),
        deleted.errors().stream().map(error -> error.code()).toList());
    // What he may see of a file that he may not read tells nothing of what is in it.
    var seen = s3.listObjectsV2(b -> b.bucket("hostile").prefix("shut/")).contents();
    assertEquals(List.of("shut/", "shut/file"), seen.stream().map(one -> one.key()).toList());
    assertEquals(CONTENT.length, seen.get(1).size());
    assertEquals("\"\"", seen.get(1).eTag());
    for (String file : List.of("/closed/file", "/shut/file")) {
      assertArrayEquals(CONTENT, read(ann, file));
      assertEquals("ann", ann.getFileStatus(new Path(file)).getOwner());
    }
    assertEquals(
        2, ann.listStatus(new Path("/shut")).length + ann.listStatus(new Path("/closed")).length);
  }
}
