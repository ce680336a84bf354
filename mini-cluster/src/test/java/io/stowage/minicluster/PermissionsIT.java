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
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.stowage.common.conf.Keys;
import io.stowage.common.id.WriteId;
import io.stowage.common.proto.BucketLayout;
import io.stowage.common.proto.CreateBucketRequest;
import io.stowage.common.proto.CreateUserRequest;
import io.stowage.common.proto.UpdateBucketRequest;
import io.stowage.common.proto.User;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.security.PrivilegedExceptionAction;
import java.util.ArrayList;
import java.util.List;
import org.apache.hadoop.fs.FSDataInputStream;
import org.apache.hadoop.fs.FSDataOutputStream;
import org.apache.hadoop.fs.FileSystem;
import org.apache.hadoop.fs.Path;
import org.apache.hadoop.fs.permission.FsAction;
import org.apache.hadoop.fs.permission.FsPermission;
import org.apache.hadoop.security.AccessControlException;
import org.apache.hadoop.security.UserGroupInformation;
import org.apache.hadoop.thirdparty.protobuf.ByteString;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import software.amazon.awssdk.core.sync.RequestBody;
import software.amazon.awssdk.services.s3.S3Client;
import software.amazon.awssdk.services.s3.model.S3Exception;

/**
 * The same people over Hadoop's FileSystem and over S3 in one store that asks for permissions: what
 * one lets another do in one way he may do in the other, and nothing else.
 */
class PermissionsIT {
  private static final byte[] CONTENT = "content".getBytes(StandardCharsets.UTF_8);

  @TempDir static java.nio.file.Path directory;
  private static MiniStowageCluster cluster;
  private static java.nio.file.Path audit;
  private static final List<AutoCloseable> open = new ArrayList<>();

  @BeforeAll
  static void start() throws Exception {
    audit = directory.resolve("rpc-audit.log");
    cluster =
        MiniStowageCluster.builder()
            .set(Keys.PERMISSIONS_ENABLED, "true")
            .set(Keys.OM_AUDIT_FILE, audit.toString())
            .start();
    for (String name : List.of("ann", "bob")) {
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
  }

  @AfterAll
  static void stop() throws Exception {
    for (AutoCloseable closeable : open) {
      closeable.close();
    }
    cluster.close();
  }

  private static FileSystem files(String user, String bucket) throws Exception {
    FileSystem fs =
        UserGroupInformation.createRemoteUser(user)
            .doAs(
                (PrivilegedExceptionAction<FileSystem>)
                    () ->
                        FileSystem.newInstance(
                            URI.create("stow://" + bucket + "/"), cluster.hadoopConfiguration()));
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
    owner.setPermission(new Path("/"), new FsPermission((short) 01777));
    assertTrue(ann.mkdirs(new Path("/ann")));
    write(ann, "/ann/file");
    assertEquals("ann", ann.getFileStatus(new Path("/ann/file")).getOwner());
    assertArrayEquals(CONTENT, read(bob, "/ann/file"));
    assertArrayEquals(
        CONTENT, bobOverS3.getObjectAsBytes(b -> b.bucket("tree").key("ann/file")).asByteArray());
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
}
